"""What a department may choose of its archive: where the index is, how much it may hold, how long it waits and keeps.

::

    # bonescan.toml, in the archive's folder; every line may be left out
    [archive]
    database = "postgresql+psycopg://bonescan@localhost/bonescan"
    quota_gib = 500
    quiet_s = 3.0

    [[archive.retention]]
    name = "ten years"
    older_than_days = 3653
"""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from bonescan.errors import InvalidValue, UnknownSetting

__all__ = ["DATABASE_VARIABLE", "SETTINGS_NAME", "RetentionRule", "Settings", "load_settings"]

DATABASE_VARIABLE = "BONESCAN_DATABASE"
"""Environment variable that says where the index is, before bonescan.toml: a password needs no file then."""

SETTINGS_NAME = "bonescan.toml"
"""The file of settings in an archive's folder; the archive's are its table ``[archive]``."""

_TABLES = ("archive", "dicom", "http")  # each is read where it belongs; what is none of them is read by nobody
_LONGEST_DAYS = 365_250  # a thousand years: still a date when it is taken from today


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """Which studies may go.

    Parameters
    ----------
    name : str
        As the audit trail will call it.
    older_than_days : float
        Since the last object of the study came.
    modalities : tuple of str
        Only studies whose every series is of these; empty for all.
    """

    name: str
    older_than_days: float
    modalities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not 0 < self.older_than_days <= _LONGEST_DAYS:
            raise InvalidValue(
                f"A retention rule needs a name and older_than_days above 0, {_LONGEST_DAYS} at most; correct "
                f"{SETTINGS_NAME}.",
                got=self.name,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one archive behaves.

    Parameters
    ----------
    database : str
        SQLAlchemy's URL; empty for an SQLite file in the archive's folder.
    quota_gib : float
        What objects may take, in GiB; 0 for no limit.
    reserve_gib : float
        What is left free on the disk, in GiB, so that index and readings can still be written when it is "full".
    quiet_s : float
        A study is complete when nothing came for so long.
    lease_s : float
        A job whose worker gives no sign of life for so long is given to another.
    attempts : int
        How often a reading is tried.
    time_limit_s : float
        Longest time one reading may take.
    memory_limit_gib : float
        Most address space one reading may take, in GiB; 0 for no limit.
    retention : tuple of RetentionRule
    """

    database: str = ""
    quota_gib: float = 0.0
    reserve_gib: float = 0.25
    quiet_s: float = 3.0
    lease_s: float = 30.0
    attempts: int = 3
    time_limit_s: float = 600.0
    memory_limit_gib: float = 12.0
    retention: tuple[RetentionRule, ...] = ()

    def __post_init__(self) -> None:
        for name in ("quota_gib", "reserve_gib", "quiet_s", "memory_limit_gib"):
            if not getattr(self, name) >= 0:
                raise InvalidValue(f"{name} is {getattr(self, name)} and must not be negative.", got=name)
        for name in ("lease_s", "attempts", "time_limit_s"):
            if not getattr(self, name) > 0:
                raise InvalidValue(f"{name} is {getattr(self, name)} and must be above 0.", got=name)


def load_settings(folder: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of an archive's folder.

    Parameters
    ----------
    folder : Path
        It may hold `bonescan.toml`, whose table ``[archive]`` they are; without it everything is as `Settings` has it.
    environment : mapping of str to str
        Where `DATABASE_VARIABLE` is looked for.

    Returns
    -------
    Settings

    Raises
    ------
    InvalidValue
        For a file that is no TOML, an unknown name (also of a whole table), or a value out of range.
    """
    path = folder / SETTINGS_NAME
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValue(f"{SETTINGS_NAME} cannot be understood: {error}.") from error
    except OSError as error:
        raise InvalidValue(f"{SETTINGS_NAME} cannot be read: {error.strerror}.") from error
    for name in written:
        if name not in _TABLES:
            raise UnknownSetting(name, "", _TABLES)
    written = written.get("archive", {})
    if not isinstance(written, dict):
        raise InvalidValue(f"archive in {SETTINGS_NAME} must be a table.", got=written)
    known = {one.name: one for one in fields(Settings)}
    values: dict[str, object] = {}
    for name, value in written.items():
        if name not in known:
            raise UnknownSetting(name, "[archive]", known)
        if name == "retention":
            values[name] = _rules(value)
        elif isinstance(value, bool) or not isinstance(value, str if name == "database" else int | float):
            raise InvalidValue(f"{name} in {SETTINGS_NAME} is of the wrong type: {value!r}.", got=value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise InvalidValue(f"{name} in {SETTINGS_NAME} must be a number, got {value}.", got=value)
        else:
            values[name] = int(value) if name == "attempts" else value
    if environment.get(DATABASE_VARIABLE):
        values["database"] = environment[DATABASE_VARIABLE]
    return Settings(**values)  # type: ignore[arg-type]


def _rules(written: object) -> tuple[RetentionRule, ...]:
    try:
        rules = [dict(rule) for rule in written]  # type: ignore[attr-defined]
        known = [one.name for one in fields(RetentionRule)]
        for name in (name for rule in rules for name in rule if name not in known):
            raise UnknownSetting(name, "[[archive.retention]]", known)
        if any(isinstance(rule.get("modalities"), str) for rule in rules):
            raise TypeError("a string would be taken letter by letter")
        return tuple(RetentionRule(**{**rule, "modalities": tuple(rule.get("modalities", ()))}) for rule in rules)
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(
            f"An [[archive.retention]] rule in {SETTINGS_NAME} has name, older_than_days and, where wanted, a list of "
            "modalities."
        ) from error
