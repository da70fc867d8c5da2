"""From what lies under the camera to the counts of a whole-body scan.

The expected counts of a pixel, in row z and column u of one view, are ::

    E(u, z) = s(u) * sum over poses k of  R_k(u, z) * T_k(z)  +  b T_0(z)

    R_k     counts per second at the start: unscattered ones by the analytic projector, scattered ones by Monte Carlo
    b       the room's background, for the time T_0 under the head
    s       what table, edge of the field and uneven crystal let through in that column
    T_k(z)  seconds under the head in pose k, each weighted with the decay since the start and what dead time leaves

A head with an axial field L passes the scanned length S at speed v. Its leading edge stands at one end of S at the
start and its trailing edge at the other in the end, so that with s from the first end ::

    t_on = s / v      t_off = (s + L) / v      T = (S + L) / v
    T_k(z) = integral of exp(-lambda t) kept(t) dt over [t_on, t_off] and the time of pose k

where kept(t) = exp(-n tau) with the rate n of all that is under the head then. The tracer stays where it is during the
pass; only its decay goes on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.camera.cameras import Camera
from bonescan.camera.emitter import Emitter, outline, passing_face_mm, table_level_mm, through_table
from bonescan.camera.faults import Faults
from bonescan.camera.forced import WHOLE_BODY_HISTORIES, scatter
from bonescan.camera.look import Look, ScatterModel, look, seen_columns
from bonescan.camera.projections import Lattice
from bonescan.camera.protocols import WholeBody
from bonescan.errors import InvalidValue
from bonescan.field import Field
from bonescan.scan import Device, Injection, PatientFacts, Scan, View, ViewName

__all__ = [
    "ANGLES_DEG",
    "Facts",
    "Placement",
    "WholeBodyModel",
    "draw_placement",
    "pass_seconds",
    "whole_body_model",
]

Array = NDArray[np.float64]
Picture = NDArray[np.float32]

ANGLES_DEG = {ViewName.ANTERIOR: 180.0, ViewName.POSTERIOR: 0.0}
"""Where the head of each view stands."""

_TIMES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a scan's header says besides the counts.

    Parameters
    ----------
    patient : PatientFacts
    injection : Injection
    acquired_at : datetime or None
        When the acquisition starts.
    study_uid, study_description : str or None
    """

    patient: PatientFacts = field(default_factory=PatientFacts)
    injection: Injection = field(default_factory=Injection)
    acquired_at: datetime | None = None
    study_uid: str | None = None
    study_description: str | None = None

    def header(self, camera: Camera) -> dict[str, Any]:
        """These facts and the camera's, by the names that every kind of scan gives them.

        Parameters
        ----------
        camera : Camera

        Returns
        -------
        dict of str to object
        """
        device = Device(
            manufacturer=camera.manufacturer,
            model=camera.model,
            software=camera.software,
            collimator=camera.collimator.name,
        )
        return {
            "patient": self.patient,
            "injection": self.injection,
            "device": device,
            "acquired_at": self.acquired_at,
            "study_uid": self.study_uid,
            "study_description": self.study_description,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How the patient lies on the table, and how far the pass goes beyond either end.

    Parameters
    ----------
    left_mm : float
        How far the camera's middle lies to the left of the body's.
    above_mm, below_mm : float
        From the top of the head and the tip of the feet to the ends of the pass.

    Raises
    ------
    InvalidValue
        For a length that is not finite, or an end that leaves out more than half a metre.
    """

    left_mm: float = 0.0
    above_mm: float = 40.0
    below_mm: float = 40.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.left_mm) and -500 < self.above_mm < 500 and -500 < self.below_mm < 500):
            raise InvalidValue(f"A placement's lengths are finite and below 500 mm, got {self}.")


def draw_placement(rng: np.random.Generator) -> Placement:
    """How patients are placed.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Placement
        Sideways normal with 9 mm, as the counts' centre spreads in 22 real scans, cut at 30 mm; 20 to 60 mm above the
        head and below the feet [D].
    """
    return Placement(
        left_mm=float(np.clip(rng.normal(0, 9), -30, 30)),
        above_mm=float(rng.uniform(20, 60)),
        below_mm=float(rng.uniform(20, 60)),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholeBodyModel:
    """A whole-body pass as it is expected; made by `whole_body_model`.

    Parameters
    ----------
    camera : Camera
    faults : Faults
    views : tuple of ViewName
        Anterior, posterior: the first axis of the arrays below.
    lattice : Lattice
        Of both views' pixels; u is measured from ``axis_mm``.
    axis_mm : (x, y)
        A vertical line along the body through the camera's middle.
    window_kev : (lower, upper)
    emitters : tuple of Emitter
        The body in each pose.
    looks : tuple of Look or None
        By pose; ``None`` for one that is never seen.
    unscattered_cps, scattered_cps : (pose, view, row, column) ndarray of float32
        At the start, over the whole lattice.
    columns : (view, column) ndarray
        What table, edge of the field and uneven crystal let through.
    seconds : (pose, view, row) ndarray
        Weighted with decay and dead time.
    background : (row, column) ndarray
        Expected counts of the room, in either view.
    speed_mm_per_s, scan_length_mm, duration_s : float
    top_mm : float
        z of the upper end of the pass.
    """

    camera: Camera
    faults: Faults
    views: tuple[ViewName, ...]
    lattice: Lattice
    axis_mm: tuple[float, float]
    window_kev: tuple[float, float]
    emitters: tuple[Emitter, ...]
    looks: tuple[Look | None, ...]
    unscattered_cps: Picture
    scattered_cps: Picture
    columns: Array
    seconds: Array
    background: Array
    speed_mm_per_s: float
    scan_length_mm: float
    duration_s: float
    top_mm: float

    def expected(self) -> Array:
        """Expected counts.

        Returns
        -------
        (view, row, column) ndarray
        """
        return self._counted(self.unscattered_cps + self.scattered_cps) + self.background

    def primary(self, activity: Field, pose: int = 0) -> Array:
        """Expected unscattered counts of some activity alone, e.g. of one lesion; linear in it.

        Parameters
        ----------
        activity : Field
            kBq/mL at the start of the pass, on the grid of that pose's emitter.
        pose : int

        Returns
        -------
        (view, row, column) ndarray
            With the losses by dead time of the whole acquisition.
        """
        own = self.looks[pose]
        if own is None:
            return np.zeros((len(self.views), *self.lattice.shape))
        cps = own.unscattered(activity)[0]
        return np.asarray(cps * self.seconds[pose][:, :, None] * self.columns[:, None, :])

    def pixel_of(self, view: ViewName, x_mm: float, z_mm: float) -> tuple[float, float]:
        """Where a place of the body is seen.

        Parameters
        ----------
        view : ViewName
        x_mm, z_mm : float

        Returns
        -------
        row, column : float
            Whole numbers at pixels' centres.
        """
        side = 1.0 if view is ViewName.ANTERIOR else -1.0
        u = side * (x_mm - self.axis_mm[0])
        rows, columns = self.lattice.spacing_mm
        return (self.lattice.top_mm - z_mm) / rows, (u - self.lattice.left_mm) / columns

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
                    row_spacing_mm=self.lattice.spacing_mm[0],
                    column_spacing_mm=self.lattice.spacing_mm[1],
                    identity_basis="simulated",
                    energy_window_kev=self.window_kev,
                    counts_accumulated=float(picture.sum(dtype=np.float64)),
                    duration_s=self.duration_s,
                    scan_velocity_mm_per_s=self.speed_mm_per_s,
                    scan_length_mm=self.scan_length_mm,
                    start_angle_deg=ANGLES_DEG[name],
                )
                for name, picture in zip(self.views, counts, strict=True)
            ),
            **facts.header(self.camera),
        )

    def _counted(self, cps: Picture) -> Array:
        together = sum(rates * seconds[:, :, None] for rates, seconds in zip(cps, self.seconds, strict=True))
        return np.asarray(together * self.columns[:, None, :])


def whole_body_model(
    emitters: Sequence[Emitter],
    camera: Camera,
    protocol: WholeBody,
    scatter: ScatterModel = scatter,
    *,
    begins: Sequence[float] = (0.0,),
    counts: float | None = None,
    placement: Placement | None = None,
    faults: Faults | None = None,
    histories: int = WHOLE_BODY_HISTORIES,
    seed: int = 0,
) -> WholeBodyModel:
    """Work out what a whole-body pass is expected to show.

    Parameters
    ----------
    emitters : sequence of Emitter
        The body in each pose it takes during the pass, most often one.
    camera : Camera
    protocol : WholeBody
    scatter : ScatterModel, optional
        Monte Carlo where not given.
    begins : sequence of float
        By pose: the fraction of the pass at which it is taken, ascending from 0.
    counts : float, optional
        Mean of the two views' expected counts; it sets the speed in place of the protocol's.
    placement : Placement, optional
    faults : Faults, optional
        The camera's usual ones where not given.
    histories : int
        Photons for the scatter of each pose.
    seed : int
        Of the scatter's random numbers.

    Returns
    -------
    WholeBodyModel

    Raises
    ------
    InvalidValue
        For poses that do not begin one after another, counts that are not positive, or a body that sends none.
    """
    emitters, fractions = tuple(emitters), tuple(begins)
    _check_poses(emitters, fractions)
    if counts is not None and not 0 < counts < math.inf:
        raise InvalidValue(f"Expected counts are positive, got {counts}.", got=counts)
    placement = Placement() if placement is None else placement
    faults = Faults.usual(camera) if faults is None else faults
    views = tuple(ANGLES_DEG)
    angles = tuple(ANGLES_DEG.values())
    bodies = [outline(emitter.medium) for emitter in emitters]
    table_mm = table_level_mm(bodies)
    middle = float(
        np.mean([_middle_x(body.silhouette, body.grid.origin_mm[0], body.grid.spacing_mm[2]) for body in bodies])
    )
    axis = (middle + placement.left_mm, table_mm - 100.0)
    pixel = camera.whole_body_pixel_mm * 256 / protocol.shape[1]
    highest = max(float(body.z_mm[np.isfinite(body.front_mm)].max()) for body in bodies) + placement.above_mm
    lowest = min(float(body.z_mm[np.isfinite(body.front_mm)].min()) for body in bodies) - placement.below_mm
    length = min(highest - lowest, protocol.shape[0] * pixel)
    lattice = Lattice(
        shape=protocol.shape,
        spacing_mm=(pixel, pixel),
        top_mm=highest - length / 2 + (protocol.shape[0] - 1) / 2 * pixel,
        left_mm=-(protocol.shape[1] - 1) / 2 * pixel,
    )
    window = camera.window_kev(protocol.window_percent)
    stays = np.diff([*fractions, 1.0])
    looks: list[Look | None] = []
    unscattered, scattered = np.zeros((2, len(emitters), len(views), *lattice.shape), dtype=np.float32)
    for k, (emitter, body) in enumerate(zip(emitters, bodies, strict=True)):
        if stays[k] <= 0:
            looks.append(None)
            continue
        upper = passing_face_mm(
            bodies, body.z_mm, table_mm, camera.field_mm[0], protocol.clearance_mm, contour=protocol.contour
        )
        lower = table_mm + protocol.table.thickness_mm + protocol.table.gap_mm
        face = np.stack([axis[1] - upper, np.full(len(upper), lower - axis[1])])
        seen_mm = (highest - length, highest)
        own = look(emitter.medium, camera, angles, face, axis, lattice, (faults.window_seen(window),), seen_mm)
        unscattered[k] = own.unscattered(emitter.activity)[0]
        scattered[k] = own.scattered(emitter.activity, scatter, histories, seed + k)[0]
        looks.append(own)
    columns = np.stack(
        [
            seen_columns(lattice, camera)
            * faults.passing_sensitivity(camera.field_mm, lattice.u_mm, head)
            * through_table(protocol.table, table_mm, angle, lattice.u_mm, axis)
            for head, angle in enumerate(angles)
        ]
    )
    row_cps = np.einsum("kvrc,vc->kvr", unscattered + scattered, columns)
    field, half_life = camera.field_mm[0], emitters[0].half_life_h
    room = (
        faults.background(camera.field_mm, lattice.spacing_mm)
        * field
        * _ramp(lattice, highest, length, protocol.feather_mm)[:, None]
        * seen_columns(lattice, camera)[None, :]
    )  # times mm/s
    speed = protocol.speed_over(field)
    seconds = pass_seconds(row_cps, lattice, highest, length, field, speed, fractions, faults, protocol, half_life)
    for _ in range(6 if counts is not None else 0):  # decay and dead time alone make it more than a proportion
        total = float((row_cps * seconds).sum()) / len(views)
        if not total > 0:
            raise InvalidValue("Nothing under the camera sends photons, so no speed gives these counts.", counts=counts)
        speed *= (total + float(room.sum()) / speed) / counts  # type: ignore[operator]
        seconds = pass_seconds(row_cps, lattice, highest, length, field, speed, fractions, faults, protocol, half_life)
    return WholeBodyModel(
        camera=camera,
        faults=faults,
        views=views,
        lattice=lattice,
        axis_mm=axis,
        window_kev=window,
        emitters=emitters,
        looks=tuple(looks),
        unscattered_cps=unscattered,
        scattered_cps=scattered,
        columns=columns,
        seconds=seconds,
        background=room / speed,
        speed_mm_per_s=speed,
        scan_length_mm=length,
        duration_s=(length + field) / speed,
        top_mm=highest,
    )


def pass_seconds(
    row_cps: Array,
    lattice: Lattice,
    top_mm: float,
    length_mm: float,
    field_mm: float,
    speed_mm_per_s: float,
    begins: Sequence[float],
    faults: Faults,
    protocol: WholeBody,
    half_life_h: float,
) -> Array:
    """How long each row is under a passing head in each pose, weighted with decay and with what dead time leaves.

    Parameters
    ----------
    row_cps : (pose, view, row) ndarray
        Counts per second of each row at the start, were the head over it; they decide on the dead time.
    lattice : Lattice
    top_mm, length_mm : float
        Upper end and length of the pass.
    field_mm : float
        Axial, of the heads.
    speed_mm_per_s : float
    begins : sequence of float
        By pose, the fraction of the pass at which it is taken.
    faults : Faults
    protocol : WholeBody
        For the direction, and the feathered ends.
    half_life_h : float

    Returns
    -------
    (pose, view, row) ndarray
    """
    from_top = top_mm - lattice.z_mm
    way = from_top if protocol.head_first else length_mm - from_top
    total_s = (length_mm + field_mm) / speed_mm_per_s
    per_s = math.log(2) / (3600 * half_life_h)
    starts = np.array([*begins, 1.0]) * total_s
    times = np.union1d(np.linspace(0, total_s, _TIMES + 1), starts)
    middles = (times[1:] + times[:-1]) / 2
    decayed = np.exp(-per_s * times[:-1]) * -np.expm1(-per_s * np.diff(times)) / per_s
    ramp = _ramp(lattice, top_mm, length_mm, protocol.feather_mm)
    edge = speed_mm_per_s * middles
    step = lattice.spacing_mm[0]
    order = np.argsort(way)
    borders = np.append(way[order] - step / 2, way[order[-1]] + step / 2)
    out = np.empty(row_cps.shape)
    for view in range(row_cps.shape[1]):
        under = np.zeros(len(middles))
        for k in range(row_cps.shape[0]):
            summed = np.append(0, np.cumsum((row_cps[k, view] * ramp)[order]))
            now = (middles >= starts[k]) & (middles < starts[k + 1])
            under[now] = (np.interp(edge, borders, summed) - np.interp(edge - field_mm, borders, summed))[now]
        kept = faults.kept(under * np.exp(-per_s * middles)) * decayed
        for k in range(row_cps.shape[0]):
            now = (middles >= starts[k]) & (middles < starts[k + 1])
            clock = np.append(0, np.cumsum(np.where(now, kept, 0.0)))
            on = np.interp(way / speed_mm_per_s, times, clock)
            off = np.interp((way + field_mm) / speed_mm_per_s, times, clock)
            out[k, view] = (off - on) * ramp
    return out


def _ramp(lattice: Lattice, top_mm: float, length_mm: float, feather_mm: float) -> Array:
    """Share of its time that each row is given; half at the ends of the pass."""
    way = top_mm - lattice.z_mm
    return np.clip(np.minimum(way, length_mm - way) / max(feather_mm, 1e-6) + 0.5, 0, 1)


def _middle_x(silhouette: NDArray[np.bool_], first_mm: float, step_mm: float) -> float:
    columns = silhouette.view(np.uint8).reshape(-1, silhouette.shape[2]).sum(axis=0, dtype=np.int64)
    return first_mm + step_mm * float(np.average(np.arange(len(columns)), weights=columns))


def _check_poses(emitters: tuple[Emitter, ...], begins: tuple[float, ...]) -> None:
    if not emitters or len(begins) != len(emitters) or begins[0] != 0:
        raise InvalidValue(f"Every pose begins once, the first at 0; got {len(emitters)} poses and {begins}.")
    if any(late < early for early, late in zip(begins, [*begins[1:], 1.0], strict=True)):
        raise InvalidValue(f"Poses are taken one after another between 0 and 1 of the pass, got {begins}.")
    if len({emitter.half_life_h for emitter in emitters}) > 1:
        raise InvalidValue("One nuclide has one half-life in every pose.")
