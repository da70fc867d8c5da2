"""Worn and inflamed joints, of the limbs and of the spine.

Constants carry their source: [V] read in a source, [V2] in a secondary one, [C]
computed from one, [M] recalled, [D] our decision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import (
    Lesion,
    LesionKind,
    drawn_contrast,
    focus_in_bone,
    in_own_bone,
    late_gain,
    sided,
)
from bonescan.patient.lesions.placement import bone_box, nearest_place, place_along, vertebral_body

__all__ = [
    "JOINTS",
    "arthritis",
    "degenerative_spine",
]

# SUVmax 16.73 +/- 6.74 in degenerative spines against about 8 in normal ones (Kuji 2017, doi:10.1186/s41824-017-0006-y
# [V]): twice, ratio of spread to mean 0.40; as a lognormal, median 1.95 and sigma 0.39 [C].
_DEGENERATIVE = (1.95, 0.39, 1.2, 5.0)
# Such maxima were measured through some 12 mm of blur, which takes almost half of what a plate 10 to 15 mm thick
# adds [C].
_BLURRED = 1.8


# Activity in normal spongiosa at 3 h, share of the injection per ml: SUVmean 3 to 6 [V] in 73 kg is 4e-5 to 8e-5 [C].
# For osteophytes, which stand out beyond the bone that the skeleton knows.
_NORMAL_SHARE_PER_ML = 6e-5


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
        Against the same normal bone, 0 to 100; by default what a lognormal about 2 in a spine is there.

    Returns
    -------
    tuple of Lesion
        One for each joint and side.

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    made = []
    for joint in joints:
        if joint not in JOINTS and joint != "fingers":
            raise InvalidValue(f"A joint is one of {', '.join(JOINTS)}, fingers; got {joint!r}.", got=joint)
        for name in ("left", "right") if side == "both" else (side,):
            letter, mirror = sided(name)
            level = drawn_contrast(rng, contrast, _DEGENERATIVE)
            if contrast is None:
                bone = JOINTS[joint][0][0] if joint in JOINTS else "phalanx"
                level = in_own_bone(bone, level)
            difference: dict[str, Any] = {
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
_WORN = {
    "vertebra_l04": 5, "vertebra_l05": 5, "vertebra_l03": 4, "vertebra_l02": 3, "vertebra_l01": 2, "vertebra_c05": 2,
    "vertebra_c06": 2, "vertebra_t07": 1, "vertebra_t08": 1, "vertebra_t09": 1, "vertebra_t10": 1, "vertebra_t11": 1,
}  # fmt: skip


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

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
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
        level = drawn_contrast(rng, contrast, _DEGENERATIVE)
        if contrast is None:
            level = 1 + _BLURRED * (level - 1)
        difference: dict[str, Any] = {
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
            edge = centre + np.array([mirror * half[0], 0.0, -half[2]])
            plate = edge - np.array([mirror * 0.55 * half[0], 0.0, 0.0])
            flat = (1.1 * size, 1.2 * half[1], 0.8 * size)
            foci = [
                focus_in_bone(bone, nearest_place(bone, plate + np.array([0, 0, 3.0])), flat, **difference),
                focus_in_bone(below, nearest_place(below, plate - np.array([0, 0, 4.0])), flat, **difference),
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
        centre_mm=at + np.array([mirror * 3.0, 0.0, 0.0]),
        axes_mm=np.diag(half),
        realm="soft",
        added_fraction=min(1.0, _NORMAL_SHARE_PER_ML * volume_ml * level),
        tissue="spongiosa",
    )
