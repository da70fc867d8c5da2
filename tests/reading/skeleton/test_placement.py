"""Frames, placements and the residual warp."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from bonescan.reading.skeleton.placement import Frame, Placement, _splines, residual_warp

FRAMES = [
    Frame(row_0=512.0, column_0=128.0, row_per_mm=0.5, column_per_mm=0.5, tilt=0.0, shear=0.0),
    Frame(row_0=480.5, column_0=120.0, row_per_mm=0.55, column_per_mm=-0.41, tilt=0.04, shear=-0.03),
    Frame(row_0=-20.0, column_0=60.0, row_per_mm=0.2, column_per_mm=0.25, tilt=-0.06, shear=0.05),
]


@pytest.mark.parametrize("frame", FRAMES)
def test_body_undoes_pixels(frame):
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-300, 300, 200), rng.uniform(0, 1800, 200)
    back = frame.body(*frame.pixels(x, z))
    np.testing.assert_allclose(back, (x, z), atol=1e-8)


def test_a_frame_is_affine_with_the_head_up():
    frame = FRAMES[0]
    assert frame.pixels(np.array(0.0), np.array(900.0)) == (512.0, 128.0)
    row, column = frame.pixels(np.array(10.0), np.array(1000.0))
    assert (row, column) == (462.0, 133.0)  # 100 mm up at half a pixel per mm; 10 mm to the left


def test_a_frame_keeps_the_order_of_its_numbers():
    frame = Frame.of(np.array([1.0, 2, 3, 4, 5, 6]))
    assert frame == Frame(row_0=1, column_0=2, row_per_mm=3, column_per_mm=4, tilt=5, shear=6)


def smooth_field(shape: tuple[int, int], largest: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    field = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), 14, mode="wrap") for _ in range(2)])
    return np.asarray(largest * field / np.abs(field).max())


@pytest.mark.parametrize("frame", FRAMES[:2])
def test_placement_pixels_undo_body(frame):
    factor = np.array([192 / 1024, 48 / 256])
    placement = Placement(frame=frame, displacement=smooth_field((192, 48), 1.5), factor=factor)
    row, column = (part.astype(float) for part in np.mgrid[20:1000:13, 10:240:7])
    again = placement.pixels(*placement.body(row, column))
    assert np.abs(again[0] - row).max() < 0.1
    assert np.abs(again[1] - column).max() < 0.1


def test_a_displacement_moves_the_body_by_working_pixels():
    still = Placement(frame=FRAMES[0], displacement=np.zeros((2, 192, 48)), factor=np.array([0.25, 0.5]))
    moved = Placement(frame=FRAMES[0], displacement=np.ones((2, 192, 48)), factor=np.array([0.25, 0.5]))
    x, z = np.array([30.0]), np.array([800.0])
    difference = np.subtract(moved.pixels(x, z), still.pixels(x, z))
    np.testing.assert_allclose(difference.ravel(), [4.0, 2.0])  # one working pixel over its factor


def texture(shape: tuple[int, int], seed: int = 3) -> np.ndarray:
    """Blobs as large as bones, of unit variance: what a standardised picture is like."""
    values = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return np.asarray(values / values.std(), dtype=np.float32)


def warped(picture: np.ndarray, field: np.ndarray) -> np.ndarray:
    at = np.indices(picture.shape) - field
    return ndimage.map_coordinates(picture, at, order=3, mode="nearest").astype(np.float32)


def test_the_warp_finds_a_known_smooth_displacement():
    picture = texture((192, 60))
    true = smooth_field(picture.shape, 1.2, seed=5)
    found = residual_warp(warped(picture, true), picture)
    inner = np.s_[:, 8:-8, 8:-8]
    assert np.sqrt(np.mean((found - true)[inner] ** 2)) < 0.3 * np.sqrt(np.mean(true[inner] ** 2))
    assert np.abs(found - true)[inner].max() < 0.6


def test_nothing_to_follow_gives_no_displacement():
    picture = texture((96, 40))
    np.testing.assert_allclose(residual_warp(picture, picture), 0, atol=1e-6)


def test_the_warp_never_exceeds_two_working_pixels():
    picture = texture((96, 40))
    found = residual_warp(warped(picture, np.full((2, 96, 40), 4.0)), picture)
    assert np.abs(found).max() <= 2.0


def test_a_hot_spot_pulls_little():
    picture = texture((96, 40))
    spotted = picture.copy()
    spotted[46:50, 18:22] += 8
    field = residual_warp(spotted, picture)
    assert np.abs(field).max() < 0.6  # unweighted least squares would let a residual of 8 pull by whole pixels


def test_splines_share_every_pixel_among_nodes():
    weights = _splines(61)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert weights.min() >= 0
