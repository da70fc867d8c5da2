"""Pictures of a pose, and views prepared to be compared with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from tests.reading.person import person

from bonescan.anatomy.pose import PARAMETERS, default_pose, segment_maps, tree_arrays
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.reading.skeleton import picture
from bonescan.reading.skeleton.picture import OFFSET, point_cloud, prepare, render
from bonescan.scan import View, ViewName

SHAPE = (96, 60)
PSF = picture._half_kernel(0.8)


def splat(points, *, frame=(48.0, 30.0, 0.05, 0.05, 0.0, 0.0), side=-1.0, weight=None, psf=PSF, pose=None):
    """Counts of body points (x, y, z) mm of the pelvis under a camera: `render` with its square root undone."""
    points = np.array(points, dtype=float)
    weight = np.full(len(points), 0.01) if weight is None else np.array(weight)
    maps, curve = segment_maps(default_pose() if pose is None else pose, *tree_arrays())
    out, scratch = np.empty(SHAPE, np.float32), np.empty(SHAPE, np.float32)
    segment, basis = np.zeros(len(points), np.int64), np.zeros((len(points), 3))
    render(maps, curve, np.array(frame), side, points, segment, weight, basis, psf, 1.0, out, scratch)
    return (out.astype(float) + OFFSET**0.5) ** 2 - OFFSET


def test_a_point_appears_where_its_frame_puts_it():
    frame = (40.3, 28.6, 0.06, -0.05, 0.03, -0.02)
    counts = splat([(120.0, 0.0, 700.0)], frame=frame, side=1.0)
    z = 700.0 - 900.0
    row = 40.3 - 0.06 * (z - 0.03 * 120.0)  # the frame's own equation, in its docstring
    column = 28.6 - 0.05 * (120.0 - 0.02 * z)
    found = [np.average(axis, weights=counts.clip(0)) for axis in np.indices(SHAPE)]
    assert found == pytest.approx([row, column], abs=0.02)


@pytest.mark.parametrize(("side", "nearer"), [(-1.0, -50.0), (1.0, 50.0)])
def test_what_is_nearer_the_camera_is_less_attenuated(side, nearer):
    near, far = (splat([(0.0, y, 900.0)], side=side).sum() for y in (nearer, -nearer))
    assert near / far == pytest.approx(np.exp(0.012 * 100), rel=1e-3)  # Beer's law over 100 mm


def test_blur_keeps_the_counts_and_what_lies_outside_adds_none():
    assert splat([(0.0, 0.0, 900.0)] * 3).sum() == pytest.approx(0.03, rel=1e-3)
    assert splat([(5000.0, 0.0, 900.0), (0.0, 0.0, -5000.0)]).sum() == pytest.approx(0, abs=1e-4)


def test_counts_are_capped_at_one():
    assert splat([(0.0, 0.0, 900.0)], weight=[500.0]).max() == pytest.approx(1.0, abs=1e-5)


def test_empty_air_is_zero_so_that_edges_of_the_picture_are_nothing():
    assert np.abs(splat([(0.0, 0.0, 900.0)])[:, :10]).max() < 1e-6


def test_blur_and_box_are_those_of_scipy():
    rng = np.random.default_rng(0)
    for half in (2, 5):
        values = rng.random(SHAPE).astype(np.float32)
        ours, scratch = values.copy(), np.empty_like(values)
        picture._box(ours, half, scratch)
        np.testing.assert_allclose(ours, ndimage.uniform_filter(values, 2 * half + 1, mode="constant"), atol=1e-5)
    kernel = picture._half_kernel(1.3)
    full = np.concatenate([kernel[:0:-1], kernel])
    assert full.sum() == pytest.approx(1, abs=1e-6)
    ours = values.copy()
    picture.blur(ours, kernel, scratch)
    theirs = ndimage.correlate1d(ndimage.correlate1d(values, full, 0, mode="constant"), full, 1, mode="constant")
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("grain", [3000.0, 8000.0])
def test_the_cloud_keeps_the_uptake_of_the_skeleton_whatever_its_grain(grain):
    skeleton = default_skeleton()
    cloud, fine = point_cloud(skeleton, grain), point_cloud(skeleton, 1200.0)
    assert len(cloud.points) < len(fine.points)
    assert cloud.weight.sum() == pytest.approx(fine.weight.sum(), rel=0.03)
    spine = [k for k, name in enumerate(skeleton.bones) if name.startswith("vertebra_l")]
    volume_cm3 = skeleton.volumes_mm3()[np.isin(skeleton.bone_index, spine)].sum() / 1000
    lumbar = cloud.weight[cloud.segment == 1].sum()  # the lumbar spine's uptake is the unit: weight is volume
    assert lumbar == pytest.approx(volume_cm3, rel=1e-6)


def test_points_fill_a_ball_evenly():
    points = picture._ball_points(4000)
    assert np.linalg.norm(points, axis=1).max() <= 1
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(points.T), np.eye(3) / 5, atol=0.01)  # second moment of a unit ball: 1/5


def test_resampling_keeps_the_mean():
    matrix = picture.box_matrix(100, 37)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(matrix.sum(axis=0), 0.37, atol=1e-5)
    np.testing.assert_allclose(picture.box_matrix(12, 12), np.eye(12), atol=1e-6)


@pytest.fixture(scope="module")
def views():
    return person().scan.views


def test_a_view_prepared_does_not_know_the_scale_of_its_counts(views):
    plain = prepare(views, 96)
    louder = prepare(tuple(dataclasses.replace(view, counts=view.counts * 37) for view in views), 96)
    np.testing.assert_allclose(louder.targets, plain.targets, atol=1e-4)


def test_a_prepared_view_is_standardised_where_the_body_is(views):
    level = prepare(views, 96)
    body = np.abs(level.targets) > 0.2
    assert 0.5 < level.targets[body].std() < 1.5
    # Air, to the very corner: a step at the edge, alike in view and picture, would pass for agreement.
    assert np.abs(level.targets[:, :2, :3]).max() < 0.01


def test_a_hot_spot_is_not_trusted_and_changes_little_elsewhere(views):
    view = views[0]
    counts = view.counts.copy()
    counts[300:306, 20:26] += 60 * np.percentile(counts, 99)
    plain, spotted = prepare((view,), 96), prepare((dataclasses.replace(view, counts=counts),), 96)
    at = round(303 * 96 / len(counts)), round(23 * spotted.factors[0, 1])
    assert spotted.trust[0][at] == 0
    assert plain.trust[0][at] == 1
    far = np.hypot(*np.indices(spotted.targets[0].shape) - np.array(at)[:, None, None]) > 16
    assert np.abs(spotted.targets - plain.targets)[0][far].mean() < 0.03


def test_an_injection_a_thousand_times_hotter_than_bone_leaves_the_body_to_be_seen(views):
    view = views[0]
    counts = view.counts.copy()
    counts[300:306, 20:26] += 1000 * np.percentile(counts, 99)
    plain, spotted = prepare((view,), 96), prepare((dataclasses.replace(view, counts=counts),), 96)
    assert spotted.head_rows[0] == pytest.approx(plain.head_rows[0], abs=1)
    assert spotted.foot_rows[0] == pytest.approx(plain.foot_rows[0], abs=1)


def test_head_feet_and_middle_are_where_the_person_lies(views):
    level = prepare(views, 96)
    for v, view in enumerate(views):
        rows = np.flatnonzero(view.counts.sum(axis=1) > 20) * level.factors[v, 0]
        assert level.head_rows[v] == pytest.approx(rows[0], abs=3)
        assert level.foot_rows[v] == pytest.approx(rows[-1], abs=3)
        assert level.middle_columns[v] == pytest.approx(level.targets.shape[2] / 2, abs=2)


def test_pixels_of_any_aspect_become_square_ones(views):
    view = views[0]
    wide = View(
        name=ViewName.ANTERIOR,
        counts=view.counts[:, ::2] + view.counts[:, 1::2],
        row_spacing_mm=view.row_spacing_mm,
        column_spacing_mm=2 * view.column_spacing_mm,
        identity_basis="drawn",
    )
    plain, squeezed = prepare((view,), 96), prepare((wide,), 96)
    assert squeezed.targets.shape == plain.targets.shape
    np.testing.assert_allclose(squeezed.targets, plain.targets, atol=0.1)


def test_a_picture_of_many_poses_is_each_ones_own():
    skeleton = default_skeleton()
    cloud = point_cloud(skeleton, 20000)
    count = len(PARAMETERS)
    thetas = np.zeros((3, count + 6))
    thetas[:, count : count + 4] = 48, 30, 0.05, 0.05
    thetas[1, 3], thetas[2, count] = 0.2, 52
    arrays = (cloud.points, cloud.segment, cloud.weight, cloud.curve)
    scales, sides = np.array([1e-2]), np.array([-1.0])

    def all_of(chosen):
        out = np.empty((len(chosen), 1, *SHAPE), np.float32)
        picture.render_all(chosen, sides, scales, tree_arrays(), arrays, PSF, 3, picture.FLOOR, SHAPE, out)
        return out

    together = all_of(thetas)
    for k in range(3):
        np.testing.assert_array_equal(together[k], all_of(thetas[k : k + 1])[0])
    assert np.abs(together[1] - together[0]).max() > 0.2
    np.testing.assert_allclose(together[2, 0, 20:80], together[0, 0, 16:76], atol=0.02)  # four rows lower
