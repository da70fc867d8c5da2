"""What a reading becomes in an archive: DICOM objects that refer to the frames that were read, and the way back."""

from bonescan.dicom.results.bundle import RESULT_NAMES, ReportedReading, read_results, write_results
from bonescan.dicom.results.sources import SourceFrame, find_sources

__all__ = [
    "RESULT_NAMES",
    "ReportedReading",
    "SourceFrame",
    "find_sources",
    "read_results",
    "write_results",
]
