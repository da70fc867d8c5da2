"""A JPEG frame is judged before a decoder that could crash sees it."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from bonescan.dicom.jpeg import frame_header


def frame(name: str) -> bytes:
    return next(generate_frames(pydicom.dcmread(str(get_testdata_file(name))).PixelData, number_of_frames=1))


@pytest.mark.parametrize(("name", "precision"), [("JPEG-LL.dcm", 16), ("JPEG-lossy.dcm", 12)])
def test_a_sound_frame_says_its_size(name, precision):
    # 1024 x 256 is what the DICOM headers of these NEMA samples say
    assert frame_header(frame(name)) == (precision, 1024, 256)


@pytest.mark.parametrize("fill", [1, 2, 5])
def test_fill_bytes_before_the_last_marker_belong_to_no_scan(fill):
    # T.81, B.1.1.2: any marker may be preceded by any number of bytes FF
    sound = frame("JPEG-LL.dcm")
    scan = sound[: sound.rindex(b"\xff\xd9")]
    assert frame_header(scan + b"\xff" * fill + b"\xff\xd9") == (16, 1024, 256)
    assert frame_header(scan + b"\xff" * fill) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"\xff\xc4", b"\xff\xcc", 1),
        lambda data: data.replace(b"\xff\xc3", b"\xff\xc9", 1),
        lambda data: data[:2] + b"\xff\xc3\x00\x04ab" + data[2:],
        lambda data: data.replace(b"\xff\xda\x00\x08\x01", b"\xff\xda\x00\x08\x03", 1),
    ],
    ids=["cut", "no Huffman table", "arithmetic coding", "short frame header", "three components in the scan"],
)
def test_a_damaged_frame_says_nothing(damage):
    assert frame_header(damage(frame("JPEG-LL.dcm"))) is None
