from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import signal
import types
from pathlib import Path

import pytest

from bonescan import anatomy, cli, journeys
from bonescan.cli import terminal
from bonescan.errors import NotABoneScan
from bonescan.measurement import Measurement
from bonescan.scan import ViewName


@pytest.fixture(autouse=True)
def compiled_code_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "compiled").mkdir()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.delenv("BONESCAN_DEBUG", raising=False)


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Type a command in an empty folder: its exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return run


def test_read_says_what_was_found_and_where(rooms, run):
    status, out, _ = run("read", "scan.dcm", "-o", "reading")
    assert status == 0
    # the numbers are the fixture's
    assert out.splitlines() == [
        "Views            posterior 2,048 counts",
        "Findings         1 bone, 1 physiologic, 0 artefact",
        "Bone Scan Index  1.25 +/- 0.50 %",
        "Quality checks   1 warn",
        "Warning          The view has few counts.",
        f"Report           {Path('reading') / 'report.html'}",
        terminal.NOT_A_DEVICE,
    ]
    assert Path("reading/report.html").read_bytes() == b"<p>new</p>"


def test_an_index_that_is_withheld_is_absent_with_its_reason(rooms, small_reading, run):
    absent = Measurement(value=None, unit="%", method="Bone Scan Index", absent_reason="the skeleton was not found")
    burden = dataclasses.replace(small_reading.burden, bone_scan_index_percent=absent)
    rooms.read = lambda scan, *, progress: dataclasses.replace(small_reading, burden=burden)
    _, out, _ = run("read", "scan.dcm", "-o", "reading")
    assert "Bone Scan Index  not given: the skeleton was not found" in out


def test_json_goes_to_stdout_and_progress_to_stderr(rooms, run):
    status, out, err = run("read", "scan.dcm", "-o", "reading", "--json")
    said = json.loads(out)
    assert status == 0
    assert said["out"] == "reading"
    assert said["outputs"] == ["reading.json", "report.html", "overlay_posterior.png"]
    assert said["hot_spot_count"] == 1
    assert "Opening the files" in err


def test_quiet_says_nothing_but_what_was_asked_for(rooms, run):
    assert run("read", "scan.dcm", "-o", "reading", "--quiet") == (0, "", "")
    status, out, err = run("read", "scan.dcm", "-o", "reading", "--quiet", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["hot_spot_count"] == 1  # what was asked for is no chatter


def test_every_choice_of_read_reaches_the_journey(rooms, small_scan, run):
    asked = {}

    def open_scan(inputs, **settings):
        asked.update(inputs=inputs, **settings)
        return small_scan

    rooms.open_scan = open_scan
    run("read", "a.png", "b.png", "--view", "anterior", "--flip", "--pixel-mm", "2.4", "-o", "reading")
    assert asked == {
        "inputs": [Path("a.png"), Path("b.png")],
        "view": ViewName.ANTERIOR,
        "flip": True,
        "pixel_mm": 2.4,
        "leave_out": [Path("reading") / name for name in journeys.OUTPUT_NAMES],
    }


def test_fhir_and_tables_are_written_when_asked_and_go_with_the_reading(rooms, run):
    extra = {"fhir.json", "study.csv", "findings.csv"}
    Path("scan.dcm").write_bytes(b"no object of DICOM, so that the study lists no series")
    run("read", "scan.dcm", "-o", "reading", "--fhir", "--tables")
    assert extra <= {path.name for path in Path("reading").iterdir()}
    assert len(Path("reading/findings.csv").read_text(encoding="utf-8").splitlines()) == 3  # the fixture's two findings
    assert json.loads(Path("reading/fhir.json").read_text(encoding="utf-8"))["resourceType"] == "Bundle"
    run("read", "scan.dcm", "-o", "reading")
    assert not extra & {path.name for path in Path("reading").iterdir()}  # an earlier reading goes as a whole


def test_manifest_is_written_where_asked(rooms, run):
    run("read", "scan.dcm", "-o", "reading", "--manifest", "records/run.json", "--pixel-mm", "2.4")
    record = json.loads(Path("records/run.json").read_text())
    expected = {"command": "read", "view": None, "flip": False, "pixel_mm": 2.4, "side": None}
    assert record["settings"] == expected | {
        "dicom": False,
        "deidentify": False,
        "fhir": False,
        "tables": False,
        "language": "en",
    }
    assert {"name": "report.html", "bytes": 10, "sha256": hashlib.sha256(b"<p>new</p>").hexdigest()} in record[
        "outputs"
    ]


def test_demo_reads_the_example(rooms, run):
    status, out, _ = run("demo")
    assert status == 0
    assert str(Path("demo-output") / "real" / "report.html") in out
    assert json.loads(run("demo", "-o", "again", "--json")[1])["real"]["hot_spot_count"] == 1


def test_a_refusal_is_one_sentence_and_exit_1(rooms, run):
    def refuse(inputs, **settings):
        raise NotABoneScan("This is a CT image; a bone scan has modality NM.")

    rooms.open_scan = refuse
    status, out, err = run("read", "scan.dcm", "-o", "reading", "--quiet")
    assert (status, out) == (1, "")
    assert err == "bonescan: This is a CT image; a bone scan has modality NM.\n"


def test_an_unforeseen_error_is_one_sentence_without_its_message(rooms, run):
    def stumble(scan, *, progress):
        raise ZeroDivisionError("while reading Surname^Given")

    rooms.read = stumble
    status, _, err = run("read", "scan.dcm", "-o", "reading", "--quiet")
    assert status == 1
    assert err.count("\n") == 1
    assert "ZeroDivisionError at journeys/clinic.py:" in err
    assert "please report it" in err
    assert "Surname" not in err


@pytest.mark.parametrize("error", [NotABoneScan("This is a CT image."), ZeroDivisionError("whole story")])
def test_debugging_shows_the_traceback(rooms, monkeypatch, error):
    def fail(inputs, **settings):
        raise error

    rooms.open_scan = fail
    monkeypatch.setenv("BONESCAN_DEBUG", "1")
    with pytest.raises(type(error), match=str(error)):
        cli.main(["read", "scan.dcm", "-o", "reading"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["read", "scan.dcm"], "--out"),
        (["read", "-o", "reading"], "INPUT"),
        (["read", "scan.dcm", "-o", "reading", "--view", "lateral"], "lateral"),
        (["read", "scan.dcm", "-o", "reading", "--pixel-mm", "0.1"], "--pixel-mm"),
        (["raed", "scan.dcm"], "raed"),
        (["anatomy", "--table", "muscles"], "muscles"),
    ],
)
def test_a_wrong_call_is_exit_2_and_names_what_is_wrong(run, words, told):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert told in err


def test_version(run):
    from bonescan import __version__

    assert run("--version") == (0, f"bonescan {__version__}\n", "")


@pytest.mark.parametrize("command", ["read", "demo", "anatomy"])
def test_help_teaches_with_examples(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0
    assert f"Examples:\n    bonescan {command}" in out


def test_the_first_run_says_what_it_waits_for_until_one_has_ended_well(rooms, small_scan, run):
    def refuse(inputs, **settings):
        raise NotABoneScan("This is a CT image.")

    rooms.open_scan = refuse
    assert "First run" in run("read", "scan.dcm", "-o", "reading")[2]
    rooms.open_scan = lambda inputs, **settings: small_scan
    assert "First run" in run("read", "scan.dcm", "-o", "reading")[2]
    assert "First run" not in run("read", "scan.dcm", "-o", "reading")[2]


def test_compiled_code_is_kept_in_a_folder_of_ones_own(rooms, run, monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "own"))
    run("read", "scan.dcm", "-o", "reading")
    assert Path(os.environ["NUMBA_CACHE_DIR"]).is_relative_to(tmp_path / "own")
    assert Path(os.environ["NUMBA_CACHE_DIR"]).is_dir()


def test_without_a_writable_home_compiled_code_lasts_for_the_run_in_a_private_folder(rooms, run, monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    (tmp_path / "file").write_bytes(b"")
    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "file"))
    registered = []
    monkeypatch.setattr(terminal.atexit, "register", lambda *call, **options: registered.append(call))
    assert run("read", "scan.dcm", "-o", "reading")[0] == 0
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert registered == [(shutil.rmtree, folder)]
    assert folder.stat().st_mode & 0o077 == 0  # nobody else can put code there
    shutil.rmtree(folder)


def test_without_any_home_no_folder_called_tilde_is_made(rooms, run, monkeypatch, tmp_path):
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setattr(terminal, "_cache_folder", lambda: Path("~/.cache/bonescan"))  # what expanduser leaves then
    assert run("read", "scan.dcm", "-o", "reading")[0] == 0
    assert not (tmp_path / "~").exists()


def test_results_that_cannot_be_printed_are_one_sentence(rooms, run, monkeypatch):
    echo = terminal.typer.echo

    def full(text, err=False):
        if not err:
            raise OSError(errno.ENOSPC, "No space left on device")
        echo(text, err=True)

    monkeypatch.setattr(terminal.typer, "echo", full)
    status, _, err = run("read", "scan.dcm", "-o", "reading", "--quiet", "--json")
    assert (status, err) == (
        1,
        "bonescan: Could not print the results: No space left on device; what was written into files is whole.\n",
    )


@pytest.mark.parametrize("name", [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)])
def test_a_run_that_is_told_to_stop_leaves_nothing_behind(rooms, run, name):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def told_to_stop(scan, *, progress):
        signal.raise_signal(number)

    rooms.read = told_to_stop
    try:
        assert run("read", "scan.dcm", "-o", "reading", "--quiet")[0] == 1
    finally:
        signal.signal(number, before)
    assert not Path("reading").exists()


@pytest.fixture
def two_bones(monkeypatch):
    """An anatomy of two bones and one table of masses that leaves one of them out."""
    bone = types.SimpleNamespace
    bones = (
        bone(id="rib_07_l", name="Left seventh rib", side="left", region=4, group="ribs", fma="FMA1", snomed="1"),
        bone(id="hyoid", name="Hyoid", side="midline", region=0, group="none", fma="FMA2", snomed=None),
    )
    monkeypatch.setattr(anatomy, "BONES", bones, raising=False)
    monkeypatch.setattr(anatomy, "REGION_NAMES", {4: "ribs", 1: "skull"}, raising=False)
    monkeypatch.setattr(anatomy, "MASS_TABLES", ("bsi",), raising=False)
    table = types.SimpleNamespace(name="bsi", version="1", share_percent={"rib_07_l": 0.18333})
    monkeypatch.setattr(anatomy, "mass_table", lambda name: table, raising=False)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (
            "bones",
            "id        name              side     region  group  fma   snomed\n"
            "rib_07_l  Left seventh rib  left     4       ribs   FMA1  1\n"
            "hyoid     Hyoid             midline  0       none   FMA2  -\n",
        ),
        ("regions", "region  name\n1       skull\n4       ribs\n"),
        ("masses", "bone      bsi 1\nrib_07_l  0.1833\nhyoid     -\n"),
    ],
)
def test_anatomy_prints_its_tables(two_bones, run, table, expected):
    assert run("anatomy", "--table", table) == (0, expected, "")


def test_anatomy_for_machines_leaves_absent_absent(two_bones, run):
    rows = json.loads(run("anatomy", "--table", "masses", "--json")[1])
    assert rows == [{"bone": "rib_07_l", "bsi 1": 0.18333}, {"bone": "hyoid", "bsi 1": None}]
