"""Who looked at which patient's data: rows of the audit trail, one for each thing in five minutes.

A page that opens a study asks for its views, maps and report one after the other, and again when it is reloaded. All of
that is one look, and every row costs a flush to the disk under the archive's one writer. So the same person's look at
the same thing is written again only after `_AGAIN_S`; another person, study or thing at once. It is written before the
data is given out: what cannot be recorded is not shown.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from bonescan.archive import audit
from bonescan.archive.database import Database
from bonescan.workstation.people import Account

__all__ = ["Accesses"]

_AGAIN_S = 300.0  # [D]
_MOST_REMEMBERED = 10_000


class Accesses:
    """The record of what people looked at.

    Parameters
    ----------
    database : Database
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._written: dict[tuple[str, str, str, str], float] = {}
        self._lock = threading.Lock()

    def record(
        self, who: Account, action: str, subject: str, what: str = "", detail: Mapping[str, Any] | None = None
    ) -> None:
        """Write down that somebody is about to see something.

        Parameters
        ----------
        who : Account
        action : str
            ``"study.viewed"``, ``"worklist.viewed"``.
        subject : str
            UID of the study, or empty.
        what : str
            Which part of it.
        detail : mapping, optional
            Further facts, never what names a patient.

        Raises
        ------
        ArchiveUnavailable
            When it cannot be written; nothing may be shown then.
        """
        look, now = (who.key, action, subject, what), self._clock()
        with self._lock:
            if now - self._written.get(look, -_AGAIN_S) < _AGAIN_S:
                return
        with self._database.write() as connection:
            said = {"role": str(who.role), **({"what": what} if what else {}), **(detail or {})}
            audit.append(connection, actor=who.name, action=action, subject=subject, detail=said)
        with self._lock:
            self._written = {key: at for key, at in self._written.items() if now - at < _AGAIN_S}
            if len(self._written) < _MOST_REMEMBERED:
                self._written[look] = now
