"""Reading a scan: quality, bone labels, normal uptake, hot and cold spots, burden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bonescan.reading.model import (
    BoneMap,
    Burden,
    Finding,
    FindingView,
    Kind,
    LabelledView,
    Labels,
    Polarity,
    Quality,
    QualityCheck,
    Reading,
    Verdict,
)

if TYPE_CHECKING:
    from bonescan.reading.interpret import read

__all__ = [
    "BoneMap",
    "Burden",
    "Finding",
    "FindingView",
    "Kind",
    "LabelledView",
    "Labels",
    "Polarity",
    "Quality",
    "QualityCheck",
    "Reading",
    "Verdict",
    "read",
]


def __getattr__(name: str) -> object:
    if name == "read":  # brings numba along: only when reading
        from bonescan.reading.interpret import read

        return read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
