"""The audit trail: whatever is done to it afterwards, `verify` names the first row that suffers."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.archive.made import object_of

from bonescan.archive import audit
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.errors import ArchiveUnavailable

FORGED = "UPDATE audit SET actor = 'NOBODY' WHERE seq = 3"


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Folder of an archive whose trail has rows 1 to 6, of which 5 and 6 came after the anchor."""
    with Archive(tmp_path, Settings(reserve_gib=0.0)) as archive:
        for number in range(1, 5):
            archive.keep(object_of(number))
        audit.anchor(archive.database, tmp_path)
        archive.keep(object_of(5))
        archive.keep(object_of(6))
        archive.database.close()
        archive.close = lambda: None  # type: ignore[method-assign]
    return tmp_path


def tampered(folder: Path, *statements: str) -> audit.AuditState:
    connection = sqlite3.connect(folder / "index.sqlite")
    for what in ("update", "delete"):
        connection.execute(f"DROP TRIGGER audit_no_{what}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    with Archive(folder, Settings(reserve_gib=0.0)) as archive:
        return audit.verify(archive.database, folder)


def rehashed_from(folder: Path, first: int) -> None:
    """Compute the chain anew from a row on, as somebody with time and this file's source would."""
    connection = sqlite3.connect(folder / "index.sqlite")
    connection.row_factory = sqlite3.Row
    previous = connection.execute("SELECT hash FROM audit WHERE seq = ?", (first - 1,)).fetchone()["hash"]
    for row in connection.execute("SELECT * FROM audit WHERE seq >= ? ORDER BY seq", (first,)).fetchall():
        digest = audit._digest({**row, "previous": previous})
        connection.execute("UPDATE audit SET previous = ?, hash = ? WHERE seq = ?", (previous, digest, row["seq"]))
        previous = digest
    connection.commit()
    connection.close()


def test_a_trail_that_nobody_touched_is_whole(trail: Path):
    with Archive(trail, Settings(reserve_gib=0.0)) as archive:
        found = audit.verify(archive.database, trail)
        assert (found.entries, found.anchors, found.first_bad, found.reason) == (6, 1, None, "")
        assert found.head == audit.entries(archive.database)[-1].hash


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        (FORGED, 3),
        ("UPDATE audit SET detail = '{}' WHERE seq = 1", 1),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 6", 6),
        ("DELETE FROM audit WHERE seq = 2", 2),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq > 3", 4),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET hash = previous WHERE seq = 5", 5),
        ("INSERT INTO audit SELECT 9, at, actor, action, subject, detail, previous, hash FROM audit WHERE seq = 6", 7),
    ],
)
def test_a_change_is_found_at_its_row(trail: Path, statement: str, first_bad: int):
    assert tampered(trail, statement).first_bad == first_bad


def test_a_chain_computed_anew_is_shown_by_the_anchor(trail: Path):
    tampered(trail, FORGED)
    rehashed_from(trail, 3)
    with Archive(trail, Settings(reserve_gib=0.0)) as archive:
        found = audit.verify(archive.database, trail)
    assert found.first_bad == 4  # the anchored row: before it nothing can tell
    assert "anchor" in found.reason


def test_the_database_itself_refuses_to_change_the_trail(anywhere: Archive):
    anywhere.keep(object_of(1))
    for statement in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
        with pytest.raises(ArchiveUnavailable), anywhere.database.write() as connection:
            connection.execute(text(statement))
    assert audit.verify(anywhere.database, anywhere.folder).first_bad is None


def test_a_half_written_anchor_does_no_harm(trail: Path):
    with (trail / audit.ANCHORS_NAME).open("ab") as file:
        file.write(b"7 0123")
    with Archive(trail, Settings(reserve_gib=0.0)) as archive:
        audit.anchor(archive.database, trail)
        found = audit.verify(archive.database, trail)
    assert (found.anchors, found.first_bad) == (2, None)


def test_what_is_undone_leaves_no_row_and_no_gap(archive: Archive):
    archive.keep(object_of(1))
    with suppress(ZeroDivisionError), archive.database.write() as connection:
        audit.append(connection, actor="x", action="x", subject="x")
        _ = 1 / 0
    archive.keep(object_of(2))
    assert [entry.seq for entry in audit.entries(archive.database)] == [1, 2]
    assert [entry.seq for entry in audit.entries(archive.database, after=1)] == [2]
    assert audit.verify(archive.database, archive.folder).first_bad is None
