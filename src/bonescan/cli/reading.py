"""``read`` and ``demo``: files in, a whole reading out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

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

if TYPE_CHECKING:
    from bonescan.reading.model import Reading

__all__ = ["COMMANDS"]


def read(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT",
            help="The files of ONE study: DICOM files, a folder, a zip, or PNG, TIFF and NIfTI pictures of the views.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results.", show_default=False)
    ],
    view: Annotated[
        Literal["anterior", "posterior"] | None,
        typer.Option("--view", help="What the input shows, if the file does not say or is wrong.", show_default=False),
    ] = None,
    flip: Annotated[
        bool, typer.Option("--flip", help="Exchange anterior and posterior, where the input has them wrong.")
    ] = False,
    pixel_mm: Annotated[
        float | None,
        typer.Option(
            "--pixel-mm",
            metavar="MM",
            min=0.2,
            max=20,
            help="Pixel size in mm of pictures that carry none.",
            show_default=False,
        ),
    ] = None,
    side: Annotated[
        Literal["left", "right"] | None,
        typer.Option("--side", help="The patient's side with symptoms, for a three-phase study.", show_default=False),
    ] = None,
    dicom_results: Annotated[
        bool, typer.Option("--dicom", help="Also write it as DICOM objects: SEG, SR, overlays, PDF, KO, GSPS.")
    ] = False,
    deidentify: Annotated[
        bool, typer.Option("--deidentify", help="Leave out who it is and when, in all that is written (PS3.15).")
    ] = False,
    fhir: Annotated[bool, typer.Option("--fhir", help="Also write the reading as FHIR R4.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Also write it as rows for a trial's table.")] = False,
    language: Annotated[str, typer.Option("--language", help="Of the report: en, de, es or zh.")] = "en",
    as_json: AsJson = False,
    manifest: Manifest = None,
    quiet: Quiet = False,
) -> None:
    """Read one bone scan and write the whole reading into a folder.

    \b
    OUT will hold
      report.html, .pdf, .txt    for people: context, procedure, findings,
                                 interpretation, limits
      key_images.pdf, .png       the same on one page
      report_text.toml           for the physician's text: written once, never
                                 changed; joined by `bonescan report`
      reading.json               for machines: the same and more
      overlay_VIEW.png           the scan with outlines and letters
      regions_VIEW.png           region of each pixel, 1 skull to 17 foot
      findings_VIEW.png          number of the finding at each pixel
      bones_VIEW.npz             every single bone
      phases.html, .pdf, .json   of a study that holds blood flow, blood pool
                                 and delayed views of one place
      fhir.json, phases_fhir.json  with --fhir
      study.csv, findings.csv    with --tables
      dicom_results/*.dcm        with --dicom: for the archive and other programs
    with VIEW anterior or posterior. An earlier reading in OUT is replaced as a
    whole, with the leaflet that was signed on it, or kept as it was if anything
    fails. Other files stay.

    \b
    Examples:
      bonescan read scan.dcm -o reading
      bonescan read study-folder/ -o reading
      bonescan read anterior.dcm posterior.dcm -o reading
      bonescan read study.zip -o reading --json --quiet > summary.json
      bonescan read export.dcm -o reading --view posterior
      bonescan read anterior.png -o reading --view anterior --pixel-mm 2.4
      bonescan read scan.dcm -o reading --manifest run.json
      bonescan read three-phase-folder/ -o reading --side left
      bonescan read scan.dcm -o reading --dicom --deidentify
      bonescan read scan.dcm -o reading --language de
    """
    progress = progress_on_stderr(quiet)
    with compiled_code(progress):
        from bonescan import journeys
        from bonescan.scan import ViewName

        chosen = ViewName(view) if view else None
        study = journeys.read_study(
            inputs,
            out,
            view=chosen,
            flip=flip,
            pixel_mm=pixel_mm,
            side=side,
            dicom_results=dicom_results,
            deidentify=deidentify,
            fhir=fhir,
            tables=tables,
            language=language,
            progress=progress,
        )
    if manifest is not None:
        settings = {"command": "read", "view": view, "flip": flip, "pixel_mm": pixel_mm, "side": side}
        settings |= {
            "dicom": dicom_results,
            "deidentify": deidentify,
            "fhir": fhir,
            "tables": tables,
            "language": language,
        }
        journeys.write_file(manifest, in_json(journeys.study_manifest(study, out, settings)).encode())
    if as_json:
        print_results(in_json({**_written(out), **journeys.study_summary(study)}))
    elif not quiet:
        if study.phases is not None:
            print_results("\n".join([*study.phases.sentences, f"Phases           {out / 'phases.html'}"]))
        print_results(_in_words(study.reading, out) if study.reading is not None else NOT_A_DEVICE)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the readings.")] = Path(
        "demo-output"
    ),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read a real example scan and say where its report is.

    The scan is NM1, a Tc-99m whole-body bone scan that the DICOM community
    publishes for trials. It comes with the package pydicom-data:
    pip install "bonescan[demo]"

    \b
    Examples:
      bonescan demo
      bonescan demo -o somewhere
    """
    progress = progress_on_stderr(quiet)
    with compiled_code(progress):
        from bonescan import journeys

        readings = journeys.demo(out, progress)
    if as_json:
        print_results(in_json({name: _with_outputs(reading, out / name) for name, reading in readings.items()}))
    elif not quiet:
        for name, reading in readings.items():
            print_results(_in_words(reading, out / name))


def _written(out: Path) -> dict[str, object]:
    from bonescan import journeys

    names = (*journeys.OUTPUT_NAMES, *journeys.dicom_names(out))
    return {"out": str(out), "outputs": [name for name in names if (out / name).is_file()]}


def _with_outputs(reading: Reading, out: Path) -> dict[str, object]:
    from bonescan import journeys

    return {**_written(out), **journeys.summary(reading)}


def _in_words(reading: Reading, out: Path) -> str:
    from bonescan import journeys

    said: dict[str, Any] = journeys.summary(reading)
    counts = ", ".join(f"{name} {view['counts']:,} counts" for name, view in said["views"].items())
    found = ", ".join(f"{number} {kind}" for kind, number in said["findings"].items())
    checks = ", ".join(f"{number} {verdict}" for verdict, number in said["quality"].items() if number)
    index = said["bone_scan_index_percent"]
    spread = "" if index["uncertainty"] is None else f" +/- {index['uncertainty']:.2f}"
    amount = f"not given: {index['absent_reason']}" if index["value"] is None else f"{index['value']:.2f}{spread} %"
    notable = [remark for remark in said["remarks"] if remark["severity"] != "note"]
    concluded = [] if said["impression"] is None else said["impression"]["sentences"][:1]
    return "\n".join(
        [
            *(f"Impression       {sentence}" for sentence in concluded),
            f"Views            {counts}",
            f"Findings         {found}",
            f"Bone Scan Index  {amount}",
            f"Quality checks   {checks}",
            *(f"{remark['severity'].capitalize():<17}{remark['text']}" for remark in notable),
            f"Report           {out / 'report.html'}",
            NOT_A_DEVICE,
        ]
    )


COMMANDS: Sequence[Callable[..., None]] = (read, demo)
