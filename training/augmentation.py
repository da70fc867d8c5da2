"""Turn one simulated person into any of the pictures a hospital might have made of them.

A shard of `people` holds what each part of a person adds to the expected picture. `draw` mixes the parts anew, blurs,
counts, stretches, crops, exports and damages the picture, and carries the truth along. What it draws is a function of
the random numbers given to it alone. Spreads are design decisions, checked against what real exports do: stretched to
fill a frame, eight bits, saturated, wrapped around, one view missing, views exchanged, parts of the body only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.findings.normal import unwrap
from bonescan.reading.network import CHANNELS, FOCI, channels

__all__ = ["Canvas", "Example", "Shard", "draw", "draw_canvas", "open_shard", "visible"]

SHAPE = (512, 128)
BONE, SOFT, URINE, LESIONS, DISTURBANCES = range(5)
SHARD_COUNTS = 1.5e6
LEAST_CONTRAST, LEAST_SNR = 1.25, 4.0
"""A lesion weaker than that is not seen by the best reader; its pixels teach nothing."""

WIDESPREAD = 254
"""Number given to metastatic bone outside single lesions that takes up visibly more: a superscan between its foci."""

FOCUS_OF_NATURE = {"trauma": "traumatic", "joint disease": "degenerative"}
"""Benign natures that have a map of their own; the rest is ``other``."""

WHOLE_CANVASES = ((512, 128), (512, 128), (512, 128), (416, 128), (480, 160))
CUT_CANVASES = ((416, 128), (320, 128), (512, 128))
PART_CANVASES = ((256, 128), (128, 128), (192, 128), (192, 192), (256, 256))


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """Size of a batch's pictures, and what they show: ``whole``, ``cut`` (head or legs missing) or ``part``."""

    kind: str
    shape: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One person: components (5, view, row, column) of float32, and the truth as `people` documents it."""

    components: NDArray[np.float32]
    regions: NDArray[np.uint8]
    metastatic: NDArray[np.float32]
    lesion: NDArray[np.uint8]
    vertebra: NDArray[np.float32]
    rib: NDArray[np.uint8]
    focus_of: NDArray[np.uint8]
    """By number in ``lesion``: 1 + index in FOCI of its nature's map, 1 for bone metastases (``hot`` alone), 0 for
    disturbances."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One input of the network, and what it should say of it.

    ``picture`` (view, channel, row, column); ``regions`` (view, row, column); ``foci`` (view, focus, row, column);
    ``known`` (view, row, column): bit 0 off where bone foci are too faint to be asked for, bit 1 where metastatic bone
    is; ``levels`` (view, 2, row,
    column): vertebra and rib, 0 where meaningless; ``present`` (view,); ``lesion`` (view, row, column): numbers of the
    visible lesions.
    """

    picture: NDArray[np.float32]
    regions: NDArray[np.uint8]
    foci: NDArray[np.float32]
    known: NDArray[np.uint8]
    levels: NDArray[np.float32]
    present: NDArray[np.bool_]
    exchanged: bool
    lesion: NDArray[np.uint8]


def open_shard(path: Path) -> Shard:
    """Read one person's file."""
    with np.load(path) as file:
        facts = json.loads(str(file["facts"]))
        focus_of = np.zeros(256, np.uint8)
        for one in facts["lesions"]:
            focus = "hot" if one["metastasis"] else FOCUS_OF_NATURE.get(one["nature"], "other")
            focus_of[min(one["number"], 255)] = 1 + FOCI.index(focus)
        return Shard(
            components=file["components"].astype(np.float32),
            regions=file["regions"],
            metastatic=file["metastatic"].astype(np.float32),
            lesion=file["lesion"],
            vertebra=file["vertebra"].astype(np.float32),
            rib=file["rib"],
            focus_of=focus_of,
        )


def visible(shard: Shard, expected: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Numbers of the lesions that can be seen as they are, (view, row, column); 0 elsewhere."""
    seen = _seen(shard.components[LESIONS], np.maximum(expected, 1e-3), shard.lesion, 1.0) * (shard.focus_of > 0)
    return np.stack([np.where(own[lesion] > 0, lesion, 0) for own, lesion in zip(seen, shard.lesion, strict=True)])


def draw_canvas(rng: np.random.Generator) -> Canvas:
    """Of one batch: 60 % whole bodies, 15 % without head or legs, 25 % parts."""
    u = rng.random()
    kind, choices = (
        ("whole", WHOLE_CANVASES) if u < 0.6 else ("cut", CUT_CANVASES) if u < 0.75 else ("part", PART_CANVASES)
    )
    return Canvas(kind=kind, shape=choices[rng.integers(len(choices))])


def draw(shard: Shard, canvas: Canvas, rng: np.random.Generator) -> Example:
    """One picture of a person."""
    parts = _mixed(shard, rng)
    expected = np.maximum(parts.sum(axis=0), 1e-3)
    counts = float(np.exp(rng.uniform(np.log(0.15e6), np.log(4e6))))
    per_count = counts / SHARD_COUNTS
    seen = _seen(parts[LESIONS], expected, shard.lesion, per_count)
    raised = parts[LESIONS] > (LEAST_CONTRAST - 1) * (expected - parts[LESIONS])
    lesions = np.where((shard.lesion == 0) & (shard.metastatic > 0.05) & raised, np.uint8(WIDESPREAD), shard.lesion)
    expected = _blurred(expected, rng)
    noise_first = rng.random() < 0.6
    if noise_first:
        expected = rng.poisson(expected * per_count).astype(np.float32)
    turns = _frames(shard.regions, canvas, rng)
    shares = np.clip(parts[[URINE, DISTURBANCES]], 0, None) / np.maximum(parts.sum(axis=0), 1e-3)
    lost = np.abs(np.minimum(parts[DISTURBANCES], 0))
    shares[1] = np.maximum(shares[1], lost / np.maximum(parts.sum(axis=0) + lost, 1e-3))
    shares = np.minimum(shares, 1).astype(np.float32)
    height, width = canvas.shape
    image = np.empty((2, height, width), np.float32)
    warped_shares = np.empty((2, 2, height, width), np.float32)
    metastatic = np.empty((2, height, width), np.float32)
    vertebra = np.empty((2, height, width), np.float32)
    regions, lesion, rib = (np.empty((2, height, width), np.uint8) for _ in range(3))
    _warp(
        turns, expected, shares, shard.metastatic, shard.regions, lesions, shard.vertebra, shard.rib,
        image, warped_shares, metastatic, regions, lesion, vertebra, rib,
    )  # fmt: skip
    if not noise_first:
        area = max(float(np.hypot(turns[0, 2], turns[0, 4]) * np.hypot(turns[0, 3], turns[0, 5])), 0.1)
        image = rng.poisson(image * (per_count * area)).astype(np.float32)
    image, hidden = _exported(image, warped_shares[0], rng)
    foci, known = _foci(lesion, seen, shard.focus_of, metastatic, warped_shares)
    known[hidden] = 0
    return _arranged(canvas, rng, image, regions, foci, known, np.stack([vertebra, rib], axis=1), lesion)


# --- what is counted -------------------------------------------------------------------------------------


def _ramps(size: int, knots: int) -> NDArray[np.float32]:
    """Linear interpolation of ``knots`` values onto ``size`` pixels."""
    place = np.linspace(0, knots - 1, size)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(knots))).astype(np.float32)


_COARSE = _ramps(512, 10), _ramps(128, 4).T
_FINE = _ramps(512, 40), _ramps(128, 10).T
_QUARTER = _ramps(512, 128), _ramps(128, 32).T


def _smooth_noise(
    rng: np.random.Generator, ramps: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> NDArray[np.float32]:
    rows, columns = ramps
    return rows @ rng.standard_normal((rows.shape[1], columns.shape[0]), dtype=np.float32) @ columns


def _mixed(shard: Shard, rng: np.random.Generator) -> NDArray[np.float32]:
    """The parts, each made weaker or stronger; gains that vary slowly over the body and between its views."""
    factors = np.ones(5, np.float32)
    factors[SOFT] = np.exp(0.4 * rng.standard_normal())
    factors[URINE] = np.exp(0.7 * rng.standard_normal())
    factors[DISTURBANCES] = np.exp(0.7 * rng.standard_normal())
    parts = shard.components * factors[:, None, None, None]
    common = _smooth_noise(rng, _COARSE)
    of_lesions = np.exp(0.25 * rng.standard_normal() + 0.35 * _smooth_noise(rng, _FINE))
    for view in range(2):
        along = common if view == 0 else common[:, ::-1]
        bone = np.exp(0.15 * along + 0.07 * _smooth_noise(rng, _COARSE))
        parts[BONE, view] *= bone
        parts[LESIONS, view] *= bone * (of_lesions if view == 0 else of_lesions[:, ::-1])
        parts[SOFT, view] *= np.exp(0.15 * _smooth_noise(rng, _COARSE))
        parts[:, view] *= np.exp(0.1 * rng.standard_normal())
    return parts


def _blurred(expected: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A worse camera, and the veil that scatter and septal penetration lay over the picture."""
    sigma = rng.uniform(0.3, 1.2) if rng.random() < 0.5 else 0.0
    share, tail = (rng.uniform(0.03, 0.2), rng.uniform(4, 12)) if rng.random() < 0.6 else (0.0, 1.0)
    out = np.empty_like(expected)
    for view in range(2):
        one = ndimage.gaussian_filter(expected[view], sigma, truncate=3) if sigma else expected[view]
        if share:
            coarse = ndimage.gaussian_filter(one.reshape(128, 4, 32, 4).mean(axis=(1, 3)), tail / 4, truncate=3)
            one = (1 - share) * one + share * (_QUARTER[0] @ coarse @ _QUARTER[1])
        out[view] = one
    if rng.random() < 0.2:
        out += rng.uniform(0, 0.05) * out.mean()
    return out


@numba.njit(nogil=True, cache=True)
def _seen(added, expected, lesion, per_count):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether lesions can be seen, (view, number): 1 hot, 0 not."""
    seen = np.zeros((2, 256), np.uint8)
    for v in range(2):
        ratio = np.zeros(256)
        squared = np.zeros(256)
        for r in range(lesion.shape[1]):
            for c in range(lesion.shape[2]):
                k = lesion[v, r, c]
                e, x = expected[v, r, c], added[v, r, c]
                if k and x > 0:
                    ratio[k] = max(ratio[k], x / max(e - x, 1e-3))
                    squared[k] += x * x / e * per_count
        for k in range(1, 256):
            if ratio[k] >= LEAST_CONTRAST - 1 and squared[k] >= 0.7 * LEAST_SNR**2:
                seen[v, k] = 1
    return seen


# --- where it lands --------------------------------------------------------------------------------------


def _frames(regions: NDArray[np.uint8], canvas: Canvas, rng: np.random.Generator) -> NDArray[np.float64]:
    """For each view how canvas pixels lie on the shard's, by `_warp`."""
    rows = np.flatnonzero((regions > 0).any(axis=(0, 2)))
    columns = np.flatnonzero((regions[0] > 0).any(axis=0))
    if not len(rows):
        rows, columns = np.arange(512), np.arange(128)
    top, bottom = float(rows[0]), float(rows[-1])
    tall, wide = bottom - top + 1, float(columns[-1] - columns[0] + 1)
    centre_column = (columns[0] + columns[-1]) / 2
    height, width = canvas.shape
    if canvas.kind == "part":
        along = np.exp(rng.uniform(np.log(0.8), np.log(1.9)))
        across = along * np.exp(0.1 * rng.standard_normal())
        wanted = rng.choice((1, 3, 4, 8, 9, 11, 12, 14, 15, 17))
        where = np.argwhere(regions[0] == wanted)
        at = where[rng.integers(len(where))] if len(where) else np.array([(top + bottom) / 2, centre_column])
        row = at[0] + rng.normal(0, 8)
        column = (centre_column + rng.normal(0, 6)) if rng.random() < 0.6 else at[1] + rng.normal(0, 6)
    else:
        first, last = top, bottom
        if canvas.kind == "cut":
            which = rng.random()
            if which < 0.55:
                last = top + tall * rng.uniform(0.42, 0.9)
            if which > 0.4:
                first = top + tall * rng.uniform(0.05, 0.4)
        shown = max(last - first + 1, 40)
        fill = rng.uniform(0.9, 1.04) if rng.random() < 0.5 else rng.uniform(0.62, 0.95)
        if canvas.kind == "cut":
            fill = rng.uniform(0.95, 1.15)
        along = np.clip(fill * height / shown, 0.7, 1.9)
        if rng.random() < 0.4:
            across = along * np.exp(0.06 * rng.standard_normal())
        else:
            across = rng.uniform(0.65, 1.08) * width / wide
        across = np.clip(across, 0.75, min(1.6, 1.15 * width / wide))
        slack = (height / along - shown) / 2
        row = (first + last) / 2 + rng.uniform(-1, 1) * max(slack, 2) * 0.9
        column = centre_column + rng.normal(0, 3)
    mirrored = rng.random() < 0.5
    turned, sheared = rng.normal(0, 0.025), rng.normal(0, 0.02)
    bend, bend_phase, bend_length = rng.normal(0, 1.5), rng.uniform(0, 6.3), rng.uniform(120, 500)
    lift, lift_phase, lift_length = rng.normal(0, 2.0), rng.uniform(0, 6.3), rng.uniform(100, 400)
    frames = np.zeros((2, 14))
    apart = rng.random() < 0.4
    for view in range(2):
        own_along, own_across, own_row, own_column = along, across, row, column
        if view and apart:
            own_along *= np.exp(np.clip(0.06 * rng.standard_normal(), -0.15, 0.15))
            own_across *= np.exp(np.clip(0.05 * rng.standard_normal(), -0.15, 0.15))
            own_row += rng.normal(0, 6)
            own_column += rng.normal(0, 3)
        if view:
            turned, sheared = turned + rng.normal(0, 0.008), sheared + rng.normal(0, 0.008)
        sign = -1.0 if mirrored else 1.0
        cos, sin = np.cos(turned), np.sin(turned)
        frames[view] = (
            own_row, own_column,
            cos / own_along, cos / own_across * sign, sin / own_across, (sheared - sin) / own_along * sign,
            bend * sign, bend_phase, bend_length, lift, lift_phase, lift_length, float(view), 0.0,
        )  # fmt: skip
    return frames


@numba.njit(nogil=True, cache=True)
def _warp(  # type: ignore[no-untyped-def]  # pragma: no cover
    frames, expected, shares, metastatic, regions, lesion, vertebra, rib,
    image_to, shares_to, metastatic_to, regions_to, lesion_to, vertebra_to, rib_to,
):  # fmt: skip
    """Draw every map on the canvas: pictures between pixels, numbers from the nearest.

    With u, w the canvas row and column from its middle::

        row    = row0 + u a + w b + lift sin(2 pi u a / length + phase)
        column = column0 + w d + u e + bend sin(2 pi u a / length + phase)

    in the frame of the anterior view; the posterior one is the camera's mirrored.
    """
    rows, columns = expected.shape[1:]
    height, width = image_to.shape[1:]
    for v in range(2):
        f = frames[v]
        for i in range(height):
            u = i - 0.5 * (height - 1)
            bend = f[6] * np.sin(6.283185 * u * f[2] / f[8] + f[7])
            lift = f[9] * np.sin(6.283185 * u * f[2] / f[11] + f[10])
            for j in range(width):
                w = j - 0.5 * (width - 1)
                y = f[0] + u * f[2] + w * f[4] + lift
                x = f[1] + w * f[3] + u * f[5] + bend
                if v == 1:
                    x = columns - 1 - x
                r, c = int(np.floor(y)), int(np.floor(x))
                total, urine, artefact, share = 0.0, 0.0, 0.0, 0.0
                for dr in range(2):
                    for dc in range(2):
                        rr, cc = r + dr, c + dc
                        if 0 <= rr < rows and 0 <= cc < columns:
                            weight = (1 - abs(y - rr)) * (1 - abs(x - cc))
                            total += weight * expected[v, rr, cc]
                            urine += weight * shares[0, v, rr, cc]
                            artefact += weight * shares[1, v, rr, cc]
                            share += weight * metastatic[v, rr, cc]
                image_to[v, i, j] = total
                shares_to[0, v, i, j] = urine
                shares_to[1, v, i, j] = artefact
                metastatic_to[v, i, j] = share
                r, c = int(np.rint(y)), int(np.rint(x))
                inside = 0 <= r < rows and 0 <= c < columns
                regions_to[v, i, j] = regions[v, r, c] if inside else 0
                lesion_to[v, i, j] = lesion[v, r, c] if inside else 0
                vertebra_to[v, i, j] = vertebra[v, r, c] if inside else 0
                rib_to[v, i, j] = rib[v, r, c] if inside else 0


# --- how it is exported ----------------------------------------------------------------------------------


def _exported(
    image: NDArray[np.float32], urine: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Masks over what is hot, gamma, eight bits, saturation, wrap-around; and where nothing can be told any more."""
    hidden = np.zeros(image.shape, bool)
    if rng.random() < 0.05:
        view = int(rng.integers(2))
        row, column = np.unravel_index(int(np.argmax(image[view] * urine[view])), urine[view].shape)
        tall, wide = rng.integers(5, 20, 2)
        hidden[view, max(row - tall, 0) : row + tall, max(column - wide, 0) : column + wide] = True
        image[hidden] = 0
    if rng.random() < 0.15:
        image = image ** np.float32(rng.uniform(0.75, 1.2))
    if rng.random() < 0.5:
        for view in range(2):
            if rng.random() < 0.3:
                top = max(float(np.quantile(image[view], rng.uniform(0.985, 0.9995))), 1e-3)
                scaled = image[view] * (255 / top)
            else:
                scaled = image[view] * (rng.uniform(70, 255) / max(float(image[view].max()), 1e-3))
            scaled = np.floor(scaled + rng.uniform(0, 1))
            if scaled.max() > 255 and rng.random() < 0.5 and scaled.max() < 700:
                scaled = np.mod(scaled, 256)
                if rng.random() < 0.5:
                    scaled, _ = unwrap(scaled)
            image[view] = np.minimum(scaled, 511 if scaled.max() < 512 else 255)
    return image, hidden


def _foci(
    lesion: NDArray[np.uint8],
    seen: NDArray[np.uint8],
    focus_of: NDArray[np.uint8],
    metastatic: NDArray[np.float32],
    shares: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The maps of `FOCI`, and where those of bone are known; ``lesion`` keeps the visible ones."""
    foci = np.zeros((2, len(FOCI), *lesion.shape[1:]), np.float32)
    known = np.ones(lesion.shape, np.uint8)
    for view in range(2):
        of = focus_of * seen[view]
        widespread = lesion[view] == WIDESPREAD
        focus = of[lesion[view]]
        known[view] = (focus > 0) | (focus_of[lesion[view]] == 0)
        foci[view, 0] = focus > 0
        for own in (2, 3, 4):
            foci[view, own] = focus == own + 1
        lesion[view][focus == 0] = 0
        near = ndimage.binary_dilation(focus == 1, iterations=2)
        known[view][widespread & ~near] = 0
        near |= widespread
        foci[view, 1] = np.where(near, metastatic[view], 0)
        known[view] |= np.where(near | (metastatic[view] < 0.05), np.uint8(2), np.uint8(0))
    foci[:, 5:] = shares.transpose(1, 0, 2, 3)
    return foci, known


def _arranged(
    canvas: Canvas,
    rng: np.random.Generator,
    image: NDArray[np.float32],
    regions: NDArray[np.uint8],
    foci: NDArray[np.float32],
    known: NDArray[np.uint8],
    levels: NDArray[np.float32],
    lesion: NDArray[np.uint8],
) -> Example:
    """Views in their slots, perhaps exchanged or one of them missing, with the margins that `prepare` adds."""
    exchanged = bool(rng.random() < 0.15)
    present = np.ones(2, bool)
    if rng.random() < 0.2:
        present[rng.integers(2)] = False
    order = [1, 0] if exchanged else [0, 1]
    maps = [np.ascontiguousarray(one[order]) for one in (image, regions, foci, known, levels, lesion)]
    image, regions, foci, known, levels, lesion = maps
    height, width = canvas.shape
    picture = np.zeros((2, CHANNELS, height, width), np.float32)
    inside = np.zeros((height, width), bool)
    below, beside = (int(rng.integers(32)), int(rng.integers(16))) if rng.random() < 0.4 else (0, 0)
    inside[: height - below, beside : width - beside] = True
    for slot in range(2):
        if present[slot]:
            own = slice(0, height - below), slice(beside, width - beside)
            picture[slot][:, own[0], own[1]] = channels(image[slot][own], slot)
        else:
            known[slot] = 0
    outside = ~inside
    regions[:, outside], known[:, outside], lesion[:, outside] = 0, 0, 0
    foci[..., outside], levels[..., outside] = 0, 0
    return Example(
        picture=picture, regions=regions, foci=foci, known=known, levels=levels, present=present,
        exchanged=exchanged, lesion=lesion,
    )  # fmt: skip
