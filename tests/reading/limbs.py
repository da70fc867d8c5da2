"""Two legs of even counts, one of them with something: a three-phase study small enough for a second."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bonescan.scan import DynamicScan, Injection, PatientFacts, Phase, Scan, ThreePhaseStudy, View, ViewName

PIXEL_MM = 4.8
SHAPE = (80, 80)
STARTS_S = np.arange(20) * 2.0
ARRIVAL_S = 10.0
INJECTED = datetime(2026, 1, 2, 9, 0)
PERSON: dict[str, Any] = {
    "patient": PatientFacts(name="Simulated^Legs", patient_id="SIM-9", sex="F"),
    "injection": Injection(radiopharmaceutical="Tc-99m MDP", activity_mbq=700.0, injected_at=INJECTED),
    "study_uid": "1.2.3",
    "study_description": "Bone scan",
}
ROWS, COLUMNS = np.indices(SHAPE)


def legs() -> np.ndarray:
    """1 in two legs 96 mm wide, 0 beside them; seen from the front."""
    middle = (SHAPE[1] - 1) / 2
    aside = np.abs(COLUMNS - middle)
    return ((aside > 6) & (aside < 26) & (ROWS >= 6) & (ROWS < 70)).astype(float)


def patch(side: str, rows: tuple[int, int], half_columns: int) -> np.ndarray:
    """1 in a rectangle about the middle of a leg; the patient's right is on the left."""
    middle = (SHAPE[1] - 1) / 2 + (16 if side == "left" else -16)
    return ((np.abs(COLUMNS - middle) <= half_columns) & (rows[0] <= ROWS) & (rows[1] > ROWS)).astype(float)


def phase_pictures(factor: dict[Phase, float], where: np.ndarray) -> dict[Phase, np.ndarray]:
    """Expected counts: legs of 40 a pixel in every phase, times a factor where something is."""
    return {phase: 40.0 * legs() * (1 + (factor.get(phase, 1.0) - 1) * where) + 0.02 for phase in Phase}


def study_of(
    pictures: dict[Phase, np.ndarray],
    rng: np.random.Generator,
    *,
    body_part: str | None = "LEG",
    without: tuple[Phase, ...] = (),
) -> ThreePhaseStudy:
    """Poisson counts of expected pictures; the flow rises evenly for 6 s from `ARRIVAL_S` on and then stays."""
    edges = np.append(STARTS_S, STARTS_S[-1] + 2.0)
    risen = np.clip(edges - ARRIVAL_S, 0, 6.0) ** 2 / 12 + np.maximum(edges - ARRIVAL_S - 6, 0)
    share = np.diff(risen) / risen[-1]
    frames = rng.poisson(share[:, None, None] * pictures[Phase.FLOW])
    flow = DynamicScan(
        view_names=(ViewName.ANTERIOR,),
        counts=frames[None],
        starts_s=tuple(STARTS_S),
        durations_s=(2.0,) * len(STARTS_S),
        row_spacing_mm=PIXEL_MM,
        column_spacing_mm=PIXEL_MM,
        acquired_at=INJECTED,
        **PERSON,
    )
    scans: dict[Phase, Any] = {Phase.FLOW: flow}
    for phase, after in ((Phase.POOL, timedelta(minutes=5)), (Phase.DELAYED, timedelta(hours=3))):
        view = View(
            name=ViewName.ANTERIOR,
            counts=rng.poisson(pictures[phase]),
            row_spacing_mm=PIXEL_MM,
            column_spacing_mm=PIXEL_MM,
            identity_basis="made so",
            duration_s=300.0,
        )
        scans[phase] = Scan(views=(view,), whole_body=False, acquired_at=INJECTED + after, **PERSON)
    return ThreePhaseStudy(
        flow=None if Phase.FLOW in without else scans[Phase.FLOW],
        pool=None if Phase.POOL in without else scans[Phase.POOL],
        delayed=None if Phase.DELAYED in without else scans[Phase.DELAYED],
        absent=dict.fromkeys(without, "It was not made."),
        body_part=body_part,
    )
