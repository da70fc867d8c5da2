"""Open a volume somebody else made: NIfTI (``.nii``, ``.nii.gz``) or NumPy (``.npz``), as a `Field`.

NIfTI tells places in millimetres with +x right, +y anterior; here +x is left and +y posterior. Axes are put in our
order, slices towards the head, rows towards the back, columns to the left, by turning the array over; what is left of
an oblique direction stays in the grid's axes.
"""

from __future__ import annotations

import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonescan.errors import UnreadableInput
from bonescan.field import Field, Grid

__all__ = ["open_volume", "turned"]

_MOST_VOXELS = 2**29
_SPACING_MM = (0.01, 100.0)
# What libraries raise over damaged bytes; MemoryError for a header that promises more than any volume.
_DAMAGE = (EOFError, OSError, ValueError, AttributeError, LookupError, ArithmeticError, MemoryError, RuntimeError,
           TypeError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error)  # fmt: skip
_TO_MM = {"mm": 1.0, "meter": 1000.0, "micron": 0.001, "unknown": 1.0}


def open_volume(path: Path, *, unit: str = "1") -> Field:
    """A volume from a file.

    Parameters
    ----------
    path : Path
        A NIfTI file, or an NPZ with ``values`` (slice, row, column), ``spacing_mm`` and ``origin_mm``, and ``axes`` if
        they are not the usual ones (`bonescan.field.Grid`).
    unit : str
        Of the values; the file does not say. ``"1"`` for labels, ``"[hnsf'U]"`` for a CT in Hounsfield units.

    Returns
    -------
    Field

    Raises
    ------
    UnreadableInput
        For a file that is neither, is damaged, or does not hold one volume of finite numbers.
    """
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        values, affine = _nifti(path)
    elif name.endswith(".npz"):
        values, affine = _npz(path)
    else:
        raise UnreadableInput(f"A volume is a .nii, .nii.gz or .npz file, got {path.suffix or 'no ending'!r}.")
    if values.ndim != 3 or values.size < 1:
        raise UnreadableInput(f"A volume has three axes, this file holds the shape {values.shape}.", got=values.shape)
    _refuse_many(values.shape)
    if not (np.issubdtype(values.dtype, np.number) and np.isrealobj(values)):
        raise UnreadableInput(f"A volume holds numbers, this file {values.dtype}.", got=str(values.dtype))
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise UnreadableInput("The volume holds values that are not finite numbers.")
    lengths = np.linalg.norm(affine[:, :3], axis=0)
    if not (np.isfinite(affine).all() and (lengths > 0).all()):
        raise UnreadableInput("The volume does not say where its voxels lie: its affine matrix is not invertible.")
    if not (lengths.min() >= _SPACING_MM[0] and lengths.max() <= _SPACING_MM[1]):
        raise UnreadableInput(
            f"A volume's voxels measure {_SPACING_MM[0]:g} to {_SPACING_MM[1]:g} mm, this file says "
            f"{' x '.join(f'{length:.3g}' for length in lengths)} mm: check the unit in its header.",
            got=lengths.tolist(),
        )
    directions = affine[:, :3] / lengths
    if not np.allclose(directions.T @ directions, np.eye(3), atol=1e-3):
        raise UnreadableInput("The volume's axes are sheared; resample it to right angles first.")
    return turned(values, directions, lengths, affine[:, 3], unit)


def _refuse_many(shape: tuple[int, ...]) -> None:
    if math.prod(int(length) for length in shape) > _MOST_VOXELS:
        raise UnreadableInput(f"A volume has at most {_MOST_VOXELS} voxels, this file's shape is {shape}.", got=shape)


def _said(error: BaseException, path: Path) -> str:
    """What a library said, in one line and without the folder."""
    return " ".join(str(error).split()).replace(str(path), path.name) or type(error).__name__


def turned(
    values: NDArray[Any],
    directions: NDArray[np.float64],
    lengths: NDArray[np.float64],
    origin: NDArray[np.float64],
    unit: str,
) -> Field:
    """The volume with slices most nearly upwards, rows backwards and columns to the left.

    Parameters
    ----------
    values : (a, b, c) ndarray
        Axes in any order and direction.
    directions : (3, 3) ndarray
        Orthonormal columns: where each axis goes, LPS.
    lengths : (3,) ndarray
        Spacing along each axis in mm.
    origin : (3,) ndarray
        Centre of the first voxel, LPS.
    unit : str

    Returns
    -------
    Field
    """
    order: list[int] = []
    for axis in (2, 1, 0):  # z, y, x of our slices, rows, columns
        order.append(max((k for k in range(3) if k not in order), key=lambda k: abs(directions[axis, k])))
    values = values.transpose(order)
    directions, lengths, origin = directions[:, order], lengths[order], origin.copy()
    for k, axis in enumerate((2, 1, 0)):
        if directions[axis, k] < 0:
            origin = origin + directions[:, k] * lengths[k] * (values.shape[k] - 1)
            directions[:, k] *= -1
            values = np.flip(values, axis=k)
    exact, _, turn = np.linalg.svd(directions)  # the nearest orthonormal axes: files round
    axes = exact @ turn
    return Field(
        values=np.ascontiguousarray(values),
        grid=Grid(
            shape=values.shape,
            spacing_mm=tuple(lengths.tolist()),
            origin_mm=tuple(origin.tolist()),
            axes=tuple(tuple(row) for row in axes.tolist()),
        ),
        unit=unit,
    )


def _nifti(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        image: Any = nibabel.load(path)
        _refuse_many(image.shape)
        scaled = image.dataobj.slope != 1 or image.dataobj.inter != 0
        with np.errstate(over="ignore"):  # infinite values are refused later
            values = np.asarray(image.dataobj, dtype=np.float32 if scaled else None)
        unit = image.header.get_xyzt_units()[0]
        affine = np.array(image.affine, dtype=float)[:3]
    except UnreadableInput:
        raise
    except (ImageFileError, HeaderDataError, *_DAMAGE) as error:
        raise UnreadableInput(f"{path.name} is not a readable NIfTI volume: {_said(error, path)}") from error
    if affine.shape != (3, 4):
        raise UnreadableInput(f"{path.name} does not say where its voxels lie.")
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    affine = affine * _TO_MM.get(unit, 1.0)
    affine[:2] *= -1  # right, anterior, superior to left, posterior, superior
    return values, affine


def _npz(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in ("values", "spacing_mm", "origin_mm") if key not in file]
            if missing:
                raise UnreadableInput(f"{path.name} lacks {' and '.join(missing)}.", missing=missing)
            if "values.npy" in file.zip.namelist():  # an array that packs small may be endless
                _refuse_many((file.zip.getinfo("values.npy").file_size // 8,))
            values = file["values"]
            spacing, origin = (np.asarray(file[key], dtype=float) for key in ("spacing_mm", "origin_mm"))
            axes = np.asarray(file.get("axes", [[0, 0, 1], [0, 1, 0], [1, 0, 0]]), dtype=float)
    except UnreadableInput:
        raise
    except _DAMAGE as error:
        raise UnreadableInput(f"{path.name} is not a readable NPZ volume: {_said(error, path)}") from error
    if spacing.shape != (3,) or origin.shape != (3,) or axes.shape != (3, 3):
        raise UnreadableInput(f"{path.name}: spacing and origin are three numbers each, axes nine.")
    return values, np.column_stack([axes * spacing, origin])
