"""A person: sex, age, build, pose and a bladder; the body that lies under the camera, before any tracer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.body import SEXES, Body
from bonescan.anatomy.form import FORM_LIMIT, FORM_PARAMETERS, draw_form, shaped_skeleton
from bonescan.anatomy.growth import child_form, child_pose, child_stature_mm
from bonescan.anatomy.mass import girth_for_mass
from bonescan.anatomy.organs import BLADDER_RANGE_ML, posed_organs
from bonescan.anatomy.pose import FREEDOMS, PARAMETERS, Parameter, PosedSkeleton, pose_person
from bonescan.anatomy.skeleton import Skeleton
from bonescan.anatomy.voxels import body_grid, voxelise
from bonescan.errors import InvalidValue
from bonescan.field import Grid
from bonescan.patient.arms import hands_on_belly, spread_arms
from bonescan.patient.focus import Focus
from bonescan.patient.frames import LabelledBody, frames_of_pose

__all__ = ["ARMS", "BMI_RANGE", "Person", "draw_build", "draw_person", "pose_limits", "refuse_outside"]

Array = NDArray[np.float64]

BMI_RANGE = (17.0, 45.0)
"""Body mass indices (kg/m2) that are drawn, and about what the body's girth can carry at usual statures."""

ARMS = ("beside", "belly")
"""Where arms lie: beside the thighs, or with the hands on the belly."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """One person, lying.

    Parameters
    ----------
    sex : str
        ``"male"`` or ``"female"``.
    age_years : float
        10 to 110. Below 18 a child's proportions (`bonescan.anatomy.growth`).
    stature_mm : float
        1200 to 2300.
    mass_kg : float
        It sets the girth of the body; a mass that no girth reaches is refused.
    pose : (parameter,) ndarray, optional
        In the order of `bonescan.anatomy.pose.FREEDOMS`, or its first part `PARAMETERS`: deviations from a person of
        that sex lying straight, within `pose_limits`. Default none.
    form : (parameter,) ndarray, optional
        Shape of the skeleton. Default the reference of that sex.
    handedness : str
        ``"right"`` or ``"left"``: the shoulder that takes up more, the arm that is not injected.
    bladder_ml : float
        Urine in the bladder at the scan, 0 to 800.

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    sex: str = "male"
    age_years: float = 50.0
    stature_mm: float = 1760.0
    mass_kg: float = 73.0
    pose: Array = field(default_factory=lambda: np.zeros(len(FREEDOMS)))
    form: Array | None = None
    handedness: str = "right"
    bladder_ml: float = 150.0

    def __post_init__(self) -> None:
        if self.sex not in SEXES:
            raise InvalidValue(f"Sex is one of {SEXES}, got {self.sex!r}.", got=self.sex)
        if self.handedness not in ("right", "left"):
            raise InvalidValue(f"Handedness is 'right' or 'left', got {self.handedness!r}.", got=self.handedness)
        for name in ("age_years", "stature_mm", "mass_kg", "bladder_ml"):
            refuse_outside(name, getattr(self, name))
        if len(self.pose) not in (len(PARAMETERS), len(FREEDOMS)) or not np.isfinite(self.pose).all():
            raise InvalidValue(
                f"A pose has {len(PARAMETERS)} or {len(FREEDOMS)} finite numbers, got {len(self.pose)}.",
                got=len(self.pose),
            )
        limit = pose_limits()[: len(self.pose)]
        if (np.abs(self.pose) > limit).any():
            k = int(np.argmax(np.abs(self.pose) / limit))
            raise InvalidValue(
                f"The freedom {FREEDOMS[k].name!r} of a pose lies within +/- {limit[k]:.4g}, got {self.pose[k]:.4g}.",
                got=float(self.pose[k]),
            )
        _girth(self.sex, self.stature_mm, self.mass_kg, self.age_years)

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m2."""
        return self.mass_kg / (self.stature_mm / 1000) ** 2

    @property
    def girth(self) -> float:
        """Of the waist, against the reference person."""
        return _girth(self.sex, self.stature_mm, self.mass_kg, self.age_years)

    def posed(self) -> PosedSkeleton:
        """The person's skeleton, in place."""
        form, pose = self.form, self.pose
        if self.age_years < _ADULT_YEARS:
            limit = FORM_LIMIT * np.array([parameter.spread for parameter in FORM_PARAMETERS])
            form = np.clip(child_form(self.sex, self.age_years) + (0 if form is None else form), -limit, limit)
            pose = child_pose(self.sex, self.age_years) + np.pad(pose, (0, len(FREEDOMS) - len(pose)))
        return pose_person(
            _shaped(self.sex, None if form is None else form.tobytes()),
            sex=self.sex,
            stature_mm=self.stature_mm,
            pose=pose,
        )

    def body(self) -> Body:
        """The skin around it."""
        return Body(posed=self.posed(), sex=self.sex, girth=self.girth)

    def labelled(self, spacing_mm: float, foci: tuple[Focus, ...] = ()) -> LabelledBody:
        """The person in voxels.

        Parameters
        ----------
        spacing_mm : float
            1 to 20.
        foci : tuple of Focus
            What lies beside the body; the grid is made to hold it.

        Returns
        -------
        LabelledBody
        """
        body = self.body()
        frames = frames_of_pose(body.posed)
        beside = [frames.place(focus) for focus in foci if focus.realm in ("outside", "anywhere")]
        grid = _holding(body_grid(body, spacing_mm), beside)
        organs = posed_organs(body.posed, self.sex, bladder_ml=self.bladder_ml)
        return LabelledBody(voxels=voxelise(body, organs, grid), frames=frames)


@lru_cache(maxsize=4)
def _shaped(sex: str, form: bytes | None) -> Skeleton:
    return shaped_skeleton(sex, None if form is None else np.frombuffer(form))


_RANGES = {
    "age_years": (10, 110),
    "stature_mm": (1200, 2300),
    "mass_kg": (20, 300),
    "bmi": (10, 60),
    "bladder_ml": BLADDER_RANGE_ML,
}


def refuse_outside(name: str, value: float) -> None:
    """Refuse a number that no person here has.

    Parameters
    ----------
    name : str
        ``"age_years"``, ``"stature_mm"``, ``"mass_kg"``, ``"bmi"`` or ``"bladder_ml"``.
    value : float

    Raises
    ------
    InvalidValue
        For a value outside its range, or none.
    """
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise InvalidValue(f"A person's {name} lies between {low} and {high}, got {value}.", got=value)


def pose_limits() -> Array:
    """How far a freedom of the pose may lie from a person lying straight.

    Returns
    -------
    (parameter,) ndarray
        In the order of `bonescan.anatomy.pose.FREEDOMS`: half a turn, a stretch to twice or half the length, 150 mm
        of a spine's curve [D]. Beyond, no body is meant, and its grid would have no end.
    """
    most = {"rad": math.pi, "log": math.log(2), "mm": 150.0}
    return np.array([most[freedom.name.rpartition("_")[2]] for freedom in FREEDOMS])


def _holding(grid: Grid, ellipsoids: list[tuple[Array, Array]]) -> Grid:
    """A grid grown by whole voxels until it holds ellipsoids; slices along z, rows along y, columns along x."""
    spacing, origin, shape = (np.array(part, dtype=float) for part in (grid.spacing_mm, grid.origin_mm, grid.shape))
    low, high = np.zeros(3), shape - 1
    for centre, axes in ellipsoids:
        reach = np.linalg.norm(axes, axis=1)
        low = np.minimum(low, np.floor(((centre - reach - origin)[::-1]) / spacing))
        high = np.maximum(high, np.ceil(((centre + reach - origin)[::-1]) / spacing))
    count = (high - low).astype(int) + 1
    start = origin + (low * spacing)[::-1]
    return Grid(
        shape=(int(count[0]), int(count[1]), int(count[2])),
        spacing_mm=grid.spacing_mm,
        origin_mm=(float(start[0]), float(start[1]), float(start[2])),
        axes=grid.axes,
    )


# Mass (kg) by girth of the reference adults of 1760 and 1630 mm: `bonescan.anatomy.mass.girth_for_mass` at these girths
# [C]; it grows with the cube of the stature.
_GIRTHS = (0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
_ADULT_YEARS = 18.0
_MASS_KG = {
    "male": (1760.0, (55.5, 64.8, 75.5, 87.1, 99.3, 112.0, 125.4, 139.5)),
    "female": (1630.0, (43.9, 51.5, 60.1, 69.5, 79.2, 89.4, 100.1, 111.6)),
}


def _masses_kg(sex: str, stature_mm: float) -> Array:
    """Mass at each of `_GIRTHS`."""
    reference, masses = _MASS_KG[sex]
    return np.array(masses) * (stature_mm / reference) ** 3


@lru_cache(maxsize=64)
def _girth(sex: str, stature_mm: float, mass_kg: float, age_years: float) -> float:
    if age_years < _ADULT_YEARS:
        return girth_for_mass(sex, stature_mm, mass_kg, child_pose(sex, age_years))
    masses = _masses_kg(sex, stature_mm)
    if not masses[0] * (1 - 1e-6) <= mass_kg <= masses[-1] * (1 + 1e-6):
        raise InvalidValue(
            f"A {sex} body of {stature_mm:.0f} mm weighs {masses[0]:.0f} to {masses[-1]:.0f} kg, got {mass_kg:.1f}.",
            got=mass_kg,
            expected=(float(masses[0]), float(masses[-1])),
        )
    return float(np.interp(mass_kg, masses, _GIRTHS))


# Stature (mean, spread in mm) and the age of people who come for a bone scan [D]; body mass index log-normal with the
# skew and mean of adults (28.0 kg/m2 at 20 to 74 years: NHANES 1999-2000, a table in Diabetes Care [V]; spread [M]).
_STATURE_MM = {"male": (1756.0, 74.0), "female": (1618.0, 69.0)}
_AGE_YEARS = (62.0, 14.0)
_INDEX_MEDIAN, _INDEX_LOG_SPREAD = 27.2, 0.2
# A child's index: medians of 16.6 at 10 years and 21.4 at 18 (CDC growth charts [M]), log-normal.
_CHILD_INDEX, _CHILD_LOG_SPREAD = ((10.0, 16.6), (18.0, 21.4)), 0.13
_LEFT_HANDED, _BELLY = 0.10, 0.15  # shares of people [M], of people on the table [D]
_POSE_LIMIT = 2.0  # in spreads
_SIDES_LOG = 0.006  # by which the bones of both sides differ in length: 5 mm of a leg [D]
_TILT_DEG = 25.0
# How people lie on a scan table, where it is not as freely as a fit of the skeleton to two views must allow: mean and
# spread (degrees, mm). From that fit to 22 scans of the BS-80K collection, medians and half the width from the 16th to
# the 84th percentile, rounded, and spreads a little widened, as a fit pulls towards the mean [C].
_LYING = {
    "pelvis.lean_rad": (0.0, 2.0),
    "pelvis.turn_rad": (0.0, 3.0),
    "lumbar.lean_rad": (0.0, 2.0),
    "thorax.lean_rad": (0.0, 3.0),
    "thorax.turn_rad": (0.0, 2.5),
    "neck.lean_rad": (0.0, 4.0),
    "head.nod_rad": (7.0, 4.0),
    "head.lean_rad": (0.0, 3.0),
    "head.turn_rad": (0.0, 5.0),
    "clavicle.raise_rad": (7.0, 4.0),
    "scapula.turn_rad": (-4.0, 5.0),
    "forearm.bend_rad": (-9.0, 7.0),
    "forearm.turn_rad": (-40.0, 20.0),  # palms towards the thighs, as hands look in those scans; the fit hardly sees it
    "hand.bend_rad": (-3.0, 7.0),
    "thigh.spread_rad": (2.5, 2.0),
    "shank.bend_rad": (-4.0, 2.0),
    "foot.point_rad": (20.0, 10.0),
    "foot.spread_rad": (-6.0, 5.0),
    "foot.turn_rad": (0.0, 10.0),
    "spine.curve_1_mm": (0.0, 4.0),
    "spine.curve_2_mm": (0.0, 4.0),
    "spine.curve_3_mm": (0.0, 4.0),
}
# What a person on a scan table does not do, though each turn alone would allow it [D]: cross the legs, bend the elbow
# outwards, turn a foot flat on its side.
_LIMITS_DEG = {
    "arm.spread_rad": (-3.0, 3.0),
    "arm.lift_rad": (-4.0, 8.0),
    "forearm.bend_rad": (-20.0, -2.0),
    "forearm.lift_rad": (-2.0, 16.0),
    "hand.bend_rad": (-15.0, 8.0),
    "thigh.spread_rad": (-1.0, 8.0),
    "foot.point_rad": (-5.0, 38.0),
}


def draw_person(
    rng: np.random.Generator,
    *,
    sex: str | None = None,
    age_years: float | None = None,
    stature_mm: float | None = None,
    bmi: float | None = None,
    arms: str | None = None,
) -> Person:
    """A random person; what is given is kept.

    Parameters
    ----------
    rng : numpy.random.Generator
    sex : str, optional
        Even odds by default.
    age_years : float, optional
        Normal, 62 +/- 14 years, 18 to 95.
    stature_mm : float, optional
        Normal by sex, within 2.5 spreads.
    bmi : float, optional
        Log-normal about 27.2 kg/m2, 17 to 45; a child's about the median of its age. What no body here reaches at that
        stature is replaced by what it just reaches.
    arms : str, optional
        One of `ARMS`; hands on the belly in 15 of 100.

    Returns
    -------
    Person

    Raises
    ------
    InvalidValue
        For another word for the arms, or a given value that no person has.
    """
    if arms not in (None, *ARMS):
        raise InvalidValue(f"Arms lie {ARMS}, got {arms!r}.", got=arms)
    build = draw_build(rng, sex=sex, age_years=age_years, stature_mm=stature_mm, bmi=bmi)
    arms = arms or ("belly" if rng.random() < _BELLY else "beside")
    person = Person(
        **build,
        pose=_draw_pose(rng),
        form=draw_form(rng, build["sex"]),
        handedness="left" if rng.random() < _LEFT_HANDED else "right",
        bladder_ml=float(np.clip(rng.lognormal(math.log(120), 0.6), 20, 600)),
    )
    pose = spread_arms(person.pose, person.body())
    if arms == "belly":
        pose = hands_on_belly(pose, replace(person, pose=pose).body(), rng)
    return replace(person, pose=pose)


def draw_build(
    rng: np.random.Generator,
    *,
    sex: str | None = None,
    age_years: float | None = None,
    stature_mm: float | None = None,
    bmi: float | None = None,
) -> dict[str, Any]:
    """A random person's sex, age, stature and mass, as `draw_person` begins with.

    Parameters
    ----------
    rng : numpy.random.Generator
    sex, age_years, stature_mm, bmi : optional
        As in `draw_person`.

    Returns
    -------
    dict of str to object
        ``"sex"``, ``"age_years"``, ``"stature_mm"`` and ``"mass_kg"`` of a `Person`.
    """
    for name, told in (("age_years", age_years), ("stature_mm", stature_mm), ("bmi", bmi)):
        if told is not None:
            refuse_outside(name, told)
    if sex not in (None, *SEXES):
        raise InvalidValue(f"Sex is one of {SEXES}, got {sex!r}.", got=sex)
    sex = sex or str(rng.choice(SEXES))
    if age_years is None:
        age_years = float(np.clip(rng.normal(*_AGE_YEARS), 18, 95))
    mean, spread = _STATURE_MM[sex]
    grown = child_stature_mm(sex, age_years) / child_stature_mm(sex, _ADULT_YEARS)
    if stature_mm is None:
        stature_mm = float(grown * (mean + spread * np.clip(rng.normal(), -2.5, 2.5)))
    deviation = rng.normal()
    if bmi is None and age_years < _ADULT_YEARS:
        median = np.interp(age_years, *np.transpose(_CHILD_INDEX))
        bmi = float(np.clip(median * math.exp(_CHILD_LOG_SPREAD * deviation), 0.85 * median, 1.7 * median))
    elif bmi is None:
        bmi = float(np.clip(_INDEX_MEDIAN * math.exp(_INDEX_LOG_SPREAD * deviation), *BMI_RANGE))
    mass_kg = bmi * (stature_mm / 1000) ** 2
    try:
        _girth(sex, stature_mm, mass_kg, age_years)
    except InvalidValue as refused:
        least, most = np.asarray(refused.facts["expected"], dtype=float)
        mass_kg = float(np.clip(mass_kg, least * 1.001, most * 0.999))
    return {"sex": sex, "age_years": age_years, "stature_mm": stature_mm, "mass_kg": mass_kg}


def _draw_pose(rng: np.random.Generator) -> Array:
    """Every freedom normal about how people lie, within limits; arms are laid down afterwards."""
    mean, spread = np.transpose([_lying(freedom) for freedom in FREEDOMS])
    pose = mean + np.clip(rng.normal(size=len(FREEDOMS)), -_POSE_LIMIT, _POSE_LIMIT) * spread
    place = {parameter.name: k for k, parameter in enumerate(FREEDOMS)}
    pose[place["pelvis.tilt_rad"]] = math.radians(_TILT_DEG) * rng.beta(1.5, 2.5)
    for name, k in place.items():  # both sides are as long
        if name.endswith("_log") and "_r." in name:
            pose[k] = pose[place[name.replace("_r.", "_l.")]] + np.clip(rng.normal(), -2, 2) * _SIDES_LOG
    for name, (low, high) in _LIMITS_DEG.items():
        for side in ("_l", "_r"):
            k = place[name.replace(".", f"{side}.")]
            pose[k] = np.clip(pose[k], math.radians(low), math.radians(high))
    return np.asarray(pose)


def _lying(freedom: Parameter) -> tuple[float, float]:
    """Mean and spread of a freedom in people on a scan table."""
    named = _LYING.get(freedom.name.replace("_l.", ".").replace("_r.", "."))
    if named is None:
        return 0.0, freedom.spread
    unit = math.radians(1) if freedom.name.endswith("_rad") else 1.0
    return named[0] * unit, named[1] * unit
