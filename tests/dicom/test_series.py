"""Dynamic series and SPECT projections: they come back as they were, defects are told, and all else is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.dicom.phantom import nm, written
from tests.dicom.scans import (
    ACQUIRED_AT,
    INJECTION,
    PATIENT,
    PHOTOPEAK,
    dynamic,
    facts,
    pictures,
    put,
    radii,
    seconds,
    shapes,
    spacings,
    static,
    tomographic,
    whole_body,
    windows,
)

from bonescan.dicom import (
    Dialect,
    open_dynamic,
    open_scan,
    open_tomographic,
    write_dynamic,
    write_scan,
    write_tomographic,
)
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import DynamicScan, Severity, TomographicScan, ViewName

Change = Callable[[pydicom.Dataset], object]


def changed(files: dict[str, bytes], folder: Path, *changes: Change) -> list[Path]:
    """Files with something done to their headers."""
    paths = put(files, folder)
    for path in paths:
        ds = pydicom.dcmread(path)
        for change in changes:
            change(ds)
        path.write_bytes(written(ds))
    return paths


def without(*keywords: str) -> Change:
    def change(ds: pydicom.Dataset) -> None:
        for keyword in keywords:
            delattr(ds, keyword)

    return change


def in_items(sequence: str, *keywords: str) -> Change:
    def change(ds: pydicom.Dataset) -> None:
        for item in ds[sequence].value:
            for keyword in keywords:
                delattr(item, keyword)

    return change


def warnings_of(scan: DynamicScan | TomographicScan) -> set[str]:
    return {remark.code for remark in scan.remarks if remark.severity is not Severity.NOTE}


def same(found, expected, leaving=("sources", "remarks", "angles_deg", "axis_column")) -> None:
    np.testing.assert_array_equal(found.counts, expected.counts)
    for field in fields(expected):
        if field.name not in (*leaving, "counts"):
            assert getattr(found, field.name) == getattr(expected, field.name), field.name


# --- there and back ----------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_dynamic_scan_comes_back_bit_for_bit(tmp_path_factory, data):
    shape, spacing = data.draw(shapes), data.draw(spacings)
    names = data.draw(st.sampled_from([tuple(ViewName), (ViewName.ANTERIOR,), (ViewName.POSTERIOR,)]))
    frames = data.draw(st.lists(st.tuples(st.sampled_from([0, 0, 1, 500]), seconds), min_size=1, max_size=9))
    clock, starts = 0, []
    for pause_ms, duration in frames:
        clock += pause_ms
        starts.append(clock / 1000)
        clock += round(duration * 1000)
    scan = DynamicScan(
        view_names=names,
        counts=pictures((len(names), len(frames), *shape), 1, data.draw(st.sampled_from([2, 65535]))),
        starts_s=tuple(starts),
        durations_s=tuple(duration for _, duration in frames),
        row_spacing_mm=spacing[0],
        column_spacing_mm=spacing[1],
        energy_window_kev=data.draw(windows),
        series_description=data.draw(st.sampled_from([None, "Flow"])),
        **data.draw(facts()),
    )
    found = open_dynamic(put(write_dynamic(scan), tmp_path_factory.mktemp("dynamic")))
    same(found, scan)
    assert warnings_of(found) <= {"dicom.pixels.scrambled"}  # noise is no body


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_tomographic_scan_comes_back_bit_for_bit(tmp_path_factory, data):
    shape, spacing = data.draw(shapes), data.draw(spacings)
    heads = data.draw(st.sampled_from([1, 2, 3]))
    count = heads * data.draw(st.integers(2, 8))
    arc, way = data.draw(st.sampled_from([180, 360])), data.draw(st.sampled_from([1, -1]))
    start = data.draw(st.integers(0, 35_999)) / 100
    angles = tuple((start + way * k * arc / count) % 360 for k in range(count))
    several = data.draw(st.booleans())
    axis = data.draw(st.sampled_from([None, 15.25, 16.0]))
    scan = TomographicScan(
        counts=pictures((1 + several, count, *shape), 2, data.draw(st.sampled_from([2, 65535]))),
        energy_windows_kev=(data.draw(windows), (90.0, 109.5))[: 1 + several],
        angles_deg=angles,
        radii_mm=tuple(data.draw(st.lists(radii, min_size=count, max_size=count))),
        durations_s=(data.draw(seconds),) * count,
        row_spacing_mm=spacing[0],
        column_spacing_mm=spacing[1],
        axis_column=axis,
        **data.draw(facts()),
    )
    files = write_tomographic(scan, heads=heads, continuous=data.draw(st.booleans()))
    found = open_tomographic(put(files, tmp_path_factory.mktemp("tomographic")))
    same(found, scan)
    # steps such as 360/7 are told in 16 characters
    off = (np.array(found.angles_deg) - angles + 180) % 360 - 180
    assert np.abs(off).max() < 1e-8
    assert found.axis_column == pytest.approx(scan.axis_column, abs=1e-5)
    assert warnings_of(found) <= {"dicom.pixels.scrambled"}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_series_in_any_dialect_keep_views_and_counts(dialect, tmp_path):
    flow = open_dynamic(put(write_dynamic(dynamic(), dialect=dialect), tmp_path))
    assert (flow.view_names, flow.starts_s) == (dynamic().view_names, dynamic().starts_s)
    np.testing.assert_array_equal(flow.counts, dynamic().counts)
    spect = open_tomographic(put(write_tomographic(tomographic(), dialect=dialect, heads=2), tmp_path))
    assert spect.angles_deg == tomographic().angles_deg
    np.testing.assert_array_equal(spect.counts, tomographic().counts)
    assert ("dicom.injection.missing" in {r.code for r in spect.remarks}) is (dialect is not Dialect.STANDARD)


def test_one_study_in_one_folder_is_told_apart_by_what_is_asked_for(tmp_path):
    put({**write_scan(whole_body()), **write_dynamic(dynamic()), **write_tomographic(tomographic())}, tmp_path)
    assert len(open_scan([tmp_path]).views) == 2
    assert open_dynamic([tmp_path]).counts.shape == dynamic().counts.shape
    found = open_tomographic([tmp_path])
    assert found.counts.shape == tomographic().counts.shape
    assert "dicom.inputs.passed_over" in {remark.code for remark in found.remarks}
    assert [source.file_name for source in found.sources] == ["tomographic.dcm"]


def test_an_injection_may_fall_into_the_flow_and_not_after_it(tmp_path):
    during = replace(INJECTION, injected_at=ACQUIRED_AT + timedelta(seconds=5))
    assert open_dynamic(put(write_dynamic(dynamic(injection=during)), tmp_path)).injection == during
    # five seconds after the start of a planar scan can only be the day before's
    files = write_dynamic(dynamic(injection=replace(INJECTION, injected_at=ACQUIRED_AT + timedelta(hours=2))))
    assert open_dynamic(put(files, tmp_path)).injection.injected_at is None


# --- what is tolerated -------------------------------------------------------------------------


def test_the_user_may_say_which_view_it_is(tmp_path):
    paths = put(write_dynamic(dynamic()), tmp_path)
    flipped = open_dynamic(paths, flip=True)
    np.testing.assert_array_equal(flipped.counts[0], dynamic().counts[1])
    one = dynamic(view_names=(ViewName.ANTERIOR,), counts=dynamic().counts[:1])
    bare = in_items("DetectorInformationSequence", "StartAngle", "ViewCodeSequence")
    paths = changed(write_dynamic(one), tmp_path, bare, without("ImageComments", "SeriesDescription"))
    with pytest.raises(UnreadableInput, match="--view"):
        open_dynamic(paths)
    assert open_dynamic(paths, view=ViewName.POSTERIOR).view_names == (ViewName.POSTERIOR,)


@pytest.mark.parametrize(
    ("change", "remarked"),
    [
        (without("DetectorVector"), {"dicom.detector.order"}),
        (without("PhaseVector", "TimeSliceVector"), set()),
        (without("EnergyWindowVector"), set()),
        (without("PixelSpacing"), {"dicom.spacing.assumed"}),
        (in_items("DetectorInformationSequence", "StartAngle"), set()),
    ],
    ids=["detectors", "phases", "windows", "spacing", "angles"],
)
def test_what_a_dynamic_series_lacks_is_assumed_and_said(change, remarked, tmp_path):
    found = open_dynamic(changed(write_dynamic(dynamic()), tmp_path, change))
    np.testing.assert_array_equal(found.counts, dynamic().counts)
    assert found.starts_s == dynamic().starts_s
    assert warnings_of(found) - {"dicom.pixels.scrambled"} == remarked


def test_frames_without_phases_follow_one_another(tmp_path):
    def top(ds: pydicom.Dataset) -> None:
        ds.ActualFrameDuration = 2500

    found = open_dynamic(changed(write_dynamic(dynamic()), tmp_path, without("PhaseInformationSequence"), top))
    assert found.starts_s == tuple(2.5 * k for k in range(7))
    assert "dicom.dynamic.times" in warnings_of(found)


def test_frames_are_put_in_order_whatever_theirs_is(tmp_path):
    def backwards(ds: pydicom.Dataset) -> None:
        frames = np.frombuffer(ds.PixelData, "<u2").reshape(14, -1)[::-1]
        ds.PixelData = frames.tobytes()
        for keyword in ("DetectorVector", "PhaseVector", "TimeSliceVector"):
            setattr(ds, keyword, list(ds[keyword].value)[::-1])

    found = open_dynamic(changed(write_dynamic(dynamic()), tmp_path, backwards))
    np.testing.assert_array_equal(found.counts, dynamic().counts)


def test_only_the_photopeak_of_a_dynamic_series_is_read(tmp_path):
    peak, scatter = (np.random.default_rng(k).poisson(4, (3, 40, 40)).astype(np.uint16) for k in (1, 2))
    ds = nm([*scatter, *peak], kind="DYNAMIC", windows=[(108.0, 128.5), PHOTOPEAK], codes=None, angles=None)
    ds.DetectorVector = [1] * 6
    ds.NumberOfDetectors, ds.ActualFrameDuration = 1, 1000
    found = open_dynamic(put({"two.dcm": written(ds)}, tmp_path), view=ViewName.ANTERIOR)
    np.testing.assert_array_equal(found.counts, peak[None])
    assert found.energy_window_kev == PHOTOPEAK


@pytest.mark.parametrize(
    ("change", "remarked"),
    [
        (without("DetectorVector"), {"dicom.detector.order"}),
        (without("AngularViewVector"), {"dicom.angular_view.order"}),
        (without("RotationVector"), set()),
        (without("EnergyWindowVector"), {"dicom.energy_window.order"}),
        (in_items("DetectorInformationSequence", "StartAngle"), {"dicom.rotation.detectors"}),
        (in_items("RotationInformationSequence", "RotationDirection"), {"dicom.rotation.direction"}),
        (in_items("RotationInformationSequence", "StartAngle", "RadialPosition"), set()),
        (without("PositionReferenceIndicator"), set()),
    ],
    ids=["detectors", "views", "rotation", "windows", "starts", "direction", "of the rotation", "axis"],
)
def test_what_a_rotation_lacks_is_assumed_and_said(change, remarked, tmp_path):
    found = open_tomographic(changed(write_tomographic(tomographic(), heads=2), tmp_path, change))
    same(found, tomographic())
    assert found.angles_deg == tomographic().angles_deg
    assert warnings_of(found) - {"dicom.pixels.scrambled"} == remarked


def test_radii_that_are_not_told_are_assumed_and_said(tmp_path):
    nowhere = in_items("DetectorInformationSequence", "RadialPosition")
    mean = open_tomographic(changed(write_tomographic(tomographic(), heads=2), tmp_path, nowhere))
    assert set(mean.radii_mm) == {np.mean(tomographic().radii_mm)}  # the rotation's average
    nor = in_items("RotationInformationSequence", "RadialPosition")
    found = open_tomographic(changed(write_tomographic(tomographic()), tmp_path, nowhere, nor))
    assert set(found.radii_mm) == {250.0}
    assert "dicom.rotation.radius" in warnings_of(found)


def test_an_offset_of_the_axis_that_another_camera_tells_is_not_applied(tmp_path):
    files = write_tomographic(tomographic(axis_column=20.0))
    assert open_tomographic(put(files, tmp_path)).axis_column == 20.0
    found = open_tomographic(changed(files, tmp_path, without("PositionReferenceIndicator")))
    assert found.axis_column == 23.5
    assert "dicom.rotation.axis" in warnings_of(found)


def test_the_photopeak_comes_first_whatever_the_files_order(tmp_path):
    scan = tomographic()
    turned = tomographic(counts=scan.counts[::-1], energy_windows_kev=scan.energy_windows_kev[::-1])
    same(open_tomographic(put(write_tomographic(turned), tmp_path)), scan)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("opener", "files", "says"),
    [
        (open_dynamic, write_scan(static()), "no dynamic series"),
        (open_dynamic, write_tomographic(tomographic()), "no dynamic series"),
        (open_tomographic, write_dynamic(dynamic()), "no set of SPECT projections"),
        (open_scan, write_dynamic(dynamic()), "blood flow"),
        (open_scan, write_tomographic(tomographic()), "SPECT projections"),
        (open_tomographic, {"text.dcm": b"not a picture"}, "none of the formats"),
        (open_dynamic, {"empty.dcm": b""}, "empty"),
    ],
)
def test_other_objects_are_refused_in_one_sentence(opener, files, says, tmp_path):
    with pytest.raises((NotABoneScan, UnreadableInput), match=says) as caught:
        opener(put(files, tmp_path))
    assert "\n" not in str(caught.value)
    assert PATIENT.patient_id not in str(caught.value)


def test_two_series_at_once_are_refused(tmp_path):
    later = dynamic(acquired_at=ACQUIRED_AT + timedelta(minutes=10))
    put({"one.dcm": write_dynamic(dynamic())["dynamic.dcm"], "two.dcm": write_dynamic(later)["dynamic.dcm"]}, tmp_path)
    with pytest.raises(NotABoneScan, match=r"2 objects .* \(series 1, 1\)"):
        open_dynamic([tmp_path])


def _set(sequence: str, **values: object) -> Change:
    return lambda ds: [setattr(item, k, v) for item in ds[sequence].value for k, v in values.items()]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("PhaseInformationSequence"), "how long its frames last"),
        (lambda ds: setattr(ds, "DetectorVector", [1] * 6 + [2] * 8), "share out evenly"),
        (lambda ds: setattr(ds, "PixelData", bytes(len(ds.PixelData))), "empty"),
        (lambda ds: setattr(ds, "PixelSpacing", [20, 20]), "pixel"),
        (
            _set(
                "RadiopharmaceuticalInformationSequence", Radiopharmaceutical="MAA", RadiopharmaceuticalCodeSequence=[]
            ),
            "not a bone tracer",
        ),
        (lambda ds: setattr(ds, "Modality", "CT"), "computed tomography"),
    ],
    ids=["times", "detectors", "empty", "size", "tracer", "modality"],
)
def test_a_dynamic_series_that_cannot_be_read_is_refused(change, says, tmp_path):
    scan = dynamic(counts=np.ones((2, 7, 300, 40))) if says == "pixel" else dynamic()
    with pytest.raises((NotABoneScan, UnreadableInput), match=says) as caught:
        open_dynamic(changed(write_dynamic(scan), tmp_path, change))
    assert PATIENT.patient_id not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (without("RotationInformationSequence"), "does not describe its rotation"),
        (in_items("RotationInformationSequence", "AngularStep"), "from view to view"),
        (in_items("RotationInformationSequence", "ActualFrameDuration"), "how long its views last"),
        (lambda ds: setattr(ds, "AngularViewVector", [1] * 32), "same place"),
        (lambda ds: setattr(ds, "NumberOfDetectors", 3), "share out evenly"),
        (lambda ds: setattr(ds, "EnergyWindowVector", [1] * 15 + [2] * 17), "different numbers of views"),
        (lambda ds: setattr(ds, "EnergyWindowInformationSequence", []), "energies"),
        (_set("EnergyWindowInformationSequence", EnergyWindowRangeSequence=[]), "energies"),
    ],
    ids=["rotation", "step", "times", "views", "detectors", "windows", "energies", "ranges"],
)
def test_projections_that_cannot_be_read_are_refused(change, says, tmp_path):
    with pytest.raises((NotABoneScan, UnreadableInput), match=says):
        open_tomographic(changed(write_tomographic(tomographic()), tmp_path, change))


def test_a_single_window_without_energies_is_taken_as_the_photopeak(tmp_path):
    one = tomographic(counts=tomographic().counts[:1], energy_windows_kev=(PHOTOPEAK,))
    paths = changed(write_tomographic(one), tmp_path, lambda ds: setattr(ds, "EnergyWindowInformationSequence", []))
    found = open_tomographic(paths)
    assert found.energy_windows_kev == ((126.5, 154.5),)
    assert "dicom.window.assumed" in warnings_of(found)


@pytest.mark.parametrize(
    ("opener", "files"),
    [(open_dynamic, write_dynamic(dynamic())), (open_tomographic, write_tomographic(tomographic(), heads=2))],
    ids=["dynamic", "tomographic"],
)
def test_damaged_files_are_read_or_refused_and_nothing_else(opener, files, tmp_path):
    (name,), (content,) = files.keys(), files.values()
    header = content.index(b"\xe0\x7f\x10\x00")
    rng = np.random.default_rng(11)
    read, refusals = 0, []
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(132, header + 12, rng.integers(1, 6)):
            damaged[place] = rng.integers(256)
        if rng.random() < 0.2:
            del damaged[int(rng.integers(200, len(damaged))) :]
        (path,) = put({name: bytes(damaged)}, tmp_path)
        try:
            opener([path])
            read += 1
        except (NotABoneScan, UnreadableInput) as error:
            refusals.append(str(error))
    assert min(read, len(refusals)) >= 20
    assert not [words for words in refusals if PATIENT.patient_id in words or "Simulated" in words]


def test_a_file_without_a_preamble_is_read(tmp_path):
    (content,) = write_dynamic(dynamic()).values()
    ds = pydicom.dcmread(io.BytesIO(content))
    bare = io.BytesIO()
    pydicom.dcmwrite(bare, ds, implicit_vr=False, little_endian=True, enforce_file_format=False)
    found = open_dynamic(put({"bare.dcm": bare.getvalue()}, tmp_path))
    np.testing.assert_array_equal(found.counts, dynamic().counts)
