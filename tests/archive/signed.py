"""Drafts that are signed as the workstation and a worker do it; what the process would render is one small file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bonescan.archive.database import utc_now
from bonescan.archive.jobs import SIGN, Job, Queue
from bonescan.archive.kinds import INPUTS, KINDS, Laid, link
from bonescan.archive.results import StoredReading
from bonescan.archive.shelf import Archive
from bonescan.archive.signing import WORDS_NAME, SignOrder, ask
from bonescan.archive.tables import draft
from bonescan.archive.worker import publish

WORDS = {"interpretation.text": "No metastases."}
EDITS = ({"do": "delete", "finding": 3},)


def put_draft(archive: Archive, uid: str = "1.9.1", *, author: str = "Dr. A", of_version: int = 1) -> None:
    """A draft with one edit and an interpretation, as number 2."""
    now = utc_now()
    row: dict[str, Any] = {"StudyInstanceUID": uid, "version": of_version, "of_version": of_version, "number": 2}
    row |= {"author": author, "begun_at": now, "changed_at": now, "edits": json.dumps(EDITS), "applied": 1}
    row |= {"words": json.dumps(WORDS), "language": "en", "job_id": 0}
    with archive.database.write() as connection:
        connection.execute(insert(draft).values(row))


def ask_to_sign(archive: Archive, uid: str = "1.9.1", *, by: str = "Dr. A", **changes: Any) -> int:
    """What the workstation does once the password was right."""
    said: dict[str, Any] = {"number": 2, "of_version": 1, "edits": EDITS, "words": WORDS, "language": "en", "by": by}
    said |= {"signed_at": utc_now(), "reason": ""}
    with archive.database.write() as connection:
        return ask(connection, uid, SignOrder(**(said | changes)))


def render(archive: Archive, queue: Queue, job: Job) -> tuple[Path, Laid]:
    """What a worker and its process do before anything is kept."""
    laid = KINDS[SIGN].lay_out(archive, job)
    making = archive.results.begin(job.study_instance_uid, job.id)
    link(laid.inputs, making / INPUTS)
    shutil.copyfile(Path(laid.order["reading"]) / "reading.json", making / "reading.json")
    (making / "edits.json").write_text(json.dumps(laid.order["edits"]), encoding="utf-8")
    words = {"words": job.payload["words"], "language": job.payload["language"]}
    (making / WORDS_NAME).write_text(json.dumps(words), encoding="utf-8")
    (making / "dicom_results").mkdir()
    (making / "dicom_results" / "report.dcm").write_bytes(b"a report")
    return making, laid


def signed(
    archive: Archive, uid: str = "1.9.1", *, by: str = "Dr. A", of_version: int = 1, **changes: Any
) -> StoredReading:
    """A version that somebody has signed, made of the reader's."""
    put_draft(archive, uid, author=by, of_version=of_version)
    number = ask_to_sign(archive, uid, by=by, of_version=of_version, **changes)
    queue = Queue(archive.database, lease_s=30, attempts=3)
    job = queue.claim()
    assert job is not None
    assert (job.id, job.kind) == (number, SIGN)
    making, laid = render(archive, queue, job)
    publish(archive, queue, job, making, laid)
    return archive.results.of_study(uid)[-1]
