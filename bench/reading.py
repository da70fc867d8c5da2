"""How good readings are: the whole protocol on simulated people nobody has seen, and on real scans with outlines.

Run: python bench/reading.py OUT --seed N [--people 300] [--pairs 20] [--real FOLDER] [--also FOLDER ...]

makes in OUT, and keeps, so that a stopped run goes on with the same command:

held_out/   as many people without lesions, with benign ones only and with metastases, half of each under each of two
            cameras that no training used (seeds SEED to SEED + 5)
pairs/      people with metastases (seed SEED + 6) scanned at 1.5 million counts, again, at half of that (twice the
            speed), by another camera, at 0.5 and 0.2 million counts
figures/    of each of these, of the real scans and of what `--also` names (a body that is not of our family, say), the
            evaluation of the reader as it is, with the model-based reader's figures beside it

then prints the figures that are aimed at, each beside its aim, and both readers. Left and right are exchanged in the
pairs' first scans. Speed and memory of the command are `bench/read_speed.py`'s. Everything is simulated but the real
scans, and none of it is a clinical performance.

A seed that was looked at is a seed to develop with: choose one nobody has used, once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bonescan import journeys
from bonescan.evaluation.agreement import agreement_figures_of_pairs
from bonescan.evaluation.figures import Figure

CAMERAS = ("brightview_lehr", "czt_whole_body")  # those that training/people.py leaves out
KINDS = ("cohort:normal", "cohort:mimics", "cohort:metastatic")
READERS = ("installed", "model-based")
FIRST = "first"


@dataclass(frozen=True, kw_only=True)
class Aim:
    """A figure that is aimed at: which, of what, and how large or small it is to be."""

    part: str
    key: str
    words: str
    at_least: float | None = None
    at_most: float | None = None

    def met(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        return f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"


_LEAST = (
    ("real", "regions.all", "real scans, mean Dice of regions", 0.88),
    ("real", "regions.worst_scan", "real scans, lowest scan", 0.80),
    ("real", "regions.worst", "real scans, lowest region in a view", 0.72),
    ("real", "circles.all.found", "real scans, marks found", 0.90),
    ("held_out", "lesions.visible.3.8", "visible lesions found, 3.8 false a scan", 0.92),
    ("held_out", "metastases.visible.3.8", "visible metastases, 3.8 false a scan", 0.92),
    ("held_out", "people.auc.all", "area under the curve, people", 0.95),
    ("held_out", "people.specificity.all.benign", "specificity on benign mimics at 90 %", 0.75),
    ("held_out", "bsi.r.linear", "Bone Scan Index, r over 0.1 to 13 %", 0.997),
)
_MOST = (
    ("real", "circles.all.extra", "real scans, findings not marked, a scan", 4),
    ("real", "studies.failed", "real scans not read", 0),
    ("held_out", "calibration.findings", "calibration error, findings", 0.05),
    ("held_out", "calibration.people", "calibration error, people", 0.05),
    (f"pairs/{FIRST}", "bsi.error.linear", "index 0.1 to 13 %, error at 1.5 M counts", 0.15),
    ("pairs/half_million", "bsi.error.linear", "index 0.1 to 13 %, error at 0.5 M counts", 0.30),
    ("pairs/fifth_million", "bsi.error.linear", "index 0.1 to 13 %, error at 0.2 M counts", 0.80),
    ("pairs/agreement", "pairs.again.sd.linear", "index 0.1 to 13 %, repeat SD", 0.10),
    ("pairs/agreement", "pairs.twice_the_speed.error.linear", "index 0.1 to 13 %, at twice the speed", 0.20),
)
AIMS = (
    *(Aim(part=part, key=key, words=words, at_least=value) for part, key, words, value in _LEAST),
    *(Aim(part=part, key=key, words=words, at_most=value) for part, key, words, value in _MOST),
)


def conditions() -> dict[str, journeys.Settings]:
    """How the same people are scanned again."""

    def settings(camera: str, counts: float, repeat: int) -> journeys.Settings:
        return journeys.Settings(camera=camera, counts=counts, fast=True, repeat=repeat)

    first, other = CAMERAS
    return {
        FIRST: settings(first, 1.5e6, 0),
        "again": settings(first, 1.5e6, 1),
        "twice_the_speed": settings(first, 0.75e6, 2),
        "another_camera": settings(other, 1.5e6, 3),
        "half_million": settings(first, 0.5e6, 4),
        "fifth_million": settings(first, 0.2e6, 5),
    }


def make(arguments: argparse.Namespace) -> None:
    """Simulate everybody who is not there yet."""
    each = arguments.people // (len(KINDS) * len(CAMERAS))
    cells = [(kind, camera) for kind in KINDS for camera in CAMERAS]
    for k, (kind, camera) in enumerate(cells):
        journeys.simulate_cohort(
            kind,
            arguments.out / "held_out" / f"{kind.partition(':')[2]}_{camera}",
            count=each,
            seed=arguments.seed + k,
            settings=journeys.Settings(camera=camera, fast=True),
            processes=arguments.processes,
            progress=say,
        )
    for name, settings in conditions().items():
        journeys.simulate_cohort(
            "cohort:metastatic",
            arguments.out / "pairs" / name,
            count=arguments.pairs,
            seed=arguments.seed + len(cells),
            settings=settings,
            processes=arguments.processes,
            progress=say,
        )


def evaluate(arguments: argparse.Namespace) -> dict[str, dict[str, dict[str, Figure]]]:
    """Every part's figures by both readers, by part, reader and key."""
    folders = {"held_out": arguments.out / "held_out"}
    folders |= {f"pairs/{name}": arguments.out / "pairs" / name for name in conditions()}
    folders |= {} if arguments.real is None else {"real": arguments.real}
    folders |= {folder.name: folder for folder in arguments.also}
    told: dict[str, dict[str, dict[str, Figure]]] = {}
    for part, folder in folders.items():
        for reader in reversed(READERS):  # the model-based one first, so that the other's page has it beside
            beside = arguments.out / "figures" / READERS[1] / part / "evaluation.json"
            done = journeys.evaluate(
                folder,
                arguments.out / "figures" / reader / part,
                learned=reader == READERS[0],
                mirrored=part == f"pairs/{FIRST}",
                against=beside if reader == READERS[0] else None,
                processes=arguments.processes,
                progress=say,
            )
            figures = [Figure(**one) for one in done.record["figures"]]
            told.setdefault(part, {})[reader] = {one.key: one for one in figures}
    return told | {"pairs/agreement": {reader: agreement(arguments.out, reader) for reader in READERS}}


def agreement(out: Path, reader: str) -> dict[str, Figure]:
    """How readings of the first scan and of every other of the same people agree."""
    first = cases(out, reader, FIRST)
    figures = [
        one
        for name in conditions()
        if name != FIRST
        for one in agreement_figures_of_pairs(first, cases(out, reader, name), name)
    ]
    return {one.key: one for one in figures}


def cases(out: Path, reader: str, name: str) -> list[dict[str, Any]]:
    folder = out / "figures" / reader / "pairs" / name / "cases"
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def report(told: dict[str, dict[str, dict[str, Figure]]]) -> None:
    """Print what is aimed at, then how readings of one person agree."""
    print(f"\n{'aimed at':<46}{'aim':>10}" + "".join(f"{reader:>32}" for reader in READERS))
    for aim in AIMS:
        if aim.part in told:
            row = [told[aim.part][reader].get(aim.key) for reader in READERS]
            print(f"{aim.words:<46}{aim!s:>10}" + "".join(f"{in_words(one, aim):>32}" for one in row))
    print("\nTwo readings of one person (second less first)")
    for key, one in told["pairs/agreement"][READERS[0]].items():
        row = [told["pairs/agreement"][reader][key] for reader in READERS]
        what = key.split(".")[1].replace("_", " ")
        print(f"{f'{what}: {one.title}':<82}" + "".join(f"{in_words(own):>32}" for own in row))
    parts = ", ".join(part for part in told if part != "pairs/agreement")
    print(f"\nEvery figure: OUT/figures/installed/PART/evaluation.html, PART one of {parts}")


def in_words(one: Figure | None, aim: Aim | None = None) -> str:
    if one is None or one.value is None:
        return "-" if one is None else one.absent_reason
    span = "" if one.low is None else f" ({one.low:.3f} to {one.high:.3f})"
    return f"{one.value:.3f}{span}" + ("" if aim is None else " met" if aim.met(one.value) else " NOT")


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, required=True, help="of the first of seven cohorts")
    parser.add_argument("--people", type=int, default=300, help="held out, in all")
    parser.add_argument("--pairs", type=int, default=20, help="people who are scanned six times")
    parser.add_argument("--real", type=Path, default=os.environ.get("BONESCAN_REAL_SCANS") or None)
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further folders with truth")
    parser.add_argument("--processes", type=int)
    arguments = parser.parse_args(words)
    if arguments.real is not None:
        arguments.real = Path(arguments.real)
    make(arguments)
    report(evaluate(arguments))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
