from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.report.phantom import phantom_reading

from bonescan.reading.model import Reading
from bonescan.report.framing import Part, frame_for, parts_shown, scale_for
from bonescan.scan import ViewName

SHAPE, PIXEL_MM = (500, 128), 4.0


def person(anterior_rows: slice, posterior_rows: slice) -> Reading:
    """A block of 10 counts in columns 40 to 79 of each view, and no body outline."""
    reading = phantom_reading(findings=0, shape=SHAPE, row_mm=PIXEL_MM, column_mm=PIXEL_MM)
    views = []
    for view, rows in zip(reading.scan.views, (anterior_rows, posterior_rows), strict=True):
        counts = np.zeros(SHAPE, np.float32)
        counts[rows, 40:80] = 10
        views.append(replace(view, counts=counts))
    labels = tuple(replace(labelled, body=np.zeros(SHAPE, bool)) for labelled in reading.labels.views)
    return replace(
        reading, scan=replace(reading.scan, views=tuple(views)), labels=replace(reading.labels, views=labels)
    )


def parts(reading: Reading, white: float = 1.0) -> dict[ViewName, Part]:
    return parts_shown(reading.scan.views, reading.labels.views, reading.findings, dict.fromkeys(ViewName, white))


def test_the_body_is_shown_with_three_centimetres_around_it() -> None:
    part = parts(person(slice(100, 400), slice(100, 400)))[ViewName.ANTERIOR]
    # Witness: 30 mm are 8 pixels of 4 mm (7.5, rounded to even), and the squares of 10 mm are 2 pixels.
    assert part == Part(top=92, bottom=408, left=32, right=88)


def test_views_side_by_side_show_the_same_rows() -> None:
    shown = parts(person(slice(100, 400), slice(120, 440)))
    assert {(part.top, part.bottom) for part in shown.values()} == {(92, 448)}


def test_a_lone_noisy_pixel_does_not_widen_the_picture_but_a_faint_limb_does() -> None:
    reading = person(slice(100, 400), slice(100, 400))
    view, other = reading.scan.views
    noisy, limb = view.counts.copy(), view.counts.copy()
    noisy[20, 10] = 3.0  # three quarters of a count per pixel over its square of 2 x 2
    limb[300:330, 10:16] = 1.5
    for counts, left in ((noisy, 32), (limb, 2)):
        scan = replace(reading.scan, views=(replace(view, counts=counts), other))
        assert parts(replace(reading, scan=scan))[ViewName.ANTERIOR].left == left


def test_findings_are_always_inside() -> None:
    reading = phantom_reading(findings=8)
    blind = replace(
        reading,
        labels=replace(
            reading.labels,
            views=tuple(replace(one, body=np.zeros_like(one.body)) for one in reading.labels.views),
        ),
    )
    shown = parts(blind, white=1e9)
    for finding in reading.findings:
        for name, seen in finding.views.items():
            assert seen.mask[shown[name].slices].sum() == seen.mask.sum()


def test_an_empty_view_is_shown_whole() -> None:
    shown = parts(person(slice(0, 0), slice(0, 0)))
    assert shown[ViewName.POSTERIOR] == Part(top=0, bottom=SHAPE[0], left=0, right=SHAPE[1])


@pytest.mark.parametrize("left", [0, 30])
def test_a_pixel_lies_where_its_frame_says(left: int) -> None:
    reading = person(slice(100, 400), slice(100, 400))
    view, part = reading.scan.views[0], Part(top=100, bottom=400, left=left, right=100)
    scale = scale_for(reading.scan.views, dict.fromkeys(ViewName, part), height=600, width=10_000)
    frame = frame_for(view, part, scale, margins=(50, 60), top=20)
    # Witness: 300 rows of 4 mm in 600 picture pixels: two picture pixels a pixel.
    assert frame.point(100, left) == pytest.approx((51, 21))
    assert frame.point(399, 99) == pytest.approx((50 + 2 * (99 - left) + 1, 20 + 599))
