"""Photons on their way through a medium, one at a time: flight, absorption, Compton and Rayleigh scattering.

Flight is by delta tracking (Woodcock): within a block of voxels photons fly as in its most attenuating material M, and
a collision is real with the chance mu / mu_M. Blocks keep a piece of metal from slowing the whole body down. Beyond the
grid is nothing.

Emission follows the activity: history i of N starts in the voxel in which the cumulative activity passes (i + r) / N of
the whole, r uniform, anywhere in that voxel and in any direction. So every region gets its share of histories without
chance, and neighbours in number are neighbours in space.

Random numbers are a function of the seed and the number of the history alone (SplitMix64, started by a hash of both),
and histories are dealt to a fixed number of lanes, each with tallies of its own that are added in order. So a seed
gives the same bits whatever the number of threads.

References
----------
Woodcock E et al. ANL-7050, Argonne 1965;557-579: delta tracking.
Steele GL, Lea D, Flood CH. OOPSLA 2014;453-472: SplitMix64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.medium import Medium
from bonescan.camera.cameras import PHOTON_KEV
from bonescan.camera.scattering import (
    ELECTRON_REST_KEV,
    LAST_ROOT,
    PER_KEV_ANGSTROM,
    ROOT_STEPS,
    Electrons,
    ScatterTables,
    scatter_tables,
)
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

__all__ = [
    "Body",
    "Fates",
    "Source",
    "compton",
    "emit",
    "fates",
    "fly",
    "photon_body",
    "photon_source",
    "rayleigh",
    "start",
    "turn",
    "uniform",
]

Array = NDArray[np.float64]

_BLOCK_CM = 6.0  # edge of the blocks with a largest attenuation of their own [D]
_LANES = 16

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S11 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(11)
_S32 = np.uint64(32)
_UNIT_53 = 2.0**-53
_UNIT_32 = 2.0**-32
_EDGE_CM = 1e-7  # past a border, so that rounding cannot hold a photon on it

GONE, HIT = 0, 1


class Body(NamedTuple):
    """A medium as the kernels take it; made by `photon_body`. Lengths in cm along (slice, row, column)."""

    material: NDArray[np.uint8]
    low_cm: Array
    voxel_cm: Array
    per_voxel: Array
    block_cm: Array
    blocks: NDArray[np.int64]
    majorant: NDArray[np.float32]
    per_cm: NDArray[np.float32]
    angular: NDArray[np.float32]
    coherent: NDArray[np.float32]
    highest_kev: float
    lowest_kev: float
    bins_per_kev: float


class Source(NamedTuple):
    """An activity as the kernels take it; made by `photon_source`."""

    voxel: NDArray[np.uint32]
    cumulative: Array


def photon_body(medium: Medium, tables: ScatterTables, axis_mm: tuple[float, float] = (0.0, 0.0)) -> Body:
    """Lay a medium out for the kernels.

    Parameters
    ----------
    medium : Medium
    tables : ScatterTables
        Of the medium.
    axis_mm : (x, y)
        The point that lateral coordinates count from.

    Returns
    -------
    Body

    Raises
    ------
    GeometryMismatch
        For a grid whose slices, rows and columns do not ascend along z, y and x.
    """
    grid = medium.grid
    if not np.allclose(grid.axes, Grid(shape=(1, 1, 1), spacing_mm=(1, 1, 1), origin_mm=(0, 0, 0)).axes):
        raise GeometryMismatch(
            f"A medium's slices ascend to the head, rows to the back, columns to the left; got {grid.axes}.",
            got=grid.axes,
        )
    voxel = np.array(grid.spacing_mm) / 10
    origin = np.array(grid.origin_mm[::-1]) - np.array([0.0, axis_mm[1], axis_mm[0]])
    across = np.maximum(np.rint(_BLOCK_CM / voxel), 1).astype(np.int64)
    blocks = -(-np.array(grid.shape) // across)
    present = np.zeros((int(np.prod(blocks)), len(medium.materials)), dtype=np.bool_)
    _note_materials(medium.material, across, blocks, present)
    total = tables.per_cm[:, :, 0]
    majorant = np.array([np.where(present, row, 0).max(axis=1) for row in total], dtype=np.float32)
    step = tables.energies_kev[0] - tables.energies_kev[1] if len(tables.energies_kev) > 1 else 1.0
    return Body(
        material=medium.material,
        low_cm=origin / 10 - voxel / 2,
        voxel_cm=voxel,
        per_voxel=1 / voxel,
        block_cm=across * voxel,
        blocks=blocks,
        majorant=majorant,
        per_cm=tables.per_cm,
        angular=tables.angular,
        coherent=tables.coherent,
        highest_kev=float(tables.energies_kev[0]),
        lowest_kev=float(tables.energies_kev[-1]),
        bins_per_kev=1 / step,
    )


def photon_source(activity: Field, grid: Grid) -> Source:
    """Lay an activity out for the kernels.

    Parameters
    ----------
    activity : Field
        Not negative; of any unit.
    grid : Grid
        Of the medium.

    Returns
    -------
    Source

    Raises
    ------
    GeometryMismatch
        If the activity has another grid.
    InvalidValue
        For an activity that is negative or not finite, or zero everywhere.
    """
    if activity.grid != grid:
        raise GeometryMismatch("Activity and medium lie on different grids.", expected=grid, got=activity.grid)
    flat = activity.values.reshape(-1)
    voxel = np.flatnonzero(flat)
    cumulative = np.cumsum(flat[voxel], dtype=np.float64)
    if not len(voxel) or not np.isfinite(cumulative[-1]) or flat[voxel].min() < 0:
        raise InvalidValue("An activity that emits photons is finite, nowhere negative and somewhere positive.")
    return Source(voxel=voxel.astype(np.uint32), cumulative=cumulative)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fates:
    """What becomes of photons, as shares of all that were emitted.

    Parameters
    ----------
    absorbed_energy : float
        Share of the emitted energy that stays in the medium.
    unscattered : float
        Photons that leave it without a collision.
    scattered : (energy,) ndarray
        Photons that leave it after one or more, by energy.
    edges_kev : (energy + 1,) ndarray
        Of the bins of energy, ascending.
    """

    absorbed_energy: float
    unscattered: float
    scattered: Array
    edges_kev: Array


def fates(
    activity: Field,
    medium: Medium,
    histories: int,
    seed: int,
    *,
    energy_kev: float = PHOTON_KEV,
    lowest_kev: float = 20.0,
    edges_kev: tuple[float, ...] = (0.0, 60.0, 90.0, 110.0, 126.0, 150.0),
    electrons: Electrons = "bound",
    rayleigh: bool = True,
) -> Fates:
    """Follow photons until they are absorbed or leave; those below the lowest energy are absorbed where they are.

    Parameters
    ----------
    activity : Field
    medium : Medium
    histories : int
    seed : int
    energy_kev, lowest_kev : float
        Of emission, and where photons are given up.
    edges_kev : tuple of float
        Ascending; bins of energy of those that leave.
    electrons : "bound" or "free"
    rayleigh : bool
        Whether there is coherent scattering.

    Returns
    -------
    Fates
    """
    tables = scatter_tables(medium, energy_kev, lowest_kev, electrons=electrons, rayleigh=rayleigh)
    body, source = photon_body(medium, tables), photon_source(activity, medium.grid)
    edges = np.array(edges_kev)
    tally = np.zeros((_LANES, 2 + len(edges) - 1))
    _follow(body, source, histories, np.uint64(seed), edges, tally)
    total = tally.sum(axis=0)
    return Fates(
        absorbed_energy=float(total[0] / histories / energy_kev),
        unscattered=float(total[1] / histories),
        scattered=total[2:] / histories,
        edges_kev=edges,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _note_materials(material: Any, across: Any, blocks: Any, present: Any) -> None:
    """Note which materials each block of voxels holds."""
    for s in range(material.shape[0]):
        for r in range(material.shape[1]):
            first = (s // across[0] * blocks[1] + r // across[1]) * blocks[2]
            for c in range(material.shape[2]):
                present[first + c // across[2], material[s, r, c]] = True


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _mixed(z: Any) -> Any:
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def start(seed: Any, history: Any) -> Any:
    """Begin the random numbers of a history.

    Parameters
    ----------
    seed : uint64
    history : int

    Returns
    -------
    state : uint64
    """
    return _mixed(_mixed(seed + _GAMMA) + np.uint64(history) * _GAMMA)


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def uniform(state: Any) -> Any:
    """Draw a random number.

    Parameters
    ----------
    state : uint64

    Returns
    -------
    state : uint64
    value : float
        Between 0 and 1, neither of them.
    """
    state = state + _GAMMA
    return state, (np.float64(_mixed(state) >> _S11) + 0.5) * _UNIT_53


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _pair(state: Any) -> Any:
    """Draw two random numbers of 32 bits at once, between 0 and 1."""
    state = state + _GAMMA
    bits = _mixed(state)
    return (
        state,
        (np.float64(bits >> _S32) + 0.5) * _UNIT_32,
        (np.float64(np.uint32(bits)) + 0.5) * _UNIT_32,
    )


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _azimuth(state: Any) -> Any:
    """Cosine and sine of a uniform angle: a random point of the unit disc."""
    while True:
        state, a, b = _pair(state)
        a, b = 2 * a - 1, 2 * b - 1
        squared = a * a + b * b
        if 0 < squared <= 1:
            # the double angle needs no root
            return state, (a * a - b * b) / squared, 2 * a * b / squared


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def emit(body: Body, source: Source, state: Any, history: Any, histories: Any, place: Any) -> Any:
    """Start a photon.

    Parameters
    ----------
    body : Body
    source : Source
    state : uint64
    history, histories : int
        Number of the photon, and how many there are.
    place : int
        Where in the source's voxels the search begins: where a photon of a lower number started.

    Returns
    -------
    state : uint64
    place : int
    z, y, x : float
        cm.
    dz, dy, dx : float
        Direction.
    """
    state, jitter = uniform(state)
    last = source.voxel.shape[0] - 1
    wanted = (history + jitter) / histories * source.cumulative[last]
    while place < last and source.cumulative[place] < wanted:
        place += 1
    flat = source.voxel[place]
    columns = np.uint32(body.material.shape[2])
    line, rows = np.uint32(flat // columns), np.uint32(body.material.shape[1])
    state, a, b = _pair(state)
    state, e, u = _pair(state)
    z = body.low_cm[0] + (line // rows + a) * body.voxel_cm[0]
    y = body.low_cm[1] + (line % rows + b) * body.voxel_cm[1]
    x = body.low_cm[2] + (flat % columns + e) * body.voxel_cm[2]
    dz = 2 * u - 1
    across = math.sqrt(1 - dz * dz)
    state, cosine, sine = _azimuth(state)
    return state, place, z, y, x, dz, across * cosine, across * sine


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def fly(body: Body, energy: Any, state: Any, z: Any, y: Any, x: Any, dz: Any, dy: Any, dx: Any) -> Any:
    """Fly to the next collision, or out of the grid.

    Parameters
    ----------
    body : Body
    energy : int
        Index of the energy.
    state : uint64
    z, y, x : float
        cm.
    dz, dy, dx : float
        Direction.

    Returns
    -------
    state : uint64
    what : int
        1 for a collision, 0 for none.
    z, y, x : float
    material : int
    chance : float
        A random number that is uniform still.
    """
    az, ay, ax = z - body.low_cm[0], y - body.low_cm[1], x - body.low_cm[2]
    bz, by, bx = body.block_cm
    per_z = 1 / dz if abs(dz) > 1e-12 else 1e12
    per_y = 1 / dy if abs(dy) > 1e-12 else 1e12
    per_x = 1 / dx if abs(dx) > 1e-12 else 1e12
    majorants = body.majorant[energy]
    while True:
        kz, ky, kx = math.floor(az / bz), math.floor(ay / by), math.floor(ax / bx)
        if not (0 <= kz < body.blocks[0] and 0 <= ky < body.blocks[1] and 0 <= kx < body.blocks[2]):
            return state, GONE, az + body.low_cm[0], ay + body.low_cm[1], ax + body.low_cm[2], 0, 0.0
        to_z = ((kz + 1) * bz - az if dz > 0 else kz * bz - az) * per_z
        to_y = ((ky + 1) * by - ay if dy > 0 else ky * by - ay) * per_y
        to_x = ((kx + 1) * bx - ax if dx > 0 else kx * bx - ax) * per_x
        border = min(abs(to_z), abs(to_y), abs(to_x)) + _EDGE_CM
        majorant = majorants[(kz * body.blocks[1] + ky) * body.blocks[2] + kx]
        way = 0.0
        while majorant > 0:
            state, u = uniform(state)
            step = -math.log(u) / majorant
            if way + step >= border:
                break
            way += step
            s = int((az + way * dz) * body.per_voxel[0])
            r = int((ay + way * dy) * body.per_voxel[1])
            c = int((ax + way * dx) * body.per_voxel[2])
            if s >= body.material.shape[0] or r >= body.material.shape[1] or c >= body.material.shape[2]:
                continue  # the last block reaches beyond the grid
            material = body.material[s, r, c]
            state, u = uniform(state)
            real = body.per_cm[energy, material, 0] / majorant
            if u < real:
                az, ay, ax = az + way * dz, ay + way * dy, ax + way * dx
                z, y, x = az + body.low_cm[0], ay + body.low_cm[1], ax + body.low_cm[2]
                return state, HIT, z, y, x, material, u / real
        az, ay, ax = az + border * dz, ay + border * dy, ax + border * dx


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def compton(body: Body, material: Any, energy_kev: Any, state: Any) -> Any:
    """Draw an incoherent scattering angle: uniform in c, kept with the chance K s / 2.

    Parameters
    ----------
    body : Body
    material : int
    energy_kev : float
    state : uint64

    Returns
    -------
    state : uint64
    c : float
        Cosine of the angle.
    energy_kev : float
        After it.
    """
    a = energy_kev / ELECTRON_REST_KEV
    transfer = energy_kev * PER_KEV_ANGSTROM
    while True:
        state, u, v = _pair(state)
        c = 1 - 2 * u
        k = 1 / (1 + a * 2 * u)
        shape = k * k * (k + 1 / k - 1 + c * c) / 2
        if v < shape:
            # x = E / hc sqrt((1 - c) / 2), and (1 - c) / 2 = u
            root = math.sqrt(transfer * math.sqrt(u)) * ROOT_STEPS
            i = min(int(root), LAST_ROOT)
            low = body.angular[material, i, 0]
            if v < shape * (low + (root - i) * (body.angular[material, i + 1, 0] - low)):
                return state, c, k * energy_kev


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def rayleigh(body: Body, material: Any, energy_kev: Any, state: Any) -> Any:
    """Draw a coherent scattering angle: x^2 by F^2, kept with the chance (1 + c^2) / 2.

    Parameters
    ----------
    body : Body
    material : int
    energy_kev : float
    state : uint64

    Returns
    -------
    state : uint64
    c : float
        Cosine of the angle.
    """
    largest = (energy_kev * PER_KEV_ANGSTROM) ** 2
    integral = body.coherent[material]
    while True:
        state, u, v = _pair(state)
        low, high = 0, LAST_ROOT + 1
        while high - low > 1:
            middle = (low + high) // 2
            if integral[middle] <= u:
                low = middle
            else:
                high = middle
        share = (u - integral[low]) / (integral[high] - integral[low])
        first, last = (low / ROOT_STEPS) ** 4, (high / ROOT_STEPS) ** 4
        c = 1 - 2 * (first + share * (last - first)) / largest
        if c >= -1 and v < (1 + c * c) / 2:
            return state, c


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def turn(state: Any, c: Any, dz: Any, dy: Any, dx: Any) -> Any:
    """Turn a direction by an angle, and around itself by any.

    Parameters
    ----------
    state : uint64
    c : float
        Cosine of the angle.
    dz, dy, dx : float

    Returns
    -------
    state : uint64
    dz, dy, dx : float
    """
    state, cosine, sine = _azimuth(state)
    s = math.sqrt(max(1 - c * c, 0.0))
    flat = dx * dx + dy * dy
    if flat < 1e-12:
        return state, c * dz, s * cosine, s * sine
    across = math.sqrt(flat)
    along = s * cosine / across
    aside = s * sine / across
    nx = c * dx + along * dx * dz - aside * dy
    ny = c * dy + along * dy * dz + aside * dx
    nz = c * dz - s * cosine * across
    norm = 1 / math.sqrt(nx * nx + ny * ny + nz * nz)
    return state, nz * norm, ny * norm, nx * norm


@numba.njit(cache=True, nogil=True, error_model="numpy", parallel=True)
def _follow(body: Body, source: Source, histories: Any, seed: Any, edges: Any, tally: Any) -> None:
    """Tally by lane: energy absorbed, photons unscattered, and scattered by energy."""
    lanes = tally.shape[0]
    for lane in numba.prange(lanes):
        place = 0
        for history in range(lane, histories, lanes):
            state = start(seed, history)
            state, place, z, y, x, dz, dy, dx = emit(body, source, state, history, histories, place)
            kev, collisions = body.highest_kev, 0
            while True:
                energy = int((body.highest_kev - kev) * body.bins_per_kev + 0.5)
                state, what, z, y, x, material, u = fly(body, energy, state, z, y, x, dz, dy, dx)
                if what == GONE:
                    if collisions == 0:
                        tally[lane, 1] += 1
                    else:
                        e = 1
                        while e < len(edges) - 1 and kev >= edges[e]:
                            e += 1
                        tally[lane, 1 + e] += 1
                    break
                collisions += 1
                if u < body.per_cm[energy, material, 1]:
                    tally[lane, 0] += kev
                    break
                if u < body.per_cm[energy, material, 2]:
                    state, c = rayleigh(body, material, kev, state)
                else:
                    before = kev
                    state, c, kev = compton(body, material, kev, state)
                    tally[lane, 0] += before - kev
                    if kev < body.lowest_kev:
                        tally[lane, 0] += kev
                        break
                state, dz, dy, dx = turn(state, c, dz, dy, dx)
