from __future__ import annotations

import math

import pytest

from bonescan.camera.protocols import PROTOCOLS, Flow, Pool, Spot, Table, ThreePhase, Tomography, WholeBody, protocol
from bonescan.errors import InvalidValue


def test_defaults_lie_within_the_guidelines():
    # witnesses: SNM 2.0 as in NuMeBook (10 to 15 cm/min, spots of 300 k to 1 M), EANM 2016 (15 or 20 % window, blood
    # pool within 10 min, delayed at 2 to 5 h), and departments' protocols (films of 1 to 5 s frames for 60 s)
    for name in ("whole_body", "whole_body_fast", "whole_body_fixed_height"):
        assert 10 <= protocol(name).speed_mm_per_s * 6 <= 15
    three = protocol("three_phase")
    assert three.flow.frame_s * three.flow.frames == 60
    assert three.pool.start_min + three.pool.spot.duration_s / 60 <= 10
    assert 2 <= three.delayed_h <= 5
    assert 300e3 <= protocol("spot").counts <= 1e6
    for name in ("tomography", "tomography_continuous", "tomography_ellipse"):
        assert 60 <= protocol(name).views <= 120
        assert 10 <= protocol(name).seconds_per_view <= 30
        assert protocol(name).shape == (128, 128)


def test_a_protocol_has_a_name():
    for name, own in PROTOCOLS.items():
        assert protocol(name) is own
    with pytest.raises(InvalidValue, match="whole_body"):
        protocol("whole body")


def test_a_pass_has_a_speed_or_a_dwell():
    assert WholeBody().speed_over(400) == 2.0
    assert WholeBody(speed_mm_per_s=None, dwell_s=160).speed_over(400) == 2.5
    with pytest.raises(InvalidValue):
        WholeBody(dwell_s=100)
    with pytest.raises(InvalidValue):
        WholeBody(speed_mm_per_s=None)
    with pytest.raises(InvalidValue):
        WholeBody(speed_mm_per_s=0)


def test_the_scatter_window_lies_next_below_the_photopeak():
    photopeak, scatter = Tomography(scatter_percent=10).windows_kev((129.95, 151.05))
    assert photopeak == (129.95, 151.05)
    assert scatter == pytest.approx((129.95 - 14.05, 129.95))  # 10 % of 140.5 keV
    assert Tomography(scatter_percent=0).windows_kev((130.0, 151.0)) == ((130.0, 151.0),)


def test_three_phases_look_at_one_place():
    three = ThreePhase().over((30.0, 80.0))
    assert {three.flow.centre_mm, three.pool.spot.centre_mm, three.delayed.centre_mm} == {(30.0, 80.0)}
    assert three.pool.spot.duration_s == ThreePhase().pool.spot.duration_s


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: WholeBody(clearance_mm=-1),
        lambda: WholeBody(shape=(1, 256)),
        lambda: WholeBody(window_percent=0.5),
        lambda: Spot(duration_s=10),
        lambda: Spot(counts=None),
        lambda: Spot(centre_mm=(0.0, math.nan)),
        lambda: Flow(frames=0),
        lambda: Flow(start_s=-1),
        lambda: Pool(start_min=-1),
        lambda: Tomography(views=63),
        lambda: Tomography(orbit="square"),
        lambda: Tomography(continuous=True),
        lambda: Tomography(scatter_percent=120),
        lambda: Table(width_mm=math.inf),
    ],
)
def test_senseless_values_are_refused(wrong):
    with pytest.raises(InvalidValue):
        wrong()
