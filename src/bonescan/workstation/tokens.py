"""What machines show instead of a password: access tokens, made by an administrator, seen once, taken back at any time.

::

    made      256 random bits, shown once; the table keeps their SHA-256, a name, a role
    used      Authorization: Bearer ...; no cookie, so no request can be forged with it; "used at" once a minute
    taken     a token that was revoked is unknown at once; its row stays, so that the trail can be understood

A token needs no slow hash: nobody guesses 256 bits. Wrong ones are counted by address all the same, so that neither the
audit trail nor the database can be flooded with them; a right one is served whatever others do from its address.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from bonescan.archive import audit
from bonescan.archive.database import Database
from bonescan.archive.tables import access_token
from bonescan.workstation.people import Account, Role
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.tables import attempt

__all__ = ["Token", "Tokens"]

_PREFIX = "bonescan_"  # whoever finds one in a file or a log knows what it opens
_NAME = re.compile(r"\w[\w .,@'-]{0,63}")
_LONGEST = 128
_USED_EVERY_S = 60.0
_TRIES, _WINDOW_S = 30, 600.0  # as for the passwords of an address


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token, without what opens anything.

    Parameters
    ----------
    id : str
        For addresses; it opens nothing.
    name : str
        What an administrator calls the machine.
    role : Role
    made_by : str
    made_at, used_at, revoked_at : str
        UTC; empty for never.
    """

    id: str
    name: str
    role: Role
    made_by: str
    made_at: str
    used_at: str
    revoked_at: str


class Tokens:
    """The access tokens of one archive.

    Parameters
    ----------
    database : Database
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def all(self) -> list[Token]:
        """Every token that was ever made, the newest first.

        Returns
        -------
        list of Token
        """
        newest = select(access_token).order_by(access_token.c.made_at.desc(), access_token.c.id)
        with self._database.read() as connection:
            return [_as_token(row) for row in connection.execute(newest)]

    def add(self, name: str, role: Role, *, actor: str) -> tuple[Token, str]:
        """Make a token.

        Parameters
        ----------
        name : str
        role : Role
        actor : str
            Who makes it.

        Returns
        -------
        (Token, str)
            The second is the token itself, which is kept nowhere.

        Raises
        ------
        Refusal
            For a name that cannot be one or is in use, and for an administrator's role.
        """
        name = " ".join(unicodedata.normalize("NFKC", name).split())
        if not _NAME.fullmatch(name):
            raise Refusal(
                422, "name", "A name has 1 to 64 letters, digits, spaces or . , @ ' - and begins with a letter."
            )
        if role is Role.ADMIN:
            raise Refusal(422, "role", "A machine makes no accounts: choose the role of those for whom it works.")
        secret, made = _PREFIX + secrets.token_urlsafe(32), secrets.token_hex(8)
        taken = (access_token.c.name == name) & (access_token.c.revoked_at == "")
        row = {"id": made, "name": name, "role": str(role), "made_by": actor, "made_at": self._now()}
        with self._database.write() as connection:
            if connection.execute(select(access_token.c.id).where(taken)).first() is not None:
                raise Refusal(409, "name_taken", "A token of this name is in use; revoke it, or choose another name.")
            connection.execute(insert(access_token).values(**row, token_sha256=_digest(secret)))
            audit.append(
                connection, actor=actor, action="token.made", subject=name, detail={"id": made, "role": str(role)}
            )
        return Token(
            id=made, name=name, role=role, made_by=actor, made_at=row["made_at"], used_at="", revoked_at=""
        ), secret

    def revoke(self, token_id: str, *, actor: str) -> Token:
        """Take a token back, at once and for good.

        Parameters
        ----------
        token_id : str
        actor : str

        Returns
        -------
        Token

        Raises
        ------
        Refusal
            When there is no such token; one that was revoked already stays as it is.
        """
        own = access_token.c.id == token_id
        with self._database.write() as connection:
            row = connection.execute(select(access_token).where(own)).one_or_none()
            if row is None:
                raise Refusal(404, "no_token", "There is no such token.")
            if not row.revoked_at:
                connection.execute(update(access_token).where(own).values(revoked_at=self._now()))
                audit.append(connection, actor=actor, action="token.revoked", subject=row.name, detail={"id": token_id})
            return _as_token(connection.execute(select(access_token).where(own)).one())

    def who(self, secret: str, *, address: str) -> Account:
        """Say which machine shows a token.

        Parameters
        ----------
        secret : str
        address : str
            Whence the request came.

        Returns
        -------
        Account
            Its name begins with ``token:``, which no person's can.

        Raises
        ------
        Refusal
            For a token that nobody has, or any more; after many of them from one address without looking further.
        """
        own = access_token.c.token_sha256 == _digest(secret[: _LONGEST + 1])
        with self._database.read() as connection:
            row = connection.execute(select(access_token).where(own, access_token.c.revoked_at == "")).one_or_none()
        if row is None:
            self._count_wrong(address)
            raise Refusal(401, "wrong_token", "This access token is not known here.")
        now = self._now()
        if not row.used_at or abs(_seconds(now) - _seconds(row.used_at)) > _USED_EVERY_S:
            with self._database.write() as connection:
                connection.execute(update(access_token).where(own).values(used_at=now))
        return Account(
            name=f"token:{row.name}",
            role=Role(row.role),
            active=True,
            made_at=row.made_at,
            changed_at=row.made_at,
            machine=True,
        )

    def _count_wrong(self, address: str) -> None:
        """Count a wrong token; the index has one writer, so of many at one moment each finds the count of the last."""
        now, key = self._clock(), f"token {_digest(address)}"
        with self._database.read() as connection:
            _lives(connection, key, now)  # whoever floods is refused without a turn at writing
        with self._database.write() as connection:
            if _lives(connection, key, now):
                values = {"failures": attempt.c.failures + 1, "last_s": now}
                connection.execute(update(attempt).where(attempt.c.key == key).values(**values))
            else:
                connection.execute(delete(attempt).where(attempt.c.key == key))
                connection.execute(insert(attempt).values(key=key, failures=1, first_s=now, last_s=now))
            audit.append(
                connection, actor="workstation", action="token.refused", subject="", detail={"address": address}
            )

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="microseconds")


def _lives(connection: Connection, key: str, now: float) -> bool:
    """Whether a count goes on; refused where it is full."""
    known = connection.execute(select(attempt).where(attempt.c.key == key)).one_or_none()
    if known is None or not 0 <= now - known.first_s <= _WINDOW_S:
        return False
    if known.failures >= _TRIES:
        left_s = _WINDOW_S - (now - known.first_s)
        words = f"Too many wrong tokens; try again in {math.ceil(left_s / 60)} minute(s)."
        raise Refusal(429, "too_many_tries", words, retry_after_s=left_s)
    return True


def _digest(words: str) -> str:
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _as_token(row: Any) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        made_by=row.made_by,
        made_at=row.made_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
