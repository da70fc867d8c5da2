"""How long a patient takes to become voxels, and how much memory: all included, from the start of the interpreter.

Run: python bench/patient_speed.py [--times 3]

Each run is a process of its own that imports bonescan, draws a person, puts ten lesions into it and makes its volumes
at 3 h. The compile cache is filled first, by one run that is not counted. The issue asks for 3 s at 4 mm, 20 s at 2 mm
and less than 2 GB on two cores. Before the times stand body mass and organ volumes against the reference adults.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

# ICRP Publications 89 and 110: volumes in ml of the reference man and woman, contents of hollow organs included.
REFERENCE_ML = {
    "male": {
        "liver": 1714,
        "spleen": 144,
        "kidneys": 295,
        "lungs": 2891,
        "brain": 1381,
        "pancreas": 133,
        "thyroid": 19,
    },
    "female": {
        "liver": 1333,
        "spleen": 125,
        "kidneys": 262,
        "lungs": 2301,
        "brain": 1238,
        "pancreas": 114,
        "thyroid": 16,
    },
}
REFERENCE = {"male": (1760.0, 73.0), "female": (1630.0, 60.0)}


def run_once(spacing_mm: float) -> None:
    """Make one patient and print seconds and megabytes as JSON."""
    begin = time.perf_counter()
    import numpy as np

    from bonescan.anatomy.skeleton import default_skeleton, segment_of
    from bonescan.patient import Focus, Patient, draw_person
    from bonescan.patient.uptake import draw_uptake
    from bonescan.tracer.biokinetics import draw_physiology
    from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical

    class Spot:
        kind = "metastasis"

        def __init__(self, bone: str) -> None:
            skeleton = default_skeleton()
            own = np.flatnonzero(skeleton.bone_index == skeleton.bones.index(bone))
            self.id, self.bone = bone, bone
            self.foci = (
                Focus(
                    segment=segment_of(bone),
                    centre_mm=skeleton.centres_mm[own[len(own) // 2]],
                    axes_mm=12 * np.eye(3),
                    bones=(bone,),
                    uptake_factor=5.0,
                    late_gain=1.3,
                ),
            )

    imported = time.perf_counter()
    rng = np.random.default_rng(1)
    person = draw_person(rng, sex="male", stature_mm=1760, bmi=26)
    given = {"sex": person.sex, "age_years": person.age_years, "mass_kg": person.mass_kg}
    bones = ("vertebra_l03", "vertebra_t08", "hip_bone_l", "hip_bone_r", "rib_05_l", "rib_08_r", "femur_l", "sacrum")
    patient = Patient(
        person=person,
        tracer=radiopharmaceutical("Tc-99m MDP"),
        physiology=draw_physiology(rng, **given),
        injected_mbq=600,
        lesions=tuple(Spot(bone) for bone in (*bones, "scapula_r", "sternum_body")),
        uptake=draw_uptake(rng),
    )
    drawn = time.perf_counter()
    volumes = patient.volumes(3.0, spacing_mm)
    end = time.perf_counter()
    shares = volumes.truth.shares
    expected = 600e3 * (1 - shares["decayed"] - shares["voided"])
    told = {
        "import_s": imported - begin,
        "draw_s": drawn - imported,
        "volumes_s": end - drawn,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "shape": volumes.activity.grid.shape,
        "residual": volumes.activity.total / expected - 1,
    }
    sys.stdout.write(json.dumps(told) + "\n")


def volumes_of_organs() -> None:
    """Print mass and organ volumes of the reference people at 4 mm."""
    from bonescan.patient import Person

    for sex, (stature_mm, mass_kg) in REFERENCE.items():
        voxels = Person(sex=sex, stature_mm=stature_mm, mass_kg=mass_kg, bladder_ml=200).labelled(3.0).voxels
        organs = voxels.organ_ml()
        have = {
            name: sum(ml for organ, ml in organs.items() if organ.startswith(name.removesuffix("s")))
            for name in REFERENCE_ML[sex]
        } | {"bladder": organs["bladder"], "body (kg)": voxels.mass_kg}
        want = REFERENCE_ML[sex] | {"bladder": 200, "body (kg)": mass_kg}
        print(f"\n{sex}: volumes against the reference")
        for name, value in have.items():
            print(f"  {name:12}{value:9.1f}{want[name]:9.1f}{100 * (value / want[name] - 1):+7.1f} %")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--once", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        run_once(arguments.once)
        return
    volumes_of_organs()
    print(f"\n{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for spacing_mm in (4.0, 2.0):
        for k in range(arguments.times + (spacing_mm == 4.0)):
            begin = time.perf_counter()
            command = [sys.executable, __file__, "--once", str(spacing_mm)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            wall = time.perf_counter() - begin
            told = json.loads(done.stdout.splitlines()[-1])
            if spacing_mm == 4.0 and k == 0:
                continue  # it filled the compile cache
            print(
                f"{spacing_mm:g} mm {tuple(told['shape'])}: {wall:5.2f} s in all (imports {told['import_s']:.2f}, "
                f"person {told['draw_s']:.2f}, volumes {told['volumes_s']:.2f}), {told['memory_mb']:.0f} MB, "
                f"activity off by {told['residual']:.0e}"
            )


if __name__ == "__main__":
    main()
