"""Scenarios: a patient told in a readable TOML file, from the person to what misleads, and how two are put together.

A scenario says only what matters to it; all else is drawn. One seed gives one patient: person, uptake, and every
finding have their own stream of random numbers, so that adding a disturbance moves nothing else. The format is
explained in the documentation, page "Scenarios".
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import FREEDOMS
from bonescan.errors import InvalidValue
from bonescan.patient import disorders, disturbances, injuries, malignant
from bonescan.patient.disturbances import Skin, skin_of
from bonescan.patient.lesions import Lesion, LesionKind, Nature
from bonescan.patient.person import Person, draw_person
from bonescan.patient.uptake import draw_uptake
from bonescan.patient.volumes import Patient
from bonescan.tracer.biokinetics import Physiology, draw_physiology
from bonescan.tracer.radiopharmaceuticals import RADIOPHARMACEUTICALS, radiopharmaceutical

__all__ = [
    "BUILDERS",
    "Finding",
    "Motion",
    "Protocol",
    "Scenario",
    "compose",
    "packaged_scenario",
    "read_scenario",
    "scenario_names",
]

BUILDERS: Mapping[str, Callable[..., tuple[Lesion, ...]]] = types.MappingProxyType(
    {
        kind.value: getattr(room, kind.value)
        for kind in LesionKind
        for room in (malignant, injuries, disorders, disturbances)
        if hasattr(room, kind.value)
    }
)
"""What makes each kind of lesion or disturbance, by its name in a scenario."""

_GIVEN = ("rng", "skin", "kind")  # a builder's arguments that no file sets


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
        _check_pose(self.pose)

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
        Drawn between 500 and 740 MBq where it is not told.
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

    def patient(self, seed: int | np.random.SeedSequence) -> Patient:
        """The patient of a seed.

        Parameters
        ----------
        seed : int or numpy.random.SeedSequence

        Returns
        -------
        Patient
            The same for the same scenario and seed.

        Raises
        ------
        InvalidValue
            Where what is told contradicts itself or what is drawn, e.g. a mass no such body can have.
        """
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)

        def stream(*key: int) -> np.random.Generator:
            return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *key)))

        person = _person(self.person, stream(6), stream(0))
        physiology = _physiology(self.physiology, person, self.imaging().time_h, stream(1))
        injected = self.injected_mbq
        if injected is None:
            injected = round(float(stream(2).uniform(*_INJECTED_MBQ)))
        skin = skin_of(person.sex, person.girth)
        made = [
            [lesion for k, finding in enumerate(findings) for lesion in _build(finding, stream(role, k), skin)]
            for role, findings in ((3, self.lesions), (4, self.disturbances))
        ]
        return Patient(
            person=person,
            tracer=radiopharmaceutical(self.tracer),
            physiology=physiology,
            injected_mbq=injected,
            lesions=_numbered(made[0], "lesion"),
            disturbances=_numbered(made[1], "disturbance"),
            uptake=draw_uptake(stream(5)),
        )


# --- from what is told to values ------------------------------------------------------------------

_INJECTED_MBQ = (
    500.0,
    740.0,
)  # within both the EANM's 300 to 740 and the SNMMI's 740 to 1110 MBq reach of practice [V]
_DRAWN = ("sex", "age_years", "stature_mm", "bmi", "arms")
_PERSON_KEYS = {
    "sex": str,
    "age_years": float,
    "stature_mm": float,
    "bmi": float,
    "mass_kg": float,
    "arms": str,
    "handedness": str,
    "bladder_ml": float,
    "pose": dict,
}


def _person(told: Mapping[str, Any], first_rng: np.random.Generator, rng: np.random.Generator) -> Person:
    # drawn in two steps, so that telling an age or a build changes nothing else about the person of a seed
    first = draw_person(first_rng, sex=told.get("sex"))
    usual = {"sex": first.sex, "age_years": first.age_years, "stature_mm": first.stature_mm, "bmi": first.bmi}
    person = draw_person(rng, **{**usual, **{key: told[key] for key in _DRAWN if key in told}})
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


def _check_pose(told: Mapping[str, Any]) -> None:
    names = {freedom.name for freedom in FREEDOMS}
    for name, value in told.items():
        if name not in names:
            raise InvalidValue(f"A pose has no freedom {name!r}; there are e.g. 'head.turn_rad', 'spine.curve_1_mm'.")
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise InvalidValue(f"The freedom {name!r} of a pose is a number, got {value!r}.")


def _physiology(told: Mapping[str, Any], person: Person, time_h: float, rng: np.random.Generator) -> Physiology:
    drawn = draw_physiology(
        rng, sex=person.sex, age_years=person.age_years, mass_kg=person.mass_kg, imaging_h=max(time_h, 1.0)
    )
    # what went beside the vein is a disturbance with a place, and told
    return replace(drawn, extravasated_fraction=0.0, **told)


def _build(finding: Finding, rng: np.random.Generator, skin: Skin) -> tuple[Lesion, ...]:
    builder = BUILDERS[finding.kind]
    given = {"skin": skin} if "skin" in inspect.signature(builder).parameters else {}
    return builder(rng, **given, **finding.told)


def _numbered(lesions: list[Lesion], word: str) -> tuple[Lesion, ...]:
    return tuple(replace(lesion, id=f"{word}-{k + 1}") for k, lesion in enumerate(lesions))


# --- reading ----------------------------------------------------------------------------------------


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with bonescan.

    Returns
    -------
    tuple of str
        In alphabetical order.

    Examples
    --------
    >>> "full_bladder" in scenario_names()
    True
    """
    folder = files("bonescan.patient").joinpath("scenarios")
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml")))


@cache
def packaged_scenario(name: str) -> Scenario:
    """A scenario that comes with bonescan.

    Parameters
    ----------
    name : str
        One of `scenario_names`.

    Returns
    -------
    Scenario

    Raises
    ------
    InvalidValue
        For another name.
    """
    if name not in scenario_names():
        raise InvalidValue(f"There is no scenario {name!r}; there are {', '.join(scenario_names())}.", got=name)
    text = files("bonescan.patient").joinpath(f"scenarios/{name}.toml").read_text(encoding="utf-8")
    return read_scenario(text, name=f"{name}.toml")


def read_scenario(text: str, *, name: str = "scenario") -> Scenario:
    """Read a scenario.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        Of the file, for messages.

    Returns
    -------
    Scenario
        With what it includes put under it, in order.

    Raises
    ------
    InvalidValue
        For text that is no TOML, an unknown key, or a value that cannot be; the message names file, key, what was
        expected and what is there.

    Examples
    --------
    >>> text = "include = ['full_bladder']\\n[[lesions]]\\nkind = 'metastasis'\\nbone = 'vertebra_l03'"
    >>> len(read_scenario(text).patient(1).lesions)
    1
    """
    try:
        told = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise InvalidValue(f"{name} is no valid TOML: {problem}.", file=name) from problem
    own = _read(told, name)
    included = [_included(item, name) for item in _typed(told.get("include", []), list[str], f"{name}: include")]
    return compose(*included, own) if included else own


def _included(item: str, name: str) -> Scenario:
    if item not in scenario_names():
        raise InvalidValue(
            f"{name}: include: expected names of packaged scenarios ({', '.join(scenario_names())}), got {item!r}.",
            file=name,
            key="include",
            got=item,
        )
    return packaged_scenario(item)


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
        if "bmi" in one.person and "mass_kg" not in one.person:
            person.pop("mass_kg", None)
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


_TABLES = {
    "title": str,
    "shows": str,
    "include": list[str],
    "tracer": str,
    "injected_mbq": float,
    "person": dict,
    "physiology": dict,
    "protocol": dict,
    "lesions": list[dict],
    "disturbances": list[dict],
}


def _read(told: dict[str, Any], name: str) -> Scenario:
    values = _checked(told, _TABLES, name, "")
    values.pop("include", None)
    person = _checked(values.pop("person", {}), _PERSON_KEYS, name, "person.")
    physiology_keys = typing.get_type_hints(Physiology)
    for own in ("sex", "age_years", "mass_kg"):  # the person's
        physiology_keys.pop(own)
    physiology = _checked(values.pop("physiology", {}), physiology_keys, name, "physiology.")
    protocol = _checked(values.pop("protocol", {}), {"time_h": float, "motions": list[dict]}, name, "protocol.")
    motions = tuple(
        _checked(motion, {"at_fraction": float, "pose": dict}, name, f"protocol.motions[{k}].")
        for k, motion in enumerate(protocol.pop("motions", ()))
    )
    if motions:
        protocol["motions"] = motions
    findings = {
        table: tuple(_finding(item, name, f"{table}[{k}]", table) for k, item in enumerate(values.pop(table, ())))
        for table in ("lesions", "disturbances")
    }
    scenario = Scenario(**values, person=person, physiology=physiology, protocol=protocol, **findings)
    _tried(scenario, name)
    return scenario


def _tried(scenario: Scenario, name: str) -> None:
    """Refuse values outside their range now, not when a patient is drawn."""

    def attempt(key: str, make: Callable[[], object]) -> None:
        try:
            make()
        except InvalidValue as problem:
            raise InvalidValue(f"{name}: {key}: {problem}", file=name, key=key) from problem
        except TypeError as problem:
            raise InvalidValue(f"{name}: {key}: {problem}.", file=name, key=key) from problem

    if scenario.tracer not in RADIOPHARMACEUTICALS:
        raise InvalidValue(
            f"{name}: tracer: expected one of {', '.join(RADIOPHARMACEUTICALS)}, got {scenario.tracer!r}.",
            file=name,
            key="tracer",
        )
    if scenario.injected_mbq is not None and not 0 < scenario.injected_mbq <= 5000:
        raise InvalidValue(
            f"{name}: injected_mbq: expected more than 0 and at most 5000, got {scenario.injected_mbq!r}.",
            file=name,
            key="injected_mbq",
        )
    if "bmi" in scenario.person and "mass_kg" in scenario.person:
        raise InvalidValue(f"{name}: person: expected bmi or mass_kg, got both.", file=name, key="person")
    if "arms" in scenario.person and scenario.person["arms"] not in ("beside", "belly"):
        raise InvalidValue(
            f"{name}: person.arms: expected 'beside' or 'belly', got {scenario.person['arms']!r}.", file=name
        )
    attempt("person.pose", lambda: _check_pose(scenario.person.get("pose", {})))
    attempt("protocol", scenario.imaging)
    rng = np.random.default_rng(0)
    plain = {key: value for key, value in scenario.person.items() if key in _AT_ONCE}
    attempt("person", lambda: replace(Person(), **plain))
    if "bmi" in scenario.person and not 10 <= scenario.person["bmi"] <= 60:
        raise InvalidValue(f"{name}: person.bmi: expected 10 to 60, got {scenario.person['bmi']!r}.", file=name)
    attempt("physiology", lambda: _physiology(scenario.physiology, Person(), scenario.imaging().time_h, rng))
    for table, findings in (("lesions", scenario.lesions), ("disturbances", scenario.disturbances)):
        for k, finding in enumerate(findings):
            attempt(f"{table}[{k}]", lambda one=finding: _build(one, rng, skin_of("male", 1.0)))


_AT_ONCE = ("sex", "age_years", "handedness", "bladder_ml")  # refused or not whatever else is drawn


def _finding(item: dict[str, Any], name: str, place: str, table: str) -> Finding:
    kind = item.get("kind")
    fits = [one.value for one in LesionKind if (one.nature is Nature.ARTEFACT) == (table == "disturbances")]
    fits += ["dental_work"] if table == "disturbances" else []
    if kind not in fits:
        raise InvalidValue(
            f"{name}: {place}.kind: expected one of {', '.join(fits)}, got {kind!r}.",
            file=name,
            key=f"{place}.kind",
            got=kind,
        )
    hints = typing.get_type_hints(BUILDERS[kind])
    keys = {key: hints[key] for key in inspect.signature(BUILDERS[kind]).parameters if key not in _GIVEN}
    told = {key: value for key, value in item.items() if key != "kind" and value != "draw"}
    return Finding(kind=kind, told=_checked(told, keys, name, f"{place}."))


def _checked(told: Mapping[str, Any], keys: Mapping[str, Any], name: str, prefix: str) -> dict[str, Any]:
    """The told values, each of its key's type; an unknown key or another type is refused."""
    for key in told:
        if key not in keys:
            raise InvalidValue(
                f"{name}: {prefix}{key} is no key; expected {', '.join(keys) or 'none'}.",
                file=name,
                key=prefix + key,
                expected=tuple(keys),
            )
    return {key: _typed(value, keys[key], f"{name}: {prefix}{key}") for key, value in told.items()}


def _typed(value: Any, wanted: Any, place: str) -> Any:
    """A TOML value as the type of a Python annotation."""
    choices = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    for choice in choices:
        origin, inner = typing.get_origin(choice) or choice, typing.get_args(choice)
        if origin is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            if math.isfinite(value):
                return float(value)
        elif origin in (int, str, bool) and type(value) is origin:
            return value
        elif origin is dict and isinstance(value, dict):
            return value
        elif origin in (list, tuple) and isinstance(value, list):
            variadic = origin is list or inner[-1:] == (Ellipsis,)
            if variadic or len(value) == len(inner):
                kinds = [inner[0]] * len(value) if variadic else list(inner)
                items = [_typed(v, kind, f"{place}[{k}]") for k, (v, kind) in enumerate(zip(value, kinds, strict=True))]
                return items if origin is list else tuple(items)
    raise InvalidValue(f"{place}: expected {_words(choices)}, got {value!r}.", key=place, got=value)


def _words(choices: tuple[Any, ...]) -> str:
    names = {float: "a number", int: "a whole number", str: "a word", bool: "true or false", dict: "a table"}
    said = []
    for choice in choices:
        if choice is type(None):
            continue
        origin, inner = typing.get_origin(choice), typing.get_args(choice)
        if origin is None:
            said.append(names.get(choice, str(choice)))
        elif origin is list or inner[-1:] == (Ellipsis,):
            said.append(f"a list, each {names.get(inner[0], inner[0])}")
        else:
            said.append(f"a list of {len(inner)} items")
    return " or ".join(said)
