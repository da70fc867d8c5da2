"""What an evaluation draws: curves, bins and pairs as plain lists, so that another can be drawn beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.evaluation.detection import CURVES, SETS, free_response_scores
from bonescan.evaluation.figures import VIEWS, People
from bonescan.evaluation.matching import REGIONS
from bonescan.evaluation.patients import patient_scores
from bonescan.evaluation.statistics import equal_count_bins, free_response

__all__ = ["curves"]

_POINTS = 300
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


def curves(people: People) -> dict[str, Any]:
    """Everything that is drawn of an evaluation.

    Parameters
    ----------
    people : People

    Returns
    -------
    dict
        Ready for JSON: ``free_response``, ``roc``, ``reliability``, ``burden`` and ``regions``; empty where there is
        none.
    """
    return {
        "free_response": _free_response(people),
        "roc": _roc(people),
        "reliability": _reliability(people),
        "burden": [
            {"true": case["burden"]["true_percent"], "measured": case["burden"]["bone_scan_index_percent"]}
            for case in people.cases
            if None not in (case["burden"]["true_percent"], case["burden"]["bone_scan_index_percent"])
        ],
        "regions": {
            view: {
                str(region): [float(np.quantile(values, q)) for q in _QUANTILES]
                for region in REGIONS
                if (values := _dice(people, view, region))
            }
            for view in VIEWS
        },
    }


def _free_response(people: People) -> dict[str, Any]:
    told = {}
    for curve in CURVES:
        for of in SETS:
            scores = free_response_scores(people, curve, of)
            if scores is not None and len(scores.lesion_scores):
                _, false_marks, sensitivity = free_response(scores)
                told[f"{curve.key}.{of}"] = {"false_marks": _thinned(false_marks), "sensitivity": _thinned(sensitivity)}
    return told


def _roc(people: People) -> dict[str, Any]:
    scores, _ = patient_scores(people)
    positive = people.groups == "metastatic"
    told = {}
    for name, negative in (
        ("without metastases", (people.groups != "") & ~positive),
        ("benign lesions only", people.groups == "benign"),
    ):
        if positive.any() and negative.any():
            levels = np.concatenate([[np.inf], np.unique(scores[positive | negative])[::-1]])
            told[name] = {
                "false_positive": _thinned(np.array([np.mean(scores[negative] >= level) for level in levels])),
                "sensitivity": _thinned(np.array([np.mean(scores[positive] >= level) for level in levels])),
            }
    return told


def _reliability(people: People) -> dict[str, Any]:
    told = {}
    marks = [mark for _, mark in people.marks if mark["metastatic"] is not None]
    scores, basis = patient_scores(people)
    known = people.groups != ""
    for name, said, came in (
        ("findings", _column(marks, "metastatic"), _column(marks, "metastasis")),
        ("people", scores[known], people.groups[known] == "metastatic"),
    ):
        if len(said) and (name == "findings" or "probability" in basis):
            mean, true, weight = equal_count_bins(said, came)
            told[name] = {"said": mean.tolist(), "true": true.tolist(), "n": weight.tolist()}
    return told


def _column(marks: list[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([mark[name] for mark in marks], dtype=float)


def _dice(people: People, view: str, region: int) -> list[float]:
    told = (case["regions"].get(view, {}).get("dice", {}).get(str(region)) for case in people.cases)
    return [value for value in told if value is not None]


def _thinned(values: NDArray[np.float64]) -> list[float]:
    """At most some hundred of the points, first and last among them."""
    if len(values) > _POINTS:
        values = values[np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))]
    return [float(f"{value:.5g}") for value in values]
