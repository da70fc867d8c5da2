"""The journey of a reading under a physician's hand: opened, edited, written and signed; nothing is read twice.

::

    reading's folder ─► OpenedStudy ─► revised(edits) ─► write_revision ─► folder of the next version
    files ──────────────────┘
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.errors import InvalidValue, UnreadableInput
from bonescan.journeys import clinic
from bonescan.journeys.clinic import EDITS_NAME, STATE_NAME, Progress
from bonescan.journeys.exporting import DICOM_FOLDER, dicom_files, dicom_names, taken_along
from bonescan.journeys.files import staged, write_file
from bonescan.journeys.reports import comparison_beside

if TYPE_CHECKING:
    from bonescan.reading.case import Case
    from bonescan.reading.edits import Edit
    from bonescan.reading.model import Reading
    from bonescan.reading.signing import Amends, Signature
    from bonescan.report.physician import PhysicianText
    from bonescan.scan import Scan

__all__ = [
    "EDITS_NAME",
    "STATE_NAME",
    "OpenedStudy",
    "amended",
    "opened",
    "record_of",
    "stored_reading",
    "write_revision",
]


_RECORD_NAME = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedStudy:
    """One reading of the archive, ready for edits.

    Parameters
    ----------
    case : Case
        The reader's own version.
    earlier : tuple of mapping
        Edits that the opened version holds already; those of a draft are appended to them.
    of_version : int
        That these edits were made to; 0 where the opened version is the reader's own.
    by : str
        Who made them.
    """

    case: Case
    earlier: tuple[Mapping[str, Any], ...] = ()
    of_version: int = 0
    by: str = ""

    def revised(self, edits: Sequence[Mapping[str, Any]], *, of_version: int = 0, by: str = "") -> Reading:
        """The reading after edits, in their plain form; without any exactly the stored one.

        Parameters
        ----------
        edits : sequence of mapping
            Made to the opened version.
        of_version : int
            Its number in the archive.
        by : str
            Who makes them.

        Returns
        -------
        Reading

        Raises
        ------
        InvalidValue
            For an edit that cannot be made; ``facts["edit"]`` is its place in `edits`.
        """
        from bonescan.reading.edits import Delete
        from bonescan.reading.model import Revision
        from bonescan.reading.revision import edit_of, plain, revise
        from bonescan.reading.tracking import identities, numbered

        if not edits:
            of_version, by = self.of_version, self.by
        every: list[Edit] = []
        for place, told in enumerate((*self.earlier, *edits)):
            try:
                every.append(edit_of(told))
            except InvalidValue as error:
                raise _placed(error, place - len(self.earlier)) from error
        read = self.case.reading.findings
        try:
            every = list(numbered(every, {one.id for one in read}))
            reading = revise(self.case, every)
        except InvalidValue as error:
            raise _placed(error, error.facts["edit"] - len(self.earlier)) from error  # type: ignore[operator]
        if not every and not by:
            return reading
        told_apart = identities(read, every)
        gone = {edit.finding for edit in every if isinstance(edit, Delete)}
        revision = Revision(
            of_version=of_version,
            edits=tuple(plain(edit) for edit in every),
            by=by,
            identities={one.id: told_apart[one.id] for one in reading.findings},
            removed=tuple(one.place for one in read if one.id in gone),
        )
        return replace(reading, revision=revision)


def _placed(error: InvalidValue, place: int) -> InvalidValue:
    return InvalidValue(str(error), **{**error.facts, "edit": place})


def opened(inputs: Sequence[Path], reading_folder: Path) -> OpenedStudy:
    """Open a reading of the archive for edits.

    Parameters
    ----------
    inputs : sequence of Path
        The study's files.
    reading_folder : Path
        Of the version that is edited, the reader's own or a revision.

    Returns
    -------
    OpenedStudy

    Raises
    ------
    UnreadableInput
        When the folder keeps no state, one of another format, or one of other files than these.
    NotABoneScan
        When the files are none.
    """
    content = _read(reading_folder / STATE_NAME)
    if content is None:
        raise UnreadableInput(
            "This reading was not kept for editing: it is an older one, or holds no bone scan; read the study again.",
            expected=STATE_NAME,
        )
    from bonescan.reading.state import kept_again

    case = kept_again(content, _scan(inputs))
    told = _read(reading_folder / EDITS_NAME)
    if told is None:
        return OpenedStudy(case=case)
    try:
        made = json.loads(told)
        return OpenedStudy(
            case=case, earlier=tuple(made["edits"]), of_version=int(made["of_version"]), by=str(made["by"])
        )
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnreadableInput(
            f"The {EDITS_NAME} of this reading cannot be read; edit an earlier version.", expected=EDITS_NAME
        ) from error


def _scan(inputs: Sequence[Path]) -> Scan:
    """The bone scan among a study's files, as it was opened to be read."""
    from bonescan import dicom

    study = dicom.open_phases(inputs)
    if study is None:
        return dicom.open_scan(inputs)
    if study.whole_body is None:
        raise UnreadableInput("The study holds phases of one place alone; there is no bone scan's reading to edit.")
    return study.whole_body


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableInput(f"The file {path.name} cannot be read; check that it is there.") from error


def stored_reading(inputs: Sequence[Path], reading_folder: Path) -> Reading:
    """A reading of the archive as a value again, revised where it was; nothing is read anew.

    Parameters
    ----------
    inputs : sequence of Path
    reading_folder : Path

    Returns
    -------
    Reading

    Raises
    ------
    UnreadableInput
        As `opened`.
    """
    return opened(inputs, reading_folder).revised(())


def record_of(reading: Reading) -> dict[str, Any]:
    """A reading as ``reading.json`` holds it, without a picture being made.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    dict
        Ready for JSON.
    """
    from bonescan.report.maps import finding_map
    from bonescan.report.record import reading_record

    return reading_record(reading, {view.name: finding_map(view, reading.findings) for view in reading.scan.views})


def amended(reading_folder: Path, *, version: int, reason: str) -> Amends:
    """What an amendment says of the signed version it replaces.

    Parameters
    ----------
    reading_folder : Path
        Of the signed version.
    version : int
        Its number in the archive.
    reason : str
        Why it is amended.

    Returns
    -------
    Amends

    Raises
    ------
    InvalidValue
        When that version is not signed, or no reason is given.
    UnreadableInput
        When its text or its structured report cannot be read.
    """
    from bonescan.dicom.indexing import index_facts
    from bonescan.reading.signing import Amends
    from bonescan.report.physician import TEXT_NAME, read_text

    content = _read(reading_folder / TEXT_NAME)
    told = None if content is None else read_text(content)
    if told is None or told.signed_at is None:
        raise InvalidValue(f"Version {version} is not signed, so there is nothing to amend.", version=version)
    report = reading_folder / DICOM_FOLDER / "measurements_sr.dcm"
    known = index_facts(report).attributes if report.is_file() else {}
    return Amends(
        version=version,
        signed_at=told.signed_at,
        reason=reason,
        study_uid=known.get("StudyInstanceUID", ""),
        series_uid=known.get("SeriesInstanceUID", ""),
        sop_instance_uid=known.get("SOPInstanceUID", ""),
    )


def write_revision(
    inputs: Sequence[Path],
    reading_folder: Path,
    out: Path,
    *,
    edits: Sequence[Mapping[str, Any]],
    of_version: int,
    by: str,
    text: PhysicianText,
    signature: Signature | None,
    language: str = "en",
    compared: Path | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, object]:
    """Write the whole reading after a physician's edits, with the text and, where it is signed, the signature.

    Parameters
    ----------
    inputs : sequence of Path
        The study's files.
    reading_folder : Path
        Of the version that was edited.
    out : Path
        Folder for the new version.
    edits : sequence of mapping
        Made to that version, in their plain form.
    of_version : int
        Number of that version in the archive.
    by : str
        The physician's name.
    text : PhysicianText
        What the physician has written; it is signed here.
    signature : Signature, optional
        ``None`` leaves the report a draft.
    language : str
        Of the report.
    compared : Path, optional
        Folder of the comparison of this scan with the one before, of which the report tells.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    dict
        As `bonescan.journeys.study_summary`, without what the phases of one place say: their pages are copied.

    Raises
    ------
    InvalidValue
        For an edit that cannot be made, a text of another study, or one that cannot be signed.
    UnreadableInput
        As `opened`.
    OutputFailed
        When `out` cannot be written.
    """
    from bonescan.reading.model import Revision
    from bonescan.report.physician import TEXT_NAME, text_bytes
    from bonescan.report.record import json_bytes

    tongue = clinic.report_language(language)
    progress("Opening the reading")
    study = opened(inputs, reading_folder)
    edited = study.revised(edits)
    revision = edited.revision or Revision(of_version=of_version, edits=(), by=by)
    made = revision.edits
    reading = replace(edited, revision=replace(revision, of_version=of_version, by=by))
    if signature is not None:
        text = text.signed(signature)
    text.checked_for(record_of(reading))
    comparison = None if compared is None else comparison_beside(compared, reading.scan.study_uid)
    from_dicom = any(source.sop_instance_uid for source in reading.scan.sources)
    _, luggage = taken_along(inputs, reading.scan, dicom=from_dicom, deidentify=False)
    with staged(out, clinic.replaced_names(), folders=(DICOM_FOLDER,)) as place:
        progress("Writing the report")
        files = clinic.rendered(
            reading, fhir=True, tables=False, language=language, text=text, signature=signature, comparison=comparison
        )
        files |= dicom_files(reading, luggage, files, signature)
        files |= {
            **_of_phases(reading_folder),
            **clinic.kept_state(study.case),
            TEXT_NAME: text_bytes(text, tongue),
            EDITS_NAME: json_bytes({"of_version": of_version, "edits": list(made), "by": by}),
        }
        place(files)
    record = clinic.manifest(reading, out, {"command": "archive", "dicom": from_dicom, "of_version": of_version})
    write_file(out / _RECORD_NAME, json.dumps(record, indent=2, default=str).encode())
    return clinic.summary(reading)


def _of_phases(reading_folder: Path) -> dict[str, bytes]:
    """The pages and objects of early phases, which no edit changes."""
    from bonescan.dicom.results import RESULT_NAMES

    objects = [name for name in dicom_names(reading_folder) if name.rpartition("/")[2] not in RESULT_NAMES]
    found = {name: _read(reading_folder / name) for name in (*clinic.PHASE_NAMES, *objects)}
    return {name: content for name, content in found.items() if content is not None}
