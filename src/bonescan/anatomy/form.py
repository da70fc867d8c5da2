"""Form: how one person's bones differ in shape from another's, before anyone poses or sizes them.

Pose and proportions turn and stretch whole segments (`bonescan.anatomy.pose`); form changes what lies inside
a segment. It is a displacement field ``u`` of the default skeleton's space, a sum of named parameters times
shapes that are smooth within what touches each other, so that joints stay joined::

    phi(p) = p + sum_k f_k u_k(p, bone of p)
    c'     = phi(c),   a_j' = (phi(c + a_j) - phi(c - a_j)) / 2      for an ellipsoid of centre c, half-axes a_j

The second line takes the field's secant over each ellipsoid's own extent: every ellipsoid gets one affine map, and
stays one. Before it, the walls of flat bones and ribs, and the depths of `_DEPTH`, are scaled about each ellipsoid's
own centre, which moves no joint.

A form counts from its sex's reference person. Everything is symmetric, left and right alike, and keeps the joints about
which segments turn, but for a few millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.skeleton import SEGMENTS, Skeleton, default_skeleton
from bonescan.errors import InvalidValue

__all__ = ["FORM_LIMIT", "FORM_PARAMETERS", "FormParameter", "draw_form", "shaped_skeleton"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FORM_LIMIT = 4.0
"""Greatest deviation of any parameter from its sex's reference, in spreads."""

_DRAWN_LIMIT = 2.5  # `draw_form` stops here: one in 80 draws of a normal distribution lies beyond
_SEXES = ("female", "male")


@dataclass(frozen=True, slots=True, kw_only=True)
class FormParameter:
    """One number of a form.

    Parameters
    ----------
    name : str
        ``part.what``, with the unit: ``_log`` for the logarithm of a scale, ``_rad`` for a slope or an angle,
        ``_mm`` for a displacement.
    spread : float
        Standard deviation between adults of one sex.
    female : float
        The reference woman's value; the reference man's is 0 throughout.
    source : str
        Where both numbers come from, and how certain: read, recalled, computed or our design.
    """

    name: str
    spread: float
    female: float
    source: str


# Certainty: [V] read in the source, [M] recalled, [C] computed from what is named, [D] our design.
FORM_PARAMETERS: tuple[FormParameter, ...] = (
    FormParameter(
        name="thorax.depth_log",
        spread=0.08,
        female=0.0,
        source="spread [D]; a woman's rib cage holds 10 % less than a man's of her height (Sexual dimorphism of human "
        "ribs, abstract [V], Bellemare 2006 [M]), which her proportions of width and height give already [C]",
    ),
    FormParameter(
        name="thorax.slope_rad",
        spread=0.07,
        female=0.05,
        source="[D]; that a woman's ribs slope more: Sexual dimorphism of human ribs, abstract [V]",
    ),
    FormParameter(name="thorax.flare_log", spread=0.06, female=0.0, source="[D]"),
    FormParameter(name="thorax.kyphosis_mm", spread=8.0, female=0.0, source="[D]"),
    FormParameter(
        name="sternum.length_log",
        spread=0.08,
        female=-0.04,
        source="133.1 and 154.1 (SD 13.1) mm on CT of 200 adults, PMID 29345718 [V], over the statures and what the "
        "thorax's proportion gives [C]",
    ),
    FormParameter(
        name="pelvis.flare_log",
        spread=0.05,
        female=0.06,
        source="front iliac spines 225 (SD 20) and 227 (SD 13) mm apart in women and men, CT of 100 adults, "
        "abstract [V], hence 7 % wider for the stature [C]; spread [D]",
    ),
    FormParameter(name="pelvis.depth_log", spread=0.05, female=0.0, source="[D]"),
    FormParameter(
        name="pelvis.height_log",
        spread=0.03,
        female=-0.02,
        source="iliac crest to ischium 188.8 and 208 mm, measured on ICRP Publication 110 [V], over the heights [C]; "
        "spread [D]",
    ),
    FormParameter(
        name="pelvis.arch_rad",
        spread=0.06,
        female=0.17,
        source="half the angle between the lower pubic rami, 70 degrees in men and 90 to 100 in women (textbook [V]): "
        "direction; amount, two thirds of that, and spread [D]",
    ),
    FormParameter(name="sacrum.width_log", spread=0.05, female=0.03, source="[D]"),
    FormParameter(name="vertebrae.stoutness_log", spread=0.05, female=-0.04, source="[D]"),
    FormParameter(
        name="limbs.stoutness_log",
        spread=0.06,
        female=-0.05,
        source="femoral head 42.0 (SD 2.4) and 47.6 (SD 2.8) mm, doi:10.14740/jocmr3986 [V], over the statures [C]",
    ),
    FormParameter(name="flat_bones.thickness_log", spread=0.06, female=-0.06, source="[D]"),
    FormParameter(name="ribs.thickness_log", spread=0.08, female=-0.08, source="[D]"),
    FormParameter(name="scapula.size_log", spread=0.05, female=-0.05, source="[D]"),
    FormParameter(
        name="skull.length_log",
        spread=0.04,
        female=0.0,
        source="half the head's length 100.5 and 107.7 mm, measured on ICRP Publication 110 [V], as the statures [C]; "
        "spread from SD 7 to 8 mm of 180 and 195 mm, British adults [V]",
    ),
    FormParameter(
        name="skull.breadth_log",
        spread=0.03,
        female=0.04,
        source="half the head's breadth 76.2 and 82.9 mm, measured on ICRP Publication 110 [V], as the statures, where "
        "her proportions make it 4 % narrower [C]; spread [D]",
    ),
    FormParameter(name="face.height_log", spread=0.06, female=0.0, source="[D]"),
    FormParameter(
        name="femur.neck_rad",
        spread=0.1,
        female=0.0,
        source="neck and shaft, SD 6.5 degrees in 50 femora, Khaleel and Shaik, abstract [V]; positive is varus",
    ),
)

# Depth (along y) of whole groups against the default skeleton, in both sexes: the default skeleton, modelled to be
# looked at from in front, has thin forearms, hands, shoulder blades and jaw and a bulky sternum, by volume against
# ICRP Publication 110; depth alone mends part of that and leaves the frontal silhouette as it is [D].
_DEPTH = {
    "mandible": 1.4,
    "scapula": 1.4,
    "radius": 1.4,
    "ulna": 1.4,
    "carpal": 1.4,
    "metacarpal": 1.4,
    "phalanx_hand": 1.4,
    "sternum": 0.6,
}

# Where things are on the default skeleton (mm).
_RIB_HEADS_Z_MM = (1122.0, 1198.0, 1253.0, 1311.0, 1370.0, 1432.0)
_RIB_HEADS_Y_MM = (25.0, 40.0, 50.0, 57.0, 50.0, 25.0)
_CLAVICLE_LATERAL_X_MM = 144.0
_NOTCH_Z_MM = 1385.0
_HIP_Z_MM = 881.0
_SACROILIAC_X_MM = 45.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Anatomy:
    """The default skeleton, sorted into what form acts on; masks are by ellipsoid."""

    thorax: Mask  # ribs and sternum
    trunk: Mask  # ribs, sternum, thoracic vertebrae, shoulder blades
    clavicle: Mask
    vertebra: Mask
    sternum: Mask
    hip_bone: Mask
    sacrum: Mask
    rib: Mask
    flat: Mask
    scapula: Mask
    head: Mask
    femur: Mask
    stout: Array  # (ellipsoid, 3, 3): what a unit of stoutness adds to a point's distance from `stout_from`
    stout_from_mm: Array  # (ellipsoid, 3)
    vertebra_y_mm: Array  # (ellipsoid,) middle of its own vertebra
    depth: Array  # (ellipsoid,) of `_DEPTH`


@cache
def _anatomy() -> _Anatomy:
    skeleton = default_skeleton()
    bone_of = np.array(skeleton.bones)[skeleton.bone_index]

    def those(*prefixes: str) -> Mask:
        return np.array([name.startswith(prefixes) for name in bone_of])

    stout, stout_from = _stoutness(skeleton)
    middle = np.array([skeleton.centres_mm[skeleton.bone_index == k].mean(axis=0) for k in range(len(skeleton.bones))])
    return _Anatomy(
        thorax=those("rib", "sternum"),
        trunk=those("rib", "sternum", "vertebra_t", "scapula"),
        clavicle=those("clavicle"),
        vertebra=those("vertebra"),
        sternum=those("sternum"),
        hip_bone=those("hip_bone"),
        sacrum=those("sacrum"),
        rib=those("rib"),
        flat=those("hip_bone", "scapula", "sternum", "skull", "mandible", "sacrum"),
        scapula=those("scapula"),
        head=those("skull", "mandible"),
        femur=those("femur"),
        stout=stout,
        stout_from_mm=stout_from,
        vertebra_y_mm=middle[skeleton.bone_index, 1],
        depth=np.array([next((f for prefix, f in _DEPTH.items() if name.startswith(prefix)), 1.0) for name in bone_of]),
    )


def _stoutness(skeleton: Skeleton) -> tuple[Array, Array]:
    """How a bone of the limbs grows stouter: away from its own long axis, or all ways where it is short.

    Femur and humerus grow about the line between their joints, which keeps both heads in their sockets.
    """
    pivots = {segment.name: np.array(segment.pivot_mm, dtype=float) for segment in SEGMENTS}
    between = {"femur": ("thigh", "shank"), "humerus": ("arm", "forearm")}
    long = ("femur", "humerus", "radius", "ulna", "tibia", "fibula", "clavicle", "metacarpal", "metatarsal", "phalanx")
    short = ("carpal", "tarsal", "patella", "sesamoid")
    volumes = skeleton.volumes_mm3()
    grows = np.zeros((len(volumes), 3, 3))
    origin = np.zeros((len(volumes), 3))
    for k, name in enumerate(skeleton.bones):
        if not name.startswith(long + short):
            continue
        own = np.flatnonzero(skeleton.bone_index == k)
        centre = np.average(skeleton.centres_mm[own], axis=0, weights=volumes[own])
        along = np.zeros(3)
        if name.startswith(long):
            joints = between.get(name[:-2])
            if joints:
                centre = pivots[joints[0] + name[-2:]]
                along = pivots[joints[1] + name[-2:]] - centre
                along /= np.linalg.norm(along)
            else:
                offsets = skeleton.centres_mm[own] - centre
                inertia = np.einsum("e,ei,ej->ij", volumes[own], offsets, offsets)
                inertia += np.einsum("e,eik,ejk->ij", volumes[own], skeleton.axes_mm[own], skeleton.axes_mm[own]) / 5
                along = np.linalg.eigh(inertia)[1][:, -1]
        grows[own] = np.eye(3) - np.outer(along, along)
        origin[own] = centre
    return grows, origin


def shaped_skeleton(sex: str, form: Array | None = None) -> Skeleton:
    """A person's bones: the default skeleton given a sex and a form.

    The reference man has the default skeleton's silhouette from in front, to the last pixel, and other depths of
    forearms, hands, shoulder blades, jaw and sternum; the reference woman is more gracile, her ribs slope more and her
    pelvis is wider, lower and more open below. Her breadth and lengths against a man's come with
    `bonescan.anatomy.pose.pose_person`: what stands there is not done here again.

    Parameters
    ----------
    sex : str
        ``"female"`` or ``"male"``.
    form : (parameter,) ndarray, optional
        Deviations from the reference person of that sex in the order of `FORM_PARAMETERS`, each within `FORM_LIMIT`
        spreads; default none.

    Returns
    -------
    Skeleton
        To be posed like the default one.

    Raises
    ------
    InvalidValue
        For another sex, or a form of the wrong length or beyond its limits.

    Examples
    --------
    >>> woman = shaped_skeleton("female")
    >>> len(woman.bones)
    205
    """
    if sex not in _SEXES:
        raise InvalidValue(f"Sex is 'male' or 'female' here, got {sex!r}.", got=sex)
    values = np.zeros(len(FORM_PARAMETERS)) if form is None else np.asarray(form, dtype=float)
    if values.shape != (len(FORM_PARAMETERS),):
        raise InvalidValue(
            f"A form has {len(FORM_PARAMETERS)} numbers, in the order of FORM_PARAMETERS; got shape {values.shape}.",
            expected=len(FORM_PARAMETERS),
            got=values.shape,
        )
    for parameter, value in zip(FORM_PARAMETERS, values, strict=True):
        if not abs(value) <= FORM_LIMIT * parameter.spread * (1 + 1e-9):
            raise InvalidValue(
                f"{parameter.name} may lie up to {FORM_LIMIT * parameter.spread:g} from its reference, got {value:g}.",
                parameter=parameter.name,
                got=float(value),
            )
    if sex == "female":
        values = values + [parameter.female for parameter in FORM_PARAMETERS]
    named = {parameter.name: float(value) for parameter, value in zip(FORM_PARAMETERS, values, strict=True)}
    skeleton = default_skeleton()
    axes = _walls(skeleton.axes_mm, named)
    ends = np.concatenate([axes, -axes], axis=2).transpose(0, 2, 1)
    points = skeleton.centres_mm[:, None] + np.concatenate([np.zeros((len(axes), 1, 3)), ends], axis=1)
    moved = points + _displacement(points, named)
    return Skeleton(
        bones=skeleton.bones,
        bone_index=skeleton.bone_index,
        segment_index=skeleton.segment_index,
        centres_mm=moved[:, 0],
        axes_mm=((moved[:, 1:4] - moved[:, 4:]) / 2).transpose(0, 2, 1),
    )


def draw_form(rng: np.random.Generator, sex: str) -> Array:
    """The form of a random person: every parameter for itself, normal, cut at 2.5 spreads.

    Parameters
    ----------
    rng : numpy.random.Generator
    sex : str
        ``"female"`` or ``"male"``; the spreads are the same for both.

    Returns
    -------
    (parameter,) ndarray
        For `shaped_skeleton` with the same sex.

    Raises
    ------
    InvalidValue
        For another sex.

    Examples
    --------
    >>> form = draw_form(np.random.default_rng(1), "female")
    >>> skeleton = shaped_skeleton("female", form)
    """
    if sex not in _SEXES:
        raise InvalidValue(f"Sex is 'male' or 'female' here, got {sex!r}.", got=sex)
    drawn = rng.standard_normal(len(FORM_PARAMETERS))
    while (beyond := np.abs(drawn) > _DRAWN_LIMIT).any():
        drawn[beyond] = rng.standard_normal(int(beyond.sum()))
    return np.asarray(drawn * [parameter.spread for parameter in FORM_PARAMETERS])


def _walls(axes_mm: Array, form: dict[str, float]) -> Array:
    """Half-axes with the walls of flat bones and ribs thicker or thinner, and depth as `_DEPTH` has it."""
    parts = _anatomy()
    axes = axes_mm.copy()
    axes[:, 1] *= parts.depth[:, None]
    lengths = np.linalg.norm(axes, axis=1)
    rank = lengths.argsort(axis=1).argsort(axis=1)
    scale = np.ones_like(lengths)
    scale[parts.flat[:, None] & (rank == 0)] = np.exp(form["flat_bones.thickness_log"])
    scale[parts.rib[:, None] & (rank < 2)] = np.exp(form["ribs.thickness_log"])
    return np.asarray(axes * scale[:, None])


def _ramp(value: Array, low: float, high: float) -> Array:
    """0 at and below ``low``, 1 at and beyond ``high``, smooth between; ``low`` may be the greater."""
    s = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(s * s * (3 - 2 * s))


def _displacement(points: Array, form: dict[str, float]) -> Array:
    """The field at points of each ellipsoid's bone, (ellipsoid, point, 3) ndarray in mm."""
    parts = _anatomy()
    x, y, z = np.moveaxis(points, 2, 0)
    outwards = np.abs(x)
    moved = np.zeros_like(points)
    grow = {name: np.expm1(value) for name, value in form.items() if name.endswith("_log")}

    # Rib cage. The clavicle follows the sternum at its inner end and stays at its outer one.
    thorax = parts.thorax[:, None] + parts.clavicle[:, None] * (1 - np.clip(outwards / _CLAVICLE_LATERAL_X_MM, 0, 1))
    before_heads = np.interp(z, _RIB_HEADS_Z_MM, _RIB_HEADS_Y_MM) - y
    moved[..., 1] -= grow["thorax.depth_log"] * thorax * before_heads
    moved[..., 2] -= form["thorax.slope_rad"] * thorax * before_heads
    moved[..., 0] += grow["thorax.flare_log"] * parts.thorax[:, None] * x * _ramp(z, 1270, 1110)
    hump = 0.5 * (1 + np.cos(np.pi * np.clip((z - 1280) / 140, -1, 1)))
    moved[..., 1] += form["thorax.kyphosis_mm"] * parts.trunk[:, None] * hump * _ramp(y, -60, 40)
    moved[..., 2] += grow["sternum.length_log"] * parts.sternum[:, None] * (z - _NOTCH_Z_MM)

    # Pelvis. The hip bone follows the sacrum at their joint; the sockets stay where the thighs turn.
    pelvis = (parts.hip_bone | parts.sacrum)[:, None]
    hip_bone = parts.hip_bone[:, None]
    side = np.sign(x)
    beyond_joint = np.clip(outwards - _SACROILIAC_X_MM, 0, None)
    moved[..., 0] += grow["pelvis.flare_log"] * hip_bone * side * beyond_joint * 1.4 * _ramp(z, 900, 1000)
    moved[..., 1] += grow["pelvis.depth_log"] * pelvis * (y - 10)
    moved[..., 2] += grow["pelvis.height_log"] * hip_bone * (z - _HIP_Z_MM)
    below_symphysis = np.clip(872 - z, 0, None)
    moved[..., 0] += 1.6 * form["pelvis.arch_rad"] * hip_bone * side * _ramp(outwards, 2, 12) * below_symphysis
    within = np.clip(x, -_SACROILIAC_X_MM, _SACROILIAC_X_MM)
    moved[..., 0] += grow["sacrum.width_log"] * pelvis * within * _ramp(z, 890, 950)

    # Spine, shoulder, head.
    moved[..., 0] += grow["vertebrae.stoutness_log"] * parts.vertebra[:, None] * x
    moved[..., 1] += grow["vertebrae.stoutness_log"] * parts.vertebra[:, None] * (y - parts.vertebra_y_mm[:, None])
    shoulder = np.stack([152.0 * side, np.full_like(y, 22.0), np.full_like(z, 1402.0)], axis=2)
    moved += grow["scapula.size_log"] * parts.scapula[:, None, None] * (points - shoulder)
    moved[..., 1] += grow["skull.length_log"] * parts.head[:, None] * (y - 20)
    moved[..., 0] += grow["skull.breadth_log"] * parts.head[:, None] * x
    moved[..., 2] += (
        grow["face.height_log"] * parts.head[:, None] * (z - 1600) * _ramp(z, 1615, 1585) * _ramp(y, 10, -20)
    )

    # Limbs.
    stouter = np.einsum("eij,epj->epi", parts.stout, points - parts.stout_from_mm[:, None])
    moved += grow["limbs.stoutness_log"] * stouter
    moved[..., 2] += form["femur.neck_rad"] * parts.femur[:, None] * (outwards - 88) * _ramp(z, 700, 810)
    return moved
