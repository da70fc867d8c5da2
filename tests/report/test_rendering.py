"""The report made anew of what a reading has left: the same bytes, other languages, older readings."""

from __future__ import annotations

import json

import pytest
from tests.report.phantom import concluded, phantom_reading
from tests.report.test_pages import Page, pdf_text

from bonescan.errors import UnreadableInput
from bonescan.report import render
from bonescan.report.illustrations import PICTURES_NAME, kept_illustrations, plain_illustrations
from bonescan.report.language import language
from bonescan.report.rendering import REPORT_NAMES, report_files


@pytest.fixture(scope="module")
def small() -> dict[str, bytes]:
    return render(concluded(phantom_reading(findings=3, shape=(256, 128), row_mm=4.8, column_mm=4.8)))


def test_the_report_made_anew_is_the_report(small: dict[str, bytes]) -> None:
    again = report_files(json.loads(small["reading.json"]), kept_illustrations(small[PICTURES_NAME]), language("en"))
    assert again == {name: small[name] for name in REPORT_NAMES}


@pytest.mark.parametrize("code", ["de", "zh"])
def test_every_form_of_another_language_is_archival_and_says_it(small: dict[str, bytes], code: str) -> None:
    tongue = language(code)
    files = report_files(json.loads(small["reading.json"]), kept_illustrations(small[PICTURES_NAME]), tongue)
    page = Page(files["report.html"])
    assert ("html", {"lang": code}) in page.tags
    for heading in (tongue.words[section]["heading"] for section in ("context", "procedure", "findings", "limits")):
        assert heading in page.text
        assert heading.upper() in files["report.txt"].decode("utf-8")
    for name in ("report.pdf", "key_images.pdf"):
        xmp = pdf_text(files[name])
        assert b"<pdfaid:part>2</pdfaid:part>" in xmp
        assert b"<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert files["key_images.png"].startswith(b"\x89PNG")


def test_a_reading_without_kept_pictures_shows_its_views(small: dict[str, bytes]) -> None:
    record = json.loads(small["reading.json"])
    for finding in record["findings"]:  # as readings of version 1.0 were
        for key in ("natures", "evidence", "site", "usual", "likely_normal"):
            finding.pop(key, None)
    for key in ("impression", "familiarity"):
        del record[key]
    views = [content for name, content in small.items() if name.startswith("overlay_")]
    page = Page(report_files(record, plain_illustrations(views), language("es"))["report.html"])
    assert sum(tag == "img" for tag, _ in page.tags) == 1
    assert "3 Hallazgos" in page.text


def test_pictures_that_are_none_are_refused() -> None:
    with pytest.raises(UnreadableInput, match="read the scan again"):
        kept_illustrations(b'{"schema": "something else"}')
    with pytest.raises(UnreadableInput, match="no pictures"):
        plain_illustrations([])
    with pytest.raises(UnreadableInput, match="no picture"):
        plain_illustrations([b"text"])
