"""Three phases of two legs: what is put into one of them is found, measured and called; healthy legs are not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.reading.limbs import ARRIVAL_S, PIXEL_MM, SHAPE, legs, patch, phase_pictures, study_of

from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.reading.three_phase.asymmetry import sums_of
from bonescan.reading.three_phase.explanations import Call
from bonescan.reading.three_phase.mirror import field_of, mirror_of
from bonescan.reading.three_phase.phases import judge, read_phases, side_limit
from bonescan.scan import Phase, ViewName

FOCUS = patch("left", (36, 44), 4)  # 38 x 43 mm
LIMB = patch("left", (15, 65), 9)  # 240 mm long
UP = dict.fromkeys(Phase, 3.0)


def test_a_focus_is_found_measured_and_timed():
    rng = np.random.default_rng(1)
    reading = read_phases(study_of(phase_pictures(UP, FOCUS), rng))
    assert reading.region is not None
    assert reading.region.side == "left"
    assert (reading.region.mask & (FOCUS > 0)).sum() > 0.7 * reading.region.mask.sum()
    assert [finding.call for finding in reading.findings] == [Call.FOCAL_UP] * 3
    for finding in reading.findings:
        # three times, less what the region's smoothed edge takes in of the normal leg
        assert 2.2 < finding.ratio.value < 3.2
    assert [one.code for one in reading.explanations if one.fits] == ["osteomyelitis", "acute_fracture"]
    for curve in reading.curves:
        assert curve.arrival_s.value == pytest.approx(ARRIVAL_S, abs=3 * curve.arrival_s.uncertainty + 0.25)
    slope = reading.slope_ratio
    assert slope.value == pytest.approx(reading.findings[0].ratio.value, abs=3 * slope.uncertainty)


def test_more_blood_of_a_limb_is_diffuse():
    factor = {Phase.FLOW: 3.0, Phase.POOL: 3.0, Phase.DELAYED: 1.0}
    reading = read_phases(study_of(phase_pictures(factor, LIMB), np.random.default_rng(2)))
    assert [finding.call for finding in reading.findings] == [Call.DIFFUSE_UP, Call.DIFFUSE_UP, Call.NORMAL]
    assert "cellulitis" in [one.code for one in reading.explanations if one.fits]


def test_the_side_that_is_told_decides_between_more_and_less():
    factor = {Phase.FLOW: 3.0, Phase.POOL: 3.0, Phase.DELAYED: 1.0}
    study = study_of(phase_pictures(factor, LIMB), np.random.default_rng(3), body_part="FOOT")
    untold = {one.code: one.side for one in read_phases(study).explanations if one.fits}
    assert untold == {"cellulitis": "left", "regional_pain_late": "right"}
    told = read_phases(study, side="right")
    assert [finding.call for finding in told.findings] == [Call.DOWN, Call.DOWN, Call.NORMAL]
    assert [one.code for one in told.explanations if one.fits] == ["regional_pain_late"]
    with pytest.raises(InvalidValue):
        read_phases(study, side="middle")


def test_healthy_legs_have_no_region_and_no_asymmetry():
    reading = read_phases(study_of(phase_pictures({}, FOCUS), np.random.default_rng(4)))
    assert reading.region is not None
    assert reading.region.found_in is None
    assert [one.code for one in reading.explanations if one.fits] == ["no_asymmetry"]


def test_absent_phases_are_absent_with_their_reason_and_the_others_are_read():
    study = study_of(phase_pictures(UP, FOCUS), np.random.default_rng(5), without=(Phase.FLOW, Phase.POOL))
    reading = read_phases(study)
    flow, pool, delayed = reading.findings
    assert flow.call is None
    assert pool.ratio.absent_reason == "It was not made."
    assert delayed.call is Call.FOCAL_UP
    assert reading.curves == ()
    assert reading.arrival_difference_s.value is None
    assert any("table says less" in text for text in reading.sentences)


def test_one_leg_alone_is_not_judged():
    one = {phase: np.roll(picture * (np.indices(SHAPE)[1] > 39), -15, axis=1) for phase, picture in
           phase_pictures(UP, FOCUS).items()}  # fmt: skip
    reading = read_phases(study_of({p: one[p] + 0.02 for p in one}, np.random.default_rng(6)))
    assert reading.mirror is None
    assert all(finding.call is None for finding in reading.findings)
    assert reading.explanations == ()
    assert "other side is not in view" in reading.sentences[0]


def test_the_uncertainty_of_a_ratio_is_its_spread_over_replicas():
    rng = np.random.default_rng(7)
    expected = phase_pictures(UP, FOCUS)[Phase.POOL]
    field = field_of(study_of(phase_pictures(UP, FOCUS), rng))
    mirror = mirror_of(field)
    assert mirror is not None
    region = FOCUS > 0
    weights = mirror.weights(region)
    replicas = [sums_of(rng.poisson(expected), region, weights) for _ in range(400)]
    logs = np.log([one.ratio for one in replicas])
    told = np.mean([one.log_sd for one in replicas])
    # 400 replicas give a standard deviation to 3.5 %; three of these
    assert logs.std() == pytest.approx(told, rel=0.11)


def test_a_region_is_carried_by_the_adjoint_of_carrying_the_picture():
    rng = np.random.default_rng(8)
    field = field_of(study_of(phase_pictures(UP, FOCUS), rng))
    mirror = mirror_of(field)
    assert mirror is not None
    picture, region = rng.random(SHAPE), rng.random(SHAPE) > 0.7
    region[:2] = region[-2:] = region[:, :2] = region[:, -2:] = False
    inside = (mirror.rows > 0) & (mirror.rows < SHAPE[0] - 1) & (mirror.columns > 0) & (mirror.columns < SHAPE[1] - 1)
    region &= inside
    assert (mirror.weights(region) * picture).sum() == pytest.approx(mirror.carried(picture)[region].sum(), rel=1e-9)


def test_a_leg_that_lies_otherwise_still_meets_its_counterpart():
    # the left leg lies 29 mm lower: pixel for pixel its mirror image would miss it at both ends
    middle = SHAPE[1] // 2
    shifted = legs()
    shifted[:, middle:] = np.roll(shifted[:, middle:], 6, axis=0)
    shifted[:10], shifted[-4:] = 0, 0
    expected = dict.fromkeys(Phase, 40 * shifted + 0.02)
    field = field_of(study_of(expected, np.random.default_rng(9)))
    mirror = mirror_of(field)
    assert mirror is not None
    assert mirror.overlap > 0.97
    assert mirror.axis_column == pytest.approx((SHAPE[1] - 1) / 2, abs=1)


def test_phases_without_a_common_view_are_refused_and_pixels_that_are_not_square_are_made_so():
    study = study_of(phase_pictures(UP, FOCUS), np.random.default_rng(12))
    assert study.flow is not None
    behind = replace(study.flow, view_names=(ViewName.POSTERIOR,))
    with pytest.raises(GeometryMismatch, match="no view in common"):
        field_of(replace(study, flow=behind))
    wide = replace(study.flow, counts=study.flow.counts[..., ::2] * 2, column_spacing_mm=2 * PIXEL_MM)
    field = field_of(replace(study, flow=wide))
    assert field.body.shape == SHAPE
    assert field.counts[Phase.FLOW].sum() == pytest.approx(wide.counts.sum())


def test_a_phase_that_moved_is_moved_back():
    pictures = phase_pictures(UP, FOCUS)
    pictures[Phase.DELAYED] = np.roll(pictures[Phase.DELAYED], (3, -2), axis=(0, 1))
    field = field_of(study_of(pictures, np.random.default_rng(10)))
    # outlines of few counts are certain to a pixel
    assert field.shift_mm[Phase.DELAYED] == pytest.approx((3 * PIXEL_MM, -2 * PIXEL_MM), abs=PIXEL_MM)
    assert field.shift_mm[Phase.POOL] == pytest.approx((0.0, 0.0), abs=PIXEL_MM)


@pytest.mark.parametrize(
    ("phase", "part", "limit"),
    [
        (Phase.FLOW, "ANKLE", 63 / 37),
        (Phase.FLOW, "FOOT", 67 / 33),
        (Phase.POOL, "LEG", 57 / 43),
        (Phase.POOL, "FOOT", 60 / 40),
        (Phase.DELAYED, "HAND", 1.32),  # Wüppenhorst 2010
        (Phase.DELAYED, None, 1.32),
    ],
)
def test_limits_are_the_published_ones(phase, part, limit):
    assert side_limit(phase, part) == pytest.approx(limit)


def test_a_ratio_on_its_limit_is_undecided_and_counting_sharpens_it():
    at = judge(1.5, 0.01, 1.0, 250.0, 1.5)
    assert at.up_if_diffuse == pytest.approx(0.5)
    few, many = judge(1.8, 0.5, 1.0, 250.0, 1.5), judge(1.8, 0.01, 1.0, 250.0, 1.5)
    assert 0.5 < few.up_if_diffuse < many.up_if_diffuse
    assert judge(1.2, 0.01, 1.0, 100.0, 1.5).focal == pytest.approx(0.5)
    # a limb with more blood throughout is no focus in it
    assert judge(1.6, 0.01, 1.6, 40.0, 1.5).up_if_focal < 0.01
    assert math.isclose(sum(at.probabilities.values()), 1.0)
