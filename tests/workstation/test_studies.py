"""The worklist: what a line says, the order, the parts, the search, and what a reading's facts are."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from tests.archive.made import RECEIVED, object_of
from tests.archive.signed import WORDS, signed
from tests.dicom.phantom import nm
from tests.dicom.scans import tomographic
from tests.workstation.conftest import put_reading, put_study, set_job, small_reading

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.archive.tables import job
from bonescan.archive.worker import run_worker
from bonescan.dicom import write_tomographic
from bonescan.dicom.node import ReceivedObject
from bonescan.errors import InvalidValue
from bonescan.workstation.refusal import Refusal
from bonescan.workstation.studies import State, Studies, facts_of

PATIENCE_S = 120.0  # how long a test waits before it gives up; nothing is measured
SUPERSCAN = {
    "impression": {
        "sentences": ["Superscan."], "metastatic": 0.9,
        "patterns": [{"code": "metastatic_superscan", "presence": "present"}],
    }
}  # fmt: skip


def uids(studies: Studies, **asked: object) -> list[str]:
    return [one.study_uid for one in studies.page(**asked).studies]


def test_a_line_says_what_the_files_say_with_dates_one_can_read(archive: Archive):
    put_study(archive, 1, PatientBirthDate="19500203", StudyTime="091500.25", AccessionNumber="A-7", PatientSex="F")
    (line,) = Studies(archive).page().studies
    assert (line.patient_name, line.patient_id, line.birth_date) == ("Doe^Jane^1", "ID-1", "1950-02-03")
    assert (line.study_date, line.study_time, line.accession_number, line.sex) == ("2026-07-04", "09:15:00", "A-7", "F")
    assert (line.objects, line.state, line.reading) == (1, State.QUEUED, None)


def test_dates_that_are_none_are_not_shown_as_dates(archive: Archive):
    archive.keep(object_of(1, StudyDate="", StudyTime=""))
    (line,) = Studies(archive).page().studies
    assert (line.study_date, line.study_time, line.birth_date) == ("", "", "")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"state": "waiting"}, ("queued", "", "")),
        ({"state": "running", "progress": "Fitting"}, ("reading", "Fitting", "")),
        ({"state": "dead", "reason": "No skeleton."}, ("failed", "", "No skeleton.")),
        ({"state": "done", "reason": "old"}, ("reading", "", "")),  # its facts are being taken
    ],
)
def test_the_state_follows_the_job(archive: Archive, values, expected):
    uid = put_study(archive)
    set_job(archive, uid, **values)
    (line,) = Studies(archive).page().studies
    assert (line.state, line.progress, line.reason) == expected


def test_a_study_that_still_grows_is_arriving_and_its_reading_outdated(archive: Archive):
    uid = put_study(archive)
    put_reading(archive, uid)
    studies = Studies(archive)
    studies.catch_up()
    (line,) = studies.page().studies
    assert line.state is State.READ
    assert not line.reading.outdated
    archive.keep(object_of(2, study=1))
    line, versions = studies.one(uid)
    assert line.state is State.ARRIVING
    assert line.reading.outdated
    assert [version.outdated for version in versions] == [True]


def test_a_study_without_a_camera_says_that_nothing_can_be_read(archive: Archive):
    archive.keep(object_of(1, modality="SR"))
    (line,) = Studies(archive).page().studies
    assert (line.state, line.reason) == (State.FAILED, "The study holds no images of a gamma camera.")


def test_only_a_reading_that_found_nothing_but_slices_has_not_failed(archive: Archive):
    kind = ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]
    alone, crashed = put_study(archive, 1, ImageType=kind), put_study(archive, 2, ImageType=kind)
    set_job(archive, alone, state="dead", reason="No planar scan.", nothing_to_read=True)
    set_job(archive, crashed, state="dead", reason="The reading process ended by signal 9.")
    studies = Studies(archive)
    assert uids(studies, state="slices") == [alone]
    assert uids(studies, state="failed") == [crashed]
    assert studies.one(alone)[0].reason.startswith("SPECT alone")
    assert studies.one(crashed)[0].reason == "The reading process ended by signal 9."


def as_received(dataset: Dataset) -> ReceivedObject:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return ReceivedObject(
        content=buffer.getvalue(),
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        calling_ae="CAM",
        received_at=RECEIVED,
    )


@pytest.mark.long
def test_the_reader_itself_says_of_spect_alone_that_there_is_nothing_to_read(tmp_path: Path):
    slices, beside = (
        dcmread(io.BytesIO(next(iter(write_tomographic(tomographic(study_uid=uid)).values()))))
        for uid in ("1.9.1", "1.9.2")
    )
    empty = nm([np.zeros((256, 64), np.uint16)] * 2, study="1.9.2", PatientID=beside.PatientID, counts=None)
    with Archive(tmp_path / "archive", Settings(reserve_gib=0.0, quiet_s=0.0, attempts=1)) as archive:
        for one in (slices, beside, empty):
            archive.keep(as_received(one))
        studies, stop = Studies(archive), threading.Event()
        worker = threading.Thread(target=run_worker, args=(archive, stop))
        worker.start()
        try:
            end = time.monotonic() + PATIENCE_S
            while {one.state for one in studies.page().studies} - {State.SLICES, State.FAILED}:
                assert time.monotonic() < end
                time.sleep(0.1)
        finally:
            stop.set()
            worker.join()
        assert uids(studies, state="slices") == ["1.9.1"]
        assert uids(studies, state="failed") == ["1.9.2"]
        assert "is empty: every pixel is zero" in studies.one("1.9.2")[0].reason


def test_the_conclusion_of_a_signed_study_is_taken_once_and_never_looked_up_again(archive: Archive, monkeypatch):
    uid = put_study(archive)
    put_reading(archive, uid)
    studies = Studies(archive)
    signed(archive, uid)
    studies.catch_up()
    said = WORDS["interpretation.text"]
    monkeypatch.setattr("bonescan.workstation.standing._concluded", lambda _: pytest.fail("a list looks into no file"))
    (line,) = studies.page().studies
    assert (line.last_signed.version, line.last_signed.concluded) == (2, said)
    assert studies.one(uid)[0].last_signed.concluded == said
    monkeypatch.undo()
    put_reading(
        archive, uid, small_reading(**SUPERSCAN)
    )  # a later one of the software's replaces nothing that is signed
    studies.catch_up()
    (line,) = studies.page().studies
    assert (line.reading.version, line.last_signed.version, line.last_signed.concluded) == (3, 2, said)


def test_facts_are_taken_once_for_each_reading(archive: Archive, monkeypatch):
    uid = put_study(archive)
    put_reading(archive, uid)
    studies = Studies(archive)
    assert [studies.catch_up(), studies.catch_up()] == [1, 0]
    put_reading(archive, uid, small_reading(**SUPERSCAN))
    assert studies.catch_up() == 1
    monkeypatch.setattr("bonescan.workstation.studies.facts_of", lambda _: pytest.fail("a list looks into no file"))
    (line,) = studies.page().studies
    assert (line.reading.version, line.reading.conclusion, line.reading.urgent) == (2, "Superscan.", True)
    assert (line.reading.metastases_likelihood, line.reading.bone_scan_index_percent) == (0.9, 1.5)
    assert line.reading.bone_findings == 1


def test_a_study_that_was_deleted_and_came_again_has_its_own_facts(archive: Archive):
    uid = put_study(archive)
    put_reading(archive, uid, small_reading(**SUPERSCAN))
    studies = Studies(archive)
    studies.catch_up()
    archive.delete_study(uid, actor="test", why="test")
    with archive.database.write() as connection:
        connection.execute(job.delete())
    put_study(archive)
    put_reading(archive, uid)
    studies.catch_up()
    (line,) = studies.page().studies
    assert (line.reading.version, line.reading.conclusion) == (1, "One. Two.")


def test_urgent_ones_come_first_until_they_are_signed_and_the_rest_by_date(archive: Archive):
    for number, date in ((1, "20260101"), (2, "20260301"), (3, "20260201")):
        put_study(archive, number, StudyDate=date)
    put_reading(archive, "1.9.1", small_reading(**SUPERSCAN))
    studies = Studies(archive)
    studies.catch_up()
    assert uids(studies) == ["1.9.1", "1.9.2", "1.9.3"]
    assert uids(studies, state="urgent") == ["1.9.1"]
    signed(archive)
    studies.catch_up()
    assert uids(studies) == ["1.9.2", "1.9.3", "1.9.1"]
    assert (uids(studies, state="urgent"), uids(studies, state="signed")) == ([], ["1.9.1"])
    assert uids(studies, state="queued") == ["1.9.2", "1.9.3"]


def test_parts_of_the_list_leave_out_nothing_and_repeat_nothing(archive: Archive):
    for number in range(1, 8):
        put_study(archive, number, StudyDate=f"2026070{number % 3}", StudyTime="")
    put_reading(archive, "1.9.4", small_reading(**SUPERSCAN))
    studies = Studies(archive)
    studies.catch_up()
    whole, found, after = uids(studies), [], ""
    while after is not None:
        part = studies.page(limit=2, after=after)
        found += [one.study_uid for one in part.studies]
        after = part.next
    assert found == whole
    assert len(set(whole)) == 7
    assert studies.page(limit=7).next is None


def test_a_place_that_is_none_is_refused(archive: Archive):
    for after in ("x", "bm9uZQ==", "WzEsMiwzLDRd", "W10=", "é", "bnVsbA==", "MQ=="):
        with pytest.raises(Refusal, match="no place") as refused:
            Studies(archive).page(after=after)
        assert refused.value.status == 422


def test_every_word_of_a_search_must_be_found(archive: Archive):
    put_study(archive, 1, AccessionNumber="A-7")
    put_study(archive, 2)
    expected = {"jane": 2, "JANE doe": 2, "id-2": 1, "A-7": 1, "jane A-7": 1, "%": 0, "_": 0, "nobody": 0, "'; --": 0}
    assert {search: len(uids(Studies(archive), search=search)) for search in expected} == expected


def test_who_may_not_know_names_finds_nothing_by_them(archive: Archive):
    uid = put_study(archive)
    put_reading(archive, uid)
    studies = Studies(archive)
    studies.catch_up()
    assert uids(studies, search="jane", identity=False) == []
    assert uids(studies, search="ID-1", identity=False) == []
    assert uids(studies, search="two", identity=False) == [uid]


def test_the_place_of_a_next_part_tells_no_hour_to_whom_it_may_not(archive: Archive):
    for number, hour in ((1, "091500"), (2, "171500")):
        put_study(archive, number, StudyTime=hour)
    studies, asked = Studies(archive), {"limit": 1, "identity": False}
    first = studies.page(**asked)
    assert b"1500" not in base64.urlsafe_b64decode(first.next)
    second = studies.page(**asked, after=first.next)
    assert {one.study_uid for one in first.studies + second.studies} == {"1.9.1", "1.9.2"}


def test_a_study_is_read_again_but_not_twice_at_once(archive: Archive):
    uid = put_study(archive)
    studies = Studies(archive)
    with pytest.raises(InvalidValue, match="under way"):
        studies.read_again(uid, actor="Ada")
    put_reading(archive, uid)
    studies.catch_up()
    studies.read_again(uid, actor="Ada")
    line, _ = studies.one(uid)
    assert (line.state, line.reading.version) == (State.QUEUED, 1)
    put_reading(archive, uid)
    assert [version.version for version in studies.one(uid)[1]] == [2, 1]
    archive.keep(object_of(9, study=9, modality="SR"))
    with pytest.raises(InvalidValue, match="no images"):
        studies.read_again("1.9.9", actor="Ada")


@pytest.mark.parametrize(
    ("changes", "urgent"),
    [
        ({}, False),  # a likely focus, but the whole scan is not
        ({"impression": {"metastatic": 0.5}}, True),
        ({"impression": {"metastatic": 0.9}, "findings": [{"kind": "bone", "region": 4, "likelihood": 0.9}]}, False),
        ({"impression": {"metastatic": 0.9}, "findings": [{"kind": "bone", "region": 12, "likelihood": None}]}, False),
        ({"impression": {"patterns": [{"code": "widespread_metastases", "presence": "possible"}]}}, False),
        ({"impression": None}, False),
        (SUPERSCAN | {"findings": []}, True),
    ],
)
def test_urgent_is_what_may_not_wait(tmp_path: Path, changes, urgent):
    (tmp_path / "reading.json").write_text(json.dumps(small_reading(**changes)), encoding="utf-8")
    assert facts_of(tmp_path)["urgent"] is urgent


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"findings": 1}', '{"findings": [{}], "burden": {}}'])
def test_a_reading_that_cannot_be_understood_says_so(tmp_path: Path, content):
    (tmp_path / "reading.json").write_text(content, encoding="utf-8")
    assert "cannot be understood" in facts_of(tmp_path)["conclusion"]


def test_three_phases_alone_have_their_own_words(tmp_path: Path):
    (tmp_path / "phases.json").write_text('{"sentences": ["Flow is raised."]}', encoding="utf-8")
    assert facts_of(tmp_path)["conclusion"] == "Flow is raised."
