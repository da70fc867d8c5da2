from __future__ import annotations

import numpy as np
import pytest

from bonescan.camera.projections import Lattice, Projections, column_direction, head_direction
from bonescan.errors import InvalidValue


def lattice(shape=(20, 12), spacing=3.0, top=30.0, left=-16.5) -> Lattice:
    return Lattice(shape=shape, spacing_mm=(spacing, spacing), top_mm=top, left_mm=left)


def test_each_head_sees_the_body_as_one_standing_there_would():
    for angle in (0, 45, 90, 180, 270):
        up_seen_from_outside = np.cross(column_direction(angle), -head_direction(angle))
        assert up_seen_from_outside == pytest.approx([0, 0, 1])
    assert head_direction(90) == pytest.approx([1, 0, 0])  # the left side, LPS


def test_new_pixels_keep_every_count_and_its_place():
    rng = np.random.default_rng(1)
    values = np.zeros((2, 20, 12), dtype=np.float32)
    values[:, 3:17, 3:9] = rng.random((2, 14, 6))
    given = Projections(values=values, lattice=lattice(), angles_deg=(180, 0))
    new = Lattice(shape=(40, 30), spacing_mm=(2.4, 2.2), top_mm=40.0, left_mm=-31.0)
    moved = given.onto(new)
    for k in range(2):
        assert moved.values[k].sum() == pytest.approx(values[k].sum(), rel=1e-6)
        for own, other, axis in ((given.lattice.z_mm, new.z_mm, 1), (given.lattice.u_mm, new.u_mm, 0)):
            was = (values[k].sum(axis=axis) * own).sum() / values[k].sum()
            now = (moved.values[k].sum(axis=axis) * other).sum() / values[k].sum()
            assert now == pytest.approx(was, abs=0.02)  # a bin's counts are told at its centre


def test_an_even_picture_stays_even():
    given = Projections(values=np.ones((1, 20, 12)), lattice=lattice(), angles_deg=(0,))
    new = Lattice(shape=(9, 7), spacing_mm=(2.0, 2.0), top_mm=10.0, left_mm=-6.0)
    assert given.onto(new).values == pytest.approx(4 / 9)


def test_projections_fit_their_lattice():
    with pytest.raises(InvalidValue):
        Projections(values=np.ones((1, 20, 11)), lattice=lattice(), angles_deg=(0,))
    with pytest.raises(InvalidValue):
        lattice(spacing=0.0)
    with pytest.raises(InvalidValue):
        lattice(top=np.nan)
