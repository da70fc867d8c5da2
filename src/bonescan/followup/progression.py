"""Progression in bone over a whole series of scans: the rules of PCWG3 as a state machine.

No picture is needed: a scan is its day and the names of its lesions, the same lesion under the same name in every
scan. ::

    baseline ─► first scan under treatment ──► 0 or 1 new ──────────────────────────► it becomes the reference
                          │
                          └─► 2 or more new: unconfirmed ─► 6 weeks on, 2 or more in addition ─► progression, dated
                                                       │                                         to the first scan
                                                       └─► 6 weeks on, fewer: flare; the first scan is the reference
    later scans ─► 2 or more new against the reference: unconfirmed
                          └─► 6 weeks on, 2 or more of them still there ─► progression, dated to when they appeared

Constants carry their source: [V] read in a source, [V2] read in a secondary one, [M] recalled, [D] our decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

from bonescan.errors import InvalidValue

__all__ = [
    "CONFIRMATION_DAYS",
    "FLARE_WINDOW_DAYS",
    "BoneState",
    "Progression",
    "ScanEvent",
    "ScanState",
    "judge_progression",
]

PCWG3 = "PCWG3: Scher et al., J Clin Oncol 2016;34:1402, doi:10.1200/JCO.2015.64.2702"

CONFIRMATION_DAYS = 42
"""Least time from the scan with new lesions to the scan that may confirm them: six weeks [V2]."""

FLARE_WINDOW_DAYS = 84
"""New lesions in the first 12 weeks of a treatment may be healing ones that brighten: 8 to 12 weeks are usual [V2]."""

_LEAST_NEW = 2  # new lesions that make a progression [V2]
_OLD_BASELINE_DAYS = 42  # a baseline older than this at the start of treatment is worth a word [D]
_SCHEDULE = "PCWG3 scans every 8 to 9 weeks for 24 weeks, then every 12"  # [M]


class BoneState(StrEnum):
    """What PCWG3 says of one scan on its own day."""

    BEFORE_TREATMENT = "before_treatment"
    BASELINE = "baseline"
    NO_NEW = "no_new"
    ONE_NEW = "1_new"
    UNCONFIRMED = ">=2_new_unconfirmed"
    CONFIRMED = "confirmed_PD"
    FLARE = "flare_then_stable"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanEvent:
    """One scan of a series, without its pictures.

    Parameters
    ----------
    on : date or None
        Day of the scan; ``None`` where nobody knows.
    lesions : frozenset of str
        Names of the lesions that may be metastases: the same lesion has the same name in every scan.
    superscan : bool
        Uptake so widespread that lesions cannot be counted.
    not_comparable : str
        Why its lesions cannot be held against those of the other scans, a clause such as ``"other tracer"``; empty
        where they can.
    """

    on: date | None
    lesions: frozenset[str] = frozenset()
    superscan: bool = False
    not_comparable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanState:
    """What the rules say of one scan, as it stood on its own day.

    Parameters
    ----------
    on : date or None
    state : BoneState
    reference_on : date or None
        Day of the scan its lesions were held against.
    new : tuple of str
        Lesions that neither the reference nor any scan before it has, sorted.
    confirmable_from : date or None
        First day on which a scan may confirm what is unconfirmed.
    progressed_on : date or None
        Date of progression, once confirmed.
    text, next_step : str
        A sentence each: what was found, and what the rules ask for next.
    """

    on: date | None
    state: BoneState
    reference_on: date | None = None
    new: tuple[str, ...] = ()
    confirmable_from: date | None = None
    progressed_on: date | None = None
    text: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progression:
    """What PCWG3 says of a series of bone scans; of bone alone, and never a response.

    Parameters
    ----------
    scans : tuple of ScanState
        In the order of the scans.
    state : BoneState
        Where the series stands now.
    progressed_on : date or None
        Date of progression in bone, once confirmed.
    treatment_start : date or None
    text, next_step : str
        The present state and the next step in a sentence each.
    cautions : tuple of str
        What was assumed, or makes the rules shakier than they read.
    source : str
    """

    scans: tuple[ScanState, ...]
    state: BoneState
    progressed_on: date | None
    treatment_start: date | None
    text: str
    next_step: str
    cautions: tuple[str, ...]
    source: str = PCWG3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """New lesions that wait for a scan to confirm them."""

    on: date
    lesions: frozenset[str]
    new: frozenset[str]
    early: bool

    @property
    def confirmable_from(self) -> date:
        return self.on + timedelta(days=CONFIRMATION_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """What must be remembered from one scan to the next.

    `known` are the lesions of the reference and of every scan before it: a lesion that went and came back is not new.
    """

    start: date | None
    reference_on: date | None = None
    known: frozenset[str] = frozenset()
    candidate: _Candidate | None = None
    progressed_on: date | None = None
    judged: int = 0


def judge_progression(scans: Sequence[ScanEvent], *, treatment_start: date | None = None) -> Progression:
    """Judge a series of bone scans by the rules of PCWG3.

    Parameters
    ----------
    scans : sequence of ScanEvent
        In the order of their days.
    treatment_start : date, optional
        First day of the present treatment. The last scan up to this day is the baseline. Where it is not told the
        first scan is taken for the baseline and the second for the first scan under treatment, whose rule is the
        stricter one.

    Returns
    -------
    Progression

    Raises
    ------
    InvalidValue
        For no scan at all, or scans out of the order of their days.

    Notes
    -----
    A lesion counts as new where neither the reference scan nor any scan before it has it. Brighter, larger, fainter
    and smaller lesions count for nothing. New lesions on the first scan under treatment, or within 12 weeks of its
    start, may be flare: they are a progression only where a scan at least six weeks later shows two or more in
    addition, and that progression is dated to the first of both scans. Afterwards the first scan under treatment is
    the reference; two new lesions or more are a progression where at least two of them are still there at least six
    weeks later, and it is dated to the scan that first showed them. Published rules leave open, and we decided [D]:
    a scan that cannot be evaluated, or comes too early to confirm, changes nothing; a scan on the day treatment
    starts is the baseline; without a scan before treatment the first one under it is the reference.

    References
    ----------
    Scher HI et al. J Clin Oncol 2016;34:1402, doi:10.1200/JCO.2015.64.2702; as worked out with examples in the
    vignette "PCWG3" of the R package admiralonco.

    Examples
    --------
    >>> from datetime import date
    >>> series = [
    ...     ScanEvent(on=date(2026, 1, 5), lesions=frozenset("ab")),
    ...     ScanEvent(on=date(2026, 3, 9), lesions=frozenset("abcd")),
    ...     ScanEvent(on=date(2026, 5, 4), lesions=frozenset("abcdef")),
    ... ]
    >>> judged = judge_progression(series, treatment_start=date(2026, 1, 8))
    >>> str(judged.state), str(judged.progressed_on)
    ('confirmed_PD', '2026-03-09')
    """
    scans = tuple(scans)
    _check_order(scans)
    course = _Course(start=treatment_start)
    states: list[ScanState] = []
    baseline = _baseline_of(scans, treatment_start)
    for number, scan in enumerate(scans):
        course, judged = _step(course, scan, number, baseline, states)
        states.append(judged)
    last = states[-1]
    state, text, next_step = last.state, last.text, last.next_step
    if course.progressed_on is not None and state is BoneState.NOT_EVALUABLE:
        state = BoneState.CONFIRMED
        text = f"{_progressed(course.progressed_on)} {text}"
    elif state is BoneState.NOT_EVALUABLE and course.candidate is not None:
        text = (
            f"{text} The {len(course.candidate.new)} new lesions of {course.candidate.on} still wait to be confirmed."
        )
    elif len(scans) == 1 and state is not BoneState.NOT_EVALUABLE:
        state = BoneState.NOT_EVALUABLE
        text = "There is one scan only: progression needs a baseline and at least one scan under treatment."
    return Progression(
        scans=tuple(states),
        state=state,
        progressed_on=course.progressed_on,
        treatment_start=treatment_start,
        text=text,
        next_step=next_step,
        cautions=_cautions(scans, treatment_start, baseline, last),
    )


def _check_order(scans: Sequence[ScanEvent]) -> None:
    if not scans:
        raise InvalidValue("A series of scans holds one scan at least, got none.")
    days = [scan.on for scan in scans if scan.on is not None]
    for earlier, later in pairwise(days):
        if later < earlier:
            raise InvalidValue(
                f"The scans of a series go by their days: {later} stands after {earlier}; sort them by date.",
                earlier=earlier,
                later=later,
            )


def _baseline_of(scans: Sequence[ScanEvent], start: date | None) -> int | None:
    """Which scan is the baseline: the last one up to the start that can be evaluated, or the first of all."""
    usable = [number for number, scan in enumerate(scans) if not _why_not(scan)]
    if start is None:
        return usable[0] if usable else None
    before = [number for number in usable if (on := scans[number].on) is not None and on <= start]
    return before[-1] if before else None


def _why_not(scan: ScanEvent) -> str:
    """Why a scan cannot be evaluated at all, a sentence; empty where it can."""
    if scan.on is None:
        return "The day of this scan is not known, so it has no place in the series."
    if scan.superscan:
        return "This is a superscan: uptake is so widespread that new lesions cannot be counted."
    if scan.not_comparable:
        return f"This scan cannot be held against the others: {scan.not_comparable.rstrip('.')}."
    return ""


def _step(
    course: _Course, scan: ScanEvent, number: int, baseline: int | None, before: Sequence[ScanState]
) -> tuple[_Course, ScanState]:
    """Take one scan further: the course after it, and what is said of it."""
    reason = _why_not(scan)
    if not reason and any(one.on == scan.on for one in before):
        reason = (
            f"There are two scans of {scan.on}: a repeat on the same day is no follow-up; the first of them counts."
        )
    if reason or scan.on is None:
        waiting = course.candidate.confirmable_from if course.candidate else None
        return course, ScanState(
            on=scan.on,
            state=BoneState.NOT_EVALUABLE,
            reference_on=course.reference_on,
            confirmable_from=waiting,
            progressed_on=course.progressed_on,
            text=reason,
            next_step="Judge the next scan that can be compared; superscans and unlike scans need another method, "
            "such as CT, MRI or PET.",
        )
    if course.start is not None and scan.on <= course.start and number != baseline:
        return course, ScanState(
            on=scan.on,
            state=BoneState.BEFORE_TREATMENT,
            text=f"This scan is older than the treatment, which began on {course.start}: the rules do not judge it.",
            next_step="Go on to the baseline.",
        )
    if number == baseline:
        course = replace(course, reference_on=scan.on, known=scan.lesions)
        return course, ScanState(
            on=scan.on,
            state=BoneState.BASELINE,
            reference_on=scan.on,
            text=f"Baseline, with {_lesions(len(scan.lesions))}.",
            next_step=f"Scan again under treatment ({_SCHEDULE}).",
        )
    if course.reference_on is None:
        course = replace(course, reference_on=scan.on, known=scan.lesions, judged=1)
        return course, ScanState(
            on=scan.on,
            state=BoneState.NOT_EVALUABLE,
            text="There is no scan from before treatment that it could be held against; it becomes the reference.",
            next_step=f"Scan again ({_SCHEDULE}).",
        )
    if course.progressed_on is not None:
        return course, _said(course, scan, BoneState.CONFIRMED, _progressed(course.progressed_on), _AFTER_PROGRESSION)
    if course.candidate is not None:
        return _confirm(course, scan, course.candidate)
    return _search(course, scan)


_AFTER_PROGRESSION = "Once treatment changes, judge later scans against a new baseline."
_NO_RESPONSE = "The bone scan tells progression only, never response."


def _search(course: _Course, scan: ScanEvent) -> tuple[_Course, ScanState]:
    """Look for new lesions against the reference, with none waiting to be confirmed."""
    assert scan.on is not None
    new = scan.lesions - course.known
    first = course.judged == 0
    course = replace(course, judged=course.judged + 1)
    against = f"against the scan of {course.reference_on}"
    if len(new) >= _LEAST_NEW:
        early = first or (course.start is not None and (scan.on - course.start).days <= FLARE_WINDOW_DAYS)
        candidate = _Candidate(on=scan.on, lesions=scan.lesions, new=new, early=early)
        course = replace(course, candidate=candidate)
        if early:
            when = "on the first scan under treatment" if first else "in the first 12 weeks of treatment"
            text = f"{_lesions(len(new), 'new')} {against}, {when}: unconfirmed, for this may be flare."
            asked = "two or more further new lesions"
        else:
            text = f"{_lesions(len(new), 'new')} {against}: unconfirmed."
            asked = "at least two of them still there"
        step = f"Scan again on {candidate.confirmable_from} or later: {asked} would make it a progression of {scan.on}."
        return course, _said(course, scan, BoneState.UNCONFIRMED, text, step)
    said = _few(course, scan, new)
    if first:
        course = replace(course, reference_on=scan.on, known=course.known | scan.lesions)
        said = replace(said, text=f"{said.text} As the first scan under treatment it is the new reference.")
    return course, said


def _confirm(course: _Course, scan: ScanEvent, candidate: _Candidate) -> tuple[_Course, ScanState]:
    """Judge a scan while new lesions of an earlier one wait to be confirmed."""
    assert scan.on is not None
    course = replace(course, judged=course.judged + 1)
    additional = scan.lesions - course.known - candidate.lesions
    staying = scan.lesions & candidate.new
    counted, what = (additional, "in addition") if candidate.early else (staying, "still there")
    if scan.on < candidate.confirmable_from:
        days = (scan.on - candidate.on).days
        text = (
            f"This scan came {days} days after that of {candidate.on}, too early to confirm its {len(candidate.new)} "
            f"new lesions: six weeks are asked for. It shows {_lesions(len(counted))} {what}."
        )
        step = f"Scan again on {candidate.confirmable_from} or later."
        return course, _said(course, scan, BoneState.UNCONFIRMED, text, step)
    if len(counted) >= _LEAST_NEW:
        course = replace(course, candidate=None, progressed_on=candidate.on)
        text = (
            f"{_lesions(len(counted))} {what}, six weeks or more after the {len(candidate.new)} new ones of "
            f"{candidate.on}: progression is confirmed and dated {candidate.on}."
        )
        return course, _said(course, scan, BoneState.CONFIRMED, text, _AFTER_PROGRESSION)
    course = replace(course, candidate=None)
    if candidate.early:
        course = replace(course, reference_on=candidate.on, known=course.known | candidate.lesions)
        further = "No further new lesion" if not additional else "One further new lesion"
        text = (
            f"{further} beside the {len(candidate.new)} of {candidate.on}, where two are asked for: by the rule "
            f"that was flare, no progression, and the scan of {candidate.on} is the new reference."
        )
        return course, _said(course, scan, BoneState.FLARE, text, f"Scan again ({_SCHEDULE}). {_NO_RESPONSE}")
    course, said = _search(course, scan)
    gone = f"Of the {len(candidate.new)} new lesions of {candidate.on} {_number(len(staying))} {_still(len(staying))}"
    return course, replace(said, text=f"{gone}: that was not confirmed. {said.text}")


def _few(course: _Course, scan: ScanEvent, new: frozenset[str]) -> ScanState:
    if not new:
        text = f"No new lesion against the scan of {course.reference_on}."
        return _said(course, scan, BoneState.NO_NEW, text, f"Scan again ({_SCHEDULE}). {_NO_RESPONSE}")
    text = f"One new lesion against the scan of {course.reference_on}: progression needs two."
    step = (
        f"Scan again ({_SCHEDULE}); of single new foci 11 % (25 of 231) proved to be metastases, so look at this one "
        "with CT or MRI where it matters."  # scilit 7d18402c [V]
    )
    return _said(course, scan, BoneState.ONE_NEW, text, step)


def _said(course: _Course, scan: ScanEvent, state: BoneState, text: str, next_step: str) -> ScanState:
    return ScanState(
        on=scan.on,
        state=state,
        reference_on=course.reference_on,
        new=tuple(sorted(scan.lesions - course.known)),
        confirmable_from=course.candidate.confirmable_from if course.candidate else None,
        progressed_on=course.progressed_on,
        text=text,
        next_step=next_step,
    )


def _cautions(
    scans: Sequence[ScanEvent], start: date | None, baseline: int | None, judged: ScanState
) -> tuple[str, ...]:
    said = []
    if start is None:
        said.append(
            "The start of treatment is not told, and without it nobody can say whether new lesions of the second scan "
            "may be flare: tell it. Until then treatment is taken to have begun between the first two scans, the "
            "first of them being the baseline."
        )
        return (*said, *_otherwise(scans, baseline, judged))
    days = [scan.on for scan in scans if scan.on is not None]
    under = [day for day in days if day > start]
    if not under:
        said.append(f"No scan is younger than the start of treatment, {start}: there is nothing to judge yet.")
    elif (under[0] - start).days > FLARE_WINDOW_DAYS:
        said.append(
            f"The first scan under treatment came {(under[0] - start).days // 7} weeks after its start, later than "
            "flare is usual (12 weeks); the rule of the first scan was applied all the same."
        )
    if baseline is None:
        said.append(f"No scan up to the start of treatment, {start}, can serve as baseline.")
    else:
        day = scans[baseline].on
        if day is not None and (start - day).days > _OLD_BASELINE_DAYS:
            said.append(
                f"The baseline is {(start - day).days // 7} weeks older than the treatment: lesions that grew before "
                "it began count as new."
            )
    return tuple(said)


def _otherwise(scans: Sequence[ScanEvent], baseline: int | None, judged: ScanState) -> tuple[str, ...]:
    """What the rules would say had treatment run for more than the flare's window at the first scan; that is a guess.

    Then no scan is a first one under treatment: two new lesions ask for two of them still there, not for two more.
    """
    first = None if baseline is None else scans[baseline].on
    if first is None or judged.state in (BoneState.BASELINE, BoneState.NOT_EVALUABLE):
        return ()
    other = judge_progression(scans, treatment_start=first - timedelta(days=FLARE_WINDOW_DAYS + 1))
    had = f"Had treatment run for more than 12 weeks at the first scan, {first}, the rules would say"
    if other.progressed_on == judged.progressed_on and (other.state, other.next_step) == (
        judged.state,
        judged.next_step,
    ):
        return (f"{had} the same.",)
    return (f"{had}: {other.text} {other.next_step}",)


def _progressed(day: date) -> str:
    return f"Progression in bone is confirmed, dated {day}."


def _lesions(count: int, which: str = "") -> str:
    return " ".join(part for part in (_number(count), which, "lesion" if count == 1 else "lesions") if part)


def _number(count: int) -> str:
    return "no" if count == 0 else str(count)


def _still(count: int) -> str:
    return "is still there" if count == 1 else "are still there"
