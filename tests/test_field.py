from __future__ import annotations

import numpy as np
import pytest

from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

GRID = Grid(shape=(2, 3, 4), spacing_mm=(4, 2, 1), origin_mm=(10, 20, 30))


def test_a_voxel_lies_where_its_index_says():
    assert GRID.position_mm((1, 2, 3)).tolist() == [13.0, 24.0, 34.0]
    assert GRID.voxel_ml == pytest.approx(0.008)


def test_axes_turn_the_grid():
    downwards = Grid(
        shape=(2, 2, 2), spacing_mm=(4, 2, 1), origin_mm=(0, 0, 0), axes=((0, 0, 1), (0, 1, 0), (-1, 0, 0))
    )
    assert downwards.position_mm((1, 0, 1)).tolist() == [1.0, 0.0, -4.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (0, 3, 4)},
        {"spacing_mm": (4, 0, 1)},
        {"spacing_mm": (4, float("nan"), 1)},
        {"origin_mm": (float("inf"), 0, 0)},
        {"axes": ((1, 0, 0), (0, 1, 0), (0, 1, 1))},
    ],
)
def test_a_grid_that_is_no_grid_is_refused(wrong):
    right = {"shape": (2, 3, 4), "spacing_mm": (4, 2, 1), "origin_mm": (0, 0, 0)}
    with pytest.raises(InvalidValue):
        Grid(**{**right, **wrong})


def test_a_field_keeps_its_array_from_change_but_not_the_givers():
    values = np.ones(GRID.shape)
    field = Field(values=values, grid=GRID, unit="kBq/mL")
    with pytest.raises(ValueError, match="read-only"):
        field.values[0, 0, 0] = 2
    values[0, 0, 0] = 2
    assert field.total == pytest.approx(25 * 0.008)


def test_a_field_of_another_shape_than_its_grid_is_refused():
    with pytest.raises(GeometryMismatch):
        Field(values=np.ones((2, 3, 5)), grid=GRID, unit="1")


def test_many_positions_are_those_of_the_voxels_one_by_one():
    turned = Grid(
        shape=(2, 3, 4),
        spacing_mm=(5, 4, 3),
        origin_mm=(1, 2, 3),
        axes=((0.0, 0.6, 0.8), (0.0, -0.8, 0.6), (1.0, 0.0, 0.0)),
    )
    places = turned.positions_mm(np.arange(24))
    for flat, index in enumerate(np.ndindex(turned.shape)):
        assert places[flat] == pytest.approx(turned.position_mm(index))
    assert turned.position_mm((0, 0, 2)) == pytest.approx([1 + 2 * 3 * 0.8, 2 + 2 * 3 * 0.6, 3])
