"""The routes of the appointment: what `bonescan plan` says, for a form; no name goes in, and nothing is kept.

What is asked for stands in the address, so that a sheet is a link; it names nobody, and the log holds no addresses.
"""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, NaiveDatetime

from bonescan import journeys
from bonescan.errors import InvalidValue
from bonescan.report.sheets import SHEET_NAMES, department_content, plan_record, plan_sheet
from bonescan.tracer.appointment import PreviousStudy, Referral
from bonescan.tracer.plan import Plan
from bonescan.workstation.guard import DOCUMENT_POLICY, PDF_POLICY
from bonescan.workstation.pages import MEDIA_TYPES
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import allowed

__all__ = ["PlanAnswer", "PlanAsked", "router"]

router = APIRouter(prefix="/api/v1", tags=["appointment"])

SignedIn = Annotated[Account, allowed(Right.SIGNED_IN)]
_Number = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e6)]
_Time = Annotated[NaiveDatetime, Field(ge=datetime(2000, 1, 1), le=datetime(2099, 12, 31))]
_PATIENCE_S = 3.0
_setting = threading.BoundedSemaphore(2)  # pages set at once: each takes a core for half a second


class PlanAsked(BaseModel):
    """One bone scan to be planned, without a name; times are the clock of the place."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    weight_kg: _Number
    inject_at: _Time
    age_years: _Number | None = None
    height_cm: _Number | None = None
    sex: Literal["", "female", "male"] = ""
    tracer: Literal["Tc-99m MDP", "Tc-99m HDP", "Tc-99m DPD", "F-18 fluoride"] = "Tc-99m MDP"
    guideline: Literal["EANM", "SNMMI", "label", "SmPC"] = "EANM"
    activity_mbq: _Number | None = None
    image_at: _Time | None = None
    vial_mbq: _Number | None = None
    vial_ml: _Number | None = None
    vial_at: _Time | None = None
    residual_percent: _Number = 0.0
    pregnant: bool = False
    breastfeeding: bool = False
    dialysis: bool = False
    previous_mbq: _Number | None = None
    previous_at: _Time | None = None
    previous_tracer: Annotated[str, Field(max_length=20)] = "Tc-99m"
    language: Literal["en", "de", "es", "zh"] = "en"


class PlanAnswer(BaseModel):
    """The plan as values, and the department's sheet as texts."""

    plan: dict[str, Any]
    sheet: dict[str, Any]


@router.get("/plan")
def plan(asked: Annotated[PlanAsked, Query()], _: SignedIn) -> PlanAnswer:
    """Plan one bone scan: activity, volume, times, dose."""
    made = _planned(asked)
    return PlanAnswer(plan=plan_record(made), sheet=department_content(made))


@router.get("/plan/{file}", response_class=Response)
def sheet(file: str, asked: Annotated[PlanAsked, Query()], _: SignedIn) -> Response:
    """The department's sheet or the patient's leaflet of a plan."""
    if file not in SHEET_NAMES:
        raise Refusal(404, "no_file", "A plan has no such sheet.")
    made = _planned(asked)
    if not _setting.acquire(timeout=_PATIENCE_S):
        raise Refusal(503, "busy", "Many sheets are being set; try again.", retry_after_s=2)
    try:
        content = plan_sheet(made, file, asked.language)
    finally:
        _setting.release()
    form = file.rpartition(".")[2]
    headers = {"Content-Disposition": f'inline; filename="{file}"', "X-Frame-Options": "SAMEORIGIN"}
    headers["Content-Security-Policy"] = PDF_POLICY if form == "pdf" else DOCUMENT_POLICY
    return Response(content, media_type=MEDIA_TYPES[f".{form}"], headers=headers)


def _planned(asked: PlanAsked) -> Plan:
    try:
        previous = None
        if asked.previous_mbq is not None and asked.previous_at is not None:
            previous = PreviousStudy(
                tracer=asked.previous_tracer, activity_mbq=asked.previous_mbq, injected_at=asked.previous_at
            )
        elif asked.previous_mbq is not None or asked.previous_at is not None:
            raise InvalidValue("An earlier study needs both its activity and when it was injected.")
        return journeys.plan(
            Referral(
                mass_kg=asked.weight_kg,
                age_years=asked.age_years,
                height_cm=asked.height_cm,
                sex=asked.sex or None,
                pregnant=asked.pregnant,
                breastfeeding=asked.breastfeeding,
                dialysis=asked.dialysis,
                previous=previous,
            ),
            inject_at=asked.inject_at,
            tracer=asked.tracer,
            guideline=asked.guideline,
            activity_mbq=asked.activity_mbq,
            image_at=asked.image_at,
            vial_mbq=asked.vial_mbq,
            vial_ml=asked.vial_ml,
            vial_at=asked.vial_at,
            residual_percent=asked.residual_percent,
            language=asked.language,
        )
    except InvalidValue as error:
        raise Refusal(422, "plan", str(error)) from error
