"""The page of two scans in a real browser: one scale, the way between both, the difference, blinking, the list."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.workstation.stand_in import NAME, Department, Study, made_study, serving

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    pytest.skip("needs Chromium and playwright", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

pytestmark = pytest.mark.long
expect.set_options(timeout=30_000)  # a busy machine is no failure
NOW, THEN, OLDER = "1.2.30", "1.2.20", "1.2.10"
DOWN, ALONG, FACTOR = 12.0, -5.0, 1.5  # where the prior scan lies, in its pixels, and its scale
NEEDLE = "<img src onerror=alert(1)>"


def _measured(value: float | None, unit: str = "1") -> dict[str, Any]:
    return {"value": value, "unit": unit, "uncertainty": 0.1, "method": "", "source": "", "absent_reason": ""}


def _change(prior: float | None, current: float | None, unit: str = "1") -> dict[str, Any]:
    both = {"prior": _measured(prior, unit), "current": _measured(current, unit)}
    difference = None if prior is None or current is None else current - prior
    return both | {"difference": _measured(difference, unit), "ratio": _measured(None), "trend": "unknown"}


def _lesion(
    number: int, style: str, row: float, column: float, *, then: bool, now: bool, **more: Any
) -> dict[str, Any]:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    outline = [[row + 8 * float(np.sin(t)), column + 8 * float(np.cos(t))] for t in turn]
    moved = [[r + DOWN, c + ALONG] for r, c in outline]
    made = {
        "id": number, "letter": "ABCD"[number - 1], "kind": {"new": "new", "gone": "vanished"}.get(style, "persisting"),
        "style": style, "trend": "unknown", "place": f"left rib {number}", "prior_findings": [1] if then else [],
        "current_findings": [1] if now else [], "uptake_ratio": _change(2.0 if then else None, 4.0 if now else None),
        "area": _change(700.0, 900.0, "mm2"), "depth": _change(None, None, "mm"), "brightness": _measured(2.0),
        "significance": 7.5, "reason": "Drawn so.", "likelihood": _measured(0.9), "faint_place": False,
        "outlines": {"prior": {"anterior": [moved]} if then else {}, "current": {"anterior": [outline]} if now else {}},
        "places": {"anterior": {"row": row, "column": column, "radius_mm": 25.0}},
    }  # fmt: skip
    return made | more


def comparison() -> dict[str, Any]:
    lesions = [
        _lesion(1, "same", 240, 100, then=True, now=True),
        _lesion(2, "new", 150, 135, then=False, now=True),
        _lesion(3, "gone", 190, 100, then=True, now=False, reason=NEEDLE),
        _lesion(4, "rose", 110, 100, then=True, now=True, faint_place=True),
    ]
    check = {"code": "comparability.counts.anterior", "question": "Enough counts?", "prior": "0.4 million"}
    check |= {"verdict": "withhold", "current": "1.5 million", "text": "Below 1 million counts."}
    index = {"as_read": _change(1.0, 2.0, "%"), "change": _change(1.0, 2.0, "%"), "flagged": True}
    return {
        "scans": [{"on": "2025-01-01", "study_uid": THEN, "progression": {"state": "baseline", "text": ""}},
                  {"on": "2026-03-02", "study_uid": NOW, "progression": {"state": "1_new", "text": ""}}],
        "progression": {"state": "1_new", "text": "One new lesion.", "next_step": "Scan again.",
                        "cautions": ["No start."], "source": "PCWG3"},
        "latest": {
            "lesions": lesions, "unmarked": [],
            "bone_scan_index": index | {"repeatability_percent": 0.3, "text": "The index is not given."},
            "area_response": {"text": "The area rose."},
            "comparability": {"withholds_burden": True, "checks": [check]},
            "alignment": {"trusted": True, "views": {"anterior": {"scale": FACTOR}}},
        },
        "remarks": [{"text": "A remark.", "severity": "note"}],
        "method": {"alignment": "by hand"},
    }  # fmt: skip


def _prior(uid: str, date: str, *, compared: bool, **more: Any) -> dict[str, Any]:
    done = {
        "state": "done",
        "progress": "",
        "reason": "",
        "made_at": "2026-03-02T11:00:00Z",
        "id": 1,
        "outdated": False,
    }
    made = {
        "study_uid": uid,
        "study_date": date,
        "description": "Bone scan",
        "version": 1,
        "signed": False,
        "differs": [],
    }
    return made | {"comparison": done if compared else None} | more


def two_scans() -> list[Study]:
    """A doll twice: the prior scan's anterior view is shifted and has two thirds of the counts."""
    now, then, older = (made_study(uid, "Doe^Jane") for uid in (NOW, THEN, OLDER))
    view = now.views["anterior"]
    shifted = np.roll(view, (int(DOWN), int(ALONG)), (0, 1))
    then.views = {"anterior": np.rint(shifted / FACTOR).astype("uint16")}
    then.line["study_date"], older.line["study_date"] = "2025-01-01", "2024-01-01"
    del now.views["posterior"]
    rows, columns = np.mgrid[: view.shape[0] : 4, : view.shape[1] : 4].astype(np.float32)
    difference = np.zeros(view.shape, np.float32)
    difference[140:160, 125:145], difference[185:195, 95:105] = 9.0, -6.0
    carried = view.astype(np.float32)
    carried[:20] = np.nan  # beyond the prior scan's edge
    now.maps = {"prior_anterior": carried, "difference_anterior": difference,
                "row_anterior": rows + np.float32(DOWN), "column_anterior": columns + np.float32(ALONG)}  # fmt: skip
    now.compared = {"comparison.json": json.dumps(comparison()).encode(), "comparison.html": b"<!doctype html><p>Both"}
    now.priors = [
        _prior(THEN, "2025-01-01", compared=True, differs=["name"]),
        _prior(OLDER, "2024-01-01", compared=False),
    ]
    now.timeline = [
        {"study_uid": uid, "study_date": date, "bone_scan_index_percent": index, "bone_findings": 2, "signed": False}
        for uid, date, index in ((OLDER, "2024-01-01", None), (THEN, "2025-01-01", 1.0), (NOW, "2026-03-02", 2.0))
    ]
    return [now, then, older]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Department, str]]:
    department = Department(two_scans(), [{"name": NAME, "role": "admin", "active": True}])
    with serving(department) as address:
        yield department, address


@pytest.fixture
def opened(browser: Browser, served: tuple[Department, str]) -> Iterator[Callable[[str], Page]]:
    """Open a page; whatever it complains of fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 900}, base_url=served[1])
    context.set_default_timeout(30_000)

    def visit(path: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(path)
        expect(page.locator(".panel[aria-busy=false]")).to_be_attached()
        return page

    yield visit
    context.close()
    assert complaints == []


def _overlay(page: Page) -> str:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return str(page.evaluate("document.querySelector('.over').toDataURL()"))


def _greys(page: Page, x: float, y: float) -> float:
    """Mean grey of the counts about a point of the stage, 0 to 1 of its width and height."""
    return float(page.evaluate(
        """([x, y]) => { const c = document.querySelector('.counts'), g = c.getContext('2d');
           const d = g.getImageData(x * c.width - 20, y * c.height - 20, 40, 40).data;
           let sum = 0; for (let k = 0; k < d.length; k += 4) sum += d[k]; return sum / (d.length / 4); }""",
        [x, y],
    ))  # fmt: skip


def test_both_scans_have_one_scale_and_the_factor_is_told(opened) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    expect(page.locator(".scale")).to_contain_text("Anterior × 1.5")
    prior, current = (_greys(page, x, 0.5) for x in (0.25, 0.75))
    assert 20 < current < 240
    assert prior == pytest.approx(current, abs=2.0)  # the linked prior pane shows the same place, rounded counts
    told = page.evaluate("performance.getEntriesByName('first-picture').length")
    assert told == 1


def test_the_cursor_leads_to_the_same_place_of_the_prior_scan(opened) -> None:
    page = opened(f"/study/{NOW}/compare/{THEN}?painter=canvas")
    box = page.locator(".over").bounding_box()
    places = []
    for x in (0.25, 0.75):  # the same point of both panes, as the camera is linked
        page.mouse.move(box["x"] + x * box["width"], box["y"] + 0.4 * box["height"])
        expect(page.locator(".readout")).to_contain_text("current")
        places.append(page.locator(".readout").inner_text())
    rows = [[int(part) for part in place.split("row ")[1].split(", column ")] for place in places]
    assert np.abs(np.subtract(*rows)).max() <= 1  # both are told in the current scan's pixels; half a pixel of rounding
    assert "scaled" in places[0]
    told = page.evaluate("""async () => {
      const { Link } = await import("/static/linked.js");
      const picture = (rowMm, columnMm) => ({ rowMm, columnMm, widthMm: 200 * columnMm });
      const grid = { rows: 3, columns: 3, step: 4, row: Float32Array.from([5, 5, 5, 9.5, 9.5, 9.5, 14, 14, 14]),
        column: Float32Array.from([1, 5, 9, 1.5, 5.5, 9.5, 2, 6, 10]) };
      const link = new Link(picture(2, 2), picture(2, 2), grid);
      const there = link.toPrior({ row: 2, column: 6 });
      return [there, link.toCurrent(there), link.toPrior({ row: 10, column: 6 })];
    }""")
    assert told[0] == {"row": 7.25, "column": 7.25}  # by hand: the mean of 5 and 9.5; of 5, 9, 5.5 and 9.5
    assert (told[1]["row"], told[1]["column"]) == (pytest.approx(2, abs=0.05), pytest.approx(6, abs=0.05))
    assert told[2]["row"] == pytest.approx(14 + 2)  # beyond the grid as far on as in the current view


def test_difference_blink_and_laying_over_by_keyboard(opened) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    page.mouse.move(5, 5)
    plain = _overlay(page)
    page.keyboard.press("c")
    shown = _overlay(page)
    for _ in range(12):
        page.keyboard.press(">")
    expect(page.get_by_role("slider", name="Difference shown from")).to_have_value("10")
    assert _overlay(page) == plain  # nothing is beyond 10 standard deviations
    assert shown != plain
    page.keyboard.press("c")
    page.keyboard.press("k")
    page.keyboard.press(" ")  # by hand: it goes on no more by itself
    first = _overlay(page)
    page.keyboard.press(" ")
    second = _overlay(page)
    page.keyboard.press(" ")
    assert _overlay(page) == first != second
    page.keyboard.press("Escape")
    assert _overlay(page) == plain
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Lay on each other")).to_have_attribute("aria-pressed", "true")


def test_blinking_goes_on_by_itself_and_never_flashes_thrice_a_second(opened) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    page.evaluate("""() => {
      window.turns = 0;
      const was = CanvasRenderingContext2D.prototype.fillText;
      CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
        if (text.startsWith("Anterior, prior")) window.turns += 1;
        return was.call(this, text, ...at);
      };
    }""")
    page.keyboard.press("k")
    page.evaluate("""() => new Promise((done) => {
      const look = () => (window.turns > 1 ? done() : setTimeout(look, 50));
      look();
    })""")
    for _ in range(20):
        page.keyboard.press(".")
    assert float(page.get_by_role("slider", name="Changes a second").input_value()) <= 2.5  # 1.25 flashes: WCAG 2.3.1


def test_list_and_picture_choose_the_same_change(opened) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    letters = page.locator(".changes .letter").all_text_contents()
    assert letters == ["B", "C", "A", "D"]  # new, gone, the same; the faint place last
    expect(page.locator(".what-changed")).to_contain_text("1 new, 1 gone, 1 unchanged")
    page.keyboard.press("n")
    chosen = page.locator("[data-change='2'] button")
    expect(chosen).to_have_attribute("aria-expanded", "true")
    expect(page.locator("[data-change='2']")).to_contain_text("– → 4")
    page.keyboard.press("p")
    expect(page.locator("[data-change='4'] button")).to_be_visible()  # its fold has opened
    page.keyboard.press("n")
    page.keyboard.press("n")
    expect(page.locator("[data-change='3']")).to_contain_text(NEEDLE)


def test_what_forbids_comparing_stands_over_the_pictures(opened) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    above = page.locator(".comparable.wrong")
    expect(above).to_contain_text("Below 1 million counts.")
    assert above.bounding_box()["y"] < page.locator(".over").bounding_box()["y"]
    expect(page.locator(".what-changed")).to_contain_text("not given")
    expect(page.locator(".banner.warn")).to_contain_text("another name")
    above.locator("summary").click()
    expect(above.locator("tbody tr")).to_contain_text("0.4 million")


def test_the_course_and_the_choice_of_an_older_scan(opened, served) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    expect(page.locator(".course tbody tr")).to_have_count(3)
    expect(page.locator(".course tbody tr").first).to_contain_text("2.00 %")
    assert page.locator(".course circle").count() == 2  # the first index is withheld
    page.keyboard.press("y")
    page.wait_for_url(f"**/study/{NOW}/compare/{OLDER}*")
    expect(page.locator(".banner").first).to_contain_text("not compared yet")
    expect(page.locator(".scale")).to_contain_text("counts of its own")
    page.get_by_role("button", name="Compare them").click()
    expect(page.get_by_text("They will be compared.")).to_be_visible()
    assert f"POST studies/{NOW}/comparisons" in served[0].asked


def test_the_reading_page_leads_here_only_where_there_is_an_earlier_scan(opened) -> None:
    link = opened(f"/study/{NOW}?painter=canvas").get_by_role("link", name="Compare with an earlier scan")
    expect(link).to_have_attribute("href", f"/study/{NOW}/compare")
    assert opened(f"/study/{OLDER}?painter=canvas").get_by_role("link", name="Compare with").count() == 0


def test_zoom_and_place_stay_when_both_scans_are_shown_in_turn(opened) -> None:
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    box = page.locator(".over").bounding_box()
    for _ in range(6):
        page.keyboard.press("+")

    def row() -> str:  # at the middle of the stage's height, which is the middle of every pane
        page.mouse.move(5, 5)
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"] + 1)
        return page.locator(".readout").inner_text().split("row ")[1].split(",")[0]

    before, other = row(), page.get_by_role("button", name="Other scan")
    expect(other).to_be_disabled()
    page.get_by_role("button", name="Blink").click()
    other.click()
    assert row() == before


def test_a_study_without_an_earlier_one_says_so(browser, served) -> None:
    page = browser.new_page(base_url=served[1])
    page.goto(f"/study/{THEN}/compare")
    expect(page.get_by_text("There is no earlier scan of this person")).to_be_visible()
    page.goto(f"/study/{NOW}/compare/1.9.9")
    expect(page.get_by_text("This is no earlier scan of the same person.")).to_be_visible()
    page.close()


def test_a_researcher_is_offered_no_report(opened, served) -> None:
    served[0].role = "researcher"
    try:
        page = opened(f"/study/{NOW}/compare?painter=canvas")
        expect(page.locator(".report-bar")).to_contain_text("your role does not see it")
        assert page.get_by_role("link", name="PDF").count() == 0
    finally:
        served[0].role = "admin"


@pytest.mark.parametrize(("theme", "width"), [("dark", 1400), ("light", 800)])
def test_axe_finds_nothing(opened, theme, width) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(f"/study/{NOW}/compare?painter=canvas")
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.keyboard.press("n")
    page.locator(".comparable summary").click()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
    page.evaluate(axe.Axe().axe_script)
    found = page.evaluate("(rules) => axe.run(rules)", rules)["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []
