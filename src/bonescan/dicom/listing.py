"""What stands in a study's list of objects: series, kind, class and number of each, from headers alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bonescan.dicom import headers
from bonescan.dicom.inputs import gather
from bonescan.dicom.pixels import is_dicom, parse
from bonescan.dicom.quiet import keep_quiet
from bonescan.scan import Source, StoredObject

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["listed", "listed_files", "listed_inputs"]

_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID", "Modality")


def listed(datasets: Iterable[Dataset]) -> tuple[StoredObject, ...]:
    """List objects, each once.

    Parameters
    ----------
    datasets : iterable of pydicom.Dataset

    Returns
    -------
    tuple of StoredObject
        Without those that lack a UID or a modality, for nobody can refer to them.
    """
    found = (_one(dataset) for dataset in datasets)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def listed_files(contents: Iterable[bytes]) -> tuple[StoredObject, ...]:
    """List the objects of files that bonescan wrote.

    Parameters
    ----------
    contents : iterable of bytes

    Returns
    -------
    tuple of StoredObject
    """
    import pydicom

    keep_quiet()
    return listed(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True) for content in contents)


def listed_inputs(inputs: Sequence[Path], sources: Iterable[Source]) -> tuple[StoredObject, ...]:
    """List the objects that a scan was opened from.

    Parameters
    ----------
    inputs : sequence of Path
        What it was opened from.
    sources : iterable of Source
        Its files; pictures are passed over.

    Returns
    -------
    tuple of StoredObject
    """
    keep_quiet()
    wanted = {source.sha256 for source in sources}
    return listed(
        parse(item.data, item.place)[0] for item in gather(inputs) if item.sha256 in wanted and is_dicom(item.data)
    )


def _one(dataset: Dataset) -> StoredObject | None:
    told = {keyword: headers.text(dataset, keyword) or "" for keyword in _NEEDED}
    if not all(told.values()):
        return None
    day, clock = (headers.text(dataset, keyword) for keyword in ("SeriesDate", "SeriesTime"))
    begun, at = headers.parse_date(day), headers.parse_time(clock)
    return StoredObject(
        study_uid=told["StudyInstanceUID"],
        series_uid=told["SeriesInstanceUID"],
        sop_class_uid=told["SOPClassUID"],
        sop_instance_uid=told["SOPInstanceUID"],
        modality=told["Modality"],
        series_number=next(iter(headers.integers(dataset, "SeriesNumber")), None),
        series_description=headers.text(dataset, "SeriesDescription") or "",
        instance_number=next(iter(headers.integers(dataset, "InstanceNumber")), None),
        series_started_at=datetime.combine(begun, at) if begun and at else headers.acquired_at(dataset),
    )
