"""Every cell of the table of PCWG3's bone rules; the witness is the rule as published.

Scher et al., J Clin Oncol 2016;34:1402, and its worked examples in the vignette "PCWG3" of the R package admiralonco.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonescan.errors import InvalidValue
from bonescan.followup.progression import BoneState, Progression, ScanEvent, judge_progression

START = date(2026, 1, 8)
BASELINE = ("b1", "b2")


def week(number: float) -> date:
    return START + timedelta(days=round(7 * number))


def series(*scans: tuple[float, str], start: date | None = START) -> Progression:
    """Judge a series: a scan is its week on treatment and the letters of its lesions beside those of the baseline."""
    events = [ScanEvent(on=week(weeks), lesions=frozenset([*BASELINE, *letters])) for weeks, letters in scans]
    return judge_progression(events, treatment_start=start)


def states(judged: Progression) -> list[str]:
    return [str(scan.state) for scan in judged.scans]


# The first scan under treatment, by its number of new lesions against the baseline.
@pytest.mark.parametrize(
    ("letters", "state"),
    [("", "no_new"), ("p", "1_new"), ("pq", ">=2_new_unconfirmed"), ("pqrst", ">=2_new_unconfirmed")],
)
def test_first_scan_under_treatment(letters, state):
    judged = series((-1, ""), (9, letters))
    assert states(judged) == ["baseline", state]
    assert judged.progressed_on is None
    assert judged.scans[1].new == tuple(letters)


# What follows two or more new lesions on the first scan: weeks after it, what the next scan shows, the state then.
FLARE_RULE = [
    (5, "pq", ">=2_new_unconfirmed"),  # too early to confirm, whatever it shows
    (5, "pqr", ">=2_new_unconfirmed"),
    (5, "pqrs", ">=2_new_unconfirmed"),
    (6, "", "flare_then_stable"),  # all gone again
    (6, "pq", "flare_then_stable"),  # none in addition
    (6, "pqr", "flare_then_stable"),  # one in addition
    (6, "pqrs", "confirmed_PD"),  # two in addition
    (6, "rs", "confirmed_PD"),  # two in addition, those of the first scan gone
    (8, "pqrstu", "confirmed_PD"),
]


@pytest.mark.parametrize(("weeks", "letters", "state"), FLARE_RULE)
def test_after_two_new_lesions_on_the_first_scan_two_more_are_asked_for(weeks, letters, state):
    judged = series((-1, ""), (9, "pq"), (9 + weeks, letters))
    assert judged.state == state
    # "The date of progression is the date of the scan showing the first 2 lesions."
    assert judged.progressed_on == (week(9) if state == "confirmed_PD" else None)


@pytest.mark.parametrize("days", [0, 1, 41, 42, 43])
def test_six_weeks_are_forty_two_days(days):
    events = [
        ScanEvent(on=week(-1)),
        ScanEvent(on=week(9), lesions=frozenset("pq")),
        ScanEvent(on=week(9) + timedelta(days=days), lesions=frozenset("pqrs")),
    ]
    judged = judge_progression(events, treatment_start=START)
    assert (judged.progressed_on == week(9)) is (days >= 42)
    assert judged.scans[1].confirmable_from == week(15)


# A later scan against the first scan under treatment, which had `first` and is the reference.
@pytest.mark.parametrize(
    ("first", "later", "state"),
    [
        ("", "", "no_new"),
        ("", "p", "1_new"),
        ("", "pq", ">=2_new_unconfirmed"),
        ("p", "p", "no_new"),  # one new lesion of the first scan belongs to the reference
        ("p", "pq", "1_new"),
        ("p", "pqr", ">=2_new_unconfirmed"),
    ],
)
def test_later_scan_against_the_reference(first, later, state):
    judged = series((-1, ""), (9, first), (17, later))
    assert judged.state == state
    assert judged.scans[2].reference_on == week(9)
    assert judged.progressed_on is None


# What follows two new lesions on a later scan: weeks after it, what the next scan shows, the state then.
LATER_RULE = [
    (5, "pq", ">=2_new_unconfirmed", None),  # too early
    (5, "", ">=2_new_unconfirmed", None),
    (6, "pq", "confirmed_PD", 17),  # both still there
    (6, "pqr", "confirmed_PD", 17),
    (6, "", "no_new", None),  # gone
    (6, "p", "1_new", None),  # one of them still there
    (6, "rs", ">=2_new_unconfirmed", None),  # others: these are unconfirmed in their turn
    (6, "prs", ">=2_new_unconfirmed", None),
]


@pytest.mark.parametrize(("weeks", "letters", "state", "progressed"), LATER_RULE)
def test_two_new_lesions_of_a_later_scan_must_stay(weeks, letters, state, progressed):
    judged = series((-1, ""), (9, ""), (17, "pq"), (17 + weeks, letters))
    assert judged.state == state
    # "The date of progression is the date of the scan that first documents the second lesion."
    assert judged.progressed_on == (None if progressed is None else week(progressed))


def test_others_in_place_of_unconfirmed_ones_are_dated_to_their_own_scan():
    judged = series((-1, ""), (9, ""), (17, "pq"), (25, "rs"), (37, "rs"))
    assert judged.state == BoneState.CONFIRMED
    assert judged.progressed_on == week(25)


def test_the_date_is_that_of_the_second_lesion():
    judged = series((-1, ""), (9, ""), (17, "p"), (25, "pq"), (37, "pq"))
    assert states(judged)[1:] == ["no_new", "1_new", ">=2_new_unconfirmed", "confirmed_PD"]
    assert judged.progressed_on == week(25)


def test_after_flare_the_first_scan_under_treatment_is_the_reference():
    judged = series((-1, ""), (9, "pq"), (17, "pqr"), (25, "pqrs"), (37, "pqrs"))
    assert states(judged) == ["baseline", *(">=2_new_unconfirmed", "flare_then_stable"), *(">=2_new_unconfirmed",
        "confirmed_PD")]  # fmt: skip
    assert [scan.reference_on for scan in judged.scans[2:]] == [week(9)] * 3
    assert judged.scans[3].new == ("r", "s")
    assert judged.progressed_on == week(25)


def test_a_scan_that_came_too_early_neither_confirms_nor_refutes():
    confirmed = series((-1, ""), (9, "pq"), (12, "pq"), (15, "pqrs"))
    assert states(confirmed)[2] == ">=2_new_unconfirmed"
    assert confirmed.progressed_on == week(9)
    refuted = series((-1, ""), (9, "pq"), (12, "pqrs"), (15, "pq"))
    assert refuted.state == BoneState.FLARE


def test_lesions_that_fade_or_vanish_are_no_response_and_brighter_ones_no_progression():
    # A scan holds names alone: intensity and size have no way in. All lesions gone is "no new", not better.
    judged = judge_progression(
        [ScanEvent(on=week(-1), lesions=frozenset("abc")), ScanEvent(on=week(9))], treatment_start=START
    )
    assert judged.state == BoneState.NO_NEW
    assert "never response" in judged.next_step


def test_a_lesion_that_went_and_came_back_is_not_new():
    judged = judge_progression(
        [
            ScanEvent(on=week(-1), lesions=frozenset("abc")),
            ScanEvent(on=week(9), lesions=frozenset("a")),
            ScanEvent(on=week(17), lesions=frozenset("abc")),
        ],
        treatment_start=START,
    )
    assert states(judged)[1:] == ["no_new", "no_new"]


def test_progression_once_confirmed_stays():
    judged = series((-1, ""), (9, ""), (17, "pq"), (25, "pq"), (37, ""), (49, "pqrst"))
    assert states(judged)[3:] == ["confirmed_PD"] * 3
    assert judged.progressed_on == week(17)


@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ({"superscan": True}, "superscan"),
        ({"not_comparable": "another tracer"}, "another tracer"),
        ({"on": None}, "day of this scan is not known"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_scans_that_cannot_be_evaluated_change_nothing(flaw, said, place):
    """The same series with a flawed scan put in anywhere is judged as the series without it."""
    sound = [
        ScanEvent(on=week(-1)),
        ScanEvent(on=week(9), lesions=frozenset("pq")),
        ScanEvent(on=week(17), lesions=frozenset("pqrs")),
    ]
    on = (week(-2), week(3), week(11), week(30))[place]
    flawed = ScanEvent(**({"on": on, "lesions": frozenset("vwxyz")} | flaw))
    judged = judge_progression([*sound[:place], flawed, *sound[place:]], treatment_start=START)
    assert judged.scans[place].state == BoneState.NOT_EVALUABLE
    assert said in judged.scans[place].text
    assert judged.state == BoneState.CONFIRMED
    assert judged.progressed_on == week(9)


def test_a_series_that_ends_unconfirmed_says_so_even_behind_a_superscan():
    events = [
        ScanEvent(on=week(-1)),
        ScanEvent(on=week(9), lesions=frozenset("pq")),
        ScanEvent(on=week(17), superscan=True),
    ]
    judged = judge_progression(events, treatment_start=START)
    assert judged.state == BoneState.NOT_EVALUABLE
    assert "still wait to be confirmed" in judged.text


def test_two_scans_on_one_day_are_no_follow_up():
    judged = series((-1, ""), (9, ""), (9, "pqrs"))
    assert states(judged)[1:] == ["no_new", "not_evaluable"]
    assert "same day" in judged.text


def test_one_scan_only():
    judged = series((-1, ""))
    assert judged.state == BoneState.NOT_EVALUABLE
    assert "one scan only" in judged.text


def test_scans_out_of_order_are_refused():
    with pytest.raises(InvalidValue, match="sort them by date"):
        series((9, ""), (-1, ""))


def test_no_scan_is_refused():
    with pytest.raises(InvalidValue, match="got none"):
        judge_progression([])


def test_without_the_start_of_treatment_the_second_scan_has_the_stricter_rule():
    stay = series((0, ""), (20, "pq"), (30, "pq"), start=None)
    assert stay.state == BoneState.FLARE
    more = series((0, ""), (20, "pq"), (30, "pqrs"), start=None)
    assert more.progressed_on == week(20)
    assert any("start of treatment is not told" in caution for caution in more.cautions)


def test_without_the_start_of_treatment_both_assumptions_are_told():
    # witness: the table's two rows for two new lesions that stay: flare on a first scan, progression on a later one
    split = series((0, ""), (20, "pq"), (30, "pq"), start=None)
    assert split.state == BoneState.FLARE
    assert any(
        "Had treatment run" in caution and f"confirmed and dated {week(20)}" in caution for caution in split.cautions
    )
    alike = series((0, ""), (20, ""), start=None)
    assert alike.cautions[-1].endswith("would say the same.")
    assert not any("Had treatment run" in caution for caution in series((0, ""), start=None).cautions)


def test_the_baseline_is_the_last_scan_up_to_the_start():
    judged = series((-30, ""), (0, "pq"), (9, "pq"))
    assert states(judged) == ["before_treatment", "baseline", "no_new"]


def test_without_a_baseline_the_first_scan_under_treatment_is_the_reference():
    judged = series((9, "pq"), (17, "pqrs"), (25, "pqrs"))
    assert states(judged) == ["not_evaluable", ">=2_new_unconfirmed", "confirmed_PD"]
    assert judged.progressed_on == week(17)
    assert any("can serve as baseline" in caution for caution in judged.cautions)


def test_new_lesions_of_a_second_scan_within_twelve_weeks_may_still_be_flare():
    judged = series((-1, ""), (4, ""), (12, "pq"), (20, "pq"))
    assert states(judged)[2:] == [">=2_new_unconfirmed", "flare_then_stable"]
    past = series((-1, ""), (4, ""), (12.2, "pq"), (20, "pq"))
    assert past.progressed_on == week(12.2)


@pytest.mark.parametrize(
    ("scans", "said"),
    [
        (((-1, ""), (0, "")), "nothing to judge yet"),
        (((-1, ""), (26, "")), "later than flare is usual"),
        (((-8, ""), (9, "")), "older than the treatment"),
    ],
)
def test_what_makes_the_rules_shaky_is_said(scans, said):
    assert any(said in caution for caution in series(*scans).cautions)


LESIONS = st.frozensets(st.sampled_from("abcdef"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 120), LESIONS), min_size=1, max_size=7))
def test_any_series_obeys_the_laws_of_the_rules(steps):
    """Laws of the published text, whatever the series: none may follow from how the machine is built."""
    day, events = START - timedelta(days=1), [ScanEvent(on=START - timedelta(days=1))]
    for days, lesions in steps:
        day += timedelta(days=days)
        events.append(ScanEvent(on=day, lesions=lesions))
    judged = judge_progression(events, treatment_start=START)
    assert len(judged.scans) == len(events)
    assert all(scan.text.endswith(".") and scan.next_step.endswith(".") for scan in judged.scans)
    if judged.progressed_on is not None:
        confirmed = next(scan.on for scan in judged.scans if scan.state == BoneState.CONFIRMED)
        assert (confirmed - judged.progressed_on).days >= 42
        first = next(event for event in events if event.on == judged.progressed_on)
        earlier = events[: events.index(first)]
        assert len(first.lesions - earlier[0].lesions) >= 2  # two new ones at the least on the day it is dated to
    for one, following in pairwise(judged.scans):
        if one.state == BoneState.CONFIRMED:
            assert following.state == BoneState.CONFIRMED
        if following.state == BoneState.FLARE:
            assert one.state == BoneState.UNCONFIRMED
