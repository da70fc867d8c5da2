"""What a reading takes along when it leaves the house: DICOM objects, and no identity where none shall go.

::

    inputs, scan ─► taken_along ─► reading ─► report ─► dicom_files ─► folder
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bonescan.dicom import SourceFrame, SourceObject
    from bonescan.followup.series import Series
    from bonescan.reading.model import Reading
    from bonescan.reading.signing import Signature
    from bonescan.reading.three_phase.phases import PhaseReading
    from bonescan.scan import Scan, Source, ThreePhaseStudy

__all__ = [
    "DICOM_FOLDER",
    "Luggage",
    "comparison_files",
    "dicom_files",
    "dicom_names",
    "phase_files",
    "study_taken_along",
    "taken_along",
]

DICOM_FOLDER = "dicom_results"
"""The folder, within that of a reading, for its DICOM objects; it is replaced as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Luggage:
    """What leaves with a reading beside its report.

    Parameters
    ----------
    dicom : bool
        Whether DICOM objects of the reading do.
    frames : tuple of SourceFrame
        Where the views lie in the DICOM images to which those refer.
    objects : tuple of SourceObject
        The images of the phases of a three-phase study.
    copies : mapping of str to bytes
        The de-identified images, where they are.
    inputs : tuple of Path
        What was opened, where the images leave as they are.
    """

    dicom: bool
    frames: tuple[SourceFrame, ...] = ()
    objects: tuple[SourceObject, ...] = ()
    copies: Mapping[str, bytes] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()


def taken_along(inputs: Sequence[Path], scan: Scan, *, dicom: bool, deidentify: bool) -> tuple[Scan, Luggage]:
    """Find what a reading's objects will refer to, and take the person out, before anything is read.

    Parameters
    ----------
    inputs : sequence of Path
        What the scan was opened from.
    scan : Scan
    dicom, deidentify : bool
        What is asked for.

    Returns
    -------
    scan : Scan
        What shall be read: the same, or as its de-identified images tell it.
    luggage : Luggage

    Raises
    ------
    InvalidValue
        When DICOM objects are asked for and the scan was opened from pictures.
    """
    from bonescan.dicom import find_sources, without_identity

    from_dicom = any(source.sop_instance_uid for source in scan.sources)
    frames = find_sources(inputs, scan) if dicom or (deidentify and from_dicom) else ()
    if not deidentify:
        return scan, Luggage(dicom=dicom, frames=frames, inputs=tuple(inputs))
    done = without_identity(scan, frames, secrets.token_hex(16))
    return (
        replace(done.scan, remarks=(*scan.remarks, *done.remarks)),
        Luggage(dicom=dicom, frames=done.frames, copies=done.files),
    )


def dicom_files(
    reading: Reading, luggage: Luggage, rendered: Mapping[str, bytes], signature: Signature | None = None
) -> dict[str, bytes]:
    """Write the DICOM objects that were asked for, and list the study's objects in its FHIR.

    Parameters
    ----------
    reading : Reading
    luggage : Luggage
    rendered : mapping of str to bytes
        The report's files, of which the overlays and the PDF become objects too.
    signature : Signature, optional
        Of the physician who has verified the reading.

    Returns
    -------
    dict of str to bytes
        By name within the reading's folder; no object where none was asked for.
    """
    written: dict[str, bytes] = {}
    if luggage.dicom:
        from bonescan.dicom import write_results

        overlays = {
            view.name: rendered[f"overlay_{view.name}.png"]
            for view in reading.scan.views
            if f"overlay_{view.name}.png" in rendered
        }
        written = write_results(
            reading, luggage.frames, overlays=overlays, report_pdf=rendered.get("report.pdf"), signature=signature
        )
    return _packed(luggage, written, rendered, "fhir.json", reading.scan.sources)


def study_taken_along(
    inputs: Sequence[Path], study: ThreePhaseStudy, *, dicom: bool, deidentify: bool
) -> tuple[ThreePhaseStudy, Luggage]:
    """Do for a three-phase study what `taken_along` does for a scan.

    Parameters
    ----------
    inputs : sequence of Path
        What the study was opened from.
    study : ThreePhaseStudy
    dicom, deidentify : bool
        What is asked for.

    Returns
    -------
    study : ThreePhaseStudy
        What shall be read: the same, or as its de-identified images tell it.
    luggage : Luggage
    """
    from bonescan.dicom import find_objects, find_sources, study_without_identity
    from bonescan.scan import Phase

    if not dicom and not deidentify:
        return study, Luggage(dicom=False, inputs=tuple(inputs))
    whole = study.whole_body
    of_phases = [source for phase in Phase if (scan := study.of(phase)) is not None for source in scan.sources]
    if not deidentify:
        frames = () if whole is None else find_sources(inputs, whole)
        return study, Luggage(dicom=True, objects=find_objects(inputs, of_phases), frames=frames)
    objects = find_objects(inputs, [*of_phases, *(whole.sources if whole is not None else ())])
    done = study_without_identity(study, objects, secrets.token_hex(16))
    nameless, whole = done.study, done.study.whole_body
    if whole is not None:
        nameless = replace(nameless, whole_body=replace(whole, remarks=(*whole.remarks, *done.remarks)))
    luggage = Luggage(dicom=dicom, objects=done.objects, frames=done.frames, copies=done.files)
    return replace(nameless, remarks=(*study.remarks, *done.remarks)), luggage


def phase_files(reading: PhaseReading, luggage: Luggage, rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """Write the DICOM objects of a three-phase study that were asked for, and list the study's objects in its FHIR.

    Parameters
    ----------
    reading : PhaseReading
    luggage : Luggage
        Of `study_taken_along`.
    rendered : mapping of str to bytes
        The page's files, of which the plates and the PDF become objects too.

    Returns
    -------
    dict of str to bytes
        By name within the reading's folder; no object where none was asked for.
    """
    from bonescan.scan import Phase

    written: dict[str, bytes] = {}
    if luggage.dicom:
        from bonescan.dicom import write_phases

        written = write_phases(reading, luggage.objects, pictures=rendered, report_pdf=rendered.get("phases.pdf"))
    scans = [scan for phase in Phase if (scan := reading.study.of(phase)) is not None]
    return _packed(luggage, written, rendered, "phases_fhir.json", [one for scan in scans for one in scan.sources])


def _packed(
    luggage: Luggage,
    written: Mapping[str, bytes],
    rendered: Mapping[str, bytes],
    fhir: str,
    sources: Sequence[Source],
) -> dict[str, bytes]:
    """The objects in their folder, and the FHIR that lists them and the images, which are listed in any case."""
    objects = {**written, **luggage.copies} if luggage.dicom else {}
    files = {f"{DICOM_FOLDER}/{name}": content for name, content in objects.items()}
    if fhir in rendered:
        from bonescan.dicom import listed, listed_files, listed_inputs
        from bonescan.report.fhir_study import with_series

        images = listed([one.dataset for one in luggage.objects] + [one.dataset for one in luggage.frames])
        if not images and luggage.inputs:
            images = listed_inputs(luggage.inputs, sources)
        files[fhir] = with_series(rendered[fhir], (*images, *listed_files(written.values())))
    return files


def comparison_files(series: Series, inputs: Sequence[Path], rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """Write the DICOM objects of a comparison.

    Parameters
    ----------
    series : Series
    inputs : sequence of Path
        What the scans were opened from.
    rendered : mapping of str to bytes
        The comparison's files, of which the plates and the PDF become objects too.

    Returns
    -------
    dict of str to bytes
        By name within the comparison's folder.
    """
    from bonescan.dicom import find_objects, write_comparison

    newest_first = [source for study in reversed(series.studies) for source in study.scan.sources]
    objects = find_objects(inputs, newest_first)
    written = write_comparison(series, objects, pictures=rendered, report_pdf=rendered.get("comparison.pdf"))
    return {f"{DICOM_FOLDER}/{name}": content for name, content in written.items()}


def dicom_names(out: Path) -> tuple[str, ...]:
    """The DICOM objects in a reading's folder.

    Parameters
    ----------
    out : Path

    Returns
    -------
    tuple of str
        Names within it, in order; none where the folder holds none.
    """
    return tuple(f"{DICOM_FOLDER}/{path.name}" for path in sorted((out / DICOM_FOLDER).glob("*.dcm")))
