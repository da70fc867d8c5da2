"""Whatever study the files are: a bone scan, the phases of one place, or both; read as what it is.

::

    files ─► dicom.open_phases ─► reading.read_phases ─► report.render_phases ─► folder
                │ none there                                                      ▲
                └────────► clinic.read ───────────────────────────────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bonescan.journeys import clinic
from bonescan.journeys.exporting import DICOM_FOLDER, dicom_files, phase_files, study_taken_along
from bonescan.journeys.files import staged
from bonescan.journeys.reports import text_for

if TYPE_CHECKING:
    from bonescan.reading.model import Reading
    from bonescan.reading.three_phase.phases import PhaseReading
    from bonescan.scan import ViewName

__all__ = ["StudyReading", "read_study", "study_manifest", "study_summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReading:
    """What was read in one study.

    Parameters
    ----------
    reading : Reading or None
        Of a bone scan; ``None`` where the study holds phases of one place alone.
    phases : PhaseReading or None
        Of flow, pool and delayed views; ``None`` where there are none.
    """

    reading: Reading | None
    phases: PhaseReading | None


def read_study(
    inputs: Sequence[Path],
    out: Path,
    *,
    view: ViewName | None = None,
    flip: bool = False,
    pixel_mm: float | None = None,
    side: str | None = None,
    dicom_results: bool = False,
    deidentify: bool = False,
    fhir: bool = False,
    tables: bool = False,
    language: str = "en",
    keep_state: bool = False,
    progress: clinic.Progress = lambda _: None,
) -> StudyReading:
    """Read one study from files, whatever it holds, and write all of it into a folder.

    Parameters
    ----------
    inputs : sequence of Path
        The files, folders or zips of ONE study.
    out : Path
        Folder for the results; made when absent. An earlier reading in it is replaced as a whole.
    view, flip, pixel_mm, dicom_results, deidentify
        As for `bonescan.journeys.read`.
    side : str, optional
        The patient's side with symptoms, ``"left"`` or ``"right"``, for the phases.
    fhir, tables : bool
        As for `bonescan.journeys.read`; the phases have no rows.
    language : str
        As for `bonescan.journeys.read`; the page on phases speaks it too.
    keep_state : bool
        As for `bonescan.journeys.read`.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    StudyReading

    Raises
    ------
    UnreadableInput, NotABoneScan, InvalidValue
        When the files are no study that can be read.
    LabellingFailed
        When the skeleton cannot be fitted to a bone scan.
    OutputFailed
        When `out` cannot be written; an earlier reading in it is then intact.
    """
    from bonescan import dicom

    written = clinic.earlier_results(out)
    clinic.refuse_to_overwrite(inputs, written)
    study = dicom.open_phases(inputs, view=view, flip=flip, pixel_mm=pixel_mm, leave_out=written)
    if study is None:
        if side is not None:
            progress("There are no early phases: the side with symptoms has no meaning here")
        reading = clinic.read(
            inputs,
            out,
            view=view,
            flip=flip,
            pixel_mm=pixel_mm,
            dicom_results=dicom_results,
            deidentify=deidentify,
            fhir=fhir,
            tables=tables,
            language=language,
            keep_state=keep_state,
            progress=progress,
        )
        return StudyReading(reading=reading, phases=None)
    from bonescan import reading as reader
    from bonescan.reading.three_phase.phases import read_phases
    from bonescan.report.phase_fhir import phase_fhir_bytes
    from bonescan.report.phases import render_phases

    clinic.report_language(language)
    study, luggage = study_taken_along(inputs, study, dicom=dicom_results, deidentify=deidentify)
    text = None if study.whole_body is None else text_for(out, study.whole_body.study_uid)
    with staged(out, clinic.replaced_names(), folders=(DICOM_FOLDER,)) as place:
        phases = read_phases(study, side=side, progress=progress)
        case = None if study.whole_body is None else reader.read_case(study.whole_body, progress=progress)
        whole = None if case is None else case.reading
        progress("Writing the report")
        files = render_phases(phases, language)
        if fhir:
            files["phases_fhir.json"] = phase_fhir_bytes(phases)
        files |= phase_files(phases, luggage, files)
        if whole is not None:
            files |= clinic.rendered(whole, fhir=fhir, tables=tables, language=language, text=text)
            files |= dicom_files(whole, luggage, files)
        if case is not None and keep_state:
            files |= clinic.kept_state(case)
        place(files)
    return StudyReading(reading=whole, phases=phases)


def study_summary(study: StudyReading) -> dict[str, object]:
    """Say the main results of a study in plain values, without any patient identity.

    Parameters
    ----------
    study : StudyReading

    Returns
    -------
    dict
        Ready for JSON: what `bonescan.journeys.summary` says of a bone scan, and ``phases``.
    """
    said: dict[str, object] = {} if study.reading is None else clinic.summary(study.reading)
    phases = study.phases
    if phases is None:
        return said
    said["phases"] = {
        "side": None if phases.region is None else phases.region.side,
        "calls": {
            str(finding.phase): {
                "call": None if finding.call is None else str(finding.call),
                "ratio": finding.ratio.value,
                "uncertainty": finding.ratio.uncertainty,
                "absent_reason": finding.ratio.absent_reason,
            }
            for finding in phases.findings
        },
        "fits": [one.code for one in phases.explanations if one.fits],
        "agreement": {one.code: round(one.agreement, 4) for one in phases.explanations},
        "sentences": list(phases.sentences),
        "advice": list(phases.advice),
    }
    return said


def study_manifest(study: StudyReading, out: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """Record how the reading of a study came about, without any patient identity.

    Parameters
    ----------
    study : StudyReading
    out : Path
        The folder `read_study` has just written.
    settings : mapping
        What the reading was asked for; paths and names do not belong here.

    Returns
    -------
    dict
        As from `bonescan.journeys.manifest`, with the inputs of every phase.
    """
    read = study.phases.study if study.phases is not None else None
    scans = [study.reading.scan] if study.reading is not None else []
    parts = [read.flow, read.pool, read.delayed] if read is not None else []
    digests = [source.sha256 for part in (*scans, *parts) if part is not None for source in part.sources]
    return clinic.run_record(
        out,
        [path.relative_to(out).as_posix() for path in clinic.earlier_results(out)],
        settings=settings,
        digests=dict.fromkeys(digests),
        more_versions=study.reading.versions if study.reading is not None else None,
    )
