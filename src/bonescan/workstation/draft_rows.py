"""The rows of drafts: found, held against who may change them and what they saw, changed with a row of the trail."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.database import utc_now
from bonescan.archive.signing import is_being_signed
from bonescan.archive.tables import audit as trail
from bonescan.archive.tables import draft
from bonescan.workstation.people import Account
from bonescan.workstation.refusal import Refusal

__all__ = ["Draft", "as_seen", "begun", "changed", "draft_of", "own", "refuse_while_signing", "without_points"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as it is at one moment.

    Parameters
    ----------
    study_uid : str
    version : int
        From which it was begun.
    of_version : int
        The reader's version to which the edits apply.
    number : int
        Grows with every change.
    author : str
    begun_at, changed_at : str
        UTC.
    edits : tuple of mapping
        Those that were undone among them.
    applied : int
        How many of them hold.
    words : mapping of str to str
        By ``section.entry``.
    language : str
    job_id : int
        That signs it; 0 while none was asked for.
    """

    study_uid: str
    version: int
    of_version: int
    number: int
    author: str
    begun_at: str
    changed_at: str
    edits: tuple[Mapping[str, Any], ...]
    applied: int
    words: Mapping[str, str]
    language: str
    job_id: int

    @property
    def held(self) -> tuple[Mapping[str, Any], ...]:
        """The edits that hold."""
        return self.edits[: self.applied]

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to be undone."""
        return self.applied > 0

    @property
    def can_redo(self) -> bool:
        """Whether an edit was undone."""
        return self.applied < len(self.edits)


def begun(connection: Connection, study_uid: str, version: int, who: Account, started: Mapping[str, Any]) -> Draft:
    """Begin the draft of a study, which has none, and say so.

    Parameters
    ----------
    connection : Connection
        Of `bonescan.archive.database.Database.write`.
    study_uid : str
    version : int
        From which it is begun.
    who : Account
    started : mapping
        ``of_version``, ``edits``, ``words``, ``language``.

    Returns
    -------
    Draft
    """
    now = utc_now()
    row = {
        "StudyInstanceUID": study_uid,
        "version": version,
        "of_version": started["of_version"],
        "number": _after_the_last(connection),
        "author": who.name,
        "begun_at": now,
        "changed_at": now,
        "edits": json.dumps(started["edits"]),
        "applied": len(started["edits"]),
        "words": json.dumps(started["words"]),
        "language": started["language"],
        "job_id": 0,
    }
    connection.execute(insert(draft).values(row))
    detail = {"version": version, "of_version": started["of_version"], "number": row["number"]}
    audit.append(connection, actor=who.name, action="draft.begun", subject=study_uid, detail=detail)
    return _as_draft(row)


def draft_of(connection: Connection, study_uid: str) -> Draft | None:
    """The draft of a study.

    Parameters
    ----------
    connection : Connection
    study_uid : str

    Returns
    -------
    Draft or None
    """
    row = connection.execute(select(draft).where(draft.c.StudyInstanceUID == study_uid)).mappings().one_or_none()
    return None if row is None else _as_draft(row)


def own(connection: Connection, study_uid: str, who: Account) -> Draft:
    """The draft of a study, if somebody may change it.

    Parameters
    ----------
    connection : Connection
    study_uid : str
    who : Account

    Returns
    -------
    Draft

    Raises
    ------
    Refusal
        404 when there is none, 409 when it is another's or being signed.
    """
    held = draft_of(connection, study_uid)
    if held is None:
        raise Refusal(404, "no_draft", "There is no draft of this study; begin one.")
    if held.author != who.name:
        raise Refusal(409, "taken", f"{held.author} is at work on this study now.")
    refuse_while_signing(connection, held)
    return held


def as_seen(held: Draft, number: int) -> Draft:
    """A draft, if it is still as somebody saw it.

    Parameters
    ----------
    held : Draft
    number : int
        Of the draft they saw.

    Returns
    -------
    Draft

    Raises
    ------
    Refusal
        409 ``stale``.
    """
    if held.number != number:
        raise Refusal(409, "stale", "The draft was changed meanwhile, perhaps in another window; load it again.")
    return held


def refuse_while_signing(connection: Connection, held: Draft) -> None:
    """Refuse what a draft cannot bear while it is being signed.

    Parameters
    ----------
    connection : Connection
    held : Draft

    Raises
    ------
    Refusal
        409 ``signing``.
    """
    if is_being_signed(connection, held.job_id):
        raise Refusal(409, "signing", "The draft is being signed; it cannot be changed.")


def changed(
    connection: Connection, held: Draft, who: Account, action: str, detail: Mapping[str, Any], **values: Any
) -> Draft:
    """Change a draft and say so; what was asked for before, to sign it as it was, is void.

    Parameters
    ----------
    connection : Connection
        Of `bonescan.archive.database.Database.write`.
    held : Draft
    who : Account
    action : str
        For the audit trail.
    detail : mapping
    **values : object
        What is different.

    Returns
    -------
    Draft
    """
    after = replace(held, number=held.number + 1, changed_at=utc_now(), job_id=0, **values)
    row = {name: getattr(after, name) for name in ("number", "author", "changed_at", "applied", "language", "job_id")}
    row |= {"edits": json.dumps(after.edits), "words": json.dumps(after.words)}
    connection.execute(update(draft).where(draft.c.StudyInstanceUID == held.study_uid).values(row))
    said = {"number": after.number, **detail}
    audit.append(connection, actor=who.name, action=action, subject=held.study_uid, detail=said)
    return after


def _after_the_last(connection: Connection) -> int:
    """A first number that no earlier draft has had, so that an old window is told that it is stale.

    Every change of a draft is a row of the audit trail, so the trail's numbers run ahead of any draft's.
    """
    return int(connection.execute(select(func.max(trail.c.seq))).scalar_one_or_none() or 0) + 1


def without_points(edit: Mapping[str, Any]) -> dict[str, Any]:
    """An edit as the audit trail tells it: all of it but the points of outlines, of which there is a digest.

    Parameters
    ----------
    edit : mapping

    Returns
    -------
    dict
    """
    kept = {name: value for name, value in edit.items() if name not in ("outlines", "outline", "line")}
    canonical = json.dumps(edit, sort_keys=True, separators=(",", ":"))
    return {"edit": kept, "sha256": hashlib.sha256(canonical.encode()).hexdigest()}


def _as_draft(row: Any) -> Draft:
    names = ("version", "of_version", "number", "author", "begun_at", "changed_at", "applied", "language", "job_id")
    return Draft(
        **{name: row[name] for name in names},
        study_uid=row["StudyInstanceUID"],
        edits=tuple(json.loads(row["edits"] or "[]")),
        words=json.loads(row["words"] or "{}"),
    )
