"""The report's section on the comparison with the scan before, and what a physician removed or asks for at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.report.pair import drawn_series
from tests.report.phantom import record_of

from bonescan.errors import InvalidValue
from bonescan.reading.model import Revision
from bonescan.report.comparison_record import comparison_record
from bonescan.report.content import Shown, report_content
from bonescan.report.language import language, report_languages
from bonescan.report.physician import PhysicianText
from bonescan.report.plain_text import plain_text
from bonescan.report.with_prior import comparison_section, is_of, refuse_another


@pytest.fixture(scope="module")
def comparison() -> dict:
    return comparison_record(drawn_series(8, 10))


def test_changes_index_and_comparability_stand_in_the_report_of_the_current_scan(comparison):
    # Witness: the drawn pair, two lesions more and an index of 1.60 and 2.40 %.
    told = comparison_section(comparison, language("en"))
    said = dict(told["rows"])
    assert told["heading"] == "Comparison with 2021-01-04"
    assert said["Changes"][0] == "2 new lesions, 4 unchanged."
    assert said["Bone Scan Index"] == [
        "1.60 to 2.40 %, +0.80 percentage points: MORE than the 0.3 by which repeated scans differ."
    ]
    assert said["Comparable?"][0] == "With reserve."


@pytest.mark.parametrize("code", report_languages())
def test_the_section_speaks_every_language_with_the_same_figures(code, comparison):
    tongue = language(code)
    told = comparison_section(comparison, tongue)
    index = told["rows"][1][1][0]
    for figure in ("1.60", "2.40", "+0.80"):
        assert figure.replace(".", tongue.words["decimal"]) in index
    assert len(told["rows"]) == 3


def test_a_comparison_of_another_scan_is_refused(comparison, reading):
    record = record_of(reading)
    assert not is_of(comparison, None)
    with pytest.raises(InvalidValue, match="another scan"):
        refuse_another(comparison, {"scan": {**record["scan"], "study_uid": "1.2.3.4"}})


def test_what_a_physician_removed_and_asks_for_stands_where_it_is_looked_for(reading):
    removed = Revision(of_version=1, edits=(), by="", removed=("L4 vertebra", "left 7th rib, lateral"))
    record = record_of(replace(reading, revision=removed))
    entries = {
        ("interpretation", "text"): "Metastases.",
        ("interpretation", "recommendation"): "MRI of the spine.",
        ("interpretation", "urgent"): "Told by telephone.",
    }
    text = PhysicianText(study_uid=record["scan"]["study_uid"], entries=entries)
    content = report_content(record, Shown(), language("en"), text)
    assert content["brief"]["rows"] == [
        ["Recommended", ["MRI of the spine."]], ["Urgent", ["Told by telephone."]],
    ]  # fmt: skip
    line = "A physician removed 2 of the software's findings: L4 vertebra, left 7th rib, lateral."
    assert content["summary"]["removed"] == line
    assert plain_text(content).index("Told by telephone.") < plain_text(content).index("L4 vertebra")
    assert report_content(record_of(reading), Shown(), language("en"))["summary"]["removed"] == ""
