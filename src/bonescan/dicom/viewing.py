"""Whatever a gamma camera wrote, as pictures to look at: nothing is judged, and little is refused.

A reading needs one scan of bone and refuses all else. Whoever looks wants to see what is there: blood flow in its
frames, every spot view, projections from all around, slices that others reconstructed. Where the reading's own door
opens an object, it is opened by it, so that rows, columns, names and times are those of the reading; else its frames
are shown in the order in which they are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom import headers
from bonescan.dicom.frames import (
    Frame,
    check_modality,
    detector_count,
    frame_vector,
    image_kind,
    is_whole_body,
    photopeak,
    spacing,
    vendor_names,
    view_codes,
)
from bonescan.dicom.identity import identify, turn_head_up, view_words
from bonescan.dicom.inputs import Item, gather
from bonescan.dicom.phases import LONGEST_FLOW_FRAME_S, early_by_words, is_first_hour
from bonescan.dicom.pixels import Pixels, decode, is_dicom, parse
from bonescan.dicom.quiet import keep_quiet
from bonescan.dicom.series import dynamic_of, is_dynamic, is_tomographic, tomographic_of
from bonescan.dicom.volumes import turned
from bonescan.errors import BoneScanError, NotABoneScan, UnreadableInput
from bonescan.scan import Phase

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["ImageSeries", "Orientation", "SeriesKind", "image_series", "phases_of"]

MOST_BYTES = 128 * 2**20
MOST_PIXELS = 24 * 2**20  # a volume of 256 voxels a side is two thirds of it
_AXIAL = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
_DAY_S = 86400.0
_STRAIGHT = 0.996  # cosine of 5 degrees [D]
# Defined terms of PS3.16 annex L that a bone scan may have; anything else a file says here is free text.
_PARTS = frozenset(
    [
        *("ABDOMEN", "ANKLE", "ARM", "CHEST", "CSPINE", "ELBOW", "EXTREMITY", "FEMUR", "FOOT", "FOREARM", "HAND"),
        *("HEAD", "HIP", "KNEE", "LEG", "LSPINE", "NECK", "PELVIS", "SHOULDER", "SKULL", "SPINE", "THIGH", "TSPINE"),
        *("WHOLEBODY", "WRIST"),
    ]
)
_Told = TypeVar("_Told")


class SeriesKind(StrEnum):
    """What the frames of a series are."""

    WHOLE_BODY = "whole body"
    SPOT = "spot"
    DYNAMIC = "dynamic"
    TOMOGRAPHIC = "tomographic"
    VOLUME = "volume"


class Orientation(StrEnum):
    """How a volume lies in the patient."""

    PATIENT = "patient"
    OBLIQUE = "oblique"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSeries:
    """Frames that belong together: of one view in time, from all around, or through the body.

    Parameters
    ----------
    kind : SeriesKind
    view : str
        ``"anterior"``, ``"left lateral"``; empty where the file does not say, and for volumes and projections.
    words : str
        The file's own description; it may name the patient.
    part : str
        Part of the body, a defined term of PS3.16 annex L; empty where the file says none of them.
    frames : (frame, row, column) ndarray of uint16 or float32
        Counts, as the camera saw them. Of a volume: slices towards the head, rows towards the back, columns to the
        left.
    row_spacing_mm, column_spacing_mm : float
    slice_spacing_mm : float or None
        Of a volume.
    spacing_known : bool
        False where a spacing had to be assumed.
    starts_s, durations_s : tuple of float
        Of each frame, after the acquisition began; empty where the file does not say.
    angles_deg : tuple of float
        Of each projection: 0 at the back, growing towards the patient's left side.
    orientation : Orientation or None
        Of a volume.
    acquired_at, injected_at : datetime or None
    """

    kind: SeriesKind
    view: str = ""
    words: str = ""
    part: str = ""
    frames: NDArray[Any]
    row_spacing_mm: float
    column_spacing_mm: float
    slice_spacing_mm: float | None = None
    spacing_known: bool = True
    starts_s: tuple[float, ...] = ()
    durations_s: tuple[float, ...] = ()
    angles_deg: tuple[float, ...] = ()
    orientation: Orientation | None = None
    acquired_at: datetime | None = None
    injected_at: datetime | None = None


def image_series(path: Path) -> tuple[ImageSeries, ...]:
    """Open all pictures of one object.

    Parameters
    ----------
    path : Path
        A DICOM file.

    Returns
    -------
    tuple of ImageSeries
        One for each view of a planar or dynamic object, anterior first; one for projections or a volume. Of several
        energy windows the Tc-99m photopeak is shown, of frames of a flow and of a blood pool each by themselves.

    Raises
    ------
    UnreadableInput
        Bytes that cannot be decoded, and more than 128 MiB or 24 million pixels.
    NotABoneScan
        No pictures of a gamma camera; gated series.
    """
    keep_quiet()
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableInput(f"A file of more than {MOST_BYTES >> 20} MiB is not shown.")
    item = gather([path])[0]
    if not is_dicom(item.data):
        raise UnreadableInput("The file is no DICOM object.")
    dataset, _ = parse(item.data, item.place)
    check_modality(dataset, item.place)
    _refuse_many(dataset)
    if "GATED" in image_kind(dataset):
        raise NotABoneScan("The object is a gated heart study, which is not shown.")
    if is_tomographic(dataset):
        return _tomographic(item, dataset)
    if "TOMO" in image_kind(dataset) or "SliceVector" in dataset:
        return (_volume(item, dataset),)
    if is_dynamic(dataset) and next(iter(headers.integers(dataset, "NumberOfFrames")), 1) > detector_count(dataset, 2):
        return _dynamic(item, dataset)
    return _planar(item, dataset)


def phases_of(found: Sequence[ImageSeries]) -> list[Phase | None]:
    """Say of each series of one study which phase of a three-phase scan it is, as the reading does.

    Parameters
    ----------
    found : sequence of ImageSeries

    Returns
    -------
    list of Phase or None
        ``None`` for what is none, and for spot views where no early phase is beside them.
    """
    flows = [one for one in found if _is_flow(one)]
    began = min((one.acquired_at for one in flows if one.acquired_at is not None), default=None)
    phases: list[Phase | None] = []
    for one in found:
        phase = None
        if one.kind is SeriesKind.DYNAMIC and one.durations_s:
            phase = Phase.FLOW if _is_flow(one) else Phase.POOL
        elif one.kind is SeriesKind.SPOT:
            early = is_first_hour(one.acquired_at, began or one.injected_at)
            early = early_by_words(one.words) if early is None else early
            phase = None if early is None else Phase.POOL if early else Phase.DELAYED
        phases.append(phase)
    early_phases = {Phase.FLOW, Phase.POOL} & set(phases)
    beside = bool(flows) or len(set(phases) - {None}) > 1
    return phases if early_phases and beside else [None] * len(found)


def _is_flow(one: ImageSeries) -> bool:
    return one.kind is SeriesKind.DYNAMIC and bool(one.durations_s) and max(one.durations_s) <= LONGEST_FLOW_FRAME_S


def _refuse_many(dataset: Dataset) -> None:
    rows, columns = (next(iter(headers.integers(dataset, name)), 0) for name in ("Rows", "Columns"))
    frames = next(iter(headers.integers(dataset, "NumberOfFrames")), 1)
    if rows * columns * frames > MOST_PIXELS:
        raise UnreadableInput(f"An object of more than {MOST_PIXELS >> 20} million pixels is not shown.")


def _compact(counts: NDArray[Any]) -> NDArray[Any]:
    """Whole counts in half the bytes."""
    whole = float(counts.max(initial=0)) <= 65535 and bool((counts == np.rint(counts)).all())
    return np.ascontiguousarray(counts, dtype=np.uint16 if whole else np.float32)


def _facts(dataset: Dataset) -> dict[str, Any]:
    at = headers.acquired_at(dataset)
    part = (headers.text(dataset, "BodyPartExamined") or "").upper()
    return {
        "words": headers.text(dataset, "SeriesDescription") or "",
        "part": part if part in _PARTS else "",
        "acquired_at": at,
        "injected_at": headers.injection(dataset, at, lasts_s=_lasts_s(dataset))[0].injected_at,
    }


def _lasts_s(dataset: Dataset) -> float:
    """An injection may fall into a dynamic series, and into nothing else."""
    return 3600.0 if is_dynamic(dataset) else 0.0


def _or_none(attempt: Callable[[], _Told]) -> _Told | None:
    """What the reading's own door opens; ``None`` where it refuses."""
    try:
        return attempt()
    except BoneScanError:
        return None


def _of_photopeak(dataset: Dataset, pixels: Pixels, place: str) -> list[int]:
    """The frames that are shown: of the photopeak, or all where none is told."""
    found = _or_none(lambda: photopeak(dataset, pixels, place))
    return list(range(len(pixels.frames))) if found is None else found[0]


def _planar(item: Item, dataset: Dataset) -> tuple[ImageSeries, ...]:
    pixels = decode(dataset, item.place)
    chosen = _of_photopeak(dataset, pixels, item.place)
    mm, known, _ = spacing(dataset, pixels.frames.shape[1:], None)
    whole, _ = is_whole_body(dataset, image_kind(dataset), pixels.frames.shape[1:], mm)
    detectors = headers.items(dataset, "DetectorInformationSequence")
    detector_of = frame_vector(dataset, "DetectorVector", len(pixels.frames))
    frames = []
    for position, index in enumerate(chosen):
        number = detector_of[index] if detector_of else position + 1
        detector = detectors[number - 1] if number <= len(detectors) else None
        frames.append(
            Frame(
                counts=pixels.frames[index],
                dataset=dataset,
                place=item.place,
                position=position,
                position_count=len(chosen),
                view_codes=view_codes(detector),
                vendor_names=vendor_names(dataset, position, len(chosen), index, len(pixels.frames)),
                start_angle_deg=headers.number(detector, "StartAngle") if detector is not None else None,
                row_spacing_mm=mm[0],
                column_spacing_mm=mm[1],
                whole_body=whole,
            )
        )
    frames, _ = turn_head_up(frames)
    duration = headers.number(dataset, "ActualFrameDuration")
    facts = _facts(dataset)
    return tuple(
        ImageSeries(
            kind=SeriesKind.WHOLE_BODY if whole else SeriesKind.SPOT,
            view=name,
            frames=_compact(frame.counts[None]),
            row_spacing_mm=mm[0],
            column_spacing_mm=mm[1],
            spacing_known=known,
            starts_s=(0.0,) if duration and duration > 0 else (),
            durations_s=(duration / 1000,) if duration and duration > 0 else (),
            **facts,
        )
        for name, frame in sorted(zip(_names(frames), frames, strict=True), key=lambda named: named[0])
    )


def _names(frames: list[Frame]) -> list[str]:
    """From where each frame looks; two that are not oblique as the reading names them."""
    told = [view_words(frame) for frame in frames]
    straight = {"", "anterior", "posterior"}
    if len(frames) <= 2 and set(told) <= straight and (len(frames) == 2 or not told[0]):
        identified = _or_none(lambda: identify(frames, view=None, flip=False)[0])
        if identified is not None and len(identified) == len(frames):
            return [str(one.name) for one in identified]
    return told


def _dynamic(item: Item, dataset: Dataset) -> tuple[ImageSeries, ...]:
    scan = _or_none(lambda: dynamic_of([item], None, False, None))
    if scan is None:
        return (_as_stored(item, dataset, SeriesKind.DYNAMIC),)
    facts = _facts(dataset) | {"injected_at": scan.injection.injected_at}
    short = np.array(scan.durations_s) <= LONGEST_FLOW_FRAME_S
    runs = [wanted for wanted in (short, ~short) if wanted.any()]
    found = []
    for wanted in runs:
        starts = [start for start, own in zip(scan.starts_s, wanted, strict=True) if own]
        at = scan.acquired_at
        for name, counts in zip(scan.view_names, scan.counts, strict=True):
            found.append(
                ImageSeries(
                    kind=SeriesKind.DYNAMIC,
                    view=str(name),
                    frames=_compact(counts[wanted]),
                    row_spacing_mm=scan.row_spacing_mm,
                    column_spacing_mm=scan.column_spacing_mm,
                    starts_s=tuple(start - starts[0] for start in starts),
                    durations_s=tuple(s for s, own in zip(scan.durations_s, wanted, strict=True) if own),
                    **facts | {"acquired_at": None if at is None else at + timedelta(seconds=min(starts[0], _DAY_S))},
                )
            )
    return tuple(found)


def _tomographic(item: Item, dataset: Dataset) -> tuple[ImageSeries, ...]:
    scan = _or_none(lambda: tomographic_of([item], None))
    if scan is None:
        return (_as_stored(item, dataset, SeriesKind.TOMOGRAPHIC),)
    order = np.argsort(scan.angles_deg, kind="stable")  # round the patient, whichever head saw it
    return (
        ImageSeries(
            kind=SeriesKind.TOMOGRAPHIC,
            frames=_compact(scan.counts[0][order]),
            row_spacing_mm=scan.row_spacing_mm,
            column_spacing_mm=scan.column_spacing_mm,
            durations_s=tuple(scan.durations_s[k] for k in order),
            angles_deg=tuple(scan.angles_deg[k] for k in order),
            **_facts(dataset),
        ),
    )


def _as_stored(item: Item, dataset: Dataset, kind: SeriesKind) -> ImageSeries:
    """Frames that do not say when or from where they are."""
    pixels = decode(dataset, item.place)
    mm, known, _ = spacing(dataset, pixels.frames.shape[1:], None)
    return ImageSeries(
        kind=kind,
        frames=_compact(pixels.frames[_of_photopeak(dataset, pixels, item.place)]),
        row_spacing_mm=mm[0],
        column_spacing_mm=mm[1],
        spacing_known=known,
        **_facts(dataset),
    )


def _volume(item: Item, dataset: Dataset) -> ImageSeries:
    """Slices as a volume in the patient's directions.

    A voxel ``(slice, row, column)`` lies at ``slice * s n + row * r v + column * c u`` from the first, with u and v the
    directions of a row and of a column, ``n = u x v``, and s the spacing between slices, whose sign says which way they
    are stacked (PS3.3 C.8.4.15).
    """
    pixels = decode(dataset, item.place)
    values = pixels.frames
    order = frame_vector(dataset, "SliceVector", len(values))
    if order and len(set(order)) == len(order):
        values = values[np.argsort(order)]
    mm, known, _ = spacing(dataset, values.shape[1:], None)
    told = headers.number(dataset, "SpacingBetweenSlices") or headers.number(dataset, "SliceThickness")
    if told is None or not 0.1 <= abs(told) <= 100:
        told, known = mm[0], False
    detectors = headers.items(dataset, "DetectorInformationSequence")
    cosines = np.array(headers.numbers(detectors[0], "ImageOrientationPatient") if detectors else [])
    across, down = cosines.reshape(2, 3) if cosines.shape == (6,) else (np.zeros(3), np.zeros(3))
    lengths = np.linalg.norm([across, down], axis=1)
    oriented = bool((np.abs(lengths - 1) < 0.01).all() and abs(float(across @ down)) < 0.01)
    if not oriented:
        across, down = _AXIAL
    normal = np.cross(across, down) * np.sign(told)
    directions = np.stack([normal, down, across], axis=1)
    straight = bool((np.abs(directions).max(axis=0) > _STRAIGHT).all())
    field = turned(values, directions, np.array([abs(told), *mm]), np.zeros(3), "1")
    slices_mm, rows_mm, columns_mm = field.grid.spacing_mm
    return ImageSeries(
        kind=SeriesKind.VOLUME,
        frames=_compact(field.values),
        row_spacing_mm=rows_mm,
        column_spacing_mm=columns_mm,
        slice_spacing_mm=slices_mm,
        spacing_known=known,
        orientation=Orientation.UNKNOWN if not oriented else Orientation.PATIENT if straight else Orientation.OBLIQUE,
        **_facts(dataset),
    )
