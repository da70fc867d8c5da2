"""Fits the constants of the compartment model that nobody measured to curves that somebody did.

Run: PYTHONPATH=src python training/fit_kinetics.py
Writes src/bonescan/tracer/data/kinetics.csv and prints how far the fit lies from every target.

What is fixed is measured (clearances) or physiology (plasma volume); what is free starts at a textbook value and is
held near it by a prior with the spread named below. Targets are shares of the injected activity, corrected for decay.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from bonescan.tracer.biokinetics import Physiology, kinetics
from bonescan.tracer.radiopharmaceuticals import Constant, Radiopharmaceutical, radiopharmaceutical

TABLE = Path(__file__).parent.parent / "src/bonescan/tracer/data/kinetics.csv"
COUNTER = "whole-body counter, slow half-time 44 h and 31.0 % at 24 h (PMID 2496903)"
SMPC = "European oxidronate label: urine 30, 48, 60 % at 1, 2, 6 h; blood 10, 5, 3, 1.5, 1 % at 0.5, 1, 2, 3, 4 h"
BRENNER = "HMDP imaging: soft tissue 14 % at 6 h, bone 27 % from 3 h (PubMed 9323270)"


@dataclass(frozen=True)
class Start:
    """Where a constant starts, how far it may go (relative sd; 0 is fixed), and why."""

    value: float
    spread: float
    unit: str
    source: str
    certainty: str


FIT = "fitted by training/fit_kinetics.py"
MDP = {
    "plasma_volume": Start(3000, 0, "ml", "ICRP 89 reference man", "M"),
    "bone_clearance": Start(45, 0, "ml/min", "44.2 +/- 7.6 in 43 women (J Nucl Med 43:338); 30 to 56 elsewhere", "V"),
    "bone_release": Start(0.010, 0.3, "1/h", f"{FIT}; measured 0 to 0.048, mean 0.018 (J Nucl Med 43:338)", "C"),
    "renal_clearance_per_gfr": Start(1, 0, "1", "free MDP leaves by filtration (K_bone by the AUC method)", "V"),
    "kidney_outflow": Start(15, 0, "1/h", "4 min mean transit of a normal kidney", "M"),
    "cortex_fraction": Start(0.008, 0.7, "1", f"{FIT} to the kidneys' 1 % at 3 h", "C"),
    "cortex_release": Start(0.0096, 0.5, "1/h", f"{FIT}; starts at ICRP 53's half-time of 72 h", "C"),
    "exchange_clearance": Start(400, 0.3, "ml/min", f"{FIT}; as small hydrophilic tracers", "C"),
    "interstitial_volume": Start(11000, 0.15, "ml", f"{FIT}; extracellular volume less plasma", "C"),
    "protein_binding": Start(0.3, 1, "1/h", FIT, "C"),
    "protein_release": Start(0.3, 1, "1/h", FIT, "C"),
    "tissue_binding": Start(0.15, 1, "1/h", FIT, "C"),
    "tissue_release": Start(0.07, 1, "1/h", FIT, "C"),
}
# HDP: the same clearances; its slow soft-tissue pool is what makes its retention larger than MDP's.
HDP = dict(MDP)
# (what, hour, share, standard deviation, witness)
MDP_TARGETS = (
    ("retention", 1, 0.71, 0.03, COUNTER),
    ("retention", 2, 0.555, 0.03, COUNTER),
    ("retention", 3, 0.495, 0.03, COUNTER),
    ("retention", 6, 0.412, 0.012, COUNTER),
    ("retention", 24, 0.310, 0.001, COUNTER),
    ("soft", 6, 0.129, 0.002, BRENNER),
    ("bone", 3, 0.255, 0.004, BRENNER),
    ("bone", 6, 0.268, 0.006, BRENNER),
    ("bone", 24, 0.260, 0.004, BRENNER),
    ("blood", 0.5, 0.14, 0.04, "between the two oxidronate labels"),
    ("blood", 1, 0.085, 0.02, "between the two oxidronate labels"),
    ("blood", 2, 0.05, 0.012, "between the two oxidronate labels"),
    ("blood", 3, 0.032, 0.008, "between the two oxidronate labels"),
    ("blood", 4, 0.025, 0.006, "between the two oxidronate labels"),
    ("bound", 0.5, 0.27, 0.06, "25 to 30 % bound early [M]"),
    ("bound", 24, 0.80, 0.05, "nearly 80 % of the blood's activity late (MDP and DPD compared, abstract)"),
    ("kidneys", 3, 0.010, 0.0003, "1 % at 3 h; ICRP 53 gives 1.0 %"),
    ("kidneys", 24, 0.0064, 0.002, "ICRP 53"),
)
HDP_TARGETS = (
    ("retention", 1, 0.70, 0.03, SMPC),
    ("retention", 2, 0.52, 0.03, SMPC),
    ("retention", 6, 0.41, 0.012, SMPC),
    ("retention", 24, 0.366, 0.002, "whole-body counter, 36.6 % [M]"),
    ("soft", 6, 0.129, 0.002, BRENNER),
    ("bone", 3, 0.262, 0.004, BRENNER),
    ("bone", 24, 0.270, 0.004, BRENNER),
    ("blood", 0.5, 0.10, 0.04, SMPC),
    ("blood", 1, 0.075, 0.02, "between the two oxidronate labels"),
    ("blood", 2, 0.045, 0.012, "between the two oxidronate labels"),
    ("blood", 3, 0.028, 0.008, "between the two oxidronate labels"),
    ("blood", 4, 0.020, 0.006, "between the two oxidronate labels"),
    ("bound", 0.5, 0.27, 0.06, "as MDP"),
    ("bound", 24, 0.80, 0.05, "as MDP"),
    ("kidneys", 3, 0.010, 0.0003, "as MDP"),
    ("kidneys", 24, 0.0064, 0.002, "as MDP"),
)
FLUORIDE = {
    "plasma_volume": Start(4300, 0, "ml", "plasma and the red cells' share at 0.45 of it; design", "D"),
    "bone_clearance": Start(67, 0, "ml/min", "67.2 +/- 12.6 in 43 women (J Nucl Med 43:338)", "V"),
    "bone_release": Start(0.03, 0, "1/h", "0.0005 /min within the measured 0 to 0.0025 (J Nucl Med 43:338)", "D"),
    "renal_clearance_per_gfr": Start(0.5, 0, "1", "fluoride is partly reabsorbed", "M"),
    "kidney_outflow": MDP["kidney_outflow"],
    "cortex_fraction": Start(0, 0, "1", "none known", "D"),
    "cortex_release": Start(0.0096, 0, "1/h", "unused", "D"),
    "exchange_clearance": Start(2000, 0, "ml/min", "a small ion that leaves capillaries freely; design", "D"),
    "interstitial_volume": Start(12000, 0, "ml", "extracellular volume less plasma", "M"),
    "protein_binding": Start(0, 0, "1/h", "fluoride is not bound to protein", "M"),
    "protein_release": Start(1, 0, "1/h", "unused", "D"),
    "tissue_binding": Start(0, 0, "1/h", "no slow soft-tissue pool", "D"),
    "tissue_release": Start(1, 0, "1/h", "unused", "D"),
}


def with_values(tracer: Radiopharmaceutical, values: dict[str, float]) -> Radiopharmaceutical:
    constants = {name: Constant(value=value, unit="1", source="trial", certainty="C") for name, value in values.items()}
    return replace(tracer, constants=constants)


def reached(tracer: Radiopharmaceutical, what: str, hour: float) -> float:
    way = kinetics(tracer, Physiology(voids_h=()))
    if what == "retention":
        return way.retention(hour)
    left = tracer.nuclide.remaining(hour)
    shares = {name: share / left for name, share in way.shares(hour).items()}
    if what == "soft":
        return shares["blood"] + shares["soft_tissue"]
    if what == "bound":
        return float(way._state(hour)[1]) / shares["blood"]
    return shares[what]


def fitted(
    name: str, starts: dict[str, Start], targets: tuple[tuple[str, float, float, float, str], ...]
) -> dict[str, float]:
    tracer = radiopharmaceutical(name)
    free = [constant for constant, start in starts.items() if start.spread]
    origin = np.log([starts[constant].value for constant in free])
    spread = np.array([starts[constant].spread for constant in free])

    def values(logs: np.ndarray) -> dict[str, float]:
        return {constant: start.value for constant, start in starts.items()} | dict(
            zip(free, np.exp(logs).tolist(), strict=True)
        )

    def residuals(logs: np.ndarray) -> np.ndarray:
        trial = with_values(tracer, values(logs))
        misses = [(reached(trial, what, hour) - share) / sd for what, hour, share, sd, _ in targets]
        return np.concatenate([misses, (logs - origin) / spread])

    best = values(least_squares(residuals, origin).x)
    best = {constant: float(f"{value:.4g}") for constant, value in best.items()}
    trial = with_values(tracer, best)
    print(f"\n{name}")
    for what, hour, share, _, witness in targets:
        print(f"  {what:<10}{hour:>5} h  {reached(trial, what, hour):.4f}  (target {share:.4f}: {witness})")
    return best


def main() -> None:
    mdp = fitted("Tc-99m MDP", MDP, MDP_TARGETS)
    hdp = fitted("Tc-99m HDP", HDP, HDP_TARGETS)
    dpd = {**mdp, "renal_clearance_per_gfr": 0.59}
    dpd_why = dict(MDP)
    dpd_why["renal_clearance_per_gfr"] = Start(
        0.59, 0, "1", "41 % lower than of MDP, protein binding alike (MDP and DPD compared, Hausinger, abstract)", "V"
    )
    fluoride = {constant: start.value for constant, start in FLUORIDE.items()}
    with TABLE.open("w", newline="", encoding="utf-8") as out:
        out.write("# Constants of the compartment model for the reference man (73 kg, 1.83 m2, 50 years).\n")
        out.write("# Written by training/fit_kinetics.py. Certainty: V read, M recalled, C fitted, D our decision.\n")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["radiopharmaceutical", "constant", "value", "unit", "source", "certainty"])
        for name, values, why in (
            ("Tc-99m MDP", mdp, MDP),
            ("Tc-99m HDP", hdp, HDP),
            ("Tc-99m DPD", dpd, dpd_why),
            ("F-18 fluoride", fluoride, FLUORIDE),
        ):
            for constant, value in values.items():
                start = why[constant]
                writer.writerow([name, constant, value, start.unit, start.source, start.certainty])


if __name__ == "__main__":
    main()
