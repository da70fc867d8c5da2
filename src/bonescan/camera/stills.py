"""Heads that stand still over a part of the body: spot views, the blood pool, and the film of the first pass.

The expected counts of a pixel are, with what table, edges and uneven crystal let through s ::

    E(u, z) = s(u, z) R(u, z) kept (1 - exp(-lambda T)) / lambda + b T

from the rate R at the start (unscattered and scattered), the room's background b, the duration T, and the share that
dead time leaves at the rate of the whole head. A frame of a film is short: its activity is that of its middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bonescan.anatomy.medium import Medium
from bonescan.camera.acquisition import ANGLES_DEG, Facts
from bonescan.camera.cameras import Camera
from bonescan.camera.emitter import Emitter, outline, standing_face_mm, table_level_mm, through_table
from bonescan.camera.faults import Faults
from bonescan.camera.forced import scatter
from bonescan.camera.look import Look, ScatterModel, look, seen_columns, seen_rows
from bonescan.camera.projections import Lattice
from bonescan.camera.protocols import Flow, Spot
from bonescan.errors import InvalidValue
from bonescan.field import Field
from bonescan.scan import DynamicScan, Scan, View, ViewName

__all__ = ["FilmModel", "SpotModel", "film_model", "spot_model"]

Array = NDArray[np.float64]

_VIEWS = tuple(ANGLES_DEG)
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpotModel:
    """A pair of spot views as it is expected; made by `spot_model`.

    Parameters
    ----------
    look : Look
        Where the heads stand, and on which pixels.
    views : tuple of ViewName
    window_kev : (lower, upper)
        As set.
    through : (view, row, column) ndarray
        What table, edges and uneven crystal let through.
    unscattered_cps, scattered_cps : (view, row, column) ndarray
        At the start, before ``through``.
    background_cps : (row, column) ndarray
        Of the room, in either view.
    duration_s : float
    seconds : (view,) ndarray
        The duration, weighted with decay and dead time.
    """

    look: Look
    views: tuple[ViewName, ...]
    window_kev: tuple[float, float]
    through: Array
    unscattered_cps: Array
    scattered_cps: Array
    background_cps: Array
    duration_s: float
    seconds: Array

    def expected(self) -> Array:
        """Expected counts.

        Returns
        -------
        (view, row, column) ndarray
        """
        seen = (self.unscattered_cps + self.scattered_cps) * self.through
        return seen * self.seconds[:, None, None] + self.background_cps * self.duration_s

    def primary(self, activity: Field) -> Array:
        """Expected unscattered counts of some activity alone, e.g. of one lesion; linear in it.

        Parameters
        ----------
        activity : Field
            kBq/mL at the start, on the emitter's grid.

        Returns
        -------
        (view, row, column) ndarray
        """
        return np.asarray(self.look.unscattered(activity)[0] * self.through * self.seconds[:, None, None])

    def acquire(self, rng: np.random.Generator, facts: Facts | None = None) -> Scan:
        """One scan: Poisson counts.

        Parameters
        ----------
        rng : numpy.random.Generator
        facts : Facts, optional

        Returns
        -------
        Scan
        """
        facts = Facts() if facts is None else facts
        counts = rng.poisson(self.expected()).astype(np.float32)
        return Scan(
            views=tuple(
                View(
                    name=name,
                    counts=picture,
                    row_spacing_mm=self.look.lattice.spacing_mm[0],
                    column_spacing_mm=self.look.lattice.spacing_mm[1],
                    identity_basis="simulated",
                    energy_window_kev=self.window_kev,
                    counts_accumulated=float(picture.sum(dtype=np.float64)),
                    duration_s=self.duration_s,
                    start_angle_deg=ANGLES_DEG[name],
                )
                for name, picture in zip(self.views, counts, strict=True)
            ),
            **facts.header(self.look.camera),
            whole_body=False,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilmModel:
    """A film of the first pass as it is expected; made by `film_model`.

    Parameters
    ----------
    look : Look
    views : tuple of ViewName
    window_kev : (lower, upper)
        As set.
    starts_s, durations_s : tuple of float
        By frame, from the first.
    counts : (view, time, row, column) ndarray
        Expected.
    """

    look: Look
    views: tuple[ViewName, ...]
    window_kev: tuple[float, float]
    starts_s: tuple[float, ...]
    durations_s: tuple[float, ...]
    counts: Array

    def expected(self) -> Array:
        """Expected counts.

        Returns
        -------
        (view, time, row, column) ndarray
        """
        return self.counts

    def acquire(self, rng: np.random.Generator, facts: Facts | None = None) -> DynamicScan:
        """One film: Poisson counts.

        Parameters
        ----------
        rng : numpy.random.Generator
        facts : Facts, optional

        Returns
        -------
        DynamicScan
        """
        facts = Facts() if facts is None else facts
        return DynamicScan(
            view_names=self.views,
            counts=rng.poisson(self.counts).astype(np.float32),
            starts_s=self.starts_s,
            durations_s=self.durations_s,
            row_spacing_mm=self.look.lattice.spacing_mm[0],
            column_spacing_mm=self.look.lattice.spacing_mm[1],
            energy_window_kev=self.window_kev,
            **facts.header(self.look.camera),
            series_description="Blood flow",
        )


def spot_model(
    emitter: Emitter,
    camera: Camera,
    protocol: Spot,
    scatter: ScatterModel = scatter,
    *,
    faults: Faults | None = None,
    histories: int = 4_000_000,
    seed: int = 0,
) -> SpotModel:
    """Work out what spot views are expected to show.

    Parameters
    ----------
    emitter : Emitter
    camera : Camera
    protocol : Spot
    scatter : ScatterModel, optional
        Monte Carlo where not given.
    faults : Faults, optional
        The camera's usual ones where not given.
    histories, seed : int
        Of the scatter.

    Returns
    -------
    SpotModel

    Raises
    ------
    InvalidValue
        Where no body lies under the heads, or too little activity for the counts.
    """
    faults = Faults.usual(camera) if faults is None else faults
    own, through, room = _standing(emitter.medium, camera, protocol, faults)
    unscattered = own.unscattered(emitter.activity)[0].astype(float)
    scattered = own.scattered(emitter.activity, scatter, histories, seed)[0].astype(float)
    cps = ((unscattered + scattered) * through).sum(axis=(1, 2))
    kept = faults.kept(cps)
    per_s = math.log(2) / (3600 * emitter.half_life_h)
    duration = protocol.duration_s
    if protocol.counts is not None:
        duration = _duration_for(protocol.counts, float((kept * cps).mean()), float(room.sum()), per_s)
    assert duration is not None
    return SpotModel(
        look=own,
        views=_VIEWS,
        window_kev=camera.window_kev(protocol.window_percent),
        through=through,
        unscattered_cps=unscattered,
        scattered_cps=scattered,
        background_cps=room,
        duration_s=duration,
        seconds=kept * -math.expm1(-per_s * duration) / per_s,
    )


def film_model(
    medium: Medium,
    activity_at: Callable[[float], Field],
    camera: Camera,
    protocol: Flow,
    scatter: ScatterModel = scatter,
    *,
    faults: Faults | None = None,
    histories: int = 4_000_000,
    seed: int = 0,
) -> FilmModel:
    """Work out what a film of the first pass is expected to show.

    Parameters
    ----------
    medium : Medium
    activity_at : callable
        Hours after the injection to the activity then, kBq/mL on the medium's grid.
    camera : Camera
    protocol : Flow
    scatter : ScatterModel, optional
        Monte Carlo where not given.
    faults : Faults, optional
        The camera's usual ones where not given.
    histories : int
        For the scatter of all frames together.
    seed : int

    Returns
    -------
    FilmModel

    Raises
    ------
    InvalidValue
        Where no body lies under the heads.
    """
    faults = Faults.usual(camera) if faults is None else faults
    own, through, room = _standing(medium, camera, protocol, faults)
    starts = protocol.frame_s * np.arange(protocol.frames)
    counts = np.empty((len(_VIEWS), protocol.frames, *protocol.shape))
    each = max(1, histories // protocol.frames)
    for k, start in enumerate(starts):
        middle_h = (protocol.start_s + float(start) + protocol.frame_s / 2) / 3600
        activity = activity_at(middle_h)
        cps = (own.unscattered(activity)[0] + own.scattered(activity, scatter, each, seed + k)[0]) * through
        counts[:, k] = protocol.frame_s * (cps * faults.kept(cps.sum(axis=(1, 2)))[:, None, None] + room)
    return FilmModel(
        look=own,
        views=_VIEWS,
        window_kev=camera.window_kev(protocol.window_percent),
        starts_s=tuple(starts.tolist()),
        durations_s=(protocol.frame_s,) * protocol.frames,
        counts=counts,
    )


def _standing(medium: Medium, camera: Camera, protocol: Spot | Flow, faults: Faults) -> tuple[Look, Array, Array]:
    """The heads over the field's centre, what lets counts through (view, row, column), and the room's rate."""
    body = outline(medium)
    (x, z), table = protocol.centre_mm, protocol.table
    table_mm = table_level_mm([body])
    axis = (x, table_mm - 100.0)
    upper = axis[1] - standing_face_mm(body, z, camera.field_mm[0], protocol.clearance_mm)
    lower = table_mm + table.thickness_mm + table.gap_mm - axis[1]
    rows, columns = protocol.shape
    pixel = camera.whole_body_pixel_mm * 256 / columns
    lattice = Lattice(
        shape=protocol.shape,
        spacing_mm=(pixel, pixel),
        top_mm=z + (rows - 1) / 2 * pixel,
        left_mm=-(columns - 1) / 2 * pixel,
    )
    angles = tuple(ANGLES_DEG.values())
    edges = seen_rows(lattice, camera, z)[:, None] * seen_columns(lattice, camera)[None, :]
    through = np.stack(
        [
            edges
            * faults.sensitivity(camera.field_mm, lattice.z_mm - z, lattice.u_mm, head)
            * through_table(table, table_mm, angle, lattice.u_mm, axis)
            for head, angle in enumerate(angles)
        ]
    )
    room = faults.background(camera.field_mm, lattice.spacing_mm) * edges
    face = np.repeat([[upper], [lower]], medium.grid.shape[0], axis=1)
    window = faults.window_seen(camera.window_kev(protocol.window_percent))
    seen_mm = (z - camera.field_mm[0] / 2, z + camera.field_mm[0] / 2)
    return look(medium, camera, angles, face, axis, lattice, (window,), seen_mm), through, room


def _duration_for(counts: float, cps: float, room_cps: float, per_s: float) -> float:
    """Seconds in which a decaying rate and the room's give some counts."""

    def missing(duration: float) -> float:
        return counts - cps * -math.expm1(-per_s * duration) / per_s - room_cps * duration

    if missing(_LONGEST_S) > 0:
        raise InvalidValue(
            f"What lies under the heads does not give {counts:g} counts within an hour; set a duration instead.",
            counts=counts,
        )
    return float(brentq(missing, 0.0, _LONGEST_S, xtol=1e-9))
