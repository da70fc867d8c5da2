"""How long a reading takes to be kept, opened and edited: ``python bench/revising.py STUDY``.

Prints seconds of wall and processor time for each step, once cold and the best of three warm, and the state's size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bonescan import dicom
from bonescan.journeys.revising import record_of
from bonescan.reading import read_case
from bonescan.reading.revision import edit_of, revise
from bonescan.reading.state import kept, kept_again

T = TypeVar("T")


def timed(what: str, run: Callable[[], T], warm: int = 3) -> T:
    """Run once cold, then warm, and print both."""
    seconds = []
    for _ in range(1 + warm):
        wall, own = time.perf_counter(), time.process_time()
        result = run()
        seconds.append((time.perf_counter() - wall, time.process_time() - own))
    first, best = seconds[0], min(seconds[1:]) if warm else seconds[0]
    print(f"{what:22} cold {first[0]:6.2f} s ({first[1]:.2f} s cpu), warm {best[0]:6.3f} s ({best[1]:.3f} s cpu)")
    return result


def main(study: Path) -> None:
    """Time every step on one study."""
    scan = dicom.open_scan([study])
    case = timed("read", lambda: read_case(scan), warm=0)
    content = timed("keep", lambda: kept(case))
    print(
        f"state {len(content) / 1e6:.2f} MB, {len(case.reading.findings)} findings, views {scan.views[0].counts.shape}"
    )
    again = timed("open", lambda: kept_again(content, scan))
    first = again.reading.findings[0]
    view, seen = next(iter(first.views.items()))
    judged = {"do": "change", "finding": first.id, "nature": "traumatic"}
    moved = [[row + 3, column + 2] for row, column in seen.outline]
    drawn = {"do": "reshape", "finding": first.id, "view": str(view), "outline": moved}
    timed("judge", lambda: revise(again, [edit_of(judged)]))
    timed("reshape", lambda: revise(again, [edit_of(drawn)]))
    timed("both, and its record", lambda: record_of(revise(again, [edit_of(drawn), edit_of(judged)])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
