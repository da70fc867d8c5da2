"""The workstation over real sockets: it starts, tells changes as they come, stops, bears with bad callers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2 as httpx
import pytest
from tests.workstation.conftest import CHEAP, PASSWORD, put_reading, put_study, put_whole_body

from bonescan.archive import Archive
from bonescan.errors import ArchiveUnavailable, InvalidValue, UnreadableInput
from bonescan.workstation import HttpSettings, Role, Workstation, load_http_settings, serve
from bonescan.workstation.sessions import csrf_token


def test_from_sign_in_to_counts_and_a_change_over_a_socket(archive: Archive):
    settings = HttpSettings(port=0)
    workstation = Workstation(archive, settings, hasher=CHEAP)
    workstation.rooms.people.add("Ada", Role.PHYSICIAN, PASSWORD, actor="test")
    counts = put_whole_body(archive)
    with serve(archive, settings, workstation=workstation) as served:
        client = httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=60.0)
        token = {"X-CSRF-Token": client.get("/api/v1/session").json()["csrf"]}
        answer = client.post("/api/v1/session", json={"name": "Ada", "password": PASSWORD}, headers=token)
        assert answer.json()["user"] == {"name": "Ada", "role": "physician"}
        assert answer.json()["csrf"] == csrf_token(client.cookies["bonescan_session"])
        views = client.get("/api/v1/studies/1.9.7").json()["views"]
        assert [(one["name"], one["rows"], one["columns"]) for one in views] == [
            ("anterior", 200, 60),
            ("posterior", 200, 60),
        ]
        assert (views[0]["row_spacing_mm"], views[0]["column_spacing_mm"]) == (9.0, 9.5)
        picture = client.get("/api/v1/studies/1.9.7/views/posterior")
        assert picture.content == counts[1].astype("<u2").tobytes()
        said = [picture.headers[name] for name in ("x-rows", "x-columns", "x-dtype", "content-type")]
        assert said == ["200", "60", "uint16", "application/octet-stream"]

        last = client.get("/api/v1/changes").json()["last"]
        put_reading(archive, put_study(archive))
        told: dict[str, str] = {}
        while "reading.made" not in told.values():  # each of these waits for the next change
            found = client.get("/api/v1/changes", params={"after": last}).json()
            assert found["last"] > last
            told |= {one["what"]: one["what"] for one in found["changes"] if one["study_uid"] == "1.9.1"}
            last = found["last"]
        assert client.get("/api/v1/studies", params={"state": "read"}).json()["studies"][0]["study_uid"] == "1.9.1"
        again = client.get("/api/v1/changes", params={"after": 5}).json()["changes"]
        assert [one["what"] for one in again] == ["everything"]  # a number of before

        waiting = threading.Thread(target=lambda: client.get("/api/v1/changes", params={"after": last}))
        waiting.start()
    waiting.join(timeout=60)  # a stop lets go of those who wait
    assert not waiting.is_alive()


def test_whoever_leaves_while_waiting_takes_no_place(archive: Archive, monkeypatch):
    """Without that, 256 polls whose callers have gone refuse everybody for as long as they would have waited."""
    monkeypatch.setattr("bonescan.workstation.serving._MOST_CONNECTIONS", 8)
    settings = HttpSettings(port=0)
    workstation = Workstation(archive, settings, hasher=CHEAP)
    ada = workstation.rooms.people.add("Ada", Role.PHYSICIAN, PASSWORD, actor="test")
    cookie = f"Cookie: bonescan_session={workstation.rooms.sessions.begin(ada)}"
    changes = workstation.rooms.changes
    with serve(archive, settings, workstation=workstation) as served:
        head = f"GET /api/v1/changes?wait_s=30&after={changes.last} HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n\r\n"
        for _ in range(6):
            with socket.create_connection(("127.0.0.1", served.port)) as waiting:
                waiting.sendall(head.encode())
                _until(lambda: len(changes._waiting) == 1)
            _until(lambda: not changes._waiting)
        assert httpx.get(f"http://127.0.0.1:{served.port}/health", timeout=60.0).status_code == 200


def _until(true: Callable[[], bool]) -> None:
    for _ in range(1000):  # ten seconds, a third of what a wait without its caller would take
        if true():
            return
        time.sleep(0.01)
    pytest.fail("it did not come")


def test_a_head_that_does_not_come_is_not_waited_for(archive: Archive, monkeypatch):
    monkeypatch.setattr("bonescan.workstation.serving._HEAD_S", 0.2)
    with serve(archive, HttpSettings(port=0)) as served, socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.settimeout(60.0)
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert slow.recv(1) == b""  # closed without an answer


def test_one_address_cannot_take_every_connection(archive: Archive):
    settings = HttpSettings(port=0, connections_per_address=3)
    with serve(archive, settings) as served:
        many = [_connected(served.port) for _ in range(3)]
        _until(lambda: _answers(many[0]))
        fourth = _connected(served.port)
        _until(lambda: _is_closed(fourth))
        assert _answers(_connected(served.port, "127.0.0.2"))  # another one is served meanwhile
        many.pop().close()
        _until(lambda: _answers(_connected(served.port)))
    with serve(archive, HttpSettings(port=0, connections_per_address=1, proxies=("127.0.0.1",))) as behind:
        assert all(_answers(_connected(behind.port)) for _ in range(4))  # a proxy brings everybody


def _connected(port: int, source: str = "127.0.0.1") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
    made.settimeout(10.0)
    return made


def _answers(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection.recv(65536).startswith(b"HTTP/1.1 404")
    except OSError:
        return False


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_port_that_is_taken_is_told_plainly(archive: Archive):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ArchiveUnavailable, match="--http-port"), serve(archive, HttpSettings(port=port)):
            pass


def test_passwords_do_not_travel_unencrypted():
    with pytest.raises(InvalidValue, match="unencrypted"):
        HttpSettings(host="0.0.0.0")
    assert HttpSettings(host="0.0.0.0", proxies=("10.0.0.1",)).port == 8080
    assert HttpSettings(host="0.0.0.0", certificate=Path("c"), key=Path("k")).encrypted


def test_a_certificate_that_is_none_stops_the_start(archive: Archive, tmp_path: Path):
    (tmp_path / "c.pem").write_text("none", encoding="utf-8")
    settings = HttpSettings(port=0, certificate=tmp_path / "c.pem", key=tmp_path / "c.pem")
    with pytest.raises(UnreadableInput, match="PEM"), serve(archive, settings):
        pass


def test_settings_come_from_the_table_http(tmp_path: Path):
    path = tmp_path / "bonescan.toml"
    assert load_http_settings(path) == HttpSettings()
    path.write_text(
        '[http]\nhost = "::1"\nport = 8443\nnames = ["Scan.example"]\nidle_min = 5\n'
        '[http.tls]\ncertificate = "c"\nkey = "k"\n'
    )
    found = load_http_settings(path)
    assert (found.host, found.port, found.idle_min, found.certificate) == ("::1", 8443, 5.0, tmp_path / "c")
    assert {"scan.example", "localhost", "127.0.0.1", "::1"} == found.hosts
    for wrong in (
        "prot = 1",
        'port = "1"',
        "port = 70000",
        "names = [1]",
        "port = true",
        'metrics_token = "short"',
        "tls = 1",
    ):
        path.write_text(f"[http]\n{wrong}\n", encoding="utf-8")
        with pytest.raises(InvalidValue):
            load_http_settings(path)
    path.write_text("[http", encoding="utf-8")
    with pytest.raises(UnreadableInput):
        load_http_settings(path)
