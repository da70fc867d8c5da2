"""Areas and levels of a posed skeleton against what a network would see of the same pose."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.reading.person import person, random_pose
from tests.reading.seen import dense

from bonescan.anatomy.pose import PARAMETERS, tree_arrays
from bonescan.reading.skeleton.areas import GRID_MM, area_cloud, area_pictures, prepare_areas
from bonescan.reading.skeleton.picture import prepare
from bonescan.scan import ViewName

N = len(PARAMETERS)


@pytest.fixture(scope="module")
def posed():
    one = person(random_pose(2), counts=1e6, views=(ViewName.POSTERIOR,))
    view = one.scan.views[0]
    level = prepare(one.scan.views, 96)
    shape = level.targets.shape[1:]
    areas = prepare_areas((dense(one, view.name, view.counts.shape),), one.scan.views, shape, shape, level.psf)
    frame = np.array(dataclasses.astuple(one.frames[view.name]))
    rows, columns = level.factors[0]
    frame[0], frame[1] = (frame[0] + 0.5) * rows - 0.5, (frame[1] + 0.5) * columns - 0.5
    frame[2], frame[3] = frame[2] * rows, frame[3] * columns
    return areas, np.concatenate([one.pose, frame])


def misfit(areas, thetas):
    pictures, levels = area_pictures(np.array(thetas), areas, tree_arrays())
    return ((pictures - areas.planes) ** 2).sum(axis=(1, 2, 3, 4)), (areas.level_weight * levels**2).sum(axis=1)


def moved(theta, name, step):
    changed = theta.copy()
    changed[[p.name for p in PARAMETERS].index(name)] += step
    return changed


@pytest.mark.parametrize("view", list(ViewName))
def test_every_region_of_a_view_has_as_many_points_as_squares_of_its_area(view):
    """Witness: a femur of the default skeleton's outlines is about 330 mm long and 40 mm wide."""
    cloud = area_cloud(view)
    assert set(np.unique(cloud.region)) == set(range(1, 18)) - ({5} if view is ViewName.POSTERIOR else set())
    femora_mm2 = (cloud.region == 12).sum() * GRID_MM**2
    assert 2 * 330 * 25 < femora_mm2 < 2 * 400 * 70


def test_the_true_pose_fits_better_than_any_moved_one(posed):
    areas, theta = posed
    changes = (
        ("thorax.height_log", 0.06),
        ("arm_l.spread_rad", 0.3),
        ("pelvis.width_log", -0.1),
        ("neck.height_log", 0.2),
    )
    area, level = misfit(areas, [theta, *(moved(theta, name, step) for name, step in changes)])
    assert (area[1:] > 1.1 * area[0]).all()
    assert level[1] > 2 * level[0]  # a longer chest has its ribs and vertebrae elsewhere


def test_levels_are_those_of_the_bones(posed):
    """Half a level (the residual's unit is half a level) is what blur and grid leave."""
    areas, theta = posed
    _, levels = area_pictures(theta[None], areas, tree_arrays())
    spine = levels[0][areas.level_weight == 1]
    assert np.median(np.abs(spine)) < 1


def test_what_lies_outside_the_picture_costs_nothing(posed):
    areas, theta = posed
    away = theta.copy()
    away[N] -= 1000  # the whole body above the picture
    pictures, levels = area_pictures(away[None], areas, tree_arrays())
    assert not pictures.any()
    assert not levels.any()
