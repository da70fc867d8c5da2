"""Scenarios: a patient as far as it is told, from the person to what misleads, and how two are put together.

A scenario says only what matters to it; all else is drawn. One seed gives one patient: person, uptake, and every
finding have their own stream of random numbers, so that adding a disturbance moves nothing else. The file format is
explained in the documentation, page "Scenarios".
"""

from __future__ import annotations

import inspect
import math
import reprlib
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import FREEDOMS
from bonescan.errors import InvalidValue
from bonescan.patient.lesions import disorders, disturbances, fractures, joints, malignant, shadows, surgery
from bonescan.patient.lesions.lesion import Lesion, LesionKind, Nature
from bonescan.patient.lesions.shadows import Skin
from bonescan.patient.person import Person, draw_build, draw_person, pose_limits
from bonescan.patient.uptake import draw_uptake
from bonescan.patient.volumes import Patient, Subject
from bonescan.tracer.activity import ADULT_FROM_YEARS, prescribe
from bonescan.tracer.biokinetics import Physiology, draw_physiology, kinetics
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical

__all__ = [
    "BUILDERS",
    "Finding",
    "Motion",
    "Protocol",
    "Scenario",
    "build",
    "check_pose",
    "compose",
    "physiology_of",
]

BUILDERS: Mapping[str, Callable[..., tuple[Lesion, ...]]] = types.MappingProxyType(
    {
        kind.value: getattr(room, kind.value)
        for kind in LesionKind
        for room in (malignant, fractures, surgery, joints, disorders, disturbances, shadows)
        if hasattr(room, kind.value)
    }
)
"""What makes each kind of lesion or disturbance, by its name in a scenario."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One entry of a scenario's lesions or disturbances: a kind, and what is told about it.

    Parameters
    ----------
    kind : str
        Key of `BUILDERS`.
    told : mapping
        Arguments of its builder; what is missing is drawn.
    """

    kind: str
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """The patient moves while the camera passes from head to feet.

    Parameters
    ----------
    at_fraction : float
        How far the pass has come, 0 to 1.
    pose : mapping of str to float
        Freedom of the pose (`bonescan.anatomy.pose.FREEDOMS`) and by how much it changes, in its unit.

    Raises
    ------
    InvalidValue
        For a value outside its range or an unknown freedom.
    """

    at_fraction: float
    pose: Mapping[str, float]

    def __post_init__(self) -> None:
        if not 0 <= self.at_fraction <= 1:
            raise InvalidValue(f"A motion happens at 0 to 1 of the pass, got {self.at_fraction!r}.")
        check_pose(self.pose)

    def moved(self, person: Person) -> Person:
        """The person after it.

        Parameters
        ----------
        person : Person

        Returns
        -------
        Person
        """
        return replace(person, pose=_with_pose(person.pose, self.pose))


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """When and how the patient is imaged.

    Parameters
    ----------
    time_h : float
        From injection to the scan, more than 0 to 48.
    motions : tuple of Motion
        In the order they happen.

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    time_h: float = 3.0
    motions: tuple[Motion, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.time_h <= 48:
            raise InvalidValue(f"time_h lies between 0 and 48, got {self.time_h!r}.", got=self.time_h)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A patient as far as it is told; made by `read_scenario`.

    Parameters
    ----------
    title : str
        A few words.
    shows : str
        What a reader should see in the scan.
    tracer : str
        One of `bonescan.tracer.radiopharmaceuticals.RADIOPHARMACEUTICALS`.
    injected_mbq : float, optional
        Where it is not told, drawn between 500 and 740 MBq for an adult; for a child, or of fluoride, as the EANM's
        rules say.
    person, physiology, protocol : mapping
        What is told of each.
    lesions, disturbances : tuple of Finding
    """

    title: str = ""
    shows: str = ""
    tracer: str = "Tc-99m MDP"
    injected_mbq: float | None = None
    person: Mapping[str, Any] = field(default_factory=dict)
    physiology: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    lesions: tuple[Finding, ...] = ()
    disturbances: tuple[Finding, ...] = ()

    def imaging(self) -> Protocol:
        """When and how the patient is imaged.

        Returns
        -------
        Protocol
        """
        told = dict(self.protocol)
        return Protocol(
            time_h=told.get("time_h", 3.0), motions=tuple(Motion(**motion) for motion in told.get("motions", ()))
        )

    def patient(self, seed: int | np.random.SeedSequence, body: Subject | None = None) -> Patient:
        """The patient of a seed.

        Parameters
        ----------
        seed : int or numpy.random.SeedSequence
            At least 0.
        body : Subject, optional
            Takes the place of the person that would be drawn, e.g. a body from outside; what is told of a person then
            has no meaning.

        Returns
        -------
        Patient
            The same for the same scenario and seed.

        Raises
        ------
        InvalidValue
            Where what is told contradicts itself or what is drawn, e.g. a mass no such body can have.
        """
        if isinstance(seed, int) and seed < 0:
            raise InvalidValue(f"A seed is at least 0, got {seed}.", got=seed)
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)

        def stream(*key: int) -> np.random.Generator:
            return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *key)))

        person: Subject = _person(self.person, stream(6), stream(0)) if body is None else body
        physiology = physiology_of(self.physiology, person, self.imaging().time_h, stream(1))
        tracer = radiopharmaceutical(self.tracer)
        if not tracer.nuclide.name.startswith("Tc"):  # what is drawn of labelling concerns technetium alone
            impure = ("free_pertechnetate_fraction", "colloid_fraction")
            physiology = replace(physiology, **{name: self.physiology.get(name, 0.0) for name in impure})
        kinetics(tracer, physiology)  # refuses what is told and cannot be
        injected = self.injected_mbq
        if injected is None:
            injected = _injected_mbq(self.tracer, person, stream(2))
        skin = Skin(sex=person.sex, girth=person.girth if isinstance(person, Person) else 1.0)
        made = [
            [lesion for k, finding in enumerate(findings) for lesion in build(finding, stream(role, k), skin)]
            for role, findings in ((3, self.lesions), (4, self.disturbances))
        ]
        return Patient(
            person=person,
            tracer=tracer,
            physiology=physiology,
            injected_mbq=injected,
            lesions=_numbered(_left_by_surgery(made[0]), "lesion"),
            disturbances=_numbered(made[1], "disturbance"),
            uptake=draw_uptake(stream(5)),
        )


# Of technetium to an adult: within the EANM's 300 to 740 MBq, up to where the SNMMI's 740 to 1110 begin [V]; 500 as in
# European labels.
_INJECTED_MBQ = (500.0, 740.0)


def _injected_mbq(tracer: str, person: Subject, rng: np.random.Generator) -> float:
    """An activity as it is usual for an adult, or as the EANM's rules say for a child or for fluoride."""
    low, high = _INJECTED_MBQ
    if person.age_years < ADULT_FROM_YEARS or radiopharmaceutical(tracer).nuclide.name != "Tc-99m":
        rule = prescribe(mass_kg=person.mass_kg, age_years=person.age_years, tracer=tracer)
        low, high = rule.low_mbq, rule.high_mbq
    return round(float(rng.uniform(low, high)))


_DRAWN = ("sex", "age_years", "stature_mm", "bmi", "arms")


def _person(told: Mapping[str, Any], first_rng: np.random.Generator, rng: np.random.Generator) -> Person:
    # drawn in two steps, so that telling an age or a build changes nothing else about the person of a seed; a child's
    # age is told at once, as stature and build come with it
    age = told.get("age_years", math.inf)
    first = draw_build(first_rng, sex=told.get("sex"), age_years=age if age < ADULT_FROM_YEARS else None)
    first["bmi"] = first["mass_kg"] / (first["stature_mm"] / 1000) ** 2
    del first["mass_kg"]
    person = draw_person(rng, **{**first, **{key: told[key] for key in _DRAWN if key in told}})
    if "bmi" in told and abs(person.bmi - told["bmi"]) > 0.05:
        raise InvalidValue(
            f"No body here has a body mass index of {told['bmi']:g}: at this sex, age and stature the nearest is "
            f"{person.bmi:.1f}.",
            got=told["bmi"],
            expected=person.bmi,
        )
    changes: dict[str, Any] = {key: told[key] for key in ("mass_kg", "handedness", "bladder_ml") if key in told}
    if "pose" in told:
        changes["pose"] = _with_pose(person.pose, told["pose"], absolute=True)
    return replace(person, **changes)


def _with_pose(pose: NDArray[np.float64], told: Mapping[str, float], absolute: bool = False) -> NDArray[np.float64]:
    place = {freedom.name: k for k, freedom in enumerate(FREEDOMS)}
    out = np.zeros(len(FREEDOMS))
    out[: len(pose)] = pose
    for name, value in told.items():
        out[place[name]] = value if absolute else out[place[name]] + value
    return out


def check_pose(told: Mapping[str, Any]) -> None:
    """Refuse a pose with an unknown freedom, or a value that is no number or beyond its limit.

    Parameters
    ----------
    told : mapping
        Freedom of the pose to value.

    Raises
    ------
    InvalidValue
        Naming what is wrong.
    """
    limits = dict(zip((freedom.name for freedom in FREEDOMS), pose_limits().tolist(), strict=True))
    for name, value in told.items():
        if name not in limits:
            raise InvalidValue(
                f"A pose has no freedom {reprlib.repr(name)}; there are e.g. 'head.turn_rad', 'spine.curve_1_mm'."
            )
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) <= limits[name]:
            raise InvalidValue(
                f"The freedom {name!r} of a pose is a number within +/- {limits[name]:.4g}, got {reprlib.repr(value)}."
            )


def physiology_of(told: Mapping[str, Any], person: Subject, time_h: float, rng: np.random.Generator) -> Physiology:
    """The physiology of a person: what is told, and the rest drawn.

    Parameters
    ----------
    told : mapping
        Fields of `bonescan.tracer.biokinetics.Physiology`.
    person : Subject
    time_h : float
        Of the scan, before which the bladder is emptied.
    rng : numpy.random.Generator

    Returns
    -------
    Physiology
    """
    drawn = draw_physiology(
        rng, sex=person.sex, age_years=person.age_years, mass_kg=person.mass_kg, imaging_h=max(time_h, 1.0)
    )
    # what goes beside the vein is a disturbance with a place: none is drawn here
    return replace(drawn, **{"extravasated_fraction": 0.0, **told})


def build(finding: Finding, rng: np.random.Generator, skin: Skin) -> tuple[Lesion, ...]:
    """The lesions of one entry.

    Parameters
    ----------
    finding : Finding
    rng : numpy.random.Generator
    skin : Skin
        Of the person, for what is worn on it.

    Returns
    -------
    tuple of Lesion
    """
    builder = BUILDERS[finding.kind]
    given = {"skin": skin} if "skin" in inspect.signature(builder).parameters else {}
    return builder(rng, **given, **finding.told)


def _left_by_surgery(lesions: list[Lesion]) -> list[Lesion]:
    """Lesions without those whose bone a surgeon has taken away: drawn where a prosthesis lies or a limb is missing."""
    removed = [
        focus for lesion in lesions if lesion.kind.nature is Nature.SURGERY for focus in lesion.foci if focus.tissue
    ]

    def gone(lesion: Lesion) -> bool:
        return lesion.focal and all(
            any(
                np.linalg.norm(np.linalg.solve(focus.axes_mm, own.centre_mm - focus.centre_mm)) <= 1
                for focus in removed
            )
            for own in lesion.foci
        )

    return [lesion for lesion in lesions if lesion.kind.nature is Nature.SURGERY or not gone(lesion)]


def _numbered(lesions: list[Lesion], word: str) -> tuple[Lesion, ...]:
    return tuple(replace(lesion, id=f"{word}-{k + 1}") for k, lesion in enumerate(lesions))


def compose(*scenarios: Scenario) -> Scenario:
    """Put scenarios together: lesions, disturbances and motions add up; of single values the last one told holds.

    Parameters
    ----------
    *scenarios : Scenario

    Returns
    -------
    Scenario
    """
    whole = Scenario()
    for one in scenarios:
        protocol = {**whole.protocol, **one.protocol}
        motions = (*whole.protocol.get("motions", ()), *one.protocol.get("motions", ()))
        if motions:
            protocol["motions"] = motions
        person = {**whole.person, **one.person}
        if "pose" in whole.person and "pose" in one.person:
            person["pose"] = {**whole.person["pose"], **one.person["pose"]}
        for told, instead in (("bmi", "mass_kg"), ("mass_kg", "bmi")):
            if told in one.person and instead not in one.person:
                person.pop(instead, None)
        whole = Scenario(
            title=", ".join(part for part in (whole.title, one.title) if part),
            shows=" ".join(part for part in (whole.shows, one.shows) if part),
            tracer=one.tracer if one.tracer != Scenario().tracer else whole.tracer,
            injected_mbq=whole.injected_mbq if one.injected_mbq is None else one.injected_mbq,
            person=person,
            physiology={**whole.physiology, **one.physiology},
            protocol=protocol,
            lesions=whole.lesions + one.lesions,
            disturbances=whole.disturbances + one.disturbances,
        )
    return whole
