"""What photons pass through: a material at every voxel, and how each process weakens photons in it at any energy.

A material is a mixture of tissues, each with its own density in the mixture (g/ml)::

    mu_process(E) = sum over tissues of  rho_tissue * (mu / rho)_process,tissue(E)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.tissues import mass_coefficients, tissue
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

__all__ = ["Medium"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Medium:
    """A material at every voxel of a grid.

    Parameters
    ----------
    grid : Grid
    material : (slice, row, column) ndarray of uint8
        Index into ``materials``; read-only.
    materials : tuple of mapping of str to float
        By material, g/ml of each tissue (`bonescan.anatomy.tissues.TISSUES`) in it; an empty one is a vacuum.

    Raises
    ------
    GeometryMismatch
        If the array has another shape than the grid.
    InvalidValue
        For a number without a material, an unknown tissue, or a density that is negative or not finite.

    Examples
    --------
    >>> grid = Grid(shape=(1, 1, 2), spacing_mm=(4, 4, 4), origin_mm=(0, 0, 0))
    >>> water = Medium(grid=grid, material=np.array([[[0, 1]]], dtype=np.uint8), materials=({}, {"water": 1.0}))
    >>> water.attenuation(140.5).values.astype(float).round(3).tolist()
    [[[0.0, 0.154]]]
    """

    grid: Grid
    material: NDArray[np.uint8]
    materials: tuple[Mapping[str, float], ...]

    def __post_init__(self) -> None:
        if self.material.shape != self.grid.shape:
            raise GeometryMismatch(
                f"The materials have the shape {self.material.shape}, their grid {self.grid.shape}.",
                expected=self.grid.shape,
                got=self.material.shape,
            )
        if self.material.dtype != np.uint8 or int(self.material.max()) >= len(self.materials):
            raise InvalidValue(
                f"Materials are numbered in uint8 from 0 to {len(self.materials) - 1}, got {self.material.dtype} up to "
                f"{self.material.max()}."
            )
        for mixture in self.materials:
            for name, density in mixture.items():
                tissue(name)
                if not 0 <= density < math.inf:
                    raise InvalidValue(f"A density is finite and not negative, got {density} g/ml of {name}.")
        own = self.material.view()
        own.flags.writeable = False
        object.__setattr__(self, "material", own)

    def coefficients_per_cm(self, energies_kev: Sequence[float]) -> NDArray[np.float64]:
        """Attenuation by process.

        Parameters
        ----------
        energies_kev : sequence of float
            20 to 600.

        Returns
        -------
        (process, material, energy) ndarray
            1/cm of photo-electric absorption, incoherent (bound electrons) and coherent scattering.
        """
        out = np.zeros((3, len(self.materials), len(energies_kev)))
        names = {name for mixture in self.materials for name in mixture}
        mass = {name: np.array([mass_coefficients(name, energy) for energy in energies_kev]).T for name in names}
        for k, mixture in enumerate(self.materials):
            for name, density in mixture.items():
                out[:, k] += density * mass[name]
        return out

    def attenuation(self, energy_kev: float) -> Field:
        """Narrow-beam attenuation of every voxel.

        Parameters
        ----------
        energy_kev : float
            20 to 600.

        Returns
        -------
        Field
            1/cm, float32.
        """
        per_cm = self.coefficients_per_cm([energy_kev]).sum(axis=0)[:, 0].astype(np.float32)
        out = np.empty(self.grid.shape, dtype=np.float32)
        _look_up(per_cm, self.material, out)
        return Field(values=out, grid=self.grid, unit="/cm")


@numba.njit(cache=True, nogil=True)
def _look_up(table, material, out):  # type: ignore[no-untyped-def]
    slices, rows, columns = material.shape
    for s in range(slices):
        for r in range(rows):
            for c in range(columns):
                out[s, r, c] = table[material[s, r, c]]
