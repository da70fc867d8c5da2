from __future__ import annotations

import pytest

from bonescan.followup.area import AreaCall, area_response
from bonescan.measurement import Measurement


def area(mm2: float | None, spread: float | None = None) -> Measurement:
    reason = "" if mm2 is not None else "no lesion was outlined."
    return Measurement(value=mm2, unit="mm2", uncertainty=spread, method="area", absent_reason=reason)


@pytest.mark.parametrize(
    ("prior", "current", "call"),
    [
        (1000, 700, AreaCall.FELL),  # the published limit itself is a response
        (1000, 701, AreaCall.WITHIN),
        (1000, 0, AreaCall.FELL),
        (1000, 1000, AreaCall.WITHIN),
        (1000, 1299, AreaCall.WITHIN),
        (1000, 1300, AreaCall.ROSE),
        (0, 500, AreaCall.NOT_JUDGED),  # no percentage of nothing
        (0, 0, AreaCall.NOT_JUDGED),
        (None, 500, AreaCall.NOT_JUDGED),
        (500, None, AreaCall.NOT_JUDGED),
    ],
)
def test_limit_of_thirty_percent(prior, current, call):
    answer = area_response(area(prior), area(current))
    assert answer.call is call
    assert (answer.change_percent.value is None) is (call is AreaCall.NOT_JUDGED)


def test_areas_that_cannot_be_compared_are_not_judged_and_the_reason_is_given():
    answer = area_response(area(1000), area(500), not_comparable="The speed differs twofold.")
    assert answer.call is AreaCall.NOT_JUDGED
    assert "twofold" in answer.change_percent.absent_reason
    assert "twofold" in answer.text


def test_a_smaller_area_is_never_called_a_benefit():
    text = area_response(area(1000), area(100)).text
    assert "no proof of benefit" in text
    assert not any(word in text.lower() for word in ("improve", "better", "success"))


def test_a_larger_area_is_never_called_progression_alone():
    assert "no progression" in area_response(area(1000), area(2000)).text


def test_uncertainty_of_a_quotient():
    # 10 % each of equal areas: sqrt(0.1^2 + 0.1^2) = 14.142 % [C]
    assert area_response(area(1000, 100), area(1000, 100)).change_percent.uncertainty == pytest.approx(
        14.1421, abs=1e-3
    )
