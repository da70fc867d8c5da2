from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonescan.errors import InvalidValue
from bonescan.scan import Severity
from bonescan.tracer import GUIDELINES, RADIOPHARMACEUTICALS, prescribe
from bonescan.tracer.activity import dosage_card_factor


def codes(remarks) -> set[str]:
    return {remark.code for remark in remarks}


# Witness: EANM 2016, doi:10.1007/s00259-016-3415-4, Table 1, printed to 5 MBq.
@pytest.mark.parametrize(("mass_kg", "activity_mbq"), [(3.5, 40), (10, 95), (20, 170), (30, 240), (40, 310), (50, 375)])
def test_a_child_receives_what_the_dosage_card_says(mass_kg, activity_mbq):
    given = prescribe(mass_kg=mass_kg, age_years=9)
    assert given.activity_mbq == given.low_mbq == given.high_mbq == activity_mbq
    assert given.certainty == "V"


def test_between_the_weights_of_the_card_the_factor_is_linear_and_it_ends_where_the_card_ends():
    # witness: the card's rows 20 kg 4.86, 22 kg 5.29, 52 to 54 kg 11.29, 68 kg 14.00
    assert dosage_card_factor(21) == pytest.approx((4.86 + 5.29) / 2)
    assert dosage_card_factor(53) == 11.29
    assert dosage_card_factor(1) == 1.00
    assert dosage_card_factor(90) == 14.00


@given(st.floats(1, 120), st.floats(1, 120))
def test_a_heavier_child_never_receives_less(one, other):
    lighter, heavier = sorted((one, other))
    for guideline in ("EANM", "SNMMI"):
        less = prescribe(mass_kg=lighter, age_years=9, guideline=guideline)
        more = prescribe(mass_kg=heavier, age_years=9, guideline=guideline)
        assert less.activity_mbq <= more.activity_mbq


# Witness: North American consensus as tabled in J Nucl Med 2011, 9.3 MBq/kg, at least 37 MBq, to 5 MBq as ours; the
# most for a large child is 740 MBq there.
@pytest.mark.parametrize(("mass_kg", "activity_mbq"), [(3, 37), (20, 185), (40, 370), (100, 740)])
def test_the_north_american_child(mass_kg, activity_mbq):
    assert prescribe(mass_kg=mass_kg, age_years=9, guideline="SNMMI").activity_mbq == activity_mbq


# Witness: EANM 2016 300 to 740; SNMMI 740 to 1110; FDA label of medronate 370 to 740, 7.4 MBq/kg; of oxidronate
# 370 to 740; European labels of oxidronate and butedronate 500 (300 to 700); FDA label of sodium fluoride 300 to 450.
@pytest.mark.parametrize(
    ("guideline", "tracer", "expected"),
    [
        ("EANM", "Tc-99m MDP", (500, 300, 740)),
        ("SNMMI", "Tc-99m HDP", (740, 740, 1110)),
        ("label", "Tc-99m MDP", (520, 370, 740)),
        ("label", "Tc-99m HDP", (555, 370, 740)),
        ("SmPC", "Tc-99m HDP", (500, 300, 700)),
        ("SmPC", "Tc-99m DPD", (500, 300, 700)),
        ("label", "F-18 fluoride", (300, 300, 450)),
    ],
)
def test_an_adult_of_seventy_kilograms(guideline, tracer, expected):
    given = prescribe(mass_kg=70, age_years=40, guideline=guideline, tracer=tracer)
    assert (given.activity_mbq, given.low_mbq, given.high_mbq) == expected


def test_a_heavy_adult_keeps_the_activity_per_kilogram_of_a_body_mass_index_of_thirty_up_to_the_range():
    at_thirty = prescribe(mass_kg=30 * 1.8**2, age_years=40, height_cm=180)
    assert (at_thirty.activity_mbq, at_thirty.remarks) == (500, ())  # no step where the rule begins
    heavier = prescribe(mass_kg=40 * 1.8**2, age_years=40, height_cm=180)
    assert heavier.activity_mbq == 665  # 500 * 40 / 30 = 666.7, to 5 MBq
    assert codes(heavier.remarks) == {"plan.activity.obesity"}
    assert prescribe(mass_kg=250, age_years=40, height_cm=180).activity_mbq == 740
    assert "assumed height" in prescribe(mass_kg=110, age_years=40).remarks[0].text


def test_without_an_age_a_grown_weight_is_an_adult_and_a_light_one_is_asked_about():
    assert codes(prescribe(mass_kg=70).remarks) == {"plan.age.assumed"}
    with pytest.raises(InvalidValue, match="give the age"):
        prescribe(mass_kg=30)


def test_the_prescribers_own_choice_is_kept_and_weighed():
    inside = prescribe(mass_kg=70, age_years=40, activity_mbq=600)
    assert (inside.activity_mbq, inside.remarks) == (600, ())
    outside = prescribe(mass_kg=70, age_years=40, activity_mbq=900)
    assert outside.activity_mbq == 900
    assert outside.remarks[-1].severity is Severity.WARNING
    assert "900 MBq is not what EANM says for this person (300 to 740 MBq)" in outside.remarks[-1].text


@pytest.mark.parametrize(("mass_kg", "age_years"), [(150, 5), (20, 40), (6, 9), (70, 0.5)])
def test_a_weight_that_hardly_anybody_of_that_age_has_is_doubted(mass_kg, age_years):
    doubted = prescribe(mass_kg=mass_kg, age_years=age_years).remarks
    assert "plan.body.unusual" in codes(doubted)
    assert f"{mass_kg:g} kg is unusual at {age_years:g} years" in doubted[0].text


# Witness: WHO growth standards and CDC charts, 3rd to 97th percentile of boys and girls [recalled]; adults.
@pytest.mark.parametrize(
    ("age_years", "weights_kg"),
    [(0, (2.3, 4.6)), (1, (7, 12)), (5, (14, 26)), (10, (22, 54)), (17, (40, 105)), (18, (40, 200)), (80, (35, 150))],
)
def test_usual_weights_are_not_doubted(age_years, weights_kg):
    for mass_kg in weights_kg:
        assert "plan.body.unusual" not in codes(prescribe(mass_kg=mass_kg, age_years=age_years).remarks)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"mass_kg": 0.2}, "Body weight is 1 to 350 kg, got 0.2."),
        ({"mass_kg": float("nan")}, "Body weight is 1 to 350 kg, got nan."),
        ({"mass_kg": 70, "age_years": -1}, "Age is 0 to 120 years, got -1."),
        ({"mass_kg": 70, "height_cm": 1.75}, "Height is 30 to 250 cm, got 1.75."),
        ({"mass_kg": 300, "height_cm": 120}, "check that the weight is in kg and the height in cm"),
        ({"mass_kg": 70, "guideline": "IAEA"}, "one of EANM, SNMMI, label, SmPC"),
        ({"mass_kg": 70, "activity_mbq": 0}, "Activity is 1 to 2000 MBq, got 0."),
        (
            {"mass_kg": 20, "age_years": 5, "guideline": "label"},
            "No rule of the label for Tc-99m MDP in a child is known here: choose EANM or",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(facts, told):
    with pytest.raises(InvalidValue) as refused:
        prescribe(**facts)
    assert told in str(refused.value)


UNRULED = {  # what no source was found for
    ("label", "Tc-99m MDP", "child"), ("label", "Tc-99m HDP", "child"),
    ("label", "Tc-99m DPD", "child"), ("label", "Tc-99m DPD", "adult"),
    ("SNMMI", "Tc-99m DPD", "child"), ("SNMMI", "Tc-99m DPD", "adult"),
    ("SmPC", "Tc-99m MDP", "child"), ("SmPC", "Tc-99m MDP", "adult"), ("SmPC", "Tc-99m DPD", "child"),
    ("SmPC", "F-18 fluoride", "child"), ("SmPC", "F-18 fluoride", "adult"),
}  # fmt: skip


@pytest.mark.parametrize("tracer", RADIOPHARMACEUTICALS)
@pytest.mark.parametrize("guideline", GUIDELINES)
@pytest.mark.parametrize(
    ("group", "people"), [("child", [(4, 0.5), (12, 2), (55, 14)]), ("adult", [(45, 30), (70, 40), (180, 60)])]
)
def test_every_proposal_lies_within_its_own_range_and_names_its_source(guideline, tracer, group, people):
    for mass_kg, age_years in people:
        if (guideline, tracer, group) in UNRULED:
            with pytest.raises(InvalidValue, match="is known here: choose EANM"):
                prescribe(mass_kg=mass_kg, age_years=age_years, guideline=guideline, tracer=tracer)
            continue
        given = prescribe(mass_kg=mass_kg, age_years=age_years, guideline=guideline, tracer=tracer)
        assert 0 < given.low_mbq <= given.activity_mbq <= given.high_mbq <= 1110
        assert given.source
        assert given.certainty in ("V", "M")


@pytest.mark.parametrize("tracer", RADIOPHARMACEUTICALS)
@pytest.mark.parametrize("guideline", GUIDELINES)
def test_the_heaviest_adult_receives_the_top_of_the_range_and_no_more(guideline, tracer):
    if (guideline, tracer, "adult") not in UNRULED:
        heaviest = prescribe(mass_kg=350, age_years=40, height_cm=200, tracer=tracer, guideline=guideline)
        assert heaviest.activity_mbq == heaviest.high_mbq


def test_a_value_just_outside_is_not_said_to_be_the_limit():
    with pytest.raises(InvalidValue, match=r"1 to 350 kg, got 350\.0001\."):
        prescribe(mass_kg=350.0001)
