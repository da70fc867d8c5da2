from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.camera.phantoms import emitter, even_scatter, no_scatter

from bonescan.camera.cameras import PHOTON_KEV, camera
from bonescan.camera.faults import NO_FAULTS, DeadTube, Faults
from bonescan.camera.projections import column_direction
from bonescan.camera.protocols import Tomography
from bonescan.camera.tomography import tomographic_model

OWN = camera("symbia_lehr")
HERE = Tomography(centre_mm=(0.0, 300.0), views=8, shape=(64, 64))


def around(what=None, protocol=HERE, scatter=no_scatter, faults=NO_FAULTS):
    return tomographic_model(emitter() if what is None else what, OWN, protocol, scatter, faults=faults)


def columns_seen(model) -> np.ndarray:
    picture = model.expected()[0].sum(axis=1)
    return (picture * np.arange(picture.shape[1])).sum(axis=1) / picture.sum(axis=1)


def test_a_point_goes_round_the_axis():
    hot = {"z": (30, 31), "y": (10, 11), "x": (22, 23)}  # x 75, y 5
    model = around(emitter(**hot))
    axis_y = model.look.axis_mm[1]
    pixel = model.look.lattice.spacing_mm[1]
    told = [31.5 + column_direction(angle)[:2] @ (75.0, 5.0 - axis_y) / pixel for angle in model.angles_deg]
    assert columns_seen(model) == pytest.approx(told, abs=0.15)
    shifted = around(emitter(**hot), faults=Faults(axis_offset_mm=6.0))
    assert columns_seen(shifted) - columns_seen(model) == pytest.approx(6.0 / pixel, abs=0.02)


def test_the_scan_says_how_it_was_made():
    scan = around().acquire(np.random.default_rng(1))
    assert scan.counts.shape == (2, 8, 64, 64)
    assert scan.angles_deg == tuple(45.0 * k for k in range(8))
    photopeak, scatter = scan.energy_windows_kev
    assert photopeak == OWN.window_kev(15.0)
    assert scatter[1] == photopeak[0]
    assert scan.axis_column == 31.5
    assert scan.row_spacing_mm == pytest.approx(2 * OWN.tomographic_pixel_mm)
    assert set(scan.durations_s) == {20.0}
    assert min(scan.radii_mm) > 70  # half of 100 mm of water and the table, and 20 mm


def test_photons_that_came_straight_leak_into_the_scatter_window():
    model = around()
    share = float(OWN.detected_fraction(PHOTON_KEV, model.windows_kev[1])) / float(
        OWN.detected_fraction(PHOTON_KEV, model.windows_kev[0])
    )
    totals = model.expected().sum(axis=(1, 2, 3))
    assert 0.01 < share < 0.08  # 9.45 % FWHM: 3 % of a Gaussian lies in the next 15 %
    assert totals[1] / totals[0] == pytest.approx(share, rel=1e-4)


def test_each_head_s_views_decay_from_stop_to_stop():
    quick = around(emitter(half_life_h=0.1))
    per_s = np.log(2) / 360
    begin = 23.0 * (np.arange(8) % 4)  # 20 s and 3 s from stop to stop, both heads together
    told = np.exp(-per_s * begin) * (1 - np.exp(-per_s * 20)) / per_s
    assert quick.seconds == pytest.approx(told, rel=1e-9)


def test_scatter_reaches_every_window_and_view():
    added = around(scatter=even_scatter).expected() - around().expected()
    seen = added.sum(axis=(2, 3))
    assert (seen > 0).all()
    assert seen[1] == pytest.approx(seen[0], rel=1e-4)


def test_a_dead_tube_is_on_one_head():
    cold = around(faults=Faults(dead_tubes=(DeadTube(head=1),))).through / around().through.clip(1e-12)
    assert cold[:4, 31:33, 31:33] == pytest.approx(1)
    assert (cold[4:, 31:33, 31:33] < 0.05).all()


def test_a_turning_head_blurs_along_its_way():
    hot = {"z": (30, 31), "y": (10, 11), "x": (24, 25)}
    fine = replace(HERE, shape=(128, 128))
    still = around(emitter(**hot), fine)
    turning = around(emitter(**hot), replace(fine, continuous=True, step_s=0.0))

    def spread(model):
        picture, u = model.expected()[0].sum(axis=1), model.look.lattice.u_mm
        mean = (picture * u).sum(axis=1) / picture.sum(axis=1)
        return (picture * (u - mean[:, None]) ** 2).sum(axis=1) / picture.sum(axis=1)

    more = spread(turning) - spread(still)
    # seen from where its way is across the view, a place 95 mm from the axis moves over 45 degrees: an even motion
    assert more.max() == pytest.approx((95 * np.deg2rad(45)) ** 2 / 12, rel=0.15)
    assert more.min() < 0.1 * more.max()
