from __future__ import annotations

import json
from pathlib import Path

import pytest

from bonescan.cli import main
from bonescan.report.leaflet_after import RESULT_LEAFLET_NAMES

READING = {
    "schema_version": "1.1.0",
    "scan": {"acquired_at": "2026-03-04T16:20:00", "patient": {"name": "DOE^JANE"}},
    "findings": [{"letter": "A", "bone": "rib_07_r", "side": "right", "region": 4}],
}
SIGNED = ("--signed-by", "Dr. A. Example", "--signed-on", "2026-03-05")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("reading").mkdir()
    Path("reading/reading.json").write_text(json.dumps(READING))

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["leaflet", "reading", "-o", "leaflet", *words])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return run


def test_a_signed_result_becomes_a_leaflet_and_other_files_stay(run):
    Path("leaflet").mkdir()
    Path("leaflet/notes.txt").write_text("mine")
    status, out, _ = run(*SIGNED, "--conclusion", "healing", "--place", "A=healing", "--language", "de")
    assert status == 0
    assert "leaflet.pdf" in out
    assert sorted(path.name for path in Path("leaflet").iterdir()) == sorted([*RESULT_LEAFLET_NAMES, "notes.txt"])
    assert "Ihre Rippen rechts: der Knochen heilt" in Path("leaflet/leaflet.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("--conclusion", "wear"), 2, "--signed-by"),
        ((*SIGNED[:2], "--conclusion", "wear"), 2, "--signed-on"),
        ((*SIGNED[:2], "--signed-on", "2999-01-01", "--conclusion", "wear"), 2, "a day to come"),
        ((*SIGNED, "--conclusion", "fine"), 2, "not one of nothing_unusual, wear"),
        ((*SIGNED, "--conclusion", "wear", "--place", "A"), 2, "not one of"),
        ((*SIGNED, "--conclusion", "wear", "--place", "A=wear", "--place", "A=healing"), 2, "named twice"),
        (SIGNED, 1, "needs a conclusion or the physician's own words"),
        ((*SIGNED, "--conclusion", "wear", "--place", "B=wear"), 1, "its letters are A"),
        ((*SIGNED, "--conclusion", "wear", "--language", "xx"), 1, "choose one of en (English)"),
    ],
)
def test_what_is_not_signed_or_not_there_leaves_nothing(run, words, status, told):
    code, out, err = run(*words)
    assert (code, out) == (status, "")
    assert told in " ".join(err.replace("│", " ").split())
    assert not Path("leaflet").exists()


def test_a_folder_without_a_reading_is_one_sentence(run):
    Path("reading/reading.json").unlink()
    status, _, err = run(*SIGNED, "--conclusion", "wear")
    assert status == 1
    assert "There is no reading.json in reading" in err


def test_for_machines_it_says_where_the_files_are(run):
    status, out, _ = run(*SIGNED, "--says", "All is well.", "--next", "Come in May.", "--json")
    assert status == 0
    assert set(json.loads(out)["outputs"]) == set(RESULT_LEAFLET_NAMES)
