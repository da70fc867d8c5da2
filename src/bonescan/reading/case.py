"""What an edit needs beside the reading: what the network saw, and the ground on which findings are measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bonescan.reading.model import Reading
from bonescan.reading.network import Glance

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
