"""Make the README's picture: a simulated scan, read, its overlays side by side; print what is in it and what was found.

Run: PYTHONPATH=src python bench/picture.py docs/pictures/simulated-reading.png [--scenario metastases] [--seed 9]

The picture shows whatever this version finds, false marks among it: make it anew when findings change, and let the
README's caption say what the printed lists say.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from PIL import Image

from bonescan import journeys
from bonescan.scan import ViewName

HEIGHT, COLOURS = 1050, 96


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.png")
    parser.add_argument("--scenario", default="metastases")
    parser.add_argument("--seed", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study, read = Path(folder) / "study", Path(folder) / "reading"
        settings = journeys.Settings(counts=1.5e6, volumes=False)
        journeys.simulate(arguments.scenario, study, seed=arguments.seed, settings=settings)
        reading = journeys.read([study], read)
        truth = json.loads((study / "truth" / "truth.json").read_text(encoding="utf-8"))
        views = [Image.open(read / f"overlay_{view.value}.png").convert("RGB") for view in ViewName]
    joined = Image.new("RGB", (sum(view.width for view in views), max(view.height for view in views)), "white")
    x = 0
    for view in views:
        joined.paste(view, (x, 0))
        x += view.width
    small = joined.resize((round(joined.width * HEIGHT / joined.height), HEIGHT), Image.Resampling.LANCZOS)
    # An octree keeps the few green and red pixels that a median cut gives away to greys.
    few = small.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(arguments.out, optimize=True)
    for lesion in truth["lesions"]:
        seen = {
            view: f"contrast {told['contrast']:.2f}, SNR {told['snr']:.0f}" for view, told in lesion["views"].items()
        }
        print(f"put in: {lesion['label']}, {seen}")
    for finding in reading.findings:
        print(f"found: {finding.letter} {finding.kind} {finding.place}, {finding.uptake_ratio:.1f} times normal")
    print(f"written: {arguments.out}, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
