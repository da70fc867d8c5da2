from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.pose import PARAMETERS, PosedSkeleton, default_pose, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.skeleton import Skeleton, default_skeleton
from bonescan.errors import InvalidValue

STEP_MM = 2.0


def made_of(*ellipsoids: tuple[str, tuple[float, float, float], np.ndarray]) -> PosedSkeleton:
    """A skeleton of (bone, centre, half-axes as columns)."""
    bones = tuple(dict.fromkeys(name for name, *_ in ellipsoids))
    skeleton = Skeleton(
        bones=bones,
        bone_index=np.array([bones.index(name) for name, *_ in ellipsoids]),
        segment_index=np.zeros(len(ellipsoids), int),
        centres_mm=np.array([centre for _, centre, _ in ellipsoids], dtype=float),
        axes_mm=np.array([axes for *_, axes in ellipsoids], dtype=float),
    )
    return PosedSkeleton(
        skeleton=skeleton,
        pose=default_pose(),
        size=1.0,
        centres_mm=skeleton.centres_mm,
        axes_mm=skeleton.axes_mm,
    )


def pixels(x_low: float, x_high: float, z_low: float, z_high: float, step: float = STEP_MM):
    """Body coordinates of a picture, head up."""
    x, z = np.meshgrid(np.arange(x_low, x_high, step), np.arange(z_high, z_low, -step))
    return x.astype(np.float32), z.astype(np.float32)


def whole(shadows, shape):
    """Sum of the bones' lengths."""
    picture = np.zeros(shape)
    for shadow in shadows:
        height, width = shadow.length_mm.shape
        picture[shadow.row : shadow.row + height, shadow.column : shadow.column + width] += shadow.length_mm
    return picture


def random_posed(seed: int) -> PosedSkeleton:
    rng = np.random.default_rng(seed)
    return pose_skeleton(default_skeleton(), rng.normal(0, [p.spread for p in PARAMETERS]))


def test_a_ball_is_as_long_as_its_chord():
    x, z = pixels(-40, 40, -40, 40)
    length = whole(project_bones(made_of(("ball", (3, 7, -5), 30 * np.eye(3))), x, z), x.shape)
    closed_form = 2 * np.sqrt(np.clip(900 - (x - 3.0) ** 2 - (z + 5.0) ** 2, 0, None))
    np.testing.assert_allclose(length, closed_form, rtol=1e-5, atol=1e-3)


def test_a_tilted_ellipsoid_has_its_volume():
    rng = np.random.default_rng(5)
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0] * [45.0, 12.0, 25.0]
    x, z = pixels(-60, 60, -60, 60, 0.5)
    length = whole(project_bones(made_of(("one", (0, 0, 0), axes)), x, z), x.shape)
    assert length.sum() * 0.25 == pytest.approx(4 / 3 * np.pi * 45 * 12 * 25, rel=2e-3)  # sum over 0.5 mm pixels


def test_what_overlaps_in_one_bone_counts_once_and_what_is_apart_adds_up():
    x, z = pixels(-1, 1, -1, 1)
    for distance, expected in ((0.0, 20.0), (15.0, 35.0), (50.0, 40.0)):  # along the ray, radius 10
        posed = made_of(("b", (0, 0, 0), 10 * np.eye(3)), ("b", (0, distance, 0), 10 * np.eye(3)))
        (shadow,) = project_bones(posed, np.zeros_like(x), np.zeros_like(z))
        np.testing.assert_allclose(shadow.length_mm, expected, rtol=1e-6)
        assert shadow.y_mm == pytest.approx(distance / 2)


@pytest.mark.parametrize(("side", "skin", "near", "far"), [(-1, -50.0, 40.0, 60.0), (+1, 80.0, 70.0, 90.0)])
def test_attenuation_follows_the_closed_form(side, skin, near, far):
    mu = 0.0125
    zero = np.zeros((2, 2), np.float32)
    (shadow,) = project_bones(
        made_of(("b", (0, 0, 0), 10 * np.eye(3))),
        zero,
        zero,
        skin_mm=np.full_like(zero, skin),
        side=side,
        mu_per_mm=mu,
    )
    np.testing.assert_allclose(shadow.length_mm, (np.exp(-mu * near) - np.exp(-mu * far)) / mu, rtol=1e-5)


@pytest.mark.parametrize(("skin", "side"), [(None, -1), (np.zeros((2, 2), np.float32), 0)])
def test_attenuation_without_skin_or_side_is_refused(skin, side):
    zero = np.zeros((2, 2), np.float32)
    with pytest.raises(InvalidValue, match="Attenuation needs the skin"):
        project_bones(made_of(("b", (0, 0, 0), np.eye(3))), zero, zero, skin_mm=skin, side=side, mu_per_mm=0.012)


def test_however_many_ellipsoids_lie_on_one_ray_all_count():
    # 100 balls of radius 1, 3 mm apart along the ray: each adds its diameter
    row = [("b", (0, 3.0 * k, 0), np.eye(3)) for k in range(100)]
    zero = np.zeros((2, 2), np.float32)
    (shadow,) = project_bones(made_of(*row), zero, zero)
    np.testing.assert_allclose(shadow.length_mm, 200.0, rtol=1e-6)


def test_no_attenuation_is_the_limit_of_little():
    posed = random_posed(6)
    x, z = pixels(-250, 250, 900, 1500, 6.0)
    plain = whole(project_bones(posed, x, z), x.shape)
    skin = np.full_like(x, -200.0)
    thin = whole(project_bones(posed, x, z, skin_mm=skin, side=-1, mu_per_mm=1e-6), x.shape)
    np.testing.assert_allclose(thin, plain, rtol=2e-3, atol=1e-3)  # exp(-mu 400 mm) is 0.0004 less than 1
    real = whole(project_bones(posed, x, z, skin_mm=skin, side=-1, mu_per_mm=0.0125), x.shape)
    assert (real <= plain * (1 + 1e-5)).all()
    assert real.sum() < 0.3 * plain.sum()  # most bone lies behind some 15 cm here: exp(-1.9) = 0.15


@pytest.mark.parametrize("bone", ["femur_l", "hip_bone_r", "vertebra_l03", "rib_07_l", "skull_occipital"])
def test_the_shadow_holds_the_volume_of_the_union(bone):
    posed = random_posed(7)
    skeleton = posed.skeleton
    own = np.flatnonzero(skeleton.bone_index == skeleton.bones.index(bone))
    reach = np.linalg.norm(posed.axes_mm[own], axis=2)
    low, high = (posed.centres_mm[own] - reach).min(axis=0), (posed.centres_mm[own] + reach).max(axis=0)
    # witness: 200,000 points thrown into the box, standard error below 1 % of these volumes
    points = np.random.default_rng(8).uniform(low, high, (200_000, 3))
    hit = np.zeros(len(points), bool)
    for centre, axes in zip(posed.centres_mm[own], posed.axes_mm[own], strict=True):
        hit |= (((points - centre) @ np.linalg.inv(axes).T) ** 2).sum(axis=1) <= 1
    volume = hit.mean() * np.prod(high - low)
    x, z = pixels(low[0] - 2, high[0] + 2, low[2] - 2, high[2] + 2, 1.0)
    shadow = next(s for s in project_bones(posed, x, z) if s.bone == bone)
    assert shadow.length_mm.sum() == pytest.approx(volume, rel=0.03)


def test_the_whole_skeleton_weighs_what_its_source_does():
    x, z = pixels(-340, 340, -10, 1720, 2.0)
    length = whole(project_bones(pose_skeleton(default_skeleton(), default_pose()), x, z), x.shape)
    # 5,434 cm3: the BodyParts3D meshes, filled; ellipsoids agree within 5 % (Dice 0.94)
    assert length.sum() * 4 / 1000 == pytest.approx(5434, rel=0.05)


def test_the_default_shadow_is_its_own_mirror_image():
    x, z = pixels(-339, 340, 0, 1720, 2.0)  # columns at -339, -337 ... 339
    length = whole(project_bones(pose_skeleton(default_skeleton(), default_pose()), x, z), x.shape)
    sided = [
        s for s in project_bones(pose_skeleton(default_skeleton(), default_pose()), x, z) if s.bone[-2:] in ("_l", "_r")
    ]
    picture = whole(sided, x.shape)
    np.testing.assert_allclose(picture, picture[:, ::-1], atol=0.02)
    dark, mirrored = length > 0, length[:, ::-1] > 0  # the midline bones are nearly symmetrical
    assert 2 * (dark & mirrored).sum() / (dark.sum() + mirrored.sum()) > 0.98


def test_every_ellipsoid_in_view_casts_a_shadow_where_it_is():
    posed = random_posed(9)
    x, z = pixels(-500, 500, -200, 1900, 2.0)
    dark = whole(project_bones(posed, x, z), x.shape) > 0
    column = np.round((posed.centres_mm[:, 0] - x[0, 0]) / 2).astype(int)
    row = np.round((z[0, 0] - posed.centres_mm[:, 2]) / 2).astype(int)
    thick = np.linalg.norm(posed.axes_mm, axis=2)[:, [0, 2]].min(axis=1) > 2.0  # wider than half a pixel off
    assert dark[row, column][thick].mean() > 0.995


def test_bones_beside_the_picture_are_left_out():
    x, z = pixels(-200, 200, 0, 300)
    bones = {s.bone for s in project_bones(pose_skeleton(default_skeleton(), default_pose()), x, z)}
    assert {"tibia_l", "fibula_r", "tarsal_talus_l"} <= bones
    assert not {"femur_l", "hip_bone_l", "skull_frontal"} & bones


def test_shadows_cannot_be_changed_afterwards():
    x, z = pixels(-20, 20, -20, 20)
    (shadow,) = project_bones(made_of(("b", (0, 0, 0), 10 * np.eye(3))), x, z)
    with pytest.raises(ValueError, match="read-only"):
        shadow.length_mm[0, 0] = 1
