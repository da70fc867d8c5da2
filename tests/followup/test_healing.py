"""Healing over time; the witnesses are Matin 1979, Scoles 1980 and the series of 13 with chronic osteomyelitis."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bonescan.errors import InvalidValue
from bonescan.followup.healing import HealingCall, Uptake, judge_fracture, judge_infection
from bonescan.measurement import Measurement

DAY = date(2026, 1, 1)


def course(*points: tuple[int, float | None]) -> list[Uptake]:
    """Uptakes by day after `DAY`."""
    return [
        Uptake(
            on=DAY + timedelta(days=days),
            ratio=Measurement(
                value=ratio, unit="1", method="uptake ratio", absent_reason="" if ratio is not None else "not in view."
            ),
        )
        for days, ratio in points
    ]


@pytest.mark.parametrize(
    ("points", "call", "said"),
    [
        (((2, 1.0),), HealingCall.UNDECIDED, "too early"),  # 5 % show later than three days
        (((10, 4.0),), HealingCall.EXPECTED, "4.0 times"),
        (((10, 3.0), (60, 5.5)), HealingCall.EXPECTED, "rose"),  # it rises for the first three months
        (((80, 5.0), (300, 2.0)), HealingCall.EXPECTED, "fell"),
        (((80, 5.0), (300, 1.1)), HealingCall.EXPECTED, "fell"),
        (((100, 3.0), (300, 5.0)), HealingCall.UNUSUAL, "rises again"),
        (((100, 3.0), (300, 3.2)), HealingCall.EXPECTED, "did not change"),  # within 15 % each
        (((60, 1.1),), HealingCall.UNUSUAL, "sooner than any"),  # none of 204 before 5 months
        (((151, 1.1),), HealingCall.UNUSUAL, "sooner than any"),
        (((160, 1.1),), HealingCall.EXPECTED, "1.1 times"),
        (((800, 2.0),), HealingCall.UNUSUAL, "one fracture in ten"),  # 90 % are normal by two years
        (((800, 1.1),), HealingCall.EXPECTED, "1.1 times"),
    ],
)
def test_fracture_against_the_published_course(points, call, said):
    healing = judge_fracture(course(*points), injured_on=DAY)
    assert healing.call is call
    assert said in healing.text


def test_fracture_without_the_day_of_injury_has_a_direction_only():
    assert judge_fracture(course((0, 5.0), (200, 2.0))).call is HealingCall.EXPECTED
    assert judge_fracture(course((0, 2.0), (200, 5.0))).call is HealingCall.UNUSUAL
    assert judge_fracture(course((0, 2.0))).call is HealingCall.UNDECIDED


def test_the_limit_of_tibial_non_union_is_told_of_tibias_alone():
    hot = course((120, 3.0))
    assert "2.5 times the other leg" in judge_fracture(hot, injured_on=DAY, bone="tibia_l").expected
    assert "2.5 times" not in judge_fracture(hot, injured_on=DAY, bone="rib_07_l").expected


@pytest.mark.parametrize(
    ("points", "call"),
    [
        (((0, 2.0), (7, 4.0)), HealingCall.UNDECIDED),  # 7 of 16 children rose under sound treatment
        (((0, 4.0), (7, 2.0)), HealingCall.EXPECTED),  # 9 of 16 fell
        (((0, 3.0), (180, 3.0)), HealingCall.UNDECIDED),
        (((0, 3.0), (180, 5.0)), HealingCall.UNUSUAL),
        (((0, 5.0), (180, 2.0)), HealingCall.EXPECTED),
        (((0, 5.0),), HealingCall.UNDECIDED),
    ],
)
def test_infection_under_treatment(points, call):
    assert judge_infection(course(*points), treated_from=DAY).call is call


def test_a_fall_is_never_called_a_cure():
    assert "proves no cure" in judge_infection(course((0, 5.0), (180, 1.0)), treated_from=DAY).text


@pytest.mark.parametrize("judge", [judge_fracture, judge_infection])
def test_bad_input_is_refused_in_a_sentence(judge):
    with pytest.raises(InvalidValue, match="got none"):
        judge([])
    with pytest.raises(InvalidValue, match="each later"):
        judge(course((10, 2.0), (10, 3.0)))
    with pytest.raises(InvalidValue, match="later than the last scan"):
        judge(course((10, 2.0)), **{"injured_on" if judge is judge_fracture else "treated_from": DAY + timedelta(99)})


def test_what_was_not_measured_keeps_its_reason():
    assert judge_fracture(course((10, None)), injured_on=DAY).text == "not in view."
