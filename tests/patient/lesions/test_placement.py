from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.lesions.placement import (
    bone_box,
    contains,
    course,
    nearest_place,
    place_along,
    random_place,
    vertebral_body,
)

BONES = default_skeleton().bones


def test_the_middle_of_every_ellipsoid_lies_in_its_bone_and_a_point_far_away_in_none():
    skeleton = default_skeleton()
    for k, bone in enumerate(BONES):
        assert contains(bone, skeleton.centres_mm[skeleton.bone_index == k]).all()
    assert not any(contains(bone, np.array([[0.0, 500.0, 1000.0]]))[0] for bone in BONES)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_random_places_lie_inside_every_bone(rng):
    for bone in BONES:
        assert contains(bone, np.array([random_place(bone, rng) for _ in range(5)])).all(), bone


def test_random_places_are_uniform_in_the_union_of_overlapping_ellipsoids(rng):
    # witness: points drawn in the box and kept where they lie in the bone; tolerance four standard errors
    bone = "sacrum"
    low, high = bone_box(bone)
    boxed = rng.uniform(low, high, (60_000, 3))
    expected = boxed[contains(bone, boxed)]
    drawn = np.array([random_place(bone, rng, margin_mm=0.0) for _ in range(3000)])
    error = expected.std(axis=0) * np.sqrt(1 / len(drawn) + 1 / len(expected))
    assert (np.abs(drawn.mean(axis=0) - expected.mean(axis=0)) < 4 * error).all()
    assert np.allclose(drawn.std(axis=0), expected.std(axis=0), rtol=0.08)


def test_a_part_of_a_bone_bounds_the_height(rng):
    low, high = bone_box("femur_l")
    for _ in range(50):
        place = random_place("femur_l", rng, part=(0.0, 0.4))
        assert place[2] >= high[2] - 0.4 * (high[2] - low[2])


@pytest.mark.parametrize("bone", BONES)
def test_places_along_and_next_to_a_wish_lie_inside(bone):
    for fraction in (0.0, 0.3, 0.7, 1.0):
        place, direction = place_along(bone, fraction)
        assert contains(bone, place)[0]
        assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-6)
    assert contains(bone, nearest_place(bone, np.array([300.0, -200.0, 700.0])))[0]


def test_a_wish_inside_is_kept():
    wanted = np.array([88.0, 10.0, 881.0])  # the hip's centre
    assert np.array_equal(nearest_place("femur_l", wanted), wanted)


@pytest.mark.parametrize("k", range(1, 13))
def test_a_rib_runs_from_the_spine(k):
    line = course(f"rib_{k:02d}_r")
    assert abs(line[0, 0]) < abs(line[-1, 0])
    assert line[0, 2] > line[-1, 2]  # and downwards to the front


def test_vertebral_bodies_stand_one_above_the_other():
    heights = [vertebral_body(f"vertebra_l{k:02d}")[0][2] for k in range(1, 6)]
    assert (np.diff(heights) < -15).all()
    for k in range(1, 6):
        centre, half = vertebral_body(f"vertebra_l{k:02d}")
        assert centre[0] == 0
        assert 15 < half[1] < 22  # depths of lumbar bodies are 32 to 38 mm (textbook figure)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: contains("vertebra_l06", np.zeros((1, 3))),
        lambda: place_along("femur_l", 1.2),
        lambda: vertebral_body("femur_l"),
        lambda: random_place("hyoid", np.random.default_rng(0), part=(0.5, 0.5)),
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidValue):
        wrong()
