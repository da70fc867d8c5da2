"""Findings, truths and comparisons made by hand, so small that every score can be worked out on paper."""

from __future__ import annotations

from typing import Any

import numpy as np

from bonescan.evaluation import Truth, truth_of
from bonescan.measurement import Measurement
from bonescan.reading.model import Finding, FindingView, Kind, Nature, Polarity
from bonescan.scan import ViewName

SHAPE = (40, 30)
PIXEL_MM = 5.0


def square(row: int, column: int, size: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.bool_)
    mask[row : row + size, column : column + size] = True
    return mask


def finding(
    masks: dict[str, np.ndarray],
    *,
    kind: str = "bone",
    polarity: str = "hot",
    significance: float = 8.0,
    bone: str = "rib_07_l",
    metastatic: float | None = None,
    in_burden: bool = True,
) -> Finding:
    """A finding whose peak in each view is the middle of its mask."""
    absent = Measurement(value=None, unit="1", method="none", absent_reason="no model")
    views = {}
    for name, mask in masks.items():
        rows, columns = np.nonzero(mask)
        views[ViewName(name)] = FindingView(
            outline=((0.0, 0.0), (0.0, 1.0), (1.0, 1.0)),
            mask=mask,
            peak_row=int(rows.mean()),
            peak_column=int(columns.mean()),
            peak_counts=9.0,
            area_mm2=float(mask.sum()) * PIXEL_MM**2,
            uptake_ratio=3.0,
            significance=significance,
        )
    return Finding(
        id=1,
        letter="A",
        kind=Kind(kind),
        polarity=Polarity(polarity),
        bone=bone,
        side="left",
        place=bone,
        region=4,
        views=views,
        uptake_ratio=3.0,
        uptake_reference="ribs",
        significance=significance if polarity == "hot" else -significance,
        depth_mm=absent,
        mass_share_percent=0.1,
        in_burden=in_burden,
        likelihood=absent,
        reason="made",
        natures={} if metastatic is None else {Nature.METASTATIC: metastatic, Nature.TRAUMATIC: 1 - metastatic},
    )


def seen(
    row: int, column: int, *, contrast: float | None = 2.0, snr: float = 20.0, polarity: str = "hot"
) -> dict[str, Any]:
    return {
        "peak": {"row": row, "column": column, "excess_counts": 5.0},
        "polarity": polarity,
        "contrast": contrast,
        "snr": snr,
        "area_mm2": 100.0,
    }


def lesion(number: int, views: dict[str, Any], *, metastasis: bool = True, **more: Any) -> dict[str, Any]:
    """An entry of truth.json, as far as it is used."""
    return {
        "number": number,
        "kind": "metastasis" if metastasis else "arthritis",
        "nature": "metastasis" if metastasis else "joint disease",
        "metastasis": metastasis,
        "bone": "rib_07_l",
        "bones": {"rib_07_l": 2.0},
        "volume_ml": 2.0,
        "views": views,
    } | more


def record(lesions: list[dict[str, Any]], disturbances: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The content of a truth.json with two views of `SHAPE`."""
    return {
        "schema_version": "1.0.0",
        "camera": "symbia_lehr",
        "person": {"sex": "male", "age_years": 60.0, "mass_kg": 80.0, "girth": 1.0},
        "burden": {"bone_scan_index_percent": 1.5, "bone_scan_index_by_bone_mass_percent": 1.6, "metastases": 1},
        "pictures": [
            {"name": view, "view": view, "row_spacing_mm": PIXEL_MM, "column_spacing_mm": PIXEL_MM, "counts": 1e6}
            for view in ("anterior", "posterior")
        ],
        "lesions": lesions,
        "disturbances": disturbances or [],
    }


def truth(lesions: list[dict[str, Any]], maps: dict[str, np.ndarray] | None = None, **more: Any) -> Truth:
    drawn = {ViewName(view): values.astype(np.uint16) for view, values in (maps or {}).items()}
    return truth_of(record(lesions, **more), {}, drawn)


def mark(significance: float, *, hits: tuple[int, ...] = (), metastasis: bool = False, **more: Any) -> dict[str, Any]:
    """A mark of a comparison."""
    return {
        "kind": "bone",
        "polarity": "hot",
        "region": 4,
        "significance": significance,
        "metastatic": None,
        "in_burden": True,
        "hits": list(hits),
        "metastasis": metastasis,
        "disturbances": [],
        "name": {"bone": True, "one_level": True, "side": True} if hits else None,
    } | more


def found(number: int, significance: float | None, *, metastasis: bool = True, **more: Any) -> dict[str, Any]:
    """A lesion of a comparison, missed where its significance is None."""
    return {
        "number": number,
        "kind": "metastasis" if metastasis else "arthritis",
        "nature": "metastasis" if metastasis else "joint disease",
        "metastasis": metastasis,
        "bone": "rib_07_l",
        "volume_ml": 2.0,
        "views": ["anterior"],
        "visible": True,
        "polarity": "hot",
        "snr": 20.0,
        "contrast": 2.0,
        "found": significance is not None,
        "found_in": ["anterior"],
        "significance": significance,
        "metastatic": None,
        "taken_for": None,
    } | more


def case(
    name: str, group: str, marks: list[dict[str, Any]], lesions: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    """A comparison."""
    return {
        "name": name,
        "group": group,
        "failed": None,
        "seconds": 2.0,
        "peak_mb": 500.0,
        "facts": {
            "sex": "male",
            "age_years": 60.0,
            "mass_kg": 80.0,
            "girth": 1.0,
            "camera": "symbia_lehr",
            "counts": 1e6,
        },
        "labels": {"trusted": True},
        "regions": {},
        "marks": marks,
        "lesions": lesions,
        "outlines_dice": None,
        "burden": {"bone_scan_index_percent": None, "true_percent": None, "true_by_bone_mass_percent": None},
        "impression": None,
    } | more
