from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.form import FORM_PARAMETERS, shaped_skeleton
from bonescan.anatomy.organs import posed_organs
from bonescan.anatomy.pose import PARAMETERS, default_pose, pose_person, pose_skeleton
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.tissues import TISSUES
from bonescan.errors import InvalidValue

PLAIN = pose_skeleton(default_skeleton(), default_pose())
NAMES = [parameter.name for parameter in PARAMETERS]


def by_name(posed, sex="male", **more):
    return {organ.name: organ for organ in posed_organs(posed, sex, **more)}


def volume_ml(organ) -> float:
    return float(4 / 3 * np.pi * np.abs(np.linalg.det(organ.axes_mm)).sum() / 1000)


def bent(**values: float):
    pose = default_pose()
    for name, value in values.items():
        pose[NAMES.index(name.replace("__", "."))] = value
    return pose_skeleton(default_skeleton(), pose)


@pytest.mark.parametrize("sex", ["male", "female"])
def test_every_organ_has_a_tissue_and_ellipsoids(sex):
    for organ in posed_organs(PLAIN, sex):
        assert organ.tissue in TISSUES
        assert len(organ.centres_mm) == len(organ.axes_mm) > 0
        assert (np.abs(np.linalg.det(organ.axes_mm)) > 0).all()


def test_women_have_a_uterus_and_men_a_prostate():
    assert "uterus" in by_name(PLAIN, "female")
    assert "prostate" in by_name(PLAIN, "male")
    assert not {"uterus", "prostate"} & (by_name(PLAIN, "female").keys() & by_name(PLAIN, "male").keys())


@pytest.mark.parametrize("bladder_ml", [20.0, 150.0, 400.0, 800.0])
@pytest.mark.parametrize("sex", ["male", "female"])
def test_a_bladder_holds_what_it_is_filled_with_whatever_the_persons_size(sex, bladder_ml):
    for stature in (1500.0, 1900.0):
        posed = pose_person(shaped_skeleton(sex), sex=sex, stature_mm=stature)
        organs = by_name(posed, sex, bladder_ml=bladder_ml)
        assert volume_ml(organs["bladder"]) == pytest.approx(bladder_ml, rel=1e-6)
        # the wall keeps its volume as it stretches: 50 and 40 g at 1.04 g/ml (ICRP Publication 89)
        wall = volume_ml(organs["bladder_wall"]) - bladder_ml
        assert wall == pytest.approx({"male": 48.1, "female": 38.5}[sex], rel=0.01)


def test_a_full_bladder_rises_from_its_floor():
    empty, full = (by_name(PLAIN, bladder_ml=ml)["bladder"] for ml in (100.0, 800.0))
    reach = [np.linalg.norm(organ.axes_mm[0], axis=1) for organ in (empty, full)]
    assert full.centres_mm[0, 2] - reach[1][2] == pytest.approx(empty.centres_mm[0, 2] - reach[0][2], abs=0.1)
    assert full.centres_mm[0, 2] + reach[1][2] > empty.centres_mm[0, 2] + reach[0][2] + 50
    assert reach[1][2] / reach[0][2] > reach[1][0] / reach[0][0]  # higher sooner than wider


def test_an_empty_bladder_is_a_wall_without_urine():
    organs = by_name(PLAIN, bladder_ml=0.0)
    assert "bladder" not in organs
    assert volume_ml(organs["bladder_wall"]) > 40


def test_organs_scale_with_the_person_and_move_with_their_segment():
    small, large = (pose_person(default_skeleton(), stature_mm=s) for s in (1600.0, 1800.0))
    ratio = (large.size / small.size) ** 3
    for name in ("liver", "kidney_l", "lung_r", "brain"):
        assert volume_ml(by_name(large)[name]) == pytest.approx(ratio * volume_ml(by_name(small)[name]), rel=1e-6)
    leaning = bent(thorax__lean_rad=0.3, pelvis__tilt_rad=0.3)
    moved, still = by_name(leaning), by_name(PLAIN)
    rib = leaning.skeleton.bones.index("rib_05_l")
    ribs = leaning.skeleton.bone_index == rib
    # a stiff chest: the heart keeps its distance from the fifth rib
    before = np.linalg.norm(still["heart_wall"].centres_mm[0] - PLAIN.centres_mm[ribs], axis=1)
    after = np.linalg.norm(moved["heart_wall"].centres_mm[0] - leaning.centres_mm[ribs], axis=1)
    assert after == pytest.approx(before, abs=1e-6)
    assert np.linalg.norm(moved["bladder"].centres_mm - still["bladder"].centres_mm) > 5
    assert moved["brain"].centres_mm != pytest.approx(still["brain"].centres_mm, abs=5)


def test_ureters_stay_joined_when_the_pelvis_tilts():
    chain = by_name(bent(pelvis__tilt_rad=0.4))["ureter_l"]
    gaps = np.linalg.norm(np.diff(chain.centres_mm, axis=0), axis=1)
    longest = np.linalg.norm(chain.axes_mm, axis=1).max(axis=1)
    assert (gaps < longest[:-1] + longest[1:]).all()


def test_organs_follow_a_deeper_rib_cage():
    form = np.zeros(len(FORM_PARAMETERS))
    form[[p.name for p in FORM_PARAMETERS].index("thorax.depth_log")] = 0.16
    plain, deep = (pose_skeleton(shaped_skeleton("male", f), default_pose()) for f in (None, form))
    # the parameter deepens the chest by 17 %; the nearest affine map takes most of it
    assert 1.10 < volume_ml(by_name(deep)["lung_l"]) / volume_ml(by_name(plain)["lung_l"]) < 1.20
    assert volume_ml(by_name(deep)["brain"]) == pytest.approx(volume_ml(by_name(plain)["brain"]), rel=1e-3)


@pytest.mark.parametrize("bladder_ml", [-1.0, 801.0, float("nan")])
def test_an_impossible_filling_is_refused(bladder_ml):
    with pytest.raises(InvalidValue, match="0 to 800 ml"):
        posed_organs(PLAIN, "male", bladder_ml=bladder_ml)


def test_another_sex_is_refused():
    with pytest.raises(InvalidValue, match="male"):
        posed_organs(PLAIN, "x")
