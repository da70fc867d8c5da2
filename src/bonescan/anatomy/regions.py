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
from scipy import ndimage

from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import move_points
from bonescan.anatomy.projection import BoneShadow
from bonescan.anatomy.skeleton import SEGMENTS

__all__ = ["Outline", "outlines", "paint_limbs", "paint_outlines", "paint_regions"]

Array = NDArray[np.float64]
ToPixels = Callable[[Array, Array], tuple[Array, Array]]

_SHADOW_REGIONS = (13, 14, 16, 17)  # forearm, hand, leg, foot: their bones' shadows, grown by soft-tissue blur
_SHADOW_GROWTH_MM = 5.0
_KNEE_ABOVE_MM, _KNEE_BELOW_MM = 62.0, 48.0


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

    def moved(outline: Outline) -> Array:
        return move_points(outline.points_mm, np.full(len(outline.points_mm), outline.segment), pose)

    return paint_outlines(moved, view, to_pixels, shape)


def paint_outlines(
    moved: Callable[[Outline], Array | None], view: str, to_pixels: ToPixels, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Paint regions 1 to 12 of any body that outlines can be moved into.

    Parameters
    ----------
    moved : callable
        An outline's points in the body, (point, 3) ndarray; ``None`` where the body has no such part.
    view, to_pixels, shape
        As in `paint_regions`.

    Returns
    -------
    (row, column) ndarray of uint8
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (shape[1], shape[0]), 0)
    pen = ImageDraw.Draw(canvas)
    for outline in outlines():
        if outline.view != view or (points := moved(outline)) is None:
            continue
        row, column = to_pixels(points[:, 0], points[:, 2])
        pen.polygon(list(zip(column.tolist(), row.tolist(), strict=True)), fill=0 if outline.hole else outline.region)
    return np.array(canvas, dtype=np.uint8)


def paint_limbs(
    regions: NDArray[np.uint8], shadows: tuple[BoneShadow, ...], body: NDArray[np.bool_], mm: tuple[float, float]
) -> None:
    """Paint regions 13 to 17 where nothing else was painted: shadows of their bones, grown a little; knees by height.

    Parameters
    ----------
    regions : (row, column) ndarray of uint8
        From `paint_regions`; painted upon.
    shadows : tuple of BoneShadow
        Of the view's bones.
    body : (row, column) ndarray of bool
        The body's outline, filled: nothing is painted beside it.
    mm : (row, column)
        Size of a pixel.
    """
    shape = regions.shape
    growth = _ellipse(_SHADOW_GROWTH_MM / mm[0], _SHADOW_GROWTH_MM / mm[1])
    for region in _SHADOW_REGIONS:
        shadow = np.zeros(shape, dtype=bool)
        for s in shadows:
            if bone(s.bone).region == region:
                shadow[_box(s)] |= s.length_mm > 0
        if shadow.any():
            regions[ndimage.binary_dilation(shadow, growth) & body & (regions == 0)] = region
    for side in ("_l", "_r"):
        parts = {
            s.bone: s for s in shadows if s.bone in ("femur" + side, "tibia" + side, "fibula" + side, "patella" + side)
        }
        if "femur" + side not in parts or "tibia" + side not in parts:
            continue
        femur, tibia = parts["femur" + side], parts["tibia" + side]
        joint = 0.5 * (femur.row + femur.length_mm.shape[0] + tibia.row)
        rows = np.arange(shape[0])[:, None]
        around = (rows > joint - _KNEE_ABOVE_MM / mm[0]) & (rows < joint + _KNEE_BELOW_MM / mm[0])
        shadow = np.zeros(shape, dtype=bool)
        for s in parts.values():
            shadow[_box(s)] |= s.length_mm > 0
        knee = ndimage.binary_dilation(shadow, growth) & around & body
        regions[knee & np.isin(regions, (0, 16))] = 15


def _box(shadow: BoneShadow) -> tuple[slice, slice]:
    height, width = shadow.length_mm.shape
    return slice(shadow.row, shadow.row + height), slice(shadow.column, shadow.column + width)


def _ellipse(rows: float, columns: float) -> NDArray[np.bool_]:
    r, c = max(1, round(rows)), max(1, round(columns))
    y, x = np.mgrid[-r : r + 1, -c : c + 1]
    return np.asarray((y / (r + 0.5)) ** 2 + (x / (c + 0.5)) ** 2 <= 1)
