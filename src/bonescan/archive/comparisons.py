"""Comparisons in the store: a scan held against an earlier one of the same person; each version has its own folder.

::

    comparisons/SHA256-OF-STUDY-UID/JOB-TOKEN/
        comparison.json, .html, .pdf, pictures   what `bonescan compare` writes
        maps.npz                                 the prior scan carried, the difference, the way between both
        result.json                              of which readings, when; comes last

    reading published ─► ask_by_itself ─► job "compare" ─► lay_out ─► process ─► keep: one transaction
    somebody asks     ─► ask ──────────────┤
    study deleted     ─► ask_without ──────┘

What is compared is a chain: the current scan, the chosen prior one, and those before it, for the rules that look at a
whole series. A comparison is outdated when the chain would be made of other readings now. Comparisons of a scan with
its newest prior one, and those made before, are made anew by themselves whenever a reading of their chain is
published; but not of scans whose files name different people: those a person has to ask for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from bonescan.archive import audit
from bonescan.archive.database import Database, utc_now
from bonescan.archive.jobs import Job, JobState, Queue
from bonescan.archive.persons import Visit, differences, earlier_than, visits_of
from bonescan.archive.results import RECORD_NAME, VersionFolders, write_durably
from bonescan.archive.tables import comparison, result
from bonescan.errors import InvalidValue

__all__ = ["COMPARE", "Comparing", "Comparisons", "StoredComparison"]

COMPARE = "compare"
"""The kind of its jobs."""

_SCHEMA = "bonescan-compared/1"
_LONGEST = 8  # [D] scans of a chain: each is opened, and each pair of neighbours compared

Mark = list[Any]
"""Study, version and folder of a reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredComparison:
    """One version of the comparison of two scans.

    Parameters
    ----------
    study_instance_uid, prior_uid : str
    version : int
        1, 2, ...
    folder : Path
    made_at : str
        UTC.
    readings : list of (str, int, str)
        Study, version and folder of every reading it was made of, by date.
    """

    study_instance_uid: str
    prior_uid: str
    version: int
    folder: Path
    made_at: str
    readings: list[Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """How far the comparison with one earlier scan is.

    Parameters
    ----------
    prior : Visit
    differs : tuple of str
        What the files give otherwise for the same patient number.
    stored : StoredComparison or None
        The newest there is.
    job : Job or None
        That is to make a newer one, or failed to.
    outdated : bool
        Whether `stored` would be made of other readings now.
    """

    prior: Visit
    differs: tuple[str, ...]
    stored: StoredComparison | None
    job: Job | None
    outdated: bool


class Comparisons(VersionFolders):
    """The comparisons of one archive.

    Parameters
    ----------
    folder : Path
        The archive's; ``comparisons`` is made in it.
    database : Database
    results : Path
        The folder of readings.
    """

    def __init__(self, folder: Path, database: Database, results: Path) -> None:
        super().__init__(folder / "comparisons", database, comparison.c.folder)
        self._results = results

    # ------------------------------------------------------------------------------------------------ finding

    def visits(self, study_uid: str) -> tuple[Visit, ...]:
        """All dated studies with a reading of the person whose a study is, by time.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        tuple of Visit
        """
        with self._database.read() as connection:
            return visits_of(connection, self._results, study_uid)

    def of_study(self, study_uid: str) -> list[Comparing]:
        """Every earlier scan of the person with how far its comparison is.

        Parameters
        ----------
        study_uid : str
            The current scan's.

        Returns
        -------
        list of Comparing
            The newest prior scan first.
        """
        with self._database.read() as connection:
            visits = visits_of(connection, self._results, study_uid)
            current = next((one for one in visits if one.study_instance_uid == study_uid), None)
            return [] if current is None else [self._comparing(connection, visits, current, one) for one in
                                               earlier_than(visits, study_uid)]  # fmt: skip

    def newest(self, study_uid: str, prior_uid: str) -> StoredComparison | None:
        """The newest comparison of two scans.

        Parameters
        ----------
        study_uid, prior_uid : str

        Returns
        -------
        StoredComparison or None
        """
        with self._database.read() as connection:
            return self._newest(connection, study_uid, prior_uid)

    def _comparing(self, connection: Connection, visits: Sequence[Visit], current: Visit, prior: Visit) -> Comparing:
        uid = current.study_instance_uid
        stored = self._newest(connection, uid, prior.study_instance_uid)
        found = _jobs_of(connection, uid, prior.study_instance_uid)
        open_or_dead = found[-1] if found and found[-1].state is not JobState.DONE else None
        outdated = stored is not None and stored.readings != _chain(visits, current, prior)
        differs = differences(current, prior)
        return Comparing(prior=prior, differs=differs, stored=stored, job=open_or_dead, outdated=outdated)

    def _newest(self, connection: Connection, study_uid: str, prior_uid: str) -> StoredComparison | None:
        own = _pair(study_uid, prior_uid)
        wanted = select(comparison).where(own).order_by(comparison.c.version.desc()).limit(1)
        row = connection.execute(wanted).mappings().one_or_none()
        if row is None:
            return None
        return StoredComparison(
            study_instance_uid=study_uid,
            prior_uid=prior_uid,
            version=row["version"],
            folder=self.folder / row["folder"],
            made_at=row["made_at"],
            readings=json.loads(row["readings"]),
        )

    # ------------------------------------------------------------------------------------------------ asking

    def ask(self, study_uid: str, prior_uid: str, *, actor: str) -> None:
        """Ask for a comparison, because a person wants it.

        Parameters
        ----------
        study_uid, prior_uid : str
        actor : str
            Who.

        Raises
        ------
        InvalidValue
            When the prior study is no earlier one of the same person with a reading, or a comparison is under way.
        """
        with self._database.write() as connection:
            self._chain_of(connection, study_uid, prior_uid)
            states = {one.state for one in _jobs_of(connection, study_uid, prior_uid)}
            if states & {JobState.WAITING, JobState.RUNNING}:
                raise InvalidValue("A comparison of these two scans is under way already.")
            Queue.ask(connection, COMPARE, study_uid, {"prior": prior_uid})
            detail = {"prior": prior_uid}
            audit.append(connection, actor=actor, action="comparison.asked", subject=study_uid, detail=detail)

    def ask_by_itself(self, connection: Connection, study_uid: str) -> int:
        """Ask for what a new reading calls for, in the transaction that publishes it.

        Parameters
        ----------
        connection : Connection
            Of `Database.write`.
        study_uid : str
            Whose reading is new.

        Returns
        -------
        int
            Comparisons asked for.
        """
        visits = visits_of(connection, self._results, study_uid)
        pairs = self._pairs(connection, visits)
        own = [pair for pair in pairs if study_uid in {mark[0] for mark in _chain(visits, *pair)}]
        return self._ask_each(connection, visits, own)

    def ask_without(self, connection: Connection, study_uid: str) -> int:
        """Ask for what the others of a person call for without a study, in the transaction that deletes it.

        A number that was wrong is corrected by deleting the study and sending it anew. Its neighbours, which were
        compared with a stranger, are then neighbours of each other.

        Parameters
        ----------
        connection : Connection
            Of `Database.write`; the study is still there, its comparisons were let go.
        study_uid : str
            Which is being deleted.

        Returns
        -------
        int
            Comparisons asked for.
        """
        visits = visits_of(connection, self._results, study_uid)
        held = [pair for pair in self._pairs(connection, visits) if study_uid in {m[0] for m in _chain(visits, *pair)}]
        affected = {current.study_instance_uid for current, _ in held} - {study_uid}
        left = tuple(one for one in visits if one.study_instance_uid != study_uid)
        pairs = [pair for pair in self._pairs(connection, left) if pair[0].study_instance_uid in affected]
        return self._ask_each(connection, left, pairs)

    def _ask_each(self, connection: Connection, visits: Sequence[Visit], pairs: Sequence[tuple[Visit, Visit]]) -> int:
        """Ask for comparisons that are not there as they would be made now, and do not wait already."""
        asked = 0
        for current, prior in pairs:
            uid, prior_uid = current.study_instance_uid, prior.study_instance_uid
            stored = self._newest(connection, uid, prior_uid)
            waits = any(one.state is JobState.WAITING for one in _jobs_of(connection, uid, prior_uid))
            if not waits and (stored is None or stored.readings != _chain(visits, current, prior)):
                Queue.ask(connection, COMPARE, uid, {"prior": prior_uid})
                asked += 1
        return asked

    def _pairs(self, connection: Connection, visits: Sequence[Visit]) -> list[tuple[Visit, Visit]]:
        """Scans with their newest prior one, and pairs that were compared before."""
        by_uid = {one.study_instance_uid: one for one in visits}
        made = select(comparison.c.StudyInstanceUID, comparison.c.PriorStudyInstanceUID).distinct()
        known = connection.execute(made.where(comparison.c.StudyInstanceUID.in_(list(by_uid)))).all()
        pairs = {(current, prior): None for current, prior in known if current in by_uid and prior in by_uid}
        for current in visits:
            alike = (one for one in earlier_than(visits, current.study_instance_uid) if not differences(current, one))
            if (prior := next(alike, None)) is not None:
                pairs[current.study_instance_uid, prior.study_instance_uid] = None
        return [(by_uid[current], by_uid[prior]) for current, prior in pairs]

    def _chain_of(self, connection: Connection, study_uid: str, prior_uid: str) -> list[Mark]:
        visits = visits_of(connection, self._results, study_uid)
        current = next((one for one in visits if one.study_instance_uid == study_uid), None)
        prior = next((one for one in earlier_than(visits, study_uid) if one.study_instance_uid == prior_uid), None)
        if current is None or prior is None:
            raise InvalidValue("That study is no earlier scan of the same person with a reading.")
        return _chain(visits, current, prior)

    # ------------------------------------------------------------------------------------------------ making

    def chain(self, job: Job) -> list[Mark]:
        """The readings that a job is to compare.

        Parameters
        ----------
        job : Job

        Returns
        -------
        list of (str, int, str)
            Study, version and folder, by date.

        Raises
        ------
        InvalidValue
            When the scans are not there any more.
        """
        with self._database.read() as connection:
            return self._chain_of(connection, job.study_instance_uid, str(job.payload["prior"]))

    def publish(
        self, connection: Connection, making: Path, *, job: Job, readings: Sequence[Mark], files: str
    ) -> StoredComparison:
        """Keep what a job has made, in the writing transaction that ends the job.

        Parameters
        ----------
        connection : Connection
        making : Path
            Of `begin`, after `flush`.
        job : Job
        readings : sequence of (str, int, str)
            Of which it was made.
        files : str
            Digest over its files.

        Returns
        -------
        StoredComparison

        Raises
        ------
        InvalidValue
            When one of the studies was deleted meanwhile.
        ArchiveUnavailable
            When the disk refuses.
        """
        uid, prior_uid = job.study_instance_uid, str(job.payload["prior"])
        held = select(func.count()).where(result.c.folder.in_([folder for _, _, folder in readings]))
        if connection.execute(held).scalar_one() != len(readings):
            raise InvalidValue("A study that was compared has been deleted meanwhile.")
        last = select(func.max(comparison.c.version)).where(_pair(uid, prior_uid))
        row = {
            "StudyInstanceUID": uid,
            "PriorStudyInstanceUID": prior_uid,
            "version": (connection.execute(last).scalar_one_or_none() or 0) + 1,
            "folder": making.relative_to(self.folder).as_posix(),
            "made_at": utc_now(),
            "job_id": job.id,
            "readings": json.dumps([list(mark) for mark in readings]),
            "files_sha256": files,
        }
        write_durably(making / RECORD_NAME, json.dumps({"schema": _SCHEMA, **row}, indent=2).encode())
        connection.execute(insert(comparison).values(row))
        detail = {"prior": prior_uid, "version": row["version"], "files_sha256": files}
        audit.append(connection, actor="worker", action="comparison.made", subject=uid, detail=detail)
        stored = self._newest(connection, uid, prior_uid)
        assert stored is not None
        return stored

    def let_go(self, connection: Connection, study_uid: str) -> list[str]:
        """Take every comparison in which a study has a part out of the index, because the study is being deleted.

        Parameters
        ----------
        connection : Connection
            Of `Database.write`.
        study_uid : str

        Returns
        -------
        list of str
            Their folders.
        """
        part = comparison.c.readings.contains(json.dumps(study_uid), autoescape=True)
        folders = list(connection.execute(select(comparison.c.folder).where(part)).scalars())
        connection.execute(delete(comparison).where(part))
        return folders

    def adopt(self, connection: Connection, record: dict[str, Any], folder: str) -> bool:
        """Bring a comparison back into the index, from its own record.

        Parameters
        ----------
        connection : Connection
            Of `Database.write`.
        record : dict
        folder : str

        Returns
        -------
        bool
            False where the index knows it, or not all of its readings are there.
        """
        row = {name: record[name] for name in comparison.c.keys()} | {"folder": folder}  # noqa: SIM118
        known = (comparison.c.folder == folder) | (
            _pair(row["StudyInstanceUID"], row["PriorStudyInstanceUID"]) & (comparison.c.version == row["version"])
        )
        if connection.execute(select(comparison.c.folder).where(known)).first() is not None:
            return False
        folders = [mark[2] for mark in json.loads(row["readings"])]
        held = connection.execute(select(func.count()).where(result.c.folder.in_(folders))).scalar_one()
        if held == len(folders):
            connection.execute(insert(comparison).values(row))
        return bool(held == len(folders))


def _pair(study_uid: str, prior_uid: str) -> Any:
    return (comparison.c.StudyInstanceUID == study_uid) & (comparison.c.PriorStudyInstanceUID == prior_uid)


def _jobs_of(connection: Connection, study_uid: str, prior_uid: str) -> list[Job]:
    return [one for one in Queue.of_study(connection, COMPARE, study_uid) if one.payload.get("prior") == prior_uid]


def _chain(visits: Sequence[Visit], current: Visit, prior: Visit) -> list[Mark]:
    """Current and prior scan, and those before the prior one whose files name the same person, by date."""
    before = [one for one in earlier_than(visits, prior.study_instance_uid) if not differences(current, one)]
    chain = [*reversed(before[: _LONGEST - 2]), prior, current]
    return [[one.study_instance_uid, one.version, one.folder] for one in chain]
