"""Which frames are planar views of bone, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.dicom.phantom import PATIENT_ID, PATIENT_NAME, PHOTOPEAK, body, both, nm

from bonescan.errors import NotABoneScan
from bonescan.scan import Severity, ViewName

SCATTER = (109.0, 125.0)


def four_frames(**options):
    scatter = [(body(view, seed=9) // 3).astype(np.uint16) for view in ("anterior", "posterior")]
    peak = [body("anterior"), body("posterior")]
    return nm([*scatter, *peak], windows=[SCATTER, PHOTOPEAK], **options)


def test_the_photopeak_is_chosen_beside_a_scatter_window(opened, codes):
    scan = opened(four_frames())
    np.testing.assert_array_equal(scan.views[0].counts, body("anterior"))
    assert scan.views[1].energy_window_kev == PHOTOPEAK
    assert "dicom.window.photopeak" in codes(scan)


def test_the_standards_order_is_assumed_where_the_window_vector_lacks(opened):
    scan = opened(four_frames(EnergyWindowVector=None))
    np.testing.assert_array_equal(scan.views[1].counts, body("posterior"))
    assert {r.code: r.severity for r in scan.remarks}["dicom.window.order"] is Severity.WARNING


def test_windows_may_alternate(opened):
    scatter = (body("anterior", seed=9) // 3).astype(np.uint16)
    ds = nm(
        [body("anterior"), scatter, body("posterior"), scatter],
        windows=[PHOTOPEAK, SCATTER],
        window_vector=[1, 2, 1, 2],
        detector_vector=[1, 1, 2, 2],
    )
    scan = opened(ds)
    np.testing.assert_array_equal(scan.views[0].counts, body("anterior"))
    np.testing.assert_array_equal(scan.views[1].counts, body("posterior"))


def test_a_single_frame_is_one_view(opened):
    scan = opened(nm([body("posterior")], codes=[None], angles=[0]))
    assert [view.name for view in scan.views] == [ViewName.POSTERIOR]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "TOMO"}, "SPECT"),
        ({"kind": "RECON TOMO"}, "slices"),
        ({"kind": "GATED TOMO"}, "SPECT"),
        ({"kind": "GATED"}, "gated"),
        ({"Modality": "CT"}, "computed tomography"),
        ({"Modality": "PT"}, "positron"),
        ({"windows": [(328.0, 400.0)]}, "140 keV"),
        ({"windows": [SCATTER]}, "140 keV"),
    ],
    ids=str,
)
def test_what_is_not_a_planar_bone_scan_gets_one_clear_sentence(changes, says, opened):
    with pytest.raises(NotABoneScan, match=says) as caught:
        opened(both(**changes))
    assert "\n" not in str(caught.value)
    assert PATIENT_ID not in str(caught.value)
    assert PATIENT_NAME.split("^")[0] not in str(caught.value)


@pytest.mark.parametrize("tracer", ["Tc-99m MAA", "99mTc-sestamibi", "I-131 sodium iodide", "Tc99m DTPA", "Ga-67"])
def test_other_tracers_are_refused(tracer, opened):
    item = Dataset()
    item.Radiopharmaceutical = tracer
    with pytest.raises(NotABoneScan, match="not a bone tracer"):
        opened(both(RadiopharmaceuticalInformationSequence=[item]))


@pytest.mark.parametrize("tracer", ["Tc-99m MDP", "99mTc-HDP", "TC99M OXIDRONATE", "^99m^Technetium", "Tc-99m DPD"])
def test_bone_tracers_are_read(tracer, opened):
    item = Dataset()
    item.Radiopharmaceutical = tracer
    assert opened(both(RadiopharmaceuticalInformationSequence=[item])).injection.radiopharmaceutical == tracer


def test_a_dynamic_series_is_refused_as_blood_flow(opened):
    frames = [body("anterior", seed=k) for k in range(8)]
    ds = nm(frames, kind="DYNAMIC", NumberOfDetectors=1, codes=None, angles=None)
    with pytest.raises(NotABoneScan, match="blood"):
        opened(ds)


def test_a_static_view_is_read_and_is_not_whole_body(opened, codes):
    square = body("posterior")[60:188]
    scan = opened(nm([square], kind="STATIC", ScanVelocity=None, ScanLength=None, codes=[None], angles=[0]))
    assert not scan.whole_body
    assert "dicom.whole_body.static" in codes(scan)


def test_an_empty_image_is_refused(opened):
    with pytest.raises(NotABoneScan, match="empty"):
        opened(nm([np.zeros((512, 128), np.uint16)] * 2))


def test_a_missing_pixel_size_is_assumed_and_said(opened, codes):
    scan = opened(both(PixelSpacing=None))
    assert not scan.views[0].spacing_known
    assert "dicom.spacing.assumed" in codes(scan)


def test_the_users_pixel_size_overrules_the_file(opened):
    assert opened(both(), pixel_mm=3.5).views[0].row_spacing_mm == 3.5


@pytest.mark.parametrize(
    ("shape", "mm", "says"),
    [
        ((2, 2), 4.0, "2 x 2 pixels"),  # nobody is in so few pixels
        ((4096, 2048), 0.5, "4096 x 2048 pixels"),
        ((512, 128), 12.0, "6.1 m high"),  # the longest beds are 2.1 m
        ((32, 4096), 0.5, "2 m wide"),
    ],
)
def test_a_view_no_camera_can_have_is_refused_before_the_fit(shape, mm, says, opened):
    counts = np.random.default_rng(1).poisson(5, shape).astype(np.uint16)
    with pytest.raises(NotABoneScan, match=says):
        opened(nm([counts], codes=[None], angles=[180], PixelSpacing=[mm, mm]))


@pytest.mark.parametrize("step", [1, -1])
def test_one_picture_stored_as_both_views_is_refused(step, opened):
    front = body("anterior")
    with pytest.raises(NotABoneScan, match="one picture, stored twice"):
        opened(nm([front, front[:, ::step]]))
