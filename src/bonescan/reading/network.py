"""What a network that has only ever seen simulated people makes of a scan: dense maps, before any rule.

The network looks at both views at once, on a grid of about 4.8 mm by the word of the file, the posterior view mirrored
so that the body's left lies on the same side in both. `prepare` makes its input, for training as for reading;
`look` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.scan import Scan, ViewName

__all__ = ["FOCI", "PIXEL_MM", "REGIONS", "DenseView", "Glance", "look"]

PIXEL_MM = 4.8
"""Edge of the network's pixels by the word of the file."""

REGIONS = 18
"""Planar regions 0 to 17 of the house."""

FOCI = ("hot", "metastatic", "traumatic", "degenerative", "other", "urine", "artefact")
"""Maps of what is hot, each between 0 and 1.

``hot``: any focus of bone disease; ``metastatic``: the share of the bone's mass along the ray that is metastatic (a
fraction, so that with the skeleton's mass per pixel it gives the Bone Scan Index); ``traumatic``, ``degenerative``,
``other`` (infection, Paget's disease, surgery and the rest): masks by nature; ``urine``: kidneys, ureters, bladder;
``artefact``: injection site, contamination and the like.
"""


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
    """

    name: ViewName
    regions: NDArray[np.float32]
    foci: Mapping[str, NDArray[np.float32]]
    vertebra: NDArray[np.float32]
    rib: NDArray[np.float32]


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
    return None
