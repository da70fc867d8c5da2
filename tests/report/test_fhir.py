from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydicom.sr._concepts_dict import concepts as sr
from tests.report.phantom import concluded, withheld

from bonescan.reading.model import Kind, Reading
from bonescan.report.fhir import fhir_bundle, fhir_bytes
from bonescan.report.fhir_parts import CODES, DCM, SCT
from bonescan.report.physician import PhysicianText
from bonescan.report.signature import Amends, Signature
from bonescan.scan import PatientFacts

UCUM = {"1", "%", "mm", "mm2"}


@pytest.fixture(scope="module")
def bundle(reading: Reading) -> dict:
    return fhir_bundle(concluded(reading))


def resources(bundle: dict, kind: str) -> list[dict]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def codings(value: object) -> list[dict]:
    """Every object with a system and a code, however deep."""
    if isinstance(value, dict):
        own = [value] if {"system", "code"} <= value.keys() else []
        return own + [found for item in value.values() for found in codings(item)]
    return [found for item in value for found in codings(item)] if isinstance(value, list) else []


def luhn(number: str) -> bool:
    """The mod-10 check of LOINC numbers, as its users' guide defines it."""
    digits = [int(digit) for digit in number.replace("-", "")][::-1]
    return sum(sum(divmod(2 * digit, 10)) if k % 2 else digit for k, digit in enumerate(digits)) % 10 == 0


def people(reading: Reading) -> list[Reading]:
    nobody = replace(reading, scan=replace(reading.scan, patient=PatientFacts(), study_uid=None, acquired_at=None))
    zoned = replace(
        reading,
        scan=replace(reading.scan, acquired_at=reading.scan.acquired_at.replace(tzinfo=timezone(timedelta(hours=1)))),
    )
    odd = replace(reading, scan=replace(reading.scan, patient=PatientFacts(name="^Jane=王^", sex="X", patient_id="")))
    return [
        concluded(reading),
        reading,
        withheld(reading),
        nobody,
        zoned,
        odd,
        replace(reading, findings=(), versions={}),
    ]


def test_every_bundle_is_valid_by_an_independent_model(reading):
    models = pytest.importorskip("fhir.resources.R4B.bundle")  # these resources are the same in R4 and R4B
    for one in people(reading):
        content = fhir_bytes(one)
        parsed = models.Bundle.model_validate_json(content)
        assert json.loads(parsed.model_dump_json()) == json.loads(content)  # nothing is lost or invented on the way


def test_the_model_would_see_a_mistake(bundle):
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    broken = json.loads(json.dumps(bundle))
    del broken["entry"][3]["resource"]["code"]
    with pytest.raises(ValueError, match="code"):
        models.Bundle.model_validate(broken)


def test_every_reference_leads_to_an_entry(bundle):
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    assert len(urls) == len(bundle["entry"])
    assert all(re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", url) for url in urls)
    assert set(re.findall(r'"reference": "([^"]+)"', json.dumps(bundle))) <= urls


def test_the_check_digit_knows_a_wrong_number():
    assert luhn("25031-6")
    assert not luhn("39819-9")  # a number with a mistake in it
    assert luhn("24701-5")  # HL7's example of a bone density


def test_codes_are_of_known_systems_and_loinc_numbers_are_right(bundle):
    found = codings(bundle)
    by_system = {coding["system"]: {c["code"] for c in found if c["system"] == coding["system"]} for coding in found}
    assert by_system["http://loinc.org"] == {"25031-6", "19005-8"}
    assert all(map(luhn, by_system["http://loinc.org"]))
    assert by_system["http://unitsofmeasure.org"] <= UCUM
    assert all(
        re.fullmatch(r"\d+(:272741003=(7771000|24028007))?", code) for code in by_system["http://snomed.info/sct"]
    )


def test_every_observation_has_a_code_and_each_of_ours_is_explained_once(bundle):
    observations = resources(bundle, "Observation")
    parts = [*observations, *(part for one in observations for part in one.get("component", ()))]
    ours = {code["code"] for one in parts for code in one["code"]["coding"] if code["system"] == CODES}
    (system,) = resources(bundle, "CodeSystem")
    assert {concept["code"] for concept in system["concept"]} == ours
    assert all(one["code"]["coding"][0]["system"] in (CODES, "http://loinc.org") for one in parts)


def test_broader_standard_codes_are_those_of_dicoms_dictionary(bundle):
    known = {code for scheme in ("SCT", "DCM") for named in sr[scheme].values() for code in named}
    told = [code for code in codings(bundle) if code["system"] in (SCT, DCM) and ":" not in code["code"]]
    assert {code["code"] for code in told} - {"NM"} <= known


def test_the_impression_is_an_observation_by_loinc(bundle):
    (one,) = (one for one in resources(bundle, "Observation") if "valueString" in one)
    assert one["code"]["coding"][0]["code"] == "19005-8"  # as in HL7's US Core example of an imaging impression
    assert one["valueString"].startswith("Many foci: most likely bone metastases.")


def test_nothing_is_final_and_the_report_leads_to_every_observation(bundle):
    (report,) = resources(bundle, "DiagnosticReport")
    observations = resources(bundle, "Observation")
    assert {one["status"] for one in (report, *observations)} == {"preliminary"}
    assert len(report["result"]) == len(observations)
    assert report["conclusion"].startswith("Many foci: most likely bone metastases.")
    assert report["conclusion"].endswith("Not a medical device. Never the only basis of a decision.")


def test_a_finding_carries_its_ratio_its_bone_and_its_side(reading, bundle):
    bones = [finding for finding in reading.findings if finding.kind is Kind.BONE]
    found = [one for one in resources(bundle, "Observation") if "bodySite" in one]
    assert len(found) == len(bones)
    for one, finding in zip(found, bones, strict=True):
        assert one["valueQuantity"]["value"] == pytest.approx(finding.uptake_ratio, rel=1e-6)
        assert one["bodySite"]["text"] == finding.place


def test_what_is_withheld_says_why_and_is_no_number(reading):
    index = next(
        one
        for one in resources(fhir_bundle(withheld(reading)), "Observation")
        if one["code"]["coding"][0]["code"] == "bone_scan_index_percent"
    )
    assert "valueQuantity" not in index
    assert index["dataAbsentReason"]["text"] == "fewer than 0.5 million counts in the anterior view"


def test_a_time_without_a_zone_is_a_day(reading):
    by_zone = [resources(fhir_bundle(one), "ImagingStudy")[0].get("started") for one in people(reading)[3:5]]
    assert by_zone == [None, "2021-03-04T12:20:00+01:00"]
    assert resources(fhir_bundle(reading), "ImagingStudy")[0]["started"] == "2021-03-04"


def test_the_same_reading_gives_the_same_bytes(reading):
    assert fhir_bytes(reading) == fhir_bytes(reading)


SIGNED = Signature(name="Dr. Ada Example", signed_at=datetime(2021, 3, 5, 8, 30, tzinfo=UTC))
AMENDED = Signature(
    name="Dr. Ada Example",
    signed_at=datetime(2021, 3, 6, 9, 0),
    amends=Amends(version=2, signed_at=SIGNED.signed_at, reason="T12 is a haemangioma."),
)


@pytest.mark.parametrize(("signature", "status"), [(SIGNED, "final"), (AMENDED, "amended")])
def test_a_signed_report_is_final_and_an_amendment_amended(reading, signature, status):
    text = PhysicianText(study_uid="1.2", entries={("interpretation", "text"): "No metastasis."})
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    content = fhir_bytes(concluded(reading), text, signature)
    assert json.loads(models.Bundle.model_validate_json(content).model_dump_json()) == json.loads(content)
    bundle = json.loads(content)
    (report,) = resources(bundle, "DiagnosticReport")
    assert {one["status"] for one in (report, *resources(bundle, "Observation"))} == {status}
    assert report["conclusion"].startswith("No metastasis.")
    assert report["conclusion"].endswith("Not a medical device. Never the only basis of a decision.")
    (physician,) = [
        entry for entry in bundle["entry"] if entry["fullUrl"] == report["resultsInterpreter"][0]["reference"]
    ]
    assert physician["resource"] == {"resourceType": "Practitioner", "name": [{"text": "Dr. Ada Example"}]}
    # FHIR's instant needs a zone
    assert report.get("issued") == ("2021-03-05T08:30:00Z" if signature is SIGNED else None)
