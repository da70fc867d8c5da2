"""Pictures of a comparison: prior and current side by side in one scale, what changed, both in turn, and the timeline.

Prior and current are drawn each in its own geometry, so that nothing is bent; one scale means that the same normal bone
has the same grey. In the changes and in the film the prior scan is laid over the current one.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.followup.model import ChangeKind, Comparison, DifferenceView, LesionChange, Study, Trend
from bonescan.followup.progression import BoneState
from bonescan.followup.series import Series
from bonescan.reading.model import LabelledView
from bonescan.report.brush import Colour, beside, bundled_font, font_for, smooth, stroke
from bonescan.report.figures import decimals
from bonescan.report.framing import Frame, Part, frame_for, parts_shown, scale_for
from bonescan.report.language import Language
from bonescan.report.lettering import Target, place_letters
from bonescan.report.pictures import Window, display_window
from bonescan.scan import View, ViewName

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

__all__ = ["LESION_COLOURS", "blink", "draw_changes", "draw_pair", "draw_timeline", "lesion_style", "windows_of"]

LESION_COLOURS: Mapping[str, Colour] = {
    "new": (190, 18, 24),
    "rose": (176, 84, 0),
    "same": (70, 76, 88),
    "fell": (20, 80, 190),
    "gone": (20, 80, 190),
    "unclear": (120, 50, 150),
    "look": (120, 50, 150),
}
"""Line and letter colours by what became of a lesion, each of contrast 5:1 or more on white; line styles differ too."""

_DASHES: Mapping[str, tuple[float, float] | None] = {
    "new": None, "rose": None, "same": None, "fell": (14.0, 5.0), "gone": (7.0, 5.0), "unclear": (2.5, 4.5),
    "look": (5.0, 5.0),
}  # fmt: skip
_INK: Colour = (34, 38, 46)
_SOFT: Colour = (85, 92, 104)
_LINE: Colour = (213, 217, 224)
_RED: Colour = (200, 20, 26)
_BLUE: Colour = (20, 80, 200)
_ON_LINES: Mapping[str, Any] = {"fill": _INK, "stroke_width": 4, "stroke_fill": (255, 255, 255)}
_MARGIN, _TOP, _BOTTOM = 74, 92, 12
_BODY = {"height": 1500, "width": 470}
_FILM = {"height": 860, "width": 270}
_FILM_MS = 900
_FAINT_DEVIATIONS, _FULL_DEVIATIONS = 2.5, 8.0  # where the tint of a change begins, and where it is full [D]
_MOVING = frozenset({13, 14})  # forearms and hands lie elsewhere each time: their tint would tell nothing else [D]
_AROUND = 2  # pixels around the bones' regions that are tinted too [D]
_STATE_COLOURS: Mapping[BoneState, Colour] = {
    BoneState.CONFIRMED: _RED,
    BoneState.UNCONFIRMED: (176, 84, 0),
    BoneState.ONE_NEW: (140, 110, 0),
    BoneState.NO_NEW: (0, 105, 60),
    BoneState.FLARE: (0, 105, 60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """One lesion in one view: its letter, style and where it lies; by its outline, else by its pixels."""

    letter: str
    style: str
    outlines: tuple[tuple[tuple[float, float], ...], ...]
    mask: NDArray[np.bool_] | None = None


def lesion_style(lesion: LesionChange) -> str:
    """Return the lesion's key in `LESION_COLOURS`.

    Parameters
    ----------
    lesion : LesionChange

    Returns
    -------
    str
        ``look`` where neither reading marks it, ``new``, ``gone`` or ``unclear`` by its kind, else by whether it became
        brighter or fainter.
    """
    if not lesion.prior and not lesion.current:
        return "look"
    fixed = {ChangeKind.NEW: "new", ChangeKind.VANISHED: "gone", ChangeKind.NOT_COMPARABLE: "unclear"}
    return fixed.get(lesion.kind) or {Trend.ROSE: "rose", Trend.FELL: "fell"}.get(lesion.trend, "same")


def windows_of(comparison: Comparison, view: View, labelled: LabelledView) -> tuple[Window, Window]:
    """Choose the windows of prior and current in which the same normal bone has the same grey.

    Parameters
    ----------
    comparison : Comparison
    view, labelled
        Of the current scan.

    Returns
    -------
    prior, current : Window
        The current one as in a report, the prior one divided by how many more counts normal bone has now.
    """
    current = display_window(view, labelled, comparison.current.reading.findings)
    scale = next((one.scale for one in comparison.difference if one.name is view.name), 1.0)
    return Window(lower=current.lower / scale, upper=current.upper / scale), current


def draw_pair(comparison: Comparison, letters: Mapping[int, str], words: Mapping[str, str]) -> Image:
    """Draw every view of the current scan with that of the prior one on its left, lesions under the same letters.

    Parameters
    ----------
    comparison : Comparison
    letters : mapping of int to str
        By id of the lesion.
    words : mapping of str to str
        The ``picture`` section of the wording.

    Returns
    -------
    PIL.Image.Image
    """
    panels = []
    before, shown_before, scale_before = _fitted(comparison.prior, _BODY)
    now, shown, scale_now = _fitted(comparison.current, _BODY)
    scale = min(scale_before, scale_now)
    for view, labelled in now.values():
        prior_window, window = windows_of(comparison, view, labelled)
        if view.name in before:
            old, _ = before[view.name]
            marks = _marks(comparison, letters, view.name, current=False)
            title = words["prior"].format(date=comparison.prior.on or words["undated"])
            panels.append(
                _panel(old, shown_before[view.name], prior_window, marks, (words[view.name.value], title), words, scale)
            )
        marks = _marks(comparison, letters, view.name, current=True)
        title = words["current"].format(date=comparison.current.on or words["undated"])
        panels.append(_panel(view, shown[view.name], window, marks, (words[view.name.value], title), words, scale))
    return beside(panels)


def _fitted(
    study: Study, size: Mapping[str, int]
) -> tuple[dict[ViewName, tuple[View, LabelledView]], Mapping[ViewName, Part], float]:
    """A study's views with their labels, what of each is drawn, and the scale at which the largest fits."""
    pairs = {view.name: (view, own) for view, own in study.reading.labels.paired_with(study.scan)}
    lower = {name: display_window(view, own, study.reading.findings).lower for name, (view, own) in pairs.items()}
    parts = parts_shown(study.scan.views, study.reading.labels.views, (), lower)
    return pairs, parts, scale_for(study.scan.views, parts, **size)


def _marks(comparison: Comparison, letters: Mapping[int, str], name: ViewName, *, current: bool) -> list[_Mark]:
    """What is marked in one view of one scan; a lesion without a finding there is shown on the current scan only."""
    study = comparison.current if current else comparison.prior
    marks = []
    for lesion in (*comparison.lesions, *comparison.unmarked):
        found = [study.finding(number) for number in (lesion.current if current else lesion.prior)]
        outlines = tuple(finding.views[name].outline for finding in found if name in finding.views)
        mask = lesion.masks.get(name) if current and not found else None
        if outlines or (mask is not None and mask.any()):
            marks.append(_Mark(letter=letters[lesion.id], style=lesion_style(lesion), outlines=outlines, mask=mask))
    return marks


def _panel(
    view: View,
    part: Part,
    window: Window,
    marks: Sequence[_Mark],
    title: tuple[str, str],
    words: Mapping[str, str],
    scale: float,
    tint: Image | None = None,
) -> Image:
    """One view in inverse grey with its marks; a tint of the same pixels may lie over it."""
    from PIL import Image, ImageDraw

    frame = frame_for(view, part, scale, margins=(_MARGIN, _MARGIN), top=_TOP)
    sheet = Image.new("RGB", (frame.width + 2 * _MARGIN, frame.top + frame.height + _BOTTOM), (255, 255, 255))
    size = frame.width, frame.height
    grey = Image.fromarray(window.grey(view.counts[part.slices])).resize(size, Image.Resampling.BICUBIC)
    body = Image.fromarray(np.clip(np.rint(np.asarray(grey)), 0, 255).astype(np.uint8)).convert("RGB")
    if tint is not None:
        over = tint.crop((part.left, part.top, part.right, part.bottom)).resize(size, Image.Resampling.BILINEAR)
        body.paste(over.convert("RGB"), (0, 0), over.getchannel("A"))
    sheet.paste(body, (frame.left, frame.top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((frame.left - 1, frame.top - 1, frame.left + frame.width, frame.top + frame.height), outline=_LINE)
    middle = frame.left + frame.width / 2
    draw.text((middle, 4), title[0], fill=_SOFT, font=font_for(title[0], 24), anchor="ma")
    draw.text((middle, 34), title[1], fill=_INK, font=font_for(title[1], 28), anchor="ma")
    sides = (words["right"], words["left"])
    first, last = sides if view.name is ViewName.ANTERIOR else sides[::-1]
    draw.text((frame.left + 2, frame.top - 4), first, fill=_INK, font=bundled_font(26), anchor="ls")
    draw.text((frame.left + frame.width - 2, frame.top - 4), last, fill=_INK, font=bundled_font(26), anchor="rs")
    targets = {mark.letter: target for mark in marks if (target := _outline(sheet, frame, mark)) is not None}
    styles = {mark.letter: mark.style for mark in marks}
    placed, _ = place_letters(
        list(targets.values()), middle_x=middle, top=frame.top + 16, bottom=frame.top + frame.height - 16, pitch=33.0
    )
    for letter in placed:
        _letter(sheet, draw, frame, letter.target, letter.on_left, letter.y, styles[letter.target.letter])
    return sheet


def _outline(sheet: Image, frame: Frame, mark: _Mark) -> Target | None:
    """Draw a lesion's outline and say where its letter should lead to."""
    colour, points = LESION_COLOURS[mark.style], []
    for outline in mark.outlines:
        path = [frame.point(row, column) for row, column in smooth(outline)]
        stroke(sheet, path, (255, 255, 255), 5.0, closed=True)
        stroke(sheet, path, colour, 3.2 if mark.style == "new" else 2.4, closed=True, dash=_DASHES[mark.style])
        points += path
    if mark.mask is not None:
        rows, columns = np.nonzero(mark.mask)
        centre = frame.point(float(rows.mean()), float(columns.mean()))
        radius = (max(np.ptp(rows) * frame.per_row, np.ptp(columns) * frame.per_column) / 2 + 5).item()
        turn = np.linspace(0, 2 * math.pi, 48, endpoint=False)
        path = [(centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in turn]
        stroke(sheet, path, colour, 2.0, closed=True, dash=(5.0, 5.0))
        points += path
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if not (frame.top <= min(ys) and max(ys) <= frame.top + frame.height + _BOTTOM):
        return None
    return Target(
        letter=mark.letter, x=(min(xs) + max(xs)) / 2, y=(min(ys) + max(ys)) / 2, left_x=min(xs), right_x=max(xs)
    )


def _letter(sheet: Image, draw: ImageDraw, frame: Frame, target: Target, on_left: bool, y: float, style: str) -> None:
    colour, font = LESION_COLOURS[style], bundled_font(25)
    x = frame.left - 10 if on_left else frame.left + frame.width + 10
    stroke(sheet, [(x, y), (target.left_x if on_left else target.right_x, target.y)], colour, 1.4)
    width = max(32.0, font.getlength(target.letter) + 12)
    box = (x - width, y - 15, x, y + 15) if on_left else (x, y - 15, x + width, y + 15)
    filled = style == "new"
    draw.rounded_rectangle(box, 7, fill=colour if filled else (255, 255, 255), outline=colour, width=2)
    ink = (255, 255, 255) if filled else colour
    draw.text(((box[0] + box[2]) / 2, y), target.letter, fill=ink, font=font, anchor="mm")


def draw_changes(comparison: Comparison, letters: Mapping[int, str], words: Mapping[str, str]) -> Image | None:
    """Draw the current views pale, with more uptake now in red and less in blue, over bone and lesions alone.

    Parameters
    ----------
    comparison : Comparison
    letters : mapping of int to str
    words : mapping of str to str

    Returns
    -------
    PIL.Image.Image or None
        ``None`` where the scans have no view in common.
    """
    pairs, parts, scale = _fitted(comparison.current, _BODY)
    panels = []
    for one in comparison.difference:
        view, labelled = pairs[one.name]
        window = windows_of(comparison, view, labelled)[1]
        pale = Window(lower=window.lower, upper=window.lower + 2.5 * (window.upper - window.lower))
        marks = [
            mark
            for mark in _marks(comparison, letters, view.name, current=True)
            if mark.style not in ("same", "unclear")
        ]
        title = words[view.name.value], words["changes"]
        apart = np.isin(labelled.regions, list(_MOVING)) | (labelled.regions == 0)
        told = (*comparison.lesions, *comparison.unmarked)
        places = [lesion.masks[view.name] for lesion in told if view.name in lesion.masks]
        where = np.logical_or.reduce([ndimage.binary_dilation(~apart, iterations=_AROUND), *places])
        panels.append(_panel(view, parts[view.name], pale, marks, title, words, scale, tint=_tint(one, where)))
    if not panels:
        return None
    return beside([*panels, _key(words)])


def _tint(one: DifferenceView, where: NDArray[np.bool_]) -> Image:
    """Red where there is more uptake now, blue where there is less, the stronger the surer; elsewhere nothing."""
    from PIL import Image

    score = ndimage.gaussian_filter(one.significance, 0.7)
    strength = where * np.clip((np.abs(score) - _FAINT_DEVIATIONS) / (_FULL_DEVIATIONS - _FAINT_DEVIATIONS), 0, 1)
    colour = np.where(score[..., None] > 0, np.array(_RED), np.array(_BLUE))
    return Image.fromarray(np.dstack([colour, 235 * strength]).astype(np.uint8), "RGBA")


def _key(words: Mapping[str, str]) -> Image:
    """The colours of the changes, upright."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (250, 420), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    top, height = 120, 220
    for k in range(height):
        score = (1 - 2 * k / (height - 1)) * _FULL_DEVIATIONS
        share = min(max((abs(score) - _FAINT_DEVIATIONS) / (_FULL_DEVIATIONS - _FAINT_DEVIATIONS), 0), 1)
        base = _RED if score > 0 else _BLUE
        draw.line((20, top + k, 44, top + k), fill=tuple(round(255 + share * (c - 255)) for c in base))
    draw.rectangle((19, top - 1, 45, top + height), outline=_SOFT)
    for share, text in ((0.0, f"+{_FULL_DEVIATIONS:.0f}"), (0.5, "0"), (1.0, f"-{_FULL_DEVIATIONS:.0f}")):
        draw.text((54, top + share * height), text, fill=_INK, font=bundled_font(22), anchor="lm")
    draw.text((20, top - 40), words["more"], fill=_RED, font=font_for(words["more"], 22), anchor="ls")
    draw.text((20, top - 12), words["deviations"], fill=_SOFT, font=font_for(words["deviations"], 18), anchor="ls")
    draw.text((20, top + height + 12), words["less"], fill=_BLUE, font=font_for(words["less"], 22), anchor="la")
    return sheet


def blink(comparison: Comparison, words: Mapping[str, str]) -> bytes | None:
    """Show both scans in turn on the same place, as a GIF that repeats.

    Parameters
    ----------
    comparison : Comparison
    words : mapping of str to str

    Returns
    -------
    bytes or None
        ``None`` where the scans have no view in common.
    """
    pairs, parts, scale = _fitted(comparison.current, _FILM)
    before = {view.name: view for view in comparison.prior.scan.views}
    frames: list[list[Image]] = [[], []]
    for one in comparison.difference:
        view, labelled = pairs[one.name]
        aligned = comparison.alignment.view(one.name)
        if aligned is None:
            continue
        prior_window, window = windows_of(comparison, view, labelled)
        carried = np.maximum(aligned.carry(before[one.name].counts), 0)
        for number, (counts, used, form, on) in enumerate(
            (
                (carried, prior_window, words["prior"], comparison.prior.on),
                (view.counts, window, words["current"], comparison.current.on),
            )
        ):
            title = words[view.name.value], form.format(date=on or words["undated"])
            frames[number].append(_plain(counts, view, parts[view.name], used, title, scale, number == 1))
    if not frames[0]:
        return None
    pages = [beside(panels).convert("L") for panels in frames]
    buffer = io.BytesIO()
    pages[0].save(buffer, "GIF", save_all=True, append_images=pages[1:], duration=_FILM_MS, loop=0, optimize=False)
    return buffer.getvalue()


def _plain(
    counts: NDArray[np.float32], view: View, part: Part, window: Window, title: tuple[str, str], scale: float, now: bool
) -> Image:
    """A small view without marks, its title on dark where it is the current one."""
    from PIL import Image, ImageDraw

    frame = frame_for(view, part, scale, margins=(12, 12), top=66)
    sheet = Image.new("RGB", (max(frame.width + 24, 300), frame.top + frame.height + 10), (255, 255, 255))
    grey = Image.fromarray(window.grey(counts[part.slices])).resize(
        (frame.width, frame.height), Image.Resampling.BICUBIC
    )
    left = (sheet.width - frame.width) // 2
    sheet.paste(Image.fromarray(np.clip(np.asarray(grey), 0, 255).astype(np.uint8)).convert("RGB"), (left, frame.top))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, sheet.width, 60), fill=_INK if now else (255, 255, 255))
    ink = (255, 255, 255) if now else _INK
    draw.text((sheet.width / 2, 4), title[0], fill=ink, font=font_for(title[0], 18), anchor="ma")
    draw.text((sheet.width / 2, 28), title[1], fill=ink, font=font_for(title[1], 23), anchor="ma")
    return sheet


def draw_timeline(
    series: Series, words: Mapping[str, str], states: Mapping[str, str], tongue: Language
) -> Image | None:
    """Draw the Bone Scan Index and the number of lesions over the days of a series, with what the rules say.

    Parameters
    ----------
    series : Series
    words : mapping of str to str
        The ``timeline`` section of the wording.
    states : mapping of str to str
        A short name of every `BoneState`.
    tongue : Language
        Of the numbers.

    Returns
    -------
    PIL.Image.Image or None
        ``None`` where a scan has no day.
    """
    from PIL import Image, ImageDraw

    days = [study.on for study in series.studies]
    if any(day is None for day in days):
        return None
    dated = [day for day in days if day is not None]
    start = series.progression.treatment_start
    width, height = 1500, 710
    left, right, top, middle, bottom = 130, width - 150, 60, 400, 610
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    first = min([*dated, *([start] if start else [])])
    last = max([*dated, *([start] if start else [])])
    span = max((last - first).days, 1)

    def across(day: date) -> float:
        return left + 90 + (right - left - 180) * (day - first).days / span

    if start is not None:
        stroke(sheet, [(across(start), top - 6), (across(start), bottom)], _SOFT, 2.0, dash=(8.0, 6.0))
        draw.text(
            (across(start) + 6, top - 12), words["start"], fill=_SOFT, font=font_for(words["start"], 20), anchor="ls"
        )
    index = [study.reading.burden.bone_scan_index_percent for study in series.studies]
    counts = [sum(track.present[k] and track.counts for track in series.tracks) for k in range(len(dated))]
    values = [one.value for one in index if one.value is not None]
    most = 1.1 * max([one.value + (one.uncertainty or 0.0) for one in index if one.value is not None] + [0.1])
    _axis(draw, (left, right), (top, middle), most, words["index"], tongue)
    _axis(draw, (left, right), (middle + 50, bottom), max([*counts, 1]) * 1.25, words["lesions"], tongue, whole=True)
    points = []
    for day, one in zip(dated, index, strict=True):
        if one.value is None:
            draw.text(
                (across(day), middle - 16),
                words["withheld"],
                fill=_SOFT,
                font=font_for(words["withheld"], 20),
                anchor="ms",
            )
            continue
        y = middle - (middle - top) * one.value / most
        if one.uncertainty is not None:
            half = (middle - top) * one.uncertainty / most
            draw.line((across(day), y - half, across(day), min(y + half, middle)), fill=_INK, width=2)
        points.append((across(day), y))
    if len(points) > 1:
        stroke(sheet, points, _INK, 3.0)
    for x, y in points:
        draw.ellipse((x - 7, y - 7, x + 7, y + 7), fill=_INK)
    for (x, y), value in zip(points, values, strict=True):
        draw.text((x + 13, y - 9), decimals(value, 2, tongue), anchor="ls", **_ON_LINES, font=bundled_font(23))
    for k, (day, count) in enumerate(zip(dated, counts, strict=True)):
        x, tall = across(day), (bottom - middle - 50) * count / (max([*counts, 1]) * 1.25)
        fresh = len(series.progression.scans[k].new) if k else 0
        draw.rectangle((x - 26, bottom - tall, x + 26, bottom), fill=(190, 195, 204))
        part = tall * fresh / count if count else 0.0
        if fresh:
            draw.rectangle((x - 26, bottom - tall, x + 26, bottom - tall + part), fill=_RED)
        draw.text((x, bottom - tall - 6), str(count), fill=_INK, font=bundled_font(23), anchor="ms")
        draw.text((x, bottom + 10), str(day), fill=_INK, font=bundled_font(23), anchor="ma")
        state = series.progression.scans[k].state
        for line, text in enumerate(states[state.value].split("\n")):
            colour = _STATE_COLOURS.get(state, _SOFT)
            draw.text((x, bottom + 44 + 25 * line), text, fill=colour, font=font_for(text, 21), anchor="ma")
    if series.progression.progressed_on is not None:
        x = across(series.progression.progressed_on)
        draw.polygon([(x - 14, top - 30), (x + 14, top - 30), (x, top - 6)], fill=_RED)
        draw.text(
            (x + 20, top - 34), words["progressed"], fill=_RED, font=font_for(words["progressed"], 21), anchor="la"
        )
    draw.rectangle((right - 330, middle + 20, right - 312, middle + 38), fill=_RED)
    draw.text((right - 304, middle + 29), words["new"], fill=_INK, font=font_for(words["new"], 20), anchor="lm")
    return sheet


def _axis(
    draw: ImageDraw,
    across: tuple[int, int],
    up: tuple[int, int],
    most: float,
    title: str,
    tongue: Language,
    *,
    whole: bool = False,
) -> None:
    """An upright axis with about five marks, its title above."""
    rough = most / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    step = max(step, 1.0) if whole else step
    for k in range(int(most / step) + 1):
        y = up[1] - (up[1] - up[0]) * k * step / most
        draw.line((across[0], y, across[1], y), fill=_INK if k == 0 else _LINE, width=2 if k == 0 else 1)
        draw.text(
            (across[0] - 12, y),
            f"{k * step:g}".replace(".", tongue.words["decimal"]),
            fill=_INK,
            font=bundled_font(22),
            anchor="rm",
        )
    draw.text((10, up[0] - 14), title, anchor="ls", **{**_ON_LINES, "fill": _SOFT}, font=font_for(title, 22))
