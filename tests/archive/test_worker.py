"""Reading processes that do well, fail, crash or take too long, and workers that are killed; stand-ins read."""

from __future__ import annotations

import json
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
from sqlalchemy import select
from tests.archive.made import object_of
from tests.archive.signed import EDITS, WORDS, ask_to_sign, put_draft, render, signed

from bonescan.archive import audit
from bonescan.archive.jobs import READ, Job, JobLost, JobState, Queue
from bonescan.archive.kinds import KINDS, Laid
from bonescan.archive.results import folder_digest
from bonescan.archive.sendings import ask_sending, sendings
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import draft, metadata
from bonescan.archive.upkeep import check
from bonescan.archive.worker import _Worker, publish, run_worker
from bonescan.dicom.node.sending import Outcome, Sent
from bonescan.dicom.node.settings import NodeSettings, Peer
from bonescan.errors import ArchiveUnavailable, InvalidValue, QuotaExceeded

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


class Clock:
    """Seconds that grow when a test says so."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def command(act: str) -> tuple[str, ...]:
    return (sys.executable, "-c", STAND_IN.replace("{act}", act))


def worked(
    archive: Archive, act: str, until: Callable[[list[Job]], bool], node: NodeSettings | None = None
) -> list[Job]:
    """What the queue says once a worker has come so far."""
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(archive, stop), kwargs={"command": command(act), "node": node})
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


def test_a_reading_begins_before_its_study_is_complete_and_is_withdrawn_when_more_comes(tmp_path: Path):
    """Never a version of half a study: the first reading has begun, and is as good as done, when the rest comes."""
    begun = tmp_path / "begun"
    begun.mkdir()
    act = f"(pathlib.Path({str(begun)!r}) / str(len(inputs))).touch(); {WRITES}; sys.stdin.read()"
    with Archive(tmp_path / "archive", replace(QUICK, quiet_s=5.0)) as archive:
        clock = Clock()
        worker = _Worker(archive, 1, command(act), clock, None)

        def turn_until(true: Callable[[], object]) -> None:
            end = time.monotonic() + PATIENCE_S
            while not true() and time.monotonic() < end:
                worker.turn()
                clock.now_s += 0.001
                time.sleep(0.02)
            assert true()

        try:
            archive.keep(object_of(1))
            worker.turn()
            clock.now_s += 1.0  # far less than a study has to be quiet
            turn_until((begun / "1").exists)
            archive.keep(object_of(2))
            turn_until(lambda: [job.state for job in worker._queue.jobs()] == [JobState.DONE])  # withdrawn
            clock.now_s += 1.0
            turn_until((begun / "2").exists)
            assert [job.state for job in worker._queue.jobs()] == [JobState.DONE, JobState.RUNNING]
            assert archive.results.of_study("1.9.1") == []
            clock.now_s += 4.5
            turn_until(lambda: settled(worker._queue.jobs()))
        finally:
            worker.end()
        (reading,) = archive.results.of_study("1.9.1")
        assert (reading.folder / "reading.json").read_text() == "2"


def test_a_reading_that_cannot_begin_fails_no_sooner_than_its_study_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """What came first cannot be laid out; the rest comes a moment later, and the whole is read."""

    def lay_out(archive: Archive, job: Job) -> Laid:
        if len(archive.readable(job.study_instance_uid)) < 2:
            raise InvalidValue("Half of it is missing.")
        return KINDS[READ].lay_out(archive, job)

    monkeypatch.setattr("bonescan.archive.worker.KINDS", {READ: replace(KINDS[READ], lay_out=lay_out)})
    with Archive(tmp_path / "archive", replace(QUICK, quiet_s=5.0)) as archive:
        clock = Clock()
        worker = _Worker(archive, 1, command(WRITES), clock, None)
        try:
            archive.keep(object_of(1))
            worker.turn()
            clock.now_s += 1.0
            worker.turn()
            clock.now_s += 1.0
            worker.turn()
            assert [job.state for job in worker._queue.jobs()] == [JobState.RUNNING]
            archive.keep(object_of(2))
            worker.turn()
            assert [job.state for job in worker._queue.jobs()] == [JobState.DONE]  # withdrawn
            end = time.monotonic() + PATIENCE_S
            while not archive.results.of_study("1.9.1") and time.monotonic() < end:
                clock.now_s += 0.5
                worker.turn()
                time.sleep(0.02)
            assert [job.state for job in worker._queue.jobs()] == [JobState.DONE, JobState.DONE]
            archive.keep(object_of(3, study=2))  # of this one nothing more comes
            while not (jobs := worker._queue.jobs([JobState.DEAD])) and time.monotonic() < end:
                clock.now_s += 0.5
                worker.turn()
            assert [(job.study_instance_uid, job.reason) for job in jobs] == [("1.9.2", "Half of it is missing.")]
        finally:
            worker.end()
        actions = [entry.action for entry in audit.entries(archive.database)]
        assert (actions.count("reading.made"), actions.count("job.dead")) == (1, 1)


def test_a_disk_that_is_full_for_long_is_no_fault_of_the_job(archive: Archive, monkeypatch: pytest.MonkeyPatch):
    refusals = iter([QuotaExceeded("full")] * 3)

    def lay_out(archive: Archive, job: Job) -> Laid:
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        return KINDS[READ].lay_out(archive, job)

    monkeypatch.setattr("bonescan.archive.worker.KINDS", {READ: replace(KINDS[READ], lay_out=lay_out)})
    monkeypatch.setattr("bonescan.archive.worker._PATIENCE_S", 0.01)
    archive.keep(object_of(1))
    (job,) = worked(archive, WRITES, settled)
    assert (job.state, job.attempts, job.interruptions) == (JobState.DONE, 0, 0)


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


@pytest.mark.parametrize("step", ["lay_out", "keep"])
def test_an_error_that_nobody_foresaw_ends_the_job_and_not_the_worker(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, step: str
):
    def fails(*_: object) -> None:
        raise KeyError("Doe^Jane")

    monkeypatch.setattr("bonescan.archive.worker.KINDS", {READ: replace(KINDS[READ], **{step: fails})})
    archive.keep(object_of(1))
    (job,) = worked(archive, WRITES, settled)
    assert job.state is JobState.DEAD
    assert "should have foreseen (KeyError at test_worker.py:" in job.reason
    assert "Doe" not in job.reason
    assert list(archive.results.folder.glob("*/*")) == []


def test_what_another_worker_has_cleared_away_is_given_up(archive: Archive):
    archive.keep(object_of(1))
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    queue.settle(0.0)
    job = queue.claim()
    assert job is not None
    laid = KINDS[READ].lay_out(archive, job)
    making = archive.results.begin("1.9.1", job.id)
    archive.results.discard(making)
    with pytest.raises(JobLost):
        publish(archive, queue, job, making, laid)


def test_a_worker_that_is_stopped_gives_its_job_back_at_once(archive: Archive):
    archive.keep(object_of(1))
    (job,) = worked(archive, "time.sleep(600)", lambda jobs: bool(jobs) and jobs[0].progress == "reading")
    assert job.state is JobState.RUNNING
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    assert [(one.state, one.attempts) for one in queue.jobs()] == [(JobState.WAITING, 0)]
    assert list(archive.results.folder.glob("*/*")) == []


# What a process is told of a signature, and one file of each sort that is kept of it.
SIGNS = """
    if wanted["do"] == "sign":
        (out / "order.json").write_text(json.dumps(wanted))
        (out / "dicom_results").mkdir()
        (out / "dicom_results" / "report.dcm").write_bytes(b"a report")
    (out / "reading.json").write_text(str(len(inputs))); say(done={})
"""
PACS = Peer(ae_title="PACS", host="127.0.0.1", port=1, results=True)


def drafted(archive: Archive) -> None:
    """A study that was read, has got another image since, and whose first reading is to be signed."""
    archive.keep(object_of(1))
    worked(archive, WRITES, settled)
    archive.keep(object_of(2))
    worked(archive, WRITES, lambda jobs: len(jobs) == 2 and settled(jobs))
    put_draft(archive)


def test_a_draft_becomes_a_signed_version_of_the_images_it_was_made_of(archive: Archive):
    drafted(archive)
    ask_to_sign(archive)
    before = [folder_digest(one.folder) for one in archive.results.of_study("1.9.1")]
    worked(archive, SIGNS, settled)
    *_, stored = archive.results.of_study("1.9.1")
    assert (stored.version, stored.signed_by, stored.of_version, stored.amends) == (3, "Dr. A", 1, 0)
    assert stored.signed_at < stored.made_at  # the moment of the password, not of the rendering
    assert (stored.folder / "reading.json").read_text() == "1"  # the image that came later is no part of it
    order = json.loads((stored.folder / "order.json").read_text())
    assert (order["edits"], order["words"], order["amends"]) == ([*EDITS], WORDS, None)
    assert Path(order["reading"]) == archive.results.of_study("1.9.1")[0].folder
    assert json.loads((stored.folder / "signed.json").read_bytes())["signed_by"] == "Dr. A"
    assert "draft" not in tables_with_rows(archive)
    assert [folder_digest(one.folder) for one in archive.results.of_study("1.9.1")][:2] == before
    assert check(archive).well
    rows = [(row.actor, row.action) for row in audit.entries(archive.database) if row.action == "reading.signed"]
    assert rows == [("Dr. A", "reading.signed")]


def test_a_second_signature_amends_the_first_and_says_why(archive: Archive):
    drafted(archive)
    ask_to_sign(archive)
    worked(archive, SIGNS, settled)
    put_draft(archive, author="Dr. B")
    ask_to_sign(archive, by="Dr. B", reason="A rib was overlooked.")
    worked(archive, SIGNS, settled)
    first, second = archive.results.of_study("1.9.1")[-2:]
    assert (second.version, second.amends, second.signed_by) == (4, 3, "Dr. B")
    told = json.loads((second.folder / "order.json").read_text())["amends"]
    assert told == {
        "version": 3, "signed_by": "Dr. A", "signed_at": first.signed_at, "reason": "A rib was overlooked.",
        "folder": str(first.folder),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("act", "change", "reason"),
    [
        ('say(failed="The pictures cannot be drawn.", may_help=False)', {}, "The pictures cannot be drawn."),
        (SIGNS, {"number": 3}, "changed or discarded"),  # somebody went on writing after the password
        (SIGNS, {"job_id": 77}, "changed or discarded"),
    ],
)
def test_a_signature_that_fails_keeps_the_draft_and_says_why(
    archive: Archive, act: str, change: dict[str, int], reason: str
):
    drafted(archive)
    number = ask_to_sign(archive)
    with archive.database.write() as connection:
        connection.execute(draft.update().values(**change) if change else select(draft))
    jobs = worked(archive, act, settled)
    assert [(job.state, reason in job.reason) for job in jobs if job.id == number] == [(JobState.DEAD, True)]
    assert "draft" in tables_with_rows(archive)
    assert [one.version for one in archive.results.of_study("1.9.1")] == [1, 2]
    assert len(list(archive.results.folder.glob("*/*"))) == 2


def test_a_draft_that_changes_while_it_is_rendered_is_not_signed(archive: Archive):
    """`facts` looks again in the transaction that publishes."""
    drafted(archive)
    ask_to_sign(archive)
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    job = queue.claim()
    assert job is not None
    making, laid = render(archive, queue, job)
    with archive.database.write() as connection:
        connection.execute(draft.update().values(number=3))
    with pytest.raises(InvalidValue, match="changed or discarded"):
        publish(archive, queue, job, making, laid)
    assert [one.signed_by for one in archive.results.of_study("1.9.1")] == ["", ""]
    assert [one.state for one in queue.jobs() if one.id == job.id] == [JobState.RUNNING]  # nothing of it is kept


def test_what_is_signed_is_sent_to_those_who_get_results_until_they_take_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    taken: list[tuple[str, str]] = []
    refusals = iter(["no association"])

    def send(paths: list[Path], peer: Peer, _: NodeSettings, *, attempts: int) -> list[Sent]:
        assert attempts == 1  # the queue tries again, not the association
        if (why := next(refusals, None)) is not None:
            return [Sent(path=path, outcome=Outcome.UNDELIVERED, reason=why) for path in paths]
        taken.extend((peer.ae_title, path.name) for path in paths)
        return [Sent(path=path, outcome=Outcome.STORED) for path in paths]

    monkeypatch.setattr("bonescan.dicom.node.sending.send", send)
    monkeypatch.setattr("bonescan.archive.jobs._FIRST_PAUSE_S", 0.01)
    drafted(archive)
    ask_to_sign(archive)
    node = NodeSettings(peers=(PACS, Peer(ae_title="OTHER", host="127.0.0.1", port=1)))
    worked(archive, SIGNS, lambda jobs: any(job.kind == "send" for job in jobs) and settled(jobs), node)
    assert taken == [("PACS", "report.dcm")]
    (sending,) = sendings(archive.database, "1.9.1")
    assert (sending.to, sending.version, sending.state, sending.reason) == ("PACS", 3, "sent", "")
    assert [job.attempts for job in Queue(archive.database, lease_s=6.0, attempts=1).jobs() if job.kind == "send"] == [
        1
    ]
    rows = [(row.action, row.detail) for row in audit.entries(archive.database) if row.action == "reading.sent"]
    assert rows == [("reading.sent", {"version": 3, "to": "PACS", "objects": 1})]


def test_a_sending_that_cannot_help_itself_says_why_and_one_that_is_under_way_is_asked_for_once(archive: Archive):
    archive.keep(object_of(1))
    worked(archive, WRITES, settled)
    stored = signed(archive)
    with archive.database.write() as connection:
        for _ in range(2):
            ask_sending(connection, stored, "NOBODY", actor="Dr. A")
    worked(archive, SIGNS, settled, NodeSettings(peers=(PACS,)))
    (sending,) = sendings(archive.database, "1.9.1")
    assert (sending.state, sending.reason) == ("failed", "No peer NOBODY with host and port is configured.")
    archive.delete_study("1.9.1", actor="test", why="test")
    assert sendings(archive.database, "1.9.1") == []
    left = [dict(job.payload) for job in Queue(archive.database, lease_s=6.0, attempts=1).jobs()]
    assert left == [{}, {}, {}]  # of a reading, a signature, a sending: no word of the physician's stays behind
    queue = Queue(archive.database, lease_s=6.0, attempts=1)
    (dead,) = queue.jobs([JobState.DEAD])
    with pytest.raises(InvalidValue, match="deleted with its study"):
        queue.retry(dead.id, actor="test")


def tables_with_rows(archive: Archive) -> set[str]:
    with archive.database.read() as connection:
        return {one.name for one in metadata.sorted_tables if connection.execute(select(one)).first() is not None}


WORKER = """
import sys, threading
from pathlib import Path
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.worker import run_worker
archive = Archive(Path(sys.argv[1]), Settings(reserve_gib=0.0, quiet_s=0.0))
run_worker(archive, threading.Event(), command=tuple(sys.argv[2:]))
"""


@pytest.mark.long
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
    assert not job.nothing_to_read  # it is broken
