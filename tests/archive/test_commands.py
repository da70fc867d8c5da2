"""`bonescan archive` and `bonescan serve` as a technologist types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.archive.made import object_of
from typer.testing import CliRunner, Result

from bonescan import cli
from bonescan.archive.objects import held_alone
from bonescan.archive.settings import Settings
from bonescan.archive.shelf import Archive
from bonescan.errors import ArchiveUnavailable, OutputFailed, UnknownSetting, UnreadableInput


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BONESCAN_DATABASE", raising=False)
    folder = tmp_path / "archive"
    with Archive(folder, Settings(reserve_gib=0.0)) as archive:
        for number in (1, 2):
            archive.keep(object_of(number, modality="CT"))
    return folder


def test_a_sound_archive_is_checked_with_exit_0_and_a_damaged_one_with_1(folder: Path):
    assert run("archive", "check", folder, "--quiet").exit_code == 0
    next((folder / "objects").glob("*/*/*.dcm")).write_bytes(b"damaged")
    done = run("archive", "check", folder, "--json")
    assert done.exit_code == 1
    assert len(json.loads(done.stdout)["damaged"]) == 1


def test_backup_restore_and_reindex(folder: Path, tmp_path: Path):
    assert run("archive", "backup", folder, "-o", tmp_path / "backup", "--quiet").exit_code == 0
    assert (
        json.loads(run("archive", "restore", tmp_path / "backup", "-o", tmp_path / "new", "--json").stdout)["objects"]
        == 2
    )
    assert isinstance(run("archive", "restore", tmp_path / "backup", "-o", tmp_path / "new").exception, OutputFailed)
    for path in (tmp_path / "new").glob("index.sqlite*"):
        path.unlink()
    assert json.loads(run("archive", "reindex", tmp_path / "new", "--json").stdout)["held"]["instance"] == 2


def test_retention_is_listed_before_anything_goes(folder: Path):
    (folder / "bonescan.toml").write_text('[[archive.retention]]\nname = "now"\nolder_than_days = 1e-9\n')
    assert "would be deleted" in run("archive", "retain", folder).stdout
    assert len(json.loads(run("archive", "retain", folder, "--json").stdout)["studies"]) == 1
    assert json.loads(run("archive", "retain", folder, "--json", "--delete").stdout)["deleted"] is True
    assert list((folder / "objects").glob("*/*/*.dcm")) == []


def test_the_audit_trail_and_the_jobs_are_shown(folder: Path):
    said = json.loads(run("archive", "audit", folder, "--last", 1, "--json").stdout)
    assert (said["entries"], said["first_bad"], len(said["last"])) == (2, None, 1)
    assert "whole" in run("archive", "audit", folder).stdout
    assert "No jobs" in run("archive", "jobs", folder).stdout


def test_a_folder_that_is_no_archive_is_told_and_left_alone(tmp_path: Path):
    assert isinstance(run("archive", "check", tmp_path).exception, UnreadableInput)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[dcom]\nport = 1", "dcom at the top of the settings, perhaps dicom is meant"),
        ("htp = 1", "htp at the top of the settings, perhaps http is meant"),
        ("[archive]\nquota = 1", "quota in [archive], perhaps quota_gib is meant"),
        ('[[archive.retention]]\nname = "a"\nolder_than = 1', "older_than in [[archive.retention]], perhaps older_th"),
        ("[dicom]\nprot = 1", "prot in [dicom], perhaps port is meant"),
        ("[http]\nprot = 1", "prot in [http], perhaps port is meant"),
        ('[http.tls]\ncertifcate = "a"', "certifcate in [http.tls], perhaps certificate is meant"),
    ],
)
def test_a_server_refuses_what_is_misspelt_anywhere(folder: Path, written: str, said: str):
    (folder / "bonescan.toml").write_text(written, encoding="utf-8")
    refused = run("serve", "--folder", folder, "--no-http").exception
    assert isinstance(refused, UnknownSetting)
    assert said in str(refused)


def test_a_second_server_on_a_folder_is_refused_until_the_first_is_gone(folder: Path):
    holds = "import sys, fcntl; f = open(sys.argv[1], 'ab'); fcntl.flock(f, fcntl.LOCK_EX); print(); sys.stdin.read()"
    first = subprocess.Popen(
        [sys.executable, "-c", holds, folder / "serve.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert first.stdout is not None
    first.stdout.readline()
    waiting = folder / "spool" / "receiving-1"  # an object on its way to the first server
    waiting.parent.mkdir(exist_ok=True)
    waiting.write_bytes(b"half")
    refused = run("serve", "--folder", folder, "--no-http").exception
    assert isinstance(refused, ArchiveUnavailable)
    assert "Another bonescan serve runs on this folder" in str(refused)
    assert waiting.exists()
    first.kill()
    first.wait()
    with held_alone(folder / "serve.lock", otherwise="held still"):
        pass


@pytest.mark.long
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGTERM that can be answered")
def test_a_server_starts_listens_and_stops_when_it_is_asked_to(folder: Path):
    words = [
        "serve",
        "--folder",
        str(folder),
        "--dicom-port",
        "0",
        "--no-http",
        "--peer",
        "CAMERA",
        "--ae-title",
        "HERE",
    ]
    program = "from bonescan.cli import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", program, *words], stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": "1"}
    )
    assert server.stderr is not None
    lines = []
    for line in server.stderr:
        lines.append(line)
        if "Listening" in line:
            break
    server.send_signal(signal.SIGTERM)
    rest = server.stderr.read()
    assert server.wait() == 0, lines
    assert "1 studies with 2 objects" in "".join(lines)
    assert "Listening as HERE on 127.0.0.1" in lines[-1]
    assert "Stopping" in rest
