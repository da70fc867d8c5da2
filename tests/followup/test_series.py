from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from tests.report.pair import compared, drawn_series, study

from bonescan.errors import InvalidValue
from bonescan.followup.model import ChangeKind, Comparison, Study
from bonescan.followup.progression import BoneState
from bonescan.followup.series import follow, in_order


def test_a_lesion_keeps_its_letter_through_all_scans_and_it_is_that_of_the_last_reading():
    series = drawn_series(8, 10)
    last = series.studies[-1].reading.findings
    assert [track.letter for track in series.tracks] == [finding.letter for finding in last[:6]]
    assert [track.present for track in series.tracks] == [(True, True)] * 4 + [(False, True)] * 2
    assert series.progression.state == BoneState.UNCONFIRMED
    assert set(series.progression.scans[-1].new) == {"E", "F"}


def test_a_lesion_that_vanished_has_a_letter_no_finding_of_the_last_scan_has():
    series = drawn_series(10, 8)
    used = {finding.letter for finding in series.studies[-1].reading.findings}
    gone = [track for track in series.tracks if not track.present[-1]]
    assert len(gone) == 2
    assert not {track.letter for track in gone} & used
    assert {series.track_of(lesion).letter for lesion in series.latest.of_kind(ChangeKind.VANISHED)} == {
        track.letter for track in gone
    }


def test_two_new_ones_and_two_more_are_a_progression_dated_to_the_first():
    series = drawn_series(8, 10, 12)
    assert series.progression.state == BoneState.CONFIRMED
    assert series.progression.progressed_on == date(2021, 3, 15)


def test_a_lesion_missed_in_one_scan_is_not_new_in_the_next():
    series = drawn_series(10, 8, 10)  # two lesions of the baseline are not found in the middle scan
    assert [str(scan.state) for scan in series.progression.scans] == ["baseline", "no_new", "no_new"]
    assert sum(track.present == (True, False, True) for track in series.tracks) == 2


def test_uptake_measured_below_the_finders_mark_counts_as_present():
    def seen_before(prior: Study, current: Study) -> Comparison:
        """As `compared`, but what is new there was measured, not marked, in the prior scan."""
        comparison = compared(prior, current)
        lesions = tuple(
            replace(lesion, kind=ChangeKind.PERSISTING) if lesion.kind is ChangeKind.NEW else lesion
            for lesion in comparison.lesions
        )
        return replace(comparison, lesions=lesions)

    series = follow([study(8, date(2021, 1, 4)), study(10, date(2021, 3, 15))], seen_before)
    assert series.progression.state == BoneState.NO_NEW
    assert all(track.present == (True, True) for track in series.tracks)


def test_what_the_prior_scan_does_not_show_is_not_counted_as_new():
    def out_of_view(prior: Study, current: Study) -> Comparison:
        comparison = compared(prior, current)
        lesions = tuple(
            replace(lesion, kind=ChangeKind.NOT_COMPARABLE) if lesion.kind is ChangeKind.NEW else lesion
            for lesion in comparison.lesions
        )
        return replace(comparison, lesions=lesions)

    series = follow([study(8, date(2021, 1, 4)), study(10, date(2021, 3, 15))], out_of_view)
    assert series.progression.state == BoneState.NO_NEW


def test_scans_that_do_not_fit_each_other_are_not_evaluable():
    def askew(prior: Study, current: Study) -> Comparison:
        comparison = compared(prior, current)
        return replace(comparison, alignment=replace(comparison.alignment, trusted=False))

    series = follow([study(8, date(2021, 1, 4)), study(10, date(2021, 3, 15))], askew)
    assert series.progression.state == BoneState.NOT_EVALUABLE


def test_studies_are_sorted_by_their_day_but_left_alone_where_one_has_none():
    late, early = study(8, date(2021, 3, 15)), study(8, date(2021, 1, 4))
    assert in_order([late, early]) == (early, late)
    unknown = replace(early, on=None)
    assert in_order([late, unknown]) == (late, unknown)


def test_one_study_is_refused():
    with pytest.raises(InvalidValue, match="needs two scans"):
        follow([study(8, date(2021, 3, 15))], compared)


def test_a_new_lesion_in_a_place_of_faint_uptake_is_new():
    def over_a_faint_one(prior: Study, current: Study) -> Comparison:
        """As `compared`, but the first persisting lesion is a new one where the prior scan marks faint uptake."""
        comparison = compared(prior, current)
        first, *others = comparison.lesions
        return replace(comparison, lesions=(replace(first, kind=ChangeKind.NEW), *others))

    series = follow([study(8, date(2021, 1, 4)), study(8, date(2021, 3, 15))], over_a_faint_one)
    assert series.progression.state == BoneState.ONE_NEW
    assert series.track_of(series.latest.lesions[0]).present == (False, True)
