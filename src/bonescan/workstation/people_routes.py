"""The routes of people: set-up, sign-in and -out, passwords, accounts, and the audit trail."""

from __future__ import annotations

import threading
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from bonescan import __version__
from bonescan.archive import audit
from bonescan.workstation.answers import (
    AuditAnswer,
    NewPassword,
    NewUser,
    SessionAnswer,
    SetUpRequest,
    SignIn,
    TrailAnswer,
    UserAnswer,
    UserChange,
    UsersAnswer,
)
from bonescan.workstation.guard import cookie_of
from bonescan.workstation.people import Account, Right, Role
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, Rooms, allowed
from bonescan.workstation.sessions import BROWSER_COOKIE, COOKIE, csrf_token, new_token

__all__ = ["begin_session", "router"]

router = APIRouter(prefix="/api/v1", tags=["people"])
_LONGEST_TOKEN = 100
_KNOWN_S = 180 * 86_400
_verifying = threading.Lock()

SignedIn = Annotated[Account, allowed(Right.SIGNED_IN)]
Administrator = Annotated[Account, allowed(Right.PEOPLE)]
Auditor = Annotated[Account, allowed(Right.AUDIT)]


@router.get("/session")
def session(request: Request, response: Response, rooms: InRooms) -> SessionAnswer:
    """Say who is signed in; whoever comes for the first time gets a cookie that is worth nothing yet."""
    token = cookie_of(request.headers)
    if not 0 < len(token) <= _LONGEST_TOKEN:
        token = new_token()
        _set_cookie(response, token, request)
    return _session(rooms, rooms.sessions.who(token), token)


@router.post("/setup", status_code=201)
def set_up(wanted: SetUpRequest, request: Request, response: Response, rooms: InRooms) -> SessionAnswer:
    """Make the first administrator, with the code that `bonescan serve` printed, and sign in."""
    if not rooms.people.nobody_yet():
        raise Refusal(409, "set_up", "The first administrator has been made already; sign in.")
    rooms.set_up.check(wanted.code)
    made = rooms.people.add(wanted.name, Role.ADMIN, wanted.password, actor="set-up", first=True)
    return _signed_in(rooms, made, request, response)


@router.post("/session")
def sign_in(wanted: SignIn, request: Request, response: Response, rooms: InRooms) -> SessionAnswer:
    """Sign in."""
    address = request.client.host if request.client else ""
    browser = cookie_of(request.headers, BROWSER_COOKIE)
    who = rooms.people.check(wanted.name, wanted.password, address=address, browser=browser)
    return _signed_in(rooms, who, request, response)


@router.delete("/session")
def sign_out(who: SignedIn, request: Request, response: Response, rooms: InRooms) -> SessionAnswer:
    """Sign out."""
    rooms.sessions.end(cookie_of(request.headers), who)
    token = new_token()
    _set_cookie(response, token, request)
    return _session(rooms, None, token)


@router.post("/session/password")
def change_password(
    wanted: NewPassword, who: SignedIn, request: Request, response: Response, rooms: InRooms
) -> SessionAnswer:
    """Change one's own password; every other sign-in of the account ends."""
    address = request.client.host if request.client else ""
    rooms.people.check(who.name, wanted.old, address=address, browser=cookie_of(request.headers, BROWSER_COOKIE))
    changed = rooms.people.change(who.name, actor=who.name, password=wanted.new)
    return _signed_in(rooms, changed, request, response)


@router.get("/users")
def users(_: Administrator, rooms: InRooms) -> UsersAnswer:
    """All accounts."""
    return UsersAnswer(users=[_user(one) for one in rooms.people.all()])


@router.post("/users", status_code=201)
def add_user(wanted: NewUser, who: Administrator, rooms: InRooms) -> UserAnswer:
    """Make an account."""
    return _user(rooms.people.add(wanted.name, wanted.role, wanted.password, actor=who.name))


@router.patch("/users/{name}")
def change_user(name: str, wanted: UserChange, who: Administrator, rooms: InRooms) -> UserAnswer:
    """Change somebody's role, state or password; they are signed out, and a pause after wrong passwords is over."""
    changed = rooms.people.change(
        name, actor=who.name, role=wanted.role, active=wanted.active, password=wanted.password
    )
    return _user(changed)


@router.get("/audit")
def trail(
    _: Auditor,
    rooms: InRooms,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> TrailAnswer:
    """Rows of the audit trail, the oldest first."""
    found = audit.entries(rooms.archive.database, after=after, limit=limit)
    names = ("seq", "at", "actor", "action", "subject", "detail")
    rows: list[Any] = [{name: getattr(one, name) for name in names} for one in found]
    return TrailAnswer(entries=rows, last=found[-1].seq if found else after)


@router.get("/audit/verify")
def verify(_: Auditor, rooms: InRooms) -> AuditAnswer:
    """Compute the audit trail's chain anew and hold it against its anchors."""
    if not _verifying.acquire(blocking=False):
        raise Refusal(503, "busy", "The audit trail is being verified already.", retry_after_s=10)
    try:
        state = audit.verify(rooms.archive.database, rooms.archive.folder)
    finally:
        _verifying.release()
    return AuditAnswer(entries=state.entries, anchors=state.anchors, first_bad=state.first_bad, reason=state.reason)


def _signed_in(rooms: Rooms, who: Account, request: Request, response: Response) -> SessionAnswer:
    return _session(rooms, who, begin_session(rooms, who, request, response))


def begin_session(rooms: Rooms, who: Account, request: Request, response: Response) -> str:
    """Sign somebody in, whoever it was that proved who they are, and let the browser be known for it.

    Parameters
    ----------
    rooms : Rooms
    who : Account
    request : Request
    response : Response
        Gets the cookies.

    Returns
    -------
    str
        The session's token.
    """
    token = rooms.sessions.begin(who, replaces=cookie_of(request.headers))
    _set_cookie(response, token, request)
    browser = cookie_of(request.headers, BROWSER_COOKIE)
    if not 0 < len(browser) <= _LONGEST_TOKEN:
        browser = new_token()
    rooms.people.know_browser(who, browser)
    _set_cookie(response, browser, request, name=BROWSER_COOKIE, lasts_s=_KNOWN_S)
    return token


def _session(rooms: Rooms, who: Account | None, token: str) -> SessionAnswer:
    return SessionAnswer.model_validate(
        {
            "user": None if who is None else {"name": who.name, "role": who.role},
            "csrf": csrf_token(token),
            "setup_needed": rooms.people.nobody_yet(),
            "by_password": who is None or who.by_password,
            "provider": "" if rooms.provider is None else rooms.provider.settings.button,
            "version": __version__,
            "demo": rooms.demo,
        }
    )


def _set_cookie(
    response: Response, token: str, request: Request, *, name: str = COOKIE, lasts_s: int | None = None
) -> None:
    secure = request.url.scheme == "https"
    response.set_cookie(name, token, httponly=True, samesite="strict", secure=secure, path="/", max_age=lasts_s)


def _user(one: Account) -> UserAnswer:
    return UserAnswer(name=one.name, role=one.role, active=one.active, made_at=one.made_at, changed_at=one.changed_at)
