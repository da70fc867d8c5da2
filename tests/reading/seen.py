"""What a network would see of a drawn person: the true regions and levels, blurred and a little displaced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from tests.reading.person import PIXEL_MM, Person, bone_centres

from bonescan.anatomy.pose import pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.regions import paint_limbs, paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.reading.network import FOCI, REGIONS, DenseView, Glance
from bonescan.scan import ViewName

BLUR_PIXELS = 1.5
FIRST_LEVEL = {"c": 0, "t": 7, "l": 19}


def true_regions(one: Person, name: ViewName, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Regions 0 to 17 of a drawn person."""
    frame = one.frames[name]
    regions = paint_regions(one.pose, name, frame.pixels, shape)
    x, z = (part.astype(np.float32) for part in frame.body(*np.mgrid[: shape[0], : shape[1]].astype(float)))
    shadows = project_bones(pose_skeleton(default_skeleton(), one.pose), x, z)
    paint_limbs(regions, shadows, np.ones(shape, bool), (PIXEL_MM, PIXEL_MM))
    return regions


def dense(one: Person, name: ViewName, shape: tuple[int, int], shift_rows: int = 0) -> DenseView:
    """A network's maps of one view; ``shift_rows`` moves its regions down."""
    regions = np.roll(true_regions(one, name, shape), shift_rows, axis=0)
    probability = np.stack(
        [ndimage.gaussian_filter((regions == k).astype(np.float32), BLUR_PIXELS) for k in range(REGIONS)]
    )
    probability += 0.002
    centres = bone_centres(one.pose)
    row_of = {
        FIRST_LEVEL[key[9]] + int(key[10:12]): float(one.frames[name].pixels(place[0], place[2])[0])
        for key, place in centres.items()
        if key.startswith("vertebra_")
    }
    levels = np.interp(np.arange(shape[0]), [row_of[k] for k in sorted(row_of)], sorted(row_of))
    nothing = np.zeros(shape, np.float32)
    return DenseView(
        name=name,
        regions=probability / probability.sum(axis=0),
        foci=dict.fromkeys(FOCI, nothing),
        vertebra=np.repeat(levels[:, None], shape[1], axis=1).astype(np.float32),
        rib=_ribs(one, name, shape),
    )


def glance(one: Person, exchanged: float = 0.0) -> Glance:
    """A network's maps of all views of a drawn person."""
    return Glance(
        views=tuple(dense(one, view.name, view.counts.shape) for view in one.scan.views),
        exchanged=exchanged,
        embedding=np.zeros(4, np.float32),
    )


def _ribs(one: Person, name: ViewName, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Number of the rib nearest the camera; between ribs that of the next one."""
    x, z = (part.astype(np.float32) for part in one.frames[name].body(*np.mgrid[: shape[0], : shape[1]].astype(float)))
    ribs = np.zeros(shape, np.float32)
    shadows = project_bones(pose_skeleton(default_skeleton(), one.pose), x, z)
    own = [(int(shadow.bone[4:6]), shadow) for shadow in shadows if shadow.bone.startswith("rib_")]
    # A rib slopes down to the front: of two at one height the lower-numbered one is nearer the front.
    own.sort(key=lambda item: item[0], reverse=name is ViewName.ANTERIOR)
    for number, shadow in own:
        height, width = shadow.length_mm.shape
        box = slice(shadow.row, shadow.row + height), slice(shadow.column, shadow.column + width)
        ribs[box][shadow.length_mm > 0] = number
    if not ribs.any():
        return ribs
    nearest = ndimage.distance_transform_edt(ribs == 0, return_distances=False, return_indices=True)
    return np.asarray(ribs[tuple(nearest)])
