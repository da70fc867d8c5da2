"""The routes to the hospital's provider and back, see `bonescan.workstation.oidc`; a browser walks them, no script.

The answer comes from another site, so the browser shows it no cookie of ours but those that were planted for it
(SameSite=Lax, ten minutes, on these paths), one for each sign-in that waits: its name is made of the state that the
answer brings. A browser has few of them; the oldest makes room. What goes wrong is told on the sign-in page, by a code.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bonescan.archive import audit
from bonescan.errors import BoneScanError
from bonescan.workstation.guard import cookie_of, cookies_of
from bonescan.workstation.oidc import Identity, Provider
from bonescan.workstation.people_routes import begin_session
from bonescan.workstation.provided import account_of, known_account
from bonescan.workstation.refusal import Refusal, refusal_of
from bonescan.workstation.rooms import InRooms, Rooms

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/session/provider", tags=["people"])
_PLANTED = "bonescan_provider_"
_PLANTED_S = 600
_MOST_PLANTED = 4  # [D] of some 700 bytes each, beside which a proxy still takes the request's head
_LONGEST_PATH = 500
_SEE_OTHER = 303
_log = logging.getLogger("bonescan.workstation")


@router.get("", status_code=_SEE_OTHER, response_class=RedirectResponse)
def to_provider(
    request: Request,
    rooms: InRooms,
    onward: Annotated[str, Query(alias="next", max_length=_LONGEST_PATH)] = "/",
    again: bool = False,
) -> Response:
    """Go to the hospital's provider to sign in, or, with `again`, to prove once more who one is."""
    provider = _provider(rooms)
    token = cookie_of(request.headers) if again else ""
    if again and rooms.sessions.who(token) is None:
        raise Refusal(401, "signed_out", "Sign in first.")
    redirect = f"{request.url.scheme}://{request.headers['host']}{router.prefix}/answer"
    try:
        address, state, planted = provider.begin(redirect=redirect, onward=_own(onward), again=token)
    except BoneScanError as error:
        return _told(refusal_of(error))
    response = RedirectResponse(address, _SEE_OTHER)
    waiting = {name: provider.began_s(value) for name, value in cookies_of(request.headers, _PLANTED).items()}
    for name in sorted(waiting, key=waiting.__getitem__, reverse=True)[_MOST_PLANTED - 1 :]:
        _plant(response, name, "", request, lasts_s=0)
    _plant(response, _name_of(state), planted, request)
    return response


@router.get("/answer", status_code=_SEE_OTHER, response_class=RedirectResponse)
def from_provider(request: Request, rooms: InRooms) -> Response:
    """Come back from the hospital's provider."""
    provider = _provider(rooms)
    answer = dict(request.query_params)
    name = _name_of(answer.get("state", ""))
    identity: Identity | None = None
    try:
        identity, begun = provider.end(answer, cookie_of(request.headers, name))
        response = RedirectResponse(begun.onward, _SEE_OTHER)
        if begun.again:
            _prove(rooms, identity, begun.again)
        else:
            who = account_of(rooms.archive.database, rooms.people, identity)
            begin_session(rooms, who, request, response)
    except BoneScanError as error:
        refusal = refusal_of(error)
        _log.warning("a sign-in at the provider was refused: %s", refusal if refusal.code == "untrue" else refusal.code)
        if identity is not None:  # whom the provider knows; anybody else could fill the audit trail
            detail = {"address": request.client.host if request.client else "", "provider": refusal.code}
            with rooms.archive.database.write() as connection:
                audit.append(connection, actor="workstation", action="sign_in.refused", subject="", detail=detail)
        response = _told(refusal)
    _plant(response, name, "", request, lasts_s=0)
    return response


def _name_of(state: str) -> str:
    """The name of the cookie in which a sign-in waits."""
    return _PLANTED + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:16]


def _provider(rooms: Rooms) -> Provider:
    if rooms.provider is None:
        raise Refusal(404, "no_provider", "This workstation has no provider; sign in with name and password.")
    return rooms.provider


def _prove(rooms: Rooms, identity: Identity, token: str) -> None:
    """Note that the owner of a session has just proved who they are, if it is they."""
    who, proved = rooms.sessions.who(token), known_account(rooms.archive.database, identity)
    if who is None or proved is None or who.key != proved.key:
        raise Refusal(403, "another", "Somebody else signed in at the provider; sign in as yourself.")
    account_of(rooms.archive.database, rooms.people, identity)  # shut, or of another role since: signed out
    rooms.sessions.prove(token)


def _own(path: str) -> str:
    """A path of this workstation, whatever was asked for: no other host, no other scheme, none of our own routes."""
    plain = (
        path.startswith("/") and not path.startswith(("//", "/\\", "/api/")) and path.isascii() and path.isprintable()
    )
    return path if plain and "\\" not in path and " " not in path else "/"


def _told(refusal: Refusal) -> RedirectResponse:
    return RedirectResponse(f"/sign-in?refused={refusal.code}", _SEE_OTHER)


def _plant(response: Response, name: str, value: str, request: Request, *, lasts_s: int = _PLANTED_S) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=lasts_s, httponly=True, samesite="lax", secure=secure, path=router.prefix)
