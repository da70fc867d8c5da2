"""``compare``: studies of one person in, what changed between them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from bonescan.cli.terminal import (
    NOT_A_DEVICE,
    AsJson,
    Manifest,
    Quiet,
    compiled_code,
    in_json,
    print_results,
    progress_on_stderr,
)

__all__ = ["COMMANDS"]


def compare(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="PRIOR... CURRENT",
            help="Two studies or more of ONE person: a DICOM file, a folder or a zip each.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the comparison.", show_default=False)
    ],
    treatment_start: Annotated[
        datetime | None,
        typer.Option(
            "--treatment-start",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="First day of the present treatment, for PCWG3.",
            show_default=False,
        ),
    ] = None,
    injury: Annotated[
        datetime | None,
        typer.Option(
            "--injury",
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="Day of an injury, for the healing of fractures.",
            show_default=False,
        ),
    ] = None,
    same_person: Annotated[
        bool, typer.Option("--same-person", help="Go on where the files name different people.")
    ] = False,
    dicom_results: Annotated[
        bool, typer.Option("--dicom", help="Also write it as DICOM objects: SR, pictures, PDF, KO.")
    ] = False,
    language: Annotated[str, typer.Option("--language", help="Of the pages: en, de, es or zh.")] = "en",
    as_json: AsJson = False,
    manifest: Manifest = None,
    quiet: Quiet = False,
) -> None:
    """Compare bone scans of one person: what is new, brighter, fainter or gone.

    The scans are sorted by date; the last one is compared with the one before
    it, and all of them are judged for progression in bone by PCWG3.

    \b
    OUT will hold
      comparison.html, .pdf      for people: what changed, how sure, comparable?
      comparison.json            for machines: the same and more
      comparison.png             prior and current side by side in one scale
      comparison_changes.png     more uptake in red, less in blue
      comparison_blink.gif       prior and current in turn
      comparison_timeline.png    Bone Scan Index and lesions over the dates
      dicom_results/*.dcm        with --dicom: objects of the current study
    An earlier comparison in OUT is replaced as a whole. Other files stay.

    \b
    Examples:
      bonescan compare january.dcm march.dcm -o comparison
      bonescan compare january/ march/ may.zip -o comparison --treatment-start 2026-01-20
      bonescan compare january.dcm march.dcm -o vergleich --language de
      bonescan compare before.dcm after.dcm -o comparison --injury 2026-02-03
      bonescan compare a.dcm b.dcm -o comparison --json --quiet > summary.json
      bonescan compare a.dcm b.dcm -o comparison --same-person --manifest run.json
    """
    if len(inputs) < 2:
        raise typer.BadParameter("name two studies of one person at least: PRIOR... CURRENT")
    progress = progress_on_stderr(quiet)
    began, injured = (None if day is None else day.date() for day in (treatment_start, injury))
    with compiled_code(progress):
        from bonescan import journeys

        series = journeys.compare_studies(
            inputs,
            out,
            treatment_start=began,
            injured_on=injured,
            same_person=same_person,
            dicom_results=dicom_results,
            language=language,
            progress=progress,
        )
    said: dict[str, Any] = journeys.comparison_summary(series)
    if manifest is not None:
        settings = {
            "command": "compare", "treatment_start": began, "injury": injured, "same_person": same_person,
            "dicom": dicom_results, "language": language,
        }  # fmt: skip
        journeys.write_file(manifest, in_json(journeys.comparison_manifest(series, out, settings)).encode())
    if as_json:
        names = (*journeys.COMPARISON_NAMES, *journeys.dicom_names(out))
        written = [name for name in names if (out / name).is_file()]
        print_results(in_json({"out": str(out), "outputs": written, **said}))
    elif not quiet:
        print_results(_comparison_in_words(said, out))


def _comparison_in_words(said: Mapping[str, Any], out: Path) -> str:
    lesions, faint = (
        [_became(one) for one in said["lesions"] if one["faint_place"] is which] for which in (False, True)
    )
    lesions += ["to look at"] * len(said["to_look_at"])
    index, rules = said["bone_scan_index_change"], said["pcwg3"]
    return "\n".join(
        [
            f"Scans            {', '.join(one['on'] or 'day unknown' for one in said['scans'])}",
            f"Lesions          {_counted(lesions) or 'none in either scan'}",
            *([f"Faint places     {_counted(faint)}"] if faint else []),
            f"PCWG3, bone      {rules['text']} {rules['next_step']}",
            f"Bone Scan Index  {index['text']}",
            f"Lesion area      {said['lesion_area_change']['text']}",
            *(f"Caution          {text}" for text in (*said["comparable"]["reasons"], *rules["cautions"])),
            f"Report           {out / 'comparison.html'}",
            NOT_A_DEVICE,
        ]
    )


def _counted(kinds: Sequence[str]) -> str:
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))


def _became(lesion: Mapping[str, Any]) -> str:
    moved = {"rose": "brighter", "fell": "fainter"}
    same = "unchanged" if lesion["kind"] == "persisting" else lesion["kind"]
    return same if lesion["kind"] in ("new", "vanished") else moved.get(lesion["trend"], same)


COMMANDS: Sequence[Callable[..., None]] = (compare,)
