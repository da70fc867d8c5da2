"""Whole journeys through the house: the only place where rooms that do not know each other meet, and meet the disk."""

from bonescan.journeys.clinic import (
    OUTPUT_NAMES,
    PHASE_NAMES,
    Progress,
    demo,
    example_scan,
    manifest,
    plan,
    read,
    summary,
)
from bonescan.journeys.cohorts import CohortFolder, simulate_cohort
from bonescan.journeys.comparing import (
    COMPARISON_NAMES,
    MAPS_NAME,
    compare_readings,
    compare_studies,
    comparison_manifest,
    comparison_summary,
)
from bonescan.journeys.evaluating import EvaluatedFolder, evaluate, evaluation_manifest
from bonescan.journeys.exporting import DICOM_FOLDER, dicom_names
from bonescan.journeys.files import write_file
from bonescan.journeys.leaflets import leaflet
from bonescan.journeys.reports import report
from bonescan.journeys.simulation import (
    COHORT,
    Phantom,
    Settings,
    SimulatedStudy,
    scenario_list,
    simulate,
    simulation_manifest,
    simulation_summary,
)
from bonescan.journeys.three_phase import StudyReading, read_study, study_manifest, study_summary

__all__ = [
    "COHORT",
    "COMPARISON_NAMES",
    "DICOM_FOLDER",
    "MAPS_NAME",
    "OUTPUT_NAMES",
    "PHASE_NAMES",
    "CohortFolder",
    "EvaluatedFolder",
    "Phantom",
    "Progress",
    "Settings",
    "SimulatedStudy",
    "StudyReading",
    "compare_readings",
    "compare_studies",
    "comparison_manifest",
    "comparison_summary",
    "demo",
    "dicom_names",
    "evaluate",
    "evaluation_manifest",
    "example_scan",
    "leaflet",
    "manifest",
    "plan",
    "read",
    "read_study",
    "report",
    "scenario_list",
    "simulate",
    "simulate_cohort",
    "simulation_manifest",
    "simulation_summary",
    "study_manifest",
    "study_summary",
    "summary",
    "write_file",
]
