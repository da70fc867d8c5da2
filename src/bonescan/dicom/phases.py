"""Open blood flow, blood pool and delayed views of one place as one study: what each object is, and when it was made.

Of what a folder holds, a dynamic series of short frames is the flow; long frames and static views within the first hour
are the pool; later static views are the delayed phase; a later whole-body scan is kept beside them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bonescan.dicom import headers, opening, series
from bonescan.dicom.frames import detector_count, image_kind
from bonescan.dicom.inputs import Item, gather
from bonescan.dicom.opening import refuse_impossible_pixel
from bonescan.dicom.pixels import is_dicom, parse
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import BoneScanError, NotABoneScan
from bonescan.scan import DynamicScan, Phase, Remark, Scan, Severity, ThreePhaseStudy, View, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["open_phases"]

LONGEST_FLOW_FRAME_S = 10.0  # a flow has frames of 1 to 5 s, a pool of minutes [V EANM 2016; D the limit between]
_EARLY_H = 1.0  # a pool is taken within 10 minutes, a delayed view from 2 h on [V EANM 2016; D the limit between]
_EARLY_WORDS = re.compile(r"\b(pool|blood|soft.?tissue|early|immediate|phase.?2|2nd|fr[uü]h\w*|perfusion)\b", re.I)
_LATE_WORDS = re.compile(r"\b(delay\w*|late|bone|osseous|phase.?3|3rd|sp[aä]t\w*|static)\b", re.I)

_ABSENT = {
    Phase.FLOW: "No dynamic series of short frames is among the files.",
    Phase.POOL: "No view of the first hour after the injection is among the files.",
    Phase.DELAYED: "No later static view of the same part is among the files.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """One object that may be a phase, by its header."""

    item: Item
    dataset: Dataset
    at: datetime | None

    @property
    def words(self) -> str:
        return headers.text(self.dataset, "SeriesDescription") or ""

    @property
    def body_part(self) -> str | None:
        return headers.text(self.dataset, "BodyPartExamined")


def open_phases(
    inputs: Sequence[Path],
    *,
    view: ViewName | None = None,
    flip: bool = False,
    pixel_mm: float | None = None,
    leave_out: Collection[Path] = (),
) -> ThreePhaseStudy | None:
    """Open the flow, the pool and the delayed views that the inputs hold of one place.

    Parameters
    ----------
    inputs : sequence of Path
        DICOM files, folders, zips, a DICOMDIR.
    view : ViewName or None
        What the only, or the first, view of each phase is; overrules the files.
    flip : bool
        Exchange anterior and posterior in every phase; no pixel is mirrored.
    pixel_mm : float or None
        Pixel size in mm, 0.2 to 20; overrules the files.
    leave_out : collection of Path
        Files to pass over where they lie in a folder that is read.

    Returns
    -------
    ThreePhaseStudy or None
        ``None`` where the inputs hold no early phase beside, or instead of, a bone scan: they are then a matter for
        `open_scan`. A flow alone is a study whose other phases are absent; a pool alone is not, for nothing tells it
        from a spot view that was taken too early.

    Raises
    ------
    UnreadableInput
        Bytes that cannot be decoded, and more than the limits allow.
    NotABoneScan
        Objects of two people or studies, or more than one series or pair of views of one phase.

    Notes
    -----
    Times decide: the injection's, or the flow's own beginning, which is the injection. Where no object says when it was
    made, the series' descriptions do, and a remark says so.
    """
    refuse_impossible_pixel(pixel_mm)
    keep_quiet()
    items = gather(inputs, leave_out=leave_out)
    dynamic, static, whole = _candidates(items)
    if not dynamic and len(static) + len(whole) < 2:
        return None
    flows = [series.dynamic_of([one.item], view, flip, pixel_mm) for one in dynamic]
    began = min((flow.acquired_at for flow in flows if flow.acquired_at is not None), default=None)
    early, late, remarks = _by_time(static, began, bool(dynamic))
    if not dynamic and not (early and (late or whole)):
        return None
    everything = [
        opening.Opened(item=one.item, dataset=one.dataset, frames=[], remarks=[]) for one in (*dynamic, *static, *whole)
    ]
    opening.refuse_two_studies(everything)
    opening.refuse_two_people(everything)
    part = next((one.body_part for one in (*dynamic, *early, *late) if one.body_part), None)
    flow, pool, found = _flow_and_pool(flows)
    remarks += found
    if early:
        remarks += _also_pooled(pool)
        pool = _views(early, part, view, flip, pixel_mm)
    delayed = _views(late, part, view, flip, pixel_mm) if late else None
    whole_late = [one for one in whole if not _is_early(one, began)]
    remarks += _left_out(len(whole) - len(whole_late))
    scans = {Phase.FLOW: flow, Phase.POOL: pool, Phase.DELAYED: delayed}
    return ThreePhaseStudy(
        flow=flow,
        pool=pool,
        delayed=delayed,
        whole_body=_views(whole_late, None, view, flip, pixel_mm) if whole_late else None,
        absent={phase: _ABSENT[phase] for phase, scan in scans.items() if scan is None},
        body_part=part,
        remarks=tuple(remarks),
    )


def _candidates(items: list[Item]) -> tuple[list[_Candidate], list[_Candidate], list[_Candidate]]:
    """Dynamic series, static views and whole-body scans among the files; what is none of them is left to others."""
    found: dict[str, list[_Candidate]] = {"DYNAMIC": [], "STATIC": [], "WHOLE BODY": []}
    for item in items:
        if not is_dicom(item.data):
            continue
        try:
            dataset, _ = parse(item.data, item.place)
        except BoneScanError:
            continue  # whoever opens it says what is wrong with it
        if headers.text(dataset, "Modality") != "NM":
            continue
        kind = image_kind(dataset)
        frames = next(iter(headers.integers(dataset, "NumberOfFrames")), 1)
        if series.is_dynamic(dataset):
            kind = "DYNAMIC" if frames > detector_count(dataset, 2) else "STATIC"
        if kind in found:
            found[kind].append(_Candidate(item=item, dataset=dataset, at=headers.acquired_at(dataset)))
    return found["DYNAMIC"], found["STATIC"], found["WHOLE BODY"]


def _is_early(one: _Candidate, began: datetime | None) -> bool | None:
    """Whether a view is of the first hour; ``None`` where nothing says when it was made."""
    return is_first_hour(one.at, began or headers.injection(one.dataset, one.at)[0].injected_at)


def is_first_hour(at: datetime | None, injected_at: datetime | None) -> bool | None:
    """Whether something was made within an hour of the injection; ``None`` where a time is missing."""
    if at is None or injected_at is None:
        return None
    return (at - injected_at).total_seconds() < 3600 * _EARLY_H


def early_by_words(words: str) -> bool | None:
    """Whether a description tells of the blood pool or of the delayed phase; ``None`` where of neither."""
    return True if _EARLY_WORDS.search(words) else False if _LATE_WORDS.search(words) else None


def _by_time(
    static: list[_Candidate], began: datetime | None, beside_flow: bool
) -> tuple[list[_Candidate], list[_Candidate], list[Remark]]:
    """Static views of the first hour, and later ones."""
    early: list[_Candidate] = []
    late: list[_Candidate] = []
    remarks: list[Remark] = []
    for one in static:
        is_early = _is_early(one, began)
        if is_early is None:
            is_early = early_by_words(one.words)
            if is_early is None:
                if not beside_flow:  # two views of a bone scan, as far as anybody can tell
                    late.append(one)
                    continue
                raise NotABoneScan(
                    f"Nothing in {one.item.place} says whether it is of the blood pool or delayed: it has neither its "
                    "time nor a telling description; leave it out, or give it alone."
                )
            remarks.append(
                Remark(
                    code="dicom.phases.by_words",
                    text=f"The files do not say when a view was made; it was taken for the "
                    f"{'blood pool' if is_early else 'delayed phase'} by its description.",
                    severity=Severity.WARNING,
                )
            )
        (early if is_early else late).append(one)
    return early, late, list(dict.fromkeys(remarks))


def _views(
    found: list[_Candidate], part: str | None, view: ViewName | None, flip: bool, pixel_mm: float | None
) -> Scan:
    """The views of one phase; those of the flow's part of the body where several parts were looked at."""
    same = [one for one in found if one.body_part == part]
    chosen = same if part and same and len({one.body_part for one in found}) > 1 else found
    return opening.open_items([one.item for one in chosen], view, flip, pixel_mm)


def _flow_and_pool(scans: list[DynamicScan]) -> tuple[DynamicScan | None, Scan | None, list[Remark]]:
    """Tell frames of seconds from frames of minutes, and sum the latter."""
    flows: list[DynamicScan] = []
    pools: list[Scan] = []
    remarks: list[Remark] = []
    for scan in scans:
        short = [seconds <= LONGEST_FLOW_FRAME_S for seconds in scan.durations_s]
        if any(short):
            flows.append(_frames(scan, short))
        if not all(short):
            pools.append(_summed(_frames(scan, [not one for one in short])))
            remarks.append(
                Remark(
                    code="dicom.phases.summed",
                    text=f"The blood pool is the sum of {short.count(False)} frames longer than "
                    f"{LONGEST_FLOW_FRAME_S:.0f} s of a dynamic series.",
                )
            )
    for what, number in (("blood flows", len(flows)), ("dynamic blood pools", len(pools))):
        if number > 1:
            raise NotABoneScan(f"The input holds {number} {what}; give the files of one place.", count=number)
    return next(iter(flows), None), next(iter(pools), None), remarks


def _frames(scan: DynamicScan, wanted: list[bool]) -> DynamicScan:
    if all(wanted):
        return scan
    return replace(
        scan,
        counts=scan.counts[:, wanted],
        starts_s=tuple(start for start, own in zip(scan.starts_s, wanted, strict=True) if own),
        durations_s=tuple(seconds for seconds, own in zip(scan.durations_s, wanted, strict=True) if own),
    )


def _summed(scan: DynamicScan) -> Scan:
    at = scan.acquired_at
    return Scan(
        views=tuple(
            View(
                name=name,
                counts=counts.sum(axis=0, dtype=np.float64),
                row_spacing_mm=scan.row_spacing_mm,
                column_spacing_mm=scan.column_spacing_mm,
                identity_basis="as in the dynamic series",
                energy_window_kev=scan.energy_window_kev,
                duration_s=sum(scan.durations_s),
            )
            for name, counts in zip(scan.view_names, scan.counts, strict=True)
        ),
        patient=scan.patient,
        injection=scan.injection,
        device=scan.device,
        acquired_at=None if at is None else at + timedelta(seconds=scan.starts_s[0]),
        study_uid=scan.study_uid,
        study_description=scan.study_description,
        whole_body=False,
        sources=scan.sources,
        remarks=scan.remarks,
    )


def _also_pooled(pool: Scan | None) -> list[Remark]:
    if pool is None:
        return []
    return [
        Remark(
            code="dicom.phases.two_pools",
            text="A static blood pool is read; long frames of the dynamic series were left out.",
        )
    ]


def _left_out(number: int) -> list[Remark]:
    if not number:
        return []
    return [
        Remark(
            code="dicom.phases.early_whole_body",
            text=f"{number} whole-body scan(s) of the first hour were left out: a blood pool of the whole body.",
        )
    ]
