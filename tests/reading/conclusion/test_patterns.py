"""The rules of patterns: the data are sound, each fires on what it describes and on nothing else.

Values of the signs were measured on simulated people (seed 1 of each scenario, rounded); what a scenario shows is told
by docs/scenarios.md.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bonescan.errors import InvalidValue
from bonescan.measurement import Measurement
from bonescan.reading.conclusion.patterns import POSSIBLE, PRESENT, Judgement, judge, packaged_rules, read_rules
from bonescan.reading.conclusion.signs import SIGNS, Sign
from bonescan.reading.model import Presence

RULES = {rule.code: rule for rule in packaged_rules()}

NORMAL = {
    "delay_h": 3.0, "age_years": 82, "bone_to_soft_tissue": 9.1, "kidneys": 0.49, "kidneys_to_flank": 3.6,
    "bladder": 2.5, "skull": 0.35, "jaw": 0.59, "unevenness": 8.1, "asymmetry": 24, "shafts": 0.26,
    "shafts_to_ends": 0.55, "growth_plates": 2.0, "hand_sides": 1.04, "foot_sides": 1.35, "whole_bone": 1.2,
    "sacral_wings": 1.02, "thyroid": 1.66, "stomach": 1.02, "liver": 0.98, "bladder_hides_percent": 2.2,
    "injection_percent": 0, "metastatic_foci": 0, "regions_with_foci": 0, "rib_line": 0, "foci_off_line": 0,
    "contamination": 0, "armpit": 0,
}  # fmt: skip
SHOWN = {
    "metastatic_superscan": {"bone_to_soft_tissue": 39.5, "kidneys": 0.33, "bladder": 1.07, "skull": 0.09, "jaw": 0.19,
                             "unevenness": 25.6, "asymmetry": 37, "metastatic_foci": 22, "regions_with_foci": 10,
                             "foci_off_line": 26, "thyroid": 3.45, "stomach": 1.29, "whole_bone": 1.6,
                             "sacral_wings": 0.52, "shafts": 0.07, "shafts_to_ends": 0.3, "rib_line": 2},
    "widespread_metastases": {"metastatic_foci": 12, "regions_with_foci": 8, "foci_off_line": 15, "unevenness": 15.6,
                              "bone_to_soft_tissue": 19, "asymmetry": 35},
    "metabolic_superscan": {"bone_to_soft_tissue": 18.1, "kidneys": 0.31, "bladder": 1.5, "skull": 0.74, "jaw": 1.44,
                            "rib_line": 5, "metastatic_foci": 6, "regions_with_foci": 3, "foci_off_line": 5,
                            "growth_plates": 3.4},
    "sacral_insufficiency": {"sacral_wings": 2.54, "bladder_hides_percent": 8.4, "metastatic_foci": 4,
                             "regions_with_foci": 2, "foci_off_line": 4},
    "rib_fractures": {"rib_line": 4, "metastatic_foci": 3, "regions_with_foci": 1, "asymmetry": 39},
    "paget": {"whole_bone": 2.7, "unevenness": 45, "metastatic_foci": 5, "regions_with_foci": 2, "foci_off_line": 5,
              "bone_to_soft_tissue": 21.5},
    "hypertrophic_osteoarthropathy": {"shafts": 0.98, "shafts_to_ends": 1.4, "growth_plates": 0.8},
    "regional_pain_hand": {"hand_sides": 1.54},
    "regional_pain_foot": {"foot_sides": 3.4},
    "growth_plates": {"age_years": 12, "growth_plates": 6.8, "bone_to_soft_tissue": 14},
    "kidney_failure": {"bone_to_soft_tissue": 3.6, "kidneys": 0.58, "kidneys_to_flank": 1.7, "bladder": 1.3},
    "too_early": {"delay_h": 0.75, "bone_to_soft_tissue": 3.4, "kidneys": 0.98, "kidneys_to_flank": 2.7,
                  "bladder": 15},
    "too_late": {"delay_h": 9, "bone_to_soft_tissue": 18.3, "kidneys": 0.36, "bladder": 1.3},
    "free_pertechnetate": {"thyroid": 3.4, "stomach": 1.99, "liver": 0.5, "kidneys": 0.88,
                           "bone_to_soft_tissue": 6.7},
    "colloid": {"liver": 1.61, "stomach": 0.62, "asymmetry": 52},
    "extravasation": {"injection_percent": 14, "armpit": 4.5},
    "urine_contamination": {"contamination": 5.3},
    "full_bladder": {"bladder": 20.7, "bladder_hides_percent": 19, "sacral_wings": 3.4},
}  # fmt: skip
BESIDE = {"metastatic_superscan": {"widespread_metastases"}}
"""Patterns that are rightly called beside another: a superscan is widespread disease."""


def signs(values: dict[str, float]) -> dict[str, Sign]:
    """Signs of a scan on which only these could be measured."""
    return {
        name: Sign(
            measured=Measurement(
                value=values.get(name), unit="1", method=name, absent_reason="" if name in values else "not in view"
            ),
            where="left hip bone",
            findings=(3, 1) if name in values else (),
        )
        for name in SIGNS
    }


def called(values: dict[str, float], presence: Presence = Presence.PRESENT) -> set[str]:
    return {one.rule.code for one in judge(signs(values)) if one.presence is presence}


def of(code: str, values: dict[str, float]) -> Judgement:
    return next(one for one in judge(signs(values)) if one.rule.code == code)


def test_every_rule_is_tested():
    assert SHOWN.keys() == RULES.keys()


@pytest.mark.parametrize("code", SHOWN)
def test_a_pattern_is_called_where_it_is_and_no_other(code):
    assert called({**NORMAL, **SHOWN[code]}) == {code} | BESIDE.get(code, set())
    assert called({**NORMAL, **SHOWN[code]}, Presence.POSSIBLE) == set()


def test_nothing_is_called_on_a_normal_scan():
    assert called(NORMAL) | called(NORMAL, Presence.POSSIBLE) | called(NORMAL, Presence.NOT_JUDGED) == set()


@pytest.mark.parametrize("code", RULES)
def test_a_pattern_is_not_called_without_any_of_what_it_must_have(code):
    for clue in RULES[code].clues:
        if clue.must:
            without = {**NORMAL, **SHOWN[code], clue.sign: clue.no}
            assert of(code, without).presence is None


@pytest.mark.parametrize("code", RULES)
def test_a_pattern_whose_sign_cannot_be_measured_is_not_judged(code):
    known = {**NORMAL, **SHOWN[code]}
    del known[next(clue.sign for clue in RULES[code].clues if clue.must)]
    assert of(code, known).presence is Presence.NOT_JUDGED


def test_where_neither_age_nor_times_are_known_an_adult_has_no_growth_plates_and_lateness_is_not_judged():
    unknown = {name: value for name, value in NORMAL.items() if name not in ("age_years", "delay_h")}
    assert called({**unknown, "growth_plates": 6.6}) == set()
    assert called({**unknown, "growth_plates": 6.6}, Presence.POSSIBLE) == set()
    assert "too_late" in called(unknown, Presence.NOT_JUDGED)


def test_beads_of_metabolic_disease_are_no_line_of_fractures():
    assert of("rib_fractures", {**NORMAL, **SHOWN["rib_fractures"], "jaw": 1.4}).presence is not Presence.PRESENT


def test_of_rivals_only_the_likelier_is_present():
    both = {**NORMAL, **SHOWN["kidney_failure"], "delay_h": 1.5, "kidneys": 0.9}
    rules = tuple(replace(rule, start=rule.start + 3) for rule in packaged_rules())
    judged = {one.rule.code: one for one in judge(signs(both), rules)}
    first, second = sorted((judged["kidney_failure"], judged["too_early"]), key=lambda one: -one.log_odds)
    assert min(first.log_odds, second.log_odds) >= PRESENT
    assert (first.presence, second.presence) == (Presence.PRESENT, Presence.POSSIBLE)


def test_evidence_carries_the_number_its_weight_and_its_source():
    one = of("metastatic_superscan", {**NORMAL, **SHOWN["metastatic_superscan"], "kidneys": 0.7})
    said = {evidence.text: evidence for evidence in one.pattern.evidence_for}
    assert "Vertebrae differ from their neighbours by 26 %: patchy." in said
    assert all(evidence.weight > 0 and evidence.source for evidence in one.pattern.evidence_for)
    assert [evidence.text for evidence in one.pattern.evidence_against] == ["Kidneys are seen: 0.70 of the spine."]
    weights = [evidence.weight for evidence in one.pattern.evidence_for]
    assert weights == sorted(weights, reverse=True)
    assert one.pattern.findings == (1, 3)


@pytest.mark.parametrize(("value", "weight"), [(0, -3), (1, -3), (2.5, 0), (3.25, 1.5), (4, 3), (9, 3)])
def test_weights_grow_in_proportion(value, weight):
    clue = next(clue for clue in RULES["rib_fractures"].clues if clue.sign == "rib_line")  # no 1, yes 4, 3 each way
    assert clue.log_odds(value) == pytest.approx(weight)


def test_the_sentence_hedges_and_names_the_place():
    sentence = of("paget", {**NORMAL, **SHOWN["paget"]}).sentence
    assert "pattern of" in sentence
    assert "left hip bone" in sentence


def test_present_is_harder_than_possible():
    assert PRESENT > POSSIBLE
    assert of("sacral_insufficiency", {**NORMAL, "sacral_wings": 1.41}).presence is Presence.POSSIBLE


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_no_rule_without_source_uncertainty_and_sentences(rule):
    assert all((rule.source, rule.uncertainty, rule.present, rule.possible, rule.name))
    assert all(clue.source for clue in rule.clues)


GOOD = """
[[pattern]]
code = "c"
name = "n"
kind = "benign"
start = -1
present = "p"
possible = "q {where}"
source = "s"
uncertainty = "u"

[[pattern.clue]]
sign = "kidneys"
no = 1
yes = 2
weight = 3
against = 0
must = true
says_for = "{value:.1f}"
source = "s"
"""


def test_a_physicians_own_rules_are_read():
    (rule,) = read_rules(GOOD)
    assert (rule.code, rule.clues[0].sign, rule.advice) == ("c", "kidneys", ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[pattern]]", "[[pattern", "no valid TOML"),
        ('sign = "kidneys"', 'sign = "liver_size"', "c, clue 1, sign"),
        ('uncertainty = "u"', "", "c, uncertainty: expected some text, got None"),
        ('source = "s"\nuncertainty', "uncertainty", "c, source"),
        ("yes = 2", "yes = 1", "another number than no"),
        ("weight = 3", "weight = -3", "a weight from 0 to 10"),
        ("weight = 3", 'weight = "much"', "c, clue 1, weight: expected a number, got 'much'"),
        ("must = true", "", "at least one with must = true"),
        ('says_for = "{value:.1f}"', 'says_for = "{size}"', "c, clue 1, says_for"),
        ('says_for = "{value:.1f}"', "", "c, clue 1, says_for"),
        ('possible = "q {where}"', 'possible = "q {value}"', "c, possible"),
        ('kind = "benign"', 'kind = "bad"', "metastatic, benign, technical"),
        ("start = -1", "start = -1\nbegin = 2", "begin"),
        ("start = -1", 'start = -1\nrivals = ["d"]', "codes of other patterns"),
        ("start = -1", 'start = -1\nmade_of = ["d"]', "names of signs"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(old, new, said):
    with pytest.raises(InvalidValue, match=r"patterns\.toml") as refusal:
        read_rules(GOOD.replace(old, new, 1))
    assert said in str(refusal.value)


def test_no_code_twice_and_no_other_tables():
    for text in (GOOD + GOOD, GOOD + "[other]\na = 1\n", ""):
        with pytest.raises(InvalidValue, match="no code twice"):
            read_rules(text)
