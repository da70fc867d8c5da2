"""What libraries say of damaged files quotes the values, patients' names among them: it is counted and not heard.

The filters of `warnings` belong to the whole process, and so does pydicom's validation: whoever changes them for a
while and puts them back, as `warnings.catch_warnings` does, changes them for other threads too, and two that overlap
may leave them changed for good. Here they are set on first use and never put back, and what was said is counted in the
thread that made it said.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["Departures", "counted_departures", "keep_quiet"]

_LIBRARIES = r"(pydicom|PIL|openjpeg|libjpeg|pylibjpeg|jpeg_ls|gdcm)\b"
_SETTING = threading.Lock()


@dataclass(slots=True)
class Departures:
    """How often pydicom tolerated what the standard does not.

    Parameters
    ----------
    count : int
    """

    count: int = 0


_COUNTING: ContextVar[Departures | None] = ContextVar("departures", default=None)


class _Counter(logging.Handler):
    """Counts what pydicom warns of for whoever asked in this thread, and says nothing."""

    def emit(self, record: logging.LogRecord) -> None:
        """Count one warning; its words go no further."""
        counting = _COUNTING.get()
        if counting is not None and record.levelno == logging.WARNING:
            counting.count += 1


def keep_quiet() -> None:
    """See to it that the words of pydicom and of the picture decoders reach neither screen nor log.

    Whoever reads a file that others made calls this first; it costs nothing where it was called before.
    """
    from pydicom import config

    rules = tuple(warnings.filters)
    if not any(rule[0] == "ignore" and getattr(rule[3], "pattern", "") == _LIBRARIES for rule in rules):
        warnings.filterwarnings("ignore", module=_LIBRARIES)
    log = logging.getLogger("pydicom")
    with _SETTING:
        if not any(isinstance(one, _Counter) for one in log.handlers):
            log.addHandler(_Counter())
        log.propagate = False
        log.setLevel(logging.WARNING)
        config.settings.reading_validation_mode = config.IGNORE  # values are judged where they are used


@contextmanager
def counted_departures() -> Iterator[Departures]:
    """Count what pydicom tolerates in this thread.

    Yields
    ------
    Departures
    """
    keep_quiet()
    counting = Departures()
    token = _COUNTING.set(counting)
    try:
        yield counting
    finally:
        _COUNTING.reset(token)
