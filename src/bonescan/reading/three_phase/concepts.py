"""What a three-phase reading measures, by name, code and meaning: one table for every format it is written in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bonescan.scan import Phase

__all__ = ["PHASE_CONCEPTS", "PHASE_WORDS", "PhaseConcept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseConcept:
    """One thing that is measured.

    Parameters
    ----------
    code : str
        Short, in the code lists of DICOM objects; FHIR's is the name of the field.
    meaning : str
    """

    code: str
    meaning: str


PHASE_CONCEPTS: Mapping[str, PhaseConcept] = {
    "ratio": PhaseConcept(code="side-ratio", meaning="Region over its counterpart on the other side"),
    "rest_ratio": PhaseConcept(code="rest-ratio", meaning="Rest of the side over that of the other"),
    "extent_mm": PhaseConcept(code="extent", meaning="Length of what the phase shows"),
    "limit": PhaseConcept(code="ratio-limit", meaning="Side ratio beyond which a side is up"),
    "arrival_difference_s": PhaseConcept(code="arrival-diff", meaning="Arrival of the bolus, region less counterpart"),
    "slope_ratio": PhaseConcept(code="slope-ratio", meaning="Slope of the first rise, region over counterpart"),
    "joints_ratio": PhaseConcept(code="joints-ratio", meaning="Delayed ratio over the bone-rich half"),
}
"""By the name of the field of `PhaseFinding` or `PhaseReading`."""

PHASE_WORDS: Mapping[Phase, str] = {
    Phase.FLOW: "Blood flow",
    Phase.POOL: "Blood pool",
    Phase.DELAYED: "Delayed phase",
}
