"""Views as researchers keep them: PNG, TIFF and NIfTI.

Such files say nothing of the camera, so the user gives the pixel size, and the
view unless the file's name does.
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom.frames import WHOLE_BODY_ASPECT, Frame
from bonescan.dicom.inputs import MAX_FILE_BYTES, Item
from bonescan.dicom.pixels import MAX_PIXELS, MAX_SIDE
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import Remark, Severity

__all__ = ["is_picture", "picture_frames"]

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NIFTI_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}


def is_picture(data: bytes) -> bool:
    """Whether the bytes are a PNG, TIFF or NIfTI file.

    Parameters
    ----------
    data : bytes
        A whole file.

    Returns
    -------
    bool
        By its first bytes, or by NIfTI's header; the file may still be damaged.
    """
    return data.startswith((_PNG, *_TIFF)) or _is_nifti(data)


def _is_nifti(data: bytes) -> bool:
    if data[:2] == b"\x1f\x8b":
        try:
            head = zlib.decompressobj(31).decompress(data[:65536], 352)
        except zlib.error:
            return False
        return head[344:347] in (b"n+1", b"ni1")
    return data[344:347] in (b"n+1", b"ni1")


def picture_frames(item: Item, *, pixel_mm: float | None) -> tuple[list[Frame], list[Remark]]:
    """Return the one or two views a picture file holds.

    Parameters
    ----------
    item : Item
        The file's bytes and place.
    pixel_mm : float or None
        Side of a square pixel, 0.2 to 20 mm; pictures do not say it, so ``None`` is refused.

    Returns
    -------
    frames : list of Frame
        In the file's order, bright on dark, without any header.
    remarks : list of Remark
        That nothing is known of camera, patient and tracer; an inverted or mended picture.

    Raises
    ------
    UnreadableInput
        Damaged files, absurd sizes, or no pixel size given.
    NotABoneScan
        Colour pictures, volumes and empty pictures.
    """
    if pixel_mm is None:
        raise UnreadableInput(
            f"{item.place.capitalize()} is a picture without a camera's header; give its pixel size with --pixel-mm."
        )
    if not 0.2 <= pixel_mm <= 20:
        raise UnreadableInput(f"The pixel size must lie between 0.2 and 20 mm, got {pixel_mm:g}.", got=pixel_mm)
    stack = _nifti(item) if _is_nifti(item.data) else _raster(item)
    remarks = [
        Remark(
            code="dicom.picture",
            text="The views come from a picture file: nothing is known of camera, patient, tracer and times.",
            severity=Severity.WARNING,
        )
    ]
    byte_values = stack.dtype.itemsize == 1
    values = stack.astype(np.float32)
    if not np.isfinite(values).all() or float(np.abs(values).max()) > 2**31:
        raise UnreadableInput(f"The pixels of {item.place} are not counts: some are infinite or absurdly large.")
    if float(values.max()) <= 0:
        raise NotABoneScan(f"The image in {item.place} is empty: every pixel is zero.")
    edge = np.concatenate(
        [values[:, 0].ravel(), values[:, -1].ravel(), values[..., 0].ravel(), values[..., -1].ravel()]
    )
    if np.median(edge) > 0.5 * values.max():
        values = values.max() - values
        byte_values = True
        remarks.append(
            Remark(
                code="dicom.picture.inverted",
                text="The background is bright, as in inverse display; the picture was turned to bright on dark.",
                severity=Severity.WARNING,
            )
        )
    if float(values.min()) < 0:
        remarks.append(
            Remark(
                code="dicom.pixels.negative",
                text=f"{int(np.count_nonzero(values < 0))} pixel(s) hold values below zero; they were set to zero.",
                severity=Severity.WARNING,
            )
        )
        values = np.maximum(values, 0)
    for view in values:
        if not view.any():
            raise NotABoneScan(f"The image in {item.place} is empty: every pixel is zero.")
    rows, columns = values.shape[1:]
    frames = [
        Frame(
            counts=view,
            dataset=None,
            place=item.place,
            file_name=item.file_name,
            position=position,
            position_count=len(values),
            vendor_names=(("file name", item.file_name.rsplit(".", 1)[0]),) if len(values) == 1 else (),
            row_spacing_mm=pixel_mm,
            column_spacing_mm=pixel_mm,
            not_raw_because="8-bit picture values" if byte_values else "",
            whole_body=rows >= WHOLE_BODY_ASPECT * columns and rows * pixel_mm >= 900,
        )
        for position, view in enumerate(values)
    ]
    return frames, remarks


def _raster(item: Item) -> NDArray[np.generic]:
    from PIL import Image

    try:
        keep_quiet()
        with Image.open(io.BytesIO(item.data), formats=("PNG", "TIFF")) as picture:
            _check_size(picture.height, picture.width, item.place)
            if getattr(picture, "n_frames", 1) > 2:
                raise NotABoneScan(f"{item.place.capitalize()} holds more than two pages; give one or two views.")
            pages = []
            for page in range(getattr(picture, "n_frames", 1)):
                picture.seek(page)
                _check_size(picture.height, picture.width, item.place)
                flat = picture.convert("L") if picture.mode in ("1", "P") else picture
                pages.append(np.array(flat))
    except (NotABoneScan, UnreadableInput):
        raise
    except Exception as error:  # damaged pictures make Pillow raise almost anything
        raise UnreadableInput(f"The picture in {item.place} is damaged or cut short; export it again.") from error
    grey = []
    for array in pages:
        if array.ndim == 3:
            colours = array[..., : 3 if array.shape[2] >= 3 else 1]
            if not (colours == colours[..., :1]).all():
                raise NotABoneScan(f"{item.place.capitalize()} is a colour picture; give grey values of counts.")
            array = colours[..., 0]
        grey.append(array)
    if len({array.shape for array in grey}) != 1 or grey[0].ndim != 2:
        raise NotABoneScan(f"The pages of {item.place} differ in size; give one view a file.")
    return np.stack(grey)


def _nifti(item: Item) -> NDArray[np.generic]:
    """Read a single-file NIfTI-1 image of one or two planes.

    The longer of the first two axes is taken as the rows' axis, as whole bodies
    are longer than wide; rows and columns are kept in stored order, for the
    affine of a planar picture seldom means anything.
    """
    damaged = UnreadableInput(f"The NIfTI file in {item.place} is damaged or cut short; export it again.")
    data = item.data
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise damaged from error
    if len(data) < 352 or len(data) > MAX_FILE_BYTES:
        raise damaged
    order = "<" if struct.unpack_from("<i", data)[0] == 348 else ">"
    if struct.unpack_from(f"{order}i", data)[0] != 348 or data[344:347] != b"n+1":
        raise damaged
    dims = struct.unpack_from(f"{order}8h", data, 40)
    kind = struct.unpack_from(f"{order}h", data, 70)[0]
    offset, slope, intercept = struct.unpack_from(f"{order}3f", data, 108)
    if not 2 <= dims[0] <= 7 or min(dims[1 : dims[0] + 1]) < 1 or kind not in _NIFTI_TYPES:
        raise damaged
    planes = int(np.prod([int(n) for n in dims[3 : dims[0] + 1]])) if dims[0] > 2 else 1
    _check_size(dims[2], dims[1], item.place)
    if planes > 2:
        raise NotABoneScan(f"{item.place.capitalize()} is a volume of {planes} slices; give planar views.", got=planes)
    dtype = np.dtype(f"{order}{_NIFTI_TYPES[kind]}")
    count = dims[1] * dims[2] * planes
    if not (np.isfinite(offset) and 348 <= offset <= len(data) - count * dtype.itemsize):
        raise damaged
    stack = np.frombuffer(data, dtype, count, int(offset)).reshape(planes, dims[2], dims[1])
    if dims[1] > dims[2]:
        stack = stack.transpose(0, 2, 1)
    if np.isfinite(slope) and np.isfinite(intercept) and slope != 0 and (slope, intercept) != (1, 0):
        stack = stack.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    return stack


def _check_size(rows: int, columns: int, place: str) -> None:
    if not (2 <= rows <= MAX_SIDE and 2 <= columns <= MAX_SIDE) or rows * columns > MAX_PIXELS:
        raise UnreadableInput(
            f"The picture in {place} claims {rows} x {columns} pixels; 2 to {MAX_SIDE} a side are read.",
            got=(rows, columns),
        )
