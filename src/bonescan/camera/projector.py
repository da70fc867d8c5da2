"""The analytic model of a camera: the counts of unscattered photons, and its exact transpose.

For a head in the direction n, at the distance f from the axis of rotation to its collimator's face, the expected count
rate of the pixel at (z, u) is ::

    p(z, u) = S sum over voxels of  a V T m  N(z - z_a; sigma(d)) N(u - u_a; sigma(d))

with the activity a and volume V of a voxel, the camera's sensitivity S (cps/MBq), the share T of photons that pass what
lies between voxel and head, m = (1 - exp(-mu w)) / (mu w) the mean over its own width w, normalised Gaussians N at the
pixels' centres, and d = f - n . (position - axis) from the voxel to the face. What is not modelled is told in
`bonescan.camera.cameras`; scattered photons are `bonescan.camera.transport`'s.

Views straight from the front and the back follow the rows of the grid, and their face may be another for every slice,
as that of a head that follows the body while it passes along. For any other view a head stands still. Every voxel then
has its own distance and its own place between the pixels; only the attenuation is looked up between four voxels, on
planes parallel to the head that are as wide as the grid's wider side about the axis: the photons of voxels in the
corners miss some views. Where a Gaussian is narrower than half a pixel, a place between two pixels widens it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonescan.camera.cameras import Camera
from bonescan.camera.projections import Lattice, Projections, head_direction
from bonescan.camera.rays import (
    REACH,
    bounds,
    planar_adjoint,
    planar_forward,
    turned_adjoint,
    turned_forward,
    turned_paths,
)
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

if TYPE_CHECKING:
    from bonescan.camera.projector_torch import TorchProjector

__all__ = ["Projector", "StraightViews", "TurnedViews", "adjoint_residual"]

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Item = TypeVar("Item")
Made = TypeVar("Made")

_FARTHEST_MM = 5000.0  # of a face from the axis: no room is larger [D]
_BLOCK = 16  # slices of a straight view that a thread takes at a time
_SLAB = 128  # slices of a turned view whose paths are held at a time
_PARTS = 8  # of such a slab's rows, for threads


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projector:
    """A camera's heads around a body.

    Parameters
    ----------
    grid : Grid
        Of the activity; slices ascend to the head, rows to the back, columns to the left.
    attenuation : Field or None
        1/cm on that grid, or nothing that attenuates.
    camera : Camera
    angles_deg : tuple of float
        Of the views: 0 at the back, 90 at the left side, 180 in front.
    face_mm : (view, slice) ndarray
        From the axis of rotation to the collimator's face, or what broadcasts to it; the same for all slices of a view
        that is not from the front or the back. What lies behind the face is taken to touch it.
    axis_mm : (float, float)
        x and y of the axis of rotation.
    window_kev : (float, float)
        Energies that count.

    Attributes
    ----------
    lattice : Lattice
        Of the views: a row of pixels to a slice, columns as wide as the voxels.
    views : StraightViews or TurnedViews
        What the views need, without units.
    cps_per_unit : float32
        Counts per second of a voxel of 1 kBq/ml before a head, in air.

    Raises
    ------
    GeometryMismatch
        For a grid that lies another way round, voxels that are not square where views need it, or an attenuation on
        another grid.
    InvalidValue
        For no view, angles that are not finite, faces that do not fit the views and slices or lie metres away, or an
        attenuation that is negative, not finite or not in /cm.
    """

    grid: Grid
    attenuation: Field | None
    camera: Camera
    angles_deg: tuple[float, ...]
    face_mm: ArrayLike
    axis_mm: tuple[float, float]
    window_kev: tuple[float, float]
    lattice: Lattice = field(init=False)
    views: StraightViews | TurnedViews = field(init=False, repr=False)
    cps_per_unit: np.float32 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        grid = self.grid
        if not np.allclose(grid.axes, Grid(shape=(1, 1, 1), spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0)).axes):
            raise GeometryMismatch(
                f"A projector's slices ascend to the head, rows to the back, columns to the left; got {grid.axes}.",
                got=grid.axes,
            )
        if self.attenuation is not None and self.attenuation.grid != grid:
            raise GeometryMismatch(
                f"Activity and attenuation share a grid, got {grid} and {self.attenuation.grid}.",
                expected=grid,
                got=self.attenuation.grid,
            )
        if self.attenuation is not None and (
            self.attenuation.unit != "/cm"
            or not 0 <= self.attenuation.values.min() <= self.attenuation.values.max() < 1e3
        ):
            raise InvalidValue(
                f"Attenuation is finite, not negative and in /cm, got {self.attenuation.values.min():g} to "
                f"{self.attenuation.values.max():g} {self.attenuation.unit}."
            )
        if not self.angles_deg or not np.isfinite([*self.angles_deg, *self.axis_mm]).all():
            raise InvalidValue(f"A projector has views at finite angles, got {self.angles_deg} about {self.axis_mm}.")
        try:
            face = np.broadcast_to(np.asarray(self.face_mm, dtype=float), (len(self.angles_deg), grid.shape[0]))
        except ValueError as error:
            raise InvalidValue(
                f"Faces are given by view and slice, {(len(self.angles_deg), grid.shape[0])}, got the shape "
                f"{np.shape(self.face_mm)}.",
                expected=(len(self.angles_deg), grid.shape[0]),
                got=np.shape(self.face_mm),
            ) from error
        if not (np.abs(face) <= _FARTHEST_MM).all():
            raise InvalidValue(
                f"The collimator's faces lie within {_FARTHEST_MM / 1000:g} m of the axis, got {face.min():g} to "
                f"{face.max():g} mm."
            )
        straight = all(math.isclose(angle % 180, 0, abs_tol=1e-9) for angle in self.angles_deg)
        view = (_straight if straight else _turned)(self, face)
        sensitivity = self.camera.sensitivity_cps_per_mbq(self.window_kev)
        object.__setattr__(self, "face_mm", face)
        object.__setattr__(self, "lattice", view.lattice)
        object.__setattr__(self, "views", view)
        object.__setattr__(self, "cps_per_unit", np.float32(grid.voxel_ml / 1000 * sensitivity))

    def forward(self, activity_kbq_per_ml: NDArray[np.floating]) -> Projections:
        """Expected counts of unscattered photons.

        Parameters
        ----------
        activity_kbq_per_ml : (slice, row, column) ndarray

        Returns
        -------
        Projections
            cps per pixel, float32; the same bits whatever the number of threads.

        Raises
        ------
        GeometryMismatch
            For an array of another shape than the grid.
        """
        activity = self._checked(activity_kbq_per_ml, self.grid.shape)
        values = self.views.forward(activity)
        values *= self.cps_per_unit
        return Projections(values=values, lattice=self.lattice, angles_deg=self.angles_deg)

    def adjoint(self, values: NDArray[np.floating]) -> Image:
        """Transpose of `forward`.

        Parameters
        ----------
        values : (view, row, column) ndarray

        Returns
        -------
        (slice, row, column) ndarray of float32
            The same bits whatever the number of threads.

        Raises
        ------
        GeometryMismatch
            For an array of another shape than the views.
        """
        views = self._checked(values, (len(self.angles_deg), *self.lattice.shape))
        volume = self.views.adjoint(views)
        volume *= self.cps_per_unit
        return volume

    def _checked(self, values: NDArray[np.floating], shape: tuple[int, ...]) -> Image:
        if values.shape != shape:
            raise GeometryMismatch(
                f"The array has the shape {values.shape}, expected {shape}.", expected=shape, got=values.shape
            )
        return _read_only(values)


def adjoint_residual(projector: Projector | TorchProjector, rng: np.random.Generator) -> float:
    """How far a projector's two ways are from being each other's transpose.

    Parameters
    ----------
    projector : Projector or TorchProjector
    rng : numpy.random.Generator

    Returns
    -------
    float
        |<A x, y> - <x, A' y>| / <A x, y> for x and y drawn evenly between 0 and 1.
    """
    x = rng.random(projector.grid.shape, dtype=np.float32)
    y = rng.random((len(projector.angles_deg), *projector.lattice.shape), dtype=np.float32)
    seen = float(np.vdot(projector.forward(x).values.astype(float), y.astype(float)))
    sent = float(np.vdot(x.astype(float), projector.adjoint(y).astype(float)))
    return abs(seen - sent) / abs(seen)


# --- views from the front and the back -------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StraightViews:
    """Views along the rows of the grid.

    Parameters
    ----------
    lattice : Lattice
    mu : (slice, row, column) ndarray of float32
        1/cm.
    width_cm : float32
        Of a voxel along its row.
    rows : tuple of ndarray
        By view, the rows from the head on.
    columns : tuple of (int, int, float)
        By view, start, step and phase: column x of voxels lies at column start + step x + phase of pixels.
    along, across : (view, slice, row) ndarray
        Standard deviations in pixels, along columns and slices.
    pad : int
        More pixels than any Gaussian reaches.
    """

    lattice: Lattice
    mu: Image
    width_cm: np.float32
    rows: tuple[NDArray[np.int64], ...]
    columns: tuple[tuple[int, int, float], ...]
    along: Array
    across: Array
    pad: int

    def forward(self, activity: Image) -> Image:
        """Views of an activity, without units.

        Parameters
        ----------
        activity : (slice, row, column) ndarray of float32

        Returns
        -------
        (view, row, column) ndarray of float32
        """
        lows, highs = _bounds(activity)
        size = self.lattice.shape[1] + 2 * self.pad

        def send(task: tuple[int, int]) -> Image | None:
            v, first = task
            last = min(first + _BLOCK, len(activity))
            if (highs[first:last] <= lows[first:last]).all():
                return None
            out = np.zeros((last - first + 2 * self.pad, size), np.float32)
            where = (self.along[v], self.across[v], *self.columns[v], first, last, self.pad, out)
            planar_forward(activity, self.mu, self.width_cm, self.rows[v], lows, highs, *where)
            return out

        tasks = [(v, first) for v in range(len(self.rows)) for first in range(0, len(activity), _BLOCK)]
        values = np.zeros((len(self.rows), len(activity) + 2 * self.pad, size), np.float32)
        for (v, first), part in zip(tasks, _threaded(send, tasks), strict=True):
            if part is not None:
                values[v, first : first + len(part)] += part
        inside = slice(self.pad, -self.pad)
        return np.ascontiguousarray(values[:, inside, inside][:, ::-1])

    def adjoint(self, views: Image) -> Image:
        """Transpose of `forward`.

        Parameters
        ----------
        views : (view, row, column) ndarray of float32

        Returns
        -------
        (slice, row, column) ndarray of float32
        """
        seen = _read_only(np.pad(views[:, ::-1], ((0, 0), (self.pad, self.pad), (self.pad, self.pad))))
        volume = np.zeros(self.mu.shape, np.float32)

        def receive(first: int) -> None:
            last = min(first + _BLOCK, len(volume))
            for v, rows in enumerate(self.rows):
                where = (self.along[v], self.across[v], *self.columns[v], first, last, self.pad, volume)
                planar_adjoint(seen[v], self.mu, self.width_cm, rows, *where)

        _threaded(receive, range(0, len(volume), _BLOCK))
        return volume


def _straight(projector: Projector, face: Array) -> StraightViews:
    grid, (axis_x, axis_y) = projector.grid, projector.axis_mm
    (slices, rows, columns), (dz, dy, dx), (x0, _y0, z0) = grid.shape, grid.spacing_mm, grid.origin_mm
    # the columns' places seen from the front begin at 0; seen from the back they run the other way, from here on
    at_back = -2 * (x0 - axis_x) / dx - (columns - 1)
    low = min(0, math.floor(at_back + 1e-6))
    high = max(0, math.ceil(at_back - 1e-6))
    lattice = Lattice(
        shape=(slices, columns + high - low),
        spacing_mm=(dz, dx),
        top_mm=z0 + (slices - 1) * dz,
        left_mm=x0 - axis_x + low * dx,
    )
    last = at_back - low + columns - 1
    start = math.floor(last + 1e-6)
    phase = max(last - start, 0.0) if last - start > 1e-6 else 0.0
    behind = [math.cos(math.radians(angle)) > 0 for angle in projector.angles_deg]
    y = grid.origin_mm[1] + dy * np.arange(rows) - axis_y
    distance = face[:, :, None] - np.where(np.array(behind)[:, None, None], y, -y)
    along, across, pad = _widths(projector.camera, distance, (dx, dz))
    return StraightViews(
        lattice=lattice,
        mu=_attenuation(projector),
        width_cm=np.float32(dy / 10),
        rows=tuple(np.arange(rows)[:: -1 if back else 1].copy() for back in behind),
        columns=tuple((start, -1, phase) if back else (-low, 1, 0.0) for back in behind),
        along=along,
        across=across,
        pad=pad,
    )


# --- views from any side ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnedViews:
    """Views from heads that stand still.

    Parameters
    ----------
    lattice : Lattice
    mu : (row + 2, column + 2, slice) ndarray of float32
        1/cm, with a border of zeros.
    attenuating : bool
    width_cm : float32
        Of a voxel.
    directions : tuple of (float, float)
        By view, sine and cosine of its angle.
    centre : (float, float)
        Row and column of the axis.
    planes : int
        Of the frame paths are looked up in, a voxel apart, to the farthest corner of the grid.
    along, across : (view, row, column) ndarray
        Standard deviations in pixels, along columns and slices.
    pad : int
        More pixels than any Gaussian reaches.
    """

    lattice: Lattice
    mu: Image
    attenuating: bool
    width_cm: np.float32
    directions: tuple[tuple[float, float], ...]
    centre: tuple[float, float]
    planes: int
    along: Array
    across: Array
    pad: int

    def forward(self, activity: Image) -> Image:
        """Views of an activity, without units.

        Parameters
        ----------
        activity : (slice, row, column) ndarray of float32

        Returns
        -------
        (view, row, column) ndarray of float32
        """
        turned = _read_only(activity.transpose(1, 2, 0))
        filled = turned.any(axis=2)
        slices, size = self.lattice.shape

        def send(task: tuple[int, int]) -> Image:
            v, first = task
            last = min(first + _SLAB, slices)
            paths = self._paths(v, first, last, [(0, size)])
            out = np.zeros((size, last - first + 2 * self.pad), np.float32)
            where = (*self.directions[v], self.centre, self.along[v], self.across[v], first, last, self.pad)
            turned_forward(turned, filled, self.mu, self.width_cm, *where, paths, out)
            return out

        tasks = [(v, first) for v in range(len(self.directions)) for first in range(0, slices, _SLAB)]
        values = np.zeros((len(self.directions), size, slices + 2 * self.pad), np.float32)
        for (v, first), part in zip(tasks, _threaded(send, tasks), strict=True):
            values[v, :, first : first + part.shape[1]] += part
        return np.ascontiguousarray(values[:, :, self.pad : -self.pad].transpose(0, 2, 1)[:, ::-1])

    def adjoint(self, views: Image) -> Image:
        """Transpose of `forward`.

        Parameters
        ----------
        views : (view, row, column) ndarray of float32

        Returns
        -------
        (slice, row, column) ndarray of float32
        """
        slices, size = self.lattice.shape
        rows, columns = self.mu.shape[0] - 2, self.mu.shape[1] - 2
        margin = ((0, 0), (0, 0), (self.pad, self.pad))
        seen = _read_only(np.pad(views[:, ::-1].transpose(0, 2, 1), margin))
        volume = np.zeros((rows, columns, slices), np.float32)
        for first in range(0, slices, _SLAB):
            last = min(first + _SLAB, slices)
            for v in range(len(views)):
                paths = self._paths(v, first, last, _parts(size))
                where = (*self.directions[v], self.centre, self.along[v], self.across[v], first, last)
                receive = partial(turned_adjoint, seen[v], self.mu, self.width_cm, *where, self.pad, paths, volume)
                _threaded(receive, _parts(rows))
        return np.ascontiguousarray(volume.transpose(2, 0, 1))

    def _paths(self, v: int, first: int, last: int, parts: list[tuple[int, int]]) -> Image:
        """Attenuation between the head and the places of a frame, (column, plane, slice); no slice without any."""
        paths = np.empty((self.lattice.shape[1], self.planes, last - first if self.attenuating else 0), np.float32)
        if self.attenuating:
            where = (*self.directions[v], self.centre, first, last)
            _threaded(partial(turned_paths, self.mu, self.width_cm, *where, paths), parts)
        return _read_only(paths)


def _turned(projector: Projector, face: Array) -> TurnedViews:
    grid, (axis_x, axis_y) = projector.grid, projector.axis_mm
    (slices, rows, columns), (dz, dy, dx), (x0, y0, z0) = grid.shape, grid.spacing_mm, grid.origin_mm
    if not math.isclose(dy, dx, rel_tol=1e-6):
        raise GeometryMismatch(
            f"Views from the side need voxels as wide as deep, got {dx} by {dy} mm.", expected=dx, got=dy
        )
    if np.ptp(face, axis=1).max() > 1e-6:
        raise InvalidValue("A head that does not stand straight in front or behind has one distance for all slices.")
    centre = ((axis_y - y0) / dx, (axis_x - x0) / dx)
    half_y, half_x = (max(at, count - 1 - at) + 0.5 for at, count in zip(centre, (rows, columns), strict=True))
    size = max(math.ceil(2 * max(half_y, half_x) - 1e-6), 2)
    directions = tuple((float(n[0]), float(n[1])) for n in map(head_direction, projector.angles_deg))
    down, left = (np.arange(rows) - centre[0])[:, None], np.arange(columns) - centre[1]
    distance = np.array(
        [face[v, 0] - dx * (sine * left + cosine * down) for v, (sine, cosine) in enumerate(directions)]
    )
    along, across, pad = _widths(projector.camera, distance, (dx, dz))
    return TurnedViews(
        lattice=Lattice(
            shape=(slices, size),
            spacing_mm=(dz, dx),
            top_mm=z0 + (slices - 1) * dz,
            left_mm=-(size - 1) / 2 * dx,
        ),
        mu=_read_only(np.pad(_attenuation(projector).transpose(1, 2, 0), ((1, 1), (1, 1), (0, 0)))),
        attenuating=projector.attenuation is not None,
        width_cm=np.float32(dx / 10),
        directions=directions,
        centre=centre,
        planes=size + 2 * max(math.ceil(math.hypot(half_y, half_x) - size / 2), 0),
        along=along,
        across=across,
        pad=pad,
    )


# --- what both need --------------------------------------------------------------------------


def _widths(camera: Camera, distance_mm: Array, pixel_mm: tuple[float, float]) -> tuple[Array, Array, int]:
    """Standard deviations in pixels along columns and slices, and how far their kernels extend at most."""
    sigma = camera.sigma_mm(distance_mm)
    along, across = sigma / pixel_mm[0], sigma / pixel_mm[1]
    return along, across, math.ceil(REACH * max(float(along.max()), float(across.max()))) + 2


def _attenuation(projector: Projector) -> Image:
    if projector.attenuation is None:
        return _read_only(np.zeros(projector.grid.shape, np.float32))
    return _read_only(projector.attenuation.values)


def _read_only(values: NDArray[np.floating]) -> Image:
    """As float32 in one piece: compiled loops are compiled once, for such arrays alone."""
    own = np.ascontiguousarray(values, dtype=np.float32).view()
    own.flags.writeable = False
    return own


def _bounds(activity: Image) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First column with activity and the one after the last, (slice, row) each; equal where there is none."""
    low, high = np.zeros((2, *activity.shape[:2]), dtype=np.int64)
    bounds(activity, low, high)
    return low, high


def _parts(count: int) -> list[tuple[int, int]]:
    """Whole numbers below a count in parts, as evenly as they go."""
    edges = [count * part // _PARTS for part in range(_PARTS + 1)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def _threaded(work: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    """Plain threads over compiled code that lets go of the interpreter; results in the items' order."""
    if len(items) == 1:
        return [work(items[0])]
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        return list(pool.map(work, items))
