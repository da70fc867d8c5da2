"""What the workstation notes on an edit: by whom and when it was made, and a number no finding of the chain ever had.

A chain is a version that the reader made with every version that physicians made of it. Two drafts of one version give
different numbers to what they find, for the second one looks at what the first has signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select

from bonescan.archive import Archive
from bonescan.archive.tables import result

__all__ = ["stamped"]


def stamped(
    archive: Archive,
    edit: Mapping[str, Any],
    *,
    of: tuple[str, int],
    earlier: Sequence[Mapping[str, Any]],
    by: str,
) -> dict[str, Any]:
    """Note on an edit who makes it, when, and the number of what it finds; what it said of these itself is void.

    Parameters
    ----------
    archive : Archive
    edit : mapping
        In its plain form.
    of : (str, int)
        The study's UID, and the reader's version to which the edit is made.
    earlier : sequence of mapping
        All edits of the draft, those that were undone among them.
    by : str
        The physician.

    Returns
    -------
    dict
    """
    from bonescan.reading.edits import CREATING

    told = {name: value for name, value in edit.items() if name not in ("number", "by", "at")}
    if told["do"] in CREATING:
        told["number"] = 1 + _highest(archive, *of, earlier)
    return {**told, "by": by, "at": datetime.now(UTC).isoformat(timespec="seconds")}


def _highest(archive: Archive, study_uid: str, of_version: int, earlier: Iterable[Mapping[str, Any]]) -> int:
    """The highest number that any version of the chain, or the draft, has given to a finding."""
    from bonescan.journeys.revising import EDITS_NAME

    chain = or_(result.c.version == of_version, result.c.of_version == of_version)
    with archive.database.read() as connection:
        rows = connection.execute(select(result).where(result.c.StudyInstanceUID == study_uid, chain)).mappings().all()
    folders = {row["version"]: archive.results.folder / row["folder"] for row in rows}
    reader = _told_by(folders[of_version] / "reading.json") if of_version in folders else {}
    own = max((finding.get("id", 0) for finding in reader.get("findings", [])), default=0)
    revised = (_told_by(folder / EDITS_NAME).get("edits", []) for folder in folders.values())
    return max(own, *(_last(edits, own) for edits in (earlier, *revised)))


def _last(edits: Iterable[Mapping[str, Any]], last: int) -> int:
    """The last number that edits give; those that tell none number on from the one before."""
    from bonescan.reading.edits import CREATING

    for edit in edits:
        if edit.get("do") in CREATING:
            last = max(last, edit.get("number") or last + 1)
    return last


def _told_by(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}  # whoever begins a draft of it is told
    return found if isinstance(found, dict) else {}
