"""Read a three-phase study: the region where the sides differ, its curves and ratios, and what the pattern may mean.

    field ─► mirror ─► region ─► ratios ─► calls ─► the published table
                          └────► curves

Limits are published ones, chosen before any simulated study was read:

===========  =====================  =====================================================================
phase        limit of a side ratio  source
===========  =====================  =====================================================================
flow         1.70; mid-foot 2.03    37/63 and 33/67: interval of 50 healthy people's ankles, feet [V]
pool         1.33; mid-foot 1.50    43/57 and 40/60: the same people [V]
delayed      1.32                   Wüppenhorst 2010, finger joints, doi:10.1097/AJP.0b013e3181c20207 [V]
any, focal   1.33 over the rest     the narrowest healthy interval, for a place within its own limb [D]
===========  =====================  =====================================================================

Reference for the healthy: quantitative Tc-99m HDP three-phase bone scintigraphy, reference intervals at ankle and
mid-foot level, read in its abstract.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

import bonescan
from bonescan.errors import InvalidValue
from bonescan.measurement import Measurement
from bonescan.reading.model import QualityCheck, Verdict
from bonescan.reading.three_phase.asymmetry import (
    FOCAL_MM,
    SIDE_SD,
    Region,
    compared,
    extent_mm,
    sums_of,
    suspected_region,
)
from bonescan.reading.three_phase.curves import Curve, curve_of
from bonescan.reading.three_phase.explanations import Call, Calls, Explanation, Judgement, explain
from bonescan.reading.three_phase.mirror import Field2D, Mirror, field_of, mirror_of
from bonescan.scan import Phase, Remark, ThreePhaseStudy

__all__ = ["PhaseFinding", "PhaseReading", "judge", "read_phases", "side_limit"]

Array = NDArray[np.float64]

_FOCAL_LIMIT = 1.33
_LIMITS: Mapping[Phase, float] = {Phase.FLOW: 63 / 37, Phase.POOL: 57 / 43, Phase.DELAYED: 1.32}
_FOOT_LIMITS: Mapping[Phase, float] = {Phase.FLOW: 67 / 33, Phase.POOL: 60 / 40, Phase.DELAYED: 1.32}
_FEET = frozenset({"FOOT", "TOE"})
_FOCAL_SPREAD = 0.25  # SD of the logarithm of a length [D]
_SMOOTH_MM = 7.0  # before bone is told from soft tissue [D]
_MOTION_MM = 10.0  # two pixels of the flow [D]
_FEWEST_COUNTS = 100.0  # in a region: below, a ratio is more than 14 % uncertain [D]

_RATIO_METHOD = "counts of the region over those of its counterpart on the other side; Poisson uncertainty"
_HEALTHY = "healthy ankles and feet, 50 patients (flow 37/63, 33/67; pool 43/57, 40/60)"
_JOINTS = "Wüppenhorst 2010, doi:10.1097/AJP.0b013e3181c20207"
_SOURCES: Mapping[Phase, str] = {Phase.FLOW: _HEALTHY, Phase.POOL: _HEALTHY, Phase.DELAYED: _JOINTS}

METHOD = {
    "sides": "outline of the body, its mirror image bent onto it by demons registration; both views added up",
    "region": "largest difference of the sides in any phase over 12, 25 and 50 mm, and what has half of its excess",
    "ratios": "sums over the region and its counterpart, Poisson uncertainty; limits from publications",
    "curves": "counts a second of the same regions; arrival and slope by a ramp fitted to the first rise",
    "table": "published pattern of the phases by disease; agreement is of the pattern, no probability of the disease",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinding:
    """What one phase shows of the region.

    Parameters
    ----------
    phase : Phase
    ratio : Measurement
        Region over counterpart.
    rest_ratio : Measurement
        The rest of that side over the other's.
    extent_mm : Measurement
        Length of what the phase shows there.
    limit : float
        Side ratio beyond which a side as a whole is up.
    judgement : Judgement or None
        How likely each call is; ``None`` where it was not judged.
    call : Call or None
        The most likely.
    text : str
        In a sentence, with the reason where it was not judged.
    """

    phase: Phase
    ratio: Measurement
    rest_ratio: Measurement
    extent_mm: Measurement
    limit: float
    judgement: Judgement | None
    call: Call | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseReading:
    """Everything bonescan says about the phases of one study.

    Parameters
    ----------
    study : ThreePhaseStudy
    field : Field2D
    mirror : Mirror or None
        ``None`` where the other side is not in view.
    region : Region or None
        Likewise.
    told_side : str
        The side that was said to have symptoms; empty where nobody said.
    findings : tuple of PhaseFinding
        One a phase, in order.
    joints_ratio : Measurement
        Delayed ratio over the bone-rich half of the region.
    curves : tuple of Curve
        The region's, then its counterpart's; empty without a flow.
    arrival_difference_s, slope_ratio : Measurement
        Of the region against its counterpart.
    explanations : tuple of Explanation
        The best first.
    sentences : tuple of str
        The reading in words.
    advice : tuple of str
    checks : tuple of QualityCheck
    remarks : tuple of Remark
    method, versions : mapping of str to str
    """

    study: ThreePhaseStudy
    field: Field2D
    mirror: Mirror | None
    region: Region | None
    told_side: str
    findings: tuple[PhaseFinding, ...]
    joints_ratio: Measurement
    curves: tuple[Curve, ...]
    arrival_difference_s: Measurement
    slope_ratio: Measurement
    explanations: tuple[Explanation, ...]
    sentences: tuple[str, ...]
    advice: tuple[str, ...]
    checks: tuple[QualityCheck, ...]
    remarks: tuple[Remark, ...]
    method: Mapping[str, str]
    versions: Mapping[str, str]


def read_phases(
    study: ThreePhaseStudy, *, side: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> PhaseReading:
    """Everything bonescan says about flow, pool and delayed views of one place.

    Parameters
    ----------
    study : ThreePhaseStudy
    side : str or None
        The patient's side with symptoms, ``"left"`` or ``"right"``. Without it, both are weighed where less on one
        side may be more on the other.
    progress : callable
        Told in words what is being done.

    Returns
    -------
    PhaseReading

    Raises
    ------
    InvalidValue
        For another side.
    GeometryMismatch
        Where the phases have no view in common.
    """
    if side not in (None, "left", "right"):
        raise InvalidValue(f"The side with symptoms is left or right, got {side!r}.", got=side)
    progress("comparing the sides")
    field = field_of(study)
    mirror = mirror_of(field)
    region, usable = None, field.body
    if mirror is not None:
        usable = compared(field, mirror)
        region = suspected_region(field, mirror, usable, side)
    progress("reading the phases")
    extents = _extents(field, mirror, region, usable) if mirror is not None and region is not None else {}
    findings = tuple(_finding(study, field, region, phase, extents.get(phase)) for phase in Phase)
    joints, bone_more = _joints(field, mirror, region)
    curves = _curves(study, field, region)
    explanations = _explained(study, findings, region, bone_more, side)
    return PhaseReading(
        study=study,
        field=field,
        mirror=mirror,
        region=region,
        told_side=side or "",
        findings=findings,
        joints_ratio=joints,
        curves=curves,
        arrival_difference_s=_arrival_difference(curves),
        slope_ratio=_slope_ratio(curves),
        explanations=explanations,
        sentences=_sentences(findings, region, explanations, side),
        advice=_advice(explanations),
        checks=_checks(study, field, mirror),
        remarks=_remarks(study),
        method=METHOD,
        versions={
            "bonescan": bonescan.__version__,
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy")},
        },
    )


def side_limit(phase: Phase, body_part: str | None = None) -> float:
    """Side ratio beyond which a side as a whole is up.

    Parameters
    ----------
    phase : Phase
    body_part : str or None
        In DICOM's words. Feet vary more; of hands, no interval was found, and that of ankles is used.

    Returns
    -------
    float
    """
    return (_FOOT_LIMITS if (body_part or "").upper() in _FEET else _LIMITS)[phase]


def judge(ratio: float, log_sd: float, rest_ratio: float, extent: float | None, limit: float) -> Judgement:
    """Give the probability of each call.

    Parameters
    ----------
    ratio : float
        Region over counterpart.
    log_sd : float
        Of its logarithm, by counting.
    rest_ratio : float
        The rest of the side over the other's.
    extent : float or None
        Length in mm; ``None`` where nothing stands out.
    limit : float
        For a whole limb.

    Returns
    -------
    Judgement

    Notes
    -----
    The logarithm of a ratio is normal with the variance of counting and of the counterpart's place (0.10 squared), that
    of the length with 0.25. A focus, shorter than 100 mm, is up or down where the ratio over that of the rest of its
    side passes 1.33; a limb where the ratio passes the limit of the phase.
    """
    sd = math.hypot(log_sd, SIDE_SD)

    def beyond(value: float, edge: float) -> float:
        return float(norm.cdf((math.log(value) - math.log(edge)) / sd))

    within = ratio / rest_ratio
    return Judgement(
        focal=0.0 if extent is None else float(norm.cdf(math.log(FOCAL_MM / extent) / _FOCAL_SPREAD)),
        up_if_focal=beyond(within, _FOCAL_LIMIT),
        down_if_focal=beyond(1 / within, _FOCAL_LIMIT),
        up_if_diffuse=beyond(ratio, limit),
        down_if_diffuse=beyond(1 / ratio, limit),
    )


def _absent(unit: str, method: str, reason: str, source: str = "") -> Measurement:
    return Measurement(value=None, unit=unit, method=method, source=source, absent_reason=reason)


def _extents(field: Field2D, mirror: Mirror, region: Region, usable: NDArray[np.bool_]) -> dict[Phase, float]:
    """Length of what each phase shows of a region; flow and pool, which both show blood, share their geometric mean."""
    if region.found_in is None:
        return {}
    found = {phase: extent_mm(field, mirror, region, usable, phase) for phase in field.counts}
    lengths = {phase: length for phase, length in found.items() if length is not None}
    early = [lengths[phase] for phase in (Phase.FLOW, Phase.POOL) if phase in lengths]
    if early:
        lengths |= {phase: math.prod(early) ** (1 / len(early)) for phase in (Phase.FLOW, Phase.POOL)}
    return lengths


def _finding(
    study: ThreePhaseStudy, field: Field2D, region: Region | None, phase: Phase, extent: float | None
) -> PhaseFinding:
    limit = side_limit(phase, study.body_part)
    reason = study.absent.get(phase, "")
    if not reason and region is None:
        reason = "The other side is not in view: there is nothing to hold the counts against."
    if not reason and region is not None:
        sums = sums_of(field.counts[phase], region.mask, region.counterpart)
        rest = sums_of(field.counts[phase], region.rest, region.rest_counterpart)
        if sums.ratio is None or min(sums.own, sums.other) < _FEWEST_COUNTS:
            reason = "The region has too few counts for a ratio."
    if reason or region is None:
        return PhaseFinding(
            phase=phase,
            ratio=_absent("1", _RATIO_METHOD, reason),
            rest_ratio=_absent("1", _RATIO_METHOD, reason),
            extent_mm=_absent("mm", _EXTENT_METHOD, reason),
            limit=limit,
            judgement=None,
            call=None,
            text=f"{_NAMES[phase]}: not judged. {reason}",
        )
    ratio = sums.ratio or 1.0
    rest_ratio = rest.ratio if rest.ratio is not None and min(rest.own, rest.other) >= _FEWEST_COUNTS else None
    judgement = judge(ratio, sums.log_sd, rest_ratio or 1.0, extent, limit)
    call, probability = _most_likely(judgement)
    return PhaseFinding(
        phase=phase,
        ratio=Measurement(
            value=ratio, unit="1", uncertainty=ratio * sums.log_sd, method=_RATIO_METHOD, source=_SOURCES[phase]
        ),
        rest_ratio=_absent("1", _RATIO_METHOD, "The region is the whole side.")
        if rest_ratio is None
        else Measurement(value=rest_ratio, unit="1", uncertainty=rest_ratio * rest.log_sd, method=_RATIO_METHOD),
        extent_mm=_absent("mm", _EXTENT_METHOD, "The phase shows no difference there.")
        if extent is None
        else Measurement(
            value=extent, unit="mm", uncertainty=extent * _FOCAL_SPREAD, method=_EXTENT_METHOD, source="design"
        ),
        limit=limit,
        judgement=judgement,
        call=call,
        text=_in_words(phase, call, probability, ratio, ratio * sums.log_sd),
    )


_EXTENT_METHOD = "four standard deviations along the longest axis of what has half of the excess"
_NAMES = {Phase.FLOW: "Flow", Phase.POOL: "Pool", Phase.DELAYED: "Delayed"}


def _most_likely(judgement: Judgement) -> tuple[Call, float]:
    probabilities = judgement.probabilities
    call = max(probabilities, key=lambda one: probabilities[one])
    return call, probabilities[call]


def _in_words(phase: Phase, call: Call, probability: float, ratio: float, spread: float) -> str:
    doubt = "" if probability >= 0.8 else ", but not surely" if probability >= 0.5 else ", most likely"
    return f"{_NAMES[phase]}: {call.value}{doubt}, {ratio:.2f} ± {max(spread, 0.01):.2f} times the other side."


def _joints(field: Field2D, mirror: Mirror | None, region: Region | None) -> tuple[Measurement, float | None]:
    """Delayed ratio over the bone-rich half of the region, and how likely bone has more of the excess than the rest."""
    method = "delayed ratio over that half of the region which is brighter in both sides' mean: bone and joints"
    if mirror is None or region is None or Phase.DELAYED not in field.counts or region.mask.sum() < 8:
        return _absent("1", method, "There is no delayed view, no other side, or too small a region."), None
    picture = field.counts[Phase.DELAYED]
    mean = gaussian_filter(picture + mirror.carried(picture), _SMOOTH_MM / field.pixel_mm)
    bright = region.mask & (mean > np.median(mean[region.mask]))
    bone = sums_of(picture, bright, mirror.weights(bright))
    soft = sums_of(picture, region.mask & ~bright, mirror.weights(region.mask & ~bright))
    if bone.ratio is None or soft.ratio is None:
        return _absent("1", method, "The region has too few counts for a ratio."), None
    sd = math.sqrt(bone.log_sd**2 + soft.log_sd**2 + SIDE_SD**2)
    more = float(norm.cdf((math.log(bone.ratio) - math.log(soft.ratio)) / sd))
    measured = Measurement(
        value=bone.ratio, unit="1", uncertainty=bone.ratio * bone.log_sd, method=method, source=_JOINTS
    )
    return measured, more


def _curves(study: ThreePhaseStudy, field: Field2D, region: Region | None) -> tuple[Curve, ...]:
    if study.flow is None or field.frames is None or region is None:
        return ()
    starts, durations = np.array(study.flow.starts_s), np.array(study.flow.durations_s)
    other = "left" if region.side == "right" else "right"
    return (
        curve_of(field.frames, region.mask.astype(float), starts, durations, region.side),
        curve_of(field.frames, region.counterpart, starts, durations, other),
    )


def _arrival_difference(curves: tuple[Curve, ...]) -> Measurement:
    method = "arrival in the region less arrival in its counterpart"
    if not curves:
        return _absent("s", method, "There is no flow of both sides.")
    own, other = (curve.arrival_s for curve in curves)
    if own.value is None or other.value is None:
        return _absent("s", method, own.absent_reason or other.absent_reason)
    return Measurement(
        value=own.value - other.value,
        unit="s",
        uncertainty=math.hypot(own.uncertainty or 0.0, other.uncertainty or 0.0),
        method=method,
    )


def _slope_ratio(curves: tuple[Curve, ...]) -> Measurement:
    method = "slope of the first rise over that of the counterpart"
    if not curves:
        return _absent("1", method, "There is no flow of both sides.")
    own, other = (curve.slope_cps_per_s for curve in curves)
    if own.value is None or other.value is None:
        return _absent("1", method, own.absent_reason or other.absent_reason)
    ratio = own.value / other.value
    relative = math.hypot((own.uncertainty or 0.0) / own.value, (other.uncertainty or 0.0) / other.value)
    return Measurement(value=ratio, unit="1", uncertainty=ratio * relative, method=method)


def _explained(
    study: ThreePhaseStudy,
    findings: tuple[PhaseFinding, ...],
    region: Region | None,
    bone_more: float | None,
    side: str | None,
) -> tuple[Explanation, ...]:
    judgements = {finding.phase: finding.judgement for finding in findings if finding.judgement is not None}
    if region is None or not judgements:
        return ()
    texts = {finding.phase: finding.text for finding in findings}
    own = Calls(side=region.side, judgements=judgements, texts=texts, bone_more=bone_more)
    if side is not None:
        return explain([own], study.body_part)
    return explain([own, _seen_from_the_other_side(own, findings)], study.body_part)


def _seen_from_the_other_side(own: Calls, findings: tuple[PhaseFinding, ...]) -> Calls:
    """More on one side is less on the other."""
    texts = {}
    for finding in findings:
        ratio, spread = finding.ratio.value, finding.ratio.uncertainty
        if finding.judgement is None or ratio is None or spread is None:
            continue
        call, probability = _most_likely(finding.judgement.turned)
        texts[finding.phase] = _in_words(finding.phase, call, probability, 1 / ratio, spread / ratio**2)
    return Calls(
        side="left" if own.side == "right" else "right",
        judgements={phase: judgement.turned for phase, judgement in own.judgements.items()},
        texts=texts,
        bone_more=own.bone_more,
    )


def _sentences(
    findings: tuple[PhaseFinding, ...],
    region: Region | None,
    explanations: tuple[Explanation, ...],
    side: str | None,
) -> tuple[str, ...]:
    if region is None:
        return ("The other side is not in view, so that nothing is judged; curves and pictures are given as they are.",)
    if region.found_in is None:
        where = f"No region stands out: the whole {region.side} side is held against the other."
    else:
        where = (
            f"The sides differ most on the {region.side}, over {region.area_mm2 / 100:.0f} cm², in the "
            f"{_NAMES[region.found_in].lower()} phase."
        )
    fitting = [one for one in explanations if one.fits]
    if fitting:
        named = "; or ".join(f"{one.name}{f' ({one.side})' if one.side and side is None else ''}" for one in fitting)
        told = f"This is the pattern of: {named}."
    else:
        told = "No row of the published table fits this pattern."
    missing = [_NAMES[finding.phase].lower() for finding in findings if finding.ratio.value is None]
    lacking = (f"Without {' and '.join(missing)} the table says less.",) if missing else ()
    return (where, *(finding.text for finding in findings), told, *lacking)


def _advice(explanations: tuple[Explanation, ...]) -> tuple[str, ...]:
    chosen = [one for one in explanations if one.fits] or [
        one for one in explanations[:2] if one.code != "no_asymmetry"
    ]
    return tuple(dict.fromkeys(text for one in chosen for text in one.advice))


def _checks(study: ThreePhaseStudy, field: Field2D, mirror: Mirror | None) -> tuple[QualityCheck, ...]:
    checks = []
    for phase, (down, right) in field.shift_mm.items():
        if phase is next(iter(field.shift_mm)):
            continue
        moved = math.hypot(down, right)
        still = moved <= _MOTION_MM
        checks.append(
            QualityCheck(
                code=f"phases.motion.{phase.value}",
                question=f"Does the {phase.value} phase show the body where the first phase did?",
                verdict=Verdict.PASS if still else Verdict.WARN,
                measured=Measurement(
                    value=moved, unit="mm", uncertainty=field.pixel_mm, method="shift of the outline", source="design"
                ),
                text=f"Moved by {moved:.0f} mm; the phase was moved back by that."
                if moved >= field.pixel_mm
                else "Not moved by a pixel of the flow or more.",
            )
        )
    if study.flow is not None and field.frames is not None:
        checks.append(_flow_motion(field))
    if mirror is not None:
        checks.append(
            QualityCheck(
                code="phases.sides",
                question="Do the outlines of both sides fit each other?",
                verdict=Verdict.PASS if mirror.overlap >= 0.9 else Verdict.WARN,
                measured=Measurement(
                    value=mirror.overlap, unit="1", method="Dice of outline and bent mirror image", source="design"
                ),
                text=f"They overlap by {100 * mirror.overlap:.0f} %."
                + ("" if mirror.overlap >= 0.9 else " Ratios may compare places that do not belong together."),
            )
        )
    return tuple(checks)


def _flow_motion(field: Field2D) -> QualityCheck:
    """Centre of the outline's counts in the last half of the film, first against second part."""
    assert field.frames is not None
    late = field.frames[len(field.frames) // 2 :]
    parts = [np.where(field.body, part.sum(axis=0), 0.0) for part in np.array_split(late, 2)]
    centres, doubts = [], []
    rows, columns = np.indices(field.body.shape)
    for part in parts:
        total = part.sum()
        if total <= 0:
            centres.append(np.zeros(2))
            doubts.append(math.inf)
            continue
        centre = np.array([(rows * part).sum(), (columns * part).sum()]) / total
        centres.append(centre)
        spread = ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)[field.body].mean()
        doubts.append(math.sqrt(spread / total))
    moved = float(np.hypot(*(centres[1] - centres[0]))) * field.pixel_mm
    doubt = math.hypot(*doubts) * field.pixel_mm
    question = "Did the body keep still during the flow?"
    method = "shift of the centre of counts between the third and the fourth quarter of the flow"
    if not math.isfinite(doubt):
        return QualityCheck(
            code="phases.motion.flow",
            question=question,
            verdict=Verdict.UNKNOWN,
            measured=_absent("mm", method, "The flow ends without counts."),
            text="The flow ends without counts.",
        )
    still = moved <= _MOTION_MM + 2 * doubt
    return QualityCheck(
        code="phases.motion.flow",
        question=question,
        verdict=Verdict.PASS if still else Verdict.WARN,
        measured=Measurement(value=moved, unit="mm", uncertainty=doubt, method=method, source="design"),
        text=f"The centre of counts moved by {moved:.1f} mm late in the flow"
        + ("." if still else ": the curves may be those of other places."),
    )


def _remarks(study: ThreePhaseStudy) -> tuple[Remark, ...]:
    scans = [scan for phase in Phase if (scan := study.of(phase)) is not None]
    return tuple(dict.fromkeys((*study.remarks, *(remark for scan in scans for remark in scan.remarks))))
