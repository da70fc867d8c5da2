"""What lies under the camera, and how near its heads come.

The patient lies on a flat table, with the lowest point of the back on it; all else of the body is above. The upper
head's collimator keeps a clearance above the highest point under the whole of its face, which is L long along the body;
as the face passes over a row, the row sees it at different heights, and their mean is what counts::

    h(c) = max over |z - c| <= L/2 of the skin's height      face(z) = mean over |c - z| <= L/2 of h(c) + clearance

A head can rise as fast as it must, as the pass is slow (about 2 mm/s). The lower head stays under the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.medium import Medium
from bonescan.camera.cameras import PHOTON_KEV
from bonescan.camera.projections import column_direction, head_direction
from bonescan.camera.protocols import Table
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

__all__ = [
    "Emitter",
    "Outline",
    "cropped",
    "orbit_mm",
    "outline",
    "passing_face_mm",
    "standing_face_mm",
    "table_level_mm",
    "through_table",
]

Array = NDArray[np.float64]

_BODY_PER_CM = 0.02  # lungs weaken 140.5 keV by 0.04 /cm or more, air by 0.0002
_ALUMINIUM_PER_CM = 0.383  # at 140.5 keV and 2.699 g/ml; xraylib 4 [C]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Emitter:
    """A body with activity in it, as it lies at one time.

    Parameters
    ----------
    medium : Medium
        What photons pass through, on a grid whose axes are the body's.
    activity : Field
        kBq/mL on the same grid, when the acquisition starts.
    half_life_h : float
        Of the nuclide. Default technetium-99m's.

    Raises
    ------
    GeometryMismatch
        If the two have different grids, or the grid's axes are not the body's.
    InvalidValue
        For a unit that is not kBq/mL, or a half-life that is not positive.
    """

    medium: Medium
    activity: Field
    half_life_h: float = 6.0067

    def __post_init__(self) -> None:
        if self.activity.grid != self.medium.grid:
            raise GeometryMismatch("Activity and medium of an emitter lie on one grid.")
        if self.medium.grid.axes != Grid(shape=(1, 1, 1), spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0)).axes:
            raise GeometryMismatch("Slices ascend to the head, rows to the back and columns to the left: resample it.")
        if self.activity.unit != "kBq/mL":
            raise InvalidValue(f"An emitter's activity is in kBq/mL, got {self.activity.unit!r}.")
        if not 0 < self.half_life_h < np.inf:
            raise InvalidValue(f"A half-life is positive, got {self.half_life_h} h.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """Where a body is not air.

    Parameters
    ----------
    z_mm : (slice,) ndarray
        Ascending.
    front_mm, back_mm : (slice,) ndarray
        y of the foremost and hindmost skin; NaN where a slice is empty.
    silhouette : (slice, row, column) ndarray of bool
        The body itself.
    grid : Grid
    """

    z_mm: Array
    front_mm: Array
    back_mm: Array
    silhouette: NDArray[np.bool_]
    grid: Grid


def outline(medium: Medium) -> Outline:
    """The body's surface.

    Parameters
    ----------
    medium : Medium

    Returns
    -------
    Outline

    Raises
    ------
    InvalidValue
        Where there is no body.
    """
    solid = medium.coefficients_per_cm([PHOTON_KEV]).sum(axis=0)[:, 0] > _BODY_PER_CM
    inside = np.empty(medium.grid.shape, dtype=np.bool_)
    rows = np.zeros(medium.grid.shape[:2], dtype=np.bool_)
    _fill(solid, medium.material, inside, rows)
    some = rows.any(axis=1)
    if not some.any():
        raise InvalidValue("There is no body under the camera: the medium is air everywhere.")
    grid = medium.grid
    (z0, y0), (dz, dy) = (grid.origin_mm[2], grid.origin_mm[1]), grid.spacing_mm[:2]
    front = y0 + dy * (rows.argmax(axis=1) - 0.5)
    back = y0 + dy * (rows.shape[1] - rows[:, ::-1].argmax(axis=1) - 0.5)
    return Outline(
        z_mm=z0 + dz * np.arange(grid.shape[0], dtype=float),
        front_mm=np.where(some, front, np.nan),
        back_mm=np.where(some, back, np.nan),
        silhouette=inside,
        grid=grid,
    )


def table_level_mm(outlines: Sequence[Outline]) -> float:
    """Where the table's upper side is.

    Parameters
    ----------
    outlines : sequence of Outline
        Of the body in all its poses.

    Returns
    -------
    float
        y of the hindmost point of any.
    """
    return max(float(np.nanmax(one.back_mm)) for one in outlines)


def passing_face_mm(
    outlines: Sequence[Outline], z_mm: Array, table_mm: float, face_mm: float, clearance_mm: float, *, contour: bool
) -> Array:
    """Where the upper head's collimator is as it passes, as seen by every row.

    Parameters
    ----------
    outlines : sequence of Outline
        Of the body in all its poses: the head clears each.
    z_mm : (row,) ndarray
        Evenly spaced.
    table_mm : float
        y of the table's upper side; the head comes no lower than that.
    face_mm : float
        Length of its face along the body.
    clearance_mm : float
    contour : bool
        It follows the body, else it stays above its highest point.

    Returns
    -------
    (row,) ndarray
        y of the collimator's face.
    """
    step = float(np.abs(np.diff(z_mm)).mean()) if len(z_mm) > 1 else 1.0
    around = np.arange(z_mm.min() - face_mm - step, z_mm.max() + face_mm + 2 * step, step)
    front = np.full(len(around), table_mm)
    for one in outlines:
        known = np.isfinite(one.front_mm)
        # the nearest slices' skin, so that no peak falls between
        width = max(1, round(one.grid.spacing_mm[0] / step)) | 1
        own = np.interp(around, one.z_mm[known], one.front_mm[known], left=table_mm, right=table_mm)
        front = np.minimum(front, ndimage.minimum_filter1d(own, width))
    if not contour:
        return np.full(len(z_mm), front.min() - clearance_mm)
    window = 2 * max(1, round(face_mm / step / 2)) + 1
    over = ndimage.minimum_filter1d(front, window, mode="nearest")
    seen = ndimage.uniform_filter1d(over, window, mode="nearest")
    return np.asarray(np.interp(z_mm, around, seen)) - clearance_mm


def standing_face_mm(body: Outline, centre_z_mm: float, face_mm: float, clearance_mm: float) -> float:
    """Where the upper head's collimator is as it stands over a part of the body.

    Parameters
    ----------
    body : Outline
    centre_z_mm : float
        Of the field.
    face_mm : float
        Length of its face along the body.
    clearance_mm : float

    Returns
    -------
    float
        y of the collimator's face.

    Raises
    ------
    InvalidValue
        Where no part of the body is in reach.
    """
    front = body.front_mm[np.abs(body.z_mm - centre_z_mm) <= face_mm / 2]
    if not np.isfinite(front).any():
        raise InvalidValue(f"No part of the body lies under heads centred at z = {centre_z_mm:g} mm.", got=centre_z_mm)
    return float(np.nanmin(front)) - clearance_mm


def orbit_mm(
    body: Outline,
    table: Table,
    angles_deg: Sequence[float],
    centre_mm: tuple[float, float],
    face_mm: float,
    clearance_mm: float,
    orbit: str,
) -> tuple[Array, tuple[float, float]]:
    """How far a head stays from the axis of rotation on its way around body and table.

    Parameters
    ----------
    body : Outline
    table : Table
        It counts as in the way, not only the body.
    angles_deg : sequence of float
    centre_mm : (x, z)
        Of the field; axis and table lie at x.
    face_mm : float
        Length of the head's face along the body; all that lies in its reach is in the way.
    clearance_mm : float
    orbit : str
        ``"contour"``: as near as can be at each angle; ``"ellipse"``: the smallest with the proportions of the body
        there; ``"circle"``: one radius.

    Returns
    -------
    radii : (view,) ndarray
        From the axis to the collimator's face.
    axis : (x, y)
        At the field's centre, midway between the front of the body there and the table's underside.

    Raises
    ------
    InvalidValue
        Where no part of the body is in reach.
    """
    here = np.abs(body.z_mm - centre_mm[1]) <= face_mm / 2
    under = body.silhouette[here].any(axis=0)
    if not under.any():
        raise InvalidValue(f"No part of the body lies under heads centred at z = {centre_mm[1]:g} mm.", got=centre_mm)
    row, column = np.nonzero(under & ~ndimage.binary_erosion(under))
    grid = body.grid
    half_y, half_x = grid.spacing_mm[1] / 2, grid.spacing_mm[2] / 2
    x = grid.origin_mm[0] + grid.spacing_mm[2] * column
    y = grid.origin_mm[1] + grid.spacing_mm[1] * row
    level = table_level_mm([body])
    below = level + table.thickness_mm
    axis = (centre_mm[0], float((y.min() + below) / 2))
    side = table.width_mm / 2
    corners = np.array([(at, deep) for at in (axis[0] - side, axis[0] + side) for deep in (level, below)])
    points = np.concatenate([np.stack([x, y]), corners.T], axis=1)
    points = points - np.array(axis).reshape(2, 1)
    directions = np.array([head_direction(angle)[:2] for angle in angles_deg])
    reach = (directions @ points).max(axis=1) + np.abs(directions) @ [half_x, half_y] + clearance_mm
    if orbit == "contour":
        return reach, axis
    if orbit == "circle":
        return np.full(len(reach), reach.max()), axis
    wide, deep = (float(np.abs(part).max()) + clearance_mm for part in points)
    own = np.hypot(wide * directions[:, 0], deep * directions[:, 1])
    return own * (reach / own).max(), axis


def through_table(table: Table, table_mm: float, angle_deg: float, u_mm: Array, axis_mm: tuple[float, float]) -> Array:
    """Share of photons on their way to a head that the table lets through.

    Parameters
    ----------
    table : Table
    table_mm : float
        y of its upper side, above which all activity lies.
    angle_deg : float
        Of the head.
    u_mm : (column,) ndarray
        Where on the head, from the axis.
    axis_mm : (x, y)
        Of rotation, and the table's middle.

    Returns
    -------
    (column,) ndarray
        exp(-mu t / cos), t the aluminium and cos the steepness of the ray; 1 for rays that miss the table. What the
        table scatters is left out.
    """
    n, along = head_direction(angle_deg), column_direction(angle_deg)
    if n[1] <= 1e-6:  # the head stands above the table or beside it
        return np.ones(len(u_mm))
    way = (table_mm - axis_mm[1] - u_mm * along[1]) / n[1]
    x = u_mm * along[0] + way * n[0]
    weakened = np.exp(-_ALUMINIUM_PER_CM * table.aluminium_mm / 10 / n[1])
    return np.where(np.abs(x) <= table.width_mm / 2, weakened, 1.0)


def cropped(grid: Grid, low_mm: float, high_mm: float) -> tuple[Grid, slice]:
    """The part of a grid between two heights.

    Parameters
    ----------
    grid : Grid
        With slices that ascend.
    low_mm, high_mm : float

    Returns
    -------
    grid : Grid
        Of the slices whose centres lie between, one at least.
    slices : slice
        Which they are.
    """
    z0, dz = grid.origin_mm[2], grid.spacing_mm[0]
    first = int(np.clip(np.ceil((low_mm - z0) / dz), 0, grid.shape[0] - 1))
    last = int(np.clip(np.floor((high_mm - z0) / dz) + 1, first + 1, grid.shape[0]))
    part = Grid(
        shape=(last - first, *grid.shape[1:]),
        spacing_mm=grid.spacing_mm,
        origin_mm=(grid.origin_mm[0], grid.origin_mm[1], z0 + dz * first),
        axes=grid.axes,
    )
    return part, slice(first, last)


@numba.njit(cache=True, nogil=True)
def _fill(solid, material, inside, some):  # type: ignore[no-untyped-def]
    """Which voxels are body, and which rows of them hold any."""
    slices, rows, columns = material.shape
    for s in range(slices):
        for r in range(rows):
            for c in range(columns):
                inside[s, r, c] = solid[material[s, r, c]]
                some[s, r] |= inside[s, r, c]
