"""What a comparison of two scans of one person is: studies, alignment, difference, lesions, comparability; values only.

Everything that is a picture lies on the pixels of the CURRENT scan: the prior one is carried there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.measurement import Measurement
from bonescan.reading.findings.natures import COUNTED_FROM
from bonescan.reading.model import Finding, Reading, Verdict
from bonescan.scan import Remark, Scan, ViewName

__all__ = [
    "AlignedView",
    "Alignment",
    "Change",
    "ChangeKind",
    "Comparability",
    "ComparabilityCheck",
    "Comparison",
    "DifferenceView",
    "IndexChange",
    "LesionChange",
    "Study",
    "Trend",
]

LESION_RATIO = 1.5
"""Times normal bone below which hot uptake is called a place and no lesion [D], as faint in a reading's impression."""


class ChangeKind(StrEnum):
    """What became of a lesion between the prior and the current scan."""

    NEW = "new"
    PERSISTING = "persisting"
    VANISHED = "vanished"
    MERGED = "merged"
    """Several lesions of the prior scan are one in the current scan."""
    SPLIT = "split"
    """One lesion of the prior scan is several in the current scan."""
    NOT_COMPARABLE = "not comparable"
    """Its place is not shown by the other scan."""


class Trend(StrEnum):
    """Which way a number went, judged against its own uncertainty."""

    ROSE = "rose"
    FELL = "fell"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One scan of a series with its reading.

    Parameters
    ----------
    reading : Reading
    on : date or None
        Day of the scan; ``None`` where the file does not say.
    """

    reading: Reading
    on: date | None = None

    @classmethod
    def of(cls, reading: Reading) -> Study:
        """The study of a reading, dated as its scan is."""
        acquired = reading.scan.acquired_at
        return cls(reading=reading, on=None if acquired is None else acquired.date())

    @property
    def scan(self) -> Scan:
        """The scan that was read."""
        return self.reading.scan

    def finding(self, number: int) -> Finding:
        """The finding with this id."""
        for finding in self.reading.findings:
            if finding.id == number:
                return finding
        raise InvalidValue(f"The reading has no finding {number}.", got=number)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignedView:
    """Where every pixel of the current view lies in the prior view.

    Parameters
    ----------
    name : ViewName
    prior_row, prior_column : (row, column) ndarray of float32
        Place in the prior view, in its pixels, of every pixel of the current view.
    shown : (row, column) ndarray of bool
        Pixels of the current view that both scans exposed.
    displacement_mm : float
        Root mean square of what the pictures added to the bones' own correspondence, inside the body.
    correlation_before, correlation : float
        Agreement of both pictures within the body, -1 to 1, by the bones alone and after the smooth warp.
    unsteady : tuple of str
        Segments (``"hand_l"``) that could not be laid on themselves, as they roll and lie elsewhere each time: what
        lies in their bones is not compared.
    """

    name: ViewName
    prior_row: NDArray[np.float32]
    prior_column: NDArray[np.float32]
    shown: NDArray[np.bool_]
    displacement_mm: float
    correlation_before: float
    correlation: float
    unsteady: tuple[str, ...] = ()

    def carry(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """A picture of the prior view on the current view's pixels: linear between pixels, 0 beyond its edge."""
        at = np.stack([self.prior_row, self.prior_column])
        carried = ndimage.map_coordinates(picture.astype(np.float32), at, order=1, mode="constant")
        return np.asarray(carried, dtype=np.float32)

    def carry_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """A mask of the prior view on the current view's pixels, by the nearest prior pixel."""
        out = np.zeros(self.prior_row.shape, np.bool_)
        rows, columns = np.nonzero(mask)
        if not rows.size:
            return out
        near = (self.prior_row > rows.min() - 1) & (self.prior_row < rows.max() + 1)
        near &= (self.prior_column > columns.min() - 1) & (self.prior_column < columns.max() + 1)
        at = np.rint(self.prior_row[near]).astype(int), np.rint(self.prior_column[near]).astype(int)
        inside = (at[0] >= 0) & (at[0] < mask.shape[0]) & (at[1] >= 0) & (at[1] < mask.shape[1])
        held = np.zeros(inside.shape, np.bool_)
        held[inside] = mask[at[0][inside], at[1][inside]]
        out[near] = held
        return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """Both scans of one person in one frame, the current scan's.

    Parameters
    ----------
    views : tuple of AlignedView
        Of the views that both scans have.
    trusted : bool
        False where the labels of either scan are not trusted, or the pictures do not match: no rule may then call
        a lesion new. The remarks say why.
    remarks : tuple of Remark
    """

    views: tuple[AlignedView, ...]
    trusted: bool
    remarks: tuple[Remark, ...] = ()

    def view(self, name: ViewName) -> AlignedView | None:
        """The aligned view of that name, if both scans have it."""
        return next((one for one in self.views if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DifferenceView:
    """Current less prior, in units of its own noise, on the current view's pixels.

    Parameters
    ----------
    name : ViewName
    prior : (row, column) ndarray of float32
        The prior picture, carried, scaled to the current one's normal bone and smoothed; counts per pixel.
    current : (row, column) ndarray of float32
        The current picture, smoothed alike; counts per pixel.
    significance : (row, column) ndarray of float32
        Standard deviations; positive where there is more now; 0 where not both show the place.
    scale : float
        Current over prior counts per pixel of the same normal bone.
    scale_spread : float
        Standard error of its logarithm.
    risen, gone : (row, column) ndarray of bool
        Places with significantly more, and significantly less, uptake now.
    """

    name: ViewName
    prior: NDArray[np.float32]
    current: NDArray[np.float32]
    significance: NDArray[np.float32]
    scale: float
    scale_spread: float
    risen: NDArray[np.bool_]
    gone: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shapes = {picture.shape for picture in (self.prior, self.current, self.significance, self.risen, self.gone)}
        if len(shapes) > 1:
            raise GeometryMismatch(
                f"The pictures of a difference have one shape, got {sorted(shapes)}.", got=sorted(shapes)
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One number of both scans.

    Parameters
    ----------
    prior, current : Measurement
        Absent with a reason where a scan has none.
    difference : Measurement
        Current less prior, in their unit.
    ratio : Measurement
        Current over prior.
    trend : Trend
        `ROSE` or `FELL` where the difference is beyond its uncertainty's 95 % interval; `UNKNOWN` without one.
    """

    prior: Measurement
    current: Measurement
    difference: Measurement
    ratio: Measurement
    trend: Trend


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexChange:
    """The change of the Bone Scan Index, and what a repeat scan alone would do.

    Parameters
    ----------
    as_read : Change
        In percent of skeletal mass, each scan as its own reading has it.
    change : Change
        The same with every lesion decided once for both scans (`bonescan.followup.together`): what is flagged.
    doublings : Measurement
        log2 of current over prior: 1 is a doubling; absent where either is 0.
    flagged : bool
        Whether the difference is beyond `repeatability_percent`.
    repeatability_percent : float
        The published upper limit of the difference between repeated scans.
    text : str
        One sentence for a physician.
    """

    as_read: Change
    change: Change
    doublings: Measurement
    flagged: bool
    repeatability_percent: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionChange:
    """One lesion, followed from the prior to the current scan.

    Parameters
    ----------
    id : int
        1, 2, ... new ones first, then risen, other persisting, vanished, not comparable.
    kind : ChangeKind
    prior, current : tuple of int
        Ids of the findings it is in either reading. A persisting lesion may have none in one of them: there
        its uptake is the same, but below what the finder marks; `reason` says so. One of `Comparison.unmarked` has
        none in both.
    bone, side, place : str
    region : int
        As `Finding` has them, of the current scan where it is found there.
    uptake_ratio : Change
        Mean uptake over normal bone.
    area_mm2 : Change
        Larger of the views.
    depth_mm : Change
        Behind the posterior skin.
    brightness : Measurement
        Current over prior uptake at the place, both over the same normal bone, from the difference pictures; the
        plainest measure of brighter (above 1) and fainter.
    significance : float
        Of the difference at the place, standard deviations, positive where there is more now.
    trend : Trend
        Of `brightness`; unknown where the place cannot be compared.
    masks : mapping of ViewName to (row, column) ndarray of bool
        Its place on the current views' pixels, of both scans together.
    reason : str
        Why it is called this kind, in a sentence.
    likelihood : Measurement
        Probability that it is metastatic, by the findings of both scans; absent where none was judged.
    """

    id: int
    kind: ChangeKind
    prior: tuple[int, ...]
    current: tuple[int, ...]
    bone: str
    side: str
    place: str
    region: int
    uptake_ratio: Change
    area_mm2: Change
    depth_mm: Change
    brightness: Measurement
    significance: float
    trend: Trend
    masks: Mapping[ViewName, NDArray[np.bool_]]
    reason: str
    likelihood: Measurement

    @property
    def suspicious(self) -> bool:
        """Whether it is likelier metastatic than not."""
        return self.likelihood.value is not None and self.likelihood.value >= COUNTED_FROM

    @property
    def is_place(self) -> bool:
        """Whether it is no more than a faint place: judged, below `LESION_RATIO` in both scans and not suspicious."""
        ratios = [one.value for one in (self.uptake_ratio.prior, self.uptake_ratio.current) if one.value is not None]
        judged = self.likelihood.value is not None  # cold spots are not
        return judged and not self.suspicious and max(ratios, default=0.0) < LESION_RATIO


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparabilityCheck:
    """One thing that should be alike in two scans that are compared.

    Parameters
    ----------
    code : str
        Dotted: ``"comparability.counts"``.
    question : str
        In words: ``"Alike in counts?"``.
    verdict : Verdict
        `WITHHOLD` where figures of burden cannot be compared.
    prior, current : str
        What each scan has, in words with its unit; ``"unknown"``.
    text : str
        One sentence: what differs and what it does.
    """

    code: str
    question: str
    verdict: Verdict
    prior: str
    current: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparability:
    """Whether two scans were made alike enough to be compared, and why not."""

    checks: tuple[ComparabilityCheck, ...]

    @property
    def withholds_burden(self) -> bool:
        """Whether any check forbids comparing figures of burden."""
        return any(check.verdict is Verdict.WITHHOLD for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Sentences of the checks that were not passed, the gravest first."""
        return tuple(
            check.text
            for verdict in (Verdict.WITHHOLD, Verdict.WARN)
            for check in self.checks
            if check.verdict is verdict
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Everything `bonescan.followup` says about two scans of one person.

    Parameters
    ----------
    prior, current : Study
    alignment : Alignment
    difference : tuple of DifferenceView
        Of the aligned views, in their order.
    lesions : tuple of LesionChange
        In the order of their ids.
    unmarked : tuple of LesionChange
        Places that came or went in the difference pictures and that neither reading marks: for a physician to look
        at; no rule may count them as lesions. Their ids go on after the lesions'.
    bone_scan_index : IndexChange
    lesion_area : Change
        Sum of the burden's lesion areas, mm2, both views.
    comparability : Comparability
    remarks : tuple of Remark
    method : mapping of str to str
    """

    prior: Study
    current: Study
    alignment: Alignment
    difference: tuple[DifferenceView, ...]
    lesions: tuple[LesionChange, ...]
    bone_scan_index: IndexChange
    lesion_area: Change
    comparability: Comparability
    unmarked: tuple[LesionChange, ...] = ()
    remarks: tuple[Remark, ...] = ()
    method: Mapping[str, str] = field(default_factory=dict)

    def of_kind(self, *kinds: ChangeKind) -> tuple[LesionChange, ...]:
        """The lesions of these kinds, in the order of their ids."""
        return tuple(lesion for lesion in self.lesions if lesion.kind in kinds)
