from __future__ import annotations

import json

import pytest
from tests.dicom.node.shelves import an_object

from bonescan import cli
from bonescan.dicom.node.settings import Peer


@pytest.fixture
def run(capsys):
    """Run the command; its exit status and what it printed and complained."""

    def run_it(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["send", *map(str, words)])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run_it


def test_files_and_folders_are_sent_and_counted(run, start, files):
    running = start(Peer(ae_title="BONESCAN"))
    first, *_ = files(an_object(number=1), an_object(number=2))
    (first.parent / "notes.txt").write_text("not DICOM, passed over in a folder")
    there = ["--to", f"127.0.0.1:{running.node.port}", "--ae-title", "BONESCAN"]
    assert run(first.parent, *there)[:2] == (0, "Sent 2 of 2 to BONESCAN\n")
    assert len(running.shelf.index) == 2
    code, out, _ = run(first, *there, "--json")
    told = json.loads(out)
    assert (code, told["sent"], told["of"]) == (0, 1, 1)
    assert told["objects"] == [{"file": str(first), "outcome": "stored", "status": "0000", "reason": "", "attempts": 1}]


def test_what_did_not_arrive_is_a_failure_with_one_sentence(run, start, files):
    running = start(Peer(ae_title="BONESCAN"))
    paths = files(an_object(), b"not DICOM, but named")
    there = ["--to", f"127.0.0.1:{running.node.port}", "--ae-title", "BONESCAN"]
    code, out, err = run(*paths, *there)
    assert (code, out) == (1, "Sent 1 of 2 to BONESCAN\n")
    assert err == "bonescan: 1 of 2 object(s) did not arrive; the first, file 2: no DICOM file.\n"
    code, _, err = run(paths[0], *there, "--as", "STRANGER", "--quiet")
    assert code == 1
    assert "does not know this AE title" in err


@pytest.mark.parametrize("to", ["pacs", "pacs:", ":104", "pacs:0", "pacs:99999", "pacs:dicom"])
def test_an_address_that_is_none_is_a_mistake_of_the_call(run, files, to):
    assert run(*files(an_object()), "--to", to, "--ae-title", "PACS")[0] == 2


def test_nothing_to_send_is_told(run, tmp_path):
    (tmp_path / "empty").mkdir()
    for given in (tmp_path / "empty", tmp_path / "missing"):
        code, _, err = run(given, "--to", "127.0.0.1:9", "--ae-title", "PACS")
        assert (code, err.count("\n")) == (1, 1)
