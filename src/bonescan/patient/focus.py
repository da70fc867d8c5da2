"""A focus: one place in or on a patient that differs from the normal body around it.

Lesions, joints, growth plates, urine on the skin and metal in a hip are all made of foci: an ellipsoid in the
default skeleton's coordinates that moves with one segment of the body, and what is different inside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import BONES
from bonescan.anatomy.skeleton import SEGMENTS
from bonescan.errors import InvalidValue

__all__ = ["PROFILES", "REALMS", "Focus"]

REALMS = ("bone", "soft", "body", "outside", "anywhere")
"""Which voxels of its ellipsoid a focus acts on: bone, soft tissue, both, the air around the body, or all."""

PROFILES = ("flat", "peak", "rim")
"""How the difference runs through the ellipsoid, with r from 0 at its centre to 1 at its surface: 1 everywhere;
(1 - r^2); or 1 where r > 2/3 and ``core_factor`` inside, as around a lytic metastasis."""

_SEGMENT_NAMES = frozenset(segment.name for segment in SEGMENTS)
_BONE_IDS = frozenset(bone.id for bone in BONES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Focus:
    """One ellipsoid of difference.

    Parameters
    ----------
    segment : str
        Segment it moves with, one of `bonescan.anatomy.skeleton.SEGMENTS`.
    centre_mm : (3,) ndarray
        In the default skeleton's coordinates.
    axes_mm : (3, 3) ndarray
        Columns are the half-axis vectors.
    realm : str
        One of `REALMS`.
    bones : tuple of str
        Only these bones; empty for all. Only with the realm ``"bone"``.
    profile : str
        One of `PROFILES`.
    uptake_factor : float
        Times the bone's normal uptake at 3 h, at least 0: 1 changes nothing, 5 a metastasis, 0 a dead bone.
    core_factor : float
        The same inside a ``"rim"``.
    late_gain : float
        (uptake at 24 h / uptake at 4 h) over that of normal bone: metastases 1.3, benign 1.0.
    blood_factor : float
        Times the normal blood and extravascular tracer: hyperaemia in flow and pool.
    mineral_factor : float
        Times the bone's mineral: above 1 sclerotic, below 1 lytic.
    added_fraction : float
        Share of the injected activity that lies here besides, 0 to 1, spread evenly over the ellipsoid's voxels
        of its realm: an injection site, urine on the skin.
    tissue : str
        Name of the tissue that replaces what was there (titanium, urine, ...); empty to keep it.

    Raises
    ------
    InvalidValue
        For an unknown name, or a number outside its range.
    """

    segment: str
    centre_mm: NDArray[np.float64]
    axes_mm: NDArray[np.float64]
    realm: str = "bone"
    bones: tuple[str, ...] = ()
    profile: str = "flat"
    uptake_factor: float = 1.0
    core_factor: float = 1.0
    late_gain: float = 1.0
    blood_factor: float = 1.0
    mineral_factor: float = 1.0
    added_fraction: float = 0.0
    tissue: str = ""

    def __post_init__(self) -> None:
        if self.segment not in _SEGMENT_NAMES:
            raise InvalidValue(f"A focus moves with a segment of the body, got {self.segment!r}.", got=self.segment)
        if self.realm not in REALMS or self.profile not in PROFILES:
            raise InvalidValue(
                f"A focus has a realm of {REALMS} and a profile of {PROFILES}, got {self.realm!r}, {self.profile!r}.",
                realm=self.realm,
                profile=self.profile,
            )
        if unknown := set(self.bones) - _BONE_IDS:
            raise InvalidValue(f"A focus names bones that do not exist: {sorted(unknown)}.", got=sorted(unknown))
        factors = (self.uptake_factor, self.core_factor, self.late_gain, self.blood_factor, self.mineral_factor)
        if not all(0 <= factor < math.inf for factor in factors) or not 0 <= self.added_fraction <= 1:
            raise InvalidValue(
                f"A focus's factors are finite and at least 0, its added fraction lies between 0 and 1; got {factors} "
                f"and {self.added_fraction}.",
                factors=factors,
                added_fraction=self.added_fraction,
            )
        if not np.isfinite(self.centre_mm).all() or not abs(np.linalg.det(self.axes_mm)) > 0:
            raise InvalidValue("A focus needs a finite centre and three half-axes that span a volume.")
