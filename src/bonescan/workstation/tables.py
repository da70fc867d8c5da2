"""The workstation's own tables, none of which a backup needs: sign-ins, tries at passwords, what is told of readings.

Accounts are the archive's, `bonescan.archive.tables.account`, so that a backup holds them. All are made by the
archive's migrations.
"""

from __future__ import annotations

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
    func,
    select,
)

from bonescan.archive.tables import result

__all__ = ["attempt", "known_browser", "measured", "newest_unknown_to", "sign_in", "told"]

_metadata = MetaData()


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


def newest_unknown_to(table: Table) -> Select[Any]:
    """Select the newest reading of each study of which a table does not tell yet.

    Parameters
    ----------
    table : Table
        With the columns ``StudyInstanceUID`` and ``folder``: `told` or `measured`.

    Returns
    -------
    sqlalchemy.Select
        Of StudyInstanceUID, version and folder.
    """
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
