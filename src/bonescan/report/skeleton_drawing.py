"""A drawing of the skeleton from the front, on which a patient is shown where something was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_skeleton"]

_WIDTH_MM, _HEIGHT_MM, _TOP_MM = 900.0, 1740.0, 1722.0  # the default skeleton is 1703 mm tall and 640 mm wide
_DISC_MM, _DISC_AT_MM = 34.0, 400.0
_BONE, _EDGE, _MARKED, _MARKED_EDGE = "#e9edf2", "#66727f", "#1c5d99", "#0b2f52"


def draw_skeleton(marks: Mapping[str, Sequence[str]]) -> str:
    """Draw the default skeleton from the front, with marked bones filled and numbered in the margins.

    Parameters
    ----------
    marks : mapping of str to sequence of str
        By number, the ids of the bones it stands for.

    Returns
    -------
    str
        SVG of 900 by 1740 mm, one unit a millimetre; the patient's right is on the left.

    Notes
    -----
    An ellipsoid ``c + A u, |u| <= 1`` seen along y is the ellipse ``(p - c)^T M^-1 (p - c) <= 1``, where M is ``A A^T``
    without its row and column y. A bone is one path of its ellipses. Its edge is painted before its inside, so that
    only the outline of the union stays. Bones are painted from the back to the front.
    """
    numbers = {bone: number for number, bones in marks.items() for bone in bones}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_WIDTH_MM / 2:g} 0 {_WIDTH_MM:g} {_HEIGHT_MM:g}" '
        f'width="{_WIDTH_MM:g}" height="{_HEIGHT_MM:g}">'
    ]
    shapes = _shapes()
    for bone, path, _ in shapes:
        marked = bone in numbers
        fill, edge = (_MARKED, _MARKED_EDGE) if marked else (_BONE, _EDGE)
        width = 6 if marked else 3
        parts.append(
            f'<path d="{path}" fill="{fill}" stroke="{edge}" stroke-width="{width}" stroke-linejoin="round" '
            'paint-order="stroke"/>'
        )
    points = {bone: point for bone, _, point in shapes}
    places = {number: np.mean([points[bone] for bone in bones], axis=0) for number, bones in marks.items() if bones}
    nearest = {
        number: min((points[bone] for bone in marks[number]), key=lambda point: float(np.hypot(*(point - middle))))
        for number, middle in places.items()
    }
    for number, (x, y) in _beside(nearest).items():
        target_x, target_y = nearest[number]
        parts.append(
            f'<path d="M{x:.0f} {y:.0f}L{target_x:.0f} {target_y:.0f}" stroke="#fff" stroke-width="11"/>'
            f'<path d="M{x:.0f} {y:.0f}L{target_x:.0f} {target_y:.0f}" stroke="{_MARKED_EDGE}" stroke-width="5"/>'
            f'<circle cx="{target_x:.0f}" cy="{target_y:.0f}" r="9" fill="{_MARKED_EDGE}" stroke="#fff" '
            f'stroke-width="3"/>'
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{_DISC_MM:g}" fill="#fff" stroke="{_MARKED_EDGE}" stroke-width="5"/>'
            f'<text x="{x:.0f}" y="{y + 16:.0f}" text-anchor="middle" font-size="46" fill="{_MARKED_EDGE}" '
            f'font-family="Noto Sans CJK SC, Noto Sans, sans-serif">{number}</text>'
        )
    return "".join(parts) + "</svg>"


@cache
def _shapes() -> tuple[tuple[str, str, NDArray[np.float64]], ...]:
    """Return every bone's id, path and middle in the drawing, from the back to the front."""
    from bonescan.anatomy.skeleton import default_skeleton

    skeleton = default_skeleton()
    forms = np.einsum("pij,pkj->pik", skeleton.axes_mm, skeleton.axes_mm)[:, ::2, ::2]
    squares, directions = np.linalg.eigh(forms)
    halves = np.sqrt(squares)
    centres = np.column_stack([skeleton.centres_mm[:, 0], _TOP_MM - skeleton.centres_mm[:, 2]])
    long = directions[:, :, 1] * [1.0, -1.0] * halves[:, 1:]  # the half-axis towards the drawing's right and below
    angles = np.degrees(np.arctan2(long[:, 1], long[:, 0]))
    found = []
    for k, bone in enumerate(skeleton.bones):
        own = np.flatnonzero(skeleton.bone_index == k)
        path = "".join(_ellipse(centres[i], long[i], halves[i], angles[i]) for i in own)
        middle = centres[own].mean(axis=0)
        point = centres[own][np.argmin(np.hypot(*(centres[own] - middle).T))]
        found.append((float(skeleton.centres_mm[own, 1].mean()), bone, path, point))
    return tuple((bone, path, point) for _, bone, path, point in sorted(found, key=lambda shape: -shape[0]))


def _ellipse(
    centre: NDArray[np.float64], half_axis: NDArray[np.float64], halves: NDArray[np.float64], angle: float
) -> str:
    """Two half turns, always the same way round: paths that overlap then fill as one."""
    (x0, y0), (x1, y1) = centre - half_axis, centre + half_axis
    arc = f"A{halves[1]:.1f} {halves[0]:.1f} {angle:.0f} 0 1 "
    return f"M{x0:.1f} {y0:.1f}{arc}{x1:.1f} {y1:.1f}{arc}{x0:.1f} {y0:.1f}Z"


def _beside(points: Mapping[str, NDArray[np.float64]]) -> dict[str, tuple[float, float]]:
    """Give every number a place in the nearer margin, in the order of height and none upon another."""
    placed: dict[str, tuple[float, float]] = {}
    sides: dict[int, list[str]] = {-1: [], 1: []}
    for number, (x, _) in points.items():
        fewer = 1 if len(sides[1]) <= len(sides[-1]) else -1
        sides[fewer if abs(x) < 15 else (1 if x > 0 else -1)].append(number)
    for side, numbers in sides.items():
        below = 0.0
        for number in sorted(numbers, key=lambda number: points[number][1]):
            below = max(float(points[number][1]), below + 2.4 * _DISC_MM)
            placed[number] = (side * _DISC_AT_MM, below)
        over = below + _DISC_MM - _HEIGHT_MM
        if over > 0:
            placed |= {number: (side * _DISC_AT_MM, placed[number][1] - over) for number in numbers}
    return placed
