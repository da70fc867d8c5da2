"""The comparison of a series as a structured report by TID 1500, and read back equal but for its pictures.

The lesions' pixels, the tracks through earlier scans and the healing of fractures are not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bonescan.dicom.results import codes, items
from bonescan.dicom.results.codes import own
from bonescan.dicom.results.fields import (
    SOURCE,
    Choice,
    Day,
    Figure,
    Measured,
    Nested,
    Record,
    Records,
    Sentences,
    Truth,
    Whole,
    Wholes,
    Words,
)
from bonescan.dicom.results.heading import Reference, evidenced, instance_item, references
from bonescan.dicom.results.records import (
    ADVICE,
    IMPRESSION,
    LETTER,
    P_METASTATIC,
    PLACE,
    QUESTION,
    REASON,
    REGION_NUMBER,
    REMARK,
    Making,
    making,
    members,
    read_making,
)
from bonescan.dicom.results.reports import (
    COMMENT,
    FINDING,
    GROUP,
    IMPRESSIONS,
    LESION,
    MEASUREMENTS,
    TRACKED_AS,
    WORDS,
    measurement_group,
    measurement_report,
    place_of,
)
from bonescan.dicom.results.sources import SourceObject
from bonescan.errors import UnreadableInput
from bonescan.followup.area import AreaCall, AreaResponse
from bonescan.followup.model import (
    Change,
    ChangeKind,
    Comparability,
    ComparabilityCheck,
    IndexChange,
    LesionChange,
    Trend,
)
from bonescan.followup.progression import BoneState, Progression, ScanState
from bonescan.reading.tracking import identity_of_masks
from bonescan.scan import Remark

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from bonescan.followup.series import Series

__all__ = ["ReportedComparison", "comparison_report", "reported_comparison"]

_WHOLE_BODY = "skeleton"
_UNMARKED = own("to-look-at", "Marked in neither reading: to be looked at")
_TREND = Choice(own("trend", "Which way it went, judged against its own uncertainty"), members(Trend, "trend-"))
_CHANGE = Record(
    Change,
    {
        "trend": _TREND,
        "prior": Measured(own("prior", "In the prior scan")),
        "current": Measured(own("current", "In the current scan")),
        "difference": Measured(own("difference", "Current less prior")),
        "ratio": Measured(own("change-ratio", "Current over prior")),
    },
)
_LETTER, _TEXT = Words(LETTER), Words(WORDS)
_LESION_FIELDS = Record(
    partial(LesionChange, masks={}),
    {
        "id": Whole(own("lesion-number", "Number of the lesion")),
        "kind": Choice(own("became", "What became of the lesion"), members(ChangeKind)),
        "prior": Wholes(own("prior-finding", "Number of its finding in the prior scan")),
        "current": Wholes(own("current-finding", "Number of its finding in the current scan")),
        "bone": Words(own("bone-id", "Bone, by bonescan's name")),
        "side": Words(own("side", "Side, or midline")),
        "place": Words(PLACE),
        "region": Whole(REGION_NUMBER),
        "trend": _TREND,
        "brightness": Measured(own("brightness", "Current over prior uptake at the place, both in one scale")),
        "significance": Figure(own("change-sd", "Change, in standard deviations")),
        "uptake_ratio": Nested(own("ratio-change", "Change of the uptake, as a multiple of normal"), _CHANGE),
        "area_mm2": Nested(own("area-change", "Change of the area"), _CHANGE),
        "depth_mm": Nested(own("depth-change", "Change of the depth"), _CHANGE),
        "likelihood": Measured(P_METASTATIC),
        "reason": Words(REASON),
    },
)
_INDEX = Record(
    IndexChange,
    {
        "change": Nested(own("bsi-change", "Change of the Bone Scan Index"), _CHANGE),
        "as_read": Nested(own("bsi-as-read", "Change of the index, each as its reading has it"), _CHANGE),
        "doublings": Measured(own("doublings", "Doublings of the Bone Scan Index")),
        "flagged": Truth(own("beyond-repeat", "Beyond what a repeat scan does")),
        "repeatability_percent": Figure(own("repeatability", "Largest difference of repeated scans"), "%"),
        "text": _TEXT,
    },
)
_AREA = Nested(own("lesions-change", "Change of the lesions' area"), _CHANGE)
_TO_DO = Words(own("next-step", "What the rules ask for next"))
_STATE = Choice(own("pcwg3-state", "What PCWG3 says"), members(BoneState, by_name=True))
_PROGRESSED = Day(own("progressed-on", "Date of progression"))
_SCANS = Records(
    own("pcwg3", "Progression in bone by PCWG3"),
    Record(
        ScanState,
        {
            "on": Day(own("scan-day", "Day of the scan")),
            "state": _STATE,
            "reference_on": Day(own("reference-day", "Day of the scan it was held against")),
            "new": Sentences(own("new-lesion", "Lesion that is new")),
            "confirmable_from": Day(own("confirm-from", "First day on which a scan may confirm it")),
            "progressed_on": _PROGRESSED,
            "text": _TEXT,
            "next_step": _TO_DO,
        },
    ),
)
_PROGRESSION = Nested(
    own("pcwg3-series", "The series by PCWG3"),
    Record(
        Progression,
        {
            "scans": _SCANS,
            "state": _STATE,
            "progressed_on": _PROGRESSED,
            "treatment_start": Day(own("treated-from", "First day of the treatment")),
            "text": _TEXT,
            "next_step": _TO_DO,
            "cautions": Sentences(own("caution", "Caution")),
            "source": Words(SOURCE),
        },
    ),
)
_RESPONSE = Nested(
    own("area-response", "The lesions' area against the published limit"),
    Record(
        AreaResponse,
        {
            "change_percent": Measured(own("area-percent", "Change of the lesions' area, of the prior one")),
            "call": Choice(own("area-call", "What the change is called"), members(AreaCall, "area-", by_name=True)),
            "text": _TEXT,
            "source": Words(SOURCE),
        },
    ),
)
_COMPARABLE = own("comparability", "Comparability")
_CHECKS = Records(
    own("comparable", "Alike enough to be compared?"),
    Record(
        ComparabilityCheck,
        {
            "code": Words(own("check-code", "Code of the check")),
            "question": Words(QUESTION),
            "verdict": Choice(own("verdict", "Verdict"), codes.VERDICTS),
            "prior": Words(own("prior-has", "What the prior scan has")),
            "current": Words(own("current-has", "What the current scan has")),
            "text": Words(COMMENT),
        },
    ),
)
_TRUSTED = Truth(own("aligned", "Alignment of both scans is trusted"))
_ALIGNMENT = Records(own("align-remark", "Remark on the alignment"), REMARK)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReportedComparison:
    """What the report of a comparison says of the current scan and the one before it, and of the series' progression.

    Parameters
    ----------
    lesions, unmarked : tuple of LesionChange
        As in `bonescan.followup.model.Comparison`, without their pixels.
    letters : mapping of int to str
        By the lesions' ids.
    bone_scan_index : IndexChange
    lesion_area : Change
    comparability : Comparability
    aligned : bool
        `Alignment.trusted`.
    alignment_remarks, remarks : tuple of Remark
    method : mapping of str to str
    progression : Progression
    area : AreaResponse
    rests_on : tuple of bonescan.dicom.results.heading.Reference
        The images of all scans, the current one's first.
    """

    lesions: tuple[LesionChange, ...]
    unmarked: tuple[LesionChange, ...]
    letters: Mapping[int, str]
    bone_scan_index: IndexChange
    lesion_area: Change
    comparability: Comparability
    aligned: bool
    alignment_remarks: tuple[Remark, ...]
    remarks: tuple[Remark, ...]
    method: Mapping[str, str]
    progression: Progression
    area: AreaResponse
    rests_on: tuple[Reference, ...]


def comparison_report(series: Series, sources: Sequence[SourceObject]) -> Dataset:
    """Write the comparison of a series as a Comprehensive 3D SR of the current scan's study.

    Parameters
    ----------
    series : Series
    sources : sequence of SourceObject
        Of the current scan first, then those of the earlier ones.

    Returns
    -------
    pydicom.Dataset
        Without a SOPInstanceUID yet.
    """
    latest, letters, rules = series.latest, series.letters, series.progression
    groups = [_lesion_group(sources, lesion, letters[lesion.id], marked=True) for lesion in latest.lesions]
    groups += [_lesion_group(sources, place, letters[place.id], marked=False) for place in latest.unmarked]
    whole = [*_INDEX.write(latest.bone_scan_index), *_AREA.write(latest.lesion_area)]
    groups.append(measurement_group(sources, _WHOLE_BODY, "1501", [], whole))
    said = [one for one in (rules.text, latest.bone_scan_index.text, series.area.text) if one]
    judged = [
        *Sentences(IMPRESSION).write(said),
        *Sentences(ADVICE).write([rules.next_step] if rules.next_step else []),
        *_PROGRESSION.write(rules),
        *_RESPONSE.write(series.area),
    ]
    alike = [
        *_TRUSTED.write(latest.alignment.trusted),
        *_ALIGNMENT.write(latest.alignment.remarks),
        *_CHECKS.write(latest.comparability.checks),
    ]
    parts = [items.container(IMPRESSIONS, judged), items.container(_COMPARABLE, alike)]
    parts += making(Making(latest.remarks, latest.method, {}))
    read = references(sources)
    return measurement_report(sources, [items.image(None, instance_item(one)) for one in read], read, groups, parts)


def _lesion_group(sources: Sequence[SourceObject], lesion: LesionChange, letter: str, *, marked: bool) -> Dataset:
    parts = [
        items.coded(FINDING, LESION if marked else _UNMARKED),
        *_LETTER.write(letter),
        *_LESION_FIELDS.write(lesion),
    ]
    name = f"{'lesion' if marked else 'place'}-{lesion.id}"
    return measurement_group(sources, name, "1501", place_of(lesion), parts, identity_of_masks(lesion.masks))


def reported_comparison(dataset: Dataset) -> ReportedComparison:
    """Read back what `comparison_report` wrote.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    ReportedComparison
        Equal to what was written.

    Raises
    ------
    UnreadableInput
        For a report that is not one of ours.
    """
    try:
        root = dataset.ContentSequence
        marked: list[LesionChange] = []
        unmarked: list[LesionChange] = []
        letters, whole = {}, None
        for group in items.named(items.only(root, MEASUREMENTS).ContentSequence, GROUP):
            parts = group.ContentSequence
            if items.text_of(items.only(parts, TRACKED_AS)) == _WHOLE_BODY:
                whole = parts
                continue
            lesion = _LESION_FIELDS.read(parts)
            letters[lesion.id] = _LETTER.read(parts)
            looked_at = items.code_of(items.only(parts, FINDING)) == (_UNMARKED.value, _UNMARKED.scheme)
            (unmarked if looked_at else marked).append(lesion)
        if whole is None:
            raise KeyError(_WHOLE_BODY)
        judged = items.only(root, IMPRESSIONS).ContentSequence
        alike = items.only(root, _COMPARABLE).ContentSequence
        made = read_making(root)
        return ReportedComparison(
            lesions=tuple(marked),
            unmarked=tuple(unmarked),
            letters=letters,
            bone_scan_index=_INDEX.read(whole),
            lesion_area=_AREA.read(whole),
            comparability=Comparability(checks=_CHECKS.read(alike)),
            aligned=_TRUSTED.read(alike),
            alignment_remarks=_ALIGNMENT.read(alike),
            remarks=made.remarks,
            method=made.method,
            progression=_PROGRESSION.read(judged),
            area=_RESPONSE.read(judged),
            rests_on=evidenced(dataset),
        )
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise UnreadableInput("The structured report is not one that bonescan wrote of a comparison.") from error
