"""What a network sees of a body, held against a posed skeleton: areas of planar regions, levels of spine and ribs.

The painted regions of the default skeleton, one point for every 10 mm square, move with the segments they are painted
on. Splatted on a working grid they say what share of each pixel a region should cover; the network says with what
probability it does. In the same way the posed bones of spine and chest cage should lie where the network's map of
levels has their number::

    area    r = g (share - probability)          per pixel, and plane of regions that never touch
    level   r = c (map(bone) - number) / s       per vertebra, and point of a rib; c the probability of the region there

Both are as smooth in the pose as the picture of the bones is, and enter the same least squares
(`fit.py`). Where a scan ends, both end: nothing is asked of a body's part that lies outside the picture.
A limb in front of the trunk, which is painted as trunk, asks for nothing either.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import curve_basis, pose_skeleton, segment_maps
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.regions import outlines, paint_limbs, paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.reading.network import DenseView
from bonescan.reading.skeleton.picture import FRAME, blur, box_matrix
from bonescan.scan import View, ViewName

__all__ = ["GRID_MM", "PLANES", "AreaCloud", "Areas", "area_cloud", "area_pictures", "prepare_areas"]

Array = NDArray[np.float64]

GRID_MM = 10.0
"""Edge of the square of a painted region that one point stands for."""

_TOP_MM, _BOTTOM_MM, _HALF_WIDTH_MM = 1760.0, -20.0, 420.0  # of the default skeleton
_PLANES = ((1, 4, 10, 16), (2, 8, 9, 15), (3, 12, 17), (5, 11), (6, 13), (7, 14))  # regions that never touch
PLANES = len(_PLANES)
"""Pictures of areas in a view: regions that never touch share one."""

_LIMB = 13  # forearms, hands, knees, legs and feet are painted where nothing else is
_GAIN = 2.5  # of an area's residual: a whole pixel on the wrong side is as bad as a misplaced edge of bone
_LEVEL_SD = 0.5  # levels
_SPINE = (2, 3, 9, 10)
_CHEST = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaCloud:
    """Points of the painted regions of one view, in the default pose, one for every square of `GRID_MM`.

    Parameters
    ----------
    points : (point, 3) ndarray
    segment, plane, region : (point,) ndarray of int
        What it moves with, which of `PLANES` it is splatted on, and its region.
    limb : (point,) ndarray of bool
        Whether the trunk hides it.
    curve : (point, 3) ndarray
        `bonescan.anatomy.pose.curve_basis` there.
    """

    points: Array
    segment: NDArray[np.int64]
    plane: NDArray[np.int64]
    limb: NDArray[np.bool_]
    region: NDArray[np.int64]
    curve: Array


@cache
def area_cloud(view: ViewName) -> AreaCloud:
    """The painted regions of the default skeleton in one view, as points.

    Parameters
    ----------
    view : ViewName

    Returns
    -------
    AreaCloud
        The same object at every call.
    """
    skeleton = default_skeleton()
    z = np.arange(_TOP_MM, _BOTTOM_MM, -GRID_MM)
    x = np.arange(-_HALF_WIDTH_MM, _HALF_WIDTH_MM + 1, GRID_MM)
    grid_x, grid_z = (part.astype(np.float32) for part in np.meshgrid(x, z))

    def to_pixels(x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        return (_TOP_MM - z_mm) / GRID_MM, (x_mm + _HALF_WIDTH_MM) / GRID_MM

    pose = np.zeros(0)
    regions = paint_regions(pose, view, to_pixels, grid_x.shape)
    posed = pose_skeleton(skeleton, pose)
    paint_limbs(regions, project_bones(posed, grid_x, grid_z), np.ones(grid_x.shape, np.bool_), (GRID_MM, GRID_MM))
    rows, columns = np.nonzero(regions)
    region = regions[rows, columns].astype(np.int64)
    points = np.stack([grid_x[rows, columns], np.zeros(len(rows)), grid_z[rows, columns]], axis=1).astype(float)
    segment = np.zeros(len(rows), np.int64)
    own_region = np.array([bone(name).region for name in skeleton.bones])[skeleton.bone_index]
    knee = np.isin(skeleton.bone_index, [k for k, n in enumerate(skeleton.bones) if n[:-2] in ("femur", "tibia")])
    for number in range(1, 18):
        own = np.flatnonzero(region == number)
        if not len(own):
            continue
        painted = [one for one in outlines() if one.view == view and one.region == number and not one.hole]
        if number < _LIMB:  # an outline's points, nearest corner first
            corners = np.concatenate([one.points_mm for one in painted])
            of = np.concatenate([np.full(len(one.points_mm), one.segment) for one in painted])
            places, depths = corners, corners[:, 1]
        else:
            bones = np.flatnonzero(knee if number == 15 else own_region == number)
            places, of, depths = (
                skeleton.centres_mm[bones],
                skeleton.segment_index[bones],
                skeleton.centres_mm[bones, 1],
            )
        away = np.hypot(points[own, 0][:, None] - places[:, 0], points[own, 2][:, None] - places[:, 2])
        nearest = away.argmin(axis=1)
        segment[own], points[own, 1] = of[nearest], depths[nearest]
    plane_of = {number: k for k, members in enumerate(_PLANES) for number in members}
    return AreaCloud(
        points=points,
        segment=segment,
        plane=np.array([plane_of[int(number)] for number in region]),
        limb=region >= _LIMB,
        region=region,
        curve=curve_basis(points[:, 2]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Levels:
    """Points of vertebrae and of the camera's side of ribs, in the default pose, with the number each should have."""

    points: Array
    segment: NDArray[np.int64]
    number: Array
    rib: NDArray[np.int64]  # 0 of the spine, 1 of the chest cage
    weight: Array
    curve: Array


@cache
def _levels(view: ViewName) -> _Levels:
    skeleton = default_skeleton()
    points, segment, number, rib, weight = [], [], [], [], []

    def add(place: Array, ellipsoid: int, level: float, is_rib: bool, share: float) -> None:
        points.append(place)
        segment.append(skeleton.segment_index[ellipsoid])
        number.append(level)
        rib.append(int(is_rib))
        weight.append(share)

    first = {"c": 0, "t": 7, "l": 19}
    volumes = skeleton.volumes_mm3()
    for k, name in enumerate(skeleton.bones):
        own = np.flatnonzero(skeleton.bone_index == k)
        centres = skeleton.centres_mm[own]
        if name.startswith("vertebra_"):
            place = np.average(centres, axis=0, weights=volumes[own])
            add(place, own[0], first[name[9]] + int(name[10:12]), False, 1.0)
        elif name.startswith("rib_"):
            middle = 0.5 * (centres[:, 1].min() + centres[:, 1].max())
            near = centres[:, 1] < middle if view is ViewName.ANTERIOR else centres[:, 1] > middle
            for place, ellipsoid in zip(centres[near], own[near], strict=True):
                add(place, ellipsoid, int(name[4:6]), True, 1 / np.count_nonzero(near))
    places = np.array(points)
    return _Levels(
        points=places,
        segment=np.array(segment),
        number=np.array(number, dtype=float),
        rib=np.array(rib),
        weight=np.array(weight),
        curve=curve_basis(places[:, 2]),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Areas:
    """The network's maps of every view on one working grid.

    Parameters
    ----------
    planes : (view, plane, row, column) ndarray of float32
        Probability of the plane's regions, blurred as the areas are.
    free : (view, row, column) ndarray of float32
        1 less the probability of what hides a limb.
    exposed : (view, row, column) ndarray of float32
        1 where the scan has pixels that were exposed.
    levels, sure : (view, 2, row, column) ndarray of float32
        Maps of vertebra and rib, and the probability that they mean anything.
    ratio : (2,) ndarray
        Pixels of this grid per pixel of the fit's.
    psf : (half + 1,) ndarray of float32
    sides : tuple of ViewName
    """

    planes: NDArray[np.float32]
    free: NDArray[np.float32]
    exposed: NDArray[np.float32]
    levels: NDArray[np.float32]
    sure: NDArray[np.float32]
    ratio: Array
    psf: NDArray[np.float32]
    sides: tuple[ViewName, ...]

    @property
    def level_count(self) -> int:
        """Residuals of levels, all views together."""
        return sum(len(_levels(side).number) for side in self.sides)

    @property
    def level_weight(self) -> Array:
        """Weight of every residual of levels, (level,) ndarray; a bone's sum to 1."""
        return np.concatenate([_levels(side).weight for side in self.sides])


def prepare_areas(
    seen: tuple[DenseView, ...],
    views: tuple[View, ...],
    shape: tuple[int, int],
    fit_shape: tuple[int, int],
    psf: NDArray[np.float32],
) -> Areas:
    """Bring the network's maps to a working grid.

    Parameters
    ----------
    seen : tuple of DenseView
        Of the views, in their order.
    views : tuple of View
    shape : (rows, columns)
        Of the grid.
    fit_shape : (rows, columns)
        Of the grid on which the fit's frames lie.
    psf : (half + 1,) ndarray of float32
        Blur of the fit's pictures.

    Returns
    -------
    Areas
    """
    count = len(views)
    planes = np.zeros((count, PLANES, *shape), np.float32)
    free, exposed = np.ones((count, *shape), np.float32), np.zeros((count, *shape), np.float32)
    levels, sure = np.zeros((count, 2, *shape), np.float32), np.zeros((count, 2, *shape), np.float32)
    scratch = np.empty(shape, np.float32)
    for v, (dense, view) in enumerate(zip(seen, views, strict=True)):
        down, across = box_matrix(view.counts.shape[0], shape[0]), box_matrix(view.counts.shape[1], shape[1]).T

        def small(values: NDArray[np.float32], down=down, across=across) -> NDArray[np.float32]:  # type: ignore[no-untyped-def]
            return np.asarray(down @ values @ across, dtype=np.float32)

        for k, members in enumerate(_PLANES):
            planes[v, k] = small(dense.regions[list(members)].sum(axis=0))
            blur(planes[v, k], psf, scratch)
        free[v] = 1 - small(dense.regions[1:_LIMB].sum(axis=0))
        lit = np.zeros(view.counts.shape, np.float32)
        lit[np.flatnonzero(view.counts.any(axis=1))] = 1
        exposed[v] = small(lit) > 0.99
        for k, (values, where) in enumerate(((dense.vertebra, list(_SPINE)), (dense.rib, [_CHEST]))):
            share = dense.regions[where].sum(axis=0)
            weighted, weight = small(values * share), small(share)
            blur(weighted, psf, scratch)
            around = weight.copy()
            blur(around, psf, scratch)
            levels[v, k] = weighted / np.maximum(around, 1e-3)
            sure[v, k] = weight
    return Areas(
        planes=_GAIN * planes,
        free=free,
        exposed=exposed,
        levels=levels,
        sure=sure,
        ratio=np.array(shape, dtype=float) / np.array(fit_shape, dtype=float),
        psf=psf,
        sides=tuple(view.name for view in views),
    )


@numba.njit(cache=True, nogil=True)
def _pixel(m, curve, frame, ratio, point, basis):  # type: ignore[no-untyped-def]
    """Where a point of the skeleton falls, moved with its segment and the spine's curve: row, column."""
    x0 = point[0] + basis[0] * curve[0] + basis[1] * curve[1] + basis[2] * curve[2]
    y0, z0 = point[1], point[2]
    x = m[0, 0] * x0 + m[0, 1] * y0 + m[0, 2] * z0 + m[0, 3]
    z = m[2, 0] * x0 + m[2, 1] * y0 + m[2, 2] * z0 + m[2, 3] - 900.0
    row = (frame[0] - frame[2] * (z - frame[4] * x) + 0.5) * ratio[0] - 0.5
    column = (frame[1] + frame[3] * (x + frame[5] * z) + 0.5) * ratio[1] - 0.5
    return row, column


@numba.njit(cache=True, nogil=True)
def _splat(maps, curve, frame, ratio, points, segment, plane, limb, basis, free, gain, area_mm2, psf, out, scratch):  # type: ignore[no-untyped-def]
    planes, rows, columns = out.shape
    out[:, :, :] = 0.0
    weight = gain * area_mm2 * abs(frame[2] * frame[3]) * ratio[0] * ratio[1]
    for p in range(points.shape[0]):
        row, column = _pixel(maps[segment[p]], curve, frame, ratio, points[p], basis[p])
        r, c = math.floor(row), math.floor(column)
        if r < 0 or c < 0 or r >= rows - 1 or c >= columns - 1:
            continue
        a, b = row - r, column - c
        k = plane[p]
        if limb[p]:
            out[k, r, c] += weight * (1 - a) * (1 - b) * free[r, c]
            out[k, r + 1, c] += weight * a * (1 - b) * free[r + 1, c]
            out[k, r, c + 1] += weight * (1 - a) * b * free[r, c + 1]
            out[k, r + 1, c + 1] += weight * a * b * free[r + 1, c + 1]
        else:
            out[k, r, c] += weight * (1 - a) * (1 - b)
            out[k, r + 1, c] += weight * a * (1 - b)
            out[k, r, c + 1] += weight * (1 - a) * b
            out[k, r + 1, c + 1] += weight * a * b
    for k in range(planes):
        for r in range(rows):
            for c in range(columns):
                out[k, r, c] = min(out[k, r, c], gain)
        blur(out[k], psf, scratch)


@numba.njit(cache=True, nogil=True)
def _level_residuals(maps, curve, frame, ratio, points, segment, number, rib, basis, levels, sure, sd, out):  # type: ignore[no-untyped-def]
    rows, columns = levels.shape[1:]
    for p in range(points.shape[0]):
        out[p] = 0.0
        row, column = _pixel(maps[segment[p]], curve, frame, ratio, points[p], basis[p])
        r, c = math.floor(row), math.floor(column)
        if r < 0 or c < 0 or r >= rows - 1 or c >= columns - 1:
            continue
        a, b = row - r, column - c
        k = rib[p]
        value, trust, total = 0.0, 0.0, 0.0
        for i in range(2):
            for j in range(2):
                w = (a if i else 1 - a) * (b if j else 1 - b)
                s = sure[k, r + i, c + j]
                value += w * (s + 1e-6) * levels[k, r + i, c + j]
                total += w * (s + 1e-6)
                trust += w * s
        out[p] = trust * (value / total - number[p]) / sd


def area_pictures(
    thetas: Array,
    areas: Areas,
    tree: tuple[NDArray[np.int64], Array, Array, NDArray[np.int64], Array],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Areas and levels of many parameter vectors, on every core.

    Parameters
    ----------
    thetas : (vector, parameter) ndarray
        Pose, then one frame of `FRAME` numbers a view.
    areas : Areas
    tree : tuple of ndarray
        From `bonescan.anatomy.pose.tree_arrays`.

    Returns
    -------
    pictures : (vector, view, plane, row, column) ndarray of float32
        In the units of ``areas.planes``.
    levels : (vector, level) ndarray of float32
        Residuals.
    """
    parents, pivots, pivot_curve, slots, signs = tree
    poses = len(slots)
    pictures = np.empty((len(thetas), *areas.planes.shape), np.float32)
    levels = np.zeros((len(thetas), areas.level_count), np.float32)
    threads = max(1, min(numba.get_num_threads(), len(thetas)))
    clouds, bones = [area_cloud(side) for side in areas.sides], [_levels(side) for side in areas.sides]

    def every(first: int) -> None:
        scratch = np.empty(areas.planes.shape[2:], np.float32)
        for t in range(first, len(thetas), threads):
            maps, curve = segment_maps(thetas[t, :poses], parents, pivots, pivot_curve, slots, signs)
            at = 0
            for v, (cloud, bone_points) in enumerate(zip(clouds, bones, strict=True)):
                frame = thetas[t, poses + v * FRAME :][:FRAME]
                _splat(
                    maps, curve, frame, areas.ratio, cloud.points, cloud.segment, cloud.plane, cloud.limb, cloud.curve,
                    areas.free[v], _GAIN, GRID_MM**2, areas.psf, pictures[t, v], scratch,
                )  # fmt: skip
                end = at + len(bone_points.number)
                _level_residuals(
                    maps, curve, frame, areas.ratio, bone_points.points, bone_points.segment, bone_points.number,
                    bone_points.rib, bone_points.curve, areas.levels[v], areas.sure[v], _LEVEL_SD, levels[t, at:end],
                )  # fmt: skip
                at = end

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(every, range(threads)))
    return pictures, levels
