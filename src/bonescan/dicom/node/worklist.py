"""Modality worklist: who is expected today, so that nobody types a weight twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from pydicom.dataset import Dataset
from pynetdicom import build_context

from bonescan.dicom.headers import items, number, text
from bonescan.dicom.node.contexts import MESSAGE_ENCODINGS, WORKLIST
from bonescan.dicom.node.sending import opened
from bonescan.dicom.node.settings import NodeSettings, Peer
from bonescan.errors import InvalidValue, UnreadableInput

__all__ = ["Expected", "worklist"]

_MOST_ENTRIES = 1000
_PENDING = (0xFF00, 0xFF01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One scheduled procedure step of one patient; empty or ``None`` where the worklist does not say.

    Parameters
    ----------
    patient_name, patient_id : str
    born_on : date or None
    sex : str
        ``"M"``, ``"F"``, ``"O"`` or empty.
    weight_kg, height_cm : float or None
    accession_number, procedure : str
    study_instance_uid : str
    scheduled_at : datetime or None
        In the worklist's own time.
    """

    patient_name: str = ""
    patient_id: str = ""
    born_on: date | None = None
    sex: str = ""
    weight_kg: float | None = None
    height_cm: float | None = None
    accession_number: str = ""
    procedure: str = ""
    study_instance_uid: str = ""
    scheduled_at: datetime | None = None

    def age_years(self, on: date) -> float | None:
        """Age on a day, in years of 365.25 days.

        Parameters
        ----------
        on : date

        Returns
        -------
        float or None
        """
        return None if self.born_on is None else (on - self.born_on).days / 365.25


def worklist(
    peer: Peer, settings: NodeSettings, *, on: date | None = None, modality: str = "NM", accession_number: str = ""
) -> list[Expected]:
    """Ask a worklist server who is expected (C-FIND, PS3.4 annex K).

    Parameters
    ----------
    peer : Peer
    settings : NodeSettings
        Whose title and certificate are shown.
    on : date, optional
        Any day by default.
    modality : str
        Empty for any.
    accession_number : str
        Empty for any.

    Returns
    -------
    list of Expected
        By time; those without a time last.

    Raises
    ------
    UnreadableInput
        When the server cannot be reached, or does not answer the whole question.
    InvalidValue
        When there are more than 1000 entries.
    """
    association = opened(peer, settings, [build_context(WORKLIST, list(MESSAGE_ENCODINGS[:2]))])
    if not association.is_established:
        raise UnreadableInput("The worklist server could not be reached, or does not know this AE title.")
    found: list[Expected] = []
    status = None
    try:
        for answer, entry in association.send_c_find(_question(on, modality, accession_number), WORKLIST):
            status = answer.get("Status")
            if status in _PENDING and entry is not None:
                found.append(_expected(entry))
                if len(found) > _MOST_ENTRIES:
                    association.abort()
                    raise InvalidValue(f"The worklist has more than {_MOST_ENTRIES} entries; ask for one day.")
    except (RuntimeError, ValueError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise UnreadableInput("The worklist server takes no questions.") from error
    finally:
        if association.is_established:
            association.release()
    if status != 0x0000:
        raise UnreadableInput("The worklist server did not answer to the end.", status=status)
    return sorted(found, key=lambda one: (one.scheduled_at is None, one.scheduled_at or datetime.min))


def _question(on: date | None, modality: str, accession_number: str) -> Dataset:
    step = Dataset()
    step.Modality = modality
    step.ScheduledProcedureStepStartDate = "" if on is None else f"{on:%Y%m%d}"
    for keyword in (
        "ScheduledProcedureStepStartTime",
        "ScheduledStationAETitle",
        "ScheduledProcedureStepDescription",
        "ScheduledProcedureStepID",
    ):
        setattr(step, keyword, "")
    question = Dataset()
    question.SpecificCharacterSet = "ISO_IR 192"
    question.AccessionNumber = accession_number
    for keyword in (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "PatientWeight",
        "PatientSize",
        "StudyInstanceUID",
        "RequestedProcedureDescription",
        "RequestedProcedureID",
    ):
        setattr(question, keyword, None)
    question.ScheduledProcedureStepSequence = [step]
    return question


def _expected(entry: Dataset) -> Expected:
    step = next(iter(items(entry, "ScheduledProcedureStepSequence")), Dataset())
    born = _day(text(entry, "PatientBirthDate"))
    day, clock = (
        _day(text(step, "ScheduledProcedureStepStartDate")),
        text(step, "ScheduledProcedureStepStartTime") or "",
    )
    height_m = number(entry, "PatientSize")
    weight_kg = number(entry, "PatientWeight")
    return Expected(
        patient_name=text(entry, "PatientName") or "",
        patient_id=text(entry, "PatientID") or "",
        born_on=born,
        sex=text(entry, "PatientSex") or "",
        weight_kg=weight_kg or None,  # 0 is how some say that they do not know
        height_cm=100 * height_m if height_m else None,
        accession_number=text(entry, "AccessionNumber") or "",
        procedure=text(step, "ScheduledProcedureStepDescription") or text(entry, "RequestedProcedureDescription") or "",
        study_instance_uid=text(entry, "StudyInstanceUID") or "",
        scheduled_at=None if day is None else datetime.combine(day, _clock(clock)),
    )


def _day(words: str | None) -> date | None:
    try:
        return datetime.strptime(words or "", "%Y%m%d").date()
    except ValueError:
        return None


def _clock(words: str) -> time:
    digits = words.partition(".")[0].replace(":", "").ljust(6, "0")
    try:
        return datetime.strptime(digits[:6], "%H%M%S").time()
    except ValueError:
        return time()
