"""Mass of the reference man's and woman's bones, by group, against the reference phantoms of ICRP Publication 110.

Run: python bench/skeleton_masses.py MEASURED_FOLDER [--spacing-mm 1.0]
Aim: every group's share of mineral bone within 15 % of the phantom's, no bone denser than mineral bone.

``MEASURED_FOLDER`` holds ``skeleton_mass.csv``: masses and volumes of groups of bones, measured on the phantoms. Here
the union of each bone's ellipsoids, posed for a man of 1760 mm and a woman of 1630 mm, is counted in cubes; a bone's
mass is that volume times its density from ``bonescan.anatomy.mineral``.

The densities were made from these very volumes and the phantoms' masses, so mineral shares agree by construction where
nothing is capped. What is shape and what is density stands in the columns beside: ``volume`` is the share our shapes
have without any calibration, and the share with marrow is half measured, as its marrow is what our volume leaves.

The second table asks ``girth_for_mass`` for bodies of given masses and weighs them in voxels: every tissue at its own
density, bone by ``mineral_by_depth``. It is the measured error of that function.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import BONES
from bonescan.anatomy.body import Body
from bonescan.anatomy.form import shaped_skeleton
from bonescan.anatomy.growth import child_form, child_pose
from bonescan.anatomy.mass import body_mass_kg, girth_for_mass
from bonescan.anatomy.mineral import (
    MARROW_G_PER_ML,
    MINERAL_BONE_G_PER_ML,
    mineral_by_depth,
    mineral_density_g_per_ml,
    whole_bone_density_g_per_ml,
)
from bonescan.anatomy.organs import posed_organs
from bonescan.anatomy.pose import PosedSkeleton, pose_person
from bonescan.anatomy.tissues import tissue
from bonescan.anatomy.voxels import body_grid, voxelise

Array = NDArray[np.float64]
REFERENCE = {"male": ("AM", 1760.0, 73.0), "female": ("AF", 1630.0, 60.0)}
GROUP_OF = {
    "skull": "skull_without_mandible",
    "mandible": "mandible",
    "clavicle": "clavicles",
    "scapula": "scapulae",
    "sternum": "sternum",
    "humerus": "humeri",
    "ulna": "ulnae_radii",
    "radius": "ulnae_radii",
    "rib": "ribs",
    "spine": "spine_sacrum",
    "hip bone": "pelvis",
    "femur": "femora",
    "tibia": "tibiae_fibulae_patellae",
    "fibula": "tibiae_fibulae_patellae",
    "patella": "tibiae_fibulae_patellae",
    "foot": "feet",
    "hand": "hands_wrists",
}
WANTED_PERCENT = 15.0
VOXEL_MM = 4.0
ASKED = (  # sex, age, stature, mass: the reference people of ICRP Publication 89, and builds as they come
    ("male", 40, 1760, 73),
    ("female", 40, 1630, 60),
    ("male", 40, 1760, 57),
    ("male", 40, 1760, 110),
    ("male", 40, 1760, 135),
    ("female", 40, 1630, 46),
    ("female", 40, 1630, 90),
    ("female", 40, 1630, 110),
    ("male", 40, 1600, 60),
    ("male", 40, 1950, 95),
    ("female", 40, 1800, 70),
    ("male", 10, 1380, 32),
    ("female", 10, 1380, 32),
    ("male", 15, 1670, 56),
    ("female", 15, 1610, 53),
)


@numba.njit(nogil=True)
def depths(centres: Array, inverse: Array, least: Array, reach: Array, step: float) -> NDArray[np.float32]:
    """Depth below the surface of a union of ellipsoids at the centres of cubes, 0 outside.

    The greatest of ``(1 - |u|) b`` over the ellipsoids, with u the point in units of the half-axes and b the least of
    them; never more than the true depth.
    """
    low, count = np.empty(3), np.empty(3, dtype=np.int64)
    for k in range(3):
        low[k] = (centres[:, k] - reach[:, k]).min()
        count[k] = int(((centres[:, k] + reach[:, k]).max() - low[k]) / step) + 1
    found = np.zeros((count[0], count[1], count[2]), dtype=np.float32)
    first, last = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for e in range(centres.shape[0]):
        for k in range(3):
            first[k] = max(0, int((centres[e, k] - reach[e, k] - low[k]) / step - 0.5))
            last[k] = min(count[k] - 1, int((centres[e, k] + reach[e, k] - low[k]) / step))
        for i in range(first[0], last[0] + 1):
            for j in range(first[1], last[1] + 1):
                for m in range(first[2], last[2] + 1):
                    x = low[0] + (i + 0.5) * step - centres[e, 0]
                    y = low[1] + (j + 0.5) * step - centres[e, 1]
                    z = low[2] + (m + 0.5) * step - centres[e, 2]
                    square = 0.0
                    for r in range(3):
                        square += (inverse[e, r, 0] * x + inverse[e, r, 1] * y + inverse[e, r, 2] * z) ** 2
                    if square < 1:
                        found[i, j, m] = max(found[i, j, m], (1 - np.sqrt(square)) * least[e])
    return found


def depths_of(posed: PosedSkeleton, step: float) -> dict[str, NDArray[np.float32]]:
    """Depths (mm) of all cubes inside each bone, in no order."""
    inverse = np.linalg.inv(posed.axes_mm)
    reach = np.linalg.norm(posed.axes_mm, axis=2)
    least = np.linalg.svd(posed.axes_mm, compute_uv=False)[:, -1]
    found = {}
    for k, name in enumerate(posed.skeleton.bones):
        own = posed.skeleton.bone_index == k
        grid = depths(posed.centres_mm[own], inverse[own], least[own], reach[own], step)
        found[name] = grid[grid > 0]
    return found


def reference_person(sex: str) -> PosedSkeleton:
    """The reference adult's skeleton, lying straight, at the reference stature."""
    return pose_person(shaped_skeleton(sex), sex=sex, stature_mm=REFERENCE[sex][1])


def group_volumes_ml(posed: PosedSkeleton, step: float) -> dict[str, dict[str, float]]:
    """Volume of every bone, by the phantoms' groups; the hyoid is in none."""
    groups: dict[str, dict[str, float]] = {name: {} for name in dict.fromkeys(GROUP_OF.values())}
    inside = depths_of(posed, step)
    for bone in BONES:
        if bone.group in GROUP_OF:
            groups[GROUP_OF[bone.group]][bone.id] = len(inside[bone.id]) * step**3 / 1000
    return groups


def published(folder: Path, phantom: str) -> dict[str, dict[str, float]]:
    """Columns of one phantom, by group: ``mineral_bone_g``, ``mineral_bone_percent``, ..."""
    with (folder / "skeleton_mass.csv").open() as stream:
        return {
            row["group"]: {
                key.removeprefix(phantom + "_"): float(value)
                for key, value in row.items()
                if key.startswith(phantom) and value
            }
            for row in csv.DictReader(stream)
        }


def voxel_mass_kg(sex: str, age_years: float, stature_mm: float, mass_kg: float) -> tuple[float, float, float]:
    """Girth that `girth_for_mass` finds, and in voxels the body's mass and its mineral bone (kg)."""
    proportions = child_pose(sex, age_years)
    girth = girth_for_mass(sex, stature_mm, mass_kg, proportions)
    skeleton = shaped_skeleton(sex, child_form(sex, age_years))
    posed = pose_person(skeleton, sex=sex, stature_mm=stature_mm, pose=proportions)
    body = Body(posed=posed, sex=sex, girth=girth)
    voxels = voxelise(body, posed_organs(posed, sex), body_grid(body, VOXEL_MM))
    soft = sum(ml * tissue(name).density_g_per_ml for name, ml in voxels.tissue_ml().items() if name != "bone")
    mineral = mineral_by_depth(voxels.bone, voxels.depth_mm, voxels.bones, sex)
    bone = whole_bone_density_g_per_ml(mineral[voxels.bone > 0]).sum() * voxels.grid.voxel_ml
    return girth, (soft + bone) / 1000, float(mineral.sum(dtype=np.float64)) * voxels.grid.voxel_ml / 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spacing-mm", type=float, default=1.0)
    arguments = parser.parse_args()
    if not (arguments.folder / "skeleton_mass.csv").is_file():
        print(f"{arguments.folder} holds no skeleton_mass.csv.", file=sys.stderr)
        return 2
    met = True
    for sex, (phantom, stature_mm, mass_kg) in REFERENCE.items():
        theirs = published(arguments.folder, phantom)
        posed = reference_person(sex)
        volume = group_volumes_ml(posed, arguments.spacing_mm)
        mineral = {
            group: sum(v * mineral_density_g_per_ml(bone, sex) for bone, v in bones.items())
            for group, bones in volume.items()
        }
        total_ml = {group: sum(bones.values()) for group, bones in volume.items()}
        whole = {g: mineral[g] + (total_ml[g] - mineral[g] / MINERAL_BONE_G_PER_ML) * MARROW_G_PER_ML for g in volume}
        print(f"\n{sex}, {stature_mm:.0f} mm: share of the skeleton in percent, ours / phantom = ratio")
        print(f"{'':<24}{'g/ml':>6}  {'volume':^22}{'mineral bone':^22}{'mass with marrow':^22}")
        for group in volume:
            cells = []
            for ours, column in ((total_ml, "volume"), (mineral, "mineral_bone"), (whole, "mass_with_marrow")):
                share = 100 * ours[group] / sum(ours.values())
                theirs_too = (
                    theirs[group][f"{column}_percent"] * 100 / sum(theirs[one][f"{column}_percent"] for one in volume)
                )
                cells.append(f"{share:>6.2f} /{theirs_too:>6.2f} ={share / theirs_too:>5.2f} ")
                met &= column != "mineral_bone" or abs(share / theirs_too - 1) <= WANTED_PERCENT / 100
            density = mineral[group] / total_ml[group]
            met &= density <= MINERAL_BONE_G_PER_ML
            print(f"{group:<24}{density:>6.2f}  " + "".join(cells))
        print(
            f"{'total':<24}{sum(mineral.values()) / sum(total_ml.values()):>6.2f}  "
            + "".join(
                f"{sum(ours.values()):>8.0f} / {theirs['total'][column]:.0f} {unit}".ljust(22)
                for ours, column, unit in (
                    (total_ml, "volume_cm3", "ml"),
                    (mineral, "mineral_bone_g", "g"),
                    (whole, "mass_with_marrow_g", "g"),
                )
            )
        )
        body = Body(posed=posed, sex=sex)
        ours_kg = body_mass_kg(body, stature_mm)
        print(
            f"body at girth 1: {body.volume_mm3 / 1e6:.1f} l, {ours_kg:.1f} kg for {mass_kg:.0f} kg "
            f"({100 * (ours_kg / mass_kg - 1):+.1f} %); {mass_kg:.0f} kg at girth "
            f"{girth_for_mass(sex, stature_mm, mass_kg):.3f}"
        )
    print(
        f"\n{'asked for':<36}{'girth':>7}{'weighed':>10}{'error':>8}{'mineral bone':>15}   (voxels of {VOXEL_MM:g} mm)"
    )
    for sex, age_years, stature_mm, asked_kg in ASKED:
        girth, found_kg, mineral_kg = voxel_mass_kg(sex, age_years, stature_mm, asked_kg)
        who = f"{sex}, {age_years:.0f} years, {stature_mm:.0f} mm, {asked_kg:.0f} kg"
        error = 100 * (found_kg / asked_kg - 1)
        print(f"{who:<36}{girth:>7.3f}{found_kg:>7.1f} kg{error:>+6.1f} %{mineral_kg:>12.2f} kg")
    print(f"\nMineral shares within {WANTED_PERCENT:.0f} %, no bone above 1.92 g/ml: {'yes' if met else 'NO'}")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
