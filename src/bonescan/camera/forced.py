"""What a camera counts of scattered photons, by Monte Carlo with convolution-based forced detection.

At every collision the photon is made to scatter towards every head at once, with the weight of that chance: per
steradian that the collision is one, times the way out, times the share of such photons a window counts ::

    w = p(E, theta) exp(-integral mu(E') dl) f(E')

It is laid down where the collision is, in the head's frame, in a stack of pictures by distance from the collimator; when
all histories are told, each picture is blurred as the camera blurs at that distance. A photon's own way goes on by
chance, below the energy that any window counts it ends. The way out needs no tracing: mu of any material at any energy
is near a sum of two basis functions ::

    mu_m(E) = A_m g_1(E) + B_m g_2(E)

and the path integrals of A and B towards each head are made once, on a lattice of the size of the pictures' pixels.

Assumed: the collimator takes photons of all energies as it takes those of the emission line, along its axis only;
coherent scattering by more than 90 degrees (below 1e-5 of collisions in tissue) is not forced.

References
----------
de Jong HWAM, Slijpen ETP, Beekman FJ. IEEE Trans Nucl Sci 2001;48:58-64: convolution-based forced detection.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, Protocol

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bonescan.anatomy.medium import Medium
from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.scattering import ELECTRON_REST_KEV, Electrons, scatter_tables
from bonescan.camera.transport import (
    Body,
    Source,
    compton,
    emit,
    fly,
    photon_body,
    photon_source,
    rayleigh,
    start,
    turn,
    uniform,
)
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field

__all__ = ["Detector", "Orders", "analog_scatter", "basis_misfit", "scatter"]

Array = NDArray[np.float64]
Windows = tuple[tuple[float, float], ...]
Orders = Literal["scattered", "unscattered"]
"""Photons to count: those with collisions behind them, or those without."""

_PIXEL_MM = 7.0  # of the pictures of scatter [D]; they vary over centimetres
_BIN_CM = 2.0  # of distance from the collimator [D]: the width of a low-energy camera's blur grows by 1 mm in it
_FEWEST = 1e-4  # share of the photons of the line's energy that a window counts, below which photons end [D]
_FINE_KEV = 0.1  # steps of the tables of detection
_VIEWS_PER_COLLISION = 4  # of a tomography's [D]
_STACK_BYTES = 400e6  # of all lanes together
_MARGIN_SIGMAS = 4.0
_PER_KEV_ANGSTROM = 1 / 12.398420
_ROOT_STEPS = 64.0
_LAST_ROOT = 255
_U20 = np.uint64(20)
_MASK = np.uint64((1 << 20) - 1)


class Detector(Protocol):
    """What is asked of a camera (`bonescan.camera.cameras.Camera`)."""

    def sigma_mm(self, distance_mm: Array) -> Array:
        """Width of the blur at distances from the collimator."""

    def detected_fraction(self, energy_kev: Array, window_kev: tuple[float, float]) -> Array:
        """Share of photons reaching the crystal that are counted in a window."""

    def sensitivity_cps_per_mbq(self, window_kev: tuple[float, float]) -> float:
        """Counts per second of 1 MBq in air."""

    def window_kev(self) -> tuple[float, float]:
        """The photopeak's window."""


def scatter(
    activity: Field,
    medium: Medium,
    camera: Detector,
    angles_deg: tuple[float, ...],
    face_mm: Array,
    axis_mm: tuple[float, float],
    windows_kev: Windows,
    histories: int,
    seed: int,
    *,
    orders: Orders = "scattered",
    energy_kev: float = 140.511,
    electrons: Electrons = "bound",
    pixel_mm: float = _PIXEL_MM,
) -> Projections:
    """Expected count rates of scattered photons.

    Parameters
    ----------
    activity : Field
        kBq/mL, on the medium's grid.
    medium : Medium
    camera : Detector
    angles_deg : tuple of float
        Of the views.
    face_mm : (view, slice) ndarray
        From the axis to the collimator's face, along the view's direction, at each slice of the medium.
    axis_mm : (x, y)
        Of rotation.
    windows_kev : tuple of (lower, upper)
        Each has pictures of its own.
    histories : int
        More make less noise and take longer.
    seed : int
        The same gives the same bits, whatever the number of threads.
    orders : "scattered" or "unscattered"
        Unscattered photons are better had from the analytic model; here they check it.
    energy_kev : float
        Of emission.
    electrons : "bound" or "free"
    pixel_mm : float
        Wished width of the pictures' pixels; rows are a whole number of slices high.

    Returns
    -------
    Projections
        (window, view, row, column), cps per pixel.

    Raises
    ------
    GeometryMismatch
        If activity or faces do not fit the medium's grid and the views.
    InvalidValue
        For fewer than one history, no view, or no window.
    """
    setting = _Setting.of(
        activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, energy_kev, electrons, pixel_mm, histories
    )
    stack = setting.stack()
    few = min(_VIEWS_PER_COLLISION, len(angles_deg))
    _forced(setting.body, setting.source, setting.heads, histories, np.uint64(seed), orders == "scattered", few, stack)
    return setting.projections(stack, 1 / few * len(angles_deg))
