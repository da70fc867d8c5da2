"""The workstation's server: uvicorn in a thread of its own, beside the node and the worker, until told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bonescan.archive import Archive
from bonescan.errors import ArchiveUnavailable, UnreadableInput
from bonescan.workstation.app import Workstation
from bonescan.workstation.settings import HttpSettings

if TYPE_CHECKING:
    from bonescan.dicom.node.settings import NodeSettings

__all__ = ["Served", "serve"]

_MOST_CONNECTIONS = 256
_KEPT_ALIVE_S = 15
_HEAD_S = 10.0
_STOP_S = 5
_START_S = 30.0
_log = logging.getLogger("bonescan.workstation")


class _Timed(H11Protocol):
    """Lets go of callers whose request's head does not come soon; uvicorn itself would wait for ever."""

    _patience: asyncio.TimerHandle | None = None
    _callers: Counter[str]
    _most_of_one: int
    _trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    _address = ""

    @classmethod
    def of(cls, settings: HttpSettings) -> type[_Timed]:
        """The protocol of one server: its connections are counted by address, but a proxy's, which brings everybody."""
        counts = {"_callers": Counter(), "_trusted": tuple(ipaddress.ip_network(one) for one in settings.proxies)}
        return type(cls.__name__, (cls,), {**counts, "_most_of_one": settings.connections_per_address})

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._address = (transport.get_extra_info("peername") or ("",))[0]
        self._callers[self._address] += 1
        if self._callers[self._address] > self._most_of_one and not self._is_proxy():
            _log.warning("too many connections from %s", self._address)
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        self._callers[self._address] -= 1
        if not self._callers[self._address]:
            del self._callers[self._address]
        super().connection_lost(exc)

    def _is_proxy(self) -> bool:
        try:
            return any(ipaddress.ip_address(self._address) in one for one in self._trusted)
        except ValueError:
            return False

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            self._calm()
        elif self._patience is None:
            self._patience = self.loop.call_later(_HEAD_S, self._give_up)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _give_up(self) -> None:
        self._patience = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE:
            self.transport.close()


class Served:
    """A workstation that is being served.

    Parameters
    ----------
    workstation : Workstation
    address : str
        Where browsers find it.
    port : int
    """

    def __init__(self, workstation: Workstation, address: str, port: int) -> None:
        self.workstation, self.address, self.port = workstation, address, port


@contextmanager
def serve(
    archive: Archive,
    settings: HttpSettings,
    *,
    workstation: Workstation | None = None,
    node: NodeSettings | None = None,
) -> Iterator[Served]:
    """Serve a workstation until the block is left; then long polls are answered and what is under way is finished.

    Parameters
    ----------
    archive : Archive
    settings : HttpSettings
    workstation : Workstation, optional
        Made from the others by default.
    node : NodeSettings, optional
        The DICOM node beside it.

    Yields
    ------
    Served

    Raises
    ------
    ArchiveUnavailable
        When the address cannot be listened on.
    UnreadableInput
        When certificate or key cannot be read.
    """
    made = workstation or Workstation(archive, settings, node=node)
    _check_certificate(settings)
    listening = _listening(settings)
    config = uvicorn.Config(
        made.app,
        http=_Timed.of(settings),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEPT_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
        h11_max_incomplete_event_size=32_768,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    if config.ssl_certfile:
        config.load()
        assert config.ssl is not None
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="bonescan-http", daemon=True)
    port = listening.getsockname()[1]
    made.rooms.changes.start()
    thread.start()
    try:
        _await_start(server, thread)
        scheme = "https" if settings.encrypted else "http"
        host = settings.names[0] if settings.names else ("localhost" if settings.loopback else settings.host)
        yield Served(made, f"{scheme}://{host}:{port}/", port)
    finally:
        made.rooms.changes.stop()  # long polls end now, not after their 25 s
        made.rooms.lessons.stop()
        server.should_exit = True
        thread.join(timeout=_STOP_S + 5)
        made.rooms.desk.close()
        listening.close()


def _listening(settings: HttpSettings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ArchiveUnavailable(f"{settings.host} is no address of this machine: {error.strerror}.") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(128)
    except OSError as error:
        made.close()
        raise ArchiveUnavailable(
            f"The workstation cannot listen on {settings.host}, port {settings.port}: {error.strerror}; choose another "
            "with --http-port.",
            port=settings.port,
        ) from error
    return made


def _check_certificate(settings: HttpSettings) -> None:
    if settings.certificate is None or settings.key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise UnreadableInput(
            "The certificate or key of [http.tls] cannot be read; check the two PEM files."
        ) from error


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise ArchiveUnavailable(
                "The workstation's server did not start; start it with BONESCAN_DEBUG=1 to see why."
            )
        time.sleep(0.01)
