"""What a hot place is taken for: bone, the tracer on its way out, or an artefact.

Rules a reader would recognise, tried in order; the first that holds decides, and
its sentence becomes the finding's reason. Nothing is erased: a kidney is a
finding called kidney. Near the bladder only ONE spot, the hottest at the
midline within the true pelvis, may be the bladder; a second focus beside it
stays a bone finding, because lesions under or beside the bladder are what
automated readers miss most (Koizumi 2017, PMC5517559: false negatives were solitary faint pelvic lesions
and those under urine).

Places are told from the labels' frame (x to the patient's left, z cranial,
mm) by landmarks of the fitted regions, so that the rules hold for any size of person.

References
----------
Van den Wyngaert T et al. The EANM practice guidelines for bone scintigraphy. Eur J Nucl Med
Mol Imaging 2016;43:1723, doi:10.1007/s00259-016-3415-4 (Table 5: urine, injection, extravasation, devices).
Koizumi M et al. Evaluation of a computer-assisted diagnosis system, BONENAVI version 2, for
bone scintigraphy in cancer patients. Ann Nucl Med 2015;29:138, doi:10.1007/s12149-014-0921-y.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bonescan.reading.findings.detection import Spot
from bonescan.reading.model import BLADDER, Kind, Labels
from bonescan.scan import ViewName

__all__ = ["Call", "Landmarks", "Sighting", "as_bone", "classify", "find_bladder", "find_pairs", "find_twins", "locate"]

BLADDER_OVER_SACRUM = 0.25
"""Least fraction off bone of a bladder that reaches up before the sacrum."""

BLADDER_HALF_WIDTH_MM = 50.0
KIDNEY_FROM_MM, KIDNEY_TO_MM = 22.0, 100.0
"""Reach of the kidneys from the midline: their outlines on the default skeleton end 28 to 39 and 91 to 104 mm from it
[C]; farther out lie the sides of the ribs."""

KIDNEY_AREA_MM2, KIDNEY_WHOLE_MM2 = 700.0, 1500.0
"""A good part of a kidney, and most of one: about 60 mm by 30 mm at least [D]."""

KIDNEY_ABOVE, KIDNEY_PART_ABOVE = 0.55, 0.4
"""How far above the lumbar spine, in its heights, the middle of a kidney and that of a part of one may lie: on the
default skeleton kidneys reach up to 0.4 [C], and a fit may lie lower by some."""

ABOVE_CREST_MM = 20.0
PERINEUM_HALF_WIDTH_MM = 55.0
PERINEUM_LENGTH_MM = 260.0
OFF_BONE = 0.55
"""A spot lies off bone when more than this fraction of it has no bone's region."""

INJECTION_RATIO = 3.0
INJECTION_ASYMMETRY = 0.35
INJECTION_LEVEL = 0.8
INJECTION_BRIGHT = 1.5
"""Of the skeleton's level: an arm's bones show a third of it, so that one-sided uptake of this and more is no bone,
whatever the expectation there."""

SOFT_TISSUE_LEVEL = 0.8
FAINT_LEVEL = 0.25
"""Of the skeleton's level: what an injection site and unexplained soft-tissue uptake show at least, and below which
nothing off bone is reported."""

SYMMETRY = 0.5
MILD_RATIO = 2.6
"""Degenerative joints reach about twice normal bone, metastases about five times (ratio of SPECT SUVmax:
16.7 and 40.9 against 8; Kuji 2017, doi:10.1186/s41824-017-0006-y); planar ratios lie lower."""

TWIN_MM = 40.0
"""How far from the mirrored place the other side's spot may lie: people are not symmetric and do not lie straight.
About half a shoulder's or hip's width; more would join neighbours."""

SOFT_TISSUE_RATIO = 3.0
TUBE_RATIO = 2.0
TUBE_LENGTH_MM = 90.0
TUBE_SLENDERNESS = 5.0

_SKULL, _CERVICAL, _THORACIC, _RIBS, _STERNUM, _CLAVICLE, _SCAPULA, _HUMERUS = 1, 2, 3, 4, 5, 6, 7, 8
_LUMBAR, _SACRUM, _PELVIS, _FEMUR, _FOREARM, _HAND, _KNEE, _LEG, _FOOT = 9, 10, 11, 12, 13, 14, 15, 16, 17


_JOINTS: Mapping[int, frozenset[int]] = {
    region: group
    for group in (
        frozenset({_CLAVICLE, _SCAPULA, _HUMERUS}),
        frozenset({_PELVIS, _FEMUR}),
        frozenset({_FOREARM, _HAND}),
        frozenset({_KNEE, _LEG}),
        frozenset({_FOOT}),
    )
    for region in group
}
"""Regions where bones that come in pairs wear alike, with those that share a joint with them. Not the ribs: neighbours
lie closer than `TWIN_MM` there, and two of many would pair by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Heights and widths of this person in the labels' frame, mm; NaN where the region is not in view."""

    skull_top: float
    skull_bottom: float
    sternum_top: float
    lumbar_top: float
    lumbar_bottom: float
    pelvis_top: float
    pelvis_bottom: float
    leg_top: float
    leg_bottom: float
    trunk_half_width: float

    @property
    def pelvis_height(self) -> float:
        """From the ischia to the iliac crests."""
        return self.pelvis_top - self.pelvis_bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One lesion or organ as the views show it, before it is named.

    Parameters
    ----------
    spots : mapping of ViewName to Spot
        The same thing in one view or two.
    region : int
        The region most of it lies in, 0 for none.
    off_bone : float
        Fraction of its pixels without a region, smallest over the views.
    x_mm, z_mm : float
    area_mm2 : float
        Largest over the views, in the body's frame.
    length_mm, width_mm : float
        Extent along and across its long axis, of the larger view.
    """

    spots: Mapping[ViewName, Spot]
    region: int
    off_bone: float
    x_mm: float
    z_mm: float
    area_mm2: float
    length_mm: float
    width_mm: float

    @property
    def ratio(self) -> float:
        """Largest peak over normal."""
        return max(spot.peak_ratio for spot in self.spots.values())

    @property
    def mean_ratio(self) -> float:
        """Largest mean over normal, which is what a finding is told to take up."""
        return max(spot.uptake_ratio for spot in self.spots.values())

    @property
    def level_ratio(self) -> float:
        """Largest peak over the skeleton's level."""
        return max(spot.level_ratio for spot in self.spots.values())

    @property
    def mirror_ratio(self) -> float:
        """Largest share of its excess that the other side shows; NaN at the midline."""
        values = [spot.mirror_ratio for spot in self.spots.values() if not math.isnan(spot.mirror_ratio)]
        return max(values) if values else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a sighting is taken for, where, whether it counts, and why."""

    kind: Kind
    place: str
    in_burden: bool
    reason: str


def locate(labels: Labels) -> Landmarks:
    """Measure the landmarks over both views.

    Parameters
    ----------
    labels : Labels
        Regions and the body's frame of every view.

    Returns
    -------
    Landmarks
        In mm: 2nd and 98th percentiles of each region's extent, averaged over the views.
    """

    def extreme(region: int, upper: bool, across: bool = False) -> float:
        values = []
        for view in labels.views:
            inside = view.regions == region
            if inside.sum() >= 30:
                along = np.abs(view.x_mm[inside]) if across else view.z_mm[inside]
                values.append(float(np.percentile(along, 98 if upper else 2)))
        return float(np.mean(values)) if values else math.nan

    return Landmarks(
        skull_top=extreme(_SKULL, True),
        skull_bottom=extreme(_SKULL, False),
        sternum_top=extreme(_STERNUM, True),
        lumbar_top=extreme(_LUMBAR, True),
        lumbar_bottom=extreme(_LUMBAR, False),
        pelvis_top=extreme(_PELVIS, True),
        pelvis_bottom=extreme(_PELVIS, False),
        leg_top=extreme(_LEG, True),
        leg_bottom=extreme(_LEG, False),
        trunk_half_width=float(
            np.nanmax([extreme(_RIBS, True, across=True), extreme(_PELVIS, True, across=True), 120.0])
        ),
    )


def find_bladder(sightings: Sequence[Sighting], landmarks: Landmarks) -> int | None:
    """Index of the one sighting that is the bladder, if any.

    Candidates lie at the midline between the lower rim of the pubis and the
    middle of the sacrum. A saturated one wins; else the highest peak, weighted by how much of the spot lies off bone.

    Parameters
    ----------
    sightings : sequence of Sighting
        Every hot one of the scan.
    landmarks : Landmarks

    Returns
    -------
    int or None
        Index into ``sightings``; ``None`` when no candidate lies there.
    """
    best, best_value = None, 0.0
    for index, sighting in enumerate(sightings):
        low = landmarks.pelvis_bottom + 0.08 * landmarks.pelvis_height
        high = landmarks.pelvis_bottom + 0.65 * landmarks.pelvis_height
        if not (abs(sighting.x_mm) <= BLADDER_HALF_WIDTH_MM and low <= sighting.z_mm <= high):
            continue
        over_spine = sighting.region in (_SACRUM, _LUMBAR)
        if over_spine and sighting.off_bone < (BLADDER_OVER_SACRUM if _foremost(sighting) else OFF_BONE):
            continue
        value = sighting.level_ratio * max(sighting.off_bone, 0.05)
        if any(spot.saturated for spot in sighting.spots.values()):
            value *= 100
        if value > best_value:
            best, best_value = index, value
    return best


def _foremost(sighting: Sighting) -> bool:
    """Whether it shows more from the front: the bladder lies before the sacrum, a sacral lesion nearer the back."""
    front, back = (sighting.spots.get(name) for name in (ViewName.ANTERIOR, ViewName.POSTERIOR))
    return front is not None and (back is None or front.level_ratio > back.level_ratio)


def find_twins(sightings: Sequence[Sighting]) -> frozenset[int]:
    """Those that have a counterpart in the same joint of the other side.

    Two are twins when they lie on different sides, in regions that share a joint, within `TWIN_MM` of each other's
    mirrored place, and when the smaller excess over normal is at least `SYMMETRY` of the larger.

    Parameters
    ----------
    sightings : sequence of Sighting
        Every hot one of the scan.

    Returns
    -------
    frozenset of int
        Indices into ``sightings``.
    """
    return find_pairs([(one.region, one.x_mm, one.z_mm, one.ratio) for one in sightings])


def find_pairs(places: Sequence[tuple[int, float, float, float]]) -> frozenset[int]:
    """Those of some places that are twins, as in `find_twins`.

    Parameters
    ----------
    places : sequence of (region, x_mm, z_mm, ratio)
        Region, place in the body's frame, and uptake over normal.

    Returns
    -------
    frozenset of int
        Indices into ``places``.
    """
    twins: set[int] = set()
    for i, (region, x_mm, z_mm, ratio) in enumerate(places):
        for j, (other_region, other_x_mm, other_z_mm, other_ratio) in enumerate(places[:i]):
            apart = math.hypot(x_mm + other_x_mm, z_mm - other_z_mm)
            same_joint = other_region in _JOINTS.get(region, ())
            excess = sorted((ratio - 1, other_ratio - 1))
            if x_mm * other_x_mm < 0 and same_joint and apart <= TWIN_MM and excess[0] >= SYMMETRY * excess[1]:
                twins |= {i, j}
    return frozenset(twins)


def classify(
    sighting: Sighting,
    landmarks: Landmarks,
    *,
    side: str,
    is_bladder: bool,
    has_twin: bool = False,
    seen_in_bone: bool = False,
) -> Call | None:
    """Name one hot sighting.

    Parameters
    ----------
    sighting : Sighting
    landmarks : Landmarks
    side : str
        ``"left"``, ``"right"`` or ``"midline"``.
    is_bladder : bool
        Whether `find_bladder` chose it.
    has_twin : bool
        Whether `find_twins` found its counterpart on the other side.
    seen_in_bone : bool
        Whether a network sees a focus of bone there; off the fitted bones it is then called bone all the same.

    Returns
    -------
    Call or None
        ``None`` for diffuse soft tissue that is nothing to report; ``place``
        is empty for bone, which is named by its bone.
    """
    if sighting.off_bone >= OFF_BONE and sighting.level_ratio < FAINT_LEVEL and not seen_in_bone:
        return None
    if is_bladder:
        return _URINE_IN_BLADDER
    if _is_injected(sighting, landmarks, seen_in_bone):
        return _injection(side)
    for rule in (_tube, _urine_below, _kidney, _ureter, _soft_tissue):
        call = rule(sighting, landmarks, side)
        if call is not None:
            return call
    if sighting.off_bone >= OFF_BONE and not seen_in_bone:
        return None
    return as_bone(sighting, landmarks, has_twin)


_URINE_IN_BLADDER = Call(
    kind=Kind.PHYSIOLOGIC,
    place=BLADDER,
    in_burden=False,
    reason="The hottest midline focus of the true pelvis: urine in the bladder; a lesion of the pubis or the sacrum "
    "under it cannot be excluded.",
)


def _is_injected(s: Sighting, at: Landmarks, seen_in_bone: bool) -> bool:
    on_arm = s.region in (_FOREARM, _HAND) or (s.off_bone >= OFF_BONE and abs(s.x_mm) > at.trunk_half_width)
    clearest = max(s.spots.values(), key=lambda spot: spot.level_ratio)  # a vein lies in front; the other view is faint
    one_sided = math.isnan(clearest.mirror_ratio) or clearest.mirror_ratio < INJECTION_ASYMMETRY
    strong = s.ratio >= INJECTION_RATIO and s.level_ratio >= INJECTION_LEVEL
    bright = s.level_ratio >= INJECTION_BRIGHT and s.region != _HAND and not seen_in_bone
    return on_arm and one_sided and (strong or bright)


def _injection(side: str) -> Call:
    return Call(
        kind=Kind.ARTEFACT,
        place=f"{side} arm, injection site",
        in_burden=False,
        reason=f"Intense one-sided focus of the {side} arm, where tracer is injected: injection site or extravasation.",
    )


def _tube(s: Sighting, at: Landmarks, side: str) -> Call | None:
    slender = s.length_mm >= TUBE_LENGTH_MM and s.length_mm >= TUBE_SLENDERNESS * s.width_mm
    if not (slender and s.off_bone >= OFF_BONE and s.ratio >= TUBE_RATIO):
        return None
    return Call(
        kind=Kind.ARTEFACT,
        place="catheter or tube",
        in_burden=False,
        reason="A long thin line off bone: tracer in a catheter, tube or fold.",
    )


def _urine_below(s: Sighting, at: Landmarks, side: str) -> Call | None:
    rim = at.pelvis_bottom + 0.12 * at.pelvis_height
    below = at.pelvis_bottom - PERINEUM_LENGTH_MM < s.z_mm <= rim
    if below and abs(s.x_mm) <= PERINEUM_HALF_WIDTH_MM and (s.off_bone >= 0.3 or s.region == _FEMUR):
        return Call(
            kind=Kind.PHYSIOLOGIC,
            place="urethra or perineum",
            in_burden=False,
            reason="At the midline below the pubis, between the thighs: urine in the urethra or on skin or clothing.",
        )
    if s.z_mm <= rim and s.off_bone >= 0.8 and s.ratio >= SOFT_TISSUE_RATIO and abs(s.x_mm) < at.trunk_half_width:
        return Call(
            kind=Kind.ARTEFACT,
            place="between the legs" if side == "midline" else f"{side} thigh or leg, skin or clothing",
            in_burden=False,
            reason="Off bone below the pelvis: most likely urine on skin or clothing; an oblique view "
            "or washing tells.",
        )
    return None


def _kidney(s: Sighting, at: Landmarks, side: str) -> Call | None:
    lumbar = at.lumbar_top - at.lumbar_bottom
    beside = KIDNEY_FROM_MM <= abs(s.x_mm) <= KIDNEY_TO_MM
    lowest = max(at.lumbar_bottom + 0.1 * lumbar, at.pelvis_top + ABOVE_CREST_MM)
    above = KIDNEY_ABOVE if s.area_mm2 >= KIDNEY_WHOLE_MM2 else KIDNEY_PART_ABOVE
    level = lowest <= s.z_mm <= at.lumbar_top + above * lumbar
    if not (beside and level and s.region in (0, _RIBS, _LUMBAR, _THORACIC)):
        return None
    if s.off_bone >= OFF_BONE or (s.off_bone >= 0.25 and s.area_mm2 >= KIDNEY_AREA_MM2):
        return Call(
            kind=Kind.PHYSIOLOGIC,
            place=f"{side} kidney",
            in_burden=False,
            reason=f"Beside the upper lumbar spine and off bone: {side} kidney or renal pelvis.",
        )
    return None


def _ureter(s: Sighting, at: Landmarks, side: str) -> Call | None:
    between = at.pelvis_bottom + 0.4 * at.pelvis_height < s.z_mm < at.lumbar_top
    if between and 15 <= abs(s.x_mm) <= 60 and s.off_bone >= 0.7:
        return Call(
            kind=Kind.PHYSIOLOGIC,
            place=f"{side} ureter",
            in_burden=False,
            reason=f"Off bone on the way from the {side} kidney to the bladder: urine in the ureter.",
        )
    return None


def _soft_tissue(s: Sighting, at: Landmarks, side: str) -> Call | None:
    if s.off_bone < OFF_BONE or s.ratio < SOFT_TISSUE_RATIO or s.level_ratio < SOFT_TISSUE_LEVEL:
        return None
    pelvis = at.pelvis_bottom < s.z_mm < at.pelvis_bottom + 0.6 * at.pelvis_height
    if pelvis and abs(s.x_mm) <= 70:
        return Call(
            kind=Kind.PHYSIOLOGIC,
            place="urinary tract in the pelvis",
            in_burden=False,
            reason="Off bone within the pelvic ring: urine in the bladder's neighbourhood or bowel.",
        )
    if abs(s.x_mm) > at.trunk_half_width:
        return None
    return Call(
        kind=Kind.PHYSIOLOGIC,
        place="soft tissue",
        in_burden=False,
        reason="Off bone and of no organ that excretes the tracer: soft-tissue uptake; look at tracer quality, "
        "calcification, effusion or a device.",
    )


def as_bone(sighting: Sighting, landmarks: Landmarks, has_twin: bool = False) -> Call:
    """Say of a hot sighting of bone whether it counts, by place and level alone.

    Parameters
    ----------
    sighting : Sighting
    landmarks : Landmarks
    has_twin : bool
        As for `classify`.

    Returns
    -------
    Call
    """
    s, at = sighting, landmarks
    mild = s.ratio <= MILD_RATIO
    if s.mean_ratio < 1:
        return _not_counted("No more uptake than this person's normal bone.")
    paired = has_twin or (not math.isnan(s.mirror_ratio) and s.mirror_ratio >= SYMMETRY)
    if s.region in (_HAND, _FOOT) or _at_ankle(s, at):
        return _not_counted(
            "Hand, foot or ankle: arthritis, stress or injury; about one metastasis in a thousand lies there."
        )
    if s.region in (_FOREARM, _KNEE, _LEG) and mild:
        return _not_counted("Mild uptake at or near a limb's joint: degenerative pattern.")
    if s.region == _SKULL and mild and _in_face(s, at):
        return _not_counted("Mild uptake of the face: sinuses, teeth or nasopharynx.")
    if mild and s.region in (_STERNUM, _CLAVICLE, _THORACIC, _RIBS, 0) and _at_sternal_ends(s, at):
        return _not_counted("Mild uptake at the sternoclavicular or first costosternal joint: degenerative or variant.")
    if mild and paired:
        return _not_counted(
            "Mild and alike on both sides: joint, junction or growth of normal anatomy, or degenerative pattern."
        )
    if mild:
        return _counted("More uptake than this person's normal bone.")
    if paired:
        return _counted("Clearly more uptake than this person's normal bone, on both sides.")
    return _counted("Clearly more uptake than this person's normal bone.")


def _in_face(s: Sighting, at: Landmarks) -> bool:
    height = at.skull_top - at.skull_bottom
    return ViewName.POSTERIOR not in s.spots and s.z_mm < at.skull_top - 0.4 * height


def _at_ankle(s: Sighting, at: Landmarks) -> bool:
    return s.region == _LEG and s.z_mm < at.leg_bottom + 0.2 * (at.leg_top - at.leg_bottom)


def _at_sternal_ends(s: Sighting, at: Landmarks) -> bool:
    return (
        ViewName.POSTERIOR not in s.spots and abs(s.x_mm) <= 55 and at.sternum_top - 45 <= s.z_mm <= at.sternum_top + 30
    )


def _counted(reason: str) -> Call:
    return Call(kind=Kind.BONE, place="", in_burden=True, reason=reason)


def _not_counted(reason: str) -> Call:
    return Call(kind=Kind.BONE, place="", in_burden=False, reason=reason)
