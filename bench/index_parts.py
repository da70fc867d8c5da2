"""Where the Bone Scan Index goes wrong: true mass that is lost or counted falsely on its way to the index, by step.

Run: python bench/index_parts.py COHORT [COHORT ...]

reads every study of folders that `bonescan simulate cohort:metastatic -o COHORT` made, with the network, and prints for
people with a true index of 0.1 to 13 % the means over people, in percent of skeletal mass:

unseen       metastases that no view shows (`visible` of `bonescan evaluate`) and no bone finding hits
missed       metastases that a view shows and no bone finding hits
not counted  metastases that are hit, but by no finding that counts
false        what findings that count and hit no metastasis add to the index
mass         |what the others that count add - true mass of the metastases they hit|

and the index's r and mean error as read and with each step replaced by the truth, one after the other. What is then
left of the truth is scaled by least squares, as the index is by its factor. What a hit is: `training/natures.py`.
Everything is simulated.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

import natures
from bonescan.dicom import open_scan
from bonescan.reading.interpret import read_case
from bonescan.reading.measures import burden
from bonescan.reading.model import Kind, Polarity

LEAST_PERCENT, MOST_PERCENT = 0.1, 13.0
PARTS = ("unseen", "missed", "not counted", "false", "counted", "hit")


def parts(study: Path) -> dict[str, float] | None:
    """Mass by step of one study; none where its index is not given or outside the range."""
    truth = json.loads((study / "truth/truth.json").read_text())
    true = truth["burden"]["bone_scan_index_percent"]
    if not LEAST_PERCENT <= true <= MOST_PERCENT:
        return None
    scan = open_scan(sorted((study / "dicom").glob("*.dcm")))
    case = read_case(scan)
    reading, glance = case.reading, case.glance
    told = reading.burden.bone_scan_index_percent.value
    if told is None or glance is None:
        return None
    areas = {
        view["name"]: (
            np.array(Image.open(study / f"truth/lesions_{view['name']}.png")),
            (view["row_spacing_mm"], view["column_spacing_mm"]),
        )
        for view in truth["pictures"]
    }
    table = burden.mineral_table(scan)
    filled = burden.filled_mass(reading.labels, glance, reading.findings, table).percent.mean(0)[:, 1:].sum(0)
    outlined = burden.outlined_mass(reading.labels, reading.findings, table)
    adds = burden.expected_mass(outlined, filled, burden._curve())
    metastases = {one["number"]: one for one in truth["lesions"] if one["metastasis"]}
    found: set[int] = set()
    counted: set[int] = set()
    right = wrong = 0.0
    for finding, mass in zip(reading.findings, adds, strict=True):
        if finding.polarity is not Polarity.HOT or finding.kind is not Kind.BONE:
            continue
        hit = metastases.keys() & set(natures._held(finding, truth, areas)["lesions"])
        found |= hit
        if finding.in_burden:
            counted |= hit
            right, wrong = (right + float(mass), wrong) if hit else (right, wrong + float(mass))
    scale = told / (right + wrong) if right + wrong else 0.0
    mass_of = {number: one["mineral_share_percent"] for number, one in metastases.items()}
    lost = metastases.keys() - found
    seen = {number for number, one in metastases.items() if natures._visible(one)}
    return {
        "true": true,
        "told": told,
        "unseen": sum(mass_of[number] for number in lost - seen),
        "missed": sum(mass_of[number] for number in lost & seen),
        "not counted": sum(mass_of[number] for number in found - counted),
        "false": scale * wrong,
        "counted": scale * right,
        "hit": sum(mass_of[number] for number in counted),
    }


def report(people: list[dict[str, float]]) -> None:
    """Print the means, then the index with step after step replaced by the truth."""
    column = {name: np.array([one[name] for one in people]) for name in people[0]}
    print(f"{len(people)} people, true index {column['true'].mean():.2f} % in the mean")
    for name in PARTS[:4]:
        print(f"{name:<14}{column[name].mean():.3f} %")
    print(f"{'mass':<14}{np.abs(column['counted'] - column['hit']).mean():.3f} %\n")
    ideal = column["hit"] + column["false"]
    row("as read", column["told"], column["true"], scaled=False)
    for words, gain in (
        ("true mass of what counts", 0.0),
        ("and nothing false", -column["false"]),
        ("and every metastasis found counts", column["not counted"]),
        ("and every visible one is found", column["missed"]),
    ):
        ideal = ideal + gain
        row(words, ideal, column["true"], scaled=True)


def row(words: str, index: NDArray[np.float64], true: NDArray[np.float64], *, scaled: bool) -> None:
    if scaled:
        index = index * float(index @ true) / float(index @ index)
    r = float(np.corrcoef(index, true)[0, 1])
    print(f"{words:<36} r {r:.3f}   mean error {np.abs(index - true).mean():.3f} %")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohorts", type=Path, nargs="+")
    people = []
    for study in (one for cohort in parser.parse_args().cohorts for one in sorted(cohort.glob("case_*"))):
        own = parts(study)
        if own is not None:
            people.append(own)
            print(study, file=sys.stderr, flush=True)
    if not people:
        raise SystemExit(f"No study has an index of {LEAST_PERCENT} to {MOST_PERCENT} %.")
    report(people)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
