"""Label every view: planar regions and single bones, from the fitted skeleton.

The regions are outlines that move with the fitted body, and where a network has looked
at the scan, what both together make most likely; the bones are the shadow of the body's
ellipsoids. Gates (`bonescan.reading.gates`) say when neither should be believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.body import Body
from bonescan.anatomy.bones import REGION_NAMES, bone
from bonescan.anatomy.pose import PARAMETERS, PosedSkeleton, pose_skeleton
from bonescan.anatomy.projection import BoneShadow, project_bones
from bonescan.anatomy.regions import paint_limbs, paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.reading.gates import agreement, exchange_remark, gates, network_gates
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.reading.network import REGIONS, DenseView, Glance
from bonescan.reading.skeleton.fit import BodyFit, fit_body
from bonescan.reading.skeleton.picture import exposed_fields
from bonescan.scan import Scan, Severity, View, ViewName

__all__ = ["fused_regions", "label"]

Array = NDArray[np.float64]

# Outlines and network together; see `fused_regions`. Chosen on one half of the real scans [C].
_OUTLINE_ERROR_MM = 5.0
_OUTLINE_WEIGHT = 4.0
_FLOOR = 0.1
_WHOLE = frozenset((1, 4, 11, 12))  # regions without which no whole body is in view
_LEAST_SHOWN = 0.25  # of a region's outline, for it to be in view [D]

_SKIN_OVER_BONE_MM = 25.0  # where the body model does not reach
_GIRTHS = (0.8, 0.9, 1.0, 1.15, 1.3, 1.5)


def label(scan: Scan, glance: Glance | None = None, progress: Callable[[str], None] = lambda _: None) -> Labels:
    """Fit the skeleton to all views of a scan and label them.

    Parameters
    ----------
    scan : Scan
    glance : Glance, optional
        What a network says of the scan.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    Labels
        With ``trusted`` False, and a remark that says why, where a gate failed. A limb
        that was lost has a warning, and leaves the rest trusted.
    """
    fit = fit_body(scan, progress, None if glance is None else glance.views)
    progress("labelling regions and bones")
    posed = pose_skeleton(default_skeleton(), fit.pose)
    skin = _skin(scan, fit, posed)
    with ThreadPoolExecutor() as pool:
        views = tuple(pool.map(lambda v: _label_view(scan.views[v], fit, v, posed, skin), range(len(scan.views))))
    remarks, in_view = gates(scan, fit, led=glance is not None), _regions_in_view(scan, fit)
    if glance is not None:
        fields = exposed_fields(scan.views)
        outlined = [view.regions[field] for view, field in zip(views, fields, strict=True)]
        seen = [
            one.regions[:, *field].argmax(axis=0).astype(np.uint8)
            for one, field in zip(glance.views, fields, strict=True)
        ]
        remarks += network_gates([view.name for view in views], outlined, seen)
        exchange = exchange_remark(glance, whole=in_view >= _WHOLE)
        remarks += (exchange,) if exchange else ()
        with ThreadPoolExecutor() as pool:
            views = tuple(pool.map(_with_network, views, glance.views, fields))
        in_view &= _shown(outlined, [view.regions for view in views])
    return Labels(
        views=views,
        trusted=all(remark.severity is not Severity.WITHHELD for remark in remarks),
        regions_in_view=in_view,
        parameters={p.name: float(value) for p, value in zip(PARAMETERS, fit.pose, strict=True)},
        remarks=remarks,
    )


def _skin(scan: Scan, fit: BodyFit, posed: PosedSkeleton) -> Body:
    """The body model of the girth whose outline best covers the views' outlines, on every fourth row and column."""
    seen = []
    for view, placement in zip(scan.views, fit.placements, strict=True):
        row, column = np.mgrid[: view.counts.shape[0] : 4, : view.counts.shape[1] : 4].astype(float)
        x, z = placement.body(row, column)
        seen.append((x.astype(np.float32), z.astype(np.float32), _body(view)[::4, ::4]))

    def overlap(model: Body) -> float:
        dice = []
        for x, z, outline in seen:
            inside = np.isfinite(model.surfaces(x, z)[0])
            dice.append(2 * np.count_nonzero(inside & outline) / max(np.count_nonzero(inside) + outline.sum(), 1))
        return float(np.mean(dice))

    models = [Body(posed=posed, girth=girth) for girth in _GIRTHS]
    with ThreadPoolExecutor() as pool:
        overlaps = list(pool.map(overlap, models))
    return models[int(np.argmax(overlaps))]


def _label_view(view: View, fit: BodyFit, v: int, posed: PosedSkeleton, skin: Body) -> LabelledView:
    placement, shape = fit.placements[v], view.counts.shape
    row, column = np.mgrid[: shape[0], : shape[1]].astype(float)
    x, z = (values.astype(np.float32) for values in placement.body(row, column))
    shadows = project_bones(posed, x, z)
    regions = paint_regions(fit.pose, view.name, placement.pixels, shape)
    mm = abs(1 / placement.frame.row_per_mm), abs(1 / placement.frame.column_per_mm)
    body = _body(view)
    paint_limbs(regions, shadows, body, mm)
    near_skin = skin.surfaces(x, z)[0 if view.name is ViewName.ANTERIOR else 1]
    for values in (regions, x, z):
        values.flags.writeable = False
    return LabelledView(
        name=view.name,
        regions=regions,
        bones=tuple(
            BoneMap(
                bone=s.bone,
                row=s.row,
                column=s.column,
                thickness_mm=s.length_mm,
                depth_mm=_depth_mm(s, near_skin),
            )
            for s in shadows
        ),
        body=body,
        x_mm=x,
        z_mm=z,
        correlation=fit.correlations[v],
    )


def _with_network(view: LabelledView, seen: DenseView, field: tuple[slice, slice]) -> LabelledView:
    """The view's final regions, and its bones as far as they lie in the field that was exposed."""
    regions = np.zeros_like(view.regions)
    regions[field] = fused_regions(view.regions[field], seen.regions[:, *field], view.pixel_mm)
    found = agreement(view.regions[field], seen.regions[:, *field].argmax(axis=0).astype(np.uint8))
    regions.flags.writeable = False
    bones = tuple(part for one in view.bones if (part := _within(one, field)) is not None)
    return replace(view, regions=regions, bones=bones, agreement=found)


def _within(one: BoneMap, field: tuple[slice, slice]) -> BoneMap | None:
    """The part of a bone that lies in the field; ``None`` where there is none."""
    (rows, columns), (height, width) = field, one.thickness_mm.shape
    top, bottom = max(rows.start - one.row, 0), min(rows.stop - one.row, height)
    left, right = max(columns.start - one.column, 0), min(columns.stop - one.column, width)
    if (top, left, bottom, right) == (0, 0, height, width):
        return one
    thickness = one.thickness_mm[top : max(bottom, top), left : max(right, left)]
    if not thickness.any():
        return None
    return replace(one, row=one.row + top, column=one.column + left, thickness_mm=thickness)


def _shown(outlined: Sequence[NDArray[np.uint8]], final: Sequence[NDArray[np.uint8]]) -> frozenset[int]:
    """Regions of which some view's final map has a good part of what the skeleton's outlines have."""
    shown = set()
    for ours, last in zip(outlined, final, strict=True):
        painted, kept = (np.bincount(one.ravel(), minlength=18) for one in (ours, last))
        shown |= {number for number in REGION_NAMES if kept[number] >= max(1.0, _LEAST_SHOWN * painted[number])}
    return frozenset(shown)


def fused_regions(
    outlined: NDArray[np.uint8], probability: NDArray[np.float32], mm: tuple[float, float]
) -> NDArray[np.uint8]:
    """The region that the skeleton's outlines and a network's probabilities together make most likely.

    Parameters
    ----------
    outlined : (row, column) ndarray of uint8
        Regions painted on the fitted skeleton.
    probability : (region, row, column) ndarray of float32
        Of regions 0 to 17, by the network.
    mm : (row, column)
        Size of a pixel in the body.

    Returns
    -------
    (row, column) ndarray of uint8

    Notes
    -----
    A product of experts: ``argmax over r of  log(p_r + e) + w log(q_r + e)``, p the network's probability, q the
    outline of r blurred over its usual error. The floor e lets either be overruled where it is quite wrong.
    """
    sigma = _OUTLINE_ERROR_MM / mm[0], _OUTLINE_ERROR_MM / mm[1]
    reach = tuple(round(4 * part) + 1 for part in sigma)
    floor = _OUTLINE_WEIGHT * math.log(_FLOOR)
    score = np.log(probability + _FLOOR)
    boxes = ndimage.find_objects(outlined.astype(np.int32) + 1, max_label=REGIONS)
    for number, box in enumerate(boxes):
        score[number] += floor
        if box is None:
            continue
        wide = tuple(slice(max(0, part.start - r), part.stop + r) for part, r in zip(box, reach, strict=True))
        inside = ndimage.gaussian_filter((outlined[wide] == number).astype(np.float32), sigma, mode="nearest")
        score[number][wide] += _OUTLINE_WEIGHT * np.log(inside + _FLOOR) - floor
    return np.asarray(score.argmax(axis=0), dtype=np.uint8)


def _depth_mm(shadow: BoneShadow, near_skin: NDArray[np.float32]) -> float:
    """Mean distance of a bone behind the skin that faces the camera, over the bone's shadow."""
    over = near_skin[_box(shadow)][shadow.length_mm > 0]
    over = over[np.isfinite(over)]
    return float(np.abs(shadow.y_mm - over).mean()) if len(over) else _SKIN_OVER_BONE_MM


def _box(shadow: BoneShadow) -> tuple[slice, slice]:
    height, width = shadow.length_mm.shape
    return slice(shadow.row, shadow.row + height), slice(shadow.column, shadow.column + width)


def _body(view: View) -> NDArray[np.bool_]:
    """Outline of the body, filled: above a tenth of the median level of what is clearly body."""
    smooth = ndimage.gaussian_filter(np.sqrt(view.counts), (4, 3))
    clear = smooth > 0.15 * np.percentile(smooth, 99.5)
    threshold = 0.22 * np.median(smooth[clear]) if clear.any() else np.inf
    filled = ndimage.binary_fill_holes(ndimage.binary_closing(smooth > threshold, iterations=2))
    named, count = ndimage.label(filled)
    if count > 1:
        sizes = np.bincount(named.ravel())[1:]
        filled = np.isin(named, 1 + np.flatnonzero(sizes > 0.02 * sizes.sum()))
    filled.flags.writeable = False
    return np.asarray(filled)


def _regions_in_view(scan: Scan, fit: BodyFit) -> frozenset[int]:
    """Regions of which at least half the bone volume projects into some view's exposed rows."""
    posed = pose_skeleton(default_skeleton(), fit.pose)
    skeleton = posed.skeleton
    volume = skeleton.volumes_mm3()
    region = np.array([bone(name).region for name in skeleton.bones])[skeleton.bone_index]
    seen = np.zeros(len(volume), dtype=bool)
    for view, placement in zip(scan.views, fit.placements, strict=True):
        row, column = placement.pixels(posed.centres_mm[:, 0], posed.centres_mm[:, 2])
        exposed = np.flatnonzero(view.counts.any(axis=1))
        low, high = (exposed[0], exposed[-1]) if len(exposed) else (0, -1)
        left, right = 0, view.counts.shape[1] - 1
        if not scan.whole_body and len(exposed):  # a still picture's field may be narrower than its matrix
            across = np.flatnonzero(view.counts.any(axis=0))
            left, right = across[0], across[-1]
        seen |= (row >= low) & (row <= high) & (column >= left) & (column <= right)
    total = np.bincount(region, volume, minlength=18)
    inside = np.bincount(region, volume * seen, minlength=18)
    return frozenset(k for k in REGION_NAMES if inside[k] >= 0.5 * total[k] > 0)
