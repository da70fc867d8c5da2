from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from tests.reading.boxes import Person

from bonescan.reading.measures import disturbance
from bonescan.scan import ViewName

A, P = ViewName.ANTERIOR, ViewName.POSTERIOR
PELVIS = ("hip_bone_l", "hip_bone_r", "sacrum")


@pytest.fixture
def person():
    return Person()


def one_view(person, name=A, **facts):
    return person.view(name, np.random.default_rng(7), **facts)


def replaced(view, counts):
    return dataclasses.replace(view, counts=np.asarray(counts, np.float32))


@pytest.mark.parametrize(("counts", "gain"), [(2.0e6, 1.0), (2.0e6, 2.5), (0.6e6, 2.5), (0.6e6, 0.2)])
def test_noise_tells_what_a_pixel_value_is_worth(person, counts, gain):
    # values are gain x Poisson counts, so one unit of value is worth 1 / gain counts
    person.counts = counts
    view, labelled = one_view(person)
    told = disturbance.counts_per_value(replaced(view, view.counts * gain), labelled)
    assert told == pytest.approx(1 / gain, rel=0.2)


def test_noise_still_tells_after_the_picture_was_enlarged(person):
    # 1.4 times as many rows and columns by nearest pixel, values doubled: pixel sum = 2 x 1.96 x counts
    view, labelled = one_view(person)
    rows, columns = (np.arange(int(size * 1.4)) * size // int(size * 1.4) for size in view.counts.shape)
    grid = np.ix_(rows, columns)
    large = replaced(view, view.counts[grid] * 2)
    told = disturbance.counts_per_value(large, dataclasses.replace(labelled, body=labelled.body[grid]))
    assert large.total_counts * told == pytest.approx(view.total_counts, rel=0.5)


def test_a_picture_without_noise_tells_nothing(person):
    view, labelled = one_view(person)
    assert disturbance.counts_per_value(replaced(view, np.ones(view.counts.shape)), labelled) is None


def hot_disc(view, peak, sigma_px=8.0):
    row, column = np.indices(view.counts.shape)
    return peak * np.exp(-((row - 230) ** 2 + (column - 80) ** 2) / (2 * sigma_px**2))


def test_clipping_is_silent_on_raw_counts(person):
    view, _ = one_view(person)
    hot = replaced(view, view.counts + np.random.default_rng(1).poisson(hot_disc(view, 240)))
    assert hot.counts.max() > 200
    clipped = disturbance.clipping(hot)
    assert (clipped.saturated_pixels, clipped.wrapped_pixels) == (0, 0)


def test_saturated_pixels_are_counted(person):
    view, _ = one_view(person)
    true = hot_disc(view, 600)
    clipped = disturbance.clipping(replaced(view, np.minimum(np.floor(true), 255)))
    assert (clipped.saturated_pixels, clipped.wrapped_pixels, clipped.ceiling) == ((true >= 255).sum(), 0, 255)


@pytest.mark.parametrize("bits", [8, 16])
def test_the_pale_hole_of_a_wrapped_place_is_found(person, bits):
    view, _ = one_view(person)
    true = np.floor(hot_disc(view, 1.3 * 2**bits))
    clipped = disturbance.clipping(replaced(view, true % 2**bits))
    assert clipped.wrapped_pixels == (true >= 2**bits).sum()


def test_a_cold_hole_in_a_hot_place_is_not_a_wrapped_one(person):
    # a photopenic centre, as a catheter's balloon makes, blurred by the camera: rows fall slowly
    view, _ = one_view(person)
    ring = ndimage.gaussian_filter(hot_disc(view, 600, 10) - hot_disc(view, 590, 5), 2)
    clipped = disturbance.clipping(replaced(view, np.floor(ring * 254 / ring.max())))
    assert clipped.wrapped_pixels == 0


def test_soft_tissue_contrast_is_the_ratio_of_the_rates(person):
    # spine 1.0, soft tissue 0.2 by construction
    person.soft_tissue = 0.2
    assert disturbance.soft_tissue_contrast(*one_view(person)) == pytest.approx(5.0, rel=0.05)


def test_soft_tissue_needs_thighs_in_view(person):
    person.rows = slice(0, 200)
    assert disturbance.soft_tissue_contrast(*one_view(person)) is None


@pytest.mark.parametrize("radius", [20, 45, 70])
def test_the_bladder_hides_what_it_covers(person, radius):
    # the disc's own counts, and the part of hip bones and sacrum that it overlies
    person.spots = [(0, 900, radius, 8.0)]
    view, labelled = one_view(person)
    measured = disturbance.bladder(view, labelled)
    disc = np.hypot(labelled.x_mm, labelled.z_mm - 900) < radius
    pelvis = labelled.shown(one for one in labelled.bones if one.bone in PELVIS)
    assert measured.counts_percent == pytest.approx(100 * view.counts[disc].sum() / view.total_counts, rel=0.15)
    assert measured.hidden_percent == pytest.approx(100 * (disc & pelvis).sum() / pelvis.sum(), abs=2.5)


def test_faint_urine_is_measured_within_its_outline(person):
    view, labelled = one_view(person)
    outline = np.hypot(labelled.x_mm, labelled.z_mm - 900) < 70
    measured = disturbance.bladder(view, labelled, outline)
    pelvis = labelled.shown(one for one in labelled.bones if one.bone in PELVIS)
    assert measured.counts_percent == pytest.approx(100 * view.counts[outline].sum() / view.total_counts)
    assert measured.hidden_percent == pytest.approx(100 * (outline & pelvis).sum() / pelvis.sum())


def test_an_empty_bladder_holds_nothing(person):
    measured = disturbance.bladder(*one_view(person))
    assert (measured.counts_percent, measured.hidden_percent) == (0.0, 0.0)


@pytest.mark.parametrize(("x_mm", "side"), [(205, "left"), (-205, "right")])
@pytest.mark.parametrize("name", [A, P])
def test_an_injection_site_is_found_on_its_side(person, x_mm, side, name):
    person.spots = [(x_mm, 1080, 20, 10.0)]
    view, labelled = one_view(person, name)
    site = disturbance.injection_site(view, labelled)
    disc = np.hypot(labelled.x_mm - x_mm, labelled.z_mm - 1080) < 20
    assert site.side == side
    assert site.share_percent == pytest.approx(100 * view.counts[disc].sum() / view.total_counts, rel=0.2)


def test_hot_joints_of_both_arms_are_no_injection_site(person):
    person.spots = [(205, 1080, 20, 6.0), (-205, 1080, 20, 5.0)]
    assert disturbance.injection_site(*one_view(person)) is None


def test_a_lesion_of_femur_or_upper_arm_is_no_injection_site(person):
    person.spots = [(90, 700, 15, 10.0), (-185, 1300, 12, 10.0)]
    assert disturbance.injection_site(*one_view(person)) is None


def test_a_patient_who_kept_still_did_not_move(person):
    front, back = one_view(person, A), one_view(person, P)
    shifts = disturbance.shift_between_views(front, back)
    assert set(shifts) == {"head", "left arm", "right arm", "left leg", "right leg"}
    assert max(np.hypot(*shift) for shift in shifts.values()) <= 6.0
    assert disturbance.lateral_jump(*front) is None


def test_a_head_that_turned_aside_between_the_views_is_measured(person):
    front, (view, labelled) = one_view(person, A), one_view(person, P)
    counts = view.counts.copy()
    head = slice(0, 75)  # 6 pixels = 24 mm towards the image's right: from behind that is the patient's right, -x
    counts[head] = np.roll(counts[head], 6, axis=1)
    shifts = disturbance.shift_between_views(front, (replaced(view, counts), labelled))
    assert shifts["head"][0] == pytest.approx(-24, abs=6)
    assert np.hypot(*shifts["left leg"]) <= 6


@pytest.mark.parametrize("step_px", [-5, 5])
def test_motion_during_the_scan_is_a_sideways_step(person, step_px):
    view, labelled = one_view(person)
    counts = view.counts.copy()
    counts[300:] = np.roll(counts[300:], step_px, axis=1)
    jump = disturbance.lateral_jump(replaced(view, counts), labelled)
    assert jump.row == pytest.approx(299, abs=3)
    assert jump.shift_mm == pytest.approx(step_px * 4, abs=4)
