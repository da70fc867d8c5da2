"""Make the project's table of growth plates: where they lie in the default skeleton and when they close.

Usage::

    python training/build_growth_plates.py src/bonescan/anatomy/data/growth_plates.csv

A plate's level and direction are given here by hand, on the left side of the default skeleton; the bone's own section
there gives its middle and its half-widths, by second moments. Ages of closure are the middle of the ranges in the
sources, by sex where these tell it, else two years earlier in girls.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from bonescan.anatomy.skeleton import default_skeleton

SHAFT = (0.0, 0.0, 1.0)
# bone, end, a point of the plate and its normal (mm, default frame), greatest half-width, closure in men and women,
# source: A j-skel.com, lower limb, citing Milgram and Lyne 1975, Scheuer and Black 2004, Love 1990; B Bass 1995, and
# McKern and Stewart 1957, as listed by the Grand Valley osteology textbook, chapter 35; C PMID 16225203. All [V].
PLATES = (
    ("femur", "head", (96, 11, 873), (0.68, 0.05, -0.73), 28, 16.5, 14.0, "A 14-19, 12-16"),
    ("femur", "greater trochanter", (131, 20, 862), (0.5, 0.0, 0.87), 20, 17.0, 15.0, "A 16-18, 14-16"),
    ("femur", "distal", (72, 12, 468), SHAFT, 60, 18.0, 16.0, "A 16-20, 14-18"),
    ("tibia", "proximal", (75, 14, 425), SHAFT, 60, 18.0, 16.0, "B 14-23; [D]"),
    ("tibia", "distal", (71, 13, 92), SHAFT, 40, 16.5, 15.0, "A 15-18, 14-16; C by 19, by 16"),
    ("fibula", "proximal", (107, 26, 410), SHAFT, 20, 18.0, 16.0, "B 14-22; [D]"),
    ("fibula", "distal", (95, 30, 77), SHAFT, 20, 17.0, 15.0, "B 11-20; C by 19, by 16"),
    ("humerus", "proximal", (168, 15, 1369), (-0.3, 0.0, 0.95), 40, 19.0, 17.0, "B by 24; [D]"),
    ("humerus", "distal", (212, 23, 1120), SHAFT, 45, 17.5, 15.5, "B 17-18; [D]"),
    ("radius", "proximal", (231, 19, 1096), SHAFT, 20, 17.0, 15.0, "B 16-18; [D]"),
    ("radius", "distal", (263, -25, 891), SHAFT, 25, 17.5, 16.0, "B 16-18; [D]"),
    ("ulna", "distal", (239, -24, 890), SHAFT, 15, 18.5, 17.0, "B 17-20; [D]"),
    ("hip_bone", "triradiate cartilage", (68, 12, 881), (0.9, 0.4, 0.0), 22, 16.0, 14.0, "B by 17; [D]"),
    ("clavicle", "sternal", (20, -45, 1393.5), (0.85, 0.4, 0.3), 16, 24.0, 23.0, "B by 25; [D]"),
)
HALF_THICKNESS_MM = 4.0  # what is hot on a scan is the plate and the newest bone beside it [D]
STEP_MM = 0.5

HEADER = """\
# Growth plates on the default skeleton, for `bonescan.anatomy.growth`; left side, the right is its mirror image.
# x, y, z: middle; nx, ny, nz: normal; ux, uy, uz: the wider of the two directions within the plate; a, b: half-widths
# along it and across; closes_male, closes_female: age at which the plate closes, in years. Made by
# training/build_growth_plates.py, where the sources are named.
"""


def main(out: Path) -> None:
    skeleton = default_skeleton()
    with out.open("w", newline="") as stream:
        stream.write(HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        columns = "bone end x_mm y_mm z_mm nx ny nz ux uy uz a_mm b_mm half_thickness_mm closes_male closes_female"
        writer.writerow([*columns.split(), "source"])
        for bone, end, point, direction, limit, male, female, source in PLATES:
            own = skeleton.bone_index == skeleton.bones.index(f"{bone}_l")
            normal = np.array(direction) / np.linalg.norm(direction)
            first = np.cross(normal, [0.0, 1.0, 0.0] if abs(normal[1]) < 0.7 else [0.0, 0.0, 1.0])
            first /= np.linalg.norm(first)
            plane = np.stack([first, np.cross(normal, first)])
            s = np.arange(-limit, limit + STEP_MM, STEP_MM)
            grid = np.stack(np.meshgrid(s, s), axis=-1).reshape(-1, 2)
            grid = grid[np.linalg.norm(grid, axis=1) <= limit]
            points = np.array(point, dtype=float) + grid @ plane
            local = np.einsum(
                "eij,epj->epi", np.linalg.inv(skeleton.axes_mm[own]), points[None] - skeleton.centres_mm[own][:, None]
            )
            inside = grid[((local**2).sum(axis=2) <= 1).any(axis=0)]
            if len(inside) * STEP_MM**2 < 40:
                sys.exit(f"{bone}, {end}: no bone at {point}")
            middle = inside.mean(axis=0)
            variance, vectors = np.linalg.eigh(np.cov((inside - middle).T))
            half = 2 * np.sqrt(variance)[::-1]  # of an ellipse of these second moments
            writer.writerow(
                [bone, end]
                + [f"{v:.1f}" for v in np.array(point) + middle @ plane]
                + [f"{v:.3f}" for v in normal]
                + [f"{v:.3f}" for v in vectors[:, 1] @ plane]
                + [f"{v:.1f}" for v in half]
                + [f"{HALF_THICKNESS_MM:.1f}", male, female, source]
            )
    print(f"{len(PLATES)} growth plates written to {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
