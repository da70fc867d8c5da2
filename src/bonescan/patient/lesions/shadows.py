"""Shadows: metal, contrast medium and silicone on or in a patient that hide what lies behind them, and pressed tissue.

Shapes and places are our decisions [D]; that they mislead is EANM 2016 (doi:10.1007/s00259-016-3415-4), table 5 [V].
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.body import Body
from bonescan.anatomy.pose import PosedSkeleton, default_pose, pose_skeleton
from bonescan.anatomy.skeleton import default_skeleton, segment_of
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.lesion import Lesion, LesionKind, focus_in_bone, sided
from bonescan.patient.lesions.placement import nearest_place

__all__ = [
    "Skin",
    "artefact",
    "belt_buckle",
    "breast_prosthesis",
    "compression",
    "contrast",
    "dental_work",
    "necklace",
    "pacemaker",
    "pocket_metal",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """Where the skin of a body in the default pose lies, for what is worn on it.

    Parameters
    ----------
    sex : str
    girth : float
        As `bonescan.anatomy.body.Body` takes them.
    """

    sex: str = "male"
    girth: float = 1.0
    _body: Body = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_body", _body(self.sex, round(self.girth, 3)))

    def on(self, x_mm: float, z_mm: float, *, front: bool = True, outwards_mm: float = 0.0) -> Array:
        """The point of the skin at (x, z), or a little outside it; of the nearest skin where none is there.

        Parameters
        ----------
        x_mm, z_mm : float
            In the default frame.
        front : bool
            Of the front, else of the back.
        outwards_mm : float
            Away from the body; negative inwards.

        Returns
        -------
        (3,) ndarray
        """
        for shrink in np.linspace(1.0, 0.0, 11):
            x = np.array([[x_mm * shrink]], dtype=np.float32)
            surfaces = self._body.surfaces(x, np.array([[z_mm]], dtype=np.float32))
            y = float(surfaces[0 if front else 1][0, 0])
            if math.isfinite(y):
                return np.array([float(x[0, 0]), y + (-outwards_mm if front else outwards_mm), z_mm])
        return np.array([x_mm, -outwards_mm if front else outwards_mm, z_mm])


@lru_cache(maxsize=8)
def _body(sex: str, girth: float) -> Body:
    return Body(posed=_lying_straight(), sex=sex, girth=girth)


@cache
def _lying_straight() -> PosedSkeleton:
    return pose_skeleton(default_skeleton(), default_pose())


def _object(
    segment: str, centre: Array, half: tuple[float, float, float], tissue: str, realm: str = "outside"
) -> Focus:
    return Focus(
        segment=segment,
        centre_mm=np.array(centre, dtype=float),
        axes_mm=np.diag(half),
        realm=realm,
        uptake_factor=0.0,
        blood_factor=0.0,
        tissue=tissue,
    )


def artefact(kind: LesionKind, label: str, *foci: Focus) -> tuple[Lesion, ...]:
    """One disturbance that belongs to no bone.

    Parameters
    ----------
    kind : LesionKind
    label : str
    *foci : Focus

    Returns
    -------
    tuple of Lesion
    """
    return (Lesion(id=kind.value, kind=kind, bone="", foci=foci, label=label, focal=False),)


def belt_buckle(rng: np.random.Generator, *, skin: Skin) -> tuple[Lesion, ...]:
    """A metal buckle in front of the lower lumbar spine: a cold spot from in front only.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin

    Returns
    -------
    tuple of Lesion
    """
    at = skin.on(rng.uniform(-8, 8), 1012.0, outwards_mm=8.0)
    return artefact(LesionKind.BELT_BUCKLE, "belt buckle", _object("lumbar", at, (27.0, 7.0, 21.0), "steel"))


def pocket_metal(rng: np.random.Generator, *, skin: Skin, side: str = "right") -> tuple[Lesion, ...]:
    """Coins or keys in a trouser pocket.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    side : str
        ``"left"`` or ``"right"``.

    Returns
    -------
    tuple of Lesion
    """
    letter, mirror = sided(side)
    foci = []
    for half in ((14.0, 7.0, 14.0), (13.0, 7.0, 30.0)):  # a few coins, a bunch of keys
        at = skin.on(mirror * rng.uniform(95, 130), rng.uniform(835, 890), outwards_mm=8.0)
        foci.append(_object(f"thigh_{letter}", at, half, "steel"))
    return artefact(LesionKind.POCKET_METAL, f"metal in the {side} pocket", *foci)


def necklace(rng: np.random.Generator, *, skin: Skin) -> tuple[Lesion, ...]:
    """A pendant in front of the sternum.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin

    Returns
    -------
    tuple of Lesion
    """
    at = skin.on(rng.uniform(-6, 6), 1335.0, outwards_mm=5.0)
    return artefact(LesionKind.NECKLACE, "pendant of a necklace", _object("thorax", at, (11.0, 5.0, 15.0), "steel"))


def pacemaker(rng: np.random.Generator, *, skin: Skin, side: str = "left") -> tuple[Lesion, ...]:
    """A pacemaker under the skin below the clavicle.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    side : str
        ``"left"`` or ``"right"``.

    Returns
    -------
    tuple of Lesion
    """
    letter, mirror = sided(side)
    at = skin.on(mirror * 88.0, 1352.0, outwards_mm=-9.0)
    box = _object(f"clavicle_{letter}", at, (26.0, 8.0, 23.0), "titanium", "soft")
    battery = _object(f"clavicle_{letter}", at, (19.0, 7.0, 16.0), "steel", "body")
    return artefact(LesionKind.PACEMAKER, f"pacemaker, {side}", box, battery)


# The colon: segment, centre (mm), half-axes; ascending, transverse and descending limb.
_COLON = (
    ("lumbar", (-85.0, -20.0, 1050.0), (22.0, 22.0, 55.0)),
    ("lumbar", (-45.0, -70.0, 1100.0), (48.0, 17.0, 17.0)),
    ("lumbar", (45.0, -70.0, 1108.0), (48.0, 17.0, 17.0)),
    ("lumbar", (88.0, -10.0, 1060.0), (20.0, 20.0, 58.0)),
)


def contrast(rng: np.random.Generator, *, agent: str = "barium") -> tuple[Lesion, ...]:
    """Contrast medium left in the colon from an X-ray: it hides what lies behind it.

    Parameters
    ----------
    rng : numpy.random.Generator
    agent : str
        ``"barium"`` or ``"iodine contrast"``.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    if agent not in ("barium", "iodine contrast"):
        raise InvalidValue(f"A contrast agent is 'barium' or 'iodine contrast', got {agent!r}.", got=agent)
    foci = [_object(segment, np.array(centre), half, agent, "soft") for segment, centre, half in _COLON]
    return artefact(LesionKind.CONTRAST, f"{agent} in the colon", *foci)


def breast_prosthesis(rng: np.random.Generator, *, skin: Skin, side: str = "left") -> tuple[Lesion, ...]:
    """A silicone breast after mastectomy: ribs behind it look fainter than the other side's.

    Parameters
    ----------
    rng : numpy.random.Generator
    skin : Skin
    side : str
        ``"left"`` or ``"right"``.

    Returns
    -------
    tuple of Lesion
    """
    _, mirror = sided(side)
    at = skin.on(mirror * 88.0, 1262.0, outwards_mm=12.0)
    return artefact(
        LesionKind.BREAST_PROSTHESIS,
        f"breast prosthesis, {side}",
        _object("thorax", at, (62.0, 34.0, 58.0), "silicone"),
    )


def compression(rng: np.random.Generator, *, side: str = "right") -> tuple[Lesion, ...]:
    """A strap that pressed the soft tissue of a thigh empty: a faint band.

    Parameters
    ----------
    rng : numpy.random.Generator
    side : str
        ``"left"`` or ``"right"``.

    Returns
    -------
    tuple of Lesion
    """
    letter, mirror = sided(side)
    focus = Focus(
        segment=f"thigh_{letter}",
        centre_mm=np.array([mirror * 120.0, 0.0, 640.0]),
        axes_mm=np.diag([125.0, 150.0, 32.0]),
        realm="soft",
        profile="peak",
        blood_factor=0.25,
    )
    return artefact(LesionKind.COMPRESSION, f"strap around the {side} thigh", focus)


def dental_work(
    rng: np.random.Generator, *, side: str | None = None, jaw: str | None = None, contrast: float | None = None
) -> tuple[Lesion, ...]:
    """A tooth just drawn or inflamed at its root, beside a metal crown.

    Parameters
    ----------
    rng : numpy.random.Generator
    side : str, optional
        ``"left"`` or ``"right"``.
    jaw : str, optional
        ``"upper"`` or ``"lower"``.
    contrast : float, optional
        1 to 20; lognormal about 3 by default.

    Returns
    -------
    tuple of Lesion

    Raises
    ------
    InvalidValue
        For a word that is not listed, or a number outside its range.
    """
    side = str(rng.choice(["left", "right"])) if side is None else side
    jaw = str(rng.choice(["upper", "lower"])) if jaw is None else jaw
    letter, mirror = sided(side)
    level = float(np.clip(3 * math.exp(0.35 * rng.normal()), 1.5, 8)) if contrast is None else contrast
    if jaw not in ("upper", "lower") or not 1 <= level <= 20:
        raise InvalidValue(
            f"Dental work is in the 'upper' or 'lower' jaw with a contrast of 1 to 20, got {jaw!r}, {level!r}.", jaw=jaw
        )
    bone = "mandible" if jaw == "lower" else f"skull_maxilla_{letter}"
    wanted = np.array([mirror * 24.0, -62.0, 1515.0 if jaw == "lower" else 1548.0])
    place = nearest_place(bone, wanted)
    root = focus_in_bone(bone, place, 9.0, uptake_factor=level, blood_factor=1.5)
    crown = Focus(
        segment=segment_of(bone),
        centre_mm=place + np.array([0.0, -2.0, 12.0 if jaw == "lower" else -12.0]),
        axes_mm=np.diag([5.0, 5.0, 4.0]),
        realm="anywhere",
        uptake_factor=0.0,
        tissue="amalgam",
    )
    kind = LesionKind.DENTAL_WORK
    label = f"dental work, {side} {jaw} jaw"
    return (Lesion(id=kind.value, kind=kind, bone=bone, foci=(root, crown), label=label, contrast=level),)
