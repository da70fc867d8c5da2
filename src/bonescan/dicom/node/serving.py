"""The node at work: who calls is known or turned away, and each request goes to what answers it."""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pynetdicom import build_context, evt
from pynetdicom.presentation import PresentationContext

from bonescan.dicom.node import commitment, querying
from bonescan.dicom.node.contexts import (
    COMMITMENT,
    FIND_MODELS,
    GET_MODELS,
    MESSAGE_ENCODINGS,
    MOVE_MODELS,
    OBJECT_ENCODINGS,
    VERIFICATION,
    storage_classes,
)
from bonescan.dicom.node.receiving import receive
from bonescan.dicom.node.sending import calling_entity
from bonescan.dicom.node.settings import NodeSettings, Peer, Right
from bonescan.dicom.node.shelf import Shelf
from bonescan.dicom.node.transport import Doorkeeper, Spool, clear_spool, guard, note
from bonescan.errors import OutputFailed

if TYPE_CHECKING:
    from pynetdicom.association import Association
    from pynetdicom.events import Event

__all__ = ["Node", "serve"]

# PS3.8 table 9-21: result, source, reason.
_UNKNOWN_CALLER = (1, 1, 3)
_UNKNOWN_CALLED = (1, 1, 7)
_TOO_MANY = (2, 3, 2)
_RIGHT_TO = {
    VERIFICATION: Right.ECHO,
    COMMITMENT: Right.STORE,
    **dict.fromkeys(FIND_MODELS, Right.FIND),
    **dict.fromkeys(MOVE_MODELS, Right.MOVE),
    **dict.fromkeys(GET_MODELS, Right.GET),
}


def serve(shelf: Shelf, settings: NodeSettings, *, spool: Path) -> Node:
    """Start a node; it works in threads of its own until it is stopped.

    Parameters
    ----------
    shelf : Shelf
        Where objects are put and found.
    settings : NodeSettings
    spool : Path
        Folder where large objects wait until they are received, best on the shelf's own disk; for this node alone.

    Returns
    -------
    Node
        At work already. As a context manager it stops at the end of the block.

    Raises
    ------
    OutputFailed
        When the address is taken or not this machine's.
    UnreadableInput
        When the TLS files cannot be read.
    """
    return Node(shelf, settings, spool)


class Node:
    """A DICOM node at work.

    Parameters
    ----------
    shelf : Shelf
    settings : NodeSettings
    spool : Path
    """

    def __init__(self, shelf: Shelf, settings: NodeSettings, spool: Path) -> None:
        self._shelf, self._settings, self._spool = shelf, settings, spool
        self._peers = {peer.ae_title: peer for peer in settings.peers}
        clear_spool(spool)
        self._entity = calling_entity(settings)
        self._entity.maximum_associations = 2**16  # it would count those that are ending; `_admit` counts the others
        try:
            self._server = Doorkeeper(
                self._entity,
                (settings.host, settings.port),
                settings.ae_title,
                [build_context(VERIFICATION)],  # what is supported depends on who calls: see `_admit`
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, self._guard),
                    (evt.EVT_REQUESTED, self._admit),
                    (evt.EVT_C_ECHO, self._echo),
                    (evt.EVT_C_STORE, self._store),
                    (evt.EVT_C_FIND, self._find),
                    (evt.EVT_C_MOVE, self._move),
                    (evt.EVT_C_GET, self._get),
                    (evt.EVT_N_ACTION, self._commit),
                ],
                limits=settings.limits,
                tls=None if settings.tls is None else settings.tls.accepting(),
            )
        except OSError as error:
            raise OutputFailed(
                f"The DICOM node cannot listen on port {settings.port} of {settings.host}: {error.strerror}; choose "
                "another in the settings.",
                port=settings.port,
            ) from error
        self._entity._servers.append(self._server)
        self._stopping = threading.Event()
        self._reports = ThreadPoolExecutor(2, thread_name_prefix="commitment")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="dicom-node", daemon=True)
        self._thread.start()
        note("listening", ae_title=settings.ae_title, port=self.port, peers=len(settings.peers))

    @property
    def port(self) -> int:
        """Where it listens, also when the settings left the choice open."""
        return int(self._server.server_address[1])

    @property
    def associations(self) -> int:
        """How many associations are established."""
        return sum(each.is_established for each in self._server.active_associations)

    def stop(self) -> None:
        """Take no more associations, abort those that are open, and return when all have ended.

        An object that is being put on the shelf is put there; its sender may not be told, and sends it again.
        """
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._server.shutdown()
        open_ones = self._server.active_associations
        for each in open_ones:
            each.abort()
        for each in open_ones:
            each.join(self._settings.limits.opening_s)
        self._reports.shutdown(wait=True, cancel_futures=True)
        note("stopped", port=self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _guard(self, event: Event) -> None:
        limits = self._settings.limits
        guard(event.assoc, lambda: Spool(self._spool, limits), limits)

    def _admit(self, event: Event) -> None:
        """Turn an unknown caller away; offer a known one what it may use."""
        association = event.assoc
        request: Any = association.requestor.primitive
        calling, called = request.calling_ae_title.strip(), request.called_ae_title.strip()
        address = str(association.requestor.address)
        peer = self._peers.get(calling)
        if called != self._settings.ae_title:
            self._turn_away(association, _UNKNOWN_CALLED, calling, address, "another AE title called")
        elif peer is None or not _calls_from_home(peer, address):
            reason = "unknown AE title" if peer is None else "known AE title, other address"
            self._turn_away(association, _UNKNOWN_CALLER, calling, address, reason)
        elif self.associations >= self._settings.limits.associations:
            self._turn_away(association, _TOO_MANY, calling, address, "too many associations")
        else:
            wanted = {str(context.abstract_syntax) for context in request.presentation_context_definition_list}
            association.acceptor.supported_contexts = list(_offered(wanted, peer))
            note("associated", peer=calling, address=address)

    def _turn_away(
        self, association: Association, because: tuple[int, int, int], calling: str, address: str, reason: str
    ) -> None:
        note("rejected", logging.WARNING, calling=calling, address=address, reason=reason)
        association.acse.send_reject(*because)
        association.kill()

    def _peer(self, event: Event) -> Peer:
        return self._peers[event.assoc.requestor.ae_title.strip()]

    def _echo(self, event: Event) -> int:
        note("echo", peer=self._peer(event).ae_title)
        return 0x0000

    def _store(self, event: Event) -> int:
        return receive(event, self._shelf, self._peer(event))

    def _find(self, event: Event) -> Iterator[querying.Answer]:
        return querying.find(event, self._shelf, self._settings)

    def _move(self, event: Event) -> Iterator[Any]:
        return querying.move(event, self._shelf, self._settings)

    def _get(self, event: Event) -> Iterator[Any]:
        return querying.get(event, self._shelf)

    def _commit(self, event: Event) -> tuple[int, None]:
        status, commission = commitment.commission_of(event)
        if commission is not None:
            self._reports.submit(
                commitment.report,
                commission,
                self._shelf,
                self._peer(event),
                self._settings,
                self._entity,
                event.assoc,
                self._stopping.wait,
            )
        return status, None


def _offered(wanted: set[str], peer: Peer) -> Iterator[PresentationContext]:
    for uid in sorted(wanted):
        if _RIGHT_TO.get(uid) in peer.may:
            yield build_context(uid, list(MESSAGE_ENCODINGS))
        elif uid in storage_classes() and peer.may & {Right.STORE, Right.GET}:
            context = build_context(uid, list(OBJECT_ENCODINGS))
            context.scu_role = Right.GET in peer.may
            context.scp_role = Right.STORE in peer.may
            yield context


def _calls_from_home(peer: Peer, address: str) -> bool:
    """Whether a caller's address is one of its host's; a peer without a host may call from anywhere."""
    if not peer.host:
        return True
    try:
        home = {str(found[4][0]) for found in socket.getaddrinfo(peer.host, None)}
    except OSError:
        return False
    return any(ipaddress.ip_address(one) == ipaddress.ip_address(address) for one in home)
