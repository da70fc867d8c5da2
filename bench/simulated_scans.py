"""Simulated people in place of those whose exported scans are compared with: who they are, and their pictures.

The exports tell nothing of the people but their length, 1.5 to 1.9 m from crown to pointed toe, and that their
collection comes from China. So stature and mass are drawn about what is recalled of people of sixty there: 1640 +/- 62
and 1530 +/- 58 mm, an index of mass of median 23 kg/m2 with a log-normal spread of 0.13. Nor do they tell the hour of
the scan: 5 +/- 0.3 h after injection, the end of the guideline's 2 to 5 h, as their soft tissue is faint. All else is
the cohort's, but that a third have metastases and nobody a catheter, a foreign tracer or kidneys that fail.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.camera.acquisition import whole_body_model
from bonescan.camera.cameras import camera
from bonescan.camera.emitter import Emitter
from bonescan.camera.protocols import WholeBody
from bonescan.patient.cohort import Cohort, Frequency, draw_scenario
from bonescan.patient.scenario import Protocol
from bonescan.patient.volumes import Patient
from bonescan.scan import ViewName
from exports import PIXEL_MM

Pictures = dict[ViewName, NDArray[np.float64]]

_NEVER = ("catheter_bag", "recent_other_tracer", "kidney_failure", "free_pertechnetate", "colloid", "too_early",
          "too_late", "motion", "amputation", "metabolic_superscan")  # fmt: skip
COHORT = Cohort(
    women=0.5,
    age_years=(60.0, 12.0),
    metastatic=0.33,
    frequencies={name: Frequency(men=0, women=0) for name in _NEVER},
)
_STATURE_MM = {"male": (1640.0, 62.0), "female": (1530.0, 58.0)}
_BMI, _BMI_SPREAD = 23.0, 0.13
_TIME_H, _TIME_SPREAD_H = 5.0, 0.3
# Photons that pass septa or scatter in the collimator are not modelled by the camera; three views whose export emptied
# nothing show them as counts beside the body, which fall by half every 20 mm to about 0.06 of 16 in the spine [C].
_TAILS, _TAIL_MM, _ROOM = 0.08, 30.0, 0.02


def simulated_patient(seed: int, number: int) -> tuple[Patient, Protocol]:
    """One person and how it is imaged."""
    scenario = draw_scenario(seed, number, COHORT)
    rng = np.random.default_rng([seed, number, 3])
    mean, spread = _STATURE_MM[str(scenario.person["sex"])]
    build = {
        "stature_mm": float(mean + spread * np.clip(rng.normal(), -2, 2)),
        "bmi": float(_BMI * math.exp(_BMI_SPREAD * np.clip(rng.normal(), -2, 2))),
        "arms": "beside",
    }
    time_h = float(_TIME_H + _TIME_SPREAD_H * np.clip(rng.normal(), -2, 2))
    scenario = replace(scenario, person={**scenario.person, **build}, protocol={**scenario.protocol, "time_h": time_h})
    return scenario.patient(np.random.SeedSequence(seed, spawn_key=(number, 1))), scenario.imaging()


def pictures(patient: Patient, protocol: Protocol, spacing_mm: float, histories: int = 1_000_000) -> Pictures:
    """Expected counts of both views on pixels as large as the exports', by the whole camera."""
    sampled = patient.sampled(spacing_mm)
    activity = sampled.activity(protocol.time_h, sampled.shares(protocol.time_h), sampled.weights(protocol.time_h))
    model = whole_body_model(
        [Emitter(medium=sampled.medium(), activity=activity)],
        camera("symbia_lehr"),
        WholeBody(),
        counts=1.5e6,
        histories=histories,
    )
    if not np.allclose(model.lattice.spacing_mm, PIXEL_MM, rtol=0.01):
        raise ValueError(f"The exports' pixels are {PIXEL_MM} mm, the camera's {model.lattice.spacing_mm}.")
    return {name: _with_tails(picture) for name, picture in zip(model.views, model.expected(), strict=True)}


def _with_tails(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """The picture with the far tails of its points, and the room's counts."""
    sigma = _TAIL_MM / PIXEL_MM
    tails = sum(ndimage.gaussian_filter(picture, share * sigma, truncate=3) for share in (0.6, 1.3)) / 2
    return np.asarray((1 - _TAILS) * picture + _TAILS * tails + _ROOM * picture.sum() / picture.size)
