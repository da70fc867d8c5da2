from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bonescan.errors import UnreadableInput
from bonescan.reading.model import BoneMap, Reading
from bonescan.report import load_bones
from bonescan.report.maps import bones_npz, finding_map, map_png
from bonescan.scan import ViewName


def test_where_findings_overlap_the_lower_id_keeps_the_pixel_and_the_loss_is_counted(reading: Reading) -> None:
    view, first = reading.scan.views[0], reading.findings[0]
    seen = first.views[ViewName.ANTERIOR]
    twin = replace(reading.findings[2], id=5, views={ViewName.ANTERIOR: seen})
    drawn = finding_map(view, [twin, first])
    assert (drawn.ids[seen.mask] == first.id).all()
    assert drawn.kept_by == {5: {first.id: int(seen.mask.sum())}}


def test_findings_png_holds_ids_above_255(reading: Reading) -> None:
    finding = replace(reading.findings[0], id=300)
    ids = finding_map(reading.scan.views[0], [finding]).ids
    back = np.asarray(Image.open(io.BytesIO(map_png(ids))))
    np.testing.assert_array_equal(back, ids)
    assert back.max() == 300


def test_regions_png_is_eight_bits_and_equal(reading: Reading, files: dict[str, bytes]) -> None:
    for view in reading.labels.views:
        picture = Image.open(io.BytesIO(files[f"regions_{view.name.value}.png"]))
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), view.regions)


def test_bones_come_back_within_half_a_step(reading: Reading, files: dict[str, bytes]) -> None:
    wanted = reading.labels.views[0].bones
    back = load_bones(files["bones_anterior.npz"])
    assert [(b.bone, b.row, b.column) for b in back] == [(b.bone, b.row, b.column) for b in wanted]
    for got, want in zip(back, wanted, strict=True):
        # Witness: thickness is stored in steps of 0.1 mm.
        np.testing.assert_allclose(got.thickness_mm, want.thickness_mm, atol=0.0501)
        assert got.depth_mm == pytest.approx(want.depth_mm)


def test_a_view_without_bones_packs_and_unpacks() -> None:
    assert load_bones(bones_npz([])) == ()


def test_a_bone_of_one_pixel_survives() -> None:
    tiny = BoneMap(bone="hyoid", row=3, column=4, thickness_mm=np.array([[2.5]], np.float32), depth_mm=40.0)
    (back,) = load_bones(bones_npz([tiny]))
    assert back.thickness_mm.shape == (1, 1)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not really", b"\x93NUMPY"])
def test_other_bytes_are_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(UnreadableInput, match=r"bones_<view>\.npz"):
        load_bones(data)


def test_another_npz_is_refused() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, something=np.zeros(3))
    with pytest.raises(UnreadableInput):
        load_bones(buffer.getvalue())


def test_a_cut_off_archive_is_refused(files: dict[str, bytes]) -> None:
    whole = files["bones_anterior.npz"]
    for length in (40, len(whole) // 2, len(whole) - 30):
        with pytest.raises(UnreadableInput):
            load_bones(whole[:length])
    spoiled = bytearray(whole)
    spoiled[len(whole) // 2] ^= 0xFF
    with pytest.raises(UnreadableInput):
        load_bones(bytes(spoiled))
