from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonescan.errors import InvalidValue
from bonescan.scan import Severity
from bonescan.tracer import Physiology, PreviousStudy, Referral, kinetics, plan_study, radiopharmaceutical
from bonescan.tracer.appointment import clock_time

NINE = datetime(2026, 3, 4, 9, 0)
WOMAN = Referral(mass_kg=64, age_years=31, sex="female")


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def codes(plan) -> list[str]:
    return [remark.code for remark in plan.remarks]


# Witness: EANM 2016, doi:10.1007/s00259-016-3415-4: delayed images 2 to 5 h after injection, a litre or more between.
def test_the_pictures_lie_two_to_five_hours_after_the_injection():
    times = plan_study(WOMAN, inject_at=NINE).appointment
    assert (times.image_from, times.image_until) == (NINE + hours(2), NINE + hours(5))
    assert times.inject_at < times.image_from < times.image_at < times.leave_at
    assert times.drink_ml >= 1000


@pytest.mark.parametrize(("image_h", "code"), [(1.5, "plan.image.early"), (6, "plan.image.late")])
def test_pictures_outside_the_window_are_warned_about(image_h, code):
    plan = plan_study(WOMAN, inject_at=NINE, image_at=NINE + hours(image_h))
    assert codes(plan) == [code]
    assert plan.remarks[0].severity is Severity.WARNING
    assert "11:00 to 14:00" in plan.remarks[0].text


def test_pictures_before_the_injection_are_refused():
    with pytest.raises(InvalidValue, match="would come before the injection"):
        plan_study(WOMAN, inject_at=NINE, image_at=NINE)
    with pytest.raises(InvalidValue, match="more than 48 h after the injection"):
        plan_study(WOMAN, inject_at=NINE, image_at=NINE + hours(49))


def test_an_evening_injection_goes_on_after_midnight():
    times = plan_study(WOMAN, inject_at=datetime(2026, 12, 31, 22, 30)).appointment
    assert times.image_at == datetime(2027, 1, 1, 1, 30)


@pytest.mark.parametrize(
    ("text", "near", "expected"),
    [
        ("06:30", NINE, datetime(2026, 3, 4, 6, 30)),
        ("22:30", NINE, datetime(2026, 3, 3, 22, 30)),  # last night is nearer than this night
        ("0:15", datetime(2026, 12, 31, 23, 0), datetime(2027, 1, 1, 0, 15)),
        ("21:00", NINE, datetime(2026, 3, 3, 21, 0)),  # equally near: the earlier
        ("2026-02-28 23:59", NINE, datetime(2026, 2, 28, 23, 59)),
        (" 2026-02-28T23:59 ", NINE, datetime(2026, 2, 28, 23, 59)),
    ],
)
def test_a_clock_time_means_the_nearest_day(text, near, expected):
    assert clock_time(text, near) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9",
        "25:00",
        "09:60",
        "9am",
        "2026-02-30 09:00",
        "04.03.2026 09:00",
        "-1:00",
        "0001-01-01 09:00",
        "9999-12-31 09:00",
    ],
)
def test_what_is_no_time_is_refused_with_the_way_to_write_one(text):
    with pytest.raises(InvalidValue, match="A time is written HH:MM or YYYY-MM-DD HH:MM"):
        clock_time(text, NINE)


@given(st.integers(0, 23), st.integers(0, 59), st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)))
def test_a_clock_time_is_never_more_than_half_a_day_away(hour, minute, near):
    found = clock_time(f"{hour:02d}:{minute:02d}", near)
    assert (found.hour, found.minute) == (hour, minute)
    assert abs(found - near) <= hours(12) + timedelta(minutes=1)


# Witness: EANM 2016: interruption of at least 4 h, one meal discarded.
def test_breast_feeding_goes_on_after_four_hours():
    mother = Referral(mass_kg=64, age_years=31, sex="female", breastfeeding=True)
    assert plan_study(mother, inject_at=NINE).appointment.feed_from == NINE + hours(4)
    assert plan_study(WOMAN, inject_at=NINE).appointment.feed_from is None


def test_where_american_rules_are_planned_by_the_longer_pause_is_named():
    mother = Referral(mass_kg=64, age_years=31, sex="female", breastfeeding=True)
    for guideline, tracer, expected in (
        ("SNMMI", "Tc-99m MDP", ["plan.feeding.differs"]),
        ("label", "Tc-99m HDP", ["plan.feeding.differs"]),
        ("EANM", "Tc-99m MDP", []),
        ("SNMMI", "F-18 fluoride", []),
    ):
        assert codes(plan_study(mother, inject_at=NINE, guideline=guideline, tracer=tracer)) == expected


# Witness: EANM 2016: haemodialysis 15 min to 5 h after injection, planned with the nephrologist.
def test_dialysis_has_its_window_and_no_litre_to_drink():
    plan = plan_study(Referral(mass_kg=64, age_years=60, dialysis=True), inject_at=NINE)
    times = plan.appointment
    assert (times.dialysis_from, times.dialysis_until) == (NINE + timedelta(minutes=15), NINE + hours(5))
    assert times.drink_ml is None
    assert codes(plan) == ["plan.dialysis"]
    well = plan_study(Referral(mass_kg=64, age_years=60), inject_at=NINE).appointment
    assert times.contact_until == times.tenth_at > well.contact_until
    assert times.left_mbq["at_leaving"] > 1.2 * well.left_mbq["at_leaving"]  # without kidneys more stays


def test_a_pregnancy_is_warned_about_with_the_dose_to_the_uterus():
    plan = plan_study(Referral(mass_kg=64, age_years=31, pregnant=True), inject_at=NINE)
    assert codes(plan) == ["plan.pregnant"]
    # witness: ICRP 128 as in EANM 2016, Table 6: 0.0063 mGy/MBq; 500 MBq
    assert plan.uterus_mgy.value == pytest.approx(0.0063 * 500, rel=0.02)
    assert "3.1 mGy" in plan.remarks[0].text or "3.2 mGy" in plan.remarks[0].text


@pytest.mark.parametrize(
    ("facts", "asked"),
    [
        ({"age_years": 31, "sex": "female"}, True),
        ({"age_years": 31}, True),
        ({}, True),
        ({"age_years": 31, "sex": "male"}, False),
        ({"age_years": 70, "sex": "female"}, False),
        ({"age_years": 6, "sex": "female"}, False),
    ],
)
def test_pregnancy_is_asked_about_wherever_it_can_be(facts, asked):
    referral = Referral(mass_kg=60, **facts)
    assert referral.may_be_pregnant is asked


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"sex": "male", "pregnant": True}, "A man is planned as pregnant"),
        ({"sex": "male", "breastfeeding": True}, "A man is planned as breast-feeding"),
        ({"age_years": 5, "pregnant": True}, "A child of 5 years is planned as pregnant"),
        ({"sex": "unknown"}, "Sex is female or male here"),
    ],
)
def test_facts_that_exclude_each_other_are_refused(facts, told):
    with pytest.raises(InvalidValue, match=told):
        Referral(mass_kg=60, **facts)


def test_little_is_left_when_the_sheet_says_so_and_not_two_hours_before():
    times = plan_study(WOMAN, inject_at=NINE).appointment
    left = times.left_mbq
    assert left["at_imaging"] > left["at_leaving"] > left["after_24_h"] > left["after_48_h"] > 0
    # witness: whole-body retention of MDP 31.0 +/- 2.4 % at 24 h (PMID 2496903), so 500 MBq are then 10 MBq
    assert left["after_24_h"] == pytest.approx(500 * 0.310 * 2 ** (-24 / 6.007), rel=3 * 2.4 / 31)
    # by the kinetics without the bladder, which holds little beside it
    course = kinetics(radiopharmaceutical("Tc-99m MDP"), Physiology(sex="female", age_years=31, mass_kg=64))
    for at, threshold in ((times.tenth_at, 50), (times.exempt_at, 10)):
        assert at.minute == 0
        after = (at - NINE) / hours(1)
        assert 500 * course.retention(after) * 2 ** (-after / 6.007) < threshold
        assert 500 * course.retention(after - 2) * 2 ** (-(after - 2) / 6.007) > 0.9 * threshold


def test_an_earlier_bone_scan_of_the_day_before_hardly_matters_and_one_of_the_morning_does():
    def with_previous(count: float):
        previous = PreviousStudy(tracer="Tc-99m MDP", activity_mbq=600, injected_at=NINE - hours(count))
        return plan_study(Referral(mass_kg=64, age_years=60, previous=previous), inject_at=NINE)

    day, morning = with_previous(30), with_previous(4)
    assert day.previous_percent < 5
    assert codes(day) == []
    assert morning.previous_percent > 25
    assert codes(morning) == ["plan.previous.left"]
    # at the time it names the share is below the 5 % it promises
    named = morning.remarks[0].text.partition("inject at ")[2][:16]
    previous = PreviousStudy(tracer="Tc-99m MDP", activity_mbq=600, injected_at=NINE - hours(4))
    later = plan_study(
        Referral(mass_kg=64, age_years=60, previous=previous), inject_at=datetime.strptime(named, "%Y-%m-%d %H:%M")
    )
    assert 3 < later.previous_percent < 5


def test_of_another_earlier_study_only_the_decay_is_counted_and_hard_photons_are_named():
    previous = PreviousStudy(tracer="Ga-67", activity_mbq=180, injected_at=NINE - hours(78.3 - 3))
    plan = plan_study(Referral(mass_kg=64, age_years=60, previous=previous), inject_at=NINE)
    new = plan.appointment.left_mbq["at_imaging"]
    assert plan.previous_percent == pytest.approx(100 * 90 / (90 + new))  # one half-life of 78.3 h
    assert codes(plan) == ["plan.previous.left", "plan.previous.energy"]


def test_an_earlier_study_that_is_not_earlier_is_refused():
    previous = PreviousStudy(tracer="Tc-99m", activity_mbq=600, injected_at=NINE)
    with pytest.raises(InvalidValue, match="give its date too"):
        plan_study(Referral(mass_kg=64, previous=previous), inject_at=NINE)
    with pytest.raises(InvalidValue, match="tracer is one of"):
        PreviousStudy(tracer="Xe-133", activity_mbq=600, injected_at=NINE)
    with pytest.raises(InvalidValue, match="above 0"):
        PreviousStudy(tracer="Tc-99m", activity_mbq=0, injected_at=NINE)


def test_half_a_vial_is_refused():
    with pytest.raises(InvalidValue, match="give all three or none"):
        plan_study(WOMAN, inject_at=NINE, vial_mbq=5000)


# Witness: effective dose 0.0057 mSv/MBq for an adult and 0.014 for a child of five, ICRP 128; 2.4 mSv a year or more of
# natural background.
def test_the_dose_is_that_of_the_planned_activity():
    adult = plan_study(WOMAN, inject_at=NINE)
    assert adult.effective_msv.value == pytest.approx(2.85, rel=0.02)
    assert 300 < adult.background_days.value < 450
    child = plan_study(Referral(mass_kg=19, age_years=5), inject_at=NINE)
    assert child.effective_msv.value == pytest.approx(0.014 * child.prescription.activity_mbq, rel=0.02)
    assert child.appointment.drink_ml is None


def test_fluoride_is_imaged_sooner_and_gone_sooner():
    times = plan_study(WOMAN, inject_at=NINE, tracer="F-18 fluoride").appointment
    assert times.image_at == NINE + hours(1)
    assert times.exempt_at < plan_study(WOMAN, inject_at=NINE).appointment.exempt_at


def test_of_a_baby_no_dose_is_known_and_the_kinetics_are_those_of_a_year():
    plan = plan_study(Referral(mass_kg=3.5, age_years=0.1), inject_at=NINE)
    assert plan.prescription.activity_mbq == 40  # witness: EANM 2016, Table 1
    assert codes(plan) == ["plan.kinetics.young"]
    assert plan.effective_msv.value is None
    assert plan.background_days.absent_reason == plan.effective_msv.absent_reason
