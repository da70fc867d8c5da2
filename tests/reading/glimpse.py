"""A glance drawn with rulers on the figure: what a network would say of places that are told."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tests.reading import figure

from bonescan.reading.network import FOCI, REGIONS, DenseView, Glance
from bonescan.scan import ViewName

Bump = tuple[float, float, float, Mapping[str, float]]


def glance(*bumps: Bump) -> Glance:
    """Maps of bumps of (x_mm, z_mm, width at half maximum, peak by map)."""
    views = []
    for labelled in figure.LABELS.views:
        foci = {name: np.zeros(labelled.regions.shape, np.float32) for name in FOCI}
        for x_mm, z_mm, width_mm, values in bumps:
            away = np.hypot(labelled.x_mm - x_mm, labelled.z_mm - z_mm) / (width_mm / 2)
            for name, peak in values.items():
                foci[name] = np.maximum(foci[name], peak * 0.5**away**2).astype(np.float32)
        regions = np.stack([labelled.regions == region for region in range(REGIONS)]).astype(np.float32)
        nothing = np.zeros(labelled.regions.shape, np.float32)
        views.append(DenseView(name=ViewName(labelled.name), regions=regions, foci=foci, vertebra=nothing, rib=nothing))
    return Glance(views=tuple(views), exchanged=0.0, embedding=np.zeros(1, np.float32))
