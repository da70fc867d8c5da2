"""The patient's leaflet of a signed reading: a folder that `read` has written in, the leaflet out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bonescan.journeys.files import staged
from bonescan.journeys.reports import reading_json

if TYPE_CHECKING:
    from bonescan.report.leaflet_after import SignedResult

__all__ = ["leaflet"]


def leaflet(reading: Path, out: Path, signed: SignedResult, *, language: str = "en") -> dict[str, Path]:
    """Write the leaflet that tells a patient what a physician has signed.

    Parameters
    ----------
    reading : Path
        Folder that `bonescan.journeys.read` has written; only its ``reading.json`` is opened.
    out : Path
        Folder for the leaflet; made when absent. Other files in it stay. In the reading's own folder it goes when
        another reading takes this one's place.
    signed : SignedResult
        What the physician answers for; nothing else of the reading is told.
    language : str
        One of `bonescan.report.leaflet.leaflet_languages`.

    Returns
    -------
    dict of str to Path
        The files by name.

    Raises
    ------
    UnreadableInput
        When the folder holds no reading.
    InvalidValue
        For a place or a language that is not there, or a signature before the scan.
    OutputFailed
        When `out` cannot be written; an earlier leaflet in it is then intact.
    """
    from bonescan.report.leaflet_after import after_files

    files = after_files(reading_json(reading), signed, language)
    with staged(out, ()) as place:
        place(files)
    return {name: out / name for name in files}
