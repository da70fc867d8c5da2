"""What the analytic model of a camera must obey."""

from __future__ import annotations

import dataclasses

import numba
import numpy as np
import pytest

from bonescan.camera import camera
from bonescan.camera.projections import column_direction, head_direction
from bonescan.camera.projector import Projector, adjoint_residual
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

CAMERA = camera("symbia_lehr")
WINDOW = CAMERA.window_kev(15)
# cps per kBq/ml and ml
SENSITIVITY = CAMERA.sensitivity_cps_per_mbq(WINDOW) / 1000


def grid_of(shape=(24, 32, 32), spacing_mm=(4.0, 4.0, 4.0), shift_mm=(0.0, 0.0)) -> Grid:
    """Centred on the axis, but for a shift in x and y."""
    half = [(n - 1) / 2 * step for n, step in zip(shape, spacing_mm, strict=True)]
    origin = (shift_mm[0] - half[2], shift_mm[1] - half[1], 100.0)
    return Grid(shape=shape, spacing_mm=spacing_mm, origin_mm=origin)


def projector(grid: Grid, angles=(0.0, 180.0), mu=None, face_mm=150.0, axis_mm=(0.0, 0.0)) -> Projector:
    attenuation = None if mu is None else Field(values=mu.astype(np.float32), grid=grid, unit="/cm")
    return Projector(
        grid=grid,
        attenuation=attenuation,
        camera=CAMERA,
        angles_deg=angles,
        face_mm=face_mm,
        axis_mm=axis_mm,
        window_kev=WINDOW,
    )


def point(grid: Grid, index: tuple[int, int, int], value: float = 1000.0) -> np.ndarray:
    out = np.zeros(grid.shape, np.float32)
    out[index] = value
    return out


def contour(views: int, slices: int) -> np.ndarray:
    """Faces that follow a body: another distance for every view and slice."""
    return 120 + 30 * np.sin(np.arange(slices) / 5)[None, :] + 7 * np.arange(views)[:, None]


def faces(angles: tuple[float, ...], slices: int) -> np.ndarray:
    """A contour, and for heads that stand still beside the body one distance for every view."""
    return contour(len(angles), slices if len(angles) < 3 else 1)


def spread_mm(profile: np.ndarray, step_mm: float) -> float:
    """Standard deviation of a profile."""
    at = np.arange(profile.size) * step_mm
    mean = (profile * at).sum() / profile.sum()
    return float(np.sqrt((profile * (at - mean) ** 2).sum() / profile.sum()))


def fwhm_mm(profile: np.ndarray, step_mm: float) -> float:
    """Full width at half maximum as NEMA NU 1 measures it: a parabola at the peak, straight lines at the half."""
    top = int(profile.argmax())
    a, b, c = profile[top - 1 : top + 2].astype(float)
    half = (b - (c - a) ** 2 / (8 * (a - 2 * b + c))) / 2
    left = top - next(n for n in range(top) if profile[top - n] < half)
    right = top + next(n for n in range(profile.size - top) if profile[top + n] < half)
    first = left + (half - profile[left]) / (profile[left + 1] - profile[left])
    last = right - (half - profile[right]) / (profile[right - 1] - profile[right])
    return float(last - first) * step_mm


STRAIGHT, AROUND = (0.0, 180.0), (0.0, 37.0, 90.0, 143.0, 180.0, 251.5)


@pytest.mark.parametrize("angles", [STRAIGHT, (180.0,), AROUND])
@pytest.mark.parametrize(
    ("shape", "spacing_mm", "shift_mm"),
    [
        ((24, 32, 32), (4.0, 4.0, 4.0), (0.0, 0.0)),
        ((17, 9, 30), (3.0, 5.0, 5.0), (11.3, -6.2)),
        ((1, 6, 5), (4.0,) * 3, (0.0, 3.0)),
    ],
)
@pytest.mark.parametrize("attenuating", [False, True])
def test_the_two_ways_are_each_others_transpose(angles, shape, spacing_mm, shift_mm, attenuating):
    rng = np.random.default_rng(3)
    grid = grid_of(shape, spacing_mm, shift_mm)
    mu = rng.uniform(0, 0.4, shape) if attenuating else None
    own = projector(grid, angles, mu, faces(angles, shape[0]))
    assert adjoint_residual(own, rng) < 1e-6


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_single_pixels_and_voxels_see_each_other_alike_both_ways(angles):
    # the residual over all of them could hide a transposition that keeps sums
    rng = np.random.default_rng(4)
    grid = grid_of((9, 14, 14))
    own = projector(grid, angles, rng.uniform(0, 0.4, grid.shape), faces(angles, 9) - 60)
    for _ in range(12):
        voxel = tuple(int(rng.integers(2, n - 2)) for n in grid.shape)
        views = own.forward(point(grid, voxel, 1.0)).values
        pixel = tuple(
            int(n)
            for n in np.unravel_index(views.argmax() if rng.random() < 0.5 else rng.integers(views.size), views.shape)
        )
        back = np.zeros_like(views)
        back[pixel] = 1.0
        assert own.adjoint(back)[voxel] == pytest.approx(float(views[pixel]), rel=2e-5, abs=1e-12)


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_nothing_is_lost_in_air(angles):
    # within a cylinder that every view holds, so far from the edges that no Gaussian reaches them
    rng = np.random.default_rng(5)
    grid = grid_of((40, 48, 48))
    activity = np.zeros(grid.shape, np.float32)
    y, x = np.meshgrid(*[np.arange(48) - 23.5] * 2, indexing="ij")
    inside = np.hypot(x, y) < 15
    activity[10:30, inside] = rng.random((20, inside.sum()))
    counts = projector(grid, angles, face_mm=120.0).forward(activity).values.sum(axis=(1, 2), dtype=float)
    expected = activity.sum(dtype=float) * grid.voxel_ml * SENSITIVITY
    assert counts == pytest.approx(np.full(len(angles), expected), rel=1e-5)


@pytest.mark.parametrize("angles", [STRAIGHT, (30.0, 180.0)])
def test_counts_leave_only_over_the_edges(angles):
    grid = grid_of((16, 20, 20))
    own = projector(grid, angles)
    wide = projector(grid_of((48, 20, 20)), angles)
    at_edge = own.forward(point(grid, (0, 10, 10))).values.sum(axis=(1, 2))
    inside = wide.forward(point(wide.grid, (24, 10, 10))).values
    # half of a Gaussian, and half of its middle pixel
    row = inside.sum(axis=2)
    middle = row.argmax(axis=1)
    for v in range(2):
        assert at_edge[v] == pytest.approx(float(row[v, : middle[v] + 1].sum()), rel=1e-4)


@pytest.mark.parametrize(
    ("angles", "tolerance"), [((0.0,), 1e-5), ((180.0,), 1e-5), ((0.0, 45.0), 1e-5), ((90.0,), 1e-5), ((33.0,), 0.01)]
)
def test_a_point_is_weakened_by_what_lies_before_it(angles, tolerance):
    # exp(-mu d) to the middle of its voxel, whose width adds (mu w)^2 / 24; turned, edges are soft
    grid = grid_of((15, 41, 41))
    mu_per_cm, half_mm, place = 0.15, 82.0, (7, 15, 26)
    air = projector(grid, angles).forward(point(grid, place)).values[0].sum(dtype=float)
    body = (
        projector(grid, angles, np.full(grid.shape, mu_per_cm)).forward(point(grid, place)).values[0].sum(dtype=float)
    )
    position = np.array([(place[2] - 20) * 4.0, (place[1] - 20) * 4.0])
    n = head_direction(angles[0])[:2]
    depth_cm = min((half_mm * np.sign(n[k]) - position[k]) / n[k] for k in range(2) if abs(n[k]) > 1e-9) / 10
    expected = np.exp(-mu_per_cm * depth_cm) * (1 + (mu_per_cm * 0.4) ** 2 / 24)
    assert body / air == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("angles", [(0.0,), (180.0, 270.0)])
@pytest.mark.parametrize("mu_per_cm", [1e-6, 0.01, 0.154, 0.5, 4.4])
def test_a_slab_weakens_itself_exactly(mu_per_cm, angles):
    # (1 - exp(-mu d)) / (mu d) for activity spread evenly over the depth d; float32 over 30 voxels
    grid = grid_of((21, 30, 30))
    line = np.zeros(grid.shape, np.float32)
    line[10, :, 15] = 1.0
    slab = projector(grid, angles, np.full(grid.shape, mu_per_cm)).forward(line).values[0].sum(dtype=float)
    air = projector(grid, angles).forward(line).values[0].sum(dtype=float)
    h = mu_per_cm * 30 * 0.4
    assert slab / air == pytest.approx(-np.expm1(-h) / h, rel=1e-5)


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_views_add_as_activities_do(angles):
    rng = np.random.default_rng(6)
    grid = grid_of((12, 20, 20))
    own = projector(grid, angles, rng.uniform(0, 0.3, grid.shape), faces(angles, 12))
    first, second = (rng.random(grid.shape, dtype=np.float32) for _ in range(2))
    first[:, :9] = 0  # where nothing is, whole rows are passed over
    second[4:, :, 11:] = 0
    together = own.forward(2 * first + 3 * second).values
    apart = 2 * own.forward(first).values + 3 * own.forward(second).values
    assert together == pytest.approx(apart, rel=1e-4, abs=1e-6 * float(apart.max()))


@pytest.mark.parametrize(("axis_mm", "tolerance"), [((0.0, 0.0), 1e-4), ((2.0, 2.0), 1e-4), ((0.7, 0.0), 0.02)])
def test_the_way_for_any_side_agrees_with_the_straight_one(axis_mm, tolerance):
    # the 45 degrees force it; where the axis lies between voxels, its pixels are others, and its paths looked up
    rng = np.random.default_rng(7)
    grid = grid_of((14, 26, 26))
    activity, mu = np.zeros(grid.shape), rng.uniform(0, 0.1, grid.shape)
    activity[:, 8:18, 8:18] = rng.random((14, 10, 10))
    face = contour(3, 1)
    straight = projector(grid, (0.0, 180.0), mu, face[:2], axis_mm).forward(activity)
    any_side = projector(grid, (0.0, 180.0, 45.0), mu, face, axis_mm).forward(activity).onto(straight.lattice).values
    expected = straight.values
    if tolerance > 1e-4:
        expected, any_side = expected.sum(axis=(1, 2)), any_side.sum(axis=(1, 2))
    assert any_side[:2] == pytest.approx(expected, rel=tolerance, abs=1e-5 * float(expected.max()))


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_a_point_lies_where_its_voxel_does(angles):
    # angles and columns as `bonescan.camera.projections` sets them down, also for an axis between voxels
    grid = grid_of((25, 41, 41), shift_mm=(5.3, -3.1))
    index = (9, 18, 25)
    position = grid.position_mm(index)
    views = projector(grid, angles, face_mm=200.0).forward(point(grid, index))
    for v, angle in enumerate(angles):
        seen = views.values[v].astype(float)
        z = (seen.sum(axis=1) * views.lattice.z_mm).sum() / seen.sum()
        u = (seen.sum(axis=0) * views.lattice.u_mm).sum() / seen.sum()
        assert z == pytest.approx(position[2], abs=0.01)
        assert u == pytest.approx(float(position @ column_direction(angle)), abs=0.01)


@pytest.mark.parametrize("distance_mm", [20.0, 60.0, 100.0, 150.0, 200.0, 300.0])
def test_pictures_of_points_widen_with_distance_as_exact_gaussians(distance_mm):
    # 0.2 %: kernels are cut at 3.7 standard deviations. Measuring on 1.5 mm pixels itself adds up to 2 %, to both.
    grid = grid_of((61, 5, 61), (1.5, 1.5, 1.5))
    views = projector(grid, (0.0, 180.0), face_mm=distance_mm).forward(point(grid, (30, 2, 30))).values
    fwhm = float(CAMERA.fwhm_mm(distance_mm))
    gaussian = np.exp(-4 * np.log(2) * (1.5 * (np.arange(61) - 30) / fwhm) ** 2)
    for axis in range(2):
        for view in views:
            own = fwhm_mm(view.sum(axis=axis, dtype=float), 1.5)
            assert own == pytest.approx(fwhm_mm(gaussian, 1.5), rel=0.002)
            assert own == pytest.approx(fwhm, rel=0.025)


@pytest.mark.parametrize(
    ("pixel_mm", "distance_mm"), [(p, d) for p in (2.0, 3.0, 4.8) for d in (60.0, 100.0, 200.0, 300.0)] + [(3.0, 20.0)]
)
def test_pictures_are_as_wide_on_coarse_pixels_and_from_any_side(pixel_mm, distance_mm):
    # the standard deviation, from half a pixel on (nearer, nothing between two pixels can be so narrow); kernels are
    # cut at 3.7 of them, which takes 0.3 % off
    count = 2 * int(60 / pixel_mm) + 1
    grid = grid_of((count, count, count), (pixel_mm,) * 3)
    middle = count // 2
    for angles in (STRAIGHT, (10.0, 37.0, 52.0, 118.0)):
        index = (middle, middle + 2, middle - 1)
        position = grid.position_mm(index)
        face = [[distance_mm + float(position @ head_direction(angle))] for angle in angles]
        views = projector(grid, angles, face_mm=np.array(face)).forward(point(grid, index)).values
        for view in views:
            for axis in range(2):
                wide = spread_mm(view.sum(axis=axis, dtype=float), pixel_mm)
                assert wide == pytest.approx(float(CAMERA.sigma_mm(distance_mm)), rel=0.005)


def test_long_bodies_are_seen_in_parts_without_a_seam():
    # 128 slices are done at a time: points on both sides of the seam look like one far from it
    grid = grid_of((150, 9, 9))
    own = projector(grid, AROUND)
    assert adjoint_residual(own, np.random.default_rng(1)) < 1e-6
    expected = own.forward(point(grid, (75, 4, 5))).values
    for slices_up in (52, 53):
        moved = own.forward(point(grid, (75 + slices_up, 4, 5))).values
        assert moved[:, : 150 - slices_up] == pytest.approx(expected[:, slices_up:], rel=1e-5, abs=1e-9)


def test_faces_that_follow_a_contour_are_each_slices_own():
    # a slice's picture does not depend on the faces of others
    grid = grid_of((21, 9, 41))
    face = contour(2, 21)
    for s in (4, 15):
        alone = np.broadcast_to(face[:, s : s + 1], face.shape)
        spot = point(grid, (s, 4, 20))
        expected = projector(grid, face_mm=alone).forward(spot).values
        assert projector(grid, face_mm=face).forward(spot).values == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_sensitivity_is_the_cameras_at_any_distance(angles):
    grid = grid_of((41, 41, 41))
    for face_mm in (60.0, 150.0):
        counts = projector(grid, angles, face_mm=face_mm).forward(point(grid, (20, 20, 20))).values.sum(axis=(1, 2))
        mbq = 1000 * grid.voxel_ml / 1000
        assert counts / mbq == pytest.approx(np.full(len(angles), 1000 * SENSITIVITY), rel=1e-4)


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_results_do_not_depend_on_threads(angles):
    rng = np.random.default_rng(9)
    grid = grid_of((40, 20, 20))
    own = projector(grid, angles, rng.uniform(0, 0.3, grid.shape), faces(angles, 40))
    activity, values = rng.random(grid.shape), rng.random((len(angles), *own.lattice.shape))
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = own.forward(activity).values, own.adjoint(values)
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
        together = own.forward(activity).values, own.adjoint(values)
    finally:
        numba.set_num_threads(before)
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_what_does_not_belong_together_is_refused():
    grid = grid_of((4, 6, 6))
    with pytest.raises(GeometryMismatch, match="slices ascend to the head"):
        projector(
            Grid(shape=(4, 6, 6), spacing_mm=(4, 4, 4), origin_mm=(0, 0, 0), axes=((1, 0, 0), (0, 1, 0), (0, 0, 1)))
        )
    other = Field(values=np.zeros((4, 6, 7)), grid=grid_of((4, 6, 7)), unit="/cm")
    with pytest.raises(GeometryMismatch, match="share a grid"):
        dataclasses.replace(projector(grid), attenuation=other)
    with pytest.raises(GeometryMismatch, match="as wide as deep"):
        projector(grid_of((4, 6, 6), (4.0, 4.0, 5.0)), (30.0,))
    with pytest.raises(GeometryMismatch, match="shape"):
        projector(grid).forward(np.zeros((4, 6, 5)))
    with pytest.raises(GeometryMismatch, match="shape"):
        projector(grid).adjoint(np.zeros((2, 4, 5)))
    for change in (
        {"angles": ()},
        {"angles": (np.nan,)},
        {"face_mm": np.zeros((2, 3))},
        {"face_mm": np.inf},
        {"angles": (0.0, 30.0), "face_mm": contour(2, 4)},
    ):
        with pytest.raises(InvalidValue):
            projector(grid, **change)


@pytest.mark.parametrize(("value", "unit"), [(np.nan, "/cm"), (-0.1, "/cm"), (0.1, "/mm")])
def test_what_cannot_attenuate_is_refused(value, unit):
    grid = grid_of((4, 6, 6))
    attenuation = Field(values=np.full((4, 6, 6), value, dtype=np.float32), grid=grid, unit=unit)
    with pytest.raises(InvalidValue, match="Attenuation is finite, not negative and in /cm"):
        dataclasses.replace(projector(grid), attenuation=attenuation)


def test_a_face_beyond_any_room_is_refused():
    with pytest.raises(InvalidValue, match="within 5 m"):
        projector(grid_of((4, 6, 6)), face_mm=1e9)
