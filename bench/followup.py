"""How well two scans of one person are compared: simulated series, repeated scans, and altered copies of real scans.

Run: python bench/followup.py OUT [--seed 550] [--people 4] [--cohort cohort:metastatic] [--real FOLDER --copies 3]
     [--healing]

Simulated people (fast mode) have a first study, the same scanned again (`Settings(repeat=1)`), and a later study
(`Settings(study=1)`, whose truth says what became of every lesion). Studies and readings are kept in OUT: a second run
compares alone. Real scans are paired with a copy of themselves that is bent by a known smooth field, has lesions added
and removed by the camera's blur, and fresh Poisson noise.

What is counted:

- a true change (grown, faded, gone, new) can be *seen* where the lesion is visible (as `bonescan.evaluation` means it)
  in the study that shows it better and the mean counts of its place changed by a quarter;
- it is *found* where a lesion of the comparison that touches it is called new, vanished, or risen or fallen the right
  way; a called change that touches no true change, seen or not, and no disturbance (an injection site, urine on the
  skin) is false; figures at 2 false ones a case come from the called changes ordered by significance;
- a visible unchanged lesion that either reading marks is *kept* where no called change touches it;
- registration error: the centroid of every bone's shadow in the current view, carried, against that in the prior view;
  of bones that both cameras exposed wholly, as a hand may lie beyond the detector.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from scipy import ndimage

from bonescan import dicom, followup
from bonescan.anatomy.bones import REGION_NAMES, bone
from bonescan.anatomy.skeleton import segment_of
from bonescan.evaluation.truth import TrueSpot, Truth
from bonescan.followup import ChangeKind, Comparison, LesionChange, Trend, compare
from bonescan.followup.healing import Uptake, judge_fracture, judge_infection
from bonescan.followup.series import follow
from bonescan.journeys.evaluating import Study, true_of
from bonescan.journeys.simulation import Settings, simulate
from bonescan.measurement import Measurement
from bonescan.reading import read
from bonescan.reading.model import Kind, Polarity, Reading
from bonescan.report.maps import load_bones
from bonescan.scan import Scan, ViewName

FAST = Settings(fast=True, volumes=False)
NEAR_MM = 8.0
CHANGED = 1.25
FALSE_A_CASE = 2.0
FINDS = {
    "new": {ChangeKind.NEW, Trend.ROSE},
    "grown": {ChangeKind.NEW, Trend.ROSE},
    "faded": {ChangeKind.VANISHED, Trend.FELL},
    "gone": {ChangeKind.VANISHED, Trend.FELL},
}


@dataclass
class Tally:
    """What is counted over all cases."""

    cases: int = 0
    seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # significance, nan: not found
    false: list[float] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    error_pixels: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    unsteady: int = 0
    index: list[float] = field(default_factory=list)
    index_read: list[float] = field(default_factory=list)
    index_error: list[tuple[float, float]] = field(default_factory=list)  # told and as read, less the truth's change
    seconds: list[float] = field(default_factory=list)


def reading_of(out: Path, name: str, scan: Scan) -> Reading:
    """The reading of a scan, kept under this name."""
    path = out / "readings" / f"{name}.pkl"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(read(scan)))
        print("read", name, flush=True)
    return pickle.loads(path.read_bytes())


def simulated(out: Path, cohort: str, seed: int, number: int, which: str) -> tuple[Reading, Path]:
    """The reading of one study of a person, and the folder of its truth: "0", "1" (later) or "r" (repeated)."""
    folder = out / "series" / f"p{number}_{which}"
    if not (folder / "truth").is_dir():
        settings = replace(FAST, repeat=1) if which == "r" else replace(FAST, study=int(which))
        simulate(cohort, folder, seed=seed, number=number, settings=settings)
    scan = dicom.open_scan([folder / "dicom"])
    return reading_of(out, f"p{number}_{which}", scan), folder / "truth"


def called(comparison: Comparison) -> list[tuple[LesionChange, set[object]]]:
    """Lesions that are said to have changed, and how."""
    out = []
    for lesion in (*comparison.lesions, *comparison.unmarked):
        what: set[object] = {lesion.kind} & {ChangeKind.NEW, ChangeKind.VANISHED}
        if not what and lesion.trend in (Trend.ROSE, Trend.FELL) and lesion.kind is not ChangeKind.NOT_COMPARABLE:
            what = {lesion.trend}
        if what:
            out.append((lesion, what))
    return out


def touches(lesion: LesionChange, comparison: Comparison, places: tuple[dict, dict]) -> bool:
    """Whether a compared lesion lies on a true one: its findings on either study's own map, or its place on them."""
    prior, current = places
    for study, numbers, where in (
        (comparison.prior, lesion.prior, prior),
        (comparison.current, lesion.current, current),
    ):
        for number in numbers:
            for name, shown in study.finding(number).views.items():
                if name in where and (where[name] & shown.mask).any():
                    return True
    return any(name in current and (current[name] & mask).any() for name, mask in lesion.masks.items())


def grown(mask: np.ndarray, pixel_mm: float) -> np.ndarray:
    """A mask and what lies within `NEAR_MM` of it."""
    return ndimage.distance_transform_edt(~mask) * pixel_mm <= NEAR_MM if mask.any() else mask


def judge_series(tally: Tally, comparison: Comparison, before: Path, now: Path) -> None:
    """Hold a comparison of a first and a later study against the truth of both."""
    truths = [true_of(Study(name="", images=folder, truth=folder)) for folder in (before, now)]
    records = [json.loads((folder / "truth.json").read_text()) for folder in (before, now)]
    course = records[1]["series"]["course"]
    by_id = [spots_by_id(truth, record) for truth, record in zip(truths, records, strict=True)]
    changes = called(comparison)
    explained: set[int] = set()
    for which, what in course.items():
        spots = [one.get(which) for one in by_id]
        places = tuple(place_of(spot, truth) for spot, truth in zip(spots, truths, strict=True))
        touching = [(lesion, said) for lesion, said in changes if touches(lesion, comparison, places)]
        marked = any(touches(lesion, comparison, places) for lesion in comparison.lesions)
        visible = any(spot is not None and spot.visible for spot in spots)
        if what == "unchanged":
            if visible and marked and not overlaid(which, course, by_id, truths):
                tally.kept.append(not touching)
            continue
        explained |= {lesion.id for lesion, _ in touching}
        if visible and has_changed(spots, records):
            right = [abs(lesion.significance) for lesion, said in touching if said & FINDS[what]]
            tally.seen[what].append(max(right, default=float("nan")))
    for k, (truth, record) in enumerate(zip(truths, records, strict=True)):
        for disturbance in record["disturbances"]:
            where = box_of(disturbance, truth)
            both = (where, {}) if k == 0 else ({}, where)
            explained |= {lesion.id for lesion, _ in changes if touches(lesion, comparison, both)}
    tally.false += [abs(lesion.significance) for lesion, _ in changes if lesion.id not in explained]
    true_change = records[1]["burden"]["bone_scan_index_percent"] - records[0]["burden"]["bone_scan_index_percent"]
    index = comparison.bone_scan_index
    if index.change.difference.value is not None:
        tally.index_error.append(
            (index.change.difference.value - true_change, index.as_read.difference.value - true_change)
        )
    tally.cases += 1


def spots_by_id(truth: Truth, record: dict) -> dict[str, TrueSpot]:
    """The truth's lesions by the id that stays theirs through a series."""
    ids = {lesion["number"]: lesion["id"] for lesion in record["lesions"]}
    return {ids[spot.number]: spot for spot in truth.lesions or () if spot.number in ids}


def place_of(spot: TrueSpot | None, truth: Truth) -> dict[ViewName, np.ndarray]:
    """Where a true lesion shows, by view, grown by `NEAR_MM`."""
    if spot is None:
        return {}
    return {
        name: grown(view.lesions == spot.number, view.pixel_mm[0] if view.pixel_mm else 2.4)
        for name, view in truth.views.items()
        if view.lesions is not None
    }


def box_of(disturbance: dict, truth: Truth) -> dict[ViewName, np.ndarray]:
    """The box of a disturbance, by view, grown by `NEAR_MM`: the map of lesions does not hold it."""
    out = {}
    for name, view in truth.views.items():
        shown = disturbance["views"].get(name.value)
        if shown and view.lesions is not None:
            box = shown["box"]
            mask = np.zeros(view.lesions.shape, bool)
            mask[box["top"] : box["bottom"] + 1, box["left"] : box["right"] + 1] = True
            out[name] = grown(mask, view.pixel_mm[0] if view.pixel_mm else 2.4)
    return out


def has_changed(spots: list[TrueSpot | None], records: list[dict]) -> bool:
    """Whether the peak over background changed by `CHANGED` in the view that shows it best."""
    best = max((spot for spot in spots if spot is not None), key=lambda spot: spot.best.snr if spot.best else 0.0)
    view = max(best.views, key=lambda name: best.views[name].snr, default=None)
    if view is None:
        return False
    levels = [max(spot.views[view].contrast, 0.1) if spot is not None and view in spot.views else 1.0 for spot in spots]
    return max(levels) >= CHANGED * min(levels)


def overlaid(which: str, course: dict, by_id: list[dict], truths: list[Truth]) -> bool:
    """Whether a lesion that did change lies over this one."""
    for spots, truth in zip(by_id, truths, strict=True):
        own = place_of(spots.get(which), truth)
        for other, what in course.items():
            if what != "unchanged" and other in spots:
                theirs = place_of(spots[other], truth)
                if any((own[name] & theirs[name]).any() for name in own if name in theirs):
                    return True
    return False


def judge_bones(tally: Tally, comparison: Comparison, before: Path, now: Path) -> None:
    """Registration error of the shadow of every bone that both cameras exposed, in pixels of the prior view."""
    lit = [
        {view.name: np.outer(view.counts.any(axis=1), view.counts.any(axis=0)) for view in study.scan.views}
        for study in (comparison.prior, comparison.current)
    ]
    for aligned in comparison.alignment.views:
        places = [
            {
                one.bone: centroid(one, exposed[aligned.name])
                for one in load_bones((folder / f"bones_{aligned.name}.npz").read_bytes())
            }
            for folder, exposed in zip((before, now), lit, strict=True)
        ]
        for name, at in places[1].items():
            region = bone(name).region
            if segment_of(name) in aligned.unsteady:
                tally.unsteady += name in places[0] and at is not None and places[0][name] is not None
                continue
            if name in places[0] and at is not None and places[0][name] is not None:
                there = [
                    float(ndimage.map_coordinates(part, np.array(at)[:, None], order=1)[0])
                    for part in (aligned.prior_row, aligned.prior_column)
                ]
                tally.error_pixels[region].append(float(np.hypot(*np.subtract(there, places[0][name]))))


def centroid(one: object, exposed: np.ndarray) -> tuple[float, float] | None:
    """Of a bone's shadow, None where the picture or the camera's field cuts it."""
    rows, columns = one.thickness_mm.shape
    if (
        one.row <= 0
        or one.column <= 0
        or one.row + rows >= exposed.shape[0]
        or one.column + columns >= exposed.shape[1]
    ):
        return None
    if not exposed[one.row : one.row + rows, one.column : one.column + columns][one.thickness_mm > 0].all():
        return None
    r, c = ndimage.center_of_mass(one.thickness_mm)
    return one.row + r, one.column + c


def altered_copy(reading: Reading, rng: np.random.Generator) -> tuple[Scan, dict, dict]:
    """A bent, re-noised copy with one lesion added and one removed; where they are, and the field.

    The field: shift of up to 12 mm, turn of up to 2 degrees and a random smooth part of 5 mm over 120 mm.
    """
    views, fields = [], {}
    places: dict[str, dict[ViewName, np.ndarray]] = {"new": {}, "gone": {}}
    hot = [f for f in reading.findings if f.kind is Kind.BONE and f.polarity is Polarity.HOT and f.uptake_ratio >= 1.5]
    removed = hot[rng.integers(len(hot))] if hot else None
    labels = {one.name: one for one in reading.labels.views}
    first = labels[reading.scan.views[0].name]
    free = np.isin(first.regions, (3, 4, 9, 11, 12)) & ~np.any(
        [grown(f.views[first.name].mask, 2.4) for f in reading.findings if first.name in f.views]
        or [np.zeros(first.regions.shape, bool)],
        axis=0,
    )
    at = np.argwhere(free)[rng.integers(free.sum())]
    x, z = float(first.x_mm[tuple(at)]), float(first.z_mm[tuple(at)])
    strength, width_mm = rng.uniform(1.5, 4.0), rng.uniform(8.0, 20.0)
    turn, shift = np.radians(rng.uniform(-2, 2)), rng.uniform(-12, 12, 2)
    for view in reading.scan.views:
        labelled = labels[view.name]
        row_mm, column_mm = labelled.pixel_mm
        picture = view.counts.astype(float)
        if removed is not None and view.name in removed.views:
            mask = removed.views[view.name].mask
            ring = grown(mask, row_mm) & ~mask
            soft = np.clip(ndimage.gaussian_filter(grown(mask, 2 * row_mm).astype(float), 2) * 1.2, 0, 1)
            picture = np.minimum(picture, (1 - soft) * picture + soft * np.median(picture[ring]))
            places["gone"][view.name] = grown(mask, row_mm)
        around = (labelled.x_mm - x) ** 2 + (labelled.z_mm - z) ** 2
        level = np.median(picture[(around < 30**2) & (labelled.regions > 0)])
        sigma = np.hypot(width_mm, 9.0) / 2.355
        picture += strength * level * np.exp(-around / (2 * sigma**2))
        noise = [
            ndimage.gaussian_filter(rng.normal(size=picture.shape), (120 / row_mm / 2, 120 / column_mm / 2))
            for _ in "rc"
        ]
        row, column = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(float)
        middle = np.array(picture.shape) / 2
        dr, dc = (row - middle[0]) * row_mm, (column - middle[1]) * column_mm
        smooth = [5.0 * part / max(part.std(), 1e-12) for part in noise]
        source = np.stack(
            [
                row + (np.cos(turn) * dr - np.sin(turn) * dc - dr + shift[0] + smooth[0]) / row_mm,
                column + (np.sin(turn) * dr + np.cos(turn) * dc - dc + shift[1] + smooth[1]) / column_mm,
            ]
        )
        fields[view.name] = source
        spot = strength * level * np.exp(-around / (2 * sigma**2)) > 0.3 * strength * level
        places["new"][view.name] = grown(ndimage.map_coordinates(spot.astype(float), source, order=1) > 0.5, row_mm)
        bent = ndimage.map_coordinates(picture, source, order=1, mode="constant")
        noisy = rng.poisson(np.clip(bent, 0, None)).astype(np.float32)
        noisy = noisy if view.counts_are_raw else np.minimum(noisy, 255)
        views.append(replace(view, counts=noisy, counts_accumulated=None))
    return replace(reading.scan, views=tuple(views), study_uid=None), places, fields


def judge_copy(tally: Tally, comparison: Comparison, places: dict, fields: dict) -> None:
    """Hold a comparison of a real scan and its altered copy against what was done to it."""
    changes = called(comparison)
    explained = set()
    for what, where in places.items():
        if not where:
            continue
        both = ({}, where) if what == "new" else (where, {})
        touching = [(lesion, said) for lesion, said in changes if touches(lesion, comparison, both)]
        explained |= {lesion.id for lesion, _ in touching}
        right = [abs(lesion.significance) for lesion, said in touching if said & FINDS[what]]
        tally.seen[what].append(max(right, default=float("nan")))
    tally.false += [abs(lesion.significance) for lesion, _ in changes if lesion.id not in explained]
    for lesion in comparison.lesions:
        altered = any(touches(lesion, comparison, (places["gone"], places["new"])) for _ in "1")
        if lesion.prior and not altered:
            tally.kept.append(lesion.id not in {one.id for one, _ in changes})
    tally.cases += 1
    labels = {one.name: one for one in comparison.current.reading.labels.views}
    for aligned in comparison.alignment.views:
        source = fields[aligned.name]
        error = np.hypot(aligned.prior_row - source[0], aligned.prior_column - source[1])
        regions = labels[aligned.name].regions
        for region in np.unique(regions[regions > 0]):
            tally.error_pixels[int(region)].append(float(np.median(error[regions == region])))


def told(tally: Tally, title: str) -> str:
    """The figures of a tally, in lines."""
    lines = [f"## {title}: {tally.cases} cases"]
    found = [value for values in tally.seen.values() for value in values]
    if found:
        bar = sorted(tally.false, reverse=True)
        allowed = int(FALSE_A_CASE * tally.cases)
        least = bar[allowed] if len(bar) > allowed else 0.0
        hit = sum(not np.isnan(value) for value in found)
        strong = sum(value > least for value in found)
        lines += [
            f"true changes that can be seen: {len(found)}, found {hit} ({100 * hit / len(found):.0f} %) "
            f"with {len(tally.false) / max(tally.cases, 1):.1f} false a case; "
            f"at {FALSE_A_CASE:.0f} false a case {strong} ({100 * strong / len(found):.0f} %)",
            "  by kind: "
            + ", ".join(
                f"{what} {sum(not np.isnan(v) for v in values)} of {len(values)}" for what, values in tally.seen.items()
            ),
        ]
    if tally.kept:
        lines.append(
            f"unchanged lesions kept: {sum(tally.kept)} of {len(tally.kept)} ({100 * np.mean(tally.kept):.0f} %)"
        )
    if tally.error_pixels:
        everything = [value for values in tally.error_pixels.values() for value in values]
        medians = {region: float(np.median(values)) for region, values in tally.error_pixels.items() if region}
        worst = max(medians, key=lambda region: medians[region])
        lines.append(
            f"registration error: median {np.median(everything):.1f} pixels, worst region {REGION_NAMES[worst]} "
            f"{medians[worst]:.1f}; " + ", ".join(f"{REGION_NAMES[r]} {v:.1f}" for r, v in sorted(medians.items())),
        )
        lines.append(f"  over {len(everything)} shadows of compared bones; {tally.unsteady} of hands left out")
    if tally.index_error:
        told_error, read_error = np.abs(tally.index_error).mean(axis=0)
        lines.append(
            f"change of the Bone Scan Index against the truth's: mean error {told_error:.2f} %, "
            f"as the readings alone have it {read_error:.2f} (n = {len(tally.index_error)})"
        )
    if tally.index:
        lines.append(
            f"Bone Scan Index of repeats: largest difference {max(map(abs, tally.index)):.2f}, "
            f"mean {np.mean(np.abs(tally.index)):.2f} % (n = {len(tally.index)}); as each reading has it "
            f"{max(map(abs, tally.index_read)):.2f} and {np.mean(np.abs(tally.index_read)):.2f}"
        )
    if tally.seconds:
        lines.append(f"comparing took {np.median(tally.seconds):.1f} s of processor time (median)")
    return "\n".join(lines)


def timed(tally: Tally, before: Reading, now: Reading) -> Comparison:
    """A comparison, its processor time kept."""
    begun = time.process_time()
    comparison = compare(before, now)
    tally.seconds.append(time.process_time() - begun)
    return comparison


def people(out: Path, cohort: str, seed: int, numbers: Iterable[int]) -> str:
    """Series and repeats of simulated people."""
    series, repeats = Tally(), Tally()
    for number in numbers:
        print("person", number, flush=True)
        first, before = simulated(out, cohort, seed, number, "0")
        later, now = simulated(out, cohort, seed, number, "1")
        comparison = timed(series, first, later)
        judge_series(series, comparison, before, now)
        judge_bones(series, comparison, before, now)
        again, truth = simulated(out, cohort, seed, number, "r")
        comparison = timed(repeats, first, again)
        repeats.cases += 1
        repeats.false += [abs(lesion.significance) for lesion, _ in called(comparison)]
        repeats.kept += [lesion.id not in {one.id for one, _ in called(comparison)} for lesion in comparison.lesions]
        judge_bones(repeats, comparison, before, truth)
        told_index = comparison.bone_scan_index
        if told_index.change.difference.value is not None:
            repeats.index.append(told_index.change.difference.value)
            repeats.index_read.append(told_index.as_read.difference.value)
    return "\n".join(
        [
            told(series, "Series of simulated people"),
            told(repeats, "Repeated scans of simulated people"),
            f"called changes in repeats: {len(repeats.false)} in {repeats.cases} pairs",
        ]
    )


def copies(out: Path, folder: Path, seed: int, count: int) -> str:
    """Real scans against altered copies of themselves."""
    tally = Tally()
    paths = sorted(folder.glob("*.dcm"))
    chosen = np.random.default_rng(seed).permutation(len(paths))[:count]
    for k in chosen:
        name = paths[k].stem
        first = reading_of(out, f"real_{name}", dicom.open_scan([paths[k]]))
        scan, places, fields = altered_copy(first, np.random.default_rng([seed, int(k)]))
        again = reading_of(out, f"real_{name}_copy", scan)
        judge_copy(tally, timed(tally, first, again), places, fields)
    return told(tally, "Real scans and altered copies")


HEALING = ("acute_fracture", "rib_fractures", "osteomyelitis")


def healing(out: Path, seed: int) -> str:
    """Fractures that fade and an infection that stays, each scanned twice: what is said of their course."""
    lines = []
    for scenario in HEALING:
        studies, folders = [], []
        for which in (0, 1):
            folder = out / "healing" / f"{scenario}_{which}"
            if not (folder / "truth").is_dir():
                simulate(scenario, folder, seed=seed, settings=replace(FAST, study=which))
            reading = reading_of(out, f"{scenario}_{which}", dicom.open_scan([folder / "dicom"]))
            studies.append(followup.Study.of(reading))
            folders.append(folder / "truth")
        series = follow(studies, compare, injured_on=studies[0].on - timedelta(days=14))
        truths = [true_of(Study(name="", images=folder, truth=folder)) for folder in folders]
        records = [json.loads((folder / "truth.json").read_text()) for folder in folders]
        by_id = [spots_by_id(truth, record) for truth, record in zip(truths, records, strict=True)]
        for which, course in records[1]["series"]["course"].items():
            uptakes = []
            for study, spots, truth in zip(studies, by_id, truths, strict=True):
                where = place_of(spots.get(which), truth)
                ratios = [
                    finding.uptake_ratio
                    for finding in study.reading.findings
                    if any(name in where and (where[name] & shown.mask).any() for name, shown in finding.views.items())
                ]
                if ratios:
                    ratio = Measurement(value=max(ratios), unit="1", method="uptake over normal bone")
                    uptakes.append(Uptake(on=study.on, ratio=ratio))
            if len(uptakes) < 2:
                lines.append(f"{scenario} {which}, {course}: found in {len(uptakes)} of 2 scans, not judged")
                continue
            judged = (
                judge_infection(uptakes, treated_from=studies[0].on)
                if scenario == "osteomyelitis"
                else judge_fracture(uptakes, injured_on=studies[0].on - timedelta(days=14))
            )
            lines.append(f"{scenario} {which}, {course}: {judged.call.value}. {judged.text}")
        lines.append(f"  judged as fractures by the comparison itself: {len(series.healing)}")
    return "\n".join(lines)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=550)
    parser.add_argument("--people", type=int, default=4)
    parser.add_argument("--cohort", default="cohort:metastatic")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--healing", action="store_true")
    chosen = parser.parse_args()
    if chosen.people:
        print(people(chosen.out, chosen.cohort, chosen.seed, range(chosen.people)), flush=True)
    if chosen.real is not None:
        print(copies(chosen.out, chosen.real, chosen.seed, chosen.copies))
    if chosen.healing:
        print(healing(chosen.out, chosen.seed))


if __name__ == "__main__":
    main()
