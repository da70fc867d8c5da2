"""Checks, the index anew from the files, and what may go after years."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.archive.made import NM, object_of, part10, received
from tests.archive.signed import ask_to_sign, put_draft, render, signed

from bonescan.archive import audit
from bonescan.archive.jobs import Job, Queue
from bonescan.archive.results import StoredReading
from bonescan.archive.sendings import ask_sending
from bonescan.archive.settings import RetentionRule, Settings, load_settings
from bonescan.archive.shelf import Archive
from bonescan.archive.tables import draft
from bonescan.archive.upkeep import check, due, reindex, retain
from bonescan.archive.worker import publish
from bonescan.dicom.indexing import index_facts
from bonescan.dicom.node import Kept
from bonescan.errors import ArchiveUnavailable, InvalidValue

PLAIN = Settings(reserve_gib=0.0)
LATER = datetime.now(UTC) + timedelta(days=4000)


def read(archive: Archive, study: str = "1.9.1") -> StoredReading:
    """A reading of a study as a worker leaves it, made of one file."""
    queue = Queue(archive.database, lease_s=30, attempts=3)
    queue.settle(0.0)
    jobs: list[Job] = []
    while not jobs or jobs[-1].study_instance_uid != study:
        claimed = queue.claim(held=[job.id for job in jobs])
        assert claimed is not None
        jobs.append(claimed)
    for other in jobs[:-1]:
        queue.give_back(other)
    making = archive.results.begin(study, jobs[-1].id)
    (making / "reading.json").write_text("{}")
    files = archive.results.flush(making)
    sources = [digest for _, digest in archive.readable(study)]
    with archive.database.write() as connection:
        queue.finish(connection, jobs[-1])
        return archive.results.publish(
            connection,
            making,
            study_uid=study,
            job_id=jobs[-1].id,
            sources=sources,
            files=files,
            revision=jobs[-1].revision,
        )


def test_a_sound_archive_is_well(anywhere: Archive):
    for number in (1, 2):
        anywhere.keep(object_of(number))
    anywhere.keep(received(part10(1, AccessionNumber="7"), 1))
    read(anywhere)
    report = check(anywhere)
    assert report.well
    assert (report.objects, report.readings) == (2, 1)


def test_damage_is_found_no_longer_vouched_for_and_healed_by_the_next_sender(anywhere: Archive):
    for number in (1, 2, 3):
        anywhere.keep(object_of(number))
    place = anywhere.objects.place_of("1.2.3.1")
    place.write_bytes(place.read_bytes()[:-1] + b"\xff")
    anywhere.objects.place_of("1.2.3.2").unlink()
    report = check(anywhere)
    assert (report.damaged, report.missing, report.well) == (("1.2.3.1",), ("1.2.3.2",), False)
    references = [(NM, f"1.2.3.{number}") for number in (1, 2, 3)]
    assert anywhere.holds(references) == [False, False, True]
    assert anywhere.keep(object_of(1, sender="AGAIN")) is Kept.SAME
    assert anywhere.keep(object_of(2)) is Kept.SAME
    assert anywhere.holds(references) == [True, True, True]
    assert check(anywhere).well
    assert anywhere.counts()["object_bytes"] == sum(path.stat().st_size for path in anywhere.objects.files())
    assert list(anywhere.objects.incoming.iterdir()) == []


def test_a_changed_reading_is_found_and_cannot_be_signed(archive: Archive):
    archive.keep(object_of(1))
    reading = read(archive)
    (reading.folder / "reading.json").write_text('{"forged": true}')
    assert check(archive).damaged_readings == (reading.folder.relative_to(archive.results.folder).as_posix(),)
    with pytest.raises(InvalidValue, match="changed"):
        signed(archive)


def test_versions_are_kept_and_a_signature_makes_a_new_one(anywhere: Archive):
    anywhere.keep(object_of(1))
    first = read(anywhere)
    anywhere.keep(object_of(2))
    second = read(anywhere)
    assert [(one.version, one.folder) for one in anywhere.results.of_study("1.9.1")] == [
        (1, first.folder),
        (2, second.folder),
    ]
    third = signed(anywhere, of_version=2)
    assert (third.version, third.signed_by, third.of_version, third.revision) == (3, "Dr. A", 2, second.revision)
    assert [one.signed_by for one in anywhere.results.of_study("1.9.1")] == ["", "", "Dr. A"]
    assert check(anywhere).well


def test_what_killed_workers_left_is_swept_and_nothing_else(archive: Archive):
    archive.keep(object_of(1))
    reading = read(archive)
    archive.keep(object_of(2, study=2))
    queue = Queue(archive.database, lease_s=30, attempts=3)
    queue.settle(0.0)
    job = queue.claim()
    assert job is not None
    living = archive.results.begin("1.9.2", job.id)
    left = archive.results.begin("1.9.1", 77)
    assert archive.results.sweep() == 1
    assert (reading.folder.is_dir(), living.is_dir(), left.is_dir()) == (True, True, False)


def test_what_a_living_worker_signs_is_neither_swept_nor_brought_in_before_it_is_done(archive: Archive):
    """As between the files of a signature and its transaction, whoever looks after the archive then."""
    archive.keep(object_of(1))
    read(archive)
    put_draft(archive)
    ask_to_sign(archive)
    queue = Queue(archive.database, lease_s=30, attempts=3)
    job = queue.claim()
    assert job is not None
    making, laid = render(archive, queue, job)
    first = archive.results.of_study("1.9.1")[0]
    record = json.loads((first.folder / "result.json").read_bytes())
    record |= {"version": 2, "job_id": job.id, "signed_by": "Dr. A"}
    (making / "result.json").write_text(json.dumps(record))
    assert archive.results.sweep() == 0
    assert reindex(archive).readings == 0
    (making / "result.json").unlink()
    publish(archive, queue, job, making, laid)
    assert [one.signed_by for one in archive.results.of_study("1.9.1")] == ["", "Dr. A"]


def test_records_of_readings_made_before_there_were_revisions_are_brought_in(tmp_path: Path):
    with Archive(tmp_path, PLAIN) as archive:
        archive.keep(object_of(1))
        folder = read(archive).folder
    record = json.loads((folder / "result.json").read_bytes())
    for name in ("revision", "of_version", "amends"):
        del record[name]
    (folder / "result.json").write_text(json.dumps(record))
    (folder / "signed.json").write_text('{"signed_by": "Dr. A", "signed_at": "2026-01-01T00:00:00+00:00"}')
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    with Archive(tmp_path, PLAIN) as archive:
        (one,) = archive.results.of_study("1.9.1")
        assert (one.signed_by, one.revision, one.of_version) == ("Dr. A", 0, 0)


def test_a_study_on_which_a_physician_is_at_work_stays(tmp_path: Path):
    rules = (RetentionRule(name="ten years", older_than_days=3653),)
    with Archive(tmp_path, replace(PLAIN, retention=rules)) as archive:
        archive.keep(object_of(1))
        read(archive)
        signed(archive)
        assert [one.kept_because for one in due(archive, LATER)] == [""]
        put_draft(archive)
        assert [one.kept_because for one in due(archive, LATER)] == ["a physician is at work on it"]
        with archive.database.write() as connection:
            connection.execute(draft.delete())
            ask_sending(connection, archive.results.of_study("1.9.1")[-1], "PACS", actor="test")
        assert [one.kept_because for one in due(archive, LATER)] == ["jobs wait"]


def test_the_index_is_made_anew_from_the_files_alone(tmp_path: Path):
    with Archive(tmp_path, PLAIN) as archive:
        for number in (1, 2, 3):
            archive.keep(object_of(number, study=1 + number // 3))
        archive.keep(received(part10(1, AccessionNumber="7"), 1))
        read(archive)
        signed(archive)
        before, readings = archive.counts(), archive.results.of_study("1.9.1")
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    with Archive(tmp_path, PLAIN) as archive:  # it sees for itself that the index is gone
        assert archive.counts() == before
        assert archive.results.of_study("1.9.1") == readings
        assert check(archive).well
        assert len(list(tmp_path.glob("audit.anchors.before-*"))) == 1  # the earlier trail is gone, its anchors are not
        first = audit.entries(archive.database)[0]
        assert first.action == "index.rebuilt"
        assert first.detail["last_anchor"].startswith("8 ")
        queue = Queue(archive.database, lease_s=30, attempts=3)
        queue.settle(0.0)
        assert [job.study_instance_uid for job in queue.jobs()] == ["1.9.2"]  # the other one is read already


def test_unknown_files_are_told_and_brought_in_unless_they_lie_wrong(archive: Archive):
    archive.keep(object_of(1))
    for number, content in ((2, part10(2)), (3, part10(4)), (5, b"no DICOM")):
        place = archive.objects.place_of(f"1.2.3.{number}")
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    assert len(check(archive).unknown) == 3
    done = reindex(archive)
    assert (done.objects, len(done.refused)) == (1, 2)
    assert archive.holds([(NM, "1.2.3.2")]) == [True]
    assert archive.counts()["instance"] == 2


def test_only_what_is_old_read_and_signed_goes(tmp_path: Path, settings: Settings):
    rules = (RetentionRule(name="ten years", older_than_days=3653, modalities=("NM",)),)
    with Archive(tmp_path, replace(settings, retention=rules)) as archive:
        for study, modality in ((1, "NM"), (2, "NM"), (3, "NM"), (4, "CT")):
            archive.keep(object_of(study, study=study, modality=modality))
        kept_folder = read(archive, "1.9.1").folder
        gone_folder = read(archive, "1.9.2").folder
        signed(archive, "1.9.2")
        told = {one.study_instance_uid: one.kept_because for one in due(archive, LATER)}
        assert told == {"1.9.1": "its newest reading is not signed", "1.9.2": "", "1.9.3": "it was not read"}
        assert archive.counts()["study"] == 4  # to say is not to do
        assert due(archive, datetime.now(UTC)) == []
        with pytest.raises(InvalidValue, match="clock"):
            retain(archive, LATER, actor="test")
        with pytest.raises(InvalidValue, match="clock"):
            retain(archive, datetime.now(UTC) - timedelta(days=1), actor="test")
        with archive.objects.still(), pytest.raises(ArchiveUnavailable, match="backup"):
            retain(archive, LATER, actor="test", trust_clock=True)
        assert [one.study_instance_uid for one in retain(archive, LATER, actor="test", trust_clock=True)] == ["1.9.2"]
        assert archive.counts()["study"] == 3
        assert (kept_folder.is_dir(), gone_folder.exists()) == (True, False)
        assert check(archive).well


def test_a_study_that_changes_between_saying_and_doing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rules = (RetentionRule(name="short", older_than_days=1),)
    with Archive(tmp_path, replace(PLAIN, retention=rules)) as archive:
        archive.keep(object_of(1, modality="CT"))
        said = due(archive, LATER)
        archive.keep(object_of(2, modality="NM"))
        monkeypatch.setattr("bonescan.archive.upkeep.due", lambda *_: said)
        assert retain(archive, LATER, actor="test", trust_clock=True) == []
        assert archive.counts()["instance"] == 2


def test_settings_are_read_checked_and_overruled_by_the_environment(tmp_path: Path):
    file = tmp_path / "bonescan.toml"
    assert load_settings(tmp_path, {}) == Settings()
    rule = '[[archive.retention]]\nname = "a"\nolder_than_days = 9\nmodalities = ["CT"]\n'
    file.write_text(f"[archive]\nquota_gib = 5\nattempts = 2\n{rule}")
    found = load_settings(tmp_path, {"BONESCAN_DATABASE": "postgresql://h/d"})
    assert (found.quota_gib, found.attempts, found.database) == (5, 2, "postgresql://h/d")
    assert found.retention == (RetentionRule(name="a", older_than_days=9, modalities=("CT",)),)
    for wrong in (
        "quota = 1",
        "quiet_s = '3'",
        "quiet_s = -1",
        "= 3",
        "[[archive.retention]]\nname = 'a'",
        "quiet_s = true",
        "attempts = inf",
        "attempts = nan",
        "quiet_s = inf",
        f"quiet_s = {'[' * 10_000}",
        "[[archive.retention]]\nname = 'a'\nolder_than_days = 1e300",
        "[[archive.retention]]\nname = 'a'\nolder_than_days = 9\nmodalities = 'NM'",
    ):
        file.write_text(f"[archive]\n{wrong}")
        with pytest.raises(InvalidValue):
            load_settings(tmp_path, {})
    with pytest.raises(InvalidValue, match="SQLite or PostgreSQL"):
        Archive(tmp_path / "x", Settings(database="mysql://h/d"))
    shutil.rmtree(tmp_path / "x")


def test_no_warning_quotes_what_an_object_says(tmp_path: Path):
    # pydicom warns of a leading zero in a UID, with the UID in its words.
    path = tmp_path / "object.dcm"
    path.write_bytes(part10(1).replace(b"UI\x06\x001.9.1\0", b"UI\x06\x001.09.1"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert index_facts(path).attributes["StudyInstanceUID"] == "1.09.1"
    assert [str(one.message) for one in told] == []
