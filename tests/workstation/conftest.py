"""A workstation over a small archive, people of every role, and browsers that behave as ours do."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from argon2 import PasswordHasher
from pydicom import dcmread
from sqlalchemy import event
from starlette.testclient import TestClient
from tests.archive.made import RECEIVED, object_of

from bonescan.archive import Archive
from bonescan.archive.settings import Settings
from bonescan.archive.tables import job, study
from bonescan.dicom import write_scan
from bonescan.dicom.node import ReceivedObject
from bonescan.scan import PatientFacts, Scan, View, ViewName
from bonescan.workstation import HttpSettings, Role, Workstation

PASSWORD = "three words nobody expects"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
STUDY = "1.9.1"


class Clock:
    """The machine's clock, in the test's hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Browser(TestClient):
    """Keeps the cookie, and sends the token that the session gave."""

    csrf = ""

    def learn(self, answer: httpx.Response) -> httpx.Response:
        if answer.is_success:
            self.csrf = answer.json()["csrf"]
        return answer

    def hello(self) -> httpx.Response:
        return self.learn(self.get("/api/v1/session"))

    def send(self, request: httpx.Request, **options: object) -> httpx.Response:
        if self.csrf and request.method != "GET":
            request.headers.setdefault("X-CSRF-Token", self.csrf)
        return super().send(request, **options)

    def sign_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        self.hello()
        return self.learn(self.post("/api/v1/session", json={"name": name, "password": password}))


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive's folder with all tables and nothing in them, to be copied: making the tables takes a while."""
    folder = tmp_path_factory.mktemp("empty") / "archive"
    Archive(folder, Settings(reserve_gib=0.0)).close()
    return folder


@pytest.fixture
def archive(tmp_path: Path, empty_archive: Path) -> Iterator[Archive]:
    shutil.copytree(empty_archive, tmp_path / "archive")
    with Archive(tmp_path / "archive", Settings(reserve_gib=0.0)) as opened:
        event.listen(opened.database.engine, "connect", _without_flush)
        opened.database.engine.dispose()
        yield opened


def _without_flush(connection: Any, _: object) -> None:
    """Nothing here pulls the plug: that what is written is flushed is tested with the archive."""
    connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workstation(archive: Archive, clock: Clock) -> Workstation:
    return Workstation(archive, HttpSettings(), hasher=CHEAP, clock=clock, body_s=0.3)


@pytest.fixture
def browser(workstation: Workstation) -> Iterator[Callable[..., Browser]]:
    """Opens a browser, signed in as somebody of a role; each keeps one event loop, not a new one for every request."""
    opened = ExitStack()

    def open_one(role: str = "", *, address: str = "127.0.0.1", base_url: str = "http://localhost") -> Browser:
        made = Browser(workstation.app, base_url=base_url, client=(address, 50000), raise_server_exceptions=False)
        opened.enter_context(made)
        if role:
            name = f"the {role}"
            if name not in {one.name for one in workstation.rooms.people.all()}:
                workstation.rooms.people.add(name, Role(role), PASSWORD, actor="test")
            assert made.sign_in(name).status_code == 200
        return made

    with opened:
        yield open_one


def small_reading(**changes: object) -> dict[str, object]:
    """What the worklist and the researcher's filter look at in a reading.json; the person in it is no one."""
    return {
        "scan": {
            "study_uid": STUDY,
            "study_description": "Bone scan of Doe",
            "acquired_at": "2026-07-04T09:15:00",
            "whole_body": True,
            "patient": {
                "name": "Doe^Jane^1", "patient_id": "ID-1", "birth_date": "1930-01-02", "sex": "F", "age_years": 96.0
            },
            "injection": {"radiopharmaceutical": "MDP", "injected_at": "2026-07-04T06:00:00"},
            "views": {"anterior": {"rows": 10, "columns": 10}},
            "sources": [{"file_name": "Doe_Jane.dcm", "sha256": "0" * 64, "sop_instance_uid": "1.2.3.1"}],
        },
        "impression": {"sentences": ["One.", "Two.", "Three."], "metastatic": 0.25, "patterns": []},
        "findings": [
            {"kind": "bone", "region": 9, "likelihood": 0.9},
            {"kind": "physiologic", "region": 0, "likelihood": None},
        ],
        "burden": {"bone_scan_index_percent": 1.5},
    } | changes  # fmt: skip


def put_study(archive: Archive, number: int = 1, **said: object) -> str:
    """One object of study `number`, for which a reading is asked."""
    archive.keep(object_of(number, study=number, **said))
    uid = f"1.9.{number}"
    with archive.database.write() as connection:
        connection.execute(
            study.update().where(study.c.StudyInstanceUID == uid).values(queued_revision=study.c.revision)
        )
        connection.execute(
            job.insert().values(
                kind="read", StudyInstanceUID=uid, revision=1, state="waiting", made_at="", changed_at=""
            )
        )
    return uid


def set_job(archive: Archive, uid: str, **values: object) -> None:
    with archive.database.write() as connection:
        connection.execute(job.update().where(job.c.StudyInstanceUID == uid).values(**values))


def put_reading(archive: Archive, uid: str, reading: dict[str, object] | None = None, **files: bytes) -> int:
    """Publish a reading as the worker does."""
    with archive.database.write() as connection:
        number = connection.execute(job.select().where(job.c.StudyInstanceUID == uid, job.c.kind == "read")).one().id
    making = archive.results.begin(uid, number)
    (making / "reading.json").write_text(json.dumps(reading or small_reading()), encoding="utf-8")
    for name, content in files.items():
        (making / name.replace("__", ".")).write_bytes(content)
    digest = archive.results.flush(making)
    sources = [digest for _, digest in archive.readable(uid)]
    with archive.database.write() as connection:
        stored = archive.results.publish(
            connection, making, study_uid=uid, job_id=number, sources=sources, files=digest, revision=1
        )
        connection.execute(job.update().where(job.c.id == number).values(state="done"))
    return stored.version


def put_whole_body(archive: Archive, study_uid: str = "1.9.7") -> np.ndarray:
    """Keep a DICOM object with two views of counts that a seed gives; give the counts, the front first."""
    counts = np.random.default_rng(510).poisson(3.0, (2, 200, 60)).astype(np.float32)
    views = tuple(
        View(
            name=name,
            counts=counts[k],
            row_spacing_mm=9.0,
            column_spacing_mm=9.5,
            duration_s=600.0,
            identity_basis="simulated",
        )
        for k, name in enumerate(ViewName)
    )
    person = PatientFacts(name="Simulated^Person", patient_id="S-1")
    scan = Scan(views=views, patient=person, study_uid=study_uid, sources=())
    (content,) = write_scan(scan).values()
    dataset = dcmread(io.BytesIO(content), stop_before_pixels=True)
    archive.keep(
        ReceivedObject(
            content=content,
            sop_class_uid=dataset.SOPClassUID,
            sop_instance_uid=dataset.SOPInstanceUID,
            transfer_syntax_uid=dataset.file_meta.TransferSyntaxUID,
            calling_ae="CAM",
            received_at=RECEIVED,
        )
    )
    return counts
