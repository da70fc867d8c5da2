"""STOW-RS: the objects of a body, each put on the shelf as C-STORE puts it, and what is answered about them.

::

    part ─► spool (small in memory, large in a file) ─► file meta ─► shelf.keep ─► ReferencedSOPSequence
                        └ too large, no room, not readable, another study ─► FailedSOPSequence with a reason

An object is told as stored only after the shelf has it durably. What came whole before a body broke off stays stored.
"""

from __future__ import annotations

import io
import json
import logging
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydicom import dcmread

from bonescan.dicom.headers import text
from bonescan.dicom.indexing import is_uid
from bonescan.dicom.node.contexts import OBJECT_ENCODINGS, storage_classes
from bonescan.dicom.node.settings import Limits
from bonescan.dicom.node.shelf import ReceivedObject, Shelf
from bonescan.dicom.node.transport import Spool, note
from bonescan.dicom.web.attributes import record
from bonescan.errors import ArchiveUnavailable, BoneScanError, InvalidValue, QuotaExceeded, UnreadableInput

__all__ = ["MOST_PARTS", "OBJECT_TYPE", "Intake"]

OBJECT_TYPE = "application/dicom"
MOST_PARTS = 10_000
"""[D] A tomographic study has some hundreds of objects."""

_NAMES = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_LONGEST_META_BYTES = 64 * 2**10

# PS3.18 table I.2-2 and PS3.4 table B.2-1 [M].
_PROCESSING_FAILURE = 0x0110
_CLASS_NOT_SUPPORTED = 0x0122
_OUT_OF_RESOURCES = 0xA700
_MISMATCH = 0xA900
_CANNOT_UNDERSTAND = 0xC000
_SYNTAX_NOT_SUPPORTED = 0xC122
_LATER = frozenset({_PROCESSING_FAILURE, _OUT_OF_RESOURCES})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of one part; a reason of 0 is success."""

    reason: int
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_uid: str = ""
    series_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Announced:
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_uid: str
    series_uid: str


class _Failed(Exception):
    """A part that is not stored, with the reason."""

    def __init__(self, reason: int, announced: _Announced | None = None) -> None:
        super().__init__(f"{reason:04X}")
        self.reason, self.announced = reason, announced


class Intake:
    """Takes the parts of one body and remembers what became of each: a `bonescan.dicom.web.multipart.PartSink`.

    Parameters
    ----------
    shelf : Shelf
    spool : Path
        Folder where large objects wait; it is there.
    limits : Limits
        The node's: ``object_bytes`` and ``spool_above_bytes``.
    sender : str
        Who sends, for the index and the audit trail.
    study_uid : str
        The only study that is taken; empty for any.
    """

    def __init__(self, shelf: Shelf, spool: Path, limits: Limits, *, sender: str, study_uid: str = "") -> None:
        self._shelf, self._folder, self._limits = shelf, spool, limits
        self._sender, self._study_uid = sender, study_uid
        self._part: Spool | None = None
        self._wrong_type = False
        self._outcomes: list[_Outcome] = []

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take the head of the next part.

        Parameters
        ----------
        headers : mapping of str to str
        """
        self.close()
        said = headers.get("content-type", OBJECT_TYPE).partition(";")[0].strip().lower()
        self._wrong_type = said != OBJECT_TYPE
        self._part = Spool(self._folder, self._limits)

    def write(self, data: bytes) -> None:
        """Take its next bytes.

        Parameters
        ----------
        data : bytes
        """
        if self._part is not None and not self._wrong_type:
            self._part.write(data)

    def end(self) -> None:
        """Put the part on the shelf; where that is not possible, remember why."""
        try:
            stored = self._store()
            outcome = _Outcome(reason=0, **_named(stored))
        except _Failed as failed:
            outcome = _Outcome(reason=failed.reason, **_named(failed.announced))
        self._outcomes.append(outcome)
        note(
            "stored-over-http" if outcome.reason == 0 else "refused-over-http",
            logging.INFO if outcome.reason == 0 else logging.WARNING,
            bytes=self._part.size_bytes if self._part is not None else 0,
            status=f"{outcome.reason:04X}",
        )
        self.close()

    def close(self) -> None:
        """Forget the part that is on its way, and remove its file."""
        if self._part is not None:
            self._part.close()
            self._part = None

    @property
    def stored(self) -> int:
        """How many objects are safe."""
        return sum(one.reason == 0 for one in self._outcomes)

    @property
    def status(self) -> int:
        """What HTTP says of it (PS3.18 10.5.3 [M]): 200 all, 202 some, 409 none; 503 where a later try may help."""
        failed = [one.reason for one in self._outcomes if one.reason]
        if not failed:
            return 200
        if self.stored:
            return 202
        return 503 if set(failed) <= _LATER else 409

    def told(self, address: Callable[..., str]) -> bytes:
        """Say what became of each part, as DICOM JSON.

        Parameters
        ----------
        address : callable
            Gives the address of UIDs of a study, series and object.

        Returns
        -------
        bytes
        """
        stored: list[Any] = []
        failed: list[Any] = []
        unknown: list[Any] = []
        for one in self._outcomes:
            item: dict[str, Any] = {}
            if one.sop_instance_uid:
                item = {"ReferencedSOPClassUID": one.sop_class_uid, "ReferencedSOPInstanceUID": one.sop_instance_uid}
            if one.reason == 0:
                where = address(one.study_uid, one.series_uid, one.sop_instance_uid)
                stored.append(record(item | {"RetrieveURL": where}))
            else:
                (failed if item else unknown).append(record(item | {"FailureReason": one.reason}))
        studies = {one.study_uid for one in self._outcomes if one.reason == 0}
        answer: dict[str, Any] = {"RetrieveURL": address(studies.pop())} if len(studies) == 1 else {}
        for keyword, items in (
            ("ReferencedSOPSequence", stored),
            ("FailedSOPSequence", failed),
            ("OtherFailuresSequence", unknown),
        ):
            if items:
                answer[keyword] = items
        return json.dumps(record(answer)).encode()

    def _store(self) -> _Announced:
        part = self._part
        if part is None or self._wrong_type or not part.size_bytes:
            raise _Failed(_CANNOT_UNDERSTAND)
        if part.refused:
            raise _Failed(_OUT_OF_RESOURCES)
        said = _announced(part.content)
        if self._study_uid and said.study_uid != self._study_uid:
            raise _Failed(_MISMATCH, said)
        try:
            self._shelf.keep(
                ReceivedObject(
                    content=part.content,
                    sop_class_uid=said.sop_class_uid,
                    sop_instance_uid=said.sop_instance_uid,
                    transfer_syntax_uid=said.transfer_syntax_uid,
                    calling_ae=self._sender,
                    received_at=datetime.now(UTC),
                )
            )
        except QuotaExceeded as error:
            raise _Failed(_OUT_OF_RESOURCES, said) from error
        except UnreadableInput as error:
            raise _Failed(_CANNOT_UNDERSTAND, said) from error
        except InvalidValue as error:
            raise _Failed(_MISMATCH, said) from error
        except (ArchiveUnavailable, BoneScanError, OSError) as error:
            raise _Failed(_PROCESSING_FAILURE, said) from error
        return said


def _named(said: _Announced | None) -> dict[str, str]:
    if said is None:
        return {}
    return {
        "sop_class_uid": said.sop_class_uid,
        "sop_instance_uid": said.sop_instance_uid,
        "study_uid": said.study_uid,
        "series_uid": said.series_uid,
    }


def _announced(content: bytes | Path) -> _Announced:
    """What a file says of itself; its encoding is looked at before anything is unpacked."""
    syntax = _transfer_syntax(content)
    if syntax not in OBJECT_ENCODINGS:
        raise _Failed(_SYNTAX_NOT_SUPPORTED if is_uid(syntax) else _CANNOT_UNDERSTAND)
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        dataset = dcmread(source, stop_before_pixels=True, specific_tags=list(_NAMES))
        study, series, instance, sop_class = (text(dataset, name) or "" for name in _NAMES)
    except Exception as error:  # hostile bytes raise almost anything
        raise _Failed(_CANNOT_UNDERSTAND) from error
    if not all(is_uid(uid) for uid in (study, series, instance, sop_class)):
        raise _Failed(_CANNOT_UNDERSTAND)
    said = _Announced(
        sop_class_uid=sop_class,
        sop_instance_uid=instance,
        transfer_syntax_uid=syntax,
        study_uid=study,
        series_uid=series,
    )
    if sop_class not in storage_classes():
        raise _Failed(_CLASS_NOT_SUPPORTED, said)
    return said


def _transfer_syntax(content: bytes | Path) -> str:
    """The transfer syntax of a Part 10 file; empty where its meta group is not as PS3.10 7.1 has it, or is long.

    The parser would read an element of the meta group into memory whatever its length, so the lengths are added up.
    """
    if isinstance(content, bytes):
        head = content[:_LONGEST_META_BYTES]
    else:
        with content.open("rb") as file:
            head = file.read(_LONGEST_META_BYTES)
    if head[128:140] != b"DICM\x02\x00\x00\x00UL\x04\x00" or len(head) < 144:
        return ""
    at, end, syntax = 144, 144 + struct.unpack_from("<I", head, 140)[0], ""
    while at + 12 <= min(end, len(head)):
        group, element, vr = struct.unpack_from("<HH2s", head, at)
        long = vr in (b"OB", b"UN")
        length = struct.unpack_from("<I" if long else "<H", head, at + (8 if long else 6))[0]
        value = at + (12 if long else 8)
        if group != 2:
            return ""
        if element == 0x0010:
            syntax = head[value : value + length].rstrip(b" \0").decode("latin-1")
        at = value + length
    return syntax if at == end <= len(head) and head[at : at + 2] != b"\x02\x00" else ""
