"""How the node is set up: its own title and address, who may call and for what, limits, and TLS."""

from __future__ import annotations

import re
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from bonescan.errors import InvalidValue, UnknownSetting, UnreadableInput

__all__ = ["Limits", "NodeSettings", "Peer", "Right", "Tls", "node_settings", "read_node_settings"]

# PS3.5 table 6.2-1, AE: at most 16 characters of the default repertoire, neither backslash nor control characters.
_AE_TITLE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")
_T = TypeVar("_T")


class Right(StrEnum):
    """What a peer may ask of the node."""

    ECHO = "echo"
    STORE = "store"
    """C-STORE, and storage commitment of what was stored."""
    FIND = "find"
    MOVE = "move"
    GET = "get"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another DICOM application that the node knows.

    Parameters
    ----------
    ae_title : str
        Its application entity title, 1 to 16 characters, capitals told from small letters.
    host : str
        Where it is reached, and where it must call from; empty for one that only calls, from anywhere.
    port : int
        Where it listens; 0 for one that only calls.
    may : frozenset of Right
        What it may ask for.
    results : bool
        Whether results are forwarded to it.
    tls : bool
        Whether it is called over TLS.
    """

    ae_title: str
    host: str = ""
    port: int = 0
    may: frozenset[Right] = frozenset({Right.ECHO, Right.STORE})
    results: bool = False
    tls: bool = False

    def __post_init__(self) -> None:
        _check_title(self.ae_title)
        _check_port(self.port)
        if self.results and not self.reachable:
            raise InvalidValue(
                f"The peer {self.ae_title} is to get results, but has no host and port; add them.",
                ae_title=self.ae_title,
            )

    @property
    def reachable(self) -> bool:
        """Whether it can be called."""
        return bool(self.host and self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the node bears with before it refuses.

    Parameters
    ----------
    associations : int
        Established at one time; one more is rejected for now ("local limit exceeded"). Twice as many connections and 16
        are the most that are accepted at all.
    connections_per_address : int
        Open at one time from one address; one more is closed at once, so that no caller takes every place.
    pdu_bytes : int
        Longest protocol data unit that is taken, 4096 to 1 MiB.
    object_bytes : int
        Largest object; a larger one is read to its end, kept nowhere, and refused (A700).
    spool_above_bytes : int
        Objects above this size wait in a file, not in memory.
    message_bytes : int
        Longest message that is no object, such as a query.
    opening_s : float
        From the connection to the request of an association, and for the TLS handshake.
    idle_s : float
        Longest silence; also of a peer that does not read its answers.
    slowest_bytes_per_s : float
        A message that comes in more slowly, on average from its tenth second on, is cut off.
    """

    associations: int = 24
    connections_per_address: int = 32
    pdu_bytes: int = 131072
    object_bytes: int = 2 * 2**30
    spool_above_bytes: int = 8 * 2**20
    message_bytes: int = 4 * 2**20
    opening_s: float = 10.0
    idle_s: float = 60.0
    slowest_bytes_per_s: float = 1000.0

    def __post_init__(self) -> None:
        if not 4096 <= self.pdu_bytes <= 2**20:
            raise InvalidValue(f"pdu_bytes must lie between 4096 and {2**20}, got {self.pdu_bytes}.")
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                raise InvalidValue(f"The limit {each.name} must be above zero, got {getattr(self, each.name)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates for encrypted associations, version 1.2 or later.

    Parameters
    ----------
    certificate, key : Path
        The node's own, PEM.
    authority : Path, optional
        PEM of who signed the peers' certificates: with it every caller must show one; without it callers show none, and
        peers that are called are checked against the system's authorities.
    """

    certificate: Path
    key: Path
    authority: Path | None = None

    def accepting(self) -> ssl.SSLContext:
        """Context for associations that peers open.

        Returns
        -------
        ssl.SSLContext

        Raises
        ------
        UnreadableInput
            When a file is missing or holds no certificate.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        if self.authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def calling(self) -> ssl.SSLContext:
        """Context for associations that the node opens; the peer's host name is checked.

        Returns
        -------
        ssl.SSLContext

        Raises
        ------
        UnreadableInput
            When a file is missing or holds no certificate.
        """
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.authority is not None:
                context.load_verify_locations(self.authority)
        except (OSError, ssl.SSLError) as error:
            raise UnreadableInput(
                "The TLS certificate, its key or the authority could not be read; check the three PEM files of the "
                "settings."
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """The node's whole set-up.

    Parameters
    ----------
    ae_title : str
        The node's own title; a caller must name it.
    host : str
        Address to listen on; only this machine by default.
    port : int
        0 takes any free one.
    peers : tuple of Peer
        Who may call, each title once. None of them: nobody may.
    limits : Limits
    tls : Tls, optional
        With it, every association with the node is encrypted.
    """

    ae_title: str = "BONESCAN"
    host: str = "127.0.0.1"
    port: int = 11112
    peers: tuple[Peer, ...] = ()
    limits: Limits = field(default_factory=Limits)
    tls: Tls | None = None

    def __post_init__(self) -> None:
        _check_title(self.ae_title)
        _check_port(self.port)
        titles = [peer.ae_title for peer in self.peers]
        if len(set(titles)) < len(titles):
            raise InvalidValue("Two peers have the same AE title; give each its own.", titles=titles)
        if self.tls is None and any(peer.tls for peer in self.peers):
            raise InvalidValue("A peer is to be called over TLS, but the node has no certificate; add [dicom.tls].")

    def peer(self, ae_title: str) -> Peer | None:
        """Find a peer by its title.

        Parameters
        ----------
        ae_title : str

        Returns
        -------
        Peer or None
        """
        return next((peer for peer in self.peers if peer.ae_title == ae_title), None)


def read_node_settings(path: Path) -> NodeSettings:
    """Read the table ``[dicom]`` of a TOML file.

    Parameters
    ----------
    path : Path
        Files named in ``[dicom.tls]`` are taken relative to its folder.

    Returns
    -------
    NodeSettings

    Raises
    ------
    UnreadableInput
        When there is no such file, or it is not TOML.
    InvalidValue
        When it holds an unknown or impossible setting.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableInput("The settings could not be read; check the path of the file.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnreadableInput(f"The settings are not TOML: {error}.") from error
    table = read.get("dicom", {})
    if not isinstance(table, dict):
        raise InvalidValue(f"The setting dicom must be a table, got {table!r}.")
    return node_settings(table, folder=path.parent)


def node_settings(table: Mapping[str, Any], *, folder: Path = Path()) -> NodeSettings:
    """Make settings of a table as TOML or JSON give it.

    Parameters
    ----------
    table : mapping
        As ``[dicom]``: ``ae_title``, ``host``, ``port``, and the tables ``peers`` (one for each peer, under any name),
        ``limits`` and ``tls``.
    folder : Path
        What the files of ``tls`` are relative to.

    Returns
    -------
    NodeSettings

    Raises
    ------
    InvalidValue
        When it holds an unknown or impossible setting.
    """
    given = dict(table)
    for key in given:
        if key not in (known := [each.name for each in fields(NodeSettings)]):
            raise UnknownSetting(key, "[dicom]", known)
    peers = []
    for name, one in _table(given.pop("peers", {}), "peers").items():
        peer = dict(_table(one, f"peers.{name}"))
        if "may" in peer:
            try:
                peer["may"] = frozenset(Right(right) for right in peer["may"])
            except (TypeError, ValueError) as error:
                raise InvalidValue(
                    f"The setting dicom.peers.{name}.may is a list of {', '.join(Right)}; got {peer['may']!r}."
                ) from error
        peers.append(_made(Peer, peer, f"peers.{name}"))
    limits = _made(Limits, _table(given.pop("limits", {}), "limits"), "limits")
    tls = None
    if (secured := given.pop("tls", None)) is not None:
        files = {name: folder / str(file) for name, file in _table(secured, "tls").items()}
        tls = _made(Tls, files, "tls")
    return _made(NodeSettings, {**given, "peers": tuple(peers), "limits": limits, "tls": tls}, "")


def _table(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidValue(f"The setting dicom.{name} must be a table, got {value!r}.")
    return value


_PLAIN: Mapping[str, type | tuple[type, ...]] = {"str": str, "int": int, "float": (int, float), "bool": bool}


def _made(kind: type[_T], given: Mapping[str, Any], name: str) -> _T:
    known = {each.name: str(each.type) for each in fields(kind)}  # type: ignore[arg-type]
    where = f"dicom.{name}".rstrip(".")
    for key, value in given.items():
        if key not in known:
            raise UnknownSetting(key, f"[{where}]", known)
        wanted = _PLAIN.get(known[key])
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):
            raise InvalidValue(f"The setting {where}.{key} must be {known[key]}, got {value!r}.", got=value)
    try:
        return kind(**given)
    except TypeError as error:
        raise InvalidValue(f"The settings in {where} lack something: {error}.") from error


def _check_title(title: str) -> None:
    if not _AE_TITLE.fullmatch(title) or title != title.strip():
        raise InvalidValue(
            f"An AE title has 1 to 16 characters, without backslash, and no space around it; got {title!r}.", got=title
        )


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise InvalidValue(f"A port lies between 0 and 65535, got {port}.", got=port)
