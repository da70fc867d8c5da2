"""What is kept of a reading gives it back to the last bit, and nothing else gives anything."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from tests.reading.revised import case

from bonescan.errors import UnreadableInput
from bonescan.reading.case import Case
from bonescan.reading.network import DenseView, MapGrid
from bonescan.reading.revision import edit_of, revise
from bonescan.reading.state import kept, kept_again
from bonescan.report.maps import finding_map
from bonescan.report.record import reading_record, record_bytes
from bonescan.scan import PatientFacts, Source, ViewName

PERSON = PatientFacts(name="Müller^Jürgen", patient_id="D-0017", sex="M", age_years=71.0)
EDITS = [
    {"do": "change", "finding": 3, "nature": "degenerative"},
    {"do": "draw", "outlines": {"posterior": [[150, 60], [150, 70], [160, 70], [160, 60]]}},
]


def of_a_person(one: Case) -> Case:
    source = Source(file_name="Mueller.dcm", sha256="ab" * 32)
    scan = replace(one.reading.scan, patient=PERSON, sources=(source,), study_uid="1.2.3.4")
    return Case(reading=replace(one.reading, scan=scan), glance=one.glance)


@pytest.fixture(
    scope="module", params=[True, pytest.param(False, marks=pytest.mark.long)], ids=["with network", "without"]
)
def one(request: pytest.FixtureRequest) -> Case:
    return of_a_person(case(with_network=request.param))


@pytest.fixture(scope="module")
def content(one: Case) -> bytes:
    return kept(one)


def said(one: Case, *edits: dict) -> bytes:
    reading = revise(one, [edit_of(told) for told in edits])
    maps = {view.name: finding_map(view, reading.findings) for view in reading.scan.views}
    return record_bytes(reading_record(reading, maps))


def test_a_reading_comes_back_to_the_last_bit(one, content):
    again = kept_again(content, one.reading.scan)
    assert said(again) == said(one)
    assert kept(again) == content == kept(one)
    for mine, theirs in zip(again.reading.labels.views, one.reading.labels.views, strict=True):
        for what in ("regions", "body", "x_mm", "z_mm"):
            np.testing.assert_array_equal(getattr(mine, what), getattr(theirs, what))
        assert [bone.bone for bone in mine.bones] == [bone.bone for bone in theirs.bones]


def test_edits_of_what_was_kept_say_the_same_as_before():
    one = of_a_person(case(with_network=True))
    assert said(kept_again(kept(one), one.reading.scan), *EDITS) == said(one, *EDITS)


def test_maps_of_a_network_are_drawn_again_as_they_were():
    rng = np.random.default_rng(3)
    grid = MapGrid(maps=rng.random((8, 13, 9), np.float32), pixels=(2.1, 1.7))
    drawn = DenseView.drawn_from(ViewName.ANTERIOR, grid, (27, 15))
    # witness: straight lines between the centres of the network's pixels
    row, column = 14, 6
    place = np.array([(row + 0.5) / 2.1 - 0.5, (column + 0.5) / 1.7 - 0.5])
    (r, c), (share_r, share_c) = place.astype(int), place % 1
    around = grid.maps[1, r : r + 2, c : c + 2]
    expected = np.array([1 - share_r, share_r]) @ around @ np.array([1 - share_c, share_c])
    assert drawn.foci["hot"][row, column] == pytest.approx(expected, rel=1e-5)
    assert drawn.foci["hot"].shape == drawn.regions[0].shape == (27, 15)


def test_nothing_of_the_person_is_kept(content):
    members = zipfile.ZipFile(io.BytesIO(content))
    everything = b"".join(members.read(name) for name in members.namelist())
    for word in ("Müller", "rgen", "D-0017", "Mueller.dcm", "1.2.3.4"):
        assert word.encode() not in everything


def with_member(content: bytes, name: str, value: np.ndarray) -> bytes:
    with np.load(io.BytesIO(content)) as archive:
        members = {**{key: archive[key] for key in archive.files}, name: value}
    into = io.BytesIO()
    np.savez(into, **members)
    return into.getvalue()


def test_another_format_is_refused_by_its_number(one, content):
    with pytest.raises(UnreadableInput, match=r"kept in format 2 and bonescan edits format 1; read the study again"):
        kept_again(with_member(content, "format", np.array(2)), one.reading.scan)


def test_a_state_of_other_files_is_refused(one, content):
    other = replace(one.reading.scan, sources=(Source(file_name="b.dcm", sha256="cd" * 32),))
    with pytest.raises(UnreadableInput, match="of other files"):
        kept_again(content, other)


def told(content: bytes) -> dict:
    with np.load(io.BytesIO(content)) as archive:
        return json.loads(archive["told"].tobytes())


def changed(content: bytes, change) -> bytes:
    record = told(content)
    change(record)
    return with_member(content, "told", np.frombuffer(json.dumps(record).encode(), np.uint8))


def unknown_kind(record):
    record["reading"]["burden"]["kind"] = "Popen"


def longer_array(record):
    record["reading"]["labels"]["fields"]["views"][0]["fields"]["x_mm"]["shape"] = [10**9, 10**9]


def negative_array(record):
    record["reading"]["labels"]["fields"]["views"][0]["fields"]["x_mm"]["shape"] = [-1, 4]


def lacking(record):
    del record["reading"]["labels"]


@pytest.mark.parametrize("change", [unknown_kind, longer_array, negative_array, lacking, dict.clear])
def test_what_is_no_state_is_refused_in_a_sentence(one, content, change):
    with pytest.raises(UnreadableInput, match="cannot be opened; read the study again"):
        kept_again(changed(content, change), one.reading.scan)


@pytest.mark.parametrize("broken", [b"", b"PK", b"\x93NUMPY", lambda whole: whole[: len(whole) // 2]])
def test_what_is_broken_is_refused_in_a_sentence(one, content, broken):
    with pytest.raises(UnreadableInput, match="cannot be opened; read the study again"):
        kept_again(broken(content) if callable(broken) else broken, one.reading.scan)


def test_a_pickle_is_never_opened(one, content):
    bomb = np.array([{"a": 1}], dtype=object)
    with pytest.raises(UnreadableInput):
        kept_again(with_member(content, "told", bomb), one.reading.scan)
