"""One reading held against the truth of its study: plain values, from which every figure can be worked out later.

A comparison is what is kept of a reading, so that tables can be made again without reading again. It is JSON: what
is not known is null, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import BONES
from bonescan.errors import GeometryMismatch
from bonescan.evaluation.matching import outlines_dice, region_overlap, spots_hit
from bonescan.evaluation.truth import TrueSpot, Truth
from bonescan.measurement import Measurement
from bonescan.reading.model import Finding, Kind, Nature, Polarity, Reading
from bonescan.scan import ViewName

__all__ = ["COMPARISON_SCHEMA", "compare", "unread"]

COMPARISON_SCHEMA = "bonescan-comparison/1"

_SPINE = (
    *(
        f"vertebra_{part}{level:02d}"
        for part, levels in (("c", 7), ("t", 12), ("l", 5))
        for level in range(1, levels + 1)
    ),
    "sacrum",
)
_NOT_READ = Measurement(value=None, unit="%", method="none", absent_reason="the reading failed")
_MAIN_SHARE = 0.25  # of a spot that lies in several bones, those with so much of it are right names


def compare(reading: Reading, truth: Truth) -> dict[str, Any]:
    """Hold one reading against the truth.

    Parameters
    ----------
    reading : Reading
    truth : Truth
        Of the same study.

    Returns
    -------
    dict
        ``group``, ``facts``, ``labels``, ``regions``, ``marks``, ``lesions``, ``outlines_dice``, ``burden`` and
        ``impression``.

    Raises
    ------
    GeometryMismatch
        When no view of the reading is as large as the truth's.
    """
    _refuse_other_views(reading, truth)
    spots = truth.lesions or ()
    hits = {finding.id: spots_hit(finding, spots, truth) for finding in reading.findings}
    marks = [_mark(finding, hits[finding.id], truth) for finding in reading.findings]
    hot = [one for one in reading.findings if one.kind is Kind.BONE and one.polarity is Polarity.HOT]
    known = truth.lesions is not None
    return {
        "group": truth.group,
        "facts": {**truth.facts, "manufacturer": reading.scan.device.manufacturer},
        "labels": {
            "trusted": reading.labels.trusted,
            "correlation": {view.name.value: _finite(view.correlation) for view in reading.labels.views},
        },
        "regions": _regions({view.name: view.regions for view in reading.labels.views}, truth),
        "marks": marks if known else None,
        "lesions": [_lesion(spot, marks) for spot in spots] if known else None,
        "outlines_dice": outlines_dice(hot, [spot for spot in spots if spot.visible], truth) if known else None,
        "burden": _burden(reading.burden.bone_scan_index_percent, truth),
        "impression": _impression(reading),
    }


def unread(truth: Truth) -> dict[str, Any]:
    """What stands in place of a comparison where the reading failed: everything missed, no region labelled.

    Parameters
    ----------
    truth : Truth

    Returns
    -------
    dict
        As of `compare`.
    """
    nothing = {name: np.zeros_like(true.regions) for name, true in truth.views.items() if true.regions is not None}
    known = truth.lesions is not None
    return {
        "group": truth.group,
        "facts": dict(truth.facts),
        "labels": None,
        "regions": _regions(nothing, truth),
        "marks": [] if known else None,
        "lesions": [_lesion(spot, ()) for spot in truth.lesions or ()] if known else None,
        "outlines_dice": None,
        "burden": _burden(_NOT_READ, truth),
        "impression": None,
    }


def _refuse_other_views(reading: Reading, truth: Truth) -> None:
    for view in reading.scan.views:
        true = truth.views.get(view.name)
        if true is None:
            continue
        for map_ in (true.regions, true.lesions):
            if map_ is not None and map_.shape != view.counts.shape:
                raise GeometryMismatch(
                    f"The truth's {view.name} view has {map_.shape} pixels, the scan's {view.counts.shape}; they are "
                    "not of one study.",
                    expected=map_.shape,
                    got=view.counts.shape,
                )
    if not any(view.name in truth.views for view in reading.scan.views):
        raise GeometryMismatch("The truth has none of the views that were read.")


def _regions(found: Mapping[ViewName, NDArray[np.uint8]], truth: Truth) -> dict[str, dict[str, dict[str, float]]]:
    told = {}
    for name, regions in found.items():
        true = truth.views.get(name)
        if true is None or true.regions is None:
            continue
        dice, ratio = region_overlap(regions, true.regions)
        told[name.value] = {
            "dice": {str(region): value for region, value in dice.items()},
            "area_ratio": {str(region): value for region, value in ratio.items()},
        }
    return told


def _mark(finding: Finding, hit: Sequence[int], truth: Truth) -> dict[str, Any]:
    own = [spot for spot in truth.lesions or () if spot.number in hit]
    disturbing = spots_hit(finding, truth.disturbances, truth)
    right = frozenset(bone for spot in own for bone in _right_bones(spot))
    return {
        "letter": finding.letter,
        "kind": finding.kind.value,
        "polarity": finding.polarity.value,
        "bone": finding.bone,
        "place": finding.place,
        "region": finding.region,
        "views": sorted(view.value for view in finding.views),
        "significance": abs(float(finding.significance)),
        "uptake_ratio": _finite(finding.uptake_ratio),
        "in_burden": finding.in_burden,
        "metastatic": _probability(finding),
        "natures": {nature.value: float(share) for nature, share in finding.natures.items()},
        "hits": sorted(hit),
        "metastasis": any(spot.metastasis for spot in own),
        "natures_true": sorted({spot.nature for spot in own}),
        "disturbances": sorted({spot.kind for spot in truth.disturbances if spot.number in disturbing}),
        "name": _named(finding.bone, right) if own else None,
    }


def _probability(finding: Finding) -> float | None:
    if finding.natures:
        return float(finding.natures.get(Nature.METASTATIC, 0.0))
    value = finding.likelihood.value
    return None if value is None else float(value)


def _right_bones(spot: TrueSpot) -> tuple[str, ...]:
    total = sum(spot.bones.values())
    main = next(iter(spot.bones), None)
    return tuple(bone for bone, ml in spot.bones.items() if bone == main or ml >= _MAIN_SHARE * total)


def _named(bone: str, right: frozenset[str]) -> dict[str, bool]:
    """Whether a bone's name is right, right to one level of spine or ribs, and on the right side."""
    return {
        "bone": bone in right,
        "one_level": any(_levels_apart(bone, other) <= 1 for other in right),
        "side": any(_side(bone) == _side(other) for other in right) if bone else False,
    }


def _levels_apart(bone: str, other: str) -> float:
    if bone == other:
        return 0
    if bone in _SPINE and other in _SPINE:
        return abs(_SPINE.index(bone) - _SPINE.index(other))
    one, two = bone.split("_"), other.split("_")
    if one[0] == two[0] == "rib" and one[2] == two[2]:
        return abs(int(one[1]) - int(two[1]))
    return math.inf


_SIDES: Mapping[str, str] = {own.id: own.side for own in BONES}


def _side(bone: str) -> str:
    return _SIDES.get(bone, "")


def _lesion(spot: TrueSpot, marks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    best = spot.best
    own = [mark for mark in marks if spot.number in mark["hits"]]
    named = [mark for mark in own if mark["kind"] == Kind.BONE]
    return {
        "number": spot.number,
        "kind": spot.kind,
        "nature": spot.nature,
        "metastasis": spot.metastasis,
        "bone": next(iter(spot.bones), ""),
        "volume_ml": spot.volume_ml,
        "views": sorted(view.value for view, seen in spot.views.items() if seen.visible),
        "visible": spot.visible,
        "polarity": None if best is None else best.polarity.value,
        "snr": None if best is None else best.snr,
        "contrast": None if best is None else _finite(best.contrast),
        "area_mm2": None if best is None else best.area_mm2,
        "found": bool(named),
        "found_in": sorted({view for mark in named for view in mark["views"]}),
        "significance": max((mark["significance"] for mark in named), default=None),
        "metastatic": max((mark["metastatic"] for mark in named if mark["metastatic"] is not None), default=None),
        "taken_for": None if named or not own else own[0]["kind"],
    }


def _finite(value: float) -> float | None:
    """As JSON can hold it."""
    return float(value) if math.isfinite(value) else None


def _burden(index: Measurement, truth: Truth) -> dict[str, Any]:
    return {
        "bone_scan_index_percent": index.value,
        "uncertainty": index.uncertainty,
        "absent_reason": index.absent_reason or None,
        "true_percent": truth.bone_scan_index_percent,
        "true_by_bone_mass_percent": truth.bone_scan_index_by_bone_mass_percent,
    }


def _impression(reading: Reading) -> dict[str, Any]:
    own, familiar = reading.impression, reading.familiarity
    return {
        "metastatic": None if own is None else own.metastatic.value,
        "absent_reason": None if own is None else own.metastatic.absent_reason or None,
        "abstains": [] if own is None else list(own.abstains),
        "familiar": None if familiar is None else familiar.familiar,
        "familiarity": None if familiar is None else float(familiar.score),
    }
