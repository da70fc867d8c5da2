"""Drawn dolls scanned several times, compared by hand: what a comparison's pages must show is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from functools import cache

import numpy as np
from tests.report.phantom import phantom_reading

from bonescan.followup.model import (
    AlignedView,
    Alignment,
    Change,
    ChangeKind,
    Comparability,
    ComparabilityCheck,
    Comparison,
    DifferenceView,
    IndexChange,
    LesionChange,
    Study,
    Trend,
)
from bonescan.followup.series import Series, follow
from bonescan.measurement import Measurement
from bonescan.reading.model import Kind, Reading, Verdict
from bonescan.scan import PatientFacts


@cache
def doll(findings: int, patient: PatientFacts | None) -> Reading:
    return phantom_reading(findings=findings, patient=patient)


def study(findings: int, on: date, *, bsi: float = 1.84, patient: PatientFacts | None = None) -> Study:
    """A doll with that many findings, four of which are no bone; more findings are the same ones and further ones."""
    reading = doll(findings, patient)
    when = datetime(on.year, on.month, on.day, 12, 20)
    index = replace(reading.burden.bone_scan_index_percent, value=bsi)
    return Study.of(
        replace(
            reading,
            scan=replace(reading.scan, acquired_at=when),
            burden=replace(reading.burden, bone_scan_index_percent=index),
        )
    )


def number(value: float | None, unit: str, spread: float | None = None) -> Measurement:
    return Measurement(
        value=value,
        unit=unit,
        uncertainty=spread,
        method="drawn",
        absent_reason="" if value is not None else "not seen",
    )


def change(prior: float | None, current: float | None, unit: str, trend: Trend = Trend.UNCHANGED) -> Change:
    both = prior is not None and current is not None
    return Change(
        prior=number(prior, unit),
        current=number(current, unit),
        difference=number(current - prior if both else None, unit),
        ratio=number(current / prior if both and prior else None, "1"),
        trend=trend if both else Trend.UNKNOWN,
    )


def compared(prior: Study, current: Study) -> Comparison:
    """Match findings of the same place; nothing has moved between both dolls."""
    before = {finding.place: finding for finding in prior.reading.findings if finding.kind is Kind.BONE}
    now = {finding.place: finding for finding in current.reading.findings if finding.kind is Kind.BONE}
    lesions = []
    for place in [
        *(p for p in now if p not in before),
        *(p for p in now if p in before),
        *(p for p in before if p not in now),
    ]:
        old, new = before.get(place), now.get(place)
        kind = ChangeKind.NEW if old is None else ChangeKind.VANISHED if new is None else ChangeKind.PERSISTING
        one = new or old
        lesions.append(
            LesionChange(
                id=len(lesions) + 1,
                kind=kind,
                prior=(old.id,) if old else (),
                current=(new.id,) if new else (),
                bone=one.bone,
                side=one.side,
                place=place,
                region=one.region,
                uptake_ratio=change(old and old.uptake_ratio, new and new.uptake_ratio, "1"),
                area_mm2=change(700.0 if old else None, 720.0 if new else None, "mm2"),
                depth_mm=change(62.0 if old else None, 61.0 if new else None, "mm"),
                brightness=number(1.4 if kind is ChangeKind.NEW else 1.0 if new else 0.4, "1", 0.1),
                significance={ChangeKind.NEW: 9.1, ChangeKind.VANISHED: -7.2}.get(kind, 0.3),
                trend=Trend.UNCHANGED if kind is ChangeKind.PERSISTING else Trend.UNKNOWN,
                masks={name: view.mask for name, view in one.views.items()},
                reason="Drawn so.",
                likelihood=one.likelihood,
            )
        )
    views = []
    differences = []
    for old_view, view in zip(prior.scan.views, current.scan.views, strict=True):
        rows, columns = np.indices(view.counts.shape, dtype=np.float32)
        labelled = next(one for one in current.reading.labels.views if one.name is view.name)
        views.append(
            AlignedView(
                name=view.name, prior_row=rows, prior_column=columns, shown=labelled.body, displacement_mm=0.0,
                correlation_before=0.9, correlation=0.95,
            )
        )  # fmt: skip
        noise = np.sqrt(np.maximum(view.counts + old_view.counts, 1))
        score = ((view.counts - old_view.counts) / noise).astype(np.float32)
        differences.append(
            DifferenceView(
                name=view.name, prior=old_view.counts, current=view.counts, significance=score, scale=1.0,
                scale_spread=0.01, risen=score > 6, gone=score < -6,
            )
        )  # fmt: skip
    index = change(
        prior.reading.burden.bone_scan_index_percent.value, current.reading.burden.bone_scan_index_percent.value, "%"
    )
    return Comparison(
        prior=prior,
        current=current,
        alignment=Alignment(views=tuple(views), trusted=True),
        difference=tuple(differences),
        lesions=tuple(lesions),
        bone_scan_index=IndexChange(
            as_read=index, change=index, doublings=number(0.3, "1"), flagged=True, repeatability_percent=0.3,
            text="The Bone Scan Index rose by more than a repeat scan alone would do.",
        ),
        lesion_area=change(4000.0, 2000.0, "mm2"),
        comparability=Comparability(
            checks=(
                ComparabilityCheck(
                    code="comparability.camera", question="The same camera?", verdict=Verdict.PASS, prior="Doll 1",
                    current="Doll 1", text="Both were made with Doll 1.",
                ),
                ComparabilityCheck(
                    code="comparability.counts", question="Alike in counts?", verdict=Verdict.WARN, prior="1.7 million",
                    current="0.9 million", text="The current scan has half the counts.",
                ),
            )
        ),
        method={"matching": "Drawn by hand."},
    )  # fmt: skip


def drawn_series(*findings: int, treatment_start: date | None = date(2021, 1, 10)) -> Series:
    """Scans nine weeks apart from 2021-01-04 on, with that many findings each."""
    days = [date(2021, 1, 4), date(2021, 3, 15), date(2021, 5, 17), date(2021, 7, 19), date(2021, 9, 20)]
    studies = [study(count, day, bsi=0.4 * (count - 4)) for count, day in zip(findings, days, strict=False)]
    return follow(studies, compared, treatment_start=treatment_start)
