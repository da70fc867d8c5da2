"""The phases of one place, and the comparison of two scans, as DICOM objects: plates, pages, measurements, what is key.

Both rest on whole objects rather than on single frames: a flow is many frames, and a comparison is of two studies.
Their structured reports are read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bonescan.dicom.results.captures import document, pixels_of, plate
from bonescan.dicom.results.display import key_note
from bonescan.dicom.results.heading import Reference, encoded, reference_to
from bonescan.dicom.results.reports import only_report, opened
from bonescan.dicom.results.sources import SourceObject

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from bonescan.dicom.results.comparison_report import ReportedComparison
    from bonescan.dicom.results.phase_report import ReportedPhases
    from bonescan.followup.series import Series
    from bonescan.reading.three_phase.phases import PhaseReading

__all__ = [
    "COMPARISON_RESULT_NAMES",
    "PHASE_RESULT_NAMES",
    "read_comparison_report",
    "read_phase_report",
    "write_comparison",
    "write_phases",
]

_PHASE_PLATES = {"phases": "Flow, pool and delayed views.", "phases_curves": "Counts a second over time."}
_COMPARISON_PLATES = {
    "comparison": "Prior and current scan in one scale.",
    "comparison_changes": "More uptake than before in red, less in blue.",
    "comparison_timeline": "Bone Scan Index and lesions over the scans' dates.",
}
PHASE_RESULT_NAMES = ("phases_sr.dcm", "phases_pdf.dcm", *(f"{name}.dcm" for name in _PHASE_PLATES), "phases_key.dcm")
"""Every name an object of a three-phase study may have."""

COMPARISON_RESULT_NAMES = (
    "comparison_sr.dcm",
    "comparison_pdf.dcm",
    *(f"{name}.dcm" for name in _COMPARISON_PLATES),
    "comparison_key.dcm",
)
"""Every name an object of a comparison may have."""


def write_phases(
    reading: PhaseReading,
    sources: Sequence[SourceObject],
    *,
    pictures: Mapping[str, bytes] | None = None,
    report_pdf: bytes | None = None,
) -> dict[str, bytes]:
    """Write the reading of a three-phase study as DICOM objects.

    Parameters
    ----------
    reading : PhaseReading
    sources : sequence of SourceObject
        From `find_objects`: flow, pool and delayed views.
    pictures : mapping of str to bytes, optional
        PNG files by name: ``phases.png`` and ``phases_curves.png`` become objects.
    report_pdf : bytes, optional

    Returns
    -------
    dict of str to bytes
        By names of `PHASE_RESULT_NAMES`.
    """
    from bonescan.dicom.results.phase_report import phase_report

    report = phase_report(reading, sources)
    title = "Three-phase bone scan reading"
    return _bundle("phases", sources, report, _PHASE_PLATES, pictures or {}, report_pdf, title)


def read_phase_report(contents: Iterable[bytes]) -> ReportedPhases:
    """Read the objects of a three-phase study back.

    Parameters
    ----------
    contents : iterable of bytes
        Files of `write_phases`: the structured report; others are passed over.

    Returns
    -------
    ReportedPhases

    Raises
    ------
    UnreadableInput
        For files that are not DICOM or not written by bonescan, and where no or more than one structured report is
        among them.
    """
    from bonescan.dicom.results.phase_report import reported_phases

    return reported_phases(only_report(opened(contents)))


def write_comparison(
    series: Series,
    sources: Sequence[SourceObject],
    *,
    pictures: Mapping[str, bytes] | None = None,
    report_pdf: bytes | None = None,
) -> dict[str, bytes]:
    """Write the comparison of a series as DICOM objects of the current scan's study.

    Parameters
    ----------
    series : Series
    sources : sequence of SourceObject
        From `find_objects`: those of the current scan first, then those of the earlier ones.
    pictures : mapping of str to bytes, optional
        PNG files that become objects: ``comparison.png``, ``comparison_changes.png`` and ``comparison_timeline.png``.
    report_pdf : bytes, optional

    Returns
    -------
    dict of str to bytes
        By names of `COMPARISON_RESULT_NAMES`.
    """
    from bonescan.dicom.results.comparison_report import comparison_report

    report = comparison_report(series, sources)
    return _bundle(
        "comparison", sources, report, _COMPARISON_PLATES, pictures or {}, report_pdf, "Bone scan comparison"
    )


def read_comparison_report(contents: Iterable[bytes]) -> ReportedComparison:
    """Read the objects of a comparison back.

    Parameters
    ----------
    contents : iterable of bytes
        Files of `write_comparison`: the structured report; others are passed over.

    Returns
    -------
    ReportedComparison

    Raises
    ------
    UnreadableInput
        As `read_phase_report`.
    """
    from bonescan.dicom.results.comparison_report import reported_comparison

    return reported_comparison(only_report(opened(contents)))


def _bundle(
    stem: str,
    sources: Sequence[SourceObject],
    report: Dataset,
    plates: Mapping[str, str],
    pictures: Mapping[str, bytes],
    report_pdf: bytes | None,
    title: str,
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    referred: list[Reference] = []

    def add(name: str, dataset: Dataset) -> None:
        files[name] = encoded(dataset)
        referred.append(reference_to(dataset))

    add(f"{stem}_sr.dcm", report)
    for number, (name, shows) in enumerate(plates.items(), start=1):
        if f"{name}.png" in pictures:
            add(f"{name}.dcm", plate(sources, pixels_of(pictures[f"{name}.png"]), number, shows))
    if report_pdf is not None:
        add(f"{stem}_pdf.dcm", document(sources, report_pdf, title))
    results = tuple(referred)
    add(f"{stem}_key.dcm", key_note(sources, f"{title}, by bonescan.", results, (), results))
    return files
