"""The drawn phantom as fixtures; made once, readings are frozen."""

from __future__ import annotations

import pytest
from tests.report.phantom import phantom_reading

from bonescan.reading.model import Reading
from bonescan.report import render


@pytest.fixture(scope="session")
def reading() -> Reading:
    """Two views, four bone findings, two kidneys, a bladder and an injection site."""
    return phantom_reading(findings=8)


@pytest.fixture(scope="session")
def files(reading: Reading) -> dict[str, bytes]:
    """All files of that reading."""
    return render(reading)
