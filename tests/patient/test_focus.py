from __future__ import annotations

import numpy as np
import pytest

from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus

PLACE = {"segment": "lumbar", "centre_mm": np.zeros(3), "axes_mm": 10 * np.eye(3)}


def test_a_focus_changes_nothing_until_told_what():
    focus = Focus(**PLACE)
    assert (focus.uptake_factor, focus.blood_factor, focus.mineral_factor, focus.added_fraction) == (1, 1, 1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"segment": "tail"},
        {"realm": "soul"},
        {"profile": "star"},
        {"bones": ("vertebra_l06",)},
        {"uptake_factor": -1.0},
        {"late_gain": float("nan")},
        {"added_fraction": 1.2},
        {"axes_mm": np.zeros((3, 3))},
        {"centre_mm": np.array([0, np.nan, 0])},
    ],
)
def test_a_focus_that_cannot_be_is_refused(wrong):
    with pytest.raises(InvalidValue):
        Focus(**{**PLACE, **wrong})
