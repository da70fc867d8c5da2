"""Where a view's frame is to be sought: the edges of the regions that a network sees.

Each region that is in view, whole or in part, has up to four edges; where they lie on the default skeleton is known, so
that every axis of a view is a line through edges::

    pixel = offset + slope mm

Edges that the picture cuts off say nothing. The others are weighted by how much people vary, and a few wrong ones are
outvoted: weights ``1 / (1 + (residual / sd)^2)``, from several slopes. Of the lines of all axes those are taken that
together cost least; pixels are about as wide as high, whatever the file says, and two views are about as large.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.network import DenseView
from bonescan.reading.skeleton.areas import GRID_MM, area_cloud
from bonescan.scan import View, ViewName

__all__ = ["first_frames"]

Array = NDArray[np.float64]

# All chosen by design [D], from how far people of the simulated population differ from the default skeleton.
_LEAST_SHARE = 0.2  # of a region that must be seen before its edges count
_EDGE_SD_MM = {8: 60.0, 13: 120.0, 14: 150.0, 15: 40.0, 16: 40.0, 17: 60.0, 12: 40.0}
_USUAL_EDGE_SD_MM = 25.0
_EDGE = 0.02  # share of a region's pixels beyond its edge
_ASPECT_SD, _VIEWS_SD = 0.15, 0.05  # of the logarithms: height over width, and one view over the other
_SPACING_SD = 0.3  # of the logarithm: what a file says of its pixels, in parts; exports show 0.7 to 1.0


def first_frames(seen: tuple[DenseView, ...], views: tuple[View, ...]) -> Array | None:
    """Frames of the default skeleton whose regions' edges lie where the network has them.

    Parameters
    ----------
    seen : tuple of DenseView
    views : tuple of View

    Returns
    -------
    (view, 6) ndarray or None
        As the fields of `placement.Frame`, in the views' pixels; ``None`` where a view shows too
        little of any region.
    """
    choices = []
    for dense, view in zip(seen, views, strict=True):
        down, across = _edges(dense, view)
        if not len(down) or not len(across):
            return None
        side = 1.0 if view.name is ViewName.ANTERIOR else -1.0
        choices.append((_lines(down, -1 / view.row_spacing_mm), _lines(across, side / view.column_spacing_mm)))
    best, least = None, math.inf
    for lines in itertools.product(*(itertools.product(*axes) for axes in choices)):
        heights = [math.log(line.stretch) for line, _ in lines]
        widths = [math.log(line.stretch) for _, line in lines]
        cost = sum(line.cost for pair in lines for line in pair)
        cost += sum(((h - w) / _ASPECT_SD) ** 2 for h, w in zip(heights, widths, strict=True))
        cost += (np.ptp(heights) / _VIEWS_SD) ** 2 + (np.ptp(widths) / _VIEWS_SD) ** 2
        if cost < least:
            best, least = lines, cost
    assert best is not None
    return np.array([[down.offset, across.offset, -down.slope, across.slope, 0.0, 0.0] for down, across in best])


def _edges(dense: DenseView, view: View) -> tuple[Array, Array]:
    """Edges of regions along rows and columns: mm in the default body (from z 900 mm), pixel, sd in mm."""
    named = dense.regions.argmax(axis=0)
    lit = np.flatnonzero(view.counts.any(axis=1))
    cloud, down, across = area_cloud(view.name), [], []
    if not len(lit):
        return np.zeros((0, 3)), np.zeros((0, 3))
    for number in range(1, 18):
        own = cloud.points[cloud.region == number]
        mask = _largest(named == number, by_side=number >= 6)
        area_mm2 = np.count_nonzero(mask) * view.row_spacing_mm * view.column_spacing_mm
        if not len(own) or area_mm2 < _LEAST_SHARE * len(own) * GRID_MM**2:
            continue
        sd = _EDGE_SD_MM.get(number, _USUAL_EDGE_SD_MM)
        row, column = np.nonzero(mask)
        for share, cut in ((_EDGE, row.min() <= lit[0] + 1), (1 - _EDGE, row.max() >= lit[-1] - 1)):
            if not cut:
                down.append((np.quantile(own[:, 2], 1 - share) - 900, np.quantile(row, share), sd))
        last = view.counts.shape[1] - 1
        for share, cut in ((_EDGE, column.min() <= 1), (1 - _EDGE, column.max() >= last - 1)):
            if not cut:
                wanted = share if view.name is ViewName.ANTERIOR else 1 - share
                across.append((np.quantile(own[:, 0], wanted), np.quantile(column, share), sd))
    return np.array(down).reshape(-1, 3), np.array(across).reshape(-1, 3)


def _largest(mask: NDArray[np.bool_], *, by_side: bool) -> NDArray[np.bool_]:
    """The largest connected piece, or pieces at least half as large where a region has two sides."""
    named, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(named.ravel())[1:]
    return np.asarray(np.isin(named, 1 + np.flatnonzero(sizes >= (0.3 if by_side else 0.99) * sizes.max())))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """``pixel = offset + slope mm``; ``stretch`` over what the file says, ``cost`` of the edges that lie beside it."""

    offset: float
    slope: float
    stretch: float
    cost: float


def _lines(edges: Array, usual: float) -> list[_Line]:
    """Lines through most of the edges, from several stretches; ``usual`` is the slope that the file says."""
    mm, pixel, sd = edges.T
    pixel_mm = pixel / abs(usual)  # of a body at the usual scale
    sign = float(np.sign(usual))
    prior = np.array([[0.0, 1 / _SPACING_SD]])
    found = []
    for stretch in (0.5, 0.65, 0.8, 1.0, 1.25, 1.55):
        slope = stretch * sign
        offsets = pixel_mm - slope * mm
        offset = offsets[np.argmin(np.log1p(((offsets[:, None] - offsets) / sd) ** 2).sum(axis=1))]
        tried = []
        for _ in range(10):
            tried.append(_line(edges, float(offset), float(slope), usual))
            root = 1 / np.sqrt(1 + ((pixel_mm - offset - slope * mm) / sd) ** 2)
            line = np.stack([root / sd, root / sd * mm], axis=1)
            right = np.append(root / sd * pixel_mm, sign / _SPACING_SD)
            offset, slope = np.linalg.lstsq(np.concatenate([line, prior]), right, rcond=None)[0]
            slope = sign * max(sign * slope, 0.2)
        found += [tried[0], min(tried, key=lambda line: line.cost)]
    return found


def _line(edges: Array, offset_mm: float, slope: float, usual: float) -> _Line:
    mm, pixel, sd = edges.T
    scale = abs(usual)
    away = np.log1p(((pixel / scale - offset_mm - slope * mm) / sd) ** 2).sum()
    stretch = abs(slope)
    return _Line(
        offset=offset_mm * scale,
        slope=slope * scale,
        stretch=stretch,
        cost=float(away) + (math.log(stretch) / _SPACING_SD) ** 2,
    )
