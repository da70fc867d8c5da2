"""A case to be edited: a figure with lesions of known places, read with a network's maps or without."""

from __future__ import annotations

from functools import cache

import numpy as np
from tests.reading import figure
from tests.reading.glimpse import glance

from bonescan.reading.case import Case
from bonescan.reading.conclusion.impression import conclude
from bonescan.reading.findings.natures import judge, patient_likelihood
from bonescan.reading.findings.spots import find
from bonescan.reading.measures import burden
from bonescan.reading.model import Quality, Reading
from bonescan.scan import ViewName

FEMUR, SPINE, HIP, ARM = (-92.0, -250.0), (5.0, 170.0), (80.0, 30.0), (180.0, 350.0)
"""Body coordinates x and z of the lesions, mm."""


def _factor(name: ViewName) -> np.ndarray:
    return np.prod(
        [
            figure.lesion(name, *FEMUR, 30.0, 5.0),
            figure.lesion(name, *SPINE, 26.0, 4.0),
            figure.lesion(name, *HIP, 24.0, 4.0),
            figure.lesion(name, *ARM, 24.0, 4.0),
        ],
        axis=0,
    )


@cache
def case(*, with_network: bool) -> Case:
    """Four hot foci of bone in both views, all that a reading holds of them."""
    scan, labels = figure.scan(7, factor=_factor), figure.LABELS
    maps = {"hot": 0.9, "metastatic": 0.6}
    seen = glance(*[(*at, 30.0, maps) for at in (FEMUR, SPINE, HIP, ARM)]) if with_network else None
    findings = judge(find(scan, labels, seen), scan, labels, seen)
    quality = Quality(checks=())
    summed = burden.measure(scan, labels, findings, quality, glance=seen)
    likelihood = patient_likelihood(findings, with_network=with_network)
    reading = Reading(
        scan=scan,
        labels=labels,
        quality=quality,
        findings=findings,
        burden=summed,
        remarks=(),
        method={},
        versions={},
        impression=conclude(scan, labels, quality, findings, summed, seen, None, likelihood),
    )
    return Case(reading=reading, glance=seen)
