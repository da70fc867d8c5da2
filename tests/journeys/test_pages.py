"""The page of journeys, walked: every example on it is run as it stands there.

Simulated patients have coarse voxels and no scatter here, of a cohort one study is made, and a scan that was read
once is not read again: what these examples are about is the way there.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import re
import shlex
import shutil
import zipfile
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
import typer
from PIL import Image
from tests.journeys.test_leaflet import READING
from tests.report.pair import compared, study

from bonescan import cli, dicom, evaluation, followup, journeys, reading
from bonescan.camera.projections import Lattice, Projections
from bonescan.journeys import evaluating, simulation
from bonescan.patient.person import Person
from bonescan.reading.model import Reading
from bonescan.scan import Source

PAGE = (Path(__file__).parents[2] / "docs" / "journeys.md").read_text(encoding="utf-8")
SERVED = ("bonescan serve ", "bonescan archive ", "bonescan send ")
"""Need a server or a peer: tests/archive/test_commands.py and tests/dicom/node/test_send_command.py run them."""
LINES = [line.removeprefix("$ ") for line in re.findall(r"^\$ .*$", PAGE, re.M)]
COMMANDS = [line for line in LINES if not line.startswith(SERVED)]
PROGRAMS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def readings() -> dict[bytes, Reading]:
    return {}


@pytest.fixture
def folder(tmp_path, monkeypatch, readings):
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
    really = reading.read_case

    def read_case(scan, **told):
        seen = pickle.dumps(replace(scan, sources=()))
        if seen not in readings:
            readings[seen] = really(scan, **told)
        return replace(readings[seen], reading=replace(readings[seen].reading, scan=scan))

    monkeypatch.setattr(reading, "read_case", read_case)
    monkeypatch.setattr(reading, "read", lambda scan, **told: read_case(scan, **told).reading)
    return tmp_path


@pytest.fixture(scope="module")
def phantom(tmp_path_factory) -> Path:
    """Our reference man as a labelled volume with its table, a CT, and a scenario of one's own."""
    place = tmp_path_factory.mktemp("phantom")
    voxels = Person().labelled(12.0).voxels
    labels = np.where(voxels.bone > 0, voxels.bone, np.where(voxels.tissue > 0, 300, 0)).astype(np.int16)
    hounsfield = np.where(voxels.bone > 0, 700, np.where(voxels.tissue > 0, 40, -1000)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = voxels.grid.step_mm, voxels.grid.origin_mm
    affine[:2] *= -1  # NIfTI points right and forwards
    for name, values in (("labels", labels), ("ct", hounsfield)):
        nibabel.save(nibabel.Nifti1Image(values, affine), place / f"{name}.nii.gz")
    lines = [f"{k + 1} {bone}" for k, bone in enumerate(voxels.bones)] + ["300 muscle"]
    (place / "table.txt").write_text("\n".join(lines), encoding="utf-8")
    (place / "my-scenario.toml").write_text('title = "Mine"\n[[lesions]]\nkind = "metastasis"\n', encoding="utf-8")
    return place


@pytest.fixture
def simulator(folder, phantom, monkeypatch):
    """A camera that is quickly done."""
    shutil.copytree(phantom, folder, dirs_exist_ok=True)
    whole = journeys.simulate

    def none(activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed):
        lattice = Lattice(shape=(2, 2), spacing_mm=(500.0, 500.0), top_mm=1000.0, left_mm=-250.0)
        zeros = np.zeros((len(windows_kev), len(angles_deg), 2, 2), dtype=np.float32)
        return Projections(values=zeros, lattice=lattice, angles_deg=angles_deg)

    def simulate(scenario, out, *, settings=None, **told):
        settings = journeys.Settings() if settings is None else settings
        return whole(scenario, out, settings=replace(settings, spacing_mm=12.0), **told)

    def simulate_cohort(scenario, out, *, count, processes=None, **told):
        simulate(scenario, out / "case_00000", number=0, **told)
        return journeys.CohortFolder(out=out, cases=("case_00000",), made=1, record={})

    monkeypatch.setattr(simulation, "_scatter_model", lambda fast: none)
    monkeypatch.setattr(journeys, "simulate", simulate)
    monkeypatch.setattr(journeys, "simulate_cohort", simulate_cohort)


@pytest.fixture
def evaluator(folder, monkeypatch, small_reading):
    """A cohort of one study that has been read already, by both readers."""
    case = folder / "cohort" / "case_00000"
    (case / "dicom").mkdir(parents=True)
    (case / "truth").mkdir()
    shutil.copyfile(folder / "scan.dcm", case / "dicom" / "whole_body.dcm")
    regions = np.full(small_reading.labels.views[0].regions.shape, 4, np.uint8)
    Image.fromarray(regions).save(case / "truth" / "regions_posterior.png")
    few = partial(evaluation.evaluation_record, resamples=20)
    monkeypatch.setattr(evaluation, "evaluation_record", few)
    with monkeypatch.context() as now:
        now.setattr(reading, "read", lambda scan, *, learned: small_reading)
        now.setattr(evaluating, "each", lambda work, items, processes: ((one, partial(work, one)) for one in items))
        journeys.evaluate(folder / "cohort", folder / "figures")
        journeys.evaluate(folder / "cohort", folder / "model", learned=False)


@pytest.fixture
def series(folder, monkeypatch):
    """Three studies of one drawn person, read and compared at once."""
    studies = {"january": study(8, date(2026, 1, 12)), "march": study(10, date(2026, 3, 16))}
    studies["may"] = study(12, date(2026, 5, 18))
    for name, one in studies.items():
        (folder / f"{name}.dcm").write_bytes(name.encode())
        sources = (Source(file_name=f"{name}.dcm", sha256=hashlib.sha256(name.encode()).hexdigest()),)
        studies[name] = replace(one, reading=replace(one.reading, scan=replace(one.scan, sources=sources)))
    read = {one.scan.acquired_at: one.reading for one in studies.values()}
    monkeypatch.setattr(dicom, "open_scan", lambda inputs, **_: studies[inputs[0].stem].scan)
    monkeypatch.setattr(reading, "read", lambda scan, **_: read[scan.acquired_at])
    monkeypatch.setattr(followup, "compare", compared)


@pytest.fixture
def read_before(folder):
    """What `bonescan read` has left."""
    (folder / "reading").mkdir()
    (folder / "reading" / "reading.json").write_text(json.dumps(READING), encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_on_the_page_does_its_work(command, folder, simulator, request, capsys):
    if " evaluate " in command:
        request.getfixturevalue("evaluator")
    if " compare " in command:
        request.getfixturevalue("series")
    if " leaflet " in command:
        request.getfixturevalue("read_before")
    if " report " in command:
        journeys.read([folder / "scan.dcm"], folder / "reading")
        shutil.copyfile(folder / "reading" / "report_text.toml", folder / "dictated.toml")
    with pytest.raises(SystemExit) as stopped:
        cli.main(shlex.split(command)[1:])
    assert not stopped.value.code, capsys.readouterr().err
    out = re.search(r"-o (\S+)", command)
    if (" read " in command or " report " in command) and out:
        assert (folder / out.group(1) / "report.html").is_file()
    if " compare " in command:
        assert (folder / out.group(1) / "comparison.html").is_file()
    if " evaluate " in command:
        assert (folder / out.group(1) / "evaluation.html").is_file()
    if " simulate " in command and out:
        assert list(folder.glob(f"{out.group(1)}/**/truth/truth.json"))


@pytest.mark.parametrize("command", [line for line in LINES if line.startswith(SERVED)])
def test_every_command_that_needs_a_server_is_one_that_exists(command, folder):
    (folder / "archive").mkdir()
    (folder / "backup").mkdir()
    (folder / "reading" / "dicom_results").mkdir(parents=True)
    one, words = typer.main.get_command(cli.app), shlex.split(command)[1:]
    while hasattr(one, "commands"):
        one = one.commands[words.pop(0)]
    assert one.make_context(one.name, words).params  # options and values are understood


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_on_the_page_runs(program, folder, simulator, request):
    if "compare" in program:
        request.getfixturevalue("series")
    exec(compile(program, "docs/journeys.md", "exec"), {})
    made = ("reading/report.html", "cohort/case_00000/preview.png", "comparison/comparison.html")
    assert any((folder / name).is_file() for name in made)
