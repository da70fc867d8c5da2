"""From files to the folder of a comparison, with rooms that answer at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from tests.report.pair import compared, study

import bonescan.followup
import bonescan.report.comparison
from bonescan import cli, dicom, journeys, reading
from bonescan.errors import InvalidValue, LabellingFailed, OutputFailed
from bonescan.followup.model import Study
from bonescan.scan import PatientFacts, Source

DAYS = {"a.dcm": (8, date(2021, 1, 4)), "b.dcm": (10, date(2021, 3, 15)), "c.dcm": (12, date(2021, 5, 17))}


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Study]:
    """Three studies of one person by the name of their file, opened, read and compared at once."""
    made = {}
    for name, (count, day) in DAYS.items():
        one = study(count, day)
        sources = (Source(file_name=name, sha256=name[0] * 64),)
        made[name] = replace(one, reading=replace(one.reading, scan=replace(one.reading.scan, sources=sources)))
        (tmp_path / name).write_bytes(b"drawn")

    def read(scan, **_):
        return next(one.reading for one in made.values() if one.scan.sources == scan.sources)

    monkeypatch.setattr(dicom, "open_scan", lambda inputs, **_: made[inputs[0].name].scan)
    monkeypatch.setattr(reading, "read", read)
    monkeypatch.setattr(bonescan.followup, "compare", compared)
    return made


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are set at once, for tests that are not about them."""
    files = dict.fromkeys(journeys.COMPARISON_NAMES, b"page")
    monkeypatch.setattr(bonescan.report.comparison, "render_comparison", lambda series, code="en": files)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main([str(word) for word in words])
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def rename(scans: dict[str, Study], name: str, patient: PatientFacts) -> None:
    one = scans[name]
    scans[name] = replace(one, reading=replace(one.reading, scan=replace(one.reading.scan, patient=patient)))


def test_studies_in_any_order_end_in_one_folder(scans, tmp_path, run):
    out = tmp_path / "out"
    words = [tmp_path / name for name in ("c.dcm", "a.dcm", "b.dcm")]
    code, said, _ = run("compare", *words, "-o", out, "--treatment-start", "2021-01-10", "--json", "-q")
    assert code == 0
    told = json.loads(said)
    assert [scan["on"] for scan in told["scans"]] == ["2021-01-04", "2021-03-15", "2021-05-17"]
    assert told["pcwg3"]["state"] == "confirmed_PD"
    assert told["pcwg3"]["progressed_on"] == "2021-03-15"
    assert set(told["outputs"]) == set(journeys.COMPARISON_NAMES) == {path.name for path in out.iterdir()}
    assert "Doe" not in said
    assert "D-0017" not in said


def test_in_words_and_with_a_manifest_that_names_nobody(scans, unwritten, tmp_path, run):
    record = tmp_path / "run.json"
    code, said, _ = run("compare", tmp_path / "a.dcm", tmp_path / "b.dcm", "-o", tmp_path / "out", "--manifest", record)
    assert code == 0
    assert "2 new" in said
    assert "unconfirmed" in said
    assert "start of treatment is not told" in said
    held = json.loads(record.read_text())
    assert held["settings"]["command"] == "compare"
    assert [one["sha256"] for one in held["inputs"]] == ["a" * 64, "b" * 64]
    assert {one["name"] for one in held["outputs"]} == set(journeys.COMPARISON_NAMES)
    assert "Doe" not in record.read_text()


@pytest.mark.parametrize(
    ("patient", "differs"),
    [
        (PatientFacts(name="Doe^Jane", patient_id="D-9999"), "patient ID"),
        (PatientFacts(name="Roe^Jane", patient_id="D-0017"), "name"),
        (PatientFacts(name="Doe^Jane", patient_id="D-0017", birth_date=date(1951, 2, 1)), "birth date"),
        (PatientFacts(name="Doe^Jane", patient_id="D-0017", sex="M"), "sex"),
    ],
)
def test_another_person_is_refused_without_quoting_anybody_unless_told(
    scans, unwritten, tmp_path, run, patient, differs
):
    rename(scans, "b.dcm", patient)
    words = ["compare", tmp_path / "a.dcm", tmp_path / "b.dcm", "-o", tmp_path / "out", "-q"]
    code, _, error = run(*words)
    assert code == 1
    assert differs in error
    assert "--same-person" in error
    assert "Roe" not in error
    assert "9999" not in error
    assert not (tmp_path / "out").exists()
    assert run(*words, "--same-person")[0] == 0


@pytest.mark.parametrize(
    "patient",
    [
        PatientFacts(),  # an anonymous file differs from nobody
        PatientFacts(name="DOE^JANE^", patient_id=" d-0017 "),  # typed another way
        PatientFacts(name="Doe Jane", patient_id="D-0017", sex="f"),
    ],
)
def test_the_same_person_written_otherwise_is_the_same_person(scans, unwritten, tmp_path, patient):
    rename(scans, "b.dcm", patient)
    journeys.compare_studies([tmp_path / "a.dcm", tmp_path / "b.dcm"], tmp_path / "out")
    assert (tmp_path / "out" / "comparison.html").is_file()


def test_a_file_without_a_name_does_not_hide_that_two_others_differ(scans, tmp_path):
    rename(scans, "a.dcm", PatientFacts())
    rename(scans, "c.dcm", PatientFacts(name="Roe^Jane", patient_id="D-0017"))
    with pytest.raises(InvalidValue, match="Inputs 2 and 3 differ in name"):
        journeys.compare_studies([tmp_path / name for name in scans], tmp_path / "out")


def test_a_scan_is_not_compared_with_itself(scans, tmp_path):
    with pytest.raises(InvalidValue, match="same files"):
        journeys.compare_studies([tmp_path / "a.dcm", tmp_path / "a.dcm"], tmp_path / "out")


def resource(scans: dict[str, Study], name: str, *sources: Source) -> None:
    one = scans[name]
    scans[name] = replace(one, reading=replace(one.reading, scan=replace(one.reading.scan, sources=sources)))


@pytest.mark.parametrize(
    "shared",
    [
        Source(file_name="x.dcm", sha256="a" * 64, sop_instance_uid="1.2.7"),  # a view alone, given again
        Source(file_name="y.dcm", sha256="e" * 64, sop_instance_uid="1.2.7"),  # the same image, compressed anew
    ],
)
def test_a_scan_is_not_compared_with_a_part_or_a_copy_of_itself(scans, tmp_path, shared):
    first = Source(file_name="a.dcm", sha256="a" * 64, sop_instance_uid="1.2.7")
    resource(scans, "a.dcm", first, Source(file_name="post.dcm", sha256="f" * 64, sop_instance_uid="1.2.8"))
    resource(scans, "c.dcm", shared)
    with pytest.raises(InvalidValue, match="Inputs 1 and 3 are the same files"):
        journeys.compare_studies([tmp_path / name for name in ("a.dcm", "b.dcm", "c.dcm")], tmp_path / "out")


def test_two_people_behind_a_scan_without_a_name_are_told_apart(scans, tmp_path):
    rename(scans, "a.dcm", PatientFacts())
    rename(scans, "b.dcm", PatientFacts(patient_id="D-0017"))
    rename(scans, "c.dcm", PatientFacts(patient_id="D-9999"))
    with pytest.raises(InvalidValue, match="Inputs 2 and 3 differ in patient ID"):
        journeys.compare_studies([tmp_path / name for name in ("a.dcm", "b.dcm", "c.dcm")], tmp_path / "out")


def test_one_study_is_a_wrong_call_and_for_python_an_error(scans, tmp_path, run):
    code, _, error = run("compare", tmp_path / "a.dcm", "-o", tmp_path / "out")
    assert code == 2
    assert "two studies" in error
    with pytest.raises(InvalidValue, match="two studies"):
        journeys.compare_studies([tmp_path / "a.dcm"], tmp_path / "out")


@pytest.mark.parametrize("option", ["--treatment-start", "--injury"])
def test_a_date_that_is_none_is_a_wrong_call(scans, tmp_path, run, option):
    code, _, error = run("compare", tmp_path / "a.dcm", tmp_path / "b.dcm", "-o", tmp_path / "out", option, "10.1.21")
    assert code == 2
    assert "%Y-%m-%d" in error


def test_what_fails_leaves_the_earlier_comparison_and_other_files(scans, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "comparison.html").write_text("earlier")
    (out / "notes.txt").write_text("mine")

    def fails(*_, **__):
        raise LabellingFailed("No skeleton.")

    monkeypatch.setattr(reading, "read", fails)
    with pytest.raises(LabellingFailed):
        journeys.compare_studies([tmp_path / "a.dcm", tmp_path / "b.dcm"], out)
    assert {path.name: path.read_text() for path in out.iterdir()} == {
        "comparison.html": "earlier", "notes.txt": "mine",
    }  # fmt: skip


def test_inputs_that_lie_where_results_go_are_refused(scans, tmp_path):
    place = tmp_path / "comparison.png"
    place.write_bytes(b"x")
    with pytest.raises(OutputFailed, match="would be lost"):
        journeys.compare_studies([place, tmp_path / "b.dcm"], tmp_path)


def test_dicom_results_of_pictures_are_refused_before_the_work(scans, monkeypatch, tmp_path, run):
    monkeypatch.setattr(reading, "read", lambda *a, **k: pytest.fail("was read all the same"))
    code, _, error = run("compare", tmp_path / "a.dcm", tmp_path / "b.dcm", "-o", tmp_path / "out", "--dicom")
    assert code == 1
    assert "without --dicom" in error
    assert not (tmp_path / "out").exists()


def test_dicom_results_lie_beside_the_pages_and_go_with_the_next_comparison(
    scans, unwritten, tmp_path, run, monkeypatch
):
    for name, one in scans.items():
        sources = (replace(one.scan.sources[0], sop_instance_uid=f"1.2.{ord(name[0])}"),)
        scans[name] = replace(one, reading=replace(one.reading, scan=replace(one.reading.scan, sources=sources)))
    asked = []
    monkeypatch.setattr(dicom, "find_objects", lambda inputs, sources: asked.extend(one.file_name for one in sources))
    monkeypatch.setattr(dicom, "write_comparison", lambda series, objects, **_: {"comparison_sr.dcm": b"sr"})
    out = tmp_path / "out"
    words = ["compare", tmp_path / "a.dcm", tmp_path / "b.dcm", "-o", out, "--json"]
    code, said, _ = run(*words, "--dicom")
    assert code == 0
    assert asked == ["b.dcm", "a.dcm"]  # the current study, to which they belong, first
    assert "dicom_results/comparison_sr.dcm" in json.loads(said)["outputs"]
    assert run(*words)[0] == 0
    assert not (out / "dicom_results").exists()


def test_readings_of_an_archive_are_compared_without_being_read_anew(scans, unwritten, tmp_path, monkeypatch):
    import bonescan.journeys.revising

    monkeypatch.setattr(bonescan.journeys.revising, "stored_reading", lambda files, folder: scans[folder.name].reading)
    monkeypatch.setattr(reading, "read", lambda *_: pytest.fail("nothing is read anew"))
    given = [([tmp_path / name], tmp_path / name) for name in ("a.dcm", "b.dcm", "c.dcm")]
    series = journeys.compare_readings(given, tmp_path / "out")
    assert [study.on for study in series.studies] == [DAYS[name][1] for name in DAYS]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*journeys.COMPARISON_NAMES, journeys.MAPS_NAME}
    with pytest.raises(InvalidValue, match="another order"):
        journeys.compare_readings(given[::-1], tmp_path / "other")
    with pytest.raises(InvalidValue, match="same files"):
        journeys.compare_readings([given[0], given[0]], tmp_path / "other")
    assert not (tmp_path / "other").exists()
