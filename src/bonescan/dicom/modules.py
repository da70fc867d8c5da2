"""The modules that every nuclear medicine object shares, filled from a scan's facts (PS3.3 A.5).

A fact that is unknown is an empty or an absent attribute, as the standard allows for each, never a guess.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.camera.projections import column_direction
from bonescan.errors import InvalidValue
from bonescan.scan import Device, DynamicScan, Injection, PatientFacts, Scan, TomographicScan

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "AXIS_OF_ROTATION",
    "Filing",
    "Recorded",
    "code",
    "decimal",
    "detector",
    "equipment",
    "isotope",
    "milliseconds",
    "patient",
    "pixels",
    "study",
    "uid",
]

Recorded = Scan | DynamicScan | TomographicScan

AXIS_OF_ROTATION = "AXIS OF ROTATION"
"""Position reference indicator of a frame of reference whose origin lies on the axis of rotation."""

NM_STORAGE = "1.2.840.10008.5.1.4.1.1.20"
_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+")
_LARGEST_INTEGER = 2**31 - 1  # an integer string (IS)
_PHOTOPEAK_KEV = 140.5

# CID 25 (radiopharmaceuticals) and CID 18 (radionuclides) of PS3.16, by the words that name them. Butedronate (DPD) has
# no code there.
_TRACERS = (
    (re.compile(r"\bmdp\b|medron", re.I), "96390006", "Technetium Tc^99m^ medronate"),
    (re.compile(r"\bhm?dp\b|oxidron", re.I), "53951001", "Technetium Tc^99m^ oxidronate"),
    (re.compile(r"\bpyp\b|pyrophosph", re.I), "764821009", "Technetium Tc^99m^ pyrophosphate"),
)
_TECHNETIUM = re.compile(r"technetium|tc.?99m|99m.{0,2}tc", re.I)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """Where an object belongs, which no scan tells.

    Parameters
    ----------
    series_number : int
        Of the series in its study, at least 1.
    series_description : str or None
        ``None`` takes the scan's own, or what the object is.
    study_began_at : datetime or None
        The same in every object of a study; ``None`` takes the scan's ``acquired_at``.
    body_part : str or None
        Defined term of PS3.16 annex L, e.g. ``"PELVIS"``; of a whole-body scan it is known.
    seed : str
        What the study's UID is made from where the scan has none: equal seeds give one study.
    simulated : bool
        Whether the object calls itself simulated: Synthetic Data (0008,001C) and its comment.

    Raises
    ------
    InvalidValue
        For a series number below 1.
    """

    series_number: int = 1
    series_description: str | None = None
    study_began_at: datetime | None = None
    body_part: str | None = None
    seed: str = ""
    simulated: bool = True

    def __post_init__(self) -> None:
        if self.series_number < 1:
            raise InvalidValue(f"Series are numbered from 1, got {self.series_number}.", got=self.series_number)


def uid(*parts: str) -> str:
    """A UID that belongs to the parts alone: the same parts, the same UID.

    Parameters
    ----------
    *parts : str
        What it names.

    Returns
    -------
    str
        Under 2.25, from a name-based UUID (PS3.5 B.2).
    """
    return f"2.25.{uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_OID, 'bonescan'), chr(0).join(parts)).int}"


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    """One item of a code sequence.

    Parameters
    ----------
    value, meaning, scheme : str

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def decimal(value: float) -> str:
    """A number as a decimal string (DS), in as many digits as its 16 characters hold.

    Parameters
    ----------
    value : float
        Finite.

    Returns
    -------
    str
    """
    from pydicom.valuerep import format_number_as_ds

    value = float(value) + 0.0  # no negative zero
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e15 else format_number_as_ds(value)


def milliseconds(seconds: float) -> int:
    """A time as an integer string (IS) of milliseconds holds it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    int

    Raises
    ------
    InvalidValue
        For more than the 24 days that such a string can tell.
    """
    found = round(seconds * 1000)
    if abs(found) > _LARGEST_INTEGER:
        raise InvalidValue(f"A DICOM object tells times up to 24 days, got {seconds:.0f} s.", got=seconds)
    return found


def _words(value: str | None, most: int = 64) -> str:
    """Text as one value: no backslash, which would part it in two, and no control characters."""
    return re.sub(r"[\\\x00-\x1f\x7f]+", " ", value or "").strip()[:most].strip()


def _day_and_time(dataset: Dataset, what: str, when: datetime | None) -> None:
    setattr(dataset, f"{what}Date", f"{when:%Y%m%d}" if when else "")
    setattr(dataset, f"{what}Time", f"{when:%H%M%S}" if when else "")


def study(dataset: Dataset, scan: Recorded, filing: Filing, kind: str, digest: str, number: int = 1) -> None:
    """Study, series, frame of reference and general image: what the object is and where it belongs.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is filled.
    scan : Scan, DynamicScan or TomographicScan
    filing : Filing
    kind : str
        Image type, value 3.
    digest : str
        Of the scan and of how it is written.
    number : int
        Of the instance in its series.

    Raises
    ------
    InvalidValue
        For a study UID that is none.
    """
    own = scan.study_uid
    if own is not None and not (_UID.fullmatch(own) and len(own) <= 64):
        raise InvalidValue("The scan's study UID is not one: digits and dots, at most 64, no leading zeros.")
    study_uid = own or uid("study", filing.seed or digest)
    series_uid = uid("series", study_uid, str(filing.series_number), kind, digest)
    began = filing.study_began_at or scan.acquired_at
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    dataset.SOPClassUID, dataset.SOPInstanceUID = NM_STORAGE, uid("instance", series_uid, str(number))
    dataset.Modality = "NM"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, series_uid
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = uid("frame of reference", series_uid), ""
    _day_and_time(dataset, "Study", began)
    _day_and_time(dataset, "Series", scan.acquired_at)
    _day_and_time(dataset, "Acquisition", scan.acquired_at)
    _day_and_time(dataset, "Content", scan.acquired_at)
    dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.StudyID = study_uid[-8:]
    if scan.study_description:
        dataset.StudyDescription = _words(scan.study_description)
    described = filing.series_description or getattr(scan, "series_description", None)
    if described:
        dataset.SeriesDescription = _words(described)
    dataset.SeriesNumber, dataset.InstanceNumber = filing.series_number, number
    dataset.PatientOrientation = ""
    part = "WHOLEBODY" if kind == "WHOLE BODY" else filing.body_part
    if part:
        dataset.BodyPartExamined = part
    if kind != "WHOLE BODY":
        dataset.ImageLaterality = "B"  # a head is wide enough for both sides of any part
    if filing.simulated:
        dataset.SyntheticData = "YES"
        dataset.ImageComments = "Simulated: no person was imaged"


def patient(dataset: Dataset, facts: PatientFacts) -> None:
    """Who it is, and how the person lies: supine, head first.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is filled.
    facts : PatientFacts
    """
    dataset.PatientName, dataset.PatientID = _words(facts.name), _words(facts.patient_id)
    dataset.PatientBirthDate = f"{facts.birth_date:%Y%m%d}" if facts.birth_date else ""
    sex = (facts.sex or "")[:1].upper()
    dataset.PatientSex = sex if sex in ("F", "M", "O") else ""
    if facts.age_years is not None:
        dataset.PatientAge = _age(facts.age_years)
    if facts.stature_m is not None:
        dataset.PatientSize = decimal(facts.stature_m)
    if facts.weight_kg is not None:
        dataset.PatientWeight = decimal(facts.weight_kg)
    lying = code("102538003", "recumbent")
    lying.PatientOrientationModifierCodeSequence = [code("40199007", "supine")]
    dataset.PatientOrientationCodeSequence = [lying]
    dataset.PatientGantryRelationshipCodeSequence = [code("102540008", "headfirst")]


def _age(years: float) -> str:
    """An age string: whole years, below two whole months, below one month whole days."""
    if years >= 2:
        return f"{min(int(years), 999):03d}Y"
    return f"{int(years * 12):03d}M" if years * 12 >= 1 else f"{max(int(years * 365.25), 0):03d}D"


def equipment(dataset: Dataset, device: Device) -> None:
    """Which camera it was.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is filled.
    device : Device
    """
    dataset.Manufacturer = _words(device.manufacturer)
    if device.model:
        dataset.ManufacturerModelName = _words(device.model)
    if device.software:
        dataset.SoftwareVersions = _words(device.software)


def isotope(
    dataset: Dataset,
    injection: Injection,
    windows: Sequence[tuple[float, float] | None],
    acquired_at: datetime | None,
    *,
    lasts_s: float = 0.0,
) -> None:
    """What was injected and when, and the energies that were counted.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is filled.
    injection : Injection
    windows : sequence of (lower, upper) or None
        In keV, by energy window.
    acquired_at : datetime or None
    lasts_s : float
        How long the acquisition lasts where the injection may fall into it, as in blood flow.

    Notes
    -----
    The object tells only the time of day of the injection. A reader takes the acquisition's day, or the day before
    when that would put the injection after the acquisition. Where this would mislead, about a day or more before the
    acquisition or after its end, the date and time are told as well (0018,1078): an extension of the standard object.
    """
    from pydicom.dataset import Dataset

    energies = []
    for window in windows:
        item = Dataset()
        if window is not None:
            limits = Dataset()
            limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = decimal(window[0]), decimal(window[1])
            item.EnergyWindowName = "Tc-99m" if window[0] <= _PHOTOPEAK_KEV <= window[1] else "Scatter"
            item.EnergyWindowRangeSequence = [limits]
        energies.append(item)
    dataset.EnergyWindowInformationSequence, dataset.NumberOfEnergyWindows = energies, len(energies)
    drug = Dataset()
    nuclide = _words(injection.radionuclide)
    drug.RadionuclideCodeSequence = [code("72454006", "^99m^Technetium")] if _TECHNETIUM.search(nuclide) else []
    words = _words(injection.radiopharmaceutical)
    if words:
        drug.Radiopharmaceutical = words
        known = [code(value, said) for pattern, value, said in _TRACERS if pattern.search(words)]
        if known:
            drug.RadiopharmaceuticalCodeSequence = known[:1]
    drug.AdministrationRouteCodeSequence = [code("47625008", "Intravenous route")]
    if injection.activity_mbq is not None:
        drug.RadionuclideTotalDose = decimal(injection.activity_mbq)
    if injection.injected_at is not None:
        drug.RadiopharmaceuticalStartTime = f"{injection.injected_at:%H%M%S}"
        if acquired_at is not None:
            before = acquired_at - injection.injected_at
            if not timedelta(0) <= before + timedelta(seconds=lasts_s) < timedelta(days=1):
                drug.RadiopharmaceuticalStartDateTime = f"{injection.injected_at:%Y%m%d%H%M%S}"
    dataset.RadiopharmaceuticalInformationSequence = [drug]


def detector(device: Device, start_angle_deg: float) -> Dataset:
    """One item of the DetectorInformationSequence.

    Parameters
    ----------
    device : Device
    start_angle_deg : float
        0 at the patient's back, growing towards the left side.

    Returns
    -------
    pydicom.Dataset
        With the directions of its pictures' rows and columns; its place is left empty.
    """
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CollimatorType = item.FocalDistance = None
    if device.collimator:
        item.CollimatorGridName = _words(device.collimator, 16)
        item.CollimatorType, item.FocalDistance = "PARA", "0"
    item.StartAngle = decimal(start_angle_deg % 360)
    across = column_direction(start_angle_deg).round(9)
    item.ImageOrientationPatient = [decimal(part) for part in (*across, 0.0, 0.0, -1.0)]
    item.ImagePositionPatient = None
    return item


def pixels(dataset: Dataset, counts: NDArray[np.float32], spacing_mm: tuple[float, float]) -> None:
    """The counts as 16-bit whole numbers, their sum, and a window that shows them.

    Parameters
    ----------
    dataset : pydicom.Dataset
        Is filled.
    counts : (frame, row, column) ndarray
    spacing_mm : (row, column)

    Raises
    ------
    InvalidValue
        For counts that are not whole numbers, above 65535 in a pixel or 2147483647 in all.
    """
    highest = int(counts.max())
    if highest > 65535:
        raise InvalidValue(f"A pixel holds {highest} counts, and 16 bits hold 65535 at most.", got=highest)
    stored = counts.astype("<u2")
    if not np.array_equal(counts, stored):
        raise InvalidValue("A DICOM object holds whole counts; draw or round the expected ones first.")
    pixels_of = np.bincount(stored.ravel())
    total = int(pixels_of @ np.arange(len(pixels_of)))
    if total > _LARGEST_INTEGER:
        raise InvalidValue(
            f"The object holds {total} counts, and CountsAccumulated {_LARGEST_INTEGER} at most.", got=total
        )
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = counts.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PixelSpacing = [decimal(mm) for mm in spacing_mm]
    dataset.CountsAccumulated = total
    pixels_of[0] = 0  # of those that hold counts, one in 200 is brighter than white
    top = max(2, int(np.searchsorted(np.cumsum(pixels_of), 0.995 * pixels_of.sum())))
    dataset.WindowCenter, dataset.WindowWidth = decimal(top / 2), decimal(top)
    dataset.add_new("PixelData", "OW", stored.tobytes())
