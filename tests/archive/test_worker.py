"""Reading processes that do well, fail, crash or take too long, and workers that are killed; stand-ins read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.archive.made import object_of

from bonescan.archive import audit
from bonescan.archive.jobs import Job, JobState, Queue
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.upkeep import check
from bonescan.archive.worker import run_worker
from bonescan.errors import ArchiveUnavailable, QuotaExceeded

QUICK = Settings(reserve_gib=0.0, quiet_s=0.0, attempts=1, lease_s=6.0)
PATIENCE_S = 60.0  # how long a test waits before it gives up; nothing is measured

# A reading process as far as a worker can tell. {act} says what it does with the study.
STAND_IN = """
import json, os, pathlib, sys, time
line = sys.stdin.readline()
if line:
    wanted = json.loads(line)
    out, inputs = pathlib.Path(wanted["out"]), sorted(pathlib.Path(wanted["inputs"]).iterdir())
    def say(**said): print(json.dumps(said), flush=True)
    say(step="reading")
    {act}
"""
WRITES = '(out / "reading.json").write_text(str(len(inputs))); say(done={})'


def command(act: str) -> tuple[str, ...]:
    return (sys.executable, "-c", STAND_IN.replace("{act}", act))


def worked(archive: Archive, act: str, until: Callable[[list[Job]], bool]) -> list[Job]:
    """What the queue says once a worker has come so far."""
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(archive, stop), kwargs={"command": command(act)})
    worker.start()
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    end = time.monotonic() + PATIENCE_S
    try:
        while not until(queue.jobs()) and time.monotonic() < end:
            time.sleep(0.02)
        return queue.jobs()
    finally:
        stop.set()
        worker.join()


def settled(jobs: list[Job]) -> bool:
    return bool(jobs) and all(job.state in (JobState.DONE, JobState.DEAD) for job in jobs)


@pytest.fixture
def archive(tmp_path: Path):
    with Archive(tmp_path / "archive", QUICK) as opened:
        yield opened


def test_a_study_is_read_and_its_reading_kept_in_versions(archive: Archive):
    archive.keep(object_of(1))
    worked(archive, WRITES, settled)
    archive.keep(object_of(2))
    jobs = worked(archive, WRITES, lambda jobs: len(jobs) == 2 and settled(jobs))
    assert [job.state for job in jobs] == [JobState.DONE, JobState.DONE]
    readings = archive.results.of_study("1.9.1")
    assert [reading.version for reading in readings] == [1, 2]
    assert [(reading.folder / "reading.json").read_text() for reading in readings] == ["1", "2"]
    assert {path.name for path in readings[1].folder.iterdir()} == {"reading.json", "result.json"}
    assert check(archive).well
    assert [e.action for e in audit.entries(archive.database)].count("reading.made") == 2


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ('say(failed="It is no bone scan.", may_help=False)', "It is no bone scan."),
        ("os.abort()", "ended by signal 6"),
        ("time.sleep(600)", "longer than the 0.5 s"),
        ("print('nonsense'); sys.exit(0)", "ended with status 0"),
    ],
)
def test_a_reading_that_fails_is_dead_with_its_reason_and_leaves_nothing(tmp_path: Path, act: str, reason: str):
    with Archive(tmp_path / "archive", replace(QUICK, time_limit_s=0.5)) as archive:
        archive.keep(object_of(1))
        (job,) = worked(archive, act, settled)
        assert job.state is JobState.DEAD
        assert reason in job.reason
        assert list(archive.results.folder.glob("*/*")) == []
        assert archive.results.of_study("1.9.1") == []


def test_a_worker_outlasts_a_database_that_is_gone_for_a_while(archive: Archive, monkeypatch: pytest.MonkeyPatch):
    archive.keep(object_of(1))
    settle, refusals = (
        Queue.settle,
        iter([ArchiveUnavailable("gone"), OSError(11, "no process"), QuotaExceeded("full")]),
    )

    def sometimes(queue: Queue, quiet_s: float) -> int:
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        return settle(queue, quiet_s)

    monkeypatch.setattr(Queue, "settle", sometimes)
    monkeypatch.setattr("bonescan.archive.worker._PATIENCE_S", 0.01)
    assert [job.state for job in worked(archive, WRITES, settled)] == [JobState.DONE]


def test_a_worker_that_is_stopped_gives_its_job_back_at_once(archive: Archive):
    archive.keep(object_of(1))
    (job,) = worked(archive, "time.sleep(600)", lambda jobs: bool(jobs) and jobs[0].progress == "reading")
    assert job.state is JobState.RUNNING
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    assert [(one.state, one.attempts) for one in queue.jobs()] == [(JobState.WAITING, 0)]
    assert list(archive.results.folder.glob("*/*")) == []


WORKER = """
import sys, threading
from pathlib import Path
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.worker import run_worker
archive = Archive(Path(sys.argv[1]), Settings(reserve_gib=0.0, quiet_s=0.0))
run_worker(archive, threading.Event(), command=tuple(sys.argv[2:]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_the_job_of_a_worker_that_is_killed_is_begun_anew_and_its_process_ends(archive: Archive, tmp_path: Path):
    archive.keep(object_of(1))
    pid = tmp_path / "pid"
    note = f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); sys.stdin.read()"  # ends with the worker's pipe
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(archive.folder), *command(note)])
    end = time.monotonic() + PATIENCE_S
    while not (pid.is_file() and pid.read_text()) and time.monotonic() < end:
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    reader = int(pid.read_text())
    jobs = worked(archive, WRITES, settled)
    assert [(job.state, job.interruptions, job.attempts) for job in jobs] == [(JobState.DONE, 1, 0)]
    assert archive.results.sweep() == 1  # what the killed one had begun
    assert len(list(archive.results.folder.glob("*/*"))) == 1
    while Path(f"/proc/{reader}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(reader, 0)


def test_the_reading_process_refuses_what_is_no_bone_scan_in_a_sentence(archive: Archive):
    archive.keep(object_of(1))  # 10 by 10 pixels without a camera's header
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(archive, stop))
    worker.start()
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    end = time.monotonic() + 2 * PATIENCE_S
    while not settled(queue.jobs()) and time.monotonic() < end:
        time.sleep(0.05)
    stop.set()
    worker.join()
    (job,) = queue.jobs()
    assert job.state is JobState.DEAD
    assert job.attempts == 1
    assert "should have foreseen" not in job.reason
    assert job.reason.endswith(".")
