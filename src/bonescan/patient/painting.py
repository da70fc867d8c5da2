"""Foci in voxels: which voxels an ellipsoid covers, how far, and with what profile.

Each voxel is sampled at points about 1 mm apart, so that a focus has nearly the same volume at 2 and at 4 mm. Only
voxels of the focus's realm and bones count. What is kept is geometry: factors are applied later, at any time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.field import Grid
from bonescan.patient.focus import PROFILES, REALMS, Focus

__all__ = ["PaintedFocus", "paint_focus"]

Array = NDArray[np.float64]

_SAMPLE_MM = 1.0
_SAMPLES = (1, 6)  # least and most points along a voxel's edge
_SEARCH_MM = 15.0  # how far beside its place a focus too small for the grid may find a voxel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaintedFocus:
    """The voxels of one focus.

    Parameters
    ----------
    focus : Focus
    centre_mm : (3,) ndarray
        In the body.
    index : (voxel,) ndarray of int
        Into the flattened grid, ascending.
    cover : (voxel,) ndarray
        Share of the voxel inside the ellipsoid, above 0 and at most 1.
    main, core : (voxel,) ndarray
        Means over the voxel of the profile that `uptake_factor` and `core_factor` go with.
    """

    focus: Focus
    centre_mm: Array
    index: NDArray[np.int64]
    cover: Array
    main: Array
    core: Array


def paint_focus(
    focus: Focus,
    centre_mm: Array,
    axes_mm: Array,
    grid: Grid,
    bone: NDArray[np.int16],
    inside: NDArray[np.uint8],
    bones: tuple[str, ...],
) -> PaintedFocus:
    """Find a focus's voxels.

    Parameters
    ----------
    focus : Focus
    centre_mm, axes_mm : ndarray
        Its ellipsoid in the body.
    grid : Grid
    bone : (slice, row, column) ndarray of int16
        0 none, k + 1 for bone k of `bones`.
    inside : (slice, row, column) ndarray of uint8
        1 in the body, 0 in the air around it.
    bones : tuple of str

    Returns
    -------
    PaintedFocus
        Without voxels if the grid holds none of its realm and bones at or near its place. A focus that is too small
        for the grid gets the nearest such voxel, covered by as much as the focus has volume.
    """
    step, to_index, origin = _frame(grid)
    middle = to_index @ (centre_mm - origin)
    reach = np.linalg.norm(to_index @ axes_mm, axis=1)
    low = np.minimum(np.maximum(np.floor(middle - reach), 0), grid.shape).astype(np.int64)
    high = np.minimum(np.maximum(np.ceil(middle + reach) + 1, 0), grid.shape).astype(np.int64)
    allowed = _allowed(bones, focus.bones)
    thin = float(np.linalg.svd(axes_mm, compute_uv=False).min())
    fine = min(_SAMPLE_MM, thin / 2)
    samples = min(max(math.ceil(max(grid.spacing_mm) / fine), _SAMPLES[0]), _SAMPLES[1])
    inverse = np.linalg.inv(axes_mm)
    realm, profile = REALMS.index(focus.realm), PROFILES.index(focus.profile)
    turn, shift = inverse @ step, inverse @ (centre_mm - origin)
    found = _room(math.prod((high - low).tolist()))
    count = _cover(low, high, turn, shift, samples, realm, profile, allowed, bone, inside, *found)
    if not count:
        found = _nearest(focus, grid, middle, axes_mm, allowed, bone, inside)
        count = len(found[0])
    index, cover, main, core = (part[:count] for part in found)
    return PaintedFocus(
        focus=focus,
        centre_mm=centre_mm,
        index=index.copy(),
        cover=cover.astype(float),
        main=main.astype(float),
        core=core.astype(float),
    )


@lru_cache(maxsize=8)
def _frame(grid: Grid) -> tuple[Array, Array, Array]:
    """Steps of a grid, their inverse, and its origin."""
    step = grid.step_mm
    return step, np.asarray(np.linalg.inv(step)), np.asarray(grid.origin_mm, dtype=float)


@lru_cache(maxsize=1024)
def _allowed(bones: tuple[str, ...], wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which labels of bone count: 0 is none, k + 1 is bone k; all of them where none is named."""
    allowed = np.ones(len(bones) + 1, dtype=np.bool_)
    if wanted:
        allowed[1:] = np.isin(bones, wanted)
    return allowed


def _room(count: int) -> list[NDArray[Any]]:
    return [np.empty(count, dtype=np.int64), *(np.empty(count, dtype=np.float32) for _ in range(3))]


def _nearest(
    focus: Focus,
    grid: Grid,
    middle: Array,
    axes_mm: Array,
    allowed: NDArray[np.bool_],
    bone: NDArray[np.int16],
    inside: NDArray[np.uint8],
) -> list[NDArray[Any]]:
    """The one voxel a focus falls into that no voxel's sample met; none if none fits nearby."""
    spacing = np.asarray(grid.spacing_mm)
    reach = _SEARCH_MM / spacing
    low = np.clip(np.floor(middle - reach), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(middle + reach) + 1, 0, grid.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    near_bone, near_inside = bone[box], inside[box]
    fits = {
        "bone": (near_bone > 0) & allowed[near_bone],
        "soft": (near_bone == 0) & (near_inside > 0),
        "body": near_inside > 0,
        "outside": near_inside == 0,
        "anywhere": np.ones(near_bone.shape, dtype=bool),
    }[focus.realm]
    places = np.argwhere(fits)
    if not len(places):
        return _room(0)
    away = ((places + low - middle) * spacing) ** 2
    best = places[np.argmin(away.sum(axis=1))] + low
    share = min(1.0, 4 / 3 * math.pi * abs(np.linalg.det(axes_mm)) / 1000 / grid.voxel_ml)
    index = np.array([np.ravel_multi_index(tuple(best), grid.shape)])
    return [index, np.array([share]), np.array([share]), np.array([0.0])]


@numba.njit(cache=True, nogil=True)
def _cover(  # type: ignore[no-untyped-def]
    low, high, turn, shift, samples, realm, profile, allowed, bone, inside, out_index, out_cover, out_main, out_core
):
    """Fill the voxels of an ellipsoid; ``u = turn @ index - shift`` has length 1 on its surface. Returns how many."""
    _, rows, columns = bone.shape
    count = 0
    # as far as any point of a voxel lies from its centre, in u
    slack = 0.0
    for i in range(3):
        edge = 0.5 * (abs(turn[i, 0]) + abs(turn[i, 1]) + abs(turn[i, 2]))
        slack += edge * edge
    slack = math.sqrt(slack)
    points = samples**3
    for s in range(low[0], high[0]):
        for r in range(low[1], high[1]):
            for c in range(low[2], high[2]):
                label, body = bone[s, r, c], inside[s, r, c]
                if realm == 0:
                    if label == 0 or not allowed[label]:
                        continue
                elif (
                    (realm == 1 and (label != 0 or body == 0))
                    or (realm == 2 and body == 0)
                    or (realm == 3 and body != 0)
                ):
                    continue
                a = turn[0, 0] * s + turn[0, 1] * r + turn[0, 2] * c - shift[0]
                b = turn[1, 0] * s + turn[1, 1] * r + turn[1, 2] * c - shift[1]
                d = turn[2, 0] * s + turn[2, 1] * r + turn[2, 2] * c - shift[2]
                distance = math.sqrt(a * a + b * b + d * d)
                if distance - slack > 1:
                    continue
                cover, main, core = 0.0, 0.0, 0.0
                if distance + slack <= 1 and profile == 0:
                    cover, main = 1.0, 1.0
                else:
                    for i in range(samples):
                        di = (i + 0.5) / samples - 0.5
                        for j in range(samples):
                            dj = (j + 0.5) / samples - 0.5
                            for k in range(samples):
                                dk = (k + 0.5) / samples - 0.5
                                x = a + turn[0, 0] * di + turn[0, 1] * dj + turn[0, 2] * dk
                                y = b + turn[1, 0] * di + turn[1, 1] * dj + turn[1, 2] * dk
                                z = d + turn[2, 0] * di + turn[2, 1] * dj + turn[2, 2] * dk
                                square = x * x + y * y + z * z
                                if square > 1:
                                    continue
                                cover += 1
                                if profile == 1:
                                    main += 1 - square
                                elif profile == 2 and square <= 4.0 / 9.0:
                                    core += 1
                                else:
                                    main += 1
                    if cover == 0:
                        continue
                    cover, main, core = cover / points, main / points, core / points
                out_index[count] = (s * rows + r) * columns + c
                out_cover[count], out_main[count], out_core[count] = cover, main, core
                count += 1
    return count
