"""Whether a JPEG frame is whole and in order, judged before any decoder sees it.

The JPEG codecs inside GDCM abort or overrun the whole process on some damaged
headers. So a frame reaches them only when its markers, tables and scans are
those of ITU-T T.81 for one component, and agree with the DICOM header.

References
----------
ITU-T T.81 (1992), annexes B (markers), C (Huffman tables) and H (lossless).
"""

from __future__ import annotations

import struct

__all__ = ["frame_header"]

_BASELINE, _EXTENDED, _PROGRESSIVE, _LOSSLESS, _JPEG_LS = 0xC0, 0xC1, 0xC2, 0xC3, 0xF7
_FRAME_HEADERS = (_BASELINE, _EXTENDED, _PROGRESSIVE, _LOSSLESS, _JPEG_LS)
_START_OF_SCAN, _END_OF_IMAGE, _HUFFMAN_TABLES, _QUANTISATION, _RESTART = 0xDA, 0xD9, 0xC4, 0xDB, 0xDD
_PLAIN_SEGMENTS = (0xFE, *range(0xE0, 0xF0), 0xF8)  # comments, application segments, JPEG-LS parameters


def frame_header(frame: bytes) -> tuple[int, int, int] | None:
    """Return (precision, rows, columns) of a sound one-component JPEG or JPEG-LS frame, else ``None``.

    Parameters
    ----------
    frame : bytes
        From start to end of image; zero padding may follow.

    Returns
    -------
    (precision, rows, columns) or None
        Bits a sample and size in pixels; ``None`` when a marker, table or scan is not as ITU-T T.81 (T.87) has it.
    """
    end = len(frame.rstrip(b"\0"))
    if frame[:2] != b"\xff\xd8":
        return None
    at, kind, header, scans = 2, 0, None, 0
    tables: set[int] = set()
    while at + 4 <= end and frame[at] == 0xFF and frame[at + 1] != _END_OF_IMAGE:
        marker = frame[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        body = frame[at + 4 : at + 2 + struct.unpack_from(">H", frame, at + 2)[0]]
        length = 4 + len(body)
        if length != 2 + struct.unpack_from(">H", frame, at + 2)[0]:
            return None
        if marker in _FRAME_HEADERS:
            # One component, not subsampled, and only one frame.
            if header is not None or len(body) != 9 or body[5] != 1 or body[7] != 0x11:
                return None
            kind, header = marker, struct.unpack_from(">BHH", body)
            if not _precision_possible(kind, header[0]):
                return None
        elif marker == _HUFFMAN_TABLES:
            defined = _huffman_tables(body)
            if defined is None:
                return None
            tables |= defined
        elif marker == _START_OF_SCAN:
            if header is None or not _scan_possible(kind, header[0], body, tables):
                return None
            scans += 1
            if kind != _PROGRESSIVE and scans > 1:
                return None
        elif marker == _QUANTISATION:
            if kind in (_LOSSLESS, _JPEG_LS) or len(body) not in (65, 129, 130, 195, 260, 258):
                return None
        elif marker == _RESTART:
            # Restarts in lossless frames must fall on whole rows (H.1.2.1).
            if len(body) != 2 or kind == _JPEG_LS:
                return None
            if kind == _LOSSLESS and header and struct.unpack(">H", body)[0] % header[2]:
                return None
        elif marker not in _PLAIN_SEGMENTS:
            return None
        at += length
        if marker == _START_OF_SCAN:
            # JPEG stuffs a zero byte after 0xFF, JPEG-LS a zero bit: what follows is then below 0x80.
            at = _end_of_scan(frame, at, end, 0x80 if kind == _JPEG_LS else 1)
    return header if scans and frame[at : at + 2] == b"\xff\xd9" else None


def _precision_possible(kind: int, precision: int) -> bool:
    if kind in (_LOSSLESS, _JPEG_LS):
        return 2 <= precision <= 16
    return precision == 8 or (precision == 12 and kind != _BASELINE)


def _huffman_tables(body: bytes) -> set[int] | None:
    """Return class and destination (high and low nibble) of each table; ``None`` when one is impossible (annex C)."""
    defined = set()
    at = 0
    while at < len(body):
        lengths = body[at + 1 : at + 17]
        if len(lengths) < 16 or body[at] >> 4 > 1 or body[at] & 15 > 3:
            return None
        symbols = body[at + 17 : at + 17 + sum(lengths)]
        # Kraft: a prefix code has room for its words, and the word of ones only is not used.
        room = sum(count << (16 - bits) for bits, count in enumerate(lengths, 1))
        if len(symbols) != sum(lengths) or not symbols or room >= 1 << 16 or len(set(symbols)) < len(symbols):
            return None
        if body[at] >> 4 == 0 and max(symbols) > 16:
            return None
        defined.add(body[at])
        at += 17 + len(symbols)
    return defined


def _scan_possible(kind: int, precision: int, body: bytes, tables: set[int]) -> bool:
    if len(body) != 6 or body[0] != 1:
        return False
    table, first, last, shift = body[2:]
    if kind == _JPEG_LS:
        return True
    if kind == _LOSSLESS:
        # Predictor 1 to 7; point transform in the low nibble.
        return table >> 4 in tables and 1 <= first <= 7 and last == 0 and shift < precision
    if kind == _PROGRESSIVE:
        return first <= last <= 63 and shift >> 4 <= 13 and shift & 15 <= 13
    return table >> 4 in tables and (table & 15) | 0x10 in tables and first == 0 and last in (0, 63) and shift == 0


def _end_of_scan(frame: bytes, at: int, end: int, stuffing_below: int) -> int:
    """Return where the marker after the entropy-coded bytes stands: stuffing and restarts belong to them."""
    while True:
        at = frame.find(b"\xff", at, end)
        if at < 0 or at + 1 >= end:
            return end
        if frame[at + 1] == 0xFF and at + 2 < end:
            at += 1  # a fill byte before the marker (B.1.1.2), as dcmtk's encoders leave one
        elif frame[at + 1] < stuffing_below or 0xD0 <= frame[at + 1] <= 0xD7:
            at += 2
        else:
            return at
