"""Make the project's organs: unions of ellipsoids with the reference adults' volumes and places.

Usage::

    python training/build_organs.py MEASURED_FOLDER src/bonescan/anatomy/data/organs.csv

``MEASURED_FOLDER`` holds ``organs.csv`` (volume, centroid, equivalent ellipsoid and box of the organs of the adult male
and female phantoms of ICRP Publication 110, and of BodyParts3D, whose skeleton is ours) and ``landmarks.csv``.

How: compact organs are their measured ellipsoid, mapped by landmarks onto the default skeleton. Hollow, folded and
long ones are drawn by us as chains or groups of ellipsoids through the measured places. Lungs and liver are fitted: a
region is drawn inside the default rib cage, on both sides of a domed diaphragm, and a few ellipsoids are fitted to it.
Last, each organ is scaled until its volume in a voxelised reference adult, with all overlaps resolved, is that of the
phantom.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from bonescan.anatomy import organs as organs_module
from bonescan.anatomy.body import Body
from bonescan.anatomy.form import shaped_skeleton
from bonescan.anatomy.pose import pose_person
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.voxels import body_grid, voxelise
from build_body import HEIGHTS, PHANTOMS, SKIN_STATURE_MM, TRUNK_SHIFT, _both_sides, number

Array = NDArray[np.float64]

STATURE_MM = {"male": 1760.0, "female": 1630.0}
BP3D_SHIFT = (0.65, 90.5, 70.5)
WALL_MM = 8.0  # muscle between the fat under the skin and the cavities of the trunk

HEADER = """\
# The bonescan organs: solid ellipsoids, their union per organ, for `bonescan.anatomy.organs`.
# Volumes and places after the adult reference phantoms of ICRP Publication 110 (Ann. ICRP 39(2), 2009), mapped onto
# the bonescan skeleton by landmarks; brain and eyes adapted from BodyParts3D, (c) The Database Center for Life
# Science, CC BY-SA; shapes of hollow and folded organs are ours (see training/build_organs.py). No voxels reproduced.
# Frame as in skeleton.csv (mm). axes: columns of the half-axis matrix, row by row. Order is precedence.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organ:
    """An organ under construction; ``target_ml`` 0 leaves its size alone, ``grow`` says how it is scaled."""

    name: str
    tissue: str
    segment: str
    centres: Array
    axes: Array
    target_ml: float = 0.0
    margin_mm: float = WALL_MM
    grow: str = "whole"  # or "thick": a chain grows in radius only


class Places:
    """Where a phantom's points and organs lie on the default skeleton."""

    def __init__(self, folder: Path, sex: str) -> None:
        phantom = PHANTOMS[sex]
        with (folder / "landmarks.csv").open() as stream:
            marks = {
                r["landmark"]: number(r, "x_mm", "y_mm", "z_mm")
                for r in csv.DictReader(stream)
                if r["phantom"] == phantom
            }
        with (folder / "organs.csv").open() as stream:
            table = list(csv.DictReader(stream))
        self.organs = {r["organ"]: r for r in table if r["phantom"] == phantom}
        self.ours = {r["organ"]: r for r in table if r["phantom"] == "BP3D"}
        self.scale = SKIN_STATURE_MM / marks["vertex"][2]
        self.theirs = np.array([_both_sides(marks, name)[2] for name, _ in HEIGHTS["trunk"]])
        self.heights = np.array([z for _, z in HEIGHTS["trunk"]])

    def point(self, p: Array) -> Array:
        z = float(np.interp(p[2], self.theirs, self.heights))
        if p[2] < self.theirs[0]:
            z = self.heights[0] + (p[2] - self.theirs[0]) * self.scale
        return np.array([p[0] * self.scale, p[1] * self.scale + float(np.interp(z, *np.transpose(TRUNK_SHIFT))), z])

    def volume(self, *names: str) -> float:
        return sum(float(self.organs[name]["volume_cm3"]) for name in names)

    def ellipsoid(self, name: str, *, bp3d: bool = False) -> tuple[Array, Array]:
        row = (self.ours if bp3d else self.organs)[name]
        w, x, y, z = number(row, "qw", "qx", "qy", "qz")
        axes = Rotation.from_quat([x, y, z, w]).as_matrix() * number(row, "a_mm", "b_mm", "c_mm")
        centre = number(row, "cx_mm", "cy_mm", "cz_mm")
        if bp3d:
            return (centre + BP3D_SHIFT)[None], axes[None]
        return self.point(centre)[None], (axes * self.scale)[None]


def upright(*rows: tuple[float, float, float, float, float, float]) -> tuple[Array, Array]:
    """Ellipsoids along the body's axes: (x, y, z, half x, half y, half z)."""
    table = np.array(rows, dtype=float)
    return table[:, :3], np.einsum("ei,ij->eij", table[:, 3:], np.eye(3))


def chain(*points: tuple[float, float, float, float]) -> tuple[Array, Array]:
    """Tube through points (x, y, z, radius): one long ellipsoid for each piece of at most three radii."""
    table = np.array(points, dtype=float)
    centres, axes = [], []
    for a, b in pairwise(table):
        length = float(np.linalg.norm(b[:3] - a[:3]))
        radius = (a[3] + b[3]) / 2
        count = max(1, round(length / (3 * radius)))
        along = (b[:3] - a[:3]) / length
        side = np.cross(along, [0.0, 1.0, 0.0] if abs(along[1]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        for k in range(count):
            share = (k + 0.5) / count
            r = a[3] + (b[3] - a[3]) * share
            half = length / count / 2 + 0.75 * r
            centres.append(a[:3] + (b[:3] - a[:3]) * share)
            axes.append(np.column_stack([along * half, side * r * 1.08, np.cross(along, side) * r * 1.08]))
    return np.array(centres), np.array(axes)


def mirrored(shape: tuple[Array, Array]) -> tuple[Array, Array]:
    return shape[0] * [-1, 1, 1], shape[1] * np.array([-1.0, 1.0, 1.0])[:, None]


def joined(*shapes: tuple[Array, Array]) -> tuple[Array, Array]:
    return np.concatenate([s[0] for s in shapes]), np.concatenate([s[1] for s in shapes])


# --- regions inside the rib cage -----------------------------------------------------------------


def lattice(low: tuple[float, ...], high: tuple[float, ...], step: float) -> Array:
    ticks = [np.arange(a, b + step / 2, step) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*ticks, indexing="ij"), axis=-1).reshape(-1, 3)


def inside(points: Array, shape: tuple[Array, Array], grow: float = 0.0) -> NDArray[np.bool_]:
    hit = np.zeros(len(points), dtype=bool)
    for centre, axes in zip(*shape, strict=True):
        left, singular, _ = np.linalg.svd(axes)
        u = ((points - centre) @ left) / (singular + grow)
        hit |= (u**2).sum(axis=1) <= 1
    return hit


def rib_cage(points: Array) -> NDArray[np.bool_]:
    """Points in the chest: inside the hull of ribs, sternum and vertebrae at their height, 4 mm off every bone."""
    skeleton = default_skeleton()
    of_chest = np.array(
        [skeleton.bones[b].startswith(("rib", "sternum", "vertebra_t")) for b in skeleton.bone_index], dtype=bool
    )
    centres, axes = skeleton.centres_mm[of_chest], skeleton.axes_mm[of_chest]
    angle = np.random.default_rng(0).normal(size=(60, 3))
    sphere = angle / np.linalg.norm(angle, axis=1, keepdims=True)
    surface = (np.einsum("eij,pj->epi", axes, sphere) + centres[:, None]).reshape(-1, 3)
    out = np.zeros(len(points), dtype=bool)
    for z in np.unique(points[:, 2]):
        here = points[:, 2] == z
        near = surface[np.abs(surface[:, 2] - z) < 9][:, :2]
        if len(near) > 10:
            # hulls of both halves keep the groove on either side of the spine
            for side in (-1, 1):
                half = near[near[:, 0] * side > -12]
                out[here] |= (Delaunay(half).find_simplex(points[here][:, :2]) >= 0) & (points[here][:, 0] * side >= -2)
    return out & ~inside(points, (centres, axes), 4.0)


def diaphragm(points: Array) -> Array:
    """Height of the diaphragm over each point: two domes that fall to the wall of the chest, deepest behind."""
    x, y = points[:, 0], points[:, 1]
    right = 1262 - 90 * np.clip(((x + 62) / 70) ** 2 + ((y + 30) / 88) ** 2, 0, 1.6) ** 1.5
    left = 1250 - 90 * np.clip(((x - 66) / 66) ** 2 + ((y + 22) / 86) ** 2, 0, 1.6) ** 1.5
    middle = np.where(np.abs(x) < 45, 1238.0 - 0.25 * np.abs(y + 30), 0.0)
    return np.asarray(np.maximum(np.maximum(right, left), middle))


def fitted(points: Array, region: NDArray[np.bool_], count: int, seed: int) -> tuple[Array, Array]:
    """Union of ellipsoids nearest to a region of the lattice: least squares of a soft union, by L-BFGS."""
    rng = np.random.default_rng(seed)
    own = points[region]
    near = points[(points >= own.min(0) - 16).all(1) & (points <= own.max(0) + 16).all(1)]
    target = region[(points >= own.min(0) - 16).all(1) & (points <= own.max(0) + 16).all(1)].astype(float)
    centres = own[rng.choice(len(own), 1)]
    while len(centres) < count:  # seeds far from each other
        distance = ((own[:, None] - centres) ** 2).sum(2).min(1)
        centres = np.vstack([centres, own[rng.choice(len(own), p=distance / distance.sum())]])
    for _ in range(15):
        nearest = ((own[:, None] - centres) ** 2).sum(2).argmin(1)
        centres = np.array([own[nearest == k].mean(0) for k in range(count)])
    forms = []
    for k in range(count):
        spread = np.cov(own[nearest == k].T) * 5 + 20 * np.eye(3)
        value, vector = np.linalg.eigh(spread)
        forms.append(vector @ np.diag(value**-0.5) @ vector.T)
    start = np.concatenate([centres.ravel() / 50, np.array(forms).ravel() * 50])

    def loss(v: Array, sharp: float) -> tuple[float, Array]:
        c, b = v[: 3 * count].reshape(count, 3) * 50, v[3 * count :].reshape(count, 3, 3) / 50
        out = np.ones(len(near))
        kept = []
        for k in range(count):
            d = near - c[k]
            u = d @ b[k].T
            o = 1 / (1 + np.exp(np.clip(sharp * ((u**2).sum(1) - 1), -40, 40)))
            kept.append((d, u, o))
            out *= 1 - o
        error = (1 - out) - target
        gc, gb = np.zeros((count, 3)), np.zeros((count, 3, 3))
        for k, (d, u, o) in enumerate(kept):
            common = 2 * error * out / np.maximum(1 - o, 1e-12) * (-sharp) * o * (1 - o)
            gb[k] = 2 * np.einsum("n,ni,nj->ij", common, u, d)
            gc[k] = -2 * np.einsum("n,ni,ij->j", common, u, b[k])
        n = len(near)
        return float((error**2).mean()), np.concatenate([gc.ravel() * 50, gb.ravel() / 50]) / n

    for sharp in (3.0, 8.0, 16.0):
        start = minimize(loss, start, args=(sharp,), jac=True, method="L-BFGS-B", options={"maxiter": 250}).x
    c, b = start[: 3 * count].reshape(count, 3) * 50, start[3 * count :].reshape(count, 3, 3) / 50
    shape = c, np.linalg.inv(b)
    hit = inside(near, shape)
    print(f"  fitted {count}: Dice {2 * (hit & (target > 0)).sum() / (hit.sum() + target.sum()):.3f}")
    return shape


def chest(heart: tuple[Array, Array], vessels: tuple[Array, Array]) -> dict[str, tuple[Array, Array]]:
    """Lungs and liver on the default skeleton."""
    points = lattice((-150, -130, 1090), (150, 100, 1430), 6.0)
    cage = rib_cage(points)
    x, y, z = points.T
    low = diaphragm(points)
    middle = inside(points, heart, 4.0) | inside(points, vessels, 4.0)
    # the space between the lungs: wide in front of the spine, narrow behind the sternum
    spine = (np.abs(x) < 16 + 10 * (y > -10)) & (y < 60)
    free = cage & (z > low) & ~middle & ~spine & (z > 1130)
    shapes = {}
    for name, side, count in (("lung_l", 1, 11), ("lung_r", -1, 11)):
        shapes[name] = fitted(points, free & (x * side > 8), count, 3)
    # liver: under the right dome, thinning to the left; its lower edge runs from low on the right up to the left
    edge = 1110 + 0.62 * np.clip(x + 125, 0, None) + 0.35 * np.clip(y + 20, 0, None)
    under = cage_below(points) & (z < low - 3) & (z > edge) & (x < 62) & (y < 62 - 0.25 * (x + 110))
    shapes["liver"] = fitted(points, under, 7, 5)
    return shapes


def cage_below(points: Array) -> NDArray[np.bool_]:
    """The upper abdomen inside the ribs; in front, where only cartilage is, inside an oval."""
    oval = (points[:, 0] / 122) ** 2 + ((points[:, 1] + 14) / 92) ** 2 < 1
    skeleton = default_skeleton()
    return oval & ~inside(points, (skeleton.centres_mm, skeleton.axes_mm), 4.0)


# --- the organs ----------------------------------------------------------------------------------


def drawn(places: Places, sex: str, fitted_shapes: dict[str, tuple[Array, Array]] | None) -> list[Organ]:
    """All organs in the order of precedence, before their volumes are set."""
    v = places.volume

    def own(name: str, tissue: str, segment: str, of: str = "", **more: object) -> Organ:
        centres, axes = places.ellipsoid(of or name)
        target = {"target_ml": v(of or name)} | more
        return Organ(name=name, tissue=tissue, segment=segment, centres=centres, axes=axes, **target)  # type: ignore[arg-type]

    def shaped(
        name: str, tissue: str, segment: str, shape: tuple[Array, Array], ml: float = 0.0, **more: object
    ) -> Organ:
        return Organ(name=name, tissue=tissue, segment=segment, centres=shape[0], axes=shape[1], target_ml=ml, **more)  # type: ignore[arg-type]

    heart = places.ellipsoid("heart")
    blood = heart[0], heart[1] * (1 - v("heart_wall") / v("heart")) ** (1 / 3)
    arteries = joined(
        chain((6, -46, 1300, 14), (-8, -52, 1330, 14), (4, -32, 1364, 13), (20, -6, 1362, 12), (24, 8, 1335, 12),
              (22, 10, 1250, 11), (14, 0, 1190, 10), (9, -24, 1140, 10), (8, -36, 1080, 9), (6, -32, 1032, 9)),
        chain((12, -58, 1300, 13), (10, -45, 1340, 12)),  # pulmonary
        chain((6, -32, 1032, 6), (42, 0, 980, 6), (72, -32, 925, 5), (80, -42, 880, 5)),
        chain((6, -32, 1032, 6), (-42, 0, 980, 6), (-72, -32, 925, 5), (-80, -42, 880, 5)),
        chain((12, -20, 1372, 5), (22, -16, 1440, 4), (28, -8, 1510, 4)),
        chain((-12, -24, 1372, 5), (-22, -16, 1440, 4), (-28, -8, 1510, 4)),
    )  # fmt: skip
    veins = joined(
        chain((-28, -36, 1270, 12), (-24, -22, 1215, 12), (-20, -24, 1150, 11), (-20, -36, 1080, 11),
              (-17, -30, 1030, 11)),
        chain((-26, -40, 1310, 11), (-26, -38, 1365, 10)),
        chain((-26, -38, 1368, 8), (-32, -16, 1440, 6), (-34, -6, 1510, 5)),
        chain((-20, -40, 1368, 7), (30, -28, 1390, 6), (33, -14, 1440, 6), (34, -6, 1510, 5)),
        chain((-17, -30, 1030, 7), (42, 8, 975, 7), (66, -26, 925, 6), (73, -38, 880, 6)),
        chain((-17, -30, 1030, 7), (-42, 8, 975, 7), (-66, -26, 925, 6), (-73, -38, 880, 6)),
    )  # fmt: skip
    if fitted_shapes is None:
        fitted_shapes = chest(heart, joined(arteries, veins))
    bladder = places.ellipsoid("urinary_bladder_contents")
    half = places.scale * number(
        places.organs["urinary_bladder_contents"], "half_extent_x_mm", "half_extent_y_mm", "half_extent_z_mm"
    )
    floor = max(bladder[0][0, 2] - half[2], 868.0)  # of the default pelvis, whose pubic bones end at 877 mm
    bladder = np.array([[0.0, half[1] - 42.0, floor + half[2]]]), np.diag(half)[None]
    stomach_centre, _ = places.ellipsoid("stomach")
    box = places.scale * number(places.organs["stomach"], "half_extent_x_mm", "half_extent_y_mm", "half_extent_z_mm")
    stomach = upright((0.45, 0.50, 0.50, 0.50, 0.48, 0.52), (0.30, -0.05, -0.05, 0.48, 0.55, 0.62),
                      (-0.15, -0.45, -0.50, 0.55, 0.42, 0.45), (-0.65, -0.40, -0.50, 0.35, 0.33, 0.33))  # fmt: skip
    stomach = stomach[0] * box + stomach_centre, stomach[1] * box[:, None]
    l1 = 1126.0
    colon = joined(
        chain((-84, -34, l1 - 152, 27), (-92, -30, l1 - 100, 26), (-95, -18, l1 - 40, 25), (-88, -25, l1 - 8, 24)),
        chain((-88, -30, l1 - 8, 23), (-55, -74, l1 - 20, 21), (0, -84, l1 - 45, 20), (52, -80, l1 - 22, 19),
              (92, -45, l1 + 25, 19), (106, -8, l1 + 55, 18)),
        chain((106, -8, l1 + 55, 17), (110, -14, l1 - 20, 16), (102, -22, l1 - 100, 16), (92, -34, l1 - 140, 16)),
        chain((92, -34, l1 - 140, 16), (62, -42, l1 - 178, 16), (25, -10, l1 - 178, 16), (6, 22, l1 - 190, 16)),
        chain((6, 22, l1 - 190, 16), (0, 42, l1 - 222, 17), (0, 38, l1 - 256, 17), (0, 22, l1 - 290, 12)),
    )  # fmt: skip
    rng = np.random.default_rng(1)
    loops = [
        (x + rng.normal(0, 7), y + rng.normal(0, 5), l1 + z + rng.normal(0, 7), *rng.permutation([34, 24]), 17)
        for z, ys in ((-50, -54), (-80, -52), (-110, -54), (-140, -48), (-170, -34))
        for x, y in ((-48, ys + 4), (-12, ys - 8), (24, ys), (58, ys + 4))
    ] + [(-34, -34, l1 - 10, 16, 16, 30), (0, -40, l1 - 32, 34, 11, 10)]
    sublingual = upright((0, -50, 1508, 14, 12, 6))
    parotid = upright((57, 6, 1560, 9, 15, 25), (54, 2, 1540, 9, 12, 14), (30, -30, 1504, 9, 15, 10))
    thyroid = upright((19, -18, 1432, 9, 10, 24), (-19, -18, 1432, 9, 10, 24), (0, -27, 1426, 13, 5, 8))
    airway = joined(chain((0, -12, 1475, 8.5), (0, -6, 1420, 8.5), (0, 6, 1350, 8.5)),
                    chain((0, 6, 1350, 7), (26, 10, 1322, 6)), chain((0, 6, 1350, 7), (-26, 10, 1326, 6.5)),
                    chain((0, -14, 1475, 9), (0, -14, 1515, 9), (0, -8, 1560, 8)),
                    upright((0, -50, 1572, 8, 34, 16)))  # fmt: skip
    arc = [(k * 7.0, -80 + 0.035 * (k * 7.0) ** 2, z, 4.6, 4.6, 7.0) for k in range(-3, 4) for z in (1523, 1537)]
    psoas = chain((26, -4, 1120, 16), (38, -4, 1060, 22), (54, -6, 1000, 26), (74, -26, 935, 20), (84, -10, 885, 14))
    eyes = {side: places.ellipsoid(f"eye_{word}", bp3d=True) for side, word in (("l", "left"), ("r", "right"))}
    out = [shaped("teeth", "tooth", "head", upright(*arc), v("teeth"), margin_mm=0.0)]
    for side, word in (("l", "left"), ("r", "right")):
        out.append(shaped(f"eye_{side}", "eye", "head", eyes[side], v(f"eye_{word}"), margin_mm=-4.0))
    # what is left of the skull's inside: fluid, meninges, veins
    around = places.ellipsoid("brain", bp3d=True)
    around = around[0], around[1] * (1 + 7.0 / np.linalg.norm(around[1], axis=1)[:, None, :])
    brain = joined(places.ellipsoid("brain", bp3d=True), upright((0, 62, 1572, 50, 32, 24), (0, 28, 1566, 15, 15, 28)))
    out += [
        shaped("brain", "brain", "head", brain, v("brain"), margin_mm=0.0),
        shaped("brain_fluid", "lymph", "head", around, margin_mm=9.0),
        shaped("airway", "air", "trunk", airway, margin_mm=2.0),
        shaped("thyroid", "thyroid", "neck", thyroid, v("thyroid"), margin_mm=0.0),
        shaped("salivary_l", "soft organ", "head", joined(parotid, sublingual), v("salivary_left"), margin_mm=0.0),
        shaped("salivary_r", "soft organ", "head", mirrored(parotid), v("salivary_right"), margin_mm=0.0),
        shaped("heart_blood", "blood", "thorax", blood, v("heart") - v("heart_wall")),
        shaped("heart_wall", "heart", "thorax", heart, v("heart_wall")),
        shaped("arteries", "blood", "trunk", arteries, margin_mm=4.0),
        shaped("veins", "blood", "trunk", veins, margin_mm=4.0),
        shaped("oesophagus", "soft organ", "trunk",
               chain((2, 2, 1470, 8), (4, 8, 1400, 8), (8, 12, 1330, 8), (12, 4, 1250, 8), (16, -10, 1215, 8)),
               v("oesophagus"), grow="thick"),
    ]  # fmt: skip
    for side, word in (("l", "left"), ("r", "right")):
        out.append(own(f"renal_pelvis_{side}", "urine", "trunk", f"renal_pelvis_{word}"))
        kidney = f"kidney_{word}"
        out.append(own(f"kidney_{side}", "kidney", "trunk", kidney, target_ml=v(kidney) - v(f"renal_pelvis_{word}")))
    for side, word, sign in (("l", "left", 1), ("r", "right", -1)):
        start = places.ellipsoid(f"renal_pelvis_{word}")[0][0]
        tube = chain((start[0] - 14 * sign, start[1] - 6, start[2] - 14, 3.4), (36 * sign, -24, 1080, 3.4),
                     (34 * sign, -26, 1010, 3.4), (40 * sign, 4, 950, 3.4), (30 * sign, 20, 905, 3.4),
                     (12 * sign, bladder[0][0, 1] + 30, bladder[0][0, 2] - 16, 3.4))  # fmt: skip
        out.append(shaped(f"ureter_{side}", "urine", "trunk", tube, v(f"ureter_{word}"), grow="thick"))
    out += [
        shaped("bladder", "urine", "pelvis", bladder, margin_mm=3.0),
        shaped("bladder_wall", "bladder wall", "pelvis", bladder, margin_mm=0.0),
    ]
    if sex == "female":
        out.append(own("uterus", "soft organ", "pelvis"))
    else:
        out.append(own("prostate", "soft organ", "pelvis"))
    out += [
        shaped("lung_l", "lung", "thorax", fitted_shapes["lung_l"], v("lung_left")),
        shaped("lung_r", "lung", "thorax", fitted_shapes["lung_r"], v("lung_right")),
        own("gall_bladder", "soft organ", "thorax"),
        own("spleen", "spleen", "thorax"),
        shaped("liver", "liver", "thorax", fitted_shapes["liver"], v("liver")),
        shaped("stomach", "stomach", "thorax", stomach, v("stomach")),
        own("pancreas", "pancreas", "trunk"),
        shaped("colon", "bowel contents", "trunk", colon, sum(v(n) for n in places.organs if n.startswith("colon"))
               + v("rectum"), grow="thick"),
        shaped("small_bowel", "bowel", "trunk", upright(*loops), v("small_intestine"), grow="thick"),
    ]  # fmt: skip
    for side, word in (("l", "left"), ("r", "right")):
        out.append(own(f"breast_{side}", "breast", "thorax", f"breast_{word}", margin_mm=-100.0))
    out += [
        shaped("psoas", "muscle", "trunk", joined(psoas, mirrored(psoas))),
        shaped("mediastinum", "adipose", "thorax", upright((0, -25, 1320, 52, 78, 112))),
        shaped("visceral_fat", "adipose", "trunk",
               upright((0, -240, 1115, 260, 290, 160), (0, -60, 1000, 108, 85, 62), (0, -10, 925, 66, 66, 70))),
    ]  # fmt: skip
    return out


def scaled(organ: Organ, factor: float) -> Organ:
    """The organ with its volume changed by about a factor."""
    if organ.grow == "thick":
        long = np.linalg.norm(organ.axes, axis=1)
        thick = np.where(long < 1.01 * np.sort(long, axis=1)[:, 1:2], factor**0.5, 1.0)
        return replace(organ, axes=organ.axes * thick[:, None, :])
    side = factor ** (1 / 3)
    middle = organ.centres.mean(axis=0)
    return replace(organ, axes=organ.axes * side, centres=middle + (organ.centres - middle) * side)


def calibrated(organs: list[Organ], sex: str) -> list[Organ]:
    posed = pose_person(shaped_skeleton(sex), sex=sex, stature_mm=STATURE_MM[sex])
    body = Body(posed=posed, sex=sex)
    grid = body_grid(body, 3.0)
    for _ in range(7):
        reference = tuple(
            organs_module._Organ(
                name=o.name,
                tissue=o.tissue,
                segment=o.segment,
                margin_mm=o.margin_mm,
                centres_mm=o.centres,
                axes_mm=o.axes,
            )
            for o in organs
        )
        organs_module._reference = lambda _, reference=reference: reference  # type: ignore[assignment, misc]
        found = voxelise(body, organs_module.posed_organs(posed, sex, bladder_ml=192.3), grid).organ_ml()
        organs = [
            scaled(o, float(np.clip(o.target_ml / max(found[o.name], 1e-3), 0.6, 1.6))) if o.target_ml else o
            for o in organs
        ]
    for o in organs:
        if o.target_ml:
            print(f"  {sex} {o.name:16s} {found[o.name]:7.1f} of {o.target_ml:7.1f} ml")
    return organs


def main(measured: Path, out: Path) -> None:
    fits = None
    with out.open("w", newline="") as stream:
        stream.write(HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["sex", "organ", "tissue", "segment", "margin_mm", "x_mm", "y_mm", "z_mm"]
            + [f"a{i}{j}_mm" for i in "xyz" for j in "123"]
        )
        for sex in PHANTOMS:
            organs = drawn(Places(measured, sex), sex, fits)
            fits = {o.name: (o.centres, o.axes) for o in organs if o.name in ("lung_l", "lung_r", "liver")}
            for o in calibrated(organs, sex):
                for centre, axes in zip(o.centres, o.axes, strict=True):
                    writer.writerow(
                        [sex, o.name, o.tissue, o.segment, f"{o.margin_mm:g}"]
                        + [f"{value:.1f}" for value in centre]
                        + [f"{value:.2f}" for value in axes.ravel()]
                    )
    print(f"written to {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
