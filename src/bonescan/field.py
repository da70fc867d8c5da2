"""Arrays with their place in the body: the common currency of volumes.

A voxel ``(slice, row, column)`` has its centre at ::

    x = origin + slice * spacing[0] * a_0 + row * spacing[1] * a_1 + column * spacing[2] * a_2

in the patient's LPS frame (mm; +x left, +y posterior, +z cranial), with the unit vectors a_k as the columns of
``axes``. By default slices ascend towards the head, rows towards the back, columns to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import GeometryMismatch, InvalidValue

__all__ = ["Field", "Grid"]

_SLICES_UP_ROWS_BACK_COLUMNS_LEFT = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where the voxels of a volume lie; equal grids are the same places.

    Parameters
    ----------
    shape : (slice, row, column)
        Numbers of voxels, each at least 1.
    spacing_mm : (slice, row, column)
        Distances between neighbouring voxels' centres, positive.
    origin_mm : (x, y, z)
        Centre of voxel (0, 0, 0), LPS.
    axes : 3 x 3 tuple
        Columns are the directions of slice, row and column, orthonormal, as rows of a tuple (x, y, z).

    Raises
    ------
    InvalidValue
        For a shape or spacing that is not positive, an origin that is not finite, or axes that are not orthonormal.

    Examples
    --------
    >>> grid = Grid(shape=(2, 3, 4), spacing_mm=(4, 4, 4), origin_mm=(10, 0, 0))
    >>> grid.position_mm((1, 0, 2)).tolist()
    [18.0, 0.0, 4.0]
    """

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], ...] = _SLICES_UP_ROWS_BACK_COLUMNS_LEFT

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InvalidValue(f"A grid has three positive numbers of voxels, got {self.shape}.", got=self.shape)
        if len(self.spacing_mm) != 3 or not all(0 < step < math.inf for step in self.spacing_mm):
            raise InvalidValue(
                f"Voxel spacings are three positive lengths, got {self.spacing_mm}.", got=self.spacing_mm
            )
        if len(self.origin_mm) != 3 or not all(map(math.isfinite, self.origin_mm)):
            raise InvalidValue(f"A grid's origin is three finite numbers, got {self.origin_mm}.", got=self.origin_mm)
        axes = np.asarray(self.axes, dtype=float)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-6):
            raise InvalidValue(f"A grid's axes are three orthonormal directions, got {self.axes}.", got=self.axes)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in ml."""
        return math.prod(self.spacing_mm) / 1000

    @property
    def step_mm(self) -> NDArray[np.float64]:
        """From a voxel to the next along slice, row and column: the columns of a (3, 3) ndarray."""
        step: NDArray[np.float64] = np.asarray(self.axes, dtype=float) * np.asarray(self.spacing_mm, dtype=float)
        return step

    def position_mm(self, index: tuple[float, float, float]) -> NDArray[np.float64]:
        """LPS coordinates of the voxel at ``(slice, row, column)``, whole numbers or between them, (3,) ndarray."""
        place: NDArray[np.float64] = np.asarray(self.origin_mm, dtype=float) + self.step_mm @ np.asarray(index, float)
        return place

    def positions_mm(self, flat_index: NDArray[np.integer]) -> NDArray[np.float64]:
        """LPS coordinates of voxels by their places in the flattened array, (voxel, 3) ndarray."""
        index = np.stack(np.unravel_index(flat_index, self.shape), axis=1)
        return np.asarray(index @ self.step_mm.T + np.asarray(self.origin_mm))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """A quantity on a grid, with its unit; the array is read-only.

    Parameters
    ----------
    values : (slice, row, column) ndarray
    grid : Grid
    unit : str
        UCUM unit, e.g. ``"kBq/mL"``, ``"/cm"``; ``"1"`` for labels.

    Raises
    ------
    GeometryMismatch
        If the array has another shape than the grid.

    Examples
    --------
    >>> grid = Grid(shape=(1, 1, 2), spacing_mm=(10, 10, 10), origin_mm=(0, 0, 0))
    >>> Field(values=np.array([[[1.0, 3.0]]]), grid=grid, unit="kBq/mL").total
    4.0
    """

    values: NDArray[Any]
    grid: Grid
    unit: str

    def __post_init__(self) -> None:
        if self.values.shape != self.grid.shape:
            raise GeometryMismatch(
                f"The array has the shape {self.values.shape}, its grid {self.grid.shape}.",
                expected=self.grid.shape,
                got=self.values.shape,
            )
        own = self.values.view()
        own.flags.writeable = False
        object.__setattr__(self, "values", own)

    @property
    def total(self) -> float:
        """Sum of the values times the voxel's volume in ml: kBq for an activity in kBq/mL."""
        return float(self.values.sum(dtype=np.float64)) * self.grid.voxel_ml
