"""Counts are the same in every encoding, and nothing changes them in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from tests.dicom.phantom import body, both, nm, written

from bonescan.dicom import open_scan
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import Severity

NM1_COUNTS = 3_596_452  # CountsAccumulated (0018,0070) of NEMA's NM1, equal to its pixel sum


def nm1() -> Path:
    return Path(str(get_testdata_file("JPEG-LL.dcm")))


def nm1_as(syntax: str) -> bytes:
    """NEMA's NM1 in another lossless encoding, made with pydicom's encoders."""
    ds = pydicom.dcmread(nm1())
    ds.decompress()
    if syntax == uid.ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<i2").byteswap().tobytes()
        ds.file_meta.TransferSyntaxUID = syntax
    elif uid.UID(syntax).is_encapsulated:
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
    return written(ds)


@pytest.mark.parametrize(
    "syntax",
    [
        uid.JPEGLosslessSV1,
        uid.ExplicitVRLittleEndian,
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEG2000Lossless,
        uid.JPEGLSLossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_nm1_has_identical_counts_in_every_lossless_encoding(syntax, opened):
    scan = opened(nm1().read_bytes() if syntax == uid.JPEGLosslessSV1 else nm1_as(syntax))
    (view,) = scan.views
    assert view.total_counts == NM1_COUNTS
    assert view.counts_are_raw
    np.testing.assert_array_equal(view.counts, open_scan([nm1()]).views[0].counts)


@pytest.mark.parametrize(
    ("name", "largest_difference"),
    [("JPEG2000.dcm", 101), ("JPEG2000_UNC.dcm", 101), ("JPEG-lossy.dcm", 60), ("JPGExtended.dcm", 60)],
)
def test_the_lossy_encodings_of_nm1_are_read_with_a_warning(name, largest_difference, codes):
    # the JPEG 2000 one differs by up to 101 counts, as the fact sheet of the sample says; none is another picture
    scan = open_scan([Path(str(get_testdata_file(name)))])
    lossless = open_scan([nm1()]).views[0].counts
    assert np.abs(scan.views[0].counts - lossless).max() <= largest_difference
    assert np.corrcoef(scan.views[0].counts.ravel(), lossless.ravel())[0, 1] > 0.9
    assert {"dicom.pixels.lossy", "dicom.counts.disagree"} <= codes(scan)
    assert not scan.views[0].counts_are_raw


def test_signed_pixels_below_zero_become_zero_with_a_remark(opened, codes):
    frames = [body("anterior").astype(np.int16), body("posterior").astype(np.int16)]
    frames[0][3, 3] = -5
    scan = opened(nm(frames))
    assert scan.views[0].counts[3, 3] == 0
    assert "dicom.pixels.negative" in codes(scan)


def test_rescale_tags_are_applied(opened, codes):
    plain, scaled = opened(both()), opened(both(RescaleSlope=2.0, RescaleIntercept=0.0))
    np.testing.assert_array_equal(scaled.views[0].counts, 2 * plain.views[0].counts)
    assert "dicom.pixels.rescaled" in codes(scaled)
    assert not scaled.views[0].counts_are_raw
    assert plain.views[0].counts_are_raw


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
@pytest.mark.parametrize("written_value", ["nan ", "inf ", "1,25"])
def test_a_rescale_tag_that_is_no_number_is_refused_rather_than_passed_over(keyword, written_value, opened):
    content = written(both(**{keyword: 1111}))
    assert content.count(b"1111") == 1
    with pytest.raises(UnreadableInput, match=r"rescale \w+ is not a number"):
        opened(content.replace(b"1111", written_value.encode()))


def test_an_empty_rescale_tag_says_nothing(opened):
    scan = opened(both(RescaleSlope="", RescaleIntercept=""))
    np.testing.assert_array_equal(scan.views[0].counts, body("anterior"))


def test_a_total_that_contradicts_the_pixels_is_told(opened):
    scan = opened(both(CountsAccumulated=1_000_000))
    (remark,) = [remark for remark in scan.remarks if remark.code == "dicom.counts.disagree"]
    assert remark.severity is Severity.WARNING


def test_empty_counts_are_unknown_not_zero(opened, codes):
    scan = opened(both(counts=None))
    assert [view.counts_accumulated for view in scan.views] == [None, None]
    assert "dicom.counts.unverified" in codes(scan)


def test_cut_off_pixels_are_refused(opened):
    with pytest.raises(UnreadableInput, match="cut short"):
        opened(written(both())[:-50_000])


@pytest.mark.parametrize(
    "changes",
    [{"Rows": 60_000}, {"Rows": 0}, {"NumberOfFrames": 2_000_000_000}, {"BitsAllocated": 12}, {"NumberOfFrames": -3}],
    ids=str,
)
def test_absurd_sizes_are_refused(changes, opened):
    with pytest.raises((UnreadableInput, NotABoneScan)):
        opened(both(**changes))


def test_surplus_pixels_warn_of_missing_frames(opened, codes):
    scan = opened(both(NumberOfFrames=1, EnergyWindowVector=1, DetectorVector=1))
    assert "dicom.pixels.surplus" in codes(scan)


@pytest.mark.parametrize("rows", [128, 256, 1024, 480])
def test_a_wrong_row_length_is_told(rows, opened, codes):
    ds = both(Rows=rows, Columns=512 * 128 // rows)
    scan = opened(ds)
    assert {"dicom.pixels.scrambled", "dicom.pixels.surplus"} & codes(scan)
    assert "dicom.pixels.scrambled" not in codes(opened(both()))


def test_colour_is_refused(opened):
    ds = both(SamplesPerPixel=3, PhotometricInterpretation="RGB")
    with pytest.raises(NotABoneScan, match="colour"):
        opened(ds)


def test_a_deflate_bomb_is_refused(opened, monkeypatch):
    monkeypatch.setattr("bonescan.dicom.pixels.MAX_FILE_BYTES", 100_000)
    with pytest.raises(UnreadableInput, match="unpacks to more"):
        opened(both(syntax=uid.DeflatedExplicitVRLittleEndian))


def test_damage_inside_compressed_pixels_is_told(opened):
    data = bytearray(nm1().read_bytes())
    data[60_000] ^= 0x10
    try:
        scan = opened(bytes(data))
    except UnreadableInput:
        return
    assert "dicom.counts.disagree" in {remark.code for remark in scan.remarks}
