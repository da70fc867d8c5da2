"""A body in voxels: which tissue, organ and bone lies at every point, and how deep below the bone's surface.

A voxel is inside where its centre lies in an interval of one of the body's parts. Its depth below the skin is the
distance to the nearest place outside, from the exact y of the skin in a lattice of columns 2 mm apart or less::

    d(x, y, z)^2 = min over columns (x', z') of (x - x')^2 + (z - z')^2 + d_y(y; x', z')^2

(d_y is the way along y out of the tissue of a column, 0 outside): lower envelopes of parabolas along x, then z.
In voxels of more than 4 mm their own columns are the lattice, the first ones outside moved nearer by what they lie
farther in the mean; what is skin is told by planes through the surfaces of each column and its neighbours.

What a voxel is follows from its place, first match wins:

1. bone, if in an ellipsoid of one; of several the one below whose surface it lies deepest;
2. skin, to 2 mm;
3. an organ, in the order of the list, if its margin below the fat under the skin is kept;
4. fat under the skin: what lies outside the same person's lean body, and as deep below that body's surface as sex,
   girth and the part say; muscle below it.

The lean body of a stout person has less girth, ``1 + 0.5 (girth - 1)``, so the fat is thick where the body has grown.

References
----------
Felzenszwalb PF, Huttenlocher DP. Distance transforms of sampled functions. Theory of Computing 2012;8:415-428.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.body import PARTS, Body
from bonescan.anatomy.organs import PosedOrgan
from bonescan.anatomy.pose import move_points
from bonescan.anatomy.skeleton import SEGMENTS
from bonescan.anatomy.tables import rows
from bonescan.anatomy.tissues import tissue
from bonescan.errors import InvalidValue
from bonescan.field import Grid

__all__ = ["SKIN_MM", "VoxelBody", "body_grid", "subcutaneous_fat_mm", "voxelise"]

Array = NDArray[np.float64]

SKIN_MM = 2.0
"""Thickness of skin: 3.3 kg over 1.9 m2 of a man, 2.3 kg over 1.66 m2 of a woman at 1.09 g/ml (ICRP 89) is 1.6 and
1.3 mm; voxels of the reference phantoms make it 2.1 and 1.8. Here 2 mm for both [D]."""

_LATTICE_MM = 2.0
_COARSE_MM = 4.0  # of voxels larger than that the columns themselves are the lattice
_DEEPEST_MM = 127.0

_BASE_TISSUES = ("air", "skin", "adipose", "muscle", "bone")
_AIR, _SKIN, _FAT, _MUSCLE, _BONE = range(5)

# Below girth 1 it thins: thickness x (1 + rate (girth - 1)); above, the lean body takes `_LEAN_SHARE` of the growth
# and the fat on it thickens besides. Rates make the share of fat that of Deurenberg et al. (Br J Nutr 1991;65:105-114)
# at the age of 40 [D].
_THINNING = {"male": 2.0, "female": 1.6}
_THICKENING = {"male": 1.0, "female": 0.7}
_LEAN_SHARE = 0.4

# Joints that carry heights of the default skeleton into the pose: (segment, x, y, z) from the top down.
_MARKS: dict[str, tuple[tuple[str, float, float, float], ...]] = {
    "trunk": (
        ("head", 0, 10, 1714),
        ("head", 0, 10, 1552),
        ("neck", 0, 12, 1437),
        ("thorax", 0, 5, 1141),
        ("lumbar", 0, 13, 985),
        ("pelvis", 0, 13, 823),
    ),
    "arm": (
        ("arm", 163, 15, 1437),
        ("arm", 163, 15, 1388),
        ("forearm", 213, 19, 1105),
        ("hand", 250, -25, 878),
        ("hand", 250, -25, 700),
    ),
    "leg": (
        ("thigh", 88, 10, 930),
        ("thigh", 88, 10, 881),
        ("shank", 75, 14, 440),
        ("foot", 54, 7, 67),
        ("foot", 54, 7, 0),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoxelBody:
    """What lies at every voxel of a grid. Arrays are read-only.

    Parameters
    ----------
    grid : Grid
    tissues, organs, bones : tuple of str
        Names that the arrays count.
    tissue : (slice, row, column) ndarray of uint8
        Index into ``tissues``; 0 is air.
    organ : (slice, row, column) ndarray of uint8
        0 none, k + 1 is ``organs[k]``.
    bone : (slice, row, column) ndarray of int16
        0 none, k + 1 is ``bones[k]``.
    depth_mm : (slice, row, column) ndarray of float32
        Depth below the bone's own surface, a lower bound: the greatest over its ellipsoids of
        (1 - |u|) times the least half-axis; 0 outside bone.
    """

    grid: Grid
    tissues: tuple[str, ...]
    tissue: NDArray[np.uint8]
    organs: tuple[str, ...]
    organ: NDArray[np.uint8]
    bones: tuple[str, ...]
    bone: NDArray[np.int16]
    depth_mm: NDArray[np.float32]

    def __post_init__(self) -> None:
        for array in (self.tissue, self.organ, self.bone, self.depth_mm):
            array.flags.writeable = False

    def tissue_ml(self) -> dict[str, float]:
        """Volume of every tissue but air.

        Returns
        -------
        dict of str to float
            In ml.
        """
        return self._volumes(self.tissue, self.tissues)

    def organ_ml(self) -> dict[str, float]:
        """Volume of every organ.

        Returns
        -------
        dict of str to float
            In ml; 0 for an organ that lies outside the grid or in others.
        """
        return self._volumes(self.organ, ("", *self.organs))

    def bone_ml(self) -> dict[str, float]:
        """Volume of every bone.

        Returns
        -------
        dict of str to float
            In ml.
        """
        return self._volumes(self.bone, ("", *self.bones))

    @property
    def mass_kg(self) -> float:
        """Mass of the body with every tissue at its own density."""
        return sum(ml * tissue(name).density_g_per_ml for name, ml in self.tissue_ml().items()) / 1000

    def _volumes(self, array: NDArray[np.uint8] | NDArray[np.int16], names: tuple[str, ...]) -> dict[str, float]:
        counts = np.zeros(len(names), dtype=np.int64)
        for level in array:
            counts += np.bincount(level.ravel(), minlength=len(names))
        return {name: float(counts[k]) * self.grid.voxel_ml for k, name in enumerate(names) if k > 0}


def body_grid(body: Body, spacing_mm: float, margin_mm: float = 20.0) -> Grid:
    """Smallest grid of cubic voxels around a body.

    Parameters
    ----------
    body : Body
    spacing_mm : float
        1 to 20.
    margin_mm : float
        Of air on every side, at least; 0 or more.

    Returns
    -------
    Grid
        Centres lie at multiples of the spacing.

    Raises
    ------
    InvalidValue
        For a spacing or margin outside its range.
    """
    if not 1 <= spacing_mm <= 20 or not 0 <= margin_mm < math.inf:
        raise InvalidValue(
            f"Voxels measure 1 to 20 mm, a margin 0 mm or more; got {spacing_mm} and {margin_mm}.",
            spacing_mm=spacing_mm,
            margin_mm=margin_mm,
        )
    low, high = body.extent_mm if spacing_mm <= _COARSE_MM else _coarse_extent_mm(body, spacing_mm)
    first = np.floor((low - margin_mm) / spacing_mm)
    last = np.ceil((high + margin_mm) / spacing_mm)
    count = (last - first).astype(int) + 1
    return Grid(
        shape=(int(count[2]), int(count[1]), int(count[0])),
        spacing_mm=(spacing_mm, spacing_mm, spacing_mm),
        origin_mm=(float(first[0] * spacing_mm), float(first[1] * spacing_mm), float(first[2] * spacing_mm)),
    )


def _coarse_extent_mm(body: Body, spacing_mm: float) -> tuple[Array, Array]:
    """Least and greatest x, y and z of the skin where columns of voxels meet it, to one voxel outwards in x and z."""
    low, high = (body.box_mm / spacing_mm).round().astype(int)
    shape = (int(high[2] - low[2]) + 1, int(high[0] - low[0]) + 1)
    columns = body.columns((spacing_mm * low[0], spacing_mm * low[2]), (spacing_mm, spacing_mm), shape)
    rows, across = np.nonzero((columns[:, 0] < columns[:, 1]).any(axis=0))
    return (
        np.array(
            [spacing_mm * (low[0] + across.min() - 1), columns[:, 0].min(), spacing_mm * (low[2] + rows.min() - 1)]
        ),
        np.array(
            [spacing_mm * (low[0] + across.max() + 1), columns[:, 1].max(), spacing_mm * (low[2] + rows.max() + 1)]
        ),
    )


def subcutaneous_fat_mm(part: str, z_mm: Array, *, sex: str, girth: float) -> Array:
    """Thickness of the fat on the lean body, in front and behind; it changes evenly between.

    Parameters
    ----------
    part : str
        One of `bonescan.anatomy.body.PARTS`.
    z_mm : (height,) ndarray
        Heights on the default skeleton.
    sex : str
    girth : float

    Returns
    -------
    (2, height) ndarray
        In mm.
    """
    own = (row for row in rows("fat") if (row["sex"], row["part"]) == (sex, part.split("_")[0]))
    z, front, behind = np.transpose([[float(row[key]) for key in ("z_mm", "front_mm", "behind_mm")] for row in own])
    rate = _THINNING[sex] if girth < 1 else _THICKENING[sex]
    reference = np.array([np.interp(z_mm, z, front), np.interp(z_mm, z, behind)])
    return np.asarray(reference * max(0.1, 1 + rate * (girth - 1)))


def voxelise(body: Body, organs: tuple[PosedOrgan, ...], grid: Grid) -> VoxelBody:
    """Say of every voxel of a grid what it is.

    Parameters
    ----------
    body : Body
    organs : tuple of PosedOrgan
        In the order of their precedence.
    grid : Grid
        Slices towards the head, rows towards the back, columns to the left.

    Returns
    -------
    VoxelBody

    Raises
    ------
    InvalidValue
        For a grid with other axes, or more organs than an 8-bit label holds.
    """
    if not np.allclose(np.asarray(grid.axes), [[0, 0, 1], [0, 1, 0], [1, 0, 0]]):
        raise InvalidValue("A body is voxelised with slices along z, rows along y and columns along x.", got=grid.axes)
    tissues = tuple(dict.fromkeys((*_BASE_TISSUES, *(organ.tissue for organ in organs))))
    if max(len(organs), len(tissues)) > 254:
        raise InvalidValue(f"At most 254 organs can be labelled, got {len(organs)}.", got=len(organs))
    x, y, z = (_coordinates(grid, k) for k in range(3))
    coarse = max(grid.spacing_mm[0], grid.spacing_mm[2]) > _COARSE_MM
    if coarse:
        rays = body.columns((x[0], z[0]), (grid.spacing_mm[2], grid.spacing_mm[0]), (len(z), len(x)))
    else:
        rays = body.intervals(*(a.astype(np.float32) for a in np.meshgrid(x, z)))
    lean_body = body
    if body.girth > 1:
        lean_body = Body(posed=body.posed, sex=body.sex, girth=1 + _LEAN_SHARE * (body.girth - 1))
    lean = _skin_depth(lean_body, grid)
    depth = lean
    if coarse:
        depth = _depth_below_planes(rays, y, grid)
    elif lean_body is not body:
        depth = _skin_depth(body, grid)
    bone = np.zeros(grid.shape, dtype=np.int16)
    bone_depth = np.zeros(grid.shape, dtype=np.float32)
    label = np.zeros(grid.shape, dtype=np.uint8)
    organ = np.zeros(grid.shape, dtype=np.uint8)
    posed = body.posed
    inverse, reach = _forms(posed.axes_mm)
    least = np.linalg.svd(posed.axes_mm, compute_uv=False)[:, -1].astype(float)
    _paint_bones(
        posed.centres_mm, inverse, reach, least, posed.skeleton.bone_index,
        x, y, z, bone, bone_depth,
    )  # fmt: skip
    owner = [k for k, item in enumerate(organs) for _ in item.centres_mm]
    centres = np.concatenate([item.centres_mm for item in organs]) if organs else np.zeros((0, 3))
    inverse, reach = _forms(np.concatenate([item.axes_mm for item in organs]) if organs else np.zeros((0, 3, 3)))
    _paint_tissues(
        depth, lean, rays, _fat(body, z), bone,
        centres, inverse, reach, np.array(owner, dtype=np.int64),
        np.array([item.margin_mm for item in organs]),
        np.array([tissues.index(item.tissue) for item in organs], dtype=np.uint8),
        x, y, z, label, organ,
    )  # fmt: skip
    return VoxelBody(
        grid=grid,
        tissues=tissues,
        tissue=label,
        organs=tuple(item.name for item in organs),
        organ=organ,
        bones=posed.skeleton.bones,
        bone=bone,
        depth_mm=bone_depth,
    )


def _coordinates(grid: Grid, axis: int) -> Array:
    """Places of the voxels along x, y or z."""
    return np.asarray(grid.origin_mm[axis] + grid.spacing_mm[2 - axis] * np.arange(grid.shape[2 - axis]), dtype=float)


def _forms(axes_mm: Array) -> tuple[Array, Array]:
    """Inverse of each ellipsoid's axes, and its reach along x, y, z."""
    return np.asarray(np.linalg.inv(axes_mm), dtype=float), np.asarray(np.linalg.norm(axes_mm, axis=2), dtype=float)


def _fat(body: Body, z_mm: Array) -> Array:
    """Fat on the lean body in front of and behind each part at heights of the posed body, (part, 2, height) in mm."""
    segments = [segment.name for segment in SEGMENTS]
    out = []
    for part in PARTS:
        name, side = part.split("_")[0], part[len(part.split("_")[0]) :]
        marks = _MARKS[name]
        points = np.array([mark[1:] for mark in marks], dtype=float)
        points[:, 0] *= -1 if side == "_r" else 1
        index = np.array([segments.index(mark[0] + side) for mark in marks])
        posed_z = body.posed.size * move_points(points, index, body.posed.pose)[:, 2]
        order = np.argsort(posed_z)
        default_z = np.interp(z_mm, posed_z[order], points[order, 2])
        out.append(body.posed.size * subcutaneous_fat_mm(part, default_z, sex=body.sex, girth=body.girth))
    return np.array(out)


def _skin_depth(body: Body, grid: Grid) -> NDArray[np.uint8]:
    """Depth below the skin in half millimetres, rounded up and at most 255; 0 outside the body."""
    coarse = max(grid.spacing_mm[0], grid.spacing_mm[2]) > _COARSE_MM
    fine = [1 if coarse else max(1, math.ceil(grid.spacing_mm[k] / _LATTICE_MM - 1e-9)) for k in (0, 2)]
    step = [grid.spacing_mm[0] / fine[0], grid.spacing_mm[2] / fine[1]]
    low, high = body.box_mm[:, ::2] if coarse else body.frame_mm
    lattice, first = [], []
    for k, axis in enumerate((2, 0)):  # of the grid, as far as the body may reach into it
        from_, to = grid.origin_mm[axis], grid.origin_mm[axis] + step[k] * fine[k] * (grid.shape[2 * k] - 1)
        before = math.floor((max(low[1 - k], from_ - _DEEPEST_MM) - from_) / step[k])
        after = math.ceil((min(high[1 - k], to + _DEEPEST_MM) - from_) / step[k])
        lattice.append(from_ + step[k] * np.arange(before, max(after, before + 1) + 1))
        first.append(-before)
    if coarse:
        rays = body.columns((lattice[1][0], lattice[0][0]), (step[1], step[0]), (len(lattice[0]), len(lattice[1])))
    else:
        rays = body.intervals(*(a.astype(np.float32) for a in np.meshgrid(lattice[1], lattice[0])))
    columns, ends, deep = _merged(rays)
    y = _coordinates(grid, 1)
    out = np.zeros(grid.shape, dtype=np.uint8)
    # the skin lies anywhere between the last column inside and the first one outside: as far as on the fine lattice
    nearer = (1 - _LATTICE_MM / min(step)) / 2 if coarse else 0.0
    _envelopes(columns, ends, deep, y, step[0], step[1], nearer, fine[0], fine[1], first[0], first[1], out)
    return out


def _depth_below_planes(rays: NDArray[np.float32], y_mm: Array, grid: Grid) -> NDArray[np.uint8]:
    """Depth below the skin as if it went on straight around each column, as `_skin_depth` gives it: right near it."""
    columns, ends, _ = _merged(rays)
    out = np.zeros(grid.shape, dtype=np.uint8)
    _below_planes(columns, ends, y_mm, grid.spacing_mm[0], grid.spacing_mm[2], out)
    return out


# --- compiled loops: threads share out slices or rows, so no sum depends on their number -----------


@numba.njit(cache=True, nogil=True)
def _merged(intervals: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Intervals of the parts as disjoint ones, (z, x, k, 2) ndarray, NaN behind the last; where each z has any.

    That is the first x and the last, which lies before the first where there is none, and the least y and the greatest.
    """
    parts, _, rows, columns = intervals.shape
    out = np.full((rows, columns, parts, 2), np.nan, dtype=np.float32)
    ends = np.empty((rows, 2), dtype=np.int64)
    deep = np.empty((rows, 2), dtype=np.float32)
    for row in range(rows):
        ends[row, 0], ends[row, 1] = columns, -1
        deep[row, 0], deep[row, 1] = np.inf, -np.inf
        for column in range(columns):
            count = 0
            for k in range(parts):
                near, far = intervals[k, 0, row, column], intervals[k, 1, row, column]
                if not near < far:
                    continue
                deep[row, 0], deep[row, 1] = min(deep[row, 0], near), max(deep[row, 1], far)
                m = 0
                while m < count:  # swallow what it touches
                    if out[row, column, m, 0] <= far and near <= out[row, column, m, 1]:
                        near = min(near, out[row, column, m, 0])
                        far = max(far, out[row, column, m, 1])
                        count -= 1
                        out[row, column, m] = out[row, column, count]
                        m = 0
                    else:
                        m += 1
                out[row, column, count, 0], out[row, column, count, 1] = near, far
                count += 1
            out[row, column, count:] = np.nan
            if count:
                ends[row, 0], ends[row, 1] = min(ends[row, 0], column), column
    return out, ends, deep


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _envelope(
    squares: NDArray[np.float32],
    begin: int,
    end: int,
    step: float,
    nearer: float,
    first: int,
    every: int,
    out: NDArray[np.float32],
    vertex: Array,
    lift: Array,
    base: NDArray[np.float32],
    edge: Array,
) -> tuple[int, int]:
    """out[q] = min over k of squares[k] + step^2 (first + q every - k)^2, for squares that are 0 but in begin..end.

    Zeros beside others lie by so much nearer to these. Writes what may be above 0, and returns from which q to which.
    """
    begin, end = max(begin - 1, 0), min(end + 1, squares.shape[0])  # the nearest zeros belong to it
    scale = step * step
    top = -1
    for k in range(begin, end):
        v = float(k)
        if nearer > 0 and squares[k] == 0:
            after, before = k + 1 < end and squares[k + 1] > 0, k > begin and squares[k - 1] > 0
            if after != before:
                v += nearer if after else -nearer
        height = squares[k] / scale + v * v
        s = -np.inf
        while top >= 0:
            s = (height - lift[top]) / (2.0 * (v - vertex[top]))
            if s > edge[top]:
                break
            top -= 1
        top += 1
        vertex[top], lift[top], base[top], edge[top] = v, height, squares[k], s if top else -np.inf
    edge[top + 1] = np.inf
    top = 0
    from_ = max(0, -((first - begin) // every))
    to = max(from_, min(out.shape[0], (end - 1 - first) // every + 1))
    for q in range(from_, to):
        at = first + q * every
        while edge[top + 1] < at:
            top += 1
        v = vertex[top]
        out[q] = base[top] + scale * (at - v) * (at - v)
    return from_, to


@numba.njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def _envelopes(
    columns: NDArray[np.float32],
    ends: NDArray[np.int64],
    deep: NDArray[np.float32],
    y_mm: Array,
    step_z: float,
    step_x: float,
    nearer: float,
    every_z: int,
    every_x: int,
    first_z: int,
    first_x: int,
    out: NDArray[np.uint8],
) -> None:
    rows, width, parts, _ = columns.shape
    slices, _, across = out.shape
    longest = max(rows, width) + 1
    for r in numba.prange(y_mm.shape[0]):
        y = y_mm[r]
        along_y = np.zeros(width, dtype=np.float32)
        along_x = np.zeros((rows, across), dtype=np.float32)
        line, along_z = np.zeros(rows, dtype=np.float32), np.zeros(slices, dtype=np.float32)
        depth = np.zeros((across, slices), dtype=np.uint8)
        vertex, lift, base = np.zeros(longest), np.zeros(longest), np.zeros(longest, dtype=np.float32)
        edge = np.zeros(longest + 1)
        # first and last z of each column of the grid where there is tissue
        lowest, highest = np.full(across, rows), np.full(across, -1)
        for z in range(rows):
            if not deep[z, 0] < y < deep[z, 1]:
                continue
            low, high = width, -1
            for x in range(ends[z, 0], ends[z, 1] + 1):
                d = 0.0
                for k in range(parts):
                    near, far = columns[z, x, k, 0], columns[z, x, k, 1]
                    if near < y < far:
                        d = min(y - near, far - y)
                        low, high = min(low, x), x
                        break
                    if not near < far:
                        break
                along_y[x] = d * d
            if high < low:
                continue
            begin, end = _envelope(
                along_y, low, high + 1, step_x, nearer, first_x, every_x, along_x[z], vertex, lift, base, edge
            )
            for c in range(begin, end):
                if along_x[z, c] > 0:
                    lowest[c], highest[c] = min(lowest[c], z), z
            along_y[low : high + 1] = 0.0
        for c in range(across):
            low, high = lowest[c], highest[c]
            if high < low:
                continue
            line[low : high + 1] = along_x[low : high + 1, c]
            begin, end = _envelope(
                line, low, high + 1, step_z, nearer, first_z, every_z, along_z, vertex, lift, base, edge
            )
            line[low : high + 1] = 0.0
            for s in range(begin, end):
                if along_z[s] > 0:
                    depth[c, s] = min(255.0, math.ceil(2 * math.sqrt(along_z[s])))
        for s in range(slices):
            for c in range(across):
                out[s, r, c] = depth[c, s]


@numba.njit(cache=True, nogil=True, inline="always")
def _surface(columns, z, x, which, near, far):  # type: ignore[no-untyped-def]
    """The near or far end in another column of the interval that overlaps one; NaN where there is none."""
    if 0 <= z < columns.shape[0] and 0 <= x < columns.shape[1]:
        for k in range(columns.shape[2]):
            if columns[z, x, k, 0] < far and near < columns[z, x, k, 1]:
                return columns[z, x, k, which]
    return np.float32(np.nan)


@numba.njit(cache=True, nogil=True)
def _slope(here: float, before: float, after: float, step: float) -> float:
    """Of a surface, from its neighbours as far as there are any."""
    if before == before and after == after:
        return (after - before) / (2 * step)
    if before == before:
        return (here - before) / step
    return (after - here) / step if after == after else 0.0


@numba.njit(cache=True, nogil=True, parallel=True)
def _below_planes(
    columns: NDArray[np.float32],
    ends: NDArray[np.int64],
    y_mm: Array,
    step_z: float,
    step_x: float,
    out: NDArray[np.uint8],
) -> None:
    rows, _, parts, _ = columns.shape
    for z in numba.prange(rows):
        for x in range(ends[z, 0], ends[z, 1] + 1):
            for k in range(parts):
                near, far = columns[z, x, k, 0], columns[z, x, k, 1]
                if not near < far:
                    break
                tilt_near, tilt_far = 1.0, 1.0
                for end in range(2):
                    across = _slope(
                        columns[z, x, k, end],
                        _surface(columns, z, x - 1, end, near, far),
                        _surface(columns, z, x + 1, end, near, far),
                        step_x,
                    )
                    along = _slope(
                        columns[z, x, k, end],
                        _surface(columns, z - 1, x, end, near, far),
                        _surface(columns, z + 1, x, end, near, far),
                        step_z,
                    )
                    tilt = 1 / math.sqrt(1 + across * across + along * along)
                    if end == 0:
                        tilt_near = tilt
                    else:
                        tilt_far = tilt
                for r in range(y_mm.shape[0]):
                    if near < y_mm[r] < far:
                        d = min((y_mm[r] - near) * tilt_near, (far - y_mm[r]) * tilt_far)
                        out[z, r, x] = min(255.0, math.ceil(2 * d))


@numba.njit(cache=True, nogil=True)
def _range(centre: float, reach: float, coordinates: Array) -> tuple[int, int]:
    """Indices of evenly spaced coordinates that lie within the reach of a centre."""
    count = coordinates.shape[0]
    step = coordinates[1] - coordinates[0] if count > 1 else 1.0
    first = math.ceil((centre - reach - coordinates[0]) / step)
    last = math.floor((centre + reach - coordinates[0]) / step)
    return max(0, first), min(count - 1, last) + 1


@numba.njit(cache=True, nogil=True, parallel=True)
def _paint_bones(
    centres: Array,
    inverse: Array,
    reach: Array,
    least: Array,
    bone_index: NDArray[np.int64],
    x_mm: Array,
    y_mm: Array,
    z_mm: Array,
    bone: NDArray[np.int16],
    depth: NDArray[np.float32],
) -> None:
    for s in numba.prange(z_mm.shape[0]):
        for e in range(centres.shape[0]):
            dz = z_mm[s] - centres[e, 2]
            if abs(dz) > reach[e, 2]:
                continue
            first_row, last_row = _range(centres[e, 1], reach[e, 1], y_mm)
            first_column, last_column = _range(centres[e, 0], reach[e, 0], x_mm)
            for r in range(first_row, last_row):
                dy = y_mm[r] - centres[e, 1]
                for c in range(first_column, last_column):
                    dx = x_mm[c] - centres[e, 0]
                    square = 0.0
                    for i in range(3):
                        u = inverse[e, i, 0] * dx + inverse[e, i, 1] * dy + inverse[e, i, 2] * dz
                        square += u * u
                    if square > 1:
                        continue
                    d = np.float32((1 - math.sqrt(square)) * least[e])
                    if bone[s, r, c] == 0 or d > depth[s, r, c]:
                        bone[s, r, c] = bone_index[e] + 1
                        depth[s, r, c] = d


@numba.njit(cache=True, nogil=True, parallel=True)
def _paint_tissues(
    depth: NDArray[np.uint8],
    lean: NDArray[np.uint8],
    intervals: NDArray[np.float32],
    fat_mm: Array,
    bone: NDArray[np.int16],
    centres: Array,
    inverse: Array,
    reach: Array,
    owner: NDArray[np.int64],
    margin_mm: Array,
    tissue_of: NDArray[np.uint8],
    x_mm: Array,
    y_mm: Array,
    z_mm: Array,
    label: NDArray[np.uint8],
    organ: NDArray[np.uint8],
) -> None:
    parts, rows, columns = fat_mm.shape[0], y_mm.shape[0], x_mm.shape[0]
    for s in numba.prange(z_mm.shape[0]):
        below_fat = np.full((rows, columns), -np.inf, dtype=np.float32)
        front, behind = np.full(parts, np.inf), np.full(parts, -np.inf)
        for k in range(parts):
            for c in range(columns):
                if intervals[k, 0, s, c] < intervals[k, 1, s, c]:
                    front[k] = min(front[k], intervals[k, 0, s, c])
                    behind[k] = max(behind[k], intervals[k, 1, s, c])
        for r in range(rows):
            for c in range(columns):
                if bone[s, r, c] > 0:
                    label[s, r, c] = _BONE
                    continue
                if depth[s, r, c] == 0:
                    continue
                if 0.5 * depth[s, r, c] <= SKIN_MM:
                    label[s, r, c] = _SKIN
                    continue
                d = 0.5 * lean[s, r, c]
                fat = 0.0
                for k in range(parts):
                    if intervals[k, 0, s, c] <= y_mm[r] <= intervals[k, 1, s, c]:
                        back = (y_mm[r] - front[k]) / max(behind[k] - front[k], 1.0)
                        fat = max(fat, fat_mm[k, 0, s] * (1 - back) + fat_mm[k, 1, s] * back)
                label[s, r, c] = _FAT if d <= SKIN_MM + fat else _MUSCLE
                below_fat[r, c] = d - SKIN_MM - fat
        for e in range(centres.shape[0]):
            dz = z_mm[s] - centres[e, 2]
            if abs(dz) > reach[e, 2]:
                continue
            first_row, last_row = _range(centres[e, 1], reach[e, 1], y_mm)
            first_column, last_column = _range(centres[e, 0], reach[e, 0], x_mm)
            own = owner[e]
            for r in range(first_row, last_row):
                dy = y_mm[r] - centres[e, 1]
                for c in range(first_column, last_column):
                    if organ[s, r, c] > 0 or not below_fat[r, c] >= margin_mm[own]:
                        continue
                    dx = x_mm[c] - centres[e, 0]
                    square = 0.0
                    for i in range(3):
                        u = inverse[e, i, 0] * dx + inverse[e, i, 1] * dy + inverse[e, i, 2] * dz
                        square += u * u
                    if square <= 1:
                        organ[s, r, c] = own + 1
                        label[s, r, c] = tissue_of[own]
