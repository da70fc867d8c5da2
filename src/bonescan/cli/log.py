"""The log of `bonescan serve`: one line for each event on stderr, JSON for machines, plain on a terminal; no identity.

::

    logger of bonescan    ─► time, level, logger, message (written to name nobody), event, facts
    any other logger      ─► time, level, logger, and the place in its code: its words may quote a patient
    an error that escaped ─► its type and place, as above

Lines go to stderr alone; keeping and rotating them is the work of systemd's journal or of what runs the container.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from bonescan.errors import place_of

__all__ = ["logging_to"]

_OWN = "bonescan"
_SEVERITIES = {"DEBUG": "debug", "INFO": "info", "WARNING": "warning", "ERROR": "error", "CRITICAL": "critical"}


@contextmanager
def logging_to(stream: TextIO, *, quiet: bool = False, whole: bool = False) -> Iterator[logging.Logger]:
    """Write what happens as one line for each event, until the block is left.

    Parameters
    ----------
    stream : text stream
        JSON lines where it is no terminal.
    quiet : bool
        Whether only warnings and errors are written.
    whole : bool
        Whether libraries and errors are quoted too, for whoever looks for a fault; then names may be in it.

    Yields
    ------
    logging.Logger
        For what `bonescan serve` itself says.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Plain(whole) if stream.isatty() else _Json(whole))
    handler.addFilter(lambda record: _is_own(record) or record.levelno >= logging.WARNING)
    root, own = logging.getLogger(), logging.getLogger(_OWN)
    before = (own.level, logging.raiseExceptions, threading.excepthook, sys.unraisablehook)
    root.addHandler(handler)
    own.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.captureWarnings(True)  # a library's warning may quote the value it warns of
    logging.raiseExceptions = False  # a full or closed stderr is no reason to stop, nor to print a traceback
    threading.excepthook = _tell_of_a_thread
    sys.unraisablehook = _tell_of_a_finaliser
    try:
        yield logging.getLogger(f"{_OWN}.serve")
    finally:
        own.setLevel(before[0])
        logging.raiseExceptions, threading.excepthook, sys.unraisablehook = before[1:]
        logging.captureWarnings(False)
        root.removeHandler(handler)


class _Line(logging.Formatter):
    """What a record says, in one line, without the words of libraries and of errors."""

    def __init__(self, whole: bool) -> None:
        super().__init__()
        self._whole = whole

    def words(self, record: logging.LogRecord) -> str:
        if not (self._whole or _is_own(record)):
            return f"{record.levelname.lower()} at {Path(record.pathname).name}:{record.lineno}"
        words = " ".join(record.getMessage().split())
        if record.exc_info and record.exc_info[1] is not None:
            words += f" ({place_of(record.exc_info[1])})"
            words += self.formatException(record.exc_info) if self._whole else ""
        return words


class _Json(_Line):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": _SEVERITIES.get(record.levelname, record.levelname),
            "logger": record.name,
            "message": self.words(record),
        }
        for name in ("event", "facts"):
            if _is_own(record) and (value := getattr(record, name, None)) is not None:
                said[name] = value
        return json.dumps(said, default=str)


class _Plain(_Line):
    """Time, what is worse than usual, and the words."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        level = "" if record.levelno <= logging.INFO else f"{_SEVERITIES.get(record.levelname, record.levelname)}: "
        return f"{at} {level}{self.words(record)}"


def _is_own(record: logging.LogRecord) -> bool:
    return record.name == _OWN or record.name.startswith(f"{_OWN}.")


def _tell_of_a_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is None or isinstance(ended.exc_value, SystemExit):
        return
    name = "?" if ended.thread is None else ended.thread.name
    place = place_of(ended.exc_value)
    logging.getLogger(f"{_OWN}.serve").error("the thread %s ended by an error: %s", name, place)


def _tell_of_a_finaliser(ended: sys.UnraisableHookArgs) -> None:
    if ended.exc_value is not None:
        place = place_of(ended.exc_value)
        logging.getLogger(f"{_OWN}.serve").warning("an error while something was let go: %s", place)
