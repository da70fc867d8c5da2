"""A reading that nobody keeps: once on a machine, to its end, and never in the way of a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bonescan import journeys
from bonescan.archive.rehearsal import rehearse


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where compiled code would be kept."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.long
def test_a_drawn_person_is_read_to_the_end_and_only_once(kept: Path, monkeypatch: pytest.MonkeyPatch):
    steps = []
    monkeypatch.setattr("bonescan.archive.rehearsal.tempfile.tempdir", str(kept))
    assert rehearse(lambda: bool(steps.append("asked")))
    assert len(steps) > 5
    (mark,) = kept.iterdir()  # and nothing of the person
    assert mark.name.endswith("-rehearsed")
    monkeypatch.setattr(journeys, "read_study", lambda *_, **__: pytest.fail("it was rehearsed"))
    assert rehearse(lambda: False)


def test_a_real_study_ends_a_rehearsal(kept: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journeys, "read_study", lambda *_, **__: pytest.fail("a study waits"))
    assert not rehearse(lambda: True)
    assert list(kept.iterdir()) == []


def test_without_a_place_for_compiled_code_nothing_is_rehearsed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(journeys, "read_study", lambda *_, **__: pytest.fail("nothing of it would stay"))
    assert not rehearse(lambda: False)


@pytest.mark.long
def test_an_order_that_comes_while_a_process_rehearses_is_done_at_once(tmp_path: Path):
    (tmp_path / "inputs").mkdir()
    order = {"do": "read", "inputs": str(tmp_path / "inputs"), "out": str(tmp_path / "out"), "memory_bytes": 0}
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "compiled")}
    words = [sys.executable, "-m", "bonescan.archive.reading_process"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        said = [json.loads(line) for line in process.stdout]  # it ends by itself
    assert "failed" in said[-1]
    assert not list(tmp_path.glob("compiled/*-rehearsed"))
