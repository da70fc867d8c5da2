"""A reading becomes objects and comes back from them: nothing is lost, nothing depends on the clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.dicom.results.studies import PDF, apart_study, feet_first_study, study, whole_body_study
from tests.report.phantom import withheld

from bonescan.dicom import read_results, write_results
from bonescan.dicom.results import RESULT_NAMES
from bonescan.errors import UnreadableInput
from bonescan.reading.model import Reading
from bonescan.scan import ViewName

OUTLINE_TOLERANCE = 2**-16  # pixels below 256 in 32-bit floats, which is all a spatial coordinate has


def assert_same(back, reading: Reading) -> None:
    said = back.said
    for name in ("burden", "quality", "remarks", "method", "versions", "impression", "familiarity", "revision"):
        assert getattr(said, name) == getattr(reading, name), name
    assert said.labels == replace(reading.labels, views=())
    assert said.correlations == {view.name: view.correlation for view in reading.labels.views}
    assert len(said.findings) == len(reading.findings)
    for told, finding in zip(said.findings, reading.findings, strict=True):
        assert replace(told, views={}) == replace(finding, views={})
        assert set(told.views) == set(finding.views)
        for view, seen in finding.views.items():
            again = told.views[view]
            np.testing.assert_array_equal(again.mask, seen.mask)
            np.testing.assert_allclose(again.outline, seen.outline, rtol=0, atol=OUTLINE_TOLERANCE)
            assert replace(again, mask=None, outline=()) == replace(seen, mask=None, outline=())
    for labelled in reading.labels.views:
        np.testing.assert_array_equal(back.regions[labelled.name], labelled.regions)
        shown = {one.bone: labelled.shown([one]) for one in labelled.bones}
        assert {name for name, mask in shown.items() if mask.any()} == set(back.bones[labelled.name])
        for name, mask in back.bones[labelled.name].items():
            np.testing.assert_array_equal(mask, shown[name])


@pytest.mark.parametrize("made", [whole_body_study, apart_study])
def test_a_reading_comes_back_whole(made):
    one = made()
    assert_same(read_results(one.results.values()), one.reading)


@pytest.mark.parametrize("view", list(ViewName))
def test_a_reading_of_one_view_comes_back_whole(view):
    one = study(views=(view,))
    assert_same(read_results(one.results.values()), one.reading)


def test_a_reading_of_a_body_stored_feet_first_comes_back_head_up():
    one = feet_first_study()
    assert all(frame.turned for frame in one.frames)
    assert_same(read_results(one.results.values()), one.reading)


def test_what_was_not_measured_comes_back_as_such():
    one = whole_body_study()
    reading = replace(withheld(one.reading), impression=None, familiarity=None)
    back = read_results(write_results(reading, one.frames).values())
    assert_same(back, reading)
    assert back.said.burden.bone_scan_index_percent.value is None


def test_a_reading_without_findings_has_no_segmentation_of_them():
    one = whole_body_study()
    reading = replace(one.reading, findings=(), impression=None)
    files = write_results(reading, one.frames)
    assert not any("findings" in name for name in files)
    assert_same(read_results(files.values()), reading)


def test_every_object_has_a_name_from_the_list():
    assert set(whole_body_study().results) == set(RESULT_NAMES)


def test_the_same_reading_gives_the_same_bytes():
    one = whole_body_study()
    again = write_results(one.reading, one.frames)
    assert all(one.results[name] == content for name, content in again.items() if name != "key_objects.dcm")


def test_another_reading_gives_objects_of_other_names():
    one = whole_body_study()
    other = write_results(replace(one.reading, findings=one.reading.findings[:3]), one.frames)
    changed = {name for name in other if name.startswith("measurements") or "findings" in name}
    assert len(changed) == 3
    assert all(one.results[name] != other[name] for name in changed)


def test_two_reports_at_once_are_refused():
    one = whole_body_study()
    with pytest.raises(UnreadableInput, match="one structured report, these hold 2"):
        read_results([*one.results.values(), one.results["measurements_sr.dcm"]])


def test_a_report_without_its_masks_is_refused():
    with pytest.raises(UnreadableInput, match="segmentation of the findings is missing"):
        read_results([whole_body_study().results["measurements_sr.dcm"]])


def test_what_is_no_dicom_is_refused():
    with pytest.raises(UnreadableInput, match="not DICOM"):
        read_results([PDF])
