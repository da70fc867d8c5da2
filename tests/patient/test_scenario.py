from __future__ import annotations

import contextlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from bonescan.errors import InvalidValue
from bonescan.patient.lesions.lesion import LesionKind
from bonescan.patient.scenario import BUILDERS, Finding, Motion, Scenario, compose
from bonescan.patient.scenario_file import packaged_scenario, read_scenario, scenario_names

MISLEADING = {
    "full_bladder", "urine_on_skin", "urine_on_clothing", "injection_site", "extravasation", "catheter_bag",
    "belt_buckle", "pacemaker", "contrast", "motion", "too_early", "too_late", "free_pertechnetate", "kidney_failure",
    "dental_work", "recent_other_tracer", "breast_prosthesis",
}  # fmt: skip
DISEASES = {
    "metastases", "lytic_metastasis", "acute_fracture", "healing_fracture", "stress_fracture", "sacral_insufficiency",
    "vertebral_fracture", "rib_fractures", "osteomyelitis", "cellulitis", "arthritis", "degenerative_spine",
    "scoliosis", "paget", "fibrous_dysplasia", "regional_pain", "avascular_necrosis", "hypertrophic_osteoarthropathy",
    "metastatic_superscan", "metabolic_superscan", "flare_before", "flare", "prosthesis", "amputation", "normal",
}  # fmt: skip


def same(a, b) -> bool:
    return (
        np.array_equal(a.person.pose, b.person.pose)
        and a.person.mass_kg == b.person.mass_kg
        and a.injected_mbq == b.injected_mbq
        and np.array_equal(a.uptake.bones, b.uptake.bones)
    )


def test_there_is_a_scenario_for_everything_the_house_promised():
    assert set(scenario_names()) >= MISLEADING | DISEASES


@pytest.mark.parametrize("name", scenario_names())
def test_every_packaged_scenario_makes_patients_and_says_what_it_shows(name):
    scenario = packaged_scenario(name)
    assert scenario.title
    assert len(scenario.shows) > 20
    patient = scenario.patient(4)
    assert len(patient.lesions) >= len(scenario.lesions)
    ids = [one.id for one in (*patient.lesions, *patient.disturbances)]
    assert len(ids) == len(set(ids))


def test_the_obese_person_exists_for_the_seeds_one_tries_first():
    # 42 was refused for a third of the seeds, the default one among them: no body of theirs is so wide
    assert all(packaged_scenario("obesity").patient(seed).person.bmi > 35 for seed in range(1, 41))


def test_every_kind_stands_in_a_packaged_scenario():
    told = {
        finding.kind
        for name in scenario_names()
        for finding in (*packaged_scenario(name).lesions, *packaged_scenario(name).disturbances)
    }
    assert told == set(BUILDERS) == {kind.value for kind in LesionKind}


def test_a_seed_gives_one_patient_and_another_another():
    scenario = packaged_scenario("metastases")
    one, again, other = scenario.patient(1), scenario.patient(1), scenario.patient(2)
    assert same(one, again)
    assert [a.label for a in one.lesions] == [a.label for a in again.lesions]
    assert not same(one, other)


def test_what_is_added_or_told_moves_nothing_else():
    plain, more = packaged_scenario("metastases"), packaged_scenario("urine_on_skin")
    both = compose(plain, more).patient(3)
    assert same(both, plain.patient(3))
    assert [a.label for a in both.lesions] == [a.label for a in plain.patient(3).lesions]
    older = compose(plain, Scenario(person={"age_years": 81.0})).patient(3)
    assert np.array_equal(older.person.pose, plain.patient(3).person.pose)
    assert older.person.age_years == 81.0


def test_scenarios_compose():
    left = Scenario(title="a", person={"sex": "female", "bmi": 30.0}, lesions=(Finding(kind="metastasis"),))
    right = Scenario(
        title="b",
        person={"mass_kg": 80.0, "pose": {"head.turn_rad": 0.2}},
        protocol={"motions": ({"at_fraction": 0.5, "pose": {"head.turn_rad": 0.1}},)},
        lesions=(Finding(kind="paget"),),
    )
    whole = compose(left, right)
    assert whole.title == "a, b"
    assert [finding.kind for finding in whole.lesions] == ["metastasis", "paget"]
    assert whole.person == {"sex": "female", "mass_kg": 80.0, "pose": {"head.turn_rad": 0.2}}
    assert len(compose(right, right).imaging().motions) == 2


def test_a_motion_moves_what_it_names():
    person = packaged_scenario("normal").patient(1).person
    moved = Motion(at_fraction=0.3, pose={"head.turn_rad": 0.25}).moved(person)
    difference = moved.pose - person.pose
    assert np.count_nonzero(difference) == 1
    assert difference.max() == pytest.approx(0.25)


def test_a_flare_is_read_against_the_same_persons_scan_before():
    before, after = (packaged_scenario(name).patient(6) for name in ("flare_before", "flare"))
    assert same(before, after)
    assert all(
        np.array_equal(a.foci[0].centre_mm, b.foci[0].centre_mm) and a.contrast < b.contrast
        for a, b in zip(before.lesions, after.lesions, strict=True)
    )


def test_included_scenarios_lie_under_the_own_words():
    scenario = read_scenario(
        "include = ['full_bladder', 'kidney_failure']\n[person]\nbladder_ml = 300\n[[lesions]]\nkind = 'metastasis'\n"
        "bone = 'draw'\ncontrast = 4\n"
    )
    patient = scenario.patient(1)
    assert patient.person.bladder_ml == 300
    assert patient.physiology.gfr_ml_per_min == 5
    assert patient.physiology.voids_h == ()
    assert patient.lesions[0].contrast == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = [", ["scan.toml", "no valid TOML"]),
        ("colour = 'red'", ["scan.toml", "colour", "expected", "person"]),
        ("[person]\nweight = 80", ["scan.toml", "person.weight", "mass_kg"]),
        ("[person]\nage_years = 'old'", ["scan.toml", "person.age_years", "a number", "'old'"]),
        ("[person]\nage_years = 300", ["scan.toml", "person", "age_years", "300"]),
        ("[person]\nsex = 'robot'", ["scan.toml", "robot"]),
        ("[person]\nbmi = 25\nmass_kg = 70", ["scan.toml", "bmi or mass_kg"]),
        ("[person]\narms = 'up'", ["scan.toml", "person.arms", "'up'"]),
        ("[person]\npose = {'tail.wag_rad' = 1}", ["scan.toml", "person.pose", "tail.wag_rad"]),
        ("[physiology]\ngfr_ml_per_min = -1", ["scan.toml", "physiology", "gfr_ml_per_min", "-1"]),
        ("[physiology]\nmass_kg = 70", ["scan.toml", "physiology.mass_kg is no key"]),
        ("[physiology]\nvoids_h = 'often'", ["scan.toml", "physiology.voids_h", "a list", "'often'"]),
        ("[protocol]\ntime_h = 0", ["scan.toml", "protocol", "time_h"]),
        ("[[protocol.motions]]\nat_fraction = 2\npose = {}", ["scan.toml", "protocol", "0 to 1"]),
        ("[[protocol.motions]]\npose = {}", ["scan.toml", "protocol", "at_fraction"]),
        ("tracer = 'Tc-99m water'", ["scan.toml", "tracer", "Tc-99m MDP", "Tc-99m water"]),
        ("injected_mbq = -5", ["scan.toml", "injected_mbq", "-5"]),
        ("include = ['nothing']", ["scan.toml", "include", "full_bladder", "'nothing'"]),
        ("include = 'normal'", ["scan.toml", "include", "a list", "'normal'"]),
        ("[[lesions]]\nkind = 'hiccup'", ["scan.toml", "lesions[0].kind", "metastasis", "'hiccup'"]),
        ("[[lesions]]\nbone = 'femur_l'", ["scan.toml", "lesions[0].kind", "None"]),
        ("[[lesions]]\nkind = 'belt_buckle'", ["scan.toml", "lesions[0].kind"]),
        ("[[disturbances]]\nkind = 'metastasis'", ["scan.toml", "disturbances[0].kind"]),
        ("[[lesions]]\nkind = 'metastasis'\nsize = 3", ["scan.toml", "lesions[0].size", "diameter_mm"]),
        ("[[lesions]]\nkind = 'metastasis'\ncount = 1.5", ["scan.toml", "lesions[0].count", "a whole number", "1.5"]),
        ("[[lesions]]\nkind = 'metastasis'\nplace_mm = [1, 2]", ["scan.toml", "lesions[0].place_mm", "3 items"]),
        ("[[lesions]]\nkind = 'metastasis'\nbone = 'wing'", ["scan.toml", "lesions[0]", "wing"]),
        (
            "[[lesions]]\nkind = 'metastasis'\nbone = 'femur_l'\nplace_mm = [0, 0, 1000]",
            ["scan.toml", "lesions[0]", "outside femur_l"],
        ),
        ("[[lesions]]\nkind = 'paget'\nbones = [3]", ["scan.toml", "lesions[0].bones[0]", "a word", "3"]),
        ("[[lesions]]\nkind = 'arthritis'\ninflamed = 1", ["scan.toml", "lesions[0].inflamed", "true or false"]),
    ],
)
def test_bad_scenarios_are_refused_in_one_sentence(text, words):
    with pytest.raises(InvalidValue) as refused:
        read_scenario(text, name="scan.toml")
    message = str(refused.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_child_and_fluoride_get_what_the_rules_give():
    # witness: EANM dosage card, 5.71 to 10.71 times 35 MBq at 24 to 50 kg; fluoride 1.5 to 3.7 MBq/kg, at most 370
    child = Scenario(person={"age_years": 11.0, "sex": "male"}).patient(1)
    assert 24 < child.person.mass_kg < 50  # not the stature and build of an adult of that seed
    assert 1250 < child.person.stature_mm < 1650
    assert 35 * 5.7 <= child.injected_mbq <= 35 * 10.75
    for seed in range(3):
        adult = Scenario(tracer="F-18 fluoride").patient(seed)
        assert 1.5 * adult.person.mass_kg - 1 <= adult.injected_mbq <= min(370, 3.7 * adult.person.mass_kg) + 1


def test_what_is_told_of_the_physiology_holds():
    patient = read_scenario("[physiology]\nextravasated_fraction = 0.1\nbone_turnover = 2").patient(1)
    assert patient.physiology.extravasated_fraction == 0.1
    assert patient.physiology.bone_turnover == 2


def test_an_unknown_packaged_scenario_is_refused():
    with pytest.raises(InvalidValue, match="normal"):
        packaged_scenario("unheard")


def test_the_documentation_names_every_kind_and_every_packaged_scenario():
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    missing = [name for name in (*BUILDERS, *scenario_names()) if f"| `{name}` |" not in page]
    assert not missing


def test_the_scenario_shown_in_the_documentation_is_one():
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    text = page.partition("```toml\n")[2].partition("```")[0]
    patient = read_scenario(text).patient(2)
    assert patient.person.sex == "female"
    assert len(patient.disturbances) == 2


def test_what_a_surgeon_took_away_has_no_lesion():
    # a metastasis in the femoral head that a prosthesis replaced, one in the other hip, one in a lost shank
    told = [
        Finding(kind="prosthesis", told={"side": "left"}),
        Finding(kind="amputation", told={"side": "right"}),
        *(
            Finding(kind="metastasis", told={"bone": bone, "place_mm": place})
            for bone, place in (
                ("femur_l", (88.0, 10.0, 881.0)),
                ("femur_r", (-88.0, 10.0, 881.0)),
                ("tibia_r", (-75.0, 9.0, 211.0)),
            )
        ),
    ]
    patient = Scenario(lesions=tuple(told)).patient(1)
    assert [lesion.bone for lesion in patient.lesions if lesion.is_metastasis] == ["femur_r"]


@pytest.mark.parametrize(
    "text",
    [
        "injected_mbq = 1" + "0" * 400,
        "injected_mbq = 1" + "0" * 5000,
        "[person]\npose = {'head.turn_rad' = 1" + "0" * 400 + "}",
        "[person]\npose = {'thigh_l.length_log' = 5}",  # a leg of 70 m
        "[person]\npose = {'spine.curve_1_mm' = 1e300}",
        "[person]\nstature_mm = 1e308",
        "[person]\nmass_kg = 0",
        "[person]\nbladder_ml = 900",
        "include = " + "[" * 5000 + "]" * 5000,
        "person = " + "{pose=" * 3000 + "1" + "}" * 3000,
        "[[lesions]]\nkind = 'metastasis'\n" * 2000,
        "include = [" + "'metastases', " * 2000 + "]",
        "[physiology]\nvoids_h = [" + ", ".join(str(0.01 * (k + 1)) for k in range(2000)) + "]",
        "[physiology]\nvoids_h = [1e308]",
        "[[protocol.motions]]\nat_fraction = 0.5",
        "injected_mbq = '" + "x" * 1_000_000 + "'",
        '"a\\nb" = 1',
        "x" * 100_000 + " = 1",
    ],
    ids=lambda text: text[:40],
)
def test_monstrous_scenarios_are_refused_at_once_in_one_short_line(text):
    with pytest.raises(InvalidValue) as refused:
        read_scenario(text, name="scan.toml")
    message = str(refused.value)
    assert message.startswith("scan.toml")
    assert "\n" not in message
    assert "__init__" not in message
    assert len(message) < 1500


def test_mutated_scenarios_are_read_or_refused_and_nothing_else():
    rng = np.random.default_rng(8)
    values = ["-1", "0", "1e300", "nan", "inf", "''", "[]", "[1]", "{}", "true", "'draw'", "['femur_l']", "999999",
              "2020-01-01", "'left'", "[0.0, 0.0, 0.0]", "'femur_l'"]  # fmt: skip
    folder = files("bonescan.patient").joinpath("scenarios")
    texts = [folder.joinpath(f"{name}.toml").read_text(encoding="utf-8") for name in scenario_names()]
    read = 0
    for _ in range(400):
        lines = str(rng.choice(texts)).splitlines()
        told = [k for k, line in enumerate(lines) if "=" in line and not line.startswith(("title", "shows"))]
        for k in rng.choice(told, 2) if told else ():
            lines[k] = f"{lines[k].partition('=')[0]}= {rng.choice(values)}"
        if rng.random() < 0.3:
            del lines[rng.integers(len(lines))]
        with contextlib.suppress(InvalidValue):
            read_scenario("\n".join(lines))
            read += 1
    assert 0 < read < 400


def test_fluoride_has_no_technetium_to_lose():
    patient = read_scenario("tracer = 'F-18 fluoride'").patient(1)
    assert patient.physiology.free_pertechnetate_fraction == patient.physiology.colloid_fraction == 0
    volumes = patient.volumes(1.0, 20.0)
    held = 1000 * patient.injected_mbq * (1 - volumes.truth.shares["decayed"] - volumes.truth.shares["voided"])
    assert volumes.activity.total == pytest.approx(held, rel=1e-9)
    wrong = read_scenario("tracer = 'F-18 fluoride'\ninclude = ['free_pertechnetate']")
    with pytest.raises(InvalidValue, match="technetium"):
        wrong.patient(1)


def test_a_negative_seed_is_refused():
    with pytest.raises(InvalidValue, match="seed"):
        packaged_scenario("normal").patient(-1)


@pytest.mark.parametrize("bmi", [12, 59])
def test_a_build_that_is_told_and_no_body_has_is_refused_not_replaced(bmi):
    scenario = read_scenario(f'[person]\nsex = "female"\nage_years = 60\nstature_mm = 1700\nbmi = {bmi}')
    with pytest.raises(InvalidValue, match="the nearest is"):
        scenario.patient(1)
    assert read_scenario("[person]\nbmi = 31").patient(1).person.bmi == pytest.approx(31, abs=0.05)
