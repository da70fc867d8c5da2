"""Editing, the report's text and signing in a real browser, against the stand-in of the desk."""

from __future__ import annotations

import importlib.util
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.workstation.stand_in import NAME, PASSWORD, STATIC, Department, made_study, serving

from bonescan.anatomy import BONES
from bonescan.report.physician import ENTRIES

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    pytest.skip("needs Chromium and playwright", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

long = pytest.mark.long
expect.set_options(timeout=12_000)  # a busy machine is no failure
UID = "1.2.20"
SPOT, SPARE = (150.0, 135.0), (250.0, 60.0)
"""Of the doll, in the anterior view: its hot spot, and a place where no finding is; row, column."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def department() -> Iterator[tuple[Department, str]]:
    people = [{"name": NAME, "role": "physician", "active": True}]
    here = Department([made_study(UID, "Doe^Jane"), made_study("1.2.21", "Roe^Rick")], people, role="physician")
    with serving(here) as address:
        yield here, address


@pytest.fixture
def opened(browser: Browser, department: tuple[Department, str]) -> Iterator[Callable[..., Page]]:
    """Open a page; whatever it complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def visit(path: str = f"/study/{UID}?painter=canvas", **how: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1400, "height": 900}, "base_url": department[1], **how})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(path)
        expect(page.locator(".panel[aria-busy=false] .findings .rows button").first).to_be_attached()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def _editing(page: Page) -> Page:
    page.keyboard.press("c")
    expect(page.locator(".draft")).to_be_visible()
    return page


def _place(page: Page, x: float, y: float) -> tuple[float, float]:
    page.mouse.move(x, y)
    row, column = page.locator(".readout").inner_text().split("row ")[1].split(", column ")
    return float(row), float(column)


def _points(page: Page, view: str = "anterior") -> Callable[[float, float], tuple[float, float]]:
    """Where rows and columns of a view are on the page, from what the page tells of two points."""
    box = page.locator(".over").bounding_box()
    x, y = box["x"] + box["width"] * (0.25 if view == "anterior" else 0.75), box["y"] + box["height"] / 2
    (r1, c1), (r2, c2) = _place(page, x - 80, y - 150), _place(page, x + 80, y + 150)
    return lambda row, column: (x - 80 + 160 * (column - c1) / (c2 - c1), y - 150 + 300 * (row - r1) / (r2 - r1))


def _stroke(page: Page, points: list[tuple[float, float]]) -> None:
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=3)
    page.mouse.up()


def _round(row: float, column: float, radius: float = 10.0) -> list[tuple[float, float]]:
    turns = [2 * math.pi * k / 16 for k in range(17)]
    return [(row + radius * math.sin(turn), column + radius * math.cos(turn)) for turn in turns]


def _draw(page: Page, view: str, row: float, column: float) -> None:
    to = _points(page, view)
    page.keyboard.press("a")
    _stroke(page, [to(*place) for place in _round(row, column)])


def _edits(department: tuple[Department, str]) -> list[dict[str, Any]]:
    return department[0].desk.drafts[UID]["edits"]


@long
def test_drawing_changes_the_index_and_undo_takes_it_back(opened, department) -> None:
    page = _editing(opened())
    _draw(page, "anterior", *SPARE)
    expect(page.locator("[data-finding='3']")).to_contain_text("physician")
    drawn = _edits(department)[0]["outlines"]["anterior"]
    area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(drawn, drawn[1:] + drawn[:1], strict=True))) / 2
    # A circle of ten pixels; a hand's 16 chords and pixels of the screen lose a few percent of it.
    assert area == pytest.approx(math.pi * 100, rel=0.08)
    expect(page.locator(".figures .key").nth(1)).to_contain_text("1.23 % → ")
    expect(page.locator(".figures ins").first).not_to_have_text("1.23 %")
    expect(page.locator(".changes")).to_contain_text("C drawn: left 9th rib")
    page.keyboard.press("Control+z")
    expect(page.locator("[data-finding='3']")).to_have_count(0)
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator("[data-finding='3']")).to_have_count(1)
    expect(page.locator(".state")).to_contain_text("Saved")


@long
def test_the_facing_place_is_offered_and_taken(opened, department) -> None:
    page = _editing(opened())
    _draw(page, "anterior", *SPARE)
    expect(page.locator(".offer")).to_contain_text("C in the posterior view too?")
    page.keyboard.press("Enter")
    expect(page.locator("[data-finding='3']")).to_contain_text("posterior (")
    taken = _edits(department)[1]
    assert (taken["do"], taken["finding"], taken["view"]) == ("reshape", 3, "posterior")
    rows, columns = zip(*taken["outline"], strict=True)
    assert (max(rows) + min(rows)) / 2 == pytest.approx(SPARE[0], abs=1)
    assert (max(columns) + min(columns)) / 2 == pytest.approx(199 - SPARE[1], abs=1)  # 200 columns, mirrored


@long
def test_points_contour_and_brush_by_keyboard_alone(opened, department) -> None:
    page = _editing(opened())
    page.keyboard.press("a")
    for key in ["ArrowUp", "Enter", *["Shift+ArrowRight"] * 2, "Enter", *["Shift+ArrowDown"] * 2, "Enter", "Enter"]:
        page.keyboard.press(key)
    expect(page.locator("[data-finding='3']")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    for key in ["ArrowUp", "Enter", *["Shift+ArrowLeft"] * 2, "Enter"]:
        page.keyboard.press(key)
    expect(page.locator(".draft")).to_contain_text("2 edits")
    page.keyboard.press("z")
    page.keyboard.press("Enter")
    expect(page.locator("[data-finding='4']")).to_have_count(1)
    assert [one["do"] for one in _edits(department)] == ["draw", "reshape", "draw"]


@long
def test_contour_finds_the_spot_and_the_brush_widens_it(opened, department) -> None:
    page = _editing(opened())
    to = _points(page)
    page.keyboard.press("z")
    page.mouse.click(*to(SPOT[0] + 2, SPOT[1] - 1))
    expect(page.locator("[data-finding='3']")).to_have_count(1)
    outline = _edits(department)[0]["outlines"]["anterior"]
    # The doll's spot falls to half at sqrt(40 ln 2) = 5.3 pixels; smoothing over three pixels and noise add to it.
    radii = [math.hypot(row - SPOT[0], column - SPOT[1]) for row, column in outline]
    assert 4 < sum(radii) / len(radii) < 8
    page.keyboard.press("h")
    _stroke(page, [to(*SPOT), to(SPOT[0], SPOT[1] + 20)])
    expect(page.locator(".draft")).to_contain_text("2 edits")
    wider = _edits(department)[1]["outline"]
    assert max(column for _, column in wider) > SPOT[1] + 20
    assert max(column for _, column in outline) < SPOT[1] + 12
    _stroke(page, [to(SPOT[0], SPOT[1] + 40), to(SPOT[0], SPOT[1] + 15)])
    expect(page.locator(".draft")).to_contain_text("3 edits")
    assert max(column for _, column in _edits(department)[2]["outline"]) < SPOT[1] + 15


@long
def test_split_by_a_line_and_merge_again(opened, department) -> None:
    page = _editing(opened())
    to = _points(page)
    page.keyboard.press("k")
    _stroke(page, [to(SPOT[0], SPOT[1] - 20), to(SPOT[0] + 1, SPOT[1] + 20)])
    expect(page.locator("[data-finding='3']")).to_have_count(1)
    assert _edits(department)[0]["finding"] == 1
    page.keyboard.press("j")
    page.mouse.click(*to(SPOT[0] - 4, SPOT[1]))
    page.mouse.click(*to(SPOT[0] + 5, SPOT[1]))
    expect(page.locator("[data-finding='3']")).to_have_count(0)
    assert sorted(_edits(department)[1]["findings"]) == [1, 3]


@long
def test_deciding_by_key_deleting_and_the_bone_by_name(opened, department) -> None:
    page = _editing(opened())
    page.keyboard.press("n")
    page.keyboard.press("6")
    expect(page.locator("[data-finding='1'] .nature")).to_contain_text("degenerativeby the physician")
    expect(page.locator("[data-finding='1'] .nature-choice").first).to_contain_text("83 %")  # what the reader thought
    expect(page.locator("[data-finding='1'] .natures")).to_have_count(0)  # nobody's decision is a probability
    page.keyboard.press(".")  # a smaller or larger brush, and nothing else
    page.keyboard.press("R")
    expect(page.locator("[data-finding='1'] .nature")).to_contain_text("metastatic 83 %")
    page.keyboard.press("9")
    expect(page.locator("[data-finding='1'] .nature")).to_contain_text("physiologic")
    page.keyboard.press("4")
    expect(page.locator("#bone-field")).to_be_attached()
    page.keyboard.press("B")
    page.keyboard.type("l rib 8")
    expect(page.get_by_role("option")).to_have_text(["left 8th rib"])
    page.keyboard.press("Enter")
    expect(page.locator("[data-finding='1'] .place")).to_contain_text("rib 08 l")
    page.locator(".over").focus()
    page.keyboard.press("Delete")
    expect(page.locator("[data-finding='1']")).to_have_count(0)
    page.locator(".message").get_by_role("button", name="Undo").click()
    expect(page.locator("[data-finding='1']")).to_have_count(1)
    kinds = [(one.get("kind"), one.get("nature"), one.get("bone")) for one in _edits(department)]
    assert kinds == [
        ("bone", "degenerative", None),
        (None, "", None),
        ("physiologic", None, None),
        ("bone", "metastatic", None),
        (None, None, "rib_08_l"),
    ]


@long
def test_report_text_is_kept_over_a_reload_and_signed(opened, department) -> None:
    page = _editing(opened())
    page.keyboard.press("q")
    page.get_by_role("textbox", name="Question").fill("Staging.")
    page.get_by_role("button", name="Take over the reader's impression").click()
    own = "async (said) => (await import('/static/report_editor.js')).inOwnWords(said)"
    assert page.evaluate(own, "Metastatic by a physician's judgement: L3 (A).") == "Metastatic: L3 (A)."
    assert page.evaluate(own, "By a physician's judgement trauma: L3 (A).") == "Trauma: L3 (A)."
    page.get_by_label("Report in").select_option("de")
    expect(page.locator(".state")).to_contain_text("Saved")
    page.reload()
    expect(page.get_by_role("textbox", name="Question")).to_have_value("Staging.")
    expect(page.get_by_role("textbox", name="Interpretation")).to_have_value("Most likely metastatic: A.")
    expect(page.get_by_label("Report in")).to_have_value("de")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_label("Preview", exact=True).last).to_contain_text("Staging.")
    page.get_by_role("button", name="Sign …").click()
    page.get_by_label("Your password").fill("wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("The password is wrong.")
    page.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Reading 2 is signed.")).to_be_visible()
    page.get_by_role("button", name="Send to ARCHIVE").click()
    expect(page.locator(".sendings")).to_contain_text("failed: The peer does not answer.")
    page.get_by_role("link", name="Show the signed reading").click()
    expect(page.locator(".signed-by")).to_contain_text(f"Signed by {NAME}")
    expect(page.get_by_role("button", name="Amend")).to_be_visible()


@long
def test_an_amendment_needs_a_reason_and_signing_an_interpretation(opened, department) -> None:
    department[0].studies[0].line["past"][0] |= {"signed": True, "signed_by": NAME, "signed_at": "2026-03-02T10:00:00Z"}
    page = opened()
    page.get_by_role("button", name="Amend").click()
    expect(page.locator(".draft")).to_contain_text("Amends reading 1")
    page.keyboard.press("S")
    expect(page.get_by_role("button", name="Sign and send")).to_be_disabled()
    page.get_by_role("button", name="Write it").click()
    expect(page.get_by_role("textbox", name="Interpretation")).to_be_focused()
    page.keyboard.type("New images.")
    expect(page.locator(".state")).to_contain_text("Saved")
    page.get_by_role("button", name="Sign …").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("is signed.")).to_have_count(0)  # the browser asks for the reason
    page.get_by_label("Why it is amended").fill("A level was wrong.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Reading 2 is signed.")).to_be_visible()


@long
def test_what_another_place_did_is_taken_over_and_told(opened, department) -> None:
    page = _editing(opened())
    desk = department[0].desk
    desk.drafts[UID]["edits"].append({"do": "delete", "finding": 2})
    desk.drafts[UID]["number"] += 1
    page.keyboard.press("n")
    page.keyboard.press("6")
    expect(page.get_by_text("The draft was changed at another place")).to_be_visible()
    expect(page.locator("[data-finding='2']")).to_have_count(0)
    desk.drafts[UID]["author"] = "Dr. Other"
    page.keyboard.press("6")
    expect(page.get_by_role("dialog")).to_contain_text("Dr. Other has taken the draft over")
    page.keyboard.press("Escape")
    expect(page.locator(".draft")).to_have_count(0)
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_contain_text("Dr. Other has a draft of reading 1")
    page.get_by_role("button", name="Take over").click()
    expect(page.locator(".draft")).to_be_visible()
    assert desk.drafts[UID]["author"] == NAME


@long
def test_what_another_place_wrote_is_not_written_over(opened, department) -> None:
    page = _editing(opened())
    page.keyboard.press("q")
    page.get_by_role("textbox", name="Question").fill("Staging.")
    expect(page.locator(".state")).to_contain_text("Saved")
    draft = department[0].desk.drafts[UID]
    (entry,) = draft["text"]
    draft |= {"number": draft["number"] + 1, "text": {entry: "Restaging."}}
    with page.expect_response(lambda said: said.request.method == "PUT" and said.status == 200):  # after a refusal
        page.get_by_role("textbox", name="Interpretation").fill("Normal.")
    expect(page.get_by_role("textbox", name="Question")).to_have_value("Restaging.")
    assert department[0].desk.drafts[UID]["text"] == {entry: "Restaging.", "interpretation.text": "Normal."}


@long
def test_what_failed_is_seen_and_sent_again(opened, department) -> None:
    page = _editing(opened())
    department[0].desk.broken = True
    page.keyboard.press("n")
    page.keyboard.press("6")
    expect(page.locator(".state")).to_contain_text("Not saved: The desk is busy.")
    department[0].desk.broken = False
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("[data-finding='1'] .nature")).to_contain_text("degenerative")
    page.keyboard.press("k")
    to = _points(page)
    department[0].desk.drafts[UID]["edits"].append({"do": "delete", "finding": 1})  # so that the next cannot be applied
    _stroke(page, [to(SPOT[0], SPOT[1] - 20), to(SPOT[0], SPOT[1] + 20)])
    expect(page.get_by_text("There is no such finding.")).to_be_visible()


@long
@pytest.mark.parametrize("role", ["researcher", "technologist", "physicist"])
def test_who_may_not_edit_sees_no_buttons_for_it(opened, department, role) -> None:
    department[0].role = role
    page = opened()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name=re.compile("Edit|Amend|Sign"))).to_have_count(0)
    assert not any(asked.startswith("POST") for asked in department[0].asked)


@long
def test_a_finger_draws(opened, department) -> None:
    page = opened(viewport={"width": 820, "height": 1180}, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Edit", exact=True).tap()
    page.get_by_role("button", name="Draw", exact=True).first.tap()
    box = page.locator(".over").bounding_box()
    session = page.context.new_cdp_session(page)
    for kind, places in [
        ("touchStart", _round(300, 150, 40)[:1]),
        *(("touchMove", [one]) for one in _round(300, 150, 40)),
    ]:
        at = [{"x": box["x"] + column, "y": box["y"] + row} for row, column in places]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("[data-finding='3']")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@long
def test_axe_finds_nothing_while_editing_writing_and_signing(opened) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = _editing(opened())
    page.evaluate(axe.Axe().axe_script)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
    rules["resultTypes"] = ["violations"]

    def found() -> list[Any]:
        told = []
        for theme in ("light", "dark"):
            page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            said = page.evaluate("(rules) => axe.run(rules)", rules)["violations"]
            told += [(theme, one["id"], [node["target"] for node in one["nodes"]][:3]) for one in said]
        return told

    page.keyboard.press("n")
    page.keyboard.press("6")
    _draw(page, "anterior", *SPARE)
    expect(page.locator(".offer")).to_be_visible()
    page.locator("#bone-field").focus()
    assert found() == []
    page.keyboard.press("Escape")
    page.keyboard.press("q")
    expect(page.get_by_role("textbox", name="Question")).to_be_visible()
    assert found() == []
    page.get_by_role("button", name="Preview").click()
    assert found() == []
    page.get_by_role("button", name="Sign …").click()
    expect(page.get_by_label("Your password")).to_be_visible()
    assert found() == []


@long
def test_help_has_every_key_of_editing(opened) -> None:
    page = opened()
    page.keyboard.press("?")
    section = page.get_by_role("dialog").locator("section", has_text="Editing (physicians)")
    for key in ["Ctrl+Z", "Ctrl+Shift+Z", "Delete", "Shift+S", "Shift+R", "q", "h"]:
        expect(section.get_by_text(key, exact=True)).not_to_have_count(0)


def test_the_pages_know_the_bones_of_the_anatomy() -> None:
    source = (Path(STATIC) / "bones.js").read_text(encoding="utf-8")
    told = [(one[0], one[1], int(one[2])) for one in re.findall(r'\["([^"]+)", "([^"]+)", (\d+)\]', source)]
    assert told == [(bone.id, bone.name, bone.region) for bone in BONES]


def test_the_pages_know_the_entries_of_the_report() -> None:
    source = (Path(STATIC) / "words_editing.js").read_text(encoding="utf-8")
    part = source[source.index("sections:") : source.index("signing:")]
    assert re.findall(r'\["(\w+)", "[^"]+", "[^"]*", \d+\]', part) == [one for own in ENTRIES.values() for one in own]
    assert re.findall(r'\["(\w+)", "[^"]+", \[', part) == list(ENTRIES)
    limit = re.search(r"MOST = ([\d_]+)", (Path(STATIC) / "report_editor.js").read_text(encoding="utf-8"))
    assert limit is not None
    assert int(limit[1].replace("_", "")) == 10_000  # as the interface takes
