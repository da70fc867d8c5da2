"""A real scan through everything: read, edited by the real desk process, signed, amended, and sent to another node."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from tests.workstation.conftest import CHEAP, PASSWORD, Browser

from bonescan.archive import Archive, JobState, Queue, run_worker
from bonescan.archive.results import folder_digest
from bonescan.archive.settings import Settings
from bonescan.archive.upkeep import check
from bonescan.dicom.node import ReceivedObject
from bonescan.dicom.node.serving import serve as serve_node
from bonescan.dicom.node.settings import NodeSettings, Peer
from bonescan.workstation import HttpSettings, Role, Workstation

pytestmark = pytest.mark.long

PATIENCE_S = 300.0  # how long it waits before it gives up; nothing is measured
SR = "1.2.840.10008.5.1.4.1.1.88.34"  # Comprehensive 3D SR Storage


@contextmanager
def worker(archive: Archive, node: NodeSettings) -> Iterator[Callable[[], None]]:
    """A worker; what it gives waits until there is nothing left to do."""
    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(archive, stop), kwargs={"node": node})
    thread.start()
    queue = Queue(archive.database, lease_s=30, attempts=1)

    def done() -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            jobs = queue.jobs()
            if jobs and all(job.state in (JobState.DONE, JobState.DEAD) for job in jobs):
                break
            time.sleep(0.05)
        assert [(job.kind, job.reason) for job in queue.jobs() if job.state is not JobState.DONE] == []

    try:
        yield done
    finally:
        stop.set()
        thread.join()


def keep(archive: Archive, path: Path) -> str:
    dataset = dcmread(path, stop_before_pixels=True)
    archive.keep(
        ReceivedObject(
            content=path.read_bytes(),
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
            calling_ae="CAM",
            received_at=datetime.now(UTC),
        )
    )
    return str(dataset.StudyInstanceUID)


def report_of(folder: Path) -> Any:
    (found,) = [one for path in (folder / "dicom_results").glob("*.dcm") if (one := dcmread(path)).SOPClassUID == SR]
    return found


def test_a_scan_is_read_edited_signed_amended_and_sent(tmp_path: Path):
    from bonescan.journeys import example_scan

    quick = Settings(reserve_gib=0.0, quiet_s=0.0, memory_limit_gib=0.0)
    sender = Peer(ae_title="BONESCAN")
    with Archive(tmp_path / "pacs", quick) as pacs, Archive(tmp_path / "archive", quick) as archive:
        there = serve_node(pacs, NodeSettings(ae_title="PACS", port=0, peers=(sender,)), spool=tmp_path / "spool")
        with there as opened:
            receiver = Peer(ae_title="PACS", host="127.0.0.1", port=opened.port, results=True)
            node = NodeSettings(peers=(receiver,))
            uid = keep(archive, example_scan())
            with worker(archive, node) as done:
                done()
                workstation = Workstation(archive, HttpSettings(), hasher=CHEAP, node=node)
                workstation.rooms.people.add("Dr. Ada", Role.PHYSICIAN, PASSWORD, actor="test")
                try:
                    with Browser(workstation.app, base_url="http://localhost") as ada:
                        ada.sign_in("Dr. Ada")
                        first = edited_and_signed(ada, uid)
                        done()
                        digests = [folder_digest(one.folder) for one in archive.results.of_study(uid)]
                        amended(ada, uid, first)
                        done()
                        sent = ada.get(f"/api/v1/studies/{uid}/sendings").json()["sendings"]
                finally:
                    workstation.rooms.desk.close()
            versions = archive.results.of_study(uid)
            assert [(one.version, one.signed_by, one.amends) for one in versions] == [
                (1, "", 0), (2, "Dr. Ada", 0), (3, "Dr. Ada", 2),
            ]  # fmt: skip
            assert [folder_digest(one.folder) for one in versions][:2] == digests  # an amendment changes nothing signed
            signed, replaced = report_of(versions[1].folder), report_of(versions[2].folder)
            assert (signed.VerificationFlag, replaced.VerificationFlag) == ("VERIFIED", "VERIFIED")
            (named,) = replaced.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
            assert named.ReferencedSOPInstanceUID == signed.SOPInstanceUID
            findings = [json.loads((one.folder / "reading.json").read_bytes())["findings"] for one in versions]
            assert len(findings[1]) == len(findings[2]) == len(findings[0]) - 1
            assert [(one["to"], one["version"], one["state"]) for one in sent] == [
                ("PACS", 3, "sent"), ("PACS", 2, "sent"),
            ]  # fmt: skip
            assert pacs.holds([(SR, signed.SOPInstanceUID), (SR, replaced.SOPInstanceUID)]) == [True, True]
            assert check(archive).well


def edited_and_signed(ada: Browser, uid: str) -> list[dict[str, Any]]:
    path = f"/api/v1/studies/{uid}/draft"
    number = ada.post(path, json={"version": 1}).json()["number"]
    before = ada.get(f"{path}/reading").json()["reading"]
    assert before == ada.get(f"/api/v1/studies/{uid}/readings/1/reading.json").json()
    wrong = ada.post(f"{path}/edits", json={"number": number, "edit": {"do": "delete", "finding": 4711}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "edit")
    edit = {"do": "delete", "finding": before["findings"][0]["id"]}
    after = ada.post(f"{path}/edits", json={"number": number, "edit": edit}).json()
    assert len(after["reading"]["findings"]) == len(before["findings"]) - 1
    undone = ada.post(f"{path}/undo", json={"number": after["draft"]["number"]}).json()
    assert undone["reading"]["findings"] == before["findings"]
    again = ada.post(f"{path}/redo", json={"number": undone["draft"]["number"]}).json()
    assert again["reading"] == after["reading"]
    text = {"number": again["draft"]["number"], "text": {"interpretation.text": "No metastases."}}
    number = ada.put(f"{path}/text", json=text).json()["number"]
    assert ada.post(f"{path}/sign", json={"number": number, "password": PASSWORD}).status_code == 202
    return [edit]


def amended(ada: Browser, uid: str, edits: list[dict[str, Any]]) -> None:
    path = f"/api/v1/studies/{uid}/draft"
    held = ada.post(path, json={"version": 2}).json()
    assert [one.pop("by") for one in held["edits"]] == ["Dr. Ada"]
    assert all(one.pop("at") for one in held["edits"])
    assert held["edits"] == edits
    assert held["text"] == {"interpretation.text": "No metastases."}
    said = {"number": held["number"], "password": PASSWORD, "reason": "A word was missing."}
    text = {"number": held["number"], "text": {"interpretation.text": "No sign of metastases."}}
    said["number"] = ada.put(f"{path}/text", json=text).json()["number"]
    assert ada.post(f"{path}/sign", json=said).status_code == 202
