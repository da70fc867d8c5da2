from __future__ import annotations

import importlib.util
import math
import os
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from bonescan.anatomy.form import FORM_LIMIT, FORM_PARAMETERS, draw_form, shaped_skeleton
from bonescan.anatomy.pose import PARAMETERS, pose_person
from bonescan.anatomy.skeleton import Skeleton, default_skeleton
from bonescan.errors import InvalidValue

ROOT = Path(__file__).parents[2]
MESHES = Path(os.environ.get("BONESCAN_REAL_SCANS", ".")).resolve().parent / "anatomy"
NAMES = [parameter.name for parameter in FORM_PARAMETERS]
SPREADS = np.array([parameter.spread for parameter in FORM_PARAMETERS])
SPHERE = np.random.default_rng(0).normal(size=(80, 3))
SPHERE /= np.linalg.norm(SPHERE, axis=1, keepdims=True)

# Bones that a joint or a disc joins, left side.
SPINE = [f"vertebra_{part}{k:02d}" for part, count in (("c", 7), ("t", 12), ("l", 5)) for k in range(1, count + 1)]
JOINED = [
    *zip(SPINE, [*SPINE[1:], "sacrum"], strict=True),
    *((f"rib_{k:02d}_l", f"vertebra_t{k:02d}") for k in range(1, 13)),
    ("skull_occipital", "vertebra_c01"),
    ("mandible", "skull_temporal_l"),
    ("sternum_manubrium", "sternum_body"),
    ("clavicle_l", "sternum_manubrium"),
    ("clavicle_l", "scapula_l"),
    ("humerus_l", "scapula_l"),
    ("humerus_l", "ulna_l"),
    ("humerus_l", "radius_l"),
    ("radius_l", "carpal_scaphoid_l"),
    ("sacrum", "hip_bone_l"),
    ("hip_bone_l", "hip_bone_r"),
    ("femur_l", "hip_bone_l"),
    ("femur_l", "tibia_l"),
    ("patella_l", "femur_l"),
    ("tibia_l", "fibula_l"),
    ("tibia_l", "tarsal_talus_l"),
]


def only(**values: float) -> np.ndarray:
    form = np.zeros(len(NAMES))
    for name, value in values.items():
        form[NAMES.index(name.replace("__", "."))] = value
    return form


def surface(skeleton: Skeleton, bone: str) -> np.ndarray:
    own = skeleton.bone_index == skeleton.bones.index(bone)
    points = np.einsum("eij,kj->eki", skeleton.axes_mm[own], SPHERE) + skeleton.centres_mm[own][:, None]
    return points.reshape(-1, 3)


def gaps_mm(skeleton: Skeleton) -> np.ndarray:
    """Least distances between points drawn on joined bones' ellipsoids; some 3 mm where these touch."""
    points = {bone: surface(skeleton, bone) for bone in {bone for pair in JOINED for bone in pair}}
    return np.array(
        [cKDTree(points[one]).query(points[other], distance_upper_bound=30)[0].min() for one, other in JOINED]
    )


GAPS = gaps_mm(default_skeleton())


def shadow(skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """Centres and quadratic forms of the ellipsoids' outlines seen along y."""
    flat = skeleton.axes_mm[:, [0, 2]]
    return skeleton.centres_mm[:, [0, 2]], flat @ flat.transpose(0, 2, 1)


def test_the_reference_man_looks_from_in_front_as_the_default_skeleton():
    # an ellipsoid scaled about its centre along the rays keeps its outline
    for mine, theirs in zip(shadow(shaped_skeleton("male")), shadow(default_skeleton()), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_the_default_skeleton_is_left_alone():
    before = default_skeleton().axes_mm.copy()
    shaped_skeleton("female", draw_form(np.random.default_rng(0), "female"))
    np.testing.assert_array_equal(default_skeleton().axes_mm, before)


@pytest.mark.parametrize("sex", ["female", "male"])
def test_bones_stay_joined_in_the_reference_and_in_random_forms(sex):
    # 4 mm is half the thickness of a disc of the lumbar spine: what a joint of the default skeleton may gain at most
    rng = np.random.default_rng(3)
    for form in [None] + [draw_form(rng, sex) for _ in range(3)]:
        wider = gaps_mm(shaped_skeleton(sex, form)) - GAPS
        assert wider.max() < 4.0, JOINED[wider.argmax()]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_moves_bone_and_keeps_ends_together(name):
    # 3 spreads, farther than `draw_form` goes; 5 mm as above, a little more for that
    form = only(**{name.replace(".", "__"): 3 * SPREADS[NAMES.index(name)]})
    skeleton = shaped_skeleton("male", form)
    man = shaped_skeleton("male")
    shift = np.abs(skeleton.centres_mm - man.centres_mm).max() + np.abs(skeleton.axes_mm - man.axes_mm).max()
    assert shift > 1.0
    wider = gaps_mm(skeleton) - GAPS
    assert wider.max() < 5.0, JOINED[wider.argmax()]


def test_left_and_right_are_mirror_images():
    skeleton = shaped_skeleton("female", draw_form(np.random.default_rng(4), "female"))
    left = [k for k, bone in enumerate(skeleton.bones) if bone.endswith("_l")]
    for k in left:
        twin = skeleton.bones.index(skeleton.bones[k][:-2] + "_r")
        mine, theirs = (skeleton.centres_mm[skeleton.bone_index == n] for n in (k, twin))
        np.testing.assert_allclose(theirs, mine * [-1, 1, 1], atol=1e-6)


def test_the_heads_of_femur_and_humerus_stay_where_the_limbs_turn():
    # joint centres of SEGMENTS; 2 mm, as much as a joint's cartilage gives
    skeleton = shaped_skeleton("female")
    for bone, pivot in (("femur_l", (88.0, 10.0, 881.0)), ("humerus_l", (163.0, 15.0, 1388.0))):
        own = skeleton.bone_index == skeleton.bones.index(bone)
        before = default_skeleton().centres_mm[own]
        head = np.linalg.norm(before - pivot, axis=1).argmin()
        assert np.linalg.norm(skeleton.centres_mm[own][head] - before[head]) < 2.0


def pelvic_arch_degrees(skeleton: Skeleton) -> float:
    """Angle between the inner edges of the lower pubic rami, seen from in front, from the symphysis to the seat."""
    points = surface(skeleton, "hip_bone_l")
    edge = [points[np.abs(points[:, 2] - z) < 1.5, 0].min() for z in (846.0, 832.0)]
    return 2 * math.degrees(math.atan2(edge[1] - edge[0], 14.0))


def test_a_woman_differs_from_a_man_where_anatomists_say():
    woman, man = shaped_skeleton("female"), shaped_skeleton("male")
    assert pelvic_arch_degrees(woman) > pelvic_arch_degrees(man) + 10  # wider in every textbook, by 20 degrees or so
    spines = [np.abs(surface(one, "hip_bone_l")[:, 0]).max() for one in (woman, man)]
    assert 1.01 < spines[0] / spines[1] < 1.08  # of the stature: 225/1630 against 227/1760 is 1.07
    femora = [one.volumes_mm3()[one.bone_index == one.bones.index("femur_l")].sum() for one in (woman, man)]
    assert 0.8 < femora[0] / femora[1] < 1.0
    assert woman.volumes_mm3().sum() < 0.95 * man.volumes_mm3().sum()


def test_proportions_and_form_of_a_woman_are_not_the_same_thing():
    # her stature comes out, and the chest's width is what her proportions make it: form adds none
    posed = pose_person(shaped_skeleton("female"), sex="female", stature_mm=1630)
    plain = pose_person(default_skeleton(), sex="female", stature_mm=1630)
    assert posed.size == pytest.approx(plain.size, rel=0.01)
    ribs = [k for k, bone in enumerate(posed.skeleton.bones) if bone.startswith("rib_06")]
    own = np.isin(posed.skeleton.bone_index, ribs)
    assert np.abs(posed.centres_mm[own, 0]).max() == pytest.approx(np.abs(plain.centres_mm[own, 0]).max(), rel=0.02)


def test_random_forms_stay_within_what_is_accepted_and_differ():
    rng = np.random.default_rng(0)
    forms = np.array([draw_form(rng, "male") for _ in range(300)])
    assert (np.abs(forms) <= 2.5 * SPREADS).all()
    assert FORM_LIMIT > 2.5
    np.testing.assert_allclose(forms.std(axis=0) / SPREADS, 0.95, atol=0.15)  # a normal cut at 2.5: SD 0.956
    assert not np.array_equal(forms[0], forms[1])


@pytest.mark.parametrize(
    ("sex", "form"),
    [
        ("neither", None),
        ("male", np.zeros(3)),
        ("male", np.full(len(NAMES), np.nan)),
        ("female", FORM_LIMIT * 1.01 * SPREADS),
    ],
)
def test_what_no_person_has_is_refused(sex, form):
    with pytest.raises(InvalidValue):
        shaped_skeleton(sex, form)


def test_a_person_of_any_form_can_be_posed():
    rng = np.random.default_rng(8)
    pose = rng.normal(0, [parameter.spread for parameter in PARAMETERS])
    posed = pose_person(shaped_skeleton("female", draw_form(rng, "female")), sex="female", pose=pose)
    assert np.isfinite(posed.centres_mm).all()


@pytest.mark.skipif(
    "BONESCAN_REAL_SCANS" not in os.environ or not (MESHES / "bp3d4_skeleton_206_cap1000.npz").is_file(),
    reason="no meshes beside the folder that BONESCAN_REAL_SCANS names",
)
def test_the_mans_silhouettes_agree_with_the_meshes():
    # the project's aim: whole 0.95, every region 0.92, as bench/silhouettes.py prints it
    spec = importlib.util.spec_from_file_location("silhouettes", ROOT / "bench" / "silhouettes.py")
    assert spec is not None
    assert spec.loader is not None
    silhouettes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(silhouettes)
    meshes = silhouettes.Depths.of_meshes(MESHES, 1.0)
    found = silhouettes.agreement(silhouettes.Depths.of_skeleton(shaped_skeleton("male"), 1.0), meshes)
    for figures in found.values():
        assert figures.pop("whole") >= silhouettes.WANTED
        assert min(value for value in figures.values() if not math.isnan(value)) >= silhouettes.WANTED_REGION
