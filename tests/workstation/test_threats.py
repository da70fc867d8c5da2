"""The threat model of docs/rooms/workstation.md: each of its lines names a test of this file or of test_people.py."""

from __future__ import annotations

import asyncio
import json
import threading
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute
from tests.workstation.conftest import PASSWORD, STUDY, put_reading, put_study, put_whole_body, small_reading

from bonescan.archive import Archive, JobState, Queue, audit
from bonescan.archive.tables import draft
from bonescan.workstation import RIGHTS, Role, Workstation
from bonescan.workstation.app import every_route
from bonescan.workstation.guard import PAGE_POLICY
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import right_of
from bonescan.workstation.sessions import COOKIE

OPEN_TO_ALL = {
    ("GET", "/api/v1/session"), ("POST", "/api/v1/session"), ("POST", "/api/v1/setup"), ("GET", "/health"),
    ("GET", "/metrics"), ("GET", "/static/{name:path}"), ("GET", "/"), ("GET", "/study/{uid}"), ("GET", "/sign-in"),
    ("GET", "/people"), ("GET", "/api/v1/session/provider"), ("GET", "/api/v1/session/provider/answer"),
    ("GET", "/study/{uid}/phases"), ("GET", "/study/{uid}/volume"), ("GET", "/study/{uid}/spots"),
    ("GET", "/study/{uid}/compare"), ("GET", "/study/{uid}/compare/{prior}"),
    ("GET", "/plan"), ("GET", "/study/{uid}/leaflet"), ("GET", "/quality"), ("GET", "/teaching"),
}  # fmt: skip
PRIOR = {"prior": "1.9.2", "kind": "prior", "view": "anterior"}
REPORT = b"<!doctype html><script>alert(1)</script><p onclick=x()>Doe</p>"


@pytest.fixture
def read_study(archive: Archive, workstation: Workstation) -> str:
    uid = put_study(archive)
    put_reading(
        archive, uid, report__html=REPORT, report__pdf=b"%PDF-1.7", regions_anterior__png=b"\x89PNG", run__json=b"{}"
    )
    workstation.rooms.studies.catch_up()
    return uid


class Places(dict):
    """What stands in the places of a route's path; `default`, or 1, where nothing was said."""

    def __missing__(self, name: str) -> str:
        return self.get("default", "1")


def routes(workstation: Workstation) -> list[tuple[str, APIRoute]]:
    return [(method, route) for route in every_route(workstation.routes) for method in sorted(route.methods)]


def test_every_route_asks_for_a_right_or_is_known_to_be_open(workstation):
    without = {(method, route.path) for method, route in routes(workstation) if right_of(route) is None}
    assert without == OPEN_TO_ALL
    assert len(routes(workstation)) > 20


def test_no_role_passes_a_route_without_its_right(workstation, browser, read_study):
    """Every route with every role, and with none: 401 without a sign-in, 403 without the right, neither with it."""
    bodies = {"/api/v1/users": {"name": "x", "role": "admin", "password": "y"}}
    for role in ("", *Role):
        someone = browser(str(role))
        someone.hello()
        for method, route in routes(workstation):
            right = right_of(route)
            if right is None or method == "DELETE" or route.path.endswith("/password"):
                continue  # these two end the sign-in; everybody may
            own = {"file": "regions_anterior.png", "name": "anterior", "key": "0.0", "number": "1", **PRIOR}
            path = route.path.format_map(Places(uid=STUDY, version=1, **own))
            answer = someone.request(
                method, path, params={"wait_s": 0}, json=bodies.get(route.path, {}) if method != "GET" else None
            )
            if not role:
                assert answer.status_code == 401, (method, route.path)
            elif right not in RIGHTS[role]:
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_right"), (role, route.path)
            else:
                assert answer.status_code not in (401, 403), (role, method, route.path)


def test_a_planted_cookie_is_worth_nothing_after_sign_in(browser, workstation):
    """Session fixation."""
    workstation.rooms.people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    victim, thief = browser(), browser()
    victim.cookies.set(COOKIE, "planted", domain="localhost")
    assert victim.sign_in("Ada").status_code == 200
    assert victim.get("/api/v1/users").status_code == 200
    thief.cookies.set(COOKIE, "planted", domain="localhost")
    assert thief.get("/api/v1/users").status_code == 401


def test_two_cookies_of_one_name_are_none(browser):
    """A neighbour's cookie beside ours decides nothing."""
    someone = browser("admin")
    token = someone.cookies[COOKIE]
    someone.cookies.clear()
    answer = someone.get("/api/v1/users", headers={"Cookie": f"{COOKIE}={token}; {COOKIE}=planted"})
    assert answer.status_code == 401


def test_a_request_from_another_page_changes_nothing(browser, read_study):
    """Forged requests: without the token, with another's, from another origin."""
    ada, other = browser("admin"), browser()
    other.hello()
    path, token = f"/api/v1/studies/{read_study}/read", ada.csrf
    ada.csrf = ""
    forged = [
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": other.csrf},
        {"X-CSRF-Token": token, "Origin": "http://evil.example"},
        {"X-CSRF-Token": token, "Origin": "http://localhost:1"},
        {"X-CSRF-Token": token, "Origin": "null"},
        {"X-CSRF-Token": token, "Sec-Fetch-Site": "cross-site"},
        {"X-CSRF-Token": token, "Sec-Fetch-Site": "same-site"},
    ]
    for headers in forged:
        answer = ada.post(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf"), headers
    own = {"X-CSRF-Token": token, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert ada.post(path, headers=own).status_code == 202


def test_names_that_are_scripts_stay_text(browser, archive, workstation):
    """Stored XSS through DICOM: JSON says so, nothing of it is HTML of ours."""
    evil = "<script>alert(1)</script>"
    put_study(archive, 1, PatientName=evil, StudyDescription="<img src=x onerror=x>")
    answer = browser("physician").get("/api/v1/studies")
    assert answer.json()["studies"][0]["patient_name"] == evil
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]


def test_html_of_a_reading_runs_nothing_in_our_origin(browser, read_study):
    answer = browser("physician").get(f"/api/v1/studies/{read_study}/readings/1/report.html")
    assert answer.content == REPORT
    policy = answer.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy  # no script-src beside it
    assert "sandbox" in policy  # neither scripts nor our origin
    assert not any(part.startswith("script-src") for part in policy)
    assert (answer.headers["x-frame-options"], "frame-ancestors 'self'" in policy) == ("SAMEORIGIN", True)


def test_pages_allow_nothing_inline():
    policy = PAGE_POLICY.split("; ")
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("unsafe" in part or "*" in part or "http" in part for part in policy)


def test_path_tricks_lead_nowhere(browser, archive, read_study):
    ada = browser("admin")
    (archive.folder / "secret.json").write_text("{}", encoding="utf-8")
    folder = f"/api/v1/studies/{read_study}/readings/1/"
    names = [
        "../../../secret.json",
        "..%2f..%2f..%2fsecret.json",
        "%2e%2e/secret.json",
        "..%5csecret.json",
        ".hidden.json",
    ]
    names += [
        "reading.json%00.png",
        "/etc/passwd",
        "READING.JSON",
        "reading.json/",
        "a" * 5000 + ".json",
        "signed.json",
    ]
    for name in names:
        assert ada.get(folder + name).status_code == 404, name
    for uid in ("..", "%2e%2e", "1.9.1%00", "' OR 1=1 --", "1" * 65, "１.9.1"):
        assert ada.get(f"/api/v1/studies/{uid}").status_code == 404, uid
    for version in ("0", "-1", "2", "99999999999999999999", "2147483648"):
        assert ada.get(f"/api/v1/studies/{read_study}/readings/{version}/reading.json").status_code == 404, version
    for name in ("../app.py", "%2e%2e/app.py", "..%2fpeople.py", "//etc/passwd", "\\..\\app.py"):
        assert ada.get(f"/static/{name}").status_code == 404, name


def test_guessers_have_to_wait(browser, workstation):
    """Brute force, over HTTP; the pauses themselves are tested with the accounts."""
    workstation.rooms.people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    someone = browser()
    answers = [someone.sign_in("Ada", "wrong").status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    held = someone.sign_in("Ada")
    assert (held.status_code, held.headers["retry-after"]) == (429, "60")


def test_a_browser_that_signed_in_before_does_not_wait_for_guesses_of_others(browser, workstation):
    ada, eve = browser("physician"), browser()  # both from one address, as behind a proxy
    known = ada.cookies["bonescan_browser"]
    ada.delete("/api/v1/session")
    assert [eve.sign_in("the physician", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert eve.sign_in("the physician").status_code == 429
    assert ada.sign_in("the physician").status_code == 200
    assert ada.cookies["bonescan_browser"] == known
    assert eve.get("/api/v1/studies", headers={"Cookie": f"bonescan_browser={known}"}).status_code == 401


def test_many_guesses_at_once_are_counted_one_by_one(workstation):
    people = workstation.rooms.people
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    refused = []

    def guess() -> None:
        try:
            people.check("Ada", "wrong", address="a")
        except Exception as error:
            refused.append(error.status)

    guessers = [threading.Thread(target=guess) for _ in range(12)]
    for one in guessers:
        one.start()
    for one in guessers:
        one.join()
    assert sorted(refused) == [401] * 5 + [429] * 7


def test_who_has_an_account_cannot_be_found_out(browser, workstation, monkeypatch):
    """The same words, status and work for a wrong password, an unknown name and one that was shut."""
    people = workstation.rooms.people
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    people.add("Bob", Role.PHYSICIAN, PASSWORD, actor="test")
    people.change("Bob", actor="Ada", active=False)
    looked_at = []
    verify = people._verify
    monkeypatch.setattr(
        people, "_verify", lambda stored, password: (looked_at.append(stored[:20]), verify(stored, password))[1]
    )
    someone = browser()
    tried = [someone.sign_in("Ada", "wrong"), someone.sign_in("Nobody", "wrong"), someone.sign_in("Bob")]
    assert len({(answer.status_code, answer.text) for answer in tried}) == 1
    assert len(looked_at) == 3
    assert len(set(looked_at)) == 1  # argon2 of the same cost each time
    locked = [[someone.sign_in(name, "wrong").status_code for _ in range(6)] for name in ("Cid", "Dan")]
    assert locked[0] == locked[1] == [401] * 5 + [429]


def test_the_first_administrator_needs_the_code_of_the_terminal(browser, workstation):
    someone = browser()
    assert someone.hello().json()["setup_needed"] is True
    wanted = {"code": "AAAA-AAAA-AAAA-AAAA", "name": "Eve", "password": PASSWORD}
    assert someone.post("/api/v1/setup", json=wanted).status_code == 403
    made = someone.learn(someone.post("/api/v1/setup", json=wanted | {"code": workstation.set_up_code}))
    assert (made.status_code, made.json()["user"]) == (201, {"name": "Eve", "role": "admin"})
    assert workstation.set_up_code == ""
    assert someone.post("/api/v1/setup", json=wanted).status_code == 409


def test_a_new_password_signs_out_everywhere_else(browser, workstation):
    here, there = browser("physician"), browser("physician")
    wanted = {"old": PASSWORD, "new": "four other words here"}
    assert here.post("/api/v1/session/password", json=wanted | {"old": "wrong"}).status_code == 401
    assert here.learn(here.post("/api/v1/session/password", json=wanted)).status_code == 200
    assert here.get("/api/v1/studies").status_code == 200
    assert there.get("/api/v1/studies").status_code == 401


def test_sign_out_ends_the_sign_in_for_every_copy_of_the_cookie(browser):
    someone = browser("physician")
    token = someone.cookies[COOKIE]
    assert someone.learn(someone.delete("/api/v1/session")).json()["user"] is None
    someone.cookies.clear()
    assert someone.get("/api/v1/studies", headers={"Cookie": f"{COOKIE}={token}"}).status_code == 401


def test_a_change_of_role_works_at_once(browser):
    ada, other = browser("admin"), browser("physician")
    assert ada.patch("/api/v1/users/the physician", json={"role": "researcher"}).status_code == 200
    assert other.get("/api/v1/studies").status_code == 401
    other.sign_in("the physician")
    assert ada.patch("/api/v1/users/the physician", json={"active": False}).status_code == 200
    assert other.get("/api/v1/studies").status_code == 401


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(browser):
    plain = browser().hello().headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(plain.split("; "))
    assert "Secure" not in plain
    over_tls = browser(base_url="https://localhost").hello()
    assert "Secure" in over_tls.headers["set-cookie"].split("; ")
    assert over_tls.headers["strict-transport-security"] == "max-age=31536000"


def test_nothing_of_the_api_is_kept_by_a_browser(browser, read_study):
    ada = browser("admin")
    for path in (
        "/api/v1/session",
        "/api/v1/studies",
        f"/api/v1/studies/{read_study}/readings/1/report.pdf",
        "/nothing",
    ):
        assert ada.get(path).headers["cache-control"] == "no-store", path


def test_only_known_host_names_are_served(browser):
    """DNS rebinding."""
    someone = browser()
    for host in (
        "evil.example",
        "localhost.evil.example",
        "",
        "127.0.0.1.evil.example:8080",
        "[::2]",
        "a b",
        "localhost@evil",
        "evil@localhost",
        "localhost/evil",
        "localhost?evil",
        "localhost#evil",
    ):
        answer = someone.get("/api/v1/session", headers={"Host": host})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "host"), host
    for host in ("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "localhost."):
        assert someone.get("/api/v1/session", headers={"Host": host}).status_code == 200, host


def test_large_bodies_are_refused_said_or_not(browser):
    someone = browser()
    someone.hello()
    assert someone.post("/api/v1/session", content=b"x" * 70_000).status_code == 413
    parts = (b"x" * 10_000 for _ in range(10))  # chunked: no length is said
    assert someone.post("/api/v1/session", content=parts).status_code == 413


def asked(workstation: Workstation, headers: list[tuple[bytes, bytes]], receive) -> list[dict]:
    """One request as a server hands it over."""
    sent: list[dict] = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/api/v1/session", "raw_path": b"/api/v1/session", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), *headers], "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip
    asyncio.run(workstation.app(scope, receive, send))
    return sent


def test_slow_bodies_are_broken_off(browser, workstation):
    someone = browser()
    someone.hello()
    cookie = f"{COOKIE}={someone.cookies[COOKIE]}".encode()

    async def never_more() -> dict:
        await asyncio.sleep(0.2)
        return {"type": "http.request", "body": b"{", "more_body": True}

    headers = [(b"cookie", cookie), (b"x-csrf-token", someone.csrf.encode())]
    assert asked(workstation, headers, never_more)[0]["status"] == 408


def test_a_caller_who_leaves_is_let_go(browser, workstation):
    someone = browser()
    someone.hello()
    cookie = f"{COOKIE}={someone.cookies[COOKIE]}".encode()

    async def gone() -> dict:
        return {"type": "http.disconnect"}

    headers = [(b"cookie", cookie), (b"x-csrf-token", someone.csrf.encode())]
    assert asked(workstation, headers, gone)[0]["status"] == 400


def test_a_researcher_learns_no_identity(browser, archive, workstation):
    """Neither from lines nor files, searches, changes or refusals."""
    workstation.rooms.changes.look()
    uid = put_study(archive, 1, StudyDescription="Scan of Doe", AccessionNumber="A-7", PatientBirthDate="19300102")
    put_reading(
        archive,
        uid,
        report__html=REPORT,
        report__pdf=b"Doe",
        findings_anterior__png=b"\x89PNG",
        run__json=b"{}",
        study__csv=b"Doe",
    )
    workstation.rooms.changes.look()
    someone = browser("researcher")
    base = f"/api/v1/studies/{uid}/readings/1/"
    seen = [someone.get(path).text for path in ("/api/v1/studies", f"/api/v1/studies/{uid}", base + "reading.json")]
    seen += [someone.get("/api/v1/changes", params={"after": workstation.rooms.changes.last - 1}).text]
    for secret in ("Doe", "ID-1", "1930", "A-7", "09:15", "Doe_Jane.dcm", "T06:00", "1.2.3.1"):
        assert not any(secret in text for text in seen), secret
    assert someone.get(base + "reading.json").json()["scan"]["patient"] == {
        "name": None, "patient_id": None, "birth_date": None, "sex": "F", "age_years": 89.0,
        "stature_m": None, "weight_kg": None,
    }  # fmt: skip
    for name in ("report.html", "report.pdf", "study.csv", "run.json", "result.json"):
        assert someone.get(base + name).status_code == 403, name
    assert someone.get(base + "findings_anterior.png").status_code == 200
    assert someone.get("/api/v1/studies", params={"search": "Doe"}).json()["studies"] == []


def test_every_look_at_a_patient_is_in_the_audit_trail(browser, archive, workstation, read_study):
    uid = "1.9.7"
    put_whole_body(archive, uid)
    doctor = browser("physician")
    before = audit.entries(archive.database)[-1].seq
    for _ in range(2):  # the second time is the same look
        doctor.get("/api/v1/studies", params={"search": "Doe"})
        doctor.get(f"/api/v1/studies/{uid}")
        doctor.get(f"/api/v1/studies/{uid}/views/anterior")
        doctor.get(f"/api/v1/studies/{read_study}/readings/1/report.pdf")
    browser("researcher").get(f"/api/v1/studies/{uid}")
    rows = [
        (row.actor, row.action, row.subject, row.detail.get("what", ""))
        for row in audit.entries(archive.database, after=before)
        if "viewed" in row.action
    ]
    assert rows == [
        ("the physician", "worklist.viewed", "", ""),
        ("the physician", "study.viewed", uid, "study"),
        ("the physician", "study.viewed", uid, "view anterior"),
        ("the physician", "study.viewed", read_study, "reading 1 report.pdf"),
        ("the researcher", "study.viewed", uid, "study"),
    ]
    assert "Doe" not in str([row.detail for row in audit.entries(archive.database)])


def test_what_cannot_be_recorded_is_not_shown(browser, archive, monkeypatch, read_study):
    from bonescan.errors import ArchiveUnavailable

    doctor = browser("physician")

    def full(*_: object, **__: object) -> None:
        raise ArchiveUnavailable("The archive's database does not answer.")

    monkeypatch.setattr("bonescan.workstation.access.audit.append", full)
    answer = doctor.get(f"/api/v1/studies/{read_study}/readings/1/report.pdf")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert b"PDF" not in answer.content


def test_a_fault_tells_nothing_but_a_number(browser, workstation, monkeypatch, caplog):
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("Doe^Jane is the patient")

    monkeypatch.setattr("bonescan.workstation.studies.Studies.page", fault)
    answer = browser("physician").get("/api/v1/studies")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "fault")
    assert "Doe" not in answer.text
    assert "Doe" not in caplog.text
    assert "no-store" in answer.headers["cache-control"]


def test_a_request_that_is_not_understood_is_not_quoted(browser):
    someone = browser()
    someone.hello()
    answer = someone.post("/api/v1/session", json={"name": "Ada", "password": ["my secret"], "more": "my secret"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "not_understood")
    assert "secret" not in answer.text


def test_logs_and_figures_name_no_study_and_no_person(browser, archive, workstation, read_study, caplog):
    caplog.set_level("INFO", logger="bonescan.workstation")
    doctor = browser("physician")
    doctor.get(f"/api/v1/studies/{read_study}")
    doctor.get("/api/v1/studies", params={"search": "Doe"})
    doctor.get("/no/such/1.9.1")
    figures = doctor.get("/metrics").text
    assert 'route="/api/v1/studies/{uid}"' in figures
    assert "/api/v1/studies/{uid} 200" in caplog.text
    for secret in (read_study, "Doe", "the physician"):
        assert secret not in figures
        assert secret not in caplog.text


def test_figures_are_for_this_machine_or_the_token(browser, archive):
    assert browser().get("/metrics").status_code == 200
    assert browser(address="10.0.0.9").get("/metrics").status_code == 403


def test_health_says_how_it_is_and_of_nobody(browser, archive, monkeypatch):
    assert browser().get("/health").json() == {"status": "ok", "database": "ok", "disk": "ok", "worker": "idle"}
    put_study(archive)
    monkeypatch.setattr(archive.objects, "free_bytes", lambda: -1)
    # the job of put_study says no time at all: as if nothing had moved for ever
    with archive.database.write() as connection:
        from bonescan.archive.tables import job

        connection.execute(job.update().values(changed_at="2020-01-01T00:00:00.000000+00:00"))
    found = browser().get("/health").json()
    assert found == {"status": "degraded", "database": "ok", "disk": "full", "worker": "stalled"}


@pytest.mark.long
def test_odd_requests_are_refused_without_a_fault(browser, workstation, read_study):
    """The short form of `bench/workstation.py --fuzz`: odd values in every place of every route."""
    ada = browser("admin")
    odd = ["\0", "\U0001f9b4", "-1", "9" * 30, "NaN", "1e999", "%", "[]", "true", " ", "a" * 300, "١"]
    bodies = [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"name": "\\ud800"}',
        b'{"role": NaN}',
        b'{"name": {}}',
        b"[" * 5000,
    ]
    fields = ("search", "state", "limit", "after", "wait_s", "name", "password", "first", "count")
    found = set()
    for method, route in routes(workstation):
        if method == "DELETE":
            continue
        for value in odd if method == "GET" else bodies:
            if method == "GET":
                path = route.path.replace("{name:path}", "{name}").format_map(Places(default=quote(value)))
                answer = ada.get(path, params=dict.fromkeys(fields, value))
            else:
                path = route.path.format_map(Places(default="x"))
                answer = ada.request(method, path, content=value, headers={"Content-Type": "application/json"})
            found.add(answer.status_code)
            assert answer.status_code < 500, (method, route.path, value, answer.text)
    assert {404, 422} <= found


# ------------------------------------------------------------------------------------- drafts, signatures, sendings


@pytest.fixture
def editable_study(archive: Archive, workstation: Workstation) -> str:
    uid = put_study(archive)
    edit = {"do": "delete", "finding": 1, "by": "Dr. Secret", "at": "1999-09-09T09:09:09+00:00"}
    revision = {"of_version": 1, "edits": [edit], "by": "Dr. Secret"}
    more = {"state__npz": b"state", "edits__json": b"{}", "run__json": b"{}", "words__json": b'{"words": "Doe"}'}
    put_reading(archive, uid, small_reading(revision=revision), **more)
    workstation.rooms.studies.catch_up()
    return uid


def drafted(doctor) -> int:
    """A draft that could be signed; its number."""
    path = f"/api/v1/studies/{STUDY}/draft"
    number = doctor.post(path, json={"version": 1}).json()["number"]
    text = {"interpretation.text": "None.", "context.history": "Doe had cancer."}
    answer = doctor.put(f"{path}/text", json={"number": number, "text": text})
    assert answer.status_code == 200
    return answer.json()["number"]


def test_nothing_is_signed_without_the_password_once_more(browser, archive, editable_study):
    """An unlocked screen, a stolen cookie: not enough for a signature; guesses count as tries to sign in."""
    doctor = browser("physician")
    number, path = drafted(doctor), f"/api/v1/studies/{STUDY}/draft/sign"
    assert doctor.post(path, json={"number": number}).status_code == 422
    answers = [doctor.post(path, json={"number": number, "password": "wrong"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert answers[0].json()["error"]["code"] == "wrong_password"
    held = doctor.post(path, json={"number": number, "password": PASSWORD})
    assert (held.status_code, "retry-after" in held.headers) == (429, True)
    assert [one.signed_by for one in archive.results.of_study(STUDY)] == [""]
    assert "draft.signing" not in [row.action for row in audit.entries(archive.database)]
    assert [row.action for row in audit.entries(archive.database)].count("sign_in.refused") == 5


def test_a_signature_is_under_what_its_physician_saw(browser, archive, editable_study):
    """Another window's change, or a colleague's, between looking and signing."""
    doctor, tab = browser("physician"), browser("physician")
    number = drafted(doctor)
    path = f"/api/v1/studies/{STUDY}/draft"
    tab.put(f"{path}/text", json={"number": number, "text": {"interpretation.text": "Metastases."}})
    answer = doctor.post(f"{path}/sign", json={"number": number, "password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale")
    assert [one.signed_by for one in archive.results.of_study(STUDY)] == [""]


def test_nobody_but_physicians_sees_edits_or_signs_drafts(browser, editable_study):
    """Also the administrator, who may do everything else."""
    drafted(browser("physician"))
    path = f"/api/v1/studies/{STUDY}/draft"
    bodies = {"": {"version": 1, "take_over": True}, "/sign": {"number": 1, "password": PASSWORD}}
    for role in set(Role) - {Role.PHYSICIAN}:
        someone = browser(str(role))
        asked = [("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/reading"), ("POST", "/edits")]
        for method, part in [*asked, ("POST", "/undo"), ("POST", "/redo"), ("PUT", "/text"), ("POST", "/sign")]:
            body = None if method == "GET" else bodies.get(part, {"number": 1})
            answer = someone.request(method, path + part, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_right"), (role, method, part)


def test_a_researcher_learns_nothing_of_drafts_and_who_works_on_them(browser, archive, workstation, editable_study):
    """Neither by lines nor by the files that a reading is kept with, nor by what changes."""
    changes, someone = workstation.rooms.changes, browser("researcher")
    changes.look()
    before = changes.last
    drafted(browser("physician"))
    with archive.database.write() as connection:
        for action in ("reading.sending", "reading.signed"):
            audit.append(connection, actor="test", action=action, subject=STUDY)
    changes.look()
    path = f"/api/v1/changes?after={before}&wait_s=0"
    told = {name: browser(name).get(path).json() for name in ("technologist", "researcher")}
    seen_by = {name: {one["what"] for one in said["changes"]} for name, said in told.items()}
    assert {"draft.begun", "reading.sending", "reading.signed"} <= seen_by["technologist"]
    assert "reading.signed" in seen_by["researcher"]
    assert not any(what.startswith(("draft.", "reading.sen")) for what in seen_by["researcher"])
    assert told["researcher"]["last"] == told["technologist"]["last"]
    base = f"/api/v1/studies/{STUDY}/readings/1/"
    for name in ("state.npz", "edits.json", "run.json", "words.json"):
        answer = someone.get(base + name)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "names_patient"), name
    assert someone.get(f"/api/v1/studies/{STUDY}/sendings").status_code == 403
    seen = [someone.get(path).text for path in ("/api/v1/studies", f"/api/v1/studies/{STUDY}", base + "reading.json")]
    for secret in ("the physician", "Dr. Secret", "Doe had cancer"):
        assert not any(secret in text for text in seen), secret


def test_edit_bombs_are_refused(browser, archive, workstation, editable_study, monkeypatch):
    """10 MB in one edit, depth, numbers and points without end; none of it moves the draft."""

    def no_such_finding(_: object) -> None:
        raise Refusal(422, "edit", "There is no such finding.")

    monkeypatch.setattr(workstation.rooms.drafts, "reading", no_such_finding)
    doctor = browser("physician")
    number, path = drafted(doctor), f"/api/v1/studies/{STUDY}/draft/edits"
    outline = [[0.0, 0.0]] * 30_000
    bombs = [
        b'{"number": 1, "edit": {"do": "' + b"x" * 10_000_000 + b'"}}',
        b'{"number": 1, "edit": ' + b'{"do":' * 5000 + b"1" + b"}" * 5000 + b"}",
        b'{"number": %d, "edit": {"do": "delete", "finding": %s}}' % (number, b"9" * 4000),
        b'{"number": %d, "edit": {"do": "delete", "finding": 1e999}}' % number,
        b'{"number": %d, "edit": {"do": "split", "finding": 1, "view": "anterior", "line": [[NaN, 0], [1, 1]]}}'
        % number,
        json.dumps(
            {"number": number, "edit": {"do": "draw", "outlines": {"anterior": outline}}}, separators=(",", ":")
        ).encode()[:60_000],
        json.dumps({"number": number, "edit": {"do": "merge", "findings": list(range(10_000))}}).encode(),
    ]
    for bomb in bombs:
        answer = doctor.post(path, content=bomb, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 413, 422), (bomb[:60], answer.text)
    with archive.database.write() as connection:  # as after a thousand edits
        connection.execute(
            draft.update().values(edits=json.dumps([{"do": "delete", "finding": 1}] * 1000), applied=1000)
        )
    answer = doctor.post(path, json={"number": number, "edit": {"do": "delete", "finding": 1}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "too_many")
    assert doctor.get(f"/api/v1/studies/{STUDY}/draft").json()["draft"]["number"] == number


def test_a_text_that_is_a_script_stays_text(browser, editable_study):
    """JSON and nosniff on its way to the page; in the report it is escaped (`tests/report`) and sandboxed."""
    doctor = browser("physician")
    number, evil = drafted(doctor), "<script>alert(1)</script><img src=x onerror=x>"
    path = f"/api/v1/studies/{STUDY}/draft"
    doctor.put(f"{path}/text", json={"number": number, "text": {"interpretation.text": evil}})
    answer = doctor.get(path)
    assert answer.json()["draft"]["text"]["interpretation.text"] == evil
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_results_go_to_known_nodes_alone_and_only_signed(browser, archive, editable_study):
    """Nobody names a host, and nothing leaves that no physician stands for."""
    tech = browser("technologist")
    path = f"/api/v1/studies/{STUDY}/sendings"
    for to in (["evil.example:104"], ["PACS\\0"], ["A" * 16], ["\U0001f9b4"]):
        assert tech.post(path, json={"version": 1, "to": to}).status_code == 422, to
    assert tech.post(path, json={"version": 1, "to": ["PACS"], "host": "evil.example"}).status_code == 422
    assert Queue(archive.database, lease_s=30, attempts=1).jobs([JobState.WAITING]) == []
