"""The reading as a structured report by TID 1500: every finding, measurement, kind and reason, and read back equal.

::

    Imaging Measurement Report (TID 1500)
    ├── language, device observer, procedure, research remark
    ├── Image Library: the frames that were read, with their views
    ├── Imaging Measurements
    │   ├── Measurement Group (TID 1410) for each finding in each view: outline, peak, area, ratio, segment
    │   ├── Measurement Group (TID 1501) for each finding: site, kind, natures, evidence, depth, probability
    │   └── Measurement Group (TID 1501) of the whole skeleton: Bone Scan Index, areas, by region
    ├── Impressions: sentences, probability, patterns, recommendations, what is not judged
    ├── quality, familiarity, fit, remarks, method, versions
    └── Changes by a physician: what was added, deleted and changed, by whom and when

The groups of one finding share their tracking identifier with its segments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bonescan.dicom.results import codes, items
from bonescan.dicom.results.codes import dcm, own, sct
from bonescan.dicom.results.fields import (
    Choice,
    Figure,
    Mapped,
    Measured,
    Record,
    Records,
    Sentences,
    Truth,
    Whole,
    Wholes,
    Words,
)
from bonescan.dicom.results.heading import Reference, instance_item, reference_item, references
from bonescan.dicom.results.records import (
    ADVICE,
    CHECKS,
    IMPRESSION,
    LETTER,
    P_METASTATIC,
    PLACE,
    QUALITY_HEAD,
    REASON,
    REGION_NUMBER,
    REMARK,
    Making,
    making,
    read_making,
    section,
)
from bonescan.dicom.results.reports import (
    FINDING,
    GROUP,
    IMPRESSIONS,
    MEASUREMENTS,
    TRACKED_AS,
    measurement_group,
    measurement_report,
    place_of,
)
from bonescan.dicom.results.revised import read_revision, revision_items
from bonescan.dicom.results.segmentation import Masks
from bonescan.dicom.results.sources import SourceFrame
from bonescan.errors import UnreadableInput
from bonescan.reading.model import (
    Author,
    Burden,
    Evidence,
    Familiarity,
    Finding,
    FindingView,
    Impression,
    Labels,
    Pattern,
    Quality,
    Reading,
    Revision,
)
from bonescan.reading.signing import Signature
from bonescan.reading.tracking import identities_of
from bonescan.scan import Remark, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Reported", "Segmented", "reported", "structured_report"]

_OUTLINE, _PEAK, _SEGMENT = (
    dcm("111030", "Image Region"),
    own("peak", "Hottest or coldest point"),
    dcm("121191", "Referenced Segment"),
)
_VIEW = dcm("111031", "Image View")
_RATIO, _SIGNIFICANCE = own("uptake-ratio", "Uptake, as a multiple of normal"), own("significance", "Significance")
_NUMBER, _WHOLE_BODY = own("finding-number", "Number of the finding"), "skeleton"

_EVIDENCE = Record(
    Evidence,
    {
        "text": Words(own("statement", "What speaks for or against")),
        "weight": Figure(own("weight", "Change of the log-odds")),
        "source": Words(own("weight-source", "Where the weight is from")),
    },
)
_FINDING_FIELDS = Record(
    Finding,
    {
        "kind": Choice(FINDING, codes.KINDS),
        "id": Whole(_NUMBER),
        "letter": Words(LETTER),
        "polarity": Choice(own("uptake", "Direction of the uptake"), codes.POLARITIES),
        "bone": Words(own("bone-id", "Bone, by bonescan's name")),
        "side": Words(own("side", "Side, or midline")),
        "place": Words(PLACE),
        "region": Whole(REGION_NUMBER),
        "uptake_ratio": Figure(_RATIO),
        "uptake_reference": Words(own("uptake-reference", "What the uptake is a multiple of")),
        "significance": Figure(_SIGNIFICANCE),
        "depth_mm": Measured(sct("131197000", "Depth")),
        "mass_share_percent": Figure(own("mass-share", "Share of skeletal mass"), "%"),
        "in_burden": Truth(own("in-burden", "Counts in the Bone Scan Index")),
        "likelihood": Measured(P_METASTATIC),
        "reason": Words(REASON),
        "natures": Mapped(
            own("nature", "What it may be"),
            Choice(own("nature-is", "Nature"), codes.NATURES),
            (Figure(dcm("122157", "Probability")),),
        ),
        "evidence": Records(own("evidence", "Evidence on its being metastatic"), _EVIDENCE),
        "judged_by": Choice(own("judged-by", "Who judged it last"), codes.AUTHORS, Author.READER),
        "drawn_by": Choice(own("drawn-by", "Who drew its outline last"), codes.AUTHORS, Author.READER),
    },
)
_SEEN_FIELDS: Mapping[str, Any] = {
    "peak_counts": Figure(own("peak-counts", "Counts at the peak"), "{counts}"),
    "area_mm2": Figure(sct("42798000", "Area"), "mm2"),
    "uptake_ratio": Figure(_RATIO),
    "significance": Figure(_SIGNIFICANCE),
}
_BURDEN = Record(
    Burden,
    {
        "bone_scan_index_percent": Measured(own("bsi", "Bone Scan Index")),
        "mass_table": Words(own("mass-table", "Table of mass shares")),
        "hot_spot_count": Whole(own("hot-spot-count", "Findings that count")),
        "positive_area_percent": Measured(own("positive-area", "Hot pixels over skeletal pixels")),
        "lesion_area_mm2": Measured(own("lesion-area", "Sum of the hot spots' areas")),
        "by_region": Mapped(
            own("region-burden", "Burden of one region"),
            Whole(REGION_NUMBER),
            (
                Figure(own("bsi", "Bone Scan Index"), "%"),
                Whole(own("hot-spot-count", "Findings that count")),
            ),
        ),
        "not_in_view": Sentences(own("not-in-view", "Not in the field of view")),
    },
)
_PATTERN = Record(
    Pattern,
    {
        "code": Words(own("pattern-code", "Code of the pattern")),
        "name": Words(own("pattern-name", "Pattern in words")),
        "presence": Choice(own("presence", "Whether the scan shows it"), codes.PRESENCES),
        "evidence_for": Records(own("evidence-for", "Evidence for it"), _EVIDENCE),
        "evidence_against": Records(own("evidence-against", "Evidence against it"), _EVIDENCE),
        "findings": Wholes(own("made-of-finding", "Number of a finding it is made of")),
        "advice": Sentences(ADVICE),
        "source": Words(own("pattern-source", "Source of the rule")),
        "uncertainty": Words(own("uncertainty", "What the rule cannot know")),
    },
)
_IMPRESSION = Record(
    Impression,
    {
        "sentences": Sentences(IMPRESSION),
        "metastatic": Measured(own("p-metastases", "Probability that the scan shows metastases")),
        "patterns": Records(own("pattern", "Pattern over the whole scan"), _PATTERN),
        "advice": Sentences(ADVICE),
        "abstains": Sentences(own("abstains", "What is not judged, and why")),
    },
)
_FAMILIARITY = Record(
    Familiarity,
    {
        "score": Figure(own("familiar-score", "Share of simulated scans at least as strange")),
        "familiar": Truth(own("is-familiar", "Like the scans the reader was made with")),
        "reasons": Sentences(own("strange-because", "What is strange")),
    },
)
_FIT = Record(
    Labels,
    {
        "trusted": Truth(own("fit-trusted", "Fit of the skeleton is trusted")),
        "parameters": Mapped(
            own("fit-parameter", "Parameter of the fit"),
            Words(own("parameter", "Name, with unit")),
            (Figure(own("parameter-value", "Value")),),
        ),
        "remarks": Records(own("fit-remark", "Remark on the fit"), REMARK),
    },
)
_REGIONS_IN_VIEW = Wholes(own("region-in-view", "Planar region that is in view"))
_CORRELATIONS = Mapped(
    own("fit-of-view", "How well the fit agrees with a view"),
    Choice(_VIEW, codes.VIEWS),
    (Figure(own("correlation", "Correlation")),),
)
_FAMILIARITY_HEAD, _FIT_HEAD = own("familiarity", "Familiarity"), own("fit", "Fit of the skeleton")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """The object that holds the findings' masks of one view.

    Parameters
    ----------
    reference : Reference
    numbers : mapping of int to int
        Segment by finding id.
    """

    reference: Reference
    numbers: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What a structured report says: a reading without its pictures.

    Parameters
    ----------
    labels : Labels
        Without views: their masks are in the segmentations.
    correlations : mapping of ViewName to float
        `LabelledView.correlation`.
    findings, burden, quality, remarks, method, versions, impression, familiarity, revision
        As in `Reading`.
    """

    labels: Labels
    correlations: Mapping[ViewName, float]
    findings: tuple[Finding, ...]
    burden: Burden
    quality: Quality
    remarks: tuple[Remark, ...]
    method: Mapping[str, str]
    versions: Mapping[str, str]
    impression: Impression | None
    familiarity: Familiarity | None
    revision: Revision | None


def structured_report(
    reading: Reading,
    frames: Sequence[SourceFrame],
    segmented: Mapping[ViewName, Segmented],
    others: Sequence[Reference] = (),
    signature: Signature | None = None,
) -> Dataset:
    """Write a reading as a Comprehensive 3D SR.

    Parameters
    ----------
    reading : Reading
    frames : sequence of SourceFrame
        Of its scan.
    segmented : mapping of ViewName to Segmented
        Where the findings' masks are.
    others : sequence of Reference
        Segmentations of regions and bones, which it lists as evidence.
    signature : Signature, optional
        Of the physician who has verified it.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    identities = identities_of(reading)
    measurements = [
        group
        for finding in reading.findings
        for group in _finding_groups(finding, frames, segmented, identities[finding.id])
    ] + [measurement_group(frames, _WHOLE_BODY, "1501", [], _BURDEN.write(reading.burden))]
    labels = reading.labels
    fit = [
        *_FIT.write(labels),
        *_REGIONS_IN_VIEW.write(sorted(labels.regions_in_view)),
        *_CORRELATIONS.write({view.name: view.correlation for view in labels.views}),
    ]
    parts = []
    if reading.impression is not None:
        parts.append(items.container(IMPRESSIONS, _IMPRESSION.write(reading.impression)))
    if reading.quality.checks:
        parts.append(items.container(QUALITY_HEAD, CHECKS.write(reading.quality.checks)))
    if reading.familiarity is not None:
        parts.append(items.container(_FAMILIARITY_HEAD, _FAMILIARITY.write(reading.familiarity)))
    parts.append(items.container(_FIT_HEAD, fit))
    parts += making(Making(reading.remarks, reading.method, reading.versions))
    if reading.revision is not None:
        parts += revision_items(reading.revision, frames)
    pictures = [
        items.image(
            None,
            reference_item(frame),
            parts=[items.coded(_VIEW, codes.VIEWS[frame.view], "HAS ACQ CONTEXT")],
        )
        for frame in frames
    ]
    rests_on = [*references(frames), *(one.reference for one in segmented.values()), *others]
    return measurement_report(frames, pictures, rests_on, measurements, parts, signature)


def _finding_groups(
    finding: Finding, frames: Sequence[SourceFrame], segmented: Mapping[ViewName, Segmented], identity: str
) -> list[Dataset]:
    name = f"finding-{finding.id}"
    about = place_of(finding)
    groups = []
    for frame in frames:
        seen = finding.views.get(frame.view)
        if seen is None:
            continue
        parts = [
            items.coded(FINDING, codes.KINDS[finding.kind]),
            items.coded(_VIEW, codes.VIEWS[frame.view]),
            items.region(_OUTLINE, seen.outline, frame, closed=True),
            items.region(_PEAK, [(seen.peak_row, seen.peak_column)], frame, closed=False),
        ]
        number = segmented[frame.view].numbers.get(finding.id) if frame.view in segmented else None
        if number is not None:
            segment = instance_item(segmented[frame.view].reference)
            segment.ReferencedSegmentNumber = number
            parts.append(items.image(_SEGMENT, segment))
        parts += [item for field, one in _SEEN_FIELDS.items() for item in one.write(getattr(seen, field))]
        groups.append(measurement_group(frames, name, "1410", about, parts, identity))
    return [*groups, measurement_group(frames, name, "1501", about, _FINDING_FIELDS.write(finding), identity)]


def reported(
    dataset: Dataset, masks: Mapping[ViewName, Masks], geometry: Mapping[ViewName, Masks] | None = None
) -> Reported:
    """Read back what `structured_report` wrote.

    Parameters
    ----------
    dataset : pydicom.Dataset
    masks : mapping of ViewName to Masks
        Of the findings, from their segmentations.
    geometry : mapping of ViewName to Masks, optional
        Of any layer, for the outlines of a revision in views that show no finding now; else that of `masks`.

    Returns
    -------
    Reported
        Equal to what was written; outlines as far as 32-bit floats hold them.

    Raises
    ------
    UnreadableInput
        For a report that is not one of ours, or whose segmentation is missing.
    """
    try:
        root = dataset.ContentSequence
        groups = items.named(items.only(root, MEASUREMENTS).ContentSequence, GROUP)
        findings, seen, burden = [], {}, None  # type: ignore[var-annotated]
        for group in groups:
            parts = group.ContentSequence
            name = items.text_of(items.only(parts, TRACKED_AS))
            if name == _WHOLE_BODY:
                burden = _BURDEN.read(parts)
            elif items.named(parts, _NUMBER):
                findings.append(_FINDING_FIELDS.read(parts, views=seen.pop(name, {})))
            else:
                view = Choice(_VIEW, codes.VIEWS).read(parts)
                seen.setdefault(name, {})[view] = _seen(parts, name, masks[view])
        fit, familiarity = section(root, _FIT_HEAD), section(root, _FAMILIARITY_HEAD)
        impression, made = section(root, IMPRESSIONS), read_making(root)
        if burden is None:
            raise KeyError(_WHOLE_BODY)
        return Reported(
            labels=_FIT.read(fit, views=(), regions_in_view=frozenset(_REGIONS_IN_VIEW.read(fit))),
            correlations=_CORRELATIONS.read(fit),
            findings=tuple(findings),
            burden=burden,
            quality=Quality(checks=CHECKS.read(section(root, QUALITY_HEAD))),
            remarks=made.remarks,
            method=made.method,
            versions=made.versions,
            impression=_IMPRESSION.read(impression) if impression else None,
            familiarity=_FAMILIARITY.read(familiarity) if familiarity else None,
            revision=read_revision(root, geometry or masks),
        )
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise UnreadableInput(
            "The structured report is not one that bonescan wrote, or its segmentation of the findings is missing."
        ) from error


def _seen(parts: Sequence[Dataset], name: str, masks: Masks) -> FindingView:
    shape = masks.shape
    (peak,) = items.region_of(items.only(parts, _PEAK), shape, turned=masks.turned)
    return FindingView(
        outline=items.region_of(items.only(parts, _OUTLINE), shape, turned=masks.turned),
        mask=masks.by_name.get(name, np.zeros(shape, np.bool_)),
        peak_row=round(peak[0]),
        peak_column=round(peak[1]),
        **{field: one.read(parts) for field, one in _SEEN_FIELDS.items()},
    )
