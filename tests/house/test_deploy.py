"""What is shipped for deployment says what the program understands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main

from bonescan import cli
from bonescan.archive import load_settings
from bonescan.dicom.node.settings import read_node_settings
from bonescan.workstation import load_http_settings

HOUSE = Path(__file__).parents[2]
DEPLOY = HOUSE / "deploy"
PAGE = (HOUSE / "docs" / "deployment.md").read_text(encoding="utf-8")
EXAMPLES = [*re.findall(r"```toml\n(.*?)```", PAGE, re.S), (DEPLOY / "compose" / "bonescan.toml").read_text("utf-8")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_settings_is_understood(tmp_path: Path, example: str):
    (tmp_path / "bonescan.toml").write_text(example, encoding="utf-8")
    load_settings(tmp_path, {})
    read_node_settings(tmp_path / "bonescan.toml")
    load_http_settings(tmp_path / "bonescan.toml", {})


@pytest.mark.parametrize(
    "said",
    [
        re.search(r"^ExecStart=\S+/bonescan (.*)$", (DEPLOY / "bonescan.service").read_text("utf-8"), re.M),
        re.search(r'^CMD \["(.*)"\]$', (DEPLOY / "Containerfile").read_text("utf-8"), re.M),
    ],
    ids=["bonescan.service", "Containerfile"],
)
def test_what_starts_the_server_is_a_command_of_the_program(said: re.Match[str] | None):
    assert said is not None
    command, *words = shlex.split(said[1].replace('", "', " "))
    assert typer.main.get_command(cli.app).commands[command].make_context(command, words).params["folder"]


def test_every_file_is_named_on_the_page():
    listed = {path.relative_to(HOUSE).as_posix() for path in DEPLOY.iterdir()}
    assert {name for name in listed if name not in PAGE} == set()


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_the_unit_tight():
    words = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(DEPLOY / "bonescan.service")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:]
