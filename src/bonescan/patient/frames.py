"""Where places of the default skeleton lie in one body: an affine map per bone, and foci moved by it.

A focus is told in the default skeleton's coordinates. In a body it follows the bone that is nearest to it there,
among the bones it names, else among those of its segment::

    x = A_b p + t_b

For a posed skeleton the map is fitted to the bone's ellipsoids before and after, by least squares over their centres
and the ends of their half-axes; a posed segment is affine, so the fit is exact but for the spine's curve and the
shapes of single bones. For a labelled volume it joins the bones' moments (`frames_of_labels`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import PosedSkeleton
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.anatomy.voxels import VoxelBody
from bonescan.errors import GeometryMismatch
from bonescan.patient.focus import Focus

__all__ = [
    "BoneFrames",
    "LabelledBody",
    "default_moments",
    "default_points",
    "frames_of_moments",
    "frames_of_pose",
    "join_moments",
]

Array = NDArray[np.float64]

_BALL_POINTS = 48


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneFrames:
    """Affine maps from the default skeleton into one body.

    Parameters
    ----------
    maps : (bone, 3, 4) ndarray
        In the order of the default skeleton's bones; NaN for a bone that this body does not show.
    """

    maps: Array

    def bone_of(self, focus: Focus) -> int:
        """Index of the bone a focus follows.

        Parameters
        ----------
        focus : Focus

        Returns
        -------
        int
        """
        there = ~np.isnan(self.maps[:, 0, 0])
        if there.all():
            return _nearest_bone(focus)
        if not there.any():
            raise GeometryMismatch("This body shows no bone, so nothing can be placed by one.")
        return _nearest_of(focus, there)

    def place(self, focus: Focus) -> tuple[Array, Array]:
        """Centre and half-axes of a focus in the body.

        Parameters
        ----------
        focus : Focus

        Returns
        -------
        centre_mm : (3,) ndarray
        axes_mm : (3, 3) ndarray
        """
        chosen = self.maps[self.bone_of(focus)]
        return chosen[:, :3] @ focus.centre_mm + chosen[:, 3], chosen[:, :3] @ focus.axes_mm


@lru_cache(maxsize=512)  # the places of every patient's joints are among them
def _nearest_bone(focus: Focus) -> int:
    return _nearest_of(focus, np.ones(len(default_skeleton().bones), dtype=bool))


def _nearest_of(focus: Focus, there: NDArray[np.bool_]) -> int:
    """The bone whose ellipsoid holds a focus's centre deepest: of those it names, else of its segment, else of all."""
    skeleton = default_skeleton()
    seen = there[skeleton.bone_index]
    named = _of_bones(focus.bones) & seen
    for wanted in (named, _of_segment(focus.segment) & seen, seen):
        if (candidates := np.flatnonzero(wanted)).size:
            break
    away = np.asarray(focus.centre_mm) - skeleton.centres_mm[candidates]
    inside = np.einsum("eij,ej->ei", _inverse_axes()[candidates], away)
    return int(skeleton.bone_index[candidates[np.argmin((inside**2).sum(axis=1))]])


@lru_cache(maxsize=1024)
def _of_bones(bones: tuple[str, ...]) -> NDArray[np.bool_]:
    skeleton = default_skeleton()
    return np.asarray(np.isin(skeleton.bones, bones)[skeleton.bone_index])


@cache
def _of_segment(segment: str) -> NDArray[np.bool_]:
    names = [item.name for item in SEGMENTS]
    return np.asarray(default_skeleton().segment_index == names.index(segment))


@cache
def _inverse_axes() -> Array:
    return np.asarray(np.linalg.inv(default_skeleton().axes_mm))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledBody:
    """A body in voxels, and where places of the default skeleton lie in it: all a patient needs of a body.

    Parameters
    ----------
    voxels : VoxelBody
        With the default skeleton's bones.
    frames : BoneFrames
    density : (slice, row, column) ndarray of float32, optional
        g/ml, as a CT measured it. Default each tissue's own, and each bone's own mineral.
    """

    voxels: VoxelBody
    frames: BoneFrames
    density: NDArray[np.float32] | None = None


def frames_of_pose(posed: PosedSkeleton) -> BoneFrames:
    """Maps of every bone into a posed body.

    Parameters
    ----------
    posed : PosedSkeleton
        Of a skeleton with the default skeleton's bones. Where a bone has as many ellipsoids as there, they are taken
        to correspond; else the bones' moments are joined.

    Returns
    -------
    BoneFrames
    """
    after = _ends(posed.centres_mm, posed.axes_mm)
    maps = np.full((len(default_skeleton().bones), 3, 4), np.nan)
    for k, (name, own, middle, solve) in enumerate(_default_ends()):
        moved = after[posed.skeleton.bone_index == posed.skeleton.bones.index(name)].reshape(-1, 3)
        if own.shape == moved.shape:
            fit = (solve @ moved).T
            maps[k, :, :3] = fit[:, :3]
            maps[k, :, 3] = fit[:, 3] - fit[:, :3] @ middle
        else:
            maps[k] = join_moments(own.mean(axis=0), np.cov(own.T), moved.mean(axis=0), np.cov(moved.T))
    return BoneFrames(maps=maps)


@cache
def _default_ends() -> tuple[tuple[str, Array, Array, Array], ...]:
    """Of each bone: name, ends of its ellipsoids, their middle, and what solves for the map to others' ends."""
    default = default_skeleton()
    before = _ends(default.centres_mm, default.axes_mm)
    out = []
    for k, name in enumerate(default.bones):
        own = before[default.bone_index == k].reshape(-1, 3)
        middle = own.mean(axis=0)
        solve = np.linalg.pinv(np.column_stack([own - middle, np.ones(len(own))]))
        for array in (own, middle, solve):
            array.flags.writeable = False
        out.append((name, own, middle, solve))
    return tuple(out)


def _ends(centres: Array, axes: Array) -> Array:
    """Centres and ends of the half-axes, (ellipsoid, 7, 3) ndarray."""
    steps = np.swapaxes(axes, 1, 2)
    return np.concatenate([centres[:, None], centres[:, None] + steps, centres[:, None] - steps], axis=1)


@cache
def default_points() -> tuple[Array, Array, NDArray[np.int64]]:
    """Points that fill the bones of the default skeleton, each with the volume it stands for.

    Returns
    -------
    points_mm : (point, 3) ndarray
    volumes_mm3 : (point,) ndarray
        Where ellipsoids of a bone overlap, points share the volume.
    bone_index : (point,) ndarray of int
    """
    skeleton = default_skeleton()
    k = np.arange(_BALL_POINTS) + 0.5
    radius = (k / _BALL_POINTS) ** (1 / 3)
    height, turn = 1 - 2 * ((k * 0.5698403) % 1), 2 * np.pi * ((k * 0.7548777) % 1)  # plastic number: an even spread
    flat = np.sqrt(1 - height**2)
    ball = radius[:, None] * np.column_stack([flat * np.cos(turn), flat * np.sin(turn), height])
    points = skeleton.centres_mm[:, None] + np.einsum("eij,pj->epi", skeleton.axes_mm, ball)
    back = np.linalg.inv(skeleton.axes_mm)
    times = np.empty(points.shape[:2])
    for bone in range(len(skeleton.bones)):
        own = np.flatnonzero(skeleton.bone_index == bone)
        away = points[own].reshape(-1, 1, 3) - skeleton.centres_mm[own]
        inside = (np.einsum("eij,pej->pei", back[own], away) ** 2).sum(axis=2) <= 1
        times[own] = np.maximum(inside.sum(axis=1), 1).reshape(len(own), -1)
    volumes = skeleton.volumes_mm3()[:, None] / _BALL_POINTS / times
    return points.reshape(-1, 3), volumes.reshape(-1), np.repeat(skeleton.bone_index, _BALL_POINTS)


@cache
def default_moments() -> tuple[Array, Array]:
    """Centre and covariance of each bone of the default skeleton.

    Returns
    -------
    centres_mm : (bone, 3) ndarray
    covariances_mm2 : (bone, 3, 3) ndarray
    """
    points, volumes, number = default_points()
    count = len(default_skeleton().bones)
    total = np.bincount(number, volumes, count)
    centres = np.stack([np.bincount(number, volumes * points[:, k], count) / total for k in range(3)], axis=1)
    away = points - centres[number]
    covariances = np.zeros((count, 3, 3))
    np.add.at(covariances, number, volumes[:, None, None] * np.einsum("pi,pj->pij", away, away))
    return centres, covariances / total[:, None, None]


def frames_of_moments(centres_mm: Array, covariances_mm2: Array) -> BoneFrames:
    """Maps that carry each default bone's centre and covariance into measured ones.

    Of the affine maps that do so this is the one nearest to a pure stretch, so a bone is not turned about its own
    axes; it assumes that the body lies about as the default skeleton does.

    Parameters
    ----------
    centres_mm : (bone, 3) ndarray
        NaN for a bone that is not there.
    covariances_mm2 : (bone, 3, 3) ndarray

    Returns
    -------
    BoneFrames
    """
    own_centres, own_covariances = default_moments()
    maps = np.full((len(own_centres), 3, 4), np.nan)
    for k in np.flatnonzero(~np.isnan(centres_mm[:, 0])):
        maps[k] = join_moments(own_centres[k], own_covariances[k], centres_mm[k], covariances_mm2[k])
    return BoneFrames(maps=maps)


def join_moments(from_centre: Array, from_covariance: Array, to_centre: Array, to_covariance: Array) -> Array:
    """The symmetric positive map A with A C A = C' (optimal transport between normal distributions), and its shift.

    Parameters
    ----------
    from_centre, to_centre : (3,) ndarray
    from_covariance, to_covariance : (3, 3) ndarray

    Returns
    -------
    (3, 4) ndarray
        A and the shift that carries the first centre to the second.
    """
    root = _root(from_covariance)
    back = np.linalg.inv(root)
    stretch = back @ _root(root @ to_covariance @ root) @ back
    return np.column_stack([stretch, to_centre - stretch @ from_centre])


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 1e-6))) @ vectors.T)
