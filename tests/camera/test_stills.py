from __future__ import annotations

import numpy as np
import pytest
from tests.camera.phantoms import activity, emitter, even_scatter, no_scatter, water

from bonescan.camera.acquisition import Facts
from bonescan.camera.cameras import camera
from bonescan.camera.faults import NO_FAULTS, DeadTube, Faults
from bonescan.camera.protocols import Flow, Spot
from bonescan.camera.stills import film_model, spot_model
from bonescan.errors import InvalidValue
from bonescan.scan import ViewName

OWN = camera("symbia_lehr")
HERE = Spot(centre_mm=(20.0, 300.0), duration_s=100.0, counts=None, shape=(64, 64))


def test_a_spot_is_centred_where_it_is_told_and_ends_with_the_field():
    model = spot_model(emitter(z=(34, 35), x=(20, 21), y=(9, 11)), OWN, HERE, no_scatter, faults=NO_FAULTS)
    pixel = 4 * OWN.whole_body_pixel_mm
    for picture, side in zip(model.expected(), (1, -1), strict=True):
        rows, columns = np.indices(picture.shape)
        # the voxel's centre is at x 55, z 345: 45 mm above the centre, 35 mm to its left
        assert (rows * picture).sum() / picture.sum() == pytest.approx(31.5 - 45 / pixel, abs=0.1)
        assert (columns * picture).sum() / picture.sum() == pytest.approx(31.5 + side * 35 / pixel, abs=0.1)
    full = spot_model(emitter(), OWN, HERE, even_scatter, faults=NO_FAULTS)
    seen = full.expected().sum(axis=2) > 0
    assert seen.sum(axis=1) * pixel == pytest.approx(OWN.field_mm[0], abs=2 * pixel)


def test_counts_set_a_spot_s_duration():
    spot = Spot(centre_mm=(0, 300), counts=5e5, shape=(64, 64))
    model = spot_model(emitter(), OWN, spot, even_scatter)
    assert model.expected().sum(axis=(1, 2)).mean() == pytest.approx(5e5, rel=1e-6)
    scan = model.acquire(np.random.default_rng(1), Facts(study_description="Spot"))
    assert not scan.whole_body
    assert scan.study_description == "Spot"
    assert scan.views[0].duration_s == model.duration_s
    assert scan.views[0].scan_velocity_mm_per_s is None
    with pytest.raises(InvalidValue, match="hour"):
        spot_model(emitter(kbq_per_ml=1e-4), OWN, spot, no_scatter)
    with pytest.raises(InvalidValue):
        spot_model(emitter(), OWN, Spot(centre_mm=(0, 2000)), no_scatter)


def test_the_look_leaves_out_only_what_cannot_be_seen():
    whole = emitter()
    model = spot_model(whole, OWN, HERE, no_scatter, faults=NO_FAULTS)
    assert model.primary(whole.activity) == pytest.approx(model.expected())
    far = spot_model(emitter(z=(5, 8)), OWN, Spot(centre_mm=(0, 500), duration_s=1, counts=None), no_scatter,
                     faults=NO_FAULTS)  # fmt: skip
    assert far.expected().sum() == pytest.approx(0, abs=1e-6)  # 260 mm below the field


def test_a_dead_tube_is_a_cold_disc():
    tube = Faults(dead_tubes=(DeadTube(w_mm=60.0, u_mm=0.0, head=1),))
    bare = spot_model(emitter(), OWN, HERE, no_scatter, faults=NO_FAULTS)
    cold = spot_model(emitter(), OWN, HERE, no_scatter, faults=tube)
    left = cold.expected() / bare.expected().clip(1e-12)
    row = round(31.5 - 60 / bare.look.lattice.spacing_mm[0])
    assert left[1, row, 31:33].max() < 0.05
    assert left[0, row, 31:33] == pytest.approx(1)


def test_a_film_follows_the_tracer():
    def at(hours):
        return activity(kbq_per_ml=3600 * hours)  # a kBq/ml more each second

    flow = Flow(centre_mm=(0, 300), frame_s=4.0, frames=5, start_s=10.0, shape=(32, 32))
    model = film_model(water(), at, OWN, flow, even_scatter, faults=NO_FAULTS)
    total = model.expected().sum(axis=(2, 3))
    assert total[0] / total[0, 0] == pytest.approx(np.array([12, 16, 20, 24, 28]) / 12, rel=1e-4)
    scan = model.acquire(np.random.default_rng(1))
    assert scan.counts.shape == (2, 5, 32, 32)
    assert scan.view_names == (ViewName.ANTERIOR, ViewName.POSTERIOR)
    assert scan.starts_s == (0, 4, 8, 12, 16)
    assert set(scan.durations_s) == {4.0}
    one = spot_model(
        emitter(kbq_per_ml=12.0, half_life_h=1e9), OWN,
        Spot(centre_mm=(0, 300), duration_s=4.0, counts=None, shape=(32, 32)), even_scatter, faults=NO_FAULTS,
    )  # fmt: skip
    assert model.expected()[:, 0] == pytest.approx(one.expected(), rel=1e-4)
