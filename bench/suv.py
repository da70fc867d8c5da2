"""Standardised uptake values of normal bone against published ones.

Run: python bench/suv.py [--spacing 2] [--fwhm 9] [--tracer "Tc-99m MDP"] [--json OUT.json]

The reference man (1760 mm, 73 kg) and woman (1630 mm, 60 kg), 58 years, imaged when the published values were. Those
are of reconstructed SPECT, which spreads activity over some millimetres: each value is printed as it lies in the body
and as it would be in a picture blurred by a Gaussian of --fwhm mm, a usual width after reconstruction with resolution
recovery. It is the second that is held against the publication. No noise, no scatter.

Only abstracts were read of all these papers. No SUV of a normal femur with a technetium tracer was found but that of
the knee's medial compartment, so the femur's end is held against that; the whole femur is printed without one.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.patient.person import Person
from bonescan.patient.uptake import long_axes
from bonescan.patient.volumes import Patient, Volumes
from bonescan.tracer.biokinetics import Physiology, usual_gfr_ml_per_min
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical


@dataclass(frozen=True, kw_only=True)
class Published:
    """A value from an abstract: which bones, which part, which statistic."""

    name: str
    bones: tuple[str, ...]
    part: str  # "all", "inside" (4 mm and more below the surface) or "knee" (the fifth of the bone at the knee)
    statistic: str  # "mean" over the part, "max", or "maxes": mean over bones of each one's maximum
    mean: float
    sd: float
    time_h: float
    source: str


PUBLISHED = (
    Published(name="lumbar spongiosa L3-L5", bones=("vertebra_l03", "vertebra_l04", "vertebra_l05"), part="inside",
              statistic="mean", mean=5.91, sd=1.54, time_h=4,
              source="DPD, 50 women; doi:10.1186/2191-219X-3-45"),
    Published(name="thoracic vertebrae", bones=("vertebra_t",), part="all", statistic="mean", mean=3.04, sd=0.64,
              time_h=3, source="MDP, 15 women; Nautiyal, Indian J Nucl Med 2021;36:398"),
    Published(name="thoracic and lumbar vertebrae", bones=("vertebra_t", "vertebra_l"), part="all", statistic="maxes",
              mean=6.51, sd=0.72, time_h=3, source="MDP, 30 women; doi:10.31616/asj.2019.0308"),
    Published(name="vertebrae and pelvis", bones=("vertebra", "hip_bone", "sacrum"), part="all", statistic="mean",
              mean=3.89, sd=1.35, time_h=3, source="MDP, 36 adults, 963 sites; Tee Li Wei, USM thesis 2025"),
    Published(name="pelvis", bones=("hip_bone", "sacrum"), part="all", statistic="max", mean=9.60, sd=1.32, time_h=3,
              source="MDP, 15 women; Nautiyal 2021"),
    Published(name="humerus", bones=("humerus",), part="all", statistic="mean", mean=0.85, sd=0.26, time_h=3,
              source="MDP, 15 women; Nautiyal 2021"),
    Published(name="humerus", bones=("humerus",), part="all", statistic="max", mean=3.17, sd=0.58, time_h=3,
              source="MDP, 15 women; Nautiyal 2021"),
    Published(name="knee, femur and tibia", bones=("femur", "tibia"), part="knee", statistic="max", mean=5.3, sd=4.4,
              time_h=3, source="HDP, 18 knees not operated; doi:10.1016/j.crad.2017.03.009"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison."""

    person: str
    name: str
    statistic: str
    in_body: float
    in_picture: float
    published: float
    sd: float
    deviations: float
    source: str


def measure(
    suv: NDArray[np.float32],
    volumes: Volumes,
    depth_mm: NDArray[np.float32],
    wanted: Published,
    maps: NDArray[np.float64],
) -> float:
    """The statistic of one published value in one field of SUV."""
    names = list(volumes.truth.bones)
    bones = default_skeleton().bones
    picked = [k for k, bone in enumerate(bones) if bone.startswith(wanted.bones) and bone in names]
    maxima, values = [], []
    for k in picked:
        own = volumes.bones.values == k + 1
        if wanted.part == "inside":
            own &= depth_mm >= 4
        if wanted.part == "knee":
            index = np.argwhere(own)
            grid = volumes.bones.grid
            place = index[:, ::-1] * np.array(grid.spacing_mm[::-1]) + np.array(grid.origin_mm)
            back = np.linalg.inv(maps[k, :, :3])
            along = ((place - maps[k, :, 3]) @ back.T) @ long_axes()[k, :3] + long_axes()[k, 3]
            own = tuple(index[along > 0.8 if bones[k].startswith("tibia") else along < 0.2].T)
        values.append(suv[own])
        maxima.append(suv[own].max())
    if wanted.statistic == "mean":
        return float(np.concatenate(values).mean())
    return float(np.max(maxima) if wanted.statistic == "max" else np.mean(maxima))


def compare(
    person: Person, tracer: str, spacing_mm: float, fwhm_mm: float
) -> tuple[list[Row], dict[str, tuple[float, float]]]:
    """All comparisons for one person, and mean and greatest SUV by bone at 3 h."""
    physiology = Physiology(
        sex=person.sex,
        age_years=person.age_years,
        mass_kg=person.mass_kg,
        gfr_ml_per_min=usual_gfr_ml_per_min(person.sex, person.age_years, person.mass_kg),
        voids_h=(2.75, 3.75),
    )
    patient = Patient(person=person, tracer=radiopharmaceutical(tracer), physiology=physiology, injected_mbq=600)
    body = person.labelled(spacing_mm)
    rows, bones = [], {}
    for time_h in sorted({published.time_h for published in PUBLISHED}):
        volumes = patient.volumes(time_h, spacing_mm)
        scale = person.mass_kg / 600 / (1 - volumes.truth.shares["decayed"])
        suv = volumes.activity.values * np.float32(scale)
        blurred = ndimage.gaussian_filter(suv, fwhm_mm / 2.3548 / spacing_mm, truncate=3)
        if time_h == 3:
            bones = {name: (bone.suv_mean, bone.suv_max) for name, bone in volumes.truth.bones.items()}
        for wanted in (one for one in PUBLISHED if one.time_h == time_h):
            inside, seen = (
                measure(field, volumes, body.voxels.depth_mm, wanted, body.frames.maps) for field in (suv, blurred)
            )
            rows.append(
                Row(
                    person=person.sex,
                    name=wanted.name,
                    statistic="mean of maxima" if wanted.statistic == "maxes" else wanted.statistic,
                    in_body=inside,
                    in_picture=seen,
                    published=wanted.mean,
                    sd=wanted.sd,
                    deviations=(seen - wanted.mean) / wanted.sd,
                    source=wanted.source,
                )
            )
    return rows, bones


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spacing", type=float, default=2.0)
    parser.add_argument("--fwhm", type=float, default=9.0)
    parser.add_argument("--tracer", default="Tc-99m MDP")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    people = (
        Person(sex="male", age_years=58, stature_mm=1760, mass_kg=73),
        Person(sex="female", age_years=58, stature_mm=1630, mass_kg=60),
    )
    told = {}
    for person in people:
        rows, bones = compare(person, arguments.tracer, arguments.spacing, arguments.fwhm)
        print(f"\n{person.sex}, {arguments.tracer}, picture {arguments.fwhm:g} mm FWHM")
        print(f"{'':32}{'':16}{'body':>6}{'picture':>9}{'published':>15}{'SDs':>6}")
        for row in rows:
            print(
                f"{row.name:32}{row.statistic:16}{row.in_body:6.2f}{row.in_picture:9.2f}"
                f"{row.published:8.2f} +/-{row.sd:4.2f}{row.deviations:+6.1f}  {row.source}"
            )
        groups = sorted({re.sub(r"(_\d+)?(_[lr])?$|\d+$", "", name) for name in bones})
        print("\nin the body at 3 h: mean, max")
        for group in groups:
            own = [value for name, value in bones.items() if name.startswith(group)]
            print(f"  {group:32}{np.mean([v[0] for v in own]):6.2f}{max(v[1] for v in own):7.2f}")
        told[person.sex] = {"rows": [asdict(row) for row in rows], "bones": bones}
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
