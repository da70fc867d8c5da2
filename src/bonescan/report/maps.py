"""Label maps as files: regions and findings as PNG, single bones as a compressed NumPy archive."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import UnreadableInput
from bonescan.reading.model import BoneMap, Finding
from bonescan.scan import View

__all__ = ["FindingMap", "bones_npz", "finding_map", "load_bones", "map_png"]

_THICKNESS_STEP_MM = 0.1
_BONE_FIELDS = ("bone", "row", "column", "height", "width", "depth_mm", "thickness_tenth_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingMap:
    """The findings of one view as one picture of ids.

    Parameters
    ----------
    ids : (row, column) ndarray of uint16
        Finding id of each pixel, 0 for none.
    kept_by : mapping of int to mapping of int to int
        For every finding that lost pixels: which finding keeps how many of them.
    """

    ids: NDArray[np.uint16]
    kept_by: Mapping[int, Mapping[int, int]]


def finding_map(view: View, findings: Sequence[Finding]) -> FindingMap:
    """Draw the findings of one view as ids; where masks overlap the lower id keeps the pixel.

    Ids ascend with decreasing significance, bone findings first, so a pixel
    belongs to the most significant bone finding that holds it. No pixel is
    lost silently: `FindingMap.kept_by` counts what each finding gave up, and the
    outline in reading.json stays whole.

    Parameters
    ----------
    view : View
    findings : sequence of Finding

    Returns
    -------
    FindingMap
    """
    ids = np.zeros(view.counts.shape, np.uint16)
    flat = ids.reshape(-1)
    kept_by: dict[int, dict[int, int]] = {}
    for finding in sorted(findings, key=lambda finding: finding.id):
        if view.name not in finding.views:
            continue
        pixels = np.flatnonzero(finding.views[view.name].mask)
        holders, counts = np.unique(flat[pixels], return_counts=True)
        lost = {int(holder): int(count) for holder, count in zip(holders, counts, strict=True) if holder}
        if lost:
            kept_by[finding.id] = lost
        flat[pixels[flat[pixels] == 0]] = finding.id
    return FindingMap(ids=ids, kept_by=kept_by)


def map_png(ids: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode a map of ids as a greyscale PNG of 8 or 16 bits: the pixel value IS the id.

    Parameters
    ----------
    ids : (row, column) ndarray of uint8 or uint16

    Returns
    -------
    bytes
    """
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(ids)).save(buffer, "PNG")
    return buffer.getvalue()


def bones_npz(bones: Sequence[BoneMap]) -> bytes:
    """Pack the bones of one view into a compressed NumPy archive.

    Parameters
    ----------
    bones : sequence of BoneMap

    Returns
    -------
    bytes
        An ``.npz`` with, for n bones, ``bone`` (n text ids), ``row``,
        ``column``, ``height``, ``width`` (n integers: the crop's place and size
        in pixels), ``depth_mm`` (n float32) and ``thickness_tenth_mm`` (one
        uint16 vector: the crops in C order, one after the other, in steps of
        0.1 mm). `load_bones` reverses it.
    """
    crops = [np.rint(bone.thickness_mm / _THICKNESS_STEP_MM).clip(0, 65535).astype(np.uint16) for bone in bones]
    shapes = np.array([crop.shape for crop in crops], np.int32).reshape(-1, 2)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        bone=np.array([bone.bone for bone in bones], np.str_),
        row=np.array([bone.row for bone in bones], np.int32),
        column=np.array([bone.column for bone in bones], np.int32),
        height=shapes[:, 0],
        width=shapes[:, 1],
        depth_mm=np.array([bone.depth_mm for bone in bones], np.float32),
        thickness_tenth_mm=np.concatenate([crop.ravel() for crop in crops] or [np.zeros(0, np.uint16)]),
    )
    return buffer.getvalue()


def load_bones(data: bytes) -> tuple[BoneMap, ...]:
    """Unpack the bytes of a ``bones_<view>.npz``.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    tuple of BoneMap
        Thickness exact to 0.05 mm.

    Raises
    ------
    UnreadableInput
        When the bytes are not such an archive.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            bone, row, column, height, width, depth, thickness = (archive[field] for field in _BONE_FIELDS)
            ends = np.cumsum(height.astype(np.int64) * width)
            starts = ends - height.astype(np.int64) * width
            return tuple(
                BoneMap(
                    bone=str(bone[i]),
                    row=int(row[i]),
                    column=int(column[i]),
                    thickness_mm=np.float32(_THICKNESS_STEP_MM)
                    * thickness[starts[i] : ends[i]].reshape(height[i], width[i]).astype(np.float32),
                    depth_mm=float(depth[i]),
                )
                for i in range(len(bone))
            )
    except (OSError, ValueError, KeyError, EOFError, IndexError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableInput(
            "These bytes are not a bones_<view>.npz as bonescan writes it; give the whole file's content.",
            expected=_BONE_FIELDS,
        ) from error
