"""A reading as FHIR R4: a bundle of patient, study, report and observations.

    Bundle (collection)
      Patient, Device (bonescan), ImagingStudy, CodeSystem (our codes)
      DiagnosticReport  code LOINC 25031-6, conclusion, ─► results
        Observation     impression: LOINC 19005-8
        Observation     Bone Scan Index, number of hot spots, their area, probability of metastases
        Observation     one for each bone finding: uptake ratio, where, components

Everything is ``preliminary`` until a physician has signed it, then ``final``, or ``amended`` where it replaces a signed
report; the interpreter is then a Practitioner, and the conclusion what that one has written. What could not be measured
carries its reason, never zero. LOINC has no term for a Bone Scan Index, an uptake ratio or a number of hot spots: these
have codes of ours, beside the broader ones of SNOMED CT and DICOM where there are any. A side is post-coordinated
(272741003), as in HL7's example of a bone density.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bonescan.reading.model import Finding, Kind, Polarity, Reading
from bonescan.report.fhir_parts import CODES, DCM, SCT, bundle, impression, measured, named, quantity
from bonescan.report.physician import PhysicianText
from bonescan.report.record import INTENDED_USE, json_bytes
from bonescan.report.signature import Signature

__all__ = ["CODES", "fhir_bundle", "fhir_bytes"]

_LATERALITY = "272741003"
_AREA, _DEPTH = (SCT, "42798000", "Area"), (SCT, "131197000", "Depth")
_PROBABILITY = (DCM, "122157", "Probability")


def fhir_bytes(reading: Reading, text: PhysicianText | None = None, signature: Signature | None = None) -> bytes:
    """Return a reading as a FHIR R4 bundle in JSON.

    Parameters
    ----------
    reading : Reading
    text, signature : optional
        As for `fhir_bundle`.

    Returns
    -------
    bytes
        UTF-8; the same reading gives the same bytes.
    """
    return json_bytes(fhir_bundle(reading, text, signature))


def fhir_bundle(
    reading: Reading, text: PhysicianText | None = None, signature: Signature | None = None
) -> dict[str, Any]:
    """Return a reading as a FHIR R4 bundle.

    Parameters
    ----------
    reading : Reading
    text : PhysicianText, optional
        Whose interpretation is the conclusion, where there is one.
    signature : Signature, optional
        Of the physician who stands for it; the report is then final, or amended where it replaces a signed one.

    Returns
    -------
    dict
        A resource ``Bundle`` of type ``collection``, as JSON values.
    """
    said = reading.impression
    conclusion = "" if said is None else " ".join([*said.sentences, *said.advice, *said.abstains, INTENDED_USE])
    own = [] if text is None else [text.of("interpretation", entry) for entry in ("text", "recommendation", "urgent")]
    if any(own):
        conclusion = "\n".join([*(line for line in own if line), INTENDED_USE])
    return bundle(
        reading.scan,
        reading.versions,
        _observed(reading),
        title="Bone scan",
        conclusion=conclusion,
        signature=signature,
    )


def _observed(reading: Reading) -> Iterable[tuple[str, dict[str, Any]]]:
    """Every observation's own fields, by name."""
    burden = reading.burden
    index = measured(burden.bone_scan_index_percent)
    yield (
        "bone_scan_index_percent",
        {**named("bone_scan_index_percent", "Bone Scan Index"), **index, "note": [{"text": burden.mass_table}]},
    )
    yield (
        "hot_spot_count",
        {**named("hot_spot_count", "Hot spots that count in the index"), "valueInteger": burden.hot_spot_count},
    )
    yield (
        "lesion_area_mm2",
        {**named("lesion_area_mm2", "Area of the hot spots in the views", _AREA), **measured(burden.lesion_area_mm2)},
    )
    if reading.impression is not None:
        yield "impression", impression(" ".join(reading.impression.sentences))
        name = named("metastatic", "Probability that the scan shows bone metastases", _PROBABILITY)
        yield "metastatic", {**name, **measured(reading.impression.metastatic)}
    for finding in reading.findings:
        if finding.kind is Kind.BONE:
            yield f"finding_{finding.id}", _finding(finding)


def _finding(finding: Finding) -> dict[str, Any]:
    """One focus of uptake: its ratio to normal, where it is, and the rest as components."""
    raised = finding.polarity is Polarity.HOT
    meaning = f"Focus of {'raised' if raised else 'lowered'} uptake, as a multiple of normal"
    components = [
        {**named("significance", "Standard deviations from normal"), **quantity(finding.significance, "1")},
        {**named("depth_mm", "Distance from the posterior skin", _DEPTH), **measured(finding.depth_mm)},
        {**named("mass_share_percent", "Share of skeletal mass"), **quantity(finding.mass_share_percent, "%")},
        {**named("likelihood", "Probability of metastasis", _PROBABILITY), **measured(finding.likelihood)},
    ]
    for name, view in finding.views.items():
        area = named(f"area_mm2_{name.value}", f"Area in the {name.value} view", _AREA)
        components.append({**area, **quantity(view.area_mm2, "mm2")})
    told = named(f"finding_{finding.polarity.value}", meaning, (SCT, "52988006", "Lesion"))["code"]
    return {
        "code": {**told, "text": f"Focus {finding.letter}"},
        "bodySite": _site(finding),
        **quantity(finding.uptake_ratio, "1"),
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
    return {"coding": [{"system": SCT, "code": f"{code}{side}"}], "text": finding.place}
