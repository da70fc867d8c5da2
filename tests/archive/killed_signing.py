"""A draft is signed and sent by a process that is killed at every step in turn; another then goes on.

Run as a program, ``killed_signing.py FOLDER STRIDE``, as `tests.archive.killed` is. It prints one line of JSON for each
killed process: the step, how many objects its receiver had taken, and what does not hold.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from tests.archive.killed import SETTINGS, die_before, killed_once
from tests.archive.made import object_of
from tests.archive.signed import ask_to_sign, put_draft, render

from bonescan.archive import audit
from bonescan.archive.jobs import JobState, Queue
from bonescan.archive.results import folder_digest
from bonescan.archive.sendings import deliver, sendings, sent
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import draft
from bonescan.archive.upkeep import check, reindex
from bonescan.archive.worker import publish
from bonescan.dicom.node import sending as node_sending
from bonescan.dicom.node.sending import Outcome, Sent
from bonescan.dicom.node.settings import NodeSettings, Peer

NODE = NodeSettings(peers=(Peer(ae_title="PACS", host="127.0.0.1", port=1, results=True),))


def prepare(folder: Path) -> None:
    """An archive with one study that was read, and a physician who has just given the password."""
    with Archive(folder, SETTINGS) as archive:
        archive.keep(object_of(1))
        queue = Queue(archive.database, lease_s=30, attempts=3)
        queue.settle(0.0)
        job = queue.claim()
        assert job is not None
        making = archive.results.begin("1.9.1", job.id)
        (making / "reading.json").write_text("{}", encoding="utf-8")
        sources = [digest for _, digest in archive.readable("1.9.1")]
        files = archive.results.flush(making)
        with archive.database.write() as connection:
            queue.finish(connection, job)
            facts = {"study_uid": "1.9.1", "job_id": job.id, "sources": sources, "files": files, "revision": 1}
            archive.results.publish(connection, making, **facts)
        put_draft(archive)
        ask_to_sign(archive)


def sign_and_send(folder: Path, taken: int, die_at: int = 0) -> None:
    """Do both jobs as a worker does; write a byte for each object that the receiver has; die before step `die_at`."""
    write = os.write

    def send(paths: Sequence[Path], *_: object, **__: object) -> list[Sent]:
        for _ in paths:
            write(taken, b"1")
        return [Sent(path=path, outcome=Outcome.STORED) for path in paths]

    node_sending.send = send
    die_before(die_at, taken)
    with Archive(folder, SETTINGS) as archive:
        work(archive)
    os._exit(0)


def work(archive: Archive) -> None:
    queue = Queue(archive.database, lease_s=30, attempts=3)
    while (job := queue.claim()) is not None:
        publish(archive, queue, job, *render(archive, queue, job), ("PACS",))
    while (job := queue.claim(sends=True)) is not None:
        done = deliver(archive, job, NODE)
        with archive.database.write() as connection:
            queue.finish(connection, job)
            sent(connection, job, done.objects)


def faults(folder: Path, taken: int) -> list[str]:
    """What does not hold of an archive whose worker was killed while it signed or sent."""
    found = []
    with Archive(folder, SETTINGS) as archive:
        first = archive.results.of_study("1.9.1")[0]
        digest = folder_digest(first.folder)
        reindex(archive)  # what was about to be published is not brought in by another door
        versions = archive.results.of_study("1.9.1")
        signed = [one for one in versions if one.signed_by]
        with archive.database.read() as connection:
            draft_there = connection.execute(select(draft)).first() is not None
        asked = sendings(archive.database, "1.9.1")
        if (len(signed), draft_there, len(asked)) not in ((0, True, 0), (1, False, 1)):
            found.append(f"half signed: {len(signed)} signed, draft {draft_there}, {len(asked)} sendings")
        said = [row.action for row in audit.entries(archive.database)]
        if said.count("reading.signed") != len(signed):
            found.append("the audit trail tells of another number of signatures")
        if "reading.sent" in said and not taken:
            found.append("it says that it was sent, and nobody took it")
        received: list[Path] = []
        node_sending.send = lambda paths, *_, **__: [
            received.append(path) or Sent(path=path, outcome=Outcome.STORED) for path in paths
        ]
        work(archive)
        if archive.results.sweep() > 1:
            found.append("more was left behind than the killed process could have begun")
        versions = archive.results.of_study("1.9.1")
        if [one.signed_by for one in versions] != ["", "Dr. A"]:
            found.append("it is not signed once, after another worker went on")
        if [one.state for one in sendings(archive.database, "1.9.1")] != ["sent"] or not (received or taken):
            found.append("it was not sent, after another worker went on")
        said = [row.action for row in audit.entries(archive.database)]
        if (said.count("reading.signed"), said.count("reading.sent")) != (1, 1):
            found.append("the audit trail does not tell of one signature and one sending")
        states = {job.state for job in Queue(archive.database, lease_s=30, attempts=3).jobs()}
        if states != {JobState.DONE}:
            found.append("a job is left")
        if folder_digest(first.folder) != digest or not check(archive).well:
            found.append("a file of a reading was changed")
        if len(list(archive.results.folder.glob("*/*"))) != len(versions):
            found.append("a folder is left that no version names")
    return found


def main() -> None:
    home, stride = Path(sys.argv[1]), int(sys.argv[2])
    prepare(home / "ready")
    for step in range(1, 1000, stride):
        folder = shutil.copytree(home / "ready", home / str(step))
        killed, taken = killed_once(folder, step, does=sign_and_send)
        outcome = {"step": step, "taken": len(taken), "faults": faults(folder, len(taken))}
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()  # before the next fork
        if not killed:
            return


if __name__ == "__main__":
    main()
