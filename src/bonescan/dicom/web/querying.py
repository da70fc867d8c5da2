"""QIDO-RS: the parameters of an address become a query as C-FIND asks it, and its matches DICOM JSON.

What is matched, and how, is the archive's (`bonescan.archive.matching`), so that both ways of asking give the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from bonescan.dicom.indexing import INDEXED
from bonescan.dicom.node.shelf import Level
from bonescan.dicom.web.attributes import record
from bonescan.errors import InvalidValue

__all__ = ["MOST_MATCHES", "Query", "answer", "read_query"]

MOST_MATCHES = 1000
"""As many as one answer holds."""

_COUNTED: Mapping[Level, tuple[str, ...]] = MappingProxyType(
    {
        Level.PATIENT: (),
        Level.STUDY: ("ModalitiesInStudy", "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
        Level.SERIES: ("NumberOfSeriesRelatedInstances",),
        Level.IMAGE: ("AvailableTransferSyntaxUID",),
    }
)
_ORDER = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_MOST_PARAMETERS, _LONGEST_PARAMETER = 64, 4096
_LONGEST_MATCHED = 1024  # [D] of one attribute but UIDs; wildcards are held against every row
_FURTHEST = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked.

    Parameters
    ----------
    level : Level
    keys : mapping of str to str
        As `bonescan.dicom.node.shelf.Shelf.match` takes them.
    returned : tuple of str
        Keywords that are told of each match.
    limit, offset : int
    warnings : tuple of str
        What was not done as asked.
    """

    level: Level
    keys: Mapping[str, str]
    returned: tuple[str, ...]
    limit: int = MOST_MATCHES
    offset: int = 0
    warnings: tuple[str, ...] = field(default=())


def read_query(level: Level, parameters: Iterable[tuple[str, str]], within: Mapping[str, str]) -> Query:
    """Understand the parameters of an address.

    Parameters
    ----------
    level : Level
    parameters : iterable of (str, str)
        Decoded, as they stand in the address.
    within : mapping of str to str
        Unique keys that the address itself names.

    Returns
    -------
    Query

    Raises
    ------
    InvalidValue
        For a name that is no attribute, and a number that is none.
    """
    levels = _ORDER[: _ORDER.index(level) + 1]
    known = {keyword for one in levels for keyword in (*INDEXED[one], *_COUNTED[one])}
    keys: dict[str, str] = {}
    numbers = {"limit": MOST_MATCHES, "offset": 0}
    wanted: set[str] = set()
    warnings = []
    asked = list(parameters)
    if len(asked) > _MOST_PARAMETERS:
        raise InvalidValue(f"A query may have {_MOST_PARAMETERS} parameters.")
    for name, value in asked:
        if len(value) > _LONGEST_PARAMETER:
            raise InvalidValue(f"A parameter may have {_LONGEST_PARAMETER} characters.")
        if name in numbers:
            numbers[name] = _number(name, value)
        elif name == "fuzzymatching":
            if value.lower() == "true":
                warnings.append(
                    "The fuzzymatching parameter is not supported. Only literal matching has been performed."
                )
        elif name == "includefield":
            wanted |= _fields(value, known)
        else:
            keyword = _keyword(name)
            if keyword not in known:
                warnings.append(f"{name.partition('.')[0]} is not matched at this level; it restricts nothing.")
                continue
            several = keyword.endswith("UID") and "," in value
            given = value.replace(",", "\\") if several else value
            keys[keyword] = f"{keys[keyword]}\\{given}" if keyword in keys else given
    for keyword, value in keys.items():
        if not keyword.endswith("UID") and len(value) > _LONGEST_MATCHED:
            raise InvalidValue(f"The values of one attribute may have {_LONGEST_MATCHED} characters together.")
    for keyword, uid in within.items():
        if keys.get(keyword) and uid not in keys[keyword].split("\\"):
            numbers["limit"] = 0  # the address and the query contradict each other
        keys[keyword] = uid
    own = [one for one in levels if not _is_fixed(one, within) or one is level]
    told = {keyword for one in own for keyword in (*INDEXED[one], *_COUNTED[one])} | wanted
    told |= {key for key in keys if key in known}
    return Query(
        level=level,
        keys=keys,
        returned=tuple(sorted(told)),
        limit=min(numbers["limit"], MOST_MATCHES),
        offset=numbers["offset"],
        warnings=tuple(warnings),
    )


def answer(query: Query, match: Mapping[str, str], service: str) -> dict[str, Any]:
    """Say one match.

    Parameters
    ----------
    query : Query
    match : mapping of str to str
        What the archive found.
    service : str
        Address of the service, without a slash at its end.

    Returns
    -------
    dict
        One object of DICOM JSON.
    """
    address = f"{service}/studies/{match['StudyInstanceUID']}"
    if query.level in (Level.SERIES, Level.IMAGE):
        address += f"/series/{match['SeriesInstanceUID']}"
    if query.level is Level.IMAGE:
        address += f"/instances/{match['SOPInstanceUID']}"
    values: dict[str, Any] = {keyword: match[keyword] for keyword in query.returned if keyword in match}
    values |= {"RetrieveURL": address, "InstanceAvailability": "ONLINE", "SpecificCharacterSet": "ISO_IR 192"}
    return record(values)


def _is_fixed(level: Level, within: Mapping[str, str]) -> bool:
    fixed = {Level.PATIENT: "StudyInstanceUID", Level.STUDY: "StudyInstanceUID", Level.SERIES: "SeriesInstanceUID"}
    return fixed.get(level, "") in within


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 8 or int(value) > _FURTHEST:
        raise InvalidValue(f"{name} must be a whole number from 0 to {_FURTHEST}.")
    return int(value)


def _fields(value: str, known: set[str]) -> set[str]:
    """Fields that are to be told; those that the index does not have are not."""
    if value == "all":
        return known
    return {keyword for name in value.split(",") if (keyword := _keyword(name)) in known}


def _keyword(name: str) -> str:
    """The keyword of a name or tag; of a path into a sequence its first part."""
    first = name.partition(".")[0]
    keyword = keyword_for_tag(int(first, 16)) if _TAG.fullmatch(first) else first
    tag = tag_for_keyword(keyword) if keyword else None
    if tag is None:
        if _TAG.fullmatch(first):
            return first  # private, or not in this dictionary: it restricts nothing
        raise InvalidValue("A query names attributes by keyword or by a tag of eight hexadecimal digits.")
    return "" if dictionary_VR(tag) == "SQ" else keyword
