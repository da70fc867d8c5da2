"""Two sides of a body on one grid: every phase's counts, the body's outline, and where a place lies on the other side.

Limbs never lie as mirror images of each other: one foot points outwards, a knee is bent. So the outline's mirror image
is bent onto the outline itself, and a region of one side is carried to the other by that. Counts are compared as sums
over regions that belong together, so that a limb seen shortened, small and bright, has the counts it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.errors import GeometryMismatch
from bonescan.scan import DynamicScan, Phase, Scan, ThreePhaseStudy, ViewName

__all__ = ["Field2D", "Mirror", "field_of", "mirror_of"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_GRID_MM = 4.8  # where there is no flow to set the pixel: 128 pixels across a large field [D]
_SMOOTH_MM = 7.0  # of the outline's threshold [D]
_NARROW_MM = 160.0  # a body narrower than this that straddles the midline is one limb, not two [D]
_LEAST_OVERLAP = 0.6  # Dice of the outline and its mirror image, else there is no other side [D]
_SDF_MM = 60.0  # outlines are compared by their distance to the edge, up to here [D]
_LEVELS = (4, 2, 1)  # coarse to fine
_STEPS = 60  # at each level
_SMOOTH_FIELD_PIXELS = 3.0  # of the bending: a limb is stiff [D]
_LARGEST_SHIFT_MM = 40.0  # between phases that is still taken for the same place [D]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field2D:
    """What each phase counted, on one grid seen from the front: both views added up, the posterior one mirrored.

    Parameters
    ----------
    pixel_mm : float
        Of rows and columns.
    counts : mapping of Phase to (row, column) ndarray
        Sums over the phase, shifted onto the first phase.
    frames : (time, row, column) ndarray or None
        The flow's counts.
    body : (row, column) ndarray of bool
        The body's outline, filled.
    seen : (row, column) ndarray of bool
        What the camera's field covered in every phase.
    shift_mm : mapping of Phase to (down, right)
        How far the body lay from where the first phase saw it.
    views : tuple of ViewName
        That were added up.
    """

    pixel_mm: float
    counts: Mapping[Phase, Array]
    frames: Array | None
    body: Mask
    seen: Mask
    shift_mm: Mapping[Phase, tuple[float, float]]
    views: tuple[ViewName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Where every pixel's counterpart lies on the other side.

    Parameters
    ----------
    axis_column : float
        The midline.
    rows, columns : (row, column) ndarray
        Where the counterpart of each pixel lies.
    area : (row, column) ndarray
        How much of the other side's picture a pixel stands for.
    overlap : float
        Dice of the outline and the other side's, bent onto it.
    """

    axis_column: float
    rows: Array
    columns: Array
    area: Array
    overlap: float

    def carried(self, picture: Array) -> Array:
        """The other side's counts, where this side's would be; sums over regions are kept.

        Parameters
        ----------
        picture : (row, column) ndarray

        Returns
        -------
        (row, column) ndarray
        """
        found = ndimage.map_coordinates(picture, [self.rows, self.columns], order=1, mode="constant")
        return np.asarray(found * self.area)

    def weights(self, region: Mask) -> Array:
        """The other side's region as weights: summing a picture with them is summing it, carried over, in the region.

        Parameters
        ----------
        region : (row, column) ndarray of bool

        Returns
        -------
        (row, column) ndarray
            The adjoint of `carried` on the region.
        """
        out = np.zeros(region.shape)
        rows, columns, share = self.rows[region], self.columns[region], self.area[region]
        upper, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
        down, right = rows - upper, columns - left
        for r, part_r in ((upper, 1 - down), (upper + 1, down)):
            for c, part_c in ((left, 1 - right), (left + 1, right)):
                inside = (r >= 0) & (r < region.shape[0]) & (c >= 0) & (c < region.shape[1])
                np.add.at(out, (r[inside], c[inside]), (share * part_r * part_c)[inside])
        return out

    def side(self, region: Mask) -> str:
        """The patient's side of a region, ``"right"`` or ``"left"``: from the front the right is on the left."""
        columns = np.argwhere(region)[:, 1]
        return "right" if columns.mean() < self.axis_column else "left"


def field_of(study: ThreePhaseStudy) -> Field2D:
    """Put all phases of a study onto one grid.

    Parameters
    ----------
    study : ThreePhaseStudy

    Returns
    -------
    Field2D

    Raises
    ------
    GeometryMismatch
        Where no view is in every phase.

    Notes
    -----
    Pixels are shared out between those of the grid by area, both centred, so that sums are kept. A later phase is moved
    by whole pixels and parts of them onto the first, by the shift at which their outlines agree best.
    """
    scans = {phase: scan for phase in Phase if (scan := study.of(phase)) is not None}
    first = study.first
    names = _common_views(scans)
    if isinstance(first, DynamicScan):
        own_mm, own_shape = (first.row_spacing_mm, first.column_spacing_mm), first.counts.shape[2:]
        pixel_mm = first.row_spacing_mm
    else:
        one = first.views[0]
        own_mm, own_shape = (one.row_spacing_mm, one.column_spacing_mm), one.counts.shape
        pixel_mm = max(_GRID_MM, one.row_spacing_mm)
    shape = tuple(round(number * mm / pixel_mm) for number, mm in zip(own_shape, own_mm, strict=True))
    frames = None
    counts: dict[Phase, Array] = {}
    for phase, scan in scans.items():
        own = _on_grid(scan, names, pixel_mm, shape)
        if isinstance(scan, DynamicScan):
            frames = own
        counts[phase] = own.sum(axis=0)
    outlines = {phase: _outline(picture, pixel_mm) for phase, picture in counts.items()}
    reference, *later = counts
    shift_mm = {reference: (0.0, 0.0)}
    for phase in later:
        down, right = _shift(outlines[reference], outlines[phase], pixel_mm)
        shift_mm[phase] = (down * pixel_mm, right * pixel_mm)
        if max(abs(down), abs(right)) >= 1:  # less is within the outlines' own doubt
            counts[phase] = np.maximum(ndimage.shift(counts[phase], (-down, -right), order=1), 0.0)
            outlines[phase] = _outline(counts[phase], pixel_mm)
    seen = np.logical_and.reduce([_seen(picture) for picture in counts.values()])
    body = np.sum(list(outlines.values()), axis=0) * 2 > len(outlines)
    return Field2D(
        pixel_mm=pixel_mm,
        counts=counts,
        frames=frames,
        body=body & seen,
        seen=seen,
        shift_mm=shift_mm,
        views=names,
    )


def mirror_of(field: Field2D) -> Mirror | None:
    """Find the midline, and bend the other side's outline onto this one's.

    Parameters
    ----------
    field : Field2D

    Returns
    -------
    Mirror or None
        ``None`` where one side alone is in view.

    Notes
    -----
    Thirion's demons on the clipped signed distance to the outline, from coarse to fine, the field of displacements
    smoothed after each step (Med Image Anal 1998;2:243): ::

        u <- G * (u + (f - m(x + u)) grad m / (|grad m|^2 + (f - m)^2))

    for the distance f and its mirror image m. Uptake plays no part in it: a lesion cannot pull its counterpart.
    """
    body = field.body
    axis = _axis(body)
    if axis is None or _one_limb(body, axis, field.pixel_mm):
        return None
    distance = _distance(body, field.pixel_mm)
    rows, columns = np.indices(body.shape, dtype=float)
    mirrored = ndimage.map_coordinates(distance, [rows, 2 * axis - columns], order=1, mode="nearest")
    if _dice(body, mirrored > 0) < _LEAST_OVERLAP:
        return None
    down, right = _demons(distance, mirrored)
    to_rows, to_columns = rows + down, 2 * axis - (columns + right)
    d_rows, d_columns = np.gradient(to_rows), np.gradient(to_columns)
    area = np.abs(d_rows[0] * d_columns[1] - d_rows[1] * d_columns[0])
    bent = ndimage.map_coordinates(distance, [to_rows, to_columns], order=1, mode="nearest")
    return Mirror(
        axis_column=axis,
        rows=to_rows,
        columns=to_columns,
        area=np.clip(area, 0.25, 4.0),
        overlap=_dice(body, bent > 0),
    )


def _common_views(scans: Mapping[Phase, DynamicScan | Scan]) -> tuple[ViewName, ...]:
    """Views that every phase has."""
    each = [
        set(scan.view_names) if isinstance(scan, DynamicScan) else {view.name for view in scan.views}
        for scan in scans.values()
    ]
    names = tuple(sorted(set.intersection(*each)))
    if not names:
        raise GeometryMismatch(
            "The phases have no view in common: one is from the front alone, another from behind; give phases of the "
            "same view.",
            views=[sorted(own) for own in each],
        )
    return names


def _on_grid(scan: DynamicScan | Scan, names: tuple[ViewName, ...], pixel_mm: float, shape: tuple[int, ...]) -> Array:
    """(time, row, column) counts from the front, views added up."""
    total = 0.0
    for name in names:
        if isinstance(scan, DynamicScan):
            counts = scan.counts[scan.view_names.index(name)].astype(float)
            spacing = scan.row_spacing_mm, scan.column_spacing_mm
        else:
            view = next(view for view in scan.views if view.name is name)
            counts, spacing = view.counts[None].astype(float), (view.row_spacing_mm, view.column_spacing_mm)
        if name is ViewName.POSTERIOR:
            counts = counts[:, :, ::-1]
        by_row = _shares(counts.shape[1], spacing[0], shape[0], pixel_mm)
        by_column = _shares(counts.shape[2], spacing[1], shape[1], pixel_mm)
        total = total + by_row @ counts @ by_column.T
    return np.asarray(total)


def _shares(own: int, own_mm: float, wanted: int, wanted_mm: float) -> Array:
    """(wanted, own) ndarray: which share of each own pixel falls into each wanted one, both centred."""
    edges = (np.arange(own + 1) - own / 2) * own_mm
    targets = (np.arange(wanted + 1) - wanted / 2) * wanted_mm
    low = np.maximum(edges[None, :-1], targets[:-1, None])
    high = np.minimum(edges[None, 1:], targets[1:, None])
    return np.asarray(np.clip(high - low, 0.0, None) / own_mm)


def _outline(picture: Array, pixel_mm: float) -> Mask:
    """The body: what stands out from the room, by Otsu's threshold of the logarithm (IEEE SMC 1979;9:62)."""
    smooth = np.log1p(ndimage.gaussian_filter(picture, _SMOOTH_MM / pixel_mm))
    inside = smooth[_seen(picture)]
    if inside.size == 0:
        return np.zeros(picture.shape, np.bool_)
    numbers, edges = np.histogram(inside, 128)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(numbers)
    sums = np.cumsum(numbers * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (sums[-1] * below / below[-1] - sums) ** 2 / (below * (below[-1] - below))
    threshold = middles[int(np.nanargmax(between[:-1]))]
    body = smooth > threshold
    body = ndimage.binary_opening(body) & _seen(picture)
    labels, count = ndimage.label(body)
    sizes = ndimage.sum_labels(body, labels, np.arange(1, count + 1))
    if not count:
        return np.asarray(body)
    kept = np.isin(labels, 1 + np.flatnonzero(sizes >= 0.1 * sizes.max()))
    return np.asarray(kept, dtype=np.bool_)


def _seen(picture: Array) -> Mask:
    """Rows and columns between the first and the last that counted anything."""
    rows, columns = np.flatnonzero(picture.sum(axis=1) > 0), np.flatnonzero(picture.sum(axis=0) > 0)
    seen = np.zeros(picture.shape, np.bool_)
    if rows.size and columns.size:
        # the outermost row and column may be half outside
        seen[rows[0] + 1 : rows[-1], columns[0] + 1 : columns[-1]] = True
    return seen


def _shift(reference: Mask, moved: Mask, pixel_mm: float) -> tuple[float, float]:
    """Rows down and columns right by which an outline moved, to half a pixel."""
    near, far = _distance(reference, pixel_mm), _distance(moved, pixel_mm)
    widest = int(_LARGEST_SHIFT_MM / pixel_mm)

    def misfit(down: float, right: float) -> float:
        back = ndimage.shift(far, (-down, -right), order=1, mode="nearest")
        return float(((back - near) ** 2).mean())

    best = 0.0, 0.0
    for step in (4.0, 2.0, 1.0, 0.5):
        reach = widest if step == 4.0 else step
        offsets = np.arange(-reach, reach + step / 2, step)
        around = [(float(best[0] + down), float(best[1] + right)) for down in offsets for right in offsets]
        around = [place for place in around if max(map(abs, place)) <= widest]
        best = min([best, *around], key=lambda place: misfit(*place))
    return best


def _distance(body: Mask, pixel_mm: float) -> Array:
    """Signed distance to the outline in mm, positive inside, clipped."""
    inside = ndimage.distance_transform_edt(body) - ndimage.distance_transform_edt(~body)
    return np.asarray(np.clip(inside * pixel_mm, -_SDF_MM, _SDF_MM))


def _axis(body: Mask) -> float | None:
    """Column about which the outline and its mirror image overlap most, to half a column."""
    columns = np.flatnonzero(body.any(axis=0))
    if columns.size < 4:
        return None
    middle = body.sum(axis=0) @ np.arange(body.shape[1]) / body.sum()
    reach = 0.25 * (columns[-1] - columns[0])
    scores = {}
    for twice in range(int(2 * (middle - reach)), int(2 * (middle + reach)) + 1):
        there = twice - np.arange(body.shape[1])
        valid = (there >= 0) & (there < body.shape[1])
        mirrored = np.zeros_like(body)
        mirrored[:, valid] = body[:, there[valid]]
        scores[twice] = _dice(body, mirrored)
    return max(scores, key=lambda twice: scores[twice]) / 2


def _one_limb(body: Mask, axis: float, pixel_mm: float) -> bool:
    """Whether what straddles the midline is too narrow for two sides."""
    rows = body.any(axis=1)
    crosses = body[:, round(axis)] & rows
    if crosses.sum() * 2 < rows.sum():
        return False
    return float(np.median(body.sum(axis=1)[rows])) * pixel_mm < _NARROW_MM


def _dice(a: Mask, b: Mask) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 0.0


def _demons(fixed: Array, moving: Array) -> tuple[Array, Array]:
    """Displacements (down, right) in pixels such that moving(x + u) is like fixed."""
    field = np.zeros((2, *fixed.shape))
    for level in _LEVELS:
        f = ndimage.zoom(fixed, 1 / level, order=1) if level > 1 else fixed
        m = ndimage.zoom(moving, 1 / level, order=1) if level > 1 else moving
        u = np.stack([ndimage.zoom(part, np.divide(f.shape, part.shape), order=1) for part in field])
        u *= (np.divide(f.shape, field.shape[1:]))[:, None, None]
        grid = np.indices(f.shape, dtype=float)
        for _ in range(_STEPS):
            bent = ndimage.map_coordinates(m, grid + u, order=1, mode="nearest")
            slope = np.stack(np.gradient(bent))
            missing = f - bent
            # distances grow by the pixel's size from pixel to pixel: the step is in pixels
            u += missing * slope / ((slope**2).sum(axis=0) + (missing / 4) ** 2 + 1e-6)
            u = np.stack([ndimage.gaussian_filter(part, _SMOOTH_FIELD_PIXELS / np.sqrt(level)) for part in u])
        field = u
    return field[0], field[1]
