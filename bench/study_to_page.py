"""How long a study takes from dcmtk's storescu to its finished reading on the study's page.

    python -m bench.study_to_page [--studies 5] [--wait-s 60]

Simulated two-view studies, each of another patient, are sent one after another to `bonescan serve` in a process of its
own. What is measured begins when storescu is started and ends when the page's own request for the study says that it
is read. The first study after an installation (an empty NUMBA_CACHE_DIR) takes longer when it comes before the server
had time to rehearse, which --wait-s gives it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import httpx2 as httpx
from pydicom import dcmread
from tests.journeys.department import PASSWORD, free_port, serving

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.journeys.simulation import Settings as Simulated
from bonescan.journeys.simulation import simulate
from bonescan.workstation import HttpSettings, Role, Workstation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=5)
    parser.add_argument("--wait-s", type=float, default=0.0, help="between the server's start and the first study")
    options = parser.parse_args()
    studies = options.studies
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        files = []
        for number in range(studies):
            simulate(
                "single_metastasis", folder / str(number), seed=number, settings=Simulated(fast=True, volumes=False)
            )
            (file,) = (folder / str(number)).rglob("*.dcm")
            files.append(file)
        with Archive(folder / "archive", Settings(reserve_gib=0)) as archive:
            Workstation(archive, HttpSettings()).rooms.people.add("Ada", Role.PHYSICIAN, PASSWORD, actor="bench")
        dicom = free_port()
        settings = f'[dicom]\nport = {dicom}\n[dicom.peers.camera]\nae_title = "CAMERA"\n'
        with serving(folder / "archive", settings) as department:
            client = signed_in(department.said(r"The workstation is at (\S+)")[1])
            time.sleep(options.wait_s)
            for file in files:
                uid = dcmread(file, stop_before_pixels=True).StudyInstanceUID
                began = time.perf_counter()
                subprocess.run(
                    [shutil.which("storescu"), "-aet", "CAMERA", "-aec", "BONESCAN", "127.0.0.1", str(dicom), file],
                    check=True,
                )
                while client.get(f"/api/v1/studies/{uid}").json().get("state") != "read":
                    time.sleep(0.05)
                print(f"{time.perf_counter() - began:.1f} s", flush=True)
            department.end()


def signed_in(address: str) -> httpx.Client:
    client = httpx.Client(base_url=address, timeout=60)
    client.headers["X-CSRF-Token"] = client.get("/api/v1/session").json()["csrf"]
    client.post("/api/v1/session", json={"name": "Ada", "password": PASSWORD}).raise_for_status()
    return client


if __name__ == "__main__":
    main()
