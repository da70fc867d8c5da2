"""All objects of one reading, and the reading again from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.anatomy import REGION_NAMES
from bonescan.dicom import headers
from bonescan.dicom.results.captures import capture, document, pixels_of
from bonescan.dicom.results.display import key_objects, presentation_state
from bonescan.dicom.results.heading import Reference, encoded, reference_to
from bonescan.dicom.results.reports import only_report, opened
from bonescan.dicom.results.segmentation import (
    SEGMENTATION_STORAGE,
    Masks,
    bone_segments,
    finding_segments,
    region_segments,
    segmentation,
    segmented,
)
from bonescan.dicom.results.sources import SourceFrame
from bonescan.dicom.results.structured import Reported, Segmented, reported, structured_report
from bonescan.reading.model import Reading
from bonescan.reading.tracking import identities_of
from bonescan.scan import ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from bonescan.reading.signing import Signature

__all__ = ["RESULT_NAMES", "ReportedReading", "read_results", "write_results"]

_LAYERS = ("regions", "bones", "findings")
RESULT_NAMES = (
    *(f"seg_{layer}_{view}.dcm" for layer in _LAYERS for view in ViewName),
    *(f"overlay_{view}.dcm" for view in ViewName),
    "measurements_sr.dcm",
    "report_pdf.dcm",
    "key_objects.dcm",
    "presentation.dcm",
)
"""Every name a result may have; one that would be empty is not written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedReading:
    """A reading as its objects tell it.

    Parameters
    ----------
    said : Reported
        Findings, burden, quality, impression and all else that the structured report holds.
    regions : mapping of ViewName to (row, column) ndarray of uint8
        Planar region ids.
    bones : mapping of ViewName to mapping of str to (row, column) ndarray of bool
        Where each bone lies, by its id.
    """

    said: Reported
    regions: Mapping[ViewName, NDArray[np.uint8]]
    bones: Mapping[ViewName, Mapping[str, NDArray[np.bool_]]]


def write_results(
    reading: Reading,
    frames: Sequence[SourceFrame],
    *,
    overlays: Mapping[ViewName, bytes] | None = None,
    report_pdf: bytes | None = None,
    signature: Signature | None = None,
) -> dict[str, bytes]:
    """Write a reading as DICOM objects that refer to the frames it was made from.

    Parameters
    ----------
    reading : Reading
    frames : sequence of SourceFrame
        From `find_sources`.
    overlays : mapping of ViewName to bytes, optional
        PNG pictures of the views with their findings.
    report_pdf : bytes, optional
    signature : Signature, optional
        Of the physician who has verified the reading.

    Returns
    -------
    dict of str to bytes
        By names of `RESULT_NAMES`.
    """
    files: dict[str, bytes] = {}
    referred: dict[str, Reference] = {}

    def add(name: str, dataset: Dataset) -> None:
        files[name] = encoded(dataset)
        referred[name] = reference_to(dataset)

    masks: dict[ViewName, Segmented] = {}
    identities = identities_of(reading)
    number = 0
    for labelled in reading.labels.views:
        view = labelled.name
        layers = (
            region_segments(labelled),
            bone_segments(labelled),
            finding_segments(reading.findings, view, identities),
        )
        for layer, segments in zip(_LAYERS, layers, strict=True):
            number += 1
            if segments:
                add(f"seg_{layer}_{view}.dcm", segmentation(frames, view, layer.upper(), segments, number))
        if layers[-1]:
            numbers = {int(one.name.removeprefix("finding-")): k for k, one in enumerate(layers[-1], start=1)}
            masks[view] = Segmented(reference=referred[f"seg_findings_{view}.dcm"], numbers=numbers)
    others = [one for name, one in referred.items() if not name.startswith("seg_findings")]
    add("measurements_sr.dcm", structured_report(reading, frames, masks, others, signature))
    for place, (view, png) in enumerate(sorted((overlays or {}).items()), start=1):
        add(f"overlay_{view}.dcm", capture(frames, view, pixels_of(png), place))
    if report_pdf is not None:
        add("report_pdf.dcm", document(frames, report_pdf))
    keys = [one for name, one in referred.items() if not name.startswith("seg_")]
    add("key_objects.dcm", key_objects(reading, frames, keys))
    add("presentation.dcm", presentation_state(reading, frames))
    return files


def read_results(contents: Iterable[bytes]) -> ReportedReading:
    """Read the objects of one reading back.

    Parameters
    ----------
    contents : iterable of bytes
        Files of `write_results`: the structured report and the segmentations; others are passed over.

    Returns
    -------
    ReportedReading

    Raises
    ------
    UnreadableInput
        For files that are not DICOM or not written by bonescan, and where no or more than one structured report is
        among them.
    """
    datasets = opened(contents)
    found: dict[str, dict[ViewName, Masks]] = {layer: {} for layer in _LAYERS}
    for dataset in datasets:
        if headers.text(dataset, "SOPClassUID") == SEGMENTATION_STORAGE:
            layer = (headers.text(dataset, "ContentLabel") or "").lower()
            masks = segmented(dataset)
            found.setdefault(layer, {})[masks.view] = masks
    return ReportedReading(
        said=reported(only_report(datasets), found["findings"], found["bones"] | found["regions"] | found["findings"]),
        regions={view: _painted(masks) for view, masks in found["regions"].items()},
        bones={view: masks.by_name for view, masks in found["bones"].items()},
    )


def _painted(masks: Masks) -> NDArray[np.uint8]:
    regions = np.zeros(masks.shape, np.uint8)
    for number in REGION_NAMES:
        mask = masks.by_name.get(f"region-{number}")
        if mask is not None:
            regions[mask] = number
    return regions
