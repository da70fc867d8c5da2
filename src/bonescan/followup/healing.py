"""Fractures and infections over time: what bone scans show while they heal, and when a series departs from it.

A series is a list of days with the uptake of one place over that of normal bone. Constants carry their source:
[V] read in a source, [C] computed, [D] our decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import pairwise

from bonescan.errors import InvalidValue
from bonescan.measurement import Measurement

__all__ = ["Healing", "HealingCall", "Uptake", "judge_fracture", "judge_infection"]

# Matin, J Nucl Med 1979;20:1227, 204 patients with fractures [V].
_MATIN = "Matin, J Nucl Med 1979;20:1227, 204 patients"
_SEEN_DAYS = 3  # 95 % are abnormal by 72 h
_BROAD_DAYS = 28  # to about 4 weeks a broad area, then to about 3 months a sharp line, then a fade
_FADING_DAYS = 91
_NORMAL_LEAST_DAYS = 152  # none was normal before 5 months
_NORMAL_MOST_DAYS = 730  # about 90 % were normal by 2 years
_NORMAL_RATIO = 1.25  # what counts as normal again: less than a quarter above normal bone [D]

# Greiff, Injury 1982;13:279, 17 tibial fractures with delayed union, and the 38 without it before them [V].
_GREIFF = "Greiff, Injury 1982;13:279, tibial fractures, uptake over the other leg's"
_TIBIA_FROM_DAYS = 98  # from the 14th week a ratio of 2.5 parts atrophic from hypertrophic delayed union

# Scoles et al., Clin Orthop 1980, 16 children with acute osteomyelitis, scanned again after 4 to 7 days [V].
_SCOLES = "Scoles et al., Clin Orthop 1980, 16 children"
_EARLY_INFECTION_DAYS = 42  # how long a rise under sound treatment means nothing [D, from the early rise in 7 of 16]
# 13 patients with chronic osteomyelitis treated for 6 months [V].
_CHRONIC = "13 patients with chronic osteomyelitis, Tc-99m phosphate and Ga-67 scans over 6 months of treatment"

_SIGNIFICANT = 1.96  # standard deviations of a change that is one
_ASSUMED_SPREAD = 0.15  # of a ratio, relative, where none is given: repositioning and outlining [D]


class HealingCall(StrEnum):
    """How a series stands to the published course."""

    EXPECTED = "as expected"
    UNUSUAL = "not as expected"
    UNDECIDED = "cannot be told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uptake:
    """Uptake of one place on one day.

    Parameters
    ----------
    on : date
    ratio : Measurement
        Over normal bone, positive; absent with its reason where it was not measured.
    """

    on: date
    ratio: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """What a series of uptakes says of healing.

    Parameters
    ----------
    call : HealingCall
    stage : str
        Where on the published course the last scan stands, in words; empty where the beginning is not known.
    text : str
        Sentences on what was found.
    expected : str
        What the published course shows at this time.
    next_step : str
    source : str
    """

    call: HealingCall
    stage: str
    text: str
    expected: str
    next_step: str
    source: str


def judge_fracture(uptakes: Sequence[Uptake], *, injured_on: date | None = None, bone: str = "") -> Healing:
    """Hold a fracture's uptake over time against the published course of healing.

    Parameters
    ----------
    uptakes : sequence of Uptake
        By day, one at least.
    injured_on : date, optional
        Without it only the direction can be told.
    bone : str, optional
        Bone id; for a tibia the published limit of delayed union is used.

    Returns
    -------
    Healing

    Raises
    ------
    InvalidValue
        For no uptake, days out of order, or a scan before the injury.

    Notes
    -----
    A fracture is broad and hot for about four weeks, a sharp and intense line to about three months, and fades from
    then on: normal after five months at the earliest, in 90 % after two years. A rise after three months, a place
    that is normal too soon, and one that is hot after two years depart from it. A place counts as normal below 1.25
    times normal bone, and two ratios differ where they are 1.96 standard deviations apart, of 15 % each where the
    measurement has none.

    References
    ----------
    Matin P. J Nucl Med 1979;20:1227. Greiff J. Injury 1982;13:279, doi:10.1016/0020-1383(82)90321-7.

    Examples
    --------
    >>> from datetime import date
    >>> from bonescan.measurement import Measurement
    >>> series = [
    ...     Uptake(on=date(2026, month, 1), ratio=Measurement(value=ratio, unit="1", method="uptake ratio"))
    ...     for month, ratio in ((2, 5.0), (8, 2.0))
    ... ]
    >>> str(judge_fracture(series, injured_on=date(2026, 1, 15)).call)
    'as expected'
    """
    _check(uptakes, injured_on, "injury")
    source = _MATIN
    measured = [uptake for uptake in uptakes if uptake.ratio.value is not None]
    if not measured:
        return _undecided(uptakes, source)
    trend = _trend(measured)
    last = measured[-1]
    hot = _ratio(last) >= _NORMAL_RATIO
    if injured_on is None:
        call = HealingCall.UNUSUAL if trend > 0 else HealingCall.EXPECTED if trend < 0 else HealingCall.UNDECIDED
        return Healing(
            call=call,
            stage="",
            text=f"{_direction(measured, trend)} The day of the injury is not known.",
            expected="Uptake falls from about three months after a fracture on.",
            next_step="Tell the day of the injury, so that the time it takes can be judged.",
            source=source,
        )
    age = (last.on - injured_on).days
    stage, expected = _stage(age)
    text, unusual, step = _direction(measured, trend), [], "No further scan is needed for healing alone."
    fading_from = next(
        (
            before
            for before, after in pairwise(measured)
            if after is last and (before.on - injured_on).days >= _FADING_DAYS
        ),
        None,
    )
    if age <= _SEEN_DAYS and not hot:
        return Healing(
            call=HealingCall.UNDECIDED, stage=stage, text=f"{text} It is too early: a fracture may take three days to "
            "show.", expected=expected, next_step="Scan again after three days.", source=source,
        )  # fmt: skip
    if fading_from is not None and trend > 0:
        unusual.append("It rises again later than three months after the injury: think of a new fracture, infection or "
                       "non-union.")  # fmt: skip
    if not hot and age < _NORMAL_LEAST_DAYS:
        unusual.append("It is normal sooner than any of 204 fractures was (5 months): there may have been none, or it "
                       "has too little blood to heal.")  # fmt: skip
    if hot and age > _NORMAL_MOST_DAYS:
        unusual.append("It is hot more than two years after the injury, as one fracture in ten is: think of non-union, "
                       "infection, hardware or another disease.")  # fmt: skip
    if bone.startswith("tibia") and age >= _TIBIA_FROM_DAYS and hot:
        source = f"{source}; {_GREIFF}"
        expected += (
            " In tibial fractures with delayed union 2.5 times the other leg, after the 14th week, parted the "
            "hypertrophic kind (above) from the atrophic one (below)."
        )
    if unusual:
        step = "Look at it with X-ray or CT, and for infection where it may be."
    elif hot:
        step = "Scan again when symptoms do not go; two years are within the usual."
    return Healing(
        call=HealingCall.UNUSUAL if unusual else HealingCall.EXPECTED,
        stage=stage,
        text=" ".join([text, *unusual]),
        expected=expected,
        next_step=step,
        source=source,
    )


def _stage(age_days: int) -> tuple[str, str]:
    if age_days <= _BROAD_DAYS:
        return "first weeks", "A broad hot area in the first four weeks; 95 % of fractures show within three days."
    if age_days <= _FADING_DAYS:
        return "one to three months", "A sharp and intense line; uptake is at its highest."
    if age_days <= _NORMAL_MOST_DAYS:
        return "fading", "Uptake fades slowly: normal after five months at the earliest, in 90 % after two years."
    return "after two years", "Nine in ten fractures are normal by now."


def judge_infection(uptakes: Sequence[Uptake], *, treated_from: date | None = None) -> Healing:
    """Hold a bone infection's uptake over time against what is published of such series.

    Parameters
    ----------
    uptakes : sequence of Uptake
        By day, one at least.
    treated_from : date, optional
        First day of treatment; without it only the direction can be told.

    Returns
    -------
    Healing

    Raises
    ------
    InvalidValue
        For no uptake, days out of order, or a beginning after the last scan.

    Notes
    -----
    Delayed uptake follows bone repair and not germs: in the first weeks it rose in 7 of 16 children under sound
    treatment and fell in 9; after six months it was normal in 1 of 5 who responded, and better in 3 of 7 who did not.
    So a rise in the first six weeks means nothing, a fall proves no cure, and only a rise later on is called unusual.

    References
    ----------
    Scoles PV et al. Clin Orthop 1980: bone scan patterns in acute osteomyelitis. Monitoring of chronic osteomyelitis
    by Tc-99m phosphate and Ga-67 imaging, 13 patients.
    """
    _check(uptakes, treated_from, "beginning of treatment")
    source = f"{_SCOLES}; {_CHRONIC}"
    measured = [uptake for uptake in uptakes if uptake.ratio.value is not None]
    if len(measured) < 2:
        return _undecided(uptakes, source)
    trend = _trend(measured)
    days = None if treated_from is None else (measured[-1].on - treated_from).days
    early = days is not None and days <= _EARLY_INFECTION_DAYS
    expected = (
        "In the first weeks uptake rises in about half of those who are treated soundly; later it falls, and may stay "
        "above normal for more than half a year after a cure."
    )
    if trend > 0 and not early:
        call, said = HealingCall.UNUSUAL, "A rise after the first six weeks speaks for active infection or a fracture."
        if days is None:
            said = "After the first six weeks of treatment a rise speaks for active infection or a fracture."
    elif trend < 0:
        call, said = HealingCall.EXPECTED, "A fall goes with healing and proves no cure: it was seen without one, too."
    else:
        call = HealingCall.UNDECIDED
        said = (
            "In the first six weeks a rise means nothing."
            if trend > 0
            else "Unchanged uptake tells neither cure nor failure."
        )
    return Healing(
        call=call,
        stage="" if days is None else "first weeks" if early else "later",
        text=f"{_direction(measured, trend)} {said}",
        expected=expected,
        next_step="Judge by symptoms and laboratory; white cells, Ga-67 or FDG follow infection better.",
        source=source,
    )


def _check(uptakes: Sequence[Uptake], began: date | None, what: str) -> None:
    if not uptakes:
        raise InvalidValue("Healing is judged from one measured uptake at least, got none.")
    for before, after in pairwise(uptakes):
        if after.on <= before.on:
            raise InvalidValue(
                f"The scans of a healing place go by their days, each later than the one before: {after.on} stands "
                f"after {before.on}.",
                earlier=before.on,
                later=after.on,
            )
    if began is not None and uptakes[-1].on < began:
        raise InvalidValue(f"The {what}, {began}, is later than the last scan, {uptakes[-1].on}.", got=began)


def _undecided(uptakes: Sequence[Uptake], source: str) -> Healing:
    reason = next((uptake.ratio.absent_reason for uptake in reversed(uptakes) if uptake.ratio.absent_reason), "")
    return Healing(
        call=HealingCall.UNDECIDED,
        stage="",
        text=reason or "One scan alone says nothing of the course.",
        expected="",
        next_step="Compare with a later scan.",
        source=source,
    )


def _ratio(uptake: Uptake) -> float:
    assert uptake.ratio.value is not None
    return uptake.ratio.value


def _trend(measured: Sequence[Uptake]) -> int:
    """-1, 0 or 1: whether the last ratio is lower, alike or higher than the one before, beyond their uncertainty."""
    if len(measured) < 2:
        return 0
    before, after = (_ratio(uptake) for uptake in measured[-2:])
    spreads = [
        uptake.ratio.uncertainty if uptake.ratio.uncertainty is not None else _ASSUMED_SPREAD * _ratio(uptake)
        for uptake in measured[-2:]
    ]
    change = after - before
    return 0 if abs(change) <= _SIGNIFICANT * sum(spread**2 for spread in spreads) ** 0.5 else 1 if change > 0 else -1


def _direction(measured: Sequence[Uptake], trend: int) -> str:
    last = measured[-1]
    if len(measured) < 2:
        return f"Uptake is {_ratio(last):.1f} times that of normal bone."
    before = measured[-2]
    verb = {-1: "fell", 0: "did not change beyond its uncertainty", 1: "rose"}[trend]
    days = (last.on - before.on).days
    return f"Uptake {verb}: {_ratio(before):.1f} to {_ratio(last):.1f} times that of normal bone within {days} days."
