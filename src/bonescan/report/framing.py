"""Which part of a view is drawn, and where its pixels lie in the picture: the body with a margin, in true proportions.

A camera's frame is longer and wider than the person on its table. What a picture leaves out is what it would have
drawn white; body coordinates are those of the whole view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.reading.model import Finding, LabelledView
from bonescan.report.brush import Point
from bonescan.scan import View, ViewName

__all__ = ["Frame", "Part", "frame_for", "parts_shown", "scale_for"]

MARGIN_MM = 30.0
"""Empty field left around the body."""
SQUARE_MM = 10.0
"""Side of the squares whose mean count says whether anything is to be seen there: lone noisy pixels do not count."""

_BODY_HEIGHT, _BODY_WIDTH = 2048, 640


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A rectangle of a view's pixels: rows `top` to `bottom` and columns `left` to `right`, the last not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the part in a (row, column) array of the view."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where the pixels of a part lie in its picture: margins, and picture pixels per image pixel."""

    part: Part
    left: int
    top: int
    width: int
    height: int
    per_column: float
    per_row: float

    def point(self, row: float, column: float) -> Point:
        """Picture position of the centre of a pixel of the view."""
        x = self.left + (column - self.part.left + 0.5) * self.per_column
        return x, self.top + (row - self.part.top + 0.5) * self.per_row


def parts_shown(
    views: Sequence[View],
    labels: Sequence[LabelledView],
    findings: Sequence[Finding],
    white_counts: Mapping[ViewName, float],
) -> dict[ViewName, Part]:
    """Choose what of each view is drawn: all that is to be seen, and a few centimetres around it.

    Parameters
    ----------
    views, labels
        The scan's views and their labels, in the same order.
    findings : sequence of Finding
        Their pixels are always inside.
    white_counts : mapping of ViewName to float
        Counts per pixel that are drawn white.

    Returns
    -------
    dict of ViewName to Part
        The bounding box of the body's outline, of the findings and of every square of 10 mm whose mean count is more
        than white, 30 mm wider on each side where the view allows. Views of the same rows show the same rows, so
        that they stand side by side at one height. A view in which nothing is to be seen is shown whole.
    """
    parts = {}
    for view, labelled in zip(views, labels, strict=True):
        seen = labelled.body | _squares_above(view, white_counts[view.name])
        for finding in findings:
            if view.name in finding.views:
                seen = seen | finding.views[view.name].mask
        parts[view.name] = _around(seen, view)
    if len({(view.counts.shape[0], view.row_spacing_mm) for view in views}) == 1:
        top, bottom = min(part.top for part in parts.values()), max(part.bottom for part in parts.values())
        parts = {name: Part(top=top, bottom=bottom, left=part.left, right=part.right) for name, part in parts.items()}
    return parts


def scale_for(
    views: Sequence[View], parts: Mapping[ViewName, Part], *, height: int = _BODY_HEIGHT, width: int = _BODY_WIDTH
) -> float:
    """Return picture pixels per millimetre at which every view's part fits into height x width picture pixels.

    Parameters
    ----------
    views : sequence of View
    parts : mapping of ViewName to Part
        What is drawn of each.
    height, width : int, optional
        Room for one view, in picture pixels.

    Returns
    -------
    float
    """
    fits = []
    for view in views:
        rows, columns = parts[view.name].shape
        fits += [height / (rows * view.row_spacing_mm), width / (columns * view.column_spacing_mm)]
    return min(fits)


def frame_for(view: View, part: Part, pixels_per_mm: float, *, margins: tuple[int, int], top: int) -> Frame:
    """Lay a part of a view out in its picture.

    Parameters
    ----------
    view : View
    part : Part
    pixels_per_mm : float
        From `scale_for`.
    margins : (left, right)
        Picture pixels beside the part.
    top : int
        Picture pixels above it.

    Returns
    -------
    Frame
    """
    rows, columns = part.shape
    width = max(48, round(columns * view.column_spacing_mm * pixels_per_mm))
    height = max(48, round(rows * view.row_spacing_mm * pixels_per_mm))
    return Frame(
        part=part,
        left=margins[0],
        top=top,
        width=width,
        height=height,
        per_column=width / columns,
        per_row=height / rows,
    )


def _squares_above(view: View, counts: float) -> NDArray[np.bool_]:
    """Return which pixels lie in a square whose mean is more than `counts`."""
    sizes = [max(1, round(SQUARE_MM / spacing)) for spacing in (view.row_spacing_mm, view.column_spacing_mm)]
    sums = view.counts.astype(np.float64)
    number = np.ones((1, 1))
    for axis, (length, size) in enumerate(zip(view.counts.shape, sizes, strict=True)):
        starts = np.arange(0, length, size)
        sums = np.add.reduceat(sums, starts, axis=axis)
        number = number * np.expand_dims(np.diff(starts, append=length), 1 - axis)
    above = sums > counts * number
    rows, columns = (np.arange(length) // size for length, size in zip(view.counts.shape, sizes, strict=True))
    spread: NDArray[np.bool_] = above[np.ix_(rows, columns)]
    return spread


def _around(seen: NDArray[np.bool_], view: View) -> Part:
    height, width = seen.shape
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if rows.size == 0:
        return Part(top=0, bottom=height, left=0, right=width)
    down, across = round(MARGIN_MM / view.row_spacing_mm), round(MARGIN_MM / view.column_spacing_mm)
    return Part(
        top=max(0, int(rows[0]) - down),
        bottom=min(height, int(rows[-1]) + 1 + down),
        left=max(0, int(columns[0]) - across),
        right=min(width, int(columns[-1]) + 1 + across),
    )
