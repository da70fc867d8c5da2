"""The plan of one bone scan: activity, syringe, appointment and dose for one person, in one value.

::

    Referral, tracer, times ─► plan_study ─► Plan ─► the sheets of `bonescan.report`
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bonescan.errors import InvalidValue
from bonescan.measurement import Measurement
from bonescan.scan import Remark, Severity
from bonescan.tracer.activity import Prescription, prescribe
from bonescan.tracer.appointment import Appointment, Referral, make_appointment, weigh_previous
from bonescan.tracer.dose import absorbed_dose, days_of_background
from bonescan.tracer.radiopharmaceuticals import RADIOPHARMACEUTICALS, radiopharmaceutical
from bonescan.tracer.syringe import Syringe, Vial, draw

__all__ = ["Plan", "plan_study"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One planned bone scan, from the syringe to the way home.

    Parameters
    ----------
    referral : Referral
    radiopharmaceutical : str
    prescription : Prescription
    vial : Vial or None
    syringe : Syringe or None
        Where a vial was given.
    residual_percent : float
        That `syringe` allows for.
    appointment : Appointment
    effective_msv, background_days, bladder_mgy : Measurement
        Dose of the activity, and the days of natural background that give as much.
    voiding_interval_h : float
        That the doses assume.
    uterus_mgy : Measurement or None
        Where pregnancy is possible: the estimate of an early embryo's dose.
    previous_percent : float or None
        Share of the activity in the body at imaging that an earlier study left there.
    remarks : tuple of Remark
    """

    referral: Referral
    radiopharmaceutical: str
    prescription: Prescription
    vial: Vial | None
    syringe: Syringe | None
    residual_percent: float
    appointment: Appointment
    effective_msv: Measurement
    background_days: Measurement
    bladder_mgy: Measurement
    voiding_interval_h: float
    uterus_mgy: Measurement | None
    previous_percent: float | None
    remarks: tuple[Remark, ...]


def plan_study(
    referral: Referral,
    *,
    inject_at: datetime,
    tracer: str = RADIOPHARMACEUTICALS[0],
    guideline: str = "EANM",
    activity_mbq: float | None = None,
    image_at: datetime | None = None,
    vial_mbq: float | None = None,
    vial_ml: float | None = None,
    vial_at: datetime | None = None,
    residual_percent: float = 0.0,
) -> Plan:
    """Plan one bone scan.

    Parameters
    ----------
    referral : Referral
    inject_at : datetime
        When the tracer is injected.
    tracer : str
        A name of `bonescan.tracer.RADIOPHARMACEUTICALS`.
    guideline : str
        One of `bonescan.tracer.activity.GUIDELINES`.
    activity_mbq : float, optional
        The prescriber's own choice of activity.
    image_at : datetime, optional
        When the camera is free; 3 h after injection without it (1 h for F-18).
    vial_mbq, vial_ml, vial_at : optional
        Activity, volume and calibration time of the vial, all three or none.
    residual_percent : float
        What stays in the syringe, to be drawn in addition.

    Returns
    -------
    Plan

    Raises
    ------
    InvalidValue
        For a value out of range, or an impossible order of times.
    """
    agent = radiopharmaceutical(tracer)
    prescription = prescribe(
        mass_kg=referral.mass_kg,
        age_years=referral.age_years,
        height_cm=referral.height_cm,
        tracer=tracer,
        guideline=guideline,
        activity_mbq=activity_mbq,
    )
    vial = _vial(vial_mbq, vial_ml, vial_at, agent.nuclide.half_life_h, agent.kit_shelf_life_h)
    syringe = None
    if vial is None and residual_percent:
        raise InvalidValue(
            "What stays in the syringe is drawn in addition, and that needs a vial: give its activity, volume and "
            "calibration time.",
            residual_percent=residual_percent,
        )
    if vial is not None:
        syringe = draw(
            vial, activity_mbq=prescription.activity_mbq, inject_at=inject_at, residual_percent=residual_percent
        )
    times = make_appointment(
        referral, tracer=tracer, activity_mbq=prescription.activity_mbq, inject_at=inject_at, image_at=image_at
    )
    dose = absorbed_dose(agent, prescription.activity_mbq, age_years=referral.assumed_age_years)
    uterus = dose.organ_mgy.get("uterus") if referral.pregnant or referral.may_be_pregnant else None
    previous_percent: float | None = None
    previous_remarks: tuple[Remark, ...] = ()
    if referral.previous is not None:
        previous_percent, previous_remarks = weigh_previous(referral.previous, agent.nuclide.name, times)
    return Plan(
        referral=referral,
        radiopharmaceutical=tracer,
        prescription=prescription,
        vial=vial,
        syringe=syringe,
        residual_percent=residual_percent,
        appointment=times,
        effective_msv=dose.effective_msv,
        background_days=_background_days(dose.effective_msv),
        bladder_mgy=dose.bladder_wall_mgy,
        voiding_interval_h=dose.voiding_interval_h,
        uterus_mgy=uterus,
        previous_percent=previous_percent,
        remarks=(
            *_of_person(referral, uterus),
            *_of_feeding(referral, agent.nuclide.name, guideline),
            *prescription.remarks,
            *(syringe.remarks if syringe else ()),
            *times.remarks,
            *previous_remarks,
        ),
    )


def _vial(
    mbq: float | None, ml: float | None, at: datetime | None, half_life_h: float, shelf_life_h: float | None
) -> Vial | None:
    if mbq is None and ml is None and at is None:
        return None
    if mbq is None or ml is None or at is None:
        raise InvalidValue(
            "A vial needs its activity, its volume and its calibration time: give all three or none.",
            vial_mbq=mbq,
            vial_ml=ml,
            vial_at=at,
        )
    return Vial(activity_mbq=mbq, volume_ml=ml, calibrated_at=at, half_life_h=half_life_h, shelf_life_h=shelf_life_h)


def _background_days(effective_msv: Measurement) -> Measurement:
    if effective_msv.value is None:
        return Measurement(
            value=None, unit="d", method="days of natural background", absent_reason=effective_msv.absent_reason
        )
    return days_of_background(effective_msv.value)


def _of_feeding(referral: Referral, nuclide: str, guideline: str) -> list[Remark]:
    """Name the longer pause that the United States ask for, where their rules are planned by."""
    if not referral.breastfeeding or nuclide != "Tc-99m" or guideline not in ("SNMMI", "label"):
        return []
    return [
        Remark(
            code="plan.feeding.differs",
            text="Breast-feeding: in the United States ACMUI asks for a pause of 24 h after Tc-99m; the times on both "
            "sheets are EANM's. Decide before the patient's sheet is handed out.",
            severity=Severity.WARNING,
        )
    ]


def _of_person(referral: Referral, uterus_mgy: Measurement | None) -> list[Remark]:
    remarks = []
    if referral.pregnant:
        dose = ""
        if uterus_mgy is not None and uterus_mgy.value is not None:
            dose = f" An early embryo would receive about {uterus_mgy.value:.1f} mGy (dose to the uterus)."
        remarks.append(
            Remark(
                code="plan.pregnant",
                text="Pregnant: do not inject before a physician has justified it in writing; delay it until after the "
                f"pregnancy, or prefer ultrasound or MRI, where that is possible.{dose}",
                severity=Severity.WARNING,
            )
        )
    if referral.dialysis:
        remarks.append(
            Remark(
                code="plan.dialysis",
                text="Dialysis: agree the time with the nephrologist; a haemodialysis between 15 min and 5 h after the "
                "injection brings blood and soft tissue to nearly normal; take the pictures after it. Drinking as the "
                "kidney unit allows. The doses given are those of normal kidneys.",
                severity=Severity.WARNING,
            )
        )
    return remarks
