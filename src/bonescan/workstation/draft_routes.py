"""The routes of drafts: a physician begins one, edits, writes, and signs with the password once more."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from bonescan.workstation.answers import (
    DraftAnswer,
    DraftNumber,
    DraftReadingAnswer,
    DraftRequest,
    EditRequest,
    OpenDraftAnswer,
    ProposedAnswer,
    SigningAnswer,
    SignRequest,
    TextRequest,
)
from bonescan.workstation.drafts import Draft
from bonescan.workstation.people import Account, Right
from bonescan.workstation.proof import prove_again
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, Rooms, allowed

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/studies/{uid}/draft", tags=["drafts"])

Editor = Annotated[Account, allowed(Right.EDIT)]
Signer = Annotated[Account, allowed(Right.SIGN)]


@router.get("")
def draft(uid: str, who: Editor, rooms: InRooms) -> OpenDraftAnswer:
    """The draft of a study, whoever is at work on it."""
    found = _draft(rooms, uid)
    if found is not None:
        rooms.accesses.record(who, "study.viewed", uid, "draft")
    return OpenDraftAnswer(draft=None if found is None else _told(found))


@router.post("")
def begin(uid: str, wanted: DraftRequest, who: Editor, rooms: InRooms) -> DraftAnswer:
    """Begin a draft from a version, or go on with one's own; `take_over` takes another's."""
    rooms.studies.refuse_unknown(uid)
    return _told(rooms.drafts.begin(uid, wanted.version, who, take_over=wanted.take_over))


@router.delete("", status_code=204)
def discard(uid: str, who: Editor, rooms: InRooms) -> None:
    """Throw one's draft away."""
    rooms.studies.refuse_unknown(uid)
    rooms.drafts.discard(uid, who)


@router.get("/reading")
def reading(uid: str, who: Editor, rooms: InRooms) -> DraftReadingAnswer:
    """The reading after a draft's edits."""
    found = _draft(rooms, uid)
    if found is None:
        raise Refusal(404, "no_draft", "There is no draft of this study; begin one.")
    rooms.accesses.record(who, "study.viewed", uid, "draft")
    return DraftReadingAnswer(draft=_told(found), reading=rooms.drafts.reading(found))


@router.get("/proposed")
def proposed(
    uid: str, who: Editor, rooms: InRooms, language: Annotated[str, Query(max_length=8)] = "en"
) -> ProposedAnswer:
    """What the reader says of the draft, in a language of reports: where a physician's own text may begin."""
    found = _draft(rooms, uid)
    if found is None:
        raise Refusal(404, "no_draft", "There is no draft of this study; begin one.")
    from bonescan.report.language import language as language_of
    from bonescan.report.language import report_languages

    if language not in report_languages():
        raise Refusal(422, "language", f"Reports are written in {', '.join(report_languages())}.")
    said = (rooms.drafts.reading(found).get("impression") or {}).get("sentences") or ()
    rooms.accesses.record(who, "study.viewed", uid, "draft")
    return ProposedAnswer(language=language, sentences=[language_of(language).say(one) for one in said])


@router.post("/edits")
def edit(uid: str, wanted: EditRequest, who: Editor, rooms: InRooms) -> DraftReadingAnswer:
    """Make one more edit; where it cannot be made nothing changes."""
    rooms.studies.refuse_unknown(uid)
    after, revised = rooms.drafts.edit(uid, who, wanted.number, wanted.edit)
    return DraftReadingAnswer(draft=_told(after), reading=revised)


@router.post("/undo")
def undo(uid: str, wanted: DraftNumber, who: Editor, rooms: InRooms) -> DraftReadingAnswer:
    """Take the last edit back."""
    rooms.studies.refuse_unknown(uid)
    after, revised = rooms.drafts.undo(uid, who, wanted.number)
    return DraftReadingAnswer(draft=_told(after), reading=revised)


@router.post("/redo")
def redo(uid: str, wanted: DraftNumber, who: Editor, rooms: InRooms) -> DraftReadingAnswer:
    """Make an edit again that was undone."""
    rooms.studies.refuse_unknown(uid)
    after, revised = rooms.drafts.redo(uid, who, wanted.number)
    return DraftReadingAnswer(draft=_told(after), reading=revised)


@router.put("/text")
def write(uid: str, wanted: TextRequest, who: Editor, rooms: InRooms) -> DraftAnswer:
    """Change entries of the report's text; those that are not named stay, empty ones go."""
    rooms.studies.refuse_unknown(uid)
    return _told(rooms.drafts.write(uid, who, wanted.number, wanted.text, wanted.language))


@router.post("/sign", status_code=202)
def sign(uid: str, wanted: SignRequest, who: Signer, request: Request, rooms: InRooms) -> SigningAnswer:
    """Sign the draft, with one's password; a wrong one counts as a try to sign in."""
    rooms.studies.refuse_unknown(uid)
    rooms.drafts.refuse_to_sign(uid, who, wanted.number, wanted.reason)
    try:
        prove_again(rooms, who, wanted.password, request)
    except Refusal as error:
        if error.status != 401:
            raise
        raise Refusal(403, "wrong_password", "The password is wrong; nothing was signed.") from error
    rooms.drafts.sign(uid, who, wanted.number, wanted.reason)
    return SigningAnswer(state="signing")


def _draft(rooms: Rooms, uid: str) -> Draft | None:
    rooms.studies.refuse_unknown(uid)
    return rooms.drafts.of(uid)


def _told(one: Draft) -> DraftAnswer:
    return DraftAnswer(
        version=one.version,
        number=one.number,
        author=one.author,
        changed_at=one.changed_at,
        edits=[dict(edit) for edit in one.held],
        can_undo=one.can_undo,
        can_redo=one.can_redo,
        text=dict(one.words),
        language=one.language,
    )
