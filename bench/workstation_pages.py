"""How fast the pages are in a real Chromium: first paint of a study, and frames a second while the window is dragged.

The study is a doll of whole-body size, 1024 x 256, served over loopback by the tests' stand-in, so that the pages alone
are measured. A frame counts when the browser asks for it (requestAnimationFrame) and gets a new
window drawn.

    python -m bench.workstation_pages
"""

from __future__ import annotations

import argparse
import shutil

import numpy as np
from playwright.sync_api import Page, sync_playwright
from tests.workstation.stand_in import Department, made_study, serving

SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
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
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *SOFTWARE_GL]
        )
        for painter in ("webgl2", "canvas"):
            paints, rates = [], []
            for _ in range(chosen.runs):
                page = browser.new_page(viewport={"width": 1680, "height": 1000})
                page.goto(f"{address}/study/1.2.10?painter={painter}")
                page.wait_for_selector(".part.findings")
                page.wait_for_selector(".stage[aria-busy=false]")
                paints.append(_first_picture_ms(page))
                rates.append(page.evaluate(DRAG, chosen.seconds))
                page.close()
            print(
                f"{painter:7} first picture {np.median(paints):6.0f} ms (worst {max(paints):.0f})   "
                f"window slider {np.median(rates):5.1f} frames/s (worst {min(rates):.1f})"
            )
        browser.close()


def _first_picture_ms(page: Page) -> float:
    return float(page.evaluate("performance.getEntriesByName('first-picture')[0].startTime"))


if __name__ == "__main__":
    main()
