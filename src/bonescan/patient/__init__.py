"""The digital patient: a body with organs, tracer, lesions and what misleads, and the truth about them."""

from bonescan.patient.cohort import COHORTS, Cohort, draw_patient, draw_scenario
from bonescan.patient.focus import Focus
from bonescan.patient.lesions import Lesion, LesionKind, Nature
from bonescan.patient.person import Person, draw_person
from bonescan.patient.scenario import Finding, Motion, Protocol, Scenario, compose
from bonescan.patient.scenario_file import packaged_scenario, read_scenario, scenario_names
from bonescan.patient.volumes import Patient, Truth, Volumes

__all__ = [
    "COHORTS",
    "Cohort",
    "Finding",
    "Focus",
    "Lesion",
    "LesionKind",
    "Motion",
    "Nature",
    "Patient",
    "Person",
    "Protocol",
    "Scenario",
    "Truth",
    "Volumes",
    "compose",
    "draw_patient",
    "draw_person",
    "draw_scenario",
    "packaged_scenario",
    "read_scenario",
    "scenario_names",
]
