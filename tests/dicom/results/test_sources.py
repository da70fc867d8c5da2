"""Which frame of which object each view of a scan is."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from PIL import Image
from tests.dicom.phantom import body, both, nm, secondary_capture
from tests.dicom.results.studies import apart_study, feet_first, whole_body_study

from bonescan.dicom import find_sources, open_scan
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.scan import ViewName


def test_each_view_is_found_in_one_object_of_two_frames():
    frames = whole_body_study().frames
    assert [(frame.view, frame.number, frame.turned) for frame in frames] == [
        (ViewName.ANTERIOR, 1, False),
        (ViewName.POSTERIOR, 2, False),
    ]
    assert len({frame.dataset.SOPInstanceUID for frame in frames}) == 1


def test_each_view_is_found_in_an_object_of_its_own():
    frames = apart_study().frames
    assert [(frame.view, frame.number, frame.frame_count) for frame in frames] == [
        (ViewName.ANTERIOR, 1, 1),
        (ViewName.POSTERIOR, 1, 1),
    ]
    assert len({frame.dataset.SOPInstanceUID for frame in frames}) == 2


def test_views_that_the_user_exchanged_keep_their_frames(save):
    path = save(both())
    frames = find_sources([path], open_scan([path], flip=True))
    assert {frame.view: frame.number for frame in frames} == {ViewName.ANTERIOR: 2, ViewName.POSTERIOR: 1}


def test_a_scatter_window_between_the_views_is_counted(save):
    scatter = np.ones_like(body("anterior"))
    path = save(nm([scatter, scatter, body("anterior"), body("posterior")], windows=[(108, 128), (130, 151)]))
    assert [frame.number for frame in find_sources([path], open_scan([path]))] == [3, 4]


def test_a_body_stored_feet_first_is_recognised_and_its_points_are_turned(save):
    dataset = both()
    feet_first(dataset)
    path = save(dataset)
    frame = find_sources([path], open_scan([path]))[0]
    assert frame.turned
    rows, columns = frame.shape
    # the centre of the head-up picture's first pixel is that of the stored picture's last
    assert frame.place(0, 0) == (columns - 0.5, rows - 0.5)


def test_a_point_is_told_from_the_corner_of_the_first_pixel():
    assert whole_body_study().frames[0].place(2, 5) == (5.5, 2.5)  # PS3.3 C.18.6.1.2: its corner is 0\\0


def test_a_secondary_capture_is_a_source_too(save):
    path = save(secondary_capture(both()))
    assert len(find_sources([path], open_scan([path]))) == 2


def test_a_scan_of_pictures_has_nothing_to_refer_to(tmp_path):
    path = tmp_path / "anterior.png"
    Image.fromarray(np.minimum(body("anterior"), 255).astype(np.uint8)).save(path)
    scan = open_scan([path], pixel_mm=4.0, view=ViewName.ANTERIOR)
    with pytest.raises(InvalidValue, match="opened from pictures"):
        find_sources([path], scan)


def test_other_files_than_those_that_were_opened_are_refused(save):
    scan = open_scan([save(both(), "one.dcm")])
    with pytest.raises(GeometryMismatch, match="anterior and posterior view"):
        find_sources([save(both(counts=None), "two.dcm")], scan)


def test_an_object_that_tells_its_uid_only_before_the_data_is_a_source_too(save):
    dataset = both()
    told = dataset.SOPInstanceUID
    path = save(dataset)
    content = pydicom.dcmread(path)
    del content.SOPInstanceUID, content.SOPClassUID
    content.save_as(path)  # as an export for research does: only its file meta information names it
    frames = find_sources([path], open_scan([path]))
    assert {frame.dataset.SOPInstanceUID for frame in frames} == {told}


def test_an_object_without_a_series_cannot_be_referred_to(save):
    path = save(both(SeriesInstanceUID=None))
    with pytest.raises(InvalidValue, match="SeriesInstanceUID"):
        find_sources([path], open_scan([path]))
