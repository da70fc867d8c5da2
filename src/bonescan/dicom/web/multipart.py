"""Many objects in one body (RFC 2046, RFC 2387): read as they come, with a limit on everything; written part by part.

python-multipart splits the stream and bounds the headers. What is added here: who may be the boundary, how many parts
there may be, and that a body without its last boundary is not whole.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from bonescan.errors import UnreadableInput

__all__ = ["MultipartReader", "PartSink", "boundary_of", "closing", "opening"]

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")  # RFC 2046 5.1.1
_MOST_HEADERS, _LONGEST_HEADER = 16, 1024


class PartSink(Protocol):
    """Who takes the parts of a body."""

    def begin(self, headers: Mapping[str, str]) -> None:
        """Take the head of the next part, names in small letters.

        Parameters
        ----------
        headers : mapping of str to str
        """
        ...

    def write(self, data: bytes) -> None:
        """Take its next bytes.

        Parameters
        ----------
        data : bytes
        """
        ...

    def end(self) -> None:
        """Learn that the part is whole."""
        ...


def boundary_of(content_type: str, inner: str) -> str:
    """Read the boundary out of a Content-Type.

    Parameters
    ----------
    content_type : str
        The header's value.
    inner : str
        The media type that the parts must have.

    Returns
    -------
    str
        Empty when it is not ``multipart/related`` of such parts with a boundary as RFC 2046 has it.
    """
    media_type, parameters = parse_options_header(content_type)
    said = {name.lower(): value.decode("latin-1") for name, value in parameters.items()}
    if media_type.lower() != b"multipart/related" or said.get(b"type", "").lower() != inner:
        return ""
    boundary = said.get(b"boundary", "")
    return boundary if _BOUNDARY.fullmatch(boundary) else ""


class MultipartReader:
    """Gives the parts of a body to a sink while the body comes in; holds no part itself.

    Parameters
    ----------
    boundary : str
        From `boundary_of`.
    sink : PartSink
    most_parts : int
    """

    def __init__(self, boundary: str, sink: PartSink, *, most_parts: int) -> None:
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL + 1)  # what it says is said in the answer
        self._sink, self._most_parts, self._parts = sink, most_parts, 0
        self._headers: dict[str, str] = {}
        self._name, self._value = bytearray(), bytearray()
        self._whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": lambda: sink.begin(self._headers),
                "on_part_data": lambda data, start, end: sink.write(data[start:end]),
                "on_part_end": sink.end,
                "on_end": self._end,
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_LONGEST_HEADER,
        )

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body; whatever follows its last boundary is passed over.

        Parameters
        ----------
        data : bytes

        Raises
        ------
        UnreadableInput
            When they are not what the boundary promised, or go beyond a limit.
        """
        if self._whole:
            return
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise UnreadableInput(
                f"The body is not a multipart message of this boundary, or a part of it has more than {_MOST_HEADERS} "
                f"header lines or a line above {_LONGEST_HEADER} bytes."
            ) from error

    def finish(self) -> None:
        """Learn that the body has ended.

        Raises
        ------
        UnreadableInput
            When its last boundary did not come, or no part at all.
        """
        if not self._whole:
            raise UnreadableInput("The body ended before its last boundary; what came whole before was looked at.")
        if not self._parts:
            raise UnreadableInput("The body holds no part.")

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > self._most_parts:
            raise UnreadableInput(f"A body may have {self._most_parts} parts; send the others in another one.")
        self._headers = {}

    def _header(self) -> None:
        name = self._name.decode("latin-1").strip().lower()
        self._headers[name] = self._value.decode("latin-1").strip()
        self._name.clear()
        self._value.clear()

    def _end(self) -> None:
        self._whole = True


def opening(boundary: str, content_type: str, location: str = "") -> bytes:
    """What stands before a part.

    Parameters
    ----------
    boundary, content_type : str
    location : str, optional
        Where the part can be had alone.

    Returns
    -------
    bytes
    """
    where = f"Content-Location: {location}\r\n" if location else ""
    return f"\r\n--{boundary}\r\nContent-Type: {content_type}\r\n{where}\r\n".encode("latin-1", "replace")


def closing(boundary: str) -> bytes:
    """What stands behind the last part.

    Parameters
    ----------
    boundary : str

    Returns
    -------
    bytes
    """
    return f"\r\n--{boundary}--\r\n".encode("latin-1", "replace")
