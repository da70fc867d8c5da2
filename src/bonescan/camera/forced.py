"""What a camera counts of scattered photons, by Monte Carlo with convolution-based forced detection.

At every collision the photon is made to scatter towards every head at once, with the weight of that chance: per
steradian that the collision is one, times the way out, times the share of such photons a window counts ::

    w = p(E, theta) exp(-integral mu(E') dl) f(E')

It is laid down where the collision is, in the head's frame, in a stack of pictures by distance from the collimator;
when all histories are told, each picture is blurred as the camera blurs at that distance. A photon's own way goes on by
chance, and ends below the energy that any window counts. The way out needs no tracing: mu of any material at any energy
is near a sum of two basis functions ::

    mu_m(E) = A_m g_1(E) + B_m g_2(E)

and the path integrals of A and B towards each head are made once, on a lattice of the size of the pictures' pixels.

Assumed: the collimator takes photons of all energies as it takes those of the emission line, along its axis only.

References
----------
de Jong HWAM, Slijpen ETP, Beekman FJ. IEEE Trans Nucl Sci 2001;48:58-64: convolution-based forced detection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bonescan.anatomy.medium import Medium
from bonescan.anatomy.tissues import ENERGY_RANGE_KEV, mass_coefficients
from bonescan.camera.cameras import PHOTON_KEV, Camera
from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.scattering import (
    ELECTRON_REST_KEV,
    LAST_ROOT,
    PER_KEV_ANGSTROM,
    ROOT_STEPS,
    Electrons,
    scatter_tables,
)
from bonescan.camera.transport import (
    GONE,
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
from bonescan.errors import InvalidValue
from bonescan.field import Field

__all__ = ["WHOLE_BODY_HISTORIES", "Orders", "analog_scatter", "basis_misfit", "scatter"]

Array = NDArray[np.float64]
Windows = tuple[tuple[float, float], ...]
Orders = Literal["scattered", "unscattered"]
"""Photons to count: those with collisions behind them, or those without."""

WHOLE_BODY_HISTORIES = 5_000_000
"""Histories that keep the noise of scatter in a whole-body pair below 2 % of the expected counts."""

_PIXEL_MM = 7.0  # of the pictures of scatter [D]; they vary over centimetres
_BIN_CM = 2.0  # of distance from the collimator [D]: the width of a low-energy camera's blur grows by 1 mm in it
_FEWEST = 1e-4  # share of the photons of the line's energy that a window counts, below which photons end [D]
_FINE_KEV, _PER_FINE_KEV = 0.1, 10.0  # steps of the tables of detection
_MOST_VIEWS = 8  # that one collision is scored in; of more, so many by chance [D]
_STACK_BYTES = 400e6  # of all lanes together
_MARGIN_SIGMAS = 4.0


class _Heads(NamedTuple):
    """Views as the kernels take them; lengths in cm, rows descend from the top."""

    sine: Array
    cosine: Array
    face: Array  # (view, row)
    paths: NDArray[np.float32]  # (view, row, column, depth, basis): path integrals from there to the head
    basis: Array  # (energy, basis): g of the module's equation, 1/cm
    counted: Array  # (window, energy)
    top: float
    left: float
    near: float
    per_row: float
    per_column: float


def scatter(
    activity: Field,
    medium: Medium,
    camera: Camera,
    angles_deg: tuple[float, ...],
    face_mm: Array,
    axis_mm: tuple[float, float],
    windows_kev: Windows,
    histories: int,
    seed: int,
    *,
    orders: Orders = "scattered",
    energy_kev: float = PHOTON_KEV,
    electrons: Electrons = "bound",
    pixel_mm: float = _PIXEL_MM,
) -> Projections:
    """Expected count rates of scattered photons.

    Parameters
    ----------
    activity : Field
        kBq/mL, on the medium's grid.
    medium : Medium
    camera : Camera
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
        For an activity on another grid than the medium's, or a grid that lies another way round.
    InvalidValue
        For fewer than one history, no view or window, or faces that do not fit the views and slices.
    """
    setting = _prepare(
        activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, energy_kev, electrons, pixel_mm
    )
    return setting.run(histories, seed, orders, 0.0)


def analog_scatter(
    activity: Field,
    medium: Medium,
    camera: Camera,
    angles_deg: tuple[float, ...],
    face_mm: Array,
    axis_mm: tuple[float, float],
    windows_kev: Windows,
    histories: int,
    seed: int,
    *,
    orders: Orders = "scattered",
    energy_kev: float = PHOTON_KEV,
    electrons: Electrons = "bound",
    pixel_mm: float = _PIXEL_MM,
    cone_deg: float = 5.0,
) -> Projections:
    """Expected count rates from the photons that leave the body near a head's direction; the check of `scatter`.

    Nothing is forced and no path integral is used: a photon counts for a view if it leaves the grid within a cone
    around the view's direction, as one over the cone's solid angle, where its last collision was.

    Parameters
    ----------
    activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed
        As of `scatter`.
    orders, energy_kev, electrons, pixel_mm
        As of `scatter`.
    cone_deg : float
        Half the opening angle of the cone, 0 to 30. A narrow one counts few photons, a wide one others than heads do.

    Returns
    -------
    Projections
        (window, view, row, column), cps per pixel.

    Raises
    ------
    InvalidValue
        For a cone out of its range; else as `scatter`.
    """
    if not 0 < cone_deg <= 30:
        raise InvalidValue(f"A cone opens by more than 0 and up to 30 degrees, got {cone_deg}.", got=cone_deg)
    setting = _prepare(
        activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, energy_kev, electrons, pixel_mm
    )
    return setting.run(histories, seed, orders, math.radians(cone_deg))


def basis_misfit(medium: Medium, energy_kev: float = PHOTON_KEV, lowest_kev: float = 60.0) -> Array:
    """How far two basis functions miss the attenuation of a medium's materials.

    Parameters
    ----------
    medium : Medium
    energy_kev, lowest_kev : float
        Range of energies.

    Returns
    -------
    (material,) ndarray
        Largest relative error over the range; 0 of a vacuum.
    """
    energies = np.linspace(energy_kev, lowest_kev, 41)
    parts, basis = _in_basis(medium, energies)
    total = medium.coefficients_per_cm(energies.tolist()).sum(axis=0)
    return np.asarray(np.abs(parts @ basis.T / np.where(total > 0, total, np.inf) - (total > 0)).max(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Setting:
    """All that a run needs."""

    body: Body
    source: Source
    heads: _Heads
    camera: Camera
    angles_deg: tuple[float, ...]
    pixel_cm: tuple[float, float]
    bins: int
    cps: float  # of the whole activity, if each photon were counted with certainty in all directions' sum
    rows: int
    columns: int

    def run(self, histories: int, seed: int, orders: Orders, cone: float) -> Projections:
        """Tell all histories, blur, and scale."""
        views = len(self.angles_deg)
        shape = (self.heads.counted.shape[0], views, self.bins, self.rows, self.columns)
        lanes = int(min(max(_STACK_BYTES // (4 * math.prod(shape)), 4), 16))
        stack = np.zeros((lanes, *shape), dtype=np.float32)
        few = views if views <= _MOST_VIEWS else _MOST_VIEWS
        _tell(self.body, self.source, self.heads, histories, np.uint64(seed), orders == "scattered", cone, few, stack)
        each = 4 * math.pi * self.cps / histories * (views / few if cone == 0 else 1)
        return self._blurred(stack.sum(axis=0, dtype=np.float64) * each)

    def _blurred(self, stack: Array) -> Projections:
        """Blur each distance's pictures, onto a lattice with a margin that holds the blur."""
        distances = (np.arange(self.bins) + 0.5) * _BIN_CM * 10
        sigma = np.asarray(self.camera.sigma_mm(distances))
        pixel = np.array(self.pixel_cm) * 10
        margin = np.ceil(_MARGIN_SIGMAS * sigma[-1] / pixel).astype(int)
        values = np.zeros((*stack.shape[:2], self.rows + 2 * margin[0], self.columns + 2 * margin[1]))
        for k in range(self.bins):
            down = _blur_matrix(self.rows, margin[0], pixel[0], sigma[k])
            across = _blur_matrix(self.columns, margin[1], pixel[1], sigma[k])
            values += down @ stack[:, :, k] @ across.T
        lattice = Lattice(
            shape=(values.shape[2], values.shape[3]),
            spacing_mm=(float(pixel[0]), float(pixel[1])),
            top_mm=10 * self.heads.top + (margin[0] - 0.5) * pixel[0],
            left_mm=10 * self.heads.left - (margin[1] - 0.5) * pixel[1],
        )
        return Projections(values=values.astype(np.float32), lattice=lattice, angles_deg=self.angles_deg)


def _prepare(
    activity: Field,
    medium: Medium,
    camera: Camera,
    angles_deg: tuple[float, ...],
    face_mm: Array,
    axis_mm: tuple[float, float],
    windows_kev: Windows,
    histories: int,
    energy_kev: float,
    electrons: Electrons,
    pixel_mm: float,
) -> _Setting:
    grid = medium.grid
    face = np.asarray(face_mm, dtype=float)
    wanted = (len(angles_deg), grid.shape[0])
    if face.shape != wanted or not np.isfinite(face).all() or not np.isfinite([*angles_deg, *axis_mm]).all():
        raise InvalidValue(
            f"Angles, axis and the distances to the collimator's face by view and slice, {wanted}, are finite; got the "
            f"shape {face.shape}.",
            expected=wanted,
            got=face.shape,
        )
    if histories < 1 or not angles_deg or not windows_kev or not 0 < pixel_mm < math.inf:
        raise InvalidValue(
            f"Scatter needs histories, views, windows and pixels, got {histories}, {len(angles_deg)}, "
            f"{len(windows_kev)} and {pixel_mm} mm."
        )
    lowest = _lowest_counted(camera, windows_kev, energy_kev)
    tables = scatter_tables(medium, energy_kev, lowest, electrons=electrons)
    body = photon_body(medium, tables, axis_mm)
    fine = energy_kev - _FINE_KEV * np.arange(math.ceil((energy_kev - lowest) / _FINE_KEV) + 2, dtype=float)
    parts, basis = _in_basis(medium, fine)
    thick = max(round(pixel_mm / grid.spacing_mm[0]), 1)
    pixel = thick * grid.spacing_mm[0] / 10, pixel_mm / 10
    rows = -(-grid.shape[0] // thick)
    # corners of the grid about the axis, seen along and across every direction
    low, high = body.low_cm[1:], body.low_cm[1:] + np.array(grid.shape[1:]) * body.voxel_cm[1:]
    angles = np.deg2rad(angles_deg)
    corners = np.array([[x, y] for x in (low[1], high[1]) for y in (low[0], high[0])])
    deep = corners @ np.array([np.sin(angles), np.cos(angles)])
    aside = corners @ np.array([-np.cos(angles), np.sin(angles)])
    columns, depths = (math.ceil(np.ptp(values) / pixel[1] + 1e-6) for values in (aside, deep))
    left, near = float(aside.min()), float(deep.min())
    paths = np.zeros((len(angles), rows, columns, depths + 1, 2), dtype=np.float32)
    sine, cosine = np.sin(angles), np.cos(angles)
    _integrate(medium.material, parts, thick, low, body.voxel_cm[1:], sine, cosine, left, near, pixel[1], paths)
    slices = np.minimum(np.arange(rows * thick).reshape(rows, -1), grid.shape[0] - 1)
    by_row = face[:, ::-1][:, slices].mean(axis=2) / 10
    window = camera.window_kev()
    counted = np.stack([camera.detected_fraction(fine, window) for window in windows_kev])
    heads = _Heads(
        sine=sine,
        cosine=cosine,
        face=np.ascontiguousarray(by_row),
        paths=paths,
        basis=basis,
        counted=np.ascontiguousarray(counted),
        top=float(body.low_cm[0] + grid.shape[0] * body.voxel_cm[0]),
        left=left,
        near=near,
        per_row=1 / pixel[0],
        per_column=1 / pixel[1],
    )
    passed = camera.sensitivity_cps_per_mbq(window) / float(camera.detected_fraction(PHOTON_KEV, window))
    return _Setting(
        body=body,
        source=photon_source(activity, grid),
        heads=heads,
        camera=camera,
        angles_deg=tuple(angles_deg),
        pixel_cm=pixel,
        bins=max(math.ceil((by_row.max() - near) / _BIN_CM), 1),
        cps=passed * activity.total / 1000,
        rows=rows,
        columns=columns,
    )


def _lowest_counted(camera: Camera, windows_kev: Windows, energy_kev: float) -> float:
    """The energy below which photons are told no further."""
    energies = np.arange(ENERGY_RANGE_KEV[0] + 1, energy_kev)
    own = np.stack([camera.detected_fraction(energies, window) for window in windows_kev])
    line = max(float(camera.detected_fraction(energy_kev, window)) for window in windows_kev)
    most = np.maximum(own.max(axis=1), line)
    return float(energies[np.argmax((own > _FEWEST * most[:, None]).any(axis=0))]) - 1


def _in_basis(medium: Medium, energies: Array) -> tuple[Array, Array]:
    """Shares of two basis functions in each material, and the functions: attenuation of water and of mineral bone.

    The shares make the squares of the relative errors least over the energies.
    """
    few = np.linspace(energies[0], energies[-1], 24)
    basis = np.array([[sum(mass_coefficients(name, e)) for name in ("water", "mineral bone")] for e in few])
    total = medium.coefficients_per_cm(few.tolist()).sum(axis=0)
    parts = np.zeros((len(total), 2))
    for k, own in enumerate(total):
        if own[0] > 0:
            parts[k] = np.linalg.lstsq(basis / own[:, None], np.ones(len(few)))[0]
    logs = np.log(basis[::-1])
    fine = np.exp([np.interp(np.log(energies), np.log(few[::-1]), logs[:, k]) for k in range(2)])
    return parts, np.ascontiguousarray(fine.T)


def _blur_matrix(pixels: int, margin: int, pixel_mm: float, sigma_mm: float) -> Array:
    """What each pixel gives to each, (pixel with margins, pixel): the integral of the Gaussian.

    That an event lies anywhere in its pixel has blurred it already, with the variance of a pixel's width.
    """
    sigma = math.sqrt(max(sigma_mm**2 - pixel_mm**2 / 12, (0.1 * pixel_mm) ** 2))
    edges = np.arange(-margin, pixels + margin + 1) - 0.5
    return np.diff(ndtr((edges[:, None] - np.arange(pixels)) * pixel_mm / sigma), axis=0)


@numba.njit(cache=True, nogil=True, error_model="numpy", parallel=True)
def _integrate(
    material: Any,
    parts: Any,
    thick: Any,
    low: Any,
    step: Any,
    sine: Any,
    cosine: Any,
    left: Any,
    near: Any,
    pixel: Any,
    paths: Any,
) -> None:
    """Integrate the shares of the basis along each view's rays, from the head inwards, to depths a pixel apart.

    A row is the mean of its slices; between the centres of voxels shares are linear, beyond the grid is nothing.
    """
    slices, ny, nx = material.shape
    views, rows, columns, depths = paths.shape[0], paths.shape[1], paths.shape[2], paths.shape[3]
    steps = max(math.ceil(pixel / min(step[0], step[1])), 1)
    for row in numba.prange(rows):
        slab = np.zeros((ny, nx, 2), dtype=np.float32)
        for s in range(max(slices - (row + 1) * thick, 0), slices - row * thick):
            for r in range(ny):
                for c in range(nx):
                    slab[r, c, 0] += parts[material[s, r, c], 0]
                    slab[r, c, 1] += parts[material[s, r, c], 1]
        for view in range(views):
            for j in range(columns):
                u = left + (j + 0.5) * pixel
                a, b = 0.0, 0.0
                for k in range((depths - 1) * steps - 1, -1, -1):
                    d = near + (k + 0.5) * pixel / steps
                    fx = (d * sine[view] - u * cosine[view] - low[1]) / step[1] - 0.5
                    fy = (d * cosine[view] + u * sine[view] - low[0]) / step[0] - 0.5
                    kx, ky = math.floor(fx), math.floor(fy)
                    for iy in range(max(ky, 0), min(ky + 2, ny)):
                        for ix in range(max(kx, 0), min(kx + 2, nx)):
                            weight = (1 - abs(fy - iy)) * (1 - abs(fx - ix))
                            a += weight * slab[iy, ix, 0]
                            b += weight * slab[iy, ix, 1]
                    if k % steps == 0:
                        paths[view, row, j, k // steps, 0] = a * pixel / steps / thick
                        paths[view, row, j, k // steps, 1] = b * pixel / steps / thick


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _place(heads: _Heads, bins: Any, view: Any, z: Any, y: Any, x: Any) -> Any:
    """Row, column, depth and bin of distance of a point."""
    u = y * heads.sine[view] - x * heads.cosine[view]
    d = y * heads.cosine[view] + x * heads.sine[view]
    row = min(max(int((heads.top - z) * heads.per_row), 0), heads.paths.shape[1] - 1)
    column = min(max(int((u - heads.left) * heads.per_column), 0), heads.paths.shape[2] - 1)
    depth = min(max((d - heads.near) * heads.per_column, 0.0), heads.paths.shape[3] - 1.000001)
    return row, column, depth, min(max(int((heads.face[view, row] - d) / _BIN_CM), 0), bins - 1)


@numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _score(
    body: Body,
    heads: _Heads,
    state: Any,
    few: Any,
    material: Any,
    energy: Any,
    kev: Any,
    at: Any,
    along: Any,
    stack: Any,
) -> Any:
    """Lay down what scatters at a collision towards the heads; towards all of a few views drawn by chance.

    A negative material emits the photon instead, in all directions alike.
    """
    views, bins = heads.paths.shape[0], stack.shape[2]
    first, apart = 0, 1
    if few < views:
        state, u = uniform(state)
        first, apart = int(u * views), views // few
    a, transfer = kev / ELECTRON_REST_KEV, kev * PER_KEV_ANGSTROM
    same = int((body.highest_kev - kev) * _PER_FINE_KEV + 0.5)
    for n in range(few):
        view = first + n * apart
        if view >= views:
            view -= views
        lost, other = same, 1 / (4 * math.pi)
        elastic = other
        if material >= 0:
            c = along[2] * heads.sine[view] + along[1] * heads.cosine[view]
            k = 1 / (1 + a * (1 - c))
            if k * kev < body.lowest_kev:
                continue
            root = math.sqrt(transfer * math.sqrt(max(0.5 - 0.5 * c, 0.0))) * ROOT_STEPS
            i = min(int(root), LAST_ROOT)
            part = root - i
            bound = body.angular[material, i, 0] * (1 - part) + body.angular[material, i + 1, 0] * part
            form = body.angular[material, i, 1] * (1 - part) + body.angular[material, i + 1, 1] * part
            other = body.per_cm[energy, material, 3] * k * k * (k + 1 / k - 1 + c * c) * bound
            elastic = body.per_cm[energy, material, 4] * (1 + c * c) * form
            lost = int((body.highest_kev - k * kev) * _PER_FINE_KEV + 0.5)
        else:
            other = 0.0
        row, column, depth, b = _place(heads, bins, view, at[0], at[1], at[2])
        i = int(depth)
        part = depth - i
        ways = heads.paths[view, row, column]
        first_way = ways[i, 0] * (1 - part) + ways[i + 1, 0] * part
        second_way = ways[i, 1] * (1 - part) + ways[i + 1, 1] * part
        other *= math.exp(-(first_way * heads.basis[lost, 0] + second_way * heads.basis[lost, 1]))
        if elastic > 0:
            elastic *= math.exp(-(first_way * heads.basis[same, 0] + second_way * heads.basis[same, 1]))
        for w in range(stack.shape[0]):
            stack[w, view, b, row, column] += other * heads.counted[w, lost] + elastic * heads.counted[w, same]
    return state


@numba.njit(cache=True, nogil=True, error_model="numpy", parallel=True)
def _tell(
    body: Body,
    source: Source,
    heads: _Heads,
    histories: Any,
    seed: Any,
    scattered: Any,
    cone: Any,
    few: Any,
    stack: Any,
) -> None:
    """Tell all histories; by forced detection, or by what leaves within a cone where that is not 0."""
    lanes, bins = stack.shape[0], stack.shape[3]
    narrow = math.cos(cone)
    each = 1 / (2 * math.pi * (1 - narrow)) if cone > 0 else 0.0
    for lane in numba.prange(lanes):
        place = 0
        for history in range(lane, histories, lanes):
            state = start(seed, history)
            state, place, z, y, x, dz, dy, dx = emit(body, source, state, history, histories, place)
            kev, collided = body.highest_kev, False
            if not scattered and cone == 0:
                _score(body, heads, state, few, -1, 0, kev, (z, y, x), (dz, dy, dx), stack[lane])
                continue
            while True:
                energy = int((body.highest_kev - kev) * body.bins_per_kev + 0.5)
                from_z, from_y, from_x = z, y, x
                state, what, z, y, x, material, u = fly(body, energy, state, z, y, x, dz, dy, dx)
                if what == GONE:
                    if cone > 0 and collided == scattered:
                        fine = int((body.highest_kev - kev) * _PER_FINE_KEV + 0.5)
                        for view in range(heads.paths.shape[0]):
                            if dx * heads.sine[view] + dy * heads.cosine[view] > narrow:
                                row, column, _, b = _place(heads, bins, view, from_z, from_y, from_x)
                                for w in range(stack.shape[1]):
                                    stack[lane, w, view, b, row, column] += each * heads.counted[w, fine]
                    break
                if not scattered:
                    break
                collided = True
                if cone == 0:
                    state = _score(body, heads, state, few, material, energy, kev, (z, y, x), (dz, dy, dx), stack[lane])
                if u < body.per_cm[energy, material, 1]:
                    break
                if u < body.per_cm[energy, material, 2]:
                    state, c = rayleigh(body, material, kev, state)
                else:
                    state, c, kev = compton(body, material, kev, state)
                    if kev < body.lowest_kev:
                        break
                state, dz, dy, dx = turn(state, c, dz, dy, dx)
