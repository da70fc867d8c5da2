from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pytest

from bonescan.report.leaflet import leaflet_text
from bonescan.report.leaflet_before import before_content
from bonescan.report.sheets import SHEET_NAMES, department_content, plan_record, plan_sheets, sheet_text
from bonescan.tracer import Plan, PreviousStudy, Referral, plan_study

INJECT_AT = datetime(2026, 3, 4, 13, 15)
VIAL = {"vial_mbq": 6000.0, "vial_ml": 5.0, "vial_at": datetime(2026, 3, 4, 6, 30)}
EARLIER = PreviousStudy(tracer="Ga-67", activity_mbq=180, injected_at=datetime(2026, 3, 1, 9, 0))
PEOPLE = {
    "anybody": (Referral(mass_kg=70), {}),
    "man": (Referral(mass_kg=84, age_years=71, height_cm=178, sex="male"), VIAL),
    "everything": (
        Referral(mass_kg=118, age_years=35, height_cm=165, sex="female", pregnant=True, breastfeeding=True,
                 dialysis=True, previous=EARLIER),
        {**VIAL, "residual_percent": 8.0, "activity_mbq": 900.0, "image_at": datetime(2026, 3, 4, 19, 0)},
    ),
    "mother": (Referral(mass_kg=64, age_years=31, sex="female", breastfeeding=True), VIAL),
    "child": (Referral(mass_kg=20, age_years=5, sex="female"), VIAL),
    "baby": (Referral(mass_kg=3.5, age_years=0.1), {}),
    "fluoride": (Referral(mass_kg=70, age_years=50), {"tracer": "F-18 fluoride"}),
}  # fmt: skip


@pytest.fixture(scope="module", params=list(PEOPLE))
def plan(request: pytest.FixtureRequest) -> Plan:
    referral, settings = PEOPLE[request.param]
    return plan_study(referral, inject_at=INJECT_AT, **settings)


@pytest.fixture(scope="module")
def sheets(plan: Plan) -> dict[str, bytes]:
    return plan_sheets(plan)


def test_both_sheets_say_the_same_times(plan, sheets):
    times = plan.appointment
    department, patient = (sheets[f"plan_{name}.txt"].decode() for name in ("department", "patient"))
    said = [times.inject_at, times.image_at, times.leave_at, times.contact_until, times.exempt_at]
    said += [times.feed_from] if times.feed_from else []
    for when in said:
        assert when.strftime("%H:%M") in department
        assert when.strftime("%H:%M") in patient
    clocks = set(re.findall(r"\d\d:\d\d", patient))
    assert clocks == {when.strftime("%H:%M") for when in said}  # and the patient is told no other
    days = plan.background_days.value
    expected = "Ask us how large your dose is" if days is None else f"in about {float(f'{days:.2g}'):g} days"
    assert expected in " ".join(patient.split())


def test_a_time_on_another_day_says_so(plan):
    times = plan.appointment
    text = leaflet_text(before_content(plan))
    assert "Wednesday 4 March 2026" in text
    for when in (times.contact_until, times.exempt_at):
        if when.date() != INJECT_AT.date():
            later = (when.date() - INJECT_AT.date()).days
            assert (f"{when:%H:%M} the next day" if later == 1 else f"{when:%H:%M} on {when:%A}") in text
            assert f"{when:%Y-%m-%d %H:%M}" in sheet_text(department_content(plan))


def test_every_warning_is_on_the_departments_sheet(plan, sheets):
    text = " ".join(sheets["plan_department.txt"].decode().split())
    for remark in plan.remarks:
        assert remark.text in text


def pages(pdf: bytes) -> int:
    found = re.findall(rb"/Type\s*/Pages\b[^>]*?/Count (\d+)|/Count (\d+)[^>]*?/Type\s*/Pages\b", pdf)
    assert found
    return max(int(a or b) for a, b in found)


def test_the_department_has_one_page_and_the_patient_four_at_most(sheets):
    assert pages(sheets["plan_department.pdf"]) == 1
    assert pages(sheets["plan_patient.pdf"]) in (3, 4)


def test_twice_as_many_warnings_still_are_one_page():
    referral, settings = PEOPLE["everything"]
    plan = plan_study(referral, inject_at=INJECT_AT, **settings)
    assert len(plan.remarks) >= 7
    crowded = plan_sheets(replace(plan, remarks=plan.remarks * 2))
    assert pages(crowded["plan_department.pdf"]) == 1


def test_the_pdfs_are_archival_accessible_and_dated_with_the_injection(sheets):
    for name in ("plan_department.pdf", "plan_patient.pdf"):
        assert b"pdfaid:part>2" in sheets[name]
        assert b"pdfuaid:part>1" in sheets[name]
        assert b"2026-03-04T13:15:00" in sheets[name]


def test_the_same_plan_gives_the_same_bytes(plan, sheets):
    assert tuple(sorted(sheets)) == SHEET_NAMES
    assert plan_sheets(plan) == sheets


def test_a_line_is_left_for_the_name_and_both_sheets_say_what_they_are_not(sheets):
    department, patient = (sheets[f"plan_{name}.txt"].decode() for name in ("department", "patient"))
    assert "Patient label: ____" in department
    assert "Name: ____" in patient
    assert "Not a medical device" in department
    assert "not a medical device" in patient
    assert all(len(line) <= 92 for line in (department + patient).splitlines())


def test_the_advice_fits_the_person():
    def text(person: str) -> str:
        referral, settings = PEOPLE[person]
        content = before_content(plan_study(referral, inject_at=INJECT_AT, **settings))
        return " ".join(leaflet_text(content).split())

    assert "at least 1 litre" in text("man")
    assert "if you breast-feed" not in text("man")
    assert "From 17:15 you can breast-feed as before" in text("mother")
    assert "throw that milk away" in text("mother")
    assert "Drink only what your kidney team allows" in text("everything")
    assert "litre" not in text("everything")
    assert "Do not have the injection yet" in text("everything")
    assert "YOUR TIMES, IF YOU AND THE DOCTOR CHOOSE THE SCAN" in text("everything")
    assert "set by your child's weight" in text("child")
    assert "litre" not in text("child")
    assert "Drink at least half a litre" in text("fluoride")
    assert "about 3 glasses" in text("fluoride")
    assert "it is less than 1 of 100" in text("fluoride")
    assert "medicine to sleep" in text("child")
    assert "medicine to sleep" not in text("man")
    assert "You may hold your baby to feed it" in text("mother")
    assert "dialysis takes some of it out" in text("everything")


def test_a_card_of_the_next_day_has_its_date_beside_the_clock_time():
    plan = plan_study(Referral(mass_kg=70), inject_at=datetime(2026, 3, 4, 22, 0))
    card = department_content(plan)["cards"][3]
    assert (card["value"], card["note"]) == ("01:00", "2026-03-05 allowed 00:00 to 03:00")


def test_who_says_when_to_feed_again_is_the_one_who_does():
    mother = Referral(mass_kg=64, age_years=31, sex="female", breastfeeding=True)
    for tracer, by in (("Tc-99m MDP", "(EANM; not essential: ICRP)"), ("F-18 fluoride", "(ACMUI)")):
        text = sheet_text(department_content(plan_study(mother, inject_at=INJECT_AT, tracer=tracer)))
        assert by in " ".join(text.split())


def test_the_record_holds_every_figure_under_a_name_with_its_unit(plan):
    record = plan_record(plan)
    assert record["schema"] == "bonescan-plan/1"
    assert record["prescription"]["activity_mbq"] == plan.prescription.activity_mbq
    assert record["appointment"]["inject_at"] == "2026-03-04 13:15"
    assert record["dose"]["effective_msv"]["value"] == plan.effective_msv.value
    assert (record["syringe"] is None) == (plan.syringe is None)
    assert len(record["remarks"]) == len(plan.remarks)
