"""The routes of the teaching page: scenarios, a simulated scan with its truth, and what the reader says of it."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from bonescan.camera.cameras import CAMERAS, camera
from bonescan.errors import InvalidValue
from bonescan.journeys.teaching import LESSON_LIMITS, Lesson
from bonescan.workstation.people import Account, Right
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.rooms import InRooms, allowed

__all__ = ["LessonAsked", "ScanAnswer", "ScenariosAnswer", "router"]

router = APIRouter(prefix="/api/v1/teaching", tags=["teaching"])

Student = Annotated[Account, allowed(Right.SIGNED_IN)]
_Watching = Annotated[Account, allowed(Right.SIGNED_IN, uses=False)]
_LOOK_S = 0.05
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Word = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")]


class _Scenario(BaseModel):
    name: str
    title: str
    shows: str
    activity_mbq: float | None
    time_h: float
    age_years: float | None


class _Camera(BaseModel):
    name: str
    title: str


class ScenariosAnswer(BaseModel):
    """What there is to choose from, and how far each slider goes."""

    scenarios: list[_Scenario]
    cameras: list[_Camera]
    limits: dict[str, tuple[float, float]]


class LessonAsked(BaseModel):
    """A scenario with its sliders set; what is left out is drawn, or as the scenario has it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    scenario: _Word
    seed: Annotated[int, Field(ge=0, lt=10**6)] = 1
    camera: _Word = "symbia_lehr"
    activity_mbq: _Number | None = None
    time_h: _Number | None = None
    speed_cm_per_min: _Number = 12.0
    counts: _Number | None = None
    distance_mm: _Number = 20.0
    contrast_times: _Number = 1.0
    age_years: _Number | None = None
    bmi: _Number | None = None
    quick: bool = False


class _View(BaseModel):
    name: str
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    largest: float


class ScanAnswer(BaseModel):
    """How far a simulated scan is, and what it holds."""

    id: str
    state: Literal["working", "done", "failed"]
    doing: Literal["scan", "read"]
    step: str
    reason: str
    quick: bool
    views: list[_View]
    truth: dict[str, Any] | None
    reading: dict[str, Any] | None


@router.get("/scenarios")
def scenarios(_: Student) -> ScenariosAnswer:
    """The scenarios that scans can be made of."""
    return _offered()


@router.post("/scans", status_code=202)
def simulate(asked: LessonAsked, who: Student, rooms: InRooms) -> ScanAnswer:
    """Begin a simulated scan; it takes the place of one's last."""
    try:
        lesson = Lesson(**asked.model_dump(exclude={"quick"}))
    except InvalidValue as error:
        raise Refusal(422, "lesson", str(error)) from error
    return ScanAnswer.model_validate(rooms.lessons.scan(who, lesson, quick=asked.quick))


@router.get("/scans/{number}")
async def state(
    number: str, who: _Watching, rooms: InRooms, wait_s: Annotated[float, Query(ge=0, le=20)] = 0.0
) -> ScanAnswer:
    """How far one's scan is; waits for its next step while it is under way."""
    until, first = time.monotonic() + wait_s, rooms.lessons.state(who, number)
    told = first
    while told["state"] == "working" and told["step"] == first["step"] and time.monotonic() < until:
        await asyncio.sleep(_LOOK_S)  # a thread that waited would be missing elsewhere
        told = rooms.lessons.state(who, number)
    return ScanAnswer.model_validate(told)


@router.post("/scans/{number}/reading", status_code=202)
def read(number: str, who: Student, rooms: InRooms) -> ScanAnswer:
    """Have one's scan read, as a patient's would be; the reader does not see the truth."""
    return ScanAnswer.model_validate(rooms.lessons.read(who, number))


@router.get("/scans/{number}/views/{name}", response_class=Response)
def counts(number: str, name: str, who: Student, rooms: InRooms) -> Response:
    """Counts of one view, uint16, row by row, little-endian."""
    return _binary(rooms, who, number, name, "counts", "uint16")


@router.get("/scans/{number}/lesions/{name}", response_class=Response)
def lesions(number: str, name: str, who: Student, rooms: InRooms) -> Response:
    """Where lesions are in one view: their numbers, or 0; uint8, row by row."""
    return _binary(rooms, who, number, name, "lesions", "uint8")


def _binary(rooms: InRooms, who: Account, number: str, name: str, what: str, dtype: str) -> Response:
    view, content = rooms.lessons.picture(who, number, name, what)
    headers = {"X-Rows": str(view["rows"]), "X-Columns": str(view["columns"]), "X-Dtype": dtype}
    return Response(content, media_type="application/octet-stream", headers=headers)


@cache
def _offered() -> ScenariosAnswer:
    from bonescan.patient import packaged_scenario, scenario_names

    told = {name: packaged_scenario(name) for name in scenario_names()}
    return ScenariosAnswer(
        scenarios=[
            _Scenario(
                name=name,
                title=one.title,
                shows=one.shows.strip(),
                activity_mbq=one.injected_mbq,
                time_h=one.imaging().time_h,
                age_years=one.person.get("age_years"),
            )
            for name, one in sorted(told.items(), key=lambda item: item[1].title)
            if one.tracer.startswith("Tc-99m")
        ],
        cameras=[_Camera(name=name, title=_called(name)) for name in CAMERAS],
        limits=dict(LESSON_LIMITS),
    )


def _called(name: str) -> str:
    own = camera(name)
    return f"{own.manufacturer} {own.model}"
