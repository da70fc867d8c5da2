"""What an index needs to know of a DICOM file: the attributes one may ask for, and what its data set is.

::

    file ─► index_facts ─► IndexFacts ─► a row of the archive's index, the answer to a query

One table, `INDEXED`, says which attributes are kept at which level; the columns of the index and the answers to queries
both come from it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from bonescan.dicom.headers import texts
from bonescan.dicom.node.shelf import Level
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import UnreadableInput

__all__ = ["INDEXED", "UNIQUE_KEYS", "IndexFacts", "index_facts", "is_uid"]

INDEXED: Mapping[Level, tuple[str, ...]] = MappingProxyType(
    {
        Level.PATIENT: ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate", "PatientSex"),
        Level.STUDY: (
            "StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "StudyDescription",
            "ReferringPhysicianName",
        ),
        Level.SERIES: (
            "SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "SeriesDate", "SeriesTime",
            "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "StationName",
        ),
        Level.IMAGE: (
            "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ImageType", "NumberOfFrames", "Rows", "Columns",
            "BitsAllocated", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime",
        ),
    }
)  # fmt: skip
"""Keywords of the index by level; those of a patient are kept with the study."""

UNIQUE_KEYS: Mapping[Level, str] = MappingProxyType(
    {
        Level.PATIENT: "PatientID",
        Level.STUDY: "StudyInstanceUID",
        Level.SERIES: "SeriesInstanceUID",
        Level.IMAGE: "SOPInstanceUID",
    }
)
"""The key that names one entity of a level (PS3.4 C.6)."""

_LONGEST_VALUE = 1024
_PREAMBLE_BYTES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFacts:
    """What the index keeps of one object.

    Parameters
    ----------
    attributes : mapping of str to str
        Every keyword of `INDEXED`; several values with a backslash between, empty where the file does not say.
    transfer_syntax_uid : str
    source_ae : str
        Who sent it, where the file says so (0002,0016); or empty.
    data_set_sha256 : str
        Digest of transfer syntax and data set without the file meta information, which every sender writes anew: two
        files of the same digest hold the same object.
    """

    attributes: Mapping[str, str]
    transfer_syntax_uid: str
    source_ae: str
    data_set_sha256: str


def is_uid(words: str) -> bool:
    """Whether text is a DICOM UID: 1 to 64 digits and dots.

    Leading zeros, which some vendors write, are let pass.

    Parameters
    ----------
    words : str

    Returns
    -------
    bool
    """
    return 0 < len(words) <= 64 and words.isascii() and all(part.isdigit() for part in words.split("."))


def index_facts(path: Path) -> IndexFacts:
    """Read what an index needs to know of a DICOM Part 10 file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    IndexFacts

    Raises
    ------
    UnreadableInput
        When it is no Part 10 file, or names no study, series, object or class.
    """
    from pydicom import dcmread

    keep_quiet()
    keywords = [keyword for names in INDEXED.values() for keyword in names]
    try:
        dataset = dcmread(path, stop_before_pixels=True, specific_tags=[*keywords, "SpecificCharacterSet"])
    except OSError:
        raise
    except Exception as error:  # whatever a damaged header makes the parser raise
        raise UnreadableInput("The bytes are no DICOM file that can be decoded; send the object again.") from error
    attributes = {keyword: _storable("\\".join(texts(dataset, keyword))) for keyword in keywords}
    for keyword in (*UNIQUE_KEYS.values(), "SOPClassUID"):
        if keyword != "PatientID" and not is_uid(attributes[keyword]):
            raise UnreadableInput(f"The object has no valid {keyword}; the archive files objects by it.", got=keyword)
    for keyword in keywords:
        if keyword.endswith("Date"):
            attributes[keyword] = attributes[keyword].replace(".", "").replace("-", "")
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "")) if hasattr(dataset, "file_meta") else ""
    if not is_uid(syntax):
        raise UnreadableInput("The file names no transfer syntax, so nobody could decode it; send the object again.")
    source = str(dataset.file_meta.get("SourceApplicationEntityTitle", "") or "").strip()
    return IndexFacts(
        attributes=MappingProxyType(attributes),
        transfer_syntax_uid=syntax,
        source_ae=source,
        data_set_sha256=_data_set_digest(path, syntax),
    )


def _storable(words: str) -> str:
    """Text that every database takes, of bounded length."""
    return words[:_LONGEST_VALUE].encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _data_set_digest(path: Path, syntax: str) -> str:
    digest = hashlib.sha256(syntax.encode())
    with path.open("rb") as file:
        file.seek(_after_meta(file.read(_PREAMBLE_BYTES + 16)))
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _after_meta(head: bytes) -> int:
    """Where the data set begins: after the meta group, whose length its first element tells; else at the file's start.

    PS3.10 7.1: ``DICM``, then (0002,0000) UL of 4 bytes, explicit little endian.
    """
    start = _PREAMBLE_BYTES + 4
    if head[_PREAMBLE_BYTES:start] != b"DICM" or head[start : start + 8] != b"\x02\x00\x00\x00UL\x04\x00":
        return 0
    (length,) = struct.unpack("<I", head[start + 8 : start + 12])
    return int(start + 12 + length)
