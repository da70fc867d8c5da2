"""The routes of studies: the worklist, one study, its counts and its reading's files, and what changes.

Whoever may not know whose a study is gets no line, file or search that would tell. Of a reading they get its maps and
pictures, and reading.json without the person, the dates and the names of files; the report, which names the patient,
is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from bonescan.archive.persons import earlier_than
from bonescan.workstation.answers import ChangesAnswer, StudyDetail, WorklistAnswer
from bonescan.workstation.guard import DOCUMENT_POLICY, PDF_POLICY
from bonescan.workstation.pages import MEDIA_TYPES
from bonescan.workstation.people import Account, Right
from bonescan.workstation.pictures import Picture
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, allowed
from bonescan.workstation.studies import READING_FILE, Listed, Version

__all__ = ["router"]

router = APIRouter(prefix="/api/v1", tags=["studies"])

Viewer = Annotated[Account, allowed(Right.STUDIES)]
Watcher = Annotated[Account, allowed(Right.STUDIES, uses=False)]
_DEPARTMENTS_OWN = ("draft.", "reading.sen")
"""How changes begin that tell who is at work on what, and where results go."""
Reader = Annotated[Account, allowed(Right.READ_AGAIN)]

_FILE = re.compile(r"[a-z][a-z0-9_]{0,63}\.(?:json|html|pdf|png|npz|csv|txt)")
_PHASES_FILE = "phases.json"
_ANONYMOUS_FILE = re.compile(
    r"(?:regions|overlay|findings)_(?:anterior|posterior)\.png|bones_\w+\.npz|reading\.json"
    r"|phases\.json|phases_region\.png"
)
_OLDEST_TOLD = 89  # older ages name a person, as the safe harbour rule of HIPAA has it (45 CFR 164.514) [M]


@router.get("/studies")
def worklist(
    who: Viewer,
    rooms: InRooms,
    search: Annotated[str, Query(max_length=100)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str, Query(max_length=4096)] = "",
) -> WorklistAnswer:
    """The worklist: urgent studies that nobody has signed, then all others, the newest first."""
    identity = who.may(Right.IDENTITY)
    page = rooms.studies.page(search=search, state=state, limit=limit, after=after, identity=identity)
    rooms.accesses.record(who, "worklist.viewed", "", detail={"searched": bool(search)})
    return WorklistAnswer.model_validate({"studies": [_line(one, identity) for one in page.studies], "next": page.next})


@router.get("/studies/{uid}")
def one_study(uid: str, who: Viewer, rooms: InRooms) -> StudyDetail:
    """One study: its line, the versions of its reading, its views."""
    line, versions = rooms.studies.one(uid)
    told = [_version(one, who.may(Right.IDENTITY)) for one in versions]
    views = [_view(one) for one in rooms.pictures.of(uid)]
    rooms.accesses.record(who, "study.viewed", uid, "study")
    priors = len(earlier_than(rooms.archive.comparisons.visits(uid), uid))
    more = {"versions": told, "views": views, "priors": priors}
    return StudyDetail.model_validate(_line(line, who.may(Right.IDENTITY)) | more)


@router.get("/studies/{uid}/views/{name}", response_class=Response)
def counts(uid: str, name: str, who: Viewer, rooms: InRooms) -> Response:
    """Counts of one view, row by row, little-endian; X-Rows, X-Columns and X-Dtype say how to understand them."""
    rooms.studies.one(uid)
    found = next((one for one in rooms.pictures.of(uid) if one.name == name), None)
    if found is None:
        raise Refusal(404, "no_view", "The study has no such view.")
    rooms.accesses.record(who, "study.viewed", uid, f"view {name}")
    headers = {"X-Rows": str(found.rows), "X-Columns": str(found.columns), "X-Dtype": found.dtype}
    return Response(found.content, media_type="application/octet-stream", headers=headers)


@router.get("/studies/{uid}/readings/{version}/{file}", response_class=Response)
def reading_file(uid: str, version: int, file: str, who: Viewer, rooms: InRooms) -> Response:
    """One of the files of a reading."""
    if not (0 < version < 2**31 and _FILE.fullmatch(file)):
        raise Refusal(404, "no_file", "The reading has no such file.")
    identity = who.may(Right.IDENTITY)
    path = rooms.studies.folder(uid, version) / file
    if not identity and not _ANONYMOUS_FILE.fullmatch(file):
        raise Refusal(403, "names_patient", f"The role {who.role} may not see files that name the patient.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Refusal(404, "no_file", "The reading has no such file.") from error
    if file == READING_FILE and not identity:
        content = _without_identity(content)
    if file == _PHASES_FILE and not identity:
        content = _phases_without_identity(content)
    rooms.accesses.record(who, "study.viewed", uid, f"reading {version} {file}")
    headers = {"Content-Disposition": f'inline; filename="{file}"'}
    if path.suffix == ".html":
        headers |= {"Content-Security-Policy": DOCUMENT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    elif path.suffix == ".pdf":  # a browser's own viewer does not work in a sandbox
        headers |= {"Content-Security-Policy": PDF_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(content, media_type=MEDIA_TYPES[path.suffix], headers=headers)


@router.post("/studies/{uid}/read", status_code=202)
def read_again(uid: str, who: Reader, rooms: InRooms) -> dict[str, str]:
    """Have a study read once more; earlier readings stay."""
    rooms.studies.read_again(uid, actor=who.name)
    return {"state": "queued"}


@router.get("/changes")
async def changes(
    who: Watcher,
    request: Request,
    rooms: InRooms,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    wait_s: Annotated[float, Query(ge=0, le=30)] = 25.0,
) -> ChangesAnswer:
    """What changed after a number; waits for it. 0 gives the newest number at once."""
    found = await rooms.changes.wait(after, wait_s, gone=_gone(request))
    last = found[-1].number if found else rooms.changes.last
    hidden = () if who.may(Right.IDENTITY) else _DEPARTMENTS_OWN
    told = [asdict(one) for one in found if not one.what.startswith(hidden)]
    return ChangesAnswer.model_validate({"changes": told, "last": last})


async def _gone(request: Request) -> None:
    """Return when the caller has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _line(one: Listed, identity: bool) -> dict[str, Any]:
    line = asdict(one)
    if not identity:
        # A description is free text, in which names are found; the time of day helps to find who it was.
        hidden = ("patient_name", "patient_id", "birth_date", "accession_number", "description", "study_time")
        line |= dict.fromkeys(hidden, "")
        # who is at work and why a signing failed is the department's alone
        line |= {"draft_by": "", "signing": None, "last_signed": None}
    return line


def _version(one: Version, identity: bool) -> dict[str, Any]:
    return asdict(one) | ({} if identity else {"signed_by": ""})


def _view(one: Picture) -> dict[str, Any]:
    names = ("name", "rows", "columns", "row_spacing_mm", "column_spacing_mm", "largest")
    return {name: getattr(one, name) for name in names}


def _without_identity(content: bytes) -> bytes:
    """A reading.json that names neither the person nor, by file or hour, the examination; unknown facts do not pass."""
    try:
        reading = json.loads(content)
        scan = reading["scan"]
        person = scan["patient"]
        age = person.get("age_years")
        told = {name: person.get(name) for name in ("sex", "stature_m", "weight_kg")}
        told["age_years"] = None if age is None else min(age, float(_OLDEST_TOLD))
        kept = {name: scan[name] for name in ("whole_body", "delay_h", "device", "views") if name in scan}
        injection = dict(scan.get("injection") or {})
        if injection:
            injection["injected_at"] = None
        reading["scan"] = kept | {
            "patient": dict.fromkeys(person) | told,
            "injection": injection,
            "study_uid": None,
            "study_description": None,
            "acquired_at": None,
            "sources": [],
        }
        if reading.get("revision"):  # what a physician changed, not who it was, nor when
            edits = [
                {name: told for name, told in edit.items() if name not in ("by", "at")}
                for edit in reading["revision"]["edits"]
            ]
            reading["revision"] = {**reading["revision"], "edits": edits, "by": ""}
        return json.dumps(reading).encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(422, "unreadable", "The reading's file cannot be understood.") from error


def _phases_without_identity(content: bytes) -> bytes:
    """A phases.json without the person, the hours, the names of files and what else is free text."""
    try:
        reading = json.loads(content)
        study = reading["study"]
        phases = {
            name: {fact: one.get(fact) for fact in ("counts", "moved_mm", "absent_reason")}
            for name, one in study["phases"].items()
        }
        reading["study"] = {
            "phases": phases,
            "patient": {"sex": study["patient"].get("sex")},
            "with_whole_body_scan": study.get("with_whole_body_scan"),
        }
        return json.dumps(reading).encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(422, "unreadable", "The reading's file cannot be understood.") from error
