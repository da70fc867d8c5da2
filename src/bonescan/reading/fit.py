"""Fit the jointed skeleton to the views of one scan, jointly.

The views show one body, so one pose explains both; each view has its own shift,
scale and tilt. The skeleton, a cloud of points weighted by textbook uptake and
by attenuation towards the camera, is splatted on the view's pixels and
compared with the scan after both were blurred, compressed by a square root and
standardised locally, so that neither hot spots nor a region's level matters much::

    minimise  sum_v sum_pixels rho( n(view_v) - n(picture_v(pose, frame_v)) )
              + sum_k (pose_k / spread_k)^2 + sum_v (frame terms)^2

    n(f) = (f - mean(f)) / (sd(f) + eps),  mean and sd in a Gaussian window
    rho  = soft L1

by Gauss-Newton (Levenberg-Marquardt damping, derivatives by differences, every
parameter's picture on its own thread) from the best of a grid of starts.

References
----------
Levenberg-Marquardt: Marquardt DW. J Soc Ind Appl Math 1963;11:431.
Articulated models in scintigraphy and the local normalisation follow the general
literature on model-based pose estimation; numbers that were chosen stand beside their use.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.pose import PARAMETERS, curve_basis, move_points, segment_maps, tree_arrays
from bonescan.anatomy.skeleton import Skeleton, default_skeleton
from bonescan.scan import Scan, View, ViewName

__all__ = ["BodyFit", "Frame", "fit_body"]

Array = NDArray[np.float64]

_ROWS = 192  # rows of the working picture: about 9 mm each for an adult
_ATTENUATION_PER_MM = 0.012  # broad beam, Tc-99m in soft tissue
_FRAME = 6  # row shift, column shift, row scale, column scale, tilt, shear
_STATURE_MM = 1715.0
_STARTS = 3  # heights tried in full
_OUTSIDE_COST = 80.0  # of a whole skeleton outside the picture: whole-body scans mostly show the whole body


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How the body's frontal plane lies on one view's pixels.

    ``row    = row_0    - row_per_mm    (z - tilt x)``
    ``column = column_0 + column_per_mm (x + shear z')``, mirrored for the posterior view,
    with ``z' = z - 900 mm``.
    """

    row_0: float
    column_0: float
    row_per_mm: float
    column_per_mm: float
    tilt: float
    shear: float

    @classmethod
    def of(cls, numbers: Array) -> Frame:
        """The frame with these six numbers, in the order of the fields."""
        row_0, column_0, row_per_mm, column_per_mm, tilt, shear = (float(value) for value in numbers)
        return cls(
            row_0=row_0,
            column_0=column_0,
            row_per_mm=row_per_mm,
            column_per_mm=column_per_mm,
            tilt=tilt,
            shear=shear,
        )

    def pixels(self, x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        """Row and column of body points, arrays of any one shape."""
        row = self.row_0 - self.row_per_mm * (z_mm - 900 - self.tilt * x_mm)
        column = self.column_0 + self.column_per_mm * (x_mm + self.shear * (z_mm - 900))
        return row, column

    def body(self, row: Array, column: Array) -> tuple[Array, Array]:
        """Body coordinates x, z (mm) of pixels; the inverse of `pixels`."""
        a = (self.row_0 - row) / self.row_per_mm
        b = (column - self.column_0) / self.column_per_mm
        x = (b - self.shear * a) / (1 + self.shear * self.tilt)
        return x, a + self.tilt * x + 900


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyFit:
    """The fitted pose, each view's frame, and how well they agree.

    Parameters
    ----------
    pose : (parameter,) ndarray
    frames : tuple of Frame
        In the order of the scan's views, in full-resolution pixels.
    correlations : tuple of float
        Of the standardised picture with the standardised view, within the body.
    cost : float
        Mean robust residual per pixel.
    """

    pose: Array
    frames: tuple[Frame, ...]
    correlations: tuple[float, ...]
    cost: float


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
class _Cloud:
    """The skeleton as weighted points: what one looks like under a camera, cheaply."""

    points: Array
    segment: NDArray[np.int64]
    weight: Array
    curve: Array


def _cloud(skeleton: Skeleton, point_volume_mm3: float) -> _Cloud:
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
    return _Cloud(
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


@numba.njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _blur(picture, kernel, scratch):  # type: ignore[no-untyped-def]
    """Separable convolution in place; outside the picture is zero."""
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


@numba.njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
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


@numba.njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
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


@numba.njit(cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _picture(maps, curve, frame, side, points, segment, weight, basis, psf, scale, out, scratch):  # type: ignore[no-untyped-def]
    """Splat the posed points on the pixels, attenuated towards the camera; blur; square root."""
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
        w = weight[p] * math.exp(_ATTENUATION_PER_MM * side * y)
        out[r, c] += w * (1 - a) * (1 - b)
        out[r + 1, c] += w * a * (1 - b)
        out[r, c + 1] += w * (1 - a) * b
        out[r + 1, c + 1] += w * a * b
    _blur(out, psf, scratch)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = math.sqrt(min(out[r, c] * scale, 1.0) + _OFFSET)


@numba.njit(cache=True, parallel=True)  # type: ignore[untyped-decorator]
def _pictures(thetas, sides, scales, tree, cloud, psf, half, floor, shape, out):  # type: ignore[no-untyped-def]
    """Standardised pictures of many parameter vectors, (vector, view, row, column), in parallel."""
    parents, pivots, pivot_curve, slots, signs = tree
    points, segment, weight, basis = cloud
    count = slots.shape[0]
    for t in numba.prange(thetas.shape[0]):
        scratch = np.empty(shape, dtype=np.float32)
        mean = np.empty(shape, dtype=np.float32)
        square = np.empty(shape, dtype=np.float32)
        maps, curve = segment_maps(thetas[t, :count], parents, pivots, pivot_curve, slots, signs)
        for v in range(sides.shape[0]):
            start = count + v * _FRAME
            frame = thetas[t, start : start + _FRAME]
            _picture(maps, curve, frame, sides[v], points, segment, weight, basis, psf, scales[v], out[t, v], scratch)
            _standardise(out[t, v], half, floor, mean, square, scratch)


def _half_kernel(sigma: float) -> NDArray[np.float32]:
    k = np.arange(math.ceil(3 * sigma) + 1)
    kernel = np.exp(-0.5 * (k / sigma) ** 2)
    return np.asarray(kernel / (kernel[0] + 2 * kernel[1:].sum()), dtype=np.float32)


# --- the views, prepared the same way --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Level:
    """The views at one working resolution, standardised, and the kernels that go with it."""

    targets: NDArray[np.float32]
    factors: Array  # working pixels per view pixel, (view, 2)
    psf: NDArray[np.float32]
    window_half: int
    head_rows: Array
    foot_rows: Array
    middle_columns: Array


_FLOOR = 0.05
_OFFSET = 0.04  # of the compressed scale: keeps empty air and thin soft tissue quiet
_WINDOW_FRACTION = 0.032  # half width of a box: about 55 mm of an adult


def _level(views: tuple[View, ...], rows: int) -> _Level:
    spacing = views[0]
    rows_mm = spacing.counts.shape[0] * spacing.row_spacing_mm / rows
    columns = max(16, round(spacing.counts.shape[1] * spacing.column_spacing_mm / rows_mm))
    window_half = max(2, round(rows * _WINDOW_FRACTION))
    targets = np.empty((len(views), rows, columns), dtype=np.float32)
    factors, heads, feet, middles = np.empty((len(views), 2)), [], [], []
    for v, view in enumerate(views):
        shape = view.counts.shape
        factors[v] = rows / shape[0], columns / shape[1]
        small = _box_matrix(shape[0], rows) @ view.counts @ _box_matrix(shape[1], columns).T
        smooth = ndimage.gaussian_filter(small, 0.7)
        body = smooth > 0.15 * np.percentile(smooth[smooth > 0.02 * smooth.max()], 60)
        mass = np.flatnonzero(body.sum(axis=1) >= 2)
        heads.append(float(mass[0]))
        feet.append(float(mass[-1]))
        middles.append(float(np.average(np.arange(columns), weights=np.sqrt(smooth[: rows // 2]).sum(axis=0) ** 2)))
        cap = np.percentile(smooth[body], 97)
        compressed = np.sqrt(np.minimum(smooth / cap, 1) + _OFFSET).astype(np.float32)
        scratch = [np.empty_like(compressed) for _ in range(3)]
        _standardise(compressed, window_half, _FLOOR, *scratch)
        targets[v] = compressed
    return _Level(
        targets=targets,
        factors=factors,
        psf=_half_kernel(0.8),
        window_half=window_half,
        head_rows=np.array(heads),
        foot_rows=np.array(feet),
        middle_columns=np.array(middles),
    )


def _box_matrix(old: int, new: int) -> NDArray[np.float32]:
    """Area-averaging resampler, (new, old) ndarray whose rows sum to 1."""
    edges = np.linspace(0, old, new + 1)
    k = np.arange(old)
    overlap = np.minimum(edges[1:, None], k + 1) - np.maximum(edges[:-1, None], k)
    return np.asarray(np.clip(overlap, 0, None) * (new / old), dtype=np.float32)


# --- the fit -----------------------------------------------------------------------------------


class _Problem:
    """Residuals and derivatives at one resolution."""

    def __init__(self, level: _Level, names: tuple[ViewName, ...], cloud: _Cloud) -> None:
        self.level = level
        self.sides = np.array([-1.0 if name is ViewName.ANTERIOR else 1.0 for name in names])
        self.cloud = (cloud.points, cloud.segment, cloud.weight, cloud.curve)
        self.tree = tree_arrays()
        self.scales = np.ones(len(names))
        self.shape = level.targets.shape[1:]
        count = len(names) * _FRAME
        spread = [p.spread for p in PARAMETERS]
        row = self.shape[0] / _ROWS
        self.frame_spread = np.array([40 * row, 25 * row, 0.0, 0.0, 0.02, 0.02])
        self.spread = np.array(spread + [0.0] * count)
        self.names = names

    def calibrate(self, theta: Array) -> None:
        """Scale the pictures' counts as the views were: their 97th percentile becomes one."""
        parents, pivots, pivot_curve, slots, signs = self.tree
        maps, curve = segment_maps(theta[: len(PARAMETERS)], parents, pivots, pivot_curve, slots, signs)
        for v in range(len(self.sides)):
            out = np.zeros(self.shape, dtype=np.float32)
            frame = theta[len(PARAMETERS) + v * _FRAME :][:_FRAME]
            _picture(maps, curve, frame, self.sides[v], *self.cloud, self.level.psf, 1e-6, out, np.empty_like(out))
            counts = (out.astype(float) ** 2 - _OFFSET) * 1e6
            lit = counts > 0.02 * counts.max()
            self.scales[v] = 1 / np.percentile(counts[lit], 93)

    def pictures(self, thetas: Array) -> NDArray[np.float32]:
        out = np.empty((len(thetas), len(self.sides), *self.shape), dtype=np.float32)
        _pictures(
            thetas,
            self.sides,
            self.scales,
            self.tree,
            self.cloud,
            self.level.psf,
            self.level.window_half,
            _FLOOR,
            self.shape,
            out,
        )
        return out

    def outside(self, theta: Array) -> float:
        """Fraction of the skeleton that falls outside the pictures, mean of the views."""
        points, segment, weight, _ = self.cloud
        moved = move_points(points, segment, theta[: len(PARAMETERS)])
        shares = []
        for frame in theta[len(PARAMETERS) :].reshape(-1, _FRAME):
            row, column = Frame.of(frame).pixels(moved[:, 0], moved[:, 2])
            out = (row < 0) | (row > self.shape[0] - 1) | (column < 0) | (column > self.shape[1] - 1)
            shares.append(weight[out].sum() / weight.sum())
        return float(np.mean(shares))

    def costs(self, thetas: Array) -> Array:
        """Mean soft-L1 residual of each parameter vector."""
        residual = self.pictures(thetas) - self.level.targets
        return np.asarray((np.sqrt(1 + residual**2) - 1).mean(axis=(1, 2, 3)), dtype=float)


_DATA_WEIGHT = 0.3  # neighbouring pixels repeat each other: about seven share one piece of evidence


def _refine(problem: _Problem, theta: Array, rounds: int, reference: Array) -> tuple[Array, float]:
    """Levenberg-Marquardt from ``theta``; priors pull pose to zero and frames to ``reference``."""
    n = len(PARAMETERS)
    frames = reference[n:].reshape(-1, _FRAME)
    step = np.empty_like(theta)
    step[:n] = 0.08 * problem.spread[:n]
    step[n:] = np.concatenate([[0.3, 0.3, 0.002 * f[2], 0.004 * abs(f[3]), 0.004, 0.004] for f in frames])
    damping, cost, theta = 1.0, math.inf, theta.copy()
    target = problem.level.targets.reshape(-1)
    prior, centre = _priors(problem, reference)

    def total(values: Array, residual: NDArray[np.float32]) -> float:
        data = float((np.sqrt(1 + residual.astype(float) ** 2) - 1).sum()) * 2 * _DATA_WEIGHT
        difference = prior @ (values - centre)
        return data + float(difference @ difference)

    for _ in range(rounds):
        stack = problem.pictures(theta + np.vstack([np.zeros_like(step), np.diag(step)]))
        stack = stack.reshape(len(stack), -1)
        residual = stack[0] - target
        cost = total(theta, residual)
        jacobian = (stack[1:] - stack[0]) / step[:, None].astype(np.float32)
        weight = (_DATA_WEIGHT / np.sqrt(1 + residual**2)).astype(np.float32)
        normal = ((jacobian * weight) @ jacobian.T).astype(float) + prior.T @ prior
        gradient = (jacobian @ (weight * residual)).astype(float) + prior.T @ (prior @ (theta - centre))
        scale = np.sqrt(np.diag(normal))
        trials = []
        for factor in (0.1, 1.0, 8.0):
            damped = normal + np.diag((damping * factor * 0.05) * scale**2)
            trials.append(theta - np.linalg.solve(damped, gradient))
        pictures = problem.pictures(np.array(trials)).reshape(3, -1)
        costs = [total(t, p - target) for t, p in zip(trials, pictures, strict=True)]
        best = int(np.argmin(costs))
        if costs[best] < cost:
            gained = (cost - costs[best]) / cost
            theta, damping = trials[best], max(1e-3, damping * (0.3, 1.0, 4.0)[best])
            if gained < 2e-4:
                break
        else:
            damping *= 30
            if damping > 1e5:
                break
    return theta, cost


def _priors(problem: _Problem, reference: Array) -> tuple[Array, Array]:
    """Square-root precision and centre of the Gaussian prior over pose and frames."""
    n, views = len(PARAMETERS), len(problem.sides)
    frames = reference[n:].reshape(-1, _FRAME)
    rows = []

    def line(**at: float) -> None:
        row = np.zeros(len(reference))
        for key, value in at.items():
            row[int(key[1:])] = value
        rows.append(row)

    for k, parameter in enumerate(PARAMETERS):
        line(**{f"p{k}": 1 / parameter.spread})
    for v in range(views):
        at = n + v * _FRAME
        f = frames[v]
        line(**{f"p{at}": 1 / problem.frame_spread[0]})
        line(**{f"p{at + 1}": 1 / problem.frame_spread[1]})
        line(**{f"p{at + 2}": 1 / (0.15 * f[2])})
        # The aspect of pixels is one property of the file, loosely known; both views share their scales loosely.
        line(**{f"p{at + 2}": 1 / (0.15 * f[2]), f"p{at + 3}": -1 / (0.15 * f[3])})
        line(**{f"p{at + 4}": 1 / 0.02})
        line(**{f"p{at + 5}": 1 / 0.02})
        if v:
            line(**{f"p{n + 2}": 1 / (0.05 * frames[0][2]), f"p{at + 2}": -1 / (0.05 * f[2])})
            line(**{f"p{n + 3}": 1 / (0.05 * frames[0][3]), f"p{at + 3}": -1 / (0.05 * f[3])})
    prior = np.array(rows)
    centre = reference.copy()
    centre[:n] = 0
    return prior, centre


def _starts(problem: _Problem) -> list[Array]:
    """The best of a grid of widths, head positions and arm angles for every height, best first."""
    level, n = problem.level, len(PARAMETERS)
    names = {p.name: k for k, p in enumerate(PARAMETERS)}
    thetas, heights = [], []
    for stretch in (0.93, 1.0, 1.07, 1.16, 1.28, 1.42):
        for top in (-0.012, 0.012):
            for aspect in (0.8, 0.95, 1.12):
                for spread_deg, bend_deg in ((-6.0, 0.0), (4.0, 0.0), (12.0, -10.0), (12.0, -40.0)):
                    theta = np.zeros(n + len(problem.sides) * _FRAME)
                    for side in ("_l", "_r"):
                        theta[names[f"arm{side}.spread_rad"]] = math.radians(spread_deg)
                        theta[names[f"forearm{side}.bend_rad"]] = math.radians(bend_deg)
                    for v in range(len(problem.sides)):
                        tall = (level.foot_rows[v] - level.head_rows[v]) * stretch
                        scale = tall / _STATURE_MM
                        row_0 = level.head_rows[v] + top * tall + scale * (_STATURE_MM - 8 - 900)
                        wide = scale * aspect * (1 if problem.sides[v] < 0 else -1)
                        theta[n + v * _FRAME :][:_FRAME] = row_0, level.middle_columns[v], scale, wide, 0, 0
                    thetas.append(theta)
                    heights.append(stretch)
    problem.calibrate(thetas[len(thetas) // 6 + 5])
    costs = problem.costs(np.array(thetas))
    order = np.argsort(costs)
    best = [thetas[k] for k in {heights[k]: k for k in order[::-1]}.values()]
    best.sort(key=lambda theta: float(problem.costs(theta[None])[0]))
    starts = best[:_STARTS]
    if len(problem.sides) > 1:
        starts += [_search_frames(problem, theta) for theta in starts[:2]]
    return starts


def _search_frames(problem: _Problem, theta: Array) -> Array:
    """Try each view's height and position anew: exports may cut or stretch one view and not the other."""
    n = len(PARAMETERS)
    for v in range(len(problem.sides)):
        trials = [theta]
        for ratio in (0.80, 0.86, 0.92, 0.96, 1.04, 1.08, 1.16, 1.25):
            for shift in (-0.03, -0.01, 0.01, 0.03):
                trial = theta.copy()
                frame = trial[n + v * _FRAME :][:_FRAME]
                tall = frame[2] * _STATURE_MM
                frame[0] += (ratio - 1) * tall * (_STATURE_MM - 900) / _STATURE_MM + shift * tall
                frame[2] *= ratio
                trials.append(trial)
        theta = trials[int(np.argmin(problem.costs(np.array(trials))))]
    return theta


_ARM_TRIALS = [
    {"arm.spread_rad": math.radians(spread), "forearm.bend_rad": math.radians(bend), "hand.bend_rad": 0.0}
    for spread in (-8, 0, 8, 16, 26)
    for bend in (-60, -30, -10, 8)
]
_LEG_TRIALS = [
    {"thigh.length_log": thigh, "shank.length_log": shank, "shank.bend_rad": 0.0}
    for thigh in (-0.18, -0.09, 0.0, 0.09)
    for shank in (-0.18, -0.09, 0.0, 0.09)
]


def _search_limbs(problem: _Problem, theta: Array) -> Array:
    """Try arms and legs anew: arms lock onto the side of the chest, knees onto a hot femur or the thighs' skin."""
    names = {p.name: k for k, p in enumerate(PARAMETERS)}
    for sides, limb in (("_l", "_r"), _LEG_TRIALS), (("_l",), _ARM_TRIALS), (("_r",), _ARM_TRIALS):
        trials = [theta]
        for values in limb:
            trial = theta.copy()
            for name, value in values.items():
                segment, what = name.split(".")
                for side in sides:
                    trial[names[f"{segment}{side}.{what}"]] = value
            trials.append(trial)
        theta = trials[int(np.argmin(problem.costs(np.array(trials))))]
    return theta


def _rescale(theta: Array, old: Array, new: Array) -> Array:
    """The same body on another grid, given both grids' pixels per view pixel, (view, 2) ndarrays."""
    out = theta.copy()
    frames = out[len(PARAMETERS) :].reshape(-1, _FRAME)
    ratio = new / old
    frames[:, :2] = (frames[:, :2] + 0.5) * ratio - 0.5
    frames[:, 2:4] *= ratio
    return out


def fit_body(scan: Scan, progress: Callable[[str], None] = lambda _: None) -> BodyFit:
    """Fit pose and frames to every view of a scan.

    Parameters
    ----------
    scan : Scan
    progress : callable
        Told in words what is being done.

    Returns
    -------
    BodyFit
    """
    names = tuple(view.name for view in scan.views)
    skeleton = default_skeleton()
    rough, coarse, fine = (_level(scan.views, _ROWS // part) for part in (3, 2, 1))
    progress("fitting the skeleton: searching for the body")
    problem = _Problem(rough, names, _cloud(skeleton, 8000))
    found = []
    for start in _starts(problem):
        theta, cost = _refine(problem, start, 8, start)
        theta = _search_limbs(problem, theta)
        theta, cost = _refine(problem, theta, 6, start)
        found.append((cost + _OUTSIDE_COST * problem.outside(theta), theta, start))
    _, theta, start = min(found, key=lambda item: item[0])
    progress("fitting the skeleton: refining")
    for old, new, grain, rounds in ((rough, coarse, 3000, 12), (coarse, fine, 1200, 12)):
        theta, start = (_rescale(values, old.factors, new.factors) for values in (theta, start))
        problem = _Problem(new, names, _cloud(skeleton, grain))
        problem.calibrate(theta)
        theta, _ = _refine(problem, theta, rounds, start)
    fine_problem = problem
    picture = fine_problem.pictures(theta[None])[0]
    correlations = []
    for v in range(len(names)):
        lit = (np.abs(picture[v]) > 0.2) | (np.abs(fine.targets[v]) > 0.2)
        correlations.append(float(np.corrcoef(picture[v][lit], fine.targets[v][lit])[0, 1]))
    full = _rescale(theta, fine.factors, np.ones_like(fine.factors))
    frames = tuple(Frame.of(frame) for frame in full[len(PARAMETERS) :].reshape(-1, _FRAME))
    return BodyFit(
        pose=theta[: len(PARAMETERS)],
        frames=frames,
        correlations=tuple(correlations),
        cost=float(fine_problem.costs(theta[None])[0]),
    )
