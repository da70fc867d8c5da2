from __future__ import annotations

import math

import numpy as np
import pytest

from bonescan.camera.cameras import camera
from bonescan.camera.faults import NO_FAULTS, DeadTime, DeadTube, Faults, Flood
from bonescan.errors import InvalidValue

FIELD = (387.0, 533.0)


def places(length: float) -> np.ndarray:
    return np.arange(-length / 2 + 3.2, length / 2, 6.4)  # NEMA's pixels


@pytest.mark.parametrize("percent", [0.0, 3.7, 12.0])
def test_a_flood_is_as_uneven_as_told_and_keeps_its_mean(percent):
    for head in (0, 1):
        own = Flood(percent=percent, seed=3).sensitivity(FIELD, places(FIELD[0]), places(FIELD[1]), head)
        integral = 100 * (own.max() - own.min()) / (own.max() + own.min())  # NEMA NU 1's definition
        assert integral == pytest.approx(percent, abs=1e-6)
        assert own.mean() == pytest.approx(1, abs=1e-9)


def test_heads_and_seeds_have_patterns_of_their_own():
    def pattern(seed, head):
        return Flood(percent=4, seed=seed).sensitivity(FIELD, places(FIELD[0]), places(FIELD[1]), head)

    assert (pattern(1, 0) == pattern(1, 0)).all()
    assert np.corrcoef(pattern(1, 0).ravel(), pattern(1, 1).ravel())[0, 1] < 0.6
    assert np.corrcoef(pattern(1, 0).ravel(), pattern(2, 0).ravel())[0, 1] < 0.6


def test_a_pass_averages_the_pattern_along_the_body():
    faults = Faults(flood=Flood(percent=6, seed=1))
    own = faults.passing_sensitivity(FIELD, places(FIELD[1]), 0)
    whole = faults.sensitivity(FIELD, places(FIELD[0]), places(FIELD[1]), 0)
    assert own == pytest.approx(whole.mean(axis=0), rel=1e-9)
    assert np.ptp(own) < 0.8 * np.ptp(whole)


def test_a_dead_tube_is_a_cold_disc_of_its_size():
    tube = DeadTube(w_mm=50, u_mm=-100, radius_mm=38, head=1)
    at = np.arange(-250.0, 250.0, 2.0)
    faults = Faults(dead_tubes=(tube,))
    assert (faults.sensitivity(FIELD, at, at, 0) == 1).all()  # on the other head
    seen = faults.sensitivity(FIELD, at, at, 1)
    assert seen.min() < 0.01
    lost_mm2 = (1 - seen).sum() * 4
    assert lost_mm2 == pytest.approx(math.pi * 38**2, rel=0.08)  # a soft edge adds pi^3 / 3 s^2, s = 5 mm: 6 %
    w, u = np.unravel_index(seen.argmin(), seen.shape)
    assert (at[w], at[u]) == pytest.approx((50, -100), abs=4)


def test_dead_time_is_paralysing():
    # m = n exp(-n tau), Knoll's formula; most is counted at n = 1 / tau, and 1 / e of that is left
    dead = DeadTime(microseconds=1.0, events_per_count=1.0)
    assert dead.kept(200e3) == pytest.approx(math.exp(-0.2))
    rates = np.arange(1e4, 4e6, 1e4)
    counted = rates * dead.kept(rates)
    assert rates[counted.argmax()] == pytest.approx(1e6)
    assert counted.max() == pytest.approx(1e6 / math.e)
    assert DeadTime(microseconds=1.0, events_per_count=2.0).kept(1e5) == pytest.approx(math.exp(-0.2))


def test_a_drifted_peak_moves_the_window_the_other_way():
    assert Faults(peak_drift_kev=4.0).window_seen((130.0, 151.0)) == (126.0, 147.0)


def test_usual_faults_are_the_camera_s_own():
    own = camera("symbia_lehr")
    usual = Faults.usual(own)
    assert usual.flood is not None
    assert usual.flood.percent == own.uniformity_percent
    assert usual.kept(1e5) == pytest.approx(math.exp(-1.5e-1 * own.dead_time_us))
    assert usual.background_cps > 0
    assert (NO_FAULTS.kept(np.array([1e6])) == 1).all()
    assert NO_FAULTS.window_seen((130.0, 151.0)) == (130.0, 151.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Flood(percent=60),
        lambda: Flood(percent=3, seed=-1),
        lambda: DeadTube(radius_mm=0),
        lambda: DeadTube(head=2),
        lambda: DeadTube(left_fraction=1.1),
        lambda: DeadTime(microseconds=-1),
        lambda: DeadTime(microseconds=1, events_per_count=0),
        lambda: Faults(axis_offset_mm=math.nan),
        lambda: Faults(peak_drift_kev=50),
        lambda: Faults(background_cps=-1),
    ],
)
def test_senseless_faults_are_refused(wrong):
    with pytest.raises(InvalidValue):
        wrong()
