"""Benign disease of bone: infection, Paget, fibrous dysplasia, dead bone, regional pain, tram lines, metabolic disease.

Contrast is uptake over that of the same normal bone. Constants carry their source: [V] read in a source,
[V2] in a secondary one, [C]
computed from one, [M] recalled, [D] our decision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import (
    Lesion,
    LesionKind,
    drawn_contrast,
    focus_in_bone,
    focus_over_bone,
    late_gain,
    sided,
)
from bonescan.patient.lesions.placement import bone_box, contains, course, joint_centre, nearest_place, place_along

__all__ = [
    "avascular_necrosis",
    "cellulitis",
    "fibrous_dysplasia",
    "hypertrophic_osteoarthropathy",
    "metabolic_superscan",
    "osteomyelitis",
    "paget",
    "regional_pain",
]


def _soft(
    segment: str, centre_mm: Any, half_mm: tuple[float, ...], blood_factor: float, profile: str = "flat"
) -> Focus:
    return Focus(
        segment=segment,
        centre_mm=np.array(centre_mm, dtype=float),
        axes_mm=np.diag(half_mm),
        realm="soft",
        profile=profile,
        blood_factor=blood_factor,
    )


def osteomyelitis(
    rng: np.random.Generator,
    *,
    bone: str = "tibia_l",
    fraction: float = 0.85,
    diameter_mm: float = 45.0,
    contrast: float = 4.5,
) -> tuple[Lesion, ...]:
    """Infected bone: up in flow, pool and late picture, at one place.

    Parameters
    ----------
    rng : numpy.random.Generator
    bone : str
        Bone id.
    fraction : float
        Where along the bone, 0 to 1.
    diameter_mm : float
        Along the bone, 5 to 200.
    contrast : float
        1 to 20.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if not 5 <= diameter_mm <= 200 or not 1 <= contrast <= 20:
        raise InvalidValue(
            f"Osteomyelitis measures 5 to 200 mm with a contrast of 1 to 20, got {diameter_mm!r}, {contrast!r}.",
            diameter_mm=diameter_mm,
            contrast=contrast,
        )
    place, direction = place_along(bone, fraction)
    half = diameter_mm / 2
    core = focus_in_bone(
        bone,
        place,
        (min(half, 30.0), min(half, 30.0), half),
        along=direction,
        uptake_factor=contrast,
        blood_factor=5.0,
        mineral_factor=0.8,
        late_gain=late_gain(rng, malignant=False),
    )
    around = _soft(core.segment, place, (half + 15, half + 15, half + 20), 2.5)
    kind = LesionKind.OSTEOMYELITIS
    label = f"osteomyelitis, {bone_named(bone).name}"
    return (Lesion(id=kind.value, kind=kind, bone=bone, foci=(core, around), label=label, contrast=contrast),)


_CELLULITIS_AT = {"shank": (72.0, 10.0, 230.0), "foot": (95.0, -20.0, 35.0), "forearm": (232.0, 0.0, 980.0)}


_CELLULITIS_HALF_MM = {"shank": (65.0, 70.0, 130.0), "foot": (55.0, 95.0, 45.0), "forearm": (50.0, 55.0, 110.0)}


def cellulitis(
    rng: np.random.Generator, *, limb: str = "shank", side: str = "left", hyperaemia: float = 3.5
) -> tuple[Lesion, ...]:
    """Infected soft tissue: diffusely up in flow and pool; in the late picture normal or diffusely up, bone least.

    Parameters
    ----------
    rng : numpy.random.Generator
    limb : str
        ``"shank"``, ``"foot"`` or ``"forearm"``.
    side : str
        ``"left"`` or ``"right"``.
    hyperaemia : float
        Tracer in blood and interstitium over normal, 1 to 20.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    letter, mirror = sided(side)
    if limb not in _CELLULITIS_AT or not 1 <= hyperaemia <= 20:
        raise InvalidValue(
            f"Cellulitis is of a {', '.join(_CELLULITIS_AT)} with a hyperaemia of 1 to 20, "
            f"got {limb!r}, {hyperaemia!r}.",
            limb=limb,
        )
    centre = np.array(_CELLULITIS_AT[limb]) * [mirror, 1, 1]
    half = _CELLULITIS_HALF_MM[limb]
    bones = {"shank": ("tibia", "fibula"), "forearm": ("radius", "ulna"), "foot": ()}[limb]
    # it has no border: most in the middle, nothing at a third beyond
    foci = [_soft(f"{limb}_{letter}", centre, tuple(1.3 * own for own in half), hyperaemia, profile="peak")]
    # bone under inflamed skin gets more blood and so somewhat more tracer [V for the pattern, D for 1.25]
    for name in bones:
        foci.append(focus_in_bone(f"{name}_{letter}", centre, half, uptake_factor=1.25, blood_factor=hyperaemia))
    kind = LesionKind.CELLULITIS
    label = f"cellulitis, {side} {limb}"
    return (Lesion(id=kind.value, kind=kind, bone="", foci=tuple(foci), label=label, focal=False),)


_PAGET = (5.0, 0.35, 2.0, 12.0)  # [D]; Coutris' and others' uptake ratios are as large [M]


def paget(
    rng: np.random.Generator,
    *,
    bones: tuple[str, ...] = ("hip_bone_r", "vertebra_l02"),
    part: tuple[float, float] = (0.0, 1.0),
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Paget's disease: whole bones, arch and body of a vertebra alike, up to a sharp edge in a long bone.

    Parameters
    ----------
    rng : numpy.random.Generator
    bones : tuple of str
        Bone ids.
    part : (from, to)
        Share of each bone's height, 0 at its upper end; for the advancing edge in a long bone.
    contrast : float, optional
        0 to 100; lognormal about 5 by default.

    Returns
    -------
    tuple of Lesion
        One for each bone.

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if len(part) != 2 or not 0 <= part[0] < part[1] <= 1:
        raise InvalidValue(
            f"A part of a bone is two fractions, the first less than the second; got {part!r}.", got=part
        )
    made = []
    for bone in bones:
        level = drawn_contrast(rng, contrast, _PAGET)
        focus = focus_over_bone(
            bone,
            part=(part[0], part[1]),
            uptake_factor=level,
            blood_factor=2.5,
            mineral_factor=1.3,
            late_gain=late_gain(rng, malignant=False),
        )
        kind = LesionKind.PAGET
        label = f"Paget's disease, {bone_named(bone).name}"
        made.append(
            Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, contrast=level, focal=False)
        )
    return tuple(made)


def fibrous_dysplasia(
    rng: np.random.Generator,
    *,
    bones: tuple[str, ...] = ("femur_l", "tibia_l", "rib_06_l", "skull_maxilla_l"),
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Fibrous dysplasia: long, intense stretches of bones, mostly of one side of the body.

    Parameters
    ----------
    rng : numpy.random.Generator
    bones : tuple of str
        Bone ids.
    contrast : float, optional
        0 to 100; lognormal about 5 by default.

    Returns
    -------
    tuple of Lesion
        One for each bone.
    """
    made = []
    for bone in bones:
        level = drawn_contrast(rng, contrast, _PAGET)
        place, direction = place_along(bone, float(rng.uniform(0.15, 0.45)))
        low, high = bone_box(bone)
        length = float(np.linalg.norm(high - low))
        half = (40.0, 40.0, max(10.0, length * rng.uniform(0.14, 0.22)))
        focus = focus_in_bone(
            bone,
            place,
            half,
            along=direction,
            uptake_factor=level,
            blood_factor=2.0,
            mineral_factor=0.8,
            late_gain=late_gain(rng, malignant=False),
        )
        kind = LesionKind.FIBROUS_DYSPLASIA
        label = f"fibrous dysplasia, {bone_named(bone).name}"
        made.append(Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, contrast=level))
    return tuple(made)


# Complex regional pain syndrome by stage: late uptake about joints and in the rest of the limb's bones, and tracer
# in blood.
# Early: all three phases up; later only the late one; at last down in flow and pool and near normal late [V2, BJA
# 2012].
# Ratios of the regions at the joints that best told patients apart were 1.32 and 1.43 [V]; clear cases have more [D].
_PAIN_STAGES = {"early": (2.6, 1.5, 3.0), "middle": (2.2, 1.4, 1.0), "late": (1.0, 0.8, 0.5)}


def regional_pain(
    rng: np.random.Generator, *, limb: str = "hand", side: str = "right", stage: str = "early"
) -> tuple[Lesion, ...]:
    """Complex regional pain syndrome: every joint of a hand or foot, wrist or ankle included, and what lies between.

    Parameters
    ----------
    rng : numpy.random.Generator
    limb : str
        ``"hand"`` or ``"foot"``.
    side : str
        ``"left"`` or ``"right"``.
    stage : str
        ``"early"`` (to about 5 months), ``"middle"`` or ``"late"``.

    Returns
    -------
    tuple of Lesion
        One, with a focus at every joint.

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    letter, _ = sided(side)
    if limb not in ("hand", "foot") or stage not in _PAIN_STAGES:
        raise InvalidValue(
            f"Regional pain is of a 'hand' or 'foot' and {', '.join(_PAIN_STAGES)}, got {limb!r}, {stage!r}.",
            limb=limb,
            stage=stage,
        )
    joints, between, blood = _PAIN_STAGES[stage]
    own = ("carpal", "metacarpal", "phalanx_hand") if limb == "hand" else ("tarsal", "metatarsal", "phalanx_foot")
    bones = [bone for bone in default_skeleton().bones if bone.startswith(own) and bone.endswith("_" + letter)]
    gain = late_gain(rng, malignant=False)
    foci = []
    for bone in bones:
        if bone.startswith(own[0]):
            foci.append(focus_over_bone(bone, uptake_factor=joints, blood_factor=blood, late_gain=gain))
            continue
        foci.append(focus_over_bone(bone, uptake_factor=between, blood_factor=blood, late_gain=gain))
        for end in (0.0, 1.0):
            place = place_along(bone, end)[0]
            foci.append(focus_in_bone(bone, place, 9.0, uptake_factor=1 + max(0.0, joints - between), late_gain=gain))
    near = ("radius", "ulna") if limb == "hand" else ("tibia", "fibula")
    for name in near:
        bone = f"{name}_{letter}"
        foci.append(
            focus_in_bone(
                bone, place_along(bone, 1.0)[0], 22.0, uptake_factor=joints, blood_factor=blood, late_gain=gain
            )
        )
    boxes = np.array([bone_box(bone) for bone in bones])
    low, high = boxes[:, 0].min(axis=0) - 20, boxes[:, 1].max(axis=0) + 20
    half = (high - low) / 2 * 1.3
    foci.append(_soft(f"{limb}_{letter}", (low + high) / 2, (half[0], half[1], half[2]), blood))
    kind = LesionKind.REGIONAL_PAIN
    label = f"complex regional pain syndrome, {side} {limb}, {stage} stage"
    return (
        Lesion(id=kind.value, kind=kind, bone=bones[0], foci=tuple(foci), label=label, contrast=joints, focal=False),
    )


_TRAM = ("femur", "tibia", "fibula", "radius", "ulna", "humerus")


def hypertrophic_osteoarthropathy(
    rng: np.random.Generator, *, bones: tuple[str, ...] = ("femur", "tibia", "radius", "ulna"), contrast: float = 12.0
) -> tuple[Lesion, ...]:
    """Hypertrophic osteoarthropathy: both edges of the shafts active on both sides, the tram lines.

    Parameters
    ----------
    rng : numpy.random.Generator
    bones : tuple of str
        Long bones without their side: femur, tibia, fibula, radius, ulna, humerus.
    contrast : float
        Of the periosteum, 1 to 40.

    Returns
    -------
    tuple of Lesion
        One for each bone and side.

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if not 1 <= contrast <= 40 or not set(bones) <= set(_TRAM):
        raise InvalidValue(
            f"Tram lines run along {', '.join(_TRAM)} with a contrast of 1 to 40, got {bones!r}, {contrast!r}.",
            bones=bones,
            contrast=contrast,
        )
    made = []
    gain = late_gain(rng, malignant=False)
    for name in bones:
        for letter in "lr":
            bone = f"{name}_{letter}"
            foci = []
            # a chain of short tubes follows the bend of the shaft: rim from 0.87 of its half-width outwards
            line = [place_along(bone, f) for f in np.linspace(0.2, 0.8, 7)]
            step = float(np.linalg.norm(line[1][0] - line[0][0]))
            for place, direction in line:
                width = 1.3 * _half_width(bone, place, direction)
                foci.append(
                    focus_in_bone(
                        bone,
                        place,
                        (width, width, 2.2 * step),
                        along=direction,
                        profile="rim",
                        uptake_factor=1 + (contrast - 1) / 4,  # four of them overlap
                        core_factor=1.0,
                        blood_factor=1.3,
                        late_gain=gain,
                    )
                )
            kind = LesionKind.HYPERTROPHIC_OSTEOARTHROPATHY
            label = f"hypertrophic osteoarthropathy, {bone_named(bone).name}"
            made.append(Lesion(id=kind.value, kind=kind, bone=bone, foci=tuple(foci), label=label, contrast=contrast))
    return tuple(made)


def _half_width(bone: str, place: NDArray[np.float64], direction: NDArray[np.float64]) -> float:
    """Mean distance from a place to the bone's surface, across its course."""
    aside = np.cross(direction, [0.0, 1.0, 0.0])
    aside /= np.linalg.norm(aside)
    forward = np.cross(aside, direction)
    steps = np.arange(0.0, 30.0, 0.5)
    reach = []
    for angle in np.linspace(0, 2 * math.pi, 12, endpoint=False):
        ray = math.cos(angle) * aside + math.sin(angle) * forward
        inside = contains(bone, place + steps[:, None] * ray)
        reach.append(steps[int(np.argmin(inside))] if not inside.all() else steps[-1])
    return float(np.clip(np.mean(reach), 4.0, 25.0))


_CALVARIUM = (
    "skull_frontal",
    "skull_parietal_l",
    "skull_parietal_r",
    "skull_occipital",
    "skull_temporal_l",
    "skull_temporal_r",
)


def metabolic_superscan(rng: np.random.Generator, *, contrast: float = 2.2) -> tuple[Lesion, ...]:
    """Metabolic bone disease: calvarium, jaw, costochondral beads, the tie of the sternum, ends of long bones.

    Parameters
    ----------
    rng : numpy.random.Generator
    contrast : float
        Of these over their normal share, 1 to 6.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.

    Notes
    -----
    It comes with a raised ``bone_turnover`` of the physiology, which the scenario must set: bone keeps 48 % instead
    of 25 % (Brenner, PubMed 9323270 [V]). What is more active than the rest is as the textbooks say [V]; how much is
    ours [D].
    """
    if not 1 <= contrast <= 6:
        raise InvalidValue(f"The contrast of metabolic disease lies between 1 and 6, got {contrast!r}.", got=contrast)
    gain = late_gain(rng, malignant=False)

    def over(bones: tuple[str, ...], factor: float, what: str) -> Lesion:
        return Lesion(
            id="metabolic",
            kind=LesionKind.METABOLIC_SUPERSCAN,
            bone=bones[0],
            foci=tuple(focus_over_bone(bone, uptake_factor=factor, late_gain=gain) for bone in bones),
            label=f"metabolic bone disease, {what}",
            contrast=factor,
            focal=False,
        )

    beads = []
    for k in range(2, 10):
        for letter in "lr":
            bone = f"rib_{k:02d}_{letter}"
            beads.append(
                focus_in_bone(
                    bone, nearest_place(bone, course(bone)[-1]), 9.0, uptake_factor=1.6 * contrast, late_gain=gain
                )
            )
    ends = []
    for name, fraction, half in (
        ("femur", 0.97, 34.0),
        ("tibia", 0.04, 34.0),
        ("tibia", 0.97, 22.0),
        ("humerus", 0.05, 26.0),
        ("radius", 0.97, 17.0),
    ):
        for letter in "lr":
            bone = f"{name}_{letter}"
            ends.append(
                focus_in_bone(bone, place_along(bone, fraction)[0], half, uptake_factor=0.8 * contrast, late_gain=gain)
            )
    return (
        over(_CALVARIUM, contrast, "calvarium"),
        over(("mandible", "skull_maxilla_l", "skull_maxilla_r"), 1.2 * contrast, "jaws"),
        over(("sternum_manubrium", "sternum_body"), contrast, "tie sternum"),
        Lesion(
            id="metabolic",
            kind=LesionKind.METABOLIC_SUPERSCAN,
            bone=beads[0].bones[0],
            foci=tuple(beads),
            label="metabolic bone disease, costochondral beads",
            contrast=1.6 * contrast,
        ),
        Lesion(
            id="metabolic",
            kind=LesionKind.METABOLIC_SUPERSCAN,
            bone=ends[0].bones[0],
            foci=tuple(ends),
            label="metabolic bone disease, ends of the long bones",
            contrast=0.8 * contrast,
        ),
    )


def avascular_necrosis(
    rng: np.random.Generator, *, side: str = "left", stage: str = "cold", contrast: float = 6.0
) -> tuple[Lesion, ...]:
    """Death of a femoral head: cold at first, then with a hot rim about the cold centre, at last hot.

    Parameters
    ----------
    rng : numpy.random.Generator
    side : str
        ``"left"`` or ``"right"``.
    stage : str
        ``"cold"`` (first weeks), ``"rim"`` (months), ``"hot"`` (repair or collapse).
    contrast : float
        Of rim or repair, 1 to 20.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    letter, _ = sided(side)
    if stage not in ("cold", "rim", "hot") or not 1 <= contrast <= 20:
        raise InvalidValue(
            f"Avascular necrosis is 'cold', 'rim' or 'hot' with a contrast of 1 to 20, got {stage!r}, {contrast!r}.",
            stage=stage,
            contrast=contrast,
        )
    bone = f"femur_{letter}"
    place = nearest_place(bone, joint_centre(f"thigh_{letter}"))
    gain = late_gain(rng, malignant=False)
    if stage == "cold":
        focus = focus_in_bone(bone, place, 23.0, uptake_factor=0.1, blood_factor=0.2, late_gain=gain)
    elif stage == "rim":
        focus = focus_in_bone(
            bone, place, 26.0, profile="rim", uptake_factor=contrast, core_factor=0.2, blood_factor=1.5, late_gain=gain
        )
    else:
        focus = focus_in_bone(
            bone, place, 26.0, uptake_factor=contrast, blood_factor=1.5, mineral_factor=1.2, late_gain=gain
        )
    kind = LesionKind.AVASCULAR_NECROSIS
    level = 0.1 if stage == "cold" else contrast
    label = f"avascular necrosis of the {side} femoral head, {stage}"
    return (Lesion(id=kind.value, kind=kind, bone=bone, foci=(focus,), label=label, contrast=level),)
