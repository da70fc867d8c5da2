"""The conclusion in the report: first on the page, with its reasons, and nothing where there is none."""

from __future__ import annotations

import pytest
from tests.report.phantom import WINDOWS, concluded, report_content
from tests.report.test_content import card

from bonescan.reading.model import Nature, Reading
from bonescan.report import render
from bonescan.report.conclusion import impression_section, nature_words
from bonescan.report.language import language


@pytest.fixture(scope="module")
def content(reading: Reading) -> dict:
    return report_content(concluded(reading), WINDOWS)


def test_sentences_abstentions_and_advice_are_shown(content: dict) -> None:
    shown = content["impression"]
    assert shown["sentences"][0] == "Many foci: most likely bone metastases."
    assert shown["abstains"] == {"heading": "Not judged", "text": ["Pubis under the bladder."]}
    assert shown["advice"]["text"] == ["Compare with earlier scans."]
    assert "not clinically validated" in shown["note"]


@pytest.mark.parametrize("tongue", ["en", "de", "es", "zh"])
def test_the_software_is_not_said_to_propose_what_a_physician_decided(tongue: str) -> None:
    """A physician's edit changes the sentences; under "Proposed by the software" they would be falsely attributed."""
    words = language(tongue)
    edits = [{"do": "change", "finding": 1, "nature": "metastatic"}]
    alone = impression_section({"revision": None}, words)["heading"]
    textual = impression_section({"revision": {"of_version": 1, "edits": [], "by": "Dr."}}, words)["heading"]
    revised = impression_section({"revision": {"of_version": 1, "edits": edits, "by": "Dr."}}, words)["heading"]
    assert alone == textual == words.words["impression"]["heading"]
    assert revised == words.words["impression"]["revised"] != alone


def test_patterns_come_with_evidence_marks_source_and_uncertainty(content: dict) -> None:
    (row,) = content["patterns"]["rows"]
    assert row["evidence"] == ["+ 12 clear foci.", "− They lie in 1 region only."]
    assert row["marks"] == "Findings A, B, C"
    assert row["source"] == "Fractures also scatter foci. Source: EANM 2016."
    assert any("Imaged too late" in note for note in content["patterns"]["notes"])


def test_the_leading_natures_stand_in_the_table_of_bone_findings(content: dict) -> None:
    table = content["bone"]
    column = table["columns"].index("Most likely")
    assert [row["cells"][column] for row in table["rows"]][:2] == ["metastasis 62 %, degeneration 30 %", "–"]
    assert all(len(row["cells"]) == len(table["columns"]) for row in table["rows"])
    assert "Most likely" not in content["other"]["columns"]


def test_without_natures_the_table_has_no_such_column(reading: Reading) -> None:
    content = report_content(reading, WINDOWS)
    assert "Most likely" not in content["bone"]["columns"]
    assert content["impression"]["sentences"] == []
    assert content["patterns"]["rows"] == []


def test_no_more_natures_than_three_and_none_that_says_nothing(reading: Reading) -> None:
    shares = dict(zip(Nature, (0.3, 0.2, 0.2, 0.15, 0.09, 0.05, 0.01), strict=True))
    told = nature_words(shares, language("en"))
    assert told == "metastasis 30 %, fracture or injury 20 %, degeneration 20 %"


def test_a_scan_unlike_those_known_is_shouted(content: dict, reading: Reading) -> None:
    shown = card(content, "Like the scans this reader knows")
    assert (shown["value"], shown["tone"]) == ("NO", "bad")
    assert shown["note"] == "0.4 % of simulated scans are at least as unusual. The soft tissue is unusual."
    assert all(one["label"] != shown["label"] for one in report_content(reading, WINDOWS)["summary"]["cards"])


def test_the_page_begins_with_what_is_proposed_and_no_text_becomes_markup(reading: Reading) -> None:
    files = render(concluded(reading))
    page = files["report.html"].decode()
    assert page.index("Many foci: most likely bone metastases.") < page.index('id="views"')
    assert "Kidneys &amp; bladder are seen." in page
    assert "Widespread &lt;bone&gt; metastases" in page
    assert "− Near a joint." in page
    assert "Research software. Not a medical device." in page
    assert files["report.pdf"].startswith(b"%PDF")
