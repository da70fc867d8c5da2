"""Whoever signs proves once more who they are: by their password or, where they have none, at the provider."""

from __future__ import annotations

from fastapi import Request

from bonescan.workstation.guard import cookie_of
from bonescan.workstation.people import Account
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import Rooms
from bonescan.workstation.sessions import BROWSER_COOKIE

__all__ = ["prove_again"]


def prove_again(rooms: Rooms, who: Account, password: str, request: Request) -> None:
    """Let somebody pass who proves once more who they are.

    Parameters
    ----------
    rooms : Rooms
    who : Account
        Who is signed in.
    password : str
        As typed; empty from those who have none: they went to the provider at most five minutes ago, for this once.
    request : Request

    Raises
    ------
    Refusal
        401 or 429 as at a sign-in; 403 "prove_again" when the provider is to be asked.
    """
    if who.by_password:
        address = request.client.host if request.client else ""
        browser = cookie_of(request.headers, BROWSER_COOKIE)
        rooms.people.check(who.name, password, address=address, browser=browser)
    elif not rooms.sessions.take_proof(cookie_of(request.headers)):
        raise Refusal(403, "prove_again", "Sign in again at the hospital's provider, then sign.")
