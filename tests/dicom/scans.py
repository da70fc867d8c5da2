"""Small scans with every fact that a DICOM object can tell, and the ways in which they vary."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from tests.dicom.phantom import body

from bonescan.scan import Device, DynamicScan, Injection, PatientFacts, Scan, TomographicScan, View, ViewName

ACQUIRED_AT = datetime(2026, 1, 2, 10, 15, 30)
PATIENT = PatientFacts(
    name="Simulated^One",
    patient_id="SIM-1",
    birth_date=date(1950, 4, 1),
    sex="M",
    age_years=75.0,
    stature_m=1.75,
    weight_kg=80.5,
)
INJECTION = Injection(
    radiopharmaceutical="Tc-99m MDP",
    radionuclide="^99m^Technetium",
    activity_mbq=712.3,
    injected_at=datetime(2026, 1, 2, 7, 0, 5),
)
DEVICE = Device(manufacturer="SIEMENS NM", model="Symbia", software="VB21", collimator="LEHR")
FACTS: dict[str, Any] = {
    "patient": PATIENT,
    "injection": INJECTION,
    "device": DEVICE,
    "acquired_at": ACQUIRED_AT,
    "study_uid": "1.2.3.4",
    "study_description": "Bone scan",
}
PHOTOPEAK, SCATTER = (129.5, 150.2), (108.0, 128.5)


def view(name: ViewName, counts: np.ndarray, **changes: Any) -> View:
    angle = 180.0 if name is ViewName.ANTERIOR else 0.0
    given = {
        "name": name,
        "counts": counts,
        "row_spacing_mm": 4.0,
        "column_spacing_mm": 4.0,
        "identity_basis": "ViewCodeSequence",
        "energy_window_kev": PHOTOPEAK,
        "duration_s": 1080.0,
        "scan_velocity_mm_per_s": 1.8,
        "start_angle_deg": angle,
    }
    return View(**{**given, **changes})


def whole_body(**changes: Any) -> Scan:
    """Both views of a body, 512 x 128 pixels of 4 mm."""
    views = tuple(view(name, body(name.value)) for name in ViewName)
    return Scan(**{"views": views, **FACTS, **changes})


def static(shape: tuple[int, int] = (64, 64), **changes: Any) -> Scan:
    rng = np.random.default_rng(5)
    views = tuple(view(name, rng.poisson(9, shape), duration_s=300.0, scan_velocity_mm_per_s=None) for name in ViewName)
    return Scan(**{"views": views, "whole_body": False, **FACTS, **changes})


def dynamic(**changes: Any) -> DynamicScan:
    """Two views: four frames of 2 s, two of 10 s after a pause of 2 s, with 1 s between them, one of 60 s."""
    given = {
        "view_names": tuple(ViewName),
        "counts": np.random.default_rng(3).poisson(2, (2, 7, 48, 40)),
        "starts_s": (0.0, 2.0, 4.0, 6.0, 10.0, 21.0, 31.0),
        "durations_s": (2.0, 2.0, 2.0, 2.0, 10.0, 10.0, 60.0),
        "row_spacing_mm": 4.0,
        "column_spacing_mm": 4.5,
        "energy_window_kev": PHOTOPEAK,
        "series_description": "Flow",
    }
    return DynamicScan(**{**given, **FACTS, **changes})


def tomographic(**changes: Any) -> TomographicScan:
    """Two energy windows of 16 views from in front towards the right side, each with its own radius."""
    given = {
        "counts": np.random.default_rng(4).poisson(3, (2, 16, 40, 48)),
        "energy_windows_kev": (PHOTOPEAK, SCATTER),
        "angles_deg": tuple((180 + 22.5 * k) % 360 for k in range(16)),
        "radii_mm": tuple(200.0 + 3 * k for k in range(16)),
        "durations_s": (20.0,) * 16,
        "row_spacing_mm": 4.8,
        "column_spacing_mm": 4.8,
        "series_description": "SPECT",
    }
    return TomographicScan(**{**given, **FACTS, **changes})


def put(files: dict[str, bytes], folder: Path) -> list[Path]:
    """Write files as the functions give them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


# What varies. Text without backslashes, which part values, and without blanks at its ends, which pad them.
words = st.text(st.characters(codec="utf-8", categories=["L", "N"], include_characters=" -"), min_size=1, max_size=30)
words = words.map(str.strip).filter(lambda text: text.isprintable() and text != "")
seconds = st.integers(1, 3_600_000).map(lambda ms: ms / 1000)
numbers = st.integers(1, 999_999)
radii = st.integers(1001, 999_999).map(lambda um: um / 1000)
instants = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)).map(lambda at: at.replace(microsecond=0))


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    """Facts that may each be unknown, but for the times: an object always tells when it was acquired."""
    at = draw(instants)
    before = draw(st.integers(0, 24 * 3600 - 1))
    born = draw(st.none() | st.dates(date(1900, 1, 1), date(2020, 1, 1)))
    return {
        "patient": PatientFacts(
            name=draw(st.none() | words),
            patient_id=draw(st.none() | words),
            birth_date=born,
            sex=draw(st.sampled_from([None, "F", "M", "O"])),
            age_years=draw(st.integers(2, 120).map(float)) if born else draw(st.none() | st.just(44.0)),
            stature_m=draw(st.none() | st.integers(300, 2200).map(lambda mm: mm / 1000)),
            weight_kg=draw(st.none() | st.integers(20, 4000).map(lambda n: n / 10)),
        ),
        "injection": Injection(
            radiopharmaceutical=draw(st.sampled_from([None, "Tc-99m MDP", "Tc-99m HDP", "Tc-99m DPD"])),
            radionuclide=draw(st.sampled_from([None, "^99m^Technetium"])),
            activity_mbq=draw(st.none() | numbers.map(lambda n: n / 1000)),
            injected_at=draw(st.sampled_from([None, at - timedelta(seconds=before)])),
        ),
        "device": Device(
            manufacturer=draw(st.none() | words),
            model=draw(st.none() | words),
            software=draw(st.none() | words),
            collimator=draw(st.none() | words.map(lambda text: text[:16].strip())),
        ),
        "acquired_at": at,
        "study_uid": draw(st.sampled_from(["1.2.3.4", "2.25.4711"])),
        "study_description": draw(st.none() | words),
    }


windows = st.tuples(st.integers(110_000, 139_000), st.integers(142_000, 170_000)).map(
    lambda pair: (pair[0] / 1000, pair[1] / 1000)
)
spacings = st.tuples(st.integers(1000, 9000), st.integers(1000, 9000)).map(lambda mm: (mm[0] / 1000, mm[1] / 1000))
shapes = st.tuples(st.integers(32, 60), st.integers(32, 60))


def pictures(shape: tuple[int, ...], seed: int, top: int) -> np.ndarray:
    """Whole counts, one of them the highest; their sum stays within what CountsAccumulated can tell."""
    drawn = np.random.default_rng(seed).integers(0, min(top, 3000) + 1, shape)
    drawn.reshape(-1)[0] = top
    return drawn.astype(np.float32)
