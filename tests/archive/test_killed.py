"""A process that is killed anywhere loses nothing it acknowledged and leaves nothing half done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]

pytestmark = [pytest.mark.long, pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")]


def outcomes(folder: Path, *options: str, program: str = "killed") -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.archive.{program}", str(folder), *options],
        cwd=HOUSE,
        env={**os.environ, "PYTHONPATH": f"{HOUSE / 'src'}{os.pathsep}{HOUSE}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_killed_before_one_step_after_another(tmp_path: Path):
    found = outcomes(tmp_path, "3")
    assert len(found) > 12  # of some 50 steps; bench/archive_soak.py takes every one
    assert [one for one in found if one["faults"]] == []
    assert {one["acknowledged"] for one in found} == {0, 1, 2, 3}  # so every object was once the one in progress


def test_killed_at_any_moment(tmp_path: Path):
    assert [one for one in outcomes(tmp_path, "1", "4") if one["faults"]] == []


def test_killed_while_signing_and_sending_nothing_is_lost_and_nothing_signed_twice(tmp_path: Path):
    found = outcomes(tmp_path, "2", program="killed_signing")
    assert len(found) > 15  # of some 40 steps
    assert [one for one in found if one["faults"]] == []
    assert {one["taken"] for one in found} == {0, 1}  # before and after the receiver had it
