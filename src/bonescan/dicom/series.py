"""Open what a camera saw in time, as one `DynamicScan`, and from all around, as one `TomographicScan`.

Through the same door as a planar scan: the same files, limits, decoders and refusals. One acquisition is read, from one
object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.dicom import headers
from bonescan.dicom.frames import (
    Frame,
    check_modality,
    claimed_counts,
    detector_count,
    energy_windows,
    frame_vector,
    image_kind,
    off_peak,
    photopeak,
    refuse_off_peak,
    refuse_other_tracers,
    scrambled,
    spacing,
    vendor_names,
    view_codes,
    window_limits,
)
from bonescan.dicom.identity import Identified, identify
from bonescan.dicom.inputs import Item, gather
from bonescan.dicom.modules import AXIS_OF_ROTATION
from bonescan.dicom.opening import open_each, refuse_impossible_pixel, refuse_impossible_size
from bonescan.dicom.pixels import Pixels, decode, is_dicom, parse
from bonescan.dicom.quiet import keep_quiet
from bonescan.errors import GeometryMismatch, InvalidValue, NotABoneScan, UnreadableInput
from bonescan.scan import DynamicScan, Remark, Severity, Source, TomographicScan, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["open_dynamic", "open_tomographic"]

_ASSUMED_WINDOW_KEV = (126.5, 154.5)  # 20 % about 140.5 keV [D]
_ASSUMED_RADIUS_MM = 250.0  # between a thin and a stout body's orbit [D]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """One object of the kind that is wanted, decoded."""

    item: Item
    dataset: Dataset
    pixels: Pixels
    remarks: list[Remark]

    @property
    def source(self) -> Source:
        return Source(
            file_name=self.item.file_name,
            sha256=self.item.sha256,
            sop_instance_uid=headers.text(self.dataset, "SOPInstanceUID"),
        )


def open_dynamic(
    inputs: Sequence[Path],
    *,
    view: ViewName | None = None,
    flip: bool = False,
    pixel_mm: float | None = None,
    leave_out: Collection[Path] = (),
) -> DynamicScan:
    """Open the one dynamic acquisition that the inputs hold: blood flow, blood pool.

    Parameters
    ----------
    inputs : sequence of Path
        DICOM files, folders, zips, a DICOMDIR; other objects that lie in them are passed over.
    view : ViewName or None
        What the only, or the first, view is; overrules the file.
    flip : bool
        Exchange anterior and posterior; no pixel is mirrored.
    pixel_mm : float or None
        Pixel size in mm, 0.2 to 20; overrules the file.
    leave_out : collection of Path
        Files to pass over where they lie in a folder that is read.

    Returns
    -------
    DynamicScan
        In counts of the Tc-99m photopeak; everything assumed or tolerated is among its remarks.

    Raises
    ------
    UnreadableInput
        Bytes that cannot be decoded, frames that do not say when they were, and more than the limits allow.
    NotABoneScan
        No dynamic acquisition, or more than one.
    """
    refuse_impossible_pixel(pixel_mm)
    keep_quiet()
    return dynamic_of(gather(inputs, leave_out=leave_out), view, flip, pixel_mm)


def open_tomographic(
    inputs: Sequence[Path], *, pixel_mm: float | None = None, leave_out: Collection[Path] = ()
) -> TomographicScan:
    """Open the one set of SPECT projections that the inputs hold.

    Parameters
    ----------
    inputs : sequence of Path
        DICOM files, folders, zips, a DICOMDIR; other objects that lie in them are passed over.
    pixel_mm : float or None
        Pixel size in mm, 0.2 to 20; overrules the file.
    leave_out : collection of Path
        Files to pass over where they lie in a folder that is read.

    Returns
    -------
    TomographicScan
        Every energy window, the Tc-99m photopeak first; views by detector and angular view, angles from 0 to below
        360. Everything assumed or tolerated is among its remarks.

    Raises
    ------
    UnreadableInput
        Bytes that cannot be decoded, frames that do not say from where they look, and more than the limits allow.
    NotABoneScan
        No tomographic acquisition, or more than one.

    Notes
    -----
    A view's angle is its detector's start angle, or failing that the rotation's, and as many steps onwards as views
    went before, upwards where the detector turned counter-clockwise (CC) as seen from the feet (PS3.3 C.8.4.12).
    """
    refuse_impossible_pixel(pixel_mm)
    keep_quiet()
    return tomographic_of(gather(inputs, leave_out=leave_out), pixel_mm)


def dynamic_of(items: list[Item], view: ViewName | None, flip: bool, pixel_mm: float | None) -> DynamicScan:
    """Open the one dynamic acquisition among files that were gathered."""
    one, remarks = _only(items, is_dynamic, "dynamic series")
    return _as_dynamic(one, remarks, view, flip, pixel_mm)


def tomographic_of(items: list[Item], pixel_mm: float | None) -> TomographicScan:
    """Open the one set of SPECT projections among files that were gathered."""
    one, remarks = _only(items, is_tomographic, "set of SPECT projections")
    return _as_tomographic(one, remarks, pixel_mm)


def is_dynamic(dataset: Dataset) -> bool:
    """Whether an object is a series in time.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    bool
    """
    return _is_of(dataset, "DYNAMIC", "PhaseVector")


def is_tomographic(dataset: Dataset) -> bool:
    """Whether an object holds projections from all around, not slices reconstructed from them.

    Parameters
    ----------
    dataset : pydicom.Dataset

    Returns
    -------
    bool
    """
    return _is_of(dataset, "TOMO", "RotationVector") and "SliceVector" not in dataset


def _is_of(dataset: Dataset, kind: str, vector: str) -> bool:
    """Whether an object says that it is of a kind, or says nothing and has the vector that only this kind has."""
    said = image_kind(dataset)
    return said == kind or (not said and vector in dataset)


def _only(items: list[Item], is_wanted: Callable[[Dataset], bool], wanted: str) -> tuple[_Object, list[Remark]]:
    """The one object of its kind among the files."""

    def open_one(item: Item) -> _Object | None:
        if not item.data:
            raise UnreadableInput(f"{item.place.capitalize()} is empty (0 bytes); fetch it again.")
        if not is_dicom(item.data):
            return None
        dataset, remarks = parse(item.data, item.place)
        check_modality(dataset, item.place)
        if not is_wanted(dataset):
            raise NotABoneScan(f"{item.place.capitalize()} is no {wanted}; give the file that is.", expected=wanted)
        refuse_other_tracers(dataset, item.place)
        pixels = decode(dataset, item.place)
        return _Object(item=item, dataset=dataset, pixels=pixels, remarks=remarks + list(pixels.remarks))

    found, remarks = open_each(items, open_one, wanted)
    if len(found) > 1:
        series = ", ".join(str(next(iter(headers.integers(one.dataset, "SeriesNumber")), "?")) for one in found[:6])
        more = " and more" if len(found) > 6 else ""
        raise NotABoneScan(
            f"The input holds {len(found)} objects that are each a {wanted} (series {series}{more}); give one.",
            count=len(found),
        )
    return found[0], remarks + found[0].remarks


def _as_dynamic(
    one: _Object, remarks: list[Remark], view: ViewName | None, flip: bool, pixel_mm: float | None
) -> DynamicScan:
    dataset, frames, place = one.dataset, one.pixels.frames, one.item.place
    chosen, window, found = photopeak(dataset, one.pixels, place)
    remarks += found
    mm, _, found = spacing(dataset, frames.shape[1:], pixel_mm)
    remarks += found
    refuse_impossible_size(frames.shape[1:], mm, place)
    remarks += claimed_counts(dataset, one.pixels, chosen)[2]
    by_detector, found = _frames_by_detector(dataset, chosen, len(frames), place)
    remarks += found
    starts_s, durations_s, found = _times(dataset, by_detector[0], len(frames), place)
    remarks += found
    items = headers.items(dataset, "DetectorInformationSequence")
    summed = []
    for position, indices in enumerate(by_detector):
        item = items[position] if position < len(items) else None
        counts = frames[indices].sum(axis=0)
        if not counts.any():
            raise NotABoneScan(f"A view in {place} is empty: every pixel of every frame is zero.")
        summed.append(
            Frame(
                counts=counts,
                dataset=dataset,
                place=place,
                file_name=one.item.file_name,
                position=position,
                position_count=len(by_detector),
                view_codes=view_codes(item),
                vendor_names=vendor_names(dataset, position, len(by_detector), position, len(by_detector)),
                start_angle_deg=headers.number(item, "StartAngle") if item is not None else None,
                row_spacing_mm=mm[0],
                column_spacing_mm=mm[1],
                whole_body=False,
            )
        )
    remarks += scrambled(np.stack([frame.counts for frame in summed]))
    identified = _at_most_two(summed, place, view, flip, remarks)
    at = headers.acquired_at(dataset)
    given, found = headers.injection(dataset, at, lasts_s=starts_s[-1] + durations_s[-1])
    remarks += found + headers.simulated(dataset)
    try:
        return DynamicScan(
            view_names=tuple(named.name for named in identified),
            counts=np.stack([frames[by_detector[named.frame.position]] for named in identified]),
            starts_s=starts_s,
            durations_s=durations_s,
            row_spacing_mm=mm[0],
            column_spacing_mm=mm[1],
            energy_window_kev=window,
            patient=headers.patient(dataset, at),
            injection=given,
            device=headers.device(dataset),
            acquired_at=at,
            study_uid=headers.text(dataset, "StudyInstanceUID"),
            study_description=headers.text(dataset, "StudyDescription"),
            series_description=headers.text(dataset, "SeriesDescription"),
            sources=(one.source,),
            remarks=tuple(dict.fromkeys(remarks)),
        )
    except (InvalidValue, GeometryMismatch) as error:
        raise NotABoneScan(str(error)) from error


def _at_most_two(
    frames: list[Frame], place: str, view: ViewName | None, flip: bool, remarks: list[Remark]
) -> list[Identified]:
    if len(frames) > 2:
        raise NotABoneScan(f"{place.capitalize()} holds {len(frames)} views at a time; one or two are read.")
    identified, found = identify(frames, view=view, flip=flip)
    remarks += found
    return sorted(identified, key=lambda named: named.name)


def _frames_by_detector(
    dataset: Dataset, chosen: list[int], frame_count: int, place: str
) -> tuple[list[list[int]], list[Remark]]:
    """Indices of the chosen frames by detector, each in the order of time."""
    remarks: list[Remark] = []
    detector_of = frame_vector(dataset, "DetectorVector", frame_count)
    if detector_of:
        numbers = sorted({detector_of[index] for index in chosen})
        groups = [[index for index in chosen if detector_of[index] == number] for number in numbers]
    else:
        count = detector_count(dataset, 1)
        each = max(len(chosen) // count, 1)
        groups = [chosen[k : k + each] for k in range(0, len(chosen), each)]
        if count > 1:
            remarks.append(_assumed_order("detector"))
    if len({len(group) for group in groups}) > 1:
        raise UnreadableInput(f"The frames in {place} do not share out evenly among its detectors; export it again.")
    phase_of = frame_vector(dataset, "PhaseVector", frame_count) or [1] * frame_count
    slice_of = frame_vector(dataset, "TimeSliceVector", frame_count) or list(range(frame_count))
    return [sorted(group, key=lambda index: (phase_of[index], slice_of[index])) for group in groups], remarks


def _times(
    dataset: Dataset, indices: list[int], frame_count: int, place: str
) -> tuple[tuple[float, ...], tuple[float, ...], list[Remark]]:
    """Starts and durations of one detector's frames, in s after the acquisition began."""
    phases = headers.items(dataset, "PhaseInformationSequence")
    phase_of = frame_vector(dataset, "PhaseVector", frame_count)
    lengths = [next(iter(headers.integers(phase, "NumberOfFramesInPhase")), 0) for phase in phases]
    if phase_of:
        numbers = [phase_of[index] for index in indices]
    elif sum(lengths) == len(indices):
        numbers = [k for k, length in enumerate(lengths, start=1) for _ in range(length)]
    else:
        numbers = [1] * len(indices)
    clock, starts, durations = 0.0, [], []
    if phases and max(numbers) <= len(phases):
        for k, number in enumerate(numbers):
            first = k == 0 or number != numbers[k - 1]
            phase = phases[number - 1]
            duration = headers.number(phase, "ActualFrameDuration") or 0.0
            pause = headers.number(phase, "PhaseDelay" if first else "PauseBetweenFrames") or 0.0
            if not (0 < duration < 1e9 and 0 <= pause < 1e9):
                break
            clock += pause
            starts.append(clock / 1000)
            durations.append(duration / 1000)
            clock += duration
        else:
            return tuple(starts), tuple(durations), []
    duration = headers.number(dataset, "ActualFrameDuration") or headers.number(dataset, "FrameTime") or 0.0
    if not 0 < duration < 1e9:
        raise UnreadableInput(f"{place.capitalize()} does not say how long its frames last; export it again.")
    told = Remark(
        code="dicom.dynamic.times",
        text=f"The file does not describe its phases; frames of {duration / 1000:g} s one after another were assumed.",
        severity=Severity.WARNING,
    )
    count = len(indices)
    return tuple(k * duration / 1000 for k in range(count)), (duration / 1000,) * count, [told]


def _assumed_order(what: str) -> Remark:
    return Remark(
        code=f"dicom.{what.replace(' ', '_')}.order",
        text=f"The file does not say which frame belongs to which {what}; the standard's order was assumed.",
        severity=Severity.WARNING,
    )


def _as_tomographic(one: _Object, remarks: list[Remark], pixel_mm: float | None) -> TomographicScan:
    dataset, frames, place = one.dataset, one.pixels.frames, one.item.place
    mm, _, found = spacing(dataset, frames.shape[1:], pixel_mm)
    remarks += found
    refuse_impossible_size(frames.shape[1:], mm, place)
    remarks += claimed_counts(dataset, one.pixels, list(range(len(frames))))[2]
    by_window, limits, found = _windows_photopeak_first(dataset, len(frames), place)
    remarks += found
    views, order, found = _views(dataset, by_window, len(frames), place)
    remarks += found
    counts: NDArray[np.float32] = frames[order]
    if not counts[0].any():
        raise NotABoneScan(f"The photopeak in {place} is empty: every pixel is zero.")
    remarks += scrambled(counts[0].sum(axis=0)[None])
    angles, found = _angles(dataset, views, place)
    remarks += found
    radii, found = _radii(dataset, views)
    remarks += found
    axis, found = _axis_column(dataset, frames.shape[2], mm[1])
    remarks += found
    at = headers.acquired_at(dataset)
    given, found = headers.injection(dataset, at)
    remarks += found + headers.simulated(dataset)
    try:
        return TomographicScan(
            counts=counts,
            energy_windows_kev=limits,
            angles_deg=angles,
            radii_mm=radii,
            durations_s=_view_durations(dataset, views, place),
            row_spacing_mm=mm[0],
            column_spacing_mm=mm[1],
            axis_column=axis,
            patient=headers.patient(dataset, at),
            injection=given,
            device=headers.device(dataset),
            acquired_at=at,
            study_uid=headers.text(dataset, "StudyInstanceUID"),
            study_description=headers.text(dataset, "StudyDescription"),
            series_description=headers.text(dataset, "SeriesDescription"),
            sources=(one.source,),
            remarks=tuple(dict.fromkeys(remarks)),
        )
    except (InvalidValue, GeometryMismatch) as error:
        raise NotABoneScan(str(error)) from error


def _windows_photopeak_first(
    dataset: Dataset, frame_count: int, place: str
) -> tuple[list[list[int]], tuple[tuple[float, float], ...], list[Remark]]:
    """Frames by energy window and its limits in keV."""
    remarks: list[Remark] = []
    windows = energy_windows(dataset)
    window_of = frame_vector(dataset, "EnergyWindowVector", frame_count)
    if not window_of:
        count = max(len(windows), 1)
        window_of = [k * count // frame_count + 1 for k in range(frame_count)]
        if count > 1:
            remarks.append(_assumed_order("energy window"))
    numbers = sorted(set(window_of))
    known = {number: windows[number - 1] if number <= len(windows) else ("", []) for number in numbers}
    refuse_off_peak(list(known.values()), place)
    numbers.sort(key=lambda number: (off_peak(known[number]), number))
    limits = [window_limits(known[number]) for number in numbers]
    if None in limits and len(numbers) > 1:
        raise UnreadableInput(
            f"{place.capitalize()} holds {len(numbers)} energy windows and does not give all their energies."
        )
    if limits[0] is None:
        limits = [_ASSUMED_WINDOW_KEV]
        remarks.append(
            Remark(
                code="dicom.window.assumed",
                text="The file does not give its energy window; 20 % about 140.5 keV was assumed.",
                severity=Severity.WARNING,
            )
        )
    by_window = [[index for index in range(frame_count) if window_of[index] == number] for number in numbers]
    if len({len(group) for group in by_window}) > 1:
        raise UnreadableInput(f"The energy windows in {place} have different numbers of views; export it again.")
    return by_window, tuple(window for window in limits if window is not None), remarks


def _views(
    dataset: Dataset, by_window: list[list[int]], frame_count: int, place: str
) -> tuple[list[tuple[int, int, int]], NDArray[np.intp], list[Remark]]:
    """Rotation, detector and angular view of each view, from 1, and the frames as (window, view)."""
    remarks: list[Remark] = []
    each = len(by_window[0])
    detectors = max(detector_count(dataset, 1), 1)
    rotations = max(next(iter(headers.integers(dataset, "NumberOfRotations")), 1), 1)
    if each % (detectors * rotations):
        raise UnreadableInput(f"The views in {place} do not share out evenly among its detectors; export it again.")
    run = each // detectors // rotations
    nth = {index: k for group in by_window for k, index in enumerate(group)}
    standard = [
        (nth[k] // (run * rotations) + 1, nth[k] // run % rotations + 1, nth[k] % run + 1) for k in range(frame_count)
    ]
    vectors: list[list[int]] = []
    for keyword, what, numbers in zip(
        ("DetectorVector", "RotationVector", "AngularViewVector"),
        ("detector", "rotation", "angular view"),
        zip(*standard, strict=True),
        strict=True,
    ):
        told = frame_vector(dataset, keyword, frame_count)
        if not told and max(numbers) > 1:
            remarks.append(_assumed_order(what))
        vectors.append(told or list(numbers))
    keys = list(zip(vectors[1], vectors[0], vectors[2], strict=True))
    order = [sorted(group, key=lambda index: keys[index]) for group in by_window]
    views = [keys[index] for index in order[0]]
    if len(set(views)) < len(views) or any([keys[index] for index in group] != views for group in order):
        raise UnreadableInput(f"Two views in {place} look from the same place, or one is missing; export it again.")
    return views, np.array(order), remarks


def _angles(dataset: Dataset, views: list[tuple[int, int, int]], place: str) -> tuple[tuple[float, ...], list[Remark]]:
    rotations = headers.items(dataset, "RotationInformationSequence")
    detectors = headers.items(dataset, "DetectorInformationSequence")
    if not rotations or max(rotation for rotation, _, _ in views) > len(rotations):
        raise UnreadableInput(f"{place.capitalize()} does not describe its rotation; export it again.")
    count = max(detector for _, detector, _ in views)
    own: list[float | None] = [headers.number(item, "StartAngle") for item in detectors[:count]]
    own += [None] * (count - len(own))
    first = headers.number(rotations[0], "StartAngle")
    remarks = []
    angles = []
    told = len(set(own)) == count and None not in own
    if not told and count > 1:
        remarks.append(
            Remark(
                code="dicom.rotation.detectors",
                text=f"The file does not say from where each of its {count} detectors started; each was taken to "
                "start where the one before it ended.",
                severity=Severity.WARNING,
            )
        )
    for rotation, detector, view in views:
        item = rotations[rotation - 1]
        step, start = headers.number(item, "AngularStep"), headers.number(item, "StartAngle")
        if step is None or not 0 < abs(step) <= 360:
            raise UnreadableInput(f"{place.capitalize()} does not give the angle from view to view; export it again.")
        if headers.text(item, "RotationDirection") == "CW":
            step = -abs(step)
        base = own[detector - 1] if told else None
        if base is None:
            base = own[0] if first is None else first
            if base is None:
                raise UnreadableInput(f"{place.capitalize()} does not give the angle of its first view.")
            run = max(number for _, _, number in views)
            base += (detector - 1) * run * step
        if rotation > 1 and start is not None and first is not None:
            base += start - first
        angles.append((base + (view - 1) * step) % 360)
    if any(headers.text(item, "RotationDirection") not in ("CC", "CW") for item in rotations):
        remarks.append(
            Remark(
                code="dicom.rotation.direction",
                text="The file does not say which way the detectors turned; counter-clockwise, seen from the feet, "
                "was assumed.",
                severity=Severity.WARNING,
            )
        )
    return tuple(angles), remarks


def _radii(dataset: Dataset, views: list[tuple[int, int, int]]) -> tuple[tuple[float, ...], list[Remark]]:
    """Distance from the axis to each view: by its detector, else by its rotation, else assumed."""
    rotations = headers.items(dataset, "RotationInformationSequence")
    detectors = headers.items(dataset, "DetectorInformationSequence")
    run = max(view for _, _, view in views)
    found = []
    for rotation, detector, view in views:
        radius = None
        for item in (*detectors[detector - 1 : detector], rotations[rotation - 1]):
            told = headers.numbers(item, "RadialPosition")
            radius = radius or (told[view - 1] if len(told) == run else told[0] if told else None)
        found.append(radius if radius is not None and 1 < radius < 1000 else None)
    if None not in found:
        return tuple(radius for radius in found if radius is not None), []
    known = [radius for radius in found if radius is not None]
    assumed = float(np.median(known)) if known else _ASSUMED_RADIUS_MM
    remark = Remark(
        code="dicom.rotation.radius",
        text=f"The file does not give the detectors' distance from the axis for every view; {assumed:.0f} mm was "
        "assumed where it does not, and corrections for resolution are as uncertain as that.",
        severity=Severity.WARNING,
    )
    return tuple(radius or assumed for radius in found), [remark]


def _view_durations(dataset: Dataset, views: list[tuple[int, int, int]], place: str) -> tuple[float, ...]:
    rotations = headers.items(dataset, "RotationInformationSequence")
    general = headers.number(dataset, "ActualFrameDuration")
    told = [headers.number(item, "ActualFrameDuration") or general or 0.0 for item in rotations]
    if not all(0 < milliseconds < 1e9 for milliseconds in told):
        raise UnreadableInput(f"{place.capitalize()} does not say how long its views last; export it again.")
    return tuple(told[rotation - 1] / 1000 for rotation, _, _ in views)


def _axis_column(dataset: Dataset, columns: int, column_mm: float) -> tuple[float, list[Remark]]:
    """Column on which the axis of rotation falls: by the first pixel's place where places are told from it."""
    middle = (columns - 1) / 2
    detectors = headers.items(dataset, "DetectorInformationSequence")
    if headers.text(dataset, "PositionReferenceIndicator") == AXIS_OF_ROTATION and detectors:
        place = headers.numbers(detectors[0], "ImagePositionPatient")
        across = headers.numbers(detectors[0], "ImageOrientationPatient")[:3]
        if len(place) == len(across) == 3:
            column = -float(np.dot(place, across)) / column_mm
            if abs(column - middle) < 1e-4:
                return middle, []
            if 0 <= column <= columns - 1:
                return round(column, 6), []
    if not any(headers.number(item, "CenterOfRotationOffset") for item in detectors):
        return middle, []
    remark = Remark(
        code="dicom.rotation.axis",
        text="The file gives an offset of the axis of rotation, but not whether the views were corrected for it; they "
        "were taken as corrected.",
        severity=Severity.WARNING,
    )
    return middle, [remark]
