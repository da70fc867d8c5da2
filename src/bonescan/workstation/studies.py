"""The worklist: every study with how far its reading is, urgent ones first, quick with ten thousand.

What a reading says is taken from its reading.json once, when it is published, into the table ``told``; a page of the
list is one query over narrow rows for its order, and one for its lines.

::

    told.urgent and not signed, then all others; within both the newest study first

[D] Urgent is a reading that shows what may not wait for the next round: metastases all over (a superscan, or widespread
ones), or a likely metastasis where a vertebra may press on the spinal cord or a thigh bone may break.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from bonescan.archive import Archive, JobState
from bonescan.archive.jobs import ask_again
from bonescan.archive.tables import instance, job, result, study
from bonescan.dicom.indexing import is_uid
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.standing import Signed, Signing, Standing, signed_facts, standing
from bonescan.workstation.tables import catch_up, told

__all__ = ["READING_FILE", "Listed", "Page", "State", "Studies", "StudyReading", "Version", "facts_of", "study_date"]

READING_FILE = "reading.json"
"""The file of a reading from which the worklist's facts come."""

_PHASES_FILE = "phases.json"
_PRESSING = frozenset({"metastatic_superscan", "widespread_metastases"})
_PRESSING_REGIONS = frozenset({2, 3, 9, 12})  # cervical, thoracic, lumbar spine; femur
_LIKELY = 0.5
_STANDING = ("draft_by", "signing", "last_signed")
_MOST_WORDS = 8
_SENTENCES = 2


class State(StrEnum):
    """How far a study is; one in which the reader found slices alone has nothing to be read, and nothing failed."""

    ARRIVING = "arriving"
    QUEUED = "queued"
    READING = "reading"
    READ = "read"
    SLICES = "slices"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyReading:
    """The newest reading of a study in the worklist's words.

    Parameters
    ----------
    version : int
    read_at : str
        UTC.
    conclusion : str
    metastases_likelihood, bone_scan_index_percent : float or None
    bone_findings : int
    urgent, signed : bool
    outdated : bool
        Whether images came after it was asked for.
    """

    version: int
    read_at: str
    conclusion: str
    metastases_likelihood: float | None
    bone_scan_index_percent: float | None
    bone_findings: int
    urgent: bool
    signed: bool
    outdated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of the worklist.

    Parameters
    ----------
    study_uid, patient_name, patient_id, birth_date, sex, study_date, study_time, accession_number, description : str
        As the files say; dates and times in ISO 8601 where they can be understood, as the camera's clock had them.
    objects : int
    state : State
    progress : str
        The step a reading is at.
    reason : str
        Why it failed, or was not read.
    reading : StudyReading or None
        The newest one.
    draft_by : str
        Which physician is at work on it; empty for nobody.
    signing : Signing or None
        Where the signing of that draft stands.
    last_signed : Signed or None
        What is signed, which a newer reading does not change.
    """

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
    reading: StudyReading | None
    draft_by: str
    signing: Signing | None
    last_signed: Signed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the worklist.

    Parameters
    ----------
    studies : tuple of Listed
    next : str or None
        Where the next part begins.
    """

    studies: tuple[Listed, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One of the readings of a study.

    Parameters
    ----------
    version : int
    read_at : str
        UTC.
    signed, outdated : bool
    signed_by, signed_at : str
        Empty for a version that nobody signed.
    amends : int or None
        The signed version that this one replaces.
    revised : bool
        Whether it is a physician's version of one of the reader's.
    """

    version: int
    read_at: str
    signed: bool
    outdated: bool
    signed_by: str
    signed_at: str
    amends: int | None
    revised: bool


class Studies:
    """The studies of an archive, as the workstation shows them.

    Parameters
    ----------
    archive : Archive
    """

    def __init__(self, archive: Archive) -> None:
        self._archive, self._database = archive, archive.database

    def catch_up(self) -> int:
        """Take the facts of readings that the worklist does not know yet.

        Returns
        -------
        int
            Readings looked at.
        """
        return catch_up(self._database, told, self._facts)

    def _facts(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        folder = self._archive.results.folder
        signed = signed_facts(self._database, [row.StudyInstanceUID for row in rows], folder)
        return [facts_of(folder / row.folder) | signed[row.StudyInstanceUID] for row in rows]

    def page(
        self, *, search: str = "", state: str = "", limit: int = 100, after: str = "", identity: bool = True
    ) -> Page:
        """Give a part of the worklist.

        Parameters
        ----------
        search : str
            Words that all must stand in name, number, accession number or description.
        state : str
            A `State`, ``urgent``, ``signed`` or ``unsigned``; empty for all.
        limit : int
        after : str
            Where an earlier part said that the next begins.
        identity : bool
            False searches conclusions instead: finding by name would tell whose a study is. The order then knows no
            hour, which the place of the next part would tell.

        Returns
        -------
        Page

        Raises
        ------
        Refusal
            For a state or place that is none.
        """
        rank = case((_URGENT, 1), else_=0)
        hour = study.c.StudyTime if identity else literal("")
        keys = (rank, study.c.StudyDate, hour, study.c.StudyInstanceUID)
        wanted = _joined(select(*(key.label(f"key{k}") for k, key in enumerate(keys))))
        wanted = wanted.where(*_found(search, identity), *_of_state(state))
        if after:
            wanted = wanted.where(tuple_(*keys) < tuple_(*_place(after)))
        wanted = wanted.order_by(*(key.desc() for key in keys)).limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(wanted).all()
            more = len(rows) > limit
            uids = [row.key3 for row in rows[:limit]]
            lines: dict[str, Listed] = {}
            for start in range(0, len(uids), 200):
                these = uids[start : start + 200]
                stand = standing(connection, these)
                some = _lines().where(study.c.StudyInstanceUID.in_(these))
                lines |= {row["StudyInstanceUID"]: _listed(row, stand) for row in connection.execute(some).mappings()}
        following = _name(rows[limit - 1]) if more else None
        return Page(studies=tuple(lines[uid] for uid in uids if uid in lines), next=following)

    def one(self, study_uid: str) -> tuple[Listed, list[Version]]:
        """Give one study with all versions of its reading.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        study : Listed
        versions : list of Version
            The newest first.

        Raises
        ------
        Refusal
            When there is none of this UID.
        """
        self.refuse_unknown(study_uid)
        versions = select(result).where(result.c.StudyInstanceUID == study_uid).order_by(result.c.version.desc())
        with self._database.read() as connection:
            line = connection.execute(_lines().where(study.c.StudyInstanceUID == study_uid)).mappings().one_or_none()
            if line is None:
                raise _no_study()
            found = [
                Version(
                    version=row.version,
                    read_at=row.made_at,
                    signed=bool(row.signed_by),
                    outdated=_outdated(row.revision, line["revision"]),
                    signed_by=row.signed_by,
                    signed_at=row.signed_at,
                    amends=row.amends or None,
                    revised=row.of_version > 0,
                )
                for row in connection.execute(versions)
            ]
            stand = standing(connection, [study_uid])
        return _listed(line, stand), found

    def told_of(self, study_uids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """What the worklist tells of the newest readings of some studies.

        Parameters
        ----------
        study_uids : sequence of str

        Returns
        -------
        dict of str to mapping
            By study, then by column of the table ``told``.
        """
        wanted = select(told).where(told.c.StudyInstanceUID.in_(list(study_uids)))
        with self._database.read() as connection:
            return {row["StudyInstanceUID"]: dict(row) for row in connection.execute(wanted).mappings()}

    def folder(self, study_uid: str, version: int) -> Path:
        """Where a version of a reading lies.

        Parameters
        ----------
        study_uid : str
        version : int

        Returns
        -------
        Path

        Raises
        ------
        Refusal
            When there is none.
        """
        self.refuse_unknown(study_uid)
        own = (result.c.StudyInstanceUID == study_uid) & (result.c.version == version)
        with self._database.read() as connection:
            name: str | None = connection.execute(select(result.c.folder).where(own)).scalar_one_or_none()
        if name is None:
            raise Refusal(404, "no_reading", "The study has no reading of this version.")
        return self._archive.results.folder / name

    def read_again(self, study_uid: str, *, actor: str) -> None:
        """Have a study read once more.

        Parameters
        ----------
        study_uid : str
        actor : str
            Who wants it.

        Raises
        ------
        Refusal
            When there is no such study.
        InvalidValue
            When there is nothing to read, or a reading is under way.
        """
        self.refuse_unknown(study_uid)
        ask_again(self._database, study_uid, actor=actor)

    def refuse_unknown(self, study_uid: str) -> None:
        """Refuse what is no UID of a study that is here.

        Parameters
        ----------
        study_uid : str

        Raises
        ------
        Refusal
        """
        if not is_uid(study_uid):
            raise _no_study()
        with self._database.read() as connection:
            own = study.c.StudyInstanceUID == study_uid
            if connection.execute(select(study.c.StudyInstanceUID).where(own)).first() is None:
                raise _no_study()


def facts_of(folder: Path) -> dict[str, Any]:
    """What a worklist tells of a reading.

    Parameters
    ----------
    folder : Path
        Of the reading.

    Returns
    -------
    dict
        By column of the table ``told``.
    """
    nothing: dict[str, Any] = {
        "conclusion": "",
        "metastases_likelihood": None,
        "bone_scan_index_percent": None,
        "bone_findings": 0,
        "urgent": False,
    }
    try:
        if not (folder / READING_FILE).is_file():
            phases = json.loads((folder / _PHASES_FILE).read_bytes())
            return nothing | {"conclusion": _said(phases.get("sentences") or ())}
        reading = json.loads((folder / READING_FILE).read_bytes())
        impression = reading.get("impression") or {}
        bone = [one for one in reading["findings"] if one["kind"] == "bone"]
        likelihood = impression.get("metastatic")
        return {
            "conclusion": _said(impression.get("sentences") or ()),
            "metastases_likelihood": likelihood,
            "bone_scan_index_percent": reading["burden"]["bone_scan_index_percent"],
            "bone_findings": len(bone),
            "urgent": _urgent(impression, likelihood, bone),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return nothing | {"conclusion": "The files of this reading cannot be understood; have the study read again."}


def _urgent(impression: Mapping[str, Any], likelihood: float | None, bone: Sequence[Mapping[str, Any]]) -> bool:
    patterns = {one["code"] for one in impression.get("patterns") or () if one["presence"] == "present"}
    pressing = any(one["region"] in _PRESSING_REGIONS and (one["likelihood"] or 0.0) >= _LIKELY for one in bone)
    return bool(patterns & _PRESSING) or ((likelihood or 0.0) >= _LIKELY and pressing)


def _said(sentences: Sequence[str]) -> str:
    return " ".join(sentences[:_SENTENCES])


_RESULT = result.alias("newest")
_URGENT = told.c.urgent & (_RESULT.c.signed_by == "")


_STATE: ColumnElement[str] = case(
    (study.c.revision > study.c.queued_revision, str(State.ARRIVING)),
    (job.c.state == str(JobState.WAITING), str(State.QUEUED)),
    (job.c.state == str(JobState.RUNNING), str(State.READING)),
    (and_(job.c.state == str(JobState.DEAD), job.c.nothing_to_read), str(State.SLICES)),
    (job.c.state == str(JobState.DEAD), str(State.FAILED)),
    (told.c.folder.is_not(None), str(State.READ)),
    (study.c.revision == 0, str(State.FAILED)),
    else_=str(State.READING),  # done a moment ago, its facts are being taken
)


def _joined(columns: Select[Any]) -> Select[Any]:
    """The study with its facts, its newest reading and its job; each at most one row."""
    uid = study.c.StudyInstanceUID
    same = and_(
        _RESULT.c.StudyInstanceUID == uid, _RESULT.c.version == told.c.version, _RESULT.c.folder == told.c.folder
    )
    own = and_(job.c.kind == "read", job.c.StudyInstanceUID == uid, job.c.revision == study.c.queued_revision)
    return columns.select_from(
        study.outerjoin(told, told.c.StudyInstanceUID == uid).outerjoin(_RESULT, same).outerjoin(job, own)
    )


def _lines() -> Select[Any]:
    objects = select(func.count()).where(instance.c.StudyInstanceUID == study.c.StudyInstanceUID).scalar_subquery()
    columns: list[Any] = [
        study,
        *(told.c[name] for name in ("conclusion", "metastases_likelihood", "bone_scan_index_percent")),
        *(told.c[name] for name in ("bone_findings", "urgent")),
        *(_RESULT.c[name].label(f"result_{name}") for name in ("version", "made_at", "signed_by", "revision")),
        job.c.progress,
        job.c.reason,
        objects.label("objects"),
        _STATE.label("state"),
    ]
    return _joined(select(*columns))


def _listed(row: RowMapping, stand: Mapping[str, Standing]) -> Listed:
    state = State(row["state"])
    reason = (row["reason"] or "") if state is State.FAILED else ""
    if state is State.FAILED and row["revision"] == 0:
        reason = "The study holds no images of a gamma camera."
    if state is State.SLICES:
        reason = "SPECT alone: there is no whole-body or spot view to read. Look at the slices."
    reading = None
    if row["result_version"] is not None:
        reading = StudyReading(
            version=row["result_version"],
            read_at=row["result_made_at"],
            conclusion=row["conclusion"],
            metastases_likelihood=row["metastases_likelihood"],
            bone_scan_index_percent=row["bone_scan_index_percent"],
            bone_findings=row["bone_findings"],
            urgent=row["urgent"],
            signed=bool(row["result_signed_by"]),
            outdated=_outdated(row["result_revision"], row["revision"]),
        )
    return Listed(
        study_uid=row["StudyInstanceUID"],
        patient_name=row["PatientName"],
        patient_id=row["PatientID"],
        birth_date=study_date(row["PatientBirthDate"]),
        sex=row["PatientSex"],
        study_date=study_date(row["StudyDate"]),
        study_time=_time(row["StudyTime"]),
        accession_number=row["AccessionNumber"],
        description=row["StudyDescription"],
        objects=row["objects"],
        state=state,
        progress=(row["progress"] or "") if state is State.READING else "",
        reason=reason,
        reading=reading,
        **{name: getattr(stand.get(row["StudyInstanceUID"], Standing()), name) for name in _STANDING},
    )


def _outdated(asked: int, now: int) -> bool:
    return 0 < asked < now


def _found(search: str, identity: bool) -> list[ColumnElement[bool]]:
    columns = (
        [study.c[name] for name in ("PatientName", "PatientID", "AccessionNumber", "StudyDescription")]
        if identity
        else [told.c.conclusion]
    )
    words = search.replace("\0", " ").split()[:_MOST_WORDS]
    return [or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words]


def _of_state(state: str) -> list[ColumnElement[bool]]:
    if not state:
        return []
    if state in set(State):
        return [_STATE.in_([state])]
    others = {
        "urgent": _URGENT,
        "signed": _RESULT.c.signed_by != "",
        "unsigned": _RESULT.c.signed_by == "",
    }
    if state not in others:
        known = ", ".join([*State, *others])
        raise Refusal(422, "state", f"A state is one of {known}.")
    return [others[state]]


def _name(row: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(row)).encode()).decode()


def _place(name: str) -> tuple[int, str, str, str]:
    try:
        rank, *texts = json.loads(base64.urlsafe_b64decode(name.encode("ascii")))
    except (ValueError, TypeError) as error:
        raise _no_place() from error
    if type(rank) is not int or abs(rank) > 1 or len(texts) != 3 or not all(map(_is_text, texts)):
        raise _no_place()
    return rank, texts[0], texts[1], texts[2]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value and value == value.encode("utf-8", "replace").decode()


def _no_place() -> Refusal:
    return Refusal(422, "after", "This is no place in the worklist; begin anew.")


def _no_study() -> Refusal:
    return Refusal(404, "no_study", "There is no study of this UID here.")


def study_date(said: str) -> str:
    """A date of DICOM as people read it.

    Parameters
    ----------
    said : str
        ``"20260704"``.

    Returns
    -------
    str
        ``"2026-07-04"``; anything else is not told as a date.
    """
    return f"{said[:4]}-{said[4:6]}-{said[6:]}" if len(said) == 8 and said.isascii() and said.isdigit() else ""


def _time(said: str) -> str:
    """091500.25 as 09:15:00, 0915 as 09:15; anything else is not told as a time."""
    whole = said.partition(".")[0]
    if not (whole.isascii() and whole.isdigit() and len(whole) in (4, 6)):
        return ""
    return ":".join(whole[k : k + 2] for k in range(0, len(whole), 2))
