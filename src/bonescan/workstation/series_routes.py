"""The routes of moving pictures and volumes: which series a study has, and frames of one.

Whoever may not know whose a study is gets no description of the file, which is free text; times count from the
injection or the first frame, never from midnight.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from bonescan.workstation.people import Account, Right
from bonescan.workstation.rooms import InRooms, allowed
from bonescan.workstation.series import ListedSeries

__all__ = ["SeriesAnswer", "router"]

router = APIRouter(prefix="/api/v1", tags=["series"])

Viewer = Annotated[Account, allowed(Right.STUDIES)]


class _OneSeries(BaseModel):
    key: str
    kind: str
    label: str
    view: str
    part: str
    phase: str
    orientation: str
    frames: int
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    slice_spacing_mm: float | None
    spacing_known: bool
    times_s: list[float]
    durations_s: list[float]
    angles_deg: list[float]
    after_injection_s: float | None
    largest: float
    dtype: str


class SeriesAnswer(BaseModel):
    """All series of a study, and how many of its objects cannot be shown."""

    series: list[_OneSeries]
    left_out: int


@router.get("/studies/{uid}/series")
def all_series(uid: str, who: Viewer, rooms: InRooms) -> SeriesAnswer:
    """Every series of pictures in a study, in the order of their acquisition."""
    rooms.studies.one(uid)
    found = rooms.series.of(uid)
    rooms.accesses.record(who, "study.viewed", uid, "series")
    identity = who.may(Right.IDENTITY)
    return SeriesAnswer.model_validate(
        {"series": [_line(one, identity) for one in found.series], "left_out": found.left_out}
    )


@router.get("/studies/{uid}/series/{key}/frames", response_class=Response)
def frames(
    uid: str,
    key: str,
    who: Viewer,
    rooms: InRooms,
    first: Annotated[int, Query(ge=0, le=2**31)] = 0,
    count: Annotated[int | None, Query(ge=1, le=2**31)] = None,
) -> Response:
    """Counts of frames, row by row, little-endian; X-Frames says how many came, no more than 32 MiB hold."""
    rooms.studies.one(uid)
    found = rooms.series.frames(uid, key, first, count)
    rooms.accesses.record(who, "study.viewed", uid, f"series {key}")
    headers = {
        "X-Frames": str(found.count),
        "X-Rows": str(found.listed.rows),
        "X-Columns": str(found.listed.columns),
        "X-Dtype": found.listed.dtype,
    }
    return Response(bytes(found.content), media_type="application/octet-stream", headers=headers)


def _line(one: ListedSeries, identity: bool) -> dict[str, Any]:
    line = asdict(one)
    words = line.pop("words")
    own = ", ".join(part for part in (one.part.capitalize(), one.view) if part)
    return line | {"label": words if identity and words else own or one.kind}
