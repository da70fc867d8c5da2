from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.body import Body
from bonescan.anatomy.pose import (
    PARAMETERS,
    curve_basis,
    default_pose,
    move_points,
    pose_person,
    pose_skeleton,
    segment_maps,
    tree_arrays,
)
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.errors import InvalidValue

SKELETON = default_skeleton()
NAMES = [parameter.name for parameter in PARAMETERS]
SEGMENT = {segment.name: k for k, segment in enumerate(SEGMENTS)}


def pose_of(**values: float) -> np.ndarray:
    pose = default_pose()
    for name, value in values.items():
        pose[NAMES.index(name.replace("__", "."))] = value
    return pose


def random_pose(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, [parameter.spread for parameter in PARAMETERS])


def sphere(count: int = 40) -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_the_zero_pose_changes_nothing():
    posed = pose_skeleton(SKELETON, default_pose())
    np.testing.assert_allclose(posed.centres_mm, SKELETON.centres_mm, atol=1e-9)
    np.testing.assert_allclose(posed.axes_mm, SKELETON.axes_mm, atol=1e-9)


def test_names_are_told_apart_and_say_their_unit():
    assert len(set(NAMES)) == len(NAMES)
    assert {name.rpartition("_")[2] for name in NAMES} == {"rad", "log", "mm"}
    assert all(parameter.spread > 0 for parameter in PARAMETERS)


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("clavicle_l.raise_rad", {"clavicle_l", "scapula_l", "arm_l", "forearm_l", "hand_l"}),
        ("scapula_r.turn_rad", {"scapula_r", "arm_r", "forearm_r", "hand_r"}),
        ("arm_l.spread_rad", {"arm_l", "forearm_l", "hand_l"}),
        ("forearm_r.bend_rad", {"forearm_r", "hand_r"}),
        ("hand_l.bend_rad", {"hand_l"}),
        ("thigh_l.turn_rad", {"thigh_l", "shank_l", "foot_l"}),
        ("shank_r.length_log", {"shank_r", "foot_r"}),
        ("foot_l.point_rad", {"foot_l"}),
        ("head.turn_rad", {"head"}),
        ("pelvis.tilt_rad", {f"{part}_{side}" for part in ("thigh", "shank", "foot") for side in "lr"} | {"pelvis"}),
    ],
)
def test_a_joint_moves_what_hangs_on_it_and_nothing_else(name, moves):
    pose = default_pose()
    pose[NAMES.index(name)] = 0.2
    shifted = np.linalg.norm(pose_skeleton(SKELETON, pose).centres_mm - SKELETON.centres_mm, axis=1) > 1e-9
    assert {SEGMENTS[k].name for k in np.unique(SKELETON.segment_index[shifted])} == moves


@pytest.mark.parametrize("name", [name for name in NAMES if "_l." in name])
def test_the_right_side_answers_a_parameter_as_the_left_does_mirrored(name):
    left = move_points(SKELETON.centres_mm, SKELETON.segment_index, pose_of(**{name.replace(".", "__"): 0.3}))
    twin = name.replace("_l.", "_r.")
    right = move_points(SKELETON.centres_mm, SKELETON.segment_index, pose_of(**{twin.replace(".", "__"): 0.3}))
    own = SKELETON.bones.index("ulna_l"), SKELETON.bones.index("tibia_l"), SKELETON.bones.index("scapula_l")
    other = SKELETON.bones.index("ulna_r"), SKELETON.bones.index("tibia_r"), SKELETON.bones.index("scapula_r")
    for bone, mirrored in zip(own, other, strict=True):
        np.testing.assert_allclose(
            left[SKELETON.bone_index == bone] * [-1, 1, 1], right[SKELETON.bone_index == mirrored], atol=1e-9
        )


@pytest.mark.parametrize(
    ("name", "bone", "axis", "sign"),
    [
        ("arm_l.spread_rad", "ulna_l", 0, +1),  # away from the midline
        ("arm_r.spread_rad", "ulna_r", 0, -1),
        ("clavicle_r.raise_rad", "scapula_r", 2, +1),
        ("thigh_l.spread_rad", "tibia_l", 0, +1),
    ],
)
def test_positive_means_away_from_the_midline_or_up(name, bone, axis, sign):
    moved = move_points(SKELETON.centres_mm, SKELETON.segment_index, pose_of(**{name.replace(".", "__"): 0.3}))
    own = SKELETON.bone_index == SKELETON.bones.index(bone)
    assert sign * (moved - SKELETON.centres_mm)[own, axis].mean() > 10


def test_a_logarithm_of_length_is_one():
    def length(pose):
        moved = pose_skeleton(SKELETON, pose)
        own = SKELETON.bone_index == SKELETON.bones.index("tibia_l")
        reach = np.linalg.norm(moved.axes_mm[own, 2], axis=1)
        return (moved.centres_mm[own, 2] + reach).max() - (moved.centres_mm[own, 2] - reach).min()

    assert length(pose_of(shank_l__length_log=np.log(1.1))) == pytest.approx(1.1 * length(default_pose()))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_joints_stay_together(seed):
    maps, curve = segment_maps(random_pose(seed), *tree_arrays())
    for k, segment in enumerate(SEGMENTS):
        if segment.carried_by:
            pivot = np.array(segment.pivot_mm, dtype=float)
            pivot[0] += curve_basis(pivot[2:3])[0] @ curve
            carrier = maps[SEGMENT[segment.carried_by]]
            np.testing.assert_allclose(
                maps[k, :, :3] @ pivot + maps[k, :, 3], carrier[:, :3] @ pivot + carrier[:, 3], atol=1e-9
            )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_moved_ellipsoid_is_the_ellipsoid_of_the_moved_points(seed):
    pose = random_pose(seed)
    for k, name in enumerate(NAMES):
        pose[k] = 0.0 if name.startswith("spine") else pose[k]  # along a curve it is one to first order: see below
    posed = pose_skeleton(SKELETON, pose)
    skin = np.einsum("eij,pj->epi", SKELETON.axes_mm, sphere()) + SKELETON.centres_mm[:, None]
    index = np.repeat(SKELETON.segment_index, skin.shape[1])
    moved = move_points(skin.reshape(-1, 3), index, pose).reshape(skin.shape)
    local = np.einsum("eij,epj->epi", np.linalg.inv(posed.axes_mm), moved - posed.centres_mm[:, None])
    np.testing.assert_allclose(np.linalg.norm(local, axis=2), 1, atol=1e-9)


def test_the_spine_curve_shears_a_vertebra_as_it_moves_its_points():
    pose = pose_of(spine__curve_1_mm=20.0, spine__curve_3_mm=-15.0)
    posed = pose_skeleton(SKELETON, pose)
    own = np.isin(SKELETON.bone_index, [SKELETON.bones.index(f"vertebra_l0{k}") for k in range(1, 6)])
    skin = np.einsum("eij,pj->epi", SKELETON.axes_mm[own], sphere()) + SKELETON.centres_mm[own][:, None]
    index = np.repeat(SKELETON.segment_index[own], skin.shape[1])
    moved = move_points(skin.reshape(-1, 3), index, pose).reshape(skin.shape)
    local = np.einsum("eij,epj->epi", np.linalg.inv(posed.axes_mm[own]), moved - posed.centres_mm[own][:, None])
    # second order: half of curvature (20 mm * 0.5 * (pi / 150 mm)^2) times (20 mm)^2 is 0.9 mm of some 10 mm
    np.testing.assert_allclose(np.linalg.norm(local, axis=2), 1, atol=0.1)
    assert np.abs(posed.centres_mm - SKELETON.centres_mm)[own, 0].max() > 10


def test_turning_keeps_every_volume():
    pose = random_pose(4)
    for k, name in enumerate(NAMES):
        pose[k] = pose[k] if name.endswith("_rad") else 0.0
    posed = pose_skeleton(SKELETON, pose)
    np.testing.assert_allclose(np.abs(np.linalg.det(posed.axes_mm)), np.abs(np.linalg.det(SKELETON.axes_mm)))


def test_the_curve_is_smooth_and_ends_outside_the_spine():
    z = np.linspace(800, 1600, 801)
    basis = curve_basis(z)
    assert basis.min() == 0
    assert basis.max() == 1
    assert np.abs(np.diff(basis, axis=0)).max() < 0.011  # steepest: pi / 2 / 150 mm = 0.0105 per mm
    assert not basis[(z < 910) | (z > 1500)].any()  # below the sacrum's middle, above the neck


@pytest.mark.parametrize("sex", ["male", "female"])
@pytest.mark.parametrize("stature_mm", [1500.0, 1720.0, 2000.0])
def test_a_person_is_as_tall_as_asked_and_so_is_the_body_around(sex, stature_mm):
    posed = pose_person(default_skeleton(), sex=sex, stature_mm=stature_mm)
    reach = np.linalg.norm(posed.axes_mm[:, 2], axis=1)
    height = (posed.centres_mm[:, 2] + reach).max() - (posed.centres_mm[:, 2] - reach).min()
    assert height == pytest.approx(stature_mm - 15, abs=0.5)
    x, z = np.meshgrid(np.arange(-400.0, 400, 5), np.arange(2100.0, -60, -5))
    front, _ = Body(posed=posed, sex=sex).surfaces(x.astype(np.float32), z.astype(np.float32))
    rows = z[np.isfinite(front).any(axis=1), 0]
    assert rows.max() - rows.min() == pytest.approx(stature_mm, abs=30)


def test_a_woman_has_narrower_shoulders_and_a_longer_lumbar_spine_than_a_man_of_her_stature():
    # ICRP Publication 110: humeral heads 0.184 against 0.197 of the height apart
    def span(sex: str) -> tuple[float, float]:
        posed = pose_person(default_skeleton(), sex=sex, stature_mm=1700)
        names = np.array(posed.skeleton.bones)[posed.skeleton.bone_index]
        shoulders = np.ptp(posed.centres_mm[np.char.startswith(names, "scapula"), 0])
        lumbar = np.ptp(posed.centres_mm[np.char.startswith(names, "vertebra_l"), 2])
        return float(shoulders), float(lumbar)

    (man, his), (woman, hers) = span("male"), span("female")
    assert woman / man == pytest.approx(0.935, abs=0.03)
    assert hers / his == pytest.approx(1.084, abs=0.03)


@pytest.mark.parametrize("wrong", [{"sex": "other"}, {"stature_mm": 300.0}, {"stature_mm": float("nan")}])
def test_an_impossible_person_is_refused(wrong):
    with pytest.raises(InvalidValue):
        pose_person(default_skeleton(), **wrong)
