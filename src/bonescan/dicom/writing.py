"""Write a scan as a nuclear medicine image object, as a camera would (DICOM PS3.3 A.5): planar, dynamic, tomographic.

Explicit VR little endian, 16 bits unsigned. Every UID follows from the content, and no clock is read: the same scan
gives the same bytes.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import fields, is_dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bonescan.camera.projections import column_direction, head_direction
from bonescan.dicom import modules
from bonescan.dicom.dialects import Dialect, speak
from bonescan.dicom.modules import Filing, Recorded, code, decimal, milliseconds
from bonescan.errors import InvalidValue
from bonescan.scan import DynamicScan, Scan, TomographicScan, View, ViewName

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["write_dynamic", "write_scan", "write_tomographic"]

_ENERGY_WINDOW, _DETECTOR, _PHASE, _TIME_SLICE = 0x00540010, 0x00540020, 0x00540030, 0x00540100
_ROTATION, _ANGULAR_VIEW = 0x00540050, 0x00540090
_EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_IN_FRONT_DEG, _BEHIND_DEG = 180.0, 0.0
_STEP_TOLERANCE_DEG = 0.01
_NOT_WRITTEN = ("sources", "remarks", "identity_basis", "counts_accumulated", "counts_are_raw", "spacing_known")


def write_scan(
    scan: Scan, *, filing: Filing | None = None, dialect: Dialect | str = Dialect.STANDARD, apart: bool = False
) -> dict[str, bytes]:
    """A planar scan as one WHOLE BODY or STATIC object, or as one for each view.

    Parameters
    ----------
    scan : Scan
        Counts of whole numbers.
    filing : Filing or None
        Where it belongs; ``None`` for a study of its own.
    dialect : Dialect or str
        Whose habits the object has.
    apart : bool
        One object for each view. Views of different shape, spacing, energies or times are written apart anyway.

    Returns
    -------
    dict of str to bytes
        Files by name: ``whole_body.dcm`` or ``static.dcm``, with ``_anterior`` and ``_posterior`` where apart.

    Raises
    ------
    InvalidValue
        For counts that a DICOM object cannot hold, and a study UID that is none.

    Notes
    -----
    A whole-body scan's length, where a view does not tell it, is speed times duration, or failing that the picture's.
    """
    filing, dialect = filing or Filing(), Dialect(dialect)
    kind = "WHOLE BODY" if scan.whole_body else "STATIC"
    name = kind.lower().replace(" ", "_")
    if apart or len({_acquisition(view) for view in scan.views}) > 1:
        groups = {f"{name}_{view.name}.dcm": [view] for view in scan.views}
    else:
        groups = {f"{name}.dcm": list(scan.views)}
    digest = _digest(scan, filing, dialect, len(groups))
    written = {}
    for number, (file_name, views) in enumerate(groups.items(), start=1):
        dataset = _begun(scan, filing, kind, digest, number)
        first = views[0]
        modules.isotope(dataset, scan.injection, [first.energy_window_kev], scan.acquired_at)
        dataset.DetectorInformationSequence = [
            _planar_detector(scan, view.name, view.start_angle_deg) for view in views
        ]
        dataset.NumberOfDetectors = len(views)
        if len(views) == 1:
            dataset.PatientOrientation = ["L" if first.name is ViewName.ANTERIOR else "R", "F"]
        dataset.FrameIncrementPointer = [_ENERGY_WINDOW, _DETECTOR]
        dataset.EnergyWindowVector, dataset.DetectorVector = [1] * len(views), list(range(1, len(views) + 1))
        if not first.duration_s:
            raise InvalidValue("A planar DICOM object tells how long it was acquired; give the views a duration.")
        dataset.ActualFrameDuration = milliseconds(first.duration_s)
        if scan.whole_body:
            _whole_body(dataset, first)
        modules.pixels(
            dataset, np.stack([view.counts for view in views]), (first.row_spacing_mm, first.column_spacing_mm)
        )
        written[file_name] = _encoded(dataset, dialect)
    return written


def write_dynamic(
    scan: DynamicScan, *, filing: Filing | None = None, dialect: Dialect | str = Dialect.STANDARD
) -> dict[str, bytes]:
    """Blood flow or blood pool as one DYNAMIC object.

    Parameters
    ----------
    scan : DynamicScan
        Counts of whole numbers.
    filing : Filing or None
        Where it belongs; ``None`` for a study of its own.
    dialect : Dialect or str
        Whose habits the object has.

    Returns
    -------
    dict of str to bytes
        ``dynamic.dcm``: all frames of the first view, then of the next.

    Raises
    ------
    InvalidValue
        For counts that a DICOM object cannot hold, frames that overlap, and a study UID that is none.

    Notes
    -----
    A phase is a run of frames of one duration with one pause between them (PS3.3 C.8.4.14); times are told in whole
    milliseconds.
    """
    filing, dialect = filing or Filing(), Dialect(dialect)
    views, times = scan.counts.shape[:2]
    phases = _phases(scan.starts_s, scan.durations_s)
    dataset = _begun(scan, filing, "DYNAMIC", _digest(scan, filing, dialect))
    lasts_s = scan.starts_s[-1] + scan.durations_s[-1]
    modules.isotope(dataset, scan.injection, [scan.energy_window_kev], scan.acquired_at, lasts_s=lasts_s)
    dataset.DetectorInformationSequence = [_planar_detector(scan, name, None) for name in scan.view_names]
    dataset.NumberOfDetectors = views
    dataset.FrameIncrementPointer = [_ENERGY_WINDOW, _DETECTOR, _PHASE, _TIME_SLICE]
    dataset.EnergyWindowVector = [1] * (views * times)
    dataset.DetectorVector = np.repeat(range(1, views + 1), times).tolist()
    lengths = [phase.NumberOfFramesInPhase for phase in phases]
    dataset.PhaseVector = [k for k, length in enumerate(lengths, start=1) for _ in range(length)] * views
    dataset.TimeSliceVector = [k for length in lengths for k in range(1, length + 1)] * views
    dataset.NumberOfPhases, dataset.PhaseInformationSequence = len(phases), phases
    counts = scan.counts.reshape(views * times, *scan.counts.shape[2:])
    modules.pixels(dataset, counts, (scan.row_spacing_mm, scan.column_spacing_mm))
    return {"dynamic.dcm": _encoded(dataset, dialect)}


def write_tomographic(
    scan: TomographicScan,
    *,
    filing: Filing | None = None,
    dialect: Dialect | str = Dialect.STANDARD,
    heads: int = 1,
    continuous: bool = False,
) -> dict[str, bytes]:
    """SPECT projections as one TOMO object.

    Parameters
    ----------
    scan : TomographicScan
        Counts of whole numbers; angles evenly spaced, all of one duration.
    filing : Filing or None
        Where it belongs; ``None`` for a study of its own.
    dialect : Dialect or str
        Whose habits the object has.
    heads : int
        How many heads shared the angles, each its run of them.
    continuous : bool
        Whether the heads moved while they counted.

    Returns
    -------
    dict of str to bytes
        ``tomographic.dcm``: by energy window, head and angular view.

    Raises
    ------
    InvalidValue
        For counts that a DICOM object cannot hold, angles or durations that are not even, heads that do not share the
        angles evenly, and a study UID that is none.

    Notes
    -----
    Positions are in a frame of reference of the object's own, whose origin is on the axis of rotation at the pictures'
    mid-height; the position reference indicator says so. CenterOfRotationOffset is how far right of a picture's middle
    the axis falls, in mm.
    """
    from pydicom.dataset import Dataset

    filing, dialect = filing or Filing(), Dialect(dialect)
    windows, count, rows, columns = scan.counts.shape
    if not (heads >= 1 and count % heads == 0 and count >= 2 * heads):
        raise InvalidValue(f"{count} angles cannot be shared evenly by {heads} head(s), at least two each.", got=heads)
    each = count // heads
    angles = np.reshape(scan.angles_deg, (heads, each))
    step = _even_step(angles)
    if np.ptp(scan.durations_s) > 0.001:
        raise InvalidValue("A rotation has one duration for all its views, these differ.")
    dataset = _begun(scan, filing, "TOMO", _digest(scan, filing, dialect, heads, continuous))
    modules.isotope(dataset, scan.injection, scan.energy_windows_kev, scan.acquired_at)
    assert scan.axis_column is not None  # the scan sets it
    dataset.PositionReferenceIndicator = modules.AXIS_OF_ROTATION
    detectors = []
    for head in range(heads):
        radii = scan.radii_mm[head * each : (head + 1) * each]
        item = modules.detector(scan.device, angles[head, 0])
        first_pixel = (
            radii[0] * head_direction(angles[head, 0])
            - scan.axis_column * scan.column_spacing_mm * column_direction(angles[head, 0])
            + [0, 0, (rows - 1) / 2 * scan.row_spacing_mm]
        )
        item.ImagePositionPatient = [decimal(mm) for mm in first_pixel.round(6)]
        item.RadialPosition = [decimal(mm) for mm in radii]
        item.CenterOfRotationOffset = decimal((scan.axis_column - (columns - 1) / 2) * scan.column_spacing_mm)
        detectors.append(item)
    dataset.DetectorInformationSequence, dataset.NumberOfDetectors = detectors, heads
    rotation = Dataset()
    rotation.StartAngle = detectors[0].StartAngle
    rotation.AngularStep, rotation.RotationDirection = decimal(abs(step)), "CC" if step > 0 else "CW"
    rotation.ScanArc = decimal(abs(step) * each)
    rotation.ActualFrameDuration = milliseconds(scan.durations_s[0])
    rotation.RadialPosition = detectors[0].RadialPosition if heads == 1 else decimal(float(np.mean(scan.radii_mm)))
    rotation.NumberOfFramesInRotation = each
    dataset.RotationInformationSequence, dataset.NumberOfRotations = [rotation], 1
    dataset.TypeOfDetectorMotion = "CONTINUOUS" if continuous else "STEP AND SHOOT"
    dataset.FrameIncrementPointer = [_ENERGY_WINDOW, _DETECTOR, _ROTATION, _ANGULAR_VIEW]
    dataset.EnergyWindowVector = np.repeat(range(1, windows + 1), count).tolist()
    dataset.DetectorVector = np.repeat(range(1, heads + 1), each).tolist() * windows
    dataset.RotationVector = [1] * (windows * count)
    dataset.AngularViewVector = list(range(1, each + 1)) * (windows * heads)
    counts = scan.counts.reshape(windows * count, rows, columns)
    modules.pixels(dataset, counts, (scan.row_spacing_mm, scan.column_spacing_mm))
    return {"tomographic.dcm": _encoded(dataset, dialect)}


def _begun(scan: Recorded, filing: Filing, kind: str, digest: str, number: int = 1) -> Dataset:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    modules.study(dataset, scan, filing, kind, digest, number)
    modules.patient(dataset, scan.patient)
    modules.equipment(dataset, scan.device)
    return dataset


def _digest(scan: Recorded, *settings: object) -> str:
    """Of all that makes the object what it is, so that no two objects share a UID."""
    found = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, np.ndarray):
            found.update(repr(value.shape).encode() + np.ascontiguousarray(value).tobytes())
        elif isinstance(value, tuple):
            for part in value:
                add(part)
        elif is_dataclass(value):
            for field in fields(value):
                if field.name not in _NOT_WRITTEN:
                    add(getattr(value, field.name))
        else:
            found.update(repr(float(value) if isinstance(value, float) else value).encode() + b"\0")

    add((scan, settings))
    return found.hexdigest()


def _acquisition(view: View) -> tuple[object, ...]:
    """What all views of one object share."""
    return (
        view.counts.shape,
        view.row_spacing_mm,
        view.column_spacing_mm,
        view.energy_window_kev,
        view.duration_s,
        view.scan_velocity_mm_per_s,
        view.scan_length_mm,
    )


def _planar_detector(scan: Recorded, name: ViewName, start_angle_deg: float | None) -> Dataset:
    in_front = name is ViewName.ANTERIOR
    angle = start_angle_deg if start_angle_deg is not None else _IN_FRONT_DEG if in_front else _BEHIND_DEG
    item = modules.detector(scan.device, angle)
    view = code("399321004", "Anterior projection") if in_front else code("399001007", "Posterior projection")
    view.ViewModifierCodeSequence = []
    item.ViewCodeSequence = [view]
    return item


def _whole_body(dataset: Dataset, view: View) -> None:
    speed, length = view.scan_velocity_mm_per_s, view.scan_length_mm
    if length is None:
        moved = speed * view.duration_s if speed is not None and view.duration_s is not None else None
        length = moved if moved is not None else view.counts.shape[0] * view.row_spacing_mm
    dataset.WholeBodyTechnique = "1PS"  # one pass
    dataset.ScanVelocity = decimal(speed) if speed is not None else None
    dataset.ScanLength = round(length)


def _phases(starts_s: tuple[float, ...], durations_s: tuple[float, ...]) -> list[Dataset]:
    """The items of the PhaseInformationSequence, in whole milliseconds, by PS3.3 C.8.4.14."""
    from pydicom.dataset import Dataset

    starts = [milliseconds(start) for start in starts_s]
    durations = [milliseconds(duration) for duration in durations_s]
    ends = [0, *(start + duration for start, duration in zip(starts, durations, strict=True))]
    pauses = [start - end for start, end in zip(starts, ends, strict=False)]  # before each frame
    if min(pauses) < 0 or min(durations) < 1:
        raise InvalidValue("The frames of a dynamic object last a millisecond or more, and do not overlap.")
    phases: list[Dataset] = []
    for duration, pause in zip(durations, pauses, strict=True):
        last = phases[-1] if phases else None
        if last is not None and last.ActualFrameDuration == duration:
            if last.NumberOfFramesInPhase == 1:
                last.PauseBetweenFrames = pause
            if last.PauseBetweenFrames == pause:
                last.NumberOfFramesInPhase += 1
                continue
        phase = Dataset()
        phase.PhaseDelay, phase.ActualFrameDuration, phase.PauseBetweenFrames = pause, duration, 0
        phase.NumberOfFramesInPhase = 1
        phases.append(phase)
    return phases


def _even_step(angles_deg: NDArray[np.float64]) -> float:
    """Degrees from view to view of each head, as the shorter way round."""
    steps = (np.diff(angles_deg, axis=1) + 180) % 360 - 180
    step = float(np.mean(steps))
    if np.abs(steps - step).max() > _STEP_TOLERANCE_DEG or abs(step) < _STEP_TOLERANCE_DEG:
        raise InvalidValue("The views of a rotation are evenly spaced, these angles are not.")
    return step


def _encoded(dataset: Dataset, dialect: Dialect) -> bytes:
    """The bytes of the file."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_file_meta_info
    from pydicom.uid import UID

    speak(dataset, dialect)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(modules.NM_STORAGE), dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE)
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(modules.uid("implementation")), "BONESCAN"
    begun = DicomBytesIO()
    write_file_meta_info(begun, meta, enforce_standard=True)
    return bytes(128) + b"DICM" + begun.getvalue() + _content(dataset, dialect)


def _content(dataset: Dataset, dialect: Dialect) -> bytes:
    """All elements encoded, each group behind its length where old habits want it."""
    from pydicom.dataset import Dataset
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_dataset

    written = []
    for group, tags in groupby(sorted(dataset.keys()), key=lambda tag: tag.group):
        part = Dataset()
        for tag in tags:
            part[tag] = dataset[tag]
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_dataset(buffer, part, parent_encoding="utf-8")
        encoded = buffer.getvalue()
        if dialect.writes_group_lengths:
            encoded = struct.pack("<HH2sHI", group, 0, b"UL", 4, len(encoded)) + encoded
        written.append(encoded)
    return b"".join(written)
