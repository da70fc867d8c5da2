"""The plots of an evaluation as SVG: free response, receiver operating characteristic, reliability, burden, regions.

They are drawn here and not by a plotting library: five plots of lines, dots and boxes need none, come out the same to
the byte everywhere, and stand inside the page. Solid is the evaluation itself, dashed or hollow the one beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from bonescan.anatomy.bones import REGION_NAMES
from bonescan.evaluation.figures import VIEWS

__all__ = ["PLOTS", "draw"]

Curves = Mapping[str, Any]

_WIDTH, _HEIGHT = 520, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 16, 34, 52
_COLOURS = ("#0072B2", "#D55E00", "#009E73")  # told apart by the colour-blind: Okabe and Ito's [M]
_INK, _GRID = "#333", "#ddd"
_FALSE_MARKS = 8.0
_LETTER = 6.2  # width of a usual letter of the legend


@dataclass(slots=True, kw_only=True)
class _Plot:
    """A frame with axes, and what is put into it."""

    title: str
    x: str
    y: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    scale: Callable[[float], float] = float
    height: int = _HEIGHT
    parts: list[str] = field(default_factory=list)
    legend: list[tuple[str, str, bool]] = field(default_factory=list)

    def at_x(self, value: float) -> float:
        low, high = map(self.scale, self.x_range)
        return _LEFT + (self.scale(value) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def at_y(self, value: float) -> float:
        low, high = map(self.scale, self.y_range)
        return self.height - _BOTTOM - (self.scale(value) - low) / (high - low) * (self.height - _TOP - _BOTTOM)

    def line(self, xs: Sequence[float], ys: Sequence[float], colour: str, *, dashed: bool, name: str = "") -> None:
        points = [(x, y) for x, y in zip(xs, ys, strict=True) if x <= self.x_range[1]]
        text = " ".join(f"{self.at_x(x):.1f},{self.at_y(y):.1f}" for x, y in points)
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(f'<polyline points="{text}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        if name:
            self.legend.append((name, colour, dashed))

    def dot(self, x: float, y: float, colour: str, *, hollow: bool, radius: float = 3.0) -> None:
        fill = "none" if hollow else colour
        place = f'cx="{self.at_x(x):.1f}" cy="{self.at_y(y):.1f}" r="{radius:.1f}"'
        self.parts.append(f'<circle {place} fill="{fill}" fill-opacity="0.75" stroke="{colour}"/>')

    def box(self, at: float, five: Sequence[float], colour: str, *, hollow: bool) -> None:
        low, first, middle, third, high = (self.at_x(value) for value in five)
        fill = "none" if hollow else colour
        self.parts.append(
            f'<path d="M{low:.1f} {at:.1f}H{high:.1f}" stroke="{colour}"/>'
            f'<rect x="{first:.1f}" y="{at - 4:.1f}" width="{max(third - first, 0.5):.1f}" height="8" fill="{fill}" '
            f'fill-opacity="0.45" stroke="{colour}"/>'
            f'<path d="M{middle:.1f} {at - 4:.1f}v8" stroke="{_INK}" stroke-width="2"/>'
        )

    def words(self, x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> None:
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
        )

    def svg(self) -> str:
        right, foot = _WIDTH - _RIGHT, self.height - _BOTTOM
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {self.height}" width="{_WIDTH}" '
            f'height="{self.height}" font-family="sans-serif" fill="{_INK}" role="img">',
            f"<title>{escape(self.title)}</title>",
            f'<rect width="{_WIDTH}" height="{self.height}" fill="#fff"/>',
            f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold">{escape(self.title)}</text>',
        ]
        for tick in self.x_ticks:
            x = self.at_x(tick)
            out.append(f'<path d="M{x:.1f} {_TOP}V{foot}" stroke="{_GRID}"/>')
            out.append(f'<text x="{x:.1f}" y="{foot + 16}" text-anchor="middle" font-size="11">{tick:g}</text>')
        for tick in self.y_ticks:
            y = self.at_y(tick)
            out.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{_GRID}"/>')
            out.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" font-size="11">{tick:g}</text>')
        out.append(
            f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{foot - _TOP}" fill="none" stroke="{_INK}"/>'
        )
        out += self.parts
        out.append(
            f'<text x="{(_LEFT + right) / 2:.1f}" y="{self.height - 14}" text-anchor="middle" font-size="12">'
            f"{escape(self.x)}</text>"
        )
        middle = (_TOP + foot) / 2
        out.append(
            f'<text transform="translate(16 {middle:.1f}) rotate(-90)" text-anchor="middle" font-size="12">'
            f"{escape(self.y)}</text>"
        )
        longest = max((len(name) for name, _, _ in self.legend), default=0)
        at = right - 48 - _LETTER * longest
        for row, (name, colour, dashed) in enumerate(self.legend):
            y = foot - 12 - 17 * (len(self.legend) - 1 - row)
            dash = ' stroke-dasharray="6 4"' if dashed else ""
            out.append(f'<path d="M{at:.1f} {y - 4}h24" stroke="{colour}" stroke-width="2"{dash}/>')
            out.append(f'<text x="{at + 30:.1f}" y="{y}" font-size="12">{escape(name)}</text>')
        return "\n".join([*out, "</svg>"]) + "\n"


def draw(curves: Curves, name: str, against: Curves | None = None, other: str = "") -> dict[str, str]:
    """Draw an evaluation, and another one beside it.

    Parameters
    ----------
    curves : mapping
        As of `bonescan.evaluation.curves.curves`.
    name : str
        What the evaluation is called in the legends.
    against : mapping, optional
    other : str

    Returns
    -------
    dict of str to str
        SVG by name of `PLOTS`; those with nothing to show are missing.
    """
    both = [(curves, name, False)] + ([(against, other, True)] if against is not None else [])
    drawn = {plot: make(both) for plot, make in PLOTS.items()}
    return {plot: text for plot, text in drawn.items() if text is not None}


Both = Sequence[tuple[Curves, str, bool]]

_UNIT = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def _free_response(both: Both) -> str | None:
    plot = _Plot(
        title="Lesions found, against false marks",
        x="false marks a scan",
        y="share of visible lesions found",
        x_range=(0, _FALSE_MARKS),
        y_range=(0, 1),
        x_ticks=range(9),
        y_ticks=_UNIT,
    )
    for curves, name, dashed in both:
        for colour, (key, words) in zip(
            _COLOURS,
            (
                ("lesions.visible", "lesions, by significance"),
                ("metastases.visible", "metastases, by probability"),
                ("metastases_by_significance.visible", "metastases, by significance"),
            ),
            strict=True,
        ):
            own = curves["free_response"].get(key)
            if own:
                plot.line(
                    own["false_marks"], own["sensitivity"], colour, dashed=dashed, name=_called(words, name, both)
                )
    return plot.svg() if plot.legend else None


def _called(words: str, name: str, both: Both) -> str:
    return words if len(both) == 1 else f"{words} ({name})"


def _roc(both: Both) -> str | None:
    plot = _Plot(
        title="Metastatic or not, by person",
        x="share of people without metastases called metastatic",
        y="share of metastatic people called so",
        x_range=(0, 1),
        y_range=(0, 1),
        x_ticks=_UNIT,
        y_ticks=_UNIT,
    )
    plot.line((0, 1), (0, 1), _GRID, dashed=False)
    for curves, name, dashed in both:
        for colour, (key, own) in zip(_COLOURS, curves["roc"].items(), strict=False):
            label = _called(key, name, both)
            plot.line(own["false_positive"], own["sensitivity"], colour, dashed=dashed, name=label)
    return plot.svg() if plot.legend else None


def _reliability(both: Both) -> str | None:
    plot = _Plot(
        title="What was said, and what came true",
        x="mean probability of being metastatic, bins of equal count",
        y="share that is metastatic",
        x_range=(0, 1),
        y_range=(0, 1),
        x_ticks=_UNIT,
        y_ticks=_UNIT,
    )
    plot.line((0, 1), (0, 1), _GRID, dashed=False)
    for curves, name, dashed in both:
        for colour, (key, own) in zip(_COLOURS, curves["reliability"].items(), strict=False):
            plot.line(own["said"], own["true"], colour, dashed=dashed, name=_called(key, name, both))
            for said, true in zip(own["said"], own["true"], strict=True):
                plot.dot(said, true, colour, hollow=dashed)
    return plot.svg() if plot.legend else None


def _burden(both: Both) -> str | None:
    highest = max((pair[what] for curves, _, _ in both for pair in curves["burden"] for what in pair), default=0)
    if not highest:
        return None
    ticks = (0, 0.1, 0.5, 1, 2, 5, 13) if highest <= 13 else (0, 0.5, 2, 5, 13, 30, 60, 100)
    end = next((tick for tick in ticks if tick >= max(highest, 5)), 100)
    plot = _Plot(
        title="Bone Scan Index",
        x="true, percent by mineral (root scale)",
        y="measured, percent",
        x_range=(0, end),
        y_range=(0, end),
        x_ticks=[tick for tick in ticks if tick <= end],
        y_ticks=[tick for tick in ticks if tick <= end],
        scale=math.sqrt,
    )
    plot.line((0, end), (0, end), _GRID, dashed=False)
    for colour, (curves, name, hollow) in zip(_COLOURS, both, strict=False):
        for pair in curves["burden"]:
            plot.dot(pair["true"], pair["measured"], colour, hollow=hollow)
        plot.legend.append((name, colour, hollow))
    return plot.svg()


def _regions(both: Both) -> str | None:
    rows = [
        (view, region)
        for view in VIEWS
        for region in sorted({int(key) for curves, _, _ in both for key in curves["regions"].get(view, {})})
    ]
    if not rows:
        return None
    step = 13 * len(both) + 5
    names = " and ".join(f"{name} ({'hollow' if hollow else 'filled'})" for _, name, hollow in both)
    plot = _Plot(
        title="Dice of regions: quartiles, lowest and highest",
        x="Dice" if len(both) == 1 else f"Dice; {names}",
        y="",
        x_range=(0, 1),
        y_range=(0, 1),
        x_ticks=_UNIT,
        y_ticks=(),
        height=_TOP + _BOTTOM + step * len(rows),
    )
    for row, (view, region) in enumerate(rows):
        top = _TOP + step * row + step / 2
        plot.words(_LEFT + 6, top + 4, f"{REGION_NAMES[region]}, {view}", size=11)
        for index, (curves, _, hollow) in enumerate(both):
            five = curves["regions"].get(view, {}).get(str(region))
            if five:
                plot.box(top + 13 * (index - (len(both) - 1) / 2), five, _COLOURS[index], hollow=hollow)
    return plot.svg()


PLOTS: Mapping[str, Callable[[Both], str | None]] = {
    "free_response": _free_response,
    "roc": _roc,
    "reliability": _reliability,
    "burden": _burden,
    "regions": _regions,
}
"""By name, what draws them."""
