"""Benign disease: infection, worn and inflamed joints, Paget, fibrous dysplasia, regional pain, tram lines,
metabolic bone.

Contrast is uptake over that of the same normal bone. Constants carry their source: [V] read in a source, [V2] in a
secondary one, [C] computed from one, [M] recalled, [D] our decision.
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
from bonescan.patient.lesions import Lesion, LesionKind, focus_in_bone, focus_over_bone, late_gain, sided
from bonescan.patient.placement import (
    bone_box,
    contains,
    course,
    nearest_place,
    place_along,
    vertebral_body,
)

__all__ = [
    "JOINTS",
    "arthritis",
    "cellulitis",
    "degenerative_spine",
    "fibrous_dysplasia",
    "hypertrophic_osteoarthropathy",
    "metabolic_superscan",
    "osteomyelitis",
    "paget",
    "regional_pain",
]

# SUVmax 16.73 +/- 6.74 in degenerative spines against about 8 in normal ones (Kuji 2017, doi:10.1186/s41824-017-0006-y
# [V]): twice, ratio of spread to mean 0.40; as a lognormal, median 1.95 and sigma 0.39 [C].
_DEGENERATIVE = (1.95, 0.39, 1.2, 5.0)
# Activity in normal spongiosa at 3 h, share of the injection per ml: SUVmean 3 to 6 [V] in 73 kg is 4e-5 to 8e-5 [C].
# For osteophytes, which stand out beyond the bone that the skeleton knows.
_NORMAL_SHARE_PER_ML = 6e-5


def _level(rng: np.random.Generator, contrast: float | None, usual: tuple[float, float, float, float]) -> float:
    if contrast is not None:
        if not 0 <= contrast <= 100:
            raise InvalidValue(f"A contrast lies between 0 and 100, got {contrast!r}.", got=contrast)
        return contrast
    median, sigma, low, high = usual
    return float(np.clip(median * math.exp(sigma * rng.normal()), low, high))


def _soft(segment: str, centre_mm: Any, half_mm: tuple[float, float, float], blood_factor: float) -> Focus:
    return Focus(
        segment=segment,
        centre_mm=np.array(centre_mm, dtype=float),
        axes_mm=np.diag(half_mm),
        realm="soft",
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
    """
    letter, mirror = sided(side)
    if limb not in _CELLULITIS_AT or not 1 <= hyperaemia <= 20:
        raise InvalidValue(
            f"Cellulitis is of a {', '.join(_CELLULITIS_AT)} with a hyperaemia of 1 to 20, got {limb!r}, {hyperaemia!r}.",
            limb=limb,
        )
    centre = np.array(_CELLULITIS_AT[limb]) * [mirror, 1, 1]
    half = _CELLULITIS_HALF_MM[limb]
    bones = {"shank": ("tibia", "fibula"), "forearm": ("radius", "ulna"), "foot": ()}[limb]
    foci = [_soft(f"{limb}_{letter}", centre, half, hyperaemia)]
    # bone under inflamed skin gets more blood and so somewhat more tracer [V for the pattern, D for 1.25]
    for name in bones:
        foci.append(focus_in_bone(f"{name}_{letter}", centre, half, uptake_factor=1.25, blood_factor=hyperaemia))
    kind = LesionKind.CELLULITIS
    label = f"cellulitis, {side} {limb}"
    return (Lesion(id=kind.value, kind=kind, bone="", foci=tuple(foci), label=label, focal=False),)


# Joints: bones on either side, place (mm, left side), radius of the ball in which they are active (mm), usual share
# among people over 60 with a bone scan [D].
JOINTS: dict[str, tuple[tuple[str, ...], tuple[float, float, float], float, float]] = {
    "shoulder": (("scapula", "humerus"), (150.0, 14.0, 1390.0), 20.0, 0.25),
    "acromioclavicular": (("clavicle", "scapula"), (137.0, 18.0, 1420.0), 12.0, 0.25),
    "sternoclavicular": (("clavicle", "sternum_manubrium"), (19.0, -52.0, 1390.0), 13.0, 0.20),
    "elbow": (("humerus", "ulna", "radius"), (213.0, 19.0, 1105.0), 20.0, 0.05),
    "wrist": (("radius", "carpal_scaphoid", "carpal_lunate"), (255.0, -25.0, 877.0), 13.0, 0.10),
    "thumb": (("carpal_trapezium", "metacarpal_1"), (277.0, -40.0, 864.0), 12.0, 0.20),
    "hip": (("hip_bone", "femur"), (96.0, 12.0, 903.0), 18.0, 0.12),
    "sacroiliac": (("hip_bone", "sacrum"), (45.0, 60.0, 965.0), 18.0, 0.05),
    "knee_medial": (("femur", "tibia"), (56.0, 8.0, 443.0), 17.0, 0.30),
    "knee_lateral": (("femur", "tibia"), (96.0, 8.0, 443.0), 17.0, 0.15),
    "kneecap": (("patella",), (80.0, -22.0, 452.0), 24.0, 0.25),
    "ankle": (("tibia", "tarsal_talus"), (65.0, 10.0, 67.0), 17.0, 0.10),
    "midfoot": (("tarsal_navicular", "tarsal_medial_cuneiform"), (80.0, -28.0, 46.0), 15.0, 0.15),
    "big_toe": (("metatarsal_1", "phalanx_foot_proximal_1"), (95.0, -98.0, 10.0), 13.0, 0.20),
}
"""Joints that are worn or inflamed on many scans: bones, place of the left one, radius, and how often over 60 years."""


def arthritis(
    rng: np.random.Generator,
    *,
    joints: tuple[str, ...] = ("knee_medial", "big_toe"),
    side: str = "both",
    inflamed: bool = False,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Worn or inflamed joints: both sides of each joint active.

    Parameters
    ----------
    rng : numpy.random.Generator
    joints : tuple of str
        Keys of `JOINTS`, or ``"fingers"``: knuckles and middle joints of the hand, as in rheumatoid arthritis.
    side : str
        ``"left"``, ``"right"`` or ``"both"``.
    inflamed : bool
        With hyperaemia, as rheumatoid arthritis; otherwise worn.
    contrast : float, optional
        0 to 100; lognormal about 2 by default.

    Returns
    -------
    tuple of Lesion
        One for each joint and side.
    """
    made = []
    for joint in joints:
        if joint not in JOINTS and joint != "fingers":
            raise InvalidValue(f"A joint is one of {', '.join(JOINTS)}, fingers; got {joint!r}.", got=joint)
        for name in ("left", "right") if side == "both" else (side,):
            letter, mirror = sided(name)
            level = _level(rng, contrast, _DEGENERATIVE)
            difference = {
                "uptake_factor": level,
                "blood_factor": 3.0 if inflamed else 1.2,
                "late_gain": late_gain(rng, malignant=False),
            }
            if joint == "fingers":
                foci = [
                    focus_in_bone(bone, nearest_place(bone, place), 9.0, **difference)
                    for bone, place in _knuckles(letter)
                ]
            else:
                bones, at, radius, _ = JOINTS[joint]
                centre = np.array(at) * [mirror, 1, 1]
                foci = []
                for part in bones:
                    bone = part if part.startswith(("sacrum", "sternum")) else f"{part}_{letter}"
                    foci.append(focus_in_bone(bone, nearest_place(bone, centre), radius, **difference))
            kind = LesionKind.ARTHRITIS
            word = "inflamed" if inflamed else "worn"
            label = f"{word} joint, {name} {joint.replace('_', ' ')}"
            made.append(
                Lesion(id=kind.value, kind=kind, bone=foci[0].bones[0], foci=tuple(foci), label=label, contrast=level)
            )
    return tuple(made)


def _knuckles(letter: str) -> list[tuple[str, NDArray[np.float64]]]:
    """Far ends of metacarpals and near ends of first phalanges; far ends of these."""
    found = []
    for k in range(1, 6):
        metacarpal, phalanx = f"metacarpal_{k}_{letter}", f"phalanx_hand_proximal_{k}_{letter}"
        found += [
            (metacarpal, place_along(metacarpal, 1.0)[0]),
            (phalanx, place_along(phalanx, 0.0)[0]),
            (phalanx, place_along(phalanx, 1.0)[0]),
        ]
    return found


_SPINE = (
    *(f"vertebra_c{k:02d}" for k in range(1, 8)),
    *(f"vertebra_t{k:02d}" for k in range(1, 13)),
    *(f"vertebra_l{k:02d}" for k in range(1, 6)),
    "sacrum",
)
# Worn segments: lower lumbar first, then lower cervical and the middle of the thoracic spine [M].
_WORN = {"vertebra_l04": 5, "vertebra_l05": 5, "vertebra_l03": 4, "vertebra_l02": 3, "vertebra_l01": 2, "vertebra_c05": 2,
         "vertebra_c06": 2, "vertebra_t07": 1, "vertebra_t08": 1, "vertebra_t09": 1, "vertebra_t10": 1, "vertebra_t11": 1}  # fmt: skip


def degenerative_spine(
    rng: np.random.Generator,
    *,
    levels: tuple[str, ...] | None = None,
    side: str | None = None,
    facets: bool = False,
    contrast: float | None = None,
) -> tuple[Lesion, ...]:
    """Worn discs: one side of an end plate and its neighbour's, with an osteophyte beyond the outline of the spine.

    Parameters
    ----------
    rng : numpy.random.Generator
    levels : tuple of str, optional
        The upper vertebra of each worn segment; one or two, mostly lumbar, by default.
    side : str, optional
        ``"left"`` or ``"right"``, the concave side of a scoliosis; drawn by default.
    facets : bool
        The small joints at the back instead of the end plates: a spot beside the midline.
    contrast : float, optional
        0 to 100; lognormal about 2 (published ratio 2.1) by default.

    Returns
    -------
    tuple of Lesion
        One for each segment.
    """
    if levels is None:
        weight = np.array(list(_WORN.values()), dtype=float)
        levels = tuple(
            str(name)
            for name in rng.choice(list(_WORN), int(rng.integers(1, 3)), replace=False, p=weight / weight.sum())
        )
    made = []
    for bone in levels:
        if bone not in _SPINE[2:-1]:
            raise InvalidValue(f"A worn segment is named by a vertebra of C3 to L5, got {bone!r}.", got=bone)
        name = str(rng.choice(["left", "right"])) if side is None else side
        _, mirror = sided(name)
        below = _SPINE[_SPINE.index(bone) + 1]
        level = _level(rng, contrast, _DEGENERATIVE)
        difference = {
            "uptake_factor": level,
            "blood_factor": 1.1,
            "late_gain": late_gain(rng, malignant=False),
        }
        centre, half = vertebral_body(bone)
        size = float(np.clip(0.5 * half[0], 7, 12))
        if facets:
            low, high = bone_box(bone)
            at = np.array([mirror * 0.75 * half[0], low[1] + 0.62 * (high[1] - low[1]), low[2] + 4])
            foci = [focus_in_bone(part, nearest_place(part, at), size, **difference) for part in (bone, below)]
        else:
            edge = centre + [mirror * half[0], 0.0, -half[2]]
            plate = edge - [mirror * 0.55 * half[0], 0.0, 0.0]
            flat = (1.1 * size, 1.2 * half[1], 0.8 * size)
            foci = [
                focus_in_bone(bone, nearest_place(bone, plate + [0, 0, 3.0]), flat, **difference),
                focus_in_bone(below, nearest_place(below, plate - [0, 0, 4.0]), flat, **difference),
                _osteophyte(
                    foci_segment=focus_in_bone(bone, edge, 1.0).segment, at=edge, mirror=mirror, size=size, level=level
                ),
            ]
        kind = LesionKind.DEGENERATIVE_SPINE
        what = "facet joint" if facets else "end plates"
        label = f"worn {what}, {bone_named(bone).name} and below, {name}"
        made.append(Lesion(id=kind.value, kind=kind, bone=bone, foci=tuple(foci), label=label, contrast=level))
    return tuple(made)


def _osteophyte(*, foci_segment: str, at: NDArray[np.float64], mirror: float, size: float, level: float) -> Focus:
    half = np.array([0.6 * size, 0.6 * size, 0.5 * size])
    volume_ml = 4 / 3 * math.pi * half.prod() / 1000
    return Focus(
        segment=foci_segment,
        centre_mm=at + [mirror * 3.0, 0.0, 0.0],
        axes_mm=np.diag(half),
        realm="soft",
        added_fraction=min(1.0, _NORMAL_SHARE_PER_ML * volume_ml * level),
        tissue="spongiosa",
    )


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
    """
    if len(part) != 2 or not 0 <= part[0] < part[1] <= 1:
        raise InvalidValue(
            f"A part of a bone is two fractions, the first less than the second; got {part!r}.", got=part
        )
    made = []
    for bone in bones:
        level = _level(rng, contrast, _PAGET)
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
        level = _level(rng, contrast, _PAGET)
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
    """Metabolic bone disease: calvarium, jaw, costochondral beads, the tie of the sternum, ends of long bones;
    symmetric.

    Parameters
    ----------
    rng : numpy.random.Generator
    contrast : float
        Of these over their normal share, 1 to 6.

    Returns
    -------
    tuple of Lesion

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
