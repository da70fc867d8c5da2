"""The demonstration: a mark that stays, passwords of chance, no archive of patients ever filled."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.workstation.conftest import CHEAP

from bonescan.archive import Archive
from bonescan.errors import InvalidValue
from bonescan.workstation import HttpSettings, Workstation
from bonescan.workstation.demo import DEMO_STUDIES, DemoStudy, demo_accounts, fill_demo, is_demo, mark_demo


def test_an_archive_of_patients_is_never_made_a_demonstration(tmp_path):
    with pytest.raises(InvalidValue, match="no demonstration"):
        mark_demo(tmp_path, 1)
    assert not is_demo(tmp_path)
    mark_demo(tmp_path, 0)
    mark_demo(tmp_path, 7)  # its own
    assert is_demo(tmp_path)


def test_every_page_is_told_as_long_as_the_mark_is_there(archive: Archive, browser):
    assert browser().hello().json()["demo"] is False
    mark_demo(archive.folder, 0)
    from starlette.testclient import TestClient

    later = Workstation(archive, HttpSettings(), hasher=CHEAP)
    assert TestClient(later.app, base_url="http://localhost").get("/api/v1/session").json()["demo"] is True


def test_accounts_of_every_role_have_new_passwords_at_every_start(workstation, browser):
    first = demo_accounts(workstation.rooms.people)
    again = demo_accounts(workstation.rooms.people)
    assert [name for name, _, _ in first] == [name for name, _, _ in again]
    assert len({password for _, _, password in (*first, *again)}) == 10
    assert all(len(password) >= 16 for _, _, password in again)
    someone = browser()
    assert someone.sign_in(again[0][0], again[0][2]).status_code == 200
    assert browser().sign_in(first[1][0], first[1][2]).status_code == 401
    assert not workstation.set_up_code


def test_studies_are_simulated_sent_and_not_sent_again(tmp_path, monkeypatch):
    """Simulation and sender are stand-ins here: the command is tested with both (`test_other_pages.py`)."""

    def simulate(_: str, out: Path, **__: object) -> None:
        (out / "dicom").mkdir(parents=True)
        (out / "dicom" / "whole_body.dcm").touch()

    monkeypatch.setattr("bonescan.journeys.simulate", simulate)
    mark_demo(tmp_path, 0)
    sent: list[str] = []

    def send(paths: list[Path]) -> bool:
        sent.append(paths[0].name)
        return len(sent) > 1  # the first is refused, and tried again at the next start

    one = (DemoStudy(scenario="normal", seed=612),)
    for _ in range(3):
        fill_demo(tmp_path, send, threading.Event(), lambda _: None, one).join()
    assert sent == ["whole_body.dcm"] * 2


def test_the_demonstration_has_a_follow_up_and_three_phases():
    assert len({one.seed for one in DEMO_STUDIES}) == 12
    later = [one for one in DEMO_STUDIES if one.study]
    assert any(one.seed == later[0].seed and one.study == 0 for one in DEMO_STUDIES)
    assert any(one.protocol == "three-phase" for one in DEMO_STUDIES)
