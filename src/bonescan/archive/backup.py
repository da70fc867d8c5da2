"""Backups: a copy of index, objects and readings as they were at one moment, made while the archive works, and back.

::

    BACKUP/backup.json       what it is of, when, how much, digest of the index; comes last: without it there is no
    backup BACKUP/index.sqlite      the index at that moment, SQLite whatever the archive uses
    BACKUP/objects, conflicts, results, comparisons, audit.anchors, bonescan.toml

The index is copied first, in one reading transaction; every file it names was durable before and is never changed, so
the files can be copied afterwards, each held against its digest. Files an earlier backup in the same folder holds
already are not copied again. A restore goes into an empty folder, and into the database of its settings: an archive
moves from SQLite to PostgreSQL, or back, by a backup and a restore.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from bonescan.archive import audit
from bonescan.archive.database import INDEX_NAME, Database, utc_now
from bonescan.archive.objects import ObjectStore, file_digest, sync_folder
from bonescan.archive.results import folder_digest
from bonescan.archive.settings import SETTINGS_NAME, load_settings
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import comparison, conflict, instance, metadata, result
from bonescan.errors import ArchiveUnavailable, OutputFailed, UnreadableInput

__all__ = ["Backup", "back_up", "restore"]

MANIFEST_NAME = "backup.json"
_SCHEMA = "bonescan-backup/1"
_ROWS = 1000
Progress = Callable[[str], None]


def _silent(sentence: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a backup holds, or a restore brought back.

    Parameters
    ----------
    made_at : str
        UTC.
    objects, readings : int
    copied : int
        Files copied now; the others were there.
    bad : tuple of str
        Files that were damaged or missing, relative to the folder: they are not in the backup.
    audit_seq : int
    audit_head : str
        Where the audit trail stood.
    """

    made_at: str
    objects: int
    readings: int
    copied: int
    bad: tuple[str, ...]
    audit_seq: int
    audit_head: str


def back_up(archive: Archive, folder: Path, progress: Progress = _silent) -> Backup:
    """Copy an archive as it is now, while it works.

    Parameters
    ----------
    archive : Archive
    folder : Path
        Made when absent. An earlier backup in it becomes this one; until the last step it stays a backup of then.
    progress : callable
        Takes one sentence.

    Returns
    -------
    Backup

    Raises
    ------
    OutputFailed
        When the folder cannot be written, or holds something else.
    """
    if folder.resolve().is_relative_to(archive.folder):
        raise OutputFailed("A backup within the archive's own folder would be lost with it; choose another place.")
    manifest = folder / MANIFEST_NAME
    if folder.is_dir() and not manifest.is_file() and any(folder.iterdir()) and not (folder / "objects").is_dir():
        raise OutputFailed("The folder for the backup holds other things; choose an empty one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with archive.objects.still():  # nothing is deleted meanwhile
            snapshot = folder / f".{uuid.uuid4().hex}"
            snapshot.mkdir()
            try:
                return _copied(archive, folder, snapshot, progress)
            finally:
                shutil.rmtree(snapshot, ignore_errors=True)
    except OSError as error:
        if isinstance(error, OutputFailed | ArchiveUnavailable):
            raise
        raise OutputFailed(f"The backup cannot be written: {error.strerror}.", errno=error.errno) from error


def _copied(archive: Archive, folder: Path, snapshot: Path, progress: Progress) -> Backup:
    made_at = utc_now()
    progress("Copying the index")
    with closing(Database(snapshot)) as copy, archive.database.read() as source, copy.write() as target:
        _copy_rows(source, target)
        seq, newest = audit.head(target)
    with closing(Database(snapshot)) as copy, copy.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        progress("Copying objects and readings")
        copied, bad, objects, readings = 0, [], 0, 0
        for relative, digest, size in _objects(connection):
            objects += 1
            state = _copy_file(archive.folder / relative, folder / relative, digest, size)
            copied += state == "copied"
            if state == "bad":
                bad.append(relative)
        for relative, digest in _folders(connection):
            readings += relative.startswith("results/")
            state = _copy_folder(archive.folder / relative, folder / relative, digest)
            copied += state == "copied"
            if state == "bad":
                bad.append(relative)
    for name in (audit.ANCHORS_NAME, SETTINGS_NAME):
        if (archive.folder / name).is_file():
            shutil.copyfile(archive.folder / name, folder / name)
    os.replace(snapshot / INDEX_NAME, folder / INDEX_NAME)
    sync_folder(folder)
    done = Backup(
        made_at=made_at,
        objects=objects,
        readings=readings,
        copied=copied,
        bad=tuple(bad),
        audit_seq=seq,
        audit_head=newest,
    )
    said = {"schema": _SCHEMA, "index_sha256": file_digest(folder / INDEX_NAME)}
    said |= {name: getattr(done, name) for name in ("made_at", "objects", "readings", "bad", "audit_seq", "audit_head")}
    _write_last(folder / MANIFEST_NAME, json.dumps(said, indent=2).encode())
    with archive.database.write() as connection:
        audit.append(connection, actor="backup", action="archive.backed_up", subject="", detail={"objects": objects})
    return done


def _copy_rows(source: Connection, target: Connection) -> None:
    for table in metadata.sorted_tables:
        rows = source.execution_options(yield_per=_ROWS).execute(_ordered(table))
        for some in rows.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in some])


def _ordered(table: Table) -> Any:
    return select(table).order_by(*table.primary_key.columns)


def _objects(connection: Connection) -> Iterator[tuple[str, str, int]]:
    """Place within the folder, digest and size of every object and of those set aside."""
    for uid, digest, size in connection.execute(
        select(instance.c.SOPInstanceUID, instance.c.sha256, instance.c.size_bytes)
    ).all():
        yield ObjectStore.relative_place(uid), digest, size
    for digest, size in connection.execute(select(conflict.c.sha256, conflict.c.size_bytes)).all():
        yield f"conflicts/{digest}.dcm", digest, size


def _folders(connection: Connection) -> Iterator[tuple[str, str]]:
    """Place and digest of every reading and every comparison."""
    for home, table in (("results", result), ("comparisons", comparison)):
        for name, digest in connection.execute(select(table.c.folder, table.c.files_sha256)).all():
            yield f"{home}/{name}", digest


def _copy_file(source: Path, target: Path, digest: str, size: int) -> str:
    """Copy one file and hold the copy against its digest; ``"there"``, ``"copied"`` or ``"bad"``."""
    if target.is_file() and target.stat().st_size == size and file_digest(target) == digest:
        return "there"
    aside = target.with_name(f".{uuid.uuid4().hex}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            shutil.copyfile(source, aside)
        except FileNotFoundError:
            return "bad"
        if file_digest(aside) != digest:
            return "bad"
        shutil.copystat(source, aside)
        _sync(aside)
        os.replace(aside, target)
        sync_folder(target.parent)
    finally:
        aside.unlink(missing_ok=True)
    return "copied"


def _copy_folder(source: Path, target: Path, digest: str) -> str:
    if target.is_dir() and folder_digest(target) == digest:
        copied = "there"
    else:
        aside = target.with_name(f".{uuid.uuid4().hex}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            try:
                shutil.copytree(source, aside)
            except FileNotFoundError:
                return "bad"
            if folder_digest(aside) != digest:
                return "bad"
            for path in aside.rglob("*"):
                if path.is_file():
                    _sync(path)
            shutil.rmtree(target, ignore_errors=True)
            os.rename(aside, target)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        copied = "copied"
    for path in source.glob("*.json"):  # record and signature are no part of the digest; the index speaks for them
        shutil.copyfile(path, target / path.name)
        _sync(target / path.name)
    sync_folder(target)
    return copied


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_last(path: Path, content: bytes) -> None:
    aside = path.with_name(f".{uuid.uuid4().hex}")
    aside.write_bytes(content)
    _sync(aside)
    os.replace(aside, path)
    sync_folder(path.parent)


def restore(backup: Path, folder: Path, progress: Progress = _silent) -> Backup:
    """Bring an archive back from a backup, and make sure that it is what the backup was made of.

    Parameters
    ----------
    backup : Path
    folder : Path
        Made when absent; it may hold an `bonescan.toml` and nothing else. The database of those settings must be empty.
    progress : callable
        Takes one sentence.

    Returns
    -------
    Backup

    Raises
    ------
    UnreadableInput
        When the backup is not whole: a file is damaged or missing, or its audit trail was changed.
    OutputFailed
        When the folder or the database is not empty, or cannot be written; nothing is left in the folder then.
    """
    said = _manifest(backup)
    folder.mkdir(parents=True, exist_ok=True)
    if any(path.name != SETTINGS_NAME for path in folder.iterdir()):
        raise OutputFailed("The folder to restore into is not empty; choose another, so that nothing is mixed.")
    aside = folder / ".restoring"
    try:
        aside.mkdir()
        copied = _restore_files(backup, aside, progress)
        shutil.copyfile(backup / INDEX_NAME, aside / INDEX_NAME)
        for name in (audit.ANCHORS_NAME, SETTINGS_NAME):
            if (backup / name).is_file() and not (folder / name).is_file():
                shutil.copyfile(backup / name, aside / name)
        _verify_trail(aside, said)
        settings = load_settings(folder if (folder / SETTINGS_NAME).is_file() else aside)
        if settings.database:
            progress("Filling the database")
            _fill(aside, settings.database)
            (aside / INDEX_NAME).unlink()
        else:
            _sync(aside / INDEX_NAME)
        for path in sorted(aside.iterdir()):
            os.rename(path, folder / path.name)
        sync_folder(folder)
    except OSError as error:
        if isinstance(error, OutputFailed | ArchiveUnavailable):
            raise
        raise OutputFailed(f"The archive cannot be restored: {error.strerror}.", errno=error.errno) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Backup(
        made_at=said["made_at"],
        objects=said["objects"],
        readings=said["readings"],
        copied=copied,
        bad=tuple(said["bad"]),
        audit_seq=said["audit_seq"],
        audit_head=said["audit_head"],
    )


def _manifest(backup: Path) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads((backup / MANIFEST_NAME).read_bytes())
        if said["schema"] == _SCHEMA and file_digest(backup / INDEX_NAME) == said["index_sha256"]:
            return said
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInput(
            "There is no whole backup in that folder: backup.json or the index is missing."
        ) from error
    raise UnreadableInput("The backup's index is not the one that backup.json names; use another backup.")


def _restore_files(backup: Path, aside: Path, progress: Progress) -> int:
    progress("Copying objects and readings")
    left_out = set(_manifest(backup)["bad"])
    copied, bad = 0, []
    shutil.copyfile(backup / INDEX_NAME, aside / ".index.sqlite")
    with closing(Database(aside, f"sqlite:///{aside / '.index.sqlite'}")) as index, index.read() as connection:
        for relative, digest, size in _objects(connection):
            if relative not in left_out and _copy_file(backup / relative, aside / relative, digest, size) == "bad":
                bad.append(relative)
            copied += 1
        for relative, digest in _folders(connection):
            if relative not in left_out and _copy_folder(backup / relative, aside / relative, digest) == "bad":
                bad.append(relative)
            copied += 1
    for path in aside.glob(".index.sqlite*"):
        path.unlink()
    if bad:
        raise UnreadableInput(
            f"{len(bad)} files of the backup are damaged or missing, the first is {bad[0]}; nothing was restored.",
            files=tuple(bad),
        )
    return copied


def _verify_trail(aside: Path, said: dict[str, Any]) -> None:
    with closing(Database(aside)) as database:
        found = audit.verify(database, aside.parent / "no anchors: those after the backup would be missing")
    if found.first_bad is not None or found.head != said["audit_head"]:
        raise UnreadableInput(
            f"The audit trail of the backup is not as it was made: {found.reason or 'its end differs.'} Nothing was "
            "restored."
        )


def _fill(aside: Path, url: str) -> None:
    with (
        closing(Database(aside)) as source,
        closing(Database(aside, url)) as target,
        source.read() as rows,
        target.write() as connection,
    ):
        if audit.head(connection)[0]:
            raise OutputFailed("The database to restore into is not empty; give the archive one of its own.")
        _copy_rows(rows, connection)
        if connection.dialect.name == "postgresql":
            for name in ("job", "conflict"):  # numbers given so far are not given again
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "
                    f"(SELECT coalesce(max(id), 0) + 1 FROM {name}), false)"
                )
