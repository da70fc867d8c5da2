"""What a network that has only ever seen simulated people makes of a scan: dense maps, before any rule.

The network looks at both views at once, on a grid of about 4.8 mm by the word of the file, the posterior view mirrored
so that the body's left lies on the same side in both. `prepare` makes its input, for training as for reading;
`look` runs it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.reading.model import Familiarity
from bonescan.scan import Scan, View, ViewName

__all__ = [
    "CHANNELS",
    "FOCI",
    "LARGEST",
    "PIXEL_MM",
    "REGIONS",
    "STEP",
    "DenseView",
    "Glance",
    "MapGrid",
    "PreparedScan",
    "channels",
    "familiarity",
    "glance",
    "look",
    "prepare",
    "weights_digest",
]

PIXEL_MM = 4.8
"""Edge of the network's pixels by the word of the file."""

REGIONS = 18
"""Planar regions 0 to 17 of the house."""

FOCI = ("hot", "metastatic", "traumatic", "degenerative", "other", "urine", "artefact")
"""Maps of what is hot, each between 0 and 1.

``hot``: any focus of bone disease; ``metastatic``: the share of the bone's mass along the ray that is metastatic (a
fraction, so that with the skeleton's mass per pixel it gives the Bone Scan Index); ``traumatic``, ``degenerative``,
``other`` (infection, Paget's disease, surgery and the rest): masks by nature; ``urine`` (kidneys, ureters, bladder) and
``artefact`` (injection site, contamination and the like): the share of the pixel's counts that comes from there.
"""

CHANNELS = 3
"""Of the input, by view: compressed counts, logarithm of smoothed counts, which view it is said to be."""

STEP = 32
LARGEST = (512, 256)
"""Rows and columns of the input are multiples of `STEP`, and at most these (design)."""

_FOREGROUND = 0.3
_CAP_QUANTILE = 0.97
"""Pixels above 0.3 of the mean of the positive ones are the body; their 97th percentile is the scale (design)."""

_THREADS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapGrid:
    """Maps of one view on the network's own pixels, as far as findings are judged by them.

    Parameters
    ----------
    maps : (map, row, column) ndarray of float32
        Probability of region 0, then `FOCI`.
    pixels : (float, float)
        The network's pixel over the view's own, along rows and columns.
    """

    maps: NDArray[np.float32]
    pixels: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseView:
    """The network's maps of one view, on the view's own pixels.

    Parameters
    ----------
    name : ViewName
    regions : (region, row, column) ndarray of float32
        Probability of regions 0 to 17; sums to 1 over regions.
    foci : mapping of str to (row, column) ndarray of float32
        By name of `FOCI`.
    vertebra : (row, column) ndarray of float32
        Level along the spine, meaningful in regions 2, 3, 9, 10: 1 at the middle of C1, 7 C7, 8 T1, 19 T12, 20 L1,
        24 L5, 25 the first sacral segment; between them in between.
    rib : (row, column) ndarray of float32
        Number of the rib nearest the camera, 1 to 12, meaningful in region 4.
    grid : MapGrid, optional
        What the maps were drawn from.
    """

    name: ViewName
    regions: NDArray[np.float32]
    foci: Mapping[str, NDArray[np.float32]]
    vertebra: NDArray[np.float32]
    rib: NDArray[np.float32]
    grid: MapGrid | None = None

    @classmethod
    def drawn_from(cls, name: ViewName, grid: MapGrid, shape: tuple[int, ...]) -> DenseView:
        """What a finding is judged by, of maps that were kept: ``regions`` hold the first alone, levels are not known.

        The same numbers to the last bit as when the network looked.
        """
        drawn = _drawn(grid.maps, shape, *grid.pixels)
        unknown = np.broadcast_to(np.float32(np.nan), shape)
        foci = dict(zip(FOCI, drawn[1:], strict=True))
        return cls(name=name, regions=drawn[:1], foci=foci, vertebra=unknown, rib=unknown, grid=grid)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Glance:
    """What the network says of a whole scan.

    Parameters
    ----------
    views : tuple of DenseView
        In the order of the scan's views.
    exchanged : float
        Probability that the views stand under each other's name.
    embedding : (feature,) ndarray of float32
        Where the scan lies among others, for `bonescan.reading.model.Familiarity`.
    """

    views: tuple[DenseView, ...]
    exchanged: float
    embedding: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedScan:
    """A scan as the network takes it.

    Parameters
    ----------
    picture : (view, channel, row, column) ndarray of float32
        Anterior, then posterior mirrored; zeros for a view that the scan lacks and beyond a view's edges.
    pixels : mapping of ViewName to (float, float)
        The network's pixel over the view's own, along rows and columns.
    places : mapping of ViewName to (slice, slice)
        Rows and columns of the picture that hold the view.
    """

    picture: NDArray[np.float32]
    pixels: Mapping[ViewName, tuple[float, float]]
    places: Mapping[ViewName, tuple[slice, slice]]


def prepare(scan: Scan) -> PreparedScan:
    """Bring a scan to the network's grid and scale.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    PreparedScan

    Notes
    -----
    Counts are conserved: a pixel of the network holds what its area of the view holds. Views larger than `LARGEST` get
    larger pixels, both alike. The picture does not depend on the unit of the counts.
    """
    from bonescan.reading.findings.normal import unwrap  # its room's compiled loops: only when reading

    edge_mm = max(
        [PIXEL_MM] + [mm / most for view in scan.views for mm, most in zip(_extent(view), LARGEST, strict=True)]
    )
    binned: dict[ViewName, NDArray[np.float32]] = {}
    pixels: dict[ViewName, tuple[float, float]] = {}
    for view in scan.views:
        counts, _ = unwrap(view.counts)
        pixels[view.name] = edge_mm / view.row_spacing_mm, edge_mm / view.column_spacing_mm
        per_row, per_column = pixels[view.name]
        binned[view.name] = _binned(_binned(counts, per_row).T, per_column).T
    height, width = (STEP * -(-max(counts.shape[axis] for counts in binned.values()) // STEP) for axis in (0, 1))
    picture = np.zeros((2, CHANNELS, height, width), dtype=np.float32)
    places = {}
    for name, counts in binned.items():
        left = (width - counts.shape[1]) // 2
        places[name] = slice(0, counts.shape[0]), slice(left, left + counts.shape[1])
        slot = int(name is ViewName.POSTERIOR)
        picture[slot, :, places[name][0], places[name][1]] = channels(counts, slot)
    picture[1] = picture[1, :, :, ::-1]
    return PreparedScan(picture=picture, pixels=pixels, places=places)


def channels(counts: NDArray[np.floating], slot: int) -> NDArray[np.float32]:
    """The network's input of one view on its grid.

    Parameters
    ----------
    counts : (row, column) ndarray
        Of the network's pixels, in any unit.
    slot : int
        0 for the view said to be anterior, 1 for posterior.

    Returns
    -------
    (channel, row, column) ndarray of float32

    Notes
    -----
    With s the 97th percentile of the body's pixels in the smoothed picture g (a 3 x 3 mean, twice)::

        first = min(sqrt(counts / s), 2),     second = log(1 + g / s),     third = 1 anterior, -1 posterior

    The root makes Poisson noise equally strong everywhere; the logarithm keeps the hottest foci apart.
    """
    from scipy import ndimage  # only when reading

    counts = np.asarray(counts, dtype=np.float32)
    smooth = ndimage.uniform_filter(ndimage.uniform_filter(counts, 3, mode="nearest"), 3, mode="nearest")
    positive = smooth[smooth > 0]
    scale = 1.0
    if positive.size:
        body = positive[positive > _FOREGROUND * positive.mean()]
        scale = max(float(np.quantile(body, _CAP_QUANTILE)), 1e-12)
    root = np.minimum(np.sqrt(np.maximum(counts, 0) / np.float32(scale)), np.float32(2))
    return np.stack([root, np.log1p(np.maximum(smooth, 0) / np.float32(scale)), np.full_like(root, 1 - 2 * slot)])


def look(scan: Scan) -> Glance | None:
    """Let the network look at a scan.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    Glance or None
        ``None`` where no trained network is part of this installation.
    """
    session = _session()
    return None if session is None else glance(scan, lambda picture: session.run(None, {"views": picture}))


def glance(scan: Scan, run: Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]) -> Glance:
    """Let a network look at a scan, and bring what it says back onto the scan's own pixels.

    Parameters
    ----------
    scan : Scan
    run : callable
        Of a `PreparedScan`'s picture: regions, foci and levels, each (view, map, row, column), the probability that the
        views are exchanged, and the embedding.

    Returns
    -------
    Glance

    Notes
    -----
    The scan and its mirror image are looked at, and the maps averaged: the body's sides are nothing to the network.
    """
    prepared = prepare(scan)
    straight = run(prepared.picture)
    mirrored = run(np.ascontiguousarray(prepared.picture[..., ::-1]))
    maps = [(a + b[..., ::-1]) / np.float32(2) for a, b in zip(straight[:3], mirrored[:3], strict=True)]
    exchanged, embedding = ((a + b) / np.float32(2) for a, b in zip(straight[3:], mirrored[3:], strict=True))
    both = np.concatenate(maps, axis=1)
    views = []
    for view in scan.views:
        slot = int(view.name is ViewName.POSTERIOR)
        own = both[slot, :, :, ::-1] if slot else both[slot]
        rows, columns = prepared.places[view.name]
        own, pixels = own[:, rows, columns], prepared.pixels[view.name]
        drawn = _drawn(own, view.counts.shape, *pixels)
        views.append(
            DenseView(
                name=view.name,
                regions=drawn[:REGIONS],
                foci=dict(zip(FOCI, drawn[REGIONS:], strict=False)),
                vertebra=drawn[-2],
                rib=drawn[-1],
                grid=MapGrid(maps=own[[0, *range(REGIONS, REGIONS + len(FOCI))]], pixels=pixels),
            )
        )
    return Glance(views=tuple(views), exchanged=float(exchanged[0]), embedding=embedding)


def familiarity(glance: Glance) -> Familiarity:
    """How far a scan is from the simulated ones that the network was trained with.

    Parameters
    ----------
    glance : Glance

    Returns
    -------
    Familiarity

    Notes
    -----
    With m and C the mean and covariance of the training scans' embeddings e, the distance is that of Mahalanobis ::

        d^2 = (e - m)^T C^-1 (e - m)

    and the score the share of simulated scans, made as the training ones but of other people, with a larger d.
    """
    known = _known()["familiarity"]
    away = glance.embedding.astype(np.float64) - np.asarray(known["mean"])
    distance = float(np.sqrt(away @ np.asarray(known["precision"]) @ away))
    quantiles = np.asarray(known["distance_quantiles"])
    score = float(1 - np.interp(distance, quantiles, np.linspace(0, 1, len(quantiles))))
    familiar = score >= known["least_score"]
    reasons = (
        f"To the network this scan is stranger (distance {distance:.1f}) than "
        f"{100 * (1 - known['least_score']):.0f} % of simulated scans (up to {known['least_distance']:.1f}).",
    )
    return Familiarity(score=score, familiar=familiar, reasons=() if familiar else reasons)


def _extent(view: View) -> tuple[float, float]:
    rows, columns = view.counts.shape
    return rows * view.row_spacing_mm, columns * view.column_spacing_mm


def _binned(counts: NDArray[np.float32], per_pixel: float) -> NDArray[np.float32]:
    """Rows brought to pixels ``per_pixel`` as large, sums kept; what the last one lacks counts as empty."""
    size = max(1, round(len(counts) / per_pixel))
    edges = np.minimum(np.arange(size + 1) * per_pixel, len(counts))
    before = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0, dtype=np.float64)])
    whole = np.minimum(edges.astype(np.int64), len(counts) - 1)
    at_edges = before[whole] + (edges - whole)[:, None] * counts[whole]
    return np.asarray(np.diff(at_edges, axis=0), dtype=np.float32)


def _drawn(maps: NDArray[np.float32], shape: tuple[int, ...], per_row: float, per_column: float) -> NDArray[np.float32]:
    """Maps on the network's grid drawn between its pixels onto the view's own."""
    for axis, size, per in ((1, shape[0], per_row), (2, shape[1], per_column)):
        place = np.clip((np.arange(size) + 0.5) / per - 0.5, 0, maps.shape[axis] - 1)
        first = np.minimum(place.astype(np.int64), max(maps.shape[axis] - 2, 0))
        second = np.minimum(first + 1, maps.shape[axis] - 1)
        share = (place - first).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        maps = maps.take(first, axis) * (1 - share) + maps.take(second, axis) * share
    return maps


def weights_digest() -> str | None:
    """What tells one trained network from another.

    Returns
    -------
    str or None
        SHA-256 of the weights; ``None`` where no trained network is part of this installation.
    """
    held = _weights()
    return None if held is None else hashlib.sha256(held).hexdigest()


def _weights() -> bytes | None:
    held = files("bonescan.reading") / "data" / "reader.onnx"
    return held.read_bytes() if held.is_file() else None


@cache
def _session() -> Any:
    """The network, loaded once; ``None`` where this installation has none."""
    held = _weights()
    if held is None:
        return None
    import onnxruntime  # only when reading

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _THREADS
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    return onnxruntime.InferenceSession(held, options, providers=["CPUExecutionProvider"])


@cache
def _known() -> Mapping[str, Any]:
    """What is kept of the training beside the weights."""
    text = (files("bonescan.reading") / "data" / "reader.json").read_text(encoding="utf-8")
    return dict(json.loads(text))
