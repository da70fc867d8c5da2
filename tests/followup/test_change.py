import math
from dataclasses import replace

import pytest

from bonescan.followup.change import change_of, index_change, lesion_changes
from bonescan.followup.matching import Match, Named, PlaceChange
from bonescan.followup.model import ChangeKind, Comparability, ComparabilityCheck, Trend
from bonescan.measurement import Measurement
from bonescan.reading.model import Burden, Verdict

ALIKE = Comparability(checks=())


def percent(value, uncertainty=0.1):
    return Measurement(value=value, unit="%", uncertainty=uncertainty, method="drawn")


def burden(value):
    absent = Measurement(value=None, unit="%", method="drawn", absent_reason="Too few counts.")
    return Burden(
        bone_scan_index_percent=absent if value is None else percent(value),
        mass_table="drawn",
        hot_spot_count=1,
        positive_area_percent=percent(1.0),
        lesion_area_mm2=percent(1.0),
        by_region={},
        not_in_view=(),
    )


def test_difference_and_ratio_carry_their_uncertainty():
    # witness: the equations of the module, by hand
    change = change_of(percent(2.0, 0.3), percent(5.0, 0.4))
    assert change.difference.value == pytest.approx(3.0)
    assert change.difference.uncertainty == pytest.approx(0.5)
    assert change.ratio.value == pytest.approx(2.5)
    assert change.ratio.uncertainty == pytest.approx(2.5 * math.hypot(0.15, 0.08))
    assert change.trend is Trend.ROSE


def test_a_trend_needs_more_than_its_uncertainty():
    assert change_of(percent(2.0, 0.3), percent(2.7, 0.4)).trend is Trend.UNCHANGED
    assert change_of(percent(2.0, None), percent(5.0)).trend is Trend.UNKNOWN
    assert change_of(percent(5.0), percent(2.0)).trend is Trend.FELL


def test_what_one_scan_lacks_is_absent_with_the_reason():
    missing = Measurement(value=None, unit="%", method="drawn", absent_reason="seen in one view only")
    change = change_of(percent(2.0), missing)
    assert change.difference.value is None
    assert "current scan: seen in one view only" in change.difference.absent_reason
    assert change.trend is Trend.UNKNOWN
    assert change_of(percent(0.0), percent(1.0)).ratio.value is None


@pytest.mark.parametrize(("before", "now", "flagged"), [(1.0, 1.29, False), (1.0, 1.31, True), (1.0, 0.5, True)])
def test_the_index_is_flagged_beyond_its_repeatability(before, now, flagged):
    # witness: the published upper limit of 0.30 between repeated scans
    change = index_change(burden(before), burden(now), ALIKE)
    assert change.flagged is flagged
    assert ("within the 0.3" in change.text) is not flagged


def test_doublings_are_logarithms_and_need_two_positive_indices():
    assert index_change(burden(1.0), burden(4.0), ALIKE).doublings.value == pytest.approx(2.0)
    assert index_change(burden(2.0), burden(1.0), ALIKE).doublings.value == pytest.approx(-1.0)
    assert index_change(burden(0.0), burden(1.0), ALIKE).doublings.value is None
    assert index_change(burden(0.0), burden(1.0), ALIKE).flagged


def test_an_index_that_is_withheld_has_no_change():
    check = ComparabilityCheck(
        code="comparability.tracer",
        question="?",
        verdict=Verdict.WITHHOLD,
        prior="a",
        current="b",
        text="Other tracer.",
    )
    for change in (
        index_change(burden(1.0), burden(None), ALIKE),
        index_change(burden(1.0), burden(2.0), replace(ALIKE, checks=(check,))),
    ):
        assert change.change.difference.value is None
        assert change.doublings.value is None
        assert not change.flagged
        assert "not given" in change.text


@pytest.mark.parametrize(
    ("kind", "brightness", "trend"),
    [
        (ChangeKind.NEW, 2.0, Trend.ROSE),
        (ChangeKind.NEW, 0.4, Trend.FELL),  # a cold place
        (ChangeKind.VANISHED, 0.4, Trend.FELL),
        (ChangeKind.VANISHED, 2.0, Trend.ROSE),  # a cold place
        (ChangeKind.NOT_COMPARABLE, 0.4, Trend.UNKNOWN),
    ],
)
def test_a_trend_goes_with_the_brightness_and_is_unknown_where_nothing_can_be_compared(kind, brightness, trend):
    match = Match(
        kind=kind,
        named=Named(bone="femur_r", side="right", place="right femur", region=12),
        prior=(),
        current=(),
        masks={},
        place=PlaceChange(brightness=brightness, log_spread=0.1, significance=4.0),
        reason="Drawn.",
    )
    assert lesion_changes([match])[0].trend is trend
