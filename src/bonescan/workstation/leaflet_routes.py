"""The routes of the patient's leaflet after the scan: what may be told, the leaflet as it will be, and its files."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from bonescan.errors import InvalidValue
from bonescan.report.leaflet import leaflet_languages
from bonescan.report.leaflet_after import RESULT_LEAFLET_NAMES, Conclusion, SignedResult
from bonescan.workstation.guard import DOCUMENT_POLICY, PDF_POLICY
from bonescan.workstation.leaflets import MadeLeaflet
from bonescan.workstation.pages import MEDIA_TYPES
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, allowed

__all__ = ["LeafletAnswer", "LeafletAsked", "TellableAnswer", "router"]

router = APIRouter(prefix="/api/v1/studies/{uid}", tags=["leaflet"])

Physician = Annotated[Account, allowed(Right.LEAFLET)]
_Key = Annotated[str, Field(min_length=1, max_length=40)]


class _Place(BaseModel):
    letter: str
    place: str


class TellableAnswer(BaseModel):
    """Of which version a leaflet may be made, what may be concluded, and in which languages."""

    version: int
    findings: list[_Place]
    conclusions: list[str]
    languages: dict[str, str]


class LeafletAsked(BaseModel):
    """What a physician tells a patient."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    version: Annotated[int, Field(ge=1, lt=2**31)]
    conclusions: Annotated[list[Conclusion], Field(max_length=7)] = []
    places: Annotated[dict[_Key, Conclusion], Field(max_length=40)] = {}
    says: Annotated[str, Field(max_length=2000)] = ""
    next_steps: Annotated[str, Field(max_length=2000)] = ""
    language: Annotated[str, Field(max_length=8)] = "en"


class LeafletAnswer(BaseModel):
    """A leaflet that was set, and the names of its files."""

    id: str
    version: int
    language: str
    signed_on: date
    files: list[str]


@router.get("/leaflet")
def tellable(uid: str, who: Physician, rooms: InRooms) -> TellableAnswer:
    """Say of which version a leaflet may be made; refused until a physician has signed one."""
    found = rooms.leaflets.tellable(uid)
    rooms.accesses.record(who, "study.viewed", uid, "leaflet")
    return TellableAnswer(
        version=found.version,
        findings=[_Place.model_validate(one) for one in found.findings],
        conclusions=[str(one) for one in Conclusion],
        languages=leaflet_languages(),
    )


@router.post("/leaflets", status_code=201)
def make(uid: str, asked: LeafletAsked, who: Physician, rooms: InRooms) -> LeafletAnswer:
    """Set a leaflet of the signed reading, in the name of the physician who asks and of today."""

    def signed() -> SignedResult:
        return SignedResult(
            physician=who.name,
            signed_on=date.today(),
            conclusions=tuple(asked.conclusions),
            places=dict(asked.places),
            says=asked.says,
            next_steps=asked.next_steps,
        )

    try:
        made = rooms.leaflets.make(uid, asked.version, who, signed, asked.language)
    except InvalidValue as error:
        raise Refusal(422, "leaflet", str(error)) from error
    rooms.accesses.record(who, "study.viewed", uid, "leaflet")
    return LeafletAnswer(
        id=made.id, version=made.version, language=made.language, signed_on=made.signed_on, files=list(made.files)
    )


@router.get("/leaflets/{number}/{file}", response_class=Response)
def leaflet_file(uid: str, number: str, file: str, who: Physician, rooms: InRooms) -> Response:
    """One of a leaflet's files, for whoever made it; what can be handed out is in the audit trail before it leaves."""
    made = rooms.leaflets.made(uid, number, who)
    if file not in RESULT_LEAFLET_NAMES or file not in made.files:
        raise Refusal(404, "no_file", "A leaflet has no such file.")
    form = file.rpartition(".")[2]
    if form != "html":  # that one is the look at it on the page
        rooms.accesses.record(who, "leaflet.made", uid, _told(made, form))
    headers = {"Content-Disposition": f'inline; filename="{file}"', "X-Frame-Options": "SAMEORIGIN"}
    headers["Content-Security-Policy"] = PDF_POLICY if form == "pdf" else DOCUMENT_POLICY
    return Response(made.files[file], media_type=MEDIA_TYPES[f".{form}"], headers=headers)


def _told(made: MadeLeaflet, form: str) -> str:
    return f"version {made.version}, {made.language}, {form}, pdf sha256 {made.sha256}"
