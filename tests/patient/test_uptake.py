from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.uptake import (
    BONE_SPREAD,
    LEG_SPREAD,
    LIMB_SPREAD,
    REGION_SPREAD,
    VERTEBRA_SPREAD,
    NormalUptake,
    average_uptake,
    bone_places,
    draw_uptake,
    growth_places,
    long_axes,
    weights_of_bone,
)

BONES = default_skeleton().bones


def level(name: str, shell: float, along: float, *, sex: str = "male", age_years: float = 50) -> float:
    given = {"sex": sex, "age_years": age_years}
    return float(weights_of_bone(BONES.index(name), np.array([shell]), np.array([along]), **given)[0])


def test_uptake_has_the_order_that_was_published():
    # fluoride: lumbar vertebra > ilium > proximal femur > distal femur (PMID 28488727); humeral shaft about half of the
    # lumbar spine or less (doi:10.1359/jbmr.2000.15.4.763); MDP: humerus lowest (Nautiyal 2021)
    spine, ilium = level("vertebra_l03", 0, 0.5), level("hip_bone_l", 0, 0.5)
    upper, lower = level("femur_l", 0, 1.0), level("femur_l", 0, 0.0)
    assert spine > ilium > upper > lower > level("femur_l", 0, 0.5)
    assert level("humerus_l", 1, 0.5) < 0.5 * spine
    assert level("humerus_r", 0, 1.0) < upper


def test_a_shaft_takes_up_in_its_cortex_and_an_end_inside():
    assert level("femur_l", 1, 0.5) > 2 * level("femur_l", 0, 0.5)
    assert level("femur_l", 1, 1.0) == pytest.approx(level("femur_l", 0, 1.0))


def test_spongy_bone_falls_with_age_and_cortex_does_not():
    # 0.73 % a year in women: slope of -0.385 x 1.54 / 13.73 over 5.91, doi:10.1186/2191-219X-3-45
    old, young = (level("vertebra_l03", 0, 0.5, sex="female", age_years=age) for age in (70, 50))
    assert old / young == pytest.approx(1 - 20 * 0.385 * 1.54 / 13.73 / 5.91, abs=0.002)
    assert level("vertebra_l03", 1, 0.5, age_years=70) == level("vertebra_l03", 1, 0.5, age_years=50)


def test_people_differ_as_stated():
    rng = np.random.default_rng(1)
    drawn = np.log([draw_uptake(rng).bones for _ in range(400)])
    spread = dict(zip(BONES, drawn.std(axis=0), strict=True))
    # 400 draws: the standard deviation of a standard deviation is 3.5 % of it; three of those
    for name, parts in {
        "vertebra_l03": (REGION_SPREAD[9], VERTEBRA_SPREAD),
        "sternum_body": (REGION_SPREAD[5], BONE_SPREAD),
        "humerus_l": (REGION_SPREAD[8], BONE_SPREAD, LIMB_SPREAD),
        "tibia_r": (REGION_SPREAD[16], BONE_SPREAD, LIMB_SPREAD, LEG_SPREAD),
    }.items():
        assert spread[name] == pytest.approx(np.linalg.norm(parts), rel=0.105), name
    left, right = (drawn[:, BONES.index(f"femur_{side}")] for side in "lr")
    assert (left - right).std() == pytest.approx(np.sqrt(2) * BONE_SPREAD, rel=0.12)


def test_legs_differ_between_people_as_in_real_scans_and_trunks_less():
    # levels relative to the lumbar spine in 22 scans of BS-80K, posterior view, half the width from the 16th to the
    # 84th percentile of their logarithm: 0.31 femur shaft, 0.34 tibia shaft, 0.11 thoracic spine, 0.12 pelvis. Half of
    # what a shaft shows there is soft tissue, which does not differ with it
    rng = np.random.default_rng(2)
    drawn = np.log([draw_uptake(rng).bones for _ in range(400)])
    spine = drawn[:, BONES.index("vertebra_l03")]
    legs, trunk = (
        [(drawn[:, BONES.index(name)] - spine).std() for name in names]
        for names in (("femur_l", "tibia_l"), ("vertebra_t08", "hip_bone_l"))
    )
    assert all(0.4 < spread < 0.6 for spread in legs)
    assert all(0.10 < spread < 0.22 for spread in trunk)


def test_joints_wear_and_the_writing_arm_shows_more():
    places = {place.name: place for place in bone_places()}
    for name in (
        "sacroiliac_l",
        "shoulder_r",
        "knee_l",
        "teeth",
        "sinuses",
        "sternoclavicular_r",
        "costochondral_05_l",
    ):
        assert name in places
    shoulder = places["shoulder_r"]
    assert shoulder.level_of(50, "right") > shoulder.level_of(50, "left")
    assert shoulder.level_of(80, "left") > shoulder.level_of(20, "left")
    assert places["sinuses"].level_of(80, "left") == places["sinuses"].level_of(20, "left")
    assert all(place.focus.bones for place in places.values())


def test_growth_plates_shine_until_they_close():
    plates = {age: growth_places("male", age) for age in (10, 17, 30)}
    assert len(plates[10]) > len(plates[17]) > len(plates[30]) == 0
    knee = next(place for place in plates[10] if place.name == "femur_l distal")
    # eight times the femur's shaft, told by anatomy.growth; the shaft is a third cortex or so
    shaft = 0.6 * level("femur_l", 1, 0.5) + 0.4 * level("femur_l", 0, 0.5)
    assert 5 < knee.level / shaft < 11
    assert next(place for place in plates[17] if place.name == knee.name).level < knee.level


def test_places_along_a_bone_run_from_its_lower_end_to_its_upper():
    skeleton = default_skeleton()
    for name in ("femur_l", "humerus_r", "tibia_l", "clavicle_l", "clavicle_r"):
        k = BONES.index(name)
        along = skeleton.centres_mm[skeleton.bone_index == k] @ long_axes()[k, :3] + long_axes()[k, 3]
        assert 0 < along.min() < 0.2
        assert 0.8 < along.max() < 1
        if name.startswith("clavicle"):  # its upper end is the one at the sternum
            x = np.abs(skeleton.centres_mm[skeleton.bone_index == k, 0])
            assert x[np.argmax(along)] < x[np.argmin(along)]


def test_factors_that_fit_no_skeleton_are_refused():
    with pytest.raises(InvalidValue):
        NormalUptake(bones=np.ones(3), places=np.ones(3))
    with pytest.raises(InvalidValue):
        NormalUptake(bones=np.zeros(len(BONES)), places=average_uptake().places)
