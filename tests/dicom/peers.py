"""Other programs that open what is written: how they are found, called and started."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PACKAGES = Path(sysconfig.get_path("purelib"))
# the programs themselves: their packages' commands start Python first, which takes longer than the check
DICOM3TOOLS, DCMQI = PACKAGES / "dicom3tools" / "bin", PACKAGES / "dcmqi" / "bin"
DCMTK = pytest.mark.skipif(not (shutil.which("dcmdump") and shutil.which("dcm2pnm")), reason="dcmtk is not installed")
# Debian keeps servers where a user's search path does not look.
ORTHANC = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def said(*command: str | Path) -> tuple[int, str]:
    """A program's exit status and all that it says."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


class Server:
    """Orthanc's REST interface on this machine."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, data: bytes | None = None) -> bytes:
        with self.opener.open(urllib.request.Request(self.address + path, data=data), timeout=20) as answer:
            return answer.read()

    def told(self, path: str, data: bytes | None = None) -> Any:
        return json.loads(self.ask(path, data))


@contextmanager
def orthanc_in(folder: Path, more: Mapping[str, Any] | None = None) -> Iterator[Server]:
    """Orthanc at work on a free port, with its storage in a folder and more settings where a test needs them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
        **(more or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    process = subprocess.Popen(
        [ORTHANC, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    )
    server = Server(port)
    try:
        for _ in range(200):
            try:
                server.told("/system")
                break
            except urllib.error.URLError:
                if process.poll() is not None:
                    break
                time.sleep(0.1)
        else:
            pytest.fail("Orthanc does not answer")
        if process.poll() is not None:
            pytest.fail("Orthanc ended before it answered")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
