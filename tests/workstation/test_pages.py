"""The pages in a real browser, against the stand-in: what a physician does, what an attacker tries, keyboard alone."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.workstation.stand_in import CODE, NAME, PASSWORD, STATIC, Department, Study, line, made_study, serving

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    pytest.skip("needs Chromium and playwright", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

pytestmark = pytest.mark.long
expect.set_options(timeout=30_000)  # a busy machine is no failure
NEEDLE = "<img src onerror=alert(1)><svg/onload=alert(1)>"
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]

LONG = "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh^Maximiliana Theodora"
SIGNED = {"signed": True, "metastases_likelihood": 1.0}
CONCLUDED = {"version": 1, "signed_by": "Dr. Ada", "signed_at": "2026-03-02T10:00:00Z", "concluded": "New metastases."}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *SOFTWARE_GL])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Department, str]]:
    studies = [
        made_study("1.2.10", f"{NEEDLE}^Given", reading={"urgent": True}),
        made_study("1.2.11", LONG, dtype="float32"),
        Study(line("1.2.12", "Doe^Jane", "reading", progress="labelling regions"), {}, {}),
        Study(line("1.2.13", "Roe^Rick", "failed", reason="No whole-body view."), {}, {}),
        Study(line("1.2.14", "Poe^Paul", "slices", reason="SPECT alone: look at the slices."), {}, {}),
        Study(line("1.2.15", "Low^Lena", reading=SIGNED, last_signed=CONCLUDED), {}, {}),
    ]
    department = Department(studies, [{"name": NAME, "role": "admin", "active": True}])
    with serving(department) as address:
        yield department, address


@pytest.fixture
def opened(browser: Browser, served: tuple[Department, str]) -> Iterator[Callable[[str], Page]]:
    """Open a page; whatever it complains of fails the test: a script that a name brought, a policy that was broken."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1400, "height": 900}, base_url=served[1])
    context.set_default_timeout(30_000)

    def visit(path: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.goto(path)
        return page

    yield visit
    context.close()
    assert complaints == []


def _study(page: Page) -> Page:
    expect(page.locator(".panel[aria-busy=false] .findings .rows button").first).to_be_attached()
    return page


def test_who_is_not_signed_in_comes_back_to_where_they_wanted(opened, served) -> None:
    served[0].signed_in = False
    page = opened("/study/1.2.10")
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill("wrong password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/1.2.10")
    _study(page)


@pytest.mark.parametrize("wanted", ["//evil.example/study", "/.//evil.example/study"])
def test_next_leads_to_no_other_place(opened, wanted) -> None:
    page = opened(f"/sign-in?next={wanted}")
    page.wait_for_url("**/")
    assert "evil" not in page.url


def test_the_hospitals_own_sign_in_is_offered_and_its_refusal_told(opened, served) -> None:
    served[0].signed_in, served[0].provider = False, "Sign in with your hospital account"
    page = opened("/sign-in?refused=no_role&next=/study/1.2.3")
    link = page.get_by_role("link", name="Sign in with your hospital account")
    assert link.get_attribute("href") == "/api/v1/session/provider?next=%2Fstudy%2F1.2.3"
    assert "none of your groups has a role" in page.get_by_role("alert").inner_text()
    served[0].signed_in, served[0].provider = True, ""


def test_first_start_makes_the_administrator_with_the_code(opened, served) -> None:
    served[0].signed_in, served[0].setup_needed = False, True
    page = opened("/")
    page.get_by_label("Set-up code").fill(CODE)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr").first).to_be_visible()


def test_people_are_added_and_locked_out(opened, served) -> None:
    page = opened("/people")
    page.get_by_label("Name", exact=True).fill("New Person")
    page.get_by_label("First password").fill(PASSWORD)
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Lock out: New Person").click()
    expect(page.get_by_role("row", name="New Person")).to_contain_text("Locked out")
    assert served[0].people[-1]["active"] is False


def test_a_machines_token_is_shown_once_and_revoked(opened, served) -> None:
    page = opened("/people")
    page.get_by_label("Machine", exact=True).fill("PACS, second floor")
    page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog", name="Access token of PACS, second floor")
    expect(dialog.get_by_label("Access token", exact=True)).to_have_value("bonescan_shown-once")
    dialog.get_by_role("button", name="I have copied it").click()
    expect(page.locator("dialog")).to_have_count(
        0
    )  # by its element: a closed dialog has no role left, yet goes a moment later
    assert "bonescan_shown-once" not in page.content()
    page.get_by_role("button", name="Revoke: PACS, second floor").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="PACS, second floor")).to_contain_text("Revoked")
    assert served[0].tokens[0]["revoked_at"]


def test_worklist_is_worked_by_keyboard_and_follows_the_workstation(opened, served) -> None:
    page = opened("/")
    expect(page.locator("tbody tr")).to_have_count(6)
    expect(page.locator("tr.urgent")).to_have_count(1)
    expect(page.locator("tr[data-uid='1.2.12']")).to_contain_text("labelling regions")
    served[0].studies[2].line["progress"] = "measuring the burden"
    served[0].tell("1.2.12", "job.progress")
    expect(page.locator("tr[data-uid='1.2.12']")).to_contain_text("measuring the burden")
    page.keyboard.press("/")
    page.keyboard.type("nobody")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.get_by_role("button", name="Show all studies").click()
    expect(page.locator("tbody tr")).to_have_count(6)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/study/1.2.11")


def test_a_line_says_what_the_physician_signed_and_slices_are_no_failure(opened) -> None:
    page = opened("/")
    signed = page.locator("tr[data-uid='1.2.15']")
    expect(signed).to_contain_text("New metastases.")
    expect(signed).to_contain_text("Signed by Dr. Ada")
    expect(signed).not_to_contain_text("Made up for a test.")  # what the software says
    expect(signed).not_to_contain_text("100 %")
    slices = page.locator("tr[data-uid='1.2.14']")
    expect(slices.locator(".wrong, .mark.failed")).to_have_count(0)
    expect(slices.locator("a.open")).to_have_attribute("href", "/study/1.2.14/volume")
    expect(page.locator("tr[data-uid='1.2.13'] .wrong")).to_have_count(1)


@pytest.mark.parametrize("size", [(1680, 1000), (1024, 768), (768, 1024), (400, 700)])
def test_who_the_patient_is_is_never_cut(opened, size) -> None:
    page = opened("/study/1.2.11")
    page.set_viewport_size({"width": size[0], "height": size[1]})
    expect(_study(page).locator(".who")).to_contain_text("ID11")
    told = page.evaluate("""() => {
      const bar = document.querySelector(".bar").getBoundingClientRect();
      return [...document.querySelectorAll(".who > *")].map((one) => {
        const box = one.getBoundingClientRect(), under = document.elementFromPoint(box.left + 4,
          box.top + box.height - 4);
        return [one.textContent, box.width > 20 && box.left >= 0 && box.right <= bar.right && box.top >= bar.top &&
          box.bottom <= bar.bottom, under === one];
      });
    }""")
    assert [text for text, within, seen in told if not (within and seen)] == []
    assert len(told) > 4


def test_names_stay_text(opened) -> None:
    page = opened("/")
    shown = page.locator("tr.urgent th")
    expect(shown).to_contain_text("<img src onerror")  # what stands before the first =, which parts a name's alphabets
    page = _study(opened("/study/1.2.10"))
    expect(page.locator(".who strong")).to_contain_text("<img src onerror")
    page.keyboard.press("n")
    expect(page.locator(".evidence").last).to_contain_text(NEEDLE)
    assert page.locator("main img, main svg").count() == 0


def _greys(page: Page) -> np.ndarray:
    return np.array(page.evaluate(GREYS))


GREYS = """async () => {
  const [{ Stage }, { Picture }, service, { webglPainter, canvasPainter }] = await Promise.all(
    ["stage", "pictures", "service", "painters"].map((name) => import(`/static/${name}.js`)));
  const uid = location.pathname.split("/")[2];
  const [facts] = (await service.study(uid)).views;
  const picture = new Picture(facts, await service.counts(uid, facts.name));
  const told = [];
  for (const log of [false, true]) for (const smooth of [false, true]) for (const inverse of [false, true]) {
    const pixels = [webglPainter, canvasPainter].map((make) => {
      const canvas = Object.assign(document.createElement("canvas"), { width: 211, height: 307 });
      const pane = { picture, x: 3, y: 5, width: 200, height: 300, row: -4.3, column: 2.7, rows: 1.37, columns: 1.03 };
      const painter = make(canvas, true);
      return [painter.kind, painter.pixels([pane], { lower: 1.3, upper: 77.7, log, inverse, smooth }, [23, 26, 31])];
    });
    const [[one, a], [two, b]] = pixels;
    let most = 0;
    for (let k = 0; k < a.length; k += 1) most = Math.max(most, Math.abs(a[k] - b[k]));
    const kinds = new Set(a);
    told.push([one === "webgl2" ? 1 : 0, two === "canvas" ? 1 : 0, most, kinds.size]);
  }
  return told;
}"""


@pytest.mark.parametrize("uid", ["1.2.10", "1.2.11"], ids=["whole numbers", "fractions"])
def test_webgl_and_canvas_draw_the_same_picture(opened, uid) -> None:
    told = _greys(_study(opened(f"/study/{uid}")))
    assert (told[:, :2] == 1).all()
    assert (told[:, 3] > 60).all()  # a picture, not one grey
    # One grey level: both round, the one in 32-bit floats of the card, the other in 64-bit ones.
    assert told[:, 2].max() <= 1


def test_without_a_graphics_card_the_plain_canvas_draws(opened) -> None:
    """A canvas gives no other context than its first; this browser's WebGL2 is drawn in software, and is slower."""
    gives = "(context) => document.querySelector('.counts').getContext(context) !== null"
    page = _study(opened("/study/1.2.10"))
    assert page.evaluate(gives, "2d")
    page = _study(opened("/study/1.2.10?painter=webgl2"))
    assert page.evaluate(gives, "webgl2")


def test_window_follows_slider_key_and_drag(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    upper = page.locator("output").nth(1)
    before = float(upper.inner_text())
    page.get_by_role("slider", name="Upper").fill("900")
    assert float(upper.inner_text()) == pytest.approx(0.81 * 200, rel=0.25)  # squared: 0.9² of the largest count
    page.keyboard.press("0")
    assert float(upper.inner_text()) == before
    page.locator(".over").focus()
    page.keyboard.press("[")
    assert float(upper.inner_text()) == pytest.approx(before / 1.1, rel=0.01)
    box = page.locator(".over").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 400, steps=3)
    page.mouse.up()
    assert float(upper.inner_text()) > 1.5 * before


def _overlay(page: Page) -> bytes:
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return str(page.evaluate("document.querySelector('.over').toDataURL()")).encode()


LINES = """async ([number, chosen]) => {
  const { Overlay } = await import("/static/overlay.js");
  const overlay = new Overlay(document.createElement("canvas"));
  const told = [];
  overlay.letter = (one, line) => told.push(line);
  const views = { anterior: { outline: [[10, 10], [20, 10], [20, 20]] } };
  const findings = [...Array(number).keys()].map((id) => ({ id, letter: "A", kind: "bone", polarity: "hot", views }));
  const camera = { toPoint: (picture, pane, row, column) => ({ x: column, y: row }) };
  const pane = { x: 0, y: 0, width: 100, height: 1000 };
  overlay.outlines({ pane, picture: { key: "anterior", columns: 90 } }, { findings, chosen, camera, opacity: 1 });
  return told;
}"""


def test_where_many_letters_stand_only_the_chosen_one_has_a_line(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    assert page.evaluate(LINES, [40, 3]) == [True] * 40
    assert page.evaluate(LINES, [41, 3]) == [False] * 40 + [True]  # the chosen one is drawn last


def test_overlays_come_and_go(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    page.mouse.move(5, 5)
    with_findings = _overlay(page)
    page.keyboard.press("f")
    bare = _overlay(page)
    page.keyboard.press("r")
    tinted = _overlay(page)
    assert len({with_findings, bare, tinted}) == 3
    page.keyboard.press("r")
    page.keyboard.press("f")
    assert _overlay(page) == with_findings


def test_list_and_picture_choose_the_same_finding(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    page.keyboard.press("n")
    first = page.locator("[data-finding='1'] button")
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(page.locator("[data-finding='1']")).to_contain_text("83 %")
    page.keyboard.press("n")
    expect(page.locator("[data-finding='2'] button")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(first).to_have_attribute("aria-expanded", "false")
    # The doll's spot is at row 150, column 135 of the anterior view; two points tell where that is.
    box = page.locator(".over").bounding_box()
    one, other = ((box["x"] + box["width"] / 4 + by, box["y"] + box["height"] / 2 + by) for by in (-60, 60))
    places = np.array([_place_at(page, *one), _place_at(page, *other)], float)
    x, y = np.array(one) + 120 * (np.array([135, 150]) - places[0]) / (places[1] - places[0])
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.up()
    expect(first).to_have_attribute("aria-expanded", "true")


def _place_at(page: Page, x: float, y: float) -> tuple[int, int]:
    """Column and row that the page tells of a point."""
    page.mouse.move(x, y)
    row, column = page.locator(".readout").inner_text().split("row ")[1].split(", column ")
    return int(column), int(row)


def test_measuring_by_keyboard_gives_millimetres_and_counts(opened, served) -> None:
    page = _study(opened("/study/1.2.10"))
    page.keyboard.press("d")
    for key in ["ArrowDown", "Enter", *["Shift+ArrowRight"] * 3, *["Shift+ArrowDown"] * 4, "Enter"]:
        page.keyboard.press(key)
    # 30 columns and 40 rows of 2.4 mm: a triangle of 3, 4, 5; the first point lies between pixels, the second on one.
    expect(page.locator(".measures")).to_contain_text("1 Distance")
    told = float(page.locator(".measures li p").inner_text().removesuffix(" mm"))
    assert told == pytest.approx(120.0, abs=0.75 * 2.4)
    page.keyboard.press("Delete")  # takes findings out while somebody edits, and nothing else
    expect(page.locator(".measures")).to_contain_text("1 Distance")
    page.keyboard.press("D")
    expect(page.locator(".measures")).not_to_contain_text("1 Distance")
    page.keyboard.press("b")
    for key in ["ArrowUp", "Enter", *["Shift+ArrowRight"] * 2, *["Shift+ArrowDown"] * 2, "Enter"]:
        page.keyboard.press(key)
    page.get_by_role("button", name="Compare with the other side").click()
    expect(page.locator(".measures")).to_contain_text("Ratio to the other side")


def test_measures_agree_with_numpy(opened, served) -> None:
    page = _study(opened("/study/1.2.10"))
    counts = served[0].studies[0].views["anterior"]
    told = page.evaluate("""async () => {
      const [{ Picture }, service, { inside }] = await Promise.all(
        ["pictures", "service", "measuring"].map((name) => import(`/static/${name}.js`)));
      const [facts] = (await service.study("1.2.10")).views;
      const picture = new Picture(facts, await service.counts("1.2.10", facts.name));
      return [inside(picture, "box", { row: 180, column: 90 }, { row: 150, column: 120 }),
              inside(picture, "ellipse", { row: 150, column: 90 }, { row: 180, column: 120 })];
    }""")
    part = counts[150:181, 90:121]
    assert (told[0]["counts"], told[0]["pixels"], told[0]["largest"]) == (part.sum(), part.size, part.max())
    y, x = np.mgrid[:400, :200]
    ellipse = ((y - 165) / 15) ** 2 + ((x - 105) / 15) ** 2 <= 1
    assert (told[1]["counts"], told[1]["pixels"]) == (counts[ellipse].sum(), ellipse.sum())


def test_help_tells_keys_and_single_keys_can_be_switched_off(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("next finding")
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("[data-finding='1'] button")).to_have_attribute("aria-expanded", "false")


def test_studies_are_read_one_after_another_as_the_worklist_stood(opened) -> None:
    page = opened("/")
    page.get_by_role("searchbox").fill("e")  # what is searched for is what is walked through
    expect(page.locator("tbody tr")).to_have_count(6)
    order = page.locator("tbody tr").evaluate_all("rows => rows.map((row) => row.dataset.uid)")
    page.locator("tr[data-uid='1.2.10'] a").click()
    _study(page)
    expect(page.locator(".round")).to_have_text(f"‹{order.index('1.2.10') + 1} of 6›")
    page.keyboard.press("l")
    page.keyboard.press("f")
    page.keyboard.press("2")
    page.keyboard.press("Shift+N")
    page.wait_for_url(f"**/study/{order[order.index('1.2.10') + 1]}")
    for name, pressed in (("Log", "true"), ("Findings", "false"), ("Posterior", "true"), ("Inverse", "true")):
        expect(page.locator(".controls button", has_text=name).first).to_have_attribute("aria-pressed", pressed)
    page.keyboard.press("Shift+P")
    page.wait_for_url("**/study/1.2.10")


def test_who_comes_by_an_address_walks_through_the_whole_worklist(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    page.get_by_role("button", name="next study of the worklist").click()
    page.wait_for_url("**/study/1.2.11")


def test_report_stands_in_a_frame_without_rights(opened) -> None:
    page = _study(opened("/study/1.2.10"))
    page.keyboard.press("o")
    frame = page.locator("iframe.report")
    expect(frame).to_have_attribute("sandbox", "")
    expect(page.frame_locator("iframe.report").locator("p")).to_have_text("Report")
    expect(page.get_by_role("link", name="PDF", include_hidden=True)).to_have_attribute("download", "report.pdf")


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("path", ["/", "/study/1.2.10", "/people", "/sign-in"])
def test_axe_finds_nothing(opened, served, path, theme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    served[0].signed_in = path != "/sign-in"
    try:
        page = opened(path)
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        expect(
            page.locator(
                {"/": "tbody tr", "/people": "tbody tr", "/sign-in": "form"}.get(path, ".findings .rows button")
            ).first
        ).to_be_attached()
        if path.startswith("/study"):
            page.keyboard.press("n")
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
        page.evaluate(axe.Axe().axe_script)
        found = page.evaluate("(rules) => axe.run(rules)", rules)["violations"]
    finally:
        served[0].signed_in = True
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []


def test_types_hold() -> None:
    tsc = shutil.which("tsc")
    if tsc is None:
        pytest.skip("needs TypeScript's tsc")
    how = ["--noEmit", "--allowJs", "--checkJs", "--strict", "--noUncheckedIndexedAccess", "--target", "es2023"]
    how += ["--module", "esnext", "--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable", "--types", ""]
    files = [str(path) for path in sorted(Path(STATIC).glob("*.js"))]
    done = subprocess.run([tsc, *how, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nothing_parses_texts_as_markup() -> None:
    for path in STATIC.glob("*.js"):
        source = path.read_text(encoding="utf-8")
        for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert sink not in source, f"{path.name}: {sink}"
    for path in STATIC.glob("*.html"):
        source = path.read_text(encoding="utf-8")
        assert "style=" not in source
        assert "<script>" not in source
