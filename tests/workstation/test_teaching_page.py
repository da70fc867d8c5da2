"""Scans for teaching: one order at a time, bounded in time and number, each student's own, gone with the process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bonescan.journeys.teaching import Lesson, taught_scan
from bonescan.workstation.people import Account, Role
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.teaching import Lessons

STAND_IN = """
import json, pathlib, sys, time
for line in sys.stdin:
    wanted = json.loads(line)
    folder = pathlib.Path(wanted["out"])
    print(json.dumps({"step": "one"}), flush=True)
    if wanted["do"] == "read":
        (folder / "reading.json").write_text('{"findings": []}')
        print(json.dumps({"done": {}}), flush=True)
        continue
    seed = wanted["lesson"]["seed"]
    if seed == 1:
        time.sleep(60)
    if seed == 2:
        sys.exit(3)
    if seed == 3:
        print(json.dumps({"failed": "It cannot be."}), flush=True)
        continue
    folder.mkdir()
    (folder / "view_anterior.bin").write_bytes(bytes(8))
    (folder / "lesions_anterior.bin").write_bytes(bytes(4))
    view = {"name": "anterior", "rows": 2, "columns": 2, "row_spacing_mm": 1, "column_spacing_mm": 1, "largest": 0}
    print(json.dumps({"done": {"views": [view], "truth": {"quick": wanted["spacing_mm"] > 5}}}), flush=True)
"""


@pytest.fixture
def lessons(tmp_path: Path):
    file = tmp_path / "stand_in.py"
    file.write_text(STAND_IN, encoding="utf-8")
    made = Lessons((sys.executable, "-S", str(file)), longest_s={"scan": 20.0, "read": 20.0})
    yield made
    made.stop()


def student(name: str) -> Account:
    return Account(name=name, role=Role.RESEARCHER, active=True, made_at="", changed_at="")


ADA, BOB, EVE = (student(name) for name in ("Ada", "Bob", "Eve"))


def ended(lessons: Lessons, who: Account, number: str) -> dict:
    while (told := lessons.state(who, number))["state"] == "working":
        time.sleep(0.01)
    return told


def test_a_scan_is_made_looked_at_and_read(lessons):
    number = lessons.scan(ADA, Lesson(scenario="normal", seed=9), quick=True)["id"]
    told = ended(lessons, ADA, number)
    assert (told["state"], told["truth"]) == ("done", {"quick": True})
    view, content = lessons.picture(ADA, number, "anterior", "counts")
    assert (view["rows"], len(content)) == (2, 8)
    assert len(lessons.picture(ADA, number, "anterior", "lesions")[1]) == 4
    lessons.read(ADA, number)
    assert ended(lessons, ADA, number)["reading"] == {"findings": []}


def test_one_order_at_a_time_and_few_students_at_once(lessons):
    """Teaching cannot exhaust the machine: neither one student's many orders nor many students' processes."""
    for who in (ADA, BOB):
        lessons.scan(who, Lesson(scenario="normal", seed=1), quick=True)
        with pytest.raises(Refusal) as refused:
            lessons.scan(who, Lesson(scenario="normal", seed=9), quick=True)
        assert refused.value.status == 429
    with pytest.raises(Refusal) as refused:
        lessons.scan(EVE, Lesson(scenario="normal", seed=9), quick=True)
    assert (refused.value.status, refused.value.code) == (503, "busy")


def test_what_takes_too_long_is_ended_and_the_next_begins_anew(tmp_path):
    file = tmp_path / "stand_in.py"
    file.write_text(STAND_IN, encoding="utf-8")
    lessons = Lessons((sys.executable, "-S", str(file)), longest_s={"scan": 0.3, "read": 20.0})
    try:
        number = lessons.scan(ADA, Lesson(scenario="normal", seed=1), quick=True)["id"]
        told = ended(lessons, ADA, number)
        assert told["state"] == "failed"
        assert "longer" in told["reason"]
        again = lessons.scan(ADA, Lesson(scenario="normal", seed=1), quick=True)
        assert again["id"] != number
    finally:
        lessons.stop()


def test_a_crash_is_told_and_the_next_begins_anew(lessons):
    told = ended(lessons, ADA, lessons.scan(ADA, Lesson(scenario="normal", seed=2), quick=True)["id"])
    assert (told["state"], told["reason"][:14]) == ("failed", "The simulation")
    assert (
        ended(lessons, ADA, lessons.scan(ADA, Lesson(scenario="normal", seed=9), quick=True)["id"])["state"] == "done"
    )
    told = ended(lessons, ADA, lessons.scan(ADA, Lesson(scenario="normal", seed=3), quick=True)["id"])
    assert (told["state"], told["reason"]) == ("failed", "It cannot be.")


def test_nobody_sees_anothers_scan_and_nothing_outlives_its_process(lessons):
    number = lessons.scan(ADA, Lesson(scenario="normal", seed=9), quick=True)["id"]
    ended(lessons, ADA, number)
    (folder,) = [one._folder for one in lessons._students.values()]
    assert (folder / number).is_dir()
    for ask in (lessons.state, lessons.read):
        with pytest.raises(Refusal) as refused:
            ask(BOB, number)
        assert refused.value.status == 404
    lessons.stop()
    assert not folder.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"scenario": "../../etc/passwd"}, {"scenario": "x.toml"}, {"seed": -1}, {"age_years": 3}, {"time_h": 1e9},
     {"distance_mm": "nan"}, {"counts": 1e12}, {"speed_cm_per_min": 0}, {"histories": 10**12}],
)  # fmt: skip
def test_a_lesson_beyond_its_limits_is_refused_before_any_work(browser, workstation, wrong):
    answer = browser("researcher").post("/api/v1/teaching/scans", json={"scenario": "normal"} | wrong)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].endswith(".")
    assert not workstation.rooms.lessons._students


def test_scenarios_are_the_packaged_ones(browser):
    from bonescan.patient import scenario_names

    said = browser("researcher").get("/api/v1/teaching/scenarios").json()
    assert {one["name"] for one in said["scenarios"]} <= set(scenario_names())
    assert len(said["scenarios"]) > 40
    assert said["limits"]["time_h"] == [0.5, 24.0]


def test_sliders_do_what_physics_says():
    """One body in coarse voxels: twice the activity twice the counts, half of them a half-life later at most (voiding
    takes more), a camera farther away blurs and loses no counts to speak of; lesions times 0 leave nothing to see."""
    spacing_mm = 12.0
    lesson = Lesson(scenario="single_metastasis", seed=600, activity_mbq=400, time_h=3)

    def seen(**changes: object):
        from dataclasses import replace

        return taught_scan(replace(lesson, **changes), spacing_mm=spacing_mm)

    first = seen()
    total = float(first.views["anterior"].sum())
    # Poisson noise of a million counts is 0.1 %; 1 % is ten standard deviations
    assert float(seen(activity_mbq=800).views["anterior"].sum()) == pytest.approx(2 * total, rel=0.01)
    assert float(seen(time_h=9.0067).views["anterior"].sum()) < 0.52 * total
    assert first.lesions["anterior"].max() == 1
    none = seen(contrast_times=0.0)
    assert none.facts["lesions"][0]["contrast"] == pytest.approx(1.0, abs=0.15)
    far = seen(distance_mm=200.0)
    assert float(far.views["anterior"].sum()) == pytest.approx(total, rel=0.05)
    assert _roughness(far.views["anterior"]) < 0.95 * _roughness(first.views["anterior"])
    assert first.facts["person"] == far.facts["person"]
    json.dumps(first.facts)


def _roughness(counts: np.ndarray) -> float:
    """Mean step between neighbours beyond a blur of noise: sums of 4 x 4 pixels."""
    coarse = counts[: counts.shape[0] // 4 * 4, : counts.shape[1] // 4 * 4].astype(float)
    coarse = coarse.reshape(coarse.shape[0] // 4, 4, -1, 4).sum(axis=(1, 3))
    return float(np.abs(np.diff(coarse, axis=1)).sum() / coarse.sum())
