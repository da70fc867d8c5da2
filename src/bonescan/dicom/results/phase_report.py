"""The reading of a three-phase study as a structured report by TID 1500, and read back equal but for its pictures.

Curves, the region's pixels, and explanations that do not fit are not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bonescan.dicom.results import codes, items
from bonescan.dicom.results.codes import Code, own
from bonescan.dicom.results.fields import (
    SOURCE,
    Choice,
    Figure,
    Measured,
    Nested,
    Perhaps,
    Record,
    Records,
    Sentences,
    Truth,
    Words,
)
from bonescan.dicom.results.heading import Reference, evidenced, instance_item, references
from bonescan.dicom.results.records import (
    ADVICE,
    CHECKS,
    IMPRESSION,
    QUALITY_HEAD,
    Making,
    making,
    member,
    members,
    read_making,
    section,
)
from bonescan.dicom.results.reports import (
    ABNORMAL,
    CATEGORY,
    FINDING,
    GROUP,
    IMPRESSIONS,
    LESION,
    MEASUREMENTS,
    SIDE,
    TRACKED_AS,
    WORDS,
    measurement_group,
    measurement_report,
)
from bonescan.dicom.results.sources import SourceObject
from bonescan.errors import UnreadableInput
from bonescan.measurement import Measurement
from bonescan.reading.model import QualityCheck
from bonescan.reading.three_phase.concepts import PHASE_CONCEPTS, PHASE_WORDS
from bonescan.reading.three_phase.explanations import Call, Explanation, Judgement
from bonescan.reading.three_phase.phases import PhaseFinding, PhaseReading
from bonescan.scan import Phase, Remark

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["ReportedPhases", "phase_report", "reported_phases"]

_REGION = "region"


def _concept(field: str) -> Code:
    return own(PHASE_CONCEPTS[field].code, PHASE_CONCEPTS[field].meaning)


_CALL, _JUDGEMENT = own("call", "What the phase shows"), own("judgement", "How likely each call is")
_CALLS = members(Call)
_FINDING = Record(
    PhaseFinding,
    {
        "phase": Choice(
            own("phase", "Phase"), {phase: own(f"phase-{phase.value}", words) for phase, words in PHASE_WORDS.items()}
        ),
        "ratio": Measured(_concept("ratio")),
        "rest_ratio": Measured(_concept("rest_ratio")),
        "extent_mm": Measured(_concept("extent_mm")),
        "limit": Figure(_concept("limit")),
        "text": Words(WORDS),
        "call": Perhaps(_CALL, Choice(_CALL, _CALLS)),
        "judgement": Perhaps(
            _JUDGEMENT,
            Nested(
                _JUDGEMENT,
                Record(
                    Judgement,
                    {
                        "focal": Figure(own("p-focal", "Probability that it is a focus")),
                        "up_if_focal": Figure(own("p-up-if-focal", "Probability of being up, if a focus")),
                        "down_if_focal": Figure(own("p-down-if-focal", "Probability of being down, if a focus")),
                        "up_if_diffuse": Figure(own("p-up-if-whole", "Probability of being up, if a whole limb")),
                        "down_if_diffuse": Figure(own("p-down-if-whole", "Probability of being down, if a whole limb")),
                    },
                ),
            ),
        ),
    },
)
_OVERALL = {name: Measured(_concept(name)) for name in ("arrival_difference_s", "slope_ratio", "joints_ratio")}
_EXPLANATIONS = Records(
    own("explained", "A row of the table of three-phase patterns"),
    Record(
        Explanation,
        {
            "code": Words(own("explained-code", "Code of the row")),
            "name": Words(own("explanation", "What the pattern may be")),
            "agreement": Figure(own("agreement", "Agreement with the published pattern")),
            "fits": Truth(own("fits", "Likelier than not")),
            "side": Words(own("explained-side", "Side it would be a disease of")),
            "evidence_for": Sentences(own("for", "What agrees")),
            "evidence_against": Sentences(own("against", "What does not agree")),
            "cannot_tell": Sentences(own("cannot-tell", "What was not judged")),
            "advice": Sentences(ADVICE),
            "source": Words(SOURCE),
        },
    ),
)
_SENTENCES, _ADVISED = Sentences(IMPRESSION), Sentences(ADVICE)
_SIDE, _TOLD_SIDE = Words(own("side", "Side, or midline")), Words(own("told-side", "Side said to have symptoms"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedPhases:
    """What the report of a three-phase study says.

    Parameters
    ----------
    side : str
        Of the region; empty where the other side is not in view.
    rests_on : tuple of bonescan.dicom.results.heading.Reference
        The images that were read.
    told_side, findings, joints_ratio, arrival_difference_s, slope_ratio, sentences, advice, checks, remarks, method,
    versions
        As in `PhaseReading`.
    explanations : tuple of Explanation
        Those that fit.
    """

    side: str
    rests_on: tuple[Reference, ...]
    told_side: str
    findings: tuple[PhaseFinding, ...]
    joints_ratio: Measurement
    arrival_difference_s: Measurement
    slope_ratio: Measurement
    explanations: tuple[Explanation, ...]
    sentences: tuple[str, ...]
    advice: tuple[str, ...]
    checks: tuple[QualityCheck, ...]
    remarks: tuple[Remark, ...]
    method: Mapping[str, str]
    versions: Mapping[str, str]


def phase_report(reading: PhaseReading, sources: Sequence[SourceObject]) -> Dataset:
    """Write the reading of a three-phase study as a Comprehensive 3D SR.

    Parameters
    ----------
    reading : PhaseReading
    sources : sequence of SourceObject
        Flow, pool and delayed views.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    side = reading.region.side if reading.region is not None else ""
    groups = [_group(sources, finding, side) for finding in reading.findings]
    overall = [item for name, one in _OVERALL.items() for item in one.write(getattr(reading, name))]
    place = [*_SIDE.write(side), *_TOLD_SIDE.write(reading.told_side)]
    groups.append(measurement_group(sources, _REGION, "1501", [], [*place, *overall]))
    said = [
        *_SENTENCES.write(reading.sentences),
        *_ADVISED.write(reading.advice),
        *_EXPLANATIONS.write([one for one in reading.explanations if one.fits]),
    ]
    parts = [items.container(IMPRESSIONS, said)]
    if reading.checks:
        parts.append(items.container(QUALITY_HEAD, CHECKS.write(reading.checks)))
    parts += making(Making(reading.remarks, reading.method, reading.versions))
    read = references(sources)
    return measurement_report(sources, [items.image(None, instance_item(one)) for one in read], read, groups, parts)


def _group(sources: Sequence[SourceObject], finding: PhaseFinding, side: str) -> Dataset:
    parts = [items.coded(FINDING, LESION), *_FINDING.write(finding)]
    if finding.judgement is not None:  # of every call, for whoever does not work it out
        for call, share in finding.judgement.probabilities.items():
            parts += Figure(own(f"p-{member(call).value}", f"Probability of: {call.value}")).write(share)
    about = [items.coded(CATEGORY, ABNORMAL)]
    if side in codes.SIDES:
        about.append(items.coded(SIDE, codes.SIDES[side], items.MODIFIES))
    return measurement_group(sources, f"phase-{finding.phase.value}", "1501", about, parts)


def reported_phases(dataset: Dataset) -> ReportedPhases:
    """Read back what `phase_report` wrote.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    ReportedPhases
        Equal to what was written.

    Raises
    ------
    UnreadableInput
        For a report that is not one of ours.
    """
    try:
        root = dataset.ContentSequence
        groups = {
            items.text_of(items.only(group.ContentSequence, TRACKED_AS)): group.ContentSequence
            for group in items.named(items.only(root, MEASUREMENTS).ContentSequence, GROUP)
        }
        region, said, made = groups[_REGION], section(root, IMPRESSIONS), read_making(root)
        return ReportedPhases(
            side=_SIDE.read(region),
            rests_on=evidenced(dataset),
            told_side=_TOLD_SIDE.read(region),
            findings=tuple(_FINDING.read(groups[f"phase-{phase.value}"]) for phase in Phase),
            explanations=_EXPLANATIONS.read(said),
            sentences=_SENTENCES.read(said),
            advice=_ADVISED.read(said),
            checks=CHECKS.read(section(root, QUALITY_HEAD)),
            remarks=made.remarks,
            method=made.method,
            versions=made.versions,
            **{name: one.read(region) for name, one in _OVERALL.items()},
        )
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise UnreadableInput("The structured report is not one that bonescan wrote of a three-phase study.") from error
