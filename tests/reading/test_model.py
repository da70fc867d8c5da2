from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bonescan.errors import GeometryMismatch
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import Scan, View, ViewName

A, P = ViewName.ANTERIOR, ViewName.POSTERIOR


def bone_map(row: int, column: int, thickness_mm: list[list[float]]) -> BoneMap:
    return BoneMap(
        bone="rib_07_l",
        row=row,
        column=column,
        thickness_mm=np.array(thickness_mm, np.float32),
        depth_mm=50.0,
    )


def labelled(name: ViewName, *bones: BoneMap) -> LabelledView:
    """10 x 6 pixels, rows 3 mm and columns 2 mm apart in the body's frame, as the camera in front sees it."""
    row, column = np.indices((10, 6), np.float32)
    return LabelledView(
        name=name,
        regions=np.zeros(row.shape, np.uint8),
        bones=bones,
        body=np.ones(row.shape, np.bool_),
        x_mm=2 * column,
        z_mm=1000 - 3 * row,
        correlation=0.9,
    )


def scan(*names: ViewName) -> Scan:
    return Scan(
        views=tuple(
            View(
                name=name,
                counts=np.ones((10, 6)),
                row_spacing_mm=3.0,
                column_spacing_mm=2.0,
                identity_basis="test",
            )
            for name in names
        )
    )


def labels(*views: LabelledView) -> Labels:
    return Labels(views=views, trusted=True, regions_in_view=frozenset())


def test_a_bones_box_cuts_its_part_out_of_the_view():
    picture = np.arange(60).reshape(10, 6)
    np.testing.assert_array_equal(picture[bone_map(2, 3, [[1, 1]]).box], [[15, 16]])  # row 2, columns 3 and 4


def test_what_is_shown_is_where_any_of_the_bones_is_thick():
    view = labelled(A, bone_map(2, 3, [[5, 0], [0, 5]]), bone_map(3, 3, [[7]]))
    rows, columns = np.nonzero(view.shown(view.bones))
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(2, 3), (3, 3), (3, 4)]
    assert not view.shown(()).any()


def test_a_pixel_is_as_large_as_the_bodys_frame_says():
    assert labelled(A).pixel_mm == pytest.approx((3.0, 2.0))
    mirrored = dataclasses.replace(labelled(P), x_mm=-labelled(P).x_mm)
    assert mirrored.pixel_mm == pytest.approx((3.0, 2.0))


def test_labels_are_paired_with_the_views_in_the_scans_order():
    pairs = labels(labelled(P), labelled(A)).paired_with(scan(A, P))
    assert [(view.name, labelled.name) for view, labelled in pairs] == [(A, A), (P, P)]


def test_labels_of_another_scan_are_refused():
    with pytest.raises(GeometryMismatch, match="posterior") as caught:
        labels(labelled(A)).paired_with(scan(A, P))
    assert caught.value.facts["got"] is None
    cut = dataclasses.replace(labelled(A), regions=np.zeros((10, 5), np.uint8))
    with pytest.raises(GeometryMismatch, match=r"\(10, 6\) pixels") as caught:
        labels(cut).paired_with(scan(A))
    assert caught.value.facts["got"] == (10, 5)
