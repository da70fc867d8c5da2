from __future__ import annotations

import contextlib
import gzip
import struct

import nibabel
import numpy as np
import pytest

from bonescan.dicom.volumes import open_volume
from bonescan.errors import UnreadableInput

VALUES = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def saved(folder, values=VALUES, affine=None, name="volume.nii.gz"):
    path = folder / name
    nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 3, 4, 1]) if affine is None else affine), path)
    return path


def test_nifti_voxels_keep_their_places(tmp_path):
    # right-anterior-superior in the file: voxel (i, j, k) at (2 i, 3 j, 4 k), which is (-2 i, -3 j, 4 k) here
    volume = open_volume(saved(tmp_path))
    assert volume.grid.shape == (4, 3, 2)
    assert volume.grid.spacing_mm == pytest.approx((4, 3, 2))
    for i, j, k in ((0, 0, 0), (1, 0, 0), (0, 2, 3), (1, 2, 3)):
        place = np.array([-2.0 * i, -3.0 * j, 4.0 * k])
        step = np.asarray(volume.grid.axes) * np.asarray(volume.grid.spacing_mm)
        index = np.round(np.linalg.solve(step, place - volume.grid.origin_mm)).astype(int)
        assert volume.values[tuple(index)] == VALUES[i, j, k]
    assert np.asarray(volume.grid.axes)[2, 0] == 1  # slices go up


def test_an_oblique_volume_keeps_its_direction(tmp_path):
    turn = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn @ np.diag([2, 3, 4]), (10, 20, 30)
    volume = open_volume(saved(tmp_path, affine=affine))
    expected = np.array([-1, -1, 1]) * (affine[:3, :3] @ [1, 2, 3] + affine[:3, 3])
    where = np.argwhere(volume.values == VALUES[1, 2, 3])[0]
    assert volume.grid.position_mm(tuple(where)) == pytest.approx(expected, abs=1e-4)


def test_numpy_volumes_say_where_they_lie(tmp_path):
    np.savez(tmp_path / "v.npz", values=VALUES, spacing_mm=[1.0, 2, 3], origin_mm=[5.0, 6, 7])
    volume = open_volume(tmp_path / "v.npz", unit="[hnsf'U]")
    assert (volume.values == VALUES).all()
    assert volume.grid.position_mm((1, 1, 1)).tolist() == [8, 8, 8]
    assert volume.unit == "[hnsf'U]"


def test_damaged_and_strange_files_are_refused(tmp_path):
    (tmp_path / "a.nii").write_bytes(b"not a volume")
    (tmp_path / "b.npz").write_bytes(b"PK not a zip")
    (tmp_path / "c.txt").write_text("x")
    np.savez(tmp_path / "d.npz", values=VALUES)
    np.savez(tmp_path / "e.npz", values=VALUES, spacing_mm=[1.0, 2], origin_mm=[0.0, 0, 0])
    np.savez(tmp_path / "f.npz", values=np.array([["x"]]), spacing_mm=[1.0, 1, 1], origin_mm=[0.0, 0, 0])
    saved(tmp_path, np.zeros((2, 2, 2, 3), np.float32), name="g.nii")
    saved(tmp_path, np.full((2, 2, 2), np.nan, np.float32), name="h.nii")
    shear = np.eye(4)
    shear[0, 1] = 0.5
    saved(tmp_path, affine=shear, name="i.nii")
    whole = saved(tmp_path, np.zeros((20, 20, 20), np.int16), name="j.nii")
    (tmp_path / "k.nii").write_bytes(whole.read_bytes()[:2000])
    for name in ("a.nii", "b.npz", "c.txt", "d.npz", "e.npz", "f.npz", "g.nii", "h.nii", "i.nii", "k.nii"):
        with pytest.raises(UnreadableInput):
            open_volume(tmp_path / name)
    with pytest.raises(UnreadableInput):
        open_volume(tmp_path / "missing.nii")


def patched(whole: bytes, at: int, form: str, *values: float) -> bytes:
    out = bytearray(whole)
    struct.pack_into(form, out, at, *values)
    return bytes(out)


@pytest.mark.parametrize(
    ("at", "form", "values"),
    [
        (40, "<8h", (3, 32767, 32767, 32767, 1, 1, 1, 1)),  # 70 terabytes: refused, not tried
        (40, "<8h", (3, -2, 3, 4, 1, 1, 1, 1)),
        (108, "<f", (float("inf"),)),  # where the voxels begin
        (108, "<f", (1e9,)),
        (112, "<ff", (1e38, 1e38)),  # slope and intercept
        (123, "<B", (255,)),  # the unit
        (123, "<B", (1,)),  # metres: voxels of 4 m
    ],
)
def test_headers_that_lie_are_refused_in_one_line(tmp_path, at, form, values):
    whole = saved(tmp_path, name="volume.nii").read_bytes()
    for name in ("lies.nii", "lies.nii.gz"):
        content = patched(whole, at, form, *values)
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        with pytest.raises(UnreadableInput) as refused:
            open_volume(tmp_path / name)
        assert "\n" not in str(refused.value)
        assert str(tmp_path) not in str(refused.value)


def test_damaged_bytes_never_end_in_another_error(tmp_path):
    nifti = saved(tmp_path, name="whole.nii").read_bytes()
    np.savez(tmp_path / "whole.npz", values=VALUES, spacing_mm=[1.0, 2, 3], origin_mm=[0.0, 0, 0])
    numpy = (tmp_path / "whole.npz").read_bytes()
    rng = np.random.default_rng(3)
    for k in range(300):
        whole, name = ((nifti, "a.nii"), (gzip.compress(nifti), "b.nii.gz"), (numpy, "c.npz"))[k % 3]
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[rng.integers(len(content), size=4)] = rng.integers(256, size=4)
        (tmp_path / name).write_bytes(content[: rng.integers(1, 2 * len(content))].tobytes())
        with contextlib.suppress(UnreadableInput):
            open_volume(tmp_path / name)
