"""A shelf to test the node with: files in a folder, an index in memory, and whatever failure a test wants."""

from __future__ import annotations

import fnmatch
import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid

from bonescan.dicom.node import Kept, Level, ReceivedObject, StoredObject
from bonescan.errors import InvalidValue, UnreadableInput

KEYS = {
    Level.PATIENT: ["PatientID", "PatientName", "PatientBirthDate", "PatientSex"],
    Level.STUDY: ["StudyInstanceUID", "StudyDate", "StudyDescription", "AccessionNumber"],
    Level.SERIES: ["SeriesInstanceUID", "Modality", "SeriesNumber"],
    Level.IMAGE: ["SOPInstanceUID", "SOPClassUID", "InstanceNumber"],
}
LEVELS = list(Level)
UNIQUE = {level: keys[0] for level, keys in KEYS.items()}


def an_object(name: str = "Doe^Jane", number: int = 1, *, pixels: int = 64, **more: object) -> Dataset:
    """A small nuclear medicine object; UIDs of its own unless they are given."""
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SpecificCharacterSet = "ISO_IR 192"
    one.SOPClassUID = NuclearMedicineImageStorage
    one.SOPInstanceUID = generate_uid()
    one.StudyDate, one.Modality, one.AccessionNumber = "20260304", "NM", f"A{number}"
    one.StudyDescription, one.SeriesNumber, one.InstanceNumber = "Bone scan", 1, number
    one.PatientName, one.PatientID, one.PatientSex, one.PatientBirthDate = name, f"P{number}", "F", "19600102"
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.BitsAllocated = 16
    one.PixelData = bytes(range(256)) * (pixels * pixels * 2 // 256 or 1)
    for keyword, value in more.items():
        setattr(one, keyword, value)
    one.file_meta.MediaStorageSOPClassUID = one.SOPClassUID
    one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
    return one


def as_file(one: Dataset) -> bytes:
    stream = io.BytesIO()
    one.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def dataset_bytes(file: bytes) -> bytes:
    """What follows the file meta information, whose length its first element states."""
    return file[144 + int.from_bytes(file[140:144], "little") :]


class FolderShelf:
    """Keeps the first object of every UID, and remembers in which order things happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.index: dict[str, tuple[dict[str, str], StoredObject]] = {}
        self.given: list[ReceivedObject] = []
        self.fails: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self._lock = threading.Lock()

    def keep(self, received: ReceivedObject) -> Kept:
        assert self.gate.wait(20)
        if self.fails is not None:
            raise self.fails
        content = received.content if isinstance(received.content, bytes) else received.content.read_bytes()
        try:
            one = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
            facts = {
                keyword: "\\".join(map(str, value)) if isinstance(value := one.get(keyword, ""), list) else str(value)
                for keywords in KEYS.values()
                for keyword in keywords
            }
        except Exception as error:
            raise UnreadableInput("no DICOM") from error
        if not facts["SOPInstanceUID"]:
            raise UnreadableInput("no instance")
        if (facts["SOPInstanceUID"], facts["SOPClassUID"]) != (received.sop_instance_uid, received.sop_class_uid):
            raise InvalidValue("other UIDs")
        with self._lock:
            self.given.append(received)
            if received.sop_instance_uid in self.index:
                return Kept.SAME
            path = self.folder / f"{len(self.index)}.dcm"
            path.write_bytes(content)
            self.index[received.sop_instance_uid] = (
                facts,
                StoredObject(
                    path=path,
                    sop_class_uid=received.sop_class_uid,
                    sop_instance_uid=received.sop_instance_uid,
                    transfer_syntax_uid=received.transfer_syntax_uid,
                    study_instance_uid=facts["StudyInstanceUID"],
                    series_instance_uid=facts["SeriesInstanceUID"],
                    size_bytes=len(content),
                ),
            )
            return Kept.NEW

    def match(self, level: Level, keys: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        if self.fails is not None:
            raise self.fails
        known = [keyword for one in LEVELS[: LEVELS.index(level) + 1] for keyword in KEYS[one]]
        seen = set()
        for facts, _ in list(self.index.values()):
            if facts[UNIQUE[level]] in seen:
                continue
            if all(_fits(facts[key], wanted) for key, wanted in keys.items() if wanted and key in known):
                seen.add(facts[UNIQUE[level]])
                yield {key: facts[key] for key in known}

    def paths(self, uids: Mapping[str, Sequence[str]]) -> Iterator[StoredObject]:
        for facts, stored in list(self.index.values()):
            if uids and all(facts[key] in wanted for key, wanted in uids.items()):
                yield stored

    def holds(self, references: Sequence[tuple[str, str]]) -> list[bool]:
        return [uid in self.index and self.index[uid][1].sop_class_uid == class_uid for class_uid, uid in references]


def _fits(value: str, wanted: str) -> bool:
    if "\\" in wanted:
        return value in wanted.split("\\")
    first, dash, last = wanted.partition("-")
    if dash and (first + last).isdigit():
        return (not first or first <= value) and (not last or value <= last)
    return fnmatch.fnmatchcase(value, wanted)
