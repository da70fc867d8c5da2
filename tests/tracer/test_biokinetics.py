from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bonescan.errors import InvalidValue
from bonescan.tracer import (
    COMPARTMENTS,
    Physiology,
    draw_physiology,
    kinetics,
    radiopharmaceutical,
    usual_gfr_ml_per_min,
)

MDP = radiopharmaceutical("Tc-99m MDP")
NORMAL = Physiology()


def at_3_h(**changed):
    return kinetics(MDP, replace(NORMAL, **changed)).shares(3.0)


def test_little_filtration_keeps_the_tracer_in_soft_tissue_and_bone_and_out_of_the_bladder():
    normal, failing = at_3_h(voids_h=()), at_3_h(voids_h=(), gfr_ml_per_min=15)
    assert failing["soft_tissue"] > 1.5 * normal["soft_tissue"]
    assert failing["blood"] > 1.5 * normal["blood"]
    assert failing["bone"] > normal["bone"]
    assert failing["bladder"] < 0.35 * normal["bladder"]
    assert at_3_h(gfr_ml_per_min=0)["bladder"] == 0


def test_a_superscan_fades_soft_tissue_and_kidneys_but_not_the_bladder_alone():
    normal, superscan = at_3_h(voids_h=(2.0,)), at_3_h(voids_h=(2.0,), bone_turnover=8)
    assert superscan["bone"] > 2.5 * normal["bone"]
    for faded in ("soft_tissue", "blood", "kidneys", "bladder"):
        assert superscan[faded] < 0.6 * normal[faded], faded
    assert superscan["bladder"] > 0  # its absence would mean failing kidneys


def test_extravasation_stays_at_the_arm_and_enters_slowly():
    shares = at_3_h(extravasated_fraction=0.5)
    beside = 0.5 * 2 ** (-3 / 2) * MDP.nuclide.remaining(3)  # half-time 2 h
    assert shares["injection_site"] == pytest.approx(beside, rel=1e-2)  # less 11 s of circulation time
    assert shares["bone"] < at_3_h()["bone"]


def test_unbound_technetium_shows_thyroid_stomach_and_salivary_glands():
    shares = at_3_h(free_pertechnetate_fraction=1.0)
    left = MDP.nuclide.remaining(3)
    assert 0.01 < shares["thyroid"] / left < 0.04
    assert 0.05 < shares["stomach"] / left < 0.12
    assert 0.005 < shares["salivary"] / left < 0.03
    assert shares["bone"] == 0
    clean = at_3_h()
    assert [clean[name] for name in ("thyroid", "stomach", "salivary", "gut", "liver")] == [0] * 5


def test_colloid_goes_to_the_liver():
    assert at_3_h(colloid_fraction=1.0)["liver"] == pytest.approx(0.85 * MDP.nuclide.remaining(3), rel=1e-6)


def test_uptake_in_bone_follows_age_as_published():
    # doi:10.1055/s-0038-1632258: highest below 20, men lowest at 60, women lowest in their twenties and rising after 55
    def bone(sex, age):
        return at_3_h(sex=sex, age_years=age)["bone"]

    assert bone("male", 14) > 1.15 * bone("male", 40)
    assert bone("male", 40) > bone("male", 60) < bone("male", 85)
    assert bone("female", 25) == min(bone("female", age) for age in range(5, 95, 5))
    assert bone("female", 80) > bone("female", 56)


def test_size_alone_changes_little_when_kidneys_fit_the_size():
    shares = [
        at_3_h(mass_kg=mass, gfr_ml_per_min=usual_gfr_ml_per_min("male", 50, mass))["bone"] for mass in (50, 73, 120)
    ]
    assert shares[0] == pytest.approx(shares[1], rel=1e-6)
    assert 0.75 * shares[1] < shares[2] < shares[1]  # fat grows kidneys and volumes here, but no skeleton


def test_usual_filtration_falls_after_35_and_more_in_women():
    # 100 ml/min per 1.73 m2 until 35, 6.6 and 7.7 less per decade: doi:10.1186/s12882-018-1126-8
    assert usual_gfr_ml_per_min("male", 30, 73) == pytest.approx(100 * 1.834 / 1.73, rel=1e-3)
    men, women = (usual_gfr_ml_per_min(sex, 65, 70) / usual_gfr_ml_per_min(sex, 35, 70) for sex in ("male", "female"))
    assert men == pytest.approx(1 - 3 * 0.066)
    assert women == pytest.approx(1 - 3 * 0.077)


def test_a_failing_heart_delays_the_bolus():
    def arrival(output):
        way = kinetics(MDP, Physiology(cardiac_output_l_per_min=output))
        return np.argmax([way.first_pass(second)["feet"] > 0.002 for second in np.arange(0.0, 90, 1)])

    assert arrival(3.0) == pytest.approx(2 * arrival(6.0), abs=2)


def test_after_a_minute_blood_is_mixed():
    way = kinetics(MDP, NORMAL)
    regions = way.first_pass(120.0)
    blood = way.shares(120 / 3600)["blood"]
    assert regions["lungs"] / blood == pytest.approx(0.11, abs=1e-3)  # their share of the blood
    assert regions["arm_vein"] == pytest.approx(0, abs=1e-6)


def test_draws_are_valid_repeatable_and_void_before_the_scan():
    def draw(seed):
        return draw_physiology(np.random.default_rng(seed), sex="female", age_years=62, mass_kg=70, imaging_h=2.5)

    people = [draw(seed) for seed in range(50)]
    assert people[7] == draw(7)
    assert all(2.0 < person.voids_h[-1] < 2.5 for person in people)
    assert {len(person.voids_h) for person in people} == {1, 2}
    assert all(person.free_pertechnetate_fraction <= 0.05 for person in people)


def test_shares_name_every_compartment():
    assert set(at_3_h()) == {*COMPARTMENTS, "decayed"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"sex": "other"},
        {"age_years": 0.5},
        {"mass_kg": float("nan")},
        {"gfr_ml_per_min": -1},
        {"bone_turnover": 0},
        {"cardiac_output_l_per_min": 0},
        {"extravasated_fraction": 1.1},
        {"free_pertechnetate_fraction": 0.6, "colloid_fraction": 0.6},
        {"residual_fraction": -0.1},
        {"voids_h": (2.0, 1.0)},
        {"voids_h": (2.0, 2.0)},
        {"voids_h": (0.0,)},
        {"voids_h": (float("nan"),)},
        {"voids_h": (1e308,)},
        {"voids_h": tuple(0.01 * (k + 1) for k in range(501))},
    ],
)
def test_a_body_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidValue):
        Physiology(**wrong)


def test_fluoride_has_no_technetium_to_come_loose():
    with pytest.raises(InvalidValue, match="no technetium"):
        kinetics(radiopharmaceutical("F-18 fluoride"), Physiology(free_pertechnetate_fraction=0.01))


def test_filtration_of_an_unknown_sex_is_refused():
    with pytest.raises(InvalidValue, match="Sex is"):
        usual_gfr_ml_per_min("other", 50, 70)


@pytest.mark.parametrize("time_h", [float("nan"), float("inf"), 1e300])
def test_a_time_that_cannot_be_is_refused_and_no_share_is_no_number(time_h):
    way = kinetics(MDP, NORMAL)
    for ask in (way.shares, way.retention, way.residence_h):
        with pytest.raises(InvalidValue):
            ask(time_h)
    assert sum(way.shares(1e6).values()) == pytest.approx(1)  # an earlier study of a century ago
    with pytest.raises(InvalidValue):
        way.residence_h(-1)
