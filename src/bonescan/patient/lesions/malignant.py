"""Metastases: single ones, osteoblastic or lytic, their usual places, the superscan, and the flare under treatment.

Contrast is uptake over that of the same normal bone. Constants carry their source: [V] read in a source, [C] computed
from one, [D] our decision.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from bonescan.anatomy.bones import bone as bone_named
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import Lesion, LesionKind, focus_in_bone, focus_over_bone, in_own_bone, late_gain
from bonescan.patient.lesions.placement import bone_box, place_along, random_place

__all__ = [
    "CONTRAST_RANGE",
    "METASTASIS_SITES",
    "flare",
    "lytic_metastasis",
    "metastasis",
    "metastatic_superscan",
    "random_site_bone",
    "site_bones",
]

METASTASIS_SITES: dict[str, int] = {
    "pelvis": 68,
    "vertebra": 63,
    "rib": 55,
    "sternum": 42,
    "femur": 41,
    "scapula": 41,
    "skull": 32,
    "clavicle": 29,
    "humerus": 23,
    "tibia": 4,
    "forearm": 2,
    "maxilla": 1,
}
"""Patients of 150 (81 of them with metastases) in whose bone scan each site held metastases; 10 more had a
superscan. World J Radiol 2024;16(7):265, table 5 [V]."""

_BONES_OF_SITE = {
    "pelvis": ("hip_bone_l", "hip_bone_r", "sacrum"),
    "vertebra": ("vertebra_",),
    "rib": ("rib_",),
    "sternum": ("sternum_body", "sternum_manubrium"),
    "femur": ("femur_",),
    "scapula": ("scapula_",),
    "skull": ("skull_frontal", "skull_parietal_", "skull_occipital", "skull_temporal_", "skull_sphenoid"),
    "clavicle": ("clavicle_",),
    "humerus": ("humerus_",),
    "tibia": ("tibia_",),
    "forearm": ("radius_", "ulna_"),
    "maxilla": ("skull_maxilla_",),
}
# Within the limbs metastases follow red marrow: more than 90 % of all lie in the axial skeleton and the limbs' proximal
# ends [V]. How far down a long bone they are drawn is ours [D].
_PART = {"femur": (0.0, 0.45), "humerus": (0.0, 0.4), "tibia": (0.0, 0.5)}

# SUVmax 40.90 +/- 33.46 in metastases against 7.58 to 8.12 in normal vertebrae (Kuji 2017,
# doi:10.1186/s41824-017-0006-y [V]): five times, with a ratio of spread to mean of 0.82; as a lognormal, median 3.9
# and sigma 0.72 [C].
_CONTRAST_MEDIAN, _CONTRAST_SIGMA = 3.9, 0.72
CONTRAST_RANGE = (1.3, 20.0)
"""Least and greatest contrast of a metastasis, the published range [V, computed from SUVmax]."""

_DIAMETER_MEDIAN_MM, _DIAMETER_SIGMA, _DIAMETER_MM = 25.0, 0.4, (10.0, 70.0)  # [D]
_BLASTIC_MINERAL, _LYTIC_MINERAL = 1.5, 0.35  # [D]
_COLD_CORE = 0.15  # uptake in a lytic centre [D]; its rim takes up as a metastasis does
_HYPERAEMIA = 1.8  # tracer in a metastasis' blood and interstitium over that of normal tissue [D]
# In ribs metastases run along the bone, fractures do not: a rule of every textbook; the figure is [D].
_RIB_STRETCH = 2.2


def site_bones(site: str) -> tuple[str, ...]:
    """Bones of the skeleton that a site of metastases means.

    Parameters
    ----------
    site : str
        Key of `METASTASIS_SITES`.

    Returns
    -------
    tuple of str

    Raises
    ------
    InvalidValue
        For another site.

    Examples
    --------
    >>> site_bones("clavicle")
    ('clavicle_l', 'clavicle_r')
    """
    if site not in _BONES_OF_SITE:
        raise InvalidValue(f"A site of metastases is one of {', '.join(METASTASIS_SITES)}; got {site!r}.", got=site)
    found = []
    for prefix in _BONES_OF_SITE[site]:
        sides = ("l", "r") if prefix.endswith("_") and not prefix.startswith(("vertebra", "rib")) else ("",)
        if prefix == "vertebra_":
            found += [
                f"vertebra_{part}{k:02d}" for part, last in (("c", 7), ("t", 12), ("l", 5)) for k in range(1, last + 1)
            ]
        elif prefix == "rib_":
            found += [f"rib_{k:02d}_{side}" for k in range(1, 13) for side in "lr"]
        else:
            found += [prefix + side for side in sides]
    return tuple(found)


def random_site_bone(rng: np.random.Generator, site: str | None = None) -> str:
    """A bone for a metastasis: the site as often as published, within it by volume.

    Parameters
    ----------
    rng : numpy.random.Generator
    site : str, optional
        Key of `METASTASIS_SITES`; by default drawn.

    Returns
    -------
    str
        Bone id.
    """
    if site is None:
        weight = np.array(list(METASTASIS_SITES.values()), dtype=float)
        site = str(rng.choice(list(METASTASIS_SITES), p=weight / weight.sum()))
    bones = site_bones(site)
    volume = np.array([bone_named(name).volume_cm3 for name in bones])
    return str(rng.choice(bones, p=volume / volume.sum()))


def _part(bone: str) -> tuple[float, float]:
    return _PART.get(bone.rpartition("_")[0], (0.0, 1.0))


def _contrast(rng: np.random.Generator) -> float:
    return float(np.clip(_CONTRAST_MEDIAN * math.exp(_CONTRAST_SIGMA * rng.normal()), *CONTRAST_RANGE))


def _diameter(rng: np.random.Generator) -> float:
    return float(np.clip(_DIAMETER_MEDIAN_MM * math.exp(_DIAMETER_SIGMA * rng.normal()), *_DIAMETER_MM))


def _checked(what: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise InvalidValue(f"{what} lies between {low:g} and {high:g}, got {value!r}.", got=value, expected=(low, high))


def _ellipsoid(bone: str, place_mm: Any, diameter_mm: float, rng: np.random.Generator, **difference: Any) -> Focus:
    """A ball, uneven by up to a fifth; in a rib stretched along it and no wider than it needs."""
    if bone.startswith("rib_"):
        line = np.array([place_along(bone, f)[0] for f in np.linspace(0, 1, 21)])
        k = int(np.clip(np.argmin(np.linalg.norm(line - place_mm, axis=1)), 1, 19))
        half = (9.0, 9.0, _RIB_STRETCH * diameter_mm / 2)
        return focus_in_bone(bone, place_mm, half, along=line[k + 1] - line[k - 1], **difference)
    uneven = np.exp(rng.uniform(-0.2, 0.2, 3))
    first, second, third = diameter_mm / 2 * uneven / uneven.prod() ** (1 / 3)
    return focus_in_bone(bone, place_mm, (first, second, third), **difference)


def metastasis(
    rng: np.random.Generator,
    *,
    bone: str | None = None,
    place_mm: tuple[float, float, float] | None = None,
    diameter_mm: float | None = None,
    contrast: float | None = None,
    count: int = 1,
    kind: LesionKind = LesionKind.METASTASIS,
) -> tuple[Lesion, ...]:
    """Osteoblastic metastases.

    Parameters
    ----------
    rng : numpy.random.Generator
    bone : str, optional
        Bone id, or a site of `METASTASIS_SITES`; drawn as often as published by default.
    place_mm : (x, y, z), optional
        In the default skeleton's frame; drawn inside the bone by default.
    diameter_mm : float, optional
        3 to 150; lognormal about 25 mm by default.
    contrast : float, optional
        Against the same normal bone, 0 to 100. By default what the uptake of a lognormal about 3.9 (mean 5), 1.3 to 20
        times that of a normal spine is there.
    count : int
        How many are drawn, 1 to 200.
    kind : LesionKind
        Metastasis, or lytic metastasis.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a value outside its range, or a place outside the bone.
    """
    _checked("The number of metastases", count, 1, 200)
    _checked("A metastasis' diameter_mm", diameter_mm, 3, 150)
    _checked("A metastasis' contrast", contrast, 0, 100)
    made = []
    for _ in range(count):
        own = random_site_bone(rng, bone) if bone is None or bone in METASTASIS_SITES else bone
        drawn = random_place(own, rng, part=_part(own))
        place = drawn if place_mm is None else np.array(place_mm, dtype=float)
        size = _diameter(rng) if diameter_mm is None else diameter_mm
        level = in_own_bone(own, _contrast(rng)) if contrast is None else contrast
        lytic = kind is LesionKind.LYTIC_METASTASIS
        focus = _ellipsoid(
            own,
            place,
            size,
            rng,
            profile="rim" if lytic else "flat",
            uptake_factor=level,
            core_factor=_COLD_CORE if lytic else 1.0,
            mineral_factor=_LYTIC_MINERAL if lytic else _BLASTIC_MINERAL,
            blood_factor=_HYPERAEMIA,
            late_gain=late_gain(rng, malignant=True),
        )
        name = "lytic" if lytic else "osteoblastic"
        label = f"{name} metastasis, {bone_named(own).name}, {size:.0f} mm"
        made.append(Lesion(id=kind.value, kind=kind, bone=own, foci=(focus,), label=label, contrast=level))
    return tuple(made)


def lytic_metastasis(
    rng: np.random.Generator,
    *,
    bone: str | None = None,
    place_mm: tuple[float, float, float] | None = None,
    diameter_mm: float | None = None,
    contrast: float | None = None,
    count: int = 1,
) -> tuple[Lesion, ...]:
    """Lytic metastases: a cold centre, a rim that takes up; with a contrast of 1 purely cold.

    Parameters
    ----------
    rng, bone, place_mm, count
        As for `metastasis`.
    diameter_mm : float, optional
        Lognormal about 40 mm by default: below 20 mm a lytic lesion may not show (EANM 2016, table 5).
    contrast : float, optional
        Of the rim against the same normal bone; by default half of what a blastic one adds.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        As for `metastasis`.
    """
    _checked("The number of metastases", count, 1, 200)
    made: list[Lesion] = []
    for _ in range(count):
        size = 1.6 * _diameter(rng) if diameter_mm is None else diameter_mm
        own = random_site_bone(rng, bone) if bone is None or bone in METASTASIS_SITES else bone
        level = 1 + 0.5 * (in_own_bone(own, _contrast(rng)) - 1) if contrast is None else contrast
        made += metastasis(
            rng, bone=own, place_mm=place_mm, diameter_mm=size, contrast=level, kind=LesionKind.LYTIC_METASTASIS
        )
    return tuple(made)


# Bones of a metastatic superscan: how many foci each gets, and how far down it they lie. Axial and proximal, not the
# face, forearms, hands, shanks or feet: "headless" [V for the pattern, D for the figures].
_SUPERSCAN = (
    *((f"vertebra_{part}{k:02d}", 3, 1.0) for part, last in (("t", 12), ("l", 5)) for k in range(1, last + 1)),
    *((f"vertebra_c{k:02d}", 1, 1.0) for k in range(4, 8)),
    ("sacrum", 6, 1.0),
    *((f"hip_bone_{side}", 10, 1.0) for side in "lr"),
    *((f"rib_{k:02d}_{side}", 3, 1.0) for k in range(1, 12) for side in "lr"),
    ("sternum_body", 3, 1.0),
    ("sternum_manubrium", 2, 1.0),
    *((f"scapula_{side}", 4, 1.0) for side in "lr"),
    *((f"clavicle_{side}", 2, 1.0) for side in "lr"),
    *((f"humerus_{side}", 4, 0.4) for side in "lr"),
    *((f"femur_{side}", 5, 0.45) for side in "lr"),
)


def metastatic_superscan(
    rng: np.random.Generator, *, contrast: float = 4.0, patchiness: float = 0.5
) -> tuple[Lesion, ...]:
    """Metastases through the axial skeleton and the proximal limbs, one lesion for every bone.

    Parameters
    ----------
    rng : numpy.random.Generator
    contrast : float
        Median uptake of the foci over normal bone, 1.5 to 15. What lies between them takes up half of that.
    patchiness : float
        Spread (of the logarithm) of uptake from focus to focus, 0 to 1: 0 would be as even as metabolic disease.

    Returns
    -------
    tuple of Lesion

    Notes
    -----
    What makes it a superscan is that bone takes so much that little is left for kidneys and soft tissue. Its foci do
    that by themselves: a patient's clearance to bone rises with them (`bonescan.patient.sampling`).
    """
    _checked("A superscan's contrast", contrast, 1.5, 15)
    _checked("A superscan's patchiness", patchiness, 0, 1)
    made = []
    for bone, count, down in _SUPERSCAN:
        bone_level = contrast * math.exp(0.5 * patchiness * rng.normal())
        levels = bone_level * np.exp(patchiness * rng.normal(size=count))
        gain = late_gain(rng, malignant=True)
        low, high = bone_box(bone)
        size = 0.45 * float(np.sort(high - low)[1])
        foci = tuple(
            _ellipsoid(
                bone,
                random_place(bone, rng, part=(0.0, down)),
                float(np.clip(size * math.exp(0.3 * rng.normal()), 12, 45)),
                rng,
                uptake_factor=float(level),
                mineral_factor=_BLASTIC_MINERAL,
                blood_factor=_HYPERAEMIA,
                late_gain=gain,
            )
            for level in levels
        )
        veil = focus_over_bone(
            bone,
            part=(0.0, down),
            uptake_factor=max(1.0, bone_level / 2),
            mineral_factor=1.2,
            late_gain=gain,
        )
        made.append(
            Lesion(
                id="superscan",
                kind=LesionKind.METASTATIC_SUPERSCAN,
                bone=bone,
                foci=(*foci, veil),
                label=f"diffuse metastases, {bone_named(bone).name}",
                contrast=float(levels.max()),
            )
        )
    return tuple(made)


# A flare: as metastases heal under treatment osteoblasts work harder before they rest. Published: NaF uptake rises
# in 14 of 23 people at week 6 of a CYP17 inhibitor [V]; scans less than six months apart cannot tell it from
# progression (EANM 2016 [V]). Its course is ours [D]: up to 1.8 times at ten weeks, back after half a year, below
# the start after that; a third of the metastases too faint to show before appear with it.
_FLARE_WEEKS, _FLARE_GAIN, _HIDDEN_SHARE, _HIDDEN_EXCESS = 10.0, 0.8, 1 / 3, 0.12


def _flare_gain(weeks: float) -> float:
    bump = weeks / _FLARE_WEEKS * math.exp(1 - weeks / _FLARE_WEEKS)
    return (1 + _FLARE_GAIN * bump) * 2 ** (-max(0.0, weeks - 26) / 26)


def flare(rng: np.random.Generator, *, weeks_on_treatment: float = 10.0, count: int = 9) -> tuple[Lesion, ...]:
    """Metastases healing under treatment; the same generator gives the same places at every time.

    Parameters
    ----------
    rng : numpy.random.Generator
    weeks_on_treatment : float
        0 to 200: 0 is the scan before, 6 to 12 the flare, 40 the good answer.
    count : int
        How many metastases, 3 to 60; a third of them hidden before treatment.

    Returns
    -------
    tuple of Lesion
    """
    _checked("A flare's weeks_on_treatment", weeks_on_treatment, 0, 200)
    _checked("A flare's count", count, 3, 60)
    made = []
    gain = _flare_gain(weeks_on_treatment)
    shown = 1 - math.exp(-weeks_on_treatment / 4)  # how far hidden ones have come out
    for k, lesion in enumerate(metastasis(rng, count=count)):
        excess = lesion.foci[0].uptake_factor - 1
        if k >= count - round(count * _HIDDEN_SHARE):
            excess *= _HIDDEN_EXCESS + (1 - _HIDDEN_EXCESS) * shown
        level = 1 + excess * gain
        made.append(
            replace(
                lesion,
                id="flare",
                kind=LesionKind.FLARE,
                foci=tuple(replace(focus, uptake_factor=level) for focus in lesion.foci),
                label=f"{lesion.label}, {weeks_on_treatment:.0f} weeks on treatment",
                age_days=7 * weeks_on_treatment,
                contrast=level,
            )
        )
    return tuple(made)
