"""Quality over time: figures of readings, limits that outliers do not widen, drifts that are seen, and no identity."""

from __future__ import annotations

import json
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert
from tests.workstation.conftest import put_reading, put_study, small_reading

from bonescan.archive import Archive
from bonescan.archive.tables import result
from bonescan.workstation.quality import QualityOverTime, limits_of, measured_of
from bonescan.workstation.tables import measured

BEGIN = date(2024, 1, 1)


def a_reading(**changes: object) -> dict[str, object]:
    """A reading of a scan whose sensitivity is worked out by hand below."""
    view = {"total_counts": 2.0e6, "scan_velocity_mm_per_s": 2.0, "duration_s": 1080.0}
    scan = {
        "acquired_at": "2024-07-04T09:15:00",
        "delay_h": 3.0,
        "patient": {"name": "Doe^Jane^1", "patient_id": "ID-1", "birth_date": "1930-01-02"},
        "injection": {"radionuclide": "^99m^Technetium", "activity_mbq": 600.0},
        "device": {"manufacturer": "SIEMENS", "model": "Symbia"},
        "views": {"anterior": view, "posterior": view | {"total_counts": 1.5e6}},
    }
    checks = [{"code": "quality.bladder", "verdict": "warn"}, {"code": "quality.views", "verdict": "pass"}]
    return small_reading(scan=scan | changes, quality={"checks": checks})


def written(folder: Path, reading: dict[str, object]) -> Path:
    (folder / "reading.json").write_text(json.dumps(reading), encoding="utf-8")
    return folder


def put_figures(archive: Archive, days: list[date], values: np.ndarray, camera: str = "CAM") -> None:
    """Rows as if readings had been published."""
    uids = [f"1.8.{camera.encode().hex()[:6]}.{k}" for k in range(len(days))]
    with archive.database.write() as connection:
        connection.execute(
            insert(result),
            [
                {"StudyInstanceUID": uid, "version": 1, "folder": uid, "made_at": "", "job_id": 0, "sources_sha256": "",
                 "files_sha256": "", "signed_by": "", "signed_at": ""}
                for uid in uids
            ],
        )  # fmt: skip
        connection.execute(
            insert(measured),
            [
                {"StudyInstanceUID": uid, "version": 1, "folder": uid, "day": day.isoformat(), "camera": camera,
                 "sensitivity": float(value), "checks": "{}"}
                for uid, day, value in zip(uids, days, values, strict=True)
            ],
        )  # fmt: skip


def test_figures_are_those_of_the_reading(tmp_path):
    """Witness for the sensitivity: the formula by hand; mid-pass at 3 h and 540 s, 6.0067 h half-life, 12 cm/min."""
    found = measured_of(written(tmp_path, a_reading()), "ROOM2")
    left = 600 * 2 ** (-(3 + 540 / 3600) / 6.0067)
    assert found["sensitivity"] == pytest.approx(math.sqrt(2.0e6 * 1.5e6) * 1.2 / left, rel=1e-6)
    assert (found["day"], found["camera"]) == ("2024-07-04", "ROOM2 (SIEMENS Symbia)")
    assert (found["counts_anterior"], found["delay_h"], found["speed_cm_per_min"]) == (2.0e6, 3.0, 12.0)
    assert json.loads(found["checks"]) == {"quality.bladder": "warn"}


@pytest.mark.parametrize(
    "untold",
    [{"delay_h": None}, {"injection": {"activity_mbq": None}},
     {"injection": {"activity_mbq": 600, "radionuclide": "F-18"}},
     {"views": {"anterior": {"total_counts": 1e6}}}, {"delay_h": 1e9}, {"delay_h": "3"}],
)  # fmt: skip
def test_what_the_files_do_not_tell_is_absent_never_guessed(tmp_path, untold):
    assert measured_of(written(tmp_path, a_reading(**untold)))["sensitivity"] is None


@pytest.mark.parametrize("broken", [b"", b"[]", b"{}", b'{"scan": 3}', b"\xff"])
def test_files_that_cannot_be_understood_have_no_figures(tmp_path, broken):
    (tmp_path / "reading.json").write_bytes(broken)
    found = measured_of(tmp_path)
    assert (found["day"], found["sensitivity"], found["checks"]) == ("", None, "{}")


def test_limits_are_robust():
    """Of normal values 1.4826 MAD estimates the standard deviation (2 % here: 4 standard errors at 20,000 values);
    a tenth of absurd ones hardly moves it (known bias of the MAD at 10 % one-sided contamination: below 20 %)."""
    values = np.random.default_rng(600).normal(100, 5, 20_000)
    limits = limits_of(values)
    assert limits.robust_sd == pytest.approx(5, rel=0.03)
    assert limits.act_above == pytest.approx(limits.median + 3 * limits.robust_sd)
    spoiled = limits_of(np.concatenate([values, np.full(2000, 1e6)]))
    assert spoiled.robust_sd == pytest.approx(5, rel=0.2)
    assert limits_of(values[:7]) is None
    assert limits_of(np.full(50, 3.0)) is None


def test_an_outlier_is_listed_and_chance_is_not_a_drift(archive):
    rng = np.random.default_rng(601)
    days = [BEGIN + timedelta(days=k) for k in range(180)]
    values = rng.normal(1000, 50, 180)
    values[100] = 1400
    put_figures(archive, days, values)
    found = QualityOverTime(archive).overview(today=date(2026, 12, 1))
    sensitivity = found.measures[0]
    assert [one.day for one in sensitivity.outliers][:1] == [days[100].isoformat()]
    assert len(sensitivity.outliers) <= 3  # 0.3 % of 180 normal values lie beyond three deviations: 0.5 expected
    assert not any(month.drifts for month in sensitivity.months)


def test_a_camera_that_loses_a_tenth_is_seen_in_its_month_and_the_other_is_not_blamed(archive):
    """A step of two deviations in the last of six months: a month's median of 30 lies 8 standard errors away."""
    rng = np.random.default_rng(602)
    days = [BEGIN + timedelta(days=k) for k in range(180)]
    steady, drifting = rng.normal(1000, 50, 180), rng.normal(1000, 50, 180)
    drifting[151:] *= 0.9
    put_figures(archive, days, steady, "STEADY")
    put_figures(archive, days, drifting, "DRIFTING")
    quality = QualityOverTime(archive)
    of = {
        name: quality.overview(camera=name, today=date(2026, 12, 1)).measures[0].months
        for name in ("STEADY", "DRIFTING")
    }
    assert [month.month for month in of["DRIFTING"] if month.drifts][-1:] == ["2024-06"]
    assert not any(month.drifts for month in of["STEADY"])
    assert quality.overview(today=date(2026, 12, 1)).cameras == {"DRIFTING": 180, "STEADY": 180}


def test_a_reading_is_taken_once_and_a_new_one_takes_its_place(archive, workstation):
    quality = workstation.rooms.quality
    uid = put_study(archive)
    put_reading(archive, uid, a_reading())
    assert (quality.catch_up(), quality.catch_up()) == (1, 0)
    put_reading(archive, uid, a_reading(delay_h=4.0))
    assert quality.catch_up() == 1
    (points,) = [one.points for one in quality.overview().measures if one.measure.code == "delay_h"]
    assert points == (("2024-07-04", 4.0),)


def test_studies_of_a_day_to_come_or_of_none_are_left_out(archive, workstation):
    quality = workstation.rooms.quality
    for number, at in enumerate(("2099-01-01T09:00:00", None, "2024-02-31T09:00:00", "2024-07-04T09:15:00"), start=1):
        put_reading(archive, put_study(archive, number), a_reading(acquired_at=at))
    quality.catch_up()
    found = quality.overview(today=date(2026, 12, 1))
    assert (found.studies, found.last, found.undated) == (1, "2024-07-04", 2)


def test_nobody_learns_an_identity_or_an_hour_from_quality(browser, archive, workstation):
    put_reading(archive, put_study(archive), a_reading())
    workstation.rooms.quality.catch_up()
    for role in ("researcher", "technologist"):
        said = browser(role).get("/api/v1/quality").text
        assert "2024-07-04" in said
        for needle in ("Doe", "ID-1", "1930", "09:15", "Jane"):
            assert needle not in said
    assert browser("researcher").get("/api/v1/quality", params={"months": 0}).status_code == 422


def test_ten_thousand_studies_are_one_answer(browser, archive):
    """No more than the newest points and outliers go over the wire, however many there are."""
    rng = np.random.default_rng(603)
    days = [BEGIN + timedelta(days=k // 40) for k in range(10_000)]
    put_figures(archive, days, rng.normal(1000, 50, 10_000))
    said = browser("technologist").get("/api/v1/quality").json()
    sensitivity = said["measures"][0]
    assert (said["studies"], sensitivity["studies"]) == (10_000, 10_000)
    assert len(sensitivity["points"]) == 2000
    assert len(sensitivity["outliers"]) <= 50
