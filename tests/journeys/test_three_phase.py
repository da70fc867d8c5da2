"""A folder of three phases, from DICOM to its page, by the command and by Python."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tests.reading.limbs import patch, phase_pictures, study_of

from bonescan import cli, dicom, journeys
from bonescan.dicom import Filing, write_dynamic, write_scan
from bonescan.dicom.results import PHASE_RESULT_NAMES
from bonescan.scan import Phase, ThreePhaseStudy


def legs() -> ThreePhaseStudy:
    pictures = phase_pictures(dict.fromkeys(Phase, 3.0), patch("left", (36, 44), 4))
    return study_of(pictures, np.random.default_rng(1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two legs, the left one with a focus, as a camera would send them."""
    study = legs()
    assert study.flow is not None
    assert study.pool is not None
    assert study.delayed is not None
    out = tmp_path / "study"
    out.mkdir()
    files = (
        write_dynamic(study.flow, filing=Filing(series_number=1, body_part="LEG")),
        write_scan(study.pool, filing=Filing(series_number=2, body_part="LEG")),
        write_scan(study.delayed, filing=Filing(series_number=3, body_part="LEG")),
    )
    for number, written in enumerate(files):
        (content,) = written.values()
        (out / f"{number}.dcm").write_bytes(content)
    return out


def test_three_phases_are_read_end_to_end(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(
            ["read", str(folder), "-o", str(tmp_path / "out"), "--side", "left", "--json", "-q", "--dicom", "--fhir"]
        )
    assert left.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["phases"]["side"] == "left"
    assert said["phases"]["fits"] == ["osteomyelitis", "acute_fracture"]
    objects = {f"{journeys.DICOM_FOLDER}/{name}" for name in PHASE_RESULT_NAMES}
    assert set(said["outputs"]) == {*journeys.PHASE_NAMES, *objects}
    assert "Simulated^Legs" not in json.dumps(said)
    told = json.loads((tmp_path / "out" / "phases_fhir.json").read_text(encoding="utf-8"))
    (study,) = [one["resource"] for one in told["entry"] if one["resource"]["resourceType"] == "ImagingStudy"]
    assert [one["modality"]["code"] for one in study["series"]] == ["NM", "NM", "NM", "SR", "OT", "DOC", "KO"]
    assert study["numberOfInstances"] == 3 + len(PHASE_RESULT_NAMES)


def test_a_later_reading_of_something_else_takes_the_phases_away(folder, tmp_path):
    out = tmp_path / "out"
    study = journeys.read_study([folder], out)
    assert study.reading is None
    assert not (out / journeys.DICOM_FOLDER).exists()
    assert (out / "phases.html").is_file()
    record = journeys.study_manifest(study, out, {"command": "read"})
    assert len(record["inputs"]) == 3
    (out / "notes.txt").write_text("stays")
    flow_alone = journeys.read_study([folder / "0.dcm"], out)
    assert flow_alone.phases is not None
    assert flow_alone.phases.study.pool is None
    assert "table says less" in flow_alone.phases.sentences[-1]
    assert (out / "notes.txt").read_text() == "stays"


def test_a_whole_body_scan_beside_the_phases_is_read_as_well(rooms, small_scan, monkeypatch, tmp_path):
    study = dataclasses.replace(legs(), whole_body=small_scan)
    monkeypatch.setattr(dicom, "open_phases", lambda *a, **k: study)
    out = tmp_path / "out"
    read = journeys.read_study([tmp_path], out)
    assert read.reading is not None
    assert read.phases is not None
    assert {"phases.json", "reading.json", "report.html"} <= {path.name for path in out.iterdir()}
    assert "phases" in journeys.study_summary(read)
    assert "hot_spot_count" in journeys.study_summary(read)
