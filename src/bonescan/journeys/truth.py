"""The truth of a simulated study as files: what a reading of it is held to, and no reader opens.

`truth_files` makes them; their published form is `truth_schema` and the documentation's page "Outputs". Everything that
could be worked out from the voxels and the expected pictures is, so that whoever compares a reading needs no code of
ours.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.mineral import MARROW_G_PER_ML, MINERAL_BONE_G_PER_ML
from bonescan.anatomy.pose import FREEDOMS
from bonescan.journeys.excess import Primary, SeenLesion, lesion_map, seen_lesions
from bonescan.journeys.shadows import PlanarPlace, bone_maps, bones_in_pose_of_row, in_pose_of_row, region_map
from bonescan.patient.lesions.lesion import Lesion
from bonescan.patient.person import Person
from bonescan.patient.sampling import SampledPatient
from bonescan.patient.volumes import LesionTruth, Volumes
from bonescan.report.maps import bones_npz, map_png

__all__ = ["SCHEMA_VERSION", "PlanarPicture", "truth_files", "truth_schema"]

SCHEMA_VERSION = "1.0.0"
"""Version of truth.json: major for a broken reader, minor for a new field."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlanarPicture:
    """Planar views that were counted together, and what was expected of them.

    Parameters
    ----------
    file_name : str
        The object they were written to.
    names : tuple of str
        Of the views, as they stand in the names of the truth's files.
    places : tuple of PlanarPlace
        By view.
    poses : tuple of SampledPatient
        Those the patient took meanwhile.
    pose_of_row : (row,) ndarray of int
        Which of them a row was counted in.
    time_h : float
        From injection to the begin of counting, the time of the activity that `primary` counts.
    expected : (view, row, column) ndarray
        Counts, without noise.
    counts : (view, row, column) ndarray
        As written.
    primary : callable
        As `bonescan.journeys.excess.Primary`.
    """

    file_name: str
    names: tuple[str, ...]
    places: tuple[PlanarPlace, ...]
    poses: tuple[SampledPatient, ...]
    pose_of_row: NDArray[np.int64]
    time_h: float
    expected: NDArray[np.floating]
    counts: NDArray[np.floating]
    primary: Primary


def truth_schema() -> dict[str, Any]:
    """Return the published JSON schema (draft 2020-12) of truth.json.

    Returns
    -------
    dict
    """
    text = resources.files("bonescan.journeys").joinpath("truth.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def truth_files(
    facts: Mapping[str, Any],
    sampled: SampledPatient,
    volumes: Volumes,
    pictures: Sequence[PlanarPicture],
    *,
    expected: Mapping[str, NDArray[np.floating]] | None = None,
    with_volumes: bool = False,
) -> dict[str, bytes]:
    """Everything that is true of a simulated study.

    Parameters
    ----------
    facts : mapping
        What only the journey knows: ``scenario``, ``seed``, ``member``, ``camera``, ``protocol``, ``fast``,
        ``motions``, ``versions``.
    sampled : SampledPatient
        In the first pose.
    volumes : Volumes
        Of it, at the time of the study's last picture.
    pictures : sequence of PlanarPicture
    expected : mapping of str to ndarray, optional
        Expected counts of what is no planar picture, by the object's name.
    with_volumes : bool
        Activity, bones and lesions in 3-D as well, one or two MB.

    Returns
    -------
    dict of str to bytes
        By file name: ``truth.json`` and, by view, ``regions``, ``bones``, ``lesions`` and ``expected``.
    """
    files = {
        f"expected_{name}.npz": _npz(expected_counts=counts.astype(np.float32))
        for name, counts in (expected or {}).items()
    }
    seen: dict[str, tuple[SeenLesion | None, ...]] = {}
    for picture in pictures:
        by_lesion = seen_lesions(
            picture.poses, picture.time_h, picture.places, tuple(picture.expected), picture.primary
        )
        for v, name in enumerate(picture.names):
            seen[name] = tuple(own[v] for own in by_lesion)
            place = picture.places[v]
            bones = [bone_maps(pose, place) for pose in picture.poses]
            regions = [region_map(pose, place, own) for pose, own in zip(picture.poses, bones, strict=True)]
            lesions = seen[name][: len(sampled.patient.lesions)]
            files[f"regions_{name}.png"] = map_png(in_pose_of_row(regions, picture.pose_of_row))
            files[f"bones_{name}.npz"] = bones_npz(bones_in_pose_of_row(bones, picture.pose_of_row))
            files[f"lesions_{name}.png"] = map_png(lesion_map(place.lattice.shape, lesions))
            files[f"expected_{name}.npz"] = _npz(expected_counts=picture.expected[v].astype(np.float32))
    record = truth_record(facts, sampled, volumes, pictures, seen)
    files["truth.json"] = (json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
    if with_volumes:
        files["volumes.npz"] = _npz(
            activity_kbq_per_ml=volumes.activity.values,
            bones=volumes.bones.values,
            lesions=volumes.lesions.values,
            bone_names=np.array(["", *_bone_names()], np.str_),
            spacing_mm=np.array(volumes.activity.grid.spacing_mm),
            origin_mm=np.array(volumes.activity.grid.origin_mm),
            axes=np.array(volumes.activity.grid.axes),
        )
    return files


def truth_record(
    facts: Mapping[str, Any],
    sampled: SampledPatient,
    volumes: Volumes,
    pictures: Sequence[PlanarPicture],
    seen: Mapping[str, Sequence[SeenLesion | None]],
) -> dict[str, Any]:
    """The truth as plain JSON values.

    Parameters
    ----------
    facts, sampled, volumes, pictures
        As in `truth_files`.
    seen : mapping of str to sequence of SeenLesion or None
        By view, then by lesion, disturbances after the lesions.

    Returns
    -------
    dict
        Valid against `truth_schema`; holds no NaN and no infinity.
    """
    patient, truth = sampled.patient, volumes.truth
    mass = _bone_mass_g(sampled.mineral, sampled.grid.voxel_ml)
    mineral = sampled.mineral * sampled.grid.voxel_ml
    areas = {
        name: math.prod(place.lattice.spacing_mm)
        for picture in pictures
        for name, place in zip(picture.names, picture.places, strict=True)
    }

    def told(k: int, lesion: Any, found: LesionTruth) -> dict[str, Any]:
        here, _ = _in_bone(sampled, sampled.voxels_of(k))
        return {
            **_words(k, lesion, found),
            **_amounts(found),
            "bone_g": _number(mass[here].sum()),
            "mineral_share_percent": _number(100 * mineral[here].sum() / max(mineral.sum(), 1e-9)),
            "views": {name: _view(own[k], areas[name]) for name, own in seen.items() if own[k] is not None},
        }

    count = len(patient.lesions)
    return {
        "schema_version": SCHEMA_VERSION,
        "intended_use": "The truth of a simulated study. No patient. No reader opens it.",
        **facts,
        "person": _person(patient.person),
        "injection": {
            "radiopharmaceutical": patient.tracer.name,
            "activity_mbq": _number(patient.injected_mbq),
            "physiology": {name: _plain(getattr(patient.physiology, name)) for name in patient.physiology.__slots__},
        },
        "time_h": _number(truth.time_h),
        "shares": {name: _number(share) for name, share in truth.shares.items()},
        "grid": {
            "shape": list(sampled.grid.shape),
            "spacing_mm": [_number(step) for step in sampled.grid.spacing_mm],
            "origin_mm": [_number(value) for value in sampled.grid.origin_mm],
        },
        "pictures": [_picture(picture, v) for picture in pictures for v in range(len(picture.names))],
        "skeleton": {
            "volume_ml": _number(len(sampled.index) * sampled.grid.voxel_ml),
            "mineral_g": _number(mineral.sum()),
            "bone_g": _number(mass.sum()),
            "activity_kbq": _number(sum(bone.activity_kbq for bone in truth.bones.values())),
        },
        "burden": _burden(sampled, mineral, mass),
        "bones": [
            {
                "bone": name,
                "region": bone_named(name).region,
                "volume_ml": _number(bone.volume_ml),
                "mineral_g": _number(bone.mineral_g),
                "activity_kbq": _number(bone.activity_kbq),
                "suv_mean": _number(bone.suv_mean),
                "suv_max": _number(bone.suv_max),
                "centre_mm": [_number(value) for value in bone.centre_mm],
            }
            for name, bone in truth.bones.items()
        ],
        "lesions": [
            told(k, lesion, found) for k, (lesion, found) in enumerate(zip(patient.lesions, truth.lesions, strict=True))
        ],
        "disturbances": [
            told(count + k, lesion, found)
            for k, (lesion, found) in enumerate(zip(patient.disturbances, truth.disturbances, strict=True))
        ],
    }


def _burden(sampled: SampledPatient, mineral_g: Array, bone_g: Array) -> dict[str, Any]:
    """Share of the skeleton's mass in voxels of metastases, each voxel counted once."""
    own = np.zeros(len(sampled.index), dtype=bool)
    for k, lesion in enumerate(sampled.patient.lesions):
        if isinstance(lesion, Lesion) and lesion.is_metastasis:
            own[_in_bone(sampled, sampled.voxels_of(k))[0]] = True
    return {
        "bone_scan_index_percent": _number(100 * mineral_g[own].sum() / max(mineral_g.sum(), 1e-9)),
        "bone_scan_index_by_bone_mass_percent": _number(100 * bone_g[own].sum() / max(bone_g.sum(), 1e-9)),
        "metastases": sum(isinstance(one, Lesion) and one.is_metastasis for one in sampled.patient.lesions),
    }


def _bone_mass_g(mineral_g_per_ml: Array, voxel_ml: float) -> Array:
    """Mineral and the marrow between it, by voxel of bone."""
    marrow = MARROW_G_PER_ML * (1 - mineral_g_per_ml / MINERAL_BONE_G_PER_ML)
    return np.asarray((mineral_g_per_ml + marrow) * voxel_ml)


def _in_bone(sampled: SampledPatient, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Places of voxels along the sampled patient's arrays of bone, and which of them are bone."""
    own = np.isin(index, sampled.index, assume_unique=True)
    return np.searchsorted(sampled.index, index[own]), own


def _person(person: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "from_outside": not isinstance(person, Person),
        "sex": person.sex,
        "age_years": _number(person.age_years),
        "mass_kg": _number(person.mass_kg),
        "handedness": person.handedness,
        "stature_mm": None,
        "girth": None,
        "bladder_ml": None,
        "pose": {},
    }
    if isinstance(person, Person):
        told |= {name: _number(getattr(person, name)) for name in ("stature_mm", "girth", "bladder_ml")}
        pose = zip(FREEDOMS, person.pose, strict=False)
        told["pose"] = {freedom.name: _number(float(value)) for freedom, value in pose if value}
    return told


def _picture(picture: PlanarPicture, v: int) -> dict[str, Any]:
    place = picture.places[v]
    return {
        "name": picture.names[v],
        "object": picture.file_name,
        "view": place.name.value,
        "rows": place.lattice.shape[0],
        "columns": place.lattice.shape[1],
        "row_spacing_mm": _number(place.lattice.spacing_mm[0]),
        "column_spacing_mm": _number(place.lattice.spacing_mm[1]),
        "top_mm": _number(place.lattice.top_mm),
        "left_mm": _number(place.side * place.lattice.left_mm + place.axis_x_mm),
        "time_h": _number(picture.time_h),
        "counts_expected": _number(float(picture.expected[v].sum(dtype=np.float64))),
        "counts": _number(float(picture.counts[v].sum(dtype=np.float64))),
    }


def _words(k: int, lesion: Any, found: LesionTruth) -> dict[str, Any]:
    known = isinstance(lesion, Lesion)
    return {
        "number": k + 1,
        "id": found.id,
        "kind": found.kind,
        "nature": lesion.kind.nature.value if known else None,
        "metastasis": known and lesion.is_metastasis,
        "label": lesion.label if known else "",
        "bone": found.bone,
        "age_days": _number(lesion.age_days) if known and lesion.age_days is not None else None,
        "contrast_drawn": _number(lesion.contrast) if known and lesion.contrast is not None else None,
    }


def _amounts(found: LesionTruth) -> dict[str, Any]:
    return {
        "bones": {bone: _number(volume) for bone, volume in found.bones.items()},
        "centre_mm": [_number(value) for value in found.centre_mm],
        "volume_ml": _number(found.volume_ml),
        "mineral_g": _number(found.mineral_g),
        "activity_kbq": _number(found.activity_kbq),
        "suv_mean": _number(found.suv_mean),
        "suv_max": _number(found.suv_max),
        "contrast": _number(found.contrast),
    }


def _view(seen: SeenLesion | None, pixel_mm2: float) -> dict[str, Any]:
    assert seen is not None
    rows, columns = seen.box
    return {
        "peak": {"row": seen.row, "column": seen.column, "excess_counts": _number(seen.peak_counts)},
        "box": {"top": rows.start, "bottom": rows.stop - 1, "left": columns.start, "right": columns.stop - 1},
        "area_mm2": _number(float(seen.mask.sum()) * pixel_mm2),
        "excess_counts": _number(seen.excess_counts),
        "polarity": "hot" if seen.peak_counts > 0 else "cold",
        "contrast": _number(seen.contrast),
        "snr": _number(seen.snr),
    }


def _number(value: float) -> float | None:
    """Round to seven significant digits, the precision of float32; ``None`` for what is not finite."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _number(value) if isinstance(value, float) else value


def _bone_names() -> tuple[str, ...]:
    from bonescan.anatomy.skeleton import default_skeleton

    return default_skeleton().bones


def _npz(**arrays: NDArray[Any]) -> bytes:
    """A compressed NumPy archive; quickly, as most of a volume is air."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, values in arrays.items():
            plain = io.BytesIO()
            np.lib.format.write_array(plain, np.ascontiguousarray(values), allow_pickle=False)
            own = zipfile.ZipInfo(f"{name}.npy")  # of a fixed date, so that the same study gives the same bytes
            archive.writestr(own, plain.getbuffer(), zipfile.ZIP_DEFLATED, compresslevel=1)
    return buffer.getvalue()
