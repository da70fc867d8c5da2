from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from bonescan import cli, journeys
from bonescan.cli import terminal
from bonescan.journeys import files
from bonescan.report.sheets import SHEET_NAMES
from bonescan.tracer import Referral


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Type ``bonescan plan`` in an empty folder: its exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BONESCAN_DEBUG", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["plan", *words])
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return run


def test_a_weight_is_enough_for_a_plan(run):
    status, out, err = run("--weight-kg", "70")
    assert (status, err) == (0, "")
    assert re.search(r"Activity +500 MBq", out)
    assert re.search(r"\d+ days of natural background", out)
    assert terminal.NOT_A_DEVICE.split(":")[0] in out
    assert list(Path().iterdir()) == []  # nothing is written unasked


def test_both_sheets_are_written_where_asked_and_other_files_stay(run):
    Path("plan").mkdir()
    Path("plan/notes.txt").write_text("mine")
    status, out, err = run("--weight-kg", "70", "--inject-at", "09:00", "-o", "plan")
    assert status == 0
    assert sorted(path.name for path in Path("plan").iterdir()) == sorted([*SHEET_NAMES, "notes.txt"])
    assert Path("plan/plan_department.txt").read_text(encoding="utf-8") == out
    assert Path("plan/plan_patient.pdf").read_bytes().startswith(b"%PDF")
    assert "Sheets for the department and the patient are in plan" in err


def test_a_vial_of_last_night_is_decayed_across_midnight(run):
    words = ("--inject-at", "2026-03-04 06:00", "--vial-mbq", "8000", "--vial-ml", "8", "--vial-at", "23:59")
    said = json.loads(run("--weight-kg", "70", *words, "--json")[1])
    assert said["vial"]["calibrated_at"] == "2026-03-03 23:59"
    # 6 h 1 min are one half-life of Tc-99m (6.007 h): 500 MBq of 500 MBq/ml
    assert said["syringe"]["volume_ml"] == pytest.approx(1.0, rel=0.005)


def test_every_choice_reaches_the_plan(run, monkeypatch):
    asked = {}
    plain = journeys.plan

    def remember(referral, **settings):
        asked.update(referral=referral, **settings)
        return plain(referral, **settings)

    monkeypatch.setattr(journeys, "plan", remember)
    status, out, err = run(
        "--weight-kg", "64", "--age", "31", "--height-cm", "170", "--sex", "female", "--tracer", "HDP",
        "--guideline", "SNMMI", "--activity-mbq", "800", "--inject-at", "2026-03-04 09:00", "--image-at", "12:30",
        "--vial-mbq", "6000", "--vial-ml", "5", "--vial-at", "06:30", "--residual-percent", "8", "--breastfeeding",
        "--dialysis", "--previous-mbq", "600", "--previous-at", "10:00", "--previous-tracer", "MDP", "-o", "plan", "-q",
        "--language", "es",
    )  # fmt: skip
    assert (status, out, err) == (0, "", "")
    referral = asked.pop("referral")
    assert isinstance(referral, Referral)
    assert (referral.mass_kg, referral.age_years, referral.height_cm, referral.sex) == (64, 31, 170, "female")
    assert (referral.pregnant, referral.breastfeeding, referral.dialysis) == (False, True, True)
    assert referral.previous.tracer == "Tc-99m MDP"
    assert referral.previous.injected_at == datetime(2026, 3, 3, 10, 0)  # yesterday: today it would lie after
    assert asked == {
        "inject_at": datetime(2026, 3, 4, 9, 0),
        "tracer": "Tc-99m HDP",
        "guideline": "SNMMI",
        "activity_mbq": 800,
        "image_at": datetime(2026, 3, 4, 12, 30),
        "vial_mbq": 6000,
        "vial_ml": 5,
        "vial_at": datetime(2026, 3, 4, 6, 30),
        "residual_percent": 8,
        "out": Path("plan"),
        "language": "es",
    }
    assert "Su gammagrafía" in Path("plan/plan_patient.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--weight-kg", "0"], "Body weight is 1 to 350 kg, got 0."),
        (["--weight-kg", "nan"], "Body weight is 1 to 350 kg, got nan."),
        (["--weight-kg", "30"], "give the age"),
        (["--weight-kg", "70", "--age", "400"], "Age is 0 to 120 years"),
        (["--weight-kg", "70", "--height-cm", "1.8"], "Height is 30 to 250 cm"),
        (["--weight-kg", "70", "--inject-at", "25:00"], "A time is written HH:MM"),
        (["--weight-kg", "70", "--inject-at", "9 o'clock"], "A time is written HH:MM"),
        (["--weight-kg", "70", "--vial-mbq", "6000"], "give all three or none"),
        (["--weight-kg", "70", "--vial-mbq", "300", "--vial-ml", "5", "--vial-at", "09:00", "--inject-at", "09:00"],
         "The vial will hold only 300 MBq"),
        (["--weight-kg", "70", "--vial-mbq", "3000", "--vial-ml", "0", "--vial-at", "09:00"], "The vial's volume is"),
        (["--weight-kg", "70", "--sex", "male", "--pregnant"], "check the sex"),
        (["--weight-kg", "70", "--activity-mbq", "-5"], "Activity is 1 to 2000 MBq"),
        (["--weight-kg", "70", "--residual-percent", "8"], "needs a vial"),
        (["--weight-kg", "70", "--vial-mbq", "3000", "--vial-ml", "5", "--vial-at", "09:00", "--inject-at", "09:00",
          "--residual-percent", "90"], "0 to 50 %"),
        (["--weight-kg", "20", "--age", "5", "--guideline", "label"], "choose EANM or SNMMI"),
        (["--weight-kg", "70", "--previous-mbq", "0", "--previous-at", "08:00"], "above 0"),
    ],
)  # fmt: skip
def test_a_bad_value_is_one_clear_sentence_and_exit_1(run, words, told):
    status, out, err = run(*words, "-o", "plan")
    assert (status, out) == (1, "")
    assert err.startswith("bonescan: ")
    assert told in err
    assert err.count("\n") == 1
    assert not Path("plan").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--weight-kg"),
        (["--weight-kg", "heavy"], "--weight-kg"),
        (["--weight-kg", "70", "--guideline", "IAEA"], "IAEA"),
        (["--weight-kg", "70", "--tracer", "PYP"], "PYP"),
        (["--weight-kg", "70", "--sex", "x"], "--sex"),
        (["--weight-kg", "70", "--previous-mbq", "600"], "--previous-at"),
    ],
)
def test_a_wrong_call_is_exit_2_and_names_what_is_wrong(run, words, told):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert told in err


def test_a_place_that_cannot_be_written_is_one_sentence(run):
    Path("plan").write_text("a file")
    status, _, err = run("--weight-kg", "70", "-o", "plan")
    assert status == 1
    assert "Could not write to" in err


def test_help_teaches_with_examples(run):
    status, out, _ = run("--help")
    assert status == 0
    assert "Examples:\n    bonescan plan" in out


def test_sheets_come_together_or_not_at_all(run):
    assert run("--weight-kg", "70", "--inject-at", "09:00", "-o", "plan")[0] == 0
    before = {path.name: path.read_bytes() for path in Path("plan").iterdir()}
    Path("plan/plan_patient.txt").unlink()
    Path("plan/plan_patient.txt").mkdir()  # the last sheet's place is taken
    Path("plan/report.pdf").write_text("a reading's, not ours")
    status, out, err = run("--weight-kg", "90", "--inject-at", "10:00", "-o", "plan")
    assert (status, out) == (1, "")
    assert "nothing that was there has changed" in err
    assert sorted(path.name for path in Path("plan").iterdir()) == sorted([*before, "report.pdf"])
    for name in set(before) - {"plan_patient.txt"}:
        assert Path("plan", name).read_bytes() == before[name]
    Path("plan/plan_patient.txt").rmdir()
    assert run("--weight-kg", "90", "--inject-at", "10:00", "-o", "plan")[0] == 0
    assert Path("plan/report.pdf").read_text() == "a reading's, not ours"


def test_a_full_disk_leaves_no_empty_folder(run, monkeypatch):
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write", full)
    status, _, err = run("--weight-kg", "70", "-o", "plan")
    assert status == 1
    assert "the disk is full" in err
    assert not Path("plan").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["--weight-kg", "inf"],
        ["--weight-kg", "1e400"],
        ["--weight-kg", "70", "--age", "-0.1"],
        ["--weight-kg", "70", "--height-cm", "nan"],
        ["--weight-kg", "70", "--activity-mbq", "nan"],
        ["--weight-kg", "70", "--inject-at", ""],
        ["--weight-kg", "70", "--inject-at", "24:00"],
        ["--weight-kg", "70", "--inject-at", "9:5"],
        ["--weight-kg", "70", "--inject-at", "2026-02-30 09:00"],
        ["--weight-kg", "70", "--inject-at", "0000-01-01 00:00"],
        ["--weight-kg", "70", "--inject-at", "\udcff"],
        ["--weight-kg", "70", "--inject-at", "2026-03-01 09:00", "--image-at", "09:00"],
        ["--weight-kg", "70", "--inject-at", "2026-03-01 09:00", "--image-at", "2199-12-31 23:59"],
        ["--weight-kg", "70", "--vial-mbq", "nan", "--vial-ml", "5", "--vial-at", "09:00"],
        ["--weight-kg", "70", "--previous-mbq", "nan", "--previous-at", "2026-01-01 09:00"],
        ["--weight-kg", "70", "--age", "9", "--breastfeeding"],
    ],
)
def test_nonsense_leaves_one_line_nothing_on_stdout_and_nothing_on_disk(run, words):
    status, out, err = run(*words, "--json", "-o", "plan")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "should have foreseen" not in err
    assert not Path("plan").exists()
