from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"PIL", "jinja2", "llvmlite", "numba", "numpy", "pydicom", "scipy", "typst"}


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["read", "--help"], ["read"], ["plan", "--help"], ["plan"]]
)
def test_help_and_mistakes_are_answered_before_anything_heavy_is_imported(words):
    program = (
        "import sys\n"
        "from bonescan.cli import main\n"
        f"try:\n    main({words!r})\n"
        "except SystemExit:\n    print('\\nIMPORTED', *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = done.stdout.rpartition("IMPORTED")[2].split()
    assert "bonescan.cli" in imported
    assert not {name.partition(".")[0] for name in imported} & HEAVY
    rooms = {name.split(".")[1] for name in imported if name.startswith("bonescan.")}
    assert rooms == {"cli", "errors"}


@pytest.mark.parametrize(("chosen", "expected"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_linear_algebra_is_kept_to_one_thread_unless_the_user_chose(chosen, expected):
    program = (
        "import atexit, os, sys\n"
        "from bonescan.cli import main\n"
        "atexit.register(lambda: print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS']))\n"
        "main(['--version'])\n"
    )
    own = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**own, **chosen}
    )
    assert done.stdout.splitlines()[-1] == f"False {expected}"  # said before numpy is there to hear it


def test_opening_a_room_compiles_nothing():
    program = (
        "import numba.core.dispatcher as dispatcher\n"
        "def compiled(self, signature): raise SystemExit(f'compiled at import: {self.py_func.__qualname__}')\n"
        "dispatcher.Dispatcher.compile = compiled\n"
        "import bonescan.anatomy, bonescan.dicom, bonescan.evaluation, bonescan.journeys, bonescan.patient\n"
        "import bonescan.reading, bonescan.report, bonescan.tracer\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_network_leaves_no_identifier_of_the_machine_and_tells_nobody_where_it_runs(tmp_path: Path):
    program = "import bonescan.reading.network, onnxruntime\nprint(onnxruntime.get_device())\n"
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("ORT_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**kept, "HOME": str(tmp_path)}
    )
    assert done.stdout.strip() == "CPU"
    assert list(tmp_path.rglob("*onnx*")) == []
