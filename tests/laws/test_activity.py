"""Activity is neither made nor lost: in compartments, in the blood on its first way round, and over time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bonescan.tracer import COMPARTMENTS, RADIOPHARMACEUTICALS, Physiology, kinetics, radiopharmaceutical

WHOLE = 1e-9  # the project's own promise: shares sum to one within this, at every time

TIMES = (0.0, 1e-6, 0.001, 0.003, 0.0031, 0.01, 0.5, 1, 3, 6, 24, 48, 200)

PHYSIOLOGIES = st.builds(
    Physiology,
    sex=st.sampled_from(("male", "female")),
    age_years=st.floats(1, 100),
    mass_kg=st.floats(8, 250),
    gfr_ml_per_min=st.one_of(st.just(0.0), st.floats(0, 200)),
    bone_turnover=st.floats(0.1, 10),
    cardiac_output_l_per_min=st.floats(1, 12),
    extravasated_fraction=st.one_of(st.just(1.0), st.floats(0, 1)),
    free_pertechnetate_fraction=st.floats(0, 0.5),
    colloid_fraction=st.floats(0, 0.5),
    voids_h=st.lists(st.floats(0.001, 47), unique=True, max_size=5).map(lambda voids: tuple(sorted(voids))),
    residual_fraction=st.floats(0, 1),
)


@settings(max_examples=60, deadline=None)
@given(PHYSIOLOGIES, st.lists(st.floats(0, 72), max_size=3))
def test_shares_sum_to_one_and_none_is_negative(physiology, times):
    way = kinetics(radiopharmaceutical("Tc-99m MDP"), physiology)
    around_voids = [
        time for void in physiology.voids_h for time in (math.nextafter(void, 0), void, math.nextafter(void, math.inf))
    ]
    for time in (*TIMES, *times, *around_voids):
        shares = way.shares(time)
        assert sum(shares.values()) == pytest.approx(1, abs=WHOLE)
        assert min(shares.values()) >= 0


@pytest.mark.parametrize("name", RADIOPHARMACEUTICALS)
def test_every_tracer_is_conserved_and_decays_by_its_half_life(name):
    tracer = radiopharmaceutical(name)
    way = kinetics(tracer, Physiology(voids_h=(1.0, 2.75)))
    for time in TIMES:
        shares = way.shares(time)
        assert sum(shares.values()) == pytest.approx(1, abs=WHOLE)
        assert 1 - shares["decayed"] == pytest.approx(0.5 ** (time / tracer.nuclide.half_life_h), rel=1e-9)


def test_nothing_is_anywhere_before_the_injection_and_nothing_in_tissue_before_blood_arrives():
    way = kinetics(radiopharmaceutical("Tc-99m MDP"), Physiology())
    assert set(way.shares(-0.001).values()) == {0.0}
    at_first = way.shares(5 / 3600)  # 11.2 s from arm to artery
    assert {name for name, share in at_first.items() if share > 0} == {"blood", "decayed"}


def test_a_void_moves_the_bladder_into_the_toilet_and_nothing_else():
    tracer = radiopharmaceutical("Tc-99m MDP")
    before = kinetics(tracer, Physiology(voids_h=())).shares(2.75)
    after = kinetics(tracer, Physiology(voids_h=(2.75,), residual_fraction=0.1)).shares(2.75)
    assert after["bladder"] == pytest.approx(0.1 * before["bladder"], rel=1e-9)
    assert after["voided"] == pytest.approx(0.9 * before["bladder"], rel=1e-9)
    others = set(before) - {"bladder", "voided"}
    assert {name: after[name] for name in others} == pytest.approx({name: before[name] for name in others}, abs=1e-12)


def test_what_is_not_the_tracer_adds_linearly():
    # a mixture behaves as the sum of its parts: the model is linear in what is injected
    tracer = radiopharmaceutical("Tc-99m MDP")
    pure, free, colloid = (
        kinetics(tracer, Physiology(**parts)).shares(3.0)
        for parts in ({}, {"free_pertechnetate_fraction": 1.0}, {"colloid_fraction": 1.0})
    )
    mixed = kinetics(tracer, Physiology(free_pertechnetate_fraction=0.3, colloid_fraction=0.2)).shares(3.0)
    expected = {name: 0.5 * pure[name] + 0.3 * free[name] + 0.2 * colloid[name] for name in mixed}
    assert mixed == pytest.approx(expected, abs=1e-12)


def test_integrated_activity_sums_to_the_mean_life_and_agrees_with_a_sum_over_time():
    tracer = radiopharmaceutical("Tc-99m MDP")
    way = kinetics(tracer, Physiology(voids_h=(1.0, 2.75, 5.0)))
    until = 8.0
    residence = way.residence_h(until)
    assert sum(residence.values()) == pytest.approx(
        -math.expm1(-tracer.nuclide.decay_per_h * until) / tracer.nuclide.decay_per_h
    )
    for start, end in (
        (0.0, 1.0),
        (1.0, 2.75),
    ):  # between voids the content is smooth: Gauss-Legendre is then exact enough
        nodes, weights = np.polynomial.legendre.leggauss(40)
        hours = (end - start) / 2 * nodes + (end + start) / 2
        for name in COMPARTMENTS:
            summed = (end - start) / 2 * sum(w * way.shares(h)[name] for h, w in zip(hours, weights, strict=True))
            between = way.residence_h(end)[name] - (way.residence_h(start)[name] if start else 0)
            assert between == pytest.approx(summed, abs=2e-5)  # the kink when blood arrives, 11 s


@settings(max_examples=40, deadline=None)
@given(PHYSIOLOGIES, st.floats(0, 200))
def test_the_first_pass_shares_out_the_blood_and_is_never_negative(physiology, seconds):
    way = kinetics(radiopharmaceutical("Tc-99m MDP"), physiology)
    regions = way.first_pass(seconds)
    assert sum(regions.values()) == pytest.approx(way.shares(seconds / 3600)["blood"], abs=WHOLE)
    assert min(regions.values()) > -1e-12
