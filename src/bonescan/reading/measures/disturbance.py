"""What disturbs a picture: noise, saturation, motion, stray tracer.

Numbers only; `bonescan.reading.measures.quality` judges them.

Every function takes one view (or both) with its labels and gives plain numbers, or ``None`` where the picture does not
show what is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.model import BoneMap, LabelledView
from bonescan.scan import View

__all__ = [
    "Bladder",
    "Clipping",
    "Injection",
    "Jump",
    "bladder",
    "clipping",
    "counts_per_value",
    "injection_site",
    "lateral_jump",
    "shift_between_views",
    "soft_tissue_contrast",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_CEILINGS = (127.0, 255.0, 1023.0, 4095.0, 32767.0, 65535.0)
_ARM = ("radius", "ulna", "carpal", "metacarpal", "phalanx_hand")
_ONE_SIDED, _SAME_HEIGHT_MM = 2.0, 40.0
_TRUNK = ("skull", "mandible", "vertebra", "rib", "sternum", "clavicle", "scapula", "sacrum", "hip_bone", "femur")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clipping:
    """Pixels that do not show their counts: at the top of their number range, or wrapped past it to low values."""

    ceiling: float
    saturated_pixels: int
    wrapped_pixels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """The brightest place of the arms: its share of all counts, its side, and how far it exceeds the other arm."""

    share_percent: float
    side: str
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bladder:
    """The bladder's share of all counts, and the part of pelvis and sacrum it lies over."""

    counts_percent: float
    hidden_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """A sideways step of the body between two neighbouring rows."""

    row: int
    shift_mm: float


def counts_per_value(view: View, labelled: LabelledView) -> float | None:
    """Estimate how many detected counts one unit of pixel value stands for, from the noise.

    Parameters
    ----------
    view : View
    labelled : LabelledView

    Returns
    -------
    float or None
        Counts per unit of pixel value; ``None`` where the body is too small or shows no noise.

    Notes
    -----
    For values ``v = g n`` with n Poisson, var(v) / mean(v) = g. Sums over 3 x 3 pixels, so that most of the correlation
    that resizing brings stays within them, are combined over 2 x 2 neighbours ::

        m = (a + b + c + d) / 4,   e = (a - b - c + d) / 2,   g = (1.4826 median|e|)^2 / median m

    where e is free of any slope of the picture. Only the middle two fifths of the body's sums by size enter. Curvature
    of the picture adds to e; smoothing, as in resizing by interpolation, takes away: trust the result within a factor
    of 2, and read it as the number of counts whose noise the picture shows.
    """
    block = 3
    rows, columns = (size // block for size in view.counts.shape)
    if min(rows, columns) < 2:
        return None
    blocks = (slice(rows * block), slice(columns * block))
    sums = view.counts[blocks].astype(np.float64).reshape(rows, block, columns, block).sum((1, 3))
    inside = np.asarray(labelled.body[blocks].reshape(rows, block, columns, block).all((1, 3)))
    a, b, c, d = sums[:-1, :-1], sums[:-1, 1:], sums[1:, :-1], sums[1:, 1:]
    use = inside[:-1, :-1] & inside[:-1, 1:] & inside[1:, :-1] & inside[1:, 1:]
    mean, rest = ((a + b + c + d) / 4)[use], ((a - b - c + d) / 2)[use]
    if len(mean) < 200:
        return None
    low, high = np.quantile(mean, (0.3, 0.7))
    middle = (mean >= low) & (mean <= high) & (mean > 0)
    spread = 1.4826 * float(np.median(np.abs(rest[middle]))) if middle.any() else 0.0
    return float(np.median(mean[middle])) / spread**2 if spread > 0 else None


def clipping(view: View) -> Clipping:
    """Find pixels at the top of their number range, and pale holes where values wrapped past it.

    Parameters
    ----------
    view : View

    Returns
    -------
    Clipping

    Notes
    -----
    Saturated: at least four touching pixels at the picture's maximum, where that is the largest number of 7, 8, 10,
    12, 15 or 16 bits. Wrapped: the picture reaches within 3 % of such a number, and somewhere a patch below half of it
    is closed in by pixels above 80 % of it with no slope between. A camera's resolution (8 mm and more) allows no such
    edge.
    """
    counts = view.counts
    top = float(counts.max())
    ceiling = min(_CEILINGS, key=lambda limit: abs(math.log(limit / max(top, 1.0))))
    if not 0.97 * ceiling <= top <= ceiling:
        return Clipping(ceiling=ceiling, saturated_pixels=0, wrapped_pixels=0)
    saturated = 0
    if top == ceiling:
        patches, number = ndimage.label(counts == top)
        sizes = np.bincount(patches.ravel(), minlength=number + 1)[1:]
        saturated = int(sizes[sizes >= 4].sum())
    high = counts > 0.5 * ceiling
    patches, number = ndimage.label(ndimage.binary_fill_holes(high) & ~high)
    wrapped = 0
    for patch, box in enumerate(ndimage.find_objects(patches), start=1):
        around = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        hole = patches[around] == patch
        rim = ndimage.binary_dilation(hole) & ~hole
        if np.median(counts[around][rim]) > 0.8 * ceiling:
            wrapped += int(hole.sum())
    return Clipping(ceiling=ceiling, saturated_pixels=saturated, wrapped_pixels=wrapped)


def soft_tissue_contrast(view: View, labelled: LabelledView) -> float | None:
    """Lumbar spine over the soft tissue of the thighs.

    Parameters
    ----------
    view : View
    labelled : LabelledView

    Returns
    -------
    float or None
        Median counts per pixel over the middle of L2 to L4, over the mean of the thighs' soft tissue; ``None`` where
        either is out of view.
    """
    lumbar = [
        float(np.median(view.counts[one.box][one.thickness_mm > 0.5 * one.thickness_mm.max()]))
        for one in _maps(labelled, ("vertebra_l02", "vertebra_l03", "vertebra_l04"))
    ]
    thighs = np.zeros(labelled.body.shape, np.bool_)
    for one in _maps(labelled, ("femur",)):
        height = one.thickness_mm.shape[0]
        thighs[one.row + height // 3 : one.row + 2 * height // 3] = True
    row_mm, _ = labelled.pixel_mm
    margin = max(round(10 / row_mm), 1)
    limbs = labelled.shown(labelled.bones)
    soft = thighs & ndimage.binary_erosion(labelled.body, iterations=max(margin // 2, 1))
    soft &= ~ndimage.binary_dilation(limbs, iterations=margin)
    if not lumbar or soft.sum() < 200:
        return None
    background = float(view.counts[soft].mean(dtype=np.float64))
    return float(np.mean(lumbar)) / background if background > 0 else None


def bladder(view: View, labelled: LabelledView, outline: Mask | None = None) -> Bladder | None:
    """Measure the bladder: the brightest place of the true pelvis near the midline, and what was outlined as bladder.

    Parameters
    ----------
    view : View
    labelled : LabelledView
    outline : (row, column) ndarray of bool, optional
        Of the finding that was taken for the bladder, so that it is never told to be less.

    Returns
    -------
    Bladder or None
        ``None`` where the hip bones are out of view.

    Notes
    -----
    Searched within 50 mm of the hip bones' middle, over their lower three quarters. The brightest place reaches to 40 %
    of its own peak, and to no less than three times the median of the hip bones; fainter urine is measured within its
    outline.
    """
    hips = list(_maps(labelled, ("hip_bone",)))
    if len(hips) < 2:
        return None
    bone = labelled.shown(hips)
    x, z = labelled.x_mm, labelled.z_mm
    bottom, top = float(z[bone].min()), float(z[bone].max())
    middle = (float(x[bone].min()) + float(x[bone].max())) / 2
    zone = (np.abs(x - middle) < 50) & (z > bottom) & (z < bottom + 0.75 * (top - bottom))
    smooth = ndimage.gaussian_filter(view.counts.astype(np.float64), _sigma(labelled, 4.0))
    peak = np.unravel_index(int(np.argmax(np.where(zone, smooth, 0.0))), smooth.shape)
    level = max(0.4 * float(smooth[peak]), 3 * float(np.median(smooth[bone])))
    patch = np.zeros(smooth.shape, np.bool_) if outline is None else outline.copy()
    if zone.any() and smooth[peak] > level:
        patches, _ = ndimage.label(smooth > level)
        patch |= patches == patches[peak]
    pelvis = bone | labelled.shown(_maps(labelled, ("sacrum",)))
    return Bladder(
        counts_percent=100 * float(view.counts[patch].sum(dtype=np.float64)) / view.total_counts,
        hidden_percent=100 * float((patch & pelvis).sum()) / float(pelvis.sum()),
    )


def injection_site(view: View, labelled: LabelledView) -> Injection | None:
    """Find the brightest one-sided place of the arms and beside the body, and its share of the counts.

    Parameters
    ----------
    view : View
    labelled : LabelledView

    Returns
    -------
    Injection or None
        ``None`` where no arm is in view, or nothing there stands out.

    Notes
    -----
    Sought within 20 mm of elbow, forearm and hand, and beside the body below the shoulders. A place stands out when
    (smoothed by 4 mm) it is brighter than the median of the lumbar spine and twice as bright as anything on the other
    side within 40 mm of its height; it reaches down to a quarter of its peak. ``ratio`` is its peak over the other
    side's.
    """
    spine = [view.counts[one.box][one.thickness_mm > 0] for one in _maps(labelled, ("vertebra_l",))]
    arms = list(_maps(labelled, _ARM))
    if not spine or not arms:
        return None
    along, _ = labelled.pixel_mm
    zone = _arm_zone(labelled, arms)
    smooth = ndimage.gaussian_filter(view.counts.astype(np.float64), _sigma(labelled, 4.0))
    other = np.zeros(smooth.shape)
    for side, opposite in ((labelled.x_mm > 0, labelled.x_mm < 0), (labelled.x_mm < 0, labelled.x_mm > 0)):
        brightest = np.where(zone & opposite, smooth, 0.0).max(1)
        near = ndimage.maximum_filter1d(brightest, 2 * round(_SAME_HEIGHT_MM / along) + 1)
        other += np.where(side, near[:, None], 0.0)
    level = float(np.median(np.concatenate(spine)))
    stands_out = zone & (smooth > level) & (smooth > _ONE_SIDED * other)
    if not stands_out.any():
        return None
    peak = np.unravel_index(int(np.argmax(np.where(stands_out, smooth, 0.0))), smooth.shape)
    patches, _ = ndimage.label(zone & (smooth > 0.25 * smooth[peak]))
    return Injection(
        share_percent=100 * float(view.counts[patches == patches[peak]].sum(dtype=np.float64)) / view.total_counts,
        side="left" if labelled.x_mm[peak] > 0 else "right",
        ratio=float(smooth[peak]) / max(float(other[peak]), 0.01 * float(smooth[peak])),
    )


def _arm_zone(labelled: LabelledView, arms: Iterable[BoneMap]) -> Mask:
    """Elbow, forearm and hand, and what lies beside the body; not the trunk, thighs and upper arms."""
    along, _ = labelled.pixel_mm
    trunk = labelled.shown(_maps(labelled, _TRUNK))
    for one in _maps(labelled, ("humerus",)):
        upper = 3 * one.thickness_mm.shape[0] // 4
        trunk[one.box][:upper] |= one.thickness_mm[:upper] > 0
    zone = ndimage.binary_dilation(labelled.shown(arms), iterations=max(round(20 / along), 1))
    shoulders = list(_maps(labelled, ("scapula", "clavicle")))
    if shoulders and trunk.any():
        shown = labelled.shown(shoulders)
        beside = np.abs(labelled.x_mm) > float(np.abs(labelled.x_mm[shown]).max())
        zone |= beside & (labelled.z_mm < float(labelled.z_mm[shown].min()))
    return np.asarray(zone & ~ndimage.binary_dilation(trunk, iterations=max(round(15 / along), 1)))


def shift_between_views(
    front: tuple[View, LabelledView], back: tuple[View, LabelledView]
) -> dict[str, tuple[float, float]]:
    """How far head, arms and legs lie apart in the two views, in the body's frame.

    Parameters
    ----------
    front, back : (View, LabelledView)

    Returns
    -------
    dict of str to (x_mm, z_mm)
        Displacement of the back's picture against the front's, for every part both views show alike (correlation 0.5
        and more).

    Notes
    -----
    Square roots of counts, averaged on a 6 mm grid of the common frame; displacement of the largest correlation within
    42 mm each way.
    """
    parts = {
        "head": ("skull", "mandible"),
        "left arm": ("humerus_l", "radius_l", "ulna_l"),
        "right arm": ("humerus_r", "radius_r", "ulna_r"),
        "left leg": ("femur_l", "tibia_l", "fibula_l"),
        "right leg": ("femur_r", "tibia_r", "fibula_r"),
    }
    cell, reach = 6.0, 7
    found = {}
    for part, stems in parts.items():
        places = [
            np.column_stack([labelled.x_mm[shown], labelled.z_mm[shown]])
            for _, labelled in (front, back)
            if (shown := labelled.shown(_maps(labelled, stems))).any()
        ]
        if len(places) < 2:
            continue
        low = np.maximum(places[0].min(0), places[1].min(0)) - 3 * cell
        high = np.minimum(places[0].max(0), places[1].max(0)) + 3 * cell
        if ((high - low) < 10 * cell).any():
            continue
        fixed = _on_grid(*front, low, high, cell, 0)
        moving = _on_grid(*back, low, high, cell, reach)
        best = (-2.0, 0, 0)
        for i in range(2 * reach + 1):
            for j in range(2 * reach + 1):
                window = moving[i : i + fixed.shape[0], j : j + fixed.shape[1]]
                known = np.isfinite(window) & np.isfinite(fixed)
                if known.mean() < 0.7:
                    continue
                score = _correlation(fixed[known], window[known])
                best = max(best, (score, i, j))
        if best[0] >= 0.5:
            found[part] = ((best[2] - reach) * cell, (best[1] - reach) * cell)
    return found


def lateral_jump(view: View, labelled: LabelledView) -> Jump | None:
    """Find the largest sideways step of the body between neighbouring rows, as motion during the scan makes.

    Parameters
    ----------
    view : View
    labelled : LabelledView

    Returns
    -------
    Jump or None
        ``None`` where no step of 6 mm or more explains the rows clearly better than none.

    Notes
    -----
    The mean of the 12 mm above a row and that of the 12 mm below (square roots of counts, smoothed along the row) are
    correlated at every displacement up to 40 mm. A true step improves the correlation there by 0.08 and more;
    anatomy widens and narrows both sides alike and does not.
    """
    row_mm, column_mm = labelled.pixel_mm
    deep, reach = max(round(12 / row_mm), 3), max(round(40 / column_mm), 2)
    picture = ndimage.gaussian_filter1d(np.sqrt(view.counts.astype(np.float64)), 4 / column_mm, axis=1)
    picture[:, : reach + 1] = picture[:, -reach - 1 :] = 0
    above = ndimage.uniform_filter1d(picture, deep, axis=0, origin=(deep - 1) // 2)[:-1]
    below = ndimage.uniform_filter1d(picture, deep, axis=0, origin=-(deep // 2))[1:]
    scores = np.stack([_row_correlation(above, np.roll(below, -step, axis=1)) for step in range(-reach, reach + 1)])
    gain = scores.max(0) - scores[reach]
    steps = np.abs(scores.argmax(0) - reach) * column_mm
    widths = labelled.body.sum(1)[:-1] * column_mm
    clear = (gain > 0.08) & (steps >= 6) & (scores.max(0) > 0.8) & (widths > 80)
    clear[: 2 * deep] = clear[-2 * deep :] = False
    feet = labelled.shown(_maps(labelled, ("tarsal", "metatarsal", "phalanx_foot")))
    clear[np.asarray(feet.any(1))[:-1]] = False
    if not clear.any():
        return None
    row = int(np.argmax(np.where(clear, gain, 0.0)))
    return Jump(row=row, shift_mm=float((scores[:, row].argmax() - reach) * column_mm))


def _row_correlation(a: Array, b: Array) -> Array:
    a, b = a - a.mean(1, keepdims=True), b - b.mean(1, keepdims=True)
    return np.asarray((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1) + 1e-9))


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / math.sqrt(float((a * a).sum() * (b * b).sum()) + 1e-9))


def _on_grid(view: View, labelled: LabelledView, low: Array, high: Array, cell: float, margin: int) -> Array:
    """Mean square root of counts per cell of the body's frame, (z, x); NaN where no pixel falls."""
    size = np.ceil((high - low) / cell).astype(int) + 2 * margin
    column = np.floor((labelled.x_mm - low[0]) / cell).astype(int) + margin
    row = np.floor((labelled.z_mm - low[1]) / cell).astype(int) + margin
    inside = (column >= 0) & (column < size[0]) & (row >= 0) & (row < size[1])
    index = row[inside] * size[0] + column[inside]
    number = np.bincount(index, minlength=size[0] * size[1])
    total = np.bincount(index, np.sqrt(view.counts[inside].astype(np.float64)), size[0] * size[1])
    with np.errstate(invalid="ignore"):
        return np.asarray((total / number).reshape(size[1], size[0]))


def _maps(labelled: LabelledView, stems: tuple[str, ...]) -> Iterable[BoneMap]:
    return (one for one in labelled.bones if one.bone.startswith(stems))


def _sigma(labelled: LabelledView, mm: float) -> tuple[float, float]:
    along, across = labelled.pixel_mm
    return mm / along, mm / across
