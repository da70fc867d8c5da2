"""Reasons not to believe labels: what the fit, and a network that looked at the same scan, hold against them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import REGION_NAMES
from bonescan.anatomy.pose import PARAMETERS
from bonescan.reading.network import Glance
from bonescan.reading.skeleton.fit import BodyFit
from bonescan.scan import Remark, Scan, Severity, ViewName

__all__ = ["agreement", "exchange_remark", "gates", "network_gates"]

# Gates, set from fits of whole-body scans that were seen to be right and from pictures without a body.
_LEAST_CORRELATION = 0.60
# Where a network led the fit, its agreement is the sharper gate; a still picture's right fit has 0.57.
_LEAST_LED_CORRELATION, _LEAST_LED_PART_CORRELATION = 0.45, 0.25
_LEAST_PART_CORRELATION = 0.40  # right fits kept every part above 0.48; of lost ones some part fell below 0.40
_LIMBS = frozenset({"left arm", "right arm", "lower legs"})  # their loss leaves the rest to be trusted
_MOST_STRAINED = 6
_FREE_LIMBS = ("arm", "forearm", "hand", "foot")
_STRAIN = 2.5
_MOST_STRAIN = 5.0  # of any one freedom; right fits stay below 3
_MOST_VIEW_STRETCH = 0.35
_MOST_ASPECT = 1.8  # true height over width of a pixel, over what the file says, either way; exports show 1.0 to 1.4

# Of the fitted skeleton's outlines with a network's regions, by Dice over all pixels of several regions.
_LEAST_AGREEMENT = 0.60
_LEAST_LIMB_AGREEMENT = 0.40
_LIMB_REGIONS = {"arms": (8, 13, 14), "legs": (12, 15, 16, 17)}
_TRUNK_REGIONS = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11)
_LEAST_PIXELS = 60  # of a region in both together: fewer say nothing
# Probability that the views are exchanged. Of whole bodies right ones had up to 0.05 and exchanged ones 0.70 and more
# (21 studies each way); of still pictures some right ones had more than 0.5.
_EXCHANGED, _SURELY_EXCHANGED = 0.5, 0.85


def gates(scan: Scan, fit: BodyFit, *, led: bool = False) -> tuple[Remark, ...]:
    """Reasons not to believe the labels, or those of a limb, that the fit itself gives.

    Parameters
    ----------
    scan : Scan
    fit : BodyFit
    led : bool
        Whether a network led the fit: limbs then lie as the network sees them, however unusual that is.

    Returns
    -------
    tuple of Remark
        None when the fit is good.
    """
    remarks = []

    def distrust(code: str, text: str, severity: Severity = Severity.WITHHELD) -> None:
        remarks.append(Remark(code=f"labels.{code}", text=text, severity=severity))

    for view, correlation, parts in zip(scan.views, fit.correlations, fit.part_correlations, strict=True):
        least = _LEAST_LED_CORRELATION if led else _LEAST_CORRELATION
        if not correlation >= least:
            distrust(
                f"correlation.{view.name}",
                f"The fitted skeleton agrees poorly with the {view.name} view (correlation {correlation:.2f}, "
                f"expected at least {least:.2f}): bone and region labels, and figures that rest on them, "
                "are not to be trusted.",
            )
            continue
        least = _LEAST_LED_PART_CORRELATION if led else _LEAST_PART_CORRELATION
        for part in (part for part, value in parts.items() if not value >= least):
            limb = part in _LIMBS
            distrust(
                f"part.{view.name}.{part.replace(' ', '_')}",
                f"In the {view.name} view the fitted skeleton does not follow the {part} (correlation "
                f"{parts[part]:.2f}, expected at least {least:.2f}): "
                f"{'its labels' if limb else 'all labels, and figures that rest on them,'} are not to be trusted.",
                Severity.WARNING if limb else Severity.WITHHELD,
            )
    strains = {
        p.name: abs(value) / p.spread
        for p, value in zip(PARAMETERS, fit.pose, strict=True)
        if not (led and p.name.startswith(_FREE_LIMBS))
    }
    strained = [name for name, strain in strains.items() if strain > _STRAIN]
    if len(strained) > _MOST_STRAINED:
        distrust(
            "strain",
            f"The fitted skeleton is strained beyond {_STRAIN} standard deviations in {len(strained)} of its "
            f"{len(strains)} freedoms: labels are not to be trusted.",
        )
    worst = max(strains.values())
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


def agreement(outlined: NDArray[np.uint8], seen: NDArray[np.uint8]) -> dict[int, float]:
    """Dice of the fitted skeleton's outlines with a network's regions.

    Parameters
    ----------
    outlined, seen : (row, column) ndarray of uint8

    Returns
    -------
    dict of int to float
        Regions 1 to 17 that either has; 0 where only one of them has it.
    """
    ours, theirs = (np.bincount(one.ravel(), minlength=18) for one in (outlined, seen))
    both = np.bincount(outlined[outlined == seen].ravel(), minlength=18)
    total = ours + theirs
    return {k: float(2 * both[k] / total[k]) for k in range(1, 18) if total[k] >= _LEAST_PIXELS}


def network_gates(
    names: Sequence[ViewName], outlined: Sequence[NDArray[np.uint8]], seen: Sequence[NDArray[np.uint8]]
) -> tuple[Remark, ...]:
    """Reasons not to believe the labels that a network gives, which looked at the same scan.

    Parameters
    ----------
    names : sequence of ViewName
    outlined : sequence of (row, column) ndarray of uint8
        Regions painted on the fitted skeleton, by view.
    seen : sequence of (row, column) ndarray of uint8
        Regions by the network alone.

    Returns
    -------
    tuple of Remark
    """
    remarks = []
    for name, ours, theirs in zip(names, outlined, seen, strict=True):
        if not np.isin(theirs, _TRUNK_REGIONS + sum(_LIMB_REGIONS.values(), ())).any():
            remarks.append(
                Remark(
                    code=f"labels.network.{name}",
                    text=f"The network sees no part of a skeleton in the {name} view: labels, and figures that rest on "
                    "them, are not to be trusted.",
                    severity=Severity.WITHHELD,
                )
            )
            continue
        both = agreement(ours, theirs)
        whole = _pooled(ours, theirs, tuple(REGION_NAMES))
        if not whole >= _LEAST_AGREEMENT:
            low = min(both, key=lambda number: both[number])
            remarks.append(
                Remark(
                    code=f"labels.agreement.{name}",
                    text=f"In the {name} view the fitted skeleton and the network disagree on where the regions lie "
                    f"(Dice {whole:.2f}, expected at least {_LEAST_AGREEMENT:.2f}; least in the {REGION_NAMES[low]}): "
                    "bone and region labels, and figures that rest on them, are not to be trusted.",
                    severity=Severity.WITHHELD,
                )
            )
            continue
        for limb, regions in _LIMB_REGIONS.items():
            if not (part := _pooled(ours, theirs, regions)) >= _LEAST_LIMB_AGREEMENT:
                remarks.append(
                    Remark(
                        code=f"labels.agreement.{name}.{limb}",
                        text=f"In the {name} view the fitted skeleton and the network disagree on the {limb} (Dice "
                        f"{part:.2f}, expected at least {_LEAST_LIMB_AGREEMENT:.2f}): names of bones there are not to "
                        "be trusted.",
                        severity=Severity.WARNING,
                    )
                )
    return tuple(remarks)


def _pooled(ours: NDArray[np.uint8], theirs: NDArray[np.uint8], regions: tuple[int, ...]) -> float:
    """Dice over all pixels of some regions; 1 where neither has any."""
    one, other = np.isin(ours, regions), np.isin(theirs, regions)
    total = np.count_nonzero(one) + np.count_nonzero(other)
    if total < _LEAST_PIXELS:
        return 1.0
    return float(2 * np.count_nonzero(one & (ours == theirs)) / total)


def exchange_remark(glance: Glance, *, whole: bool = True) -> Remark | None:
    """What to do where the views seem to stand under each other's name.

    Parameters
    ----------
    glance : Glance
    whole : bool
        Whether a whole body is in view. The network learnt from whole bodies: of a part it must be surer, and nothing
        is withheld on its word.

    Returns
    -------
    Remark or None
        Nothing is exchanged silently: the file may be right.
    """
    if glance.exchanged < (_EXCHANGED if whole else _SURELY_EXCHANGED):
        return None
    if len(glance.views) == 1:
        other = next(name for name in ViewName if name is not glance.views[0].name)
        what, remedy = f"The {glance.views[0].name} view looks like a {other} view", f"read it with --view {other}"
    else:
        what, remedy = "The two views seem to stand under each other's name", "read it with --flip"
    sure = whole and glance.exchanged >= _SURELY_EXCHANGED
    return Remark(
        code="labels.views.exchanged",
        text=f"{what} (probability {glance.exchanged:.2f}, by a network that saw simulated people only): left and "
        "right would then be exchanged, and normal uptake that of the other side. Look at the pictures; if so, "
        f"{remedy}." + (" Until then figures by bone are withheld." if sure else ""),
        severity=Severity.WITHHELD if sure else Severity.WARNING,
    )
