"""The page of journeys, walked: every example on it is run as it stands there."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bonescan import cli, dicom, journeys

PAGE = (Path(__file__).parents[2] / "docs" / "journeys.md").read_text(encoding="utf-8")
COMMANDS = [line.removeprefix("$ ") for line in re.findall(r"^\$ .*$", PAGE, re.M)]
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder the page imagines: NM1 as a file, in a folder, in a zip and as a picture."""
    scan = journeys.example_scan()
    shutil.copyfile(scan, tmp_path / "scan.dcm")
    (tmp_path / "study").mkdir()
    shutil.copyfile(scan, tmp_path / "study" / "IM0001")
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        archive.write(scan, "DICOM/IM0001")
    (view,) = dicom.open_scan([scan]).views
    png = io.BytesIO()
    Image.fromarray(view.counts.astype(np.uint16)).save(png, "png")
    (tmp_path / "view.png").write_bytes(png.getvalue())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BONESCAN_DEBUG", raising=False)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_on_the_page_does_its_work(command, folder, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(shlex.split(command)[1:])
    assert not stopped.value.code, capsys.readouterr().err
    out = re.search(r"-o (\S+)", command)
    if " read " in command and out:
        assert (folder / out.group(1) / "report.html").is_file()


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_on_the_page_runs(program, folder):
    exec(compile(program, "docs/journeys.md", "exec"), {})
    assert (folder / "reading" / "report.html").is_file()
