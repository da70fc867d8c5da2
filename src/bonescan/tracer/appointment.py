"""The appointment: when to inject, drink, void, image, leave, feed and dialyse, and when little is left.

The clock times follow guidelines; how much tracer is left at each follows from the kinetics.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bonescan.errors import InvalidValue
from bonescan.scan import Remark, Severity
from bonescan.tracer.activity import ADULT_FROM_YEARS
from bonescan.tracer.biokinetics import Physiology, kinetics, usual_gfr_ml_per_min
from bonescan.tracer.radiopharmaceuticals import RADIOPHARMACEUTICALS, radiopharmaceutical
from bonescan.tracer.syringe import hours_between

__all__ = [
    "OTHER_TRACERS",
    "Appointment",
    "PreviousStudy",
    "Referral",
    "clock_time",
    "make_appointment",
    "weigh_previous",
]

OTHER_TRACERS = {"Tc-99m": 6.007, "F-18": 1.829, "I-123": 13.2, "Tl-201": 72.9, "In-111": 67.3, "Ga-67": 78.3,
                 "Lu-177": 159.5, "I-131": 192.5}  # fmt: skip
"""Half-life in hours [M, nuclear data tables] of what an earlier study may have used; of such a study only the decay
is counted, so what is left of it is an upper bound."""

_HIGH_ENERGY = frozenset({"In-111", "Ga-67", "I-131", "Lu-177", "F-18"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schedule:
    """Hours after injection for one nuclide, as far as they are not limits of the radiopharmaceutical."""

    image_at_h: float
    stay_h: float
    contact_h: float
    feed_h: float
    drink_ml: int
    exempt_mbq: float
    usv_per_h_mbq_at_1_m: float
    sources: tuple[str, ...]


# Certainty, Tc-99m: feeding, drinking, dialysis, dose rate read [V], exempt activity recalled [M], the rest ours [D].
# F-18: feeding and drinking read [V], exempt activity and dose rate recalled [M], the rest ours [D].
_SCHEDULES = {
    "Tc-99m": _Schedule(
        image_at_h=3,
        stay_h=0.75,
        contact_h=12,
        feed_h=4,
        drink_ml=1000,
        exempt_mbq=10,
        usv_per_h_mbq_at_1_m=10 / 740,
        sources=(
            "Drinking, breast-feeding, dialysis: EANM 2016, doi:10.1007/s00259-016-3415-4.",
            "Imaging at 3 h, 45 min for it, close contact 12 h: this project's choice.",
            "Dose rate: NCRP report 124, 10 µSv/h at 1 m of 740 MBq just injected.",
            "Exempt activity: IAEA safety standards, recalled.",
        ),
    ),
    "F-18": _Schedule(
        image_at_h=1,
        stay_h=0.75,
        contact_h=6,
        feed_h=4,
        drink_ml=500,
        exempt_mbq=1,
        usv_per_h_mbq_at_1_m=0.092,
        sources=(
            "Breast-feeding: ACMUI. Drinking: FDA label of sodium fluoride F 18.",
            "Imaging at 1 h, 45 min for it, close contact 6 h: this project's choice.",
            "Dose rate: AAPM task group 108, recalled.",
            "Exempt activity: IAEA safety standards, recalled.",
        ),
    ),
}

_DIALYSIS_H = (0.25, 5.0)
_DIALYSIS_GFR_ML_PER_MIN = 5.0
_VOIDS_H = (1.0, 2.0)
_LATER_VOIDS_H = (*range(4, 20, 4), *range(24, 100, 6))
_ADULT_AGE_YEARS = 40.0
_YOUNGEST_YEARS, _LIGHTEST_KG = 1.0, 5.0
_MAY_BE_PREGNANT_YEARS = (12, 55)
_PREVIOUS_PERCENT = 5.0
_LONGEST_H = 96.0
_LONGEST_WAIT_H = 48.0
_YEARS = (1950, 2199)
_CLOCK = re.compile(r"(?:(\d{4})-(\d{2})-(\d{2})[ T])?(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousStudy:
    """An earlier study whose tracer may still be in the body.

    Parameters
    ----------
    tracer : str
        A name of `bonescan.tracer.RADIOPHARMACEUTICALS`, or a nuclide of `OTHER_TRACERS`.
    activity_mbq : float
        Injected then.
    injected_at : datetime
    """

    tracer: str
    activity_mbq: float
    injected_at: datetime

    def __post_init__(self) -> None:
        if self.tracer not in RADIOPHARMACEUTICALS and self.tracer not in OTHER_TRACERS:
            known = ", ".join((*RADIOPHARMACEUTICALS, *OTHER_TRACERS))
            raise InvalidValue(f"The earlier study's tracer is one of {known}; got {self.tracer!r}.", got=self.tracer)
        if not 0 < self.activity_mbq <= 50_000:
            raise InvalidValue(
                f"The earlier study's activity is above 0 and at most 50000 MBq, got {self.activity_mbq:g}.",
                got=self.activity_mbq,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """What is known of the person who is to be injected; no name, no number.

    Parameters
    ----------
    mass_kg : float
    age_years, height_cm : float, optional
    sex : str, optional
        ``"female"`` or ``"male"``.
    pregnant, breastfeeding, dialysis : bool
    previous : PreviousStudy, optional

    Raises
    ------
    InvalidValue
        For facts that exclude each other.
    """

    mass_kg: float
    age_years: float | None = None
    height_cm: float | None = None
    sex: str | None = None
    pregnant: bool = False
    breastfeeding: bool = False
    dialysis: bool = False
    previous: PreviousStudy | None = None

    def __post_init__(self) -> None:
        if self.sex not in (None, "female", "male"):
            raise InvalidValue(f"Sex is female or male here, got {self.sex!r}.", got=self.sex)
        for state, true in (("pregnant", self.pregnant), ("breast-feeding", self.breastfeeding)):
            if true and self.sex == "male":
                raise InvalidValue(f"A man is planned as {state}: check the sex.", sex=self.sex)
            if true and self.age_years is not None and self.age_years < 10:
                raise InvalidValue(
                    f"A child of {self.age_years:g} years is planned as {state}: check the age.", age=self.age_years
                )

    @property
    def is_child(self) -> bool:
        """Whether the rules for children hold."""
        return self.age_years is not None and self.age_years < ADULT_FROM_YEARS

    @property
    def assumed_age_years(self) -> float:
        """The age, or that of an adult where it was not given."""
        return self.age_years if self.age_years is not None else _ADULT_AGE_YEARS

    @property
    def may_be_pregnant(self) -> bool:
        """Whether pregnancy must be asked about: everyone from 12 to 55 years [D] who is not known to be male."""
        return self.sex != "male" and _MAY_BE_PREGNANT_YEARS[0] <= self.assumed_age_years <= _MAY_BE_PREGNANT_YEARS[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """The clock times of one study and what is in the body then.

    Parameters
    ----------
    inject_at, image_from, image_at, image_until, leave_at : datetime
        Injection; earliest, planned and latest begin of the pictures; when the person may go home.
    drink_ml : int or None
        To drink between injection and imaging; ``None`` for a child, and on dialysis, where the kidney unit decides.
    contact_until : datetime
        Until when long close contact with small children and pregnant people is better kept short.
    feed_from : datetime or None
        When breast-feeding goes on.
    dialysis_from, dialysis_until : datetime or None
        Window in which a haemodialysis clears blood and soft tissue.
    tenth_at, exempt_at : datetime
        When a tenth of the injected activity is left, and less than `exempt_mbq`.
    exempt_mbq : float
        Activity below which a source needs no licence: "little is left".
    left_mbq : dict of str to float
        In the body ``"at_imaging"``, ``"at_leaving"``, ``"after_24_h"``, ``"after_48_h"``.
    dose_rate_usv_per_h : float
        At 1 m when leaving.
    sources : tuple of str
        Of the times, one sentence each.
    remarks : tuple of Remark
        Where a time lies outside its window, or the kinetics had to be those of somebody larger.
    """

    inject_at: datetime
    image_from: datetime
    image_at: datetime
    image_until: datetime
    leave_at: datetime
    drink_ml: int | None
    contact_until: datetime
    feed_from: datetime | None
    dialysis_from: datetime | None
    dialysis_until: datetime | None
    tenth_at: datetime
    exempt_at: datetime
    exempt_mbq: float
    left_mbq: dict[str, float]
    dose_rate_usv_per_h: float
    sources: tuple[str, ...]
    remarks: tuple[Remark, ...] = ()


def clock_time(text: str, near: datetime) -> datetime:
    """Read a time, and give a bare clock time the day on which it lies nearest.

    Parameters
    ----------
    text : str
        ``"HH:MM"`` or ``"YYYY-MM-DD HH:MM"``.
    near : datetime
        The time a bare clock time belongs to; of two days equally near, the earlier.

    Returns
    -------
    datetime

    Raises
    ------
    InvalidValue
        When the text is no time.

    Examples
    --------
    >>> clock_time("22:30", datetime(2026, 3, 4, 7, 0))
    datetime.datetime(2026, 3, 3, 22, 30)
    """
    found = _CLOCK.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        year, month, day, hour, minute = (int(part) if part else None for part in found.groups())
        if year is not None and month is not None and day is not None:
            if not _YEARS[0] <= year <= _YEARS[1]:
                raise ValueError(text)
            return datetime(year, month, day, hour or 0, minute or 0)
        same_day = near.replace(hour=hour or 0, minute=minute or 0, second=0, microsecond=0)
    except ValueError as error:
        raise InvalidValue(
            f"A time is written HH:MM or YYYY-MM-DD HH:MM, in the years {_YEARS[0]} to {_YEARS[1]}, got {text!r}.",
            got=text,
        ) from error
    return min((same_day + timedelta(days=days) for days in (-1, 0, 1)), key=lambda time: abs(time - near))


def make_appointment(
    referral: Referral, *, tracer: str, activity_mbq: float, inject_at: datetime, image_at: datetime | None = None
) -> Appointment:
    """Set the clock times of one study.

    Parameters
    ----------
    referral : Referral
    tracer : str
        A name of `bonescan.tracer.RADIOPHARMACEUTICALS`.
    activity_mbq : float
        To be injected.
    inject_at : datetime
    image_at : datetime, optional
        When the camera is free; 3 h after the injection without it, 1 h with F-18.

    Returns
    -------
    Appointment

    Raises
    ------
    InvalidValue
        When the pictures would come before the injection, or days after it.
    """
    agent = radiopharmaceutical(tracer)
    schedule = _SCHEDULES[agent.nuclide.name]

    def after(hours: float) -> datetime:
        return inject_at + timedelta(hours=hours)

    image_at = image_at or after(schedule.image_at_h)
    if image_at <= inject_at:
        raise InvalidValue(
            f"The pictures at {image_at:%Y-%m-%d %H:%M} would come before the injection at "
            f"{inject_at:%Y-%m-%d %H:%M}: check both times.",
            image_at=image_at,
            inject_at=inject_at,
        )
    if hours_between(inject_at, image_at) > _LONGEST_WAIT_H:
        raise InvalidValue(
            f"The pictures at {image_at:%Y-%m-%d %H:%M} would come more than {_LONGEST_WAIT_H:g} h after the injection "
            f"at {inject_at:%Y-%m-%d %H:%M}: check the dates.",
            image_at=image_at,
            inject_at=inject_at,
        )
    leave_at = image_at + timedelta(hours=schedule.stay_h)
    image_from_h, image_until_h, source = _window(tracer)
    body_mbq = _body_activity(referral, tracer, activity_mbq, hours_between(inject_at, image_at))
    tenth_h = _first_below(body_mbq, activity_mbq / 10)
    left = {
        "at_imaging": body_mbq(hours_between(inject_at, image_at)),
        "at_leaving": body_mbq(hours_between(inject_at, leave_at)),
        "after_24_h": body_mbq(24),
        "after_48_h": body_mbq(48),
    }
    remarks = (*_of_kinetics(referral), *_of_window(image_at, after(image_from_h), after(image_until_h)))
    return Appointment(
        inject_at=inject_at,
        image_from=after(image_from_h),
        image_at=image_at,
        image_until=after(image_until_h),
        leave_at=leave_at,
        drink_ml=None if referral.dialysis or referral.is_child else schedule.drink_ml,
        contact_until=_next_hour(after(max(schedule.contact_h, tenth_h) if referral.dialysis else schedule.contact_h)),
        feed_from=after(schedule.feed_h) if referral.breastfeeding else None,
        dialysis_from=after(_DIALYSIS_H[0]) if referral.dialysis else None,
        dialysis_until=after(_DIALYSIS_H[1]) if referral.dialysis else None,
        tenth_at=_next_hour(after(tenth_h)),
        exempt_at=_next_hour(after(_first_below(body_mbq, schedule.exempt_mbq))),
        exempt_mbq=schedule.exempt_mbq,
        left_mbq=left,
        dose_rate_usv_per_h=left["at_leaving"] * schedule.usv_per_h_mbq_at_1_m,
        sources=(f"Imaging {image_from_h:g} to {image_until_h:g} h: {source}.", *schedule.sources),
        remarks=remarks,
    )


def weigh_previous(previous: PreviousStudy, nuclide: str, appointment: Appointment) -> tuple[float, tuple[Remark, ...]]:
    """Weigh what an earlier study left in the body against the new tracer there, when the pictures are taken.

    Parameters
    ----------
    previous : PreviousStudy
    nuclide : str
        Of the new study.
    appointment : Appointment
        Of the new study.

    Returns
    -------
    percent : float
        Share of the activity in the body that is the earlier study's.
    remarks : tuple of Remark
        Above 5 % [D], with the time from which it is less.

    Raises
    ------
    InvalidValue
        When the earlier study is not earlier.

    Notes
    -----
    A bone tracer is followed by its kinetics in a man of 50 years, urine left out. Of any other only the decay is
    counted, an upper bound.
    """
    if previous.injected_at >= appointment.inject_at:
        raise InvalidValue(
            f"The earlier study's injection at {previous.injected_at:%Y-%m-%d %H:%M} does not come before this one at "
            f"{appointment.inject_at:%Y-%m-%d %H:%M}: give its date too.",
            previous_at=previous.injected_at,
        )
    left = _left_of(previous)
    new = appointment.left_mbq["at_imaging"]
    elapsed = hours_between(previous.injected_at, appointment.image_at)

    def share_percent(hours: float) -> float:
        return 100 * left(hours) / (left(hours) + new)

    percent = share_percent(elapsed)
    remarks = []
    if percent > _PREVIOUS_PERCENT:
        wait_h = elapsed
        while share_percent(wait_h) > _PREVIOUS_PERCENT:
            wait_h += 1
        earliest = _next_hour(appointment.inject_at + timedelta(hours=wait_h - elapsed))
        bound = "" if previous.tracer in RADIOPHARMACEUTICALS else "Up to "
        remarks.append(
            Remark(
                code="plan.previous.left",
                text=f"{bound}{percent:.0f} % of what the camera sees would come from the earlier study "
                f"({previous.tracer}): inject at {earliest:%Y-%m-%d %H:%M} or later, when it is below "
                f"{_PREVIOUS_PERCENT:g} %.",
                severity=Severity.WARNING,
            )
        )
    other = previous.tracer.partition(" ")[0]
    if other in _HIGH_ENERGY and other != nuclide and percent > _PREVIOUS_PERCENT / 5:
        remarks.append(
            Remark(
                code="plan.previous.energy",
                text=f"{other} emits photons above the window: they scatter into it and pass the collimator's walls, "
                "so its share of the counts can be higher.",
                severity=Severity.WARNING,
            )
        )
    return percent, tuple(remarks)


def _window(tracer: str) -> tuple[float, float, str]:
    """Return the hours after injection between which pictures may begin, and whose rule that is."""
    agent = radiopharmaceutical(tracer)
    for authority in ("EANM", "label"):
        limit = agent.limit("imaging_time", authority)
        if limit is not None and limit.low is not None and limit.high is not None:
            return limit.low, limit.high, limit.source
    raise InvalidValue(f"No imaging time is tabulated for {tracer}.", tracer=tracer)


def _body_activity(referral: Referral, tracer: str, activity_mbq: float, image_h: float) -> Callable[[float], float]:
    """Return the function that gives the activity in the body, bladder included, hours after injection."""
    before = [hour for hour in (*_VOIDS_H, image_h - 0.1) if 0 < hour <= image_h - 0.1]
    after = [image_h + hour for hour in _LATER_VOIDS_H]
    sex = referral.sex or "male"
    age_years = max(referral.assumed_age_years, _YOUNGEST_YEARS)
    mass_kg = max(referral.mass_kg, _LIGHTEST_KG)
    usual = usual_gfr_ml_per_min(sex, age_years, mass_kg)
    course = kinetics(
        radiopharmaceutical(tracer),
        Physiology(
            sex=sex,
            age_years=age_years,
            mass_kg=mass_kg,
            gfr_ml_per_min=min(usual, _DIALYSIS_GFR_ML_PER_MIN) if referral.dialysis else usual,
            voids_h=tuple(sorted({*before, *after})),
        ),
    )

    def left(hours: float) -> float:
        shares = course.shares(hours)
        return activity_mbq * (1 - shares["decayed"] - shares["voided"])

    return left


def _of_kinetics(referral: Referral) -> list[Remark]:
    if referral.assumed_age_years >= _YOUNGEST_YEARS and referral.mass_kg >= _LIGHTEST_KG:
        return []
    return [
        Remark(
            code="plan.kinetics.young",
            text=f"What is left in the body is that of a child of {_YOUNGEST_YEARS:g} year and {_LIGHTEST_KG:g} kg, "
            "the smallest the kinetics know.",
        )
    ]


def _of_window(image_at: datetime, image_from: datetime, image_until: datetime) -> list[Remark]:
    if image_from <= image_at <= image_until:
        return []
    early = image_at < image_from
    return [
        Remark(
            code="plan.image.early" if early else "plan.image.late",
            text=f"Imaging at {image_at:%H:%M} lies outside {image_from:%H:%M} to {image_until:%H:%M}: "
            + ("blood and soft tissue will still be bright." if early else "few counts will be left."),
            severity=Severity.WARNING,
        )
    ]


def _first_below(body_mbq: Callable[[float], float], threshold_mbq: float) -> float:
    """Return the hours until the falling activity is below a threshold, to a minute."""
    low, high = 0.0, _LONGEST_H
    while high - low > 1 / 60:
        middle = (low + high) / 2
        low, high = (low, middle) if body_mbq(middle) < threshold_mbq else (middle, high)
    return high


def _next_hour(when: datetime) -> datetime:
    full = when.replace(minute=0, second=0, microsecond=0)
    return full if full == when else full + timedelta(hours=1)


def _left_of(previous: PreviousStudy) -> Callable[[float], float]:
    if previous.tracer in RADIOPHARMACEUTICALS:
        course = kinetics(radiopharmaceutical(previous.tracer), Physiology())

        def left(hours: float) -> float:
            shares = course.shares(hours)
            return previous.activity_mbq * (1 - shares["decayed"] - shares["voided"] - shares["bladder"])

        return left
    half_life_h = OTHER_TRACERS[previous.tracer]
    return lambda hours: previous.activity_mbq * math.pow(2, -hours / half_life_h)
