"""Where the two sides of a three-phase study differ most: the suspected region, and what each phase counts in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.three_phase.mirror import Field2D, Mirror
from bonescan.scan import Phase

__all__ = ["Region", "Sums", "compared", "extent_mm", "sums_of", "suspected_region"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SIDE_SD = 0.10  # of the logarithm of a ratio of sides: how exactly a region finds its counterpart [D]
_PLACE_SD_MM = 5.0  # by which a counterpart may be misplaced: a pixel of the flow [D]
FOCAL_MM = 100.0  # a focus is shorter than a hand is wide [D]
_LEAST_SIGNIFICANCE = 3.0  # in standard deviations, Poisson and SIDE_SD together; a fifth to a third more counts [D]
_RADII_MM = (12.0, 25.0, 50.0)  # from a small bone to half a shank [D]
_EDGE_MM = 10.0  # of the outline, where the sides never fit exactly, no peak is looked for [D]
_VESSEL = 3.0  # a place whose first pass rises this far above what stays there is a vessel or the heart [D]
_URINE = 3.0  # times the body's median, and across the midline: the bladder [D]
_MIDLINE_MM = 15.0
_REST_MM = 30.0  # what is farther than this from the region is the rest of the limb [D]
_EXTENT_SD_MM = 8.0  # smoothing of the map on which a region's length is measured [D]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A place of one side and its counterpart.

    Parameters
    ----------
    side : str
        The patient's, ``"right"`` or ``"left"``.
    mask : (row, column) ndarray of bool
        On the study's grid, as seen from the front.
    counterpart : (row, column) ndarray
        Weights of the other side's pixels.
    rest : (row, column) ndarray of bool
        The same side away from the region, as far as it is compared.
    rest_counterpart : (row, column) ndarray
    found_in : Phase or None
        Which phase it stands out in most; ``None`` for a whole side, where nothing stands out.
    significance : float
        Standard deviations there; 0 for a whole side.
    area_mm2 : float
    """

    side: str
    mask: Mask
    counterpart: Array
    rest: Mask
    rest_counterpart: Array
    found_in: Phase | None
    significance: float
    area_mm2: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Counts of two regions that are held against each other.

    Parameters
    ----------
    own, other : float
    own_variance, other_variance : float
        By Poisson's law.
    """

    own: float
    other: float
    own_variance: float
    other_variance: float

    @property
    def ratio(self) -> float | None:
        """Own over other, where both counted something."""
        return self.own / self.other if self.own > 0 and self.other > 0 else None

    @property
    def log_sd(self) -> float:
        """Standard deviation of the ratio's logarithm by counting alone, to first order."""
        if self.own <= 0 or self.other <= 0:
            return math.inf
        return math.sqrt(self.own_variance / self.own**2 + self.other_variance / self.other**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seed:
    """Where one phase, at one size, differs most."""

    significance: float = 0.0
    phase: Phase | None = None
    log_ratio: Array | None = None
    place: tuple[int, int] = (0, 0)

    def rank(self) -> float:
        return self.significance

    @classmethod
    def highest(cls, phase: Phase, log_ratio: Array, z: Array) -> _Seed:
        place = np.unravel_index(int(np.argmax(z)), z.shape)
        return cls(significance=float(z[place]), phase=phase, log_ratio=log_ratio, place=(int(place[0]), int(place[1])))


def sums_of(picture: Array, own: Array | Mask, other: Array) -> Sums:
    """Add up a picture in a region and its counterpart.

    Parameters
    ----------
    picture : (row, column) ndarray
        Counts.
    own, other : (row, column) ndarray
        Weights; a region may be given as bool.

    Returns
    -------
    Sums
        counts = sum w n, variance = sum w^2 n.
    """
    own = own.astype(float)
    return Sums(
        own=float((own * picture).sum()),
        other=float((other * picture).sum()),
        own_variance=float((own**2 * picture).sum()),
        other_variance=float((other**2 * picture).sum()),
    )


def compared(field: Field2D, mirror: Mirror) -> Mask:
    """Pixels whose side can be held against the other.

    Parameters
    ----------
    field : Field2D
    mirror : Mirror

    Returns
    -------
    (row, column) ndarray of bool
        Body on both sides, seen in every phase, without heart, great vessels, the injected vein, and the bladder.
    """
    left_out = _vessels(field) | _urine(field, mirror)
    good = field.body & field.seen & ~left_out
    # on the other side too
    other = ndimage.map_coordinates(good.astype(float), [mirror.rows, mirror.columns], order=1, mode="constant")
    return np.asarray(good & (other > 0.5))


def suspected_region(field: Field2D, mirror: Mirror, usable: Mask, side: str | None = None) -> Region:
    """Find the region that differs most from its counterpart in any phase.

    Parameters
    ----------
    field : Field2D
    mirror : Mirror
    usable : (row, column) ndarray of bool
        As `compared` gives it.
    side : str or None
        The patient's side that has symptoms: less may then be what is wrong, where nothing there is more.

    Returns
    -------
    Region
        The whole side where nothing differs by 3 standard deviations.

    Notes
    -----
    With counts a and b of this side and the other, smoothed over 12, 25 and 50 mm, ::

        z = ln(a / b) / sqrt(1 / a + 1 / b + s^2),      s = 0.10

    The place of the largest z over phases and sizes is the seed; the region is what hangs together with it and has half
    of its excess or more.
    """
    own_side = _halves(field, mirror)
    searched = ndimage.binary_erosion(usable, iterations=max(1, round(_EDGE_MM / field.pixel_mm)))
    if side is not None:
        searched &= own_side[side]
    hot, cold = _Seed(), _Seed()
    for phase, picture in field.counts.items():
        carried = mirror.carried(picture)
        for radius in _RADII_MM:
            sigma = radius / 2 / field.pixel_mm
            log_ratio, z = _log_ratio(picture, carried, usable, sigma, field.pixel_mm)
            hot = max(hot, _Seed.highest(phase, log_ratio, np.where(searched, z, 0.0)), key=_Seed.rank)
            cold = max(cold, _Seed.highest(phase, log_ratio, np.where(searched, -z, 0.0)), key=_Seed.rank)
    best = hot
    if side is not None and cold.significance > hot.significance and cold.log_ratio is not None:
        # a limb with less is an illness of the table; a small place with less, such as an implant, is none, and the
        # hot place beside it goes before it
        length = _length(_grown(cold.log_ratio, usable & own_side[side], cold.place)) * field.pixel_mm
        if length >= FOCAL_MM or hot.significance < _LEAST_SIGNIFICANCE:
            best = cold
    if best.significance < _LEAST_SIGNIFICANCE or best.phase is None or best.log_ratio is None:
        return _whole_side(field, mirror, usable & own_side[side or _brighter(field, usable, own_side)])
    seed = best.place
    own = own_side["right" if own_side["right"][seed] else "left"]
    mask = _grown(best.log_ratio, usable & own, seed)
    return _region(field, mirror, mask, usable & own, best.phase, best.significance)


def extent_mm(field: Field2D, mirror: Mirror, region: Region, usable: Mask, phase: Phase) -> float | None:
    """Length of what one phase shows about a region: of the part with half of its excess over the rest of the side.

    Parameters
    ----------
    field : Field2D
    mirror : Mirror
    region : Region
    usable : (row, column) ndarray of bool
    phase : Phase

    Returns
    -------
    float or None
        mm along its longest axis, four standard deviations of its pixels; ``None`` where the phase shows no difference.
    """
    picture = field.counts[phase]
    log_ratio, significance = _log_ratio(
        picture, mirror.carried(picture), usable, _EXTENT_SD_MM / field.pixel_mm, field.pixel_mm
    )
    inside = region.mask & usable
    if not inside.any():
        return None
    place = np.unravel_index(int(np.argmax(np.where(inside, np.abs(significance), -1.0))), inside.shape)
    seed = int(place[0]), int(place[1])
    if abs(significance[seed]) < 2.0:
        return None
    half = _halves(field, mirror)[region.side]
    found = _grown(log_ratio if log_ratio[seed] > 0 else -log_ratio, usable & half, seed)
    return _length(found) * field.pixel_mm


def _region(
    field: Field2D, mirror: Mirror, mask: Mask, side_pixels: Mask, phase: Phase | None, significance: float
) -> Region:
    far = ndimage.distance_transform_edt(~mask) * field.pixel_mm > _REST_MM
    rest = side_pixels & far
    return Region(
        side=mirror.side(mask),
        mask=mask,
        counterpart=mirror.weights(mask),
        rest=rest,
        rest_counterpart=mirror.weights(rest),
        found_in=phase,
        significance=significance,
        area_mm2=float(mask.sum()) * field.pixel_mm**2,
    )


def _whole_side(field: Field2D, mirror: Mirror, side_pixels: Mask) -> Region:
    return _region(field, mirror, side_pixels, side_pixels, None, 0.0)


def _brighter(field: Field2D, usable: Mask, halves: Mapping[str, Mask]) -> str:
    last = field.counts[next(phase for phase in reversed(Phase) if phase in field.counts)]
    return max(halves, key=lambda side: float(last[usable & halves[side]].sum()))


def _halves(field: Field2D, mirror: Mirror) -> dict[str, Mask]:
    columns = np.broadcast_to(np.arange(field.body.shape[1]), field.body.shape)
    return {"right": columns < mirror.axis_column, "left": columns > mirror.axis_column}


def _log_ratio(picture: Array, carried: Array, usable: Mask, sigma: float, pixel_mm: float) -> tuple[Array, Array]:
    """Logarithm of the ratio of sides after smoothing by sigma pixels, and its significance."""
    room = ndimage.gaussian_filter(usable.astype(float), sigma)
    a = ndimage.gaussian_filter(np.where(usable, picture, 0.0), sigma)
    b = ndimage.gaussian_filter(np.where(usable, carried, 0.0), sigma)
    pixels = 4 * math.pi * sigma**2  # that a Gaussian averages over
    good = usable & (room > 0.05) & (a > 0) & (b > 0)
    safe_a, safe_b = np.where(good, a, 1.0), np.where(good, b, 1.0)
    log_ratio = np.log(safe_a / safe_b)
    down, right = np.gradient(np.log(np.where(good, safe_b / np.where(good, room, 1.0), np.nan)))
    steepness = np.hypot(down, right) / pixel_mm
    misplaced = _PLACE_SD_MM * np.nan_to_num(steepness, nan=1.0)
    sd = np.sqrt((1 / safe_a + 1 / safe_b) / pixels + SIDE_SD**2 + misplaced**2)
    return log_ratio, np.asarray(np.where(good, log_ratio / sd, 0.0))


def _grown(log_ratio: Array, allowed: Mask, seed: tuple[int, int]) -> Mask:
    """What hangs together with a seed and has half of its excess, in either direction."""
    log_ratio = log_ratio if log_ratio[seed] >= 0 else -log_ratio
    excess = np.expm1(log_ratio)
    labels, _ = ndimage.label(allowed & (excess >= excess[seed] / 2))
    return np.asarray(labels == labels[seed]) if labels[seed] else _only(allowed.shape, seed)


def _only(shape: tuple[int, ...], seed: tuple[int, int]) -> Mask:
    mask = np.zeros(shape, np.bool_)
    mask[seed] = True
    return mask


def _length(mask: Mask) -> float:
    """Length of a region in pixels: four standard deviations along its longest axis, that of an even ellipse."""
    places = np.argwhere(mask).astype(float)
    if len(places) < 3:
        return 1.0
    spread = np.cov(places.T) + np.eye(2) / 12  # a pixel has a size of its own
    return 4 * math.sqrt(float(np.linalg.eigvalsh(spread)[-1]))


def _vessels(field: Field2D) -> Mask:
    """Where the bolus passed through without staying: heart, lungs, great vessels, the injected vein."""
    if field.frames is None or len(field.frames) < 12:
        return np.zeros(field.body.shape, np.bool_)
    smooth = ndimage.gaussian_filter(field.frames, (0.8, 1.5, 1.5))
    stays = smooth[-len(smooth) // 4 :].mean(axis=0)
    return np.asarray(ndimage.binary_dilation((smooth.max(axis=0) > _VESSEL * stays + 1.0) & field.body, iterations=2))


def _urine(field: Field2D, mirror: Mirror) -> Mask:
    """The bladder: far brighter than the body in pool or delayed phase, and across the midline."""
    found = np.zeros(field.body.shape, np.bool_)
    columns = np.arange(field.body.shape[1])
    midline = np.abs(columns - mirror.axis_column) * field.pixel_mm <= _MIDLINE_MM
    for phase, picture in field.counts.items():
        if phase is Phase.FLOW or not field.body.any():
            continue
        smooth = ndimage.gaussian_filter(picture, 1.0)
        labels, _ = ndimage.label((smooth > _URINE * np.median(smooth[field.body])) & field.body)
        across = np.unique(labels[:, midline])
        found |= np.isin(labels, across[across > 0])
    return np.asarray(ndimage.binary_dilation(found, iterations=2))
