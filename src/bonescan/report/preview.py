"""The quick look: pictures of counts side by side in inverse grey, as a workstation first shows a study.

Counts of all pictures share one window. Its upper end follows the bone, not the brightest pixel, so that neither
bladder nor injection site turns the skeleton white: 2.2 times the level that a tenth of the body's area exceeds [D].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.report.brush import bundled_font, png

__all__ = ["Tile", "draw_preview"]

_HEIGHT = 1024
_BONE_AREA = 0.9  # of the body shows less than what is taken for the level of bone
_ABOVE_BONE = 2.2
_BODY = 0.06  # of the brightest tenth of a percent: what is more is body
_MARGIN, _TITLE, _FOOT = 14, 58, 34
_INK, _FAINT = (20, 24, 32), (96, 102, 112)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tile:
    """One picture of a preview.

    Parameters
    ----------
    label : str
        Stands under it.
    counts : (row, column) ndarray
    row_spacing_mm, column_spacing_mm : float
    """

    label: str
    counts: NDArray[np.floating]
    row_spacing_mm: float
    column_spacing_mm: float


def draw_preview(tiles: Sequence[Tile], title: str, note: str, burned_in: str) -> bytes:
    """Draw pictures side by side, with a title above, a note beside it and words burned into each.

    Parameters
    ----------
    tiles : sequence of Tile
        At least one.
    title, note : str
    burned_in : str
        Stands in every picture itself, so that none can be cut out without it.

    Returns
    -------
    bytes
        PNG.
    """
    from PIL import Image, ImageDraw

    upper = _upper([tile.counts for tile in tiles])
    tall = max(tile.counts.shape[0] * tile.row_spacing_mm for tile in tiles)
    pictures = [_grey(tile, upper, _HEIGHT / tall) for tile in tiles]
    width = sum(picture.width for picture in pictures) + _MARGIN * (len(pictures) + 1)
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (max(width, 420), _TITLE + height + _FOOT), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    heading, small = bundled_font(20), bundled_font(14)
    draw.text((_MARGIN, 8), _fitting(draw, title, heading, sheet.width - 2 * _MARGIN), fill=_INK, font=heading)
    draw.text((_MARGIN, 34), _fitting(draw, note, small, sheet.width - 2 * _MARGIN), fill=_FAINT, font=small)
    left = _MARGIN
    for tile, picture in zip(tiles, pictures, strict=True):
        ImageDraw.Draw(picture).text((6, 4), burned_in, fill=90, font=small)
        sheet.paste(picture.convert("RGB"), (left, _TITLE))
        draw.rectangle((left - 1, _TITLE - 1, left + picture.width, _TITLE + picture.height), outline=(200, 204, 210))
        words = _fitting(draw, tile.label, small, picture.width)
        draw.text((left, _TITLE + picture.height + 6), words, fill=_INK, font=small)
        left += picture.width + _MARGIN
    return png(sheet)


def _upper(pictures: Sequence[NDArray[np.floating]]) -> float:
    """Counts per pixel that are drawn black."""
    smooth = [ndimage.gaussian_filter(np.asarray(picture, dtype=np.float32), 1.5) for picture in pictures]
    everything = np.concatenate([picture.reshape(-1) for picture in smooth])
    body = everything[everything > _BODY * np.percentile(everything, 99.9)]
    return max(_ABOVE_BONE * float(np.quantile(body, _BONE_AREA)), 1e-6) if len(body) else 1.0


def _grey(tile: Tile, upper: float, per_mm: float):  # type: ignore[no-untyped-def]
    from PIL import Image

    shade = np.clip(255 * (1 - np.asarray(tile.counts, dtype=np.float32) / upper), 0, 255)
    rows, columns = tile.counts.shape
    size = round(columns * tile.column_spacing_mm * per_mm), round(rows * tile.row_spacing_mm * per_mm)
    return Image.fromarray(shade).resize(size, Image.Resampling.BICUBIC).convert("L")


def _fitting(draw, words: str, font, width: int) -> str:  # type: ignore[no-untyped-def]
    """The words, cut at the end where they are too long."""
    while words and draw.textlength(words, font=font) > width:
        words = words[:-2].rstrip(" ,.…") + "…"
    return words
