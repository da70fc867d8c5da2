"""The body around the posed skeleton: where the skin lies along each ray, and how much tissue is behind it.

The skin of trunk with head, two arms and two legs is a tube through sections at heights ``z_k`` of the default
skeleton, each a superellipse about its centre, enlarged by girth ``g``::

    |(x - x_k) / (w_k g^p_k)|^n_k + |(y - y_k) / (d_k g^q_k)|^n_k = 1

(``data/body.csv``: measured on the reference phantoms of ICRP Publication 110; the exponents let the belly grow
most, head and distal limbs least; as a person lies on the back, most of the trunk's growth is in front). A point of
the skin moves with the segments on both sides of the nearest joint, mixed linearly across it ::

    p' = (1 - s) M_a(p) + s M_b(p),   s = smoothstep((z - z_joint) / reach)

and every bone of the part counts as covered by a few millimetres of tissue, wherever it lies: that dresses hands
and feet, and lets the skin give way where a bone would pierce it. The rays run along y, as in a planar view.

References
----------
ICRP Publication 110, Adult Reference Computational Phantoms. Ann ICRP 2009;39(2).
Linear blend skinning: Magnenat-Thalmann N, Laperrière R, Thalmann D. Graphics Interface 1988:26-33.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import FREEDOMS, PosedSkeleton, curve_basis, segment_maps, tree_arrays
from bonescan.anatomy.projection import ray_forms
from bonescan.anatomy.skeleton import SEGMENTS
from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue

__all__ = ["GIRTH_RANGE", "PARTS", "SEXES", "TISSUE_MU_PER_MM", "Body", "trunk_weights"]

Array = NDArray[np.float64]
Picture = NDArray[np.float32]

SEXES = ("female", "male")
GIRTH_RANGE = (0.8, 1.5)
TISSUE_MU_PER_MM = 0.012
"""Effective attenuation of soft tissue for Tc-99m, broad beam: about 0.12 /cm is in general use."""

_STEP_MM = 2.0  # of the grid the surfaces are found on
_STRIP = 8  # of its points that are searched for the ends of the skin at once
_RIM = 48  # points of a section
_ON_THE_BACK = 0.35  # share of the trunk's growth in depth that goes behind: a table is in the way
_INWARDS = (
    0.25  # share of a limb's growth in width that goes towards the midline: the trunk and the other leg are there
)

# Tissue over bone (mm): scalp and skin; pads of hands and soles.
_COVER_MM = {"head": 5.0, "hand": 6.0, "foot": 8.0}
_COVER_ELSEWHERE_MM = 4.0

# Segments of each part from the top down; the height each joint has in the default skeleton comes from SEGMENTS.
_PARTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("trunk", ("head", "neck", "thorax", "lumbar", "pelvis"), ("clavicle_l", "scapula_l", "clavicle_r", "scapula_r")),
    ("arm_l", ("arm_l", "forearm_l", "hand_l"), ()),
    ("arm_r", ("arm_r", "forearm_r", "hand_r"), ()),
    ("leg_l", ("thigh_l", "shank_l", "foot_l"), ()),
    ("leg_r", ("thigh_r", "shank_r", "foot_r"), ()),
)
_JOINT_REACH_MM = {"trunk": 60.0, "arm": 45.0, "leg": 55.0}

PARTS: tuple[str, ...] = tuple(part for part, _, _ in _PARTS)
"""Names of the body's parts, in the order of `Body.intervals`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Skin:
    """One part's skin in the default pose, girth 1.

    ``rim`` holds the sections' points relative to their centres, (section, point, 2); ``weight`` how much each
    section moves with each segment, (section, segment).
    """

    z_mm: Array
    centre_mm: Array
    rim_mm: Array
    girth_exponent: Array
    weight: Array


@cache
def _skins(sex: str) -> tuple[_Skin, ...]:
    sections = list(rows("body"))
    numbers = {
        part: np.array(
            [[float(row[key]) for key in list(row)[2:]] for row in sections if (row["sex"], row["part"]) == (sex, part)]
        )
        for part in ("trunk", "arm", "leg")
    }
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    angle = 2 * np.pi * (np.arange(_RIM) + 0.5) / _RIM
    cos, sin = np.cos(angle), np.sin(angle)
    skins = []
    for part, chain, _ in _PARTS:
        name, side = part[:5].removesuffix("_l").removesuffix("_r"), -1.0 if part.endswith("_r") else 1.0
        z, x, y, width, depth, n, girth_width, girth_depth = numbers[name].T
        power = 2 / n[:, None]
        rim = np.stack(
            [
                width[:, None] * np.sign(cos) * np.abs(cos) ** power * side,
                depth[:, None] * np.sign(sin) * np.abs(sin) ** power,
            ],
            axis=2,
        )
        skins.append(
            _Skin(
                z_mm=z,
                centre_mm=np.column_stack([side * x, y]),
                rim_mm=rim,
                girth_exponent=np.column_stack([girth_width, girth_depth]),
                weight=_weights(z, [index[segment] for segment in chain], _JOINT_REACH_MM[name]),
            )
        )
    return tuple(skins)


def _weights(z_mm: Array, chain: list[int], reach_mm: float) -> Array:
    """Share of each segment in the motion of a section, (section, segment); rows sum to 1."""
    weight = np.zeros((len(z_mm), len(SEGMENTS)))
    above = np.ones(len(z_mm))
    for k, segment in enumerate(chain):
        if k + 1 == len(chain):
            weight[:, segment] = above
            break
        # The trunk's segments hang on their lower joint, those of the limbs on their upper one.
        joint = SEGMENTS[segment if SEGMENTS[segment].carried_by == SEGMENTS[chain[k + 1]].name else chain[k + 1]]
        s = np.clip(0.5 + (z_mm - joint.pivot_mm[2]) / (2 * reach_mm), 0, 1)
        s = s * s * (3 - 2 * s)
        weight[:, segment] = above * s
        above = above * (1 - s)
    return weight


def trunk_weights(z_mm: Array) -> Array:
    """Share of each segment in the motion of the trunk's tissue, as the skin has it.

    Parameters
    ----------
    z_mm : (point,) ndarray
        Heights in the default pose.

    Returns
    -------
    (point, segment) ndarray
        Rows sum to 1.
    """
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    return _weights(z_mm, [index[segment] for segment in _PARTS[0][1]], _JOINT_REACH_MM["trunk"])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Covered:
    """Ellipsoids of bone grown by their cover: centre and reach, their `ray_forms`, and the part each belongs to."""

    places: Array
    forms: Array
    part: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sheets:
    """Surfaces on a grid: foremost and hindmost skin and length of tissue, (3, row, column); intervals of parts."""

    origin_mm: tuple[float, float]
    joined: Picture
    parts: Picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """A person's soft tissue around a posed skeleton.

    Parameters
    ----------
    posed : PosedSkeleton
    sex : str
        ``"male"`` or ``"female"``: whose reference sections are used.
    girth : float
        Of the waist, 1.0 for the reference person; 0.8 to 1.5, about body mass index 17 to 45: the
        volume follows ``girth^1.6``, and 1.0 is an index of 24.

    Raises
    ------
    InvalidValue
        For another sex, or a girth outside its range.

    Examples
    --------
    >>> from bonescan.anatomy.pose import default_pose, pose_skeleton
    >>> from bonescan.anatomy.skeleton import default_skeleton
    >>> body = Body(posed=pose_skeleton(default_skeleton(), default_pose()), sex="female")
    >>> front, back = body.surfaces(np.zeros((1, 1), np.float32), np.full((1, 1), 1100, np.float32))
    >>> bool(front[0, 0] < 0 < back[0, 0])
    True
    """

    posed: PosedSkeleton
    sex: str = "male"
    girth: float = 1.0
    _tubes: tuple[Array, ...] = field(init=False, repr=False)
    _bones: _Covered = field(init=False, repr=False)
    _origin_mm: tuple[float, float] = field(init=False, repr=False)
    _shape: tuple[int, int] = field(init=False, repr=False)
    _found: _Sheets | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.sex not in SEXES:
            raise InvalidValue(f"The body is one of {SEXES}, got {self.sex!r}.", got=self.sex)
        low, high = GIRTH_RANGE
        if not low <= self.girth <= high:
            raise InvalidValue(f"Girth must lie between {low} and {high}, got {self.girth}.", got=self.girth)
        tubes, bones = tuple(_moved_skins(self.posed, self.sex, self.girth)), _covered_bones(self.posed)
        least, most = _box(tubes, bones)
        low_x, low_z = (math.floor(least[k] / _STEP_MM - 2) * _STEP_MM for k in (0, 2))
        shape = (math.ceil((most[2] - low_z) / _STEP_MM) + 2, math.ceil((most[0] - low_x) / _STEP_MM) + 2)
        object.__setattr__(self, "_tubes", tubes)
        object.__setattr__(self, "_bones", bones)
        object.__setattr__(self, "_origin_mm", (float(low_x), float(low_z)))
        object.__setattr__(self, "_shape", shape)
        object.__setattr__(self, "_found", None)

    def surfaces(self, x_mm: Picture, z_mm: Picture) -> tuple[Picture, Picture]:
        """Where the ray through each pixel enters and leaves the body.

        Parameters
        ----------
        x_mm, z_mm : (row, column) ndarray
            Body coordinates of each pixel.

        Returns
        -------
        front_y_mm, back_y_mm : (row, column) ndarray of float32
            y of the foremost and the hindmost skin; NaN outside the body.
        """
        return self._at(0, x_mm, z_mm), self._at(1, x_mm, z_mm)

    def thickness(self, x_mm: Picture, z_mm: Picture) -> Picture:
        """Length of tissue, bone included, along the ray through each pixel.

        Parameters
        ----------
        x_mm, z_mm : (row, column) ndarray
            Body coordinates of each pixel.

        Returns
        -------
        (row, column) ndarray of float32
            In mm; 0 outside the body. Air between a limb and the trunk does not count.
        """
        return self._at(2, x_mm, z_mm)

    def intervals(self, x_mm: Picture, z_mm: Picture) -> Picture:
        """Where the ray through each pixel runs inside each part of the body.

        Parameters
        ----------
        x_mm, z_mm : (row, column) ndarray
            Body coordinates of each pixel.

        Returns
        -------
        (part, 2, row, column) ndarray of float32
            y where the ray enters and where it leaves each of `PARTS`; NaN outside the part. Parts overlap at joints.
        """
        sheets = self._sheets()
        return np.stack(
            [
                np.stack([_sampled(side, sheets.origin_mm, x_mm, z_mm, math.nan) for side in part])
                for part in sheets.parts
            ]
        )

    def columns(self, low_mm: tuple[float, float], step_mm: tuple[float, float], shape: tuple[int, int]) -> Picture:
        """Where rays on a lattice run inside each part: `intervals` without the 2 mm grid between, for few rays.

        Parameters
        ----------
        low_mm : (x, z)
            Of the first ray.
        step_mm : (x, z)
            To the next, positive.
        shape : (row, column)
            Rays along z and along x.

        Returns
        -------
        (part, 2, row, column) ndarray of float32
            y where the ray enters and where it leaves each of `PARTS`; it enters at infinity and leaves at minus
            infinity where it misses the part.
        """
        out = np.empty((len(self._tubes), 2, *shape), dtype=np.float32)
        out[:, 0], out[:, 1] = np.inf, -np.inf
        near, far = out[:, 0], out[:, 1]
        for k, tube in enumerate(self._tubes):
            _paint_tube(tube, *low_mm, *step_mm, near[k], far[k])
        _paint_ellipsoids(self._bones.places, self._bones.forms, self._bones.part, *low_mm, *step_mm, near, far)
        return out

    @property
    def box_mm(self) -> Array:
        """A box that holds the body, close to it: least and greatest x, y and z, (2, 3) ndarray."""
        return np.array(_box(self._tubes, self._bones))

    @property
    def frame_mm(self) -> Array:
        """Least and greatest x and z of the skin, to 2 mm outwards, (2, 2) ndarray."""
        rows, columns = self._shape
        first_row, last_row = self._ends(rows, columns, along_rows=True)
        first_column, last_column = self._ends(columns, rows, along_rows=False)
        low_x, low_z = self._origin_mm
        return np.array(
            [
                (low_x + _STEP_MM * (first_column - 1), low_z + _STEP_MM * (first_row - 1)),
                (low_x + _STEP_MM * (last_column + 1), low_z + _STEP_MM * (last_row + 1)),
            ],
            dtype=float,
        )

    @property
    def extent_mm(self) -> Array:
        """Least and greatest x, y and z of the skin, to 2 mm outwards, (2, 3) ndarray."""
        joined = self._sheets().joined
        (low_x, low_z), (high_x, high_z) = self.frame_mm
        low_y, high_y = np.nanmin(joined[0]) - _STEP_MM, np.nanmax(joined[1]) + _STEP_MM
        return np.array([(low_x, low_y, low_z), (high_x, high_y, high_z)], dtype=float)

    @property
    def volume_mm3(self) -> float:
        """Volume of the body, parts that overlap counted once."""
        return float(np.nansum(self._sheets().joined[2], dtype=np.float64)) * _STEP_MM**2

    def _ends(self, count: int, across: int, *, along_rows: bool) -> tuple[int, int]:
        """First and last row, or column, of the grid that meets the body, searched in strips from either end."""
        low_x, low_z = self._origin_mm
        found = []
        for strips in (range(0, count, _STRIP), range(count - _STRIP, -_STRIP, -_STRIP)):
            for begin in strips:
                if along_rows:
                    low, shape = (low_x, low_z + _STEP_MM * begin), (_STRIP, across)
                else:
                    low, shape = (low_x + _STEP_MM * begin, low_z), (across, _STRIP)
                near, far = self.columns(low, (_STEP_MM, _STEP_MM), shape).swapaxes(0, 1)
                there = np.flatnonzero((near < far).any(axis=(0, 2) if along_rows else (0, 1)))
                if len(there):
                    found.append(begin + int(there[0 if strips.step > 0 else -1]))
                    break
        return found[0], found[1]

    def _sheets(self) -> _Sheets:
        if self._found is None:  # the surfaces are found when they are first asked for
            object.__setattr__(self, "_found", self._sheets_on(self._origin_mm, self._shape))
        assert self._found is not None
        return self._found

    def _sheets_on(self, origin_mm: tuple[float, float], shape: tuple[int, int]) -> _Sheets:
        parts = self.columns(origin_mm, (_STEP_MM, _STEP_MM), shape)
        joined = np.empty((3, *shape), dtype=np.float32)
        _join_parts(parts[:, 0], parts[:, 1], joined)
        parts.swapaxes(0, 1)[:, parts[:, 0] >= parts[:, 1]] = np.nan
        return _Sheets(origin_mm=origin_mm, joined=joined, parts=parts)

    def _at(self, which: int, x_mm: Picture, z_mm: Picture) -> Picture:
        if self._found is None and np.size(x_mm) == 1:  # one point: its neighbours on the grid are enough
            x, z = float(np.squeeze(x_mm)), float(np.squeeze(z_mm))
            sheets = self._sheets_on((_STEP_MM * math.floor(x / _STEP_MM), _STEP_MM * math.floor(z / _STEP_MM)), (3, 3))
        else:
            sheets = self._sheets()
        return _sampled(sheets.joined[which], sheets.origin_mm, x_mm, z_mm, 0.0 if which == 2 else math.nan)


def _sampled(grid: Picture, origin_mm: tuple[float, float], x_mm: Picture, z_mm: Picture, outside: float) -> Picture:
    out = np.empty(np.shape(x_mm), dtype=np.float32)
    x = np.ascontiguousarray(x_mm, dtype=np.float32)
    z = np.ascontiguousarray(z_mm, dtype=np.float32)
    _sample(grid, x, z, *origin_mm, _STEP_MM, outside, out)
    return out


def _moved_skins(posed: PosedSkeleton, sex: str, girth: float) -> list[Array]:
    """Rims of all sections of every part in the body's pose, (section, point, 3) ndarrays."""
    maps, curve = segment_maps(posed.pose, *tree_arrays(FREEDOMS))
    moved = []
    for (part, _, _), skin in zip(_PARTS, _skins(sex), strict=True):
        growth = girth**skin.girth_exponent
        centre = skin.centre_mm.copy()
        width, depth = np.abs(skin.rim_mm).max(axis=1).T
        if part == "trunk":
            centre[:, 1] -= (1 - 2 * _ON_THE_BACK) * depth * (growth[:, 1] - 1)
        else:
            outwards = np.sign(centre[:, 0])
            centre[:, 0] += (1 - 2 * _INWARDS) * outwards * width * (growth[:, 0] - 1)
        points = np.empty((*skin.rim_mm.shape[:2], 3))
        points[:, :, :2] = centre[:, None] + skin.rim_mm * growth[:, None]
        points[:, :, 2] = skin.z_mm[:, None]
        points[:, :, 0] += (curve_basis(skin.z_mm) @ curve)[:, None]
        mixed = np.einsum("ks,sij->kij", skin.weight, maps)
        moved.append(posed.size * (np.einsum("kij,kpj->kpi", mixed[:, :, :3], points) + mixed[:, None, :, 3]))
    return moved


def _box(tubes: tuple[Array, ...], bones: _Covered) -> tuple[Array, Array]:
    """Least and greatest coordinates of the points of the skins and of the covered bones."""
    centres, reach = bones.places[:, :3], bones.places[:, 3:]
    least = np.min([tube.min(axis=(0, 1)) for tube in tubes] + [(centres - reach).min(axis=0)], axis=0)
    most = np.max([tube.max(axis=(0, 1)) for tube in tubes] + [(centres + reach).max(axis=0)], axis=0)
    return least, most


@lru_cache(maxsize=8)  # a stout person has two bodies in one pose, and every one is dressed in the same pose
def _covered_bones(posed: PosedSkeleton) -> _Covered:
    part_of_segment = np.zeros(len(SEGMENTS), dtype=np.int64)
    cover_of_segment = np.full(len(SEGMENTS), _COVER_ELSEWHERE_MM)
    for k, segment in enumerate(SEGMENTS):
        part_of_segment[k] = next(p for p, (_, chain, more) in enumerate(_PARTS) if segment.name in chain + more)
        cover_of_segment[k] = _COVER_MM.get(segment.name[:4], _COVER_ELSEWHERE_MM)
    segment_index = posed.skeleton.segment_index
    # half-axes longer by the cover: never less tissue than that at the ends of the axes, little less between them
    left, singular, _ = np.linalg.svd(posed.axes_mm)
    singular = singular + cover_of_segment[segment_index][:, None]
    axes = left * singular[:, None, :]
    return _Covered(
        places=np.column_stack([posed.centres_mm, np.linalg.norm(axes, axis=2)]),
        forms=ray_forms(axes),
        part=part_of_segment[segment_index],
    )


# --- onto the grid: (row, column) counts from the lowest z and x ----------------------------------


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _paint_tube(
    rims: Array, low_x: float, low_z: float, step_x: float, step_z: float, near: Picture, far: Picture
) -> None:
    """Least and greatest y of a tube's skin over each grid point: its faces and two lids, as triangles."""
    sections, points, _ = rims.shape
    lids = np.zeros((2, 3))
    for end in range(2):
        for p in range(points):
            lids[end] += rims[end * (sections - 1), p] / points
    for k in range(sections):
        for p in range(points):
            q = (p + 1) % points
            if k + 1 < sections:
                _paint_triangle(rims[k, p], rims[k, q], rims[k + 1, p], low_x, low_z, step_x, step_z, near, far)
                _paint_triangle(rims[k, q], rims[k + 1, p], rims[k + 1, q], low_x, low_z, step_x, step_z, near, far)
            if k in (0, sections - 1):
                _paint_triangle(rims[k, p], rims[k, q], lids[min(k, 1)], low_x, low_z, step_x, step_z, near, far)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _paint_triangle(
    a: Array,
    b: Array,
    c: Array,
    low_x: float,
    low_z: float,
    step_x: float,
    step_z: float,
    near: Picture,
    far: Picture,
) -> None:
    area = (b[0] - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (b[2] - a[2])
    if abs(area) < 1e-9:
        return
    first_row = max(0, math.ceil((min(a[2], b[2], c[2]) - low_z) / step_z))
    last_row = min(near.shape[0] - 1, math.floor((max(a[2], b[2], c[2]) - low_z) / step_z))
    first_column = max(0, math.ceil((min(a[0], b[0], c[0]) - low_x) / step_x))
    last_column = min(near.shape[1] - 1, math.floor((max(a[0], b[0], c[0]) - low_x) / step_x))
    for row in range(first_row, last_row + 1):
        z = low_z + row * step_z
        for column in range(first_column, last_column + 1):
            x = low_x + column * step_x
            v = ((x - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (z - a[2])) / area
            w = ((b[0] - a[0]) * (z - a[2]) - (x - a[0]) * (b[2] - a[2])) / area
            if v < -1e-9 or w < -1e-9 or v + w > 1 + 1e-9:
                continue
            y = a[1] + v * (b[1] - a[1]) + w * (c[1] - a[1])
            near[row, column] = min(near[row, column], y)
            far[row, column] = max(far[row, column], y)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _paint_ellipsoids(
    places: Array,
    forms: Array,
    part_of: NDArray[np.int64],
    low_x: float,
    low_z: float,
    step_x: float,
    step_z: float,
    near: Picture,
    far: Picture,
) -> None:
    """Let each part reach around its covered bones; the quadratic is that of `projection`."""
    for e in range(places.shape[0]):
        part = part_of[e]
        first_row = math.ceil((places[e, 2] - places[e, 5] - low_z) / step_z)
        last_row = math.floor((places[e, 2] + places[e, 5] - low_z) / step_z)
        first_column = math.ceil((places[e, 0] - places[e, 3] - low_x) / step_x)
        last_column = math.floor((places[e, 0] + places[e, 3] - low_x) / step_x)
        for row in range(max(first_row, 0), min(last_row, near.shape[1] - 1) + 1):
            dz = low_z + row * step_z - places[e, 2]
            for column in range(max(first_column, 0), min(last_column, near.shape[2] - 1) + 1):
                dx = low_x + column * step_x - places[e, 0]
                b = forms[e, 1] * dx + forms[e, 2] * dz
                g = forms[e, 3] * dx * dx + 2 * forms[e, 4] * dx * dz + forms[e, 5] * dz * dz - 1
                square = b * b - forms[e, 0] * g
                if square <= 0:
                    continue
                root = math.sqrt(square)
                near[part, row, column] = min(near[part, row, column], places[e, 1] + (-b - root) / forms[e, 0])
                far[part, row, column] = max(far[part, row, column], places[e, 1] + (-b + root) / forms[e, 0])


@numba.njit(cache=True, nogil=True)
def _join_parts(near: Picture, far: Picture, grids: Picture) -> None:
    """Foremost skin, hindmost skin and length of tissue; intervals of the parts merged where they overlap."""
    parts, rows, columns = near.shape
    for row in range(rows):
        for column in range(columns):
            front, back = np.float32(np.inf), np.float32(-np.inf)
            for k in range(parts):
                front = min(front, near[k, row, column])
                back = max(back, far[k, row, column])
            if back <= front:
                grids[:, row, column] = np.nan
                continue
            length, reached = np.float32(0), front
            while reached < back:
                # the part that holds the present depth and goes farthest; else the next one to begin
                end, begin = reached, back
                for k in range(parts):
                    if near[k, row, column] <= reached:
                        end = max(end, far[k, row, column])
                    else:
                        begin = min(begin, near[k, row, column])
                if end > reached:
                    length += end - reached
                    reached = end
                else:
                    reached = begin
            grids[0, row, column], grids[1, row, column], grids[2, row, column] = front, back, length


@numba.njit(cache=True, nogil=True)
def _sample(
    grid: Picture, x_mm: Picture, z_mm: Picture, low_x: float, low_z: float, step: float, outside: float, out: Picture
) -> None:
    """Bilinear, from the valid neighbours; outside where the nearest grid point is."""
    rows, columns = grid.shape
    for r in range(x_mm.shape[0]):
        for c in range(x_mm.shape[1]):
            u, v = (x_mm[r, c] - low_x) / step, (z_mm[r, c] - low_z) / step
            out[r, c] = outside
            if not (0 <= u < columns - 1 and 0 <= v < rows - 1):
                continue
            nearest = grid[int(v + 0.5), int(u + 0.5)]
            if not nearest > -np.inf:
                continue
            column, row = int(u), int(v)
            fu, fv = u - column, v - row
            total, weight = 0.0, 0.0
            for dr in range(2):
                for dc in range(2):
                    value = grid[row + dr, column + dc]
                    share = (fv if dr else 1 - fv) * (fu if dc else 1 - fu)
                    if value > -np.inf and share > 0:
                        total += share * value
                        weight += share
            out[r, c] = total / weight
