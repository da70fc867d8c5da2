"""Gamma cameras as data: what a collimator lets through and how far it blurs, and what a crystal counts.

A parallel-hole collimator of hole width d, septum t and length L, its lead a little transparent at both ends ::

    L_eff   = L - 2 / mu_lead
    g       = [K d^2 / (L_eff (d + t))]^2                          K = 0.26 hexagonal, 0.28 square holes
    R_g(z)  = d (L_eff + z + b) / L_eff                            FWHM at distance z from its face
    R(z)    = sqrt(R_g(z)^2 + R_i^2)

with b from the collimator's back to the mean depth of interaction in the crystal, and R_i the crystal's own resolution.
The sensitivity does not depend on the distance. A crystal of thickness T absorbs a photon of energy E and keeps its
energy with the probability ::

    e(E) = (1 - exp(-(tau + sigma) T)) (1 - s sigma / (tau + sigma))

where tau and sigma are its photo-electric and incoherent coefficients, and s the share of incoherent events that lose
energy out of the crystal. The energy measured has a Gaussian error whose FWHM grows as the square root of E; of a
semiconductor's photons some have also lost an exponentially distributed part of their charge.

What is not modelled: photons that pass the septa (1.3 % at most for Symbia LEHR by the shortest path through one, 0.3 %
for the GE LEHR), the pattern of the holes, scatter in the collimator, covers, and what iodine's X-rays carry off.

References
----------
Sorenson JA, Phelps ME. Physics in Nuclear Medicine: collimator efficiency and resolution.
NEMA NU 1, Performance Measurements of Gamma Cameras: how sensitivity and resolution are measured.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtr

from bonescan.anatomy.tissues import attenuation_per_cm, mass_coefficients, tissue
from bonescan.errors import InvalidValue
from bonescan.tracer.radiopharmaceuticals import Constant, radiopharmaceutical

__all__ = ["CAMERAS", "FWHM_PER_SIGMA", "PHOTON_KEV", "Camera", "Collimator", "Crystal", "camera"]

Array = NDArray[np.float64]

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian by its standard deviation."""

PHOTON_KEV = 140.511
"""Energy of technetium-99m's photons."""

_HOLE_CONSTANTS = {"hexagonal": 0.26, "square": 0.28}  # [M] Sorenson and Phelps; sqrt(area / d^2 / (4 pi)) [C]
_ENERGIES_KEV = np.arange(20.0, 300.5, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collimator:
    """A sheet of lead with parallel holes.

    Parameters
    ----------
    name : str
        Its maker's, e.g. ``"LEHR"``.
    hole : str
        ``"hexagonal"`` or ``"square"``.
    hole_mm : float
        Width across the flats.
    septum_mm : float
        Thickness of the lead between holes.
    length_mm : float
        Of the holes.
    gap_mm : float
        From the back of the holes to the mean depth of interaction in the crystal.

    Raises
    ------
    InvalidValue
        For an unknown hole, a length that is not positive, or holes too short to stop photons of 140 keV.
    """

    name: str
    hole: str
    hole_mm: float
    septum_mm: float
    length_mm: float
    gap_mm: float

    def __post_init__(self) -> None:
        if self.hole not in _HOLE_CONSTANTS:
            raise InvalidValue(f"Holes are {' or '.join(_HOLE_CONSTANTS)}, got {self.hole!r}.", got=self.hole)
        sizes = (self.hole_mm, self.septum_mm, self.gap_mm)
        if not all(0 < size < math.inf for size in sizes) or not 0 < self.effective_length_mm < math.inf:
            raise InvalidValue(
                f"A collimator's lengths are positive and its holes longer than 1 mm, got {sizes}, {self.length_mm} mm."
            )

    @property
    def effective_length_mm(self) -> float:
        """Length of the holes less the penetration of their two ends, L - 2 / mu, at 140.5 keV."""
        return self.length_mm - 2.0 * _lead_path_mm()

    @property
    def efficiency(self) -> float:
        """Share of isotropic photons that pass the holes, g."""
        width = self.hole_mm
        area = _HOLE_CONSTANTS[self.hole] * width**2
        return (area / (self.effective_length_mm * (width + self.septum_mm))) ** 2

    def fwhm_mm(self, distance_mm: ArrayLike) -> Array:
        """Geometric resolution.

        Parameters
        ----------
        distance_mm : float or ndarray
            From the collimator's face; a negative one counts as none.

        Returns
        -------
        ndarray
            Full width at half maximum, of the distances' shape.
        """
        length = self.effective_length_mm
        return np.asarray(self.hole_mm / length * (length + self.gap_mm + np.maximum(distance_mm, 0.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Crystal:
    """What stops and counts the photons.

    Parameters
    ----------
    material : str
        One of `bonescan.anatomy.tissues.TISSUES`.
    thickness_mm : float
    intrinsic_fwhm_mm : float
        Error of the place.
    energy_resolution_percent : float
        FWHM at 140.5 keV, of the energy.
    escape_share : float
        Share of incoherent events that lose energy out of the crystal.
    tail_share : float
        Share of absorbed photons that lose part of their charge, 0 for a scintillator.
    tail_mean_percent : float
        Mean of the energy they lose, exponentially distributed.

    Raises
    ------
    InvalidValue
        For a length, resolution or share out of its range.
    """

    material: str
    thickness_mm: float
    intrinsic_fwhm_mm: float
    energy_resolution_percent: float
    escape_share: float
    tail_share: float
    tail_mean_percent: float

    def __post_init__(self) -> None:
        tissue(self.material)
        sizes = (self.thickness_mm, self.intrinsic_fwhm_mm, self.energy_resolution_percent)
        if not all(0 < size < math.inf for size in sizes):
            raise InvalidValue(f"A crystal's thickness and resolutions are positive, got {sizes}.")
        if not (0 <= self.escape_share <= 1 and 0 <= self.tail_share <= 1):
            raise InvalidValue(f"Shares run from 0 to 1, got {self.escape_share} and {self.tail_share}.")
        if not (0 < self.tail_mean_percent < 100 or self.tail_share == 0):
            raise InvalidValue(f"A tail has a mean of 0 to 100 %, got {self.tail_mean_percent}.")

    def peak_efficiency(self, energy_kev: ArrayLike) -> Array:
        """Share of photons that leave their whole energy in the crystal, e(E).

        Parameters
        ----------
        energy_kev : float or ndarray
            20 to 300.

        Returns
        -------
        ndarray
            Of the energies' shape; tabulated every 0.5 keV.

        Raises
        ------
        InvalidValue
            For an energy outside the table.
        """
        energy = np.asarray(energy_kev, dtype=float)
        if energy.size and not (energy.min() >= _ENERGIES_KEV[0] and energy.max() <= _ENERGIES_KEV[-1]):
            raise InvalidValue(
                f"A crystal's efficiency is tabulated from 20 to 300 keV, got {energy.min():g} to {energy.max():g}."
            )
        table = _peak_efficiencies(self.material, self.thickness_mm, self.escape_share)
        return np.asarray(np.interp(energy, _ENERGIES_KEV, table))

    def spread(self, energy_kev: ArrayLike, window_kev: tuple[float, float]) -> Array:
        """Share of photons of one energy, wholly absorbed, whose measured energy lies in a window.

        Parameters
        ----------
        energy_kev : float or ndarray
            Positive.
        window_kev : (float, float)
            Lower and upper limit.

        Returns
        -------
        ndarray
            Of the energies' shape.

        Notes
        -----
        With Phi the normal distribution, s the standard deviation and m the mean loss in the tail, the measured energy
        is below E + y with the probability ::

            without a loss      Phi(y / s)
            with it             Phi(y / s) + exp(y / m + s^2 / (2 m^2)) Phi(-y / s - s / m)
        """
        energy = np.asarray(energy_kev, dtype=float)
        sigma = self.energy_resolution_percent / 100 / FWHM_PER_SIGMA * np.sqrt(PHOTON_KEV * energy)

        def below(limit: float) -> Array:
            y = limit - energy
            share = ndtr(y / sigma)
            if self.tail_share:
                mean = self.tail_mean_percent / 100 * energy
                tail = np.exp(y / mean + (sigma / mean) ** 2 / 2 + log_ndtr(-y / sigma - sigma / mean))
                share = share + self.tail_share * tail
            return np.asarray(share)

        return below(window_kev[1]) - below(window_kev[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Camera:
    """A gamma camera's head, and what its maker calls it.

    Parameters
    ----------
    name : str
        One of `CAMERAS`.
    manufacturer, model, software : str
        As its images say.
    collimator : Collimator
    crystal : Crystal
    field_mm : (float, float)
        Axial and transverse.
    whole_body_pixel_mm, tomographic_pixel_mm : float
        Of a usual whole-body scan and a usual tomogram of 128 x 128.
    uniformity_percent : float
        Integral non-uniformity left after correction, (max - min) / (max + min) over the useful field.
    dead_time_us : float
        Paralysing.
    figures : mapping of str to Constant
        Every number above by its name in the table, with source and certainty.

    Raises
    ------
    InvalidValue
        For a size or time that is not positive.
    """

    name: str
    manufacturer: str
    model: str
    software: str
    collimator: Collimator
    crystal: Crystal
    field_mm: tuple[float, float]
    whole_body_pixel_mm: float
    tomographic_pixel_mm: float
    uniformity_percent: float
    dead_time_us: float
    figures: Mapping[str, Constant]

    def __post_init__(self) -> None:
        sizes = (*self.field_mm, self.whole_body_pixel_mm, self.tomographic_pixel_mm)
        if not all(0 < size < math.inf for size in (*sizes, self.uniformity_percent, self.dead_time_us)):
            raise InvalidValue(f"A camera's field, pixels, uniformity and dead time are positive, got {sizes}.")

    def fwhm_mm(self, distance_mm: ArrayLike) -> Array:
        """System resolution without scatter.

        Parameters
        ----------
        distance_mm : float or ndarray
            From the collimator's face; a negative one counts as none.

        Returns
        -------
        ndarray
            Full width at half maximum, of the distances' shape.

        Examples
        --------
        >>> round(float(camera("symbia_lehr").fwhm_mm(100.0)), 2)
        7.19
        """
        return np.hypot(self.collimator.fwhm_mm(distance_mm), self.crystal.intrinsic_fwhm_mm)

    def sigma_mm(self, distance_mm: ArrayLike) -> Array:
        """Standard deviation of the Gaussian with the system's resolution.

        Parameters
        ----------
        distance_mm : float or ndarray
            From the collimator's face; a negative one counts as none.

        Returns
        -------
        ndarray
            Of the distances' shape.
        """
        return self.fwhm_mm(distance_mm) / FWHM_PER_SIGMA

    @staticmethod
    def window_kev(percent: float = 15.0) -> tuple[float, float]:
        """An energy window around technetium's 140.5 keV.

        Parameters
        ----------
        percent : float
            Its whole width, of 140.5 keV; 15 or 20 are usual.

        Returns
        -------
        lower, upper : float

        Raises
        ------
        InvalidValue
            For a width that is not between 0 and 100 %.
        """
        if not 0 < percent < 100:
            raise InvalidValue(f"An energy window is 0 to 100 % wide, got {percent}.", got=percent)
        half = PHOTON_KEV * percent / 200
        return PHOTON_KEV - half, PHOTON_KEV + half

    def detected_fraction(self, energy_kev: ArrayLike, window_kev: tuple[float, float]) -> Array:
        """Share of photons of an energy, of those that reach the crystal, that are counted in a window.

        Parameters
        ----------
        energy_kev : float or ndarray
            20 to 300.
        window_kev : (float, float)
            Lower and upper limit.

        Returns
        -------
        ndarray
            Of the energies' shape.

        Raises
        ------
        InvalidValue
            For an energy outside the table.

        Examples
        --------
        >>> own = camera("symbia_lehr")
        >>> own.detected_fraction([90.0, 120.0, 140.511], own.window_kev(15)).round(3).tolist()
        [0.0, 0.026, 0.809]
        """
        return self.crystal.peak_efficiency(energy_kev) * self.crystal.spread(energy_kev, window_kev)

    def sensitivity_cps_per_mbq(self, window_kev: tuple[float, float], energy_kev: float = PHOTON_KEV) -> float:
        """Counts per second and MBq in air, at any distance.

        Parameters
        ----------
        window_kev : (float, float)
            Lower and upper limit.
        energy_kev : float
            Of the photons, of which there are as many per decay as of technetium-99m's.

        Returns
        -------
        float
            1e6 x yield x g x detected fraction.

        Raises
        ------
        InvalidValue
            For a window whose limits do not ascend.
        """
        if not 0 <= window_kev[0] < window_kev[1] < np.inf:
            raise InvalidValue(f"The limits of a window ascend, got {window_kev} keV.", got=window_kev)
        counted = float(self.detected_fraction(energy_kev, window_kev))
        return 1e6 * _technetium_yield() * self.collimator.efficiency * counted


def camera(name: str) -> Camera:
    """Look up a camera.

    Parameters
    ----------
    name : str
        One of `CAMERAS`.

    Returns
    -------
    Camera

    Raises
    ------
    InvalidValue
        For a name that is not listed.
    """
    if name not in CAMERAS:
        raise InvalidValue(f"There is no camera {name!r}; known are {', '.join(CAMERAS)}.", got=name)
    return _camera(name)


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("bonescan.camera").joinpath("data/cameras.toml").read_text(encoding="utf-8"))


CAMERAS: tuple[str, ...] = tuple(_table())
"""Names of all cameras."""


@cache
def _camera(name: str) -> Camera:
    table = _table()[name]
    figures: dict[str, Constant] = {}

    def plain(part: dict[str, Any], before: str = "") -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, item in part.items():
            if isinstance(item, dict) and "value" in item:
                unit = {"mm": "mm", "percent": "%", "us": "us"}.get(key.rpartition("_")[2], "1")
                figures[before + key] = Constant(unit=unit, **item)
                out[key] = item["value"]
            elif isinstance(item, dict):
                out[key] = plain(item, f"{key}.")
            else:
                out[key] = item
        return out

    own = plain(table)
    field = (own.pop("field_axial_mm"), own.pop("field_transverse_mm"))
    own |= {"collimator": Collimator(**own["collimator"]), "crystal": Crystal(**own["crystal"])}
    return Camera(name=name, field_mm=field, figures=MappingProxyType(figures), **own)


@cache
def _lead_path_mm() -> float:
    return 10.0 / attenuation_per_cm("lead", PHOTON_KEV)


@cache
def _technetium_yield() -> float:
    return radiopharmaceutical("Tc-99m MDP").nuclide.photons[0][1]


@cache
def _peak_efficiencies(material: str, thickness_mm: float, escape_share: float) -> Array:
    own = np.array([mass_coefficients(material, float(energy))[:2] for energy in _ENERGIES_KEV])
    together = own.sum(axis=1)
    absorbed = -np.expm1(-tissue(material).density_g_per_ml * together * thickness_mm / 10)
    out: Array = absorbed * (1 - escape_share * own[:, 1] / together)
    out.flags.writeable = False
    return out
