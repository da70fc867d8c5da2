"""The queue of what is to be done with studies: durable, one worker to a job, tried again where that can help.

::

    waiting ──claim──► running ──finish──► done
       ▲                  │
       ├─ failed, may help ┤
       ├─ worker gone ─────┘
       └── retry (a person) ── dead ◄── tried often enough, or it cannot help: `reason` says why

A claim is a lease: the worker raises the job's heartbeat every few seconds, and another takes the job over once it has
seen the same heartbeat for the length of a lease by its own monotonic clock, see `bonescan.archive.stillness`. Whoever
lost a job that way is told so by `beat` and by `finish`, whose transaction is then undone: no reading is published
twice.

A job has a kind, ``read``, ``sign``, ``send`` and what `bonescan.archive.kinds` adds, and a payload, which says what is
to be done with the study. Readings are asked for by `Queue.settle`, once for each state of the study; all others by
`Queue.ask`, as often as somebody wants.

A reading may be asked for, and begun, before it is sure that its study is complete: `Queue.take_back` withdraws it when
more comes. One that is dead lives again when more comes, for that asks for another, and when an object that was damaged
is sent anew: `revive`. One that found nothing to be read has not failed, though it is as dead: `Job.nothing_to_read`.

A job that fails counts an attempt; one whose worker was killed counts an interruption, which is not the job's fault and
may happen often.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.database import Database, utc_now
from bonescan.archive.processes import is_gone, this_process
from bonescan.archive.stillness import Stillness
from bonescan.archive.tables import job, study
from bonescan.errors import BoneScanError, InvalidValue

__all__ = ["READ", "SEND", "SIGN", "Job", "JobLost", "JobState", "Queue", "ask_again", "revive"]

READ, SIGN, SEND = "read", "sign", "send"
"""Kinds of jobs of the archive's own."""

_MOST_INTERRUPTIONS = 100
_SENT_FOR = 150  # [D] attempts; with the pauses below about a day, which is how long another node may be down
_FIRST_PAUSE_S = 5.0
_LONGEST_PAUSE_S = 600.0
_AFRESH: Mapping[str, Any] = MappingProxyType(
    {"attempts": 0, "interruptions": 0, "wait_s": 0.0, "progress": "", "reason": "", "nothing_to_read": False}
)


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class JobLost(BoneScanError, RuntimeError):
    """Another worker has taken the job over; what was made of it is not wanted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as the index has it.

    Parameters
    ----------
    id : int
    kind : str
    study_instance_uid : str
    revision : int
        Of the study, when its reading was asked for; of another kind's jobs, the how-manieth of the study.
    state : JobState
    attempts, interruptions : int
    progress : str
        The step it is at, in words.
    reason : str
        Why it failed last, in a sentence.
    nothing_to_read : bool
        Whether it is dead because its study holds nothing that a reading could be made of, and nothing is wrong.
    made_at, changed_at : str
        UTC.
    payload : mapping of str to object
        What is to be done, as far as the kind does not say it.
    """

    id: int
    kind: str
    study_instance_uid: str
    revision: int
    state: JobState
    attempts: int
    interruptions: int
    progress: str
    reason: str
    nothing_to_read: bool
    made_at: str
    changed_at: str
    payload: Mapping[str, Any] = field(default_factory=dict)


class Queue:
    """The jobs of one archive, as one worker sees them.

    Parameters
    ----------
    database : Database
    lease_s : float
        A job without a sign of life for so long is taken over.
    attempts : int
        How often a job is tried; one that sends is tried for about a day.
    clock : callable
        Monotonic seconds.
    """

    def __init__(
        self, database: Database, *, lease_s: float, attempts: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._lease_s = lease_s
        self._attempts = attempts
        self._studies, self._jobs = Stillness(clock), Stillness(clock)
        self._owner = f"{this_process()}-{uuid.uuid4().hex}"

    def settle(self, quiet_s: float) -> int:
        """Ask for a reading of every study to which nothing came for a while.

        Parameters
        ----------
        quiet_s : float

        Returns
        -------
        int
            Readings asked for.
        """
        with self._database.read() as connection:
            changed = connection.execute(
                select(study.c.StudyInstanceUID, study.c.revision).where(study.c.revision > study.c.queued_revision)
            ).all()
        self._studies.forget_others({uid for uid, _ in changed})
        quiet = [(uid, revision) for uid, revision in changed if self._studies.unchanged_s(uid, revision) >= quiet_s]
        if not quiet:
            return 0
        with self._database.write() as connection:
            return sum(_ask(connection, uid, revision) for uid, revision in quiet)

    @staticmethod
    def ask(connection: Connection, kind: str, study_uid: str, payload: Mapping[str, Any]) -> int:
        """Ask for something to be done with a study, in a writing transaction.

        Parameters
        ----------
        connection : Connection
            Of `Database.write`.
        kind : str
            Not ``read``, which `settle` and `ask_again` ask for.
        study_uid : str
        payload : mapping of str to object
            Ready for JSON.

        Returns
        -------
        int
            The job's number.
        """
        same = (job.c.kind == kind) & (job.c.StudyInstanceUID == study_uid)
        last = connection.execute(select(func.max(job.c.revision)).where(same)).scalar_one_or_none()
        return _insert(connection, kind, study_uid, (last or 0) + 1, payload)

    @staticmethod
    def of_study(connection: Connection, kind: str, study_uid: str) -> list[Job]:
        """The jobs of one kind that were asked for with a study.

        Parameters
        ----------
        connection : Connection
        kind : str
        study_uid : str

        Returns
        -------
        list of Job
            The oldest first.
        """
        own = (job.c.kind == kind) & (job.c.StudyInstanceUID == study_uid)
        return [_as_job(row) for row in connection.execute(select(job).where(own).order_by(job.c.id)).mappings()]

    def claim(self, held: Collection[int] = (), *, sends: bool = False) -> Job | None:
        """Take the next job: one that waits, or one whose worker is gone; what a physician waits for comes first.

        Parameters
        ----------
        held : collection of int
            Numbers of the jobs this worker has at hand; another of its own was lost on the way.
        sends : bool
            True for a job that sends, false for one of any other kind.

        Returns
        -------
        Job or None
        """
        with self._database.read() as connection:
            rows = (
                connection.execute(
                    select(job).where(job.c.state.in_([JobState.WAITING, JobState.RUNNING])).order_by(job.c.id)
                )
                .mappings()
                .all()
            )
        self._jobs.forget_others({row["id"] for row in rows})
        wanted = [row for row in rows if (row["kind"] == SEND) is sends]
        for row in sorted(wanted, key=lambda row: (row["kind"] != SIGN, row["id"])):
            if self._free(row, held) and (claimed := self._take(row)) is not None:
                return claimed
        return None

    def beat(self, claimed: Job, progress: str) -> None:
        """Give a sign of life.

        Parameters
        ----------
        claimed : Job
        progress : str
            The step it is at.

        Raises
        ------
        JobLost
            When another worker has the job now.
        """
        with self._database.write() as connection:
            self._change(connection, claimed, heartbeat=job.c.heartbeat + 1, progress=progress[:200])

    def take_back(self, claimed: Job) -> bool:
        """Withdraw a reading when more has come of its study; `settle` asks for another once nothing comes any more.

        Parameters
        ----------
        claimed : Job
            Of the kind ``read``.

        Returns
        -------
        bool
            Whether it was withdrawn: it was begun too early. Its row stays, for a number must not come to mean another
            job.

        Raises
        ------
        JobLost
            When another worker has the job now.
        """
        same = study.c.StudyInstanceUID == claimed.study_instance_uid
        grown = select(study.c.revision).where(same, study.c.revision > claimed.revision)
        with self._database.read() as connection:
            if connection.execute(grown).first() is None:
                return False
        with self._database.write() as connection:
            self._change(connection, claimed, state=JobState.DONE, progress="", reason="More came of the study.")
        return True

    def finish(self, connection: Connection, claimed: Job) -> None:
        """Say that a job is done, in the transaction in which its results are published.

        Parameters
        ----------
        connection : Connection
            Of `Database.write`.
        claimed : Job

        Raises
        ------
        JobLost
            When another worker has the job now: the transaction must not be kept.
        """
        self._change(connection, claimed, state=JobState.DONE, progress="", reason="")

    def fail(self, claimed: Job, reason: str, *, may_help: bool, nothing_to_read: bool = False) -> JobState:
        """Say that a job failed.

        Parameters
        ----------
        claimed : Job
        reason : str
            One sentence without a patient's identity.
        may_help : bool
            Whether another attempt may help.
        nothing_to_read : bool
            As in `Job`.

        Returns
        -------
        JobState
            Waiting for another attempt after a pause, or dead.

        Raises
        ------
        JobLost
            When another worker has the job now.
        """
        attempts = claimed.attempts + 1
        again = may_help and attempts < (_SENT_FOR if claimed.kind == SEND else self._attempts)
        state = JobState.WAITING if again else JobState.DEAD
        pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 4.0 ** (attempts - 1)) if again else 0.0
        with self._database.write() as connection:
            said = {"reason": reason, "nothing_to_read": nothing_to_read, "progress": ""}
            self._change(connection, claimed, state=state, attempts=attempts, wait_s=pause, **said)
            if state is JobState.DEAD:
                _tell_dead(connection, claimed.study_instance_uid, reason)
        return state

    def give_back(self, claimed: Job) -> None:
        """Let another worker begin a job anew, as on an orderly stop.

        Parameters
        ----------
        claimed : Job
        """
        with suppress(JobLost), self._database.write() as connection:
            self._change(connection, claimed, state=JobState.WAITING, wait_s=0.0, progress="")

    def retry(self, job_id: int, *, actor: str) -> None:
        """Let a dead job be tried again, because a person wants it.

        Parameters
        ----------
        job_id : int
        actor : str
            Who.

        Raises
        ------
        InvalidValue
            When there is no dead job of that number, or its study was deleted.
        """
        dead = (job.c.id == job_id) & (job.c.state == JobState.DEAD)
        with self._database.write() as connection:
            row = connection.execute(select(job).where(dead)).one_or_none()
            if row is None:
                raise InvalidValue(f"There is no dead job {job_id}.", got=job_id)
            if row.kind != READ and row.payload == "{}":
                raise InvalidValue(f"What job {job_id} was to do was deleted with its study.", got=job_id)
            uid = row.StudyInstanceUID
            _begin_afresh(connection, dead)
            audit.append(connection, actor=actor, action="job.retried", subject=uid, detail={"job": job_id})

    def jobs(self, states: Collection[JobState] = tuple(JobState)) -> list[Job]:
        """Say where the jobs stand.

        Parameters
        ----------
        states : collection of JobState
            Only those in these.

        Returns
        -------
        list of Job
            The oldest first.
        """
        wanted = select(job).where(job.c.state.in_([str(state) for state in states])).order_by(job.c.id)
        with self._database.read() as connection:
            return [_as_job(row) for row in connection.execute(wanted).mappings()]

    def _free(self, row: RowMapping, held: Collection[int]) -> bool:
        unchanged = self._jobs.unchanged_s(row["id"], (row["state"], row["owner"], row["heartbeat"], row["attempts"]))
        if row["state"] == JobState.WAITING:
            return unchanged >= float(row["wait_s"])
        if row["owner"] == self._owner:
            return row["id"] not in held
        return is_gone(row["owner"]) or unchanged >= self._lease_s

    def _take(self, row: RowMapping) -> Job | None:
        """Claim a job unless somebody was faster, or it was interrupted so often that it is to blame."""
        seen = [job.c[name] == row[name] for name in ("id", "state", "owner", "heartbeat", "attempts")]
        taken_over = row["state"] == JobState.RUNNING
        values: dict[str, Any] = {
            "state": JobState.RUNNING,
            "owner": self._owner,
            "heartbeat": row["heartbeat"] + 1,
            "interruptions": row["interruptions"] + taken_over,
            "changed_at": utc_now(),
        }
        if values["interruptions"] >= _MOST_INTERRUPTIONS:
            reason = f"The program ended {_MOST_INTERRUPTIONS} times while it was at this."
            values |= {"state": JobState.DEAD, "reason": reason}
        with self._database.write() as connection:
            if connection.execute(update(job).where(*seen).values(**values)).rowcount == 0:
                return None
            if values["state"] is JobState.DEAD:
                _tell_dead(connection, row["StudyInstanceUID"], values["reason"])
                return None
            return _as_job({**row, **values})

    def _change(self, connection: Connection, claimed: Job, **values: Any) -> None:
        own = (job.c.id == claimed.id) & (job.c.owner == self._owner) & (job.c.state == JobState.RUNNING)
        if connection.execute(update(job).where(own).values(changed_at=utc_now(), **values)).rowcount == 0:
            raise JobLost(f"Job {claimed.id} was taken over by another worker.", job=claimed.id)


def ask_again(database: Database, study_uid: str, *, actor: str) -> None:
    """Ask for one more reading of a study, because a person wants it; earlier ones stay.

    Parameters
    ----------
    database : Database
    study_uid : str
    actor : str
        Who.

    Raises
    ------
    InvalidValue
        When there is nothing to read, or a reading is under way.
    """
    with database.write() as connection:
        known = connection.execute(
            select(study.c.revision, study.c.queued_revision).where(study.c.StudyInstanceUID == study_uid)
        ).one_or_none()
        if known is None or known.revision == 0:
            raise InvalidValue("The study has no images of a gamma camera that could be read.")
        newest = (job.c.kind == READ) & (job.c.StudyInstanceUID == study_uid)
        states = set(connection.execute(select(job.c.state).where(newest)).scalars())
        if states & {JobState.WAITING, JobState.RUNNING} or known.revision > known.queued_revision:
            raise InvalidValue("A reading of this study is under way already.")
        connection.execute(
            update(study).where(study.c.StudyInstanceUID == study_uid).values(queued_revision=known.revision - 1)
        )
        _ask(connection, study_uid, known.revision)
        audit.append(connection, actor=actor, action="reading.asked", subject=study_uid)


def revive(connection: Connection, study_uid: str) -> None:
    """Have a study read after all, in a writing transaction in which an object of it was mended.

    Parameters
    ----------
    connection : Connection
        Of `Database.write`.
    study_uid : str
        Nothing happens unless the last reading that was asked for is dead.
    """
    last = select(study.c.queued_revision).where(study.c.StudyInstanceUID == study_uid).scalar_subquery()
    own = (job.c.kind == READ) & (job.c.StudyInstanceUID == study_uid) & (job.c.revision == last)
    _begin_afresh(connection, own & (job.c.state == JobState.DEAD))


def _begin_afresh(connection: Connection, which: ColumnElement[bool]) -> None:
    """Let jobs wait again as if nobody had ever tried them."""
    connection.execute(update(job).where(which).values(state=JobState.WAITING, changed_at=utc_now(), **_AFRESH))


def _ask(connection: Connection, uid: str, revision: int) -> int:
    """Ask for one reading, unless more has come or another worker was faster."""
    same = (study.c.StudyInstanceUID == uid) & (study.c.revision == revision) & (study.c.queued_revision < revision)
    if connection.execute(update(study).where(same).values(queued_revision=revision)).rowcount == 0:
        return 0
    asked = (job.c.kind == READ) & (job.c.StudyInstanceUID == uid) & (job.c.revision == revision)
    if connection.execute(select(job.c.id).where(asked)).one_or_none() is not None:  # deleted, and sent once more
        _begin_afresh(connection, asked)
        return 1
    _insert(connection, READ, uid, revision, {})
    return 1


def _insert(connection: Connection, kind: str, uid: str, revision: int, payload: Mapping[str, Any]) -> int:
    now = utc_now()
    row = {
        "kind": kind,
        "StudyInstanceUID": uid,
        "revision": revision,
        "payload": json.dumps(payload, sort_keys=True),
        "state": JobState.WAITING,
        "attempts": 0,
        "interruptions": 0,
        "heartbeat": 0,
        "nothing_to_read": False,
        "made_at": now,
        "changed_at": now,
    }
    (number,) = connection.execute(insert(job).values(row)).inserted_primary_key or (0,)
    return int(number)


def _tell_dead(connection: Connection, uid: str, reason: str) -> None:
    audit.append(connection, actor="worker", action="job.dead", subject=uid, detail={"reason": reason})


def _as_job(row: Any) -> Job:
    names = ("id", "kind", "revision", "attempts", "interruptions", "progress", "reason", "nothing_to_read")
    return Job(
        **{name: row[name] for name in (*names, "made_at", "changed_at")},
        study_instance_uid=row["StudyInstanceUID"],
        state=JobState(row["state"]),
        payload=json.loads(row["payload"] or "{}"),
    )
