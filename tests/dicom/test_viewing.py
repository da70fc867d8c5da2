"""Pictures to look at: the reading's own counts and names, volumes in the patient's directions, and little refused."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.dicom.phantom import nm, written
from tests.dicom.scans import ACQUIRED_AT, INJECTION, dynamic, put, static, tomographic, whole_body

from bonescan.dicom import (
    Filing,
    ImageSeries,
    Orientation,
    SeriesKind,
    image_series,
    open_scan,
    phases_of,
    write_dynamic,
    write_scan,
    write_tomographic,
)
from bonescan.errors import BoneScanError, NotABoneScan, UnreadableInput
from bonescan.scan import Phase

SHAPE = (3, 4, 5)  # slices, rows, columns: each its own length
SPACINGS = (3.0, 2.0, 1.5)


def opened(files: dict[str, bytes], folder: Path) -> tuple[ImageSeries, ...]:
    (path,) = put(files, folder)
    return image_series(path)


def volume_file(values: np.ndarray, **said: object) -> bytes:
    """A RECON TOMO object of frames, as another maker's reconstruction would write it."""
    ds = nm(list(values), kind="RECON TOMO", codes=None, angles=None)
    slices_mm, rows_mm, columns_mm = said.pop("spacings", SPACINGS)
    ds.PixelSpacing = [rows_mm, columns_mm]
    ds.SpacingBetweenSlices = said.pop("between", slices_mm)
    ds.SliceVector = said.pop("order", list(range(1, len(values) + 1)))
    cosines = said.pop("cosines", [1, 0, 0, 0, 1, 0])
    item = Dataset()
    if cosines:
        item.ImageOrientationPatient = cosines
    ds.DetectorInformationSequence = [item]
    for name, value in said.items():
        setattr(ds, name, value)
    return written(ds)


def test_planar_views_are_those_of_the_reading(tmp_path):
    files = write_scan(whole_body())
    views = open_scan(put(files, tmp_path)).views
    found = opened(files, tmp_path)
    assert [(one.kind, one.view) for one in found] == [(SeriesKind.WHOLE_BODY, view.name) for view in views]
    for one, view in zip(found, views, strict=True):
        np.testing.assert_array_equal(one.frames[0], view.counts)
        assert one.frames.dtype == np.uint16


def test_a_body_stored_feet_first_is_shown_head_up(tmp_path):
    scan = whole_body()
    feet_up = replace(scan, views=tuple(replace(view, counts=view.counts[::-1, ::-1]) for view in scan.views))
    for one, view in zip(opened(write_scan(feet_up), tmp_path), scan.views, strict=True):
        np.testing.assert_array_equal(one.frames[0], view.counts)


@pytest.mark.parametrize(
    ("code", "angle", "said"),
    [
        ("Left lateral projection", None, "left lateral"),
        ("Lat. left", None, "left lateral"),
        ("RT LAT", 90, "right lateral"),
        ("RAO", None, "right anterior oblique"),
        ("Right posterior oblique", 0, "right posterior oblique"),
        ("", 90, "left lateral"),
        ("", 225, "right anterior oblique"),
        ("Vertex", 180, ""),  # known to be oblique, not how
    ],
)
def test_oblique_spot_views_are_shown_by_name(code, angle, said, tmp_path):
    (name, content), *_ = write_scan(static(), apart=True).items()
    ds = pydicom.dcmread(io.BytesIO(content))
    detector = ds.DetectorInformationSequence[0]
    detector.ViewCodeSequence[0].CodeValue, detector.ViewCodeSequence[0].CodeMeaning = "X", code
    detector.StartAngle = angle
    (one,) = opened({name: written(ds)}, tmp_path)
    assert (one.kind, one.view) == (SeriesKind.SPOT, said)


def test_a_flow_is_shown_in_its_frames_and_long_frames_apart(tmp_path):
    scan = dynamic()
    found = opened(write_dynamic(scan), tmp_path)
    assert [(one.view, len(one.frames)) for one in found] == [
        ("anterior", 6), ("posterior", 6), ("anterior", 1), ("posterior", 1),
    ]  # fmt: skip
    np.testing.assert_array_equal(found[1].frames, scan.counts[1, :6])
    assert found[0].starts_s == scan.starts_s[:6]
    assert found[0].durations_s == scan.durations_s[:6]
    assert found[2].acquired_at == ACQUIRED_AT + timedelta(seconds=31)
    assert phases_of(found) == [Phase.FLOW, Phase.FLOW, Phase.POOL, Phase.POOL]


def test_projections_go_round_the_patient(tmp_path):
    scan = tomographic()
    (one,) = opened(write_tomographic(scan, heads=2), tmp_path)
    order = np.argsort(scan.angles_deg)
    assert one.angles_deg == tuple(np.array(scan.angles_deg)[order])
    np.testing.assert_array_equal(one.frames, scan.counts[0][order])  # the photopeak's alone


def test_what_the_reading_refuses_is_shown_as_it_is_stored(tmp_path):
    def timeless(content: bytes) -> bytes:
        ds = pydicom.dcmread(io.BytesIO(content))
        del ds.PhaseInformationSequence
        ds.pop("ActualFrameDuration", None)
        return written(ds)

    files = {name: timeless(content) for name, content in write_dynamic(dynamic()).items()}
    (one,) = opened(files, tmp_path)
    assert (one.kind, one.frames.shape, one.starts_s) == (SeriesKind.DYNAMIC, (14, 48, 40), ())
    assert phases_of([one]) == [None]


# The first voxel, and those after it along a slice, a row and a column, by the standard's own rule: rows' direction u,
# columns' direction v, slices along the normal u x v where the spacing is positive, against it where it is not.
@pytest.mark.parametrize(
    ("cosines", "between"),
    [
        ([1, 0, 0, 0, 1, 0], 3.0),
        ([1, 0, 0, 0, 1, 0], -3.0),
        ([-1, 0, 0, 0, 1, 0], 3.0),  # columns to the right: the normal points to the feet
        ([1, 0, 0, 0, 0, -1], 3.0),  # coronal, rows to the feet, slices to the back
        ([0, 1, 0, 0, 0, -1], -3.0),  # sagittal
    ],
)
def test_a_volume_is_turned_into_the_patients_directions(cosines, between, tmp_path):
    """Witness: a voxel's place worked out here from cosines and spacing, against where it is found."""
    values = np.zeros(SHAPE, np.uint16)
    marked = {(0, 0, 0): 10, (2, 0, 0): 20, (0, 3, 0): 30, (0, 0, 4): 40}
    for place, n in marked.items():
        values[place] = n
    (one,) = opened({"v.dcm": volume_file(values, cosines=cosines, between=between)}, tmp_path)
    u, v = np.array(cosines[:3]), np.array(cosines[3:])
    steps = np.stack([np.cross(u, v) * between, v * SPACINGS[1], u * SPACINGS[2]], axis=1)
    places_mm = {n: steps @ np.array(place) for place, n in marked.items()}  # x to the left, y back, z up
    spacings = np.array([one.slice_spacing_mm, one.row_spacing_mm, one.column_spacing_mm])
    found = {n: np.argwhere(one.frames == n)[0] * spacings for n in marked.values()}
    for n in marked.values():
        np.testing.assert_allclose((found[n] - found[10])[::-1], places_mm[n] - places_mm[10], atol=1e-6)
    assert (one.kind, one.orientation) == (SeriesKind.VOLUME, Orientation.PATIENT)


def test_slices_are_put_in_the_order_of_their_numbers(tmp_path):
    values = np.arange(3)[:, None, None] * np.ones((1, 4, 5), np.uint16) + 1
    (one,) = opened({"v.dcm": volume_file(values.astype(np.uint16), order=[3, 1, 2])}, tmp_path)
    assert one.frames[:, 0, 0].tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    ("cosines", "between", "orientation", "known"),
    [
        ([], 3.0, Orientation.UNKNOWN, True),
        ([0, 0, 0, 0, 0, 0], 3.0, Orientation.UNKNOWN, True),
        ([1, 0, 0, 1, 0, 0], 3.0, Orientation.UNKNOWN, True),
        ([0.8, 0.6, 0, -0.6, 0.8, 0], 3.0, Orientation.OBLIQUE, True),
        ([1, 0, 0, 0, 1, 0], 0, Orientation.PATIENT, False),
    ],
)
def test_a_volume_says_what_it_does_not_know(cosines, between, orientation, known, tmp_path):
    values = np.ones(SHAPE, np.uint16)
    (one,) = opened({"v.dcm": volume_file(values, cosines=cosines, between=between)}, tmp_path)
    assert (one.orientation, one.spacing_known, one.frames.shape) == (orientation, known, SHAPE)


def test_scaled_slices_keep_their_fractions(tmp_path):
    values = np.arange(60, dtype=np.uint16).reshape(SHAPE)
    (one,) = opened({"v.dcm": volume_file(values, RescaleSlope=0.5, RescaleIntercept=0)}, tmp_path)
    np.testing.assert_array_equal(one.frames, values / 2)
    assert one.frames.dtype == np.float32


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", UnreadableInput),
        (b"no DICOM at all", UnreadableInput),
        (volume_file(np.ones(SHAPE, np.uint16), ImageType=["DERIVED", "PRIMARY", "RECON GATED TOMO"]), NotABoneScan),
        (volume_file(np.ones(SHAPE, np.uint16), Modality="CT"), NotABoneScan),
        (volume_file(np.ones(SHAPE, np.uint16), NumberOfFrames=10_000_000), UnreadableInput),
    ],
    ids=["empty", "no DICOM", "gated", "CT", "too many pixels"],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(content, error, tmp_path):
    with pytest.raises(error):
        opened({"x.dcm": content}, tmp_path)


def test_damaged_objects_are_shown_or_refused_and_nothing_else(tmp_path):
    rng = np.random.default_rng(520)
    sound = [*write_dynamic(dynamic()).values(), *write_tomographic(tomographic()).values()]
    sound += [*write_scan(static()).values(), volume_file(np.ones(SHAPE, np.uint16))]
    path, outcomes = tmp_path / "x.dcm", set()
    for k in range(80):
        content = bytearray(sound[k % len(sound)])
        for place in rng.integers(132, min(len(content), 3000), 6):
            content[place] = rng.integers(256)
        path.write_bytes(content[: rng.integers(200, len(content))] if k % 5 == 0 else content)
        try:
            outcomes.add(len(phases_of(image_series(path))) > 0)
        except BoneScanError:
            outcomes.add(False)
    assert outcomes == {True, False}


def test_phases_follow_the_injection_and_need_an_early_one(tmp_path):
    def spot(after: timedelta, words: str = "Series") -> ImageSeries:
        scan = static(acquired_at=INJECTION.injected_at + after)
        return opened(write_scan(scan, filing=Filing(series_description=words)), tmp_path)[0]

    pool, late = spot(timedelta(minutes=5)), spot(timedelta(hours=3))
    assert phases_of([pool, late]) == [Phase.POOL, Phase.DELAYED]
    assert phases_of([late, late]) == [None, None]  # spot views of a bone scan
    assert phases_of([pool]) == [None]  # one view too early is no three-phase scan
    timeless = [replace(spot(timedelta(0), words), injected_at=None) for words in ("Blood pool", "Delayed", "Hands")]
    assert phases_of(timeless) == [Phase.POOL, Phase.DELAYED, None]
