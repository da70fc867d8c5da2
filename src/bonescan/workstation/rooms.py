"""What every route may ask: the parts of one workstation, and who is asking with which right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from bonescan.archive import Archive
from bonescan.dicom.node.settings import Limits
from bonescan.workstation.access import Accesses
from bonescan.workstation.changes import Changes
from bonescan.workstation.desk import Desk
from bonescan.workstation.drafts import Drafts
from bonescan.workstation.guard import bearer_of, cookie_of
from bonescan.workstation.health import Metrics
from bonescan.workstation.leaflets import Leaflets
from bonescan.workstation.oidc import Provider
from bonescan.workstation.people import Account, People, Right, SetUp
from bonescan.workstation.pictures import Pictures
from bonescan.workstation.quality import QualityOverTime
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.series import SeriesShelf
from bonescan.workstation.sessions import Sessions
from bonescan.workstation.settings import HttpSettings
from bonescan.workstation.studies import Studies
from bonescan.workstation.teaching import Lessons
from bonescan.workstation.tokens import Tokens

if TYPE_CHECKING:
    from bonescan.dicom.node.settings import NodeSettings

__all__ = ["InRooms", "Rooms", "allowed", "right_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The parts of one workstation.

    Parameters
    ----------
    archive, settings, people, set_up, sessions, studies, pictures, series, changes, accesses, metrics, tokens, desk,
    drafts, leaflets, quality, lessons
        One of each.
    storing : asyncio.Semaphore
        How many may send objects over HTTP at a time.
    node : NodeSettings or None
        The DICOM node beside the workstation: its peers can be sent to, its limits hold over HTTP too.
    provider : Provider or None
        The hospital's own sign-in, where there is one.
    demo : bool
        Whether the archive holds simulated patients alone.
    """

    archive: Archive
    settings: HttpSettings
    people: People
    set_up: SetUp
    sessions: Sessions
    studies: Studies
    pictures: Pictures
    series: SeriesShelf
    changes: Changes
    accesses: Accesses
    metrics: Metrics
    tokens: Tokens
    storing: asyncio.Semaphore
    desk: Desk
    drafts: Drafts
    node: NodeSettings | None
    provider: Provider | None
    leaflets: Leaflets
    quality: QualityOverTime
    lessons: Lessons
    demo: bool

    @property
    def limits(self) -> Limits:
        """What is borne with of objects that come over HTTP."""
        return Limits() if self.node is None else self.node.limits


def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


InRooms = Annotated[Rooms, Depends(_rooms)]
"""The parts of the workstation, for a route."""


class _Allowed:
    """Lets those pass who have a right."""

    def __init__(self, right: Right, uses: bool) -> None:
        self.right, self._uses = right, uses

    def __call__(self, request: Request, rooms: InRooms) -> Account:
        shown = bearer_of(request.headers)
        who: Account | None
        if shown:  # then no cookie counts: forged requests carry cookies, never this
            who = rooms.tokens.who(shown, address=request.client.host if request.client else "")
        else:
            who = rooms.sessions.who(cookie_of(request.headers), uses=self._uses)
        if who is None:
            raise Refusal(401, "signed_out", "Sign in first.")
        if not who.may(self.right):
            whom = f"A machine of the role {who.role}" if who.machine else f"The role {who.role}"
            raise Refusal(403, "no_right", f"{whom} may not do this.")
        return who


def allowed(right: Right, *, uses: bool = True) -> Any:
    """Ask for a right, as a route's dependency.

    Parameters
    ----------
    right : Right
    uses : bool
        False for what a page asks by itself: it keeps no sign-in alive.

    Returns
    -------
    dependency
        Gives the `Account` of who asks.
    """
    return Depends(_Allowed(right, uses))


def right_of(route: Any) -> Right | None:
    """Say which right a route asks for.

    Parameters
    ----------
    route : APIRoute

    Returns
    -------
    Right or None
        ``None`` for a route that anybody may ask.
    """
    calls: list[Callable[..., Any] | None] = [one.call for one in route.dependant.dependencies]
    return next((call.right for call in calls if isinstance(call, _Allowed)), None)
