"""The tracer: how much is given, where it goes, how long it stays, and what dose it leaves."""

from bonescan.tracer.biokinetics import (
    COMPARTMENTS,
    Kinetics,
    Physiology,
    draw_physiology,
    kinetics,
    usual_gfr_ml_per_min,
)
from bonescan.tracer.circulation import BLOOD_REGIONS
from bonescan.tracer.dose import (
    BACKGROUND_MSV_PER_YEAR,
    Dose,
    absorbed_dose,
    bladder_residence_h,
    days_of_background,
    label_bladder_wall_mgy,
)
from bonescan.tracer.radiopharmaceuticals import (
    RADIOPHARMACEUTICALS,
    Constant,
    Limit,
    Nuclide,
    Radiopharmaceutical,
    radiopharmaceutical,
)

__all__ = [
    "BACKGROUND_MSV_PER_YEAR",
    "BLOOD_REGIONS",
    "COMPARTMENTS",
    "RADIOPHARMACEUTICALS",
    "Constant",
    "Dose",
    "Kinetics",
    "Limit",
    "Nuclide",
    "Physiology",
    "Radiopharmaceutical",
    "absorbed_dose",
    "bladder_residence_h",
    "days_of_background",
    "draw_physiology",
    "kinetics",
    "label_bladder_wall_mgy",
    "radiopharmaceutical",
    "usual_gfr_ml_per_min",
]
