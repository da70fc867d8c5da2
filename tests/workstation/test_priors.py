"""Earlier scans over HTTP: which there are, how far their comparison is, its files and pictures, and who sees them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import numpy as np
import pytest
from tests.archive.compared import compare, queue_of, read

from bonescan.archive import Archive, audit
from bonescan.workstation import Workstation

NOW, THEN, OLDER = "1.9.3", "1.9.2", "1.9.1"
ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)
SECRETS = {
    "patient": {"name": "Doe^Jane", "patient_id": "P", "sex": "F"},
    "treatment_start": "2025-03-04",
    "scans": [
        {
            "on": "2025-06-02",
            "acquired_at": "2025-06-02T11:22:33",
            "study_uid": THEN,
            "sources": [{"file_name": "Doe_Jane.dcm", "sha256": "0"}],
        }
    ],
    "progression": {"text": "Against the scan of 2025-06-01, of 2025-06-02 and 2019-05-05."},
}
SCRIPT = b"<!doctype html><script>alert(1)</script>Doe"


def _files() -> dict[str, bytes]:
    maps = io.BytesIO()
    np.savez_compressed(maps, prior_anterior=ROWS.astype(np.float16), row_anterior=ROWS[::2])
    return {
        "comparison.json": json.dumps(SECRETS).encode(),
        "comparison.html": SCRIPT,
        "comparison.pdf": b"%PDF-1.7 Doe",
        "comparison_blink.gif": b"GIF89a",
        "maps.npz": maps.getvalue(),
    }


@pytest.fixture
def three(archive: Archive, workstation: Workstation) -> str:
    """Three scans of one person, compared; and one of somebody else."""
    read(archive, 1, "20250101", StudyDescription="Scan of Doe")
    read(archive, 2, "20250601", StudyDescription="Scan of Doe")
    read(archive, 3, "20260101")
    read(archive, 4, "20250301", PatientID="Q")
    compare(archive, _files())
    workstation.rooms.studies.catch_up()
    return f"/api/v1/studies/{NOW}"


def test_earlier_scans_are_told_the_newest_first_with_their_comparison(browser: Callable, three: str):
    said = browser("physician").get(f"{three}/priors").json()
    assert [(one["study_uid"], one["study_date"]) for one in said["priors"]] == [
        (THEN, "2025-06-01"),
        (OLDER, "2025-01-01"),
    ]
    assert said["priors"][0]["description"] == "Scan of Doe"
    newest, older = (one["comparison"] for one in said["priors"])
    assert (newest["state"], newest["id"], newest["outdated"], older) == ("done", 1, False, None)
    assert [(one["study_uid"], one["study_date"]) for one in said["timeline"]] == [
        (OLDER, "2025-01-01"),
        (THEN, "2025-06-01"),
        (NOW, "2026-01-01"),
    ]
    assert browser("physician").get(three).json()["priors"] == 2
    assert browser("physician").get(f"/api/v1/studies/{OLDER}/priors").json()["priors"] == []


def test_a_comparison_is_asked_for_waits_fails_and_becomes_outdated(
    browser: Callable, archive: Archive, workstation: Workstation, three: str
):
    doctor = browser("physician")

    def of(prior: str) -> dict[str, object]:
        return next(one for one in doctor.get(f"{three}/priors").json()["priors"] if one["study_uid"] == prior)[
            "comparison"
        ]

    assert doctor.post(f"{three}/comparisons", json={"prior": OLDER}).status_code == 202
    assert (of(OLDER)["state"], of(OLDER)["made_at"]) == ("waiting", "")
    again = doctor.post(f"{three}/comparisons", json={"prior": OLDER})
    assert again.status_code == 409
    assert "under way" in again.json()["error"]["message"]
    queue = queue_of(archive)
    queue.fail(queue.claim(), "It keeps no state.", may_help=False)
    assert (of(OLDER)["state"], of(OLDER)["reason"]) == ("failed", "It keeps no state.")
    read(archive, 2, "20250601", object=22)
    assert (of(THEN)["state"], of(THEN)["outdated"], of(THEN)["id"]) == ("waiting", True, 1)
    assert doctor.get(f"{three}/comparisons/{THEN}/comparison.json").status_code == 200  # the old one till then
    compare(archive, _files())
    assert (of(THEN)["state"], of(THEN)["outdated"], of(THEN)["id"]) == ("done", False, 2)


def test_pictures_come_as_views_do(browser: Callable, three: str):
    doctor = browser("physician")
    answer = doctor.get(f"{three}/comparisons/{THEN}/maps/prior/anterior")
    names = ("x-rows", "x-columns", "x-dtype", "x-step", "content-type")
    assert [answer.headers[name] for name in names] == ["3", "4", "float32", "1", "application/octet-stream"]
    np.testing.assert_array_equal(np.frombuffer(answer.content, "<f4").reshape(3, 4), ROWS)
    grid = doctor.get(f"{three}/comparisons/{THEN}/maps/row/anterior")
    assert (grid.headers["x-rows"], grid.headers["x-step"]) == ("2", "4")
    for absent in ("difference/anterior", "prior/posterior", "prior/__class__", "kind/anterior", "prior/a.npy"):
        assert doctor.get(f"{three}/comparisons/{THEN}/maps/{absent}").status_code == 404, absent


def test_a_scan_of_another_person_is_no_prior(browser: Callable, archive: Archive, three: str):
    """Neither offered, nor compared, nor shown; and asking does not tell whether there is such a study."""
    doctor = browser("physician")
    refused = [doctor.post(f"{three}/comparisons", json={"prior": uid}) for uid in ("1.9.4", "1.9.99", NOW, "x")]
    assert len({(answer.status_code, answer.json()["error"]["message"]) for answer in refused}) == 1
    assert refused[0].status_code == 409
    assert doctor.get(f"{three}/comparisons/1.9.4/comparison.json").status_code == 404
    assert doctor.get(f"{three}/comparisons/1.9.4/maps/prior/anterior").status_code == 404
    later = f"/api/v1/studies/{THEN}/comparisons"
    assert doctor.post(later, json={"prior": NOW}).status_code == 409
    assert not any(one.kind == "compare" for one in queue_of(archive).jobs(["waiting"]))


def test_a_researcher_learns_from_priors_no_identity_and_no_other_day(browser: Callable, three: str):
    """That scans are of one person, by the studies' days, which the worklist tells them too; nothing else."""
    someone = browser("researcher")
    base = f"{three}/comparisons/{THEN}/"
    seen = [someone.get(path).text for path in (f"{three}/priors", base + "comparison.json")]
    for secret in ("Doe", '"P"', "2025-03-04", "2025-06-02", "2019", "11:22", "sha256"):
        assert not any(secret in text for text in seen), secret
    masked = someone.get(base + "comparison.json").json()
    assert masked["progression"]["text"] == "Against the scan of 2025-06-01, of (a day) and (a day)."
    assert masked["patient"] == {"name": None, "patient_id": None, "sex": None}
    for name in ("comparison.html", "comparison.pdf", "comparison_blink.gif"):
        assert (someone.get(base + name).status_code, someone.get(base + name).json()["error"]["code"]) == (
            403,
            "names_patient",
        ), name
    assert someone.get(base + "maps/prior/anterior").status_code == 200
    assert someone.post(f"{three}/comparisons", json={"prior": OLDER}).status_code == 403


def test_html_of_a_comparison_runs_nothing_in_our_origin(browser: Callable, three: str):
    answer = browser("physician").get(f"{three}/comparisons/{THEN}/comparison.html")
    assert answer.content == SCRIPT
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "sandbox"} <= set(policy)
    assert not any(part.startswith("script-src") for part in policy)


def test_path_tricks_find_nothing_of_a_comparison(browser: Callable, archive: Archive, three: str):
    (archive.folder / "secret.json").write_text("{}", encoding="utf-8")
    doctor = browser("physician")
    for name in ("../../../secret.json", "..%2f..%2fsecret.json", "result.json", "maps.npz", "comparison.json%00", "a"):
        assert doctor.get(f"{three}/comparisons/{THEN}/{name}").status_code == 404, name
    for prior in ("..", "%2e%2e", "1.9.2%00", "' OR 1=1 --", "1" * 65):
        assert doctor.get(f"{three}/comparisons/{prior}/comparison.json").status_code == 404, prior
    for body in ({}, {"prior": 1}, {"prior": ""}, {"prior": "1" * 65}, {"prior": "1.9.2", "more": 1}, []):
        assert doctor.post(f"{three}/comparisons", json=body).status_code == 422, body


def test_every_look_at_a_comparison_is_in_the_audit_trail(browser: Callable, archive: Archive, three: str):
    doctor = browser("physician")
    before = audit.entries(archive.database)[-1].seq
    for path in ("priors", f"comparisons/{THEN}/comparison.json", f"comparisons/{THEN}/maps/prior/anterior"):
        doctor.get(f"{three}/{path}")
    doctor.post(f"{three}/comparisons", json={"prior": OLDER})
    rows = audit.entries(archive.database, after=before)
    assert [(row.action, row.detail.get("what", ""), row.detail.get("prior", "")) for row in rows] == [
        ("study.viewed", "priors", ""),
        ("study.viewed", "comparison 1 comparison.json", THEN),
        ("study.viewed", "comparison 1 maps", THEN),
        ("comparison.asked", "", OLDER),
    ]
    assert {(row.actor, row.subject) for row in rows} == {("the physician", NOW)}


def test_pages_hear_of_comparisons(archive: Archive, workstation: Workstation):
    changes = workstation.rooms.changes
    changes.look()
    first = changes.last
    read(archive, 1, "20250101")
    read(archive, 2, "20260101")
    compare(archive, _files())
    changes.look()
    told = [(one.study_uid, one.what) for one in changes.since(first)]
    assert ("1.9.2", "comparison.made") in told
