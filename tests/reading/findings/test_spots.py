import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reading import figure
from tests.reading.glimpse import glance

from bonescan.errors import GeometryMismatch
from bonescan.reading.findings.detection import threshold
from bonescan.reading.findings.spots import BEYOND_BONE_MM, believed, find, source_depth
from bonescan.reading.model import Kind, Polarity
from bonescan.scan import ViewName


def test_normal_pictures_are_clean() -> None:
    findings = [f for seed in range(4) for f in find(figure.scan(seed), figure.LABELS)]
    # witness: the detector states 0.05 false spots a view; eight views have none two times in three
    assert [f.place for f in findings if f.kind is Kind.BONE] == []


@pytest.mark.parametrize(
    ("bone", "x_mm", "z_mm"),
    [("femur_r", -92.0, -250.0), ("vertebra_l03", 0.0, 160.0), ("skull_occipital", 30.0, 760.0)],
)
def test_a_lesion_is_one_finding_in_both_views(bone: str, x_mm: float, z_mm: float) -> None:
    scan = figure.scan(7, factor=lambda name: figure.lesion(name, x_mm, z_mm, 22.0, 4.0))
    found = [f for f in find(scan, figure.LABELS) if f.kind is Kind.BONE]
    assert [f.bone for f in found] == [bone]
    one = found[0]
    assert set(one.views) == set(ViewName)
    assert one.polarity is Polarity.HOT
    assert one.in_burden
    for name, view in one.views.items():
        x, z = figure.axes(name)
        # witness: where the lesion was drawn
        assert math.hypot(x[view.mask].mean() - x_mm, z[view.mask].mean() - z_mm) < 6.0
        assert view.significance > 5


def test_area_and_ratio_are_those_drawn() -> None:
    scan = figure.scan(8, factor=lambda name: figure.lesion(name, 0.0, 160.0, 36.0, 4.0), natural=0.0)
    one = find(scan, figure.LABELS)[0]
    for view in one.views.values():
        # witness: the disc's area; a 40 % outline of a blurred disc is a little wider
        assert view.area_mm2 == pytest.approx(math.pi * 18.0**2, rel=0.35)
        # witness: four times normal, less what the camera blurs out of the disc
        assert 2.0 < view.uptake_ratio < 4.0


def test_two_merging_lesions_stay_two() -> None:
    def factor(name: ViewName) -> np.ndarray:
        return np.maximum(figure.lesion(name, 0.0, 140.0, 18.0, 6.0), figure.lesion(name, 0.0, 176.0, 18.0, 6.0))

    found = [f for f in find(figure.scan(9, factor=factor), figure.LABELS) if f.kind is Kind.BONE]
    assert len(found) == 2


@pytest.mark.parametrize(("counts", "foci"), [(1e7, 2), (2e5, 1)])
def test_a_shallow_saddle_parts_two_lesions_of_a_limb_only_where_it_is_beyond_noise(counts: float, foci: int) -> None:
    def factor(name: ViewName) -> np.ndarray:
        return np.maximum(figure.lesion(name, -92.0, -200.0, 33.0, 8.0), figure.lesion(name, -92.0, -233.0, 33.0, 8.0))

    scan = figure.scan(9, factor=factor, counts=counts, natural=0.0)
    assert [f.bone for f in find(scan, figure.LABELS) if f.kind is Kind.BONE] == ["femur_r"] * foci


def test_bladder_and_the_lesion_beside_it() -> None:
    def bladder(name: ViewName) -> np.ndarray:
        return 4.0 * (figure.lesion(name, 0.0, -55.0, 60.0, 2.0) - 1)

    scan = figure.scan(10, extra=bladder, factor=lambda name: figure.lesion(name, 70.0, -50.0, 24.0, 6.0))
    found = find(scan, figure.LABELS)
    assert [f.place for f in found if f.kind is Kind.PHYSIOLOGIC] == ["urinary bladder"]
    assert [f.bone for f in found if f.kind is Kind.BONE] == ["hip_bone_l"]


def test_symmetric_shoulders_are_kept_but_not_counted() -> None:
    def factor(name: ViewName) -> np.ndarray:
        return np.maximum(figure.lesion(name, 180.0, 510.0, 24.0, 5.0), figure.lesion(name, -180.0, 510.0, 24.0, 5.0))

    found = find(figure.scan(11, factor=factor), figure.LABELS)
    assert {f.side for f in found} == {"left", "right"}
    assert not any(f.in_burden for f in found)


def test_a_cold_skull_defect_is_found() -> None:
    scan = figure.scan(12, factor=lambda name: figure.lesion(name, 0.0, 745.0, 60.0, 0.1))
    cold = [f for f in find(scan, figure.LABELS) if f.polarity is Polarity.COLD]
    assert [f.region for f in cold] == [1]
    assert cold[0].significance < -4
    assert not cold[0].in_burden
    assert cold[0].mass_share_percent == 0.0


def test_outlines_enclose_the_mask() -> None:
    one = find(figure.scan(13, factor=lambda name: figure.lesion(name, 0.0, 160.0, 30.0, 5.0)), figure.LABELS)[0]
    for view in one.views.values():
        row, column = (np.array(axis) for axis in zip(*view.outline, strict=True))
        # witness: the shoelace formula; pixel edges enclose exactly the pixels
        enclosed = 0.5 * abs(np.dot(row, np.roll(column, 1)) - np.dot(column, np.roll(row, 1)))
        assert enclosed == pytest.approx(float(view.mask.sum()))


def test_ids_and_letters_run_on() -> None:
    scan = figure.scan(
        14,
        factor=lambda name: figure.lesion(name, 0.0, 160.0, 30.0, 5.0) * figure.lesion(name, 92.0, -250.0, 20.0, 4.0),
    )
    found = find(scan, figure.LABELS)
    assert [f.id for f in found] == list(range(1, len(found) + 1))
    assert [f.letter for f in found] == [chr(ord("A") + k) for k in range(len(found))]
    strengths = [abs(f.significance) for f in found if f.kind is Kind.BONE]
    assert strengths == sorted(strengths, reverse=True)


def test_labels_of_another_scan_are_refused() -> None:
    only_back = dataclasses.replace(figure.LABELS, views=figure.LABELS.views[1:])
    with pytest.raises(GeometryMismatch, match="labels of the same scan"):
        find(figure.scan(15), only_back)


def test_one_view_alone_is_read() -> None:
    scan = figure.scan(16, factor=lambda name: figure.lesion(name, 0.0, 160.0, 30.0, 5.0))
    alone = dataclasses.replace(scan, views=scan.views[1:])
    labels = dataclasses.replace(figure.LABELS, views=figure.LABELS.views[1:])
    one = find(alone, labels)[0]
    assert set(one.views) == {ViewName.POSTERIOR}
    assert one.depth_mm.value is None
    assert one.depth_mm.absent_reason == "seen in one view only"


@settings(deadline=None, max_examples=50)
@given(depth=st.floats(10, 190), thickness=st.floats(150, 300))
def test_depth_inverts_the_attenuation(depth: float, thickness: float) -> None:
    depth = min(depth, thickness)
    back, front = 1e4 * math.exp(-0.012 * depth), 1e4 * math.exp(-0.012 * (thickness - depth))
    measured = source_depth(front, back, front, back, thickness)
    # witness: the exponential law itself
    assert measured.value == pytest.approx(depth, abs=1e-6)
    assert measured.uncertainty is not None
    assert measured.uncertainty > 25  # what was measured against truth, see docs/rooms/reading-spots.md


def test_impossible_depth_is_absent() -> None:
    measured = source_depth(1e5, 10.0, 1e5, 10.0, 200.0)
    assert measured.value is None
    assert "no single depth" in measured.absent_reason


@pytest.mark.parametrize(("front", "bones"), [(2.2, ["vertebra_t08"]), (9.0, ["sternum_body", "vertebra_t08"])])
def test_a_vertebra_that_shines_through_the_sternum_is_one_finding(front: float, bones: list[str]) -> None:
    """Witness: by attenuation a focus of a vertebra shows less from the front; what shows more is the sternum's own."""
    times = {ViewName.ANTERIOR: front, ViewName.POSTERIOR: 4.0}
    scan = figure.scan(6, factor=lambda name: figure.lesion(name, 0.0, 420.0, 24.0, times[name]))
    deep = {ViewName.ANTERIOR: 130.0, ViewName.POSTERIOR: 60.0}
    views = [
        dataclasses.replace(view, bones=tuple(dataclasses.replace(one, depth_mm=deep[view.name]) for one in view.bones))
        for view in figure.LABELS.views
    ]
    labels = dataclasses.replace(figure.LABELS, views=tuple(views))
    assert sorted(one.bone for one in find(scan, labels) if one.kind is Kind.BONE) == bones


def test_a_vertebras_depth_outside_it_is_withheld() -> None:
    (found, *_) = find(figure.scan(16, factor=lambda name: figure.lesion(name, 0.0, 160.0, 30.0, 5.0)), figure.LABELS)
    bones = [one for view in figure.LABELS.views if view.name is ViewName.POSTERIOR for one in view.bones]
    (bone,) = [one for one in bones if one.bone == found.bone]
    reach = float(bone.thickness_mm.max()) / 2 + BEYOND_BONE_MM
    for beyond, told_of in ((-1.0, True), (1.0, False)):
        depth = dataclasses.replace(found.depth_mm, value=bone.depth_mm + reach + beyond)
        (told,) = believed([dataclasses.replace(found, depth_mm=depth)], figure.LABELS)
        assert (told.depth_mm.value is not None) is told_of
    assert "outside the bone" in told.depth_mm.absent_reason


def test_a_faint_spot_counts_where_the_other_view_shows_it_clearly() -> None:
    def factor(name: ViewName, back: float) -> np.ndarray:
        return figure.lesion(name, -92.0, -250.0, 24.0, 1.6 if name is ViewName.ANTERIOR else back)

    confirmed = find(figure.scan(31, factor=lambda name: factor(name, 4.0)), figure.LABELS)
    alone = find(figure.scan(31, factor=lambda name: factor(name, 1.0)), figure.LABELS)
    # witness: the same faint focus in front, with and without its counterpart behind
    one = next(f for f in confirmed if f.bone == "femur_r")
    assert set(one.views) == set(ViewName)
    limit = threshold(figure.LABELS.views[0], figure.PIXEL_MM, figure.PIXEL_MM)
    assert one.views[ViewName.ANTERIOR].significance < limit < one.views[ViewName.POSTERIOR].significance
    assert [f.bone for f in alone if f.kind is Kind.BONE] == []


@pytest.mark.parametrize(("share", "bones"), [(0.9, {"vertebra_l03", "vertebra_t08"}), (0.7, set())])
def test_bones_that_a_network_sees_diseased_throughout_are_candidates(share: float, bones: set[str]) -> None:
    """Witness: normal uptake, in which no filter shows a focus, under a map that covers two vertebrae wholly."""
    scan = figure.scan(4)
    seen = glance()
    for view, labelled in zip(seen.views, figure.LABELS.views, strict=True):
        view.foci["metastatic"][np.isin(labelled.regions, (3, 9))] = share
    candidates = [one for one in find(scan, figure.LABELS, seen) if one.kind is Kind.BONE]
    assert {one.bone for one in candidates} == bones
    assert all(len(one.views) == 2 for one in candidates if one.bone == "vertebra_l03")


def test_of_a_diseased_bone_only_what_is_unmarked_is_a_candidate() -> None:
    """Witness: a focus drawn over most of a vertebra that the map covers wholly."""
    scan = figure.scan(5, factor=lambda name: figure.lesion(name, 0.0, 160.0, 150.0, 4.0))
    seen = glance()
    for view, labelled in zip(seen.views, figure.LABELS.views, strict=True):
        view.foci["metastatic"][labelled.regions == 9] = 0.9
    assert [one.bone for one in find(scan, figure.LABELS, seen) if one.kind is Kind.BONE].count("vertebra_l03") == 1
