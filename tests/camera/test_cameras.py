from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from bonescan.camera import CAMERAS, camera
from bonescan.errors import InvalidValue


def drawn_share(crystal, energy_kev: float, window: tuple[float, float]) -> float:
    """The share of measured energies in a window, drawn photon by photon."""
    rng = np.random.default_rng(1)
    count = 400_000
    sigma = crystal.energy_resolution_percent / 100 / 2.354820 * np.sqrt(140.511 * energy_kev)
    lost = rng.exponential(crystal.tail_mean_percent / 100 * energy_kev, count) if crystal.tail_share else 0.0
    energy = energy_kev + sigma * rng.normal(size=count) - lost * (rng.random(count) < crystal.tail_share)
    return float(((energy >= window[0]) & (energy < window[1])).mean())


@pytest.mark.parametrize("energy_kev", [95.0, 125.0, 140.511])
@pytest.mark.parametrize("name", ["symbia_lehr", "czt_whole_body"])
def test_a_window_holds_the_share_that_drawing_gives(name, energy_kev):
    window = (118.0, 135.0)
    expected = drawn_share(camera(name).crystal, energy_kev, window)
    # 0.003: four standard errors of 400000 draws
    assert float(camera(name).crystal.spread(energy_kev, window)) == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize("name", CAMERAS)
def test_all_windows_together_hold_every_photon(name):
    crystal = camera(name).crystal
    edges = np.array([-1e3, 50.0, 100.0, 126.0, 140.0, 154.0, 1e3])
    total = sum(crystal.spread([20.0, 80.0, 140.5, 160.0], (a, b)) for a, b in itertools.pairwise(edges))
    assert total == pytest.approx(np.ones(4), abs=1e-9)


def test_a_semiconductor_counts_more_sharply_and_loses_some_below():
    sharp, wide = camera("czt_whole_body"), camera("symbia_lehr")
    window = wide.window_kev(15)
    assert sharp.detected_fraction(120.0, window) < wide.detected_fraction(120.0, window) / 10
    below = (90.0, 120.0)
    assert sharp.detected_fraction(140.511, below) > 100 * wide.detected_fraction(140.511, below)


def test_energies_keep_their_shape_and_windows_their_centre():
    own = camera("symbia_lehr")
    lower, upper = own.window_kev(20)
    assert (lower + upper) / 2 == pytest.approx(140.511)
    assert (upper - lower) / 140.511 == pytest.approx(0.2)
    assert own.detected_fraction(np.full((2, 3), 130.0), (lower, upper)).shape == (2, 3)
    assert own.sigma_mm([[0.0, 50.0]]).shape == (1, 2)
    assert own.sigma_mm(-20.0) == own.sigma_mm(0.0)


def test_what_is_unknown_or_impossible_is_refused():
    own = camera("symbia_lehr")
    with pytest.raises(InvalidValue, match="no camera 'pinhole'"):
        camera("pinhole")
    with pytest.raises(InvalidValue, match="20 to 300 keV"):
        own.detected_fraction([140.0, 10.0], (126.0, 154.0))
    with pytest.raises(InvalidValue, match="0 to 100 % wide"):
        own.window_kev(0)
    for part, change in (
        (own.collimator, {"hole": "triangular"}),
        (own.collimator, {"length_mm": 0.5}),
        (own.collimator, {"septum_mm": 0.0}),
        (own.crystal, {"thickness_mm": -1.0}),
        (own.crystal, {"escape_share": 1.5}),
        (own.crystal, {"tail_share": 0.3, "tail_mean_percent": 0.0}),
        (own.crystal, {"material": "cheese"}),
        (own, {"dead_time_us": 0.0}),
    ):
        with pytest.raises(InvalidValue):
            dataclasses.replace(part, **change)


@pytest.mark.parametrize(
    "window_kev", [(151.0, 130.0), (130.0, 130.0), (-1.0, 150.0), (np.nan, 150.0), (130.0, np.inf)]
)
def test_a_window_that_is_none_is_refused(window_kev):
    with pytest.raises(InvalidValue, match="ascend"):
        camera("symbia_lehr").sensitivity_cps_per_mbq(window_kev)
