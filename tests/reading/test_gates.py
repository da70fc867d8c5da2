"""Whether a network's disagreement with the fitted skeleton is told, and views that look exchanged."""

from __future__ import annotations

import numpy as np
import pytest
from tests.reading.person import person, random_pose
from tests.reading.seen import glance, true_regions

from bonescan.reading.gates import agreement, exchange_remark, network_gates
from bonescan.scan import Severity, ViewName

A = ViewName.ANTERIOR


@pytest.fixture(scope="module")
def regions():
    one = person(random_pose(2), views=(A,))
    return true_regions(one, A, one.scan.views[0].counts.shape)


def test_agreement_is_dice():
    """By hand: region 3 has 4 pixels in one, 6 in the other, 4 in both; too few of region 5 to say anything."""
    ours, theirs = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    ours[:10, :10], theirs[:10, :15] = 3, 3
    ours[30, 30] = 5
    assert agreement(ours, theirs) == {3: pytest.approx(2 * 100 / 250)}


def test_equal_regions_pass(regions):
    assert network_gates((A,), (regions,), (regions,)) == ()


def test_a_skeleton_elsewhere_is_withheld(regions):
    (remark,) = network_gates((A,), (np.roll(regions, 60, axis=0),), (regions,))
    assert remark.code == "labels.agreement.anterior"
    assert remark.severity is Severity.WITHHELD


def test_lost_arms_are_warned_of(regions):
    without = np.where(np.isin(regions, (8, 13, 14)), 0, regions).astype(np.uint8)
    (remark,) = network_gates((A,), (without,), (regions,))
    assert remark.code == "labels.agreement.anterior.arms"
    assert remark.severity is Severity.WARNING


def test_a_network_that_sees_no_body_is_told(regions):
    (remark,) = network_gates((A,), (regions,), (np.zeros_like(regions),))
    assert remark.code == "labels.network.anterior"
    assert remark.severity is Severity.WITHHELD


@pytest.mark.parametrize(("probability", "severity"), [(0.2, None), (0.7, Severity.WARNING), (0.95, Severity.WITHHELD)])
def test_exchanged_views_are_told_and_never_swapped(probability, severity):
    one = person(random_pose(2))
    remark = exchange_remark(glance(one, exchanged=probability))
    assert (remark and remark.severity) == severity
    assert remark is None or "--flip" in remark.text


def test_of_part_of_a_body_exchanged_views_are_only_warned_of_and_later():
    one = person(random_pose(2))
    assert exchange_remark(glance(one, exchanged=0.7), whole=False) is None
    assert exchange_remark(glance(one, exchanged=0.95), whole=False).severity is Severity.WARNING


def test_one_exchanged_view_is_told_with_the_other_name():
    one = person(random_pose(2), views=(A,))
    assert "--view posterior" in exchange_remark(glance(one, exchanged=0.8)).text
