"""What counts in the index, decided once for both scans: a finding near one half flips, disease does not.

Two readings of one lesion differ by chance in whether the finder marks it and in whether it is called metastatic. So
that a change of the index is one of the disease and not of that decision, every lesion of a pair is decided once:

- seen in both scans and counted in one alone: by the mean of both findings' log-odds of being metastatic, for both;
- marked in one scan alone, its uptake the same in both: as that scan has it, for both, with the same mass;
- not comparable: in neither;
- new or vanished: as its own scan says.

The index of either scan is then corrected by the mass m of what is decided otherwise than it was read, in units of the
pair's own index I per outlined mass M of counted findings ::

    I' = I + w k (sum of m now counted - sum of m no longer counted),     k = min(1, (I_a + I_b) / (M_a + M_b))

so that a finding stands for no more than the mass under its outline; what is no longer counted though both scans show
it takes away the smaller of both outlines' masses, as the rest was doubt. In widespread disease the index follows
the whole skeleton and no longer its findings (`bonescan.reading.measures.burden`): w falls from 1 to 0 while the larger
index passes from `FEW_PERCENT` to `WIDE_PERCENT`. The area of the lesions is corrected by their areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bonescan.followup.matching import Match
from bonescan.followup.model import ChangeKind
from bonescan.measurement import Measurement
from bonescan.reading.findings.natures import COUNTED_FROM
from bonescan.reading.measures.burden import FEW_PERCENT, WIDE_PERCENT
from bonescan.reading.model import Burden, Finding, Polarity

__all__ = ["Together", "common_likelihood", "decide_together"]

_AT_MOST = 0.999  # of a probability, so that one reading alone never decides
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
    hot = [one for one in matches if all(f.polarity is Polarity.HOT for f in (*one.prior, *one.current))]
    masses, areas, counted = [0.0, 0.0], [0.0, 0.0], 0.0
    for one in hot:
        sides = one.prior, one.current
        own = tuple(tuple(f for f in side if f.in_burden) for side in sides)
        counted += sum(_mass(side) for side in own)
        for k, decided in enumerate(_decided(one, own)):
            less = not decided and bool(one.prior) and bool(one.current)
            masses[k] += _mass(decided) - (min(_mass(own[k]), *map(_mass, sides)) if less else _mass(own[k]))
            areas[k] += _area(decided) - _area(own[k])
    read = prior.bone_scan_index_percent, current.bone_scan_index_percent
    known = [one.value or 0.0 for one in read]
    by_findings = min(max((WIDE_PERCENT - max(known)) / (WIDE_PERCENT - FEW_PERCENT), 0.0), 1.0)
    scale = by_findings * min(sum(known) / counted, 1.0) if counted > 0 else 0.0
    return Together(
        index=(_corrected(read[0], scale * masses[0]), _corrected(read[1], scale * masses[1])),
        area=(_corrected(prior.lesion_area_mm2, areas[0]), _corrected(current.lesion_area_mm2, areas[1])),
    )


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
