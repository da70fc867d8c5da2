"""What is wrong with a camera on a day: unevenness, dead tubes and time, a shifted axis, a drifted peak, background.

Each fault is optional. By default a camera has what its maker owns up to, the non-uniformity left after correction and
its dead time, and the room's background (`Faults.usual`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RectBivariateSpline

from bonescan.errors import InvalidValue

if TYPE_CHECKING:
    from bonescan.camera.cameras import Camera

__all__ = ["NO_FAULTS", "DeadTime", "DeadTube", "Faults", "Flood"]

Array = NDArray[np.float64]

_TUBE_MM = 70.0  # pitch of photomultipliers, three inches wide, and so of what is left of their pattern [M]
_STEP_MM = 6.4  # NEMA's pixel for uniformity [M]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Sensitivity that differs over the crystal, as a flood picture shows it.

    Parameters
    ----------
    percent : float
        Integral non-uniformity (max - min) / (max + min) over the useful field, 0 to 50.
    seed : int
        Of the pattern, which differs from head to head: a smooth random surface with a node at every tube.

    Raises
    ------
    InvalidValue
        For a non-uniformity outside its range or a negative seed.
    """

    percent: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 50 or self.seed < 0:
            raise InvalidValue(
                f"An integral non-uniformity is 0 to 50 %, a seed at least 0; got {self.percent}, {self.seed}."
            )

    def sensitivity(self, field_mm: tuple[float, float], w_mm: ArrayLike, u_mm: ArrayLike, head: int) -> Array:
        """Relative sensitivity; its mean over the field is 1.

        Parameters
        ----------
        field_mm : (axial, transverse)
        w_mm, u_mm : (row,), (column,) ndarray
            Places from the field's middle: towards the patient's head, and along the columns.
        head : int
            0 or 1.

        Returns
        -------
        (row, column) ndarray
            Beyond the field as at its edge.
        """
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(head,)))
        many = [max(4, math.ceil(length / _TUBE_MM) + 1) for length in field_mm]
        nodes = [np.linspace(-length / 2, length / 2, n) for length, n in zip(field_mm, many, strict=True)]
        surface = RectBivariateSpline(*nodes, rng.standard_normal(many))
        fine = [np.arange(-length / 2 + _STEP_MM / 2, length / 2, _STEP_MM) for length in field_mm]
        own = surface(*fine)
        mean, low, high = own.mean(), own.min(), own.max()
        # 1 + k (s - mean) has the integral non-uniformity p where  k (high - low) = p (2 + k (high + low - 2 mean))
        p = self.percent / 100
        k = 2 * p / ((high - low) - p * (high + low - 2 * mean))
        places = [np.clip(at, -length / 2, length / 2) for at, length in zip((w_mm, u_mm), field_mm, strict=True)]
        w, u = np.atleast_1d(places[0])[:, None], np.atleast_1d(places[1])[None, :]
        return np.asarray(1 + k * (surface(w, u, grid=False) - mean))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTube:
    """A photomultiplier that gives no light: a cold disc on the crystal, in a whole-body pass a cold band.

    Parameters
    ----------
    w_mm, u_mm : float
        Its place from the field's middle: towards the patient's head, and along the columns.
    radius_mm : float
        To where half the counts are lost; three-inch tubes have 38 mm [M].
    left_fraction : float
        Of the counts in its middle.
    head : int
        0 or 1.

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    w_mm: float = 0.0
    u_mm: float = 0.0
    radius_mm: float = 38.0
    left_fraction: float = 0.0
    head: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.radius_mm < math.inf or not 0 <= self.left_fraction <= 1 or self.head not in (0, 1):
            raise InvalidValue(
                f"A dead tube has a positive radius, leaves 0 to 1 of the counts, and belongs to head 0 or 1; got "
                f"{self.radius_mm} mm, {self.left_fraction}, {self.head}."
            )

    def sensitivity(self, w_mm: ArrayLike, u_mm: ArrayLike) -> Array:
        """What is left of the counts.

        Parameters
        ----------
        w_mm, u_mm : (row,), (column,) ndarray

        Returns
        -------
        (row, column) ndarray
            0 to 1; the edge rises over about 20 mm, as neighbouring tubes see light from there.
        """
        away = np.hypot(np.atleast_1d(w_mm)[:, None] - self.w_mm, np.atleast_1d(u_mm)[None, :] - self.u_mm)
        lost = (1 - self.left_fraction) / (1 + np.exp(np.clip((away - self.radius_mm) / 5.0, -50, 50)))
        return np.asarray(1 - lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTime:
    """Counts lost as each event blinds the head for a while, and a further event in that while prolongs it.

    Parameters
    ----------
    microseconds : float
        tau, for events of the energy window.
    events_per_count : float
        Events of any energy for each in the window, in a patient over what it is in air, where tau was measured:
        scatter below the window blinds the head too. 1.5 is a design guess [D].

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    microseconds: float
    events_per_count: float = 1.5

    def __post_init__(self) -> None:
        if not 0 <= self.microseconds <= 100 or not 0 < self.events_per_count < math.inf:
            raise InvalidValue(
                f"A dead time is 0 to 100 us and a count has events, got {self.microseconds} us and "
                f"{self.events_per_count}."
            )

    def kept(self, cps: ArrayLike) -> Array:
        """Share of counts that are not lost.

        Parameters
        ----------
        cps : ndarray
            True rate of counts in the window over the whole head.

        Returns
        -------
        ndarray
            exp(-n tau), n the rate of events.
        """
        return np.exp(-1e-6 * self.microseconds * self.events_per_count * np.asarray(cps, dtype=float))


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """All that is wrong with a camera.

    Parameters
    ----------
    flood : Flood or None
    dead_tubes : tuple of DeadTube
    dead_time : DeadTime or None
    axis_offset_mm : float
        Tomography: how far along the columns the axis of rotation falls from where it is thought to fall.
    peak_drift_kev : float
        By how much the camera reads every energy too high: its window then lies as much too low.
    background_cps : float
        Counts per second of the room's radiation in the window, evenly over each head's field.

    Raises
    ------
    InvalidValue
        For an offset that is not finite, a drift of more than 30 keV, or a background that is negative or not finite.
    """

    flood: Flood | None = None
    dead_tubes: tuple[DeadTube, ...] = ()
    dead_time: DeadTime | None = None
    axis_offset_mm: float = 0.0
    peak_drift_kev: float = 0.0
    background_cps: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.axis_offset_mm) or not abs(self.peak_drift_kev) <= 30:
            raise InvalidValue(
                f"An axis's offset is finite and a peak drifts by 30 keV at most, got {self.axis_offset_mm} mm and "
                f"{self.peak_drift_kev} keV."
            )
        if not 0 <= self.background_cps < math.inf:
            raise InvalidValue(f"A background is finite and not negative, got {self.background_cps} cps.")

    @classmethod
    def usual(cls, camera: Camera, seed: int = 0) -> Faults:
        """What its maker owns up to, and the room's background.

        Parameters
        ----------
        camera : Camera
        seed : int
            Of the pattern of its sensitivity.

        Returns
        -------
        Faults
            With 5 cps of background: 22 real scans show 0.015 to 0.03 counts in a pixel of 2.4 mm beside the body,
            which over such a field and some 190 s is 3 to 6 cps.
        """
        return cls(
            flood=Flood(percent=camera.uniformity_percent, seed=seed),
            dead_time=DeadTime(microseconds=camera.dead_time_us),
            background_cps=5.0,
        )

    def sensitivity(self, field_mm: tuple[float, float], w_mm: ArrayLike, u_mm: ArrayLike, head: int) -> Array:
        """Relative sensitivity of a head.

        Parameters
        ----------
        field_mm : (axial, transverse)
        w_mm, u_mm : (row,), (column,) ndarray
        head : int
            0 or 1.

        Returns
        -------
        (row, column) ndarray
        """
        out = np.ones((np.size(w_mm), np.size(u_mm)))
        if self.flood is not None:
            out *= self.flood.sensitivity(field_mm, w_mm, u_mm, head)
        for tube in self.dead_tubes:
            if tube.head == head:
                out *= tube.sensitivity(w_mm, u_mm)
        return out

    def passing_sensitivity(self, field_mm: tuple[float, float], u_mm: ArrayLike, head: int) -> Array:
        """Relative sensitivity of a head that passes along the body, its mean along the pass.

        Parameters
        ----------
        field_mm : (axial, transverse)
        u_mm : (column,) ndarray
        head : int
            0 or 1.

        Returns
        -------
        (column,) ndarray
        """
        return _passing(self, field_mm, tuple(np.atleast_1d(u_mm).tolist()), head).copy()

    def window_seen(self, window_kev: tuple[float, float]) -> tuple[float, float]:
        """True energies that the window takes in.

        Parameters
        ----------
        window_kev : (lower, upper)
            As set, and as the headers say.

        Returns
        -------
        lower, upper : float
        """
        return window_kev[0] - self.peak_drift_kev, window_kev[1] - self.peak_drift_kev

    def background(self, field_mm: tuple[float, float], pixel_mm: tuple[float, float]) -> float:
        """Counts per second of the room in each pixel within the field.

        Parameters
        ----------
        field_mm : (axial, transverse)
        pixel_mm : (row, column)

        Returns
        -------
        float
        """
        return self.background_cps * math.prod(pixel_mm) / math.prod(field_mm)

    def kept(self, cps: ArrayLike) -> Array:
        """Share of counts that dead time leaves.

        Parameters
        ----------
        cps : ndarray
            True rate over the head.

        Returns
        -------
        ndarray
        """
        return np.ones(np.shape(cps)) if self.dead_time is None else self.dead_time.kept(cps)


@lru_cache(maxsize=16)  # many patients lie under one camera
def _passing(faults: Faults, field_mm: tuple[float, float], u_mm: tuple[float, ...], head: int) -> Array:
    along = np.arange(-field_mm[0] / 2 + _STEP_MM / 2, field_mm[0] / 2, _STEP_MM)
    return np.asarray(faults.sensitivity(field_mm, along, u_mm, head).mean(axis=0))


NO_FAULTS = Faults()
"""A perfect camera."""
