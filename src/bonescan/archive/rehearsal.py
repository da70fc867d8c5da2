"""One reading of a person drawn with rulers, which nobody keeps: the first real one finds everything compiled.

After an installation numba compiles what a reading computes with, which takes longer than a reading itself. A spare
reading process does so while it waits, unless this was done; it stops as soon as there is a real study.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from bonescan import __version__
from bonescan.errors import BoneScanError
from bonescan.scan import Scan, View, ViewName

__all__ = ["rehearse"]

_PIXEL_MM = 4.0
_SHAPE = (480, 150)
_COUNTS = 1e6
_SOFT_TISSUE = 0.03  # of the brightest bone, on every pixel
_SIDES = {ViewName.ANTERIOR: -1, ViewName.POSTERIOR: 1}


class _Wanted(Exception):
    """There is a real study."""


def rehearse(wanted: Callable[[], bool]) -> bool:
    """Read a drawn person once on a machine, so that all code is compiled and kept.

    Parameters
    ----------
    wanted : callable
        Whether something better is to be done; asked at each step of the reading.

    Returns
    -------
    bool
        Whether it came to its end, now or earlier; never where no folder for compiled code is set, for then nothing of
        it would stay.
    """
    kept = os.environ.get("NUMBA_CACHE_DIR", "")
    if not kept:
        return False
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    rehearsed = Path(kept) / f"bonescan-{__version__}-python-{python}-rehearsed"
    if rehearsed.exists():
        return True
    from bonescan import journeys
    from bonescan.dicom import write_scan

    def step(_: str) -> None:
        if wanted():
            raise _Wanted

    try:
        with tempfile.TemporaryDirectory(prefix="bonescan-rehearsal-") as made:
            folder = Path(made)
            step("")
            for name, content in write_scan(_drawn()).items():
                (folder / name).write_bytes(content)
            with suppress(BoneScanError):  # as far as it goes; a person drawn with rulers may not be believed
                journeys.read_study([folder], folder / "reading", dicom_results=True, keep_state=True, progress=step)
            rehearsed.touch()
    except (_Wanted, OSError):
        return False
    return True


def _drawn() -> Scan:
    """A whole-body scan of the default skeleton: lengths of bone along the rays, blurred, on a flat background."""
    from scipy import ndimage

    from bonescan.anatomy.pose import default_pose, pose_skeleton
    from bonescan.anatomy.projection import project_bones
    from bonescan.anatomy.skeleton import default_skeleton

    posed = pose_skeleton(default_skeleton(), default_pose())
    row, column = np.mgrid[: _SHAPE[0], : _SHAPE[1]].astype(np.float32)
    z = posed.centres_mm[:, 2].max() + 60.0 - row * _PIXEL_MM
    rng = np.random.default_rng(0)
    views = []
    for name, side in _SIDES.items():
        x = -side * (column - (_SHAPE[1] - 1) / 2) * _PIXEL_MM
        picture = np.zeros(_SHAPE)
        for shadow in project_bones(posed, x, z.astype(np.float32)):
            height, width = shadow.length_mm.shape
            picture[shadow.row : shadow.row + height, shadow.column : shadow.column + width] += shadow.length_mm
        picture = ndimage.gaussian_filter(picture, 1.0)
        picture += _SOFT_TISSUE * picture.max()
        views.append(
            View(
                name=name,
                counts=rng.poisson(picture * _COUNTS / picture.sum()).astype(np.float32),
                row_spacing_mm=_PIXEL_MM,
                column_spacing_mm=_PIXEL_MM,
                duration_s=600.0,
                identity_basis="drawn",
            )
        )
    return Scan(views=tuple(views))
