"""The program: all commands in one list, and how each run of them ends.

Start-up imports neither numpy nor any room (`tests/house/test_imports.py`
holds it to that), so help and mistakes are answered at once. A command exits
with 0 when done, 1 when it failed, with one sentence on stderr, and 2 when it
was called wrongly.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from bonescan import __version__
from bonescan.cli import (
    anatomy,
    archive,
    comparison,
    evaluation,
    leaflet,
    planning,
    reading,
    report,
    sending,
    serving,
    simulation,
)
from bonescan.cli.terminal import NOT_A_DEVICE, debugging
from bonescan.errors import BoneScanError

__all__ = ["app", "main"]

app = typer.Typer(
    name="bonescan",
    help=f"""Read bone scans: which bone is where, where uptake is abnormal and by how much.

{NOT_A_DEVICE}

\b
Begin with one of these:
  bonescan demo                        read a real example scan
  bonescan read scan.dcm -o reading    read your own
  bonescan report reading -o reading   its report anew, with the physician's text
  bonescan compare old.dcm new.dcm -o comparison  what changed
  bonescan simulate metastases -o study  make one whose truth is known
  bonescan plan --weight-kg 70         activity, times and dose of the next one
  bonescan leaflet reading -o leaflet ...  what a physician signed, for the patient
  bonescan evaluate studies -o figures  how good its readings of simulated studies are
  bonescan send reading/dicom_results ...  to another system
  bonescan serve --folder archive      take studies in over DICOM and read them
  bonescan archive check FOLDER        look after the archive of a server
  bonescan read --help                 all it can do, with examples

Exit status: 0 done, 1 failed (one sentence on stderr says why), 2 called wrongly.
""",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bonescan {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


for _command in (
    *reading.COMMANDS,
    *report.COMMANDS,
    *comparison.COMMANDS,
    *planning.COMMANDS,
    *leaflet.COMMANDS,
    *simulation.COMMANDS,
    *evaluation.COMMANDS,
    *sending.COMMANDS,
    *anatomy.COMMANDS,
    *serving.COMMANDS,
):
    app.command()(_command)
app.add_typer(archive.app)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        What was typed after ``bonescan``; the process's own by default.

    Raises
    ------
    SystemExit
        Always: 0 done, 1 failed, 2 called wrongly.
    """
    # The compiled loops already use every core. A linear algebra library with threads of its own then spins for small
    # matrices: it doubles the processor time and the waiting. A choice of the user's own is kept.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    # Imports make many lasting objects; looking through them again and again for garbage took a third of a second.
    gc.set_threshold(200_000)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old console without the sign shows "?" and goes on
    for name in ("SIGTERM", "SIGHUP"):
        with suppress(AttributeError, ValueError):  # Windows has no SIGHUP; only a main thread may listen
            signal.signal(getattr(signal, name), _stop)
    try:
        app(arguments, prog_name="bonescan")
    except BoneScanError as error:
        if debugging():
            raise
        _fail(str(error))
    except Exception as error:  # the one place where nothing may pass: a traceback is no answer to a technologist
        if debugging():
            raise
        _fail(
            f"bonescan met an error it should have foreseen ({_where(error)}); please report it, with what "
            "BONESCAN_DEBUG=1 prints when you run the same command again."
        )
    sys.exit(0)


def _stop(number: int, _: object) -> NoReturn:
    """Leave as an error does, so that half-written files go and an earlier reading stays."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def _where(error: BaseException) -> str:
    """Type and place of an error in this package, without its message, which may quote the patient."""
    package = Path(__file__).parents[1]
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(path, line) for path, line in frames if path.is_relative_to(package)]
    path, line = own[-1]  # never empty: `main` itself is a frame of this package
    return f"{type(error).__name__} at {path.relative_to(package).as_posix()}:{line}"


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"bonescan: {sentence}", err=True)
    sys.exit(1)
