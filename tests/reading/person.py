"""A person whose pose is known: the skeleton seen by a simple camera, to be found again by the fit.

Uptake is the same in all bone of the trunk and lower in the limbs, the skin a flat plane before and behind: less than
the fit itself assumes, so that the pictures are not the fit's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import PARAMETERS, default_pose, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.skeleton import Skeleton, default_skeleton
from bonescan.reading.skeleton.placement import Frame, Placement
from bonescan.scan import Scan, View, ViewName

Array = NDArray[np.float64]

PIXEL_MM = 4.0
ROWS, COLUMNS = 480, 150
SKIN_MM = 110.0  # before and behind the body's middle
MU_PER_MM = 0.012
BLUR_MM = 4.5  # standard deviation
SOFT_TISSUE = 0.03
LIMBS = (8, 12, 13, 14, 15, 16, 17)
NUMBER = {parameter.name: k for k, parameter in enumerate(PARAMETERS)}


@dataclass(frozen=True, kw_only=True)
class Person:
    """A scan and the pose and frames behind it."""

    scan: Scan
    pose: Array
    frames: dict[ViewName, Frame]


def random_pose(seed: int) -> Array:
    """Every freedom within one and a half of its standard deviations, most within one."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(0, 0.7, len(PARAMETERS)), -1.5, 1.5) * [p.spread for p in PARAMETERS]


def with_turns(pose: Array, **degrees: float) -> Array:
    """The pose with other turns of both sides, named like ``arm__spread``."""
    changed = pose.copy()
    for name, value in degrees.items():
        segment, what = name.split("__")
        for side in ("_l", "_r"):
            changed[NUMBER[f"{segment}{side}.{what}_rad"]] = np.deg2rad(value)
    return changed


def mirrored(pose: Array) -> Array:
    """The pose of the person in the mirror: left and right limbs exchanged, sideways turns of the trunk reversed."""
    changed = pose.copy()
    for name, k in NUMBER.items():
        segment, what = name.split(".")
        if segment.endswith("_l"):
            other = NUMBER[f"{segment[:-2]}_r.{what}"]
            changed[k], changed[other] = pose[other], pose[k]
        elif segment == "spine" or (not segment.endswith("_r") and what in ("lean_rad", "turn_rad")):
            changed[k] = -pose[k]
    return changed


def person(
    pose: Array | None = None,
    *,
    seed: int = 1,
    counts: float = 1e6,
    views: tuple[ViewName, ...] = tuple(ViewName),
    rows: slice = slice(None),
) -> Person:
    """Photograph a pose from in front and behind with Poisson noise; ``rows`` crops."""
    pose = default_pose() if pose is None else pose
    posed = pose_skeleton(default_skeleton(), pose)
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:ROWS, :COLUMNS]
    top = posed.centres_mm[:, 2].max() + 60
    frames, pictures = {}, []
    for name in views:
        side = -1 if name is ViewName.ANTERIOR else 1
        frame = Frame(
            row_0=(top - 900) / PIXEL_MM,
            column_0=(COLUMNS - 1) / 2 + side,
            row_per_mm=1 / PIXEL_MM,
            column_per_mm=-side / PIXEL_MM,
            tilt=0.0,
            shear=0.0,
        )
        x, z = (part.astype(np.float32) for part in frame.body(row.astype(float), column.astype(float)))
        skin = np.full_like(x, side * SKIN_MM)
        picture, outline = np.zeros((ROWS, COLUMNS)), np.zeros((ROWS, COLUMNS), dtype=bool)
        for shadow in project_bones(posed, x, z, skin_mm=skin, side=side, mu_per_mm=MU_PER_MM):
            height, width = shadow.length_mm.shape
            box = slice(shadow.row, shadow.row + height), slice(shadow.column, shadow.column + width)
            picture[box] += shadow.length_mm * (0.45 if bone(shadow.bone).region in LIMBS else 1.0)
            outline[box] |= shadow.length_mm > 0
        body = ndimage.binary_closing(ndimage.binary_dilation(outline, iterations=6), iterations=10)
        picture = ndimage.gaussian_filter(picture, BLUR_MM / PIXEL_MM)
        picture += SOFT_TISSUE * picture.max() * ndimage.gaussian_filter(body.astype(float), 2)
        cropped = picture[rows]
        pictures.append(
            View(
                name=name,
                counts=rng.poisson(cropped * counts / cropped.sum()).astype(np.float32),
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                identity_basis="drawn",
            )
        )
        frames[name] = Frame(
            row_0=frame.row_0 - (rows.start or 0),
            column_0=frame.column_0,
            row_per_mm=frame.row_per_mm,
            column_per_mm=frame.column_per_mm,
            tilt=0.0,
            shear=0.0,
        )
    return Person(scan=Scan(views=tuple(pictures)), pose=pose, frames=frames)


def bone_centres(pose: Array, skeleton: Skeleton | None = None) -> dict[str, Array]:
    """Centre of volume of every bone of a pose, (x, y, z) mm."""
    skeleton = skeleton or default_skeleton()
    posed = pose_skeleton(skeleton, pose)
    volume = skeleton.volumes_mm3()
    return {
        name: np.average(posed.centres_mm[skeleton.bone_index == k], axis=0, weights=volume[skeleton.bone_index == k])
        for k, name in enumerate(skeleton.bones)
    }


def bone_errors_mm(one: Person, name: ViewName, pose: Array, placement: Placement) -> dict[str, float]:
    """Distance on the picture between each bone's fitted and true centre, in mm of the drawn body."""
    true, fitted = bone_centres(one.pose), bone_centres(pose)
    rows = one.scan.views[0].counts.shape[0]
    found = {}
    for key in true:
        row, column = one.frames[name].pixels(true[key][0], true[key][2])
        if 0 <= row <= rows - 1:
            r, c = placement.pixels(fitted[key][:1], fitted[key][2:])
            found[key] = float(np.hypot(r[0] - row, c[0] - column) * PIXEL_MM)
    return found
