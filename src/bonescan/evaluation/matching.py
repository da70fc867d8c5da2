"""Which mark hits which lesion, and how regions overlap: the rules by which a reading is held against the truth.

A mark (a finding) hits a spot when, in a view that shows both, they are of one polarity, hot or cold, and

1. the mark's peak lies within `NEAR_MM` of the spot's peak, or
2. the mark covers at least `COVERED` of the spot's pixels, or
3. at least `COVERED` of the mark's pixels are the spot's.

The spot's pixels are those where it adds at least half of what it adds at its peak. So one mark may hit several spots
that run together, and several marks one large spot; each spot counts once, found or missed. A mark that hits no
lesion is false. Why not any common pixel: a mark that only brushes a lesion would send nobody to the right place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bonescan.evaluation.truth import TrueSpot, Truth
from bonescan.reading.model import Finding
from bonescan.scan import ViewName

__all__ = ["COVERED", "NEAR_MM", "REGIONS", "outlines_dice", "region_overlap", "spots_hit"]

NEAR_MM = 15.0
"""Largest distance between the peaks of a mark and its spot.

A point 10 to 20 cm before a low-energy collimator is 7 to 12 mm wide, and noise moves the peak of a faint blurred spot
by some of that width; neighbouring vertebrae and ribs are 25 mm and more apart, so that 15 mm seldom reaches the next
one [D].
"""

COVERED = 0.25
"""Least share of pixels in common [D]: half-maximum outlines of one spot, drawn by two rules, share far more."""

REGIONS = range(1, 13)
"""Planar regions that are compared: those that published readers label."""


def spots_hit(finding: Finding, spots: Sequence[TrueSpot], truth: Truth) -> tuple[int, ...]:
    """Numbers of the spots that one finding hits.

    Parameters
    ----------
    finding : Finding
    spots : sequence of TrueSpot
        Lesions or disturbances of `truth`.
    truth : Truth

    Returns
    -------
    tuple of int
    """
    return tuple(spot.number for spot in spots if any(_hits(finding, spot, truth, view) for view in finding.views))


def _hits(finding: Finding, spot: TrueSpot, truth: Truth, view: ViewName) -> bool:
    seen, true = spot.views.get(view), truth.views.get(view)
    if seen is None or true is None or seen.polarity is not finding.polarity:
        return False
    shown = finding.views[view]
    if true.pixel_mm is not None:
        down, across = (
            (shown.peak_row - seen.row) * true.pixel_mm[0],
            (shown.peak_column - seen.column) * true.pixel_mm[1],
        )
        if math.hypot(down, across) <= NEAR_MM:
            return True
    if true.lesions is None:
        return False
    own = true.lesions == spot.number
    common = np.count_nonzero(own & shown.mask)
    return bool(common > 0 and common >= COVERED * min(np.count_nonzero(own), np.count_nonzero(shown.mask)))


def outlines_dice(findings: Sequence[Finding], spots: Sequence[TrueSpot], truth: Truth) -> float | None:
    """Agreement of all marked pixels with all pixels of lesions, in all views together.

    ::

        Dice = 2 |M and L| / (|M| + |L|)

    It is here to show a reader that would find everything by marking everything.

    Parameters
    ----------
    findings : sequence of Finding
        The marks.
    spots : sequence of TrueSpot
        The lesions that count.
    truth : Truth

    Returns
    -------
    float or None
        ``None`` where nothing is marked and nothing is there.
    """
    common = total = 0
    numbers = [spot.number for spot in spots]
    for name, true in truth.views.items():
        if true.lesions is None:
            continue
        own = np.isin(true.lesions, numbers)
        marked = np.zeros(own.shape, np.bool_)
        for finding in findings:
            if name in finding.views and finding.views[name].mask.shape == own.shape:
                marked |= finding.views[name].mask
        common += int(np.count_nonzero(own & marked))
        total += int(np.count_nonzero(own)) + int(np.count_nonzero(marked))
    return 2 * common / total if total else None


def region_overlap(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> tuple[dict[int, float], dict[int, float]]:
    """Dice and area ratio of every region of `REGIONS` that the truth has in a view.

    With L the pixels that the reading gives a region and M those that are true ::

        Dice = 2 |L and M| / (|L| + |M|),      area ratio = |L| / |M|

    A region that the reading misses has a Dice of 0; one that only the reading has counts nowhere.

    Parameters
    ----------
    found, true : (row, column) ndarray of uint8

    Returns
    -------
    tuple of dict of int to float
        Dice, area ratio.
    """
    dice, ratio = {}, {}
    for region in REGIONS:
        ours, theirs = found == region, true == region
        there = np.count_nonzero(theirs)
        if there:
            dice[region] = float(2 * np.count_nonzero(ours & theirs) / (np.count_nonzero(ours) + there))
            ratio[region] = float(np.count_nonzero(ours) / there)
    return dice, ratio
