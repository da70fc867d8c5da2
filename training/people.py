"""Make what the learned reader learns from: simulated people, each one file of pictures without noise and their truth.

Run: python training/people.py OUT --count 3000 --seed 1 [--first 0] [--processes 2] [--cameras symbia_lehr ...]

Who they are says `variety`; how they are imaged is the fast mode's. A person depends on the seed and the number alone.
The same command goes on where it was stopped. Every person is a file ``case_00000.npz``; pictures have both views,
anterior first, as the camera saw them (the posterior one not mirrored), and are of 512 x 128 pixels, each two by two of
the camera's 1024 x 256:

components  float16 (component, view, row, column): expected counts for 1.5 M a view in the mean, which add up to the
            expected picture: 0 bone without foci, 1 soft tissue, blood, other organs and the room's background,
            2 kidneys, ureters and bladder, 3 what lesions add, 4 what disturbances add (injection site, urine on the
            skin ...). Below 0 where something takes away.
regions     uint8 (view, row, column): ids 0 to 17 of `bonescan.journeys.shadows.region_map`
metastatic  float16: metastatic share of the mineral along the ray, 0 to 1
mineral     float16: mineral along the ray, g/cm2
lesion      uint8: k + 1 within lesion k where its excess is at least half its peak's, the larger excess where two meet;
            disturbances are counted after the lesions; 0 none
vertebra    float16: in regions 2, 3, 9 and 10 the level at that height: 1 the middle of C1, 7 C7, 8 T1, 19 T12, 20 L1,
            24 L5, 25 S1 and all below it; else 0
rib         uint8: in region 4 the number, 1 to 12, of the rib nearest the camera, beside ribs of the nearest one;
            else 0
facts       JSON: seed, number, group, camera, pixel_mm, person, time_h, speed, bone_scan_index_percent, and lesions
            and disturbances with number, kind, nature, bone, metastasis, and per view contrast, snr, area and place

Lesions are told in the way of `bonescan.journeys.excess`, with one shortcut: what one lesion adds is its voxels, each
weakened by what lies before it, blurred as at the lesion's mean depth; all together (component 3) are projected as the
camera model does. A scenario's motions are left out.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import zipfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parent))

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.camera.acquisition import WholeBodyModel, draw_placement, whole_body_model
from bonescan.camera.cameras import camera
from bonescan.camera.emitter import Emitter
from bonescan.camera.fast import FAST_SPACING_MM, scatter_by_kernel
from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.protocols import WholeBody
from bonescan.field import Field
from bonescan.journeys.excess import SeenLesion, lesion_map
from bonescan.journeys.shadows import PlanarPlace, bone_maps, region_map
from bonescan.patient.sampling import SampledPatient
from bonescan.reading.model import BoneMap
from variety import DrawnPerson, draw_varied

Array = NDArray[np.float64]
Image = NDArray[np.float32]

COUNTS = 1.5e6
SHAPE = (512, 128)
CAMERAS = ("symbia_lehr", "discovery_670_lehr", "infinia_lehr")  # two more are for those who test the reader
KIDNEY = ("kidney", "renal_pelvis")
URINARY = (*KIDNEY, "ureter", "bladder")
BONE, SOFT, URINE, LESIONS, DISTURBANCES = range(5)
MOST_CONTRAST = 50.0  # told of a lesion with nothing around it
LEAST = 2e-4  # counts of a pixel below which a component is written as none: less than noise ever shows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Added:
    """What one lesion or disturbance adds to the activity, by voxel."""

    index: NDArray[np.int64]  # into the flattened grid
    kbq_per_ml: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Imaged:
    """A person under a camera."""

    drawn: DrawnPerson
    sampled: SampledPatient
    added: tuple[Added, ...]  # by lesion, disturbances after the lesions
    parts: Image  # (component, slice, row, column): kBq/mL, soft tissue in none
    camera: str
    model: WholeBodyModel


def imaged(seed: int, number: int, cameras: Sequence[str], shape: tuple[int, int] = SHAPE) -> Imaged:
    """One person, under one of the cameras."""
    drawn = draw_varied(seed, number)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number, 20)))
    chosen = str(rng.choice(list(cameras)))
    sampled, time_h = drawn.patient.sampled(FAST_SPACING_MM), drawn.time_h
    shares, weights = sampled.shares(time_h), sampled.weights(time_h)
    added = added_by_lesions(sampled, time_h, shares, weights)
    whole, parts = split_activity(drawn, sampled, added, shares, sampled.activity(time_h, shares, weights).values)
    model = whole_body_model(
        [Emitter(medium=sampled.medium(), activity=Field(values=whole, grid=sampled.grid, unit="kBq/mL"))],
        camera(chosen),
        WholeBody(shape=shape),
        scatter_by_kernel,
        counts=COUNTS,
        placement=draw_placement(rng),
    )
    return Imaged(drawn=drawn, sampled=sampled, added=added, parts=parts, camera=chosen, model=model)


def make_person(seed: int, number: int, cameras: Sequence[str] = CAMERAS) -> dict[str, NDArray[Any]]:
    """One person's shard."""
    own = imaged(seed, number, cameras)
    sampled, model = own.sampled, own.model
    expected = model.expected()
    components = split_picture(own, expected)
    places = [PlanarPlace(name=view, lattice=model.lattice, axis_x_mm=model.axis_mm[0]) for view in model.views]
    seen = seen_each(model, sampled, own.added, expected)
    bones = bone_maps(sampled, places[0])
    regions = np.stack([region_map(sampled, places[0], bones), region_map(sampled, places[1], from_behind(bones))])
    mineral, metastatic = mineral_pictures(sampled, places[0])
    vertebra, rib = levels(sampled, places, regions)
    facts = {
        "seed": seed,
        "number": number,
        "group": own.drawn.group,
        "camera": own.camera,
        "pixel_mm": round(model.lattice.spacing_mm[0], 4),
        "time_h": round(own.drawn.time_h, 3),
        "duration_s": round(model.duration_s, 1),
        "counts": [round(float(part.sum())) for part in expected],
        **told(sampled, seen, model),
    }
    numbers = np.stack([lesion_map(SHAPE, [views[v] for views in seen]) for v in (0, 1)])
    return {
        "components": np.where(np.abs(components) < LEAST, 0, np.clip(components, -6e4, 6e4)).astype(np.float16),
        "regions": regions,
        "metastatic": metastatic.astype(np.float16),
        "mineral": mineral.astype(np.float16),
        "lesion": np.minimum(numbers, 255).astype(np.uint8),
        "vertebra": vertebra.astype(np.float16),
        "rib": rib,
        "facts": np.array(json.dumps(facts)),
    }


# --- activity, in parts ----------------------------------------------------------------------------------


def added_by_lesions(
    sampled: SampledPatient, time_h: float, shares: Mapping[str, float], weights: Array
) -> tuple[Added, ...]:
    """What each lesion, then each disturbance adds, as if it were alone; a bone's weight takes up what it does now."""
    total = weights.sum()
    out = []
    for group in sampled.painted:
        alone = replace(sampled, painted=(group,))
        own = alone.weights(time_h)
        share = {**shares, "bone": shares["bone"] * own.sum() / total} if total > 0 else shares
        index, kbq_per_ml = alone.excess(0, time_h, share, own)
        out.append(Added(index=index, kbq_per_ml=kbq_per_ml))
    return tuple(out)


def split_activity(
    drawn: DrawnPerson, sampled: SampledPatient, added: Sequence[Added], shares: Mapping[str, float], whole: Image
) -> tuple[Image, Image]:
    """The activity as this person has it, and its components but soft tissue, all in kBq/mL."""
    grid, count, site = sampled.grid, len(sampled.patient.lesions), sampled.site
    parts = np.zeros((5, *grid.shape), dtype=np.float32)
    flat = [part.reshape(-1) for part in parts]
    for k, own in enumerate(added):
        flat[LESIONS if k < count else DISTURBANCES][own.index] += own.kbq_per_ml.astype(np.float32)
    injected_kbq = 1000 * sampled.patient.injected_mbq * shares["injection_site"]
    if injected_kbq > 0:
        cover = site.cover * (injected_kbq / site.cover.sum() / grid.voxel_ml)
        flat[DISTURBANCES][site.index] += cover.astype(np.float32)
    rest = whole - parts[LESIONS] - parts[DISTURBANCES]
    names = ("", *sampled.organs)
    kidney = {"l": drawn.kidneys[0], "r": drawn.kidneys[1]}
    times = [
        kidney[name[-1]] if name.startswith(KIDNEY) else 1.0 if name.startswith(URINARY) else drawn.soft
        for name in names
    ]
    factor = np.array(times, dtype=np.float32)[sampled.organ].reshape(-1)
    factor[sampled.index] = 1.0
    rest *= factor.reshape(grid.shape)
    urinary = np.array([name.startswith(URINARY) for name in names])[sampled.organ]
    for k, index in ((URINE, np.flatnonzero(urinary)), (BONE, sampled.index)):
        flat[k][index] = rest.reshape(-1)[index]
    return rest + parts[LESIONS] + parts[DISTURBANCES], parts


def split_picture(own: Imaged, expected: Array) -> Array:
    """The components of the expected picture; soft tissue is what is left of it."""
    out = np.zeros((5, *expected.shape))
    for k in (BONE, URINE, LESIONS, DISTURBANCES):
        if own.parts[k].any():
            out[k] = counted(own.model, Field(values=own.parts[k], grid=own.sampled.grid, unit="kBq/mL"))
    out[SOFT] = expected - out.sum(axis=0)
    return out


def counted(model: WholeBodyModel, activity: Field) -> Array:
    """Expected counts of some activity alone, scattered ones among them; linear in it."""
    look = model.looks[0]
    assert look is not None
    scattered = look.scattered(activity, scatter_by_kernel, 0, 0)[0]
    passed = scattered * model.seconds[0][:, :, None] * model.columns[:, None, :]
    return np.asarray(model.primary(activity) + passed)


# --- what each lesion shows ------------------------------------------------------------------------------


def seen_each(
    model: WholeBodyModel, sampled: SampledPatient, added: Sequence[Added], expected: Array
) -> list[tuple[SeenLesion | None, ...]]:
    """What both views show of each lesion and disturbance."""
    look = model.looks[0]
    assert look is not None
    grid, lattice, projector = sampled.grid, model.lattice, look.projector
    weakening = np.zeros(grid.shape, dtype=np.float32)
    assert projector.attenuation is not None
    weakening[look.slices] = projector.attenuation.values * np.float32(grid.spacing_mm[1] / 10)
    face = np.asarray(look.face_mm)
    seen = []
    for own in added:
        s, r, c = np.unravel_index(own.index, grid.shape)
        lines, line = np.unique(s * grid.shape[2] + c, return_inverse=True)
        depth = weakening[lines // grid.shape[2], :, lines % grid.shape[2]]  # (line, row)
        before = np.cumsum(depth, axis=1) - depth / 2
        y = grid.origin_mm[1] + grid.spacing_mm[1] * r - model.axis_mm[1]
        x, z = (grid.origin_mm[k] + grid.spacing_mm[2 - k] * at for k, at in ((0, c), (2, s)))
        views: list[SeenLesion | None] = []
        for v, side in enumerate((1, -1)):
            path = before[line, r] if v == 0 else (depth.sum(axis=1)[line] - before[line, r])
            arriving = own.kbq_per_ml * np.exp(-path)
            distance = face[v][s] + side * y
            size = np.abs(arriving)
            if size.sum() <= 0:
                views.append(None)
                continue
            sigma = float(model.camera.sigma_mm(np.array([np.average(distance, weights=size)]))[0])
            scale = float(projector.cps_per_unit) * model.seconds[0][v][:, None] * model.columns[v][None, :]
            views.append(seen_one(arriving, side * (x - model.axis_mm[0]), z, sigma, lattice, scale, expected[v]))
        seen.append(tuple(views))
    return seen


def seen_one(
    arriving: Array, u_mm: Array, z_mm: Array, sigma_mm: float, lattice: Lattice, scale: Array, expected: Array
) -> SeenLesion | None:
    """One lesion in one view, from its voxels as they arrive there."""
    row = (lattice.top_mm - z_mm) / lattice.spacing_mm[0]
    column = (u_mm - lattice.left_mm) / lattice.spacing_mm[1]
    # as wide as in the model, which shares voxels out to pixels; what sharing points to pixels widens is taken off
    step = lattice.spacing_mm[0]
    width = math.sqrt(sigma_mm**2 + FAST_SPACING_MM**2 / 6 - step**2 / 12) / step
    reach = math.ceil(3.5 * width) + 2
    top, left = math.floor(row.min()) - reach, math.floor(column.min()) - reach
    shape = math.ceil(row.max()) + reach + 1 - top, math.ceil(column.max()) + reach + 1 - left
    points = np.zeros(shape)
    for dr in (0, 1):
        for dc in (0, 1):
            r, c = np.floor(row).astype(int) + dr, np.floor(column).astype(int) + dc
            share = (1 - np.abs(row - r)) * (1 - np.abs(column - c))
            points += np.bincount((r - top) * shape[1] + c - left, arriving * share, points.size).reshape(shape)
    blurred = ndimage.gaussian_filter(points, width, mode="constant", truncate=3.5)
    rows = slice(max(top, 0), min(top + shape[0], lattice.shape[0]))
    columns = slice(max(left, 0), min(left + shape[1], lattice.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    excess = blurred[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    excess = excess * scale[rows, columns]
    size, level = np.abs(excess), expected[rows, columns]
    if not size.any():
        return None
    at = np.unravel_index(int(size.argmax()), size.shape)
    peak = float(excess[at])
    mask = excess * np.sign(peak) >= abs(peak) / 2
    without = float(level[at]) - peak
    noise = np.maximum(np.maximum(level, size), 1e-9)
    return SeenLesion(
        row=int(at[0]) + rows.start,
        column=int(at[1]) + columns.start,
        peak_counts=peak,
        excess_counts=float(excess.sum()),
        contrast=float(level[at]) / max(without, float(level[at]) / MOST_CONTRAST, 1e-9),
        snr=math.sqrt(float((excess**2 / noise).sum())),
        box=(rows, columns),
        mask=mask,
        excess=excess.astype(np.float32),
    )


# --- maps of the skeleton --------------------------------------------------------------------------------


def from_behind(bones: Sequence[BoneMap]) -> tuple[BoneMap, ...]:
    """An anterior view's bones as the posterior one shows them, but for their depth, which regions do not ask for.

    Pixels lie evenly about the axis, so that both views see the same rays, one from right to left.
    """
    return tuple(
        replace(
            one,
            column=SHAPE[1] - one.column - one.thickness_mm.shape[1],
            thickness_mm=np.ascontiguousarray(one.thickness_mm[:, ::-1]),
        )
        for one in bones
    )


def mineral_pictures(sampled: SampledPatient, place: PlanarPlace) -> tuple[Image, Image]:
    """Mineral along the ray in g/cm2, and the metastatic share of it, in both views."""
    grid = sampled.grid
    patient = sampled.patient
    sick = np.zeros(len(sampled.index), dtype=bool)
    for k, lesion in enumerate(patient.lesions):
        if lesion.is_metastasis:
            sick |= np.isin(sampled.index, sampled.voxels_of(k), assume_unique=True)
    s, _, c = np.unravel_index(sampled.index, grid.shape)
    where = (grid.shape[0] - 1 - s) * grid.shape[2] + c
    many = grid.shape[0] * grid.shape[2]
    both = np.stack([np.bincount(where, sampled.mineral * share, many) for share in (np.ones(len(s)), sick)])
    own = Lattice(
        shape=(grid.shape[0], grid.shape[2]),
        spacing_mm=(grid.spacing_mm[0], grid.spacing_mm[2]),
        top_mm=grid.origin_mm[2] + grid.spacing_mm[0] * (grid.shape[0] - 1),
        left_mm=grid.origin_mm[0] - place.axis_x_mm,
    )
    grams = both.reshape(2, *own.shape).astype(np.float32) * np.float32(grid.voxel_ml)
    onto = Projections(values=grams, lattice=own, angles_deg=(0.0, 180.0)).onto(place.lattice).values
    onto = onto / np.float32(math.prod(place.lattice.spacing_mm) / 100)
    share = np.where(onto[0] > 1e-3, onto[1] / np.maximum(onto[0], 1e-3), 0)
    return np.stack([onto[0], onto[0][:, ::-1]]), np.stack([share, share[:, ::-1]]).astype(np.float32)


def levels(
    sampled: SampledPatient, places: Sequence[PlanarPlace], regions: NDArray[np.uint8]
) -> tuple[Image, NDArray[np.uint8]]:
    """The level along the spine, and the number of the rib nearest the camera."""
    names, grid = default_skeleton().bones, sampled.grid
    s, r, c = np.unravel_index(sampled.index, grid.shape)
    order = {name: k for k, name in enumerate(name for name in names if name.startswith("vertebra"))}
    z_of = np.array([s[sampled.number == names.index(name)].mean() for name in order])  # C1 down to L5
    spacing = float(np.diff(z_of[-3:]).mean())
    z_of = np.append(z_of, z_of[-1] + spacing)
    level = np.interp(np.arange(grid.shape[0]), z_of[::-1], np.arange(len(z_of), 0, -1.0))
    number_of = np.array([int(name[4:6]) if name.startswith("rib") else 0 for name in names])
    ribs = np.flatnonzero(number_of[sampled.number])
    vertebra = np.zeros(regions.shape, dtype=np.float32)
    rib = np.zeros(regions.shape, dtype=np.uint8)
    for v, place in enumerate(places):
        slices, columns = place.voxels(sampled)
        spine = np.isin(regions[v], (2, 3, 9, 10)) & (slices >= 0)[:, None]
        vertebra[v] = np.where(spine, level[slices][:, None], 0)
        nearest = np.zeros((grid.shape[0], grid.shape[2]), dtype=np.uint8)
        own = ribs[np.argsort(-r[ribs] if v == 0 else r[ribs], kind="stable")]  # the farthest first
        nearest[s[own], c[own]] = number_of[sampled.number[own]]
        beside = ndimage.distance_transform_edt(nearest == 0, return_distances=False, return_indices=True)
        nearest = nearest[tuple(beside)]
        inside = (regions[v] == 4) & (slices >= 0)[:, None] & (columns >= 0)
        rib[v] = np.where(inside, nearest[slices[:, None], columns], 0)
    return vertebra, rib


# --- facts -----------------------------------------------------------------------------------------------


def told(
    sampled: SampledPatient, seen: Sequence[tuple[SeenLesion | None, ...]], model: WholeBodyModel
) -> dict[str, Any]:
    """Who it is and what they have."""
    patient, person = sampled.patient, sampled.patient.person
    own = np.zeros(len(sampled.index), dtype=bool)
    for k, lesion in enumerate(patient.lesions):
        if lesion.is_metastasis:
            own |= np.isin(sampled.index, sampled.voxels_of(k), assume_unique=True)
    names = [view.value for view in model.views]
    area = math.prod(model.lattice.spacing_mm)

    def entry(k: int, lesion: Any) -> dict[str, Any]:
        views = {
            name: {
                "contrast": round(one.contrast, 4),
                "snr": round(one.snr, 3),
                "excess_counts": round(one.excess_counts, 2),
                "area_mm2": round(float(one.mask.sum()) * area, 1),
                "row": one.row,
                "column": one.column,
            }
            for name, one in zip(names, seen[k], strict=True)
            if one is not None
        }
        return {
            "number": k + 1,
            "kind": lesion.kind.value,
            "nature": lesion.kind.nature.value,
            "bone": lesion.bone,
            "metastasis": lesion.is_metastasis,
            "contrast_drawn": lesion.contrast,
            "views": views,
        }

    count = len(patient.lesions)
    return {
        "person": {
            "sex": person.sex,
            "age_years": round(person.age_years, 1),
            "stature_mm": round(person.stature_mm),
            "mass_kg": round(person.mass_kg, 1),
            "bmi": round(person.bmi, 1),
            "bladder_ml": round(person.bladder_ml),
        },
        "bone_scan_index_percent": round(100 * float(sampled.mineral[own].sum() / sampled.mineral.sum()), 4),
        "lesions": [entry(k, lesion) for k, lesion in enumerate(patient.lesions)],
        "disturbances": [entry(count + k, lesion) for k, lesion in enumerate(patient.disturbances)],
    }


# --- many of them ----------------------------------------------------------------------------------------


def write_person(out: Path, seed: int, cameras: Sequence[str], number: int) -> tuple[int, str]:
    """Make and write one person; what went wrong, or nothing."""
    try:
        shard = make_person(seed, number, cameras)
    except Exception:  # one strange person must not end the run
        return number, traceback.format_exc()
    aside = out / f".case_{number:05d}.part"
    with zipfile.ZipFile(aside, "w") as archive:
        for name, values in shard.items():
            plain = io.BytesIO()
            np.lib.format.write_array(plain, values, allow_pickle=False)
            archive.writestr(f"{name}.npy", plain.getbuffer(), zipfile.ZIP_DEFLATED, compresslevel=1)
    os.replace(aside, out / f"case_{number:05d}.npz")
    return number, ""


def _alone() -> None:
    """One thread in a process; the parent says when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_the_parent, daemon=True).start()


def _leave_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def main() -> None:
    """Make those that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--cameras", nargs="+", default=CAMERAS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    os.environ |= dict.fromkeys(("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    wanted = range(arguments.first, arguments.first + arguments.count)
    missing = [k for k in wanted if not (arguments.out / f"case_{k:05d}.npz").exists()]
    print(f"{len(wanted) - len(missing)} of {len(wanted)} are there already", flush=True)
    begin = time.perf_counter()
    make = partial(write_person, arguments.out, arguments.seed, tuple(arguments.cameras))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.processes, context, initializer=_alone) as pool:
        for done, future in enumerate(as_completed([pool.submit(make, k) for k in missing]), start=1):
            number, wrong = future.result()
            if wrong:
                print(f"person {number} could not be made:\n{wrong}", flush=True)
            if done % 25 == 0 or done == len(missing):
                print(f"{done} of {len(missing)}, {(time.perf_counter() - begin) / done:.2f} s each", flush=True)


if __name__ == "__main__":
    main()
