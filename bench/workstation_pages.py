"""How fast the pages are in a real Chromium: first paint of a study, and frames a second while the window is dragged.

The study is a doll of whole-body size, 1024 x 256, served over loopback by the tests' stand-in, so that the pages alone
are measured. A frame counts when the browser asks for it (requestAnimationFrame) and gets a new window drawn. The
browser is as it starts on a machine without a graphics card. Where the machine has other work, how much processor time
all its processes take for a frame says more than the frames a second.

    python -m bench.workstation_pages
"""

from __future__ import annotations

import argparse
import shutil

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright
from tests.workstation.stand_in import Department, made_study, serving

WITHOUT_A_CARD = ["--enable-unsafe-swiftshader"]  # WebGL is drawn in software, and pages are put together so anyway
DRAG = """(seconds) => new Promise((done) => {
  const slider = document.querySelector("#level-upper");
  const began = performance.now();
  let frames = 0;
  const frame = (now) => {
    if (now - began > 1000 * seconds) return done(frames / ((now - began) / 1000));
    slider.value = String(300 + (frames * 7) % 500);
    slider.dispatchEvent(new Event("input"));
    frames += 1;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})"""


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("--seconds", type=float, default=4.0)
    told.add_argument("--runs", type=int, default=5)
    chosen = told.parse_args()
    study = made_study("1.2.10", "Bench^Mark")
    study.views = {
        name: np.kron(counts, np.ones((3, 2), np.uint16))[:1024, :256] for name, counts in study.views.items()
    }
    study.files = {name: content for name, content in study.files.items() if not name.startswith("regions")}
    with serving(Department([study], [])) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *WITHOUT_A_CARD]
        )
        for painter in ("chosen by the page", "canvas", "webgl2"):
            paints, rates, costs = [], [], []
            for _ in range(chosen.runs):
                page = browser.new_page(viewport={"width": 1680, "height": 1000})
                page.goto(f"{address}/study/1.2.10" + (f"?painter={painter}" if " " not in painter else ""))
                page.wait_for_selector(".part.findings")
                page.wait_for_selector(".stage[aria-busy=false]")
                paints.append(_first_picture_ms(page))
                began_s = _processor_s(browser)
                rates.append(page.evaluate(DRAG, chosen.seconds))
                costs.append(1000 * (_processor_s(browser) - began_s) / (rates[-1] * chosen.seconds))
                page.close()
            print(
                f"{painter:18} first picture {np.median(paints):5.0f} ms (worst {max(paints):.0f})   window slider "
                f"{np.median(rates):5.1f} frames/s (worst {min(rates):.1f}), {np.median(costs):5.1f} ms of CPU a frame"
            )
        browser.close()


def _first_picture_ms(page: Page) -> float:
    return float(page.evaluate("performance.getEntriesByName('first-picture')[0].startTime"))


def _processor_s(browser: Browser) -> float:
    """Processor time of all processes of the browser so far."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return sum(one["cpuTime"] for one in told["processInfo"])


if __name__ == "__main__":
    main()
