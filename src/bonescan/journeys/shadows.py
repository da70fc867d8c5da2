"""Where a simulated patient's bones and regions lie in planar views: the truth a reader's labels are held to.

Both views are parallel to y: a pixel sees one column of voxels, the one its centre falls into, without blur. A bone's
thickness is the length of its voxels there, after surgery and all else that lesions replace. Regions are painted by the
house's outlines (`bonescan.anatomy.regions`): in the person's own pose or, for a body from outside, with every point of
an outline moved by the nearest of the region's bones. Forearms to feet follow their bones' shadows, as in a reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.projection import BoneShadow
from bonescan.anatomy.regions import Outline, paint_limbs, paint_outlines, paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.camera.projections import Lattice
from bonescan.patient.frames import BoneFrames
from bonescan.patient.person import Person
from bonescan.patient.sampling import SampledPatient
from bonescan.reading.model import BoneMap
from bonescan.scan import ViewName

__all__ = ["PlanarPlace", "bone_maps", "bones_in_pose_of_row", "in_pose_of_row", "region_map"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanarPlace:
    """Where the pixels of a planar view lie in the body.

    Parameters
    ----------
    name : ViewName
    lattice : Lattice
    axis_x_mm : float
        x of the camera's axis of rotation, which the lattice counts from.
    """

    name: ViewName
    lattice: Lattice
    axis_x_mm: float

    @property
    def side(self) -> int:
        """Direction of x along the columns: 1 in an anterior view, -1 in a posterior one."""
        return 1 if self.name is ViewName.ANTERIOR else -1

    def pixels(self, x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
        """Rows and columns of places in the body.

        Parameters
        ----------
        x_mm, z_mm : ndarray

        Returns
        -------
        row, column : ndarray
            Pixel centres at whole numbers.
        """
        lattice = self.lattice
        row = (lattice.top_mm - np.asarray(z_mm)) / lattice.spacing_mm[0]
        column = (self.side * (np.asarray(x_mm) - self.axis_x_mm) - lattice.left_mm) / lattice.spacing_mm[1]
        return row, column

    def voxels(self, sampled: SampledPatient) -> tuple[Index, Index]:
        """The slice each row sees and the column of voxels each column sees; -1 outside the grid.

        Parameters
        ----------
        sampled : SampledPatient

        Returns
        -------
        slice : (row,) ndarray of int
        column : (column,) ndarray of int
        """
        grid = sampled.grid
        z = (self.lattice.z_mm - grid.origin_mm[2]) / grid.spacing_mm[0]
        x = (self.side * self.lattice.u_mm + self.axis_x_mm - grid.origin_mm[0]) / grid.spacing_mm[2]
        slices, columns = np.rint(z).astype(np.int64), np.rint(x).astype(np.int64)
        slices[(slices < 0) | (slices >= grid.shape[0])] = -1
        columns[(columns < 0) | (columns >= grid.shape[2])] = -1
        return slices, columns


def bone_maps(sampled: SampledPatient, place: PlanarPlace) -> tuple[BoneMap, ...]:
    """Every bone in a view.

    Parameters
    ----------
    sampled : SampledPatient
    place : PlanarPlace

    Returns
    -------
    tuple of BoneMap
        In the skeleton's order; bones outside the view are left out.
    """
    grid, names = sampled.grid, default_skeleton().bones
    slices, columns = place.voxels(sampled)
    skin = _skin_row(sampled, place.name)
    s, r, c = np.unravel_index(sampled.index, grid.shape)
    order = np.argsort(sampled.number, kind="stable")
    edges = np.searchsorted(sampled.number[order], np.arange(len(names) + 1))
    found = []
    for k in np.flatnonzero(np.diff(edges)):
        own = order[edges[k] : edges[k + 1]]
        low, left = s[own].min(), c[own].min()
        length = np.zeros((s[own].max() - low + 1, c[own].max() - left + 1), dtype=np.float32)
        np.add.at(length, (s[own] - low, c[own] - left), grid.spacing_mm[1])
        rows = np.flatnonzero((slices >= low) & (slices < low + length.shape[0]))
        across = np.flatnonzero((columns >= left) & (columns < left + length.shape[1]))
        if not len(rows) or not len(across):
            continue
        depth = np.abs(r[own].mean() - skin[s[own], c[own]]).mean() * grid.spacing_mm[1]
        found.append(
            BoneMap(
                bone=names[k],
                row=int(rows[0]),
                column=int(across[0]),
                thickness_mm=length[np.ix_(slices[rows] - low, columns[across] - left)],
                depth_mm=float(depth),
            )
        )
    return tuple(found)


def region_map(sampled: SampledPatient, place: PlanarPlace, bones: tuple[BoneMap, ...]) -> NDArray[np.uint8]:
    """The region of every pixel of a view.

    Parameters
    ----------
    sampled : SampledPatient
    place : PlanarPlace
    bones : tuple of BoneMap
        Of that view, from `bone_maps`.

    Returns
    -------
    (row, column) ndarray of uint8
        Region ids 1 to 17; 0 where there is none.
    """
    person, lattice = sampled.patient.person, place.lattice
    if isinstance(person, Person):
        posed = person.posed()

        def to_pixels(x_mm: Array, z_mm: Array) -> tuple[Array, Array]:
            return place.pixels(posed.size * x_mm, posed.size * z_mm)

        regions = paint_regions(posed.pose, place.name, to_pixels, lattice.shape)
    else:
        frames = person.labelled(min(sampled.grid.spacing_mm), ()).frames
        regions = paint_outlines(_moved_by(frames), place.name, place.pixels, lattice.shape)
    shadows = tuple(
        BoneShadow(bone=one.bone, row=one.row, column=one.column, length_mm=one.thickness_mm, y_mm=one.depth_mm)
        for one in bones
    )
    paint_limbs(regions, shadows, _silhouette(sampled, place), lattice.spacing_mm)
    return regions


def in_pose_of_row(maps: Sequence[NDArray[Any]], pose_of_row: Index) -> NDArray[Any]:
    """One map of a view whose rows were counted in different poses.

    Parameters
    ----------
    maps : sequence of (row, column) ndarray
        The whole view in each pose.
    pose_of_row : (row,) ndarray of int

    Returns
    -------
    (row, column) ndarray
    """
    return np.asarray(np.stack(maps)[pose_of_row, np.arange(len(pose_of_row))])


def bones_in_pose_of_row(bones: Sequence[tuple[BoneMap, ...]], pose_of_row: Index) -> tuple[BoneMap, ...]:
    """The bones of one view whose rows were counted in different poses.

    Parameters
    ----------
    bones : sequence of tuple of BoneMap
        Of the whole view in each pose.
    pose_of_row : (row,) ndarray of int

    Returns
    -------
    tuple of BoneMap
        In the skeleton's order. A bone's depth is that of the first pose it was seen in.
    """
    if len(bones) == 1:
        return bones[0]
    found = []
    for name in default_skeleton().bones:
        parts = []
        for pose, own in enumerate(bones):
            for one in own:
                if one.bone == name:
                    shown = one.thickness_mm * (pose_of_row[one.box[0]] == pose)[:, None]
                    parts += [replace(one, thickness_mm=shown)] if shown.any() else []
        if parts:
            found.append(_joined(parts))
    return tuple(found)


def _joined(parts: Sequence[BoneMap]) -> BoneMap:
    """Crops of one bone in one crop."""
    top, left = min(one.row for one in parts), min(one.column for one in parts)
    bottom, right = max(one.box[0].stop for one in parts), max(one.box[1].stop for one in parts)
    thickness = np.zeros((bottom - top, right - left), dtype=np.float32)
    for one in parts:
        rows, columns = one.box
        thickness[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] += one.thickness_mm
    return replace(parts[0], row=top, column=left, thickness_mm=thickness)


def _moved_by(frames: BoneFrames) -> Callable[[Outline], Array | None]:
    """Moves an outline's points with the bones of its region, each with the nearest; none where no such bone is."""
    skeleton = default_skeleton()
    there = ~np.isnan(frames.maps[:, 0, 0])
    region = np.array([bone_named(name).region for name in skeleton.bones])
    back = np.linalg.inv(skeleton.axes_mm)

    def moved(outline: Outline) -> Array | None:
        own = np.flatnonzero((there & (region == outline.region))[skeleton.bone_index])
        if not len(own):
            return None
        away = outline.points_mm[:, None] - skeleton.centres_mm[own]
        nearest = own[(np.einsum("eij,pej->pei", back[own], away) ** 2).sum(axis=2).argmin(axis=1)]
        chosen = frames.maps[skeleton.bone_index[nearest]]
        return np.asarray(np.einsum("pij,pj->pi", chosen[:, :, :3], outline.points_mm) + chosen[:, :, 3])

    return moved


def _inside(sampled: SampledPatient) -> NDArray[np.bool_]:
    return np.asarray((sampled.tissue > 0) | (sampled.organ > 0))


def _skin_row(sampled: SampledPatient, view: ViewName) -> Array:
    """Row of the skin that faces the camera, between voxels, by slice and column."""
    inside = _inside(sampled)
    if view is ViewName.ANTERIOR:
        return np.asarray(inside.argmax(axis=1) - 0.5)
    return np.asarray(inside.shape[1] - inside[:, ::-1].argmax(axis=1) - 0.5)


def _silhouette(sampled: SampledPatient, place: PlanarPlace) -> NDArray[np.bool_]:
    """Pixels behind which the body lies."""
    slices, columns = place.voxels(sampled)
    seen = np.asarray(_inside(sampled).any(axis=1))[np.ix_(slices, columns)]
    return np.asarray(seen & (slices >= 0)[:, None] & (columns >= 0))
