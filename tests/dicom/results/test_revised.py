"""Every kind of edit stands in the report of a revised reading and comes back: what, by whom, when, on which pixels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from tests.dicom.peers import DCMTK, DICOM3TOOLS, said
from tests.dicom.results.studies import Study, feet_first_study, little_study
from tests.dicom.results.test_bundle import OUTLINE_TOLERANCE
from tests.dicom.scans import put

from bonescan.dicom import read_results, write_results
from bonescan.dicom.results import items
from bonescan.dicom.results.codes import own
from bonescan.reading.edits import Change, Delete, Draw, Made, Merge, Reshape, Split, edit_of, plain
from bonescan.reading.model import Kind, Nature, Revision
from bonescan.scan import ViewName

A, P = ViewName.ANTERIOR, ViewName.POSTERIOR
RING, OTHER = ((10.25, 10.5), (10.0, 20.0), (20.1, 20.3)), ((30.0, 5.0), (33.0, 5.0), (33.0, 9.0), (30.0, 9.7))
ADA = Made(by="Dr. Ada Müller", at=datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
BOB = Made(by="李醫師", at=datetime(2026, 3, 2, 8, 0, tzinfo=timezone(timedelta(hours=-5, minutes=-30))))
EDITS = (
    Draw(outlines={A: RING, P: OTHER}, kind=Kind.ARTEFACT, number=9, made=ADA),
    Draw(outlines={P: OTHER}, bone="sacrum", nature=Nature.DEGENERATIVE, number=12, made=BOB),
    Draw(outlines={A: RING}),
    Reshape(finding=9, view=A, outline=OTHER, made=BOB),
    Reshape(finding=9, view=A, outline=(), made=BOB),
    Split(finding=12, view=P, line=((29.0, 7.25), (34.0, 6.5)), number=13, made=ADA),
    Merge(findings=(12, 13, 1), made=ADA),
    Delete(finding=2, made=Made(by="Dr. Ada Müller", at=datetime(2026, 3, 1, 9, 31))),
    Delete(finding=3),
    Change(finding=1, kind=Kind.BONE, bone="femur_l", nature=Nature.METASTATIC, made=ADA),
    Change(finding=1, bone="", back=True, made=ADA),
)
REVISION = Revision(
    of_version=3, edits=tuple(plain(one) for one in EDITS), by="Dr. Ada Müller", identities={1: "a" * 32, 9: "b" * 32}
)


def revised(one: Study) -> dict[str, bytes]:
    return write_results(replace(one.reading, revision=REVISION), one.frames)


def points(edit: object) -> list[tuple[float, float]]:
    match edit:
        case Draw():
            return [point for outline in edit.outlines.values() for point in outline]
        case Reshape():
            return list(edit.outline)
        case Split():
            return list(edit.line)
    return []


def pointless(edit: object) -> object:
    match edit:
        case Draw():
            return replace(edit, outlines={view: len(outline) for view, outline in edit.outlines.items()})  # type: ignore
        case Reshape():
            return replace(edit, outline=())
        case Split():
            return replace(edit, line=())  # type: ignore[arg-type]
    return edit


@pytest.mark.parametrize("made", [little_study, feet_first_study])
def test_every_edit_comes_back(made):
    """Equal, and points to what 32-bit floats hold: which bone "" is, is not the same as which bone none."""
    back = read_results(revised(made()).values()).said.revision
    assert replace(back, edits=()) == replace(REVISION, edits=())
    again = [edit_of(told) for told in back.edits]
    assert [pointless(one) for one in again] == [pointless(one) for one in EDITS]
    for told, edit in zip(again, EDITS, strict=True):
        np.testing.assert_allclose(points(told), points(edit), rtol=0, atol=OUTLINE_TOLERANCE)


def test_edits_of_a_reading_that_is_left_without_findings_come_back():
    one = little_study()
    reading = replace(one.reading, findings=(), impression=None, revision=REVISION)
    back = read_results(write_results(reading, one.frames).values()).said
    assert (back.findings, len(back.revision.edits)) == ((), len(EDITS))


def test_what_nobody_edited_says_so():
    assert read_results(little_study().results.values()).said.revision is None


def test_a_signature_without_an_edit_still_tells_whose_version_it_is():
    one = little_study()
    signed = Revision(of_version=1, edits=(), by="Dr. Ada Müller")
    back = read_results(write_results(replace(one.reading, revision=signed), one.frames).values()).said.revision
    assert back == signed


@pytest.mark.parametrize("zone", [UTC, None, timezone(timedelta(hours=5, minutes=45))])
@pytest.mark.parametrize("microsecond", [0, 123456])
def test_a_moment_comes_back(zone, microsecond):
    at = datetime(2026, 3, 1, 23, 59, 59, microsecond, tzinfo=zone)
    assert items.moment_of(items.moment(own("x", "x"), at)) == at


@pytest.mark.long
@DCMTK
def test_other_programs_read_the_edits(tmp_path):
    (path,) = put({"sr.dcm": revised(little_study())["measurements_sr.dcm"]}, tmp_path)
    status, words = said(DICOM3TOOLS / "dciodvfy", path)
    assert status == 0, words
    assert "Error" not in words, words
    status, words = said("dsrdump", "--print-long-values", path)
    assert status == 0, words
    for deed in ("Finding added", "Finding deleted", "Outline of a finding changed", "Findings joined to one"):
        assert deed in words
    assert "20260301103000+0100" in words
    assert not [line for line in words.splitlines() if line.startswith("E:")]
