"""One folder, three phases: objects are told apart by what they are and by their times, and what is missing is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pydicom
import pytest
from tests.dicom.phantom import written
from tests.dicom.scans import ACQUIRED_AT, INJECTION, dynamic, put, static, whole_body

from bonescan.dicom import Filing, open_phases, write_dynamic, write_scan
from bonescan.errors import NotABoneScan
from bonescan.scan import Phase, Severity

BEGAN = ACQUIRED_AT
INJECTED = replace(INJECTION, injected_at=BEGAN)
FLOW: dict[str, Any] = {
    "counts": np.random.default_rng(3).poisson(2, (2, 8, 48, 40)),
    "starts_s": tuple(2.0 * k for k in range(8)),
    "durations_s": (2.0,) * 8,
    "injection": INJECTED,
    "acquired_at": BEGAN,
}


def filing(number: int, part: str | None = "LEG", what: str = "Series") -> Filing:
    return Filing(series_number=number, series_description=what, study_began_at=BEGAN, body_part=part)


def flow(**changes: Any) -> bytes:
    return write_dynamic(dynamic(**{**FLOW, **changes}), filing=filing(1))["dynamic.dcm"]


def planar(after: timedelta, number: int, part: str | None = "LEG", what: str = "Series", seed: int = 5) -> bytes:
    scan = static(acquired_at=BEGAN + after, injection=INJECTED)
    rng = np.random.default_rng(seed + number)
    views = tuple(replace(view, counts=rng.poisson(9, (64, 64))) for view in scan.views)
    (content,) = write_scan(replace(scan, views=views), filing=filing(number, part, what)).values()
    return content


POOL, LATE = timedelta(minutes=5), timedelta(hours=3)


def test_a_folder_with_three_phases_is_one_study(tmp_path):
    # the names say nothing, and their order is another
    put({"a": planar(LATE, 3), "b": flow(), "c": planar(POOL, 2)}, tmp_path)
    study = open_phases([tmp_path])
    assert study is not None
    assert study.flow is not None
    assert study.flow.durations_s == (2.0,) * 8
    assert study.pool is not None
    assert study.pool.acquired_at == BEGAN + POOL
    assert study.delayed is not None
    assert study.delayed.delay_h == pytest.approx(3.0)
    assert study.body_part == "LEG"
    assert study.absent == {}
    assert study.whole_body is None


@pytest.mark.parametrize(
    ("files", "there"),
    [
        (("flow",), {Phase.FLOW}),
        (("flow", "late"), {Phase.FLOW, Phase.DELAYED}),
        (("flow", "pool"), {Phase.FLOW, Phase.POOL}),
        (("pool", "late"), {Phase.POOL, Phase.DELAYED}),
    ],
)
def test_what_is_there_is_opened_and_what_is_not_has_its_reason(files, there, tmp_path):
    objects = {"flow": flow(), "pool": planar(POOL, 2), "late": planar(LATE, 3)}
    put({name: objects[name] for name in files}, tmp_path)
    study = open_phases([tmp_path])
    assert study is not None
    assert {phase for phase in Phase if study.of(phase) is not None} == there
    assert set(study.absent) == set(Phase) - there
    assert all(reason.endswith(".") for reason in study.absent.values())


@pytest.mark.parametrize("after", [POOL, LATE])
def test_one_planar_scan_is_no_study_of_phases(after, tmp_path):
    put({"one.dcm": planar(after, 2)}, tmp_path)
    assert open_phases([tmp_path]) is None


def test_a_whole_body_scan_alone_is_none_and_beside_phases_is_kept(tmp_path):
    (whole,) = write_scan(whole_body(acquired_at=BEGAN + LATE, injection=INJECTED), filing=filing(4, None)).values()
    put({"whole.dcm": whole}, tmp_path / "alone")
    assert open_phases([tmp_path / "alone"]) is None
    put({"whole.dcm": whole, "flow.dcm": flow(), "pool.dcm": planar(POOL, 2)}, tmp_path / "both")
    study = open_phases([tmp_path / "both"])
    assert study is not None
    assert study.whole_body is not None
    assert study.whole_body.whole_body
    assert study.delayed is None
    assert "same part" in study.absent[Phase.DELAYED]


def test_frames_of_minutes_are_the_pool(tmp_path):
    rng = np.random.default_rng(3)
    starts = (*(2.0 * k for k in range(8)), 120.0, 180.0)
    mixed = flow(counts=rng.poisson(2, (2, 10, 48, 40)), starts_s=starts, durations_s=(*(2.0,) * 8, 60.0, 60.0))
    put({"mixed.dcm": mixed}, tmp_path)
    study = open_phases([tmp_path])
    assert study is not None
    assert study.flow is not None
    assert len(study.flow.starts_s) == 8
    assert study.pool is not None
    assert study.pool.views[0].duration_s == 120.0
    assert study.pool.acquired_at == BEGAN + timedelta(seconds=120)
    assert "dicom.phases.summed" in {remark.code for remark in study.remarks}


def test_views_of_the_flows_part_are_chosen_among_several(tmp_path):
    put({"flow": flow(), "pool": planar(POOL, 2), "legs": planar(LATE, 3), "hands": planar(LATE, 4, "HAND")}, tmp_path)
    study = open_phases([tmp_path])
    assert study is not None
    assert study.delayed is not None
    legs = open_phases([tmp_path / "flow", tmp_path / "legs"])
    assert legs is not None
    assert legs.delayed is not None
    assert study.delayed.views[0].total_counts == legs.delayed.views[0].total_counts


def test_two_flows_and_two_studies_are_refused(tmp_path):
    other = flow(counts=np.random.default_rng(4).poisson(2, (2, 8, 48, 40)))
    put({"one": flow(), "two": other}, tmp_path / "flows")
    with pytest.raises(NotABoneScan, match="2 blood flows"):
        open_phases([tmp_path / "flows"])
    put({"one": flow(), "two": planar(POOL, 2)}, tmp_path / "studies")
    ds = pydicom.dcmread(tmp_path / "studies" / "two")
    ds.StudyInstanceUID = "1.9.9"
    (tmp_path / "studies" / "two").write_bytes(written(ds))
    with pytest.raises(NotABoneScan, match="2 different studies"):
        open_phases([tmp_path / "studies"])


def test_without_times_descriptions_decide_or_nothing_does(tmp_path):
    def timeless(content: bytes) -> bytes:
        put({"x": content}, tmp_path)
        ds = pydicom.dcmread(tmp_path / "x")
        (tmp_path / "x").unlink()
        for name in [element.keyword for element in ds if element.keyword.endswith(("Date", "Time", "DateTime"))]:
            delattr(ds, name)
        return written(ds)

    said = {"pool": planar(POOL, 2, what="Blood pool"), "late": planar(LATE, 3, what="Delayed")}
    put({"flow": flow(), **{name: timeless(content) for name, content in said.items()}}, tmp_path / "said")
    study = open_phases([tmp_path / "said"])
    assert study is not None
    assert study.absent == {}
    assert Severity.WARNING in {remark.severity for remark in study.remarks}
    put({"flow": flow(), "one": timeless(planar(POOL, 2))}, tmp_path / "unsaid")
    with pytest.raises(NotABoneScan, match="blood pool or delayed"):
        open_phases([tmp_path / "unsaid"])
    views = {str(k): timeless(planar(LATE, k)) for k in (5, 6)}
    put(views, tmp_path / "views")
    assert open_phases([tmp_path / "views"]) is None  # as far as anybody can tell, a bone scan's
