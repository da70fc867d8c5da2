"""``send``: DICOM files to another system, each of them acknowledged or told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from bonescan.cli.terminal import AsJson, Quiet, in_json, print_results
from bonescan.errors import OutputFailed, UnreadableInput

__all__ = ["COMMANDS", "address_of"]


def send(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="DICOM files, or folders that hold some.", show_default=False),
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="HOST:PORT", help="Where the other system listens.", show_default=False)
    ],
    ae_title: Annotated[
        str, typer.Option("--ae-title", metavar="TITLE", help="Its application entity title.", show_default=False)
    ],
    own_title: Annotated[
        str, typer.Option("--as", metavar="TITLE", help="What bonescan calls itself; the other may have to know it.")
    ] = "BONESCAN",
    attempts: Annotated[int, typer.Option("--attempts", metavar="N", min=1, help="How often to try.")] = 3,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Send DICOM objects to an archive, a workstation or another node.

    Each object is sent as it is encoded. What does not arrive is tried
    again; what the other system refuses is not. In a folder, files that are
    not DICOM are passed over. Nothing here is changed or removed.

    \b
    Examples:
      bonescan send reading/dicom_results --to pacs.example:104 --ae-title PACS
      bonescan send scan.dcm --to 127.0.0.1:11112 --ae-title BONESCAN --as CAMERA --json
    """
    host, port = address_of(to, "--to")
    try:
        from bonescan.dicom.node.sending import Outcome
        from bonescan.dicom.node.sending import send as send_to
        from bonescan.dicom.node.settings import NodeSettings, Peer
    except ModuleNotFoundError as error:
        raise OutputFailed(
            'Sending needs the parts of the server: run pip install "bonescan[server]", then try again.',
            missing=error.name,
        ) from error

    paths = list(_each(files))
    if not paths:
        raise UnreadableInput("There is no DICOM file in what was given; name the files, or a folder that holds some.")
    peer = Peer(ae_title=ae_title, host=host, port=port)
    results = send_to(paths, peer, NodeSettings(ae_title=own_title), attempts=attempts)
    missing = [one for one in results if one.outcome is not Outcome.STORED]
    if as_json:
        rows = [
            {
                "file": str(one.path),
                "outcome": one.outcome.value,
                "status": None if one.status is None else f"{one.status:04X}",
                "reason": one.reason,
                "attempts": one.attempts,
            }
            for one in results
        ]
        print_results(in_json({"sent": len(results) - len(missing), "of": len(results), "objects": rows}))
    elif not quiet:
        print_results(f"Sent {len(results) - len(missing)} of {len(results)} to {ae_title}")
    if missing:
        first = missing[0]
        raise OutputFailed(
            f"{len(missing)} of {len(results)} object(s) did not arrive; the first, file {results.index(first) + 1}: "
            f"{first.reason}.",
            missing=len(missing),
        )


def address_of(text: str, option: str) -> tuple[str, int]:
    """Host and port of another system as they are typed.

    Parameters
    ----------
    text : str
        ``HOST:PORT``; an IPv6 address in square brackets.
    option : str
        Whose value it is.

    Returns
    -------
    host : str
    port : int

    Raises
    ------
    typer.BadParameter
        When it is none.
    """
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise typer.BadParameter(f"{text!r} is not HOST:PORT", param_hint=option)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _each(given: Sequence[Path]) -> Iterator[Path]:
    """Files that were named, and of a folder those that begin as DICOM files do."""
    for one in given:
        if not one.exists():
            raise UnreadableInput("One of the files does not exist; check the path.")
        if not one.is_dir():
            yield one
            continue
        for path in sorted(one.rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    head = file.read(132)
                if head[128:] == b"DICM":
                    yield path


COMMANDS: Sequence[Callable[..., None]] = (send,)
