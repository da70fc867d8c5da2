"""The process in which one student's scans are simulated and read, apart from the workstation.

::

    stdin   lines of JSON: {"do": "scan", "lesson": ..., "spacing_mm": ..., "out": folder}, {"do": "read", ...}
    stdout  lines of JSON: {"step": ...} as it goes on, at last {"done": ...} or {"failed": reason}

It may take long, take much, or crash: whoever started it bounds its memory and time and goes on. It steps back behind
what reads patients' studies.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from bonescan.errors import BoneScanError

__all__ = ["LESIONS_NAME", "READING_NAME", "VIEW_NAME", "main"]

VIEW_NAME, LESIONS_NAME, READING_NAME = "view_{name}.bin", "lesions_{name}.bin", "reading.json"
"""What a scan's folder holds: counts of uint16 and numbers of lesions of uint8, row by row, and its reading."""

_NICE = 5
_WORKSTATION_GONE = 3


def main() -> None:
    """Do what is asked, one thing after another, until nobody asks any more."""
    memory_bytes = int(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not stand between the lines of JSON
    if hasattr(os, "nice"):
        os.nice(_NICE)
    _limit_memory(memory_bytes)
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    while True:
        _say(out, _answer(json.loads(asked.get()), out))


def _answer(wanted: Mapping[str, Any], out: IO[str]) -> dict[str, Any]:
    def step(sentence: str) -> None:
        _say(out, {"step": sentence})

    try:
        folder = Path(wanted["out"])
        return {"done": _scan(wanted, folder, step) if wanted["do"] == "scan" else _read(folder, step)}
    except BoneScanError as error:
        return {"failed": str(error)}
    except MemoryError:
        return {"failed": "This needs more memory than a lesson may take."}
    except Exception as error:  # a fault of the program: its place is told
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
        return {"failed": f"The simulation met an error it should have foreseen ({place}); please report it."}


def _scan(wanted: Mapping[str, Any], folder: Path, step: Any) -> dict[str, Any]:
    from bonescan.journeys.teaching import Lesson, taught_scan

    taught = taught_scan(Lesson(**wanted["lesson"]), spacing_mm=float(wanted["spacing_mm"]), progress=step)
    (folder / "dicom").mkdir(parents=True)
    for name, content in taught.files.items():
        (folder / "dicom" / name).write_bytes(content)
    views = []
    for name, counts in taught.views.items():
        (folder / VIEW_NAME.format(name=name)).write_bytes(counts.astype("<u2").tobytes())
        (folder / LESIONS_NAME.format(name=name)).write_bytes(taught.lesions[name].tobytes())
        views.append(
            {
                "name": name,
                "rows": counts.shape[0],
                "columns": counts.shape[1],
                "row_spacing_mm": taught.pixel_mm,
                "column_spacing_mm": taught.pixel_mm,
                "largest": float(counts.max()),
            }
        )
    return {"views": views, "truth": dict(taught.facts)}


def _read(folder: Path, step: Any) -> dict[str, Any]:
    from bonescan.journeys.teaching import read_taught

    record = read_taught(folder / "dicom", step)
    (folder / READING_NAME).write_text(json.dumps(record), encoding="utf-8")
    return {}


def _say(out: IO[str], said: Mapping[str, Any]) -> None:
    print(json.dumps(said, default=str), file=out, flush=True)


def _listen(asked: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        asked.put(line)
    os._exit(_WORKSTATION_GONE)  # also in the midst of something


def _limit_memory(limit: int) -> None:
    if limit and sys.platform != "win32":
        import resource

        with suppress(ValueError, OSError):
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            bound = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(resource.RLIMIT_AS, (bound, hard))


if __name__ == "__main__":
    main()
