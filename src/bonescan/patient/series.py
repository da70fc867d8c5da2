"""The same person at a later study: laid down anew, some lesions grown, faded, gone, some new; and which is which.

A later study keeps the person, its normal uptake and every unchanged lesion to the number. Anew, as on another day, are
the positioning (each turn of a joint moves by `_REPOSITIONED` of the spread between people; lengths and the spine's
curve stay), the weight (2 %), the bladder, the activity, what was voided, and what lay on the skin or beside the vein.
All bones together may take up a little more or less, and every bone for itself (`_DRIFT`).

What becomes of a lesion is drawn by its nature:

- metastases: by one of four courses of the whole person (stable, progress, response, mixed), each lesion for itself;
  a growing one is wider and takes up more, a fading one less, one that is gone is healthy bone again;
- fractures and other injuries: fading;
- all else: unchanged.

New metastases are drawn as the first were. All shares and factors are bonescan's own design [D]: they make every kind
of change, clear and subtle ones, rather than any disease's true mixture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import FREEDOMS
from bonescan.errors import InvalidValue
from bonescan.patient.lesions import Lesion, LesionKind, Nature
from bonescan.patient.lesions.malignant import metastasis
from bonescan.patient.person import Person
from bonescan.patient.uptake import NormalUptake
from bonescan.patient.volumes import Patient
from bonescan.tracer.biokinetics import draw_physiology

__all__ = ["Course", "LaterStudy", "later_study"]

_REPOSITIONED = 0.35
_DRIFT = 0.04  # of each bone's uptake, standard deviation of the logarithm
_INJECTED = 0.06
_MASS = 0.02
_WORN = frozenset({LesionKind.PACEMAKER, LesionKind.BREAST_PROSTHESIS})  # disturbances that stay with the person


class Course(StrEnum):
    """What became of a lesion since the study before."""

    UNCHANGED = "unchanged"
    GROWN = "grown"
    FADED = "faded"
    GONE = "gone"
    NEW = "new"


# Share of each course of a person, and in it of metastases that grow, fade or go, and the mean number of new ones.
_PEOPLE = ("stable", "progress", "response", "mixed")
_METASTASES = {
    "stable": (0.0, 0.0, 0.0, 0.0),
    "progress": (0.35, 0.0, 0.0, 3.5),
    "response": (0.0, 0.35, 0.35, 0.0),
    "mixed": (0.2, 0.2, 0.15, 1.5),
}
_BY_DRAW = (Course.GROWN, Course.FADED, Course.GONE, Course.UNCHANGED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LaterStudy:
    """A person at a later study, and what became of the lesions.

    Parameters
    ----------
    patient : Patient
        Lesions keep the ids they had.
    course : mapping of str to Course
        By lesion id, those that are gone too.
    """

    patient: Patient
    course: dict[str, Course]


def later_study(patient: Patient, seed: np.random.SeedSequence, *, time_h: float) -> LaterStudy:
    """The next study of a person.

    Parameters
    ----------
    patient : Patient
        At the study before.
    seed : numpy.random.SeedSequence
    time_h : float
        From injection to the scan.

    Returns
    -------
    LaterStudy

    Raises
    ------
    InvalidValue
        For a body from outside, whose pose is given.
    """
    person = patient.person
    if not isinstance(person, Person):
        raise InvalidValue("A body from outside keeps its pose: a later study needs a drawn person.")
    on_table, on_day, of_disease = (np.random.default_rng(child) for child in seed.spawn(3))
    person = _laid_anew(person, on_table)
    drawn = draw_physiology(
        on_day, sex=person.sex, age_years=person.age_years, mass_kg=person.mass_kg, imaging_h=max(time_h, 1.0)
    )
    kept: dict[str, Any] = {
        name: getattr(patient.physiology, name)
        for name in ("gfr_ml_per_min", "cardiac_output_l_per_min", "bone_turnover")
    }
    course, lesions = _disease(patient.lesions, of_disease)
    uptake = NormalUptake(
        bones=patient.uptake.bones * np.exp(on_day.normal(0, _DRIFT, len(patient.uptake.bones))),
        places=patient.uptake.places * np.exp(on_day.normal(0, _DRIFT, len(patient.uptake.places))),
    )
    after = replace(
        patient,
        person=person,
        physiology=replace(drawn, extravasated_fraction=0.0, **kept),
        injected_mbq=round(patient.injected_mbq * float(np.exp(on_day.normal(0, _INJECTED)))),
        lesions=lesions,
        disturbances=tuple(one for one in patient.disturbances if one.kind in _WORN),
        uptake=uptake,
    )
    return LaterStudy(patient=after, course=course)


def _laid_anew(person: Person, rng: np.random.Generator) -> Person:
    pose: NDArray[np.float64] = np.array(person.pose, dtype=float)
    for k, freedom in enumerate(FREEDOMS[: len(pose)]):
        moved = rng.normal(0, _REPOSITIONED * freedom.spread)
        if freedom.name.endswith("_rad"):
            pose[k] += moved
    laid = replace(person, pose=pose, bladder_ml=float(np.clip(rng.lognormal(np.log(120), 0.6), 20, 600)))
    try:
        return replace(laid, mass_kg=person.mass_kg * float(np.exp(rng.normal(0, _MASS))))
    except InvalidValue:  # a body at the edge of what there is keeps its weight
        return laid


def _disease(lesions: tuple[Any, ...], rng: np.random.Generator) -> tuple[dict[str, Course], tuple[Any, ...]]:
    metastases = [one for one in lesions if isinstance(one, Lesion) and one.is_metastasis and one.focal]
    grow, fade, go, fresh = _METASTASES[str(rng.choice(_PEOPLE))] if metastases else (0.0, 0.0, 0.0, 0.0)
    course: dict[str, Course] = {}
    after: list[Any] = []
    for one in lesions:
        which = Course.UNCHANGED
        if one in metastases:
            which = _BY_DRAW[int(np.searchsorted(np.cumsum((grow, fade, go)), rng.random(), side="right"))]
        elif isinstance(one, Lesion) and one.kind.nature is Nature.TRAUMA:
            which = Course.FADED
        course[one.id] = which
        if which is not Course.GONE:
            after.append(_changed(one, which, rng))
    used = [int(one.id.rpartition("-")[2]) for one in lesions]
    count = int(rng.poisson(fresh))
    for k, one in enumerate(metastasis(rng, count=count) if count else ()):
        number = max(used, default=0) + 1 + k
        course[f"lesion-{number}"] = Course.NEW
        after.append(replace(one, id=f"lesion-{number}"))
    return course, tuple(after)


def _changed(lesion: Any, course: Course, rng: np.random.Generator) -> Any:
    """A lesion after its course: half-axes times a factor, uptake above normal bone times another."""
    if course is Course.UNCHANGED:
        return lesion
    grown = course is Course.GROWN
    width = rng.uniform(1.15, 1.5) if grown else 1.0
    excess = rng.uniform(1.4, 2.2) if grown else rng.uniform(0.25, 0.55)
    foci = tuple(
        replace(
            focus,
            axes_mm=np.asarray(focus.axes_mm) * width,
            uptake_factor=max(0.0, 1 + (focus.uptake_factor - 1) * excess),
        )
        for focus in lesion.foci
    )
    contrast = None if lesion.contrast is None else max(0.0, 1 + (lesion.contrast - 1) * excess)
    return replace(lesion, foci=foci, contrast=contrast, label=f"{lesion.label}, {course}")
