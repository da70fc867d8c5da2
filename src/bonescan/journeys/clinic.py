"""The clinic's journeys: files in, a reading out; a referral in, a plan out.

`read` is the main one::

    files ─► dicom.open_scan ─► reading.read ─► report.render ─► folder
"""

from __future__ import annotations

import hashlib
import platform
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module, metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bonescan import __version__
from bonescan.errors import OutputFailed, UnreadableInput
from bonescan.journeys.exporting import DICOM_FOLDER, dicom_files, dicom_names, taken_along
from bonescan.journeys.files import staged
from bonescan.journeys.reports import text_for

if TYPE_CHECKING:
    from datetime import datetime

    from bonescan.measurement import Measurement
    from bonescan.reading.case import Case
    from bonescan.reading.model import Reading
    from bonescan.reading.signing import Signature
    from bonescan.report.language import Language
    from bonescan.report.physician import PhysicianText
    from bonescan.scan import ViewName
    from bonescan.tracer import Plan, Referral

__all__ = [
    "EDITS_NAME",
    "OUTPUT_NAMES",
    "PHASE_NAMES",
    "STATE_NAME",
    "Progress",
    "demo",
    "earlier_results",
    "example_scan",
    "kept_state",
    "manifest",
    "plan",
    "read",
    "rendered",
    "replaced_names",
    "run_record",
    "summary",
    "versions",
]

Progress: TypeAlias = Callable[[str], None]
"""Called with one short sentence whenever a journey begins a step."""

STATE_NAME = "state.npz"
"""What a reading in the archive keeps to be edited: labels, findings and the network's maps, no identity."""

EDITS_NAME = "edits.json"
"""What a revised reading keeps of its making: ``of_version``, ``edits`` (all since the reader's version) and ``by``."""

PHASE_NAMES = (
    "phases.json",
    "phases.html",
    "phases.pdf",
    "phases.png",
    "phases_curves.png",
    "phases_region.png",
    "phases_fhir.json",
)
"""Every file name that belongs to the reading of a three-phase study."""

OUTPUT_NAMES = (
    *PHASE_NAMES,
    "reading.json",
    STATE_NAME,
    EDITS_NAME,
    "fhir.json",
    "study.csv",
    "findings.csv",
    "report.html",
    "report.pdf",
    "report.txt",
    "key_images.pdf",
    "key_images.png",
    "report_pictures.json",
    *(
        name.format(view=view)
        for view in ("anterior", "posterior")
        for name in ("overlay_{view}.png", "findings_{view}.png", "regions_{view}.png", "bones_{view}.npz")
    ),
)
"""Every file name that belongs to a reading; no other file in a folder is ever touched."""

_LATER_MODULES = (
    "bonescan.reading.measures.quality",
    "bonescan.reading.findings.spots",
    "PIL.ImageDraw",
    "PIL.ImageFont",
    "jinja2",
    "typst",
)

_RECORDED_PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "onnxruntime",
    "nibabel",
    "pydicom",
    "python-gdcm",
    "pylibjpeg",
    "pylibjpeg-openjpeg",
    "pyjpegls",
    "dicom-anonymizer",
    "pillow",
    "jinja2",
    "typst",
    "typer",
    "threadpoolctl",
)
"""All the project depends on: a decoder's version can change a count."""


def _silent(sentence: str) -> None:
    """Say nothing."""


def read(
    inputs: Sequence[Path],
    out: Path,
    *,
    view: ViewName | None = None,
    flip: bool = False,
    pixel_mm: float | None = None,
    dicom_results: bool = False,
    deidentify: bool = False,
    fhir: bool = False,
    tables: bool = False,
    language: str = "en",
    keep_state: bool = False,
    progress: Progress = _silent,
) -> Reading:
    """Read one bone scan from files and write its whole reading into a folder.

    Parameters
    ----------
    inputs : sequence of Path
        The files, folders or zips of ONE study.
    out : Path
        Folder for the results; made when absent. It may hold an earlier
        reading, which is replaced as a whole once this one is complete; a
        leaflet that was signed on it goes too.
    view : ViewName, optional
        What the input shows, where the file does not say it or says it wrongly.
    flip : bool
        Overrules the orientation found in the file, see `bonescan.dicom.open_scan`.
    pixel_mm : float, optional
        Pixel size of pictures that carry none, in mm.
    dicom_results : bool
        Also write the reading as DICOM objects, into the folder `DICOM_FOLDER`.
    deidentify : bool
        Leave out, of everything that is written, who it is and when: the images are de-identified first, and what is
        read is what those still tell.
    fhir, tables : bool
        Whether to write the reading as FHIR R4 too, and as rows for a trial's table.
    language : str
        Of the report, one of `bonescan.report.language.report_languages`. What a physician has written for this study
        in the folder's ``report_text.toml`` is joined; where there is none, an empty one is written.
    keep_state : bool
        Whether to keep, as `STATE_NAME`, what a physician's edits of this reading need.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    Reading

    Raises
    ------
    UnreadableInput, NotABoneScan, InvalidValue
        When the files are not a bone scan that can be read, or came as pictures and DICOM objects are asked for.
    LabellingFailed
        When the skeleton cannot be fitted.
    OutputFailed
        When `out` cannot be written; an earlier reading in it is then intact.
    """
    progress("Opening the files")
    from bonescan import dicom, reading

    written = earlier_results(out)
    refuse_to_overwrite(inputs, written)
    scan = dicom.open_scan(inputs, view=view, flip=flip, pixel_mm=pixel_mm, leave_out=written)
    scan, luggage = taken_along(inputs, scan, dicom=dicom_results, deidentify=deidentify)
    report_language(language)  # one that is not there is refused before the work, as is a text on another study
    text = text_for(out, scan.study_uid)
    import_module("bonescan.reading.labels")
    threading.Thread(target=_import_ahead, daemon=True).start()
    # a folder that cannot be written is refused before the work, not after it
    with staged(out, replaced_names(), folders=(DICOM_FOLDER,)) as place:
        case = reading.read_case(scan, progress=progress)
        progress("Writing the report")
        files = rendered(case.reading, fhir=fhir, tables=tables, language=language, text=text)
        files |= dicom_files(case.reading, luggage, files)
        place(files | kept_state(case) if keep_state else files)
    return case.reading


def kept_state(case: Case) -> dict[str, bytes]:
    """Keep what a physician's edits of a reading need.

    Parameters
    ----------
    case : Case

    Returns
    -------
    dict of str to bytes
        One file, by name.
    """
    from bonescan.reading.state import kept

    return {STATE_NAME: kept(case)}


def report_language(language: str) -> Language:
    """Find a language of the report.

    Parameters
    ----------
    language : str

    Returns
    -------
    Language

    Raises
    ------
    InvalidValue
        When the report is not written in it.
    """
    from bonescan.report.language import language as language_of

    return language_of(language)


def rendered(
    reading: Reading,
    *,
    fhir: bool,
    tables: bool,
    language: str = "en",
    text: PhysicianText | None = None,
    signature: Signature | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Turn a reading into its files, those that are written only when asked for among them.

    Parameters
    ----------
    reading : Reading
    fhir, tables : bool
        As for `read`.
    language : str
        As for `read`.
    text : PhysicianText, optional
        What a physician has written; where nobody has, an empty text is among the files.
    signature : Signature, optional
        Of the physician, for FHIR; the text is under it already.
    comparison : mapping, optional
        With the scan before, as ``comparison.json`` holds it, for the report.

    Returns
    -------
    dict of str to bytes
        By name.
    """
    from bonescan import report
    from bonescan.report.physician import TEXT_NAME, empty_text

    files = dict(report.render(reading, language, text, comparison))
    if text is None:
        files[TEXT_NAME] = empty_text(reading.scan.study_uid, report_language(language))
    if fhir:
        from bonescan.report.fhir import fhir_bytes

        files["fhir.json"] = fhir_bytes(reading, text, signature)
    if tables:
        from bonescan.report.tables import table_files

        files |= table_files(reading)
    return files


def replaced_names() -> tuple[str, ...]:
    """What goes when a reading is written: all of an earlier one, and the leaflet that was signed on that.

    Returns
    -------
    tuple of str
        Names within the reading's folder.
    """
    from bonescan.report.leaflet_after import RESULT_LEAFLET_NAMES

    return (*OUTPUT_NAMES, *RESULT_LEAFLET_NAMES, DICOM_FOLDER)


def earlier_results(out: Path) -> list[Path]:
    """Where results go, and where an earlier reading left some.

    Parameters
    ----------
    out : Path

    Returns
    -------
    list of Path
    """
    return [out / name for name in (*OUTPUT_NAMES, *dicom_names(out))]


def _import_ahead() -> None:
    """Import what the later steps need while the fit's compiled loops leave the interpreter idle: half a second."""
    for name in _LATER_MODULES:
        with suppress(ImportError):  # the step that needs it says so better
            import_module(name)


def refuse_to_overwrite(inputs: Sequence[Path], written: Sequence[Path]) -> None:
    """Refuse inputs that lie where results would go."""
    for path in inputs:
        for place in written:
            if path.is_file() and place.is_file() and path.samefile(place):
                raise OutputFailed(
                    f"The input {place.name} lies where the results would go and would be lost; choose another folder "
                    "for them.",
                    path=str(place),
                )


def demo(out: Path, progress: Progress = _silent) -> dict[str, Reading]:
    """Read the example scans, each into a folder of its own below `out`.

    Parameters
    ----------
    out : Path
        Folder for the readings; made when absent.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    dict of str to Reading
        By folder name.

    Raises
    ------
    UnreadableInput
        When the package with the example scan is not installed.
    OutputFailed
        When `out` cannot be written.
    """
    return {name: read([find()], out / name, progress=progress) for name, find in _EXAMPLES.items()}


def example_scan() -> Path:
    """Find NM1, a real whole-body bone scan, in the installed package ``pydicom-data``.

    Returns
    -------
    Path
        The lossless JPEG encoding of NM1.

    Raises
    ------
    UnreadableInput
        When the package is not installed.

    References
    ----------
    NEMA, "Compressed samples", object NM1: a Tc-99m bone scan in one view,
    3,596,452 counts, GE Millennium MG, 1997; by D. Clunie, published with pydicom.
    """
    try:
        path = Path(str(resources.files("data_store"))) / "data" / "JPEG-LL.dcm"
    except ModuleNotFoundError as error:
        raise UnreadableInput(
            'The example scan is not installed: run pip install "bonescan[demo]", then try again.',
            expected="package pydicom-data",
        ) from error
    if not path.is_file():
        raise UnreadableInput(
            "The package pydicom-data holds no JPEG-LL.dcm: run pip install --force-reinstall pydicom-data.",
            expected="JPEG-LL.dcm",
        )
    return path


def plan(
    referral: Referral,
    *,
    inject_at: datetime,
    tracer: str = "Tc-99m MDP",
    guideline: str = "EANM",
    activity_mbq: float | None = None,
    image_at: datetime | None = None,
    vial_mbq: float | None = None,
    vial_ml: float | None = None,
    vial_at: datetime | None = None,
    residual_percent: float = 0.0,
    out: Path | None = None,
    language: str = "en",
) -> Plan:
    """Plan one bone scan, and write the sheets for the department and the patient.

    Parameters
    ----------
    referral : Referral
        Who is to be injected, without a name.
    inject_at : datetime
        When.
    tracer, guideline, activity_mbq, image_at, vial_mbq, vial_ml, vial_at, residual_percent : optional
        As in `bonescan.tracer.plan_study`.
    out : Path, optional
        Folder for the sheets; made when absent. Other files in it stay.
    language : str
        Of the patient's leaflet, one of `bonescan.report.leaflet.leaflet_languages`.

    Returns
    -------
    Plan

    Raises
    ------
    InvalidValue
        For a value out of range, times in an impossible order, or a language without a leaflet.
    OutputFailed
        When `out` cannot be written.
    """
    from bonescan.report.leaflet import leaflet_words
    from bonescan.report.sheets import plan_sheets
    from bonescan.tracer.plan import plan_study

    leaflet_words(language)  # one that is not there is refused, whether a leaflet is asked for or not
    planned = plan_study(
        referral,
        inject_at=inject_at,
        tracer=tracer,
        guideline=guideline,
        activity_mbq=activity_mbq,
        image_at=image_at,
        vial_mbq=vial_mbq,
        vial_ml=vial_ml,
        vial_at=vial_at,
        residual_percent=residual_percent,
    )
    if out is not None:
        sheets = plan_sheets(planned, language)
        with staged(out, ()) as place:
            place(sheets)
    return planned


_EXAMPLES: Mapping[str, Callable[[], Path]] = {"real": example_scan}


def summary(reading: Reading) -> dict[str, object]:
    """Say the main results of a reading in plain values, without any patient identity.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    dict
        Ready for JSON. ``reading.json`` has the whole; this is what a terminal
        or a batch needs to decide what to look at.
    """
    burden = reading.burden
    kinds = Counter(str(finding.kind) for finding in reading.findings)
    verdicts = Counter(str(check.verdict) for check in reading.quality.checks)
    impression = reading.impression
    return {
        "impression": None
        if impression is None
        else {
            "sentences": list(impression.sentences),
            "metastatic": _plain(impression.metastatic),
            "patterns": {pattern.code: str(pattern.presence) for pattern in impression.patterns},
            "advice": list(impression.advice),
            "abstains": list(impression.abstains),
        },
        "views": {
            str(view.name): {"counts": round(view.total_counts), "identity_basis": view.identity_basis}
            for view in reading.scan.views
        },
        "labels_trusted": reading.labels.trusted,
        "findings": {kind: kinds[kind] for kind in ("bone", "physiologic", "artefact")},
        "hot_spot_count": burden.hot_spot_count,
        "bone_scan_index_percent": _plain(burden.bone_scan_index_percent),
        "mass_table": burden.mass_table,
        "not_in_view": list(burden.not_in_view),
        "quality": {verdict: verdicts[verdict] for verdict in ("pass", "warn", "withhold", "unknown")},
        "remarks": [
            {"code": remark.code, "severity": str(remark.severity), "text": remark.text} for remark in reading.remarks
        ],
    }


def _plain(measurement: Measurement) -> dict[str, object]:
    return {
        "value": measurement.value,
        "uncertainty": measurement.uncertainty,
        "unit": measurement.unit,
        "absent_reason": measurement.absent_reason,
    }


def manifest(reading: Reading, out: Path, settings: Mapping[str, object]) -> dict[str, object]:
    """Record how a reading in a folder came about, without any patient identity.

    Parameters
    ----------
    reading : Reading
    out : Path
        The folder `read` has just written.
    settings : mapping
        What the reading was asked for; paths and names do not belong here.

    Returns
    -------
    dict
        Ready for JSON: ``schema``, ``versions``, ``settings``, ``seed``,
        ``inputs`` (hashes only: names of files and folders often name the
        person) and ``outputs`` (name, bytes, SHA-256). Reading draws no random
        numbers, so ``seed`` is null.
    """
    digests = [source.sha256 for source in reading.scan.sources]
    return run_record(
        out, (*OUTPUT_NAMES, *dicom_names(out)), settings=settings, digests=digests, more_versions=reading.versions
    )


def run_record(
    out: Path,
    names: Iterable[str],
    *,
    settings: Mapping[str, object],
    digests: Iterable[str],
    seed: int | None = None,
    more_versions: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Record any run for audits: of what versions, how asked for, from what, and what it left.

    Parameters
    ----------
    out : Path
        The folder the run has just written.
    names : iterable of str
        What it may have written; those that are there are recorded.
    settings : mapping
        What was asked for, without paths and names.
    digests : iterable of str
        SHA-256 of every input.
    seed : int, optional
        ``None`` where nothing is random.
    more_versions : mapping of str to str, optional
        Beside those of `versions`.

    Returns
    -------
    dict
        Ready for JSON.
    """
    return {
        "schema": "bonescan-run/1",
        "versions": {**versions(), **(more_versions or {})},
        "settings": dict(settings),
        "seed": seed,
        "inputs": [{"sha256": digest} for digest in digests],
        "outputs": _recorded(out, names),
    }


def versions() -> dict[str, str]:
    """Say of which versions a result is: bonescan's, Python's and those of all packages it depends on.

    Returns
    -------
    dict of str to str
    """
    found = {"bonescan": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in _RECORDED_PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _recorded(out: Path, names: Iterable[str]) -> list[dict[str, object]]:
    """Name, bytes and SHA-256 of the files a journey left in a folder."""
    contents = {name: (out / name).read_bytes() for name in names if (out / name).is_file()}
    return [
        {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
