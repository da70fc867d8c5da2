"""How long a whole body takes to become voxels, how much memory that needs, and what it holds then.

Run: python bench/voxel_speed.py [--spacings 6 4 2] [--sex male] [--girth 1.0]

Each spacing runs in a process of its own, once to compile or load what is compiled and then timed. Aims on two cores:
2 s at 4 mm, 12 s at 2 mm, well under 1 GB. Needs Linux or macOS, which tell the peak memory of a process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time

STATURE_MM = {"male": 1760.0, "female": 1630.0}
SHOWN = ("brain", "lung_r", "liver", "spleen", "kidney_l", "bladder", "thyroid")


def measure(sex: str, girth: float, spacing_mm: float) -> tuple[float, float, str]:
    """Seconds, megabytes and a line of content of one body."""
    from bonescan.anatomy.body import Body
    from bonescan.anatomy.form import shaped_skeleton
    from bonescan.anatomy.organs import posed_organs
    from bonescan.anatomy.pose import pose_person
    from bonescan.anatomy.voxels import body_grid, voxelise

    posed = pose_person(shaped_skeleton(sex), sex=sex, stature_mm=STATURE_MM[sex])
    body = Body(posed=posed, sex=sex, girth=girth)
    organs = posed_organs(posed, sex)
    voxelise(body, organs, body_grid(body, 12.0))
    start = time.perf_counter()
    voxels = voxelise(Body(posed=posed, sex=sex, girth=girth), posed_organs(posed, sex), body_grid(body, spacing_mm))
    seconds = time.perf_counter() - start
    unit = 1e6 if sys.platform == "darwin" else 1e3
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    ml, tissues = voxels.organ_ml(), voxels.tissue_ml()
    content = "".join(f"{ml[name]:9.1f}" for name in SHOWN)
    total = sum(tissues.values())
    return seconds, memory, f"{total / 1000:8.2f}{voxels.mass_kg:7.2f}{tissues['bone'] / 1000:7.2f}{content}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spacings", type=float, nargs="+", default=[6.0, 4.0, 3.0, 2.0])
    parser.add_argument("--sex", choices=tuple(STATURE_MM), default="male")
    parser.add_argument("--girth", type=float, default=1.0)
    options = parser.parse_args()
    print("    mm      s     MB  body l     kg bone l" + "".join(f"{name:>9}" for name in SHOWN) + " (ml)")
    for spacing in options.spacings:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, memory, content = pool.apply(measure, (options.sex, options.girth, spacing))
        print(f"{spacing:6g}{seconds:7.2f}{memory:7.0f}{content}")


if __name__ == "__main__":
    main()
