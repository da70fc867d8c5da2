"""What a spot is: a calibrated probability of every nature, and the evidence that adds up to it.

Small models in a row, all of the same traits (`bonescan.reading.findings.traits`), all linear in log-odds::

    focus        is it a focus of bone disease, or normal uptake, urine, an artefact?     p_F
    alone        if it is: metastatic or benign, for all that is known of it alone?
    metastatic   the same, with what `alone` makes of the scan's other candidates         p_M
    benign       if benign: traumatic, degenerative, inflammatory or other?               softmax
    artefact     if it is no focus: artefact or physiologic?                              p_A

    P(metastatic) = p_F p_M,   P(benign nature n) = p_F (1 - p_M) q_n,
    P(artefact) = (1 - p_F) p_A,   P(physiologic) = (1 - p_F) (1 - p_A)

A person's foci are mostly of one sort, so a doubtful one is judged in the `company` of the others; `alone` serves for
that only. Each trait t adds ``w_t (t - mean_t) / scale_t`` to the log-odds, so the contributions to ``metastatic``,
summed over the traits of one topic, ARE the evidence for and against metastasis: with the first entry, the prior, they
add up to the log-odds of p_M. A small share for "physiologic" is the probability that the finding is nothing.

The weights were fitted on readings of simulated people (``training/natures.py``), whose frequencies are those of the
simulated cohort and of no clinic; ``metastatic_share`` moves the prior to another share s of the foci::

    log-odds of p_M  +=  logit(s) - logit(share among the fitted foci)

Where the network doubts d faint places of a scan, more than the a it doubts at most on nine in ten simulated people,
the scan is not of the kind that the weights were fitted on. What lifts a faint focus above the published share of
single new foci that are metastatic, 11 %, then counts in part (`tempered`; design)::

    log-odds of p_M  =  logit(0.11) + (log-odds of p_M - logit(0.11)) a / d        if above logit(0.11)

unless a clear focus of the scan is surely metastatic.

References
----------
Spiegelhalter DJ, Knill-Jones RP. Statistical and knowledge-based approaches to clinical decision-support systems.
J R Stat Soc A 1984;147:35, doi:10.2307/2981737 (weights of evidence).
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from bonescan.measurement import Measurement
from bonescan.reading.findings.detection import CONFIRMED_Z, FILLED_FROM
from bonescan.reading.findings.sites import USUAL
from bonescan.reading.findings.spots import letter_of
from bonescan.reading.findings.traits import (
    CLEAR_RATIO,
    CLEAR_SIGNIFICANCE,
    Traits,
    company,
    company_sentence,
    describe,
    topic_of,
)
from bonescan.reading.model import Author, Evidence, Finding, Kind, Labels, Nature, Polarity
from bonescan.reading.network import Glance
from bonescan.scan import Scan

__all__ = [
    "BENIGN",
    "BY_PHYSICIAN",
    "COUNTED_FROM",
    "IN_WORDS",
    "Candidate",
    "Fitted",
    "Linear",
    "doubts",
    "fitted",
    "in_company",
    "judge",
    "judge_outlined",
    "judged_by_physician",
    "kept",
    "patient_likelihood",
    "patient_traits",
    "probabilities",
    "tempered",
]

IN_WORDS: Mapping[Nature, str] = {
    Nature.METASTATIC: "metastasis",
    Nature.TRAUMATIC: "fracture or injury",
    Nature.DEGENERATIVE: "degeneration",
    Nature.INFLAMMATORY: "inflammation",
    Nature.OTHER_BENIGN: "other benign bone disease",
    Nature.PHYSIOLOGIC: "normal uptake",
    Nature.ARTEFACT: "an artefact",
}
"""What a finding of each nature is called."""

BENIGN = (Nature.TRAUMATIC, Nature.DEGENERATIVE, Nature.INFLAMMATORY, Nature.OTHER_BENIGN)

COUNTED_FROM = 0.5
"""Probability of metastasis from which a finding counts in the Bone Scan Index [D]: the likelier side; a physician may
decide otherwise."""

NO_FOCUS_KEPT = 0.5
"""Probability of an artefact, or share of urine, from which a candidate that is no bone disease is told as such [D]."""

NO_FOCUS_SHOWN = 0.25
"""The same of the network's maps of urine and artefacts, where the filter shows it by itself [D]: what is plainly there
and no bone disease is told, so that no patch between others stays without a name."""

FADED_RATIO = 1.1
"""Uptake over normal below which a finding that the network alone sees, and is not sure of, must be likelier disease
than normal uptake to be told [C]: of 43 that were not, on simulated people with metastases, 34 were nothing. At a usual
place of normal uptake, and where it shows less than normal bone, it is not told at all [D]."""

CONFLUENT_RATIO = 0.75
"""Uptake over normal from which diseased bone is told where disease fills the skeleton [D]: this person's normal is
then diseased too, so that little stands out from it; what shows still less is not told as a hot spot."""

AMID_DISEASE = "The network sees metastatic bone here and around it, so that little stands out."

FILTER_Z = 4.5
"""From which the filter's word stands by itself: about its threshold in a view without disease."""

SURE_FROM, DOUBT_FROM = 0.8, 0.1
"""Probabilities of a focus from which the network is sure, and between which it is in doubt [D]. A scan on which it
doubts more often than it does on nearly all simulated ones is not of the kind it learnt from: there a faint spot must
reach the filter's `CONFIRMED_Z`, and the network must be sure of it."""

PUBLISHED_SHARE = 0.11
"""Of single new foci in cancer patients that proved metastatic: 25 of 231 [V]."""

BY_PHYSICIAN = "a physician's judgement"
"""How a finding was judged that no model judged."""

_SIMULATED = "simulated people"
_ONE_OR_TWO = "new foci that proved metastatic: 25 of 231 single ones, 17 of 70 in pairs; weight: simulated people"


_STRANGE = "The network is in doubt about more places of this scan than of simulated ones, so a faint focus tells less."

Candidate = tuple[Kind, Mapping[str, float], Mapping[Nature, float]]
"""Kind by the rules of place, traits, and probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """One linear model of log-odds.

    Parameters
    ----------
    bias : float
        Log-odds of what has every trait at its mean.
    weights : mapping of str to float
        By trait, per standard deviation.
    """

    bias: float
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """The models for scans with a network's maps, or for those without.

    Parameters
    ----------
    mean, scale : mapping of str to float
        Of every trait over the candidates it was fitted on.
    focus, alone, metastatic, artefact : Linear
    benign : mapping of Nature to Linear
    patient : Linear
        Of `patient_traits`: whether the scan shows metastases at all.
    keep_from : float
        Probability of being a focus from which a candidate is a finding (see `kept`).
    doubts_allowed : int
        Faint candidates in doubt that nine in ten of the fitted people have at most.
    metastatic_share : float
        Of the foci among the fitted candidates.
    """

    mean: Mapping[str, float]
    scale: Mapping[str, float]
    focus: Linear
    alone: Linear
    metastatic: Linear
    artefact: Linear
    benign: Mapping[Nature, Linear]
    patient: Linear
    keep_from: float
    doubts_allowed: int
    metastatic_share: float


@cache
def fitted(with_network: bool) -> Fitted:
    """The fitted models that are part of the package.

    Parameters
    ----------
    with_network : bool
        Those for scans that a network has looked at.

    Returns
    -------
    Fitted
    """
    text = resources.files("bonescan.reading").joinpath("data/natures.json").read_text(encoding="utf-8")
    own: dict[str, Any] = json.loads(text)["models"]["with network" if with_network else "without network"]

    def linear(told: Mapping[str, Any]) -> Linear:
        return Linear(bias=float(told["bias"]), weights=told["weights"])

    return Fitted(
        mean=own["mean"],
        scale=own["scale"],
        focus=linear(own["focus"]),
        alone=linear(own["alone"]),
        metastatic=linear(own["metastatic"]),
        artefact=linear(own["artefact"]),
        benign={nature: linear(own["benign"][nature.value]) for nature in BENIGN},
        patient=linear(own["patient"]),
        keep_from=float(own["keep_from"]),
        doubts_allowed=int(own["doubts_allowed"]),
        metastatic_share=float(own["metastatic_share"]),
    )


def judge(
    findings: Sequence[Finding],
    scan: Scan,
    labels: Labels,
    glance: Glance | None = None,
    *,
    metastatic_share: float | None = None,
) -> tuple[Finding, ...]:
    """Say what every finding is, with the evidence; where a network looked, choose the findings among candidates.

    Parameters
    ----------
    findings : sequence of Finding
        Of `bonescan.reading.findings.spots.find`, with the same glance.
    scan : Scan
    labels : Labels
    glance : Glance, optional
    metastatic_share : float, optional
        Share of real foci that are metastatic among the people at hand, between 0 and 1; that of the simulated
        people by default.

    Returns
    -------
    tuple of Finding
        Bone findings first, each kind in order of decreasing significance, numbered anew. Without a glance all that
        were given; with one, bone findings are those that are likely enough a focus of bone disease, and those that
        are likelier metastatic than not count in the burden. Cold spots are passed on as they are. Where labels are
        not trusted no probability is given.
    """
    model = fitted(glance is not None)
    shift = 0.0
    if metastatic_share is not None:
        shift = _logit(metastatic_share) - _logit(model.metastatic_share)
    hot = [one for one in findings if one.polarity is Polarity.HOT]
    judged = [
        replace(one, likelihood=_absent("cold spots are not judged"))
        for one in findings
        if one.polarity is Polarity.COLD
    ]
    told = describe(findings, scan, labels, glance)
    told = tuple(traits for one, traits in zip(findings, told, strict=True) if one.polarity is Polarity.HOT)
    together = in_company(model, [traits.numbers for traits in told], shift)
    told = tuple(
        Traits(numbers=numbers, sentences=dict(traits.sentences) | {"company": company_sentence(numbers)})
        for traits, numbers in zip(told, together, strict=True)
    )
    chances = [probabilities(model, traits.numbers, shift) for traits in told]
    candidates = [(one.kind, traits.numbers, own) for one, traits, own in zip(hot, told, chances, strict=True)]
    are_bone = kept(candidates, model.keep_from, model.doubts_allowed)
    after = chances if glance is None else tempered(candidates, model.doubts_allowed)
    for finding, traits, before, own, is_bone in zip(hot, told, chances, after, are_bone, strict=True):
        chosen = finding if glance is None else _choose(finding, own, traits, is_bone)
        if chosen is not None:
            less = _logit(_share_metastatic(own)) - _logit(_share_metastatic(before))
            evidence = _evidence(model, traits, shift, less)
            judged.append(_told(chosen, own, evidence, labels.trusted, glance is not None))
    judged.sort(key=lambda one: (one.kind is not Kind.BONE, -abs(one.significance)))
    return tuple(replace(one, id=k, letter=letter_of(k)) for k, one in enumerate(judged, start=1))


def judge_outlined(
    findings: Sequence[Finding],
    anew: Collection[int],
    scan: Scan,
    labels: Labels,
    glance: Glance | None = None,
) -> tuple[Finding, ...]:
    """Judge some findings of a scan in company of the others, which keep what they were taken for.

    Parameters
    ----------
    findings : sequence of Finding
        Of one scan; those that a physician has judged stand as company with that judgement.
    anew : collection of int
        Ids of the findings to judge: a physician has outlined them, so that they are findings however likely nothing.
    scan : Scan
    labels : Labels
    glance : Glance, optional

    Returns
    -------
    tuple of Finding
        In the order given.
    """
    model = fitted(glance is not None)
    hot = [one for one in findings if one.polarity is Polarity.HOT]
    described = zip(findings, describe(findings, scan, labels, glance), strict=True)
    told = [traits for one, traits in described if one.polarity is Polarity.HOT]
    known = {
        k: (_focus(one.natures), one.natures[Nature.METASTATIC])
        for k, one in enumerate(hot)
        if one.judged_by is Author.PHYSICIAN
    }
    together = in_company(model, [traits.numbers for traits in told], known=known)
    chances = [
        dict(one.natures) if k in known else probabilities(model, numbers)
        for k, (one, numbers) in enumerate(zip(hot, together, strict=True))
    ]
    candidates = [(one.kind, numbers, own) for one, numbers, own in zip(hot, together, chances, strict=True)]
    after = chances if glance is None else tempered(candidates, model.doubts_allowed)
    judged = {}
    for finding, traits, numbers, before, own in zip(hot, told, together, chances, after, strict=True):
        if finding.id not in anew:
            continue
        sentences = dict(traits.sentences) | {"company": company_sentence(numbers)}
        less = _logit(_share_metastatic(own)) - _logit(_share_metastatic(before))
        evidence = _evidence(model, Traits(numbers=numbers, sentences=sentences), 0.0, less)
        by_network = glance is not None and finding.kind is Kind.BONE
        chosen = _counted(finding, own) if by_network else finding
        judged[finding.id] = _told(chosen, own, evidence, labels.trusted, glance is not None)
    cold = "cold spots are not judged"
    return tuple(
        judged.get(one.id, replace(one, likelihood=_absent(cold)) if one.id in anew else one) for one in findings
    )


def judged_by_physician(finding: Finding, nature: Nature) -> Finding:
    """A finding as a physician judges it.

    Parameters
    ----------
    finding : Finding
    nature : Nature
        Surely: every other one is excluded. A metastasis counts in the Bone Scan Index where it is a hot one of a bone;
        the reason warns where it takes up less than normal bone.

    Returns
    -------
    Finding
    """
    metastatic = nature is Nature.METASTATIC
    counts = metastatic and finding.polarity is Polarity.HOT and bool(finding.bone)
    if counts:
        rule = "Counts in the Bone Scan Index."
        if round(finding.uptake_ratio, 2) < 1:
            rule += (
                f" Caution: it takes up {finding.uptake_ratio:.0%} of what normal bone would there; check the outline, "
                "and whether it is a cold lesion, which does not count."
            )
    elif metastatic:
        why = "no bone is known to lie there" if finding.polarity is Polarity.HOT else "it takes up less than normal"
        rule = f"Does not count in the Bone Scan Index: {why}."
    else:
        rule = "Does not count in the Bone Scan Index."
    drawn = "Outlined by a physician. " if finding.drawn_by is Author.PHYSICIAN else ""
    return replace(
        finding,
        in_burden=counts,
        natures={one: float(one is nature) for one in Nature},
        likelihood=Measurement(value=float(metastatic), unit="1", method=BY_PHYSICIAN),
        evidence=(),
        judged_by=Author.PHYSICIAN,
        reason=f"{drawn}By a physician's judgement: {IN_WORDS[nature]}. {rule}",
    )


def in_company(
    model: Fitted,
    candidates: Sequence[Mapping[str, float]],
    shift: float = 0.0,
    known: Mapping[int, tuple[float, float]] | None = None,
) -> list[dict[str, float]]:
    """Traits of a scan's candidates with what each one's company is, by the models of foci alone.

    Parameters
    ----------
    model : Fitted
    candidates : sequence of mapping of str to float
        Traits of all hot candidates of one scan.
    shift : float
        As in `probabilities`.
    known : mapping of int to (float, float), optional
        Of candidates that somebody has judged already, by place in the list: the probabilities of a focus and of a
        metastasis.

    Returns
    -------
    list of dict of str to float
    """
    focus = [_sigmoid(_score(model, model.focus, numbers)) for numbers in candidates]
    metastatic = [
        chance * _sigmoid(_score(model, model.alone, numbers) + shift)
        for chance, numbers in zip(focus, candidates, strict=True)
    ]
    for k, (is_focus, own) in (known or {}).items():
        focus[k], metastatic[k] = is_focus, own
    return [{**numbers, **others} for numbers, others in zip(candidates, company(focus, metastatic), strict=True)]


def probabilities(model: Fitted, numbers: Mapping[str, float], shift: float = 0.0) -> dict[Nature, float]:
    """Probability of every nature by the module's equations.

    Parameters
    ----------
    model : Fitted
    numbers : mapping of str to float
        Traits with those of `in_company`; those that are not named are 0.
    shift : float
        Added to the log-odds of being metastatic.

    Returns
    -------
    dict of Nature to float
        Sums to 1.
    """
    focus = _sigmoid(_score(model, model.focus, numbers))
    metastatic = _sigmoid(_score(model, model.metastatic, numbers) + shift)
    artefact = _sigmoid(_score(model, model.artefact, numbers))
    benign = np.array([_score(model, model.benign[nature], numbers) for nature in BENIGN])
    shares = np.exp(benign - benign.max())
    shares /= shares.sum()
    chances = {Nature.METASTATIC: focus * metastatic}
    chances |= {n: focus * (1 - metastatic) * float(share) for n, share in zip(BENIGN, shares, strict=True)}
    chances |= {Nature.PHYSIOLOGIC: (1 - focus) * (1 - artefact), Nature.ARTEFACT: (1 - focus) * artefact}
    return chances


def doubts(candidates: Sequence[Candidate]) -> int:
    """How many faint candidates of a scan the models are in doubt about.

    Parameters
    ----------
    candidates : sequence of (Kind, traits, probabilities)
        Hot ones of one scan.

    Returns
    -------
    int
    """
    return sum(
        kind is Kind.BONE and _is_faint(numbers) and DOUBT_FROM <= _focus(chances) < SURE_FROM
        for kind, numbers, chances in candidates
    )


def tempered(candidates: Sequence[Candidate], doubts_allowed: int) -> list[dict[Nature, float]]:
    """Probabilities of a scan's candidates, weakened for faint foci where the scan has more in doubt than usual.

    Parameters
    ----------
    candidates : sequence of (Kind, traits, probabilities)
        Hot ones of one scan, read with a network.
    doubts_allowed : int
        How many in doubt are usual.

    Returns
    -------
    list of dict of Nature to float
        See the module's equations; those of clear foci, and all where few are in doubt or a clear one is surely
        metastatic, as they were.
    """
    trust = max(doubts_allowed, 1) / max(doubts(candidates), doubts_allowed, 1)
    if any(_is_clear(numbers) and chances[Nature.METASTATIC] >= SURE_FROM for _, numbers, chances in candidates):
        trust = 1.0  # what is published is about single foci; beside a metastasis a faint one is likelier another
    return [
        dict(chances) if trust == 1 or _is_clear(numbers) else _weakened(chances, trust)
        for _, numbers, chances in candidates
    ]


def _weakened(chances: Mapping[Nature, float], trust: float) -> dict[Nature, float]:
    focus, before = _focus(chances), _share_metastatic(chances)
    if before <= PUBLISHED_SHARE:
        return dict(chances)
    known = _logit(PUBLISHED_SHARE)
    after = _sigmoid(known + (_logit(before) - known) * trust)
    benign = (1 - after) / (1 - before)
    return {
        nature: focus * after if nature is Nature.METASTATIC else own * benign if nature in BENIGN else own
        for nature, own in chances.items()
    }


def _share_metastatic(chances: Mapping[Nature, float]) -> float:
    """p_M, kept from 0 and 1."""
    return min(max(chances[Nature.METASTATIC] / max(_focus(chances), 1e-9), 1e-6), 1 - 1e-6)


def _is_clear(numbers: Mapping[str, float]) -> bool:
    least = math.log(CLEAR_SIGNIFICANCE), math.log(CLEAR_RATIO)
    return numbers.get("level.z", 0.0) >= least[0] or numbers.get("level.ratio", 0.0) >= least[1]


def kept(candidates: Sequence[Candidate], keep_from: float, doubts_allowed: int) -> list[bool]:
    """Which candidates of a scan are likely enough foci of bone disease to be bone findings.

    Parameters
    ----------
    candidates : sequence of (Kind, traits, probabilities)
        Hot ones of one scan, with the kind by the rules of place; what those call urine or an artefact is bone from
        one half on.
    keep_from : float
        Least probability of a focus; for faint ones only where the scan has few in doubt.
    doubts_allowed : int
        How many are few.

    Returns
    -------
    list of bool
    """
    in_doubt = doubts(candidates) > doubts_allowed
    return [
        _focus(chances) >= max(_least(numbers, keep_from, in_doubt), 0.0 if kind is Kind.BONE else 0.5)
        or (kind is Kind.BONE and _is_confluent(numbers, chances))
        for kind, numbers, chances in candidates
    ]


def _is_confluent(numbers: Mapping[str, float], chances: Mapping[Nature, float]) -> bool:
    """Whether the network sees metastatic bone there without doubt, however much of the scan is like it."""
    surely = numbers.get("network.metastatic", -math.inf) >= _logit(FILLED_FROM)
    bright = numbers.get("level.ratio", 0.0) >= math.log(CONFLUENT_RATIO)
    return surely and bright and chances[Nature.METASTATIC] >= COUNTED_FROM


def _least(numbers: Mapping[str, float], keep_from: float, in_doubt: bool) -> float:
    """Least probability of a focus that a candidate needs; more than any where only a doubting network shows it."""
    if _is_faded(numbers):
        if numbers.get("level.ratio", 0.0) < 0 or any(numbers.get(f"usual.{why}") for why in USUAL):
            return math.inf
        keep_from = max(keep_from, 0.5)
    if not (in_doubt and _is_faint(numbers)):
        return keep_from
    return max(keep_from, SURE_FROM) if numbers.get("level.z", 0.0) >= math.log(CONFIRMED_Z) else math.inf


def _is_faded(numbers: Mapping[str, float]) -> bool:
    """Whether only the network sees it, without being sure, where hardly more than normal bone shows."""
    only_network = "network.hot" in numbers and numbers.get("level.z", 0.0) < math.log(CONFIRMED_Z)
    below = numbers.get("level.ratio", 0.0) < math.log(FADED_RATIO)
    return only_network and below and numbers["network.hot"] < 0.0  # log-odds


def _is_faint(numbers: Mapping[str, float]) -> bool:
    return numbers.get("level.z", 0.0) < math.log(FILTER_Z)


def _focus(chances: Mapping[Nature, float]) -> float:
    return 1 - chances[Nature.PHYSIOLOGIC] - chances[Nature.ARTEFACT]


def patient_likelihood(findings: Sequence[Finding], *, with_network: bool = False) -> Measurement:
    """Probability that a scan shows bone metastases at all.

    Parameters
    ----------
    findings : sequence of Finding
        Judged.
    with_network : bool
        Whether a network has looked at the scan.

    Returns
    -------
    Measurement
        1 where a physician has judged one to be metastatic; absent where the findings were not judged.
    """
    if any(one.judged_by is Author.PHYSICIAN and one.natures[Nature.METASTATIC] for one in findings):
        return Measurement(value=1.0, unit="1", method=BY_PHYSICIAN)
    method = "logistic on the likeliest metastasis among the findings, fitted on readings of simulated people"
    hot = [one for one in findings if one.polarity is Polarity.HOT]
    if any(not one.natures for one in hot):
        return Measurement(
            value=None,
            unit="1",
            method=method,
            absent_reason="The fitted skeleton is not trusted, so no spot is judged.",
        )
    numbers = patient_traits([(one.kind, one.natures) for one in hot])
    model = fitted(with_network).patient
    log_odds = model.bias + sum(weight * numbers[name] for name, weight in model.weights.items())
    return Measurement(value=_sigmoid(log_odds), unit="1", method=method, source=_SIMULATED)


def patient_traits(judged: Sequence[tuple[Kind, Mapping[Nature, float]]]) -> dict[str, float]:
    """What the findings amount to, for `patient_likelihood`.

    Parameters
    ----------
    judged : sequence of (Kind, mapping of Nature to float)
        Hot findings.

    Returns
    -------
    dict of str to float
        ``largest``: log-odds of the likeliest metastasis, its probability between 0.01 and 0.99. As each finding is
        judged in the company of the others, their number and the network's map add nothing to it.
    """
    likely = [natures[Nature.METASTATIC] for kind, natures in judged if kind is Kind.BONE]
    return {"largest": _logit(min(max([0.01, *likely]), 0.99))}


# --- one finding -------------------------------------------------------------------------------------------


def _choose(finding: Finding, chances: Mapping[Nature, float], traits: Traits, is_bone: bool) -> Finding | None:
    """A candidate as the finding it is, or none: bone where likely enough, else urine or artefact where it is that."""
    if finding.kind is not Kind.BONE:
        if not is_bone:
            return finding
        reason = f"A focus of bone by the network's maps; by place and shape it would be: {finding.place}."
        place = f"{finding.place} or bone beside it"  # no bone is known, and an organ is no place of metastasis in bone
        return _counted(replace(finding, kind=Kind.BONE, place=place, reason=reason), chances)
    if is_bone:
        if finding.uptake_ratio < FADED_RATIO and _is_confluent(traits.numbers, chances):
            finding = replace(finding, reason=f"{finding.reason} {AMID_DISEASE}")
        return _counted(finding, chances)
    urine = _sigmoid(traits.numbers.get("network.urine", -9.0))
    apart = replace(finding, in_burden=False, bone="", mass_share_percent=0.0)
    artefact = _sigmoid(traits.numbers.get("network.artefact", -9.0))
    shown = finding.significance >= FILTER_Z  # a reader sees it, and asks what it is
    if urine >= (NO_FOCUS_SHOWN if shown else NO_FOCUS_KEPT):
        return replace(
            apart, kind=Kind.PHYSIOLOGIC, place="urinary tract", reason="Urine by the network's maps, no focus of bone."
        )
    if chances[Nature.ARTEFACT] >= NO_FOCUS_KEPT or (shown and artefact >= NO_FOCUS_SHOWN):
        return replace(apart, kind=Kind.ARTEFACT, reason="No bone disease: an injection, contamination or the like.")
    return None


def _counted(finding: Finding, chances: Mapping[Nature, float]) -> Finding:
    likely = chances[Nature.METASTATIC]
    if not finding.bone:
        rule = "Does not count in the Bone Scan Index: no bone is known to lie there."
        return replace(finding, in_burden=False, reason=f"{finding.reason} {rule}")
    counts = likely >= COUNTED_FROM
    rule = (
        f"Counts in the Bone Scan Index: metastatic with a probability of {likely:.0%}, half or more."
        if counts
        else f"Does not count in the Bone Scan Index: metastatic with a probability of {likely:.0%}, less than half."
    )
    return replace(finding, in_burden=counts, reason=f"{finding.reason} {rule}")


def _told(
    finding: Finding,
    chances: Mapping[Nature, float],
    evidence: tuple[Evidence, ...],
    trusted: bool,
    with_network: bool,
) -> Finding:
    if not trusted:
        return replace(finding, likelihood=_absent("the fitted skeleton is not trusted, so sites are unknown"))
    basis = "weights of evidence" + (" with a network's maps" if with_network else "")
    likelihood = Measurement(
        value=min(chances[Nature.METASTATIC], 1.0),
        unit="1",
        method=f"{basis}, fitted on readings of simulated people",
        source=_SIMULATED,
    )
    return replace(finding, likelihood=likelihood, natures=chances, evidence=evidence)


def _evidence(model: Fitted, traits: Traits, shift: float, tempered_by: float) -> tuple[Evidence, ...]:
    """What speaks for and against metastasis, topic by topic; sums to the log-odds of p_M."""
    weights: dict[str, float] = {}
    base = model.metastatic.bias + shift
    for trait, weight in model.metastatic.weights.items():
        topic = topic_of(trait)
        part = weight * (traits.numbers.get(trait, 0.0) - model.mean[trait]) / model.scale[trait]
        if topic in traits.sentences:
            weights[topic] = weights.get(topic, 0.0) + part
        else:
            base += part
    share = _sigmoid(_logit(model.metastatic_share) + shift)
    prior = f"Before looking: {share:.0%} of the foci of the people it was fitted on are metastatic."
    told = [Evidence(text=prior, weight=base, source=_SIMULATED)]
    for topic, weight in weights.items():
        source = _ONE_OR_TWO if topic == "number" else _SIMULATED
        told.append(Evidence(text=traits.sentences[topic], weight=weight, source=source))
    if tempered_by < 0:
        told.append(Evidence(text=_STRANGE, weight=tempered_by, source=_ONE_OR_TWO))
    return tuple(sorted(told, key=lambda one: -abs(one.weight)))


def _score(model: Fitted, linear: Linear, numbers: Mapping[str, float]) -> float:
    return linear.bias + sum(
        weight * (numbers.get(trait, 0.0) - model.mean[trait]) / model.scale[trait]
        for trait, weight in linear.weights.items()
    )


def _absent(reason: str) -> Measurement:
    return Measurement(value=None, unit="1", method="probability of metastasis", absent_reason=reason)


def _sigmoid(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds)) if log_odds >= 0 else math.exp(log_odds) / (1 + math.exp(log_odds))


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))
