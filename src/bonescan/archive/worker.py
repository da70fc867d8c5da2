"""What does the jobs: one loop that completes studies, takes jobs and looks after reading processes and sendings.

::

    study quiet ─► job ─► reading process ─► results folder ─► one transaction: row, audit, job done
                    │         │ too long, too much memory, crashed, refused
                    │         ├─► another attempt after a pause, or dead with the reason
                    │         └─► withdrawn: more came of the study before it was sure to be complete
                    └ send ─► thread ─► peer ─► one transaction: audit, job done

What a kind of job is given and what is kept of it says `bonescan.archive.kinds`; that a job sends, only here and in
`bonescan.archive.sendings`. The loop never blocks on a reading or a peer and survives a database that is gone for a
while. A process that is killed takes its reading processes with it; the next worker begins their jobs anew.
"""

from __future__ import annotations

import logging
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.archive import audit
from bonescan.archive.children import Child
from bonescan.archive.jobs import READ, Job, JobLost, Queue
from bonescan.archive.kinds import INPUTS, KINDS, Laid, Made, link
from bonescan.archive.sendings import Delivered, deliver, sent
from bonescan.archive.shelf import Archive
from bonescan.errors import ArchiveUnavailable, BoneScanError, InvalidValue, QuotaExceeded, place_of

if TYPE_CHECKING:
    from bonescan.dicom.node.settings import NodeSettings

__all__ = ["publish", "run_worker"]

_POLL_S = 0.1
_HEAD_START_S = 0.5  # [D] a sender's next object of the same study comes within, nearly always
_MOST_AHEAD_S = 5.0  # [D] about what a reading takes: one that is made and waits keeps others, and signing, waiting
_UPKEEP_S = 60.0
_PATIENCE_S = 2.0
_TOLD_S = 0.5
_RESTART_S = 5.0
_LEAST_OF_RESERVE = 0.25  # [D] 64 MiB by default, a dozen readings
_READING_PROCESS = (sys.executable, "-P", "-m", "bonescan.archive.reading_process")
_SENDINGS = 2
_log = logging.getLogger(__name__)


def run_worker(
    archive: Archive,
    stop: threading.Event,
    *,
    processes: int = 1,
    command: tuple[str, ...] = _READING_PROCESS,
    clock: Callable[[], float] = time.monotonic,
    node: NodeSettings | None = None,
) -> None:
    """Read every study that comes into an archive, sign and send what physicians want, until told to stop.

    Several workers, also on several machines that share folder and database, divide the jobs among them.

    Parameters
    ----------
    archive : Archive
    stop : threading.Event
        Set it to stop: readings in progress are given back to the queue.
    processes : int
        Studies read at once.
    command : tuple of str
        What starts a reading process, see `bonescan.archive.reading_process`.
    clock : callable
        Monotonic seconds.
    node : NodeSettings, optional
        In whose name signed readings are sent, and to whom; without them every sending waits.
    """
    worker = _Worker(archive, processes, command, clock, node)
    try:
        while not stop.is_set():
            pause = _POLL_S
            try:
                worker.turn()
            except OSError as error:  # the database is gone, the disk full, no process to be had: all of it may pass
                _log.warning("worker waits: %s", error if isinstance(error, BoneScanError) else type(error).__name__)
                pause = _PATIENCE_S
            stop.wait(pause)
    finally:
        worker.end()


def publish(
    archive: Archive, queue: Queue, job: Job, making: Path, laid: Laid, receivers: tuple[str, ...] = ()
) -> None:
    """Keep what a job's process has made, and say that the job is done, in one transaction.

    Parameters
    ----------
    archive : Archive
    queue : Queue
        That claimed the job.
    job : Job
    making : Path
        Where it was made.
    laid : Laid
    receivers : tuple of str
        As in `bonescan.archive.kinds.Made`.

    Raises
    ------
    JobLost
        When another worker has the job now, or has cleared away what was made; nothing is kept.
    InvalidValue
        When it is not wanted any more; nothing is kept.
    """
    if not making.is_dir():  # whoever took the job over and ended it has swept
        raise JobLost(f"What was made of job {job.id} was cleared away by another worker.", job=job.id)
    shutil.rmtree(making / INPUTS, ignore_errors=True)
    files = KINDS[job.kind].folders(archive).flush(making)
    made = Made(archive=archive, job=job, making=making, laid=laid, files_sha256=files, receivers=receivers)
    with archive.database.write() as connection:
        queue.finish(connection, job)
        KINDS[job.kind].keep(connection, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A process at work."""

    process: Child
    making: Path
    laid: Laid


@dataclass(slots=True, kw_only=True)
class _Running:
    """A job at hand, and what its process has said."""

    job: Job
    begun: _Begun | None  # none where it failed before there was anything to begin
    since_s: float
    beaten_s: float
    sure: bool  # that it is wanted: nothing came of its study for as long as a complete one is quiet
    progress: str = ""
    told: str = ""
    last: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Sending:
    """A thread that sends, and how it went."""

    job: Job
    beaten_s: float
    answers: queue.SimpleQueue[Delivered] = field(default_factory=queue.SimpleQueue)

    @classmethod
    def begun(cls, archive: Archive, claimed: Job, node: NodeSettings, now_s: float) -> _Sending:
        made = cls(job=claimed, beaten_s=now_s)
        threading.Thread(target=made._send, args=(archive, node), name="bonescan-sending", daemon=True).start()
        return made

    def _send(self, archive: Archive, node: NodeSettings) -> None:
        try:
            self.answers.put(deliver(archive, self.job, node))
        except Exception as error:  # whatever it is, the job must hear of it; its words may name a patient
            self.answers.put(Delivered(objects=0, reason=_told(error), may_help=True))


class _Worker:
    def __init__(
        self,
        archive: Archive,
        processes: int,
        command: tuple[str, ...],
        clock: Callable[[], float],
        node: NodeSettings | None,
    ) -> None:
        self._archive, self._processes, self._command, self._clock = archive, processes, command, clock
        self._node = node
        self._receivers = tuple(peer.ae_title for peer in node.peers if peer.results) if node is not None else ()
        settings = archive.settings
        self._queue = Queue(archive.database, lease_s=settings.lease_s, attempts=settings.attempts, clock=clock)
        # A reading begins soon after its study's last object, and is kept or failed only once the study was quiet for
        # long enough: the wait for further objects and the reading go on at the same time.
        self._head_start_s = min(settings.quiet_s, max(_HEAD_START_S, settings.quiet_s - _MOST_AHEAD_S))
        self._running: list[_Running] = []
        self._sendings: list[_Sending] = []
        self._spare: Child | None = None
        self._kept_up_s = clock() - _UPKEEP_S
        self._started_s = clock() - _RESTART_S

    def turn(self) -> None:
        """Do what there is to do now."""
        for running in list(self._running):
            self._look_after(running)
        for sending in list(self._sendings):
            self._look_after_sending(sending)
        if self._clock() - self._kept_up_s >= _UPKEEP_S:
            self._archive.recover()
            self._archive.results.sweep()
            self._archive.comparisons.sweep()
            audit.anchor(self._archive.database, self._archive.folder)
            self._kept_up_s = self._clock()
        self._keep_a_spare()
        self._queue.settle(self._head_start_s)
        while len(self._running) < self._processes and (claimed := self._claim()) is not None:
            self._begin(claimed)
        while self._node and len(self._sendings) < _SENDINGS and (claimed := self._claim(sends=True)) is not None:
            self._sendings.append(_Sending.begun(self._archive, claimed, self._node, self._clock()))

    def _keep_a_spare(self) -> None:
        """Have a process that has imported everything, but not while its imports would slow down a reading."""
        gone = self._spare is None or self._spare.ended
        if gone and len(self._running) < self._processes and self._clock() - self._started_s >= _RESTART_S:
            self._started_s = self._clock()
            self._spare = Child.started(self._command)

    def end(self) -> None:
        """Stop at once and leave the jobs to others."""
        if self._spare is not None:
            self._spare.end()
        for running in self._running:
            self._clear(running)
            with suppress(ArchiveUnavailable, QuotaExceeded):
                self._queue.give_back(running.job)
        self._running.clear()
        for sending in self._sendings:  # what its thread still does, the next one does again: it is the same objects
            with suppress(ArchiveUnavailable, QuotaExceeded):
                self._queue.give_back(sending.job)
        self._sendings.clear()

    def _claim(self, *, sends: bool = False) -> Job | None:
        reserve = self._archive.settings.reserve_gib * 2**30
        if not sends and self._archive.objects.free_bytes() < reserve * _LEAST_OF_RESERVE:
            return None  # what a reading would write has no room: trying would only use up the job's attempts
        held = [one.job.id for one in self._running] + [one.job.id for one in self._sendings]
        return self._queue.claim(held=held, sends=sends)

    def _begin(self, claimed: Job) -> None:
        now = self._clock()
        sure = claimed.kind != READ or self._archive.settings.quiet_s <= self._head_start_s
        running = _Running(job=claimed, begun=None, since_s=now, beaten_s=now, sure=sure)
        making = None
        try:
            if claimed.kind not in KINDS:
                raise InvalidValue(f"This version of bonescan does not know jobs of the kind {claimed.kind}.")
            kind = KINDS[claimed.kind]
            laid = kind.lay_out(self._archive, claimed)
            making = kind.folders(self._archive).begin(claimed.study_instance_uid, claimed.id)
            link(laid.inputs, making / INPUTS)
        except Exception as error:  # none may end the worker, and with it all of `bonescan serve`
            if making is not None:
                self._archive.results.discard(making)
            if isinstance(error, OSError) and not isinstance(error, ArchiveUnavailable):
                self._queue.give_back(claimed)  # it may pass, and uses up no attempt
                raise
            running.last = {"failed": _told(error), "may_help": isinstance(error, ArchiveUnavailable)}
            self._running.append(running)
            return
        process = self._spare or Child.started(self._command)
        self._spare = None
        running.begun = _Begun(process=process, making=making, laid=laid)
        self._running.append(running)
        memory = int(self._archive.settings.memory_limit_gib * 2**30)
        where = {"do": claimed.kind, "inputs": str(making / INPUTS), "out": str(making), "memory_bytes": memory}
        process.order({**laid.order, **where})

    def _look_after(self, running: _Running) -> None:
        try:
            if not running.sure:
                if self._queue.take_back(running.job):
                    self._drop(running)
                    return
                quiet_s = self._clock() - running.since_s + self._head_start_s
                running.sure = quiet_s >= self._archive.settings.quiet_s
            if running.begun is not None:
                ended = running.begun.process.ended
                self._hear(running, running.begun, patience_s=1.0 if ended and running.sure else 0.0)
            if running.sure and self._conclude_reading(running):
                return
            if self._beat_due(running):
                self._queue.beat(running.job, running.progress)
                running.beaten_s, running.told = self._clock(), running.progress
        except JobLost as error:
            _log.warning("%s", error)
            self._drop(running)

    def _conclude_reading(self, running: _Running) -> bool:
        """Keep what was made or tell what went wrong; false while it goes on."""
        last, begun = running.last, running.begun
        if "failed" in last:
            nothing = bool(last.get("nothing_to_read"))
            self._fail(running, str(last["failed"]), may_help=bool(last.get("may_help")), nothing_to_read=nothing)
            return True
        assert begun is not None  # whatever has no process has failed
        if "done" in last:
            self._publish(running, begun)
        elif begun.process.ended:
            code = begun.process.popen.returncode
            how = f"by signal {-code}, as when memory runs out" if code < 0 else f"with status {code}"
            self._fail(running, f"The reading process ended {how}.", may_help=True)
        elif self._clock() - running.since_s > self._archive.settings.time_limit_s:
            limit = self._archive.settings.time_limit_s
            self._fail(running, f"The reading took longer than the {limit:g} s it may take.", may_help=True)
        else:
            return False
        return True

    def _look_after_sending(self, sending: _Sending) -> None:
        try:
            answer = sending.answers.get_nowait()
        except queue.Empty:
            answer = None
        try:
            if answer is None:
                if self._clock() - sending.beaten_s > self._archive.settings.lease_s / 6:
                    self._queue.beat(sending.job, "sending")
                    sending.beaten_s = self._clock()
                return
            self._conclude(sending, answer)
        except JobLost as error:
            _log.warning("%s", error)
        except OSError:  # the database is gone: the answer is told the next time
            if answer is not None:
                sending.answers.put(answer)
            raise
        self._sendings.remove(sending)

    def _conclude(self, sending: _Sending, answer: Delivered) -> None:
        if answer.reason:
            state = self._queue.fail(sending.job, answer.reason, may_help=answer.may_help)
            _log.warning("job %d is %s: %s", sending.job.id, state, answer.reason)
            return
        with self._archive.database.write() as connection:
            self._queue.finish(connection, sending.job)
            sent(connection, sending.job, answer.objects)

    def _beat_due(self, running: _Running) -> bool:
        """Whether to give a sign of life: several times within a lease, and soon when there is progress to tell."""
        since = self._clock() - running.beaten_s
        return since > self._archive.settings.lease_s / 6 or (since > _TOLD_S and running.progress != running.told)

    @staticmethod
    def _hear(running: _Running, begun: _Begun, *, patience_s: float) -> None:
        """Take in what the process has said; of one that has ended, the last line may still be under way."""
        with suppress(queue.Empty):
            while "done" not in running.last and "failed" not in running.last:
                said = begun.process.said
                running.last = said.get(timeout=patience_s) if patience_s else said.get_nowait()
                running.progress = str(running.last.get("step", running.progress))

    def _publish(self, running: _Running, begun: _Begun) -> None:
        try:
            publish(self._archive, self._queue, running.job, begun.making, begun.laid, self._receivers)
        except (OSError, JobLost):
            raise
        except Exception as error:
            self._fail(running, _told(error), may_help=False)
            return
        begun.process.end()
        self._running.remove(running)

    def _fail(self, running: _Running, reason: str, *, may_help: bool, nothing_to_read: bool = False) -> None:
        state = self._queue.fail(running.job, reason, may_help=may_help, nothing_to_read=nothing_to_read)
        _log.warning("job %d is %s: %s", running.job.id, state, reason)
        self._drop(running)

    def _drop(self, running: _Running) -> None:
        self._clear(running)
        self._running.remove(running)

    def _clear(self, running: _Running) -> None:
        """Take away what a job's process has made, and the process."""
        if running.begun is not None:
            running.begun.process.end()
            self._archive.results.discard(running.begun.making)


def _told(error: Exception) -> str:
    """Why a job failed: in our own errors' words, of any other its place alone, for its words may quote a patient."""
    if isinstance(error, BoneScanError):
        return str(error)
    return f"The worker met an error it should have foreseen ({place_of(error)}); please report it."
