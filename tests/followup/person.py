"""A drawn person for follow-up: the house's own skeleton in a pose, lit by bone thickness, with lesions where asked.

Labels and findings are made from the truth, not read, so that alignment, subtraction and matching are tested alone. The
skeleton that labels claim may differ from the true one (``error``), as a fit's does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.body import Body
from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import PARAMETERS, move_points, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton, segment_of
from bonescan.measurement import Measurement
from bonescan.reading.model import (
    BoneMap,
    Burden,
    Finding,
    FindingView,
    Kind,
    LabelledView,
    Labels,
    Polarity,
    Quality,
    Reading,
)
from bonescan.scan import Device, Injection, PatientFacts, Scan, View, ViewName

PIXEL_MM = 4.8
SHAPE = (376, 120)
TOP_MM = 1775.0
NAMES = [parameter.name for parameter in PARAMETERS]
_BONES = 16.0  # counts per pixel of normal bone, about
_SOFT = 3.0


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A lesion: a ball of uptake at a place of the default skeleton."""

    bone: str
    centre_mm: tuple[float, float, float]
    ratio: float  # times normal bone
    radius_mm: float = 12.0
    found: bool = True  # whether the finder marks it


def pose(**changes: float) -> NDArray[np.float64]:
    """A pose with these freedoms, dots written as two underscores."""
    out = np.zeros(len(NAMES))
    for name, value in changes.items():
        out[NAMES.index(name.replace("__", "."))] = value
    return out


def coordinates(name: ViewName) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Body coordinates of the pixels of a camera that stands still."""
    sign = 1.0 if name is ViewName.ANTERIOR else -1.0
    row, column = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return sign * (column - (SHAPE[1] - 1) / 2) * np.float32(PIXEL_MM), np.float32(TOP_MM) - row * np.float32(PIXEL_MM)


@cache
def _shown(key: bytes, name: ViewName):  # type: ignore[no-untyped-def]
    posed = pose_skeleton(default_skeleton(), np.frombuffer(key))
    x, z = coordinates(name)
    surfaces = Body(posed=posed).surfaces(x, z)
    body = np.isfinite(surfaces[0])
    return project_bones(posed, x, z), body


def true_places(spots: Sequence[Spot], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the centres of lesions lie in a pose, (lesion, 3) in mm."""
    index = {segment.name: k for k, segment in enumerate(SEGMENTS)}
    segments = np.array([index[segment_of(spot.bone)] for spot in spots])
    return move_points(np.array([spot.centre_mm for spot in spots]), segments, at)


def read_person(
    at: NDArray[np.float64],
    spots: Sequence[Spot] = (),
    *,
    seed: int = 0,
    error: NDArray[np.float64] | None = None,
    level: float = 1.0,
    day: datetime | None = datetime(2026, 1, 15, 12, 0),
    index_percent: float = 1.0,
) -> Reading:
    """The reading of a person in a pose."""
    rng = np.random.default_rng(seed)
    views, labelled, masks = [], [], [{} for _ in spots]
    claimed = at if error is None else at + error
    places = true_places(spots, at) if spots else np.zeros((0, 3))
    for name in (ViewName.ANTERIOR, ViewName.POSTERIOR):
        x, z = coordinates(name)
        shadows, body = _shown(np.ascontiguousarray(at).tobytes(), name)
        picture = np.where(body, _SOFT, 0.02).astype(np.float32)
        for shadow in shadows:
            rows, columns = shadow.length_mm.shape
            box = (slice(shadow.row, shadow.row + rows), slice(shadow.column, shadow.column + columns))
            picture[box] += _BONES * (1 - np.exp(-shadow.length_mm / 15.0))
        for k, (spot, place) in enumerate(zip(spots, places, strict=True)):
            ball = np.clip(1 - ((x - place[0]) ** 2 + (z - place[2]) ** 2) / spot.radius_mm**2, 0, None)
            picture += _BONES * (spot.ratio - 1) * np.sqrt(ball)
            if spot.found:
                masks[k][name] = (x - place[0]) ** 2 + (z - place[2]) ** 2 <= spot.radius_mm**2
        picture = ndimage.gaussian_filter(level * picture, 9.0 / 2.355 / PIXEL_MM)
        counts = rng.poisson(picture).astype(np.float32)
        views.append(
            View(
                name=name,
                counts=counts,
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                identity_basis="drawn",
                scan_velocity_mm_per_s=2.0,
                energy_window_kev=(126.0, 154.0),
            )
        )
        fitted, _ = _shown(np.ascontiguousarray(claimed).tobytes(), name)
        regions = np.zeros(SHAPE, np.uint8)
        bones = []
        for shadow in fitted:
            rows, columns = shadow.length_mm.shape
            box = (slice(shadow.row, shadow.row + rows), slice(shadow.column, shadow.column + columns))
            regions[box][shadow.length_mm > 0] = bone(shadow.bone).region
            bones.append(
                BoneMap(
                    bone=shadow.bone, row=shadow.row, column=shadow.column, thickness_mm=shadow.length_mm, depth_mm=60.0
                )
            )
        labelled.append(
            LabelledView(name=name, regions=regions, bones=tuple(bones), body=body, x_mm=x, z_mm=z, correlation=0.95)
        )
    found = [(spot, shown) for spot, shown in zip(spots, masks, strict=True) if shown]
    index = Measurement(value=index_percent, unit="%", uncertainty=0.1, method="drawn")
    area = Measurement(value=100.0 * len(found), unit="mm2", uncertainty=10.0, method="drawn")
    return Reading(
        scan=Scan(
            views=tuple(views),
            patient=PatientFacts(patient_id="DRAWN-1", sex="M"),
            injection=Injection(radiopharmaceutical="Tc-99m MDP", radionuclide="Tc-99m", injected_at=None),
            device=Device(manufacturer="DRAWN", model="A", collimator="LEHR"),
            acquired_at=day,
        ),
        labels=Labels(
            views=tuple(labelled),
            trusted=True,
            regions_in_view=frozenset(range(1, 18)),
            parameters=dict(zip(NAMES, map(float, claimed), strict=True)),
        ),
        quality=Quality(checks=()),
        findings=tuple(finding(k, spot, shown) for k, (spot, shown) in enumerate(found, start=1)),
        burden=Burden(
            bone_scan_index_percent=index,
            mass_table="drawn",
            hot_spot_count=len(found),
            positive_area_percent=Measurement(value=1.0, unit="%", method="drawn"),
            lesion_area_mm2=area,
            by_region={},
            not_in_view=(),
        ),
        remarks=(),
        method={},
        versions={"bonescan": "0", "mass_table": "drawn"},
    )


def finding(number: int, spot: Spot, masks: dict[ViewName, NDArray[np.bool_]]) -> Finding:
    """A finding as the finder would make it."""
    views = {}
    for name, mask in masks.items():
        rows, columns = np.nonzero(mask)
        views[name] = FindingView(
            outline=((rows.min(), columns.min()), (rows.min(), columns.max()), (rows.max(), columns.max())),
            mask=mask,
            peak_row=int(rows.mean()),
            peak_column=int(columns.mean()),
            peak_counts=1.0,
            area_mm2=float(mask.sum()) * PIXEL_MM**2,
            uptake_ratio=spot.ratio,
            significance=10.0,
        )
    return Finding(
        id=number,
        letter=chr(64 + number),
        kind=Kind.BONE,
        polarity=Polarity.HOT,
        bone=spot.bone,
        side=bone(spot.bone).side,
        place=bone(spot.bone).name,
        region=bone(spot.bone).region,
        views=views,
        uptake_ratio=spot.ratio,
        uptake_reference="drawn",
        significance=10.0,
        depth_mm=Measurement(value=60.0, unit="mm", uncertainty=10.0, method="drawn"),
        mass_share_percent=0.1,
        in_burden=True,
        likelihood=Measurement(value=0.9, unit="1", method="drawn"),
        reason="drawn",
    )
