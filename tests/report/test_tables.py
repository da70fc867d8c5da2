from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from tests.report.phantom import concluded, withheld

from bonescan.report.tables import FINDING_COLUMNS, STUDY_COLUMNS, TABLE_NAMES, table_files
from bonescan.scan import PatientFacts, ViewName


def rows(reading, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table_files(reading)[name].decode("utf-8"))))


def test_a_study_is_one_row_and_a_finding_is_one(reading):
    assert tuple(table_files(reading)) == TABLE_NAMES
    assert len(rows(reading, "study.csv")) == 1
    assert [row["letter"] for row in rows(reading, "findings.csv")] == [finding.letter for finding in reading.findings]


def test_the_columns_are_the_same_for_every_reading(reading):
    bare = replace(
        reading, findings=(), scan=replace(reading.scan, patient=PatientFacts(), views=reading.scan.views[:1])
    )
    for one in (reading, concluded(reading), withheld(reading), bare):
        files = {name: content.decode().splitlines()[0] for name, content in table_files(one).items()}
        assert files == {"study.csv": ",".join(STUDY_COLUMNS), "findings.csv": ",".join(FINDING_COLUMNS)}


def test_values_are_the_readings(reading):
    one = concluded(reading)
    study, first = rows(one, "study.csv")[0], rows(one, "findings.csv")[0]
    assert float(study["bone_scan_index_percent"]) == 1.84
    assert float(study["metastatic"]) == 0.87
    assert float(first["nature_metastatic"]) == 0.62
    finding = one.findings[0]
    assert float(first["area_mm2_anterior"]) == pytest.approx(finding.views[ViewName.ANTERIOR].area_mm2, rel=1e-6)
    assert first["in_burden"] == str(finding.in_burden).lower()


def test_what_is_absent_is_empty_and_says_why(reading):
    study = rows(withheld(reading), "study.csv")[0]
    assert study["bone_scan_index_percent"] == ""
    assert study["bone_scan_index_absent_reason"] == "fewer than 0.5 million counts in the anterior view"
    seen_once = next(finding for finding in reading.findings if ViewName.POSTERIOR not in finding.views)
    row = next(row for row in rows(reading, "findings.csv") if row["letter"] == seen_once.letter)
    assert (row["area_mm2_posterior"], row["depth_mm"], row["likelihood"]) == ("", "", "")


def test_a_comma_a_quote_and_a_line_in_a_name_stay_in_their_cell(reading):
    odd = 'a,"b"\nc'
    one = replace(reading, scan=replace(reading.scan, patient=PatientFacts(patient_id=odd)))
    assert {row["patient_id"] for row in rows(one, "findings.csv")} == {odd}


def test_every_column_is_documented():
    text = (Path(__file__).parents[2] / "docs/outputs.md").read_text(encoding="utf-8")
    for column in STUDY_COLUMNS + FINDING_COLUMNS:
        stem = column.removesuffix("anterior").removesuffix("posterior")
        assert f"`{column}`" in text or f"`{stem}`" in text


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t"])
def test_a_text_that_a_spreadsheet_would_run_stays_a_text(reading, begins):
    one = replace(reading, scan=replace(reading.scan, patient=PatientFacts(patient_id=f"{begins}1+1")))
    assert rows(one, "study.csv")[0]["patient_id"] == f"'{begins}1+1"
    assert {row["patient_id"] for row in rows(one, "findings.csv")} == {f"'{begins}1+1"}
