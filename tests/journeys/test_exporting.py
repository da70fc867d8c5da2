"""What leaves with a reading: its DICOM objects in a folder of their own, and nobody's identity where none shall."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle
from tests.dicom.results.studies import Study, little_study, png

from bonescan import dicom, journeys
from bonescan.dicom.opening import open_scan
from bonescan.dicom.results import RESULT_NAMES
from bonescan.errors import InvalidValue
from bonescan.journeys import DICOM_FOLDER
from bonescan.scan import Source


@pytest.fixture
def one(rooms) -> Study:
    """The rooms answer with a study whose files are on the disk."""
    made = little_study()
    rooms.open_scan = lambda inputs, **settings: made.reading.scan
    rooms.read = lambda scan, *, progress: replace(made.reading, scan=scan)
    rooms.render = lambda reading, *told: {
        "reading.json": (reading.scan.patient.name or "").encode(),
        "report.pdf": b"%PDF-1.7",
        **{f"overlay_{view.name}.png": png() for view in reading.scan.views},
    }
    return made


@pytest.fixture
def source(one, tmp_path) -> Path:
    ((name, content),) = one.sources.items()
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


def names(out: Path) -> set[str]:
    return {path.name for path in (out / DICOM_FOLDER).iterdir()}


def test_the_objects_lie_in_a_folder_beside_the_report(source, tmp_path):
    out = tmp_path / "out"
    journeys.read([source], out, dicom_results=True)
    assert names(out) == set(RESULT_NAMES)
    assert {path.name for path in out.iterdir()} >= {"reading.json", "report.pdf", DICOM_FOLDER}
    assert journeys.dicom_names(out) == tuple(sorted(f"{DICOM_FOLDER}/{name}" for name in RESULT_NAMES))


def test_without_being_asked_nothing_is_written_and_what_an_earlier_reading_left_goes(source, tmp_path):
    out = tmp_path / "out"
    journeys.read([source], out, dicom_results=True)
    journeys.read([source], out)
    assert not (out / DICOM_FOLDER).exists()


def test_de_identified_results_bring_the_images_they_refer_to(source, tmp_path):
    out = tmp_path / "out"
    reading = journeys.read([source], out, dicom_results=True, deidentify=True)
    assert names(out) == {*RESULT_NAMES, "source_1.dcm"}
    assert (out / "reading.json").read_text() == reading.scan.patient.name != "Müller^Jürgen"
    assert "dicom.deidentified" in {remark.code for remark in reading.scan.remarks}
    copy = open_scan([out / DICOM_FOLDER / "source_1.dcm"])
    frames = dicom.find_sources([out / DICOM_FOLDER / "source_1.dcm"], copy)
    content = (out / DICOM_FOLDER / "seg_regions_anterior.dcm").read_bytes()
    assert str(frames[0].dataset.SOPInstanceUID).encode() in content


def test_two_runs_cannot_be_linked(source, tmp_path):
    first, second = (journeys.read([source], tmp_path / name, deidentify=True) for name in ("a", "b"))
    assert first.scan.study_uid != second.scan.study_uid
    assert first.scan.patient != second.scan.patient


def test_pictures_have_no_dicom_results_and_say_so_before_the_work(one, rooms, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png())
    picture = Source(file_name="a.png", sha256=hashlib.sha256(png()).hexdigest())
    rooms.open_scan = lambda inputs, **settings: replace(one.reading.scan, sources=(picture,))
    rooms.read = lambda scan, *, progress: pytest.fail("was read all the same")
    with pytest.raises(InvalidValue, match="opened from pictures"):
        journeys.read([path], tmp_path / "out", dicom_results=True)
    assert not (tmp_path / "out").exists()


def test_the_manifest_lists_the_objects(source, tmp_path):
    out = tmp_path / "out"
    reading = journeys.read([source], out, dicom_results=True)
    listed = {entry["name"] for entry in journeys.manifest(reading, out, {})["outputs"]}
    assert listed >= {f"{DICOM_FOLDER}/{name}" for name in RESULT_NAMES}


def test_results_in_the_folder_that_is_read_are_left_out(source, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(dicom, "open_phases", lambda inputs, *, leave_out, **_: seen.extend(p.name for p in leave_out))
    journeys.read_study([source], tmp_path, dicom_results=True)
    journeys.read_study([source], tmp_path, dicom_results=True)
    assert set(RESULT_NAMES) <= set(seen)


def test_the_command_line_asks_for_both(source, tmp_path, monkeypatch, capsys):
    from bonescan.cli import main

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "compiled"))
    out = tmp_path / "out"
    monkeypatch.setattr(
        "sys.argv", ["bonescan", "read", str(source), "-o", str(out), "--dicom", "--deidentify", "--json"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (None, 0)
    assert names(out) == {*RESULT_NAMES, "source_1.dcm"}
    assert f"{DICOM_FOLDER}/measurements_sr.dcm" in capsys.readouterr().out


def series_of(content: bytes) -> dict[str, list[str]]:
    """By modality: the objects that FHIR lists, as an independent model reads them."""
    parsed = Bundle.model_validate_json(content)
    (study,) = [one.resource for one in parsed.entry if one.resource.get_resource_type() == "ImagingStudy"]
    assert study.numberOfSeries == len(study.series)
    assert study.numberOfInstances == sum(one.numberOfInstances for one in study.series)
    found: dict[str, list[str]] = {}
    for one in study.series:
        assert one.numberOfInstances == len(one.instance)
        found.setdefault(one.modality.code, []).extend(instance.uid for instance in one.instance)
    return found


def instances(folder: Path) -> set[str]:
    return {str(pydicom.dcmread(path).SOPInstanceUID) for path in folder.glob("*.dcm")}


@pytest.mark.parametrize("deidentify", [False, True])
def test_fhir_lists_the_images_and_all_that_was_written(source, tmp_path, deidentify):
    out = tmp_path / "out"
    journeys.read([source], out, dicom_results=True, fhir=True, deidentify=deidentify)
    told = series_of((out / "fhir.json").read_bytes())
    assert set(told) == {"NM", "SEG", "SR", "OT", "DOC", "KO", "PR"}
    own = set() if deidentify else {str(pydicom.dcmread(source).SOPInstanceUID)}
    assert {uid for uids in told.values() for uid in uids} == instances(out / DICOM_FOLDER) | own
    if deidentify:
        assert str(pydicom.dcmread(source).SeriesInstanceUID) not in (out / "fhir.json").read_text()


def test_fhir_alone_lists_the_images(source, tmp_path):
    journeys.read([source], tmp_path / "out", fhir=True)
    told = series_of((tmp_path / "out" / "fhir.json").read_bytes())
    assert told == {"NM": [str(pydicom.dcmread(source).SOPInstanceUID)]}
