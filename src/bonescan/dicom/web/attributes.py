"""Attributes as DICOM JSON (PS3.18 annex F): of a query's answer, and of a whole object with its bulk data by address.

A file is never in memory as a whole: what is long, and the pixel data whatever their length, is not read but named by
an address, from which `bulk_data` gives it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag

from bonescan.dicom.node.shelf import StoredObject
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import InvalidValue, UnreadableInput

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

__all__ = [
    "DEFLATED",
    "PIXEL_DATA",
    "BulkData",
    "Header",
    "attribute",
    "bulk_data",
    "header_of",
    "names_of",
    "object_json",
    "record",
]

DEFLATED = "1.2.840.10008.1.2.1.99"
"""It unpacks to a thousand times its size: such an object is given out whole, and never looked into."""

PIXEL_DATA = 0x7FE00010
_PIXELS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_SHORT_BYTES = 1024
_LONGEST_HEADER_BYTES = 64 * 2**20
_DEFERRED_BYTES = 64 * 2**10
_UNDEFINED = 0xFFFFFFFF
_WHOLE_NUMBERS = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_NUMBERS = frozenset({"DS", "FD", "FL"})
_ONE_VALUE = frozenset({"LT", "ST", "UR", "UT"})
_NAME_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkData:
    """Where a value lies in a file.

    Parameters
    ----------
    offset, length : int
        In bytes.
    """

    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """An object up to its pixel data.

    Parameters
    ----------
    dataset : pydicom.FileDataset
        Long values are not read yet.
    pixels : tuple of (int, str, BulkData) or None
        Tag, VR and place of the pixel data; a length of 0xFFFFFFFF where they are in fragments.
    """

    dataset: FileDataset
    pixels: tuple[int, str, BulkData] | None


def attribute(keyword: str, value: str | int | Sequence[str | int | Mapping[str, Any]]) -> dict[str, Any]:
    r"""Say one attribute.

    Parameters
    ----------
    keyword : str
        Of the data dictionary.
    value : str, int or sequence
        As the index keeps it, several with a backslash between; or a sequence's items.

    Returns
    -------
    dict
        What stands under the attribute's tag; without a value where there is none, or none of its kind.

    Examples
    --------
    >>> attribute("PatientName", "Doe^Jane"), attribute("Rows", "ten")
    ({'vr': 'PN', 'Value': [{'Alphabetic': 'Doe^Jane'}]}, {'vr': 'US'})
    """
    vr = dictionary_VR(keyword)
    if isinstance(value, str):
        values: list[Any] = [value] if vr in _ONE_VALUE else value.split("\\")
    else:
        values = [value] if isinstance(value, int) else list(value)
    said = [_said(vr, one) for one in values]
    return {"vr": vr, "Value": said} if any(one is not None for one in said) else {"vr": vr}


def record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Say several attributes, in the order of their tags.

    Parameters
    ----------
    values : mapping of str to str, int or sequence
        By keyword.

    Returns
    -------
    dict
        By tag, eight hexadecimal digits.
    """
    tags = {f"{tag_for_keyword(keyword):08X}": keyword for keyword in values}
    return {tag: attribute(tags[tag], values[tags[tag]]) for tag in sorted(tags)}


def header_of(path: Path, transfer_syntax_uid: str) -> Header:
    """Read an object up to its pixel data.

    Parameters
    ----------
    path : Path
        A Part 10 file.
    transfer_syntax_uid : str
        As it was received.

    Returns
    -------
    Header

    Raises
    ------
    InvalidValue
        For a deflated object.
    UnreadableInput
        For a damaged one, or a header above 64 MiB.
    """
    if transfer_syntax_uid == DEFLATED:
        raise InvalidValue("The object is deflated: it is given out whole, and not in parts.")
    keep_quiet()
    found: list[tuple[int, str, BulkData]] = []
    with path.open("rb") as file:
        bounded = _Bounded(file)

        def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
            if tag not in _PIXELS:
                return False
            found.append((int(tag), vr or "OW", BulkData(offset=file.tell(), length=length)))
            return True

        try:
            dataset = read_partial(bounded, at_pixels, defer_size=_DEFERRED_BYTES)  # type: ignore[arg-type]
        except (OSError, UnreadableInput):
            raise
        except Exception as error:  # whatever a damaged header makes the parser raise
            raise UnreadableInput("The object's header is damaged.") from error
    return Header(dataset=dataset, pixels=found[-1] if found else None)


def object_json(path: Path, transfer_syntax_uid: str, address: str) -> str:
    """Say all attributes of an object, but those of its file.

    Parameters
    ----------
    path : Path
    transfer_syntax_uid : str
    address : str
        Where the object itself is had; its bulk data lie below.

    Returns
    -------
    str
        One JSON object, in ASCII. A value that cannot be said is left out.

    Raises
    ------
    InvalidValue, UnreadableInput
        As `header_of`.
    """
    header = header_of(path, transfer_syntax_uid)
    said = []
    for tag in sorted(header.dataset.keys()):
        if words := _element(header.dataset, tag, path, address):
            said.append(words)
    if header.pixels is not None:
        tag_of, vr, _ = header.pixels
        said.append(_by_address(tag_of, vr, address))
    return "{" + ",".join(said) + "}"


def names_of(one: StoredObject) -> dict[str, Any]:
    """Say of an object no more than who it is, as DICOM JSON.

    Parameters
    ----------
    one : StoredObject

    Returns
    -------
    dict
    """
    return record(
        {
            "SOPClassUID": one.sop_class_uid,
            "SOPInstanceUID": one.sop_instance_uid,
            "StudyInstanceUID": one.study_instance_uid,
            "SeriesInstanceUID": one.series_instance_uid,
        }
    )


def bulk_data(path: Path, transfer_syntax_uid: str, tag: int) -> BulkData:
    """Find the value of an attribute in its file.

    Parameters
    ----------
    path : Path
    transfer_syntax_uid : str
    tag : int
        Of the object itself, not of a sequence within.

    Returns
    -------
    BulkData
        As it lies in the file; a length of 0xFFFFFFFF where the pixel data are in fragments.

    Raises
    ------
    InvalidValue
        When the object has no such attribute, or it is one without bulk data.
    UnreadableInput
        As `header_of`.
    """
    header = header_of(path, transfer_syntax_uid)
    if header.pixels is not None and header.pixels[0] == tag:
        return header.pixels[2]
    if tag in header.dataset:
        raw = header.dataset.get_item(BaseTag(tag), keep_deferred=True)
        if isinstance(raw, RawDataElement) and raw.VR != "SQ" and raw.length not in (0, _UNDEFINED):
            return BulkData(offset=raw.value_tell, length=raw.length)
    raise InvalidValue("The object has no bulk data under this tag.")


class _Bounded:
    """A file of which no more than the limit is read: a header is small, whatever its lengths say."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, _LONGEST_HEADER_BYTES
        self.name = file.name

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableInput(f"The object's header is above {_LONGEST_HEADER_BYTES >> 20} MiB; fetch it whole.")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()


def _element(dataset: FileDataset, tag: BaseTag, path: Path, address: str) -> str:
    raw = dataset.get_item(tag, keep_deferred=True)
    if isinstance(raw, RawDataElement) and raw.length > _SHORT_BYTES:
        vr = raw.VR or _known_vr(tag)
        deferred = raw.value is None
        if vr in _BULK or (deferred and vr != "SQ"):
            return _by_address(int(tag), vr, address)
        if deferred and raw.length > _LONGEST_HEADER_BYTES:
            return ""
        if deferred:
            with path.open("rb") as file:  # a long sequence
                file.seek(raw.value_tell)
                dataset[tag] = raw._replace(value=file.read(raw.length))
    told = _plain(dataset, tag)
    return "" if told is None else f'"{int(tag):08X}":{json.dumps(told)}'


def _plain(dataset: Dataset, tag: BaseTag) -> dict[str, Any] | None:
    """Say one element, binary values inline; ``None`` where its value is none of its kind."""
    try:
        element = dataset[tag]
        if element.VR != "SQ":
            told = element.to_json_dict(None, _LONGEST_HEADER_BYTES)
            json.dumps(told, allow_nan=False)
            return told
        items = [{one: _plain(item, one) for one in sorted(item.keys())} for item in element.value]
        said = [{f"{int(one):08X}": told for one, told in item.items() if told is not None} for item in items]
        return {"vr": "SQ", "Value": said} if said else {"vr": "SQ"}
    except Exception:  # whatever a damaged value makes the parser raise
        return None


def _known_vr(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag).split(" ")[-1]
    except KeyError:
        return "UN"


def _by_address(tag: int, vr: str, address: str) -> str:
    return f'"{tag:08X}":{json.dumps({"vr": vr, "BulkDataURI": f"{address}/bulkdata/{tag:08X}"})}'


def _said(vr: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, int):
        return value
    words = str(value)
    if not words:
        return None
    if vr == "PN":
        return {name: group for name, group in zip(_NAME_GROUPS, words.split("="), strict=False) if group}
    if vr not in _WHOLE_NUMBERS | _NUMBERS:
        return words
    try:
        number = int(words) if vr in _WHOLE_NUMBERS else float(words)
        return number if abs(number) < 2**53 else None  # nor is "nan" below it
    except (ValueError, OverflowError):
        return None
