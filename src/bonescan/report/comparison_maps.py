"""Pictures of a comparison as numbers, for a page that lays both scans on each other: maps.npz.

::

    prior_VIEW       the prior scan's counts, carried to the current one's pixels and scaled to its normal bone; NaN
                     where not both scans show the place, or the way between them tears
    difference_VIEW  current less prior in standard deviations of the noise; 0 where not both scans show the place
    row_VIEW, column_VIEW   where every `GRID_STEP`-th pixel of the current view lies in the prior one, in its pixels

The first two are stored in half precision (a share of 0.0005, finer than any count's noise), the grid in single.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from bonescan.followup.model import Comparison

__all__ = ["GRID_STEP", "comparison_maps", "load_comparison_map"]

GRID_STEP = 4
"""Pixels from one point of the alignment's grid to the next: the map is smooth over 25 mm and more."""

_MOST = 60_000.0  # half precision ends soon above


def comparison_maps(comparison: Comparison) -> bytes:
    """Put the pictures of a comparison into one file.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    bytes
        Of a NumPy archive, for every view that both scans have. The same comparison gives the same bytes.
    """
    before = {view.name: view for view in comparison.prior.scan.views}
    maps: dict[str, NDArray[np.floating]] = {}
    for one in comparison.difference:
        aligned = comparison.alignment.view(one.name)
        if aligned is None:
            continue
        carried = one.scale * aligned.carry(before[one.name].counts)
        every = np.s_[::GRID_STEP, ::GRID_STEP]
        maps |= {
            f"prior_{one.name}": np.where(aligned.shown, np.clip(carried, 0, _MOST), np.nan).astype(np.float16),
            f"difference_{one.name}": np.clip(one.significance, -_MOST, _MOST).astype(np.float16),
            f"row_{one.name}": aligned.prior_row[every].astype(np.float32),
            f"column_{one.name}": aligned.prior_column[every].astype(np.float32),
        }
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **maps)
    return out.getvalue()


def load_comparison_map(content: bytes, kind: str, view: str) -> NDArray[np.float32] | None:
    """Take one picture out of what `comparison_maps` made.

    Parameters
    ----------
    content : bytes
    kind : str
        ``"prior"``, ``"difference"``, ``"row"`` or ``"column"``.
    view : str

    Returns
    -------
    (row, column) ndarray of float32 or None
        ``None`` where it has no such picture.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as maps:
        name = f"{kind}_{view}"
        return np.asarray(maps[name], dtype=np.float32) if name in maps else None
