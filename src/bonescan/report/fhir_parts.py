"""The parts that every FHIR bundle of ours is made of: person, device, study, report, observations, our own codes.

References
----------
HL7 FHIR R4 (4.0.1): Bundle, Patient, Device, ImagingStudy, DiagnosticReport, Observation, CodeSystem. LOINC 25031-6 "NM
Bone Views", 19005-8 "Radiology Imaging study [Impression] (narrative)", as HL7's US Core uses it. SNOMED CT and DICOM
codes as in DICOM PS3.16. UCUM units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import numpy as np

from bonescan.measurement import Measurement
from bonescan.reading.signing import Signature
from bonescan.report.record import INTENDED_USE
from bonescan.scan import DynamicScan, PatientFacts, Scan

__all__ = [
    "CODES",
    "DCM",
    "SCT",
    "bundle",
    "coding",
    "day_or_moment",
    "impression",
    "measured",
    "named",
    "quantity",
]

CODES = "urn:bonescan:code"
"""Code system of what LOINC and SNOMED CT have no code for; every bundle lists those it uses."""

SCT, DCM = "http://snomed.info/sct", "http://dicom.nema.org/resources/ontology/DCM"
_LOINC, _UCUM = "http://loinc.org", "http://unitsofmeasure.org"
_OF_IDS = UUID("6f0f7f2b-7a0b-5c47-9d0a-3b1f0d6c2e11")  # names of resources within one reading are made below this
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_GENDERS = {"M": "male", "F": "female", "O": "other"}


def bundle(
    scan: Scan | DynamicScan,
    versions: Mapping[str, str],
    observed: Iterable[tuple[str, dict[str, Any]]],
    *,
    title: str,
    conclusion: str,
    signature: Signature | None = None,
) -> dict[str, Any]:
    """Return a report and its observations as a FHIR R4 bundle.

    Parameters
    ----------
    scan : Scan or DynamicScan
        Tells the person, the study and the day.
    versions : mapping of str to str
        Of what made the report.
    observed : iterable of (str, dict)
        Every observation's own fields, by a name that no other report of the study uses.
    title : str
        Of the report, in words; reports of one study differ in it.
    conclusion : str
        Empty where there is none.
    signature : Signature, optional
        Of the physician who stands for it.

    Returns
    -------
    dict
        A resource ``Bundle`` of type ``collection``, as JSON values.

    Notes
    -----
    FHIR asks a time of day for its zone. Scanners rarely tell it; then the day alone is given.
    """
    key = scan.study_uid or _digest(scan)
    when = {"effectiveDateTime": day_or_moment(scan.acquired_at)} if scan.acquired_at else {}
    status = "preliminary" if signature is None else "final" if signature.amends is None else "amended"
    signed = {} if signature is None else _signed(signature, key)
    shared = {
        "status": status,
        "category": [coding(f"{_TERMINOLOGY}/observation-category", "imaging", "Imaging")],
        "subject": _reference(key, "patient"),
        **when,
        "device": _reference(key, "device"),
        "derivedFrom": [_reference(key, "study")],
    }
    observations = {name: {"resourceType": "Observation", **shared, **own} for name, own in observed}
    report: dict[str, Any] = {
        "resourceType": "DiagnosticReport",
        "status": status,
        "category": [coding(f"{_TERMINOLOGY}/v2-0074", "NMS", "Nuclear Medicine Scan")],
        "code": coding(_LOINC, "25031-6", "NM Bone Views", title),
        "subject": _reference(key, "patient"),
        **when,
        **signed,
        "result": [_reference(key, name) for name in observations],
        "imagingStudy": [_reference(key, "study")],
        **({"conclusion": conclusion} if conclusion else {}),
    }
    resources = {
        "patient": _patient(scan.patient),
        **({} if signature is None else {"physician": _physician(signature)}),
        "device": _device(versions),
        "study": _study(scan, key),
        title: report,
        **observations,
        f"codes of {title}": _own_codes(observations.values()),
    }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"fullUrl": _urn(key, name), "resource": resource} for name, resource in resources.items()],
    }


def _digest(scan: Scan | DynamicScan) -> str:
    """What tells a study apart that has no UID: its pixels."""
    pictures = [view.counts for view in scan.views] if isinstance(scan, Scan) else [scan.counts]
    return hashlib.sha256(b"".join(np.ascontiguousarray(one).tobytes() for one in pictures)).hexdigest()


def _urn(key: str, name: str) -> str:
    return uuid5(_OF_IDS, f"{key}/{name}").urn


def _reference(key: str, name: str) -> dict[str, str]:
    return {"reference": _urn(key, name)}


def coding(system: str, code: str, display: str, text: str = "") -> dict[str, Any]:
    """Return a concept of one code.

    Parameters
    ----------
    system, code, display : str
    text : str
        In words; empty where the display says it.

    Returns
    -------
    dict
    """
    return {"coding": [{"system": system, "code": code, "display": display}], **({"text": text} if text else {})}


def named(code: str, text: str, *standard: tuple[str, str, str]) -> dict[str, Any]:
    """Return what an observation or a component is of.

    Parameters
    ----------
    code : str
        Of `CODES`.
    text : str
        What it means.
    *standard : (system, code, display)
        The broader concepts that SNOMED CT or DICOM have for it.

    Returns
    -------
    dict
        The field ``code``.
    """
    told = coding(CODES, code, text, text)
    told["coding"] += [{"system": system, "code": value, "display": display} for system, value, display in standard]
    return {"code": told}


def impression(text: str) -> dict[str, Any]:
    """Return the observation of a report's impression.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict
        Its own fields.
    """
    name = "Radiology Imaging study [Impression] (narrative)"
    return {"code": coding(_LOINC, "19005-8", name, "Impression"), "valueString": text}


def quantity(value: float, unit: str) -> dict[str, Any]:
    """Return a number with its unit.

    Parameters
    ----------
    value : float
    unit : str
        UCUM.

    Returns
    -------
    dict
        The field ``valueQuantity``.
    """
    return {"valueQuantity": {"value": float(f"{value:.7g}"), "unit": unit, "system": _UCUM, "code": unit}}


def measured(measurement: Measurement) -> dict[str, Any]:
    """Return the value, or why it is absent; an observation's method and uncertainty stand in the JSON record.

    Parameters
    ----------
    measurement : Measurement

    Returns
    -------
    dict
        The field ``valueQuantity`` or ``dataAbsentReason``.
    """
    if measurement.value is not None:
        return quantity(measurement.value, measurement.unit)
    return {
        "dataAbsentReason": coding(
            f"{_TERMINOLOGY}/data-absent-reason", "not-performed", "Not Performed", measurement.absent_reason
        )
    }


def day_or_moment(moment: datetime) -> str:
    """A time as FHIR takes it.

    Parameters
    ----------
    moment : datetime

    Returns
    -------
    str
        The day alone where its zone is not known.
    """
    if moment.tzinfo is None:
        return moment.date().isoformat()
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _patient(patient: PatientFacts) -> dict[str, Any]:
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


def _signed(signature: Signature, key: str) -> dict[str, Any]:
    """Who stands for the report, and when it was released: an instant, where its zone is known."""
    issued = signature.signed_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        **({} if signature.signed_at.tzinfo is None else {"issued": issued}),
        "resultsInterpreter": [_reference(key, "physician")],
    }


def _physician(signature: Signature) -> dict[str, Any]:
    return {"resourceType": "Practitioner", "name": [{"text": signature.name}]}


def _device(told: Mapping[str, str]) -> dict[str, Any]:
    versions = [{"value": f"{name} {version}"} for name, version in told.items()]
    return {
        "resourceType": "Device",
        "deviceName": [{"name": "bonescan", "type": "user-friendly-name"}],
        **({"version": versions} if versions else {}),
        "note": [{"text": INTENDED_USE}],
    }


def _study(scan: Scan | DynamicScan, key: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "resourceType": "ImagingStudy",
        "status": "available",
        "subject": _reference(key, "patient"),
    }
    if scan.study_uid:
        told["identifier"] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{scan.study_uid}"}]
    if scan.acquired_at:
        told["started"] = day_or_moment(scan.acquired_at)
    told["modality"] = [{"system": DCM, "code": "NM", "display": "Nuclear Medicine"}]
    told["numberOfInstances"] = len(scan.sources)
    if scan.study_description:
        told["description"] = scan.study_description
    return told


def _own_codes(observations: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Say what the codes of ours mean that the observations use."""
    meanings = {one["code"]: one["display"] for one in _codings(list(observations)) if one.get("system") == CODES}
    return {
        "resourceType": "CodeSystem",
        "url": CODES,
        "name": "BonescanCodes",
        "title": "Concepts of bonescan that LOINC and SNOMED CT do not have",
        "status": "draft",
        "content": "fragment",
        "concept": [{"code": code, "display": display} for code, display in sorted(meanings.items())],
    }


def _codings(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "code" in value and "display" in value:
            yield value
        for item in value.values():
            yield from _codings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _codings(item)
