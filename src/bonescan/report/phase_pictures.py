"""Pictures of a three-phase study: the phases side by side with the region outlined, and the curves of the flow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.three_phase.curves import Curve
from bonescan.reading.three_phase.phases import PhaseReading
from bonescan.report.brush import beside, bundled_font, font_for, stroke
from bonescan.report.language import Language
from bonescan.scan import Phase

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["draw_curves", "draw_phases"]

_RED, _BLUE, _INK, _SOFT, _LINE = (190, 18, 24), (20, 80, 190), (34, 38, 46), (85, 92, 104), (213, 217, 224)
_SCALE = 4  # picture pixels for each of the grid's
_MARGIN_MM = 20.0
_GAMMA = 0.7  # lifts soft tissue beside hot bone [D]


def draw_phases(reading: PhaseReading, labels: Mapping[Phase, tuple[str, str]]) -> Image:
    """Draw the phases side by side, cut to the body, with the region and its counterpart.

    Parameters
    ----------
    reading : PhaseReading
    labels : mapping of Phase to (str, str)
        What stands above each picture: its name, and how it was acquired.

    Returns
    -------
    PIL.Image.Image
    """
    from PIL import Image, ImageDraw

    field = reading.field
    margin = round(_MARGIN_MM / field.pixel_mm)
    body = field.body if field.body.any() else np.ones_like(field.body)
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    top, bottom = max(rows[0] - margin, 0), min(rows[-1] + margin + 1, body.shape[0])
    left, right = max(columns[0] - margin, 0), min(columns[-1] + margin + 1, body.shape[1])
    part = slice(top, bottom), slice(left, right)
    tiles = []
    for phase, picture in field.counts.items():
        smooth = ndimage.gaussian_filter(picture, 0.5)
        upper = max(float(np.quantile(smooth[body], 0.995)), 1e-6)
        grey = 255 * (1 - np.clip(smooth[part] / upper, 0, 1) ** _GAMMA)
        size = grey.shape[1] * _SCALE, grey.shape[0] * _SCALE
        tile = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC).convert("RGB")
        if reading.region is not None:
            _outline(tile, reading.region.counterpart[part] > 0.5, _BLUE)
            _outline(tile, reading.region.mask[part], _RED)
        draw = ImageDraw.Draw(tile)
        font = bundled_font(16)
        draw.text((6, tile.height - 6), "R", fill=_SOFT, font=font, anchor="ls")
        draw.text((tile.width - 6, tile.height - 6), "L", fill=_SOFT, font=font, anchor="rs")
        framed = Image.new("RGB", (tile.width + 12, tile.height + 48), (255, 255, 255))
        framed.paste(tile, (6, 42))
        label = ImageDraw.Draw(framed)
        label.rectangle((5, 41, 6 + tile.width, 42 + tile.height), outline=_LINE)
        label.text((6, 2), labels[phase][0], fill=_INK, font=font_for(labels[phase][0], 17))
        label.text((6, 22), labels[phase][1], fill=_SOFT, font=font_for(labels[phase][1], 13))
        tiles.append(framed)
    return beside(tiles)


def _outline(tile: Image, mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> None:
    """Draw the edge of a region, two picture pixels wide."""
    from PIL import Image

    size = mask.shape[1] * _SCALE, mask.shape[0] * _SCALE
    grey = Image.fromarray((255 * mask).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    inside = np.asarray(grey) > 127
    edge = inside & ~ndimage.binary_erosion(inside, iterations=2)
    tile.paste(colour, (0, 0), Image.fromarray((255 * edge).astype(np.uint8)))


def draw_curves(curves: Sequence[Curve], axes: tuple[str, str], names: Sequence[str], tongue: Language) -> Image:
    """Draw counts a second over time, with their standard deviation and arrival, at twice the page's resolution.

    Parameters
    ----------
    curves : sequence of Curve
        One or two.
    axes : (str, str)
        What stands at the level axis and the upright one.
    names : sequence of str
        Of the curves.
    tongue : Language
        Of the numbers.

    Returns
    -------
    PIL.Image.Image
    """
    from PIL import Image, ImageDraw

    width, height = 1500, 640
    box = 120, 20, width - 30, height - 90  # left, top, right, bottom
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    font = bundled_font(24)
    last = max(float(curve.middles_s[-1] + curve.durations_s[-1] / 2) for curve in curves)
    top = 1.05 * max(float((curve.rate_cps + curve.uncertainty_cps).max()) for curve in curves)
    step_x, step_y = _step(last), _step(top)

    def at(second: float, rate: float) -> tuple[float, float]:
        return box[0] + (box[2] - box[0]) * second / last, box[3] - (box[3] - box[1]) * rate / max(top, 1e-9)

    for k in range(int(last / step_x) + 1):
        x = at(k * step_x, 0)[0]
        draw.line((x, box[1], x, box[3]), fill=_LINE)
        draw.text((x, box[3] + 8), _mark(k * step_x, tongue), fill=_INK, font=font, anchor="mt")
    for k in range(int(top / step_y) + 1):
        y = at(0, k * step_y)[1]
        draw.line((box[0], y, box[2], y), fill=_LINE)
        draw.text((box[0] - 10, y), _mark(k * step_y, tongue), fill=_INK, font=font, anchor="rm")
    draw.text(((box[0] + box[2]) / 2, height - 10), axes[0], fill=_SOFT, font=font_for(axes[0], 24), anchor="mb")
    _upright(sheet, axes[1], (10, (box[1] + box[3]) // 2))
    for curve, colour in zip(curves, (_RED, _BLUE), strict=False):
        points = [at(float(t), float(r)) for t, r in zip(curve.middles_s, curve.rate_cps, strict=True)]
        for (x, _), rate, spread in zip(points, curve.rate_cps, curve.uncertainty_cps, strict=True):
            draw.line((x, at(0, rate - spread)[1], x, at(0, rate + spread)[1]), fill=colour, width=2)
        stroke(sheet, points, colour, 3.0)
        if curve.arrival_s.value is not None:
            x = at(curve.arrival_s.value, 0)[0]
            stroke(sheet, [(x, box[1]), (x, box[3])], colour, 1.5, dash=(8, 6))
    _legend(draw, names, box)
    return sheet


def _legend(draw: ImageDraw, names: Sequence[str], box: tuple[int, int, int, int]) -> None:
    for k, (name, colour) in enumerate(zip(names, (_RED, _BLUE), strict=False)):
        y = box[3] - 70 + 32 * k
        draw.line((box[2] - 330, y, box[2] - 280, y), fill=colour, width=4)
        draw.text((box[2] - 270, y), name, fill=_INK, font=font_for(name, 24), anchor="lm")


def _upright(sheet: Image, text: str, place: tuple[int, int]) -> None:
    """Write along the upright axis, from below upwards, centred at a place."""
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (320, 30), (255, 255, 255))
    ImageDraw.Draw(strip).text((160, 15), text, fill=_SOFT, font=font_for(text, 24), anchor="mm")
    turned = strip.rotate(90, expand=True)
    sheet.paste(turned, (place[0], place[1] - turned.height // 2))


def _mark(value: float, tongue: Language) -> str:
    return f"{value:g}".replace(".", tongue.words["decimal"])


def _step(length: float) -> float:
    """Distance of an axis's marks: 1, 2 or 5 times a power of ten, about six of them."""
    rough = max(length, 1e-9) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough))
