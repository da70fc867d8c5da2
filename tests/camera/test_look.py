from __future__ import annotations

import numpy as np
import pytest
from tests.camera.phantoms import GRID, activity, even_scatter, water

from bonescan.camera.cameras import PHOTON_KEV, camera
from bonescan.camera.look import look, seen_columns, seen_rows
from bonescan.camera.projections import Lattice
from bonescan.errors import GeometryMismatch
from bonescan.field import Field, Grid

OWN = camera("symbia_lehr")
LATTICE = Lattice(shape=(60, 60), spacing_mm=(10, 10), top_mm=595, left_mm=-295)
PHOTOPEAK, BELOW = OWN.window_kev(15.0), (110.0, 129.97)


def looking(views=2, windows=(PHOTOPEAK,), seen_mm=(0.0, 600.0)):
    angles = tuple((180.0 + 360.0 / views * np.arange(views)).tolist())
    face = np.full((views, GRID.shape[0]), 150.0)
    return look(water(), OWN, angles, face, (0.0, 0.0), LATTICE, windows, seen_mm)


def test_windows_share_the_straight_photons_as_the_crystal_does():
    own = looking(windows=(PHOTOPEAK, BELOW)).unscattered(activity())
    told = OWN.detected_fraction(np.array([PHOTON_KEV, PHOTON_KEV]), BELOW)[0]
    told = told / OWN.detected_fraction(PHOTON_KEV, PHOTOPEAK)
    assert own[1].sum() / own[0].sum() == pytest.approx(float(told), rel=1e-5)


def test_many_views_are_scattered_into_in_batches():
    calls = []

    def recording(activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed):
        calls.append((angles_deg, face_mm.shape, histories, seed))
        return even_scatter(activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed)

    own = looking(views=40, windows=(PHOTOPEAK, BELOW))
    values = own.scattered(activity(), recording, 4000, seed=7)
    assert values.shape == (2, 40, 60, 60)
    assert sum((call[0] for call in calls), ()) == own.angles_deg
    assert sum(call[2] for call in calls) == 4000
    assert len({call[3] for call in calls}) == len(calls)
    assert all(call[1] == (len(call[0]), GRID.shape[0]) for call in calls)


def test_what_the_heads_do_not_see_is_left_out():
    whole, part = looking(), looking(seen_mm=(250.0, 350.0))
    assert part.projector.grid.shape[0] < whole.projector.grid.shape[0]
    z = LATTICE.z_mm
    here = (z > 250) & (z < 350)
    assert part.unscattered(activity())[..., here, :] == pytest.approx(
        whole.unscattered(activity())[..., here, :], rel=1e-5, abs=1e-6
    )


def test_no_activity_scatters_nothing_and_needs_its_own_grid():
    own = looking()
    assert not own.scattered(activity(kbq_per_ml=0.0), even_scatter, 10, 1).any()
    other = Grid(shape=GRID.shape, spacing_mm=GRID.spacing_mm, origin_mm=(0, 0, 0))
    for way in (own.unscattered, lambda field: own.scattered(field, even_scatter, 10, 1)):
        with pytest.raises(GeometryMismatch):
            way(Field(values=activity().values, grid=other, unit="kBq/mL"))


def test_pixels_at_the_edge_are_seen_in_part():
    # fields of 387 x 533 mm on pixels of 10 mm: what is seen adds up to them
    assert seen_rows(LATTICE, OWN, 300.0).sum() * 10 == pytest.approx(387)
    assert seen_columns(LATTICE, OWN).sum() * 10 == pytest.approx(533)
    assert seen_columns(LATTICE, OWN)[2:5] == pytest.approx([0, 0.65, 1])  # the edge at -266.5, a pixel from -270 on
