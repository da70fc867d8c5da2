"""A day in the life: a camera sends, a physician opens, edits, writes and signs, the archive has the results."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from pydicom import dcmread
from tests.dicom.peers import ORTHANC, Server, orthanc_in, said
from tests.journeys.department import PASSWORD, PERSON, free_port, serving, study_of_a_needle, until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    pytest.skip("needs Chromium and playwright", allow_module_level=True)

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
    pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed"),
]

READER = "Dr. Ada Example"
FINDING = "Uptake of the manubrium, most likely degenerative; no sign of metastasis."


def test_a_day_in_the_life(tmp_path: Path):
    scan, dataset = study_of_a_needle(tmp_path)
    node_port, orthanc_port = free_port(), free_port()
    (home := tmp_path / "orthanc").mkdir()
    pacs = {"DicomServerEnabled": True, "DicomPort": orthanc_port, "DicomAet": "PACS", "DicomCheckCalledAet": True}
    settings = f"""
[dicom]
port = {node_port}
[dicom.peers.camera]
ae_title = "CAMERA"
may = ["store"]
[dicom.peers.pacs]
ae_title = "PACS"
host = "127.0.0.1"
port = {orthanc_port}
results = true
[archive]
quiet_s = 1.0
"""
    with (
        orthanc_in(home, {**pacs, "DicomAlwaysAllowStore": True}) as orthanc,
        serving(tmp_path / "archive", settings) as department,
        sync_playwright() as playwright,
    ):
        department.said("Listening as BONESCAN")
        address = department.said(r"The workstation is at (\S+)")[1]
        _accounts(address, department.said(r"type this code: (\S+)")[1])
        status, words = said("storescu", "-aet", "CAMERA", "-aec", "BONESCAN", "-xs", "127.0.0.1", str(node_port), scan)
        assert status == 0, words

        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(base_url=address, viewport={"width": 1500, "height": 950})
        context.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)  # a reading on a busy machine is no failure
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))

        _sign_in(page)
        before = _read_and_edit(page, str(dataset.StudyInstanceUID))
        version = _write_and_sign(page)

        with page.expect_download() as coming:
            page.get_by_role("link", name="PDF").first.click()
        assert coming.value.path().read_bytes().startswith(b"%PDF")
        if shutil.which("pdftotext"):
            (kept := tmp_path / "report.pdf").write_bytes(coming.value.path().read_bytes())
            text = said("pdftotext", kept, "-")[1]
            assert READER in text
            assert "no sign of metastasis" in " ".join(text.split())

        signed = _signed(orthanc)
        assert signed.StudyInstanceUID == dataset.StudyInstanceUID
        assert signed.PatientID == PERSON["PatientID"]
        assert str(signed.VerifyingObserverSequence[0].VerifyingObserverName)
        modalities = {orthanc.told(f"/series/{one}")["MainDicomTags"]["Modality"] for one in orthanc.told("/series")}
        assert {"SR", "SEG", "DOC", "KO"} <= modalities

        told = page.evaluate(
            "async ([uid, version]) => (await fetch(`/api/v1/studies/${uid}/readings/${version}/reading.json`)).json()",
            [str(dataset.StudyInstanceUID), version],
        )
        assert [one["judged_by"] for one in told["findings"]].count("physician") == 1
        (edit,) = told["revision"]["edits"]
        wanted = {"do": "change", "finding": before["id"], "kind": "bone", "nature": "metastatic", "by": edit["by"]}
        assert edit == {**wanted, "at": edit["at"]}
        assert edit["by"].startswith("Dr. Ada")
        assert complaints == []
        browser.close()
        department.end()
        assert "Needle" not in "".join(department.raw)


def _accounts(address: str, code: str) -> None:
    """The administrator, and a physician with a password of an administrator's making."""
    with httpx.Client(base_url=address, timeout=60) as client:
        token = client.get("/api/v1/session").json()["csrf"]
        admin = {"code": code, "name": "Admin", "password": PASSWORD}
        token = client.post("/api/v1/setup", json=admin, headers={"X-CSRF-Token": token}).json()["csrf"]
        reader = {"name": READER, "role": "physician", "password": PASSWORD}
        assert client.post("/api/v1/users", json=reader, headers={"X-CSRF-Token": token}).status_code == 201


def _sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Name").fill(READER)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Needle").first).to_be_visible()  # the worklist fills by itself


def _read_and_edit(page: Page, uid: str) -> dict[str, Any]:
    """Wait for the reading, window, and call the first finding metastatic; gives that finding as the reader had it."""
    page.goto(f"/study/{uid}?painter=canvas")
    first = page.locator("[data-finding]").first
    expect(first).to_be_visible()
    number = int(first.get_attribute("data-finding") or "")
    upper = page.get_by_label("Upper").first
    was = upper.input_value()
    page.keyboard.press("]")
    assert upper.input_value() != was
    page.keyboard.press("c")
    expect(page.locator(".draft")).to_be_visible()
    expect(page.locator(".figures .key").nth(1)).to_contain_text("%")
    page.keyboard.press("n")
    page.keyboard.press("4")
    judged = page.locator(f"[data-finding='{number}'] .nature")
    expect(judged).to_contain_text("metastatic")
    expect(judged).to_contain_text("by the physician")
    expect(page.locator(".figures .key").nth(1)).to_contain_text("→")  # the index follows at once
    return {"id": number}


def _write_and_sign(page: Page) -> int:
    page.keyboard.press("q")
    page.get_by_role("textbox", name="Question").fill("Staging.")
    page.get_by_role("textbox", name="Interpretation").fill(FINDING)
    expect(page.locator(".state")).to_contain_text("Saved")
    page.get_by_role("button", name="Sign …").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Reading 2 is signed.")).to_be_visible()
    page.get_by_role("link", name="Show the signed reading").click()
    expect(page.locator(".signed-by")).to_contain_text(f"Signed by {READER}")
    expect(page.locator(".concluded")).to_contain_text(FINDING)  # before all that the software says
    expect(page.locator(".sendings").first).to_contain_text("PACS")
    return 2


def _signed(orthanc: Server) -> Any:
    """The verified structured report, once Orthanc has it."""
    found: list[Any] = []

    def look() -> bool:
        for one in orthanc.told("/instances"):
            tags = json.loads(orthanc.ask(f"/instances/{one}/simplified-tags"))
            if tags.get("Modality") == "SR" and tags.get("VerificationFlag") == "VERIFIED":
                found.append(dcmread(io.BytesIO(orthanc.ask(f"/instances/{one}/file"))))
        return bool(found)

    until(look, 120)
    return found[0]
