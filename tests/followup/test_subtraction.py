import numpy as np
import pytest
from tests.followup.person import PIXEL_MM, SHAPE, TOP_MM, Spot, pose, read_person

from bonescan.followup.alignment import align
from bonescan.followup.subtraction import subtract
from bonescan.scan import ViewName

AT = pose(arm_l__spread_rad=0.10, arm_r__spread_rad=0.10)
TIMES = 1.4  # counts of the current scan over the prior one


def difference(before=(), now=()):
    prior, current = read_person(AT, before, seed=1), read_person(AT, now, seed=2, level=TIMES)
    return subtract(prior, current, align(prior, current)), current


def test_a_repeated_scan_differs_by_its_noise_alone():
    # witness: Poisson counts of one picture at two levels; z may only be smaller than normal, as natural variation of
    # 8 % and placement are added to the counting noise
    done, current = difference()
    for view, labelled in zip(done.views, current.labels.views, strict=True):
        assert view.scale == pytest.approx(TIMES, rel=0.02)  # a median of noisy ratios lies a little high
        z = view.significance[labelled.regions > 0]
        assert abs(np.median(z)) < 0.1
        assert 0.3 < z.std() < 1.1
        assert not view.risen.any()
        assert not view.gone.any()


def test_noise_is_that_of_counts_smoothed_and_scaled():
    # witness: the spread of the smoothed difference itself in even soft tissue, over the variance that is claimed
    done, current = difference()
    for view, labelled in zip(done.views, current.labels.views, strict=True):
        flat = labelled.body & (labelled.regions == 0)
        flat &= np.abs(view.current - np.median(view.current[flat])) < 1.0
        claimed = done.noise[view.name].variance[flat]
        left = (view.current - view.prior)[flat]
        assert np.var(left) / np.mean(claimed) == pytest.approx(1.0, abs=0.35)  # interpolation smooths a little more


def test_hot_lesions_do_not_move_the_scale():
    # witness: the same counts; a third of the vertebrae six times as hot now
    hot = [Spot(bone=f"vertebra_l{n:02d}", centre_mm=(0, 20, 1120 - 36 * n), ratio=6) for n in range(1, 5)]
    done, _ = difference(now=hot)
    assert done.views[0].scale == pytest.approx(TIMES, rel=0.02)


def test_what_came_is_risen_and_what_went_is_gone_in_its_place():
    came = Spot(bone="femur_r", centre_mm=(-90, 10, 700), ratio=4)
    went = Spot(bone="humerus_l", centre_mm=(175, 15, 1300), ratio=4)
    done, _ = difference(before=[went], now=[came])
    view = next(one for one in done.views if one.name is ViewName.ANTERIOR)
    row, column = round((TOP_MM - 700) / PIXEL_MM), round((SHAPE[1] - 1) / 2 - 90 / PIXEL_MM)
    rows, columns = np.nonzero(view.risen)
    assert np.hypot(rows - row, columns - column).max() * PIXEL_MM < 25  # the lesion's 12 mm and the camera's blur
    assert view.risen[row, column]
    assert view.gone.any()
    assert (np.nonzero(view.gone)[0] < SHAPE[0] / 2).all()
