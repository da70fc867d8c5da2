"""Acquisition protocols as data: whole-body pass, spot views, blood flow and pool, tomography.

Defaults are those of the guidelines where they say something. Certainties: [V] read in the source, [V2] read in a
secondary source, [M] recalled, [C] computed, [D] our design.

==========================  =====================================  ===================================================
what                        default                                source
==========================  =====================================  ===================================================
energy window               15 %; 20 % as well                     EANM 2016, doi:10.1007/s00259-016-3415-4 [V]
whole-body speed            12 cm/min                              10 to 15 cm/min: SNM 2.0 by NuMeBook [V2]
whole-body matrix           1024 x 256                             usual practice [M]
from above head to feet     a few cm                               a department's protocol [V2]
spot views                  256 x 256, 700 k counts                300 k to 1 M, as the speed [V2]; 700 k [D]
blood flow                  2 s frames for 60 s, 128 x 128         1 to 5 s for 60 s, departments' protocols [V2]
blood pool                  5 min after injection, for 5 min       within 5 to 10 min, EANM 2016 [V]; 5 min [V2]
delayed phase               3 h                                    2 to 5 h, EANM 2016 [V]
tomography                  64 views of 20 s, 128 x 128            60 to 120 views of 10 to 30 s [M]; 64 x 20 s [V2]
scatter window              15 %, next below the photopeak         usual dual window [M]
time from stop to stop      3 s                                    [D]
skin to collimator          20 mm with contour                     a safe distance kept by light barriers [D]
==========================  =====================================  ===================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from bonescan.errors import InvalidValue

__all__ = [
    "PROTOCOLS",
    "AcquisitionProtocol",
    "Flow",
    "Pool",
    "Spot",
    "Table",
    "ThreePhase",
    "Tomography",
    "WholeBody",
    "protocol",
]


def _not_negative(whose: str, **values: float) -> None:
    for what, value in values.items():
        if not 0 <= value < math.inf:
            raise InvalidValue(f"{whose} {what} is finite and not negative, got {value}.", got=value)


def _check_picture(shape: tuple[int, int], window_percent: float) -> None:
    if len(shape) != 2 or min(shape) < 2:
        raise InvalidValue(f"A picture has at least 2 x 2 pixels, got {shape}.", got=shape)
    if not 1 <= window_percent <= 40:
        raise InvalidValue(f"An energy window is 1 to 40 % wide, got {window_percent} %.", got=window_percent)


def _check_centre(centre_mm: tuple[float, float]) -> None:
    if len(centre_mm) != 2 or not all(map(math.isfinite, centre_mm)):
        raise InvalidValue(f"A field's centre is (x, z) in mm, got {centre_mm}.", got=centre_mm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The pallet and mattress the patient lies on.

    Parameters
    ----------
    thickness_mm : float
        From the patient's back to the pallet's underside.
    width_mm : float
        Across; rays that pass beside it are not weakened.
    aluminium_mm : float
        Aluminium that weakens 140.5 keV as much, straight through. 1.5 mm takes away 5.5 %; makers promise less than
        10 % [M], the figure itself is a design decision [D].
    gap_mm : float
        From its underside to the collimator below [D].

    Raises
    ------
    InvalidValue
        For a length that is negative or not finite.
    """

    thickness_mm: float = 30.0
    width_mm: float = 400.0
    aluminium_mm: float = 1.5
    gap_mm: float = 15.0

    def __post_init__(self) -> None:
        _not_negative(
            "A table's", thickness=self.thickness_mm, width=self.width_mm, aluminium=self.aluminium_mm, gap=self.gap_mm
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeBody:
    """Both heads pass over the patient from end to end.

    Parameters
    ----------
    speed_mm_per_s : float or None
        Of the heads along the body; ``None`` where ``dwell_s`` says how long.
    dwell_s : float or None
        How long every row is under the heads.
    contour : bool
        The upper head follows the body; else it stays at one height. The lower head stays under the table.
    clearance_mm : float
        Between the highest skin under the upper head and its collimator.
    head_first : bool
        The pass begins at the patient's head.
    feather_mm : float
        Over which length the rows' time grows at either end, as the window on the crystal opens and closes [D].
    shape : (row, column)
    window_percent : float
    table : Table

    Raises
    ------
    InvalidValue
        For a value outside its range, or unless one of speed and dwell is given.
    """

    speed_mm_per_s: float | None = 2.0
    dwell_s: float | None = None
    contour: bool = True
    clearance_mm: float = 20.0
    head_first: bool = True
    feather_mm: float = 10.0
    shape: tuple[int, int] = (1024, 256)
    window_percent: float = 15.0
    table: Table = Table()

    def __post_init__(self) -> None:
        told = [value for value in (self.speed_mm_per_s, self.dwell_s) if value is not None]
        if len(told) != 1 or not 0 < told[0] < math.inf:
            raise InvalidValue(
                f"A whole-body pass has either a positive speed or a positive dwell, got {self.speed_mm_per_s} mm/s "
                f"and {self.dwell_s} s."
            )
        _not_negative("A whole-body pass's", clearance=self.clearance_mm, feather=self.feather_mm)
        _check_picture(self.shape, self.window_percent)

    def speed_over(self, field_mm: float) -> float:
        """Speed of heads with an axial field.

        Parameters
        ----------
        field_mm : float

        Returns
        -------
        float
            mm/s.
        """
        if self.speed_mm_per_s is not None:
            return self.speed_mm_per_s
        assert self.dwell_s is not None
        return field_mm / self.dwell_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Both heads stand still over a part of the body.

    Parameters
    ----------
    centre_mm : (x, z)
        Of the field, in the body's frame.
    duration_s : float or None
    counts : float or None
        Where no duration is told: mean of the two views' expected counts, which sets the duration.
    clearance_mm : float
    shape : (row, column)
    window_percent : float
    table : Table

    Raises
    ------
    InvalidValue
        For a value outside its range, or unless one of duration and counts is given.
    """

    centre_mm: tuple[float, float] = (0.0, 1250.0)
    duration_s: float | None = None
    counts: float | None = 700e3
    clearance_mm: float = 20.0
    shape: tuple[int, int] = (256, 256)
    window_percent: float = 15.0
    table: Table = Table()

    def __post_init__(self) -> None:
        told = [value for value in (self.duration_s, self.counts) if value is not None]
        if len(told) != 1 or not 0 < told[0] < math.inf:
            raise InvalidValue(
                f"A spot view has either a positive duration or positive counts, got {self.duration_s} s and "
                f"{self.counts} counts."
            )
        _check_centre(self.centre_mm)
        _not_negative("A spot view's", clearance=self.clearance_mm)
        _check_picture(self.shape, self.window_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A film of the bolus's first pass through a part of the body.

    Parameters
    ----------
    centre_mm : (x, z)
    frame_s : float
    frames : int
    start_s : float
        When it begins after the injection; a bolus needs some seconds from the arm anyway.
    clearance_mm : float
    shape : (row, column)
    window_percent : float
    table : Table

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    centre_mm: tuple[float, float] = (0.0, 1250.0)
    frame_s: float = 2.0
    frames: int = 30
    start_s: float = 0.0
    clearance_mm: float = 20.0
    shape: tuple[int, int] = (128, 128)
    window_percent: float = 15.0
    table: Table = Table()

    def __post_init__(self) -> None:
        if not 0 < self.frame_s < math.inf or self.frames < 1:
            raise InvalidValue(f"A flow has frames that last, got {self.frames} of {self.frame_s} s.")
        _check_centre(self.centre_mm)
        _not_negative("A flow's", start=self.start_s, clearance=self.clearance_mm)
        _check_picture(self.shape, self.window_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """When and how the blood pool is seen: a spot view soon after injection.

    Parameters
    ----------
    start_min : float
        After the injection.
    spot : Spot
    """

    start_min: float = 5.0
    spot: Spot = Spot(duration_s=300.0, counts=None)

    def __post_init__(self) -> None:
        _not_negative("A blood pool's", start=self.start_min)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreePhase:
    """Blood flow, blood pool and the delayed view of one part of the body.

    Parameters
    ----------
    flow : Flow
    pool : Pool
    delayed : Spot
    delayed_h : float
        Hours from injection to the last phase.
    """

    flow: Flow = Flow()
    pool: Pool = Pool()
    delayed: Spot = Spot()
    delayed_h: float = 3.0

    def over(self, centre_mm: tuple[float, float]) -> ThreePhase:
        """All three phases over one place.

        Parameters
        ----------
        centre_mm : (x, z)

        Returns
        -------
        ThreePhase
        """
        pool = replace(self.pool, spot=replace(self.pool.spot, centre_mm=centre_mm))
        return replace(
            self,
            flow=replace(self.flow, centre_mm=centre_mm),
            pool=pool,
            delayed=replace(self.delayed, centre_mm=centre_mm),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tomography:
    """Two opposite heads go around a part of the body, each half the way.

    Parameters
    ----------
    centre_mm : (x, z)
        Of the field. The axis of rotation lies at x, and midway between the patient's front and the table's underside.
    views : int
        Around the full circle, even.
    seconds_per_view : float
    continuous : bool
        The heads turn while they count; else they step and shoot.
    step_s : float
        From stop to stop, without counting; 0 for continuous motion.
    orbit : str
        ``"contour"``, ``"ellipse"`` or ``"circle"``.
    clearance_mm : float
        Between collimator and skin or table.
    scatter_percent : float
        Width of the scatter window next below the photopeak, in percent of 140.5 keV, up to 40; 0 for none.
    shape : (row, column)
    window_percent : float
    table : Table

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    centre_mm: tuple[float, float] = (0.0, 1100.0)
    views: int = 64
    seconds_per_view: float = 20.0
    continuous: bool = False
    step_s: float = 3.0
    orbit: str = "contour"
    clearance_mm: float = 20.0
    scatter_percent: float = 15.0
    shape: tuple[int, int] = (128, 128)
    window_percent: float = 15.0
    table: Table = Table()

    def __post_init__(self) -> None:
        if self.views < 2 or self.views % 2 or not 0 < self.seconds_per_view < math.inf:
            raise InvalidValue(
                f"A tomography by two heads has an even number of views that last, got {self.views} of "
                f"{self.seconds_per_view} s."
            )
        if self.orbit not in ("contour", "ellipse", "circle"):
            raise InvalidValue(f"An orbit is contour, ellipse or circle, got {self.orbit!r}.", got=self.orbit)
        if self.continuous and self.step_s:
            raise InvalidValue(f"A continuous motion has no steps, got {self.step_s} s from stop to stop.")
        if not 0 <= self.scatter_percent <= 40:
            raise InvalidValue(f"A scatter window is 0 to 40 % wide, got {self.scatter_percent} %.")
        _check_centre(self.centre_mm)
        _not_negative("A tomography's", clearance=self.clearance_mm, step=self.step_s)
        _check_picture(self.shape, self.window_percent)

    def windows_kev(self, photopeak_kev: tuple[float, float]) -> tuple[tuple[float, float], ...]:
        """Energy windows, the photopeak first.

        Parameters
        ----------
        photopeak_kev : (lower, upper)

        Returns
        -------
        tuple of (lower, upper)
        """
        if not self.scatter_percent:
            return (photopeak_kev,)
        width = self.scatter_percent / 100 * sum(photopeak_kev) / 2
        return (photopeak_kev, (photopeak_kev[0] - width, photopeak_kev[0]))


AcquisitionProtocol = WholeBody | Spot | ThreePhase | Tomography

PROTOCOLS: Mapping[str, AcquisitionProtocol] = MappingProxyType(
    {
        "whole_body": WholeBody(),
        "whole_body_fast": WholeBody(speed_mm_per_s=2.5),  # 15 cm/min, the guideline's fastest [V2]
        "whole_body_fixed_height": WholeBody(contour=False),
        "spot": Spot(),
        "three_phase": ThreePhase(),
        "tomography": Tomography(),
        "tomography_continuous": Tomography(views=120, seconds_per_view=10.0, continuous=True, step_s=0.0),  # [D]
        "tomography_ellipse": Tomography(orbit="ellipse"),
    }
)
"""Protocols by name."""


def protocol(name: str) -> AcquisitionProtocol:
    """A protocol by its name.

    Parameters
    ----------
    name : str
        Key of `PROTOCOLS`.

    Returns
    -------
    WholeBody, Spot, Flow, Pool, ThreePhase or Tomography

    Raises
    ------
    InvalidValue
        For an unknown name.

    Examples
    --------
    >>> protocol("whole_body").speed_mm_per_s
    2.0
    """
    if name not in PROTOCOLS:
        raise InvalidValue(f"There is no protocol {name!r}; there are {', '.join(PROTOCOLS)}.", got=name)
    return PROTOCOLS[name]
