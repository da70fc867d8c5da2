"""The syringe: how much of a calibrated vial holds an activity at a later hour, and what of it was really injected.

::

    Vial, activity, time ─► draw ─► Syringe ─► measured before and after ─► net_injected
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bonescan.errors import InvalidValue
from bonescan.measurement import Measurement
from bonescan.scan import Remark, Severity
from bonescan.tracer.activity import require_range

__all__ = ["SYRINGE_RESIDUAL_PERCENT", "Syringe", "Vial", "draw", "hours_between", "net_injected"]

SYRINGE_RESIDUAL_PERCENT = (2.7, 8.3, 14.4)
"""Least, median and most that stayed in 48 syringes of Tc-99m HDP after injection [V]: Charles University, 2020,
"Residual activity in the syringe after radiopharmaceutical injection"."""

_LEAST_VOLUME_ML, _MOST_VOLUME_ML = 0.2, 5.0  # our decision [D]
_DOUBTFUL_H = 6.0  # calibrated so long before or after, the day may be mistaken [D]
_FARTHEST_H = 48.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vial:
    """A vial of labelled tracer as its calibration says.

    Parameters
    ----------
    activity_mbq : float
        At calibration.
    volume_ml : float
        Likewise.
    calibrated_at : datetime
        Before the injection, and then taken as the time of labelling too, from which the shelf life counts; or
        after it, where the vial was calibrated in advance.
    half_life_h : float
        Of the nuclide.
    shelf_life_h : float, optional
        Within which the product is to be used; ``None`` where it stands on the vial.

    Raises
    ------
    InvalidValue
        For an activity, volume, half-life or shelf life that is not positive and finite.
    """

    activity_mbq: float
    volume_ml: float
    calibrated_at: datetime
    half_life_h: float
    shelf_life_h: float | None = None

    def __post_init__(self) -> None:
        require_range("The vial's activity", self.activity_mbq, 1, 200_000, "MBq")
        require_range("The vial's volume", self.volume_ml, 0.05, 100, "ml")
        require_range("A half-life", self.half_life_h, 1e-3, 1e6, "h")
        if self.shelf_life_h is not None:
            require_range("A shelf life", self.shelf_life_h, 0.1, 1000, "h")

    def activity_at(self, when: datetime) -> float:
        """Return its activity in MBq at a time, *A0* · 2^(-*t* / *T*), before anything is taken out."""
        return self.activity_mbq * 2 ** (-hours_between(self.calibrated_at, when) / self.half_life_h)

    def concentration_at(self, when: datetime) -> float:
        """Return its activity per volume in MBq/ml at a time."""
        return self.activity_at(when) / self.volume_ml


@dataclass(frozen=True, slots=True, kw_only=True)
class Syringe:
    """What to draw from a vial so that a person receives an activity at a time.

    Parameters
    ----------
    volume_ml : float
        To draw.
    activity_mbq : float
        In the syringe at the time of injection.
    residual_mbq : float
        Of it, what is expected to stay behind in the syringe.
    vial_mbq, vial_mbq_per_ml : float
        In the vial at the time of injection, before drawing.
    left_ml, left_mbq : float
        In the vial after drawing, at the time of injection.
    half_life_h : float
        Of the nuclide.
    remarks : tuple of Remark
        Shelf life, small and large volumes.
    """

    volume_ml: float
    activity_mbq: float
    residual_mbq: float
    vial_mbq: float
    vial_mbq_per_ml: float
    left_ml: float
    left_mbq: float
    half_life_h: float
    remarks: tuple[Remark, ...] = ()

    def reading_mbq(self, minutes_before: float) -> float:
        """Return what the dose calibrator shows of the drawn syringe, minutes before the injection."""
        return float(self.activity_mbq * 2 ** (minutes_before / 60 / self.half_life_h))


def draw(vial: Vial, *, activity_mbq: float, inject_at: datetime, residual_percent: float = 0.0) -> Syringe:
    """Say how much of a vial to draw so that an activity is injected at a time.

    Parameters
    ----------
    vial : Vial
    activity_mbq : float
        To reach the person at `inject_at`.
    inject_at : datetime
        When it is injected.
    residual_percent : float
        Expected to stay in the syringe, 0 to 50 % of what was drawn; the more is drawn.

    Returns
    -------
    Syringe

    Raises
    ------
    InvalidValue
        When the vial does not hold that much, or a value is out of range.

    Notes
    -----
    ::

        volume = activity / (1 - residual) / concentration
        concentration = vial's activity 2^(-t / T) / vial's volume, t from calibration to injection

    When it is drawn makes no difference: vial and syringe decay alike.
    """
    require_range("Activity", activity_mbq, 0.1, 5000, "MBq")
    require_range("The share that stays in the syringe", residual_percent, 0, 50, "%")
    elapsed = hours_between(vial.calibrated_at, inject_at)
    if abs(elapsed) > _FARTHEST_H:
        raise InvalidValue(
            f"The vial is calibrated for {vial.calibrated_at:%Y-%m-%d %H:%M} and injected at "
            f"{inject_at:%Y-%m-%d %H:%M}, more than {_FARTHEST_H:g} h apart: check the dates.",
            calibrated_at=vial.calibrated_at,
            inject_at=inject_at,
        )
    held = vial.activity_at(inject_at)
    concentration = vial.concentration_at(inject_at)
    drawn = activity_mbq / (1 - residual_percent / 100)
    volume = drawn / concentration
    if volume > vial.volume_ml:
        raise InvalidValue(
            f"The vial will hold only {held:.0f} MBq in {vial.volume_ml:g} ml at {inject_at:%H:%M}, and "
            f"{drawn:.0f} MBq are needed: inject earlier or take a fresher vial.",
            held_mbq=held,
            needed_mbq=drawn,
        )
    remarks = []
    if elapsed < 0:
        remarks.append(
            Remark(
                code="plan.vial.later",
                text=f"The vial is calibrated for a time {-elapsed:.1f} h after the injection: its age is not known "
                f"here, read the expiry on its label{' and check the day' if elapsed < -_DOUBTFUL_H else ''}.",
                severity=Severity.WARNING if elapsed < -_DOUBTFUL_H else Severity.NOTE,
            )
        )
    elif vial.shelf_life_h is not None and elapsed > vial.shelf_life_h:
        remarks.append(
            Remark(
                code="plan.vial.expired",
                text=f"The vial is {elapsed:.1f} h old at injection, over its shelf life of {vial.shelf_life_h:g} h: "
                "take a fresh one.",
                severity=Severity.WARNING,
            )
        )
    elif vial.shelf_life_h is None and elapsed > _DOUBTFUL_H:
        remarks.append(
            Remark(
                code="plan.vial.earlier",
                text=f"The vial is calibrated for a time {elapsed:.1f} h before the injection: check the day, and the "
                "expiry on its label.",
                severity=Severity.WARNING,
            )
        )
    if volume < _LEAST_VOLUME_ML:
        remarks.append(
            Remark(
                code="plan.syringe.small",
                text=f"{volume:.2f} ml is little to draw exactly: dilute with saline as the label allows.",
                severity=Severity.WARNING,
            )
        )
    if volume > _MOST_VOLUME_ML:
        remarks.append(
            Remark(
                code="plan.syringe.large",
                text=f"{volume:.1f} ml is much for one syringe: the vial is weak; check its activity, volume and time.",
                severity=Severity.WARNING,
            )
        )
    return Syringe(
        volume_ml=volume,
        activity_mbq=drawn,
        residual_mbq=drawn - activity_mbq,
        vial_mbq=held,
        vial_mbq_per_ml=concentration,
        left_ml=vial.volume_ml - volume,
        left_mbq=held - drawn,
        half_life_h=vial.half_life_h,
        remarks=tuple(remarks),
    )


def net_injected(
    *,
    full_mbq: float,
    full_at: datetime,
    empty_mbq: float,
    empty_at: datetime,
    injected_at: datetime,
    half_life_h: float,
    reading_uncertainty_percent: float = 5.0,
) -> Measurement:
    """Return the activity that was really injected, from the syringe measured before and after.

    Parameters
    ----------
    full_mbq, full_at : float, datetime
        Reading of the full syringe.
    empty_mbq, empty_at : float, datetime
        Reading of the empty syringe with needle and swab.
    injected_at : datetime
        The time the answer refers to.
    half_life_h : float
        Of the nuclide.
    reading_uncertainty_percent : float
        One standard deviation of a reading. Both come from one calibrator, so the errors are alike and the
        percentage carries over to the difference; 5 % is a usual tolerance of calibrators [M].

    Returns
    -------
    Measurement
        In MBq at `injected_at`.

    Raises
    ------
    InvalidValue
        When more is left than there was, or the readings stand in the wrong order.

    Notes
    -----
    injected = full 2^((t_full - t) / T) - empty 2^((t_empty - t) / T), with t the time of injection.
    """
    require_range("The full syringe", full_mbq, 0, 5000, "MBq")
    require_range("The empty syringe", empty_mbq, 0, 5000, "MBq")
    if not full_at <= injected_at <= empty_at:
        raise InvalidValue(
            f"The syringe is measured full, injected and measured empty in this order; got {full_at:%H:%M}, "
            f"{injected_at:%H:%M} and {empty_at:%H:%M}.",
            full_at=full_at,
            injected_at=injected_at,
            empty_at=empty_at,
        )

    def at_injection(activity: float, when: datetime) -> float:
        return float(activity * 2 ** (hours_between(injected_at, when) / half_life_h))

    value = at_injection(full_mbq, full_at) - at_injection(empty_mbq, empty_at)
    if value < 0:
        raise InvalidValue(
            f"The empty syringe ({empty_mbq:g} MBq) holds more than the full one did ({full_mbq:g} MBq): check the "
            "readings.",
            full_mbq=full_mbq,
            empty_mbq=empty_mbq,
        )
    return Measurement(
        value=value,
        unit="MBq",
        uncertainty=value * reading_uncertainty_percent / 100,
        method="syringe before less after, at the time of injection",
    )


def hours_between(start: datetime, end: datetime) -> float:
    """Return the hours from one time to another.

    Parameters
    ----------
    start, end : datetime

    Returns
    -------
    float
        Negative when `end` comes first.
    """
    return (end - start).total_seconds() / 3600
