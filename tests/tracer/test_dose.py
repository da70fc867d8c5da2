from __future__ import annotations

import pytest

from bonescan.errors import InvalidValue
from bonescan.tracer import absorbed_dose, days_of_background, radiopharmaceutical
from bonescan.tracer.dose import bladder_residence_h, label_bladder_wall_mgy

MDP = radiopharmaceutical("Tc-99m MDP")
FLUORIDE = radiopharmaceutical("F-18 fluoride")


def test_dose_is_proportional_to_activity():
    one, many = (absorbed_dose(MDP, mbq, age_years=40) for mbq in (1, 500))
    assert many.effective_msv.value == pytest.approx(500 * one.effective_msv.value)
    assert many.effective_msv.value == pytest.approx(2.85)  # 500 x 0.0057
    assert many.organ_mgy["bone_surfaces"].value == pytest.approx(31.5)  # 500 x 0.063
    assert many.effective_msv.unit == "mSv"
    assert many.bladder_wall_mgy.unit == "mGy"


def test_between_two_ages_the_dose_lies_between_and_follows_a_power_of_mass():
    # at 7.5 years the reference mass is (19.8 + 33.2) / 2 kg
    between = absorbed_dose(MDP, 1, age_years=7.5).effective_msv.value
    power = 0.014 * (26.5 / 19.8) ** (-0.46666)  # ln(0.011 / 0.014) / ln(33.2 / 19.8)
    assert between == pytest.approx(power, rel=1e-3)


def test_voiding_often_spares_bladder_and_gonads_and_nothing_else():
    often, seldom = (absorbed_dose(MDP, 500, age_years=40, voiding_interval_h=hours) for hours in (1.5, 5.0))
    spared = {
        organ for organ in often.organ_mgy if often.organ_mgy[organ].value < seldom.organ_mgy[organ].value * (1 - 1e-9)
    }
    assert spared == {"bladder_wall", "ovaries", "testes", "uterus"}
    assert often.effective_msv.value < seldom.effective_msv.value


def test_the_gonads_change_with_voiding_as_on_the_label():
    # FDA medronate label, per 740 MBq: ovaries 2.4 and 3.4 mGy, testes 1.6 and 2.2 mGy at 2 and 4.8 h. Our bladder dose
    # is a quarter lower (ICRP), and so is its spill.
    often, seldom = (absorbed_dose(MDP, 740, age_years=40, voiding_interval_h=hours).organ_mgy for hours in (2.0, 4.8))
    assert seldom["ovaries"].value - often["ovaries"].value == pytest.approx(1.0, rel=0.3)
    assert seldom["testes"].value - often["testes"].value == pytest.approx(0.6, rel=0.3)


def test_without_an_interval_the_table_holds_and_children_void_more_often():
    assert absorbed_dose(MDP, 1, age_years=30).voiding_interval_h == 3.5
    child = absorbed_dose(MDP, 1, age_years=5)
    assert child.voiding_interval_h == 2.0
    assert child.bladder_wall_mgy.value == pytest.approx(0.073)
    assert absorbed_dose(MDP, 1, age_years=5, voiding_interval_h=3.5).bladder_wall_mgy.value > 0.1


def test_what_the_table_lacks_is_absent_with_a_reason():
    newborn = absorbed_dose(MDP, 40, age_years=0.2)
    assert newborn.effective_msv.value is None
    assert "0.2" in newborn.effective_msv.absent_reason
    child = absorbed_dose(FLUORIDE, 50, age_years=8)
    assert child.organ_mgy["brain"].value is None
    assert child.effective_msv.value is not None  # between the 5-year-old and the adult
    assert absorbed_dose(FLUORIDE, 50, age_years=2).effective_msv.value is None
    assert absorbed_dose(FLUORIDE, 50, age_years=2, voiding_interval_h=1).bladder_wall_mgy.value is None


def test_every_dose_names_its_source():
    dose = absorbed_dose(MDP, 500, age_years=40)
    assert all("ICRP" in found.source and "[" in found.source for found in dose.organ_mgy.values())


def test_a_bladder_holds_more_the_longer_it_waits():
    held = [bladder_residence_h(MDP, hours) for hours in (0.5, 1, 2, 3.5, 5, 8)]
    assert held == sorted(held)
    assert label_bladder_wall_mgy(370, 2.0).value == pytest.approx(label_bladder_wall_mgy(740, 2.0).value / 2)


def test_days_of_background():
    assert days_of_background(2.4).value == pytest.approx(365.25)
    assert days_of_background(2.4, 4.8).value == pytest.approx(365.25 / 2)
    assert "UNSCEAR" in days_of_background(1).source
    assert "user" in days_of_background(1, 4.1).source


@pytest.mark.parametrize(
    ("activity", "age", "interval"), [(-1, 40, 3.5), (float("nan"), 40, 3.5), (500, 130, 3.5), (500, 40, 0.1)]
)
def test_impossible_questions_are_refused(activity, age, interval):
    with pytest.raises(InvalidValue):
        absorbed_dose(MDP, activity, age_years=age, voiding_interval_h=interval)


@pytest.mark.parametrize(("msv", "background"), [(-1, 2.4), (1, 0), (float("inf"), 2.4)])
def test_impossible_backgrounds_are_refused(msv, background):
    with pytest.raises(InvalidValue):
        days_of_background(msv, background)
