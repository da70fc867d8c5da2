"""What this person's normal bone would look like in one view.

A hot spot is hot only against something. That something is built here for
every pixel from the person's own picture, in three readable steps:

1. *Along the bone.* Normal bone is longer than a lesion is wide: the median
   along a line of `LINE_MM`, in the direction that makes it largest, keeps
   ribs, shafts and the spine, and leaves out what is short in all directions.
2. *Left against right.* What stands on both sides alike, and mildly, is
   anatomy: the expectation may rise to the mirrored pixel's, by `MIRROR_GAIN`
   at most, so that a pair of strong foci still stands out.
3. *Never above normal.* Disease can fill a whole bone. The expectation is
   held below what a region or zone of this person would show at most, from a level
   taken from the low quantiles of the region, which falls back to what the whole
   skeleton predicts where the region is more likely diseased than naturally bright.

Noise is Poisson; where pixels are not counts, an effective gain
(variance = gain x mean) is measured in soft tissue.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.model import LabelledView
from bonescan.scan import View, ViewName

__all__ = ["CAMERA_FWHM_MM", "NormalView", "expect_normal", "gaussian_mm", "unwrap"]

CAMERA_FWHM_MM = 9.0
"""System resolution with a high-resolution collimator at 10 to 15 cm: 7.4 mm at 10 cm by the
makers' figures, a little more at a patient's depth."""

LINE_MM = 72.0
"""Length of the line whose median is normal bone: more than twice a 25 mm lesion seen through the camera."""

RAY_MM = 54.0
"""Length of the rays that start at the pixel: at the end of a bone a line through it leaves the bone."""

LINE_DIRECTIONS = 12
LINE_QUANTILE = 0.4
"""A little below the median, which offsets the noise that the best of `LINE_DIRECTIONS` directions picks up."""

MIRROR_GAIN = 2.0
LIMB_MIRROR_GAIN = 4.0
MIRROR_SLACK_MM = 12.0
LIMB_MIRROR_SLACK_MM = 36.0
FIRST_LIMB_REGION = 13
"""Forearm and hand, knee, leg and foot: compact joints, posed freely and rarely alike, where fewer than a tenth of
metastases lie. A pair counts as normal there up to `LIMB_MIRROR_GAIN` and over a wider neighbourhood."""

MIRROR_MIDLINE_MM = 35.0

MIDLINE_REGIONS = (1, 2, 3, 5, 9, 10)

DISEASE_PRIOR = 0.1
DISEASE_LOG_RANGE = math.log(5.0)
"""Share of regions in which disease reaches the 30th percentile, and how far it may raise it: metastases take up about
five times what normal bone does (Kuji 2017)."""

MARROW_REGIONS = frozenset({2, 3, 4, 5, 7, 9, 10, 11})
"""Spine, ribs, sternum, scapulae and pelvis: the red marrow, where metastases spread until they fill a region. Skull
and limbs are seldom filled, and differ more between healthy people (hyperostosis, use, vessels)."""

_QUARTILE_OF_BLOCKS = 0.80
"""Lower quartile over mean of the variance of a block holding about 20 independent values (chi-square)."""


@dataclass(frozen=True, slots=True)
class RegionPattern:
    """What a region normally shows in one view, relative to the skeleton.

    Parameters
    ----------
    share : float
        30th percentile of its pixels over the skeleton's level.
    spread : float
        Natural standard deviation of log ``share`` between people.
    tail : float
        Its 97th percentile over its 30th.

    Notes
    -----
    Shares are medians over the 36 outlined views of a development set at camera resolution. Tails are medians over
    19 people of it without widespread disease, both views, measured with this package's own labels, pixels near marked
    lesions left out; no picture is kept.
    Most of the spread of quantitative SPECT between people (0.26 to 0.32 of the mean in
    vertebrae; Cachovan 2013, doi:10.1186/2191-219X-3-45, Kuji 2017,
    doi:10.1186/s41824-017-0006-y) is common to all bones and leaves with the skeleton's level.
    """

    share: float
    spread: float
    tail: float


_PATTERNS: Mapping[ViewName, Mapping[int, RegionPattern]] = {
    ViewName.ANTERIOR: {
        1: RegionPattern(0.74, 0.45, 3.1),
        2: RegionPattern(1.75, 0.20, 1.8),
        3: RegionPattern(1.00, 0.15, 2.6),
        4: RegionPattern(0.57, 0.15, 2.2),
        5: RegionPattern(1.88, 0.15, 1.9),
        6: RegionPattern(0.80, 0.25, 2.2),
        7: RegionPattern(0.49, 0.20, 3.8),
        8: RegionPattern(0.35, 0.35, 4.0),
        9: RegionPattern(1.08, 0.15, 1.8),
        10: RegionPattern(1.04, 0.15, 1.8),
        11: RegionPattern(0.90, 0.15, 3.0),
        12: RegionPattern(0.49, 0.35, 2.0),
        13: RegionPattern(0.15, 0.45, 5.5),
        14: RegionPattern(0.16, 0.45, 3.9),
        15: RegionPattern(0.51, 0.40, 2.2),
        16: RegionPattern(0.20, 0.50, 3.2),
        17: RegionPattern(0.30, 0.50, 3.5),
    },
    ViewName.POSTERIOR: {
        1: RegionPattern(0.42, 0.45, 1.95),
        2: RegionPattern(0.70, 0.20, 1.7),
        3: RegionPattern(1.14, 0.15, 1.6),
        4: RegionPattern(0.38, 0.15, 2.2),
        6: RegionPattern(0.41, 0.25, 2.5),
        7: RegionPattern(0.45, 0.20, 1.9),
        8: RegionPattern(0.19, 0.35, 2.5),
        9: RegionPattern(1.13, 0.15, 1.7),
        10: RegionPattern(1.01, 0.15, 2.05),
        11: RegionPattern(0.48, 0.15, 3.8),
        12: RegionPattern(0.24, 0.35, 2.5),
        13: RegionPattern(0.10, 0.45, 6.0),
        14: RegionPattern(0.11, 0.45, 4.4),
        15: RegionPattern(0.24, 0.40, 2.1),
        16: RegionPattern(0.11, 0.50, 2.9),
        17: RegionPattern(0.12, 0.50, 4.6),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalView:
    """One view, and what normal bone would show in it.

    Parameters
    ----------
    name : ViewName
    counts : (row, column) ndarray of float32
        The view's pixels, wrapped ones restored.
    smooth : (row, column) ndarray of float32
        The same at `CAMERA_FWHM_MM`.
    expected : (row, column) ndarray of float32
        Upper envelope of normal uptake, counts per pixel: what hot spots are held against.
    mirrored : (row, column) ndarray of float32
        What the other side of the body shows in the same place; NaN where there is none.
    gain : float
        Variance over mean of a pixel; 1 for counts.
    row_mm, column_mm : float
        Pixel size in the body's frame (the labels' x and z), not the file's.
    restored : (row, column) ndarray of bool
        Pixels whose value had wrapped around or saturated.
    skeleton_level : float
        Counts per pixel of a region with share 1.
    levels : mapping of int to float
        Counts per pixel of each region, at its 30th percentile were it normal.
    """

    name: ViewName
    counts: NDArray[np.float32]
    smooth: NDArray[np.float32]
    expected: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    gain: float
    row_mm: float
    column_mm: float
    restored: NDArray[np.bool_]
    skeleton_level: float
    levels: Mapping[int, float]


_SCAPULA, _HUMERUS, _PELVIS, _FEMUR = 7, 8, 11, 12
_ZONE_TAILS: Mapping[ViewName, Mapping[int, tuple[float, ...]]] = {
    ViewName.ANTERIOR: {
        _SCAPULA: (1.9, 4.7, 4.3),
        _HUMERUS: (2.0, 5.2),
        _PELVIS: (1.9, 2.1, 3.0, 3.1, 3.2),
        _FEMUR: (1.8, 2.9),
    },
    ViewName.POSTERIOR: {
        _SCAPULA: (2.3, 1.7, 2.1),
        _HUMERUS: (1.9, 3.3),
        _PELVIS: (4.0, 1.9, 2.7, 2.7, 1.4),
        _FEMUR: (1.8, 3.4),
    },
}
"""Tails by zone (see `_zones`), where one bone holds both cancellous ends and cortical shaft, or lies at very different
depths: the ends of humerus and femur take up several times what their shafts do, the shoulder joint faces the front,
the scapula's lower angle lies on ribs, and the front camera sees the iliac spine edge on. Medians, but near
the lower quartile for ischium and pubis from the front (urine overlies them) and for the sacroiliac zone from behind
(disease often fills it)."""


def expect_normal(view: View, labelled: LabelledView) -> NormalView:
    """Build the normal expectation of one view.

    Parameters
    ----------
    view : View
    labelled : LabelledView
        The same view's labels; regions, body and the x, z frame are used.

    Returns
    -------
    NormalView
    """
    counts, restored = unwrap(view.counts)
    row_mm, column_mm = _frame_mm(view, labelled)
    smooth = gaussian_mm(counts, CAMERA_FWHM_MM, row_mm, column_mm)
    gain = _gain(counts, smooth, labelled, row_mm, column_mm, raw=view.counts_are_raw)
    skeleton_level, levels = _levels(view.name, smooth, labelled.regions)
    ceiling = _ceiling(view.name, smooth, labelled, levels, row_mm, column_mm)
    highest = _along_bone(smooth, labelled.body, row_mm, column_mm)
    mirrored = _mirrored(smooth, labelled)
    other = np.nan_to_num(mirrored, nan=0.0)
    pair = np.minimum(other, MIRROR_GAIN * highest)
    limbs = np.where(labelled.regions >= FIRST_LIMB_REGION, np.minimum(other, LIMB_MIRROR_GAIN * highest), 0.0)
    return NormalView(
        name=view.name,
        counts=counts,
        smooth=smooth,
        expected=np.maximum(np.minimum(np.maximum(highest, pair), ceiling), limbs).astype(np.float32),
        mirrored=mirrored,
        gain=gain,
        row_mm=row_mm,
        column_mm=column_mm,
        restored=restored,
        skeleton_level=skeleton_level,
        levels=levels,
    )


def gaussian_mm(image: NDArray[np.float32], fwhm_mm: float, row_mm: float, column_mm: float) -> NDArray[np.float32]:
    """Blur with a Gaussian of the given full width at half maximum.

    Parameters
    ----------
    image : (row, column) ndarray of float32
        In any unit; its border is continued outwards.
    fwhm_mm : float
        Full width at half maximum, mm, the same along rows and columns.
    row_mm, column_mm : float
        Distance of neighbouring rows and columns, mm.

    Returns
    -------
    (row, column) ndarray of float32
        In the unit of ``image``, whose sum it keeps away from the border.
    """
    sigma_mm = fwhm_mm / math.sqrt(8 * math.log(2))
    blurred = ndimage.gaussian_filter(image, (sigma_mm / row_mm, sigma_mm / column_mm), mode="nearest", truncate=3.0)
    return np.asarray(blurred, dtype=np.float32)


def unwrap(counts: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Restore 8-bit pixels that wrapped around: a pale hole with a cliff inside a full focus.

    Parameters
    ----------
    counts : (row, column) ndarray

    Returns
    -------
    counts : (row, column) ndarray of float32
        With 256 added in the wrapped pixels.
    restored : (row, column) ndarray of bool
        Wrapped pixels, and those clipped at 255.

    Notes
    -----
    A camera cannot show a fall from full scale to below half of it between two
    neighbours: over one pixel of 2 mm its point spread (9 mm) keeps more than
    80 %. Such cliffs enclosed by pixels at full scale are arithmetic.
    """
    counts = np.asarray(counts, dtype=np.float32)
    if not 250 <= float(counts.max()) <= 255:
        return counts, np.zeros(counts.shape, dtype=np.bool_)
    full = counts >= 224
    closed = ndimage.binary_closing(np.pad(full, 4), iterations=3)[4:-4, 4:-4]
    enclosed = ndimage.binary_fill_holes(closed | full)
    wrapped = np.zeros(counts.shape, dtype=np.bool_)
    holes, number = ndimage.label(enclosed & (counts < 128))
    for hole in range(1, number + 1):
        inside = holes == hole
        border = ndimage.binary_dilation(inside) & ~inside & (counts >= 128)
        if border.any() and float(np.median(counts[border])) >= 224:
            wrapped |= inside
    restored = np.where(wrapped, counts + np.float32(256), counts)
    return restored, wrapped | (counts >= 255)


def _frame_mm(view: View, labelled: LabelledView) -> tuple[float, float]:
    """Pixel size in the body's frame; the file's where the labels have none."""
    row_mm = float(np.median(np.abs(np.diff(labelled.z_mm, axis=0))))
    column_mm = float(np.median(np.abs(np.diff(labelled.x_mm, axis=1))))
    if not (0.2 < row_mm < 20 and 0.2 < column_mm < 20):
        return view.row_spacing_mm, view.column_spacing_mm
    return row_mm, column_mm


def _gain(
    counts: NDArray[np.float32],
    smooth: NDArray[np.float32],
    labelled: LabelledView,
    row_mm: float,
    column_mm: float,
    *,
    raw: bool,
) -> float:
    """Variance over mean of the noise, as a filter of the camera's width feels it.

    The difference of two Gaussians (8 and 12 mm) responds to white noise of unit variance per
    pixel with variance ``sum(kernel**2)``. In soft tissue, block by block,

        gain = var(response) / (mean * sum(kernel**2)),

    and the lower quartile of the blocks is free of what little structure soft tissue has.
    Neighbouring pixels made one by interpolation raise it, averaging lowers it.
    Raw counts never get less than Poisson's 1.
    """
    narrow, wide = 8.0, 12.0
    response = gaussian_mm(counts, narrow, row_mm, column_mm) - gaussian_mm(counts, wide, row_mm, column_mm)
    impulse = np.zeros((65, 65), dtype=np.float32)
    impulse[32, 32] = 1
    kernel = gaussian_mm(impulse, narrow, row_mm, column_mm) - gaussian_mm(impulse, wide, row_mm, column_mm)
    power = float((kernel.astype(np.float64) ** 2).sum())
    margin = max(2, round(2 * CAMERA_FWHM_MM / row_mm))
    flat = ndimage.binary_erosion(labelled.body & (labelled.regions == 0), iterations=margin) & (smooth > 0.2)
    size = max(8, round(48.0 / row_mm))
    rows, columns = counts.shape
    ratios = []
    for row in range(0, rows - size + 1, size):
        for column in range(0, columns - size + 1, size):
            block = (slice(row, row + size), slice(column, column + size))
            inside = flat[block]
            if inside.sum() >= 0.4 * size * size:
                values = response[block][inside] / np.sqrt(smooth[block][inside] * power)
                ratios.append(float(np.var(values)))
    if len(ratios) < 6:
        return 1.0
    gain = float(np.percentile(ratios, 25)) / _QUARTILE_OF_BLOCKS
    return max(1.0, gain) if raw else max(0.05, gain)


def _levels(name: ViewName, smooth: NDArray[np.float32], regions: NDArray[np.uint8]) -> tuple[float, dict[int, float]]:
    """The skeleton's level, and every region's, as if there were no disease.

    The 30th percentile of a region stays normal until two thirds of it are
    diseased. Over its natural share it estimates the skeleton's level; the 40th percentile of these
    estimates, weighted by the inverse square of their natural spread, stays normal while most
    of the axial skeleton is. How far a region's own level may differ from what the skeleton
    predicts says `_healthy_departure`; two standard deviations of its natural spread outside the red marrow.
    """
    patterns = _PATTERNS[name]
    quantiles: dict[int, float] = {}
    for region in patterns:
        values = smooth[regions == region]
        if values.size >= 60:
            quantiles[region] = max(float(np.percentile(values, 30)), 1e-3)
    trunk = [r for r in quantiles if r <= 12] or list(quantiles)
    if not trunk:
        return 1.0, {}
    estimates = np.array([math.log(quantiles[r] / patterns[r].share) for r in trunk])
    weight = np.array([patterns[r].spread ** -2 for r in trunk])
    order = np.argsort(estimates)
    cumulative = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
    log_level = float(np.interp(0.4, cumulative, estimates[order]))
    levels = {}
    for region, quantile in quantiles.items():
        predicted, spread = log_level + math.log(patterns[region].share), patterns[region].spread
        seen = math.log(quantile) - predicted
        departure = _healthy_departure(seen, spread) if region in MARROW_REGIONS else min(seen, 2 * spread)
        levels[region] = math.exp(predicted + max(departure, -2 * spread))
    return math.exp(log_level), levels


def _healthy_departure(seen: float, spread: float) -> float:
    """How far a region's normal level lies from the predicted one, given how far its own quantile does (logarithms).

    What is seen is either the healthy departure ``h``, normal with standard deviation ``spread``, or disease, which
    may put it anywhere up to `DISEASE_LOG_RANGE` above. With w the probability of the former, the expectation is ::

        E[h] = w * seen,   w = (1 - p) N(seen; 0, spread) / ((1 - p) N(seen; 0, spread) + p / DISEASE_LOG_RANGE)

    and below the prediction, where disease explains nothing, w is 1.
    """
    if seen <= 0:
        return seen
    healthy = (1 - DISEASE_PRIOR) * math.exp(-0.5 * (seen / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
    return seen * healthy / (healthy + DISEASE_PRIOR / DISEASE_LOG_RANGE)


def _ceiling(
    name: ViewName,
    smooth: NDArray[np.float32],
    labelled: LabelledView,
    levels: Mapping[int, float],
    row_mm: float,
    column_mm: float,
) -> NDArray[np.float32]:
    """The most a pixel may show and still be normal: each region's level times its tail.

    Soft tissue may reach twice its median. Regions lend their ceiling to
    neighbours within the camera's resolution, whose pixels they blur into.
    """
    patterns = _PATTERNS[name]
    soft = smooth[labelled.body & (labelled.regions == 0)]
    soft_level = float(np.median(soft)) if soft.size else 0.0
    table = np.full(256, 2.0 * soft_level, dtype=np.float32)
    for region, level in levels.items():
        table[region] = level * patterns[region].tail
    ceiling = table[labelled.regions]
    for region, tails in _ZONE_TAILS[name].items():
        inside = labelled.regions == region
        if region in levels:
            zones = _zones(region, labelled.x_mm[inside], labelled.z_mm[inside])
            ceiling[inside] = levels[region] * np.asarray(tails, dtype=np.float32)[zones]
    reach = (1 + 2 * round(CAMERA_FWHM_MM / row_mm), 1 + 2 * round(CAMERA_FWHM_MM / column_mm))
    widened = ndimage.maximum_filter(ceiling, size=reach)
    return gaussian_mm(widened, CAMERA_FWHM_MM, row_mm, column_mm)


def _zones(region: int, x_mm: NDArray[np.float32], z_mm: NDArray[np.float32]) -> NDArray[np.int64]:
    """Parts of one region, by height and distance from the midline in the body's frame.

    Scapula: 0 lower angle, 1 joint and blade, 2 acromion and spine. Humerus and femur: 0 shaft, 1 proximal quarter.
    Pelvis: 0 sacroiliac, 1 iliac wing, 2 acetabular, 3 ischiopubic, 4 iliac spine and crest (the outermost fifth).
    """
    bottom, top = np.percentile(z_mm, [2, 98])
    height = (z_mm - bottom) / max(float(top - bottom), 1.0)
    if region == _SCAPULA:
        return np.asarray(np.digitize(height, (0.35, 0.75)), dtype=np.int64)
    if region in (_HUMERUS, _FEMUR):
        return np.asarray(np.digitize(height, (0.75,)), dtype=np.int64)
    lateral = np.abs(x_mm) / max(float(np.percentile(np.abs(x_mm), 98)), 1.0)
    upper = height > 0.5
    return np.select(
        [upper & (lateral < 0.55), upper & (lateral > 0.78), upper, height > 0.25], [0, 4, 1, 2], default=3
    )


def _along_bone(
    smooth: NDArray[np.float32], body: NDArray[np.bool_], row_mm: float, column_mm: float
) -> NDArray[np.float32]:
    """Highest, over directions, of the `LINE_QUANTILE` along a line of `LINE_MM` through every body pixel."""
    samples = 15
    angles = np.arange(2 * LINE_DIRECTIONS) * math.pi / LINE_DIRECTIONS
    through = np.outer(np.ones(LINE_DIRECTIONS), np.linspace(-LINE_MM / 2, LINE_MM / 2, samples))
    onward = np.outer(np.ones(LINE_DIRECTIONS), np.linspace(0.0, RAY_MM, samples))
    distance = np.concatenate([through, onward])
    direction = np.concatenate([angles[:LINE_DIRECTIONS], angles[::2]])[:, None]
    row_offsets = np.rint(np.sin(direction) * distance / row_mm).astype(np.int64)
    column_offsets = np.rint(np.cos(direction) * distance / column_mm).astype(np.int64)
    stride = 2 if max(row_mm, column_mm) < 3 else 1
    highest = np.asarray(_line_levels(smooth, body, row_offsets, column_offsets, stride), dtype=np.float32)
    return highest if stride == 1 else _enlarge(highest, smooth.shape, stride)


def _enlarge(small: NDArray[np.float32], shape: tuple[int, ...], stride: int) -> NDArray[np.float32]:
    """Bilinear interpolation of a picture sampled at every ``stride``-th pixel."""
    rows = np.minimum(np.arange(shape[0]) / stride, small.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) / stride, small.shape[1] - 1)
    r0 = np.minimum(rows.astype(np.int64), small.shape[0] - 2)
    c0 = np.minimum(columns.astype(np.int64), small.shape[1] - 2)
    fr, fc = (rows - r0)[:, None], (columns - c0)[None, :]
    upper = small[r0][:, c0] * (1 - fc) + small[r0][:, c0 + 1] * fc
    lower = small[r0 + 1][:, c0] * (1 - fc) + small[r0 + 1][:, c0 + 1] * fc
    return np.asarray(upper * (1 - fr) + lower * fr, dtype=np.float32)


@numba.njit(cache=True, nogil=True)
def _line_levels(
    image: NDArray[np.float32],
    body: NDArray[np.bool_],
    row_offsets: NDArray[np.int64],
    column_offsets: NDArray[np.int64],
    stride: int,
) -> NDArray[np.float32]:
    rows, columns = image.shape
    directions, samples = row_offsets.shape
    high = np.zeros(((rows + stride - 1) // stride, (columns + stride - 1) // stride), dtype=np.float32)
    rank = int(LINE_QUANTILE * (samples - 1) + 0.5)
    line = np.empty(rank + 1, dtype=np.float32)  # the smallest values of a line, sorted
    for i in range(high.shape[0]):
        for j in range(high.shape[1]):
            row, column = i * stride, j * stride
            if not body[row, column]:
                high[i, j] = image[row, column]
                continue
            best = np.float32(-1.0)
            for d in range(directions):
                kept = 0
                for k in range(samples):
                    r, c = row + row_offsets[d, k], column + column_offsets[d, k]
                    value = image[min(max(r, 0), rows - 1), min(max(c, 0), columns - 1)]
                    if kept > rank:
                        if value >= line[rank]:
                            continue
                    else:
                        kept += 1
                    at = kept - 1
                    while at > 0 and line[at - 1] > value:
                        line[at] = line[at - 1]
                        at -= 1
                    line[at] = value
                level = line[rank]
                best = max(best, level)
            high[i, j] = best
    return high


def _mirrored(smooth: NDArray[np.float32], labelled: LabelledView) -> NDArray[np.float32]:
    """The brightest within `MIRROR_SLACK_MM` of the pixel at (-x, z), for bones that come in pairs.

    Pixels nearer the midline than `MIRROR_MIDLINE_MM`, and regions that
    cross it, have no other side and get NaN.
    """
    x, z = labelled.x_mm, labelled.z_mm
    row_mm = float(np.median(np.abs(np.diff(z, axis=0)))) or 1.0
    column_mm = float(np.median(np.abs(np.diff(x, axis=1)))) or 1.0
    near, far = (
        ndimage.maximum_filter(smooth, size=(1 + 2 * round(slack / row_mm), 1 + 2 * round(slack / column_mm)))
        for slack in (MIRROR_SLACK_MM, LIMB_MIRROR_SLACK_MM)
    )
    rows, columns = np.indices(smooth.shape)
    # x grows or falls along columns almost linearly: one Newton step from the pixel reaches -x.
    slope_x = np.gradient(x, axis=1)
    slope_z = np.gradient(z, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        column = np.rint(columns - 2 * x / slope_x)
    inside = np.isfinite(column) & (column >= 0) & (column < smooth.shape[1])
    column = np.where(inside, column, 0).astype(np.int64)
    with np.errstate(divide="ignore", invalid="ignore"):
        row = np.rint(rows + (z - z[rows, column]) / slope_z)
    inside &= np.isfinite(row) & (row >= 0) & (row < smooth.shape[0])
    row = np.where(inside, row, 0).astype(np.int64)
    brightest = np.where(labelled.regions >= FIRST_LIMB_REGION, far[row, column], near[row, column])
    paired = inside & (np.abs(x) >= MIRROR_MIDLINE_MM) & ~np.isin(labelled.regions, MIDLINE_REGIONS)
    return np.where(paired, brightest, np.nan).astype(np.float32)
