"""Who may use the workstation, and for what: roles, accounts, passwords, the first set-up, and patience with guessers.

::

    name, password ─► count the attempt ─► argon2 (real or of nobody) ─► right: attempt taken back, Account
                         │ too many: 429                               └► wrong: 401, the same words for every cause

An attempt is counted (`bonescan.workstation.patience`) before the password is looked at, so a thousand at once are a
thousand. An account that does not exist is answered as one that does, after the same work, and locks as one that does.
"""

from __future__ import annotations

import hmac
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
from sqlalchemy import delete, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.database import Database, utc_now
from bonescan.archive.tables import account
from bonescan.workstation.patience import Patience
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.tables import sign_in

__all__ = [
    "FOR_MACHINES",
    "RIGHTS",
    "Account",
    "People",
    "Right",
    "Role",
    "SetUp",
    "name_key",
    "refuse_name",
]

_HASHED_AT_ONCE = 2  # 64 MiB of memory each
_SHORTEST_PASSWORD, _LONGEST_PASSWORD = 12, 256
_NAME = re.compile(r"\w[\w .,@'-]{0,63}")  # directories write "Family, Given"
_TAKEN = frozenset(
    {
        "provider",
        "set-up",
        "archive",
        "worker",
        "backup",
        "check",
        "reindex",
        "node",
        "command line",
        "workstation",
        "nobody",
    }
)
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
    EDIT = "edit"
    """See and change drafts."""
    SIGN = "sign"
    SEND = "send"
    """Have signed readings sent to other nodes."""
    LEAFLET = "leaflet"
    """Tell a patient, in one's own name, what was found."""
    PEOPLE = "people"
    """Make and change accounts."""
    AUDIT = "audit"
    STORE = "store"
    """Put objects into the archive over DICOMweb."""


_CLINICAL = frozenset({Right.SIGNED_IN, Right.STUDIES, Right.IDENTITY, Right.READ_AGAIN, Right.SEND, Right.STORE})
_OF_PHYSICIANS = frozenset({Right.EDIT, Right.SIGN, Right.LEAFLET})

RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.PHYSICIAN: _CLINICAL | _OF_PHYSICIANS,
        Role.TECHNOLOGIST: _CLINICAL,
        Role.PHYSICIST: _CLINICAL,
        Role.RESEARCHER: frozenset({Right.SIGNED_IN, Right.STUDIES}),
        Role.ADMIN: frozenset(Right) - _OF_PHYSICIANS,
    }
)
"""What each role may do; whatever is not here is refused."""

FOR_MACHINES = frozenset({Right.STUDIES, Right.IDENTITY, Right.READ_AGAIN, Right.STORE})
"""The most that an access token may do, whatever its role: it signs nothing, and makes no accounts."""


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
    by_password : bool
        Whether they have a password here; else they sign in at the hospital's provider.
    machine : bool
        Whether it is a machine with an access token.
    """

    name: str
    role: Role
    active: bool
    made_at: str
    changed_at: str
    by_password: bool = True
    machine: bool = False

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
        return right in RIGHTS[self.role] and (not self.machine or right in FOR_MACHINES)


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
        self._database = database
        self._patience = Patience(database, clock)
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
        refuse_name(name)
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
            self._patience.lift(connection, key)
            changed = _as_account(connection.execute(select(account).where(account.c.name_key == key)).one())
            told = ("role", "active")
            detail = {str(name): str(values[name]) for name in told if name in values}
            detail |= {"password": "changed"} if password is not None else {}
            audit.append(connection, actor=actor, action="account.changed", subject=changed.name, detail=detail)
        return changed

    def check(self, name: str, password: str, *, address: str, browser: str = "") -> Account:
        """Say who somebody is, who names a name and a password.

        Parameters
        ----------
        name, password : str
        address : str
            Whence the request came.
        browser : str
            The token by which the browser is known, if it is: others' guesses do not make it wait.

        Returns
        -------
        Account

        Raises
        ------
        Refusal
            When they do not belong together (in the same words and time for every cause), or were tried too often.
        """
        key = name_key(name)
        self._patience.count(key, address, browser)
        with self._database.read() as connection:
            row = connection.execute(select(account).where(account.c.name_key == key)).one_or_none()
        right = self._verify((row.password_hash if row is not None else "") or self._hash_of_nobody, password)
        known = row is not None and row.active
        with self._database.write() as connection:
            if row is None or not known or not right:
                subject = "" if row is None else row.name  # what is no account may be a password in the wrong field
                detail = {"address": address}
                audit.append(connection, actor="workstation", action="sign_in.refused", subject=subject, detail=detail)
            else:
                self._patience.take_back(connection, key, address, browser)
                if self._hasher.check_needs_rehash(row.password_hash):
                    renewed = {"password_hash": self._hash(password)}
                    connection.execute(update(account).where(account.c.name_key == key).values(**renewed))
        if row is None or not known or not right:
            raise Refusal(401, "wrong", "The name or the password is wrong.")
        return _as_account(row)

    def know_browser(self, who: Account, browser: str) -> None:
        """Remember that somebody has signed in with a browser.

        Parameters
        ----------
        who : Account
        browser : str
            Its token.
        """
        self._patience.know(who.key, browser)

    def _hash(self, password: str) -> str:
        with self._hashing:
            return self._hasher.hash(password)

    def _verify(self, stored: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(stored, password[: _LONGEST_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False


def refuse_name(name: str) -> None:
    """Refuse what could be mistaken for something else than a person's name.

    Parameters
    ----------
    name : str

    Raises
    ------
    Refusal
        422 "name".
    """
    if not _NAME.fullmatch(name) or name_key(name) in _TAKEN:
        raise Refusal(422, "name", "A name has 1 to 64 letters, digits, spaces or . , @ ' - and begins with a letter.")


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
        name=row.name,
        role=Role(row.role),
        active=row.active,
        made_at=row.made_at,
        changed_at=row.changed_at,
        by_password=bool(row.password_hash),
    )
