"""Normal uptake: how much of the bone tracer each place of the normal skeleton takes, and how people differ.

The weight of a place is in the units of a SUV, but only ratios count: the kinetics say how much lies in bone. With the
share c of a voxel that is shell (`bonescan.anatomy.mineral`) and the place u along the bone::

    w = [ c s(u) + (1 - c) i(u) ] m_b + joints
    i(u) = middle + (upper - middle) S((u - 1 + reach)/reach) + (lower - middle) S((reach - u)/reach)

S is a smooth step, s the cortex, passing into i at the ends, and m_b the person's own factor of that bone. While a
person grows, open growth plates add as much as makes them some eight times as hot as a femur's shaft (`growth_places`).

People differ log-normally: in each region by a share of its own, from 0.1 along spine and trunk to 0.4 in the skull; in
all of the limbs together by 0.28, in the legs by 0.38 more; by bone within a region by 0.12, between vertebrae by 0.07;
and joints by 0.35 [D]. So simulated people differ about as 22 real scans do, whose levels by region, relative to the
lumbar spine, spread by 0.1 to 0.2 in the trunk, 0.3 in skull and arms and 0.3 to 0.5 in the legs [C].

Joints wear: their worn share grows from 0.4 at 20 years to 1.4 at 80 [D]. Spongy bone falls with age by 0.73 % a year
in women (slope of the correlation -0.385 of SUV and age, doi:10.1186/2191-219X-3-45 [C]), half as much in men [D],
against cortex.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.growth import GrowthPlate, growth_plates
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus

__all__ = [
    "NormalUptake",
    "Place",
    "average_uptake",
    "bone_places",
    "draw_uptake",
    "growth_places",
    "long_axes",
    "weights_of_bone",
]

Array = NDArray[np.float64]

BONE_SPREAD, VERTEBRA_SPREAD, PLACE_SPREAD = 0.12, 0.07, 0.35
LIMB_SPREAD, LEG_SPREAD = 0.28, 0.38  # of all limbs together, and of the legs besides
# By region of `bonescan.anatomy.bones.REGION_NAMES`; 0 is the hyoid's.
REGION_SPREAD = np.array(
    [0.1, 0.38, 0.1, 0.08, 0.15, 0.12, 0.15, 0.1, 0.15, 0.08, 0.1, 0.1, 0.12, 0.15, 0.15, 0.15, 0.15, 0.3]
)
_LIMBS, _LEGS = np.array([8, 12, 13, 14, 15, 16, 17]), np.array([12, 15, 16, 17])
_SPONGY_PER_YEAR = {"female": 0.0073, "male": 0.0037}
# Eight times the shaft of the femur, whose level here is about 1.2 (quantitative scintigraphy of 334 children and
# youths, as `bonescan.anatomy.growth` tells); a plate fades over the two years before it closes [D].
_PLATE_LEVEL, _PLATE_FADES_YEARS = 9.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalUptake:
    """One person's normal uptake against the average person's of that sex and age.

    Parameters
    ----------
    bones : (bone,) ndarray
        Factor of each bone of the default skeleton, positive.
    places : (place,) ndarray
        Factor of each of `bone_places`, at least 0.

    Raises
    ------
    InvalidValue
        For arrays of other lengths or numbers outside their range.
    """

    bones: Array
    places: Array

    def __post_init__(self) -> None:
        expected = (len(default_skeleton().bones), len(bone_places()))
        if (len(self.bones), len(self.places)) != expected:
            raise InvalidValue(
                f"Normal uptake has {expected} factors, got {len(self.bones)} and {len(self.places)}.",
                expected=expected,
            )
        if not (np.isfinite(self.bones).all() and (self.bones > 0).all() and (self.places >= 0).all()):
            raise InvalidValue("Factors of normal uptake are finite, of bones above 0, of places at least 0.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """A joint or the like, where normal bone takes up more.

    Parameters
    ----------
    name : str
        With ``_l`` or ``_r`` if paired.
    focus : Focus
        Where; its factors are not used.
    level : float
        Added at its centre, in the units of the weights.
    wear : float
        Share of the level that comes with age, 0 to 1.
    dominant : float
        Times the level on the side of the handedness.
    """

    name: str
    focus: Focus
    level: float
    wear: float
    dominant: float

    def level_of(self, age_years: float, handedness: str) -> float:
        """What it adds in one person, before that person's own factor.

        Parameters
        ----------
        age_years : float
        handedness : str

        Returns
        -------
        float
        """
        worn = float(np.clip(0.4 + (age_years - 20) / 60, 0.2, 1.6))
        return (
            self.level
            * (1 - self.wear + self.wear * worn)
            * (self.dominant if self.name.endswith(f"_{handedness[0]}") else 1.0)
        )


def average_uptake() -> NormalUptake:
    """A person who does not differ from the average.

    Returns
    -------
    NormalUptake
    """
    return NormalUptake(bones=np.ones(len(default_skeleton().bones)), places=np.ones(len(bone_places())))


def draw_uptake(rng: np.random.Generator) -> NormalUptake:
    """A random person's normal uptake.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    NormalUptake
        Regions of both sides go together, bones each for itself.
    """
    names = default_skeleton().bones
    regions = np.array([bone_named(name).region for name in names])
    region = rng.normal(0, REGION_SPREAD)
    own = np.where([name.startswith("vertebra") for name in names], VERTEBRA_SPREAD, BONE_SPREAD)
    bones = region[regions] + rng.normal(0, own)
    bones += np.isin(regions, _LIMBS) * rng.normal(0, LIMB_SPREAD) + np.isin(regions, _LEGS) * rng.normal(0, LEG_SPREAD)
    return NormalUptake(
        bones=np.exp(bones),
        places=np.exp(rng.normal(0, PLACE_SPREAD, len(bone_places()))),
    )


@cache
def bone_places() -> tuple[Place, ...]:
    """Joints and the like of the default skeleton, and both ends of the ribs.

    Returns
    -------
    tuple of Place
    """
    names = default_skeleton().bones
    places = []
    for row in rows("places", "patient"):
        for side, sign in (("_l", 1.0), ("_r", -1.0)) if row["symmetry"] == "paired" else (("", 1.0),):
            segment = row["segment"]
            if side and segment not in ("thorax", "lumbar", "pelvis"):
                segment += side
            wanted = tuple(
                name
                for name in names
                if name.startswith(tuple(row["bones"].split()))
                and name[-2:] not in {"_l": "_r", "_r": "_l"}.get(side, "")
            )
            places.append(
                Place(
                    name=row["place"] + side,
                    focus=Focus(
                        segment=segment,
                        centre_mm=np.array([sign * float(row["x"]), float(row["y"]), float(row["z"])]),
                        axes_mm=np.diag([float(row[key]) for key in "abc"]),
                        bones=wanted,
                        profile="peak",
                    ),
                    level=float(row["level"]),
                    wear=float(row["wear"]),
                    dominant=float(row["dominant"]),
                )
            )
    return (*places, *_rib_ends())


def growth_places(sex: str, age_years: float) -> tuple[Place, ...]:
    """Growth plates that are still open.

    Parameters
    ----------
    sex : str
    age_years : float

    Returns
    -------
    tuple of Place
    """
    return tuple(
        Place(
            name=f"{plate.bone} {plate.end}",
            focus=Focus(segment=plate.segment, centre_mm=plate.centre_mm, axes_mm=plate.axes_mm, bones=(plate.bone,)),
            level=_PLATE_LEVEL * min(1.0, (_closes(plate, sex) - age_years) / _PLATE_FADES_YEARS),
            wear=0.0,
            dominant=1.0,
        )
        for plate in growth_plates(sex, age_years)
    )


def _closes(plate: GrowthPlate, sex: str) -> float:
    return plate.closes_male_years if sex == "male" else plate.closes_female_years


def _rib_ends() -> Iterator[Place]:
    """Costochondral junctions of ribs 1 to 10 and costovertebral joints of all: faint, but on most scans [D]."""
    skeleton = default_skeleton()
    for k, name in enumerate(skeleton.bones):
        if not name.startswith("rib"):
            continue
        centres = skeleton.centres_mm[skeleton.bone_index == k]
        ends = [("costovertebral", centres[np.argmin(np.abs(centres[:, 0]) - 0.5 * centres[:, 1])], 1.5)]
        if int(name[4:6]) <= 10:
            ends.append(("costochondral", centres[np.argmin(centres[:, 1])], 0.8))
        for what, centre, level in ends:
            yield Place(
                name=f"{what}_{name[4:]}",
                focus=Focus(
                    segment="thorax", centre_mm=centre, axes_mm=np.diag([11.0] * 3), bones=(name,), profile="peak"
                ),
                level=level,
                wear=0.3,
                dominant=1.0,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """A row of ``data/uptake.csv``; ``reach`` is 0 for a bone without a shaft."""

    spongy: float
    cortex: float
    upper: float
    lower: float
    reach: float


@cache
def _levels() -> tuple[_Level, ...]:
    table = {row["bone"]: row for row in rows("uptake", "patient")}

    def level(name: str) -> _Level:
        row = table[max((prefix for prefix in table if name.startswith(prefix)), key=len)]
        number = {key: float(row[key] or 0) for key in row if key not in ("bone", "source", "certainty")}
        return _Level(
            spongy=number["spongy"],
            cortex=number["cortex"],
            upper=number["upper"],
            lower=number["lower"],
            reach=number["reach"],
        )

    return tuple(level(name) for name in default_skeleton().bones)


@cache
def long_axes() -> Array:
    """The place along each bone, as a linear function of the default skeleton's coordinates, (bone, 4) ndarray.

    Returns
    -------
    (bone, 4) ndarray
        ``u = axes[b, :3] @ p + axes[b, 3]``: 0 at the lower (or, in level bones, outer) end, 1 at the other.
    """
    skeleton = default_skeleton()
    volumes = skeleton.volumes_mm3()
    axes = np.zeros((len(skeleton.bones), 4))
    for k, name in enumerate(skeleton.bones):
        own = np.flatnonzero(skeleton.bone_index == k)
        points, half_axes, weight = skeleton.centres_mm[own], skeleton.axes_mm[own], volumes[own] / volumes[own].sum()
        centre = weight @ points
        away = points - centre
        spread = (weight * away.T) @ away + np.tensordot(weight, half_axes @ half_axes.transpose(0, 2, 1), 1) / 5
        along = np.linalg.eigh(spread)[1][:, 2]
        inwards = -centre[0] if name[-2:] in ("_l", "_r") else 1.0
        if (along[2] < 0) if abs(along[2]) > 0.5 else (along[0] * inwards < 0):
            along = -along
        place, reach = points @ along, np.linalg.norm(along @ half_axes, axis=1)
        low, high = (place - reach).min(), (place + reach).max()
        axes[k, :3], axes[k, 3] = along / (high - low), -low / (high - low)
    return axes


def weights_of_bone(bone: int, shell: Array, along: Array, *, sex: str, age_years: float) -> Array:
    """Weights of one bone's voxels in the average person, without joints.

    Parameters
    ----------
    bone : int
        Index into the default skeleton's bones.
    shell : (voxel,) ndarray
        Share of each voxel that is the bone's dense shell, 0 to 1.
    along : (voxel,) ndarray
        Place along the bone, `long_axes`.
    sex : str
    age_years : float

    Returns
    -------
    (voxel,) ndarray
        At least 0.
    """
    level = _levels()[bone]
    fall = 1 - _SPONGY_PER_YEAR[sex] * (float(np.clip(age_years, 20, 90)) - 50)
    inner = np.full_like(along, level.spongy)
    outer = np.full_like(along, level.cortex)
    if level.reach > 0:
        for end, near in ((level.upper, along - 1 + level.reach), (level.lower, level.reach - along)):
            step = np.clip(near / level.reach, 0, 1)
            step = step * step * (3 - 2 * step)
            inner += (end - level.spongy) * step
            outer += (end - level.cortex) * step
    weight = shell * outer + (1 - shell) * inner * fall
    return np.asarray(weight)
