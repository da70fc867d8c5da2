"""How a viewer shall open the study: a presentation state with window and marks, and a note of its key objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bonescan.dicom import headers
from bonescan.dicom.modules import decimal
from bonescan.dicom.results import items
from bonescan.dicom.results.captures import CAPTURE_STORAGE
from bonescan.dicom.results.codes import dcm
from bonescan.dicom.results.heading import (
    DISCLAIMER,
    Reference,
    Series,
    begun,
    evidence,
    instance_item,
    part_of_body,
    reference_item,
    references,
)
from bonescan.dicom.results.sources import Sourced, SourceFrame
from bonescan.reading.model import FindingView, Kind, Reading
from bonescan.scan import View

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["KEY_STORAGE", "STATE_STORAGE", "key_note", "key_objects", "presentation_state"]

STATE_STORAGE = "1.2.840.10008.5.1.4.1.1.11.1"
KEY_STORAGE = "1.2.840.10008.5.1.4.1.1.88.59"
_STATES = Series("PR", STATE_STORAGE, 9006, "bonescan presentation")
_KEYS = Series("KO", KEY_STORAGE, 9005, "bonescan key objects")
_LAYER = "FINDINGS"
_WHITE_QUANTILE = 0.995
"""Share of the pixels with counts that lie within the window [D]: bladder and kidneys saturate, bone does not."""


def presentation_state(reading: Reading, frames: Sequence[SourceFrame]) -> Dataset:
    """Inverse grey, a window from zero for each view, and every finding's outline and letter.

    Parameters
    ----------
    reading : Reading
    frames : sequence of SourceFrame
        Of its scan.

    Returns
    -------
    pydicom.Dataset
        Grayscale Softcopy Presentation State, without a SOPInstanceUID yet.
    """
    from pydicom.dataset import Dataset

    dataset = begun(frames, _STATES)
    part_of_body(dataset, frames[0].dataset)
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = dataset.ContentDate, dataset.ContentTime
    del dataset.ContentDate, dataset.ContentTime
    dataset.ContentLabel, dataset.ContentCreatorName = "FINDINGS", ""
    dataset.ContentDescription = "Findings of research software, not for diagnosis"
    dataset.ReferencedSeriesSequence = []
    for study in evidence(references(frames)):
        for series in study.ReferencedSeriesSequence:
            item = Dataset()
            item.SeriesInstanceUID, item.ReferencedImageSequence = (
                series.SeriesInstanceUID,
                series.ReferencedSOPSequence,
            )
            dataset.ReferencedSeriesSequence.append(item)
    slope, intercept = (headers.number(frames[0].dataset, word) for word in ("RescaleSlope", "RescaleIntercept"))
    if slope is not None:
        dataset.RescaleSlope, dataset.RescaleIntercept = decimal(slope), decimal(intercept or 0)
        dataset.RescaleType = "US"
    by_name = {view.name: view for view in reading.scan.views}
    dataset.DisplayedAreaSelectionSequence = [_whole(frame) for frame in frames]
    dataset.SoftcopyVOILUTSequence = [_window(frame, by_name[frame.view]) for frame in frames]
    dataset.PresentationLUTShape = "INVERSE"
    annotations = [found for frame in frames if (found := _annotated(reading, frame)) is not None]
    if annotations:
        layer = Dataset()
        layer.GraphicLayer, layer.GraphicLayerOrder = _LAYER, 1
        layer.GraphicLayerDescription = "Outlines and letters of findings"
        layer.GraphicLayerRecommendedDisplayGrayscaleValue = 0
        layer.GraphicLayerRecommendedDisplayCIELabValue = [42598, 45746, 44718]
        dataset.GraphicAnnotationSequence, dataset.GraphicLayerSequence = annotations, [layer]
    return dataset


def _whole(frame: SourceFrame) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedImageSequence = [reference_item(frame)]
    rows, columns = frame.shape
    item.DisplayedAreaTopLeftHandCorner, item.DisplayedAreaBottomRightHandCorner = [1, 1], [columns, rows]
    item.PresentationSizeMode = "SCALE TO FIT"
    item.PresentationPixelSpacing = [decimal(mm) for mm in frame.spacing_mm]
    return item


def _window(frame: SourceFrame, view: View) -> Dataset:
    from pydicom.dataset import Dataset

    lit = view.counts[view.counts > 0]
    white = max(2.0, float(np.quantile(lit, _WHITE_QUANTILE)) if lit.size else 2.0)
    item = Dataset()
    item.ReferencedImageSequence = [reference_item(frame)]
    item.WindowCenter, item.WindowWidth = decimal(round(white) / 2), decimal(round(white))
    item.WindowCenterWidthExplanation = f"{view.name} view"
    return item


def _annotated(reading: Reading, frame: SourceFrame) -> Dataset | None:
    from pydicom.dataset import Dataset

    graphics, letters = [], []
    for finding in reading.findings:
        seen = finding.views.get(frame.view)
        if seen is None:
            continue
        points = [frame.place(row, column) for row, column in (*seen.outline, seen.outline[0])]
        graphic = Dataset()
        graphic.GraphicAnnotationUnits, graphic.GraphicDimensions = "PIXEL", 2
        graphic.GraphicType, graphic.GraphicFilled = "POLYLINE", "N"
        graphic.NumberOfGraphicPoints = len(points)
        graphic.GraphicData = [float(np.float32(part)) for point in points for part in point]
        graphics.append(graphic)
        letters.append(_lettered(finding.letter, seen, frame))
    if not graphics:
        return None
    item = Dataset()
    item.ReferencedImageSequence, item.GraphicLayer = [reference_item(frame)], _LAYER
    item.TextObjectSequence, item.GraphicObjectSequence = letters, graphics
    return item


def _lettered(letter: str, seen: FindingView, frame: SourceFrame) -> Dataset:
    """A letter to the upper right of the outline, as stored."""
    from pydicom.dataset import Dataset

    placed = [frame.place(row, column) for row, column in seen.outline]
    item = Dataset()
    item.AnchorPointAnnotationUnits, item.UnformattedTextValue = "PIXEL", letter
    item.AnchorPoint = [max(column for column, _ in placed), min(row for _, row in placed)]
    item.AnchorPointVisibility = "N"
    return item


def key_objects(reading: Reading, frames: Sequence[SourceFrame], results: Sequence[Reference]) -> Dataset:
    """A note of what to open first: the frames with bone findings, the overlays, the report and its measurements.

    Parameters
    ----------
    reading : Reading
    frames : sequence of SourceFrame
        Of its scan.
    results : sequence of Reference
        Overlays, report and structured report.

    Returns
    -------
    pydicom.Dataset
        Key Object Selection Document, without a SOPInstanceUID yet.
    """
    bones = [finding for finding in reading.findings if finding.kind is Kind.BONE]
    shown = [frame for frame in frames if any(frame.view in finding.views for finding in bones)] or list(frames)
    said = f"{len(bones)} bone finding(s)" if bones else "No bone finding"
    pictures = [items.image(None, reference_item(frame)) for frame in shown]
    return key_note(frames, f"{said}, by bonescan.", [*references(frames), *results], pictures, results)


def key_note(
    sources: Sequence[Sourced],
    said: str,
    rests_on: Sequence[Reference],
    first: Sequence[Dataset],
    results: Sequence[Reference],
) -> Dataset:
    """A note of what to open first.

    Parameters
    ----------
    sources : sequence of SourceFrame or SourceObject
        The first one tells the person and the study.
    said : str
        What is noted, in a sentence.
    rests_on : sequence of Reference
        All that it refers to.
    first : sequence of pydicom.Dataset
        Content items that stand before the results.
    results : sequence of Reference
        Pictures, report and structured report.

    Returns
    -------
    pydicom.Dataset
        Key Object Selection Document, without a SOPInstanceUID yet.
    """
    dataset = begun(sources, _KEYS)
    dataset.ReferencedPerformedProcedureStepSequence = []
    dataset.CurrentRequestedProcedureEvidenceSequence = evidence(rests_on)
    pictures = [one for one in results if one.sop_class == CAPTURE_STORAGE]
    documents = [one for one in results if one.sop_class != CAPTURE_STORAGE]
    parts = [
        items.text(dcm("113012", "Key Object Description"), f"{said} {DISCLAIMER}"),
        *first,
        *(items.image(None, instance_item(one)) for one in pictures),
        *(items.image(None, instance_item(one), kind="COMPOSITE") for one in documents),
    ]
    dataset.update(items.container(dcm("113000", "Of Interest"), parts, template="2010", relation=None))
    return dataset
