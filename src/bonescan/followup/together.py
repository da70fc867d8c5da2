"""What counts in the index, decided once for both scans: a finding near one half flips, disease does not.

Two readings of one lesion differ by chance in whether the finder marks it, in whether it is called metastatic, and in
its outline. So that a change of the index is one of the disease and not of these, every lesion of a pair is decided
once:

- seen in both scans and counted in one alone: by the mean of both findings' log-odds of being metastatic, for both;
- marked in one scan alone, its uptake the same in both: as that scan has it, for both, with the same mass;
- in both scans with the same uptake: with the mean of both masses, for both, unless the masses of all such lesions
  together differ by more than `OUTLINE_SPREAD` of each explains;
- not comparable: in neither;
- new or vanished: as its own scan says.

With R_a, R_b the outlined mass of the findings that count as they were read, D_a, D_b of those that count as decided,
and I_a, I_b the indices as read ::

    I_a' = w k D_a + (1 - w) I_a,    I_b' = w k D_b + (1 - w) I_b,    k = (I_a + I_b) / (R_a + R_b)

so that what did not change changes no index. In widespread disease the index follows the whole skeleton and no longer
its findings (`bonescan.reading.measures.burden`): w falls from 1 to 0 while the larger index passes from `FEW_PERCENT`
to `WIDE_PERCENT`. The area of the lesions is corrected by their areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bonescan.followup.change import INTERVAL, brightness_change, common_likelihood
from bonescan.followup.matching import Match
from bonescan.followup.model import ChangeKind, Trend
from bonescan.measurement import Measurement
from bonescan.reading.findings.natures import COUNTED_FROM
from bonescan.reading.measures.burden import FEW_PERCENT, WIDE_PERCENT
from bonescan.reading.model import Burden, Finding, Polarity

__all__ = ["Together", "decide_together"]

OUTLINE_SPREAD = 0.20
"""Relative standard deviation of the mass under a lesion's outline in repeated scans [D]."""
_HOW = "lesions decided once for both scans"


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Burden of two scans whose lesions were decided once.

    Parameters
    ----------
    index, area : tuple of (prior, current) Measurement
        Bone Scan Index in percent and area in mm2; as read where nothing was decided otherwise.
    """

    index: tuple[Measurement, Measurement]
    area: tuple[Measurement, Measurement]


def decide_together(matches: Iterable[Match], prior: Burden, current: Burden) -> Together:
    """The burden of both scans with every lesion decided once.

    Parameters
    ----------
    matches : iterable of Match
    prior, current : Burden
        As the readings give them.

    Returns
    -------
    Together
    """
    outlined, decided, same = [0.0, 0.0], [0.0, 0.0], []
    areas = [0.0, 0.0]
    for one in matches:
        if any(f.polarity is not Polarity.HOT for f in (*one.prior, *one.current)):
            continue
        own = tuple(tuple(f for f in side if f.in_burden) for side in (one.prior, one.current))
        counted = _decided(one, own)
        mass = tuple(_mass(side) for side in counted)
        if one.prior and one.current and brightness_change(one)[1] is Trend.UNCHANGED:
            same.append(mass)
        for k in (0, 1):
            outlined[k] += _mass(own[k])
            decided[k] += mass[k]
            areas[k] += _area(counted[k]) - _area(own[k])
    grew = sum(now - before for before, now in same)
    if abs(grew) <= INTERVAL * OUTLINE_SPREAD * math.hypot(*(m for pair in same for m in pair)):
        decided = [decided[0] + grew / 2, decided[1] - grew / 2]
    read = prior.bone_scan_index_percent, current.bone_scan_index_percent
    return Together(
        index=_index(read, outlined, decided),
        area=(_corrected(prior.lesion_area_mm2, areas[0]), _corrected(current.lesion_area_mm2, areas[1])),
    )


def _index(
    read: tuple[Measurement, Measurement], outlined: Sequence[float], decided: Sequence[float]
) -> tuple[Measurement, Measurement]:
    """Both indices by the module's equation; as read where one is absent or nothing counts."""
    before, now = (one.value for one in read)
    if before is None or now is None or sum(outlined) == 0:
        return read
    by_findings = min(max((WIDE_PERCENT - max(before, now)) / (WIDE_PERCENT - FEW_PERCENT), 0.0), 1.0)
    a_mass = (before + now) / sum(outlined)
    prior, current = (
        _corrected(one, by_findings * (a_mass * mass - value))
        for one, mass, value in zip(read, decided, (before, now), strict=True)
    )
    return prior, current


def _decided(one: Match, own: tuple[tuple[Finding, ...], ...]) -> tuple[tuple[Finding, ...], ...]:
    """What counts in either scan; the finding of the other scan stands in where a scan has none."""
    if one.kind in (ChangeKind.NEW, ChangeKind.VANISHED):
        return own
    if one.kind is ChangeKind.NOT_COMPARABLE:
        return (), ()
    before, now = own
    if not one.prior or not one.current:
        return before or now, before or now
    if bool(before) == bool(now):
        return own
    likelihood = common_likelihood((*one.prior, *one.current)).value
    return (one.prior, one.current) if likelihood is not None and likelihood >= COUNTED_FROM else ((), ())


def _mass(findings: Iterable[Finding]) -> float:
    return sum(finding.mass_share_percent for finding in findings)


def _area(findings: Iterable[Finding]) -> float:
    return sum(view.area_mm2 for finding in findings for view in finding.views.values())


def _corrected(read: Measurement, by: float) -> Measurement:
    if read.value is None or by == 0:
        return read
    return replace(read, value=max(read.value + by, 0.0), method=f"{read.method}; {_HOW}")
