from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bonescan.errors import InvalidValue
from bonescan.patient.cohort import COHORTS, FREQUENCIES, Cohort, Frequency, draw_patient, draw_scenario
from bonescan.patient.lesions.malignant import METASTASIS_SITES
from bonescan.patient.scenario import BUILDERS

MANY = 3000


@pytest.fixture(scope="module")
def scenarios():
    return [draw_scenario(5, number) for number in range(MANY)]


def kinds(scenario) -> set[str]:
    return {finding.kind for finding in (*scenario.lesions, *scenario.disturbances)}


def test_a_person_is_the_same_whether_or_not_others_were_drawn():
    late = draw_scenario(9, 40)
    for number in range(3):
        draw_scenario(9, number)
    assert draw_scenario(9, 40) == late
    one, again = draw_patient(9, 40), draw_patient(9, 40)
    assert [a.label for a in one.lesions] == [a.label for a in again.lesions]
    assert np.array_equal(one.person.pose, again.person.pose)
    assert draw_scenario(9, 41) != late
    assert draw_scenario(10, 40) != late


def test_metastases_and_superscans_are_as_common_as_in_the_series(scenarios):
    # witness: 81 of 150, 10 of them superscans; three binomial errors of 3,000 people
    ill = [s for s in scenarios if kinds(s) & {"metastasis", "lytic_metastasis", "metastatic_superscan"}]
    assert len(ill) / MANY == pytest.approx(81 / 150, abs=3 * np.sqrt(0.25 / MANY))
    superscans = sum("metastatic_superscan" in kinds(s) for s in ill)
    assert superscans / len(ill) == pytest.approx(10 / 81, abs=3 * np.sqrt(0.11 / len(ill)))


def test_sites_of_metastases_are_as_common_as_published(scenarios):
    # witness: World J Radiol 2024;16(7):265, patients of 81 with metastases. A superscan holds all sites but skull,
    # tibia, forearm and maxilla. Tolerance: 5 of 81, as people without any drawn site get one.
    ill = [s for s in scenarios if kinds(s) & {"metastasis", "lytic_metastasis", "metastatic_superscan"}]
    axial = {"pelvis", "vertebra", "rib", "sternum", "femur", "scapula", "clavicle", "humerus"}
    counts: Counter[str] = Counter()
    for scenario in ill:
        if "metastatic_superscan" in kinds(scenario):
            counts.update(axial)
        else:
            counts.update({f.told["bone"] for f in scenario.lesions if f.kind in ("metastasis", "lytic_metastasis")})
    for site, published in METASTASIS_SITES.items():
        assert 81 * counts[site] / len(ill) == pytest.approx(published, abs=5)


def test_some_people_have_one_metastasis_and_some_very_many(scenarios):
    numbers = [
        sum(f.told["count"] for f in s.lesions if f.kind in ("metastasis", "lytic_metastasis")) for s in scenarios
    ]
    drawn = np.array([number for number in numbers if number])
    assert (drawn == 1).mean() > 0.03
    assert (drawn > 20).mean() > 0.05
    assert np.median(drawn) < 15


@pytest.mark.parametrize("name", ["rib_fractures", "dental_work", "extravasation", "urine_on_skin", "belt_buckle"])
def test_mimics_are_as_common_as_stated(scenarios, name):
    frequency = FREQUENCIES[name]
    expected = np.mean([frequency.at(s.person["sex"], s.person["age_years"]) for s in scenarios])
    counted = np.mean([name in kinds(s) for s in scenarios])
    assert counted == pytest.approx(expected, abs=4 * np.sqrt(expected / MANY))


def test_wear_comes_with_age_and_pacemakers_with_old_age():
    wear, stress = FREQUENCIES["degenerative_spine"], FREQUENCIES["stress_fracture"]
    assert wear.at("male", 80) > 2 * wear.at("male", 50)
    assert stress.at("male", 25) > 5 * stress.at("male", 65)
    assert FREQUENCIES["breast_prosthesis"].at("male", 60) == 0


def test_every_frequency_is_used(scenarios):
    # what is drawn at all in 3,000 people; whole-patient settings are seen in their tables
    told = set().union(*(kinds(s) for s in scenarios))
    rare = set(BUILDERS) - told - {"flare"}
    assert rare <= {"arterial_injection"}
    assert any("gfr_ml_per_min" in s.physiology for s in scenarios)
    assert any("free_pertechnetate_fraction" in s.physiology for s in scenarios)
    assert any("motions" in s.protocol for s in scenarios)
    assert any("pose" in s.person for s in scenarios)
    assert min(s.protocol["time_h"] for s in scenarios) < 2 < 5 < max(s.protocol["time_h"] for s in scenarios)


def test_a_cohort_can_be_another():
    healthy = Cohort(metastatic=0.0, women=1.0, frequencies={name: Frequency(men=0, women=0) for name in FREQUENCIES})
    for number in range(20):
        scenario = draw_scenario(1, number, healthy)
        assert scenario.person["sex"] == "female"
        assert not scenario.lesions
        assert not scenario.disturbances


@pytest.mark.parametrize(
    "wrong", [{"women": 1.2}, {"metastatic": -0.1}, {"frequencies": {"yawning": Frequency(men=0, women=0)}}]
)
def test_a_cohort_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidValue):
        Cohort(**wrong)


@pytest.mark.parametrize(
    ("name", "metastatic", "benign"), [("normal", 0, 0), ("mimics", 0, 0.97), ("metastatic", 1, 0.7)]
)
def test_named_cohorts_hold_what_their_names_say(name, metastatic, benign):
    drawn = [draw_scenario(6, number, COHORTS[f"cohort:{name}"]) for number in range(200)]
    spread = [
        {"metastasis", "lytic_metastasis", "metastatic_superscan"} & {f.kind for f in own.lesions} for own in drawn
    ]
    assert np.mean([bool(kinds) for kinds in spread]) == metastatic
    others = [{f.kind for f in own.lesions} - kinds for own, kinds in zip(drawn, spread, strict=True)]
    share = np.mean([bool(own) for own in others])
    assert share == 0 if benign == 0 else share >= benign
    assert any(own.disturbances for own in drawn)  # injection sites and urine are in all of them


def test_numbers_below_zero_are_refused():
    with pytest.raises(InvalidValue):
        draw_scenario(-1, 0)
    with pytest.raises(InvalidValue):
        Frequency(men=2.0, women=0.0)


def test_drawn_patients_are_valid_and_have_what_was_drawn():
    # making them is the check; bench/cohort_check.py makes a thousand
    for number in range(10):
        scenario, patient = draw_scenario(13, number), draw_patient(13, number)
        assert patient.person.sex == patient.physiology.sex == scenario.person["sex"]
        assert patient.person.age_years == scenario.person["age_years"]
        made = {lesion.kind.value for lesion in (*patient.lesions, *patient.disturbances)}
        assert made == kinds(scenario)  # surgery could take one away, and does not in these


@pytest.mark.parametrize("age_years", [(float("nan"), 1.0), (50.0, -1.0), (5.0, 1.0), (50.0, float("inf"))])
def test_an_age_that_no_cohort_has_is_refused(age_years):
    with pytest.raises(InvalidValue, match="mean age"):
        Cohort(age_years=age_years)
