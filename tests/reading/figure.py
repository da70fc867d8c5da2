"""A figure of a person drawn with rulers: regions, labels and normal uptake whose truth is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.reading.findings.detection import NATURAL_EXCESS
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import Scan, View, ViewName

PIXEL_MM = 3.0
TOP_MM, BOTTOM_MM, HALF_WIDTH_MM = 850.0, -850.0, 260.0
UPTAKE = {
    ViewName.ANTERIOR: {
        1: 0.9, 2: 1.7, 3: 1.2, 4: 0.7, 5: 1.7, 7: 0.7, 8: 0.45, 9: 1.25, 10: 1.2, 11: 1.1, 12: 0.6, 15: 0.7, 16: 0.3,
    },
    ViewName.POSTERIOR: {
        1: 0.5, 2: 1.1, 3: 1.35, 4: 0.45, 7: 0.55, 8: 0.25, 9: 1.35, 10: 1.2, 11: 0.65, 12: 0.3, 15: 0.35, 16: 0.17,
    },
}  # fmt: skip
BONES = {
    1: ("skull_occipital",), 2: ("vertebra_c05",), 3: ("vertebra_t08",), 4: ("rib_07_l", "rib_07_r"),
    5: ("sternum_body",), 7: ("scapula_l", "scapula_r"), 8: ("humerus_l", "humerus_r"), 9: ("vertebra_l03",),
    10: ("sacrum",), 11: ("hip_bone_l", "hip_bone_r"), 12: ("femur_l", "femur_r"), 15: ("patella_l", "patella_r"),
    16: ("tibia_l", "tibia_r"),
}  # fmt: skip


def axes(name: ViewName) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x (patient's left positive) and z (cranial positive) of every pixel."""
    z = np.arange(TOP_MM, BOTTOM_MM, -PIXEL_MM)
    x = np.arange(-HALF_WIDTH_MM, HALF_WIDTH_MM, PIXEL_MM) + PIXEL_MM / 2
    if name is ViewName.POSTERIOR:
        x = x[::-1]
    grid_z, grid_x = np.meshgrid(z, x, indexing="ij")
    return grid_x.astype(np.float32), grid_z.astype(np.float32)


def labelled_view(name: ViewName) -> LabelledView:
    """Regions, bones and body of one view."""
    x, z = axes(name)
    side = np.abs(x)
    regions = np.zeros(x.shape, dtype=np.uint8)

    def paint(region: int, where: NDArray[np.bool_]) -> None:
        regions[where] = region

    paint(4, ((side / 140) ** 2 + ((z - 380) / 190) ** 2 < 1) & (z > 230))
    paint(7, (side > 75) & (side < 135) & (z > 400) & (z < 530))
    paint(8, (side > 165) & (side < 195) & (z > 230) & (z < 540))
    paint(3, (side < 20) & (z > 240) & (z <= 560))
    if name is ViewName.ANTERIOR:
        paint(5, (side < 20) & (z > 300) & (z <= 540))
    paint(2, (side < 20) & (z > 560) & (z <= 640))
    paint(1, (side / 75) ** 2 + ((z - 735) / 100) ** 2 < 1)
    paint(9, (side < 24) & (z > 80) & (z <= 240))
    paint(11, (side > 35) & (side < 140) & (z > -110) & (z < 90) & (side < 90 + 0.5 * (z + 110)))
    paint(10, (side < 40) & (z > -20) & (z <= 80))
    paint(12, (side > 75) & (side < 110) & (z > -430) & (z <= -70))
    paint(15, (side > 65) & (side < 115) & (z > -500) & (z <= -430))
    paint(16, (side > 75) & (side < 105) & (z > -800) & (z <= -500))
    body = (regions > 0) | (side < 150) & (z > -110) & (z < 560) | (side > 45) & (side < 135) & (z <= -110) & (z > -830)
    body |= (side > 150) & (side < 210) & (z > 200) & (z < 560)
    bones = []
    for region, ids in BONES.items():
        for bone in ids:
            half = np.ones_like(body) if len(ids) == 1 else (x > 0) == bone.endswith("_l")
            inside = (regions == region) & half
            if inside.any():
                rows, columns = np.nonzero(inside)
                box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
                bones.append(
                    BoneMap(
                        bone=bone,
                        row=int(rows.min()),
                        column=int(columns.min()),
                        thickness_mm=(20.0 * inside[box]).astype(np.float32),
                        depth_mm=100.0,
                    )
                )
    return LabelledView(name=name, regions=regions, bones=tuple(bones), body=body, x_mm=x, z_mm=z, correlation=0.9)


LABELS = Labels(
    views=tuple(labelled_view(name) for name in ViewName), trusted=True, regions_in_view=frozenset(range(1, 18))
)


def lesion(name: ViewName, x_mm: float, z_mm: float, diameter_mm: float, times: float) -> NDArray[np.float32]:
    """A disc in which normal uptake is multiplied by ``times`` (1 elsewhere)."""
    x, z = axes(name)
    inside = np.hypot(x - x_mm, z - z_mm) <= diameter_mm / 2
    return np.where(inside, times, 1.0).astype(np.float32)


def view(
    name: ViewName,
    rng: np.random.Generator,
    *,
    counts: float = 1.5e6,
    factor: NDArray[np.float32] | float = 1.0,
    extra: NDArray[np.float32] | float = 0.0,
    natural: float = 1.0,
) -> View:
    """One Poisson picture, blurred by the camera: uptake by region, times ``factor``, plus ``extra``.

    Bone is naturally uneven, by ``natural`` times what the detector states. ``extra`` is in units of the
    skeleton's level.
    """
    labelled = next(one for one in LABELS.views if one.name is name)
    mean = np.where(labelled.body, 0.12, 0.004).astype(np.float32)
    for region, level in UPTAKE[name].items():
        mean[labelled.regions == region] = level
    excess = np.zeros(256)
    for region, one in NATURAL_EXCESS.items():
        excess[region] = one if region else 0.0
    spread = natural * excess[labelled.regions]
    sigma = 9.0 / 2.355 / PIXEL_MM
    uneven = ndimage.gaussian_filter(rng.normal(size=mean.shape), 12.0 / 2.355 / PIXEL_MM)
    mean = mean * np.exp(spread * uneven / uneven.std()) * factor + extra
    mean = ndimage.gaussian_filter(mean, sigma)
    mean *= counts / mean.sum()
    return View(
        name=name,
        counts=rng.poisson(mean).astype(np.float32),
        row_spacing_mm=PIXEL_MM,
        column_spacing_mm=PIXEL_MM,
        identity_basis="drawn",
    )


def scan(seed: int, **options: object) -> Scan:
    """Both views with the same options; ``factor`` and ``extra`` may be functions of the view's name."""
    rng = np.random.default_rng(seed)
    views = []
    for name in ViewName:
        chosen = {key: value(name) if callable(value) else value for key, value in options.items()}
        views.append(view(name, rng, **chosen))  # type: ignore[arg-type]
    return Scan(views=tuple(views))
