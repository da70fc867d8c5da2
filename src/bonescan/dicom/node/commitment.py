"""Storage commitment: a peer asks whether its objects are safe, and is told in a report of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pynetdicom import build_context, build_role, evt

from bonescan.dicom.node.contexts import COMMITMENT, COMMITMENT_INSTANCE, MESSAGE_ENCODINGS
from bonescan.dicom.node.settings import NodeSettings, Peer
from bonescan.dicom.node.shelf import Shelf
from bonescan.dicom.node.transport import keep_answers, note

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity
    from pynetdicom.association import Association
    from pynetdicom.events import Event

__all__ = ["Commission", "commission_of", "report"]

# PS3.4 annex J.3, PS3.7 annex C.
_SUCCESS = 0x0000
_NO_SUCH_INSTANCE = 0x0112
_NO_SUCH_ACTION = 0x0123
_INVALID_ARGUMENT = 0x0115
_ALL_SAFE, _SOME_MISSING = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """What one peer asks to be told.

    Parameters
    ----------
    transaction_uid : str
    references : tuple of (str, str)
        SOP class and SOP instance UIDs.
    """

    transaction_uid: str
    references: tuple[tuple[str, str], ...]


def commission_of(event: Event) -> tuple[int, Commission | None]:
    """Read a request.

    Parameters
    ----------
    event : pynetdicom.events.Event
        Of an N-ACTION request.

    Returns
    -------
    (int, Commission or None)
        The status to answer with, and what is asked for where that is success.
    """
    request: Any = event.request
    if request.RequestedSOPInstanceUID != COMMITMENT_INSTANCE:
        return _NO_SUCH_INSTANCE, None
    if event.action_type != 1:
        return _NO_SUCH_ACTION, None
    try:
        asked = event.action_information
        commission = Commission(
            transaction_uid=str(asked.TransactionUID),
            references=tuple(
                (str(one.ReferencedSOPClassUID), str(one.ReferencedSOPInstanceUID))
                for one in asked.ReferencedSOPSequence
            ),
        )
    except Exception:  # hostile bytes raise almost anything
        return _INVALID_ARGUMENT, None
    return (_SUCCESS, commission) if commission.references else (_INVALID_ARGUMENT, None)


def report(
    commission: Commission,
    shelf: Shelf,
    peer: Peer,
    settings: NodeSettings,
    entity: ApplicationEntity,
    association: Association,
    wait: Callable[[float], object] = time.sleep,
) -> bool:
    """Tell a peer which of its objects are safe.

    On a new association where the peer can be called, which is what most of them expect; else on the one it asked on.

    Parameters
    ----------
    commission : Commission
    shelf : Shelf
    peer : Peer
    settings : NodeSettings
    entity : pynetdicom.AE
        Opens associations in the node's name.
    association : pynetdicom.association.Association
        The one it asked on.
    wait : callable
        Called with the seconds before another attempt.

    Returns
    -------
    bool
        Whether it was told.
    """
    try:
        held = shelf.holds(commission.references)
    except Exception as error:  # no report is better than a wrong one: the peer asks again
        note("failed-commitment", logging.ERROR, peer=peer.ae_title, reason=type(error).__name__)
        return False
    told = Dataset()
    told.TransactionUID = commission.transaction_uid
    told.RetrieveAETitle = settings.ae_title
    pairs = list(zip(commission.references, held, strict=True))
    safe = [_item(*reference) for reference, is_held in pairs if is_held]
    missing = [_item(*reference, reason=_NO_SUCH_INSTANCE) for reference, is_held in pairs if not is_held]
    if safe:
        told.ReferencedSOPSequence = safe
    if missing:
        told.FailedSOPSequence = missing
    kind = _SOME_MISSING if missing else _ALL_SAFE
    for attempt in range(4):
        wait(0.2 if attempt == 0 else 2.0**attempt)  # first the answer to its request has to leave
        if _said(told, kind, peer, settings, entity, association):
            note("committed", peer=peer.ae_title, safe=len(safe), missing=len(missing))
            return True
    note("failed-commitment", logging.ERROR, peer=peer.ae_title, reason="peer does not take the report")
    return False


def _item(class_uid: str, instance_uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = class_uid
    item.ReferencedSOPInstanceUID = instance_uid
    if reason is not None:
        item.FailureReason = reason
    return item


def _said(
    told: Dataset, kind: int, peer: Peer, settings: NodeSettings, entity: ApplicationEntity, association: Association
) -> bool:
    if not peer.reachable:
        return association.is_established and _sent(association, told, kind)
    secured = (settings.tls.calling(), peer.host) if peer.tls and settings.tls is not None else None
    opened = entity.associate(
        peer.host,
        peer.port,
        contexts=[build_context(COMMITMENT, list(MESSAGE_ENCODINGS[:2]))],
        ae_title=peer.ae_title,
        ext_neg=[build_role(COMMITMENT, scu_role=False, scp_role=True)],
        tls_args=secured,
        evt_handlers=[(evt.EVT_CONN_OPEN, keep_answers)],
    )
    if not opened.is_established:
        return association.is_established and _sent(association, told, kind)
    try:
        return _sent(opened, told, kind)
    finally:
        opened.release()


def _sent(association: Association, told: Dataset, kind: int) -> bool:
    try:
        answer, _ = association.send_n_event_report(told, kind, COMMITMENT, COMMITMENT_INSTANCE)
    except (RuntimeError, ValueError):
        return False
    return bool(answer.get("Status") == _SUCCESS)
