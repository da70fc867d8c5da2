"""The figures of an evaluation: what was read, how regions, names and views agree, and what a reading costs.

A figure is one number with a key and its interval over people, so that two evaluations can be laid side by side. What
cannot be said is absent with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.bones import REGION_NAMES
from bonescan.evaluation.matching import REGIONS
from bonescan.evaluation.statistics import RESAMPLES, Interval, bootstrap, draw_people, ratio

__all__ = ["GROUPS", "VIEWS", "Figure", "People", "absent", "agreement_figures", "cost_figures", "figure", "scan_dice"]

Array = NDArray[np.float64]
Case = Mapping[str, Any]

GROUPS = ("normal", "benign", "metastatic")
"""People without any lesion, with benign lesions only, with metastases."""

VIEWS = ("anterior", "posterior")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of an evaluation.

    Parameters
    ----------
    key : str
        Dotted; the same in every evaluation.
    section, title : str
        Where and under what words it stands in the table.
    value : float or None
    low, high : float or None
        95 % interval over people.
    n : int
        How many it is over.
    of : str
        What they are: ``"lesions"``, ``"scans"``.
    unit : str
    absent_reason : str
        Why there is no value; empty otherwise.
    """

    key: str
    section: str
    title: str
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    of: str = ""
    unit: str = ""
    absent_reason: str = ""


class People:
    """All comparisons, and the draws of the bootstrap over the people they are of.

    Parameters
    ----------
    cases : sequence of mapping
        As `bonescan.evaluation.comparison.compare` makes them, with ``failed``, ``seconds`` and ``peak_mb``.
    seed, resamples : int
        Of the bootstrap.
    """

    def __init__(self, cases: Sequence[Case], *, seed: int = 0, resamples: int = RESAMPLES) -> None:
        self.cases = tuple(cases)
        self.draws = draw_people(len(self.cases), seed, resamples)
        self.lesions = [(k, one) for k, case in enumerate(self.cases) for one in case["lesions"] or ()]
        self.marks = [
            (k, one) for k, case in enumerate(self.cases) for one in case["marks"] or () if one["kind"] == "bone"
        ]
        self.with_lesions_known = np.array([case["lesions"] is not None for case in self.cases], dtype=bool)
        self.groups = np.array([case["group"] or "" for case in self.cases])

    def share(self, items: Iterable[tuple[int, float]]) -> tuple[Interval, int]:
        """Mean of items that belong to people, with its interval, and how many they are."""
        return self.part((person, value, 1) for person, value in items)

    def part(self, sums: Iterable[tuple[int, float, int]]) -> tuple[Interval, int]:
        """A share by its sums: (person, sum, of how many), with its interval, and how many they are in all."""
        top, bottom = np.zeros(len(self.cases)), np.zeros(len(self.cases))
        for person, total, number in sums:
            top[person] += total
            bottom[person] += number
        return ratio(top, bottom, self.draws), int(bottom.sum())

    def rate(self, whose: Iterable[int], among: NDArray[np.bool_]) -> tuple[Interval, int]:
        """How many a scan, among some of the scans, with its interval, and how many scans they are."""
        count = np.bincount(np.asarray(list(whose), dtype=np.int64), minlength=len(self.cases))
        return ratio(count * among, among.astype(float), self.draws), int(among.sum())

    def interval(self, whose: NDArray[np.integer], statistic: Callable[[Array], float]) -> tuple[Interval, int]:
        """A statistic of items' weights, with its interval; ``whose`` says which person an item belongs to."""
        told = bootstrap(
            lambda weights: statistic(np.ones(len(whose)) if weights is None else weights[whose]), self.draws
        )
        return told, len(whose)


def figure(key: str, section: str, title: str, told: tuple[Interval, int], of: str, unit: str = "") -> Figure:
    """A figure from an interval and how many it is over.

    Parameters
    ----------
    key, section, title, of, unit : str
        As in `Figure`.
    told : (Interval, int)

    Returns
    -------
    Figure
        Absent where the interval's value is NaN.
    """
    found, n = told
    if not math.isfinite(found.value):
        return Figure(key=key, section=section, title=title, value=None, n=n, of=of, absent_reason="none there")
    return Figure(
        key=key, section=section, title=title, value=found.value, low=found.low, high=found.high, n=n, of=of, unit=unit
    )


def absent(key: str, section: str, title: str, reason: str) -> Figure:
    """A figure that cannot be given.

    Parameters
    ----------
    key, section, title : str
        As in `Figure`.
    reason : str

    Returns
    -------
    Figure
    """
    return Figure(key=key, section=section, title=title, value=None, absent_reason=reason)


def _plain(value: float, n: int) -> tuple[Interval, int]:
    return Interval(value=float(value), low=None, high=None), n


def agreement_figures(people: People) -> list[Figure]:
    """What was read, and how regions, marks of a visual reading, names and views agree.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
    """
    return [*_studies(people), *_regions(people), *_circles(people), *_names(people)]


def _studies(people: People) -> list[Figure]:
    cases, section = people.cases, "Studies"
    failed = sum(case["failed"] is not None for case in cases)
    trusted = [(k, bool(case["labels"]["trusted"])) for k, case in enumerate(cases) if case["labels"]]
    strange = [
        (k, not case["impression"]["familiar"])
        for k, case in enumerate(cases)
        if case["impression"] and case["impression"]["familiar"] is not None
    ]
    return [
        figure("studies.read", section, "read", _plain(len(cases) - failed, len(cases)), "scans"),
        figure("studies.failed", section, "not read", _plain(failed, len(cases)), "scans"),
        *(
            figure(f"studies.{name}", section, name, _plain(np.sum(people.groups == name), len(cases)), "scans")
            for name in GROUPS
            if people.groups.any()  # else nobody's lesions are known
        ),
        figure("studies.trusted", section, "labels trusted", people.share(trusted), "scans"),
        figure("studies.unfamiliar", section, "called unfamiliar", people.share(strange), "scans"),
    ]


def _regions(people: People) -> list[Figure]:
    section, of = "Regions", "views"
    single = [
        figure(
            f"regions.{view}.{region}.{what}",
            f"Single regions, {words}",
            f"{REGION_NAMES[region]}, {view}",
            people.share(_of_region(people, view, what, region)),
            of,
        )
        for what, words in (("dice", "Dice"), ("area_ratio", "area ratio"))
        for region in REGIONS
        for view in VIEWS
    ]
    single = [one for one in single if one.value is not None]
    by_view = {
        view: [(k, _mean(case["regions"][view]["dice"])) for k, case in enumerate(people.cases) if _has(case, view)]
        for view in VIEWS
    }
    views = [mean for own in by_view.values() for _, mean in own]
    if not views:
        return [absent("regions.all", section, "mean Dice", "no regions are known")]
    scans = [(k, mean) for k, case in enumerate(people.cases) if (mean := scan_dice(case)) is not None]
    regions = [one.value for one in single if one.key.endswith("dice") and one.value is not None]
    lowest = "lowest mean of a"
    return [
        figure("regions.all", section, "mean Dice, both views", people.share(scans), "scans"),
        *(figure(f"regions.{view}", section, f"mean Dice, {view}", people.share(by_view[view]), of) for view in VIEWS),
        figure("regions.worst_view", section, f"{lowest} view", _plain(min(views), len(views)), of),
        figure("regions.worst_scan", section, f"{lowest} scan", _plain(min(v for _, v in scans), len(scans)), "scans"),
        figure("regions.worst", section, f"{lowest} region in a view", _plain(min(regions), len(regions)), "regions"),
        *single,
    ]


def scan_dice(case: Case) -> float | None:
    """Mean of a scan's views, each the mean of its regions.

    Parameters
    ----------
    case : mapping
        A comparison.

    Returns
    -------
    float or None
        ``None`` where no regions are known.
    """
    views = [_mean(case["regions"][view]["dice"]) for view in VIEWS if _has(case, view)]
    return float(np.mean(views)) if views else None


def _has(case: Case, view: str) -> bool:
    return bool(case["regions"].get(view, {}).get("dice"))


def _mean(by_region: Mapping[str, float]) -> float:
    return float(np.mean(list(by_region.values())))


def _of_region(people: People, view: str, what: str, region: int) -> list[tuple[int, float]]:
    told = ((k, case["regions"].get(view, {}).get(what, {})) for k, case in enumerate(people.cases))
    return [(k, own[str(region)]) for k, own in told if str(region) in own]


def _circles(people: People) -> list[Figure]:
    told = [(k, case["circles"]) for k, case in enumerate(people.cases) if case.get("circles")]
    if not told:
        return []
    out, section = [], "Visual reading"
    for which, words in (("all", "all bone findings"), ("in_burden", "those in the burden")):
        found = people.part(
            (k, one[which]["found"], one[which]["found"] + len(one[which]["missed"])) for k, one in told
        )
        extra = people.share((k, len(one[which]["extra"])) for k, one in told)
        out.append(figure(f"circles.{which}.found", section, f"marks found by {words}", found, "marks"))
        out.append(figure(f"circles.{which}.extra", section, f"not marked a scan, of {words}", extra, "scans"))
    return out


def _names(people: People) -> list[Figure]:
    section = "Names and views"
    named = [(k, one["name"]) for k, one in people.marks if one["name"] is not None]
    both = [(k, len(one["found_in"]) == 2) for k, one in people.lesions if len(one["views"]) == 2 and one["found"]]
    taken = [(k, one["taken_for"] is not None) for k, one in people.lesions if one["visible"] and not one["found"]]
    told = [
        *(
            figure(f"names.{what}", section, f"marks on lesions: {words}", people.share(_each(named, what)), "marks")
            for what, words in (("bone", "right bone"), ("one_level", "right to one level"), ("side", "right side"))
        ),
        figure("views.both", section, "found, visible in both views: outlined in both", people.share(both), "lesions"),
        figure("views.taken", section, "missed, visible: outlined as no bone", people.share(taken), "lesions"),
    ]
    return [one for one in told if one.n]


def _each(items: Iterable[tuple[int, Mapping[str, float]]], what: str) -> list[tuple[int, float]]:
    return [(k, one[what]) for k, one in items]


def cost_figures(people: People) -> list[Figure]:
    """Time and memory of a reading.

    Parameters
    ----------
    people : People

    Returns
    -------
    list of Figure
    """
    section, of = "Cost of a reading, one thread", "scans"
    seconds = [case["seconds"] for case in people.cases if case.get("seconds") is not None]
    peaks = [case["peak_mb"] for case in people.cases if case.get("peak_mb") is not None]
    out = []
    if seconds:
        n = len(seconds)
        out.append(figure("cost.seconds", section, "median time", _plain(np.median(seconds), n), of, "s"))
        late = float(np.percentile(seconds, 90))
        out.append(figure("cost.seconds_90", section, "nine of ten take less than", _plain(late, n), of, "s"))
    if peaks:
        out.append(figure("cost.peak_mb", section, "largest memory", _plain(max(peaks), len(peaks)), of, "MB"))
    return out
