"""A lesion: something on, in or beside a patient that is not normal, made of foci, with the truth a reader is held to.

The builders of the other modules make them; here stand what they are made of and the words for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.skeleton import segment_of
from bonescan.errors import InvalidValue
from bonescan.patient.focus import Focus
from bonescan.patient.lesions.placement import bone_box, contains

__all__ = [
    "Lesion",
    "LesionKind",
    "Nature",
    "drawn_contrast",
    "focus_in_bone",
    "focus_over_bone",
    "in_own_bone",
    "late_gain",
    "sided",
]

Array = NDArray[np.float64]


class Nature(StrEnum):
    """What sort of thing a finding is, as an impression would group it."""

    METASTASIS = "metastasis"
    TRAUMA = "trauma"
    INFECTION = "infection"
    JOINT = "joint disease"
    BENIGN = "other benign bone disease"
    METABOLIC = "metabolic bone disease"
    SURGERY = "surgery"
    ARTEFACT = "artefact"


class LesionKind(StrEnum):
    """What a lesion is; also the name of its builder in a scenario."""

    METASTASIS = "metastasis"
    LYTIC_METASTASIS = "lytic_metastasis"
    METASTATIC_SUPERSCAN = "metastatic_superscan"
    FLARE = "flare"
    FRACTURE = "fracture"
    STRESS_FRACTURE = "stress_fracture"
    RIB_FRACTURES = "rib_fractures"
    SACRAL_INSUFFICIENCY = "sacral_insufficiency"
    VERTEBRAL_FRACTURE = "vertebral_fracture"
    AVASCULAR_NECROSIS = "avascular_necrosis"
    PROSTHESIS = "prosthesis"
    AMPUTATION = "amputation"
    OSTEOMYELITIS = "osteomyelitis"
    CELLULITIS = "cellulitis"
    ARTHRITIS = "arthritis"
    DEGENERATIVE_SPINE = "degenerative_spine"
    PAGET = "paget"
    FIBROUS_DYSPLASIA = "fibrous_dysplasia"
    REGIONAL_PAIN = "regional_pain"
    HYPERTROPHIC_OSTEOARTHROPATHY = "hypertrophic_osteoarthropathy"
    METABOLIC_SUPERSCAN = "metabolic_superscan"
    INJECTION_SITE = "injection_site"
    EXTRAVASATION = "extravasation"
    ARTERIAL_INJECTION = "arterial_injection"
    URINE_ON_SKIN = "urine_on_skin"
    URINE_ON_CLOTHING = "urine_on_clothing"
    CATHETER_BAG = "catheter_bag"
    BELT_BUCKLE = "belt_buckle"
    POCKET_METAL = "pocket_metal"
    NECKLACE = "necklace"
    PACEMAKER = "pacemaker"
    CONTRAST = "contrast"
    DENTAL_WORK = "dental_work"
    BREAST_PROSTHESIS = "breast_prosthesis"
    RECENT_OTHER_TRACER = "recent_other_tracer"
    COMPRESSION = "compression"

    @property
    def nature(self) -> Nature:
        """What sort of thing it is."""
        return _NATURE.get(self, Nature.ARTEFACT)


_NATURE = {
    **dict.fromkeys(("metastasis", "lytic_metastasis", "metastatic_superscan", "flare"), Nature.METASTASIS),
    **dict.fromkeys(
        ("fracture", "stress_fracture", "rib_fractures", "sacral_insufficiency", "vertebral_fracture"), Nature.TRAUMA
    ),
    **dict.fromkeys(("osteomyelitis", "cellulitis"), Nature.INFECTION),
    **dict.fromkeys(("arthritis", "degenerative_spine"), Nature.JOINT),
    **dict.fromkeys(
        ("avascular_necrosis", "paget", "fibrous_dysplasia", "regional_pain", "hypertrophic_osteoarthropathy"),
        Nature.BENIGN,
    ),
    **dict.fromkeys(("dental_work",), Nature.BENIGN),
    **dict.fromkeys(("metabolic_superscan",), Nature.METABOLIC),
    **dict.fromkeys(("prosthesis", "amputation"), Nature.SURGERY),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesion:
    """One finding and where it is.

    Parameters
    ----------
    id : str
        Tells it from the patient's others.
    kind : LesionKind
    bone : str
        Bone it belongs to, the first where there are several; empty where it belongs to none.
    foci : tuple of Focus
        At least one.
    label : str
        For people, e.g. ``"osteoblastic metastasis, 3rd lumbar vertebra, 24 mm"``.
    age_days : float, optional
        Since it began, at least 0; absent where that means nothing.
    contrast : float, optional
        Uptake at 3 h over that of the same normal bone where the lesion is most active, as drawn or as told.
    focal : bool
        Its first focus has its centre inside `bone`; otherwise it covers bones from outside them.

    Raises
    ------
    InvalidValue
        For no focus, an unknown bone, a focal lesion whose centre lies outside its bone, or foci in bones without
        its own.
    """

    id: str
    kind: LesionKind
    bone: str
    foci: tuple[Focus, ...]
    label: str
    age_days: float | None = None
    contrast: float | None = None
    focal: bool = True

    def __post_init__(self) -> None:
        if not self.foci or not self.label:
            raise InvalidValue(f"The lesion {self.id!r} needs at least one focus and a label.", id=self.id)
        if self.bone:
            bone_named(self.bone)
            if self.bones and self.bone not in self.bones:
                raise InvalidValue(f"The lesion {self.id!r} belongs to {self.bone}, its foci do not.", id=self.id)
            if self.focal and not contains(self.bone, self.foci[0].centre_mm)[0]:
                raise InvalidValue(
                    f"The centre of the lesion {self.id!r} lies outside {self.bone}: "
                    f"{np.round(self.foci[0].centre_mm, 1).tolist()} mm. Let the place be drawn, or move it inside.",
                    id=self.id,
                    bone=self.bone,
                )
        for name, least, value in (("age", 0.0, self.age_days), ("contrast", 0.0, self.contrast)):
            if value is not None and not least <= value < math.inf:
                raise InvalidValue(f"The {name} of the lesion {self.id!r} cannot be {value}.", id=self.id, got=value)

    @property
    def bones(self) -> tuple[str, ...]:
        """All bones its foci name, each once, in their order."""
        return tuple(dict.fromkeys(bone for focus in self.foci for bone in focus.bones))

    @property
    def is_metastasis(self) -> bool:
        """Whether it counts as metastasis in a reading's truth."""
        return self.kind.nature is Nature.METASTASIS

    @property
    def is_artefact(self) -> bool:
        """Whether no disease of the skeleton is behind it."""
        return self.kind.nature is Nature.ARTEFACT


def focus_in_bone(
    bone: str,
    centre_mm: Array,
    half_mm: float | tuple[float, float, float],
    *,
    along: Array | None = None,
    **difference: Any,
) -> Focus:
    """A focus about a place of one bone, moving with the bone and acting on it alone.

    Parameters
    ----------
    bone : str
        Bone id.
    centre_mm : (3,) ndarray
    half_mm : float or (first, second, third)
        Half-axes: of a ball, or along x, y, z; the third lies along `along` where that is given.
    along : (3,) ndarray, optional
        Direction of the third half-axis.
    **difference : object
        What differs: fields of `Focus`.

    Returns
    -------
    Focus
    """
    half = np.broadcast_to(np.asarray(half_mm, dtype=float), (3,))
    axes = np.diag(half)
    if along is not None:
        third = np.asarray(along, dtype=float) / np.linalg.norm(along)
        aside = np.eye(3)[int(np.argmin(np.abs(third)))]
        first = np.cross(third, aside)
        first /= np.linalg.norm(first)
        axes = np.column_stack([first, np.cross(third, first), third]) * half
    return Focus(
        segment=segment_of(bone),
        centre_mm=np.array(centre_mm, dtype=float),
        axes_mm=axes,
        bones=(bone,),
        **difference,
    )


def focus_over_bone(bone: str, *, part: tuple[float, float] = (0.0, 1.0), **difference: Any) -> Focus:
    """A focus that covers a whole bone, or a part of its height, and acts on it alone.

    Parameters
    ----------
    bone : str
        Bone id.
    part : (from, to)
        Share of the bone's height, 0 at its upper end, 1 at its lower. Its edge is the curve of an ellipsoid.
    **difference : object
        What differs: fields of `Focus`.

    Returns
    -------
    Focus

    Notes
    -----
    The ellipsoid through the corners of a box has half-axes sqrt(3) times the box's half-edges. Of a part, height is
    kept and the sides are widened instead, so that the cut stays where it was asked for.
    """
    low, high = bone_box(bone)
    height = high[2] - low[2]
    low[2], high[2] = high[2] - part[1] * height, high[2] - part[0] * height
    half = (high - low) / 2
    grown = math.sqrt(3) * half if part == (0.0, 1.0) else half * np.array([4.0, 4.0, 1.03])
    return focus_in_bone(bone, (low + high) / 2, (grown[0], grown[1], grown[2]), **difference)


# Published contrasts were measured in spines. New bone is not fainter for lying in a bone that takes up less, so
# what it adds is given in units of the spine: normal SUVmean was 2.9 to 3.7 in vertebrae, 1.2 in ribs and 0.9 in
# humeri (60 women, Nautiyal, Indian J Nucl Med [V, abstract]); thin bones lose some of theirs to blur, so less than
# these ratios is used, elsewhere by analogy [D].
_SPINE_OVER = {
    **dict.fromkeys(("rib_", "humerus", "femur", "tibia", "fibula", "radius", "ulna"), 2.5),
    **dict.fromkeys(("metacarpal", "metatarsal", "phalanx"), 2.5),
    **dict.fromkeys(("tarsal", "carpal", "patella"), 2.0),
    "skull": 1.8,
    "mandible": 1.5,
    "clavicle": 1.6,
    "scapula": 1.3,
    "sternum": 1.3,
}


def in_own_bone(bone: str, contrast: float) -> float:
    """Contrast against a bone's own normal uptake of something that has this contrast in a spine.

    Parameters
    ----------
    bone : str
        Bone id.
    contrast : float
        Uptake over that of a normal vertebra, where what is there adds to a normal vertebra's.

    Returns
    -------
    float

    Examples
    --------
    >>> in_own_bone("vertebra_l03", 5.0), in_own_bone("rib_06_l", 5.0), in_own_bone("femur_l", 1.0)
    (5.0, 11.0, 1.0)
    """
    ratio = next((over for prefix, over in _SPINE_OVER.items() if bone.startswith(prefix)), 1.0)
    return 1 + (contrast - 1) * (ratio if contrast > 1 else 1)


# (uptake at 24 h / uptake at 4 h) of a lesion over that of normal bone, mean and standard deviation: spine, fourth
# phase of the bone scan [V, abstract].
_LATE_MALIGNANT, _LATE_BENIGN = (1.3, 0.15), (1.0, 0.12)


def late_gain(rng: np.random.Generator, *, malignant: bool) -> float:
    """How much more a lesion still gains from 4 h to 24 h than normal bone does.

    Parameters
    ----------
    rng : numpy.random.Generator
    malignant : bool

    Returns
    -------
    float
        Malignant 1.3 +/- 0.15, benign 1.0 +/- 0.12, cut at two standard deviations.
    """
    mean, spread = _LATE_MALIGNANT if malignant else _LATE_BENIGN
    return float(mean + spread * np.clip(rng.normal(), -2, 2))


def sided(side: str) -> tuple[str, float]:
    """The letter that ends a bone's id, and the sign of x, of one side.

    Parameters
    ----------
    side : str
        ``"left"`` or ``"right"``.

    Returns
    -------
    letter : str
    sign : float

    Raises
    ------
    InvalidValue
        For another word.
    """
    if side not in ("left", "right"):
        raise InvalidValue(f"A side is 'left' or 'right', got {side!r}.", got=side)
    return side[0], 1.0 if side == "left" else -1.0


def drawn_contrast(rng: np.random.Generator, contrast: float | None, usual: tuple[float, float, float, float]) -> float:
    """The contrast that was told, or one drawn from a lognormal.

    Parameters
    ----------
    rng : numpy.random.Generator
    contrast : float or None
        As told, 0 to 100.
    usual : (median, sigma, least, greatest)
        Of the lognormal, and where it is cut.

    Returns
    -------
    float

    Raises
    ------
    InvalidValue
        For a told contrast outside its range.
    """
    if contrast is not None:
        if not 0 <= contrast <= 100:
            raise InvalidValue(f"A contrast lies between 0 and 100, got {contrast!r}.", got=contrast)
        return contrast
    median, sigma, low, high = usual
    return float(np.clip(median * math.exp(sigma * rng.normal()), low, high))
