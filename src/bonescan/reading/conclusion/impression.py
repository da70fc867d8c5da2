"""The impression: what a whole scan amounts to, in sentences with their reasons, and what it does not judge.

`conclude` measures the signs, weighs the patterns (`patterns.py`), sorts the findings by what they most
likely are, and writes it down as a report's conclusion is written: most important first, hedged, numbers with their
uncertainty, what is normal as well, and what should be done next. Where something forbids a judgement it says what and
why instead (`Impression.abstains`); only a scan on which nothing is held back may be said to show no finding suspicious
of metastasis.

Limits in this module are bonescan's own design. Advice follows EANM 2016, doi:10.1007/s00259-016-3415-4. That
SPECT/CT helps: 92 % of indeterminate lesions were classified (Roemer), 82 of 83 in a series of 2024.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bonescan.measurement import Measurement
from bonescan.reading.conclusion.patterns import Judgement, judge
from bonescan.reading.conclusion.signs import Sign, clear_foci, read_signs
from bonescan.reading.findings.natures import IN_WORDS
from bonescan.reading.findings.traits import BAND
from bonescan.reading.model import (
    FAINT,
    INDETERMINATE,
    Author,
    Burden,
    Familiarity,
    Finding,
    Impression,
    Kind,
    Labels,
    Nature,
    Polarity,
    Presence,
    Quality,
    Verdict,
)
from bonescan.reading.network import Glance
from bonescan.scan import Scan

__all__ = ["LIKELY", "conclude", "in_words"]

LIKELY = 0.5
"""[D] Probability of metastasis from which a focus counts as one; from `INDETERMINATE` it is called so, or from `FAINT`
where it is likelier nothing at all."""

CALLED_LIKELY = 0.7
"""[D] From which a focus is called likely metastatic, as `in_words` has it; below, more likely than not."""

SUSPICIOUS_SCAN = 0.3
"""[D] Probability for the whole scan below which it may be said to show nothing suspicious: `in_words` unlikely."""

EXCHANGED = 0.5
NAMED = 4
"""How many findings of one sort a sentence names."""

_WEAKENING = frozenset({Nature.METASTATIC, Nature.TRAUMATIC, Nature.OTHER_BENIGN})
"""What may make a long bone break; [D] a shoulder that most likely shows wear is no reason for a radiograph at once."""

_SPINE = frozenset({2, 3, 9})
_SPINE_AND_PELVIS = _SPINE | {10, 11}
_LONG_BONES = frozenset({8, 12, 13, 16})
_RIBS = 4
_LESS_THAN_SUREST = "That is less than for the surest finding alone: among several foci one looks suspicious by chance."
_UNTRUSTED = "No impression: the skeleton could not be fitted with confidence. Look at the pictures."


def conclude(
    scan: Scan,
    labels: Labels,
    quality: Quality,
    findings: Sequence[Finding],
    burden: Burden,
    glance: Glance | None = None,
    familiarity: Familiarity | None = None,
    metastatic: Measurement | None = None,
) -> Impression:
    """Draw the conclusion of a whole scan.

    Parameters
    ----------
    scan : Scan
    labels : Labels
    quality : Quality
    findings : sequence of Finding
        With the probabilities of their natures, where these were judged.
    burden : Burden
        All of the same scan.
    glance : Glance, optional
        What a network saw; tells whether the views may stand under each other's name.
    familiarity : Familiarity, optional
    metastatic : Measurement, optional
        Probability that the scan shows bone metastases at all, where a calibrated model gave one.

    Returns
    -------
    Impression

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    if metastatic is None:
        metastatic = Measurement(
            value=None,
            unit="1",
            method="probability that the scan shows bone metastases",
            absent_reason="no calibrated model of whole scans took part",
        )
    abstains = _abstentions(scan, labels, quality, glance, familiarity)
    if not labels.trusted:
        certain = _Foci(findings, (), widespread=False).judged_metastatic()
        return Impression(
            sentences=(*certain, _UNTRUSTED), metastatic=metastatic, abstains=tuple(abstains), advice=(_LOOK,)
        )
    signs = read_signs(scan, labels, quality, findings, burden)
    judged = judge(signs)
    present = [one for one in judged if one.presence is Presence.PRESENT]
    explained = {number for one in present for number in one.pattern.findings if one.rule.kind != "technical"}
    foci = _Foci(findings, explained, widespread=any(one.rule.kind == "metastatic" for one in present))
    abstains += [one.rule.limits for one in present if one.rule.limits]
    sentences = [
        *_patterns_said(judged, Presence.PRESENT, _DISEASE),
        *foci.said(),
        *_nothing_said(foci, present, metastatic, abstains),
        *_metastatic_said(metastatic, present, foci),
        *_patterns_said(judged, Presence.POSSIBLE, _DISEASE),
        *_burden_said(burden, present, foci),
        *_patterns_said(judged, Presence.PRESENT, _TECHNICAL),
        *_patterns_said(judged, Presence.POSSIBLE, _TECHNICAL),
        *_normal_said(signs, present, findings),
    ]
    return Impression(
        sentences=tuple(sentences),
        metastatic=metastatic,
        patterns=tuple(one.pattern for one in judged if one.presence is not None),
        advice=tuple(
            _once([*foci.advice(), *(text for one in present for text in one.pattern.advice), *foci.follow()])
        ),
        abstains=tuple(abstains),
    )


_LOOK = "Read the pictures by eye; check that the whole body is in the field and that the views are named rightly."
_DISEASE, _TECHNICAL = ("metastatic", "benign"), ("technical",)


class _Foci:
    """The hot bone findings that no pattern explains, by what they most likely are; those a physician judged apart."""

    def __init__(self, findings: Sequence[Finding], explained: Iterable[int], *, widespread: bool) -> None:
        self.widespread = widespread  # then nobody asks what a single doubtful focus is
        inside = set(explained)
        every = [one for one in findings if one.kind is Kind.BONE]
        by_physician = [one for one in every if one.judged_by is Author.PHYSICIAN]
        self.certain = [one for one in by_physician if _first(one) is Nature.METASTATIC]
        self.settled = [one for one in by_physician if _first(one) is not Nature.METASTATIC]
        bone = [one for one in every if one.judged_by is Author.READER]
        hot = [one for one in bone if one.polarity is Polarity.HOT and one.id not in inside]
        self.bright = clear = {one.id for one in clear_foci(findings)}
        self.judged = [one for one in hot if one.natures]
        unjudged = [one for one in hot if not one.natures]
        self.clear = [one for one in unjudged if one.id in clear and one.in_burden]
        # Faint foci are indeterminate however sure a model of simulated people is: on real scans it calls normal uptake
        # of shoulders, hips and sternum likely metastatic. So is a focus under which no bone lies: there it calls
        # urine in a kidney likely metastatic.
        self.likely = sorted(
            (one for one in self.judged if _metastasis(one) >= LIKELY and one.id in clear and one.bone),
            key=lambda f: -_metastasis(f),
        )
        doubtful = [one for one in self.judged if _metastasis(one) >= INDETERMINATE and one not in self.likely]
        nothing = [one for one in doubtful if _metastasis(one) < FAINT and _nothing(one) >= 0.5]
        self.faint = [one for one in unjudged if one.id not in clear] + nothing
        self.cold = [one for one in bone if one.polarity is Polarity.COLD]
        self.indeterminate = sorted(
            (one for one in doubtful if all(one is not other for other in nothing)), key=lambda f: -_metastasis(f)
        )
        self.benign = [one for one in self.judged if _metastasis(one) < INDETERMINATE]

    @property
    def suspicious(self) -> bool:
        """Whether any of them keeps one from saying that nothing is suspicious."""
        return bool(self.certain or self.likely or self.indeterminate or self.clear or self.cold)

    def judged_metastatic(self) -> list[str]:
        return [f"Metastatic by a physician's judgement: {_named(self.certain)}."] if self.certain else []

    def said(self) -> list[str]:
        sentences = self.judged_metastatic()
        surer = [one for one in self.likely if _metastasis(one) >= CALLED_LIKELY]
        rest = [one for one in self.likely if _metastasis(one) < CALLED_LIKELY]
        if surer:
            sentences.append(f"Likely metastatic: {_named(surer, _percent)}.")
        if rest:
            sentences.append(f"More likely metastatic than not: {_named(rest, _percent)}.")
        if self.indeterminate and not self.widespread:
            sentences.append(f"Indeterminate, metastasis not excluded: {_named(self.indeterminate, _leading)}.")
        if self.clear and not self.widespread:
            several = "foci whose nature was" if len(self.clear) > 1 else "focus whose nature was"
            number = _upper(_number(len(self.clear)))
            sentences.append(f"{number} clear {several} not estimated: {_named(self.clear, _ratio)}.")
        for nature in Nature:
            alike = [one for one in self.benign if _first(one) is nature]
            if alike and nature not in (Nature.PHYSIOLOGIC, Nature.ARTEFACT):
                sentences.append(f"Most likely {IN_WORDS[nature]}: {_named(alike)}.")
            settled = [one for one in self.settled if _first(one) is nature]
            if settled:
                sentences.append(f"By a physician's judgement {IN_WORDS[nature]}: {_named(settled)}.")
        bands = [one for one in self.judged if _traumatic(one) >= FAINT and any(e.text == BAND for e in one.evidence)]
        if bands:
            sentences.append(f"A flat band across the vertebra, as compression fractures show: {_named(bands)}.")
        if self.cold:
            sentences.append(
                f"Less uptake than normal bone: {_named(self.cold)}; a lytic lesion, a device or something in front of "
                "the bone."
            )
        return sentences

    def advice(self) -> list[str]:
        """What a guideline would do about single foci."""
        doubtful = [] if self.widespread else [*self.indeterminate, *self.clear]
        central = [one for one in doubtful if one.region in _SPINE_AND_PELVIS]
        graver = [one for one in doubtful if not one.natures or _first(one) in _WEAKENING]
        limbs = [one for one in (*self.certain, *self.likely, *graver) if one.region in _LONG_BONES]
        ribs = [one for one in doubtful if one.region == _RIBS]
        advice = []
        if central:
            advice.append(f"SPECT/CT of {_named(central)}: it settles most indeterminate foci of spine and pelvis.")
        bright = [one for one in limbs if one.id in self.bright]
        faint = [one for one in limbs if one.id not in self.bright]
        if bright:
            advice.append(
                f"Radiograph of {_named(bright)}, at once if it is painful: a long bone may be about to break."
            )
        if faint:
            advice.append(f"Radiograph of {_named(faint)} if it is painful.")
        if ribs and ribs == doubtful and not self.likely and not self.certain:
            advice.append(f"{_upper(_named(ribs))}: foci of ribs alone are mostly benign; ask for injury, follow up.")
            return advice
        told = {one.id for one in (*central, *limbs)}
        open_still = [one for one in doubtful if one.id in self.bright and one.id not in told]
        if open_still:
            advice.append(f"SPECT/CT or radiograph of {_named(open_still)}: clear, but of uncertain nature.")
        return advice

    def follow(self) -> list[str]:
        """What holds for any focus."""
        if not self.suspicious or self.widespread:
            return []
        return ["Compare with earlier scans and radiology, and with the history: injury, surgery, treatment."]


def in_words(probability: float) -> str:
    """Say a probability as a reader would.

    Parameters
    ----------
    probability : float
        0 to 1.

    Returns
    -------
    str

    Examples
    --------
    >>> in_words(0.83)
    'likely'
    """
    for limit, word in ((0.9, "very likely"), (0.7, "likely"), (0.3, "uncertain"), (0.1, "unlikely")):
        if probability >= limit:
            return word
    return "very unlikely"


def _abstentions(
    scan: Scan, labels: Labels, quality: Quality, glance: Glance | None, familiarity: Familiarity | None
) -> list[str]:
    """What forbids a judgement, or narrows it, and why."""
    said = [] if labels.trusted else ["Places of findings, patterns over the whole scan and burden."]
    if familiarity is not None and not familiarity.familiar:
        reasons = " ".join(familiarity.reasons)
        said.append(
            f"Absence of disease: the scan is unlike those this reader was made with ({100 * familiarity.score:.1f} % "
            f"of them are as strange). {reasons}".strip()
        )
    for check in quality.checks:
        partial = check.code in ("quality.coverage", "quality.views") and check.verdict is Verdict.WARN
        if check.verdict is Verdict.WITHHOLD or partial:
            said.append(f"{_WITHHELD.get(check.code.rpartition('.')[0], 'Absence of disease')}: {check.text}")
    if glance is not None and glance.exchanged > EXCHANGED:
        said.append("Left and right: the views may stand under each other's name.")
    if not scan.whole_body:
        said.append("The rest of the skeleton: these are spot views of a part.")
    return said


_WITHHELD = {"quality.counts": "Faint lesions"}


def _patterns_said(judged: Sequence[Judgement], presence: Presence, kinds: Sequence[str]) -> list[str]:
    shown = [one for one in judged if one.presence is presence and one.rule.kind in kinds]
    if any(one.rule.code == "metastatic_superscan" and one.presence is Presence.PRESENT for one in judged):
        shown = [one for one in shown if one.rule.code != "widespread_metastases"]
    return [one.sentence for one in shown]


def _metastatic_said(metastatic: Measurement, present: Sequence[Judgement], foci: _Foci) -> list[str]:
    if metastatic.value is None or foci.certain:
        return []
    spread = f" ± {100 * metastatic.uncertainty:.0f}" if metastatic.uncertainty else ""
    percent = f"{100 * metastatic.value:.0f}{spread} %"
    if any(one.rule.kind in _DISEASE for one in present):
        return [
            f"Single findings alone, without that pattern, would make bone metastases {in_words(metastatic.value)} "
            f"({percent}, calibrated on simulated people)."
        ]
    if metastatic.value >= SUSPICIOUS_SCAN and not foci.likely and not foci.clear:
        return [
            f"A model calibrated on simulated people gives bone metastases {percent}; no clear focus bears it out: "
            "uncertain."
        ]
    surest = max((_metastasis(one) for one in foci.likely), default=0.0)
    return [
        f"By its findings together, bone metastases are {in_words(metastatic.value)} "
        f"({percent}, calibrated on simulated people).",
        *([_LESS_THAN_SUREST] if surest > metastatic.value else []),
    ]


def _burden_said(burden: Burden, present: Sequence[Judgement], foci: _Foci) -> list[str]:
    index = burden.bone_scan_index_percent
    disease = foci.certain or foci.likely or any(one.rule.kind == "metastatic" for one in present)
    if index.value is None or not disease:
        return []
    spread = f" ± {index.uncertainty:.1f}" if index.uncertainty else ""
    amount = f"{index.value:.1f}{spread}" if index.value >= 0.05 else "below 0.1"
    number = "one finding" if burden.hot_spot_count == 1 else f"{burden.hot_spot_count} findings"
    return [f"Bone Scan Index {amount} % of skeletal mass, by {number}."]


def _nothing_said(
    foci: _Foci, present: Sequence[Judgement], metastatic: Measurement, abstains: Sequence[str]
) -> list[str]:
    """That nothing is suspicious, only where nothing is held back; else what can be said short of it."""
    explained = any(one.rule.kind == "benign" for one in present)
    likely = metastatic.value is not None and metastatic.value >= SUSPICIOUS_SCAN and not explained
    if foci.suspicious or likely or any(one.rule.kind == "metastatic" for one in present):
        return []
    other = "other " if explained else ""
    if foci.faint:
        places = "faint place of uptake" if len(foci.faint) == 1 else "faint places of uptake"
        said = f"No {other}clear focus; {_number(len(foci.faint))} {places}, as variants and noise show as well"
    else:
        said = f"No {other}finding suspicious of bone metastasis"
    return [f"{said}{', in what could be judged' if abstains else ''}."]


def _normal_said(signs: Mapping[str, Sign], present: Sequence[Judgement], findings: Sequence[Finding]) -> list[str]:
    """What is as it should be; of spine and paired bones only where no finding that is told says otherwise."""

    def value(name: str) -> float:
        measured = signs[name].measured.value
        return float("nan") if measured is None else measured

    shown = {one.rule.code for one in present}
    normal = []
    if value("asymmetry") < 30 and value("unevenness") < 12 and not shown & {"metabolic_superscan", "paget"}:
        told = [one for one in findings if one.kind is Kind.BONE and not one.likely_normal]
        even = not any(one.region in _SPINE for one in told)
        alike = not _one_sided(told)
        if even or alike:
            spine, pairs = "uptake of the spine is even", "uptake of paired bones is alike"
            both = f"{spine} and that of paired bones alike"
            normal.append(both if even and alike else spine if even else pairs)
    filled = value("bladder_hides_percent") > 0 or any(one.is_bladder for one in findings)
    bladder = filled and value("bladder") > 1
    if value("kidneys") > 0.3 and bladder and not shown & {"kidney_failure", "metastatic_superscan"}:
        normal.append("kidneys and bladder are seen")
    if 7 < value("bone_to_soft_tissue") < 30 and not shown & {"too_late", "metabolic_superscan"}:
        normal.append("soft tissue is as faint as it should be")
    if not normal:
        return []
    text = "; ".join(normal)
    return [f"Otherwise {text}." if present else f"{_upper(text)}."]


def _one_sided(findings: Sequence[Finding]) -> bool:
    """Whether some finding of a bone that comes in pairs has none in the same bone of the other side."""
    bones = {one.bone for one in findings}
    other = {"_l": "_r", "_r": "_l"}
    return any(bone[-2:] in other and bone[:-2] + other[bone[-2:]] not in bones for bone in bones)


def _metastasis(finding: Finding) -> float:
    return finding.natures.get(Nature.METASTATIC, 0.0)


def _traumatic(finding: Finding) -> float:
    return finding.natures.get(Nature.TRAUMATIC, 0.0)


def _nothing(finding: Finding) -> float:
    """Probability that it is no focus of disease at all."""
    return finding.natures.get(Nature.PHYSIOLOGIC, 0.0) + finding.natures.get(Nature.ARTEFACT, 0.0)


def _first(finding: Finding) -> Nature:
    return max(finding.natures, key=lambda nature: finding.natures[nature])


def _percent(finding: Finding) -> str:
    return f", {100 * _metastasis(finding):.0f} %"


def _leading(finding: Finding) -> str:
    """The probability of metastasis, and the likeliest nature where it is another."""
    first = _first(finding)
    other = "" if first is Nature.METASTATIC else f", {IN_WORDS[first]} {100 * finding.natures[first]:.0f} %"
    return f", metastasis {100 * _metastasis(finding):.0f} %{other}"


def _ratio(finding: Finding) -> str:
    return f", {finding.uptake_ratio:.1f} × normal"


def _named(findings: Sequence[Finding], more: object = None) -> str:
    """Places with letters, the first few, and how many more there are."""
    told = [f"{one.place} ({one.letter}{more(one) if callable(more) else ''})" for one in findings[:NAMED]]
    rest = len(findings) - len(told)
    return ", ".join(told) + (f" and {rest} more" if rest else "")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _number(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count] if count < len(words) else str(count)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
