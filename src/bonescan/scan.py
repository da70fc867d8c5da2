"""One scan: the counts a gamma camera saw, and the facts that came with them.

A `Scan` is ONE type, whether a camera was simulated or a file was opened:
nothing after it can tell. So is a `DynamicScan`, planar pictures of one place
in time, and a `TomographicScan`, views from all around. Missing facts are
``None``; what had to be assumed or tolerated is a `Remark`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import GeometryMismatch, InvalidValue

__all__ = [
    "Device",
    "DynamicScan",
    "Injection",
    "PatientFacts",
    "Phase",
    "Remark",
    "Scan",
    "Severity",
    "Source",
    "StoredObject",
    "ThreePhaseStudy",
    "TomographicScan",
    "View",
    "ViewName",
]


class ViewName(StrEnum):
    """Which side of the body faced the camera head (DICOM CID 26)."""

    ANTERIOR = "anterior"
    POSTERIOR = "posterior"


class Phase(StrEnum):
    """When a picture was taken: as the bolus arrives, while blood is full of tracer, or once bone holds it."""

    FLOW = "flow"
    POOL = "pool"
    DELAYED = "delayed"


class Severity(StrEnum):
    """How much a remark matters to whoever reads the report."""

    NOTE = "note"
    WARNING = "warning"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A tolerated defect, an assumption or a warning that reaches the report.

    Parameters
    ----------
    code : str
        Stable, dotted, for machines: ``"dicom.view.start_angle"``.
    text : str
        One sentence for a physician.
    severity : Severity
        `NOTE`, `WARNING`, or `WITHHELD` when a figure is not given because of it.
    """

    code: str
    text: str
    severity: Severity = Severity.NOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientFacts:
    """What the file says of the person; every field may be unknown (``None``)."""

    name: str | None = None
    patient_id: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    age_years: float | None = None
    stature_m: float | None = None
    weight_kg: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What was injected and when; every field may be unknown (``None``)."""

    radiopharmaceutical: str | None = None
    radionuclide: str | None = None
    activity_mbq: float | None = None
    injected_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The camera that made the counts; every field may be unknown (``None``)."""

    manufacturer: str | None = None
    model: str | None = None
    software: str | None = None
    collimator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file the scan was read from, by name and content, never by path."""

    file_name: str
    sha256: str
    sop_instance_uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """One DICOM object of a study, as a list of the study's objects tells it.

    Parameters
    ----------
    study_uid, series_uid, sop_class_uid, sop_instance_uid : str
    modality : str
        In DICOM's code: ``"NM"``, ``"SR"``.
    series_number, instance_number : int or None
    series_description : str
    series_started_at : datetime or None
    """

    study_uid: str
    series_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    modality: str
    series_number: int | None = None
    series_description: str = ""
    instance_number: int | None = None
    series_started_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One planar whole-body view as the camera saw it.

    Anterior has the patient's right on the image's left, posterior the
    patient's left on the image's left. Row 0 is at the head.

    Parameters
    ----------
    name : ViewName
    counts : (row, column) ndarray of float32
        Counts per pixel, finite and not negative; stored read-only.
    row_spacing_mm, column_spacing_mm : float
        Distance between row and column centres, positive, as the file says.
    spacing_known : bool
        False when the spacing had to be assumed.
    counts_are_raw : bool
        False when the pixels are known not to be detected counts (8-bit
        pictures, rescaled exports): noise is then not Poisson of the pixel value.
    identity_basis : str
        What said that this is this view, e.g. ``"ViewCodeSequence"``.
    energy_window_kev : (lower, upper) or None
    counts_accumulated : float or None
        Total the file claims for this view.
    duration_s, scan_velocity_mm_per_s, scan_length_mm, start_angle_deg : float or None

    Raises
    ------
    GeometryMismatch
        For counts that are no picture of at least 2 x 2 pixels.
    InvalidValue
        For counts that are negative or not finite, and a spacing that is not between 0 and 1000 mm.
    """

    name: ViewName
    counts: NDArray[np.float32]
    row_spacing_mm: float
    column_spacing_mm: float
    spacing_known: bool = True
    counts_are_raw: bool = True
    identity_basis: str
    energy_window_kev: tuple[float, float] | None = None
    counts_accumulated: float | None = None
    duration_s: float | None = None
    scan_velocity_mm_per_s: float | None = None
    scan_length_mm: float | None = None
    start_angle_deg: float | None = None

    def __post_init__(self) -> None:
        counts = np.array(self.counts, dtype=np.float32)
        if counts.ndim != 2 or min(counts.shape) < 2:
            raise GeometryMismatch(
                f"A view is a (row, column) picture of at least 2 x 2 pixels, got shape {counts.shape}.",
                shape=counts.shape,
            )
        if not np.isfinite(counts).all() or counts.min() < 0:
            raise InvalidValue(f"Counts of the {self.name} view must be finite and not negative.", view=self.name)
        _check_spacing(self.row_spacing_mm, self.column_spacing_mm)
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)

    @property
    def total_counts(self) -> float:
        """Sum of the pixels."""
        return float(self.counts.sum(dtype=np.float64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The views of one acquisition with what is known about it.

    Parameters
    ----------
    views : tuple of View
        One or two, each name once, anterior first. Their shapes may differ.
    acquired_at : datetime or None
    study_uid, study_description : str or None
    whole_body : bool
        False for a spot or static view of a part.

    Raises
    ------
    InvalidValue
        For no view, more than two, or one name twice.
    """

    views: tuple[View, ...]
    patient: PatientFacts = PatientFacts()
    injection: Injection = Injection()
    device: Device = Device()
    acquired_at: datetime | None = None
    study_uid: str | None = None
    study_description: str | None = None
    whole_body: bool = True
    sources: tuple[Source, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        names = [view.name for view in self.views]
        if not names or len(set(names)) != len(names):
            raise InvalidValue(
                f"A scan holds one anterior view, one posterior view or one of each; got {names}.", got=names
            )
        object.__setattr__(self, "views", tuple(sorted(self.views, key=lambda view: view.name)))

    @property
    def delay_h(self) -> float | None:
        """Hours from injection to acquisition, or ``None`` where either is unknown."""
        return _delay_h(self.injection, self.acquired_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicScan:
    """Planar pictures of one place in time: blood flow, blood pool.

    Parameters
    ----------
    view_names : tuple of ViewName
        Each name once.
    counts : (view, time, row, column) ndarray of float32
        Counts per pixel, finite and not negative; stored read-only. Views as in `View`.
    starts_s, durations_s : tuple of float
        By time: when a frame begins after ``acquired_at``, ascending, and how long it lasts, positive.
    row_spacing_mm, column_spacing_mm : float
    energy_window_kev : (lower, upper) or None
    acquired_at : datetime or None
    study_uid, study_description, series_description : str or None

    Raises
    ------
    GeometryMismatch
        For counts of another shape than views and times say.
    InvalidValue
        For counts that are negative or not finite, a name twice, a spacing that is not between 0 and 1000 mm, or times
        that do not ascend.
    """

    view_names: tuple[ViewName, ...]
    counts: NDArray[np.float32]
    starts_s: tuple[float, ...]
    durations_s: tuple[float, ...]
    row_spacing_mm: float
    column_spacing_mm: float
    energy_window_kev: tuple[float, float] | None = None
    patient: PatientFacts = PatientFacts()
    injection: Injection = Injection()
    device: Device = Device()
    acquired_at: datetime | None = None
    study_uid: str | None = None
    study_description: str | None = None
    series_description: str | None = None
    sources: tuple[Source, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        if not self.view_names or len(set(self.view_names)) != len(self.view_names):
            raise InvalidValue(f"A dynamic scan holds each view once, got {self.view_names}.", got=self.view_names)
        starts, durations = np.asarray(self.starts_s, dtype=float), np.asarray(self.durations_s, dtype=float)
        if starts.shape != durations.shape or not (np.diff(starts) > 0).all() or not (durations > 0).all():
            raise InvalidValue("The frames of a dynamic scan begin one after another and last longer than nothing.")
        _check_spacing(self.row_spacing_mm, self.column_spacing_mm)
        object.__setattr__(self, "counts", _own_counts(self.counts, (len(self.view_names), len(starts))))

    @property
    def delay_h(self) -> float | None:
        """Hours from injection to acquisition, or ``None`` where either is unknown."""
        return _delay_h(self.injection, self.acquired_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TomographicScan:
    """Views from all around one place (SPECT).

    Parameters
    ----------
    counts : (window, angle, row, column) ndarray of float32
        Counts per pixel, finite and not negative; stored read-only. Row 0 is at the head; columns as a head at that
        angle sees them from outside, so that the view at 180 degrees is an anterior `View`.
    energy_windows_kev : tuple of (lower, upper)
        By window; the photopeak first.
    angles_deg : tuple of float
        As in DICOM: 0 at the patient's back, growing towards the left side, so that 180 is in front.
    radii_mm : tuple of float
        By angle: from the axis of rotation to the collimator's face, positive.
    durations_s : tuple of float
        By angle, positive.
    axis_column : float
        Where the axis of rotation falls on a row, in columns; the middle where it is not told.
    row_spacing_mm, column_spacing_mm : float
    acquired_at : datetime or None
    study_uid, study_description, series_description : str or None

    Raises
    ------
    GeometryMismatch
        For counts of another shape than windows and angles say.
    InvalidValue
        For counts that are negative or not finite, a spacing that is not between 0 and 1000 mm, or radii, durations and
        windows that make no sense.
    """

    counts: NDArray[np.float32]
    energy_windows_kev: tuple[tuple[float, float], ...]
    angles_deg: tuple[float, ...]
    radii_mm: tuple[float, ...]
    durations_s: tuple[float, ...]
    row_spacing_mm: float
    column_spacing_mm: float
    axis_column: float | None = None
    patient: PatientFacts = PatientFacts()
    injection: Injection = Injection()
    device: Device = Device()
    acquired_at: datetime | None = None
    study_uid: str | None = None
    study_description: str | None = None
    series_description: str | None = None
    sources: tuple[Source, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.angles_deg)
        if not count or len(self.radii_mm) != count or len(self.durations_s) != count:
            raise GeometryMismatch(
                f"Every angle has a radius and a duration, got {count}, {len(self.radii_mm)}, {len(self.durations_s)}.",
                expected=count,
            )
        if not (np.isfinite(self.angles_deg).all() and min(self.radii_mm) > 0 and min(self.durations_s) > 0):
            raise InvalidValue("Angles are finite, radii and durations positive.")
        if not all(0 < low < high for low, high in self.energy_windows_kev):
            raise InvalidValue(f"An energy window is (lower, upper), got {self.energy_windows_kev}.")
        _check_spacing(self.row_spacing_mm, self.column_spacing_mm)
        counts = _own_counts(self.counts, (len(self.energy_windows_kev), count))
        object.__setattr__(self, "counts", counts)
        if self.axis_column is None:
            object.__setattr__(self, "axis_column", (counts.shape[-1] - 1) / 2)

    @property
    def delay_h(self) -> float | None:
        """Hours from injection to acquisition, or ``None`` where either is unknown."""
        return _delay_h(self.injection, self.acquired_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreePhaseStudy:
    """What one person's study shows of one place over time: blood flow, blood pool, delayed uptake.

    Parameters
    ----------
    flow : DynamicScan or None
    pool, delayed : Scan or None
    whole_body : Scan or None
        A delayed whole-body scan of the same study, where there is one.
    absent : mapping of Phase to str
        Why a phase is not there, a sentence for every one that is ``None``.
    body_part : str or None
        What was looked at, in DICOM's words: ``"HAND"``.
    remarks : tuple of Remark
        On how the objects were told apart.

    Raises
    ------
    InvalidValue
        For no phase at all, or a phase that is absent without a reason.
    """

    flow: DynamicScan | None
    pool: Scan | None
    delayed: Scan | None
    whole_body: Scan | None = None
    absent: Mapping[Phase, str] = field(default_factory=dict)
    body_part: str | None = None
    remarks: tuple[Remark, ...] = ()

    def __post_init__(self) -> None:
        missing = {phase for phase in Phase if self.of(phase) is None}
        if missing == set(Phase) or missing != set(self.absent):
            raise InvalidValue(
                f"A study of phases has one at least and says why others are absent; {sorted(missing)} are not there, "
                f"reasons for {sorted(self.absent)}."
            )

    def of(self, phase: Phase) -> DynamicScan | Scan | None:
        """The pictures of one phase."""
        return {Phase.FLOW: self.flow, Phase.POOL: self.pool, Phase.DELAYED: self.delayed}[phase]

    @property
    def first(self) -> DynamicScan | Scan:
        """The earliest phase that is there."""
        return next(scan for phase in Phase if (scan := self.of(phase)) is not None)


def _check_spacing(row_mm: float, column_mm: float) -> None:
    for what, mm in (("row", row_mm), ("column", column_mm)):
        if not 0 < mm < 1000:
            raise InvalidValue(f"The {what} spacing must lie between 0 and 1000 mm, got {mm}.", got=mm)


def _own_counts(given: NDArray[np.floating], leading: tuple[int, int]) -> NDArray[np.float32]:
    counts = np.array(given, dtype=np.float32)
    if counts.ndim != 4 or counts.shape[:2] != leading or min(counts.shape[2:]) < 2:
        raise GeometryMismatch(
            f"Expected {leading[0]} x {leading[1]} pictures of at least 2 x 2 pixels, got shape {counts.shape}.",
            expected=leading,
            shape=counts.shape,
        )
    if not np.isfinite(counts).all() or counts.min() < 0:
        raise InvalidValue("Counts must be finite and not negative.")
    counts.flags.writeable = False
    return counts


def _delay_h(injection: Injection, acquired_at: datetime | None) -> float | None:
    if acquired_at is None or injection.injected_at is None:
        return None
    return (acquired_at - injection.injected_at).total_seconds() / 3600
