"""Small DICOM objects, and what a node would hand over of them."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from bonescan.dicom.node import ReceivedObject

NM = "1.2.840.10008.5.1.4.1.1.20"
RECEIVED = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def part10(
    number: int, *, study: int = 1, series: int = 1, modality: str = "NM", sender: str = "CAM", **said: object
) -> bytes:
    """The file of object `number`, 200 bytes of pixels that the number decides."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = NM
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    meta.TransferSyntaxUID = said.pop("syntax", ExplicitVRLittleEndian)
    meta.SourceApplicationEntityTitle = sender
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = NM, f"1.2.3.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.9.{study}", f"1.9.{study}.{series}"
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.StudyTime = f"ID-{study}", f"Doe^Jane^{study}", "20260704", "0915"
    ds.Modality, ds.InstanceNumber, ds.Rows, ds.Columns = modality, number, 10, 10
    ds.BitsAllocated = 16
    ds.PixelData = number.to_bytes(4, "little") * 50
    for keyword, value in said.items():
        setattr(ds, keyword, value)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def received(
    content: bytes | Path, number: int, *, sender: str = "CAM", syntax: str = ExplicitVRLittleEndian
) -> ReceivedObject:
    return ReceivedObject(
        content=content,
        sop_class_uid=NM,
        sop_instance_uid=f"1.2.3.{number}",
        transfer_syntax_uid=syntax,
        calling_ae=sender,
        received_at=RECEIVED,
    )


def object_of(number: int, **options: object) -> ReceivedObject:
    syntax = ImplicitVRLittleEndian if options.get("syntax") == ImplicitVRLittleEndian else ExplicitVRLittleEndian
    sender = str(options.get("sender", "CAM"))
    return received(part10(number, **options), number, sender=sender, syntax=syntax)
