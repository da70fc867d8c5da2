"""The quick look: pictures of counts in inverse grey, as a workstation first shows a study.

Pictures of one object stand in one row and share one window. Its upper end follows the bone, not the brightest pixel,
so that neither bladder nor injection site turns the skeleton white: 1.9 times the level that a tenth of the body's area
exceeds [D].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.report.brush import bundled_font, png

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font: TypeAlias = FreeTypeFont | ImageFont

__all__ = ["Tile", "draw_preview"]

_TALL_PX, _LOW_PX = 1024, 320  # of whole bodies, of pictures about as high as wide
_BONE_AREA = 0.9  # of the body shows less than what is taken for the level of bone
_ABOVE_BONE = 1.9
_HOT_AREA = 0.97  # of a picture is not as hot as a bladder or an injection site [D]
_BODY = 0.1  # of what that area does not exceed: what is more is body [D]
_MARGIN, _TITLE, _LABEL, _LEAST_WIDTH = 14, 58, 26, 420
_INK, _FAINT, _FRAME = (20, 24, 32), (96, 102, 112), (200, 204, 210)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """One picture of a preview.

    Parameters
    ----------
    label : str
        Stands under it.
    counts : (row, column) ndarray
    row_spacing_mm, column_spacing_mm : float
    sides : (str, str)
        The patient's side on the picture's left and right, burned in; empty where they are in front or behind.
    """

    label: str
    counts: NDArray[np.floating]
    row_spacing_mm: float
    column_spacing_mm: float
    sides: tuple[str, str] = ("", "")


def draw_preview(rows: Sequence[Sequence[Tile]], title: str, note: str, burned_in: str) -> bytes:
    """Draw a study's pictures, with a title and a note above, and words burned into each.

    Parameters
    ----------
    rows : sequence of sequence of Tile
        By object; at least one tile in each.
    title, note : str
    burned_in : str
        Stands in every picture itself, so that none can be cut out without it.

    Returns
    -------
    bytes
        PNG.
    """
    from PIL import Image, ImageDraw

    drawn = [_drawn(tiles) for tiles in rows]
    widths = [sum(picture.width + _MARGIN for picture in row) + _MARGIN for row in drawn]
    heights = [max(picture.height for picture in row) + _LABEL for row in drawn]
    sheet = Image.new("RGB", (max(*widths, _LEAST_WIDTH), _TITLE + sum(heights) + _MARGIN), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    heading, small = bundled_font(20), bundled_font(14)
    room = sheet.width - 2 * _MARGIN
    draw.text((_MARGIN, 8), _fitting(draw, title, heading, room), fill=_INK, font=heading)
    draw.text((_MARGIN, 34), _fitting(draw, note, small, room), fill=_FAINT, font=small)
    top = _TITLE
    for tiles, row, height in zip(rows, drawn, heights, strict=True):
        left = _MARGIN
        for tile, picture in zip(tiles, row, strict=True):
            burn = ImageDraw.Draw(picture)
            burn.text((6, 4), burned_in, fill=90, font=small)
            burn.text((6, picture.height - 6), tile.sides[0], fill=90, font=small, anchor="ls")
            burn.text((picture.width - 6, picture.height - 6), tile.sides[1], fill=90, font=small, anchor="rs")
            sheet.paste(picture.convert("RGB"), (left, top))
            draw.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=_FRAME)
            words = _fitting(draw, tile.label, small, picture.width)
            draw.text((left, top + picture.height + 3), words, fill=_INK, font=small)
            left += picture.width + _MARGIN
        top += height
    return png(sheet)


def _drawn(tiles: Sequence[Tile]) -> list[Image]:
    """One object's pictures in one window and of one scale."""
    upper = _upper([tile.counts for tile in tiles])
    tall = max(tile.counts.shape[0] * tile.row_spacing_mm for tile in tiles)
    wide = max(tile.counts.shape[1] * tile.column_spacing_mm for tile in tiles)
    return [_grey(tile, upper, (_TALL_PX if tall > 2 * wide else _LOW_PX) / tall) for tile in tiles]


def _upper(pictures: Sequence[NDArray[np.floating]]) -> float:
    """Counts per pixel that are drawn black."""
    smooth = [ndimage.gaussian_filter(np.asarray(picture, dtype=np.float32), 1.5) for picture in pictures]
    everything = np.concatenate([picture.reshape(-1) for picture in smooth])
    body = everything[everything > _BODY * np.quantile(everything, _HOT_AREA)]
    return max(_ABOVE_BONE * float(np.quantile(body, _BONE_AREA)), 1e-6) if len(body) else 1.0


def _grey(tile: Tile, upper: float, per_mm: float) -> Image:
    from PIL import Image

    shade = np.clip(255 * (1 - np.asarray(tile.counts, dtype=np.float32) / upper), 0, 255)
    rows, columns = tile.counts.shape
    size = round(columns * tile.column_spacing_mm * per_mm), round(rows * tile.row_spacing_mm * per_mm)
    return Image.fromarray(shade).resize(size, Image.Resampling.BICUBIC).convert("L")


def _fitting(draw: ImageDraw, words: str, font: Font, width: int) -> str:
    """The words, cut at the end where they are too long."""
    while words and draw.textlength(words, font=font) > width:
        words = words[:-2].rstrip(" ,.…") + "…"
    return words
