"""A view's frame from the edges of the regions that a network would see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.reading.person import PIXEL_MM, person, random_pose
from tests.reading.seen import dense

from bonescan.reading.skeleton.edges import first_frames
from bonescan.scan import ViewName

CROPS = {
    "whole": slice(None),
    "without head": slice(85, None),
    "chest": slice(85, 190),
    "pelvis": slice(190, 270),
    "legs": slice(300, None),
}


@pytest.mark.parametrize("crop", list(CROPS))
def test_frames_of_parts_of_a_body_are_found(crop):
    """Within 60 mm, two standard deviations of where the edges of regions lie among people; 15 % of height, and of
    width 25 %: legs alone may lie apart."""
    one = person(random_pose(2), rows=CROPS[crop])
    seen = tuple(dense(one, view.name, view.counts.shape) for view in one.scan.views)
    for frame, view in zip(first_frames(seen, one.scan.views), one.scan.views, strict=True):
        true = one.frames[view.name]
        middle = 900 + PIXEL_MM * (true.row_0 - view.counts.shape[0] / 2)  # z in the picture's middle
        row = frame[0] - frame[2] * (middle - 900)
        assert abs(row - view.counts.shape[0] / 2) * PIXEL_MM < 60
        assert frame[2] / true.row_per_mm == pytest.approx(1, abs=0.15)
        assert frame[3] / true.column_per_mm == pytest.approx(1, abs=0.25)


def test_a_file_that_says_half_the_width_is_not_believed():
    one = person(random_pose(2))
    views = tuple(replace(view, column_spacing_mm=0.8 * view.column_spacing_mm) for view in one.scan.views)
    seen = tuple(dense(one, view.name, view.counts.shape) for view in views)
    for frame, view in zip(first_frames(seen, views), views, strict=True):
        assert frame[3] / one.frames[view.name].column_per_mm == pytest.approx(1, abs=0.1)


def test_islands_do_not_lead_astray():
    """A second skull, half as large, beside the knee."""
    one = person(random_pose(2), views=(ViewName.ANTERIOR,))
    view = one.scan.views[0]
    seen = dense(one, view.name, view.counts.shape)
    regions = seen.regions.copy()
    regions[:, 330:350, 5:25] = 0
    regions[1, 330:350, 5:25] = 1
    (frame,) = first_frames((replace(seen, regions=regions),), (view,))
    assert frame[2] / one.frames[view.name].row_per_mm == pytest.approx(1, abs=0.1)


def test_a_picture_of_nothing_has_no_frame():
    one = person(random_pose(2), views=(ViewName.ANTERIOR,))
    view = one.scan.views[0]
    seen = dense(one, view.name, view.counts.shape)
    regions = np.zeros_like(seen.regions)
    regions[0] = 1
    assert first_frames((replace(seen, regions=regions),), (view,)) is None
