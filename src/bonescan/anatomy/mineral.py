"""Mineral: how much mineral bone each bone holds, and how it lies between a dense shell and a spongy inside.

A bone of mean mineral density ``m`` (grams of mineral bone in each ml of whole bone) is a shell of pure
mineral bone around spongiosa of density ``s``; marrow fills what is left of both::

    m = f rho + (1 - f) s,      rho = 1.92 g/ml,      f the shell's share of the bone's volume

Masses are those of groups of bones in the reference phantoms (ICRP Publication 110), spread over our bones' volumes;
the split into shell and inside follows the phantoms' cortical fraction (``data/mineral.csv``,
``training/build_mineral.py``). Within a group all bones have one density: our decision.

References
----------
ICRP Publication 110, Adult Reference Computational Phantoms. Ann ICRP 2009;39(2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.tables import rows
from bonescan.errors import GeometryMismatch, InvalidValue

__all__ = [
    "MARROW_G_PER_ML",
    "MINERAL_BONE_G_PER_ML",
    "BoneMineral",
    "bone_mineral",
    "mineral_by_depth",
    "mineral_density_g_per_ml",
    "whole_bone_density_g_per_ml",
]

MINERAL_BONE_G_PER_ML = 1.92
"""Density of mineral bone, ICRP Publication 110, medium "mineral bone" [V]: the densest a bone can be."""

MARROW_G_PER_ML = 1.0
"""Density of marrow [D]: between yellow, 0.98 (ICRP 110, medullary cavity [V]), and red, 1.03 (ICRU 46 [M])."""

_SEXES = ("female", "male")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneMineral:
    """The mineral bone of one bone.

    Parameters
    ----------
    density_g_per_ml : float
        Mean over the whole bone, above 0 and up to 1.92.
    spongiosa_g_per_ml : float
        Mineral bone in each ml of the inside; not above the mean.
    shell_mm : float
        How deep the shell reaches in the reference person of that sex, measured as `mineral_by_depth` measures.
    """

    density_g_per_ml: float
    spongiosa_g_per_ml: float
    shell_mm: float

    @property
    def shell_fraction(self) -> float:
        """Share of the bone's volume that is shell, 0 to 1: f in the module's equation."""
        inside = self.spongiosa_g_per_ml
        return (self.density_g_per_ml - inside) / (MINERAL_BONE_G_PER_ML - inside)


@cache
def _minerals(sex: str) -> Mapping[str, BoneMineral]:
    if sex not in _SEXES:
        raise InvalidValue(f"Sex is 'male' or 'female' here, got {sex!r}.", got=sex)
    return MappingProxyType(
        {
            row["bone"]: BoneMineral(
                density_g_per_ml=float(row["density_g_per_ml"]),
                spongiosa_g_per_ml=float(row["spongiosa_g_per_ml"]),
                shell_mm=float(row["shell_mm"]),
            )
            for row in rows("mineral")
            if row["sex"] == sex
        }
    )


def bone_mineral(bone_id: str, sex: str) -> BoneMineral:
    """Mineral bone of one bone; left and right alike.

    Parameters
    ----------
    bone_id : str
    sex : str
        ``"female"`` or ``"male"``.

    Returns
    -------
    BoneMineral

    Raises
    ------
    InvalidValue
        For another sex, or an id that no bone has.

    Examples
    --------
    >>> bone_mineral("femur_l", "male") == bone_mineral("femur_r", "male")
    True
    """
    minerals = _minerals(sex)
    for name in (bone_id, bone_id.removesuffix("_l"), bone_id.removesuffix("_r")):
        if name in minerals:
            return minerals[name]
    raise InvalidValue(f"No bone has the id {bone_id!r}.", got=bone_id)


def mineral_density_g_per_ml(bone_id: str, sex: str) -> float:
    """Mean mineral density of a whole bone: grams of mineral bone in each ml of bone with marrow.

    Parameters
    ----------
    bone_id : str
    sex : str
        ``"female"`` or ``"male"``.

    Returns
    -------
    float
        In g/ml, above 0 and up to 1.92.

    Raises
    ------
    InvalidValue
        For another sex, or an id that no bone has.

    Examples
    --------
    >>> 0.5 < mineral_density_g_per_ml("femur_l", "female") < 1.0
    True
    """
    return bone_mineral(bone_id, sex).density_g_per_ml


def mineral_by_depth(
    bone: NDArray[np.integer], depth_mm: NDArray[np.floating], bones: tuple[str, ...], sex: str
) -> NDArray[np.float32]:
    """Mineral density at every voxel: pure mineral bone in each bone's shell, spongiosa below.

    Each bone's voxels are taken from its surface inwards until they make up the shell's share of it, the last one in
    part: so every bone's mean is its mineral density to rounding, whatever the voxels' size and the person's form.
    Voxels of equal depth are taken in the order they have in the array.

    Parameters
    ----------
    bone : ndarray of int
        0 where there is no bone, k + 1 for ``bones[k]``.
    depth_mm : ndarray of float
        Depth below the bone's own surface, of the same shape; only its order counts.
    bones : tuple of str
        Bone ids.
    sex : str
        ``"female"`` or ``"male"``.

    Returns
    -------
    ndarray of float32
        Grams of mineral bone per ml, of the same shape; 0 where there is no bone.

    Raises
    ------
    GeometryMismatch
        When the two arrays differ in shape.
    InvalidValue
        For another sex, an id that no bone has, or a number that none of ``bones`` has.

    Examples
    --------
    >>> bone, depth = np.array([0, 1, 1, 1, 1]), np.array([0.0, 4.0, 3.0, 2.0, 1.0])
    >>> density = mineral_by_depth(bone, depth, ("tibia_l",), "male")
    >>> bool(np.isclose(density[1:].mean(), mineral_density_g_per_ml("tibia_l", "male")))
    True
    """
    if bone.shape != depth_mm.shape:
        raise GeometryMismatch(
            f"Bone and depth must have one shape, got {bone.shape} and {depth_mm.shape}.",
            bone=bone.shape,
            depth=depth_mm.shape,
        )
    minerals = [bone_mineral(name, sex) for name in bones]
    places = np.flatnonzero(bone)
    number = np.asarray(bone).ravel()[places].astype(np.int64) - 1
    if len(number) and not 0 <= number.min() <= number.max() < len(bones):
        raise InvalidValue(
            f"Bones are numbered 1 to {len(bones)} here, got {number.min() + 1} to {number.max() + 1}.",
            expected=len(bones),
            got=(int(number.min()) + 1, int(number.max()) + 1),
        )
    order = np.lexsort((np.asarray(depth_mm).ravel()[places], number))
    places, number = places[order], number[order]
    count = np.bincount(number, minlength=len(bones))
    rank = np.arange(len(number)) - (np.cumsum(count) - count)[number]
    shell = np.array([mineral.shell_fraction for mineral in minerals])[number] * count[number]
    inside = np.array([mineral.spongiosa_g_per_ml for mineral in minerals])[number]
    density = np.zeros(bone.size, dtype=np.float32)
    density[places] = inside + (MINERAL_BONE_G_PER_ML - inside) * np.clip(shell - rank, 0, 1)
    return density.reshape(bone.shape)


def whole_bone_density_g_per_ml(mineral_g_per_ml: NDArray[np.floating]) -> NDArray[np.float64]:
    """Density of bone with its marrow, from its mineral density.

    Parameters
    ----------
    mineral_g_per_ml : ndarray
        As `mineral_by_depth` gives it, 0 to 1.92.

    Returns
    -------
    ndarray
        In g/ml; pure marrow where there is no mineral.

    Notes
    -----
    Volumes add up: ``rho = m + (1 - m / 1.92) rho_marrow``.
    """
    mineral = np.asarray(mineral_g_per_ml, dtype=float)
    return np.asarray(mineral + (1 - mineral / MINERAL_BONE_G_PER_ML) * MARROW_G_PER_ML)
