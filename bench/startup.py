"""How long `bonescan --help` takes, and what its start-up is made of.

Run: python bench/startup.py [--runs 20]
Aim: under 0.3 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMAND = [sys.executable, "-c", "from bonescan.cli import main; main()"]


def wall_s(arguments: list[str]) -> float:
    """Wall time of one whole process."""
    start = time.perf_counter()
    subprocess.run([*COMMAND, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def costliest_imports(number: int) -> list[tuple[float, str]]:
    """The imports that take most time themselves, as (milliseconds, module)."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "--help"], capture_output=True, text=True, check=True
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines() if "|" in line]
    own = [(int(row[0]) / 1000, row[2].strip()) for row in rows if row[0].strip().isdigit()]
    return sorted(own, reverse=True)[:number]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    print(f"{'command':<24}{'median s':>10}{'worst s':>10}   ({runs} runs)")
    for arguments in (["--help"], ["--version"], ["read", "--help"]):
        times = [wall_s(arguments) for _ in range(runs)]
        print(f"{' '.join(['bonescan', *arguments]):<24}{statistics.median(times):>10.3f}{max(times):>10.3f}")
    print("\nCostliest imports of bonescan --help, without what they import in turn")
    for milliseconds, module in costliest_imports(10):
        print(f"{milliseconds:8.1f} ms  {module}")


if __name__ == "__main__":
    main()
