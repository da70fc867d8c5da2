"""What a reading becomes in an archive: DICOM objects that refer to the frames that were read, and the way back."""

from bonescan.dicom.results.bundle import RESULT_NAMES, ReportedReading, read_results, write_results
from bonescan.dicom.results.pages import (
    COMPARISON_RESULT_NAMES,
    PHASE_RESULT_NAMES,
    read_comparison_report,
    read_phase_report,
    write_comparison,
    write_phases,
)
from bonescan.dicom.results.sources import SourceFrame, SourceObject, find_objects, find_sources

__all__ = [
    "COMPARISON_RESULT_NAMES",
    "PHASE_RESULT_NAMES",
    "RESULT_NAMES",
    "ReportedReading",
    "SourceFrame",
    "SourceObject",
    "find_objects",
    "find_sources",
    "read_comparison_report",
    "read_phase_report",
    "read_results",
    "write_comparison",
    "write_phases",
    "write_results",
]
