"""The physician's text: written once, joined to what was measured, never over another study, never half signed."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest
from tests.report.phantom import WINDOWS, concluded, record_of, report_content

from bonescan.errors import InvalidValue, UnreadableInput
from bonescan.reading.model import Reading
from bonescan.report.language import language, report_languages
from bonescan.report.physician import ENTRIES, PhysicianText, empty_text, read_text
from bonescan.report.plain_text import plain_text

WRITTEN = """
[study]
uid = "{uid}"
[context]
question = "Metastases of a carcinoma of the prostate?"
[procedure]
injection_site = "right cubital vein"
[interpretation]
text = '''No metastasis.
Degeneration of the spine.'''
recommendation = "None."
[signature]
physician = "{physician}"
signed_at = "{signed_at}"
"""


def written(reading: Reading, physician: str = "", signed_at: str = "") -> PhysicianText:
    return read_text(
        WRITTEN.format(uid=reading.scan.study_uid, physician=physician, signed_at=signed_at).encode("utf-8")
    )


@pytest.mark.parametrize("code", list(report_languages()))
def test_the_empty_file_has_every_entry_explained_and_no_measured_value(code: str, reading: Reading) -> None:
    content = empty_text(reading.scan.study_uid, language(code))
    tables = tomllib.loads(content.decode("utf-8"))
    assert {section: tuple(tables[section]) for section in ENTRIES} == dict(ENTRIES)
    told = read_text(content)
    assert told.is_empty
    assert told.study_uid == reading.scan.study_uid
    told.checked_for(record_of(reading))


def test_what_a_physician_wrote_stands_in_its_sections_beside_what_was_measured(reading: Reading) -> None:
    plain, joined = (report_content(concluded(reading), WINDOWS, "en", text) for text in (None, written(reading)))
    assert joined["context"]["rows"] == [["Question", ["Metastases of a carcinoma of the prostate?"]]]
    assert joined["procedure"]["rows"][-1] == ["Site of injection", ["right cubital vein"]]
    assert joined["interpretation"]["rows"][0][1] == ["No metastasis.", "Degeneration of the spine."]
    assert joined["brief"] == {"heading": "Conclusion", "text": ["No metastasis.", "Degeneration of the spine."]}
    assert plain["brief"]["text"] == ["Many foci: most likely bone metastases."]
    assert plain["brief"]["heading"] != joined["brief"]["heading"]
    same = ("patient", "summary", "bone", "normal", "other", "burden", "impression", "patterns", "quality", "method")
    assert all(plain[key] == joined[key] for key in same)


def test_the_text_follows_the_order_of_the_guideline(reading: Reading) -> None:
    # Witness: report items of EANM 2016: context, procedure, findings, interpretation; limits after them.
    text = plain_text(report_content(concluded(reading), WINDOWS, "en", written(reading)))
    headings = ("1 CLINICAL CONTEXT", "2 PROCEDURE", "3 FINDINGS", "4 INTERPRETATION", "5 LIMITS")
    places = [text.index(heading) for heading in headings]
    assert places == sorted(places)
    assert text.index("carcinoma of the prostate") < places[1] < text.index("right cubital vein") < places[2]
    assert max(map(len, text.splitlines())) <= 92


def test_chinese_lines_are_no_wider_than_a_page(reading: Reading) -> None:
    from unicodedata import east_asian_width

    text = plain_text(report_content(concluded(reading), WINDOWS, "zh"))
    assert max(sum(1 + (east_asian_width(c) in "WF") for c in line) for line in text.splitlines()) <= 94


def test_a_report_is_a_draft_until_a_physician_and_a_time_are_named(reading: Reading) -> None:
    assert report_content(reading, WINDOWS)["status"]["style"] == "draft"
    assert report_content(reading, WINDOWS, "en", written(reading))["status"]["style"] == "draft"
    signed = written(reading, "Dr. A. Example", "2021-03-05 08:30")
    assert report_content(reading, WINDOWS, "en", signed)["status"] == {
        "style": "signed",
        "text": "Interpreted by Dr. A. Example, 2021-03-05 08:30, as the text beside this reading says",
    }


@pytest.mark.parametrize(("physician", "signed_at"), [("Dr. A. Example", ""), ("", "2021-03-05"), ("x", "2021-03-05")])
def test_half_a_signature_is_refused(reading: Reading, physician: str, signed_at: str) -> None:
    with pytest.raises(InvalidValue, match=r"signature|name of a physician"):
        written(reading, physician, signed_at)


def test_a_signature_needs_an_interpretation_and_a_day_from_the_scan_to_today(reading: Reading) -> None:
    with pytest.raises(InvalidValue, match="own interpretation"):
        read_text(b'[signature]\nphysician = "Dr. A. Example"\nsigned_at = "2021-03-05"')
    record = record_of(reading)
    with pytest.raises(InvalidValue, match="before the scan"):
        written(reading, "Dr. A. Example", "2021-03-03").checked_for(record)
    signed = written(reading, "Dr. A. Example", "2021-03-06")
    signed.checked_for(record, date(2021, 3, 6))
    with pytest.raises(InvalidValue, match="day to come"):
        signed.checked_for(record, date(2021, 3, 5))


def test_a_text_of_another_study_is_refused(reading: Reading) -> None:
    record = record_of(reading)
    record["scan"]["study_uid"] = "1.2.3.4"
    with pytest.raises(InvalidValue, match="another study"):
        written(reading).checked_for(record)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[context]\nquestion = ", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"a = " + b"[" * 10_000, "cannot be read"),
        (b'[context]\nweight = "70 kg"', "weight, which no report has"),
        (b'[findings]\nratio = "2.1"', "ratio, which no report has"),
        (b"[context]\nquestion = 3", "without quotation marks"),
        (b'question = "why"', "which no report has"),
        (b'[signature]\nphysician = "Dr. A. Example"\nsigned_at = "yesterday"', "YYYY-MM-DD"),
    ],
)
def test_what_no_report_has_is_refused_in_one_sentence(content: bytes, says: str) -> None:
    with pytest.raises(UnreadableInput, match=says):
        read_text(content)
