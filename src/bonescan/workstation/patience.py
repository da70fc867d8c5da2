"""Patience with who guesses passwords, and with whoever is guessed at: tries are counted, and pauses end.

::

    a browser in which the name has signed in before   its own tries at the name alone
    any other                                          tries at the name from the address
                                                       + tries at any name from the address
                                                       + tries at the name from everywhere

So somebody who knows a name can make nobody wait but whoever comes from the same address or, with very many tries from
many addresses, in a browser that the name was never used in. Names that do not exist are counted as those that do, and
what was typed as a name, which may be a password, is kept as a digest alone.

References
----------
OWASP, Slow Down Online Guessing Attacks with Device Cookies [M]: tries of known browsers are counted apart.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, delete, insert, or_, select, update

from bonescan.archive.database import Database
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.tables import attempt, known_browser

__all__ = ["Patience"]

# [D] A name from one address or browser: five free tries, then pauses of 1, 2, 4, 8, 15 minutes. An address: 30
# failures in ten minutes. A name from everywhere: 50 failures in a day, then one try in 15 minutes.
_FREE_TRIES = 5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 60.0, 900.0
_ADDRESS_TRIES, _ADDRESS_WINDOW_S = 30, 600.0
_EVERYWHERE_TRIES, _FORGOTTEN_S = 50, 86_400.0
_KNOWN_S = 180 * 86_400.0


class _Tried(Protocol):
    """A row of the table of attempts."""

    failures: int
    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class _Counter:
    """What is counted, how long it counts, and how long one waits after so many."""

    key: str
    window_s: float
    pause_s: Callable[[_Tried, float], float]


class Patience:
    """The tries at passwords of one workstation, and the browsers it knows.

    Parameters
    ----------
    database : Database
    clock : callable
        Seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    def count(self, name_key: str, address: str, browser: str) -> None:
        """Count a try as failed before it is looked at; refuse it when there were too many.

        Parameters
        ----------
        name_key : str
            The name as it is compared.
        address : str
            Whence it came.
        browser : str
            The token by which the browser is known, if it is.

        Raises
        ------
        Refusal
            With the time after which another try is taken.
        """
        now = self._clock()
        with self._database.write() as connection:
            connection.execute(delete(attempt).where(attempt.c.last_s < now - _FORGOTTEN_S))
            for column in (attempt.c.first_s, attempt.c.last_s):  # of a clock that was set back: its pause begins now
                connection.execute(update(attempt).where(column > now).values({column: now}))
            counters = self._counters(connection, name_key, address, browser)
            keys = [one.key for one in counters]
            found: dict[str, Any] = {
                row.key: row for row in connection.execute(select(attempt).where(attempt.c.key.in_(keys)))
            }
            wait_s = max((one.pause_s(found[one.key], now) for one in counters if one.key in found), default=0.0)
            if wait_s <= 0:
                for one in counters:
                    _add(connection, one, found.get(one.key), now)
        if wait_s > 0:
            minutes = math.ceil(wait_s / 60)
            raise Refusal(
                429, "too_many_tries", f"Too many tries; try again in {minutes} minute(s).", retry_after_s=wait_s
            )

    def take_back(self, connection: Connection, name_key: str, address: str, browser: str) -> None:
        """Uncount a try that was right.

        Parameters
        ----------
        connection : Connection
            In a writing transaction.
        name_key, address, browser : str
            As they were counted.
        """
        own, *wider = self._counters(connection, name_key, address, browser)
        connection.execute(delete(attempt).where(attempt.c.key == own.key))
        keys = [one.key for one in wider]
        connection.execute(update(attempt).where(attempt.c.key.in_(keys)).values(failures=attempt.c.failures - 1))

    def lift(self, connection: Connection, name_key: str) -> None:
        """Forget the tries at a name, and the browsers that are known for it.

        Parameters
        ----------
        connection : Connection
            In a writing transaction.
        name_key : str
        """
        name = _digest(name_key)
        of_name = or_(attempt.c.key.startswith(f"name {name}"), attempt.c.key == f"everywhere {name}")
        connection.execute(delete(attempt).where(of_name))
        connection.execute(delete(known_browser).where(known_browser.c.name_key == name_key))

    def know(self, name_key: str, browser: str) -> None:
        """Remember that a name has signed in with a browser.

        Parameters
        ----------
        name_key : str
        browser : str
            Its token; only a digest is kept.
        """
        now = self._clock()
        own = (known_browser.c.token_sha256 == _digest(browser)) & (known_browser.c.name_key == name_key)
        with self._database.write() as connection:
            connection.execute(delete(known_browser).where(or_(own, known_browser.c.seen_s < now - _KNOWN_S)))
            row = {"token_sha256": _digest(browser), "name_key": name_key, "seen_s": now}
            connection.execute(insert(known_browser).values(row))

    def _counters(self, connection: Connection, name_key: str, address: str, browser: str) -> list[_Counter]:
        name = _digest(name_key)
        own = (known_browser.c.token_sha256 == _digest(browser)) & (known_browser.c.name_key == name_key)
        if browser and connection.execute(select(known_browser.c.seen_s).where(own)).first() is not None:
            return [_Counter(f"name {name} browser {_digest(browser)}", _FORGOTTEN_S, _growing)]
        return [
            _Counter(f"name {name} address {_digest(address)}", _FORGOTTEN_S, _growing),
            _Counter(f"address {_digest(address)}", _ADDRESS_WINDOW_S, _until_the_window_ends),
            _Counter(f"everywhere {name}", _FORGOTTEN_S, _one_now_and_then),
        ]


def _growing(row: _Tried, now: float) -> float:
    if row.failures < _FREE_TRIES:
        return 0.0
    pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(row.failures - _FREE_TRIES, 10))
    return pause - max(0.0, now - row.last_s)


def _until_the_window_ends(row: _Tried, now: float) -> float:
    return 0.0 if row.failures < _ADDRESS_TRIES else _ADDRESS_WINDOW_S - max(0.0, now - row.first_s)


def _one_now_and_then(row: _Tried, now: float) -> float:
    if row.failures < _EVERYWHERE_TRIES or now - row.first_s > _FORGOTTEN_S:
        return 0.0
    return _LONGEST_PAUSE_S - max(0.0, now - row.last_s)


def _add(connection: Connection, counter: _Counter, known: Any, now: float) -> None:
    if known is None:
        connection.execute(insert(attempt).values(key=counter.key, failures=1, first_s=now, last_s=now))
        return
    over = counter.window_s < _FORGOTTEN_S and now - known.first_s > counter.window_s
    values = {"failures": 1, "first_s": now} if over else {"failures": known.failures + 1}
    connection.execute(update(attempt).where(attempt.c.key == counter.key).values(**values, last_s=now))


def _digest(what: str) -> str:
    return hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()
