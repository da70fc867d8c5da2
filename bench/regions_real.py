"""Regions 1 to 12 of real scans against outlines drawn by another program: Dice and area ratio.

``python bench/regions_real.py FOLDER [--only outlines|network|fused|alone] [--json OUT.json]`` prints, for the anterior
and the posterior view, both measures for every region and every scan. ``--only`` says whose regions: the outlines of
the skeleton that the network led, the network's alone, both fused (what a reading shows, the default), or ``alone``,
the model-based reader's without any network. ``FOLDER`` (or the environment variable ``BONESCAN_REAL_SCANS``) holds
``ID.dcm`` and ``ID_regions_VIEW.png``, a picture of region numbers as large as the view.

With L the pixels that bonescan gives a region and M those that the outline gives it::

    Dice = 2 |L and M| / (|L| + |M|),      area ratio = |L| / |M|

A region counts in a scan where the outline has it; bonescan missing it there is a Dice of 0. A region that only
bonescan has is listed, and counts nowhere. A scan's figure is the mean over its regions, a view's the mean over scans
of those; its 95 % interval is the percentile bootstrap over scans (Efron 1979), as scans, not pixels, are what varies.

The outlines are a silver standard, drawn by a program. Scans are taken in the order of their numbers: bonescan's region
outlines were drawn with the masks of every second one in view, from the first (`development`); of the others (`other`)
no mask was. Both halves have been looked at since, so neither is a blind test.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bonescan.anatomy import REGION_NAMES
from bonescan.dicom import open_scan
from bonescan.reading import labels as labels_module
from bonescan.reading.labels import label
from bonescan.reading.model import Labels
from bonescan.reading.network import look
from bonescan.scan import Scan, ViewName

REGIONS = range(1, 13)
NAMES = ("skull", "cerv", "thor", "ribs", "stern", "clav", "scap", "humer", "lumb", "sacr", "pelv", "femur")
SHORT = dict(zip(REGIONS, NAMES, strict=True))
RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """One view of one scan against its outlines.

    ``dice`` and ``area_ratio`` by region of the outlines; ``extra`` are regions that only bonescan has.
    """

    scan: str
    view: ViewName
    trusted: bool
    correlation: float
    dice: dict[int, float] = field(default_factory=dict)
    area_ratio: dict[int, float] = field(default_factory=dict)
    extra: tuple[int, ...] = ()

    @property
    def mean_dice(self) -> float:
        return float(np.mean(list(self.dice.values())))


def overlaps(found: NDArray[np.uint8], outlined: NDArray[np.uint8]) -> tuple[dict[int, float], dict[int, float]]:
    """Dice and area ratio of every region that the outlines have."""
    dice, area_ratio = {}, {}
    for region in REGIONS:
        ours, theirs = found == region, outlined == region
        if theirs.any():
            dice[region] = 2 * np.count_nonzero(ours & theirs) / (np.count_nonzero(ours) + np.count_nonzero(theirs))
            area_ratio[region] = np.count_nonzero(ours) / np.count_nonzero(theirs)
    return dice, area_ratio


def labelled(scan: Scan, whose: str) -> Labels:
    """Labels of a scan with regions by the outlines, by the network, by both, or without any network."""
    glance = None if whose == "alone" else look(scan)
    if whose != "alone" and glance is None:
        sys.exit("No trained network is part of this installation: only --only alone can be measured.")
    if whose == "outlines":
        with patch.object(labels_module, "fused_regions", lambda outlined, probability, mm: outlined):
            return label(scan, glance)
    labels = label(scan, glance)
    if whose == "network":
        views = tuple(
            replace(view, regions=dense.regions.argmax(axis=0).astype(np.uint8))
            for view, dense in zip(labels.views, glance.views, strict=True)
        )
        labels = replace(labels, views=views)
    return labels


def measure(folder: Path, whose: str) -> list[Overlap]:
    """Label every scan of the folder that has outlines."""
    found = []
    for name in numbers(folder):
        scan = open_scan([folder / f"{name}.dcm"])
        labels = labelled(scan, whose)
        for view in labels.views:
            path = folder / f"{name}_regions_{view.name}.png"
            if not path.is_file():
                continue
            outlined = np.asarray(Image.open(path))
            if outlined.shape != view.regions.shape:
                sys.exit(f"{path.name} is {outlined.shape}, the view is {view.regions.shape}")
            dice, area_ratio = overlaps(view.regions, outlined)
            found.append(
                Overlap(
                    scan=name,
                    view=view.name,
                    trusted=labels.trusted,
                    correlation=view.correlation,
                    dice=dice,
                    area_ratio=area_ratio,
                    extra=tuple(r for r in REGIONS if (view.regions == r).any() and r not in dice),
                )
            )
        print(f"{name} labelled", file=sys.stderr)
    return found


def numbers(folder: Path) -> list[str]:
    """Names of the scans, in the order of their numbers."""
    return sorted((path.stem for path in folder.glob("*.dcm")), key=int)


def interval(values: Sequence[float]) -> str:
    """Mean and its 95 % percentile bootstrap interval."""
    if not values:
        return "none"
    rng = np.random.default_rng(0)
    drawn = rng.choice(np.asarray(values), (RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{np.mean(values):.3f} ({low:.3f} to {high:.3f})"


def table(part: list[Overlap], what: str, value: Callable[[Overlap], dict[int, float]], summary: bool) -> None:
    """One line per scan, and the mean of every region."""
    tail = "    mean   lowest  trusted  corr." if summary else ""
    print(f"\n{what}\n{'scan':>6} " + "".join(f"{SHORT[r]:>7}" for r in REGIONS) + tail)
    for one in part:
        cells = "".join(f"{value(one)[r]:>7.2f}" if r in value(one) else f"{'-':>7}" for r in REGIONS)
        worst = min(one.dice, key=lambda r: one.dice[r])
        tail = f"{one.mean_dice:>8.3f}  {SHORT[worst]:>7}  {'yes' if one.trusted else 'NO':>7}  {one.correlation:.2f}"
        print(f"{one.scan:>6} {cells}" + (tail if summary else ""))
    columns = {r: [value(one)[r] for one in part if r in value(one)] for r in REGIONS}
    for name, function in (("mean", np.mean), ("lowest", np.min), ("highest", np.max)):
        print(f"{name:>7}" + "".join(f"{function(columns[r]):>7.2f}" if columns[r] else f"{'-':>7}" for r in REGIONS))


def report(found: list[Overlap], order: list[str]) -> None:
    """Print the tables of both views, then the summary."""
    for view in ViewName:
        part = [one for one in found if one.view is view]
        if part:
            table(part, f"{view}: Dice", lambda one: one.dice, True)
            table(part, f"{view}: area ratio", lambda one: one.area_ratio, False)
            for one in part:
                if one.extra:
                    print(f"  {one.scan}: also {', '.join(REGION_NAMES[r] for r in one.extra)}, not outlined there")
    halves = {"all": set(order), "development": set(order[0::2]), "other": set(order[1::2])}
    print("\nMean Dice over regions, mean of scans with 95 % bootstrap interval, and the worst scan")
    print(f"{'':<22}{'scans':>6}  {'mean':<26}{'worst':<14}{'lowest region mean'}")
    for view in ViewName:
        for name, half in halves.items():
            part = [one for one in found if one.view is view and one.scan in half]
            if not part:
                continue
            worst = min(part, key=lambda one: one.mean_dice)
            means = {r: np.mean([one.dice[r] for one in part if r in one.dice] or [np.nan]) for r in REGIONS}
            low = min((r for r in means if np.isfinite(means[r])), key=lambda r: means[r])
            print(
                f"{view.value + ', ' + name:<22}{len(part):>6}  {interval([one.mean_dice for one in part]):<26}"
                f"{f'{worst.scan}: {worst.mean_dice:.3f}':<14}{SHORT[low]} {means[low]:.2f}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=os.environ.get("BONESCAN_REAL_SCANS", ""))
    parser.add_argument(
        "--only", choices=("outlines", "network", "fused", "alone"), default="fused", help="whose regions"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    if not arguments.folder or not any(folder.glob("*_regions_*.png")):
        print("Give the folder that holds the scans and their region outlines.", file=sys.stderr)
        return 2
    found = measure(folder, arguments.only)
    report(found, numbers(folder))
    if arguments.json:
        rows = [
            {"scan": o.scan, "view": o.view.value, "trusted": o.trusted, "dice": o.dice, "area_ratio": o.area_ratio}
            for o in found
        ]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
