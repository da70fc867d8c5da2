"""How much of the skeleton the hot spots involve: Bone Scan Index, positive area, lesion area.

The Bone Scan Index is the percentage of skeletal mass that hot spots involve ::

    BSI = sum over bones b of  w_b f_b          (percent)

with w_b the bone's share of skeletal mass from a named table and f_b its involved
fraction, 0 to 1. The definition is Imbriaco's; the estimator of f_b from planar views is ours.

Involved fraction
-----------------
The fitted skeleton gives t_b(x, z), the length of bone b along the ray through (x, z) of the
body's frontal plane, and d_bk, its mean distance behind the skin that faces view k. Of the counts that
the normal skeleton sends to view k through (x, z), bone b's part is ::

    v_bk = t_b exp(-mu d_bk) / sum over bones c of t_c exp(-mu d_ck)

A pixel is hot in view k where the mask M_k = 1, and the bone's involved fraction is ::

    f_b = integral of t_b max_k(v_bk M_k)  /  integral of t_b

so that (1) a bone no other bone overlies is involved by the fraction of its volume that projects under the
masks, never more; (2) a place hot in both views counts once; (3) where bones overlap, one hot pixel stands for
one bone's length, shared as they share the counts, and each bone is judged by the view that shows it best.

Assumptions: a lesion takes up the bone's whole length along the ray; density is even within a bone; mu = 0.12 per cm,
the broad-beam value of Tc-99m in soft tissue. Where disease is so widespread that overlapping bones are all hot, (3)
understates it. Of a bone cut by the picture's edge the hidden part counts as not involved.

With a network's maps
---------------------
Where a network has looked, it says of every pixel which share phi_k of the mineral along the ray is metastatic. That
share is smeared over its doubt: it sums to a third of the truth where lesions are few, and to five sixths in a
superscan. So it is one witness of the mass of a finding i, and the bone under the finding's outline the other
(percent of skeletal mass)::

    m_k = sum over bones b of  w_b t_bk / sum of t_bk                               (percent per pixel)
    f_i = mean over views k of the sum of m_k phi_k over what lies nearest to finding i, within `REACH_MM`
    u_i = mean over the views that show i of the mass of its bone under its outline
    log(mass_i) = a + b log(u_i + `LEAST_PERCENT`) + c log(f_i + `LEAST_PERCENT`)

The index of few lesions is the sum over the findings that count, that of widespread disease all that is filled, F,
with what lies near no finding and has phi of `FAR_FROM` or more::

    BSI = (1 - s) factor sum of mass_i  +  s wide F
    s = (F - `FEW_PERCENT`) / (`WIDE_PERCENT` - `FEW_PERCENT`), 0 to 1

Where no finding counts the index is 0. a, b, c, factor (more than 1, as some metastases are missed) and wide are
fitted with the natures on readings of simulated people (``data/natures.json``). Mass shares are those of
mineral, ICRP 110, of the recorded sex (male where it is unknown), as the network's share is one of mineral.
The uncertainty is then the spread of the truth about the index among those people.

Uncertainty
-----------
Without a network, one standard deviation, findings independent ::

    u^2 = sum_i [ (ds_i/dr  delta_i)^2 + ((s_iA - s_iP) / 2)^2 ]
    delta_i^2 = (1/4 pixel)^2 + (EDGE_MM / S_i)^2

s_i is the mass finding i involves; ds_i/dr its change when the outline moves by one pixel, measured by growing
and shrinking the mask; S_i the finding's significance: the outline of a blurred spot lies where noise of
relative size 1/S_i against an edge of the camera's width lets it lie. The second term is the two views'
disagreement about a finding both show. Not included: bones misplaced by the fit, and findings misjudged or missed;
where nothing was found the uncertainty is therefore unknown, not zero.

References
----------
Imbriaco M et al. A new parameter for measuring metastatic bone involvement by prostate cancer: the Bone Scan
Index. Clin Cancer Res 1998;4:1765.
Erdi YE et al. Quantitative bone metastases analysis based on image segmentation. J Nucl Med 1997;38:1401.
Positive area: the percentage of positive area on bone scan, PMC2377050.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import REGION_NAMES, MassTable, bone, mass_table
from bonescan.anatomy.body import TISSUE_MU_PER_MM
from bonescan.errors import GeometryMismatch
from bonescan.measurement import Measurement
from bonescan.reading.model import BoneMap, Burden, Finding, LabelledView, Labels, Polarity, Quality, Verdict
from bonescan.reading.network import Glance
from bonescan.scan import Scan, ViewName

__all__ = [
    "FilledMass",
    "expected_mass",
    "filled_mass",
    "index_of",
    "involved_mass_percent",
    "measure",
    "mineral_table",
    "outlined_mass",
]

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

EDGE_MM = 6.0
"""How far noise as large as the spot itself would move its outline."""
OUTLINE_PIXELS = 0.25
SMALL_BONE_CM3 = 5.0

REACH_MM = 20.0
"""How far beyond its outline a finding still answers for what the network calls metastatic [D]: about twice the
camera's resolution."""

FAR_FROM = 0.25
"""Farther from every finding only shares from here on count [D]: a few percent expected all over the skeleton
are doubt, not disease."""

LEAST_PERCENT = 0.01
"""Of skeletal mass, what is added before logarithms are taken [D]: that of a small lesion."""

FEW_PERCENT, WIDE_PERCENT = 4.0, 12.0
"""Filled mass below which disease is a sum of findings and above which it is widespread [D]: simulated people had 2.2
at most, and superscans 35 at least; between them nothing was seen."""

_DEFINITION = "Imbriaco et al., Clin Cancer Res 1998;4:1765"


def involved_mass_percent(masks: Mapping[ViewName, Mask], labels: Labels, table: MassTable) -> dict[str, float]:
    """Skeletal mass under hot masks, bone by bone.

    Parameters
    ----------
    masks : mapping of ViewName to (row, column) ndarray of bool
        Hot pixels of each view, the size of the view. A view may be absent.
    labels : Labels
    table : MassTable

    Returns
    -------
    dict of str to float
        Bone id to percent of skeletal mass, bones that are touched and have a share only.

    Raises
    ------
    GeometryMismatch
        For a mask of a view that is not labelled, or of another size.

    Notes
    -----
    See the module's equations.
    """
    hot: dict[str, list[_Shadow]] = {}
    views = {view.name: view for view in labels.views}
    for name, mask in masks.items():
        view = views.get(name)
        if view is None or mask.shape != view.regions.shape:
            expected = None if view is None else view.regions.shape
            raise GeometryMismatch(
                f"A hot mask of {mask.shape} pixels does not belong to the labelled {name} view of {expected}; "
                "use masks and labels of one scan.",
                view=name,
                expected=expected,
                got=mask.shape,
            )
        for shadow in _shadows(view, mask):
            hot.setdefault(shadow.map.bone, []).append(shadow)
    involved = {}
    for bone_id, shadows in hot.items():
        if bone_id in table.share_percent:
            fraction = _involved_fraction(bone_id, shadows, labels)
            if fraction > 0:
                involved[bone_id] = table.share_percent[bone_id] * fraction
    return involved


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilledMass:
    """Skeletal mass that a network takes for metastatic, by bone and by the finding that answers for it.

    Parameters
    ----------
    bones : tuple of str
    percent : (view, bone, 1 + finding) ndarray
        Percent of skeletal mass; the first of the last axis lies near no finding.
    """

    bones: tuple[str, ...]
    percent: Array


def mineral_table(scan: Scan) -> MassTable:
    """Mass shares of mineral for the recorded sex; the man's where none is recorded.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    MassTable
    """
    female = (scan.patient.sex or "").upper().startswith("F")
    return mass_table("icrp110-female" if female else "icrp110-male")


def filled_mass(labels: Labels, glance: Glance, findings: Sequence[Finding], table: MassTable) -> FilledMass:
    """What the network takes for metastatic, as skeletal mass.

    Parameters
    ----------
    labels : Labels
    glance : Glance
        Of the same scan.
    findings : sequence of Finding
        The earlier has a pixel that two claim.
    table : MassTable

    Returns
    -------
    FilledMass
    """
    from scipy import ndimage

    dense = {view.name: view for view in glance.views}
    views = [view for view in labels.views if view.name in dense]
    bones = tuple(sorted({one.bone for view in views for one in view.bones if one.bone in table.share_percent}))
    index = {bone_id: k for k, bone_id in enumerate(bones)}
    percent = np.zeros((len(views), len(bones), len(findings) + 1))
    places = [_place_and_radius(finding, labels) for finding in findings]
    for v, view in enumerate(views):
        nearest = np.zeros(view.regions.shape, np.int32)
        for k in range(len(findings) - 1, -1, -1):
            shown = findings[k].views.get(view.name)
            nearest[_within(view, *places[k]) if shown is None else shown.mask] = k + 1
        if findings:
            far, at = ndimage.distance_transform_edt(nearest == 0, sampling=view.pixel_mm, return_indices=True)
            nearest = np.where(far <= REACH_MM, nearest[tuple(at)], 0)
        share = dense[view.name].foci["metastatic"]
        share = np.where((nearest > 0) | (share >= FAR_FROM), share, 0.0)
        for one in view.bones:
            if one.bone in index:
                length = one.thickness_mm.astype(np.float64)
                whole = float(length.sum()) / _part_in_view(view, one)
                filled = length * share[one.box] * (table.share_percent[one.bone] / max(whole, 1e-9))
                percent[v, index[one.bone]] += np.bincount(
                    nearest[one.box].ravel(), weights=filled.ravel(), minlength=len(findings) + 1
                )
    return FilledMass(bones=bones, percent=percent)


def outlined_mass(labels: Labels, findings: Sequence[Finding], table: MassTable) -> Array:
    """Skeletal mass of every finding's own bone under its outline.

    Parameters
    ----------
    labels : Labels
    findings : sequence of Finding
    table : MassTable

    Returns
    -------
    (finding,) ndarray
        Percent, the mean over the views that show the finding; 0 where it has no bone.
    """
    views = {view.name: {one.bone: one for one in view.bones} for view in labels.views}
    of_view = {view.name: view for view in labels.views}
    told = np.zeros(len(findings))
    for k, finding in enumerate(findings):
        parts = []
        for name, shown in finding.views.items():
            one = views.get(name, {}).get(finding.bone)
            if one is None or finding.bone not in table.share_percent:
                parts.append(0.0)
                continue
            whole = float(one.thickness_mm.sum(dtype=np.float64)) / _part_in_view(of_view[name], one)
            under = float(one.thickness_mm[shown.mask[one.box]].sum(dtype=np.float64))
            parts.append(table.share_percent[finding.bone] * under / max(whole, 1e-9))
        told[k] = float(np.mean(parts)) if parts else 0.0
    return told


def expected_mass(outlined: Array, filled: Array, curve: Mapping[str, float]) -> Array:
    """Mass of metastases by the module's equation.

    Parameters
    ----------
    outlined, filled : (finding,) ndarray
        u and f, percent of skeletal mass.
    curve : mapping of str to float
        ``intercept``, ``outlined`` and ``filled``.

    Returns
    -------
    (finding,) ndarray
        Percent of skeletal mass.
    """
    logs = (np.log(one + LEAST_PERCENT) for one in (outlined, filled))
    return np.asarray(
        np.exp(curve["intercept"] + sum(curve[k] * v for k, v in zip(("outlined", "filled"), logs, strict=True)))
    )


def index_of(counted: float, filled: float, curve: Mapping[str, float]) -> tuple[float, float]:
    """The Bone Scan Index of a scan in which a finding counts, and how far its disease is widespread.

    Parameters
    ----------
    counted : float
        Expected mass of the findings that count, percent.
    filled : float
        All that the network takes for metastatic, percent.
    curve : mapping of str to float
        ``factor`` and ``wide``.

    Returns
    -------
    index : float
        Percent, 100 at most.
    widespread : float
        s of the module's equation.
    """
    widespread = min(max((filled - FEW_PERCENT) / (WIDE_PERCENT - FEW_PERCENT), 0.0), 1.0)
    index = (1 - widespread) * curve["factor"] * counted + widespread * curve["wide"] * filled
    return min(index, 100.0), widespread


def measure(
    scan: Scan,
    labels: Labels,
    findings: Sequence[Finding],
    quality: Quality,
    table: MassTable | None = None,
    glance: Glance | None = None,
) -> Burden:
    """Sum up what the hot spots involve, in total and per region.

    Parameters
    ----------
    scan : Scan
    labels : Labels
    findings : sequence of Finding
        Those with ``in_burden`` count.
    quality : Quality
        A check that withholds makes the index absent, with that check's words as the reason.
    table : MassTable, optional
        Mass shares; the Bone Scan Index's own by default, with a glance those of mineral.
    glance : Glance, optional
        What a network makes of the scan.

    Returns
    -------
    Burden
        Counts and areas of findings are given even where the index is withheld; ``by_region`` is empty then.

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    labels.paired_with(scan)  # refuses labels of another scan before anything is summed
    if table is None:
        table = mass_table() if glance is None else mineral_table(scan)
    counted = [finding for finding in findings if finding.in_burden and finding.polarity is Polarity.HOT]
    total = {view.name: np.zeros(view.regions.shape, np.bool_) for view in labels.views}
    for finding in counted:
        for name, seen in finding.views.items():
            total[name] |= seen.mask
    reason = _why_withheld(labels, quality)
    by_region: dict[int, tuple[float, int]] = {}
    if glance is not None and not reason:
        filled = filled_mass(labels, glance, findings, table)
        index, shares = _index_by_network(filled, outlined_mass(labels, findings, table), findings, table)
        by_region = _with_counts(shares, counted)
    else:
        index = _bone_scan_index(counted, total, labels, table, reason)
        if not reason:
            by_region = _with_counts(involved_mass_percent(total, labels, table), counted)
    return Burden(
        bone_scan_index_percent=index,
        mass_table=f"{table.name} version {table.version}",
        hot_spot_count=len(counted),
        positive_area_percent=_positive_area(counted, total, scan, labels, reason),
        lesion_area_mm2=_lesion_area(counted, scan, labels, quality),
        by_region=by_region,
        not_in_view=_not_in_view(labels, table),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shadow:
    """One bone in one view, and how far its pixels stand for that bone being hot.

    Parameters
    ----------
    hot : (row, column) ndarray
        v_bk M_k on the bone map's crop, 0 to 1.
    """

    map: BoneMap
    view: LabelledView
    hot: Array


def _shadows(view: LabelledView, mask: Mask) -> Iterator[_Shadow]:
    """The bones under a mask, each with its part of the counts there."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    light = np.zeros((bottom - top, right - left))
    under = []
    for one in view.bones:
        rows_of, columns_of = one.box
        r0, r1 = max(rows_of.start, top), min(rows_of.stop, bottom)
        c0, c1 = max(columns_of.start, left), min(columns_of.stop, right)
        if r0 >= r1 or c0 >= c1:
            continue
        crop = slice(r0 - one.row, r1 - one.row), slice(c0 - one.column, c1 - one.column)
        box = slice(r0 - top, r1 - top), slice(c0 - left, c1 - left)
        shine = one.thickness_mm[crop] * math.exp(-TISSUE_MU_PER_MM * one.depth_mm)
        light[box] += shine
        under.append((one, crop, box, shine))
    inside = mask[top:bottom, left:right]
    for one, crop, box, shine in under:
        lit = inside[box] & (shine > 0)
        if lit.any():
            hot = np.zeros(one.thickness_mm.shape)
            hot[crop][lit] = shine[lit] / light[box][lit]
            yield _Shadow(map=one, view=view, hot=hot)


def _involved_fraction(bone_id: str, shadows: Sequence[_Shadow], labels: Labels) -> float:
    """f_b: on the grid of the view that shows most of the bone, the views joined by nearest pixel."""
    maps = [(view, one) for view in labels.views for one in view.bones if one.bone == bone_id]
    view, one = max(maps, key=lambda pair: _volume_cm3(*pair))
    hot = np.zeros(one.thickness_mm.shape)
    for shadow in shadows:
        hot = np.maximum(hot, shadow.hot if shadow.map is one else _resample(shadow, view, one))
    length = one.thickness_mm.astype(np.float64)
    whole = float(length.sum()) / _part_in_view(view, one)
    return min(float((length * hot).sum()) / whole, 1.0)


def _resample(shadow: _Shadow, view: LabelledView, one: BoneMap) -> Array:
    """A shadow's hot values at the pixels where another view shows the same places of the bone."""
    from scipy.spatial import cKDTree

    there = shadow.map.thickness_mm > 0
    here = one.thickness_mm > 0
    tree = cKDTree(_places(shadow.view, shadow.map, there))
    _, nearest = tree.query(_places(view, one, here))
    hot = np.zeros(one.thickness_mm.shape)
    hot[here] = shadow.hot[there][nearest]
    return hot


def _places(view: LabelledView, one: BoneMap, where: Mask) -> Array:
    return np.column_stack([view.x_mm[one.box][where], view.z_mm[one.box][where]]).astype(np.float64)


def _volume_cm3(view: LabelledView, one: BoneMap) -> float:
    return float(one.thickness_mm.sum(dtype=np.float64)) * math.prod(view.pixel_mm) / 1000


def _part_in_view(view: LabelledView, one: BoneMap) -> float:
    """Fraction of a bone that the picture's edge leaves in view: 1, or by volume against the uncut bones."""
    if not _is_cut(view, one):
        return 1.0
    sizes = [
        _volume_cm3(view, other) / bone(other.bone).volume_cm3
        for other in view.bones
        if bone(other.bone).volume_cm3 > SMALL_BONE_CM3 and not _is_cut(view, other)
    ]
    size = float(np.median(sizes)) if sizes else 1.0
    return min(_volume_cm3(view, one) / (size * bone(one.bone).volume_cm3), 1.0)


def _is_cut(view: LabelledView, one: BoneMap) -> bool:
    length = one.thickness_mm
    edges = (
        (one.row == 0, length[0]),
        (one.column == 0, length[:, 0]),
        (one.row + length.shape[0] == view.regions.shape[0], length[-1]),
        (one.column + length.shape[1] == view.regions.shape[1], length[:, -1]),
    )
    return any(at_edge and bool((border > 0).any()) for at_edge, border in edges)


def _why_withheld(labels: Labels, quality: Quality) -> str:
    reasons = [check.text for check in quality.checks if check.verdict is Verdict.WITHHOLD]
    if not labels.trusted:
        reasons.append("The skeleton could not be fitted well enough to name bones.")
    elif not any(view.bones for view in labels.views):
        reasons.append("No bone lies in the field of view.")
    return " ".join(reasons)


def _bone_scan_index(
    counted: Sequence[Finding], total: Mapping[ViewName, Mask], labels: Labels, table: MassTable, reason: str
) -> Measurement:
    method = f"sum of mass share times involved fraction of each bone, mass shares {table.name}"
    if reason:
        return Measurement(value=None, unit="%", method=method, source=_DEFINITION, absent_reason=reason)
    value = sum(involved_mass_percent(total, labels, table).values())
    variance = 0.0
    for finding in counted:
        masks = {name: seen.mask for name, seen in finding.views.items()}
        slope = (_share(_moved(masks, 1), labels, table) - _share(_moved(masks, -1), labels, table)) / 2
        variance += (slope * _outline_pixels(finding, labels)) ** 2
        if len(masks) == 2:
            front, back = (_share({name: mask}, labels, table) for name, mask in masks.items())
            variance += ((front - back) / 2) ** 2
    return Measurement(
        value=float(value),
        unit="%",
        uncertainty=math.sqrt(variance) if counted else None,
        method=method,
        source=_DEFINITION,
    )


def _share(masks: Mapping[ViewName, Mask], labels: Labels, table: MassTable) -> float:
    return float(sum(involved_mass_percent(masks, labels, table).values()))


def _moved(masks: Mapping[ViewName, Mask], pixels: int) -> dict[ViewName, Mask]:
    """Masks with their outline one pixel out (+1) or in (-1), along rows and columns."""
    moved = {}
    for name, mask in masks.items():
        shown = mask if pixels > 0 else ~mask
        grown = shown.copy()
        grown[1:] |= shown[:-1]
        grown[:-1] |= shown[1:]
        grown[:, 1:] |= shown[:, :-1]
        grown[:, :-1] |= shown[:, 1:]
        moved[name] = grown if pixels > 0 else ~grown
    return moved


def _outline_pixels(finding: Finding, labels: Labels) -> float:
    """delta_i: standard deviation of the outline's place, in pixels of the body's frame."""
    pixel_mm = math.sqrt(min(math.prod(view.pixel_mm) for view in labels.views if view.name in finding.views))
    noise = EDGE_MM / pixel_mm / max(abs(finding.significance), 1.0)
    return math.hypot(OUTLINE_PIXELS, noise)


def _positive_area(
    counted: Sequence[Finding], total: Mapping[ViewName, Mask], scan: Scan, labels: Labels, reason: str
) -> Measurement:
    method = "hot over all pixels that show bone, both views"
    if reason:
        return Measurement(value=None, unit="%", method=method, source="PMC2377050", absent_reason=reason)
    areas = {view.name: view.row_spacing_mm * view.column_spacing_mm for view in scan.views}
    bones = {view.name: view.shown(view.bones) for view in labels.views}
    skeleton = sum(areas[name] * float(shown.sum()) for name, shown in bones.items())
    hot = sum(areas[name] * float((shown & total[name]).sum()) for name, shown in bones.items())
    variance = 0.0
    for finding in counted:
        masks = {name: seen.mask for name, seen in finding.views.items()}
        ring = [
            sum(areas[name] * float((mask & bones[name]).sum()) for name, mask in _moved(masks, way).items())
            for way in (1, -1)
        ]
        variance += ((ring[0] - ring[1]) / 2 * _outline_pixels(finding, labels)) ** 2
    return Measurement(
        value=100 * hot / skeleton,
        unit="%",
        uncertainty=100 * math.sqrt(variance) / skeleton if counted else None,
        method=method,
        source="PMC2377050",
    )


def _lesion_area(counted: Sequence[Finding], scan: Scan, labels: Labels, quality: Quality) -> Measurement:
    method = "sum of the hot spots' areas, both views, by the file's pixel size"
    if not all(view.spacing_known for view in scan.views):
        return Measurement(
            value=None, unit="mm2", method=method, absent_reason="The file does not give the size of its pixels."
        )
    for check in quality.checks:
        if check.code.startswith("quality.pixel_size") and check.verdict in (Verdict.WARN, Verdict.WITHHOLD):
            return Measurement(value=None, unit="mm2", method=method, absent_reason=check.text)
    sides = {view.name: (view.row_spacing_mm, view.column_spacing_mm) for view in scan.views}
    variance = 0.0
    for finding in counted:
        masks = {name: seen.mask for name, seen in finding.views.items()}
        grown, shrunk = _moved(masks, 1), _moved(masks, -1)
        ring = sum(math.prod(sides[name]) * float(grown[name].sum() - shrunk[name].sum()) / 2 for name in masks)
        variance += (ring * _outline_pixels(finding, labels)) ** 2
    return Measurement(
        value=float(sum(seen.area_mm2 for finding in counted for seen in finding.views.values())),
        unit="mm2",
        uncertainty=math.sqrt(variance) if counted else None,
        method=method,
    )


def _with_counts(shares: Mapping[str, float], counted: Sequence[Finding]) -> dict[int, tuple[float, int]]:
    """Index, from shares by bone, and number of hot spots by the region of the bone they involve."""
    by_region: dict[int, float] = {}
    for bone_id, percent in shares.items():
        region = bone(bone_id).region
        by_region[region] = by_region.get(region, 0.0) + percent
    counts: dict[int, int] = {}
    for finding in counted:
        region = bone(finding.bone).region if finding.bone else finding.region
        counts[region] = counts.get(region, 0) + 1
    return {r: (by_region.get(r, 0.0), counts.get(r, 0)) for r in sorted(by_region | counts)}


def _index_by_network(
    filled: FilledMass, outlined: Array, findings: Sequence[Finding], table: MassTable
) -> tuple[Measurement, dict[str, float]]:
    """The index by the network's maps, and its parts by bone."""
    method = f"mass of each finding by its outline and a network's share of mineral, mass shares {table.name}"
    counts = [k for k, one in enumerate(findings) if one.in_burden and one.polarity is Polarity.HOT]
    if not counts:
        return Measurement(value=0.0, unit="%", method=method, source=_DEFINITION), {}
    curve = _curve()
    by_bone = filled.percent.mean(0)
    masses = expected_mass(outlined, by_bone[:, 1:].sum(0), curve)[counts]
    value, widespread = index_of(float(masses.sum()), float(by_bone.sum()), curve)
    relative = (1 - widespread) * curve["relative_spread"] + widespread * curve["wide_spread"]
    index = Measurement(
        value=value,
        unit="%",
        uncertainty=math.hypot((1 - widespread) * curve["spread_percent"], relative * value),
        method=method,
        source=_DEFINITION,
    )
    if widespread > 0:
        parts = dict(zip(filled.bones, by_bone.sum(1).tolist(), strict=True))
    else:
        parts = {}
        for k, mass in zip(counts, masses.tolist(), strict=True):
            own = by_bone[:, 1 + k]
            shares = dict(zip(filled.bones, own / own.sum(), strict=True)) if own.sum() > 0 else {findings[k].bone: 1.0}
            for bone_id, share in shares.items():
                parts[bone_id] = parts.get(bone_id, 0.0) + mass * float(share)
    whole = sum(parts.values())
    return index, {bone_id: value * part / whole for bone_id, part in parts.items() if part > 0}


@cache
def _curve() -> dict[str, float]:
    """What is fitted of `expected_mass` and `index_of`, and the truth's spread about the index."""
    text = resources.files("bonescan.reading").joinpath("data/natures.json").read_text(encoding="utf-8")
    curve: dict[str, float] = json.loads(text)["burden"]
    return curve


def _place_and_radius(finding: Finding, labels: Labels) -> tuple[float, float, float]:
    """Centre in the body's frame and radius of the disc of equal area, mm, of a finding's larger view."""
    views = [view for view in labels.views if view.name in finding.views]
    view = max(views, key=lambda one: int(finding.views[one.name].mask.sum()))
    mask = finding.views[view.name].mask
    radius = math.sqrt(float(mask.sum()) * math.prod(view.pixel_mm) / math.pi)
    return float(view.x_mm[mask].mean()), float(view.z_mm[mask].mean()), radius


def _within(view: LabelledView, x_mm: float, z_mm: float, radius_mm: float) -> Mask:
    return np.asarray((view.x_mm - x_mm) ** 2 + (view.z_mm - z_mm) ** 2 <= radius_mm**2)


def _not_in_view(labels: Labels, table: MassTable) -> tuple[str, ...]:
    """Regions the picture lacks, each with the share of skeletal mass that therefore cannot be judged."""
    lacking: dict[int, float] = dict.fromkeys(sorted(REGION_NAMES.keys() - labels.regions_in_view), 0.0)
    for bone_id, percent in table.share_percent.items():
        region = bone(bone_id).region
        if region in lacking:
            lacking[region] += percent
    return tuple(
        f"{REGION_NAMES[region]} ({percent:.1f} % of skeletal mass)" if percent else REGION_NAMES[region]
        for region, percent in lacking.items()
    )
