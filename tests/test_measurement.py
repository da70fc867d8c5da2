from __future__ import annotations

import math

import pytest

from bonescan.errors import BoneScanError, InvalidValue
from bonescan.measurement import Measurement


def test_a_number_keeps_what_makes_it_readable():
    area = Measurement(value=8100.0, unit="mm2", uncertainty=90.0, method="sum of areas", source="doi:10.1000/1")
    assert (area.value, area.unit, area.uncertainty) == (8100.0, "mm2", 90.0)
    assert (area.method, area.source, area.absent_reason) == ("sum of areas", "doi:10.1000/1", "")


def test_zero_is_a_number_and_no_uncertainty_is_unknown():
    measured = Measurement(value=0.0, unit="%", method="index")
    assert measured.value == 0.0
    assert measured.uncertainty is None


def test_what_could_not_be_measured_says_why():
    absent = Measurement(value=None, unit="mm", method="depth", absent_reason="one view only")
    assert absent.value is None
    assert absent.absent_reason == "one view only"


@pytest.mark.parametrize(("value", "reason"), [(None, ""), (1.0, "one view only"), (0.0, "none found")])
def test_a_measurement_is_a_number_or_a_reason_never_both_or_neither(value, reason):
    with pytest.raises(InvalidValue, match="either a value or a reason"):
        Measurement(value=value, unit="1", method="ratio", absent_reason=reason)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_is_finite(value):
    with pytest.raises(InvalidValue, match="must be finite"):
        Measurement(value=value, unit="1", method="ratio")


@pytest.mark.parametrize("uncertainty", [-0.1, math.nan, math.inf])
def test_an_uncertainty_is_finite_and_not_negative(uncertainty):
    with pytest.raises(InvalidValue, match="uncertainty is a finite number of at least 0") as caught:
        Measurement(value=1.0, unit="1", uncertainty=uncertainty, method="ratio")
    assert caught.value.facts["method"] == "ratio"


def test_a_wrong_value_is_also_a_value_error():
    assert issubclass(InvalidValue, ValueError)
    assert issubclass(InvalidValue, BoneScanError)


def test_a_measurement_cannot_be_changed():
    measured = Measurement(value=1.0, unit="1", method="ratio")
    with pytest.raises(AttributeError):
        measured.value = 2.0
