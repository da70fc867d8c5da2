from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from tests.camera.phantoms import activity, emitter, even_scatter, no_scatter, water

from bonescan.camera.acquisition import Facts, Placement, draw_placement, whole_body_model
from bonescan.camera.cameras import camera
from bonescan.camera.faults import NO_FAULTS, DeadTube, Faults
from bonescan.camera.protocols import WholeBody
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.scan import Injection, PatientFacts, ViewName

OWN = camera("symbia_lehr")
COARSE = WholeBody(shape=(256, 64))  # 9.6 mm


def passing(what=None, protocol=COARSE, scatter=no_scatter, faults=NO_FAULTS, **more):
    return whole_body_model([emitter() if what is None else what], OWN, protocol, scatter, faults=faults, **more)


def test_a_place_of_the_body_is_seen_where_the_model_says():
    # a hot voxel at x 75 (left), z 455, off the middle in both
    hot = {"z": (45, 46), "y": (9, 11), "x": (22, 23)}
    model = passing(emitter(**hot), WholeBody(), placement=Placement(left_mm=12.0))
    for picture, view in zip(model.expected(), model.views, strict=True):
        rows, columns = np.indices(picture.shape)
        told = model.pixel_of(view, 75.0, 455.0)
        seen = (rows * picture).sum() / picture.sum(), (columns * picture).sum() / picture.sum()
        assert seen == pytest.approx(told, abs=0.1)
    left_of_the_middle = model.pixel_of(ViewName.ANTERIOR, 75.0, 455.0)[1] - 127.5
    assert left_of_the_middle == pytest.approx((75 - 12) / 2.3975, abs=0.01)  # the patient's left is on the right
    assert model.pixel_of(ViewName.POSTERIOR, 75.0, 455.0)[1] - 127.5 == pytest.approx(-left_of_the_middle)


def test_counts_set_the_speed():
    model = passing(counts=2e5, faults=None)
    assert model.expected().sum(axis=(1, 2)).mean() == pytest.approx(2e5, rel=1e-6)
    scan = model.acquire(np.random.default_rng(1))
    assert scan.views[0].scan_velocity_mm_per_s == model.speed_mm_per_s != 2.0
    with pytest.raises(InvalidValue):
        passing(counts=0)
    with pytest.raises(InvalidValue, match="Nothing"):
        passing(emitter(kbq_per_ml=0.0), counts=1e5)


def test_the_scan_says_how_it_was_made():
    at = datetime(2026, 5, 4, 12, 0)
    facts = Facts(
        patient=PatientFacts(name="Simulated"), injection=Injection(activity_mbq=600), acquired_at=at, study_uid="1.2",
        study_description="Bone scan",
    )  # fmt: skip
    model = passing(placement=Placement(above_mm=30, below_mm=50))
    scan = model.acquire(np.random.default_rng(1), facts)
    assert (scan.patient, scan.injection, scan.acquired_at) == (facts.patient, facts.injection, at)
    assert (scan.study_uid, scan.study_description, scan.whole_body) == ("1.2", "Bone scan", True)
    assert scan.device.model == OWN.model
    assert scan.device.collimator == OWN.collimator.name
    anterior, posterior = scan.views
    assert (anterior.name, anterior.start_angle_deg) == (ViewName.ANTERIOR, 180)
    assert (posterior.name, posterior.start_angle_deg) == (ViewName.POSTERIOR, 0)
    # z 55 to 545 are the body's slices; the pass is as long as they are and what was added, at 2 mm/s
    assert anterior.scan_length_mm == pytest.approx(490 + 30 + 50)
    assert anterior.duration_s == pytest.approx((570 + OWN.field_mm[0]) / 2.0)
    assert anterior.energy_window_kev == OWN.window_kev(15.0)
    assert anterior.row_spacing_mm == pytest.approx(4 * OWN.whole_body_pixel_mm)
    assert anterior.total_counts == anterior.counts_accumulated


def test_nothing_is_counted_beyond_the_pass_and_the_field():
    narrow = replace(OWN, field_mm=(387.0, 150.0))
    model = whole_body_model(
        [emitter()], narrow, COARSE, even_scatter, faults=NO_FAULTS, placement=Placement(above_mm=-100, below_mm=60)
    )
    expected, z, u = model.expected(), model.lattice.z_mm, model.lattice.u_mm
    assert (expected[:, z > 545 - 100 + 10] == 0).all()
    assert (expected[:, z < 55 - 60 - 10] == 0).all()
    assert (expected[:, :, np.abs(u) > 75 + 5] == 0).all()
    assert (expected[:, (z < 430) & (z > 10)][:, :, np.abs(u) < 70] > 0).all()


def test_scatter_is_added_by_the_second():
    # 1 count a second and MBq: 200 MBq in 10 l of water, on 1 m of which the pass sees z 15 to 585
    still = replace(COARSE, feather_mm=0.0)
    bare, full = passing(protocol=still), passing(protocol=still, scatter=even_scatter)
    seconds = OWN.field_mm[0] / 2.0
    per_s = np.log(2) / (3600 * 6.0067)
    decayed = np.exp(-per_s * bare.duration_s / 2)  # an even scatter's mean time is the middle of the pass
    added = (full.expected() - bare.expected()).sum(axis=(1, 2))
    assert added[0] == pytest.approx(200 * 0.57 * seconds * decayed, rel=0.02)  # rows are 9.6 mm
    assert added[1] == pytest.approx(added[0] * np.exp(-0.0383 * 1.5), rel=1e-3)  # through the table
    assert bare.scattered_cps.sum() == 0


def test_the_room_s_counts_lie_evenly_over_the_scanned_field():
    room = Faults(background_cps=5.0)
    model = passing(emitter(kbq_per_ml=0.0), faults=room)
    picture = model.expected()
    # 5 cps over the field, of which the pass sees each row for field / speed: 5 x length / speed in all
    assert picture.sum(axis=(1, 2)) == pytest.approx(5.0 * model.scan_length_mm / 2.0, rel=0.02)
    lit = picture[:, (picture[0] > 0).any(axis=1)][:, :, 28:36]
    assert np.percentile(lit, 10) == pytest.approx(np.percentile(lit, 90))
    assert model.primary(activity()).sum() < passing().expected().sum() * 1.001  # no part's counts hold the room's


def test_the_hot_end_decays_as_the_other_is_passed():
    def ends(head_first):
        picture = passing(protocol=replace(COARSE, head_first=head_first)).expected()[0]
        z = passing().lattice.z_mm
        return picture[(z > 400) & (z < 500)].sum(), picture[(z > 100) & (z < 200)].sum()

    per_s = np.log(2) / (3600 * 6.0067)
    top, bottom = ends(True)
    assert bottom / top == pytest.approx(np.exp(-per_s * 300 / 2.0), rel=3e-3)  # 300 mm later at 2 mm/s
    top, bottom = ends(False)
    assert top / bottom == pytest.approx(np.exp(-per_s * 300 / 2.0), rel=3e-3)


def test_a_dead_tube_is_a_cold_band_in_one_view():
    fine, tube = replace(COARSE, shape=(512, 128)), DeadTube(u_mm=0.0, head=0)
    bare, cold = passing(protocol=fine), passing(protocol=fine, faults=Faults(dead_tubes=(tube,)))
    left = cold.expected().sum(axis=1) / np.maximum(bare.expected().sum(axis=1), 1e-9)
    middle = np.abs(bare.lattice.u_mm) < 5
    # along the pass a disc of 76 mm takes its share of a field of 387 mm
    assert left[0, middle].mean() == pytest.approx(1 - 76 / 387, abs=0.02)
    assert left[1, middle] == pytest.approx(1)
    assert left[0, np.abs(bare.lattice.u_mm - 80) < 5].mean() == pytest.approx(1, abs=0.01)


def test_a_part_s_counts_are_linear_and_make_up_the_whole():
    whole = emitter()
    model = passing(whole, faults=replace(Faults.usual(OWN), background_cps=0.0))
    one, other = activity(z=(5, 20)), activity(z=(20, 55))
    together = model.primary(one) + model.primary(other)
    assert together == pytest.approx(model.expected(), rel=1e-4, abs=1e-4)
    assert model.primary(activity(kbq_per_ml=60.0, z=(5, 20))) == pytest.approx(3 * model.primary(one), rel=1e-5)
    elsewhere = replace(one, grid=replace(one.grid, origin_mm=(0, 0, 0)))
    with pytest.raises(GeometryMismatch):
        model.primary(elsewhere)


def test_poses_come_one_after_another():
    first, second = emitter(), emitter(medium=water())
    for begins in ((0.1, 0.5), (0.0,), (0.0, 0.5, 0.2), (0.0, 1.2)):
        with pytest.raises(InvalidValue):
            whole_body_model([first, second], OWN, COARSE, no_scatter, begins=begins)
    with pytest.raises(InvalidValue, match="half-life"):
        whole_body_model([first, emitter(half_life_h=2.0)], OWN, COARSE, no_scatter, begins=(0.0, 0.5))


def test_patients_lie_about_the_middle():
    rng = np.random.default_rng(1)
    drawn = [draw_placement(rng) for _ in range(500)]
    assert np.std([one.left_mm for one in drawn]) == pytest.approx(9, rel=0.1)
    assert max(abs(one.left_mm) for one in drawn) <= 30
    with pytest.raises(InvalidValue):
        Placement(left_mm=np.nan)


def test_monte_carlo_scatter_is_the_default():
    # of 10 cm of water in a 15 % window; a patient's lies between 0.25 and 0.40 (docs, and the range)
    protocol = replace(COARSE, speed_mm_per_s=None, dwell_s=100.0)
    one = whole_body_model([emitter()], OWN, protocol, histories=20_000, seed=3)
    assert 0.15 < one.scattered_cps.sum() / one.unscattered_cps.sum() < 0.40
    again = whole_body_model([emitter()], OWN, protocol, histories=20_000, seed=3)
    assert (one.expected() == again.expected()).all()
    assert one.seconds.max() < 100.0
