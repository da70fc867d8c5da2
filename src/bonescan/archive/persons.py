"""Whose studies are whose: all studies of one person with their newest readings, in the order of their scans.

Two studies are of one person when their files give the same patient number under the same issuer. A number that is
empty is nobody's. What else the files give (name, birth date, sex) does not decide, because people marry and clerks
err; where it differs it is told, see `differences`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, literal, select, tuple_

from bonescan.archive.tables import result, study
from bonescan.followup.spelling import same_name, same_sex

__all__ = ["Visit", "differences", "earlier_than", "visits_of"]

_MOST = 100  # [D] each way: one number for very many studies is no person's
_READING = "reading.json"  # a reading of early phases alone has none, and nothing that can be compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One study of a person with its newest reading.

    Parameters
    ----------
    study_instance_uid : str
    study_date, study_time : str
        As the files say.
    description : str
    name, birth_date, sex : str
        As the files say.
    version : int
        Of the reading.
    folder : str
        The reading's, as the index has it.
    signed : bool
    """

    study_instance_uid: str
    study_date: str
    study_time: str
    description: str
    name: str
    birth_date: str
    sex: str
    version: int
    folder: str
    signed: bool

    @property
    def moment(self) -> tuple[str, str, str]:
        """By which visits are put in order."""
        return self.study_date, self.study_time, self.study_instance_uid


def visits_of(connection: Connection, results: Path, study_uid: str) -> tuple[Visit, ...]:
    """All dated studies with a reading of the person whose a study is.

    Parameters
    ----------
    connection : Connection
    results : Path
        The folder of readings.
    study_uid : str

    Returns
    -------
    tuple of Visit
        By time. The study alone where its patient number is empty; without it where it has no date or no reading.
    """
    keys = (study.c.StudyDate, study.c.StudyTime, study.c.StudyInstanceUID)
    asked = select(study.c.PatientID, study.c.IssuerOfPatientID, *keys).where(study.c.StudyInstanceUID == study_uid)
    own = connection.execute(asked).one_or_none()
    if own is None:
        return ()
    same = (study.c.PatientID == own.PatientID) & (study.c.IssuerOfPatientID == own.IssuerOfPatientID)
    if not own.PatientID.strip():
        same = study.c.StudyInstanceUID == study_uid
    newer = result.alias("newer")
    newest = select(func.max(newer.c.version)).where(newer.c.StudyInstanceUID == result.c.StudyInstanceUID)
    wanted = (
        select(study, result.c.version, result.c.folder, result.c.signed_by)
        .join(result, result.c.StudyInstanceUID == study.c.StudyInstanceUID)
        .where(same, study.c.StudyDate != "", result.c.version == newest.scalar_subquery())
        .limit(_MOST)
    )
    here = tuple_(*(literal(value) for value in own[2:]))
    before = wanted.where(tuple_(*keys) <= here).order_by(*(key.desc() for key in keys))
    after = wanted.where(tuple_(*keys) > here).order_by(*keys)
    found = [_visit(row) for part in (before, after) for row in connection.execute(part).mappings()]
    return tuple(sorted((one for one in found if (results / one.folder / _READING).is_file()), key=_moment))


def _moment(one: Visit) -> tuple[str, str, str]:
    return one.moment


def _visit(row: Any) -> Visit:
    return Visit(
        study_instance_uid=row["StudyInstanceUID"],
        study_date=row["StudyDate"],
        study_time=row["StudyTime"],
        description=row["StudyDescription"],
        name=row["PatientName"],
        birth_date=row["PatientBirthDate"],
        sex=row["PatientSex"],
        version=row["version"],
        folder=row["folder"],
        signed=bool(row["signed_by"]),
    )


def earlier_than(visits: Iterable[Visit], study_uid: str) -> tuple[Visit, ...]:
    """Those before one of them, the newest first.

    Parameters
    ----------
    visits : iterable of Visit
        Of one person.
    study_uid : str

    Returns
    -------
    tuple of Visit
        None where the study is not among them.
    """
    by_time = sorted(visits, key=_moment)
    before = [k for k, one in enumerate(by_time) if one.study_instance_uid == study_uid]
    return tuple(reversed(by_time[: before[0]])) if before else ()


def differences(one: Visit, other: Visit) -> tuple[str, ...]:
    """What the files of two studies give otherwise, where both give it.

    Parameters
    ----------
    one, other : Visit

    Returns
    -------
    tuple of str
        Of ``"name"``, ``"birth date"`` and ``"sex"``; never what is given.
    """
    facts = {
        "name": (same_name(one.name), same_name(other.name)),
        "birth date": (one.birth_date, other.birth_date),
        "sex": (same_sex(one.sex), same_sex(other.sex)),
    }
    return tuple(what for what, (a, b) in facts.items() if a and b and a != b)
