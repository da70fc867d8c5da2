"""DICOMweb for other machines and viewers: find (QIDO-RS) and fetch (WADO-RS), under the rights of this workstation.

::

    /dicomweb/studies?PatientID=...            queries, as C-FIND answers them
    /dicomweb/studies/1.2/series/1.3/...       objects as stored, their attributes, frames, pictures

Whoever may not know whose a study is gets nothing here. An answer goes from the disk to the caller in blocks; no study
is ever held in memory. What is given out is in the audit trail before it goes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from bonescan.dicom.indexing import is_uid
from bonescan.dicom.node import Level, StoredObject
from bonescan.dicom.web import (
    BulkData,
    Curve,
    Frames,
    Offer,
    Picture,
    Window,
    answer,
    bulk_data,
    chosen,
    closing,
    names_of,
    object_json,
    opening,
    read_query,
)
from bonescan.errors import BoneScanError, InvalidValue
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, Rooms, allowed

__all__ = ["JSON_TYPE", "address_of", "router", "service_of"]

JSON_TYPE = "application/dicom+json"
_BLOCK_BYTES = 1 << 18
_MOST_FRAMES = 10_000
_UNDEFINED = 0xFFFFFFFF
_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_LARGEST_SIDE = 8192
_TELLS_JSON = (Offer(media_type=JSON_TYPE), Offer(media_type="application/json"))
_OCTETS = (
    Offer(media_type="multipart/related", inner="application/octet-stream", syntaxes=frozenset({_LITTLE_ENDIAN})),
    Offer(media_type="application/octet-stream", syntaxes=frozenset({_LITTLE_ENDIAN})),
)
_IMAGES = (Offer(media_type="image/jpeg"), Offer(media_type="image/png"))

router = APIRouter(prefix="/dicomweb", tags=["DICOMweb"])

Viewer = Annotated[Account, allowed(Right.IDENTITY)]


def _told(*media_types: str) -> Any:
    refusals: dict[int | str, Any] = {
        404: {"description": "There is nothing at this address."},
        406: {"description": "It is not had in the form that Accept names."},
    }
    return refusals | {200: {"content": {one: {} for one in media_types}}}


_JSON = _told(JSON_TYPE)
_PARTS = _told("multipart/related")

# ---------------------------------------------------------------------------------------------------- QIDO-RS


@router.get("/studies", response_class=Response, responses=_JSON)
def studies(who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Studies that fit the parameters: keywords or tags of attributes, includefield, limit, offset."""
    return _found(Level.STUDY, who, request, rooms)


@router.get("/series", response_class=Response, responses=_JSON)
def all_series(who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Series of all studies that fit the parameters."""
    return _found(Level.SERIES, who, request, rooms)


@router.get("/instances", response_class=Response, responses=_JSON)
def all_instances(who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Objects of all studies that fit the parameters."""
    return _found(Level.IMAGE, who, request, rooms)


@router.get("/studies/{uid}/series", response_class=Response, responses=_JSON)
def series_of_study(uid: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Series of one study that fit the parameters."""
    return _found(Level.SERIES, who, request, rooms, StudyInstanceUID=uid)


@router.get("/studies/{uid}/instances", response_class=Response, responses=_JSON)
def instances_of_study(uid: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Objects of one study that fit the parameters."""
    return _found(Level.IMAGE, who, request, rooms, StudyInstanceUID=uid)


@router.get("/studies/{uid}/series/{series}/instances", response_class=Response, responses=_JSON)
def instances_of_series(uid: str, series: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Objects of one series that fit the parameters."""
    return _found(Level.IMAGE, who, request, rooms, StudyInstanceUID=uid, SeriesInstanceUID=series)


def _found(level: Level, who: Account, request: Request, rooms: Rooms, **within: str) -> Response:
    media_type = _chosen(request, _TELLS_JSON).media_type
    if not all(is_uid(uid) for uid in within.values()):
        raise Refusal(404, "no_study", "There is nothing at this address.")
    try:
        query = read_query(level, request.query_params.multi_items(), within)
    except InvalidValue as error:
        raise Refusal(400, "query", str(error)) from error
    service = service_of(request, rooms)
    found = list(rooms.archive.match(level, query.keys, offset=query.offset, most=query.limit + 1))
    warnings = list(query.warnings)
    if len(found) > query.limit > 0:
        warnings.append("There are additional results that can be requested.")
    rooms.accesses.record(who, "query.answered", within.get("StudyInstanceUID", ""), str(level))
    content = json.dumps([answer(query, one, service) for one in found[: query.limit]]).encode()
    said = Response(content, media_type=media_type)
    for words in warnings:
        said.headers.append("Warning", f'299 bonescan "{words}"')
    return said


# ---------------------------------------------------------------------------------------------------- WADO-RS


@router.get("/studies/{uid}", response_class=Response, responses=_PARTS)
def objects_of_study(uid: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """All objects of a study, as they were received."""
    return _objects(request, rooms, who, uid)


@router.get("/studies/{uid}/series/{series}", response_class=Response, responses=_PARTS)
def objects_of_series(uid: str, series: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """All objects of a series, as they were received."""
    return _objects(request, rooms, who, uid, series)


@router.get(
    "/studies/{uid}/series/{series}/instances/{instance}",
    response_class=Response,
    responses=_told("multipart/related", "application/dicom"),
)
def one_object(uid: str, series: str, instance: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """One object, as it was received."""
    return _objects(request, rooms, who, uid, series, instance)


@router.get("/studies/{uid}/metadata", response_class=Response, responses=_JSON)
def metadata_of_study(uid: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Attributes of all objects of a study; what is long is named by an address."""
    return _metadata(request, rooms, who, uid)


@router.get("/studies/{uid}/series/{series}/metadata", response_class=Response, responses=_JSON)
def metadata_of_series(uid: str, series: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Attributes of all objects of a series; what is long is named by an address."""
    return _metadata(request, rooms, who, uid, series)


@router.get("/studies/{uid}/series/{series}/instances/{instance}/metadata", response_class=Response, responses=_JSON)
def metadata_of_object(uid: str, series: str, instance: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """Attributes of one object; what is long is named by an address."""
    return _metadata(request, rooms, who, uid, series, instance)


@router.get(
    "/studies/{uid}/series/{series}/instances/{instance}/frames/{frames}",
    response_class=Response,
    responses=_told("multipart/related", "application/octet-stream"),
)
def frames_of_object(
    uid: str, series: str, instance: str, frames: str, who: Viewer, request: Request, rooms: InRooms
) -> Response:
    """Stored values of frames, counted from 1 and with commas between, uncompressed and little-endian."""
    one = _one(rooms, uid, series, instance)
    with _understandably():
        held = Frames(one.path, one.transfer_syntax_uid)
        wanted = _frame_numbers(frames, held.count)
        first = held.stored(wanted[0])
    offers = _OCTETS if len(wanted) == 1 else _OCTETS[:1]
    offer = _chosen(request, offers)
    rooms.accesses.record(who, "study.retrieved", uid, "frames")
    if not offer.inner:
        return Response(first, media_type=offer.media_type)
    where = f"{address_of(service_of(request, rooms), uid, series, instance)}/frames/"

    def parts() -> Iterator[tuple[str, str, Iterator[bytes]]]:
        for place, number in enumerate(wanted):
            content = held.stored(number) if place else first
            yield f"application/octet-stream; transfer-syntax={_LITTLE_ENDIAN}", f"{where}{number}", iter([content])

    return _multipart(offer, parts())


@router.get(
    "/studies/{uid}/series/{series}/instances/{instance}/bulkdata/{tag}",
    response_class=Response,
    responses=_told("multipart/related", "application/octet-stream"),
)
def bulk_of_object(
    uid: str, series: str, instance: str, tag: str, who: Viewer, request: Request, rooms: InRooms
) -> Response:
    """The value of one attribute, by its tag of eight hexadecimal digits."""
    one = _one(rooms, uid, series, instance)
    if len(tag) != 8 or any(sign not in "0123456789ABCDEFabcdef" for sign in tag):
        raise Refusal(404, "no_bulk_data", "Bulk data are named by a tag of eight hexadecimal digits.")
    with _understandably():
        place = bulk_data(one.path, one.transfer_syntax_uid, int(tag, 16))
        frames = Frames(one.path, one.transfer_syntax_uid) if place.length == _UNDEFINED else None
    offer = _chosen(request, _OCTETS)
    rooms.accesses.record(who, "study.retrieved", uid, "bulk data")
    every = None if frames is None else map(frames.stored, range(1, frames.count + 1))
    content = every or _blocks(one.path, place)
    if not offer.inner:
        return StreamingResponse(content, media_type=offer.media_type)
    where = f"{address_of(service_of(request, rooms), uid, series, instance)}/bulkdata/{tag.upper()}"
    return _multipart(offer, iter([("application/octet-stream", where, content)]))


@router.get(
    "/studies/{uid}/series/{series}/instances/{instance}/rendered",
    response_class=Response,
    responses=_told("image/jpeg", "image/png"),
)
def rendered_object(uid: str, series: str, instance: str, who: Viewer, request: Request, rooms: InRooms) -> Response:
    """The first frame as a picture; window=centre,width[,function], viewport=columns,rows, quality=1..100."""
    return _rendered(request, rooms, who, uid, series, instance, "1")


@router.get(
    "/studies/{uid}/series/{series}/instances/{instance}/frames/{frames}/rendered",
    response_class=Response,
    responses=_told("image/jpeg", "image/png"),
)
def rendered_frame(
    uid: str, series: str, instance: str, frames: str, who: Viewer, request: Request, rooms: InRooms
) -> Response:
    """One frame as a picture; window=centre,width[,function], viewport=columns,rows, quality=1..100."""
    return _rendered(request, rooms, who, uid, series, instance, frames)


def service_of(request: Request, rooms: Rooms) -> str:
    """Address of this service, as the caller knows it.

    Parameters
    ----------
    request : Request
    rooms : Rooms

    Returns
    -------
    str
        Without a slash at its end. Some callers leave the port out of their Host header, dicomweb-client among them;
        where no proxy stands before, the port is the one that was called.
    """
    base = request.base_url
    called = (request.scope.get("server") or ("", None))[1]
    if base.port is None and called not in (None, 443 if base.scheme == "https" else 80) and not rooms.settings.proxies:
        base = base.replace(port=called)
    return f"{str(base).rstrip('/')}{router.prefix}"


def address_of(service: str, study: str, series: str = "", instance: str = "") -> str:
    """Where something is had.

    Parameters
    ----------
    service : str
        Address of the service.
    study : str
    series, instance : str, optional

    Returns
    -------
    str
    """
    address = f"{service}/studies/{study}"
    address += f"/series/{series}" if series else ""
    return address + (f"/instances/{instance}" if instance else "")


def _objects(
    request: Request, rooms: Rooms, who: Account, study: str, series: str = "", instance: str = ""
) -> Response:
    held = _held(rooms, study, series, instance)
    syntaxes = frozenset(one.transfer_syntax_uid for one in held)
    offers = [Offer(media_type="multipart/related", inner="application/dicom", syntaxes=syntaxes)]
    if instance:
        offers.append(Offer(media_type="application/dicom", syntaxes=syntaxes))
    offer = _chosen(request, offers)
    rooms.accesses.record(who, "study.retrieved", study, "objects")
    if not offer.inner:
        (one,) = held
        headers = {"Content-Length": str(one.path.stat().st_size)}
        return StreamingResponse(_blocks(one.path), media_type=offer.media_type, headers=headers)
    service = service_of(request, rooms)

    def parts() -> Iterator[tuple[str, str, Iterator[bytes]]]:
        for one in held:
            media_type = f"application/dicom; transfer-syntax={one.transfer_syntax_uid}"
            where = address_of(service, one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
            yield media_type, where, _blocks(one.path)

    return _multipart(offer, parts())


def _metadata(
    request: Request, rooms: Rooms, who: Account, study: str, series: str = "", instance: str = ""
) -> Response:
    held = _held(rooms, study, series, instance)
    media_type = _chosen(request, _TELLS_JSON).media_type
    service = service_of(request, rooms)

    def told(one: StoredObject) -> str:
        where = address_of(service, one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
        return object_json(one.path, one.transfer_syntax_uid, where)

    def told_or_named(one: StoredObject) -> str:
        try:
            return told(one)
        except (BoneScanError, OSError):  # one that is damaged does not hide the others
            return json.dumps(names_of(one))

    if len(held) == 1:
        with _understandably():
            texts = iter([told(held[0])])
    else:
        texts = map(told_or_named, held)
    rooms.accesses.record(who, "study.retrieved", study, "metadata")

    def content() -> Iterator[str]:
        yield "["
        for place, text in enumerate(texts):
            yield f",\n{text}" if place else text
        yield "]"

    return StreamingResponse(content(), media_type=media_type)


def _rendered(
    request: Request, rooms: Rooms, who: Account, study: str, series: str, instance: str, frames: str
) -> Response:
    one = _one(rooms, study, series, instance)
    offer = _chosen(request, _IMAGES)
    form = offer.media_type.removeprefix("image/")
    try:
        picture = _picture(form, request.query_params)
    except ValueError as error:  # ours is one too
        words = str(error) if isinstance(error, InvalidValue) else "window, viewport and quality are numbers."
        raise Refusal(400, "picture", words) from error
    with _understandably():
        held = Frames(one.path, one.transfer_syntax_uid)
        (number,) = _frame_numbers(frames, held.count, most=1)
        content = held.drawn(number, picture)
    rooms.accesses.record(who, "study.retrieved", study, "pictures")
    return Response(content, media_type=offer.media_type)


def _picture(form: str, parameters: Mapping[str, str]) -> Picture:
    window, within = None, None
    if said := parameters.get("window", ""):
        center, width, *curve = said.split(",")
        if len(curve) > 1:
            raise InvalidValue("window has a centre, a width and a function.")
        window = Window(
            center=float(center), width=float(width), **({"curve": Curve(curve[0].lower())} if curve else {})
        )
    if said := parameters.get("viewport", ""):
        sides = [int(side) for side in said.split(",")]
        if len(sides) != 2 or not all(1 <= side <= _LARGEST_SIDE for side in sides):
            raise InvalidValue(
                f"viewport is columns,rows, each from 1 to {_LARGEST_SIDE}; parts of a picture are not cut."
            )
        within = (sides[0], sides[1])
    quality = int(parameters.get("quality", "90"))
    if not 1 <= quality <= 100:
        raise InvalidValue("quality goes from 1 to 100.")
    return Picture(form=form, window=window, within=within, quality=quality)


def _held(rooms: Rooms, study: str, series: str = "", instance: str = "") -> list[StoredObject]:
    uids = {"StudyInstanceUID": study, "SeriesInstanceUID": series, "SOPInstanceUID": instance}
    asked = {key: [uid] for key, uid in uids.items() if uid}
    found = list(rooms.archive.paths(asked)) if all(is_uid(uid) for (uid,) in asked.values()) else []
    if not found or not all(one.path.is_file() for one in found):
        raise Refusal(404, "no_object", "There is nothing at this address.")
    return found


def _one(rooms: Rooms, study: str, series: str, instance: str) -> StoredObject:
    if not instance or not series:
        raise Refusal(404, "no_object", "There is nothing at this address.")
    return _held(rooms, study, series, instance)[0]


def _frame_numbers(words: str, count: int, *, most: int = _MOST_FRAMES) -> list[int]:
    said = words.split(",", most)
    if len(said) > most or not all(one.isascii() and one.isdigit() and len(one) < 10 for one in said):
        raise Refusal(404, "no_frame", "Frames are numbers from 1, with commas between.")
    wanted = [int(one) for one in said]
    if len(set(wanted)) < len(wanted):  # an object would go out as often as its frames are named
        raise Refusal(400, "frames", "Name each frame once.")
    if not all(1 <= one <= count for one in wanted):
        raise Refusal(404, "no_frame", f"The object has frames 1 to {count}.")
    return wanted


def _chosen(request: Request, offers: Sequence[Offer]) -> Offer:
    accept = request.query_params.get("accept", "") or ", ".join(request.headers.getlist("accept"))
    offer = chosen(accept, offers)
    if offer is None:
        forms = ", ".join(f"{one.media_type} of {one.inner}" if one.inner else one.media_type for one in offers)
        raise Refusal(406, "not_acceptable", f"This is had as {forms}, in the transfer syntax as stored.")
    return offer


def _multipart(offer: Offer, parts: Iterator[tuple[str, str, Iterator[bytes]]]) -> Response:
    boundary = secrets.token_hex(16)  # by chance in an object once in 2^128

    def content() -> Iterator[bytes]:
        for media_type, where, blocks in parts:
            yield opening(boundary, media_type, where)
            yield from blocks
        yield closing(boundary)

    return StreamingResponse(content(), media_type=f'{offer.media_type}; type="{offer.inner}"; boundary="{boundary}"')


def _blocks(path: Path, place: BulkData | None = None) -> Iterator[bytes]:
    with path.open("rb") as file:
        left = path.stat().st_size
        if place is not None:
            file.seek(place.offset)
            left = place.length
        while left > 0 and (block := file.read(min(left, _BLOCK_BYTES))):
            left -= len(block)
            yield block


@contextmanager
def _understandably() -> Iterator[None]:
    """What an object does not have is not there; what is damaged is told by the refusals of the rooms below."""
    try:
        yield
    except InvalidValue as error:
        raise Refusal(404, "not_had", str(error)) from error
    except OSError as error:
        raise Refusal(404, "no_object", "The object's file cannot be read.") from error
