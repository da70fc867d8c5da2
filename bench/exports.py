"""Eight-bit exports of whole-body scans: what was done to their counts, undone for real, done to simulated scans.

Run: python bench/exports.py FOLDER

``FOLDER`` holds exports as ``ID.dcm``. Their pixels tell how they were made. Some rows and columns only repeat the one
before, evenly spread: the picture was stretched by copying to a fixed shape. The values that occur form a comb ::

    value = round(s n),   n = 0, t + 1, t + 2, ...

so n are the counts, s brings every view to about one million, and pixels of up to t counts (0 to 3) were emptied. The
differences of neighbouring pixels prove it: their variance over their mean is s, as for Poisson counts, in either
direction once the copies are gone. A view so read has the counts of the camera again, on its own square pixels, but for
the emptied ones. With the mean L of the counts at a place, what is left of them there has the mean ::

    E[n; n > t] = L P(N >= t),   N ~ Poisson(L)

which grows with L and can be inverted (`mean_counts`); a place with less than a tenth of a count is lost. Differences
of a value by one (a lossy picture format on the way) are rounded away. No factor between pixels and mm is in the files;
2.4 mm, the spacing they give, makes people 1.5 to 1.9 m tall.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from bonescan.dicom import open_scan
from bonescan.scan import Scan, View, ViewName

Array = NDArray[np.float64]
Counts = NDArray[np.float32]

PIXEL_MM = 2.3976
SHAPE = (1024, 256)
MOST_EMPTIED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """How one view was exported: ``value = round(scale n)`` of counts above ``emptied``."""

    scale: float
    emptied: int

    def of(self, counts: Array) -> Counts:
        """Counts with the low ones emptied, as the export leaves them."""
        return np.where(counts > self.emptied, counts, 0).astype(np.float32)

    def mean_counts(self, left: Array) -> Array:
        """Mean counts at places where the mean of what the export left is given."""
        means = np.concatenate([np.linspace(0, 12, 1201), np.linspace(12.1, 400, 2000)])
        return np.interp(left, means * stats.poisson.sf(self.emptied - 1, means), means)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exported:
    """A scan in counts with the exports of its views, in their order."""

    name: str
    scan: Scan
    exports: tuple[Export, ...]

    def pairs(self) -> Iterator[tuple[View, Export]]:
        """Every view with its export."""
        return zip(self.scan.views, self.exports, strict=True)


def without_copies(values: Counts) -> Counts:
    """The picture without rows and columns that repeat the one before them."""
    for axis in (0, 1):
        values = np.compress(_new(np.moveaxis(values, axis, 0)), values, axis=axis)
    return values


def _new(lines: Counts) -> NDArray[np.bool_]:
    busy = np.maximum(lines[1:], lines[:-1]) >= 4
    same = (np.abs(np.diff(lines, axis=0)) <= 1) & busy
    many = busy.sum(axis=1)
    return np.r_[True, ~((many >= 6) & (same.sum(axis=1) > 0.9 * many))]


def export_of(values: Counts) -> Export:
    """The scale and the emptied counts of a view without copies, from its comb of values."""
    across = (values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:]) ** 2 / 6
    local = ndimage.uniform_filter(values, 5)[:, 1:-1]
    flat = (local > 14) & (local < 30)
    rough = float(np.median(across[flat]) / 0.455 / local[flat].mean())  # median of a squared normal: 0.455
    histogram = np.bincount(values.astype(int).ravel(), minlength=91)[:90].astype(float)
    scales = np.arange(0.8 * rough, 1.2 * rough, 0.0005)
    scale = float(scales[np.argmax([_likelihood(histogram, scale) for scale in scales])])
    n = np.bincount(_counts(values, scale).ravel(), minlength=MOST_EMPTIED + 3)
    emptied = next((k for k in range(MOST_EMPTIED + 1) if n[k + 1] > 0.3 * n[k + 2]), MOST_EMPTIED)
    return Export(scale=scale, emptied=emptied)


def _likelihood(histogram: Array, scale: float) -> float:
    """Of a histogram, were its values round(scale n) of a smooth distribution, a tenth of them off by one."""
    teeth = np.bincount(np.rint(np.arange(1, 88 / scale) * scale).astype(int), minlength=90)[:90].astype(float)
    teeth = 0.9 * teeth + 0.05 * (np.roll(teeth, 1) + np.roll(teeth, -1))
    smooth = ndimage.uniform_filter1d(histogram, 9) / np.maximum(ndimage.uniform_filter1d(teeth, 9), 1e-6)
    expected = np.maximum(teeth * smooth, 0.5)[7:70]
    return float((histogram[7:70] * np.log(expected) - expected).sum())


def _counts(values: Counts, scale: float) -> NDArray[np.int64]:
    return np.where(values > 1, np.rint(values / scale), 0).astype(np.int64)


def open_export(path: Path) -> Exported:
    """An export as counts on its camera's pixels."""
    views, exports = [], []
    for view in open_scan([path]).views:
        values = without_copies(view.counts)
        export = export_of(values)
        exports.append(export)
        counts = export.of(_counts(values, export.scale))
        views.append(
            View(
                name=view.name,
                counts=counts,
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                identity_basis=view.identity_basis,
                counts_accumulated=float(counts.sum()),
            )
        )
    return Exported(name=path.stem, scan=Scan(views=tuple(views)), exports=tuple(exports))


@cache
def exports_in(folder: Path) -> tuple[Exported, ...]:
    """All exports of a folder, in the order of their numbers."""
    return tuple(open_export(path) for path in sorted(folder.glob("*.dcm"), key=lambda path: int(path.stem)))


def exported(pictures: dict[ViewName, Array], like: Exported, rng: np.random.Generator, name: str) -> Exported:
    """A simulated scan as such an export would show it.

    Parameters
    ----------
    pictures : mapping of ViewName to (row, column) ndarray
        Expected counts on square pixels of `PIXEL_MM`, in any unit.
    like : Exported
        Whose counts and emptied pixels it is given: Poisson counts are drawn for as large a mean as this scan's views
        had before they were emptied.
    rng : numpy.random.Generator
    name : str
    """
    views, exports = [], []
    for view, export in like.pairs():
        expected = pictures[view.name] / pictures[view.name].sum()
        total = float(view.counts.sum())
        for _ in range(20):  # until as much is left as in the other scan
            left = float((expected * total * stats.poisson.sf(export.emptied - 1, expected * total)).sum())
            total *= view.counts.sum() / left
        counts = export.of(_cropped(rng.poisson(expected * total).astype(float)))
        exports.append(export)
        views.append(
            View(
                name=view.name,
                counts=counts,
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                identity_basis="simulated",
                counts_accumulated=float(counts.sum()),
            )
        )
    return Exported(name=name, scan=Scan(views=tuple(views)), exports=tuple(exports))


def _cropped(counts: Array) -> Array:
    """The box of the body, as the exports show it."""
    smooth = ndimage.gaussian_filter(counts, 2.0)
    inside = ndimage.binary_opening(smooth > 0.02 * np.percentile(smooth[smooth > 0.05], 95), iterations=2)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return counts[max(rows[0] - 2, 0) : rows[-1] + 3, max(columns[0] - 1, 0) : columns[-1] + 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    print(f"{'scan':<6}{'view':<11}{'rows':>5}{'columns':>8}{'scale':>7}{'emptied':>8}{'counts':>9}{'var/mean':>10}")
    for one in exports_in(parser.parse_args().folder):
        for view, export in one.pairs():
            n = view.counts
            local = ndimage.uniform_filter(n, 5)
            flat = (local > 10) & (local < 16)
            both = [
                float((d[flat[cut]] ** 2).mean() / local[cut][flat[cut]].mean())
                for d, cut in (
                    ((n[:, :-2] - 2 * n[:, 1:-1] + n[:, 2:]) / 6**0.5, np.s_[:, 1:-1]),
                    ((n[:-2] - 2 * n[1:-1] + n[2:]) / 6**0.5, np.s_[1:-1]),
                )
            ]
            print(
                f"{one.name:<6}{view.name.value:<11}{n.shape[0]:>5}{n.shape[1]:>8}{export.scale:>7.3f}{export.emptied:>8}"
                f"{n.sum() / 1e6:>8.2f}M{both[0]:>6.2f}{both[1]:>5.2f}"
            )


if __name__ == "__main__":
    main()
