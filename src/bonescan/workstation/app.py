"""The workstation as one ASGI application: routes, pages and refusals, behind the guard.

::

    browser ─► Guard (host, origin, token, size, time, headers) ─► right of the route ─► Studies, People, Pictures ...

It measures nothing itself: it shows what the archive holds and what a reading says.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Annotated

from argon2 import PasswordHasher
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from bonescan import __version__
from bonescan.archive import Archive
from bonescan.errors import BoneScanError
from bonescan.workstation import (
    dicomweb,
    dicomweb_storing,
    draft_routes,
    leaflet_routes,
    people_routes,
    plan_routes,
    prior_routes,
    provider_routes,
    quality_routes,
    sending_routes,
    series_routes,
    study_routes,
    teaching_routes,
    token_routes,
)
from bonescan.workstation.access import Accesses
from bonescan.workstation.answers import HealthAnswer
from bonescan.workstation.changes import Changes
from bonescan.workstation.demo import is_demo
from bonescan.workstation.desk import Desk
from bonescan.workstation.drafts import Drafts
from bonescan.workstation.guard import PAGE_POLICY, Guard, fault
from bonescan.workstation.health import Metrics, health_of
from bonescan.workstation.leaflets import Leaflets
from bonescan.workstation.oidc import Provider
from bonescan.workstation.pages import PAGES, StaticFile, static_files
from bonescan.workstation.people import Account, People, Right, SetUp
from bonescan.workstation.pictures import Pictures
from bonescan.workstation.quality import QualityOverTime
from bonescan.workstation.refusal import Refusal, refusal_of
from bonescan.workstation.rooms import InRooms, Rooms, allowed, right_of
from bonescan.workstation.series import SeriesShelf
from bonescan.workstation.sessions import Sessions
from bonescan.workstation.settings import HttpSettings
from bonescan.workstation.studies import Studies
from bonescan.workstation.teaching import Lessons
from bonescan.workstation.tokens import Tokens

if TYPE_CHECKING:
    from bonescan.dicom.node.settings import NodeSettings

__all__ = ["Workstation", "every_route"]

_ROUTERS = (
    people_routes.router,
    provider_routes.router,
    token_routes.router,
    study_routes.router,
    series_routes.router,
    draft_routes.router,
    sending_routes.router,
    prior_routes.router,
    plan_routes.router,
    leaflet_routes.router,
    quality_routes.router,
    teaching_routes.router,
    dicomweb.router,
    dicomweb_storing.router,
)

SignedIn = Annotated[Account, allowed(Right.SIGNED_IN)]


class Workstation:
    """One workstation over one archive.

    Parameters
    ----------
    archive : Archive
    settings : HttpSettings
    hasher : PasswordHasher, optional
        Cheaper than by default, for tests.
    clock : callable
        Seconds since 1970.
    body_s : float
        How long a request's body may take to come.
    node : NodeSettings, optional
        The DICOM node beside it: whose peers results can be sent to, and whose limits hold for objects over HTTP.
    desk : Desk, optional
        Where readings are edited; one of its own by default.
    """

    def __init__(
        self,
        archive: Archive,
        settings: HttpSettings,
        *,
        hasher: PasswordHasher | None = None,
        clock: Callable[[], float] = time.time,
        body_s: float = 10.0,
        node: NodeSettings | None = None,
        desk: Desk | None = None,
    ) -> None:
        sessions = Sessions(
            archive.database, idle_s=settings.idle_min * 60, longest_s=settings.longest_h * 3600, clock=clock
        )
        studies, quality = Studies(archive), QualityOverTime(archive)
        desk = desk or Desk(int(archive.settings.memory_limit_gib * 2**30))

        def catch_up() -> None:
            studies.catch_up()
            quality.catch_up()

        self.rooms = Rooms(
            archive=archive,
            settings=settings,
            people=People(archive.database, hasher=hasher, clock=clock),
            set_up=SetUp(),
            sessions=sessions,
            studies=studies,
            pictures=Pictures(archive),
            series=SeriesShelf(archive),
            changes=Changes(archive, before=catch_up),
            accesses=Accesses(archive.database),
            metrics=Metrics(archive, sessions),
            tokens=Tokens(archive.database, clock=clock),
            storing=asyncio.Semaphore(dicomweb_storing.MOST_AT_ONCE),
            desk=desk,
            drafts=Drafts(archive, desk),
            node=node,
            provider=None if settings.provider is None else Provider(settings.provider, clock=clock),
            leaflets=Leaflets(studies),
            quality=quality,
            lessons=Lessons(),
            demo=is_demo(archive.folder),
        )
        self.routes = _routes(self.rooms)
        self.app = Guard(
            self.routes,
            hosts=settings.hosts,
            told=self.rooms.metrics.tell,
            body_s=body_s,
            unread=dicomweb_storing.is_store,
        )

    @property
    def set_up_code(self) -> str:
        """The code for the first administrator; empty when there is one."""
        return self.rooms.set_up.code if self.rooms.people.nobody_yet() else ""


def _routes(rooms: Rooms) -> FastAPI:
    app = FastAPI(
        title="bonescan",
        version=__version__,
        description="Research software, not a medical device.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.rooms = rooms
    for router in _ROUTERS:
        app.include_router(router)
    app.add_api_route("/health", _health, methods=["GET"], tags=["watching"])
    app.add_api_route("/metrics", _metrics, methods=["GET"], tags=["watching"], response_class=Response)
    app.add_api_route("/openapi.json", _openapi, methods=["GET"], include_in_schema=False)
    app.add_api_route("/docs", _docs, methods=["GET"], include_in_schema=False, response_class=Response)
    files = static_files()
    app.add_api_route(
        "/static/{name:path}", _static(files), methods=["GET"], include_in_schema=False, response_class=Response
    )
    for path, name in PAGES.items():
        app.add_api_route(path, _page(files, name), methods=["GET"], include_in_schema=False, response_class=Response)
    app.add_exception_handler(BoneScanError, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _fault)
    return app


def every_route(app: FastAPI) -> list[APIRoute]:
    """List the routes of the workstation.

    Parameters
    ----------
    app : FastAPI

    Returns
    -------
    list of APIRoute
        Those for machines and those for people.
    """
    listed = [*(route for router in _ROUTERS for route in router.routes), *app.routes]
    return list(
        {(route.path, *(route.methods or ())): route for route in listed if isinstance(route, APIRoute)}.values()
    )


def _health(rooms: InRooms, response: Response) -> HealthAnswer:
    """How the workstation is; 503 when nothing can be shown."""
    found = health_of(rooms.archive)
    response.status_code = 503 if found.status == "down" else 200
    return HealthAnswer(status=found.status, database=found.database, disk=found.disk, worker=found.worker)


def _metrics(request: Request, rooms: InRooms) -> Response:
    """Figures for Prometheus, for this machine or whoever shows the token."""
    token, said = rooms.settings.metrics_token, request.headers.get("authorization", "")
    if token:
        may = hmac.compare_digest(said.encode("utf-8", "replace"), f"Bearer {token}".encode())
    else:
        may = not rooms.settings.proxies and _from_here(request)
    if not may:
        raise Refusal(403, "no_right", "Figures are for this machine, or for whoever shows metrics_token.")
    return Response(rooms.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _from_here(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _openapi(_: SignedIn, request: Request) -> JSONResponse:
    app: FastAPI = request.app
    return JSONResponse(app.openapi())


def _docs(_: SignedIn, request: Request) -> Response:
    """The routes as a page without scripts."""
    rows = "".join(_row(route) for route in every_route(request.app) if route.include_in_schema)
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>bonescan: interface</title><h1>bonescan</h1>'
        '<p>Schema: <a href="/openapi.json">/openapi.json</a>. Every request but GET carries the header X-CSRF-Token.'
        f"<table><tr><th>method<th>path<th>right<th>what it does</tr>{rows}</table></html>"
    )
    return Response(page, media_type="text/html; charset=utf-8")


def _row(route: APIRoute) -> str:
    right = right_of(route)
    said = (" ".join(route.methods or ()), route.path, "anybody" if right is None else str(right), route.description)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in said) + "</tr>"


def _static(files: Mapping[str, StaticFile]) -> Callable[[str, Request], Response]:
    def static(name: str, request: Request) -> Response:
        """One file of the pages."""
        found = files.get(name)
        if found is None:
            raise Refusal(404, "no_file", "There is no such file.")
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers={"ETag": found.tag})
        return Response(found.content, media_type=found.media_type, headers={"ETag": found.tag})

    return static


def _page(files: Mapping[str, StaticFile], name: str) -> Callable[[], Response]:
    def page() -> Response:
        """One page; it holds no data."""
        found = files.get(name)
        if found is None:
            raise Refusal(404, "no_page", "This installation has no pages.")
        return Response(found.content, media_type=found.media_type, headers={"Content-Security-Policy": PAGE_POLICY})

    return page


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, BoneScanError)
    refusal = refusal_of(error)
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


async def _fault(_: Request, error: Exception) -> Response:
    refusal = fault(error)
    return JSONResponse(refusal.body, refusal.status)


async def _not_understood(_: Request, error: Exception) -> Response:
    """Say which field is wrong, never what stood in it: it may be a password."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    refusal = Refusal(422, "not_understood", f"The request is not as it must be: {place}.")
    return JSONResponse(refusal.body, refusal.status)


async def _no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "There is nothing at this address.", 405: "This address does not do that."}
    refusal = Refusal(error.status_code, "no_route", words.get(error.status_code, "The request is not served."))
    return JSONResponse(refusal.body, refusal.status, error.headers)
