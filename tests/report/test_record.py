from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from tests.report.phantom import concluded, phantom_reading, withheld

from bonescan.reading.model import Reading
from bonescan.report import SCHEMA_VERSION, reading_schema, render
from bonescan.report.maps import finding_map
from bonescan.report.record import reading_record, record_bytes
from bonescan.scan import PatientFacts, ViewName


def record_of(reading: Reading) -> dict:
    maps = {view.name: finding_map(view, reading.findings) for view in reading.scan.views}
    return json.loads(record_bytes(reading_record(reading, maps)))


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


CASES = {
    "two views": lambda: phantom_reading(findings=12),
    "no findings, withheld, nothing known": lambda: withheld(phantom_reading(findings=0, patient=PatientFacts())),
    "with an impression": lambda: concluded(phantom_reading(findings=8)),
    "posterior only": lambda: phantom_reading(findings=9, views=(ViewName.POSTERIOR,)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_record_is_valid_and_strict(case: str) -> None:
    schema = reading_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    data = record_bytes(record_of(CASES[case]()))
    jsonschema.validate(json.loads(data, parse_constant=refuse), schema)


def test_the_schema_refuses_an_unknown_field_and_a_missing_one(reading: Reading) -> None:
    record = record_of(reading)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**record, "diagnosis": "x"}, reading_schema())
    del record["findings"][0]["reason"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, reading_schema())


def test_findings_have_the_fields_of_the_published_layout(files: dict[str, bytes]) -> None:
    record = json.loads(files["reading.json"])
    # Witness: the list of fields in docs/outputs.md.
    wanted = {"id", "kind", "polarity", "bone", "side", "region", "views", "uptake_ratio", "uptake_reference",
              "significance", "mass_share_percent", "likelihood", "likelihood_basis", "reason"}  # fmt: skip
    for finding in record["findings"]:
        assert wanted <= finding.keys()
        for seen in finding["views"].values():
            assert {"outline", "peak", "area_mm2"} <= seen.keys()
    assert {"bone_scan_index_percent", "uncertainty", "mass_table", "hot_spot_count"} <= record["burden"].keys()
    assert {"quality", "remarks", "method", "versions"} <= record.keys()
    assert record["schema_version"] == SCHEMA_VERSION


def test_numbers_are_those_of_the_reading(reading: Reading) -> None:
    record = record_of(reading)
    assert record["burden"]["bone_scan_index_percent"] == 1.84
    assert record["burden"]["uncertainty"] == 0.32
    seen = reading.findings[0].views[ViewName.ANTERIOR]
    written = record["findings"][0]["views"]["anterior"]
    assert written["outline"][0] == pytest.approx(seen.outline[0], abs=0.005)
    assert written["peak"]["row"] == seen.peak_row
    # Witness: the phantom's own formula, z = 1740 mm - 1.7 mm x row.
    assert written["peak"]["z_mm"] == pytest.approx(1740 - 1.7 * seen.peak_row, abs=0.01)
    assert written["pixels"] == seen.mask.sum()


def test_agreement_with_the_network_is_written_by_region(reading: Reading) -> None:
    first, *others = reading.labels.views
    seen = replace(reading.labels, views=(replace(first, agreement={11: 0.75, 1: 0.5}), *others))
    record = record_of(replace(reading, labels=seen))
    jsonschema.validate(record, reading_schema())
    views = record["labels"]["views"]
    assert views[first.name.value]["agreement"] == [{"region": 1, "dice": 0.5}, {"region": 11, "dice": 0.75}]
    assert [views[view.name.value]["agreement"] for view in others] == [[]] * len(others)


def test_natures_evidence_and_impression_are_written(reading: Reading) -> None:
    record = record_of(concluded(reading))
    first = record["findings"][0]
    assert first["natures"] == {"metastatic": 0.62, "degenerative": 0.3, "traumatic": 0.05, "physiologic": 0.03}
    assert first["evidence"][1] == {"text": "Near a joint.", "weight": -2.0, "source": "design"}
    assert record["findings"][1]["natures"] == {}
    impression = record["impression"]
    assert (impression["metastatic"], impression["metastatic_uncertainty"]) == (0.87, 0.05)
    assert [pattern["presence"] for pattern in impression["patterns"]] == ["present", "not judged"]
    assert record["familiarity"] == {"score": 0.004, "familiar": False, "reasons": ["The soft tissue is unusual."]}
    assert (record_of(reading)["impression"], record_of(reading)["familiarity"]) == (None, None)


def test_what_is_absent_is_null_with_its_reason() -> None:
    record = record_of(withheld(phantom_reading(findings=8)))
    assert record["burden"]["bone_scan_index_percent"] is None
    assert "0.5 million" in record["burden"]["bone_scan_index_absent_reason"]
    single = record["findings"][1]
    assert list(single["views"]) == ["anterior"]
    assert single["depth_mm"] is None
    assert single["depth_absent_reason"] == "seen in one view only"
    assert single["likelihood"] is None
    assert single["likelihood_absent_reason"]


def test_a_finding_that_gave_up_pixels_says_to_whom(reading: Reading) -> None:
    first = reading.findings[0]
    twin = replace(first, id=99, letter="ZZ")
    record = record_of(replace(reading, findings=(*reading.findings, twin)))
    lost = record["findings"][-1]["views"]["anterior"]
    assert lost["pixels_kept_by"] == {"1": lost["pixels"]}


def test_a_value_that_is_not_finite_becomes_null(reading: Reading) -> None:
    odd = replace(reading.findings[0], uptake_ratio=float("inf"), significance=float("nan"))
    record = record_of(replace(reading, findings=(odd,)))
    assert record["findings"][0]["uptake_ratio"] is None
    assert record["findings"][0]["significance"] is None


def test_lone_surrogates_of_a_broken_name_do_not_stop_the_record(reading: Reading) -> None:
    broken = replace(reading, scan=replace(reading.scan, patient=PatientFacts(name="A\udce9B")))
    assert json.loads(render(broken)["reading.json"])["scan"]["patient"]["name"] == "A?B"
