"""Where the findings' letters stand: beside the body, in order, never over bone and never over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Lettered", "Target", "place_letters", "spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A finding that wants a letter: where its outline lies in the picture, in picture pixels."""

    letter: str
    x: float
    y: float
    left_x: float
    right_x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lettered:
    """A letter with its place: which margin, at what height, and what it points to."""

    target: Target
    on_left: bool
    y: float


def place_letters(
    targets: Sequence[Target], *, middle_x: float, top: float, bottom: float, pitch: float, most: int | None = None
) -> tuple[list[Lettered], list[Target]]:
    """Give every target a place in the left or the right margin.

    A target goes to its nearer margin while that has room, else to the other.
    Within a margin the letters keep the order of their targets, so leader
    lines do not cross, and stay at least `pitch` apart, as near to their
    targets as that allows (`spread`).

    Parameters
    ----------
    targets : sequence of Target
        In order of importance: what finds no room is what comes last.
    middle_x : float
        Targets left of it prefer the left margin.
    top, bottom : float
        Heights between which the letters' centres may lie.
    pitch : float
        Least distance of two centres, the height of a letter's box.
    most : int, optional
        No more letters than this in one margin, so that the lines that lead to them do not cover the body.

    Returns
    -------
    placed : list of Lettered
    left_out : list of Target
        Targets for which neither margin had room.
    """
    room = max(1, int((bottom - top) / pitch) + 1)
    room = room if most is None else min(room, most)
    sides: dict[bool, list[Target]] = {True: [], False: []}
    left_out = []
    for target in targets:
        near = target.x < middle_x
        side = near if len(sides[near]) < room else not near
        if len(sides[side]) < room:
            sides[side].append(target)
        else:
            left_out.append(target)
    placed = []
    for on_left, chosen in sides.items():
        chosen = sorted(chosen, key=lambda target: (target.y, target.x))
        heights = spread([target.y for target in chosen], pitch, top, bottom)
        placed += [Lettered(target=t, on_left=on_left, y=y) for t, y in zip(chosen, heights, strict=True)]
    return placed, left_out


def spread(wanted: Sequence[float], pitch: float, top: float, bottom: float) -> list[float]:
    """Move ascending positions apart as little as possible in the least-squares sense.

    Parameters
    ----------
    wanted : sequence of float
        Ascending.
    pitch : float
        Least distance of two neighbours.
    top, bottom : float
        Bounds.

    Returns
    -------
    list of float

    Notes
    -----
    Minimises the sum of (y_i - wanted_i)^2 subject to y_{i+1} - y_i >= pitch
    and top <= y_i <= bottom. With u_i = y_i - i * pitch the spacing becomes
    u_i <= u_{i+1}: isotonic regression, solved by pooling adjacent violators;
    clipping its solution to the bounds solves the bounded problem.

    References
    ----------
    Barlow RE et al. Statistical Inference under Order Restrictions. Wiley 1972, chapter 1.
    """
    pools: list[tuple[float, int]] = []
    for i, y in enumerate(wanted):
        mean, size = y - i * pitch, 1
        while pools and pools[-1][0] > mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    highest = bottom - (len(wanted) - 1) * pitch
    free = [max(min(mean, highest), min(top, highest)) for mean, size in pools for _ in range(size)]
    return [u + i * pitch for i, u in enumerate(free)]
