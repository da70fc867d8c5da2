"""The series and instances of a FHIR ImagingStudy: the images that were read, and the objects written of them.

References
----------
HL7 FHIR R4 (4.0.1), ImagingStudy: ``series`` (``uid``, ``modality`` by DICOM CID 29, ``numberOfInstances``,
``started``) and ``instance`` (``uid``, ``sopClass`` as ``urn:oid:`` under RFC 3986).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bonescan.report.fhir_parts import DCM, day_or_moment
from bonescan.report.record import json_bytes
from bonescan.scan import StoredObject

__all__ = ["with_series"]

_MODALITIES: Mapping[str, str] = {
    "NM": "Nuclear Medicine",
    "SEG": "Segmentation",
    "SR": "Structured Report Document",
    "KO": "Key Object Selection",
    "PR": "Presentation State",
    "DOC": "Document",
    "OT": "Other",
}
"""What is written and read here, in DICOM's words [V] PS3.16 as pydicom carries it."""


def with_series(content: bytes, objects: Iterable[StoredObject]) -> bytes:
    """Tell in a bundle which objects its study has.

    Parameters
    ----------
    content : bytes
        Of `fhir_bytes` or `phase_fhir_bytes`.
    objects : iterable of StoredObject
        Those of another study are left out.

    Returns
    -------
    bytes
        The same where there is none.
    """
    told = json.loads(content)
    study = next(entry["resource"] for entry in told["entry"] if entry["resource"]["resourceType"] == "ImagingStudy")
    names = {identifier["value"] for identifier in study.get("identifier", [])}
    by_series: dict[str, list[StoredObject]] = {}
    for one in dict.fromkeys(objects):
        if f"urn:oid:{one.study_uid}" in names:
            by_series.setdefault(one.series_uid, []).append(one)
    if not by_series:
        return content
    series = [_series(members) for members in by_series.values()]
    codes = {one["modality"]["code"]: one["modality"] for one in series}
    study["modality"] = list(codes.values())
    study["numberOfSeries"] = len(series)
    study["numberOfInstances"] = sum(one["numberOfInstances"] for one in series)
    study["series"] = series
    return json_bytes(told)


def _series(members: list[StoredObject]) -> dict[str, Any]:
    first = members[0]
    told: dict[str, Any] = {"uid": first.series_uid}
    if first.series_number is not None and first.series_number >= 0:
        told["number"] = first.series_number
    display = _MODALITIES.get(first.modality)
    told["modality"] = {"system": DCM, "code": first.modality, **({"display": display} if display else {})}
    if first.series_description:
        told["description"] = first.series_description
    told["numberOfInstances"] = len(members)
    if first.series_started_at is not None:
        told["started"] = day_or_moment(first.series_started_at)
    told["instance"] = [_instance(one) for one in members]
    return told


def _instance(one: StoredObject) -> dict[str, Any]:
    told: dict[str, Any] = {
        "uid": one.sop_instance_uid,
        "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{one.sop_class_uid}"},
    }
    if one.instance_number is not None and one.instance_number >= 0:
        told["number"] = one.instance_number
    return told
