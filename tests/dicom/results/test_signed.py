"""Results of a reading that a physician has changed, signed, or amended."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.dicom.peers import DCMTK, DICOM3TOOLS, said
from tests.dicom.results.studies import little_study, whole_body_study
from tests.dicom.results.test_bundle import assert_same
from tests.dicom.scans import put

from bonescan.dicom import read_results, write_results
from bonescan.dicom.results.reports import person_name
from bonescan.reading.model import Author, Reading
from bonescan.reading.signing import Amends, Signature

SR = "measurements_sr.dcm"
FIRST = Signature(name="Dr. Ada Müller^", signed_at=datetime(2021, 3, 5, 8, 30, tzinfo=UTC))


@cache
def drawn() -> Reading:
    """A reading of which a physician has drawn one finding and judged another."""
    one = whole_body_study().reading
    first, second, *rest = one.findings
    changed = replace(first, drawn_by=Author.PHYSICIAN), replace(second, judged_by=Author.PHYSICIAN)
    return replace(one, findings=(*changed, *rest))


@cache
def signed() -> dict[str, bytes]:
    return write_results(drawn(), whole_body_study().frames, signature=FIRST)


@cache
def amended() -> dict[str, bytes]:
    earlier = report(signed())
    amends = Amends(
        version=2,
        signed_at=FIRST.signed_at,
        reason="The focus\nof T12 is a haemangioma: magnetic resonance of the same day shows it.",
        study_uid=str(earlier.StudyInstanceUID),
        series_uid=str(earlier.SeriesInstanceUID),
        sop_instance_uid=str(earlier.SOPInstanceUID),
    )
    second = Signature(name="Dr. Ada Müller", signed_at=datetime(2021, 3, 6, 9, 0, tzinfo=UTC), amends=amends)
    return write_results(drawn(), whole_body_study().frames, signature=second)


def report(files: dict[str, bytes]) -> Dataset:
    return pydicom.dcmread(io.BytesIO(files[SR]))


def test_who_drew_and_judged_comes_back():
    back = read_results(signed().values())
    assert_same(back, drawn())
    assert [(one.drawn_by, one.judged_by) for one in back.said.findings[:3]] == [
        (Author.PHYSICIAN, Author.READER),
        (Author.READER, Author.PHYSICIAN),
        (Author.READER, Author.READER),
    ]


def without(items: list[Dataset], code: str) -> None:
    for item in items:
        nested = item.get("ContentSequence")
        if nested is not None:
            item.ContentSequence = [
                one
                for one in nested
                if "ConceptNameCodeSequence" not in one or one.ConceptNameCodeSequence[0].get("CodeValue") != code
            ]
            without(item.ContentSequence, code)


def test_a_report_of_before_says_the_reader_drew_and_judged():
    old = report(whole_body_study().results)
    for code in ("judged-by", "drawn-by"):
        without([old], code)
    into = io.BytesIO()
    pydicom.dcmwrite(into, old)
    assert into.tell() < len(whole_body_study().results[SR])
    assert_same(read_results((whole_body_study().results | {SR: into.getvalue()}).values()), whole_body_study().reading)


def test_what_nobody_signed_is_not_verified():
    plain = report(whole_body_study().results)
    assert (plain.VerificationFlag, plain.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")
    assert "VerifyingObserverSequence" not in plain
    assert "PredecessorDocumentsSequence" not in plain


def test_a_signature_verifies_the_report():
    one = report(signed())
    (observer,) = one.VerifyingObserverSequence
    assert (one.VerificationFlag, one.CompletionFlag, one.PreliminaryFlag) == ("VERIFIED", "COMPLETE", "FINAL")
    assert observer.VerifyingObserverName == "Dr. Ada Müller"
    assert observer.VerificationDateTime == "20210305083000+0000"
    assert observer.VerifyingOrganization
    assert "PredecessorDocumentsSequence" not in one


def test_an_amendment_names_its_predecessor_and_why():
    first, one = report(signed()), report(amended())
    assert one.SOPInstanceUID != first.SOPInstanceUID
    (study,) = one.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (document,) = series.ReferencedSOPSequence
    assert (study.StudyInstanceUID, series.SeriesInstanceUID, document.ReferencedSOPInstanceUID) == (
        first.StudyInstanceUID,
        first.SeriesInstanceUID,
        first.SOPInstanceUID,
    )
    assert one.CompletionFlagDescription.startswith("Amended: The focus of T12 is a haemangioma")
    assert len(one.CompletionFlagDescription) <= 64


def test_an_amendment_of_what_had_no_report_names_none():
    amends = Amends(version=2, signed_at=FIRST.signed_at, reason="A reason.")
    second = Signature(name="Dr. Ada", signed_at=FIRST.signed_at, amends=amends)
    one = report(write_results(little_study().reading, little_study().frames, signature=second))
    assert "PredecessorDocumentsSequence" not in one
    assert one.VerificationFlag == "VERIFIED"


def test_a_segment_says_whether_a_hand_drew_it():
    dataset = pydicom.dcmread(io.BytesIO(signed()["seg_findings_posterior.dcm"]))
    types = {item.TrackingID: item.SegmentAlgorithmType for item in dataset.SegmentSequence}
    by_hand = f"finding-{drawn().findings[0].id}"
    assert {name for name, kind in types.items() if kind == "MANUAL"} == {by_hand} & types.keys()
    assert set(types.values()) <= {"MANUAL", "AUTOMATIC"}
    assert by_hand in types


@pytest.mark.parametrize(
    ("name", "taken"),
    [("Dr. A. Example", "Dr. A. Example"), ("A^B=C\\D", "A B C D"), ("A\n\tB", "A B"), ("x" * 80, "x" * 64)],
)
def test_a_name_is_one_component_without_signs_of_dicom(name, taken):
    assert person_name(name) == taken


@pytest.mark.long
@pytest.mark.parametrize("made", [signed, amended])
def test_dciodvfy_finds_no_error_in_what_is_signed(made, tmp_path):
    for path in put(made(), tmp_path):
        status, words = said(DICOM3TOOLS / "dciodvfy", path)
        assert status == 0, (path.name, words)
        assert "Error" not in words, (path.name, words)


@pytest.mark.long
@DCMTK
def test_dsrdump_shows_who_verified_and_the_predecessor(tmp_path):
    (path,) = put({SR: amended()[SR]}, tmp_path)
    status, words = said("dsrdump", path)
    assert status == 0
    assert "VERIFIED" in words
    assert "Dr. Ada" in words
    assert "Predecessor" in words
