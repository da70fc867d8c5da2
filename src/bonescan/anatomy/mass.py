"""Mass: what a body weighs, and how stout a body of a given mass must be.

The body of `bonescan.anatomy.body` is a volume ``V``. Bone, lungs and, in the reference person, fat have their
reference volumes, which follow the cube of the stature; what a stouter body has more of is mostly fat::

    F   = k F_1 + phi (V - k V_1),     k = (stature / reference stature)^3
    m   = k (m_bone + m_lungs) + 0.95 F + 1.05 (V - k (V_bone + V_lungs) - F)

``F`` is the volume of adipose tissue, ``1`` marks the reference person, densities are in kg/l.

References
----------
ICRP Publication 89, Basic Anatomical and Physiological Data. Ann ICRP 2002;32(3-4): adipose tissue 18.2 and 22.5 kg.
ICRP Publication 110, Adult Reference Computational Phantoms. Ann ICRP 2009;39(2): lungs; densities of adipose tissue
and muscle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bonescan.anatomy.body import GIRTH_RANGE, SEXES, Body
from bonescan.anatomy.form import shaped_skeleton
from bonescan.anatomy.pose import pose_person
from bonescan.errors import InvalidValue

__all__ = ["body_mass_kg", "girth_for_mass"]

Array = NDArray[np.float64]

_ADIPOSE_KG_PER_L, _LEAN_KG_PER_L = 0.95, 1.05  # adipose tissue and muscle, ICRP Publication 110 [V]
# Share of fat in the volume gained: three quarters of the mass that adults gain is fat [M], at these densities 0.77
# of the volume [C].
_FAT_GAINED = 0.77


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reference:
    stature_mm: float
    bone_l: float  # of our skeleton, with marrow: bench/skeleton_masses.py [C]
    bone_kg: float
    lungs_l: float  # measured on ICRP Publication 110 [V]
    lungs_kg: float
    adipose_kg: float  # ICRP Publication 89 [V]


_REFERENCES = {
    "male": _Reference(stature_mm=1760, bone_l=5.94, bone_kg=9.13, lungs_l=2.89, lungs_kg=1.20, adipose_kg=18.2),
    "female": _Reference(stature_mm=1630, bone_l=4.26, bone_kg=6.37, lungs_l=2.30, lungs_kg=0.95, adipose_kg=22.5),
}


def body_mass_kg(body: Body, stature_mm: float) -> float:
    """Mass of a body, filled as the module's equation says.

    Parameters
    ----------
    body : Body
        Lying straight: where limbs lie over each other the body's volume counts them once.
    stature_mm : float
        Of the standing person.

    Returns
    -------
    float
        In kg.
    """
    return _mass_kg(body.volume_mm3 / 1e6, body.sex, stature_mm)


def girth_for_mass(sex: str, stature_mm: float, mass_kg: float, proportions: Array | None = None) -> float:
    """Girth at which the reference body of that sex and stature weighs that much.

    Parameters
    ----------
    sex : str
        ``"female"`` or ``"male"``.
    stature_mm : float
        1200 to 2300 mm.
    mass_kg : float
    proportions : (parameter,) ndarray, optional
        A child's, from `bonescan.anatomy.growth.child_pose`; default an adult's.

    Returns
    -------
    float
        For `bonescan.anatomy.body.Body`, to 0.001.

    Raises
    ------
    InvalidValue
        For another sex or stature, or a mass that no girth the body allows gives.

    Examples
    --------
    >>> 0.9 < girth_for_mass("male", 1760, 73) < 1.1
    True
    """
    if sex not in SEXES:
        raise InvalidValue(f"The body is one of {SEXES}, got {sex!r}.", got=sex)

    def too_heavy_by(girth: float) -> float:
        return _mass_kg(_volume_l(sex, stature_mm, girth, proportions), sex, stature_mm) - mass_kg

    low, high = GIRTH_RANGE
    lightest, heaviest = (too_heavy_by(girth) + mass_kg for girth in GIRTH_RANGE)
    if not lightest <= mass_kg <= heaviest:
        raise InvalidValue(
            f"At {stature_mm:.0f} mm this {sex} body can weigh {lightest:.1f} to {heaviest:.1f} kg, got {mass_kg:g}.",
            got=mass_kg,
            expected=(lightest, heaviest),
        )
    return float(brentq(too_heavy_by, low, high, xtol=1e-3))


def _mass_kg(volume_l: float, sex: str, stature_mm: float) -> float:
    reference = _REFERENCES[sex]
    k = (stature_mm / reference.stature_mm) ** 3
    gained = volume_l - k * _reference_volume_l(sex)
    adipose_l = k * reference.adipose_kg / _ADIPOSE_KG_PER_L + _FAT_GAINED * gained
    lean_l = volume_l - k * (reference.bone_l + reference.lungs_l) - adipose_l
    return k * (reference.bone_kg + reference.lungs_kg) + _ADIPOSE_KG_PER_L * adipose_l + _LEAN_KG_PER_L * lean_l


@cache
def _reference_volume_l(sex: str) -> float:
    return _volume_l(sex, _REFERENCES[sex].stature_mm, 1.0)


def _volume_l(sex: str, stature_mm: float, girth: float, proportions: Array | None = None) -> float:
    """Volume of the body that lies straight."""
    posed = pose_person(shaped_skeleton(sex), sex=sex, stature_mm=stature_mm, pose=proportions)
    return Body(posed=posed, sex=sex, girth=girth).volume_mm3 / 1e6
