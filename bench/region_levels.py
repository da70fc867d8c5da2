"""Count levels by region, noise and sharpness: exported real scans against simulated ones, measured the same way.

Run: python bench/region_levels.py FOLDER [--patients 22] [--seed 7] [--spacing-mm 4] [--json OUT.json] [--half 0|1]

Real scans are taken back to counts by `bench/exports.py`. Simulated people (`bench/simulated_scans.py`) get as many
counts as the real scans have, one for one, and lose the same low counts. Both are then labelled by
`bonescan.reading.labels`, and all is measured on the mean counts that what is left stands for, smoothed a little.
Levels are over the median of the lumbar spine in the posterior view. Regions are the reading's; bones and places are
where its fitted skeleton puts them, so a bad fit blurs both kinds alike. Lesions are in both: medians over scans stand.

Printed for every measure: quartiles over the real and over the simulated scans, the ratio of the medians and the
spreads between people (half the width from the 16th to the 84th percentile of the logarithm, of ratios).
``--half`` takes only the real scans of even (0) or odd (1) place in the order of their numbers: levels may be mended
with one half in view and judged on the other.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy import REGION_NAMES
from bonescan.reading.labels import label
from bonescan.reading.model import LabelledView, Labels
from bonescan.scan import ViewName
from exports import PIXEL_MM, Exported, exported, exports_in
from simulated_scans import pictures, simulated_patient

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Measures = dict[str, float]

SMOOTH, WIDE = 1.2, 3.0  # pixels: bones; soft tissue
LUMBAR, RIBS, PELVIS, SACRUM = 9, 4, 11, 10


def measured(one: Exported) -> Measures | None:
    """All measures of one scan; None where its labels are not trusted."""
    labels = label(one.scan)
    if not labels.trusted:
        return None
    fine, wide, unit = {}, {}, float("nan")
    for (view, export), labelled in zip(one.pairs(), labels.views, strict=True):
        counts = view.counts.astype(float)
        fine[view.name] = export.mean_counts(ndimage.gaussian_filter(counts, SMOOTH))
        wide[view.name] = export.mean_counts(ndimage.gaussian_filter(counts, WIDE))
        if view.name is ViewName.POSTERIOR:
            unit = float(np.median(fine[view.name][labelled.regions == LUMBAR]))
    out: Measures = {"lumbar counts per pixel": unit}
    for (view, _), labelled in zip(one.pairs(), labels.views, strict=True):
        side = "A" if view.name is ViewName.ANTERIOR else "P"
        seen = _View(labelled, fine[view.name] / unit, wide[view.name] / unit, view.counts.astype(float), labels)
        for name, value in {**seen.regions(), **seen.places(), **seen.soft_tissue(), **seen.patterns()}.items():
            if np.isfinite(value) and value > 0:
                out[f"{side} {name}"] = value
    out["A/P counts"] = float(one.scan.views[0].counts.sum() / one.scan.views[1].counts.sum())
    return out


class _View:
    """One view with its labels: where things are, and how bright."""

    def __init__(self, labelled: LabelledView, fine: Array, wide: Array, counts: Array, labels: Labels) -> None:
        self.labelled, self.fine, self.wide, self.counts = labelled, fine, wide, counts
        self.x, self.z = labelled.x_mm, labelled.z_mm
        self.bones = {bone.bone: bone for bone in labelled.bones}
        self.mm = labelled.pixel_mm

    def mask(self, bone: str, low: float = 0.0, high: float = 1.0) -> Mask:
        """Pixels of a bone between two shares of its height from above."""
        out = np.zeros(self.fine.shape, dtype=bool)
        if bone in self.bones:
            of = self.bones[bone]
            rows = np.arange(of.thickness_mm.shape[0])[:, None] / max(of.thickness_mm.shape[0] - 1, 1)
            out[of.box] = (of.thickness_mm > 0.3 * of.thickness_mm.max()) & (rows >= low) & (rows <= high)
        return out

    def median(self, mask: Mask, picture: Array | None = None, share: float = 50) -> float:
        values = (self.fine if picture is None else picture)[mask]
        return float(np.percentile(values, share)) if len(values) >= 12 else float("nan")

    def regions(self) -> Measures:
        out = {name: self.median(self.labelled.regions == k) for k, name in REGION_NAMES.items()}
        for k in (7, 8, 12, 15, 16, 17):  # how unlike the sides are
            own = self.labelled.regions == k
            left, right = self.median(own & (self.x > 0)), self.median(own & (self.x < 0))
            out[f"{REGION_NAMES[k]}, sides unlike"] = float(np.exp(abs(np.log(left / right)))) - 1 + 1e-3
        return out

    def places(self) -> Measures:
        ends = {
            "humerus head": ("humerus", 0.0, 0.10),
            "humerus shaft": ("humerus", 0.35, 0.70),
            "elbow": ("humerus", 0.93, 1.0),
            "forearm shaft": ("radius", 0.35, 0.65),
            "femur, neck and trochanters": ("femur", 0.04, 0.14),
            "femur shaft": ("femur", 0.35, 0.65),
            "femur, lower end": ("femur", 0.93, 1.0),
            "tibia, upper end": ("tibia", 0.0, 0.08),
            "tibia shaft": ("tibia", 0.35, 0.65),
            "tibia, lower end": ("tibia", 0.94, 1.0),
        }
        out = {
            name: self.median(self.mask(f"{bone}_l", low, high) | self.mask(f"{bone}_r", low, high))
            for name, (bone, low, high) in ends.items()
        }
        for name, region, share in (("skull, brightest tenth", 1, 95), ("pelvis, brightest tenth", PELVIS, 95),
                                    ("sacrum and joints, brightest tenth", SACRUM, 95),
                                    ("sternum and joints, brightest tenth", 5, 95),
                                    ("shoulder, brightest tenth", 7, 95),
                                    ("knee, brightest tenth", 15, 95)):  # fmt: skip
            out[name] = self.median(self.labelled.regions == region, share=share)
        spine = [self.mask(f"vertebra_t{n:02d}") for n in range(5, 12)]
        out["thoracic vertebrae 5 to 11"] = self.median(np.logical_or.reduce(spine))
        lumbar = np.argwhere(self.mask("vertebra_l02") | self.mask("vertebra_l01"))
        if len(lumbar):
            row, column = lumbar.mean(axis=0).astype(int)
            x, z = self.x - self.x[row, column], self.z - self.z[row, column]
            off = (self.labelled.regions == 0) | (self.labelled.regions == RIBS)
            kidneys = off & (np.abs(x) > 38) & (np.abs(x) < 85) & (np.abs(z) < 60)
            out["kidneys"] = self.median(kidneys, self.wide, 90)
        pelvis = np.argwhere(np.isin(self.labelled.regions, (PELVIS, SACRUM)))
        if len(pelvis):
            rows = pelvis[:, 0].min(), pelvis[:, 0].max()
            low = np.zeros(self.fine.shape, dtype=bool)
            low[rows[0] + int(0.55 * (rows[1] - rows[0])) : rows[1] + 1] = True
            out["bladder"] = self.median(low & (np.abs(self.x) < 32), self.wide, 97)
        return out

    def soft_tissue(self) -> Measures:
        body = ndimage.binary_erosion(self.labelled.body, iterations=5)
        bone = ndimage.binary_dilation(self.labelled.regions > 0, iterations=3)
        thigh = np.zeros(self.fine.shape, dtype=bool)
        for side in "lr":
            shaft = np.argwhere(self.mask(f"femur_{side}", 0.25, 0.6))
            if len(shaft):
                thigh[shaft[:, 0].min() : shaft[:, 0].max()] = True
        shin = np.zeros(self.fine.shape, dtype=bool)
        calf = np.argwhere(self.mask("tibia_l", 0.15, 0.45) | self.mask("tibia_r", 0.15, 0.45))
        if len(calf):
            shin[calf[:, 0].min() : calf[:, 0].max()] = True
        lumbar = np.argwhere(self.mask("vertebra_l04") | self.mask("vertebra_l03"))
        flank = np.zeros(self.fine.shape, dtype=bool)
        if len(lumbar):
            row, column = lumbar.mean(axis=0).astype(int)
            flank = (np.abs(self.x - self.x[row, column]) > 50) & (np.abs(self.x - self.x[row, column]) < 90)
            flank &= np.abs(self.z - self.z[row, column]) < 25
        hands = ndimage.binary_dilation(np.isin(self.labelled.regions, (13, 14)), iterations=12)
        outside = ~ndimage.binary_dilation(self.labelled.body, iterations=8)
        near = ndimage.binary_dilation(self.labelled.body, iterations=24) & outside
        return {
            "soft tissue, thigh": self._mean(thigh & body & ~bone & ~hands),
            "soft tissue, calf": self._mean(shin & body & ~ndimage.binary_dilation(bone, iterations=2)),
            "soft tissue, flank": self._mean(flank & body & ~bone),
            "soft tissue, all": self._mean(body & ~bone),
            "air, 20 to 60 mm from the body": self._mean(near),
        }

    def _mean(self, mask: Mask) -> float:
        return float(self.wide[mask].mean()) if mask.sum() >= 60 else float("nan")

    def patterns(self) -> Measures:
        """Ribs against the gaps between them, vertebrae against discs, widths of bones."""
        inside = ndimage.binary_erosion(self.labelled.regions == RIBS, iterations=3)
        out = {}
        if inside.sum() > 300:
            out["ribs, waves of 24 to 48 mm"] = self._waves(inside, 24, 48)
            out["ribs, waves of 12 to 24 mm"] = self._waves(inside, 12, 24)
        spine = np.logical_or.reduce([self.mask(f"vertebra_l{n:02d}") for n in range(1, 6)])
        out["lumbar spine, waves of 20 to 50 mm"] = self._waves(ndimage.binary_erosion(spine), 20, 50)
        chest = np.logical_or.reduce([self.mask(f"vertebra_t{n:02d}") for n in range(3, 12)])
        out["thoracic spine, waves of 16 to 40 mm"] = self._waves(ndimage.binary_erosion(chest), 16, 40)
        for name, bone in (("femur shaft", "femur"), ("tibia shaft", "tibia"), ("humerus shaft", "humerus")):
            widths = [self._width(f"{bone}_{side}") for side in "lr"]
            out[f"{name}, width mm"] = float(np.nanmean(widths)) if np.isfinite(widths).any() else float("nan")
        return out

    def _waves(self, mask: Mask, short_mm: float, long_mm: float) -> float:
        """Relative standard deviation of waves along the body between two lengths, without that of Poisson noise."""
        if mask.sum() < 100:
            return float("nan")
        # differences of Gaussians: half of a wave passes at either length
        sigma = [length / self.mm[0] * 0.187 for length in (short_mm, long_mm)]
        delta = np.zeros(201)
        delta[100] = 1.0
        across = 1.5
        kernel = ndimage.gaussian_filter1d(delta, sigma[0]) - ndimage.gaussian_filter1d(delta, sigma[1])
        side = ndimage.gaussian_filter1d(delta, across)
        waves = ndimage.gaussian_filter1d(ndimage.convolve1d(self.counts, kernel, axis=0), across, axis=1)
        mean = ndimage.gaussian_filter(self.counts, (sigma[1], across))
        noise = float((kernel**2).sum() * (side**2).sum())
        relative = (waves[mask] ** 2 - noise * mean[mask]) / np.maximum(mean[mask], 0.5) ** 2
        return float(np.sqrt(max(np.mean(relative), 0.0)))

    def _width(self, bone: str) -> float:
        """Full width at half maximum over background of a shaft, mm: rows aligned at their own middles."""
        shaft = self.mask(bone, 0.4, 0.65)
        rows = np.flatnonzero(shaft.any(axis=1))
        if len(rows) < 12:
            return float("nan")
        reach = round(40 / self.mm[1])
        profiles = []
        for row in rows:
            middle = round(float(np.flatnonzero(shaft[row]).mean()))
            if reach <= middle < self.fine.shape[1] - reach:
                profiles.append(self.counts[row, middle - reach : middle + reach + 1])
        if len(profiles) < 12:
            return float("nan")
        lines = ndimage.gaussian_filter1d(np.array(profiles), 4, axis=0)
        aligned = []
        for line, smooth in zip(profiles, ndimage.gaussian_filter1d(lines, 1, axis=1), strict=True):
            peak = int(np.argmax(smooth[reach // 2 : -(reach // 2)])) + reach // 2
            aligned.append(np.roll(line, reach - peak))
        profile = np.mean(aligned, axis=0)
        base = np.percentile(profile, 20)
        half = base + 0.5 * (profile[reach - 1 : reach + 2].mean() - base)
        right = next((k for k in range(reach, 2 * reach) if profile[k] < half), 2 * reach)
        left = next((k for k in range(reach, 0, -1) if profile[k] < half), 0)
        over = (profile[right - 1] - half) / max(profile[right - 1] - profile[right], 1e-6)
        under = (profile[left + 1] - half) / max(profile[left + 1] - profile[left], 1e-6)
        return float((right - left - 2 + over + under) * PIXEL_MM)


def quartiles(found: list[Measures], name: str) -> Array | None:
    """16th, 25th, 50th, 75th and 84th percentile over scans; None where few have it."""
    values = [one[name] for one in found if name in one]
    return np.percentile(values, (16, 25, 50, 75, 84)) if len(values) >= 4 else None


def table(real: list[Measures], simulated: list[Measures]) -> list[dict[str, float | str]]:
    """One row for each measure that both kinds have."""
    rows: list[dict[str, float | str]] = []
    for name in dict.fromkeys(key for one in (*real, *simulated) for key in one):
        a, b = quartiles(real, name), quartiles(simulated, name)
        if a is None or b is None:
            continue
        rows.append(
            {
                "measure": name,
                "real": float(a[2]),
                "real_low": float(a[1]),
                "real_high": float(a[3]),
                "simulated": float(b[2]),
                "simulated_low": float(b[1]),
                "simulated_high": float(b[3]),
                "ratio": float(b[2] / a[2]),
                "spread_real": float(0.5 * np.log(a[4] / a[0])),
                "spread_simulated": float(0.5 * np.log(b[4] / b[0])),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=22)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--spacing-mm", type=float, default=4.0)
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    real = exports_in(arguments.folder)

    def made(number: int) -> Measures | None:
        patient, protocol = simulated_patient(arguments.seed, number)
        both = pictures(patient, protocol, arguments.spacing_mm)
        rng = np.random.default_rng([arguments.seed, number, 4])
        return measured(exported(both, real[number % len(real)], rng, f"simulated {number}"))

    with ThreadPoolExecutor(2) as pool:
        simulated = [one for one in pool.map(made, range(arguments.patients)) if one]
        chosen = real if arguments.half is None else real[arguments.half :: 2]
        true = [one for one in pool.map(measured, chosen) if one]
    rows = table(true, simulated)
    print(f"{len(true)} real and {len(simulated)} simulated scans of trusted labels")
    print_table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def print_table(rows: list[dict[str, float | str]]) -> None:
    """The table in words."""
    print(f"{'measure':<42}{'real':>22}{'simulated':>22}{'ratio':>7}{'spreads':>12}")
    for row in rows:
        cells = "".join(
            f"{row[kind]:>9.3f} ({row[kind + '_low']:.2f}-{row[kind + '_high']:.2f})" for kind in ("real", "simulated")
        )
        print(
            f"{row['measure']:<42}{cells}{row['ratio']:>7.2f}{row['spread_real']:>7.2f}{row['spread_simulated']:>6.2f}"
        )


if __name__ == "__main__":
    main()
