from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bonescan.evaluation.statistics import (
    FreeResponse,
    area_under_curve,
    bootstrap,
    calibration_error,
    calibration_error_if_true,
    correlation,
    draw_people,
    equal_count_bins,
    free_response,
    operating_points,
    ratio,
    slope,
    specificity_at,
)

# Two people. The first has two lesions, found at 9 and missed, and false marks at 5 and 3; the second has two lesions,
# found at 5 and 4, and a false mark at 7.
TWO = FreeResponse(
    lesion_scores=np.array([9.0, -np.inf, 5.0, 4.0]),
    lesion_people=np.array([0, 0, 1, 1]),
    false_scores=np.array([5.0, 3.0, 7.0]),
    false_people=np.array([0, 0, 1]),
    scans=np.ones(2),
)


def test_a_free_response_curve_worked_out_by_hand():
    thresholds, false_marks, sensitivity = free_response(TWO)
    assert thresholds.tolist() == [math.inf, 9, 7, 5, 4, 3]
    assert false_marks.tolist() == [0, 0, 0.5, 1, 1, 1.5]
    assert sensitivity.tolist() == [0, 0.25, 0.25, 0.5, 0.75, 0.75]
    at, reached, found = operating_points(TWO, [0, 0.7, 1, 7.6])
    assert at.tolist() == [9, 7, 4, 3]
    assert reached.tolist() == [0, 0.5, 1, 1.5]
    assert found.tolist() == [0.25, 0.25, 0.75, 0.75]


def test_a_person_drawn_twice_counts_as_two():
    twice = FreeResponse(
        lesion_scores=np.concatenate([TWO.lesion_scores, TWO.lesion_scores[:2]]),
        lesion_people=np.array([0, 0, 1, 1, 2, 2]),
        false_scores=np.concatenate([TWO.false_scores, TWO.false_scores[:2]]),
        false_people=np.array([0, 0, 1, 2, 2]),
        scans=np.ones(3),
    )
    for got, expected in zip(free_response(TWO, [2, 1]), free_response(twice), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_people_whose_lesions_are_not_known_are_no_scans_of_the_curve():
    unknown = FreeResponse(
        lesion_scores=TWO.lesion_scores, lesion_people=TWO.lesion_people, false_scores=TWO.false_scores,
        false_people=TWO.false_people, scans=np.array([1.0, 1.0, 0.0]),
    )  # fmt: skip
    assert free_response(unknown)[1].tolist() == free_response(TWO)[1].tolist()


@given(
    st.lists(st.one_of(st.integers(0, 5), st.none()), min_size=1, max_size=20),
    st.lists(st.integers(0, 5), max_size=20),
)
def test_a_free_response_curve_never_falls(lesions, false):
    scores = FreeResponse(
        lesion_scores=np.array([-np.inf if one is None else one for one in lesions], dtype=float),
        lesion_people=np.zeros(len(lesions), dtype=np.int64),
        false_scores=np.array(false, dtype=float),
        false_people=np.zeros(len(false), dtype=np.int64),
        scans=np.ones(1),
    )
    thresholds, false_marks, sensitivity = free_response(scores)
    assert (np.diff(thresholds) < 0).all()
    assert (np.diff(false_marks) >= 0).all()
    assert (np.diff(sensitivity) >= 0).all()
    assert (false_marks[-1], sensitivity[-1]) == (len(false), np.mean([one is not None for one in lesions]))


def test_the_area_under_a_curve_is_mann_and_whitneys():
    # by hand: of 2 x 2 pairs, 3 lie above and one is a tie
    assert area_under_curve([3, 1, 1, 0], [True, True, False, False]) == pytest.approx(3.5 / 4)
    rng = np.random.default_rng(1)
    positive = rng.random(200) < 0.4
    scores = np.round(rng.normal(positive.astype(float), 1.0), 1)  # rounded, so that there are ties
    # witness: scipy's U statistic over the number of pairs, exact but for rounding
    expected = stats.mannwhitneyu(scores[positive], scores[~positive]).statistic / (positive.sum() * (~positive).sum())
    assert area_under_curve(scores, positive) == pytest.approx(expected, rel=1e-12)
    weights = rng.integers(0, 4, 200)
    drawn = np.repeat(np.arange(200), weights)
    assert area_under_curve(scores, positive, weights) == pytest.approx(
        area_under_curve(scores[drawn], positive[drawn])
    )
    assert math.isnan(area_under_curve([1, 2], [True, True]))


def test_specificity_at_a_sensitivity_by_hand():
    scores = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0.5, 8.5, 4.5, 0.1, 0.2]
    positive = [True] * 10 + [False] * 4
    everybody = np.ones(14, bool)
    # nine of ten positives lie at 1 or above: two of four negatives lie below 1
    assert specificity_at(0.9, scores, positive, everybody) == 0.5
    assert specificity_at(0.1, scores, positive, everybody) == 1.0  # only 9 or above
    assert specificity_at(0.9, scores, positive, np.arange(14) >= 12) == 1.0  # among the last two
    assert math.isnan(specificity_at(0.9, scores, [False] * 14, everybody))
    assert specificity_at(0.9, [0, 0, 0], [True, False, False], np.ones(3, bool)) == 0.0  # a tie is called positive


def test_calibration_by_hand():
    said = np.repeat([0.1, 0.8], 10)
    came = np.array([1] + [0] * 9 + [1] * 6 + [0] * 4)
    mean, true, weight = equal_count_bins(said, came, bins=2)
    np.testing.assert_allclose((mean, true, weight), ([0.1, 0.8], [0.1, 0.6], [10, 10]))
    # ten bins of two: of the ten at 0.1 one bin is half true, of those at 0.8 three are true and two false
    assert calibration_error(said, came) == pytest.approx((1 * 0.4 + 4 * 0.1 + 3 * 0.2 + 2 * 0.8) / 10)
    assert math.isnan(calibration_error([], []))


def test_a_well_calibrated_reader_has_the_error_that_its_docstring_says():
    rng = np.random.default_rng(2)
    said = np.full(1000, 0.3)
    errors = [calibration_error(said, rng.random(1000) < 0.3) for _ in range(100)]
    # mean absolute deviation of a share over 100 items: 0.8 sqrt(p q / 100); 100 draws of 10 bins give it to 3 %
    assert np.mean(errors) == pytest.approx(0.8 * math.sqrt(0.3 * 0.7 * 10 / 1000), rel=0.1)


def test_the_error_of_true_probabilities_is_that_of_a_share_and_that_of_sure_ones_is_none():
    told = calibration_error_if_true(np.full(1000, 0.3))
    # as above: 0.8 sqrt(p q / 100) in the mean of bins of 100
    assert told.value == pytest.approx(0.8 * math.sqrt(0.3 * 0.7 * 10 / 1000), rel=0.1)
    assert told.low < told.value < told.high
    assert calibration_error_if_true([0.0, 1.0, 1.0]).high == 0.0
    assert math.isnan(calibration_error_if_true([]).value)


def test_correlation_and_slope_agree_with_scipy():
    rng = np.random.default_rng(3)
    x = rng.random(30)
    y = 2 * x + rng.normal(0, 0.2, 30)
    witness = stats.linregress(x, y)
    assert correlation(x, y) == pytest.approx(witness.rvalue, rel=1e-10)
    assert slope(x, y) == pytest.approx(witness.slope, rel=1e-10)
    weights = rng.integers(0, 3, 30)
    drawn = np.repeat(np.arange(30), weights)
    assert correlation(x, y, weights) == pytest.approx(correlation(x[drawn], y[drawn]))
    assert math.isnan(correlation([1, 1], [1, 2]))


def test_an_interval_is_seeded_and_as_wide_as_the_standard_error_says():
    rng = np.random.default_rng(4)
    values = rng.normal(5, 2, 400)
    draws = draw_people(400, seed=7)
    told = ratio(values, np.ones(400), draws)
    again = ratio(values, np.ones(400), draw_people(400, seed=7))
    assert (told.value, told.low, told.high) == (again.value, again.low, again.high)
    assert ratio(values, np.ones(400), draw_people(400, seed=8)).low != told.low
    # witness: 2 x 1.96 standard errors of a mean; 1,000 draws give percentiles to 5 %
    assert told.high - told.low == pytest.approx(3.92 * values.std() / 20, rel=0.1)
    same = bootstrap(lambda w: float(np.average(values, weights=w)), draws)
    assert (same.low, same.high) == (pytest.approx(told.low), pytest.approx(told.high))


def test_where_hardly_a_draw_gives_a_figure_there_is_no_interval():
    draws = draw_people(3)
    told = bootstrap(lambda w: math.nan if w is not None and w[0] < 2 else 1.0, draws)
    assert (told.value, told.low, told.high) == (1.0, None, None)
    assert math.isnan(ratio([0, 0, 0], [0, 0, 0], draws).value)
