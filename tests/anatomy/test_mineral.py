from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from bonescan.anatomy.bones import BONES, mass_table
from bonescan.anatomy.mineral import (
    MARROW_G_PER_ML,
    MINERAL_BONE_G_PER_ML,
    bone_mineral,
    mineral_by_depth,
    mineral_density_g_per_ml,
    whole_bone_density_g_per_ml,
)
from bonescan.errors import GeometryMismatch, InvalidValue

NAMES = tuple(bone.id for bone in BONES)
BENCH = Path(__file__).parents[2] / "bench" / "skeleton_masses.py"


@pytest.fixture(scope="module")
def measure():
    spec = importlib.util.spec_from_file_location("skeleton_masses", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["skeleton_masses"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("sex", ["female", "male"])
def test_no_bone_is_denser_than_mineral_bone_nor_its_inside_than_itself(sex):
    for name in NAMES:
        mineral = bone_mineral(name, sex)
        assert 0 < mineral.spongiosa_g_per_ml <= mineral.density_g_per_ml <= MINERAL_BONE_G_PER_ML
        assert 0 < mineral.shell_fraction < 1
        assert 0 < mineral.shell_mm < 5  # the thickest cortex of a skeleton, of femur and tibia, is 5 to 8 mm at most


@pytest.mark.parametrize("sex", ["female", "male"])
def test_shares_of_mineral_bone_are_the_phantoms(sex, measure):
    # witness: data/masses.csv, measured on ICRP 110; 15 % is the project's aim, and cubes of 2 mm cost a few percent
    table = mass_table(f"icrp110-{sex}").share_percent
    volumes = measure.group_volumes_ml(measure.reference_person(sex), 2.0)
    mass = {
        group: sum(volume * mineral_density_g_per_ml(bone, sex) for bone, volume in bones.items())
        for group, bones in volumes.items()
    }
    for group, bones in volumes.items():
        share = 100 * mass[group] / sum(mass.values())
        assert share == pytest.approx(sum(table[bone] for bone in bones), rel=0.15), group
    # witness: sums of mineral bone, 6654 and 4410 g; 5 % for the cubes
    assert sum(mass.values()) == pytest.approx({"male": 6654, "female": 4410}[sex], rel=0.05)


def test_the_mean_over_any_bone_is_its_density_however_coarse_the_voxels():
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 400, len(NAMES))
    bone = rng.permutation(np.repeat(np.arange(len(NAMES)) + 1, counts)).reshape(1, -1)
    density = mineral_by_depth(bone, rng.uniform(0, 9, bone.shape), NAMES, "female")
    for k, name in enumerate(NAMES):
        mean = density[bone == k + 1].mean(dtype=np.float64)
        assert mean == pytest.approx(mineral_density_g_per_ml(name, "female"), rel=1e-6)


def test_the_shell_lies_outside():
    depth = np.linspace(0.1, 12, 500)
    density = mineral_by_depth(np.ones(500, dtype=np.int16), depth, ("femur_l",), "male")
    assert (np.diff(density) <= 0).all()
    assert density[0] == pytest.approx(MINERAL_BONE_G_PER_ML)
    assert density[-1] == pytest.approx(bone_mineral("femur_l", "male").spongiosa_g_per_ml)


def test_there_is_no_mineral_where_there_is_no_bone():
    assert not mineral_by_depth(np.zeros((2, 3, 4), dtype=np.int16), np.zeros((2, 3, 4)), NAMES, "male").any()


def test_marrow_fills_what_mineral_leaves():
    # by volume: a half of 1.92 and a half of marrow
    np.testing.assert_allclose(
        whole_bone_density_g_per_ml(np.array([0.0, 0.96, 1.92])), [MARROW_G_PER_ML, 0.96 + MARROW_G_PER_ML / 2, 1.92]
    )


@pytest.mark.parametrize(("bone", "sex"), [("femur", "neither"), ("tail", "male")])
def test_unknown_bones_and_sexes_are_refused(bone, sex):
    with pytest.raises(InvalidValue):
        mineral_density_g_per_ml(bone, sex)


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(GeometryMismatch):
        mineral_by_depth(np.ones((2, 2), dtype=int), np.ones((2, 3)), NAMES, "male")
    with pytest.raises(InvalidValue):
        mineral_by_depth(np.full((2, 2), 2), np.ones((2, 2)), ("femur_l",), "male")
