"""The routes of earlier scans: which there are of one person, having two compared, and what a comparison has made.

Whoever may not know whose a study is learns from earlier scans that they are of one person, and no more: no
description, no page that names the patient, and of comparison.json neither the person nor any date but those of
studies, which the worklist tells them too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Response

from bonescan.archive import JobState
from bonescan.archive.comparisons import Comparing, StoredComparison
from bonescan.dicom.indexing import is_uid
from bonescan.workstation.answers import NewComparison, PriorsAnswer
from bonescan.workstation.guard import DOCUMENT_POLICY, PDF_POLICY
from bonescan.workstation.pages import MEDIA_TYPES
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, Rooms, allowed
from bonescan.workstation.studies import study_date

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/studies/{uid}", tags=["priors"])

Viewer = Annotated[Account, allowed(Right.STUDIES)]
Asker = Annotated[Account, allowed(Right.READ_AGAIN)]

COMPARISON_FILE = "comparison.json"
_MAPS_FILE = "maps.npz"
_FILE = re.compile(r"comparison(?:_[a-z]{1,20})?\.(?:json|html|pdf|png|gif)")
_KINDS = ("prior", "difference", "row", "column")
_VIEW = re.compile(r"[a-z]{1,20}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SAID = {JobState.WAITING: "waiting", JobState.RUNNING: "running", JobState.DEAD: "failed"}


@router.get("/priors")
def priors(uid: str, who: Viewer, rooms: InRooms) -> PriorsAnswer:
    """Earlier scans of the same person, the newest first, and all of that person by date."""
    rooms.studies.one(uid)
    identity = who.may(Right.IDENTITY)
    found = rooms.archive.comparisons.of_study(uid)
    rooms.accesses.record(who, "study.viewed", uid, "priors")
    return PriorsAnswer.model_validate(
        {"priors": [_prior(one, identity) for one in found], "timeline": _timeline(rooms, uid)}
    )


@router.post("/comparisons", status_code=202)
def compare(uid: str, body: NewComparison, who: Asker, rooms: InRooms) -> dict[str, str]:
    """Have a study compared with an earlier one of the same person."""
    rooms.studies.one(uid)
    rooms.archive.comparisons.ask(uid, body.prior, actor=who.name)
    return {"state": "waiting"}


@router.get("/comparisons/{prior}/{file}", response_class=Response)
def comparison_file(uid: str, prior: str, file: str, who: Viewer, rooms: InRooms) -> Response:
    """One of the files of the newest comparison with an earlier study."""
    if not _FILE.fullmatch(file):
        raise _no_file()
    stored = _newest(rooms, uid, prior)
    identity = who.may(Right.IDENTITY)
    if not identity and file != COMPARISON_FILE:
        raise Refusal(403, "names_patient", f"The role {who.role} may not see files that name the patient.")
    content = _content(stored.folder / file)
    if not identity:
        days = {study_date(one.study_date) for one in rooms.archive.comparisons.visits(uid)}
        content = _without_identity(content, days)
    rooms.accesses.record(who, "study.viewed", uid, f"comparison {stored.version} {file}", {"prior": prior})
    headers = {"Content-Disposition": f'inline; filename="{file}"'}
    suffix = Path(file).suffix
    if suffix == ".html":
        headers |= {"Content-Security-Policy": DOCUMENT_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    elif suffix == ".pdf":
        headers |= {"Content-Security-Policy": PDF_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(content, media_type=MEDIA_TYPES[suffix], headers=headers)


@router.get("/comparisons/{prior}/maps/{kind}/{view}", response_class=Response)
def comparison_map(uid: str, prior: str, kind: str, view: str, who: Viewer, rooms: InRooms) -> Response:
    """One picture of a comparison, float32 as views are, on the current view's pixels.

    ``prior`` is the earlier scan carried and scaled, ``difference`` in standard deviations of its noise; ``row`` and
    ``column`` say where every X-Step-th pixel lies in the earlier view.
    """
    if kind not in _KINDS or not _VIEW.fullmatch(view):
        raise _no_file()
    from bonescan.report.comparison_maps import GRID_STEP, load_comparison_map

    stored = _newest(rooms, uid, prior)
    try:
        found = load_comparison_map(_content(stored.folder / _MAPS_FILE), kind, view)
    except (ValueError, OSError, KeyError) as error:
        raise Refusal(422, "unreadable", "The comparison's pictures cannot be understood; compare again.") from error
    if found is None:
        raise _no_file()
    rooms.accesses.record(who, "study.viewed", uid, f"comparison {stored.version} maps", {"prior": prior})
    step = GRID_STEP if kind in ("row", "column") else 1
    headers = {"X-Rows": str(found.shape[0]), "X-Columns": str(found.shape[1])}
    headers |= {"X-Dtype": "float32", "X-Step": str(step)}
    return Response(found.astype("<f4").tobytes(), media_type="application/octet-stream", headers=headers)


def _no_file() -> Refusal:
    return Refusal(404, "no_file", "The comparison has no such file.")


def _newest(rooms: Rooms, uid: str, prior: str) -> StoredComparison:
    if not (is_uid(uid) and is_uid(prior)) or (stored := rooms.archive.comparisons.newest(uid, prior)) is None:
        raise Refusal(404, "no_comparison", "These two studies have no comparison.")
    return stored


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _no_file() from error


def _prior(one: Comparing, identity: bool) -> dict[str, Any]:
    prior = one.prior
    return {
        "study_uid": prior.study_instance_uid,
        "study_date": study_date(prior.study_date),
        "description": prior.description if identity else "",
        "version": prior.version,
        "signed": prior.signed,
        "differs": list(one.differs),
        "comparison": _comparing(one),
    }


def _comparing(one: Comparing) -> dict[str, Any] | None:
    stored, job = one.stored, one.job
    if stored is None and job is None:
        return None
    return {
        "state": "done" if job is None else _SAID[job.state],
        "progress": "" if job is None else job.progress,
        "reason": job.reason if job is not None and job.state is JobState.DEAD else "",
        "made_at": "" if stored is None else stored.made_at,
        "id": 0 if stored is None else stored.version,
        "outdated": one.outdated,
    }


def _timeline(rooms: Rooms, uid: str) -> list[dict[str, Any]]:
    visits = rooms.archive.comparisons.visits(uid)
    told = rooms.studies.told_of([one.study_instance_uid for one in visits])
    return [
        {
            "study_uid": one.study_instance_uid,
            "study_date": study_date(one.study_date),
            "signed": one.signed,
            **{name: told[one.study_instance_uid][name] for name in ("bone_scan_index_percent", "bone_findings")},
        }
        for one in visits
        if one.study_instance_uid in told
    ]


def _without_identity(content: bytes, days: Collection[str]) -> bytes:
    """A comparison.json that names neither the person nor an examination by file, hour or a day not known otherwise."""
    try:
        comparison = json.loads(content)
        comparison["patient"] = dict.fromkeys(comparison["patient"])
        for scan in comparison["scans"]:
            scan |= {"acquired_at": None, "sources": []}
        told: bytes = json.dumps(_masked(comparison, days)).encode()
        return told
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refusal(422, "unreadable", "The comparison's file cannot be understood; compare again.") from error


def _masked(value: Any, days: Collection[str]) -> Any:
    """The same without any day but these."""
    if isinstance(value, str):
        return _DAY.sub(lambda found: found[0] if found[0] in days else "(a day)", value)
    if isinstance(value, list):
        return [_masked(one, days) for one in value]
    return {name: _masked(one, days) for name, one in value.items()} if isinstance(value, dict) else value
