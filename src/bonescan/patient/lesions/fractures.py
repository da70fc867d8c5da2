"""Fractures: acute, of stress and of insufficiency, of ribs and vertebrae, and how they heal.

Uptake of a fracture of age t over that of normal bone is ::

    1 + (peak - 1) * (1 - exp(-(t - lag) / 5 d)) * 2^(-max(0, t - 70 d) / half)

and 1 before the lag. Constants carry their source: [V] read in a source, [C] computed from one, [M] recalled, [D] our
decision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import Lesion, LesionKind, focus_in_bone, in_own_bone, late_gain, sided
from bonescan.patient.lesions.placement import (
    bone_box,
    course,
    joint_centre,
    nearest_place,
    place_along,
    vertebral_body,
)

__all__ = [
    "draw_healing",
    "fracture",
    "fracture_uptake",
    "rib_fractures",
    "sacral_insufficiency",
    "stress_fracture",
    "vertebral_fracture",
]

# Matin, J Nucl Med 1979;20:1227, 204 patients: 80 % abnormal by 24 h, 95 % by 72 h; normal again after 5 months at the
# earliest, 90 % by two years; three phases: a broad area in the first weeks, a sharp and intense line at 2 to 3 months,
# then a slow fade [V]. 60 to 80 % are normal after a year (Mallinckrodt teaching file bs084, from Datz and Laskin) [V].
# With "abnormal" meaning a quarter above normal and a peak of 5 the lag is lognormal with median 0.16 d and sigma
# 1.71, and the half-time of the fade lognormal with median 57 d and sigma 0.73, at least 19 d [C]; rise and plateau
# are ours [D].
_LAG_MEDIAN_D, _LAG_SIGMA = 0.16, 1.71
_FADE_MEDIAN_D, _FADE_SIGMA, _FADE_LEAST_D = 57.0, 0.73, 19.0
_RISE_D, _PLATEAU_D = 5.0, 70.0
_PEAK = (5.0, 0.35)  # median and sigma of a fracture's greatest contrast in a spine [D]
_HYPERAEMIA, _HYPERAEMIA_HALF_D = 3.0, 14.0  # flow and pool are up for two or three weeks, then fade [V; figures D]
_BROAD_MM, _LINE_MM, _BROAD_D = 14.0, 6.0, 21.0  # half-widths of the early and of the later band [D]


def fracture_uptake(age_days: float, *, peak: float, fade_days: float, lag_days: float = 0.3) -> float:
    """Uptake of a fracture over that of the same normal bone.

    Parameters
    ----------
    age_days : float
        Since the injury, at least 0.
    peak : float
        Greatest contrast, at least 1.
    fade_days : float
        Half-time of the excess after ten weeks.
    lag_days : float
        Before the bone answers.

    Returns
    -------
    float

    Examples
    --------
    >>> [round(fracture_uptake(t, peak=5, fade_days=60), 1) for t in (0, 1, 7, 70, 365, 730)]
    [1.0, 1.5, 4.0, 5.0, 1.1, 1.0]
    """
    if age_days <= lag_days:
        return 1.0
    rise = 1 - math.exp(-(age_days - lag_days) / _RISE_D)
    return float(1 + (peak - 1) * rise * 2 ** (-max(0.0, age_days - _PLATEAU_D) / fade_days))


def draw_healing(rng: np.random.Generator) -> tuple[float, float]:
    """How fast one person's fracture shows and fades.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    lag_days, fade_days : float
        As `fracture_uptake` takes them, with Matin's frequencies.
    """
    lag = _LAG_MEDIAN_D * math.exp(_LAG_SIGMA * rng.normal())
    fade = 0.0
    while fade < _FADE_LEAST_D:
        fade = _FADE_MEDIAN_D * math.exp(_FADE_SIGMA * rng.normal())
    return float(min(lag, 10.0)), float(fade)


def _active(rng: np.random.Generator, bone: str, age_days: float, contrast: float | None) -> tuple[float, float, float]:
    """Contrast, hyperaemia and half-width of a fracture's band at an age; what was asked for stays."""
    if not 0 <= age_days <= 20_000:
        raise InvalidValue(f"A fracture's age_days lies between 0 and 20000, got {age_days!r}.", got=age_days)
    if contrast is not None and not 0 <= contrast <= 100:
        raise InvalidValue(f"A fracture's contrast lies between 0 and 100, got {contrast!r}.", got=contrast)
    lag, fade = draw_healing(rng)
    peak = in_own_bone(bone, _PEAK[0] * math.exp(_PEAK[1] * float(np.clip(rng.normal(), -2, 2))))
    level = fracture_uptake(age_days, peak=peak, fade_days=fade, lag_days=lag) if contrast is None else contrast
    blood = 1 + (_HYPERAEMIA - 1) * 2 ** (-age_days / _HYPERAEMIA_HALF_D)
    return level, blood, _LINE_MM + (_BROAD_MM - _LINE_MM) * 2 ** (-age_days / _BROAD_D)


def _since(age_days: float) -> str:
    return f"{age_days:.0f} days old" if age_days < 60 else f"{age_days / 30.4:.0f} months old"


def fracture(
    rng: np.random.Generator,
    *,
    bone: str = "humerus_l",
    fraction: float = 0.15,
    age_days: float = 14.0,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """A fracture across a bone: a band, broad and with hyperaemia when fresh, sharp later.

    Parameters
    ----------
    rng : numpy.random.Generator
    bone : str
        Bone id.
    fraction : float
        Where along the bone, 0 at its upper or inner end to 1.
    age_days : float
        Since the injury, 0 to 20000.
    contrast : float, optional
        Instead of what the age gives.

    Returns
    -------
    tuple of Lesion
    """
    level, blood, half = _active(rng, bone, age_days, contrast)
    place, direction = place_along(bone, fraction)
    low, high = bone_box(bone)
    across = float(np.clip(np.sort(high - low)[1], 15, 60))
    gain = late_gain(rng, malignant=False)
    foci = (
        focus_in_bone(
            bone,
            place,
            (across, across, half),
            along=direction,
            uptake_factor=level,
            blood_factor=blood,
            mineral_factor=1.0 if age_days < 30 else 1.2,
            late_gain=gain,
        ),
    )
    label = f"fracture of the {bone_named(bone).name}, {_since(age_days)}"
    kind = LesionKind.FRACTURE
    return (Lesion(id=kind.value, kind=kind, bone=bone, foci=foci, label=label, age_days=age_days, contrast=level),)


# Site: bone without its side, fraction along it, offset of the centre (mm, left side), half-axes (mm; the third
# along the bone). Fusiform at the tibia's inner back border, a spot on the inner femoral neck, a whole metatarsal's
# shaft [M for the pattern, D for sizes].
_STRESS = {
    "tibia": ("tibia", 0.62, (-7.0, 6.0, 0.0), (9.0, 9.0, 42.0)),
    "femoral_neck": ("femur", 0.0, (0.0, 0.0, 0.0), (10.0, 12.0, 12.0)),
    "metatarsal": ("metatarsal_2", 0.5, (0.0, 0.0, 0.0), (9.0, 9.0, 20.0)),
    "calcaneus": ("tarsal_calcaneus", 0.5, (0.0, 12.0, 0.0), (14.0, 14.0, 8.0)),
}


def stress_fracture(
    rng: np.random.Generator,
    *,
    site: str = "tibia",
    side: str = "left",
    age_days: float = 21.0,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """A stress fracture at one of its usual places.

    Parameters
    ----------
    rng : numpy.random.Generator
    site : str
        ``"tibia"``, ``"femoral_neck"``, ``"metatarsal"`` or ``"calcaneus"``.
    side : str
        ``"left"`` or ``"right"``.
    age_days : float
        0 to 20000.
    contrast : float, optional
        Instead of what the age gives.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if site not in _STRESS:
        raise InvalidValue(f"A stress fracture's site is one of {', '.join(_STRESS)}; got {site!r}.", got=site)
    letter, mirror = sided(side)
    name, fraction, offset, half = _STRESS[site]
    bone = f"{name}_{letter}"
    level, blood, _ = _active(rng, bone, age_days, contrast)
    along: NDArray[np.float64] | None
    if site == "femoral_neck":  # half way between head and trochanter, at the lower edge
        place = nearest_place(bone, joint_centre(f"thigh_{letter}") + np.array([mirror * 18.0, 2.0, -18.0]))
        along = None
    else:
        place, along = place_along(bone, fraction)
        place = nearest_place(bone, place + np.array(offset) * [mirror, 1, 1])
    focus = focus_in_bone(
        bone,
        place,
        half,
        along=along,
        uptake_factor=level,
        blood_factor=blood,
        late_gain=late_gain(rng, malignant=False),
    )
    kind = LesionKind.STRESS_FRACTURE
    label = f"stress fracture, {bone_named(bone).name}, {_since(age_days)}"
    return (Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, age_days=age_days, contrast=level),)


def rib_fractures(
    rng: np.random.Generator,
    *,
    side: str | None = None,
    first: int | None = None,
    count: int | None = None,
    angle_deg: float | None = None,
    age_days: float = 30.0,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Fractures of neighbouring ribs, one above the other in a line.

    Parameters
    ----------
    rng : numpy.random.Generator
    side : str, optional
        ``"left"`` or ``"right"``.
    first : int, optional
        The uppermost rib, 1 to 12; 4 to 8 by default.
    count : int, optional
        How many, 1 to 9; 2 to 5 by default.
    angle_deg : float, optional
        Direction from the chest's axis, 0 the front, 90 the side, 180 the back; 35 to 125 by default.
    age_days : float
        Of all of them, 0 to 20000.
    contrast : float, optional
        Of all of them.

    Returns
    -------
    tuple of Lesion
        One for each rib.

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    side = str(rng.choice(["left", "right"])) if side is None else side
    letter, mirror = sided(side)
    first = int(rng.integers(4, 9)) if first is None else first
    count = int(rng.integers(2, 6)) if count is None else count
    angle = float(rng.uniform(35, 125)) if angle_deg is None else angle_deg
    if not (1 <= first <= 12 and 1 <= count <= 9 and 0 <= angle <= 180):
        raise InvalidValue(
            f"Rib fractures begin at rib 1 to 12, are 1 to 9, at 0 to 180 degrees; got {first}, {count}, {angle}.",
            first=first,
            count=count,
            angle_deg=angle,
        )
    made = []
    for k in range(first, min(first + count, 13)):
        bone = f"rib_{k:02d}_{letter}"
        level, blood, _ = _active(rng, bone, age_days, contrast)
        line = course(bone)
        own = np.degrees(np.arctan2(mirror * line[:, 0], -(line[:, 1] - 10)))
        wanted = angle + rng.normal(0, 3)
        t = float(np.argmin(np.abs(own - wanted))) / (len(line) - 1)
        place, direction = place_along(bone, float(np.clip(t, 0.05, 0.97)))
        focus = focus_in_bone(
            bone,
            place,
            (9.0, 9.0, 8.0),
            along=direction,
            uptake_factor=level,
            blood_factor=blood,
            late_gain=late_gain(rng, malignant=False),
        )
        kind = LesionKind.RIB_FRACTURES
        label = f"fracture of the {bone_named(bone).name}, {_since(age_days)}"
        made.append(
            Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, age_days=age_days, contrast=level)
        )
    return tuple(made)


def vertebral_fracture(
    rng: np.random.Generator,
    *,
    bones: tuple[str, ...] | None = None,
    age_days: float = 45.0,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Osteoporotic compression: a horizontal band through the whole width of a vertebral body.

    Parameters
    ----------
    rng : numpy.random.Generator
    bones : tuple of str, optional
        Vertebrae; one of T7 to L3 by default.
    age_days : float
        0 to 20000.
    contrast : float, optional
        Instead of what the age gives.

    Returns
    -------
    tuple of Lesion
        One for each vertebra.
    """
    usual = [*(f"vertebra_t{k:02d}" for k in range(7, 13)), *(f"vertebra_l{k:02d}" for k in range(1, 4))]
    # around the thoracolumbar junction and the mid-thoracic kyphosis [M]
    weight = np.array([2, 2, 1, 1, 2, 4, 4, 2, 1], dtype=float)
    chosen = (str(rng.choice(usual, p=weight / weight.sum())),) if bones is None else bones
    made = []
    for bone in chosen:
        level, blood, _ = _active(rng, bone, age_days, contrast)
        centre, half = vertebral_body(bone)
        at = centre + np.array([0.0, 0.0, 0.35 * half[2]])
        focus = focus_in_bone(
            bone,
            nearest_place(bone, at),
            (1.6 * half[0], 1.6 * half[1], 6.0),
            uptake_factor=level,
            blood_factor=blood,
            mineral_factor=1.3,
            late_gain=late_gain(rng, malignant=False),
        )
        kind = LesionKind.VERTEBRAL_FRACTURE
        label = f"compression fracture, {bone_named(bone).name}, {_since(age_days)}"
        made.append(
            Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, age_days=age_days, contrast=level)
        )
    return tuple(made)


# Honda sign and variants, 24 patients: the full H in 63 %, variants in 33 %, pubic fracture besides in 50 % (2005,
# abstract read [V]). Which bars a variant has is drawn evenly [D].
_FULL_H, _PUBIC = 0.65, 0.5


_BARS = {
    "h": ("left", "right", "across"),
    "wings": ("left", "right"),
    "left_wing": ("left",),
    "right_wing": ("right",),
    "bar": ("across",),
    "half_h_left": ("left", "across"),
    "half_h_right": ("right", "across"),
}


# Bars of the H in the sacrum's own box: centre and half-axes in mm. The wings run from the first to the third segment
# outside the foramina; the crossbar goes through the second [C: sacrum x -59..59, z 856..993].
_BAR_PLACES = {
    "left": ((36.0, 52.0, 952.0), (7.5, 45.0, 36.0)),
    "right": ((-36.0, 52.0, 952.0), (7.5, 45.0, 36.0)),
    "across": ((0.0, 60.0, 945.0), (34.0, 45.0, 6.5)),
}


def sacral_insufficiency(
    rng: np.random.Generator,
    *,
    pattern: str | None = None,
    pubic: bool | None = None,
    age_days: float = 30.0,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Insufficiency of the sacrum: two upright bands in its wings and one across, the H; often the pubis as well.

    Parameters
    ----------
    rng : numpy.random.Generator
    pattern : str, optional
        ``"h"``, ``"wings"``, ``"left_wing"``, ``"right_wing"``, ``"bar"``, ``"half_h_left"``, ``"half_h_right"``;
        drawn as published by default.
    pubic : bool, optional
        Whether a pubic ramus is broken as well; half of the time by default.
    age_days : float
        0 to 20000.
    contrast : float, optional
        Instead of what the age gives.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if pattern is None:
        pattern = "h" if rng.random() < _FULL_H else str(rng.choice([name for name in _BARS if name != "h"]))
    if pattern not in _BARS:
        raise InvalidValue(f"A sacral pattern is one of {', '.join(_BARS)}; got {pattern!r}.", got=pattern)
    pubic = bool(rng.random() < _PUBIC) if pubic is None else pubic
    level, blood, _ = _active(rng, "sacrum", age_days, contrast)
    gain = late_gain(rng, malignant=False)
    foci: list[Focus] = []
    for name in _BARS[pattern]:
        centre, half = _BAR_PLACES[name]
        place = nearest_place("sacrum", np.array(centre), 0.5)
        foci.append(focus_in_bone("sacrum", place, half, uptake_factor=level, blood_factor=blood, late_gain=gain))
    kind = LesionKind.SACRAL_INSUFFICIENCY
    label = f"insufficiency fracture of the sacrum, {_since(age_days)}"
    made = [
        Lesion(
            id=kind.value,
            kind=kind,
            bone="sacrum",
            foci=tuple(foci),
            label=label,
            age_days=age_days,
            contrast=level,
        )
    ]
    if pubic:
        letter, mirror = sided(str(rng.choice(["left", "right"])))
        bone = f"hip_bone_{letter}"
        place = nearest_place(bone, np.array([mirror * 32.0, -30.0, 872.0]))
        focus = focus_in_bone(bone, place, 13.0, uptake_factor=level, blood_factor=blood, late_gain=gain)
        label = f"insufficiency fracture of the pubis, {bone_named(bone).name}, {_since(age_days)}"
        made.append(
            Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, age_days=age_days, contrast=level)
        )
    return tuple(made)
