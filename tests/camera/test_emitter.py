from __future__ import annotations

import math

import numpy as np
import pytest

from bonescan.anatomy.medium import Medium
from bonescan.camera.emitter import (
    Emitter,
    cropped,
    orbit_mm,
    outline,
    passing_face_mm,
    standing_face_mm,
    table_level_mm,
    through_table,
)
from bonescan.camera.projections import head_direction
from bonescan.camera.protocols import Table
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

GRID = Grid(shape=(120, 30, 40), spacing_mm=(10, 10, 10), origin_mm=(-195, -145, 5))  # z 0 to 1200, y -150 to 150


def body(boxes) -> Medium:
    """Water in boxes of (z, y, x) index ranges."""
    material = np.zeros(GRID.shape, dtype=np.uint8)
    for z, y, x in boxes:
        material[slice(*z), slice(*y), slice(*x)] = 1
    return Medium(grid=GRID, material=material, materials=({"air": 0.0012}, {"water": 1.0}))


TRUNK = ((30, 90), (8, 22), (8, 32))  # z 300 to 900, y -70 to 70, x -120 to 120
TOES = ((10, 13), (3, 22), (15, 25))  # up to y -120


def test_the_outline_is_where_air_ends():
    own = outline(body([TRUNK]))
    inside = (own.z_mm > 300) & (own.z_mm < 900)
    assert np.isnan(own.front_mm[~inside]).all()
    assert (own.front_mm[inside] == -70).all()
    assert (own.back_mm[inside] == 70).all()
    assert table_level_mm([own]) == 70
    with pytest.raises(InvalidValue, match="no body"):
        outline(body([]))


def test_a_passing_head_clears_all_that_is_under_it():
    own = outline(body([TRUNK, TOES]))
    face = passing_face_mm([own], own.z_mm, 70.0, 390.0, 20.0, contour=True)
    known = np.isfinite(own.front_mm)
    assert (face[known] <= own.front_mm[known] - 20).all()
    at = dict(zip(own.z_mm.tolist(), face.tolist(), strict=True))
    assert at[115.0] == pytest.approx(-140, abs=1)  # toes are under the head all the while it is over them
    assert at[895.0] == pytest.approx(-90, abs=1)
    # half a length beyond the toes they are under it half of the time
    assert -140 < at[365.0] < -90
    fixed = passing_face_mm([own], own.z_mm, 70.0, 390.0, 20.0, contour=False)
    assert (fixed == -140).all()


def test_a_head_clears_every_pose():
    low, high = outline(body([TRUNK])), outline(body([TRUNK, TOES]))
    both = passing_face_mm([low, high], low.z_mm, 70.0, 390.0, 20.0, contour=True)
    assert both == pytest.approx(passing_face_mm([high], low.z_mm, 70.0, 390.0, 20.0, contour=True))


def test_a_standing_head_clears_what_is_in_reach():
    own = outline(body([TRUNK, TOES]))
    assert standing_face_mm(own, 600, 390, 20) == -90
    assert standing_face_mm(own, 200, 390, 20) == -140
    with pytest.raises(InvalidValue):
        standing_face_mm(own, 1150, 390, 20)


@pytest.mark.parametrize("orbit", ["contour", "ellipse", "circle"])
def test_every_orbit_clears_body_and_table(orbit):
    own, table = outline(body([TRUNK])), Table()
    angles = tuple(range(0, 360, 6))
    radii, (x, y) = orbit_mm(own, table, angles, (0.0, 600.0), 390.0, 20.0, orbit)
    corners = [(sx * 120, sy) for sx in (-1, 1) for sy in (-70, 70)] + [(200, 100), (-200, 100), (200, 70), (-200, 70)]
    for angle, radius in zip(angles, radii, strict=True):
        n = head_direction(angle)[:2]
        reach = max(n @ (np.array(corner) - (x, y)) for corner in corners)
        assert radius >= reach + 20 - 1e-6
    assert (x, y) == (0.0, pytest.approx(15, abs=5.1))  # midway between the front at -70 and the underside at 100
    if orbit == "contour":
        ellipse, _ = orbit_mm(own, table, angles, (0.0, 600.0), 390.0, 20.0, "ellipse")
        assert (radii <= ellipse + 1e-6).all()
        assert radii.mean() < 0.9 * orbit_mm(own, table, angles, (0.0, 600.0), 390.0, 20.0, "circle")[0].mean()
    if orbit == "circle":
        assert np.ptp(radii) == 0


def test_an_orbit_needs_a_body():
    with pytest.raises(InvalidValue):
        orbit_mm(outline(body([TRUNK])), Table(), (0.0,), (0.0, 1150.0), 390.0, 20.0, "contour")


def test_the_table_weakens_only_what_passes_through_it():
    table, u = Table(width_mm=400, aluminium_mm=2.0), np.array([-250.0, -100.0, 0.0, 100.0, 250.0])
    straight = math.exp(-0.383 * 0.2)  # Lambert's law with xraylib's 0.383 /cm
    below = through_table(table, 70.0, 0.0, u, (0.0, -30.0))
    assert below == pytest.approx([1, straight, straight, straight, 1])
    assert (through_table(table, 70.0, 180.0, u, (0.0, -30.0)) == 1).all()
    assert (through_table(table, 70.0, 90.0, u, (0.0, -30.0)) == 1).all()
    slanting = through_table(table, 70.0, 45.0, u, (0.0, -30.0))
    # at 45 degrees the ray through the axis is 100 mm to the left as it passes the table 100 mm below, path sqrt 2
    assert slanting[2] == pytest.approx(straight ** math.sqrt(2))


def test_a_grid_is_cropped_to_slices_between_two_heights():
    part, slices = cropped(GRID, 100.0, 200.0)
    assert (slices.start, slices.stop) == (10, 20)
    assert part.position_mm((0, 0, 0)) == pytest.approx(GRID.position_mm((10, 0, 0)))
    assert cropped(GRID, -1e4, 1e4) == (GRID, slice(0, 120))
    assert cropped(GRID, 5000.0, 6000.0)[0].shape[0] == 1


def test_an_emitter_is_one_body_on_one_grid():
    medium = body([TRUNK])
    activity = Field(values=np.zeros(GRID.shape, dtype=np.float32), grid=GRID, unit="kBq/mL")
    Emitter(medium=medium, activity=activity)
    other = Grid(shape=GRID.shape, spacing_mm=GRID.spacing_mm, origin_mm=(0, 0, 0))
    with pytest.raises(GeometryMismatch):
        Emitter(medium=medium, activity=Field(values=activity.values, grid=other, unit="kBq/mL"))
    turned = Grid(
        shape=GRID.shape, spacing_mm=GRID.spacing_mm, origin_mm=GRID.origin_mm, axes=((1, 0, 0), (0, 1, 0), (0, 0, 1))
    )
    with pytest.raises(GeometryMismatch):
        Emitter(
            medium=Medium(grid=turned, material=medium.material, materials=medium.materials),
            activity=Field(values=activity.values, grid=turned, unit="kBq/mL"),
        )
    with pytest.raises(InvalidValue):
        Emitter(medium=medium, activity=Field(values=activity.values, grid=GRID, unit="Bq/mL"))
    with pytest.raises(InvalidValue):
        Emitter(medium=medium, activity=activity, half_life_h=0)
