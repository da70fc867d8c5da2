"""How many whole-body studies a second one core makes in the fast mode, and how far they are from the full model's.

Run: python bench/cohort_speed.py [--studies 12] [--compare 3] [--histories 1e7]

Counted is the whole chain, a new patient of the default cohort for every study: person and findings drawn, put into
voxels of 6 mm, activity at the scan, both views of 1.5 M counts in the mean, 1024 x 256 pixels, Poisson. Then the
camera alone, as for several scans of one patient. First in one process with one thread, then in two at once. Processor
seconds are printed beside those on the clock: where other work runs on the machine, they are nearer to a free core's.

The full model has voxels of 4 mm and Monte Carlo scatter. Both models' expected counts are compared in both views: over
the bones of each region, pixel by pixel against Poisson noise, and in what lesions add.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import REGION_NAMES
from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.camera.acquisition import WholeBodyModel, whole_body_model
from bonescan.camera.cameras import camera
from bonescan.camera.emitter import Emitter
from bonescan.camera.fast import FAST_SPACING_MM, scatter_by_kernel
from bonescan.camera.forced import scatter
from bonescan.camera.protocols import WholeBody
from bonescan.field import Field
from bonescan.patient.cohort import draw_patient
from bonescan.patient.sampling import SampledPatient

Array = NDArray[np.float64]

SEED = 21
COUNTS = 1.5e6
FULL_SPACING_MM = 4.0
PARTS = ("draw", "voxels", "activity", "camera", "noise")


def emitter_of(sampled: SampledPatient) -> Emitter:
    """What lies under the camera at 3 h."""
    activity = sampled.activity(3.0, sampled.shares(3.0), sampled.weights(3.0))
    return Emitter(medium=sampled.medium(), activity=activity)


def fast_model(emitter: Emitter) -> WholeBodyModel:
    """Both views as expected, in the fast mode."""
    return whole_body_model([emitter], camera("symbia_lehr"), WholeBody(), scatter_by_kernel, counts=COUNTS)


def timed(numbers: list[int]) -> tuple[Array, Array, float]:
    """Seconds on the clock and of the processor by part, and on the clock for scans of one patient."""
    clock, processor = np.zeros(len(PARTS)), np.zeros(len(PARTS))
    model = None
    for number in numbers:
        marks = [(time.perf_counter(), time.process_time())]

        def mark(marks: list[tuple[float, float]] = marks) -> None:
            marks.append((time.perf_counter(), time.process_time()))

        patient = draw_patient(SEED, number)
        mark()
        sampled = patient.sampled(FAST_SPACING_MM)
        mark()
        emitter = emitter_of(sampled)
        mark()
        model = fast_model(emitter)
        mark()
        model.acquire(np.random.default_rng(number))
        mark()
        steps = np.diff(np.array(marks), axis=0)
        clock += steps[:, 0]
        processor += steps[:, 1]
    assert model is not None
    begin = time.perf_counter()
    for k in range(10):
        model.acquire(np.random.default_rng(k))
    return clock / len(numbers), processor / len(numbers), (time.perf_counter() - begin) / 10


def timed_alone(numbers: list[int]) -> tuple[Array, Array, float]:
    """As `timed`, in a process that has compiled everything before."""
    timed([1000, 1001])
    return timed(numbers)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Difference:
    """Of the fast model from the full one, for one patient."""

    regions: dict[str, float]  # relative, by region and view
    scatter: float  # relative, of scatter to primary
    picture: float  # root mean square over Poisson's, by pixel where a count or more is expected
    blocks: float  # the same by blocks of 5 x 5 pixels
    lesions: list[float]  # relative, of the unscattered counts a lesion adds


def difference(number: int, histories: int) -> Difference:
    """Make one patient both ways."""
    patient = draw_patient(SEED, number)
    coarse, fine = (patient.sampled(spacing) for spacing in (FAST_SPACING_MM, FULL_SPACING_MM))
    fast = fast_model(emitter_of(coarse))
    full = whole_body_model(
        [emitter_of(fine)], camera("symbia_lehr"), WholeBody(), scatter, counts=COUNTS, histories=histories, seed=number
    )
    # the same pixels: those of the full model; both have the same size and differ by where the outline begins
    shift = [
        (fast.lattice.top_mm - full.lattice.top_mm) / full.lattice.spacing_mm[0],
        (full.axis_mm[0] - fast.axis_mm[0]) / full.lattice.spacing_mm[1],
    ]
    regions = {}
    masks = bone_regions(fine, full)
    shown, wanted = (moved(fast.expected(), shift), full.expected())
    for (name, view), mask in masks.items():
        if wanted[view][mask].sum() > 500:
            regions[f"{name} {('front', 'back')[view]}"] = shown[view][mask].sum() / wanted[view][mask].sum() - 1
    own = wanted > 1
    ratio = [float(model.scattered_cps.sum() / model.unscattered_cps.sum()) for model in (fast, full)]
    block = [part[:, :1020, :255].reshape(2, 204, 5, 51, 5).sum(axis=(2, 4)) for part in (shown, wanted)]
    filled = block[1] > 25
    return Difference(
        regions=regions,
        scatter=ratio[0] / ratio[1] - 1,
        picture=float(np.sqrt(((shown - wanted)[own] ** 2 / wanted[own]).mean())),
        blocks=float(np.sqrt(((block[0] - block[1])[filled] ** 2 / block[1][filled]).mean())),
        lesions=lesion_differences(coarse, fine, fast, full),
    )


def moved(pictures: Array, shift: list[float]) -> Array:
    """Pictures moved down and to the right by so many pixels, linearly between them."""
    out = pictures
    for axis, by in ((1, -shift[0]), (2, shift[1])):
        whole = int(np.floor(by))
        part = by - whole
        out = (1 - part) * np.roll(out, whole, axis=axis) + part * np.roll(out, whole + 1, axis=axis)
    return out


def bone_regions(sampled: SampledPatient, model: WholeBodyModel) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Pixels over the bones of each region, by view."""
    names = default_skeleton().bones
    of_bone = np.array([0, *(bone_named(name).region for name in names)])
    where = of_bone[sampled.bone]
    grid = sampled.grid
    z = grid.origin_mm[2] + grid.spacing_mm[0] * np.arange(grid.shape[0])
    x = grid.origin_mm[0] + grid.spacing_mm[2] * np.arange(grid.shape[2])
    out = {}
    for number, name in REGION_NAMES.items():
        over = (where == number).any(axis=1)
        s = np.rint((model.lattice.z_mm - z[0]) / grid.spacing_mm[0]).astype(int)
        for view, side in enumerate((1.0, -1.0)):
            c = np.rint((side * model.lattice.u_mm + model.axis_mm[0] - x[0]) / grid.spacing_mm[2]).astype(int)
            inside = ((s >= 0) & (s < len(z)))[:, None] & ((c >= 0) & (c < len(x)))[None, :]
            picked = over[np.clip(s, 0, len(z) - 1)[:, None], np.clip(c, 0, len(x) - 1)[None, :]]
            out[name, view] = inside & picked
    return out


def lesion_differences(
    coarse: SampledPatient, fine: SampledPatient, fast: WholeBodyModel, full: WholeBodyModel
) -> list[float]:
    """How much more each lesion with an uptake of its own adds to both views together, relative to the full model's."""
    out = []
    for k in range(min(len(fine.patient.lesions), 8)):
        added = []
        for sampled, model in ((coarse, fast), (fine, full)):
            patient = sampled.patient
            without = replace(patient, lesions=tuple(one for n, one in enumerate(patient.lesions) if n != k))
            fewer = replace(sampled, patient=without, painted=(*sampled.painted[:k], *sampled.painted[k + 1 :]))
            activity = sampled.activity(3.0, sampled.shares(3.0), sampled.weights(3.0))
            rest = fewer.activity(3.0, sampled.shares(3.0), fewer.weights(3.0))
            more = np.clip(activity.values - rest.values, 0, None)
            added.append(float(model.primary(Field(values=more, grid=sampled.grid, unit="kBq/mL")).sum()))
        if added[1] > 500:
            out.append(added[0] / added[1] - 1)
    return out


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=12)
    parser.add_argument("--compare", type=int, default=3)
    parser.add_argument("--histories", type=float, default=1e7)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    os.environ |= dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    for jobs in (1, 2):  # each starts afresh, with one thread
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            found = list(pool.map(timed_alone, [list(range(k, arguments.studies * jobs, jobs)) for k in range(jobs)]))
        clock, processor = (np.mean([one[k] for one in found], axis=0) for k in range(2))
        parts = ", ".join(
            f"{name} {1e3 * c:.0f} ({1e3 * p:.0f})" for name, c, p in zip(PARTS, clock, processor, strict=True)
        )
        rates = 1 / clock.sum(), 1 / processor.sum(), 1 / clock[3:].sum(), 1 / np.mean([one[2] for one in found])
        print(
            f"{jobs} process{'es' * (jobs > 1)} of one thread, a new patient each: {rates[0]:.1f} studies a second and "
            f"process ({rates[1]:.1f} by processor time)\n  ms on the clock (of the processor): {parts}\n"
            f"  both views of a patient that is there: {rates[2]:.1f} a second; other noise alone: {rates[3]:.1f}"
        )
    if not arguments.compare:
        return
    found_ = [difference(number, int(arguments.histories)) for number in range(arguments.compare)]
    every = np.array([value for one in found_ for value in one.regions.values()])
    print(f"\n{len(found_)} patients, fast against full ({arguments.histories:g} histories), expected counts")
    worst = max(((abs(v), k, v) for one in found_ for k, v in one.regions.items()))
    print(f"regions by view: median {100 * np.median(np.abs(every)):.1f} %, worst {100 * worst[2]:+.1f} % ({worst[1]})")
    for name in found_[0].regions:
        own = [one.regions[name] for one in found_ if name in one.regions]
        print(f"  {name:24s}" + " ".join(f"{100 * value:+6.1f}" for value in own))
    print("scatter to primary off by " + ", ".join(f"{100 * one.scatter:+.1f} %" for one in found_))
    print("picture, rms over Poisson noise: pixels " + ", ".join(f"{one.picture:.2f}" for one in found_)
          + "; blocks of 12 mm " + ", ".join(f"{one.blocks:.2f}" for one in found_))  # fmt: skip
    lesions = np.array([value for one in found_ for value in one.lesions])
    if len(lesions):
        print(
            f"{len(lesions)} lesions' counts: median {100 * np.median(lesions):+.1f} %, half within "
            f"{100 * np.median(np.abs(lesions)):.1f} %, worst {100 * np.abs(lesions).max():.1f} %"
        )


if __name__ == "__main__":
    main()
