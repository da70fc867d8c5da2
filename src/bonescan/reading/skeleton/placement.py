"""Where the fitted body lies on a view's pixels: a frame, and a small smooth displacement.

The frame is affine. A jointed skeleton of average shape does not follow every rib and iliac wing.
What remains is taken up by a small displacement ``d`` of each view, on a coarse
grid of cubic B-splines, found by Gauss-Newton on

    sum_pixels w (target - picture(p - d(p)))^2  +  a sum_nodes (second differences of d)^2
                                                 +  b sum_nodes d^2,      w = 1 / sqrt(1 + residual^2)

The weights keep hot spots and the bladder from pulling bones towards them.

References
----------
Free-form deformation: Rueckert D et al. IEEE Trans Med Imaging 1999;18:712.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Frame", "Placement", "residual_warp"]

Array = NDArray[np.float64]

_NODE_PIXELS = 8  # about 70 mm between nodes
_BENDING, _SIZE = 6.0, 0.5
_LARGEST_PIXELS = 2.0  # about 18 mm: beyond it the fit is wrong, not bent
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How the body's frontal plane lies on one view's pixels.

    ``row    = row_0    - row_per_mm    (z - tilt x)``
    ``column = column_0 + column_per_mm (x + shear z')``, mirrored for the posterior view,
    with ``z' = z - 900 mm``.
    """

    row_0: float
    column_0: float
    row_per_mm: float
    column_per_mm: float
    tilt: float
    shear: float

    @classmethod
    def of(cls, numbers: Array) -> Frame:
        """The frame with these six numbers, in the order of the fields."""
        row_0, column_0, row_per_mm, column_per_mm, tilt, shear = (float(value) for value in numbers)
        return cls(
            row_0=row_0,
            column_0=column_0,
            row_per_mm=row_per_mm,
            column_per_mm=column_per_mm,
            tilt=tilt,
            shear=shear,
        )

    def pixels(self, x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        """Row and column of body points, arrays of any one shape."""
        row = self.row_0 - self.row_per_mm * (z_mm - 900 - self.tilt * x_mm)
        column = self.column_0 + self.column_per_mm * (x_mm + self.shear * (z_mm - 900))
        return row, column

    def body(self, row: Array, column: Array) -> tuple[Array, Array]:
        """Body coordinates x, z (mm) of pixels; the inverse of `pixels`."""
        a = (self.row_0 - row) / self.row_per_mm
        b = (column - self.column_0) / self.column_per_mm
        x = (b - self.shear * a) / (1 + self.shear * self.tilt)
        return x, a + self.tilt * x + 900


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """A frame on full-resolution pixels, and the displacement on the working grid.

    Parameters
    ----------
    frame : Frame
    displacement : (2, row, column) ndarray
        From `residual_warp`, in working pixels.
    factor : (2,) ndarray
        Working pixels per view pixel, along rows and columns.
    first_row, first_column : int
        Of the part of the view that the working grid covers.
    """

    frame: Frame
    displacement: Array
    factor: Array
    first_row: int = 0
    first_column: int = 0

    def moved(self, rows: int, columns: int) -> Placement:
        """The same placement on a view that has so many more rows above and columns to the left."""
        frame = replace(self.frame, row_0=self.frame.row_0 + rows, column_0=self.frame.column_0 + columns)
        return replace(self, frame=frame, first_row=self.first_row + rows, first_column=self.first_column + columns)

    def pixels(self, x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        """Row and column of body points: the inverse of `body`, by fixed-point iteration."""
        row, column = self.frame.pixels(x_mm, z_mm)
        r, c = row, column
        for _ in range(4):
            moved = self._displaced(r, c)
            r, c = row + moved[0], column + moved[1]
        return r, c

    def body(self, row: Array, column: Array) -> tuple[Array, Array]:
        """Body coordinates x, z (mm) of pixels."""
        moved = self._displaced(row, column)
        return self.frame.body(row - moved[0], column - moved[1])

    def _displaced(self, row: Array, column: Array) -> Array:
        row, column = row - self.first_row, column - self.first_column
        at = np.stack([(row + 0.5) * self.factor[0] - 0.5, (column + 0.5) * self.factor[1] - 0.5])
        field = [ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in self.displacement]
        return np.asarray([part / scale for part, scale in zip(field, self.factor, strict=True)])


def residual_warp(target: NDArray[np.float32], picture: NDArray[np.float32]) -> Array:
    """Displacement that carries the picture onto the target.

    Parameters
    ----------
    target, picture : (row, column) ndarray
        The view and the fitted skeleton's picture, both standardised.

    Returns
    -------
    (2, row, column) ndarray
        Row and column displacement in working pixels: the picture's point
        ``p - d(p)`` lies at ``p`` of the target.
    """
    shape = target.shape
    rows, columns = _splines(shape[0]), _splines(shape[1])
    penalty = _penalty(rows.shape[1], columns.shape[1])
    nodes = np.zeros((2, rows.shape[1], columns.shape[1]))
    grid = np.mgrid[: shape[0], : shape[1]].astype(float)
    field = np.zeros((2, *shape))
    for _ in range(_ROUNDS):
        moved = ndimage.map_coordinates(picture, grid - field, order=1, mode="nearest")
        residual = target - moved
        weight = 1 / np.sqrt(1 + residual**2)
        slope = np.stack(np.gradient(ndimage.gaussian_filter(moved, 0.5)))
        normal, right = _normal_equations(rows, columns, slope, weight, residual)
        flat = nodes.ravel()
        step = np.linalg.solve(normal + penalty, right - penalty @ flat)
        nodes = (flat + step).reshape(nodes.shape)
        field = np.stack([rows @ node @ columns.T for node in nodes])
    return np.asarray(np.clip(field, -_LARGEST_PIXELS, _LARGEST_PIXELS))


def _splines(pixels: int) -> Array:
    """Cubic B-splines of one axis, (pixel, node) ndarray; every pixel's weights sum to 1."""
    nodes = int(np.ceil(pixels / _NODE_PIXELS)) + 3
    u = np.abs((np.arange(pixels)[:, None] + 0.5) / _NODE_PIXELS + 1 - np.arange(nodes))
    return np.asarray(np.where(u < 1, 2 / 3 - u**2 + u**3 / 2, np.where(u < 2, (2 - u) ** 3 / 6, 0.0)))


def _penalty(rows: int, columns: int) -> Array:
    bend_r = np.diff(np.eye(rows), 2, axis=0)
    bend_c = np.diff(np.eye(columns), 2, axis=0)
    one = (
        _BENDING * np.kron(bend_r.T @ bend_r, np.eye(columns))
        + _BENDING * np.kron(np.eye(rows), bend_c.T @ bend_c)
        + _SIZE * np.eye(rows * columns)
    )
    return np.asarray(np.kron(np.eye(2), one), dtype=float)


def _normal_equations(rows: Array, columns: Array, slope: Array, weight: Array, residual: Array) -> tuple[Array, Array]:
    """Gauss-Newton system of the data term; ``d residual / d node = -slope * spline``, sign folded in."""
    size = rows.shape[1] * columns.shape[1]
    normal = np.zeros((2, size, 2, size))
    right = np.zeros((2, size))
    pairs_r = np.einsum("ri,rj->rij", rows, rows).reshape(len(rows), -1)
    pairs_c = np.einsum("ck,cl->ckl", columns, columns).reshape(len(columns), -1)
    for a in range(2):
        right[a] = (rows.T @ (-slope[a] * weight * residual) @ columns).ravel()
        for b in range(a, 2):
            block = pairs_r.T @ (weight * slope[a] * slope[b]) @ pairs_c
            block = block.reshape(rows.shape[1], rows.shape[1], columns.shape[1], columns.shape[1])
            normal[a, :, b] = normal[b, :, a] = block.transpose(0, 2, 1, 3).reshape(size, size)
    return np.asarray(normal.reshape(2 * size, 2 * size)), np.asarray(right.ravel())
