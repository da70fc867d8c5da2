"""Sign-ins: an unguessable token in a cookie, its digest in the database, and an end that comes by itself.

::

    before    cookie T0, no row                      csrf = SHA-256("bonescan csrf", T0)
    sign-in   a new T1, row SHA-256(T1) ─► account   what anybody planted as T0 is worth nothing
    use       seen at most once a minute; ends after half an hour without use, or twelve hours in any case
    end       sign-out, change of password, role or state: the row goes, and with it every copy of the cookie

The token against forged requests follows from the cookie by a one-way function: only a page of our own origin, which
asks for it, can send it along. Another page can make a browser send the cookie, but not read either.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from sqlalchemy import delete, func, insert, select, update

from bonescan.archive import audit
from bonescan.archive.database import Database
from bonescan.archive.tables import account
from bonescan.workstation.people import Account, Role
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.tables import sign_in

__all__ = ["BROWSER_COOKIE", "COOKIE", "Sessions", "csrf_token", "is_csrf_token", "new_token"]

COOKIE = "bonescan_session"
"""Name of the cookie."""

BROWSER_COOKIE = "bonescan_browser"
"""Name of the cookie by which a browser is known again: it signs nobody in, see `bonescan.workstation.patience`."""

_SEEN_EVERY_S = 60.0
_CLOCK_DOUBT_S = 60.0
_PROVED_S = 300.0  # [D]


def new_token() -> str:
    """A token of 256 random bits.

    Returns
    -------
    str
    """
    return secrets.token_urlsafe(32)


def csrf_token(token: str) -> str:
    """The token against forged requests that belongs to a cookie.

    Parameters
    ----------
    token : str
        The cookie's value.

    Returns
    -------
    str
    """
    return hashlib.sha256(b"bonescan csrf" + token.encode("utf-8", "replace")).hexdigest()


def is_csrf_token(said: str, token: str) -> bool:
    """Whether a request said the token that belongs to its cookie.

    Parameters
    ----------
    said : str
    token : str
        The cookie's value; nothing belongs to an empty one.

    Returns
    -------
    bool
    """
    return bool(token) and hmac.compare_digest(said.encode("utf-8", "replace"), csrf_token(token).encode())


class Sessions:
    """Who is signed in.

    Parameters
    ----------
    database : Database
    idle_s, longest_s : float
        When a sign-in ends: without use, and in any case.
    clock : callable
        Seconds since 1970. A sign-in from the future, after a clock was set back, counts as ended.
    """

    def __init__(
        self, database: Database, *, idle_s: float, longest_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._idle_s, self._longest_s, self._clock = database, idle_s, longest_s, clock

    def begin(self, who: Account, *, replaces: str = "") -> str:
        """Sign somebody in.

        Parameters
        ----------
        who : Account
        replaces : str
            The token that the browser had until now; it ends.

        Returns
        -------
        str
            The new token.

        Raises
        ------
        Refusal
            When the account was changed since its password was looked at.
        """
        token, now = new_token(), self._clock()
        same = (account.c.name_key == who.key) & (account.c.changed_at == who.changed_at) & account.c.active
        with self._database.write() as connection:
            if connection.execute(select(account.c.name).where(same)).first() is None:
                raise Refusal(401, "wrong", "The account was changed just now; sign in again.")
            ended = (sign_in.c.seen_s < now - self._idle_s) | (sign_in.c.began_s < now - self._longest_s)
            connection.execute(delete(sign_in).where(ended | (sign_in.c.token_sha256 == _digest(replaces))))
            row = {"token_sha256": _digest(token), "name_key": who.key, "began_s": now, "seen_s": now}
            connection.execute(insert(sign_in).values(row))
            audit.append(connection, actor=who.name, action="sign_in.begun", subject=who.name)
        return token

    def who(self, token: str, *, uses: bool = True) -> Account | None:
        """Say who is signed in with a token.

        Parameters
        ----------
        token : str
        uses : bool
            Whether somebody did something, rather than a page that waits by itself.

        Returns
        -------
        Account or None
        """
        if not token:
            return None
        own, now = sign_in.c.token_sha256 == _digest(token), self._clock()
        joined = select(sign_in.c.began_s, sign_in.c.seen_s, account).join(
            account, account.c.name_key == sign_in.c.name_key
        )
        with self._database.read() as connection:
            row = connection.execute(joined.where(own)).one_or_none()
        if row is None or not row.active or not self._lives(row.began_s, row.seen_s, now):
            return None
        if uses and now - row.seen_s > min(_SEEN_EVERY_S, self._idle_s / 4):
            with self._database.write() as connection:
                connection.execute(update(sign_in).where(own).values(seen_s=now))
        return Account(
            name=row.name,
            role=Role(row.role),
            active=row.active,
            made_at=row.made_at,
            changed_at=row.changed_at,
            by_password=bool(row.password_hash),
        )

    def prove(self, token: str) -> None:
        """Note that the owner of a session has just proved once more who they are.

        Parameters
        ----------
        token : str
        """
        with self._database.write() as connection:
            own = sign_in.c.token_sha256 == _digest(token)
            connection.execute(update(sign_in).where(own).values(proved_s=self._clock()))

    def take_proof(self, token: str) -> bool:
        """Use up the proof that the owner of a session gave a moment ago.

        Parameters
        ----------
        token : str

        Returns
        -------
        bool
            Whether there was one, at most five minutes old.
        """
        now = self._clock()
        fresh = (sign_in.c.proved_s >= now - _PROVED_S) & (sign_in.c.proved_s <= now + _CLOCK_DOUBT_S)
        own = sign_in.c.token_sha256 == _digest(token)
        with self._database.write() as connection:
            return bool(connection.execute(update(sign_in).where(own & fresh).values(proved_s=0.0)).rowcount)

    def end(self, token: str, who: Account) -> None:
        """Sign somebody out.

        Parameters
        ----------
        token : str
        who : Account
        """
        with self._database.write() as connection:
            connection.execute(delete(sign_in).where(sign_in.c.token_sha256 == _digest(token)))
            audit.append(connection, actor=who.name, action="sign_in.ended", subject=who.name)

    def count(self) -> int:
        """How many sign-ins live.

        Returns
        -------
        int
        """
        now = self._clock()
        lives = (sign_in.c.seen_s >= now - self._idle_s) & (sign_in.c.began_s >= now - self._longest_s)
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(sign_in).where(lives)).scalar_one())

    def _lives(self, began_s: float, seen_s: float, now: float) -> bool:
        from_the_future = max(began_s, seen_s) > now + _CLOCK_DOUBT_S
        return not from_the_future and now - seen_s <= self._idle_s and now - began_s <= self._longest_s


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
