from dataclasses import replace

import pytest
from tests.followup.person import Spot, pose, read_person

from bonescan.followup.change import common_likelihood
from bonescan.followup.matching import Match, Named, PlaceChange
from bonescan.followup.model import ChangeKind
from bonescan.followup.together import decide_together
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


def told(matches, burden):
    done = decide_together(matches, burden, burden)
    return [one.value for one in done.index]


# Each case has a sure lesion of mass 0.9 in both scans beside the one in question, of mass 0.3; both indices were read
# as 0.9. Witness: the rules of the module, worked out by hand.
@pytest.mark.parametrize(
    ("before", "now", "masses"),
    [
        (0.45, 0.60, (1.2, 1.2)),  # mean log-odds above 0: it counts in the prior scan too
        (0.40, 0.55, (0.9, 0.9)),  # below: it counts in neither
        (0.60, 0.90, (1.2, 1.2)),
        (0.10, 0.40, (0.9, 0.9)),
    ],
)
def test_a_lesion_seen_in_both_scans_is_decided_once(reading, burden, before, now, masses):
    sure = matched(ChangeKind.PERSISTING, (found(reading, 0.99, mass=0.9),), (found(reading, 0.99, mass=0.9),))
    doubtful = matched(ChangeKind.PERSISTING, (found(reading, before),), (found(reading, now),))
    outlined = 1.8 + 0.3 * (before >= 0.5) + 0.3 * (now >= 0.5)
    assert told([sure, doubtful], burden) == pytest.approx([1.8 / outlined * mass for mass in masses])


def test_what_one_reading_missed_counts_alike_in_both(reading, burden):
    first, second = told([matched(ChangeKind.PERSISTING, (), (found(reading, 0.9),))], burden)
    assert first == pytest.approx(second)


def test_an_outline_that_noise_drew_larger_changes_no_index(reading, burden):
    pair = (found(reading, 0.99, mass=0.8),), (found(reading, 0.99, mass=1.0),)
    assert told([matched(ChangeKind.PERSISTING, *pair)], burden) == pytest.approx([0.9, 0.9])


# Witness: the spread of a difference of sums. Sixteen outlines that are 0.2 larger differ by 3.2 in all, and noise
# explains 1.96 * 0.2 * sqrt(16 * (0.8^2 + 1.0^2)) = 2.0 of it; of one alone it explains 0.5.
def test_many_lesions_that_all_became_larger_did(reading, burden):
    pair = (found(reading, 0.99, mass=0.8),), (found(reading, 0.99, mass=1.0),)
    before, now = told([matched(ChangeKind.PERSISTING, *pair)] * 16, burden)
    assert now / before == pytest.approx(1.0 / 0.8)


def test_a_lesion_whose_uptake_changed_keeps_its_own_masses(reading, burden):
    pair = (found(reading, 0.99, mass=0.8),), (found(reading, 0.99, mass=1.0),)
    risen = replace(
        matched(ChangeKind.PERSISTING, *pair), place=PlaceChange(brightness=2.0, log_spread=0.1, significance=9.0)
    )
    assert told([risen], burden) == pytest.approx([0.8, 1.0])


# Witness: the passage of bonescan.reading.measures.burden, from 4 to 12 percent.
@pytest.mark.parametrize(("index_percent", "share"), [(4.0, 1.0), (8.0, 0.5), (12.0, 0.0), (50.0, 0.0)])
def test_in_widespread_disease_the_index_stays_more_and_more_as_read(reading, burden, index_percent, share):
    read = replace(burden.bone_scan_index_percent, value=index_percent)
    one = matched(ChangeKind.NEW, (), (found(reading, 0.9),))
    got = told([one], replace(burden, bone_scan_index_percent=read))
    by_findings = 0.0, 2 * index_percent  # the new lesion is all the mass there is
    assert got == pytest.approx([share * own + (1 - share) * index_percent for own in by_findings])


@pytest.mark.parametrize("kind", [ChangeKind.NEW, ChangeKind.VANISHED])
def test_a_change_of_the_disease_stays_one(reading, burden, kind):
    sides = ((), (found(reading, 0.9),)) if kind is ChangeKind.NEW else ((found(reading, 0.9),), ())
    index = burden.bone_scan_index_percent
    without, with_it = (replace(burden, bone_scan_index_percent=replace(index, value=value)) for value in (0.0, 0.3))
    before, now = (without, with_it) if kind is ChangeKind.NEW else (with_it, without)
    done = decide_together([matched(kind, *sides)], before, now)
    assert [one.value for one in done.index] == [one.bone_scan_index_percent.value for one in (before, now)]


def test_what_cannot_be_compared_counts_in_neither(reading, burden):
    sure = matched(ChangeKind.PERSISTING, (found(reading, 0.99, mass=0.9),), (found(reading, 0.99, mass=0.9),))
    apart = matched(ChangeKind.NOT_COMPARABLE, (found(reading, 0.9),), ())
    done = decide_together([sure, apart], burden, burden)
    assert [one.value for one in done.index] == pytest.approx([1.8 / 2.1 * 0.9] * 2)
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
