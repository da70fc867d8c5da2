from __future__ import annotations

import numpy as np
import pytest

from bonescan.tracer.circulation import BLOOD_REGIONS, REFERENCE_OUTPUT_L_PER_MIN, blood_shares

SECONDS = np.arange(0, 120, 0.5)
CURVES = {region: np.array([blood_shares(second)[region] for second in SECONDS]) for region in BLOOD_REGIONS}


def test_everything_begins_in_the_arm_vein_and_nothing_is_lost():
    assert blood_shares(0.0)["arm_vein"] == 1
    assert sum(CURVES.values()) == pytest.approx(1, abs=1e-12)
    assert min(curve.min() for curve in CURVES.values()) > -1e-12


def test_regions_peak_in_the_order_of_the_circulation():
    order = ("arm_vein", "right_heart", "lungs", "left_heart", "trunk", "thighs", "legs", "feet")
    peaks = [SECONDS[CURVES[region].argmax()] for region in order]
    assert peaks == sorted(peaks)
    assert len(set(peaks)) == len(peaks)


def test_the_lungs_are_passed_in_their_published_time():
    # mean pulmonary transit 4.9 s in 14 healthy people (radiocardiography, abstract); the first moment of the
    # occupancy over a sharp bolus is that time, recirculation apart, hence the first 18 s and 10 %
    first = SECONDS < 18
    recirculated = 0.11 * np.clip((SECONDS - 18) / 6, 0, 1)
    occupied = np.clip(CURVES["lungs"] - recirculated, 0, None)[first].sum() * 0.5
    assert occupied == pytest.approx(4.9, rel=0.1)


def test_times_scale_with_the_inverse_of_cardiac_output():
    for second in (4.0, 11.0, 25.0):
        slow = blood_shares(2 * second, REFERENCE_OUTPUT_L_PER_MIN / 2)
        assert slow == pytest.approx(blood_shares(second), abs=1e-12)
