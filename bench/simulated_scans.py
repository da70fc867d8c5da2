"""Simulated people in place of those whose exported scans are compared with: who they are, and their pictures.

The exports tell nothing of the people but their length, 1.5 to 1.9 m from crown to pointed toe, and that their
collection comes from China. So stature and mass are drawn about what is recalled of people of sixty there: 1655 +/- 62
and 1545 +/- 58 mm, an index of mass of median 23.5 kg/m2 with a log-normal spread of 0.13. All else is the cohort's,
but that a third have metastases and nobody a catheter, a foreign tracer or kidneys that fail.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import contact_sheet
from bonescan.patient.cohort import Cohort, Frequency, draw_scenario
from bonescan.patient.scenario import Protocol
from bonescan.patient.volumes import Patient
from bonescan.scan import ViewName
from exports import PIXEL_MM

Array = NDArray[np.float64]

_NEVER = ("catheter_bag", "recent_other_tracer", "kidney_failure", "free_pertechnetate", "colloid", "too_early",
          "too_late", "motion", "amputation", "metabolic_superscan")  # fmt: skip
COHORT = Cohort(
    women=0.5,
    age_years=(60.0, 12.0),
    metastatic=0.33,
    frequencies={name: Frequency(men=0, women=0) for name in _NEVER},
)
_STATURE_MM = {"male": (1655.0, 62.0), "female": (1545.0, 58.0)}
_BMI, _BMI_SPREAD = 23.5, 0.13


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
    scenario = replace(scenario, person={**scenario.person, **build})
    return scenario.patient(np.random.SeedSequence(seed, spawn_key=(number, 1))), scenario.imaging()


def pictures(patient: Patient, protocol: Protocol, spacing_mm: float) -> dict[ViewName, Array]:
    """Expected pictures of both views, in any unit, on pixels as large as the exports'."""
    both = contact_sheet.scanned(patient, protocol, spacing_mm)
    factor = spacing_mm / PIXEL_MM
    return {
        name: np.maximum(ndimage.zoom(picture, factor, order=3, mode="grid-constant", grid_mode=True), 0)
        for name, picture in zip((ViewName.ANTERIOR, ViewName.POSTERIOR), both, strict=True)
    }
