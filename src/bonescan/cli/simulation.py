"""``simulate``: a scenario in, a study of a digital patient and its truth out."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bonescan.cli.terminal import AsJson, Quiet, compiled_code, in_json, print_results, progress_on_stderr

__all__ = ["COMMANDS"]


def simulate(
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="SCENARIO",
            help="Name of a scenario or a cohort (see --list), or a TOML file.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="Folder for the study.", show_default=False)
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say which scenarios there are and what each shows.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="One seed gives one study.")] = 1,
    counts: Annotated[
        float | None,
        typer.Option(
            "--counts", metavar="N", help="Mean of both views; else as the protocol lasts.", show_default=False
        ),
    ] = None,
    camera: Annotated[
        str,
        typer.Option(
            "--camera",
            metavar="NAME",
            help="symbia_lehr, discovery_670_lehr, infinia_lehr, brightview_lehr or czt_whole_body.",
        ),
    ] = "symbia_lehr",
    protocol: Annotated[
        str,
        typer.Option(
            "--protocol",
            metavar="NAME",
            help="whole-body, whole-body-fast, whole-body-fixed-height, spot, three-phase, spect, "
            "spect-continuous or spect-ellipse.",
        ),
    ] = "whole-body",
    over: Annotated[
        list[str] | None,
        typer.Option(
            "--over",
            metavar="PLACE",
            help="Where spot, three-phase and spect look: head, chest, abdomen, pelvis, knees, feet, hands, or a "
            "bone's id; else at the first lesion.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option("--count", metavar="N", min=1, help="Make so many studies, on all cores.", show_default=False),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", metavar="N", min=1, help="With --count: fewer than all cores.", show_default=False),
    ] = None,
    dialect: Annotated[
        Literal["standard", "ge", "siemens", "research"],
        typer.Option("--dialect", help="Whose habits the DICOM objects have."),
    ] = "standard",
    fast: Annotated[
        bool, typer.Option("--fast", help="Coarser voxels and quicker scatter, for cohorts of many thousands.")
    ] = False,
    volumes: Annotated[
        bool | None,
        typer.Option(
            "--volumes/--no-volumes",
            help="Keep activity, bones and lesions in 3-D; by default of one study, not with --count.",
            show_default=False,
        ),
    ] = None,
    phantom: Annotated[
        Path | None,
        typer.Option(
            "--phantom", metavar="FILE", help="Labelled volume of a body from outside, NIfTI.", show_default=False
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="What its labels are, one a line.", show_default=False),
    ] = None,
    ct: Annotated[
        Path | None, typer.Option("--ct", metavar="FILE", help="Its CT on the same grid.", show_default=False)
    ] = None,
    sex: Annotated[
        Literal["female", "male"] | None,
        typer.Option("--sex", help="Of the phantom, unless the scenario tells it.", show_default=False),
    ] = None,
    age: Annotated[
        float | None, typer.Option("--age", metavar="YEARS", help="Of the phantom.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="Also record versions, settings, seed, input hashes and outputs of one study.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Simulate a bone scan: a digital patient under a gamma camera.

    Nobody was injected: every file says that it is simulated.

    \b
    OUT will hold
      dicom/         what a camera would send, for bonescan read or any other system
      truth/         what is true of it, which no reader opens: truth.json, and by
                     view regions, bones, lesions and expected counts; volumes.npz
      preview.png    a quick look
    An earlier study in OUT is replaced as a whole, or kept if anything fails.

    \b
    With --count, OUT will hold case_00000, case_00001, ... and cohort.json.
    A run that was stopped goes on with the same command; finished studies stay.
    SCENARIO cohort draws people as they come to a clinic; without a SCENARIO,
    --count does so too. cohort:normal, cohort:mimics and cohort:metastatic draw
    people without lesions, with benign ones only, and with metastases.

    \b
    Examples:
      bonescan simulate --list
      bonescan simulate metastases -o study
      bonescan read study -o reading
      bonescan simulate my-scenario.toml -o study --seed 7 --counts 1.5e6 --camera discovery_670_lehr
      bonescan simulate osteomyelitis -o study --protocol three-phase
      bonescan simulate single_metastasis -o study --protocol spect --over vertebra_l03
      bonescan simulate cohort -o cohort --count 1000 --fast --dialect ge
      bonescan simulate normal -o study --phantom labels.nii.gz --labels table.txt --sex female
    """
    if listed:
        from bonescan import journeys

        told = journeys.scenario_list()
        print_results(in_json(told) if as_json else _listed(told))
        return
    if out is None:
        raise typer.BadParameter("a folder for the study is needed: --out OUT")
    if scenario is None and count is None:
        raise typer.BadParameter("name a scenario; bonescan simulate --list says which there are")
    if (phantom is None) != (labels is None):
        raise typer.BadParameter("a body from outside needs both --phantom and --labels")
    if phantom is None and (ct is not None or sex is not None or age is not None):
        raise typer.BadParameter("--ct, --sex and --age go with --phantom")
    if count is None and processes is not None:
        raise typer.BadParameter("--processes goes with --count")
    if count is not None and manifest is not None:
        raise typer.BadParameter("with --count, cohort.json is the record; --manifest goes with one study")
    progress = progress_on_stderr(quiet)
    with compiled_code(progress):
        from bonescan import journeys

        settings = journeys.Settings(
            camera=camera, protocol=protocol, counts=counts, over=tuple(over or ()), dialect=dialect, fast=fast,
            volumes=volumes,
        )  # fmt: skip
        body = None
        if phantom is not None and labels is not None:
            body = journeys.Phantom(labels=phantom, table=labels, ct=ct, sex=sex, age_years=age)
        chosen = journeys.COHORT if scenario is None else scenario
        if count is not None:
            made = journeys.simulate_cohort(
                chosen, out, count=count, seed=seed, settings=settings, phantom=body, processes=processes,
                progress=progress,
            )  # fmt: skip
        else:
            study = journeys.simulate(chosen, out, seed=seed, settings=settings, phantom=body, progress=progress)
    if count is not None:
        said: dict[str, object] = {"out": str(out), "cases": len(made.cases), "made_now": made.made, **made.record}
        words = f"Studies          {len(made.cases)} in {out}, {made.made} of them made now"
    else:
        said = journeys.simulation_summary(study)
        words = _study_in_words(said, out)
    if manifest is not None:
        journeys.write_file(manifest, in_json(journeys.simulation_manifest(study)).encode())
    if as_json:
        print_results(in_json(said))
    elif not quiet:
        print_results(words)


def _listed(told: Mapping[str, Mapping[str, str]]) -> str:
    width = max(map(len, told))
    lines = [f"{name:<{width}}  {one['title']}: {one['shows']}" for name, one in told.items()]
    space = shutil.get_terminal_size((100, 24)).columns
    return "\n".join(
        textwrap.fill(line, space, subsequent_indent=" " * (width + 2), break_long_words=False) for line in lines
    )


def _study_in_words(said: Mapping[str, Any], out: Path) -> str:
    person, views, findings = said["person"], said["views"], said["findings"]
    counts = ", ".join(f"{name} {view['counts']:,.0f} counts" for name, view in views.items())
    found = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in findings.items())
    age = int(person["age_years"])  # in whole years, as in the header
    return "\n".join(
        [
            f"Patient          simulated: {person['sex']}, {age} years, {person['mass_kg']:.0f} kg",
            *([f"Views            {counts}"] if counts else []),
            f"Put in           {found or 'nothing'}",
            f"Bone Scan Index  {said['bone_scan_index_percent']:.2f} %, by mass of the metastases",
            f"Quick look       {out / 'preview.png'}",
            *([f"Read it          bonescan read {out} -o {out}-reading"] if _readable(said) else []),
        ]
    )


def _readable(said: Mapping[str, Any]) -> bool:
    return any(name.startswith(("dicom/whole_body", "dicom/flow")) for name in said["outputs"])


COMMANDS: Sequence[Callable[..., None]] = (simulate,)
