"""One look at a body: where the heads are, and how many counts a second each pixel gets, unscattered and scattered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.medium import Medium
from bonescan.camera.cameras import PHOTON_KEV, Camera
from bonescan.camera.emitter import cropped
from bonescan.camera.projections import Lattice, Projections
from bonescan.camera.projector import Projector
from bonescan.errors import GeometryMismatch
from bonescan.field import Field, Grid

__all__ = ["Look", "ScatterModel", "look", "seen_columns", "seen_rows"]

Array = NDArray[np.float64]
Rates = NDArray[np.float32]

# Beyond this none of the unscattered photons is seen: four sigma at 600 mm from any collimator here [C]
_BLUR_MM = 60.0
_VIEWS_AT_ONCE = 16  # 64 views at once would take 4 GB
_SCATTER_MM = 200.0  # photons scattered from farther away add less than 1 % to a field's scatter [D]


class ScatterModel(Protocol):
    """Expected rates of scattered photons, e.g. by `bonescan.camera.forced.scatter`."""

    def __call__(
        self,
        activity: Field,
        medium: Medium,
        camera: Camera,
        angles_deg: tuple[float, ...],
        face_mm: Array,
        axis_mm: tuple[float, float],
        windows_kev: tuple[tuple[float, float], ...],
        histories: int,
        seed: int,
    ) -> Projections:
        """Projections with values (window, view, row, column), counts per second."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """Heads over a body; made by `look`.

    Parameters
    ----------
    grid : Grid
        Of the whole body: activities are given on it.
    camera : Camera
    angles_deg : tuple of float
    axis_mm : (x, y)
    lattice : Lattice
        Of the pixels.
    windows_kev : tuple of (lower, upper)
        Of true energies.
    projector : Projector
        Of the slices that are seen.
    slices : slice
        Which they are.
    medium : Medium
        Of the slices that scatter into the picture.
    scattering : slice
        Which they are.
    face_mm : (view, slice) ndarray
        From the axis to the collimators' faces, by slice of the whole body.
    """

    grid: Grid
    camera: Camera
    angles_deg: tuple[float, ...]
    axis_mm: tuple[float, float]
    lattice: Lattice
    windows_kev: tuple[tuple[float, float], ...]
    projector: Projector
    slices: slice
    medium: Medium
    scattering: slice
    face_mm: Array

    def unscattered(self, activity: Field) -> Rates:
        """Rates of photons that came straight; linear in the activity.

        Parameters
        ----------
        activity : Field
            kBq/mL.

        Returns
        -------
        (window, view, row, column) ndarray of float32
            Counts per second.

        Raises
        ------
        GeometryMismatch
            For an activity on another grid than the body's.
        """
        self._check(activity)
        seen = self.projector.forward(activity.values[self.slices]).onto(self.lattice).values
        counted = np.array([float(self.camera.detected_fraction(PHOTON_KEV, window)) for window in self.windows_kev])
        return np.asarray((counted / counted[0]).astype(np.float32)[:, None, None, None] * seen)

    def scattered(self, activity: Field, scatter: ScatterModel, histories: int, seed: int) -> Rates:
        """Rates of photons that were scattered in the body.

        Parameters
        ----------
        activity : Field
            kBq/mL.
        scatter : ScatterModel
        histories : int
            For all views together; of many views, each batch has its share.
        seed : int

        Returns
        -------
        (window, view, row, column) ndarray of float32
            Counts per second.

        Raises
        ------
        GeometryMismatch
            For an activity on another grid than the body's.
        """
        self._check(activity)
        own = Field(values=activity.values[self.scattering], grid=self.medium.grid, unit=activity.unit)
        if not own.values.any():
            return np.zeros((len(self.windows_kev), len(self.angles_deg), *self.lattice.shape), dtype=np.float32)
        face, parts = self.face_mm[:, self.scattering], []
        for first in range(0, len(self.angles_deg), _VIEWS_AT_ONCE):
            some = slice(first, first + _VIEWS_AT_ONCE)
            angles = self.angles_deg[some]
            share = max(1, histories * len(angles) // len(self.angles_deg))
            told = scatter(
                own, self.medium, self.camera, angles, face[some], self.axis_mm, self.windows_kev, share, seed + first
            )
            parts.append(told.onto(self.lattice).values)
        return np.concatenate(parts, axis=1)

    def _check(self, activity: Field) -> None:
        if activity.grid != self.grid:
            raise GeometryMismatch(
                "The activity lies on another grid than the body under the camera.",
                expected=self.grid,
                got=activity.grid,
            )


def look(
    medium: Medium,
    camera: Camera,
    angles_deg: tuple[float, ...],
    face_mm: Array,
    axis_mm: tuple[float, float],
    lattice: Lattice,
    windows_kev: tuple[tuple[float, float], ...],
    seen_mm: tuple[float, float],
) -> Look:
    """Prepare a look at a body.

    Parameters
    ----------
    medium : Medium
    camera : Camera
    angles_deg : tuple of float
    face_mm : (view, slice) ndarray
        From the axis to the collimators' faces.
    axis_mm : (x, y)
    lattice : Lattice
        Of the pixels.
    windows_kev : tuple of (lower, upper)
    seen_mm : (low, high)
        Heights that the heads see; what lies too far from them to be seen or to scatter is left out of the work.

    Returns
    -------
    Look
    """
    low, high = seen_mm
    near, slices = cropped(medium.grid, low - _BLUR_MM, high + _BLUR_MM)
    wide, scattering = cropped(medium.grid, low - _SCATTER_MM, high + _SCATTER_MM)
    attenuation = medium.attenuation(PHOTON_KEV).values[slices]
    return Look(
        grid=medium.grid,
        camera=camera,
        angles_deg=angles_deg,
        axis_mm=axis_mm,
        lattice=lattice,
        windows_kev=windows_kev,
        projector=Projector(
            grid=near,
            attenuation=Field(values=attenuation, grid=near, unit="/cm"),
            camera=camera,
            angles_deg=angles_deg,
            face_mm=face_mm[:, slices],
            axis_mm=axis_mm,
            window_kev=windows_kev[0],
        ),
        slices=slices,
        medium=Medium(grid=wide, material=medium.material[scattering], materials=medium.materials),
        scattering=scattering,
        face_mm=face_mm,
    )


def seen_columns(lattice: Lattice, camera: Camera) -> Array:
    """Share of each column of pixels that lies within the camera's transverse field.

    Parameters
    ----------
    lattice : Lattice
    camera : Camera

    Returns
    -------
    (column,) ndarray
    """
    return _overlap(lattice.u_mm, lattice.spacing_mm[1], camera.field_mm[1] / 2)


def seen_rows(lattice: Lattice, camera: Camera, centre_z_mm: float) -> Array:
    """Share of each row of pixels that lies within the axial field of a standing camera.

    Parameters
    ----------
    lattice : Lattice
    camera : Camera
    centre_z_mm : float
        Of the field.

    Returns
    -------
    (row,) ndarray
    """
    return _overlap(lattice.z_mm - centre_z_mm, lattice.spacing_mm[0], camera.field_mm[0] / 2)


def _overlap(centres_mm: Array, step_mm: float, half_mm: float) -> Array:
    low = np.maximum(centres_mm - step_mm / 2, -half_mm)
    high = np.minimum(centres_mm + step_mm / 2, half_mm)
    return np.asarray(np.clip(high - low, 0, None) / step_mm)
