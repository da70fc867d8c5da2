"""The archive: one folder and one index, in which objects are kept, found and given out.

An object is acknowledged only after all of these, in this order; a process may be killed between any two of them:

1. its bytes are in ``incoming``, flushed to the disk (killed here: a part, swept away at the next start),
2. its header was read and its place in the quota is free,
3. it has its name in ``objects``, the folder flushed (killed here: a whole object that the index does not know; its
   part says so, and `Archive.recover` brings it in),
4. the index knows it and the audit trail says so, in one transaction (killed here: it is kept; the sender, who heard
   nothing, sends it again and hears "same"),
5. the part is removed.

So the index never names a file that is not whole, and what was acknowledged is in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.comparisons import Comparisons
from bonescan.archive.database import Database
from bonescan.archive.jobs import revive
from bonescan.archive.matching import find
from bonescan.archive.objects import ObjectStore, Spooled, file_digest, told_plainly
from bonescan.archive.results import Results
from bonescan.archive.settings import Settings, load_settings
from bonescan.archive.tables import conflict, doomed, draft, instance, job, meter, result, series, study
from bonescan.dicom.indexing import INDEXED, UNIQUE_KEYS, IndexFacts, index_facts
from bonescan.dicom.node.shelf import Kept, Level, ReceivedObject, StoredObject
from bonescan.errors import ArchiveUnavailable, InvalidValue, QuotaExceeded, UnreadableInput

__all__ = ["OBJECT_BYTES", "READABLE_MODALITY", "Archive"]

OBJECT_BYTES = "object_bytes"
"""Name of the meter of what objects take."""

READABLE_MODALITY = "NM"
"""Only objects of gamma cameras ask for a reading; reports, pictures and segmentations of a study do not."""

_GIB = 2**30
_ROWS_AT_ONCE = 200  # of a query that may match everything, and of which few are wanted


class Archive:
    """Where studies and readings live. Made for many threads and processes at once.

    It is a `bonescan.dicom.node.shelf.Shelf`.

    Parameters
    ----------
    folder : Path
        Made when absent. A folder with objects but without an index gets its index made anew from them.
    settings : Settings, optional
        Those of `bonescan.toml` in the folder by default.

    Raises
    ------
    ArchiveUnavailable
        When folder or database do not answer.
    InvalidValue
        When a setting is wrong, or the index is of a later version.
    """

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        try:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)  # it holds what only the department may see
        except OSError as error:
            raise ArchiveUnavailable(f"The archive's folder cannot be made: {error.strerror}.") from error
        self.folder = folder.resolve()
        self.settings = load_settings(self.folder) if settings is None else settings
        self.objects = ObjectStore(self.folder)
        self.database = Database(self.folder, self.settings.database)
        self.results = Results(self.folder, self.database)
        self.comparisons = Comparisons(self.folder, self.database, self.results.folder)
        if self.database.new and next(self.objects.files(), None) is not None:
            from bonescan.archive.upkeep import reindex

            reindex(self)
        self.recover()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Anchor the audit trail and let go of the database."""
        with suppress(ArchiveUnavailable, QuotaExceeded):
            audit.anchor(self.database, self.folder)
        self.database.close()

    # ------------------------------------------------------------------------------------------------ putting away

    def keep(self, received: ReceivedObject) -> Kept:
        """Put one object away; durable when it returns.

        Parameters
        ----------
        received : ReceivedObject

        Returns
        -------
        Kept

        Raises
        ------
        QuotaExceeded, ArchiveUnavailable, UnreadableInput, InvalidValue
            As `bonescan.dicom.node.shelf.Shelf.keep` says; nothing is acknowledged then.
        """
        content = received.content
        with told_plainly():
            self._refuse_when_full(len(content) if isinstance(content, bytes) else content.stat().st_size)
            with self.objects.spool(content) as spooled:
                facts = index_facts(spooled.path)
                _refuse_other_uids(received, facts)
                at = received.received_at.astimezone(UTC).isoformat(timespec="microseconds")
                return self._bring_in(spooled, facts, received.calling_ae, at)

    def recover(self) -> int:
        """Bring in what a killed process had put in place but not told the index, and sweep away what it left.

        Called at the start, and now and then; living senders are not disturbed.

        Returns
        -------
        int
            Objects brought in.
        """
        brought_in = 0
        for part in self.objects.parts():
            try:
                links = part.stat().st_nlink
            except OSError:
                continue  # its sender is done with it
            done = False
            if links > 1:
                try:
                    brought_in += self.adopt(part) is Kept.NEW
                    done = True
                except UnreadableInput:
                    pass  # its other name is among those set aside: the sender, who heard nothing, sends it again
                except OSError:
                    continue  # full or unreachable: the part stays for the next time
            if done or self.objects.is_stale(part):
                part.unlink(missing_ok=True)
        self._finish_deletions()
        return brought_in

    def adopt(self, file: Path) -> Kept:
        """Tell the index of a file that has its place in the store already.

        Parameters
        ----------
        file : Path
            The object's, or another name of the same file.

        Returns
        -------
        Kept

        Raises
        ------
        UnreadableInput
            When the file is damaged or lies where its UID does not lead.
        """
        facts = index_facts(file)
        uid = facts.attributes["SOPInstanceUID"]
        place = self.objects.place_of(uid)
        if not _same_file(place, file):
            raise UnreadableInput("The file does not lie where its UID leads, or another object lies there.")
        found = file.stat()
        spooled = Spooled(path=file, size_bytes=found.st_size, sha256=file_digest(file))
        at = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="microseconds")
        with self.database.write() as connection:
            return self._index(connection, spooled, facts, facts.source_ae, at, action="object.found")

    def adopt_conflict(self, file: Path, facts: IndexFacts, at: str) -> None:
        """Tell the index of an object that was set aside because another one holds its UID.

        Parameters
        ----------
        file : Path
        facts : IndexFacts
        at : str
            When it came, UTC.
        """
        stored = {
            "sha256": file_digest(file),
            "data_set_sha256": facts.data_set_sha256,
            "size_bytes": file.stat().st_size,
            "calling_ae": facts.source_ae,
            "received_at": at,
        }
        detail = {"sha256": stored["sha256"], "study": facts.attributes["StudyInstanceUID"]}
        with self.database.write() as connection:
            self._index_conflict(connection, facts.attributes["SOPInstanceUID"], stored, detail)

    def _bring_in(self, spooled: Spooled, facts: IndexFacts, calling_ae: str, at: str) -> Kept:
        uid = facts.attributes["SOPInstanceUID"]
        with self.database.read() as connection:
            held = connection.execute(
                select(instance.c.data_set_sha256, instance.c.whole).where(instance.c.SOPInstanceUID == uid)
            ).one_or_none()
        filed, of_file, healed = spooled, facts, False
        if held is not None and held.data_set_sha256 != facts.data_set_sha256:
            self.objects.set_aside(spooled)
        elif held is not None and held.whole and self.objects.place_of(uid).exists():
            return Kept.SAME
        elif held is not None:  # the same object, whose file is damaged or gone: it is healed
            self.objects.replace(spooled, uid)
            healed = True
        elif not self.objects.put(spooled, uid):
            # Somebody was here first: a sender of the same moment, or one that was killed before the index knew.
            filed, of_file = self._found(uid) or (spooled, facts)
            if filed is spooled:
                self.objects.replace(spooled, uid)
            elif of_file.data_set_sha256 != facts.data_set_sha256:
                self.objects.set_aside(spooled)
        try:
            with self.database.write() as connection:
                same = of_file.data_set_sha256 == facts.data_set_sha256
                if not same:
                    self._index(connection, filed, of_file, of_file.source_ae, at, action="object.found")
                kept = self._index(connection, filed if same else spooled, facts, calling_ae, at)
                if healed:
                    revive(connection, facts.attributes["StudyInstanceUID"])
        except QuotaExceeded:
            with suppress(ArchiveUnavailable, QuotaExceeded), self.database.write() as connection:
                self._remove_unknown(connection, "object", uid)
                self._remove_unknown(connection, "conflict", spooled.sha256)
                spooled.placed = False
            raise
        spooled.indexed = True
        return kept

    def _found(self, uid: str) -> tuple[Spooled, IndexFacts] | None:
        """The object that lies in the place of a UID; ``None`` where it is damaged, another one, or gone meanwhile."""
        place = self.objects.place_of(uid)
        try:
            facts = index_facts(place)
            found = Spooled(path=place, size_bytes=place.stat().st_size, sha256=file_digest(place))
        except (UnreadableInput, FileNotFoundError):
            return None
        return (found, facts) if facts.attributes["SOPInstanceUID"] == uid else None

    def _index(
        self,
        connection: Connection,
        spooled: Spooled,
        facts: IndexFacts,
        calling_ae: str,
        at: str,
        *,
        action: str = "object.received",
    ) -> Kept:
        """Write one object into the index, in a writing transaction: the place where the first object of a UID wins."""
        said = facts.attributes
        uid = said["SOPInstanceUID"]
        held = connection.execute(select(instance).where(instance.c.SOPInstanceUID == uid)).mappings().one_or_none()
        stored = {
            "sha256": spooled.sha256,
            "data_set_sha256": facts.data_set_sha256,
            "size_bytes": spooled.size_bytes,
            "calling_ae": calling_ae.encode("utf-8", "replace").decode().replace("\0", " "),
            "received_at": at,
        }
        detail = {"sha256": spooled.sha256, "study": said["StudyInstanceUID"]}
        if held is not None and held["data_set_sha256"] != facts.data_set_sha256:
            return self._index_conflict(connection, uid, stored, detail)
        in_place = _same_file(self.objects.place_of(uid), spooled.path)
        if held is not None and held["whole"] and not (in_place and held["sha256"] != spooled.sha256):
            return Kept.SAME
        if not in_place:
            raise ArchiveUnavailable("The object was deleted or healed by another sender meanwhile; send it again.")
        if held is not None:
            connection.execute(
                update(instance)
                .where(instance.c.SOPInstanceUID == uid)
                .values(sha256=spooled.sha256, size_bytes=spooled.size_bytes, whole=True)
            )
            self._count(connection, spooled.size_bytes - held["size_bytes"])
            audit.append(connection, actor=calling_ae, action="object.healed", subject=uid, detail=detail)
            return Kept.SAME
        self._count(connection, spooled.size_bytes)
        self._index_study(connection, said, at)
        connection.execute(
            insert(instance).values(
                {keyword: said[keyword] for keyword in INDEXED[Level.IMAGE]}
                | {"StudyInstanceUID": said["StudyInstanceUID"], "SeriesInstanceUID": said["SeriesInstanceUID"]}
                | stored
                | {"transfer_syntax_uid": facts.transfer_syntax_uid, "whole": True}
            )
        )
        audit.append(connection, actor=calling_ae, action=action, subject=uid, detail=detail)
        return Kept.NEW

    def _index_study(self, connection: Connection, said: Mapping[str, str], at: str) -> None:
        uid = said["StudyInstanceUID"]
        held = connection.execute(select(study.c.PatientID).where(study.c.StudyInstanceUID == uid)).one_or_none()
        if held is None:
            keywords = (*INDEXED[Level.PATIENT], *INDEXED[Level.STUDY])
            values = {keyword: said[keyword] for keyword in keywords}
            connection.execute(
                insert(study).values(**values, first_received=at, last_received=at, revision=0, queued_revision=0)
            )
        elif held.PatientID != said["PatientID"]:
            audit.append(
                connection,
                actor="archive",
                action="study.two_patients",
                subject=uid,
                detail={"object": said["SOPInstanceUID"]},
            )
        asks_for_reading = said["Modality"] == READABLE_MODALITY
        connection.execute(
            update(study)
            .where(study.c.StudyInstanceUID == uid)
            .values(last_received=at, revision=study.c.revision + int(asks_for_reading))
        )
        own = and_(series.c.StudyInstanceUID == uid, series.c.SeriesInstanceUID == said["SeriesInstanceUID"])
        if connection.execute(select(series.c.Modality).where(own)).one_or_none() is None:
            values = {keyword: said[keyword] for keyword in INDEXED[Level.SERIES]}
            connection.execute(insert(series).values(StudyInstanceUID=uid, **values))

    def _index_conflict(
        self, connection: Connection, uid: str, stored: Mapping[str, Any], detail: Mapping[str, Any]
    ) -> Kept:
        known = select(conflict.c.id).where(
            conflict.c.SOPInstanceUID == uid, conflict.c.data_set_sha256 == stored["data_set_sha256"]
        )
        if connection.execute(known).one_or_none() is None:
            self._count(connection, stored["size_bytes"])
            connection.execute(insert(conflict).values(SOPInstanceUID=uid, **stored))
            actor = stored["calling_ae"]
            audit.append(connection, actor=actor, action="object.conflict", subject=uid, detail=detail)
        return Kept.CONFLICT

    # ------------------------------------------------------------------------------------------------ room

    def object_bytes(self) -> int:
        """What all objects take, those set aside included.

        Returns
        -------
        int
        """
        with self.database.read() as connection:
            return _metered(connection)

    def _count(self, connection: Connection, more: int) -> None:
        """Add to the meter, within the quota."""
        now = _metered(connection) + more
        quota = self.settings.quota_gib * _GIB
        if more > 0 and quota and now > quota:
            raise _quota_exceeded(self.settings)
        if connection.execute(update(meter).where(meter.c.name == OBJECT_BYTES).values(value=now)).rowcount == 0:
            connection.execute(insert(meter).values(name=OBJECT_BYTES, value=now))

    def _refuse_when_full(self, size: int) -> None:
        reserve = self.settings.reserve_gib
        if self.objects.free_bytes() < size + reserve * _GIB:
            raise QuotaExceeded(
                f"The archive's disk has less than {reserve:g} GiB left, which it keeps for its index and readings; "
                "make room, then send the object again."
            )
        if self.settings.quota_gib and self.object_bytes() + size > self.settings.quota_gib * _GIB:
            raise _quota_exceeded(self.settings)

    # ------------------------------------------------------------------------------------------------ taking away

    def delete_study(
        self, study_uid: str, *, actor: str, why: str, unless: Callable[[Connection], bool] = lambda _: False
    ) -> int:
        """Delete a study: its objects, what was set aside for their UIDs, and its readings; the audit trail stays.

        Parameters
        ----------
        study_uid : str
        actor : str
        why : str
            For the audit trail.
        unless : callable
            Asked in the transaction that deletes; when it answers True, everything stays.

        Returns
        -------
        int
            Objects deleted.
        """
        own = instance.c.StudyInstanceUID == study_uid
        with self.objects.still(), self.database.write() as connection:
            held = connection.execute(
                select(instance.c.SOPInstanceUID, instance.c.sha256, instance.c.size_bytes).where(own)
            ).all()
            if not held or unless(connection):
                return 0
            uids = select(instance.c.SOPInstanceUID).where(own)
            aside = connection.execute(
                select(conflict.c.sha256, conflict.c.size_bytes).where(conflict.c.SOPInstanceUID.in_(uids))
            ).all()
            readings = select(result.c.folder).where(result.c.StudyInstanceUID == study_uid)
            going = [("object", row.SOPInstanceUID) for row in held]
            going += [("conflict", row.sha256) for row in aside]
            going += [("reading", folder) for folder in connection.execute(readings).scalars()]
            going += [("comparison", folder) for folder in self.comparisons.let_go(connection, study_uid)]
            self.comparisons.ask_without(connection, study_uid)
            for kind, name in set(going):
                known = (doomed.c.kind == kind) & (doomed.c.name == name)
                connection.execute(delete(doomed).where(known))
                connection.execute(insert(doomed).values(kind=kind, name=name))
            connection.execute(delete(conflict).where(conflict.c.SOPInstanceUID.in_(uids)))
            others = (job.c.StudyInstanceUID == study_uid) & (job.c.kind != "read")
            gone = {"state": "dead", "reason": "The study was deleted."}
            connection.execute(update(job).where(others & job.c.state.in_(["waiting", "running"])).values(**gone))
            connection.execute(update(job).where(others).values(payload="{}"))  # it may hold what a physician wrote
            for table in (result, draft, instance, series, study):
                connection.execute(delete(table).where(table.c.StudyInstanceUID == study_uid))
            self._count(connection, -sum(row.size_bytes for row in (*held, *aside)))
            for row in held:
                audit.append(
                    connection,
                    actor=actor,
                    action="object.deleted",
                    subject=row.SOPInstanceUID,
                    detail={"sha256": row.sha256, "study": study_uid, "why": why},
                )
            audit.append(connection, actor=actor, action="study.deleted", subject=study_uid, detail={"why": why})
        self._finish_deletions()
        return len(held)

    def _finish_deletions(self) -> None:
        """Remove the files of what the index has let go, unless it came back meanwhile."""
        with self.database.read() as connection:
            if connection.execute(select(doomed.c.name).limit(1)).one_or_none() is None:
                return
        with self.database.write() as connection:  # nobody can bring it back in between
            for kind, name in connection.execute(select(doomed.c.kind, doomed.c.name)).all():
                self._remove_unknown(connection, kind, name)
                connection.execute(delete(doomed).where(doomed.c.kind == kind, doomed.c.name == name))

    def _remove_unknown(self, connection: Connection, kind: str, name: str) -> None:
        """Remove a file that the index does not know, in a writing transaction."""
        if kind in ("reading", "comparison"):
            (self.results if kind == "reading" else self.comparisons).remove(name)
            return
        known = instance.c.SOPInstanceUID == name if kind == "object" else conflict.c.sha256 == name
        if connection.execute(select(known).where(known).limit(1)).one_or_none() is None:
            if kind == "object":
                self.objects.remove(name)
            else:
                self.objects.remove_aside(name)

    # ------------------------------------------------------------------------------------------------ finding

    def match(
        self, level: Level, keys: Mapping[str, str], *, offset: int = 0, most: int | None = None
    ) -> Iterator[Mapping[str, str]]:
        """Answer a query.

        Parameters
        ----------
        level : Level
        keys : mapping of str to str
            As for `bonescan.dicom.node.shelf.Shelf.match`.
        offset : int
            How many matches are passed over; their order is that of the UIDs.
        most : int, optional
            How many are wanted; all by default.

        Yields
        ------
        mapping of str to str
        """
        end = None if most is None else offset + most
        with self.database.read() as connection:
            few = connection.execution_options(yield_per=_ROWS_AT_ONCE)
            found = list(islice(find(few, level, keys), offset, end))
        yield from found

    def paths(self, uids: Mapping[str, Sequence[str]]) -> Iterator[StoredObject]:
        """Find the objects of patients, studies, series or images.

        Parameters
        ----------
        uids : mapping of str to sequence of str
            As for `bonescan.dicom.node.shelf.Shelf.paths`.

        Yields
        ------
        StoredObject
        """
        if unknown := set(uids) - set(UNIQUE_KEYS.values()):
            raise InvalidValue(f"Objects are found by {', '.join(UNIQUE_KEYS.values())}, not by {sorted(unknown)[0]}.")
        homes = {key: study if key == "PatientID" else instance for key in uids}
        conditions = [homes[key].c[key].in_(list(uids[key])) for key in uids]
        if not conditions:
            return
        wanted = (
            select(instance)
            .join(study, study.c.StudyInstanceUID == instance.c.StudyInstanceUID)
            .where(*conditions)
            .order_by(instance.c.StudyInstanceUID, instance.c.SeriesInstanceUID, instance.c.SOPInstanceUID)
        )
        with self.database.read() as connection:
            rows = connection.execute(wanted).mappings().all()
        for row in rows:
            yield StoredObject(
                path=self.objects.place_of(row["SOPInstanceUID"]),
                sop_class_uid=row["SOPClassUID"],
                sop_instance_uid=row["SOPInstanceUID"],
                transfer_syntax_uid=row["transfer_syntax_uid"],
                study_instance_uid=row["StudyInstanceUID"],
                series_instance_uid=row["SeriesInstanceUID"],
                size_bytes=row["size_bytes"],
            )

    def readable(self, study_uid: str) -> list[tuple[Path, str]]:
        """The objects of a study that a reading looks at.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        list of (Path, str)
            File and digest of each.
        """
        own = and_(
            series.c.StudyInstanceUID == instance.c.StudyInstanceUID,
            series.c.SeriesInstanceUID == instance.c.SeriesInstanceUID,
        )
        wanted = (
            select(instance.c.SOPInstanceUID, instance.c.sha256)
            .join(series, own)
            .where(instance.c.StudyInstanceUID == study_uid, series.c.Modality == READABLE_MODALITY)
            .order_by(instance.c.SOPInstanceUID)
        )
        with self.database.read() as connection:
            return [(self.objects.place_of(uid), digest) for uid, digest in connection.execute(wanted)]

    def holds(self, references: Sequence[tuple[str, str]]) -> list[bool]:
        """Say which objects are durably held.

        Parameters
        ----------
        references : sequence of (str, str)
            SOP class UID and SOP instance UID.

        Returns
        -------
        list of bool
            True where the index has the object under that class, no check found it damaged, and its file is as long as
            it was.
        """
        known: dict[tuple[str, str], int] = {}
        uids = sorted({uid for _, uid in references})
        with self.database.read() as connection:
            for start in range(0, len(uids), 500):
                some = instance.c.SOPInstanceUID.in_(uids[start : start + 500])
                for row in connection.execute(select(instance).where(some, instance.c.whole)).mappings():
                    known[row["SOPClassUID"], row["SOPInstanceUID"]] = row["size_bytes"]
        return [self._as_long(uid, known.get((sop_class, uid))) for sop_class, uid in references]

    def _as_long(self, uid: str, size: int | None) -> bool:
        if size is None:
            return False
        try:
            return self.objects.place_of(uid).stat().st_size == size
        except OSError:
            return False

    def counts(self) -> dict[str, int]:
        """How much of everything there is, for health pages and tests.

        Returns
        -------
        dict of str to int
        """
        with self.database.read() as connection:
            found = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (study, series, instance, conflict)
            }
            return found | {OBJECT_BYTES: _metered(connection)}


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _metered(connection: Connection) -> int:
    found = connection.execute(select(meter.c.value).where(meter.c.name == OBJECT_BYTES)).scalar_one_or_none()
    return int(found or 0)


def _quota_exceeded(settings: Settings) -> QuotaExceeded:
    return QuotaExceeded(
        f"The archive holds its quota of {settings.quota_gib:g} GiB; delete studies or raise quota_gib, then send the "
        "object again.",
        quota_gib=settings.quota_gib,
    )


def _refuse_other_uids(received: ReceivedObject, facts: IndexFacts) -> None:
    said = {
        "SOP class": (received.sop_class_uid, facts.attributes["SOPClassUID"]),
        "SOP instance": (received.sop_instance_uid, facts.attributes["SOPInstanceUID"]),
        "transfer syntax": (received.transfer_syntax_uid, facts.transfer_syntax_uid),
    }
    for what, (announced, written) in said.items():
        if announced != written:
            raise InvalidValue(
                f"The object says another {what} than was announced, so it was not stored.",
                expected=announced,
                got=written,
            )
