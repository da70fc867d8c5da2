"""Curves of a flow: a bolus made by hand gives back the arrival and the slope it was given."""

from __future__ import annotations

import numpy as np
import pytest

from bonescan.errors import GeometryMismatch
from bonescan.reading.three_phase.curves import arrival_of, curve_of

STARTS_S, DURATION_S = np.arange(30) * 2.0, 2.0


def bolus(arrival_s: float, slope: float, rise_s: float, base: float = 1.0) -> np.ndarray:
    """Expected counts of each frame: the integral of a ramp."""
    edges = np.append(STARTS_S, STARTS_S[-1] + DURATION_S)
    area = slope * (np.clip(edges - arrival_s, 0, rise_s) ** 2 / 2 + rise_s * np.maximum(edges - arrival_s - rise_s, 0))
    return np.diff(area) + base * DURATION_S


def fitted(counts: np.ndarray):
    return arrival_of(STARTS_S + DURATION_S / 2, np.full(30, DURATION_S), counts, counts)


@pytest.mark.parametrize("arrival_s", [9.0, 12.6, 17.3, 25.0])
def test_a_bolus_without_noise_arrives_when_it_did(arrival_s):
    # a quarter of a second is the step of the search
    arrival, slope = fitted(bolus(arrival_s, 50.0, 7.0))
    assert arrival.value == pytest.approx(arrival_s, abs=0.25)
    assert slope.value == pytest.approx(50.0, rel=0.06)


@pytest.mark.parametrize("slope", [5.0, 50.0])
def test_the_uncertainty_of_the_arrival_is_its_spread_over_replicas(slope):
    rng = np.random.default_rng(11)
    found = [fitted(rng.poisson(bolus(17.3, slope, 7.0)).astype(float))[0] for _ in range(24)]
    values = np.array([one.value for one in found])
    told = np.mean([one.uncertainty for one in found])
    # 24 replicas give a spread to 15 %; a search in steps of 0.25 s adds to either: a factor of two is held
    assert values.mean() == pytest.approx(17.3, abs=0.4)
    assert told / 2 < np.hypot(values.std(), 0.07) < 2 * told


def test_what_does_not_rise_has_no_arrival():
    level, _ = fitted(np.random.default_rng(3).poisson(20.0, 30).astype(float))
    falling, slope = fitted(np.linspace(200, 20, 30))
    assert level.value is None
    assert level.absent_reason
    assert falling.value is None
    assert slope.value is None


def test_weights_count_by_their_square_in_the_variance():
    frames = np.full((8, 2, 2), 100.0)
    curve = curve_of(frames, np.array([[1.0, 0.5], [0.0, 0.0]]), np.arange(8.0), np.ones(8), "left")
    np.testing.assert_allclose(curve.rate_cps, 150.0)
    np.testing.assert_allclose(curve.uncertainty_cps, np.sqrt(125.0))
    with pytest.raises(GeometryMismatch):
        curve_of(frames, np.ones((3, 2)), np.arange(8.0), np.ones(8), "left")
