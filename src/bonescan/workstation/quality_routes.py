"""The route of the quality page: what the cameras did over time; no name, number or hour is in it, for any role."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from bonescan.workstation.people import Account, Right
from bonescan.workstation.rooms import InRooms, allowed

__all__ = ["QualityAnswer", "router"]

router = APIRouter(prefix="/api/v1", tags=["quality"])

Viewer = Annotated[Account, allowed(Right.STUDIES)]


class _Limits(BaseModel):
    median: float
    robust_sd: float
    look_below: float
    look_above: float
    act_below: float
    act_above: float


class _Month(BaseModel):
    month: str
    studies: int
    median: float
    drifts: bool


class _Outlier(BaseModel):
    study_uid: str
    day: str
    camera: str
    value: float
    deviations: float


class _Measure(BaseModel):
    code: str
    name: str
    unit: str
    studies: int
    untold: int
    limits: _Limits | None
    months: list[_Month]
    points: list[tuple[str, float]]
    looked_at: int
    outliers: list[_Outlier]


class _Check(BaseModel):
    code: str
    warned: int
    months: dict[str, int]


class QualityAnswer(BaseModel):
    """Quality over a time, of one camera or of all."""

    first: str
    last: str
    cameras: dict[str, int]
    studies: int
    undated: int
    months: dict[str, int]
    measures: list[_Measure]
    checks: list[_Check]


@router.get("/quality")
def quality(
    who: Viewer,
    rooms: InRooms,
    camera: Annotated[str, Query(max_length=120)] = "",
    months: Annotated[int, Query(ge=1, le=120)] = 12,
) -> QualityAnswer:
    """Counts, delays, activity, speed and sensitivity of the last months, with limits, drifts and outliers."""
    found = rooms.quality.overview(camera=camera, months=months)
    rooms.accesses.record(who, "quality.viewed", "")
    told: dict[str, Any] = asdict(found)
    told["measures"] = [{**one.pop("measure"), **one} for one in told["measures"]]
    return QualityAnswer.model_validate(told)
