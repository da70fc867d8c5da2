"""Whose scans are compared, when by itself, and that comparisons are kept, found again and let go as readings are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from tests.archive.compared import FILES, PERSON, compare, make, queue_of, read
from tests.archive.made import object_of

from bonescan import journeys
from bonescan.archive import audit, reading_process
from bonescan.archive.backup import back_up, restore
from bonescan.archive.kinds import KINDS
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.archive.upkeep import check, reindex
from bonescan.archive.worker import publish
from bonescan.errors import ArchiveUnavailable, InvalidValue

FIRST, SECOND, THIRD = "1.9.1", "1.9.2", "1.9.3"


@pytest.fixture
def archive(archive: Archive) -> Archive:
    """Without flushes: nothing here pulls the plug."""
    event.listen(archive.database.engine, "connect", lambda one, _: one.execute("PRAGMA synchronous=OFF"))
    archive.database.engine.dispose()
    return archive


def priors(archive: Archive, uid: str) -> list[str]:
    return [one.prior.study_instance_uid for one in archive.comparisons.of_study(uid)]


def waiting(archive: Archive) -> list[tuple[str, str]]:
    jobs = queue_of(archive).jobs(["waiting"])
    return [(job.study_instance_uid, job.payload["prior"]) for job in jobs if job.kind == "compare"]


def test_a_reading_is_compared_with_the_newest_prior_one_by_itself(anywhere: Archive):
    read(anywhere, 1, "20250101")
    assert waiting(anywhere) == []
    read(anywhere, 3, "20260101")
    assert waiting(anywhere) == [(THIRD, FIRST)]
    read(anywhere, 2, "20250601")  # comes late: it is the newest prior one now, and its own prior one is there
    assert set(waiting(anywhere)) == {(THIRD, FIRST), (SECOND, FIRST), (THIRD, SECOND)}
    assert set(compare(anywhere)) == {(THIRD, FIRST), (SECOND, FIRST), (THIRD, SECOND)}
    assert priors(anywhere, THIRD) == [SECOND, FIRST]
    newest = anywhere.comparisons.newest(THIRD, SECOND)
    assert [mark[:2] for mark in newest.readings] == [[FIRST, 1], [SECOND, 1], [THIRD, 1]]
    assert {path.name for path in newest.folder.iterdir()} == {*FILES, "result.json"}
    assert newest.folder.is_relative_to(anywhere.folder / "comparisons")
    assert waiting(anywhere) == []
    assert check(anywhere).well
    told = [one.subject for one in audit.entries(anywhere.database) if one.action == "comparison.made"]
    assert sorted(told) == [SECOND, THIRD, THIRD]


def test_a_newer_reading_makes_comparisons_outdated_and_has_them_made_anew(archive: Archive):
    for number, date in ((1, "20250101"), (2, "20250601"), (3, "20260101")):
        read(archive, number, date)
    compare(archive)
    read(archive, 2, "20250601", object=22)  # another object of the second study
    outdated = {one.prior.study_instance_uid: one.outdated for one in archive.comparisons.of_study(THIRD)}
    assert outdated == {SECOND: True, FIRST: False}  # the first was never held against the third
    assert set(waiting(archive)) == {(SECOND, FIRST), (THIRD, SECOND)}
    before = archive.comparisons.newest(THIRD, SECOND)
    compare(archive)
    after = archive.comparisons.newest(THIRD, SECOND)
    assert (before.version, after.version) == (1, 2)
    assert before.folder.is_dir()
    assert not any(one.outdated for one in archive.comparisons.of_study(THIRD))


@pytest.mark.parametrize(
    "other",
    [
        {"PatientID": "Q"},
        {"IssuerOfPatientID": "elsewhere"},
        {"PatientID": ""},
        {"StudyDate": ""},
        {"StudyDate": "20270101"},  # later
    ],
)
def test_other_people_and_later_scans_are_no_priors(archive: Archive, other: dict[str, str]):
    said = {"StudyDate": "20250101", **other}
    read(archive, 1, said.pop("StudyDate"), **said)
    read(archive, 2, "20260101")
    assert priors(archive, SECOND) == []
    assert (SECOND, FIRST) not in waiting(archive)
    with pytest.raises(InvalidValue, match="no earlier scan of the same person"):
        archive.comparisons.ask(SECOND, FIRST, actor="Ada")


def test_scans_without_a_number_are_nobodys(archive: Archive):
    read(archive, 1, "20250101", PatientID="")
    read(archive, 2, "20260101", PatientID="")
    assert (priors(archive, SECOND), waiting(archive)) == ([], [])
    assert [one.study_instance_uid for one in archive.comparisons.visits(SECOND)] == [SECOND]


def test_another_name_is_told_and_compared_only_when_somebody_asks(archive: Archive):
    read(archive, 1, "20250101", PatientName="Roe^Rick", PatientSex="M", PatientBirthDate="19500101")
    read(archive, 2, "20260101", PatientName="Doe^Jane", PatientSex="F", PatientBirthDate="19500101")
    (prior,) = archive.comparisons.of_study(SECOND)
    assert prior.differs == ("name", "sex")
    assert waiting(archive) == []
    archive.comparisons.ask(SECOND, FIRST, actor="Ada")
    with pytest.raises(InvalidValue, match="under way"):
        archive.comparisons.ask(SECOND, FIRST, actor="Ada")
    assert compare(archive) == [(SECOND, FIRST)]
    (entry,) = (one for one in audit.entries(archive.database) if one.action == "comparison.asked")
    assert (entry.actor, entry.subject, entry.detail) == ("Ada", SECOND, {"prior": FIRST})


def test_a_name_spelt_otherwise_is_the_same(archive: Archive):
    read(archive, 1, "20250101", PatientName="DOE^JANE")
    read(archive, 2, "20260101", PatientName="Doe^Jane")
    assert (archive.comparisons.of_study(SECOND)[0].differs, waiting(archive)) == ((), [(SECOND, FIRST)])


def test_a_deleted_study_takes_its_comparisons_with_it(archive: Archive):
    for number, date in ((1, "20250101"), (2, "20250601"), (3, "20260101")):
        read(archive, number, date)
    compare(archive)
    gone = [archive.comparisons.newest(*pair).folder for pair in ((SECOND, FIRST), (THIRD, SECOND))]
    archive.delete_study(FIRST, actor="test", why="test")  # a part of both: the first of the chain, too
    assert not any(folder.exists() for folder in gone)
    assert archive.comparisons.newest(THIRD, SECOND) is None
    assert waiting(archive) == [(THIRD, SECOND)]  # made anew of what is left
    assert check(archive).well


def test_after_a_number_was_corrected_all_whom_it_concerns_are_compared_anew(archive: Archive):
    """The second scan was another person's: it is deleted, and comes again under the right number."""
    for number, date in ((1, "20250101"), (2, "20250601"), (3, "20260101")):
        read(archive, number, date)
    read(archive, 4, "20240101", PatientID="Q")
    compare(archive)
    archive.delete_study(SECOND, actor="test", why="wrong number")
    assert waiting(archive) == [(THIRD, FIRST)]  # neighbours now, whom nobody had held against each other
    read(archive, 2, "20250601", PatientID="Q")
    assert set(waiting(archive)) == {(THIRD, FIRST), (SECOND, "1.9.4")}
    assert set(compare(archive)) == {(THIRD, FIRST), (SECOND, "1.9.4")}
    assert [mark[0] for mark in archive.comparisons.newest(THIRD, FIRST).readings] == [FIRST, THIRD]
    assert check(archive).well


def test_a_deletion_asks_for_nothing_of_which_the_study_was_no_part(archive: Archive):
    for number, date in ((1, "20250101"), (2, "20250601"), (3, "20260101")):
        read(archive, number, date)
    compare(archive)
    archive.delete_study(THIRD, actor="test", why="test")
    assert waiting(archive) == []
    archive.delete_study(FIRST, actor="test", why="test")
    assert waiting(archive) == []  # the second has no earlier one any more


def test_what_was_deleted_while_it_was_compared_is_not_kept(archive: Archive):
    read(archive, 1, "20250101")
    read(archive, 2, "20260101")
    queue = queue_of(archive)
    claimed = queue.claim()
    laid = KINDS["compare"].lay_out(archive, claimed)
    archive.delete_study(FIRST, actor="test", why="test")
    making = archive.comparisons.begin(SECOND, claimed.id)
    with pytest.raises(InvalidValue, match="deleted meanwhile"):
        publish(archive, queue, claimed, making, laid)
    assert archive.comparisons.newest(SECOND, FIRST) is None
    with pytest.raises(InvalidValue, match="no earlier scan"):
        KINDS["compare"].lay_out(archive, claimed)


def test_a_comparison_whose_transaction_was_undone_is_kept_the_next_time(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
):
    """A worker publishes again what it has made, until the database answers: all of it must still be in its place."""
    read(archive, 1, "20250101")
    read(archive, 2, "20260101")
    append, refusals = audit.append, iter([ArchiveUnavailable("gone")])

    def sometimes(*arguments: Any, **told: Any) -> None:
        if told["action"] == "comparison.made" and (refusal := next(refusals, None)) is not None:
            raise refusal
        append(*arguments, **told)

    monkeypatch.setattr(audit, "append", sometimes)
    queue = queue_of(archive)
    claimed = queue.claim()
    laid = KINDS["compare"].lay_out(archive, claimed)
    making = archive.comparisons.begin(SECOND, claimed.id)
    (making / "comparison.json").write_bytes(b"{}")
    with pytest.raises(ArchiveUnavailable):
        publish(archive, queue, claimed, making, laid)
    publish(archive, queue, claimed, making, laid)
    assert archive.comparisons.newest(SECOND, FIRST).version == 1
    assert check(archive).well


def test_what_a_killed_worker_left_is_swept_and_what_counts_stays(archive: Archive):
    read(archive, 1, "20250101")
    read(archive, 2, "20260101")
    compare(archive)
    kept = archive.comparisons.newest(SECOND, FIRST).folder
    stray = kept.with_name("999-left")
    stray.mkdir()
    assert archive.comparisons.sweep() == 1
    assert (kept.is_dir(), stray.exists()) == (True, False)
    assert archive.results.sweep() == 0


def test_a_changed_comparison_is_found_by_the_check(archive: Archive):
    read(archive, 1, "20250101")
    read(archive, 2, "20260101")
    compare(archive)
    folder = archive.comparisons.newest(SECOND, FIRST).folder
    (folder / "comparison.json").write_bytes(b"other")
    report = check(archive)
    assert report.damaged_comparisons == (folder.relative_to(archive.comparisons.folder).as_posix(),)
    assert not report.well


def test_comparisons_are_in_backups_and_in_an_index_made_anew(archive: Archive, tmp_path: Path):
    read(archive, 1, "20250101")
    read(archive, 2, "20260101")
    compare(archive)
    assert back_up(archive, tmp_path / "backup").bad == ()
    restore(tmp_path / "backup", tmp_path / "back")
    with Archive(tmp_path / "back", Settings(reserve_gib=0.0)) as back:
        assert (back.comparisons.newest(SECOND, FIRST).folder / "maps.npz").read_bytes() == FILES["maps.npz"]
        assert check(back).well
    for path in (tmp_path / "back").glob("index.sqlite*"):
        path.unlink()
    with Archive(tmp_path / "back", Settings(reserve_gib=0.0)) as anew:
        assert anew.comparisons.newest(SECOND, FIRST).version == 1
        assert not anew.comparisons.of_study(SECOND)[0].outdated
        assert reindex(anew).refused == ()


def test_the_process_is_given_every_study_with_its_reading(archive: Archive, monkeypatch: pytest.MonkeyPatch):
    read(archive, 1, "20250101")
    archive.keep(object_of(11, study=1, StudyDate="20250101", **PERSON))
    read(archive, 2, "20260101")
    queue = queue_of(archive)
    claimed = next(job for job in iter(queue.claim, None) if job.kind == "compare")
    laid = KINDS["compare"].lay_out(archive, claimed)
    json.dumps(laid.order)  # it goes over a pipe
    inputs = archive.folder / "laid"
    from bonescan.archive.kinds import link

    link(laid.inputs, inputs)
    given = []
    monkeypatch.setattr(journeys, "compare_readings", lambda studies, out, progress: given.extend(studies))
    monkeypatch.setattr(journeys, "comparison_summary", lambda series: {})
    order = {**laid.order, "inputs": str(inputs), "out": str(archive.folder / "out")}
    reading_process._DONE_BY["compare"](order, lambda sentence: None)
    assert [[path.read_bytes()[-4:] for path in files] for files, _ in given] == [
        [number.to_bytes(4, "little") for number in numbers] for numbers in ((1, 11), (2,))
    ]
    assert [(folder / "reading.json").is_file() for _, folder in given] == [True, True]


def test_a_reading_of_phases_alone_is_no_prior(archive: Archive):
    archive.keep(object_of(1, study=1, StudyDate="20250101", **PERSON))
    queue = queue_of(archive)
    queue.settle(0.0)
    make(archive, queue, queue.claim(), {"phases.json": b"{}"})
    read(archive, 2, "20260101")
    assert (priors(archive, SECOND), waiting(archive)) == ([], [])
