"""The analytic camera model's speed, its figures against makers' and exact ones, and torch beside it.

Run: python bench/projector.py [--repeats 5] [--device cuda]

A cylinder of activity in a body of water, 34 by 22 cm, is seen by a pair of heads (3 mm voxels, a whole body) and from
64 sides (128 x 128 x 128 voxels of 4.8 mm). Aims on two cores: 1 s for each forward way. Times are the shortest of the
repeats, with what is compiled already loaded, and the processor time of all threads beside them, which other programs
disturb less; the memory is the process's peak. Needs Linux or macOS, which tell it.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bonescan.camera import CAMERAS, camera
from bonescan.camera.cameras import FWHM_PER_SIGMA
from bonescan.camera.projector import Projector, adjoint_residual
from bonescan.camera.projector_torch import TorchProjector
from bonescan.field import Field, Grid

# cps/MBq and FWHM in mm at 10 cm; see tests/known/test_cameras.py for the sources
PUBLISHED = {
    "symbia_lehr": ("91.0, maker's 202 cpm/uCi", "7.5, maker's limit"),
    "discovery_670_lehr": ("76 to 85, SIMIND", "7.2, planar"),
    "infinia_lehr": ("76 to 85, SIMIND (same collimator)", "7.2, planar"),
}
CASES = {
    "whole-body pair, 3 mm": ((550, 135, 271), 3.0, (0.0, 180.0)),
    "64 views of 128^3, 4.8 mm": ((128, 128, 128), 4.795, tuple(np.arange(64) * 360 / 64)),
}


def body(shape: tuple[int, int, int], spacing_mm: float) -> tuple[Grid, np.ndarray, Field]:
    """Grid, activity and attenuation."""
    origin = (-spacing_mm * (shape[2] - 1) / 2, -spacing_mm * (shape[1] - 1) / 2, 0.0)
    grid = Grid(shape=shape, spacing_mm=(spacing_mm,) * 3, origin_mm=origin)
    y, x = (origin[k] + spacing_mm * np.arange(n) for k, n in ((1, shape[1]), (0, shape[2])))
    inside = (x[None] / 170) ** 2 + (y[:, None] / 110) ** 2 < 1
    rng = np.random.default_rng(1)
    activity = np.broadcast_to(inside * rng.random(inside.shape), shape).astype(np.float32)
    mu = np.broadcast_to(inside * 0.15, shape).astype(np.float32)
    return grid, activity, Field(values=mu, grid=grid, unit="/cm")


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Shortest of the repeats after a first one, and processor time of all threads then."""
    times = []
    for _ in range(repeats + 1):
        start, used = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start, time.process_time() - used))
    return min(times[1:])


def build(name: str, device: str | None) -> tuple[Projector | TorchProjector, np.ndarray]:
    """A case's projector, and the activity it sees."""
    shape, spacing_mm, angles = CASES[name]
    grid, activity, mu = body(shape, spacing_mm)
    own = Projector(
        grid=grid,
        attenuation=mu,
        camera=camera("symbia_lehr"),
        angles_deg=angles,
        face_mm=140.0 if len(angles) == 2 else 240.0,
        axis_mm=(0.0, 0.0),
        window_kev=camera("symbia_lehr").window_kev(),
    )
    return own if device is None else TorchProjector(projector=own, device=device), activity


def speed(repeats: int, device: str | None) -> None:
    print(f"{'':28}{'':8}{'forward':>9}{'adjoint':>9} s{'processor':>13}{'':9} s    adjoint residual")
    for name in CASES:
        forward = {}
        for way in (None, device) if device else (None,):
            projector, activity = build(name, way)
            values = projector.forward(activity).values  # what comes back is copied from a graphics card, so is done
            forward[way], used = timed(partial(projector.forward, activity), repeats)
            adjoint, used_back = timed(partial(projector.adjoint, values), repeats)
            residual = adjoint_residual(projector, np.random.default_rng(2))
            line = f"{name:28}{way or 'numba':8}{forward[way]:9.3f}{adjoint:9.3f}  {used:13.2f}{used_back:9.2f}"
            print(f"{line}      {residual:.1e}")
        if device:
            print(f"{'':28}{device} takes {forward[device] / forward[None]:.2f} of numba's time forward")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.0f} MB")


def widths() -> None:
    """Pictures of points: standard deviation, as FWHM, against the camera's, on three sizes of pixel and turned."""
    own = camera("symbia_lehr")
    distances = (20.0, 50.0, 100.0, 150.0, 200.0, 300.0)
    print("\nFWHM of points, Symbia LEHR, mm" + "".join(f"{distance:8.0f}" for distance in distances) + " mm away")
    print(f"{'formula':31}" + "".join(f"{float(own.fwhm_mm(distance)):8.2f}" for distance in distances))
    for pixel_mm in (2.0, 3.0, 4.8):
        count = 2 * int(60 / pixel_mm) + 1
        grid = Grid(
            shape=(count,) * 3, spacing_mm=(pixel_mm,) * 3, origin_mm=(-(count - 1) / 2 * pixel_mm,) * 2 + (0.0,)
        )
        activity = np.zeros(grid.shape, np.float32)
        activity[count // 2, count // 2, count // 2] = 1.0
        for angle in (0.0, 33.0):
            row = []
            for distance in distances:
                view = Projector(
                    grid=grid,
                    attenuation=None,
                    camera=own,
                    angles_deg=(angle,),
                    face_mm=distance,
                    axis_mm=(0.7, 0.4),
                    window_kev=own.window_kev(),
                )
                # the point lies off the axis, and nearer or farther by that
                aside = np.deg2rad(angle)
                off = float(own.fwhm_mm(distance + 0.7 * np.sin(aside) + 0.4 * np.cos(aside)) - own.fwhm_mm(distance))
                profile = view.forward(activity).values[0].sum(axis=0, dtype=float)
                at = np.arange(profile.size) * pixel_mm
                mean = (profile * at).sum() / profile.sum()
                row.append(FWHM_PER_SIGMA * np.sqrt((profile * (at - mean) ** 2).sum() / profile.sum()) - off)
            print(f"{pixel_mm:4} mm pixels, at {angle:3.0f} degrees    " + "".join(f"{value:8.2f}" for value in row))


def makers() -> None:
    print(f"\n{'cps/MBq in a window of':28}{'15 %':>7}{'20 %':>7}   {'published':36}{'FWHM at 10 cm':>14}   published")
    for name in CAMERAS:
        own = camera(name)
        counts = [own.sensitivity_cps_per_mbq(own.window_kev(percent)) for percent in (15, 20)]
        said, wide = PUBLISHED.get(name, ("none read", "none read"))
        print(f"{name:28}{counts[0]:7.1f}{counts[1]:7.1f}   {said:36}{float(own.fwhm_mm(100)):14.2f}   {wide}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", help="of torch, to be timed too")
    options = parser.parse_args()
    makers()
    widths()
    print()
    speed(options.repeats, options.device)


if __name__ == "__main__":
    main()
