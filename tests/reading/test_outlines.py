"""Outlines as a hand draws them, and what lies within."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from bonescan.errors import InvalidValue
from bonescan.reading.findings.spots import border
from bonescan.reading.outlines import cut, filled

SHAPE = (60, 40)


def circle(row: float, column: float, radius: float, points: int = 720) -> tuple[tuple[float, float], ...]:
    turns = (2 * math.pi * k / points for k in range(points))
    return tuple((row + radius * math.sin(turn), column + radius * math.cos(turn)) for turn in turns)


def disc(row: float, column: float, radius: float) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return np.asarray(np.hypot(rows - row, columns - column) < radius)


def star(row: float, column: float, radius: float) -> tuple[tuple[float, float], ...]:
    """Five points joined by every second one: the middle is gone round twice."""
    return tuple(circle(row, column, radius, 5)[k] for k in (0, 2, 4, 1, 3))


def blob(seed: int) -> np.ndarray:
    """One piece without holes, of no simple shape."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2.5)
    pieces, _ = ndimage.label(noise > noise.std())
    return np.asarray(ndimage.binary_fill_holes(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax()))


@pytest.mark.parametrize("radius", [0.8, 3.3, 11.7])
def test_a_circle_takes_in_the_pixels_whose_centres_it_holds(radius):
    # witness: the circle's own definition; radii and centre are such that no centre lies on it
    np.testing.assert_array_equal(filled(circle(25.2, 20.1, radius), SHAPE), disc(25.2, 20.1, radius))


@pytest.mark.parametrize("seed", range(8))
def test_the_border_of_any_piece_gives_it_back(seed):
    piece = blob(seed)
    assert 20 < piece.sum() < piece.size / 2
    np.testing.assert_array_equal(filled(border(piece), SHAPE), piece)


def test_neither_direction_nor_beginning_matter():
    outline = border(blob(3))
    there = filled(outline, SHAPE)
    np.testing.assert_array_equal(filled(outline[::-1], SHAPE), there)
    np.testing.assert_array_equal(filled(outline[5:] + outline[:5], SHAPE), there)


def test_what_is_gone_round_twice_is_inside():
    inside = filled(star(30, 20, 12), SHAPE)
    assert inside[30, 20]
    # by the star's geometry: the pentagon in its middle and the five points, 1.123 r^2, to a border of 5 % of it
    assert inside.sum() == pytest.approx(1.123 * 12**2, rel=0.1)
    assert ndimage.label(inside)[1] == 1


def test_of_two_loops_the_larger_is_taken():
    eight = ((5, 5), (15, 25), (5, 25), (11, 5))
    inside = filled(eight, SHAPE)
    assert ndimage.label(inside)[1] == 1
    assert inside[7, 22]


def test_what_lies_beyond_the_picture_is_left_out():
    np.testing.assert_array_equal(filled(circle(2.3, 1.2, 9.7), SHAPE), disc(2.3, 1.2, 9.7))
    assert filled(((-1e6, -1e6), (-1e6, 1e6), (1e6, 1e6), (1e6, -1e6)), SHAPE).all()


@pytest.mark.parametrize(
    "outline",
    [
        circle(25.5, 20.5, 0.3),
        circle(-30, 20, 10),
        circle(25, 200, 10),
        ((5, 5), (9, 9), (30, 30)),
        ((7, 7), (7, 7), (7, 7)),
    ],
    ids=["tiny", "above", "beside", "line", "point"],
)
def test_what_takes_in_nothing_is_refused(outline):
    with pytest.raises(InvalidValue, match="takes in no pixel"):
        filled(outline, SHAPE)


def test_the_smallest_step_between_two_rows_is_a_step():
    """An edge no higher than the smallest number, whose slope is beyond any: it takes no row in, and is no fault."""
    box = ((0.0, 3.0), (5e-324, 6.0), (4.0, 6.0), (4.0, 3.0))
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:4, 3:6] = True
    np.testing.assert_array_equal(filled(box, SHAPE), expected)


def test_thousands_of_points_are_as_good_as_few():
    np.testing.assert_array_equal(filled(circle(25.2, 20.1, 8.3, 19_999), SHAPE), disc(25.2, 20.1, 8.3))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("degrees", [0, 37, 90, 141])
def test_the_two_parts_of_a_piece_are_pieces_and_together_it(seed, degrees):
    piece = blob(seed)
    row, column = ndimage.center_of_mass(piece)
    step = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    larger, smaller = cut(piece, ((row, column), (row + step[0], column + step[1])))
    assert not (larger & smaller).any()
    np.testing.assert_array_equal(larger | smaller, piece)
    assert larger.sum() >= smaller.sum() > 0
    assert ndimage.label(larger)[1] == ndimage.label(smaller)[1] == 1


def test_a_straight_cut_goes_along_the_line():
    larger, smaller = cut(disc(30, 20, 9.5), ((32.5, 0), (32.5, 1)))
    assert larger[:33].sum() == larger.sum()
    assert smaller[33:].sum() == smaller.sum()


def test_a_line_beside_the_piece_cuts_nothing():
    with pytest.raises(InvalidValue, match="does not go through"):
        cut(disc(30, 20, 5), ((0, 0), (0, 9)))
