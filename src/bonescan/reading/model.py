"""What a reading is: labels, findings, burden, quality; values, and how their parts belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import GeometryMismatch
from bonescan.measurement import Measurement
from bonescan.scan import Remark, Scan, View, ViewName

__all__ = [
    "BLADDER",
    "FAINT",
    "INDETERMINATE",
    "Author",
    "BoneMap",
    "Burden",
    "Evidence",
    "Familiarity",
    "Finding",
    "FindingView",
    "Impression",
    "Kind",
    "LabelledView",
    "Labels",
    "Nature",
    "Pattern",
    "Polarity",
    "Presence",
    "Quality",
    "QualityCheck",
    "Reading",
    "Revision",
    "Verdict",
]


INDETERMINATE = 0.11
"""[D] Probability of metastasis below which a focus is called benign: one new focus of a cancer patient was metastatic
in 11 %, so that less is no suspicion."""

FAINT = 0.25
"""[D] Probability of metastasis from which a focus is indeterminate even where it is likelier nothing than a focus."""


BLADDER = "urinary bladder"
"""What the finding that is the bladder is called."""


class Kind(StrEnum):
    """What a finding is taken for."""

    BONE = "bone"
    PHYSIOLOGIC = "physiologic"
    ARTEFACT = "artefact"


class Nature(StrEnum):
    """What a spot may be: the classes between which its probability is shared out."""

    METASTATIC = "metastatic"
    TRAUMATIC = "traumatic"
    DEGENERATIVE = "degenerative"
    INFLAMMATORY = "inflammatory"
    OTHER_BENIGN = "other benign"
    PHYSIOLOGIC = "physiologic"
    ARTEFACT = "artefact"


class Author(StrEnum):
    """Who drew or judged a finding last."""

    READER = "reader"
    PHYSICIAN = "physician"


class Presence(StrEnum):
    """Whether a scan shows a pattern."""

    PRESENT = "present"
    POSSIBLE = "possible"
    NOT_JUDGED = "not judged"


class Polarity(StrEnum):
    """More or less uptake than this person's normal bone."""

    HOT = "hot"
    COLD = "cold"


class Verdict(StrEnum):
    """Outcome of one quality check."""

    PASS = "pass"
    WARN = "warn"
    WITHHOLD = "withhold"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneMap:
    """Where one bone lies in one view.

    Parameters
    ----------
    bone : str
        Bone id of `bonescan.anatomy`, e.g. ``"rib_07_l"``.
    row, column : int
        Upper left pixel of the crop in the view.
    thickness_mm : (row, column) ndarray of float32
        Length of bone along the ray through each pixel, unions counted once.
    depth_mm : float
        Mean distance of the bone behind the skin that faces the camera.
    """

    bone: str
    row: int
    column: int
    thickness_mm: NDArray[np.float32]
    depth_mm: float

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the view that the crop covers: ``picture[bone_map.box]``."""
        height, width = self.thickness_mm.shape
        return slice(self.row, self.row + height), slice(self.column, self.column + width)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledView:
    """The fitted skeleton as one view shows it.

    Parameters
    ----------
    name : ViewName
    regions : (row, column) ndarray of uint8
        Planar region ids 0 to 17.
    bones : tuple of BoneMap
        Every bone in the field of view.
    body : (row, column) ndarray of bool
        The body's outline, filled.
    x_mm, z_mm : (row, column) ndarray of float32
        Body coordinates of each pixel, the same frame in both views:
        +x the patient's left, +z cranial. A point of the body has the same
        (x, z) in the anterior and the posterior view.
    correlation : float
        Agreement of the fitted skeleton's picture with the view, -1 to 1.
    agreement : mapping of int to float
        Dice of the fitted skeleton's outlines with a network's regions, by region; empty where none looked.
    """

    name: ViewName
    regions: NDArray[np.uint8]
    bones: tuple[BoneMap, ...]
    body: NDArray[np.bool_]
    x_mm: NDArray[np.float32]
    z_mm: NDArray[np.float32]
    correlation: float
    agreement: Mapping[int, float] = field(default_factory=dict)

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Distance of neighbouring rows, and of neighbouring columns, in the body's frame at the view's middle.

        In mm of the fitted skeleton, whatever the file says of its pixels.
        """
        row, column = self.x_mm.shape[0] // 2, self.x_mm.shape[1] // 2
        along = abs(float(self.z_mm[row, column] - self.z_mm[row - 1, column]))
        across = abs(float(self.x_mm[row, column] - self.x_mm[row, column - 1]))
        return along, across

    def shown(self, bones: Iterable[BoneMap]) -> NDArray[np.bool_]:
        """Pixels that show any of these bones of the view, (row, column) ndarray."""
        pixels = np.zeros(self.regions.shape, np.bool_)
        for bone_map in bones:
            pixels[bone_map.box] |= bone_map.thickness_mm > 0
        return pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Regions and bones in every view, and how far to trust them.

    Parameters
    ----------
    views : tuple of LabelledView
        In the order of the scan's views.
    trusted : bool
        False when the fit's gates failed; figures by bone are then withheld.
    regions_in_view : frozenset of int
        Regions at least half inside the field of view of some view.
    parameters : mapping of str to float
        The fitted pose and proportions, by name with unit.
    remarks : tuple of Remark
    """

    views: tuple[LabelledView, ...]
    trusted: bool
    regions_in_view: frozenset[int]
    parameters: Mapping[str, float] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def paired_with(self, scan: Scan) -> tuple[tuple[View, LabelledView], ...]:
        """Every view of a scan with its labels, in the scan's order.

        Raises
        ------
        GeometryMismatch
            When the labels are not those of the scan's views.
        """
        by_name = {labelled.name: labelled for labelled in self.views}
        pairs = []
        for view in scan.views:
            labelled = by_name.get(view.name)
            if labelled is None or labelled.regions.shape != view.counts.shape:
                got = None if labelled is None else labelled.regions.shape
                raise GeometryMismatch(
                    f"The {view.name} view has {view.counts.shape} pixels and needs labels of that shape, got {got}; "
                    "use the labels of the same scan.",
                    view=view.name,
                    expected=view.counts.shape,
                    got=got,
                )
            pairs.append((view, labelled))
        return tuple(pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reason for or against what a spot or a scan is taken for.

    Parameters
    ----------
    text : str
        A sentence that a physician can check on the picture.
    weight : float
        Change of the log-odds it stands for; positive speaks for, negative against.
    source : str
        Where the weight is from: a publication, ``"simulated people"`` or ``"design"``.
    """

    text: str
    weight: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """One finding in one view.

    Parameters
    ----------
    outline : tuple of (row, column)
        Closed polygon in pixels, at least three points, without the repeated last one.
    mask : (row, column) ndarray of bool
        The finding's pixels, the size of the view.
    peak_row, peak_column : int
    peak_counts : float
    area_mm2 : float
        Pixels times the file's pixel size.
    uptake_ratio : float
        Mean over the finding's pixels, over what this person's normal bone would show there.
    significance : float
        Standard deviations (matched filter) above or below normal; the sign follows polarity.
    """

    outline: tuple[tuple[float, float], ...]
    mask: NDArray[np.bool_]
    peak_row: int
    peak_column: int
    peak_counts: float
    area_mm2: float
    uptake_ratio: float
    significance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One hot or cold spot, joined across the views where it is one.

    Parameters
    ----------
    id : int
        1, 2, ... in order of decreasing significance, bone findings first; never changed by a revision, which numbers
        what is new on from there.
    letter : str
        A, B, ... AA: the mark in pictures and tables.
    bone, side : str
        Bone id (empty when none lies there) and ``"left"``, ``"right"``, ``"midline"``.
    place : str
        In words: ``"right 7th rib, lateral"``, ``"left kidney"``.
    region : int
        Planar region id.
    views : mapping of ViewName to FindingView
    uptake_ratio : float
        The larger of the views' ratios; `uptake_reference` says to what.
    significance : float
    depth_mm : Measurement
        Distance from the posterior skin, where both views allow it.
    mass_share_percent : float
        Share of skeletal mass this finding involves, by the burden's mass table.
    in_burden : bool
        Whether it counts in the Bone Scan Index; `reason` says why (not).
    likelihood : Measurement
        Probability that it is metastatic, or absent with the reason.
    reason : str
        Why it is called this kind, in a sentence.
    natures : mapping of Nature to float
        Probability of each nature, sums to 1; empty where it was not judged.
    evidence : tuple of Evidence
        For and against its being metastatic, the strongest first.
    site : str
        Id of the named place of the bone, e.g. ``"iliac_crest"``; empty where the bone has none.
    usual : str
        Why many healthy people show more uptake at this place (``"joint"``, ``"tip"``, ``"overlap"``, ``"face"``), or
        empty.
    judged_by : Author
        Who last said of what kind and nature it is.
    drawn_by : Author
        Who last drew its outline.
    """

    id: int
    letter: str
    kind: Kind
    polarity: Polarity
    bone: str
    side: str
    place: str
    region: int
    views: Mapping[ViewName, FindingView]
    uptake_ratio: float
    uptake_reference: str
    significance: float
    depth_mm: Measurement
    mass_share_percent: float
    in_burden: bool
    likelihood: Measurement
    reason: str
    natures: Mapping[Nature, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    site: str = ""
    usual: str = ""
    judged_by: Author = Author.READER
    drawn_by: Author = Author.READER

    @property
    def is_bladder(self) -> bool:
        """Whether it is the bladder by its place, or bone beside it."""
        return self.place.startswith(BLADDER)

    @property
    def likely_normal(self) -> bool:
        """Whether a hot spot of bone is likelier normal uptake, or an artefact, than any disease of bone.

        One with more than `FAINT` probability of metastasis is not: it is told as indeterminate.
        """
        nothing = self.natures.get(Nature.PHYSIOLOGIC, 0.0) + self.natures.get(Nature.ARTEFACT, 0.0)
        hot_bone = self.kind is Kind.BONE and self.polarity is Polarity.HOT
        return hot_bone and nothing >= 0.5 and self.natures.get(Nature.METASTATIC, 0.0) < FAINT

    @property
    def likely_benign(self) -> bool:
        """Whether a hot spot of bone is disease that is hardly metastatic: less than `INDETERMINATE`."""
        disease = self.kind is Kind.BONE and self.polarity is Polarity.HOT and not self.likely_normal
        return disease and bool(self.natures) and self.natures.get(Nature.METASTATIC, 0.0) < INDETERMINATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """How much of the skeleton the hot spots involve.

    Parameters
    ----------
    bone_scan_index_percent : Measurement
        Sum over bones of mass share times involved fraction.
    mass_table : str
        Name and version of the table of mass shares.
    hot_spot_count : int
        Findings that count in the burden.
    positive_area_percent : Measurement
        Hot pixels over skeletal pixels, both views.
    lesion_area_mm2 : Measurement
        Sum of the hot spots' areas, both views.
    by_region : mapping of int to (bsi_percent, hot_spot_count)
    not_in_view : tuple of str
        What of the skeleton the field of view lacks, in words.
    """

    bone_scan_index_percent: Measurement
    mass_table: str
    hot_spot_count: int
    positive_area_percent: Measurement
    lesion_area_mm2: Measurement
    by_region: Mapping[int, tuple[float, int]]
    not_in_view: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityCheck:
    """One question asked of the images.

    Parameters
    ----------
    code : str
        Dotted: ``"quality.counts.anterior"``.
    question : str
        In words: ``"Enough counts in the anterior view?"``.
    verdict : Verdict
    measured : Measurement
    text : str
        One sentence: what was found, what is expected, with the guideline.
    """

    code: str
    question: str
    verdict: Verdict
    measured: Measurement
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The quality checks, and what they forbid."""

    checks: tuple[QualityCheck, ...]

    @property
    def withholds_burden(self) -> bool:
        """Whether any check forbids giving a Bone Scan Index."""
        return any(check.verdict is Verdict.WITHHOLD for check in self.checks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One pattern over the whole scan, such as a superscan or a line of rib fractures.

    Parameters
    ----------
    code : str
        Its name in the rules' data, e.g. ``"metastatic_superscan"``.
    name : str
        In words.
    presence : Presence
    evidence_for, evidence_against : tuple of Evidence
    findings : tuple of int
        Ids of the findings it is made of.
    advice : tuple of str
        What a guideline would do next.
    source : str
    uncertainty : str
        What the rule cannot know.
    """

    code: str
    name: str
    presence: Presence
    evidence_for: tuple[Evidence, ...]
    evidence_against: tuple[Evidence, ...]
    findings: tuple[int, ...]
    advice: tuple[str, ...]
    source: str
    uncertainty: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Familiarity:
    """How far a scan is from those the reader was made with.

    Parameters
    ----------
    score : float
        Share of simulated scans that are at least as strange, 0 to 1; small is strange.
    familiar : bool
    reasons : tuple of str
        What is strange, in sentences; empty where nothing is.
    """

    score: float
    familiar: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Impression:
    """What the whole scan amounts to.

    Parameters
    ----------
    sentences : tuple of str
        The impression in words, the most important first.
    metastatic : Measurement
        Probability that this scan shows bone metastases at all, or absent with the reason.
    patterns : tuple of Pattern
        Present and possible ones first.
    advice : tuple of str
    abstains : tuple of str
        What it does not judge, and why.
    """

    sentences: tuple[str, ...]
    metastatic: Measurement
    patterns: tuple[Pattern, ...] = ()
    advice: tuple[str, ...] = ()
    abstains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a physician has changed of a reading that the reader made.

    Parameters
    ----------
    of_version : int
        The archive's version that was at hand; 0 where there is none.
    edits : tuple of mapping
        In order, all since the reader's own version, as `bonescan.reading.revision.plain` has them.
    by : str
        The physician's name; empty in a draft.
    identities : mapping of int to str
        What tells each finding from every other of any version, by its number: `bonescan.reading.tracking`.
    removed : tuple of str
        Places of the reader's own findings that the physician has deleted.
    """

    of_version: int
    edits: tuple[Mapping[str, object], ...]
    by: str
    identities: Mapping[int, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything `bonescan.reading` says about one scan."""

    scan: Scan
    labels: Labels
    quality: Quality
    findings: tuple[Finding, ...]
    burden: Burden
    remarks: tuple[Remark, ...]
    method: Mapping[str, str]
    versions: Mapping[str, str]
    impression: Impression | None = None
    familiarity: Familiarity | None = None
    revision: Revision | None = None
