"""A scan for teaching: a packaged scenario with its sliders set, seen by a camera at once, and the truth beside it.

::

    Lesson ─► patient, lesions scaled ─► voxels ─► fast camera ─► counts, objects, truth

The same person stays under the camera while a slider moves: one seed gives one person, and what no slider says is drawn
from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from bonescan.errors import InvalidValue
from bonescan.journeys.clinic import Progress, versions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bonescan.patient import Patient

__all__ = ["FINE_MM", "LESSON_LIMITS", "QUICK_MM", "Lesson", "TaughtScan", "read_taught", "taught_scan"]

QUICK_MM, FINE_MM = 8.0, 4.0
"""Edges of the voxels of a first look, and of the scan that is kept [D]."""

_INJECTED_AT = datetime(2026, 1, 15, 9, 0)
LESSON_LIMITS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "activity_mbq": (50.0, 1500.0),
        "time_h": (0.5, 24.0),
        "speed_cm_per_min": (4.0, 40.0),
        "counts": (2e4, 2e7),
        "distance_mm": (5.0, 250.0),
        "contrast_times": (0.0, 4.0),
        "age_years": (18.0, 95.0),
        "bmi": (17.0, 45.0),
    }
)
"""How far each slider goes: what a person, a camera or a department can be, generously [D]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What a scan for teaching is made of.

    Parameters
    ----------
    scenario : str
        A packaged one.
    seed : int
        Whose body it is.
    camera : str
        One of `bonescan.camera.cameras.CAMERAS`.
    activity_mbq, time_h : float or None
        Injected, and from there to the scan; the scenario's own where not told.
    speed_cm_per_min : float
        Of the pass.
    counts : float or None
        Mean of the two views' expected counts, whatever activity, time and speed would give.
    distance_mm : float
        From the skin to the collimators; behind, mattress and table lie between, so that it is never under 45 mm.
    contrast_times : float
        What the lesions take up beyond normal bone, times so much: 0 hides them, 1 leaves them.
    age_years, bmi : float or None
        Of the person; drawn, or as the scenario has it, where not told.

    Raises
    ------
    InvalidValue
        For a value out of its range.
    """

    scenario: str
    seed: int = 1
    camera: str = "symbia_lehr"
    activity_mbq: float | None = None
    time_h: float | None = None
    speed_cm_per_min: float = 12.0
    counts: float | None = None
    distance_mm: float = 20.0
    contrast_times: float = 1.0
    age_years: float | None = None
    bmi: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 10**6:
            raise InvalidValue(f"A lesson's seed lies between 0 and 999999, got {self.seed}.", got=self.seed)
        for name, (low, high) in LESSON_LIMITS.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise InvalidValue(f"{name} lies between {low:g} and {high:g} in a lesson, got {value:g}.", got=value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaughtScan:
    """What the camera saw, and what was there.

    Parameters
    ----------
    lesson : Lesson
    spacing_mm : float
        Edge of a voxel.
    views : mapping of str to ndarray
        Counts by view, (row, column) of uint16.
    pixel_mm : float
    files : mapping of str to bytes
        DICOM objects as a camera would send them.
    lesions : mapping of str to ndarray
        By view: number of the lesion or 0, (row, column) of uint8.
    facts : mapping
        In plain values: title, what it shows, the person, activity, time, lesions with their place, burden.
    """

    lesson: Lesson
    spacing_mm: float
    views: Mapping[str, NDArray[np.uint16]]
    pixel_mm: float
    files: Mapping[str, bytes]
    lesions: Mapping[str, NDArray[np.uint8]]
    facts: Mapping[str, Any]


def taught_scan(lesson: Lesson, *, spacing_mm: float = FINE_MM, progress: Progress = lambda _: None) -> TaughtScan:
    """Simulate a whole-body scan for teaching.

    Parameters
    ----------
    lesson : Lesson
    spacing_mm : float
        Edge of a voxel: `QUICK_MM` for a first look, else `FINE_MM`.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    TaughtScan

    Raises
    ------
    InvalidValue
        For a scenario or camera that is not there, or a body that cannot be, e.g. of that index of mass.
    """
    progress("Drawing the patient")
    import numpy as np

    from bonescan.camera.cameras import camera
    from bonescan.camera.fast import scatter_by_kernel
    from bonescan.camera.protocols import Table, WholeBody
    from bonescan.journeys.excess import lesion_map, seen_lesions
    from bonescan.journeys.imaging import Session, take
    from bonescan.journeys.truth import truth_record
    from bonescan.patient import packaged_scenario, scenario_names
    from bonescan.patient.volumes import volumes_at

    if lesson.scenario not in scenario_names():
        raise InvalidValue(f"There is no scenario {lesson.scenario!r} to teach with.", got=lesson.scenario)
    told = packaged_scenario(lesson.scenario)
    person = {key: value for key, value in told.person.items() if key != "mass_kg" or lesson.bmi is None}
    person |= {key: value for key in ("age_years", "bmi") if (value := getattr(lesson, key)) is not None}
    protocol = dict(told.protocol) | ({} if lesson.time_h is None else {"time_h": lesson.time_h})
    injected = told.injected_mbq if lesson.activity_mbq is None else lesson.activity_mbq
    told = replace(told, person=person, protocol=protocol, injected_mbq=injected)
    root = np.random.SeedSequence(lesson.seed)
    patient = _scaled(told.patient(root), lesson.contrast_times)
    if patient.tracer.nuclide.name != "Tc-99m":
        raise InvalidValue("These cameras count technetium; the scenario has another tracer.", got=patient.tracer.name)
    imaging = told.imaging()
    progress("Laying the patient into voxels")
    poses = [patient]
    for motion in imaging.motions:
        poses.append(replace(patient, person=motion.moved(poses[-1].person)))  # type: ignore[arg-type]
    sampled = tuple(one.sampled(spacing_mm) for one in poses)
    volumes = volumes_at(sampled[0], imaging.time_h)
    session = Session(
        poses=sampled,
        begins=(0.0, *(motion.at_fraction for motion in imaging.motions)),
        truth=volumes.truth,
        camera=camera(lesson.camera),
        protocol=WholeBody(
            speed_mm_per_s=lesson.speed_cm_per_min / 6,
            clearance_mm=lesson.distance_mm,
            table=Table(gap_mm=max(Table().gap_mm, lesson.distance_mm - Table().thickness_mm)),
        ),
        time_h=imaging.time_h,
        counts=lesson.counts,
        over=(),
        scatter=scatter_by_kernel,
        histories=1000,
        dialect="standard",
        patient=_told_person(patient, lesson.seed),
        injected_at=_INJECTED_AT,
        description="Bone scan for teaching, simulated",
        key=json.dumps(asdict(lesson)),
        seeds=np.random.SeedSequence(root.entropy, spawn_key=(100,)),
    )
    (taken,) = take(session, progress)
    picture = taken.picture
    assert picture is not None
    progress("Working out the truth")
    by_lesson = seen_lesions(picture.poses, picture.time_h, picture.places, tuple(picture.expected), picture.primary)
    seen = {name: tuple(own[v] for own in by_lesson) for v, name in enumerate(picture.names)}
    record = truth_record({}, sampled[0], volumes, [picture], seen)
    count = len(patient.lesions)
    return TaughtScan(
        lesson=lesson,
        spacing_mm=spacing_mm,
        views={name: np.minimum(picture.counts[v], 65535).astype(np.uint16) for v, name in enumerate(picture.names)},
        pixel_mm=float(picture.places[0].lattice.spacing_mm[0]),
        files=dict(taken.files),
        lesions={
            name: lesion_map(picture.places[v].lattice.shape, seen[name][:count]).astype(np.uint8)
            for v, name in enumerate(picture.names)
        },
        facts=_facts(told.title, told.shows, record),
    )


def read_taught(objects: Path, progress: Progress = lambda _: None) -> dict[str, Any]:
    """Read a scan for teaching as any other: the reader sees its objects and nothing else.

    Parameters
    ----------
    objects : Path
        Folder with `TaughtScan.files`.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    dict
        As ``reading.json``.

    Raises
    ------
    UnreadableInput, NotABoneScan, LabellingFailed
        Where it cannot be read, e.g. with next to no counts.
    """
    progress("Opening the files")
    from bonescan import dicom, reading
    from bonescan.report.maps import finding_map
    from bonescan.report.record import reading_record

    result = reading.read(dicom.open_scan([objects]), progress=progress)
    return reading_record(result, {view.name: finding_map(view, result.findings) for view in result.scan.views})


def _scaled(patient: Patient, times: float) -> Patient:
    """The patient with lesions that differ more or less from normal bone."""
    if times == 1:
        return patient
    lesions = tuple(
        replace(
            cast("Any", lesion),
            foci=tuple(
                replace(
                    focus,
                    uptake_factor=max(0.0, 1 + times * (focus.uptake_factor - 1)),
                    core_factor=max(0.0, 1 + times * (focus.core_factor - 1)),
                    added_fraction=min(1.0, times * focus.added_fraction),
                )
                for focus in lesion.foci
            ),
        )
        for lesion in patient.lesions
    )
    return replace(patient, lesions=lesions)


def _told_person(patient: Patient, seed: int) -> Any:
    from bonescan.scan import PatientFacts

    person = patient.person
    stature = getattr(person, "stature_mm", None)
    return PatientFacts(
        name=f"Simulated^Lesson {seed}",
        patient_id=f"SIMULATED-LESSON-{seed}",
        sex=person.sex[0].upper(),
        age_years=float(int(person.age_years)),
        stature_m=None if stature is None else round(stature / 1000, 2),
        weight_kg=round(person.mass_kg, 1),
    )


def _facts(title: str, shows: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """What a student is told of the truth."""
    person = record["person"]
    stature_m = (person["stature_mm"] or 0.0) / 1000
    return {
        "title": title,
        "shows": shows.strip(),
        "person": {
            "sex": person["sex"],
            "age_years": math.floor(person["age_years"]),
            "mass_kg": round(person["mass_kg"], 1),
            "bmi": round(person["mass_kg"] / stature_m**2, 1) if stature_m else None,
        },
        "activity_mbq": record["injection"]["activity_mbq"],
        "radiopharmaceutical": record["injection"]["radiopharmaceutical"],
        "time_h": record["time_h"],
        "counts": {one["name"]: one["counts"] for one in record["pictures"]},
        "bone_scan_index_percent": record["burden"]["bone_scan_index_percent"],
        "lesions": [_lesion(one) for one in record["lesions"]],
        "disturbances": [_lesion(one) for one in record["disturbances"]],
        "versions": versions(),
    }


def _lesion(one: Mapping[str, Any]) -> dict[str, Any]:
    """A lesion in a few words; seen where an ideal observer would see it: five standard deviations of chance."""
    return {
        "number": one["number"],
        "label": one["label"] or one["kind"].replace("_", " "),
        "metastasis": one["metastasis"],
        "contrast": one["contrast"],
        "snr": {name: view["snr"] for name, view in one["views"].items()},
    }
