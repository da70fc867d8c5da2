"""The posed skeleton's shadow: how much of each bone lies along the ray through each pixel.

For an ellipsoid ``(p - c)^T Q (p - c) <= 1`` with ``Q = (A A^T)^-1`` the ray
``p = (x, y, z)``, y free, is inside between the roots of

    Q_yy y^2 + 2 (Q_xy dx + Q_yz dz) y + Q_xx dx^2 + 2 Q_xz dx dz + Q_zz dz^2 - 1 = 0

where ``(dx, y, dz)`` is taken from the centre. The intervals of a bone's
ellipsoids are merged before their lengths are added, so unions count once.
Attenuated, an interval from depth ``d`` to ``e`` behind the skin counts
``(exp(-mu d) - exp(-mu e)) / mu`` instead of ``e - d``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import PosedSkeleton
from bonescan.errors import InvalidValue

__all__ = ["BoneShadow", "project_bones", "ray_forms"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneShadow:
    """One bone in one view.

    Parameters
    ----------
    bone : str
    row, column : int
        Upper left pixel of the crop.
    length_mm : (row, column) ndarray of float32
        Length of bone along the ray, attenuated if that was asked for.
    y_mm : float
        Mean position of the bone along the ray (+y posterior), by length.
    """

    bone: str
    row: int
    column: int
    length_mm: NDArray[np.float32]
    y_mm: float


def ray_forms(axes_mm: Array) -> Array:
    """Quadratic forms of ellipsoids, as rays along y need them.

    Parameters
    ----------
    axes_mm : (ellipsoid, 3, 3) ndarray
        Columns are the half-axis vectors A.

    Returns
    -------
    (ellipsoid, 6) ndarray in mm^-2
        Q_yy, Q_xy, Q_yz, Q_xx, Q_xz, Q_zz of ``Q = (A A^T)^-1``, in the order the module's equation names them.
    """
    q = np.linalg.inv(axes_mm @ axes_mm.transpose(0, 2, 1))
    return np.column_stack([q[:, 1, 1], q[:, 0, 1], q[:, 1, 2], q[:, 0, 0], q[:, 0, 2], q[:, 2, 2]])


# Serial: a whole skeleton takes 0.03 s, and a parallel loop would take a second longer to compile.
@numba.njit(cache=True, nogil=True)
def _lengths(first, forms, centres, boxes, offsets, x_mm, z_mm, skin_mm, side, mu, out, y_mean):  # type: ignore[no-untyped-def]
    for bone in range(boxes.shape[0]):
        top, left, bottom, right = boxes[bone]
        starts = np.empty(first[bone + 1] - first[bone])
        ends = np.empty_like(starts)
        weight, moment = 0.0, 0.0
        for r in range(top, bottom):
            for c in range(left, right):
                x, z = x_mm[r, c], z_mm[r, c]
                count = 0
                for e in range(first[bone], first[bone + 1]):
                    dx, dz = x - centres[e, 0], z - centres[e, 2]
                    a = forms[e, 0]
                    b = forms[e, 1] * dx + forms[e, 2] * dz
                    g = forms[e, 3] * dx * dx + 2 * forms[e, 4] * dx * dz + forms[e, 5] * dz * dz - 1
                    square = b * b - a * g
                    if square <= 0:
                        continue
                    root = np.sqrt(square)
                    start = centres[e, 1] + (-b - root) / a
                    end = centres[e, 1] + (-b + root) / a
                    k = count
                    while k > 0 and starts[k - 1] > start:
                        starts[k], ends[k] = starts[k - 1], ends[k - 1]
                        k -= 1
                    starts[k], ends[k] = start, end
                    count += 1
                total, reached = 0.0, -np.inf
                for k in range(count):
                    start, end = max(starts[k], reached), ends[k]
                    if end <= start:
                        continue
                    reached = end
                    if mu > 0:
                        near, far = side * (skin_mm[r, c] - start), side * (skin_mm[r, c] - end)
                        length = abs(np.exp(-mu * max(near, 0.0)) - np.exp(-mu * max(far, 0.0))) / mu
                    else:
                        length = end - start
                    total += length
                    weight += end - start
                    moment += (end - start) * 0.5 * (start + end)
                out[offsets[bone] + (r - top) * (right - left) + (c - left)] = total
        y_mean[bone] = moment / weight if weight > 0 else np.nan


def project_bones(
    posed: PosedSkeleton,
    x_mm: NDArray[np.float32],
    z_mm: NDArray[np.float32],
    *,
    skin_mm: NDArray[np.float32] | None = None,
    side: int = 0,
    mu_per_mm: float = 0.0,
) -> tuple[BoneShadow, ...]:
    """Shadow of every bone that falls on the pixels.

    Parameters
    ----------
    posed : PosedSkeleton
    x_mm, z_mm : (row, column) ndarray
        Body coordinates of each pixel; smooth, rows going down the body.
    skin_mm : (row, column) ndarray, optional
        y of the skin that faces the camera, needed with attenuation.
    side : int
        -1 for a camera in front of the body, +1 behind it.
    mu_per_mm : float
        Linear attenuation coefficient; 0 for plain lengths.

    Returns
    -------
    tuple of BoneShadow
        In the skeleton's order; bones outside the pixels are left out.

    Raises
    ------
    InvalidValue
        When attenuation is asked for and the skin or the camera's side is missing.
    """
    if mu_per_mm > 0 and (skin_mm is None or side not in (-1, 1)):
        raise InvalidValue(
            f"Attenuation needs the skin that faces the camera and its side, -1 or 1; got side {side} and "
            f"{'no skin' if skin_mm is None else 'a skin'}.",
            side=side,
        )
    skeleton = posed.skeleton
    order = np.argsort(skeleton.bone_index, kind="stable")
    first = np.searchsorted(skeleton.bone_index[order], np.arange(len(skeleton.bones) + 1)).astype(np.int64)
    axes, centres = posed.axes_mm[order], posed.centres_mm[order]
    reach = np.linalg.norm(axes, axis=2)
    boxes = _boxes(first, centres, reach, x_mm, z_mm)
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    out = np.zeros(offsets[-1], dtype=np.float32)
    y_mean = np.full(len(boxes), np.nan)
    skin = np.zeros_like(x_mm) if skin_mm is None else skin_mm
    _lengths(first, ray_forms(axes), centres, boxes, offsets, x_mm, z_mm, skin, side, mu_per_mm, out, y_mean)
    shadows = []
    for k, bone in enumerate(skeleton.bones):
        top, left, bottom, right = boxes[k]
        crop = out[offsets[k] : offsets[k + 1]].reshape(bottom - top, right - left)
        rows, columns = np.flatnonzero(crop.any(axis=1)), np.flatnonzero(crop.any(axis=0))
        if not len(rows):
            continue
        inner = crop[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
        inner.flags.writeable = False
        shadows.append(
            BoneShadow(
                bone=bone, row=int(top + rows[0]), column=int(left + columns[0]), length_mm=inner, y_mm=float(y_mean[k])
            )
        )
    return tuple(shadows)


def _boxes(
    first: NDArray[np.int64], centres: Array, reach: Array, x_mm: NDArray[np.float32], z_mm: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Pixel boxes that surely hold each bone, (bone, top-left-bottom-right).

    Rows and columns are looked up in the extremes of the coordinate maps, so
    that maps bent by a smooth warp are allowed for.
    """
    z_high, z_low = z_mm.max(axis=1), z_mm.min(axis=1)
    x_high, x_low = x_mm.max(axis=0), x_mm.min(axis=0)
    boxes = np.zeros((len(first) - 1, 4), dtype=np.int64)
    for k in range(len(first) - 1):
        part = slice(first[k], first[k + 1])
        low = (centres[part] - reach[part]).min(axis=0)
        high = (centres[part] + reach[part]).max(axis=0)
        rows = np.flatnonzero((z_high >= low[2]) & (z_low <= high[2]))
        columns = np.flatnonzero((x_high >= low[0]) & (x_low <= high[0]))
        if len(rows) and len(columns):
            boxes[k] = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    return boxes
