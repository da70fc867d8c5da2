from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from bonescan.anatomy.body import Body
from bonescan.anatomy.form import shaped_skeleton
from bonescan.anatomy.organs import posed_organs
from bonescan.anatomy.pose import pose_person
from bonescan.anatomy.voxels import VoxelBody, body_grid, voxelise

REFERENCE = {"male": 1760.0, "female": 1630.0}


@cache
def adult(sex: str, spacing_mm: float = 4.0, girth: float = 1.0, bladder_ml: float = 192.3) -> tuple[Body, VoxelBody]:
    posed = pose_person(shaped_skeleton(sex), sex=sex, stature_mm=REFERENCE[sex])
    body = Body(posed=posed, sex=sex, girth=girth)
    return body, voxelise(body, posed_organs(posed, sex, bladder_ml=bladder_ml), body_grid(body, spacing_mm))


@pytest.mark.parametrize(("sex", "mass_kg"), [("male", 73.0), ("female", 60.0)])
def test_the_reference_adult_weighs_what_icrp_89_says(sex, mass_kg):
    assert adult(sex)[1].mass_kg == pytest.approx(mass_kg, rel=0.10)


def test_the_silhouette_of_the_voxels_is_that_of_the_body():
    body, voxels = adult("male")
    grid = voxels.grid
    x, z = np.meshgrid(
        grid.origin_mm[0] + 4.0 * np.arange(grid.shape[2]), grid.origin_mm[2] + 4.0 * np.arange(grid.shape[0])
    )
    thick = body.thickness(x.astype(np.float32), z.astype(np.float32))
    shadow = (voxels.tissue > 0).any(axis=1)
    assert not shadow[thick == 0].any()
    assert shadow[thick > 4.0].all()  # a ray through 4 mm of tissue meets the centre of a voxel
