"""The process in which one job is done, apart from the archive: it may take too long, take too much, or crash.

::

    stdin   one line of JSON: what to do, with what, where to, how much memory at most; its end means that the worker
            is gone
    stdout  lines of JSON: {"step": ...} as it goes on, at last {"done": summary} or {"failed": reason, "may_help":
    bool, "nothing_to_read": bool}

It imports what a reading needs before it is told anything, so that a spare one begins at once; after an installation it
rehearses first, see `bonescan.archive.rehearsal`.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from bonescan.archive.rehearsal import rehearse
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import BoneScanError, InvalidValue, OutputFailed, SlicesAlone, place_of

__all__ = ["limit_memory", "main"]

Step = Callable[[str], None]
_NEEDED = (
    "bonescan.journeys",
    "bonescan.dicom.results",
    "bonescan.reading.labels",
    "bonescan.reading.findings.spots",
    "bonescan.reading.conclusion.impression",
    "bonescan.reading.state",
    "bonescan.report",
    "bonescan.report.leaflet",
    "jinja2",
    "onnxruntime",
    "PIL.Image",
    "typst",
)
_WORKER_GONE = 3
_MIB = 2**20


def main() -> None:
    """Wait for one job, do it, say how it went, and end."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not stand between the lines of JSON
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    for name in _NEEDED:
        import_module(name)
    keep_quiet()  # imports the decoders
    rehearse(lambda: not orders.empty())
    wanted = json.loads(orders.get())
    limit_memory(int(wanted["memory_bytes"]))
    try:
        said: dict[str, object] = {"done": _DONE_BY[wanted["do"]](wanted, partial(_step, out))}
    except BoneScanError as error:
        said = {"failed": str(error), "may_help": isinstance(error, OutputFailed)}
        said["nothing_to_read"] = isinstance(error, SlicesAlone)
    except Exception as error:
        if isinstance(error, MemoryError) or "new thread" in str(error):  # a thread's stack found no room
            limit = f"{wanted['memory_bytes'] // _MIB} MiB"
            said = {"failed": f"The reading needs more memory than the {limit} it may take.", "may_help": False}
        else:  # a fault of the program: its place is told, not its words, which may quote the patient
            reason = f"The reader met an error it should have foreseen ({place_of(error)}); please report it."
            said = {"failed": reason, "may_help": True}
    _say(out, said)


def _read(wanted: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    """Read a study."""
    from bonescan import journeys

    inputs, folder = [Path(wanted["inputs"])], Path(wanted["out"])
    settings: dict[str, object] = {"command": "archive", "dicom": True}
    try:
        study = journeys.read_study(inputs, folder, dicom_results=True, keep_state=True, progress=step)
    except InvalidValue:  # early phases alone have no DICOM results; whatever else is wrong is told by the second try
        settings["dicom"] = False
        study = journeys.read_study(inputs, folder, keep_state=True, progress=step)
    manifest = journeys.study_manifest(study, folder, settings)
    journeys.write_file(folder / "run.json", json.dumps(manifest, indent=2, default=str).encode())
    return journeys.study_summary(study)


def _compare(wanted: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    """Compare readings; the objects of their studies lie one study after the other."""
    from bonescan import journeys

    files, folder, studies, at = sorted(Path(wanted["inputs"]).iterdir()), Path(wanted["out"]), [], 0
    for one in wanted["studies"]:
        studies.append((files[at : at + one["objects"]], Path(one["reading"])))
        at += one["objects"]
    return journeys.comparison_summary(journeys.compare_readings(studies, folder, progress=step))


def _sign(wanted: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    """Write a reading anew after a physician's edits, with the text and the signature."""
    from bonescan import journeys
    from bonescan.archive.signing import WORDS_NAME
    from bonescan.journeys.revising import amended, write_revision
    from bonescan.reading.signing import Signature
    from bonescan.report.physician import PhysicianText

    folder, earlier = Path(wanted["out"]), wanted["amends"]
    amends = None
    if earlier is not None:
        amends = amended(Path(earlier["folder"]), version=earlier["version"], reason=earlier["reason"])
    signed_at = datetime.fromisoformat(wanted["signed_at"]).astimezone()  # a report is dated as the department's day is
    entries = {tuple(key.split(".", 1)): text for key, text in wanted["words"].items()}
    summary = write_revision(
        [Path(wanted["inputs"])],
        Path(wanted["reading"]),
        folder,
        edits=wanted["edits"],
        of_version=wanted["of_version"],
        by=wanted["by"],
        text=PhysicianText(study_uid=wanted["study_uid"], entries=entries),
        signature=Signature(name=wanted["by"], signed_at=signed_at, amends=amends),
        language=wanted["language"],
        compared=None if wanted["compared"] is None else Path(wanted["compared"]),
        progress=step,
    )
    words = {"words": wanted["words"], "language": wanted["language"]}
    journeys.write_file(folder / WORDS_NAME, json.dumps(words, indent=2).encode())
    return summary


_DONE_BY: Mapping[str, Callable[[Mapping[str, Any], Step], Mapping[str, Any]]] = {
    "read": _read,
    "sign": _sign,
    "compare": _compare,
}
"""What does a job, by its kind: takes the order and whom to tell of each step, gives a summary."""


def _step(out: IO[str], sentence: str) -> None:
    _say(out, {"step": sentence})


def _say(out: IO[str], said: Mapping[str, Any]) -> None:
    print(json.dumps(said, default=str), file=out, flush=True)


def _listen(orders: queue.SimpleQueue[str]) -> None:
    """Take the one order; end with the worker."""
    if line := sys.stdin.readline():
        orders.put(line)
    while line and os.read(0, 4096):
        pass
    os._exit(_WORKER_GONE)


def limit_memory(limit: int) -> None:
    """Bound this process's address space, where the system can.

    Parameters
    ----------
    limit : int
        Bytes; 0 is no bound.
    """
    if limit and sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


if __name__ == "__main__":
    main()
