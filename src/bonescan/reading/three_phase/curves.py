"""Time-activity curves of a region and its counterpart: rates with their uncertainty, arrival and slope.

A bolus that reaches a limb raises its counts from a level to another along a ramp. The ramp that fits the counts best
says when the blood arrived and how steeply it rose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import GeometryMismatch
from bonescan.measurement import Measurement

__all__ = ["Curve", "arrival_of", "curve_of"]

Array = NDArray[np.float64]

_LEAST_RISE_SD = 5.0  # a rise that is no more than noise has no time [D]
_STEP_S = 0.25  # between the times that are tried [D]
_SHORTEST_RAMP_S = 0.5
_METHOD = "ramp fitted to the first rise, weighted by Poisson variance; profile of chi-square"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Counts of one region over time.

    Parameters
    ----------
    side : str
        The patient's side, ``"right"`` or ``"left"``.
    middles_s, durations_s : (time,) ndarray
        Of the frames, after the acquisition began.
    rate_cps, uncertainty_cps : (time,) ndarray
        Counts a second in the region and one standard deviation.
    arrival_s : Measurement
        When the rise begins.
    slope_cps_per_s : Measurement
        Of the rise.
    """

    side: str
    middles_s: Array
    durations_s: Array
    rate_cps: Array
    uncertainty_cps: Array
    arrival_s: Measurement
    slope_cps_per_s: Measurement


def curve_of(frames: Array, weights: Array, starts_s: Array, durations_s: Array, side: str) -> Curve:
    """Sum a film over a region, and find arrival and slope.

    Parameters
    ----------
    frames : (time, row, column) ndarray
        Counts.
    weights : (row, column) ndarray
        1 inside the region, 0 outside, shares in between.
    starts_s, durations_s : (time,) ndarray
    side : str

    Returns
    -------
    Curve

    Raises
    ------
    GeometryMismatch
        For weights of another shape than the frames.

    Notes
    -----
    counts = sum w n, variance = sum w^2 n, for Poisson counts n of each pixel.
    """
    if frames.shape[1:] != weights.shape:
        raise GeometryMismatch(f"Weights of a film of {frames.shape[1:]} pixels have that shape, got {weights.shape}.")
    counts = np.tensordot(frames, weights, axes=2)
    variance = np.tensordot(frames, weights**2, axes=2)
    middles = starts_s + durations_s / 2
    arrival, slope = arrival_of(middles, durations_s, counts, variance)
    return Curve(
        side=side,
        middles_s=middles,
        durations_s=durations_s,
        rate_cps=counts / durations_s,
        uncertainty_cps=np.sqrt(np.maximum(variance, (weights**2).max())) / durations_s,
        arrival_s=arrival,
        slope_cps_per_s=slope,
    )


def arrival_of(middles_s: Array, durations_s: Array, counts: Array, variance: Array) -> tuple[Measurement, Measurement]:
    """Fit a ramp to the first rise of a curve.

    Parameters
    ----------
    middles_s, durations_s : (time,) ndarray
    counts, variance : (time,) ndarray
        Of each frame.

    Returns
    -------
    arrival_s, slope_cps_per_s : Measurement
        Absent where nothing rises above noise.

    Notes
    -----
    Up to the curve's peak the rate is ::

        r(t) = b                     t < t0
               b + s (t - t0)        t0 <= t < t1
               b + s (t1 - t0)       t1 <= t

    averaged over each frame. For each pair of times b and s are a linear weighted fit; the weights are those of a
    smoothed curve, so that a frame that happened to count little does not weigh most. The uncertainty of t0 is where
    the least chi-square over t1 has risen by 1 (or by its value per degree of freedom, where the ramp fits worse).
    """
    rate = counts / durations_s
    source = "arterial arrival by a ramp: design"

    def absent(reason: str) -> tuple[Measurement, Measurement]:
        return (
            Measurement(value=None, unit="s", method=_METHOD, source=source, absent_reason=reason),
            Measurement(value=None, unit="{counts}/s2", method=_METHOD, source=source, absent_reason=reason),
        )

    if len(rate) < 6:
        return absent("The flow has too few frames.")
    smooth = np.convolve(np.pad(rate, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    peak = int(np.argmax(smooth))
    last = min(peak + 2, len(rate))
    if last < 4:
        return absent("The curve is highest at its beginning: the arrival lies before the first frames.")
    sigma = np.sqrt(np.maximum(variance, 1.0)) / durations_s
    expected = np.sqrt(np.maximum(smooth * durations_s, 1.0) * _per_count(counts, variance)) / durations_s
    rise = smooth[peak] - smooth[:peak].min()
    if rise < _LEAST_RISE_SD * float(np.hypot(sigma[peak], sigma[int(np.argmin(smooth[:peak]))])) / np.sqrt(3):
        return absent("The counts do not rise above their noise.")
    begin, end = (middles_s - durations_s / 2)[:last], (middles_s + durations_s / 2)[:last]
    weight = 1 / expected[:last] ** 2
    starts = np.arange(begin[0], end[-1], _STEP_S)
    best, slopes, doubts = np.full(len(starts), np.inf), np.zeros(len(starts)), np.zeros(len(starts))
    for k, t0 in enumerate(starts):
        ends = np.arange(t0 + _SHORTEST_RAMP_S, end[-1] + _STEP_S, _STEP_S)[:, None]
        ramps = (_ramp_integral(end, t0, ends) - _ramp_integral(begin, t0, ends)) / (end - begin)
        misfits, steepness, doubt = _lines(ramps, rate[:last], weight)
        if misfits.size:
            which = int(np.argmin(misfits))
            best[k], slopes[k], doubts[k] = misfits[which], steepness[which], doubt[which]
    if not np.isfinite(best).any():
        return absent("No rise fits the counts.")
    k = int(np.argmin(best))
    scale = max(1.0, best[k] / max(last - 4, 1))
    inside = starts[best <= best[k] + scale]
    spread = max((inside[-1] - inside[0]) / 2, _STEP_S / 2)
    of_slope = slopes[best <= best[k] + scale]
    slope_spread = math.hypot((of_slope.max() - of_slope.min()) / 2, doubts[k] * math.sqrt(scale))
    return (
        Measurement(value=float(starts[k]), unit="s", uncertainty=float(spread), method=_METHOD, source=source),
        Measurement(
            value=float(slopes[k]), unit="{counts}/s2", uncertainty=float(slope_spread), method=_METHOD, source=source
        ),
    )


def _per_count(counts: Array, variance: Array) -> float:
    """Variance of one count: 1 for whole pixels, less where pixels are shared."""
    total = float(counts.sum())
    return float(variance.sum()) / total if total > 0 else 1.0


def _ramp_integral(time_s: Array, t0: float, t1: Array) -> Array:
    """Integral up to a time of ramps that grow by 1 a second between t0 and t1."""
    length = t1 - t0
    return np.asarray(np.clip(time_s - t0, 0.0, length) ** 2 / 2 + length * np.maximum(time_s - t1, 0.0))


def _lines(x: Array, y: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Chi-square, slope and its doubt of fits y = base + slope x, neither of them negative, one for each row of x."""
    total, mean_x, mean_y = weight.sum(), x @ weight, float(weight @ y)
    xx, xy = (x * x) @ weight, x @ (weight * y)
    det = total * xx - mean_x**2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (total * xy - mean_x * mean_y) / det
        base = (mean_y - slope * mean_x) / total
        slope = np.where(base < 0, xy / xx, slope)
    base = np.maximum(base, 0.0)
    misfit = ((y - base[:, None] - slope[:, None] * x) ** 2) @ weight
    usable = (slope > 0) & (det > 0)
    doubt = np.sqrt(total / np.where(usable, det, 1.0))
    return np.where(usable, misfit, np.inf), np.nan_to_num(slope), doubt
