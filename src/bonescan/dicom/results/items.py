"""Content items of a structured report, written and read: text, codes, numbers, containers, regions, references.

The items of PS3.3 C.17.3, as far as a reading needs them. Floating-point values are kept in full beside the decimal
string.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

from bonescan.dicom.modules import decimal
from bonescan.dicom.results.codes import Code, ucum
from bonescan.dicom.results.heading import reference_item
from bonescan.dicom.results.sources import SourceFrame
from bonescan.errors import UnreadableInput

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "CONTAINS",
    "MODIFIES",
    "PROPERTIES",
    "code_of",
    "coded",
    "container",
    "day",
    "day_of",
    "image",
    "moment",
    "moment_of",
    "named",
    "number",
    "number_of",
    "only",
    "region",
    "region_of",
    "text",
    "text_of",
    "uid_reference",
]

_WRITTEN_ZONE = timezone(timedelta(hours=1))
CONTAINS, PROPERTIES, MODIFIES = "CONTAINS", "HAS PROPERTIES", "HAS CONCEPT MOD"


def _item(kind: str, name: Code | None, relation: str | None, parts: Sequence[Dataset] = ()) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    if relation is not None:
        item.RelationshipType = relation
    item.ValueType = kind
    if name is not None:
        item.ConceptNameCodeSequence = [name.item()]
    if parts:
        item.ContentSequence = list(parts)
    return item


def container(
    name: Code, parts: Sequence[Dataset], *, template: str | None = None, relation: str | None = CONTAINS
) -> Dataset:
    """A heading and what stands under it.

    Parameters
    ----------
    name : Code
    parts : sequence of pydicom.Dataset
    template : str or None
        Number of the template of PS3.16 that it follows.
    relation : str or None
        To the item it stands in; ``None`` for the root.

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom.dataset import Dataset

    item = _item("CONTAINER", name, relation, parts)
    item.ContinuityOfContent = "SEPARATE"
    if template is not None:
        followed = Dataset()
        followed.MappingResource, followed.TemplateIdentifier = "DCMR", template
        item.ContentTemplateSequence = [followed]
    return item


def text(name: Code, words: str, relation: str = CONTAINS, parts: Sequence[Dataset] = ()) -> Dataset:
    """Words.

    Parameters
    ----------
    name : Code
    words : str
        Not empty.
    relation : str
    parts : sequence of pydicom.Dataset
        Their properties.

    Returns
    -------
    pydicom.Dataset
    """
    item = _item("TEXT", name, relation, parts)
    item.TextValue = words
    return item


def coded(name: Code, value: Code, relation: str = CONTAINS, parts: Sequence[Dataset] = ()) -> Dataset:
    """A coded answer.

    Parameters
    ----------
    name, value : Code
    relation : str
    parts : sequence of pydicom.Dataset
        What modifies it.

    Returns
    -------
    pydicom.Dataset
    """
    item = _item("CODE", name, relation, parts)
    item.ConceptCodeSequence = [value.item()]
    return item


def number(name: Code, value: float, unit: str, relation: str = CONTAINS, parts: Sequence[Dataset] = ()) -> Dataset:
    """A number with its unit.

    Parameters
    ----------
    name : Code
    value : float
    unit : str
        UCUM.
    relation : str
    parts : sequence of pydicom.Dataset
        Its properties.

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom.dataset import Dataset

    item = _item("NUM", name, relation, parts)
    measured = Dataset()
    measured.NumericValue, measured.FloatingPointValue = decimal(value), float(value)
    measured.MeasurementUnitsCodeSequence = [ucum(unit).item()]
    item.MeasuredValueSequence = [measured]
    return item


def day(name: Code, when: date) -> Dataset:
    """A date.

    Parameters
    ----------
    name : Code
    when : date

    Returns
    -------
    pydicom.Dataset
    """
    item = _item("DATE", name, CONTAINS)
    item.Date = f"{when:%Y%m%d}"
    return item


def moment(name: Code, when: datetime) -> Dataset:
    """A date with time, and its zone where it has one.

    Parameters
    ----------
    name : Code
    when : datetime

    Returns
    -------
    pydicom.Dataset
        A moment of a known zone as the clock of +0100 shows it: dcmtk 3.6.7 takes a report with +0000 for damaged.
    """
    item = _item("DATETIME", name, CONTAINS)
    shown = when if when.tzinfo is None else when.astimezone(_WRITTEN_ZONE)
    item.DateTime = shown.strftime(f"%Y%m%d%H%M%S{'.%f' if when.microsecond else ''}%z")
    return item


def uid_reference(name: Code, value: str, relation: str = CONTAINS) -> Dataset:
    """A UID.

    Parameters
    ----------
    name : Code
    value : str
    relation : str

    Returns
    -------
    pydicom.Dataset
    """
    item = _item("UIDREF", name, relation)
    item.UID = value
    return item


def image(
    name: Code | None,
    referenced: Dataset,
    relation: str = CONTAINS,
    *,
    kind: str = "IMAGE",
    parts: Sequence[Dataset] = (),
) -> Dataset:
    """A reference to an image, a frame of it, or (``kind="COMPOSITE"``) any other object.

    Parameters
    ----------
    name : Code or None
    referenced : pydicom.Dataset
        Item with class and instance.
    relation : str
    kind : str
    parts : sequence of pydicom.Dataset

    Returns
    -------
    pydicom.Dataset
    """
    item = _item(kind, name, relation, parts)
    item.ReferencedSOPSequence = [referenced]
    return item


def region(name: Code, points: Iterable[tuple[float, float]], frame: SourceFrame, *, closed: bool) -> Dataset:
    """A polygon or a point on a frame.

    Parameters
    ----------
    name : Code
    points : iterable of (row, column)
        On the scan's view, pixel centres at whole numbers.
    frame : SourceFrame
    closed : bool
        A polygon; else a single point.

    Returns
    -------
    pydicom.Dataset
        SCOORD in 32-bit floats, as the standard has it.
    """
    item = _item("SCOORD", name, CONTAINS)
    placed = [frame.place(row, column) for row, column in points]
    if closed:
        placed.append(placed[0])
    item.GraphicType = "POLYLINE" if closed else "POINT"
    item.GraphicData = [float(np.float32(part)) for point in placed for part in point]
    item.ContentSequence = [image(None, reference_item(frame), "SELECTED FROM")]
    return item


def named(items: Iterable[Dataset], name: Code) -> list[Dataset]:
    """The items of a name.

    Parameters
    ----------
    items : iterable of pydicom.Dataset
    name : Code

    Returns
    -------
    list of pydicom.Dataset
    """
    return [item for item in items if _code(item.get("ConceptNameCodeSequence")) == (name.value, name.scheme)]


def only(items: Iterable[Dataset], name: Code) -> Dataset:
    """The one item of a name.

    Parameters
    ----------
    items : iterable of pydicom.Dataset
    name : Code

    Returns
    -------
    pydicom.Dataset

    Raises
    ------
    UnreadableInput
        Where there is none.
    """
    found = named(items, name)
    if not found:
        raise UnreadableInput(f"The structured report has no {name.meaning!r}: it is not one that bonescan wrote.")
    return found[0]


def text_of(item: Dataset) -> str:
    """The words of a text item.

    Parameters
    ----------
    item : pydicom.Dataset

    Returns
    -------
    str
    """
    return str(item.TextValue)


def day_of(item: Dataset) -> date:
    """The date of a date item.

    Parameters
    ----------
    item : pydicom.Dataset

    Returns
    -------
    date
    """
    return datetime.strptime(str(item.Date), "%Y%m%d").date()


def moment_of(item: Dataset) -> datetime:
    """The moment of a datetime item.

    Parameters
    ----------
    item : pydicom.Dataset

    Returns
    -------
    datetime
        In UTC, where it tells a zone.
    """
    said = str(item.DateTime)
    fraction, zone = ".%f" if "." in said else "", "%z" if set("+-") & set(said) else ""
    found = datetime.strptime(said, f"%Y%m%d%H%M%S{fraction}{zone}")
    return found.astimezone(UTC) if zone else found


def code_of(item: Dataset) -> tuple[str, str]:
    """Value and scheme of a coded answer.

    Parameters
    ----------
    item : pydicom.Dataset

    Returns
    -------
    tuple of (str, str)
    """
    return _code(item.ConceptCodeSequence)


def number_of(item: Dataset) -> tuple[float, str]:
    """Value and unit of a number.

    Parameters
    ----------
    item : pydicom.Dataset

    Returns
    -------
    tuple of (float, str)
    """
    measured = item.MeasuredValueSequence[0]
    return float(measured.FloatingPointValue), _code(measured.MeasurementUnitsCodeSequence)[0]


def region_of(item: Dataset, shape: tuple[int, int], *, turned: bool) -> tuple[tuple[float, float], ...]:
    """The points of a region.

    Parameters
    ----------
    item : pydicom.Dataset
    shape : (rows, columns)
        Of the frame.
    turned : bool
        Whether the frame lies feet first.

    Returns
    -------
    tuple of (row, column)
        On the scan's view; of a polygon without the repeated last one.
    """
    flat = list(item.GraphicData)
    points = [(row - 0.5, column - 0.5) for column, row in zip(flat[::2], flat[1::2], strict=True)]
    if item.GraphicType != "POINT":
        points = points[:-1]
    if turned:
        points = [(shape[0] - 1 - row, shape[1] - 1 - column) for row, column in points]
    return tuple(points)


def _code(sequence: Sequence[Dataset] | None) -> tuple[str, str]:
    if not sequence:
        return "", ""
    first = sequence[0]
    return str(first.get("CodeValue") or first.get("LongCodeValue") or ""), str(first.CodingSchemeDesignator)
