"""What hostile callers send to DICOMweb: each test is a line of the threat table in docs/rooms/workstation.md."""

from __future__ import annotations

import asyncio
import re
import struct
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from tests.archive.made import object_of, part10
from tests.workstation.test_dicomweb import MULTIPART, machine, parts_of, stow, token  # noqa: F401  # fixtures
from tests.workstation.test_threats import routes

from bonescan.archive import Archive, audit
from bonescan.dicom.node.settings import Limits, NodeSettings
from bonescan.workstation import Role, Workstation

OBJECT = "/dicomweb/studies/1.9.1/series/1.9.1.1/instances/1.2.3.1"


@pytest.fixture
def nothing_left(archive: Archive) -> Iterator[None]:
    """Whatever was sent: no part stays in the spool, and every object is whole."""
    yield
    spool = archive.folder / "spool"
    assert not spool.exists() or list(spool.iterdir()) == []
    assert list(archive.objects.parts()) == []
    for one in archive.paths({"StudyInstanceUID": ["1.9.1", "1.9.2"]}):
        assert one.path.stat().st_size == one.size_bytes


def test_nobody_passes_dicomweb_without_the_right(browser, workstation, archive):
    """No sign-in, a wrong token, a researcher's token or sign-in: on every one of its routes."""
    archive.keep(object_of(1))
    _, researcher = workstation.rooms.tokens.add("Research", Role.RESEARCHER, actor="Ada")
    paths = {(method, route.path) for method, route in routes(workstation) if route.path.startswith("/dicomweb")}
    assert len(paths) == 18
    someone, scholar = browser(), browser("researcher")
    for method, path in paths:
        place = path.format_map(Place())
        for asking, headers, status in (
            (someone, {}, 403 if method == "POST" else 401),
            (someone, {"Authorization": "Bearer wrong"}, (401, 429)),
            (someone, {"Authorization": f"Bearer {researcher}"}, 403),
            (scholar, {}, 403),
        ):
            answer = asking.request(method, place, headers=headers, content=b"" if method == "POST" else None)
            assert answer.status_code in (status if isinstance(status, tuple) else (status,)), (method, path)
            assert b"Doe" not in answer.content


def test_queries_of_many_values_are_answered_or_refused(browser, archive):
    """Conditions deeper than a database takes, and more to compare than one attribute may have."""
    archive.keep(object_of(1))
    someone = browser("technologist")
    for keyword, values, status, found in (
        ("StudyInstanceUID", ",".join(["1.9.1", *(f"1.{k}" for k in range(600))]), 200, 1),
        ("PatientName", "\\".join(["Doe*", *(f"{k:x}" for k in range(300))]), 200, 1),
        ("StudyDate", "\\".join(["1-", *(f"{k}" for k in range(200, 450))]), 200, 1),
        ("PatientName", "*a" * 513, 400, 0),
    ):
        answer = someone.get("/dicomweb/studies", params={keyword: values})
        assert answer.status_code == status, (keyword, answer.text)
        assert status != 200 or len(answer.json()) == found, keyword


class Place(dict):
    def __missing__(self, name: str) -> str:
        known = {"uid": "1.9.1", "series": "1.9.1.1", "instance": "1.2.3.1", "frames": "1", "tag": "00100010"}
        return known[name]


def test_a_forged_request_stores_nothing(browser, archive):
    """A cookie alone is not enough; with the token that only our pages know it is."""
    someone = browser("technologist")
    csrf, someone.csrf = someone.csrf, ""
    assert stow(someone, parts_of(part10(1))).status_code == 403
    assert archive.counts()["instance"] == 0
    assert stow(someone, parts_of(part10(1)), **{"X-CSRF-Token": csrf}).status_code == 200


def asked(workstation: Workstation, receive, *headers: tuple[bytes, bytes]) -> list[dict]:
    """One STOW request as a server hands it over."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/dicomweb/studies", "raw_path": b"/dicomweb/studies", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", MULTIPART.encode()), *headers],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    asyncio.run(workstation.app(scope, receive, send))
    return sent


def test_the_right_is_asked_before_the_first_byte(workstation):
    """Who waits for leave (Expect) is refused unread; of who sends at once, a MiB is passed over, and no more."""
    read = []

    async def endless() -> dict:
        read.append(100_000)
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    refused = asked(workstation, endless, (b"authorization", b"Bearer wrong"), (b"expect", b"100-continue"))
    assert (refused[0]["status"], read) == (401, [])
    assert (b"connection", b"close") in refused[0]["headers"]
    assert asked(workstation, endless, (b"authorization", b"Bearer wrong"))[0]["status"] == 401
    assert sum(read) < 1_300_000


def test_slow_and_broken_off_senders_are_let_go(workstation, archive, token, nothing_left, monkeypatch):  # noqa: F811
    monkeypatch.setattr("bonescan.workstation.guard._LONGEST_PASSING_S", 0.05)
    object.__setattr__(workstation.rooms, "node", NodeSettings(limits=Limits(idle_s=0.05, spool_above_bytes=10)))
    shown = (b"authorization", f"Bearer {token}".encode())
    begun = parts_of(part10(1), part10(2))[:-300]

    def sends(*messages: dict, then: float):
        left = list(messages)

        async def receive() -> dict:
            if left:
                return left.pop(0)
            await asyncio.sleep(then)
            return {"type": "http.disconnect"}

        return receive

    first = {"type": "http.request", "body": begun, "more_body": True}
    assert asked(workstation, sends(first, then=5), shown)[0]["status"] == 408
    assert asked(workstation, sends(first, then=0), shown)[0]["status"] == 400
    assert archive.counts()["instance"] == 0  # a MiB is gathered before it is looked at: nothing was whole yet


def test_a_body_without_an_end_is_not_whole(machine, archive, nothing_left):  # noqa: F811
    """What came whole before stays and is said; what was cut off is nowhere."""
    answer = stow(machine, parts_of(part10(1), part10(2))[:-50])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "body")
    assert "1 object(s) that came before are stored" in answer.json()["error"]["message"]
    assert archive.counts()["instance"] == 1
    for body in (b"", b"--XX", b"--XX--", b"\r\n", b"garbage", b"--XX\r\n\r\n" + part10(2), b"--YY\r\n\r\nx\r\n--YY--"):
        assert stow(machine, body).status_code == 400, body


def test_headers_of_a_part_are_few_and_short(workstation, archive, token, nothing_left):  # noqa: F811
    """A million header lines, a name and a value without an end: refused within some MiB, and nothing gathered."""
    for block in (b"A: b\r\n" * 20_000, b"A" * 100_000, b"A: " + b"b" * 100_000):
        read = []

        async def endless(block: bytes = block, read: list[int] = read) -> dict:
            body = block if read else b"--XX\r\n" + block
            read.append(len(body))
            return {"type": "http.request", "body": body, "more_body": True}

        refused = asked(workstation, endless, (b"authorization", f"Bearer {token}".encode()))
        assert refused[0]["status"] == 400, block[:10]
        assert sum(read) < 3 * 2**20  # one MiB is gathered, one passed over


def test_parts_are_counted(machine, archive, nothing_left, monkeypatch):  # noqa: F811
    """Ten thousand empty parts are answered one by one; more are refused. Here 20 for ten thousand."""
    monkeypatch.setattr("bonescan.workstation.dicomweb_storing.MOST_PARTS", 20)
    answer = stow(machine, parts_of(*[b""] * 20))
    assert (answer.status_code, len(answer.json()["0008119A"]["Value"])) == (409, 20)
    answer = stow(machine, parts_of(*[b""] * 21))
    assert (answer.status_code, "20 parts" in answer.json()["error"]["message"]) == (400, True)


def test_parts_within_parts_are_one_part(machine, archive, nothing_left):  # noqa: F811
    inner = parts_of(part10(1), boundary="YY")
    nested = parts_of(inner, head=b'Content-Type: multipart/related; type="application/dicom"; boundary=YY')
    for body in (nested, parts_of(inner), parts_of(part10(1), head=b"Content-Type: text/html")):
        answer = stow(machine, body)
        assert (answer.status_code, answer.json()["0008119A"]["Value"][0]["00081197"]["Value"]) == (409, [0xC000])
    assert archive.counts()["instance"] == 0


def test_only_multipart_of_objects_with_a_sound_boundary_is_read(machine, archive):  # noqa: F811
    kind = 'multipart/related; type="application/dicom"'
    for said in (
        "",
        "text/plain",
        "application/dicom",
        "multipart/form-data; boundary=XX",
        "multipart/related; boundary=XX",
        'multipart/related; type="application/dicom+json"; boundary=XX',
        kind,
        f'{kind}; boundary=""',
        f'{kind}; boundary="{"X" * 71}"',
        f'{kind}; boundary="X{{}}"',
    ):
        assert stow(machine, parts_of(part10(1)), **{"Content-Type": said}).status_code == 415, said
    assert archive.counts()["instance"] == 0


def test_boundaries_that_look_alike_do_not_split_an_object(machine, archive, nothing_left):  # noqa: F811
    """Pixels that begin like a boundary stay pixels; a quoted one with odd signs is taken as it is."""
    tricky = part10(1, PixelData=b"\r\n--X\r\n--X\r\n\r\n--X-\r\n\r--XX\n--XX--".ljust(200, b"\r"))
    assert stow(machine, parts_of(tricky)).status_code == 200
    assert machine.get(OBJECT, headers={"Accept": "application/dicom"}).content == tricky
    odd = "a b'()+_,-./:=?z"
    said = {"Content-Type": f'multipart/related; type="application/dicom"; boundary="{odd}"'}
    assert stow(machine, parts_of(part10(2), boundary=odd), **said).status_code == 200


def test_lengths_that_lie_are_not_believed(machine, archive, nothing_left):  # noqa: F811
    """A part's Content-Length is not looked at; a meta group or element that claims gigabytes is not read."""
    head = b"Content-Type: application/dicom\r\nContent-Length: 99999999999\r\nContent-Transfer-Encoding: base64"
    assert stow(machine, parts_of(part10(1), head=head)).status_code == 200
    good = part10(2)
    huge = struct.pack("<HH2sHI", 2, 0x0102, b"OB", 0, 2**31)
    lies = [
        good[:140] + struct.pack("<I", 2**31) + good[144:],
        good[:140] + struct.pack("<I", 2**16) + good[144:],
        good[:140] + struct.pack("<I", 12) + huge + good[144:],
        good[:140] + struct.pack("<I", 0) + huge + good[144:],
        good[:144] + huge + good[144:],
    ]
    tracemalloc.start()
    answer = stow(machine, parts_of(*lies))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (answer.status_code, len(answer.json()["0008119A"]["Value"])) == (409, 5)
    assert peak < 16 * 2**20


def test_packed_bodies_are_refused(machine, archive):  # noqa: F811
    for said in ("gzip", "deflate", "br", "zstd", "gzip, identity", "x"):
        assert stow(machine, parts_of(part10(1)), **{"Content-Encoding": said}).status_code == 415, said
    assert archive.counts()["instance"] == 0


def test_few_may_store_at_a_time(machine, workstation, archive):  # noqa: F811
    async def hold() -> None:
        for _ in range(8):
            await workstation.rooms.storing.acquire()

    asyncio.run(hold())
    answer = stow(machine, parts_of(part10(1)))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_scripts_in_what_is_stored_stay_text(machine, archive, nothing_left):  # noqa: F811
    """JSON, octets and pictures with nosniff and a sandbox, whatever an object or its sender says."""
    evil = '"><script>alert(1)</script>'
    stow(machine, parts_of(part10(1, PatientName=evil, StudyDescription=evil, PixelData=evil.encode().ljust(200))))
    for path in ("/dicomweb/studies", "/dicomweb/studies/1.9.1/metadata", OBJECT, f"{OBJECT}/bulkdata/7FE00010"):
        for accept in ("*/*", "application/octet-stream", "text/html, */*;q=0.1"):
            answer = machine.get(path, headers={"Accept": accept})
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]
            assert re.match(r"application/|multipart/related", answer.headers["content-type"])
    for uid in ("<script>", "../../et", "1.2.3\0.4"):
        sent = part10(2).replace(b"1.9.1.1\0", uid.encode())
        assert stow(machine, parts_of(sent)).status_code == 409, uid
    warned = machine.get("/dicomweb/studies", params={"EchoTime.\r\nSet-Cookie: x": "1", "00100010.<b>": "2"})
    assert "Set-Cookie" not in str(warned.headers)


def test_paths_lead_to_objects_or_nowhere(machine, archive):  # noqa: F811
    archive.keep(object_of(1))
    for trick in (
        "%2e%2e%2f", "..%2f..%2fbonescan.toml", "%00", "*", "1.9.1,1.9.2", "1.9.1%5c1.9.2", "%27%20or%201=1", "1" * 65
    ):  # fmt: skip
        for path in (f"/dicomweb/studies/{trick}", f"/dicomweb/studies/{trick}/metadata",
                     f"/dicomweb/studies/1.9.1/series/{trick}", f"/dicomweb/studies/{trick}/series",
                     OBJECT.replace("1.2.3.1", trick), OBJECT.replace("1.2.3.1", trick) + "/rendered",
                     f"{OBJECT}/frames/{trick}", f"{OBJECT}/bulkdata/{trick}"):  # fmt: skip
            assert machine.get(path).status_code == 404, path
    assert machine.get("/dicomweb/studies/1.9.2/series/1.9.1.1/instances/1.2.3.1").status_code == 404


def test_every_object_that_goes_out_or_comes_in_is_in_the_audit_trail(machine, archive):  # noqa: F811
    stow(machine, parts_of(part10(1, PatientName="Secret^Person")))
    before = audit.entries(archive.database)[-1].seq
    for path in ("/dicomweb/studies?PatientName=Secret*", "/dicomweb/studies/1.9.1", "/dicomweb/studies/1.9.1/metadata",
                 f"{OBJECT}/frames/1", f"{OBJECT}/bulkdata/7FE00010"):  # fmt: skip
        assert machine.get(path).status_code == 200, path
    rows = audit.entries(archive.database)
    assert [(row.actor, row.action) for row in rows if "received" in row.action] == [
        ("STOW token:PACS", "object.received")
    ]
    told = [(row.actor, row.action, row.subject, row.detail["what"]) for row in rows if row.seq > before]
    assert told == [
        ("token:PACS", "query.answered", "", "STUDY"),
        *(("token:PACS", "study.retrieved", "1.9.1", what) for what in ("objects", "metadata", "frames", "bulk data")),
    ]
    assert "Secret" not in str([row.detail for row in rows])


def test_mutated_bodies_make_no_fault_and_leave_nothing_half(machine, archive, nothing_left):  # noqa: F811
    """60 bodies of two objects with bytes changed, cut, doubled or inserted, from a seed."""
    rng = np.random.default_rng(522)
    found: dict[int, int] = {}
    for _ in range(60):
        body = bytearray(parts_of(part10(1), part10(2, study=2)))
        for _ in range(int(rng.integers(1, 6))):
            at = int(rng.integers(0, len(body)))
            how = rng.integers(0, 4)
            if how == 0:
                body[at] = int(rng.integers(0, 256))
            elif how == 1:
                del body[at : at + int(rng.integers(1, 40))]
            elif how == 2:
                body[at:at] = body[at : at + 30]
            else:
                body[at:at] = rng.choice([b"\r\n", b"--XX", b"--XX--", b"\r\n--XX\r\n", b"\0" * 9, b"\xff\xff\xff\xff"])
        status = stow(machine, bytes(body)).status_code
        found[status] = found.get(status, 0) + 1
        assert status in (200, 202, 400, 409), bytes(body)
    assert {200, 202, 400} <= set(found)


def test_mutated_objects_are_told_or_refused_without_a_fault(machine, archive, nothing_left):  # noqa: F811
    """What the shelf takes of 24 damaged objects is asked for in every form: an answer, never a fault."""
    rng = np.random.default_rng(523)
    whole = part10(1, NumberOfFrames=1, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2")
    for number in range(24):
        body = bytearray(whole.replace(b"1.2.3.1\0", f"1.2.4.{number:02d}".encode()))
        for at in rng.integers(330, len(body), 4):
            body[at] = int(rng.integers(0, 256))
        answer = stow(machine, parts_of(bytes(body)))
        assert answer.status_code in (200, 409)
        for item in answer.json().get("00081199", {}).get("Value", []):
            address = item["00081190"]["Value"][0]
            for what in ("", "/metadata", "/frames/1", "/rendered", "/bulkdata/7FE00010"):
                assert machine.get(address + what).status_code < 500, (number, what)
    assert archive.counts()["instance"] > 5


def test_a_frame_goes_out_once_however_often_it_is_named(machine, archive):  # noqa: F811
    archive.keep(object_of(1))
    for frames in ("1,1", ",".join(["1"] * 5000), "01,1"):
        answer = machine.get(f"{OBJECT}/frames/{frames}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "frames")
    assert machine.get(f"{OBJECT}/frames/1").status_code == 200
