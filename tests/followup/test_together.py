from dataclasses import replace

import pytest
from tests.followup.person import Spot, pose, read_person

from bonescan.followup.matching import Match, Named, PlaceChange
from bonescan.followup.model import ChangeKind
from bonescan.followup.together import common_likelihood, decide_together
from bonescan.measurement import Measurement

SPOT = Spot(bone="femur_r", centre_mm=(-90, 10, 700), ratio=4)


@pytest.fixture(scope="module")
def reading():
    return read_person(pose(), [SPOT], index_percent=0.9)


@pytest.fixture(scope="module")
def burden(reading):
    return reading.burden


def found(reading, likelihood, *, mass=0.3):
    told = Measurement(value=likelihood, unit="1", method="drawn")
    return replace(reading.findings[0], likelihood=told, in_burden=likelihood >= 0.5, mass_share_percent=mass)


def matched(kind, prior, current):
    place = PlaceChange(brightness=1.0, log_spread=0.1, significance=0.0)
    named = Named(bone="femur_r", side="right", place="right femur", region=12)
    return Match(kind=kind, named=named, prior=prior, current=current, masks={}, place=place, reason="drawn")


def changed(matches, burden):
    done = decide_together(matches, burden, burden)
    return [after.value - burden.bone_scan_index_percent.value for after in done.index]


# Each case has a sure lesion of mass 0.9 in both scans beside the one in question: an index of 0.9 for an outlined mass
# of 0.9 (k = 1 or, where another counts too, less). Witness: the rules of the module, worked out by hand.
@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (0.45, 0.60, (+1, 0)),  # mean log-odds above 0: it counts in the prior scan too
        (0.40, 0.55, (0, -1)),  # below: it counts in neither
        (0.60, 0.90, (0, 0)),
        (0.10, 0.40, (0, 0)),
    ],
)
def test_a_lesion_seen_in_both_scans_is_decided_once(reading, burden, before, now, expected):
    sure = matched(ChangeKind.PERSISTING, (found(reading, 0.99, mass=0.9),), (found(reading, 0.99, mass=0.9),))
    doubtful = matched(ChangeKind.PERSISTING, (found(reading, before),), (found(reading, now),))
    got = changed([sure, doubtful], burden)
    k = 1.8 / (1.8 + 0.3)  # one of the doubtful pair is counted where they differ
    assert got == pytest.approx([k * 0.3 * sign for sign in expected])


def test_what_one_reading_missed_counts_alike_in_both(reading, burden):
    one = matched(ChangeKind.PERSISTING, (), (found(reading, 0.9),))
    assert changed([one], burden) == pytest.approx([0.3, 0.0])  # k is 1 at most: the mass under its outline


# Witness: the passage of bonescan.reading.measures.burden, from 4 to 12 percent.
@pytest.mark.parametrize(("index_percent", "share"), [(4.0, 1.0), (8.0, 0.5), (12.0, 0.0), (50.0, 0.0)])
def test_in_widespread_disease_single_findings_move_no_index(reading, burden, index_percent, share):
    read = replace(burden.bone_scan_index_percent, value=index_percent)
    one = matched(ChangeKind.PERSISTING, (), (found(reading, 0.9),))
    got = changed([one], replace(burden, bone_scan_index_percent=read))
    assert got == pytest.approx([0.3 * share, 0.0])


@pytest.mark.parametrize("kind", [ChangeKind.NEW, ChangeKind.VANISHED])
def test_a_change_of_the_disease_stays_one(reading, burden, kind):
    sides = ((), (found(reading, 0.9),)) if kind is ChangeKind.NEW else ((found(reading, 0.9),), ())
    assert changed([matched(kind, *sides)], burden) == [0, 0]


def test_what_cannot_be_compared_changes_nothing(reading, burden):
    done = decide_together([matched(ChangeKind.NOT_COMPARABLE, (found(reading, 0.9),), ())], burden, burden)
    assert done.index[0].value == pytest.approx(0.9 - 0.3)
    assert done.index[1].value == 0.9
    assert "decided once" in done.index[0].method


def test_an_area_is_corrected_by_its_own_area(reading, burden):
    one = found(reading, 0.9)
    own = sum(view.area_mm2 for view in one.views.values())
    done = decide_together([matched(ChangeKind.PERSISTING, (one,), ())], burden, burden)
    assert done.area[1].value - burden.lesion_area_mm2.value == pytest.approx(own)


def test_the_common_likelihood_is_the_mean_of_log_odds(reading):
    # witness: odds 4 and 1 over 4 have log-odds that cancel
    assert common_likelihood([found(reading, 0.8), found(reading, 0.2)]).value == pytest.approx(0.5)
    assert common_likelihood([replace(found(reading, 0.8), likelihood=Measurement(
        value=None, unit="1", method="drawn", absent_reason="not judged"))]).value is None  # fmt: skip
