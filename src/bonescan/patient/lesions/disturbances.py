"""Tracer that misleads: at the injection, in spilt urine, from another test; and the list of all that misleads.

Each is made of foci like a lesion, of a kind whose nature is ``"artefact"``; what hides bone stands in `shadows`. What
concerns the whole patient or the scan (a full bladder, kidney failure, free pertechnetate, imaging too early or late,
motion) is no thing with a place: a scenario sets it in its tables of person, physiology and protocol. The list is EANM
2016 (doi:10.1007/s00259-016-3415-4), table 5 [V]; shares of activity, sizes and places are ours [D] unless told.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import Lesion, LesionKind, focus_over_bone, sided
from bonescan.patient.lesions.shadows import Skin, artefact

__all__ = [
    "arterial_injection",
    "catheter_bag",
    "extravasation",
    "injection_site",
    "recent_other_tracer",
    "urine_on_clothing",
    "urine_on_skin",
]

Array = NDArray[np.float64]


def _share(what: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise InvalidValue(f"{what} is a share of the injected activity, 0 to 1, got {value!r}.", got=value)
    return value


def _pool(segment: str, centre: Array, half: tuple[float, float, float], fraction: float, **more: Any) -> Focus:
    return Focus(
        segment=segment,
        centre_mm=np.array(centre, dtype=float),
        axes_mm=np.diag(half),
        **{"realm": "anywhere", "added_fraction": fraction, **more},
    )


# Veins of the elbow's bend, the back of the hand and the forearm: segment, x and z of the left one.
_VEINS = {"elbow": ("arm", 206.0, 1122.0), "hand": ("hand", 258.0, 830.0), "forearm": ("forearm", 232.0, 1010.0)}


def _vein(skin: Skin, site: str, side: str) -> tuple[str, Array]:
    letter, mirror = sided(side)
    if site not in _VEINS:
        raise InvalidValue(f"An injection is into the {', '.join(_VEINS)}; got {site!r}.", got=site)
    segment, x, z = _VEINS[site]
    return f"{segment}_{letter}", skin.on(mirror * x, z, outwards_mm=-6.0)


def injection_site(
    rng: np.random.Generator, *, skin: Skin, site: str = "elbow", side: str = "left", fraction: float | None = None
) -> tuple[Lesion, ...]:
    """The little that stays where the needle was.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    site : str
        ``"elbow"``, ``"hand"`` or ``"forearm"``.
    side : str
        ``"left"`` or ``"right"``.
    fraction : float, optional
        Share of the injection; lognormal about 0.2 % by default.

    Returns
    -------
    tuple of Lesion
    """
    share = float(np.clip(0.002 * math.exp(0.7 * rng.normal()), 2e-4, 0.01)) if fraction is None else fraction
    segment, place = _vein(skin, site, side)
    focus = _pool(segment, place, (6.0, 5.0, 13.0), _share("What stays at an injection site", share))
    return artefact(LesionKind.INJECTION_SITE, f"injection site, {side} {site}", focus)


def extravasation(
    rng: np.random.Generator,
    *,
    skin: Skin,
    site: str = "elbow",
    side: str = "left",
    fraction: float = 0.05,
    node_fraction: float = 0.002,
) -> tuple[Lesion, ...]:
    """Injected beside the vein: a pool at the site, and a lymph node of the armpit that drains it.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    site : str
        ``"elbow"``, ``"hand"`` or ``"forearm"``.
    side : str
        ``"left"`` or ``"right"``.
    fraction : float
        Share of the injection still there.
    node_fraction : float
        Share in the node; 0 for none.

    Returns
    -------
    tuple of Lesion
    """
    _share("An extravasation", fraction)
    _share("A node's share", node_fraction)
    segment, place = _vein(skin, site, side)
    _, mirror = sided(side)
    foci = [_pool(segment, place, (16.0, 10.0, 34.0), fraction)]
    if node_fraction:
        for k in range(2):
            at = np.array([mirror * (128.0 + 4 * k), 2.0 + rng.uniform(-6, 6), 1352.0 - 24 * k])
            share = node_fraction * (0.75, 0.25)[k]
            foci.append(_pool("thorax", at, (6.0, 5.0, 8.0), share))
    return artefact(LesionKind.EXTRAVASATION, f"extravasation at the {side} {site}, axillary node", *foci)


def arterial_injection(rng: np.random.Generator, *, side: str = "left", contrast: float = 4.0) -> tuple[Lesion, ...]:
    """Injected into an artery: bone and soft tissue of the hand below take up first, the glove.

    Parameters
    ----------
    rng : numpy.random.Generator
    side : str
        ``"left"`` or ``"right"``.
    contrast : float
        Of the hand over the other one, 1 to 30.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    letter, mirror = sided(side)
    if not 1 <= contrast <= 30:
        raise InvalidValue(f"A glove's contrast lies between 1 and 30, got {contrast!r}.", got=contrast)
    own = ("carpal", "metacarpal", "phalanx_hand", "radius", "ulna")
    bones = [bone for bone in default_skeleton().bones if bone.startswith(own) and bone.endswith("_" + letter)]
    foci = [
        focus_over_bone(bone, part=(0.25, 1.0) if bone[:4] in ("radi", "ulna") else (0.0, 1.0), uptake_factor=contrast)
        for bone in bones
    ]
    for segment, centre, half in (
        ("hand", (255.0, -38.0, 820.0), (60.0, 45.0, 90.0)),
        ("forearm", (240.0, -5.0, 950.0), (50.0, 50.0, 100.0)),
    ):
        foci.append(
            Focus(
                segment=f"{segment}_{letter}",
                centre_mm=np.array(centre) * [mirror, 1, 1],
                axes_mm=np.diag(half),
                realm="soft",
                blood_factor=contrast,
            )
        )
    return artefact(LesionKind.ARTERIAL_INJECTION, f"arterial injection, {side} hand", *foci)


def urine_on_skin(
    rng: np.random.Generator, *, skin: Skin, side: str = "left", fraction: float | None = None
) -> tuple[Lesion, ...]:
    """Drops of urine on the inner thigh or groin, over or beside pelvis and femur.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    side : str
        ``"left"`` or ``"right"``.
    fraction : float, optional
        Share of the injection, of all drops; lognormal about 0.2 % by default.

    Returns
    -------
    tuple of Lesion
    """
    letter, mirror = sided(side)
    share = float(np.clip(0.002 * math.exp(0.6 * rng.normal()), 3e-4, 0.02)) if fraction is None else fraction
    _share("Urine on the skin", share)
    drops = 1 + int(rng.integers(1, 4))
    shares = rng.dirichlet(np.full(drops, 1.5)) * share
    foci = []
    for part in shares:
        at = skin.on(mirror * rng.uniform(25, 75), rng.uniform(770, 870), outwards_mm=1.0)
        size = rng.uniform(5, 14)
        foci.append(
            _pool(f"thigh_{letter}", at, (size, 5.0, size * rng.uniform(0.8, 2.2)), float(part), realm="outside")
        )
    return artefact(LesionKind.URINE_ON_SKIN, f"urine on the skin, {side} groin and thigh", *foci)


def urine_on_clothing(rng: np.random.Generator, *, skin: Skin, fraction: float | None = None) -> tuple[Lesion, ...]:
    """A wet patch of clothing in front of the pelvis.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    fraction : float, optional
        Share of the injection; lognormal about 0.4 % by default.

    Returns
    -------
    tuple of Lesion
    """
    share = float(np.clip(0.004 * math.exp(0.6 * rng.normal()), 5e-4, 0.03)) if fraction is None else fraction
    _share("Urine on clothing", share)
    x = rng.uniform(-50, 50)
    shares = rng.dirichlet((4, 2, 1.5)) * share
    foci = []
    for part, reach in zip(shares, (0.0, 22.0, 38.0), strict=True):
        at = skin.on(x + rng.uniform(-reach, reach), 832.0 - reach * rng.uniform(0.3, 1), outwards_mm=8.0)
        segment = "thigh_l" if at[0] > 0 else "thigh_r"
        foci.append(_pool(segment, at, (rng.uniform(16, 30), 6.0, rng.uniform(14, 26)), float(part), realm="outside"))
    return artefact(LesionKind.URINE_ON_CLOTHING, "urine on clothing", *foci)


_TUBE_PIECES = 30  # near enough to each other to look like one tube


def catheter_bag(
    rng: np.random.Generator, *, side: str = "right", fraction: float = 0.08, hung_mm: float = 430.0
) -> tuple[Lesion, ...]:
    """A catheter's bag beside the leg, and the tube that leads there.

    Parameters
    ----------
    rng : numpy.random.Generator
    side : str
        ``"left"`` or ``"right"``.
    fraction : float
        Share of the injection in the bag.
    hung_mm : float
        Height of its middle above the soles, 100 to 800.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    letter, mirror = sided(side)
    _share("What a catheter bag holds", fraction)
    if not 100 <= hung_mm <= 800:
        raise InvalidValue(f"A catheter bag hangs at 100 to 800 mm, got {hung_mm!r}.", got=hung_mm)
    bag = _pool(
        f"shank_{letter}",
        np.array([mirror * 190.0, -30.0, hung_mm]),
        (42.0, 22.0, 85.0),
        0.97 * fraction,
        realm="anywhere",
        tissue="urine",
    )
    start, end = np.array([0.0, -75.0, 835.0]), np.array([mirror * 180.0, -60.0, hung_mm + 80.0])
    tube = []
    for k in range(_TUBE_PIECES):
        t = (k + 0.5) / _TUBE_PIECES
        at = start + t * (end - start) + np.array([mirror * 12 * math.sin(2 * math.pi * t), 0, 0])
        tube.append(_pool(f"thigh_{letter}", at, (7.0, 6.0, 16.0), 0.03 * fraction / _TUBE_PIECES))
    return artefact(LesionKind.CATHETER_BAG, f"urinary catheter and bag, {side}", bag, *tube)


# What another technetium agent leaves a day or some hours later: share of the bone scan's injected activity, and
# places.
_OTHER = {
    "sestamibi": (
        ("lumbar", (-62.0, -45.0, 1110.0), (20.0, 18.0, 26.0), 0.012),  # gallbladder
        ("lumbar", (-30.0, -60.0, 1060.0), (70.0, 28.0, 40.0), 0.020),  # bowel
        ("lumbar", (60.0, -50.0, 1045.0), (35.0, 25.0, 45.0), 0.012),
        ("thorax", (38.0, -45.0, 1262.0), (38.0, 38.0, 40.0), 0.006),  # heart
    ),
    "colloid": (
        ("thorax", (-70.0, -25.0, 1180.0), (68.0, 62.0, 68.0), 0.09),  # liver
        ("thorax", (98.0, 40.0, 1185.0), (22.0, 36.0, 48.0), 0.02),  # spleen
    ),
}


def recent_other_tracer(
    rng: np.random.Generator, *, agent: str = "sestamibi", scale: float = 1.0
) -> tuple[Lesion, ...]:
    """Technetium of an earlier test: in gallbladder, bowel and heart, or in liver and spleen.

    Parameters
    ----------
    rng : numpy.random.Generator
    agent : str
        ``"sestamibi"`` or ``"colloid"``.
    scale : float
        Times the usual remainder, 0 to 5.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if agent not in _OTHER or not 0 <= scale <= 5:
        raise InvalidValue(
            f"Another tracer is {' or '.join(_OTHER)} at a scale of 0 to 5, got {agent!r}, {scale!r}.", agent=agent
        )
    foci = [
        _pool(segment, np.array(centre), half, share * scale, realm="soft")
        for segment, centre, half, share in _OTHER[agent]
    ]
    return artefact(LesionKind.RECENT_OTHER_TRACER, f"remains of Tc-99m {agent}", *foci)
