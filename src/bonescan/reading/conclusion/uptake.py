"""Levels of uptake over a whole scan: single bones, organs and soft tissue, each over this person's own spine.

A pattern such as a superscan is no spot: it is told by how bright the spine stands above the thigh, whether the kidneys
and the bladder are seen, whether one side of the body is like the other. Each method of `Uptake` measures one such
level, over the reference of the same view (`Uptake.reference`), so that attenuation, counts and units of pixels drop
out. What is not in view is ``None``.

Every number here is a mean or quantile of the picture smoothed by `SMOOTH_MM`; where an 8-bit export wrapped around,
it is restored first. All boxes and limits are bonescan's own design [D], found with the fitted skeleton's landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.findings.normal import gaussian_mm, unwrap
from bonescan.reading.measures import disturbance
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import Scan, ViewName

__all__ = ["Uptake", "ViewUptake", "measure_uptake"]

Mask = NDArray[np.bool_]
Image = NDArray[np.float32]

SMOOTH_MM = 8.0
REFERENCE = (*(f"vertebra_t{n:02d}" for n in (10, 11, 12)), *(f"vertebra_l{n:02d}" for n in range(1, 6)))
"""Vertebrae whose median level is the reference: eight, so that it stays normal while three are diseased."""

CORE = 0.5
"""Of a bone's largest thickness: pixels with more show the bone itself rather than its blurred edge."""

FEWEST_PIXELS = 12
KIDNEY_X_MM, KIDNEY_HEIGHT_MM, KIDNEY_WIDTH_MM = (30.0, 95.0), 70.0, 40.0
BLADDER_HALF_WIDTH_MM = 45.0
FLANK_X_MM = (95.0, 150.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewUptake:
    """One view, smoothed, and its reference.

    Parameters
    ----------
    labelled : LabelledView
    smooth : (row, column) ndarray of float32
        Counts per pixel, smoothed by `SMOOTH_MM`.
    reference : float
        Median over the vertebrae T10 to L5 of their median count per pixel; NaN where fewer than three are in view.
    """

    labelled: LabelledView
    smooth: Image
    reference: float

    @property
    def name(self) -> ViewName:
        """Which view it is."""
        return self.labelled.name

    def bones(self, stems: str | tuple[str, ...], side: str = "") -> list[BoneMap]:
        """Bones in this view whose id begins with one of the stems and ends with the side (``"l"``, ``"r"``)."""
        return [
            one
            for one in self.labelled.bones
            if one.bone.startswith(stems) and (not side or one.bone.endswith(f"_{side}"))
        ]

    def core(self, bones: Iterable[BoneMap], along: tuple[float, float] = (0.0, 1.0)) -> Mask:
        """Pixels that show these bones themselves, between two fractions of each one's length from its upper end."""
        shown = np.zeros(self.smooth.shape, np.bool_)
        for one in bones:
            part = one.thickness_mm > 0
            if along != (0.0, 1.0) and part.any():
                part = part & _along(self.labelled, one, part, along)
            if part.any():
                part &= one.thickness_mm > CORE * float(one.thickness_mm[part].max())
            shown[one.box] |= part
        return shown

    def level(self, pixels: Mask, quantile: float = 0.5) -> float | None:
        """A quantile of the pixels over the reference, ``None`` where they or the reference are not in view."""
        if int(pixels.sum()) < FEWEST_PIXELS or not self.reference > 0:
            return None
        return float(np.quantile(self.smooth[pixels], quantile)) / self.reference


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uptake:
    """Both views of a scan, ready to be measured.

    Parameters
    ----------
    views : tuple of ViewUptake
    raw : bool
        Whether pixels are detected counts: exports that are not often cut low values.
    soft_tissue : float or None
        Lumbar spine over the thighs' soft tissue, `disturbance.soft_tissue_contrast`, the better view.
    """

    views: tuple[ViewUptake, ...]
    raw: bool
    soft_tissue: float | None

    def view(self, name: ViewName) -> ViewUptake | None:
        """The view of that name, if it is there."""
        return next((one for one in self.views if one.name == name), None)

    def bone(
        self,
        stems: str | tuple[str, ...],
        side: str = "",
        *,
        along: tuple[float, float] = (0.0, 1.0),
        quantile: float = 0.5,
    ) -> float | None:
        """Level of bones over the reference, the mean of the views that show them.

        Parameters
        ----------
        stems : str or tuple of str
            Beginnings of bone ids.
        side : str
            ``"l"``, ``"r"`` or both.
        along : (float, float)
            Part of each bone's length, from 0 at its upper to 1 at its lower end.
        quantile : float
            Of the pixels; 0.25 is high only where most of the bone is.

        Returns
        -------
        float or None
        """
        return self._mean(lambda one: one.level(one.core(one.bones(stems, side), along), quantile))

    def side_ratio(
        self, stems: str | tuple[str, ...], *, along: tuple[float, float] = (0.0, 1.0), quantile: float = 0.5
    ) -> float | None:
        """Left over right level of bones that come in pairs; ``None`` where a view shows not both.

        Parameters
        ----------
        stems, along, quantile
            As in `bone`.

        Returns
        -------
        float or None
        """

        def ratio(one: ViewUptake) -> float | None:
            left, right = (one.level(one.core(one.bones(stems, side), along), quantile) for side in "lr")
            return None if left is None or right is None or min(left, right) <= 0 else math.log(left / right)

        logarithm = self._mean(ratio)
        return None if logarithm is None else math.exp(logarithm)

    def kidney_to_flank(self) -> float | None:
        """The brighter kidney's side over the soft tissue beside it, at the height of T12 to L3.

        Returns
        -------
        float or None
            85th percentile of the zone where a kidney lies, over the median of the flank, from behind where that is
            seen; ribs alone make it a little more than 1.
        """
        one = self.view(ViewName.POSTERIOR) or self.views[0]
        level = self._kidney_level(one)
        if level is None:
            return None
        height, aside = level
        ratios = []
        for side in (aside, -aside):
            zone = height & (side > KIDNEY_X_MM[0]) & (side < KIDNEY_X_MM[1])
            flank = height & (side > FLANK_X_MM[0]) & (side < FLANK_X_MM[1])
            if min(zone.sum(), flank.sum()) >= FEWEST_PIXELS and (soft := float(np.median(one.smooth[flank]))) > 0:
                ratios.append(float(np.quantile(one.smooth[zone], 0.85)) / soft)
        return max(ratios) if ratios else None

    @staticmethod
    def _kidney_level(one: ViewUptake) -> tuple[Mask, NDArray[np.float32]] | None:
        """Pixels of the body at the height of T12 to L3, and distances from the spine's middle there (mm, +left)."""
        spine = one.core(one.bones(("vertebra_t12", "vertebra_l01", "vertebra_l02", "vertebra_l03")))
        if spine.sum() < FEWEST_PIXELS:
            return None
        heights, z = one.labelled.z_mm[spine], one.labelled.z_mm
        height = (z > heights.min()) & (z < heights.max()) & one.labelled.body
        return height, one.labelled.x_mm - np.median(one.labelled.x_mm[spine])

    def kidney(self) -> float | None:
        """The brighter kidney over the reference: mean of the brightest box of its size where a kidney may lie.

        Returns
        -------
        float or None
            In the posterior view where there is one, since kidneys lie behind.
        """
        one = self.view(ViewName.POSTERIOR) or self.views[0]
        level = self._kidney_level(one)
        if level is None or not one.reference > 0:
            return None
        height, aside = level
        along, across = one.labelled.pixel_mm
        inner, outer = KIDNEY_X_MM[0] + KIDNEY_WIDTH_MM / 2, KIDNEY_X_MM[1] - KIDNEY_WIDTH_MM / 2
        zone = height & (np.abs(aside) >= inner) & (np.abs(aside) <= outer)
        if not zone.any():
            return None
        size = (max(round(KIDNEY_HEIGHT_MM / along), 1), max(round(KIDNEY_WIDTH_MM / across), 1))
        means = ndimage.uniform_filter(one.smooth, size=size, mode="nearest")
        return float(means[zone].max()) / one.reference

    def bladder(self) -> float | None:
        """The bladder's peak over the reference, in the view that shows it better.

        Returns
        -------
        float or None
            ``None`` where the hip bones are not in view.
        """

        def peak(one: ViewUptake) -> float | None:
            hips = one.bones("hip_bone")
            if len(hips) < 2 or not one.reference > 0:
                return None
            shown = one.labelled.shown(hips)
            x, z = one.labelled.x_mm, one.labelled.z_mm
            bottom, top = float(z[shown].min()), float(z[shown].max())
            middle = (float(x[shown].min()) + float(x[shown].max())) / 2
            zone = (np.abs(x - middle) < BLADDER_HALF_WIDTH_MM) & (z > bottom + 0.1 * (top - bottom))
            zone &= z < bottom + 0.6 * (top - bottom)
            return float(one.smooth[zone].max()) / one.reference if zone.any() else None

        values = [value for one in self.views if (value := peak(one)) is not None]
        return max(values) if values else None

    def vertebrae(self) -> list[tuple[str, float]]:
        """Level of every vertebra from T3 to L5, from above, over the reference.

        Returns
        -------
        list of (str, float)
            Bone id and level, of the posterior view where there is one.
        """
        one = self.view(ViewName.POSTERIOR) or self.views[0]
        names = [*(f"vertebra_t{n:02d}" for n in range(3, 13)), *(f"vertebra_l{n:02d}" for n in range(1, 6))]
        levels = [(name, one.level(one.core(one.bones(name)))) for name in names]
        return [(name, level) for name, level in levels if level is not None]

    def place(self, stems: str | tuple[str, ...]) -> tuple[float, float, float, float] | None:
        """Extent of bones in the body's frame: x from and to, z from and to, mm.

        Parameters
        ----------
        stems : str or tuple of str

        Returns
        -------
        (float, float, float, float) or None
        """
        for one in self.views:
            shown = one.core(one.bones(stems))
            if shown.sum() >= FEWEST_PIXELS:
                x, z = one.labelled.x_mm[shown], one.labelled.z_mm[shown]
                return float(x.min()), float(x.max()), float(z.min()), float(z.max())
        return None

    def _mean(self, measure: Callable[[ViewUptake], float | None]) -> float | None:
        values = [value for one in self.views if (value := measure(one)) is not None]
        return float(np.mean(values)) if values else None


def measure_uptake(scan: Scan, labels: Labels) -> Uptake:
    """Smooth the views of a scan and find their reference.

    Parameters
    ----------
    scan : Scan
    labels : Labels
        Of the same scan.

    Returns
    -------
    Uptake

    Raises
    ------
    GeometryMismatch
        When the labels are not those of the scan's views.
    """
    pairs = labels.paired_with(scan)
    views = []
    for view, labelled in pairs:
        counts, _ = unwrap(view.counts)
        smooth = gaussian_mm(counts, SMOOTH_MM, *labelled.pixel_mm)
        bare = ViewUptake(labelled=labelled, smooth=smooth, reference=1.0)
        levels = [level for name in REFERENCE if (level := bare.level(bare.core(bare.bones(name)))) is not None]
        reference = float(np.median(levels)) if len(levels) >= 3 else math.nan
        views.append(ViewUptake(labelled=labelled, smooth=smooth, reference=reference))
    contrasts = [ratio for pair in pairs if (ratio := disturbance.soft_tissue_contrast(*pair)) is not None]
    return Uptake(
        views=tuple(views),
        raw=all(view.counts_are_raw for view in scan.views),
        soft_tissue=max(contrasts) if contrasts else None,
    )


def _along(labelled: LabelledView, one: BoneMap, inside: Mask, along: Sequence[float]) -> Mask:
    """Pixels of a bone's crop between two fractions of its length, measured along its main axis from the upper end."""
    x, z = labelled.x_mm[one.box].astype(float), labelled.z_mm[one.box].astype(float)
    points = np.stack([x[inside], z[inside]])
    _, axes = np.linalg.eigh(np.cov(points) + 1e-6 * np.eye(2))
    axis = axes[:, 1] * (-1 if axes[1, 1] > 0 else 1)
    position = axis[0] * x + axis[1] * z
    low, high = np.percentile(position[inside], [1, 99])
    fraction = (position - low) / max(float(high - low), 1.0)
    return np.asarray((fraction >= along[0]) & (fraction <= along[1]))
