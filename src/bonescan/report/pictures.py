"""The pictures of a report: views in inverse grey, outlined and lettered; regions in tints; lesions zoomed.

Counts are windowed and then interpolated bicubically, with the true proportions of
the pixels, cropped to the body (`bonescan.report.framing`); letters and names stand outside the body and lead to it
by thin lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.reading.model import Finding, FindingView, Kind, LabelledView, Polarity
from bonescan.report.brush import Colour, Point, bundled_font, mix, smooth, stroke
from bonescan.report.framing import Frame, Part, frame_for
from bonescan.report.lettering import Target, place_letters
from bonescan.scan import View, ViewName

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = [
    "FINDING_COLOURS",
    "REGION_COLOURS",
    "Panel",
    "Window",
    "display_window",
    "draw_crops",
    "draw_panel",
    "draw_regions",
    "style_of",
]

FINDING_COLOURS: Mapping[str, Colour] = {
    "hot": (190, 18, 24),
    "benign": (150, 84, 0),
    "normal": (92, 96, 104),
    "cold": (20, 80, 190),
    "physiologic": (0, 105, 60),
    "artefact": (120, 50, 150),
}
"""Line and letter colours, each of contrast 5:1 or more on white; line styles differ too."""

_DASHES: Mapping[str, tuple[float, float] | None] = {
    "hot": None,
    "benign": (20.0, 3.0),
    "normal": None,
    "cold": (14.0, 5.0),
    "physiologic": (7.0, 5.0),
    "artefact": (2.5, 4.5),
}

_WIDTHS: Mapping[str, tuple[float, float]] = {"normal": (3.0, 1.3)}
"""White edge and line of an outline, of what is drawn thinner than the rest: likely normal uptake."""

REGION_COLOURS: Mapping[int, Colour] = {
    1: (230, 159, 0),
    2: (0, 114, 178),
    3: (213, 94, 0),
    4: (86, 180, 233),
    5: (170, 60, 150),
    6: (0, 158, 115),
    7: (205, 175, 0),
    8: (200, 80, 120),
    9: (0, 114, 178),
    10: (170, 60, 150),
    11: (0, 158, 115),
    12: (230, 159, 0),
    13: (86, 180, 233),
    14: (213, 94, 0),
    15: (200, 80, 120),
    16: (86, 180, 233),
    17: (205, 175, 0),
}
"""Tints after Okabe and Ito, chosen so that neighbours differ; names stand beside them."""

_MIDLINE_REGIONS = frozenset({1, 2, 3, 5, 9, 10})
_INK: Colour = (40, 44, 52)
_FAINT: Colour = (120, 126, 136)
_LETTERS_A_SIDE = 25
_OUTER_MARGIN, _INNER_MARGIN, _RULER = 116, 70, 44
_CROP_SIZE = 240
_BEYOND_VIEW: Colour = (226, 230, 238)
_CROP_LEAST_MM = 130.0
_CROP_FARTHEST_MM = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Counts per pixel shown white (`lower` and less) and black (`upper` and more), linear between."""

    lower: float
    upper: float

    def grey(self, counts: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return inverse grey, 255 (white) at `lower` to 0 (black) at `upper`."""
        shade = (self.upper - counts) * np.float32(255.0 / (self.upper - self.lower))
        grey: NDArray[np.float32] = np.clip(shade, 0.0, 255.0).astype(np.float32)
        return grey


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One view as a picture, and the letters that found no room beside it."""

    image: Image
    without_letter: tuple[str, ...]


def display_window(view: View, labelled: LabelledView, findings: Sequence[Finding]) -> Window:
    """Choose the window so that this person's normal bone is well shown and hot spots saturate.

    Parameters
    ----------
    view : View
    labelled : LabelledView
        Its regions say where bone is; where they are nearly empty the body is taken.
    findings : sequence of Finding
        Their pixels are left out, so that neither disease nor bladder sets the window.

    Returns
    -------
    Window
        Lower: a tenth of the median count of normal bone (the haze between the legs turns white). Upper: its 98th
        percentile. In counts per pixel.
    """
    ordinary = np.ones(view.counts.shape, bool)
    for finding in findings:
        if view.name in finding.views:
            ordinary &= ~finding.views[view.name].mask
    bone = view.counts[ordinary & (labelled.regions > 0)]
    if bone.size < 200:
        bone = view.counts[ordinary & labelled.body]
    if bone.size < 200:
        bone = view.counts[view.counts > 0]
    if bone.size == 0:
        return Window(lower=0.0, upper=1.0)
    median, high = np.percentile(bone, (50, 98))
    upper = max(float(high), 1e-6)
    return Window(lower=min(0.1 * float(median), 0.5 * upper), upper=upper)


def draw_panel(
    view: View,
    labelled: LabelledView,
    findings: Sequence[Finding],
    window: Window,
    words: Mapping[str, str],
    *,
    part: Part,
    pixels_per_mm: float,
) -> Panel:
    """Draw one view large: inverse grey, rulers in body coordinates, findings outlined, letters outside.

    Parameters
    ----------
    view, labelled, findings, window
        What to show; findings in order of their ids.
    words : mapping of str to str
        The ``picture`` section of the wording.
    part : Part
        What of the view is drawn: `parts_shown`.
    pixels_per_mm : float
        Scale, the same for both views of a scan: `scale_for`.

    Returns
    -------
    Panel
    """
    from PIL import ImageDraw

    posterior = view.name is ViewName.POSTERIOR
    margins = (_INNER_MARGIN, _OUTER_MARGIN) if posterior else (_OUTER_MARGIN, _INNER_MARGIN)
    frame = frame_for(view, part, pixels_per_mm, margins=margins, top=64)
    image = _blank(frame, margins, bottom=74)
    image.paste(_grey_image(view.counts[part.slices], window, (frame.width, frame.height)), (frame.left, frame.top))
    draw = ImageDraw.Draw(image)
    _frame_line(draw, frame)
    _headings(draw, frame, words, posterior, size=34)
    _rulers(draw, image, frame, labelled, words, outer_left=not posterior)
    _grey_bar(image, draw, frame, window, words)

    targets, styles = [], {}
    for finding in findings:
        seen = finding.views.get(view.name)
        if seen is None:
            continue
        style = style_of(finding)
        points = [frame.point(row, column) for row, column in smooth(seen.outline)]
        edge, line = _WIDTHS.get(style, (5.0, 2.6))
        stroke(image, points, (255, 255, 255), edge, closed=True)
        stroke(image, points, FINDING_COLOURS[style], line, closed=True, dash=_DASHES[style])
        xs, ys = [x for x, _ in points], [y for _, y in points]
        styles[finding.letter] = style
        targets.append(
            Target(
                letter=finding.letter,
                x=(min(xs) + max(xs)) / 2,
                y=(min(ys) + max(ys)) / 2,
                left_x=min(xs),
                right_x=max(xs),
            )
        )
    pitch = 35.0
    placed, left_out = place_letters(
        targets,
        middle_x=frame.left + frame.width / 2,
        top=frame.top + pitch / 2,
        bottom=frame.top + frame.height - pitch / 2,
        pitch=pitch,
        most=_LETTERS_A_SIDE,
    )
    for letter in placed:
        style = styles[letter.target.letter]
        _letter(image, draw, frame, letter.target, letter.on_left, letter.y, style)
    return Panel(image=image, without_letter=tuple(target.letter for target in left_out))


def draw_regions(
    view: View,
    labelled: LabelledView,
    window: Window,
    names: Mapping[int, str],
    words: Mapping[str, str],
    *,
    part: Part,
    pixels_per_mm: float,
) -> Image:
    """Draw one view smaller, its regions tinted and named, every fitted bone outlined.

    Parameters
    ----------
    view, labelled, window
        What to show.
    names : mapping of int to str
        Region names by id.
    words : mapping of str to str
        The ``picture`` section of the wording.
    part : Part
    pixels_per_mm : float

    Returns
    -------
    PIL.Image.Image
    """
    from PIL import Image, ImageDraw

    posterior = view.name is ViewName.POSTERIOR
    margins = (168, 168)
    frame = frame_for(view, part, pixels_per_mm, margins=margins, top=44)
    size = (frame.width, frame.height)
    image = _blank(frame, margins, bottom=16)
    grey = _grey_image(view.counts[part.slices], window, size).convert("RGB")
    palette = np.full((256, 3), 255, np.uint8)
    for number, colour in REGION_COLOURS.items():
        palette[number] = colour
    regions = np.minimum(labelled.regions[part.slices], 255).astype(np.uint8)
    tint = Image.fromarray(palette[regions]).resize(size, Image.Resampling.BILINEAR)
    where = Image.fromarray((regions > 0).astype(np.uint8) * np.uint8(105)).resize(size, Image.Resampling.BILINEAR)
    grey.paste(tint, (0, 0), where)
    edges = Image.fromarray(_bone_edges(labelled)[part.slices]).resize(size, Image.Resampling.BICUBIC)
    grey.paste(_INK, (0, 0, *size), edges)
    image.paste(grey, (frame.left, frame.top))
    draw = ImageDraw.Draw(image)
    _frame_line(draw, frame)
    _headings(draw, frame, words, posterior, size=24)

    targets, colours = [], {}
    for number, x, y, left, right in _region_places(labelled, frame):
        name = names.get(number, str(number))
        colours[name] = REGION_COLOURS.get(number, _FAINT)
        targets.append(Target(letter=name, x=x, y=y, left_x=left, right_x=right))
    pitch = 22.0
    placed, _ = place_letters(
        targets,
        middle_x=frame.left + frame.width / 2,
        top=frame.top + pitch / 2,
        bottom=frame.top + frame.height - pitch / 2,
        pitch=pitch,
    )
    font = bundled_font(18)
    for label in placed:
        colour = colours[label.target.letter]
        x = frame.left - 12 if label.on_left else frame.left + frame.width + 12
        stroke(image, [(x, label.y), (label.target.x, label.target.y)], _FAINT, 1.0)
        swatch = (x - 14, label.y - 7, x, label.y + 7) if label.on_left else (x, label.y - 7, x + 14, label.y + 7)
        draw.rectangle(swatch, fill=mix(colour, 0.62), outline=_INK)
        anchor, offset = ("rm", -19) if label.on_left else ("lm", 19)
        draw.text((x + offset, label.y), label.target.letter, fill=_INK, font=font, anchor=anchor)
    return image


def draw_crops(
    finding: Finding, views: Sequence[View], labels: Sequence[LabelledView], windows: Mapping[ViewName, Window]
) -> dict[ViewName, tuple[Image, Window]]:
    """Zoom on a finding in every view, also where it was not seen: there at the same place of the body.

    Parameters
    ----------
    finding : Finding
    views, labels
        The scan's views and their labels, in the same order.
    windows : mapping of ViewName to Window
        The views' windows; a crop's upper end is raised to the finding's peak,
        so that what is saturated in the large picture shows its shape here.

    Returns
    -------
    dict of ViewName to (picture, window)
        Views whose field does not hold the place are absent.
    """
    side_mm = _CROP_LEAST_MM
    for view in views:
        if view.name in finding.views:
            outline = np.asarray(finding.views[view.name].outline)
            extent = np.ptp(outline, axis=0) * (view.row_spacing_mm, view.column_spacing_mm)
            side_mm = max(side_mm, 1.7 * float(extent.max()))
    crops = {}
    for view, labelled in zip(views, labels, strict=True):
        seen = finding.views.get(view.name)
        centre = _outline_centre(seen) if seen else _same_place(finding, labels, labelled)
        if centre is not None:
            window = windows[view.name]
            if seen is not None and finding.polarity is Polarity.HOT:
                window = Window(lower=window.lower, upper=max(window.upper, seen.peak_counts))
            crops[view.name] = (_crop(view, seen, centre, side_mm, window, style_of(finding)), window)
    return crops


def style_of(finding: Finding) -> str:
    """Return the finding's key in `FINDING_COLOURS`.

    Parameters
    ----------
    finding : Finding

    Returns
    -------
    str
        ``hot`` or ``cold`` for bone, ``benign`` for what is hardly metastatic, ``normal`` for what is likelier normal
        uptake than disease, else the kind.
    """
    if finding.likely_benign:
        return "benign"
    if finding.likely_normal:
        return "normal"
    if finding.kind is Kind.BONE:
        return "hot" if finding.polarity is Polarity.HOT else "cold"
    return finding.kind.value


def _blank(frame: Frame, margins: tuple[int, int], *, bottom: int) -> Image:
    from PIL import Image

    size = (margins[0] + frame.width + margins[1], frame.top + frame.height + bottom)
    return Image.new("RGB", size, (255, 255, 255))


def _grey_image(counts: NDArray[np.float32], window: Window, size: tuple[int, int]) -> Image:
    from PIL import Image

    grey = Image.fromarray(window.grey(counts)).resize(size, Image.Resampling.BICUBIC)
    return Image.fromarray(np.clip(np.rint(np.asarray(grey)), 0, 255).astype(np.uint8))


def _frame_line(draw: ImageDraw, frame: Frame) -> None:
    box = (frame.left - 1, frame.top - 1, frame.left + frame.width, frame.top + frame.height)
    draw.rectangle(box, outline=(205, 208, 214))


def _headings(draw: ImageDraw, frame: Frame, words: Mapping[str, str], posterior: bool, *, size: int) -> None:
    """Name the view above it, and mark the patient's right and left at its upper corners."""
    y = frame.top - size * 0.35
    title = words["posterior"] if posterior else words["anterior"]
    draw.text((frame.left + frame.width / 2, y), title, fill=_INK, font=bundled_font(size), anchor="ms")
    first, last = (words["left"], words["right"]) if posterior else (words["right"], words["left"])
    mark = bundled_font(round(size * 1.15))
    draw.text((frame.left, y), first, fill=_INK, font=mark, anchor="ls", stroke_width=1, stroke_fill=_INK)
    draw.text((frame.left + frame.width, y), last, fill=_INK, font=mark, anchor="rs", stroke_width=1, stroke_fill=_INK)


def _rulers(
    draw: ImageDraw, image: Image, frame: Frame, labelled: LabelledView, words: Mapping[str, str], *, outer_left: bool
) -> None:
    """Mark body coordinates in cm: z beside the view, along its middle column; x below it, along its middle row."""
    font = bundled_font(20)
    x_mm, z_mm = labelled.x_mm[frame.part.slices], labelled.z_mm[frame.part.slices]
    rows, columns = frame.part.shape
    x = _RULER if outer_left else image.width - _RULER
    for row, value in _ticks(z_mm[:, columns // 2]):
        y = frame.top + (row + 0.5) * frame.per_row
        draw.line((x, y, x + (10 if outer_left else -10), y), fill=_FAINT, width=2)
        draw.text(
            (x + (-5 if outer_left else 5), y), f"{value}", fill=_FAINT, font=font, anchor="rm" if outer_left else "lm"
        )
    draw.text((x, frame.top - 12), words["z_axis"], fill=_FAINT, font=font, anchor="rs" if outer_left else "ls")
    y = frame.top + frame.height + 4
    for column, value in _ticks(x_mm[rows // 2]):
        x_tick = frame.left + (column + 0.5) * frame.per_column
        draw.line((x_tick, y, x_tick, y + 8), fill=_FAINT, width=2)
        draw.text((x_tick, y + 11), f"{value:+d}" if value else "0", fill=_FAINT, font=font, anchor="ma")
    draw.text((frame.left + frame.width + 8, y + 11), words["x_axis"], fill=_FAINT, font=font, anchor="la")


def _ticks(coordinate_mm: NDArray[np.float32]) -> list[tuple[float, int]]:
    """Return (fractional index, cm) wherever a coordinate along a line of pixels crosses a multiple of 10 cm."""
    decimetres = np.floor(coordinate_mm.astype(float) / 100)
    ticks = []
    for i in np.flatnonzero(np.diff(decimetres)):
        before, after = float(coordinate_mm[i]), float(coordinate_mm[i + 1])
        if np.isfinite(before) and np.isfinite(after) and abs(after - before) < 100:
            crossed = 100 * max(decimetres[i], decimetres[i + 1])
            ticks.append((float(i) + (crossed - before) / (after - before), int(crossed) // 10))
    return ticks


def _grey_bar(image: Image, draw: ImageDraw, frame: Frame, window: Window, words: Mapping[str, str]) -> None:
    """Show the window as a bar of greys below the view, with its ends in counts per pixel."""
    from PIL import Image

    width = min(150, frame.width // 3)
    ramp = np.broadcast_to(np.linspace(255, 0, width).astype(np.uint8), (12, width))
    x, y = frame.left + (frame.width - width) // 2, frame.top + frame.height + 48
    image.paste(Image.fromarray(np.ascontiguousarray(ramp)), (x, y))
    draw.rectangle((x - 1, y - 1, x + width, y + 12), outline=_FAINT)
    font = bundled_font(20)
    draw.text((x - 8, y + 6), f"{window.lower:.3g}", fill=_INK, font=font, anchor="rm")
    draw.text((x + width + 8, y + 6), f"{window.upper:.3g} {words['counts']}", fill=_INK, font=font, anchor="lm")


def _letter(image: Image, draw: ImageDraw, frame: Frame, target: Target, on_left: bool, y: float, style: str) -> None:
    """Draw one letter in its margin and the line that leads from it to the outline."""
    colour, font = FINDING_COLOURS[style], bundled_font(26)
    x = frame.left - 12 if on_left else frame.left + frame.width + 12
    end = target.left_x if on_left else target.right_x
    stroke(image, [(x, y), (end, target.y)], colour, 1.4)
    width = max(34.0, font.getlength(target.letter) + 14)
    box = (x - width, y - 15, x, y + 15) if on_left else (x, y - 15, x + width, y + 15)
    filled = style in ("hot", "benign", "cold")
    draw.rounded_rectangle(box, 7, fill=colour if filled else (255, 255, 255), outline=colour, width=2)
    ink = (255, 255, 255) if filled else colour
    draw.text(((box[0] + box[2]) / 2, y), target.letter, fill=ink, font=font, anchor="mm")


def _bone_edges(labelled: LabelledView) -> NDArray[np.uint8]:
    """Return how strongly to draw the inner edge of every fitted bone, 0 to 150."""
    edges = np.zeros(labelled.regions.shape, np.uint8)
    for bone in labelled.bones:
        inside = np.pad(bone.thickness_mm > 0.5, 1)
        core = inside[1:-1, 1:-1]
        edge = core & ~(inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:])
        height, width = edge.shape
        edges[bone.row : bone.row + height, bone.column : bone.column + width][edge] = 150
    return edges


def _region_places(labelled: LabelledView, frame: Frame) -> list[tuple[int, float, float, float, float]]:
    """Return (region, x, y, left x, right x) of every region, paired ones once on each side of the body."""
    places = []
    for number in (int(n) for n in np.unique(labelled.regions) if n):
        rows, columns = np.nonzero(labelled.regions == number)
        x_mm = labelled.x_mm[rows, columns]
        halves = [np.ones(rows.size, bool)] if number in _MIDLINE_REGIONS else [x_mm < 0, x_mm >= 0]
        for half in halves:
            if half.sum() < 12:
                continue
            middle = int(np.argsort(rows[half])[half.sum() // 2])
            row = rows[half][middle]
            across = columns[half][rows[half] == row]
            x, y = frame.point(float(row), float(np.median(across)))
            left, right = (frame.point(0.0, float(c))[0] for c in (across.min(), across.max()))
            places.append((number, x, y, left, right))
    return places


def _outline_centre(seen: FindingView) -> Point:
    outline = np.asarray(seen.outline, float)
    row, column = (outline.min(axis=0) + outline.max(axis=0)) / 2
    return float(row), float(column)


def _same_place(finding: Finding, labels: Sequence[LabelledView], wanted: LabelledView) -> Point | None:
    """Find in a view where a finding of the other view would lie, by body coordinates; ``None`` outside the field."""
    for labelled in labels:
        seen = finding.views.get(labelled.name)
        if seen is None:
            continue
        x, z = labelled.x_mm[seen.peak_row, seen.peak_column], labelled.z_mm[seen.peak_row, seen.peak_column]
        distance = np.hypot(wanted.x_mm[::2, ::2] - x, wanted.z_mm[::2, ::2] - z)
        if not np.isfinite(distance).any():
            return None
        row, column = np.unravel_index(int(np.nanargmin(distance)), distance.shape)
        if distance[row, column] <= _CROP_FARTHEST_MM:
            return 2.0 * float(row), 2.0 * float(column)
    return None


def _crop(view: View, seen: FindingView | None, centre: Point, side_mm: float, window: Window, style: str) -> Image:
    """Cut a square of `side_mm` around `centre` and zoom it; beyond the field of view it is pale blue."""
    from PIL import Image

    rows, columns = side_mm / view.row_spacing_mm, side_mm / view.column_spacing_mm
    top, left = centre[0] + 0.5 - rows / 2, centre[1] + 0.5 - columns / 2
    # Take two pixels more on every side for the interpolation, beyond the view by repeating its last pixels.
    taken_rows = np.arange(int(np.floor(top)) - 2, int(np.ceil(top + rows)) + 2)
    taken_columns = np.arange(int(np.floor(left)) - 2, int(np.ceil(left + columns)) + 2)
    height, width = view.counts.shape
    part = view.counts[np.ix_(taken_rows.clip(0, height - 1), taken_columns.clip(0, width - 1))]
    row0, column0 = float(top - taken_rows[0]), float(left - taken_columns[0])
    grey = Image.fromarray(window.grey(part)).resize(
        (_CROP_SIZE, _CROP_SIZE), Image.Resampling.BICUBIC, box=(column0, row0, column0 + columns, row0 + rows)
    )
    image = Image.fromarray(np.clip(np.rint(np.asarray(grey)), 0, 255).astype(np.uint8)).convert("RGB")
    down, across = np.arange(_CROP_SIZE) * rows / _CROP_SIZE + top, np.arange(_CROP_SIZE) * columns / _CROP_SIZE + left
    outside = ((down < 0) | (down >= height))[:, None] | ((across < 0) | (across >= width))
    image.paste(_BEYOND_VIEW, (0, 0), Image.fromarray(outside.astype(np.uint8) * np.uint8(255)))
    if seen is not None:
        points = [
            ((column + 0.5 - left) * _CROP_SIZE / columns, (row + 0.5 - top) * _CROP_SIZE / rows)
            for row, column in smooth(seen.outline)
        ]
        stroke(image, points, (255, 255, 255), 3.6, closed=True)
        stroke(image, points, FINDING_COLOURS[style], 1.8, closed=True, dash=_DASHES[style])
    return image
