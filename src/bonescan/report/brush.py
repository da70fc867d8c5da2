"""Lines, letters and files of a picture: anti-aliased strokes, the bundled font, PNG and JPEG.

A line is drawn by Pillow into a mask of three times the resolution and averaged down.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bonescan.report.pages import packaged_fonts

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

__all__ = [
    "Colour",
    "Point",
    "beside",
    "bundled_font",
    "embedded",
    "font_for",
    "jpeg",
    "mix",
    "png",
    "smooth",
    "stroke",
]

Point = tuple[float, float]
Colour = tuple[int, int, int]

_SUPERSAMPLING = 3
_MANY_POINTS = 60


def bundled_font(size: int) -> FreeTypeFont | ImageFont:
    """Return Pillow's own scalable font, the same on every machine.

    Parameters
    ----------
    size : int
        Height of the letters in picture pixels.

    Returns
    -------
    PIL.ImageFont.FreeTypeFont
    """
    from PIL import ImageFont

    return ImageFont.load_default(size)


def font_for(text: str, size: int) -> FreeTypeFont | ImageFont:
    """Return the font in which a text can be drawn: Pillow's own, or the packaged one where that lacks its letters.

    Parameters
    ----------
    text : str
    size : int
        Height of the letters in picture pixels.

    Returns
    -------
    PIL.ImageFont.FreeTypeFont
    """
    return bundled_font(size) if text.isascii() else _packaged_font(size)


@lru_cache(maxsize=16)
def _packaged_font(size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(packaged_fonts() / "NotoSansCJKsc-Regular-subset.otf"), size)


def mix(colour: Colour, share: float) -> Colour:
    """Thin a colour with white; `share` 1 leaves it as it is.

    Parameters
    ----------
    colour : (red, green, blue)
    share : float
        0 to 1.

    Returns
    -------
    (red, green, blue)
    """
    red, green, blue = (round(255 - share * (255 - channel)) for channel in colour)
    return red, green, blue


def smooth(outline: Sequence[Point]) -> list[Point]:
    """Cut a polygon's corners (Chaikin 1974): stairs of pixels become a line that moves by under half a pixel.

    Twice for small outlines, once for those of many points, whose corners are small beside them.

    Parameters
    ----------
    outline : sequence of (row, column)
        A closed polygon.

    Returns
    -------
    list of (row, column)
        Two to four times as many points.
    """
    points = np.asarray(outline, float)
    for _ in range(2 if len(outline) <= _MANY_POINTS else 1):
        following = np.roll(points, -1, axis=0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1).reshape(-1, 2)
    return [(float(row), float(column)) for row, column in points]


def stroke(
    image: Image,
    points: Sequence[Point],
    colour: Colour,
    width: float,
    *,
    closed: bool = False,
    dash: tuple[float, float] | None = None,
) -> None:
    """Draw an anti-aliased line of `width` picture pixels; `dash` is (drawn, left out) in the same unit.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB; drawn upon.
    points : sequence of (x, y)
        In picture pixels.
    colour : (red, green, blue)
    width : float
        In picture pixels.
    closed : bool, optional
        Whether the line returns to its first point.
    dash : (drawn, left out), optional
        Lengths in picture pixels; a whole line without it.
    """
    from PIL import Image, ImageDraw

    path = np.asarray([*points, points[0]] if closed else points, float)
    pad = int(width) + 2
    x0, y0 = (int(v) for v in np.floor(path.min(axis=0)) - pad)
    x1, y1 = (int(v) for v in np.ceil(path.max(axis=0)) + pad)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, image.width), min(y1, image.height)
    if x1 <= x0 or y1 <= y0:
        return
    mask = Image.new("L", ((x1 - x0) * _SUPERSAMPLING, (y1 - y0) * _SUPERSAMPLING))
    draw = ImageDraw.Draw(mask)
    for piece in [path] if dash is None else _dashes(path, dash):
        scaled = ((piece - (x0, y0)) * _SUPERSAMPLING).ravel().tolist()
        draw.line(scaled, fill=255, width=round(width * _SUPERSAMPLING))
    image.paste(colour, (x0, y0, x1, y1), mask.reduce(_SUPERSAMPLING))


def _dashes(path: NDArray[np.float64], dash: tuple[float, float]) -> list[NDArray[np.float64]]:
    """Cut a polyline into dashes measured along it."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    pieces = []
    for start in np.arange(0.0, along[-1], sum(dash)):
        end = min(start + dash[0], along[-1])
        inside = (along > start) & (along < end)
        stops = np.concatenate([[start], along[inside], [end]])
        pieces.append(np.stack([np.interp(stops, along, path[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


def beside(images: Sequence[Image]) -> Image:
    """Join pictures side by side on white, aligned at the top.

    Parameters
    ----------
    images : sequence of PIL.Image.Image

    Returns
    -------
    PIL.Image.Image
    """
    from PIL import Image

    joined = Image.new(
        "RGB", (sum(image.width for image in images), max(image.height for image in images)), (255, 255, 255)
    )
    x = 0
    for image in images:
        joined.paste(image, (x, 0))
        x += image.width
    return joined


def jpeg(image: Image, quality: int = 82) -> bytes:
    """Encode for a page: JPEG without colour subsampling, so that thin lines stay sharp.

    Parameters
    ----------
    image : PIL.Image.Image
    quality : int, optional
        Of JPEG, 1 to 95.

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def png(image: Image) -> bytes:
    """Encode losslessly.

    Parameters
    ----------
    image : PIL.Image.Image

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def embedded(image: Image, quality: int = 88) -> dict[str, Any]:
    """Encode a picture as a page holds it.

    Parameters
    ----------
    image : PIL.Image.Image
    quality : int
        Of the JPEG.

    Returns
    -------
    dict
        ``source``, a data URL; ``width`` and ``height`` in pixels.
    """
    data = base64.b64encode(jpeg(image, quality)).decode("ascii")
    return {"source": f"data:image/jpeg;base64,{data}", "width": image.width, "height": image.height}
