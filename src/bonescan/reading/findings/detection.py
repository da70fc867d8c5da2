"""Where one view departs from this person's normal bone, by how much and how surely.

Matched filter at scale s, with the picture C, the normal expectation N (already
at camera resolution c) and Gaussians G of that full width at half maximum::

    T_s = G_s * C - G_sqrt(s^2 - c^2) * N
    z_s = T_s / (misfit * sqrt(gain * N_s * (1 / A_s + 1 / A_line) + (tau_region * N_s)^2)) + b

``A_s = 4 pi sigma_s^2 / pixel area`` pixels is the noise-equivalent area of the
filter, ``A_line`` that of the line median behind N, ``tau`` the relative excess that
normal bone of that region shows naturally, and ``misfit`` (1 or more) the spread
actually seen over this scan's normal bone. N is an upper envelope, so normal bone lies below it on average;
``b`` (`ENVELOPE_BIAS`) puts it back to zero. The significance of a pixel is the
largest z over the scales. A spot needs a pixel above `threshold`, which bounds the
chance of one false spot anywhere in the view (Bonferroni over scales and
independent positions), or their share among many clear ones, as far as normal bone varies as stated; real bone has
heavier tails, which `docs/rooms/reading-spots.md` reports. A spot below it is kept only where the other view shows one.

Where a network's maps are given the list is generous instead: what reaches the threshold, what reaches `CONFIRMED_Z`
where the network sees anything at all, and what the network alone sees. `natures.py` then decides.

References
----------
Benjamini Y, Hochberg Y. Controlling the false discovery rate. J R Stat Soc B 1995;57:289,
doi:10.1111/j.2517-6161.1995.tb02031.x.
Turin G. An introduction to matched filters. IRE Trans Inf Theory 1960;6:311, doi:10.1109/TIT.1960.1057571.
Worsley KJ et al. A unified statistical approach for determining significant signals in
images of cerebral activation. Hum Brain Mapp 1996;4:58 (scale space search and resolution elements).
Najman L, Couprie M. Building the component tree in quasi-linear time.
IEEE Trans Image Process 2006;15:3531, doi:10.1109/TIP.2006.877518 (the outlining of merging peaks).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from bonescan.reading.findings.normal import CAMERA_FWHM_MM, FIRST_LIMB_REGION, LINE_MM, NormalView, gaussian_mm
from bonescan.reading.model import LabelledView, Polarity
from bonescan.reading.network import DenseView
from bonescan.scan import ViewName

__all__ = [
    "FALSE_ALARMS_PER_VIEW",
    "SCALES_MM",
    "Spot",
    "detect_cold",
    "detect_hot",
    "joined",
    "outlined",
    "significance",
    "threshold",
    "together",
]

_Picture = NDArray[np.float32]

SCALES_MM = (9.0, 13.0, 19.0, 27.0)
"""Full widths of the matched filters: lesions of about 2 to 25 mm seen through the camera."""

FALSE_ALARMS_PER_VIEW = 0.05
FALSE_SHARE = 0.05
"""Where many spots are beyond doubt, the share of false ones that is allowed among them."""

FLOOD_Z = 2.25
"""Excess is followed outwards from its peaks to this z, about half the threshold."""

CONFIRMED_Z = 3.0
"""From which a spot counts where the other view shows one that stands alone: one known place instead of thousands.
Chance exceeds it there in half a percent (four scales of 0.13 %)."""

DOUBTLESS_RATIO = 2.0
"""Peak over normal from which a spot of the trunk is beyond doubt no natural variation: SPECT shows degenerative joints
at about twice normal bone (Kuji 2017, doi:10.1186/s41824-017-0006-y)."""

BRIGHT_LEVEL = 1.5
"""Peak over the skeleton's level from which a spot of an arm stands alone: an arm's bones show a third of it."""

URINE_HALF_WIDTH_MM = 50.0
"""So near the midline of the pelvis, a hot spot may be the bladder and is no proof of disease."""

ENVELOPE_BIAS = 1.15
"""Standard deviations by which the envelope overstates normal bone: the median z of simulated normal views with
natural variation, 0.4 to 3 million counts, is -1.0 to -1.2 without it."""

OUTLINE_FRACTION = 0.4
"""A spot reaches down to this fraction of its net peak. 40 to 50 % is usual; at 40 % a
point source is outlined 1.15 times as wide as the camera's full width at half maximum."""

SADDLE_FRACTION = 0.75
"""Two peaks are one spot when the saddle between them is above this fraction of the lower."""

SADDLE_NOISE = 3.0

CLEAR_SADDLE_FRACTION, CLEAR_SADDLE_NOISE = 0.9, 8.0
"""In bones where no organ lies before or behind, a shallower saddle parts two peaks as well, if it is beyond noise: the
picture of one small source has one peak, whatever its size beside the camera's width [D]. Elsewhere kidneys and
bladder, and in the trunk bones above each other, have peaks of their own."""

APART_REGIONS = (1, 8, 12, 13, 14, 15, 16, 17)
"""Skull and limbs."""

SEEN_AGAIN = 0.03
"""Where the network's ``hot`` map reaches this, a faint spot of the filter is a candidate of its own [D]."""

SEEN_ALONE = 0.06
"""From which a peak of the ``hot`` map is a candidate though the filter shows nothing there [D]; followed out to half
of it."""

FILLED_FROM, FILLED = 0.8, 0.5
"""The network's metastatic share from which bone is surely diseased; the share of a bone's shadow that is so,
and of that unmarked, from which the bone is a candidate as a whole [D]."""

HOT_NOISE = 0.02
"""Ripple of the ``hot`` map that parts no two peaks [D]."""

MINIMUM_AREA_MM2 = 40.0

GAP_MM = 2 * CAMERA_FWHM_MM
"""Widest gap that is closed between two spots of one place: two widths of the camera's blur [D]."""

NATURAL_EXCESS: Mapping[int, float] = {
    0: 0.30,
    1: 0.09,
    2: 0.08,
    3: 0.07,
    4: 0.10,
    5: 0.09,
    6: 0.13,
    7: 0.14,
    8: 0.14,
    9: 0.08,
    10: 0.10,
    11: 0.12,
    12: 0.13,
    13: 0.35,
    14: 0.30,
    15: 0.20,
    16: 0.25,
    17: 0.30,
}
"""One standard deviation of the natural relative excess over `NormalView.expected`, by region: a quarter of the
largest excess in normal views at camera resolution, less the noise. Joints and junctions
set it where a region has them (shoulder, sternal ends, iliac spine, knee)."""

FACE_EXCESS = 0.25
"""The same for the face: sinuses, teeth and nasopharynx."""

COLD_REGIONS: Mapping[ViewName, Mapping[int, float]] = {
    ViewName.ANTERIOR: {12: 6.0},
    ViewName.POSTERIOR: {1: 8.0, 9: 6.0, 11: 10.0, 12: 6.0},
}
"""Regions large and even enough for a deficit to mean something, and the margin in mm
from their outline within which none is called. From the front the brow, the iliac fossa and the spine are naturally
pale in places."""

COLD_RATIO = 0.5
COLD_AREA_MM2 = 400.0
COLD_FWHM_MM = 15.0
COLD_WIDTH_MM = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One hot or cold place of one view.

    Parameters
    ----------
    polarity : Polarity
    mask : (row, column) ndarray of bool
    peak_row, peak_column : int
    peak_counts : float
        Highest (cold: lowest) pixel at camera resolution.
    net_counts : float
        Sum over the mask of picture less normal.
    net_variance : float
        Its variance from counting noise.
    uptake_ratio : float
        Sum over the mask of picture over that of normal.
    peak_ratio : float
        Picture over normal at the peak.
    level_ratio : float
        Picture at the peak over the skeleton's level in this view.
    significance : float
        Largest z in the mask; negative when cold.
    x_mm, z_mm : float
        Net-weighted centre in the body's frame.
    mirror_ratio : float
        Net excess on the other side over this one's; NaN where there is no other side.
    saturated : bool
        Whether some of its pixels had wrapped around or been clipped.
    stands_alone : bool
        Whether its significance passes the threshold for a place not known beforehand; otherwise it only
        supports a spot that the other view shows there.
    """

    polarity: Polarity
    mask: NDArray[np.bool_]
    peak_row: int
    peak_column: int
    peak_counts: float
    net_counts: float
    net_variance: float
    uptake_ratio: float
    peak_ratio: float
    level_ratio: float
    significance: float
    x_mm: float
    z_mm: float
    mirror_ratio: float
    saturated: bool
    stands_alone: bool = True


def threshold(labelled: LabelledView, row_mm: float, column_mm: float, clear: int = 0) -> float:
    """The z above which chance gives at most `FALSE_ALARMS_PER_VIEW` spots, or `FALSE_SHARE` of many clear ones.

    The labelled bone holds ``area / (camera FWHM)^2`` independent places, each tried at `SCALES_MM`: m trials.
    The limit z solves ::

        Q(z) = max(FALSE_ALARMS_PER_VIEW, FALSE_SHARE * clear) / m

    with Q the upper tail of a normal deviate: Bonferroni's in a view without disease, and the step of Benjamini and
    Hochberg's false discovery rate where ``clear`` spots are beyond doubt: a faint focus deserves more belief beside
    many sure ones, and the expected share of false ones among all stays the same.

    Parameters
    ----------
    labelled : LabelledView
        Its regions say how much bone is in view.
    row_mm, column_mm : float
        Pixel size in the body's frame, as `NormalView` has it.
    clear : int
        Spots of axial and proximal bone that are `DOUBTLESS_RATIO` times normal or more.

    Returns
    -------
    float
        Standard deviations; about 4.5 in a whole-body view without disease, 4.0 beside ten clear spots.
    """
    area_mm2 = max(float((labelled.regions > 0).sum()) * row_mm * column_mm, 1.0)
    places = max(area_mm2 / CAMERA_FWHM_MM**2, 1.0) * len(SCALES_MM)
    return float(-special.ndtri(max(FALSE_ALARMS_PER_VIEW, FALSE_SHARE * clear) / places))


def significance(normal: NormalView, labelled: LabelledView) -> NDArray[np.float32]:
    """Largest z over the scales, per pixel (see the module's equation).

    Parameters
    ----------
    normal : NormalView
        A view and its normal expectation.
    labelled : LabelledView
        The same view's regions, which say how much normal bone varies.

    Returns
    -------
    (row, column) ndarray of float32
        Standard deviations above normal; negative where there is less.
    """
    table = np.zeros(256, dtype=np.float32)
    for region, natural in NATURAL_EXCESS.items():
        table[region] = natural
    spread = table[labelled.regions]
    spread[_face(normal.name, labelled)] = FACE_EXCESS
    tau = gaussian_mm(spread, CAMERA_FWHM_MM, normal.row_mm, normal.column_mm)
    best = np.full(normal.counts.shape, -np.inf, dtype=np.float32)
    line_pixels = LINE_MM * CAMERA_FWHM_MM / (normal.row_mm * normal.column_mm) / (math.pi / 2)
    for scale in SCALES_MM:
        rest = math.sqrt(max(scale**2 - CAMERA_FWHM_MM**2, 0.0))
        expected = gaussian_mm(normal.expected, rest, normal.row_mm, normal.column_mm) if rest else normal.expected
        excess = gaussian_mm(normal.counts, scale, normal.row_mm, normal.column_mm) - expected
        pixels = _noise_equivalent_pixels(scale, normal.row_mm, normal.column_mm)
        noise = normal.gain * np.maximum(expected, 0.05) * (1 / pixels + 1 / line_pixels)
        np.maximum(best, excess / np.sqrt(noise + (tau * expected) ** 2), out=best)
    for regions in ((1, 12), (13, 17)):
        inside = (labelled.regions >= regions[0]) & (labelled.regions <= regions[1])
        if inside.sum() >= 200:
            best[inside] /= _misfit(best[inside])
    return best + np.float32(ENVELOPE_BIAS)


def _face(name: ViewName, labelled: LabelledView) -> NDArray[np.bool_]:
    """The anterior skull below the brow, which lies at two fifths of its height."""
    skull = labelled.regions == 1
    if name is not ViewName.ANTERIOR or not skull.any():
        return np.zeros(skull.shape, dtype=np.bool_)
    z = labelled.z_mm[skull]
    return np.asarray(skull & (labelled.z_mm < z.max() - 0.4 * (z.max() - z.min())), dtype=np.bool_)


def _misfit(z: NDArray[np.float32]) -> float:
    """How much wider than stated normal bone scatters: its upper quartile over a normal deviate's.

    A quarter of the bone may be diseased before it counts; it is 1 at least and 1.5 at most.
    """
    return float(np.clip(np.percentile(z, 75) / special.ndtri(0.75), 1.0, 1.5))


def _noise_equivalent_pixels(fwhm_mm: float, row_mm: float, column_mm: float) -> float:
    sigma_mm = fwhm_mm / math.sqrt(8 * math.log(2))
    return max(4 * math.pi * sigma_mm**2 / (row_mm * column_mm), 1.0)


def detect_hot(
    views: Sequence[tuple[NormalView, LabelledView]], seen: Mapping[ViewName, DenseView] | None = None
) -> dict[ViewName, tuple[Spot, ...]]:
    """Every hot spot of a scan's views, in bone or not.

    Parameters
    ----------
    views : sequence of (NormalView, LabelledView)
        All views of one scan: what one of them shows beyond doubt makes faint spots of the other likelier
        (see `threshold`).
    seen : mapping of ViewName to DenseView, optional
        What a network makes of the same views; the list is generous where it is given.

    Returns
    -------
    mapping of ViewName to tuple of Spot
        By view, most significant first; those below the threshold that the other view may confirm among them.
    """
    significant = [significance(normal, labelled) for normal, labelled in views]
    candidates = [_candidates(normal, labelled, z) for (normal, labelled), z in zip(views, significant, strict=True)]
    clear = max((sum(one.clear for one in found) for found in candidates), default=0)
    hot = {}
    for (normal, labelled), z, found in zip(views, significant, candidates, strict=True):
        limit = threshold(labelled, normal.row_mm, normal.column_mm, clear)
        dense = None if seen is None else seen.get(normal.name)
        spots = []
        for one in found:
            mask = _outline(one.net)
            if mask.sum() * normal.row_mm * normal.column_mm < MINIMUM_AREA_MM2:
                continue
            whole = np.zeros(normal.counts.shape, dtype=np.bool_)
            whole[one.box] = mask
            spot = _measure(whole, Polarity.HOT, normal, labelled, normal.expected, one.significance)
            again = dense is not None and bool((dense.foci["hot"][one.box][mask] >= SEEN_AGAIN).any())
            alone = again or one.significance >= limit or _bright_arm(spot, labelled)
            spots.append(replace(spot, stands_alone=alone))
        if dense is not None:
            taken = [spot.mask for spot in spots if spot.stands_alone]
            spots += [
                _measure(mask, Polarity.HOT, normal, labelled, normal.expected, float(z[mask].max()))
                for mask in _seen_alone(dense.foci["hot"], taken, normal)
            ]
            taken = [spot.mask for spot in spots if spot.stands_alone]
            spots += [
                _measure(mask, Polarity.HOT, normal, labelled, normal.expected, float(z[mask].max()))
                for mask in _confluent(dense.foci["metastatic"], taken, normal, labelled)
            ]
        hot[normal.name] = tuple(sorted(spots, key=lambda spot: -spot.significance))
    return hot


def _bright_arm(spot: Spot, labelled: LabelledView) -> bool:
    """Whether an arm, or what lies beside the trunk, shows more than the skeleton does: tracer in or beside a vein."""
    trunk = np.abs(labelled.x_mm[np.isin(labelled.regions, (4, 11))])
    beside = trunk.size > 0 and abs(spot.x_mm) > float(np.percentile(trunk, 98))
    regions = labelled.regions[spot.mask]
    arm = np.count_nonzero(np.isin(regions, (0, 13, 14))) > regions.size / 2
    return bool(beside and arm and spot.level_ratio >= BRIGHT_LEVEL)


def _seen_alone(
    hot: NDArray[np.float32], taken: Sequence[NDArray[np.bool_]], normal: NormalView
) -> list[NDArray[np.bool_]]:
    """Outlines, at half their peak, of what the network's ``hot`` map shows beside the spots that are there already."""
    known = np.zeros(hot.shape, dtype=np.bool_)
    for mask in taken:
        known |= mask
    ripple = np.full(hot.shape, HOT_NOISE, dtype=np.float32)
    basins = _basins(hot, ripple, hot >= SEEN_ALONE / 2, np.zeros(hot.shape, dtype=np.bool_))
    alone = []
    for number, box in enumerate(ndimage.find_objects(basins), start=1):
        if box is None:
            continue
        own = np.where(basins[box] == number, hot[box], np.float32(0))
        peak = np.unravel_index(int(own.argmax()), own.shape)
        if own[peak] < SEEN_ALONE or known[box][peak]:
            continue
        mask = _outline(own, 0.5)
        if (mask & known[box]).sum() >= 0.5 * mask.sum():
            continue
        if mask.sum() * normal.row_mm * normal.column_mm >= MINIMUM_AREA_MM2:
            whole = np.zeros(hot.shape, dtype=np.bool_)
            whole[box] = mask
            alone.append(whole)
    return alone


def _confluent(
    metastatic: NDArray[np.float32], taken: Sequence[NDArray[np.bool_]], normal: NormalView, labelled: LabelledView
) -> list[NDArray[np.bool_]]:
    """Outlines of bones that the network sees metastatic throughout, beside the spots that are there already.

    Where disease fills the skeleton nothing stands out from its surroundings: no filter shows a focus, and the ``hot``
    map is level. What is left unmarked of such a bone is one candidate; bones nearer the camera come first.
    """
    known = np.zeros(metastatic.shape, dtype=np.bool_)
    for mask in taken:
        known |= mask
    found = []
    for bone in sorted(labelled.bones, key=lambda one: one.depth_mm):
        shadow = bone.thickness_mm > 0
        diseased = shadow & (metastatic[bone.box] >= FILLED_FROM)
        rest = diseased & ~known[bone.box]
        if diseased.sum() < FILLED * shadow.sum() or rest.sum() < FILLED * diseased.sum():
            continue
        pieces, number = ndimage.label(rest)
        mask = pieces == 1 + int(np.bincount(pieces[rest], minlength=number + 1)[1:].argmax())
        if mask.sum() * normal.row_mm * normal.column_mm >= MINIMUM_AREA_MM2:
            whole = np.zeros(metastatic.shape, dtype=np.bool_)
            whole[bone.box] = mask
            known |= whole
            found.append(whole)
    return found


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One basin of the excess: its bounding box, the net picture in it (0 outside the basin), its largest z."""

    box: tuple[slice, ...]
    net: NDArray[np.float32]
    significance: float
    clear: bool


def _candidates(normal: NormalView, labelled: LabelledView, z: NDArray[np.float32]) -> list[_Candidate]:
    net = normal.smooth - normal.expected
    near = ndimage.binary_dilation(labelled.body, iterations=8)
    pixels = _noise_equivalent_pixels(CAMERA_FWHM_MM, normal.row_mm, normal.column_mm)
    noise = np.sqrt(normal.gain * np.maximum(normal.smooth, 0.05) / pixels)
    limbs = np.isin(labelled.regions, APART_REGIONS)
    basins = _basins(net, noise.astype(np.float32), near & (net > 0) & (z > FLOOD_Z), limbs)
    clear = _beyond_doubt(z, normal, labelled)
    found = []
    for number, box in enumerate(ndimage.find_objects(basins), start=1):
        if box is not None:
            inside = basins[box] == number
            own = np.where(inside, net[box], np.float32(0))
            peak = np.unravel_index(int(own.argmax()), own.shape)
            largest = float(z[box][inside].max())
            if largest >= CONFIRMED_Z:
                found.append(_Candidate(box, own, largest, bool(clear[box][peak])))
    return found


def _beyond_doubt(z: NDArray[np.float32], normal: NormalView, labelled: LabelledView) -> NDArray[np.bool_]:
    """Pixels of axial and proximal bone that show more than degeneration does, and are not urine or the face."""
    regions = labelled.regions
    urine = np.isin(regions, (10, 11)) & (np.abs(labelled.x_mm) <= URINE_HALF_WIDTH_MM)
    places = (regions > 0) & (regions < FIRST_LIMB_REGION) & ~urine & ~_face(normal.name, labelled)
    sure = z >= threshold(labelled, normal.row_mm, normal.column_mm)
    return np.asarray(places & sure & (normal.smooth >= DOUBTLESS_RATIO * np.maximum(normal.expected, 0.05)))


def detect_cold(normal: NormalView, labelled: LabelledView) -> tuple[Spot, ...]:
    """Large, deep deficits well inside large bones; conservative by intent.

    At `COLD_FWHM_MM` a deficit shows less than `COLD_RATIO` of its region's level (already a low
    quantile) over `COLD_AREA_MM2` and `COLD_WIDTH_MM` at least, more than a margin inside the region, where the
    other side of the body, if there is one, is normal. Its z counts noise only.

    Parameters
    ----------
    normal : NormalView
        A view, its mirrored picture and its regions' levels.
    labelled : LabelledView
        The same view's regions.

    Returns
    -------
    tuple of Spot
        Most significant (most negative z) first; often empty.
    """
    blurred, level, z = _deficit(normal, labelled, COLD_REGIONS[normal.name])
    deep = np.zeros(blurred.shape, dtype=np.bool_)
    for region, margin_mm in COLD_REGIONS[normal.name].items():
        inside = labelled.regions == region
        if region in normal.levels and inside.any():
            depth = ndimage.distance_transform_edt(inside, sampling=(normal.row_mm, normal.column_mm))
            deep |= depth > margin_mm
    limit = threshold(labelled, normal.row_mm, normal.column_mm)
    other_side_normal = np.isnan(normal.mirrored) | (normal.mirrored >= level)
    deep &= (blurred < COLD_RATIO * level) & (z < -limit) & other_side_normal
    inner = ndimage.distance_transform_edt(deep, sampling=(normal.row_mm, normal.column_mm))
    places, count = ndimage.label(deep)
    spots = []
    for number in range(1, count + 1):
        mask = places == number
        if inner[mask].max() < COLD_WIDTH_MM / 2:
            continue
        if mask.sum() * normal.row_mm * normal.column_mm >= COLD_AREA_MM2:
            spots.append(_measure(mask, Polarity.COLD, normal, labelled, level, float(z[mask].min())))
    return tuple(sorted(spots, key=lambda spot: spot.significance))


def _deficit(
    normal: NormalView, labelled: LabelledView, regions: Iterable[int]
) -> tuple[_Picture, _Picture, NDArray[np.floating]]:
    """The picture at `COLD_FWHM_MM`, the level of some regions, and the z of what the one lacks of the other."""
    blurred = gaussian_mm(normal.counts, COLD_FWHM_MM, normal.row_mm, normal.column_mm)
    level: _Picture = np.zeros(blurred.shape, dtype=np.float32)
    for region in regions:
        if region in normal.levels:
            level[labelled.regions == region] = normal.levels[region]
    pixels = _noise_equivalent_pixels(COLD_FWHM_MM, normal.row_mm, normal.column_mm)
    return blurred, level, (blurred - level) / np.sqrt(normal.gain * np.maximum(level, 0.05) / pixels)


def outlined(
    mask: NDArray[np.bool_],
    normal: NormalView,
    labelled: LabelledView,
    z: NDArray[np.float32],
    polarity: Polarity | None = None,
) -> Spot:
    """Measure what somebody else has outlined.

    Parameters
    ----------
    mask : (row, column) ndarray of bool
        One pixel at least.
    normal : NormalView
    labelled : LabelledView
    z : (row, column) ndarray of float32
        `significance` of that view.
    polarity : Polarity, optional
        By default cold where it shows less than `COLD_RATIO` of normal, else hot.

    Returns
    -------
    Spot
    """
    if polarity is not Polarity.COLD:
        hot = _measure(mask, Polarity.HOT, normal, labelled, normal.expected, float(z[mask].max()))
        if polarity is Polarity.HOT or hot.uptake_ratio >= COLD_RATIO:
            return hot
    _, level, lacking = _deficit(normal, labelled, normal.levels)
    return _measure(mask, Polarity.COLD, normal, labelled, level, float(lacking[mask].min()))


def together(spots: Sequence[Spot], normal: NormalView, labelled: LabelledView) -> Spot | None:
    """Measure several spots of one view as one.

    Parameters
    ----------
    spots : sequence of Spot
        Hot ones.
    normal : NormalView
    labelled : LabelledView
        Of that view.

    Returns
    -------
    Spot or None
        Over their pixels and the gaps between them; ``None`` where they lie too far apart to be one outline.
    """
    mask = joined([spot.mask for spot in spots], normal.row_mm, normal.column_mm)
    if mask is None:
        return None
    strongest = max(spot.significance for spot in spots)
    return _measure(mask, Polarity.HOT, normal, labelled, normal.expected, strongest)


def joined(masks: Sequence[NDArray[np.bool_]], row_mm: float, column_mm: float) -> NDArray[np.bool_] | None:
    """One outline around several pieces.

    Parameters
    ----------
    masks : sequence of (row, column) ndarray of bool
    row_mm, column_mm : float
        Pixel size in the body's frame.

    Returns
    -------
    (row, column) ndarray of bool, or None
        Their pixels and the gaps up to `GAP_MM` between them; ``None`` where they lie farther apart.
    """
    union = np.asarray(np.any(masks, axis=0), dtype=np.bool_)
    for iterations in range(round(GAP_MM / (2 * max(row_mm, column_mm))) + 1):
        closed = ndimage.binary_closing(union, iterations=iterations) | union if iterations else union
        if ndimage.label(closed)[1] == 1:
            return np.asarray(ndimage.binary_fill_holes(closed), dtype=np.bool_)
    return None


def _outline(net: NDArray[np.float32], fraction: float = OUTLINE_FRACTION) -> NDArray[np.bool_]:
    """The piece around the peak above a fraction of it, holes filled."""
    above = net >= fraction * net.max()
    pieces, _ = ndimage.label(above)
    peak = np.unravel_index(int(net.argmax()), net.shape)
    return np.asarray(ndimage.binary_fill_holes(pieces == pieces[peak]), dtype=np.bool_)


def _measure(
    mask: NDArray[np.bool_],
    polarity: Polarity,
    normal: NormalView,
    labelled: LabelledView,
    expected: NDArray[np.float32],
    z: float,
) -> Spot:
    rows, columns = np.nonzero(mask)
    smooth, reference = normal.smooth[rows, columns], np.maximum(expected[rows, columns], 0.05)
    net: NDArray[np.float32] = smooth - reference
    at = int(net.argmax() if polarity is Polarity.HOT else net.argmin())
    weight = np.abs(net) if net.any() else np.ones_like(net)  # where the network alone sees something in empty counts
    other = normal.mirrored[rows, columns]
    return Spot(
        polarity=polarity,
        mask=mask,
        peak_row=int(rows[at]),
        peak_column=int(columns[at]),
        peak_counts=float(smooth[at]),
        net_counts=float(net.sum()),
        net_variance=float(normal.gain * smooth.sum()),
        uptake_ratio=float(smooth.sum() / reference.sum()),
        peak_ratio=float(smooth[at] / reference[at]),
        level_ratio=float(smooth[at] / normal.skeleton_level),
        significance=z,
        x_mm=float(np.average(labelled.x_mm[rows, columns], weights=weight)),
        z_mm=float(np.average(labelled.z_mm[rows, columns], weights=weight)),
        mirror_ratio=float((other[at] - reference[at]) / net[at]) if net[at] else math.nan,
        saturated=bool(normal.restored[rows, columns].any()),
    )


def _basins(
    net: NDArray[np.float32], noise: NDArray[np.float32], candidates: NDArray[np.bool_], limbs: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Split the candidates into one basin per peak, merging peaks without a real saddle."""
    flat = np.flatnonzero(candidates)
    order = flat[np.argsort(-net.ravel()[flat], kind="stable")]
    least = np.array([[SADDLE_FRACTION, SADDLE_NOISE], [CLEAR_SADDLE_FRACTION, CLEAR_SADDLE_NOISE]])
    labels = _flood(net.ravel(), noise.ravel(), limbs.ravel(), order, net.shape[1], least)
    return np.asarray(labels.reshape(net.shape), dtype=np.int32)


@numba.njit(cache=True, nogil=True)
def _flood(
    net: NDArray[np.float32],
    noise: NDArray[np.float32],
    limbs: NDArray[np.bool_],
    order: NDArray[np.int64],
    columns: int,
    least: NDArray[np.float64],
) -> NDArray[np.int32]:
    """Flood from the peaks down; by row, ``least`` has fraction and noise of a real saddle: anywhere, in limbs."""
    label = np.zeros(net.size, dtype=np.int32)
    parent = np.zeros(order.size + 1, dtype=np.int32)
    peak = np.zeros(order.size + 1, dtype=np.int64)
    count = 0
    for pixel in order:
        column = pixel % columns
        best = 0
        for dr in range(-1, 2):
            for dc in range(-1, 2):
                if (dr == 0 and dc == 0) or not 0 <= column + dc < columns:
                    continue
                neighbour = pixel + dr * columns + dc
                if not 0 <= neighbour < net.size or label[neighbour] == 0:
                    continue
                root = label[neighbour]
                while parent[root] != root:
                    root = parent[root]
                if best == 0:
                    best = root
                elif root != best:
                    low, high = (root, best) if net[peak[root]] < net[peak[best]] else (best, root)
                    drop = net[peak[low]] - net[pixel]
                    apart = False
                    for k in range(2 if limbs[peak[low]] else 1):
                        deep = drop >= (1 - least[k, 0]) * net[peak[low]]
                        apart = apart or (deep and drop >= least[k, 1] * noise[peak[low]])
                    if not apart:
                        parent[low] = high
                    best = high
        if best == 0:
            count += 1
            parent[count] = count
            peak[count] = pixel
            best = count
        label[pixel] = best
    for pixel in order:
        root = label[pixel]
        while parent[root] != root:
            root = parent[root]
        label[pixel] = root
    return label
