"""Two or more readings of one person: aligned, matched, changed."""

from bonescan.followup.comparing import compare
from bonescan.followup.model import (
    AlignedView,
    Alignment,
    Change,
    ChangeKind,
    Comparability,
    ComparabilityCheck,
    Comparison,
    DifferenceView,
    IndexChange,
    LesionChange,
    Study,
    Trend,
)

__all__ = [
    "AlignedView",
    "Alignment",
    "Change",
    "ChangeKind",
    "Comparability",
    "ComparabilityCheck",
    "Comparison",
    "DifferenceView",
    "IndexChange",
    "LesionChange",
    "Study",
    "Trend",
    "compare",
]
