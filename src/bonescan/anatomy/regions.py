"""The planar regions, painted on a posed skeleton's view.

A region is the area a reader would draw, which is more than the shadow of its
bones (see ``data/outlines.toml``). Each outline moves with one segment.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.pose import move_points
from bonescan.anatomy.skeleton import SEGMENTS

__all__ = ["Outline", "outlines", "paint_regions"]

Array = NDArray[np.float64]
ToPixels = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """One polygon of one region in one view, in the default pose.

    Parameters
    ----------
    region : int
    view : str
    segment : int
        Index into `SEGMENTS`.
    points_mm : (point, 3) ndarray
    hole : bool
        Removes from the region instead of adding to it.
    """

    region: int
    view: str
    segment: int
    points_mm: Array
    hole: bool


@cache
def outlines() -> tuple[Outline, ...]:
    """All outlines, both sides, in painting order."""
    table = tomllib.loads(files("bonescan.anatomy").joinpath("data/outlines.toml").read_text(encoding="utf-8"))
    number = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    found = []
    for row in table["outline"]:
        flat = np.array(row["points"], dtype=float)
        half = np.column_stack([flat[:, 0], np.full(len(flat), float(row["depth_mm"])), flat[:, 1]])
        mirrored = half * [-1.0, 1.0, 1.0]
        if row.get("closed") == "mirror":
            sides = [("", np.concatenate([half, mirrored[::-1]]))]
        else:
            sides = [("_l", half), ("_r", mirrored)]
        for side, points in sides:
            name = row["segment"] if row["segment"] in number else row["segment"] + side
            found.append(
                Outline(
                    region=row["region"],
                    view=row["view"],
                    segment=number[name],
                    points_mm=points,
                    hole=row.get("hole", False),
                )
            )
    return tuple(found)


def paint_regions(pose: Array, view: str, to_pixels: ToPixels, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint regions 1 to 12 of a posed body on one view.

    Parameters
    ----------
    pose : (parameter,) ndarray
    view : str
        ``"anterior"`` or ``"posterior"``.
    to_pixels : callable
        Body coordinates ``x_mm, z_mm`` to ``row, column`` of the view.
    shape : (rows, columns)

    Returns
    -------
    (row, column) ndarray of uint8
        Region ids; 0 where there is none.
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (shape[1], shape[0]), 0)
    pen = ImageDraw.Draw(canvas)
    for outline in outlines():
        if outline.view != view:
            continue
        moved = move_points(outline.points_mm, np.full(len(outline.points_mm), outline.segment), pose)
        row, column = to_pixels(moved[:, 0], moved[:, 2])
        pen.polygon(list(zip(column.tolist(), row.tolist(), strict=True)), fill=0 if outline.hole else outline.region)
    return np.array(canvas, dtype=np.uint8)
