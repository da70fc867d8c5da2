"""A study that comes over DICOMweb, stored by another's client, until its reading is on the page."""

from __future__ import annotations

from pathlib import Path

import httpx2 as httpx
import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset
from requests import Session
from tests.journeys.department import PASSWORD, PERSON, free_port, serving, study_of_a_needle, until

pytestmark = pytest.mark.long


def test_what_a_machine_stores_over_http_is_read_by_itself(tmp_path: Path):
    _, dataset = study_of_a_needle(tmp_path)
    uid = str(dataset.StudyInstanceUID)
    settings = f"[dicom]\nport = {free_port()}\n[archive]\nquiet_s = 1.0\n"
    with serving(tmp_path / "archive", settings) as department:
        address = department.said(r"The workstation is at (\S+)")[1]
        code = department.said(r"type this code: (\S+)")[1]
        with httpx.Client(base_url=address, timeout=60) as person:
            first = {"code": code, "name": "Admin", "password": PASSWORD}
            token = {"X-CSRF-Token": person.get("/api/v1/session").json()["csrf"]}
            token = {"X-CSRF-Token": person.post("/api/v1/setup", json=first, headers=token).json()["csrf"]}
            camera = {"name": "camera", "role": "technologist"}
            machine = Session()
            shown = person.post("/api/v1/tokens", json=camera, headers=token).json()["token"]
            machine.headers["Authorization"] = f"Bearer {shown}"
            client = DICOMwebClient(f"{address.rstrip('/')}/dicomweb", session=machine)

            told = client.store_instances([dataset])
            assert [one.ReferencedSOPInstanceUID for one in told.ReferencedSOPSequence] == [dataset.SOPInstanceUID]

            def lines() -> list[dict[str, object]]:
                return person.get("/api/v1/studies").json()["studies"]

            until(lambda: [one["state"] for one in lines()] == ["read"], 300)
            (line,) = lines()
            assert (line["study_uid"], line["patient_name"]) == (uid, PERSON["PatientName"])
            page = person.get(f"/api/v1/studies/{uid}/readings/1/report.html")
            assert page.status_code == 200
            assert line["reading"]["conclusion"].split(":")[0] in page.text

            (found,) = client.search_for_studies(search_filters={"PatientID": PERSON["PatientID"]})
            assert Dataset.from_json(found).StudyInstanceUID == uid
            (back,) = client.retrieve_study(uid)
            assert back.PixelData == dataset.PixelData
        department.end()
        assert "Needle" not in "".join(department.raw)
