"""Organs as solid ellipsoids that move with the skeleton.

Every organ is a union of ellipsoids in the default skeleton's coordinates (``data/organs.csv``, one set for a man and
one for a woman; `training/build_organs.py` makes them). An ellipsoid moves with one segment of the skeleton, or, in the
trunk, with the segments on both sides of the nearest joint, mixed as the skin is by the height of its centre::

    p' = sum_s w_s(z_centre) M_s(p)

so it stays an ellipsoid. Before that, it follows the form of the person's bones: for thorax, pelvis and skull the
affine map nearest to what changed their ellipsoids from the default skeleton's, for the loins the mean of thorax and
pelvis. Organs overlap: the order of the list decides, and bone comes before all of them. What lies
in the trunk between organs is fat (``visceral_fat``, ``mediastinum``), down to a wall of muscle under the skin's fat.

The urinary bladder is made for its filling: its floor stays where it is, and it grows upwards faster than it widens,
leaning over the pubic bones when it is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.body import SEXES, trunk_weights
from bonescan.anatomy.pose import FREEDOMS, PosedSkeleton, curve_basis, segment_maps, tree_arrays
from bonescan.anatomy.skeleton import SEGMENTS, Skeleton, default_skeleton
from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue

__all__ = ["BLADDER_RANGE_ML", "PosedOrgan", "posed_organs"]

Array = NDArray[np.float64]

BLADDER_RANGE_ML = (0.0, 800.0)

# Contents of the reference adults' bladder (ICRP Publication 110: 200 g at 1.04 g/ml) and the volume of its wall.
_BLADDER_REFERENCE_ML = 192.3
_BLADDER_WALL_ML = {"male": 48.1, "female": 38.5}
# Half-axes along x, y, z grow as these powers of the volume: from a flat cup to an upright egg [D].
_BLADDER_GROWTH = (0.16, 0.28, 0.56)
# Beyond the reference filling it leans forwards over the pubic bones, away from the sacrum: by at most (rad, mm),
# reached at four times the reference [D].
_BLADDER_LEAN_RAD, _BLADDER_FORWARDS_MM = 0.35, 18.0
_BLADDER_LEAST_ML = 5.0  # below, the wall has folded around what is left

_SLOPE_STEP_MM = 1.0

# Bones whose change of form the organs of a segment follow; the neck's stay.
_LED_BY = {
    "thorax": ("rib", "sternum", "vertebra_t"),
    "pelvis": ("hip_bone", "sacrum"),
    "head": ("skull",),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosedOrgan:
    """One organ in the body's pose: the union of its ellipsoids.

    Parameters
    ----------
    name : str
        Paired organs end in ``_l`` or ``_r``.
    tissue : str
        One of `bonescan.anatomy.tissues.TISSUES`.
    margin_mm : float
        How far below the fat under the skin it begins at least; negative for an organ that lies in that fat.
    centres_mm : (ellipsoid, 3) ndarray
    axes_mm : (ellipsoid, 3, 3) ndarray
        Columns are the half-axis vectors.
    """

    name: str
    tissue: str
    margin_mm: float
    centres_mm: Array
    axes_mm: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Organ:
    name: str
    tissue: str
    segment: str
    margin_mm: float
    centres_mm: Array
    axes_mm: Array


@cache
def _reference(sex: str) -> tuple[_Organ, ...]:
    """Organs of the reference adult in the default skeleton's coordinates, in the order of precedence."""
    table = [row for row in rows("organs") if row["sex"] == sex]
    organs = []
    for name in dict.fromkeys(row["organ"] for row in table):
        own = [row for row in table if row["organ"] == name]
        numbers = np.array([[float(value) for value in list(row.values())[5:]] for row in own])
        organs.append(
            _Organ(
                name=name,
                tissue=own[0]["tissue"],
                segment=own[0]["segment"],
                margin_mm=float(own[0]["margin_mm"]),
                centres_mm=numbers[:, :3],
                axes_mm=numbers[:, 3:].reshape(-1, 3, 3),
            )
        )
    return tuple(organs)


def posed_organs(posed: PosedSkeleton, sex: str, *, bladder_ml: float = 150.0) -> tuple[PosedOrgan, ...]:
    """Organs of a person in the pose and size of a skeleton.

    Parameters
    ----------
    posed : PosedSkeleton
    sex : str
        ``"male"`` or ``"female"``.
    bladder_ml : float
        Urine in the bladder, 0 to 800 ml, whatever the person's size.

    Returns
    -------
    tuple of PosedOrgan
        In the order of their precedence: where two overlap, the earlier one is.

    Raises
    ------
    InvalidValue
        For another sex, or a filling outside its range.

    Examples
    --------
    >>> from bonescan.anatomy.pose import pose_person
    >>> from bonescan.anatomy.skeleton import default_skeleton
    >>> organs = posed_organs(pose_person(default_skeleton(), sex="female", stature_mm=1630), "female")
    >>> {"kidney_l", "bladder", "liver"} <= {organ.name for organ in organs}
    True
    """
    if sex not in SEXES:
        raise InvalidValue(f"Organs are those of one of {SEXES}, got {sex!r}.", got=sex)
    low, high = BLADDER_RANGE_ML
    if not low <= bladder_ml <= high:
        raise InvalidValue(f"A bladder holds {low:g} to {high:g} ml, got {bladder_ml}.", got=bladder_ml)
    maps, curve = segment_maps(np.asarray(posed.pose, dtype=float), *tree_arrays(FREEDOMS))
    formed = _form_maps(posed.skeleton)
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    parts = []
    for organ in _reference(sex):
        centres, axes = organ.centres_mm, organ.axes_mm
        if organ.name in ("bladder", "bladder_wall"):
            pelvis = maps[index["pelvis"], :, :3] @ formed[index["pelvis"], :, :3]
            scale = posed.size**3 * abs(np.linalg.det(pelvis))
            centres, axes = _filled(centres, axes, organ.name, sex, bladder_ml / scale, scale)
            if not len(centres):
                continue
        if organ.segment == "trunk":
            weight = trunk_weights(centres[:, 2])
        else:
            weight = np.zeros((len(centres), len(SEGMENTS)))
            weight[:, index[organ.segment]] = 1.0
        parts.append((organ, centres, axes, weight))
    # all organs at once
    centres, axes, weight = (np.concatenate([part[k] for part in parts]) for k in (1, 2, 3))
    form = np.einsum("es,sij->eij", weight, formed)
    centres = np.einsum("eij,ej->ei", form[:, :, :3], centres) + form[:, :, 3]
    mixed = np.einsum("es,sij->eij", weight, maps)
    shift = curve_basis(centres[:, 2]) @ curve
    local = np.tile(np.eye(3), (len(centres), 1, 1))
    local[:, 0, 2] = (curve_basis(centres[:, 2] + _SLOPE_STEP_MM) @ curve - shift) / _SLOPE_STEP_MM
    bent = centres + shift[:, None] * [1.0, 0.0, 0.0]
    centres = posed.size * (np.einsum("eij,ej->ei", mixed[:, :, :3], bent) + mixed[:, :, 3])
    axes = posed.size * mixed[:, :, :3] @ local @ form[:, :, :3] @ axes
    ends = np.cumsum([len(part[1]) for part in parts])
    return tuple(
        PosedOrgan(
            name=organ.name,
            tissue=organ.tissue,
            margin_mm=organ.margin_mm,
            centres_mm=centres[end - len(own) : end],
            axes_mm=axes[end - len(own) : end],
        )
        for (organ, own, _, _), end in zip(parts, ends.tolist(), strict=True)
    )


def _form_maps(skeleton: Skeleton) -> Array:
    """Affine map of each segment's organs from the default skeleton to another form of it, (segment, 3, 4)."""
    maps = np.zeros((len(SEGMENTS), 3, 4))
    maps[:, :, :3] = np.eye(3)
    default = default_skeleton()
    if skeleton is default:
        return maps
    names = np.array(default.bones)[default.bone_index]
    weight = np.sqrt(default.volumes_mm3())
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    for segment, bones in _LED_BY.items():
        led = np.array([name.startswith(bones) for name in names])
        homogeneous = np.column_stack([default.centres_mm[led], np.ones(led.sum())]) * weight[led, None]
        found, *_ = np.linalg.lstsq(homogeneous, skeleton.centres_mm[led] * weight[led, None], rcond=None)
        maps[index[segment]] = found.T
    maps[index["lumbar"]] = (maps[index["thorax"]] + maps[index["pelvis"]]) / 2
    return maps


def _filled(centres: Array, axes: Array, name: str, sex: str, bladder_ml: float, scale: float) -> tuple[Array, Array]:
    """The bladder's contents or its wall for a filling; the table holds the contents at the reference filling."""
    if name == "bladder" and bladder_ml <= 0:
        return centres[:0], axes[:0]
    contents_ml = max(bladder_ml, _BLADDER_LEAST_ML if name == "bladder_wall" else 0.0)
    half = np.abs(np.diag(axes[0]))  # along x, y, z: the table's bladder is upright
    floor, front = centres[0, 2] - half[2], centres[0, 1] - half[1]
    ratio = contents_ml / _BLADDER_REFERENCE_ML
    half = half * ratio ** np.array(_BLADDER_GROWTH)
    half *= (1000 * contents_ml / (4 / 3 * np.pi * half.prod())) ** (1 / 3)
    full = float(np.clip((ratio - 1) / 3, 0, 1))
    angle = full * _BLADDER_LEAN_RAD
    lean = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    reach = np.linalg.norm(lean * half, axis=1)
    centre = np.array(
        [[centres[0, 0], front + reach[1] - full * _BLADDER_FORWARDS_MM, floor + reach[2]]],
    )
    if name == "bladder_wall":
        half = half + _shell_mm(half, 1000 * _BLADDER_WALL_ML[sex] / scale)
    return centre, (lean * half)[None]


def _shell_mm(half: Array, volume_mm3: float) -> float:
    """Thickness t with 4/3 pi (prod(half + t) - prod(half)) = volume."""
    a, b, c = half
    roots = np.roots([1.0, a + b + c, a * b + b * c + c * a, -3 * volume_mm3 / (4 * np.pi)])
    return float(roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)].real[0])
