"""From two views to findings: spots joined, named, measured.

The steps of `find`: build the normal expectation of every view, detect what departs from it,
join anterior and posterior spots that are one place of the body, name each by
bone or organ, and measure it.

Depth from the two views
------------------------
A small source at depth d behind the back's skin, in a body of thickness T, gives net counts
``n_P = n exp(-mu d)`` and ``n_A = n exp(-mu (T - d))``, so that ::

    d = T / 2 + ln(n_A / n_P) / (2 mu)

with mu_eff = 0.12 +- 0.01 per cm, the broad-beam value of Tc-99m in soft tissue with a 20 % window,
scatter included. T is what the labels give for the bone: its depth behind the front
plus its depth behind the back. The uncertainty holds counting noise, 15 % for each
outline, 15 mm for T and that of mu.

References
----------
Thomas SR, Maxon HR, Kereiakes JG. In vivo quantitation of lesion radioactivity using external
counting methods. Med Phys 1976;3:253, doi:10.1118/1.594287.
Siegel JA et al. MIRD pamphlet no. 16. J Nucl Med 1999;40:37S (conjugate views, effective attenuation).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import bone as bone_of
from bonescan.anatomy import mass_table
from bonescan.anatomy.body import TISSUE_MU_PER_MM
from bonescan.measurement import Measurement
from bonescan.reading.findings.detection import URINE_HALF_WIDTH_MM, Spot, detect_cold, detect_hot, together
from bonescan.reading.findings.detection import outlined as measured
from bonescan.reading.findings.normal import NormalView, expect_normal
from bonescan.reading.findings.physiologic import (
    OFF_BONE,
    Call,
    Landmarks,
    Sighting,
    as_bone,
    classify,
    find_bladder,
    find_twins,
    locate,
)
from bonescan.reading.findings.sites import USUAL, Atlas, Place, Seen, atlas_of, side_of
from bonescan.reading.measures.burden import involved_mass_percent
from bonescan.reading.model import (
    Author,
    BoneMap,
    Finding,
    FindingView,
    Kind,
    LabelledView,
    Labels,
    Polarity,
)
from bonescan.reading.network import DenseView, Glance
from bonescan.reading.outlines import border
from bonescan.scan import Scan, View, ViewName

__all__ = ["Ground", "believed", "find", "ground_of", "letter_of", "outlined", "source_depth"]

MU_SD_PER_MM = 0.001
THICKNESS_SD_MM = 15.0
OUTLINE_SD = 0.45
"""Of the net counts within one view's outline: what lies before and behind, and an outline drawn in noise [C]."""

BEYOND_BONE_MM = 15.0
"""How far from the fitted bone a depth is believed: the fit, and what a focus adds to the bone's surface [D]."""

JOIN_MM = 14.0
ONE_PLACE_MM, APART_MM = 25.0, 35.0
"""How far apart sightings of one named place are one focus told twice, in one view and one in each [D]: vertebrae and
ribs, the smallest places that are named, are 25 mm and more apart."""

SURELY_SEEN = 0.5
"""From which the network's ``hot`` map makes a candidate of what lies off the fitted bones [D]."""

_NEIGHBOURS = frozenset(
    frozenset(pair)
    for pair in (
        *((1, 2), (2, 3), (3, 4), (3, 9), (4, 6), (4, 7), (4, 9), (5, 6), (4, 5), (6, 7), (6, 8), (7, 8), (8, 13)),
        *((9, 10), (9, 11), (10, 11), (11, 12), (12, 15), (13, 14), (15, 16), (16, 17)),
    )
)


def find(scan: Scan, labels: Labels, glance: Glance | None = None) -> tuple[Finding, ...]:
    """Find the hot and cold spots of a scan.

    Parameters
    ----------
    scan : Scan
    labels : Labels
        Of the same scan, one labelled view for every view.
    glance : Glance, optional
        What a network makes of the scan. Where it is given, the findings are candidates, more than can be true, for
        `bonescan.reading.findings.natures.judge` to choose from.

    Returns
    -------
    tuple of Finding
        Bone findings first, each kind in order of decreasing significance.

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    ground = ground_of(scan, labels)
    normals = [(ground.normals[name], labelled) for name, (_, labelled) in ground.views.items()]
    with ThreadPoolExecutor() as pool:
        cold = dict(pool.map(lambda pair: (pair[0].name, detect_cold(*pair)), normals))
    seen = None if glance is None else {dense.name: dense for dense in glance.views}
    hot = detect_hot(normals, seen)
    landmarks = ground.landmarks
    sightings = _as_one(_join(hot, labels), normals, ground.atlas)
    bladder = find_bladder(sightings, landmarks)
    twins = find_twins(sightings)
    named: list[tuple[Sighting, Call]] = []
    for index, sighting in enumerate(sightings):
        call = classify(
            sighting,
            landmarks,
            side=side_of(sighting.x_mm),
            is_bladder=index == bladder,
            has_twin=index in twins,
            seen_in_bone=seen is not None and _hottest(sighting, seen) >= SURELY_SEEN,
        )
        if call is not None:
            named.append((sighting, call))
    named += [(sighting, _cold_call()) for sighting in _join(cold, labels)]
    named.sort(key=lambda item: (item[1].kind is not Kind.BONE, -_strength(item[0])))
    return tuple(_finding(number, s, call, ground) for number, (s, call) in enumerate(named, start=1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """On what a scan's findings are measured.

    Parameters
    ----------
    views : mapping of ViewName to (View, LabelledView)
    normals : mapping of ViewName to NormalView
    labels : Labels
    landmarks : Landmarks
    atlas : Atlas
    """

    views: Mapping[ViewName, tuple[View, LabelledView]]
    normals: Mapping[ViewName, NormalView]
    labels: Labels
    landmarks: Landmarks
    atlas: Atlas


def ground_of(scan: Scan, labels: Labels) -> Ground:
    """Find what normal bone would show in every view of a scan, and what its places are called.

    Parameters
    ----------
    scan : Scan
    labels : Labels
        Of the same scan.

    Returns
    -------
    Ground

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    views = {view.name: (view, labelled) for view, labelled in labels.paired_with(scan)}
    with ThreadPoolExecutor() as pool:  # the views beside each other: filters leave the interpreter free
        normals = dict(zip(views, pool.map(lambda pair: expect_normal(*pair), views.values()), strict=True))
    return Ground(views=views, normals=normals, labels=labels, landmarks=locate(labels), atlas=atlas_of(labels))


def outlined(
    masks: Mapping[ViewName, NDArray[np.bool_]],
    ground: Ground,
    significance: Mapping[ViewName, NDArray[np.float32]],
    *,
    number: int,
    kind: Kind,
    bone: str = "",
    polarity: Polarity | None = None,
) -> Finding:
    """Measure what a physician has outlined as `find` measures what it finds.

    Parameters
    ----------
    masks : mapping of ViewName to (row, column) ndarray of bool
        The finding's pixels in one view or both, one at least in each.
    ground : Ground
    significance : mapping of ViewName to (row, column) ndarray of float32
        Of every pixel, as `bonescan.reading.findings.detection.significance` gives it.
    number : int
        Its id.
    kind : Kind
    bone : str
        Where it lies, by the physician; empty for what the labels say.
    polarity : Polarity, optional
        By default cold where the clearer view shows less than half of normal, else hot.

    Returns
    -------
    Finding
        Not judged yet. A hot one of bone counts by place and level alone.
    """
    spots: dict[ViewName, Spot] = {}
    for name, mask in sorted(masks.items(), key=lambda item: -int(item[1].sum())):
        normal, labelled = ground.normals[name], ground.views[name][1]
        spots[name] = measured(mask, normal, labelled, significance[name], polarity)
        polarity = spots[name].polarity
    spots = {name: spots[name] for name in ground.views if name in spots}
    sighting = _sighting(spots, {name: labelled for name, (_, labelled) in ground.views.items()})
    call = Call(kind=kind, place="", in_burden=False, reason="")
    if kind is Kind.BONE:
        call = _cold_call() if polarity is Polarity.COLD else as_bone(sighting, ground.landmarks)
    elif sighting.off_bone >= OFF_BONE:
        call = replace(call, place="soft tissue")
    return replace(_finding(number, sighting, call, ground, bone), drawn_by=Author.PHYSICIAN)


def source_depth(
    net_anterior: float,
    net_posterior: float,
    variance_anterior: float,
    variance_posterior: float,
    thickness_mm: float,
) -> Measurement:
    """Depth of a small source behind the back's skin, from its net counts in both views.

    Parameters
    ----------
    net_anterior, net_posterior : float
        Counts over background, positive.
    variance_anterior, variance_posterior : float
        Their variances.
    thickness_mm : float
        Of the body along the ray.

    Returns
    -------
    Measurement
        In mm (see the module's equation), or absent when the counts fit no depth within the body.
    """
    method = "attenuated ratio of net counts, anterior to posterior, mu_eff 0.12/cm"
    source = "doi:10.1118/1.594287"
    if net_anterior <= 0 or net_posterior <= 0:
        return _absent("mm", method, "one view shows no net counts there", source)
    ratio = math.log(net_anterior / net_posterior)
    depth = thickness_mm / 2 + ratio / (2 * TISSUE_MU_PER_MM)
    relative = variance_anterior / net_anterior**2 + variance_posterior / net_posterior**2 + 2 * OUTLINE_SD**2
    variance = (
        relative / (2 * TISSUE_MU_PER_MM) ** 2
        + (THICKNESS_SD_MM / 2) ** 2
        + (ratio * MU_SD_PER_MM / (2 * TISSUE_MU_PER_MM**2)) ** 2
    )
    spread = math.sqrt(variance)
    if not -spread <= depth <= thickness_mm + spread:
        return _absent("mm", method, "the two views' counts fit no single depth within the body", source)
    return Measurement(
        value=min(max(depth, 0.0), thickness_mm), unit="mm", uncertainty=spread, method=method, source=source
    )


def _join(spots: Mapping[ViewName, Sequence[Spot]], labels: Labels) -> list[Sighting]:
    """One sighting per place: nearest spots of the two views in the (x, z) frame, if their regions touch.

    Spots that stand alone find their partners first; one that does not is kept only beside one that does.
    """
    views = {view.name: view for view in labels.views}
    front = list(spots.get(ViewName.ANTERIOR, ()))
    back = list(spots.get(ViewName.POSTERIOR, ()))
    front_as, back_as = (
        [(_radius_mm(spot, views[name]), _region(spot, views[name])[0]) for spot in own]
        for name, own in ((ViewName.ANTERIOR, front), (ViewName.POSTERIOR, back))
    )
    candidates = []
    for i, a in enumerate(front):
        for j, p in enumerate(back):
            distance = math.hypot(a.x_mm - p.x_mm, a.z_mm - p.z_mm)
            radius = max(front_as[i][0], back_as[j][0])
            regions = {front_as[i][1], back_as[j][1]}
            touching = len(regions) == 1 or 0 in regions or frozenset(regions) in _NEIGHBOURS
            touching = touching or ((front_as[i][1], back_as[j][1]) == (5, 3) and _shines_through(a, p, views))
            if touching and distance <= JOIN_MM + 0.6 * radius and (a.stands_alone or p.stands_alone):
                candidates.append((not (a.stands_alone and p.stands_alone), distance, i, j))
    partner: dict[int, int] = {}
    for _, _, i, j in sorted(candidates):
        if i not in partner and j not in partner.values():
            partner[i] = j
    joined: list[dict[ViewName, Spot]] = [
        {ViewName.ANTERIOR: front[i], ViewName.POSTERIOR: back[j]} for i, j in sorted(partner.items())
    ]
    joined += [{ViewName.ANTERIOR: a} for i, a in enumerate(front) if i not in partner and a.stands_alone]
    joined += [{ViewName.POSTERIOR: p} for j, p in enumerate(back) if j not in partner.values() and p.stands_alone]
    return [_sighting(one, views) for one in joined]


def _shines_through(front: Spot, back: Spot, views: Mapping[ViewName, LabelledView]) -> bool:
    """Whether a spot of the sternum is, by both views' counts, what the back shows of the vertebra behind it."""
    depths = {
        bone.bone: bone.depth_mm
        for bone in views[ViewName.POSTERIOR].bones
        if bone.bone.startswith("vertebra_") and _covers(bone, back)
    }
    for bone in views[ViewName.ANTERIOR].bones:
        if bone.bone in depths:
            behind, before = depths[bone.bone], bone.depth_mm
            counts = front.net_counts, back.net_counts, front.net_variance, back.net_variance
            depth = source_depth(*counts, behind + before)
            if depth.value is not None and depth.uncertainty is not None:
                return abs(depth.value - behind) <= depth.uncertainty
    return False


def _covers(bone: BoneMap, spot: Spot) -> bool:
    row, column = spot.peak_row - bone.row, spot.peak_column - bone.column
    height, width = bone.thickness_mm.shape
    return 0 <= row < height and 0 <= column < width and bool(bone.thickness_mm[row, column] > 0)


def _sighting(spots: Mapping[ViewName, Spot], views: Mapping[ViewName, LabelledView]) -> Sighting:
    weights = {name: max(abs(spot.net_counts), 1.0) for name, spot in spots.items()}
    total = sum(weights.values())
    votes: dict[int, float] = {}
    off_bone = 1.0
    for name, spot in spots.items():
        region, outside = _region(spot, views[name])
        votes[region] = votes.get(region, 0.0) + weights[name] * (0.1 if region == 0 else 1.0)
        off_bone = min(off_bone, outside)
    largest = max(spots, key=lambda name: float(spots[name].mask.sum()))
    length, width = _extent_mm(spots[largest], views[largest])
    return Sighting(
        spots=spots,
        region=max(votes, key=lambda region: votes[region]),
        off_bone=off_bone,
        x_mm=sum(weights[name] * spot.x_mm for name, spot in spots.items()) / total,
        z_mm=sum(weights[name] * spot.z_mm for name, spot in spots.items()) / total,
        area_mm2=max(math.pi * _radius_mm(spot, views[name]) ** 2 for name, spot in spots.items()),
        length_mm=length,
        width_mm=width,
    )


def _as_one(
    sightings: Sequence[Sighting], normals: Sequence[tuple[NormalView, LabelledView]], atlas: Atlas
) -> list[Sighting]:
    """Join sightings that are one place told twice: of one bone and one named place, and near each other.

    Two of one view are joined within `ONE_PLACE_MM`; one of each view, which the fit may show apart, within `APART_MM`.
    """
    views = {normal.name: (normal, labelled) for normal, labelled in normals}
    rest = sorted(sightings, key=lambda one: -_strength(one))
    joined: list[Sighting] = []
    while rest:
        one = rest.pop(0)
        words = _joinable(one, atlas)
        for other in list(rest) if words else ():
            apart = math.hypot(one.x_mm - other.x_mm, one.z_mm - other.z_mm)
            limit = ONE_PLACE_MM if one.spots.keys() & other.spots.keys() else APART_MM
            if apart <= limit and _joinable(other, atlas) == words:
                both = _both(one, other, views)
                if both is not None:
                    one = both
                    rest = [left for left in rest if left is not other]
        joined.append(one)
    return joined


def _joinable(sighting: Sighting, atlas: Atlas) -> str:
    """The place's words where it is one of bone that no urine is near; else empty."""
    near_urine = sighting.region in (10, 11) and abs(sighting.x_mm) <= URINE_HALF_WIDTH_MM
    if sighting.off_bone >= OFF_BONE or near_urine:
        return ""
    place = _named(sighting, atlas)
    return place.words if place.bone else ""


def _both(one: Sighting, other: Sighting, views: Mapping[ViewName, tuple[NormalView, LabelledView]]) -> Sighting | None:
    spots = dict(one.spots)
    for name, spot in other.spots.items():
        measured = together([spots[name], spot], *views[name]) if name in spots else spot
        if measured is None:
            return None
        spots[name] = measured
    return _sighting(spots, {name: labelled for name, (_, labelled) in views.items()})


def _named(sighting: Sighting, atlas: Atlas, bone: str = "") -> Place:
    seen = {name: Seen(mask=spot.mask, significance=spot.significance) for name, spot in sighting.spots.items()}
    return atlas.place(seen, sighting.region, sighting.x_mm, sighting.z_mm, bone)


def _region(spot: Spot, view: LabelledView) -> tuple[int, float]:
    """The commonest region under a spot (0 only where there is no other), and the fraction under none."""
    counts = np.bincount(view.regions[spot.mask], minlength=18)
    outside = float(counts[0] / counts.sum())
    return (0, outside) if counts[1:].sum() == 0 else (int(counts[1:].argmax()) + 1, outside)


def _radius_mm(spot: Spot, view: LabelledView) -> float:
    return math.sqrt(float(spot.mask.sum()) * math.prod(view.pixel_mm) / math.pi)


def _extent_mm(spot: Spot, view: LabelledView) -> tuple[float, float]:
    """Full extents along and across the main axis (4 standard deviations, exact for an ellipse)."""
    x, z = view.x_mm[spot.mask].astype(float), view.z_mm[spot.mask].astype(float)
    covariance = (np.cov(np.stack([x, z])) if len(x) > 1 else np.zeros((2, 2))) + np.eye(2) * 0.1
    small, large = np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), 0.0))
    return 4 * float(large), 4 * float(small)


def _hottest(sighting: Sighting, seen: Mapping[ViewName, DenseView]) -> float:
    """What the network's map of bone foci shows at most within a sighting."""
    return max(
        (float(seen[name].foci["hot"][spot.mask].max()) for name, spot in sighting.spots.items() if name in seen),
        default=0.0,
    )


def _strength(sighting: Sighting) -> float:
    return max(abs(spot.significance) for spot in sighting.spots.values())


def _cold_call() -> Call:
    return Call(
        kind=Kind.BONE,
        place="",
        in_burden=False,
        reason="Much less uptake than normal bone around it and on the other side: a lytic lesion, a device or "
        "something in front of the bone; it is not part of the Bone Scan Index.",
    )


def _finding(
    number: int,
    sighting: Sighting,
    call: Call,
    ground: Ground,
    bone: str = "",
) -> Finding:
    named = _named(sighting, ground.atlas, bone)
    views = ground.views
    bone_id = named.bone if call.kind is Kind.BONE else ""
    side = bone_of(bone_id).side if bone_id else side_of(sighting.x_mm)
    shown = {name: _finding_view(spot, views[name][0]) for name, spot in sighting.spots.items()}
    first = next(iter(sighting.spots.values()))
    ratios = [view.uptake_ratio for view in shown.values()]
    strongest = max(sighting.spots.values(), key=lambda spot: abs(spot.significance))
    share = 0.0
    if call.kind is Kind.BONE and first.polarity is Polarity.HOT:
        masks = {name: spot.mask for name, spot in sighting.spots.items()}
        share = float(sum(involved_mass_percent(masks, ground.labels, mass_table()).values()))
    return Finding(
        id=number,
        letter=letter_of(number),
        kind=call.kind,
        polarity=first.polarity,
        bone=bone_id,
        side=side,
        place=call.place or named.words,
        region=sighting.region,
        views=shown,
        uptake_ratio=max(ratios) if first.polarity is Polarity.HOT else min(ratios),
        uptake_reference="this person's normal bone there: along the bone, on the other side, and by region",
        significance=strongest.significance,
        depth_mm=_depth(bone_id, sighting, ground),
        mass_share_percent=share,
        in_burden=call.in_burden,
        likelihood=_absent("1", "probability of metastasis", "not judged"),
        reason=f"{call.reason} It lies at {USUAL[named.usual]}."
        if call.kind is Kind.BONE and named.usual
        else call.reason,
        site=named.site if call.kind is Kind.BONE else "",
        usual=named.usual if call.kind is Kind.BONE else "",
    )


def _finding_view(spot: Spot, view: View) -> FindingView:
    return FindingView(
        outline=border(spot.mask),
        mask=spot.mask,
        peak_row=spot.peak_row,
        peak_column=spot.peak_column,
        peak_counts=spot.peak_counts,
        area_mm2=float(spot.mask.sum()) * view.row_spacing_mm * view.column_spacing_mm,
        uptake_ratio=spot.uptake_ratio,
        significance=spot.significance,
    )


def _absent(unit: str, method: str, reason: str, source: str = "") -> Measurement:
    return Measurement(value=None, unit=unit, method=method, source=source, absent_reason=reason)


def believed(findings: Iterable[Finding], labels: Labels) -> tuple[Finding, ...]:
    """Withhold depths that the two views' counts place outside the vertebra that lies there.

    Findings are judged before: that a spot lies outside the bone tells what it is, and the weights were fitted so.

    Parameters
    ----------
    findings : iterable of Finding
    labels : Labels
        Of the same scan.

    Returns
    -------
    tuple of Finding
        A depth is believed within the vertebra, as thick as its shadow is at most, and `BEYOND_BONE_MM` around it.
        Other bones are left: a rib lies at every depth.
    """
    back = {bone.bone: bone for view in labels.views if view.name is ViewName.POSTERIOR for bone in view.bones}
    told = []
    for one in findings:
        depth, bone = one.depth_mm, back.get(one.bone)
        if depth.value is not None and bone is not None and one.bone.startswith("vertebra_"):
            reach = float(bone.thickness_mm.max()) / 2 + BEYOND_BONE_MM
            if abs(depth.value - bone.depth_mm) > reach:
                why = "the two views' counts place it outside the bone that lies there"
                one = replace(one, depth_mm=_absent("mm", depth.method, why, depth.source))
        told.append(one)
    return tuple(told)


def letter_of(number: int) -> str:
    """The mark of a finding in pictures and tables.

    Parameters
    ----------
    number : int
        1 or more.

    Returns
    -------
    str

    Examples
    --------
    >>> letter_of(1), letter_of(26), letter_of(27)
    ('A', 'Z', 'AA')
    """
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _maps(bone_id: str, view: LabelledView) -> Iterable[BoneMap]:
    return (bone for bone in view.bones if bone.bone == bone_id)


def _depth(bone_id: str, sighting: Sighting, ground: Ground) -> Measurement:
    method = "attenuated ratio of net counts, anterior to posterior, mu_eff 0.12/cm"
    if len(sighting.spots) < 2:
        return _absent("mm", method, "seen in one view only")
    if any(spot.saturated for spot in sighting.spots.values()):
        return _absent("mm", method, "its pixels are saturated")
    depths = {name: [bone.depth_mm for bone in _maps(bone_id, ground.views[name][1])] for name in sighting.spots}
    if not all(depths.values()):
        return _absent("mm", method, "no bone there tells the body's thickness")
    front, back = sighting.spots[ViewName.ANTERIOR], sighting.spots[ViewName.POSTERIOR]
    thickness = sum(values[0] for values in depths.values())
    return source_depth(front.net_counts, back.net_counts, front.net_variance, back.net_variance, thickness)
