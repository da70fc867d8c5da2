"""An index that an earlier bonescan made is brought to today's tables with all that it holds."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

import bonescan.archive
from bonescan.archive.database import Database
from bonescan.archive.settings import Settings


def made_by_an_earlier_version(url: str, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(bonescan.archive.__file__).parent / "migrations"))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(text("INSERT INTO study (\"StudyInstanceUID\", revision) VALUES ('1.9.1', 3), ('1.9.2', 1)"))
        connection.execute(
            text(
                'INSERT INTO job (kind, "StudyInstanceUID", revision, state) '
                "VALUES ('read', '1.9.2', 1, 'done'), ('read', '1.9.1', 3, 'done')"
            )
        )
        connection.execute(
            text(
                'INSERT INTO result ("StudyInstanceUID", version, folder, job_id) '
                "VALUES ('1.9.1', 1, 'a', 2), ('1.9.2', 1, 'b', 99)"
            )
        )
    engine.dispose()


@pytest.mark.parametrize("revision", ["people"])
def test_what_readings_were_made_of_is_taken_over_from_their_jobs(tmp_path: Path, settings: Settings, revision: str):
    url = settings.database or f"sqlite:///{tmp_path / 'index.sqlite'}"
    made_by_an_earlier_version(url, revision)
    with closing(Database(tmp_path, settings.database)) as database, database.read() as connection:
        assert not database.new
        found = connection.execute(text("SELECT folder, revision, of_version, amends FROM result ORDER BY folder"))
        assert [tuple(row) for row in found] == [("a", 3, 0, 0), ("b", 0, 0, 0)]  # of the second nobody knows its job
        assert connection.execute(text("SELECT payload FROM job")).scalars().all() == ["", ""]


@pytest.mark.parametrize("revision", ["rooms"])
def test_signed_studies_are_told_of_anew_and_slices_are_known_by_the_reason(
    tmp_path: Path, settings: Settings, revision: str
):
    url = settings.database or f"sqlite:///{tmp_path / 'index.sqlite'}"
    made_by_an_earlier_version(url, revision)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE result SET signed_by = 'Dr. A' WHERE folder = 'a'"))
        connection.execute(
            text(
                'INSERT INTO told ("StudyInstanceUID", version, folder, bone_findings, urgent) '
                "VALUES ('1.9.1', 1, 'a', 0, false), ('1.9.2', 1, 'b', 0, false)"
            )
        )
        reasons = {
            1: "None of the 2 files is a planar bone scan that can be read; for example: file 1 of 2 holds SPECT "
            "projections, not a planar scan; give the whole-body or static images.",
            2: "The reading process ended by signal 9, as when memory runs out.",
        }
        for number, reason in reasons.items():
            connection.execute(
                text("UPDATE job SET state = 'dead', reason = :reason WHERE id = :id"), {"id": number, "reason": reason}
            )
    engine.dispose()
    with closing(Database(tmp_path, settings.database)) as database, database.read() as connection:
        assert connection.execute(text("SELECT folder, signed_folder FROM told")).all() == [("b", "")]
        said = connection.execute(text("SELECT id, nothing_to_read FROM job ORDER BY id")).all()
        assert [(row.id, bool(row.nothing_to_read)) for row in said] == [(1, True), (2, False)]
