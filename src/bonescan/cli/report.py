"""``report``: a reading's folder in, its report in another language or with a physician's text out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bonescan.cli.terminal import NOT_A_DEVICE, AsJson, Quiet, in_json, print_results

__all__ = ["COMMANDS"]


def report(
    reading: Annotated[
        Path, typer.Argument(metavar="READING", help="The folder that `bonescan read` has written.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="OUT", help="Folder for the report; may be the same.", show_default=False),
    ],
    language: Annotated[str, typer.Option("--language", help="Of the report: en, de, es or zh.")] = "en",
    text: Annotated[
        Path | None,
        typer.Option(
            "--text",
            metavar="FILE",
            help="The physician's text, if it is not the report_text.toml of OUT or READING.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make the report of a reading anew: in another language, or with what a physician has written.

    Nothing is measured again. Write into report_text.toml between the quotation
    marks and run this command. With a physician's name and a time under
    [signature] the report says who interpreted it; without, that it is a draft.

    \b
    OUT will hold
      report.html, report.pdf    context, procedure, findings, interpretation, limits
      report.txt                 the same as plain text
      key_images.pdf, .png       one page: views, findings, main figures
      report_text.toml           the text; written if there is none, never changed

    \b
    Examples:
      bonescan report reading -o reading
      bonescan report reading -o bericht --language de
      bonescan report reading -o signed --text dictated.toml
    """
    from bonescan import journeys

    written = journeys.report(reading, out, language=language, text=text)
    if as_json:
        print_results(in_json({"outputs": {name: str(path) for name, path in written.items()}}))
    elif not quiet:
        print_results(f"Report           {out / 'report.html'}\n{NOT_A_DEVICE}")


COMMANDS: Sequence[Callable[..., None]] = (report,)
