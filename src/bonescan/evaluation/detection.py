"""How many lesions are found at how many false marks, by what they are and in whom.

Three free-response curves: all lesions by the marks' significance; metastases by the marks' probability of being one,
where a mark on a benign focus is false; and metastases by significance, which every reader has. Each is given for
visible lesions, for those of them that are no part of a superscan, and for all. A mark that hits only lesions outside
such a set is no hit of one in it, and not false.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bonescan.anatomy.bones import BONES, REGION_NAMES
from bonescan.evaluation.figures import GROUPS, Figure, People, absent, figure
from bonescan.evaluation.statistics import FreeResponse, interval, operating_points
from bonescan.evaluation.truth import VISIBLE_CONTRAST, VISIBLE_SNR

__all__ = ["CURVES", "RATES", "SETS", "Curve", "counts_band", "detection_figures", "free_response_scores", "in_order"]

Case = Mapping[str, Any]

RATES = (1.0, 2.0, 3.8, 7.6)
"""False marks a scan at which sensitivities are given; the last two are those of published readers."""

BREAKDOWN_RATE = 3.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One way to score marks.

    Parameters
    ----------
    key, title : str
    score : str
        Of a mark: ``"significance"`` or ``"metastatic"``, the probability.
    metastases : bool
        Whether only metastases are to be found.
    """

    key: str
    title: str
    score: str
    metastases: bool


CURVES = (
    Curve(key="lesions", title="Lesions, by significance", score="significance", metastases=False),
    Curve(key="metastases", title="Metastases, by probability", score="metastatic", metastases=True),
    Curve(key="metastases_by_significance", title="Metastases, by significance", score="significance", metastases=True),
)

SETS: Mapping[str, Callable[[Case], bool]] = {
    "visible": lambda one: bool(one["visible"]),
    "distinct": lambda one: bool(one["visible"]) and not str(one["kind"]).endswith("superscan"),
    "all": lambda _: True,
}
"""Lesions that are to be found. Distinct are visible ones but the bones of a superscan, whose very sign is that no
single lesion stands out: one such person has more of them than many others together."""

_BINS: Mapping[str, tuple[float, ...]] = {
    "snr": (2, 5, 10, 20, 50),
    "contrast": (1.1, 1.3, 1.6, 2.5, 5),
    "volume_ml": (1, 3, 10, 30),
    "counts": (0.3, 0.7, 1.2, 2.0),
    "girth": (0.95, 1.1),
    "mass_kg": (60, 75, 90),
    "age_years": (50, 65, 75),
}
_SITES: Mapping[str, str] = {own.id: REGION_NAMES.get(own.region, "elsewhere") for own in BONES}
_OF_LESION: Mapping[str, tuple[str, Callable[[Case], str | None]]] = {
    "size": ("volume, ml", lambda one: _band("volume_ml", one["volume_ml"])),
    "site": ("site", lambda one: _SITES.get(one["bone"], "elsewhere")),
    "nature": ("nature", lambda one: str(one["nature"])),
    "kind": ("kind", lambda one: str(one["kind"]).replace("_", " ")),
}
_OF_HOT: Mapping[str, tuple[str, Callable[[Case], str | None]]] = {
    "snr": ("signal to noise, all hot ones", lambda one: _band("snr", one["snr"])),
    "contrast": ("contrast, all hot ones", lambda one: _band("contrast", one["contrast"] or math.inf)),
}
_OF_PERSON: Mapping[str, tuple[str, Callable[[Case], str | None]]] = {
    "counts": ("million counts a view", lambda facts: counts_band(facts)),
    "girth": ("girth over the usual", lambda facts: _band("girth", facts.get("girth"))),
    "mass": ("body mass, kg", lambda facts: _band("mass_kg", facts.get("mass_kg"))),
    "sex": ("sex", lambda facts: facts.get("sex")),
    "age": ("age, years", lambda facts: _band("age_years", facts.get("age_years"))),
    "camera": ("camera", lambda facts: facts.get("camera")),
}


def free_response_scores(people: People, curve: Curve, of: str) -> FreeResponse | None:
    """Scores for a free-response curve.

    Parameters
    ----------
    people : People
    curve : Curve
    of : str
        Which lesions are to be found: a key of `SETS`.

    Returns
    -------
    FreeResponse or None
        ``None`` where no lesion is known, or no mark has that score.
    """
    if not people.with_lesions_known.any() or (people.marks and all(m[curve.score] is None for _, m in people.marks)):
        return None
    lesions = [(k, one) for k, one in people.lesions if SETS[of](one) and (one["metastasis"] or not curve.metastases)]
    wrong = [(k, one) for k, one in people.marks if not (one["metastasis"] if curve.metastases else one["hits"])]
    return FreeResponse(
        lesion_scores=np.array([_score(one, curve) for _, one in lesions], dtype=float),
        lesion_people=np.array([k for k, _ in lesions], dtype=np.int64),
        false_scores=np.array([_score(one, curve) for _, one in wrong], dtype=float),
        false_people=np.array([k for k, _ in wrong], dtype=np.int64),
        scans=people.with_lesions_known.astype(float),
    )


def _score(one: Case, curve: Curve) -> float:
    """Of a mark, or of the best mark that hits a lesion."""
    if not one.get("found", True):
        return -math.inf
    return float(one[curve.score] or 0.0)


def detection_figures(people: People) -> list[Figure]:
    """Sensitivities at rates of false marks, of all lesions and of their parts, and what the false marks are on.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
    """
    out = []
    for curve in CURVES:
        for of in SETS:
            scores = free_response_scores(people, curve, of)
            if scores is None:
                reason = "findings have no probability" if people.with_lesions_known.any() else "no lesions are known"
                out.append(absent(f"{curve.key}.{of}", curve.title, of, reason))
            else:
                out += _sensitivities(people, scores, curve, of)
    if not people.with_lesions_known.any():
        return out
    outlines = [(k, case["outlines_dice"]) for k, case in enumerate(people.cases) if case["outlines_dice"] is not None]
    told = people.share(outlines)
    out.append(figure("lesions.outlines", CURVES[0].title, "Dice of all marked with all visible pixels", told, "scans"))
    cold = [(k, one["found"]) for k, one in people.lesions if _seen_cold(one)]
    out.append(figure("lesions.cold", CURVES[0].title, "cold and plain, all marks", people.share(cold), "lesions"))
    for curve in CURVES[:2]:
        scores = free_response_scores(people, curve, "visible")
        if scores is not None:
            threshold = float(operating_points(scores, [BREAKDOWN_RATE])[0][0])
            out += _breakdown(people, curve, threshold)
            if not curve.metastases:
                out += _false_marks(people, threshold)
    return out


def _sensitivities(people: People, scores: FreeResponse, curve: Curve, of: str) -> list[Figure]:
    rates = (*RATES, math.inf)
    found = operating_points(scores, rates)[2]
    drawn = np.array([operating_points(scores, rates, draw)[2] for draw in people.draws])
    n = len(scores.lesion_scores)
    out = []
    for k, rate in enumerate(rates):
        end = math.isinf(rate)
        title = f"{of}, all marks" if end else f"{of}, {rate:g} false a scan"
        told = interval(float(found[k]), drawn[:, k]), n
        out.append(figure(f"{curve.key}.{of}.{'end' if end else f'{rate:g}'}", curve.title, title, told, "lesions"))
    false = people.rate(scores.false_people, people.with_lesions_known)
    return [
        *out,
        figure(f"{curve.key}.{of}.false", curve.title, f"{of}, false among all marks, a scan", false, "scans"),
    ]


def _seen_cold(one: Case) -> bool:
    return one["polarity"] == "cold" and bool(one["snr"] >= VISIBLE_SNR and one["contrast"] <= 1 / VISIBLE_CONTRAST)


def _breakdown(people: People, curve: Curve, threshold: float) -> list[Figure]:
    """Sensitivities of parts of the lesions at the one threshold that gives `BREAKDOWN_RATE` false marks."""
    lesions = [(k, one) for k, one in people.lesions if one["metastasis"] or not curve.metastases]
    hot = [(k, one) for k, one in lesions if one["polarity"] == "hot"]
    seen = [(k, one) for k, one in lesions if one["visible"]]
    out = []
    for table, chosen, of_person in ((_OF_HOT, hot, False), (_OF_LESION, seen, False), (_OF_PERSON, seen, True)):
        for name, (words, part) in table.items():
            parts: dict[str, list[tuple[int, float]]] = {}
            for k, one in chosen:
                label = part(people.cases[k]["facts"] if of_person else one)
                if label is not None:
                    parts.setdefault(label, []).append((k, _score(one, curve) >= threshold))
            section = f"{curve.title}, {BREAKDOWN_RATE:g} false a scan, by {words}"
            out += [
                figure(f"{curve.key}.by.{name}.{label}", section, label, people.share(parts[label]), "lesions")
                for label in sorted(parts, key=in_order)
            ]
    return out


def _false_marks(people: People, threshold: float) -> list[Figure]:
    section = f"False marks a scan, {BREAKDOWN_RATE:g} in all"
    wrong = [(k, one) for k, one in people.marks if not one["hits"] and one["significance"] >= threshold]
    parts: dict[str, list[int]] = {}
    for k, one in wrong:
        parts.setdefault("on a disturbance" if one["disturbances"] else "on nothing known", []).append(k)
        parts.setdefault(f"in {REGION_NAMES.get(one['region'], 'no region')}", []).append(k)
    told = [(label, people.rate(own, people.with_lesions_known)) for label, own in parts.items()]
    told.sort(key=lambda pair: (pair[0].startswith("in "), -pair[1][0].value))
    told += [(f"{group} people", people.rate([k for k, _ in wrong], people.groups == group)) for group in GROUPS]
    out = [figure(f"false.{label}", section, label, rate, "scans") for label, rate in told]
    return [one for one in out if one.n]


def counts_band(facts: Mapping[str, Any]) -> str | None:
    """In which band the counts of a scan lie.

    Parameters
    ----------
    facts : mapping
        With ``counts``, the mean of the views.

    Returns
    -------
    str or None
        In million counts.
    """
    counts = facts.get("counts")
    return None if counts is None else _band("counts", counts / 1e6)


def _band(name: str, value: float | None) -> str | None:
    if value is None:
        return None
    edges = _BINS[name]
    at = int(np.searchsorted(edges, value, side="right"))
    if at == 0:
        return f"below {edges[0]:g}"
    return f"{edges[-1]:g} and more" if at == len(edges) else f"{edges[at - 1]:g} to {edges[at]:g}"


def in_order(label: str) -> tuple[float, str]:
    """A key to sort by: bands in their order, then words by the alphabet.

    Parameters
    ----------
    label : str

    Returns
    -------
    (float, str)
    """
    first = label.partition(" ")[0]
    if first == "below":
        return -math.inf, label
    return (float(first), label) if first.replace(".", "").isdigit() else (math.inf, label)
