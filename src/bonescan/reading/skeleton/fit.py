"""Fit the jointed skeleton to the views of one scan, jointly.

The views show one body, so one pose explains both; each view has its own shift,
scale and tilt. The skeleton, a cloud of points weighted by textbook uptake and
by attenuation towards the camera, is splatted on the view's pixels and
compared with the scan after both were blurred, compressed by a square root and
standardised locally, so that neither hot spots nor a region's level matters much::

    minimise  sum_v sum_pixels rho( n(view_v) - n(picture_v(pose, frame_v)) )
              + sum_k (pose_k / spread_k)^2 + sum_v (frame terms)^2

    n    = local standardisation (see `bonescan.reading.skeleton.picture`)
    rho  = soft L1

by Gauss-Newton (Levenberg-Marquardt damping, derivatives by differences, every
parameter's picture on its own thread) from the best of a grid of starts.

Where a network has looked at the scan, its regions say where to begin, and the areas and levels of
`bonescan.reading.skeleton.areas` are added to the residuals; a whole body is then no longer expected.

References
----------
Levenberg-Marquardt: Marquardt DW. J Soc Ind Appl Math 1963;11:431.
Articulated models in scintigraphy and the local normalisation follow the general
literature on model-based pose estimation; numbers that were chosen stand beside their use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from threadpoolctl import threadpool_limits

from bonescan.anatomy.pose import PARAMETERS, move_points
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.reading.network import DenseView
from bonescan.reading.skeleton.areas import Areas, prepare_areas
from bonescan.reading.skeleton.edges import first_frames
from bonescan.reading.skeleton.picture import FRAME, Level, exposed_fields, point_cloud, prepare
from bonescan.reading.skeleton.placement import Frame, Placement, residual_warp
from bonescan.reading.skeleton.problem import ROWS, Problem
from bonescan.scan import Scan

__all__ = ["PARTS", "BodyFit", "fit_body"]

Array = NDArray[np.float64]

_STATURE_MM = 1715.0
_BODY_MM = 1950.0  # a scan that shows less than this of the body has fewer rows, of the same size
_RAISED_STATURE_MM = 2000.0  # with the arms above the head
_RAISED = ((135.0, 60.0), (160.0, 40.0), (165.0, 0.0))  # spread of the arm and bend of the elbow, degrees
_STARTS = 3  # heights tried in full
_PART_REACH = 3  # pixels around a part's points that belong to it
_PART_PIXELS = 40  # fewer say nothing
_OUTSIDE_COST = 80.0  # of a whole skeleton outside the picture: whole-body scans mostly show the whole body

PARTS: Mapping[str, tuple[str, ...]] = {
    "head": ("head", "neck"),
    "chest": ("thorax", "clavicle_l", "clavicle_r", "scapula_l", "scapula_r"),
    "pelvis": ("lumbar", "pelvis"),
    "left arm": ("arm_l", "forearm_l", "hand_l"),
    "right arm": ("arm_r", "forearm_r", "hand_r"),
    "thighs": ("thigh_l", "thigh_r"),
    "lower legs": ("shank_l", "shank_r", "foot_l", "foot_r"),
}
"""Parts of the body whose fit is judged by itself, and their segments."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyFit:
    """The fitted pose, where it lies on each view, and how well they agree.

    Parameters
    ----------
    pose : (parameter,) ndarray
    placements : tuple of Placement
        In the order of the scan's views.
    correlations : tuple of float
        Of the standardised picture with the standardised view, within the body.
    part_correlations : tuple of mapping of str to float
        The same around the bones of each of `PARTS` alone, for every view; a part that is mostly outside
        the picture is absent.
    cost : float
        Mean robust residual per pixel.
    """

    pose: Array
    placements: tuple[Placement, ...]
    correlations: tuple[float, ...]
    part_correlations: tuple[Mapping[str, float], ...]
    cost: float


# --- the fit -----------------------------------------------------------------------------------


def _refine(problem: Problem, theta: Array, rounds: int, reference: Array) -> tuple[Array, float]:
    """Levenberg-Marquardt from ``theta``; priors pull pose to zero and frames to ``reference``."""
    n = len(PARAMETERS)
    frames = reference[n:].reshape(-1, FRAME)
    step = np.empty_like(theta)
    step[:n] = 0.08 * problem.spread[:n]
    step[n:] = np.concatenate([[0.3, 0.3, 0.002 * f[2], 0.004 * abs(f[3]), 0.004, 0.004] for f in frames])
    damping, cost, theta = 1.0, math.inf, theta.copy()
    prior, centre = problem.priors(reference)

    def total(values: Array, residual: NDArray[np.float32]) -> float:
        data = problem.misfit(residual)
        difference = prior @ (values - centre)
        return data + float(difference @ difference)

    for _ in range(rounds):
        stack = problem.features(theta + np.vstack([np.zeros_like(step), np.diag(step)]))
        residual = problem.residual(stack[0])
        cost = total(theta, residual)
        jacobian = (stack[1:] - stack[0]) / step[:, None].astype(np.float32)
        weight = (problem.importance * problem.trust / np.sqrt(1 + residual**2)).astype(np.float32)
        normal = ((jacobian * weight) @ jacobian.T).astype(float) + prior.T @ prior
        gradient = (jacobian @ (weight * residual)).astype(float) + prior.T @ (prior @ (theta - centre))
        scale = np.sqrt(np.diag(normal))
        trials = []
        for factor in (0.1, 1.0, 8.0):
            damped = normal + np.diag((damping * factor * 0.05) * scale**2)
            trials.append(theta - np.linalg.solve(damped, gradient))
        costs = [total(t, problem.residual(f)) for t, f in zip(trials, problem.features(np.array(trials)), strict=True)]
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


def _starts(problem: Problem) -> list[Array]:
    """The best of a grid of widths, head positions and arm angles for every height, best first."""
    level, n = problem.level, len(PARAMETERS)
    names = {p.name: k for k, p in enumerate(PARAMETERS)}
    thetas, heights = [], []
    for stretch in (0.93, 1.0, 1.07, 1.16, 1.28, 1.42):
        for top in (-0.012, 0.012):
            for aspect in (0.8, 0.95, 1.12):
                for spread_deg, bend_deg in ((-6.0, 0.0), (4.0, 0.0), (12.0, -10.0), (12.0, -40.0)):
                    theta = np.zeros(n + len(problem.sides) * FRAME)
                    for side in ("_l", "_r"):
                        theta[names[f"arm{side}.spread_rad"]] = math.radians(spread_deg)
                        theta[names[f"forearm{side}.bend_rad"]] = math.radians(bend_deg)
                    for v in range(len(problem.sides)):
                        tall = (level.foot_rows[v] - level.head_rows[v]) * stretch
                        scale = tall / _STATURE_MM
                        row_0 = level.head_rows[v] + top * tall + scale * (_STATURE_MM - 8 - 900)
                        wide = scale * aspect * (1 if problem.sides[v] < 0 else -1)
                        theta[n + v * FRAME :][:FRAME] = row_0, level.middle_columns[v], scale, wide, 0, 0
                    thetas.append(theta)
                    heights.append(stretch)
    problem.calibrate(thetas[len(thetas) // 6 + 5])
    raised = _raised_starts(problem)
    thetas += raised
    heights += [0.0] * len(raised)
    costs = problem.costs(np.array(thetas))
    order = np.argsort(costs)
    best = [thetas[k] for k in {heights[k]: k for k in order[::-1]}.values()]
    best.sort(key=lambda theta: float(problem.costs(theta[None])[0]))
    starts = best[:_STARTS]
    if len(problem.sides) > 1:
        starts += [_search_frames(problem, theta) for theta in starts[:2]]
    return starts


def _raised_starts(problem: Problem) -> list[Array]:
    """Arms above the head: the body's upper end is the hands or the elbows."""
    level, n = problem.level, len(PARAMETERS)
    names = {p.name: k for k, p in enumerate(PARAMETERS)}
    thetas = []
    for spread_deg, bend_deg in _RAISED:
        for stretch in (0.97, 1.04):
            for aspect in (0.8, 0.95, 1.12):
                theta = np.zeros(n + len(problem.sides) * FRAME)
                for side in ("_l", "_r"):
                    theta[names[f"arm{side}.spread_rad"]] = math.radians(spread_deg)
                    theta[names[f"forearm{side}.bend_rad"]] = math.radians(bend_deg)
                for v in range(len(problem.sides)):
                    scale = stretch * (level.foot_rows[v] - level.head_rows[v]) / _RAISED_STATURE_MM
                    row_0 = level.foot_rows[v] - scale * 900
                    wide = scale * aspect * (1 if problem.sides[v] < 0 else -1)
                    theta[n + v * FRAME :][:FRAME] = row_0, level.middle_columns[v], scale, wide, 0, 0
                thetas.append(theta)
    return thetas


def _search_frames(problem: Problem, theta: Array) -> Array:
    """Try each view's height and position anew: exports may cut or stretch one view and not the other."""
    n = len(PARAMETERS)
    for v in range(len(problem.sides)):
        trials = [theta]
        for ratio in (0.80, 0.86, 0.92, 0.96, 1.04, 1.08, 1.16, 1.25):
            for shift in (-0.03, -0.01, 0.01, 0.03):
                trial = theta.copy()
                frame = trial[n + v * FRAME :][:FRAME]
                tall = frame[2] * _STATURE_MM
                frame[0] += (ratio - 1) * tall * (_STATURE_MM - 900) / _STATURE_MM + shift * tall
                frame[2] *= ratio
                trials.append(trial)
        theta = trials[int(np.argmin(problem.costs(np.array(trials))))]
    return theta


_ARM_TRIALS = [
    {"arm.spread_rad": math.radians(spread), "forearm.bend_rad": math.radians(bend), "hand.bend_rad": 0.0}
    for spread in (-8, 0, 8, 16, 26, 38)
    for bend in (-60, -30, -10, 8)
]
_LEG_TRIALS = [
    {"thigh.length_log": thigh, "shank.length_log": shank, "shank.bend_rad": 0.0}
    for thigh in (-0.18, -0.09, 0.0, 0.09)
    for shank in (-0.18, -0.09, 0.0, 0.09)
] + [{"thigh.spread_rad": math.radians(spread)} for spread in (7, 14)]


_RAISED_TRIALS = [
    {"arm.spread_rad": math.radians(spread), "forearm.bend_rad": math.radians(bend), "hand.bend_rad": 0.0}
    for spread, bend in (*_RAISED, (90.0, 0.0), (70.0, -70.0))
]


def _search_limbs(problem: Problem, theta: Array, arms: list[dict[str, float]] = _ARM_TRIALS) -> Array:
    """Try arms and legs anew: arms lock onto the side of the chest, knees onto a hot femur or the thighs' skin."""
    names = {p.name: k for k, p in enumerate(PARAMETERS)}
    for sides, limb in (("_l", "_r"), _LEG_TRIALS), (("_l",), arms), (("_r",), arms):
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
    frames = out[len(PARAMETERS) :].reshape(-1, FRAME)
    ratio = new / old
    frames[:, :2] = (frames[:, :2] + 0.5) * ratio - 0.5
    frames[:, 2:4] *= ratio
    return out


def fit_body(
    scan: Scan, progress: Callable[[str], None] = lambda _: None, seen: tuple[DenseView, ...] | None = None
) -> BodyFit:
    """Fit pose and placements to every view of a scan.

    Parameters
    ----------
    scan : Scan
    progress : callable
        Told in words what is being done.
    seen : tuple of DenseView, optional
        What a network says of the views, in their order.

    Returns
    -------
    BodyFit
    """
    with threadpool_limits(1, user_api="blas"):  # sums in an order that does not depend on the number of threads
        if seen is None:
            return _fit_body(scan, progress, None)
        fields = exposed_fields(scan.views)
        views = tuple(
            replace(view, counts=np.ascontiguousarray(view.counts[field]))
            for view, field in zip(scan.views, fields, strict=True)
        )
        parts = tuple(_part(one, field) for one, field in zip(seen, fields, strict=True))
        fit = _fit_body(replace(scan, views=views), progress, parts)
    moved = [one.moved(rows.start, columns.start) for one, (rows, columns) in zip(fit.placements, fields, strict=True)]
    return replace(fit, placements=tuple(moved))


def _part(seen: DenseView, field: tuple[slice, slice]) -> DenseView:
    """What a network says of part of a view."""
    return replace(
        seen,
        regions=seen.regions[:, *field],
        foci={name: values[field] for name, values in seen.foci.items()},
        vertebra=seen.vertebra[field],
        rib=seen.rib[field],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sight:
    """The views at three resolutions, coarsest first, and what a network says of them there."""

    levels: tuple[Level, Level, Level]
    areas: tuple[Areas | None, Areas | None, Areas | None]
    frames: Array | None


def _sight(scan: Scan, seen: tuple[DenseView, ...] | None) -> _Sight:
    frames = None if seen is None else first_frames(seen, scan.views)
    if seen is None or frames is None:
        rough, coarse, fine = (prepare(scan.views, ROWS // part) for part in (3, 2, 1))
        return _Sight(levels=(rough, coarse, fine), areas=(None, None, None), frames=None)
    shown_mm = max(view.counts.shape[0] / frame[2] for view, frame in zip(scan.views, frames, strict=True))
    share = min(1.0, shown_mm / _BODY_MM)
    ignored = tuple((one.foci["urine"] > 0.5) | (one.foci["artefact"] > 0.5) for one in seen)
    rough, coarse, fine = (
        prepare(scan.views, max(12, round(share * ROWS / part)), ROWS // part, ignored) for part in (3, 2, 1)
    )

    def areas(of: Level, at: Level) -> Areas:
        return prepare_areas(seen, scan.views, of.targets.shape[1:], at.targets.shape[1:], of.psf)

    return _Sight(
        levels=(rough, coarse, fine),
        areas=(areas(rough, rough), areas(coarse, coarse), areas(coarse, fine)),
        frames=frames,
    )


def _fit_body(scan: Scan, progress: Callable[[str], None], seen: tuple[DenseView, ...] | None) -> BodyFit:
    names = tuple(view.name for view in scan.views)
    skeleton = default_skeleton()
    sight = _sight(scan, seen)
    rough, coarse, fine = sight.levels
    progress("fitting the skeleton: searching for the body")
    problem = Problem(rough, names, point_cloud(skeleton, 8000), sight.areas[0], begins=True)
    theta, start = _find_body(problem) if sight.frames is None else _begin(problem, sight.frames)
    progress("fitting the skeleton: refining")
    for old, new, areas, grain, rounds in (
        (rough, coarse, sight.areas[1], 3000, 12),
        (coarse, fine, sight.areas[2], 1200, 12),
    ):
        theta, start = (_rescale(values, old.factors, new.factors) for values in (theta, start))
        problem = Problem(new, names, point_cloud(skeleton, grain), areas)
        problem.calibrate(theta)
        theta, _ = _refine(problem, theta, rounds, start)
    progress("fitting the skeleton: following what is left")
    pictures = problem.pictures(theta[None])[0]
    correlations, placements = [], []
    full = _rescale(theta, fine.factors, np.ones_like(fine.factors))
    frames = full[len(PARAMETERS) :].reshape(-1, FRAME)
    for picture, target, frame, factor in zip(pictures, fine.targets, frames, fine.factors, strict=True):
        lit = (np.abs(picture) > 0.2) | (np.abs(target) > 0.2)
        correlations.append(_correlation(picture, target, lit))
        placements.append(Placement(frame=Frame.of(frame), displacement=residual_warp(target, picture), factor=factor))
    return BodyFit(
        pose=theta[: len(PARAMETERS)],
        placements=tuple(placements),
        correlations=tuple(correlations),
        part_correlations=_part_correlations(problem, theta, pictures),
        cost=float(problem.costs(theta[None])[0]),
    )


def _find_body(problem: Problem) -> tuple[Array, Array]:
    """The best fit from a grid of starts, for a whole body, and the start it came from."""
    found = []
    for start in _starts(problem):
        theta, cost = _refine(problem, start, 8, start)
        theta = _search_limbs(problem, theta)
        theta, cost = _refine(problem, theta, 6, start)
        found.append((cost + _OUTSIDE_COST * problem.outside(theta), theta, start))
    _, theta, start = min(found, key=lambda item: item[0])
    return theta, start


def _begin(problem: Problem, frames: Array) -> tuple[Array, Array]:
    """A fit that begins where a network sees the body's regions, and the start it came from."""
    start = np.concatenate([np.zeros(len(PARAMETERS)), frames.ravel()])
    start = _rescale(start, np.ones_like(problem.level.factors), problem.level.factors)
    problem.calibrate(start)
    arms = _ARM_TRIALS + _RAISED_TRIALS
    start = _search_limbs(problem, start, arms)
    theta, _ = _refine(problem, start, 8, start)
    theta = _search_limbs(problem, theta, arms)
    start[: len(PARAMETERS)] = theta[: len(PARAMETERS)]
    theta, _ = _refine(problem, theta, 6, start)
    return theta, start


def _correlation(picture: NDArray[np.float32], target: NDArray[np.float32], where: NDArray[np.bool_]) -> float:
    """Of two pictures within a mask; 0 where one of them is even, as in a view of nothing."""
    one, other = picture[where], target[where]
    if len(one) < 2 or not one.std() or not other.std():
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _part_correlations(
    problem: Problem, theta: Array, pictures: NDArray[np.float32]
) -> tuple[Mapping[str, float], ...]:
    """Correlation around the bones of each part that lies at least half in the picture, for every view."""
    points, segment, _, _ = problem.cloud
    moved = move_points(points, segment, theta[: len(PARAMETERS)])
    number = {item.name: k for k, item in enumerate(SEGMENTS)}
    found = []
    frames = theta[len(PARAMETERS) :].reshape(-1, FRAME)
    level = problem.level
    for picture, target, trust, frame in zip(pictures, level.targets, level.trust, frames, strict=True):
        row, column = (np.round(part).astype(int) for part in Frame.of(frame).pixels(moved[:, 0], moved[:, 2]))
        inside = (row >= 0) & (row < problem.shape[0]) & (column >= 0) & (column < problem.shape[1])
        values = {}
        for part, segments in PARTS.items():
            own = np.isin(segment, [number[name] for name in segments])
            where = np.zeros(problem.shape, dtype=bool)
            where[row[own & inside], column[own & inside]] = True
            where = ndimage.binary_dilation(where, iterations=_PART_REACH) & (trust > 0)
            if inside[own].mean() >= 0.5 and np.count_nonzero(where) >= _PART_PIXELS:
                values[part] = _correlation(picture, target, where)
        found.append(values)
    return tuple(found)
