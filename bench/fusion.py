"""Regions 1 to 12 of real scans by outlines alone, by the network alone and by both fused, against silver outlines.

``python bench/fusion.py FOLDER [--weights 1 2 4 8] [--fit-weights AREA LEVEL]``

``FOLDER`` (or the environment variable ``BONESCAN_REAL_SCANS``) holds ``ID.dcm`` and ``ID_regions_VIEW.png``. Every
scan is labelled twice, without the network ("alone") and led by it ("outlines", the skeleton's regions only); the
network's most probable regions are "network", and "fused W" both together with the outlines' weight W. Per view it
prints the mean Dice over scans of the first half (every second one from the first: choose there), of the other
(confirm there) and of all, the worst scan, and every region's mean. ``--fit-weights`` tries other weights of areas
and levels.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bonescan.dicom import open_scan
from bonescan.reading import labels
from bonescan.reading.network import look
from bonescan.reading.skeleton import problem
from bonescan.scan import ViewName

Regions = NDArray[np.uint8]
Scores = dict[tuple[str, ViewName], dict[int, float]]


def dice(found: Regions, outlined: Regions) -> dict[int, float]:
    """Of every region that the outlines have."""
    both, ours, theirs = (
        np.bincount(one.ravel(), minlength=18) for one in (outlined[found == outlined], found, outlined)
    )
    return {k: float(2 * both[k] / (ours[k] + theirs[k])) for k in range(1, 13) if theirs[k]}


def measure(folder: Path, weights: list[float]) -> dict[str, Scores]:
    """Every way's Dice by scan and view."""
    found: dict[str, Scores] = {}
    for path in sorted(folder.glob("*.dcm"), key=lambda one: int(one.stem)):
        scan = open_scan([path])
        glance = look(scan)
        if glance is None:
            raise SystemExit("No trained network is part of this installation.")
        alone = labels.label(scan)
        with patch.object(labels, "fused_regions", lambda outlined, probability, mm: outlined):
            led = labels.label(scan, glance)
        for before, view, seen in zip(alone.views, led.views, glance.views, strict=True):
            silver = folder / f"{path.stem}_regions_{view.name}.png"
            if not silver.is_file():
                continue
            ways = {
                "alone": before.regions,
                "outlines": view.regions,
                "network": seen.regions.argmax(axis=0).astype(np.uint8),
            }
            for weight in weights:
                with patch.object(labels, "_OUTLINE_WEIGHT", weight):
                    ways[f"fused {weight:g}"] = labels.fused_regions(view.regions, seen.regions, view.pixel_mm)
            outlined = np.asarray(Image.open(silver))
            for way, regions in ways.items():
                found.setdefault(way, {})[path.stem, view.name] = dice(regions, outlined)
        print(f"{path.stem} labelled, {'trusted' if led.trusted else 'NOT trusted'}", flush=True)
    return found


def report(found: dict[str, Scores], order: list[str]) -> None:
    for view in ViewName:
        print(
            f"\n{view}\n{'':<12}{'first':>7}{'other':>7}{'all':>7}  {'worst':<12}"
            + "".join(f"{k:>6}" for k in range(1, 13))
        )
        for way, scores in found.items():
            means = {scan: float(np.mean(list(one.values()))) for (scan, name), one in scores.items() if name is view}
            if not means:
                continue
            halves = [[means[scan] for scan in order[k::2] if scan in means] for k in (0, 1)]
            worst = min(means, key=lambda scan: means[scan])
            cells = []
            for k in range(1, 13):
                values = [one[k] for (_, name), one in scores.items() if name is view and k in one]
                cells.append(f"{np.mean(values):>6.2f}" if values else f"{'-':>6}")
            print(
                f"{way:<12}{np.mean(halves[0]):>7.3f}{np.mean(halves[1]):>7.3f}{np.mean(list(means.values())):>7.3f}  "
                f"{f'{worst}: {means[worst]:.3f}':<12}" + "".join(cells)
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("BONESCAN_REAL_SCANS"))
    parser.add_argument("--weights", nargs="+", type=float, default=[1.0, 2.0, 4.0, 8.0])
    parser.add_argument("--fit-weights", nargs=2, type=float, metavar=("AREA", "LEVEL"))
    arguments = parser.parse_args()
    if arguments.folder is None:
        parser.error("give the folder that holds the scans and their region outlines")
    if arguments.fit_weights:
        problem._AREA_WEIGHT, problem._LEVEL_WEIGHT = arguments.fit_weights
    order = sorted((path.stem for path in arguments.folder.glob("*.dcm")), key=int)
    report(measure(arguments.folder, arguments.weights), order)


if __name__ == "__main__":
    main()
