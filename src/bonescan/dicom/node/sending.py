"""Calling other nodes: are you there, take these objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from bonescan.dicom.node.contexts import UNCOMPRESSED, VERIFICATION, contexts_for
from bonescan.dicom.node.settings import NodeSettings, Peer
from bonescan.dicom.node.transport import keep_answers, keep_identities_out_of_the_log, note

__all__ = ["Outcome", "Sent", "calling_entity", "echo", "forward", "opened", "send"]


# [D] What a busy peer hashes and brings to its disk at least, before it answers: two minutes for 500 MiB.
_SLOWEST_KEPT_BYTES_PER_S = 4 * 2**20
_FOR_GOOD = 1  # PS3.8 table 9-21: rejected permanently, not for now


class Outcome(StrEnum):
    """What became of one object that was to be sent."""

    STORED = "stored"
    REFUSED = "refused"
    """The peer will not have it, now or later."""
    UNREADABLE = "unreadable"
    """No DICOM file with file meta information."""
    UNDELIVERED = "undelivered"
    """The peer could not be reached, or did not answer, or has no room; try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one object.

    Parameters
    ----------
    path : Path
    outcome : Outcome
    status : int or None
        The peer's own answer, as in PS3.4 table B.2-1; ``None`` where there was none.
    reason : str
        One clause; empty when it is stored.
    attempts : int
        How many times it was tried.
    """

    path: Path
    outcome: Outcome
    status: int | None = None
    reason: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class _Headed:
    path: Path
    sop_class_uid: str
    transfer_syntax_uid: str
    size_bytes: int


def calling_entity(settings: NodeSettings) -> AE:
    """Make the application entity that opens associations in the node's name.

    Parameters
    ----------
    settings : NodeSettings

    Returns
    -------
    pynetdicom.AE
    """
    keep_identities_out_of_the_log()
    entity = AE(ae_title=settings.ae_title)
    entity.maximum_pdu_size = settings.limits.pdu_bytes
    entity.connection_timeout = entity.acse_timeout = settings.limits.opening_s
    entity.dimse_timeout = entity.network_timeout = settings.limits.idle_s
    return entity


def echo(peer: Peer, settings: NodeSettings) -> bool:
    """Ask a peer whether it is there (C-ECHO).

    Parameters
    ----------
    peer : Peer
    settings : NodeSettings
        Whose title and certificate are shown.

    Returns
    -------
    bool
        Whether it answered with success.
    """
    association = opened(peer, settings, [build_context(VERIFICATION, list(UNCOMPRESSED[:2]))])
    if not association.is_established:
        return False
    try:
        return bool(association.send_c_echo().get("Status") == 0x0000)
    except (RuntimeError, ValueError):
        return False
    finally:
        association.release()


def forward(paths: Sequence[Path], settings: NodeSettings) -> dict[str, list[Sent]]:
    """Send results to every peer that is configured to get them.

    Parameters
    ----------
    paths : sequence of Path
    settings : NodeSettings

    Returns
    -------
    dict of str to list of Sent
        By the peer's AE title.
    """
    return {peer.ae_title: send(paths, peer, settings) for peer in settings.peers if peer.results}


def send(
    paths: Sequence[Path],
    peer: Peer,
    settings: NodeSettings,
    *,
    attempts: int = 3,
    wait: Callable[[float], object] = time.sleep,
) -> list[Sent]:
    """Send objects to a peer (C-STORE), and say of each what became of it.

    Parameters
    ----------
    paths : sequence of Path
        DICOM Part 10 files. They are sent as they are encoded; uncompressed ones are converted where the peer takes
        only another uncompressed encoding.
    peer : Peer
    settings : NodeSettings
        Whose title and certificate are shown.
    attempts : int
        How often what could not be delivered is tried.
    wait : callable
        Called with the seconds before another attempt: 1, 2, 4 and so on.

    Returns
    -------
    list of Sent
        In the order of the paths.
    """
    results: dict[int, Sent] = {}
    left: dict[int, _Headed] = {}
    for place, path in enumerate(paths):
        headed = _headed(path)
        if headed is None:
            results[place] = Sent(path=path, outcome=Outcome.UNREADABLE, reason="no DICOM file", attempts=0)
        else:
            left[place] = headed
    for attempt in range(1, attempts + 1):
        if attempt > 1 and left:
            wait(2.0 ** (attempt - 2))
        for place, sent in _sent_once(left, peer, settings, attempt).items():
            results[place] = sent
            if sent.outcome is not Outcome.UNDELIVERED:
                del left[place]
        if not left:
            break
    note(
        "sent", peer=peer.ae_title, stored=sum(one.outcome is Outcome.STORED for one in results.values()), of=len(paths)
    )
    return [results[place] for place in sorted(results)]


def _headed(path: Path) -> _Headed | None:
    try:
        meta = read_file_meta_info(path)
        return _Headed(path, str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID), path.stat().st_size)
    except (OSError, InvalidDicomError, AttributeError, ValueError, EOFError, KeyError):
        return None


def _sent_once(left: dict[int, _Headed], peer: Peer, settings: NodeSettings, attempt: int) -> dict[int, Sent]:
    """Try each of them once, on one association as long as that holds."""
    if not left:
        return {}
    contexts = contexts_for((one.sop_class_uid, one.transfer_syntax_uid) for one in left.values())
    association = opened(peer, settings, contexts)
    outcome, reason = _unopened(association)
    results = {
        place: Sent(path=one.path, outcome=outcome, reason=reason, attempts=attempt) for place, one in left.items()
    }
    try:
        for number, (place, one) in enumerate(left.items()):
            if not association.is_established:
                break
            association.dimse_timeout = settings.limits.idle_s + one.size_bytes / _SLOWEST_KEPT_BYTES_PER_S
            outcome, status, reason = _stored(association, one, number % 65535 + 1)
            results[place] = Sent(path=one.path, outcome=outcome, status=status, reason=reason, attempts=attempt)
    finally:
        if association.is_established:
            association.release()
    return results


def _unopened(association: Association) -> tuple[Outcome, str]:
    """What becomes of objects for which no association was opened, or it broke before their turn."""
    answer: Any = association.acceptor.primitive
    if association.is_rejected and answer.result == _FOR_GOOD:
        return Outcome.REFUSED, "the peer does not know this AE title, or is not called so"
    if (
        not association.is_established
        and answer is not None
        and answer.result == 0
        and not association.accepted_contexts
    ):
        return Outcome.REFUSED, "the peer takes no such objects"
    return Outcome.UNDELIVERED, "no association" if not association.is_established else "the association broke"


def _stored(association: Association, one: _Headed, number: int) -> tuple[Outcome, int | None, str]:
    accepted = {
        (str(context.abstract_syntax), str(context.transfer_syntax[0])) for context in association.accepted_contexts
    }
    mine = {syntax for uid, syntax in accepted if uid == one.sop_class_uid}
    try:
        if one.transfer_syntax_uid in mine:
            _config.STORE_SEND_CHUNKED_DATASET = True  # the file's own bytes; pynetdicom has no such argument
            answer = association.send_c_store(one.path, number)
        elif one.transfer_syntax_uid in UNCOMPRESSED and mine:
            answer = association.send_c_store(dcmread(one.path), number)
        else:
            return Outcome.REFUSED, None, "the peer takes no such object, or not as it is encoded"
    except RuntimeError:
        return Outcome.UNDELIVERED, None, "the association broke"
    except Exception as error:  # a damaged file raises whatever its decoder raises
        return Outcome.UNREADABLE, None, f"could not be encoded ({type(error).__name__})"
    status = answer.get("Status")
    if status is None:
        return Outcome.UNDELIVERED, None, "no answer"
    if status == 0x0000 or status & 0xF000 == 0xB000:  # a warning: stored, with a coercion
        return Outcome.STORED, status, ""
    if status & 0xFF00 == 0xA700 or status == 0x0110:
        return Outcome.UNDELIVERED, status, "the peer has no room or failed"
    return Outcome.REFUSED, status, f"the peer answered {status:04X}"


def opened(peer: Peer, settings: NodeSettings, contexts: list[PresentationContext]) -> Association:
    """Ask a peer for an association.

    Parameters
    ----------
    peer : Peer
    settings : NodeSettings
        Whose title and certificate are shown.
    contexts : list of PresentationContext
        What is proposed.

    Returns
    -------
    pynetdicom.association.Association
        Established, where the peer agreed.
    """
    secured = (settings.tls.calling(), peer.host) if peer.tls and settings.tls is not None else None
    return calling_entity(settings).associate(
        peer.host,
        peer.port,
        contexts=contexts,
        ae_title=peer.ae_title,
        tls_args=secured,
        evt_handlers=[(evt.EVT_CONN_OPEN, keep_answers)],
    )
