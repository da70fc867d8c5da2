"""The hospital door: what gamma cameras write becomes a scan, and a scan becomes what they write; nothing else does."""

from bonescan.dicom.deidentification import (
    Deidentified,
    DeidentifiedStudy,
    deidentified,
    study_without_identity,
    without_identity,
)
from bonescan.dicom.dialects import Dialect
from bonescan.dicom.listing import listed, listed_files, listed_inputs
from bonescan.dicom.modules import Filing
from bonescan.dicom.opening import open_scan
from bonescan.dicom.phases import open_phases
from bonescan.dicom.results import (
    ReportedReading,
    SourceFrame,
    SourceObject,
    find_objects,
    find_sources,
    read_comparison_report,
    read_phase_report,
    read_results,
    write_comparison,
    write_phases,
    write_results,
)
from bonescan.dicom.series import open_dynamic, open_tomographic
from bonescan.dicom.viewing import ImageSeries, Orientation, SeriesKind, image_series, phases_of
from bonescan.dicom.writing import write_dynamic, write_scan, write_tomographic

__all__ = [
    "Deidentified",
    "DeidentifiedStudy",
    "Dialect",
    "Filing",
    "ImageSeries",
    "Orientation",
    "ReportedReading",
    "SeriesKind",
    "SourceFrame",
    "SourceObject",
    "deidentified",
    "find_objects",
    "find_sources",
    "image_series",
    "listed",
    "listed_files",
    "listed_inputs",
    "open_dynamic",
    "open_phases",
    "open_scan",
    "open_tomographic",
    "phases_of",
    "read_comparison_report",
    "read_phase_report",
    "read_results",
    "study_without_identity",
    "without_identity",
    "write_comparison",
    "write_dynamic",
    "write_phases",
    "write_results",
    "write_scan",
    "write_tomographic",
]
