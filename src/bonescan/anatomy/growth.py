"""Growth: how a child of ten or more differs from an adult, and where its bones are still growing.

A child here is the adult's skeleton in a child's proportions: a head that is nearly grown on a body that is not,
shorter limbs, narrower shoulders. With ``m`` the share of the growth in stature from ten years to adulthood that is
done, a measure that is ``f`` of the adult's at ten years is stretched, against what the stature does, by ::

    log(f + (1 - f) m) - log(H / H_adult)                    (head)
    (1 - m) times its difference in proportion at ten years  (all else)

Growth plates are thin discs across the bones, with the age at which each closes. What is not a child's: the shapes of
the single bones, which are an adult's to the last process; cartilage where bone is not yet; how dense the bones are;
plates of hands, feet, vertebrae and of the crests of pelvis and shoulder blade, which are left out.

References
----------
Head length and breadth by age: Feingold and Bossert, in Hall 1995, as fitted by medicalalgorithms.com [V]. Femur and
tibia: orthoradiographs of 67 boys, table 30.3 of a textbook's chapter on limb deficiency [V]; Anderson, Messner and
Green 1964 [M]. Statures: medians of the CDC growth charts of 2000 [M].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.form import FORM_PARAMETERS
from bonescan.anatomy.pose import FREEDOMS, PosedSkeleton, move_points
from bonescan.anatomy.skeleton import SEGMENTS, segment_of
from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue

__all__ = [
    "YOUNGEST_YEARS",
    "GrowthPlate",
    "child_form",
    "child_pose",
    "child_stature_mm",
    "growth_plates",
    "pose_plate",
]

Array = NDArray[np.float64]

YOUNGEST_YEARS = 10.0
"""The youngest person the anatomy stands for."""

_ADULT_YEARS = 18.0
_AGES_YEARS = tuple(range(10, 19))
_STATURES_MM = {
    "male": (1388, 1437, 1493, 1564, 1641, 1701, 1736, 1753, 1761),
    "female": (1382, 1448, 1515, 1573, 1604, 1619, 1625, 1629, 1631),
}
# Share of the adult's measure at ten years. Length and breadth: 186.1 of 188.8 and 139.9 of 143.3 mm [V]; height: less,
# as the face still has to grow [D].
_HEAD_AT_TEN = {"head.depth_log": 0.986, "head.width_log": 0.976, "head.height_log": 0.95}
# Differences in proportion to the stature at ten years. Femur 36.29 of 47.23 and tibia 28.53 of 37.29 cm at a
# stature of 0.788 are 0.975 and 0.971 [C]. Arms as legs: their ratio varies little between 2 and 20 years (Brush
# Foundation study, doi:10.1080/17453674.2016.1265876 [V]). Trunk: what is left of the stature [C]. Breadths: [D].
_AT_TEN = {
    "thigh.length_log": -0.025,
    "shank.length_log": -0.029,
    "arm.length_log": -0.025,
    "forearm.length_log": -0.025,
    "clavicle.length_log": -0.05,
    "pelvis.width_log": -0.03,
    "pelvis.height_log": -0.03,
    "lumbar.height_log": -0.03,
    "thorax.height_log": -0.03,
    "neck.height_log": -0.03,
}


def _check(sex: str, age_years: float) -> None:
    if sex not in _STATURES_MM:
        raise InvalidValue(f"Sex is 'male' or 'female' here, got {sex!r}.", got=sex)
    if not YOUNGEST_YEARS <= age_years <= 120:
        raise InvalidValue(
            f"The anatomy stands for people from {YOUNGEST_YEARS:.0f} years, got {age_years}.", got=age_years
        )


def child_stature_mm(sex: str, age_years: float) -> float:
    """Median stature at an age, linear between birthdays; from 18 years on the adult's.

    Parameters
    ----------
    sex : str
        ``"female"`` or ``"male"``.
    age_years : float
        10 to 120.

    Returns
    -------
    float
        In mm.

    Raises
    ------
    InvalidValue
        For another sex, or an age out of range.

    Examples
    --------
    >>> child_stature_mm("female", 12)
    1515.0
    """
    _check(sex, age_years)
    return float(np.interp(age_years, _AGES_YEARS, _STATURES_MM[sex]))


def _grown(sex: str, age_years: float) -> float:
    """Share of the growth in stature after ten years that is done: m in the module's equations."""
    stature, first, last = (child_stature_mm(sex, age) for age in (age_years, YOUNGEST_YEARS, _ADULT_YEARS))
    return (stature - first) / (last - first)


def child_pose(sex: str, age_years: float) -> Array:
    """The proportions of a child lying straight, as a pose; add it to any other pose.

    Parameters
    ----------
    sex : str
        ``"female"`` or ``"male"``.
    age_years : float
        10 to 120; zero throughout from 18 years on.

    Returns
    -------
    (parameter,) ndarray
        In the order of `bonescan.anatomy.pose.FREEDOMS`, for `bonescan.anatomy.pose.pose_person`.

    Raises
    ------
    InvalidValue
        For another sex, or an age out of range.

    Examples
    --------
    >>> bool(np.any(child_pose("male", 10))), bool(np.any(child_pose("male", 18)))
    (True, False)
    """
    grown = _grown(sex, age_years)
    stature = math.log(child_stature_mm(sex, age_years) / child_stature_mm(sex, _ADULT_YEARS))
    values = {name: math.log(f + (1 - f) * grown) - stature for name, f in _HEAD_AT_TEN.items()}
    values |= {name: value * (1 - grown) for name, value in _AT_TEN.items()}
    return np.array([values.get(parameter.name.replace("_l.", ".").replace("_r.", "."), 0.0) for parameter in FREEDOMS])


def child_form(sex: str, age_years: float) -> Array:
    """The form of a child: a girl's bones become a woman's as she grows.

    Parameters
    ----------
    sex : str
        ``"female"`` or ``"male"``.
    age_years : float
        10 to 120; zero throughout from 18 years on, and for boys.

    Returns
    -------
    (parameter,) ndarray
        For `bonescan.anatomy.form.shaped_skeleton` with the same sex.

    Raises
    ------
    InvalidValue
        For another sex, or an age out of range.
    """
    missing = 1 - _grown(sex, age_years)
    return np.array([-missing * parameter.female if sex == "female" else 0.0 for parameter in FORM_PARAMETERS])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GrowthPlate:
    """One growth plate on the default skeleton: a flat solid ellipsoid across its bone.

    On a scan the plates of the knee take up some eight times what the shaft of the femur does when growth is
    fastest, 8.3 at 11 years in girls and 8.2 at 13 in boys (Evaluation of growth in children using quantitative bone
    scintigraphy, 334 children and youths, abstract [V]).

    Parameters
    ----------
    bone : str
        Bone id.
    end : str
        Where on the bone, e.g. ``"distal"``.
    centre_mm : (3,) ndarray
    axes_mm : (3, 3) ndarray
        Columns are the half-axis vectors; the last is the plate's half thickness along its normal. Paint what lies
        both in the ellipsoid and in the bone.
    closes_male_years, closes_female_years : float
        Age at which it closes.
    """

    bone: str
    end: str
    centre_mm: Array
    axes_mm: Array
    closes_male_years: float
    closes_female_years: float

    @property
    def segment(self) -> str:
        """Name of the segment that moves it."""
        return segment_of(self.bone)

    @property
    def normal(self) -> Array:
        """Unit vector across the plate, along the bone."""
        return np.asarray(self.axes_mm[:, 2] / np.linalg.norm(self.axes_mm[:, 2]))


@cache
def _plates() -> tuple[GrowthPlate, ...]:
    plates = []
    for row in rows("growth_plates"):
        normal = np.array([float(row[key]) for key in ("nx", "ny", "nz")])
        wide = np.array([float(row[key]) for key in ("ux", "uy", "uz")])
        axes = np.column_stack([wide, np.cross(normal, wide), normal])
        axes *= [float(row[key]) for key in ("a_mm", "b_mm", "half_thickness_mm")]
        centre = np.array([float(row[key]) for key in ("x_mm", "y_mm", "z_mm")])
        for side, mirror in (("_l", 1.0), ("_r", -1.0)):
            plates.append(
                GrowthPlate(
                    bone=row["bone"] + side,
                    end=row["end"],
                    centre_mm=centre * [mirror, 1, 1],
                    axes_mm=axes * np.array([mirror, 1, 1])[:, None],
                    closes_male_years=float(row["closes_male"]),
                    closes_female_years=float(row["closes_female"]),
                )
            )
    return tuple(plates)


def growth_plates(sex: str, age_years: float) -> tuple[GrowthPlate, ...]:
    """Growth plates that are still open.

    Parameters
    ----------
    sex : str
        ``"female"`` or ``"male"``.
    age_years : float
        10 to 120; of bones, not of years, where the two differ.

    Returns
    -------
    tuple of GrowthPlate
        None from 24 years on.

    Raises
    ------
    InvalidValue
        For another sex, or an age out of range.

    Examples
    --------
    >>> sorted({plate.bone for plate in growth_plates("female", 20)})
    ['clavicle_l', 'clavicle_r']
    """
    _check(sex, age_years)
    return tuple(
        plate
        for plate in _plates()
        if age_years < (plate.closes_male_years if sex == "male" else plate.closes_female_years)
    )


def pose_plate(plate: GrowthPlate, posed: PosedSkeleton) -> tuple[Array, Array]:
    """Where a growth plate lies in a posed skeleton; the skeleton's form is not followed, which costs a few mm.

    Parameters
    ----------
    plate : GrowthPlate
    posed : PosedSkeleton

    Returns
    -------
    centre_mm : (3,) ndarray
    axes_mm : (3, 3) ndarray
        Columns are the half-axis vectors, no longer perpendicular where the segment is stretched.
    """
    ends = plate.centre_mm + np.vstack([np.zeros(3), plate.axes_mm.T])
    segment = next(k for k, one in enumerate(SEGMENTS) if one.name == plate.segment)
    moved = posed.size * move_points(ends, np.full(4, segment), posed.pose)
    return moved[0], (moved[1:] - moved[0]).T
