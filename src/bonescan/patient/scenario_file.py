"""Scenarios in TOML: reading them, refusing in one sentence what cannot be, and those that come with bonescan."""

from __future__ import annotations

import inspect
import math
import reprlib
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sized
from dataclasses import replace
from functools import cache, partial
from importlib.resources import files
from typing import Any

import numpy as np

from bonescan.errors import InvalidValue
from bonescan.patient.lesions.lesion import LesionKind, Nature
from bonescan.patient.lesions.shadows import Skin
from bonescan.patient.person import Person, refuse_outside
from bonescan.patient.scenario import BUILDERS, Finding, Scenario, build, check_pose, compose, physiology_of
from bonescan.tracer.biokinetics import Physiology
from bonescan.tracer.radiopharmaceuticals import RADIOPHARMACEUTICALS

__all__ = [
    "packaged_scenario",
    "read_scenario",
    "scenario_names",
]

_GIVEN = ("rng", "skin", "kind")  # a builder's arguments that no file sets
_MOST_ENTRIES = 100  # of a list of findings, motions or inclusions, and of findings with what is included [D]


_PERSON_KEYS = {
    "sex": str,
    "age_years": float,
    "stature_mm": float,
    "bmi": float,
    "mass_kg": float,
    "arms": str,
    "handedness": str,
    "bladder_ml": float,
    "pose": dict[str, Any],
}


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
    r"""Read a scenario.

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
    >>> text = "include = ['full_bladder']\n[[lesions]]\nkind = 'metastasis'\nbone = 'vertebra_l03'"
    >>> len(read_scenario(text).patient(1).lesions)
    1
    """
    try:
        told = tomllib.loads(text)
        repr(told)  # what cannot be shown in a message is refused here
    except (ValueError, RecursionError) as problem:  # no TOML, numbers of thousands of digits, endless brackets
        raise InvalidValue(f"{name} is no valid TOML: {problem}.", file=name) from problem
    own = _read(told, name)
    included = [_included(item, name) for item in told.get("include", [])]
    whole = compose(*included, own) if included else own
    for table, findings in (("lesions", whole.lesions), ("disturbances", whole.disturbances)):
        _few(findings, f"{name}: {table} with what is included")
    return whole


def _few(entries: Sized, place: str) -> None:
    if len(entries) > _MOST_ENTRIES:
        raise InvalidValue(f"{place}: expected at most {_MOST_ENTRIES} entries, got {len(entries)}.", key=place)


def _included(item: str, name: str) -> Scenario:
    if item not in scenario_names():
        raise InvalidValue(
            f"{name}: include: expected names of packaged scenarios ({', '.join(scenario_names())}), got "
            f"{reprlib.repr(item)}.",
            file=name,
            key="include",
            got=item,
        )
    return packaged_scenario(item)


_MOTION_KEYS = {"at_fraction": float, "pose": dict[str, Any]}
_TABLES = {
    "title": str,
    "shows": str,
    "include": list[str],
    "tracer": str,
    "injected_mbq": float,
    "person": dict[str, Any],
    "physiology": dict[str, Any],
    "protocol": dict[str, Any],
    "lesions": list[dict[str, Any]],
    "disturbances": list[dict[str, Any]],
}


def _read(told: dict[str, Any], name: str) -> Scenario:
    values = _checked(told, _TABLES, name, "")
    for table in ("include", "lesions", "disturbances"):
        _few(values.get(table, ()), f"{name}: {table}")
    values.pop("include", None)
    person = _checked(values.pop("person", {}), _PERSON_KEYS, name, "person.")
    physiology_keys = typing.get_type_hints(Physiology)
    for own in ("sex", "age_years", "mass_kg"):  # these are the person's
        physiology_keys.pop(own)
    physiology = _checked(values.pop("physiology", {}), physiology_keys, name, "physiology.")
    protocol = _checked(
        values.pop("protocol", {}), {"time_h": float, "motions": list[dict[str, Any]]}, name, "protocol."
    )
    _few(protocol.get("motions", ()), f"{name}: protocol.motions")
    motions = tuple(
        _checked(motion, _MOTION_KEYS, name, f"protocol.motions[{k}].", all_needed=True)
        for k, motion in enumerate(protocol.pop("motions", ()))
    )
    if motions:
        protocol["motions"] = motions
    findings: dict[str, Any] = {
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
            f"{name}: tracer: expected one of {', '.join(RADIOPHARMACEUTICALS)}, got {reprlib.repr(scenario.tracer)}.",
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
            f"{name}: person.arms: expected 'beside' or 'belly', got {reprlib.repr(scenario.person['arms'])}.",
            file=name,
        )
    attempt("person.pose", lambda: check_pose(scenario.person.get("pose", {})))
    attempt("protocol", scenario.imaging)
    rng = np.random.default_rng(0)
    plain = {key: value for key, value in scenario.person.items() if key in _AT_ONCE}
    attempt("person", lambda: replace(Person(), **plain))
    for key in ("stature_mm", "mass_kg", "bmi"):
        if key in scenario.person:
            attempt(f"person.{key}", partial(refuse_outside, key, scenario.person[key]))
    attempt("physiology", lambda: physiology_of(scenario.physiology, Person(), scenario.imaging().time_h, rng))
    for table, findings in (("lesions", scenario.lesions), ("disturbances", scenario.disturbances)):
        for k, finding in enumerate(findings):
            attempt(f"{table}[{k}]", partial(build, finding, rng, Skin(sex="male", girth=1.0)))


_AT_ONCE = ("sex", "age_years", "handedness", "bladder_ml")  # refused or not whatever else is drawn


def _finding(item: dict[str, Any], name: str, place: str, table: str) -> Finding:
    kind = item.get("kind")
    fits = [one.value for one in LesionKind if (one.nature is Nature.ARTEFACT) == (table == "disturbances")]
    fits += ["dental_work"] if table == "disturbances" else []
    if kind not in fits:
        raise InvalidValue(
            f"{name}: {place}.kind: expected one of {', '.join(fits)}, got {reprlib.repr(kind)}.",
            file=name,
            key=f"{place}.kind",
            got=kind,
        )
    hints = typing.get_type_hints(BUILDERS[kind])
    keys = {key: hints[key] for key in inspect.signature(BUILDERS[kind]).parameters if key not in _GIVEN}
    told = {key: value for key, value in item.items() if key != "kind" and value != "draw"}
    return Finding(kind=kind, told=_checked(told, keys, name, f"{place}."))


def _checked(
    told: Mapping[str, Any], keys: Mapping[str, Any], name: str, prefix: str, all_needed: bool = False
) -> dict[str, Any]:
    """The told values, each of its key's type; an unknown key or another type is refused."""
    for key in told:
        if key not in keys:
            raise InvalidValue(
                f"{name}: {prefix}{reprlib.repr(key)[1:-1]} is no key; expected {', '.join(keys) or 'none'}.",
                file=name,
                key=prefix + key,
                expected=tuple(keys),
            )
    if all_needed and (missing := [key for key in keys if key not in told]):
        raise InvalidValue(f"{name}: {prefix}{missing[0]} is missing.", file=name, key=prefix + missing[0])
    return {key: _typed(value, keys[key], f"{name}: {prefix}{key}") for key, value in told.items()}


def _typed(value: Any, wanted: Any, place: str) -> Any:
    """A TOML value as the type of a Python annotation."""
    choices = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    for choice in choices:
        origin, inner = typing.get_origin(choice) or choice, typing.get_args(choice)
        if origin is float and isinstance(value, (int, float)) and not isinstance(value, bool):
            if abs(value) < math.inf and abs(value) <= sys.float_info.max:  # a whole number may have any length
                return float(value)
        elif (origin in (int, str, bool) and type(value) is origin) or (origin is dict and isinstance(value, dict)):
            return value
        elif origin in (list, tuple) and isinstance(value, list):
            variadic = origin is list or inner[-1:] == (Ellipsis,)
            if variadic or len(value) == len(inner):
                kinds = [inner[0]] * len(value) if variadic else list(inner)
                items = [_typed(v, kind, f"{place}[{k}]") for k, (v, kind) in enumerate(zip(value, kinds, strict=True))]
                return items if origin is list else tuple(items)
    raise InvalidValue(f"{place}: expected {_words(choices)}, got {reprlib.repr(value)}.", key=place, got=value)


def _words(choices: tuple[Any, ...]) -> str:
    names = {float: "a number", int: "a whole number", str: "a word", bool: "true or false", dict: "a table"}
    said = []
    for choice in choices:
        if choice is type(None):
            continue
        origin, inner = typing.get_origin(choice), typing.get_args(choice)
        if origin in (None, dict):
            said.append(names.get(origin or choice, str(choice)))
        elif origin is list or inner[-1:] == (Ellipsis,):
            said.append(f"a list, each {names.get(typing.get_origin(inner[0]) or inner[0], inner[0])}")
        else:
            said.append(f"a list of {len(inner)} items")
    return " or ".join(said)
