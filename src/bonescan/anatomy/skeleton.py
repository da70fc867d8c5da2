"""The skeleton: 205 bones as solid ellipsoids, bound to a tree of 26 jointed segments.

An ellipsoid stays one under an affine map, so a bone scales, bends and mirrors by
transforming its ellipsoids, and its shadow in any direction has a closed form.
The shapes are adapted from BodyParts3D, (c) The Database Center for Life Science
(see ``data/skeleton.csv`` and ``training/build_skeleton.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from bonescan.anatomy.tables import rows

__all__ = ["SEGMENTS", "Segment", "Skeleton", "default_skeleton", "segment_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the body that moves as one piece about a joint.

    Parameters
    ----------
    name : str
        Paired segments end in ``_l`` or ``_r``.
    pivot_mm : (x, y, z)
        Joint at its near end, in the default pose.
    carried_by : str
        Segment whose motion carries that joint; empty for the root.
    turns_with : str
        Segment whose rotation this one adds its own to; empty for the body's frame.
    """

    name: str
    pivot_mm: tuple[float, float, float]
    carried_by: str = ""
    turns_with: str = ""


# Joint centres: inscribed-sphere centres of the femoral and humeral heads, disc centres of the
# spine and joint-surface midpoints of the default skeleton, left side (mm).
_TRUNK = (
    Segment(name="pelvis", pivot_mm=(0, 13, 985)),
    Segment(name="lumbar", pivot_mm=(0, 13, 985), carried_by="pelvis"),
    Segment(name="thorax", pivot_mm=(0, 5, 1141), carried_by="lumbar"),
    Segment(name="neck", pivot_mm=(0, 12, 1437), carried_by="thorax"),
    Segment(name="head", pivot_mm=(0, 10, 1552), carried_by="neck"),
)
_LIMBS = (
    ("clavicle", (14, -42, 1388), "thorax", ""),
    ("scapula", (140, 21, 1420), "clavicle", ""),
    ("arm", (163, 15, 1388), "scapula", ""),
    ("forearm", (213, 19, 1105), "arm", "arm"),
    ("hand", (250, -25, 878), "forearm", "forearm"),
    ("thigh", (88, 10, 881), "pelvis", ""),
    ("shank", (75, 14, 440), "thigh", "thigh"),
    ("foot", (54, 7, 67), "shank", "shank"),
)
_PAIRED = frozenset(name for name, *_ in _LIMBS)


def _sided(name: str, side: str) -> str:
    return name + side if name in _PAIRED else name


SEGMENTS: tuple[Segment, ...] = _TRUNK + tuple(
    Segment(
        name=name + side,
        pivot_mm=(x if side == "_l" else -x, y, z),
        carried_by=_sided(carried_by, side),
        turns_with=_sided(turns_with, side),
    )
    for side in ("_l", "_r")
    for name, (x, y, z), carried_by, turns_with in _LIMBS
)

_SEGMENT_BY_PREFIX = {
    "skull": "head",
    "mandible": "head",
    "hyoid": "neck",
    "vertebra_c": "neck",
    "vertebra_t": "thorax",
    "vertebra_l": "lumbar",
    "rib": "thorax",
    "sternum": "thorax",
    "sacrum": "pelvis",
    "hip_bone": "pelvis",
    "clavicle": "clavicle",
    "scapula": "scapula",
    "humerus": "arm",
    "radius": "forearm",
    "ulna": "forearm",
    "carpal": "hand",
    "metacarpal": "hand",
    "phalanx_hand": "hand",
    "femur": "thigh",
    "patella": "shank",
    "tibia": "shank",
    "fibula": "shank",
    "tarsal": "foot",
    "metatarsal": "foot",
    "phalanx_foot": "foot",
    "sesamoid_foot": "foot",
}


def segment_of(bone: str) -> str:
    """Name of the segment a bone belongs to.

    Parameters
    ----------
    bone : str
        Bone id.

    Returns
    -------
    str
        Name of one of `SEGMENTS`.

    Examples
    --------
    >>> segment_of("femur_l"), segment_of("rib_07_r"), segment_of("vertebra_t12")
    ('thigh_l', 'thorax', 'thorax')
    """
    name = next(segment for prefix, segment in _SEGMENT_BY_PREFIX.items() if bone.startswith(prefix))
    return _sided(name, bone[-2:])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skeleton:
    """Ellipsoids of all bones in the default pose.

    Parameters
    ----------
    bones : tuple of str
        Bone ids, in the order `bone_index` counts.
    bone_index, segment_index : (ellipsoid,) ndarray of int
    centres_mm : (ellipsoid, 3) ndarray
    axes_mm : (ellipsoid, 3, 3) ndarray
        Columns are the half-axis vectors: the solid is ``centre + axes @ u, |u| <= 1``.
    """

    bones: tuple[str, ...]
    bone_index: NDArray[np.int64]
    segment_index: NDArray[np.int64]
    centres_mm: Array
    axes_mm: Array

    def volumes_mm3(self) -> Array:
        """Volume of each ellipsoid (overlaps not removed), (ellipsoid,) ndarray in mm3."""
        return np.asarray(4 / 3 * np.pi * np.abs(np.linalg.det(self.axes_mm)))


@cache
def default_skeleton() -> Skeleton:
    """The adult skeleton in its default pose: supine, arms beside the body.

    Returns
    -------
    Skeleton
        The same object at every call.

    Examples
    --------
    >>> len(default_skeleton().bones)
    205
    """
    ellipsoids = list(rows("skeleton"))
    numbers = np.array([[float(row[key]) for key in list(row)[2:]] for row in ellipsoids])
    axes = Rotation.from_rotvec(numbers[:, 6:]).as_matrix() * numbers[:, None, 3:6]
    mirror = np.array([-1.0, 1.0, 1.0])
    names: list[str] = []
    centres: list[Array] = []
    half_axes: list[Array] = []
    for row, centre, axis in zip(ellipsoids, numbers[:, :3], axes, strict=True):
        paired = row["symmetry"] == "paired"
        names.append(row["bone"] + ("_l" if paired else ""))
        centres.append(centre)
        half_axes.append(axis)
        if paired:
            names.append(row["bone"] + "_r")
            centres.append(centre * mirror)
            half_axes.append(axis * mirror[:, None])
    bones = tuple(dict.fromkeys(names))
    number = {bone: k for k, bone in enumerate(bones)}
    segment = {item.name: k for k, item in enumerate(SEGMENTS)}
    return Skeleton(
        bones=bones,
        bone_index=np.array([number[name] for name in names]),
        segment_index=np.array([segment[segment_of(name)] for name in names]),
        centres_mm=np.array(centres),
        axes_mm=np.array(half_axes),
    )
