"""Pixel data to counts, whatever the transfer syntax, within stated limits.

Decoders, all under permissive licences: pydicom itself (native, deflated, RLE),
GDCM (JPEG lossless, baseline and extended), CharLS through pyjpegls (JPEG-LS),
OpenJPEG through pylibjpeg-openjpeg (JPEG 2000, HTJ2K). What a compressed frame says of
itself is held against the header before any decoder sees it.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom.headers import damaged_number, integers, number, text, texts
from bonescan.dicom.inputs import MAX_FILE_BYTES
from bonescan.dicom.jpeg import frame_header
from bonescan.dicom.quiet import counted_departures, keep_quiet
from bonescan.errors import NotABoneScan, UnreadableInput
from bonescan.scan import Remark, Severity

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Pixels", "decode", "decode_frame", "is_dicom", "parse", "transfer_syntax"]

MAX_SIDE = 8192
MAX_PIXELS = 64 * 2**20
_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_DECODER_OF = {  # one for each: where it fails no other is tried, for some crash on damaged bytes
    "1.2.840.10008.1.2.4.50": "gdcm",
    _JPEG_EXTENDED: "gdcm",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pydicom",
}
_LOSSY = {
    "1.2.840.10008.1.2.4.50": "JPEG baseline",
    _JPEG_EXTENDED: "JPEG extended",
    "1.2.840.10008.1.2.4.81": "JPEG-LS near-lossless",
}
_PIXEL_DATA = 0x7FE00010


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """Decoded frames.

    Parameters
    ----------
    frames : (frame, row, column) ndarray of float32
        Counts after rescaling, not negative.
    changed : str
        Why the values are not what the detector counted: ``"lossy compression"``,
        ``"rescaling"``; empty when nothing says so.
    byte_values : bool
        Whether the file stores 8 bits a pixel.
    remarks : tuple of Remark
    """

    frames: NDArray[np.float32]
    changed: str
    byte_values: bool
    remarks: tuple[Remark, ...]


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM file, with or without the preamble of Part 10.

    Parameters
    ----------
    data : bytes
        A whole file; 132 bytes are enough to tell.

    Returns
    -------
    bool
        By its first bytes; the file may still be damaged.
    """
    if data[128:132] == b"DICM":
        return True
    # Before Part 10 files simply began with group 2 or 8, in either byte order.
    return len(data) > 64 and data[:4] in (
        b"\x08\x00\x00\x00",
        b"\x08\x00\x01\x00",
        b"\x08\x00\x05\x00",
        b"\x08\x00\x08\x00",
        b"\x08\x00\x16\x00",
        b"\x00\x08\x00\x00",
        b"\x00\x08\x00\x05",
        b"\x00\x08\x00\x08",
        b"\x02\x00\x00\x00",
        b"\x02\x00\x02\x00",
        b"\x02\x00\x10\x00",
    )


def parse(data: bytes, place: str) -> tuple[Dataset, list[Remark]]:
    """Parse a DICOM file, bounded in memory.

    Parameters
    ----------
    data : bytes
        The whole file.
    place : str
        How messages call the file, e.g. ``"file 2 of 5"``.

    Returns
    -------
    dataset : pydicom.Dataset
    remarks : list of Remark
        One when the file departs from the standard in ways that were tolerated.

    Raises
    ------
    UnreadableInput
        A header that is damaged or cut short, or content that unpacks beyond the limit.
    """
    import pydicom
    from pydicom.tag import BaseTag

    _check_deflated_size(data, place)
    try:
        with counted_departures() as departures:
            dataset = pydicom.dcmread(io.BytesIO(data), force=True)
            if not hasattr(dataset, "file_meta") or not len(dataset):
                raise UnreadableInput(f"The DICOM header of {place} is damaged or cut short; export it again.")
    except UnreadableInput:
        raise
    except Exception as error:  # hostile bytes make pydicom raise almost anything, RecursionError included
        raise UnreadableInput(f"The DICOM header of {place} is damaged or cut short; export it again.") from error
    remarks = []
    if departures.count:
        remarks.append(
            Remark(
                code="dicom.nonconforming",
                text=f"The header departs from the DICOM standard in {departures.count} place(s) that could be "
                "tolerated.",
            )
        )
    tags = list(dataset.keys())
    if tags != sorted(tags):
        shifted = _PIXEL_DATA in tags and min(tags[tags.index(BaseTag(_PIXEL_DATA)) :]) < _PIXEL_DATA
        remarks.append(
            Remark(
                code="dicom.nonconforming.order",
                text="Header elements follow the pixel data: something in the file may be shifted."
                if shifted
                else "The header's elements are not in ascending order.",
                severity=Severity.WARNING if shifted else Severity.NOTE,
            )
        )
    stray = _stray_bytes(dataset, data)
    if stray:
        remarks.append(
            Remark(
                code="dicom.pixels.stray_bytes",
                text=f"{stray} stray byte(s) follow the last element of the file: something in it may be shifted.",
                severity=Severity.WARNING,
            )
        )
    return dataset, remarks


def _stray_bytes(dataset: Dataset, data: bytes) -> int:
    """Count the bytes behind the last element, which the parser passes over when they are too few for another."""
    if text(dataset.file_meta, "TransferSyntaxUID") == _DEFLATED:
        return 0
    try:
        last = dataset.get_item(max(dataset.keys()))
    except Exception:  # an element of unknown VR ends the file: it is itself the stray part
        return 8
    end = getattr(last, "value_tell", 0) + getattr(last, "length", 0)
    # Undefined lengths and elements that were read already do not say where they end.
    return len(data) - end if len(data) - 8 < end < len(data) else 0


def _check_deflated_size(data: bytes, place: str) -> None:
    """Refuse a deflated file that would unpack beyond the limit; pydicom itself sets none."""
    if data[128:132] != b"DICM" or _DEFLATED.encode() not in data[132:2048]:
        return
    if len(data) < 144 or data[132:140] != b"\x02\x00\x00\x00UL\x04\x00":
        raise UnreadableInput(f"The DICOM header of {place} is damaged; export it again.")
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    left = MAX_FILE_BYTES
    try:
        chunk = data[start:]
        while chunk and left > 0 and not unpack.eof:
            got = len(unpack.decompress(chunk, min(left, 2**24)))
            left -= got
            chunk = unpack.unconsumed_tail
    except zlib.error as error:
        raise UnreadableInput(f"The deflated content of {place} is damaged; export it again.") from error
    if not unpack.eof:
        raise UnreadableInput(
            f"The deflated content of {place} is cut short or unpacks to more than {MAX_FILE_BYTES >> 20} MiB."
        )


def decode(dataset: Dataset, place: str) -> Pixels:
    """Decode every frame and apply the rescale tags.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The whole object, with its file meta information.
    place : str
        How messages call the file, e.g. ``"file 2 of 5"``.

    Returns
    -------
    Pixels
        ``frames`` is (frame, row, column) of float32 counts, never negative, with remarks on what was done to them.

    Raises
    ------
    UnreadableInput
        Pixel data that are absent, cut short, absurdly large or that no decoder accepts.
    NotABoneScan
        Colour pictures, overlays of text, floating-point maps.
    """
    shape = _shape(dataset, place)
    if (number(dataset, "SamplesPerPixel") or 1) != 1:
        raise NotABoneScan(
            f"{place.capitalize()} is a colour picture, such as a screen capture; give the camera's own counts.",
            expected="MONOCHROME2",
        )
    if any(tag in dataset for tag in (0x7FE00008, 0x7FE00009)):
        raise NotABoneScan(f"{place.capitalize()} holds floating-point values, not counts.")
    remarks: list[Remark] = []
    bits = next(iter(integers(dataset, "BitsAllocated")), 0)
    stored = next(iter(integers(dataset, "BitsStored")), bits)
    high = next(iter(integers(dataset, "HighBit")), stored - 1)
    if bits not in (8, 16, 32) or not 0 < stored <= bits:
        raise UnreadableInput(
            f"The header of {place} gives {bits} bits a pixel with {stored} in use; 8, 16 or 32 are possible.",
            got=bits,
        )
    if high != stored - 1:
        remarks.append(
            Remark(
                code="dicom.pixels.high_bit",
                text=f"The highest bit is given as {high} where {stored - 1} was expected; the values may be shifted.",
                severity=Severity.WARNING,
            )
        )
    syntax = transfer_syntax(dataset)
    if _is_native(syntax):
        raw, found = _native(_pixel_bytes(dataset, place), dataset, shape, bits, syntax, place)
        remarks += found
    else:
        raw = _decompressed(dataset, syntax, shape, place)
    values, found = _within_stored_bits(raw, stored)
    remarks += found
    return _to_counts(dataset, values, syntax, bits, stored, tuple(remarks))


def decode_frame(dataset: Dataset, index: int, place: str, *, as_rgb: bool = False) -> NDArray[np.generic]:
    """Decode one compressed frame, without rescaling.

    Parameters
    ----------
    dataset : pydicom.Dataset
        The whole object, with its file meta information.
    index : int
        From 0, below the number of frames.
    place : str
        How messages call the object.
    as_rgb : bool
        Whether colours become red, green and blue; otherwise they stay as they were stored.

    Returns
    -------
    (row, column) or (row, column, colour) ndarray

    Raises
    ------
    UnreadableInput
        Pixel data that are cut short, absurdly large or that no decoder accepts.
    """
    return _decompressed(dataset, transfer_syntax(dataset), _shape(dataset, place), place, index=index, as_rgb=as_rgb)


def _shape(dataset: Dataset, place: str) -> tuple[int, int, int]:
    rows, columns = (next(iter(integers(dataset, what)), 0) for what in ("Rows", "Columns"))
    frames = integers(dataset, "NumberOfFrames")
    frame_count = frames[0] if frames else 1
    if text(dataset, "NumberOfFrames") is not None and not frames:
        raise UnreadableInput(f"The number of frames in {place} is damaged; export it again.")
    if not (2 <= rows <= MAX_SIDE and 2 <= columns <= MAX_SIDE and 1 <= frame_count <= MAX_PIXELS):
        if "PixelData" not in dataset and rows == 0:
            raise NotABoneScan(f"{place.capitalize()} holds no image; give the whole-body images themselves.")
        raise UnreadableInput(
            f"{place.capitalize()} claims {frame_count} frame(s) of {rows} x {columns} pixels, "
            f"which no planar bone scan has (2 to {MAX_SIDE} a side).",
            got=(frame_count, rows, columns),
        )
    if rows * columns * frame_count > MAX_PIXELS:
        raise UnreadableInput(
            f"{place.capitalize()} claims {frame_count} frame(s) of {rows} x {columns} pixels, "
            f"more than the {MAX_PIXELS >> 20} million pixels that are read.",
            got=(frame_count, rows, columns),
        )
    return frame_count, rows, columns


def transfer_syntax(dataset: Dataset) -> str:
    """Say how an object was encoded, from its values where it has no file meta information.

    Parameters
    ----------
    dataset : pydicom.Dataset
        As `parse` returns it.

    Returns
    -------
    str
        UID.
    """
    named = text(dataset.file_meta, "TransferSyntaxUID")
    if named:
        return named
    little, implicit = dataset.original_encoding[1], dataset.original_encoding[0]
    if little is False:
        return _BIG_ENDIAN
    return _IMPLICIT_LITTLE if implicit else "1.2.840.10008.1.2.1"


def _is_native(syntax: str) -> bool:
    return syntax in (_IMPLICIT_LITTLE, "1.2.840.10008.1.2.1", _DEFLATED, _BIG_ENDIAN, "1.2.840.113619.5.2")


def _pixel_bytes(dataset: Dataset, place: str) -> bytes:
    try:
        data = dataset[_PIXEL_DATA].value
    except Exception as error:  # absent, or its length or VR is damaged
        raise UnreadableInput(f"{place.capitalize()} ends before its pixel data; export it again.") from error
    if not isinstance(data, bytes) or not data:
        raise UnreadableInput(f"The pixel data of {place} are empty; export it again.")
    return data


def _native(
    data: bytes, dataset: Dataset, shape: tuple[int, int, int], bits: int, syntax: str, place: str
) -> tuple[NDArray[np.generic], list[Remark]]:
    expected = int(np.prod(shape)) * bits // 8
    if len(data) < expected:
        raise UnreadableInput(
            f"{place.capitalize()} is cut short: {len(data)} of {expected} bytes of pixel data are there; "
            "fetch it again.",
            expected=expected,
            got=len(data),
        )
    remarks = []
    if len(data) > expected + expected % 2:
        remarks.append(
            Remark(
                code="dicom.pixels.surplus",
                text=f"The file holds {len(data) - expected} bytes of pixel data more than its header accounts for; "
                "frames or rows may be missing from what was read.",
                severity=Severity.WARNING,
            )
        )
    signed = number(dataset, "PixelRepresentation") == 1
    order = ">" if syntax in (_BIG_ENDIAN, "1.2.840.113619.5.2") else "<"
    dtype = np.dtype(f"{order}{'i' if signed else 'u'}{bits // 8}")
    return np.frombuffer(data, dtype, count=int(np.prod(shape))).reshape(shape), remarks


def _decompressed(
    dataset: Dataset,
    syntax: str,
    shape: tuple[int, int, int],
    place: str,
    *,
    index: int | None = None,
    as_rgb: bool = False,
) -> NDArray[np.generic]:
    """Decode all frames, or one of them, whatever they are to be used for: the only place that calls a decoder.

    All give (frame, row, column), one gives (row, column) or, of a colour picture, (row, column, colour).
    """
    from pydicom.encaps import generate_frames
    from pydicom.pixels.utils import pixel_array

    frame_count, rows, columns = shape
    _refuse_unknown_syntax(syntax, place)
    bits = next(iter(integers(dataset, "BitsAllocated")), 0)
    colours = int(number(dataset, "SamplesPerPixel") or 1)
    data = _pixel_bytes(dataset, place)
    try:
        frames = list(generate_frames(data, number_of_frames=frame_count))
    except Exception as error:  # damaged fragments
        raise UnreadableInput(f"The compressed pixel data of {place} are cut short; fetch it again.") from error
    if len(frames) != frame_count:
        raise UnreadableInput(
            f"{place.capitalize()} claims {frame_count} frame(s) and holds {len(frames)}; fetch it again.",
            expected=frame_count,
            got=len(frames),
        )
    wanted = frames if index is None else [frames[index]]
    for frame in wanted:
        _check_frame(frame, rows, columns, bits, place, colours=colours)
    try:
        keep_quiet()
        if _precision(wanted[0]) == 12 and syntax == _JPEG_EXTENDED:
            raw = np.stack([_gdcm_twelve_bits(frame, rows, columns) for frame in wanted])
        else:
            _quieten_gdcm(syntax)
            raw = pixel_array(dataset, index=index, raw=not as_rgb, decoding_plugin=_DECODER_OF[syntax])
    except Exception as error:  # each decoder has its own ways to fail on damaged bytes
        raise UnreadableInput(f"The compressed pixel data of {place} are damaged; fetch it again.") from error
    pixels = (len(wanted), rows, columns, colours)
    if raw.size != int(np.prod(pixels)):
        raise UnreadableInput(f"The compressed pixel data of {place} do not fill its {rows} x {columns} frame(s).")
    return raw.reshape(pixels[index is not None :] if colours > 1 else pixels[index is not None : 3])


def _refuse_unknown_syntax(syntax: str, place: str) -> None:
    from pydicom.uid import UID

    if syntax in _DECODER_OF:
        return
    name = UID(syntax).name
    what = "in a way of its maker's own" if name == syntax else f"as {name}"
    raise UnreadableInput(
        f"The pixels of {place} are encoded {what}, for which there is no decoder; have it sent uncompressed, or as "
        "JPEG, JPEG-LS, JPEG 2000 or RLE.",
        got=syntax,
    )


def _precision(frame: bytes) -> int:
    header = frame_header(frame)
    return header[0] if header else 0


def _siz(frame: bytes) -> tuple[int, int, int] | None:
    """Return (rows, columns, components) of a JPEG 2000 codestream."""
    start = frame.find(b"\xff\x4f\xff\x51")
    if start < 0 or start + 42 > len(frame):
        return None
    right, bottom, left, top, tile_w, tile_h = struct.unpack_from(">6I", frame, start + 8)
    if not tile_w or not tile_h or right <= left or bottom <= top:
        return None
    if ((right - left) // tile_w + 1) * ((bottom - top) // tile_h + 1) > 4096:
        return None
    return bottom - top, right - left, struct.unpack_from(">H", frame, start + 40)[0]


def _irreversible_wavelet(dataset: Dataset, syntax: str) -> str | None:
    """Name JPEG 2000 when its codestream used the 9-7 wavelet, lossy whatever the header claims (T.800, A.6.1)."""
    if not syntax.startswith(("1.2.840.10008.1.2.4.9", "1.2.840.10008.1.2.4.20")):
        return None
    data = bytes(dataset[_PIXEL_DATA].value)
    size = data.find(b"\xff\x4f\xff\x51")
    style = data.find(b"\xff\x52", size)
    return "JPEG 2000" if size >= 0 and style >= 0 and data[style + 13 : style + 14] == b"\0" else None


def _check_frame(frame: bytes, rows: int, columns: int, bits: int, place: str, *, colours: int = 1) -> None:
    """Hold what a compressed frame says of itself against the header, before a decoder allocates for it."""
    if frame[:2] == b"\xff\xd8":
        header = frame_header(frame)
        size = (header[1], header[2], colours) if header and (header[0] > 8) == (bits > 8) else None
    elif frame[:4] == b"\xff\x4f\xff\x51" or b"ftyp" in frame[:32]:
        size = _siz(frame)
    else:
        return  # RLE carries no size; pydicom checks its segments
    if size != (rows, columns, colours):
        raise UnreadableInput(
            f"The compressed pixel data of {place} are damaged, or are not {rows} x {columns} pixels of {bits} bits; "
            "fetch it again.",
            expected=(rows, columns, colours),
            got=size,
        )


def _quieten_gdcm(syntax: str) -> None:
    if syntax.startswith(("1.2.840.10008.1.2.4.5", "1.2.840.10008.1.2.4.7")):
        import gdcm

        for switch in ("WarningOff", "ErrorOff", "DebugOff"):
            getattr(gdcm.Trace, switch)()


def _gdcm_twelve_bits(frame: bytes, rows: int, columns: int) -> NDArray[np.uint16]:
    """Decode 12-bit JPEG extended, which GDCM can and pydicom's plugin does not ask of it."""
    import gdcm

    _quieten_gdcm(_JPEG_EXTENDED)
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    buffer = image.GetBuffer()
    if buffer is None:
        raise ValueError("GDCM returned nothing")
    # GDCM hands its bytes over as text with surrogate escapes.
    values = np.frombuffer(buffer.encode("utf-8", "surrogateescape"), "<u2")
    return values[: rows * columns].reshape(rows, columns)


def _within_stored_bits(raw: NDArray[np.generic], stored: int) -> tuple[NDArray[np.generic], list[Remark]]:
    signed = np.issubdtype(raw.dtype, np.signedinteger)
    top = 2 ** (stored - signed) - 1
    over = int(np.count_nonzero(raw > top))
    if not over:
        return raw, []
    return raw, [
        Remark(
            code="dicom.pixels.stored_bits",
            text=f"{over} pixel(s) exceed the {stored} bits the header says are in use; the values were kept as "
            "stored.",
            severity=Severity.WARNING,
        )
    ]


def _to_counts(
    dataset: Dataset, raw: NDArray[np.generic], syntax: str, bits: int, stored: int, told: tuple[Remark, ...]
) -> Pixels:
    remarks = list(told)
    changed = ""
    values = raw.astype(np.float32)
    for keyword, what in (("RescaleSlope", "slope"), ("RescaleIntercept", "intercept")):
        if damaged_number(dataset, keyword):
            raise UnreadableInput(
                f"The file's rescale {what} is not a number, so its pixels cannot be turned into counts."
            )
    slope, intercept = number(dataset, "RescaleSlope"), number(dataset, "RescaleIntercept")
    slope, intercept = (1.0 if slope is None else slope), (0.0 if intercept is None else intercept)
    if (slope, intercept) != (1.0, 0.0):
        if not slope > 0:
            raise UnreadableInput(
                f"The file's rescale slope is {slope:g}; only positive ones can give counts.", got=slope
            )
        values = values * np.float32(slope) + np.float32(intercept)
        changed = "" if slope == int(slope) == 1 else "rescaling"
        remarks.append(
            Remark(
                code="dicom.pixels.rescaled",
                text=f"The file's rescale slope {slope:g} and intercept {intercept:g} were applied to the pixels.",
            )
        )
    if text(dataset, "PhotometricInterpretation") == "MONOCHROME1":
        remarks.append(
            Remark(
                code="dicom.pixels.monochrome1",
                text="The file asks for inverse display (MONOCHROME1); the stored values were taken as counts.",
            )
        )
    negative = int(np.count_nonzero(values < 0))
    if negative:
        lossy_ringing = float(-values.min()) < 0.2 * float(values.max())
        remarks.append(
            Remark(
                code="dicom.pixels.negative",
                text=f"{negative} pixel(s) hold values below zero, which counts cannot be; they were set to zero.",
                severity=Severity.NOTE if lossy_ringing else Severity.WARNING,
            )
        )
        values = np.maximum(values, 0)
    how = _LOSSY.get(syntax) or _irreversible_wavelet(dataset, syntax)
    if how is None and "01" in texts(dataset, "LossyImageCompression"):
        how = "earlier in the file's life"
    if how:
        changed = "lossy compression"
        remarks.append(
            Remark(
                code="dicom.pixels.lossy",
                text=f"The picture went through lossy compression ({how}): the pixels are close to the counts, "
                "not equal to them.",
                severity=Severity.WARNING,
            )
        )
    if not np.isfinite(values).all() or float(values.max()) > 2**31:
        raise UnreadableInput("The pixels are not counts: some are infinite or beyond any detector.")
    return Pixels(frames=values, changed=changed, byte_values=min(bits, stored) <= 8, remarks=tuple(remarks))
