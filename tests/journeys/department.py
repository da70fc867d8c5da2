"""A department for tests: `bonescan serve` in a process of its own, and a real scan under a name to look for."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from bonescan import journeys

PERSON = {"PatientName": "Needle^Nadia", "PatientID": "NEEDLE-4711", "AccessionNumber": "ACC-NEEDLE-9"}
PASSWORD = "three words nobody expects"


class Department:
    """`bonescan serve` in a process of its own, and every line that it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.lines = process, list[dict[str, object]]()
        self.raw = list[str]()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.raw.append(line)
            self.lines.append(json.loads(line))  # every single line is an object

    def said(self, pattern: str) -> re.Match[str]:
        found: list[re.Match[str]] = []

        def look() -> bool:
            found[:] = [hit for one in list(self.lines) if (hit := re.search(pattern, str(one["message"])))]
            return bool(found) or self.process.poll() is not None

        until(look, 90)
        assert found, f"it never said {pattern}: {''.join(self.raw)}"
        return found[0]

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0
        self._listener.join(10)


def until(true: Callable[[], object], seconds: float) -> None:
    whole = time.monotonic() + seconds
    while not true():
        if time.monotonic() > whole:
            pytest.fail("it did not come")
        time.sleep(0.1)


@contextmanager
def serving(folder: Path, settings: str) -> Iterator[Department]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bonescan.toml").write_text(settings, encoding="utf-8")
    words = ["serve", "--folder", str(folder), "--http-port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from bonescan.cli import main; main()", *words],
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "BONESCAN_DEBUG"},
    )
    department = Department(process)
    try:
        yield department
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def study_of_a_needle(folder: Path) -> tuple[Path, Dataset]:
    """NM1 under a name that is looked for in every line of the log."""
    dataset = dcmread(journeys.example_scan())
    for keyword, value in PERSON.items():
        setattr(dataset, keyword, value)
    path = folder / "needle.dcm"
    dataset.save_as(path)
    return path, dataset
