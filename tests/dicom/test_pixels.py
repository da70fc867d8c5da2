"""Counts are the same in every encoding, and nothing changes them in silence."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from tests.dicom.phantom import ANTERIOR, body, both, nm, written

from bonescan.dicom import image_series, open_scan
from bonescan.dicom.pixels import decode, decode_frame, parse
from bonescan.dicom.web.pixels import Frames, Picture
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


def through_dcmtk(save, command: str, content) -> Path:
    """An object as one of dcmtk's encoders compresses it."""
    program, *options = command.split()
    if not shutil.which(program):
        pytest.skip("dcmtk is not installed")
    compressed = save(b"", f"{program}.dcm")
    subprocess.run([program, *options, save(content), compressed], check=True)
    return compressed


@pytest.mark.parametrize(
    ("command", "syntax", "off_by"),
    [
        ("dcmcjpls", uid.JPEGLSLossless, 0),
        ("dcmcjpls +en +md 2", uid.JPEGLSNearLossless, 2),
        ("dcmcjpeg +el", uid.JPEGLossless, 0),
        ("dcmcjpeg +e1", uid.JPEGLosslessSV1, 0),
        ("dcmcrle", uid.RLELossless, 0),
        ("dcmconv +tb", uid.ExplicitVRBigEndian, 0),
        ("dcmconv +td", uid.DeflatedExplicitVRLittleEndian, 0),
    ],
)
def test_dcmtk_s_encodings_mean_the_same_to_reader_series_and_dicomweb(save, command, syntax, off_by):
    # at seeds 1 to 4 the encoders end some frames in the fill byte FF before the last marker (T.81, B.1.1.2)
    frames = np.stack([body(view, seed=seed) for seed in (1, 2, 3, 4) for view in ("anterior", "posterior")])
    path = through_dcmtk(save, command, nm(frames[:2], kind="WHOLE BODY"))
    assert pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    for view, counts in zip(open_scan([path]).views, frames, strict=False):
        assert np.abs(view.counts - counts).max() <= off_by
    shown = [one.frames[0].astype(int) for one in image_series(path)]
    assert np.abs(np.stack(shown) - frames[:2]).max() <= off_by
    if syntax != uid.DeflatedExplicitVRLittleEndian:  # given out whole only
        web = Frames(path, str(syntax))
        assert web.drawn(2, Picture(form="png"))[:4] == b"\x89PNG"
        sent = [np.frombuffer(web.stored(number), "<u2").reshape(frames[0].shape) for number in (1, 2)]
        assert np.abs(np.stack(sent).astype(int) - frames[:2]).max() <= off_by
    many = through_dcmtk(save, command, nm(frames, kind="DYNAMIC", codes=None, angles=None))
    decoded = decode(parse(many.read_bytes(), "the file")[0], "the file").frames
    assert np.abs(decoded - frames).max() <= off_by


@pytest.mark.parametrize("command", ["dcmcjpls", "dcmcjpeg +el", "dcmcjpeg +e1", "dcmcrle"])
@pytest.mark.parametrize(("dtype", "stored"), [("u1", 8), ("u2", 8), ("u2", 12), ("u2", 15), ("i2", 16)])
def test_pixels_of_any_depth_survive_lossless_compression(save, command, dtype, stored):
    top = 2 ** (stored - (dtype == "i2")) - 1
    values = np.minimum(body("anterior").astype(int) ** 2, top).astype(dtype) - (3 if dtype == "i2" else 0)
    path = through_dcmtk(save, command, nm([values, values // 2], BitsStored=stored, HighBit=stored - 1))
    np.testing.assert_array_equal(decode_frame(parse(path.read_bytes(), "it")[0], 0, "it"), values)


def high_throughput(syntax: str, stream: str) -> bytes:
    """An object of one frame of 8 x 8 pixels, as OpenJPH 0.26 compressed them."""
    ds = nm([np.zeros((8, 8), np.uint16)], codes=(ANTERIOR,), angles=(180,))
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([bytes.fromhex(stream)])
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return written(ds)


REVERSIBLE = (
    "ff4fff5100294000000000080000000800000000000000000000000800000008000000000000000000010f0101ff50000800020000000aff52"
    "000c00020001000504044001ff5c00132088909090909090909090909090888888ff64001700014f70656e4a50482056657220302e32362e33"
    "2eff90000a00000000008b0001ff93c00026cdfa050774000000c00012c00013400013007a01877400bcfc0307740098fe02077400c0001510"
    "00055400012807072c7400639400ff71bbff30d00186b400a00043d400c0002ba00016cc0002501f0418f6810006fc08ed0425b600ff7fff7f"
    "ff7fff0f7efee1eb1ffefe61f4000000c7e431b800fee0185400ffd9"
)
IRREVERSIBLE = (
    "ff4fff5100294000000000080000000800000000000000000000000800000008000000000000000000010f0101ff50000800020000002aff52"
    "000c00020001000504044000ff5c002322b718b6eab6eab6bcaf00af00aee2a74ca74ca76490039003904697d297d29761ff64001700014f70"
    "656e4a50482056657220302e32362e332eff90000a00000000008f0001ff93c0000138772ae1080774000000c00004d000013400004a42fd02"
    "8774002aee040774004a02077400c00015300005540001300d0ab012f3008394001be46e13441401c6b40000f700235400c000168400016ac0"
    "001300e0e2f1409cbb39118000a125e69b770060ee96327155ac1c16a36d19fb00a5029ba9d6380044f484f72400ffd9"
)


@pytest.mark.parametrize(
    ("syntax", "stream", "lossy"),
    [(uid.HTJ2KLossless, REVERSIBLE, False), (uid.HTJ2K, REVERSIBLE, False), (uid.HTJ2K, IRREVERSIBLE, True)],
)
def test_high_throughput_jpeg_2000_says_by_its_wavelet_whether_it_is_lossy(syntax, stream, lossy):
    pixels = decode(parse(high_throughput(syntax, stream), "the file")[0], "the file")
    assert np.abs(pixels.frames[0] - np.arange(64).reshape(8, 8) ** 2).max() <= 2 * lossy
    assert pixels.changed == ("lossy compression" if lossy else "")


@pytest.mark.parametrize(
    ("syntax", "said"),
    [(uid.MPEG2MPML, "as MPEG2 Main Profile / Main Level"), ("1.2.3", "in a way of its maker's own")],
)
def test_an_encoding_without_a_decoder_is_named(opened, syntax, said):
    ds = nm([np.zeros((8, 8), np.uint16)], codes=(ANTERIOR,), angles=(180,))
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([b"moving"])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    with pytest.raises(UnreadableInput, match=said):
        opened(written(ds))


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
