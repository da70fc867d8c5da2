"""The leaflet after the scan: only of a signed reading, only by a physician, as it was seen, and in the audit trail."""

from __future__ import annotations

import json

import pytest
from tests.workstation.conftest import PASSWORD, put_reading, put_study, small_reading

from bonescan.archive import Archive, audit
from bonescan.archive.tables import result
from bonescan.workstation import Role
from bonescan.workstation.leaflets import Leaflets

TOLD = {"version": 1, "conclusions": ["wear"], "places": {"A": "wear"}, "language": "en"}


@pytest.fixture
def study(archive: Archive, workstation) -> str:
    reading = small_reading(schema_version="1.3.0")
    finding = {"letter": "A", "kind": "bone", "bone": "vertebra_l03", "side": "midline", "region": 9}
    reading["findings"] = [finding | {"place": "L3 vertebra", "likelihood": 0.9}]
    reading["scan"] |= {"acquired_at": "2024-07-04T09:15:00"}
    uid = put_study(archive)
    put_reading(archive, uid, reading)
    workstation.rooms.studies.catch_up()
    return uid


def sign(archive: Archive, version: int = 1) -> None:
    with archive.database.write() as connection:
        connection.execute(
            result.update().where(result.c.version == version).values(signed_by="Dr. Ada", signed_at="2024-07-05")
        )


def test_an_unsigned_study_is_refused_with_a_sentence(browser, study):
    ada = browser("physician")
    for answer in (
        ada.get(f"/api/v1/studies/{study}/leaflet"),
        ada.post(f"/api/v1/studies/{study}/leaflets", json=TOLD),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_signed")
        assert "signed" in answer.json()["error"]["message"]


def test_a_signed_one_is_made_seen_and_given_out_as_seen(browser, archive, study):
    sign(archive)
    ada = browser("physician")
    told = ada.get(f"/api/v1/studies/{study}/leaflet").json()
    assert (told["version"], told["findings"]) == (1, [{"letter": "A", "place": "L3 vertebra"}])
    made = ada.post(f"/api/v1/studies/{study}/leaflets", json=TOLD).json()
    place = f"/api/v1/studies/{study}/leaflets/{made['id']}"
    seen = ada.get(f"{place}/leaflet.html")
    assert "the physician" in seen.text  # the account's name, in which it is signed
    assert "sandbox" in seen.headers["content-security-policy"]
    assert "leaflet.made" not in {one.action for one in audit.entries(archive.database)}
    assert ada.get(f"{place}/leaflet.pdf").content.startswith(b"%PDF")
    (row,) = [one for one in audit.entries(archive.database) if one.action == "leaflet.made"]
    assert (row.actor, row.subject) == ("the physician", study)
    assert "version 1, en, pdf, pdf sha256 " in row.detail["what"]
    deed = json.loads(ada.get(f"{place}/leaflet.json").content)
    assert (deed["physician"], deed["conclusions"]) == ("the physician", ["wear"])


def test_nobody_but_a_physician_makes_one_and_only_its_maker_has_it(browser, archive, study, workstation):
    sign(archive)
    made = browser("physician").post(f"/api/v1/studies/{study}/leaflets", json=TOLD).json()
    for role in (Role.TECHNOLOGIST, Role.PHYSICIST, Role.RESEARCHER, Role.ADMIN):
        someone = browser(str(role))
        assert someone.post(f"/api/v1/studies/{study}/leaflets", json=TOLD).status_code == 403
    workstation.rooms.people.add("Bob", Role.PHYSICIAN, PASSWORD, actor="test")
    bob = browser()
    bob.sign_in("Bob")
    assert bob.get(f"/api/v1/studies/{study}/leaflets/{made['id']}/leaflet.pdf").status_code == 404


def test_an_amended_reading_takes_the_earlier_ones_place(browser, archive, study):
    sign(archive)
    put_reading(archive, study, small_reading(schema_version="1.3.0", findings=[]))
    sign(archive, 2)
    answer = browser("physician").post(f"/api/v1/studies/{study}/leaflets", json=TOLD | {"places": {}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_signed")
    assert "version 2" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"conclusions": []},
        {"conclusions": ["nothing_unusual", "wear"]},
        {"places": {"Z": "wear"}},
        {"places": {"A": "healing"}},
        {"conclusions": ["fine"]},
        {"language": "xx"},
        {"says": "\U0001f600"},
        {"says": "x" * 2001},
    ],
)
def test_what_cannot_be_told_is_refused_with_a_sentence(browser, archive, study, wrong):
    sign(archive)
    answer = browser("physician").post(f"/api/v1/studies/{study}/leaflets", json=TOLD | wrong)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].endswith(".")


def test_a_leaflet_is_forgotten_after_a_quarter_of_an_hour(archive, study, workstation, browser):
    sign(archive)
    browser("physician")
    (who,) = workstation.rooms.people.all()
    now = [0.0]
    leaflets = Leaflets(workstation.rooms.studies, clock=lambda: now[0])
    from datetime import date

    from bonescan.report.leaflet_after import Conclusion, SignedResult

    signed = SignedResult(physician="Dr. Ada", signed_on=date(2024, 7, 5), conclusions=(Conclusion.WEAR,))
    made = leaflets.make(study, 1, who, lambda: signed, "en")
    now[0] = 899
    assert leaflets.made(study, made.id, who) is made
    now[0] = 901
    with pytest.raises(RuntimeError, match="make it again"):
        leaflets.made(study, made.id, who)
