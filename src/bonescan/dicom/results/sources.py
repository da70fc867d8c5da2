"""The frames that a reading was made from: which object and frame each view is, and which way up it lies there.

A scan keeps counts, not frame numbers. A frame is therefore found again by what no two frames share: its counts, as
stored or turned by half a turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom import headers
from bonescan.dicom.inputs import Item, gather
from bonescan.dicom.pixels import decode, is_dicom, parse
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.scan import Scan, Source, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["SourceFrame", "SourceObject", "Sourced", "find_objects", "find_sources", "match_sources"]

_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


class Sourced(Protocol):
    """What a result can be made from."""

    @property
    def dataset(self) -> Dataset:
        """The object, with its file meta information."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceObject:
    """A DICOM object that was read as a whole.

    Parameters
    ----------
    dataset : pydicom.Dataset
        With its file meta information.
    """

    dataset: Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFrame:
    """One view of a scan as it lies in its DICOM object.

    Parameters
    ----------
    view : ViewName
    dataset : pydicom.Dataset
        The object, with its file meta information.
    number : int
        Of the frame in its object, from 1.
    turned : bool
        Whether the object holds it feet first, half a turn from the scan's view.
    spacing_mm : (row, column)
        Distance of the pixels' centres, as the scan has it.
    """

    view: ViewName
    dataset: Dataset
    number: int
    turned: bool
    spacing_mm: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.dataset.Rows), int(self.dataset.Columns)

    @property
    def frame_count(self) -> int:
        """How many frames the object has."""
        return next(iter(headers.integers(self.dataset, "NumberOfFrames")), 1)

    def as_stored(self, picture: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Turn a picture on the scan's view as the object's frame lies; the same turn leads back."""
        return picture[::-1, ::-1] if self.turned else picture

    def place(self, row: float, column: float) -> tuple[float, float]:
        """Column and row in DICOM's image coordinates, which begin at the corner of the first pixel, not its centre."""
        rows, columns = self.shape
        if self.turned:
            row, column = rows - 1 - row, columns - 1 - column
        return column + 0.5, row + 0.5


def find_sources(inputs: Sequence[Path], scan: Scan) -> tuple[SourceFrame, ...]:
    """Find the DICOM frames that a scan was opened from.

    Parameters
    ----------
    inputs : sequence of Path
        What `bonescan.dicom.open_scan` was given.
    scan : Scan
        What it gave.

    Returns
    -------
    tuple of SourceFrame
        In the order of the scan's views.

    Raises
    ------
    InvalidValue
        For a scan that was opened from pictures, and for objects without the UIDs that a reference needs.
    GeometryMismatch
        When the inputs no longer hold the scan.
    """
    wanted = {source.sha256 for source in scan.sources}
    keep_quiet()
    return match_sources((_parsed(item) for item in gather(inputs) if item.sha256 in wanted), scan)


def find_objects(inputs: Sequence[Path], sources: Iterable[Source]) -> tuple[SourceObject, ...]:
    """Find the DICOM objects that a study was opened from, whatever frames of them were used.

    Parameters
    ----------
    inputs : sequence of Path
        What the study was opened from.
    sources : iterable of Source
        Its files, as the opened study names them.

    Returns
    -------
    tuple of SourceObject
        Each once, in the order of `sources`.

    Raises
    ------
    InvalidValue
        For pictures, and for objects without the UIDs that a reference needs.
    GeometryMismatch
        When the inputs no longer hold them.
    """
    wanted = dict.fromkeys(source.sha256 for source in sources)
    keep_quiet()
    found = {item.sha256: _parsed(item) for item in gather(inputs) if item.sha256 in wanted}
    if not wanted or len(found) < len(wanted):
        raise GeometryMismatch(
            f"{len(wanted) - len(found)} of the files that were read are no longer there; give those the study was "
            "read from.",
            expected=len(wanted),
        )
    objects = tuple(SourceObject(dataset=found[digest]) for digest in wanted)
    _refuse_without_uids(objects)
    return objects


def _parsed(item: Item) -> Dataset:
    if not is_dicom(item.data):
        raise InvalidValue(
            "DICOM results refer to the DICOM images they were read from, and this scan was opened from pictures; give "
            "the DICOM files, or read it without DICOM results."
        )
    dataset, _ = parse(item.data, item.place)
    for keyword in ("SOPClassUID", "SOPInstanceUID"):  # exports for research may tell them before the object only
        told = headers.text(dataset.file_meta, f"MediaStorage{keyword}")
        if told and not headers.text(dataset, keyword):
            setattr(dataset, keyword, told)
    return dataset


def match_sources(datasets: Iterable[Dataset], scan: Scan) -> tuple[SourceFrame, ...]:
    """Find each view of a scan among the frames of objects.

    Parameters
    ----------
    datasets : iterable of pydicom.Dataset
        With their file meta information.
    scan : Scan

    Returns
    -------
    tuple of SourceFrame
        In the order of the scan's views.

    Raises
    ------
    InvalidValue
        For objects without the UIDs that a reference needs.
    GeometryMismatch
        When a view's counts are in none of them.
    """
    found: dict[ViewName, SourceFrame] = {}
    for dataset in datasets:
        for number, counts in enumerate(decode(dataset, "the source").frames, start=1):
            for view in scan.views:
                for turned in (False, True):
                    lying = counts[::-1, ::-1] if turned else counts
                    if view.name not in found and np.array_equal(lying, view.counts):
                        found[view.name] = SourceFrame(
                            view=view.name,
                            dataset=dataset,
                            number=number,
                            turned=turned,
                            spacing_mm=(view.row_spacing_mm, view.column_spacing_mm),
                        )
    missing = [view.name.value for view in scan.views if view.name not in found]
    if missing:
        raise GeometryMismatch(
            f"The {' and '.join(missing)} view is in none of the files given; give the files the scan was read from.",
            expected=missing,
        )
    frames = tuple(found[view.name] for view in scan.views)
    _refuse_without_uids(frames)
    return frames


def _refuse_without_uids(sources: Iterable[Sourced]) -> None:
    for source in sources:
        lacking = [keyword for keyword in _NEEDED if not headers.text(source.dataset, keyword)]
        if lacking:
            raise InvalidValue(
                f"DICOM results refer to their source by its UIDs, and the file has no {lacking[0]}; export it again, "
                "or read it without DICOM results.",
                missing=lacking,
            )
