"""Simulate a whole-body bone scan of the parametric skeleton, with lesions whose truth is known.

Run: python bench/simulate.py OUT.dcm [--seed 1] [--lesions 4] [--counts 1.5e6] [--sex male] [--truth T.json]

One posed body, seen from in front and behind. The expected picture of a view is

    E(r, c) = sum over bones of  B_d [ level * (exp(-mu d_in) - exp(-mu d_out)) / mu ]  +  organs + soft tissue

with each bone's level lognormal about a textbook value, the length of bone along the ray attenuated by the tissue
in front of it (mu of a broad beam), and B_d a Gaussian as wide as a low-energy high-resolution collimator blurs at
that depth, plus its share of scatter. Counts are Poisson. A lesion is a ball in which bone takes up 2, 3 or 5 times
as much as that bone does.

There is no wider camera physics here: scatter is one broad Gaussian share of the picture, blur is known at two depths
and mixed between them; no energy window, septal penetration, dead time, other motion, or scan speed.
It serves the checks of `reading`; it is no camera model.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid
from scipy import ndimage

from bonescan.anatomy.body import SEXES, Body
from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.pose import PARAMETERS, PosedSkeleton, move_points, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.scan import Injection, PatientFacts, Scan, View, ViewName

Array = NDArray[np.float64]

ROWS, COLUMNS, PIXEL_MM = 1024, 256, 2.4
MU_PER_MM = 0.0125  # broad beam in soft tissue at 140 keV: about 0.12 /cm is in use; narrow beam is 0.154
SIDE = {ViewName.ANTERIOR: -1, ViewName.POSTERIOR: 1}

# Uptake per volume of whole bone (marrow included) at three hours, lumbar spine = 1. The order is that of any normal
# scan: trabecular bone and its high turnover first (spine, sacroiliac region, scapula), cortical shafts last. Long
# bones are solid here, so a shaft's level is a third of its end's: of its cross-section, about a third is cortex.
LEVEL = {
    "skull": 0.55, "skull_maxilla": 0.6, "skull_ethmoid": 0.9, "mandible": 0.5, "hyoid": 0.1,
    "vertebra_c": 0.85, "vertebra_t": 1.1, "vertebra_l": 1.0, "rib": 0.8, "sternum": 0.8, "sacrum": 0.75,
    "hip_bone": 0.9, "clavicle": 0.55, "scapula": 0.8, "humerus": 0.4, "radius": 0.4, "ulna": 0.4, "carpal": 0.45,
    "metacarpal": 0.35, "phalanx": 0.3, "femur": 0.27, "patella": 0.35, "tibia": 0.26, "fibula": 0.28, "tarsal": 0.3,
    "metatarsal": 0.3, "sesamoid": 0.3,
}  # fmt: skip
# Level at the upper and the lower end of long bones, and over how much of the length it falls to the shaft's.
ENDS = {
    "humerus": (0.75, 0.5, 0.14), "radius": (0.6, 0.8, 0.14), "ulna": (0.7, 0.6, 0.14),
    "femur": (0.6, 0.38, 0.17), "tibia": (0.5, 0.42, 0.14), "fibula": (0.4, 0.5, 0.12), "clavicle": (0.8, 0.7, 0.2),
}  # fmt: skip
REGION_SPREAD, BONE_SPREAD = 0.18, 0.04  # lognormal: between people, and between the bones of one

# Joints that show on most adult scans: (segment, left point of the default pose, uptake as mm of lumbar spine over a
# ball of that radius).
JOINTS = (
    ("clavicle_l", (17.0, -50.0, 1385.0), 6.0, 8.0),  # sternoclavicular
    ("clavicle_l", (140.0, 12.0, 1416.0), 5.0, 9.0),  # acromioclavicular
    ("scapula_l", (150.0, 14.0, 1388.0), 5.0, 14.0),  # shoulder
    ("pelvis", (42.0, 62.0, 972.0), 18.0, 16.0),  # sacroiliac
    ("shank_l", (78.0, 8.0, 436.0), 5.0, 22.0),  # knee
    ("foot_l", (58.0, 4.0, 66.0), 4.0, 14.0),  # ankle
)
JOINT_SPREAD = 0.35

# Soft tissue against the lumbar spine, per volume: bone plateaus near 27 % of the injection in about 5 L, the rest of
# the body keeps 10 to 20 % in 65 L (ICRP 128; Brenner, HMDP): a ratio of 0.02 to 0.06 of mean bone.
SOFT_TISSUE, SOFT_TISSUE_SPREAD = 0.03, 0.4
# Organs: segment, centre in the default pose, half-axes (mm; sizes as in ICRP 110), level, its spread.
ORGANS = (
    ("lumbar", (64.0, 14.0, 1118.0), (27.0, 22.0, 53.0), 0.22, 0.45),  # left kidney
    ("lumbar", (-62.0, 10.0, 1104.0), (27.0, 22.0, 53.0), 0.22, 0.45),
    ("pelvis", (0.0, -5.0, 885.0), (36.0, 32.0, 26.0), 1.2, 0.5),  # bladder, voided before the scan
)

# Low-energy high-resolution collimator with parallel holes: hole 1.11 mm, effective length 23.3 mm, crystal 9.5 mm
# with 3.8 mm intrinsic resolution; skin 80 mm away, as the heads pass
# over the highest point and under the table. Blur at two depths, mixed between.
HOLE_MM, LENGTH_MM, GAP_MM, INTRINSIC_MM, TO_SKIN_MM = 1.11, 23.3, 4.5, 3.8, 80.0
DEPTHS_MM = (10.0, 200.0)
# A broad beam's mu lets photons through that were scattered on the way: about this share of all, and they arrive
# spread about where they came from.
SCATTERED, SCATTER_SIGMA_MM = 0.23, 35.0
# Smeared up and down: ribs and sternum by the breath, about 10 mm; vertebrae because end plates and facet joints,
# which take up most, fill the gaps that solid bodies leave between them.
BREATHING_MM = {"rib": 4.0, "sternum": 4.0}
SMEARED_MM = {**BREATHING_MM, "vertebra": 4.5}

# Where lesions are put: name, bone (left), direction in which the place lies from the bone's centre.
SITES = (
    ("skull", "skull_parietal_l", (1.0, 0.0, 0.6)),
    ("scapula", "scapula_l", (-0.2, 0.3, -1.0)),
    ("sternum", "sternum_body", (0.0, 0.0, 0.0)),
    ("lateral rib", "rib_06_l", (1.0, 0.0, 0.0)),
    ("posterior rib", "rib_09_l", (-0.3, 1.0, 0.2)),
    ("thoracic spine", "vertebra_t08", (0.0, 0.0, 0.0)),
    ("lumbar spine", "vertebra_l03", (0.0, 0.0, 0.0)),
    ("sacrum", "sacrum", (1.0, 0.0, 0.6)),
    ("ilium", "hip_bone_l", (0.6, 0.0, 1.0)),
    ("femur", "femur_l", (0.0, 0.0, 0.45)),
)
CONTRASTS = (2.0, 3.0, 5.0)

# A lesion yet to be placed: site, bone, direction, contrast, radius (mm).
DrawnLesion = tuple[str, str, tuple[float, float, float], float, float]

ACQUIRED_AT = datetime(2026, 1, 15, 12, 0)
DELAY = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """A ball inside one bone where it takes up ``contrast`` times as much.

    ``views`` says, by view, at which pixel it is seen and the ratio of the expected picture with it to that without
    it there: what a reader could measure without noise, less than the contrast as overlying bone and blur dilute it.
    """

    site: str
    bone: str
    contrast: float
    radius_mm: float
    centre_mm: tuple[float, float, float]
    views: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Study:
    """A simulated study: counts, expected pictures and the truth behind them.

    ``counts`` and ``expected`` are (row, column) by view; ``x_mm``, ``z_mm`` the body coordinates of the pixels.
    """

    seed: int
    sex: str
    girth: float
    pose: Array
    weight_kg: float
    stature_m: float
    counts: dict[ViewName, NDArray[np.uint16]]
    expected: dict[ViewName, Array]
    x_mm: dict[ViewName, NDArray[np.float32]]
    z_mm: NDArray[np.float32]
    lesions: tuple[Lesion, ...]

    def truth(self) -> dict[str, object]:
        """What is true of the study, for a JSON file."""
        return {
            "seed": self.seed,
            "sex": self.sex,
            "girth": self.girth,
            "pose": {p.name: round(float(value), 5) for p, value in zip(PARAMETERS, self.pose, strict=True)},
            "total_counts": {name.value: int(picture.sum()) for name, picture in self.counts.items()},
            "lesions": [asdict(lesion) for lesion in self.lesions],
        }


def random_pose(rng: np.random.Generator) -> Array:
    """A pose as people lie under a camera: every freedom within 1.5 of its standard deviations, most well within."""
    drawn = rng.normal(0, 0.8, len(PARAMETERS))
    return np.clip(drawn, -1.5, 1.5) * [p.spread for p in PARAMETERS]


def choose_lesions(
    rng: np.random.Generator,
    count: int,
    *,
    contrasts: tuple[float, ...] = CONTRASTS,
    radius_mm: tuple[float, float] = (8, 14),
) -> list[DrawnLesion]:
    """Draw (site, bone, direction, contrast, radius) of lesions at different sites, on random sides."""
    chosen = []
    for k in rng.permutation(len(SITES))[:count]:
        site, bone, (x, y, z) = SITES[k]
        if rng.random() < 0.5:
            bone, x = (bone[:-2] + "_r" if bone.endswith("_l") else bone), -x
        chosen.append((site, bone, (x, y, z), float(rng.choice(contrasts)), float(rng.uniform(*radius_mm))))
    return chosen


def simulate(
    seed: int,
    *,
    lesions: int = 4,
    counts: float = 1.5e6,
    sex: str = "male",
    girth: float = 1.0,
    contrasts: tuple[float, ...] = CONTRASTS,
    radius_mm: tuple[float, float] = (8, 14),
    pose: Array | None = None,
    drawn: Sequence[DrawnLesion] | None = None,
) -> Study:
    """One study. The body, its uptake and the noise depend on the seed alone; lesions on seed and arguments.

    ``pose`` and ``drawn`` (as `choose_lesions` gives them) take the place of what the seed would draw.
    """
    body_rng, uptake_rng, lesion_rng, noise_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)
    )
    own_pose = random_pose(body_rng)
    pose = own_pose if pose is None else pose
    posed = pose_skeleton(default_skeleton(), pose)
    body = Body(posed=posed, sex=sex, girth=girth)
    z_low, z_high = _ends(posed)
    row_0 = ROWS / 2 + 0.5 * (z_low + z_high) / PIXEL_MM + body_rng.normal(0, 12)
    column_0 = COLUMNS / 2 + body_rng.normal(0, 4)
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    z_mm = ((row_0 - rows) * PIXEL_MM).astype(np.float32)
    x_mm = {name: (-side * (columns - column_0) * PIXEL_MM).astype(np.float32) for name, side in SIDE.items()}
    levels = _levels(uptake_rng)
    extras = _extras(uptake_rng, pose)
    soft_tissue = SOFT_TISSUE * uptake_rng.lognormal(0, SOFT_TISSUE_SPREAD)
    if drawn is None:
        drawn = choose_lesions(lesion_rng, lesions, contrasts=contrasts, radius_mm=radius_mm)
    placed = [_place(posed, *one) for one in drawn]
    expected, seen = {}, []
    for name, side in SIDE.items():
        camera = _Camera(body, x_mm[name], z_mm, side, row_0, column_0)
        layers = _Layers()
        camera.soft_tissue(layers, soft_tissue)
        camera.bones(layers, posed, levels)
        camera.balls(layers, extras)
        clean, hot = layers.blurred(), []
        for lesion in placed:
            own = _Layers()
            camera.lesion(own, posed, lesion, levels)
            hot.append(own.blurred())
        scale = counts / (clean + sum(hot)).sum()
        seen.append(
            [
                _as_seen(picture, clean, sum(hot) - picture, lesion, camera)
                for picture, lesion in zip(hot, placed, strict=True)
            ]
        )
        expected[name] = scale * (clean + sum(hot))
    return Study(
        seed=seed,
        sex=sex,
        girth=girth,
        pose=pose,
        weight_kg=body.volume_mm3 * 1.03e-6,
        stature_m=(z_high - z_low + 15) / 1000,
        counts={name: noise_rng.poisson(picture).astype(np.uint16) for name, picture in expected.items()},
        expected=expected,
        x_mm=x_mm,
        z_mm=z_mm,
        lesions=tuple(
            Lesion(**{**asdict(lesion), "views": {name.value: seen[v][k] for v, name in enumerate(SIDE)}})
            for k, lesion in enumerate(placed)
        ),
    )


def as_scan(study: Study) -> Scan:
    """The study as `bonescan.dicom.open_scan` would give it, without a file."""
    return Scan(
        views=tuple(
            View(
                name=name,
                counts=picture.astype(np.float32),
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                identity_basis="simulated",
                counts_accumulated=float(picture.sum()),
            )
            for name, picture in study.counts.items()
        ),
        patient=PatientFacts(name="Simulated^Scan", patient_id=f"SIMULATED-{study.seed}"),
        injection=Injection(radionuclide="99mTc", injected_at=ACQUIRED_AT - DELAY),
        acquired_at=ACQUIRED_AT,
        study_description="Whole-body bone scan, simulated",
    )


# --- uptake ------------------------------------------------------------------------------------


def _prefixed(table: dict[str, object], bone: str) -> str:
    return max((prefix for prefix in table if bone.startswith(prefix)), key=len, default="")


def _levels(rng: np.random.Generator) -> dict[str, float]:
    """This person's factor on each bone's textbook level: regions vary together, left and right with them."""
    region = rng.lognormal(0, REGION_SPREAD, 18)
    return {
        bone: float(region[bone_named(bone).region] * rng.lognormal(0, BONE_SPREAD))
        for bone in default_skeleton().bones
    }


def _profile(bone: str, t: Array) -> Array:
    """Textbook level of a bone at fractions 0 (upper or inner end) to 1 of its length."""
    shaft = LEVEL[_prefixed(LEVEL, bone)]
    ends = _prefixed(ENDS, bone)
    if not ends:
        return np.full(np.shape(t), shaft)
    upper, lower, reach = ENDS[ends]
    near, far = (np.clip(1 - np.abs(t - end) / reach, 0, 1) ** 0.7 for end in (0.0, 1.0))
    return shaft + (upper - shaft) * near + (lower - shaft) * far


def _axis(posed: PosedSkeleton, bone: str) -> tuple[Array, Array]:
    """Upper (or inner) and lower (outer) end of a bone, (x, y, z) mm, found in the default pose."""
    skeleton = posed.skeleton
    own = np.flatnonzero(skeleton.bone_index == skeleton.bones.index(bone))
    centres = skeleton.centres_mm[own]
    order = np.abs(centres[:, 0]) if bone.startswith("clavicle") else -centres[:, 2]
    first, last = own[np.argmin(order)], own[np.argmax(order)]
    a, b = posed.centres_mm[first], posed.centres_mm[last]
    reach = 0.6 * np.linalg.norm(posed.axes_mm[[first, last]], axis=(1, 2))
    unit = (b - a) / max(float(np.linalg.norm(b - a)), 1.0)
    return a - unit * min(reach[0], 20), b + unit * min(reach[1], 20)


def _extras(rng: np.random.Generator, pose: Array) -> list[tuple[Array, Array, float]]:
    """Organs and joints as (centre, half-axes, level), moved with their segments."""
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}

    def moved(segment: str, point: tuple[float, float, float]) -> Array:
        return move_points(np.array([point]), np.array([index[segment]]), pose)[0]

    found = []
    for segment, centre, axes, level, spread in ORGANS:
        drawn = level * rng.lognormal(0, spread)
        found.append((moved(segment, centre), np.array(axes) * rng.lognormal(0, 0.08), drawn))
    for segment, (x, y, z), length, radius in JOINTS:
        for side in (1, -1):
            name = segment if side > 0 or not segment.endswith("_l") else segment[:-2] + "_r"
            level = length / (2 * radius) * rng.lognormal(0, JOINT_SPREAD)
            found.append((moved(name, (side * x, y, z)), np.full(3, radius), level))
    return found


def _place(
    posed: PosedSkeleton, site: str, bone: str, direction: tuple[float, float, float], contrast: float, radius_mm: float
) -> Lesion:
    """A lesion at that ellipsoid of the bone which lies farthest in a direction, or nearest its centre for none."""
    skeleton = posed.skeleton
    own = np.flatnonzero(skeleton.bone_index == skeleton.bones.index(bone))
    centres = skeleton.centres_mm[own]
    middle = np.average(centres, axis=0, weights=skeleton.volumes_mm3()[own])
    if any(direction):
        extent = np.ptp(centres, axis=0).max() / 2
        target = middle + extent * np.array(direction) / max(1.0, float(np.linalg.norm(direction)))
    else:
        target = middle
    nearest = own[np.argmin(np.linalg.norm(centres - target, axis=1))]
    return Lesion(
        site=site,
        bone=bone,
        contrast=contrast,
        radius_mm=radius_mm,
        centre_mm=tuple(float(v) for v in posed.centres_mm[nearest]),
    )


def _ends(posed: PosedSkeleton) -> tuple[float, float]:
    reach = np.linalg.norm(posed.axes_mm[:, 2], axis=1)
    return float((posed.centres_mm[:, 2] - reach).min()), float((posed.centres_mm[:, 2] + reach).max())


# --- one view ----------------------------------------------------------------------------------


class _Camera:
    """One view's geometry; puts what is in the body on layers, in mm of lumbar spine."""

    def __init__(
        self, body: Body, x_mm: NDArray[np.float32], z_mm: NDArray[np.float32], side: int, row_0: float, column_0: float
    ) -> None:
        self.x_mm, self.z_mm, self.side, self.row_0, self.column_0 = x_mm, z_mm, side, row_0, column_0
        front, back = body.surfaces(x_mm, z_mm)
        self.skin_mm = np.nan_to_num(front if side < 0 else back)
        self.tissue_mm = body.thickness(x_mm, z_mm)

    def pixel(self, point_mm: Array) -> tuple[float, float]:
        """Row and column of a point of the body."""
        return self.row_0 - point_mm[2] / PIXEL_MM, self.column_0 - self.side * point_mm[0] / PIXEL_MM

    def soft_tissue(self, layers: _Layers, level: float) -> None:
        """A uniform body, seen at about the depth of its mean photon."""
        layers.add(np.s_[:, :], level * -np.expm1(-MU_PER_MM * self.tissue_mm) / MU_PER_MM, 40.0)

    def bones(self, layers: _Layers, posed: PosedSkeleton, factors: dict[str, float]) -> None:
        """All bones, each at its mean depth."""
        shadows = project_bones(posed, self.x_mm, self.z_mm, skin_mm=self.skin_mm, side=self.side, mu_per_mm=MU_PER_MM)
        for shadow in shadows:
            height, width = shadow.length_mm.shape
            box = (slice(shadow.row, shadow.row + height), slice(shadow.column, shadow.column + width))
            upper, lower = _axis(posed, shadow.bone)
            along = (lower - upper)[[0, 2]]
            t = (self.x_mm[box] - upper[0]) * along[0] + (self.z_mm[box] - upper[2]) * along[1]
            level = factors[shadow.bone] * _profile(shadow.bone, t / max(along @ along, 1.0))
            depth = float(np.average(np.abs(self.skin_mm[box] - shadow.y_mm), weights=shadow.length_mm))
            layers.add(box, level * shadow.length_mm, depth, _by_prefix(SMEARED_MM, shadow.bone))

    def balls(self, layers: _Layers, extras: list[tuple[Array, Array, float]]) -> None:
        """Organs and joints: ellipsoids along the axes."""
        for centre, axes, level in extras:
            row, column = self.pixel(centre)
            box = _box(row, column, math.ceil(axes[2] / PIXEL_MM) + 1, math.ceil(axes[0] / PIXEL_MM) + 1)
            u = ((self.x_mm[box] - centre[0]) / axes[0]) ** 2 + ((self.z_mm[box] - centre[2]) / axes[2]) ** 2
            half = axes[1] * np.sqrt(np.clip(1 - u, 0, None))
            depth = np.maximum(self.side * (self.skin_mm[box] - centre[1]), 0)
            length = np.exp(-MU_PER_MM * depth) * 2 * np.sinh(MU_PER_MM * half) / MU_PER_MM
            layers.add(box, level * length, float(depth.mean()))

    def lesion(self, layers: _Layers, posed: PosedSkeleton, lesion: Lesion, factors: dict[str, float]) -> None:
        """What a lesion adds: the bone inside its ball, sampled every millimetre, times contrast less one."""
        skeleton = posed.skeleton
        own = np.flatnonzero(skeleton.bone_index == skeleton.bones.index(lesion.bone))
        reach = math.ceil(lesion.radius_mm)
        offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1.0)] * 3), axis=-1).reshape(-1, 3)
        points = np.array(lesion.centre_mm) + offsets[np.linalg.norm(offsets, axis=1) <= lesion.radius_mm]
        inverse, centres = np.linalg.inv(posed.axes_mm[own]), posed.centres_mm[own]
        local = np.einsum("eij,epj->epi", inverse, points[None] - centres[:, None])
        points = points[((local**2).sum(axis=2) <= 1).any(axis=0)]
        upper, lower = _axis(posed, lesion.bone)
        t = (points - upper) @ (lower - upper) / ((lower - upper) @ (lower - upper))
        level = (lesion.contrast - 1) * factors[lesion.bone] * _profile(lesion.bone, t)
        row, column = (np.round(v).astype(int) for v in self.pixel(points.T))
        seen = (row >= 0) & (row < ROWS) & (column >= 0) & (column < COLUMNS)
        row, column, points, level = row[seen], column[seen], points[seen], level[seen]
        depth = np.maximum(self.side * (self.skin_mm[row, column] - points[:, 1]), 0)
        picture = np.zeros((ROWS, COLUMNS))
        np.add.at(picture, (row, column), level * np.exp(-MU_PER_MM * depth) / PIXEL_MM**2)
        layers.add(
            np.s_[:, :], picture, float(depth.mean()) if len(depth) else 0.0, _by_prefix(BREATHING_MM, lesion.bone)
        )


class _Layers:
    """What lies at each of the two depths, by how far it is smeared up and down."""

    def __init__(self) -> None:
        self.layers: dict[tuple[float, float], Array] = {}

    def add(self, box: tuple[slice, slice], picture: Array, depth_mm: float, smeared_mm: float = 0.0) -> None:
        """Share a picture between the two depths so that its blur has the variance of its own."""
        near, far, own = (_sigma_pixels(d) ** 2 for d in (*DEPTHS_MM, depth_mm))
        share = min(max((far - own) / (far - near), 0.0), 1.0)
        for depth, part in zip(DEPTHS_MM, (share, 1 - share), strict=True):
            layer = self.layers.setdefault((depth, smeared_mm), np.zeros((ROWS, COLUMNS)))
            layer[box] += part * picture

    def blurred(self) -> Array:
        """The expected picture, (row, column)."""
        picture = np.zeros((ROWS, COLUMNS))
        for (depth, smeared_mm), layer in self.layers.items():
            sigma = _sigma_pixels(depth)
            picture += ndimage.gaussian_filter(layer, (math.hypot(sigma, smeared_mm / PIXEL_MM), sigma))
        return (1 - SCATTERED) * picture + SCATTERED * ndimage.gaussian_filter(picture, SCATTER_SIGMA_MM / PIXEL_MM)


def _by_prefix(table: dict[str, float], bone: str) -> float:
    return next((value for prefix, value in table.items() if bone.startswith(prefix)), 0.0)


def _sigma_pixels(depth_mm: float) -> float:
    geometric = HOLE_MM * (LENGTH_MM + TO_SKIN_MM + depth_mm + GAP_MM) / LENGTH_MM
    return math.hypot(geometric, INTRINSIC_MM) / 2.3548 / PIXEL_MM


def _box(row: float, column: float, r: int, c: int) -> tuple[slice, slice]:
    top, left = max(round(row) - r, 0), max(round(column) - c, 0)
    return slice(top, min(round(row) + r + 1, ROWS)), slice(left, min(round(column) + c + 1, COLUMNS))


def _as_seen(hot: Array, clean: Array, others: Array, lesion: Lesion, camera: _Camera) -> dict[str, float]:
    row, column = camera.pixel(np.array(lesion.centre_mm))
    box = _box(row, column, 4, 4)
    r, c = np.unravel_index(np.argmax(hot[box]), hot[box].shape)
    r, c = r + box[0].start, c + box[1].start
    return {"row": float(row), "column": float(column), "ratio": float(1 + hot[r, c] / (clean + others)[r, c])}


# --- the file ----------------------------------------------------------------------------------


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def dataset(study: Study) -> FileDataset:
    """The study as a two-frame NM WHOLE BODY object (DICOM PS3.3 A.5), anterior first."""
    anterior, posterior = (study.counts[name] for name in (ViewName.ANTERIOR, ViewName.POSTERIOR))
    uid = {
        what: generate_uid(entropy_srcs=["bonescan simulate", what, *_identity(study)])
        for what in ("study", "series", "frame", "image")
    }
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
    meta.MediaStorageSOPInstanceUID = uid["image"]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    day, time = f"{ACQUIRED_AT:%Y%m%d}", f"{ACQUIRED_AT:%H%M%S}"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    ds.SOPClassUID, ds.SOPInstanceUID = NuclearMedicineImageStorage, uid["image"]
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = day
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = time
    ds.AccessionNumber = ds.ReferringPhysicianName = ""
    ds.StudyID = "SIMULATED"
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "NM", "bonescan", "simulated, no camera"
    ds.StudyDescription = "Whole-body bone scan, simulated"
    ds.SeriesDescription = "Simulated: no patient, no camera"
    ds.PatientName, ds.PatientID = "Simulated^Scan", f"SIMULATED-{study.seed}"
    ds.PatientBirthDate, ds.PatientSex = "", study.sex[0].upper()
    ds.PatientSize, ds.PatientWeight = f"{study.stature_m:.2f}", f"{study.weight_kg:.1f}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = uid["study"], uid["series"], uid["frame"]
    ds.SeriesNumber, ds.InstanceNumber = 1, 1
    ds.PositionReferenceIndicator = ds.PatientOrientation = ds.Laterality = ""
    # pixels
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.NumberOfFrames = 1, "MONOCHROME2", 2
    ds.FrameIncrementPointer = [0x00540010, 0x00540020]
    ds.Rows, ds.Columns, ds.PixelSpacing = ROWS, COLUMNS, [PIXEL_MM, PIXEL_MM]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = np.stack([anterior, posterior]).astype("<u2").tobytes()
    ds.CountsAccumulated = int(anterior.sum(dtype=np.int64) + posterior.sum(dtype=np.int64))
    ds.ActualFrameDuration = 1_080_000  # ms: 1.95 m at 6.5 m/h, as is usual
    ds.WholeBodyTechnique, ds.ScanVelocity, ds.ScanLength = "1PS", "1.8", "1950"
    # patient orientation
    ds.PatientOrientationCodeSequence = [_code("102538003", "SCT", "recumbent")]
    ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [_code("40199007", "SCT", "supine")]
    ds.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    # isotope
    window = Dataset()
    window.EnergyWindowLowerLimit, window.EnergyWindowUpperLimit = "126.5", "154.5"
    energy = Dataset()
    energy.EnergyWindowName, energy.EnergyWindowRangeSequence = "Tc-99m", [window]
    ds.EnergyWindowInformationSequence, ds.NumberOfEnergyWindows, ds.EnergyWindowVector = [energy], 1, [1, 1]
    drug = Dataset()
    drug.Radiopharmaceutical = "Technetium Tc^99m^ medronate"
    drug.RadiopharmaceuticalCodeSequence = [_code("96390006", "SCT", "Technetium Tc^99m^ medronate")]
    drug.RadionuclideCodeSequence = [_code("72454006", "SCT", "^99m^Technetium")]
    drug.AdministrationRouteCodeSequence = [_code("47625008", "SCT", "Intravenous route")]
    drug.RadiopharmaceuticalStartTime = f"{ACQUIRED_AT - DELAY:%H%M%S}"
    drug.RadionuclideTotalDose = "700"
    ds.RadiopharmaceuticalInformationSequence = [drug]
    # detectors
    ds.NumberOfDetectors, ds.DetectorVector = 2, [1, 2]
    ds.DetectorInformationSequence = [
        _detector("399321004", "Anterior projection", "180"),
        _detector("399001007", "Posterior projection", "0"),
    ]
    return ds


def _detector(code: str, meaning: str, start_angle: str) -> Dataset:
    item = Dataset()
    item.CollimatorType, item.CollimatorGridName = "PARA", "LEHR"
    item.FocalDistance, item.ZoomFactor, item.ZoomCenter = "0", ["1", "1"], ["0", "0"]
    item.XFocusCenter = item.YFocusCenter = "0"
    item.FieldOfViewShape, item.FieldOfViewDimensions, item.StartAngle = "RECTANGLE", ["614", "400"], start_angle
    item.ImagePositionPatient = item.ImageOrientationPatient = None
    view = _code(code, "SCT", meaning)
    view.ViewModifierCodeSequence = []
    item.ViewCodeSequence = [view]
    return item


def _identity(study: Study) -> list[str]:
    return [str(study.seed), study.sex, repr(study.girth), *(str(picture.sum()) for picture in study.counts.values())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.dcm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lesions", type=int, default=4, help=f"0 to {len(SITES)}")
    parser.add_argument("--counts", type=float, default=1.5e6, help="expected counts of each view")
    parser.add_argument("--sex", choices=SEXES, default="male")
    parser.add_argument("--girth", type=float, default=1.0, help="waist, against the reference person; 0.8 to 1.5")
    parser.add_argument("--truth", type=Path, metavar="TRUTH.json", help="write what is true of the study")
    arguments = parser.parse_args()
    if not 0 <= arguments.lesions <= len(SITES):
        parser.error(f"--lesions must lie between 0 and {len(SITES)}, got {arguments.lesions}")
    study = simulate(
        arguments.seed, lesions=arguments.lesions, counts=arguments.counts, sex=arguments.sex, girth=arguments.girth
    )
    dataset(study).save_as(arguments.out, enforce_file_format=True)
    if arguments.truth:
        arguments.truth.write_text(json.dumps(study.truth(), indent=1) + "\n", encoding="utf-8")
    for lesion in study.lesions:
        ratios = ", ".join(f"{view} x {seen['ratio']:.1f}" for view, seen in lesion.views.items())
        size = f"{lesion.contrast:.0f} x normal, radius {lesion.radius_mm:.0f} mm"
        print(f"{size}: {bone_named(lesion.bone).name} ({ratios})")
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
