"""The report made anew of a folder, and the physician's text that no run ever changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.report.phantom import concluded, phantom_reading

from bonescan import journeys
from bonescan.cli import main
from bonescan.errors import InvalidValue, OutputFailed, UnreadableInput
from bonescan.report import render, rendering
from bonescan.report.rendering import REPORT_NAMES

TEXT = "report_text.toml"


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return render(concluded(phantom_reading(findings=2, shape=(192, 96), row_mm=6.4, column_mm=6.4)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "reading"
    folder.mkdir()
    for name in ("reading.json", "report_pictures.json"):
        (folder / name).write_bytes(files[name])
    return folder


@pytest.fixture
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that are not set, for tests about files; the first test sets them."""
    monkeypatch.setattr(rendering, "set_page", lambda *a, **k: (b"%PDF", b"PNG"))
    monkeypatch.setattr(rendering, "set_pages", lambda *a, **k: b"%PDF")


def text_of(folder: Path, question: str) -> str:
    uid = json.loads((folder / "reading.json").read_bytes())["scan"]["study_uid"]
    return f'[study]\nuid = "{uid}"\n[context]\nquestion = "{question}"\n'


def test_the_command_writes_the_report_and_an_empty_text_once(folder, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["report", "reading", "-o", "bericht", "--language", "de", "--json"])
    assert stopped.value.code == 0
    assert set(json.loads(capsys.readouterr().out)["outputs"]) == {*REPORT_NAMES, TEXT}
    assert {path.name for path in Path("bericht").iterdir()} == {*REPORT_NAMES, TEXT}
    assert "3 BEFUND" in Path("bericht/report.txt").read_text(encoding="utf-8")
    assert "Fragestellung" in Path("bericht", TEXT).read_text(encoding="utf-8")


def test_a_text_beside_the_report_is_joined_and_stays_as_it_was(folder, no_pages):
    (folder / TEXT).write_text(text_of(folder, "Why the pain?"))
    journeys.report(folder, folder)
    before = (folder / TEXT).read_bytes()
    assert "Question: Why the pain?" in (folder / "report.txt").read_text()
    journeys.report(folder, folder, language="es")
    assert (folder / TEXT).read_bytes() == before
    journeys.report(folder, Path("elsewhere"))
    assert Path("elsewhere", TEXT).read_bytes() == before


def test_another_text_is_never_written_over_the_one_that_is_there(folder, no_pages):
    (folder / TEXT).write_text(text_of(folder, "Mine"))
    Path("dictated.toml").write_text(text_of(folder, "Dictated"))
    with pytest.raises(OutputFailed, match="never overwritten"):
        journeys.report(folder, folder, text=Path("dictated.toml"))
    assert not (folder / "report.txt").exists()
    journeys.report(folder, Path("other"), text=Path("dictated.toml"))
    assert "Dictated" in Path("other/report.txt").read_text()


def test_what_cannot_be_reported_is_refused_and_an_earlier_report_stays(folder, no_pages):
    journeys.report(folder, Path("out"))
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    with pytest.raises(InvalidValue, match="no report in the language 'xx'"):
        journeys.report(folder, Path("out"), language="xx")
    Path("foreign.toml").write_text('[study]\nuid = "1.2"\n[context]\nquestion = "Who?"\n')
    with pytest.raises(InvalidValue, match="another study"):
        journeys.report(folder, Path("new"), text=Path("foreign.toml"))
    with pytest.raises(UnreadableInput, match=r"no reading\.json in nowhere"):
        journeys.report(Path("nowhere"), Path("out"))
    record = json.loads((folder / "reading.json").read_bytes())
    finding = {**record["findings"][0], "mass_share_percent": "much"}
    none = r"no reading\.json of bonescan"
    for damaged, says in (
        ('{"schema_version": "1.3.0", "scan": {}}', none),
        (json.dumps({**record, "scan": {**record["scan"], "acquired_at": "yesterday"}}), none),
        (json.dumps({**record, "findings": [finding]}), none),
        ("[" * 100_000, none),
        (json.dumps({**record, "schema_version": "2.0.0"}), r"has version 2\.0\.0; .* read the scan again"),
    ):
        (folder / "reading.json").write_text(damaged)
        with pytest.raises(UnreadableInput, match=says):
            journeys.report(folder, Path("out"))
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    assert not Path("new").exists()


def test_reading_a_study_keeps_its_text_and_refuses_a_folder_with_that_of_another(rooms, small_scan, tmp_path):
    out = tmp_path / "out"
    told = []
    rooms.render = lambda finished, code, text, _: told.append((code, text)) or {"reading.json": b"{}"}
    journeys.read([Path("scan.dcm")], out, language="zh")
    empty = (out / TEXT).read_bytes()
    assert told == [("zh", None)]
    (out / TEXT).write_bytes(empty + b"# ask about the fall\n")
    journeys.read([Path("scan.dcm")], out)
    assert (out / TEXT).read_bytes() == empty + b"# ask about the fall\n"
    written = empty.replace(b'question = ""', b'question = "Why?"')
    (out / TEXT).write_bytes(written)
    journeys.read([Path("scan.dcm")], out)
    assert (out / TEXT).read_bytes() == written
    assert told[2][1].of("context", "question") == "Why?"
    signed = written.replace(b'physician = ""', b'physician = "Dr Jane Roe"')
    signed = signed.replace(b'signed_at = ""', b'signed_at = "2026-01-05 10:00"')
    (out / TEXT).write_bytes(signed.replace(b'text = ""', b'text = "No metastasis."', 1))
    with pytest.raises(OutputFailed, match="holds a signed report"):
        journeys.read([Path("scan.dcm")], out)
    (out / TEXT).write_bytes(written.replace(b'uid = "', b'uid = "9.9'))
    with pytest.raises(OutputFailed, match="on another study"):
        journeys.read([Path("scan.dcm")], out)
    with pytest.raises(InvalidValue, match="no report in the language"):
        journeys.read([Path("scan.dcm")], tmp_path / "new", language="xx")
    assert not (tmp_path / "new").exists()
