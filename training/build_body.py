"""Make the project's body sections from outlines measured on the ICRP reference phantoms.

Usage::

    python training/build_body.py MEASURED_FOLDER src/bonescan/anatomy/data/body.csv

``MEASURED_FOLDER`` holds ``body_outline.csv`` (ellipse and box of every part of the body, each 20 mm of height)
and ``landmarks.csv``, both measured on the adult male and female phantoms of ICRP Publication 110.

Changes made: left and right become one shape; heights are mapped piecewise between landmarks onto the project's
skeleton, widths and depths by stature; limb sections move with the axis of their bones; the trunk is cut off
where its sections include the upper arms, and arms get a rounded shoulder instead; feet and hands are left out
(they are dressed bone by bone); a section that the default skeleton would pierce is moved, then enlarged.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton

Array = NDArray[np.float64]

PHANTOMS = {"male": "AM", "female": "AF"}
SKIN_STATURE_MM = 1722.0  # 1707 mm from sole to vertex of the bones, 15 mm of heel pad and scalp
COVER_MM = 6.0  # least tissue over bone
STEP_MM = {"trunk": 20.0, "arm": 20.0, "leg": 20.0}

# Height: (landmark of the phantoms, height on the project's skeleton), from the feet up.
HEIGHTS = {
    "trunk": (
        ("pubis_ischium_low", 823.0),
        ("femoral_head_left", 881.0),
        ("iliac_crest_top", 1028.0),
        ("l1_centre", 1126.0),
        ("humeral_head_left", 1388.0),
        ("c7_t1_boundary", 1436.5),
        ("mandible_low", 1493.0),
        ("vertex", SKIN_STATURE_MM - 8),
    ),
    "arm": (("wrist_forearm_low_left", 877.0), ("elbow_humerus_low_left", 1100.0), ("humeral_head_left", 1388.0)),
    "leg": (("ankle_tibia_low_left", 65.0), ("knee_femur_low_left", 439.0), ("femoral_head_left", 881.0)),
}
# Depth of the trunk: the phantoms lie with L1 at y = 0 but curve otherwise; the shift at each height (mm) keeps
# the tissue behind the spinous processes what it is in the phantoms.
TRUNK_SHIFT = (
    (823.0, 15.0),
    (985.0, 15.0),
    (1126.0, 8.0),
    (1310.0, -5.0),
    (1390.0, 5.0),
    (1437.0, 30.0),
    (1500.0, 38.0),
)
# Between L5 and T10 that leaves 57 to 69 mm from the skin to the front of the arch. On the back, magnetic resonance of
# 124 people found 37 to 44 mm to the epidural space at L3-4 in those of normal weight (Korean J Anesthesiol
# 2004;47:34, abstract [V]): the skin moves forwards by as much as is missing (mm), as far as ribs let it.
LESS_BEHIND = {
    "male": ((975.0, 0.0), (1030.0, -11.0), (1060.0, -13.0), (1100.0, -7.0), (1126.0, -2.0), (1180.0, 0.0)),
    "female": ((930.0, 0.0), (997.0, -13.0), (1060.0, -14.0), (1126.0, -17.0), (1160.0, -18.0), (1240.0, 0.0)),
}
# Axis of a limb (x, y) at the landmarks of HEIGHTS, on the project's skeleton.
AXES = {
    "arm": ((266.7, -23.3), (200.8, 19.2), (163.0, 15.0)),
    "leg": ((53.8, 6.5), (53.0, 14.1), (88.0, 10.0)),
}
# The phantoms' trunk includes upper arms and thighs where they meet it; ours leaves room for their own tubes and
# slopes to the neck and the groin: greatest half width (mm) at each height (mm).
TRUNK_WIDTH = (
    (800, 40),
    (835, 95),
    (860, 140),
    (890, 250),
    (1200, 250),
    (1270, 184),
    (1345, 174),
    (1410, 162),
    (1437, 105),
    (1465, 62),
    (1500, 250),
)
# How half widths and half depths follow girth: extent = reference * girth ** exponent, by part and height.
# The belly grows most, head and distal limbs least.
GIRTH = {
    "trunk": (
        (823, 0.9, 1.0),
        (985, 1.0, 1.3),
        (1126, 1.0, 1.4),
        (1310, 0.8, 0.9),
        (1388, 0.3, 0.7),
        (1437, 0.4, 0.6),
        (1500, 0.2, 0.2),
    ),
    "arm": ((877, 0.3, 0.3), (1000, 0.7, 0.7), (1200, 1.0, 1.0)),
    "leg": ((65, 0.3, 0.3), (300, 0.7, 0.7), (439, 0.7, 0.7), (770, 1.0, 1.0)),
}
PART_SEGMENTS = {
    "trunk": ("pelvis", "lumbar", "thorax", "neck", "head", "clavicle_l", "scapula_l", "clavicle_r", "scapula_r"),
    "arm": ("arm_l", "forearm_l"),
    "leg": ("thigh_l", "shank_l"),
}

HEADER = """\
# The bonescan body: sections of the skin at heights of the default skeleton, for `bonescan.anatomy.body`.
# Measured on the adult reference phantoms of ICRP Publication 110 (Ann. ICRP 39(2), 2009), male and female, mapped
# onto the bonescan skeleton by landmarks (see training/build_body.py); no voxels of the phantoms are reproduced.
# Frame as in skeleton.csv (mm). Arm and leg: the left one, the right is its mirror image.
# A section is |x/width|^n + |y/depth|^n <= 1 about its centre. girth_width, girth_depth: exponents of girth.
"""


def number(row: dict[str, str], *keys: str) -> Array:
    return np.array([float(row[key]) for key in keys])


def superellipse_exponent(area_over_box: float) -> float:
    """Exponent n of |x/a|^n + |y/b|^n = 1 whose area is that share of its box; pi/4 gives 2."""
    n = np.linspace(2.0, 4.0, 201)
    share = [math.gamma(1 + 1 / k) ** 2 / math.gamma(1 + 2 / k) for k in n]
    return float(np.interp(area_over_box, share, n))


def sections(folder: Path, sex: str, part: str) -> list[list[float]]:
    """Rows (z, x, y, width, depth, exponent) of one part, on the skeleton's heights, from the feet up."""
    phantom = PHANTOMS[sex]
    with (folder / "landmarks.csv").open() as stream:
        marks = {
            r["landmark"]: number(r, "x_mm", "y_mm", "z_mm") for r in csv.DictReader(stream) if r["phantom"] == phantom
        }
    with (folder / "body_outline.csv").open() as stream:
        rows = [r for r in csv.DictReader(stream) if r["phantom"] == phantom]
    scale = SKIN_STATURE_MM / marks["vertex"][2]
    names = {"trunk": ("trunk", "neck", "head"), "arm": ("arm_left", "arm_right"), "leg": ("leg_left", "leg_right")}
    theirs = np.array([_both_sides(marks, name) for name, _ in HEIGHTS[part]])
    ours = np.array([z for _, z in HEIGHTS[part]])
    found: dict[float, list[list[float]]] = {}
    for r in rows:
        if r["component"] not in names[part]:
            continue
        z, x, y, width, depth, box = number(
            r, "z_mm", "mid_x_mm", "mid_y_mm", "half_width_x_mm", "half_depth_y_mm", "area_over_box"
        )
        if r["component"] in ("neck", "head"):  # the box includes nose and chin; the ellipse is area-preserving
            x, y, depth, width = number(r, "cx_mm", "cy_mm", "ellipse_a_mm", "ellipse_b_mm")
            box = math.pi / 4
        x = abs(x) if part != "trunk" else 0.0
        found.setdefault(float(z), []).append([x, y, width, depth, superellipse_exponent(box)])
    out = []
    for z in sorted(found):
        if part == "leg" and (z > 820 or z < theirs[0, 2] + 30):
            continue  # above, trunk and legs are cut apart obliquely; below, the foot
        if part == "arm" and (z < theirs[0, 2] + 20 or z > theirs[-1, 2] - 100):
            continue  # the hand; the deltoid, which belongs to the trunk there
        if part == "trunk" and z < theirs[0, 2] - 15:
            continue
        x, y, width, depth, exponent = np.mean(found[z], axis=0)
        own_z = float(np.interp(z, theirs[:, 2], ours))
        if part == "trunk":
            width = min(width, float(np.interp(own_z, *np.transpose(TRUNK_WIDTH))) / scale)
            shift = (np.interp(own_z, *np.transpose(table)) for table in (TRUNK_SHIFT, LESS_BEHIND[sex]))
            y = y * scale + float(sum(shift))
        else:
            axis = np.array(AXES[part])
            x = np.interp(own_z, ours, axis[:, 0]) + scale * (x - np.interp(z, theirs[:, 2], theirs[:, 0]))
            y = np.interp(own_z, ours, axis[:, 1]) + scale * (y - np.interp(z, theirs[:, 2], theirs[:, 1]))
        out.append([own_z, float(x), float(y), width * scale, depth * scale, exponent])
    return out


def _both_sides(marks: dict[str, Array], name: str) -> Array:
    if not name.endswith("_left"):
        return marks[name]
    left, right = marks[name], marks[name.replace("_left", "_right")]
    return (left + right * [-1, 1, 1]) / 2


def closed(rows: list[list[float]], part: str) -> list[list[float]]:
    """Round the open ends: shoulder, hip and the lower trunk stay inside a neighbour; the vertex is a cap."""
    _, x, y, width, depth, _ = rows[0]
    if part == "arm":  # the wrist
        rows = [[868.0, x + 3, y - 8, width * 0.9, depth * 0.75, 2.0], *rows]
    if part == "leg":  # the ankle, as wide as the last section above the foot
        rows = [[62.0, x, y - 4, width, depth, 2.0], *rows]
    z, x, y, width, depth, exponent = rows[-1]
    if part == "arm":  # the deltoid's dome over the humeral head
        top = [[z + 1, x, y, width, depth, exponent], [1395.0, 168.0, 15.0, 46.0, 50.0, 2.0]]
        top += [
            [1395 + 42 * math.sin(a), 168.0 - 8 * math.sin(a), 15.0, 46 * math.cos(a), 50 * math.cos(a), 2.0]
            for a in (0.5, 1.0, 1.4)
        ]
        return rows + top[1:]
    if part == "leg":
        return rows + [
            [z, x, y, width * r, depth * r, exponent]
            for z, x, r in (
                (780.0, 88.0, 1.0),
                (870.0, 90.0, 0.95),
                (900.0, 92.0, 0.85),
                (920.0, 92.0, 0.6),
                (930.0, 92.0, 0.3),
            )
        ]
    return [*rows, [SKIN_STATURE_MM - 8, x, y, width * 0.4, depth * 0.4, 2.0]]


def resampled(rows: list[list[float]], step: float) -> Array:
    table = np.array(rows)
    table = table[np.argsort(table[:, 0])]
    keep = np.concatenate([[True], np.diff(table[:, 0]) > 0.5])
    table = table[keep]
    low, high = table[0, 0], table[-1, 0]
    z = np.unique(np.concatenate([np.arange(low, high, step), table[table[:, 0] > high - 3 * step, 0]]))
    return np.column_stack([z] + [np.interp(z, table[:, 0], table[:, k]) for k in range(1, 6)])


def around_bones(table: Array, part: str) -> Array:
    """Move, then enlarge, sections that bones of the default skeleton would pierce."""
    skeleton = default_skeleton()
    chosen = np.isin(np.array([s.name for s in SEGMENTS])[skeleton.segment_index], PART_SEGMENTS[part])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    height = np.linspace(-1, 1, 9)
    ring = np.sqrt(1 - height**2)
    sphere = np.concatenate(
        [
            np.column_stack([r * np.cos(angle), r * np.sin(angle), np.full(24, h)])
            for r, h in zip(ring, height, strict=True)
        ]
    )
    points = np.einsum("eij,kj->eki", skeleton.axes_mm[chosen], sphere) + skeleton.centres_mm[chosen][:, None]
    points = points.reshape(-1, 3)
    out = table.copy()
    for row in out:
        near = points[np.abs(points[:, 2] - row[0]) < 12]
        if not len(near):
            continue
        for axis, (centre, half) in enumerate(((1, 3), (2, 4))):
            low, high = near[:, axis].min() - COVER_MM, near[:, axis].max() + COVER_MM
            if axis == 0 and part == "trunk":
                row[half] = max(row[half], high)
            elif high - low > 2 * row[half]:
                row[centre], row[half] = (low + high) / 2, (high - low) / 2
            else:
                row[centre] += max(high - row[centre] - row[half], 0) - max(row[centre] - row[half] - low, 0)
        inner = np.abs(near[:, :2] - row[1:3]) / np.maximum(row[3:5] - COVER_MM, 5.0)
        over = ((inner ** row[5]).sum(axis=1) ** (1 / row[5])).max()
        row[3:5] *= max(1.0, over)
    return out


def main(measured: Path, out: Path) -> None:
    with out.open("w", newline="") as stream:
        stream.write(HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["sex", "part", "z_mm", "x_mm", "y_mm", "width_mm", "depth_mm", "n", "girth_width", "girth_depth"]
        )
        for sex in PHANTOMS:
            for part in HEIGHTS:
                table = around_bones(resampled(closed(sections(measured, sex, part), part), STEP_MM[part]), part)
                nodes = np.transpose(GIRTH[part])
                for row in table:
                    girth = [float(np.interp(row[0], nodes[0], nodes[k])) for k in (1, 2)]
                    writer.writerow(
                        [sex, part] + [f"{v:.1f}" for v in row[:5]] + [f"{row[5]:.2f}"] + [f"{v:.2f}" for v in girth]
                    )
    print(f"written to {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
