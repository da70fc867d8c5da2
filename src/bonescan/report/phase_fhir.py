"""The reading of a three-phase study as FHIR R4: patient, study, report, and an observation for each phase."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bonescan.reading.three_phase.concepts import PHASE_CONCEPTS, PHASE_WORDS
from bonescan.reading.three_phase.phases import PhaseFinding, PhaseReading
from bonescan.report.fhir_parts import CODES, DCM, SCT, bundle, coding, impression, measured, named, quantity
from bonescan.report.record import INTENDED_USE, json_bytes

__all__ = ["phase_fhir_bundle", "phase_fhir_bytes"]

_RATIO, _PROBABILITY = (SCT, "118586006", "Ratio"), (DCM, "122157", "Probability")


def phase_fhir_bytes(reading: PhaseReading) -> bytes:
    """Return the reading of a three-phase study as a FHIR R4 bundle in JSON.

    Parameters
    ----------
    reading : PhaseReading

    Returns
    -------
    bytes
        UTF-8; the same reading gives the same bytes.
    """
    return json_bytes(phase_fhir_bundle(reading))


def phase_fhir_bundle(reading: PhaseReading) -> dict[str, Any]:
    """Return the reading of a three-phase study as a FHIR R4 bundle.

    Parameters
    ----------
    reading : PhaseReading

    Returns
    -------
    dict
        A resource ``Bundle`` of type ``collection``, as JSON values.
    """
    conclusion = " ".join([*reading.sentences, *reading.advice, INTENDED_USE])
    title = "Three-phase bone scan"
    return bundle(reading.study.first, reading.versions, _observed(reading), title=title, conclusion=conclusion)


def _observed(reading: PhaseReading) -> Iterable[tuple[str, dict[str, Any]]]:
    yield "phase_impression", impression(" ".join(reading.sentences))
    for finding in reading.findings:
        yield f"phase_{finding.phase.value}", _finding(finding)
    for field, standard in (("arrival_difference_s", ()), ("slope_ratio", (_RATIO,)), ("joints_ratio", (_RATIO,))):
        yield field, {**_named(field, *standard), **measured(getattr(reading, field))}


def _named(field: str, *standard: tuple[str, str, str]) -> dict[str, Any]:
    return named(field, PHASE_CONCEPTS[field].meaning, *standard)


def _finding(finding: PhaseFinding) -> dict[str, Any]:
    """One phase: the ratio of the sides, what that is called, and how sure."""
    name = PHASE_WORDS[finding.phase].lower()
    components = [
        {**_named("rest_ratio", _RATIO), **measured(finding.rest_ratio)},
        {**_named("extent_mm"), **measured(finding.extent_mm)},
        {**_named("limit", _RATIO), **quantity(finding.limit, "1")},
    ]
    if finding.judgement is not None:
        for call, share in finding.judgement.probabilities.items():
            what = named(f"p_{call.value.replace(' ', '_')}", f"Probability of: {call.value}", _PROBABILITY)
            components.append({**what, **quantity(share, "1")})
    told: dict[str, Any] = {
        **named(f"ratio_{finding.phase.value}", f"Ratio of the sides in the {name}", _RATIO),
        **measured(finding.ratio),
    }
    if finding.call is not None:
        called = finding.call.value
        told["interpretation"] = [coding(CODES, f"call_{called.replace(' ', '_')}", called.capitalize())]
    return {**told, "note": [{"text": finding.text}], "component": components}
