"""Spots against one careful visual reading of real scans: what is found, what is extra.

``python bench/spots_real.py FOLDER`` prints a line per scan and the worst three. ``FOLDER`` (or the environment
variable ``BONESCAN_REAL_SCANS``) holds ``ID.dcm`` and ``readings.json``: per scan a list
of marks with view, row, column, radius, bone and confidence 1 to 5. The reading is a sanity
check by one reader, not a truth: no figure here is an accuracy.

A mark of confidence 3 or more is found when a bone finding touches the circle of its radius plus 2
pixels in its view. A bone finding is extra when no mark of any confidence (mimics
included) lies within its radius plus 6 pixels in any of its views. Both are given twice: for all
bone findings, and for those that count in the burden.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bonescan.reading.model import Finding, Kind, Labels, Polarity
from bonescan.reading.spots import find
from bonescan.scan import Scan

FOUND_SLACK_PIXELS = 2
EXTRA_SLACK_PIXELS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One scan: marks, found, missed in words, extra findings in words, by which findings are used."""

    scan: str
    marks: int
    missed: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def found(self) -> int:
        return self.marks - len(self.missed)


def score(name: str, findings: tuple[Finding, ...], marks: list[dict[str, Any]]) -> Score:
    """Hold hot bone findings against the marks of one scan."""
    hot = [f for f in findings if f.kind is Kind.BONE and f.polarity is Polarity.HOT]
    missed = tuple(
        f"{mark['view']} {mark['row']},{mark['col']} {mark['bone']} ({mark['intensity']})"
        for mark in marks
        if mark["confidence"] >= 3 and not any(_touches(finding, mark, FOUND_SLACK_PIXELS) for finding in hot)
    )
    extra = tuple(
        f"{finding.letter} {finding.place} ratio {finding.uptake_ratio:.1f} z {finding.significance:.1f}"
        for finding in hot
        if not any(_touches(finding, mark, EXTRA_SLACK_PIXELS) for mark in marks)
    )
    return Score(scan=name, marks=sum(mark["confidence"] >= 3 for mark in marks), missed=missed, extra=extra)


def _touches(finding: Finding, mark: dict[str, Any], slack: float) -> bool:
    for name, view in finding.views.items():
        if name.startswith(mark["view"]):
            rows, columns = np.nonzero(view.mask)
            if (np.hypot(rows - mark["row"], columns - mark["col"]) <= mark["radius"] + slack).any():
                return True
    return False


def report(scores: list[Score], title: str) -> None:
    """Print one line per scan, the totals, both halves and the worst three."""
    print(f"\n{title}")
    for one in scores:
        print(f"  {one.scan:>5}  found {one.found:>2} of {one.marks:<2}  extra {len(one.extra)}")
    for label, part in (("all", scores), ("first half", scores[0::2]), ("second half", scores[1::2])):
        marks, found = sum(s.marks for s in part), sum(s.found for s in part)
        extra = sum(len(s.extra) for s in part) / max(len(part), 1)
        print(f"  {label}: found {found} of {marks} ({100 * found / max(marks, 1):.0f} %), extra {extra:.1f} a scan")
    print("  worst three:")
    for one in sorted(scores, key=lambda s: -(len(s.missed) + len(s.extra)))[:3]:
        print(f"    {one.scan}: missed {'; '.join(one.missed) or 'none'}\n      extra {'; '.join(one.extra) or 'none'}")


def run(folder: Path, label: Callable[[str, Scan], Labels], open_one: Callable[[Path], Scan]) -> None:
    """Read every scan with a reading and report."""
    readings = json.loads((folder / "readings.json").read_text())
    everything, counted = [], []
    for name in sorted(readings, key=int):
        scan = open_one(folder / f"{name}.dcm")
        findings = find(scan, label(name, scan))
        marks = readings[name]["findings"]
        everything.append(score(name, findings, marks))
        counted.append(score(name, tuple(f for f in findings if f.in_burden), marks))
    report(everything, "All hot bone findings")
    report(counted, "Hot bone findings that count in the burden")


def main() -> int:
    """Open the folder, label with the package's own labels, report."""
    where = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("BONESCAN_REAL_SCANS", "")
    if not (Path(where) / "readings.json").is_file():
        print("Give the folder that holds the scans and readings.json.", file=sys.stderr)
        return 2
    from bonescan.dicom import open_scan
    from bonescan.reading.labels import label

    run(Path(where), lambda _, scan: label(scan, lambda text: None), lambda path: open_scan([path]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
