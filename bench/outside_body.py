"""Make a body that is not of our family: bones, organs and skin of tubes, plates and ellipsoids, as labelled voxels.

Run: python bench/outside_body.py OUT [--seed 0] [--spacing-mm 4]
     bonescan simulate cohort -o STUDIES --count 20 --fast --phantom OUT/labels.nii.gz --labels OUT/table.txt --sex male
     bonescan evaluate STUDIES ...

Everything is drawn by hand from round numbers of an adult's anatomy [D]; nothing comes from our measured skeleton, its
poses, its skin or its organs. A seed gives other lengths of trunk, arms and legs, another width, bend of the elbows and
bladder. What this can show: whether a reader leans on the shapes of the family it was fitted and trained on. What it
cannot: bones are plainer than a person's (a hand is five rods, a vertebra a drum with a rod), the uptake along each
bone, the joints and the lesions still are our model's, and so are the outlines that regions are painted with, moved
here by every bone's moments (`bonescan.patient.outside`). A low Dice may be the outline's as well as the reader's.

Frame as everywhere: x to the left, y to the back, z to the head, in mm; soles at 0.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SIDES = (("l", "left", 1.0), ("r", "right", -1.0))
HIP_MM, NECK_MM, SHOULDER_MM = 880.0, 1470.0, 1395.0
LOW_MM, HIGH_MM = (-330.0, -190.0, -30.0), (330.0, 190.0, 1850.0)
TRUNK = (  # height, half width, front and back of the skin
    (790, 160, -92, 100), (860, 168, -100, 112), (930, 162, -108, 112), (1010, 152, -112, 98), (1100, 142, -112, 100),
    (1200, 152, -110, 112), (1300, 166, -108, 122), (1390, 178, -92, 118), (1430, 160, -70, 100), (1465, 80, -50, 80),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportions:
    """How one such body differs from the drawing, as factors."""

    width: float = 1.0
    depth: float = 1.0
    trunk: float = 1.0
    arm: float = 1.0
    leg: float = 1.0
    head: float = 1.0
    bladder: float = 1.0
    elbow_deg: float = 0.0

    def at(self, points: ArrayLike, part: str) -> Array:
        """Places of the drawing in this body; ``part`` is trunk, head, arm or leg."""
        out = np.array(points, dtype=float).reshape(-1, 3)
        hip = HIP_MM * self.leg
        neck = hip + (NECK_MM - HIP_MM) * self.trunk
        if part == "arm":
            joint = np.array([172.0, 0.0, SHOULDER_MM])
            sign = np.sign(out[:, :1])
            away = (out * [1, 1, 1] - joint * np.hstack([sign, np.ones((len(out), 2))])) * self.arm
            out = joint * np.hstack([sign, np.ones((len(out), 2))]) + away
            beyond = np.maximum(1100 - out[:, 2], 0)  # below the elbow
            out[:, 0] -= sign[:, 0] * beyond * math.tan(math.radians(self.elbow_deg))
            shoulder = hip + (SHOULDER_MM - HIP_MM) * self.trunk
            out[:, 2] += shoulder - SHOULDER_MM
        elif part == "leg":
            out[:, 2] *= self.leg
        elif part == "head":
            out[:, 2] = neck + (out[:, 2] - NECK_MM) * self.head
        else:
            out[:, 2] = hip + (out[:, 2] - HIP_MM) * self.trunk
        return out * [1.0 if part == "head" else self.width, self.depth, 1.0]


@dataclass(slots=True, kw_only=True, eq=False)
class Canvas:
    """Voxels that shapes are painted into, later ones over earlier ones."""

    spacing_mm: float
    proportions: Proportions
    labels: NDArray[np.uint8] = field(init=False)
    names: list[str] = field(default_factory=lambda: ["air"])

    def __post_init__(self) -> None:
        low, high = np.array(LOW_MM), np.array(HIGH_MM)
        self.labels = np.zeros(tuple(np.ceil((high - low) / self.spacing_mm).astype(int)), dtype=np.uint8)

    def number(self, name: str) -> int:
        """The label of a name, new ones in their order."""
        if name not in self.names:
            self.names.append(name)
        return self.names.index(name)

    def _box(self, low: Array, high: Array) -> tuple[tuple[slice, ...], Array]:
        first = np.maximum(np.floor((low - LOW_MM) / self.spacing_mm).astype(int), 0)
        last = np.minimum(np.ceil((high - LOW_MM) / self.spacing_mm).astype(int) + 1, self.labels.shape)
        box = tuple(slice(a, max(a, b)) for a, b in zip(first, last, strict=True))
        axes = [
            lowest + self.spacing_mm * (np.arange(part.start, part.stop) + 0.5)
            for lowest, part in zip(LOW_MM, box, strict=True)
        ]
        return box, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)

    def tube(self, name: str, points: ArrayLike, radii: ArrayLike, part: str = "trunk", flat: float = 1.0) -> None:
        """A tube along a line of points, thicker or thinner from one to the next; ``flat`` times as deep along y."""
        line = self.proportions.at(points, part) / [1.0, flat, 1.0]
        radii = np.broadcast_to(np.asarray(radii, dtype=float), len(line))
        for a, b, ra, rb in zip(line[:-1], line[1:], radii[:-1], radii[1:], strict=True):
            most, stretch = max(ra, rb), np.array([1.0, flat, 1.0])
            box, place = self._box((np.minimum(a, b) - most) * stretch, (np.maximum(a, b) + most) * stretch)
            own = place / stretch - a
            along = np.clip(own @ (b - a) / max(float((b - a) @ (b - a)), 1e-9), 0, 1)
            away = np.linalg.norm(own - along[..., None] * (b - a), axis=-1)
            self.labels[box][away <= ra + along * (rb - ra)] = self.number(name)

    def ellipsoid(self, name: str, centre: ArrayLike, half: ArrayLike, part: str = "trunk") -> None:
        """A solid ellipsoid."""
        middle, half = self.proportions.at(centre, part)[0], np.asarray(half, dtype=float)
        box, place = self._box(middle - half, middle + half)
        self.labels[box][(((place - middle) / half) ** 2).sum(axis=-1) <= 1] = self.number(name)

    def shell(self, name: str, centre: ArrayLike, half: ArrayLike, thick_mm: float, part: str = "trunk") -> None:
        """An ellipsoid's wall."""
        middle, half = self.proportions.at(centre, part)[0], np.asarray(half, dtype=float)
        box, place = self._box(middle - half, middle + half)
        outer, inner = ((((place - middle) / size) ** 2).sum(axis=-1) for size in (half, half - thick_mm))
        self.labels[box][(outer <= 1) & (inner > 1)] = self.number(name)

    def plate(self, name: str, corners: ArrayLike, thick_mm: float) -> None:
        """A triangular plate."""
        a, b, c = self.proportions.at(corners, "trunk")
        normal = np.cross(b - a, c - a)
        normal /= np.linalg.norm(normal)
        box, place = self._box(np.minimum.reduce([a, b, c]) - thick_mm, np.maximum.reduce([a, b, c]) + thick_mm)
        own = place - a
        first, second = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), own.reshape(-1, 3).T, rcond=None)[0]
        inside = (first >= 0) & (second >= 0) & (first + second <= 1)
        near = np.abs(own.reshape(-1, 3) @ normal) <= thick_mm / 2
        self.labels[box][(inside & near).reshape(own.shape[:-1])] = self.number(name)


def draw_proportions(seed: int) -> Proportions:
    """Of one such body; seed 0 is the drawing itself."""
    if seed == 0:
        return Proportions()
    rng = np.random.default_rng(seed)
    width, depth, trunk, arm, leg, head = 1 + np.clip(rng.normal(0, 0.06, 6), -0.12, 0.12)
    return Proportions(
        width=width, depth=depth, trunk=trunk, arm=arm, leg=leg, head=head,
        bladder=float(np.exp(rng.normal(0, 0.25))), elbow_deg=float(rng.uniform(-2, 6)),
    )  # fmt: skip


def levels() -> dict[str, tuple[float, float]]:
    """Height and y of every vertebral body, from L5 up."""
    out, z = {}, 1002.0
    for part, last, step, upper in (("l", 5, 34.0, 33.0), ("t", 12, 27.0, 20.5), ("c", 7, 17.0, 15.5)):
        for k in range(last, 0, -1):
            lordosis = 8 - 22 * math.sin((z - 980) / 190 * math.pi) if z < 1170 else 0.0
            kyphosis = 8 + 40 * math.sin((z - 1170) / 290 * math.pi) if 1170 <= z < 1460 else 0.0
            neck = 8 - 12 * math.sin((z - 1460) / 110 * math.pi) if z >= 1460 else 0.0
            out[f"vertebra_{part}{k:02d}"] = (z, 22 + lordosis + kyphosis + neck)
            z += upper + (step - upper) * (k - 1) / (last - 1)
    return out


def skin(canvas: Canvas) -> None:
    """Fat, and the flesh it surrounds."""
    for name, share, less in (("adipose", 1.0, 0.0), ("muscle", 0.9, 7.0)):
        for (z0, a0, f0, b0), (z1, a1, f1, b1) in pairwise(TRUNK):
            for t in np.linspace(0, 1, 6)[:-1]:
                z, a, front, back = ((1 - t) * p + t * q for p, q in ((z0, z1), (a0, a1), (f0, f1), (b0, b1)))
                deep = (back - front) / 2 * share
                half = (a * share * canvas.proportions.width, deep * canvas.proportions.depth, 26.0)
                canvas.ellipsoid(name, (0.0, (front + back) / 2, z), half)
        canvas.tube(name, [(0, 30, 1440), (0, 10, 1560)], 58 * share, "head")
        canvas.ellipsoid(name, (0.0, -8.0, 1636.0), np.array([79.0, 99.0, 94.0]) - less / 2, "head")
        canvas.ellipsoid(name, (0.0, -48.0, 1560.0), np.array([58.0, 58.0, 62.0]) - less / 2, "head")
        for _, _, side in SIDES:
            arm = [(160, 15, 1405), (180, 20, 1300), (196, 25, 1110), (212, 10, 960), (218, 0, 860), (222, -15, 700)]
            canvas.tube(name, [(side * x, y, z) for x, y, z in arm], np.array([52, 50, 42, 37, 27, 20]) - less, "arm")
            leg = [(92, 10, 890), (96, 10, 780), (80, 10, 470), (74, 18, 330), (68, 22, 90)]
            canvas.tube(name, [(side * x, y, z) for x, y, z in leg], np.array([88, 84, 58, 56, 38]) - less, "leg")
            foot = [(68, 35, 40), (80, -60, 30), (92, -150, 22)]
            canvas.tube(name, [(side * x, y, z) for x, y, z in foot], np.array([42, 36, 24]) - less, "leg")


def organs(canvas: Canvas) -> None:
    """What shows in a bone scan, and what weakens it."""
    times = canvas.proportions.bladder
    canvas.ellipsoid("brain", (0.0, -8.0, 1640.0), (66, 86, 74), "head")
    for _, word, side in SIDES:
        canvas.ellipsoid(f"lung {word}", (side * 74.0, 5.0, 1310.0), (52, 78, 118))
    canvas.ellipsoid("heart contents", (18.0, -38.0, 1265.0), (52, 42, 55))
    canvas.ellipsoid("liver", (-62.0, -12.0, 1165.0), (78, 78, 58))
    canvas.ellipsoid("spleen", (98.0, 45.0, 1165.0), (24, 34, 46))
    canvas.ellipsoid("stomach", (62.0, -32.0, 1160.0), (42, 34, 48))
    canvas.ellipsoid("small intestine", (0.0, -55.0, 1030.0), (88, 34, 60))
    for _, word, side in SIDES:
        canvas.ellipsoid(f"kidney {word}", (side * 64.0, 48.0, 1112.0 + 8 * side), (26, 23, 52))
        canvas.tube(f"ureter {word}", [(side * 42, 40, 1090), (side * 34, 20, 980), (side * 16, 0, 905)], 3.5)
    canvas.ellipsoid("bladder content", (0.0, -28.0, 888.0), np.array([38.0, 34.0, 34.0]) * times ** (1 / 3))
    canvas.ellipsoid("thyroid", (0.0, -18.0, 1478.0), (26, 9, 16), "head")


def spine_and_thorax(canvas: Canvas) -> None:
    """Sacrum to atlas, ribs, sternum."""
    for k, (z, y, wide) in enumerate(((968, 42, 46), (945, 56, 42), (920, 66, 32), (895, 66, 20), (872, 56, 12))):
        canvas.ellipsoid("sacrum", (0.0, y, z), (wide, 20 - 2.5 * k, 17))
    places = levels()
    for name, (z, y) in places.items():
        part = "head" if z > NECK_MM else "trunk"
        size = {"l": (24, 18, 14), "t": (15, 15, 10), "c": (13, 10, 7)}[name[9]]
        grown = 1 + 0.03 * (int(name[10:]) - 6) if name[9] == "t" else 1.0
        canvas.ellipsoid(name, (0.0, y, z), np.array(size) * [1.15 * grown, 1.15 * grown, 1.25], part)
        drop = {"l": 6, "t": 22, "c": 6}[name[9]]
        canvas.tube(name, [(0, y + size[1], z), (0, y + size[1] + 34, z - drop)], 6.0, part)
        wide = {"l": 42, "t": 30, "c": 24}[name[9]] + 10 * (name == "vertebra_c01")
        canvas.tube(name, [(-wide, y + size[1] + 6, z), (wide, y + size[1] + 6, z)], 5.5, part)
    for k in range(1, 13):
        z, y = places[f"vertebra_t{k:02d}"]
        reach = np.interp(k, [1, 2, 4, 8, 10, 12], [56, 86, 112, 132, 122, 92])
        front = np.interp(k, [1, 3, 7, 12], [-38, -80, -98, -60])
        drop = np.interp(k, [1, 4, 7, 10, 12], [32, 85, 125, 105, 62])
        end = math.radians(float(np.interp(k, [1, 7, 8, 10, 11, 12], [150, 152, 132, 118, 84, 58])))
        turn = np.linspace(math.radians(10), end, 22)
        deep = (y + 28 - front) / 2
        for side, _, sign in SIDES:
            part = 1 - np.cos(turn)
            along_x, along_y = sign * reach * np.sin(turn), y + 28 - deep * part
            line = np.column_stack([along_x, along_y, z + 6 - drop * part / part[-1]])
            canvas.tube(f"rib_{k:02d}_{side}", line, 5.6)
    canvas.tube("sternum_manubrium", [(0, -74, 1400), (0, -80, 1388)], [23, 19], flat=0.45)
    canvas.tube("sternum_body", [(0, -84, 1350), (0, -98, 1272)], [16, 17], flat=0.45)
    canvas.tube("sternum_xiphoid", [(0, -100, 1249), (0, -100, 1242)], [7, 5], flat=0.6)


def head(canvas: Canvas) -> None:
    """Vault and face, in one label, and the jaw."""
    canvas.shell("cranium", (0.0, -8.0, 1638.0), (74, 94, 84), 7.5, "head")
    for _, _, sign in SIDES:
        canvas.ellipsoid("cranium", (sign * 18.0, -78.0, 1572.0), (17, 18, 24), "head")
        canvas.ellipsoid("cranium", (sign * 46.0, -66.0, 1582.0), (9, 12, 14), "head")
        canvas.tube("mandible", [(sign * 50, -20, 1575), (sign * 46, -32, 1532), (0, -92, 1520)], 7.0, "head")


def arms(canvas: Canvas) -> None:
    """Girdle, arms and hands."""
    for side, word, sign in SIDES:

        def line(*points: tuple[float, float, float], sign: float = sign) -> list[tuple[float, float, float]]:
            return [(sign * x, y, z) for x, y, z in points]

        canvas.tube(f"clavicle_{side}", line((22, -62, 1418), (75, -64, 1428), (120, -18, 1438), (165, 8, 1432)), 6.5)
        canvas.plate(f"scapula_{side}", line((92, 96, 1262), (70, 92, 1412), (150, 38, 1398)), 8.0)
        canvas.tube(f"scapula_{side}", line((74, 98, 1378), (140, 62, 1420), (176, 18, 1434)), [5, 8, 9])
        canvas.tube(f"scapula_{side}", line((150, 32, 1400), (150, 22, 1376)), 12.0)
        canvas.tube(f"humerus_{side}", line((170, 14, 1398), (180, 18, 1365), (184, 20, 1320)), [23, 19, 12], "arm")
        canvas.tube(f"humerus_{side}", line((184, 20, 1320), (194, 24, 1130), (197, 24, 1100)), [12, 12, 21], "arm")
        canvas.tube(f"radius_{side}", line((208, 10, 1080), (214, 0, 960), (216, -14, 862)), [9, 8, 13], "arm")
        canvas.tube(f"ulna_{side}", line((190, 34, 1098), (202, 24, 960), (214, 10, 862)), [13, 8, 8], "arm")
        hand = f"wrist and hand, {word}"
        canvas.ellipsoid(hand, line((216, -2, 842))[0], (11, 22, 14), "arm")
        for k, (x, z) in enumerate(((204, 752), (216, 686), (222, 672), (225, 682), (226, 702))):
            canvas.tube(hand, line((212 + 2 * k, -18 + 8 * k, 836), (x, -40 + 14 * k, z)), [6, 4.5], "arm")


def pelvis_and_legs(canvas: Canvas) -> None:
    """Hip bones, legs and feet."""
    for side, word, sign in SIDES:

        def line(*points: tuple[float, float, float], sign: float = sign) -> list[tuple[float, float, float]]:
            return [(sign * x, y, z) for x, y, z in points]

        hip = f"hip_bone_{side}"
        crest = line((48, 66, 992), (88, 40, 1024), (124, -10, 1016), (132, -52, 974))
        canvas.tube(hip, crest, 8.0)
        for a, b in pairwise(crest):
            canvas.plate(hip, [a, b, (sign * 84, 18, 905)], 9.0)
        canvas.tube(hip, line((50, 66, 980), (66, 48, 930), (88, 6, 895)), [15, 15, 20])
        canvas.tube(hip, line((92, 4, 884), (94, 2, 878)), 33.0)
        canvas.tube(hip, line((84, 24, 872), (66, 38, 812), (40, 0, 806), (12, -58, 842), (70, -22, 884)), 11.0)
        femur = f"femur_{side}"
        canvas.tube(femur, line((90, 2, 880), (90, 2, 882)), 24.0, "leg")
        canvas.tube(femur, line((92, 2, 880), (134, 14, 842), (126, 10, 780)), [17, 19, 15], "leg")
        canvas.tube(femur, line((126, 10, 780), (92, 4, 520), (82, 6, 470)), [14, 14, 30], "leg")
        canvas.tube(femur, line((100, 10, 462), (62, 10, 462)), 25.0, "leg")
        canvas.ellipsoid(f"patella_{side}", line((82, -34, 462))[0], (20, 9, 20), "leg")
        canvas.tube(
            f"tibia_{side}", line((82, 10, 428), (76, 12, 360), (70, 20, 120), (70, 22, 84)), [31, 15, 11, 18], "leg"
        )
        canvas.tube(f"fibula_{side}", line((108, 26, 412), (102, 30, 240), (92, 30, 76)), [9, 6, 9], "leg")
        foot = f"foot, {word}"
        canvas.tube(foot, line((70, 24, 62), (72, 52, 28)), [22, 20], "leg")
        canvas.tube(foot, line((72, 10, 52), (82, -40, 40)), [20, 19], "leg")
        for k in range(5):
            canvas.tube(foot, line((68 + 8 * k, -38, 38), (72 + 14 * k, -140 + 8 * k, 18)), [7, 5.5], "leg")


def outside_body(seed: int, spacing_mm: float) -> Canvas:
    """The whole body."""
    canvas = Canvas(spacing_mm=spacing_mm, proportions=draw_proportions(seed))
    for part in (skin, organs, spine_and_thorax, head, arms, pelvis_and_legs):
        part(canvas)
    return canvas


def main() -> None:
    """Write labels and table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spacing-mm", type=float, default=4.0)
    arguments = parser.parse_args()
    canvas = outside_body(arguments.seed, arguments.spacing_mm)
    arguments.out.mkdir(parents=True, exist_ok=True)
    step, (x, y, z) = arguments.spacing_mm, np.array(LOW_MM) + arguments.spacing_mm / 2
    affine = np.array([[-step, 0, 0, -x], [0, -step, 0, -y], [0, 0, step, z], [0, 0, 0, 1]])  # NIfTI: right, front, up
    nibabel.save(nibabel.Nifti1Image(canvas.labels, affine), arguments.out / "labels.nii.gz")
    lines = [f"{k} {name}" for k, name in enumerate(canvas.names)]
    (arguments.out / "table.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = np.bincount(canvas.labels.ravel(), minlength=len(canvas.names)) * step**3 / 1e6
    bones = sum(litres for name, litres in zip(canvas.names, counts, strict=True) if is_bone(name))
    print(f"{len(canvas.names) - 1} labels, {counts[1:].sum():.1f} l of body, {bones:.1f} l of it bone")


def is_bone(name: str) -> bool:
    """Whether a label is bone."""
    return "_" in name or name in ("sacrum", "mandible", "cranium") or name.startswith(("wrist", "foot"))


if __name__ == "__main__":
    main()
