from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.bones import BONES
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton, segment_of

SKELETON = default_skeleton()
MIRROR = np.diag([-1.0, 1.0, 1.0])


def ellipsoids_of(bone: str) -> np.ndarray:
    return np.flatnonzero(SKELETON.bone_index == SKELETON.bones.index(bone))


def inside(points: np.ndarray, bone: str) -> np.ndarray:
    own = ellipsoids_of(bone)
    offsets = points[None] - SKELETON.centres_mm[own][:, None]
    local = np.einsum("eij,epj->epi", np.linalg.inv(SKELETON.axes_mm[own]), offsets)
    return ((local**2).sum(axis=2) <= 1).any(axis=0)


def test_the_skeleton_has_the_bones_that_have_names():
    # 206 bones of an adult less 6 ossicles less the coccyx, which is taken with the sacrum, plus 4 sesamoids of the
    # feet and 2 for a sternum in three pieces
    assert len(SKELETON.bones) == 206 - 6 - 1 + 4 + 2
    assert set(SKELETON.bones) == {bone.id for bone in BONES}


def test_soles_and_vertex_lie_where_the_frame_says():
    # the source's 1707 mm from the lowest to the highest point of bone, soles at zero; millimetres were rounded
    reach = np.linalg.norm(SKELETON.axes_mm[:, 2], axis=1)
    assert (SKELETON.centres_mm[:, 2] - reach).min() == pytest.approx(0, abs=3)
    assert (SKELETON.centres_mm[:, 2] + reach).max() == pytest.approx(1707, abs=3)


def test_the_first_lumbar_body_lies_at_zero_depth():
    assert inside(np.array([[0.0, 0.0, 1126.0]]), "vertebra_l01").all()  # the frame's definition


@pytest.mark.parametrize("bone", [bone for bone in SKELETON.bones if bone.endswith("_l")])
def test_right_bones_mirror_left_ones(bone):
    left, right = ellipsoids_of(bone), ellipsoids_of(bone[:-2] + "_r")
    np.testing.assert_allclose(SKELETON.centres_mm[right], SKELETON.centres_mm[left] @ MIRROR)
    forms_left, forms_right = (a @ a.transpose(0, 2, 1) for a in (SKELETON.axes_mm[left], SKELETON.axes_mm[right]))
    np.testing.assert_allclose(forms_right, MIRROR @ forms_left @ MIRROR, atol=1e-9)


def test_half_axes_are_perpendicular_and_the_volume_is_theirs():
    gram = SKELETON.axes_mm.transpose(0, 2, 1) @ SKELETON.axes_mm
    off_diagonal = gram - np.einsum("eii->ei", gram)[:, :, None] * np.eye(3)
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-6)
    lengths = np.linalg.norm(SKELETON.axes_mm, axis=1)
    np.testing.assert_allclose(SKELETON.volumes_mm3(), 4 / 3 * np.pi * lengths.prod(axis=1))


def test_the_tree_of_segments_has_one_root_and_no_loop():
    seen: set[str] = set()
    for segment in SEGMENTS:  # what carries a segment comes before it: no loop can be written so
        assert {segment.carried_by, segment.turns_with} - {""} <= seen
        assert segment.name not in seen
        seen.add(segment.name)
    assert [segment.name for segment in SEGMENTS if not segment.carried_by] == ["pelvis"]


def test_every_segment_but_none_is_empty():
    assert set(SKELETON.segment_index.tolist()) == set(range(len(SEGMENTS)))


@pytest.mark.parametrize(
    ("bone", "segment"),
    [
        ("skull_occipital", "head"),
        ("mandible", "head"),
        ("vertebra_c01", "neck"),
        ("vertebra_t12", "thorax"),
        ("rib_12_r", "thorax"),
        ("vertebra_l01", "lumbar"),
        ("hip_bone_l", "pelvis"),
        ("ulna_r", "forearm_r"),
        ("patella_l", "shank_l"),
        ("sesamoid_foot_medial_r", "foot_r"),
    ],
)
def test_bones_hang_on_the_segment_an_anatomist_expects(bone, segment):
    assert segment_of(bone) == segment


@pytest.mark.parametrize(
    ("segment", "bone"),
    [("thigh_l", "femur_l"), ("thigh_r", "femur_r"), ("arm_l", "humerus_l"), ("arm_r", "humerus_r")],
)
def test_ball_joints_turn_about_the_head_of_the_bone(segment, bone):
    pivot = next(item.pivot_mm for item in SEGMENTS if item.name == segment)
    assert inside(np.array([pivot]), bone).all()
