"""A department: a study in Orthanc, moved to a running server, read there, and its results back in Orthanc."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from tests.dicom.peers import ORTHANC, orthanc_in
from tests.journeys.department import PASSWORD, PERSON, Department, free_port, serving, study_of_a_needle, until

pytestmark = pytest.mark.long

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"


@pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed")
def test_from_orthanc_to_a_reading_and_back_under_the_same_study(tmp_path: Path):
    path, dataset = study_of_a_needle(tmp_path)
    node_port, orthanc_port = free_port(), free_port()
    (home := tmp_path / "orthanc").mkdir()
    orthanc_is = {
        "DicomServerEnabled": True,
        "DicomPort": orthanc_port,
        "DicomAet": "ORTHANC",
        "LuaScripts": [str(tmp_path / "to-bonescan.lua")],
        "StableAge": 1,
        "DicomModalities": {
            "bonescan": {"AET": "BONESCAN", "Host": "127.0.0.1", "Port": node_port},
            "viewer": {"AET": "VIEWER", "Host": "127.0.0.1", "Port": 1, "AllowMove": True},
        },
    }
    settings = f"""
[dicom]
port = {node_port}
[dicom.peers.orthanc]
ae_title = "ORTHANC"
host = "127.0.0.1"
port = {orthanc_port}
may = ["echo", "store", "find", "move", "get"]
results = true
[archive]
quiet_s = 1.0
"""
    page = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
    (tmp_path / "to-bonescan.lua").write_text(page.split("```lua\n")[1].split("```")[0], encoding="utf-8")
    with orthanc_in(home, orthanc_is) as orthanc, serving(tmp_path / "archive", settings) as department:
        department.said("Listening as BONESCAN")
        orthanc.ask("/instances", path.read_bytes())  # the script of the page sends it on
        results = tmp_path / "archive" / "results"
        until(lambda: list(results.glob("*/*/run.json")), 300)

        (reading,) = (found.parent for found in results.glob("*/*/run.json"))
        send = ["send", str(reading / "dicom_results"), "--to", f"127.0.0.1:{orthanc_port}", "--ae-title", "ORTHANC"]
        program = "from bonescan.cli import main; main()"
        assert subprocess.run([sys.executable, "-c", program, *send, "--as", "BONESCAN"]).returncode == 0

        (study,) = orthanc.told("/studies")
        assert orthanc.told(f"/studies/{study}")["MainDicomTags"]["StudyInstanceUID"] == dataset.StudyInstanceUID
        assert orthanc.told(f"/studies/{study}")["PatientMainDicomTags"]["PatientID"] == PERSON["PatientID"]
        modalities = {
            orthanc.told(f"/series/{one}")["MainDicomTags"]["Modality"]
            for one in orthanc.told(f"/studies/{study}")["Series"]
        }
        assert {"NM", "SR", "SEG", "DOC", "KO"} <= modalities

        # by Orthanc's own word for sending, and by a viewer's for moving: the same objects are not read again
        orthanc.ask("/modalities/bonescan/store", study.encode())
        assert move(orthanc_port, dataset.StudyInstanceUID) == 0x0000
        assert len(list(results.glob("*/*/run.json"))) == 1
        look_at_everything(department, str(dataset.StudyInstanceUID))
        department.end()
        said = "".join(department.raw)
        assert "stored" in said
        assert '"event": "request"' in said
        for needle in ("Needle", "Nadia", "NEEDLE", "ACC-", str(dataset.StudyInstanceUID), str(dataset.SOPInstanceUID)):
            assert needle not in said, needle


def move(port: int, study_uid: str) -> int:
    """What a viewer gets for an answer when it has Orthanc move a study to bonescan."""
    viewer = AE(ae_title="VIEWER")
    viewer.add_requested_context(STUDY_ROOT_MOVE)
    association = viewer.associate("127.0.0.1", port, ae_title="ORTHANC")
    assert association.is_established
    wanted = Dataset()
    wanted.QueryRetrieveLevel, wanted.StudyInstanceUID = "STUDY", study_uid
    answers = [status for status, _ in association.send_c_move(wanted, "BONESCAN", STUDY_ROOT_MOVE)]
    association.release()
    return int(answers[-1].Status)


def look_at_everything(department: Department, study_uid: str) -> None:
    """Make the first administrator, fail a sign-in, and open what a physician opens."""
    address = department.said(r"The workstation is at (\S+)")[1]
    code = department.said(r"type this code: (\S+)")[1]
    with httpx.Client(base_url=address, timeout=60) as client:
        token = {"X-CSRF-Token": client.get("/api/v1/session").json()["csrf"]}
        made = {"code": code, "name": "Ada", "password": PASSWORD}
        made_now = client.post("/api/v1/setup", json=made, headers=token)
        assert made_now.status_code == 201
        token = {"X-CSRF-Token": made_now.json()["csrf"]}
        found = client.get("/api/v1/studies", params={"search": "Needle"}).json()["studies"]
        assert [one["patient_name"] for one in found] == [PERSON["PatientName"]]
        assert found[0]["state"] == "read"
        for page in ("", "/views/anterior", "/readings/1/report.html", "/readings/1/reading.json", "/no/such"):
            client.get(f"/api/v1/studies/{study_uid}{page}")
        client.get(f"/study/{study_uid}")
        wrong = {"name": "Needle Nadia", "password": "Needle"}
        assert client.post("/api/v1/session", json=wrong, headers=token).status_code == 401
