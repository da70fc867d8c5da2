"""What the node asks of whoever keeps its objects: put this away, what have you, where is it, do you hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from bonescan.errors import InvalidValue

__all__ = ["Kept", "Level", "ReceivedObject", "Shelf", "StoredObject"]


class Level(StrEnum):
    """The level of a query, spelt as QueryRetrieveLevel (0008,0052)."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


class Kept(StrEnum):
    """What became of an object that was put away; each of them is durable, and may be acknowledged."""

    NEW = "new"
    SAME = "same"
    """Held already, with the same data set."""
    CONFLICT = "conflict"
    """Another data set is held under this UID: that one stays the object, this one is set aside and recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedObject:
    """One object as it came over the network.

    Parameters
    ----------
    content : bytes or Path
        The DICOM Part 10 file, preamble and file meta information included; or where it is spooled. A spooled file is
        read, never changed or moved: whoever wrote it removes it.
    sop_class_uid, sop_instance_uid, transfer_syntax_uid : str
        As negotiated and sent; they must agree with the file.
    calling_ae : str
        AE title of the sender, or another name of where it came from, e.g. ``"STOW"``.
    received_at : datetime
        With a time zone.
    """

    content: bytes | Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae: str
    received_at: datetime

    def __post_init__(self) -> None:
        if self.received_at.tzinfo is None:
            raise InvalidValue("The time of receipt needs a time zone; use datetime.now(timezone.utc).")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One object on the shelf.

    Parameters
    ----------
    path : Path
        The Part 10 file; for reading only.
    sop_class_uid, sop_instance_uid, transfer_syntax_uid : str
    study_instance_uid, series_instance_uid : str
    size_bytes : int
    """

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    size_bytes: int


class Shelf(Protocol):
    """Where a node's objects live. Every method may be called from several threads at once."""

    def keep(self, received: ReceivedObject) -> Kept:
        """Put one object away; durable when it returns, and only then to be acknowledged.

        Parameters
        ----------
        received : ReceivedObject

        Returns
        -------
        Kept

        Raises
        ------
        QuotaExceeded
            When quota or disk are full: "refused: out of resources" (A700).
        ArchiveUnavailable
            When database or disk do not answer: the sender may try again ("processing failure", 0110).
        UnreadableInput
            When the bytes are no DICOM object ("cannot understand", C000).
        InvalidValue
            When the file says other UIDs than were negotiated ("data set does not match SOP class", A900).
        """
        ...

    def match(self, level: Level, keys: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        r"""Answer a query (C-FIND, QIDO).

        Parameters
        ----------
        level : Level
        keys : mapping of str to str
            DICOM keyword to what is wanted, as PS3.4 C.2.2.2 writes it: one value, ``*`` and ``?``, ``FROM-TO`` for
            dates and times, several UIDs with a backslash between. Empty means any. Keywords that are not indexed
            restrict nothing.

        Yields
        ------
        mapping of str to str
            Everything that is indexed at this level and above it, by keyword; several values with a backslash
            between. Which of it is returned is the caller's choice.
        """
        ...

    def paths(self, uids: Mapping[str, Sequence[str]]) -> Iterator[StoredObject]:
        """Find the objects of patients, studies, series or images (C-MOVE, C-GET, WADO).

        Parameters
        ----------
        uids : mapping of str to sequence of str
            Unique key to its values, e.g. ``{"StudyInstanceUID": ["1.2.3"]}``; keys are ``PatientID``,
            ``StudyInstanceUID``, ``SeriesInstanceUID``, ``SOPInstanceUID``. An object must fit them all, and at least
            one must be given: an empty mapping finds nothing.

        Yields
        ------
        StoredObject
        """
        ...

    def holds(self, references: Sequence[tuple[str, str]]) -> list[bool]:
        """Say which objects are durably held (storage commitment).

        Parameters
        ----------
        references : sequence of (str, str)
            SOP class UID and SOP instance UID.

        Returns
        -------
        list of bool
            In their order.
        """
        ...
