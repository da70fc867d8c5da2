"""Programs of others as peers: dcmtk's senders and askers, and Orthanc in both directions."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from tests.dicom.node.conftest import EVERYTHING
from tests.dicom.node.shelves import an_object, as_file, dataset_bytes
from tests.dicom.peers import ORTHANC, orthanc_in, said

from bonescan.dicom.node.sending import Outcome, echo, send
from bonescan.dicom.node.settings import NodeSettings, Peer, Right

DCMTK = pytest.mark.skipif(
    not all(map(shutil.which, ("echoscu", "storescu", "findscu", "getscu", "movescu", "storescp"))),
    reason="dcmtk is not installed",
)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def titled(running, *more: str) -> list[str]:
    return ["-aet", "CAMERA", "-aec", "BONESCAN", *more, "127.0.0.1", str(running.node.port)]


@DCMTK
def test_dcmtk_echoes_stores_finds_and_gets(start, files, tmp_path):
    running = start()
    objects = [an_object("Ärzte^Anna", k, StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.1.1") for k in (1, 2)]
    paths = files(*objects)
    assert said("echoscu", *titled(running))[0] == 0
    assert said("echoscu", "-aet", "STRANGER", *titled(running)[2:])[0] != 0
    assert said("storescu", *titled(running), *paths)[0] == 0
    assert len(running.shelf.index) == 2
    for path, (_, stored) in zip(paths, running.shelf.index.values(), strict=True):
        assert dataset_bytes(stored.path.read_bytes()) == dataset_bytes(path.read_bytes())

    ended, words = said("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyDate=20260101-", "-k",
                        "PatientName", "-k", "StudyInstanceUID", *titled(running))  # fmt: skip
    assert (ended, words.count("UI [1.2.1"), words.count("ISO_IR 192")) == (0, 1, 1)

    (got := tmp_path / "got").mkdir()
    ended, words = said("getscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2.1",
                        "-od", got, *titled(running))  # fmt: skip
    assert ended == 0, words
    # as dcmtk writes it the head may differ, the data set does not
    assert sorted(dataset_bytes(path.read_bytes()) for path in got.iterdir()) == sorted(
        dataset_bytes(path.read_bytes()) for path in paths
    )


@DCMTK
def test_dcmtk_stores_compressed_objects_as_they_are(start, tmp_path):
    running = start()
    if not shutil.which("dcmcjpls"):
        pytest.skip("dcmcjpls is not installed")
    one = an_object()
    one.Rows = one.Columns = 64
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsStored, one.HighBit, one.PixelRepresentation = 16, 15, 0
    (plain := tmp_path / "plain.dcm").write_bytes(as_file(one))
    packed = tmp_path / "packed.dcm"
    assert said("dcmcjpls", plain, packed)[0] == 0
    ended, words = said("storescu", "-xt", *titled(running), packed)
    assert ended == 0, words
    (received,) = running.shelf.given
    assert received.transfer_syntax_uid == "1.2.840.10008.1.2.4.80"  # JPEG-LS lossless
    assert dataset_bytes(received.content) == dataset_bytes(packed.read_bytes())


@DCMTK
def test_dcmtk_moves_to_a_dcmtk_listener(start, files, tmp_path):
    port = free_port()
    (there := tmp_path / "there").mkdir()
    viewer = Peer(ae_title="VIEWER", host="127.0.0.1", port=port)
    running = start(viewer, Peer(ae_title="CAMERA", host="127.0.0.1", may=EVERYTHING))
    listener = subprocess.Popen(
        ["storescp", "-aet", "VIEWER", "-od", str(there), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        one = an_object(StudyInstanceUID="1.2.1")
        assert send(files(one), running.as_peer, NodeSettings(ae_title="CAMERA"))[0].outcome is Outcome.STORED
        ended, words = said("movescu", "-S", "-aem", "VIEWER", "-k", "QueryRetrieveLevel=STUDY", "-k",
                            "StudyInstanceUID=1.2.1", *titled(running))  # fmt: skip
        assert ended == 0, words
        (moved,) = there.iterdir()
        assert dataset_bytes(moved.read_bytes()) == dataset_bytes(as_file(one))
    finally:
        listener.terminate()
        listener.wait(10)


@pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed")
def test_orthanc_takes_what_is_sent_and_sends_it_back_and_asks_for_commitment(start, files, tmp_path):
    import json
    import time

    dicom_port = free_port()
    orthanc = Peer(ae_title="ORTHANC", host="127.0.0.1", port=dicom_port, may=EVERYTHING - {Right.MOVE}, results=True)
    running = start(orthanc)
    one = an_object(pixels=16)
    paths: list[Path] = files(one)
    (folder := tmp_path / "orthanc").mkdir()
    modality = {"AET": "BONESCAN", "Host": "127.0.0.1", "Port": running.node.port}
    more = {
        "DicomServerEnabled": True,
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "DicomModalities": {"bonescan": {**modality, "AllowStorageCommitment": True}},
    }
    with orthanc_in(folder, more) as server:
        as_node = NodeSettings(ae_title="BONESCAN")
        assert echo(orthanc, as_node)
        assert send(paths, orthanc, as_node)[0].outcome is Outcome.STORED
        (instance,) = server.told("/instances")
        assert dataset_bytes(server.ask(f"/instances/{instance}/file")) == dataset_bytes(paths[0].read_bytes())

        server.ask("/modalities/bonescan/echo", b"{}")
        server.ask("/modalities/bonescan/store", instance.encode())
        assert list(running.shelf.index) == [one.SOPInstanceUID]

        asked = {"DicomInstances": [[one.SOPClassUID, one.SOPInstanceUID]]}
        path = server.told("/modalities/bonescan/storage-commitment", json.dumps(asked).encode())["Path"]
        for _ in range(100):
            if (told := server.told(path))["Status"] != "Pending":
                break
            time.sleep(0.1)
        assert told["Status"] == "Success", told

        found = server.told(
            "/modalities/bonescan/query", json.dumps({"Level": "Study", "Query": {"PatientID": "P*"}}).encode()
        )
        assert len(server.told(f"{found['Path']}/answers")) == 1
