"""The pages on series in a real browser, against the workstation itself: three phases, volumes, all views."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.dicom.scans import INJECTION, dynamic, static, tomographic, view
from tests.dicom.test_viewing import volume_file
from tests.workstation.conftest import CHEAP, PASSWORD
from tests.workstation.test_series import put_objects

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.archive.tables import job, study
from bonescan.dicom import Filing, write_dynamic, write_scan, write_tomographic
from bonescan.scan import ViewName
from bonescan.workstation import HttpSettings, Role, Workstation, serve

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None or importlib.util.find_spec("playwright") is None:
    pytest.skip("needs Chromium and playwright", allow_module_level=True)

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

pytestmark = pytest.mark.long
expect.set_options(timeout=30_000)  # a busy machine is no failure
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
NEEDLE = "<img src onerror=alert(1)>"
PHASES, VOLUME, SPOTS = "1.2.3.4", "1.2.3.5", "1.2.3.6"
FRAMES, SIDE, PIXEL_MM = 10, 48, 4.0


def legs(seed: int, hot: float, shape: tuple[int, ...] = ()) -> dict[ViewName, np.ndarray]:
    """Two legs; a hot place on the patient's left one, right in the picture from in front, left from behind."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    rng, found = np.random.default_rng(seed), {}
    for name, sign in ((ViewName.ANTERIOR, 1), (ViewName.POSTERIOR, -1)):
        mean = 4.0 * (np.abs(np.abs(x) - 11) < 5) + hot * np.exp(-((x - 11 * sign) ** 2 + (y - 6) ** 2) / 18)
        found[name] = rng.poisson(np.broadcast_to(mean, (*shape, SIDE, SIDE)))
    return found


FLOW, POOL, LATE = legs(530, 9, (FRAMES,)), legs(531, 20), legs(532, 40)
# A hot voxel in cool tissue that falls off to every side differently, so that no plane is like another turned over.
SLICES, ROWS, COLUMNS = np.mgrid[:7, :17, :15]
WHOLE = (3 * SLICES + 2 * ROWS + COLUMNS + 200 * ((SLICES == 4) & (ROWS == 5) & (COLUMNS == 11))).astype(np.uint16)
ODD = np.random.default_rng(533).poisson(50, (11, 20, 13)).astype(np.uint16)  # of unequal spacings


def phases_read() -> dict[str, bytes]:
    def measured(value: float | None) -> dict[str, object]:
        return {"value": value, "unit": "1", "uncertainty": 0.05, "method": "", "source": "", "absent_reason": ""}

    ids = np.zeros((SIDE, SIDE), np.uint8)
    ids[28:34, 32:38], ids[28:34, 10:16] = 1, 2
    png = io.BytesIO()
    Image.fromarray(ids).save(png, "PNG")
    curve = {"middles_s": [1.0, 3.0], "durations_s": [2.0, 2.0], "rate_cps": [1.0, 5.0], "uncertainty_cps": [1, 1]}
    curve |= {"arrival": measured(4.0), "slope": measured(2.0)}
    fit = {"code": "osteomyelitis", "name": "osteomyelitis", "agreement": 0.99, "fits": True, "side": "left"}
    fit |= {"evidence_for": ["Flow is up."], "evidence_against": [], "cannot_tell": ["A fracture is alike."]}
    other = {"code": "cellulitis", "name": "cellulitis", "agreement": 0.002, "fits": False, "side": "left"}
    other |= {"evidence_for": [], "evidence_against": ["Delayed is up."], "cannot_tell": []}
    reading = {
        "study": {
            "phases": {
                name: {"moved_mm": 12.0 if name == "pool" else 0.0, "absent_reason": "", "counts": 1.0}
                for name in ("flow", "pool", "delayed")
            },
            "patient": {"sex": "F"},
        },
        "grid": {"rows": SIDE, "columns": SIDE, "pixel_mm": PIXEL_MM, "views": ["anterior", "posterior"]},
        "region": {"side": "left", "area_mm2": 576.0, "found_in": "delayed", "significance": 9.0},
        "findings": [
            {"phase": name, "call": "focal up", "ratio": measured(ratio), "limit": 1.3, "text": ""}
            for name, ratio in (("flow", 2.5), ("pool", 2.75), ("delayed", None))
        ],
        "curves": [curve | {"side": "left"}, curve | {"side": "right"}],
        "arrival_difference": measured(0.0),
        "slope_ratio": measured(2.0),
        "explanations": [one | {"advice": ["Radiograph first."], "source": "made"} for one in (fit, other)],
        "sentences": [f"Flow is up {NEEDLE}."],
        "advice": [],
        "checks": [{"verdict": "warn", "text": "Few counts.", "code": "c"}],
    }
    return {"phases.json": json.dumps(reading).encode(), "phases_region.png": png.getvalue()}


def fill(archive: Archive) -> None:
    at = INJECTION.injected_at
    flow = dynamic(
        counts=np.stack(list(FLOW.values())), acquired_at=at, durations_s=(2.0,) * FRAMES,
        starts_s=tuple(2.0 * k for k in range(FRAMES)), column_spacing_mm=PIXEL_MM,
    )  # fmt: skip
    filing = Filing(body_part="LEG", series_description=f"Flow {NEEDLE}")
    put_objects(archive, *write_dynamic(flow, filing=filing).values())
    for counts, after in ((POOL, timedelta(minutes=5)), (LATE, timedelta(hours=3))):
        views = tuple(
            view(name, own, duration_s=300.0, scan_velocity_mm_per_s=None, row_spacing_mm=PIXEL_MM)
            for name, own in counts.items()
        )
        put_objects(archive, *write_scan(static(views=views, acquired_at=at + after), filing=filing).values())
    put_objects(archive, volume_file(WHOLE, spacings=(3.0, 2.0, 2.0)), study_uid=VOLUME)
    put_objects(archive, volume_file(ODD, RescaleSlope=0.5, RescaleIntercept=0), study_uid=VOLUME)
    put_objects(archive, *write_tomographic(tomographic()).values(), study_uid=VOLUME)
    for number, part in enumerate(("CHEST", "PELVIS"), start=1):
        scan = static(acquired_at=at + timedelta(hours=3, minutes=number))
        files = write_scan(scan, filing=Filing(body_part=part, series_number=number))
        put_objects(archive, *files.values(), study_uid=SPOTS)
    with archive.database.write() as connection:
        connection.execute(study.update().values(queued_revision=study.c.revision))
        done = {"kind": "read", "StudyInstanceUID": PHASES, "revision": 1, "state": "done", "made_at": ""}
        connection.execute(job.insert().values(**done, changed_at=""))
    publish(archive)


def publish(archive: Archive) -> None:
    with archive.database.read() as connection:
        number = connection.execute(job.select()).one().id
    making = archive.results.begin(PHASES, number)  # early phases alone have no reading.json
    for name, content in phases_read().items():
        (making / name).write_bytes(content)
    digest = archive.results.flush(making)
    with archive.database.write() as connection:
        archive.results.publish(connection, making, study_uid=PHASES, job_id=number, sources=["a"], files=digest)


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory, empty_archive: Path) -> Iterator[Callable[[str], Page]]:
    """Open a page of a workstation, as a physician; whatever a page complains of fails the test that opened it."""
    folder = tmp_path_factory.mktemp("series") / "archive"
    shutil.copytree(empty_archive, folder)
    complaints: list[str] = []
    with Archive(folder, Settings(reserve_gib=0.0)) as archive, sync_playwright() as playwright:
        fill(archive)
        settings = HttpSettings(port=0)
        workstation = Workstation(archive, settings, hasher=CHEAP)
        workstation.rooms.people.add("Ada", Role.PHYSICIAN, PASSWORD, actor="test")
        workstation.rooms.studies.catch_up()
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *SOFTWARE_GL])
        with serve(archive, settings, workstation=workstation) as served:
            context = chromium.new_context(
                viewport={"width": 1400, "height": 900}, base_url=f"http://localhost:{served.port}"
            )
            context.set_default_timeout(30_000)

            def open_page(path: str) -> Page:
                page = context.new_page()
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.on("dialog", lambda dialog: complaints.append(dialog.message))
                page.on(
                    "console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None
                )
                page.goto(path)
                return page

            page = open_page("/sign-in")
            page.get_by_label("Name").fill("Ada")
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_url("**/")
            page.close()
            open_page.archive = archive
            yield open_page
            context.close()
        chromium.close()
    assert complaints == []


@pytest.fixture
def opened(visit: Callable[[str], Page]) -> Iterator[Callable[[str], Page]]:
    pages: list[Page] = []

    def open_page(path: str) -> Page:
        pages.append(visit(path))
        expect(pages[-1].locator(".stage[aria-busy=false]")).to_be_attached()
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


STACKS = """async (uid) => {
  const [stacks, painters, service, rois] = await Promise.all(
    ["stacks", "stack_painters", "service", "rois"].map((name) => import(`/static/${name}.js`)));
  const { series } = await service.allSeries(uid);
  const all = [];
  for (const facts of series) all.push(new stacks.Stack(facts, await service.framesOf(uid, facts)));
  window.tried = { stacks, painters, rois, all };
  return series.map((one) => [one.kind, one.phase, one.view, one.frames]);
}"""


def test_webgl_and_canvas_draw_the_same_cuts(opened):
    """Whole numbers and fractions; frames, sums, planes and projections; every kind of grey."""
    page = opened(f"/study/{VOLUME}/volume?painter=canvas")
    page.evaluate(STACKS, VOLUME)
    told = page.evaluate("""() => {
      const { stacks, painters, all } = window.tried;
      const drawers = [painters.webglStackPainter, painters.canvasStackPainter].map((make) =>
        make(Object.assign(document.createElement("canvas"), { width: 151, height: 131 }), true));
      const place = { x: 3, y: 5, width: 140, height: 120, row: -1.3, column: 0.7, rows: 0.37, columns: 0.29 };
      const told = [];
      for (const stack of all) {
        const cuts = [stacks.frameOf(stack, stack.frames - 1), stacks.sumOf(stack, 0, stack.frames - 1)];
        if (stack.facts.kind === "volume") {
          cuts.push(stacks.planeOf(stack, "coronal", 4), stacks.planeOf(stack, "sagittal", 9));
          cuts.push(...[0, 37, 270].map((turn) => stacks.mipOf(stack, turn)));
        }
        for (const cut of cuts) {
          const largest = Math.max(...stacks.flatten(cut));
          for (const gain of [1, 0.37]) for (const log of [false, true]) for (const smooth of [false, true]) {
            const levels = { lower: 0.02 * gain * largest, upper: 0.8 * gain * largest, inverse: true, log, smooth };
            const [a, b] = drawers.map((painter) => painter.pixels([{ ...place, cut, gain }], levels, [23, 26, 31]));
            let most = 0;
            for (let k = 0; k < a.length; k += 1) most = Math.max(most, Math.abs(a[k] - b[k]));
            told.push([`${cut.way} ${stack.data.constructor.name}`, drawers[0].kind, most, new Set(a).size]);
          }
        }
      }
      return told;
    }""")
    assert {kind for _, kind, *_ in told} == {"webgl2"}
    assert len({name for name, *_ in told}) == 10
    # One grey level: both round, the one in 32-bit floats of the card, the other in 64-bit ones.
    assert max(most for *_, most, _ in told) <= 1
    assert min(kinds for *_, kinds in told) > 5  # pictures, not one grey


def test_planes_and_projections_are_those_of_the_volume(opened):
    """Witness: numpy. From in front and behind, left and right, rays run along rows and columns of equal spacing."""
    page = opened(f"/study/{VOLUME}/volume?painter=canvas")
    kinds = page.evaluate(STACKS, VOLUME)
    at = next(k for k, (kind, *_, frames) in enumerate(kinds) if (kind, frames) == ("volume", len(WHOLE)))
    cuts = page.evaluate(
        """(at) => {
      const { stacks, all } = window.tried;
      const stack = all[at];
      const cuts = [stacks.frameOf(stack, 2), stacks.sumOf(stack, 1, 3), stacks.planeOf(stack, "coronal", 5),
        stacks.planeOf(stack, "sagittal", 11), ...[0, 90, 180, 270].map((turn) => stacks.mipOf(stack, turn))];
      const plain = cuts.map((cut) => [stacks.sizeOf(cut).rows, stacks.sizeOf(cut).columns, ...stacks.flatten(cut)]);
      return [...plain, stacks.brightest(stack, 0, 2, 11 + 4), stacks.brightest(stack, 90, 2, 5 + 3)];
    }""",
        at,
    )
    *flats, front, left = cuts
    flats = [np.array(flat[2:]).reshape(flat[:2]) for flat in flats]
    up = WHOLE[::-1]  # the head is up
    for flat, expected in zip(flats[:4], (WHOLE[2], WHOLE[1:4].sum(axis=0), up[:, 5], up[:, :, 11]), strict=True):
        np.testing.assert_array_equal(flat, expected)
    bins = flats[4].shape[1]
    assert bins % 2 == 1  # the bins lie on the 15 columns, and on the 17 rows
    sides = (up.max(axis=1), up.max(axis=2), up.max(axis=1)[:, ::-1], up.max(axis=2)[:, ::-1])
    for flat, expected in zip(flats[4:], sides, strict=True):
        beside = (bins - expected.shape[1]) // 2
        # Cosines of right angles are not quite 0 in floats.
        np.testing.assert_allclose(flat[:, beside : beside + expected.shape[1]], expected, rtol=1e-5, atol=1e-3)
    assert (bins - 15) // 2 == 4
    assert front == left == {"slice": 4, "row": 5, "column": 11}


def _value(page: Page) -> float:
    return float(page.locator(".readout").inner_text().split()[0])


def test_the_cross_hair_is_led_by_keys_and_hand_through_all_planes(opened):
    page = opened(f"/study/{VOLUME}/volume?painter=canvas")
    for k in range(2):  # the volume whose hottest voxel is the known one
        page.locator("select").select_option(index=k)
        expect(page.locator(".stage[aria-busy=false]")).to_be_attached()
        page.keyboard.press("h")
        if _value(page) == WHOLE.max():
            break
    page.locator(".over").focus()
    assert _value(page) == WHOLE[4, 5, 11]
    page.keyboard.press("ArrowRight")  # transverse from the feet: to the patient's left
    assert _value(page) == WHOLE[4, 5, 12]
    page.keyboard.press("PageUp")  # towards the head
    assert _value(page) == WHOLE[5, 5, 12]
    page.keyboard.press("2")
    page.keyboard.press("ArrowDown")  # coronal: towards the feet
    page.keyboard.press("PageUp")  # to the front
    assert _value(page) == WHOLE[4, 4, 12]
    page.keyboard.press("3")
    page.keyboard.press("ArrowLeft")  # sagittal from the left: to the front
    page.keyboard.press("PageUp")  # to the left
    assert _value(page) == WHOLE[4, 3, 13]
    box = page.locator(".over").bounding_box()
    half = (box["height"] - 2) / 2
    # The coronal pane's middle, 11 below its own middle for the name over the picture: the volume's middle.
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + half / 2 + 11)
    assert _value(page) == WHOLE[3, 3, 7]
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + half / 2)
    page.mouse.wheel(0, -100)
    assert _value(page) == WHOLE[4, 3, 7]


@pytest.mark.parametrize("painter", ["webgl2", "canvas"])
def test_the_projection_spins_and_projections_run(opened, painter):
    page = opened(f"/study/{VOLUME}/volume?painter={painter}")
    turn = page.locator("output[for=cine-at]")
    expect(turn).to_have_text("0°")
    page.locator(".over").focus()
    page.keyboard.press("Space")
    expect(turn).not_to_have_text("0°")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Spin")).to_be_visible()
    page.locator("select").select_option(index=2)  # the camera's projections
    expect(turn).to_have_text("1 of 16, 0°, from behind")
    page.locator(".over").focus()
    page.keyboard.press(".")
    expect(turn).to_have_text("2 of 16, 23°, from behind")


def test_regions_count_what_numpy_counts(opened):
    """An ellipse on the left leg and its counterpart, in both views of every phase."""
    page = opened(f"/study/{PHASES}/phases?painter=canvas")
    kinds = page.evaluate(STACKS, PHASES)
    found = page.evaluate("""() => {
      const { rois, all } = window.tried;
      const region = { kind: "ellipse", x: 44, y: 24, wide: 20, high: 14, mate: { x: -44, y: 24 } };
      return ["flow", "pool", "delayed"].map((phase) => {
        const sides = rois.bothSides(all.filter((stack) => stack.facts.phase === phase), region);
        return { ...sides, ratio: rois.sideRatio(sides) };
      });
    }""")
    assert [tuple(one[1:]) for one in kinds] == [
        (name, side, n)
        for name, n in (("flow", FRAMES), ("pool", 1), ("delayed", 1))
        for side in ("anterior", "posterior")
    ]
    y, x = (np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2) * PIXEL_MM
    for told, counts in zip(found, (FLOW, POOL, LATE), strict=True):
        left = right = np.zeros(())
        for name, own in counts.items():
            front = x if name is ViewName.ANTERIOR else -x
            inside = [((front - middle) / 20) ** 2 + ((y - 24) / 14) ** 2 <= 1 for middle in (44, -44)]
            left = left + (own * inside[0]).sum(axis=(-2, -1))
            right = right + (own * inside[1]).sum(axis=(-2, -1))
        assert (told["own"], told["mate"]) == (left.sum(), right.sum())
        assert [point["own"] for point in told["points"]] == np.atleast_1d(left).tolist()
        assert told["ratio"]["value"] == pytest.approx(left.sum() / right.sum())
        spread = told["ratio"]["value"] * np.sqrt(1 / left.sum() + 1 / right.sum())
        assert told["ratio"]["spread"] == pytest.approx(spread)


def test_phases_are_worked_by_keyboard(opened):
    page = opened(f"/study/{PHASES}/phases?painter=canvas")
    expect(page.locator(".impression")).to_contain_text("Flow is up <img")  # a text, no picture
    assert page.locator("main img").count() == 0
    page.locator(".over").focus()
    at = page.locator("output[for=cine-at]")
    sums = page.get_by_role("button", name="Sum of frames")
    expect(sums).to_have_attribute("aria-pressed", "true")
    page.keyboard.press(".")
    expect(at).to_have_text("2/10")
    expect(sums).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("a")
    expect(sums).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Space")
    expect(at).not_to_have_text("2/10")
    page.keyboard.press("Space")
    page.keyboard.press("e")
    rows = page.locator(".ratios tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("2.50 ± 0.05")  # the reading's own
    expect(rows.nth(2)).to_contain_text("–")
    before = rows.nth(1).inner_text()
    page.keyboard.press("Shift+ArrowLeft")
    expect(rows.nth(1)).not_to_have_text(before)
    assert page.locator("svg.curves path.own.live").count() == 1
    page.keyboard.press("Delete")
    expect(rows).to_have_count(0)
    page.keyboard.press("g")
    expect(page.get_by_role("button", name="One scale")).to_have_attribute("aria-pressed", "false")


def test_the_readings_table_gives_its_reasons(opened):
    page = opened(f"/study/{PHASES}/phases?painter=canvas")
    fits = page.locator("details.fits")
    expect(fits).to_contain_text("Osteomyelitis, left")
    fits.locator("summary").click()
    for text in ("Flow is up.", "A fracture is alike.", "Radiograph first."):
        expect(fits).to_contain_text(text)
    expect(page.locator("details.explanation").nth(1)).to_contain_text("< 1 %")
    expect(page.locator(".impression .warnings")).to_contain_text("Few counts.")
    expect(page.locator(".impression .warnings")).to_contain_text("12 mm")
    expect(page.get_by_role("button", name="Reading's region")).to_be_visible()  # its outline is there


def test_a_region_is_drawn_by_hand_and_its_counterpart_appears(opened):
    page = opened(f"/study/{PHASES}/phases?painter=canvas")
    box = page.locator(".over").bounding_box()
    x, y = box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 4  # the pool from in front, on its right
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 60, steps=4)
    page.mouse.up()
    expect(page.locator(".legend .own")).to_contain_text("left")
    expect(page.locator(".legend .mate")).to_contain_text("right")
    page.mouse.move(x, y)
    expect(page.locator(".readout")).to_contain_text("Blood pool, anterior · ")
    counts = page.locator(".ratios tbody tr").nth(1).locator(".counted").inner_text()
    own, mate = (float(n.replace(",", "")) for n in counts.split(" : "))
    assert min(own, mate) > 0


def test_all_views_are_on_one_sheet_and_one_alone(opened):
    page = opened(f"/study/{SPOTS}/spots?painter=canvas")
    alone = page.get_by_role("button", name="Alone")
    page.locator(".over").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(alone).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(alone).to_have_attribute("aria-pressed", "false")
    page.locator(".over").dblclick(position={"x": 200, "y": 150})
    expect(alone).to_have_attribute("aria-pressed", "true")


@pytest.mark.parametrize(
    ("uid", "names"), [(PHASES, ["Three phases", "All views"]), (VOLUME, ["Volume"]), (SPOTS, ["All views"])]
)
def test_a_study_leads_to_the_pages_on_what_it_holds(opened, visit, uid, names):
    page = visit(f"/study/{uid}")
    links = page.locator(".controls nav a")
    expect(links).to_have_count(len(names))
    assert links.all_inner_texts() == names
    links.first.click()
    expect(page.locator(".stage[aria-busy=false]")).to_be_attached()
    page.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("path", [f"{PHASES}/phases", f"{VOLUME}/volume", f"{SPOTS}/spots"])
def test_axe_finds_nothing(opened, path, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(f"/study/{path}?painter=canvas")
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    if path.endswith("phases"):
        expect(page.locator("details.explanation").first).to_be_attached()
        page.keyboard.press("e")
        page.locator("details.fits summary").click()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], "preload": False}
    page.evaluate(axe.Axe().axe_script)
    found = page.evaluate("(rules) => axe.run(rules)", rules)["violations"]
    assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []


def test_a_newer_reading_is_told_and_not_put_over_what_was_drawn(opened, visit):
    page = opened(f"/study/{PHASES}/phases?painter=canvas")
    expect(page.locator("details.fits")).to_be_attached()
    page.keyboard.press("e")
    listening = "performance.getEntriesByType('resource').some((one) => one.name.includes('/changes?after=0'))"
    page.wait_for_function(listening)
    publish(visit.archive)
    expect(page.locator(".notes a")).to_have_text("Show it")
    expect(page.locator(".ratios tbody tr")).to_have_count(3)
