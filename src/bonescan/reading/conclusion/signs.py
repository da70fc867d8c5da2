"""The signs of a whole scan: numbers a reader judges patterns by, each with what it means and where it was seen.

`read_signs` measures every sign of `SIGNS`, or says why it cannot be measured. Signs are of two sorts: levels of uptake
(`uptake.py`) and arrangements of findings (how many, in how many regions, whether ribs' spots stand in a
line). They decide nothing: what they mean together is told by the rules in ``data/patterns.toml``.

A *clear focus* is a hot bone finding with at least `CLEAR_RATIO` times normal uptake, or `CLEAR_SIGNIFICANCE` standard
deviations above it; fainter ones are too often noise or anatomy to make a pattern. Where findings have probabilities,
it must also be less likely physiologic or an artefact than not.

References
----------
Wuppenhorst N et al. 2010: delayed uptake of one hand over the other, 1.32 or more, in complex regional pain syndrome
(sensitivity 69 %, specificity 75 %).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import bone as bone_of
from bonescan.measurement import Measurement
from bonescan.reading.conclusion.uptake import Uptake, ViewUptake, measure_uptake
from bonescan.reading.findings.traits import CLEAR_RATIO, CLEAR_SIGNIFICANCE
from bonescan.reading.model import Burden, Finding, Kind, Labels, Nature, Polarity, Quality
from bonescan.scan import Scan, ViewName

__all__ = ["SIGNS", "Sign", "clear_foci", "read_signs"]

LINE_RATIO, LINE_SIGNIFICANCE = 1.25, 4.5
"""[D] As for a clear focus, for a rib's spot that stands in line with others, of which one must be clear by its
significance."""

AXIAL = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
"""Regions of trunk and proximal limbs, where more than 90 % of metastases lie."""

PAIRED = (*(f"rib_{n:02d}" for n in range(3, 11)), "hip_bone", "scapula", "humerus", "femur")
CALVARIUM = ("skull_frontal", "skull_parietal", "skull_occipital")
HAND, FOOT = ("carpal", "metacarpal", "phalanx_hand"), ("tarsal", "metatarsal")
WHOLE_BONES = (("hip_bone", "femur", "tibia"), ("scapula", "humerus"))
"""By limb: a limb that is used less or bears more differs in all its bones, Paget's disease in one."""

LINE_STEP_MM, LINE_SLANT = (12.0, 75.0), 0.8
"""How far the next spot of a line of rib fractures lies below the last, and how far aside for every mm below."""

ALIKE_SHOWN = 0.6
"""Of the pixels of one hand or foot, how many the other must show for the two to be compared."""

BORDER_MM = 12.0

ARMPIT_MM = 65.0
THYROID_HALF_WIDTH_MM = 30.0
SACRUM, LONG_BONES, LIMBS = 10, frozenset({12, 13, 15, 16}), frozenset({6, 7, 8, 11, 12, 13, 14, 15, 16, 17})
PAIR_MM = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One measured sign.

    Parameters
    ----------
    measured : Measurement
        Its number, or why there is none.
    where : str
        What it speaks of, in words, such as ``"left hip bone"``; may be empty.
    findings : tuple of int
        Ids of the findings it is made of.
    """

    measured: Measurement
    where: str = ""
    findings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """All that a sign may be measured on."""

    scan: Scan
    labels: Labels
    quality: Quality
    findings: Sequence[Finding]
    burden: Burden
    uptake: Uptake
    clear: Sequence[Finding]

    def middle_mm(self, finding: Finding) -> tuple[float, float]:
        """Where a finding lies in the body's frame, (x, z), the mean of its views' peaks."""
        places = []
        for view in self.labels.views:
            seen = finding.views.get(view.name)
            if seen is not None:
                places.append((view.x_mm[seen.peak_row, seen.peak_column], view.z_mm[seen.peak_row, seen.peak_column]))
        x, z = np.mean(places, axis=0)
        return float(x), float(z)


Found = tuple[float | None, str, tuple[int, ...]]


def clear_foci(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Hot bone findings bright enough to make a pattern.

    Parameters
    ----------
    findings : iterable of Finding

    Returns
    -------
    tuple of Finding
    """
    return tuple(
        finding
        for finding in findings
        if finding.kind is Kind.BONE
        and finding.polarity is Polarity.HOT
        and (finding.uptake_ratio >= CLEAR_RATIO or finding.significance >= CLEAR_SIGNIFICANCE)
        and finding.natures.get(Nature.PHYSIOLOGIC, 0.0) + finding.natures.get(Nature.ARTEFACT, 0.0) < 0.5
    )


def read_signs(
    scan: Scan, labels: Labels, quality: Quality, findings: Sequence[Finding], burden: Burden
) -> Mapping[str, Sign]:
    """Measure every sign.

    Parameters
    ----------
    scan : Scan
    labels : Labels
    quality : Quality
    findings : sequence of Finding
    burden : Burden
        All of the same scan.

    Returns
    -------
    mapping of str to Sign
        By the names of `SIGNS`.

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    case = _Case(
        scan=scan,
        labels=labels,
        quality=quality,
        findings=findings,
        burden=burden,
        uptake=measure_uptake(scan, labels),
        clear=clear_foci(findings),
    )
    signs = {}
    for name, (unit, meaning, measure) in _MEASURES.items():
        value, where, ids = measure(case)
        signs[name] = Sign(
            measured=Measurement(
                value=value,
                unit=unit,
                method=meaning,
                absent_reason="" if value is not None else where or "not in view",
            ),
            where=where if value is not None else "",
            findings=ids,
        )
    return signs


# Of the study


def _delay(case: _Case) -> Found:
    return (case.scan.delay_h, "", ()) if case.scan.delay_h is not None else _unknown("the file states no times")


def _age(case: _Case) -> Found:
    age = case.scan.patient.age_years
    return (age, "", ()) if age is not None else _unknown("the file states no age")


def _checked(code: str) -> Callable[[_Case], Found]:
    """What a quality check measured."""

    def measure(case: _Case) -> Found:
        values = [check.measured.value for check in case.quality.checks if check.code == code]
        known = [value for value in values if value is not None]
        return (known[0], "", ()) if known else _unknown("quality could not measure it")

    return measure


# Levels of uptake


def _skull(case: _Case) -> Found:
    """From behind where that is seen: exports scale each view by itself, and faces differ."""
    one = case.uptake.view(ViewName.POSTERIOR) or case.uptake.views[0]
    return _level(one.level(one.core(one.bones(CALVARIUM))))


def _shafts(case: _Case) -> list[tuple[float, float]]:
    """Shaft and ends, over the reference, of femora and tibiae: those in view."""
    found = []
    for stem in ("femur", "tibia"):
        for side in "lr":
            shaft = case.uptake.bone(stem, side, along=(0.3, 0.7))
            ends = [case.uptake.bone(stem, side, along=part) for part in ((0.0, 0.1), (0.9, 1.0))]
            if shaft is not None and all(ends):
                found.append((shaft, float(np.mean([end for end in ends if end is not None]))))
    return found


def _shaft_to_end(case: _Case) -> Found:
    shafts = _shafts(case)
    return _level(min(shaft / end for shaft, end in shafts) if len(shafts) >= 3 else None)


def _shaft_level(case: _Case) -> Found:
    shafts = _shafts(case)
    if len(shafts) < 3:
        return _unknown("not in view")
    ids = tuple(finding.id for finding in case.clear if finding.region in LONG_BONES)
    return min(shaft for shaft, _ in shafts), "", ids


def _growth(case: _Case) -> Found:
    ratios = []
    for side in "lr":
        end = case.uptake.bone("femur", side, along=(0.85, 1.0), quantile=0.9)
        shaft = case.uptake.bone("femur", side, along=(0.4, 0.7))
        if end is not None and shaft:
            ratios.append(end / shaft)
    return (min(ratios), "", _limb_pairs(case)) if len(ratios) == 2 else _unknown("not in view")


def _limb_pairs(case: _Case) -> tuple[int, ...]:
    """Findings of the limbs and shoulders that have a counterpart at the same height of the other side."""
    limbs = [
        (finding.id, *case.middle_mm(finding))
        for finding in case.findings
        if finding.kind is Kind.BONE and finding.polarity is Polarity.HOT and finding.region in LIMBS
    ]
    return tuple(
        number
        for number, x, z in limbs
        if any(x * x_other < 0 and math.hypot(x + x_other, z - z_other) <= PAIR_MM for _, x_other, z_other in limbs)
    )


def _unevenness(case: _Case) -> Found:
    levels = [level for _, level in case.uptake.vertebrae() if level > 0]
    if len(levels) < 8:
        return _unknown("too few vertebrae are in view")
    logs, at = np.log(levels), np.arange(len(levels))
    return _level(100 * float(np.std(logs - np.polyval(np.polyfit(at, logs, 2), at))))


def _asymmetry(case: _Case) -> Found:
    ratios = [ratio for stem in PAIRED if (ratio := case.uptake.side_ratio(stem)) is not None]
    if len(ratios) < 6:
        return _unknown("too few pairs of bones are in view")
    return _level(100 * (math.exp(float(np.quantile(np.abs(np.log(ratios)), 0.75))) - 1))


def _one_sided(stems: tuple[str, ...], what: str) -> Callable[[_Case], Found]:
    """The brighter over the darker side, the smaller of median and lower quartile; the mean of views that agree."""

    def measure(case: _Case) -> Found:
        logs = []
        for one in case.uptake.views:
            sides = [one.core(one.bones(stems, side)) for side in "lr"]
            shown = sorted(int(side.sum()) for side in sides)
            if shown[0] < ALIKE_SHOWN * shown[1] or any(_cut(one, side) for side in sides):
                continue
            ratios = [(one.level(sides[0], quantile), one.level(sides[1], quantile)) for quantile in (0.5, 0.25)]
            known = [math.log(left / right) for left, right in ratios if left and right]
            if len(known) == 2:
                logs.append(min(known, key=abs) if known[0] * known[1] > 0 else 0.0)
        if not logs:
            return _unknown(f"not both {what} are wholly in view")
        agreed = min(logs) > 0 or max(logs) < 0
        mean = float(np.mean(logs)) if agreed else 0.0
        return math.exp(abs(mean)), "left" if mean > 0 else "right", ()

    return measure


def _cut(one: ViewUptake, shown: NDArray[np.bool_]) -> bool:
    """Whether something comes within `BORDER_MM` of the picture's sides."""
    margin = max(round(BORDER_MM / one.labelled.pixel_mm[1]), 1)
    return bool(shown[:, :margin].any() or shown[:, -margin:].any())


def _whole_bone(case: _Case) -> Found:
    """The largest ratio of a bone's lower quartile to the other side's, over that of the other bones of its limb."""
    best, where = 0.0, ""
    for limb in WHOLE_BONES:
        ratios = {stem: case.uptake.side_ratio(stem, quantile=0.25) for stem in limb}
        logs = {stem: math.log(ratio) for stem, ratio in ratios.items() if ratio is not None}
        for stem, log in logs.items():
            others = [other for name, other in logs.items() if name != stem]
            alone = log - float(np.median(others)) if others else log
            smaller = min(abs(alone), abs(log)) if alone * log > 0 else 0.0
            if smaller > best:
                best, where = smaller, f"{stem}_{'l' if log > 0 else 'r'}"
    if not where:
        return _unknown("no bone is seen on both sides")
    return math.exp(best), bone_of(where).name, tuple(finding.id for finding in case.clear if finding.bone == where)


def _sacral_wings(case: _Case) -> Found:
    one = case.uptake.view(ViewName.POSTERIOR)
    sacrum = one.bones("sacrum") if one is not None else []
    if one is None or not sacrum:
        return _unknown("the sacrum is not seen from behind")
    shown = one.labelled.shown(sacrum)
    x, z = one.labelled.x_mm, one.labelled.z_mm
    left, right = np.percentile(x[shown], [2, 98])
    low, high = np.percentile(z[shown], [2, 98])
    aside = (x - (left + right) / 2) / max((right - left) / 2, 1.0)
    upper = shown & (z > low + 0.45 * (high - low))
    levels = [one.level(upper & part) for part in ((aside < -0.4) & (aside > -0.9), (aside > 0.4) & (aside < 0.9))]
    known = [level for level in levels if level is not None]
    ids = tuple(finding.id for finding in case.clear if finding.region == SACRUM)
    return (min(known), "", ids) if len(known) == 2 else _unknown("not both wings of the sacrum are in view")


def _thyroid(case: _Case) -> Found:
    one = case.uptake.view(ViewName.ANTERIOR)
    neck, breastbone = case.uptake.place("vertebra_c06"), case.uptake.place("sternum")
    if one is None or neck is None or breastbone is None:
        return _unknown("the neck is not seen from in front")
    x, z = one.labelled.x_mm, one.labelled.z_mm
    box = (np.abs(x - (neck[0] + neck[1]) / 2) < THYROID_HALF_WIDTH_MM) & (z > breastbone[3] - 5) & (z < neck[3] + 15)
    above = one.level(one.core(one.bones(("vertebra_c03", "vertebra_c04", "vertebra_c05"))))
    peak = one.level(box, 0.9)
    return _level(peak / above if peak is not None and above else None)


def _abdomen(left_over_right: bool) -> Callable[[_Case], Found]:
    """The upper abdomen from in front, one side over the other: stomach or liver."""

    def measure(case: _Case) -> Found:
        one = case.uptake.view(ViewName.ANTERIOR)
        top, bottom = case.uptake.place("vertebra_t10"), case.uptake.place("vertebra_l02")
        if one is None or top is None or bottom is None:
            return _unknown("the upper abdomen is not seen from in front")
        x, z = one.labelled.x_mm - (top[0] + top[1]) / 2, one.labelled.z_mm
        height = (z > (bottom[2] + bottom[3]) / 2) & (z < top[3] + 10) & one.labelled.body
        left, right = (one.level(height & (side > 35) & (side < 110)) for side in (x, -x))
        if not left or not right:
            return _unknown("the upper abdomen is not seen from in front")
        return _level(left / right if left_over_right else right / left)

    return measure


# Arrangements of findings


def _metastatic_foci(case: _Case) -> Found:
    """Expected number where findings have probabilities, else the number of clear foci that count in the index."""
    axial = [finding for finding in case.clear if finding.region in AXIAL]
    if any(finding.natures for finding in axial):
        expected = sum(finding.natures.get(Nature.METASTATIC, 0.0) for finding in axial)
        return float(expected), "", tuple(finding.id for finding in axial if finding.in_burden)
    counted = tuple(finding.id for finding in axial if finding.in_burden)
    return float(len(counted)), "", counted


def _regions_with_foci(case: _Case) -> Found:
    counted = [finding for finding in case.clear if finding.region in AXIAL and finding.in_burden]
    return float(len({finding.region for finding in counted})), "", tuple(finding.id for finding in counted)


def _rib_line(case: _Case) -> Found:
    """The longest chain of ribs' spots, one of them clear, each below the last by about a rib and not far aside."""
    spots = [
        (finding.id, *case.middle_mm(finding))
        for finding in case.findings
        if finding.kind is Kind.BONE
        and finding.polarity is Polarity.HOT
        and finding.bone.startswith("rib_")
        and finding.uptake_ratio >= LINE_RATIO
        and finding.significance >= LINE_SIGNIFICANCE
    ]
    spots.sort(key=lambda spot: -spot[2])
    chains: list[tuple[int, ...]] = []
    for k, (number, x, z) in enumerate(spots):
        before = [
            chains[j]
            for j, (_, above_x, above_z) in enumerate(spots[:k])
            if x * above_x > 0
            and LINE_STEP_MM[0] <= above_z - z <= LINE_STEP_MM[1]
            and abs(x - above_x) <= LINE_SLANT * (above_z - z)
        ]
        chains.append((*max(before, key=len, default=()), number))
    strong = {finding.id for finding in case.findings if finding.significance >= CLEAR_SIGNIFICANCE}
    longest = max((chain for chain in chains if strong & set(chain)), key=len, default=())
    side = next((finding.side for finding in case.findings if longest and finding.id == longest[0]), "")
    return float(len(longest)), side, longest if len(longest) > 1 else ()


def _foci_off_line(case: _Case) -> Found:
    line = set(_rib_line(case)[2])
    others = tuple(finding.id for finding in case.clear if finding.id not in line and finding.region in AXIAL)
    return float(len(others)), "", others


def _contamination(case: _Case) -> Found:
    ids = tuple(
        finding.id
        for finding in case.findings
        if finding.place == "urethra or perineum" or finding.place.endswith(("skin or clothing", "between the legs"))
    )
    ratios = [finding.uptake_ratio for finding in case.findings if finding.id in ids]
    return max(ratios, default=0.0), "", ids


def _injection_site(case: _Case) -> Finding | None:
    sites = [
        finding for finding in case.findings if finding.kind is Kind.ARTEFACT and "injection site" in finding.place
    ]
    return max(sites, key=lambda finding: finding.significance, default=None)


def _injection(case: _Case) -> Found:
    """What quality measured, where a finding is an injection site: a whole hand that is hot is none."""
    site = _injection_site(case)
    if site is None:
        return 0.0, "", ()
    value, where, _ = _checked("quality.injection")(case)
    return value, f"{site.side} arm" if value is not None else where, (site.id,)


def _armpit(case: _Case) -> Found:
    """Significance of the strongest hot finding near the armpit of the side of an injection site."""
    site = _injection_site(case)
    if site is None:
        return 0.0, "", ()
    x_site, _ = case.middle_mm(site)
    arm = case.uptake.place(f"humerus_{'l' if x_site > 0 else 'r'}")
    if arm is None:
        return _unknown("the armpit is not in view")
    inner = arm[0] if x_site > 0 else arm[1]
    height = arm[3] - 0.25 * (arm[3] - arm[2])
    near = [
        finding
        for finding in case.findings
        if finding is not site
        and finding.polarity is Polarity.HOT
        and math.dist(case.middle_mm(finding), (inner, height)) <= ARMPIT_MM
    ]
    node = max(near, key=lambda finding: finding.significance, default=None)
    return (0.0, "", ()) if node is None else (node.significance, node.place, (node.id,))


def _level(value: float | None) -> Found:
    return _unknown("not in view") if value is None or not math.isfinite(value) else (float(value), "", ())


def _unknown(reason: str) -> Found:
    return None, reason, ()


_MEASURES: Mapping[str, tuple[str, str, Callable[[_Case], Found]]] = MappingProxyType(
    {
        "delay_h": ("h", "time from injection to scan", _delay),
        "age_years": ("a", "age", _age),
        "bone_to_soft_tissue": (
            "1",
            "lumbar spine over the thighs' soft tissue, the better view",
            lambda case: _level(case.uptake.soft_tissue),
        ),
        "kidneys": ("1", "brighter kidney over the vertebrae T10 to L5", lambda case: _level(case.uptake.kidney())),
        "kidneys_to_flank": (
            "1",
            "brighter kidney over the soft tissue beside it",
            lambda case: _level(case.uptake.kidney_to_flank()),
        ),
        "bladder": ("1", "bladder's peak over the vertebrae T10 to L5", lambda case: _level(case.uptake.bladder())),
        "skull": ("1", "calvarium over the vertebrae T10 to L5", _skull),
        "jaw": ("1", "lower jaw over the vertebrae T10 to L5", lambda case: _level(case.uptake.bone("mandible"))),
        "unevenness": ("%", "scatter of neighbouring vertebrae T3 to L5 about an even course", _unevenness),
        "asymmetry": (
            "%",
            "difference of the sides, upper quartile over ribs, hips, scapulae, arms, thighs",
            _asymmetry,
        ),
        "shafts": ("1", "dimmest shaft of femora and tibiae over the vertebrae T10 to L5", _shaft_level),
        "shafts_to_ends": ("1", "dimmest shaft of femora and tibiae over the ends of the same bone", _shaft_to_end),
        "growth_plates": ("1", "dimmer knee's brightest tenth over the femur's shaft", _growth),
        "hand_sides": ("1", "one hand and wrist over the other, all of it", _one_sided(HAND, "hands")),
        "foot_sides": ("1", "one foot over the other, all of it", _one_sided(FOOT, "feet")),
        "whole_bone": (
            "1",
            "lower quartile of a whole bone over the other side's, beyond what the rest of the limb shows",
            _whole_bone,
        ),
        "sacral_wings": ("1", "dimmer wing of the sacrum from behind over the vertebrae T10 to L5", _sacral_wings),
        "thyroid": ("1", "lower neck from in front over the cervical spine above", _thyroid),
        "stomach": ("1", "left over right upper abdomen from in front", _abdomen(True)),
        "liver": ("1", "right over left upper abdomen from in front", _abdomen(False)),
        "bladder_hides_percent": ("%", "pelvis covered by the bladder", _checked("quality.bladder")),
        "injection_percent": ("%", "counts at one arm's injection site", _injection),
        "metastatic_foci": (
            "1",
            "clear foci of trunk and proximal limbs, or metastases expected among them",
            _metastatic_foci,
        ),
        "regions_with_foci": ("1", "regions of trunk and proximal limbs with a clear focus", _regions_with_foci),
        "rib_line": ("1", "ribs' spots that stand in one line", _rib_line),
        "foci_off_line": ("1", "clear foci elsewhere in trunk and proximal limbs", _foci_off_line),
        "contamination": ("1", "brightest spot off bone below the bladder, over normal", _contamination),
        "armpit": ("1", "significance of a spot in the armpit of an injected arm", _armpit),
    }
)
SIGNS: tuple[str, ...] = tuple(_MEASURES)
"""Names of all signs."""
