"""Signing: a physician's draft becomes a new version of the reading that is signed from its first moment.

::

    draft ─► ask: job "sign" with all that is signed ─► process renders report, DICOM and FHIR with the signature
                                                          │
             one transaction: version, signature, audit trail, draft gone, sendings asked for, job done ◄┘

While the job waits or runs nobody changes the draft. A job that fails keeps it. What is signed is what stood in the
draft when the password was given, never what stands there later: the job holds a copy, and is refused when draft and
copy are no longer of the same number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, select, update

from bonescan.archive import audit
from bonescan.archive.jobs import SIGN, Job, JobState, Queue
from bonescan.archive.results import RECORD_NAME, Signature, StoredReading, folder_digest
from bonescan.archive.sendings import ask_sending
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import draft, result
from bonescan.archive.tables import job as jobs
from bonescan.errors import InvalidValue

__all__ = [
    "WORDS_NAME",
    "SignOrder",
    "ask",
    "concluded",
    "facts",
    "is_being_signed",
    "laid_out",
    "last_signed",
    "material",
]

WORDS_NAME = "words.json"
"""What a physician has written in a signed version: ``words`` by ``section.entry``, and ``language``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOrder:
    """What a physician signs.

    Parameters
    ----------
    number : int
        Of the draft.
    of_version : int
        The reader's version that is revised.
    edits : tuple of mapping
        Those that hold, in their order.
    words : mapping of str to str
        What the physician has written, by ``section.entry``.
    language : str
        Of the report.
    by : str
        The physician.
    signed_at : str
        When the password was given, UTC.
    reason : str
        Why an earlier signed version is amended; empty for the first one.
    """

    number: int
    of_version: int
    edits: tuple[Mapping[str, Any], ...]
    words: Mapping[str, str]
    language: str
    by: str
    signed_at: str
    reason: str


def ask(connection: Connection, study_uid: str, order: SignOrder) -> int:
    """Ask for a draft to be signed, in the writing transaction that has looked at the draft.

    Parameters
    ----------
    connection : Connection
    study_uid : str
    order : SignOrder

    Returns
    -------
    int
        The job's number.
    """
    names = ("number", "of_version", "edits", "words", "language", "by", "signed_at", "reason")
    number = Queue.ask(connection, SIGN, study_uid, {name: getattr(order, name) for name in names})
    connection.execute(update(draft).where(draft.c.StudyInstanceUID == study_uid).values(job_id=number))
    said = {"number": order.number, "of_version": order.of_version, "edits": len(order.edits)}
    audit.append(connection, actor=order.by, action="draft.signing", subject=study_uid, detail=said)
    return number


def is_being_signed(connection: Connection, job_id: int) -> bool:
    """Whether the job that signs a draft still may.

    Parameters
    ----------
    connection : Connection
    job_id : int
        Of the draft.

    Returns
    -------
    bool
    """
    state = connection.execute(select(jobs.c.state).where(jobs.c.id == job_id)).scalar_one_or_none()
    return job_id > 0 and state in (JobState.WAITING, JobState.RUNNING)


def last_signed(connection: Connection, study_uid: str) -> Any | None:
    """The newest signed version of a study's reading.

    Parameters
    ----------
    connection : Connection
    study_uid : str

    Returns
    -------
    mapping or None
        Its row.
    """
    signed = select(result).where(result.c.StudyInstanceUID == study_uid, result.c.signed_by != "")
    return connection.execute(signed.order_by(result.c.version.desc()).limit(1)).mappings().one_or_none()


def laid_out(archive: Archive, job: Job) -> tuple[dict[str, Any], list[tuple[Path, str]]]:
    """Say to the process what is to be signed, and find the objects of which the reader's version was made.

    Parameters
    ----------
    archive : Archive
    job : Job

    Returns
    -------
    order : dict
    files : list of (Path, str)

    Raises
    ------
    InvalidValue
        When the draft is no longer what was signed, or objects are gone.
    """
    with archive.database.read() as connection:
        _unchanged(connection, job)
        earlier = last_signed(connection, job.study_instance_uid)
    folder, files = material(archive, job.study_instance_uid, job.payload["of_version"])
    amends = None
    if earlier is not None:
        amends = {name: earlier[name] for name in ("version", "signed_by", "signed_at")}
        amends |= {"reason": job.payload["reason"], "folder": str(archive.results.folder / earlier["folder"])}
    compared = None
    if not job.payload["edits"]:  # a comparison is of readings before these edits: it would tell of what they changed
        told = archive.comparisons.of_study(job.study_instance_uid)
        compared = next((one.stored for one in told if one.stored is not None and not one.outdated), None)
    names = ("of_version", "edits", "words", "language", "by", "signed_at")
    order = {name: job.payload[name] for name in names}
    return order | {"study_uid": job.study_instance_uid, "reading": str(folder), "amends": amends} | {
        "compared": None if compared is None else str(compared.folder)
    }, files


def material(
    archive: Archive, study_uid: str, of_version: int, *, looks_whole: bool = False
) -> tuple[Path, list[tuple[Path, str]]]:
    """The folder of a version that the reader made, and exactly the objects of which it was made.

    Parameters
    ----------
    archive : Archive
    study_uid : str
    of_version : int
    looks_whole : bool
        Whether the digest over the version's files was looked at a while ago, and need not be now.

    Returns
    -------
    folder : Path
    files : list of (Path, str)
        Each with its digest.

    Raises
    ------
    InvalidValue
        When there is no such version, its files were changed, or objects are gone.
    """
    with archive.database.read() as connection:
        row = _version(connection, study_uid, of_version)
    folder = archive.results.folder / row["folder"]
    try:
        sources = set(json.loads((folder / RECORD_NAME).read_bytes())["sources"])
        if not looks_whole and folder_digest(folder) != row["files_sha256"]:
            raise ValueError("changed")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidValue("The reading's files were changed since it was made; have the study read again.") from error
    files = [(path, digest) for path, digest in archive.readable(study_uid) if digest in sources]
    if {digest for _, digest in files} != sources:
        raise InvalidValue("Images of which the reading was made were deleted or exchanged; have the study read again.")
    return folder, files


def facts(connection: Connection, job: Job) -> dict[str, Any]:
    """What the index is told of the version that is signed, beside its files.

    Parameters
    ----------
    connection : Connection
        Of the transaction in which it is published.
    job : Job

    Returns
    -------
    dict
        Arguments of `bonescan.archive.results.Results.publish`.

    Raises
    ------
    InvalidValue
        When the draft is no longer what was signed.
    """
    _unchanged(connection, job)
    earlier = last_signed(connection, job.study_instance_uid)
    said = job.payload
    return {
        "revision": _version(connection, job.study_instance_uid, said["of_version"])["revision"],
        "of_version": said["of_version"],
        "signature": Signature(
            by=said["by"],
            at=said["signed_at"],
            amends=0 if earlier is None else earlier["version"],
            reason=said["reason"],
        ),
    }


def concluded(connection: Connection, job: Job, stored: StoredReading, receivers: tuple[str, ...]) -> None:
    """Remove the draft of a version that was signed, and have it sent, in the transaction in which it is published.

    Parameters
    ----------
    connection : Connection
    job : Job
    stored : StoredReading
    receivers : tuple of str
        AE titles.
    """
    connection.execute(delete(draft).where(draft.c.StudyInstanceUID == job.study_instance_uid))
    left = {name: job.payload[name] for name in ("of_version", "by", "signed_at")}  # the version holds the rest now
    connection.execute(update(jobs).where(jobs.c.id == job.id).values(payload=json.dumps(left)))
    for title in receivers:
        ask_sending(connection, stored, title, actor=stored.signed_by)


def _unchanged(connection: Connection, job: Job) -> None:
    held = select(draft.c.job_id, draft.c.number).where(draft.c.StudyInstanceUID == job.study_instance_uid)
    row = connection.execute(held).one_or_none()
    if row is None or (row.job_id, row.number) != (job.id, job.payload["number"]):
        raise InvalidValue("The draft was changed or discarded after it was to be signed; sign it again.")


def _version(connection: Connection, study_uid: str, version: int) -> Any:
    own = (result.c.StudyInstanceUID == study_uid) & (result.c.version == version)
    row = connection.execute(select(result).where(own)).mappings().one_or_none()
    if row is None:
        raise InvalidValue("The reading of which the draft was made is gone; begin a new draft.")
    return row
