"""The skeleton is found again from pictures of itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.reading.person import bone_errors_mm, person, random_pose, with_turns

from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import PARAMETERS
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.reading.skeleton.fit import PARTS, _rescale, fit_body
from bonescan.reading.skeleton.picture import point_cloud, prepare
from bonescan.reading.skeleton.problem import Problem
from bonescan.scan import Scan, ViewName

TRUNK_AND_THIGHS = range(1, 13)
LOOSE = (13, 14, 17)  # forearms, hands and feet lie freely and faintly


def errors_mm(one, fit):
    """Distance of every bone in every view from its true place, and the mean of each region's bones."""
    pairs = [
        (bone(key).region, error)
        for view, placement in zip(one.scan.views, fit.placements, strict=True)
        for key, error in bone_errors_mm(one, view.name, fit.pose, placement).items()
    ]
    every = np.array([error for _, error in pairs])
    return every, {r: np.mean([error for region, error in pairs if region == r]) for r, _ in pairs}


@pytest.fixture(scope="module", params=[1, 2])
def found(request):
    one = person(random_pose(request.param), seed=request.param, counts=1e6)
    return one, fit_body(one.scan)


def test_a_random_pose_is_found_again(found):
    every, by_region = errors_mm(*found)
    assert np.median(every) < 8
    assert max(by_region[r] for r in TRUNK_AND_THIGHS) < 15
    assert max(by_region[r] for r in LOOSE) < 45


def test_both_views_agree_with_what_was_fitted(found):
    _, fit = found
    assert len(fit.correlations) == len(fit.placements) == 2
    assert min(fit.correlations) > 0.85
    for parts in fit.part_correlations:
        assert parts.keys() == PARTS.keys()
        assert min(parts.values()) > 0.6
    assert fit.pose.shape == (len(PARAMETERS),)
    assert 0 < fit.cost < 0.5


@pytest.mark.parametrize("name", list(ViewName))
def test_one_view_is_enough(name):
    one = person(random_pose(1), views=(name,))
    every, by_region = errors_mm(one, fit_body(one.scan))
    assert np.median(every) < 14
    assert max(by_region[r] for r in by_region if r in TRUNK_AND_THIGHS) < 20


def test_a_scan_that_ends_at_the_knees_is_not_stretched_to_the_feet():
    one = person(random_pose(4), rows=slice(0, 335))
    every, by_region = errors_mm(one, fit_body(one.scan))
    assert np.median(every) < 8
    assert max(by_region[r] for r in TRUNK_AND_THIGHS) < 15


def test_arms_above_the_head_are_found():
    one = person(with_turns(random_pose(3), arm__spread=135, forearm__bend=60))
    every, by_region = errors_mm(one, fit_body(one.scan))
    assert np.median(every) < 10
    assert by_region[1] < 25  # not taken for the hands
    assert by_region[8] < 25


def test_bent_elbows_are_found():
    one = person(with_turns(random_pose(3), arm__spread=20, forearm__bend=-35))
    _, by_region = errors_mm(one, fit_body(one.scan))
    assert by_region[8] < 15
    assert by_region[13] < 25


def test_what_lies_outside_the_picture_is_told():
    one = person()
    level = prepare(one.scan.views, 96)
    problem = Problem(level, tuple(ViewName), point_cloud(default_skeleton(), 20000))
    frames = np.array([dataclasses.astuple(one.frames[name]) for name in ViewName])
    theta = np.concatenate([np.zeros(len(PARAMETERS)), frames.ravel()])
    theta = _rescale(theta, np.ones((2, 2)), level.factors)
    assert problem.outside(theta) == pytest.approx(0, abs=0.01)
    theta[len(PARAMETERS) + 1] += 1000  # one view, far to the right
    assert problem.outside(theta) == pytest.approx(0.5, abs=0.01)


def test_the_progress_is_told_in_words():
    told = []
    fit_body(Scan(views=person(counts=2e5).scan.views), told.append)
    assert len(told) >= 3
    assert all(words.startswith("fitting the skeleton") for words in told)


def test_every_segment_belongs_to_one_part():
    listed = [segment for segments in PARTS.values() for segment in segments]
    assert sorted(listed) == sorted(segment.name for segment in SEGMENTS)
