"""What befalls a server in its life, done to it for real: full disk, database stopped, a huge object, silent peers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from tests.archive.conftest import Server
from tests.archive.made import object_of, part10
from tests.archive.test_worker import QUICK, WRITES, command

from bonescan.archive import Archive, JobState, Queue, audit, run_worker
from bonescan.archive.objects import file_digest
from bonescan.dicom.node.sending import Outcome, echo, send
from bonescan.dicom.node.serving import serve
from bonescan.dicom.node.settings import Limits, NodeSettings, Peer, Right
from bonescan.workstation.health import health_of

pytestmark = pytest.mark.long
HOUSE = Path(__file__).parents[2]
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
CAMERA = NodeSettings(ae_title="CAMERA")
NODE = NodeSettings(port=0, peers=(Peer(ae_title="CAMERA", may=frozenset(Right)),))
OBJECT_MIB = int(os.environ.get("BONESCAN_OBJECT_MIB", "192"))  # 2000 for the largest that is taken


def until(true: Callable[[], object]) -> None:
    whole = time.monotonic() + 90  # before it is given up; nothing is measured
    while not true():
        if time.monotonic() > whole:
            pytest.fail("it did not come")
        time.sleep(0.02)


def test_a_disk_that_is_full_at_any_point_loses_nothing_and_leaves_nothing(tmp_path: Path):
    inside = f'mount -t tmpfs -o size=24m none "$1" && exec "{sys.executable}" -m tests.archive.full_disk "$1" 4096'
    ways = ["unshare", "--map-root-user", "--mount", "sh", "-c", inside, "sh", str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run([*ways[:4], "-c", "mount -t tmpfs none /mnt"]).returncode:
        pytest.skip("no disk of one's own can be mounted here")
    environment = {**os.environ, "PYTHONPATH": f"{HOUSE / 'src'}{os.pathsep}{HOUSE}"}
    done = subprocess.run(ways, cwd=HOUSE, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["faults"] == []
    assert min(said["refused"], said["kept at once"]) >= 3  # both happened: from no room at all to room enough


def test_a_full_disk_uses_up_no_attempt_of_a_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    settings = replace(QUICK, reserve_gib=0.25)
    with Archive(tmp_path, settings) as archive:
        archive.keep(object_of(1))
        room = [2**20]
        monkeypatch.setattr(archive.objects, "free_bytes", lambda: room[0])
        stop = threading.Event()
        worker = threading.Thread(target=run_worker, args=(archive, stop), kwargs={"command": command(WRITES)})
        worker.start()
        try:
            queue = Queue(archive.database, lease_s=6.0, attempts=1)
            until(queue.jobs)
            time.sleep(1.0)  # ten turns of the worker
            assert [(job.state, job.attempts) for job in queue.jobs()] == [(JobState.WAITING, 0)]
            assert health_of(archive).status == "degraded"
            room[0] = 2**40
            until(lambda: [job.state for job in queue.jobs()] == [JobState.DONE])
        finally:
            stop.set()
            worker.join()


def test_a_database_that_is_stopped_and_started_again(
    tmp_path: Path, postgresql_server: Server, new_database: Callable[[], str]
):
    settings = replace(QUICK, database=new_database())
    files = []
    for number in range(1, 7):
        files.append(tmp_path / f"{number}.dcm")
        files[-1].write_bytes(part10(number, study=number))
    with Archive(tmp_path / "archive", settings) as archive, serve(archive, NODE, spool=tmp_path / "spool") as node:
        peer = Peer(ae_title="BONESCAN", host="127.0.0.1", port=node.port)
        stop = threading.Event()
        worker = threading.Thread(target=run_worker, args=(archive, stop), kwargs={"command": command(WRITES)})
        worker.start()
        try:
            assert [one.outcome for one in send(files[:2], peer, CAMERA)] == [Outcome.STORED] * 2
            postgresql_server.control("stop")
            told = send(files[2:4], peer, CAMERA, attempts=1)
            assert [(one.outcome, one.status) for one in told] == [(Outcome.UNDELIVERED, 0x0110)] * 2
            assert (health_of(archive).status, health_of(archive).database) == ("down", "gone")
            postgresql_server.control("start")
            assert [one.outcome for one in send(files, peer, CAMERA)] == [Outcome.STORED] * 6
            queue = Queue(archive.database, lease_s=6.0, attempts=1)
            until(lambda: [job.state for job in queue.jobs()] == [JobState.DONE] * 6)  # no one started it again
            assert archive.counts()["instance"] == 6
            assert health_of(archive).status == "ok"
        finally:
            stop.set()
            worker.join()
            postgresql_server.control("start")  # for other tests, if this one ended halfway


def test_a_huge_object_passes_through_little_memory(tmp_path: Path):
    """Sent from a sparse file to a server in a process of its own, whose memory Linux tells."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the memory of another process is not told here")
    huge = sparse_object(tmp_path / "huge.dcm", OBJECT_MIB * 2**20)
    folder = tmp_path / "archive"
    words = ["serve", "--folder", str(folder), "--no-http", "--dicom-port", "0", "--peer", "CAMERA"]
    server = subprocess.Popen(
        [sys.executable, "-c", "from bonescan.cli import main; main()", *words], stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.stderr is not None
        port = next(int(json.loads(line)["message"].split("port ")[1]) for line in server.stderr if "Listening" in line)
        threading.Thread(target=server.stderr.read, daemon=True).start()
        peer = Peer(ae_title="BONESCAN", host="127.0.0.1", port=port)
        until(lambda: echo(peer, CAMERA))
        before = peak_mib(server.pid)
        (sent,) = send([huge], peer, CAMERA, attempts=1)
        grown = peak_mib(server.pid) - before
    finally:
        server.terminate()
        server.wait()
    assert sent.outcome is Outcome.STORED
    assert grown < 64, f"{grown:.0f} MiB more for {OBJECT_MIB} MiB"
    with Archive(folder) as archive:
        (stored,) = archive.paths({"SOPInstanceUID": ["1.2.3.99"]})
        assert stored.size_bytes > OBJECT_MIB * 2**20
        assert file_digest(stored.path) == next(one for one in audit.entries(archive.database)).detail["sha256"]


def sparse_object(path: Path, pixels: int) -> Path:
    """An object of a study that is not read; its pixels are a hole in the file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CAPTURE, "1.2.3.99"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CAPTURE, "1.2.3.99"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality, ds.PatientID = "1.9.99", "1.9.99.1", "OT", "HUGE"
    ds.save_as(path, enforce_file_format=True)
    with path.open("ab") as file:
        file.write(bytes.fromhex("e07f1000") + b"OW\0\0" + pixels.to_bytes(4, "little"))
        file.truncate(path.stat().st_size + pixels)
    assert dcmread(path, stop_before_pixels=True).PatientID == "HUGE"
    return path


def peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def test_associations_whose_peers_are_gone_without_a_word_give_their_places_back(tmp_path: Path):
    """A peer that lost its power says nothing, not even that it is gone: nothing more comes, and nothing ends."""
    limits = Limits(associations=3, idle_s=1.0, opening_s=1.0)
    settings = replace(NODE, limits=limits)
    with Archive(tmp_path / "archive", QUICK) as archive, serve(archive, settings, spool=tmp_path / "spool") as node:
        peer = Peer(ae_title="BONESCAN", host="127.0.0.1", port=node.port)
        gone = [associated(node.port) for _ in range(3)]
        assert not echo(peer, CAMERA)  # every place is taken
        until(lambda: echo(peer, CAMERA))
        (tmp_path / "1.dcm").write_bytes(part10(1))
        assert send([tmp_path / "1.dcm"], peer, CAMERA)[0].outcome is Outcome.STORED
        for one in gone:
            one.close()


def associated(port: int) -> socket.socket:
    """A connection over which an association was agreed on, as raw bytes; then nobody is there."""

    def item(kind: int, content: bytes) -> bytes:
        return bytes([kind, 0]) + len(content).to_bytes(2, "big") + content

    context = bytes([1, 0, 0, 0]) + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, (16384).to_bytes(4, "big")) + item(0x52, b"1.2.3")
    items = item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
    fixed = b"\0\1\0\0" + b"BONESCAN".ljust(16) + b"CAMERA".ljust(16) + bytes(32)
    opened = socket.create_connection(("127.0.0.1", port), timeout=10)
    opened.sendall(b"\1\0" + (len(fixed) + len(items)).to_bytes(4, "big") + fixed + items)
    assert opened.recv(4096)[0] == 2  # accepted
    return opened
