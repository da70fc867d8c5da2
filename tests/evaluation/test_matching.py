from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.made import SHAPE, finding, lesion, seen, square, truth

from bonescan.evaluation.matching import outlines_dice, region_overlap, spots_hit


def hits(found, true):
    return spots_hit(found, true.lesions, true)


@pytest.mark.parametrize(("rows_away", "expected"), [(3, (1,)), (4, ())])  # pixels of 5 mm: 15 mm is the limit
def test_a_mark_hits_by_its_peak(rows_away, expected):
    true = truth([lesion(1, {"anterior": seen(20, 15)})])
    assert hits(finding({"anterior": square(20 + rows_away, 15, 1)}), true) == expected


def test_a_mark_hits_in_a_view_that_shows_both_or_not_at_all():
    true = truth([lesion(1, {"anterior": seen(20, 15)})])
    assert hits(finding({"posterior": square(20, 15, 1)}), true) == ()
    assert hits(finding({"anterior": square(2, 2, 1), "posterior": square(20, 15, 1)}), true) == ()
    both = truth([lesion(1, {"anterior": seen(20, 15), "posterior": seen(20, 15)})])
    assert hits(finding({"anterior": square(2, 2, 1), "posterior": square(20, 15, 1)}), both) == (1,)


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        (square(0, 0, 5), (1,)),  # covers 25 of the lesion's 100 pixels
        (square(0, 0, 4), (1,)),  # covers 16, but lies in it whole
        (square(8, 8, 4), (1,)),  # 4 of its own 16 are the lesion's
        (square(9, 9, 4), ()),  # one of its 16
    ],
)
def test_a_mark_hits_by_pixels_in_common(mark, expected):
    true = truth([lesion(1, {"anterior": seen(39, 29)})], {"anterior": square(0, 0, 10)})  # its peak is out of the way
    assert hits(finding({"anterior": mark}), true) == expected


def test_one_mark_hits_merged_lesions_that_it_covers():
    drawn = np.zeros(SHAPE, np.uint16)
    drawn[0:10, 0:4], drawn[0:10, 4:8], drawn[30:40, 20:30] = 1, 2, 3
    views = {"anterior": seen(39, 0)}
    true = truth([lesion(k, views) for k in (1, 2, 3)], {"anterior": drawn})
    assert hits(finding({"anterior": square(0, 0, 8)}), true) == (1, 2)


def test_hot_does_not_hit_cold():
    true = truth([lesion(1, {"anterior": seen(20, 15, polarity="cold", contrast=0.5)})])
    assert hits(finding({"anterior": square(20, 15, 1)}), true) == ()
    assert hits(finding({"anterior": square(20, 15, 1)}, polarity="cold"), true) == (1,)


def test_the_dice_of_outlines_falls_when_everything_is_marked():
    true = truth([lesion(1, {"anterior": seen(5, 5)})], {"anterior": square(0, 0, 10)})
    assert outlines_dice([finding({"anterior": square(0, 0, 10)})], true.lesions, true) == 1
    whole = finding({"anterior": np.ones(SHAPE, np.bool_)})
    assert outlines_dice([whole], true.lesions, true) == pytest.approx(2 * 100 / (100 + 1200))
    assert outlines_dice([], (), true) is None


def test_regions_by_hand():
    found, true = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    found[0:10, 0:10], true[0:10, 5:15] = 4, 4  # half of each in common
    found[20:30], true[30:32] = 9, 12
    dice, ratio = region_overlap(found, true)
    assert dice == {4: 0.5, 12: 0.0}
    assert ratio == {4: 1.0, 12: 0.0}
