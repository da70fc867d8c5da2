"""Curves and figures of merit, and how sure they are: plain functions of scores and truths.

Every function that judges many people takes a weight for each person, 1 by default: the bootstrap draws people with
replacement, and a person drawn twice has weight 2. People, not lesions or pixels, are what varies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "FreeResponse",
    "Interval",
    "area_under_curve",
    "bootstrap",
    "calibration_error",
    "calibration_error_if_true",
    "correlation",
    "draw_people",
    "equal_count_bins",
    "free_response",
    "interval",
    "operating_points",
    "ratio",
    "slope",
    "specificity_at",
]

Array = NDArray[np.float64]

RESAMPLES = 1000
"""Draws of the bootstrap: the ends of a 95 % interval are then good to about a tenth of its width [M]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure and its 95 % interval.

    Parameters
    ----------
    value : float
    low, high : float or None
        Percentiles 2.5 and 97.5 of the bootstrap; absent where hardly a draw gives a figure.
    """

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreeResponse:
    """Scores for a free-response curve: every lesion, and every false mark, with the person it belongs to.

    Parameters
    ----------
    lesion_scores : (lesion,) ndarray
        The best mark's that hits it; minus infinity where none does.
    lesion_people : (lesion,) ndarray of int
    false_scores : (mark,) ndarray
    false_people : (mark,) ndarray of int
    scans : (person,) ndarray
        1 for everybody whose lesions are known, those without any mark or lesion among them; else 0.
    """

    lesion_scores: Array
    lesion_people: NDArray[np.int64]
    false_scores: Array
    false_people: NDArray[np.int64]
    scans: Array


def free_response(scores: FreeResponse, weights: ArrayLike | None = None) -> tuple[Array, Array, Array]:
    """The free-response curve: sensitivity per lesion against false marks a scan.

    At threshold t ::

        sensitivity = (lesions with score >= t) / lesions,      false marks = (false marks with score >= t) / people

    Parameters
    ----------
    scores : FreeResponse
    weights : (person,) array_like, optional

    Returns
    -------
    thresholds, false_marks, sensitivity : (point,) ndarray
        Thresholds descend; both others never fall. Begins at infinity, where nothing is marked.
    """
    weight = np.ones(len(scores.scans)) if weights is None else np.asarray(weights, dtype=float)
    found = np.isfinite(scores.lesion_scores)
    thresholds = np.unique(np.concatenate([scores.lesion_scores[found], scores.false_scores]))[::-1]
    sensitivity = _weight_above(thresholds, scores.lesion_scores, weight[scores.lesion_people])
    false_marks = _weight_above(thresholds, scores.false_scores, weight[scores.false_people])
    lesions = weight[scores.lesion_people].sum()
    return (
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0.0], false_marks / max((weight * scores.scans).sum(), 1e-300)]),
        np.concatenate([[0.0], sensitivity / lesions if lesions else np.full(len(thresholds), np.nan)]),
    )


def _weight_above(thresholds: Array, scores: Array, weights: Array) -> Array:
    """Sum of the weights of scores at or above each of the descending thresholds."""
    order = np.argsort(-scores, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weights[order])])
    return np.asarray(total[np.searchsorted(-scores[order], -thresholds, side="right")])


def operating_points(
    scores: FreeResponse, rates: ArrayLike, weights: ArrayLike | None = None
) -> tuple[Array, Array, Array]:
    """Where a free-response curve stands at given rates of false marks.

    The lowest threshold that gives no more false marks than the rate; nothing is interpolated. A reader that never
    makes so many stands at the end of its curve.

    Parameters
    ----------
    scores : FreeResponse
    rates : (rate,) array_like
        False marks a scan.
    weights : (person,) array_like, optional

    Returns
    -------
    thresholds, false_marks, sensitivity : (rate,) ndarray
    """
    thresholds, false_marks, sensitivity = free_response(scores, weights)
    at = np.searchsorted(false_marks, np.asarray(rates, dtype=float) + 1e-9, side="right") - 1
    return thresholds[at], false_marks[at], sensitivity[at]


def area_under_curve(scores: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Area under the receiver operating characteristic.

    The probability that a positive's score lies above a negative's, ties counted half (Mann and Whitney).

    Parameters
    ----------
    scores : (person,) array_like
    positive : (person,) array_like of bool
    weights : (person,) array_like, optional

    Returns
    -------
    float
        NaN where either is missing.
    """
    score, truth = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    weight = np.ones(len(score)) if weights is None else np.asarray(weights, dtype=float)
    levels, place = np.unique(score, return_inverse=True)
    above = np.bincount(place[truth], weight[truth], len(levels))
    below = np.bincount(place[~truth], weight[~truth], len(levels))
    if not above.sum() or not below.sum():
        return float("nan")
    under = np.cumsum(below) - below
    return float((above * (under + 0.5 * below)).sum() / (above.sum() * below.sum()))


def specificity_at(
    sensitivity: float,
    scores: ArrayLike,
    positive: ArrayLike,
    counted: ArrayLike,
    weights: ArrayLike | None = None,
) -> float:
    """Specificity at the highest threshold that gives at least a sensitivity.

    Parameters
    ----------
    sensitivity : float
        Over all positives, above 0 to 1.
    scores : (person,) array_like
    positive : (person,) array_like of bool
    counted : (person,) array_like of bool
        Negatives whose share below the threshold is the specificity.
    weights : (person,) array_like, optional

    Returns
    -------
    float
        NaN where nobody is positive, or nobody counted.
    """
    score, truth, own = np.asarray(scores, float), np.asarray(positive, bool), np.asarray(counted, bool)
    weight = np.ones(len(score)) if weights is None else np.asarray(weights, dtype=float)
    if not weight[truth].sum() or not weight[own & ~truth].sum():
        return float("nan")
    order = np.argsort(-score[truth], kind="stable")
    reached = np.cumsum(weight[truth][order]) / weight[truth].sum()
    threshold = score[truth][order][min(int(np.searchsorted(reached, sensitivity - 1e-9)), len(order) - 1)]
    negative = own & ~truth
    return float(weight[negative & (score < threshold)].sum() / weight[negative].sum())


def equal_count_bins(
    probabilities: ArrayLike, truths: ArrayLike, weights: ArrayLike | None = None, bins: int = 10
) -> tuple[Array, Array, Array]:
    """Reliability: what was said against what came true, in bins of equal count.

    Parameters
    ----------
    probabilities : (item,) array_like
        0 to 1.
    truths : (item,) array_like of bool
    weights : (item,) array_like, optional
    bins : int

    Returns
    -------
    said, true, weight : (bin,) ndarray
        Mean probability, share that is true, and weight of every bin that holds anything.
    """
    said, came = np.asarray(probabilities, dtype=float), np.asarray(truths, dtype=float)
    weight = np.ones(len(said)) if weights is None else np.asarray(weights, dtype=float)
    if not weight.sum():
        return np.empty(0), np.empty(0), np.empty(0)
    order = np.argsort(said, kind="stable")
    said, came, weight = said[order], came[order], weight[order]
    middle = np.cumsum(weight) - weight / 2
    which = np.minimum((bins * middle / weight.sum()).astype(int), bins - 1)
    total = np.asarray(np.bincount(which, weight, bins), dtype=float)
    held = total > 0
    return (
        np.bincount(which, weight * said, bins)[held] / total[held],
        np.bincount(which, weight * came, bins)[held] / total[held],
        total[held],
    )


def calibration_error(probabilities: ArrayLike, truths: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Expected calibration error: mean distance between said and true over ten bins of equal count.

    ::

        ECE = sum over bins of  (weight / all) |said - true|

    With few items it is above zero even for a perfect reader: about sqrt(p (1 - p) 10 / n) times 0.8.

    Parameters
    ----------
    probabilities : (item,) array_like
    truths : (item,) array_like of bool
    weights : (item,) array_like, optional

    Returns
    -------
    float
        NaN where there is no item.
    """
    said, true, weight = equal_count_bins(probabilities, truths, weights)
    return float((weight * np.abs(said - true)).sum() / weight.sum()) if len(said) else float("nan")


def calibration_error_if_true(probabilities: ArrayLike, seed: int = 0, draws: int = RESAMPLES) -> Interval:
    """What `calibration_error` would be if every probability that was said were true.

    ::

        truth_i ~ Bernoulli(said_i),  independent, drawn again and again

    An error within these limits is no sign of probabilities that are wrong.

    Parameters
    ----------
    probabilities : (item,) array_like
        0 to 1.
    seed, draws : int

    Returns
    -------
    Interval
        Mean over the draws, and the limits that hold 95 % of them; NaN where there is no item.
    """
    said = np.asarray(probabilities, dtype=float)
    if not len(said):
        return Interval(value=float("nan"), low=float("nan"), high=float("nan"))
    came = np.random.default_rng(seed).random((draws, len(said))) < said
    errors = [calibration_error(said, one) for one in came]
    low, high = np.percentile(errors, (2.5, 97.5))
    return Interval(value=float(np.mean(errors)), low=float(low), high=float(high))


def correlation(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Pearson's r.

    Parameters
    ----------
    x, y : (person,) array_like
        True and measured.
    weights : (person,) array_like, optional

    Returns
    -------
    float
        NaN where either does not vary.
    """
    xx, yy, xy = _second_moments(x, y, weights)
    return float(xy / np.sqrt(xx * yy)) if xx * yy > 0 else float("nan")


def slope(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Slope of the straight line of measured over true values, by least squares.

    Parameters
    ----------
    x, y : (person,) array_like
        True and measured.
    weights : (person,) array_like, optional

    Returns
    -------
    float
        NaN where x does not vary.
    """
    xx, _, xy = _second_moments(x, y, weights)
    return float(xy / xx) if xx > 0 else float("nan")


def _second_moments(x: ArrayLike, y: ArrayLike, weights: ArrayLike | None) -> tuple[float, float, float]:
    true, got = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    weight = np.ones(len(true)) if weights is None else np.asarray(weights, dtype=float)
    if not weight.sum():
        return 0.0, 0.0, 0.0
    dx, dy = true - np.average(true, weights=weight), got - np.average(got, weights=weight)
    return float((weight * dx * dx).sum()), float((weight * dy * dy).sum()), float((weight * dx * dy).sum())


def ratio(numerators: ArrayLike, denominators: ArrayLike, draws: Array) -> Interval:
    """A ratio of sums over people, with its interval: shares, means and rates.

    Parameters
    ----------
    numerators, denominators : (person,) array_like
        E.g. lesions found and lesions there.
    draws : (draw, person) ndarray
        How often each person was drawn.

    Returns
    -------
    Interval
        NaN where the denominators are all zero.
    """
    top, bottom = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    if not bottom.sum():
        return Interval(value=float("nan"), low=None, high=None)
    below = draws @ bottom
    values = (draws @ top)[below > 0] / below[below > 0]
    return _interval(float(top.sum() / bottom.sum()), values, len(draws))


def draw_people(people: int, seed: int = 0, resamples: int = RESAMPLES) -> Array:
    """Draw people with replacement, again and again.

    Parameters
    ----------
    people : int
    seed : int
    resamples : int

    Returns
    -------
    (draw, person) ndarray
        How often each person was drawn; a row sums to `people`.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), resamples).astype(float)


def bootstrap(statistic: Callable[[Array | None], float], draws: Array) -> Interval:
    """A figure with its percentile interval over people.

    Parameters
    ----------
    statistic : callable
        Of the people's weights, ``None`` for all alike.
    draws : (draw, person) ndarray
        As of `draw_people`.

    Returns
    -------
    Interval

    References
    ----------
    Efron B. Bootstrap methods: another look at the jackknife. Ann Stat 1979;7:1.
    """
    values = np.array([statistic(draw) for draw in draws], dtype=float)
    return interval(statistic(None), values)


def interval(value: float, drawn: Array) -> Interval:
    """A figure with the interval of what its draws gave.

    Parameters
    ----------
    value : float
    drawn : (draw,) ndarray
        NaN where a draw gave no figure.

    Returns
    -------
    Interval
    """
    return _interval(value, drawn[np.isfinite(drawn)], len(drawn))


def _interval(value: float, values: Array, draws: int) -> Interval:
    if not np.isfinite(value) or len(values) < draws / 2:
        return Interval(value=value, low=None, high=None)
    low, high = np.percentile(values, (2.5, 97.5))
    return Interval(value=value, low=float(low), high=float(high))
