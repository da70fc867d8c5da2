"""What a worklist tells of drafts and signatures: who is at work on a study, how far a signing is, what is signed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from bonescan.archive.database import Database
from bonescan.archive.jobs import JobState
from bonescan.archive.signing import WORDS_NAME
from bonescan.archive.tables import draft, job, result
from bonescan.workstation.tables import told

__all__ = ["Signed", "Signing", "Standing", "signed_facts", "standing"]

_MOST_CONCLUDED = 300
"""Characters of a conclusion that a line of the worklist has room for [D]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Where the signing of a draft stands.

    Parameters
    ----------
    state : str
        ``waiting``, ``running`` or ``failed``.
    reason : str
        Why it failed last.
    """

    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The last signed version of a study's reading.

    Parameters
    ----------
    version : int
    signed_by, signed_at : str
    concluded : str
        How the physician's interpretation begins; empty where its words were not kept, or are about to be taken.
    """

    version: int
    signed_by: str
    signed_at: str
    concluded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a worklist tells of drafts and signatures.

    Parameters
    ----------
    draft_by : str
        Who is at work on it; empty for nobody.
    signing : Signing or None
    last_signed : Signed or None
    """

    draft_by: str = ""
    signing: Signing | None = None
    last_signed: Signed | None = None


def standing(connection: Connection, uids: Sequence[str]) -> dict[str, Standing]:
    """Say of studies who is at work on them and what is signed.

    Parameters
    ----------
    connection : Connection
    uids : sequence of str

    Returns
    -------
    dict of str to Standing
        By UID; those of which there is nothing to say are left out.
    """
    found: dict[str, Standing] = {}
    known = and_(told.c.StudyInstanceUID == result.c.StudyInstanceUID, told.c.signed_folder == result.c.folder)
    for row in connection.execute(_last_signed(uids, told.c.concluded).outerjoin(told, known)):
        last = Signed(
            version=row.version, signed_by=row.signed_by, signed_at=row.signed_at, concluded=row.concluded or ""
        )
        found[row.StudyInstanceUID] = Standing(last_signed=last)
    drafted = (
        select(draft.c.StudyInstanceUID, draft.c.author, job.c.state, job.c.reason)
        .select_from(draft.outerjoin(job, (job.c.id == draft.c.job_id) & (draft.c.job_id > 0)))
        .where(draft.c.StudyInstanceUID.in_(uids))
    )
    for row in connection.execute(drafted):
        others = found.get(row.StudyInstanceUID, Standing())
        found[row.StudyInstanceUID] = replace(others, draft_by=row.author, signing=_signing(row.state, row.reason))
    return found


def signed_facts(database: Database, uids: Sequence[str], results: Path) -> dict[str, dict[str, str]]:
    """What a worklist is to know of the last signed versions of studies, taken once from their files.

    Parameters
    ----------
    database : Database
    uids : sequence of str
    results : Path
        The folder with the readings' folders.

    Returns
    -------
    dict of str to dict
        By UID, then by column of the table ``told``; of every study, signed or not.
    """
    with database.read() as connection:
        folders = {row.StudyInstanceUID: row.folder for row in connection.execute(_last_signed(uids))}
    none = {"signed_folder": "", "concluded": ""}
    signed = {
        uid: {"signed_folder": folder, "concluded": _concluded(results / folder / WORDS_NAME)}
        for uid, folder in folders.items()
    }
    return dict.fromkeys(uids, none) | signed


def _last_signed(uids: Sequence[str], *columns: ColumnElement[str]) -> Select[Any]:
    """Select the last signed version of each study that has one."""
    newest = (
        select(result.c.StudyInstanceUID, func.max(result.c.version).label("version"))
        .where(result.c.StudyInstanceUID.in_(uids), result.c.signed_by != "")
        .group_by(result.c.StudyInstanceUID)
        .subquery()
    )
    same = (result.c.StudyInstanceUID == newest.c.StudyInstanceUID) & (result.c.version == newest.c.version)
    return select(result, *columns).select_from(result.join(newest, same))


def _concluded(words: Path) -> str:
    """How a physician's interpretation begins; empty where a signed version has none of its own."""
    try:
        said = str(json.loads(words.read_bytes())["words"].get("interpretation.text", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    said = " ".join(said.split())
    return said if len(said) <= _MOST_CONCLUDED else said[:_MOST_CONCLUDED].rstrip() + " …"


def _signing(state: str | None, reason: str | None) -> Signing | None:
    if state in (JobState.WAITING, JobState.RUNNING):
        return Signing(state=str(state), reason=reason or "")
    return Signing(state="failed", reason=reason or "") if state == JobState.DEAD else None
