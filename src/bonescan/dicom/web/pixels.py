"""Single frames: their stored values uncompressed, and as a picture in a window (PS3.18 8.3.5, PS3.3 C.11.2.1).

A frame of an uncompressed object is cut out of its file; nothing else of the file is read. Compressed objects are read
whole, so that large ones are refused; few frames are decoded at a time.
"""

from __future__ import annotations

import io
import math
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bonescan.dicom.headers import integers, numbers, text
from bonescan.dicom.pixels import MAX_PIXELS, MAX_SIDE, decode_frame, parse
from bonescan.dicom.web.attributes import PIXEL_DATA, BulkData, Header, header_of
from bonescan.errors import InvalidValue, UnreadableInput

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["Curve", "Frames", "Picture", "Window"]

_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NATIVE = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", _BIG_ENDIAN})
_LARGEST_COMPRESSED_BYTES = 256 * 2**20
_decoding = threading.BoundedSemaphore(2)  # a frame of 64 million pixels takes half a gigabyte on its way to a picture


class Curve(StrEnum):
    """How values become grey (PS3.3 C.11.2.1.2), spelt as in an address."""

    LINEAR = "linear"
    LINEAR_EXACT = "linear-exact"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which values become which grey.

    Parameters
    ----------
    center, width : float
        In rescaled values.
    curve : Curve
    """

    center: float
    width: float
    curve: Curve = Curve.LINEAR

    def __post_init__(self) -> None:
        least = 1.0 if self.curve is Curve.LINEAR else 0.0
        sound = math.isfinite(self.center) and math.isfinite(self.width)
        if not sound or self.width < least or (least == 0.0 and self.width == 0.0):
            raise InvalidValue("A window has a finite centre and width; the width is at least 1, or above 0 if exact.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How a frame is to be drawn.

    Parameters
    ----------
    form : str
        ``"jpeg"`` or ``"png"``.
    window : Window, optional
        The object's own by default, else all values from the least to the largest.
    within : (int, int), optional
        Columns and rows into which it is made to fit, its proportions kept.
    quality : int
        1 to 100, of JPEG.
    """

    form: str
    window: Window | None = None
    within: tuple[int, int] | None = None
    quality: int = 90


class Frames:
    """The frames of one object. For one thread at a time.

    Parameters
    ----------
    path : Path
    transfer_syntax_uid : str
        As the object was received.

    Raises
    ------
    InvalidValue
        When it is no picture.
    UnreadableInput
        When its header is damaged.
    """

    def __init__(self, path: Path, transfer_syntax_uid: str) -> None:
        self._path, self._syntax = path, transfer_syntax_uid
        self._header = header_of(path, transfer_syntax_uid)
        self._layout = _Layout.of(self._header)
        self._whole: Dataset | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return self._layout.frames

    def stored(self, number: int) -> bytes:
        """Stored values of one frame, uncompressed, little-endian.

        Parameters
        ----------
        number : int
            From 1.

        Returns
        -------
        bytes

        Raises
        ------
        InvalidValue
            When there is no such frame, or it is in an object that is too large to decode.
        UnreadableInput
            When the pixel data are damaged or cut short.
        """
        self._refuse_unknown(number)
        if self._syntax not in _NATIVE:
            with _decoding:
                values = decode_frame(self._parsed(), number - 1, "the object")
                return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        raw = self._layout.cut(self._path, number)
        if self._syntax == _BIG_ENDIAN and self._layout.bits > 8:
            size = self._layout.bits // 8
            return np.frombuffer(raw, f">u{size}").astype(f"<u{size}").tobytes()
        return raw

    def drawn(self, number: int, picture: Picture) -> bytes:
        """Draw one frame.

        Parameters
        ----------
        number : int
            From 1.
        picture : Picture

        Returns
        -------
        bytes
            A JPEG or PNG of 8 bits, grey or red, green and blue.

        Raises
        ------
        InvalidValue, UnreadableInput
            As `stored`.
        """
        self._refuse_unknown(number)
        with _decoding:
            if self._syntax in _NATIVE:
                values = self._layout.values(self._layout.cut(self._path, number), self._syntax)
            else:
                values = decode_frame(self._parsed(), number - 1, "the object", as_rgb=True)
            drawn = Image.fromarray(_as_bytes(values, self._header, picture.window))
            if picture.within is not None:
                drawn = _fitted(drawn, picture.within)
            file = io.BytesIO()
            drawn.save(file, picture.form, **({"quality": picture.quality} if picture.form == "jpeg" else {}))
            return file.getvalue()

    def _refuse_unknown(self, number: int) -> None:
        if not 1 <= number <= self.count:
            raise InvalidValue(f"The object has frames 1 to {self.count}.")

    def _parsed(self) -> Dataset:
        """A compressed object, read once."""
        if self._whole is None:
            if self._path.stat().st_size > _LARGEST_COMPRESSED_BYTES:
                mib = _LARGEST_COMPRESSED_BYTES >> 20
                raise InvalidValue(f"A compressed object above {mib} MiB is given out whole only.")
            self._whole = parse(self._path.read_bytes(), "the object")[0]
        return self._whole


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How the frames of an object lie in its pixel data."""

    rows: int
    columns: int
    samples: int
    bits: int
    frames: int
    signed: bool
    planar: bool
    place: BulkData

    @staticmethod
    def of(header: Header) -> _Layout:
        if header.pixels is None or header.pixels[0] != PIXEL_DATA:
            raise InvalidValue("The object is no picture of whole numbers, so it has no frames.")
        first = {
            keyword: next(iter(integers(header.dataset, keyword)), default)
            for keyword, default in (
                ("Rows", 0), ("Columns", 0), ("SamplesPerPixel", 1), ("BitsAllocated", 0), ("NumberOfFrames", 1),
                ("PixelRepresentation", 0), ("PlanarConfiguration", 0),
            )
        }  # fmt: skip
        sides = 1 <= first["Rows"] <= MAX_SIDE and 1 <= first["Columns"] <= MAX_SIDE
        if not sides or first["SamplesPerPixel"] not in (1, 3) or first["BitsAllocated"] not in (1, 8, 16, 32):
            raise UnreadableInput("The object's header describes no picture that could be shown.")
        if first["Rows"] * first["Columns"] > MAX_PIXELS or not 1 <= first["NumberOfFrames"] <= MAX_PIXELS:
            raise UnreadableInput("The object's header claims a picture that is too large to be shown.")
        return _Layout(
            rows=first["Rows"],
            columns=first["Columns"],
            samples=first["SamplesPerPixel"],
            bits=first["BitsAllocated"],
            frames=first["NumberOfFrames"],
            signed=first["PixelRepresentation"] == 1,
            planar=first["PlanarConfiguration"] == 1 and first["SamplesPerPixel"] > 1,
            place=header.pixels[2],
        )

    def cut(self, path: Path, number: int) -> bytes:
        """The bytes of one frame; frames of single bits may begin within a byte (PS3.5 8.1.1)."""
        frame_bits = self.rows * self.columns * self.samples * self.bits
        start = (number - 1) * frame_bits
        first, end = start // 8, -(-(start + frame_bits) // 8)
        if end > self.place.length:
            raise UnreadableInput("The object is cut short: not all of its frames are there.")
        with path.open("rb") as file:
            file.seek(self.place.offset + first)
            raw = file.read(end - first)
        if len(raw) < end - first:
            raise UnreadableInput("The object is cut short: not all of its frames are there.")
        if self.bits > 1 or (start % 8 == 0 and frame_bits % 8 == 0):
            return raw
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")[start % 8 :][:frame_bits]
        return np.packbits(bits, bitorder="little").tobytes()

    def values(self, raw: bytes, syntax: str) -> NDArray[np.generic]:
        if self.bits == 1:
            bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little")
            return bits[: self.rows * self.columns].reshape(self.rows, self.columns)
        order = ">" if syntax == _BIG_ENDIAN else "<"
        values = np.frombuffer(raw, f"{order}{'i' if self.signed else 'u'}{self.bits // 8}")
        if self.planar:
            return values.reshape(self.samples, self.rows, self.columns).transpose(1, 2, 0)
        return values.reshape((self.rows, self.columns) + ((self.samples,) if self.samples > 1 else ()))


def _as_bytes(values: NDArray[np.generic], header: Header, window: Window | None) -> NDArray[np.uint8]:
    dataset = header.dataset
    if values.ndim == 3:
        if values.dtype != np.uint8:
            raise UnreadableInput("The object's colours have more than 8 bits; they are not drawn.")
        return np.ascontiguousarray(values)
    slope, intercept = (next(iter(numbers(dataset, f"Rescale{what}")), None) for what in ("Slope", "Intercept"))
    shown = values.astype(np.float32) * np.float32(1.0 if slope is None else slope) + np.float32(intercept or 0.0)
    grey = _grey(shown, window or _own_window(header) or _full_window(shown))
    return 255 - grey if text(dataset, "PhotometricInterpretation") == "MONOCHROME1" else grey


def _own_window(header: Header) -> Window | None:
    center, width = (next(iter(numbers(header.dataset, f"Window{what}")), None) for what in ("Center", "Width"))
    said = (text(header.dataset, "VOILUTFunction") or "LINEAR").lower().replace("_", "-")
    if center is None or width is None:
        return None
    try:
        return Window(center=center, width=width, curve=Curve(said))
    except ValueError:  # the header's window is none
        return None


def _full_window(values: NDArray[np.float32]) -> Window:
    low, high = float(values.min()), float(values.max())
    return Window(center=(low + high) / 2, width=max(high - low, 1e-6), curve=Curve.LINEAR_EXACT)


def _grey(values: NDArray[np.float32], window: Window) -> NDArray[np.uint8]:
    """From 0 to 255, by the equations of PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    center, width = window.center, window.width
    with np.errstate(over="ignore"):
        if window.curve is Curve.SIGMOID:
            share = 1.0 / (1.0 + np.exp(-4.0 * (values - center) / width))
        elif window.curve is Curve.LINEAR_EXACT:
            share = (values - center) / width + 0.5
        elif width == 1.0:
            share = (values > center - 0.5).astype(np.float32)
        else:
            share = (values - (center - 0.5)) / (width - 1.0) + 0.5
    return np.asarray(np.clip(share, 0.0, 1.0) * 255.0 + 0.5, np.uint8)


def _fitted(drawn: Image.Image, within: tuple[int, int]) -> Image.Image:
    scale = min(within[0] / drawn.width, within[1] / drawn.height)
    size = (max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale)))
    return drawn.resize(size, Image.Resampling.BILINEAR)
