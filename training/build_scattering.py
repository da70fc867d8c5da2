"""Make the camera's table of incoherent scattering functions and atomic form factors.

Usage::

    python training/build_scattering.py src/bonescan

The numbers come from the package ``xraylib`` (tested with 4.3.0; BSD licence): functions ``SF_Compt`` and ``FF_Rayl``.
Elements are those of ``anatomy/data/tissues.csv``. The momentum transfer x = sin(angle / 2) / wavelength runs from 0 to
16 per angstrom, evenly in its square root, which is as far as photons of 198 keV go; interpolated in the square root
(S linearly, F in its logarithm), the table adds less than 0.3 % to either where it matters.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import xraylib

LARGEST_PER_ANGSTROM, STEPS = 16.0, 101

HEADER = """\
# Incoherent scattering functions S and coherent form factors F of atoms, for `bonescan.camera.scattering`, by the
# momentum transfer x = sin(angle / 2) / wavelength. S tends to the number of electrons, F(0) is that number.
# Sampled from xraylib 4.3.0 (T. Schoonjans et al., Spectrochim Acta B 2011;66:776-784; BSD licence).
"""


def main(package: Path) -> None:
    with (package / "anatomy/data/tissues.csv").open() as stream:
        elements = next(csv.reader(line for line in stream if not line.startswith("#")))[4:]
    transfers = np.linspace(0, LARGEST_PER_ANGSTROM**0.5, STEPS) ** 2
    out = package / "camera/data/scattering.csv"
    out.parent.mkdir(exist_ok=True)
    with out.open("w", newline="") as stream:
        stream.write(HEADER)
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["element", "x_per_angstrom", "scattering_function", "form_factor"])
        for element in elements:
            number = xraylib.SymbolToAtomicNumber(element)
            for x in transfers:
                incoherent = xraylib.SF_Compt(number, x) if x > 0 else 0.0
                coherent = xraylib.FF_Rayl(number, x)
                writer.writerow([element, f"{x:.6g}", f"{incoherent:.5g}", f"{coherent:.5g}"])
    print(f"{len(elements)} elements at {len(transfers)} momentum transfers: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
