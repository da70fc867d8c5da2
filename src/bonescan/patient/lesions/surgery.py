"""What surgeons leave: hip and knee prostheses, firm, loose or infected, and limbs that end early.

Constants carry their source: [V] read in a source, [V2] in a secondary one, [C]
computed from one, [M] recalled, [D] our decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import Lesion, LesionKind, focus_in_bone, focus_over_bone, late_gain, sided
from bonescan.patient.lesions.placement import bone_box, joint_centre, nearest_place, place_along

__all__ = [
    "amputation",
    "prosthesis",
]


def prosthesis(
    rng: np.random.Generator,
    *,
    joint: str = "hip",
    side: str = "left",
    loosening: str = "none",
    contrast: float = 3.0,
) -> tuple[Lesion, ...]:
    """Metal in a hip or knee, and what bone around it shows when it is loose or infected.

    Parameters
    ----------
    rng : numpy.random.Generator
    joint : str
        ``"hip"`` or ``"knee"``.
    side : str
        ``"left"`` or ``"right"``.
    loosening : str
        ``"none"``, ``"aseptic"`` (spots at the stem's tip and at the trochanters, or under the tray) or ``"infected"``
        (all around, with hyperaemia).
    contrast : float
        Of the bone around it when loose, 1 to 20.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    letter, mirror = sided(side)
    if joint not in ("hip", "knee") or loosening not in ("none", "aseptic", "infected") or not 1 <= contrast <= 20:
        raise InvalidValue(
            "A prosthesis is of a 'hip' or 'knee', its loosening 'none', 'aseptic' or 'infected', its contrast "
            f"1 to 20; got {joint!r}, {loosening!r}, {contrast!r}.",
            joint=joint,
            loosening=loosening,
            contrast=contrast,
        )
    metal = _hip(letter, mirror) if joint == "hip" else _knee(letter, mirror)
    around = _loose(joint, letter, mirror, loosening, contrast)
    kind = LesionKind.PROSTHESIS
    words = {"none": "firm", "aseptic": "loose", "infected": "infected"}
    return (
        Lesion(
            id=kind.value,
            kind=kind,
            bone=around[0].bones[0] if around else f"femur_{letter}",
            foci=(*around, *metal),
            label=f"{words[loosening]} {side} {joint} prosthesis",
            contrast=None if loosening == "none" else contrast,
            focal=False,
        ),
    )


def _metal(
    segment: str,
    centre: NDArray[np.float64],
    half: tuple[float, float, float],
    tissue: str,
    along: NDArray[np.float64] | None = None,
) -> Focus:
    shape = focus_in_bone("femur_l", centre, half, along=along)
    return Focus(
        segment=segment,
        centre_mm=shape.centre_mm,
        axes_mm=shape.axes_mm,
        realm="anywhere",
        uptake_factor=0.0,
        blood_factor=0.0,
        tissue=tissue,
    )


def _hip(letter: str, mirror: float) -> tuple[Focus, ...]:
    """Cup, liner, head, neck and stem of a total hip; usual sizes [M]: cup 54 mm, head 32 mm, stem 150 mm."""
    thigh = f"thigh_{letter}"
    head = joint_centre(thigh)
    top = np.array([mirror * 112.0, 8.0, 852.0])
    tip = place_along(f"femur_{letter}", 0.36)[0]
    stem = tip - top
    return (
        _metal("pelvis", head, (27.0, 27.0, 27.0), "titanium"),
        _metal("pelvis", head, (22.0, 22.0, 22.0), "polyethylene"),
        _metal(thigh, head, (16.0, 16.0, 16.0), "cobalt-chrome"),
        _metal(thigh, (head + top) / 2, (8.0, 8.0, float(np.linalg.norm(top - head)) / 2), "titanium", top - head),
        _metal(thigh, (top + tip) / 2, (8.0, 8.0, float(np.linalg.norm(stem)) / 2), "titanium", stem),
    )


def _knee(letter: str, mirror: float) -> tuple[Focus, ...]:
    """Femoral shield, liner, tray and keel of a total knee; usual sizes [M]."""
    knee = joint_centre(f"shank_{letter}")
    shank, thigh = f"shank_{letter}", f"thigh_{letter}"
    return (
        _metal(thigh, knee + np.array([0, 3.0, 16.0]), (36.0, 30.0, 12.0), "cobalt-chrome"),
        _metal(shank, knee + np.array([0, 6.0, 0.0]), (34.0, 24.0, 5.0), "polyethylene"),
        _metal(shank, knee + np.array([0, 6.0, -8.0]), (37.0, 25.0, 4.0), "titanium"),
        _metal(shank, knee + np.array([0, 6.0, -30.0]), (7.0, 7.0, 24.0), "titanium"),
    )


def _loose(joint: str, letter: str, mirror: float, loosening: str, contrast: float) -> tuple[Focus, ...]:
    femur, tibia = f"femur_{letter}", f"tibia_{letter}"
    if loosening == "none":
        return ()
    if loosening == "infected":
        difference: dict[str, Any] = {"uptake_factor": contrast, "blood_factor": 4.0}
        if joint == "hip":
            cup = focus_in_bone(f"hip_bone_{letter}", joint_centre(f"thigh_{letter}"), 42.0, **difference)
            return (focus_over_bone(femur, part=(0.0, 0.4), **difference), cup)
        return (
            focus_over_bone(femur, part=(0.88, 1.0), **difference),
            focus_over_bone(tibia, part=(0.0, 0.18), **difference),
        )
    if joint == "knee":
        centre = joint_centre(f"shank_{letter}")
        return (focus_in_bone(tibia, centre + np.array([0, 6.0, -24.0]), (40.0, 30.0, 10.0), uptake_factor=contrast),)
    spots = [
        place_along(femur, 0.37)[0],
        nearest_place(femur, np.array([mirror * 135.0, 15.0, 880.0])),
        nearest_place(femur, np.array([mirror * 98.0, 22.0, 830.0])),
    ]
    return tuple(focus_in_bone(femur, spot, 17.0, uptake_factor=contrast) for spot in spots)


# Level of amputation: the bone with the stump's end and how far down it is cut, the segment cut, segments lost whole.
_LEVELS = {
    "below_knee": ("tibia", 0.4, "shank", ("foot",)),
    "above_knee": ("femur", 0.55, "thigh", ("shank", "foot")),
    "below_elbow": ("radius", 0.5, "forearm", ("hand",)),
    "above_elbow": ("humerus", 0.6, "arm", ("forearm", "hand")),
}


_LOST_BONES = {  # the outermost bones of a segment: their box is what is lost
    "thigh": ("femur",),
    "shank": ("tibia", "fibula"),
    "foot": ("tarsal_calcaneus", "metatarsal_1", "metatarsal_5", "phalanx_foot_distal_2"),
    "arm": ("humerus",),
    "forearm": ("radius", "ulna"),
    "hand": ("metacarpal_1", "metacarpal_5", "phalanx_hand_distal_1", "phalanx_hand_distal_3"),
}


_REACH_MM = {
    "thigh": 105.0,
    "shank": 85.0,
    "foot": 100.0,
    "arm": 80.0,
    "forearm": 70.0,
    "hand": 50.0,
}  # [D]: skin of big limbs


_STEP_MM = 22.0


def amputation(
    rng: np.random.Generator, *, level: str = "below_knee", side: str = "left", contrast: float = 1.8
) -> tuple[Lesion, ...]:
    """A limb that ends early: everything below the level is air.

    Parameters
    ----------
    rng : numpy.random.Generator
    level : str
        ``"below_knee"``, ``"above_knee"``, ``"below_elbow"`` or ``"above_elbow"``.
    side : str
        ``"left"`` or ``"right"``.
    contrast : float
        Of the last 2 cm of bone, 1 to 20: a stump's end is often a little hot.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.

    Notes
    -----
    The lost part is covered by discs of air that move with its segments. They keep to their side of the midline.
    """
    letter, _ = sided(side)
    if level not in _LEVELS or not 1 <= contrast <= 20:
        raise InvalidValue(
            f"An amputation is one of {', '.join(_LEVELS)} with a contrast of 1 to 20, got {level!r}, {contrast!r}.",
            level=level,
            contrast=contrast,
        )
    name, fraction, cut, lost = _LEVELS[level]
    bone = f"{name}_{letter}"
    end, direction = place_along(bone, fraction)
    foci = [
        focus_in_bone(
            bone,
            nearest_place(bone, end - 8 * direction),
            (30.0, 30.0, 14.0),
            along=direction,
            uptake_factor=contrast,
            late_gain=late_gain(rng, malignant=False),
        )
    ]
    half_step = 1.4 * _STEP_MM
    for segment in (cut, *lost):
        boxes = np.array([bone_box(f"{part}_{letter}") for part in _LOST_BONES[segment]])
        low, high = boxes[:, 0].min(axis=0) - 30, boxes[:, 1].max(axis=0) + 30
        top = end[2] if segment == cut else high[2]
        middle, reach = (low + high) / 2, _REACH_MM[segment]
        across = min(reach, abs(middle[0]) + 2) if segment in ("thigh", "shank", "foot") else reach
        for z in np.arange(top - half_step, low[2] - half_step, -_STEP_MM):
            foci.append(
                Focus(
                    segment=f"{segment}_{letter}",
                    centre_mm=np.array([middle[0], middle[1], z]),
                    axes_mm=np.diag([across, max(reach, 0.9 * (high[1] - low[1])), half_step]),
                    realm="body",
                    uptake_factor=0.0,
                    blood_factor=0.0,
                    tissue="air",
                )
            )
    kind = LesionKind.AMPUTATION
    words = level.replace("_", " ")
    return (
        Lesion(
            id=kind.value, kind=kind, bone=bone, foci=tuple(foci), label=f"amputated {words}, {side}", contrast=contrast
        ),
    )
