"""What is notable about each finding: named numbers for the model of natures, and a sentence for each group of them.

A trait's name is ``topic.detail``; a topic is one thing a reader would mention (site, level, symmetry, number ...).
`bonescan.reading.findings.natures` weighs the numbers; the weights of one topic together stand behind its sentence.

With M a map of the network and the finding's pixels in a view, ``hot`` is the 90th percentile of M there, every other
map its mean; the larger view counts. Probabilities p enter as log(p / (1 - p)), p kept between 0.01 and 0.99.

Two sorts of traits are made of others. The same level, size or map does not mean the same everywhere, so those of
`WEIGHED_BY_PLACE` come once more, as ``topic.detail@joint``, ``@spine`` or ``@rib``, for the foci that lie there. And
what a scan's other candidates are taken for is a trait of each (`company`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.reading.findings.physiologic import Landmarks, find_pairs, locate
from bonescan.reading.findings.sites import USUAL, end_of
from bonescan.reading.model import Finding, Kind, LabelledView, Labels, Polarity
from bonescan.reading.network import DenseView, Glance
from bonescan.scan import Scan, ViewName

__all__ = [
    "BAND",
    "CLEAR_RATIO",
    "CLEAR_SIGNIFICANCE",
    "SITES",
    "Traits",
    "by_place",
    "company",
    "company_sentence",
    "describe",
    "filled_share",
    "topic_of",
]

CLEAR_RATIO, CLEAR_SIGNIFICANCE = 1.5, 8.0
"""Of a clear focus: either. [D] Above what variants and noise reached in simulated people without disease (1.47 times,
7.5 sd)."""

SITES: Mapping[str, str] = {
    "vault": "the skull's vault",
    "face": "the face",
    "cervical": "the cervical spine",
    "thoracic": "the thoracic spine",
    "lumbar": "the lumbar spine",
    "rib": "a rib",
    "costosternal": "a rib's front end, beside the sternum",
    "sternum": "the body of the sternum",
    "manubrium": "the manubrium or a sternoclavicular joint",
    "clavicle": "the clavicle's shaft",
    "scapula": "the scapula's blade",
    "shoulder": "a shoulder joint",
    "humerus": "the humerus' shaft",
    "elbow": "an elbow",
    "forearm": "the forearm",
    "hand": "a wrist or hand",
    "sacrum": "the sacrum",
    "sacroiliac": "a sacroiliac joint",
    "iliac": "the iliac bone",
    "pubis": "the pubis or ischium",
    "hip": "a hip",
    "femur": "the femur's shaft",
    "knee": "a knee",
    "leg": "the lower leg",
    "foot": "an ankle or foot",
    "none": "no bone that was fitted",
}
"""Sites that differ in what is usual there, in words."""

JOINTS = frozenset({"costosternal", "manubrium", "shoulder", "elbow", "hand", "sacroiliac", "hip", "knee", "foot"})
LIMBS = frozenset({"elbow", "forearm", "hand", "knee", "leg", "foot"})

PLACES: Mapping[str, frozenset[str]] = {
    "joint": JOINTS,
    "spine": frozenset({"cervical", "thoracic", "lumbar"}),
    "rib": frozenset({"rib"}),
}
WEIGHED_BY_PLACE = (
    "level.ratio",
    "level.z",
    "size.area",
    "views.both",
    "network.metastatic",
    "network.traumatic",
    "network.degenerative",
    "network.other",
)
"""Where wear, breaks and metastases look most alike, and what is weighed anew there [D]."""

COMPANY_FROM = 0.25
"""Least probability of a focus from which a candidate is company to the others [D]: about that of one that is told."""

SURE_HOT = 0.5
SURE_Z = 5.0
"""From which the network's ``hot``, or without a network the filter's z, makes another finding one of the scan's foci
when they are counted [D]."""

LINE_X_MM, LINE_Z_MM = 35.0, 110.0
"""Ribs broken together: foci of one side so near to each other across and along the body [D]."""

BAND_WIDTH_MM, BAND_RATIO, BAND_ASIDE_MM = (20.0, 50.0), 4 / 3, 8.0
"""Of a band across a vertebra: its width, its least width over height, and how far its middle may lie beside the
spine's. Acute compression fractures are horizontal lines in the body [V: J Clin Med 2024;13:3627]. Thoracic bodies are
22 to 36 mm wide [V: 200 dry vertebrae, IJAPB vol. 1 no. 1], lumbar ones up to 50 [M]; their sides are thin and stay
below an outline of 40 %. A camera shows a plate of 12 mm as about 18 mm high [C]. What reaches over one side of a body
is rather an osteophyte [D]."""

BAND_VERTEBRAE = frozenset({f"vertebra_t{k:02d}" for k in range(5, 13)} | {f"vertebra_l{k:02d}" for k in range(1, 6)})
"""Where osteoporosis compresses: rarely above T5 [M]. Vertebrae of the neck are wide and flat themselves."""

BAND = "It is a flat band across one vertebra, whose neighbours are free, as compression fractures show."
"""What is said of it."""

NEXT_VERTEBRA_MM = 45.0
"""One vertebra is meant: no other focus of the spine lies so near, within a lumbar vertebra and its disc [D]."""

LONG_MM, LONG_RATIO = 60.0, 3.0
"""A line along a shaft: least extent and least ratio of extents [D]."""

_KNEE, _SPINE = 15, (2, 3, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What is notable about one finding.

    Parameters
    ----------
    numbers : mapping of str to float
        By trait; a trait that is absent is 0.
    sentences : mapping of str to str
        By topic.
    """

    numbers: Mapping[str, float]
    sentences: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Seen:
    """One finding with what was measured about it."""

    finding: Finding
    site: str
    x_mm: float
    z_mm: float
    area_mm2: float
    long_mm: float
    wide_mm: float
    wide_x_mm: float
    wide_z_mm: float
    aside_mm: float
    maps: Mapping[str, float]
    least_hot: float


def topic_of(trait: str) -> str:
    """The topic a trait belongs to.

    Parameters
    ----------
    trait : str

    Returns
    -------
    str

    Examples
    --------
    >>> topic_of("site.rib")
    'site'
    """
    return trait.partition(".")[0]


def describe(
    findings: Sequence[Finding], scan: Scan, labels: Labels, glance: Glance | None = None
) -> tuple[Traits, ...]:
    """What is notable about every finding of a scan.

    Parameters
    ----------
    findings : sequence of Finding
        Of the scan; each is described in the company of the others.
    scan : Scan
    labels : Labels
    glance : Glance, optional
        What a network makes of the scan.

    Returns
    -------
    tuple of Traits
        One for every finding.
    """
    views = {labelled.name: labelled for _, labelled in labels.paired_with(scan)}
    dense = {} if glance is None else {view.name: view for view in glance.views}
    at = locate(labels)
    seen = [_look_at(finding, views, dense, at, _pelvis_width(labels)) for finding in findings]
    sure = [_is_sure(one, bool(dense)) for one in seen]
    paired = find_pairs([(one.finding.region, one.x_mm, one.z_mm, one.finding.uptake_ratio) for one in seen])
    filled = None if glance is None else filled_share(glance)
    return tuple(_describe(k, one, seen, sure, k in paired, filled, len(views)) for k, one in enumerate(seen))


def filled_share(glance: Glance) -> float:
    """Decimal logarithm of a thousandth plus the share of bone's pixels that the network takes for metastatic.

    Parameters
    ----------
    glance : Glance

    Returns
    -------
    float
        -3 to 0.
    """
    bone = sum(float((view.regions[0] < 0.5).sum()) for view in glance.views)
    filled = sum(float(view.foci["metastatic"].sum()) for view in glance.views)
    return math.log10(min(filled / max(bone, 1.0), 1.0) + 1e-3)


def by_place(numbers: Mapping[str, float]) -> dict[str, float]:
    """The traits of `WEIGHED_BY_PLACE` once more, for a focus of a joint, the spine or a rib.

    Parameters
    ----------
    numbers : mapping of str to float
        Traits of one finding.

    Returns
    -------
    dict of str to float
    """
    return {
        f"{trait}@{place}": numbers[trait]
        for place, sites in PLACES.items()
        if any(numbers.get(f"site.{site}") for site in sites)
        for trait in WEIGHED_BY_PLACE
        if trait in numbers
    }


def company(focus: Sequence[float], metastatic: Sequence[float]) -> list[dict[str, float]]:
    """What the other candidates of a scan that are likely enough foci are taken for, as traits of each.

    Parameters
    ----------
    focus, metastatic : sequence of float
        By candidate: probability of being a focus of bone disease, and a metastasis.

    Returns
    -------
    list of dict of str to float
        ``company.metastatic`` and ``company.benign``: logarithm of 0.05 plus the number expected among the others;
        ``company.likeliest``: log-odds of the likeliest metastasis among them.
    """
    told = []
    for k in range(len(metastatic)):
        others = [
            (is_focus, own)
            for j, (is_focus, own) in enumerate(zip(focus, metastatic, strict=True))
            if j != k and is_focus >= COMPANY_FROM
        ]
        told.append(
            {
                "company.metastatic": math.log(sum(own for _, own in others) + 0.05),
                "company.benign": math.log(sum(max(is_focus - own, 0.0) for is_focus, own in others) + 0.05),
                "company.likeliest": _logit(max((own for _, own in others), default=0.0)),
            }
        )
    return told


def company_sentence(numbers: Mapping[str, float]) -> str:
    """What `company` says, in words.

    Parameters
    ----------
    numbers : mapping of str to float

    Returns
    -------
    str
    """
    metastatic, benign = (math.exp(numbers[f"company.{which}"]) - 0.05 for which in ("metastatic", "benign"))
    if metastatic + benign < 0.05:
        return "No other spot of the scan is likely disease of bone."
    return (
        f"Of the scan's other spots, doubtful ones included, {metastatic:.1f} are expected to be metastases and "
        f"{benign:.1f} benign foci."
    )


# --- one finding -----------------------------------------------------------------------------------------


def _look_at(
    finding: Finding,
    views: Mapping[ViewName, LabelledView],
    dense: Mapping[ViewName, DenseView],
    at: Landmarks,
    pelvis_width_mm: float,
) -> _Seen:
    points, areas, aside = [], [], []
    for name, view in finding.views.items():
        labelled = views[name]
        points.append(np.stack([labelled.x_mm[view.mask], labelled.z_mm[view.mask]]).astype(np.float64))
        areas.append(points[-1].shape[1] * math.prod(labelled.pixel_mm))
        aside.append(_aside(view.mask, labelled))
    largest = points[int(np.argmax(areas))]
    x, z = (float(np.mean([one[k].mean() for one in points])) for k in (0, 1))
    spread = np.cov(largest) if largest.shape[1] > 1 else np.zeros((2, 2))
    small, large = 4 * np.sqrt(np.maximum(np.linalg.eigvalsh(spread + 0.1 * np.eye(2)), 0))
    maps, least = _pool(finding, views, dense, x, z, math.sqrt(max(areas) / math.pi))
    return _Seen(
        finding=finding,
        site=_site(finding, x, z, at, pelvis_width_mm),
        x_mm=x,
        z_mm=z,
        area_mm2=max(areas),
        long_mm=float(large),
        wide_mm=float(small),
        wide_x_mm=4 * math.sqrt(float(spread[0, 0])),
        wide_z_mm=4 * math.sqrt(float(spread[1, 1])),
        aside_mm=aside[int(np.argmax(areas))],
        maps=maps,
        least_hot=least,
    )


def _aside(mask: NDArray[np.bool_], labelled: LabelledView) -> float:
    """How far a finding's middle lies beside that of the spine at its height, mm; infinite where no spine is."""
    spine = np.isin(labelled.regions, _SPINE) & mask.any(axis=1, keepdims=True)
    if not spine.any():
        return math.inf
    return abs(float(labelled.x_mm[mask].mean()) - float(np.median(labelled.x_mm[spine])))


def _pool(
    finding: Finding,
    views: Mapping[ViewName, LabelledView],
    dense: Mapping[ViewName, DenseView],
    x_mm: float,
    z_mm: float,
    radius_mm: float,
) -> tuple[dict[str, float], float]:
    """The network's maps over a finding, and the least ``hot`` of the views, where the finding must lie in each."""
    maps: dict[str, float] = {}
    hot = []
    for name, view in dense.items():
        seen = finding.views.get(name)
        mask = seen.mask if seen is not None else _disc(views[name], x_mm, z_mm, radius_mm)
        if not mask.any():
            continue
        hot.append(float(np.percentile(view.foci["hot"][mask], 90)))
        if seen is not None:
            for key, values in view.foci.items():
                value = hot[-1] if key == "hot" else float(values[mask].mean())
                maps[key] = max(maps.get(key, 0.0), value)
    return maps, min(hot, default=0.0)


def _disc(labelled: LabelledView, x_mm: float, z_mm: float, radius_mm: float) -> NDArray[np.bool_]:
    apart = (labelled.x_mm - x_mm) ** 2 + (labelled.z_mm - z_mm) ** 2
    return np.asarray(apart <= max(radius_mm, 6.0) ** 2)


def _pelvis_width(labels: Labels) -> float:
    """Half the pelvis' width, mm; 140 where it is not in view."""
    widths = [float(np.percentile(np.abs(view.x_mm[view.regions == 11]), 98)) for view in labels.views
              if (view.regions == 11).sum() >= 30]  # fmt: skip
    return float(np.mean(widths)) if widths else 140.0


def _site(finding: Finding, x_mm: float, z_mm: float, at: Landmarks, pelvis_width_mm: float) -> str:
    """One of `SITES`, by region, by the third of a long bone, and by place in the skull, chest and pelvis."""
    out, end = abs(x_mm), end_of(finding.site)
    front_only = ViewName.POSTERIOR not in finding.views
    match finding.region:
        case 1:
            low = z_mm < at.skull_top - 0.4 * (at.skull_top - at.skull_bottom)
            return "face" if front_only and low else "vault"
        case 2:
            return "cervical"
        case 3:
            return "thoracic"
        case 4:
            return "costosternal" if front_only and out < 60 else "rib"
        case 5:
            return "manubrium" if z_mm > at.sternum_top - 45 else "sternum"
        case 6:
            return "manubrium" if out < 55 else "shoulder" if out > 125 else "clavicle"
        case 7:
            return "shoulder" if out > 140 else "scapula"
        case 8:
            return "shoulder" if end == "proximal" else "elbow" if end == "distal" else "humerus"
        case 9:
            return "lumbar"
        case 10:
            return "sacroiliac" if out > 22 else "sacrum"
        case 11:
            upper = z_mm > at.pelvis_bottom + 0.5 * at.pelvis_height
            if upper:
                return "sacroiliac" if out < 0.55 * pelvis_width_mm else "iliac"
            return "hip" if out > 0.5 * pelvis_width_mm else "pubis"
        case 12:
            return "hip" if end == "proximal" else "knee" if end == "distal" else "femur"
        case 13:
            return "elbow" if end == "proximal" else "hand" if end == "distal" else "forearm"
        case 14:
            return "hand"
        case 15:
            return "knee"
        case 16:
            ankle = at.leg_bottom + 0.2 * (at.leg_top - at.leg_bottom)
            return "foot" if z_mm < ankle else "knee" if end == "proximal" else "leg"
        case 17:
            return "foot"
    return "none"


def _is_sure(one: _Seen, with_network: bool) -> bool:
    if one.finding.kind is not Kind.BONE or one.finding.polarity is not Polarity.HOT:
        return with_network and one.finding.polarity is Polarity.HOT and one.maps.get("hot", 0.0) >= SURE_HOT
    return one.maps.get("hot", 0.0) >= SURE_HOT if with_network else one.finding.significance >= SURE_Z


# --- one finding among the others ------------------------------------------------------------------------


def _describe(
    k: int,
    one: _Seen,
    seen: Sequence[_Seen],
    sure: Sequence[bool],
    paired: bool,
    filled: float | None,
    views_of_scan: int,
) -> Traits:
    finding = one.finding
    others = [other for j, other in enumerate(seen) if j != k and sure[j]]
    numbers = {f"site.{one.site}": 1.0}
    sentences = {"site": _site_sentence(one.site)}
    if finding.usual:
        numbers[f"usual.{finding.usual}"] = 1.0
        sentences["usual"] = f"It lies at {USUAL[finding.usual]}."

    z = sorted((abs(view.significance) for view in finding.views.values()), reverse=True)
    numbers["level.z"] = _log(z[0], 1, 50)
    numbers["level.z_other"] = _log(z[1] if len(z) > 1 else 1.0, 1, 50)
    numbers["level.ratio"] = _log(finding.uptake_ratio, 0.5, 20)
    sentences["level"] = f"It takes up {finding.uptake_ratio:.1f} times what normal bone would there."

    numbers["size.area"] = _log(one.area_mm2 / 100, 0.3, 100)
    sentences["size"] = f"It covers {one.area_mm2 / 100:.0f} cm²." if one.area_mm2 >= 150 else "It is small."

    both = len(finding.views) > 1
    numbers["views.both"] = float(both)
    sentences["views"] = (
        "Both views show it." if both else f"Only the {next(iter(finding.views))} view shows it."
        if views_of_scan > 1 else "There is one view only."
    )  # fmt: skip

    numbers["symmetry.twin"] = float(paired)
    numbers["symmetry.midline"] = float(finding.side == "midline")
    sentences["symmetry"] = (
        "The same joint of the other side shows the like." if paired
        else "It lies at the midline." if finding.side == "midline"
        else "The other side shows nothing alike."
    )  # fmt: skip

    numbers[f"number.{_how_many(len(others))}"] = 1.0
    sentences["number"] = _number_sentence(len(others), one.site)

    line = _in_line(one, others)
    band = _is_band(one, others)
    along = one.site in ("humerus", "femur", "forearm", "leg", "rib") and one.long_mm >= max(
        LONG_MM, LONG_RATIO * one.wide_mm
    )
    numbers |= {"shape.line": float(min(line, 3)), "shape.band": float(band), "shape.long": float(along)}
    sentences["shape"] = (
        f"It stands in line with {line} more rib foci of that side, as ribs broken together do." if line
        else BAND if band
        else "It runs along the bone." if along
        else "Its shape is no line or band."
    )  # fmt: skip

    if finding.region in _SPINE and finding.depth_mm.value is not None:
        numbers["depth.spine"] = min(max((finding.depth_mm.value - 70) / 30, -2.0), 2.0)
        sentences["depth"] = f"By both views it lies {finding.depth_mm.value:.0f} mm before the skin of the back."

    numbers["rule.physiologic"] = float(finding.kind is Kind.PHYSIOLOGIC)
    numbers["rule.artefact"] = float(finding.kind is Kind.ARTEFACT)
    if finding.kind is not Kind.BONE:
        sentences["rule"] = f"By its place and shape it would be: {finding.place}."
    if filled is not None:
        numbers |= _network_numbers(one, others, filled)
        sentences["network"] = _network_sentence(one)
    numbers |= by_place(numbers)
    return Traits(numbers=numbers, sentences=sentences)


def _log(value: float, low: float, high: float) -> float:
    return math.log(min(max(value, low), high))


def _logit(probability: float) -> float:
    kept = min(max(probability, 0.01), 0.99)
    return math.log(kept / (1 - kept))


def _how_many(others: int) -> str:
    return ("one", "two")[others] if others < 2 else "few" if others < 5 else "several" if others < 10 else "many"


def _site_sentence(site: str) -> str:
    if site in LIMBS:
        return f"It lies at {SITES[site]}: more than nine in ten metastases are axial or proximal."
    return f"It lies at {SITES[site]}{', a joint that wears' if site in JOINTS else ''}."


def _number_sentence(others: int, site: str) -> str:
    if others == 0:
        alone = "; isolated rib foci are mostly benign" if site in ("rib", "costosternal") else ""
        return f"It is the scan's only focus; of single new foci in cancer patients 11 % were metastatic{alone}."
    if others == 1:
        return "There is one more focus; of two new foci in cancer patients 24 % were metastatic."
    return f"There are {others} more foci."


def _in_line(one: _Seen, others: Sequence[_Seen]) -> int:
    if one.site not in ("rib", "costosternal"):
        return 0
    return sum(
        other.site in ("rib", "costosternal")
        and abs(other.x_mm - one.x_mm) <= LINE_X_MM
        and abs(other.z_mm - one.z_mm) <= LINE_Z_MM
        and other.x_mm * one.x_mm > 0
        for other in others
    )


def _is_band(one: _Seen, others: Sequence[_Seen]) -> bool:
    """Whether a finding is as wide as a vertebral body, flat, in its middle, and alone there."""
    least, most = BAND_WIDTH_MM
    return (
        one.finding.region in _SPINE
        and one.finding.bone in BAND_VERTEBRAE
        and max(least, BAND_RATIO * one.wide_z_mm) <= one.wide_x_mm <= most
        and one.aside_mm <= BAND_ASIDE_MM
        and not any(
            other.finding.region in _SPINE and abs(other.z_mm - one.z_mm) <= NEXT_VERTEBRA_MM for other in others
        )
    )


def _network_numbers(one: _Seen, others: Sequence[_Seen], filled: float) -> dict[str, float]:
    numbers = {f"network.{key}": _logit(value) for key, value in one.maps.items()}
    numbers["network.least_hot"] = _logit(one.least_hot)
    numbers["network.others_metastatic"] = _logit(max((o.maps.get("metastatic", 0.0) for o in others), default=0.0))
    numbers["network.scan_metastatic"] = filled
    return numbers


def _network_sentence(one: _Seen) -> str:
    natures = ("metastatic", "traumatic", "degenerative", "other", "urine", "artefact")
    strongest = max(natures, key=lambda key: one.maps.get(key, 0.0))
    hot = one.maps.get("hot", 0.0)
    if one.maps.get(strongest, 0.0) < 0.05:
        return f"A network taught on simulated people gives {hot:.0%} to a focus of bone there, of no nature it knows."
    return f"A network taught on simulated people gives {hot:.0%} to a focus of bone there, most like {strongest}."
