"""What goes over the wire: the bodies that are understood and the answers that are given, as OpenAPI tells them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bonescan.workstation.people import Role
from bonescan.workstation.studies import State

__all__ = [
    "AuditAnswer",
    "ChangesAnswer",
    "DestinationsAnswer",
    "DraftAnswer",
    "DraftNumber",
    "DraftReadingAnswer",
    "DraftRequest",
    "EditRequest",
    "HealthAnswer",
    "NewComparison",
    "NewPassword",
    "NewUser",
    "OpenDraftAnswer",
    "PriorsAnswer",
    "SendingRequest",
    "SendingsAnswer",
    "SessionAnswer",
    "SetUpRequest",
    "SignIn",
    "SignRequest",
    "SigningAnswer",
    "StudyAnswer",
    "StudyDetail",
    "TextRequest",
    "TrailAnswer",
    "UserAnswer",
    "UserChange",
    "UsersAnswer",
    "WorklistAnswer",
]

_Name = Annotated[str, Field(min_length=1, max_length=64)]
_Secret = Annotated[str, Field(min_length=1, max_length=256)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class SetUpRequest(_Request):
    """The first administrator, with the code from the terminal."""

    code: Annotated[str, Field(min_length=1, max_length=64)]
    name: _Name
    password: _Secret


class SignIn(_Request):
    """A name and its password."""

    name: _Name
    password: _Secret


class NewPassword(_Request):
    """A change of one's own password."""

    old: _Secret
    new: _Secret


class NewUser(_Request):
    """Somebody who may sign in from now on."""

    name: _Name
    role: Role
    password: _Secret


class UserChange(_Request):
    """What is to be different of somebody."""

    role: Role | None = None
    active: bool | None = None
    password: _Secret | None = None


_Number = Annotated[int, Field(ge=0, le=2**53)]
_Version = Annotated[int, Field(ge=1, lt=2**31)]


class DraftRequest(_Request):
    """A wish to work on a version of a reading."""

    version: _Version
    take_over: bool = False


class DraftNumber(_Request):
    """A draft as its physician saw it."""

    number: _Number


class EditRequest(DraftNumber):
    """One more edit."""

    edit: dict[str, Any]


class TextRequest(DraftNumber):
    """Entries of the report that are to read otherwise."""

    text: Annotated[dict[str, str], Field(max_length=50)]
    language: Annotated[str, Field(min_length=2, max_length=8)] = "en"


class SignRequest(DraftNumber):
    """A signature under a draft, with the password once more."""

    password: _Secret
    reason: Annotated[str, Field(max_length=1000)] = ""


class SendingRequest(_Request):
    """A wish to have a signed version sent."""

    version: _Version
    to: Annotated[list[Annotated[str, Field(min_length=1, max_length=16)]], Field(min_length=1, max_length=20)]


class _User(BaseModel):
    name: str
    role: Role


class SessionAnswer(BaseModel):
    """Who is signed in, and the token that every request which changes something carries."""

    user: _User | None
    csrf: str
    setup_needed: bool
    by_password: bool
    provider: str
    version: str
    demo: bool


class UserAnswer(BaseModel):
    """An account."""

    name: str
    role: Role
    active: bool
    made_at: str
    changed_at: str


class UsersAnswer(BaseModel):
    """All accounts."""

    users: list[UserAnswer]


class _ReadingAnswer(BaseModel):
    version: int
    read_at: str
    conclusion: str
    metastases_likelihood: float | None
    bone_scan_index_percent: float | None
    bone_findings: int
    urgent: bool
    signed: bool
    outdated: bool


class SigningAnswer(BaseModel):
    """Where the signing of a draft stands."""

    state: str
    reason: str = ""


class _SignedAnswer(BaseModel):
    version: int
    signed_by: str
    signed_at: str
    concluded: str


class StudyAnswer(BaseModel):
    """One line of the worklist."""

    study_uid: str
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    accession_number: str
    description: str
    objects: int
    state: State
    progress: str
    reason: str
    reading: _ReadingAnswer | None
    draft_by: str
    signing: SigningAnswer | None
    last_signed: _SignedAnswer | None


class WorklistAnswer(BaseModel):
    """A part of the worklist, and where the next begins."""

    studies: list[StudyAnswer]
    next: str | None


class _VersionAnswer(BaseModel):
    version: int
    read_at: str
    signed: bool
    outdated: bool
    signed_by: str
    signed_at: str
    amends: int | None
    revised: bool


class _ViewAnswer(BaseModel):
    name: str
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    largest: float


class StudyDetail(StudyAnswer):
    """One study with the versions of its reading, its views, and how many earlier scans it can be compared with."""

    versions: list[_VersionAnswer]
    views: list[_ViewAnswer]
    priors: int


class NewComparison(_Request):
    """The earlier scan to compare with."""

    prior: Annotated[str, Field(min_length=1, max_length=64)]


class _Comparing(BaseModel):
    state: Literal["waiting", "running", "done", "failed"]
    progress: str
    reason: str
    made_at: str
    id: int
    outdated: bool


class _PriorAnswer(BaseModel):
    study_uid: str
    study_date: str
    description: str
    version: int
    signed: bool
    differs: list[str]
    comparison: _Comparing | None


class _VisitAnswer(BaseModel):
    study_uid: str
    study_date: str
    bone_scan_index_percent: float | None
    bone_findings: int
    signed: bool


class PriorsAnswer(BaseModel):
    """Earlier scans of the same person, the newest first, and all of that person by date."""

    priors: list[_PriorAnswer]
    timeline: list[_VisitAnswer]


class DraftAnswer(BaseModel):
    """What a physician is at work on; `edits` are those that hold, since the version that the reader made."""

    version: int
    number: int
    author: str
    changed_at: str
    edits: list[dict[str, Any]]
    can_undo: bool
    can_redo: bool
    text: dict[str, str]
    language: str


class OpenDraftAnswer(BaseModel):
    """The draft of a study, if there is one."""

    draft: DraftAnswer | None


class DraftReadingAnswer(BaseModel):
    """A draft, what reading.json would hold after its edits, and its impression in every language of the report."""

    draft: DraftAnswer
    reading: dict[str, Any]
    said: dict[str, list[str]]


class _DestinationAnswer(BaseModel):
    ae_title: str


class DestinationsAnswer(BaseModel):
    """Where signed readings can be sent."""

    destinations: list[_DestinationAnswer]


class _SendingAnswer(BaseModel):
    to: str
    version: int
    state: str
    reason: str
    at: str


class SendingsAnswer(BaseModel):
    """What of a study was sent, or is on its way, the newest first."""

    sendings: list[_SendingAnswer]


class _ChangeAnswer(BaseModel):
    number: int
    study_uid: str
    what: str


class ChangesAnswer(BaseModel):
    """What came after a number, and the newest number."""

    changes: list[_ChangeAnswer]
    last: int


class _EntryAnswer(BaseModel):
    seq: int
    at: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class TrailAnswer(BaseModel):
    """Rows of the audit trail, and the last one's number."""

    entries: list[_EntryAnswer]
    last: int


class AuditAnswer(BaseModel):
    """Whether the audit trail is as it was written."""

    entries: int
    anchors: int
    first_bad: int | None
    reason: str


class HealthAnswer(BaseModel):
    """How the workstation is, without saying of whom."""

    status: str
    database: str
    disk: str
    worker: str
