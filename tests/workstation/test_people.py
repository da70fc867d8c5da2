"""Accounts, passwords, set-up, sign-ins and their end."""

from __future__ import annotations

import hashlib

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from tests.workstation.conftest import CHEAP, PASSWORD, Clock

from bonescan.archive import Archive, audit
from bonescan.archive.settings import Settings
from bonescan.archive.tables import account
from bonescan.workstation.people import RIGHTS, People, Right, Role, SetUp
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.sessions import Sessions, csrf_token, is_csrf_token
from bonescan.workstation.tables import attempt, known_browser, sign_in


@pytest.fixture
def people(archive: Archive, clock: Clock) -> People:
    return People(archive.database, hasher=CHEAP, clock=clock)


@pytest.fixture
def sessions(archive: Archive, clock: Clock) -> Sessions:
    return Sessions(archive.database, idle_s=1800.0, longest_s=43200.0, clock=clock)


def refused(status: int, code: str):
    return pytest.raises(Refusal, check=lambda error: (error.status, error.code) == (status, code))


def test_every_role_has_its_rights_and_only_an_administrator_manages():
    assert set(RIGHTS) == set(Role)
    assert {role for role in Role if Right.PEOPLE in RIGHTS[role]} == {Role.ADMIN}
    assert {role for role in Role if Right.IDENTITY not in RIGHTS[role]} == {Role.RESEARCHER}


def test_the_same_name_in_other_letters_is_the_same_person(people: People):
    people.add("Ada  Lovelace", Role.PHYSICIAN, PASSWORD, actor="test")
    assert people.check("ADA LOVELACE", PASSWORD, address="a").name == "Ada Lovelace"
    with refused(409, "name_taken"):
        people.add("ada lovelace", Role.ADMIN, PASSWORD, actor="test")


@pytest.mark.parametrize("name", ["", " ", "<script>", "a\0b", "worker", "check", "a" * 65, "-x", "a\nb\tc;"])
def test_names_that_could_be_mistaken_are_refused(people: People, name):
    with refused(422, "name"):
        people.add(name, Role.ADMIN, PASSWORD, actor="test")


@pytest.mark.parametrize(
    "password", ["short", "a" * 300, "aaaaaaaaaaaaaaaa", "i am ada and so on", "my password is long"]
)
def test_passwords_that_are_guessed_first_are_refused(people: People, password):
    with refused(422, "password"):
        people.add("Ada", Role.ADMIN, password, actor="test")


def test_what_is_stored_is_an_argon2id_hash_of_the_librarys_own_cost(archive: Archive):
    People(archive.database).add("Ada", Role.ADMIN, PASSWORD, actor="test")
    with archive.database.read() as connection:
        stored = connection.execute(select(account.c.password_hash)).scalar_one()
    default = PasswordHasher()
    cost = f"m={default.memory_cost},t={default.time_cost},p={default.parallelism}"
    assert stored.startswith(f"$argon2id$v=19${cost}$")
    assert default.memory_cost >= 65536  # KiB; RFC 9106, section 4, second recommended option


def test_a_hash_of_another_cost_is_renewed_at_the_next_sign_in(archive: Archive, people: People):
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    dearer = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    People(archive.database, hasher=dearer).check("Ada", PASSWORD, address="a")
    with archive.database.read() as connection:
        assert "m=16,t=2" in connection.execute(select(account.c.password_hash)).scalar_one()


def test_the_last_administrator_stays(people: People):
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    for change in ({"role": Role.PHYSICIAN}, {"active": False}):
        with refused(409, "last_admin"):
            people.change("Ada", actor="Ada", **change)
    people.add("Bob", Role.ADMIN, PASSWORD, actor="Ada")
    assert people.change("Ada", actor="Bob", active=False).active is False
    with refused(404, "no_account"):
        people.change("Eve", actor="Bob", active=True)


def test_of_two_first_administrators_one_is_made(archive: Archive, people: People):
    other = People(archive.database, hasher=CHEAP)
    assert people.nobody_yet()
    assert other.nobody_yet()
    people.add("Ada", Role.ADMIN, PASSWORD, actor="set-up", first=True)
    with refused(409, "set_up"):
        other.add("Eve", Role.ADMIN, PASSWORD, actor="set-up", first=True)
    assert not other.nobody_yet()


def test_the_code_is_new_each_time_and_void_after_ten_tries():
    one, other = SetUp(), SetUp()
    assert one.code != other.code
    one.check(one.code.lower().replace("-", " "))
    for _ in range(9):
        with refused(403, "wrong_code"):
            one.check(other.code)
    with refused(429, "code_void"):
        one.check(one.code)


def test_pauses_grow_and_outlive_a_restart(archive: Archive, people: People, clock: Clock):
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    for _ in range(5):
        with refused(401, "wrong"):
            people.check("Ada", "not it", address="a")
    with refused(429, "too_many_tries"):  # the right password too, and after a restart
        People(archive.database, hasher=CHEAP, clock=clock).check("Ada", PASSWORD, address="a")
    clock.now += 61
    with refused(401, "wrong"):
        people.check("Ada", "not it", address="a")
    clock.now += 61
    with pytest.raises(Refusal) as second:
        people.check("Ada", PASSWORD, address="a")
    assert 55 < second.value.retry_after_s <= 60  # two minutes by now, of which one has passed
    clock.now += 60
    assert people.check("Ada", PASSWORD, address="a").name == "Ada"
    with archive.database.read() as connection:
        own = select(attempt.c.key).where(attempt.c.key.startswith("name"))
        assert connection.execute(own).all() == []


def test_a_clock_set_back_does_not_lengthen_a_pause(people: People, clock: Clock):
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    for _ in range(5):
        with refused(401, "wrong"):
            people.check("Ada", "not it", address="a")
    clock.now -= 86_400 * 365
    with pytest.raises(Refusal) as paused:
        people.check("Ada", PASSWORD, address="a")
    assert paused.value.retry_after_s <= 60
    clock.now += 61
    assert people.check("Ada", PASSWORD, address="a").name == "Ada"


def test_one_address_cannot_try_many_names(people: People, clock: Clock):
    for number in range(30):
        with refused(401, "wrong"):
            people.check(f"name {number}", "not it", address="a")
    with refused(429, "too_many_tries"):
        people.check("another", "not it", address="a")
    with refused(401, "wrong"):
        people.check("another", "not it", address="b")
    clock.now += 601
    with refused(401, "wrong"):
        people.check("yet another", "not it", address="a")


def test_who_guesses_elsewhere_does_not_make_the_owner_wait(people: People):
    """Whoever knows a name could otherwise keep its owner out for as long as they like."""
    ada = people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    for _ in range(5):
        with refused(401, "wrong"):
            people.check("Ada", "not it", address="attacker")
    with refused(429, "too_many_tries"):
        people.check("Ada", "not it", address="attacker")
    assert people.check("Ada", PASSWORD, address="reading room") == ada


def test_a_browser_that_is_known_is_let_in_whatever_others_try(people: People, clock: Clock):
    """Guesses from very many addresses do make a browser wait that was never used; and each is a rare guess then."""
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    bob = people.add("Bob", Role.PHYSICIAN, PASSWORD, actor="test")
    people.know_browser(bob, "browser of the reading room")
    for number in range(50):
        with refused(401, "wrong"):
            people.check("Bob", "not it", address=f"bot {number}")
    with refused(429, "too_many_tries"):
        people.check("Bob", PASSWORD, address="at home")
    assert people.check("Bob", PASSWORD, address="bot 1", browser="browser of the reading room").name == "Bob"
    with refused(429, "too_many_tries"):  # its token is worth nothing for another name
        people.check("Bob", PASSWORD, address="at home", browser="another browser")
    clock.now += 901
    with refused(401, "wrong"):
        people.check("Bob", "not it", address="bot 51")
    with refused(429, "too_many_tries"):
        people.check("Bob", "not it", address="bot 52")
    people.change("Bob", actor="Ada", role=Role.PHYSICIST)
    assert people.check("Bob", PASSWORD, address="at home").role is Role.PHYSICIST


def test_a_stolen_browser_token_gives_no_more_tries_than_any_browser_has(people: People):
    ada = people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    people.know_browser(ada, "stolen")
    for number in range(5):
        with refused(401, "wrong"):
            people.check("Ada", "not it", address=f"{number}", browser="stolen")
    with refused(429, "too_many_tries"):
        people.check("Ada", "not it", address="another", browser="stolen")
    assert people.check("Ada", PASSWORD, address="reading room").name == "Ada"


def test_a_browser_is_forgotten_after_half_a_year_and_kept_as_a_digest(archive: Archive, people: People, clock: Clock):
    ada = people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    people.know_browser(ada, "old one")
    clock.now += 181 * 86_400
    people.know_browser(ada, "new one")
    with archive.database.read() as connection:
        kept = connection.execute(select(known_browser.c.token_sha256)).scalars().all()
    assert kept == [hashlib.sha256(b"new one").hexdigest()]


def test_an_administrator_lifts_a_pause(people: People):
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    people.add("Bob", Role.PHYSICIAN, PASSWORD, actor="test")
    for _ in range(5):
        with refused(401, "wrong"):
            people.check("Bob", "not it", address="a")
    people.change("Bob", actor="Ada", password="four other words here")
    assert people.check("Bob", "four other words here", address="a").role is Role.PHYSICIAN


def test_a_sign_in_ends_without_use_and_in_any_case(people: People, sessions: Sessions, clock: Clock):
    ada = people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    token = sessions.begin(ada)
    for _ in range(47):  # 11.75 h of use
        clock.now += 900
        assert sessions.who(token) is not None
    clock.now += 1000
    assert sessions.who(token) is None
    token = sessions.begin(ada)
    clock.now += 1801
    assert sessions.who(token) is None
    assert sessions.count() == 0


def test_a_page_that_waits_by_itself_keeps_nobody_signed_in(people: People, sessions: Sessions, clock: Clock):
    token = sessions.begin(people.add("Ada", Role.ADMIN, PASSWORD, actor="test"))
    for _ in range(19):
        clock.now += 100
        waits = sessions.who(token, uses=False)
    assert waits is None


def test_a_sign_in_from_the_future_is_none(people: People, sessions: Sessions, clock: Clock):
    token = sessions.begin(people.add("Ada", Role.ADMIN, PASSWORD, actor="test"))
    clock.now -= 3600
    assert sessions.who(token) is None


def test_ended_sign_ins_are_cleared_away(archive: Archive, people: People, sessions: Sessions, clock: Clock):
    ada = people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    sessions.begin(ada)
    clock.now += 90_000
    sessions.begin(ada)
    with archive.database.read() as connection:
        assert len(connection.execute(select(sign_in.c.token_sha256)).all()) == 1


def test_whoever_was_changed_meanwhile_does_not_get_in(people: People, sessions: Sessions):
    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    checked = people.check("Ada", PASSWORD, address="a")
    people.change("Ada", actor="Ada", password="four other words here")
    with refused(401, "wrong"):
        sessions.begin(checked)


def test_only_a_digest_of_the_token_is_kept(archive: Archive, people: People, sessions: Sessions):
    token = sessions.begin(people.add("Ada", Role.ADMIN, PASSWORD, actor="test"))
    with archive.database.read() as connection:
        row = connection.execute(select(sign_in)).one()
    assert len(token) >= 43  # 256 bits in base64
    assert token not in str(row)


def test_the_token_against_forgery_belongs_to_its_cookie():
    assert is_csrf_token(csrf_token("a"), "a")
    assert not is_csrf_token(csrf_token("a"), "b")
    assert not is_csrf_token(csrf_token(""), "")
    assert not is_csrf_token("é\ud800", "a")


def test_what_people_do_to_accounts_is_in_the_audit_trail(archive: Archive, people: People, sessions: Sessions):
    ada = people.add("Ada", Role.ADMIN, PASSWORD, actor="set-up")
    sessions.end(sessions.begin(ada), ada)
    with refused(401, "wrong"):
        people.check("Ada", "not it", address="10.0.0.9")
    with refused(401, "wrong"):
        people.check("my secret password typed as a name", "x", address="10.0.0.9")
    people.change("Ada", actor="Ada", password="four other words here")
    rows = audit.entries(archive.database)
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("set-up", "account.made", "Ada"),
        ("Ada", "sign_in.begun", "Ada"),
        ("Ada", "sign_in.ended", "Ada"),
        ("workstation", "sign_in.refused", "Ada"),
        ("workstation", "sign_in.refused", ""),
        ("Ada", "account.changed", "Ada"),
    ]
    assert rows[3].detail == {"address": "10.0.0.9"}
    assert "words" not in str([row.detail for row in rows])


def test_accounts_are_in_a_backup(archive: Archive, people: People, tmp_path):
    from bonescan.archive import back_up, restore

    people.add("Ada", Role.ADMIN, PASSWORD, actor="test")
    back_up(archive, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    with Archive(tmp_path / "restored", Settings(reserve_gib=0.0)) as restored:
        assert People(restored.database, hasher=CHEAP).check("Ada", PASSWORD, address="a").role is Role.ADMIN
