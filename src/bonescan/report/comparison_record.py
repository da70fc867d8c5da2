"""A comparison as a versioned JSON record: every scan, every lesion, the changes and what the rules say."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.followup.model import Change, Comparison, LesionChange, Study
from bonescan.followup.progression import ScanState
from bonescan.followup.series import Series
from bonescan.reading.model import Finding
from bonescan.report.comparison_pictures import lesion_style
from bonescan.report.record import INTENDED_USE, json_measurement, json_number
from bonescan.scan import Remark, ViewName

__all__ = ["COMPARISON_SCHEMA_VERSION", "comparison_record", "comparison_schema", "remarks_of"]

COMPARISON_SCHEMA_VERSION = "1.2.0"
"""Version of comparison.json: major for a broken reader, minor for a new field."""

_BESIDE_MM = 6.0  # of the circle about a place, beyond it


def comparison_schema() -> dict[str, Any]:
    """Return the published JSON schema (draft 2020-12) of comparison.json.

    Returns
    -------
    dict
    """
    text = resources.files("bonescan.report").joinpath("comparison.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def comparison_record(series: Series) -> dict[str, Any]:
    """Return the comparison of a series as plain JSON values.

    Parameters
    ----------
    series : Series

    Returns
    -------
    dict
        Valid against `comparison_schema`; holds no NaN and no infinity.
    """
    progression, latest = series.progression, series.latest
    patient = series.studies[-1].scan.patient
    return {
        "schema_version": COMPARISON_SCHEMA_VERSION,
        "intended_use": INTENDED_USE,
        "patient": {"name": patient.name, "patient_id": patient.patient_id, "sex": patient.sex},
        "treatment_start": _day(progression.treatment_start),
        "scans": [_scan(study, state) for study, state in zip(series.studies, progression.scans, strict=True)],
        "tracks": [
            {
                "letter": track.letter,
                "place": track.place,
                "may_be_metastasis": track.counts,
                "present": list(track.present),
                "findings": [list(numbers) for numbers in track.findings],
            }
            for track in series.tracks
        ],
        "progression": {
            "state": progression.state.value,
            "progressed_on": _day(progression.progressed_on),
            "text": progression.text,
            "next_step": progression.next_step,
            "cautions": list(progression.cautions),
            "source": progression.source,
        },
        "latest": _latest(latest, series),
        "healing": [
            {
                "letter": letter,
                "call": one.call.value,
                "stage": one.stage,
                "text": one.text,
                "expected": one.expected,
                "next_step": one.next_step,
                "source": one.source,
            }
            for letter, one in series.healing.items()
        ],
        "remarks": [
            {"code": remark.code, "text": remark.text, "severity": remark.severity.value}
            for remark in remarks_of(latest)
        ],
        "method": dict(latest.method),
        "versions": dict(latest.current.reading.versions),
    }


def remarks_of(comparison: Comparison) -> tuple[Remark, ...]:
    """Return the remarks on a comparison and on its alignment, each once.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    tuple of Remark
    """
    return tuple(dict.fromkeys((*comparison.alignment.remarks, *comparison.remarks)))


def _scan(study: Study, state: ScanState) -> dict[str, Any]:
    scan, burden = study.scan, study.reading.burden
    return {
        "on": _day(study.on),
        "acquired_at": scan.acquired_at.isoformat() if scan.acquired_at else None,
        "study_uid": scan.study_uid,
        "counts": {view.name.value: json_number(view.total_counts) for view in scan.views},
        "bone_scan_index": json_measurement(burden.bone_scan_index_percent),
        "lesion_area": json_measurement(burden.lesion_area_mm2),
        "hot_spot_count": burden.hot_spot_count,
        "progression": {
            "state": state.state.value,
            "reference_on": _day(state.reference_on),
            "new": list(state.new),
            "confirmable_from": _day(state.confirmable_from),
            "progressed_on": _day(state.progressed_on),
            "text": state.text,
            "next_step": state.next_step,
        },
        "sources": [{"file_name": source.file_name, "sha256": source.sha256} for source in scan.sources],
    }


def _latest(latest: Comparison, series: Series) -> dict[str, Any]:
    letters = series.letters
    index, scales = latest.bone_scan_index, {one.name: one for one in latest.difference}
    return {
        "prior_scan": len(series.studies) - 2,
        "current_scan": len(series.studies) - 1,
        "lesions": [_lesion(lesion, letters[lesion.id], latest) for lesion in latest.lesions],
        "unmarked": [_lesion(place, letters[place.id], latest) for place in latest.unmarked],
        "bone_scan_index": {
            "as_read": _change(index.as_read),
            "change": _change(index.change),
            "doublings": json_measurement(index.doublings),
            "flagged": index.flagged,
            "repeatability_percent": json_number(index.repeatability_percent),
            "text": index.text,
        },
        "lesion_area": _change(latest.lesion_area),
        "area_response": {
            "change": json_measurement(series.area.change_percent),
            "call": series.area.call.value,
            "text": series.area.text,
            "source": series.area.source,
        },
        "comparability": {
            "withholds_burden": latest.comparability.withholds_burden,
            "checks": [
                {
                    "code": check.code,
                    "question": check.question,
                    "verdict": check.verdict.value,
                    "prior": check.prior,
                    "current": check.current,
                    "text": check.text,
                }
                for check in latest.comparability.checks
            ],
        },
        "alignment": {
            "trusted": latest.alignment.trusted,
            "views": {
                view.name.value: {
                    "displacement_mm": json_number(view.displacement_mm),
                    "correlation_before": json_number(view.correlation_before),
                    "correlation": json_number(view.correlation),
                    "scale": json_number(scales[view.name].scale) if view.name in scales else None,
                    "not_compared": list(view.unsteady),
                }
                for view in latest.alignment.views
            },
        },
    }


def _lesion(lesion: LesionChange, letter: str, latest: Comparison) -> dict[str, Any]:
    return {
        "id": lesion.id,
        "letter": letter,
        "kind": lesion.kind.value,
        "trend": lesion.trend.value,
        "prior_findings": list(lesion.prior),
        "current_findings": list(lesion.current),
        "bone": lesion.bone or None,
        "side": lesion.side,
        "place": lesion.place,
        "region": lesion.region,
        "uptake_ratio": _change(lesion.uptake_ratio),
        "area": _change(lesion.area_mm2),
        "depth": _change(lesion.depth_mm),
        "brightness": json_measurement(lesion.brightness),
        "significance": json_number(lesion.significance),
        "reason": lesion.reason,
        "likelihood": json_measurement(lesion.likelihood),
        "faint_place": lesion.is_place,
        "style": lesion_style(lesion),
        "outlines": {
            "prior": _outlines([latest.prior.finding(number) for number in lesion.prior]),
            "current": _outlines([latest.current.finding(number) for number in lesion.current]),
        },
        "places": {name.value: _place(mask, latest, name) for name, mask in lesion.masks.items() if mask.any()},
    }


def _outlines(findings: Sequence[Finding]) -> dict[str, list[list[list[float | None]]]]:
    """By view, the outlines of findings in the pixels of their own scan."""
    names = dict.fromkeys(name for finding in findings for name in finding.views)
    return {
        name.value: [
            [[json_number(row), json_number(column)] for row, column in finding.views[name].outline]
            for finding in findings
            if name in finding.views
        ]
        for name in names
    }


def _place(mask: NDArray[np.bool_], latest: Comparison, name: ViewName) -> dict[str, float | None]:
    """The circle about a lesion on the current pixels."""
    view = next(one for one in latest.current.scan.views if one.name is name)
    rows, columns = np.nonzero(mask)
    down, across = np.ptp(rows) * view.row_spacing_mm, np.ptp(columns) * view.column_spacing_mm
    return {
        "row": json_number(float(rows.mean())),
        "column": json_number(float(columns.mean())),
        "radius_mm": json_number(max(float(down), float(across)) / 2 + _BESIDE_MM),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "prior": json_measurement(change.prior),
        "current": json_measurement(change.current),
        "difference": json_measurement(change.difference),
        "ratio": json_measurement(change.ratio),
        "trend": change.trend.value,
    }


def _day(day: object) -> str | None:
    return None if day is None else str(day)
