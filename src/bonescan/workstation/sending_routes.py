"""The routes of sending: where signed readings can go, and how far those are that were sent."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter

from bonescan.archive.sendings import ask_sending, sendings
from bonescan.workstation.answers import DestinationsAnswer, SendingRequest, SendingsAnswer
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, Rooms, allowed

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["sendings"])

Sender = Annotated[Account, allowed(Right.SEND)]


@router.get("/destinations")
def destinations(_: Sender, rooms: InRooms) -> DestinationsAnswer:
    """The nodes to which a signed reading can be sent: peers of which host and port are known."""
    return DestinationsAnswer.model_validate({"destinations": [{"ae_title": title} for title in _titles(rooms)]})


@router.get("/studies/{uid}/sendings")
def sendings_of(uid: str, who: Sender, rooms: InRooms) -> SendingsAnswer:
    """What of a study was sent, or is on its way."""
    rooms.studies.refuse_unknown(uid)
    rooms.accesses.record(who, "study.viewed", uid, "sendings")
    return _told(rooms, uid)


@router.post("/studies/{uid}/sendings", status_code=202)
def send(uid: str, wanted: SendingRequest, who: Sender, rooms: InRooms) -> SendingsAnswer:
    """Have the DICOM files of a signed version sent."""
    rooms.studies.refuse_unknown(uid)
    known = _titles(rooms)
    if unknown := set(wanted.to) - set(known):
        named = ", ".join(known) or "none"
        raise Refusal(422, "destination", f"{len(unknown)} of these are no destinations; there are {named}.")
    stored = next((one for one in rooms.archive.results.of_study(uid) if one.version == wanted.version), None)
    if stored is None:
        raise Refusal(404, "no_reading", "The study has no reading of this version.")
    if not stored.signed_by:
        raise Refusal(409, "not_signed", "Only a signed version is sent; sign it first.")
    with rooms.archive.database.write() as connection:
        for title in dict.fromkeys(wanted.to):
            ask_sending(connection, stored, title, actor=who.name)
    return _told(rooms, uid)


def _titles(rooms: Rooms) -> list[str]:
    return [peer.ae_title for peer in rooms.node.peers if peer.reachable] if rooms.node is not None else []


def _told(rooms: Rooms, uid: str) -> SendingsAnswer:
    found = [asdict(one) for one in sendings(rooms.archive.database, uid)]
    return SendingsAnswer.model_validate({"sendings": found})
