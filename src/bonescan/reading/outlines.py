"""Outlines and pixels: what a polygon takes in, the two sides of a line, the border of a piece."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.errors import InvalidValue
from bonescan.reading.edits import Outline, Point

__all__ = ["border", "cut", "filled"]

Mask = NDArray[np.bool_]


def filled(outline: Outline, shape: tuple[int, int]) -> Mask:
    """Pixels of a picture whose centres an outline takes in.

    Parameters
    ----------
    outline : Outline
        May cross itself: whatever it goes round is inside. What lies beyond the picture is left out.
    shape : (int, int)
        Rows and columns of the picture.

    Returns
    -------
    (row, column) ndarray of bool
        The largest piece, without holes.

    Raises
    ------
    InvalidValue
        When it takes in no pixel of the picture.

    Notes
    -----
    Inside is where the winding number is not 0. An edge from (r0, c0) to (r1, c1) passes the centres of row r between
    them at ``c(r) = c0 + (r - r0) (c1 - c0) / (r1 - r0)`` and adds its direction to all pixels right of it.
    """
    rows, columns = shape
    start = np.asarray(outline, dtype=np.float64)
    end = np.roll(start, -1, axis=0)
    down = end[:, 0] > start[:, 0]
    top, bottom = np.where(down[:, None], start, end), np.where(down[:, None], end, start)
    first = np.clip(np.ceil(top[:, 0]), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(bottom[:, 0]), 0, rows).astype(np.int64)  # half-open, so that corners count once
    count = last - first
    edge = np.repeat(np.arange(len(start)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    across, height = (bottom - top)[edge, 1], (bottom - top)[edge, 0]
    along = (row - top[edge, 0]) * across / height  # the slope itself may be beyond any number
    passed = np.clip(np.ceil(top[edge, 1] + along), 0, columns).astype(np.int64)
    turns = np.zeros((rows, columns + 1), dtype=np.int64)
    np.add.at(turns, (row, passed), np.where(down[edge], 1, -1))
    inside = np.cumsum(turns, axis=1)[:, :columns] != 0
    if not inside.any():
        raise InvalidValue("The outline takes in no pixel of the picture; draw it larger, within the picture.")
    return np.asarray(ndimage.binary_fill_holes(_largest(inside)), dtype=np.bool_)


def cut(mask: Mask, line: tuple[Point, Point]) -> tuple[Mask, Mask]:
    """Part a piece along a straight line.

    Parameters
    ----------
    mask : (row, column) ndarray of bool
        One piece.
    line : (Point, Point)
        Two points of the line, which goes on beyond them.

    Returns
    -------
    larger, smaller : (row, column) ndarray of bool
        One piece each; together they are the mask. What a line parts from its own side stays with the other one.

    Raises
    ------
    InvalidValue
        When the line leaves all of it on one side.
    """
    (row_0, column_0), (row_1, column_1) = line
    rows, columns = np.indices(mask.shape)
    left = (row_1 - row_0) * (columns - column_0) > (column_1 - column_0) * (rows - row_0)
    if not (mask & left).any() or not (mask & ~left).any():
        raise InvalidValue("the line does not go through it; draw it across the finding")
    first = _largest(mask & left)
    second = _largest(mask & ~first)
    first = mask & ~second
    larger, smaller = (first, second) if first.sum() >= second.sum() else (second, first)
    return larger, smaller


def border(mask: Mask) -> Outline:
    """Follow the outer border of a piece along pixel edges, clockwise on the picture.

    Parameters
    ----------
    mask : (row, column) ndarray of bool
        One piece.

    Returns
    -------
    tuple of (row, column)
        Corners only. Pixel centres are whole numbers, so corners lie at halves.
    """
    rows, columns = np.nonzero(mask)
    top, left = int(rows.min()), int(columns.min())
    padded = np.pad(mask[top : rows.max() + 1, left : columns.max() + 1], 1)
    start = (1, int(np.flatnonzero(padded[1])[0]))
    corner, direction = start, 0
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    path: list[tuple[int, int]] = []
    turns: list[int] = []
    while True:
        path.append(corner)
        turns.append(direction)
        corner = (corner[0] + steps[direction][0], corner[1] + steps[direction][1])
        row, column = corner
        # the four pixels around the corner, as seen when moving right (rotated with the direction)
        ahead = {
            0: ((row - 1, column), (row, column)),
            1: ((row, column), (row, column - 1)),
            2: ((row, column - 1), (row - 1, column - 1)),
            3: ((row - 1, column - 1), (row - 1, column)),
        }[direction]
        ahead_left, ahead_right = bool(padded[ahead[0]]), bool(padded[ahead[1]])
        if not ahead_right:
            direction = (direction + 1) % 4
        elif ahead_left:
            direction = (direction - 1) % 4
        if corner == start:
            break
    corners = [path[k] for k in range(len(path)) if turns[k] != turns[k - 1]]
    return tuple((row + top - 1.5, column + left - 1.5) for row, column in corners)


def _largest(mask: Mask) -> Mask:
    pieces, count = ndimage.label(mask)
    if count <= 1:
        return mask
    return np.asarray(pieces == 1 + int(np.bincount(pieces.ravel())[1:].argmax()), dtype=np.bool_)
