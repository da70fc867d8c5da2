"""The index's database: SQLite in the archive's folder, or PostgreSQL by its URL; the same tables and the same rules.

There is one writer at a time, on both: ``BEGIN IMMEDIATE`` in SQLite, an advisory lock for the length of the
transaction in PostgreSQL. A writing transaction lasts about as long as its one flush to disk; what is slow (the
objects' files) is written before it, by all senders at once. So every rule of the archive (first object wins, quota,
the audit's chain, one worker to a job) can be checked and kept within one transaction, without a second thought.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, TimeoutError

from bonescan.errors import ArchiveUnavailable, InvalidValue, QuotaExceeded

__all__ = ["INDEX_NAME", "Database", "utc_now"]

INDEX_NAME = "index.sqlite"
_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITER_LOCK = 0x626F6E65  # "bone": the number both writers of one PostgreSQL database must agree on
_WRITES = {"writes": True}
# A server that is gone without a word is given up after half a minute; libpq's names, in seconds, the last in ms.
_NOT_FOR_EVER = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def utc_now() -> str:
    """The time as the index writes it, in UTC to the microsecond.

    Returns
    -------
    str
    """
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Database:
    """One database, brought to the newest tables when it is opened.

    Parameters
    ----------
    folder : Path
        The archive's, for the SQLite file.
    url : str
        SQLAlchemy's; empty for the SQLite file.

    Raises
    ------
    ArchiveUnavailable
        When the database does not answer or is damaged.
    InvalidValue
        When the URL is not one of SQLite or PostgreSQL, or the tables are of a later version than this program's.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        self._file = None if url else folder / INDEX_NAME
        self.engine = _engine(_understood(url) if url else URL.create("sqlite", database=str(self._file)))
        try:
            with _told_plainly():
                self.new = self._migrate()
        except BaseException:
            self.close()
            raise
        self._inode = self._identity()

    @property
    def is_sqlite(self) -> bool:
        """Whether the index is an SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Look at the index as it is at one moment.

        Yields
        ------
        Connection
        """
        with _told_plainly(), self.engine.connect() as connection, connection.begin():
            self._still_there()
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Change the index, as its only writer, wholly or not at all; durable once this is left.

        Yields
        ------
        Connection
        """
        with _told_plainly(), self.engine.connect().execution_options(**_WRITES) as connection, connection.begin():
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})
            yield connection
            self._still_there()

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _identity(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)
        except OSError:
            return (0, 0)
        return found.st_dev, found.st_ino

    def _still_there(self) -> None:
        """Refuse to write into a file that was removed or exchanged: it would be acknowledged and lost."""
        if self._identity() != self._inode:
            self.engine.dispose()
            raise ArchiveUnavailable(
                "The archive's index was removed or exchanged while it was open; start the archive again: it makes the "
                "index anew from the objects."
            )

    def _migrate(self) -> bool:
        """Bring the tables to the newest version; whether there were none."""
        from alembic import command
        from alembic.config import Config
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        newest = ScriptDirectory.from_config(config).get_current_head()
        self._inode = self._identity()  # made by the first connection
        with self.engine.connect() as connection, connection.begin():
            new = not inspect(connection).has_table("audit")
            current = MigrationContext.configure(connection).get_current_revision()
        if current == newest:
            return new
        self._inode = self._identity()
        with self.write() as connection:
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except Exception as error:
                if isinstance(error, SQLAlchemyError):
                    raise
                raise InvalidValue(
                    "The archive's index was written by a later bonescan; install that one to open it."
                ) from error
        return new


def _understood(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidValue(
            "The archive's database setting is no URL; expected postgresql+psycopg://USER:PASSWORD@HOST/DATABASE."
        ) from error
    if parsed.get_backend_name() not in ("postgresql", "sqlite"):
        raise InvalidValue(
            f"The archive's index can be in SQLite or PostgreSQL, not in {parsed.get_backend_name()}.",
            got=parsed.get_backend_name(),
        )
    return parsed.set(drivername="postgresql+psycopg") if parsed.drivername == "postgresql" else parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, pool_size=8, max_overflow=24, connect_args=dict(_NOT_FOR_EVER))
    engine = create_engine(
        url, connect_args={"timeout": 60.0, "check_same_thread": False}, pool_size=8, max_overflow=24
    )

    @event.listens_for(engine, "connect")
    def _prepared(connection: Any, _: object) -> None:
        connection.isolation_level = None  # sqlite3's own BEGIN would come too late: see "begin" below
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Turn what a database says into the archive's own errors; its own words may hold a password or a patient."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig)
        if "disk is full" in said or "No space left" in said:
            raise QuotaExceeded("The disk of the archive's index is full; make room, then send again.") from error
        if "malformed" in said or "not a database" in said:
            raise ArchiveUnavailable(
                "The archive's index is damaged; take index.sqlite* away, then make it anew from the objects: bonescan "
                "archive reindex FOLDER."
            ) from error
        raise ArchiveUnavailable(
            f"The archive's database does not answer ({type(error.orig).__name__}); what was acknowledged is safe, try "
            "again later."
        ) from error
    except TimeoutError as error:
        raise ArchiveUnavailable("The archive's database is too busy now; try again later.") from error
