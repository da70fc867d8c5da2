from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import sys
import threading
import tomllib
from pathlib import Path

import pytest

from bonescan import journeys
from bonescan.errors import NotABoneScan, OutputFailed, UnreadableInput
from bonescan.journeys import clinic
from bonescan.report.leaflet_after import RESULT_LEAFLET_NAMES
from bonescan.scan import ViewName

NEW = {"reading.json": b"{}", "report.html": b"<p>new</p>", "overlay_posterior.png": b"png"}


def contents(folder: Path) -> dict[str, bytes]:
    """All but the empty text for the physician, which tests/journeys/test_reports.py is about."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "report_text.toml"}


def an_earlier_reading(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    earlier = {"reading.json": b"earlier", "overlay_anterior.png": b"earlier", "notes.txt": b"the user's own"}
    for name, content in earlier.items():
        (folder / name).write_bytes(content)
    return earlier


def test_a_reading_gets_every_file_and_nothing_else(rooms, small_reading, tmp_path):
    out = tmp_path / "a" / "b"
    assert journeys.read([Path("x.dcm")], out) is small_reading
    assert contents(out) == NEW


def test_the_files_may_be_read_by_whoever_may_read_the_folder(rooms, tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    journeys.read([Path("x.dcm")], tmp_path / "out")
    modes = {path.stat().st_mode for path in (tmp_path / "out").iterdir()}
    assert modes == {(tmp_path / "plain").stat().st_mode}


def test_the_choices_reach_the_hospital_door(rooms, small_scan, tmp_path):
    asked = {}

    def open_scan(inputs, **settings):
        asked.update(inputs=inputs, **settings)
        return small_scan

    rooms.open_scan = open_scan
    journeys.read([Path("a"), Path("b")], tmp_path / "out", view=ViewName.ANTERIOR, flip=True, pixel_mm=2.4)
    assert asked == {
        "inputs": [Path("a"), Path("b")],
        "view": ViewName.ANTERIOR,
        "flip": True,
        "pixel_mm": 2.4,
        "leave_out": [tmp_path / "out" / name for name in journeys.OUTPUT_NAMES],
    }


def test_progress_tells_the_steps_in_order(rooms, small_reading, tmp_path):
    said = []

    def reading(scan, *, progress):
        progress("Fitting the skeleton")
        return small_reading

    rooms.read = reading
    journeys.read([Path("x.dcm")], tmp_path / "out", progress=said.append)
    assert said == ["Opening the files", "Fitting the skeleton", "Writing the report"]


def test_an_earlier_reading_goes_as_a_whole_and_other_files_stay(rooms, tmp_path):
    an_earlier_reading(tmp_path / "out")
    journeys.read([Path("x.dcm")], tmp_path / "out")
    # the anterior picture of the earlier scan must not stand beside the new report
    assert contents(tmp_path / "out") == {**NEW, "notes.txt": b"the user's own"}


def test_a_leaflet_signed_on_an_earlier_reading_does_not_stay_beside_a_newer_one(rooms, tmp_path):
    an_earlier_reading(tmp_path / "out")
    for name in RESULT_LEAFLET_NAMES:
        (tmp_path / "out" / name).write_bytes(b"signed")
    journeys.read([Path("x.dcm")], tmp_path / "out")
    assert contents(tmp_path / "out") == {**NEW, "notes.txt": b"the user's own"}


@pytest.mark.parametrize("room", ["open_scan", "read", "render"])
def test_a_failed_reading_leaves_the_earlier_one(rooms, room, tmp_path):
    earlier = an_earlier_reading(tmp_path / "out")

    def refuse(*arguments, **settings):
        raise NotABoneScan("This is a CT image.")

    setattr(rooms, room, refuse)
    with pytest.raises(NotABoneScan):
        journeys.read([Path("x.dcm")], tmp_path / "out")
    assert contents(tmp_path / "out") == earlier


def test_a_failed_reading_leaves_no_empty_folder(rooms, tmp_path):
    def refuse(scan, *, progress):
        raise KeyboardInterrupt

    rooms.read = refuse
    with pytest.raises(KeyboardInterrupt):
        journeys.read([Path("x.dcm")], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails_at", range(5))
def test_a_failure_at_any_move_puts_the_earlier_reading_back(rooms, monkeypatch, fails_at, tmp_path):
    # two earlier files leave and three new ones arrive: five moves, and each may be the one that fails
    earlier = an_earlier_reading(tmp_path / "out")
    replace, moves = os.replace, []

    def failing(source, target):
        moves.append(target)
        if len(moves) == fails_at + 1:
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(OutputFailed, match="may not write there"):
        journeys.read([Path("x.dcm")], tmp_path / "out")
    assert contents(tmp_path / "out") == earlier


def test_a_full_disk_is_one_sentence_and_loses_nothing(rooms, monkeypatch, tmp_path):
    earlier = an_earlier_reading(tmp_path / "out")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed, match="the disk is full; nothing that was there has changed") as caught:
        journeys.read([Path("x.dcm")], tmp_path / "out")
    assert caught.value.facts["errno"] == errno.ENOSPC
    assert contents(tmp_path / "out") == earlier


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(rooms, tmp_path):
    (tmp_path / "file").write_bytes(b"in the way")

    def work(scan, *, progress):
        pytest.fail("the scan was read although its results had no place")

    rooms.read = work
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputFailed, match="a file stands where a folder is needed"):
            journeys.read([Path("x.dcm")], out)
    assert (tmp_path / "file").read_bytes() == b"in the way"


def test_a_folder_named_like_an_output_is_never_removed(rooms, tmp_path):
    kept = tmp_path / "out" / "report.html"
    kept.mkdir(parents=True)
    (kept / "mine.txt").write_bytes(b"mine")
    with pytest.raises(OutputFailed, match="a folder stands where a file is needed"):
        journeys.read([Path("x.dcm")], tmp_path / "out")
    assert contents(kept) == {"mine.txt": b"mine"}
    assert list((tmp_path / "out").iterdir()) == [kept]


def test_write_file_replaces_a_file_or_leaves_it(monkeypatch, tmp_path):
    target = tmp_path / "made" / "run.json"
    journeys.write_file(target, b"one")
    journeys.write_file(target, b"two")
    assert contents(target.parent) == {"run.json": b"two"}

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed, match="the disk is full"):
        journeys.write_file(target, b"three")
    assert contents(target.parent) == {"run.json": b"two"}


def test_summary_says_the_main_results(small_reading):
    said = json.loads(json.dumps(journeys.summary(small_reading)))
    # every number stands in the fixture's own sentence
    assert said["views"] == {"posterior": {"counts": 2048, "identity_basis": "ViewCodeSequence"}}
    assert said["findings"] == {"bone": 1, "physiologic": 1, "artefact": 0}
    assert said["bone_scan_index_percent"] == {"value": 1.25, "uncertainty": 0.5, "unit": "%", "absent_reason": ""}
    assert said["quality"] == {"pass": 0, "warn": 1, "withhold": 0, "unknown": 0}
    assert [remark["severity"] for remark in said["remarks"]] == ["note", "warning"]


def test_manifest_lets_a_reading_be_checked(rooms, small_reading, tmp_path):
    journeys.read([Path("x.dcm")], tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_bytes(b"not of this reading")
    record = journeys.manifest(small_reading, tmp_path / "out", {"view": None})
    assert record["inputs"] == [{"sha256": hashlib.sha256(b"the file").hexdigest()}]
    assert {entry["name"]: entry["sha256"] for entry in record["outputs"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in NEW.items()
    }
    assert record["settings"] == {"view": None}
    assert {"bonescan", "python", "numpy", "pydicom", "skeleton"} <= record["versions"].keys()


def test_manifest_records_every_package_the_project_depends_on():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.match(r"[\w-]+", requirement).group() for requirement in project["dependencies"]}
    assert set(clinic._RECORDED_PACKAGES) == needed


@pytest.mark.parametrize("identity", ["Surname", "Given", "4711", "1.2.3.4.5"])
def test_summary_and_manifest_hold_no_identity(rooms, small_reading, identity, tmp_path):
    out = tmp_path / "Surname_Given"
    journeys.read([Path("Surname_Given.dcm")], out)
    assert identity not in json.dumps([journeys.summary(small_reading), journeys.manifest(small_reading, out, {})])


def test_demo_reads_the_real_scan(rooms, small_scan, tmp_path):
    opened = []

    def open_scan(inputs, **settings):
        opened.extend(inputs)
        return small_scan

    rooms.open_scan = open_scan
    readings = journeys.demo(tmp_path / "out")
    assert opened == [journeys.example_scan()]
    assert {name: contents(tmp_path / "out" / name) for name in readings} == {"real": NEW}


def test_without_the_example_scan_demo_says_what_to_install(monkeypatch, tmp_path):
    def missing(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(clinic.resources, "files", missing)
    with pytest.raises(UnreadableInput, match=r'pip install "bonescan\[demo\]"'):
        journeys.demo(tmp_path / "out")


def test_the_example_scan_is_nm1():
    # SHA-256 of JPEG-LL.dcm in pydicom's own hashes.json
    digest = hashlib.sha256(journeys.example_scan().read_bytes()).hexdigest()
    assert digest == "c9d000c75d92b143ce1c0421471a7e9a69c8996d98b2589e533e311615a10079"


def test_an_input_that_the_results_would_replace_is_refused(rooms, tmp_path):
    earlier = an_earlier_reading(tmp_path / "out")
    with pytest.raises(OutputFailed, match="would be lost"):
        journeys.read([tmp_path / "out" / "overlay_anterior.png"], tmp_path / "out")
    assert contents(tmp_path / "out") == earlier


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_two_runs_into_one_folder_do_not_mix(rooms, monkeypatch, tmp_path):
    # the first run stops in the middle of its moves; the second one must wait for it to end
    replace, second = os.replace, []

    def slow(source, target):
        replace(source, target)
        if not second:
            second.append(threading.Thread(target=journeys.read, args=([Path("x.dcm")], tmp_path / "out")))
            rooms.render = lambda finished, *told: dict.fromkeys(NEW, b"second")
            second[0].start()
            second[0].join(0.3)
            assert second[0].is_alive()

    monkeypatch.setattr(os, "replace", slow)
    journeys.read([Path("x.dcm")], tmp_path / "out")
    second[0].join()
    assert set(contents(tmp_path / "out").values()) == {b"second"}
