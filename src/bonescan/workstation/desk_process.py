"""The process in which readings are edited: it keeps the last few studies open, so that an edit is seen at once.

::

    stdin   first {"memory_bytes": ...}; then requests {"id", "reading": folder, "inputs": files, "edits",
            "of_version"}; its end means that the workstation is gone
    stdout  one line for each: {"id", "reading": what reading.json would hold}, or {"id", "refused": a sentence,
            "cause": "edit", "state", "memory" or "fault"}

It writes nothing, and knows neither database nor archive.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any

from bonescan.archive.reading_process import limit_memory
from bonescan.errors import BoneScanError, InvalidValue, place_of

if TYPE_CHECKING:
    from bonescan.journeys.revising import OpenedStudy

__all__ = ["main"]

_MOST_OPEN = 4
_OUT_OF_MEMORY = 4


def main() -> None:
    """Answer requests until nobody asks any more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not stand between the lines of JSON
    first = sys.stdin.readline()
    if not first:
        return
    limit_memory(int(json.loads(first)["memory_bytes"]))
    from bonescan.journeys import revising

    for name in ("bonescan.dicom", "bonescan.reading.labels", "bonescan.reading.revision", "bonescan.report.record"):
        import_module(name)  # before the first request waits for it

    studies: OrderedDict[str, OpenedStudy] = OrderedDict()
    for line in sys.stdin:
        wanted = json.loads(line)
        said = _answer(revising, studies, wanted)
        print(json.dumps({"id": wanted["id"], **said}, default=str), file=out, flush=True)
        if said.get("cause") == "memory":
            sys.exit(_OUT_OF_MEMORY)  # what the studies take comes back with another process only


def _answer(revising: Any, studies: OrderedDict[str, OpenedStudy], wanted: Mapping[str, Any]) -> dict[str, Any]:
    try:
        study = _opened(revising, studies, wanted)
    except BoneScanError as error:
        return {"refused": str(error), "cause": "state"}
    except Exception as error:
        return _fault(error)
    try:
        return {"reading": revising.record_of(study.revised(wanted["edits"], of_version=wanted["of_version"]))}
    except InvalidValue as error:
        return {"refused": str(error), "cause": "edit"}
    except Exception as error:
        return _fault(error)


def _opened(revising: Any, studies: OrderedDict[str, OpenedStudy], wanted: Mapping[str, Any]) -> OpenedStudy:
    """The study of a request; one that was looked at least recently is let go for it."""
    key = str(wanted["reading"])
    if key not in studies:
        while len(studies) >= _MOST_OPEN:
            studies.popitem(last=False)
        with tempfile.TemporaryDirectory(prefix="bonescan-desk-") as folder:
            for number, path in enumerate(wanted["inputs"]):
                _lay(Path(path), Path(folder) / f"{number:05d}.dcm")
            studies[key] = revising.opened([Path(folder)], Path(key))
    studies.move_to_end(key)
    return studies[key]


def _lay(path: Path, place: Path) -> None:
    try:
        place.symlink_to(path)
    except OSError:  # Windows lets few people make links
        copyfile(path, place)


def _fault(error: Exception) -> dict[str, Any]:
    """Say where a fault of the program is, not its words, which may quote the patient."""
    if isinstance(error, MemoryError):
        return {"refused": "Editing this study needs more memory than it may take.", "cause": "memory"}
    told = f"The edit met an error it should have foreseen ({place_of(error)}); please report it."
    return {"refused": told, "cause": "fault"}


if __name__ == "__main__":
    main()
