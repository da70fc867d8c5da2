"""Draw simulated patients side by side, to be looked at: a cohort, or one column for each packaged scenario.

Run: python bench/contact_sheet.py OUT.png [--seed 1] [--count 60] [--scenarios] [--only NAME ...] [--spacing-mm 4]
     [--counts 1.5e6] [--scale 1]

Each patient is shown from in front and behind in inverse grey. The picture is no camera's: activity is summed along
parallel rays, attenuated by 0.8 of the narrow-beam coefficient (a broad beam), blurred by Gaussians that widen with
depth as those of a low-energy high-resolution collimator, given a share of wide scatter and Poisson noise. It judges
patients, nothing else.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from bonescan.patient.cohort import draw_patient, draw_scenario
from bonescan.patient.scenario import Protocol
from bonescan.patient.scenario_file import packaged_scenario, scenario_names
from bonescan.patient.volumes import Patient, Volumes

Array = NDArray[np.float64]

X_MM, Z_MM = (-400.0, 400.0), (-150.0, 1960.0)
BROAD = 0.8  # of the narrow-beam coefficient: 0.12 /cm in use against 0.154 in water
# full width at half maximum (mm) at the skin and its growth with depth; the camera stands 50 mm away
BLUR_MM, BLUR_PER_MM, GAP_MM = 4.5, 0.045, 50.0
LAYERS = 6
SCATTER, SCATTER_SIGMA_MM = 0.22, 35.0


def views(volumes: Volumes) -> tuple[Array, Array]:
    """Expected pictures from in front and behind, on the sheet's canvas of (Z_MM, X_MM), head up."""
    grid = volumes.activity.grid
    step = grid.spacing_mm[0]
    activity = volumes.activity.values.astype(float)
    thickness = volumes.attenuation.values.astype(float) * (BROAD * step / 10)
    pictures = []
    for side in (1, -1):
        a, t = activity[:, ::side], thickness[:, ::side]
        seen = a * np.exp(-(np.cumsum(t, axis=1) - t / 2))
        depth = np.arange(a.shape[1]) * step
        picture = np.zeros((a.shape[0], a.shape[2]))
        for layer in np.array_split(np.arange(a.shape[1]), LAYERS):
            width = BLUR_MM + BLUR_PER_MM * (GAP_MM + depth[layer].mean())
            picture += ndimage.gaussian_filter(seen[:, layer].sum(axis=1), width / 2.355 / step)
        picture += SCATTER / (1 - SCATTER) * ndimage.gaussian_filter(picture, SCATTER_SIGMA_MM / step)
        pictures.append(_on_canvas(picture, grid.origin_mm, step)[::-1, :: 1 if side == 1 else -1])
    return pictures[0], pictures[1]


def _on_canvas(picture: Array, origin_mm: tuple[float, float, float], step: float) -> Array:
    rows = round((Z_MM[1] - Z_MM[0]) / step)
    columns = round((X_MM[1] - X_MM[0]) / step)
    canvas = np.zeros((rows, columns))
    top, left = round((origin_mm[2] - Z_MM[0]) / step), round((origin_mm[0] - X_MM[0]) / step)
    r0, c0 = max(top, 0), max(left, 0)
    r1, c1 = min(top + picture.shape[0], rows), min(left + picture.shape[1], columns)
    canvas[r0:r1, c0:c1] = picture[r0 - top : r1 - top, c0 - left : c1 - left]
    return canvas


def scanned(patient: Patient, protocol: Protocol, spacing_mm: float) -> tuple[Array, Array]:
    """Both views; after a motion the rows the camera has not passed yet show the person moved."""
    volumes = patient.volumes(protocol.time_h, spacing_mm)
    pictures = views(volumes)
    person = patient.person
    low = volumes.activity.grid.origin_mm[2]
    high = low + volumes.activity.grid.shape[0] * spacing_mm
    for motion in protocol.motions:
        person = motion.moved(person)
        later = views(replace(patient, person=person).volumes(protocol.time_h, spacing_mm))
        z = high - motion.at_fraction * (high - low)
        row = round((Z_MM[1] - z) / spacing_mm)
        for picture, moved in zip(pictures, later, strict=True):
            picture[row:] = moved[row:]
    return pictures


def noisy(pictures: tuple[Array, Array], counts: float, rng: np.random.Generator) -> list[Array]:
    """Poisson counts, as many in the mean of both views as asked for."""
    total = sum(float(picture.sum()) for picture in pictures) / 2
    return [rng.poisson(picture * (counts / total)).astype(float) for picture in pictures]


def inverse_grey(pictures: list[Array]) -> Array:
    """Both views beside each other, dark where many counts are, as bytes; one window for both.

    The window ends at twice what 97 % of the body stay below: normal spines are dark grey, and one large bladder or bag
    does not bleach the rest.
    """
    joined = np.hstack(pictures)
    smooth = ndimage.gaussian_filter(joined, 0.6)
    body = smooth[smooth > 0.02 * np.percentile(smooth, 99.5)]
    top = 2.0 * float(np.percentile(body, 97.0))
    return np.asarray(255 * (1 - np.clip(smooth / top, 0, 1) ** 0.9))


def column(patient: Patient, protocol: Protocol, title: str, arguments: argparse.Namespace, seed: int) -> Image.Image:
    pictures = scanned(patient, protocol, arguments.spacing_mm)
    grey = inverse_grey(noisy(pictures, arguments.counts, np.random.default_rng(seed)))
    picture = Image.fromarray(grey.astype(np.uint8))
    if arguments.scale != 1:
        size = tuple(round(n * arguments.scale) for n in picture.size)
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    page = Image.new("L", (picture.width, picture.height + 26), 255)
    page.paste(picture, (0, 26))
    person = patient.person
    told = f"{person.sex} {person.age_years:.0f} y, BMI {person.bmi:.0f}, {protocol.time_h:.1f} h"
    draw = ImageDraw.Draw(page)
    draw.text((2, 1), title[: picture.width // 6], fill=0)
    draw.text((2, 13), told, fill=90)
    return page


def sheet(columns: list[Image.Image], across: int) -> Image.Image:
    width, height = columns[0].size
    rows = -(-len(columns) // across)
    page = Image.new("L", (across * width, rows * height), 255)
    for k, one in enumerate(columns):
        page.paste(one, (k % across * width, k // across * height))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--across", type=int, default=10)
    parser.add_argument("--scenarios", action="store_true", help="one column for each packaged scenario")
    parser.add_argument("--only", nargs="*", default=[], help="these packaged scenarios")
    parser.add_argument("--spacing-mm", type=float, default=4.0)
    parser.add_argument("--counts", type=float, default=1.5e6)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    names = arguments.only or (scenario_names() if arguments.scenarios else ())

    def packaged(name: str) -> Image.Image:
        scenario = packaged_scenario(name)
        return column(scenario.patient(arguments.seed), scenario.imaging(), name, arguments, arguments.seed)

    def drawn(number: int) -> Image.Image:
        scenario = draw_scenario(arguments.seed, number)
        patient = draw_patient(arguments.seed, number)
        kinds = dict.fromkeys(lesion.kind.value for lesion in (*patient.lesions, *patient.disturbances))
        metastases = sum(lesion.is_metastasis for lesion in patient.lesions)
        words = ", ".join(kind for kind in kinds if "metastasis" not in kind)
        title = f"{number}: {metastases} mets; {words}"
        return column(patient, scenario.imaging(), title, arguments, number)

    with ThreadPoolExecutor(2) as pool:
        if names:
            columns = list(pool.map(packaged, names))
        else:
            columns = list(pool.map(drawn, range(arguments.first, arguments.first + arguments.count)))
    sheet(columns, min(arguments.across, len(columns))).save(arguments.out)
    print(f"{len(columns)} patients in {arguments.out}")


if __name__ == "__main__":
    main()
