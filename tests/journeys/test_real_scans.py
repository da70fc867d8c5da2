"""Real scans that may not leave their folder; their place is told by BONESCAN_REAL_SCANS."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bonescan import journeys

FOLDER = Path(os.environ.get("BONESCAN_REAL_SCANS", ""))

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        "BONESCAN_REAL_SCANS" not in os.environ, reason="BONESCAN_REAL_SCANS does not name a folder of real scans"
    ),
]


@pytest.mark.parametrize("number", ["101", "133"])  # an ordinary scan, and one with scoliosis
def test_two_views_are_read_and_agree_with_the_silver_standard(number, tmp_path):
    reading = journeys.read([FOLDER / f"{number}.dcm"], tmp_path)
    assert [str(view.name) for view in reading.scan.views] == ["anterior", "posterior"]
    assert (tmp_path / "report.pdf").stat().st_size > 10_000
    for labels in reading.labels.views:
        silver = np.asarray(Image.open(FOLDER / f"{number}_regions_{labels.name}.png"))
        regions = [region for region in range(1, 13) if (silver == region).any()]
        dice = [
            2
            * np.count_nonzero((labels.regions == region) & (silver == region))
            / (np.count_nonzero(labels.regions == region) + np.count_nonzero(silver == region))
            for region in regions
        ]
        assert np.mean(dice) >= 0.72  # the floor the project set itself for any scan
