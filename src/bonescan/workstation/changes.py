"""What has changed, told to every open page as it happens: one watcher of the index, any number that wait.

::

    audit trail, running jobs ──every 0.3 s──► Changes ──► long polls of the pages

A change has a number that only grows, also over a restart, because numbers begin at the clock's milliseconds. Whoever
asks for what came after a number that is not remembered (too old, or from before a restart) is told to look at all
anew. Looking at a study is in the audit trail too, but is no change.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import false, func, select

from bonescan.archive import Archive, JobState, audit
from bonescan.archive.tables import job
from bonescan.errors import BoneScanError

__all__ = ["EVERYTHING", "Change", "Changes"]

EVERYTHING = "everything"
"""What a change is called that names no study: look at all anew."""

_EVERY_S = 0.3
_REMEMBERED = 10_000
_AT_ONCE = 1000
_TELLING = ("object.", "reading.", "draft.", "job.", "comparison.", "study.deleted", "study.two_patients")
_log = logging.getLogger("bonescan.workstation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened to a study.

    Parameters
    ----------
    number : int
    study_uid : str
        Empty for `EVERYTHING`.
    what : str
        An action of the audit trail, ``job.queued`` or ``job.progress``.
    """

    number: int
    study_uid: str
    what: str


class Changes:
    """The changes of an archive since the workstation began.

    Parameters
    ----------
    archive : Archive
    before : callable
        Called when something came, before it is told: what it does, pages will find done.
    """

    def __init__(self, archive: Archive, before: Callable[[], Any] = lambda: None) -> None:
        self._archive, self._before = archive, before
        self._remembered: deque[Change] = deque(maxlen=_REMEMBERED)
        self._first = self.last = int(time.time() * 1000)
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self._seq = self._newest_job = -1
        self._running: dict[int, tuple[str, str]] = {}
        self._thread = threading.Thread(target=self._watch, name="bonescan-changes", daemon=True)

    def start(self) -> None:
        """Begin to watch; what happens from now on is told."""
        with suppress(BoneScanError):
            self._before()
            self.look()
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer, and let go of all who wait."""
        self._stop.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def since(self, number: int) -> list[Change]:
        """Say what came after a number.

        Parameters
        ----------
        number : int
            0 for somebody who comes in: nothing is new to them.

        Returns
        -------
        list of Change
        """
        with self._lock:
            if number == 0:
                return []
            oldest = self._remembered[0].number - 1 if len(self._remembered) == _REMEMBERED else self._first
            if not oldest <= number <= self.last:
                return [Change(number=self.last, study_uid="", what=EVERYTHING)]
            return [change for change in self._remembered if change.number > number]

    async def wait(self, number: int, wait_s: float, *, gone: Coroutine[Any, Any, None] | None = None) -> list[Change]:
        """Wait for what comes after a number.

        Parameters
        ----------
        number : int
        wait_s : float
            At most.
        gone : coroutine, optional
            Ends when the caller has left: a wait for nobody would take the place of somebody else's request.

        Returns
        -------
        list of Change
            Empty when nothing came, the caller has left, or the workstation stops.
        """
        woken = asyncio.Event()
        self._waiting[woken] = asyncio.get_running_loop()
        ends = [asyncio.ensure_future(one) for one in (woken.wait(), gone) if one is not None]
        try:
            found = self.since(number)
            if found or number == 0 or self._stop.is_set():
                return found
            await asyncio.wait(ends, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            return self.since(number)
        finally:
            del self._waiting[woken]
            for one in ends:
                one.cancel()

    def look(self) -> int:
        """Look once for what is new.

        Returns
        -------
        int
            Changes found.
        """
        found = self._of_audit() | self._of_jobs()
        if found:
            self._before()
            with self._lock:
                for uid, what in found:
                    self.last += 1
                    self._remembered.append(Change(number=self.last, study_uid=uid, what=what))
            self._wake()
        return len(found)

    def _watch(self) -> None:
        told = False
        while not self._stop.wait(_EVERY_S):
            try:
                self.look()
                told = False
            except BoneScanError as error:
                if not told:
                    _log.warning("changes wait: %s", error)
                told = True

    def _of_audit(self) -> dict[tuple[str, str], None]:
        """What the audit trail says of studies; the same of one study only once."""
        if self._seq < 0:
            with self._archive.database.read() as connection:
                self._seq, _ = audit.head(connection)
            return {}
        found: dict[tuple[str, str], None] = {}
        while rows := audit.entries(self._archive.database, after=self._seq, limit=_AT_ONCE):
            for row in rows:
                if row.action.startswith(_TELLING):
                    uid = row.detail.get("study", "") if row.action.startswith("object.") else row.subject
                    found[str(uid), row.action] = None
            self._seq = rows[-1].seq
        return found

    def _of_jobs(self) -> dict[tuple[str, str], None]:
        """What no row of the trail says: that a job was asked for, began, is at another step, or failed once."""
        fresh = select(job.c.StudyInstanceUID, job.c.id).where(job.c.id > self._newest_job).limit(_AT_ONCE)
        tried = (job.c.state == str(JobState.WAITING)) & (job.c.attempts > 0)  # its reason is new
        at_work = select(job).where((job.c.state == str(JobState.RUNNING)) | tried)
        with self._archive.database.read() as connection:
            if self._newest_job < 0:
                self._newest_job = connection.execute(select(func.coalesce(func.max(job.c.id), 0))).scalar_one()
                fresh = fresh.where(false())
            new = connection.execute(fresh.order_by(job.c.id)).all()
            running = {
                row.id: (row.StudyInstanceUID, f"{row.state} {row.attempts} {row.progress}")
                for row in connection.execute(at_work)
            }
        found = dict.fromkeys((row.StudyInstanceUID, "job.queued") for row in new)
        found |= dict.fromkeys(
            (uid, "job.progress") for number, (uid, said) in running.items() if self._running.get(number) != (uid, said)
        )
        self._newest_job = max((row.id for row in new), default=self._newest_job)
        self._running = running
        return found

    def _wake(self) -> None:
        for woken, loop in list(self._waiting.items()):
            with suppress(RuntimeError):  # its loop has ended
                loop.call_soon_threadsafe(woken.set)
