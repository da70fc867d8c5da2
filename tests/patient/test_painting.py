from __future__ import annotations

import numpy as np
import pytest

from bonescan.field import Grid
from bonescan.patient.focus import Focus
from bonescan.patient.painting import paint_focus

BONES = ("a", "b")


def scene(spacing_mm: float):
    """A cube of 120 mm: body but for a rim of 20 mm of air, bone a in its left half below z = 60, bone b above."""
    n = round(120 / spacing_mm)
    grid = Grid(shape=(n, n, n), spacing_mm=(spacing_mm,) * 3, origin_mm=(spacing_mm / 2,) * 3)
    z, y, x = np.meshgrid(*[(np.arange(n) + 0.5) * spacing_mm] * 3, indexing="ij")
    inside = (np.abs(np.stack([x, y, z]) - 60).max(axis=0) < 40).astype(np.uint8)
    bone = np.where((inside > 0) & (x < 60), np.where(z < 60, 1, 2), 0).astype(np.int16)
    return grid, bone, inside


def focus(**what) -> Focus:
    return Focus(segment="lumbar", centre_mm=np.zeros(3), axes_mm=np.eye(3), **what)


def paint(spacing_mm, centre, half, **what):
    grid, bone, inside = scene(spacing_mm)
    painted = paint_focus(
        focus(**what),
        np.array(centre, float),
        np.diag(half).astype(float),
        grid,
        bone,
        inside,
        ("vertebra_l01", "sacrum"),
    )
    return painted, bone.reshape(-1)[painted.index], inside.reshape(-1)[painted.index], grid


@pytest.mark.parametrize("spacing_mm", [2.0, 4.0, 8.0])
def test_an_ellipsoid_has_its_volume_on_any_grid(spacing_mm):
    painted, _, _, grid = paint(spacing_mm, (61, 58, 63), (11, 14, 9), realm="anywhere")
    # 4/3 pi a b c; points 1 to 1.3 mm apart in a body of 9 mm and more, hence 2 %
    assert painted.cover.sum() * grid.voxel_ml == pytest.approx(4 / 3 * np.pi * 11 * 14 * 9 / 1000, rel=0.02)
    assert (np.diff(painted.index) > 0).all()
    assert painted.cover.max() <= 1


def test_a_peak_and_a_rim_have_their_means():
    peak, *_ = paint(2.0, (60, 60, 60), (20, 20, 20), realm="anywhere", profile="peak")
    assert peak.main.sum() / peak.cover.sum() == pytest.approx(1 - 3 / 5, abs=0.01)  # mean of 1 - r^2 over a ball
    rim, *_ = paint(2.0, (60, 60, 60), (20, 20, 20), realm="anywhere", profile="rim")
    assert rim.core.sum() / rim.cover.sum() == pytest.approx((2 / 3) ** 3, abs=0.01)
    assert rim.main.sum() + rim.core.sum() == pytest.approx(rim.cover.sum())


def test_a_focus_keeps_to_its_realm_and_bones():
    where = (4.0, (60, 60, 60), (55, 55, 55))
    _, bone, _, _ = paint(*where, realm="bone")
    assert (bone > 0).all()
    assert set(bone) == {1, 2}
    _, bone, _, _ = paint(*where, realm="bone", bones=("sacrum",))
    assert set(bone) == {2}
    _, bone, inside, _ = paint(*where, realm="soft")
    assert (bone == 0).all()
    assert (inside == 1).all()
    _, _, inside, _ = paint(*where, realm="outside")
    assert (inside == 0).all()
    _, bone, inside, _ = paint(*where, realm="body")
    assert (inside == 1).all()
    assert set(bone) == {0, 1, 2}


def test_a_focus_smaller_than_the_grid_gets_one_voxel_of_its_realm_in_part():
    painted, bone, _, grid = paint(8.0, (62.5, 40, 40), (0.5, 0.5, 0.5), realm="bone")
    assert bone.tolist() == [1]  # its centre lies in soft tissue, the bone 2.5 mm beside
    assert painted.cover[0] * grid.voxel_ml == pytest.approx(4 / 3 * np.pi * 0.5**3 / 1000)


def test_a_focus_without_a_voxel_near_it_has_none():
    painted, *_ = paint(4.0, (110, 60, 60), (5, 5, 5), realm="bone")
    assert len(painted.index) == 0
