"""What a posed skeleton looks like under a camera, cheaply, and views prepared to be compared with it.

The skeleton is a cloud of points weighted by textbook uptake and by attenuation
towards the camera, splatted on a working grid, blurred and compressed by a
square root. View and picture are then standardised locally,

    n(f) = (f - mean(f)) / (sd(f) + floor),   mean and sd in a window of two boxes,

so that neither hot spots nor a region's level matters much.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.body import TISSUE_MU_PER_MM
from bonescan.anatomy.pose import curve_basis, segment_maps
from bonescan.anatomy.skeleton import Skeleton
from bonescan.errors import LabellingFailed
from bonescan.scan import View

__all__ = [
    "FLOOR",
    "FRAME",
    "OFFSET",
    "Cloud",
    "Level",
    "blur",
    "box_matrix",
    "exposed_fields",
    "point_cloud",
    "prepare",
    "render",
    "render_all",
]

Array = NDArray[np.float64]

FRAME = 6  # numbers of a frame: row shift, column shift, row scale, column scale, tilt, shear
FLOOR = 0.05  # of the local standard deviation: empty air stays quiet
OFFSET = 0.04  # of the compressed scale: thin soft tissue stays quiet
_HOT = 1.6  # times the 97th percentile of the body: bladder, injection site, the hottest lesions
_HOT_REACH_FRACTION = 0.006  # about 10 mm of an adult
_WINDOW_FRACTION = 0.032  # half width of a box: about 55 mm of an adult

# Relative uptake per volume of normal adult bone at three hours, scaled to the lumbar spine.
# Trabecular ends above cortical shafts, axial above peripheral skeleton.
_UPTAKE = {
    "skull": 0.55, "mandible": 0.6, "hyoid": 0.1, "vertebra_c": 0.8, "vertebra_t": 1.0, "vertebra_l": 1.0,
    "rib": 0.9, "sternum": 0.7, "sacrum": 1.0, "hip_bone": 0.9, "clavicle": 0.9, "scapula": 1.0,
    "humerus": 0.45, "radius": 0.4, "ulna": 0.4, "carpal": 0.6, "metacarpal": 0.4, "phalanx": 0.4,
    "femur": 0.45, "patella": 0.6, "tibia": 0.45, "fibula": 0.3, "tarsal": 0.6, "metatarsal": 0.4, "sesamoid": 0.3,
}  # fmt: skip
_ENDS = {"humerus": 1.0, "femur": 0.9, "tibia": 0.9, "radius": 0.8, "ulna": 0.8}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cloud:
    """The skeleton as weighted points: what one looks like under a camera, cheaply."""

    points: Array
    segment: NDArray[np.int64]
    weight: Array
    curve: Array


def point_cloud(skeleton: Skeleton, point_volume_mm3: float) -> Cloud:
    """Fill every ellipsoid with points, one or more, each standing for about ``point_volume_mm3``.

    Parameters
    ----------
    skeleton : Skeleton
    point_volume_mm3 : float

    Returns
    -------
    Cloud
    """
    volumes = skeleton.volumes_mm3()
    counts = np.maximum(1, np.round(volumes / point_volume_mm3).astype(int))
    unit = _ball_points(int(counts.max()))
    points, segment, weight = [], [], []
    for k, count in enumerate(counts):
        inside = unit[:count] if count > 1 else np.zeros((1, 3))
        spots = skeleton.centres_mm[k] + inside @ skeleton.axes_mm[k].T
        bone = skeleton.bones[skeleton.bone_index[k]]
        prefix = next(prefix for prefix in _UPTAKE if bone.startswith(prefix))
        level = np.full(count, _UPTAKE[prefix])
        if prefix in _ENDS:
            own = skeleton.centres_mm[skeleton.bone_index == skeleton.bone_index[k]]
            low, high = own[:, 2].min(), own[:, 2].max()
            to_end = np.minimum(spots[:, 2] - low, high - spots[:, 2]) / (high - low)
            level += (_ENDS[prefix] - level) * np.clip(1 - to_end / 0.15, 0, 1)
        points.append(spots)
        segment.append(np.full(count, skeleton.segment_index[k]))
        weight.append(level * volumes[k] / count)
    cloud = np.concatenate(points)
    return Cloud(
        points=cloud,
        segment=np.concatenate(segment),
        weight=np.concatenate(weight) / 1000,
        curve=curve_basis(cloud[:, 2]),
    )


def _ball_points(count: int) -> Array:
    """A low-discrepancy filling of the unit ball, (point, 3) ndarray; the same every time."""
    k = np.arange(count) + 0.5
    radius = ((k * 0.618033988749895) % 1.0) ** (1 / 3)
    height = 1 - 2 * ((k * 0.754877666246693) % 1.0)
    turn = 2 * np.pi * ((k * 0.569840290998053) % 1.0)
    flat = np.sqrt(1 - height**2)
    return np.asarray(radius[:, None] * np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=1))


# --- the picture of a pose -------------------------------------------------------------------


@numba.njit(cache=True, fastmath=True)
def blur(picture, kernel, scratch):  # type: ignore[no-untyped-def]
    """Separable convolution in place; outside the picture is zero.

    Parameters
    ----------
    picture, scratch : (row, column) ndarray of float32
    kernel : (half + 1,) ndarray of float32
        From its middle outwards.

    Returns
    -------
    None
    """
    rows, columns = picture.shape
    half = kernel.shape[0] - 1
    for r in range(rows):
        for c in range(columns):
            scratch[r, c] = kernel[0] * picture[r, c]
        for k in range(1, half + 1):
            w = kernel[k]
            for c in range(columns - k):
                scratch[r, c] += w * picture[r, c + k]
            for c in range(k, columns):
                scratch[r, c] += w * picture[r, c - k]
    for r in range(rows):
        for c in range(columns):
            picture[r, c] = kernel[0] * scratch[r, c]
        for k in range(1, half + 1):
            w = kernel[k]
            if r + k < rows:
                for c in range(columns):
                    picture[r, c] += w * scratch[r + k, c]
            if r - k >= 0:
                for c in range(columns):
                    picture[r, c] += w * scratch[r - k, c]


@numba.njit(cache=True, fastmath=True)
def _box(picture, half, scratch):  # type: ignore[no-untyped-def]
    """Moving average over ``2 half + 1`` pixels along rows and columns, in place; zero outside."""
    rows, columns = picture.shape
    scale = np.float32(1 / (2 * half + 1))
    for r in range(rows):
        total = np.float32(0)
        for c in range(min(half, columns)):
            total += picture[r, c]
        for c in range(columns):
            if c + half < columns:
                total += picture[r, c + half]
            scratch[r, c] = total * scale
            if c - half >= 0:
                total -= picture[r, c - half]
    line = np.zeros(columns, dtype=np.float32)
    for r in range(min(half, rows)):
        for c in range(columns):
            line[c] += scratch[r, c]
    for r in range(rows):
        if r + half < rows:
            for c in range(columns):
                line[c] += scratch[r + half, c]
        for c in range(columns):
            picture[r, c] = line[c] * scale
        if r - half >= 0:
            for c in range(columns):
                line[c] -= scratch[r - half, c]


@numba.njit(cache=True, fastmath=True)
def _standardise(picture, half, floor, mean, square, scratch):  # type: ignore[no-untyped-def]
    """``(f - mean) / (sd + floor)`` in place, moments in a window of two boxes (nearly Gaussian)."""
    rows, columns = picture.shape
    for r in range(rows):
        for c in range(columns):
            mean[r, c] = picture[r, c]
            square[r, c] = picture[r, c] * picture[r, c]
    for _ in range(2):
        _box(mean, half, scratch)
        _box(square, half, scratch)
    for r in range(rows):
        for c in range(columns):
            spread = square[r, c] - mean[r, c] * mean[r, c]
            spread = math.sqrt(spread) if spread > 0 else 0.0
            picture[r, c] = (picture[r, c] - mean[r, c]) / (spread + floor)


@numba.njit(cache=True, fastmath=True)
def render(maps, curve, frame, side, points, segment, weight, basis, psf, scale, out, scratch):  # type: ignore[no-untyped-def]
    """Splat the posed points on the pixels, attenuated towards the camera; blur; square root, zero in empty air."""
    rows, columns = out.shape
    out[:, :] = 0.0
    for p in range(points.shape[0]):
        x0 = points[p, 0] + basis[p, 0] * curve[0] + basis[p, 1] * curve[1] + basis[p, 2] * curve[2]
        y0, z0 = points[p, 1], points[p, 2]
        m = maps[segment[p]]
        x = m[0, 0] * x0 + m[0, 1] * y0 + m[0, 2] * z0 + m[0, 3]
        y = m[1, 0] * x0 + m[1, 1] * y0 + m[1, 2] * z0 + m[1, 3]
        z = m[2, 0] * x0 + m[2, 1] * y0 + m[2, 2] * z0 + m[2, 3] - 900.0
        row = frame[0] - frame[2] * (z - frame[4] * x)
        column = frame[1] + frame[3] * (x + frame[5] * z)
        r, c = math.floor(row), math.floor(column)
        if r < 0 or c < 0 or r >= rows - 1 or c >= columns - 1:
            continue
        a, b = row - r, column - c
        w = weight[p] * math.exp(TISSUE_MU_PER_MM * side * y)
        out[r, c] += w * (1 - a) * (1 - b)
        out[r + 1, c] += w * a * (1 - b)
        out[r, c + 1] += w * (1 - a) * b
        out[r + 1, c + 1] += w * a * b
    blur(out, psf, scratch)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = math.sqrt(min(out[r, c] * scale, 1.0) + OFFSET) - math.sqrt(OFFSET)


@numba.njit(cache=True, nogil=True)
def _render_body(theta, sides, scales, tree, cloud, psf, half, floor, out, scratch):  # type: ignore[no-untyped-def]
    """Standardised pictures of one parameter vector, (view, row, column)."""
    parents, pivots, pivot_curve, slots, signs = tree
    points, segment, weight, basis = cloud
    count = slots.shape[0]
    maps, curve = segment_maps(theta[:count], parents, pivots, pivot_curve, slots, signs)
    for v in range(sides.shape[0]):
        start = count + v * FRAME
        frame = theta[start : start + FRAME]
        render(maps, curve, frame, sides[v], points, segment, weight, basis, psf, scales[v], out[v], scratch[0])
        _standardise(out[v], half, floor, scratch[0], scratch[1], scratch[2])


def render_all(
    thetas: Array,
    sides: Array,
    scales: Array,
    tree: tuple[NDArray[np.int64], Array, Array, NDArray[np.int64], Array],
    cloud: tuple[Array, NDArray[np.int64], Array, Array],
    psf: NDArray[np.float32],
    half: int,
    floor: float,
    shape: tuple[int, ...],
    out: NDArray[np.float32],
) -> None:
    """Standardised pictures of many parameter vectors, on every core.

    Parameters
    ----------
    thetas : (vector, parameter) ndarray
        Pose, then one frame of `FRAME` numbers a view.
    sides : (view,) ndarray
        -1 anterior, 1 posterior.
    scales : (view,) ndarray
        Of the pictures' counts, so that they meet the views'.
    tree : tuple of ndarray
        From `tree_arrays`.
    cloud : tuple of ndarray
        Points, segment, weight and curve of a `Cloud`.
    psf : (half + 1,) ndarray of float32
    half, floor : int, float
        Window and floor of the standardisation.
    shape : (rows, columns)
    out : (vector, view, row, column) ndarray of float32
        Takes the pictures.

    Notes
    -----
    Plain threads over compiled code that lets go of the interpreter: a parallel loop within the compiled code takes
    3 s more to compile and, with two threads, a third more processor time. No picture depends on another, so none
    depends on the threads.
    """
    threads = min(numba.get_num_threads(), len(thetas))

    def every(first: int) -> None:
        scratch = np.empty((3, *shape), dtype=np.float32)
        for t in range(first, len(thetas), threads):
            _render_body(thetas[t], sides, scales, tree, cloud, psf, half, floor, out[t], scratch)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(every, range(threads)))


def _half_kernel(sigma: float) -> NDArray[np.float32]:
    k = np.arange(math.ceil(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (k / sigma) ** 2)
    return np.asarray(kernel / (kernel[0] + 2 * kernel[1:].sum()), dtype=np.float32)


# --- the views, prepared the same way --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """The views at one working resolution, standardised, and the kernels that go with it."""

    targets: NDArray[np.float32]
    trust: NDArray[np.float32]  # 0 where a spot is too hot for bone, else 1
    factors: Array  # working pixels per view pixel, (view, 2)
    psf: NDArray[np.float32]
    window_half: int
    body_rows: int
    head_rows: Array
    foot_rows: Array
    middle_columns: Array


def prepare(
    views: tuple[View, ...], rows: int, body_rows: int | None = None, ignored: tuple[NDArray[np.bool_], ...] = ()
) -> Level:
    """Resample the views to a working grid, cap the hottest pixels, compress and standardise.

    Parameters
    ----------
    views : tuple of View
    rows : int
        Of the working grid; its pixels are square if the first view's spacing is true.
    body_rows : int, optional
        Rows that a whole body would fill; without it, the views are taken to show one.
    ignored : tuple of (row, column) ndarray of bool
        For every view what is known not to be bone, or nothing at all.

    Returns
    -------
    Level

    Raises
    ------
    LabellingFailed
        For a view without counts, or of a shape in which no body lies.
    """
    spacing = views[0]
    for view in views:
        if not view.counts.any():
            raise LabellingFailed(f"The {view.name} view holds no counts, so there is no body to label in it.")
        height = view.counts.shape[0] * view.row_spacing_mm
        if not 1 / 8 <= height / (view.counts.shape[1] * view.column_spacing_mm) <= 20:
            raise LabellingFailed(
                f"The {view.name} view is {view.counts.shape[0]} x {view.counts.shape[1]} pixels: no body is labelled "
                "in so long or flat a picture.",
                shape=view.counts.shape,
            )
    rows_mm = spacing.counts.shape[0] * spacing.row_spacing_mm / rows
    columns = max(16, round(spacing.counts.shape[1] * spacing.column_spacing_mm / rows_mm))
    body_rows = body_rows or rows
    window_half = max(2, round(body_rows * _WINDOW_FRACTION))
    targets = np.empty((len(views), rows, columns), dtype=np.float32)
    trust = np.ones_like(targets)
    factors, heads, feet, middles = np.empty((len(views), 2)), [], [], []
    for v, view in enumerate(views):
        shape = view.counts.shape
        factors[v] = rows / shape[0], columns / shape[1]
        small = box_matrix(shape[0], rows) @ view.counts @ box_matrix(shape[1], columns).T
        smooth = ndimage.gaussian_filter(small, 0.7)
        clear = smooth > 0.03 * np.percentile(smooth, 99.5)  # not of the maximum: an injection may be any times hotter
        body = smooth > 0.15 * np.percentile(smooth[clear], 60)
        mass = np.flatnonzero(body.sum(axis=1) >= 2)
        heads.append(float(mass[0]))
        feet.append(float(mass[-1]))
        middles.append(float(np.average(np.arange(columns), weights=np.sqrt(smooth[: rows // 2]).sum(axis=0) ** 2)))
        reach = max(1, round(body_rows * _HOT_REACH_FRACTION))
        if ignored:
            off = box_matrix(shape[0], rows) @ ignored[v].astype(np.float32) @ box_matrix(shape[1], columns).T > 0.5
            trust[v] -= off
            body = body & ~off if (body & ~off).any() else body
        cap = np.percentile(smooth[body], 97)
        trust[v] *= ~ndimage.binary_dilation(smooth > _HOT * cap, iterations=reach)
        compressed = (np.sqrt(np.minimum(smooth / cap, 1) + OFFSET) - np.sqrt(OFFSET)).astype(np.float32)
        scratch = [np.empty_like(compressed) for _ in range(3)]
        _standardise(compressed, window_half, FLOOR, *scratch)
        targets[v] = compressed
    return Level(
        targets=targets,
        trust=trust,
        factors=factors,
        psf=_half_kernel(0.8),
        window_half=window_half,
        body_rows=body_rows,
        head_rows=np.array(heads),
        foot_rows=np.array(feet),
        middle_columns=np.array(middles),
    )


def exposed_fields(views: tuple[View, ...]) -> tuple[tuple[slice, slice], ...]:
    """Rows and columns of each view that hold counts: a still picture's field is smaller than its matrix.

    Parameters
    ----------
    views : tuple of View

    Returns
    -------
    tuple of (slice, slice)
        One field for both views where their matrices are alike; the whole view where it holds nothing.
    """
    lit = [view.counts > 0 for view in views]
    if len({one.shape for one in lit}) == 1:
        lit = [np.logical_or.reduce(lit)] * len(lit)
    fields = []
    for one in lit:
        rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
        none = not len(rows)
        fields.append(
            (
                slice(0, one.shape[0]) if none else slice(int(rows[0]), int(rows[-1]) + 1),
                slice(0, one.shape[1]) if none else slice(int(columns[0]), int(columns[-1]) + 1),
            )
        )
    return tuple(fields)


def box_matrix(old: int, new: int) -> NDArray[np.float32]:
    """Area-averaging resampler of one axis.

    Parameters
    ----------
    old, new : int
        Pixels before and after.

    Returns
    -------
    (new, old) ndarray of float32
        Its rows sum to 1.
    """
    edges = np.linspace(0, old, new + 1)
    k = np.arange(old)
    overlap = np.minimum(edges[1:, None], k + 1) - np.maximum(edges[:-1, None], k)
    return np.asarray(np.clip(overlap, 0, None) * (new / old), dtype=np.float32)
