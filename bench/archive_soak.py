"""Thousands of objects from many senders, duplicates among them, into a server that is killed again and again.

    python bench/archive_soak.py OUT --studies STUDIES
    python bench/archive_soak.py OUT --objects 500 --senders 4 --kills 3
    BONESCAN_DATABASE=postgresql+psycopg://... python bench/archive_soak.py OUT

`bonescan serve` runs in a process of its own and is ended by SIGKILL, mostly in the middle of many objects; it is
started again at once. Senders send what was not acknowledged until everything was. Small objects of modality OT fill
the archive; the files of --studies (DICOM of gamma cameras) are sent among them and have to be read. Then everything is
held against what was acknowledged. Exit status 1 if anything is missing, there twice, changed, half-written or not
read.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE

from bonescan.archive import Archive, JobState, Queue, check

CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
NM = "1.2.840.10008.5.1.4.1.1.20"
BATCH = 40


def filler(number: int) -> Dataset:
    """A small object that its number decides wholly."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CAPTURE, f"1.2.826.0.1.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.826.0.2.{number // 100}", f"1.2.826.0.3.{number // 20}"
    ds.PatientID, ds.PatientName, ds.StudyDate, ds.Modality = (
        f"P{number // 100}",
        f"Soak^{number // 100}",
        "20261123",
        "OT",
    )
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel, ds.PhotometricInterpretation = 15, 0, 1, "MONOCHROME2"
    ds.PixelData = number.to_bytes(4, "little") * 128
    return ds


class Server:
    """`bonescan serve`, started and killed."""

    def __init__(self, folder: Path, senders: int) -> None:
        self.folder, self.senders, self.starts, self.slowest_start_s = folder, senders, 0, 0.0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = (folder.parent / "serve.log").open("ab")

    def start(self) -> None:
        begun = time.monotonic()
        program = "from bonescan.cli import main; main()"
        peers = [word for number in range(self.senders) for word in ("--peer", f"S{number}")]
        words = ["serve", "--no-http", "--folder", str(self.folder), "--dicom-port", str(self.port), *peers]
        self.process = subprocess.Popen([sys.executable, "-c", program, *words], stderr=self.log, stdout=self.log)
        self.starts += 1
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - begun)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


class Sender(threading.Thread):
    """One camera: sends until all of its objects were acknowledged."""

    def __init__(self, name: str, port: int, numbers: list[int], files: list[Path], acknowledged: Counter[int]) -> None:
        super().__init__(daemon=True)
        self.title, self.port, self.left, self.files = name, port, numbers, files
        self.acknowledged, self.broken, self.refused = acknowledged, 0, Counter()

    def run(self) -> None:
        ae = AE(ae_title=self.title)
        ae.add_requested_context(CAPTURE, ExplicitVRLittleEndian)
        ae.add_requested_context(NM)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 20
        while self.left or self.files:
            association = ae.associate("127.0.0.1", self.port, ae_title="BONESCAN")
            if not association.is_established:
                self.broken += 1
                time.sleep(0.2)
                continue
            self._send_some(association)
            if association.is_established:
                association.release()

    def _send_some(self, association) -> None:
        batch = [*self.files[:1], *self.left[:BATCH]]
        for one in batch:
            try:
                status = association.send_c_store(str(one) if isinstance(one, Path) else filler(one))
            except (RuntimeError, ValueError, OSError):
                self.broken += 1
                return
            if status.get("Status") != 0x0000:
                self.refused[status.get("Status")] += 1
                return
            if isinstance(one, Path):
                self.files.remove(one)
            else:
                self.left.remove(one)
                self.acknowledged[one] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--studies", type=Path, help="folder with DICOM files of bone scans, to be read")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    server = Server(options.out / "archive", options.senders)
    server.start()
    studies = sorted(options.studies.rglob("*.dcm")) if options.studies else []
    acknowledged: Counter[int] = Counter()
    senders = []
    for number in range(options.senders):
        own = list(range(number, options.objects, options.senders))
        again = rng.sample(range(options.objects), options.objects // (4 * options.senders))  # others send them too
        own += again
        rng.shuffle(own)
        senders.append(Sender(f"S{number}", server.port, own, list(studies), acknowledged))
    total = sum(len(sender.left) for sender in senders)
    begun = time.monotonic()
    for sender in senders:
        sender.start()
    for kill in range(options.kills):
        while acknowledged.total() < total * (kill + 0.5) / (options.kills + 1) and any(s.is_alive() for s in senders):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        server.kill()
        server.start()
    for sender in senders:
        sender.join()
    what = f"{total} objects and {len(studies)} studies from {options.senders} senders"
    print(f"{what}, {options.kills} kills: {time.monotonic() - begun:.0f} s")
    refused = sum((s.refused for s in senders), Counter())
    print(f"{sum(s.broken for s in senders)} broken associations, refused: {dict(refused)}")
    print(f"slowest start {server.slowest_start_s:.1f} s")
    wait_for_readings(options.out / "archive", len(studies))
    status = server.stop()
    return judge(options.out / "archive", acknowledged, studies, status)


def wait_for_readings(folder: Path, studies: int) -> None:
    begun = time.monotonic()
    with Archive(folder) as archive:
        queue = Queue(archive.database, lease_s=30, attempts=3)
        while time.monotonic() - begun < 1800:
            jobs = queue.jobs()
            read = {job.study_instance_uid for job in jobs}
            if len(read) >= studies and all(job.state in (JobState.DONE, JobState.DEAD) for job in jobs):
                break
            time.sleep(0.5)
    print(f"all read {time.monotonic() - begun:.0f} s after the last was sent")


def judge(folder: Path, acknowledged: Counter[int], studies: list[Path], status: int) -> int:
    """Hold the archive against what was acknowledged; say every fault."""
    faults = [] if status == 0 else [f"the server ended with {status} when it was asked to stop"]
    with Archive(folder) as archive:
        uids = {f"1.2.826.0.1.{number}": number for number in acknowledged}
        held = Counter()
        for person in {f"P{number // 100}" for number in acknowledged}:
            for stored in archive.paths({"PatientID": [person]}):
                number = uids.get(stored.sop_instance_uid)
                held[number] += 1
                if dcmread(stored.path).PixelData != filler(number or 0).PixelData:
                    faults.append(f"{stored.sop_instance_uid} was changed")
        faults += [f"object {number} is there {held[number]} times" for number in acknowledged if held[number] != 1]
        for path in studies:
            said = dcmread(path, stop_before_pixels=True)
            (stored,) = archive.paths({"SOPInstanceUID": [said.SOPInstanceUID]})
            if dcmread(stored.path).PixelData != dcmread(path).PixelData:
                faults.append("a study's object was changed")
            if not archive.results.of_study(said.StudyInstanceUID):
                faults.append("a study was not read")
        report = check(archive)
        if not report.well:
            faults.append(f"the check found {report}")
        if left := [*archive.objects.incoming.iterdir()]:
            faults.append(f"{len(left)} files are left in incoming")
        if archive.counts()["conflict"]:
            faults.append(f"{archive.counts()['conflict']} conflicts where all duplicates were the same")
        queue = Queue(archive.database, lease_s=30, attempts=3)
        print("jobs:", dict(Counter(str(job.state) for job in queue.jobs())), "held:", archive.counts())
        print(f"interruptions: {sum(job.interruptions for job in queue.jobs())}, audit: {report.audit.entries} entries")
    print("\n".join(faults) or "every acknowledged object is there once, unchanged, and every study was read")
    return 1 if faults else 0


if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    sys.exit(main())
