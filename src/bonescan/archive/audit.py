"""The audit trail: who did what to which object, study or reading, in a chain that shows every later change.

Row n holds a digest over its own content and the digest of row n - 1,

    h_n = SHA256(canonical JSON of {seq, at, actor, action, subject, detail, previous = h_(n-1)}),   h_0 = 64 zeros.

Whoever changes, removes or inserts a row breaks the chain at that row, or has to compute every later digest anew. The
latter, and cutting off the end, is shown by anchors: the newest digest is written into the file `audit.anchors` again
and again. An anchor is worth what its distance is worth: copy the file to another machine, or print its last line.

Rows name UIDs, never a person. They are written in the transaction of what they tell, so neither is there without the
other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from bonescan.archive import tables
from bonescan.archive.database import Database, utc_now
from bonescan.archive.objects import sync_folder
from bonescan.errors import ArchiveUnavailable

__all__ = ["ANCHORS_NAME", "AuditState", "Entry", "anchor", "append", "entries", "head", "verify"]

ANCHORS_NAME = "audit.anchors"
_BEGINNING = "0" * 64
_ANCHOR = re.compile(r"(\d+) ([0-9a-f]{64}) (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of the audit trail.

    Parameters
    ----------
    seq : int
        1, 2, ... without gaps.
    at : str
        UTC, by the machine's clock.
    actor : str
        AE title, user or part of the program.
    action : str
        Dotted, e.g. ``"object.received"``, ``"reading.signed"``.
    subject : str
        UID of what it was done to.
    detail : mapping
        Further facts, e.g. the digest of the object's bytes.
    previous, hash : str
        The chain.
    """

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditState:
    """What a verification found.

    Parameters
    ----------
    entries : int
        Rows looked at.
    head : str
        Digest of the last.
    anchors : int
        Anchors held against the rows.
    first_bad : int or None
        The first row that is not as it was written, or is missing; ``None`` when all is well.
    reason : str
        What is wrong with it, in a sentence; empty when all is well.
    """

    entries: int
    head: str
    anchors: int
    first_bad: int | None
    reason: str


def append(
    connection: Connection, *, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> str:
    """Write one row, within a writing transaction.

    Parameters
    ----------
    connection : Connection
        Of `Database.write`.
    actor, action, subject, detail
        As in `Entry`.

    Returns
    -------
    str
        The row's digest.
    """
    newest = select(tables.audit.c.seq, tables.audit.c.hash).order_by(tables.audit.c.seq.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    row = {
        "seq": 1 if last is None else last.seq + 1,
        "at": utc_now(),
        "actor": _clean(actor),
        "action": action,
        "subject": _clean(subject),
        "detail": json.dumps(detail or {}, sort_keys=True),
        "previous": _BEGINNING if last is None else last.hash,
    }
    row["hash"] = _digest(row)
    connection.execute(insert(tables.audit).values(row))
    return str(row["hash"])


def head(connection: Connection) -> tuple[int, str]:
    """The newest row's number and digest.

    Parameters
    ----------
    connection : Connection

    Returns
    -------
    seq : int
        0 before the first row.
    hash : str
    """
    newest = select(tables.audit.c.seq, tables.audit.c.hash).order_by(tables.audit.c.seq.desc()).limit(1)
    last = connection.execute(newest).one_or_none()
    return (0, _BEGINNING) if last is None else (last.seq, last.hash)


def entries(database: Database, *, after: int = 0, limit: int = 1000) -> list[Entry]:
    """Rows of the trail in order, which is also the feed of what changed.

    Parameters
    ----------
    database : Database
    after : int
        Number of the last row already known.
    limit : int

    Returns
    -------
    list of Entry
    """
    wanted = select(tables.audit).where(tables.audit.c.seq > after).order_by(tables.audit.c.seq).limit(limit)
    with database.read() as connection:
        rows = connection.execute(wanted).mappings().all()
    return [Entry(**{**row, "detail": _understood(row["detail"])}) for row in rows]


def anchor(database: Database, folder: Path) -> tuple[int, str]:
    """Write the newest digest down outside the database.

    Parameters
    ----------
    database : Database
    folder : Path
        The archive's; a line is added to its file of anchors, unless the last one says the same.

    Returns
    -------
    seq : int
    hash : str
    """
    with database.read() as connection:
        seq, newest = head(connection)
    path = folder / ANCHORS_NAME
    known = _anchors(path)
    if seq and (not known or known[-1][:2] != (seq, newest)):
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            try:
                # A line of its own, whatever a killed process left of the line before.
                os.write(handle, f"\n{seq} {newest} {utc_now()}\n".encode())
                os.fsync(handle)
            finally:
                os.close(handle)
            sync_folder(folder)
        except OSError as error:
            raise ArchiveUnavailable(f"The audit's anchor cannot be written: {error.strerror}.") from error
    return seq, newest


def verify(database: Database, folder: Path) -> AuditState:
    """Compute the whole chain anew, and hold it against the anchors.

    Parameters
    ----------
    database : Database
    folder : Path
        Where the file of anchors is.

    Returns
    -------
    AuditState
    """
    anchors: dict[int, set[str]] = {}
    for number, digest, _ in _anchors(folder / ANCHORS_NAME):
        anchors.setdefault(number, set()).add(digest)
    previous, seq = _BEGINNING, 0

    def state(first_bad: int | None, reason: str) -> AuditState:
        return AuditState(entries=seq, head=previous, anchors=len(anchors), first_bad=first_bad, reason=reason)

    with database.read() as connection:
        rows = connection.execution_options(yield_per=1000).execute(select(tables.audit).order_by(tables.audit.c.seq))
        for row in rows.mappings():
            if row["seq"] != seq + 1:
                return state(seq + 1, f"Row {seq + 1} is missing: the next one is {row['seq']}.")
            if row["previous"] != previous:
                return state(row["seq"], f"Row {row['seq']} does not follow the row before it.")
            if row["hash"] != _digest(row):
                return state(row["seq"], f"Row {row['seq']} is not as it was written.")
            seq, previous = row["seq"], row["hash"]
            if anchors.get(seq, {previous}) != {previous}:
                return state(seq, f"Row {seq} differs from its anchor: the chain was computed anew up to it or later.")
    if anchors and max(anchors) > seq:
        return state(seq + 1, f"Rows after {seq} are missing: an anchor names row {max(anchors)}.")
    return state(None, "")


def _digest(row: Any) -> str:
    said = {name: row[name] for name in ("seq", "at", "actor", "action", "subject", "detail", "previous")}
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _clean(words: str) -> str:
    """Text that every database takes: without the zero character and lone surrogates."""
    return words.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _understood(detail: str) -> Mapping[str, Any]:
    try:
        found = json.loads(detail)
    except ValueError:  # changed by hand: `verify` says so
        return {"unreadable": detail}
    return found if isinstance(found, dict) else {"unreadable": detail}


def _anchors(path: Path) -> list[tuple[int, str, str]]:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArchiveUnavailable(f"The audit's anchors cannot be read: {error.strerror}.") from error
    found = [match for line in lines if (match := _ANCHOR.fullmatch(line))]
    return [(int(match[1]), match[2], match[3]) for match in found]
