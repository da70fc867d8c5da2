"""Objects that come back as the scans they were, with every vector and sequence as PS3.3 has it."""

from __future__ import annotations

import io
from dataclasses import fields, replace
from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dicom.scans import (
    ACQUIRED_AT,
    FACTS,
    INJECTION,
    PATIENT,
    dynamic,
    facts,
    numbers,
    pictures,
    put,
    seconds,
    shapes,
    spacings,
    static,
    tomographic,
    view,
    whole_body,
    windows,
)

from bonescan.dicom import Dialect, Filing, open_scan, write_dynamic, write_scan, write_tomographic
from bonescan.errors import InvalidValue
from bonescan.scan import Scan, ViewName

DETERMINED = ("sources", "remarks")


def parsed(files: dict[str, bytes]) -> pydicom.Dataset:
    (content,) = files.values()
    return pydicom.dcmread(io.BytesIO(content))


def same_facts(found, expected, leaving=DETERMINED) -> None:
    for field in fields(expected):
        if field.name not in (*leaving, "views", "counts"):
            assert getattr(found, field.name) == getattr(expected, field.name), field.name


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_planar_scan_comes_back_bit_for_bit(tmp_path_factory, data):
    shape, spacing, window = data.draw(shapes), data.draw(spacings), data.draw(windows)
    duration, velocity = data.draw(seconds), data.draw(numbers.map(lambda n: n / 1000))
    names = data.draw(st.sampled_from([tuple(ViewName), (ViewName.ANTERIOR,), (ViewName.POSTERIOR,)]))
    length = float(data.draw(st.integers(1, 2500)))
    top, moving = data.draw(st.sampled_from([3, 255, 256, 65535])), data.draw(st.booleans())
    counts = pictures((len(names), *shape), data.draw(st.integers(0, 999)), top)
    views = tuple(
        view(
            name,
            picture,
            row_spacing_mm=spacing[0],
            column_spacing_mm=spacing[1],
            energy_window_kev=window,
            duration_s=duration,
            scan_velocity_mm_per_s=velocity if moving else None,
            scan_length_mm=length if moving else None,
        )
        for name, picture in zip(names, counts, strict=True)
    )
    scan = Scan(views=views, whole_body=moving, **data.draw(facts()))
    paths = put(write_scan(scan, apart=data.draw(st.booleans())), tmp_path_factory.mktemp("planar"))
    found = open_scan(paths)
    same_facts(found, scan)
    for got, had in zip(found.views, scan.views, strict=True):
        np.testing.assert_array_equal(got.counts, had.counts)
        assert got.counts_accumulated in (None, had.total_counts)
        assert got.counts_are_raw  # they add up to what the object states
        assert replace(got, counts_accumulated=None, counts=had.counts).identity_basis == "ViewCodeSequence"
        for name in ("row_spacing_mm", "column_spacing_mm", "energy_window_kev", "duration_s", "start_angle_deg"):
            assert getattr(got, name) == getattr(had, name)
        assert (got.scan_velocity_mm_per_s, got.scan_length_mm) == (had.scan_velocity_mm_per_s, had.scan_length_mm)
    warned = [remark.code for remark in found.remarks if remark.severity != "note"]
    assert set(warned) <= {"dicom.whole_body.static", "dicom.pixels.scrambled"}  # these pictures are no bodies


def test_a_body_comes_back_without_a_warning(tmp_path):
    found = open_scan(put(write_scan(whole_body()), tmp_path))
    assert [remark.text for remark in found.remarks if remark.severity != "note"] == []
    assert "dicom.simulated" in {remark.code for remark in found.remarks}
    np.testing.assert_array_equal(found.views[1].counts, whole_body().views[1].counts)


def test_a_whole_body_object_is_as_the_standard_has_it():
    ds = parsed(write_scan(whole_body()))
    anterior, posterior = ds.DetectorInformationSequence
    assert list(ds.ImageType) == ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    assert list(ds.FrameIncrementPointer) == [0x00540010, 0x00540020]
    assert (list(ds.EnergyWindowVector), list(ds.DetectorVector)) == ([1, 1], [1, 2])
    assert ds.CountsAccumulated == sum(v.total_counts for v in whole_body().views)
    assert (ds.ScanVelocity, ds.ScanLength, ds.ActualFrameDuration) == (1.8, 1944, 1_080_000)  # 1.8 mm/s for 1080 s
    assert (anterior.StartAngle, posterior.StartAngle) == (180, 0)  # 0 is the patient's back
    assert [item.ViewCodeSequence[0].CodeValue for item in (anterior, posterior)] == ["399321004", "399001007"]
    # LPS: in front columns ascend to the patient's left, behind to the right; rows descend to the feet
    assert list(anterior.ImageOrientationPatient) == [1, 0, 0, 0, 0, -1]
    assert list(posterior.ImageOrientationPatient) == [-1, 0, 0, 0, 0, -1]
    drug = ds.RadiopharmaceuticalInformationSequence[0]
    assert (drug.RadiopharmaceuticalCodeSequence[0].CodeValue, drug.RadionuclideTotalDose) == ("96390006", 712.3)
    assert ds.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert (ds.BitsAllocated, ds.PixelRepresentation) == (16, 0)


def test_a_simulated_object_says_so_and_another_does_not():
    told, silent = parsed(write_scan(static())), parsed(write_scan(static(), filing=Filing(simulated=False)))
    assert told.SyntheticData == "YES"
    assert told.ImageComments.startswith("Simulated")
    assert "SyntheticData" not in silent
    assert "ImageComments" not in silent
    # nobody's identity was removed: there was none, and the name is what the scenario gave
    assert "PatientIdentityRemoved" not in told
    assert told.PatientName == PATIENT.name


def test_the_same_scan_gives_the_same_bytes_and_another_scan_other_uids():
    first, again = write_scan(whole_body()), write_scan(whole_body())
    assert first == again == write_scan(whole_body(), filing=Filing(), dialect="standard")
    other = whole_body(views=tuple(view(v.name, v.counts[:, ::-1]) for v in whole_body().views))
    one, two = parsed(first), parsed(write_scan(other))
    assert one.StudyInstanceUID == two.StudyInstanceUID == FACTS["study_uid"]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert one[keyword].value != two[keyword].value
    assert one.SOPInstanceUID != parsed(write_scan(whole_body(), dialect="ge")).SOPInstanceUID
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID
    assert all(uid.is_valid and len(uid) <= 64 for uid in (one.SOPInstanceUID, one.SeriesInstanceUID))


def test_a_seed_makes_one_study_of_several_objects():
    filings = [Filing(seed="case 7", series_number=k + 1, study_began_at=ACQUIRED_AT) for k in range(3)]
    later = ACQUIRED_AT + timedelta(hours=2)
    objects = [
        parsed(write_dynamic(dynamic(study_uid=None), filing=filings[0])),
        parsed(write_scan(static(study_uid=None), filing=filings[1])),
        parsed(write_tomographic(tomographic(study_uid=None, acquired_at=later), filing=filings[2])),
    ]
    assert len({ds.StudyInstanceUID for ds in objects}) == 1
    assert len({ds.SeriesInstanceUID for ds in objects}) == len({ds.SOPInstanceUID for ds in objects}) == 3
    assert {ds.StudyTime for ds in objects} == {"101530"}
    assert [ds.SeriesNumber for ds in objects] == [1, 2, 3]
    # without a seed nor a study UID, each object is a study of its own
    assert parsed(write_scan(static(study_uid=None))).StudyInstanceUID != objects[0].StudyInstanceUID


def test_views_that_differ_are_written_apart():
    anterior, posterior = static().views
    scan = static(views=(anterior, view(ViewName.POSTERIOR, posterior.counts[:50], duration_s=200.0)))
    files = write_scan(scan)
    assert list(files) == ["static_anterior.dcm", "static_posterior.dcm"]
    objects = [pydicom.dcmread(io.BytesIO(content)) for content in files.values()]
    assert [ds.Rows for ds in objects] == [64, 50]
    assert [list(ds.PatientOrientation) for ds in objects] == [["L", "F"], ["R", "F"]]
    assert len({ds.SeriesInstanceUID for ds in objects}) == 1
    assert [ds.InstanceNumber for ds in objects] == [1, 2]


def test_an_injection_before_midnight_keeps_its_day(tmp_path):
    at = datetime(2026, 3, 1, 1, 30)
    given_at = datetime(2026, 2, 28, 22, 45)
    scan = whole_body(acquired_at=at, injection=replace(INJECTION, injected_at=given_at))
    ds = parsed(write_scan(scan))
    assert ds.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartTime == "224500"
    assert open_scan(put(write_scan(scan), tmp_path)).injection.injected_at == given_at


@pytest.mark.parametrize("hours", [24, 26.5])
def test_an_injection_a_day_before_is_told_with_its_date(hours, tmp_path):
    given_at = ACQUIRED_AT - timedelta(hours=hours)
    scan = whole_body(injection=replace(INJECTION, injected_at=given_at))
    assert open_scan(put(write_scan(scan), tmp_path)).injection.injected_at == given_at


@pytest.mark.parametrize(
    ("years", "told"), [(75.9, "075Y"), (2.0, "002Y"), (1.5, "018M"), (0.25, "003M"), (0.05, "018D")]
)
def test_ages_are_told_in_whole_years_months_or_days(years, told):
    ds = parsed(write_scan(static(patient=replace(PATIENT, age_years=years))))
    assert ds.PatientAge == told


def test_names_in_any_script_and_with_backslashes_stay_one_value(tmp_path):
    scan = whole_body(patient=replace(PATIENT, name="Žižka^Đorđe", patient_id="A\\B"), study_description="骨 scan")
    found = open_scan(put(write_scan(scan), tmp_path))
    assert (found.patient.name, found.patient.patient_id) == ("Žižka^Đorđe", "A B")
    assert found.study_description == "骨 scan"


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (np.full((40, 40), 65536), "65535"),
        (np.full((40, 40), 0.5), "whole"),
        (np.full((200, 200), 65535), "2147483647"),
    ],
    ids=["pixel", "fraction", "total"],
)
def test_counts_that_no_object_can_hold_are_refused(counts, says):
    with pytest.raises(InvalidValue, match=says):
        write_scan(static(views=(view(ViewName.ANTERIOR, counts),)))


@pytest.mark.parametrize("study_uid", ["1.02.3", "study", "1." + "2" * 64, "7"])
def test_a_study_uid_that_is_none_is_refused(study_uid):
    with pytest.raises(InvalidValue, match="study UID"):
        write_scan(static(study_uid=study_uid))


def test_a_planar_object_needs_a_duration():
    with pytest.raises(InvalidValue, match="duration"):
        write_scan(static(views=(view(ViewName.ANTERIOR, np.ones((40, 40)), duration_s=None),)))


def test_series_are_numbered_from_one():
    with pytest.raises(InvalidValue, match="from 1"):
        Filing(series_number=0)


# --- in time and from all around ---------------------------------------------------------------


def test_phases_are_runs_of_one_duration_and_one_pause():
    ds = parsed(write_dynamic(dynamic()))
    told = [
        (p.PhaseDelay, p.ActualFrameDuration, p.PauseBetweenFrames, p.NumberOfFramesInPhase)
        for p in ds.PhaseInformationSequence
    ]
    # by hand, from the phantom's starts and durations
    assert told == [(0, 2000, 0, 4), (2000, 10000, 1000, 2), (0, 60000, 0, 1)]
    assert list(ds.PhaseVector) == [1, 1, 1, 1, 2, 2, 3] * 2
    assert list(ds.TimeSliceVector) == [1, 2, 3, 4, 1, 2, 1] * 2
    assert list(ds.DetectorVector) == [1] * 7 + [2] * 7
    assert list(ds.FrameIncrementPointer) == [0x00540010, 0x00540020, 0x00540030, 0x00540100]
    assert "ActualFrameDuration" not in ds
    assert ds.NumberOfFrames == 14


def test_overlapping_frames_are_refused():
    with pytest.raises(InvalidValue, match="overlap"):
        write_dynamic(dynamic(starts_s=(0, 1, 4, 6, 10, 21, 31)))


def test_a_rotation_is_told_for_each_head():
    ds = parsed(write_tomographic(tomographic(), heads=2, continuous=True))
    rotation, (front, back) = ds.RotationInformationSequence[0], ds.DetectorInformationSequence
    assert (rotation.StartAngle, rotation.AngularStep, rotation.RotationDirection) == (180, 22.5, "CC")
    assert (rotation.ScanArc, rotation.NumberOfFramesInRotation, rotation.ActualFrameDuration) == (180, 8, 20000)
    assert (front.StartAngle, back.StartAngle) == (180, 0)
    assert list(back.RadialPosition) == [224 + 3 * k for k in range(8)]
    assert list(ds.EnergyWindowVector) == [1] * 16 + [2] * 16
    assert list(ds.DetectorVector) == ([1] * 8 + [2] * 8) * 2
    assert list(ds.AngularViewVector) == list(range(1, 9)) * 4
    assert set(ds.RotationVector) == {1}
    assert ds.TypeOfDetectorMotion == "CONTINUOUS"
    assert list(ds.FrameIncrementPointer) == [0x00540010, 0x00540020, 0x00540050, 0x00540090]
    names = [item.EnergyWindowName for item in ds.EnergyWindowInformationSequence]
    assert names == ["Tc-99m", "Scatter"]
    # the first pixel of the first view: 200 mm in front of the axis, half a picture to the right and up
    expected = [-23.5 * 4.8, -200, 19.5 * 4.8]
    np.testing.assert_allclose([float(mm) for mm in front.ImagePositionPatient], expected, atol=1e-6)


def test_a_clockwise_rotation_is_told_as_one():
    angles = tuple(180 - 22.5 * k for k in range(16))
    ds = parsed(write_tomographic(tomographic(angles_deg=angles)))
    assert ds.RotationInformationSequence[0].RotationDirection == "CW"
    assert ds.RotationInformationSequence[0].AngularStep == 22.5  # always positive (C.8.4.12.1.1)
    assert len(ds.RotationInformationSequence[0].RadialPosition) == 16


@pytest.mark.parametrize(
    ("changes", "heads", "says"),
    [
        ({"angles_deg": (0.0, 10.0, 30.0, *(40.0 + k for k in range(13)))}, 1, "evenly spaced"),
        ({"durations_s": (20.0,) * 15 + (21.0,)}, 1, "one duration"),
        ({}, 3, "shared evenly"),
        ({}, 16, "shared evenly"),
        ({}, 0, "shared evenly"),
    ],
)
def test_a_rotation_that_cannot_be_told_is_refused(changes, heads, says):
    with pytest.raises(InvalidValue, match=says):
        write_tomographic(tomographic(**changes), heads=heads)


# --- dialects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "remarked"),
    [
        (Dialect.GE, {"dicom.view.start_angle", "dicom.injection.missing"}),
        (Dialect.SIEMENS, {"dicom.view.view_code", "dicom.injection.missing", "dicom.counts.unverified"}),
        (Dialect.RESEARCH, {"dicom.view.view_code", "dicom.injection.missing", "dicom.counts.unverified"}),
    ],
)
def test_a_dialect_is_read_as_the_same_counts_with_what_was_tolerated_told(dialect, remarked, tmp_path):
    scan = whole_body()
    found = open_scan(put(write_scan(scan, dialect=dialect), tmp_path))
    assert [v.name for v in found.views] == list(ViewName)
    for got, had in zip(found.views, scan.views, strict=True):
        np.testing.assert_array_equal(got.counts, np.minimum(had.counts, 255 if dialect is Dialect.RESEARCH else 65535))
    assert found.injection.activity_mbq is None
    assert remarked <= {remark.code for remark in found.remarks}


def test_ge_names_views_only_in_private_and_begins_every_group_with_its_length():
    (content,) = write_scan(whole_body(), dialect="ge").values()
    ds = pydicom.dcmread(io.BytesIO(content))
    lengths = [ds.get_item(tag) for tag in ds.keys() if tag.element == 0]  # noqa: SIM118 - not yet converted
    assert len(lengths) == len({tag.group for tag in ds.keys()})  # noqa: SIM118
    # each length leads to the next group's own, the last to the end of the file
    ends = [item.value_tell + 4 + int.from_bytes(item.value, "little") for item in lengths]
    assert ends == [item.value_tell - 8 for item in lengths[1:]] + [len(content)]
    assert list(ds.private_block(0x0011, "GEMS_GENIE_1")[0x12].value) == ["ANT", "POST"]
    assert not any("ViewCodeSequence" in item for item in ds.DetectorInformationSequence)
    assert ds.BodyPartExamined == "CHEST"
    assert ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose == 0


def test_siemens_tells_the_position_twice_and_no_counts():
    ds = parsed(write_scan(whole_body(), dialect="siemens"))
    assert ds.PatientPosition == "FFS"
    assert len(ds.PatientGantryRelationshipCodeSequence) == 1
    assert ds.CountsAccumulated is None
    assert ds.DetectorInformationSequence[0].ViewCodeSequence[0].CodeMeaning == "FACE ANT"


def test_an_unknown_dialect_is_refused():
    with pytest.raises(ValueError, match="klingon"):
        write_scan(static(), dialect="klingon")
