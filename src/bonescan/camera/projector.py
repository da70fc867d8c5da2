"""The analytic model of a camera: the counts of unscattered photons, and its exact transpose.

For a head in the direction n, at the distance f from the axis of rotation to its collimator's face, the expected count
rate of the pixel at (z, u) is ::

    p(z, u) = S sum over voxels of  a V T m  N(z - z_a; sigma(d)) N(u - u_a; sigma(d))

with the activity a and volume V of a voxel, the camera's sensitivity S (cps/MBq), the share T of photons that pass what
lies between voxel and head, m = (1 - exp(-mu w)) / (mu w) the mean over its own width w, normalised Gaussians N at the
pixels' centres, and d = f - n . (position - axis) from the voxel to the face. What is not modelled is told in
`bonescan.camera.cameras`; scattered photons are `bonescan.camera.transport`'s.

Views straight from the front and the back follow the rows of the grid. For any other view, activity and attenuation are
looked up between four voxels on planes parallel to the head, a voxel's width apart: every voxel's
weights are made to sum to 1, so that none loses counts, and what looking up adds to the width along the columns, a sixth
of a squared voxel on average, is taken off the Gaussians again. The planes are as wide as the grid's wider side about the
axis: voxels in its corners weaken what lies behind them, but their own photons miss the planes of some views.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bonescan.camera.cameras import Camera
from bonescan.camera.gaussians import gaussian_kernels, kernel_index
from bonescan.camera.projections import Lattice, Projections, head_direction
from bonescan.camera.rays import bounds, coverage, planar_adjoint, planar_forward, turned_adjoint, turned_forward
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

__all__ = ["Projector", "adjoint_residual"]

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Index = NDArray[np.int32]
Item = TypeVar("Item")
Made = TypeVar("Made")

_BLOCK = 16  # slices a thread takes at a time
_LANES_BYTES = 1 << 29  # what the transposed views may take to be added up in
_COVERED = 0.75  # a voxel within the planes is looked up 0.93 to 1.07 times, one across their edge less


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
        From the axis of rotation to the collimator's face, or what broadcasts to it. What lies behind the face is taken
        to touch it.
    axis_mm : (float, float)
        x and y of the axis of rotation.
    window_kev : (float, float)
        Energies that count.

    Attributes
    ----------
    lattice : Lattice
        Of the views: a row of pixels to a slice, columns as wide as the voxels.

    Raises
    ------
    GeometryMismatch
        For a grid that lies another way round, voxels that are not square where views need it, or an attenuation on
        another grid.
    InvalidValue
        For no view, angles that are not finite, or faces that do not fit the views and slices.
    """

    grid: Grid
    attenuation: Field | None
    camera: Camera
    angles_deg: tuple[float, ...]
    face_mm: ArrayLike
    axis_mm: tuple[float, float]
    window_kev: tuple[float, float]
    lattice: Lattice = field(init=False)
    _view: _Straight | _Turned = field(init=False, repr=False)
    _scale: np.float32 = field(init=False, repr=False)

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
        if not np.isfinite(face).all():
            raise InvalidValue("The distances from the axis to the collimator's face are finite.")
        straight = all(math.isclose(angle % 180, 0, abs_tol=1e-9) for angle in self.angles_deg)
        view = (_straight if straight else _turned)(self, face)
        sensitivity = self.camera.sensitivity_cps_per_mbq(self.window_kev)
        object.__setattr__(self, "face_mm", face)
        object.__setattr__(self, "lattice", view.lattice)
        object.__setattr__(self, "_view", view)
        object.__setattr__(self, "_scale", np.float32(grid.voxel_ml / 1000 * sensitivity))

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
        values = self._view.forward(activity)
        values *= self._scale
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
        volume = self._view.adjoint(views)
        volume *= self._scale
        return volume

    def _checked(self, values: NDArray[np.floating], shape: tuple[int, ...]) -> Image:
        if values.shape != shape:
            raise GeometryMismatch(
                f"The array has the shape {values.shape}, expected {shape}.", expected=shape, got=values.shape
            )
        return _read_only(values)


def adjoint_residual(projector: Projector, rng: np.random.Generator) -> float:
    """How far a projector's two ways are from being each other's transpose.

    Parameters
    ----------
    projector : Projector
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
class _Straight:
    """Views along the rows of the grid; a column of voxels lies at ``start + step column`` of the pixels'."""

    lattice: Lattice
    mu: Image
    width_cm: np.float32
    kernels: tuple[Image, NDArray[np.int64]]
    rows: tuple[NDArray[np.int64], ...]  # by view, from the head on
    columns: tuple[tuple[int, int, float], ...]  # by view: start, step and what remains of a column
    along: Index  # (view, slice, row)
    across: Index

    @property
    def pad(self) -> int:
        return int(self.kernels[0].shape[1]) - 1

    def forward(self, activity: Image) -> Image:
        lows, highs = _bounds(activity)
        size = self.lattice.shape[1] + 2 * self.pad

        def send(task: tuple[int, int]) -> Image | None:
            v, first = task
            last = min(first + _BLOCK, activity.shape[0])
            if (highs[first:last] <= lows[first:last]).all():
                return None
            out = np.zeros((last - first + 2 * self.pad, size), np.float32)
            where = (self.along[v], self.across[v], *self.kernels, *self.columns[v], first, last, self.pad, out)
            planar_forward(activity, self.mu, self.width_cm, self.rows[v], lows, highs, *where)
            return out

        tasks = [(v, first) for v in range(len(self.rows)) for first in range(0, activity.shape[0], _BLOCK)]
        values = np.zeros((len(self.rows), activity.shape[0] + 2 * self.pad, size), np.float32)
        for (v, first), part in zip(tasks, _threaded(send, tasks), strict=True):
            if part is not None:
                values[v, first : first + len(part)] += part
        inside = slice(self.pad, -self.pad)
        return np.ascontiguousarray(values[:, inside, inside][:, ::-1])

    def adjoint(self, views: Image) -> Image:
        margin = ((0, 0), (self.pad, self.pad), (self.pad, self.pad))
        seen = _read_only(np.pad(views[:, ::-1], margin))
        volume = np.zeros(self.mu.shape, np.float32)

        def receive(first: int) -> None:
            last = min(first + _BLOCK, len(volume))
            for v, rows in enumerate(self.rows):
                where = (self.along[v], self.across[v], *self.kernels, *self.columns[v], first, last, self.pad, volume)
                planar_adjoint(seen[v], self.mu, self.width_cm, rows, *where)

        _threaded(receive, range(0, len(volume), _BLOCK))
        return volume


def _straight(projector: Projector, face: Array) -> _Straight:
    grid, (axis_x, axis_y) = projector.grid, projector.axis_mm
    (slices, rows, columns), (dz, dy, dx), (x0, y0, z0) = grid.shape, grid.spacing_mm, grid.origin_mm
    # places of the columns in front, from 0 on, and at the back, where they run the other way
    at_back = (-2 * (x0 - axis_x) - (columns - 1) * dx) / dx
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
    remainder = max(last - start, 0.0) if last - start > 1e-6 else 0.0
    y = y0 + dy * np.arange(rows) - axis_y
    behind = [math.cos(math.radians(angle)) > 0 for angle in projector.angles_deg]
    distance = face[:, :, None] - np.where(np.array(behind)[:, None, None], y, -y)
    shared = np.array([remainder * (1 - remainder) if back else 0.0 for back in behind])
    kernels, along, across = _widths(projector.camera, distance, (dx, dz), shared)
    return _Straight(
        lattice=lattice,
        mu=_attenuation(projector),
        width_cm=np.float32(dy / 10),
        kernels=kernels,
        rows=tuple(np.arange(rows)[:: -1 if back else 1].copy() for back in behind),
        columns=tuple((start, -1, remainder) if back else (-low, 1, 0.0) for back in behind),
        along=along,
        across=across,
    )


# --- views from any side ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Turned:
    """Views on planes parallel to the head; volumes are (row, column, slice) with a border of zeros."""

    lattice: Lattice
    mu: Image
    width_cm: np.float32
    kernels: tuple[Image, NDArray[np.int64]]
    directions: tuple[tuple[float, float], ...]  # by view: sine and cosine of its angle
    centre: tuple[float, float]  # row and column of the axis
    scale: Image  # (view, row, column)
    along: Index  # (view, plane, slice)
    across: Index

    @property
    def pad(self) -> int:
        return int(self.kernels[0].shape[1]) - 1

    def forward(self, activity: Image) -> Image:
        turned = _bordered(activity)
        filled = turned.any(axis=2)
        rows, columns = self.lattice.shape
        values = np.empty((len(self.directions), rows, columns), np.float32)

        def send(v: int) -> None:
            out = np.zeros((columns, rows + 2 * self.pad), np.float32)
            where = (*self.directions[v], self.centre, self.scale[v], self.along[v], self.across[v], *self.kernels)
            turned_forward(turned, filled, self.mu, self.width_cm, *where, out)
            values[v] = out[:, self.pad : -self.pad].T[::-1]

        _threaded(send, range(len(values)))
        return values

    def adjoint(self, views: Image) -> Image:
        lanes = max(1, min(len(views), 16, _LANES_BYTES // self.mu.nbytes))

        def receive(lane: int) -> Image:
            volume = np.zeros(self.mu.shape, np.float32)
            for v in range(lane, len(views), lanes):
                view = _read_only(np.pad(views[v, ::-1].T, ((0, 0), (self.pad, self.pad))))
                where = (*self.directions[v], self.centre, self.scale[v], self.along[v], self.across[v], *self.kernels)
                turned_adjoint(view, self.mu, self.width_cm, *where, volume)
            return volume

        total, *others = _threaded(receive, range(lanes))
        for other in others:
            total += other
        return np.ascontiguousarray(total[1:-1, 1:-1].transpose(2, 0, 1))


def _turned(projector: Projector, face: Array) -> _Turned:
    grid, (axis_x, axis_y) = projector.grid, projector.axis_mm
    (slices, rows, columns), (dz, dy, dx), (x0, y0, z0) = grid.shape, grid.spacing_mm, grid.origin_mm
    if not math.isclose(dy, dx, rel_tol=1e-6):
        raise GeometryMismatch(
            f"Views from the side need voxels as wide as deep, got {dx} by {dy} mm.", expected=dx, got=dy
        )
    centre = ((axis_y - y0) / dx, (axis_x - x0) / dx)
    half_y, half_x = (max(at, count - 1 - at) + 0.5 for at, count in zip(centre, (rows, columns), strict=True))
    size = max(math.ceil(2 * max(half_y, half_x) - 1e-6), 2)
    planes = size + 2 * max(math.ceil(math.hypot(half_y, half_x) - size / 2), 0)  # to the farthest corner
    lattice = Lattice(
        shape=(slices, size),
        spacing_mm=(dz, dx),
        top_mm=z0 + (slices - 1) * dz,
        left_mm=-(size - 1) / 2 * dx,
    )
    directions = tuple((float(n[0]), float(n[1])) for n in map(head_direction, projector.angles_deg))
    scale = np.ones((len(directions), rows + 2, columns + 2), np.float32)
    spread = np.zeros(len(directions))
    for v, (sine, cosine) in enumerate(directions):
        total, square = coverage((rows, columns), planes, size, sine, cosine, centre)
        covered = total > _COVERED
        scale[v][covered] = 1 / total[covered]
        spread[v] = (square[covered] / total[covered]).mean() if covered.any() else 0.0
    forward = ((planes - 1) / 2 - np.arange(planes)) * dx
    distance = face[:, None, :] - forward[:, None]
    kernels, along, across = _widths(projector.camera, distance, (dx, dz), spread)
    return _Turned(
        lattice=lattice,
        mu=_bordered(_attenuation(projector)),
        width_cm=np.float32(dx / 10),
        kernels=kernels,
        directions=directions,
        centre=centre,
        scale=_read_only(scale),
        along=along,
        across=across,
    )


# --- what both need --------------------------------------------------------------------------


def _widths(
    camera: Camera, distance_mm: Array, pixel_mm: tuple[float, float], shared: Array
) -> tuple[tuple[Image, NDArray[np.int64]], Index, Index]:
    """Kernels, and which of them is whose along columns and slices; ``shared`` (view,) is taken off their variance."""
    sigma = camera.sigma_mm(distance_mm)
    along = np.sqrt(np.maximum((sigma / pixel_mm[0]) ** 2 - shared[:, None, None], 0.0))
    across = sigma / pixel_mm[1]
    largest = math.ceil(max(float(along.max()), float(across.max()), 0.5))
    return gaussian_kernels(largest), kernel_index(along), kernel_index(across)


def _attenuation(projector: Projector) -> Image:
    if projector.attenuation is None:
        return _read_only(np.zeros(projector.grid.shape, np.float32))
    return _read_only(projector.attenuation.values)


def _bordered(values: Image) -> Image:
    """(row + 2, column + 2, slice), with a border of zeros."""
    slices, rows, columns = values.shape
    out = np.zeros((rows + 2, columns + 2, slices), np.float32)
    out[1:-1, 1:-1] = values.transpose(1, 2, 0)
    return _read_only(out)


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


def _threaded(work: Callable[[Item], Made], items: Iterable[Item]) -> list[Made]:
    """Plain threads over compiled code that lets go of the interpreter; results in the items' order."""
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        return list(pool.map(work, items))
