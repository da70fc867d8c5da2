"""What a segmentation says of its masks: the frame, the side, the codes, the way the picture lies."""

from __future__ import annotations

import numpy as np
import pytest
from tests.dicom.results.studies import apart_study, feet_first_study, whole_body_study

from bonescan.dicom.results.segmentation import segmented
from bonescan.errors import UnreadableInput
from bonescan.scan import ViewName


@pytest.mark.parametrize(("view", "number"), [("anterior", 1), ("posterior", 2)])
def test_every_mask_refers_to_its_view_s_frame(view, number):
    one = whole_body_study()
    source = one.frames[0].dataset
    for layer in ("regions", "bones", "findings"):
        dataset = one.dataset(f"seg_{layer}_{view}.dcm")
        assert dataset.FrameOfReferenceUID == source.FrameOfReferenceUID
        for groups in dataset.PerFrameFunctionalGroupsSequence:
            told = groups.DerivationImageSequence[0].SourceImageSequence[0]
            assert (told.ReferencedSOPInstanceUID, told.ReferencedFrameNumber) == (source.SOPInstanceUID, number)


def test_of_an_object_with_one_frame_no_number_is_told():
    dataset = apart_study().dataset("seg_regions_posterior.dcm")
    told = dataset.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert "ReferencedFrameNumber" not in told
    assert told.ReferencedSOPInstanceUID == apart_study().frames[1].dataset.SOPInstanceUID


def test_columns_run_to_the_left_side_from_the_front_and_to_the_right_side_from_behind():
    for view, across in (("anterior", 1), ("posterior", -1)):
        shared = whole_body_study().dataset(f"seg_regions_{view}.dcm").SharedFunctionalGroupsSequence[0]
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == [across, 0, 0, 0, 0, -1]


def test_a_point_of_the_body_has_one_place_in_both_views():
    # x of the first and the last column: the views are mirrored about the middle one
    ends = []
    for view in ("anterior", "posterior"):
        dataset = whole_body_study().dataset(f"seg_regions_{view}.dcm")
        across = float(dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient[0])
        x = float(dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient[0])
        ends.append({round(x, 6), round(x + across * (dataset.Columns - 1) * 6.8, 6)})
    assert ends[0] == ends[1]


def test_masks_of_a_frame_stored_feet_first_lie_as_it_does():
    turned, straight = feet_first_study(), whole_body_study()
    for name in ("seg_regions_anterior.dcm", "seg_findings_posterior.dcm"):
        there, here = turned.dataset(name), straight.dataset(name)
        np.testing.assert_array_equal(there.pixel_array, here.pixel_array[:, ::-1, ::-1])
        assert segmented(there).turned
        assert segmented(there).view is segmented(here).view
        shared = there.SharedFunctionalGroupsSequence[0]
        assert shared.PlaneOrientationSequence[0].ImageOrientationPatient[5] == 1  # rows run towards the head


def test_a_bone_is_coded_with_its_side():
    segments = whole_body_study().dataset("seg_bones_anterior.dcm").SegmentSequence
    by_name = {item.TrackingID: item.SegmentedPropertyTypeCodeSequence[0] for item in segments}
    rib = next(name for name in by_name if name.startswith("rib"))
    # DICOM has no code for a single rib: SNOMED CT's rib, and the side of CID 244
    assert by_name[rib].CodeValue == "113197003"
    side = {"l": "7771000", "r": "24028007"}[rib[-1]]
    assert by_name[rib].SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == side


def test_a_finding_is_one_thing_in_both_views_and_in_the_report():
    one = whole_body_study()
    uids = [
        {item.TrackingID: item.TrackingUID for item in one.dataset(f"seg_findings_{view}.dcm").SegmentSequence}
        for view in ViewName
    ]
    shared = uids[0].keys() & uids[1].keys()
    assert shared
    assert all(uids[0][name] == uids[1][name] for name in shared)
    assert len(set(uids[0].values())) == len(uids[0])


def test_regions_do_not_overlap():
    assert whole_body_study().dataset("seg_regions_anterior.dcm").pixel_array.sum(axis=0).max() == 1


def test_another_s_segmentation_is_refused():
    dataset = whole_body_study().dataset("seg_regions_anterior.dcm")
    del dataset.SegmentSequence[0].TrackingID
    with pytest.raises(UnreadableInput, match="not one that bonescan wrote"):
        segmented(dataset)
