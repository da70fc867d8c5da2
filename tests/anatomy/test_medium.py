from __future__ import annotations

import numpy as np
import pytest

from bonescan.anatomy.medium import Medium
from bonescan.anatomy.tissues import attenuation_per_cm
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Grid

GRID = Grid(shape=(1, 1, 2), spacing_mm=(4, 4, 4), origin_mm=(0, 0, 0))


def test_a_mixture_weakens_as_the_sum_of_its_parts():
    bone = {"mineral bone": 0.6, "red marrow": 0.7}
    medium = Medium(grid=GRID, material=np.array([[[0, 1]]], dtype=np.uint8), materials=({}, bone))
    expected = sum(attenuation_per_cm(name, 120, density) for name, density in bone.items())
    assert medium.coefficients_per_cm([120]).sum(axis=0)[:, 0] == pytest.approx([0, expected])
    assert medium.attenuation(120).values[0, 0, 1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("material", "materials", "error"),
    [
        (np.array([[[0, 2]]], dtype=np.uint8), ({}, {"water": 1.0}), InvalidValue),
        (np.array([[[0, 1]]]), ({}, {"water": 1.0}), InvalidValue),
        (np.array([[[0, 1]]], dtype=np.uint8), ({}, {"water": -1.0}), InvalidValue),
        (np.array([[[0, 1]]], dtype=np.uint8), ({}, {"aether": 1.0}), InvalidValue),
        (np.array([[0, 1]], dtype=np.uint8), ({}, {"water": 1.0}), GeometryMismatch),
    ],
)
def test_what_is_no_medium_is_refused(material, materials, error):
    with pytest.raises(error):
        Medium(grid=GRID, material=material, materials=materials)
