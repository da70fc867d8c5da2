"""Bodies from outside: a labelled voxel volume of somebody else's becomes a patient's body.

A table says what each label is: a bone of ours by its id, several bones as one ("Ribs"), an organ or a tissue. Bones
labelled as one are parted: the group's moments (of each side for itself) are joined with the default skeleton's, and
each voxel goes to the bone of the group whose ellipsoids it then lies nearest to. Places of the default skeleton follow
each bone by its own moments (`bonescan.patient.frames`), so lesions, joints and growth plates mean the same here.

With a CT, densities are measured: the mineral of bone follows them, and what has no label is lung, fat or muscle by its
density. The body must lie about straight with its head up the volume's axis; hands and feet may be missing, as may any
bone.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from bonescan.anatomy.body import SEXES
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.tables import rows
from bonescan.anatomy.tissues import TISSUES, tissue
from bonescan.anatomy.voxels import VoxelBody
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field
from bonescan.patient.focus import Focus
from bonescan.patient.frames import LabelledBody, default_moments, default_points, frames_of_moments, join_moments

__all__ = ["Label", "OutsideBody", "read_label_table"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

_AIR, _LUNG, _FAT = -500.0, -250.0, -30.0  # HU below which a voxel without a label is air or lung, and fat [D]
_LEAST_VOXELS = 4  # of a bone that places may be told by
_TELLING_MM = 100.0  # bones no farther apart than this do not tell how the body lies
_MASS_KG = (5.0, 400.0)  # of bodies whose kinetics are known
_MOST_LABEL = 1_000_000  # a table by label is made of it [D]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What one number in a labelled volume stands for.

    Parameters
    ----------
    bones : tuple of str
        Ids of bones, several where they are labelled as one; else empty.
    organ : str
        Name of the organ, as `bonescan.anatomy.organs` names it; empty for a bone or a tissue.
    tissue : str
        One of `bonescan.anatomy.tissues.TISSUES`; ``"air"`` for what is not body.
    """

    bones: tuple[str, ...] = ()
    organ: str = ""
    tissue: str = "bone"

    def __post_init__(self) -> None:
        if unknown := set(self.bones) - set(default_skeleton().bones):
            raise InvalidValue(f"A label names bones that do not exist: {sorted(unknown)}.", got=sorted(unknown))
        if self.tissue not in TISSUES:
            raise InvalidValue(f"A label names a tissue that does not exist: {self.tissue!r}.", got=self.tissue)


@cache
def _words() -> tuple[tuple[tuple[str, ...], str, str, str], ...]:
    table = rows("labels", "patient")
    return tuple((tuple(row["words"].split()), row["kind"], row["name"], row["tissue"]) for row in table)


def read_label_table(text: str) -> dict[int, Label]:
    r"""What the labels of a volume are, from a text with one label a line.

    Parameters
    ----------
    text : str
        Lines of a number and a name, parted by blanks, a comma, a semicolon or a tab; what stands behind the name as
        numbers (a tissue number, a density) is passed over, as are lines that do not begin with a number. A name is a
        bone's id, or words as in the organ list of ICRP Publication 110: ``27 Cranium, cortical 2 1.920``.

    Returns
    -------
    dict of int to Label

    Raises
    ------
    InvalidValue
        For a name that means nothing here, or a text without labels.

    Examples
    --------
    >>> table = read_label_table("1 Liver\n7,femur_l")
    >>> table[1].organ, table[7].bones
    ('liver', ('femur_l',))
    """
    out: dict[int, Label] = {}
    unknown = []
    for line in text.splitlines():
        found = re.match(r"\s*(\d+)[\s,;]+(.*?)(?:[\s,;]+\d[\d.]*)*[\s,;]*$", line)
        if not found or not found[2]:
            continue
        label = _label(found[2].strip())
        if label is None:
            unknown.append(found[2].strip())
        else:
            out[int(found[1])] = label
    if unknown:
        raise InvalidValue(
            f"These labels mean nothing here: {'; '.join(map(reprlib.repr, unknown[:8]))}. Use ids of bones, organs or "
            "tissues.",
            unknown=unknown,
        )
    if not out:
        raise InvalidValue("The table names no label: each line is a number and a name.")
    return out


def _label(name: str) -> Label | None:
    bones = default_skeleton().bones
    if name in bones:
        return Label(bones=(name,))
    if name in TISSUES:
        return Label(tissue=name)
    lower = name.lower().replace("_", " ")
    if found := re.fullmatch(r"vertebrae? ([ctl])(\d+)", lower):
        name = f"vertebra_{found[1]}{int(found[2]):02d}"
    if found := re.fullmatch(r"rib (left|right) (\d+)", lower):
        name = f"rib_{int(found[2]):02d}_{found[1][0]}"
        return Label(bones=(name,)) if name in bones else None
    own = tuple(bone for bone in bones if bone.startswith(name))
    if own and len(name) > 2:
        return Label(bones=own)
    for words, kind, what, of in _words():
        if all(word in lower for word in words):
            if kind == "bone":
                other_side = "_r" if "left" in lower else "_l" if "right" in lower else ""
                chosen = (bone for bone in bones if bone.startswith(tuple(what.split())))
                return Label(bones=tuple(bone for bone in chosen if not other_side or not bone.endswith(other_side)))
            return Label(organ=what, tissue=of)
    return None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutsideBody:
    """A body that came as labelled voxels; takes the place of a `Person` in a `Patient`.

    Parameters
    ----------
    labels : Field
        Whole numbers.
    table : mapping of int to Label
        What they are; 0 may be left out and is air, or by its density what a CT shows.
    sex : str
        ``"male"`` or ``"female"``.
    age_years : float
        10 to 110.
    mass_kg : float, optional
        Default what the voxels weigh.
    handedness : str
    ct : Field, optional
        Hounsfield units on the same grid.

    Raises
    ------
    InvalidValue
        For labels that the table does not name, a value out of range, a body without bone, or one whose left and
        right or head and feet are exchanged.
    GeometryMismatch
        For a CT on another grid.
    """

    labels: Field
    table: Mapping[int, Label]
    sex: str
    age_years: float = 50.0
    mass_kg: float = 0.0
    handedness: str = "right"
    ct: Field | None = None
    _body: LabelledBody = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.sex not in SEXES or self.handedness not in ("right", "left") or not 10 <= self.age_years <= 110:
            raise InvalidValue(
                f"A body is of one of {SEXES}, 10 to 110 years, right or left handed; got {self.sex!r}, "
                f"{self.age_years}, {self.handedness!r}."
            )
        if self.ct is not None and self.ct.grid != self.labels.grid:
            raise GeometryMismatch("Labels and CT lie on different grids: resample one to the other first.")
        if self.ct is not None and not np.isfinite(self.ct.values).all():
            raise InvalidValue("The CT holds values that are not finite numbers.")
        if not 0 <= self.mass_kg < np.inf:
            raise InvalidValue(f"A body's mass is 0, to take what the voxels weigh, or more; got {self.mass_kg} kg.")
        values = np.asarray(self.labels.values)
        if not (values.size and values.min() >= -_MOST_LABEL and values.max() <= _MOST_LABEL):
            raise InvalidValue(f"Labels are whole numbers up to {_MOST_LABEL}; this volume holds others.")
        if not np.issubdtype(values.dtype, np.integer):
            if not (values == np.round(values)).all():
                raise InvalidValue("Labels are whole numbers; this volume holds others.")
            values = values.astype(np.int32)
        present = np.unique(values)
        if strange := sorted(set(present.tolist()) - set(self.table) - {0}):
            raise InvalidValue(f"The table does not name the labels {strange[:12]}.", labels=strange)
        body = _labelled(values, self.table, self.labels, self.ct)
        object.__setattr__(self, "_body", body)
        if np.isnan(body.frames.maps).all():
            raise InvalidValue(f"No bone of this body has {_LEAST_VOXELS} voxels, so nothing can be placed by one.")
        if self.mass_kg == 0:
            voxel_ml = self.labels.grid.voxel_ml
            density = body.density
            mass = body.voxels.mass_kg if density is None else float(
                density[body.voxels.tissue > 0].sum(dtype=np.float64) * voxel_ml / 1000
            )  # fmt: skip
            if not _MASS_KG[0] <= mass <= _MASS_KG[1]:
                raise InvalidValue(
                    f"The voxels weigh {mass:.3g} kg: check that their spacing is in mm, or give the mass of the whole "
                    "body.",
                    got=mass,
                )
            object.__setattr__(self, "mass_kg", mass)

    def labelled(self, spacing_mm: float, foci: tuple[Focus, ...] = ()) -> LabelledBody:
        """The body in its own voxels.

        Parameters
        ----------
        spacing_mm : float
            Not used: a labelled volume keeps its spacing.
        foci : tuple of Focus
            Not used: what does not fit into the volume has no place.

        Returns
        -------
        LabelledBody
        """
        return self._body


def _labelled(values: NDArray[np.integer], table: Mapping[int, Label], labels: Field, ct: Field | None) -> LabelledBody:
    grid = labels.grid
    bones = default_skeleton().bones
    organs = tuple(sorted({label.organ for label in table.values()} - {""}))
    tissues = tuple(dict.fromkeys(("air", "muscle", "adipose", "lung", *(label.tissue for label in table.values()))))
    low, high = int(values.min()), int(values.max())
    size = high - low + 1
    tissue_of, organ_of = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
    for number, label in table.items():
        if low <= number <= high:
            tissue_of[number - low] = tissues.index("bone" if label.bones else label.tissue)
            organ_of[number - low] = organs.index(label.organ) + 1 if label.organ else 0
    shifted = values - low
    tissue_map, organ_map = tissue_of[shifted], organ_of[shifted]
    density = None
    if ct is not None:
        density = _density(ct.values)
        bare = (values == 0) & (0 not in table)
        tissue_map[bare] = _by_density(ct.values, bare, tissue_map > 0, tissues)[bare]
        density[tissue_map == 0] = tissue("air").density_g_per_ml
    bone = np.zeros(values.shape, dtype=np.int16)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, label in table.items():
        if label.bones:
            groups.setdefault(label.bones, []).append(number)
    for names, numbers in groups.items():
        own = np.flatnonzero(np.isin(values, numbers))
        if len(own):
            bone.reshape(-1)[own] = _part(grid.positions_mm(own), names) + 1
    centres, covariances = _moments(bone, labels)
    _refuse_turned(centres)
    return LabelledBody(
        voxels=VoxelBody(
            grid=grid,
            tissues=tissues,
            tissue=tissue_map,
            organs=organs,
            organ=organ_map,
            bones=bones,
            bone=bone,
            depth_mm=_depths(bone, grid.spacing_mm),
        ),
        frames=frames_of_moments(centres, covariances),
        density=density,
    )


def _refuse_turned(centres_mm: Array) -> None:
    """Refuse a body that does not lie as its grid says: places follow bones only in one that does."""
    there = ~np.isnan(centres_mm[:, 0])
    ours, theirs = default_moments()[0][there], centres_mm[there]
    for axis, exchanged in ((0, "left and right"), (2, "head and feet")):
        along = np.ptp(ours[:, axis]) if there.any() else 0.0
        if along > _TELLING_MM and np.corrcoef(ours[:, axis], theirs[:, axis])[0, 1] < 0:
            raise InvalidValue(
                f"In this body {exchanged} are exchanged: its bones lie the other way round than its grid says. Check "
                "the orientation in the file, or the names in the table.",
                axis=axis,
            )


def _part(place_mm: Array, names: tuple[str, ...]) -> Index:
    """Which bone of a group each voxel belongs to, by index into the default skeleton's bones."""
    skeleton = default_skeleton()
    index = np.array([skeleton.bones.index(name) for name in names])
    if len(index) == 1:
        return np.full(len(place_mm), index[0])
    middle = (place_mm[:, 0].min() + place_mm[:, 0].max()) / 2
    out = np.empty(len(place_mm), dtype=np.int64)
    paired = all(name.endswith(("_l", "_r")) for name in names) and len({name[-2:] for name in names}) == 2
    sides = [("_l", place_mm[:, 0] > middle), ("_r", place_mm[:, 0] <= middle)] if paired else [("", None)]
    for side, where in sides:
        chosen = index[[name.endswith(side) for name in names]]
        here = np.ones(len(place_mm), dtype=bool) if where is None else where
        if len(chosen) == 1 or here.sum() <= _LEAST_VOXELS:
            out[here] = chosen[0]
            continue
        points, volumes, number = default_points()
        own = np.isin(number, chosen)
        points, volumes, number = points[own], volumes[own], number[own]
        centre = np.average(points, axis=0, weights=volumes)
        covariance = np.cov(points.T, aweights=volumes)
        to_default = join_moments(place_mm[here].mean(axis=0), np.cov(place_mm[here].T), centre, covariance)
        moved = place_mm[here] @ to_default[:, :3].T + to_default[:, 3]
        out[here] = number[cKDTree(points).query(moved)[1]]
    return out


def _moments(bone: NDArray[np.int16], labels: Field) -> tuple[Array, Array]:
    count = len(default_moments()[0])
    centres, covariances = np.full((count, 3), np.nan), np.zeros((count, 3, 3))
    index = np.flatnonzero(bone)
    number = bone.reshape(-1)[index].astype(np.int64) - 1
    place = labels.grid.positions_mm(index)
    many = np.bincount(number, minlength=count)
    known = many >= _LEAST_VOXELS
    mean = np.stack([np.bincount(number, place[:, k], count) for k in range(3)], axis=1)[known] / many[known][:, None]
    centres[known] = mean
    away = place - np.where(known[:, None], centres, 0.0)[number]
    for i in range(3):
        for j in range(3):
            covariances[:, i, j] = np.bincount(number, away[:, i] * away[:, j], count) / np.maximum(many, 1)
    # a voxel's own extent
    axes = np.asarray(labels.grid.axes, dtype=float)
    return centres, covariances + (axes * (np.asarray(labels.grid.spacing_mm) ** 2 / 12)) @ axes.T


def _depths(bone: NDArray[np.int16], spacing_mm: tuple[float, float, float]) -> NDArray[np.float32]:
    """Distance of each bone's voxels to the nearest voxel that is not that bone, less half a voxel."""
    out = np.zeros(bone.shape, dtype=np.float32)
    half = min(spacing_mm) / 2
    for k, box in enumerate(ndimage.find_objects(bone)):
        if box is None:
            continue
        own = np.pad(bone[box] == k + 1, 1)
        distance = ndimage.distance_transform_edt(own, sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
        inner = own[1:-1, 1:-1, 1:-1]
        out[box][inner] = np.maximum(distance[inner] - half, 0.1)
    return out


def _density(hounsfield: NDArray[np.floating]) -> NDArray[np.float32]:
    """Density from Hounsfield units: that of water and air between them, above soft tissue 0.6 mg/ml each [M]."""
    values = np.asarray(hounsfield, dtype=np.float32)
    return np.interp(values, [-1000.0, 0.0, 100.0, 3000.0], [0.001, 1.0, 1.07, 2.8]).astype(np.float32)


def _by_density(
    hounsfield: NDArray[np.floating], bare: NDArray[np.bool_], labelled: NDArray[np.bool_], tissues: tuple[str, ...]
) -> NDArray[np.uint8]:
    """Tissue of what has no label: air that reaches the volume's edge is outside, the rest goes by its density."""
    thin = (np.asarray(hounsfield) < _AIR) & bare & ~labelled
    parts, _ = ndimage.label(thin)
    rims = (parts[0], parts[-1], parts[:, 0], parts[:, -1], parts[:, :, 0], parts[:, :, -1])
    outer = np.unique(np.concatenate([np.unique(rim) for rim in rims]))
    outside = np.isin(parts, outer[outer > 0])
    out = np.full(bare.shape, tissues.index("muscle"), dtype=np.uint8)
    out[np.asarray(hounsfield) < _FAT] = tissues.index("adipose")
    out[np.asarray(hounsfield) < _LUNG] = tissues.index("lung")
    out[outside] = tissues.index("air")
    return out
