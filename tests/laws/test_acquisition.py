"""Laws of counting: Poisson's, proportion to time and activity, decay, dead time, and what a motion leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.camera.phantoms import emitter, no_scatter

from bonescan.camera.acquisition import whole_body_model
from bonescan.camera.cameras import camera
from bonescan.camera.faults import NO_FAULTS, DeadTime, Faults, Flood
from bonescan.camera.protocols import Spot, WholeBody
from bonescan.camera.stills import spot_model

OWN = camera("symbia_lehr")
COARSE = WholeBody(shape=(256, 64))


def passing(*what, begins=(0.0,), faults=NO_FAULTS, speed=2.0, counts=None):
    emitters = what or (emitter(),)
    protocol = replace(COARSE, speed_mm_per_s=speed)
    return whole_body_model(emitters, OWN, protocol, no_scatter, begins=begins, faults=faults, counts=counts)


def test_counts_are_poisson():
    model = passing(counts=2e5)
    expected = model.expected()
    rng = np.random.default_rng(7)
    drawn = np.array([[view.counts for view in model.acquire(rng).views] for _ in range(200)])
    lit = expected > 5
    z = (drawn.mean(axis=0) - expected)[lit] / np.sqrt(expected[lit] / 200)
    assert abs(z.mean()) < 5 / np.sqrt(lit.sum())
    assert z.std() == pytest.approx(1, abs=5 / np.sqrt(2 * lit.sum()))
    ratio = (drawn.var(axis=0, ddof=1)[lit] / expected[lit]).mean()
    # a sample variance of 200 has a relative error of sqrt(2 / 199), and there are so many pixels of them
    assert ratio == pytest.approx(1, abs=5 * np.sqrt(2 / 199 / lit.sum()))
    assert (drawn[:, expected == 0] == 0).all()


def test_counts_are_proportional_to_activity_and_time():
    one, three = passing(emitter(kbq_per_ml=10.0)), passing(emitter(kbq_per_ml=30.0))
    assert three.expected() == pytest.approx(3 * one.expected(), rel=1e-5)
    stable = [passing(emitter(half_life_h=1e9), speed=speed).expected().sum() for speed in (2.0, 1.0)]
    assert stable[1] == pytest.approx(2 * stable[0], rel=1e-6)


def test_a_spot_s_total_is_the_integral_of_its_decay():
    spot = Spot(centre_mm=(0, 300), duration_s=600, counts=None)

    def total(half_life_h):
        return spot_model(emitter(half_life_h=half_life_h), OWN, spot, no_scatter, faults=NO_FAULTS).expected().sum()

    for half_life_h in (6.0067, 0.1):
        per_s = np.log(2) / (3600 * half_life_h)
        share = (1 - np.exp(-per_s * 600)) / (per_s * 600)
        assert total(half_life_h) == pytest.approx(share * total(1e9), rel=1e-6)


def test_a_pass_s_rows_decay_until_they_are_reached():
    # a row at s from the first end is seen from s / v to (s + L) / v
    quick, stable = passing(emitter(half_life_h=0.2)), passing(emitter(half_life_h=1e9))
    per_s = np.log(2) / (3600 * 0.2)
    way = stable.top_mm - stable.lattice.z_mm
    field = OWN.field_mm[0]
    inside = (way > 10) & (way < stable.scan_length_mm - 10)
    share = np.exp(-per_s * way / 2.0) * (1 - np.exp(-per_s * field / 2.0)) / (per_s * field / 2.0)
    ratio = quick.seconds[0] / np.maximum(stable.seconds[0], 1e-12)
    assert ratio[:, inside] == pytest.approx(np.broadcast_to(share[inside], (2, inside.sum())), rel=1e-4)
    assert stable.seconds[0][:, inside] == pytest.approx(field / 2.0, rel=1e-6)


def test_a_motion_at_the_very_end_or_beginning_is_none():
    before, after = emitter(), emitter(z=(15, 45))
    still, moved = passing(before).expected(), passing(after).expected()
    assert passing(before, after, begins=(0.0, 1.0)).expected() == pytest.approx(still)
    assert passing(before, after, begins=(0.0, 0.0)).expected() == pytest.approx(moved)


def test_each_row_sees_the_poses_by_the_time_it_saw_them():
    model = passing(emitter(half_life_h=1e9), emitter(half_life_h=1e9), begins=(0.0, 0.4))
    way = model.top_mm - model.lattice.z_mm
    inside = (way > 10) & (way < model.scan_length_mm - 10)
    moved_s = 0.4 * model.duration_s
    before = np.clip(moved_s - way / 2.0, 0, OWN.field_mm[0] / 2.0)
    assert model.seconds[0][0, inside] == pytest.approx(before[inside], abs=1e-3)
    assert model.seconds.sum(axis=0)[:, inside] == pytest.approx(OWN.field_mm[0] / 2.0, rel=1e-6)
    halves = passing(emitter(), emitter(), begins=(0.0, 0.4)).expected()
    assert halves == pytest.approx(passing(emitter()).expected(), rel=1e-6)  # who moves into the same pose has not


def test_dead_time_takes_the_share_of_the_rate_under_the_head():
    blind = Faults(dead_time=DeadTime(microseconds=20.0, events_per_count=1.0))
    spot = Spot(centre_mm=(0, 300), duration_s=1.0, counts=None)
    free = spot_model(emitter(half_life_h=1e9), OWN, spot, no_scatter, faults=NO_FAULTS).expected()
    lost = spot_model(emitter(half_life_h=1e9), OWN, spot, no_scatter, faults=blind).expected()
    for n, m in zip(free.sum(axis=(1, 2)), lost.sum(axis=(1, 2)), strict=True):
        assert m == pytest.approx(n * np.exp(-n * 20e-6), rel=1e-6)
        assert m < 0.95 * n
    # of a pass, a row in the middle of a long even body has the same loss: the head is over such a part all the while
    rows = passing(faults=blind).expected()[0].sum(axis=1) / passing().expected()[0].sum(axis=1).clip(1e-9)
    middle = np.argmin(np.abs(passing().lattice.z_mm - 300))
    per_mm = passing().unscattered_cps[0, 0].sum() / 500
    most = np.exp(-per_mm * 387 * 20e-6)
    assert most < rows[middle] < np.sqrt(most)


def test_unevenness_keeps_the_mean():
    model, bare = passing(faults=Faults(flood=Flood(percent=8, seed=2))), passing()
    field = np.abs(bare.lattice.u_mm) < OWN.field_mm[1] / 2
    assert (model.columns[:, field] / bare.columns[:, field]).mean(axis=1) == pytest.approx(1, abs=0.005)
    assert model.expected().sum() == pytest.approx(bare.expected().sum(), rel=0.03)
