"""Tomography: two opposite heads go around a part of the body, and count in a photopeak and a scatter window.

Each head goes half the way. The n-th stop of both begins n (t + t_step) after the start, t the time of a view, and ::

    E_w,a(u, z) = s(u, z) R_w,a(u, z) kept (exp(-lambda t_begin) - exp(-lambda (t_begin + t))) / lambda + b t

with the rate R in window w at angle a, unscattered and scattered, what table, edges and uneven crystal let through s,
and the room's background b in every window. Of heads that turn while they count, the unscattered rate is the mean of
two angles with the mean and the variance of an even motion over the step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.camera.acquisition import Facts
from bonescan.camera.cameras import Camera
from bonescan.camera.emitter import Emitter, orbit_mm, outline, table_level_mm, through_table
from bonescan.camera.faults import Faults
from bonescan.camera.forced import scatter
from bonescan.camera.look import Look, ScatterModel, look, seen_columns, seen_rows
from bonescan.camera.projections import Lattice
from bonescan.camera.protocols import Tomography
from bonescan.scan import TomographicScan

__all__ = ["TomographicModel", "tomographic_model"]

Array = NDArray[np.float64]

_HEADS = 2
_TWO_POINTS = 1 / math.sqrt(12)  # of an interval: these two have the mean and the variance of all of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TomographicModel:
    """A tomographic acquisition as it is expected; made by `tomographic_model`.

    Parameters
    ----------
    look : Look
        Of unscattered photons; for heads that turn while they count, two angles for each view.
    windows_kev : tuple of (lower, upper)
        As set; the photopeak first.
    angles_deg : tuple of float
        Of the views' middles.
    radii_mm : tuple of float
    durations_s : tuple of float
    through : (view, row, column) ndarray
        What table, edges and uneven crystal let through.
    unscattered_cps, scattered_cps : (window, view, row, column) ndarray of float32
        At the start, before ``through``.
    background : (row, column) ndarray
        Expected counts of the room, in every window and view.
    seconds : (view,) ndarray
        Durations, weighted with decay and dead time.
    """

    look: Look
    windows_kev: tuple[tuple[float, float], ...]
    angles_deg: tuple[float, ...]
    radii_mm: tuple[float, ...]
    durations_s: tuple[float, ...]
    through: Array
    unscattered_cps: NDArray[np.float32]
    scattered_cps: NDArray[np.float32]
    background: Array
    seconds: Array

    def expected(self) -> Array:
        """Expected counts.

        Returns
        -------
        (window, view, row, column) ndarray
        """
        seen = (self.unscattered_cps + self.scattered_cps) * (self.through * self.seconds[:, None, None])
        return seen + self.background

    def acquire(self, rng: np.random.Generator, facts: Facts | None = None) -> TomographicScan:
        """One acquisition: Poisson counts.

        Parameters
        ----------
        rng : numpy.random.Generator
        facts : Facts, optional

        Returns
        -------
        TomographicScan
        """
        facts = Facts() if facts is None else facts
        lattice = self.look.lattice
        return TomographicScan(
            counts=rng.poisson(self.expected()).astype(np.float32),
            energy_windows_kev=self.windows_kev,
            angles_deg=self.angles_deg,
            radii_mm=self.radii_mm,
            durations_s=self.durations_s,
            row_spacing_mm=lattice.spacing_mm[0],
            column_spacing_mm=lattice.spacing_mm[1],
            **facts.header(self.look.camera),
            series_description="Tomography",
        )


def tomographic_model(
    emitter: Emitter,
    camera: Camera,
    protocol: Tomography,
    scatter: ScatterModel = scatter,
    *,
    faults: Faults | None = None,
    histories: int = 10_000_000,
    seed: int = 0,
) -> TomographicModel:
    """Work out what a tomographic acquisition is expected to count.

    Parameters
    ----------
    emitter : Emitter
    camera : Camera
    protocol : Tomography
    scatter : ScatterModel, optional
        Monte Carlo where not given.
    faults : Faults, optional
        The camera's usual ones where not given.
    histories, seed : int
        Of the scatter.

    Returns
    -------
    TomographicModel

    Raises
    ------
    InvalidValue
        Where no body lies under the heads.
    """
    faults = Faults.usual(camera) if faults is None else faults
    body = outline(emitter.medium)
    z, table = protocol.centre_mm[1], protocol.table
    step = 360.0 / protocol.views
    angles = tuple((step * np.arange(protocol.views)).tolist())
    radii, axis = orbit_mm(
        body, table, angles, protocol.centre_mm, camera.field_mm[0], protocol.clearance_mm, protocol.orbit
    )
    rows, columns = protocol.shape
    pixel = camera.tomographic_pixel_mm * 128 / columns
    lattice = Lattice(
        shape=protocol.shape,
        spacing_mm=(pixel, pixel),
        top_mm=z + (rows - 1) / 2 * pixel,
        left_mm=-(columns - 1) / 2 * pixel - faults.axis_offset_mm,
    )
    on_head = Lattice(
        shape=lattice.shape, spacing_mm=lattice.spacing_mm, top_mm=lattice.top_mm,
        left_mm=lattice.left_mm + faults.axis_offset_mm,
    )  # fmt: skip
    windows = protocol.windows_kev(camera.window_kev(protocol.window_percent))
    seen = tuple(faults.window_seen(window) for window in windows)
    slices = emitter.medium.grid.shape[0]
    face = np.repeat(radii[:, None], slices, axis=1)
    reach = (z - camera.field_mm[0] / 2, z + camera.field_mm[0] / 2)
    still = look(emitter.medium, camera, angles, face, axis, lattice, seen, reach)
    scattered = still.scattered(emitter.activity, scatter, histories, seed)
    own = still
    if protocol.continuous:
        between = tuple(float(angle + side * step) for angle in angles for side in (-_TWO_POINTS, _TWO_POINTS))
        own = look(emitter.medium, camera, between, np.repeat(face, 2, axis=0), axis, lattice, seen, reach)
    by_side = own.unscattered(emitter.activity).reshape(len(windows), protocol.views, -1, *lattice.shape)
    unscattered = by_side.mean(axis=2, dtype=np.float32)
    table_mm = table_level_mm([body])
    edges = seen_rows(on_head, camera, z)[:, None] * seen_columns(on_head, camera)[None, :]
    stops = protocol.views // _HEADS
    crystals = [faults.sensitivity(camera.field_mm, on_head.z_mm - z, on_head.u_mm, head) for head in range(_HEADS)]
    through = np.stack(
        [
            edges * crystals[k // stops] * through_table(table, table_mm, angle, lattice.u_mm, axis)
            for k, angle in enumerate(angles)
        ]
    )
    return TomographicModel(
        look=own,
        windows_kev=windows,
        angles_deg=angles,
        radii_mm=tuple(radii.tolist()),
        durations_s=(protocol.seconds_per_view,) * protocol.views,
        through=through,
        unscattered_cps=unscattered,
        scattered_cps=scattered,
        background=faults.background(camera.field_mm, lattice.spacing_mm) * edges * protocol.seconds_per_view,
        seconds=_seconds(protocol, emitter, faults, (unscattered[0] + scattered[0]) * through),
    )


def _seconds(protocol: Tomography, emitter: Emitter, faults: Faults, cps: Array) -> Array:
    """Weighted duration of each view, from its rates in the photopeak at the start."""
    per_s = math.log(2) / (3600 * emitter.half_life_h)
    stop = np.arange(protocol.views) % (protocol.views // _HEADS)
    begin = stop * (protocol.seconds_per_view + protocol.step_s)
    left = np.exp(-per_s * begin)
    kept = faults.kept(cps.sum(axis=(1, 2)) * left)
    return np.asarray(kept * left * -math.expm1(-per_s * protocol.seconds_per_view) / per_s)
