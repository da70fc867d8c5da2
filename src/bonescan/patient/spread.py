"""Where tracer lies that is not in bone: blood and extravascular fluid by tissue, and the organs that hold more."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy.tables import rows

__all__ = ["ORGANS_OF", "fluids"]

Array = NDArray[np.float64]

# Organs that hold a compartment of the kinetics, and how much each ml holds against the others: the renal pelvis
# and ureters hold urine on its way, about as concentrated as in the kidney, as kidneys in real scans have no bright
# middle [D].
ORGANS_OF: dict[str, dict[str, float]] = {
    "kidneys": {"kidney": 1.0, "renal_pelvis": 1.5, "ureter": 1.0},
    "bladder": {"bladder": 1.0},
    "liver": {"liver": 1.0},
    "thyroid": {"thyroid": 1.0},
    "stomach": {"stomach": 1.0},
    "salivary": {"salivary": 1.0},
    "gut": {"small_bowel": 1.0, "colon": 1.0},
}
"""By compartment: name (beginning) of an organ and its relative concentration."""


@cache
def _table() -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (row["what"], row["name"]): (float(row["blood_ml"]), float(row["fluid_ml"]))
        for row in rows("spread", "patient")
    }


@lru_cache(maxsize=64)
def fluids(organs: tuple[str, ...], tissues: tuple[str, ...]) -> tuple[Array, Array]:
    """Blood and extravascular fluid of every kind of voxel.

    Parameters
    ----------
    organs, tissues : tuple of str

    Returns
    -------
    blood, fluid : (1 + organ, tissue) ndarray
        In ml per ml; row 0 is no organ. An organ without a row is taken by its tissue, a tissue without one has none.
    """
    table = _table()

    def best(what: str, name: str) -> tuple[float, float] | None:
        names = [key for kind, key in table if kind == what and name.startswith(key)]
        return table[what, max(names, key=len)] if names else None

    out = np.zeros((1 + len(organs), len(tissues), 2))
    for t, tissue in enumerate(tissues):
        own = best("tissue", tissue) or (0.0, 0.0)
        out[:, t] = own
        for k, organ in enumerate(organs):
            out[k + 1, t] = best("organ", organ) or own
    out.flags.writeable = False
    return out[:, :, 0], out[:, :, 1]
