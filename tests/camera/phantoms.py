"""A small body of water with activity, and scatter that is known, for the tests of acquisitions."""

from __future__ import annotations

import numpy as np

from bonescan.anatomy.medium import Medium
from bonescan.camera.emitter import Emitter
from bonescan.camera.projections import Lattice, Projections
from bonescan.field import Field, Grid

GRID = Grid(shape=(60, 20, 30), spacing_mm=(10, 10, 10), origin_mm=(-145, -95, 5))  # z 0 to 600, y -100 to 100


def water(z=(5, 55), y=(5, 15), x=(5, 25)) -> Medium:
    """A box of water in air; by default z 50 to 550, y -50 to 50, x -100 to 100."""
    material = np.zeros(GRID.shape, dtype=np.uint8)
    material[slice(*z), slice(*y), slice(*x)] = 1
    return Medium(grid=GRID, material=material, materials=({"air": 0.0012}, {"water": 1.0}))


def activity(kbq_per_ml: float = 20.0, z=(5, 55), y=(5, 15), x=(5, 25)) -> Field:
    """The same concentration all over a box."""
    values = np.zeros(GRID.shape, dtype=np.float32)
    values[slice(*z), slice(*y), slice(*x)] = kbq_per_ml
    return Field(values=values, grid=GRID, unit="kBq/mL")


def emitter(medium: Medium | None = None, half_life_h: float = 6.0067, **where) -> Emitter:
    """The box of water with activity in a box."""
    return Emitter(medium=water() if medium is None else medium, activity=activity(**where), half_life_h=half_life_h)


def no_scatter(activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed) -> Projections:
    """None at all."""
    return even_scatter(activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed, share=0.0)


def even_scatter(
    activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed, share=1.0
) -> Projections:
    """A count per second for each MBq, evenly over 1 m x 0.4 m around the middle of the box."""
    lattice = Lattice(shape=(50, 20), spacing_mm=(20, 20), top_mm=790, left_mm=-190)
    even = share * activity.total / 1000 / (50 * 20)
    values = np.full((len(windows_kev), len(angles_deg), *lattice.shape), even, dtype=np.float32)
    return Projections(values=values, lattice=lattice, angles_deg=tuple(angles_deg))
