"""The workstation's own tables, none of which a backup needs: sign-ins, tries at passwords, what is told of readings.

Accounts are the archive's, `bonescan.archive.tables.account`, so that a backup holds them. All are made by the
archive's migrations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    select,
)

from bonescan.archive.database import Database
from bonescan.archive.tables import result

__all__ = ["attempt", "catch_up", "known_browser", "measured", "sign_in", "told"]

_metadata = MetaData()
_AT_ONCE = 200


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=False, primary_key=key, default="")


def _seconds(name: str) -> Column[float]:
    """Seconds since 1970 by the machine's clock: sign-ins and lock-outs outlive the process, so no other will do."""
    return Column(name, Double, nullable=False, default=0.0)


sign_in = Table(
    "sign_in",
    _metadata,
    _text("token_sha256", key=True),
    Column("name_key", Text, nullable=False, index=True),
    _seconds("began_s"),
    _seconds("seen_s"),
    _seconds("proved_s"),  # when its owner last proved once more, at the provider, who they are
)

attempt = Table(
    "attempt",
    _metadata,
    _text("key", key=True),  # of names, addresses, browsers as digests: a password typed as a name is not kept
    Column("failures", BigInteger, nullable=False, default=0),
    _seconds("first_s"),
    _seconds("last_s"),
)

known_browser = Table(
    "known_browser",
    _metadata,
    _text("token_sha256", key=True),
    _text("name_key", key=True),  # several people share a workstation in the reading room
    _seconds("seen_s"),
)

# the newest reading of a study in the worklist's words, taken once from its files
told = Table(
    "told",
    _metadata,
    _text("StudyInstanceUID", key=True),
    Column("version", Integer, nullable=False),
    _text("folder"),  # a version's number may come again after a study was deleted and sent anew; its folder does not
    _text("conclusion"),
    Column("metastases_likelihood", Double),
    Column("bone_scan_index_percent", Double),
    Column("bone_findings", Integer, nullable=False, default=0),
    Column("urgent", Boolean, nullable=False, default=False),
    _text("signed_folder"),  # of the last signed version, and how the physician's interpretation in it begins
    _text("concluded"),
)

# the newest reading of a study in a technologist's words: what the camera counted of which patient's activity and when
measured = Table(
    "measured",
    _metadata,
    _text("StudyInstanceUID", key=True),
    Column("version", Integer, nullable=False),
    _text("folder"),
    Column("day", Text, nullable=False, default="", index=True),  # 2026-07-04, of the study; empty where it is not told
    _text("camera"),
    Column("counts_anterior", Double),
    Column("counts_posterior", Double),
    Column("delay_h", Double),
    Column("activity_mbq", Double),
    Column("speed_cm_per_min", Double),
    Column("sensitivity", Double),
    _text("checks"),  # JSON: code of each check of the reading that did not pass, to its verdict
)


def catch_up(database: Database, table: Table, facts: Callable[[Sequence[Any]], Sequence[Mapping[str, Any]]]) -> int:
    """Tell in a table of the newest readings of studies of which it does not tell yet.

    Parameters
    ----------
    database : Database
    table : Table
        `told` or `measured`.
    facts : callable
        Takes some rows, each a reading's StudyInstanceUID, version and folder; gives the other columns of each. It is
        asked outside of any transaction, for it opens files.

    Returns
    -------
    int
        Readings looked at.
    """
    with database.read() as connection:
        rows = connection.execute(_newest_unknown_to(table)).all()
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        values = [{**row._mapping, **found} for row, found in zip(some, facts(some), strict=True)]
        with database.write() as connection:
            connection.execute(
                delete(table).where(table.c.StudyInstanceUID.in_([row.StudyInstanceUID for row in some]))
            )
            connection.execute(insert(table), values)
    return len(rows)


def _newest_unknown_to(table: Table) -> Select[Any]:
    """Select the newest reading of each study of which a table does not tell yet."""
    newest = (
        select(result.c.StudyInstanceUID, func.max(result.c.version).label("version"))
        .group_by(result.c.StudyInstanceUID)
        .subquery()
    )
    return (
        select(result.c.StudyInstanceUID, result.c.version, result.c.folder)
        .join(newest, and_(*(result.c[name] == newest.c[name] for name in ("StudyInstanceUID", "version"))))
        .outerjoin(table, and_(*(result.c[name] == table.c[name] for name in ("StudyInstanceUID", "folder"))))
        .where(table.c.folder.is_(None))
    )
