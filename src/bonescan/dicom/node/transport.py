"""What stands between the network and pynetdicom: every length, time and number has a limit here.

pynetdicom believes the length a peer states for a protocol data unit, waits for ever for its last byte, does TLS
handshakes in the loop that accepts connections, holds messages in memory, and never rests. Each of these lets one peer
stop the node, so they are replaced by what this module makes: `Doorkeeper`, its server, and by `guard`, which puts
`_BoundedSocket` and `_Intake` in the place of an association's socket and message provider.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import select
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from pydicom.filewriter import write_file_meta_info
from pynetdicom import _config
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, N_EVENT_REPORT_RQ, DIMSEMessage
from pynetdicom.dsutils import create_file_meta
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, ThreadedAssociationServer

from bonescan.dicom.node.settings import Limits
from bonescan.dicom.quiet import keep_quiet

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.events import Event

__all__ = ["Doorkeeper", "Spool", "clear_spool", "guard", "keep_answers", "keep_identities_out_of_the_log", "note"]

_LOG = logging.getLogger("bonescan.dicom.node")
# An association request with 128 contexts of 45 transfer syntaxes is about 200 kB.
_LONGEST_REQUEST_BYTES = 2**20
_GRACE_S = 10.0
# Without a negotiated window a peer waits for each answer; a cancellation may come in between.
_MOST_WAITING_MESSAGES = 4
_PREFIX = "receiving-"
# Each association has two threads that look for work a thousand times a second; at rest, twenty times.
_RESTS_AFTER_S, _REST_S = 0.5, 0.05
_MOST_UNSENT_UNITS = 8  # [D]


def note(event: str, severity: int = logging.INFO, **facts: object) -> None:
    """Write one structured line: the event, and facts that name no patient.

    Parameters
    ----------
    event : str
        What happened, one word or a few.
    severity : int
        As in `logging`.
    **facts : object
        Also on the record as ``facts``; what a peer said of itself is cut to printable characters.
    """
    plain = {name: re.sub(r"[^\x21-\x7e]", "_", str(value))[:64] for name, value in facts.items()}
    line = " ".join(f"{name}={value}" for name, value in plain.items())
    _LOG.log(severity, "%s %s", event, line, extra={"event": event, "facts": plain})


def keep_identities_out_of_the_log() -> None:
    """Silence both libraries: one writes whole queries, with the names in them, both quote what they cannot decode."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = False
    _config.LOG_RESPONSE_IDENTIFIERS = False
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    keep_quiet()


class Spool:
    """One object on its way in: small in memory, large in a file, too large nowhere.

    pynetdicom writes to it as to a named temporary file. It never raises: what could not be kept is told by `refused`,
    and the rest of the object is read and forgotten, so that the sender gets an answer.

    Parameters
    ----------
    folder : Path
        Where large objects wait.
    limits : Limits
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.refused = ""
        self.size_bytes = 0
        self.file = self  # pynetdicom flushes `.file`
        self._folder, self._limits = folder, limits
        self._memory: BytesIO | None = BytesIO()
        self._path: Path | None = None
        self._descriptor = -1

    @property
    def name(self) -> str:
        """Where the file is, for pynetdicom to remove; empty for what is in memory."""
        return "" if self._path is None else str(self._path)

    @property
    def content(self) -> bytes | Path:
        """The whole Part 10 file, or where it is."""
        return self._path if self._path is not None else (self._memory or BytesIO()).getvalue()

    def write(self, data: bytes) -> int:
        """Add the next bytes.

        Parameters
        ----------
        data : bytes

        Returns
        -------
        int
            How many were taken: all of them.
        """
        self.size_bytes += len(data)
        if self.refused:
            return len(data)
        if self.size_bytes > self._limits.object_bytes:
            self._refuse("larger than the limit")
            return len(data)
        try:
            if self._memory is not None and self.size_bytes > self._limits.spool_above_bytes:
                self._descriptor, name = mkstemp(prefix=_PREFIX, dir=self._folder)
                self._path = Path(name)
                self._to_file(self._memory.getvalue())
                self._memory = None
            if self._memory is not None:
                self._memory.write(data)
            else:
                self._to_file(data)
        except OSError as error:
            self._refuse(f"not spooled: {error.strerror}")
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is not acknowledged need not be durable."""

    def close(self) -> None:
        """Forget the object and remove its file."""
        self._memory = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __del__(self) -> None:
        self.close()  # an association that broke leaves its half object to the garbage collection

    def _to_file(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def _refuse(self, reason: str) -> None:
        self.close()
        self._path = None
        self.refused = reason


def clear_spool(folder: Path) -> None:
    """Remove what a node that was killed left half received.

    Parameters
    ----------
    folder : Path
        Made, where there is none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_PREFIX}*"):
        left.unlink(missing_ok=True)


class _Refused(OSError):
    """A peer went beyond a limit: pynetdicom closes the connection, as for any error of a socket."""


class _BoundedSocket(AssociationSocket):
    """A socket that takes no longer unit than was agreed, and waits for none longer than agreed."""

    def __init__(self, inner: AssociationSocket, limits: Limits) -> None:
        self.__dict__.update(inner.__dict__)  # without a second "connection opened" event
        self._limits = limits
        self._since = 0.0
        self._bytes = 0
        self._active = time.monotonic()

    @property
    def resting(self) -> bool:
        """Whether nothing was said for a while."""
        return time.monotonic() - self._active > _RESTS_AFTER_S

    @property
    def ready(self) -> bool:
        """Whether there is something to read; where nothing was for a while, waits a little for it."""
        if self.socket is not None and self.resting and self.provider_queue.empty() and self.event_queue.empty():
            with suppress(OSError, ValueError):  # pynetdicom's own look finds the same error, and answers it
                select.select([self.socket], [], [], _REST_S)
        return super().ready

    def send(self, bytestream: bytes) -> None:
        """Send so many bytes."""
        self._active = time.monotonic()
        super().send(bytestream)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read so many bytes, all of them before the time is up."""
        longest = self._limits.pdu_bytes + 6 if self._assoc.is_established else _LONGEST_REQUEST_BYTES
        if nr_bytes > longest:
            note("refused-unit", logging.WARNING, length=nr_bytes, limit=longest)
            raise _Refused("a longer unit than was agreed")
        now = self._active = time.monotonic()
        if self._assoc.dimse.message is None:
            self._since, self._bytes = now, 0
        self._bytes += nr_bytes
        slow_after = max(_GRACE_S, self._bytes / self._limits.slowest_bytes_per_s)
        whole_by = min(
            self._since + slow_after,
            now + (self._limits.idle_s if self._assoc.is_established else self._limits.opening_s),
        )
        assert self.socket is not None
        received, filled = bytearray(nr_bytes), 0
        view = memoryview(received)
        try:
            while filled < nr_bytes:
                if (left_s := whole_by - time.monotonic()) <= 0:
                    note("refused-slow", logging.WARNING, bytes=self._bytes, seconds=round(whole_by - self._since, 1))
                    raise _Refused("too slow")
                self.socket.settimeout(left_s)
                if not (count := self.socket.recv_into(view[filled:])):
                    return received[:filled]
                filled += count
        finally:
            view.release()
            if self.socket is not None:
                self.socket.settimeout(self._limits.idle_s)
        return received


class _Outgoing(queue.Queue[Any]):
    """Units on their way to the network: whoever sends waits for a peer that takes them slowly.

    pynetdicom would lay a whole object here at once. It then took as much memory, and the time in which its answer had
    to come began before most of it had left.
    """

    def __init__(self, association: Association) -> None:
        super().__init__()
        self._sender = association.dul

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Lay down one unit; where nobody sends any more, it is left out."""
        if isinstance(item, P_DATA):
            with self.not_full:
                while self._qsize() >= _MOST_UNSENT_UNITS:
                    if not self._sender.is_alive():
                        return
                    self.not_full.wait(_REST_S)
        super().put(item, block, timeout)


class _Messages(DIMSEServiceProvider):
    """Gives an answer to the thread that asked for it, and counts nobody silent who is sent to or answers.

    An association's own thread also looks for messages. pynetdicom stops it while another one waits for an answer, but
    sees too early that it has stopped; on a busy machine it then takes the answer, and the other waits in vain.
    """

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        association.dul.to_provider_queue = _Outgoing(association)

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send a message; whoever waited long for it, or takes it slowly, has not been silent."""
        self.dul._idle_timer.restart()
        super().send_msg(primitive, context_id)
        self.dul._idle_timer.restart()

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message."""
        taken = super().get_msg(block)
        if block:
            self.dul._idle_timer.restart()
        elif taken[1] is not None and not self.assoc._reactor_checkpoint.is_set():
            with self.msg_queue.not_empty:
                self.msg_queue.queue.appendleft(taken)
                self.msg_queue.not_empty.notify()
            return None, None
        return taken


def keep_answers(event: Event) -> None:
    """Let an association that was just opened give its answers to who asked: a handler of `evt.EVT_CONN_OPEN`.

    Parameters
    ----------
    event : pynetdicom.events.Event
    """
    event.assoc.dimse = _Messages(event.assoc)


class _Intake(_Messages):
    """Puts messages together, objects in a `Spool` and everything else within its limit."""

    def __init__(self, association: Association, spool: Callable[[], Spool], limits: Limits) -> None:
        super().__init__(association)
        self._spool, self._limits = spool, limits
        self._held_bytes = 0

    def get_msg(self, block: bool = False) -> Any:
        """Return the next message; where none came for a while, waits a little for it."""
        if not block and self.dul.socket.resting:  # type: ignore[union-attr]
            whole_by = time.monotonic() + _REST_S
            while self._nothing_to_do() and time.monotonic() < whole_by:
                time.sleep(_REST_S / 5)
        return super().get_msg(block)

    def _nothing_to_do(self) -> bool:
        return self.msg_queue.empty() and self.dul.to_user_queue.empty() and self.assoc._reactor_checkpoint.is_set()

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take the next pieces of a message; a peer that goes beyond a limit is aborted."""
        try:
            for context_id, data in primitive.presentation_data_value_list:
                self._take(context_id, data)
        except Exception as error:  # hostile bytes raise almost anything; the exception may quote them
            note("refused-message", logging.WARNING, reason=str(error) if isinstance(error, _Refused) else type(error))
            self.message = None
            self.dul.event_queue.put("Evt19")  # as pynetdicom answers an invalid message: it aborts

    def _take(self, context_id: int, data: bytes) -> None:
        if self.msg_queue.qsize() >= _MOST_WAITING_MESSAGES:
            raise _Refused("more messages than are answered")
        spooled = self.message is not None and self.message._data_set_file is not None
        self._held_bytes += 0 if spooled else len(data)
        if self._held_bytes > self._limits.message_bytes:
            raise _Refused("a longer message than is taken")
        piece = P_DATA()
        piece.presentation_data_value_list = [[context_id, data]]  # type: ignore[list-item]
        super().receive_primitive(piece)
        if self.message is None:
            self._held_bytes = 0
        elif isinstance(self.message, N_EVENT_REPORT_RQ):
            raise _Refused("a report that nobody asked for")
        elif isinstance(self.message, C_STORE_RQ) and not spooled:
            self._open_spool(self.message)

    def _open_spool(self, message: DIMSEMessage) -> None:
        spool, head, command = self._spool(), BytesIO(), message.command_set
        accepted = self.assoc._accepted_cx[message.context_id]  # type: ignore[index]
        meta = create_file_meta(
            sop_class_uid=command.AffectedSOPClassUID,
            sop_instance_uid=command.AffectedSOPInstanceUID,
            transfer_syntax=accepted.transfer_syntax[0],
        )
        meta.SourceApplicationEntityTitle = self.assoc.requestor.ae_title
        head.write(b"\0" * 128 + b"DICM")
        write_file_meta_info(head, meta)  # type: ignore[arg-type]  # any binary stream will do
        spool.write(head.getvalue() + message.data_set.getvalue())  # type: ignore[union-attr]
        message._data_set_file = spool  # type: ignore[assignment]


def guard(association: Association, spool: Callable[[], Spool], limits: Limits) -> None:
    """Put the limits between an association that was just connected and its peer.

    Parameters
    ----------
    association : pynetdicom.association.Association
        Not yet started.
    spool : callable
        Makes the place for one object.
    limits : Limits
    """
    assert association.dul.socket is not None
    bounded = association.dul.socket = _BoundedSocket(association.dul.socket, limits)
    association.dimse = _Intake(association, spool, limits)
    run = association.dul.run

    def run_to_an_end() -> None:
        try:
            run()
        except Exception as error:  # an event in a state that has none: pynetdicom raises, and the thread ends
            note("broken-association", logging.WARNING, reason=type(error).__name__)
            bounded.close()

    association.dul.run = run_to_an_end  # type: ignore[method-assign]


class Doorkeeper(ThreadedAssociationServer):
    """pynetdicom's server, with a limit to connections, and handshakes in each connection's own thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any, limits: Limits, tls: ssl.SSLContext | None, **more: Any) -> None:
        self._limits, self._tls = limits, tls
        self._connections: weakref.WeakKeyDictionary[socket.socket, str] = weakref.WeakKeyDictionary()  # and whence
        super().__init__(*arguments, **more)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept the next connection."""
        connection, address = super().get_request()
        connection.settimeout(self._limits.opening_s)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Say whether one more connection is accepted."""
        address = str(client_address[0])
        self._connections[request] = address
        open_ones = [whence for each, whence in list(self._connections.items()) if each.fileno() >= 0]
        reason = ""
        if len(open_ones) > 2 * self._limits.associations + 16:
            reason = "too many"
        elif open_ones.count(address) > self._limits.connections_per_address:
            reason = "too many from this address"
        if reason:
            note("refused-connection", logging.WARNING, reason=reason, address=address)
        return not reason

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Begin one connection, encrypted where the node is."""
        if self._tls is not None:
            try:
                request = self._tls.wrap_socket(request, server_side=True)
            except (OSError, ValueError) as error:
                note("refused-handshake", logging.WARNING, address=client_address[0], reason=type(error).__name__)
                self.shutdown_request(request)
                return
            self._connections[request] = str(client_address[0])
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note that a connection broke before its association began."""
        note("broken-connection", logging.WARNING, address=client_address[0])
