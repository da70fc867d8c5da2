"""Keeping, finding and giving out objects."""

from __future__ import annotations

import errno
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import ImplicitVRLittleEndian
from tests.archive.made import NM, object_of, part10, received

from bonescan.archive import audit
from bonescan.archive.processes import this_process
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.upkeep import check
from bonescan.dicom.node import Kept, Level, Shelf
from bonescan.errors import ArchiveUnavailable, InvalidValue, QuotaExceeded, UnreadableInput

GIB = 2**30


def files_of(archive: Archive) -> list[str]:
    return [path.name for path in archive.objects.files()]


def nothing_left_over(archive: Archive) -> bool:
    return list(archive.objects.incoming.iterdir()) == []


def test_an_object_is_kept_as_it_came_and_found_again(anywhere: Archive):
    shelf: Shelf = anywhere
    content = part10(1)
    assert shelf.keep(received(content, 1)) is Kept.NEW
    (stored,) = shelf.paths({"SOPInstanceUID": ["1.2.3.1"]})
    assert stored.path.read_bytes() == content
    assert (stored.sop_class_uid, stored.study_instance_uid, stored.size_bytes) == (NM, "1.9.1", len(content))
    assert shelf.holds([(NM, "1.2.3.1"), (NM, "1.2.3.2"), ("1.2", "1.2.3.1")]) == [True, False, False]
    assert nothing_left_over(anywhere)


def test_a_spooled_file_is_left_to_its_writer(archive: Archive, tmp_path: Path):
    spooled = tmp_path / "spooled"
    spooled.write_bytes(part10(1))
    assert archive.keep(received(spooled, 1)) is Kept.NEW
    assert spooled.read_bytes() == part10(1)


def test_a_file_of_the_archives_own_spool_is_not_written_twice_and_a_strangers_is_copied(tmp_path: Path):
    with Archive(tmp_path / "archive", Settings(reserve_gib=0.0)) as archive:
        own, strange = archive.folder / "spool" / "receiving-1", tmp_path / "strange"
        own.parent.mkdir()
        for number, file in ((1, own), (2, strange)):
            file.write_bytes(part10(number))
            assert archive.keep(received(file, number)) is Kept.NEW
        kept = [archive.objects.place_of(f"1.2.3.{number}").stat() for number in (1, 2)]
        assert kept[0].st_ino == own.stat().st_ino or os.name == "nt"
        assert kept[1].st_ino != strange.stat().st_ino  # whose owner may write into it again
        own.unlink()
        assert archive.objects.place_of("1.2.3.1").read_bytes() == part10(1)
        assert nothing_left_over(archive)


def test_the_same_object_again_is_the_same_whoever_wrote_its_file_meta(anywhere: Archive):
    anywhere.keep(object_of(1))
    assert anywhere.keep(object_of(1)) is Kept.SAME
    assert anywhere.keep(object_of(1, sender="OTHER")) is Kept.SAME
    assert anywhere.counts()["instance"] == 1
    assert anywhere.counts()["conflict"] == 0


def test_four_senders_of_one_object_at_once(anywhere: Archive):
    with ThreadPoolExecutor(4) as senders:
        for number in range(1, 6):
            kept = list(senders.map(lambda sender, n=number: anywhere.keep(object_of(n, sender=sender)), "ABCD"))
            assert sorted(kept) == [Kept.NEW, Kept.SAME, Kept.SAME, Kept.SAME]
    assert anywhere.counts() | {"object_bytes": 0} == {
        "study": 1, "series": 1, "instance": 5, "conflict": 0, "object_bytes": 0,
    }  # fmt: skip
    assert anywhere.counts()["object_bytes"] == sum(path.stat().st_size for path in anywhere.objects.files())
    assert nothing_left_over(anywhere)


def test_other_bytes_under_a_uid_are_set_aside_and_nothing_is_lost(archive: Archive):
    first, second = part10(1), part10(1, PatientID="SOMEBODY-ELSE")
    archive.keep(received(first, 1))
    assert archive.keep(received(second, 1)) is Kept.CONFLICT
    assert archive.keep(received(second, 1)) is Kept.CONFLICT
    (stored,) = archive.paths({"SOPInstanceUID": ["1.2.3.1"]})
    assert stored.path.read_bytes() == first
    assert [path.read_bytes() for path in archive.objects.conflicts.iterdir()] == [second]
    assert archive.counts()["conflict"] == 1
    assert archive.counts()["object_bytes"] == len(first) + len(second)


def test_two_different_objects_of_one_uid_at_once(anywhere: Archive):
    contents = [part10(1, AccessionNumber=str(k)) for k in range(4)]
    with ThreadPoolExecutor(4) as senders:
        kept = list(senders.map(lambda content: anywhere.keep(received(content, 1)), contents))
    # "same" where another sender, who found it in its place, has told the index of the first one before its own did
    assert sorted(kept) in ([Kept.CONFLICT] * 3 + [one] for one in (Kept.NEW, Kept.SAME))
    held = [path.read_bytes() for path in [*anywhere.objects.files(), *anywhere.objects.conflicts.iterdir()]]
    assert sorted(held) == sorted(contents)


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "/etc/passwd", "..", "a\0b", "1" * 3000, "CON", "\udc80"])
def test_no_uid_leads_out_of_the_store(tmp_path: Path, uid: str):
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        place = archive.objects.place_of(uid)
        assert place.resolve().is_relative_to((tmp_path / "objects").resolve())
        assert len(place.name) == 68  # 64 hexadecimal digits and the ending


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", UnreadableInput),
        (b"not DICOM", UnreadableInput),
        (part10(1)[:300], UnreadableInput),
        (part10(1, StudyInstanceUID=""), UnreadableInput),
        (part10(1, SOPInstanceUID="../../x"), UnreadableInput),
        (part10(2), InvalidValue),
    ],
    ids=["empty", "text", "cut", "no study", "path as UID", "another UID than announced"],
)
def test_what_is_no_object_is_refused_and_leaves_nothing(tmp_path: Path, content: bytes, error: type[Exception]):
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        with pytest.raises(error):
            archive.keep(received(content, 1))
        assert files_of(archive) == []
        assert nothing_left_over(archive)
        assert archive.counts()["instance"] == 0


def test_a_full_quota_refuses_and_takes_again_once_there_is_room(tmp_path: Path, settings: Settings):
    room_for_two = 2.5 * len(part10(1)) / GIB
    with Archive(tmp_path, replace(settings, quota_gib=room_for_two)) as archive:
        archive.keep(object_of(1, study=1))
        archive.keep(object_of(2, study=2))
        with pytest.raises(QuotaExceeded, match="quota"):
            archive.keep(object_of(3, study=3))
        with pytest.raises(QuotaExceeded):  # the sum is held in the transaction too
            archive._bring_in(archive.objects.spool(part10(3)), _facts(tmp_path, part10(3)), "CAM", "2026")
        assert archive.counts()["instance"] == len(files_of(archive)) == 2
        archive.delete_study("1.9.1", actor="test", why="room")
        assert archive.keep(object_of(3, study=3)) is Kept.NEW


def _facts(folder: Path, content: bytes):
    from bonescan.dicom.indexing import index_facts

    (folder / "x").write_bytes(content)
    return index_facts(folder / "x")


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_disk_that_fills_up_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        archive.keep(object_of(1))
        with monkeypatch.context() as patched:
            patched.setattr(f"bonescan.archive.objects.os.{step}", full)
            with pytest.raises(QuotaExceeded, match="disk is full"):
                archive.keep(object_of(2))
        assert len(files_of(archive)) == 1
        assert nothing_left_over(archive)
        assert archive.keep(object_of(2)) is Kept.NEW


def test_a_disk_with_less_than_the_reserve_is_full_beforehand(tmp_path: Path):
    with Archive(tmp_path, Settings(reserve_gib=1e9)) as archive, pytest.raises(QuotaExceeded, match="GiB left"):
        archive.keep(object_of(1))


def test_an_index_that_cannot_be_written_acknowledges_nothing_and_recovers(tmp_path: Path):
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        archive.keep(object_of(1))
        other = sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)
        other.execute("CREATE TRIGGER broken BEFORE INSERT ON instance BEGIN SELECT RAISE(ABORT, 'broken'); END")
        with pytest.raises(ArchiveUnavailable):
            archive.keep(object_of(2))
        other.execute("DROP TRIGGER broken")
        other.close()
        assert archive.counts()["instance"] == 1
        assert archive.recover() == 1  # its object was whole and in place: only the index had to learn of it
        assert archive.holds([(NM, "1.2.3.2")]) == [True]
        assert nothing_left_over(archive)


def test_an_index_that_is_taken_away_is_noticed_and_made_anew(tmp_path: Path):
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        archive.keep(object_of(1))
        for path in tmp_path.glob("index.sqlite*"):
            path.unlink()
        with pytest.raises(ArchiveUnavailable, match="removed"):
            archive.keep(object_of(2))
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        assert archive.holds([(NM, "1.2.3.1"), (NM, "1.2.3.2")])[0]


def test_a_database_that_does_not_answer_is_said_in_one_sentence(tmp_path: Path):
    nobody = "postgresql+psycopg://bonescan:secret@127.0.0.1:9/none"
    with pytest.raises(ArchiveUnavailable) as refusal:
        Archive(tmp_path, Settings(database=nobody))
    assert "secret" not in str(refusal.value)


def test_deleting_takes_everything_of_the_study_but_the_audit_trail(anywhere: Archive):
    anywhere.keep(object_of(1, study=1))
    anywhere.keep(received(part10(1, study=1, AccessionNumber="7"), 1))
    anywhere.keep(object_of(2, study=2))
    assert anywhere.delete_study("1.9.1", actor="Dr. A", why="asked for") == 1
    assert anywhere.delete_study("1.9.1", actor="Dr. A", why="asked for") == 0
    assert anywhere.counts()["instance"] == len(files_of(anywhere)) == 1
    assert list(anywhere.objects.conflicts.iterdir()) == []
    assert anywhere.counts()["object_bytes"] == len(part10(2, study=2))
    actions = [entry.action for entry in audit.entries(anywhere.database)]
    assert actions == ["object.received", "object.conflict", "object.received", "object.deleted", "study.deleted"]
    assert anywhere.keep(object_of(1, study=1)) is Kept.NEW  # it may come back


def test_an_object_that_comes_back_while_its_file_is_being_deleted_stays(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    archive.keep(object_of(1))
    with monkeypatch.context() as patched:
        patched.setattr(Archive, "_finish_deletions", lambda self: None)  # killed between index and files
        archive.delete_study("1.9.1", actor="test", why="test")
    assert archive.keep(object_of(1)) is Kept.NEW
    archive.recover()
    assert archive.holds([(NM, "1.2.3.1")]) == [True]


def test_another_persons_object_in_a_study_is_told_in_the_audit_trail(archive: Archive):
    archive.keep(object_of(1, study=1))
    archive.keep(received(part10(2, study=1, PatientID="SOMEBODY-ELSE"), 2))
    assert "study.two_patients" in [entry.action for entry in audit.entries(archive.database)]


QUERIES = [
    (Level.STUDY, {}, {"1.9.1", "1.9.2"}),
    (Level.STUDY, {"PatientName": "doe^jane*"}, {"1.9.1", "1.9.2"}),
    (Level.STUDY, {"PatientName": "DOE^JANE^1"}, {"1.9.1"}),
    (Level.STUDY, {"PatientName": "*^J?ne^2"}, {"1.9.2"}),
    (Level.STUDY, {"PatientName": "Doe"}, set()),
    (Level.STUDY, {"PatientID": "ID-_"}, set()),
    (Level.STUDY, {"PatientID": "ID-%"}, set()),
    (Level.STUDY, {"PatientID": "id-1"}, set()),
    (Level.STUDY, {"PatientID": "ID-?"}, {"1.9.1", "1.9.2"}),
    (Level.STUDY, {"StudyInstanceUID": "1.9.1\\1.9.7"}, {"1.9.1"}),
    (Level.STUDY, {"StudyInstanceUID": "1.9.*"}, set()),
    (Level.STUDY, {"StudyDate": "20260704"}, {"1.9.1"}),
    (Level.STUDY, {"StudyDate": "20260705-"}, {"1.9.2"}),
    (Level.STUDY, {"StudyDate": "-20260704"}, {"1.9.1"}),
    (Level.STUDY, {"StudyDate": "20260701-20260731"}, {"1.9.1"}),
    (Level.STUDY, {"StudyTime": "0910-0920"}, {"1.9.1", "1.9.2"}),
    (Level.STUDY, {"StudyTime": "091501-"}, set()),
    (Level.STUDY, {"ModalitiesInStudy": "CT"}, {"1.9.2"}),
    (Level.STUDY, {"ModalitiesInStudy": "CT\\NM"}, {"1.9.1", "1.9.2"}),
    (Level.STUDY, {"StudyDescription": "müller*"}, set()),
    (Level.STUDY, {"StudyDescription": "Müller*"}, {"1.9.2"}),
    (Level.STUDY, {"NotIndexed": "x"}, {"1.9.1", "1.9.2"}),
]


@pytest.mark.parametrize("postgres", [False, True], ids=["sqlite", "postgresql"])
def test_queries_find_what_the_standard_says(tmp_path: Path, postgres: bool, request: pytest.FixtureRequest):
    url = request.getfixturevalue("new_database")() if postgres else ""
    with Archive(tmp_path, Settings(reserve_gib=0.0, database=url)) as archive:
        archive.keep(object_of(1, study=1))
        archive.keep(object_of(2, study=1, series=2))
        other = {"StudyDate": "2026.11.23", "StudyDescription": "Müller test", "SpecificCharacterSet": "ISO_IR 192"}
        archive.keep(object_of(3, study=2, modality="CT", **other))
        for level, keys, expected in QUERIES:
            assert {found["StudyInstanceUID"] for found in archive.match(level, keys)} == expected, keys
        (first,) = archive.match(Level.STUDY, {"StudyInstanceUID": "1.9.1"})
        assert (first["NumberOfStudyRelatedSeries"], first["NumberOfStudyRelatedInstances"]) == ("2", "2")
        assert first["ModalitiesInStudy"] == "NM"
        series = list(archive.match(Level.SERIES, {"StudyInstanceUID": "1.9.1"}))
        assert [one["SeriesInstanceUID"] for one in series] == ["1.9.1.1", "1.9.1.2"]
        assert [one["NumberOfSeriesRelatedInstances"] for one in series] == ["1", "1"]
        (image,) = archive.match(Level.IMAGE, {"SeriesInstanceUID": "1.9.1.2"})
        assert (image["SOPInstanceUID"], image["PatientID"], image["Rows"]) == ("1.2.3.2", "ID-1", "10")
        people = {one["PatientID"]: one for one in archive.match(Level.PATIENT, {"PatientName": "Doe*"})}
        assert people["ID-1"]["NumberOfPatientRelatedInstances"] == "2"
        assert len(list(archive.paths({"PatientID": ["ID-1", "ID-2"]}))) == 3
        assert len(list(archive.paths({"StudyInstanceUID": ["1.9.1"], "SeriesInstanceUID": ["1.9.1.2"]}))) == 1
        assert list(archive.paths({})) == []
        with pytest.raises(InvalidValue):
            list(archive.paths({"Modality": ["NM"]}))


def test_a_part_of_the_matches_is_read_without_the_rest(anywhere: Archive, monkeypatch: pytest.MonkeyPatch):
    """On both databases, two rows at a time; what is left unread does not keep the next writer out."""
    monkeypatch.setattr("bonescan.archive.shelf._ROWS_AT_ONCE", 2)
    for number in range(1, 7):
        anywhere.keep(object_of(number))
    parts = [
        [one["SOPInstanceUID"] for one in anywhere.match(Level.IMAGE, {}, offset=offset, most=most)]
        for offset, most in ((0, 3), (3, 2), (5, 9), (9, 1), (0, 0))
    ]
    assert parts == [["1.2.3.1", "1.2.3.2", "1.2.3.3"], ["1.2.3.4", "1.2.3.5"], ["1.2.3.6"], [], []]
    assert anywhere.keep(object_of(7)) is Kept.NEW


@pytest.mark.parametrize("left", [b"", b"not DICOM", part10(7)], ids=["empty", "text", "another object"])
def test_what_lies_wrongly_in_an_objects_place_gives_way(archive: Archive, left: bytes):
    place = archive.objects.place_of("1.2.3.1")
    place.parent.mkdir(parents=True)
    place.write_bytes(left)
    assert archive.keep(object_of(1)) is Kept.NEW
    assert place.read_bytes() == part10(1)


def test_what_a_killed_sender_left_in_place_is_the_first_object(archive: Archive):
    place = archive.objects.place_of("1.2.3.1")
    place.parent.mkdir(parents=True)
    place.write_bytes(part10(1, AccessionNumber="7"))
    assert archive.keep(object_of(1)) is Kept.CONFLICT
    assert place.read_bytes() == part10(1, AccessionNumber="7")
    assert [path.read_bytes() for path in archive.objects.conflicts.iterdir()] == [part10(1)]
    assert check(archive).well


def test_a_file_that_went_missing_comes_back_with_the_next_sender(archive: Archive):
    archive.keep(object_of(1))
    archive.objects.place_of("1.2.3.1").unlink()
    assert archive.keep(object_of(1, sender="OTHER")) is Kept.SAME
    assert check(archive).well


def test_another_transfer_syntax_is_another_object(archive: Archive):
    archive.keep(object_of(1))
    assert archive.keep(object_of(1, syntax=ImplicitVRLittleEndian)) is Kept.CONFLICT


def test_a_process_sees_what_another_kept(tmp_path: Path):
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as one, Archive(tmp_path, Settings(reserve_gib=0.0)) as other:
        one.keep(object_of(1))
        assert other.holds([(NM, "1.2.3.1")]) == [True]
        assert other.keep(object_of(1)) is Kept.SAME


def test_stale_parts_are_swept_and_fresh_ones_are_not(tmp_path: Path):
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        elsewhere = "0123456789ab-1-1-"
        fresh, stale = (archive.objects.incoming / f"{elsewhere}{letter}.part" for letter in "ab")
        gone = archive.objects.incoming / f"{this_process()}0-c.part"  # our number, but another beginning
        for part in (fresh, stale, gone):
            part.touch()
        os.utime(stale, (0, 0))
        archive.recover()
        assert list(archive.objects.parts()) == [fresh]
