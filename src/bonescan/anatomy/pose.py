"""Pose and proportions: how one person differs from the default skeleton.

A pose is a vector of named parameters. Each segment turns about its joint and
stretches along the body's axes; the spine may also curve sideways (scoliosis).
For a point ``p`` of segment ``s`` with joint ``j`` (both in the default pose)::

    p'   = p + b(p_z) e_x                        sideways curve of the spine
    x    = J_s + A_s (p' - j'),   A_s = R_s diag(S_s)
    R_s  = R_turns_with · R_own,  J_s = the joint moved by the segment that carries it

so that every segment is an affine map, and ellipsoids stay ellipsoids.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.skeleton import SEGMENTS, Skeleton
from bonescan.errors import InvalidValue

__all__ = [
    "FREEDOMS",
    "PARAMETERS",
    "Parameter",
    "PosedSkeleton",
    "curve_basis",
    "default_pose",
    "move_points",
    "pose_person",
    "pose_skeleton",
    "segment_maps",
    "tree_arrays",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number of a pose.

    Parameters
    ----------
    name : str
        ``segment.what``, with the unit: ``_rad`` for turns, ``_log`` for the logarithm
        of a stretch, ``_mm`` for a displacement of the spine.
    segment : int
        Index into `SEGMENTS`; -1 for the spine's curve.
    slot : int
        0, 1, 2: turn about x, y, z; 3, 4, 5: stretch along x, y, z; or the curve's number.
    sign : float
        -1 where the right side mirrors the left.
    spread : float
        Standard deviation in people lying under a gamma camera.
    """

    name: str
    segment: int
    slot: int
    sign: float
    spread: float


# Spread of each freedom (one standard deviation): turns in degrees, stretches as fractions.
# Stretches follow the scatter of segment lengths between adults (about 5 %, e.g. Drillis & Contini 1966);
# turns are what positioning on a scan table leaves free.
_TRUNK_FREEDOMS = (
    ("pelvis", "tilt", 0, 9.0),
    ("pelvis", "lean", 1, 4.0),
    ("pelvis", "turn", 2, 4.0),
    ("pelvis", "width", 3, 0.06),
    ("pelvis", "height", 5, 0.05),
    ("lumbar", "lean", 1, 4.0),
    ("lumbar", "width", 3, 0.08),
    ("lumbar", "height", 5, 0.07),
    ("thorax", "lean", 1, 5.0),
    ("thorax", "turn", 2, 4.0),
    ("thorax", "width", 3, 0.07),
    ("thorax", "height", 5, 0.06),
    ("neck", "lean", 1, 7.0),
    ("neck", "height", 5, 0.15),
    ("head", "nod", 0, 9.0),
    ("head", "lean", 1, 5.0),
    ("head", "turn", 2, 12.0),
    ("head", "width", 3, 0.05),
    ("head", "height", 5, 0.05),
)
_LIMB_FREEDOMS = (
    ("clavicle", "raise", 1, 8.0),
    ("clavicle", "length", 3, 0.10),
    ("scapula", "lean", 1, 7.0),
    ("scapula", "turn", 2, 9.0),
    ("scapula", "height", 5, 0.08),
    ("arm", "spread", 1, 9.0),
    ("arm", "length", 5, 0.06),
    ("forearm", "bend", 1, 15.0),
    ("forearm", "turn", 2, 25.0),
    ("forearm", "length", 5, 0.08),
    ("hand", "bend", 1, 15.0),
    ("hand", "length", 5, 0.15),
    ("thigh", "spread", 1, 4.0),
    ("thigh", "turn", 2, 10.0),
    ("thigh", "length", 5, 0.05),
    ("shank", "bend", 1, 3.0),
    ("shank", "length", 5, 0.06),
    ("foot", "point", 0, 25.0),
    ("foot", "spread", 1, 15.0),
    ("foot", "turn", 2, 20.0),
)
_CURVE_CENTRES_MM = (1060.0, 1210.0, 1350.0)
_CURVE_HALF_WIDTH_MM = 150.0
_CURVE_SPREAD_MM = 8.0


def _parameters() -> tuple[Parameter, ...]:
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}

    def freedom(segment: str, what: str, slot: int, spread: float) -> Parameter:
        # Positive spreads away from the midline, raises the shoulder, turns toes and palms outwards.
        reversed_axis = (slot == 1) != (segment.endswith("_r") and slot in (1, 2))
        unit, spread = ("rad", math.radians(spread)) if slot < 3 else ("log", spread)
        return Parameter(
            name=f"{segment}.{what}_{unit}",
            segment=index[segment],
            slot=slot,
            sign=-1.0 if reversed_axis else 1.0,
            spread=spread,
        )

    trunk = [freedom(*item) for item in _TRUNK_FREEDOMS]
    limbs = [
        freedom(name + side, what, slot, spread) for side in ("_l", "_r") for name, what, slot, spread in _LIMB_FREEDOMS
    ]
    curve = [
        Parameter(name=f"spine.curve_{k + 1}_mm", segment=-1, slot=k, sign=1.0, spread=_CURVE_SPREAD_MM)
        for k in range(len(_CURVE_CENTRES_MM))
    ]
    return tuple(trunk + limbs + curve)


PARAMETERS: tuple[Parameter, ...] = _parameters()


def _unseen() -> tuple[Parameter, ...]:
    # Towards the camera in front, which two planar views cannot tell from a shortening: no part of a fit.
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    lifts = tuple(
        Parameter(
            name=f"{segment}{side}.lift_rad",
            segment=index[segment + side],
            slot=0,
            sign=-1.0,
            spread=math.radians(spread),
        )
        for side in ("_l", "_r")
        for segment, spread in (("arm", 4.0), ("forearm", 8.0), ("hand", 8.0))
    )
    return (*lifts, Parameter(name="head.depth_log", segment=index["head"], slot=4, sign=1.0, spread=0.03))


FREEDOMS: tuple[Parameter, ...] = PARAMETERS + _unseen()
"""Every freedom a pose may have: `PARAMETERS`, which a fit to two views finds, and after them the lifting of arms,
forearms and hands and the depth of the head, which only a posed person has. A pose may stop after `PARAMETERS`; the
rest is zero."""


def default_pose() -> Array:
    """The pose of the default skeleton: every turn, stretch and curve zero.

    Returns
    -------
    (parameter,) ndarray
        In the order of `PARAMETERS`.
    """
    return np.zeros(len(PARAMETERS))


def curve_basis(z_mm: Array) -> Array:
    """Sideways displacement per unit of each curve parameter, (point, 3) ndarray.

    Raised cosines over the lumbar, lower and upper thoracic spine; their sum with
    the leans of the segments gives C and S curves.

    Parameters
    ----------
    z_mm : (point,) ndarray
        Heights in the default pose.

    Returns
    -------
    (point, 3) ndarray
        In mm per mm, 0 to 1.

    Examples
    --------
    >>> curve_basis(np.array([1210.0])).tolist()
    [[0.0, 1.0, 0.0...]]
    """
    u = (np.asarray(z_mm)[:, None] - np.array(_CURVE_CENTRES_MM)) / _CURVE_HALF_WIDTH_MM
    return np.asarray(np.where(np.abs(u) < 1, 0.5 * (1 + np.cos(np.pi * u)), 0.0))


def _curve_slope(z_mm: Array) -> Array:
    u = (np.asarray(z_mm)[:, None] - np.array(_CURVE_CENTRES_MM)) / _CURVE_HALF_WIDTH_MM
    return np.asarray(np.where(np.abs(u) < 1, -0.5 * np.pi / _CURVE_HALF_WIDTH_MM * np.sin(np.pi * u), 0.0))


def tree_arrays(
    parameters: tuple[Parameter, ...] = PARAMETERS,
) -> tuple[NDArray[np.int64], Array, Array, NDArray[np.int64], Array]:
    """The tree of joints as arrays for compiled loops.

    Parameters
    ----------
    parameters : tuple of Parameter
        `PARAMETERS` or `FREEDOMS`.

    Returns
    -------
    parents : (segment, 2) ndarray of int
        Index of ``carried_by`` and ``turns_with``, -1 for none.
    pivots : (segment, 3) ndarray
    pivot_curve : (segment, 3) ndarray
        `curve_basis` at the pivots.
    slots : (parameter, 2) ndarray of int
        Segment and slot of each parameter.
    signs : (parameter,) ndarray
    """
    return _tree(parameters is FREEDOMS)  # to look the parameters themselves up in a cache takes longer than a pose


@cache
def _tree(every_freedom: bool) -> tuple[NDArray[np.int64], Array, Array, NDArray[np.int64], Array]:
    parameters = FREEDOMS if every_freedom else PARAMETERS
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    index[""] = -1
    parents = np.array([[index[s.carried_by], index[s.turns_with]] for s in SEGMENTS])
    pivots = np.array([s.pivot_mm for s in SEGMENTS], dtype=float)
    slots = np.array([[p.segment, p.slot] for p in parameters])
    signs = np.array([p.sign for p in parameters])
    return parents, pivots, curve_basis(pivots[:, 2]), slots, signs


@numba.njit(cache=True)
def segment_maps(pose, parents, pivots, pivot_curve, slots, signs):  # type: ignore[no-untyped-def]
    """Affine maps of all segments for one pose.

    Parameters
    ----------
    pose : (parameter,) ndarray
    parents, pivots, pivot_curve, slots, signs
        From `tree_arrays`.

    Returns
    -------
    maps : (segment, 3, 4) ndarray
        ``x = maps[s, :, :3] @ p' + maps[s, :, 3]`` with p' on the curved spine.
    curve : (3,) ndarray
        The curve's parameters.
    """
    count = pivots.shape[0]
    if pose.shape[0] > slots.shape[0]:
        raise ValueError("The pose has more parameters than the tree has slots: make the tree of FREEDOMS.")
    freedom = np.zeros((count, 6))
    curve = np.zeros(3)
    for k in range(pose.shape[0]):
        if slots[k, 0] < 0:
            curve[slots[k, 1]] = pose[k]
        else:
            freedom[slots[k, 0], slots[k, 1]] = signs[k] * pose[k]
    maps = np.zeros((count, 3, 4))
    turns = np.zeros((count, 3, 3))
    for s in range(count):
        cx, sx = math.cos(freedom[s, 0]), math.sin(freedom[s, 0])
        cy, sy = math.cos(freedom[s, 1]), math.sin(freedom[s, 1])
        cz, sz = math.cos(freedom[s, 2]), math.sin(freedom[s, 2])
        own = np.empty((3, 3))  # Ry · Rx · Rz: turn about the long axis first, spread last
        own[0, 0], own[0, 1], own[0, 2] = cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx
        own[1, 0], own[1, 1], own[1, 2] = cx * sz, cx * cz, -sx
        own[2, 0], own[2, 1], own[2, 2] = -sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx
        carried, turned = parents[s, 0], parents[s, 1]
        for i in range(3):
            for j in range(3):
                if turned < 0:
                    turns[s, i, j] = own[i, j]
                else:
                    total = 0.0
                    for m in range(3):
                        total += turns[turned, i, m] * own[m, j]
                    turns[s, i, j] = total
        bent = pivots[s].copy()
        for k in range(3):
            bent[0] += pivot_curve[s, k] * curve[k]
        for i in range(3):
            joint = bent[i]
            if carried >= 0:
                joint = maps[carried, i, 3]
                for j in range(3):
                    joint += maps[carried, i, j] * bent[j]
            for j in range(3):
                maps[s, i, j] = turns[s, i, j] * math.exp(freedom[s, 3 + j])
                joint -= maps[s, i, j] * bent[j]
            maps[s, i, 3] = joint
    return maps, curve


def move_points(points_mm: Array, segment_index: NDArray[np.int64], pose: Array) -> Array:
    """Points of the default skeleton, moved with their segments.

    Parameters
    ----------
    points_mm : (point, 3) ndarray
    segment_index : (point,) ndarray of int
    pose : (parameter,) ndarray

    Returns
    -------
    (point, 3) ndarray in mm
    """
    maps, curve = segment_maps(np.asarray(pose, dtype=float), *tree_arrays(FREEDOMS))
    bent = np.array(points_mm, dtype=float)
    bent[:, 0] += curve_basis(bent[:, 2]) @ curve
    chosen = maps[segment_index]
    return np.asarray(np.einsum("pij,pj->pi", chosen[:, :, :3], bent) + chosen[:, :, 3])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosedSkeleton:
    """The ellipsoids of a skeleton in one pose and size, shapes as in `Skeleton`."""

    skeleton: Skeleton
    pose: Array
    size: float
    centres_mm: Array
    axes_mm: Array


def pose_skeleton(skeleton: Skeleton, pose: Array, size: float = 1.0) -> PosedSkeleton:
    """Move every ellipsoid with its segment; the spine's curve acts by its local slope.

    Parameters
    ----------
    skeleton : Skeleton
    pose : (parameter,) ndarray
        In the order of `FREEDOMS`.
    size : float
        Everything is as many times as large, measured from the point between the soles.

    Returns
    -------
    PosedSkeleton

    Examples
    --------
    >>> from bonescan.anatomy.skeleton import default_skeleton
    >>> posed = pose_skeleton(default_skeleton(), default_pose())
    >>> bool(np.allclose(posed.centres_mm, default_skeleton().centres_mm))
    True
    """
    pose = np.asarray(pose, dtype=float)
    maps, curve = segment_maps(pose, *tree_arrays(FREEDOMS))
    local = np.tile(np.eye(3), (len(skeleton.centres_mm), 1, 1))
    local[:, 0, 2] = _curve_slope(skeleton.centres_mm[:, 2]) @ curve
    linear = maps[skeleton.segment_index][:, :, :3] @ local
    return PosedSkeleton(
        skeleton=skeleton,
        pose=pose,
        size=size,
        centres_mm=size * move_points(skeleton.centres_mm, skeleton.segment_index, pose),
        axes_mm=size * linear @ skeleton.axes_mm,
    )


# How a woman's proportions differ from a man's of the same stature: ratios of the reference adults' landmarks over
# their heights, ICRP Publication 110 (2009). Shoulder width 0.922/0.987, trunk above L1 0.161/0.167, lumbar spine
# 0.0977/0.0901, skull 0.0862/0.0901. Widths of the pelvis agree within 1 %.
_PROPORTIONS = {
    "male": {},
    "female": {
        "thorax.width_log": -0.068,
        "clavicle_l.length_log": -0.068,
        "clavicle_r.length_log": -0.068,
        "thorax.height_log": -0.035,
        "lumbar.height_log": 0.081,
        "head.width_log": -0.044,
        "head.height_log": -0.044,
    },
}
_SKIN_MM = 15.0  # of scalp and sole together, of a stature


def pose_person(
    skeleton: Skeleton, *, sex: str = "male", stature_mm: float = 1720.0, pose: Array | None = None
) -> PosedSkeleton:
    """Pose an adult of a given sex and stature.

    Parameters
    ----------
    skeleton : Skeleton
    sex : str
        ``"male"`` or ``"female"``: proportions. The shapes of bones are the skeleton's
        (`bonescan.anatomy.form.shaped_skeleton`).
    stature_mm : float
        Of the standing person with skin, 1200 to 2300 mm.
    pose : (parameter,) ndarray, optional
        Deviations from a person of that sex lying straight; default none.

    Returns
    -------
    PosedSkeleton

    Raises
    ------
    InvalidValue
        For another sex, or a stature that no adult has.

    Examples
    --------
    >>> from bonescan.anatomy.skeleton import default_skeleton
    >>> woman = pose_person(default_skeleton(), sex="female", stature_mm=1630)
    >>> round(woman.size, 2)
    0.95
    """
    if sex not in _PROPORTIONS:
        raise InvalidValue(f"Sex is 'male' or 'female' here, got {sex!r}.", got=sex)
    if not 1200 <= stature_mm <= 2300:
        raise InvalidValue(f"The stature must lie between 1200 and 2300 mm, got {stature_mm}.", got=stature_mm)
    straight = np.array([_PROPORTIONS[sex].get(parameter.name, 0.0) for parameter in PARAMETERS])
    standing = pose_skeleton(skeleton, straight)
    reach = np.linalg.norm(standing.axes_mm[:, 2], axis=1)
    height = (standing.centres_mm[:, 2] + reach).max() - (standing.centres_mm[:, 2] - reach).min()
    size = float((stature_mm - _SKIN_MM) / height)
    if pose is not None:
        straight = np.pad(straight, (0, len(pose) - len(straight))) + pose
    return pose_skeleton(skeleton, straight, size)
