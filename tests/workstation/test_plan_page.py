"""The appointment over HTTP: the same plan as the command's, its sheets, what is wrong said, and nothing kept."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from bonescan.report.sheets import plan_record
from bonescan.tracer.appointment import Referral
from bonescan.tracer.plan import plan_study

ASKED = {
    "weight_kg": "64",
    "inject_at": "2026-11-24T09:00",
    "sex": "female",
    "age_years": "31",
    "breastfeeding": "true",
}


def test_the_plan_is_the_commands(browser):
    """Witness: `plan_study`, which the command line asks too."""
    wanted = plan_study(
        Referral(mass_kg=64, age_years=31, sex="female", breastfeeding=True), inject_at=datetime(2026, 11, 24, 9)
    )
    answer = browser("researcher").get("/api/v1/plan", params=ASKED).json()
    assert answer["plan"] == json.loads(json.dumps(plan_record(wanted)))
    assert next(card["value"] for card in answer["sheet"]["cards"]) == f"{wanted.prescription.activity_mbq:.0f} MBq"


@pytest.mark.parametrize("language", ["de", "zh"])
def test_the_leaflet_comes_in_every_language(browser, language):
    answer = browser("technologist").get("/api/v1/plan/plan_patient.txt", params=ASKED | {"language": language})
    word = {"de": "Knochen-Scan", "zh": "骨"}[language]
    assert word.lower() in answer.text.lower()


def test_sheets_are_pdfs_that_a_browser_shows(browser):
    someone = browser("technologist")
    answer = someone.get("/api/v1/plan/plan_department.pdf", params=ASKED)
    assert answer.content.startswith(b"%PDF")
    assert "sandbox" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert someone.get("/api/v1/plan/passwd", params=ASKED).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight_kg": "nan"},
        {"weight_kg": "-1"},
        {"weight_kg": "20", "age_years": ""},  # a child without an age
        {"inject_at": "9999-12-31T23:59"},
        {"inject_at": "2026-11-24T09:00+02:00"},
        {"image_at": "2026-11-24T08:00"},
        {"vial_mbq": "6000"},
        {"previous_mbq": "600"},
        {"previous_mbq": "600", "previous_at": "2026-11-20T09:00", "previous_tracer": "water"},
        {"language": "xx"},
        {"name": "Doe"},
        {"sex": "male"},  # who breast-feeds
    ],
)
def test_what_cannot_be_planned_is_said_in_a_sentence(browser, wrong):
    asked = {name: value for name, value in (ASKED | wrong).items() if value}
    answer = browser("technologist").get("/api/v1/plan", params=asked)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].endswith(".")


def test_nothing_of_a_plan_is_kept(browser, workstation, archive, caplog):
    """Neither in the audit trail, nor in the log, nor in the index."""
    from bonescan.archive import audit

    with caplog.at_level("INFO", logger="bonescan.workstation"):
        browser("technologist").get("/api/v1/plan", params=ASKED | {"weight_kg": "63.717"})
    rows = [str(one.detail) + one.subject for one in audit.entries(archive.database)]
    assert not any("63.717" in row for row in rows)
    assert "63.717" not in caplog.text
