from __future__ import annotations

import numpy as np
import pytest

from bonescan.camera import camera
from bonescan.camera.projector import Projector, adjoint_residual
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field, Grid

torch = pytest.importorskip("torch")
from bonescan.camera.projector_torch import TorchProjector  # noqa: E402  it is of no use without torch

CAMERA = camera("symbia_lehr")
STRAIGHT, AROUND = (0.0, 180.0), (0.0, 37.0, 90.0, 251.5)


def both(angles, attenuating=True, axis_mm=(0.7, -1.0), device="cpu") -> tuple[Projector, TorchProjector]:
    rng = np.random.default_rng(2)
    shape = (19, 16, 22)
    grid = Grid(shape=shape, spacing_mm=(3.0, 4.0, 4.0), origin_mm=(-42.0, -30.0, 0.0))
    mu = Field(values=rng.uniform(0, 0.4, shape).astype(np.float32), grid=grid, unit="/cm") if attenuating else None
    face = rng.uniform(60, 150, (len(angles), shape[0] if angles == STRAIGHT else 1))
    own = Projector(
        grid=grid,
        attenuation=mu,
        camera=CAMERA,
        angles_deg=angles,
        face_mm=face,
        axis_mm=axis_mm,
        window_kev=CAMERA.window_kev(),
    )
    return own, TorchProjector(projector=own, device=device)


DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("attenuating", [True, False])
@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_torch_sees_what_compiled_loops_see(angles, attenuating, device):
    # the same numbers in float32, multiplied and added in another order; 2e-5 of the largest
    own, other = both(angles, attenuating, device=device)
    rng = np.random.default_rng(3)
    activity = rng.random(own.grid.shape, dtype=np.float32)
    values = rng.random((len(angles), *own.lattice.shape), dtype=np.float32)
    expected, back = own.forward(activity).values, own.adjoint(values)
    assert other.forward(activity).values == pytest.approx(expected, abs=2e-5 * float(expected.max()))
    assert other.adjoint(values) == pytest.approx(back, abs=2e-5 * float(back.max()))


@pytest.mark.parametrize("angles", [STRAIGHT, AROUND])
def test_torchs_two_ways_are_each_others_transpose(angles):
    assert adjoint_residual(both(angles)[1], np.random.default_rng(4)) < 1e-6


def test_what_torch_cannot_do_is_refused():
    own, other = both(STRAIGHT)
    with pytest.raises(InvalidValue, match="no device 'abacus'"):
        TorchProjector(projector=own, device="abacus")
    with pytest.raises(GeometryMismatch, match="shape"):
        other.forward(np.zeros((1, 2, 3)))
    with pytest.raises(GeometryMismatch, match="shape"):
        other.adjoint(np.zeros((1, 2, 3)))
