"""The reading as a versioned JSON record, for machines and for whoever checks the numbers.

Every figure stands under a name that holds its unit, as a number or ``null``;
beside it stand its one standard deviation, its method and source, and, where
it is ``null``, the reason. The published JSON schema is `reading_schema`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from typing import Any

from bonescan.errors import BoneScanError, UnreadableInput
from bonescan.measurement import Measurement
from bonescan.reading.model import (
    Evidence,
    Familiarity,
    Finding,
    FindingView,
    Impression,
    LabelledView,
    Reading,
    Revision,
)
from bonescan.report.maps import FindingMap
from bonescan.scan import Scan, View, ViewName

__all__ = [
    "INTENDED_USE",
    "SCHEMA_VERSION",
    "json_bytes",
    "json_measurement",
    "json_number",
    "opened_record",
    "reading_record",
    "reading_schema",
    "record_bytes",
    "taken_for_a_record",
]

INTENDED_USE = "Research software. Not a medical device. Never the only basis of a decision."
"""What every record says of itself."""

SCHEMA_VERSION = "1.5.0"
"""Version of reading.json: major for a broken reader, minor for a new field."""


def reading_schema() -> dict[str, Any]:
    """Return the published JSON schema (draft 2020-12) of reading.json.

    Returns
    -------
    dict
    """
    text = resources.files("bonescan.report").joinpath("reading.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@contextmanager
def taken_for_a_record() -> Iterator[None]:
    """Say that a file is no reading.json where what it holds fails to be used as one.

    Yields
    ------
    None

    Raises
    ------
    UnreadableInput
        For what is absent or of another kind within; errors of ours pass.
    """
    try:
        yield
    except BoneScanError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadableInput(
            "The file is no reading.json of bonescan; give the folder that `bonescan read` has written."
        ) from error


def opened_record(content: bytes) -> dict[str, Any]:
    """Read the bytes of a ``reading.json`` of any time.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    dict
        As `reading_record` returns it, of this or an earlier minor version; no more than the version is checked.

    Raises
    ------
    UnreadableInput
        When it is none, or of another major version.
    """
    with taken_for_a_record():
        record: dict[str, Any] = json.loads(content)
        version, major = str(record["schema_version"]), SCHEMA_VERSION.split(".")[0]
        if version.split(".")[0] != major:
            raise UnreadableInput(
                f"reading.json has version {version}; this bonescan knows version {major}: read the scan again.",
                got=version,
                expected=SCHEMA_VERSION,
            )
        return record


def reading_record(reading: Reading, maps: Mapping[ViewName, FindingMap]) -> dict[str, Any]:
    """Return the reading as plain JSON values.

    Parameters
    ----------
    reading : Reading
    maps : mapping of ViewName to FindingMap
        The findings' maps as written beside the record, so that the record
        can say which finding's pixels another one keeps.

    Returns
    -------
    dict
        Valid against `reading_schema`; holds no NaN and no infinity.
    """
    from bonescan.anatomy import REGION_NAMES

    labelled = {view.name: view for view in reading.labels.views}
    return {
        "schema_version": SCHEMA_VERSION,
        "intended_use": INTENDED_USE,
        "revision": _revision(reading.revision),
        "scan": _scan(reading.scan),
        "impression": _impression(reading.impression),
        "familiarity": _familiarity(reading.familiarity),
        "labels": {
            "trusted": reading.labels.trusted,
            "regions": [
                {"id": number, "name": name, "in_view": number in reading.labels.regions_in_view}
                for number, name in sorted(REGION_NAMES.items())
                if number > 0
            ],
            "views": {view.name.value: _labelled(view) for view in reading.labels.views},
            "parameters": {name: json_number(value) for name, value in reading.labels.parameters.items()},
        },
        "findings": [_finding(finding, labelled, maps) for finding in reading.findings],
        "burden": _burden(reading),
        "quality": {
            "withholds_burden": reading.quality.withholds_burden,
            "checks": [
                {
                    "code": check.code,
                    "question": check.question,
                    "verdict": check.verdict.value,
                    "measured": json_measurement(check.measured),
                    "text": check.text,
                }
                for check in reading.quality.checks
            ],
        },
        "remarks": [
            {"code": remark.code, "text": remark.text, "severity": remark.severity.value} for remark in reading.remarks
        ],
        "method": dict(reading.method),
        "versions": dict(reading.versions),
    }


def _labelled(view: LabelledView) -> dict[str, Any]:
    return {
        "correlation": json_number(view.correlation),
        "agreement": [{"region": number, "dice": json_number(dice)} for number, dice in sorted(view.agreement.items())],
    }


def record_bytes(record: Mapping[str, Any]) -> bytes:
    """Return the record as UTF-8 JSON, one line for each field and each finding; the same bytes for the same record.

    Parameters
    ----------
    record : mapping
        What `reading_record` returns.

    Returns
    -------
    bytes
    """
    lines = []
    for name, value in record.items():
        if name == "findings" and value:
            text = "[\n" + ",\n".join(_json(finding) for finding in value) + "\n]"
        else:
            text = _json(value)
        lines.append(f"{_json(name)}: {text}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8", "replace")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def json_bytes(record: Mapping[str, Any]) -> bytes:
    """Write a record as a JSON file.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    bytes
        UTF-8, a line for each value.
    """
    return (json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8", "replace")


def json_number(value: float | None) -> float | None:
    """Round to seven significant digits, the precision of float32.

    Parameters
    ----------
    value : float or None

    Returns
    -------
    float or None
        ``None`` for what is not finite.
    """
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.7g}")


def json_measurement(measurement: Measurement) -> dict[str, Any]:
    """Return a measurement as a record holds it.

    Parameters
    ----------
    measurement : Measurement

    Returns
    -------
    dict
    """
    return {
        "value": json_number(measurement.value),
        "unit": measurement.unit,
        "uncertainty": json_number(measurement.uncertainty),
        "method": measurement.method,
        "source": measurement.source,
        "absent_reason": measurement.absent_reason,
    }


def _figure(name: str, measurement: Measurement, uncertainty: str | None = None) -> dict[str, Any]:
    """Spread a measurement over flat keys: the number, its standard deviation, its basis, why it is absent."""
    stem = name
    for unit in ("_percent", "_mm2", "_mm"):
        stem = stem.removesuffix(unit)
    return {
        name: json_number(measurement.value),
        uncertainty or f"{stem}_uncertainty": json_number(measurement.uncertainty),
        f"{stem}_basis": "; ".join(part for part in (measurement.method, measurement.source) if part),
        f"{stem}_absent_reason": measurement.absent_reason,
    }


def _scan(scan: Scan) -> dict[str, Any]:
    patient, injection, device = scan.patient, scan.injection, scan.device
    return {
        "study_uid": scan.study_uid,
        "study_description": scan.study_description,
        "acquired_at": scan.acquired_at.isoformat() if scan.acquired_at else None,
        "whole_body": scan.whole_body,
        "delay_h": json_number(scan.delay_h),
        "patient": {
            "name": patient.name,
            "patient_id": patient.patient_id,
            "birth_date": patient.birth_date.isoformat() if patient.birth_date else None,
            "sex": patient.sex,
            "age_years": json_number(patient.age_years),
            "stature_m": json_number(patient.stature_m),
            "weight_kg": json_number(patient.weight_kg),
        },
        "injection": {
            "radiopharmaceutical": injection.radiopharmaceutical,
            "radionuclide": injection.radionuclide,
            "activity_mbq": json_number(injection.activity_mbq),
            "injected_at": injection.injected_at.isoformat() if injection.injected_at else None,
        },
        "device": {
            "manufacturer": device.manufacturer,
            "model": device.model,
            "software": device.software,
            "collimator": device.collimator,
        },
        "views": {view.name.value: _view(view) for view in scan.views},
        "sources": [
            {"file_name": source.file_name, "sha256": source.sha256, "sop_instance_uid": source.sop_instance_uid}
            for source in scan.sources
        ],
    }


def _view(view: View) -> dict[str, Any]:
    return {
        "rows": view.counts.shape[0],
        "columns": view.counts.shape[1],
        "row_spacing_mm": json_number(view.row_spacing_mm),
        "column_spacing_mm": json_number(view.column_spacing_mm),
        "spacing_known": view.spacing_known,
        "counts_are_raw": view.counts_are_raw,
        "identity_basis": view.identity_basis,
        "total_counts": json_number(view.total_counts),
        "energy_window_kev": [json_number(edge) for edge in view.energy_window_kev] if view.energy_window_kev else None,
        "duration_s": json_number(view.duration_s),
        "scan_velocity_mm_per_s": json_number(view.scan_velocity_mm_per_s),
    }


def _finding(
    finding: Finding, labelled: Mapping[ViewName, LabelledView], maps: Mapping[ViewName, FindingMap]
) -> dict[str, Any]:
    return {
        "id": finding.id,
        "letter": finding.letter,
        "kind": finding.kind.value,
        "polarity": finding.polarity.value,
        "bone": finding.bone,
        "side": finding.side,
        "place": finding.place,
        "site": finding.site,
        "usual": finding.usual,
        "likely_normal": finding.likely_normal,
        "likely_benign": finding.likely_benign,
        "region": finding.region,
        "views": {
            name.value: _finding_view(finding.id, seen, labelled.get(name), maps[name])
            for name, seen in sorted(finding.views.items())
        },
        "uptake_ratio": json_number(finding.uptake_ratio),
        "uptake_reference": finding.uptake_reference,
        "significance": json_number(finding.significance),
        **_figure("depth_mm", finding.depth_mm),
        "mass_share_percent": json_number(finding.mass_share_percent),
        "in_burden": finding.in_burden,
        **_figure("likelihood", finding.likelihood),
        "reason": finding.reason,
        "natures": {nature.value: json_number(share) for nature, share in finding.natures.items()},
        "evidence": _evidence(finding.evidence),
        "judged_by": finding.judged_by.value,
        "drawn_by": finding.drawn_by.value,
    }


def _revision(revision: Revision | None) -> dict[str, Any] | None:
    if revision is None:
        return None
    return {
        "of_version": revision.of_version,
        "edits": [dict(edit) for edit in revision.edits],
        "by": revision.by,
        "removed": list(revision.removed),
    }


def _evidence(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    return [{"text": one.text, "weight": json_number(one.weight), "source": one.source} for one in evidence]


def _impression(impression: Impression | None) -> dict[str, Any] | None:
    if impression is None:
        return None
    return {
        "sentences": list(impression.sentences),
        **_figure("metastatic", impression.metastatic),
        "patterns": [
            {
                "code": pattern.code,
                "name": pattern.name,
                "presence": pattern.presence.value,
                "evidence_for": _evidence(pattern.evidence_for),
                "evidence_against": _evidence(pattern.evidence_against),
                "findings": list(pattern.findings),
                "advice": list(pattern.advice),
                "source": pattern.source,
                "uncertainty": pattern.uncertainty,
            }
            for pattern in impression.patterns
        ],
        "advice": list(impression.advice),
        "abstains": list(impression.abstains),
    }


def _familiarity(familiarity: Familiarity | None) -> dict[str, Any] | None:
    if familiarity is None:
        return None
    return {
        "score": json_number(familiarity.score),
        "familiar": familiarity.familiar,
        "reasons": list(familiarity.reasons),
    }


def _finding_view(number: int, seen: FindingView, labelled: LabelledView | None, drawn: FindingMap) -> dict[str, Any]:
    row, column = seen.peak_row, seen.peak_column
    return {
        "outline": [[round(float(r), 2), round(float(c), 2)] for r, c in seen.outline],
        "peak": {
            "row": row,
            "column": column,
            "counts": json_number(seen.peak_counts),
            "x_mm": json_number(float(labelled.x_mm[row, column])) if labelled else None,
            "z_mm": json_number(float(labelled.z_mm[row, column])) if labelled else None,
        },
        "area_mm2": json_number(seen.area_mm2),
        "uptake_ratio": json_number(seen.uptake_ratio),
        "significance": json_number(seen.significance),
        "pixels": int(seen.mask.sum()),
        "pixels_kept_by": {str(other): count for other, count in sorted(drawn.kept_by.get(number, {}).items())},
    }


def _burden(reading: Reading) -> dict[str, Any]:
    from bonescan.anatomy import REGION_NAMES

    burden = reading.burden
    return {
        **_figure("bone_scan_index_percent", burden.bone_scan_index_percent, "uncertainty"),
        "mass_table": burden.mass_table,
        "hot_spot_count": burden.hot_spot_count,
        **_figure("positive_area_percent", burden.positive_area_percent),
        **_figure("lesion_area_mm2", burden.lesion_area_mm2),
        "by_region": [
            {
                "region": number,
                "name": REGION_NAMES.get(number, ""),
                "bone_scan_index_percent": json_number(share),
                "hot_spot_count": count,
            }
            for number, (share, count) in sorted(burden.by_region.items())
        ],
        "not_in_view": list(burden.not_in_view),
    }
