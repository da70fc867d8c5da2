"""Simulated three-phase studies, called against what was put into them: a table by scenario.

    python bench/three_phase.py OUT [--seeds 501 502 503] [--scenarios NAME ...]

Makes what is missing of the studies (``bonescan simulate SCENARIO --protocol three-phase --fast``), reads each with and
without the side of the symptoms, and prints the table. A study or reading that is there is not made again. The truth of
a study is opened here alone, for the lesion's place and side. Simulated people, simulated kinetics: no clinical figure.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Scenario: where the camera looks, the side with symptoms, and the rows of the table that are right.
SCENARIOS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "osteomyelitis": ("", "left", ("osteomyelitis", "acute_fracture")),
    "acute_fracture": ("", "left", ("osteomyelitis", "acute_fracture")),
    "infected_prosthesis": ("", "right", ("osteomyelitis", "acute_fracture")),
    "cellulitis": ("", "left", ("cellulitis",)),
    "healing_fracture": ("", "right", ("remodelling",)),
    "loose_prosthesis": ("", "left", ("remodelling",)),
    "regional_pain": ("hands", "right", ("regional_pain_early",)),
    "regional_pain_late": ("feet", "left", ("regional_pain_late",)),
    "arthritis": ("knees", "", ("no_asymmetry", "remodelling")),
    "normal": ("", "", ("no_asymmetry",)),
}
_NORMAL_OVER = ("knees", "feet", "hands")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[501, 502, 503])
    parser.add_argument("--scenarios", nargs="+", default=list(SCENARIOS), choices=list(SCENARIOS))
    chosen = parser.parse_args(arguments)
    rows = []
    for scenario in chosen.scenarios:
        for k, seed in enumerate(chosen.seeds):
            rows.append(_study(chosen.out, scenario, seed, _NORMAL_OVER[k % len(_NORMAL_OVER)]))
    _print_table(rows)


def _study(out: Path, scenario: str, seed: int, normal_over: str) -> dict[str, object]:
    folder = out / f"{scenario}_{seed}"
    record = folder / "three_phase.json"
    if record.is_file():
        return dict(json.loads(record.read_text()))
    from bonescan import dicom, journeys
    from bonescan.reading.three_phase.phases import read_phases

    over, side, right = SCENARIOS[scenario]
    over = over or (normal_over if scenario == "normal" else "")
    if not (folder / "truth" / "truth.json").is_file():
        settings = journeys.Settings(protocol="three-phase", fast=True, volumes=False, over=(over,) if over else ())
        journeys.simulate(scenario, folder, seed=seed, settings=settings)
    study = dicom.open_phases([folder])
    assert study is not None
    found: dict[str, object] = {"scenario": scenario, "seed": seed, "over": over, "right": right, "side": side}
    for name, told in (("without_side", None), ("with_side", side or None)):
        begin = time.process_time()
        reading = read_phases(study, side=told)
        found[name] = {
            "calls": [str(finding.call) for finding in reading.findings],
            "ratios": [finding.ratio.value for finding in reading.findings],
            "uncertainties": [finding.ratio.uncertainty for finding in reading.findings],
            "fits": [one.code for one in reading.explanations if one.fits],
            "first": reading.explanations[0].code if reading.explanations else "",
            "agreement": {one.code: round(one.agreement, 3) for one in reading.explanations},
            "side": reading.region.side if reading.region and reading.region.found_in else "",
            "seconds": round(time.process_time() - begin, 2),
        }
    record.write_text(json.dumps(found, indent=1))
    return found


def _print_table(rows: list[dict[str, object]]) -> None:
    print(f"{'scenario':<22}{'seed':>5}  {'flow':<20}{'pool':<20}{'delayed':<20}{'right':<7}rows that fit")
    tallies: dict[str, list[int]] = {}
    for row in rows:
        for name in ("without_side", "with_side"):
            found, right = row[name], row["right"]
            assert isinstance(found, dict)
            assert isinstance(right, list | tuple)
            hit, only = bool(set(found["fits"]) & set(right)), found["first"] in right and bool(found["fits"])
            tally = tallies.setdefault(f"{row['scenario']} {name}", [0, 0, 0])
            tally[0] += hit
            tally[1] += only
            tally[2] += 1
            cells = [
                f"{call} {ratio:.2f}" if ratio is not None else call
                for call, ratio in zip(found["calls"], found["ratios"], strict=True)
            ]
            if name == "with_side":
                line = "".join(f"{cell:<20}" for cell in cells)
                fits = ", ".join(found["fits"])
                print(f"{row['scenario']:<22}{row['seed']:>5}  {line}{'yes' if hit else 'no':<7}{fits}")
    print(f"\n{'':<40}{'right row fits':>16}{'and stands first':>18}{'of':>5}")
    for name, (hit, first, total) in tallies.items():
        print(f"{name:<40}{hit:>16}{first:>18}{total:>5}")
    for name in ("without_side", "with_side"):
        hit, first, total = map(sum, zip(*(t for key, t in tallies.items() if key.endswith(" " + name)), strict=True))
        print(f"{'all ' + name:<40}{hit:>16}{first:>18}{total:>5}")


if __name__ == "__main__":
    main()
