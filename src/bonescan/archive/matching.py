r"""Answers to DICOM queries: single values, wildcards, ranges and lists of PS3.4 C.2.2.2 held against the index.

The database narrows the rows to a superset, then `fits` decides on each, so both databases give the same answers:

==================  =======================================================================================
asked               found
==================  =======================================================================================
empty, ``*``        anything
``NM\CT``           any of them (also for UIDs, and for ModalitiesInStudy)
``Sm?th^J*``        wildcards, except in UIDs, dates and times
``20260101-``       dates and times from, to, between; a time to the hour or minute means all of it
names               without regard to case and trailing ``^``; every component group may fit
==================  =======================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from bonescan.archive.tables import instance, series, study
from bonescan.dicom.indexing import INDEXED
from bonescan.dicom.node.shelf import Level

__all__ = ["find", "fits"]

_MOST_CHOICES = 200  # a database takes no condition of any depth
_NAMES = {"PatientName", "ReferringPhysicianName"}
_UNSAFE = re.compile(r"[^0-9A-Za-z.,:;=+/ \-]+")
_ORDER = (Level.PATIENT, Level.STUDY, Level.SERIES, Level.IMAGE)


def fits(keyword: str, wanted: str, value: str) -> bool:
    r"""Whether an attribute's value is what a query asks for.

    Parameters
    ----------
    keyword : str
        It decides how: a name, a UID, a date, a time or plain text.
    wanted : str
        The query's value.
    value : str
        The index's; several with a backslash between.

    Returns
    -------
    bool

    Examples
    --------
    >>> fits("StudyDate", "20260101-20261231", "20260704"), fits("PatientName", "doe^j*", "Doe^Jane^^")
    (True, True)
    """
    wanted = wanted.strip(" \0")
    if wanted in ("", "*"):
        return True
    return any(_fits_one(keyword, one.strip(" \0"), part) for one in wanted.split("\\") for part in value.split("\\"))


def find(connection: Connection, level: Level, keys: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Answer a query.

    Parameters
    ----------
    connection : Connection
    level : Level
    keys : mapping of str to str
        As for `bonescan.dicom.node.shelf.Shelf.match`.

    Yields
    ------
    dict of str to str
        Everything that is indexed at this level and above, and the counts that PS3.4 C.3.4 names.
    """
    keys = {keyword: wanted for keyword, wanted in keys.items() if wanted.strip(" \0") not in ("", "*")}
    if level is Level.PATIENT:
        yield from _patients(connection, keys)
        return
    for row in connection.execute(_statement(level, keys)).mappings():
        found = {keyword: str(value) for keyword, value in row.items()}
        found["ModalitiesInStudy"] = "\\".join(sorted(set(found["ModalitiesInStudy"].split("\\"))))
        if all(fits(keyword, wanted, found[keyword]) for keyword, wanted in keys.items() if keyword in found):
            yield found


def _patients(connection: Connection, keys: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Patients are those of the studies: the newest study says who they are."""
    newest: dict[tuple[str, str], dict[str, str]] = {}
    totals: dict[tuple[str, str], list[int]] = {}
    asked = {keyword: wanted for keyword, wanted in keys.items() if keyword in INDEXED[Level.PATIENT]}
    for row in find(connection, Level.STUDY, asked):
        person = row["PatientID"], row["IssuerOfPatientID"]
        counts = totals.setdefault(person, [0, 0, 0])
        related = ("1", row["NumberOfStudyRelatedSeries"], row["NumberOfStudyRelatedInstances"])
        for place, count in enumerate(related):
            counts[place] += int(count)
        if person not in newest or row["StudyDate"] > newest[person]["StudyDate"]:
            newest[person] = row
    for person, row in newest.items():
        counted = zip(("Studies", "Series", "Instances"), totals[person], strict=True)
        yield {keyword: row[keyword] for keyword in INDEXED[Level.PATIENT]} | {
            f"NumberOfPatientRelated{what}": str(count) for what, count in counted
        }


def _statement(level: Level, keys: Mapping[str, str]) -> Select[Any]:
    levels = _ORDER[: _ORDER.index(level) + 1]
    homes = {Level.PATIENT: study, Level.STUDY: study, Level.SERIES: series, Level.IMAGE: instance}
    columns = {keyword: homes[one].c[keyword] for one in levels for keyword in INDEXED[one]}
    uid = study.c.StudyInstanceUID
    sisters, images = series.alias(), instance.alias()
    counted: dict[str, ColumnElement[Any]] = {
        "NumberOfStudyRelatedSeries": _count(sisters.c.StudyInstanceUID == uid),
        "NumberOfStudyRelatedInstances": _count(images.c.StudyInstanceUID == uid),
        "ModalitiesInStudy": _modalities(uid),
    }
    source = study
    if level in (Level.SERIES, Level.IMAGE):
        source = source.join(series, series.c.StudyInstanceUID == uid)  # type: ignore[assignment]
        counted["NumberOfSeriesRelatedInstances"] = _count(
            and_(images.c.StudyInstanceUID == uid, images.c.SeriesInstanceUID == series.c.SeriesInstanceUID)
        )
    if level is Level.IMAGE:
        source = source.join(  # type: ignore[assignment]
            instance,
            and_(
                instance.c.StudyInstanceUID == uid,
                instance.c.SeriesInstanceUID == series.c.SeriesInstanceUID,
            ),
        )
        columns["AvailableTransferSyntaxUID"] = instance.c.transfer_syntax_uid
    selected = [column.label(keyword) for keyword, column in {**columns, **counted}.items()]
    narrowed = [_narrowed(keyword, wanted, columns[keyword]) for keyword, wanted in keys.items() if keyword in columns]
    order = [
        columns[keyword] for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")[: len(levels) - 1]
    ]
    return select(*selected).select_from(source).where(*narrowed).order_by(*order)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return select(func.count()).where(condition).correlate(study, series).scalar_subquery()


def _modalities(uid: ColumnElement[str]) -> ColumnElement[str]:
    other = series.alias()
    joined = func.aggregate_strings(other.c.Modality, "\\")
    return func.coalesce(select(joined).where(other.c.StudyInstanceUID == uid).correlate(study).scalar_subquery(), "")


def _narrowed(keyword: str, wanted: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    """A condition that lets pass every row that fits, and few others."""
    asked = list(dict.fromkeys(one.strip(" \0") for one in wanted.split("\\")))
    if {"", "*"} & set(asked):
        return column.is_not(None)
    if keyword.endswith("UID"):
        return column.in_(asked)
    if len(asked) > _MOST_CHOICES:
        return column.is_not(None)
    choices = []
    for one in asked:
        if keyword.endswith("Date"):
            low, high = _bounds(one)
            choices.append(and_(column >= low, column <= high + "99999999"))
        elif keyword.endswith("Time"):
            return column.is_not(None)
        else:
            # What SQL and DICOM, or two databases, may see differently is left to `fits`.
            pattern = _UNSAFE.sub("%", one.lower() if one.isascii() else "*").replace("_", "%")
            choices.append(func.lower(column).like(f"%{pattern}%"))
    return or_(*choices)


def _fits_one(keyword: str, wanted: str, value: str) -> bool:
    if wanted in ("", "*"):
        return True
    if keyword.endswith("UID"):
        return wanted == value
    if keyword.endswith("Date"):
        low, high = _bounds(wanted)
        return bool(value) and low <= value and (not high or value <= high)
    if keyword.endswith("Time"):
        low, high = _bounds(wanted.replace(":", ""))
        value = _digits(value.replace(":", ""), "0")
        return bool(value) and _digits(low, "0") <= value and (not high or value <= _digits(high, "9"))
    if keyword in _NAMES:
        groups = [value, *value.split("=")]
        return any(_like(_plain_name(wanted), _plain_name(group)) for group in groups)
    return _like(wanted, value)


def _bounds(wanted: str) -> tuple[str, str]:
    """From and to of a range; the same twice for a single value, an empty end for an open one."""
    low, dash, high = wanted.partition("-")
    return (low.strip(), high.strip()) if dash else (wanted, wanted)


def _digits(clock: str, filling: str) -> str:
    """A time of day as HHMMSSFFFFFF, the part that is not said filled up; empty stays empty."""
    return clock.replace(".", "").ljust(12, filling) if clock else ""


def _plain_name(name: str) -> str:
    return "=".join(group.strip().rstrip("^").rstrip() for group in name.split("=")).rstrip("=").casefold()


def _like(wanted: str, value: str) -> bool:
    """Whether text fits wildcards, in time len(wanted) * len(value) at most.

    A regular expression of many stars tries every way to share the text among them, and holds up the whole process.
    Here each star takes as little as it can, and only the last one is ever widened: what an earlier one would give up,
    the last can take.
    """
    sign = at = widened = 0
    star = -1
    while at < len(value):
        if sign < len(wanted) and wanted[sign] == "*":
            star, widened = sign, at
            sign += 1
        elif sign < len(wanted) and wanted[sign] in ("?", value[at]):
            sign, at = sign + 1, at + 1
        elif star >= 0:
            widened += 1
            sign, at = star + 1, widened
        else:
            return False
    return not wanted[sign:].strip("*")
