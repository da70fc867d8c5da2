"""Numbers of both scans and what changed between them, each with its uncertainty.

Of a quantity with values a (prior) and b (current) and standard deviations u_a and u_b ::

    difference = b - a                          u = sqrt(u_a^2 + u_b^2)
    ratio      = b / a                          u = ratio sqrt((u_a / a)^2 + (u_b / b)^2)

A trend is told where the difference is beyond 1.96 u; without uncertainties it is unknown.

Bone Scan Index. Repeated after one injection the automated index differed by 0.05 on average, standard deviation
0.15, upper limit 0.30 (Anand 2016): a change is flagged beyond `INDEX_REPEATABILITY_PERCENT`, absolute. Its prognostic
unit is the doubling: the hazard of death rises by 20 % with each (Armstrong 2018). Doublings are log2(b / a), absent
where either is 0; within the repeatability they are mostly noise, and the text leaves them out.

References
----------
Anand A et al. J Nucl Med 2016, doi:10.2967/jnumed.115.160085. Armstrong AJ et al. JAMA Oncol 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bonescan.followup.matching import NEW_SD, Match
from bonescan.followup.model import Change, ChangeKind, Comparability, IndexChange, LesionChange, Trend
from bonescan.measurement import Measurement
from bonescan.reading.model import Burden, Finding, Polarity

__all__ = [
    "INDEX_REPEATABILITY_PERCENT",
    "INTERVAL",
    "brightness_change",
    "change_of",
    "common_likelihood",
    "index_change",
    "lesion_changes",
]

INDEX_REPEATABILITY_PERCENT = 0.30
_REPEAT_SD_PERCENT = 0.15  # of the difference between repeated scans (Anand 2016) [V]


_AT_MOST = 0.999  # of a probability, so that one reading alone never decides
_TOLD_PERCENT = 0.01  # by which the change must differ from that of the readings to be told apart
LEAST_RATIO = 1.25
"""A persisting lesion is brighter or fainter from this ratio on [D]."""

INTERVAL = 1.96
"""Standard deviations within which nothing is called a change."""
_RATIO_SPREAD, _AREA_SPREAD = 0.15, 0.20
"""Relative standard deviations of a finding's uptake ratio and area in repeated scans [D]."""


def change_of(prior: Measurement, current: Measurement, *, method: str = "") -> Change:
    """The change of one number.

    Parameters
    ----------
    prior, current : Measurement
        In one unit.
    method : str
        What the number is, for the difference's and the ratio's own method.

    Returns
    -------
    Change
        Absent, with the reason, where either is absent.
    """
    name = method or current.method
    reason = " and ".join(
        f"the {word} scan: {one.absent_reason}"
        for word, one in (("prior", prior), ("current", current))
        if one.value is None
    )
    if prior.value is None or current.value is None:
        return Change(
            prior=prior,
            current=current,
            difference=_absent(current.unit, f"{name}, current less prior", reason),
            ratio=_absent("1", f"{name}, current over prior", reason),
            trend=Trend.UNKNOWN,
        )
    a, b, u_a, u_b = prior.value, current.value, prior.uncertainty, current.uncertainty
    spread = None if u_a is None or u_b is None else math.hypot(u_a, u_b)
    difference = Measurement(value=b - a, unit=current.unit, uncertainty=spread, method=f"{name}, current less prior")
    if a > 0 and b >= 0:
        relative = None if spread is None or b == 0 else math.hypot(_of(u_a) / a, _of(u_b) / b) * b / a
        ratio = Measurement(value=b / a, unit="1", uncertainty=relative, method=f"{name}, current over prior")
    else:
        ratio = _absent("1", f"{name}, current over prior", "the prior value is 0")
    return Change(prior=prior, current=current, difference=difference, ratio=ratio, trend=_trend(b - a, spread))


def index_change(
    prior: Burden,
    current: Burden,
    comparability: Comparability,
    together: tuple[Measurement, Measurement] | None = None,
) -> IndexChange:
    """The change of the Bone Scan Index.

    Parameters
    ----------
    prior, current : Burden
        As the readings have them.
    comparability : Comparability
        Where it withholds burden, the change is absent with its first reason.
    together : tuple of Measurement, optional
        The index of prior and current scan with every lesion decided once; as read by default.

    Returns
    -------
    IndexChange
    """
    method = "Bone Scan Index"
    read = prior.bone_scan_index_percent, current.bone_scan_index_percent

    def changed(a: Measurement, b: Measurement) -> Change:
        if not comparability.withholds_burden:
            return change_of(a, b, method=method)
        reason = comparability.reasons[0]
        return Change(
            prior=a,
            current=b,
            difference=_absent("%", f"{method}, current less prior", reason),
            ratio=_absent("1", f"{method}, current over prior", reason),
            trend=Trend.UNKNOWN,
        )

    as_read, change = changed(*read), changed(*(together or read))
    difference = change.difference.value
    flagged = difference is not None and abs(difference) > INDEX_REPEATABILITY_PERCENT
    return IndexChange(
        as_read=as_read,
        change=change,
        doublings=_doublings(change),
        flagged=flagged,
        repeatability_percent=INDEX_REPEATABILITY_PERCENT,
        text=_index_text(as_read, change, flagged),
    )


def _doublings(change: Change) -> Measurement:
    method = "log2 of the Bone Scan Index, current over prior"
    a, b = change.prior.value, change.current.value
    if change.difference.value is None:
        return _absent("1", method, change.difference.absent_reason)
    if not a or not b:
        return _absent("1", method, "an index of 0 cannot double or halve")
    spread = math.hypot(*(max(_of(m.uncertainty), _REPEAT_SD_PERCENT / math.sqrt(2)) / v for m, v in
                          ((change.prior, a), (change.current, b)))) / math.log(2)  # fmt: skip
    return Measurement(value=math.log2(b / a), unit="1", uncertainty=spread, method=method, source="JAMA Oncol 2018")


def _index_text(as_read: Change, change: Change, flagged: bool) -> str:
    a, b, difference = change.prior.value, change.current.value, change.difference.value
    if difference is None or a is None or b is None:
        reason = change.difference.absent_reason
        return f"The change of the Bone Scan Index is not given: {reason[:1].lower()}{reason[1:].rstrip('.')}."
    went = f"The Bone Scan Index went from {a:.2f} to {b:.2f} % ({difference:+.2f} percentage points)"
    if as_read.difference.value is not None and abs(as_read.difference.value - difference) >= _TOLD_PERCENT:
        went = (
            f"The Bone Scan Index is {as_read.prior.value:.2f} and {as_read.current.value:.2f} % as read; with every "
            f"lesion decided once for both scans it went from {a:.2f} to {b:.2f} % "
            f"({difference:+.2f} percentage points)"
        )
    limit = f"{INDEX_REPEATABILITY_PERCENT:.1f} points"
    if not flagged:
        return f"{went}, within the {limit} by which repeated scans differ."
    times = f", {math.log2(b / a):+.1f} doublings" if a > 0 and b > 0 else ""
    return f"{went}{times}: more than the {limit} by which repeated scans differ."


def lesion_changes(matches: Iterable[Match]) -> tuple[LesionChange, ...]:
    """Number and measure matched lesions.

    Parameters
    ----------
    matches : iterable of Match

    Returns
    -------
    tuple of LesionChange
        New ones first, then risen, other persisting, vanished, not comparable; each by significance; places that
        neither reading marks at the end.
    """
    measured = sorted((_lesion(one) for one in matches), key=_rank)
    return tuple(replace(lesion, id=number) for number, lesion in enumerate(measured, start=1))


def common_likelihood(findings: Sequence[Finding]) -> Measurement:
    """Probability that a lesion is metastatic, by the mean log-odds of its findings.

    Parameters
    ----------
    findings : sequence of Finding
        Of one lesion, in both scans.

    Returns
    -------
    Measurement
        Absent where none was judged.
    """
    method = "probability of metastasis, mean log-odds over both scans"
    judged = [one.likelihood.value for one in findings if one.likelihood.value is not None]
    if not judged:
        return Measurement(value=None, unit="1", method=method, absent_reason="not judged")
    kept = [min(max(value, 1 - _AT_MOST), _AT_MOST) for value in judged]
    odds = sum(math.log(value / (1 - value)) for value in kept) / len(kept)
    return Measurement(value=1 / (1 + math.exp(-odds)), unit="1", method=method)


_ORDER = {
    ChangeKind.NEW: 0,
    ChangeKind.MERGED: 2,
    ChangeKind.SPLIT: 2,
    ChangeKind.PERSISTING: 2,
    ChangeKind.VANISHED: 3,
    ChangeKind.NOT_COMPARABLE: 4,
}


def _rank(lesion: LesionChange) -> tuple[float, float]:
    risen = lesion.trend is Trend.ROSE and _ORDER[lesion.kind] == 2
    order = 1.0 if risen else float(_ORDER[lesion.kind])
    return (order if lesion.prior or lesion.current else order + len(_ORDER), -abs(lesion.significance))


def _lesion(one: Match) -> LesionChange:
    brightness, trend = brightness_change(one)
    return LesionChange(
        id=0,
        kind=one.kind,
        prior=tuple(finding.id for finding in one.prior),
        current=tuple(finding.id for finding in one.current),
        bone=one.named.bone,
        side=one.named.side,
        place=one.named.place,
        region=one.named.region,
        uptake_ratio=change_of(*(_uptake(part, which) for part, which in _both(one)), method="uptake over normal bone"),
        area_mm2=change_of(*(_area(part, which) for part, which in _both(one)), method="area of the larger view"),
        depth_mm=change_of(*(_depth(part, which) for part, which in _both(one)), method="depth behind the back's skin"),
        brightness=brightness,
        significance=one.place.significance,
        trend=trend,
        masks=one.masks,
        reason=one.reason,
        likelihood=common_likelihood((*one.prior, *one.current)),
    )


def _both(one: Match) -> tuple[tuple[tuple[Finding, ...], str], tuple[tuple[Finding, ...], str]]:
    return (one.prior, "prior"), (one.current, "current")


def brightness_change(one: Match) -> tuple[Measurement, Trend]:
    """The change of a lesion's uptake.

    Parameters
    ----------
    one : Match

    Returns
    -------
    ratio : Measurement
        Mean counts at its place, current over prior, scaled to the same normal bone.
    trend : Trend
    """
    method = "mean counts at the place, current over prior, scaled to the same normal bone"
    value, spread = one.place.brightness, one.place.log_spread
    if not (math.isfinite(value) and math.isfinite(spread)):
        return _absent("1", method, "the place is not shown by both scans"), Trend.UNKNOWN
    measured = Measurement(value=value, unit="1", uncertainty=value * spread, method=method)
    if one.kind is ChangeKind.NOT_COMPARABLE:
        return measured, Trend.UNKNOWN
    if one.kind in (ChangeKind.NEW, ChangeKind.VANISHED):
        return measured, Trend.ROSE if value > 1 else Trend.FELL  # a cold place that is new became fainter
    if not one.prior or not one.current:
        return measured, Trend.UNCHANGED
    log = math.log(max(value, 1e-6))
    if abs(log) < max(NEW_SD * spread, math.log(LEAST_RATIO)):  # as sure as a new one must be
        return measured, Trend.UNCHANGED
    return measured, Trend.ROSE if log > 0 else Trend.FELL


def _uptake(findings: tuple[Finding, ...], which: str) -> Measurement:
    method = "mean uptake over this person's normal bone there"
    if not findings:
        return _absent("1", method, f"not marked in the {which} scan")
    cold = findings[0].polarity is Polarity.COLD
    value = (min if cold else max)(finding.uptake_ratio for finding in findings)
    return Measurement(value=value, unit="1", uncertainty=_RATIO_SPREAD * value, method=method)


def _area(findings: tuple[Finding, ...], which: str) -> Measurement:
    method = "area in the view that shows it larger, all parts together"
    if not findings:
        return _absent("mm2", method, f"not marked in the {which} scan")
    names = {name for finding in findings for name in finding.views}
    value = max(sum(finding.views[name].area_mm2 for finding in findings if name in finding.views) for name in names)
    return Measurement(value=value, unit="mm2", uncertainty=_AREA_SPREAD * value, method=method)


def _depth(findings: tuple[Finding, ...], which: str) -> Measurement:
    method = "distance from the skin of the back"
    if not findings:
        return _absent("mm", method, f"not marked in the {which} scan")
    if len(findings) > 1:
        return _absent("mm", method, f"several parts in the {which} scan")
    return findings[0].depth_mm


def _absent(unit: str, method: str, reason: str) -> Measurement:
    return Measurement(value=None, unit=unit, method=method, absent_reason=reason or "not measured")


def _of(uncertainty: float | None) -> float:
    return 0.0 if uncertainty is None else uncertainty


def _trend(difference: float, spread: float | None) -> Trend:
    if spread is None:
        return Trend.UNKNOWN
    if abs(difference) <= INTERVAL * spread:
        return Trend.UNCHANGED
    return Trend.ROSE if difference > 0 else Trend.FELL
