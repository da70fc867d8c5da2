"""A reading as FHIR R4: a bundle of patient, study, report and observations.

    Bundle (collection)
      Patient, Device (bonescan), ImagingStudy
      DiagnosticReport  code LOINC 25031-6, conclusion, ─► results
        Observation     Bone Scan Index, number of hot spots, their area, probability of metastases
        Observation     one for each bone finding: uptake ratio, where, components

Everything is ``preliminary``: no physician has signed it. What could not be measured carries its reason, never zero.

References
----------
HL7 FHIR R4 (4.0.1): DiagnosticReport, ImagingStudy, Observation, Bundle. LOINC 25031-6 "NM Bone Views". SNOMED CT codes
of bones as in DICOM PS3.16; a side is post-coordinated (272741003) as in HL7's example of a bone density. UCUM units.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from bonescan.measurement import Measurement
from bonescan.reading.model import Finding, Kind, Polarity, Reading
from bonescan.report.record import INTENDED_USE, json_bytes

__all__ = ["CODES", "fhir_bundle", "fhir_bytes"]

CODES = "urn:bonescan:code"
"""Code system of what LOINC and SNOMED CT have no code for; the codes are the names in ``reading.json``."""

_OF_IDS = UUID("6f0f7f2b-7a0b-5c47-9d0a-3b1f0d6c2e11")  # names of resources within one reading are made below this
_LOINC, _SCT, _UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_LATERALITY = "272741003"
_GENDERS = {"M": "male", "F": "female", "O": "other"}


def fhir_bytes(reading: Reading) -> bytes:
    """Return a reading as a FHIR R4 bundle in JSON.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    bytes
        UTF-8; the same reading gives the same bytes.
    """
    return json_bytes(fhir_bundle(reading))


def fhir_bundle(reading: Reading) -> dict[str, Any]:
    """Return a reading as a FHIR R4 bundle.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    dict
        A resource ``Bundle`` of type ``collection``, as JSON values.

    Notes
    -----
    FHIR asks a time of day for its zone. Scanners rarely tell it; then the day alone is given.
    """
    scan = reading.scan
    key = scan.study_uid or "".join(source.sha256 for source in scan.sources)
    when = {"effectiveDateTime": _when(scan.acquired_at)} if scan.acquired_at else {}
    shared = {
        "status": "preliminary",
        "category": [_coding(f"{_TERMINOLOGY}/observation-category", "imaging", "Imaging")],
        "subject": _reference(key, "patient"),
        **when,
        "device": _reference(key, "device"),
        "derivedFrom": [_reference(key, "study")],
    }
    observations = {name: {"resourceType": "Observation", **shared, **own} for name, own in _observed(reading)}
    resources = {
        "patient": _patient(reading),
        "device": _device(reading),
        "study": _study(reading, key),
        "report": _report(reading, key, when, observations),
        **observations,
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": _urn(key, name), "resource": resource} for name, resource in resources.items()],
    }


def _urn(key: str, name: str) -> str:
    return uuid5(_OF_IDS, f"{key}/{name}").urn


def _reference(key: str, name: str) -> dict[str, str]:
    return {"reference": _urn(key, name)}


def _coding(system: str, code: str, display: str, text: str = "") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": display}], **({"text": text} if text else {})}


def _when(moment: datetime) -> str:
    return moment.date().isoformat() if moment.tzinfo is None else moment.isoformat(timespec="seconds")


def _patient(reading: Reading) -> dict[str, Any]:
    patient = reading.scan.patient
    told: dict[str, Any] = {"resourceType": "Patient"}
    if patient.patient_id:
        told["identifier"] = [{"value": patient.patient_id}]
    if patient.name:
        group = next((one for one in patient.name.split("=") if one.strip("^ ")), "")  # some have the ideographic only
        family, _, given = group.partition("^")
        name = {"family": family, "given": [part for part in given.split("^") if part]}
        told["name"] = [{part: value for part, value in name.items() if value}] if any(name.values()) else []
        told = {field: value for field, value in told.items() if value}
    if patient.sex in _GENDERS:
        told["gender"] = _GENDERS[patient.sex]
    if patient.birth_date:
        told["birthDate"] = patient.birth_date.isoformat()
    return told


def _device(reading: Reading) -> dict[str, Any]:
    versions = [{"value": f"{name} {version}"} for name, version in reading.versions.items()]
    return {
        "resourceType": "Device",
        "deviceName": [{"name": "bonescan", "type": "user-friendly-name"}],
        **({"version": versions} if versions else {}),
        "note": [{"text": INTENDED_USE}],
    }


def _study(reading: Reading, key: str) -> dict[str, Any]:
    scan = reading.scan
    told: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": _reference(key, "patient"),
    }
    if scan.study_uid:
        told["identifier"] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{scan.study_uid}"}]
    if scan.acquired_at:
        told["started"] = _when(scan.acquired_at)
    told["modality"] = [
        {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "NM", "display": "Nuclear Medicine"}
    ]
    if scan.study_description:
        told["description"] = scan.study_description
    return told


def _report(reading: Reading, key: str, when: dict[str, str], results: Iterable[str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "status": "preliminary",
        "category": [_coding(f"{_TERMINOLOGY}/v2-0074", "NMS", "Nuclear Medicine Scan")],
        "code": _coding(_LOINC, "25031-6", "NM Bone Views", "Bone scan"),
        "subject": _reference(key, "patient"),
        **when,
        "result": [_reference(key, name) for name in results],
        "imagingStudy": [_reference(key, "study")],
    }
    if reading.impression is not None:
        said = [*reading.impression.sentences, *reading.impression.advice, *reading.impression.abstains]
        told["conclusion"] = " ".join([*said, INTENDED_USE])
    return told


def _observed(reading: Reading) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every observation's own fields, by name."""
    burden = reading.burden
    index = _measured(burden.bone_scan_index_percent)
    yield (
        "bone_scan_index_percent",
        {**_named("bone_scan_index_percent", "Bone Scan Index"), **index, "note": [{"text": burden.mass_table}]},
    )
    yield (
        "hot_spot_count",
        {**_named("hot_spot_count", "Hot spots that count in the index"), "valueInteger": burden.hot_spot_count},
    )
    yield (
        "lesion_area_mm2",
        {**_named("lesion_area_mm2", "Area of the hot spots in the views"), **_measured(burden.lesion_area_mm2)},
    )
    if reading.impression is not None:
        name = _named("metastatic", "Probability that the scan shows bone metastases")
        yield "metastatic", {**name, **_measured(reading.impression.metastatic)}
    for finding in reading.findings:
        if finding.kind is Kind.BONE:
            yield f"finding_{finding.id}", _finding(finding)


def _named(code: str, text: str) -> dict[str, Any]:
    return {"code": _coding(CODES, code, text, text)}


def _finding(finding: Finding) -> dict[str, Any]:
    """One focus of uptake: its ratio to normal, where it is, and the rest as components."""
    raised = finding.polarity is Polarity.HOT
    text = f"Focus {finding.letter} of {'raised' if raised else 'lowered'} uptake"
    components = [
        {**_named("significance", "Standard deviations from normal"), **_quantity(finding.significance, "1")},
        {**_named("depth_mm", "Distance from the posterior skin"), **_measured(finding.depth_mm)},
        {**_named("mass_share_percent", "Share of skeletal mass"), **_quantity(finding.mass_share_percent, "%")},
        {**_named("likelihood", "Probability of metastasis"), **_measured(finding.likelihood)},
    ]
    for name, view in finding.views.items():
        area = _named(f"area_mm2_{name.value}", f"Area in the {name.value} view")
        components.append({**area, **_quantity(view.area_mm2, "mm2")})
    return {
        "code": {
            "coding": [
                {"system": CODES, "code": f"finding_{finding.polarity.value}", "display": text},
                {"system": _SCT, "code": "52988006", "display": "Lesion"},
            ],
            "text": text,
        },
        "bodySite": _site(finding),
        **_quantity(finding.uptake_ratio, "1"),
        "note": [{"text": f"Ratio to {finding.uptake_reference}. {finding.reason}"}],
        "component": components,
    }


def _site(finding: Finding) -> dict[str, Any]:
    """Name the place, and code the bone where SNOMED CT as in DICOM's dictionary has it or a broader one."""
    from bonescan.anatomy import BONES

    bone = next((bone for bone in BONES if bone.id == finding.bone), None)
    code = "" if bone is None else bone.snomed or bone.snomed_broader
    if bone is None or not code:
        return {"text": finding.place}
    side = f":{_LATERALITY}={bone.snomed_laterality}" if bone.snomed_laterality else ""
    return {"coding": [{"system": _SCT, "code": f"{code}{side}"}], "text": finding.place}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"valueQuantity": {"value": float(f"{value:.7g}"), "unit": unit, "system": _UCUM, "code": unit}}


def _measured(measurement: Measurement) -> dict[str, Any]:
    """Return the value, or why it is absent; an observation's method and uncertainty stand in ``reading.json``."""
    if measurement.value is not None:
        return _quantity(measurement.value, measurement.unit)
    return {
        "dataAbsentReason": _coding(
            f"{_TERMINOLOGY}/data-absent-reason", "not-performed", "Not Performed", measurement.absent_reason
        )
    }
