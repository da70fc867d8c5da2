"""The tracer: how much is given, where it goes, how long it stays, and what dose it leaves."""

from bonescan.tracer.activity import GUIDELINES, Prescription, prescribe
from bonescan.tracer.appointment import Appointment, PreviousStudy, Referral
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
from bonescan.tracer.plan import Plan, plan_study
from bonescan.tracer.radiopharmaceuticals import (
    RADIOPHARMACEUTICALS,
    Constant,
    Limit,
    Nuclide,
    Radiopharmaceutical,
    radiopharmaceutical,
)
from bonescan.tracer.syringe import Syringe, Vial, draw, net_injected

__all__ = [
    "BACKGROUND_MSV_PER_YEAR",
    "BLOOD_REGIONS",
    "COMPARTMENTS",
    "GUIDELINES",
    "RADIOPHARMACEUTICALS",
    "Appointment",
    "Constant",
    "Dose",
    "Kinetics",
    "Limit",
    "Nuclide",
    "Physiology",
    "Plan",
    "Prescription",
    "PreviousStudy",
    "Radiopharmaceutical",
    "Referral",
    "Syringe",
    "Vial",
    "absorbed_dose",
    "bladder_residence_h",
    "days_of_background",
    "draw",
    "draw_physiology",
    "kinetics",
    "label_bladder_wall_mgy",
    "net_injected",
    "plan_study",
    "prescribe",
    "radiopharmaceutical",
    "usual_gfr_ml_per_min",
]
