"""Bring the prior scan of a person onto the current one's pixels: by the bones first, then by the pictures.

By the bones
------------
Both scans were fitted by one jointed skeleton. For every segment s (skull, forearm, shank ...) the ellipsoids of its
bones have places in the frontal plane of either pose; a least-squares map ``A_s`` carries the current ones to the prior
ones: affine in trunk and head, a turn with one scale in the limbs, which may roll about their length. A limb's fit may
be lost: where the pictures agree better if a segment goes with the one that carries it, it does. A pixel at q goes with
the segments whose bones lie near it ::

    u(q) = sum_s w_s(q) A_s(q) / sum_s w_s(q),      w_s(q) = k_s / (1 + (d_s(q) / e)^2)^2,   e = `NEAR_MM`

with d_s the distance to the bones of s in the current view, so that a turned arm moves with its bones (a polyaffine
map), smoothed by `TEAR_MM`. k_s is 1, and `OVER_TRUNK` for forearms and hands, which may lie over the pelvis. From the
prior body frame to the prior pixels goes the inverse of the labels' own coordinates.

By the pictures
---------------
What remains is taken up by a smooth displacement d, by weighted Lucas-Kanade steps with Gaussian windows, coarse to
fine ::

    d <- G_s * [d + (J + l)^-1 b],    J = G_W * (w g g^T),   b = G_W * (w g r),   w = 1 / (1 + (r / c)^2)^2

r is the current less the moved prior picture, g the mean of their gradients, G_W a Gaussian window of standard
deviation `WINDOWS_MM`, G_s one of half of it, l a multiple of the mean of J's trace in the body that lets d fade where
nothing tells it. Both pictures are ``log(1 + counts / level)``, blurred by `BLURS_MM`, level being their own normal
bone, less a regional mean: the logarithm keeps hot spots from leading.

Nothing narrower than the last window (25 mm, so about 60 mm across) can be displaced by itself, so that a lesion is
moved with the bone around it and not made or erased; w makes what differs in brightness have little say; and no
intensity is ever changed by the warp (no Jacobian). d is held within `LARGEST_MM`.

References
----------
Arsigny V et al. Polyrigid and polyaffine transformations. Med Image Anal 2005;9:507.
Lucas BD, Kanade T. An iterative image registration technique. IJCAI 1981:674.
Geman S, McClure DE. Statistical methods for tomographic image reconstruction. Bull ISI 1987;52:5 (the weight w).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.pose import PARAMETERS, PosedSkeleton, pose_skeleton
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton, segment_of
from bonescan.errors import InvalidValue
from bonescan.followup.model import AlignedView, Alignment
from bonescan.reading.model import LabelledView, Labels, Reading
from bonescan.scan import Remark, Severity, View

__all__ = ["align"]

Array = NDArray[np.float64]
Picture = NDArray[np.float32]

WORK_MM = 5.0
"""Pixel of the working grid: twice as fine as the camera's resolution."""

# All of these are our design [D]; how well they serve is measured in bench/followup.py.
NEAR_MM, OVER_TRUNK, TEAR_MM = 12.0, 0.2, 10.0
WINDOWS_MM, BLURS_MM, STEPS = (60.0, 40.0, 25.0), (24.0, 14.0, 8.0), (4, 4, 5)
LARGEST_MM = 30.0
_FADE = 0.05
_ROBUST = 0.25
_REGION_MM = 80.0
_LEAST_CORRELATION = 0.6  # of the pictures, below which nothing is judged by rule
_LOST = 0.05  # of correlation, by which the carrier's map must be better
_OVER = ("forearm", "hand")
_TRUNK = frozenset({"pelvis", "lumbar", "thorax", "neck", "head"})
_SCALES = (0.8, 1.25)  # of a limb, prior over current
_STEADY_DICE, _STEADY_CORRELATION = 0.35, 0.75  # of a hand's shadows and pictures, below which it is not compared
_AREAS = (0.35, 3.0)  # of the usual, beyond which the map tears or folds


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grid:
    """Every n-th pixel of the current view, as its rows and columns."""

    rows: Array
    columns: Array
    row_mm: float
    column_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Pictures:
    """What both views show, to tell whether a map fits."""

    target: Picture
    moving: Picture
    prior_labels: LabelledView

    def agreement(self, where: NDArray[np.bool_], x: Array, z: Array) -> float:
        """Correlation over some points of the grid, given where they lie in the prior body."""
        row, column = _pixels_at(x, z, self.prior_labels)
        return _correlation(self.target[where], _sampled(self.moving, row, column))


def align(prior: Reading, current: Reading) -> Alignment:
    """Where every pixel of the current scan lies in the prior one.

    Parameters
    ----------
    prior, current : Reading
        Of two scans of one person.

    Returns
    -------
    Alignment
        Of the views both have; not trusted where the labels are not or the pictures agree poorly. A view that only
        one scan has is warned of. Remarks say each.

    Raises
    ------
    InvalidValue
        When the scans have no view in common.
    """
    priors = {view.name: (view, labelled) for view, labelled in prior.labels.paired_with(prior.scan)}
    pairs = [
        (priors[view.name], (view, labelled))
        for view, labelled in current.labels.paired_with(current.scan)
        if view.name in priors
    ]
    if not pairs:
        raise InvalidValue(
            "The two scans have no view in common: one shows the body from the front alone, the other from behind."
        )
    before, now = _posed(prior.labels), _posed(current.labels)
    with ThreadPoolExecutor() as pool:
        views = tuple(pool.map(lambda pair: _align_view(pair[0], pair[1], before, now), pairs))
    remarks = _remarks(prior, current, views)
    return Alignment(
        views=views, trusted=all(remark.severity is not Severity.WITHHELD for remark in remarks), remarks=remarks
    )


def _posed(labels: Labels) -> PosedSkeleton:
    pose = np.array([labels.parameters.get(parameter.name, 0.0) for parameter in PARAMETERS])
    return pose_skeleton(default_skeleton(), pose)


def _remarks(prior: Reading, current: Reading, views: tuple[AlignedView, ...]) -> tuple[Remark, ...]:
    remarks = []
    for which, reading in (("prior", prior), ("current", current)):
        if not reading.labels.trusted:
            remarks.append(
                Remark(
                    code="followup.alignment.labels",
                    text=f"The skeleton was not found reliably in the {which} scan; what changed is not told by bone.",
                    severity=Severity.WITHHELD,
                )
            )
    for view in views:
        if view.correlation < _LEAST_CORRELATION:
            remarks.append(
                Remark(
                    code=f"followup.alignment.{view.name}",
                    text=f"The {view.name} pictures of the two scans agree poorly after alignment (correlation "
                    f"{view.correlation:.2f}): no rule is applied to what seems new or gone; check by eye that they "
                    "lie on each other.",
                    severity=Severity.WITHHELD,
                )
            )
    if len(views) < max(len(prior.scan.views), len(current.scan.views)):
        remarks.append(
            Remark(
                code="followup.alignment.views",
                text=f"Only the {views[0].name} view is in both scans; the other view was not compared.",
                severity=Severity.WARNING,
            )
        )
    return tuple(remarks)


def _align_view(
    prior: tuple[View, LabelledView], current: tuple[View, LabelledView], before: PosedSkeleton, now: PosedSkeleton
) -> AlignedView:
    (prior_view, prior_labels), (view, labels) = prior, current
    grid = _working_grid(labels)
    x, z = (values[np.ix_(*_indices(grid))].astype(float) for values in (labels.x_mm, labels.z_mm))
    levels = [
        (_structure(view, labels, blur, grid), _structure(prior_view, prior_labels, blur, None)) for blur in BLURS_MM
    ]
    target, moving = levels[-1]
    x, z = _carried_by_bones(x, z, labels, grid, _Pictures(target, moving, prior_labels), before, now)
    row, column = _pixels_at(x, z, prior_labels)
    body = labels.body[np.ix_(*_indices(grid))]
    correlation_before = _correlation(target[body], _sampled(moving, row, column)[body])
    down, across = _displacement(levels, row, column, grid, prior_labels, body)
    row, column = row + down, column + across
    row_mm, column_mm = prior_labels.pixel_mm
    moved = np.hypot(down * row_mm, across * column_mm)[body]
    shape = view.counts.shape
    full = _enlarged(row, grid, shape), _enlarged(column, grid, shape)
    aligned = AlignedView(
        name=view.name,
        prior_row=full[0],
        prior_column=full[1],
        shown=_shown(full, prior_view, view),
        displacement_mm=float(np.sqrt(np.mean(moved**2))) if moved.size else 0.0,
        correlation_before=correlation_before,
        correlation=_correlation(target[body], _sampled(moving, row, column)[body]),
    )
    alike = _Pictures(target, moving, prior_labels)
    return replace(aligned, unsteady=_unsteady(aligned, labels, grid, alike, (row, column)))


def _unsteady(
    aligned: AlignedView, labels: LabelledView, grid: _Grid, pictures: _Pictures, at: tuple[Array, Array]
) -> tuple[str, ...]:
    """Hands that do not lie on themselves: one scan does not label them, or shadows or pictures differ too much."""
    names = []
    for hand in (segment.name for segment in SEGMENTS if segment.name.startswith("hand")):
        then, now = (
            one.shown(bone for bone in one.bones if segment_of(bone.bone) == hand)
            for one in (pictures.prior_labels, labels)
        )
        carried = aligned.carry_mask(then)
        own = np.count_nonzero(now) + np.count_nonzero(carried)
        small = (now | carried)[np.ix_(*_indices(grid))]
        steady = own > 0 and bool(2 * np.count_nonzero(now & carried) >= _STEADY_DICE * own)
        if steady:
            near = ndimage.distance_transform_edt(~small, sampling=(grid.row_mm, grid.column_mm)) <= 2 * NEAR_MM
            moved = _sampled(pictures.moving, at[0][near], at[1][near])
            steady = _correlation(pictures.target[near], moved) >= _STEADY_CORRELATION
        if not steady:
            names.append(hand)
    return tuple(names)


def _working_grid(labels: LabelledView) -> _Grid:
    row_mm, column_mm = labels.pixel_mm
    rows, columns = labels.regions.shape
    down, across = (max(1, round(WORK_MM / size)) for size in (row_mm, column_mm))
    return _Grid(
        rows=np.arange(down // 2, rows, down, dtype=float),
        columns=np.arange(across // 2, columns, across, dtype=float),
        row_mm=down * row_mm,
        column_mm=across * column_mm,
    )


def _indices(grid: _Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return grid.rows.astype(np.int64), grid.columns.astype(np.int64)


def _carried_by_bones(
    x: Array,
    z: Array,
    labels: LabelledView,
    grid: _Grid,
    pictures: _Pictures,
    before: PosedSkeleton,
    now: PosedSkeleton,
) -> tuple[Array, Array]:
    """Body coordinates in the prior pose of the current view's points."""
    maps = _segment_maps(before, now)
    shown = _segments_shown(labels, grid)
    index = {item.name: k for k, item in enumerate(SEGMENTS)}
    total, moved_x, moved_z = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for k, segment in enumerate(SEGMENTS):  # those that carry others come first
        mask = shown.get(k)
        if mask is None:
            if segment.name not in _TRUNK:
                maps[k] = maps[index[segment.carried_by]]
            continue
        distance = ndimage.distance_transform_edt(~mask, sampling=(grid.row_mm, grid.column_mm))
        if segment.name not in _TRUNK:
            around = distance <= 3 * NEAR_MM
            at = x[around], z[around]
            own, carrier = maps[k], maps[index[segment.carried_by]]
            with_own, with_carrier = (pictures.agreement(around, *_moved(one, *at)) for one in (own, carrier))
            if with_carrier > with_own + _LOST:
                maps[k] = carrier
        weight = 1 / (1 + (distance / NEAR_MM) ** 2) ** 2
        if segment.name.startswith(_OVER):
            weight = OVER_TRUNK * weight
        to_x, to_z = _moved(maps[k], x, z)
        moved_x += weight * (to_x - x)
        moved_z += weight * (to_z - z)
        total += weight
    if not total.any():
        return x, z
    smooth = (TEAR_MM / grid.row_mm, TEAR_MM / grid.column_mm)
    return tuple(
        start + ndimage.gaussian_filter(moved / total, smooth, mode="nearest")
        for start, moved in ((x, moved_x), (z, moved_z))
    )


def _segments_shown(labels: LabelledView, grid: _Grid) -> dict[int, NDArray[np.bool_]]:
    """By segment, the points of the grid that show its bones; segments out of view are left out."""
    index = {item.name: k for k, item in enumerate(SEGMENTS)}
    whole: dict[int, NDArray[np.bool_]] = {}
    for one in labels.bones:
        mask = whole.setdefault(index[segment_of(one.bone)], np.zeros(labels.regions.shape, np.bool_))
        mask[one.box] |= one.thickness_mm > 0
    small = {k: mask[np.ix_(*_indices(grid))] for k, mask in whole.items()}
    return {k: mask for k, mask in small.items() if mask.any()}


def _moved(affine: Array, x: Array, z: Array) -> tuple[Array, Array]:
    return (
        affine[0, 0] * x + affine[0, 1] * z + affine[0, 2],
        affine[1, 0] * x + affine[1, 1] * z + affine[1, 2],
    )


def _segment_maps(before: PosedSkeleton, now: PosedSkeleton) -> dict[int, Array]:
    """By segment, the (2, 3) map of the frontal plane from the current pose to the prior one."""
    maps = {}
    for k, segment in enumerate(SEGMENTS):
        own = now.skeleton.segment_index == k
        start, end = now.centres_mm[own][:, [0, 2]], before.centres_mm[own][:, [0, 2]]
        maps[k] = _affine(start, end) if segment.name in _TRUNK else _turn(start, end)
    return maps


def _affine(start: Array, end: Array) -> Array:
    design = np.column_stack([start, np.ones(len(start))])
    return np.asarray(np.linalg.lstsq(design, end, rcond=None)[0].T)


def _turn(start: Array, end: Array) -> Array:
    """Turn, one scale and shift of least squares (complex numbers turn and scale in one product)."""
    a, b = start[:, 0] + 1j * start[:, 1], end[:, 0] + 1j * end[:, 1]
    from_a, from_b = a - a.mean(), b - b.mean()
    factor = complex(np.vdot(from_a, from_b)) / max(float(np.vdot(from_a, from_a).real), 1e-9)
    size = abs(factor)
    factor = factor / size * min(max(size, _SCALES[0]), _SCALES[1]) if size > 0 else 1 + 0j
    shift = complex(b.mean()) - factor * complex(a.mean())
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def _pixels_at(x: Array, z: Array, labels: LabelledView) -> tuple[Array, Array]:
    """Rows and columns of body points: the inverse of the labels' coordinates, by fixed-point iteration."""
    shape = labels.x_mm.shape
    r, c = (values.astype(float) for values in np.mgrid[0 : shape[0] : 8, 0 : shape[1] : 4])
    at = (r.astype(int), c.astype(int))
    design = np.column_stack([labels.x_mm[at].ravel(), labels.z_mm[at].ravel(), np.ones(r.size)])
    to_pixels = np.linalg.lstsq(design, np.column_stack([r.ravel(), c.ravel()]), rcond=None)[0]

    def straight(px: Array, pz: Array) -> tuple[Array, Array]:
        a, b, c = to_pixels
        return a[0] * px + b[0] * pz + c[0], a[1] * px + b[1] * pz + c[1]

    row, column = straight(x, z)
    for _ in range(4):
        inside_r, inside_c = np.clip(row, 0, shape[0] - 1), np.clip(column, 0, shape[1] - 1)
        error_x = x - _sampled(labels.x_mm, inside_r, inside_c)
        error_z = z - _sampled(labels.z_mm, inside_r, inside_c)
        step = straight(error_x, error_z)
        zero = to_pixels[2]
        row, column = inside_r + step[0] - zero[0], inside_c + step[1] - zero[1]
    return row, column


def _structure(view: View, labels: LabelledView, blur_mm: float, grid: _Grid | None) -> Picture:
    """What registration looks at, on the grid or on the view's own pixels."""
    row_mm, column_mm = labels.pixel_mm
    counts = view.counts
    level = max(_bone_level(counts, labels), 1e-3)
    sigma = blur_mm / math.sqrt(8 * math.log(2))
    smooth = ndimage.gaussian_filter(counts, (sigma / row_mm, sigma / column_mm), mode="nearest", truncate=3.0)
    picture = np.log1p(smooth / level)
    wide = (_REGION_MM / row_mm, _REGION_MM / column_mm)
    inside = ndimage.gaussian_filter(labels.body.astype(np.float32), wide, truncate=2.0)
    mean = ndimage.gaussian_filter(picture * labels.body, wide, truncate=2.0) / np.maximum(inside, 0.05)
    picture = np.where(labels.body, picture - mean, 0.0).astype(np.float32)
    return picture if grid is None else np.asarray(picture[np.ix_(*_indices(grid))])


def _bone_level(counts: Picture, labels: LabelledView) -> float:
    values = counts[(labels.regions > 0) & (labels.regions <= 12)]
    return float(np.median(values)) + 0.5 if values.size else 1.0


def _sampled(picture: NDArray[np.float32], row: Array, column: Array) -> Array:
    at = np.stack([row, column])
    return np.asarray(ndimage.map_coordinates(picture, at, order=1, mode="nearest"), dtype=float)


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    if a.size < 10 or not a.std() > 0 or not b.std() > 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _displacement(
    levels: Sequence[tuple[Picture, Picture]],
    row: Array,
    column: Array,
    grid: _Grid,
    prior_labels: LabelledView,
    body: NDArray[np.bool_],
) -> tuple[Array, Array]:
    """What the pictures add to where a point lies in the prior view, in its pixels."""
    prior_mm = prior_labels.pixel_mm
    down, across = np.zeros(grid.shape), np.zeros(grid.shape)  # mm
    spacing = (grid.row_mm, grid.column_mm)
    for (target, moving), window_mm, steps in zip(levels, WINDOWS_MM, STEPS, strict=True):
        g_target = np.gradient(target, *spacing)
        window = (window_mm / grid.row_mm, window_mm / grid.column_mm)

        def mean(values: Array, window: tuple[float, float] = window) -> Array:
            return np.asarray(ndimage.gaussian_filter(values.astype(np.float32), window, truncate=2.5), dtype=float)

        for _ in range(steps):
            moved = _sampled(moving, row + down / prior_mm[0], column + across / prior_mm[1])
            residual = np.where(body, target - moved, 0.0)
            g_moved = np.gradient(moved, *spacing)
            gr, gc = (0.5 * (a + b) for a, b in zip(g_target, g_moved, strict=True))
            weight = body / (1 + (residual / _ROBUST) ** 2) ** 2
            rr, cc, rc = mean(weight * gr * gr), mean(weight * gc * gc), mean(weight * gr * gc)
            br, bc = mean(weight * gr * residual), mean(weight * gc * residual)
            fade = _FADE * float(np.mean((rr + cc)[body])) if body.any() else 1.0
            rr, cc = rr + fade + 1e-12, cc + fade + 1e-12
            determinant = rr * cc - rc * rc
            down = down + (cc * br - rc * bc) / determinant
            across = across + (rr * bc - rc * br) / determinant
            smooth = tuple(size / 2 for size in window)
            down, across = (
                np.clip(ndimage.gaussian_filter(part, smooth, mode="nearest", truncate=2.5), -LARGEST_MM, LARGEST_MM)
                for part in (down, across)
            )
    return down / prior_mm[0], across / prior_mm[1]


def _enlarged(values: Array, grid: _Grid, shape: tuple[int, int]) -> Picture:
    """From the working grid to every pixel: linear between its points, and on beyond them."""
    down = grid.rows[1] - grid.rows[0]
    across = grid.columns[1] - grid.columns[0]
    r = (np.arange(shape[0]) - grid.rows[0]) / down
    c = (np.arange(shape[1]) - grid.columns[0]) / across
    i = np.clip(np.floor(r).astype(int), 0, len(grid.rows) - 2)
    j = np.clip(np.floor(c).astype(int), 0, len(grid.columns) - 2)
    fr, fc = (r - i)[:, None], (c - j)[None, :]
    upper = values[i][:, j] * (1 - fc) + values[i][:, j + 1] * fc
    lower = values[i + 1][:, j] * (1 - fc) + values[i + 1][:, j + 1] * fc
    return np.asarray(upper * (1 - fr) + lower * fr, dtype=np.float32)


def _shown(full: tuple[Picture, Picture], prior: View, current: View) -> NDArray[np.bool_]:
    """Pixels both cameras exposed (rows and columns without a count were not), where the map does not tear or fold."""
    rows, columns = prior.counts.shape
    inside = (full[0] >= 0) & (full[0] <= rows - 1) & (full[1] >= 0) & (full[1] <= columns - 1)
    lit_before, lit_now = (np.outer(view.counts.any(axis=1), view.counts.any(axis=0)) for view in (prior, current))
    at = tuple(
        np.clip(np.rint(part), 0, size - 1).astype(int) for part, size in zip(full, (rows, columns), strict=True)
    )
    (rr, rc), (cr, cc) = np.gradient(full[0]), np.gradient(full[1])
    area = rr * cc - rc * cr
    usual = float(np.median(area))
    whole = (area > _AREAS[0] * usual) & (area < _AREAS[1] * usual)
    return np.asarray(inside & whole & lit_before[at] & lit_now)
