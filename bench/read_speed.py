"""How long `bonescan read` takes from the shell, and how much memory, cold and warm.

Run: python bench/read_speed.py [INPUT ...] [--runs 5]

Without INPUT a study of two views is simulated. Cold means that nothing is compiled yet, as on a machine's first run;
compiled code goes to an empty folder, so nothing else is touched. Aims on two cores: 30 s cold, 5 s warm, 1.5 GB.
Needs Linux or macOS, which tell the peak memory of a process that has ended.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bonescan.journeys import OUTPUT_NAMES, PHASE_NAMES


class Run(NamedTuple):
    """One whole process."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def read(inputs: list[Path], out: Path, compiled: Path) -> Run:
    """Run `bonescan read` once and check that all outputs of two views are there."""
    program = [sys.executable, "-c", "from bonescan.cli import main; main()"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(compiled)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [*program, "read", *map(str, inputs), "-o", str(out), "--quiet"],
        env=environment,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bonescan read failed with exit status {process.returncode}")
    missing = [name for name in set(OUTPUT_NAMES) - set(PHASE_NAMES) if not (out / name).is_file()]
    if missing:
        sys.exit(f"The study does not have two views, or outputs are missing: {', '.join(missing)}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in kilobytes on Linux
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def simulated(folder: Path) -> Path:
    path = folder / "simulated.dcm"
    subprocess.run([sys.executable, str(Path(__file__).with_name("simulate.py")), str(path)], check=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", type=Path, metavar="INPUT")
    parser.add_argument("--runs", type=int, default=5, help="warm runs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bonescan-bench-") as name:
        folder = Path(name)
        inputs = arguments.inputs or [simulated(folder)]
        cold = read(inputs, folder / "out", folder / "compiled")
        warm = [read(inputs, folder / "out", folder / "compiled") for _ in range(arguments.runs)]
    print(f"bonescan read, two views, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    print(f"{'':<22}{'wall s':>8}{'cpu s':>8}{'peak MB':>9}")
    for label, run in (
        ("cold (compiling)", cold),
        (f"warm, median of {len(warm)}", Run(*(statistics.median(column) for column in zip(*warm, strict=True)))),
        (f"warm, worst of {len(warm)}", Run(*(max(column) for column in zip(*warm, strict=True)))),
    ):
        print(f"{label:<22}{run.wall_s:>8.2f}{run.cpu_s:>8.2f}{run.peak_mb:>9.0f}")


if __name__ == "__main__":
    main()
