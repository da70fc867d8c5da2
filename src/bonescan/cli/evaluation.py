"""``evaluate``: studies whose truth is known in, figures of how good their readings are out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bonescan.cli.terminal import (
    NOT_A_DEVICE,
    AsJson,
    Manifest,
    Quiet,
    Row,
    aligned,
    compiled_code,
    in_json,
    print_results,
    progress_on_stderr,
)

__all__ = ["COMMANDS"]


def evaluate(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Studies whose truth is known: of bonescan simulate, or scans with outlines beside them.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the figures.", show_default=False)
    ],
    model_based: Annotated[
        bool, typer.Option("--model-based", help="Read without the trained network, to see what it is worth.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE",
            help="evaluation.json of another run: its figures stand beside every one of this.",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", metavar="N", min=1, help="Fewer than all cores.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    manifest: Manifest = None,
    quiet: Quiet = False,
) -> None:
    """Read many studies whose truth is known, and say how good the readings are.

    \b
    FOLDER may be
      one study, or many, with dicom/ and truth/ as bonescan simulate writes them
      scans NAME.dcm with NAME_regions_VIEW.png, and marks in readings.json

    \b
    OUT will hold
      evaluation.html, .md     every figure with its 95 % interval, and the plots
      evaluation.json          the same for machines, and for --against
      free_response.svg, ...   the plots alone
      cases/                   every reading held against its truth
    A run that was stopped goes on with the same command. A study that cannot be
    read is counted as such. Simulated studies say nothing of clinical use.

    \b
    Examples:
      bonescan simulate cohort -o cohort --count 100 --fast --seed 7
      bonescan evaluate cohort -o figures
      bonescan evaluate cohort -o model --model-based
      bonescan evaluate cohort -o figures --against model/evaluation.json
    """
    progress = progress_on_stderr(quiet)
    with compiled_code(progress):
        from bonescan import journeys

        done = journeys.evaluate(
            folder, out, learned=not model_based, against=against, processes=processes, progress=progress
        )
    if manifest is not None:
        journeys.write_file(manifest, in_json(journeys.evaluation_manifest(done)).encode())
    if as_json:
        print_results(in_json(done.record))
    elif not quiet:
        print_results(_figures_in_words(done.record, out))


_MAIN_FIGURES = (
    "regions.all", "circles.all.found", "circles.all.extra", "lesions.visible.3.8", "lesions.distinct.3.8",
    "metastases.visible.3.8", "people.auc.all", "people.specificity.all.benign", "calibration.findings",
    "calibration.people", "bsi.r", "bsi.error.all", "cost.seconds",
)  # fmt: skip


def _figures_in_words(record: Mapping[str, Any], out: Path) -> str:
    rows: list[Row] = [
        {
            "": f"{one['section']}: {one['title']}",
            "value": one["value"],
            "from": one["low"],
            "to": one["high"],
            "n": one["n"],
        }
        for one in record["figures"]
        if one["key"] in _MAIN_FIGURES and one["value"] is not None
    ]
    failed = len(record["failed"])
    read = f"{len(record['studies']) - failed} studies read, {failed} could not be"
    table = [aligned(rows)] if rows else []
    return "\n".join([*table, read, f"All figures are in {out / 'evaluation.html'}", NOT_A_DEVICE])


COMMANDS: Sequence[Callable[..., None]] = (evaluate,)
