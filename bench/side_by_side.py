"""A sheet of real and simulated whole-body scans in the same window, to tell them apart by eye.

Run: python bench/side_by_side.py OUT.png --real FOLDER [--count 12] [--seed 1] [--spacing-mm 4] [--rows 0.1 0.45]
     [--enlarge 1] [--cache FOLDER]

Writes OUT.png without names and OUT_labelled.png with them; the key of the first goes to the standard output. Real
scans are taken back to counts and simulated ones lose the low counts the exports lost (`bench/exports.py`), so both
come the same way. Each is shown from in front and behind on the camera's pixels, in inverse grey up to twice what 97 %
of the body's pixels stay below. ``--rows`` shows that part of the height alone, ``--enlarge`` makes pixels larger. With
``--cache`` expected pictures are kept there between runs. The sheets hold real scans: they are for the eye, not for the
project.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from bonescan.scan import ViewName
from exports import Exported, exported, exports_in
from simulated_scans import Pictures, pictures, simulated_patient

Page = NDArray[np.float64]

HEIGHT, WIDTH, ACROSS = 800, 232, 8
BAR = 18


def window(one: Exported) -> float:
    """Counts shown black: twice what 97 % of the body's pixels stay below, both views together."""
    smooth = np.concatenate([ndimage.gaussian_filter(view.counts, 0.6).ravel() for view in one.scan.views])
    body = smooth[smooth > 0.02 * np.percentile(smooth, 99.5)]
    return 2.0 * float(np.percentile(body, 97.0))


def tile(one: Exported, rows: tuple[float, float], enlarge: int) -> Page:
    """Both views beside each other, 255 where nothing is."""
    top = window(one)
    views = []
    for view in one.scan.views:
        height = view.counts.shape[0]
        part = view.counts[int(rows[0] * height) : int(rows[1] * height), :WIDTH]
        page = np.full((round((rows[1] - rows[0]) * HEIGHT), WIDTH), 255.0)
        left = (WIDTH - part.shape[1]) // 2
        part = part[: page.shape[0]]
        page[: part.shape[0], left : left + part.shape[1]] = 255 * (1 - np.clip(part / top, 0, 1) ** 0.9)
        views.append(page)
    return np.kron(np.hstack(views), np.ones((enlarge, enlarge)))


def sheet(tiles: list[Page], names: list[str], across: int) -> Image.Image:
    height, width = tiles[0].shape
    page = Image.new("L", (across * width, -(-len(tiles) // across) * (height + BAR)), 255)
    draw = ImageDraw.Draw(page)
    for k, (one, name) in enumerate(zip(tiles, names, strict=True)):
        left, top = k % across * width, k // across * (height + BAR)
        page.paste(Image.fromarray(one.astype(np.uint8)), (left, top + BAR))
        draw.text((left + 4, top + 3), name, fill=0)
    return page


def expected(seed: int, number: int, spacing_mm: float, cache: Path | None) -> Pictures:
    """Expected pictures of one simulated person, kept in ``cache`` if there is one."""
    kept = cache / f"{number}.npz" if cache else None
    if kept and kept.exists():
        with np.load(kept) as stored:
            return {name: stored[name.value].astype(float) for name in (ViewName.ANTERIOR, ViewName.POSTERIOR)}
    found = pictures(*simulated_patient(seed, number), spacing_mm)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, **{name.value: picture.astype(np.float32) for name, picture in found.items()})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--people-seed", type=int, default=7)
    parser.add_argument("--spacing-mm", type=float, default=4.0)
    parser.add_argument("--rows", type=float, nargs=2, default=(0.0, 1.0))
    parser.add_argument("--enlarge", type=int, default=1)
    parser.add_argument("--across", type=int, default=ACROSS)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    exports = exports_in(arguments.real)
    chosen = [exports[k] for k in rng.permutation(len(exports))[: arguments.count]]
    scans = [("real", one) for one in chosen]
    for number in rng.permutation(len(exports))[: arguments.count]:
        views = expected(arguments.people_seed, int(number), arguments.spacing_mm, arguments.cache)
        like = exports[int(rng.integers(len(exports)))]
        scans.append(("simulated", exported(views, like, rng, str(number))))
    order = rng.permutation(len(scans))
    tiles = [tile(scans[k][1], tuple(arguments.rows), arguments.enlarge) for k in order]
    numbers = [str(k + 1) for k in range(len(order))]
    names = [f"{n}: {scans[k][0]} {scans[k][1].name}" for n, k in zip(numbers, order, strict=True)]
    sheet(tiles, numbers, arguments.across).save(arguments.out)
    sheet(tiles, names, arguments.across).save(arguments.out.with_stem(f"{arguments.out.stem}_labelled"))
    print("\n".join(names))


if __name__ == "__main__":
    main()
