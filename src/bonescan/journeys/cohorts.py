"""Many simulated studies: one process for each core, one study after another in each, and a folder for every one.

A study depends on the scenario, the seed, its number and the settings alone, so that the same cohort comes out of any
number of processes. A study is made aside and takes its place whole; what was stopped is begun again by the same
command, what is there stays.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bonescan import __version__
from bonescan.errors import BoneScanError, InvalidValue, OutputFailed
from bonescan.journeys.clinic import Progress, versions
from bonescan.journeys.files import STAGE_PREFIX, alone_in, told_plainly, write_file
from bonescan.journeys.simulation import Phantom, Settings, input_digests, simulate
from bonescan.journeys.workers import each

__all__ = ["CohortFolder", "simulate_cohort"]

_RECORD = "cohort.json"
_SCHEMA = "bonescan-cohort/1"
_CASE = "case_{:05d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortFolder:
    """What `simulate_cohort` leaves behind.

    Parameters
    ----------
    out : Path
    cases : tuple of str
        Names of the studies' folders, in order.
    made : int
        How many of them were made now; the others were there.
    record : dict
        The content of ``cohort.json``.
    """

    out: Path
    cases: tuple[str, ...]
    made: int
    record: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One study to make; goes to another process."""

    scenario: str
    number: int
    seed: int
    out: Path
    settings: Settings
    phantom: Phantom | None


def simulate_cohort(
    scenario: str,
    out: Path,
    *,
    count: int,
    seed: int = 1,
    settings: Settings | None = None,
    phantom: Phantom | None = None,
    processes: int | None = None,
    progress: Progress = lambda _: None,
) -> CohortFolder:
    """Simulate many studies, each into a folder ``case_00000`` and on.

    Parameters
    ----------
    scenario : str
        As in `simulate`: of a cohort, whichever, case k is its person k, of any other scenario the study with k added
        to the seed.
    out : Path
        Made when absent. Studies of the same cohort in it are kept.
    count : int
        Of studies, 1 to 1,000,000.
    seed : int
    settings : Settings, optional
    phantom : Phantom, optional
    processes : int, optional
        All cores by default.
    progress : callable
        Called with a sentence as studies are finished.

    Returns
    -------
    CohortFolder

    Raises
    ------
    OutputFailed
        When `out` cannot be written, holds a cohort of other settings, or another run is at work in it.
    InvalidValue, UnreadableInput, GeometryMismatch
        As `simulate` does, or for a count out of range.
    """
    settings = Settings() if settings is None else settings
    settings = replace(settings, volumes=bool(settings.volumes))
    if not 1 <= count <= 1_000_000 or (processes is not None and processes < 1):
        raise InvalidValue(f"A cohort has 1 to 1,000,000 studies and a process at least, got {count}, {processes}.")
    with told_plainly(out):
        out.mkdir(parents=True, exist_ok=True)
    with alone_in(out, wait=False):
        record = _record(scenario, seed, count, settings, phantom)
        _refuse_another(out, record)
        _clear(out)
        record["count"] = max(count, len(list(out.glob("case_*"))))  # where fewer are asked for now, the others stay
        write_file(out / _RECORD, (json.dumps(record, indent=1) + "\n").encode())
        cases = [
            _Case(scenario=scenario, number=k, seed=seed, out=out, settings=settings, phantom=phantom)
            for k in range(count)
        ]
        missing = [case for case in cases if not (out / _CASE.format(case.number)).is_dir()]
        if len(missing) < count:
            progress(f"{count - len(missing)} of {count} studies are there already")
        _make(missing, processes, progress)
    return CohortFolder(out=out, cases=tuple(_CASE.format(k) for k in range(count)), made=len(missing), record=record)


def _record(scenario: str, seed: int, count: int, settings: Settings, phantom: Phantom | None) -> dict[str, object]:
    return {
        "schema": _SCHEMA,
        "note": "Simulated studies of no patients. truth/ is for whoever judges a reader; no reader opens it.",
        "scenario": Path(scenario).name,
        "inputs": input_digests(scenario, phantom),
        "seed": seed,
        "count": count,
        "settings": asdict(settings),
        "phantom": None if phantom is None else {"sex": phantom.sex, "age_years": phantom.age_years},
        "versions": versions(),
    }


def _refuse_another(out: Path, record: dict[str, object]) -> None:
    """Refuse to put studies beside those that other settings, or another bonescan, have made."""
    try:
        earlier = json.loads((out / _RECORD).read_text(encoding="utf-8"))
        before = {key: earlier.get(key) for key in ("schema", "scenario", "inputs", "seed", "phantom")}
        before |= earlier.get("settings") or {}
        before["bonescan"] = (earlier.get("versions") or {}).get("bonescan")
    except FileNotFoundError:
        return
    except (OSError, ValueError, AttributeError, TypeError) as error:  # no JSON, or not that of a cohort
        raise OutputFailed(f"The {_RECORD} of the cohort cannot be read; choose another folder.") from error
    plain = json.loads(json.dumps(record))
    compared = {**{key: plain[key] for key in ("schema", "scenario", "inputs", "seed", "phantom")}, **plain["settings"]}
    compared["bonescan"] = __version__
    differing = [key for key in compared if compared[key] != before.get(key)]
    if differing:
        key = differing[0]
        raise OutputFailed(
            f"The folder holds a cohort with another {key} ({before.get(key)!r}, now {compared[key]!r}); give the same "
            "settings to go on, or choose another folder.",
            differing=differing,
        )


def _clear(out: Path) -> None:
    """Remove what a stopped run has left half done."""
    for left in out.glob(f"{STAGE_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


def _make(cases: list[_Case], processes: int | None, progress: Progress) -> None:
    try:
        with closing(each(_make_one, cases, processes)) as finished:
            for done, (case, made) in enumerate(finished, start=1):
                _told_which(made, case)
                progress(f"Study {case.number} finished: {done} of {len(cases)}")
    except BaseException:
        _clear(cases[0].out)
        raise


def _told_which(made: Callable[[], None], case: _Case) -> None:
    """Raise what stopped a study, with its number."""
    try:
        made()
    except BrokenProcessPool as error:
        raise OutputFailed(
            "A process was ended from outside, most often for want of memory; run the same command again with fewer "
            "processes."
        ) from error
    except BoneScanError as error:
        raise type(error)(f"Study {case.number}: {error}", **error.facts) from error


def _make_one(case: _Case) -> None:
    name = _CASE.format(case.number)
    aside = case.out / f"{STAGE_PREFIX}{name}"
    shutil.rmtree(aside, ignore_errors=True)
    simulate(case.scenario, aside, seed=case.seed, number=case.number, settings=case.settings, phantom=case.phantom)
    with told_plainly(case.out):
        os.replace(aside, case.out / name)
