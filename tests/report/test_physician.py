"""The physician's text: written once, joined to what was measured, never over another study, never half signed."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from tests.report.phantom import WINDOWS, concluded, record_of, report_content

from bonescan.errors import InvalidValue, UnreadableInput
from bonescan.reading.model import Author, Kind, Nature, Reading
from bonescan.reading.signing import Amends, Signature
from bonescan.report import content
from bonescan.report.content import Shown
from bonescan.report.language import language, report_languages
from bonescan.report.physician import ENTRIES, PhysicianText, empty_text, read_text, text_bytes
from bonescan.report.plain_text import plain_text
from bonescan.report.record import opened_record, record_bytes

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
    assert joined["brief"]["text"] == ["No metastasis.", "Degeneration of the spine."]
    assert joined["brief"]["heading"] == "Conclusion"
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
        "amended": "",
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


ELECTRONIC = Signature(name="Dr. Ada Example", signed_at=datetime(2021, 3, 5, 8, 30, tzinfo=UTC))
AMENDING = replace(
    ELECTRONIC, amends=Amends(version=2, signed_at=ELECTRONIC.signed_at, reason='T12 is a "haemangioma".\nSee MRI.')
)


@pytest.mark.parametrize("code", list(report_languages()))
def test_a_text_is_written_as_it_is_read(code: str, reading: Reading) -> None:
    odd = 'He said "no"\\ \x7f \x01 \u2028 über\n\nsecond line = [not a table]'
    text = PhysicianText(study_uid=reading.scan.study_uid or "", entries={("interpretation", "text"): odd})
    assert read_text(text_bytes(text, language(code))) == text
    signed = text.signed(AMENDING)
    # what a file says of itself is no signature that an archive holds
    assert read_text(text_bytes(signed, language(code))) == replace(signed, electronic=False)


def test_a_signature_in_an_archive_is_electronic_and_an_amendment_says_what_it_replaces(reading: Reading) -> None:
    text = written(reading)
    first = report_content(reading, WINDOWS, "en", text.signed(ELECTRONIC))["status"]
    assert first == {
        "style": "signed",
        "text": "Signed electronically by Dr. Ada Example, 2021-03-05 08:30 UTC",
        "amended": "",
    }
    second = report_content(reading, WINDOWS, "en", text.signed(AMENDING))
    assert second["status"]["text"] == "AMENDED, signed electronically by Dr. Ada Example, 2021-03-05 08:30 UTC"
    why = second["status"]["amended"]
    assert why.startswith("Replaces version 2, signed 2021-03-05 08:30 UTC. Why: T12 is a")
    # the line stands in the text file as a whole, whatever its breaks
    assert " ".join(why.split()) in " ".join(plain_text(second).split())


def test_nobody_signs_without_a_name_or_amends_without_a_reason() -> None:
    with pytest.raises(InvalidValue, match="only in the name of a physician"):
        Signature(name="?", signed_at=ELECTRONIC.signed_at)
    with pytest.raises(InvalidValue, match="says why"):
        Amends(version=2, signed_at=ELECTRONIC.signed_at, reason=" \n")


@pytest.mark.parametrize("lines", ['amends_version = "2"', 'amends_reason = "x"', 'amends_version = "two"'])
def test_an_amendment_in_a_file_says_its_version_and_when_that_was_signed(lines: str) -> None:
    with pytest.raises(UnreadableInput, match="without saying its version"):
        read_text(f"[signature]\n{lines}\n".encode())


def test_what_a_physician_drew_and_judged_is_marked(reading: Reading) -> None:
    bone = [finding for finding in reading.findings if finding.kind is Kind.BONE]
    certain = {nature: float(nature is Nature.TRAUMATIC) for nature in Nature}
    changed = replace(bone[0], drawn_by=Author.PHYSICIAN, judged_by=Author.PHYSICIAN, natures=certain, letter="A")
    revised = replace(reading, findings=(changed, *bone[1:]))
    table = report_content(revised, WINDOWS)["bone"]
    assert {"Outlined by a physician: A.", "Judged by a physician: A."} <= set(table["notes"])
    assert "fracture or injury, by a physician" in table["rows"][0]["cells"]
    before = report_content(replace(reading, findings=tuple(bone)), WINDOWS)["bone"]
    assert not any("physician" in note for note in before["notes"])


def test_a_reading_of_before_revisions_is_reported_as_ever(reading: Reading) -> None:
    record = record_of(concluded(reading))
    old = {**record, "schema_version": "1.3.0", "findings": [dict(finding) for finding in record["findings"]]}
    del old["revision"]
    for finding in old["findings"]:
        del finding["judged_by"], finding["drawn_by"]
    opened = opened_record(record_bytes(old))
    tongue = language("en")
    assert content.report_content(opened, Shown(), tongue) == content.report_content(record, Shown(), tongue)
