"""C-STORE: an object comes in, and is acknowledged when it is on the shelf and not before."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bonescan.dicom.node.settings import Peer, Right
from bonescan.dicom.node.shelf import Kept, ReceivedObject, Shelf
from bonescan.dicom.node.transport import Spool, note
from bonescan.errors import ArchiveUnavailable, BoneScanError, InvalidValue, QuotaExceeded, UnreadableInput

if TYPE_CHECKING:
    from pynetdicom.events import Event

__all__ = ["receive"]

# PS3.4 table B.2-1 and PS3.7 annex C.
_SUCCESS = 0x0000
_PROCESSING_FAILURE = 0x0110
_INVALID_INSTANCE = 0x0117
_NOT_AUTHORISED = 0x0124
_OUT_OF_RESOURCES = 0xA700
_MISMATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


def receive(event: Event, shelf: Shelf, peer: Peer) -> int:
    """Put a received object on the shelf.

    Parameters
    ----------
    event : pynetdicom.events.Event
        Of a C-STORE request.
    shelf : Shelf
    peer : Peer
        Who sends.

    Returns
    -------
    int
        The status to answer with.
    """
    began = time.monotonic()
    request: Any = event.request
    spool, uid = request._dataset_file, str(request.AffectedSOPInstanceUID)
    try:
        status, outcome = _put_away(event, shelf, peer)
    finally:
        if isinstance(spool, Spool):
            spool.close()
    note(
        "stored" if status == _SUCCESS else "refused-object",
        logging.INFO if status == _SUCCESS else logging.WARNING,
        peer=peer.ae_title,
        object=hashlib.sha256(uid.encode()).hexdigest()[:12],  # the UID itself may lead to the patient
        bytes=spool.size_bytes if isinstance(spool, Spool) else 0,
        status=f"{status:04X}",
        outcome=outcome,
        seconds=f"{time.monotonic() - began:.3f}",
    )
    return status


def _put_away(event: Event, shelf: Shelf, peer: Peer) -> tuple[int, str]:
    request: Any = event.request
    spool, uid = request._dataset_file, str(request.AffectedSOPInstanceUID)
    if Right.STORE not in peer.may:  # contexts of storage are also negotiated for C-GET
        return _NOT_AUTHORISED, "may not store"
    if not isinstance(spool, Spool):
        return _CANNOT_UNDERSTAND, "no data set"
    if not _UID.fullmatch(uid) or len(uid) > 64:
        return _INVALID_INSTANCE, "not a UID"
    if request.AffectedSOPClassUID != event.context.abstract_syntax:
        return _MISMATCH, "another SOP class than was negotiated"
    if spool.refused:
        return _OUT_OF_RESOURCES, spool.refused
    try:
        kept = shelf.keep(
            ReceivedObject(
                content=spool.content,
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=uid,
                transfer_syntax_uid=str(event.context.transfer_syntax),
                calling_ae=peer.ae_title,
                received_at=datetime.now(UTC),
            )
        )
    except QuotaExceeded:
        return _OUT_OF_RESOURCES, "no room"
    except UnreadableInput:
        return _CANNOT_UNDERSTAND, "unreadable"
    except InvalidValue:
        return _MISMATCH, "other UIDs in the data set"
    except ArchiveUnavailable:
        return _PROCESSING_FAILURE, "archive unavailable"
    except Exception as error:  # whatever the shelf met: the object is not acknowledged, and the sender keeps it
        known = isinstance(error, BoneScanError | OSError)
        return _PROCESSING_FAILURE, f"{'' if known else 'unforeseen '}{type(error).__name__}"
    return _SUCCESS, Kept(kept).value
