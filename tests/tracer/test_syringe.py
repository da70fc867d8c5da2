from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonescan.errors import InvalidValue
from bonescan.scan import Severity
from bonescan.tracer import Vial, draw, net_injected

NINE = datetime(2026, 3, 4, 9, 0)


def vial(**changes) -> Vial:
    facts = {"activity_mbq": 5000.0, "volume_ml": 5.0, "calibrated_at": NINE, "half_life_h": 6.0, "shelf_life_h": 6.0}
    return Vial(**{**facts, **changes})


def codes(remarks) -> set[str]:
    return {remark.code for remark in remarks}


# Witness: decay chart of the FDA labels of Tc-99m kits, half-life 6.02 h, printed to three decimals.
@pytest.mark.parametrize(("hours", "fraction"), [(1, 0.891), (2, 0.794), (3, 0.708), (6, 0.501), (12, 0.251)])
def test_the_vial_decays_as_the_printed_chart(hours, fraction):
    left = vial(half_life_h=6.02).activity_at(NINE + timedelta(hours=hours))
    assert left == pytest.approx(5000 * fraction, abs=5000 * 0.0006)


def test_after_a_half_life_twice_the_volume_is_drawn():
    now = draw(vial(), activity_mbq=500, inject_at=NINE)
    later = draw(vial(), activity_mbq=500, inject_at=NINE + timedelta(hours=6))
    assert now.volume_ml == pytest.approx(0.5)
    assert later.volume_ml == pytest.approx(1.0)
    assert later.reading_mbq(360) == pytest.approx(1000)  # six hours before it was twice as much


@given(st.floats(50, 600), st.floats(-5, 5), st.floats(0, 20))
def test_nothing_is_lost_between_vial_and_syringe(activity, hours, residual):
    drawn = draw(vial(), activity_mbq=activity, inject_at=NINE + timedelta(hours=hours), residual_percent=residual)
    assert drawn.activity_mbq + drawn.left_mbq == pytest.approx(drawn.vial_mbq)
    assert drawn.volume_ml + drawn.left_ml == pytest.approx(5)
    assert drawn.activity_mbq - drawn.residual_mbq == pytest.approx(activity)
    assert drawn.residual_mbq == pytest.approx(drawn.activity_mbq * residual / 100)


def test_a_vial_that_holds_too_little_is_one_clear_sentence():
    with pytest.raises(InvalidValue) as refused:
        draw(vial(), activity_mbq=500, inject_at=NINE + timedelta(hours=24))
    assert str(refused.value) == (
        "The vial will hold only 312 MBq in 5 ml at 09:00, and 500 MBq are needed: "
        "inject earlier or take a fresher vial."
    )


def test_an_old_vial_and_a_tiny_volume_are_warned_about():
    assert codes(draw(vial(), activity_mbq=500, inject_at=NINE + timedelta(hours=6)).remarks) == set()
    old = draw(vial(), activity_mbq=500, inject_at=NINE + timedelta(hours=6, minutes=6)).remarks
    assert [(remark.code, remark.severity) for remark in old] == [("plan.vial.expired", Severity.WARNING)]
    assert "6.1 h old at injection, over its shelf life of 6 h" in old[0].text
    assert codes(draw(vial(), activity_mbq=100, inject_at=NINE).remarks) == {"plan.syringe.small"}


def test_a_vial_calibrated_in_advance_is_stronger_before_its_time():
    early = draw(vial(), activity_mbq=500, inject_at=NINE - timedelta(hours=6))
    assert early.volume_ml == pytest.approx(0.25)
    assert codes(early.remarks) == {"plan.vial.later"}
    assert early.remarks[0].severity is Severity.NOTE


def test_a_vial_of_another_day_and_a_weak_vial_are_warned_about():
    far = draw(vial(), activity_mbq=2000, inject_at=NINE - timedelta(hours=11)).remarks
    assert [(remark.code, remark.severity) for remark in far] == [("plan.vial.later", Severity.WARNING)]
    assert "check the day" in far[0].text
    fluoride = vial(activity_mbq=20000, half_life_h=1.8295, shelf_life_h=None)
    past = draw(fluoride, activity_mbq=180, inject_at=NINE + timedelta(hours=10)).remarks
    assert [(remark.code, remark.severity) for remark in past] == [("plan.vial.earlier", Severity.WARNING)]
    weak = draw(vial(activity_mbq=510), activity_mbq=500, inject_at=NINE).remarks
    assert codes(weak) == set()  # 4.9 of 5 ml
    weak = draw(vial(activity_mbq=720, volume_ml=10.0), activity_mbq=500, inject_at=NINE).remarks
    assert [(remark.code, remark.severity) for remark in weak] == [("plan.syringe.large", Severity.WARNING)]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: vial(activity_mbq=0), "The vial's activity is 1 to 200000 MBq, got 0."),
        (lambda: vial(volume_ml=-1), "The vial's volume is 0.05 to 100 ml, got -1."),
        (lambda: draw(vial(), activity_mbq=500, inject_at=NINE + timedelta(days=3)), "check the dates"),
        (lambda: draw(vial(), activity_mbq=500, inject_at=NINE, residual_percent=80), "0 to 50 %, got 80"),
    ],
)
def test_a_vial_that_cannot_be_is_refused(call, told):
    with pytest.raises(InvalidValue) as refused:
        call()
    assert told in str(refused.value)


def test_the_injected_activity_is_the_full_syringe_less_the_empty_one_at_the_time_of_injection():
    # by hand with a half-life of 6 h: 600 MBq six hours early are 300, 20 MBq six hours late are 40
    measured = net_injected(
        full_mbq=600, full_at=NINE - timedelta(hours=6), empty_mbq=20, empty_at=NINE + timedelta(hours=6),
        injected_at=NINE, half_life_h=6.0,
    )  # fmt: skip
    assert measured.value == pytest.approx(260)
    assert measured.uncertainty == pytest.approx(13)
    assert measured.unit == "MBq"


@pytest.mark.parametrize(
    ("full_mbq", "empty_mbq", "minutes", "told"),
    [(100, 200, 10, "holds more than the full one"), (500, 20, -10, "in this order")],
)
def test_readings_that_contradict_each_other_are_refused(full_mbq, empty_mbq, minutes, told):
    with pytest.raises(InvalidValue, match=told):
        net_injected(
            full_mbq=full_mbq, full_at=NINE, empty_mbq=empty_mbq, empty_at=NINE + timedelta(minutes=minutes),
            injected_at=NINE, half_life_h=6.0,
        )  # fmt: skip
