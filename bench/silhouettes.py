"""How well the man's silhouettes agree with the meshes they were adapted from, whole and by planar region.

Run: python bench/silhouettes.py MESH_FOLDER [--pixel-mm 1.0]
Aim: Dice 0.95 or more in both views, no region below 0.92.

``MESH_FOLDER`` holds ``bp3d4_skeleton_206_cap1000.npz`` (for each file of BodyParts3D its vertices ``<file>_v`` in
tenths of a millimetre and its triangles ``<file>_f``) and ``bp3d4_bones.json`` (its FMA number). Both skeletons are
cut by the same rays, one through the centre of each pixel, along y: triangles one by one, ellipsoids by their
quadratic; a region is the union of its bones. Three figures for every region:

- ``silhouette``: all its bones, whatever lies before them. It is the same from in front and from behind.
- ``anterior``, ``posterior``: the pixels where a bone of the region is the one nearest to the camera. A region that
  others hide (less than a fifth of it is seen: from behind the sternum and the kneecaps) has no such figure.

The ellipsoids were fitted to these same meshes, and the right side here is the left one's mirror image: the figures
tell what was lost by that, not how well the skeleton fits anybody else.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import BONES, REGION_NAMES
from bonescan.anatomy.form import shaped_skeleton
from bonescan.anatomy.projection import ray_forms
from bonescan.anatomy.skeleton import Skeleton, default_skeleton

Array = NDArray[np.float64]
MESHES, NAMES = "bp3d4_skeleton_206_cap1000.npz", "bp3d4_bones.json"
ORIGIN_MM = (-0.65, -90.5, -70.5)  # of the project's frame in that of the meshes, as in training/build_skeleton.py
LOW_MM, HIGH_MM = (-350.0, -20.0), (350.0, 1730.0)  # x and z
WANTED, WANTED_REGION = 0.95, 0.92
LEAST_SEEN = 0.2


@numba.njit(nogil=True)
def paint_triangles(corners: Array, step: float, low_x: float, low_z: float, near: Array, far: Array) -> None:
    """Least and greatest y of a mesh over the pixels its triangles cover, (triangle, corner, 3) ndarray."""
    for t in range(corners.shape[0]):
        a, b, c = corners[t, 0], corners[t, 1], corners[t, 2]
        area = (b[0] - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (b[2] - a[2])
        if abs(area) < 1e-12:
            continue
        first_row = math.ceil((min(a[2], b[2], c[2]) - low_z) / step)
        last_row = math.floor((max(a[2], b[2], c[2]) - low_z) / step)
        first_column = math.ceil((min(a[0], b[0], c[0]) - low_x) / step)
        last_column = math.floor((max(a[0], b[0], c[0]) - low_x) / step)
        for row in range(first_row, last_row + 1):
            for column in range(first_column, last_column + 1):
                x, z = low_x + column * step, low_z + row * step
                v = ((x - a[0]) * (c[2] - a[2]) - (c[0] - a[0]) * (z - a[2])) / area
                w = ((b[0] - a[0]) * (z - a[2]) - (x - a[0]) * (b[2] - a[2])) / area
                if v >= 0 and w >= 0 and v + w <= 1:
                    y = a[1] + v * (b[1] - a[1]) + w * (c[1] - a[1])
                    near[row, column] = min(near[row, column], y)
                    far[row, column] = max(far[row, column], y)


@numba.njit(nogil=True)
def paint_ellipsoids(
    centres: Array, forms: Array, reach: Array, step: float, low_x: float, low_z: float, near: Array, far: Array
) -> None:
    """The same for solid ellipsoids, by the quadratic of `bonescan.anatomy.projection`."""
    for e in range(centres.shape[0]):
        for row in range(
            math.ceil((centres[e, 2] - reach[e, 2] - low_z) / step),
            math.floor((centres[e, 2] + reach[e, 2] - low_z) / step) + 1,
        ):
            for column in range(
                math.ceil((centres[e, 0] - reach[e, 0] - low_x) / step),
                math.floor((centres[e, 0] + reach[e, 0] - low_x) / step) + 1,
            ):
                dx, dz = low_x + column * step - centres[e, 0], low_z + row * step - centres[e, 2]
                b = forms[e, 1] * dx + forms[e, 2] * dz
                g = forms[e, 3] * dx * dx + 2 * forms[e, 4] * dx * dz + forms[e, 5] * dz * dz - 1
                square = b * b - forms[e, 0] * g
                if square > 0:
                    root = math.sqrt(square)
                    near[row, column] = min(near[row, column], centres[e, 1] + (-b - root) / forms[e, 0])
                    far[row, column] = max(far[row, column], centres[e, 1] + (-b + root) / forms[e, 0])


def mesh_corners(folder: Path) -> Iterator[tuple[int, Array]]:
    """Region and (triangle, corner, 3) ndarray in mm of every mesh, in the project's frame."""
    region_of = {bone.fma: bone.region for bone in BONES}
    meshes = np.load(folder / MESHES)
    for entry in json.loads((folder / NAMES).read_text(encoding="utf-8")):
        corners = meshes[entry["file"] + "_v"][meshes[entry["file"] + "_f"]] / 10 - ORIGIN_MM
        yield region_of[entry["fma"]], corners


class Depths:
    """Nearest and farthest y of every region over a grid of pixels, (region, row, column)."""

    def __init__(self, step: float) -> None:
        shape = (len(REGION_NAMES) + 1, *(round((HIGH_MM[k] - LOW_MM[k]) / step) + 1 for k in (1, 0)))
        self.step = step
        self.near = np.full(shape, np.inf)
        self.far = np.full(shape, -np.inf)

    @classmethod
    def of_meshes(cls, folder: Path, step: float) -> Depths:
        depths = cls(step)
        for region, corners in mesh_corners(folder):
            paint_triangles(corners, step, *LOW_MM, depths.near[region], depths.far[region])
        return depths

    @classmethod
    def of_skeleton(cls, skeleton: Skeleton, step: float) -> Depths:
        depths = cls(step)
        region_of = {bone.id: bone.region for bone in BONES}
        reach, forms = np.linalg.norm(skeleton.axes_mm, axis=2), ray_forms(skeleton.axes_mm)
        for k, bone in enumerate(skeleton.bones):
            own, region = skeleton.bone_index == k, region_of[bone]
            paint_ellipsoids(
                skeleton.centres_mm[own],
                forms[own],
                reach[own],
                step,
                *LOW_MM,
                depths.near[region],
                depths.far[region],
            )
        return depths

    @property
    def covered(self) -> NDArray[np.bool_]:
        return np.isfinite(self.near)

    def seen(self, view: str) -> NDArray[np.intp]:
        """Region of the bone nearest to the camera, -1 where there is none; the hyoid is 0."""
        first = self.near.argmin(axis=0) if view == "anterior" else self.far.argmax(axis=0)
        return np.where(self.covered.any(axis=0), first, -1)


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Dice's coefficient, 2 |A and B| / (|A| + |B|)."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def agreement(ours: Depths, meshes: Depths) -> dict[str, dict[str, float]]:
    """Dice by region name (and ``whole``) of the silhouettes, and of what is seen in either view; NaN where hidden."""
    found = {
        "silhouette": {
            name: dice(ours.covered[region], meshes.covered[region]) for region, name in REGION_NAMES.items()
        }
    }
    found["silhouette"]["whole"] = dice(ours.covered.any(axis=0), meshes.covered.any(axis=0))
    for view in ("anterior", "posterior"):
        here, there = ours.seen(view), meshes.seen(view)
        found[view] = {
            name: dice(here == region, there == region)
            if np.count_nonzero(there == region) >= LEAST_SEEN * np.count_nonzero(meshes.covered[region])
            else math.nan
            for region, name in REGION_NAMES.items()
        }
        found[view]["whole"] = dice(here >= 0, there >= 0)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pixel-mm", type=float, default=1.0)
    arguments = parser.parse_args()
    if not (arguments.folder / MESHES).is_file():
        print(f"{arguments.folder} holds no {MESHES}.", file=sys.stderr)
        return 2
    meshes = Depths.of_meshes(arguments.folder, arguments.pixel_mm)
    met = True
    for title, skeleton in (("default skeleton", default_skeleton()), ("reference man", shaped_skeleton("male"))):
        found = agreement(Depths.of_skeleton(skeleton, arguments.pixel_mm), meshes)
        print(f"\n{title}, pixels of {arguments.pixel_mm:g} mm: Dice against the meshes")
        print(f"{'':<18}" + "".join(f"{kind:>12}" for kind in found))
        for name in found["silhouette"]:
            figures = [part[name] for part in found.values()]
            print(f"{name:<18}" + "".join(f"{'hidden':>12}" if math.isnan(f) else f"{f:>12.3f}" for f in figures))
            met &= not any(f < (WANTED if name == "whole" else WANTED_REGION) for f in figures)
    print(f"\nWhole {WANTED} or more, every region {WANTED_REGION} or more: {'yes' if met else 'NO'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
