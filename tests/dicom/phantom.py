"""Small synthetic bodies and the DICOM objects that cameras wrap them in, for the tests of the dicom room."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

NM_STORAGE = "1.2.840.10008.5.1.4.1.1.20"
PATIENT_NAME = "ZEBRAFINK^QUILLON"
PATIENT_ID = "IDENT48151623"
SHAPE = (512, 128)


def body(view: str, *, counts: float = 600_000, seed: int = 1, shape: tuple[int, int] = SHAPE) -> NDArray[np.uint16]:
    """Poisson counts of a stick figure with the proportions and the front-back differences of a real scan."""
    rows, columns = shape
    y = (np.arange(rows)[:, None] / rows - 0.03) / 0.94
    x = (np.arange(columns)[None, :] - columns / 2) / rows / 0.94
    front = view == "anterior"
    picture = np.zeros(shape)

    def add(inside: NDArray[np.bool_], uptake: float) -> None:
        picture[inside] += uptake

    add((np.abs(x) < 0.09 - 0.05 * np.abs(y - 0.3)) & (y > 0.12) & (y < 0.47), 1.5)  # soft tissue
    add(((y - 0.055) / 0.055) ** 2 + (x / 0.035) ** 2 < 1, 4)  # skull
    add((np.abs(x) < 0.012) & (y > 0.065) & (y < 0.105), 7 if front else 0)  # face
    add((np.abs(x) < 0.010) & (y > 0.10) & (y < 0.165), 7)
    add((np.abs(x) < 0.012) & (y > 0.165) & (y < 0.27), 13 if front else 14)  # thoracic spine, sternum
    add((np.abs(x) < 0.012) & (y > 0.27) & (y < 0.38), 4 if front else 15)  # lumbar spine
    add((np.abs(x) < 0.075) & (y > 0.17) & (y < 0.28) & (np.sin(y * 450) > 0), 3)  # ribs
    add((np.abs(x) < 0.065) & (np.abs(x) > 0.01) & (y > 0.37) & (y < 0.43), 7)  # pelvis
    for side in (-1, 1):
        add((np.abs(x - side * 0.045) < 0.011) & (y > 0.44) & (y < 0.99), 2.2)  # legs
        add((np.abs(x - side * 0.10) < 0.008) & (y > 0.15) & (y < 0.48), 1.6)  # arms
    picture += 0.05
    picture *= counts / picture.sum()
    return np.random.default_rng(seed + (7 if front else 0)).poisson(picture).astype(np.uint16)


def code(value: str, meaning: str, scheme: str = "SCT") -> Dataset:
    """One item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodeMeaning, item.CodingSchemeDesignator = value, meaning, scheme
    return item


def window(lower: float, upper: float, name: str = "") -> Dataset:
    """One item of the EnergyWindowInformationSequence."""
    limits = Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = lower, upper
    item = Dataset()
    item.EnergyWindowName = name
    item.EnergyWindowRangeSequence = [limits]
    return item


PHOTOPEAK = (129.96, 151.04)
ANTERIOR = code("399321004", "Anterior projection")
POSTERIOR = code("399001007", "Posterior projection")


def nm(
    frames: Sequence[NDArray[Any]],
    *,
    codes: Sequence[Dataset | None] | None = (ANTERIOR, POSTERIOR),
    angles: Sequence[float | None] | None = (180, 0),
    windows: Sequence[tuple[float, float]] = (PHOTOPEAK,),
    window_vector: Sequence[int] | None = None,
    detector_vector: Sequence[int] | None = None,
    kind: str = "WHOLE BODY",
    syntax: str = ExplicitVRLittleEndian,
    counts: int | str | None = "sum",
    study: str = "1.2.3.4",
    **attributes: object,
) -> FileDataset:
    """An NM Image Storage object as dciodvfy would pass it, but for the `attributes` that replace or (None) remove."""
    stack = np.stack(frames)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = NM_STORAGE
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[stack.tobytes().hex()[:2000], study, kind])
    meta.TransferSyntaxUID = syntax
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = NM_STORAGE, meta.MediaStorageSOPInstanceUID
    ds.PatientName, ds.PatientID, ds.PatientSex, ds.PatientBirthDate = PATIENT_NAME, PATIENT_ID, "M", "19500401"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, study + ".1"
    ds.Modality, ds.ImageType = "NM", ["ORIGINAL", "PRIMARY", kind, "EMISSION"]
    ds.StudyDate = ds.AcquisitionDate = "20260102"
    ds.StudyTime = ds.AcquisitionTime = "101500"
    ds.Manufacturer, ds.SeriesNumber = "TestWorks", 3
    ds.Rows, ds.Columns = stack.shape[1:]
    ds.NumberOfFrames, ds.SamplesPerPixel, ds.PhotometricInterpretation = len(stack), 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = stack.dtype.itemsize * 8
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(stack.dtype.kind == "i")
    ds.PixelSpacing = [4.0, 4.0]
    ds.FrameIncrementPointer = [0x00540010, 0x00540020]
    per_window = max(1, len(stack) // len(windows))
    ds.EnergyWindowVector = list(window_vector or [k // per_window + 1 for k in range(len(stack))])
    ds.DetectorVector = list(detector_vector or [k % per_window + 1 for k in range(len(stack))])
    ds.NumberOfEnergyWindows, ds.NumberOfDetectors = len(windows), per_window
    ds.EnergyWindowInformationSequence = [window(*limits) for limits in windows]
    tracer = Dataset()
    tracer.Radiopharmaceutical, tracer.RadionuclideTotalDose = "Tc-99m MDP", 650.0
    tracer.RadiopharmaceuticalStartTime = "070000"
    ds.RadiopharmaceuticalInformationSequence = [tracer]
    detectors = []
    for k in range(per_window):
        item = Dataset()
        if angles is not None and angles[k] is not None:
            item.StartAngle = angles[k]
        item.ViewCodeSequence = [codes[k]] if codes is not None and codes[k] is not None else []
        detectors.append(item)
    ds.DetectorInformationSequence = detectors
    if counts == "sum":
        counts = int(stack.astype(np.int64).sum())
    ds.CountsAccumulated = counts
    ds.ScanVelocity, ds.ScanLength = 2.0, 1900
    for keyword, value in attributes.items():
        if value is None:
            if keyword in ds:
                delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.PixelData = stack.tobytes()
    return ds


def both(**options: Any) -> FileDataset:
    """A whole-body object with an anterior and a posterior frame."""
    return nm([body("anterior"), body("posterior")], **options)


def secondary_capture(ds: FileDataset) -> FileDataset:
    """The same object under the Secondary Capture class, as NEMA's NM1 is."""
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    return ds


def written(ds: Dataset, **options: Any) -> bytes:
    """The bytes of a DICOM file."""
    target = io.BytesIO()
    pydicom.dcmwrite(target, ds, enforce_file_format=True, **options)
    return target.getvalue()
