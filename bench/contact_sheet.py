"""Draw simulated studies side by side, to be looked at: a cohort, or one for each packaged scenario.

Run: python bench/contact_sheet.py OUT.png [--seed 1] [--count 60] [--scenarios] [--only NAME ...] [--full]
     [--counts 1.5e6] [--scale 0.6] [--across 10]

Each study is `bonescan simulate`'s own quick look, by the fast mode unless ``--full`` asks for the whole camera.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image

from bonescan import journeys
from bonescan.patient.scenario_file import scenario_names

COLOURS = 64


def sheet(pictures: list[Image.Image], across: int, scale: float) -> Image.Image:
    """All pictures in rows, each in a cell as large as the largest needs."""
    small = [
        picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    width, height = max(one.width for one in small), max(one.height for one in small)
    page = Image.new("RGB", (across * width, -(-len(small) // across) * height), "white")
    for k, one in enumerate(small):
        page.paste(one, (k % across * width, k // across * height))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--across", type=int, default=10)
    parser.add_argument("--scenarios", action="store_true", help="one study of each packaged scenario")
    parser.add_argument("--only", nargs="*", default=[], help="these packaged scenarios")
    parser.add_argument("--full", action="store_true", help="fine voxels and Monte Carlo scatter")
    parser.add_argument("--counts", type=float, default=1.5e6)
    parser.add_argument("--scale", type=float, default=0.6)
    arguments = parser.parse_args()
    settings = journeys.Settings(counts=arguments.counts, fast=not arguments.full, volumes=False)
    names = tuple(arguments.only) or (scenario_names() if arguments.scenarios else ())
    wanted = [(name, 0) for name in names] or [
        (journeys.COHORT, k) for k in range(arguments.first, arguments.first + arguments.count)
    ]
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, number in wanted:
            out = Path(folder) / f"{name}-{number}"
            journeys.simulate(name, out, seed=arguments.seed, number=number, settings=settings)
            with Image.open(out / "preview.png") as picture:
                pictures.append(picture.convert("RGB"))
    page = sheet(pictures, min(arguments.across, len(pictures)), arguments.scale)
    page.quantize(COLOURS, dither=Image.Dither.NONE).save(arguments.out, optimize=True)
    print(f"{len(pictures)} studies in {arguments.out}, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
