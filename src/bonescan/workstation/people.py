"""Who may use the workstation, and for what: roles, accounts, passwords, the first set-up, and patience with guessers.

::

    name, password ─► count the attempt ─► argon2 (real or of nobody) ─► right: attempt taken back, Account
                         │ too many: 429                               └► wrong: 401, the same words for every cause

An attempt is counted before the password is looked at, so a thousand at once are a thousand. An account that does not
exist is answered as one that does, after the same work, and locks as one that does.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.database import Database, utc_now
from bonescan.archive.tables import account
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.tables import attempt, sign_in

__all__ = ["RIGHTS", "Account", "People", "Right", "Role", "SetUp", "name_key"]

# [D] An account: five free tries, then pauses of 1, 2, 4, 8, 15 minutes; never for good, which would let anybody lock
# others out. An address: 30 failures in ten minutes, for whoever tries many names.
_FREE_TRIES = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 900.0
_ADDRESS_TRIES, _ADDRESS_WINDOW_S = 30, 600.0
_FORGOTTEN_S = 86_400.0
_HASHED_AT_ONCE = 2  # 64 MiB of memory each
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 12, 256
_NAME = re.compile(r"\w[\w .@'-]{0,63}")
_TAKEN = frozenset({"archive", "worker", "backup", "reindex", "node", "command line", "workstation", "nobody"})
_SET_UP_TRIES = 10
_SIGNS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


class Role(StrEnum):
    """What somebody is in the department."""

    PHYSICIAN = "physician"
    TECHNOLOGIST = "technologist"
    PHYSICIST = "physicist"
    RESEARCHER = "researcher"
    ADMIN = "admin"


class Right(StrEnum):
    """What a role may do."""

    SIGNED_IN = "signed in"
    STUDIES = "studies"
    """See the worklist, pictures and readings."""
    IDENTITY = "identity"
    """See whose they are."""
    READ_AGAIN = "read again"
    LEAFLET = "leaflet"
    """Tell a patient, in one's own name, what was found."""
    PEOPLE = "people"
    """Make and change accounts."""
    AUDIT = "audit"


_CLINICAL = frozenset({Right.SIGNED_IN, Right.STUDIES, Right.IDENTITY, Right.READ_AGAIN})

RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.PHYSICIAN: _CLINICAL | {Right.LEAFLET},
        Role.TECHNOLOGIST: _CLINICAL,
        Role.PHYSICIST: _CLINICAL,
        Role.RESEARCHER: frozenset({Right.SIGNED_IN, Right.STUDIES}),
        Role.ADMIN: frozenset(Right) - {Right.LEAFLET},
    }
)
"""What each role may do; whatever is not here is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may sign in.

    Parameters
    ----------
    name : str
        As it was written.
    role : Role
    active : bool
        Whether a sign-in is taken.
    made_at, changed_at : str
        UTC.
    """

    name: str
    role: Role
    active: bool
    made_at: str
    changed_at: str

    @property
    def key(self) -> str:
        """The name as it is compared."""
        return name_key(self.name)

    def may(self, right: Right) -> bool:
        """Whether the role has a right.

        Parameters
        ----------
        right : Right

        Returns
        -------
        bool
        """
        return right in RIGHTS[self.role]


def name_key(name: str) -> str:
    """A name as it is compared: two that look the same are the same.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return " ".join(unicodedata.normalize("NFKC", name.replace("\0", " ")).casefold().split())


class SetUp:
    """The one-time code with which the first administrator is made; it is in memory and on the terminal, in no file."""

    def __init__(self) -> None:
        groups = ("".join(secrets.choice(_SIGNS) for _ in range(4)) for _ in range(4))
        self.code = "-".join(groups)
        self._tries = _SET_UP_TRIES
        self._lock = threading.Lock()

    def check(self, code: str) -> None:
        """Hold what was typed against the code.

        Parameters
        ----------
        code : str

        Raises
        ------
        Refusal
            When it is another, or was tried too often.
        """
        typed = re.sub(r"[^A-Z0-9]", "", code.upper())
        with self._lock:
            if self._tries <= 0:
                raise Refusal(429, "code_void", "The code was tried too often; start bonescan serve again for another.")
            self._tries -= 1
            if not hmac.compare_digest(typed.encode(), self.code.replace("-", "").encode()):
                raise Refusal(
                    403, "wrong_code", f"This is not the code that was printed; {self._tries} tries are left."
                )


class People:
    """The accounts of one archive.

    Parameters
    ----------
    database : Database
    hasher : PasswordHasher, optional
        argon2id with the library's own cost (RFC 9106, low memory) by default.
    clock : callable
        Seconds since 1970.
    """

    def __init__(
        self, database: Database, *, hasher: PasswordHasher | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._clock = database, clock
        self._hasher = hasher or PasswordHasher()
        self._hashing = threading.BoundedSemaphore(_HASHED_AT_ONCE)
        self._hash_of_nobody = self._hasher.hash(secrets.token_urlsafe())
        self._somebody = False

    def nobody_yet(self) -> bool:
        """Whether the first administrator is still to be made.

        Returns
        -------
        bool
        """
        if not self._somebody:
            with self._database.read() as connection:
                self._somebody = bool(connection.execute(select(func.count()).select_from(account)).scalar_one())
        return not self._somebody

    def all(self) -> list[Account]:
        """Everybody, by name.

        Returns
        -------
        list of Account
        """
        with self._database.read() as connection:
            return [_as_account(row) for row in connection.execute(select(account).order_by(account.c.name_key))]

    def add(self, name: str, role: Role, password: str, *, actor: str, first: bool = False) -> Account:
        """Make an account.

        Parameters
        ----------
        name : str
        role : Role
        password : str
        actor : str
            Who makes it.
        first : bool
            Whether it must be the first of all.

        Returns
        -------
        Account

        Raises
        ------
        Refusal
            For a name that is taken or cannot be one, and a password that is easily guessed.
        """
        name = " ".join(unicodedata.normalize("NFKC", name).split())
        key = name_key(name)
        if not _NAME.fullmatch(name) or key in _TAKEN:
            raise Refusal(
                422, "name", "A name has 1 to 64 letters, digits, spaces or . @ ' - and begins with a letter."
            )
        _refuse_weak(password, key)
        row = {"name_key": key, "name": name, "role": str(role), "password_hash": self._hash(password), "active": True}
        with self._database.write() as connection:
            if first and connection.execute(select(account.c.name).limit(1)).first() is not None:
                raise Refusal(409, "set_up", "The first administrator has been made already; sign in.")
            if connection.execute(select(account.c.name).where(account.c.name_key == key)).first() is not None:
                raise Refusal(409, "name_taken", "Somebody has this name already; choose another.")
            now = utc_now()
            connection.execute(insert(account).values(**row, made_at=now, changed_at=now))
            audit.append(connection, actor=actor, action="account.made", subject=name, detail={"role": str(role)})
        return Account(name=name, role=role, active=True, made_at=now, changed_at=now)

    def change(
        self,
        name: str,
        *,
        actor: str,
        role: Role | None = None,
        active: bool | None = None,
        password: str | None = None,
    ) -> Account:
        """Change an account; whoever is signed in with it is signed out, and its pause is over.

        Parameters
        ----------
        name : str
        actor : str
        role, active, password
            What is to be different.

        Returns
        -------
        Account

        Raises
        ------
        Refusal
            When there is no such account, the password is easily guessed, or nobody would be left who can do this.
        """
        key = name_key(name)
        values: dict[str, Any] = {"changed_at": utc_now()}
        if role is not None:
            values["role"] = str(role)
        if active is not None:
            values["active"] = active
        if password is not None:
            _refuse_weak(password, key)
            values["password_hash"] = self._hash(password)
        with self._database.write() as connection:
            if connection.execute(update(account).where(account.c.name_key == key).values(**values)).rowcount == 0:
                raise Refusal(404, "no_account", "There is nobody of this name.")
            left = select(func.count()).where(account.c.role == str(Role.ADMIN), account.c.active)
            loses = role is not None or active is not None
            if loses and connection.execute(left).scalar_one() == 0:
                raise Refusal(409, "last_admin", "The last administrator stays: make another one first.")
            connection.execute(delete(sign_in).where(sign_in.c.name_key == key))
            connection.execute(delete(attempt).where(attempt.c.key == _digest("account", key)))
            changed = _as_account(connection.execute(select(account).where(account.c.name_key == key)).one())
            told = ("role", "active")
            detail = {str(name): str(values[name]) for name in told if name in values}
            detail |= {"password": "changed"} if password is not None else {}
            audit.append(connection, actor=actor, action="account.changed", subject=changed.name, detail=detail)
        return changed

    def check(self, name: str, password: str, *, address: str) -> Account:
        """Say who somebody is, who names a name and a password.

        Parameters
        ----------
        name, password : str
        address : str
            Whence the request came.

        Returns
        -------
        Account

        Raises
        ------
        Refusal
            When they do not belong together (in the same words and time for every cause), or were tried too often.
        """
        key = name_key(name)
        self._count_attempt(key, address)
        with self._database.read() as connection:
            row = connection.execute(select(account).where(account.c.name_key == key)).one_or_none()
        right = self._verify(self._hash_of_nobody if row is None else row.password_hash, password)
        known = row is not None and row.active
        with self._database.write() as connection:
            if row is None or not known or not right:
                subject = "" if row is None else row.name  # what is no account may be a password in the wrong field
                detail = {"address": address}
                audit.append(connection, actor="workstation", action="sign_in.refused", subject=subject, detail=detail)
            else:
                own = attempt.c.key == _digest("account", key)
                connection.execute(delete(attempt).where(own))
                whence = attempt.c.key == _digest("address", address)
                connection.execute(update(attempt).where(whence).values(failures=attempt.c.failures - 1))
                if self._hasher.check_needs_rehash(row.password_hash):
                    renewed = {"password_hash": self._hash(password)}
                    connection.execute(update(account).where(account.c.name_key == key).values(**renewed))
        if row is None or not known or not right:
            raise Refusal(401, "wrong", "The name or the password is wrong.")
        return _as_account(row)

    def _count_attempt(self, key: str, address: str) -> None:
        """Count a try as failed before it is looked at; refuse it when there were too many."""
        now = self._clock()
        mine, whence = _digest("account", key), _digest("address", address)
        pause_s = 0.0
        with self._database.write() as connection:
            connection.execute(delete(attempt).where(attempt.c.last_s < now - _FORGOTTEN_S))
            tried = {
                row.key: row for row in connection.execute(select(attempt).where(attempt.c.key.in_([mine, whence])))
            }
            if mine in tried and tried[mine].failures >= _FREE_TRIES:
                doublings = min(tried[mine].failures - _FREE_TRIES, 10)
                pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**doublings)
                pause_s = pause - max(0.0, now - tried[mine].last_s)
            window_over = whence in tried and now - tried[whence].first_s > _ADDRESS_WINDOW_S
            if whence in tried and not window_over and tried[whence].failures >= _ADDRESS_TRIES:
                pause_s = max(pause_s, _ADDRESS_WINDOW_S - max(0.0, now - tried[whence].first_s))
            if pause_s <= 0:
                _count(connection, mine, tried.get(mine), now, anew=False)
                _count(connection, whence, tried.get(whence), now, anew=window_over)
        if pause_s > 0:
            minutes = math.ceil(pause_s / 60)
            raise Refusal(
                429, "too_many_tries", f"Too many tries; try again in {minutes} minute(s).", retry_after_s=pause_s
            )

    def _hash(self, password: str) -> str:
        with self._hashing:
            return self._hasher.hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(stored, password[: _LONGEST_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False


def _count(connection: Connection, key: str, known: Any, now: float, *, anew: bool) -> None:
    if known is None:
        connection.execute(insert(attempt).values(key=key, failures=1, first_s=now, last_s=now))
        return
    values = {"failures": 1, "first_s": now} if anew else {"failures": known.failures + 1}
    connection.execute(update(attempt).where(attempt.c.key == key).values(**values, last_s=now))


def _digest(kind: str, what: str) -> str:
    return f"{kind} {hashlib.sha256(what.encode('utf-8', 'replace')).hexdigest()}"


def _refuse_weak(password: str, key: str) -> None:
    """Refuse what is guessed first; no rule about signs and digits, which makes passwords worse."""
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise Refusal(
            422,
            "password",
            f"A password has {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters; three or four words do well.",
        )
    if len(set(password)) < 5 or key in name_key(password) or "password" in password.casefold():
        raise Refusal(422, "password", "This password is easily guessed; take three or four words that nobody expects.")


def _as_account(row: Any) -> Account:
    return Account(
        name=row.name, role=Role(row.role), active=row.active, made_at=row.made_at, changed_at=row.changed_at
    )
