"""Label every view: planar regions and single bones, from the fitted skeleton.

The regions are outlines that move with the fitted body; the bones are the
shadow of its ellipsoids. Gates on the fit say when neither should be believed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.body import Body
from bonescan.anatomy.bones import REGION_NAMES, bone
from bonescan.anatomy.pose import PARAMETERS, PosedSkeleton, pose_skeleton
from bonescan.anatomy.projection import BoneShadow, project_bones
from bonescan.anatomy.regions import paint_limbs, paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.reading.fit import BodyFit, fit_body
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import Remark, Scan, Severity, View, ViewName

__all__ = ["label"]

Array = NDArray[np.float64]

# Gates, set from fits of whole-body scans that were seen to be right and from pictures without a body.
_LEAST_CORRELATION = 0.60
_LEAST_PART_CORRELATION = 0.40  # right fits kept every part above 0.48; of lost ones some part fell below 0.40
_LIMBS = frozenset({"left arm", "right arm", "lower legs"})  # their loss leaves the rest to be trusted
_MOST_STRAINED = 6
_STRAIN = 2.5
_MOST_STRAIN = 5.0  # of any one freedom; right fits stay below 3
_MOST_VIEW_STRETCH = 0.35
_MOST_ASPECT = 1.8  # true height over width of a pixel, over what the file says, either way; exports show 1.0 to 1.4

_SKIN_OVER_BONE_MM = 25.0  # where the body model does not reach
_GIRTHS = (0.8, 0.9, 1.0, 1.15, 1.3, 1.5)


def label(scan: Scan, progress: Callable[[str], None] = lambda _: None) -> Labels:
    """Fit the skeleton to all views of a scan and label them.

    Parameters
    ----------
    scan : Scan
    progress : callable
        Told in words what is being done.

    Returns
    -------
    Labels
        With ``trusted`` False, and a remark that says why, where a gate failed. A limb
        that was lost has a warning, and leaves the rest trusted.
    """
    fit = fit_body(scan, progress)
    progress("labelling regions and bones")
    posed = pose_skeleton(default_skeleton(), fit.pose)
    skin = _skin(scan, fit, posed)
    with ThreadPoolExecutor() as pool:
        views = tuple(pool.map(lambda v: _label_view(scan.views[v], fit, v, posed, skin), range(len(scan.views))))
    remarks = _gates(scan, fit)
    return Labels(
        views=views,
        trusted=all(remark.severity is not Severity.WITHHELD for remark in remarks),
        regions_in_view=_regions_in_view(scan, fit),
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


def _gates(scan: Scan, fit: BodyFit) -> tuple[Remark, ...]:
    """Reasons not to believe the labels, or those of a limb; none when the fit is good."""
    remarks = []

    def distrust(code: str, text: str, severity: Severity = Severity.WITHHELD) -> None:
        remarks.append(Remark(code=f"labels.{code}", text=text, severity=severity))

    for view, correlation, parts in zip(scan.views, fit.correlations, fit.part_correlations, strict=True):
        if not correlation >= _LEAST_CORRELATION:
            distrust(
                f"correlation.{view.name}",
                f"The fitted skeleton agrees poorly with the {view.name} view (correlation {correlation:.2f}, "
                f"expected at least {_LEAST_CORRELATION:.2f}): bone and region labels, and figures that rest on them, "
                "are not to be trusted.",
            )
            continue
        for part in (part for part, value in parts.items() if not value >= _LEAST_PART_CORRELATION):
            limb = part in _LIMBS
            distrust(
                f"part.{view.name}.{part.replace(' ', '_')}",
                f"In the {view.name} view the fitted skeleton does not follow the {part} (correlation "
                f"{parts[part]:.2f}, expected at least {_LEAST_PART_CORRELATION:.2f}): "
                f"{'its labels' if limb else 'all labels, and figures that rest on them,'} are not to be trusted.",
                Severity.WARNING if limb else Severity.WITHHELD,
            )
    strained = [p.name for p, value in zip(PARAMETERS, fit.pose, strict=True) if abs(value) > _STRAIN * p.spread]
    if len(strained) > _MOST_STRAINED:
        distrust(
            "strain",
            f"The fitted skeleton is strained beyond {_STRAIN} standard deviations in {len(strained)} of its "
            f"{len(PARAMETERS)} freedoms: labels are not to be trusted.",
        )
    worst = max(abs(value) / p.spread for p, value in zip(PARAMETERS, fit.pose, strict=True))
    if worst > _MOST_STRAIN:
        distrust(
            "strain.single",
            f"The fitted skeleton is strained to {worst:.0f} standard deviations in one of its freedoms, more than "
            f"{_MOST_STRAIN:.0f}: labels are not to be trusted.",
        )
    for view, placement in zip(scan.views, fit.placements, strict=True):
        true = abs(placement.frame.row_per_mm / placement.frame.column_per_mm)
        aspect = true * view.row_spacing_mm / view.column_spacing_mm
        if not 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:
            distrust(
                f"aspect.{view.name}",
                f"The {view.name} view shows a body only if its pixels were {aspect:.1f} times as wide for their "
                "height as the file says: this may not be a whole body, and labels are not to be trusted.",
            )
    if len(fit.placements) > 1:
        one, two = (placement.frame for placement in fit.placements)
        stretch = abs(np.log(one.row_per_mm / two.row_per_mm))
        if stretch > _MOST_VIEW_STRETCH:
            distrust(
                "views", f"The two views differ in height by {100 * np.expm1(stretch):.0f} %: they may not be one body."
            )
    return tuple(remarks)


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
        seen |= (row >= low) & (row <= high) & (column >= 0) & (column <= view.counts.shape[1] - 1)
    total = np.bincount(region, volume, minlength=18)
    inside = np.bincount(region, volume * seen, minlength=18)
    return frozenset(k for k in REGION_NAMES if inside[k] >= 0.5 * total[k] > 0)
