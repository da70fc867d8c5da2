"""How fast the DICOM node takes objects, with the archive behind it: from eight senders at once, and one whole study.

    python bench/node_speed.py [--objects 50] [--senders 8] [--studies 10] [--shelf archive|nothing]

The senders are dcmtk's storescu, each a process of its own, on the same machine and its same cores. An object is a
two-view whole-body study, 1 MiB of pixels. What is measured ends when storescu does: when it has its acknowledgements,
each given after the archive's fsync.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, NuclearMedicineImageStorage, generate_uid

from bonescan.archive import Archive
from bonescan.dicom.node import Kept
from bonescan.dicom.node.serving import serve
from bonescan.dicom.node.settings import NodeSettings, Peer


class Nothing:
    """A shelf that keeps nothing: what the network alone costs."""

    def keep(self, received: Any) -> Kept:
        return Kept.NEW


def write_object(path: Path, rng: np.random.Generator) -> None:
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = NuclearMedicineImageStorage
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.PatientID, one.PatientName, one.Modality = path.stem, "Bench^Speed", "NM"
    one.StudyDate, one.SeriesNumber, one.InstanceNumber = "20260304", 1, 1
    one.NumberOfFrames, one.Rows, one.Columns = 2, 1024, 256
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 16, 15, 0
    one.PixelData = rng.poisson(4, (2, 1024, 256)).astype(np.uint16).tobytes()
    one.save_as(path, enforce_file_format=True)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--objects", type=int, default=50, help="of each sender")
    ask.add_argument("--senders", type=int, default=8)
    ask.add_argument("--studies", type=int, default=10, help="sent alone, one after the other")
    ask.add_argument("--shelf", choices=("archive", "nothing"), default="archive")
    chosen = ask.parse_args()
    if not shutil.which("storescu"):
        sys.exit("needs dcmtk's storescu")
    rng = np.random.default_rng(551)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        groups = [folder / f"sender{number}" for number in range(chosen.senders)]
        for group in groups:
            group.mkdir()
            for number in range(chosen.objects):
                write_object(group / f"{number}.dcm", rng)
        (alone := folder / "alone").mkdir()
        for number in range(chosen.studies):
            write_object(alone / f"{number}.dcm", rng)
        shelf: Any = Archive(folder / "archive") if chosen.shelf == "archive" else Nothing()
        settings = NodeSettings(port=0, peers=(Peer(ae_title="CAMERA"),))
        with serve(shelf, settings, spool=folder / "spool") as node:
            storescu = ["storescu", "-aet", "CAMERA", "-aec", "BONESCAN", "+sd", "127.0.0.1", str(node.port)]
            times = []
            for path in sorted(alone.iterdir()):
                began = time.perf_counter()
                subprocess.run([*[word for word in storescu if word != "+sd"], path], check=True)
                times.append(time.perf_counter() - began)
            began = time.perf_counter()
            running = [subprocess.Popen([*storescu, group]) for group in groups]
            failed = sum(process.wait() != 0 for process in running)
            took = time.perf_counter() - began
        count = chosen.senders * chosen.objects
        print(f"shelf: {chosen.shelf}")
        print(
            f"one two-view study, storescu's start to its end: median {statistics.median(times):.3f} s, "
            f"worst {max(times):.3f} s of {len(times)}"
        )
        print(
            f"{chosen.senders} senders of {chosen.objects} objects: {took:.1f} s, {count / took:.0f} objects/s, "
            f"{count / took * 1.05:.0f} MB/s, {failed} senders failed"
        )
        if isinstance(shelf, Archive):
            print(f"kept: {sum(1 for _ in shelf.objects.files())} of {count + chosen.studies}")
            shelf.close()


if __name__ == "__main__":
    main()
