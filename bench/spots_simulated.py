"""How many simulated hot spots are found, against how many false ones a scan: the free-response figure.

Run: python bench/spots_simulated.py [--bodies 6] [--seed 100] [--counts 1.5e6] [--radius 12] [--processes 2]

Every body (own pose, uptake, sex and girth; see simulate.py) is scanned once without lesions and once with lesions at
all ten sites for each contrast 2, 3 and 5. A lesion is found when a hot finding of kind `bone` comes, in some view,
within a resolution width of the pixel where it shows most; a finding of that kind that is near no lesion is false.
Contrast is that of the bone itself; what the picture shows is less, as overlying bone, blur and depth dilute it, so
the mean ratio in the noise-free picture (the better view) stands beside it. `find` gives no mark below its own
threshold; rows of the first table with a higher one keep only findings at least that significant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from bonescan.reading.model import Finding, Kind, Polarity
from simulate import CONTRASTS, PIXEL_MM, SITES, Lesion, Study, as_scan, simulate

GIRTHS = (0.9, 1.0, 1.1, 1.25)
NEAR_MM = 12.0  # about the resolution of a whole-body view
THRESHOLDS = (0.0, 5.0, 6.0, 8.0, 10.0, 15.0)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One scan to read; contrast 0 is the body without lesions."""

    seed: int
    sex: str
    girth: float
    contrast: float
    counts: float
    radius_mm: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """Significance at which each lesion was found (0: not), of each false finding, and what was not tried.

    ``named_otherwise`` lists the sites where a hot finding of another kind lies: seen, but taken for something else.
    """

    case: Case
    sites: tuple[str, ...]
    ratios: tuple[float, ...]
    found: tuple[float, ...]
    false: tuple[float, ...]
    false_places: tuple[str, ...]
    named_otherwise: tuple[str, ...]
    trusted: bool


def near(finding: Finding, lesion: Lesion) -> bool:
    """Whether a finding comes within `NEAR_MM` of where the lesion shows, in some view."""
    for name, seen in finding.views.items():
        place = lesion.views[name.value]
        rows, columns = np.nonzero(seen.mask)
        if len(rows) and np.hypot(rows - place["row"], columns - place["column"]).min() * PIXEL_MM <= NEAR_MM:
            return True
    return False


def score(findings: tuple[Finding, ...], study: Study, case: Case, *, trusted: bool) -> Score:
    """Hold findings against the truth of their study."""
    hot = [finding for finding in findings if finding.polarity is Polarity.HOT]
    bone = [finding for finding in hot if finding.kind is Kind.BONE]
    others = [finding for finding in hot if finding.kind is not Kind.BONE]
    found = tuple(max((f.significance for f in bone if near(f, x)), default=0.0) for x in study.lesions)
    false = [f for f in bone if not any(near(f, x) for x in study.lesions)]
    return Score(
        case=case,
        sites=tuple(x.site for x in study.lesions),
        ratios=tuple(max(seen["ratio"] for seen in x.views.values()) for x in study.lesions),
        found=found,
        false=tuple(f.significance for f in false),
        false_places=tuple(f.place for f in false),
        named_otherwise=tuple(
            x.site for x, got in zip(study.lesions, found, strict=True) if not got and any(near(f, x) for f in others)
        ),
        trusted=trusted,
    )


def run(case: Case) -> Score:
    """Simulate, read and score one case."""
    from bonescan.reading.findings.spots import find
    from bonescan.reading.labels import label

    study = simulate(
        case.seed,
        lesions=len(SITES) if case.contrast else 0,
        counts=case.counts,
        sex=case.sex,
        girth=case.girth,
        contrasts=(case.contrast,),
        radius_mm=(case.radius_mm, case.radius_mm),
    )
    scan = as_scan(study)
    labels = label(scan)
    return score(find(scan, labels), study, case, trusted=labels.trusted)


def free_response(scores: list[Score]) -> str:
    """Sensitivity by contrast against false findings per scan, at the program's threshold and above it."""
    lines = [
        f"{'significance':<14}{'false/scan':>12}" + "".join(f"{f'{c:.0f} x':>10}" for c in CONTRASTS) + f"{'all':>10}"
    ]
    for threshold in THRESHOLDS:
        false = np.mean([sum(v >= threshold for v in s.false) for s in scores])
        cells = []
        for contrast in (*CONTRASTS, None):
            got = [v > 0 and v >= threshold for s in scores for v in s.found if contrast in (None, s.case.contrast)]
            cells.append(f"{100 * np.mean(got):>9.0f}%")
        lines.append(f"{'any' if not threshold else f'>= {threshold:g}':<14}{false:>12.2f}" + "".join(cells))
    return "\n".join(lines)


def by_site(scores: list[Score]) -> str:
    """Sensitivity and mean ratio in the noise-free picture, by site and contrast."""
    table: dict[tuple[str, float], list[tuple[float, float]]] = defaultdict(list)
    for s in scores:
        for site, got, ratio in zip(s.sites, s.found, s.ratios, strict=True):
            table[site, s.case.contrast].append((got > 0, ratio))
    lines = [f"{'found (ratio in picture)':<26}" + "".join(f"{f'{c:.0f} x normal':>16}" for c in CONTRASTS)]
    for site, *_ in SITES:
        cells = []
        for contrast in CONTRASTS:
            got, ratio = np.mean(table[site, contrast], axis=0)
            cells.append(f"{f'{100 * got:.0f}% ({ratio:.1f})':>16}")
        lines.append(f"{site:<26}" + "".join(cells))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=6)
    parser.add_argument("--seed", type=int, default=100, help="of the first body; each next one has the next seed")
    parser.add_argument("--counts", type=float, default=1.5e6, help="expected counts of each view")
    parser.add_argument("--radius", type=float, default=12.0, help="of the lesions, mm")
    parser.add_argument("--processes", type=int, default=2)
    a = parser.parse_args()
    cases = [
        Case(
            seed=a.seed + k,
            sex=("male", "female")[k % 2],
            girth=GIRTHS[k % len(GIRTHS)],
            contrast=contrast,
            counts=a.counts,
            radius_mm=a.radius,
        )
        for k in range(a.bodies)
        for contrast in (0.0, *CONTRASTS)
    ]
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # the cases run side by side
    with ProcessPoolExecutor(a.processes, mp_context=get_context("spawn")) as pool:
        scores = list(pool.map(run, cases))
    healthy = [s for s in scores if not s.case.contrast]
    print(
        f"{a.bodies} bodies, seeds {a.seed} to {a.seed + a.bodies - 1}, girths {', '.join(map(str, GIRTHS))} in turn; "
        f"{len(SITES)} sites, lesion radius {a.radius:g} mm, {a.counts:.2g} counts per view\n"
    )
    print(free_response(scores), "\n")
    print(by_site(scores), "\n")
    print(f"Without lesions: {np.mean([len(s.false) for s in healthy]):.2f} false findings per scan")
    print(f"Labels not trusted: {sum(not s.trusted for s in scores)} of {len(scores)} scans")
    print("False findings, by place:", _tally(place for s in scores for place in s.false_places))
    print("Lesions found but not called bone:", _tally(site for s in scores for site in s.named_otherwise))


def _tally(places: Iterable[str]) -> str:
    counted = Counter(places).most_common(15)
    return ", ".join(f"{place} {count}" for place, count in counted) or "none"


if __name__ == "__main__":
    main()
