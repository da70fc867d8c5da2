"""Make the project's table of mineral densities from masses measured on the ICRP reference phantoms.

Usage::

    python training/build_mineral.py MEASURED_FOLDER src/bonescan/anatomy/data/mineral.csv

``MEASURED_FOLDER`` holds ``skeleton_mass.csv``: mineral bone (g) and its cortical fraction by groups of bones, measured
on the adult male and female phantoms of ICRP Publication 110.

A group's mass is divided by the volume of its bones in our reference person of that sex. The shell holds the cortical
fraction of the mineral as pure mineral bone, and the inside the rest, but never more than `DENSEST_SPONGIOSA`: what
exceeds that goes to the shell. ``shell_mm`` is the depth above which that share of the bone's volume lies.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
from bonescan.anatomy import BONES
from bonescan.anatomy.mineral import MINERAL_BONE_G_PER_ML
from skeleton_masses import GROUP_OF, REFERENCE, depths_of, published, reference_person

STEP_MM = 0.5
DENSEST_SPONGIOSA = 0.8  # g of mineral bone per ml [D]: the densest spongiosa of the phantoms has some 0.4 [C]
# The woman's phantom lost the thin cortex of these to its voxels: take the man's fraction.
LOST_CORTEX = {"sternum"}

HEADER = """\
# Mineral bone of each bone of the reference man and woman, for `bonescan.anatomy.mineral`; both sides alike.
# density_g_per_ml: grams of mineral bone in each ml of whole bone; spongiosa_g_per_ml: the same below the shell, which
# is pure mineral bone (1.92 g/ml) and shell_mm deep. Made by training/build_mineral.py from masses of groups of bones
# measured on the adult reference phantoms of ICRP Publication 110 (Ann. ICRP 39(2), 2009) and our own bones' volumes.
"""


def main(measured: Path, out: Path) -> None:
    with out.open("w", newline="") as stream:
        stream.write(HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["bone", "sex", "density_g_per_ml", "spongiosa_g_per_ml", "shell_mm"])
        for sex, (phantom, _, _) in REFERENCE.items():
            theirs, man = published(measured, phantom), published(measured, "AM")
            depths = depths_of(reference_person(sex), STEP_MM)
            volume_ml = {bone: len(found) * STEP_MM**3 / 1000 for bone, found in depths.items()}
            grouped = {
                group: sum(volume_ml[bone.id] for bone in BONES if GROUP_OF.get(bone.group) == group)
                for group in GROUP_OF.values()
            }
            mean = sum(theirs[group]["mineral_bone_g"] for group in grouped) / sum(grouped.values())
            for bone in BONES:
                if bone.id.endswith("_r"):
                    continue
                group = GROUP_OF.get(bone.group)
                # the hyoid, in no group, gets the skeleton's mean
                density = theirs[group]["mineral_bone_g"] / grouped[group] if group else mean
                cortical = (man if group in LOST_CORTEX else theirs)[group]["cortical_fraction"] if group else 0.65
                shell = cortical * density / MINERAL_BONE_G_PER_ML
                inside = min((1 - cortical) * density / (1 - shell), DENSEST_SPONGIOSA)
                shell = (density - inside) / (MINERAL_BONE_G_PER_ML - inside)
                if not inside <= density <= MINERAL_BONE_G_PER_ML:
                    sys.exit(f"{bone.id} of the {sex} would have {density:.2f} g/ml, {inside:.2f} inside")
                writer.writerow(
                    [
                        bone.id.removesuffix("_l"),
                        sex,
                        f"{density:.4f}",
                        f"{inside:.4f}",
                        f"{np.quantile(depths[bone.id], shell):.2f}",
                    ]
                )
    print(f"written to {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
