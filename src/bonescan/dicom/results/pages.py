"""The phases of one place, and the comparison of two scans, as DICOM objects: plates, pages, measurements, what is key.

Both rest on whole objects rather than on single frames: a flow is many frames, and a comparison is of two studies. They
are written and not read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from bonescan.dicom.results import codes, items
from bonescan.dicom.results.captures import document, pixels_of, plate
from bonescan.dicom.results.codes import Code, dcm, own, sct
from bonescan.dicom.results.display import key_note
from bonescan.dicom.results.fields import Figure, Measured, Record, Sentences, Words
from bonescan.dicom.results.heading import Reference, encoded, instance_item, reference_to, references
from bonescan.dicom.results.reports import (
    ABNORMAL,
    CATEGORY,
    COMMENT,
    FINDING,
    IMPRESSIONS,
    SIDE,
    measurement_group,
    measurement_report,
    place_of,
)
from bonescan.dicom.results.sources import SourceObject
from bonescan.reading.tracking import identity_of_masks
from bonescan.scan import Phase

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from bonescan.followup.model import Change, LesionChange
    from bonescan.followup.series import Series
    from bonescan.reading.three_phase.phases import PhaseFinding, PhaseReading

__all__ = ["COMPARISON_RESULT_NAMES", "PHASE_RESULT_NAMES", "write_comparison", "write_phases"]

_PHASE_PLATES = {"phases": "Flow, pool and delayed views.", "phases_curves": "Counts a second over time."}
_COMPARISON_PLATES = {
    "comparison": "Prior and current scan in one scale.",
    "comparison_changes": "More uptake than before in red, less in blue.",
    "comparison_timeline": "Bone Scan Index and lesions over the scans' dates.",
}
PHASE_RESULT_NAMES = ("phases_sr.dcm", "phases_pdf.dcm", *(f"{name}.dcm" for name in _PHASE_PLATES), "phases_key.dcm")
"""Every name an object of a three-phase study may have."""

COMPARISON_RESULT_NAMES = (
    "comparison_sr.dcm",
    "comparison_pdf.dcm",
    *(f"{name}.dcm" for name in _COMPARISON_PLATES),
    "comparison_key.dcm",
)
"""Every name an object of a comparison may have."""

_LESION = sct("52988006", "Lesion")
_IMPRESSION, _ADVICE = dcm("121073", "Impression"), dcm("121075", "Recommendation")
_WORDS = own("in-words", "In words")

_PHASE, _CALL = own("phase", "Phase"), own("call", "What the phase shows")
_PHASES = {Phase.FLOW: "Blood flow", Phase.POOL: "Blood pool", Phase.DELAYED: "Delayed uptake"}
_PHASE_FIELDS = Record(
    dict,
    {
        "ratio": Measured(own("side-ratio", "Region over its counterpart on the other side")),
        "rest_ratio": Measured(own("rest-ratio", "Rest of the side over that of the other")),
        "extent_mm": Measured(own("extent", "Length of what the phase shows")),
        "limit": Figure(own("ratio-limit", "Side ratio beyond which a side is up")),
        "text": Words(_WORDS),
    },
)
_EXPLANATION = Record(
    dict,
    {
        "name": Words(own("explanation", "What the pattern may be")),
        "agreement": Figure(own("agreement", "Agreement with the published pattern")),
        "evidence_for": Sentences(own("for", "What agrees")),
        "evidence_against": Sentences(own("against", "What does not agree")),
        "cannot_tell": Sentences(own("cannot-tell", "What was not judged")),
        "source": Words(own("source", "What the method rests on")),
    },
)
_PLACE_EXPLAINED = own("explained", "A row of the table of three-phase patterns")

_BECAME = own("became", "What became of the lesion")
_TREND = own("trend", "Which way it went, judged against its own uncertainty")
_UNMARKED = own("to-look-at", "Marked in neither reading: to be looked at")
_CHANGES: Mapping[str, Code] = {
    "uptake_ratio": own("ratio-change", "Change of the uptake, as a multiple of normal"),
    "area_mm2": own("area-change", "Change of the area"),
    "depth_mm": own("depth-change", "Change of the depth"),
}
_CHANGE_FIELDS = Record(
    dict,
    {
        "prior": Measured(own("prior", "In the prior scan")),
        "current": Measured(own("current", "In the current scan")),
        "difference": Measured(own("difference", "Current less prior")),
        "ratio": Measured(own("change-ratio", "Current over prior")),
    },
)
_CHECK = Record(
    dict,
    {
        "question": Words(own("question", "What was asked of the images")),
        "prior": Words(own("prior-has", "What the prior scan has")),
        "current": Words(own("current-has", "What the current scan has")),
        "text": Words(COMMENT),
    },
)
_RULES, _CAUTION = own("pcwg3", "Progression in bone by PCWG3"), own("caution", "Caution")


def write_phases(
    reading: PhaseReading,
    sources: Sequence[SourceObject],
    *,
    pictures: Mapping[str, bytes] | None = None,
    report_pdf: bytes | None = None,
) -> dict[str, bytes]:
    """Write the reading of a three-phase study as DICOM objects.

    Parameters
    ----------
    reading : PhaseReading
    sources : sequence of SourceObject
        From `find_objects`: flow, pool and delayed views.
    pictures : mapping of str to bytes, optional
        PNG files by name: ``phases.png`` and ``phases_curves.png`` become objects.
    report_pdf : bytes, optional

    Returns
    -------
    dict of str to bytes
        By names of `PHASE_RESULT_NAMES`.
    """
    groups = [_phase_group(sources, finding, reading) for finding in reading.findings]
    overall = [
        Measured(own("arrival-diff", "Arrival of the bolus, region less counterpart")).write(
            reading.arrival_difference_s
        ),
        Measured(own("slope-ratio", "Slope of the first rise, region over counterpart")).write(reading.slope_ratio),
        Measured(own("joints-ratio", "Delayed ratio over the bone-rich half")).write(reading.joints_ratio),
    ]
    groups.append(measurement_group(sources, "region", "1501", [], [item for one in overall for item in one]))
    said = [
        *Sentences(_IMPRESSION).write(reading.sentences),
        *Sentences(_ADVICE).write(reading.advice),
        *(items.container(_PLACE_EXPLAINED, _EXPLANATION.write(one)) for one in reading.explanations if one.fits),
    ]
    report = _report(sources, groups, [items.container(IMPRESSIONS, said)])
    title = "Three-phase bone scan reading"
    return _bundle("phases", sources, report, _PHASE_PLATES, pictures or {}, report_pdf, title)


def _phase_group(sources: Sequence[SourceObject], finding: PhaseFinding, reading: PhaseReading) -> Dataset:
    name = f"phase-{finding.phase.value}"
    phase = own(name, _PHASES[finding.phase])
    parts = [items.coded(FINDING, _LESION), items.coded(_PHASE, phase), *_PHASE_FIELDS.write(finding)]
    if finding.call is not None:
        parts.append(items.coded(_CALL, _member(finding.call)))
    if finding.judgement is not None:
        for call, share in finding.judgement.probabilities.items():
            parts += Figure(own(f"p-{_member(call).value}", f"Probability of: {call.value}")).write(share)
    side = reading.region.side if reading.region is not None else ""
    about = [items.coded(CATEGORY, ABNORMAL)]
    if side in codes.SIDES:
        about.append(items.coded(SIDE, codes.SIDES[side], items.MODIFIES))
    return measurement_group(sources, name, "1501", about, parts)


def write_comparison(
    series: Series,
    sources: Sequence[SourceObject],
    *,
    pictures: Mapping[str, bytes] | None = None,
    report_pdf: bytes | None = None,
) -> dict[str, bytes]:
    """Write the comparison of a series as DICOM objects of the current scan's study.

    Parameters
    ----------
    series : Series
    sources : sequence of SourceObject
        From `find_objects`: those of the current scan first, then those of the earlier ones.
    pictures : mapping of str to bytes, optional
        PNG files that become objects: ``comparison.png``, ``comparison_changes.png`` and ``comparison_timeline.png``.
    report_pdf : bytes, optional

    Returns
    -------
    dict of str to bytes
        By names of `COMPARISON_RESULT_NAMES`.
    """
    latest, letters, rules = series.latest, series.letters, series.progression
    groups = [_lesion_group(sources, lesion, letters[lesion.id], marked=True) for lesion in latest.lesions]
    groups += [_lesion_group(sources, place, letters[place.id], marked=False) for place in latest.unmarked]
    index = _change(own("bsi-change", "Change of the Bone Scan Index"), latest.bone_scan_index.change)
    area = _change(own("lesions-change", "Change of the lesions' area"), latest.lesion_area)
    words = Words(_WORDS)
    groups.append(
        measurement_group(sources, "skeleton", "1501", [], [index, area, *words.write(latest.bone_scan_index.text)])
    )
    judged = [
        *Sentences(_IMPRESSION).write([rules.text, latest.bone_scan_index.text, series.area.text]),
        *Sentences(_ADVICE).write([rules.next_step] if rules.next_step else []),
        *Sentences(_CAUTION).write(rules.cautions),
    ]
    states = [
        items.container(
            _RULES,
            [
                *words.write(one.text),
                *Words(own("scan-date", "Date of the scan")).write("" if one.on is None else str(one.on)),
            ],
        )
        for one in rules.scans
        if one.text or one.on is not None
    ]
    checks = [
        items.container(own("comparable", "Alike enough to be compared?"), _CHECK.write(one))
        for one in latest.comparability.checks
    ]
    parts = [items.container(IMPRESSIONS, [*judged, *states])]
    if checks:
        parts.append(items.container(own("comparability", "Comparability"), checks))
    report = _report(sources, groups, parts)
    return _bundle(
        "comparison", sources, report, _COMPARISON_PLATES, pictures or {}, report_pdf, "Bone scan comparison"
    )


def _lesion_group(sources: Sequence[SourceObject], lesion: LesionChange, letter: str, *, marked: bool) -> Dataset:
    parts = [
        items.coded(FINDING, _LESION if marked else _UNMARKED),
        *Words(own("letter", "Mark in pictures and tables")).write(letter),
        *Words(own("place", "Place in words")).write(lesion.place),
        items.coded(_BECAME, _member(lesion.kind)),
        items.coded(_TREND, _member(lesion.trend, "trend-")),
        *Measured(own("brightness", "Current over prior uptake at the place, both in one scale")).write(
            lesion.brightness
        ),
        *Figure(own("change-sd", "Change, in standard deviations")).write(lesion.significance),
        *(_change(name, getattr(lesion, field)) for field, name in _CHANGES.items()),
        *Words(own("reason", "Why it is called this")).write(lesion.reason),
    ]
    name = f"{'lesion' if marked else 'place'}-{lesion.id}"
    return measurement_group(sources, name, "1501", place_of(lesion), parts, identity_of_masks(lesion.masks))


def _member(member: StrEnum, prefix: str = "") -> Code:
    """The concept of a member of a closed list."""
    return own(prefix + member.value.replace(" ", "-"), member.value.capitalize())


def _change(name: Code, change: Change) -> Dataset:
    return items.container(name, [items.coded(_TREND, _member(change.trend, "trend-")), *_CHANGE_FIELDS.write(change)])


def _report(sources: Sequence[SourceObject], groups: Sequence[Dataset], parts: Sequence[Dataset]) -> Dataset:
    read = references(sources)
    pictures = [items.image(None, instance_item(one)) for one in read]
    return measurement_report(sources, pictures, read, groups, parts)


def _bundle(
    stem: str,
    sources: Sequence[SourceObject],
    report: Dataset,
    plates: Mapping[str, str],
    pictures: Mapping[str, bytes],
    report_pdf: bytes | None,
    title: str,
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    referred: list[Reference] = []

    def add(name: str, dataset: Dataset) -> None:
        files[name] = encoded(dataset)
        referred.append(reference_to(dataset))

    add(f"{stem}_sr.dcm", report)
    for number, (name, shows) in enumerate(plates.items(), start=1):
        if f"{name}.png" in pictures:
            add(f"{name}.dcm", plate(sources, pixels_of(pictures[f"{name}.png"]), number, shows))
    if report_pdf is not None:
        add(f"{stem}_pdf.dcm", document(sources, report_pdf, title))
    results = tuple(referred)
    add(f"{stem}_key.dcm", key_note(sources, f"{title}, by bonescan.", results, (), results))
    return files
