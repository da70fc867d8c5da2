"""Many studies read and held against their truth: one process for each core, one small file for every study.

::

    study ─► dicom ─► reading ─┐
                               ├─► evaluation.compare ─► OUT/cases/NAME.json ─► figures, page
    truth ─────────────────────┘

The reader gets the images alone; its reading meets the truth afterwards, here. What was stopped is begun again by the
same command: comparisons that are there stay, and tables are made anew from all of them.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.errors import BoneScanError, InvalidValue, OutputFailed, UnreadableInput
from bonescan.journeys.clinic import Progress, run_record, versions
from bonescan.journeys.files import alone_in, told_plainly, write_file
from bonescan.journeys.workers import each

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bonescan.evaluation import Truth
    from bonescan.scan import ViewName

__all__ = ["EvaluatedFolder", "Study", "evaluate", "evaluation_manifest", "find_studies", "true_of"]

_CASES = "cases"
_DEPTH = 4
_OUTLINES = "_regions_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study whose truth is known, as files.

    Parameters
    ----------
    name : str
        Its place in the folder that was given.
    images : Path
        What the reader gets: a folder or a file.
    truth : Path, optional
        A folder as `bonescan simulate` writes it.
    outlines : tuple of Path
        In its place, maps of regions ``NAME_regions_VIEW.png``.
    circles : mapping, optional
        The scan's entry in ``readings.json``.
    """

    name: str
    images: Path
    truth: Path | None = None
    outlines: tuple[Path, ...] = ()
    circles: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedFolder:
    """What `evaluate` leaves behind.

    Parameters
    ----------
    out : Path
    outputs : tuple of str
        Names of its files, without the studies' own.
    digests : tuple of str
        Hash of every study's images.
    read_now : int
        How many were read now; the others were there.
    record : dict
        The content of ``evaluation.json``.
    """

    out: Path
    outputs: tuple[str, ...]
    digests: tuple[str, ...]
    read_now: int
    record: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One study to read and compare; goes to another process."""

    study: Study
    out: Path
    network: str | None
    mirrored: bool
    digest: str


def find_studies(folder: Path) -> tuple[Study, ...]:
    """Find the studies whose truth is known in a folder.

    Parameters
    ----------
    folder : Path
        A study with a folder ``truth``; or any number of such, four levels deep; or scans ``NAME.dcm`` with outlines
        ``NAME_regions_VIEW.png`` beside them, and a visual reading ``readings.json``.

    Returns
    -------
    tuple of Study
        In order of their names.

    Raises
    ------
    UnreadableInput
        When there is none.
    """
    found = sorted(_studies(folder, folder, _DEPTH), key=lambda study: study.name)
    if not found:
        raise UnreadableInput(
            "The folder holds no study with its truth: a folder 'truth' beside the images, or NAME.dcm with "
            "NAME_regions_VIEW.png; see the page Outputs."
        )
    return tuple(found)


def _studies(folder: Path, root: Path, depth: int) -> Iterator[Study]:
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise UnreadableInput(f"A folder could not be read: {error.strerror or 'input/output error'}.") from error
    if (folder / "truth").is_dir():
        images = folder / "dicom" if (folder / "dicom").is_dir() else folder
        name = folder.relative_to(root).as_posix() if folder != root else folder.resolve().name
        yield Study(name=name, images=images, truth=folder / "truth")
        return
    circles = _visual_readings(folder / "readings.json")
    outlines: dict[str, list[Path]] = {name: [] for name in circles}
    for path in inside:
        if path.suffix == ".png" and _OUTLINES in path.name:
            outlines.setdefault(path.name.partition(_OUTLINES)[0], []).append(path)
    for name, paths in outlines.items():
        if (folder / f"{name}.dcm").is_file():
            place = (folder / name).relative_to(root).as_posix()
            yield Study(name=place, images=folder / f"{name}.dcm", outlines=tuple(paths), circles=circles.get(name))
    if depth:
        for path in inside:
            if path.is_dir() and not path.name.startswith("."):
                yield from _studies(path, root, depth - 1)


def _visual_readings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    told = _json(path)
    return {name: one for name, one in told.items() if isinstance(one, dict) and "findings" in one}


def true_of(study: Study) -> Truth:
    """Open what is true of a study.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Truth

    Raises
    ------
    UnreadableInput
        When its files cannot be read or lack what they must hold.
    """
    from bonescan.evaluation import picture_names, truth_of
    from bonescan.scan import ViewName

    if study.truth is None:
        by_view = {path.stem.partition(_OUTLINES)[2]: path for path in study.outlines}
        return truth_of(None, {view: _map(by_view[view]) for view in ViewName if view in by_view}, {})
    record = _json(study.truth / "truth.json") if (study.truth / "truth.json").is_file() else None
    names: Mapping[ViewName, str] = {view: view.value for view in ViewName} if record is None else picture_names(record)

    def maps(what: str) -> dict[ViewName, NDArray[Any]]:
        assert study.truth is not None
        paths = {view: study.truth / f"{what}_{name}.png" for view, name in names.items()}
        return {view: _map(path) for view, path in paths.items() if path.is_file()}

    return truth_of(record, maps("regions"), maps("lesions"))


def _map(path: Path) -> NDArray[Any]:
    import numpy as np
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return np.asarray(picture)
    except OSError as error:
        raise UnreadableInput(f"The map {path.name} could not be read.") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableInput(f"The file {path.name} could not be read as JSON.") from error
    if not isinstance(told, dict):
        raise UnreadableInput(f"The file {path.name} holds no JSON object.")
    return told


def evaluate(
    folder: Path,
    out: Path,
    *,
    learned: bool = True,
    mirrored: bool = False,
    against: Path | None = None,
    processes: int | None = None,
    progress: Progress = lambda _: None,
) -> EvaluatedFolder:
    """Read all studies of a folder and hold every reading against its truth.

    Parameters
    ----------
    folder : Path
        As in `find_studies`.
    out : Path
        Made when absent. Comparisons in it of the same studies by the same reader are kept.
    learned : bool
        As in `bonescan.reading.read`; where no trained network is installed the reader is the model-based one anyway.
    mirrored : bool
        Whether every scan is also read with left and right exchanged, which takes twice as long.
    against : Path, optional
        Another run's ``evaluation.json``, whose figures then stand beside every one of this.
    processes : int, optional
        All cores by default.
    progress : callable
        Called with a sentence as studies are finished.

    Returns
    -------
    EvaluatedFolder

    Raises
    ------
    UnreadableInput
        When there is no study, or the truth of one cannot be read.
    OutputFailed
        When `out` cannot be written, holds comparisons of another reader or other studies, or another run is at work.
    InvalidValue
        For no process.
    """
    if processes is not None and processes < 1:
        raise InvalidValue(f"There is a process at least, got {processes}.", got=processes)
    from bonescan.evaluation import evaluation_files, evaluation_record
    from bonescan.evaluation.pages import OUTPUT_NAMES, refuse_another_schema
    from bonescan.reading.network import weights_digest

    studies = find_studies(folder)
    beside = None if against is None else _json(against)
    if beside is not None:
        refuse_another_schema(beside)
    with told_plainly(out):
        out.mkdir(parents=True, exist_ok=True)
    with alone_in(out, wait=False):
        network = weights_digest() if learned else None
        tasks = [
            _Task(study=study, out=out, network=network, mirrored=mirrored, digest=_digest(study)) for study in studies
        ]
        missing = [task for task in tasks if not _is_there(task)]
        if len(missing) < len(tasks):
            progress(f"{len(tasks) - len(missing)} of {len(tasks)} studies are read already")
        with closing(each(_read_one, missing, processes)) as finished:
            for done, (task, answer) in enumerate(finished, start=1):
                failed = _told_which(answer, task)
                progress(f"{task.study.name} {failed or 'read'}: {done} of {len(missing)}")
        progress("Working out the figures")
        reader = "model-based" if network is None else "with the network"
        record = evaluation_record([_json(_path(task)) for task in tasks], reader=reader, versions=versions())
        files = evaluation_files(record, beside)
        for name, content in files.items():
            write_file(out / name, content)
        with told_plainly(out):
            for name in set(OUTPUT_NAMES) - set(files):  # a plot that an earlier run had something for
                (out / name).unlink(missing_ok=True)
    return EvaluatedFolder(
        out=out,
        outputs=tuple(files),
        digests=tuple(task.digest for task in tasks),
        read_now=len(missing),
        record=record,
    )


def evaluation_manifest(done: EvaluatedFolder) -> dict[str, object]:
    """Record how an evaluation came about.

    Parameters
    ----------
    done : EvaluatedFolder

    Returns
    -------
    dict
        Ready for JSON: ``schema``, ``versions``, ``settings``, ``seed`` (of the bootstrap), ``inputs`` (hash of every
        study's images) and ``outputs`` (name, bytes, SHA-256).
    """
    reader, bootstrap = done.record["reader"], done.record["bootstrap"]
    settings = {"command": "evaluate", "reader": reader, "bootstrap": bootstrap}
    return run_record(done.out, done.outputs, settings=settings, digests=done.digests, seed=bootstrap["seed"])


def _path(task: _Task) -> Path:
    return task.out / _CASES / f"{task.study.name}.json"


def _is_there(task: _Task) -> bool:
    if not _path(task).is_file():
        return False
    earlier = _json(_path(task))
    for key, now, words in (
        ("network", task.network, "by another reader"),
        ("bonescan", versions()["bonescan"], "by another version of bonescan"),
        ("images", task.digest, "with other images"),
    ):
        if earlier.get(key) != now:
            raise OutputFailed(
                f"The folder holds the comparison of {task.study.name} {words}; choose another folder.", key=key
            )
    return "mirrored" in earlier or earlier["failed"] is not None or not task.mirrored


def _digest(study: Study) -> str:
    """What tells a study from another of the same name: its images."""
    digest = hashlib.sha256()
    paths = sorted(study.images.rglob("*")) if study.images.is_dir() else [study.images]
    try:
        for path in paths:
            if path.is_file() and "truth" not in path.relative_to(study.images).parts:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        raise UnreadableInput(f"The images of {study.name} could not be read.") from error
    return digest.hexdigest()


def _told_which(answer: Any, task: _Task) -> str:
    try:
        return str(answer())
    except BrokenProcessPool as error:
        raise OutputFailed(
            "A process was ended from outside, most often for want of memory; run the same command again with fewer "
            "processes."
        ) from error
    except BoneScanError as error:
        raise type(error)(f"{task.study.name}: {error}", **error.facts) from error


def _read_one(task: _Task) -> str:
    """Read and compare one study, write the comparison, and say how that failed, if it did."""
    from bonescan import dicom, reading
    from bonescan.evaluation import agreement_with_circles, circles_of, compare, unread
    from bonescan.evaluation.agreement import agreement_of_mirrored, mirrored
    from bonescan.evaluation.comparison import COMPARISON_SCHEMA

    truth = true_of(task.study)
    circles = None if task.study.circles is None else circles_of(task.study.circles)
    learned = task.network is not None
    case: dict[str, Any] = {
        "schema": COMPARISON_SCHEMA,
        "name": task.study.name,
        "network": task.network,
        "images": task.digest,
        "bonescan": versions()["bonescan"],
        "failed": None,
    }
    read, other, seconds = None, None, None
    begun = time.perf_counter()
    try:
        scan = dicom.open_scan([task.study.images])
        read = reading.read(scan, learned=learned)
        seconds = time.perf_counter() - begun
        if task.mirrored:
            other = reading.read(mirrored(scan), learned=learned)
    except Exception as error:  # whatever stops the reader is a result of it, and is counted
        read = None
        case["failed"] = str(error) if isinstance(error, BoneScanError) else type(error).__name__
    case |= unread(truth) if read is None else compare(read, truth)
    case |= {"seconds": seconds, "peak_mb": _peak_mb()}
    if read is not None and other is not None:
        case["mirrored"] = agreement_of_mirrored(read, other)
    if circles is not None:
        case["circles"] = agreement_with_circles(() if read is None else read.findings, circles)
    write_file(_path(task), (json.dumps(case, indent=1, allow_nan=False) + "\n").encode())
    return "" if case["failed"] is None else f"failed ({case['failed']})"


def _peak_mb() -> float | None:
    """Largest memory this process ever held."""
    with suppress(ImportError):  # Windows has no such count
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return None
