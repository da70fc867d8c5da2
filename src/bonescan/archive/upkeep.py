"""Care of an archive: is everything whole, the index anew from the files alone, and what may go after years.

None of it needs the archive to stand still: senders and workers go on meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.objects import file_digest
from bonescan.archive.results import RECORD_NAME, SIGNATURE_NAME, folder_digest
from bonescan.archive.settings import RetentionRule
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import audit as trail
from bonescan.archive.tables import comparison, conflict, draft, instance, job, result, series, study
from bonescan.dicom.node.shelf import Kept
from bonescan.errors import InvalidValue, UnreadableInput

__all__ = ["CheckReport", "Due", "Reindexed", "check", "due", "reindex", "retain"]

Progress = Callable[[str], None]
_CLOCK_DOUBT = timedelta(days=31)


def _silent(sentence: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What an integrity check found; nothing in the lists means that all is well.

    Parameters
    ----------
    objects, readings : int
        Looked at.
    damaged, missing : tuple of str
        SOP instance UIDs whose file is not what it was, or is not there. They heal when they are sent again.
    unknown : tuple of str
        Files of the store, relative to its folder, that the index does not know; `reindex` brings them in.
    damaged_readings : tuple of str
        Folders of readings whose files were changed or are gone.
    damaged_comparisons : tuple of str
        Folders of comparisons likewise; have them compared again.
    audit : AuditState
    """

    objects: int
    readings: int
    damaged: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    damaged_readings: tuple[str, ...]
    damaged_comparisons: tuple[str, ...]
    audit: audit.AuditState

    @property
    def well(self) -> bool:
        """Whether nothing was found."""
        found = (*self.damaged, *self.missing, *self.unknown, *self.damaged_readings, *self.damaged_comparisons)
        return not found and self.audit.first_bad is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reindexed:
    """What making the index anew brought in.

    Parameters
    ----------
    objects, readings : int
        Brought in; what the index knew already is not counted.
    refused : tuple of str
        Files that are damaged or lie where their UID does not lead.
    """

    objects: int
    readings: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One study that a rule lets go.

    Parameters
    ----------
    study_instance_uid : str
    rule : str
    last_received : str
        UTC.
    objects : int
    size_bytes : int
    kept_because : str
        Why it stays all the same; empty when it goes.
    """

    study_instance_uid: str
    rule: str
    last_received: str
    objects: int
    size_bytes: int
    kept_because: str


def check(archive: Archive, progress: Progress = _silent) -> CheckReport:
    """Hold every object, reading and row of the audit trail against what was written down when it came.

    What is damaged or missing is marked in the index: it is no longer vouched for (storage commitment), and the next
    sender of the same object heals it.

    Parameters
    ----------
    archive : Archive
    progress : callable
        Takes one sentence.

    Returns
    -------
    CheckReport
    """
    with archive.database.read() as connection:
        columns = (instance.c.SOPInstanceUID, instance.c.sha256, instance.c.whole)
        rows = connection.execute(select(*columns)).all()
        aside = set(connection.execute(select(conflict.c.sha256)).scalars())
        readings = connection.execute(select(result.c.folder, result.c.files_sha256)).all()
        compared = connection.execute(select(comparison.c.folder, comparison.c.files_sha256)).all()
    damaged, missing, known = [], [], set()
    progress(f"Checking {len(rows)} objects")
    for uid, digest, whole in rows:
        place = archive.objects.place_of(uid)
        known.add(place)
        try:
            sound = file_digest(place) == digest
        except FileNotFoundError:
            sound = False
            missing.append(uid)
        except OSError:
            sound = False
        if not sound and uid not in missing:
            damaged.append(uid)
        if sound != whole:
            _mark(archive, uid, digest, whole=sound)
    unknown = [path for path in archive.objects.files() if path not in known and not _arrived(archive, path)]
    for path in sorted(archive.objects.conflicts.glob("*.dcm")):
        if path.stem not in aside:
            unknown.append(path)
        elif file_digest(path) != path.stem:
            damaged.append(path.stem)
    damaged += sorted(aside - {path.stem for path in archive.objects.conflicts.glob("*.dcm")})
    progress(f"Checking {len(readings)} readings and the audit trail")
    changed = [folder for folder, digest in readings if _changed(archive.results.folder / folder, digest)]
    spoilt = [folder for folder, digest in compared if _changed(archive.comparisons.folder / folder, digest)]
    report = CheckReport(
        objects=len(rows),
        readings=len(readings),
        damaged=tuple(damaged),
        missing=tuple(missing),
        unknown=tuple(path.relative_to(archive.folder).as_posix() for path in unknown),
        damaged_readings=tuple(changed),
        damaged_comparisons=tuple(spoilt),
        audit=audit.verify(archive.database, archive.folder),
    )
    counts = {"objects": len(rows), "damaged": len(damaged), "missing": len(missing), "readings": len(changed)}
    with archive.database.write() as connection:
        audit.append(connection, actor="check", action="archive.checked", subject="", detail=counts)
    return report


def _mark(archive: Archive, uid: str, digest: str, *, whole: bool) -> None:
    """Note that an object is damaged, or is well again, unless it was healed or deleted meanwhile."""
    same = (instance.c.SOPInstanceUID == uid) & (instance.c.sha256 == digest)
    with archive.database.write() as connection:
        connection.execute(update(instance).where(same).values(whole=whole))
        action = "object.whole" if whole else "object.damaged"
        audit.append(connection, actor="check", action=action, subject=uid, detail={"sha256": digest})


def _arrived(archive: Archive, path: Path) -> bool:
    """Whether the index came to know a file only after the check had begun."""
    with suppress(UnreadableInput, OSError):
        uid = _uid_of(path)
        with archive.database.read() as connection:
            wanted = select(instance.c.sha256).where(instance.c.SOPInstanceUID == uid)
            return connection.execute(wanted).one_or_none() is not None and archive.objects.place_of(uid) == path
    return False


def _uid_of(path: Path) -> str:
    from bonescan.dicom.indexing import index_facts

    return index_facts(path).attributes["SOPInstanceUID"]


def _changed(folder: Path, digest: str) -> bool:
    try:
        return folder_digest(folder) != digest
    except OSError:
        return True


def reindex(archive: Archive, progress: Progress = _silent) -> Reindexed:
    """Bring into the index what lies in the store and is not in it; from files alone, if need be.

    What only the index knew is lost with it: the earlier audit trail (its last anchor is named in the new one), jobs,
    and senders whose name the file does not hold.

    Parameters
    ----------
    archive : Archive
    progress : callable
        Takes one sentence.

    Returns
    -------
    Reindexed
    """
    anchored = _last_anchor(archive.folder)
    with archive.database.write() as connection:
        if anchored and audit.head(connection)[0] == 0:  # a new trail: the anchors are of the one that is lost
            anchors = archive.folder / audit.ANCHORS_NAME
            anchors.rename(anchors.with_name(f"{anchors.name}.before-{int(time.time())}"))
        audit.append(connection, actor="reindex", action="index.rebuilt", subject="", detail={"last_anchor": anchored})
    with archive.database.read() as connection:
        rows = connection.execute(select(instance.c.SOPInstanceUID)).scalars()
        known = {archive.objects.place_of(uid) for uid in rows}
    objects, refused = 0, []
    for path in archive.objects.files():
        if path in known:
            continue
        try:
            objects += archive.adopt(path) is Kept.NEW
        except UnreadableInput:
            refused.append(path.relative_to(archive.folder).as_posix())
        if objects and objects % 1000 == 0:
            progress(f"{objects} objects brought in")
    refused += _adopt_conflicts(archive)
    readings, bad = _adopt_readings(archive)
    bad += _adopt_comparisons(archive)
    return Reindexed(objects=objects, readings=readings, refused=(*refused, *bad))


def _adopt_conflicts(archive: Archive) -> list[str]:
    from bonescan.dicom.indexing import index_facts

    refused = []
    with archive.database.read() as connection:
        aside = set(connection.execute(select(conflict.c.sha256)).scalars())
    for path in sorted(archive.objects.conflicts.glob("*.dcm")):
        if path.stem in aside:
            continue
        try:
            facts = index_facts(path)
        except UnreadableInput:
            refused.append(path.relative_to(archive.folder).as_posix())
            continue
        at = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="microseconds")
        archive.adopt_conflict(path, facts, at)
    return refused


def _adopt_readings(archive: Archive) -> tuple[int, list[str]]:
    found: list[dict[str, Any]] = []
    refused = []
    for path in archive.results.folder.glob(f"*/*/{RECORD_NAME}"):
        try:
            record = json.loads(path.read_bytes())
            later = {"revision": 0, "of_version": 0, "amends": 0}  # not in the records of earlier versions
            row = {name: (later | record)[name] for name in result.c.keys() if name != "folder"}  # noqa: SIM118
            row["folder"] = path.parent.relative_to(archive.results.folder).as_posix()
            if (path.parent / SIGNATURE_NAME).is_file():
                signed = json.loads((path.parent / SIGNATURE_NAME).read_bytes())
                row |= {name: str(signed[name]) for name in ("signed_by", "signed_at")}
            found.append(row)
        except (OSError, ValueError, KeyError, TypeError):
            refused.append(path.parent.relative_to(archive.folder).as_posix())
    brought_in = 0
    with archive.database.write() as connection:
        known = set(connection.execute(select(result.c.folder)).scalars())
        at_work = select(job.c.id).where(job.c.state.in_(["waiting", "running"]))
        unfinished = set(connection.execute(at_work).scalars())
        # what a killed worker was about to publish is made once more by its job: signed twice, it would count twice
        found = [row for row in found if row["job_id"] not in unfinished]
        for row in sorted(found, key=lambda row: (row["StudyInstanceUID"], row["version"], row["made_at"])):
            held = select(study.c.revision).where(study.c.StudyInstanceUID == row["StudyInstanceUID"])
            revision = connection.execute(held).scalar_one_or_none()
            if row["folder"] in known or revision is None:  # a deleted study's reading stays out
                continue
            newest = select(func.max(result.c.version)).where(result.c.StudyInstanceUID == row["StudyInstanceUID"])
            last = connection.execute(newest).scalar_one_or_none() or 0
            connection.execute(insert(result).values(**{**row, "version": max(row["version"], last + 1)}))
            if _is_up_to_date(archive, row):
                own = study.c.StudyInstanceUID == row["StudyInstanceUID"]
                connection.execute(update(study).where(own).values(queued_revision=study.c.revision))
            brought_in += 1
    return brought_in, refused


def _adopt_comparisons(archive: Archive) -> list[str]:
    refused = []
    with archive.database.write() as connection:
        for path in sorted(archive.comparisons.folder.glob(f"*/*/{RECORD_NAME}")):
            folder = path.parent.relative_to(archive.comparisons.folder).as_posix()
            try:
                archive.comparisons.adopt(connection, json.loads(path.read_bytes()), folder)
            except (OSError, ValueError, KeyError, TypeError, IndexError):
                refused.append(path.parent.relative_to(archive.folder).as_posix())
    return refused


def _is_up_to_date(archive: Archive, row: Mapping[str, Any]) -> bool:
    """Whether a reading was made of all that its study holds now."""
    digests = sorted(digest for _, digest in archive.readable(row["StudyInstanceUID"]))
    return bool(hashlib.sha256("\n".join(digests).encode()).hexdigest() == row["sources_sha256"])


def _last_anchor(folder: Path) -> str:
    try:
        lines = (folder / audit.ANCHORS_NAME).read_text(encoding="ascii", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line for line in reversed(lines) if line), "")


def due(archive: Archive, now: datetime) -> list[Due]:
    """Say which studies the rules of `bonescan.toml` let go, and which of them stay all the same.

    A study stays while its newest reading is not signed, while a reading is still to be made, and while one that failed
    was not looked at.

    Parameters
    ----------
    archive : Archive
    now : datetime
        With a time zone.

    Returns
    -------
    list of Due
    """
    found: list[Due] = []
    for rule in archive.settings.retention:
        known = {one.study_instance_uid for one in found}
        found += [one for one in _due_by(archive, rule, now) if one.study_instance_uid not in known]
    return found


def _due_by(archive: Archive, rule: RetentionRule, now: datetime) -> list[Due]:
    limit = (now.astimezone(UTC) - timedelta(days=rule.older_than_days)).isoformat(timespec="microseconds")
    found: list[Due] = []
    with archive.database.read() as connection:
        old = select(study).where(study.c.last_received < limit).order_by(study.c.last_received)
        for row in connection.execute(old).mappings().all():
            uid = row["StudyInstanceUID"]
            shown = set(connection.execute(select(series.c.Modality).where(series.c.StudyInstanceUID == uid)).scalars())
            if rule.modalities and not shown <= set(rule.modalities):
                continue
            sizes = connection.execute(
                select(instance.c.size_bytes).where(instance.c.StudyInstanceUID == uid)
            ).scalars()
            taken = list(sizes)
            found.append(
                Due(
                    study_instance_uid=uid,
                    rule=rule.name,
                    last_received=row["last_received"],
                    objects=len(taken),
                    size_bytes=sum(taken),
                    kept_because=_stays(connection, row),
                )
            )
    return found


def _stays(connection: Connection, row: Mapping[Any, Any]) -> str:
    """Why a study may not go; empty when it may."""
    readings = select(result.c.signed_by).where(result.c.StudyInstanceUID == row["StudyInstanceUID"])
    newest = connection.execute(readings.order_by(result.c.version.desc()).limit(1)).scalar_one_or_none()
    if row["revision"] > 0 and newest is None:
        return "it was not read"
    if newest == "":
        return "its newest reading is not signed"
    if row["revision"] > row["queued_revision"]:
        return "objects came that are not read yet"
    own = draft.c.StudyInstanceUID == row["StudyInstanceUID"]
    if connection.execute(select(draft.c.number).where(own)).first() is not None:
        return "a physician is at work on it"
    at_work = job.c.state.in_(["waiting", "running"]) & (job.c.StudyInstanceUID == row["StudyInstanceUID"])
    return "jobs wait" if connection.execute(select(job.c.id).where(at_work)).first() is not None else ""


def _changed_since(connection: Connection, one: Due) -> bool:
    own = select(study).where(study.c.StudyInstanceUID == one.study_instance_uid)
    row = connection.execute(own).mappings().one_or_none()
    return row is None or bool(row["last_received"] != one.last_received or _stays(connection, row))


def retain(archive: Archive, now: datetime, *, actor: str, trust_clock: bool = False) -> list[Due]:
    """Delete the studies that the rules let go.

    Parameters
    ----------
    archive : Archive
    now : datetime
        With a time zone.
    actor : str
        For the audit trail.
    trust_clock : bool
        Go on even if the clock is before the audit trail's last row or a month after it. A clock that jumped would
        otherwise make everything old at once.

    Returns
    -------
    list of Due
        Those deleted.

    Raises
    ------
    InvalidValue
        When the clock is not to be trusted.
    ArchiveUnavailable
        While a backup is being made.
    """
    if not trust_clock:
        _refuse_doubtful_clock(archive, now)
    deleted = []
    for one in due(archive, now):
        if one.kept_because:
            continue
        why, unless = f"retention: {one.rule}", partial(_changed_since, one=one)
        if archive.delete_study(one.study_instance_uid, actor=actor, why=why, unless=unless):
            deleted.append(one)
    return deleted


def _refuse_doubtful_clock(archive: Archive, now: datetime) -> None:
    with archive.database.read() as connection:
        last = connection.execute(select(trail.c.at).order_by(trail.c.seq.desc()).limit(1)).scalar_one_or_none()
    if last is None:
        return
    since = now.astimezone(UTC) - datetime.fromisoformat(last)
    if not timedelta(0) <= since <= _CLOCK_DOUBT:
        raise InvalidValue(
            "The clock is before the last entry of the audit trail, or a month after it, so nothing was deleted; make "
            "sure that it is right, then use --trust-clock.",
            last=last,
        )
