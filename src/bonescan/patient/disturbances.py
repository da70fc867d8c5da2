"""What misleads: tracer where no bone takes it up, metal and other shadows, and tracer from another test.

Each is made of foci like a lesion, of a kind whose nature is ``"artefact"``. What concerns the whole patient or the
scan (a full bladder, kidney failure, free pertechnetate, imaging too early or late, motion) is not a thing with a
place: a scenario sets it in its tables of person, physiology and protocol. The list is EANM 2016
(doi:10.1007/s00259-016-3415-4), table 5 [V], with the usual metal [V, facts 5]; shares of activity, sizes and places
are ours [D] unless told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.body import Body
from bonescan.anatomy.pose import default_pose, pose_skeleton
from bonescan.anatomy.skeleton import default_skeleton, segment_of
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions import Lesion, LesionKind, focus_in_bone, focus_over_bone, sided
from bonescan.patient.placement import nearest_place

__all__ = [
    "Skin",
    "arterial_injection",
    "belt_buckle",
    "breast_prosthesis",
    "catheter_bag",
    "compression",
    "contrast",
    "dental_work",
    "extravasation",
    "injection_site",
    "necklace",
    "pacemaker",
    "pocket_metal",
    "recent_other_tracer",
    "skin_of",
    "urine_on_clothing",
    "urine_on_skin",
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
    return Body(posed=pose_skeleton(default_skeleton(), default_pose()), sex=sex, girth=girth)


def skin_of(sex: str, girth: float) -> Skin:
    """The skin of a body in the default pose.

    Parameters
    ----------
    sex : str
    girth : float

    Returns
    -------
    Skin
    """
    return Skin(sex=sex, girth=girth)


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


def _artefact(kind: LesionKind, label: str, *foci: Focus) -> tuple[Lesion, ...]:
    return (Lesion(id=kind.value, kind=kind, bone="", foci=foci, label=label, focal=False),)


# --- the injection ----------------------------------------------------------------------------------

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
    return _artefact(LesionKind.INJECTION_SITE, f"injection site, {side} {site}", focus)


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
    return _artefact(LesionKind.EXTRAVASATION, f"extravasation at the {side} {site}, axillary node", *foci)


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
    return _artefact(LesionKind.ARTERIAL_INJECTION, f"arterial injection, {side} hand", *foci)


# --- urine -----------------------------------------------------------------------------------------


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
    return _artefact(LesionKind.URINE_ON_SKIN, f"urine on the skin, {side} groin and thigh", *foci)


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
    return _artefact(LesionKind.URINE_ON_CLOTHING, "urine on clothing", *foci)


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
    for k in range(9):
        t = (k + 0.5) / 9
        at = start + t * (end - start) + np.array([mirror * 12 * math.sin(2 * math.pi * t), 0, 0])
        tube.append(_pool(f"thigh_{letter}", at, (7.0, 6.0, 26.0), 0.03 * fraction / 9))
    return _artefact(LesionKind.CATHETER_BAG, f"urinary catheter and bag, {side}", bag, *tube)


# --- metal and other shadows -------------------------------------------------------------------------


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
    return _artefact(LesionKind.BELT_BUCKLE, "belt buckle", _object("lumbar", at, (27.0, 7.0, 21.0), "steel"))


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
    for _ in range(3):
        at = skin.on(mirror * rng.uniform(100, 130), rng.uniform(840, 890), outwards_mm=8.0)
        foci.append(_object(f"thigh_{letter}", at, (12.0, 6.0, 12.0), "steel"))
    return _artefact(LesionKind.POCKET_METAL, f"metal in the {side} pocket", *foci)


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
    return _artefact(LesionKind.NECKLACE, "pendant of a necklace", _object("thorax", at, (11.0, 5.0, 15.0), "steel"))


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
    return _artefact(LesionKind.PACEMAKER, f"pacemaker, {side}", box, battery)


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
    """
    if agent not in ("barium", "iodine contrast"):
        raise InvalidValue(f"A contrast agent is 'barium' or 'iodine contrast', got {agent!r}.", got=agent)
    foci = [_object(segment, np.array(centre), half, agent, "soft") for segment, centre, half in _COLON]
    return _artefact(LesionKind.CONTRAST, f"{agent} in the colon", *foci)


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
    return _artefact(
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
        centre_mm=np.array([mirror * 95.0, 0.0, 640.0]),
        axes_mm=np.diag([90.0, 110.0, 30.0]),
        realm="soft",
        blood_factor=0.25,
    )
    return _artefact(LesionKind.COMPRESSION, f"strap around the {side} thigh", focus)


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


# --- another test's tracer ---------------------------------------------------------------------------

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
    """
    if agent not in _OTHER or not 0 <= scale <= 5:
        raise InvalidValue(
            f"Another tracer is {' or '.join(_OTHER)} at a scale of 0 to 5, got {agent!r}, {scale!r}.", agent=agent
        )
    foci = [
        _pool(segment, np.array(centre), half, share * scale, realm="soft")
        for segment, centre, half, share in _OTHER[agent]
    ]
    return _artefact(LesionKind.RECENT_OTHER_TRACER, f"remains of Tc-99m {agent}", *foci)
