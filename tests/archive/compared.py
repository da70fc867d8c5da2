"""Scans of one person, read and compared at once: what a worker does, without its processes."""

from __future__ import annotations

from typing import Any

from tests.archive.made import object_of

from bonescan.archive.jobs import Job, Queue
from bonescan.archive.kinds import KINDS
from bonescan.archive.shelf import Archive
from bonescan.archive.worker import publish

PERSON = {"PatientID": "P", "PatientName": "Doe^Jane"}
FILES = {"comparison.json": b"{}", "maps.npz": b"maps"}


def queue_of(archive: Archive) -> Queue:
    return Queue(archive.database, lease_s=60.0, attempts=1)


def read(archive: Archive, number: int, date: str, **said: Any) -> str:
    """Keep an object of study `number` of one person, and publish a reading of it."""
    archive.keep(object_of(said.pop("object", number), study=number, StudyDate=date, **{**PERSON, **said}))
    queue = queue_of(archive)
    queue.settle(0.0)
    claimed: list[Job] = []
    while (job := queue.claim(held=[one.id for one in claimed])) is not None:
        claimed.append(job)
    for job in claimed:
        if job.kind == "read":
            make(archive, queue, job, {"reading.json": b"{}"})
        else:
            queue.give_back(job)
    return f"1.9.{number}"


def compare(archive: Archive, files: dict[str, bytes] | None = None) -> list[tuple[str, str]]:
    """Make every comparison that waits; give current and prior study of each."""
    queue, made = queue_of(archive), []
    while (claimed := queue.claim()) is not None:
        make(archive, queue, claimed, files or FILES)
        made.append((claimed.study_instance_uid, claimed.payload["prior"]))
    return made


def make(archive: Archive, queue: Queue, claimed: Job, files: dict[str, bytes]) -> None:
    laid = KINDS[claimed.kind].lay_out(archive, claimed)
    making = KINDS[claimed.kind].folders(archive).begin(claimed.study_instance_uid, claimed.id)
    for name, content in files.items():
        (making / name).write_bytes(content)
    publish(archive, queue, claimed, making, laid)
