"""What an edit needs beside the reading: what the network saw, and the ground on which findings are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.reading.model import Reading
from bonescan.reading.network import Glance
from bonescan.scan import ViewName

if TYPE_CHECKING:
    from bonescan.reading.findings.spots import Ground

__all__ = ["Case"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A reading as the reader made it, with what it was made of.

    Parameters
    ----------
    reading : Reading
    glance : Glance or None
        What the network saw; ``None`` where none looked.
    """

    reading: Reading
    glance: Glance | None

    @cached_property
    def ground(self) -> Ground:
        """Normal uptake and the named skeleton of the scan, looked at once, when an edit first needs them."""
        from bonescan.reading.findings.spots import ground_of

        return ground_of(self.reading.scan, self.reading.labels)

    @cached_property
    def significance(self) -> Mapping[ViewName, NDArray[np.float32]]:
        """Standard deviations above normal of every pixel, by view."""
        from bonescan.reading.findings.detection import significance

        ground = self.ground
        return {name: significance(ground.normals[name], labelled) for name, (_, labelled) in ground.views.items()}
