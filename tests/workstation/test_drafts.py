"""Drafts over HTTP: edited, undone, written, taken over, signed, sent; a stand-in makes the edits."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from tests.archive.signed import render, signed
from tests.workstation.conftest import CHEAP, PASSWORD, STUDY, Browser, put_reading, put_study, small_reading

from bonescan.archive import Archive, Queue, audit
from bonescan.archive.results import folder_digest
from bonescan.archive.tables import draft, metadata
from bonescan.archive.tables import job as jobs
from bonescan.archive.worker import publish
from bonescan.dicom.node.settings import NodeSettings, Peer
from bonescan.workstation import HttpSettings, Role, Workstation
from bonescan.workstation.desk import Desk, _Turns
from bonescan.workstation.refusal import Refusal

DRAFT = f"/api/v1/studies/{STUDY}/draft"
DELETE = {"do": "delete", "finding": 3}
CHANGE = {"do": "change", "finding": 1, "kind": "physiologic"}

# A desk process as far as its keeper can tell: the reading is the list of edits; finding 99 is not there.
STAND_IN = """
import json, os, pathlib, sys, time
json.loads(sys.stdin.readline())
for line in sys.stdin:
    wanted = json.loads(line)
    edits = wanted["edits"]
    said = {"reading": {"edits": edits, "inputs": len(wanted["inputs"]), "pid": os.getpid()}}
    if any(edit.get("finding") == 99 for edit in edits):
        said = {"refused": "There is no finding 99 here.", "cause": "edit"}
    {act}
    print("nonsense")
    print(json.dumps({"id": wanted["id"], **said}), flush=True)
"""


def stand_in(act: str = "pass") -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", STAND_IN.replace("{act}", act))


@pytest.fixture
def workstation(archive: Archive, clock: Callable[[], float]):
    node = NodeSettings(peers=(Peer(ae_title="PACS", host="127.0.0.1", port=1, results=True), Peer(ae_title="CAMERA")))
    desk = Desk(command=stand_in())
    yield Workstation(archive, HttpSettings(), hasher=CHEAP, clock=clock, body_s=0.3, node=node, desk=desk)
    desk.close()


@pytest.fixture
def read_study(archive: Archive, workstation: Workstation) -> str:
    uid = put_study(archive)
    put_reading(archive, uid, state__npz=b"state")
    workstation.rooms.studies.catch_up()
    return uid


def begun(someone: Browser, version: int = 1) -> dict[str, Any]:
    answer = someone.post(DRAFT, json={"version": version})
    assert answer.status_code == 200, answer.text
    return answer.json()


def edited(someone: Browser, number: int, edit: dict[str, Any] = DELETE) -> dict[str, Any]:
    answer = someone.post(f"{DRAFT}/edits", json={"number": number, "edit": edit})
    assert answer.status_code == 200, answer.text
    return answer.json()


def other_physician(workstation: Workstation, browser: Any) -> Browser:
    workstation.rooms.people.add("Dr. Bob", Role.PHYSICIAN, PASSWORD, actor="test")
    bob = browser()
    bob.sign_in("Dr. Bob")
    return bob


def bare(edits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Edits without what the workstation notes on them."""
    return [{name: value for name, value in edit.items() if name not in ("number", "by", "at")} for edit in edits]


def written(someone: Browser, number: int, **text: str) -> dict[str, Any]:
    said = {key.replace("__", "."): words for key, words in text.items()}
    answer = someone.put(f"{DRAFT}/text", json={"number": number, "text": said})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def signed_over_http(someone: Browser, number: int, **said: str) -> Any:
    return someone.post(f"{DRAFT}/sign", json={"number": number, "password": PASSWORD, **said})


def rows_of(archive: Archive, prefix: str = "draft.") -> list[tuple[str, str]]:
    return [(row.actor, row.action) for row in audit.entries(archive.database) if row.action.startswith(prefix)]


def worked(archive: Archive, receivers: tuple[str, ...] = ()) -> None:
    """What a worker does with the job that signs."""
    queue = Queue(archive.database, lease_s=30, attempts=3)
    job = queue.claim()
    assert job is not None
    publish(archive, queue, job, *render(archive, queue, job), receivers)


def test_a_draft_is_edited_undone_and_made_again_and_the_trail_says_so(browser, archive, read_study):
    ada = browser("physician")
    assert ada.get(DRAFT).json() == {"draft": None}
    assert refused(ada.get(f"{DRAFT}/reading")) == (404, "no_draft")
    first = begun(ada)
    assert (first["version"], first["author"], first["edits"]) == (1, "the physician", [])
    assert (first["can_undo"], first["can_redo"], first["text"], first["language"]) == (False, False, {}, "en")
    assert ada.get(f"{DRAFT}/reading").json()["reading"]["inputs"] == 1
    one = edited(ada, first["number"])
    two = edited(ada, one["draft"]["number"], CHANGE)
    assert two["reading"]["edits"] == two["draft"]["edits"]
    assert bare(two["draft"]["edits"]) == [DELETE, CHANGE]
    back = ada.post(f"{DRAFT}/undo", json={"number": two["draft"]["number"]}).json()
    assert back["reading"]["edits"] == back["draft"]["edits"]
    assert bare(back["draft"]["edits"]) == [DELETE]
    assert (back["draft"]["can_undo"], back["draft"]["can_redo"]) == (True, True)
    again = ada.post(f"{DRAFT}/redo", json={"number": back["draft"]["number"]}).json()
    assert again["draft"]["edits"] == two["draft"]["edits"]  # made once, whoever brings it back
    assert refused(ada.post(f"{DRAFT}/redo", json={"number": again["draft"]["number"]})) == (409, "nothing")
    assert begun(ada) == again["draft"] == ada.get(DRAFT).json()["draft"]  # a reload loses nothing
    numbers = [said["number"] for said in (first, one["draft"], two["draft"], back["draft"], again["draft"])]
    assert numbers == sorted(set(numbers))
    assert ada.delete(DRAFT).status_code == 204
    assert refused(ada.delete(DRAFT)) == (404, "no_draft")
    actions = ["begun", "edited", "edited", "undone", "redone", "discarded"]
    assert rows_of(archive) == [("the physician", f"draft.{action}") for action in actions]
    details = [row.detail for row in audit.entries(archive.database) if row.action == "draft.edited"]
    assert [one["edit"] for one in details] == [DELETE, CHANGE]
    later = begun(ada)
    assert later["number"] > numbers[-1]  # an old window's number is none of the new draft's


def test_an_edit_after_an_undo_takes_the_place_of_what_was_undone(browser, read_study):
    ada = browser("physician")
    number = edited(ada, begun(ada)["number"])["draft"]["number"]
    number = ada.post(f"{DRAFT}/undo", json={"number": number}).json()["draft"]["number"]
    after = edited(ada, number, CHANGE)["draft"]
    assert after | {"changed_at": "", "edits": bare(after["edits"])} == {
        "version": 1, "number": number + 1, "author": "the physician", "changed_at": "", "edits": [CHANGE],
        "can_undo": True, "can_redo": False, "text": {}, "language": "en",
    }  # fmt: skip


@pytest.mark.parametrize(
    "edit",
    [
        {},
        {"do": "paint"},
        {"do": "delete"},
        {"do": "delete", "finding": "3"},
        {"do": "delete", "finding": 99},
        DELETE | {"x": 1},
    ],
)
def test_an_edit_that_cannot_be_made_changes_nothing(browser, archive, read_study, edit):
    ada = browser("physician")
    number = begun(ada)["number"]
    assert refused(ada.post(f"{DRAFT}/edits", json={"number": number, "edit": edit})) == (422, "edit")
    assert ada.get(DRAFT).json()["draft"]["number"] == number
    assert rows_of(archive) == [("the physician", "draft.begun")]


def test_two_windows_and_two_physicians(browser, archive, workstation, read_study):
    """The second tab is told that it is stale; another physician takes over, and the first is told."""
    ada, tab = browser("physician"), browser("physician")
    number = begun(ada)["number"]
    assert begun(tab)["number"] == number
    later = edited(ada, number)["draft"]["number"]
    for method, path, body in [
        ("POST", "/edits", {"edit": CHANGE}), ("POST", "/undo", {}), ("POST", "/redo", {}),
        ("PUT", "/text", {"text": {"findings.remarks": "x"}}), ("POST", "/sign", {"password": PASSWORD}),
    ]:  # fmt: skip
        assert refused(tab.request(method, DRAFT + path, json={"number": number, **body})) == (409, "stale"), path
    bob = other_physician(workstation, browser)
    assert bob.get(DRAFT).json()["draft"]["author"] == "the physician"
    assert refused(bob.post(DRAFT, json={"version": 1})) == (409, "taken")
    assert refused(bob.post(f"{DRAFT}/edits", json={"number": later, "edit": CHANGE})) == (409, "taken")
    assert refused(bob.delete(DRAFT)) == (409, "taken")
    taken = bob.post(DRAFT, json={"version": 1, "take_over": True}).json()
    assert (taken["author"], bare(taken["edits"]), taken["number"]) == ("Dr. Bob", [DELETE], later + 1)
    assert refused(ada.post(f"{DRAFT}/undo", json={"number": later})) == (409, "taken")
    assert ada.get("/api/v1/studies").json()["studies"][0]["draft_by"] == "Dr. Bob"
    assert rows_of(archive)[-1] == ("Dr. Bob", "draft.taken_over")


def test_every_edit_says_who_made_it_and_when_whatever_it_says_itself(browser, workstation, read_study):
    ada, bob = browser("physician"), other_physician(workstation, browser)
    forged = CHANGE | {"by": "Dr. Mallory", "at": "1999-01-01T00:00:00+00:00"}
    edited(ada, begun(ada)["number"], forged)
    number = bob.post(DRAFT, json={"version": 1, "take_over": True}).json()["number"]
    first, second = edited(bob, number)["draft"]["edits"]
    assert (first["by"], second["by"]) == ("the physician", "Dr. Bob")
    assert "2000" < first["at"] <= second["at"]


def test_two_drafts_of_one_version_never_give_one_number_to_two_findings(browser, archive, workstation):
    """The first is signed, or only undone; edits of before tell no number and count on from the reader's last, 3."""
    uid = put_study(archive)
    put_reading(archive, uid, small_reading(findings=[{"id": 3}, {"id": 1}]), state__npz=b"state")
    workstation.rooms.studies.catch_up()
    draw = {"do": "draw", "outlines": {"anterior": [[1, 1], [1, 9], [9, 9]]}, "kind": "bone", "bone": "", "nature": ""}
    ada = browser("physician")
    first = edited(ada, begun(ada)["number"], draw | {"number": 3})["draft"]
    assert first["edits"][-1]["number"] == 4
    back = ada.post(f"{DRAFT}/undo", json={"number": first["number"]}).json()["draft"]
    assert edited(ada, back["number"], draw)["draft"]["edits"][-1]["number"] == 5  # what was undone keeps its own
    assert ada.delete(DRAFT).status_code == 204
    signed(archive, by="the physician")
    folder = archive.results.of_study(STUDY)[-1].folder
    (folder / "edits.json").write_text(json.dumps({"of_version": 1, "edits": [draw, DELETE, draw], "by": "x"}))
    assert edited(ada, begun(ada)["number"], draw)["draft"]["edits"][-1]["number"] == 6


def test_of_two_edits_at_one_moment_one_is_made(browser, workstation, read_study, monkeypatch):
    """What somebody else wrote while the desk was at work is not overwritten."""
    ada = browser("physician")
    number = begun(ada)["number"]
    drafts, who = workstation.rooms.drafts, workstation.rooms.people.all()[0]
    reading = drafts.reading

    def slow(held: Any, asking: Any) -> dict[str, Any]:
        monkeypatch.setattr(drafts, "reading", reading)
        drafts.edit(STUDY, who, number, CHANGE)
        return reading(held, asking)

    monkeypatch.setattr(drafts, "reading", slow)
    assert refused(ada.post(f"{DRAFT}/edits", json={"number": number, "edit": DELETE})) == (409, "stale")
    assert bare(ada.get(DRAFT).json()["draft"]["edits"]) == [CHANGE]


def test_text_is_kept_entry_by_entry_and_stays_text(browser, archive, read_study):
    ada = browser("physician")
    evil = "<script>alert(1)</script>\n\tNo metastases. \U0001f9b4"
    after = written(ada, begun(ada)["number"], interpretation__text=evil, findings__remarks="x")
    assert after["text"] == {"interpretation.text": evil, "findings.remarks": "x"}
    after = written(ada, after["number"], findings__remarks=" ")
    assert after["text"] == {"interpretation.text": evil}
    assert written(ada, after["number"], interpretation__text=evil)["number"] == after["number"]  # nothing to be said
    assert ada.get(DRAFT).headers["content-type"] == "application/json"
    assert "alert" not in str([row.detail for row in audit.entries(archive.database)])
    for text, language, code in [
        ({"interpretation.text": "x" * 10_001}, "en", "text"), ({"interpretation.text": "a\0b"}, "en", "text"),
        ({"interpretation.text": "a\x1bb"}, "en", "text"), ({"nothing.here": "x"}, "en", "text"),
        ({}, "xx", "language"),
    ]:  # fmt: skip
        body = {"number": after["number"], "text": text, "language": language}
        assert refused(ada.put(f"{DRAFT}/text", json=body)) == (422, code)
    for sign in ("\x85", "\x9b", "\u202e", "\u2066", "\ufffe", "\U0010ffff"):
        body = {"number": after["number"], "text": {"findings.remarks": f"a{sign}b"}}
        assert refused(ada.put(f"{DRAFT}/text", json=body)) == (422, "text"), hex(ord(sign))
    lone = f'{{"number": {after["number"]}, "text": {{"findings.remarks": "\\ud800"}}}}'
    answer = ada.put(f"{DRAFT}/text", content=lone, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422


def test_a_reading_that_was_not_kept_for_it_cannot_be_edited(browser, archive, workstation):
    uid = put_study(archive)
    put_reading(archive, uid)  # as versions before this one made them
    ada = browser("physician")
    assert refused(ada.post(DRAFT, json={"version": 1})) == (409, "not_editable")
    assert refused(ada.post(DRAFT, json={"version": 2})) == (404, "no_reading")
    assert refused(ada.post("/api/v1/studies/1.9.55/draft", json={"version": 1})) == (404, "no_study")


def test_what_is_signed_is_a_new_version_and_the_draft_is_gone(browser, archive, workstation, read_study):
    ada = browser("physician")
    number = written(ada, edited(ada, begun(ada)["number"])["draft"]["number"], interpretation__text="None.")["number"]
    before = [folder_digest(one.folder) for one in archive.results.of_study(STUDY)]
    answer = signed_over_http(ada, number)
    assert (answer.status_code, answer.json()["state"]) == (202, "signing")
    line = ada.get("/api/v1/studies").json()["studies"][0]
    assert (line["signing"], line["draft_by"]) == ({"state": "waiting", "reason": ""}, "the physician")
    for method, path, body in [
        ("POST", "/edits", {"edit": CHANGE}), ("POST", "/undo", {}), ("PUT", "/text", {"text": {}}),
        ("POST", "/sign", {"password": PASSWORD}), ("DELETE", "", None),
    ]:  # fmt: skip
        asked = None if body is None else {"number": number, **body}
        assert refused(ada.request(method, DRAFT + path, json=asked)) == (409, "signing"), path
    worked(archive, ("PACS",))
    workstation.rooms.studies.catch_up()
    detail = ada.get(f"/api/v1/studies/{STUDY}").json()
    assert (detail["signing"], detail["draft_by"], detail["reading"]["signed"]) == (None, "", True)
    newest, oldest = detail["versions"]
    facts = ("version", "signed", "signed_by", "amends", "revised", "outdated")
    assert [newest[name] for name in facts] == [2, True, "the physician", None, True, False]
    assert [oldest[name] for name in facts] == [1, False, "", None, False, False]
    last = {"version": 2, "signed_by": "the physician", "signed_at": newest["signed_at"]}
    assert detail["last_signed"] == last | {"concluded": "None."}
    assert ada.get(DRAFT).json() == {"draft": None}
    assert [folder_digest(one.folder) for one in archive.results.of_study(STUDY)][:1] == before
    sent = ada.get(f"/api/v1/studies/{STUDY}/sendings").json()["sendings"]
    assert [(one["to"], one["version"], one["state"]) for one in sent] == [("PACS", 2, "waiting")]
    assert ("the physician", "reading.signed") in rows_of(archive, "reading.")


def test_an_amendment_goes_on_from_the_signed_version_and_says_why(browser, archive, workstation, read_study):
    signed(archive, by="the physician")
    folder = archive.results.of_study(STUDY)[-1].folder
    (folder / "edits.json").write_text(json.dumps({"of_version": 1, "edits": [DELETE], "by": "the physician"}))
    (folder / "words.json").write_text(json.dumps({"words": {"interpretation.text": "None."}, "language": "de"}))
    ada = browser("physician")
    held = begun(ada, 2)
    assert (held["edits"], held["text"], held["language"]) == ([DELETE], {"interpretation.text": "None."}, "de")
    number = edited(ada, held["number"], CHANGE)["draft"]["number"]
    assert refused(signed_over_http(ada, number)) == (422, "reason")
    assert refused(signed_over_http(ada, number, reason=" \n")) == (422, "reason")
    assert signed_over_http(ada, number, reason="A rib was\noverlooked.").status_code == 202
    with archive.database.read() as connection:
        payload = json.loads(connection.execute(select(jobs.c.payload).order_by(jobs.c.id.desc())).scalars().first())
    assert (payload["reason"], payload["of_version"], bare(payload["edits"])) == (
        "A rib was overlooked.",
        1,
        [DELETE, CHANGE],
    )
    worked(archive)
    assert ada.get(f"/api/v1/studies/{STUDY}").json()["versions"][0]["amends"] == 2


def test_a_reading_made_anew_leaves_the_signed_one_as_the_last_signed(browser, archive, workstation, read_study):
    signed(archive, by="the physician")
    text = "No metastases.\n" + "Worn knees. " * 40
    words = archive.results.of_study(STUDY)[-1].folder / "words.json"
    words.write_text(json.dumps({"words": {"interpretation.text": text}, "language": "en"}))
    put_reading(archive, STUDY, small_reading())
    workstation.rooms.studies.catch_up()
    line = browser("physician").get("/api/v1/studies").json()["studies"][0]
    assert (line["reading"]["version"], line["reading"]["signed"], line["last_signed"]["version"]) == (3, False, 2)
    assert line["last_signed"]["concluded"].startswith("No metastases. Worn knees.")
    assert len(line["last_signed"]["concluded"]) <= 302  # a line of a list, not the report
    assert browser("researcher").get("/api/v1/studies").json()["studies"][0]["last_signed"] is None


def test_what_the_reader_says_of_a_draft_comes_in_the_reports_language(browser, read_study, workstation, monkeypatch):
    said = {"impression": {"sentences": ["Metastatic by a physician's judgement: L3 vertebra (A)."]}}
    monkeypatch.setattr(workstation.rooms.drafts, "reading", lambda *_: said)
    ada = browser("physician")
    begun(ada)
    spoken = ada.get(f"{DRAFT}/reading").json()["said"]
    assert spoken["en"] == said["impression"]["sentences"]
    (sentence,) = spoken["de"]
    assert sentence.startswith("Nach ärztlichem Urteil metastatisch: ")  # as in words.de.toml


def test_nothing_is_signed_without_an_interpretation_or_a_physicians_name(browser, archive, workstation, read_study):
    ada = browser("physician")
    number = begun(ada)["number"]
    assert refused(signed_over_http(ada, number)) == (422, "interpretation")
    ada.delete(DRAFT)
    workstation.rooms.people.add("X7", Role.PHYSICIAN, PASSWORD, actor="test")
    other = browser()
    other.sign_in("X7")
    number = written(other, begun(other)["number"], interpretation__text="None.")["number"]
    assert refused(signed_over_http(other, number)) == (422, "name")


def test_a_signing_that_fails_gives_the_draft_back_with_its_reason(browser, archive, read_study):
    ada = browser("physician")
    number = written(ada, begun(ada)["number"], interpretation__text="None.")["number"]
    signed_over_http(ada, number)
    queue = Queue(archive.database, lease_s=30, attempts=3)
    job = queue.claim()
    assert job is not None
    queue.fail(job, "The pictures cannot be drawn.", may_help=False)
    detail = ada.get(f"/api/v1/studies/{STUDY}").json()
    assert detail["signing"] == {"state": "failed", "reason": "The pictures cannot be drawn."}
    after = written(ada, number, findings__remarks="again")
    assert ada.get(f"/api/v1/studies/{STUDY}").json()["signing"] is None
    assert signed_over_http(ada, after["number"]).status_code == 202
    worked(archive)
    queue.retry(job.id, actor="an administrator")  # signs nothing twice: that draft is no more
    again = queue.claim()
    assert again is not None
    with pytest.raises(Exception, match="changed or discarded"):
        render(archive, queue, again)
    assert [one.signed_by for one in archive.results.of_study(STUDY)] == ["", "the physician"]


def test_signed_versions_are_sent_to_peers_that_can_be_reached(browser, archive, workstation, read_study):
    tech = browser("technologist")
    assert tech.get("/api/v1/destinations").json() == {"destinations": [{"ae_title": "PACS"}]}
    path = f"/api/v1/studies/{STUDY}/sendings"
    assert refused(tech.post(path, json={"version": 1, "to": ["PACS"]})) == (409, "not_signed")
    signed(archive)
    assert refused(tech.post(path, json={"version": 2, "to": ["CAMERA"]})) == (422, "destination")
    assert refused(tech.post(path, json={"version": 3, "to": ["PACS"]})) == (404, "no_reading")
    answer = tech.post(path, json={"version": 2, "to": ["PACS", "PACS"]})
    assert answer.status_code == 202
    assert [(one["to"], one["state"]) for one in tech.get(path).json()["sendings"]] == [("PACS", "waiting")]
    assert ("the technologist", "reading.sending") in rows_of(archive, "reading.")


def test_drafts_and_sendings_are_told_as_changes(browser, archive, workstation, read_study):
    changes = workstation.rooms.changes
    changes.look()
    number, seen = changes.last, []
    ada = browser("physician")
    written(ada, edited(ada, begun(ada)["number"])["draft"]["number"], interpretation__text="None.")
    changes.look()
    seen = [(one.study_uid, one.what) for one in changes.since(number)]
    assert seen == [(STUDY, f"draft.{what}") for what in ("begun", "edited", "written")]
    signed_over_http(ada, ada.get(DRAFT).json()["draft"]["number"])
    worked(archive, ("PACS",))
    number = changes.last
    changes.look()
    assert {one.what for one in changes.since(number)} == {
        "draft.signing", "reading.made", "reading.signed", "reading.sending", "job.queued",
    }  # fmt: skip


def test_a_desk_that_dies_is_replaced_and_one_that_is_silent_is_ended():
    pid = Desk(command=stand_in())
    try:
        first = pid.revised(Path("a"), [], [DELETE], of_version=1, who="ada")["pid"]
        assert pid.revised(Path("a"), [], [DELETE], of_version=1, who="ada")["pid"] == first
        pid._child.popen.kill()
        pid._child.popen.wait()
        assert pid.revised(Path("a"), [], [DELETE], of_version=1, who="ada")["pid"] != first
    finally:
        pid.close()
    for act, answer_s, words in [
        ("os._exit(1)", 60.0, "does not answer"), ("time.sleep(60)", 0.3, "took too long"),
        ("said = {'refused': 'It needs more memory.', 'cause': 'memory'}", 60.0, "more memory"),
    ]:  # fmt: skip
        desk = Desk(command=stand_in(act), answer_s=answer_s)
        with pytest.raises(Refusal, match=words) as refusal:
            desk.revised(Path("a"), [], [DELETE], of_version=1, who="ada")
        assert refusal.value.status == 503
        desk.close()


def test_a_desk_that_cannot_start_is_told_as_such(tmp_path):
    desk = Desk(command=(str(tmp_path / "no program"),))
    with pytest.raises(Refusal, match="cannot start now") as refusal:
        desk.warm()
    assert refusal.value.status == 503
    desk.close()


def test_a_desk_that_is_closed_lets_go_of_who_waits():
    desk = Desk(command=stand_in("time.sleep(600)"))
    answers: list[str] = []

    def ask() -> None:
        with pytest.raises(Refusal) as refusal:
            desk.revised(Path("a"), [], [], of_version=1, who="ada")
        answers.append(str(refusal.value))

    waiting = threading.Thread(target=ask)
    waiting.start()
    until = time.monotonic() + 30
    while desk._child is None and time.monotonic() < until:
        time.sleep(0.01)
    desk.close()
    waiting.join(30)
    assert answers == ["The workstation stops; nothing was changed."]


def test_nobodys_many_edits_keep_others_off_the_desk():
    """Ada has three under way when Bob comes: his is next, whoever waited before; a fourth of hers is refused."""
    turns, order, here = _Turns(), [], threading.Event()

    def ask(who: str) -> None:
        with turns.of(who, 60.0):
            order.append(who)
            here.wait(60)

    threads = []
    for number, who in enumerate(("ada", "ada", "ada", "bob"), 1):
        threads.append(threading.Thread(target=ask, args=(who,)))
        threads[-1].start()
        until = time.monotonic() + 30
        while len(turns._waiting) + bool(turns._serving) < number and time.monotonic() < until:
            time.sleep(0.005)
    with pytest.raises(Refusal, match="Earlier edits of yours"), turns.of("ada", 60.0):
        pass
    with pytest.raises(Refusal, match="Others edit"), turns.of("carol", 0.01):
        pass
    here.set()
    for one in threads:
        one.join(30)
    assert order == ["ada", "bob", "ada", "ada"]
    with turns.of("carol", 0.01):  # nothing is left over
        pass


def test_a_desk_that_nobody_uses_is_ended():
    desk = Desk(command=stand_in(), idle_s=0.05)
    desk.warm()
    child = desk._child
    until = time.monotonic() + 30
    while not child.ended and time.monotonic() < until:
        time.sleep(0.01)
    assert child.ended
    assert desk.revised(Path("a"), [], [], of_version=1, who="ada")["edits"] == []  # it comes back when it is needed
    desk.close()


def test_a_draft_is_kept_by_backups_and_goes_with_its_study(archive, read_study):
    assert draft in metadata.sorted_tables  # which is what a backup copies
    with archive.database.write() as connection:
        connection.execute(insert(draft).values(StudyInstanceUID=STUDY, version=1, author="x"))
    archive.delete_study(STUDY, actor="test", why="test")
    with archive.database.read() as connection:
        assert connection.execute(select(draft)).first() is None
