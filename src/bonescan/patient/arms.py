"""Where the arms of a lying person go: beside the thighs, or hands on the belly, clear of trunk and legs.

Points along the arm are followed through the pose; each has the flesh of the arm around it. Beside the body, the upper
arm is spread, and then the forearm, by as little as leaves the flesh of arm and trunk side by side. On the belly, turns
of shoulder, elbow and wrist are sought that put the hand on the skin of this person's belly and nothing below it ::

    min over turns of  sum (depth of points below skin / 4 mm)^2 + sum (height of the hand over skin / 15 mm)^2
                     + |wrist - its place|^2 / (20 mm)^2 + sum (turn / 3 spreads)^2, the place in x and z
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.optimize import least_squares

from bonescan.anatomy.body import PARTS, Body
from bonescan.anatomy.pose import FREEDOMS, PosedSkeleton, move_points
from bonescan.anatomy.skeleton import SEGMENTS

__all__ = ["hands_on_belly", "spread_arms"]

Array = NDArray[np.float64]

# Points of the left arm in the default skeleton: segment, place, flesh around it at girth 1 (mm).
_POINTS = (
    ("arm_l", (188.0, 17.0, 1245.0), 46.0),
    ("arm_l", (202.0, 19.0, 1170.0), 44.0),
    ("forearm_l", (213.0, 19.0, 1105.0), 42.0),
    ("forearm_l", (225.0, 4.0, 1030.0), 40.0),
    ("forearm_l", (238.0, -10.0, 955.0), 33.0),
    ("hand_l", (250.0, -25.0, 878.0), 27.0),
    ("hand_l", (265.0, -38.0, 825.0), 22.0),
    ("hand_l", (270.0, -57.0, 777.0), 16.0),
    ("hand_l", (277.0, -94.0, 732.0), 10.0),
)
_ELBOW, _WRIST = 2, 5
_GROWTH = 0.7  # exponent of girth for an arm's thickness [D]
_STEP_MM = 8.0
# Flesh gives way, the more the more there is of it, and the arm lies in the corner between thigh and table, held by
# straps; so that people are about as wide as in 22 scans of the BS-80K collection, 0.46 to 0.54 m [C].
_TOUCH_MM, _TOUCH_GROWTH_MM = 42.0, 90.0
_MOST_SPREAD = math.radians(12)
_INDEX = {parameter.name: k for k, parameter in enumerate(FREEDOMS)}
_SEGMENT = {segment.name: k for k, segment in enumerate(SEGMENTS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trunk:
    """Skin of trunk and legs on a grid of x and z: foremost y, and how far each side reaches at each height."""

    low_mm: tuple[float, float]
    front_mm: Array
    reach_mm: dict[str, Array]

    def front(self, points: Array) -> Array:
        """Where the skin in front of points lies along y; beside the trunk it falls back at 45 degrees."""
        place = [(points[:, 2] - self.low_mm[1]) / _STEP_MM, (points[:, 0] - self.low_mm[0]) / _STEP_MM]
        return np.asarray(map_coordinates(self.front_mm, place, order=1, mode="nearest"))

    def reach(self, side: str, z_mm: Array) -> Array:
        """Greatest distance of the skin from the midline at heights."""
        heights = self.low_mm[1] + _STEP_MM * np.arange(len(self.reach_mm[side]))
        return np.asarray(np.interp(z_mm, heights, self.reach_mm[side]), dtype=float)


def _trunk(body: Body) -> _Trunk:
    low, high = body.frame_mm
    x, z = (np.arange(low[k], high[k] + _STEP_MM, _STEP_MM, dtype=np.float32) for k in range(2))
    kept = [k for k, part in enumerate(PARTS) if not part.startswith("arm")]
    near, far = body.columns((low[0], low[1]), (_STEP_MM, _STEP_MM), (len(z), len(x)))[kept].swapaxes(0, 1)
    there = near < far
    anything = there.any(axis=0)
    away, nearest = distance_transform_edt(~anything, return_indices=True)
    front = np.where(there, near, np.inf).min(axis=0)[tuple(nearest)] + _STEP_MM * away
    reach = {
        side: np.where(anything, sign * x[None, :], 0).max(axis=1, initial=0) for side, sign in (("l", 1), ("r", -1))
    }
    return _Trunk(low_mm=(float(x[0]), float(z[0])), front_mm=front, reach_mm=reach)


def _arm(posed: PosedSkeleton, pose: Array, side: str) -> Array:
    """Points along one arm for another pose of the same person."""
    points = np.array([point for _, point, _ in _POINTS]) * ([1, 1, 1] if side == "l" else [-1, 1, 1])
    index = np.array([_SEGMENT[name[:-1] + side] for name, _, _ in _POINTS])
    return posed.size * move_points(points, index, pose)


def _flesh(body: Body) -> Array:
    return np.asarray(np.array([flesh for *_, flesh in _POINTS]) * body.posed.size * body.girth**_GROWTH)


def spread_arms(pose: Array, body: Body) -> Array:
    """Spread arms and forearms until they lie beside the trunk and thighs.

    Parameters
    ----------
    pose : (freedom,) ndarray
        Deviations as a `Person` has them.
    body : Body
        Of that pose.

    Returns
    -------
    (freedom,) ndarray
    """
    out = np.array(pose)
    straight = body.posed.pose - out  # proportions of sex and age
    trunk, flesh = _trunk(body), _flesh(body)
    touch = _TOUCH_MM + _TOUCH_GROWTH_MM * max(0.0, body.girth - 1)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        for name, points in (
            (f"arm_{side}.spread_rad", slice(0, _ELBOW + 1)),
            (f"forearm_{side}.bend_rad", slice(3, 9)),
        ):
            while out[_INDEX[name]] < _MOST_SPREAD:
                arm = _arm(body.posed, straight + out, side)[points]
                if (sign * arm[:, 0] - flesh[points] >= trunk.reach(side, arm[:, 2]) - touch).all():
                    break
                out[_INDEX[name]] += math.radians(1)
    return out


# Turns that lay a hand on the belly: how far they go, and how freely (radians).
_TURNS = (
    ("arm_{}.lift_rad", 0.15),
    ("forearm_{}.lift_rad", 0.7),
    ("forearm_{}.bend_rad", 0.7),
    ("hand_{}.lift_rad", 0.35),
    ("hand_{}.bend_rad", 0.35),
)


def hands_on_belly(pose: Array, body: Body, rng: np.random.Generator) -> Array:
    """Lay both hands on the belly.

    Parameters
    ----------
    pose : (freedom,) ndarray
        With `spread_arms` done.
    body : Body
        Of that pose.
    rng : numpy.random.Generator
        Where on the belly: the wrists 40 to 100 mm from the midline, 20 to 120 mm below the elbows.

    Returns
    -------
    (freedom,) ndarray
    """
    out = np.array(pose)
    straight = body.posed.pose - out  # proportions of sex and age
    trunk, flesh = _trunk(body), _flesh(body)
    spread = np.array([spread for _, spread in _TURNS])
    for side, sign in (("l", 1.0), ("r", -1.0)):
        index = [_INDEX[name.format(side)] for name, _ in _TURNS]
        elbow = _arm(body.posed, straight + out, side)[_ELBOW]
        target = np.array([sign * rng.uniform(40, 100), elbow[2] - rng.uniform(20, 120)])
        out[index] = 0.0

        def miss(turns: Array, *, side: str = side, index: list[int] = index, target: Array = target) -> Array:
            trial = out.copy()
            trial[index] = turns * spread
            arm = _arm(body.posed, straight + trial, side)
            height = trunk.front(arm) - flesh - arm[:, 1]
            below = np.minimum(height, 0)[_ELBOW:] / 4
            above = height[_WRIST:] / 15
            return np.concatenate([below, above, (arm[_WRIST, ::2] - target) / 20, turns / 3])

        start = np.array([0.5, 1.2, -1.0, -0.5, 0.0])
        found = least_squares(miss, start, bounds=(-3.0, 3.0), diff_step=1e-3)
        out[index] = found.x * spread
    return out
