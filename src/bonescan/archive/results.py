"""Readings in the store: every version of every study's reading is a folder of its own; none is ever replaced.

::

    results/SHA256-OF-STUDY-UID/JOB-TOKEN/
        reading.json, report.html, ...      what `bonescan read` writes, and run.json, its manifest
        dicom_results/*.dcm
        result.json                         which version of which study, of which objects, when; comes last
        signed.json                         who has signed it; only in a version that was signed

A folder counts when the index names it. Until then nobody looks there, and `Results.sweep` removes what a killed worker
left. From result.json the index can be made anew. Nothing of a folder changes once it counts: a signature makes a
new version.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, func, insert, select

from bonescan.archive import audit
from bonescan.archive.database import Database, utc_now
from bonescan.archive.objects import file_digest, open_for_writing, sync_folder
from bonescan.archive.tables import job, result
from bonescan.errors import ArchiveUnavailable

__all__ = [
    "RECORD_NAME",
    "SIGNATURE_NAME",
    "Results",
    "Signature",
    "StoredReading",
    "VersionFolders",
    "folder_digest",
    "write_durably",
]

RECORD_NAME = "result.json"
SIGNATURE_NAME = "signed.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who has signed a version of a reading.

    Parameters
    ----------
    by : str
    at : str
        UTC.
    amends : int
        The signed version that it replaces; 0 for none.
    reason : str
        Why it replaces that.
    """

    by: str
    at: str
    amends: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReading:
    """One version of a study's reading.

    Parameters
    ----------
    study_instance_uid : str
    version : int
        1, 2, ...
    folder : Path
    made_at : str
        UTC.
    sources_sha256 : str
        Digest over those of the objects it was made from.
    files_sha256 : str
        Digest over its files.
    signed_by, signed_at : str
        Empty for a version that nobody signed.
    revision : int
        Of the study, when the reading was asked for; 0 where nobody knows.
    of_version : int
        The reader's version that was revised; 0 for one of the reader's own.
    amends : int
        The signed version that this one replaces; 0 for none.
    """

    study_instance_uid: str
    version: int
    folder: Path
    made_at: str
    sources_sha256: str
    files_sha256: str
    signed_by: str
    signed_at: str
    revision: int
    of_version: int
    amends: int


def folder_digest(folder: Path) -> str:
    """SHA-256 over the names and digests of all files of a reading but its record and signature.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
    """
    lines = [
        f"{file_digest(path)} {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (RECORD_NAME, SIGNATURE_NAME)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class VersionFolders:
    """Folders of one kind of which each is a version, and counts once a row of the index names it.

    Parameters
    ----------
    folder : Path
        Where they lie; made here.
    database : Database
    named : Column of str
        Where the index names them.
    """

    def __init__(self, folder: Path, database: Database, named: Column[str]) -> None:
        self.folder, self._database, self._named = folder, database, named
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise ArchiveUnavailable(f"The folder {folder.name} cannot be made: {error.strerror}.") from error

    def begin(self, study_uid: str, job_id: int) -> Path:
        """Make the folder in which a version can be written.

        Parameters
        ----------
        study_uid : str
        job_id : int
            While this job runs, the folder is not swept away.

        Returns
        -------
        Path
            On the disk of the archive, seen by nobody.
        """
        home = self.folder / hashlib.sha256(study_uid.encode()).hexdigest()
        making = home / f"{job_id}-{uuid.uuid4().hex}"
        try:
            making.mkdir(parents=True)
            sync_folder(self.folder)
        except OSError as error:
            raise ArchiveUnavailable(f"The folder for results cannot be made: {error.strerror}.") from error
        return making

    def flush(self, making: Path) -> str:
        """Bring what is in progress to the disk.

        Parameters
        ----------
        making : Path
            Of `begin`.

        Returns
        -------
        str
            Digest over its files.
        """
        try:
            for path in sorted(making.rglob("*"), reverse=True):
                if path.is_dir():
                    sync_folder(path)
                else:
                    _sync_file(path)
            sync_folder(making)
            sync_folder(making.parent)
            return folder_digest(making)
        except OSError as error:
            raise ArchiveUnavailable(f"The results cannot be written: {error.strerror}.") from error

    def discard(self, making: Path) -> None:
        """Remove what is in progress.

        Parameters
        ----------
        making : Path
        """
        shutil.rmtree(making, ignore_errors=True)

    def remove(self, name: str) -> None:
        """Delete a folder that the index has let go.

        Parameters
        ----------
        name : str
            As the index had it.
        """
        folder = (self.folder / name).resolve()
        if folder.is_relative_to(self.folder.resolve()) and folder != self.folder.resolve():
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()  # only when it was the last

    def sweep(self) -> int:
        """Remove what killed workers left: folders of jobs that do not run, and finished ones that no row names.

        Returns
        -------
        int
            Folders removed.
        """
        found = list(self.folder.glob("*/*"))  # before the index is asked: what begins later is not among them
        with self._database.read() as connection:
            if not self._stray(connection, found):
                return 0
        with self._database.write() as connection:  # nobody publishes in between
            stray = self._stray(connection, found)
            for path in stray:
                shutil.rmtree(path, ignore_errors=True)
        return len(stray)

    def _stray(self, connection: Connection, found: Sequence[Path]) -> list[Path]:
        known = {self.folder / name for name in connection.execute(select(self._named)).scalars()}
        running = connection.execute(select(job.c.id).where(job.c.state == "running")).scalars()
        busy = {str(number) for number in running}
        return [path for path in found if path not in known and path.name.partition("-")[0] not in busy]


class Results(VersionFolders):
    """The readings of one archive.

    Parameters
    ----------
    folder : Path
        The archive's; ``results`` is made in it.
    database : Database
    """

    def __init__(self, folder: Path, database: Database) -> None:
        super().__init__(folder / "results", database, result.c.folder)

    def publish(
        self,
        connection: Connection,
        making: Path,
        *,
        study_uid: str,
        job_id: int,
        sources: Sequence[str],
        files: str,
        revision: int = 0,
        of_version: int = 0,
        signature: Signature | None = None,
    ) -> StoredReading:
        """Make a reading the newest version of its study, in a writing transaction.

        Parameters
        ----------
        connection : Connection
        making : Path
            After `flush`.
        study_uid : str
        job_id : int
        sources : sequence of str
            Digests of the objects it was made from.
        files : str
            Digest over its files.
        revision, of_version : int
            As in `StoredReading`.
        signature : Signature, optional
            Whose version it is from its first moment.

        Returns
        -------
        StoredReading
        """
        newest = select(func.max(result.c.version)).where(result.c.StudyInstanceUID == study_uid)
        row = {
            "StudyInstanceUID": study_uid,
            "version": (connection.execute(newest).scalar_one_or_none() or 0) + 1,
            "folder": making.relative_to(self.folder).as_posix(),
            "made_at": utc_now(),
            "job_id": job_id,
            "sources_sha256": hashlib.sha256("\n".join(sorted(sources)).encode()).hexdigest(),
            "files_sha256": files,
            "signed_by": "" if signature is None else signature.by,
            "signed_at": "" if signature is None else signature.at,
            "revision": revision,
            "of_version": of_version,
            "amends": 0 if signature is None else signature.amends,
        }
        record = {"schema": "bonescan-result/1", **row, "sources": sorted(sources)}
        if signature is not None:
            signed: dict[str, object] = {"signed_by": signature.by, "signed_at": signature.at}
            signed |= {"amends": signature.amends, "reason": signature.reason}
            write_durably(making / SIGNATURE_NAME, json.dumps(signed, indent=2).encode())
        write_durably(making / RECORD_NAME, json.dumps(record, indent=2).encode())
        connection.execute(insert(result).values(row))
        detail = {name: row[name] for name in ("version", "sources_sha256", "files_sha256")}
        audit.append(connection, actor="worker", action="reading.made", subject=study_uid, detail=detail)
        if signature is not None:
            said = {name: row[name] for name in ("version", "of_version", "amends", "files_sha256")}
            said["reason"] = signature.reason
            audit.append(connection, actor=signature.by, action="reading.signed", subject=study_uid, detail=said)
        return self._stored(row)

    def of_study(self, study_uid: str) -> list[StoredReading]:
        """All versions of a study's reading.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        list of StoredReading
            The oldest first.
        """
        wanted = select(result).where(result.c.StudyInstanceUID == study_uid).order_by(result.c.version)
        with self._database.read() as connection:
            return [self._stored(row) for row in connection.execute(wanted).mappings()]

    def _stored(self, row: Any) -> StoredReading:
        return StoredReading(
            study_instance_uid=row["StudyInstanceUID"],
            version=row["version"],
            folder=self.folder / row["folder"],
            made_at=row["made_at"],
            sources_sha256=row["sources_sha256"],
            files_sha256=row["files_sha256"],
            signed_by=row["signed_by"],
            signed_at=row["signed_at"],
            revision=row["revision"],
            of_version=row["of_version"],
            amends=row["amends"],
        )


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file whole or not at all, and durably.

    Parameters
    ----------
    path : Path
    content : bytes

    Raises
    ------
    ArchiveUnavailable
        When the disk refuses; an earlier file is then intact.
    """
    aside = path.with_name(f".{uuid.uuid4().hex}")
    try:
        handle = open_for_writing(aside)
        with os.fdopen(handle, "wb") as file:  # os.write may take a part and say nothing, as when a disk fills up
            file.write(content)
            file.flush()
            os.fsync(handle)
        os.replace(aside, path)
        sync_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ArchiveUnavailable(f"{path.name} cannot be written: {error.strerror}.") from error
