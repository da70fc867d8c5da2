"""The appointment, leaflet, quality and teaching pages in a real browser, against a real workstation; and the demo."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.workstation.conftest import CHEAP, PASSWORD, put_reading, put_study
from tests.workstation.test_quality_page import a_reading, put_figures

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.archive.tables import result
from bonescan.workstation import HttpSettings, Role, Workstation, serve
from bonescan.workstation.demo import DEMO_STUDIES

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    pytest.skip("needs Chromium and playwright", allow_module_level=True)

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright  # noqa: E402

pytestmark = pytest.mark.long
PATIENCE_MS = 120_000  # a busy machine is no failure
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
SIGNED, UNSIGNED = "1.9.1", "1.9.2"


@pytest.fixture(scope="module")
def browser_() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *SOFTWARE_GL])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, empty_archive: Path) -> Iterator[str]:
    """A workstation with two readings, one signed, and half a year of figures of a camera that drifts."""
    folder = tmp_path_factory.mktemp("served") / "archive"
    shutil.copytree(empty_archive, folder)
    with Archive(folder, Settings(reserve_gib=0.0)) as archive:
        reading = a_reading() | {"schema_version": "1.3.0"}
        finding = {"letter": "A", "kind": "bone", "bone": "vertebra_l03", "side": "midline", "region": 9}
        reading["findings"] = [finding | {"place": "L3 vertebra", "likelihood": 0.9}]
        for number in (1, 2):
            put_reading(archive, put_study(archive, number), reading)
        with archive.database.write() as connection:
            signed = result.c.StudyInstanceUID == SIGNED
            connection.execute(result.update().where(signed).values(signed_by="Dr. Ada", signed_at="2024-07-05"))
        days = [date(2024, 1, 5) + timedelta(days=k) for k in range(180)]
        values = np.random.default_rng(604).normal(1000, 50, 180)
        values[150:] *= 0.9
        put_figures(archive, days, values, "ROOM1")
        made = Workstation(archive, HttpSettings(port=0), hasher=CHEAP)
        for role in Role:
            made.rooms.people.add(f"the {role}", role, PASSWORD, actor="test")
        with serve(archive, HttpSettings(port=0), workstation=made) as served:
            yield served.address


@pytest.fixture
def opened(browser_: Browser, address: str) -> Iterator[Callable[[str, str], Page]]:
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def visit(path: str, role: str) -> Page:
        context = browser_.new_context(viewport={"width": 1200, "height": 800}, base_url=address)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"/sign-in?next={path}")
        page.get_by_label("Name").fill(f"the {role}")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{path}")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def no_violations(page: Page) -> None:
    """In both themes, by axe-core."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.evaluate(axe.Axe().axe_script)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
    for theme in ("dark", "light"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        found = page.evaluate("(rules) => axe.run(rules)", rules)["violations"]
        assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found] == [], theme


def test_the_desk_plans_by_keyboard_and_gets_both_sheets(opened):
    page = opened("/plan", "technologist")
    page.get_by_label("Weight, kg").focus()
    page.keyboard.type("20")
    expect(page.locator(".answer .wrong")).to_contain_text("age")  # a child's needs one
    page.keyboard.press("Tab")
    page.keyboard.type("5")
    expect(page.locator(".cards")).to_contain_text("MBq")
    page.get_by_label("Language of the leaflet").select_option("de")
    link = page.get_by_role("link", name="Patient's leaflet (PDF)")
    expect(link).to_have_attribute("href", re.compile("language=de"))
    answer = page.request.get(link.get_attribute("href"))
    assert answer.body().startswith(b"%PDF")
    page.get_by_role("button", name="Look at the leaflet").click()
    expect(page.frame_locator("iframe").locator("h1")).to_contain_text("Knochen-Scan")
    page.keyboard.press("Escape")
    no_violations(page)


def test_a_physician_tells_what_was_signed_and_nothing_before(opened):
    page = opened(f"/study/{UNSIGNED}/leaflet", "physician")
    expect(page.locator(".attend")).to_contain_text("A physician has to sign")  # and nothing was asked for
    page = opened(f"/study/{SIGNED}/leaflet", "physician")
    page.get_by_label("Wear of joints").check()
    expect(page.get_by_label("Nothing stands out")).to_be_disabled()
    page.get_by_label("A L3 vertebra").select_option("wear")
    page.get_by_role("button", name="Show the leaflet").click()
    expect(page.frame_locator("iframe.leaflet").locator("body")).to_contain_text("the physician")
    link = page.get_by_role("link", name="Print or keep (PDF)")
    assert page.request.get(link.get_attribute("href")).body().startswith(b"%PDF")
    no_violations(page)
    page.get_by_label("Bone that mends").check()  # what is given out is what was seen
    expect(link).to_have_count(0)


def test_a_technologist_sees_a_camera_drift(opened):
    page = opened("/quality", "technologist")
    sensitivity = page.get_by_role("region", name="Sensitivity, at 10 cm/min", exact=True)
    expect(sensitivity.locator(".flagged").first).to_be_visible()
    expect(sensitivity.get_by_text("Farther from the median")).to_contain_text("2024-06")
    expect(sensitivity.get_by_role("img")).to_have_attribute("aria-label", re.compile("180 studies"))
    sensitivity.locator("summary").first.click()
    expect(sensitivity.get_by_role("cell", name="drifts").first).to_be_visible()
    no_violations(page)


def test_a_students_slider_makes_another_scan_appear_and_the_reader_reads_it(opened):
    """The simulator itself, in its process."""
    page = opened("/teaching", "researcher")
    step = page.locator(".step")
    expect(step).to_have_text("Full scan")
    told = page.locator(".panel .part .hint").first
    before = told.inner_text()
    page.get_by_label("Scan speed").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(told).not_to_have_text(before)
    expect(step).to_have_text("Full scan")
    page.get_by_role("button", name="Truth").click()
    expect(page.locator(".lesions li")).to_contain_text("metastasis")
    expect(page.locator(".simulated")).to_contain_text("SIMULATED")
    page.get_by_role("button", name="What would the reader say?").click()
    expect(page.locator(".sentences li").first).to_be_visible()
    expect(page.locator(".findings .rows button").first).to_be_attached()
    no_violations(page)


def test_the_demonstration_fills_itself_through_node_and_reader(tmp_path):
    """The command as people run it: accounts are printed, the first study comes in and is read, and all of it ends."""
    import httpx2 as httpx

    log = tmp_path / "log"
    command = [sys.executable, "-c", "from bonescan.cli import main; main()", "serve", "--demo"]
    with log.open("w") as out:
        running = subprocess.Popen([*command, "--http-port", "0", "--dicom-port", "0"], stderr=out, stdout=out)
    try:
        said = awaited(lambda: log.read_text(), rf"Simulated study 1 of {len(DEMO_STUDIES)} came in", running)
        url = re.search(r"http://localhost:\d+", said)[0]
        password = re.search(r"demo researcher with the password ([^\s\"]+)", said)[1]
        with httpx.Client(base_url=url, timeout=60) as client:
            token = client.get("/api/v1/session").json()
            assert token["demo"] is True
            who = {"name": "demo researcher", "password": password}
            signed = client.post("/api/v1/session", json=who, headers={"X-CSRF-Token": token["csrf"]})
            assert signed.json()["user"]["role"] == "researcher"
            awaited(lambda: json.dumps(client.get("/api/v1/studies").json()), r'"state": "read"', running)
            assert client.get("/api/v1/quality").json()["studies"] >= 0
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 0


def awaited(look: Callable[[], str], pattern: str, running: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        said = look()
        if re.search(pattern, said):
            return said
        assert running.poll() is None, said
        time.sleep(0.2)
    raise AssertionError(f"{pattern} did not come: {look()} {os.getloadavg()}")
