"""Where regions, bones and findings lie, as DICOM segmentations of single planar frames.

A planar view is one frame of an object whose place in the patient is not known: a nuclear medicine detector tells the
directions of its picture and seldom more. Other writers therefore refuse it. Here each view gets segmentations of its
own, with the same rows and columns as its frame, to which every mask refers by object and frame number.

Notes
-----
*Geometry.* Viewers want a position all the same. The directions are those of the view: anterior has the patient's right
on the left, posterior the patient's left. The origin, which a planar source leaves open, is set on the middle column
at the head end; the distance along the ray is zero by convention. So both views of one object share x and z, as two
opposed heads do, and nothing is said about depth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan import __version__
from bonescan.anatomy import REGION_NAMES, bone
from bonescan.dicom import headers
from bonescan.dicom.modules import decimal, uid
from bonescan.dicom.results.codes import KINDS, REGIONS, SIDES, Code, bone_code, dcm, sct
from bonescan.dicom.results.heading import (
    DISCLAIMER,
    Series,
    begun,
    instance_item,
    own_coding_scheme,
    reference_item,
    references,
)
from bonescan.dicom.results.sources import Sourced, SourceFrame
from bonescan.errors import UnreadableInput
from bonescan.reading.model import Author, Finding, Kind, LabelledView, Polarity
from bonescan.scan import ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from bonescan.followup.model import LesionChange

__all__ = [
    "SEGMENTATION_STORAGE",
    "Masks",
    "Segment",
    "bone_segments",
    "finding_segments",
    "finding_site",
    "region_segments",
    "segmentation",
    "segmented",
    "tracking_uid",
]

SEGMENTATION_STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
_SERIES = Series("SEG", SEGMENTATION_STORAGE, 9001, "bonescan segmentations")
_ANATOMY, _ABNORMAL = sct("91723000", "Anatomical Structure"), sct("49755003", "Morphologically Abnormal Structure")
_FUNCTION, _OBJECT = sct("246464006", "Function"), sct("260787004", "Physical object")
_CATEGORIES = {Kind.BONE: _ABNORMAL, Kind.PHYSIOLOGIC: _FUNCTION, Kind.ARTEFACT: _OBJECT}
_HUES_DEG = {Kind.BONE: 40.0, Kind.PHYSIOLOGIC: 140.0, Kind.ARTEFACT: 300.0}  # red, green, violet in CIELab
_COLD_HUE_DEG = 270.0  # blue
_SLICE_MM = 1.0  # a shadow has no thickness; viewers that build a volume need one


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One mask and what it shows.

    Parameters
    ----------
    name : str
        Bonescan's own: ``"region-9"``, ``"rib_07_l"``, ``"finding-3"``; the segment's tracking id.
    label : str
        In words.
    category, kind : Code
        Category and type of the segmented property.
    side : str
        ``"left"``, ``"right"``, or anything else for neither.
    site : Code or None
        Where it lies, for what is not itself a part of the body.
    hue_deg : float
        Of the colour a viewer is advised to use, as an angle in CIELab.
    mask : (row, column) ndarray of bool
        On the scan's view.
    by_hand : bool
        Whether a physician drew it.
    identity : str
        Of a finding, see `tracking_uid`.
    """

    name: str
    label: str
    category: Code
    kind: Code
    side: str
    site: Code | None
    hue_deg: float
    mask: NDArray[np.bool_]
    by_hand: bool = False
    identity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Masks:
    """What a segmentation holds.

    Parameters
    ----------
    view : ViewName
    turned : bool
        Whether the source's frame lies feet first.
    shape : (rows, columns)
    by_name : mapping of str to (row, column) ndarray of bool
        On the scan's view, head up, by `Segment.name`.
    """

    view: ViewName
    turned: bool
    shape: tuple[int, int]
    by_name: Mapping[str, NDArray[np.bool_]]


def tracking_uid(sources: Iterable[Sourced], name: str, identity: str = "") -> str:
    """What one region, bone or finding is called in every object of a reading.

    Parameters
    ----------
    sources : iterable of SourceFrame or SourceObject
        Of the whole scan.
    name : str
        `Segment.name`.
    identity : str
        Of a finding, by `bonescan.reading.tracking`: another finding of the same number has another one.

    Returns
    -------
    str
        Of a finding the same in every version of the reading that has it.
    """
    return uid("tracked", identity or __version__, *sorted(one.instance for one in references(sources)), name)


def region_segments(labelled: LabelledView) -> list[Segment]:
    """The planar regions of a view.

    Parameters
    ----------
    labelled : LabelledView

    Returns
    -------
    list of Segment
        Those that are in view.
    """
    return [
        Segment(
            name=f"region-{number}",
            label=REGION_NAMES[number],
            category=_ANATOMY,
            kind=code,
            side="",
            site=None,
            hue_deg=137.5 * number,
            mask=labelled.regions == number,
        )
        for number, code in REGIONS.items()
        if (labelled.regions == number).any()
    ]


def bone_segments(labelled: LabelledView) -> list[Segment]:
    """Every bone of a view; bones overlap.

    Parameters
    ----------
    labelled : LabelledView

    Returns
    -------
    list of Segment
        Those that are in view.
    """
    segments = []
    for number, drawn in enumerate(labelled.bones):
        mask = labelled.shown([drawn])
        if mask.any():
            one = bone(drawn.bone)
            segments.append(
                Segment(
                    name=one.id,
                    label=one.name,
                    category=_ANATOMY,
                    kind=bone_code(one.id),
                    side=one.side,
                    site=None,
                    hue_deg=137.5 * number,
                    mask=mask,
                )
            )
    return segments


def finding_segments(findings: Iterable[Finding], view: ViewName, identities: Mapping[int, str]) -> list[Segment]:
    """The findings that a view shows.

    Parameters
    ----------
    findings : iterable of Finding
    view : ViewName
    identities : mapping of int to str
        By number, see `tracking_uid`.

    Returns
    -------
    list of Segment
    """
    return [
        Segment(
            name=f"finding-{finding.id}",
            label=f"{finding.letter}: {finding.place}",
            category=_CATEGORIES[finding.kind],
            kind=KINDS[finding.kind],
            side=finding.side,
            site=finding_site(finding),
            hue_deg=_COLD_HUE_DEG if finding.polarity is Polarity.COLD else _HUES_DEG[finding.kind],
            mask=finding.views[view].mask,
            by_hand=finding.drawn_by is Author.PHYSICIAN,
            identity=identities[finding.id],
        )
        for finding in findings
        if view in finding.views and finding.views[view].mask.any()
    ]


def finding_site(finding: Finding | LesionChange) -> Code | None:
    """Where a finding lies, or what became of one.

    Parameters
    ----------
    finding : Finding or LesionChange

    Returns
    -------
    Code or None
        Its bone, else its region; ``None`` where neither is known.
    """
    return bone_code(finding.bone) if finding.bone else REGIONS.get(finding.region)


def segmentation(
    frames: Sequence[SourceFrame], view: ViewName, label: str, segments: Sequence[Segment], number: int
) -> Dataset:
    """One segmentation of one view.

    Parameters
    ----------
    frames : sequence of SourceFrame
        Of the whole scan.
    view : ViewName
        Which of them is segmented.
    label : str
        ``"REGIONS"``, ``"BONES"`` or ``"FINDINGS"``.
    segments : sequence of Segment
        One at least.
    number : int
        Of the instance in its series.

    Returns
    -------
    pydicom.Dataset
        SEG, BINARY, without a SOPInstanceUID yet.
    """
    from pydicom.dataset import Dataset

    frame = next(one for one in frames if one.view is view)
    dataset = begun(frames, _SERIES, number)
    dataset.CodingSchemeIdentificationSequence = [own_coding_scheme()]
    source = references([frame])[0]
    dataset.FrameOfReferenceUID = headers.text(frame.dataset, "FrameOfReferenceUID") or uid(
        "frame of reference", source.instance
    )
    dataset.PositionReferenceIndicator = ""
    dataset.ImageType = ["DERIVED", "PRIMARY"]
    dataset.ContentLabel, dataset.ContentCreatorName = label, ""
    dataset.ContentDescription = f"{label.capitalize()}, {view} view. Research software."
    dataset.ImageComments = DISCLAIMER
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = frame.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 1, 1, 0, 0
    dataset.LossyImageCompression, dataset.SegmentationType = "00", "BINARY"
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedInstanceSequence = source.series, [instance_item(source)]
    dataset.ReferencedSeriesSequence = [series]
    organization = uid("dimensions", source.instance, label)
    item = Dataset()
    item.DimensionOrganizationUID = organization
    dataset.DimensionOrganizationSequence = [item]
    index = Dataset()
    index.DimensionOrganizationUID = organization
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x0062000B, 0x0062000A
    index.DimensionDescriptionLabel = "ReferencedSegmentNumber"
    dataset.DimensionIndexSequence = [index]
    dataset.SegmentSequence = [_described(frames, one, k) for k, one in enumerate(segments, start=1)]
    dataset.SharedFunctionalGroupsSequence = [_shared(frame)]
    dataset.PerFrameFunctionalGroupsSequence = [_per_frame(frame, k) for k in range(1, len(segments) + 1)]
    dataset.NumberOfFrames = len(segments)
    stack = np.stack([frame.as_stored(one.mask) for one in segments])
    packed = np.packbits(stack.ravel(), bitorder="little").tobytes()
    dataset.add_new("PixelData", "OB", packed + bytes(len(packed) % 2))
    return dataset


def _described(frames: Sequence[SourceFrame], one: Segment, number: int) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.SegmentNumber, item.SegmentLabel = number, one.label[:64]
    item.SegmentAlgorithmType = "MANUAL" if one.by_hand else "AUTOMATIC"
    if not one.by_hand:
        item.SegmentAlgorithmName = f"bonescan {__version__}"
    item.SegmentedPropertyCategoryCodeSequence = [one.category.item()]
    kind = one.kind.item()
    where = kind if one.site is None else one.site.item()
    if one.side in SIDES:
        side = [SIDES[one.side].item()]
        if one.site is None:
            where.SegmentedPropertyTypeModifierCodeSequence = side
        else:
            where.AnatomicRegionModifierSequence = side
    item.SegmentedPropertyTypeCodeSequence = [kind]
    if one.site is not None:
        item.AnatomicRegionSequence = [where]
    item.TrackingID, item.TrackingUID = one.name, tracking_uid(frames, one.name, one.identity)
    item.RecommendedDisplayCIELabValue = _colour(one.hue_deg)
    return item


def _colour(hue_deg: float) -> list[int]:
    """A light, saturated colour of a hue: L* 65, chroma 60, in the units of PS3.3 C.10.7.1.1."""
    a, b = (60 * part(math.radians(hue_deg)) for part in (math.cos, math.sin))
    return [round(0.65 * 65535), *(round((part + 128) / 255 * 65535) for part in (a, b))]


def _shared(frame: SourceFrame) -> Dataset:
    from pydicom.dataset import Dataset

    groups, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [decimal(mm) for mm in frame.spacing_mm]
    measures.SliceThickness = measures.SpacingBetweenSlices = decimal(_SLICE_MM)
    across, down = _directions(frame)
    orientation.ImageOrientationPatient = [decimal(part) for part in (across, 0, 0, 0, 0, down)]
    groups.PixelMeasuresSequence, groups.PlaneOrientationSequence = [measures], [orientation]
    return groups


def _directions(frame: SourceFrame) -> tuple[int, int]:
    """Of the frame as stored: whether columns run to the patient's left (+1), and rows towards the head (+1)."""
    sign = -1 if frame.turned else 1
    return sign * (1 if frame.view is ViewName.ANTERIOR else -1), -sign


def _per_frame(frame: SourceFrame, segment: int) -> Dataset:
    from pydicom.dataset import Dataset

    groups = Dataset()
    source = reference_item(frame)
    source.PurposeOfReferenceCodeSequence = [dcm("121322", "Source image for image processing operation").item()]
    source.SpatialLocationsPreserved = "YES"
    derivation = Dataset()
    derivation.SourceImageSequence = [source]
    derivation.DerivationCodeSequence = [dcm("113076", "Segmentation").item()]
    groups.DerivationImageSequence = [derivation]
    content = Dataset()
    content.DimensionIndexValues = [segment]
    groups.FrameContentSequence = [content]
    rows, columns = frame.shape
    across, down = _directions(frame)
    position = Dataset()
    position.ImagePositionPatient = [
        decimal(-across * (columns - 1) / 2 * frame.spacing_mm[1]),
        "0",
        decimal(-(rows - 1) * frame.spacing_mm[0] if down > 0 else 0),
    ]
    groups.PlanePositionSequence = [position]
    identification = Dataset()
    identification.ReferencedSegmentNumber = segment
    groups.SegmentIdentificationSequence = [identification]
    return groups


def segmented(dataset: Dataset) -> Masks:
    """Read back what `segmentation` wrote.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    Masks

    Raises
    ------
    UnreadableInput
        For a segmentation that is not one of ours.
    """
    try:
        shared = dataset.SharedFunctionalGroupsSequence[0]
        directions = [float(part) for part in shared.PlaneOrientationSequence[0].ImageOrientationPatient]
        names = {int(item.SegmentNumber): str(item.TrackingID) for item in dataset.SegmentSequence}
        shown = [
            names[int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)]
            for groups in dataset.PerFrameFunctionalGroupsSequence
        ]
        shape = (len(shown), int(dataset.Rows), int(dataset.Columns))
        bits = np.frombuffer(dataset.PixelData, np.uint8)
        stack = np.unpackbits(bits, count=math.prod(shape), bitorder="little").reshape(shape).astype(np.bool_)
    except (AttributeError, KeyError, IndexError, ValueError) as error:
        raise UnreadableInput("The segmentation is not one that bonescan wrote.") from error
    turned = directions[5] > 0
    across = -directions[0] if turned else directions[0]
    return Masks(
        view=ViewName.ANTERIOR if across > 0 else ViewName.POSTERIOR,
        turned=turned,
        shape=shape[1:],
        by_name={name: mask[::-1, ::-1] if turned else mask for name, mask in zip(shown, stack, strict=True)},
    )
