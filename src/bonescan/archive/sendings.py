"""Sending: the DICOM files of a signed version go to another node, by themselves after signing or when asked for.

A sending is a job of kind ``send``, one for each receiver, and durable as every other. It needs no process of its own:
a thread of the worker opens the association. Whatever the peer took before a worker was killed is sent once more; an
object that comes twice is the same object.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from bonescan.archive import audit
from bonescan.archive.database import Database
from bonescan.archive.jobs import SEND, Job, JobState, Queue
from bonescan.archive.results import StoredReading
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import job, result

if TYPE_CHECKING:
    from bonescan.dicom.node.settings import NodeSettings

__all__ = ["Delivered", "Sending", "ask_sending", "deliver", "sendings", "sent"]

_STATES = {JobState.WAITING: "waiting", JobState.RUNNING: "running", JobState.DONE: "sent", JobState.DEAD: "failed"}
_FOLDER = "dicom_results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """One version on its way to one receiver.

    Parameters
    ----------
    to : str
        AE title.
    version : int
    state : str
        ``waiting``, ``running``, ``sent`` or ``failed``.
    reason : str
        Why it failed last.
    at : str
        When this became so, UTC.
    """

    to: str
    version: int
    state: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How a sending went.

    Parameters
    ----------
    objects : int
        That the receiver took.
    reason : str
        Why it did not take all; empty when it did.
    may_help : bool
        Whether another attempt may help.
    """

    objects: int
    reason: str = ""
    may_help: bool = False


def ask_sending(connection: Connection, stored: StoredReading, to: str, *, actor: str) -> None:
    """Ask for a signed version to be sent, unless just that is under way, in a writing transaction.

    Parameters
    ----------
    connection : Connection
    stored : StoredReading
    to : str
        AE title.
    actor : str
        Who wants it.
    """
    uid = stored.study_instance_uid
    payload = {"version": stored.version, "folder": _name(stored), "to": to}
    at_work = job.c.state.in_([str(JobState.WAITING), str(JobState.RUNNING)])
    same = (job.c.kind == SEND) & (job.c.StudyInstanceUID == uid) & at_work
    if any(json.loads(said) == payload for said in connection.execute(select(job.c.payload).where(same)).scalars()):
        return
    Queue.ask(connection, SEND, uid, payload)
    detail = {"version": stored.version, "to": to}
    audit.append(connection, actor=actor, action="reading.sending", subject=uid, detail=detail)


def sendings(database: Database, study_uid: str) -> list[Sending]:
    """Say where the sendings of a study stand.

    Parameters
    ----------
    database : Database
    study_uid : str

    Returns
    -------
    list of Sending
        The newest first; of a study that was deleted and came again, only those since.
    """
    own = (job.c.kind == SEND) & (job.c.StudyInstanceUID == study_uid)
    with database.read() as connection:
        rows = connection.execute(select(job).where(own).order_by(job.c.id.desc())).mappings().all()
        kept = set(connection.execute(select(result.c.folder).where(result.c.StudyInstanceUID == study_uid)).scalars())
    found = [(row, json.loads(row["payload"])) for row in rows]
    return [
        Sending(
            to=said["to"],
            version=said["version"],
            state=_STATES[JobState(row["state"])],
            reason=row["reason"],
            at=row["changed_at"],
        )
        for row, said in found
        if said.get("folder") in kept
    ]


def deliver(archive: Archive, wanted: Job, node: NodeSettings) -> Delivered:
    """Send what a job names, once.

    Parameters
    ----------
    archive : Archive
    wanted : Job
    node : NodeSettings
        In whose name, and where the receiver is found.

    Returns
    -------
    Delivered
    """
    from bonescan.dicom.node.sending import Outcome, send

    title = str(wanted.payload["to"])
    peer = node.peer(title)
    if peer is None or not peer.reachable:
        return Delivered(objects=0, reason=f"No peer {title} with host and port is configured.")
    paths = sorted((archive.results.folder / wanted.payload["folder"] / _FOLDER).glob("*.dcm"))
    if not paths:
        return Delivered(objects=0, reason="This version has no DICOM files.")
    answers = send(paths, peer, node, attempts=1)
    taken = sum(one.outcome is Outcome.STORED for one in answers)
    others = [one for one in answers if one.outcome is not Outcome.STORED]
    if not others:
        return Delivered(objects=taken)
    why = "; ".join(Counter(one.reason for one in others))
    return Delivered(
        objects=taken,
        reason=f"{title} did not take {len(others)} of {len(answers)} objects: {why}.",
        may_help=any(one.outcome is Outcome.UNDELIVERED for one in others),
    )


def sent(connection: Connection, done: Job, objects: int) -> None:
    """Write down that a version was sent, in the transaction in which its job is said to be done.

    Parameters
    ----------
    connection : Connection
    done : Job
    objects : int
        That the receiver took.
    """
    detail: dict[str, Any] = {name: done.payload[name] for name in ("version", "to")}
    uid = done.study_instance_uid
    audit.append(connection, actor="worker", action="reading.sent", subject=uid, detail=detail | {"objects": objects})


def _name(stored: StoredReading) -> str:
    """The version's folder as the index names it."""
    return "/".join(stored.folder.parts[-2:])
