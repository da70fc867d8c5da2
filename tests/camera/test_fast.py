"""The fast mode's scatter: against the Monte Carlo it was fitted to, and what any scatter obeys."""

from dataclasses import replace

import numpy as np
import pytest

from bonescan.anatomy.medium import Medium
from bonescan.camera.cameras import camera
from bonescan.camera.fast import accepted_kev, kernel_terms, kernel_weights, scatter_by_kernel
from bonescan.camera.forced import scatter
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

OWN = camera("symbia_lehr")
WINDOW = OWN.window_kev(15.0)
SIDES = (180.0, 0.0)
GRID = Grid(shape=(40, 36, 60), spacing_mm=(6, 6, 6), origin_mm=(-180, -108, 0))


def trunk(grid: Grid = GRID) -> Medium:
    """An elliptical cylinder of water, 340 by 200 mm."""
    _, y, x = (grid.origin_mm[2 - k] + grid.spacing_mm[k] * np.arange(grid.shape[k]) for k in range(3))
    inside = (x[None, :] / 170) ** 2 + (y[:, None] / 100) ** 2 <= 1
    material = np.broadcast_to(inside, grid.shape).astype(np.uint8)
    return Medium(grid=grid, material=np.ascontiguousarray(material), materials=({}, {"water": 1.0}))


def spot(slice_: int, row: int, column: int, grid: Grid = GRID) -> Field:
    values = np.zeros(grid.shape, dtype=np.float32)
    values[slice_ - 2 : slice_ + 2, row - 2 : row + 2, column - 2 : column + 2] = 100.0
    return Field(values=values, grid=grid, unit="kBq/mL")


def by_kernel(activity: Field, medium: Medium, window: tuple[float, float] = WINDOW, axis=(0.0, 0.0)):
    face = np.full((2, medium.grid.shape[0]), 150.0)
    return scatter_by_kernel(activity, medium, OWN, SIDES, face, axis, (window,))


def test_a_trunks_scatter_is_the_monte_carlos():
    # witness: the Monte Carlo of this package. The kernel was fitted to patients, so a plain cylinder with activity all
    # through it may be off by several times their error of 3 %
    medium = trunk()
    activity = Field(values=(medium.material * np.float32(10)), grid=GRID, unit="kBq/mL")
    face = np.full((2, GRID.shape[0]), 150.0)
    told = scatter(activity, medium, OWN, SIDES, face, (0.0, 0.0), (WINDOW,), 300_000, 1).values.sum(axis=(0, 2, 3))
    kernel = by_kernel(activity, medium).values.sum(axis=(0, 2, 3))
    assert kernel == pytest.approx(told, rel=0.15)


def test_it_is_linear_in_the_activity():
    medium = trunk()
    one, other = spot(20, 8, 30), spot(12, 20, 18)
    both = Field(values=one.values + 3 * other.values, grid=GRID, unit="kBq/mL")
    parts = by_kernel(one, medium).values + 3 * by_kernel(other, medium).values
    assert by_kernel(both, medium).values == pytest.approx(parts, rel=1e-4, abs=1e-7)


def test_both_views_of_what_is_alike_from_both_sides_mirror_each_other():
    medium = trunk()
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[18:22, 17:20, 34:38] = 50.0  # rows 17 to 19 lie at -6 to 6 mm, columns at 24 to 42
    front, back = by_kernel(Field(values=values, grid=GRID, unit="kBq/mL"), medium, axis=(-3.0, 0.0)).values[0]
    assert front.sum() == pytest.approx(back.sum(), rel=0.01)  # blocks of 12 mm are not those of the mirror
    u = by_kernel(Field(values=values, grid=GRID, unit="kBq/mL"), medium, axis=(-3.0, 0.0)).lattice.u_mm
    middle = [float((picture.sum(axis=0) * u).sum() / picture.sum()) for picture in (front, back)]
    assert middle[0] == pytest.approx(-middle[1], abs=1.0)
    # a place 36 mm to the left of the axis; the body's middle draws its scatter a little
    assert 20 < middle[0] < 38


def test_scatter_lies_where_the_source_is():
    found = by_kernel(spot(30, 18, 40), trunk())
    row, column = np.unravel_index(found.values[0, 0].argmax(), found.lattice.shape)
    assert found.lattice.z_mm[row] == pytest.approx(6 * 29.5, abs=12)
    assert found.lattice.u_mm[column] == pytest.approx(-180 + 6 * 39.5, abs=12)


def test_nothing_scatters_where_nothing_is():
    assert (by_kernel(spot(20, 18, 30), replace(trunk(), materials=({}, {}))).values == 0).all()
    seen = by_kernel(spot(20, 18, 50), trunk())
    beside = np.abs(seen.lattice.u_mm) > 186  # more than a pixel beside the body
    assert (seen.values[..., beside] < 1e-6 * seen.values.max()).all()


def test_deeper_sources_scatter_more_of_what_comes_through():
    medium = trunk()
    ratios = []
    for row in (8, 18, 28):  # ever farther from the front
        activity = spot(20, row, 30)
        terms, _ = kernel_terms(activity, medium, SIDES, (0.0, 0.0))
        depth = terms[0, 1, 0, 0].sum() / terms[0, 0, 0, 0].sum()  # mean optical depth: M_2 over M_1
        ratios.append((by_kernel(activity, medium).values[0, 0].sum() * np.exp(depth), depth))
    assert ratios[0][0] < ratios[1][0] < ratios[2][0]
    assert ratios[0][1] < ratios[1][1] < ratios[2][1]


def test_a_wider_window_takes_in_more():
    wide = OWN.window_kev(20.0)
    assert accepted_kev(OWN, wide) > accepted_kev(OWN, WINDOW) > 0
    activity, medium = spot(20, 18, 30), trunk()
    assert by_kernel(activity, medium, wide).values.sum() > by_kernel(activity, medium).values.sum()


def test_weights_are_read_only_and_none_is_negative():
    weights = kernel_weights()
    assert (weights >= 0).all()
    assert (weights > 0).sum() >= 3
    assert not weights.flags.writeable


def test_it_refuses_other_views_and_other_grids():
    medium = trunk()
    with pytest.raises(InvalidValue, match="0 and 180"):
        scatter_by_kernel(spot(20, 18, 30), medium, OWN, (90.0,), np.zeros((1, 40)), (0.0, 0.0), (WINDOW,))
    other = replace(GRID, origin_mm=(0, 0, 0))
    with pytest.raises(GeometryMismatch):
        by_kernel(spot(20, 18, 30, other), medium)
