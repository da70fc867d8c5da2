"""Places inside bones of the default skeleton: drawn at random, the nearest to a wish, or along the bone's course.

A bone is the union of its solid ellipsoids ``|A^-1 (p - c)| <= 1``. A place keeps a margin m below the surface of an
ellipsoid with least half-axis a when ``|A^-1 (p - c)| <= max(0.3, 1 - m / a)``; so no lesion has its centre outside
bone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.errors import InvalidValue

__all__ = [
    "bone_box",
    "contains",
    "course",
    "joint_centre",
    "nearest_place",
    "place_along",
    "random_place",
    "vertebral_body",
]

Array = NDArray[np.float64]

_LEAST_SHARE = 0.3  # of an ellipsoid stays available however thin it is [D]
_TRIES = 20_000
_BODY_SHARE = 0.42  # of a vertebra's depth is its body, from the front [C: box of T8 18..88 mm, of L3 -25..63 mm]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Solid:
    """Ellipsoids of one bone: centres, half-axes as columns, their inverses, least half-axes, volumes."""

    centres_mm: Array
    axes_mm: Array
    inverse: Array
    least_mm: Array
    volumes_mm3: Array

    def radius(self, points_mm: Array) -> Array:
        """|A^-1 (p - c)| of every point in every ellipsoid, (point, ellipsoid) ndarray."""
        return np.asarray(
            np.linalg.norm(np.einsum("kij,pkj->pki", self.inverse, points_mm[:, None] - self.centres_mm), axis=2)
        )

    def reach(self, margin_mm: float) -> Array:
        return np.asarray(np.maximum(_LEAST_SHARE, 1 - margin_mm / self.least_mm))


@cache
def _solid(bone: str) -> _Solid:
    skeleton = default_skeleton()
    if bone not in skeleton.bones:
        raise InvalidValue(f"The skeleton has no bone {bone!r}; names are like 'vertebra_l03' or 'rib_07_l'.", got=bone)
    own = skeleton.bone_index == skeleton.bones.index(bone)
    axes = skeleton.axes_mm[own]
    return _Solid(
        centres_mm=skeleton.centres_mm[own],
        axes_mm=axes,
        inverse=np.linalg.inv(axes),
        least_mm=np.linalg.svd(axes, compute_uv=False)[:, -1],
        volumes_mm3=skeleton.volumes_mm3()[own],
    )


def contains(bone: str, points_mm: Array) -> NDArray[np.bool_]:
    """Whether points lie in a bone of the default skeleton.

    Parameters
    ----------
    bone : str
        Bone id.
    points_mm : (point, 3) ndarray

    Returns
    -------
    (point,) ndarray of bool

    Examples
    --------
    >>> contains("femur_l", np.array([[88.0, 10.0, 881.0], [0.0, 0.0, 881.0]])).tolist()
    [True, False]
    """
    return np.asarray((_solid(bone).radius(np.atleast_2d(points_mm)) <= 1 + 1e-9).any(axis=1))


@cache
def _box(bone: str) -> tuple[Array, Array]:
    solid = _solid(bone)
    reach = np.linalg.norm(solid.axes_mm, axis=2)
    return (solid.centres_mm - reach).min(axis=0), (solid.centres_mm + reach).max(axis=0)


def bone_box(bone: str) -> tuple[Array, Array]:
    """Least and greatest coordinates of a bone.

    Parameters
    ----------
    bone : str
        Bone id.

    Returns
    -------
    low_mm, high_mm : (3,) ndarray
    """
    low, high = _box(bone)
    return low.copy(), high.copy()


def nearest_place(bone: str, wanted_mm: Array, margin_mm: float = 1.0) -> Array:
    """The place inside a bone next to a wanted one: that one itself when it lies inside.

    Parameters
    ----------
    bone : str
        Bone id.
    wanted_mm : (3,) ndarray
    margin_mm : float
        Depth below the surface that is kept, at least 0.

    Returns
    -------
    (3,) ndarray

    Notes
    -----
    Towards each ellipsoid the point is moved along the line to its centre, and the shortest of these ways is taken:
    inside for certain, and near the true nearest point.
    """
    solid = _solid(bone)
    wanted = np.asarray(wanted_mm, dtype=float)
    reach = solid.reach(margin_mm)
    radius = solid.radius(wanted[None])[0]
    if (radius <= reach).any():
        return wanted.copy()
    candidates = solid.centres_mm + (wanted - solid.centres_mm) * (reach / radius)[:, None]
    return np.asarray(candidates[np.argmin(np.linalg.norm(candidates - wanted, axis=1))])


def random_place(
    bone: str, rng: np.random.Generator, *, margin_mm: float = 2.0, part: tuple[float, float] = (0.0, 1.0)
) -> Array:
    """A place drawn uniformly from the volume of a bone.

    Parameters
    ----------
    bone : str
        Bone id.
    rng : numpy.random.Generator
    margin_mm : float
        Depth below the surface that is kept, at least 0.
    part : (from, to)
        Share of the bone's height, 0 at its upper and 1 at its lower end.

    Returns
    -------
    (3,) ndarray

    Raises
    ------
    InvalidValue
        If that part holds no place.

    Notes
    -----
    An ellipsoid is chosen by volume and a point of it kept with probability 1 / (number of ellipsoids that hold it), so
    that overlaps are not drawn twice as often.
    """
    solid = _solid(bone)
    reach = solid.reach(margin_mm)
    weight = solid.volumes_mm3 * reach**3
    low, high = _box(bone)
    top = high[2] - part[0] * (high[2] - low[2])
    bottom = high[2] - part[1] * (high[2] - low[2])
    for _ in range(_TRIES):
        k = rng.choice(len(weight), p=weight / weight.sum())
        unit = rng.normal(size=3)
        unit *= rng.random() ** (1 / 3) / np.linalg.norm(unit)
        point = solid.centres_mm[k] + solid.axes_mm[k] @ unit * reach[k]
        held = int((solid.radius(point[None])[0] <= reach).sum())
        if bottom <= point[2] <= top and rng.random() * max(held, 1) < 1:
            return np.asarray(point)
    raise InvalidValue(f"No place of {bone} lies between {part[0]} and {part[1]} of its height.", bone=bone, part=part)


@cache
def _course(bone: str) -> Array:
    solid = _solid(bone)
    centres = solid.centres_mm
    if bone.startswith("rib_"):  # a chain of ellipsoids from the spine to the cartilage
        order = [int(np.argmin(np.abs(centres[:, 0])))]
        while len(order) < len(centres):
            gap = np.linalg.norm(centres - centres[order[-1]], axis=1)
            gap[order] = np.inf
            order.append(int(np.argmin(gap)))
        inner, outer = centres[order], solid.axes_mm[order]
        ends = [
            inner[e] + _longest(outer[e]) * np.sign(_longest(outer[e]) @ (inner[e] - inner[e + s])) * 0.8
            for e, s in ((0, 1), (-1, -1))
        ]
        return np.vstack([ends[0], inner, ends[1]])
    low, high = _box(bone)
    axis = _main_axis(solid)
    along = (centres - centres.mean(axis=0)) @ axis
    spread = np.linalg.norm(np.einsum("kij,i->kj", solid.axes_mm, axis), axis=1)
    levels = np.linspace((along - spread).min(), (along + spread).max(), 21)
    width = (levels[-1] - levels[0]) / 20
    weights = solid.volumes_mm3 * np.exp(-0.5 * ((levels[:, None] - along) / np.maximum(spread, width)) ** 2)
    middle = weights @ centres / weights.sum(axis=1, keepdims=True)
    middle += ((levels - (middle - centres.mean(axis=0)) @ axis)[:, None]) * axis
    return np.asarray(np.clip(middle, low, high))


def _longest(axes: Array) -> Array:
    return np.asarray(axes[:, np.argmax(np.linalg.norm(axes, axis=0))])


def _main_axis(solid: _Solid) -> Array:
    """Direction of the bone's greatest extent, upper end first (inner end for clavicles)."""
    offset = solid.centres_mm - np.average(solid.centres_mm, axis=0, weights=solid.volumes_mm3)
    spread = np.einsum("k,ki,kj->ij", solid.volumes_mm3, offset, offset)
    spread += np.einsum("k,kij,klj->il", solid.volumes_mm3, solid.axes_mm, solid.axes_mm) / 5
    axis = np.linalg.eigh(spread)[1][:, -1]
    if abs(axis[0]) > abs(axis[2]):
        outwards = np.sign(solid.centres_mm[:, 0].mean()) or 1.0
        return np.asarray(axis * np.sign(axis[0]) * outwards)
    return np.asarray(axis * -np.sign(axis[2]))


def course(bone: str) -> Array:
    """The middle line of a bone, from its upper or inner end to the lower or outer one; of a rib, from the spine.

    Parameters
    ----------
    bone : str
        Bone id.

    Returns
    -------
    (point, 3) ndarray
        Near the middle of the bone; where the bone bends or forks some points lie beside it.
    """
    return _course(bone).copy()


def place_along(bone: str, fraction: float, margin_mm: float = 1.0) -> tuple[Array, Array]:
    """A place on the course of a bone, and the direction the bone runs there.

    Parameters
    ----------
    bone : str
        Bone id.
    fraction : float
        0 at the upper or inner end, of a rib at the spine, to 1.
    margin_mm : float
        As for `nearest_place`.

    Returns
    -------
    place_mm, direction : (3,) ndarray
        The direction is a unit vector.

    Raises
    ------
    InvalidValue
        For a fraction outside 0 to 1.

    Examples
    --------
    >>> place, direction = place_along("femur_l", 0.5)
    >>> bool(600 < place[2] < 740), bool(direction[2] < -0.9)
    (True, True)
    """
    if not 0 <= fraction <= 1:
        raise InvalidValue(f"A place along a bone is a fraction between 0 and 1, got {fraction}.", got=fraction)
    line = _course(bone)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.array([np.interp(fraction * at[-1], at, line[:, i]) for i in range(3)])
    k = min(int(np.searchsorted(at, fraction * at[-1], side="right")) - 1, len(steps) - 1)
    return nearest_place(bone, wanted, margin_mm), (line[k + 1] - line[k]) / max(steps[k], 1e-9)


def joint_centre(segment: str) -> Array:
    """The joint at the near end of a segment.

    Parameters
    ----------
    segment : str
        One of `bonescan.anatomy.skeleton.SEGMENTS`, e.g. ``"thigh_l"`` for the left hip.

    Returns
    -------
    (3,) ndarray

    Raises
    ------
    InvalidValue
        For another name.
    """
    for item in SEGMENTS:
        if item.name == segment:
            return np.array(item.pivot_mm, dtype=float)
    raise InvalidValue(f"The body has no segment {segment!r}.", got=segment)


def vertebral_body(bone: str) -> tuple[Array, Array]:
    """Middle and half-extents of a vertebra's body, without its arch.

    Parameters
    ----------
    bone : str
        Id of a vertebra.

    Returns
    -------
    centre_mm, half_mm : (3,) ndarray
        Half-extents along x, y and z.

    Raises
    ------
    InvalidValue
        For another bone.
    """
    if not bone.startswith("vertebra_"):
        raise InvalidValue(f"Only a vertebra has a vertebral body, got {bone!r}.", got=bone)
    solid = _solid(bone)
    low, high = _box(bone)
    depth = _BODY_SHARE * (high[1] - low[1])
    front = solid.centres_mm[:, 1] < low[1] + depth
    reach = np.linalg.norm(solid.axes_mm, axis=2)
    least, greatest = (solid.centres_mm - reach)[front].min(axis=0), (solid.centres_mm + reach)[front].max(axis=0)
    centre, half = (least + greatest) / 2, (greatest - least) / 2
    centre[:2], half[:2] = (0.0, low[1] + depth / 2), (half[0], depth / 2)
    return centre, half
