"""Expected count rates of views, on a lattice in the camera's frame, and onto any other lattice without losing a count.

A view has an angle as in DICOM: 0 is at the patient's back, and it grows from the back towards the left side, so that
180 is in front. A head at angle a stands in the direction n, and its columns ascend along u::

    n = (sin a, cos a, 0)      u = (-cos a, sin a, 0)      (x, y, z), LPS

so that an anterior view has the patient's right on its left, and a posterior view the patient's left. Rows descend from
the head to the feet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.errors import InvalidValue

__all__ = ["Lattice", "Projections", "column_direction", "head_direction"]

Array = NDArray[np.float64]


def head_direction(angle_deg: float) -> Array:
    """Direction from the axis of rotation to a head.

    Parameters
    ----------
    angle_deg : float

    Returns
    -------
    (x, y, z) ndarray
    """
    a = np.deg2rad(angle_deg)
    return np.array([np.sin(a), np.cos(a), 0.0])


def column_direction(angle_deg: float) -> Array:
    """Direction in which the columns of a head's pictures ascend.

    Parameters
    ----------
    angle_deg : float

    Returns
    -------
    (x, y, z) ndarray

    Examples
    --------
    >>> column_direction(180).round(9).tolist()  # in front: towards the patient's left
    [1.0, 0.0, 0.0]
    """
    a = np.deg2rad(angle_deg)
    return np.array([-np.cos(a), np.sin(a), 0.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Where the pixels of a head's pictures lie.

    Parameters
    ----------
    shape : (row, column)
    spacing_mm : (row, column)
    top_mm : float
        z of the centre of row 0; further rows lie lower.
    left_mm : float
        Centre of column 0 along u, from the axis of rotation.

    Raises
    ------
    InvalidValue
        For a shape or spacing that is not positive, or a place that is not finite.
    """

    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    top_mm: float
    left_mm: float

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or not all(0 < step < np.inf for step in self.spacing_mm):
            raise InvalidValue(f"A lattice has positive shape and spacing, got {self.shape} and {self.spacing_mm}.")
        if not np.isfinite([self.top_mm, self.left_mm]).all():
            raise InvalidValue(f"A lattice's place is finite, got {self.top_mm} and {self.left_mm}.")

    @property
    def z_mm(self) -> Array:
        """Heights of the rows' centres, descending."""
        return self.top_mm - self.spacing_mm[0] * np.arange(self.shape[0], dtype=float)

    @property
    def u_mm(self) -> Array:
        """Places of the columns' centres along u, ascending."""
        return self.left_mm + self.spacing_mm[1] * np.arange(self.shape[1], dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projections:
    """Expected counts per second and pixel, by view; the array is read-only.

    Parameters
    ----------
    values : (view, row, column) ndarray
        Or (window, view, row, column).
    lattice : Lattice
        Of every view.
    angles_deg : tuple of float
        Of the views.

    Raises
    ------
    InvalidValue
        For an array that does not fit the lattice and the angles.
    """

    values: NDArray[np.floating]
    lattice: Lattice
    angles_deg: tuple[float, ...]

    def __post_init__(self) -> None:
        expected = (len(self.angles_deg), *self.lattice.shape)
        if self.values.shape[-3:] != expected or self.values.ndim not in (3, 4):
            raise InvalidValue(f"Projections have the shape {expected} by view, got {self.values.shape}.")
        own = self.values.view()
        own.flags.writeable = False
        object.__setattr__(self, "values", own)

    def onto(self, lattice: Lattice) -> Projections:
        """The same rates on other pixels.

        Between the centres of pixels the rate per area is taken as linear, and integrated over each new pixel; what
        lies within the new lattice keeps its sum.

        Parameters
        ----------
        lattice : Lattice

        Returns
        -------
        Projections
        """
        own = self.lattice
        if lattice == own:
            return self
        pictures = np.ascontiguousarray(self.values, dtype=np.float32).reshape(-1, *own.shape)
        values = np.zeros((len(pictures), *lattice.shape), dtype=np.float32)
        first_row = (own.top_mm - lattice.top_mm) / -lattice.spacing_mm[0]
        first_column = (own.left_mm - lattice.left_mm) / lattice.spacing_mm[1]
        row, column = (step / new for step, new in zip(own.spacing_mm, lattice.spacing_mm, strict=True))
        _spread(pictures, first_row, row, first_column, column, values)
        values = values.reshape(*self.values.shape[:-2], *lattice.shape).astype(self.values.dtype, copy=False)
        return Projections(values=values, lattice=lattice, angles_deg=self.angles_deg)


@numba.njit(cache=True, nogil=True)
def _share(t: float) -> float:
    """Integral of a triangle from one neighbour's centre to the other's up to t neighbours' distances from its middle.

    (1 + t)^2 / 2 for t from -1 to 0, 1 - (1 - t)^2 / 2 for t from 0 to 1.
    """
    t = min(max(t, -1.0), 1.0)
    return (1 + t) ** 2 / 2 if t <= 0 else 1 - (1 - t) ** 2 / 2


@numba.njit(cache=True, nogil=True)
def _spread(  # type: ignore[no-untyped-def]
    pictures, first_row, row_step, first_column, column_step, out
):
    """Add pixels to new ones, of which they lie at ``first + step * own``, each spread as the triangle of `_share`."""
    views, rows, columns = pictures.shape
    _, new_rows, new_columns = out.shape
    many = int(2 * column_step) + 2
    begin, share = np.zeros(columns, dtype=np.int64), np.zeros((columns, many), dtype=np.float32)
    for c in range(columns):
        at = first_column + column_step * c
        begin[c] = math.floor(at - column_step + 0.5)
        for k in range(many):
            edge = begin[c] + k - 0.5
            share[c, k] = _share((edge + 1 - at) / column_step) - _share((edge - at) / column_step)
    for v in range(views):
        line = np.zeros(new_columns, dtype=np.float32)
        for r in range(rows):
            line[:] = 0.0
            some = False
            for c in range(columns):
                value = pictures[v, r, c]
                if value != 0:
                    some = True
                    for k in range(max(0, -begin[c]), min(many, new_columns - begin[c])):
                        line[begin[c] + k] += value * share[c, k]
            if not some:
                continue
            at = first_row + row_step * r
            top = math.floor(at - row_step + 0.5)
            for k in range(max(0, top), min(new_rows, top + int(2 * row_step) + 2)):
                weight = np.float32(_share((k + 0.5 - at) / row_step) - _share((k - 0.5 - at) / row_step))
                if weight > 0:
                    for c in range(new_columns):
                        out[v, k, c] += weight * line[c]
