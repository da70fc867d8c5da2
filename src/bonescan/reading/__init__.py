"""Reading a scan: quality, bone labels, normal uptake, hot and cold spots, burden."""

from bonescan.reading.interpret import read
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
