"""What planar views show of each lesion: the truth a reader's findings are held to.

The excess of a lesion is the camera's primary picture of what it adds to the activity
(`bonescan.patient.sampling.SampledPatient.excess`); what it adds to scatter is spread so widely that it is left out.
With the expected picture E of the patient as she is and a lesion's excess e, at its peak p, where abs(e) is largest ::

    contrast = E(p) / (E(p) - e(p))          snr^2 = sum of e^2 / E over pixels

The second is the signal-to-noise ratio of an observer who knows the lesion's picture and its place and decides by
Poisson counts alone. A lesion's area is where its excess is at least half its peak's.

Excess is linear in activity, so lesions whose pictures cannot overlap are projected together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.field import Field
from bonescan.journeys.shadows import PlanarPlace
from bonescan.patient.sampling import SampledPatient

__all__ = ["Primary", "SeenLesion", "lesion_map", "seen_lesions"]

Array = NDArray[np.float64]
Primary = Callable[[Sequence[Field]], NDArray[np.floating]]
"""Expected unscattered counts, (view, row, column) ndarray, of activities by pose of the patient; linear."""

_REACH_MM = 45.0  # beyond that a low-energy collimator spreads nothing: four sigma at 30 cm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenLesion:
    """One lesion or disturbance in one view.

    Parameters
    ----------
    row, column : int
        Where its excess is largest, hot or cold.
    peak_counts, excess_counts : float
        Its excess there and over the view; negative where it is cold.
    contrast : float
        Expected picture with it over that without it, at its peak; infinite where nothing else would be.
    snr : float
    box : (slice, slice)
        Rows and columns around `mask`'s pixels.
    mask : (row, column) ndarray of bool
        Within the box: where the excess is at least half its peak's.
    excess : (row, column) ndarray of float32
        Within the box.
    """

    row: int
    column: int
    peak_counts: float
    excess_counts: float
    contrast: float
    snr: float
    box: tuple[slice, slice]
    mask: NDArray[np.bool_]
    excess: NDArray[np.float32]


def seen_lesions(
    poses: Sequence[SampledPatient],
    time_h: float,
    places: Sequence[PlanarPlace],
    expected: Sequence[NDArray[np.floating]],
    primary: Primary,
) -> tuple[tuple[SeenLesion | None, ...], ...]:
    """What each view shows of each lesion and disturbance.

    Parameters
    ----------
    poses : sequence of SampledPatient
        One patient in all the poses taken while counting, in their order.
    time_h : float
        Of the activity that `primary` counts.
    places : sequence of PlanarPlace
        Of the views.
    expected : sequence of (row, column) ndarray
        Expected counts of every view.
    primary : callable
        As `Primary`.

    Returns
    -------
    tuple of tuple of SeenLesion or None
        By lesion, disturbances after the lesions, then by view; none where it adds and takes nothing, or out of view.
    """
    count = len(poses[0].painted)
    told = []
    for sampled in poses:
        shares, weights = sampled.shares(time_h), sampled.weights(time_h)
        told.append([sampled.excess(k, time_h, shares, weights) for k in range(count)])
    boxes = [[_reach(poses, [own[k][0] for own in told], place) for place in places] for k in range(count)]
    activities = [np.zeros(sampled.grid.shape, dtype=np.float32) for sampled in poses]
    found: list[tuple[SeenLesion | None, ...]] = [(None,) * len(places)] * count
    for group in _apart(boxes):
        for values, own in zip(activities, told, strict=True):
            values[:] = 0
            for k in group:
                index, kbq_per_ml = own[k]
                values.reshape(-1)[index] = kbq_per_ml
        pictures = primary(
            [
                Field(values=values, grid=sampled.grid, unit="kBq/mL")
                for values, sampled in zip(activities, poses, strict=True)
            ]
        )
        for k in group:
            found[k] = tuple(
                _seen(picture, level, box) for picture, level, box in zip(pictures, expected, boxes[k], strict=True)
            )
    return tuple(found)


def lesion_map(shape: tuple[int, int], seen: Sequence[SeenLesion | None]) -> NDArray[np.uint16]:
    """The lesions of one view as one picture of numbers.

    Parameters
    ----------
    shape : (row, column)
    seen : sequence of SeenLesion or None
        In their order.

    Returns
    -------
    (row, column) ndarray of uint16
        k + 1 within the mask of lesion k; where masks overlap the lesion with the larger excess has the pixel. 0 for
        none.
    """
    numbers = np.zeros(shape, dtype=np.uint16)
    most = np.zeros(shape, dtype=np.float32)
    for k, one in enumerate(seen):
        if one is None:
            continue
        size = np.abs(one.excess)
        own = one.mask & (size > most[one.box])
        numbers[one.box][own] = k + 1
        most[one.box][own] = size[own]
    return numbers


def _reach(
    poses: Sequence[SampledPatient], indices: Sequence[NDArray[np.int64]], place: PlanarPlace
) -> tuple[slice, slice] | None:
    """Rows and columns of a view that a lesion's excess can reach; ``None`` if none."""
    ends = []
    for sampled, index in zip(poses, indices, strict=True):
        if len(index):
            where = sampled.grid.positions_mm(index)
            ends += [where.min(axis=0), where.max(axis=0)]
    if not ends:
        return None
    low, high = np.min(ends, axis=0) - _REACH_MM, np.max(ends, axis=0) + _REACH_MM
    row, column = place.pixels(np.array([low[0], high[0]]), np.array([low[2], high[2]]))
    box = []
    for ends_px, size in zip((row, column), place.lattice.shape, strict=True):
        first, last = math.floor(ends_px.min()), math.ceil(ends_px.max()) + 1
        if last <= 0 or first >= size:
            return None
        box.append(slice(max(first, 0), min(last, size)))
    return box[0], box[1]


def _apart(boxes: Sequence[Sequence[tuple[slice, slice] | None]]) -> list[list[int]]:
    """Groups of lesions whose boxes overlap in no view, each lesion in the first group it fits; those in view only."""
    groups: list[list[int]] = []
    for k, own in enumerate(boxes):
        if not any(own):
            continue
        for group in groups:
            if not any(_overlap(a, b) for other in group for a, b in zip(own, boxes[other], strict=True)):
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def _overlap(a: tuple[slice, slice] | None, b: tuple[slice, slice] | None) -> bool:
    if a is None or b is None:
        return False
    return all(one.start < other.stop and other.start < one.stop for one, other in zip(a, b, strict=True))


def _seen(
    picture: NDArray[np.floating], expected: NDArray[np.floating], box: tuple[slice, slice] | None
) -> SeenLesion | None:
    if box is None:
        return None
    excess = picture[box].astype(np.float64)
    size = np.abs(excess)
    if not size.any():
        return None
    row, column = np.unravel_index(int(np.argmax(size)), size.shape)
    peak, level = excess[row, column], expected[box].astype(np.float64)
    mask = excess * np.sign(peak) >= abs(peak) / 2
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    inner = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    without = level[row, column] - peak
    noise = np.maximum(level, size)  # a picture holds no less than what a hot lesion adds to it
    return SeenLesion(
        row=int(row) + box[0].start,
        column=int(column) + box[1].start,
        peak_counts=float(peak),
        excess_counts=float(excess.sum()),
        contrast=float(level[row, column] / without) if without > 0 else math.inf,
        snr=math.sqrt(float((excess[size > 0] ** 2 / noise[size > 0]).sum())),
        box=(
            slice(box[0].start + int(rows[0]), box[0].start + int(rows[-1]) + 1),
            slice(box[1].start + int(columns[0]), box[1].start + int(columns[-1]) + 1),
        ),
        mask=mask[inner],
        excess=excess[inner].astype(np.float32),
    )
