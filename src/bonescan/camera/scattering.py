"""How photons scatter in the materials of a medium: cross-sections, and the angles that belong to them.

Per electron and steradian a photon of energy E is scattered by the angle theta to the energy E', with c = cos(theta)
and k = E' / E = 1 / (1 + (E / 511 keV) (1 - c)), in proportion to ::

    incoherent:  K(E, c) s(x)      K = k^2 (k + 1/k - 1 + c^2)       (Klein and Nishina)
    coherent:    (1 + c^2) F^2(x)

where x = sin(theta / 2) E / hc is the momentum transfer, s(x) = sum n_e S_e(x) / sum n_e Z_e over the elements e, and
F^2 the sum of n_e F_e^2, with n_e atoms of each: atoms scatter independently of their neighbours.

Electrons are either ``"bound"``, with the bound cross-section and s(x), or ``"free"``, with the Klein-Nishina
cross-section and s = 1. The two are never mixed: bound totals with free angles misjudge absorption by 1 %. That
electrons move within the atom (Doppler broadening) is left out: at 140 keV it is below 2 keV in tissue [M], and a
camera's energy resolution 9 to 13 keV.

References
----------
Klein O, Nishina Y. Z Phys 1929;52:853-868.
Hubbell JH et al. J Phys Chem Ref Data 1975;4:471-538: scattering functions and form factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.medium import Medium
from bonescan.anatomy.tables import rows
from bonescan.anatomy.tissues import ENERGY_RANGE_KEV, free_incoherent_cm2_per_g, tissue
from bonescan.errors import InvalidValue

__all__ = [
    "ELECTRON_REST_KEV",
    "LAST_ROOT",
    "PER_KEV_ANGSTROM",
    "ROOT_STEPS",
    "Electrons",
    "ScatterTables",
    "scatter_tables",
]

Array = NDArray[np.float64]
Electrons = Literal["bound", "free"]
"""What scatters: electrons bound in atoms, or free ones at rest."""

ELECTRON_REST_KEV = 510.99895
"""Rest energy of an electron."""

_KEV_ANGSTROM = 12.398420  # h c

PER_KEV_ANGSTROM = 1 / _KEV_ANGSTROM
"""Momentum transfer in 1/Angstrom of a photon of 1 keV that is thrown straight back."""

_TRANSFERS = 257  # sqrt(x) from 0 to 4
_LARGEST_ROOT = 4.0

LAST_ROOT = _TRANSFERS - 2
"""Last step of the tables by the square root of the momentum transfer."""

ROOT_STEPS = (_TRANSFERS - 1) / _LARGEST_ROOT
"""Their steps per unit of that root."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatterTables:
    """What a photon may do in each material of a medium; made by `scatter_tables`.

    Parameters
    ----------
    energies_kev : (energy,) ndarray
        Descending in even steps from the highest.
    per_cm : (energy, material, 5) ndarray of float32
        Total attenuation in 1/cm; the share of collisions that absorb, and that absorb or scatter coherently; what
        K s(x), and (1 + c^2) F^2(x), are to be multiplied with to be the chance of scattering per steradian in a
        collision.
    angular : (material, transfer, 2) ndarray of float32
        s and F^2 (the latter over its value at x = 0) by the square root of x, evenly from 0 to 4.
    coherent : (material, transfer) ndarray of float32
        Integral of F^2 over x^2 up to each transfer; 1 at the end.
    """

    energies_kev: Array
    per_cm: NDArray[np.float32]
    angular: NDArray[np.float32]
    coherent: NDArray[np.float32]


def scatter_tables(
    medium: Medium,
    highest_kev: float,
    lowest_kev: float,
    *,
    electrons: Electrons = "bound",
    rayleigh: bool = True,
    step_kev: float = 0.5,
) -> ScatterTables:
    """Tabulate scattering in each material of a medium.

    Parameters
    ----------
    medium : Medium
    highest_kev, lowest_kev : float
        Range of energies; the first is met exactly.
    electrons : "bound" or "free"
        Whether angles and cross-sections of incoherent scattering are those of electrons in atoms.
    rayleigh : bool
        Whether there is coherent scattering.
    step_kev : float
        Between energies.

    Returns
    -------
    ScatterTables

    Raises
    ------
    InvalidValue
        For energies outside 20 to 190 keV or in the wrong order, or a choice of electrons that is none.
    """
    if not ENERGY_RANGE_KEV[0] <= lowest_kev < highest_kev <= _LARGEST_ROOT**2 * _KEV_ANGSTROM:
        raise InvalidValue(
            f"Scattering is tabulated between {ENERGY_RANGE_KEV[0]:g} and {_LARGEST_ROOT**2 * _KEV_ANGSTROM:.0f} keV, "
            f"got {lowest_kev} to {highest_kev}."
        )
    if electrons not in ("bound", "free"):
        raise InvalidValue(f"Electrons are 'bound' or 'free', got {electrons!r}.", got=electrons)
    steps = np.arange(math.floor((highest_kev - lowest_kev) / step_kev) + 1, dtype=float)
    energies = highest_kev - step_kev * steps
    absorbed, incoherent, coherent = medium.coefficients_per_cm(energies.tolist())
    angular = np.array([_angular(dict(mixture)) for mixture in medium.materials])
    if electrons == "free":
        angular[:, :, 0] = 1
        incoherent = np.array(
            [
                [
                    sum(density * free_incoherent_cm2_per_g(name, energy) for name, density in mixture.items())
                    for energy in energies
                ]
                for mixture in medium.materials
            ]
        )
    if not rayleigh:
        coherent = np.zeros_like(coherent)
    total = absorbed + incoherent + coherent
    per = 1 / np.where(total > 0, total, np.inf)
    over_sphere = np.array([_sphere_integrals(angular, energy) for energy in energies]).transpose(1, 2, 0)
    per_cm = np.stack(
        [
            total,
            absorbed * per,
            (absorbed + coherent) * per,
            incoherent * per / over_sphere[0],
            coherent * per / over_sphere[1],
        ],
        axis=-1,
    )
    area = np.diff(_roots() ** 4) * (angular[:, 1:, 1] + angular[:, :-1, 1]) / 2
    integral = np.concatenate([np.zeros((len(angular), 1)), np.cumsum(area, axis=1)], axis=1)
    return ScatterTables(
        energies_kev=energies,
        per_cm=np.ascontiguousarray(per_cm.transpose(1, 0, 2), dtype=np.float32),
        angular=np.ascontiguousarray(angular, dtype=np.float32),
        coherent=np.ascontiguousarray(integral / integral[:, -1:], dtype=np.float32),
    )


def _roots() -> Array:
    return np.linspace(0, _LARGEST_ROOT, _TRANSFERS)


@cache
def _element(name: str) -> tuple[float, Array, Array]:
    """Electrons per atom, scattering function and square of the form factor by the square root of x."""
    table = [row for row in rows("scattering", "camera") if row["element"] == name]
    x, incoherent, form = np.array([[float(value) for value in list(row.values())[1:]] for row in table]).T
    own = np.sqrt(x)
    squared = np.exp(2 * np.interp(_roots(), own, np.log(np.maximum(form, 1e-6))))
    return float(form[0]), np.interp(_roots(), own, incoherent), squared


def _angular(mixture: dict[str, float]) -> Array:
    """Scattering function per electron, and squared form factor over that at x = 0, (transfer, 2)."""
    bound, squared, electrons = np.zeros(_TRANSFERS), np.zeros(_TRANSFERS), 0.0
    for name, density in mixture.items():
        for element, share in tissue(name).composition.items():
            number, scattering, form = _element(element)
            # electrons per gram of the element, over its number, are atoms
            atoms = density * share * _electrons_per_g(element) / number
            bound += atoms * scattering
            squared += atoms * form
            electrons += atoms * number
    if electrons == 0:  # a vacuum scatters nothing
        return np.ones((_TRANSFERS, 2))
    return np.stack([bound / electrons, squared / squared[0]], axis=1)


@cache
def _electrons_per_g(element: str) -> float:
    return next(float(row["electrons_per_g_e23"]) for row in rows("cross_sections") if row["element"] == element)


def _sphere_integrals(angular: Array, energy_kev: float) -> tuple[Array, Array]:
    """Integrals of K s, and of (1 + c^2) F^2, over all directions, by material.

    With x^2 = (E / hc)^2 (1 - c) / 2 both are integrals over x^2, where the tables lie densest.
    """
    largest = (energy_kev / _KEV_ANGSTROM) ** 2
    squares = np.minimum(_roots() ** 4, largest)  # whatever lies beyond has no width
    c = 1 - 2 * squares / largest
    k = 1 / (1 + energy_kev / ELECTRON_REST_KEV * (1 - c))
    shapes = np.stack([k**2 * (k + 1 / k - 1 + c**2), 1 + c**2])
    width = 4 * math.pi / largest * np.diff(squares)
    values = angular.transpose(2, 0, 1) * shapes[:, None]
    both = (values[:, :, 1:] + values[:, :, :-1]) / 2 @ width
    return both[0], both[1]
