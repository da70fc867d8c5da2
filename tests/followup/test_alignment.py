from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from tests.followup.person import NAMES, PIXEL_MM, SHAPE, TOP_MM, Spot, pose, read_person

from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import PARAMETERS, move_points
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.followup.alignment import align
from bonescan.scan import ViewName

SPREAD = np.array([parameter.spread for parameter in PARAMETERS])
TURNS = np.array([name.endswith("_rad") for name in NAMES])
STRAIGHT = pose(arm_l__spread_rad=0.10, arm_r__spread_rad=0.10)
HANDS_AND_FEET = (14, 17)  # turned about their length between the poses: bones behind one another change places


def errors_mm(alignment, before, now):
    """Distance of every ellipsoid's carried place from its true one in the anterior view, and its bone's region."""
    skeleton = default_skeleton()
    then, here = (move_points(skeleton.centres_mm, skeleton.segment_index, at) for at in (before, now))
    view = alignment.view(ViewName.ANTERIOR)
    column, row = here[:, 0] / PIXEL_MM + (SHAPE[1] - 1) / 2, (TOP_MM - here[:, 2]) / PIXEL_MM
    r, c = (ndimage.map_coordinates(part, [row, column], order=1) for part in (view.prior_row, view.prior_column))
    x, z = (c - (SHAPE[1] - 1) / 2) * PIXEL_MM, TOP_MM - r * PIXEL_MM
    region = np.array([bone(skeleton.bones[k]).region for k in skeleton.bone_index])
    return np.hypot(x - then[:, 0], z - then[:, 2]), region


def laid_anew(at, seed, share=0.4):
    return at + share * np.random.default_rng(seed).normal(size=len(SPREAD)) * SPREAD * TURNS


def fit_error(seed):
    return 0.1 * np.random.default_rng(seed).normal(size=len(SPREAD)) * SPREAD


def test_bones_lie_on_each_other_after_the_person_was_laid_anew():
    # witness: the true poses; 4.8 mm are 2 pixels of a usual whole-body view, the aim of the project
    now = laid_anew(STRAIGHT, 3)
    prior = read_person(STRAIGHT, seed=1, error=fit_error(5))
    current = read_person(now, seed=2, error=fit_error(6))
    alignment = align(prior, current)
    error, region = errors_mm(alignment, STRAIGHT, now)
    assert np.median(error) < 4.8
    for number in np.unique(region[region > 0]):
        if number not in HANDS_AND_FEET:
            assert np.median(error[region == number]) < 12.0, number  # 5 pixels
    assert all(view.correlation > view.correlation_before for view in alignment.views)
    assert alignment.trusted


def test_a_new_lesion_does_not_bend_the_bone_around_it():
    # witness: the same pictures without the lesion; a lesion of 12 mm radius, six times normal bone
    spot = Spot(bone="femur_r", centre_mm=(-90, 10, 700), ratio=6)
    prior = read_person(STRAIGHT, seed=1)
    plain, diseased = (align(prior, read_person(STRAIGHT, spots, seed=2)) for spots in ((), (spot,)))
    a, b = (one.view(ViewName.ANTERIOR) for one in (plain, diseased))
    moved = np.hypot(a.prior_row - b.prior_row, a.prior_column - b.prior_column) * PIXEL_MM
    row, column = round((TOP_MM - 700) / PIXEL_MM), round((SHAPE[1] - 1) / 2 - 90 / PIXEL_MM)
    assert (
        moved[row - 4 : row + 5, column - 4 : column + 5].max() < 6.0
    )  # half the lesion's radius: it stays on its bone


def test_a_forearm_whose_fit_is_lost_goes_with_the_upper_arm():
    # witness: both pictures are alike, but the prior fit has the left forearm and hand turned away by a right angle
    lost = pose(forearm_l__bend_rad=1.6, hand_l__bend_rad=0.8)
    prior, current = read_person(STRAIGHT, seed=1, error=lost), read_person(STRAIGHT, seed=2)
    alignment = align(prior, current)
    error, region = errors_mm(alignment, STRAIGHT, STRAIGHT)
    assert np.median(error[region == 13]) < 10.0
    assert np.median(error) < 2.4


def test_views_are_compared_where_both_scans_have_them():
    prior, current = read_person(STRAIGHT, seed=1), read_person(STRAIGHT, seed=2)

    def only(reading, k):
        return replace(
            reading,
            scan=replace(reading.scan, views=(reading.scan.views[k],)),
            labels=replace(reading.labels, views=(reading.labels.views[k],)),
        )

    one = align(only(prior, 1), current)
    assert [view.name for view in one.views] == [ViewName.POSTERIOR]
    assert [remark.code for remark in one.remarks] == ["followup.alignment.views"]
    with pytest.raises(InvalidValue, match="no view in common"):
        align(only(prior, 0), only(current, 1))


def test_labels_that_are_not_trusted_make_an_alignment_that_is_not():
    prior, current = read_person(STRAIGHT, seed=1), read_person(STRAIGHT, seed=2)
    lost = replace(prior, labels=replace(prior.labels, trusted=False))
    assert not align(lost, current).trusted


def test_pictures_that_do_not_match_are_not_trusted():
    # witness: the current picture upside down, feet where the head is; nothing but luck could match
    prior, current = read_person(STRAIGHT, seed=1), read_person(STRAIGHT, seed=2)
    views = tuple(replace(view, counts=view.counts[::-1].copy()) for view in current.scan.views)
    done = align(prior, replace(current, scan=replace(current.scan, views=views)))
    assert min(view.correlation for view in done.views) < 0.6
    assert not done.trusted
    assert any("no rule is applied" in remark.text for remark in done.remarks)


def test_a_hand_that_lies_elsewhere_is_not_compared_and_one_that_stays_is():
    # witness: the true poses; the left forearm is bent up, its fit does not know it; the right one lies still
    prior = read_person(STRAIGHT, seed=1)
    moved = pose(arm_l__spread_rad=0.10, arm_r__spread_rad=0.10, forearm_l__bend_rad=1.4)
    current = read_person(moved, seed=2, error=pose(forearm_l__bend_rad=-1.4))
    (front, _) = align(prior, current).views
    assert front.unsteady == ("hand_l",)
    assert align(prior, read_person(STRAIGHT, seed=3)).views[0].unsteady == ()
