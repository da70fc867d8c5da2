from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.pose import PARAMETERS, default_pose, pose_skeleton
from bonescan.anatomy.regions import outlines, paint_regions
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton

SHAPE = (920, 401)
REGIONS = {"anterior": set(range(1, 13)), "posterior": set(range(1, 13)) - {5}}  # the sternum is not seen from behind


def to_pixels(view: str):
    """2 mm pixels, the midline on column 200; the camera in front has the patient's left on its right."""
    side = 1 if view == "anterior" else -1
    return lambda x, z: (900 - z / 2, 200 + side * x / 2)


def painted(view: str, pose: np.ndarray | None = None) -> np.ndarray:
    return paint_regions(default_pose() if pose is None else pose, view, to_pixels(view), SHAPE)


def centre(bone: str) -> np.ndarray:
    skeleton = default_skeleton()
    own = skeleton.bone_index == skeleton.bones.index(bone)
    return np.average(skeleton.centres_mm[own], axis=0, weights=skeleton.volumes_mm3()[own])


@pytest.mark.parametrize("view", ["anterior", "posterior"])
def test_every_region_is_painted_and_no_other(view):
    assert set(np.unique(painted(view)).tolist()) == REGIONS[view] | {0}


@pytest.mark.parametrize("view", ["anterior", "posterior"])
def test_the_default_body_is_its_own_mirror_image(view):
    picture = painted(view)
    mirrored = picture[:, ::-1]
    for region in REGIONS[view]:
        here, there = picture == region, mirrored == region
        # edges are drawn to whole pixels, half a pixel off on one side
        assert 2 * (here & there).sum() / (here.sum() + there.sum()) > 0.94, region


@pytest.mark.parametrize(
    ("bone", "region", "views"),
    [
        ("skull_occipital", 1, ("posterior",)),
        ("vertebra_c05", 2, ("posterior",)),
        ("vertebra_t08", 3, ("posterior",)),
        ("sternum_body", 5, ("anterior",)),
        ("vertebra_l03", 9, ("anterior", "posterior")),
        ("sacrum", 10, ("posterior",)),
        ("femur_l", 12, ("anterior", "posterior")),
        ("femur_r", 12, ("anterior", "posterior")),
        ("humerus_l", 8, ("anterior", "posterior")),
    ],
)
def test_the_middle_of_a_bone_lies_in_its_region(bone, region, views):
    x, _, z = centre(bone)
    for view in views:
        row, column = to_pixels(view)(x, z)
        assert painted(view)[round(row), round(column)] == region


def test_the_views_show_opposite_sides():
    pose = default_pose()
    pose[[p.name for p in PARAMETERS].index("arm_l.spread_rad")] = 0.6
    for view, sign in (("anterior", +1), ("posterior", -1)):
        _, columns = np.nonzero(painted(view, pose) == 8)
        assert sign * (columns - 200).mean() > 3  # the spread left arm lies right in front, left from behind


def test_regions_follow_their_bones_into_a_pose():
    rng = np.random.default_rng(11)
    pose = rng.normal(0, [p.spread for p in PARAMETERS])
    skeleton = default_skeleton()
    posed = pose_skeleton(skeleton, pose)
    for bone, region in (("femur_l", 12), ("femur_r", 12), ("vertebra_l03", 9)):
        own = skeleton.bone_index == skeleton.bones.index(bone)
        x, _, z = np.average(posed.centres_mm[own], axis=0, weights=skeleton.volumes_mm3()[own])
        row, column = to_pixels("posterior")(x, z)
        assert painted("posterior", pose)[round(row), round(column)] == region


def test_holes_take_away():
    holes = [outline for outline in outlines() if outline.hole]
    for outline in holes:
        row, column = to_pixels(outline.view)(*outline.points_mm.mean(axis=0)[[0, 2]])
        assert painted(outline.view)[round(row), round(column)] != outline.region


def test_outlines_are_polygons_on_real_segments():
    for outline in outlines():
        assert len(outline.points_mm) >= 3
        assert 0 <= outline.segment < len(SEGMENTS)
        assert outline.view in REGIONS
        assert outline.region in REGIONS[outline.view]


def test_what_leaves_the_picture_is_cut_off():
    small = paint_regions(default_pose(), "anterior", to_pixels("anterior"), (300, 401))
    np.testing.assert_array_equal(small, painted("anterior")[:300])
    assert small.dtype == np.uint8
