"""How quick the workstation is with ten thousand studies, and what random requests make of it.

    python bench/workstation.py [--studies 10000] [--repeats 30]
    python bench/workstation.py --fuzz      needs schemathesis: thousands of requests made from the OpenAPI

Rows of studies and readings are written straight into an index, of which one study has a real object with two views;
then a browser's requests are timed over loopback, from the request to the first byte and to the last.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2 as httpx
import numpy as np
from pydicom import dcmread
from sqlalchemy import insert

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.archive.tables import job, result, study
from bonescan.dicom import write_scan
from bonescan.dicom.node import ReceivedObject
from bonescan.scan import PatientFacts, Scan, View, ViewName
from bonescan.workstation import HttpSettings, Role, Workstation, serve
from bonescan.workstation.tables import told

PASSWORD = "three words nobody expects"
STUDY = "2.25.1"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=XX'


def fill(archive: Archive, studies: int) -> None:
    """Write rows of studies that were read, a tenth of them urgent and unsigned."""
    rng = np.random.default_rng(500)
    days = rng.integers(0, 365 * 5, studies)
    rows, jobs, results, facts = [], [], [], []
    for number in range(studies):
        uid = f"1.2.826.0.1.{number}"
        date = (np.datetime64("2021-01-01") + days[number]).item().strftime("%Y%m%d")
        rows.append({"StudyInstanceUID": uid, "PatientID": f"ID{number}", "PatientName": f"Simulated^Person {number}",
                     "StudyDate": date, "StudyTime": "101500", "StudyDescription": "Bone scan, simulated",
                     "revision": 1, "queued_revision": 1})  # fmt: skip
        jobs.append({"kind": "read", "StudyInstanceUID": uid, "revision": 1, "state": "done"})
        results.append({"StudyInstanceUID": uid, "version": 1, "folder": f"f{number}", "made_at": "",
                        "job_id": number + 1, "signed_by": "" if number % 3 else "Dr. A"})  # fmt: skip
        facts.append({"StudyInstanceUID": uid, "version": 1, "folder": f"f{number}", "conclusion": "No finding. " * 8,
                      "metastases_likelihood": 0.1, "bone_scan_index_percent": 0.5, "bone_findings": 2,
                      "urgent": number % 10 == 1})  # fmt: skip
    with archive.database.write() as connection:
        for table, some in ((study, rows), (job, jobs), (result, results), (told, facts)):
            connection.execute(insert(table), some)


def keep_views(archive: Archive) -> None:
    counts = np.random.default_rng(501).poisson(4.0, (2, 1024, 256)).astype(np.float32)
    views = tuple(
        View(
            name=name,
            counts=counts[k],
            row_spacing_mm=2.4,
            column_spacing_mm=2.4,
            duration_s=600.0,
            identity_basis="simulated",
        )
        for k, name in enumerate(ViewName)
    )
    scan = Scan(views=views, patient=PatientFacts(name="Simulated^Person", patient_id="S"), study_uid=STUDY, sources=())
    (content,) = write_scan(scan).values()
    said = dcmread(io.BytesIO(content), stop_before_pixels=True)
    archive.keep(
        ReceivedObject(
            content=content,
            sop_class_uid=said.SOPClassUID,
            sop_instance_uid=said.SOPInstanceUID,
            transfer_syntax_uid=said.file_meta.TransferSyntaxUID,
            calling_ae="CAM",
            received_at=datetime.now(UTC),
        )
    )


def timed(client: httpx.Client, path: str, repeats: int) -> str:
    first, whole, size = [], [], 0
    for _ in range(repeats):
        began = time.perf_counter()
        with client.stream("GET", path) as answer:
            first.append(time.perf_counter() - began)
            size = len(answer.read())
            whole.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.read()
    middle, worst = (1000 * statistics.median(first), 1000 * max(whole))
    return f"{path[:58]:58} {middle:7.1f} {1000 * statistics.median(whole):7.1f} {worst:7.1f} {size / 1024:8.0f}"


def signed_in(port: int) -> httpx.Client:
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    for body in (None, {"name": "Ada", "password": PASSWORD}):
        answer = client.get("/api/v1/session") if body is None else client.post("/api/v1/session", json=body)
        client.headers["X-CSRF-Token"] = answer.json()["csrf"]
    return client


def fuzz(client: httpx.Client, examples: int) -> dict[str, int]:
    """Requests made from the OpenAPI, right and wrong: no answer may be a fault of the server. Answers by status."""
    import schemathesis
    from hypothesis import HealthCheck, given, settings

    @schemathesis.serializer("multipart/related")
    def parts(_: object, value: object) -> bytes:
        content = getattr(value, "data", str(value).encode("utf-8", "replace"))
        return b"--XX\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--XX--"

    described = client.get("/openapi.json").json()
    described["paths"].pop("/api/v1/changes")  # it waits by design
    counted: dict[str, int] = {}
    for found in schemathesis.openapi.from_dict(described).get_all_operations():
        operation = found.ok()
        if operation.path == "/api/v1/session" and operation.method.upper() == "DELETE":
            continue  # this and a new password end the sign-in
        if operation.path.endswith("/password"):
            continue

        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def ask(case: schemathesis.Case) -> None:
            wanted = case.as_transport_kwargs(base_url=str(client.base_url))
            body = {name: wanted[name] for name in ("json", "params") if wanted.get(name) is not None}
            if case.media_type == "multipart/related":
                body |= {"content": wanted.get("data") or b"", "headers": {"Content-Type": MULTIPART}}
            try:
                answer = client.request(wanted["method"], wanted["url"], **body)
            except (httpx.InvalidURL, UnicodeEncodeError, httpx.LocalProtocolError):
                return  # no browser could send it
            counted[str(answer.status_code)] = counted.get(str(answer.status_code), 0) + 1
            assert answer.status_code < 500 or answer.status_code == 503, (case.path, answer.text)

        ask()
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--fuzz", action="store_true")
    parser.add_argument("--examples", type=int, default=200)
    options = parser.parse_args()
    settings = HttpSettings(port=0)
    with tempfile.TemporaryDirectory() as folder, Archive(Path(folder) / "archive", Settings(reserve_gib=0)) as archive:
        fill(archive, 50 if options.fuzz else options.studies)
        keep_views(archive)
        workstation = Workstation(archive, settings)
        workstation.rooms.people.add("Ada", Role.ADMIN, PASSWORD, actor="bench")
        with serve(archive, settings, workstation=workstation) as served:
            client = signed_in(served.port)
            if options.fuzz:
                print("answers by status:", dict(sorted(fuzz(client, options.examples).items())))
                return
            print(f"{'request':58} {'first':>7} {'whole':>7} {'worst':>7} {'KiB':>8}   (ms)")
            began = time.perf_counter()
            client.get(f"/api/v1/studies/{STUDY}").raise_for_status()
            print(f"{'a study of two views, opened for the first time':58} {1000 * (time.perf_counter() - began):7.1f}")
            for path in (
                "/api/v1/session",
                "/api/v1/studies",
                "/api/v1/studies?limit=500",
                "/api/v1/studies?search=person+4711",
                "/api/v1/studies?state=urgent",
                f"/api/v1/studies/{STUDY}",
                f"/api/v1/studies/{STUDY}/views/anterior",
                "/health",
            ):
                print(timed(client, path, options.repeats))


if __name__ == "__main__":
    main()
