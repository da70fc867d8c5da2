"""The fast mode for cohorts: scatter by a kernel fitted to the Monte Carlo, for bodies in coarse voxels.

Everything else is the full model's: `scatter_by_kernel` takes the place of `bonescan.camera.forced.scatter` in
`bonescan.camera.acquisition.whole_body_model`. On blocks of 12 mm, with the optical depth t from a place to the head
(the path integral of the narrow-beam attenuation), a view straight from the front or the back shows ::

    M_n(u, z) = g sum over blocks of  a V exp(-t) t^n        moments of what comes unscattered; M_0 is all of it
    S(u, z) = A sum over k of  F_k(u, z) sum over n, j of  c_knj (G_j * M_n)(u, z)

    g       counts per second and kBq of photons of the line's energy, in the window
    G_j     Gaussians of several widths
    F_k     1 - exp(-L) and L exp(-L), L the optical thickness of the body there: where nothing is, nothing scatters
    A       integral over energies below the line of D(E) / D(E_0), in keV; D is the share that the window counts

Photons that scatter once by little lie evenly over the energies below the line, and the more the deeper they come
from: that is A, and the powers of t. The weights c_knj are not negative; ``data/scatter_kernel.csv`` says on which
bodies they were fitted (``training/fit_scatter_kernel.py``) and how far they miss others.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bonescan.anatomy.medium import Medium
from bonescan.anatomy.tables import rows
from bonescan.camera.cameras import PHOTON_KEV, Camera
from bonescan.camera.projections import Lattice, Projections
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field

__all__ = [
    "FAST_SPACING_MM",
    "POWERS",
    "SHAPES",
    "WIDTHS_MM",
    "accepted_kev",
    "kernel_terms",
    "kernel_weights",
    "scatter_by_kernel",
]

Array = NDArray[np.float64]
Image = NDArray[np.float32]

FAST_SPACING_MM = 6.0
"""Voxels of the fast mode."""

POWERS = (1, 2, 3)
"""n, of the optical depth."""

SHAPES = ("exponential", "hump")
"""F_k: 1 - exp(-L) and L exp(-L)."""

WIDTHS_MM = (12.0, 24.0, 48.0, 96.0)
"""Standard deviations of the Gaussians G_j."""

_BLOCK_MM = 12.0
_STEP_KEV = 0.1


def scatter_by_kernel(
    activity: Field,
    medium: Medium,
    camera: Camera,
    angles_deg: tuple[float, ...],
    face_mm: Array,
    axis_mm: tuple[float, float],
    windows_kev: tuple[tuple[float, float], ...],
    histories: int = 0,
    seed: int = 0,
) -> Projections:
    """Expected count rates of scattered photons, by the kernel.

    Parameters
    ----------
    activity : Field
        kBq/mL, on the medium's grid.
    medium : Medium
    camera : Camera
    angles_deg : tuple of float
        0 and 180 alone.
    face_mm, histories, seed
        As the Monte Carlo takes them; nothing depends on them here.
    axis_mm : (x, y)
        Of rotation.
    windows_kev : tuple of (lower, upper)
        About the line.

    Returns
    -------
    Projections
        (window, view, row, column), cps per pixel of 12 mm.

    Raises
    ------
    GeometryMismatch
        If the activity lies on another grid.
    InvalidValue
        For a view from another side.
    """
    weights = kernel_weights()
    moments, thickness, lattices = _moments(activity, medium, angles_deg, axis_mm)
    rates = np.zeros_like(thickness)
    for shape, weight in zip(_shapes(thickness), weights, strict=True):
        for j, width in enumerate(WIDTHS_MM):
            if weight[:, j].any():
                rates += shape * _blurred(np.tensordot(weight[:, j].astype(np.float32), moments, 1), width, lattices[0])
    common = _common(lattices)
    seen = [
        Projections(values=rates[v : v + 1], lattice=own, angles_deg=angles_deg[v : v + 1]).onto(common).values[0]
        for v, own in enumerate(lattices)
    ]
    gains = [camera.sensitivity_cps_per_mbq(window) / 1000 * accepted_kev(camera, window) for window in windows_kev]
    values = np.array(gains, dtype=np.float32)[:, None, None, None] * np.array(seen)
    return Projections(values=values, lattice=common, angles_deg=angles_deg)


def kernel_terms(
    activity: Field, medium: Medium, angles_deg: tuple[float, ...], axis_mm: tuple[float, float]
) -> tuple[Image, tuple[Lattice, ...]]:
    """What the kernel's weights are of, for a fit.

    Parameters
    ----------
    activity : Field
    medium : Medium
    angles_deg : tuple of float
    axis_mm : (x, y)

    Returns
    -------
    terms : (shape, power, width, view, row, column) ndarray of float32
        F_k G_j * M_n with g = 1, in kBq.
    lattices : tuple of Lattice
        By view.
    """
    moments, thickness, lattices = _moments(activity, medium, angles_deg, axis_mm)
    blurred = np.stack([_blurred(moments, width, lattices[0]) for width in WIDTHS_MM], axis=1)
    return np.array([shape * blurred for shape in _shapes(thickness)]), lattices


@cache
def kernel_weights() -> Array:
    """Weights of the kernel.

    Returns
    -------
    (shape, power, width) ndarray
        1/keV, at least 0.
    """
    out = np.zeros((len(SHAPES), len(POWERS), len(WIDTHS_MM)))
    for row in rows("scatter_kernel", "camera"):
        place = SHAPES.index(row["shape"]), POWERS.index(int(row["power"])), WIDTHS_MM.index(float(row["width_mm"]))
        out[place] = float(row["weight_per_kev"])
    out.flags.writeable = False
    return out


@cache
def accepted_kev(camera: Camera, window_kev: tuple[float, float]) -> float:
    """Width of the energies below the line that a window takes in, against its share of the line: A.

    Parameters
    ----------
    camera : Camera
    window_kev : (lower, upper)

    Returns
    -------
    float
        keV.
    """
    energies = PHOTON_KEV - _STEP_KEV * (np.arange(600) + 0.5)
    line = float(camera.detected_fraction(PHOTON_KEV, window_kev))
    return float(camera.detected_fraction(energies, window_kev).sum() * _STEP_KEV / line)


def _shapes(thickness: Image) -> tuple[Image, ...]:
    left = np.exp(-thickness)
    return 1 - left, thickness * left


def _common(lattices: tuple[Lattice, ...]) -> Lattice:
    """Pixels that hold those of every view."""
    first = lattices[0]
    left = min(own.left_mm for own in lattices)
    more = math.ceil((max(own.left_mm for own in lattices) - left) / first.spacing_mm[1] - 1e-6)
    return Lattice(
        shape=(first.shape[0], first.shape[1] + more),
        spacing_mm=first.spacing_mm,
        top_mm=first.top_mm,
        left_mm=left,
    )


def _moments(
    activity: Field, medium: Medium, angles_deg: tuple[float, ...], axis_mm: tuple[float, float]
) -> tuple[Image, Image, tuple[Lattice, ...]]:
    """M_n with g = 1, (power, view, row, column) in kBq; L, (view, row, column); the pixels of each view."""
    grid = medium.grid
    if activity.grid != grid:
        raise GeometryMismatch("Activity and medium lie on different grids.", expected=grid, got=activity.grid)
    if not all(math.isclose(angle % 180, 0, abs_tol=1e-9) for angle in angles_deg):
        raise InvalidValue(f"The kernel was fitted to views at 0 and 180 degrees, got {angles_deg}.", got=angles_deg)
    many = tuple(max(1, round(_BLOCK_MM / step)) for step in grid.spacing_mm)
    per_cm = medium.coefficients_per_cm([PHOTON_KEV]).sum(axis=0)[:, 0].astype(np.float32)
    blocks = tuple(-(-n // k) for n, k in zip(grid.shape, many, strict=True))
    held, weakening = np.zeros(blocks, dtype=np.float32), np.zeros(blocks, dtype=np.float32)
    _gather(activity.values, medium.material, per_cm, np.array(many), held, weakening)
    held *= np.float32(grid.voxel_ml)
    weakening *= np.float32(many[1] * grid.spacing_mm[1] / 10 / math.prod(many))
    step_z, step_x = many[0] * grid.spacing_mm[0], many[2] * grid.spacing_mm[2]
    first_x = grid.origin_mm[0] + (step_x - grid.spacing_mm[2]) / 2 - axis_mm[0]
    first_z = grid.origin_mm[2] + (step_z - grid.spacing_mm[0]) / 2
    front = tuple(math.cos(math.radians(angle)) < 0 for angle in angles_deg)
    moments = np.zeros((len(POWERS), len(front), blocks[0], blocks[2]), dtype=np.float32)
    thickness = np.zeros(moments.shape[1:], dtype=np.float32)
    for v, ahead in enumerate(front):
        _look(held, weakening, ahead, np.array(POWERS), moments[:, v], thickness[v])
    lattices = tuple(
        Lattice(
            shape=(blocks[0], blocks[2]),
            spacing_mm=(step_z, step_x),
            top_mm=first_z + (blocks[0] - 1) * step_z,
            left_mm=first_x if ahead else -(first_x + (blocks[2] - 1) * step_x),
        )
        for ahead in front
    )
    return moments, thickness, lattices


def _blurred(pictures: Image, width_mm: float, lattice: Lattice) -> Image:
    down, across = (
        _gaussian(count, width_mm / step) for count, step in zip(lattice.shape, lattice.spacing_mm, strict=True)
    )
    return np.asarray(down @ pictures @ across)


@lru_cache(maxsize=128)  # by size of the picture, which differs from patient to patient
def _gaussian(count: int, width: float) -> Image:
    """Matrix that blurs so many pixels; what leaves them is lost."""
    edges = np.arange(count + 1) - 0.5
    out: Image = np.diff(ndtr((edges[:, None] - np.arange(count)) / width), axis=0).astype(np.float32)
    out.flags.writeable = False
    return out


@numba.njit(cache=True, nogil=True)
def _gather(  # type: ignore[no-untyped-def]
    activity, material, per_cm, many, held, weakening
):
    """Sums of activity and attenuation over blocks of voxels."""
    slices, rows, columns = material.shape
    for s in range(slices):
        for r in range(rows):
            own, weak = held[s // many[0], r // many[1]], weakening[s // many[0], r // many[1]]
            for k in range(own.shape[0]):
                for c in range(k * many[2], min((k + 1) * many[2], columns)):
                    own[k] += activity[s, r, c]
                    weak[k] += per_cm[material[s, r, c]]


@numba.njit(cache=True, nogil=True)
def _look(held, weakening, front, powers, moments, thickness):  # type: ignore[no-untyped-def]
    """Moments and thickness of one view; rows from the top, columns as the head sees them."""
    slices, rows, columns = held.shape
    for s in range(slices):
        for c in range(columns):
            depth = 0.0
            row, column = slices - 1 - s, c if front else columns - 1 - c
            for k in range(rows):
                r = k if front else rows - 1 - k
                own = weakening[s, r, c]
                t = depth + 0.5 * own
                depth += own
                if held[s, r, c] > 0:
                    left = held[s, r, c] * math.exp(-t)
                    for n in range(powers.shape[0]):
                        moments[n, row, column] += left * t ** powers[n]
            thickness[row, column] = depth
