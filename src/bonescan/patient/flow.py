"""The first pass of a bolus through a body: which voxels belong to which region of the circulation."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.skeleton import default_skeleton, segment_of
from bonescan.tracer.circulation import BLOOD_REGIONS

__all__ = ["add_first_pass"]

_CENTRAL = 4  # regions passed one after the other, before those side by side
_COARSE = 2  # every second voxel tells whose bone is nearest
_LIMBS = {"head": "head", "neck": "head", "arm": "arms", "forearm": "arms", "hand": "hands", "thigh": "thighs"} | {
    "shank": "legs",
    "foot": "feet",
}


def add_first_pass(
    out: NDArray[np.float32],
    shares: dict[str, float],
    blood: NDArray[np.float64],
    bone: NDArray[np.int16],
    organ: NDArray[np.uint8],
    organs: tuple[str, ...],
    tissue: NDArray[np.uint8],
    extra: NDArray[np.int64],
    factor: NDArray[np.float64],
) -> None:
    """Add blood while the bolus still runs: each region of the circulation holds its own share.

    Parameters
    ----------
    out : (slice, row, column) ndarray of float32
        Added to, in the shares' unit.
    shares : dict of str to float
        What each of `bonescan.tracer.circulation.BLOOD_REGIONS` but the arm's vein holds, over the volume of a voxel.
        What a region without voxels holds goes to the trunk.
    blood : (1 + organ, tissue) ndarray
        Blood in ml per ml.
    bone, organ, tissue : (slice, row, column) ndarray
    organs : tuple of str
    extra : (voxel,) ndarray of int
        Voxels whose blood is `factor` times the normal.
    factor : (voxel,) ndarray

    Returns
    -------
    None
    """
    region = _regions(bone, organ, organs)
    counts = _count_regions(region, organ, tissue, len(BLOOD_REGIONS), *blood.shape)
    kind = organ.reshape(-1)[extra], tissue.reshape(-1)[extra]
    where = region.reshape(-1)[extra]
    rooms = {
        name: float((blood * counts[r]).sum() + (blood[kind] * (factor - 1))[where == r].sum())
        for r, name in enumerate(BLOOD_REGIONS)
    }
    # more room draws more flow: what is hyperaemic fills faster, at the expense of the rest of the body
    body = BLOOD_REGIONS[_CENTRAL:]
    drawn = {
        name: shares[name] * (rooms[name] / normal if (normal := float((blood * counts[r]).sum())) > 0 else 0.0)
        for r, name in enumerate(BLOOD_REGIONS)
        if name in body
    }
    if (total := sum(drawn.values())) > 0:
        scale = sum(shares[name] for name in body if rooms[name] > 0) / total
        shares = shares | {name: drawn[name] * scale for name in body if rooms[name] > 0}
    table = np.zeros(counts.shape)
    homeless = sum(share for name, share in shares.items() if rooms[name] <= 0)
    for r, name in enumerate(BLOOD_REGIONS):
        if name in shares and rooms[name] > 0:
            table[r] = blood * ((shares[name] + (homeless if name == "trunk" else 0.0)) / rooms[name])
    _add_regions(region, organ, tissue, table.astype(np.float32), out)
    out.reshape(-1)[extra] += (table[(where, *kind)] * (factor - 1)).astype(np.float32)


def _regions(bone: NDArray[np.int16], organ: NDArray[np.uint8], organs: tuple[str, ...]) -> NDArray[np.uint8]:
    """Region of the circulation of every voxel: lungs and heart by themselves, all else by the nearest bone."""
    of_bone = [
        BLOOD_REGIONS.index(_LIMBS.get(segment_of(name).removesuffix("_l").removesuffix("_r"), "trunk"))
        for name in default_skeleton().bones
    ]
    coarse = bone[::_COARSE, ::_COARSE, ::_COARSE]
    nearest = ndimage.distance_transform_edt(coarse == 0, return_distances=False, return_indices=True)
    labels = np.array([BLOOD_REGIONS.index("trunk"), *of_bone], dtype=np.uint8)[coarse[tuple(nearest)]]
    for axis, length in enumerate(bone.shape):
        labels = np.repeat(labels, _COARSE, axis=axis).take(np.arange(length), axis=axis)
    for k, name in enumerate(organs):
        if name.startswith("lung"):
            labels[organ == k + 1] = BLOOD_REGIONS.index("lungs")
        elif name == "heart_blood":
            place = np.nonzero(organ == k + 1)
            left = place[2] > np.median(place[2])  # the right heart lies to the right and in front [D]
            labels[place] = np.where(left, BLOOD_REGIONS.index("left_heart"), BLOOD_REGIONS.index("right_heart"))
    return np.asarray(labels)


@numba.njit(cache=True, nogil=True)
def _count_regions(  # type: ignore[no-untyped-def]
    region, organ, tissue, regions, organs, tissues
):
    out = np.zeros((regions, organs, tissues), dtype=np.int64)
    slices, rows, columns = organ.shape
    for s in range(slices):
        for r in range(rows):
            for c in range(columns):
                out[region[s, r, c], organ[s, r, c], tissue[s, r, c]] += 1
    return out


@numba.njit(cache=True, nogil=True)
def _add_regions(  # type: ignore[no-untyped-def]
    region, organ, tissue, table, out
):
    """Add what a table gives each voxel by its region, organ and tissue."""
    slices, rows, columns = out.shape
    for s in range(slices):
        for r in range(rows):
            for c in range(columns):
                out[s, r, c] += table[region[s, r, c], organ[s, r, c], tissue[s, r, c]]
