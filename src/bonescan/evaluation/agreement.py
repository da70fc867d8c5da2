"""Whether two readings of one person agree: scanned again, faster, by another camera, or left exchanged with right.

Repeatability is the standard deviation of one measurement within a person, from the differences d of pairs ::

    SD within = sqrt(mean of d^2 / 2)

so that a difference of conditions that shifts all readings alike is in it; the mean of d says how much that is. Lesions
agree by the share found both times among those found either time, each lesion of the truth once ::

    agreement = 2 |both| / (|first| + |second|)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import UnreadableInput
from bonescan.evaluation.figures import Figure, People, figure
from bonescan.evaluation.matching import COVERED, REGIONS
from bonescan.evaluation.patients import LINEAR_PERCENT
from bonescan.evaluation.statistics import Interval
from bonescan.reading.model import Finding, Kind, Polarity, Reading
from bonescan.scan import Scan

__all__ = ["agreement_figures_of_pairs", "agreement_of_mirrored", "mirrored", "mirrored_figures"]

Case = Mapping[str, Any]


def agreement_figures_of_pairs(first: Sequence[Case], second: Sequence[Case], what: str) -> list[Figure]:
    """How two sets of readings of the same people agree.

    Parameters
    ----------
    first, second : sequence of mapping
        Comparisons; people are paired by name.
    what : str
        What differs between them, for keys and titles.

    Returns
    -------
    list of Figure
        Differences are second less first.

    Raises
    ------
    UnreadableInput
        When nobody is in both.
    """
    later = {case["name"]: case for case in second}
    pairs = [(case, later[case["name"]]) for case in first if case["name"] in later]
    if not pairs:
        raise UnreadableInput("No study is in both folders; a pair has one name in both.")
    people = People([one for one, _ in pairs])
    section = f"Two readings of one person: {what}"
    low, high = LINEAR_PERCENT
    apart: list[tuple[int, float]] = []
    linear: list[tuple[int, float]] = []
    for k, (one, two) in enumerate((first["burden"], second["burden"]) for first, second in pairs):
        if one["bone_scan_index_percent"] is not None and two["bone_scan_index_percent"] is not None:
            apart.append((k, two["bone_scan_index_percent"] - one["bone_scan_index_percent"]))
            if one["true_percent"] is not None and low <= one["true_percent"] <= high:
                linear.append(apart[-1])
    out = []
    for suffix, own, part in (("", apart, "all"), (".linear", linear, f"true {low:g} to {high:g} %")):
        for name, words, told in (
            ("sd", "SD within a person", _within(people, own)),
            ("bias", "mean difference", people.share(own)),
            ("error", "mean absolute difference", people.share((k, abs(value)) for k, value in own)),
        ):
            title = f"Bone Scan Index, {words}, {part}"
            out.append(figure(f"pairs.{what}.{name}{suffix}", section, title, told, "pairs", "%"))
    found = [(_found(one), _found(two)) for one, two in pairs]
    shares = people.part((k, 2 * len(one & two), len(one) + len(two)) for k, (one, two) in enumerate(found))
    return [*out, figure(f"pairs.{what}.lesions", section, "lesions found both times", shares, "findings of lesions")]


def _within(people: People, apart: Sequence[tuple[int, float]]) -> tuple[Interval, int]:
    whose = np.array([k for k, _ in apart], dtype=np.int64)
    squares = np.array([value**2 for _, value in apart])

    def within(weights: NDArray[np.float64]) -> float:
        return float(np.sqrt((weights * squares).sum() / (2 * weights.sum()))) if weights.sum() else float("nan")

    return people.interval(whose, within)


def _found(case: Case) -> set[int]:
    return {one["number"] for one in case["lesions"] or () if one["found"]}


def mirrored(scan: Scan) -> Scan:
    """A scan whose person has left and right exchanged.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    Scan
    """
    return replace(scan, views=tuple(replace(view, counts=view.counts[:, ::-1]) for view in scan.views))


def agreement_of_mirrored(reading: Reading, other: Reading) -> dict[str, Any]:
    """Hold a reading against that of the mirrored scan.

    Parameters
    ----------
    reading, other : Reading
        Of a scan and of `mirrored` of it.

    Returns
    -------
    dict
        ``bone_scan_index_apart_percent``; ``marks`` and ``alike``, how many hot bone findings both have in all and how
        many of them share a quarter of the smaller one's pixels with one of the other's; ``region_dice``, mean over
        regions and views.
    """
    one, two = (own.burden.bone_scan_index_percent.value for own in (reading, other))
    marks = [[own for own in held.findings if _hot_bone(own)] for held in (reading, other)]
    alike = sum(any(_overlap(own, theirs) for theirs in marks[1]) for own in marks[0])
    alike += sum(any(_overlap(theirs, own) for theirs in marks[0]) for own in marks[1])
    flipped = {view.name: view.regions[:, ::-1] for view in other.labels.views}
    dice = []
    for view in reading.labels.views:
        for region in REGIONS:
            ours, theirs = view.regions == region, flipped[view.name] == region
            total = np.count_nonzero(ours) + np.count_nonzero(theirs)
            if total:
                dice.append(2 * np.count_nonzero(ours & theirs) / total)
    return {
        "bone_scan_index_apart_percent": None if one is None or two is None else abs(two - one),
        "marks": len(marks[0]) + len(marks[1]),
        "alike": alike,
        "region_dice": float(np.mean(dice)) if dice else None,
    }


def _hot_bone(finding: Finding) -> bool:
    return finding.kind is Kind.BONE and finding.polarity is Polarity.HOT


def _overlap(one: Finding, flipped: Finding) -> bool:
    for name, shown in one.views.items():
        if name in flipped.views:
            theirs = flipped.views[name].mask[:, ::-1]
            common = np.count_nonzero(shown.mask & theirs)
            if common and common >= COVERED * min(np.count_nonzero(shown.mask), np.count_nonzero(theirs)):
                return True
    return False


def mirrored_figures(people: People) -> list[Figure]:
    """How far readings of mirrored scans are mirrored readings.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
        Empty where no scan was read mirrored.
    """
    section = "Left and right exchanged"
    told = [(k, case["mirrored"]) for k, case in enumerate(people.cases) if case.get("mirrored")]
    if not told:
        return []
    apart = [(k, one["bone_scan_index_apart_percent"]) for k, one in told]
    dice = people.share((k, one["region_dice"]) for k, one in told if one["region_dice"] is not None)
    marks = people.part((k, one["alike"], one["marks"]) for k, one in told)
    index = people.share((k, value) for k, value in apart if value is not None)
    return [
        figure("mirrored.regions", section, "mean Dice of regions with those of the mirrored scan", dice, "scans"),
        figure("mirrored.marks", section, "hot bone findings that are found again", marks, "findings"),
        figure("mirrored.bsi", section, "Bone Scan Index, mean absolute difference", index, "scans", "%"),
    ]
