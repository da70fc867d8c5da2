"""Names of processes that say later whether the process still runs, whoever has its number by then."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

__all__ = ["is_gone", "this_process"]


def this_process() -> str:
    """A name of this process: its machine (and container), its number, and when it began as the machine counts.

    Returns
    -------
    str
        Three parts with dashes between, fit for the name of a file.
    """
    return f"{_machine()}-{os.getpid()}-{_began(os.getpid())}"


def is_gone(name: str) -> bool:
    """Whether a process surely runs no more.

    Parameters
    ----------
    name : str
        As `this_process` gave it there; what follows after a further dash does not matter.

    Returns
    -------
    bool
        False also where nobody can know: on another machine, or on one that does not tell when processes began.
    """
    machine, number, began, *_ = (*name.split("-"), "", "", "")
    return machine == _machine() and number.isdigit() and bool(began) and _began(int(number)) != began


def _machine() -> str:
    """The machine, and within it the container, in which process numbers mean the same."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:12]


def _began(process: int) -> str:
    try:
        said = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return said.rpartition(")")[2].split()[19]  # the 22nd field; the name in brackets may hold anything
