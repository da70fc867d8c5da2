"""What each kind of job needs before its process begins, and what is kept of what it made: one table.

::

    job ─► Kind.lay_out ─► order ─► reading process ─► making ─► Kind.keep, in the transaction that ends the job

A kind that sends is not here: it needs no process, see `bonescan.archive.sendings`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection

from bonescan.archive import signing
from bonescan.archive.comparisons import COMPARE
from bonescan.archive.jobs import READ, SIGN, Job
from bonescan.archive.results import StoredReading, VersionFolders
from bonescan.archive.shelf import Archive
from bonescan.errors import ArchiveUnavailable, InvalidValue

__all__ = ["INPUTS", "KINDS", "Kind", "Laid", "Made", "link"]

INPUTS = ".inputs"
"""The folder of a reading in progress in which its process finds the study; it is removed before anything is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What a job's process is told and given.

    Parameters
    ----------
    order : mapping of str to object
        What it is told, beside where its inputs are and where its results go; ready for JSON.
    inputs : sequence of (Path, str)
        The objects it looks at, each with its digest.
    """

    order: Mapping[str, Any]
    inputs: Sequence[tuple[Path, str]]

    @property
    def sources(self) -> list[str]:
        """Digests of the objects."""
        return sorted(digest for _, digest in self.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a job's process has made.

    Parameters
    ----------
    archive : Archive
    job : Job
    making : Path
        Its folder, flushed to the disk, without the inputs.
    laid : Laid
    files_sha256 : str
        Digest over the files.
    receivers : tuple of str
        AE titles of the peers that get every signed reading.
    """

    archive: Archive
    job: Job
    making: Path
    laid: Laid
    files_sha256: str
    receivers: tuple[str, ...] = ()

    def publish(self, connection: Connection, **facts: Any) -> StoredReading:
        """Make it the newest version of the study's reading, see `bonescan.archive.results.Results.publish`."""
        stored = self.archive.results.publish(
            connection,
            self.making,
            study_uid=self.job.study_instance_uid,
            job_id=self.job.id,
            sources=self.laid.sources,
            files=self.files_sha256,
            **facts,
        )
        self.archive.comparisons.ask_by_itself(connection, self.job.study_instance_uid)
        return stored


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    Parameters
    ----------
    lay_out : callable
        Takes archive and job. An `InvalidValue` it raises says why the job cannot be done at all.
    keep : callable
        Takes the writing transaction in which the job is said to be done, and what was made. An `InvalidValue` undoes
        the transaction, and the job is dead.
    folders : callable
        Takes the archive: among which folders its results are made, and stay.
    """

    lay_out: Callable[[Archive, Job], Laid]
    keep: Callable[[Connection, Made], object]
    folders: Callable[[Archive], VersionFolders]


def link(files: Sequence[tuple[Path, str]], folder: Path) -> None:
    """Lay objects out for a process that must not know where they are kept.

    Parameters
    ----------
    files : sequence of (Path, str)
    folder : Path
        Made here.

    Raises
    ------
    ArchiveUnavailable
        When the disk refuses.
    """
    try:
        folder.mkdir()
        for number, (path, _) in enumerate(files):
            os.link(path, folder / f"{number:05d}.dcm")
    except OSError as error:
        raise ArchiveUnavailable(f"The study's objects cannot be laid out: {error.strerror}.") from error


def _lay_out_reading(archive: Archive, job: Job) -> Laid:
    files = archive.readable(job.study_instance_uid)
    if not files:
        raise InvalidValue("The study has no images any more.")
    return Laid(order={}, inputs=files)


def _keep_reading(connection: Connection, made: Made) -> None:
    made.publish(connection, revision=made.job.revision)


def _lay_out_signing(archive: Archive, job: Job) -> Laid:
    order, files = signing.laid_out(archive, job)
    return Laid(order=order, inputs=files)


def _keep_signing(connection: Connection, made: Made) -> None:
    facts = signing.facts(connection, made.job)
    stored = made.publish(connection, **facts)
    signing.concluded(connection, made.job, stored, made.receivers)


def _lay_out_comparison(archive: Archive, job: Job) -> Laid:
    chain = archive.comparisons.chain(job)
    files = [archive.readable(uid) for uid, _, _ in chain]
    studies = [
        {"objects": len(own), "reading": str(archive.results.folder / folder)}
        for own, (_, _, folder) in zip(files, chain, strict=True)
    ]
    return Laid(order={"studies": studies, "chain": chain}, inputs=[file for own in files for file in own])


def _keep_comparison(connection: Connection, made: Made) -> None:
    readings = made.laid.order["chain"]
    made.archive.comparisons.publish(connection, made.making, job=made.job, readings=readings, files=made.files_sha256)


def _readings(archive: Archive) -> VersionFolders:
    return archive.results


def _comparisons(archive: Archive) -> VersionFolders:
    return archive.comparisons


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        READ: Kind(_lay_out_reading, _keep_reading, _readings),
        SIGN: Kind(_lay_out_signing, _keep_signing, _readings),
        COMPARE: Kind(_lay_out_comparison, _keep_comparison, _comparisons),
    }
)
"""By name."""
