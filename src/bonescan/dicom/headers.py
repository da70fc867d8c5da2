"""Facts of a header, read as vendors write it: old dates, zero doses, empty counts.

Every getter answers ``None`` where the file does not say, and never raises:
a damaged attribute is an unknown one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, MutableSequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from bonescan.scan import Device, Injection, PatientFacts, Remark, Severity

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "acquired_at",
    "damaged_number",
    "device",
    "injection",
    "integers",
    "items",
    "number",
    "numbers",
    "patient",
    "private_text",
    "simulated",
    "text",
    "texts",
    "tracer_words",
]

_GENIE_CREATOR = "GEMS_GENIE_1"


def _value(dataset: Dataset, keyword: str) -> object:
    """Return the attribute's value, ``None`` where it is absent, empty or damaged."""
    try:
        return dataset.get(keyword)
    except Exception:  # pydicom converts lazily: a damaged value raises whatever its converter raises
        return None


def _several(value: object) -> list[object]:
    if value is None:
        return []
    # Only these hold several values; a person's name can be iterated too, letter by letter.
    return list(value) if isinstance(value, MutableSequence | tuple) else [value]


def texts(dataset: Dataset, keyword: str) -> list[str]:
    """Return every value as stripped text; empty where the file does not say.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Attribute of the DICOM data dictionary, e.g. ``"ImageType"``.

    Returns
    -------
    list of str
        In the file's order; bytes are read as Latin-1. Empty when every value is blank.
    """
    found = []
    for value in _several(_value(dataset, keyword)):
        words = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        found.append(words.replace("\0", " ").strip())
    return found if any(found) else []


def text(dataset: Dataset, keyword: str) -> str | None:
    """Return the first value as stripped text, or ``None``.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Attribute of the DICOM data dictionary, e.g. ``"Modality"``.

    Returns
    -------
    str or None
        The first value that is not blank.
    """
    return next((words for words in texts(dataset, keyword) if words), None)


def numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return every value as a finite float; empty when any of them is not one.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Attribute of the DICOM data dictionary, e.g. ``"PixelSpacing"``.

    Returns
    -------
    list of float
        In the file's order and the attribute's unit.
    """
    found = []
    for value in _several(_value(dataset, keyword)):
        try:
            parsed = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return []
        if not math.isfinite(parsed):
            return []
        found.append(parsed)
    return found


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value as a finite float, or ``None``.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Attribute of the DICOM data dictionary, e.g. ``"RescaleSlope"``.

    Returns
    -------
    float or None
        In the attribute's unit; ``None`` when any of its values is not a number.
    """
    return next(iter(numbers(dataset, keyword)), None)


def damaged_number(dataset: Dataset, keyword: str) -> bool:
    """Whether the attribute holds something, but not a finite number.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Attribute of the DICOM data dictionary, e.g. ``"RescaleSlope"``.

    Returns
    -------
    bool
        False where the attribute is absent or empty.
    """
    if keyword not in dataset or numbers(dataset, keyword):
        return False
    try:
        written = dataset.get_item(keyword).value  # as stored: not converted yet
    except Exception:  # converted before, and refused
        return True
    return bool(written.strip(b" \0") if isinstance(written, bytes) else written not in (None, "", []))


def integers(dataset: Dataset, keyword: str) -> list[int]:
    """Return every value as an integer; empty when any of them is not one.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Attribute of the DICOM data dictionary, e.g. ``"DetectorVector"``.

    Returns
    -------
    list of int
        In the file's order; ``2.0`` counts as 2, ``2.5`` as damage.
    """
    found = numbers(dataset, keyword)
    return [int(value) for value in found] if all(value == int(value) for value in found) else []


def items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; empty where it is absent or damaged.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    keyword : str
        Sequence of the DICOM data dictionary, e.g. ``"DetectorInformationSequence"``.

    Returns
    -------
    list of pydicom.Dataset
        In the file's order.
    """
    from pydicom.dataset import Dataset

    return [item for item in _several(_value(dataset, keyword)) if isinstance(item, Dataset)]


def private_text(dataset: Dataset, group: int, element: int, creator: str = _GENIE_CREATOR) -> list[str]:
    """Return the values of a private element of the block that `creator` reserved.

    Parameters
    ----------
    dataset : pydicom.Dataset
        An object or an item of a sequence.
    group : int
        Odd group number, e.g. ``0x0011``.
    element : int
        Last byte of the element number, within the block.
    creator : str
        Text of the private creator element that reserved the block.

    Returns
    -------
    list of str
        Stripped values; empty where block or element is absent or damaged.
    """
    try:
        value = dataset.private_block(group, creator)[element].value
    except Exception:  # absent block, absent element or damaged value: all say nothing
        return []
    words = [v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in _several(value)]
    # Written as UN, the block keeps its backslashes.
    return [part.replace("\0", " ").strip() for word in words for part in word.split("\\")]


def parse_date(words: str | None) -> date | None:
    """Read ``19930824``, ``1993.08.24`` or ``1993-08-24``; ``None`` for the impossible and for years before 1900."""
    match = re.fullmatch(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})", words or "")
    if match is None:
        return None
    try:
        day = date(*map(int, match.groups()))
    except ValueError:
        return None
    return day if day.year >= 1900 else None


def parse_time(words: str | None) -> time | None:
    """Read ``174627.000000``, ``17:46:27`` or ``1746``; ``None`` for the impossible."""
    match = re.fullmatch(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.\d*)?", words or "")
    if match is None:
        return None
    try:
        hour, minute, second = (int(part or 0) for part in match.groups())
        return time(hour, minute, second)
    except ValueError:
        return None


def parse_datetime(words: str | None) -> datetime | None:
    """Read a DICOM DT to the second; its offset from UTC is dropped, for the scan's own clock has none."""
    match = re.fullmatch(r"(\d{8})(\d{2,6})?(?:\.\d*)?(?:[+-]\d{4})?", words or "")
    if match is None:
        return None
    day, clock = parse_date(match.group(1)), parse_time(match.group(2))
    return datetime.combine(day, clock) if day and clock else None


def acquired_at(dataset: Dataset) -> datetime | None:
    """Return when the acquisition began, or failing that the series, the content or the study.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    datetime or None
        In the camera's local time, without a zone; ``None`` where no date has its time.
    """
    whole = parse_datetime(text(dataset, "AcquisitionDateTime"))
    if whole:
        return whole
    for what in ("Acquisition", "Series", "Content", "Study"):
        day, clock = parse_date(text(dataset, f"{what}Date")), parse_time(text(dataset, f"{what}Time"))
        if day and clock:
            return datetime.combine(day, clock)
    return None


def _positive(value: float | None, upper: float) -> float | None:
    return value if value is not None and 0 < value < upper else None


def patient(dataset: Dataset, at: datetime | None) -> PatientFacts:
    """Return what the header says of the person; zeros and year 0 are unknown.

    A stature above 3 can only have been written in centimetres. Age comes from
    the birth date where the file has no usable ``PatientAge``.

    Parameters
    ----------
    dataset : pydicom.Dataset
    at : datetime or None
        When the scan was made, to which age is reckoned from the birth date.

    Returns
    -------
    PatientFacts
        Age in years, stature in m, weight in kg; ``None`` for each fact that is absent or cannot be true.
    """
    born = parse_date(text(dataset, "PatientBirthDate"))
    match = re.fullmatch(r"(\d{1,3})([DWMY])", text(dataset, "PatientAge") or "")
    age = None
    if match and int(match.group(1)) > 0:
        age = int(match.group(1)) / {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}[match.group(2)]
    elif born and at and born <= at.date():
        age = (at.date() - born).days / 365.25
    stature = _positive(number(dataset, "PatientSize"), 300)
    sex = text(dataset, "PatientSex")
    return PatientFacts(
        name=text(dataset, "PatientName"),
        patient_id=text(dataset, "PatientID"),
        birth_date=born,
        sex=sex if sex in ("F", "M", "O") else None,
        age_years=_positive(age, 130),
        stature_m=stature / 100 if stature and stature > 3 else stature,
        weight_kg=_positive(number(dataset, "PatientWeight"), 500),
    )


def device(dataset: Dataset) -> Device:
    """Return which camera it was.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    Device
        Maker, model, software and the first detector's collimator that is named; ``None`` where the file does not say.
    """
    detectors = items(dataset, "DetectorInformationSequence")
    collimators = (text(d, "CollimatorGridName") or text(d, "CollimatorType") for d in detectors)
    return Device(
        manufacturer=text(dataset, "Manufacturer"),
        model=text(dataset, "ManufacturerModelName"),
        software=text(dataset, "SoftwareVersions"),
        collimator=next((name for name in collimators if name), None),
    )


def _administered(dataset: Dataset) -> Iterator[Dataset]:
    yield from items(dataset, "RadiopharmaceuticalInformationSequence")


def _meaning(item: Dataset, keyword: str) -> str | None:
    return next((words for code in items(item, keyword) if (words := text(code, "CodeMeaning"))), None)


def tracer_words(dataset: Dataset) -> str:
    """Return all the file says of tracer and nuclide, as one lower-case line.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    str
        Free text and code meanings of every administered tracer, then one vendor's private name of it, with spaces
        between; empty where the file says nothing.
    """
    words: list[str | None] = [text(dataset, "Radiopharmaceutical")]
    for item in _administered(dataset):
        words += [
            text(item, "Radiopharmaceutical"),
            _meaning(item, "RadiopharmaceuticalCodeSequence"),
            _meaning(item, "RadionuclideCodeSequence"),
        ]
    words += private_text(dataset, 0x0011, 0x0D)
    return " ".join(word for word in words if word).lower()


def simulated(dataset: Dataset) -> list[Remark]:
    """Say so where the file calls itself simulated.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    list of Remark
        One, or none.
    """
    if text(dataset, "SyntheticData") != "YES":
        return []
    return [Remark(code="dicom.simulated", text="The file says that it was simulated: no person was imaged.")]


def injection(dataset: Dataset, at: datetime | None, *, lasts_s: float = 0.0) -> tuple[Injection, list[Remark]]:
    """Return what was injected and when, with remarks on what had to be mended.

    NM objects give the dose in MBq (PS3.3 C.8.4.10.1) and only the time of day of the
    injection; the day is the acquisition's, or the one before when that would
    otherwise put the injection after the scan.

    Parameters
    ----------
    dataset : pydicom.Dataset
    at : datetime or None
        When the acquisition began, in the camera's local time.
    lasts_s : float
        How long it lasted, where the injection may fall into it, as it does when blood flow is imaged.

    Returns
    -------
    injection : Injection
        Activity in MBq at the time of injection; ``None`` for each fact that is absent or cannot be true.
    remarks : list of Remark
        On a unit converted, a time refused, and what is missing.
    """
    remarks: list[Remark] = []
    tracer = nuclide = None
    dose = None
    when = None
    for item in _administered(dataset):
        tracer = tracer or text(item, "Radiopharmaceutical") or _meaning(item, "RadiopharmaceuticalCodeSequence")
        nuclide = nuclide or _meaning(item, "RadionuclideCodeSequence")
        dose = dose or _positive(number(item, "RadionuclideTotalDose"), 1e12)
        when = when or parse_datetime(text(item, "RadiopharmaceuticalStartDateTime"))
        clock = parse_time(text(item, "RadiopharmaceuticalStartTime"))
        if when is None and clock is not None and at is not None:
            when = datetime.combine(at.date(), clock)
            if when > at + timedelta(seconds=lasts_s):
                when -= timedelta(days=1)
    nuclide = nuclide or next(iter(private_text(dataset, 0x0011, 0x0D)), None)
    if dose is not None and dose > 1e5:
        dose /= 1e6
        remarks.append(
            Remark(
                code="dicom.injection.unit",
                text="The administered activity was written in Bq where the standard asks for MBq; it was converted.",
            )
        )
    if when is not None and at is not None and not -lasts_s <= (at - when).total_seconds() <= 36 * 3600:
        remarks.append(
            Remark(
                code="dicom.injection.time",
                text="The injection time in the file does not lie within 36 hours before the scan and was not used.",
                severity=Severity.WARNING,
            )
        )
        when = None
    found = Injection(radiopharmaceutical=tracer, radionuclide=nuclide, activity_mbq=dose, injected_at=when)
    missing = [what for what, value in (("administered activity", dose), ("injection time", when)) if value is None]
    if missing:
        remarks.append(
            Remark(code="dicom.injection.missing", text=f"The file does not give the {' or the '.join(missing)}.")
        )
    return found, remarks
