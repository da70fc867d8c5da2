"""Views without a camera's header: PNG, TIFF, NIfTI."""

from __future__ import annotations

import io

import nibabel
import numpy as np
import pytest
from PIL import Image
from tests.dicom.phantom import body

from bonescan.dicom import open_scan
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import ViewName


def image(array, format: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(array).save(target, format)
    return target.getvalue()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_two_pictures_are_named_by_their_files(format, save, codes):
    paths = [save(image(body(view), format), f"{view[:4]}.img") for view in ("anterior", "posterior")]
    scan = open_scan(paths, pixel_mm=4.0)
    assert [view.total_counts for view in scan.views] == [body("anterior").sum(), body("posterior").sum()]
    assert scan.views[0].row_spacing_mm == 4.0
    assert scan.views[0].counts_are_raw  # 16 bits, and their noise is that of counts
    assert "dicom.picture" in codes(scan)


def test_eight_bit_pictures_are_not_raw_counts(save):
    scan = open_scan([save(image(np.minimum(body("anterior"), 255).astype(np.uint8), "PNG"), "ant.png")], pixel_mm=4.0)
    assert not scan.views[0].counts_are_raw


def test_a_pixel_size_is_needed(save):
    with pytest.raises(UnreadableInput, match="--pixel-mm"):
        open_scan([save(image(body("anterior"), "PNG"), "ant.png")])


def test_inverse_display_is_undone(save, codes):
    counts = np.minimum(body("anterior"), 255).astype(np.uint8)
    scan = open_scan([save(image(255 - counts, "PNG"), "ant.png")], pixel_mm=4.0)
    assert "dicom.picture.inverted" in codes(scan)
    assert np.corrcoef(scan.views[0].counts.ravel(), counts.ravel())[0, 1] == pytest.approx(1)


def test_colour_is_refused(save):
    colour = np.stack(
        [body("anterior").astype(np.uint8), np.zeros((512, 128), np.uint8), np.zeros((512, 128), np.uint8)], -1
    )
    with pytest.raises(NotABoneScan, match="colour"):
        open_scan([save(image(colour, "PNG"), "ant.png")], pixel_mm=4.0)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_as_nibabel_writes_it(suffix, tmp_path):
    stack = np.stack([body("anterior").T, body("posterior").T], axis=-1).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(stack, np.eye(4)), tmp_path / f"wb{suffix}")
    scan = open_scan([tmp_path / f"wb{suffix}"], pixel_mm=4.0)
    np.testing.assert_array_equal(scan.views[0].counts, body("anterior"))
    np.testing.assert_array_equal(scan.views[1].counts, body("posterior"))


def test_a_nifti_volume_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((64, 64, 64), np.int16), np.eye(4)), tmp_path / "ct.nii")
    with pytest.raises(NotABoneScan, match="volume"):
        open_scan([tmp_path / "ct.nii"], pixel_mm=4.0)


def test_a_cut_picture_is_refused(save):
    with pytest.raises(UnreadableInput, match="damaged"):
        open_scan([save(image(body("anterior"), "PNG")[:3000], "ant.png")], pixel_mm=4.0)


def test_the_users_word_names_a_picture(save):
    path = save(image(body("anterior"), "PNG"), "x.png")
    assert open_scan([path], pixel_mm=4.0, view=ViewName.POSTERIOR).views[0].name is ViewName.POSTERIOR
