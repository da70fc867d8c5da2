"""A reading as rows for a trial's table: one row for the study, one for each finding.

The columns stand in `STUDY_COLUMNS` and `FINDING_COLUMNS`, always all of them and in this order, so that the files of
many readings can be put below each other. What is absent is an empty cell, never zero.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping

from bonescan.reading.model import Finding, Kind, Nature, Polarity, Reading, Verdict
from bonescan.scan import ViewName

__all__ = ["FINDING_COLUMNS", "STUDY_COLUMNS", "TABLE_NAMES", "table_files"]

TABLE_NAMES = ("study.csv", "findings.csv")
"""Every file that `table_files` makes."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a text begins with that a spreadsheet would run; an apostrophe before it keeps it a text."""

_VIEWS = (ViewName.ANTERIOR, ViewName.POSTERIOR)

STUDY_COLUMNS = (
    "study_uid", "patient_id", "sex", "age_years", "acquired_at", "radiopharmaceutical", "activity_mbq", "delay_h",
    "manufacturer", "model", "counts_anterior", "counts_posterior", "labels_trusted", "bone_findings_hot",
    "bone_findings_cold", "hot_spot_count", "bone_scan_index_percent", "bone_scan_index_uncertainty",
    "bone_scan_index_absent_reason", "mass_table", "positive_area_percent", "lesion_area_mm2", "metastatic",
    "metastatic_uncertainty", "familiar", "quality_warn", "quality_withhold", "bonescan_version",
)  # fmt: skip
"""Columns of study.csv."""

FINDING_COLUMNS = (
    "study_uid", "patient_id", "id", "letter", "kind", "polarity", "bone", "side", "region", "place", "uptake_ratio",
    "significance", "depth_mm", "depth_uncertainty", "mass_share_percent", "in_burden", "likelihood",
    "likelihood_uncertainty", *(f"nature_{nature.value.replace(' ', '_')}" for nature in Nature),
    *(f"{what}_{view.value}" for view in _VIEWS for what in ("area_mm2", "peak_row", "peak_column", "peak_counts")),
)  # fmt: skip
"""Columns of findings.csv."""


def table_files(reading: Reading) -> dict[str, bytes]:
    """Return the rows of a reading as two tables.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    dict of str to bytes
        ``study.csv`` with one row and ``findings.csv`` with one for each finding, below their headings; UTF-8, commas.
    """
    rows = [_finding(finding, reading) for finding in reading.findings]
    return {
        "study.csv": _csv(STUDY_COLUMNS, [_study(reading)]),
        "findings.csv": _csv(FINDING_COLUMNS, rows),
    }


def _csv(columns: Iterable[str], rows: Iterable[Mapping[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, tuple(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return f"{value:.7g}" if isinstance(value, float) else value


def _study(reading: Reading) -> dict[str, object]:
    scan, burden, impression = reading.scan, reading.burden, reading.impression
    counts = {view.name: view.total_counts for view in scan.views}
    verdicts = Counter(check.verdict for check in reading.quality.checks)
    polarities = Counter(finding.polarity for finding in reading.findings if finding.kind is Kind.BONE)
    index, metastatic = burden.bone_scan_index_percent, None if impression is None else impression.metastatic
    return {
        "study_uid": scan.study_uid,
        "patient_id": scan.patient.patient_id,
        "sex": scan.patient.sex,
        "age_years": scan.patient.age_years,
        "acquired_at": scan.acquired_at.isoformat() if scan.acquired_at else None,
        "radiopharmaceutical": scan.injection.radiopharmaceutical,
        "activity_mbq": scan.injection.activity_mbq,
        "delay_h": scan.delay_h,
        "manufacturer": scan.device.manufacturer,
        "model": scan.device.model,
        "counts_anterior": counts.get(ViewName.ANTERIOR),
        "counts_posterior": counts.get(ViewName.POSTERIOR),
        "labels_trusted": reading.labels.trusted,
        "bone_findings_hot": polarities[Polarity.HOT],
        "bone_findings_cold": polarities[Polarity.COLD],
        "hot_spot_count": burden.hot_spot_count,
        "bone_scan_index_percent": index.value,
        "bone_scan_index_uncertainty": index.uncertainty,
        "bone_scan_index_absent_reason": index.absent_reason,
        "mass_table": burden.mass_table,
        "positive_area_percent": burden.positive_area_percent.value,
        "lesion_area_mm2": burden.lesion_area_mm2.value,
        "metastatic": None if metastatic is None else metastatic.value,
        "metastatic_uncertainty": None if metastatic is None else metastatic.uncertainty,
        "familiar": None if reading.familiarity is None else reading.familiarity.familiar,
        "quality_warn": verdicts[Verdict.WARN],
        "quality_withhold": verdicts[Verdict.WITHHOLD],
        "bonescan_version": reading.versions.get("bonescan"),
    }


def _finding(finding: Finding, reading: Reading) -> dict[str, object]:
    row: dict[str, object] = {
        "study_uid": reading.scan.study_uid,
        "patient_id": reading.scan.patient.patient_id,
        "id": finding.id,
        "letter": finding.letter,
        "kind": finding.kind.value,
        "polarity": finding.polarity.value,
        "bone": finding.bone,
        "side": finding.side,
        "region": finding.region,
        "place": finding.place,
        "uptake_ratio": finding.uptake_ratio,
        "significance": finding.significance,
        "depth_mm": finding.depth_mm.value,
        "depth_uncertainty": finding.depth_mm.uncertainty,
        "mass_share_percent": finding.mass_share_percent,
        "in_burden": finding.in_burden,
        "likelihood": finding.likelihood.value,
        "likelihood_uncertainty": finding.likelihood.uncertainty,
    }
    row |= {f"nature_{nature.value.replace(' ', '_')}": finding.natures.get(nature) for nature in Nature}
    for name, view in finding.views.items():
        row |= {
            f"area_mm2_{name.value}": view.area_mm2,
            f"peak_row_{name.value}": view.peak_row,
            f"peak_column_{name.value}": view.peak_column,
            f"peak_counts_{name.value}": view.peak_counts,
        }
    return row
