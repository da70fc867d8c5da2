"""Access tokens of machines: made once, used without a cookie, taken back at once."""

from __future__ import annotations

from collections import Counter
from threading import Barrier, Thread

import pytest
from sqlalchemy import select, text
from tests.workstation.conftest import PASSWORD, put_study
from tests.workstation.test_people import refused

from bonescan.archive import Archive, audit
from bonescan.archive.tables import access_token
from bonescan.workstation import Role
from bonescan.workstation.people import FOR_MACHINES, RIGHTS, Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.tokens import Tokens


@pytest.fixture
def tokens(archive: Archive, clock) -> Tokens:
    return Tokens(archive.database, clock=clock)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_a_token_opens_what_its_role_may_until_it_is_revoked(browser, workstation, archive):
    put_study(archive)
    ada = browser("admin")
    made = ada.post("/api/v1/tokens", json={"name": "PACS", "role": "technologist"})
    assert (made.status_code, made.json()["name"], made.json()["made_by"]) == (201, "PACS", "the admin")
    secret, machine = made.json()["token"], browser()
    assert machine.get("/api/v1/studies", headers=bearer(secret)).status_code == 200
    assert machine.post("/api/v1/studies/1.9.1/read", headers=bearer(secret)).status_code in (
        202,
        409,
    )  # no token of forms
    listed = ada.get("/api/v1/tokens").json()["tokens"]
    assert [(one["name"], one["used_at"] != "", one["revoked_at"]) for one in listed] == [("PACS", True, "")]
    assert secret not in ada.get("/api/v1/tokens").text
    assert ada.delete(f"/api/v1/tokens/{listed[0]['id']}").status_code == 200
    gone = machine.get("/api/v1/studies", headers=bearer(secret))
    assert (gone.status_code, gone.headers["www-authenticate"]) == (401, "Bearer")
    assert ada.delete(f"/api/v1/tokens/{'0' * 16}").status_code == 404


def test_only_a_digest_of_an_access_token_is_kept(archive, tokens):
    _, secret = tokens.add("PACS", Role.TECHNOLOGIST, actor="Ada")
    with archive.database.read() as connection:
        kept = str(connection.execute(select(access_token)).all())
        trail = str(connection.execute(text("SELECT * FROM audit")).all())
    assert len(secret) > 50
    assert secret not in kept
    assert secret not in trail


def test_a_machine_never_has_more_than_its_role_nor_a_persons_rights():
    """The rights of every role, cut to those of machines: it neither manages, audits nor is signed in."""
    machine = {
        role: Account(name="token:x", role=role, active=True, made_at="", changed_at="", machine=True) for role in Role
    }
    for role, one in machine.items():
        assert {right for right in Right if one.may(right)} == RIGHTS[role] & FOR_MACHINES
    assert not FOR_MACHINES & {Right.PEOPLE, Right.AUDIT, Right.SIGNED_IN}


def test_a_token_cannot_change_passwords_accounts_or_tokens(browser, workstation):
    _, secret = workstation.rooms.tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    machine = browser()
    wanted = {"old": PASSWORD, "new": "four other words here"}
    for method, path, body in (
        ("POST", "/api/v1/session/password", wanted),
        ("DELETE", "/api/v1/session", None),
        ("GET", "/api/v1/tokens", None),
        ("POST", "/api/v1/tokens", {"name": "x", "role": "physician"}),
        ("GET", "/api/v1/users", None),
        ("GET", "/api/v1/audit", None),
        ("GET", "/openapi.json", None),
    ):
        answer = machine.request(method, path, json=body, headers=bearer(secret))
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no_right"), path


def test_where_a_token_is_shown_no_cookie_counts(browser, workstation):
    """A wrong token is not made good by somebody's cookie: so a request without the forms' token cannot use it."""
    someone = browser("physician")
    someone.csrf = ""
    assert someone.get("/api/v1/studies", headers=bearer("wrong")).status_code == 401
    assert someone.post("/api/v1/studies/1.9.1/read", headers=bearer("wrong")).status_code == 401
    assert someone.post("/api/v1/studies/1.9.1/read", headers={"Authorization": "Basic x"}).status_code == 403
    _, secret = workstation.rooms.tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert someone.post("/api/v1/studies/1.9.1/read", headers=bearer(secret) | headers).status_code == 403


def test_wrong_tokens_of_an_address_are_counted_and_a_right_one_still_passes(tokens, archive, clock):
    _, secret = tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    for _ in range(30):
        with refused(401, "wrong_token"):
            tokens.who("wrong", address="10.0.0.1")
    with refused(429, "too_many_tries"):
        tokens.who("wrong", address="10.0.0.1")
    with refused(401, "wrong_token"):
        tokens.who("wrong", address="10.0.0.2")
    assert tokens.who(secret, address="10.0.0.1").name == "token:PACS"
    rows = [row for row in audit.entries(archive.database) if row.action == "token.refused"]
    assert len(rows) == 31
    clock.now += 601
    with refused(401, "wrong_token"):
        tokens.who("wrong", address="10.0.0.1")


def test_many_wrong_tokens_at_once_are_counted_one_by_one(tokens, archive, clock):
    """Sixty in twelve threads that begin together: thirty are looked at, as one after the other."""
    together, said = Barrier(12), []

    def guess() -> None:
        together.wait()
        for _ in range(5):
            try:
                tokens.who("wrong", address="10.0.0.1")
            except Refusal as error:
                said.append(error.code)

    threads = [Thread(target=guess) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert Counter(said) == {"wrong_token": 30, "too_many_tries": 30}
    assert sum(row.action == "token.refused" for row in audit.entries(archive.database)) == 30


def test_names_and_roles_of_tokens(tokens):
    made, _ = tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    with refused(409, "name_taken"):
        tokens.add(" PACS", Role.PHYSICIAN, actor="Ada")
    tokens.revoke(made.id, actor="Ada")
    tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    with refused(422, "role"):
        tokens.add("Robot", Role.ADMIN, actor="Ada")
    for name in ("", "<script>", "token:x", "a" * 65):
        with refused(422, "name"):
            tokens.add(name, Role.PHYSICIAN, actor="Ada")


def test_what_becomes_of_tokens_is_in_the_audit_trail(tokens, archive):
    made, secret = tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    tokens.revoke(made.id, actor="Bob")
    tokens.revoke(made.id, actor="Bob")  # it was taken back already
    with refused(401, "wrong_token"):
        tokens.who(secret, address="a")
    rows = [(row.actor, row.action, row.subject) for row in audit.entries(archive.database)]
    assert rows == [
        ("Ada", "token.made", "PACS"),
        ("Bob", "token.revoked", "PACS"),
        ("workstation", "token.refused", ""),
    ]


def test_use_is_written_once_a_minute(tokens, clock):
    made, secret = tokens.add("PACS", Role.PHYSICIAN, actor="Ada")
    seen = []
    for later in (0, 30, 31):
        clock.now += later
        tokens.who(secret, address="a")
        seen.append(tokens.all()[0].used_at)
    assert made.used_at == ""
    assert seen[0] == seen[1] < seen[2]
