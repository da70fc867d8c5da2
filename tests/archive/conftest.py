"""An archive for every test: in SQLite, and in PostgreSQL where its server is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive


def _programs() -> Path | None:
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, os.get_exec_path())]
    return next((place for place in places if (place / "initdb").is_file() and (place / "postgres").is_file()), None)


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL of our own on loopback: its URL without a database's name, and how it is told to stop and start."""

    url: str
    control: Callable[[str], subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="session")
def postgresql(postgresql_server: Server) -> str:
    """URL of the server, without its database's name."""
    return postgresql_server.url


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server; it ends with the tests."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    user = None
    if os.getuid() == 0:  # the server refuses to run as root
        try:
            user = pwd.getpwnam("postgres").pw_name
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    folder = tmp_path_factory.mktemp("postgresql")
    home = Path(tempfile.gettempdir() if user else folder) / f"bonescan-pg-{uuid.uuid4().hex[:8]}"
    home.mkdir()
    if user:
        shutil.chown(home, user)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    subprocess.run(
        [programs / "initdb", "-D", home / "data", "-U", "bonescan", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        check=True, capture_output=True, user=user, cwd=home,
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    words = [programs / "pg_ctl", "-D", home / "data", "-w", "-m", "immediate", "-o", options, "-l", home / "log"]

    def control(what: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([*words, what], capture_output=True, user=user, cwd=home)

    assert control("start").returncode == 0
    try:
        yield Server(f"postgresql+psycopg://bonescan@127.0.0.1:{port}", control)
    finally:
        control("stop")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def new_database(postgresql: str) -> Callable[[], str]:
    """Makes an empty schema, which is to the archive a database of its own, and gives its URL."""
    import psycopg

    def make() -> str:
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(f"{postgresql.replace('+psycopg', '')}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{postgresql}/postgres?options=-csearch_path%3D{name}"

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Settings:
    if request.param == "sqlite":
        return Settings(reserve_gib=0.0)
    return Settings(reserve_gib=0.0, database=request.getfixturevalue("new_database")())


@pytest.fixture
def anywhere(tmp_path: Path, settings: Settings) -> Iterator[Archive]:
    """An archive on each kind of database."""
    with Archive(tmp_path / "archive", settings) as opened:
        yield opened


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive on SQLite, for what does not depend on the database."""
    with Archive(tmp_path / "archive", Settings(reserve_gib=0.0)) as opened:
        yield opened
