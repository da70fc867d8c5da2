"""What stands before every route: host names, forged requests, large or slow bodies, and what browsers are told.

A route cannot forget any of it, because it is asked only after all of it has passed. Every answer, also a refusal,
leaves with the security headers; a route may name others, as the report's page does.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bonescan.errors import BoneScanError, place_of
from bonescan.workstation.refusal import Refusal, refusal_of
from bonescan.workstation.sessions import COOKIE, is_csrf_token

__all__ = ["DOCUMENT_POLICY", "PAGE_POLICY", "PDF_POLICY", "Guard", "bearer_of", "cookie_of", "cookies_of", "fault"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For our own pages: everything from here, nothing inline."""

DOCUMENT_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
"""For an HTML file of a reading: no script, no origin, no forms; it may stand in a frame of our page."""

PDF_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; object-src 'self'; frame-ancestors 'self'"
)
"""For a PDF: a browser's own viewer does not work in a sandbox."""

_API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
_MOST_BODY_BYTES = 65_536
_LONGEST_BODY_S = 10.0
_MOST_PASSED_OVER_BYTES, _LONGEST_PASSING_S = 1 << 20, 1.0
_FAULT = 500
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_log = logging.getLogger("bonescan.workstation")


class Guard:
    """The outermost application.

    Parameters
    ----------
    app : ASGI application
    hosts : frozenset of str
        Host names that may be asked for.
    told : callable, optional
        Called with method, route, status and seconds of every request.
    body_s : float
        How long a body may take to come.
    unread : callable, optional
        Whether a request of this method and path has a body that its route reads itself, as it comes, within limits of
        its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: frozenset[str],
        told: Callable[[str, str, int, float], None] = lambda *_: None,
        body_s: float = _LONGEST_BODY_S,
        unread: Callable[[str, str], bool] = lambda *_: False,
    ) -> None:
        self._app, self._hosts, self._told, self._body_s = app, hosts, told, body_s
        self._unread = unread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # web sockets are not spoken here
        answer = _Answer(scope, send)
        began = time.perf_counter()
        try:
            self._refuse_foreign(scope)
            if self._unread(scope["method"], scope["path"]):
                answer.body = _Body(scope, receive)
                await self._app(scope, answer.body, answer.send)
            else:
                body = await self._body(scope, receive)
                await self._app(scope, _replayed(body, receive), answer.send)
        except BoneScanError as error:
            await answer.refuse(refusal_of(error), scope, receive)
        except Exception as error:  # the one place where nothing may pass
            if answer.status != _FAULT:  # the application has not told it itself
                await answer.refuse(fault(error), scope, receive)
        finally:
            # The route's pattern, not the path, which names a study.
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - began
            self._told(scope["method"], route, answer.status, seconds)
            facts = {"method": scope["method"], "route": route, "status": answer.status, "ms": round(seconds * 1000)}
            _log.info("%s %s %d %.0f ms", *facts.values(), extra={"event": "request", "facts": facts})

    def _refuse_foreign(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(hosts[0]) not in self._hosts:
            raise Refusal(400, "host", "This workstation is not known by that name; add it to names in [http].")
        if scope["method"] in _SAFE:
            return
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{hosts[0]}":
            raise Refusal(403, "csrf", "The request came from a page of another origin.")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refusal(403, "csrf", "The request came from a page of another origin.")
        if bearer_of(headers):
            return  # no browser sends it by itself, and whoever shows it is nobody else, whatever cookie comes along
        if not is_csrf_token(headers.get("x-csrf-token", ""), cookie_of(headers)):
            raise Refusal(403, "csrf", "The request lacks the token of its session; load the page again.")

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body, if it is small and comes soon."""
        said = Headers(scope=scope).get("content-length", "0")
        if not (said.isascii() and said.isdigit()) or int(said) > _MOST_BODY_BYTES:
            raise Refusal(413, "too_large", f"A request may have {_MOST_BODY_BYTES // 1024} KiB.")
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Refusal(400, "gone", "The request was broken off.")
                    body += message.get("body", b"")
                    if len(body) > _MOST_BODY_BYTES:
                        raise Refusal(413, "too_large", f"A request may have {_MOST_BODY_BYTES // 1024} KiB.")
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise Refusal(408, "too_slow", f"The request did not come within {self._body_s:g} s.") from None


class _Answer:
    """What goes out, with the headers that everything has."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 0
        self.body: _Body | None = None
        self._scope, self._send = scope, send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            if self.body is not None and not self.body.whole:
                headers["Connection"] = "close"
                await self.body.pass_over()
            for name, value in _headers_for(self._scope).items():
                headers.setdefault(name, value)
        await self._send(message)

    async def refuse(self, refusal: Refusal, scope: Scope, receive: Receive) -> None:
        if self.status:  # an answer is under way: all that is left is to break it off
            raise refusal
        headers = dict(refusal.headers)
        if refusal.status in (400, 408, 413):
            headers["Connection"] = "close"  # what is left of the body is not waited for
        await JSONResponse(refusal.body, refusal.status, headers)(scope, receive, self.send)


class _Body:
    """A body that a route reads as it comes."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.whole = False
        self._receive = receive
        self._waits = "expect" in Headers(scope=scope)  # the caller has sent nothing yet, and will not

    async def __call__(self) -> Message:
        message = await self._receive()
        self.whole = self.whole or not message.get("more_body", False)
        return message

    async def pass_over(self) -> None:
        """Read the rest, if it is short: a caller who is cut off while sending does not hear why."""
        left = 0 if self._waits else _MOST_PASSED_OVER_BYTES
        with suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_PASSING_S):
                while left > 0 and not self.whole:
                    left -= len((await self()).get("body", b""))


def fault(error: BaseException) -> Refusal:
    """Write down where an error happened that nobody foresaw, and say its number; its words might quote a patient.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    Refusal
    """
    number = secrets.token_hex(4)
    _log.error("fault %s: %s", number, place_of(error))
    return Refusal(_FAULT, "fault", f"bonescan met an error it should have foreseen ({number}); the log says where.")


def cookie_of(headers: Headers, name: str = COOKIE) -> str:
    """The value of one of our cookies, the session's by default.

    Parameters
    ----------
    headers : Headers
    name : str

    Returns
    -------
    str
        Empty when there is none, or several that differ: one of them was planted.
    """
    return cookies_of(headers, name).get(name, "")


def cookies_of(headers: Headers, prefix: str) -> dict[str, str]:
    """The values of those of our cookies whose names begin alike.

    Parameters
    ----------
    headers : Headers
    prefix : str

    Returns
    -------
    dict of str to str
        By name; empty values for those of which there are several that differ, for one of them was planted.
    """
    found: dict[str, str] = {}
    for line in headers.getlist("cookie"):
        for part in line.split(";"):
            try:
                cookies: SimpleCookie = SimpleCookie(part.strip())
            except CookieError:
                continue
            for name, morsel in cookies.items():
                if name.startswith(prefix):
                    found[name] = morsel.value if found.get(name, morsel.value) == morsel.value else ""
    return found


def bearer_of(headers: Headers) -> str:
    """The access token that a machine shows.

    Parameters
    ----------
    headers : Headers

    Returns
    -------
    str
        Empty when there is none.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _headers_for(scope: Scope) -> Mapping[str, str]:
    path = scope["path"]
    headers = {
        "Content-Security-Policy": _API_POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cache-Control": "no-cache" if path.startswith("/static/") else "no-store",
    }
    if scope["scheme"] == "https":
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _name_of(host: str) -> str:
    """The name in a Host header, without its port, in small letters; empty when there is more in it than these."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "").rstrip(".") if parts.netloc == host and "@" not in host else ""
    except ValueError:
        return ""


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Give the body out once, then whatever else comes, which is that the caller has gone."""
    left = [body]

    async def again() -> Message:
        if left:
            left.clear()
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
