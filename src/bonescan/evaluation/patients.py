"""Whole people: metastatic or not, how well probabilities are calibrated, and the burden beside the true one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.evaluation.detection import counts_band, in_order
from bonescan.evaluation.figures import Figure, People, absent, figure
from bonescan.evaluation.statistics import (
    area_under_curve,
    calibration_error,
    calibration_error_if_true,
    correlation,
    slope,
    specificity_at,
)

__all__ = [
    "LINEAR_PERCENT",
    "SENSITIVITY",
    "burden_figures",
    "calibration_figures",
    "patient_figures",
    "patient_scores",
]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SENSITIVITY = 0.9
"""At which specificities are given."""

_STRATA = (0.0, 1.0, 5.0, math.inf)
LINEAR_PERCENT = (0.1, 13.0)
"""True Bone Scan Indices over which published linearity and errors were given; a superscan lies above."""


def patient_scores(people: People) -> tuple[Array, str]:
    """What each scan says of its person's having metastases.

    Parameters
    ----------
    people : People

    Returns
    -------
    scores : (person,) ndarray
        On one scale: the impression's probability, else the largest of a hot bone finding's; where no finding has one,
        the largest significance of those that count in the burden. 0 where nothing was found or read.
    basis : str
        Which of these it is.
    """
    told = [case["impression"]["metastatic"] if case["impression"] else None for case in people.cases]
    judged = any(value is not None for value in told)
    likely = judged or any(mark["metastatic"] is not None for _, mark in people.marks)
    scores = np.zeros(len(people.cases))
    for k, mark in people.marks:
        if mark["polarity"] == "hot" and (likely or mark["in_burden"]):
            scores[k] = max(scores[k], (mark["metastatic"] if likely else mark["significance"]) or 0.0)
    scores = np.array([own if value is None else value for own, value in zip(scores, told, strict=True)], dtype=float)
    if judged:
        return scores, "the impression's probability"
    return scores, "largest probability of a finding" if likely else "largest significance of a finding in the burden"


def patient_figures(people: People) -> list[Figure]:
    """Metastatic or not: area under the curve, specificity, and what was not judged.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
    """
    section = "People: metastatic or not"
    scores, basis = patient_scores(people)
    metastatic, known = people.groups == "metastatic", people.groups != ""
    if not metastatic.any() or not (known & ~metastatic).any():
        return [absent("people.auc", section, "area under the curve", "it needs people with and without metastases")]
    shows = np.array([any(o["visible"] and o["metastasis"] for o in case["lesions"] or ()) for case in people.cases])
    out = [absent("people.score", section, "score", basis)]
    for which, positive, words in (
        ("all", metastatic, "all people"),
        ("visible", metastatic & shows, "only metastatic people with a visible metastasis"),
    ):
        own = known & (positive | ~metastatic)
        auc = partial(area_under_curve, scores[own], positive[own])
        told = people.interval(np.flatnonzero(own), auc)
        out.append(figure(f"people.auc.{which}", section, f"area under the curve, {words}", told, "people"))
        for name, counted in (
            ("all", own),
            ("benign", people.groups == "benign"),
            ("normal", people.groups == "normal"),
        ):
            specificity = partial(specificity_at, SENSITIVITY, scores[own], positive[own], counted[own])
            told = people.interval(np.flatnonzero(own), specificity)[0], int((counted & ~metastatic).sum())
            among = "without metastases" if name == "all" else name
            title = f"specificity at {SENSITIVITY:.0%} sensitivity, {among}; {words}"
            out.append(figure(f"people.specificity.{which}.{name}", section, title, told, "people"))
    return out + _abstained(people, scores, known, metastatic)


def _abstained(people: People, scores: Array, known: Mask, metastatic: Mask) -> list[Figure]:
    """What the impression would not judge, and how good it is on the rest."""
    section = "People: metastatic or not"
    judged = np.array([bool(own := case["impression"]) and own["metastatic"] is not None for case in people.cases])
    if not judged.any():
        return []
    groups = (("with", known & metastatic), ("without", known & ~metastatic))
    own = judged & known
    told = people.interval(np.flatnonzero(own), partial(area_under_curve, scores[own], metastatic[own]))
    return [
        *(
            figure(
                f"people.abstained.{name}",
                section,
                f"not judged, of those {name} metastases",
                people.share((int(k), float(not judged[k])) for k in np.flatnonzero(part)),
                "people",
            )
            for name, part in groups
        ),
        figure("people.auc.judged", section, "area under the curve, those judged", told, "people"),
    ]


def calibration_figures(people: People) -> list[Figure]:
    """How far probabilities are from what came true, of findings and of people.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
    """
    section = "Probabilities"
    out = []
    marks = [(k, mark) for k, mark in people.marks if mark["metastatic"] is not None]
    if marks:
        whose = np.array([k for k, _ in marks])
        said = np.array([mark["metastatic"] for _, mark in marks])
        true = np.array([bool(mark["metastasis"]) for _, mark in marks])
        told = people.interval(whose, partial(calibration_error, said, true))
        out.append(figure("calibration.findings", section, "expected calibration error, findings", told, "findings"))
        for name, own, words in (
            ("all", np.ones(len(marks), bool), "all findings"),
            ("on_lesions", np.array([bool(mark["hits"]) for _, mark in marks]), "findings on a lesion"),
        ):
            told = people.interval(whose[own], partial(area_under_curve, said[own], true[own]))
            title = f"metastatic or not, area under the curve, {words}"
            out.append(figure(f"calibration.auc.{name}", section, title, told, "findings"))
    else:
        reason = "findings have no probability"
        out.append(absent("calibration.findings", section, "expected calibration error, findings", reason))
    scores, basis = patient_scores(people)
    own = people.groups != ""
    title = "expected calibration error, people"
    if "probability" in basis and own.any():
        told = people.interval(
            np.flatnonzero(own), partial(calibration_error, scores[own], (people.groups == "metastatic")[own])
        )
        out.append(figure("calibration.people", section, title, told, "people"))
        title = "the same, were every probability of people true: mean, and 95 % of such readers"
        told = calibration_error_if_true(scores[own]), int(own.sum())
        out.append(figure("calibration.people.if_true", section, title, told, "people"))
    else:
        out.append(absent("calibration.people", section, title, "there is no probability of metastases"))
    return out


def burden_figures(people: People) -> list[Figure]:
    """The Bone Scan Index against the true one.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
    """
    section = "Bone Scan Index"
    known = [(k, case["burden"]) for k, case in enumerate(people.cases) if case["burden"]["true_percent"] is not None]
    given = [(k, one) for k, one in known if one["bone_scan_index_percent"] is not None]
    if not given:
        return [absent("bsi.r", section, "correlation", "no true index is known, or none was given")]
    withheld = people.share((k, one["bone_scan_index_percent"] is None) for k, one in known)
    whose = np.array([k for k, _ in given])
    got = np.array([one["bone_scan_index_percent"] for _, one in given], dtype=float)
    out = [figure("bsi.withheld", section, "not given", withheld, "scans")]
    for key, words, column in (
        ("bsi", "by mineral", "true_percent"),
        ("bsi_by_bone_mass", "by bone mass", "true_by_bone_mass_percent"),
    ):
        true = np.array([one[column] for _, one in given], dtype=float)
        out += _line(people, f"{section}, {words}", key, whose, true, got)
    return out + _by_counts(people, section, given)


def _line(people: People, section: str, key: str, whose: NDArray[np.int64], true: Array, got: Array) -> list[Figure]:
    out = []
    low, high = LINEAR_PERCENT
    for suffix, own, part in (
        ("", np.ones(len(true), bool), "all"),
        (".linear", (true >= low) & (true <= high), f"{low:g} to {high:g} %"),
    ):
        for name, statistic in (("r", correlation), ("slope", slope)):
            told = people.interval(whose[own], partial(statistic, true[own], got[own]))
            title = f"{'correlation r' if name == 'r' else name}, {part}"
            out.append(figure(f"{key}.{name}{suffix}", section, title, told, "scans"))
    strata = [
        ("all", "all", np.ones(len(true), bool)),
        ("linear", f"true {low:g} to {high:g} %", (true >= low) & (true <= high)),
        ("true 0", "true 0", true <= 0),
    ]
    for low, high in itertools.pairwise(_STRATA):
        label = f"true {low:g} to {high:g} %" if high < math.inf else f"true above {low:g} %"
        strata.append((label, label, (true > low) & (true <= high)))
    for stratum, label, own in strata:
        for name, values, words in (
            ("error", np.abs(got - true), "mean absolute error"),
            ("bias", got - true, "bias"),
        ):
            told = people.share(zip(whose[own].tolist(), values[own].tolist(), strict=True))
            out.append(figure(f"{key}.{name}.{stratum}", section, f"{words}, {label}", told, "scans", "%"))
    return out


def _by_counts(people: People, section: str, given: list[tuple[int, Mapping[str, Any]]]) -> list[Figure]:
    parts: dict[str, list[tuple[int, float]]] = {}
    for k, one in given:
        band = counts_band(people.cases[k]["facts"])
        if band is not None:
            parts.setdefault(band, []).append((k, abs(one["bone_scan_index_percent"] - one["true_percent"])))
    section = f"{section}, mean absolute error by million counts a view"
    return [
        figure(f"bsi.counts.{band}", section, band, people.share(parts[band]), "scans", "%")
        for band in sorted(parts, key=in_order)
    ]
