"""What commands share: their options, progress, results as they are printed, and where compiled code is kept."""

from __future__ import annotations

import atexit
import errno
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from bonescan import __version__
from bonescan.errors import OutputFailed

__all__ = [
    "NOT_A_DEVICE",
    "AsJson",
    "Language",
    "Manifest",
    "Quiet",
    "Row",
    "aligned",
    "compiled_code",
    "debugging",
    "in_json",
    "print_results",
    "progress_on_stderr",
]

NOT_A_DEVICE = "Research software: not a medical device, never the only basis of a decision."

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and what --json asks for.")]
Language = Annotated[str, typer.Option("--language", help="Of the patient's leaflet: en, de, es or zh.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")]
Manifest = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="Also record versions, settings, input hashes and outputs, for audits. Holds no patient identity.",
        show_default=False,
    ),
]

Row: TypeAlias = Mapping[str, object]
"""One row of a table that is printed: what stands in it by column."""


def aligned(rows: Sequence[Row]) -> str:
    """A table in plain text, its columns aligned.

    Parameters
    ----------
    rows : sequence of mapping
        At least one; all with the columns of the first, which are the header.

    Returns
    -------
    str
    """
    lines = [list(rows[0])] + [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def in_json(value: object) -> str:
    """A value for machines; what JSON does not know is given in words.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    return json.dumps(value, indent=2, default=str)


def print_results(results: str) -> None:
    """Print on stdout what a command was run for.

    Parameters
    ----------
    results : str

    Raises
    ------
    OutputFailed
        When stdout takes no more, as a full disk; files are written by then.
    """
    try:
        typer.echo(results)
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever listened has had enough, as `head` has
            raise
        raise OutputFailed(
            f"Could not print the results: {error.strerror}; what was written into files is whole.", errno=error.errno
        ) from error


def progress_on_stderr(quiet: bool) -> Callable[[str], None]:
    """What says on stderr which step begins, and after how many seconds.

    Parameters
    ----------
    quiet : bool
        Whether nothing shall be said.

    Returns
    -------
    callable
        Takes one sentence.
    """
    start = time.monotonic()

    def say(sentence: str) -> None:
        if not quiet:
            typer.echo(f"[{time.monotonic() - start:5.1f} s] {sentence}", err=True)

    return say


@contextmanager
def compiled_code(progress: Callable[[str], None]) -> Iterator[None]:
    """Choose where compiled code is kept, and say so while none is there yet.

    A folder of one's own works beside a read-only installation. Where not even
    that can be written, a private temporary folder lasts for this run: compiled
    code is executed, so it is never taken from a folder others can write to.

    Parameters
    ----------
    progress : callable
        Takes one sentence.

    Yields
    ------
    None
    """
    if "NUMBA_CACHE_DIR" not in os.environ:
        folder = _cache_folder()
        try:
            if not folder.is_absolute():  # a user without a home: "~" stays, and would become a folder right here
                raise FileNotFoundError(folder)
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            folder = Path(tempfile.mkdtemp(prefix="bonescan-compiled-"))
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    all_compiled = Path(os.environ["NUMBA_CACHE_DIR"]) / f"bonescan-{__version__}-python-{python}-compiled"
    if not all_compiled.exists():
        progress("First run on this machine: compiling the numerics once, about half a minute")
    yield
    with suppress(OSError):  # then the next run says it again, which does no harm
        all_compiled.touch()


def debugging() -> bool:
    """Whether whoever started the program looks for a fault: BONESCAN_DEBUG is set, to anything but 0.

    Returns
    -------
    bool
    """
    return os.environ.get("BONESCAN_DEBUG", "") not in ("", "0")


def _cache_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")) / "bonescan"
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches/bonescan"))
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "bonescan"
