"""What goes over the wire: the bodies that are understood and the answers that are given, as OpenAPI tells them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bonescan.workstation.people import Role
from bonescan.workstation.studies import State

__all__ = [
    "AuditAnswer",
    "ChangesAnswer",
    "HealthAnswer",
    "NewPassword",
    "NewUser",
    "SessionAnswer",
    "SetUpRequest",
    "SignIn",
    "StudyAnswer",
    "StudyDetail",
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


class _User(BaseModel):
    name: str
    role: Role


class SessionAnswer(BaseModel):
    """Who is signed in, and the token that every request which changes something carries."""

    user: _User | None
    csrf: str
    setup_needed: bool
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


class WorklistAnswer(BaseModel):
    """A part of the worklist, and where the next begins."""

    studies: list[StudyAnswer]
    next: str | None


class _VersionAnswer(BaseModel):
    version: int
    read_at: str
    signed: bool
    outdated: bool


class _ViewAnswer(BaseModel):
    name: str
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    largest: float


class StudyDetail(StudyAnswer):
    """One study with the versions of its reading and its views."""

    versions: list[_VersionAnswer]
    views: list[_ViewAnswer]


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
