"""Backups made while objects come in, and archives brought back from them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.archive.made import object_of, part10, received
from tests.archive.signed import signed
from tests.archive.test_upkeep import read

from bonescan.archive import audit
from bonescan.archive.backup import back_up, restore
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.upkeep import check
from bonescan.errors import OutputFailed, UnreadableInput

PLAIN = Settings(reserve_gib=0.0)


@pytest.fixture
def filled(archive: Archive) -> Archive:
    for number in range(1, 5):
        archive.keep(object_of(number))
    archive.keep(received(part10(1, AccessionNumber="7"), 1))
    read(archive)
    signed(archive)
    return archive


def test_what_is_restored_is_what_was_backed_up(filled: Archive, tmp_path: Path):
    made = back_up(filled, tmp_path / "backup")
    assert (made.objects, made.readings, made.bad) == (5, 2, ())
    filled.keep(object_of(9))  # later: not in it
    back = restore(tmp_path / "backup", tmp_path / "back")
    assert (back.audit_seq, back.audit_head) == (made.audit_seq, made.audit_head)
    with Archive(tmp_path / "back", PLAIN) as archive:
        assert check(archive).well
        assert archive.counts() | {"object_bytes": 0} == {
            "study": 1, "series": 1, "instance": 4, "conflict": 1, "object_bytes": 0,
        }  # fmt: skip
        assert archive.results.of_study("1.9.1")[-1].signed_by == "Dr. A"
        assert archive.objects.place_of("1.2.3.2").read_bytes() == part10(2)
        archive.keep(object_of(9))  # it goes on as the old one would have
        archive.keep(received(part10(1, AccessionNumber="8"), 1))


def test_a_backup_while_objects_come_in_is_of_one_moment(tmp_path: Path):
    stop = threading.Event()
    with Archive(tmp_path / "archive", PLAIN) as archive:
        archive.keep(object_of(1))

        def send() -> None:
            number = 2
            while not stop.is_set() and number < 500:
                archive.keep(object_of(number))
                number += 1

        sender = threading.Thread(target=send)
        sender.start()
        try:
            made = [back_up(archive, tmp_path / "backup") for _ in range(2)]
        finally:
            stop.set()
            sender.join()
        assert made[1].objects >= made[0].objects >= 1
        assert made[1].copied == made[1].objects - made[0].objects  # what was there is not copied again
    back = restore(tmp_path / "backup", tmp_path / "back")
    with Archive(tmp_path / "back", PLAIN) as archive:
        assert check(archive).well
        assert archive.counts()["instance"] == back.objects == made[1].objects


def test_an_archive_moves_to_postgresql_by_backup_and_restore(
    tmp_path: Path, new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
):
    with Archive(tmp_path / "archive", PLAIN) as archive:
        archive.keep(object_of(1))
        archive.keep(received(part10(1, AccessionNumber="7"), 1))
        read(archive)
        back_up(archive, tmp_path / "backup")
    url = new_database()
    monkeypatch.setenv("BONESCAN_DATABASE", url)
    restore(tmp_path / "backup", tmp_path / "back")
    with Archive(tmp_path / "back", replace(PLAIN, database=url)) as archive:
        assert not archive.database.is_sqlite
        archive.keep(object_of(2))
        archive.keep(received(part10(1, AccessionNumber="8"), 1))
        assert archive.counts()["conflict"] == 2
        report = check(archive)
        assert (report.damaged, report.missing, report.unknown) == ((), (), ())
        assert audit.verify(archive.database, tmp_path / "back").first_bad is None
    with pytest.raises(OutputFailed, match="not empty"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert list((tmp_path / "again").iterdir()) == []


def test_a_damaged_object_is_told_and_not_backed_up(filled: Archive, tmp_path: Path):
    place = filled.objects.place_of("1.2.3.1")
    place.write_bytes(b"x" * place.stat().st_size)
    made = back_up(filled, tmp_path / "backup")
    assert made.bad == (place.relative_to(filled.folder).as_posix(),)
    restore(tmp_path / "backup", tmp_path / "back")
    with Archive(tmp_path / "back", PLAIN) as archive:
        assert check(archive).missing == ("1.2.3.1",)


@pytest.mark.parametrize("what", ["object", "index", "manifest", "reading"])
def test_a_backup_that_is_not_whole_restores_nothing(filled: Archive, tmp_path: Path, what: str):
    backup = tmp_path / "backup"
    back_up(filled, backup)
    if what == "object":
        (backup / "objects").glob("*/*/*.dcm").__next__().write_bytes(b"x")
    elif what == "index":
        (backup / "index.sqlite").write_bytes((backup / "index.sqlite").read_bytes() + b"x")
    elif what == "reading":
        next((backup / "results").rglob("reading.json")).write_text("changed")
    else:
        (backup / "backup.json").unlink()
    with pytest.raises(UnreadableInput):
        restore(backup, tmp_path / "back")
    assert not (tmp_path / "back").exists() or list((tmp_path / "back").iterdir()) == []


def test_nothing_is_mixed_or_overwritten(filled: Archive, tmp_path: Path):
    back_up(filled, tmp_path / "backup")
    with pytest.raises(OutputFailed, match="not empty"):
        restore(tmp_path / "backup", filled.folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputFailed, match="other things"):
        back_up(filled, tmp_path / "other")
    with pytest.raises(OutputFailed, match="within"):
        back_up(filled, filled.folder / "backup")
