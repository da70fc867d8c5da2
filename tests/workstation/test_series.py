"""Moving pictures and volumes over HTTP: the counts of the files, in parts, without names, within bounds."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import numpy as np
import pytest
from pydicom import dcmread
from tests.archive.made import RECEIVED
from tests.dicom.phantom import written
from tests.dicom.scans import INJECTION, dynamic, static, tomographic
from tests.dicom.test_viewing import volume_file
from tests.workstation.conftest import put_reading, put_study

from bonescan.archive import Archive, audit
from bonescan.dicom import Filing, image_series, write_dynamic, write_scan, write_tomographic
from bonescan.dicom.node import ReceivedObject
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.series import SeriesShelf

UID = "1.2.3.4"
NAMES = Filing(series_description="Feet of Doe", body_part="FOOT")


def put_objects(archive: Archive, *contents: bytes, study_uid: str = "") -> None:
    for content in contents:
        dataset = dcmread(io.BytesIO(content))
        if study_uid:
            dataset.StudyInstanceUID = study_uid
            buffer = io.BytesIO()
            dataset.save_as(buffer, enforce_file_format=True)
            content = buffer.getvalue()
        archive.keep(
            ReceivedObject(
                content=content,
                sop_class_uid=dataset.SOPClassUID,
                sop_instance_uid=dataset.SOPInstanceUID,
                transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
                calling_ae="CAM",
                received_at=RECEIVED,
            )
        )


def three_phases() -> list[bytes]:
    at = INJECTION.injected_at
    flow = dynamic(
        counts=np.random.default_rng(521).poisson(2, (2, 6, 48, 40)), acquired_at=at,
        starts_s=tuple(2.0 * k for k in range(6)), durations_s=(2.0,) * 6,
    )  # fmt: skip
    pool, late = static(acquired_at=at + timedelta(minutes=5)), static(acquired_at=at + timedelta(hours=3))
    return [
        *write_dynamic(flow, filing=NAMES).values(),
        *write_scan(pool, filing=NAMES).values(),
        *write_scan(late, filing=NAMES).values(),
    ]


def frames(browser, key: str, **asked: int) -> np.ndarray:
    answer = browser.get(f"/api/v1/studies/{UID}/series/{key}/frames", params=asked)
    assert answer.status_code == 200
    shape = [int(answer.headers[f"X-{name}"]) for name in ("Frames", "Rows", "Columns")]
    return np.frombuffer(answer.content, answer.headers["X-Dtype"]).reshape(shape)


def test_three_phases_are_told_with_their_times_and_given_in_parts(browser, archive):
    put_objects(archive, *three_phases())
    doctor = browser("physician")
    said = doctor.get(f"/api/v1/studies/{UID}/series").json()
    assert [(one["phase"], one["view"], one["frames"]) for one in said["series"]] == [
        ("flow", "anterior", 6), ("flow", "posterior", 6), ("pool", "anterior", 1), ("pool", "posterior", 1),
        ("delayed", "anterior", 1), ("delayed", "posterior", 1),
    ]  # fmt: skip
    assert [one["after_injection_s"] for one in said["series"][::2]] == [0.0, 300.0, 10800.0]
    assert said["series"][1]["label"] == "Feet of Doe"
    posterior = said["series"][1]
    counts = np.random.default_rng(521).poisson(2, (2, 6, 48, 40))[1]
    np.testing.assert_array_equal(frames(doctor, posterior["key"]), counts)
    np.testing.assert_array_equal(frames(doctor, posterior["key"], first=2, count=3), counts[2:5])
    np.testing.assert_array_equal(frames(doctor, posterior["key"], first=5, count=99), counts[5:])
    assert posterior["largest"] == counts.max()


def test_no_series_and_no_frame_are_refused_in_a_sentence(browser, archive):
    put_objects(archive, *three_phases())
    doctor = browser("physician")
    key = doctor.get(f"/api/v1/studies/{UID}/series").json()["series"][0]["key"]
    for path, status in {
        f"{key}/frames?first=6": 404, "0.0/frames": 404, f"{key[:-2]}.9/frames": 404, "..%2f..%2fx/frames": 404,
        f"{key}/frames?first=-1": 422, f"{key}/frames?count=0": 422, f"{key}/frames?first=x": 422,
    }.items():  # fmt: skip
        answer = doctor.get(f"/api/v1/studies/{UID}/series/{path}")
        assert (answer.status_code, set(answer.json())) == (status, {"error"}), path
    assert doctor.get("/api/v1/studies/1.2.9/series").status_code == 404


def test_a_study_without_pictures_has_none_and_damaged_objects_are_counted(browser, archive):
    (content,) = write_scan(static()).values()
    dataset = dcmread(io.BytesIO(content))
    del dataset.PixelData
    put_objects(archive, written(dataset))
    assert browser("physician").get(f"/api/v1/studies/{UID}/series").json() == {"series": [], "left_out": 1}


def test_a_volume_and_projections_are_told_as_what_they_are(browser, archive):
    values = np.arange(60, dtype=np.uint16).reshape(3, 4, 5)
    put_objects(archive, *write_tomographic(tomographic()).values())
    put_objects(archive, volume_file(values), study_uid=UID)
    doctor = browser("physician")
    series = {one["kind"]: one for one in doctor.get(f"/api/v1/studies/{UID}/series").json()["series"]}
    assert series["tomographic"]["angles_deg"][:2] == [0.0, 22.5]
    volume = series["volume"]
    assert (volume["slice_spacing_mm"], volume["row_spacing_mm"], volume["orientation"]) == (3.0, 2.0, "patient")
    np.testing.assert_array_equal(frames(doctor, volume["key"]), values)


def test_frames_are_kept_within_bounds_and_opened_again(archive, monkeypatch):
    put_objects(archive, *three_phases())
    shelf = SeriesShelf(archive, most_bytes=1)
    listed = shelf.of(UID).series
    whole = [shelf.frames(UID, one.key) for one in listed]
    assert [one.count for one in whole] == [6, 6, 1, 1, 1, 1]
    assert len(shelf._frames) == 1
    np.testing.assert_array_equal(bytes(shelf.frames(UID, listed[0].key).content), bytes(whole[0].content))
    monkeypatch.setattr("bonescan.workstation.series._MOST_AT_ONCE", 2 * 48 * 40 * 2)
    assert shelf.frames(UID, listed[0].key).count == 2
    with pytest.raises(Refusal, match="6 frames"):
        shelf.frames(UID, listed[0].key, 6)


def test_what_could_not_be_opened_for_a_moment_is_opened_the_next_time(archive, monkeypatch):
    put_objects(archive, *three_phases())
    shelf = SeriesShelf(archive)
    refusals = iter([MemoryError(), OSError(5, "Input/output error")])

    def sometimes(path):
        if (refusal := next(refusals, None)) is not None:
            raise refusal
        return image_series(path)

    monkeypatch.setattr("bonescan.dicom.image_series", sometimes)
    assert shelf.of(UID).left_out == 2
    assert shelf.of(UID).left_out == 0


def test_a_researcher_gets_moving_pictures_without_descriptions_and_hours(browser, archive):
    put_objects(archive, *three_phases())
    someone = browser("researcher")
    answer = someone.get(f"/api/v1/studies/{UID}/series")
    assert [one["label"] for one in answer.json()["series"]][:2] == ["Foot, anterior", "Foot, posterior"]
    for secret in ("Doe", "07:00", "10:15", "2026"):
        assert secret not in answer.text
    assert frames(someone, answer.json()["series"][0]["key"]).shape == (6, 48, 40)


def test_a_researcher_gets_the_phases_without_the_person(browser, archive, workstation):
    uid = put_study(archive)
    at = {"acquired_at": "2026-07-04T09:15:00", "counts": 7.0, "moved_mm": 1.5, "absent_reason": ""}
    phases = {
        "study": {
            "study_uid": uid, "study_description": "Scan of Doe", "body_part": "DOE",
            "patient": {"name": "Doe^Jane", "patient_id": "ID-1", "sex": "F"},
            "injection": {"injected_at": "2026-07-04T06:00:00"}, "with_whole_body_scan": False,
            "phases": {"flow": at | {"sources": [{"file_name": "Doe.dcm"}]}},
        },
        "sentences": ["Flow is raised."],
    }  # fmt: skip
    put_reading(archive, uid, phases__json=json.dumps(phases).encode())
    workstation.rooms.studies.catch_up()
    path = f"/api/v1/studies/{uid}/readings/1/phases.json"
    assert browser("physician").get(path).json() == phases
    answer = browser("researcher").get(path)
    assert answer.json()["sentences"] == ["Flow is raised."]
    assert answer.json()["study"]["phases"] == {"flow": {"counts": 7.0, "moved_mm": 1.5, "absent_reason": ""}}
    for secret in ("Doe", "DOE", "ID-1", "09:15", "06:00"):
        assert secret not in answer.text


def test_looking_at_series_is_in_the_audit_trail(browser, archive):
    put_objects(archive, *three_phases())
    doctor = browser("physician")
    key = doctor.get(f"/api/v1/studies/{UID}/series").json()["series"][0]["key"]
    for _ in range(2):
        frames(doctor, key, first=0, count=1)
    rows = [row.detail["what"] for row in audit.entries(archive.database) if row.action == "study.viewed"]
    assert rows == ["series", f"series {key}"]
