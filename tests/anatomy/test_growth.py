from __future__ import annotations

import itertools

import numpy as np
import pytest

from bonescan.anatomy.form import FORM_PARAMETERS, shaped_skeleton
from bonescan.anatomy.growth import (
    child_form,
    child_pose,
    child_stature_mm,
    growth_plates,
    pose_plate,
)
from bonescan.anatomy.mass import girth_for_mass
from bonescan.anatomy.pose import FREEDOMS, PosedSkeleton, pose_person
from bonescan.anatomy.skeleton import default_skeleton, segment_of
from bonescan.errors import InvalidValue

SEXES = ("female", "male")


def child(sex: str, age_years: float, stature_mm: float | None = None) -> PosedSkeleton:
    return pose_person(
        shaped_skeleton(sex, child_form(sex, age_years)),
        sex=sex,
        stature_mm=stature_mm or child_stature_mm(sex, age_years),
        pose=child_pose(sex, age_years),
    )


def extent(posed: PosedSkeleton, *prefixes: str) -> np.ndarray:
    own = np.array([name.startswith(prefixes) for name in posed.skeleton.bones])[posed.skeleton.bone_index]
    reach = np.linalg.norm(posed.axes_mm[own], axis=2)
    return (posed.centres_mm[own] + reach).max(axis=0) - (posed.centres_mm[own] - reach).min(axis=0)


@pytest.mark.parametrize("sex", SEXES)
def test_at_eighteen_a_child_is_an_adult(sex):
    assert not child_pose(sex, 18).any()
    assert not child_form(sex, 40).any()


def test_limbs_and_head_of_a_boy_of_ten_are_as_long_as_measured():
    boy, man = child("male", 10), child("male", 18)
    # orthoradiographs: femur 36.29 of 47.23, tibia 28.53 of 37.29 cm; head 18.6 of 18.9 and 13.99 of 14.33 cm.
    # 3 %: the statures are of another sample, and the trunk takes up what they leave
    assert extent(boy, "femur_l")[2] / extent(man, "femur_l")[2] == pytest.approx(0.768, rel=0.03)
    assert extent(boy, "tibia_l")[2] / extent(man, "tibia_l")[2] == pytest.approx(0.765, rel=0.03)
    assert extent(boy, "skull")[1] / extent(man, "skull")[1] == pytest.approx(0.986, rel=0.03)
    assert extent(boy, "skull")[0] / extent(man, "skull")[0] == pytest.approx(0.976, rel=0.03)


@pytest.mark.parametrize("sex", SEXES)
def test_proportions_change_steadily_with_age(sex):
    heads = [extent(child(sex, age), "skull")[2] / child_stature_mm(sex, age) for age in range(10, 19)]
    assert all(later < earlier for earlier, later in itertools.pairwise(heads))


def test_a_girl_of_ten_has_the_shape_of_the_reference_man_in_what_form_rules():
    girl = {p.name: v + p.female for p, v in zip(FORM_PARAMETERS, child_form("female", 10), strict=True)}
    assert all(value == pytest.approx(0) for value in girl.values())
    assert len(child_pose("female", 10)) == len(FREEDOMS)


@pytest.mark.parametrize(
    ("sex", "age_years", "stature_mm", "mass_kg"),
    [("male", 10, 1380, 32), ("female", 10, 1380, 32), ("male", 15, 1670, 56), ("female", 15, 1610, 53)],
)
def test_the_reference_children_have_a_girth(sex, age_years, stature_mm, mass_kg):
    # masses of ICRP Publication 89; children are slender, but no child is half an adult's girth
    assert 0.85 < girth_for_mass(sex, stature_mm, mass_kg, child_pose(sex, age_years)) < 1.05


def inside_bone(points: np.ndarray, bone: str) -> np.ndarray:
    skeleton = default_skeleton()
    own = skeleton.bone_index == skeleton.bones.index(bone)
    offsets = points[None] - skeleton.centres_mm[own][:, None]
    local = np.einsum("eij,epj->epi", np.linalg.inv(skeleton.axes_mm[own]), offsets)
    return ((local**2).sum(axis=2) <= 1).any(axis=0)


@pytest.mark.parametrize("plate", growth_plates("male", 10), ids=lambda plate: f"{plate.bone} {plate.end}")
def test_a_growth_plate_lies_across_its_bone(plate):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 3))
    points *= rng.uniform(0, 1, (400, 1)) ** (1 / 3) / np.linalg.norm(points, axis=1, keepdims=True)
    within = inside_bone(plate.centre_mm + points @ plate.axes_mm.T, plate.bone)
    assert within.mean() > 0.6  # an ellipse drawn over a section of any shape
    assert plate.segment == segment_of(plate.bone)
    lengths = np.linalg.norm(plate.axes_mm, axis=0)
    assert lengths[2] == lengths.min()
    np.testing.assert_allclose(plate.normal @ plate.axes_mm[:, :2], 0, atol=0.05)


def test_plates_close_in_the_order_anatomists_give():
    # by 14 in girls the head of the femur, by 16 the knee; boys about two years later (Scheuer and Black)
    def open_ends(sex: str, age_years: float) -> set[tuple[str, str]]:
        return {(plate.bone, plate.end) for plate in growth_plates(sex, age_years)}

    knee = {("femur_l", "distal"), ("tibia_r", "proximal")}
    assert knee <= open_ends("female", 15.5)
    assert ("femur_l", "head") not in open_ends("female", 15.5)
    assert not knee & open_ends("female", 16.5)
    assert knee <= open_ends("male", 17.5)
    assert not knee & open_ends("male", 18.5)
    assert not growth_plates("male", 30)
    assert len(growth_plates("male", 10)) == 28


def test_a_posed_plate_goes_with_its_bone():
    plate = next(plate for plate in growth_plates("male", 12) if (plate.bone, plate.end) == ("femur_r", "distal"))
    pose = child_pose("male", 12)
    pose[[p.name for p in FREEDOMS].index("thigh_r.spread_rad")] = 0.3
    posed = pose_person(default_skeleton(), stature_mm=1493, pose=pose)
    centre, axes = pose_plate(plate, posed)
    own = posed.skeleton.bone_index == posed.skeleton.bones.index("femur_r")
    local = np.einsum("eij,ej->ei", np.linalg.inv(posed.axes_mm[own]), centre - posed.centres_mm[own])
    assert ((local**2).sum(axis=1) <= 1).any()
    assert np.linalg.norm(axes[:, 0]) < np.linalg.norm(plate.axes_mm[:, 0])  # a child's knee is narrower


@pytest.mark.parametrize(("sex", "age_years"), [("male", 9), ("female", 200), ("neither", 12), ("male", float("nan"))])
def test_ages_the_anatomy_does_not_stand_for_are_refused(sex, age_years):
    for function in (child_pose, child_form, child_stature_mm, growth_plates):
        with pytest.raises(InvalidValue):
            function(sex, age_years)
