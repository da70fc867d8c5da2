"""Which patterns are called on which simulated scenarios: the confusion of rules and truth.

Run: python bench/patterns.py OUT [--seeds 1,2,3] [--scenarios normal,paget] [--processes 1] [--real FOLDER]

Every scenario is simulated (``--fast``) and read, once for each seed, into a line of OUT/patterns.jsonl; lines that are
there are not made again, so that a run which was stopped goes on. Studies are kept in OUT/studies. The table's rows are
scenarios, its columns patterns: how many scans of the scenario call it present, and in brackets possible besides. A
pattern that belongs to a scenario stands in its own column (`EXPECTED`); any other call is a false one. With ``--real``
every DICOM object of a folder is read too: nothing is known of those, their calls are to be judged by eye.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bonescan import dicom, reading
from bonescan.journeys import simulate
from bonescan.journeys.simulation import Settings
from bonescan.reading.conclusion.patterns import packaged_rules
from bonescan.reading.model import Presence, Reading

CHILD = 'title = "A child"\nshows = "Growth plates."\n[person]\nage_years = 12\n'
EXPECTED = {
    "normal": (),
    "obesity": (),
    "degenerative_spine": (),
    "arthritis": (),
    "rheumatoid_arthritis": (),
    "single_metastasis": (),
    "recent_other_tracer": (),
    "injection_site": (),
    "metastases": ("widespread_metastases",),
    "metastatic_superscan": ("metastatic_superscan", "widespread_metastases"),
    "metabolic_superscan": ("metabolic_superscan",),
    "sacral_insufficiency": ("sacral_insufficiency",),
    "rib_fractures": ("rib_fractures",),
    "paget": ("paget",),
    "hypertrophic_osteoarthropathy": ("hypertrophic_osteoarthropathy",),
    "regional_pain": ("regional_pain_hand",),
    "child": ("growth_plates",),
    "kidney_failure": ("kidney_failure",),
    "too_early": ("too_early",),
    "too_late": ("too_late",),
    "free_pertechnetate": ("free_pertechnetate",),
    "colloid": ("colloid",),
    "extravasation": ("extravasation",),
    "urine_on_clothing": ("urine_contamination",),
    "urine_on_skin": ("urine_contamination",),
    "full_bladder": ("full_bladder",),
}
"""Of every scenario the patterns it should show; ``metastases`` has nine foci, of which a reader finds four to six."""


def made(task: tuple[str, int, Path]) -> dict[str, object]:
    """Simulate and read one study."""
    scenario, seed, out = task
    folder = out / "studies" / f"{scenario}_{seed}"
    told = scenario
    if scenario == "child":
        told = str(out / "child.toml")
        Path(told).write_text(CHILD, encoding="utf-8")
    if not (folder / "dicom").is_dir():
        simulate(told, folder, seed=seed, settings=Settings(fast=True, volumes=False))
    return line(scenario, seed, reading.read(dicom.open_scan([folder / "dicom"])))


def real(task: tuple[str, Path]) -> dict[str, object]:
    """Read one study that is there."""
    name, path = task
    return line(f"real {name}", 0, reading.read(dicom.open_scan([path])))


def line(scenario: str, seed: int, read: Reading) -> dict[str, object]:
    """What a reading says of patterns, as one line."""
    impression = read.impression
    patterns = {} if impression is None else {one.code: one.presence.value for one in impression.patterns}
    return {
        "scenario": scenario,
        "seed": seed,
        "trusted": read.labels.trusted,
        "patterns": patterns,
        "sentences": [] if impression is None else list(impression.sentences),
    }


def table(lines: list[dict[str, object]]) -> str:
    """Scenarios against patterns; present, and possible in brackets."""
    codes = [rule.code for rule in packaged_rules()]
    calls: dict[str, Counter[str]] = defaultdict(Counter)
    for one in lines:
        counter = calls[str(one["scenario"])]
        counter["scans"] += 1
        counter["not trusted"] += not one["trusted"]
        for code, presence in one["patterns"].items():
            counter[f"{code} {presence}"] += 1
    short = [code[:10] for code in codes]
    rows = [f"{'scenario':<30} n  " + " ".join(f"{name:>10}" for name in short)]
    for scenario, counter in calls.items():
        cells = []
        for code in codes:
            present, possible = counter[f"{code} {Presence.PRESENT}"], counter[f"{code} {Presence.POSSIBLE}"]
            shown = f"{present}" + (f" ({possible})" if possible else "") if present + possible else "."
            if code in EXPECTED.get(scenario, ()):
                shown = f"[{shown}]"
            cells.append(f"{shown:>10}")
        lost = f"  {counter['not trusted']} not trusted" if counter["not trusted"] else ""
        rows.append(f"{scenario:<30} {counter['scans']:<2} " + " ".join(cells) + lost)
    return "\n".join(rows)


def sums(lines: list[dict[str, object]]) -> str:
    """Found where it should be, and called elsewhere."""
    known = [one for one in lines if one["scenario"] in EXPECTED and one["trusted"]]
    present = possible = wanted = false = 0
    for one in known:
        expected = set(EXPECTED[str(one["scenario"])])
        calls = {code for code, presence in one["patterns"].items() if presence == Presence.PRESENT}
        maybe = {code for code, presence in one["patterns"].items() if presence == Presence.POSSIBLE}
        wanted += len(expected)
        present += len(expected & calls)
        possible += len(expected & maybe)
        false += len(calls - expected)
    return (
        f"{present} of {wanted} expected patterns called present, {possible} more possible; "
        f"{false} calls of others in {len(known)} scans"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--scenarios", default=",".join(EXPECTED))
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--real", type=Path)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    kept = asked.out / "patterns.jsonl"
    lines = [json.loads(text) for text in kept.read_text(encoding="utf-8").splitlines()] if kept.exists() else []
    there = {(one["scenario"], one["seed"]) for one in lines}
    studies = [
        (scenario, int(seed), asked.out)
        for seed in asked.seeds.split(",")
        for scenario in asked.scenarios.split(",")
        if (scenario, int(seed)) not in there
    ]
    files = sorted(asked.real.glob("*.dcm")) if asked.real else []
    others = [(path.stem, path) for path in files if (f"real {path.stem}", 0) not in there]
    with ProcessPoolExecutor(asked.processes, mp_context=get_context("spawn")) as pool, kept.open("a") as file:
        for results in (pool.map(real, others), pool.map(made, studies)):
            for one in results:
                lines.append(one)
                file.write(json.dumps(one) + "\n")
                file.flush()
                print(one["scenario"], one["seed"], one["patterns"], file=sys.stderr)
    print(table(lines))
    print()
    print(sums(lines))


if __name__ == "__main__":
    main()
