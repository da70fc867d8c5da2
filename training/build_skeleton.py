"""Make the project's skeleton from ellipsoids measured on BodyParts3D.

Usage::

    python training/build_skeleton.py MEASURED_FOLDER src/bonescan/anatomy/data/skeleton.csv

``MEASURED_FOLDER`` holds ``bones_ellipsoids.csv``: one row per solid ellipsoid
with ``bone_id, k, cx_mm, cy_mm, cz_mm, a_mm, b_mm, c_mm, qw, qx, qy, qz`` in the
BodyParts3D frame (+x left, +y posterior, +z cranial, midline at x = -0.65 mm).

Changes made: left and right become one shape (the left one; the right is its
mirror image), the midline is moved to x = 0, the first lumbar vertebra's body
centre to y = 0 and the soles to z = 0; orientations become rotation vectors.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

MIDLINE_X_MM, L1_Y_MM, SOLE_Z_MM = -0.65, -90.5, -70.5

HEADER = """\
# The bonescan skeleton: solid ellipsoids, their union per bone. Licence: CC BY-SA 4.0.
# Adapted from BodyParts3D, (c) The Database Center for Life Science, CC Attribution-Share Alike.
# Frame (mm): +x the patient's left, +y posterior, +z cranial; soles at z = 0, midline at x = 0,
# body centre of the first lumbar vertebra at y = 0. Paired bones: the left one, the right is its mirror image.
# rx, ry, rz: rotation vector (radians) from the ellipsoid's axes a, b, c to the body frame.
"""


def main(measured: Path, out: Path) -> None:
    rows = []
    with (measured / "bones_ellipsoids.csv").open() as stream:
        for r in csv.DictReader(stream):
            if r["bone_id"].endswith("_r"):
                continue
            quaternion = [float(r[key]) for key in ("qx", "qy", "qz", "qw")]
            turn = Rotation.from_quat(quaternion).as_rotvec()
            centre = np.array([float(r[key]) for key in ("cx_mm", "cy_mm", "cz_mm")])
            centre -= MIDLINE_X_MM, L1_Y_MM, SOLE_Z_MM
            rows.append(
                [r["bone_id"].removesuffix("_l"), "paired" if r["bone_id"].endswith("_l") else "midline"]
                + [f"{v:.1f}" for v in centre]
                + [f"{float(r[key]):.1f}" for key in ("a_mm", "b_mm", "c_mm")]
                + [f"{v:.3f}" for v in turn]
            )
    with out.open("w", newline="") as stream:
        stream.write(HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["bone", "symmetry", "x_mm", "y_mm", "z_mm", "a_mm", "b_mm", "c_mm", "rx", "ry", "rz"])
        writer.writerows(rows)
    print(f"{len(rows)} ellipsoids written to {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
