"""The queue: one worker to a job, whatever clocks and processes do."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from tests.archive.made import object_of

from bonescan.archive.jobs import JobLost, JobState, Queue, ask_again
from bonescan.archive.shelf import Archive
from bonescan.archive.stillness import Stillness
from bonescan.errors import InvalidValue


class Clock:
    """Monotonic seconds that a test moves."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def queue_of(archive: Archive, clock: Clock) -> Queue:
    return Queue(archive.database, lease_s=30.0, attempts=3, clock=clock)


def with_one_job(archive: Archive, clock: Clock) -> Queue:
    archive.keep(object_of(1))
    queue = queue_of(archive, clock)
    queue.settle(0.0)
    return queue


def test_a_study_is_complete_when_nothing_came_for_a_while(archive: Archive, clock: Clock):
    queue = queue_of(archive, clock)
    archive.keep(object_of(1))
    assert queue.settle(3.0) == 0
    clock.now_s += 2.9
    archive.keep(object_of(2))
    assert queue.settle(3.0) == 0  # that object began the wait anew
    clock.now_s += 2.9
    assert queue.settle(3.0) == 0
    clock.now_s += 0.2
    assert queue.settle(3.0) == 1
    assert queue.settle(0.0) == 0
    assert [(job.study_instance_uid, job.revision, job.state) for job in queue.jobs()] == [("1.9.1", 2, "waiting")]


def test_a_later_object_asks_for_another_reading_and_a_report_does_not(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    archive.keep(object_of(2, modality="SR", series=2))
    assert queue.settle(0.0) == 0
    archive.keep(object_of(1))
    assert queue.settle(0.0) == 0
    archive.keep(object_of(3))
    assert queue.settle(0.0) == 1
    assert [job.revision for job in queue.jobs()] == [1, 2]


def test_a_reading_begun_too_early_is_withdrawn_also_where_another_worker_has_asked_for_the_rest(
    anywhere: Archive, clock: Clock
):
    """Else the worker that looked late would keep a version of half a study."""
    first = with_one_job(anywhere, clock)
    early = first.claim()
    assert early is not None
    assert not first.take_back(early)
    anywhere.keep(object_of(2))
    other = queue_of(anywhere, clock)
    other.settle(0.0)
    assert len(other.jobs([JobState.WAITING])) == 1
    assert first.take_back(early)
    assert [job.state for job in first.jobs()] == [JobState.DONE, JobState.WAITING]
    with pytest.raises(JobLost):
        first.beat(early, "")
    whole = first.claim()
    assert whole is not None
    assert not first.take_back(whole)  # the last one is nobody's to withdraw


def test_many_workers_take_every_job_once(anywhere: Archive, clock: Clock):
    for study in range(1, 13):
        anywhere.keep(object_of(study, study=study))
    queues = [queue_of(anywhere, clock) for _ in range(4)]
    assert sum(queue.settle(0.0) for queue in queues) == 12

    def work(queue: Queue) -> list[int]:
        taken = []
        while (job := queue.claim(held=taken)) is not None:
            taken.append(job.id)
        return taken

    with ThreadPoolExecutor(4) as workers:
        taken = [number for one in workers.map(work, queues) for number in one]
    assert sorted(taken) == [job.id for job in queues[0].jobs()]


def test_a_worker_that_falls_silent_loses_its_job_to_another(anywhere: Archive, clock: Clock):
    silent = with_one_job(anywhere, clock)
    other = queue_of(anywhere, clock)
    job = silent.claim()
    assert job is not None
    assert other.claim() is None
    clock.now_s += 29.0
    silent.beat(job, "reading")
    clock.now_s += 29.0
    assert other.claim() is None  # it had given a sign of life
    clock.now_s += 30.0
    taken = other.claim()
    assert taken is not None
    assert (taken.id, taken.interruptions, taken.attempts) == (job.id, 1, 0)
    with pytest.raises(JobLost):
        silent.beat(job, "reading")
    with pytest.raises(JobLost), anywhere.database.write() as connection:
        silent.finish(connection, job)
    with anywhere.database.write() as connection:
        other.finish(connection, taken)
    assert [one.state for one in other.jobs()] == [JobState.DONE]


def test_wall_clocks_may_jump(archive: Archive, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    queue = with_one_job(archive, clock)
    other = queue_of(archive, clock)
    assert queue.claim() is not None
    for year in ("1970", "2099"):
        monkeypatch.setattr("bonescan.archive.jobs.utc_now", lambda year=year: f"{year}-01-01T00:00:00.000000+00:00")
        assert other.claim() is None


def test_a_job_of_a_process_that_is_gone_is_free_at_once(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    gone = subprocess.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    job = queue.claim()
    assert job is not None
    machine, _, born, token = queue._owner.split("-")
    for owner, free in [
        (f"{machine}-{gone.pid}-{born}-{token}x", True),
        (f"{machine}-{os.getpid()}-1-{token}x", True),  # an earlier process that had our number, as in a container
        (f"{machine}-{os.getpid()}-{born}-{token}x", False),  # another worker of this very process
        (f"elsewhere-{gone.pid}-{born}-{token}x", False),
    ]:
        with archive.database.write() as connection:
            connection.execute(text("UPDATE job SET owner = :owner"), {"owner": owner})
        taken = queue_of(archive, clock).claim()
        assert (taken is not None) is free, owner


def test_a_failure_is_tried_again_after_longer_and_longer_pauses_then_dead(anywhere: Archive, clock: Clock):
    queue = with_one_job(anywhere, clock)
    for pause_s in (5.0, 20.0):
        job = queue.claim()
        assert job is not None
        assert queue.fail(job, "The disk was full.", may_help=True) is JobState.WAITING
        assert queue.claim() is None
        clock.now_s += pause_s - 0.1
        assert queue.claim() is None
        clock.now_s += 0.2
    job = queue.claim()
    assert job is not None
    assert queue.fail(job, "The disk was full.", may_help=True) is JobState.DEAD
    assert queue.claim() is None
    (dead,) = queue.jobs([JobState.DEAD])
    assert (dead.attempts, dead.reason) == (3, "The disk was full.")
    queue.retry(dead.id, actor="Dr. A")
    assert queue.claim() is not None
    with pytest.raises(InvalidValue):
        queue.retry(dead.id, actor="Dr. A")


def test_a_failure_that_no_attempt_mends_is_dead_at_once(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    job = queue.claim()
    assert job is not None
    assert queue.fail(job, "It is no bone scan.", may_help=False) is JobState.DEAD


def test_a_job_that_its_worker_lost_sight_of_is_taken_up_again(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    job = queue.claim()
    assert job is not None
    assert queue.claim(held=[job.id]) is None
    again = queue.claim(held=[])
    assert again is not None
    assert again.id == job.id


def test_a_study_that_is_deleted_and_comes_back_is_read_again(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    job = queue.claim()
    assert job is not None
    with archive.database.write() as connection:
        queue.finish(connection, job)
    archive.delete_study("1.9.1", actor="test", why="test")
    archive.keep(object_of(1))
    assert queue.settle(0.0) == 1
    assert queue.claim() is not None


def test_a_reading_that_is_asked_for_once_more_begins_as_if_nobody_had_tried(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    silent = queue.claim()
    assert silent is not None
    clock.now_s += 100.0
    taken_over = queue_of(archive, clock)
    taken_over.claim()
    clock.now_s += 100.0
    job = taken_over.claim()
    assert job is not None
    assert job.interruptions == 1
    taken_over.fail(job, "No planar scan.", may_help=False, nothing_to_read=True)
    ask_again(archive.database, "1.9.1", actor="test")
    (again,) = queue.jobs()
    assert (again.state, again.attempts, again.interruptions) == (JobState.WAITING, 0, 0)
    assert (again.reason, again.progress, again.nothing_to_read) == ("", "", False)
    job = queue.claim()
    assert job is not None
    queue.fail(job, "No skeleton.", may_help=False)
    queue.retry(job.id, actor="test")
    assert [(one.state, one.reason) for one in queue.jobs()] == [(JobState.WAITING, "")]


def test_what_waits_after_a_failure_is_withdrawn_when_a_reading_of_more_was_made_meanwhile(
    archive: Archive, clock: Clock
):
    """Else the older job would publish the same images once more, as the newest version."""
    queue = with_one_job(archive, clock)
    early = queue.claim()
    assert early is not None
    assert queue.fail(early, "The disk.", may_help=True) is JobState.WAITING
    archive.keep(object_of(2))
    queue.settle(0.0)
    whole = queue.claim()
    assert whole is not None
    assert whole.revision == 2
    with archive.database.write() as connection:
        queue.finish(connection, whole)
    queue.claim()
    clock.now_s += 1000.0
    late = queue.claim()
    assert late is not None
    assert late.revision == 1
    assert queue.take_back(late)


def test_a_dead_reading_lives_again_when_a_damaged_object_is_sent_anew(archive: Archive, clock: Clock):
    queue = with_one_job(archive, clock)
    archive.objects.place_of("1.2.3.1").unlink()
    job = queue.claim()
    assert job is not None
    queue.fail(job, "The study's objects cannot be laid out.", may_help=False)
    archive.keep(object_of(1))
    assert [(one.state, one.reason) for one in queue.jobs()] == [(JobState.WAITING, "")]
    job = queue.claim()
    assert job is not None
    with archive.database.write() as connection:
        queue.finish(connection, job)
    archive.objects.place_of("1.2.3.1").unlink()
    archive.keep(object_of(1))
    assert [one.state for one in queue.jobs()] == [JobState.DONE]  # what was read is as good as it was


def test_stillness_counts_from_the_last_change(clock: Clock):
    stillness = Stillness(clock)
    assert stillness.unchanged_s("a", 1) == 0.0
    clock.now_s += 5
    assert stillness.unchanged_s("a", 1) == 5.0
    assert stillness.unchanged_s("a", 2) == 0.0
    stillness.forget_others(set())
    clock.now_s += 5
    assert stillness.unchanged_s("a", 2) == 0.0
