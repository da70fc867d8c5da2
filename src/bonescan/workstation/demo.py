"""A demonstration: an archive of simulated patients alone, filled over the network, and accounts for those who look.

The folder bears a mark, so that every page says so for as long as it is there, and no archive of patients is ever
filled with simulated ones. The studies come the way a camera's do: simulated, sent to the node, kept, read.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bonescan import __version__
from bonescan.errors import BoneScanError, InvalidValue, OutputFailed
from bonescan.workstation.people import People, Role, name_key

__all__ = ["DEMO_STUDIES", "DEMO_TITLE", "DemoStudy", "demo_accounts", "fill_demo", "is_demo", "mark_demo"]

DEMO_TITLE = "DEMO"
"""What the simulated cameras call themselves."""

_MARK = "demo.json"
_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoStudy:
    """One study of the demonstration.

    Parameters
    ----------
    scenario : str
    seed : int
        Whose body it is; a later study has the seed of the first.
    study : int
        0, or a later study of the same person.
    protocol : str
    day : int
        When: days after 15 January 2026, and after what `study` makes of it.
    counts : float, optional
        As in `bonescan.journeys.Settings`.
    """

    scenario: str
    seed: int
    study: int = 0
    protocol: str = "whole-body"
    day: int = 0
    counts: float | None = None


DEMO_STUDIES = (
    DemoStudy(scenario="single_metastasis", seed=611, day=103),
    DemoStudy(scenario="normal", seed=612, day=96),
    DemoStudy(scenario="metastases", seed=613, day=20),
    DemoStudy(scenario="metastases", seed=613, study=1, day=20),
    DemoStudy(scenario="regional_pain", seed=614, protocol="three-phase", day=90),
    DemoStudy(scenario="rib_fractures", seed=615, day=82),
    DemoStudy(scenario="metastatic_superscan", seed=616, day=75),
    DemoStudy(scenario="degenerative_spine", seed=617, day=61),
    DemoStudy(scenario="normal", seed=618, day=54, counts=450_000),  # whoever looks at the counts over time finds it
    DemoStudy(scenario="arthritis", seed=619, day=41),
    DemoStudy(scenario="healing_fracture", seed=620, day=34),
    DemoStudy(scenario="normal", seed=621, day=13),
    DemoStudy(scenario="sacral_insufficiency", seed=622, day=0),
)
"""Twelve people in four months: one with a follow-up, one of three phases; those at whom one looks first come first, so
that they are there after a minute."""


def is_demo(folder: Path) -> bool:
    """Whether an archive's folder holds a demonstration.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool
    """
    return (folder / _MARK).is_file()


def mark_demo(folder: Path, studies: int) -> None:
    """Mark an archive's folder as a demonstration's.

    Parameters
    ----------
    folder : Path
        Of the archive, which is empty or marked already.
    studies : int
        That the archive holds.

    Raises
    ------
    InvalidValue
        Where patients may be in it.
    OutputFailed
        When it cannot be written.
    """
    if is_demo(folder):
        return
    if studies:
        raise InvalidValue(
            f"This archive holds {studies} studies and is no demonstration: it is not filled with simulated patients; "
            "choose another folder.",
            studies=studies,
        )
    try:
        _write_mark(folder, [])
    except OSError as error:
        raise OutputFailed(f"The folder for the demonstration cannot be written: {error.strerror}.") from error


def demo_accounts(people: People) -> list[tuple[str, Role, str]]:
    """Make an account of every role, or give those that are there new passwords.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of (name, role, password)
        The passwords are random and kept nowhere.
    """
    known = {one.key for one in people.all()}
    made = []
    for role in (Role.ADMIN, *(one for one in Role if one is not Role.ADMIN)):
        name, password = f"demo {role}", _password()
        if name_key(name) in known:
            people.change(name, actor="demo", role=role, active=True, password=password)
        else:
            people.add(name, role, password, actor="demo")
        made.append((name, role, password))
    return made


def fill_demo(
    folder: Path,
    send: Callable[[Sequence[Path]], bool],
    stop: threading.Event,
    progress: Callable[[str], None],
    studies: Sequence[DemoStudy] = DEMO_STUDIES,
) -> threading.Thread:
    """Simulate the demonstration's studies one after another and send each as it is done.

    Parameters
    ----------
    folder : Path
        The archive's, which is marked.
    send : callable
        Sends files to the node; whether all were stored.
    stop : threading.Event
        Ends it before the next study.
    progress : callable
        Called with a sentence for each study.
    studies : sequence of DemoStudy
        Those that an earlier start has sent are left out.

    Returns
    -------
    threading.Thread
        Under way.
    """
    thread = threading.Thread(target=_fill, args=(folder, send, stop, progress, studies), name="demo", daemon=True)
    thread.start()
    return thread


def _fill(
    folder: Path,
    send: Callable[[Sequence[Path]], bool],
    stop: threading.Event,
    progress: Callable[[str], None],
    studies: Sequence[DemoStudy],
) -> None:
    from bonescan import journeys

    sent = _sent(folder)
    for number, wanted in enumerate(studies, start=1):
        name = f"{wanted.scenario}-{wanted.seed}-{wanted.study}"
        if name in sent or stop.is_set():
            continue
        settings = journeys.Settings(
            protocol=wanted.protocol,
            fast=True,
            volumes=False,
            study=wanted.study,
            day=wanted.day,
            counts=wanted.counts,
        )
        try:
            with tempfile.TemporaryDirectory(prefix="bonescan-demo-") as place:
                journeys.simulate(wanted.scenario, Path(place) / "study", seed=wanted.seed, settings=settings)
                done = send(sorted((Path(place) / "study" / "dicom").iterdir()))
            if done:
                sent.append(name)
                _write_mark(folder, sent)
            progress(f"Simulated study {number} of {len(studies)} {'came in' if done else 'was refused'}")
        except (BoneScanError, OSError) as error:
            progress(f"Simulated study {number} of {len(studies)} failed: {error}")


def _sent(folder: Path) -> list[str]:
    try:
        return [str(name) for name in json.loads((folder / _MARK).read_bytes())["sent"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _write_mark(folder: Path, sent: Sequence[str]) -> None:
    said = {"demo": "simulated patients alone", "bonescan": __version__, "sent": list(sent)}
    (folder / _MARK).write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def _password() -> str:
    return "-".join("".join(secrets.choice(_SIGNS) for _ in range(4)) for _ in range(4))
