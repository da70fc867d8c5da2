"""How fast moving pictures are in a real Chromium: first picture, frames a second of the cine and of the projection.

A flow of 60 frames and two views of 128 x 128 pixels beside pool and delayed views of 256 x 256, and a volume of 128
voxels a side, served by the workstation itself over loopback. A frame counts when the browser asks for it
(requestAnimationFrame) and gets the next one drawn.

    python -m bench.series_pages
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
from playwright.sync_api import BrowserContext, sync_playwright
from tests.dicom.scans import INJECTION, dynamic, static, view
from tests.dicom.test_viewing import volume_file
from tests.workstation.conftest import CHEAP, PASSWORD
from tests.workstation.test_series import put_objects

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.dicom import write_dynamic, write_scan
from bonescan.scan import ViewName
from bonescan.workstation import HttpSettings, Role, Workstation, serve

WITHOUT_A_CARD = ["--enable-unsafe-swiftshader"]  # WebGL is drawn in software, and pages are put together so anyway
FLOW, VOLUME = "1.2.3.4", "1.2.3.5"
STEP = """(seconds) => new Promise((done) => {
  const slider = document.querySelector("#cine-at");
  const [began, count] = [performance.now(), Number(slider.max) + 1];
  let frames = 0;
  const frame = (now) => {
    if (now - began > 1000 * seconds) return done(frames / ((now - began) / 1000));
    slider.value = String(frames % count);
    slider.dispatchEvent(new Event("input"));
    frames += 1;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--seconds", type=float, default=4.0)
    told.add_argument("--runs", type=int, default=3)
    chosen = told.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        Archive(Path(folder) / "archive", Settings(reserve_gib=0.0)) as archive,
    ):
        fill(archive)
        settings = HttpSettings(port=0)
        workstation = Workstation(archive, settings, hasher=CHEAP)
        workstation.rooms.people.add("Ada", Role.PHYSICIAN, PASSWORD, actor="bench")
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", *WITHOUT_A_CARD])
        with serve(archive, settings, workstation=workstation) as served:
            address = f"http://localhost:{served.port}"
            context = browser.new_context(viewport={"width": 1680, "height": 1000}, base_url=address)
            sign_in(context)
            for painter in ("webgl2", "canvas"):
                for what, path in (("cine", f"{FLOW}/phases"), ("projection", f"{VOLUME}/volume")):
                    measure(context, painter, what, path, chosen.seconds, chosen.runs)
            context.close()
        browser.close()


def fill(archive: Archive) -> None:
    rng, at = np.random.default_rng(540), INJECTION.injected_at
    flow = dynamic(
        counts=rng.poisson(2, (2, 60, 128, 128)), acquired_at=at, starts_s=tuple(2.0 * k for k in range(60)),
        durations_s=(2.0,) * 60, column_spacing_mm=4.0,
    )  # fmt: skip
    put_objects(archive, *write_dynamic(flow).values())
    for after in (timedelta(minutes=5), timedelta(hours=3)):
        views = tuple(
            view(name, rng.poisson(20, (256, 256)), duration_s=300.0, scan_velocity_mm_per_s=None) for name in ViewName
        )
        put_objects(archive, *write_scan(static(views=views, acquired_at=at + after)).values())
    values = rng.poisson(9, (128, 128, 128)).astype(np.uint16)
    put_objects(archive, volume_file(values, spacings=(4.0, 4.0, 4.0)), study_uid=VOLUME)


def sign_in(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")
    page.close()


def measure(context: BrowserContext, painter: str, what: str, path: str, seconds: float, runs: int) -> None:
    paints, rates = [], []
    for _ in range(runs):
        page = context.new_page()
        page.goto(f"/study/{path}?painter={painter}")
        page.wait_for_selector(".stage[aria-busy=false]")
        page.wait_for_selector("#cine-at")
        paints.append(page.evaluate("performance.getEntriesByName('first-picture')[0].startTime"))
        page.evaluate(STEP, seconds)  # every frame is worked out once
        rates.append(page.evaluate(STEP, seconds))
        page.close()
    print(
        f"{painter:7} {what:10} first picture {np.median(paints):6.0f} ms (worst {max(paints):.0f})   "
        f"{np.median(rates):5.1f} frames/s (worst {min(rates):.1f})"
    )


if __name__ == "__main__":
    main()
