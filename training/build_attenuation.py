"""Make the project's tables of tissues and of elements' cross-sections.

Usage::

    python training/build_attenuation.py MEASURED_FOLDER src/bonescan/anatomy/data

``MEASURED_FOLDER`` holds ``attenuation.csv``: densities and elemental compositions (percent by mass) of the media of
the ICRP Publication 110 reference phantoms. The cross-sections come from the tables of Elam, Ravel and Sieber
(Radiat Phys Chem 2002;63:121-128; public domain) as the package ``xraydb`` (tested with 4.5.8; MIT) gives them.

Changes made: names are short; weights are made to sum to 1; materials that are no tissue are added from their formulas;
"bone" is the reference man's skeleton as a whole. Cross-sections are sampled so finely that log-log interpolation
adds at most 0.1 %, with both sides of every K edge.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import numpy as np
import xraydb

LOW_KEV, HIGH_KEV, STEPS = 20.0, 600.0, 36
LINES_KEV = (140.511, 511.0)  # Tc-99m and annihilation: listed exactly

# Medium of the ICRP Publication 110 male phantom -> our name. Female only where it differs and matters.
MEDIA = {
    "Air": "air",
    "Lung tissue (compressed lungs)": "lung",
    "Adipose tissue": "adipose",
    "Muscle tissue": "muscle",
    "Skin": "skin",
    "Blood": "blood",
    "Lymph": "lymph",
    "Cartilage": "cartilage",
    "Heart": "heart",
    "Liver": "liver",
    "Kidneys": "kidney",
    "Spleen": "spleen",
    "Pancreas": "pancreas",
    "Brain": "brain",
    "Eyes": "eye",
    "Thyroid": "thyroid",
    "Stomach": "stomach",
    "Large intestine": "bowel",
    "Gastro-intestinal tract - contents": "bowel contents",
    "Urinary bladder": "bladder wall",
    "Urine": "urine",
    "Breast (mammary gland)": "breast",
    "Prostate": "soft organ",
    "Teeth": "tooth",
    "Mineral bone": "mineral bone",
    "Pelvis, spongiosa": "spongiosa",
    "Lower leg bones, medullary cavity": "yellow marrow",
}
# The reference man's bones without cartilage and teeth (ICRP 110): 10302 g in 7592.3 ml, 6654 g of it mineral bone.
BONE_DENSITY, BONE_MINERAL_SHARE = 10302 / 7592.3, 6654 / 10302
AIR_DENSITY = 0.001205  # dry, 20 degrees C, 101.3 kPa [M]; the phantoms' table rounds to 0.001

# name: density g/ml, {formula or element: share by mass}, source, certainty
MATERIALS: dict[str, tuple[float, dict[str, float], str, str]] = {
    "water": (1.0, {"H2O": 1.0}, "H2O", "V"),
    "PMMA": (1.19, {"C5H8O2": 1.0}, "C5H8O2", "V"),
    "polyethylene": (0.94, {"CH2": 1.0}, "CH2, ultra-high molecular weight", "M"),
    "silicone": (0.97, {"C2H6OSi": 1.0}, "polydimethylsiloxane", "M"),
    "hydroxyapatite": (3.16, {"Ca5P3O13H": 1.0}, "Ca5(PO4)3OH", "V"),
    "red marrow": (
        1.03,
        {"H": 10.5, "C": 41.4, "N": 3.4, "O": 43.9, "P": 0.1, "S": 0.2, "Cl": 0.2, "K": 0.2, "Fe": 0.1},
        "ICRU Report 46",
        "M",
    ),
    "titanium": (4.43, {"Ti": 90.0, "Al": 6.0, "V": 4.0}, "implant alloy Ti-6Al-4V", "M"),
    "cobalt-chrome": (8.3, {"Co": 64.0, "Cr": 28.5, "Mo": 6.0, "Si": 0.75, "Mn": 0.75}, "implant alloy ASTM F75", "M"),
    "steel": (8.0, {"Fe": 65.5, "Cr": 17.0, "Ni": 13.0, "Mo": 2.5, "Mn": 2.0}, "implant steel 316L", "M"),
    "lead": (11.35, {"Pb": 1.0}, "element", "V"),
    "gold": (15.5, {"Au": 75.0, "Ag": 13.0, "Cu": 12.0}, "dental casting alloy, 18 carat", "M"),
    "amalgam": (11.0, {"Hg": 50.0, "Ag": 34.0, "Sn": 10.0, "Cu": 6.0}, "dental amalgam", "M"),
    "iodine contrast": (
        1.11,
        {"H2O": 1.11 - 0.2155, "C19H26I3N3O9": 0.2155},
        "iohexol as kidneys excrete it, 100 mg iodine per ml",
        "D",
    ),
    "sodium iodide": (3.67, {"NaI": 1.0}, "crystal of gamma cameras, NaI(Tl) without its thallium", "M"),
    "cadmium zinc telluride": (5.8, {"Cd0.9Zn0.1Te": 1.0}, "semiconductor of gamma cameras, a tenth of zinc", "M"),
    "barium": (1.45, {"H2O": 0.85, "BaSO4": 0.6}, "suspension of 0.6 g BaSO4 per ml", "D"),
}

TISSUES_HEADER = """\
# Tissues and materials for `bonescan.anatomy.tissues`: density, and share of each element by mass.
# Tissues: media of the adult male reference phantom of ICRP Publication 110 (Ann. ICRP 39(2), 2009); "bone" is its
# whole skeleton with marrow. Certainty: V read in the source, M from memory of it, C computed, D our decision.
"""
SECTIONS_HEADER = """\
# Photon cross-sections of the elements in cm2/g, for `bonescan.anatomy.tissues`; two rows at one energy are an edge.
# From the tables of W. T. Elam, B. D. Ravel, J. R. Sieber (Radiat Phys Chem 2002;63:121-128), public domain, through
# xraydb. Incoherent is that of bound electrons (with the incoherent scattering function), coherent that of whole atoms.
"""


def shares(parts: dict[str, float]) -> dict[str, float]:
    """Share of each element by mass, from shares of formulas."""
    total = sum(parts.values())
    out: dict[str, float] = {}
    for formula, part in parts.items():
        atoms = xraydb.chemparse(formula)
        mass = {element: count * xraydb.atomic_mass(element) for element, count in atoms.items()}
        for element, value in mass.items():
            out[element] = out.get(element, 0.0) + part / total * value / sum(mass.values())
    return out


def tissues(folder: Path) -> dict[str, tuple[float, dict[str, float], str, str]]:
    out: dict[str, tuple[float, dict[str, float], str, str]] = {}
    with (folder / "attenuation.csv").open() as stream:
        for row in csv.DictReader(stream):
            if row["phantom"] != "AM" or row["tissue"] not in MEDIA:
                continue
            parts = {
                key.split("_")[1]: float(value)
                for key, value in row.items()
                if key.startswith("w_") and float(value or 0) > 0
            }
            name = MEDIA[row["tissue"]]
            density = AIR_DENSITY if name == "air" else float(row["density_g_cm3"])
            out[name] = (density, shares(parts), f"ICRP 110: {row['tissue'].split(',')[0]}", "V")
    missing = set(MEDIA.values()) - set(out)
    if missing:
        sys.exit(f"Media are missing: {sorted(missing)}")
    # the rest is marrow, 1170 g active and 2480 g inactive (ICRP Publication 89 [M])
    marrow = 1 - BONE_MINERAL_SHARE
    mixed: dict[str, float] = {}
    for share, composition in (
        (BONE_MINERAL_SHARE, out["mineral bone"][1]),
        (0.32 * marrow, shares(MATERIALS["red marrow"][1])),
        (0.68 * marrow, out["yellow marrow"][1]),
    ):
        for element, value in composition.items():
            mixed[element] = mixed.get(element, 0.0) + share * value
    out["bone"] = (BONE_DENSITY, mixed, "ICRP 110: male skeleton with marrow", "C")
    for name, (density, parts, source, certainty) in MATERIALS.items():
        out[name] = (density, shares(parts), source, certainty)
    return out


def energies(element: str) -> list[tuple[float, float]]:
    """Energies to list (keV), and at which to look them up: just below and just above an edge."""
    grid = [(float(e), float(e)) for e in (*np.geomspace(LOW_KEV, HIGH_KEV, STEPS), *LINES_KEV)]
    edge = xraydb.xray_edge(element, "K").energy / 1000 if element != "H" else 0.0
    if LOW_KEV * 1.01 < edge < HIGH_KEV:
        grid = [pair for pair in grid if abs(math.log(pair[0] / edge)) > 0.01]
        grid += [(edge, edge * 0.9995), (edge, edge * 1.0005)]
    elif abs(math.log(max(edge, 1.0) / LOW_KEV)) <= 0.01:
        grid[0] = (LOW_KEV, edge * 1.0005)
    return sorted(grid)


def main(measured: Path, out: Path) -> None:
    table = tissues(measured)
    elements = sorted({e for _, parts, _, _ in table.values() for e in parts}, key=xraydb.atomic_number)
    with (out / "tissues.csv").open("w", newline="") as stream:
        stream.write(TISSUES_HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["tissue", "density_g_per_ml", "certainty", "source", *elements])
        for name, (density, parts, source, certainty) in table.items():
            writer.writerow(
                [name, f"{density:.4g}", certainty, source]
                + [f"{parts[e]:.5f}".rstrip("0") if parts.get(e, 0) > 0 else "" for e in elements]
            )
    with (out / "cross_sections.csv").open("w", newline="") as stream:
        stream.write(SECTIONS_HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["element", "electrons_per_g_e23", "energy_kev", "photoelectric", "incoherent", "coherent"])
        for element in elements:
            electrons = xraydb.atomic_number(element) / xraydb.atomic_mass(element) * 6.02214076
            for energy, at in energies(element):
                kinds = [float(xraydb.mu_elam(element, at * 1000, kind=kind)) for kind in ("photo", "incoh", "coh")]
                writer.writerow([element, f"{electrons:.4f}", f"{energy:.4f}", *(f"{kind:.5g}" for kind in kinds)])
    print(f"{len(table)} tissues of {len(elements)} elements")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
