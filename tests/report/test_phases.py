"""The page on a three-phase study: its record holds to the published schema, and what it says stands on every page."""

from __future__ import annotations

import io
import json

import jsonschema
import numpy as np
import pytest
from PIL import Image
from tests.reading.limbs import patch, phase_pictures, study_of

from bonescan.reading.three_phase.phases import PhaseReading, read_phases
from bonescan.report.language import language
from bonescan.report.phase_fhir import phase_fhir_bundle, phase_fhir_bytes
from bonescan.report.phases import phase_content, phase_schema, render_phases
from bonescan.scan import Phase


@pytest.fixture(scope="module")
def read() -> PhaseReading:
    pictures = phase_pictures(dict.fromkeys(Phase, 3.0), patch("left", (36, 44), 4))
    return read_phases(study_of(pictures, np.random.default_rng(1)))


@pytest.fixture(scope="module")
def files(read: PhaseReading) -> dict[str, bytes]:
    return render_phases(read)


def without_flow() -> PhaseReading:
    pictures = phase_pictures({}, patch("left", (36, 44), 4))
    return read_phases(study_of(pictures, np.random.default_rng(2), without=(Phase.FLOW,)))


def test_the_record_holds_to_the_schema_and_says_what_was_read(read, files):
    schema = phase_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    record = json.loads(files["phases.json"], parse_constant=pytest.fail)
    jsonschema.validate(record, schema)
    assert [one["call"] for one in record["findings"]] == [one.call for one in read.findings]
    assert record["region"]["side"] == "left"
    assert len(record["curves"][0]["rate_cps"]) == 20
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "diagnosis": "x"}, schema)


def test_what_is_absent_is_null_with_its_reason_and_has_no_curves():
    files = render_phases(without_flow())
    record = json.loads(files["phases.json"])
    jsonschema.validate(record, phase_schema())
    assert record["findings"][0]["ratio"]["value"] is None
    assert record["study"]["phases"]["flow"]["absent_reason"] == "It was not made."
    assert "phases_curves.png" not in files


def test_the_same_reading_gives_the_same_bytes(read, files):
    assert render_phases(read) == files


def test_html_and_pdf_say_the_same_and_carry_no_markup_of_the_file(read, files):
    page = files["phases.html"].decode()
    assert files["phases.pdf"].startswith(b"%PDF")
    for text in (*read.sentences[:1], "Osteomyelitis", "Not a medical device", "agreement"):
        assert text in page
    assert "http" not in page.replace("http-equiv", "")
    content = phase_content(read, language("en"))
    assert len(content["ratios"]["rows"]) == 3
    assert all(row["for"] for row in content["table"]["rows"])


def test_the_region_is_marked_on_the_grid(read, files):
    ids = np.asarray(Image.open(io.BytesIO(files["phases_region.png"])))
    assert ids.shape == read.field.body.shape
    assert (ids == 1).sum() == read.region.mask.sum()
    # the counterpart lies on the other side of the picture
    assert np.argwhere(ids == 2)[:, 1].max() < np.argwhere(ids == 1)[:, 1].min()


def test_the_phases_are_valid_fhir_by_an_independent_model_with_a_code_for_every_observation(read):
    models = pytest.importorskip("fhir.resources.R4B.bundle")  # these resources are the same in R4 and R4B
    for one in (read, without_flow()):
        content = phase_fhir_bytes(one)
        assert json.loads(models.Bundle.model_validate_json(content).model_dump_json()) == json.loads(content)
    observations = [
        entry["resource"]
        for entry in phase_fhir_bundle(read)["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    ]
    ratios = {one["code"]["coding"][0]["code"]: one for one in observations if "interpretation" in one}
    assert set(ratios) == {f"ratio_{phase.value}" for phase in Phase}
    for finding in read.findings:
        told = ratios[f"ratio_{finding.phase.value}"]
        assert told["valueQuantity"]["value"] == pytest.approx(finding.ratio.value, rel=1e-6)
        assert told["interpretation"][0]["coding"][0]["display"].lower() == finding.call.value
