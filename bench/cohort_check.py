"""Draw many patients of a cohort and check each: valid, every lesion inside bone, sites as often as published.

Run: python bench/cohort_check.py [--seed 1] [--count 1000] [--voxels 40] [--spacing-mm 6] [--jobs 2]

On the default skeleton's solids all patients are checked: a lesion with a place has its centre inside its bone, and
every focus that acts on bone reaches into the bones it names. In voxels, of as many patients as asked for: every
lesion has voxels, each of them bone of the lesion's own bones (metal, air and soft tissue apart), and activity is
conserved.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.patient.cohort import draw_patient, draw_scenario
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import Lesion
from bonescan.patient.lesions.malignant import METASTASIS_SITES, site_bones
from bonescan.patient.lesions.placement import contains, nearest_place

SITE_OF = {bone: site for site in METASTASIS_SITES for bone in site_bones(site)}


def outside(lesion: Lesion) -> list[str]:
    """What of a lesion lies outside bone on the default skeleton's solids."""
    wrong = []
    if lesion.bone and lesion.focal and not contains(lesion.bone, lesion.foci[0].centre_mm)[0]:
        wrong.append(f"{lesion.label}: centre outside {lesion.bone}")
    wrong += [
        f"{lesion.label}: focus {k} reaches no bone" for k, focus in enumerate(lesion.foci) if not reaches_bone(focus)
    ]
    return wrong


def reaches_bone(focus: Focus) -> bool:
    """Whether a focus that acts on bones holds a place of one of them."""
    if focus.realm != "bone" or not focus.bones:
        return True
    inverse = np.linalg.inv(focus.axes_mm)
    skeleton = default_skeleton()
    for bone in focus.bones:
        own = skeleton.bone_index == skeleton.bones.index(bone)
        places = np.vstack([skeleton.centres_mm[own], nearest_place(bone, focus.centre_mm, 0.0)])
        if (np.linalg.norm((places - focus.centre_mm) @ inverse.T, axis=1) <= 1).any():
            return True
    return False


def check(number: int, *, seed: int, voxels: int, spacing_mm: float) -> dict[str, object]:
    """One patient: what is wrong, and what it has."""
    wrong: list[str] = []
    try:
        scenario, patient = draw_scenario(seed, number), draw_patient(seed, number)
    except Exception as problem:
        return {"number": number, "wrong": [f"invalid: {type(problem).__name__}: {problem}"], "sites": set()}
    for lesion in patient.lesions:
        wrong += outside(lesion)
    metastases = [lesion for lesion in patient.lesions if lesion.is_metastasis]
    found: dict[str, object] = {
        "number": number,
        "wrong": wrong,
        "sites": {SITE_OF[lesion.bone] for lesion in metastases if lesion.bone in SITE_OF},
        "superscan": any(lesion.kind.value == "metastatic_superscan" for lesion in metastases),
        "metastases": len(metastases),
        "lesions": len(patient.lesions),
        "bmi": patient.person.bmi,
        "kinds": Counter({one.kind.value for one in (*patient.lesions, *patient.disturbances)}),
    }
    if number < voxels:
        made = patient.volumes(scenario.imaging().time_h, spacing_mm)
        names = default_skeleton().bones
        held = 1000 * patient.injected_mbq * (1 - made.truth.shares["decayed"] - made.truth.shares["voided"])
        found["conserved"] = abs(made.activity.total / held - 1)
        inside = outside_voxels = 0
        for lesion, truth in zip(patient.lesions, made.truth.lesions, strict=True):
            if lesion.bone and truth.volume_ml == 0:
                wrong.append(f"{lesion.label}: no voxel")
            if lesion.bone and not set(truth.bones) <= set(lesion.bones) and lesion.kind.value not in WITH_MORE:
                wrong.append(f"{lesion.label}: voxels in {set(truth.bones) - set(lesion.bones)}")
        for k, lesion in enumerate(patient.lesions):
            if all(focus.realm == "bone" for focus in lesion.foci):
                own = made.bones.values[made.lesions.values == k + 1]
                right = np.isin(own, [names.index(bone) + 1 for bone in lesion.bones])
                inside += int(right.sum())
                outside_voxels += int((~right).sum())
        found["inside"], found["outside"] = inside, outside_voxels
    return found


WITH_MORE = ("prosthesis", "amputation")  # what they take away lies in other bones too


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--voxels", type=int, default=40)
    parser.add_argument("--spacing-mm", type=float, default=6.0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    job = partial(check, seed=arguments.seed, voxels=arguments.voxels, spacing_mm=arguments.spacing_mm)
    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        patients = list(pool.map(job, range(arguments.count), chunksize=5))
    wrong = [f"{one['number']}: {text}" for one in patients for text in one["wrong"]]
    invalid = sum(text.partition(": ")[2].startswith("invalid") for text in wrong)
    print(
        f"{len(patients)} patients of seed {arguments.seed}: {invalid} invalid, "
        f"{len(wrong) - invalid} lesions outside bone"
    )
    print("\n".join(wrong[:40]))
    painted = [one for one in patients if "inside" in one]
    if painted:
        worst = max(one["conserved"] for one in painted)
        print(
            f"in voxels of {arguments.spacing_mm:g} mm, {len(painted)} patients: "
            f"{sum(o['inside'] for o in painted)} voxels of lesions in their bones, "
            f"{sum(o['outside'] for o in painted)} outside; activity off by at most {worst:.1e}"
        )
    ill = [one for one in patients if one["metastases"]]
    scale = 81 / max(len(ill), 1)
    print(
        f"metastases in {len(ill)}; lesions {sum(o['lesions'] for o in patients)}; "
        "patients per 81 with metastases, drawn against published:"
    )
    counts = Counter(site for one in ill for site in one["sites"])
    for site, published in METASTASIS_SITES.items():
        print(f"  {site:10s} {scale * counts[site]:5.1f} {published:4d}")
    print(f"  superscan  {scale * sum(one['superscan'] for one in ill):5.1f}   10")
    bins = np.histogram([one["metastases"] for one in ill if not one["superscan"]], [1, 2, 6, 21, 1000])[0]
    print(f"  with 1, 2 to 5, 6 to 20, more metastases (superscans apart): {bins.tolist()}")
    kinds = Counter(kind for one in patients for kind in one["kinds"])
    print("people with: " + ", ".join(f"{kind} {n}" for kind, n in kinds.most_common()))
    bmi = [one["bmi"] for one in patients]
    print(f"body mass index {min(bmi):.1f} to {max(bmi):.1f}, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
