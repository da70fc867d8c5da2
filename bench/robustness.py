"""Where labels fail, and whether the gates say so: simulated and real scans under stress.

``python bench/robustness.py [--seeds 3] [--real FOLDER] [--only WORD] [--alone]`` prints a line per stress.

*Simulated* (`bench/simulate.py`): the true pose is known, so region outlines and bone shadows painted from it are the
truth. Per stress: mean Dice over regions 1 to 12 that are in view and its worst region, the median and the 90th
percentile over bones of the distance between the true and the fitted shadow's centre, and the share of runs whose
labels are trusted. The person is the fit's own skeleton: this measures pose, cropping, noise and disease, not other
people's shapes.

*Real* (``--real``, scans are never shipped): a scan is cropped, turned, mirrored or thinned; its own unperturbed
labels, carried along, are what its labels should be. That is a measure of consistency, not of truth.

Labels are called wrong below a mean Dice of 0.70 or where a region in view falls below 0.30, or where nothing can be
right (a view upside down). The last column counts the runs that were wrong AND trusted: what must not happen.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import BONES
from bonescan.anatomy.pose import PARAMETERS, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.regions import paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.reading.labels import label
from bonescan.reading.model import Labels
from bonescan.reading.network import look
from bonescan.scan import Scan, ViewName
from simulate import PIXEL_MM, DrawnLesion, Study, as_scan, random_pose, simulate

Array = NDArray[np.float64]
Regions = NDArray[np.uint8]

WRONG_MEAN, WRONG_REGION = 0.70, 0.30
LEAST_PIXELS = 60  # a smaller remnant of a region at a cut edge is not scored
REGIONS = range(1, 13)
NETWORK = True  # --alone leaves the network out


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run: Dice by view and region, distances of bones (mm; nan without truth), and the gates."""

    dice: dict[tuple[ViewName, int], float]
    bones_mm: Array
    trusted: bool
    reasons: tuple[str, ...]
    correlations: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.dice.values()))) if self.dice else float("nan")

    @property
    def worst(self) -> float:
        return min(self.dice.values(), default=float("nan"))

    @property
    def wrong(self) -> bool:
        return not (self.mean >= WRONG_MEAN and self.worst >= WRONG_REGION)


def dice_of(labels: Labels, truth: dict[ViewName, Regions | None]) -> dict[tuple[ViewName, int], float]:
    """Dice of the regions that the truth has; a view whose truth is None is not scored."""
    found = {}
    for view in labels.views:
        true = truth[view.name]
        if true is None:
            continue
        for region in REGIONS:
            ours, theirs = view.regions == region, true == region
            if np.count_nonzero(theirs) >= LEAST_PIXELS:
                both = np.count_nonzero(ours & theirs)
                found[view.name, region] = 2 * both / (np.count_nonzero(ours) + np.count_nonzero(theirs))
    return found


# --- simulated ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Window:
    """How one view's rows become another's: row of the source = ``start + row / stretch``; ``rows`` of them."""

    start: float = 0.0
    stretch: float = 1.0
    rows: int | None = None

    def of(self, picture: Array) -> Array:
        """The picture's rows through the window, linearly interpolated; outside is zero."""
        rows = self.rows or len(picture)
        at = self.start + np.arange(rows) / self.stretch
        low = np.floor(at).astype(int)
        part = (at - low)[:, None]
        padded = np.concatenate([picture, np.zeros((1, picture.shape[1]))])
        low, high = (np.where((k >= 0) & (k < len(picture)), k, len(picture)) for k in (low, low + 1))
        return np.asarray((1 - part) * padded[low] + part * padded[high])

    def row(self, row: Array) -> Array:
        return (row - self.start) * self.stretch


@dataclass(frozen=True, kw_only=True)
class Stress:
    """One stressed study: what differs from a person lying as people do.

    ``pose`` changes parameters by name; ``windows`` gives each view's window from the rows of landmarks.
    """

    name: str
    pose: dict[str, float] | None = None
    girth: float = 1.0
    sex: str = "male"
    counts: float = 1.5e6
    lesions: int = 2
    spread_lesions: int = 0
    windows: Callable[[Callable[[float], float]], dict[ViewName, Window]] | None = None


def both(window: Window) -> dict[ViewName, Window]:
    return dict.fromkeys(ViewName, window)


def _pose(**degrees: float) -> dict[str, float]:
    """Turns by name with __ for the dot, in degrees; names without a side are set on both."""
    found = {}
    for key, value in degrees.items():
        segment, what = key.split("__")
        for side in ("", "_l", "_r"):
            name = f"{segment}{side}.{what}_rad"
            if any(p.name == name for p in PARAMETERS):
                found[name] = np.deg2rad(value)
    if not found:
        raise KeyError(str(degrees))
    return found


STRESSES = (
    Stress(name="as people lie"),
    Stress(name="woman", sex="female"),
    Stress(name="thin (girth 0.8)", girth=0.8),
    Stress(name="large (girth 1.25)", girth=1.25),
    Stress(name="very large (girth 1.5)", girth=1.5),
    Stress(
        name="scoliosis, 25 mm S curve",
        pose={"spine.curve_1_mm": 25.0, "spine.curve_2_mm": -25.0, "spine.curve_3_mm": 12.0, **_pose(thorax__lean=6)},
    ),
    Stress(name="trunk turned 12 degrees", pose=_pose(pelvis__turn=12, thorax__turn=12, head__turn=12)),
    Stress(name="trunk turned 25 degrees", pose=_pose(pelvis__turn=25, thorax__turn=25, head__turn=25)),
    Stress(name="head turned 45 degrees", pose=_pose(head__turn=45)),
    Stress(name="arms akimbo", pose=_pose(arm__spread=35, forearm__bend=-75)),
    Stress(name="arms away 35 degrees", pose=_pose(arm__spread=35)),
    Stress(name="hands on belly", pose=_pose(arm__spread=12, forearm__bend=-50)),
    Stress(name="arms up", pose=_pose(arm__spread=165, clavicle__raise=20, scapula__lean=15)),
    Stress(name="one arm up", pose={"arm_l.spread_rad": float(np.deg2rad(165.0))}),
    Stress(name="legs apart 15 degrees", pose=_pose(thigh__spread=15)),
    Stress(name="cropped at the knees", windows=lambda row: both(Window(rows=round(row(440))))),
    Stress(name="cropped at mid-thigh", windows=lambda row: both(Window(rows=round(row(660))))),
    Stress(name="cropped at the neck", windows=lambda row: both(Window(start=row(1480), rows=round(1024 - row(1480))))),
    Stress(
        name="only chest and pelvis",
        windows=lambda row: both(Window(start=row(1480), rows=round(row(800) - row(1480)))),
    ),
    Stress(name="only head and chest", windows=lambda row: both(Window(rows=round(row(1150))))),
    Stress(name="only legs", windows=lambda row: both(Window(start=row(860), rows=round(1024 - row(860))))),
    Stress(name="widely diseased (40 lesions)", spread_lesions=40),
    Stress(name="very widely diseased (120)", spread_lesions=120),
    Stress(name="0.5 M counts", counts=5e5),
    Stress(name="0.2 M counts", counts=2e5),
    Stress(name="0.05 M counts", counts=5e4),
    Stress(name="0.01 M counts", counts=1e4),
    Stress(
        name="posterior view stretched 15 %",
        windows=lambda row: {ViewName.ANTERIOR: Window(), ViewName.POSTERIOR: Window(stretch=1.15, start=60)},
    ),
    Stress(
        name="posterior view shrunk 15 %",
        windows=lambda row: {ViewName.ANTERIOR: Window(), ViewName.POSTERIOR: Window(stretch=0.85)},
    ),
    Stress(
        name="posterior shifted 100 mm",
        windows=lambda row: {ViewName.ANTERIOR: Window(), ViewName.POSTERIOR: Window(start=-100 / PIXEL_MM)},
    ),
    Stress(name="both stretched 15 %", windows=lambda row: both(Window(stretch=1.15, start=60))),
    Stress(name="both shrunk 20 %", windows=lambda row: both(Window(stretch=0.8))),
)


def _lesions(rng: np.random.Generator, count: int) -> list[DrawnLesion]:
    """Lesions of any bone of the trunk, skull and thighs, 3 to 8 times normal, 8 to 20 mm in radius."""
    bones = [bone.id for bone in BONES if 1 <= bone.region <= 12]
    return [
        (
            "anywhere",
            str(rng.choice(bones)),
            tuple(rng.normal(size=3)),
            float(rng.uniform(3, 8)),
            float(rng.uniform(8, 20)),
        )
        for _ in range(count)
    ]


def run_simulated(stress: Stress, seed: int) -> Outcome:
    """Simulate one stressed study, label it and hold the labels against its pose."""
    rng = np.random.default_rng((seed, 7))
    pose = random_pose(rng)
    for k, parameter in enumerate(PARAMETERS):
        if stress.pose and parameter.name in stress.pose:
            pose[k] = stress.pose[parameter.name]
    study = simulate(
        seed,
        lesions=stress.lesions,
        counts=stress.counts,
        sex=stress.sex,
        girth=stress.girth,
        pose=pose,
        drawn=_lesions(rng, stress.spread_lesions) if stress.spread_lesions else None,
    )
    z_of_row = study.z_mm[:, 0].astype(float)
    windows = both(Window())
    if stress.windows:
        windows = stress.windows(lambda z: float(np.interp(-z, -z_of_row, np.arange(len(z_of_row)))))
    scan = as_scan(study)
    views = tuple(
        replace(view, counts=rng.poisson(windows[view.name].of(study.expected[view.name])).astype(np.float32))
        for view in scan.views
    )
    scan = replace(scan, views=views)
    labels = label(scan, look(scan) if NETWORK else None)
    truth, distances = {}, []
    for view in labels.views:
        true, far = _truth(study, view.name, windows[view.name], view.regions.shape, labels)
        truth[view.name] = true
        distances.append(far)
    return Outcome(
        dice=dice_of(labels, truth),
        bones_mm=np.concatenate(distances),
        trusted=labels.trusted,
        reasons=tuple(remark.code for remark in labels.remarks),
        correlations=tuple(view.correlation for view in labels.views),
    )


def _truth(
    study: Study, name: ViewName, window: Window, shape: tuple[int, int], labels: Labels
) -> tuple[Regions, Array]:
    """Regions painted from the true pose, and how far each bone's shadow is from its true place (mm).

    A bone that the labels lack counts as 200 mm.
    """
    z_of_row, x_of_column = study.z_mm[:, 0].astype(float), study.x_mm[name][0].astype(float)
    x_step = x_of_column[1] - x_of_column[0]

    def to_pixels(x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        return window.row((z_of_row[0] - z_mm) / PIXEL_MM), (x_mm - x_of_column[0]) / x_step

    rows = window.start + np.arange(shape[0]) / window.stretch
    z = np.repeat((z_of_row[0] - rows * PIXEL_MM)[:, None], shape[1], axis=1).astype(np.float32)
    x = np.repeat(x_of_column[None], shape[0], axis=0).astype(np.float32)
    shadows = project_bones(pose_skeleton(default_skeleton(), study.pose), x, z)
    fitted = {
        one.bone: _centre(one.row, one.column, one.thickness_mm)
        for view in labels.views
        if view.name is name
        for one in view.bones
    }
    far = []
    for shadow in shadows:
        if np.count_nonzero(shadow.length_mm) < 30:
            continue
        true = _centre(shadow.row, shadow.column, shadow.length_mm)
        if shadow.bone in fitted:
            difference = (np.array(fitted[shadow.bone]) - true) * [PIXEL_MM / window.stretch, PIXEL_MM]
            far.append(float(np.hypot(*difference)))
        else:
            far.append(200.0)
    return paint_regions(study.pose, name, to_pixels, shape), np.array(far)


def _centre(row: int, column: int, weight: NDArray[np.float32]) -> tuple[float, float]:
    r, c = np.mgrid[: weight.shape[0], : weight.shape[1]]
    total = float(weight.sum())
    return row + float((weight * r).sum()) / total, column + float((weight * c).sum()) / total


# --- real --------------------------------------------------------------------------------------

Perturbed = tuple[dict[ViewName, NDArray[np.float32]], dict[ViewName, Regions | None]]
Pictures = dict[ViewName, NDArray[np.float32]]
Truth = dict[ViewName, Regions]


def _rows(first: Callable[[Truth], float], last: Callable[[Truth], float]) -> Callable[[Pictures, Truth], Perturbed]:
    """Keep the rows between two heights."""

    def apply(pictures: Pictures, truth: Truth) -> Perturbed:
        part = slice(max(0, round(first(truth))), round(last(truth)))
        return {n: p[part] for n, p in pictures.items()}, {n: t[part] for n, t in truth.items()}

    return apply


def _edge(region: int, percentile: float) -> Callable[[Truth], float]:
    """Row below that share of a region's pixels, mean of the views."""

    def at(truth: Truth) -> float:
        return float(np.mean([np.percentile(np.nonzero(t == region)[0], percentile) for t in truth.values()]))

    return at


def _top(_: Truth) -> float:
    return 0.0


def _end(truth: Truth) -> float:
    return float(len(next(iter(truth.values()))))


def _each(change: Callable[[NDArray], NDArray], views: Sequence[ViewName] = tuple(ViewName), scored: bool = True):  # type: ignore[no-untyped-def]
    """Change pictures and labels alike; unscored where no label can be right."""

    def apply(pictures: Pictures, truth: Truth) -> Perturbed:
        return (
            {n: change(p) if n in views else p for n, p in pictures.items()},
            {n: (change(t) if n in views else t) if scored else None for n, t in truth.items()},
        )

    return apply


def _noise(kept: float) -> Callable[[Pictures, Truth], Perturbed]:
    def apply(pictures: Pictures, truth: Truth) -> Perturbed:
        rng = np.random.default_rng(0)
        thin = {n: rng.binomial(np.round(p).astype(int), kept).astype(np.float32) for n, p in pictures.items()}
        return thin, dict(truth)

    return apply


def _exchange(pictures: Pictures, truth: Truth) -> Perturbed:
    """The two pictures under each other's name."""
    names = list(pictures)
    return {n: pictures[m] for n, m in zip(names, names[::-1], strict=True)}, dict.fromkeys(names)


def _twice(pictures: Pictures, truth: Truth) -> Perturbed:
    """The anterior picture, mirrored, as posterior."""
    front = pictures[ViewName.ANTERIOR]
    return {ViewName.ANTERIOR: front, ViewName.POSTERIOR: front[:, ::-1]}, {
        ViewName.ANTERIOR: truth[ViewName.ANTERIOR],
        ViewName.POSTERIOR: None,
    }


def _hot(pictures: Pictures, truth: Truth) -> Perturbed:
    """One spot that holds as many counts as all the rest: an injection."""
    changed = {}
    for name, picture in pictures.items():
        r, c = np.mgrid[: picture.shape[0], : picture.shape[1]]
        spot = np.exp(-(((r - 0.45 * len(picture)) / 8) ** 2 + ((c - 0.9 * picture.shape[1]) / 4) ** 2))
        changed[name] = (picture + spot * picture.sum() / spot.sum()).astype(np.float32)
    return changed, dict(truth)


PERTURBATIONS: dict[str, Callable[[Pictures, Truth], Perturbed]] = {
    "unchanged": _each(lambda p: p),
    "mirrored, both (a left-handed twin)": _each(lambda p: p[:, ::-1]),
    "one view mirrored": _each(lambda p: p[:, ::-1], [ViewName.POSTERIOR]),
    "upside down, both": _each(lambda p: p[::-1], scored=False),
    "upside down, one view": _each(lambda p: p[::-1], [ViewName.POSTERIOR], scored=False),
    "views exchanged": _exchange,
    "anterior twice": _twice,
    "cut below the pelvis": _rows(_top, _edge(11, 100)),
    "cut at mid-thigh": _rows(_top, _edge(12, 40)),
    "cut below the chest": _rows(_top, _edge(4, 98)),
    "head and neck only": _rows(_top, _edge(2, 100)),
    "without head": _rows(_edge(2, 20), _end),
    "without head and chest": _rows(_edge(4, 98), _end),
    "chest only": _rows(_edge(2, 50), _edge(4, 98)),
    "chest to pelvis": _rows(_edge(2, 50), _edge(11, 100)),
    "pelvis only": _rows(_edge(9, 30), _edge(11, 100)),
    "legs only": _rows(_edge(12, 15), _end),
    "thinned to 25 %": _noise(0.25),
    "thinned to 5 %": _noise(0.05),
    "thinned to 1 %": _noise(0.01),
    "half as wide": _each(lambda p: p[:, ::2]),
    "half as high": _each(lambda p: p[::2]),
    "an injection as hot as the body": _hot,
}


def run_real(scan: Scan, plain: Labels, change: Callable[[Pictures, Truth], Perturbed]) -> Outcome:
    """Perturb one real scan and hold its labels against its plain ones, carried along."""
    pictures = {view.name: view.counts for view in scan.views}
    changed, truth = change(pictures, {view.name: view.regions for view in plain.views})
    views = tuple(replace(view, counts=np.ascontiguousarray(changed[view.name])) for view in scan.views)
    scan = replace(scan, views=views)
    labels = label(scan, look(scan) if NETWORK else None)
    return Outcome(
        dice=dice_of(labels, truth),
        bones_mm=np.full(1, np.nan),
        trusted=labels.trusted,
        reasons=tuple(remark.code for remark in labels.remarks),
        correlations=tuple(view.correlation for view in labels.views),
    )


# --- the table ---------------------------------------------------------------------------------


def line(name: str, outcomes: Sequence[Outcome]) -> int:
    """Print one stress; the number of runs that are wrong and trusted."""
    means, worst = (np.array([getattr(o, what) for o in outcomes]) for what in ("mean", "worst"))
    far = np.concatenate([o.bones_mm for o in outcomes])
    bones = f"{np.median(far):>6.0f}{np.percentile(far, 90):>6.0f}" if np.isfinite(far).all() else f"{'':12}"
    missed = sum(o.wrong and o.trusted for o in outcomes)
    scored = np.isfinite(means).any()
    figures = (np.nanmean(means), np.nanmin(means), np.nanmin(worst)) if scored else ()
    dice = "{:>7.2f}{:>7.2f}{:>8.2f}".format(*figures) if scored else f"{'none right':>22}"
    reasons = sorted({reason.removeprefix("labels.") for o in outcomes for reason in o.reasons})
    print(
        f"{name:<36}{dice}{bones}{min(min(o.correlations) for o in outcomes):>7.2f}"
        f"{sum(o.trusted for o in outcomes):>5} of {len(outcomes):<3}"
        f"{missed or '':>5}   {', '.join(reasons)}",
        flush=True,
    )
    return missed


HEADER = (
    f"\n{'':<36}{'Dice':>7}{'least':>7}{'region':>8}{'mm':>6}{'p90':>6}{'corr.':>7}"
    f"{'trusted':>10}{'wrong':>6}   gates that failed"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="simulated people for every stress")
    parser.add_argument("--real", type=Path, default=os.environ.get("BONESCAN_REAL_SCANS"), metavar="FOLDER")
    parser.add_argument("--scans", type=int, default=6, help="how many of the folder's scans, evenly taken")
    parser.add_argument("--only", default="", help="only stresses whose name holds this")
    parser.add_argument("--skip-simulated", action="store_true")
    parser.add_argument("--alone", action="store_true", help="the model-based reader without the network")
    arguments = parser.parse_args()
    global NETWORK
    NETWORK = not arguments.alone
    missed = 0
    if not arguments.skip_simulated:
        print(f"Simulated, {arguments.seeds} people each{HEADER}")
        for stress in STRESSES:
            if arguments.only in stress.name:
                missed += line(stress.name, [run_simulated(stress, seed) for seed in range(arguments.seeds)])
    if arguments.real:
        from bonescan.dicom import open_scan

        paths = sorted(arguments.real.glob("*.dcm"), key=lambda path: int(path.stem))
        scans = [open_scan([paths[k]]) for k in np.linspace(0, len(paths) - 1, arguments.scans).round().astype(int)]
        plain = [label(scan, look(scan) if NETWORK else None) for scan in scans]
        print(f"\nReal, {len(scans)} scans, against their own labels{HEADER}")
        for name, change in PERTURBATIONS.items():
            if arguments.only in name:
                outcomes = [run_real(scan, own, change) for scan, own in zip(scans, plain, strict=True)]
                missed += line(name, outcomes)
    print(f"\nRuns that are wrong and trusted: {missed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
