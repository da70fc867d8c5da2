"""The journey of a series: two or more scans of one person, read, followed and compared.

::

    studies ─► dicom.open_scan ─► reading.read ─► followup.follow ─► report.render_comparison ─► folder
    readings of an archive ─► stored_reading ─────┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from bonescan.errors import InvalidValue
from bonescan.journeys import clinic
from bonescan.journeys.exporting import DICOM_FOLDER, comparison_files, dicom_names
from bonescan.journeys.files import staged

if TYPE_CHECKING:
    from datetime import date

    from bonescan.followup.series import Series
    from bonescan.scan import PatientFacts, Scan

__all__ = [
    "COMPARISON_NAMES",
    "MAPS_NAME",
    "compare_readings",
    "compare_studies",
    "comparison_manifest",
    "comparison_summary",
]

MAPS_NAME = "maps.npz"
"""What an archive's comparison has beside the others' files, for pages: see `bonescan.report.comparison_maps`."""

COMPARISON_NAMES = (
    "comparison.json",
    "comparison.html",
    "comparison.pdf",
    "comparison.png",
    "comparison_changes.png",
    "comparison_timeline.png",
    "comparison_blink.gif",
)
"""Every file name that belongs to a comparison; no other file in a folder is ever touched."""


def compare_studies(
    inputs: Sequence[Path],
    out: Path,
    *,
    treatment_start: date | None = None,
    injured_on: date | None = None,
    same_person: bool = False,
    dicom_results: bool = False,
    language: str = "en",
    progress: clinic.Progress = lambda _: None,
) -> Series:
    """Read two or more bone scans of one person, compare them, and write the comparison into a folder.

    Parameters
    ----------
    inputs : sequence of Path
        One study each: a DICOM file, a folder or a zip; in any order, they are sorted by date.
    out : Path
        Folder for the results; made when absent. An earlier comparison in it is replaced as a whole.
    treatment_start : date, optional
        First day of the present treatment, for PCWG3.
    injured_on : date, optional
        Day of an injury, for the healing of fractures.
    same_person : bool
        Go on where the files name different people.
    dicom_results : bool
        Also write the comparison as DICOM objects of the current scan's study, into the folder `DICOM_FOLDER`.
    language : str
        Of the pages and pictures, one of `bonescan.report.language.report_languages`.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    Series

    Raises
    ------
    InvalidValue
        For fewer than two studies, one given twice, files that name different people, or no such language.
    UnreadableInput, NotABoneScan
        When a study is not a bone scan that can be read.
    LabellingFailed
        When the skeleton cannot be fitted.
    OutputFailed
        When `out` cannot be written; an earlier comparison in it is then intact.
    """
    if len(inputs) < 2:
        raise InvalidValue(
            f"A comparison needs two studies of one person at least, got {len(inputs)}; name an earlier or later one.",
            got=len(inputs),
        )
    clinic.report_language(language)
    progress("Opening the files")
    from bonescan import dicom, reading
    from bonescan.followup import Study, compare
    from bonescan.followup.series import follow, in_order
    from bonescan.report.comparison import render_comparison

    written = [out / name for name in (*COMPARISON_NAMES, *dicom_names(out))]
    clinic.refuse_to_overwrite(inputs, written)
    scans = [dicom.open_scan([path], leave_out=written) for path in inputs]
    _check_told_apart(scans)
    if not same_person:
        _check_one_person(scans)
    if dicom_results and not all(source.sop_instance_uid for scan in scans for source in scan.sources):
        raise InvalidValue("DICOM results refer to the DICOM images they were read from; compare without --dicom.")
    with staged(out, (*COMPARISON_NAMES, DICOM_FOLDER), folders=(DICOM_FOLDER,)) as place:
        studies = []
        for number, scan in enumerate(scans, start=1):
            progress(f"Reading scan {number} of {len(scans)}")
            studies.append(Study.of(reading.read(scan)))
        progress("Comparing the scans")
        series = follow(in_order(studies), compare, treatment_start=treatment_start, injured_on=injured_on)
        progress("Writing the report")
        files = render_comparison(series, language)
        place(files | comparison_files(series, inputs, files) if dicom_results else files)
    return series


def compare_readings(
    readings: Sequence[tuple[Sequence[Path], Path]], out: Path, *, progress: clinic.Progress = lambda _: None
) -> Series:
    """Compare readings that an archive keeps, and write the comparison into a folder.

    Nothing is read anew, and what a physician has changed counts. That they are of one person is the archive's to know.

    Parameters
    ----------
    readings : sequence of (sequence of Path, Path)
        By date, the last two being prior and current: a study's files, and the folder of its reading.
    out : Path
        Folder for the results.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    Series

    Raises
    ------
    InvalidValue
        For fewer than two readings, the same images twice, or scans that were made in another order.
    UnreadableInput
        When a reading keeps no state, as those of earlier versions: have its study read again.
    """
    from bonescan.followup import Study, compare
    from bonescan.followup.series import follow, in_order
    from bonescan.journeys.revising import stored_reading
    from bonescan.report.comparison import render_comparison
    from bonescan.report.comparison_maps import comparison_maps

    with staged(out, (*COMPARISON_NAMES, MAPS_NAME)) as place:
        studies = []
        for number, (files, folder) in enumerate(readings, start=1):
            progress(f"Opening reading {number} of {len(readings)}")
            studies.append(Study.of(stored_reading(files, folder)))
        _check_told_apart([study.scan for study in studies])
        if any(one is not other for one, other in zip(in_order(studies), studies, strict=True)):
            raise InvalidValue("The scans were made in another order than the dates of their studies say.")
        progress("Comparing the scans")
        series = follow(studies, compare)
        progress("Writing the report")
        place(render_comparison(series) | {MAPS_NAME: comparison_maps(series.latest)})
    return series


def _check_told_apart(scans: Sequence[Scan]) -> None:
    """Refuse one study given twice: its comparison with itself would look like good news."""
    seen: dict[str, int] = {}
    for number, scan in enumerate(scans, start=1):
        images = {mark for source in scan.sources for mark in (source.sha256, source.sop_instance_uid) if mark}
        for first in (seen[mark] for mark in images if mark in seen):
            raise InvalidValue(
                f"Inputs {first} and {number} are the same files, wholly or in part: a comparison needs two different "
                "scans.",
                first=first,
                second=number,
            )
        seen |= dict.fromkeys(images, number)


def _check_one_person(scans: Sequence[Scan]) -> None:
    """Refuse studies whose headers name different people, without quoting any name."""
    named = [_named(scan.patient) for scan in scans]
    for (one, before), (number, own) in combinations(enumerate(named, start=1), 2):
        differ = [what for what, text in own.items() if text and before[what] and text != before[what]]
        if differ:
            raise InvalidValue(
                f"Inputs {one} and {number} differ in {' and '.join(differ)}, so they may be of two people; look at "
                "both files, and if it is one person say so with --same-person.",
                differ=differ,
            )


def _named(patient: PatientFacts) -> dict[str, str]:
    """What tells people apart, written so that spelling does not."""
    from bonescan.followup.spelling import same_name, same_sex, same_words

    return {
        "patient ID": same_words(patient.patient_id),
        "name": same_name(patient.name),
        "birth date": str(patient.birth_date or ""),
        "sex": same_sex(patient.sex),
    }


def comparison_summary(series: Series) -> dict[str, object]:
    """Say the main results of a comparison in plain values, without any patient identity.

    Parameters
    ----------
    series : Series

    Returns
    -------
    dict
        Ready for JSON. ``comparison.json`` has the whole.
    """
    latest, progression, letters = series.latest, series.progression, series.letters
    index = latest.bone_scan_index
    return {
        "scans": [
            {
                "on": None if study.on is None else str(study.on),
                "bone_scan_index_percent": study.reading.burden.bone_scan_index_percent.value,
                "state": state.state.value,
                "new": list(state.new),
            }
            for study, state in zip(series.studies, progression.scans, strict=True)
        ],
        "pcwg3": {
            "state": progression.state.value,
            "progressed_on": None if progression.progressed_on is None else str(progression.progressed_on),
            "text": progression.text,
            "next_step": progression.next_step,
            "cautions": list(progression.cautions),
        },
        "lesions": [
            {
                "letter": letters[lesion.id],
                "place": lesion.place,
                "kind": lesion.kind.value,
                "trend": lesion.trend.value,
                "brightness": lesion.brightness.value,
                "significance": lesion.significance,
                "likelihood": lesion.likelihood.value,
                "faint_place": lesion.is_place,
            }
            for lesion in latest.lesions
        ],
        "to_look_at": [{"letter": letters[one.id], "place": one.place} for one in latest.unmarked],
        "bone_scan_index_change": {
            "difference_percent": index.change.difference.value,
            "as_read_percent": index.as_read.difference.value,
            "flagged": index.flagged,
            "text": index.text,
        },
        "lesion_area_change": {"percent": series.area.change_percent.value, "text": series.area.text},
        "comparable": {
            "withholds_burden": latest.comparability.withholds_burden,
            "reasons": list(latest.comparability.reasons),
        },
    }


def comparison_manifest(series: Series, out: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """Record how a comparison in a folder came about, without any patient identity.

    Parameters
    ----------
    series : Series
    out : Path
        The folder `compare_studies` has just written.
    settings : mapping
        What was asked for; paths and names do not belong here.

    Returns
    -------
    dict
        As from `bonescan.journeys.manifest`, with the inputs of every scan.
    """
    digests = [source.sha256 for study in series.studies for source in study.scan.sources]
    return clinic.run_record(
        out,
        (*COMPARISON_NAMES, *dicom_names(out)),
        settings=settings,
        digests=dict.fromkeys(digests),
        more_versions=series.latest.current.reading.versions,
    )
