"""How bright each region is: real scans against simulated patients, both read by the same labels.

Run: python bench/levels_real.py FOLDER [--patients 40] [--seed 1] [--spacing-mm 4] [--json OUT.json]

``FOLDER`` holds the real scans as ``ID.dcm`` (see `bench/regions_real.py`). Simulated patients are drawn by
`bonescan.patient.cohort`, seen by the simple projection of `bench/contact_sheet.py`, with 1.5 million counts a view.
`bonescan.reading.labels` finds regions in both; scans it does not trust are left out. A region's level in a view is ::

    median of its pixels / median of the lumbar spine's pixels in the posterior view of that scan

with the posterior scaled to the anterior view by nothing at all: cameras count both alike. "Rest" is what lies in the
body outside all regions, soft tissue above all. Medians over scans are printed with quartiles, and how many quartile
ranges of the real scans the simulated median lies off. The real pixels are of 8 bits, of unknown linearity, and
lesions are in many of them: a median holds against both, not wholly. Scans are taken in the order of their numbers;
levels may be set with every second one in view, from the first ("development"), and are judged on the others.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import contact_sheet
from bonescan.anatomy import REGION_NAMES
from bonescan.dicom import open_scan
from bonescan.patient.cohort import draw_patient, draw_scenario
from bonescan.reading.labels import label
from bonescan.scan import Scan, View, ViewName

Levels = dict[tuple[str, str], float]
REST = "rest"


def levels(scan: Scan) -> Levels | None:
    """Level of every region of every view; None where the labels are not trusted or the lumbar spine is missing."""
    labels = label(scan)
    if not labels.trusted:
        return None
    regions = {view.name: view.regions for view in labels.views}
    pictures = {view.name: ndimage.gaussian_filter(view.counts.astype(float), 1.0) for view in scan.views}
    name_of = dict(REGION_NAMES)
    lumbar = next(number for number, name in name_of.items() if name == "lumbar spine")
    if ViewName.POSTERIOR not in pictures or not (regions[ViewName.POSTERIOR] == lumbar).any():
        return None
    unit = float(np.median(pictures[ViewName.POSTERIOR][regions[ViewName.POSTERIOR] == lumbar]))
    found: Levels = {}
    for view, picture in pictures.items():
        body = ndimage.binary_fill_holes(picture > 0.03 * unit)
        for number, name in name_of.items():
            inside = regions[view] == number
            if inside.sum() >= 20:
                found[view.value, name] = float(np.median(picture[inside])) / unit
        outside = body & (ndimage.binary_dilation(regions[view] > 0, iterations=4) == 0)
        if outside.sum() >= 200:
            found[view.value, REST] = float(np.median(picture[outside])) / unit
    return found


def simulated(seed: int, number: int, spacing_mm: float) -> Scan:
    """One drawn patient, projected simply, as a scan."""
    pictures = contact_sheet.scanned(draw_patient(seed, number), draw_scenario(seed, number).imaging(), spacing_mm)
    counts = contact_sheet.noisy(pictures, 1.5e6, np.random.default_rng([seed, number]))
    return Scan(
        views=tuple(
            View(
                name=name,
                counts=picture.astype(np.float32),
                row_spacing_mm=spacing_mm,
                column_spacing_mm=spacing_mm,
                identity_basis="simulated",
                counts_accumulated=float(picture.sum()),
            )
            for name, picture in zip((ViewName.ANTERIOR, ViewName.POSTERIOR), counts, strict=True)
        )
    )


def quartiles(found: list[Levels]) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Quartiles over scans of every level that at least three have."""
    gathered = defaultdict(list)
    for one in found:
        for key, value in one.items():
            gathered[key].append(value)
    return {key: np.percentile(values, (25, 50, 75)) for key, values in gathered.items() if len(values) >= 3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spacing-mm", type=float, default=4.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.dcm"), key=lambda path: int(path.stem))
    real = [levels(open_scan([path])) for path in files]
    with ThreadPoolExecutor(2) as pool:
        scans = list(pool.map(lambda k: simulated(arguments.seed, k, arguments.spacing_mm), range(arguments.patients)))
    parts = {
        "development": [one for one in real[::2] if one],
        "other": [one for one in real[1::2] if one],
        "simulated": [one for one in map(levels, scans) if one],
    }
    print({name: len(found) for name, found in parts.items()}, "scans of trusted labels", file=sys.stderr)
    table = {name: quartiles(found) for name, found in parts.items()}
    print(f"{'view':<10}{'region':<16}{'development':>20}{'other':>20}{'simulated':>20}{'off':>7}")
    for key in sorted(table["simulated"], key=lambda k: (k[0], [*REGION_NAMES.values(), REST].index(k[1]))):
        cells = [table[name].get(key) for name in parts]
        said = ["" if q is None else f"{q[1]:.2f} ({q[0]:.2f}-{q[2]:.2f})" for q in cells]
        reals = [q for q in cells[:2] if q is not None]
        off = ""
        if reals:
            low, middle, high = np.mean(reals, axis=0)
            off = f"{(cells[2][1] - middle) / max(high - low, 0.02):+.1f}"
        print(f"{key[0]:<10}{key[1]:<16}" + "".join(f"{word:>20}" for word in said) + f"{off:>7}")
    if arguments.json:
        plain = {name: {" ".join(key): list(q) for key, q in part.items()} for name, part in table.items()}
        arguments.json.write_text(json.dumps(plain, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
