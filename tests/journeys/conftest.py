"""Rooms that answer at once, for the tests that are about the way between them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from bonescan import dicom, reading, report
from bonescan.reading.case import Case
from bonescan.reading.model import Reading
from bonescan.scan import Scan

FILES = {"reading.json": b"{}", "report.html": b"<p>new</p>", "overlay_posterior.png": b"png"}


@dataclasses.dataclass
class Rooms:
    """What each room answers; a test overwrites the one it is about."""

    open_scan: Callable[..., Scan]
    read: Callable[..., Reading]
    render: Callable[..., dict[str, bytes]]


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch, small_scan: Scan, small_reading: Reading) -> Rooms:
    """Stand-ins for what opens, reads and renders a scan; no input holds early phases."""
    answers = Rooms(
        open_scan=lambda inputs, **settings: small_scan,
        read=lambda scan, *, progress: small_reading,
        render=lambda finished, *told: dict(FILES),
    )
    monkeypatch.setattr(dicom, "open_phases", lambda *a, **k: None)
    monkeypatch.setattr(dicom, "open_scan", lambda *a, **k: answers.open_scan(*a, **k), raising=False)
    monkeypatch.setattr(reading, "read", lambda *a, **k: answers.read(*a, **k), raising=False)
    monkeypatch.setattr(
        reading, "read_case", lambda *a, **k: Case(reading=answers.read(*a, **k), glance=None), raising=False
    )
    monkeypatch.setattr(report, "render", lambda *a, **k: answers.render(*a, **k), raising=False)
    return answers
