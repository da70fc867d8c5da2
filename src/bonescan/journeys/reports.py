"""The report made anew of a reading's folder: another language, or what a physician has written since.

Nothing is measured again: ``reading.json`` says what was, ``report_pictures.json`` how it looks, ``report_text.toml``
what a physician makes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.errors import OutputFailed, UnreadableInput
from bonescan.journeys.files import staged

if TYPE_CHECKING:
    from bonescan.report.illustrations import Illustrations
    from bonescan.report.physician import PhysicianText

__all__ = ["comparison_beside", "reading_json", "report", "text_for"]


def report(reading: Path, out: Path, *, language: str = "en", text: Path | None = None) -> dict[str, Path]:
    """Make the report of a reading anew.

    Parameters
    ----------
    reading : Path
        Folder that `bonescan.journeys.read` has written; neither its scan nor the network is needed. Where it holds a
        ``comparison.json`` of this scan with an earlier one, the report says what changed.
    out : Path
        Folder for the report, which may be the same; made when absent. An earlier report in it is replaced, other
        files stay.
    language : str
        One of `bonescan.report.language.report_languages`.
    text : Path, optional
        The physician's text; by default the ``report_text.toml`` of `out`, else that of `reading`. Where there is none
        an empty one is written; one that is there is never changed.

    Returns
    -------
    dict of str to Path
        The files by name.

    Raises
    ------
    UnreadableInput
        When the folder holds no reading, or the text cannot be read.
    InvalidValue
        When there is no such language, or the text is of another study or wrongly signed.
    OutputFailed
        When `out` cannot be written, or holds another text than the one given; an earlier report is then intact.
    """
    from bonescan.report.language import language as language_of
    from bonescan.report.physician import TEXT_NAME, empty_text, read_text
    from bonescan.report.record import opened_record, taken_for_a_record
    from bonescan.report.rendering import REPORT_NAMES, report_files

    tongue = language_of(language)
    record, illustrations = opened_record(reading_json(reading)), _illustrations(reading)
    with taken_for_a_record():
        study_uid = record["scan"]["study_uid"]
    comparison = comparison_beside(reading, study_uid)
    beside = out / TEXT_NAME
    source = text or next((path for path in (beside, reading / TEXT_NAME) if path.is_file()), None)
    kept = _bytes(beside) if beside.is_file() else None
    written = empty_text(study_uid, tongue) if source is None else _bytes(source)
    if kept not in (None, written):
        raise OutputFailed(
            f"The folder already holds a {TEXT_NAME} that differs from the one given, and it is never overwritten; "
            "choose another folder, or move it away.",
            path=str(beside),
        )
    told = read_text(written)
    with taken_for_a_record():
        told.checked_for(record, date.today())
        files = report_files(record, illustrations, tongue, told, comparison)
    with staged(out, REPORT_NAMES) as place:
        place(files if kept is not None else {**files, TEXT_NAME: written})
    return {name: out / name for name in (*files, TEXT_NAME)}


def comparison_beside(folder: Path, study_uid: str | None) -> Mapping[str, Any] | None:
    """Find the comparison of a scan with an earlier one in a folder.

    Parameters
    ----------
    folder : Path
    study_uid : str or None
        Of the scan.

    Returns
    -------
    mapping or None
        ``None`` where there is none, or one of another scan.

    Raises
    ------
    UnreadableInput
        When it cannot be read.
    """
    from bonescan.report.with_prior import is_of

    path = folder / "comparison.json"
    if not path.is_file():
        return None
    try:
        held: Mapping[str, Any] = json.loads(_bytes(path))
        return held if is_of(held, study_uid) else None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnreadableInput(
            "The comparison.json beside this reading is not as bonescan writes it; compare again, or take it away.",
            path=str(path),
        ) from error


def text_for(out: Path, study_uid: str | None) -> PhysicianText | None:
    """Find what a physician has written in a folder that a study is to be read into.

    Parameters
    ----------
    out : Path
    study_uid : str or None
        Of the study.

    Returns
    -------
    PhysicianText or None
        ``None`` where there is no text yet, or an empty one of another study.

    Raises
    ------
    OutputFailed
        When the text there is of another study, or signed: it would stand beside a reading it was not written for.
    UnreadableInput, InvalidValue
        When it cannot be read or is wrongly signed.
    """
    from bonescan.report.physician import TEXT_NAME, read_text

    path = out / TEXT_NAME
    if not path.is_file():
        return None
    told = read_text(_bytes(path))
    if told.is_empty:
        return told if told.study_uid == (study_uid or "") else None
    if told.signed_at is not None:
        raise OutputFailed(
            f"The folder holds a signed report, and a signature stands for the reading it was given to; choose another "
            f"folder, or take physician and time out of its {TEXT_NAME}.",
            path=str(path),
        )
    if told.study_uid != (study_uid or ""):
        raise OutputFailed(
            f"The folder holds a physician's {TEXT_NAME} on another study; choose another folder for this one.",
            path=str(path),
        )
    return told


def reading_json(reading: Path) -> bytes:
    """Read the ``reading.json`` of a folder.

    Parameters
    ----------
    reading : Path
        Folder that `bonescan.journeys.read` has written.

    Returns
    -------
    bytes

    Raises
    ------
    UnreadableInput
        When the folder holds none.
    """
    path = reading / "reading.json"
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(
            f"There is no reading.json in {reading.name or reading}; give the folder that `bonescan read` has written.",
            path=str(path),
        ) from error


def _illustrations(reading: Path) -> Illustrations:
    from bonescan.report.illustrations import PICTURES_NAME, kept_illustrations, plain_illustrations

    path = reading / PICTURES_NAME
    if path.is_file():
        return kept_illustrations(_bytes(path))
    overlays = (reading / f"overlay_{view}.png" for view in ("anterior", "posterior"))
    return plain_illustrations([_bytes(overlay) for overlay in overlays if overlay.is_file()])


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(
            f"The file {path.name} cannot be read; check that it is there.", path=str(path)
        ) from error
