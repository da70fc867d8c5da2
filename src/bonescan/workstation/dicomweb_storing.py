"""STOW-RS: objects that come over HTTP, in a stream, straight to the spool and the shelf that C-STORE uses.

The guard does not read these bodies, so what it does for all others is done here: the caller's right is asked before
the first byte, a content that is packed is refused, a sender who is slow is let go, and few may send at a time.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from bonescan.archive.objects import told_plainly
from bonescan.dicom.indexing import is_uid
from bonescan.dicom.web import Intake, MultipartReader, Offer, boundary_of, chosen
from bonescan.dicom.web.storing import MOST_PARTS, OBJECT_TYPE
from bonescan.errors import UnreadableInput
from bonescan.workstation.dicomweb import JSON_TYPE, address_of, service_of
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, Rooms, allowed

__all__ = ["MOST_AT_ONCE", "is_store", "router"]

router = APIRouter(prefix="/dicomweb", tags=["DICOMweb"])

Sender = Annotated[Account, allowed(Right.STORE)]

MOST_AT_ONCE = 8
"""Senders who are served at a time; each may hold spool_above_bytes in memory."""

_STORE = re.compile(r"/dicomweb/studies(?:/[^/]+)?")
_GATHERED_BYTES = 1 << 20
_GRACE_S = 10.0
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"multipart/related": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Every object is stored.", "content": {JSON_TYPE: {}}},
    202: {"description": "Some are; FailedSOPSequence says why others are not.", "content": {JSON_TYPE: {}}},
    409: {"description": "None is stored.", "content": {JSON_TYPE: {}}},
    415: {"description": "The body is not multipart/related of application/dicom, or is packed."},
    503: {"description": "There is no room, or too many send; later it may be taken.", "content": {JSON_TYPE: {}}},
}


def is_store(method: str, path: str) -> bool:
    """Whether a request's body is read here, as it comes, and not by the guard.

    Parameters
    ----------
    method, path : str

    Returns
    -------
    bool
    """
    return method == "POST" and _STORE.fullmatch(path) is not None


@router.post("/studies", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY)
async def store(who: Sender, request: Request, rooms: InRooms) -> Response:
    """Store objects; each is acknowledged once it is safe on the disk."""
    return await _store(who, request, rooms, "")


@router.post("/studies/{uid}", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY)
async def store_in_study(uid: str, who: Sender, request: Request, rooms: InRooms) -> Response:
    """Store objects of one study; those of another are not taken."""
    if not is_uid(uid):
        raise Refusal(404, "no_study", "There is nothing at this address.")
    return await _store(who, request, rooms, uid)


async def _store(who: Account, request: Request, rooms: Rooms, study: str) -> Response:
    boundary = _boundary(request)
    if rooms.storing.locked():
        raise Refusal(503, "busy", f"{MOST_AT_ONCE} senders are being served; try again.", retry_after_s=5)
    async with rooms.storing:
        folder = rooms.archive.folder / "spool"
        with told_plainly():
            folder.mkdir(exist_ok=True)
        sender = f"STOW {who.name}"
        intake = Intake(rooms.archive, folder, rooms.limits, sender=sender, study_uid=study)
        try:
            await _take(request, MultipartReader(boundary, intake, most_parts=MOST_PARTS), rooms)
        except UnreadableInput as error:
            kept = f" {intake.stored} object(s) that came before are stored." if intake.stored else ""
            raise Refusal(400, "body", f"{error}{kept}") from error
        finally:
            await run_in_threadpool(intake.close)
    service = service_of(request, rooms)
    content = intake.told(lambda *uids: address_of(service, *uids))
    headers = {"Retry-After": "5"} if intake.status == 503 else {}
    return Response(content, intake.status, headers, media_type=JSON_TYPE)


def _boundary(request: Request) -> str:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "packed", "A body must not be packed: remove its Content-Encoding.")
    boundary = boundary_of(request.headers.get("content-type", ""), OBJECT_TYPE)
    if not boundary:
        raise Refusal(415, "media_type", 'Objects come as multipart/related; type="application/dicom" with a boundary.')
    if chosen(request.headers.get("accept", ""), [Offer(media_type=JSON_TYPE)]) is None:
        raise Refusal(406, "not_acceptable", f"The answer is {JSON_TYPE}.")
    return boundary


async def _take(request: Request, reader: MultipartReader, rooms: Rooms) -> None:
    """Give the body to its reader, in threads; the slowest average is the node's."""
    limits = rooms.limits
    gathered, total, began = bytearray(), 0, time.monotonic()
    body = request.stream()
    try:
        while True:
            whole_by = began + max(_GRACE_S, total / limits.slowest_bytes_per_s)
            left_s = min(limits.idle_s, max(0.0, whole_by - time.monotonic()))
            async with asyncio.timeout(left_s):
                block = await anext(body, None)
            if block is None:
                break
            total += len(block)
            gathered += block
            if len(gathered) >= _GATHERED_BYTES:
                await run_in_threadpool(reader.feed, bytes(gathered))
                gathered.clear()
    except TimeoutError:
        raise Refusal(408, "too_slow", "The body came too slowly.") from None
    except ClientDisconnect:
        raise Refusal(400, "gone", "The request was broken off.") from None
    await run_in_threadpool(reader.feed, bytes(gathered))
    await run_in_threadpool(reader.finish)
