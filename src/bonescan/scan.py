"""One scan: the counts a gamma camera saw, and the facts that came with them.

A `Scan` is ONE type, whether a camera was simulated or a file was opened:
nothing after it can tell. Missing facts are ``None``; what had to be assumed
or tolerated is a `Remark`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import GeometryMismatch, InvalidValue

__all__ = [
    "Device",
    "Injection",
    "PatientFacts",
    "Remark",
    "Scan",
    "Severity",
    "Source",
    "View",
    "ViewName",
]


class ViewName(StrEnum):
    """Which side of the body faced the camera head (DICOM CID 26)."""

    ANTERIOR = "anterior"
    POSTERIOR = "posterior"


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
    duration_s, scan_velocity_mm_per_s, start_angle_deg : float or None

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
        for what, mm in (("row", self.row_spacing_mm), ("column", self.column_spacing_mm)):
            if not 0 < mm < 1000:
                raise InvalidValue(f"The {what} spacing must lie between 0 and 1000 mm, got {mm}.", got=mm)
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
        if self.acquired_at is None or self.injection.injected_at is None:
            return None
        return (self.acquired_at - self.injection.injected_at).total_seconds() / 3600
