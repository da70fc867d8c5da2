"""The counts of a study's views, as `bonescan.dicom` opens them for a reading, so rows and columns are the same."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bonescan.archive import Archive
from bonescan.errors import BoneScanError

if TYPE_CHECKING:
    from bonescan.scan import View

__all__ = ["Picture", "Pictures"]

_MOST_BYTES = 64 * 2**20
_OPENED_AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One view's counts.

    Parameters
    ----------
    name : str
    rows, columns : int
    row_spacing_mm, column_spacing_mm : float
    largest : float
        The most counts in one pixel.
    dtype : str
        ``uint16``, or ``float32`` where the counts are no such integers.
    content : bytes
        Row by row, little-endian.
    """

    name: str
    rows: int
    columns: int
    row_spacing_mm: float
    column_spacing_mm: float
    largest: float
    dtype: str
    content: bytes


class Pictures:
    """The views of an archive's studies; the last looked at are kept in memory.

    Parameters
    ----------
    archive : Archive
    most_bytes : int
        What is kept.
    """

    def __init__(self, archive: Archive, most_bytes: int = _MOST_BYTES) -> None:
        self._archive, self._most_bytes = archive, most_bytes
        self._kept: OrderedDict[str, tuple[Picture, ...]] = OrderedDict()
        self._lock, self._opening = threading.Lock(), threading.BoundedSemaphore(_OPENED_AT_ONCE)

    def of(self, study_uid: str) -> tuple[Picture, ...]:
        """Give the views of a study, the front first.

        Parameters
        ----------
        study_uid : str

        Returns
        -------
        tuple of Picture
            Empty where its objects are no planar bone scan.
        """
        files = self._archive.readable(study_uid)
        if not files:
            return ()
        key = hashlib.sha256("\n".join(digest for _, digest in files).encode()).hexdigest()
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        with self._opening:
            with self._lock:  # whoever waited finds what the other has opened
                if (known := self._kept.get(key)) is not None:
                    return known
            from bonescan.dicom.inputs import gather
            from bonescan.dicom.opening import open_items

            try:
                # As the worker does, who opens a folder: an object that is no scan does not stand in the way.
                items = [replace(item, named=False) for item in gather([path for path, _ in files])]
                views = open_items(items, None, False, None).views
            except BoneScanError:
                views = ()
            found = tuple(_picture(view) for view in views)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > 1 and self._bytes() > self._most_bytes:
                self._kept.popitem(last=False)
        return found

    def _bytes(self) -> int:
        return sum(len(one.content) for pictures in self._kept.values() for one in pictures)


def _picture(view: View) -> Picture:
    import numpy as np

    counts = view.counts
    largest = float(counts.max())
    whole = largest <= 65535 and bool((counts == np.rint(counts)).all())
    return Picture(
        name=str(view.name),
        rows=counts.shape[0],
        columns=counts.shape[1],
        row_spacing_mm=view.row_spacing_mm,
        column_spacing_mm=view.column_spacing_mm,
        largest=largest,
        dtype="uint16" if whole else "float32",
        content=counts.astype("<u2" if whole else "<f4").tobytes(),
    )
