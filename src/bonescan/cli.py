"""The command line: one command, one function call, files out.

Start-up imports neither numpy nor any room (`tests/house/test_imports.py`
holds it to that), so help and mistakes are answered at once. A command exits
with 0 when done, 1 when it failed, with one sentence on stderr, and 2 when it
was called wrongly.
"""

from __future__ import annotations

import atexit
import errno
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from bonescan import __version__
from bonescan.errors import BoneScanError, OutputFailed

if TYPE_CHECKING:
    from bonescan.reading.model import Reading

__all__ = ["app", "main"]

NOT_A_DEVICE = "Research software: not a medical device, never the only basis of a decision."

app = typer.Typer(
    name="bonescan",
    help=f"""Read bone scans: which bone is where, where uptake is abnormal and by how much.

{NOT_A_DEVICE}

\b
Begin with one of these:
  bonescan demo                        read a real example scan
  bonescan read scan.dcm -o reading    read your own
  bonescan simulate metastases -o study  make one whose truth is known
  bonescan plan --weight-kg 70         activity, times and dose of the next one
  bonescan leaflet reading -o leaflet ...  what a physician signed, for the patient
  bonescan evaluate studies -o figures  how good its readings of simulated studies are
  bonescan read --help                 all it can do, with examples

Exit status: 0 done, 1 failed (one sentence on stderr says why), 2 called wrongly.
""",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors, and what --json asks for.")]
Language = Annotated[str, typer.Option("--language", help="Of the patient's leaflet: en, de, es or zh.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON on stdout.")]


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


@app.command()
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
    fhir: Annotated[bool, typer.Option("--fhir", help="Also write the reading as FHIR R4.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Also write it as rows for a trial's table.")] = False,
    as_json: AsJson = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="Also record versions, settings, input hashes and outputs, for audits. Holds no patient identity.",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Read one bone scan and write the whole reading into a folder.

    \b
    OUT will hold
      report.html, report.pdf    for people: pictures, findings, burden, quality
      reading.json               for machines: the same and more
      overlay_VIEW.png           the scan with outlines and letters
      regions_VIEW.png           region of each pixel, 1 skull to 17 foot
      findings_VIEW.png          number of the finding at each pixel
      bones_VIEW.npz             every single bone
      phases.html, .pdf, .json   of a study that holds blood flow, blood pool
                                 and delayed views of one place
      fhir.json                  with --fhir
      study.csv, findings.csv    with --tables
    with VIEW anterior or posterior. An earlier reading in OUT is replaced as a
    whole, or kept as it was if anything fails. Other files stay.

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
    """
    progress = _progress(quiet)
    with _compiled_code(progress):
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
            fhir=fhir,
            tables=tables,
            progress=progress,
        )
    if manifest is not None:
        settings = {
            "command": "read",
            "view": view,
            "flip": flip,
            "pixel_mm": pixel_mm,
            "side": side,
            "fhir": fhir,
            "tables": tables,
        }
        journeys.write_file(manifest, _json(journeys.study_manifest(study, out, settings)).encode())
    if as_json:
        _print(_json({**_written(out), **journeys.study_summary(study)}))
    elif not quiet:
        if study.phases is not None:
            _print("\n".join([*study.phases.sentences, f"Phases           {out / 'phases.html'}"]))
        _print(_in_words(study.reading, out) if study.reading is not None else NOT_A_DEVICE)


@app.command()
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
    progress = _progress(quiet)
    with _compiled_code(progress):
        from bonescan import journeys

        readings = journeys.demo(out, progress)
    if as_json:
        _print(_json({name: _with_outputs(reading, out / name) for name, reading in readings.items()}))
    elif not quiet:
        for name, reading in readings.items():
            _print(_in_words(reading, out / name))


@app.command()
def plan(
    weight_kg: Annotated[float, typer.Option("--weight-kg", metavar="KG", help="Body weight.", show_default=False)],
    age: Annotated[
        float | None,
        typer.Option(
            "--age", metavar="YEARS", help="Needed below 50 kg; else an adult is assumed.", show_default=False
        ),
    ] = None,
    height_cm: Annotated[
        float | None,
        typer.Option("--height-cm", metavar="CM", help="Decides on obesity; else 170 is assumed.", show_default=False),
    ] = None,
    sex: Annotated[
        Literal["female", "male"] | None,
        typer.Option("--sex", help="Else pregnancy is asked about.", show_default=False),
    ] = None,
    tracer: Annotated[
        Literal["MDP", "HDP", "DPD", "fluoride"],
        typer.Option("--tracer", help="Tc-99m with a phosphonate, or F-18 fluoride."),
    ] = "MDP",
    guideline: Annotated[
        Literal["EANM", "SNMMI", "label", "SmPC"],
        typer.Option("--guideline", help="Whose rule gives the activity; label is American, SmPC European."),
    ] = "EANM",
    activity_mbq: Annotated[
        float | None,
        typer.Option(
            "--activity-mbq", metavar="MBQ", help="Your own choice instead of the rule's.", show_default=False
        ),
    ] = None,
    inject_at: Annotated[
        str | None,
        typer.Option("--inject-at", metavar="TIME", help="Else the next quarter of an hour.", show_default=False),
    ] = None,
    image_at: Annotated[
        str | None,
        typer.Option("--image-at", metavar="TIME", help="When the camera is free; else 3 h later.", show_default=False),
    ] = None,
    vial_mbq: Annotated[
        float | None, typer.Option("--vial-mbq", metavar="MBQ", help="Activity of the vial.", show_default=False)
    ] = None,
    vial_ml: Annotated[
        float | None, typer.Option("--vial-ml", metavar="ML", help="Its volume.", show_default=False)
    ] = None,
    vial_at: Annotated[
        str | None, typer.Option("--vial-at", metavar="TIME", help="Its calibration time.", show_default=False)
    ] = None,
    residual_percent: Annotated[
        float, typer.Option("--residual-percent", metavar="%", help="What stays in your syringes; drawn in addition.")
    ] = 0.0,
    pregnant: Annotated[bool, typer.Option("--pregnant", help="The patient is pregnant.")] = False,
    breastfeeding: Annotated[bool, typer.Option("--breastfeeding", help="The patient breast-feeds.")] = False,
    dialysis: Annotated[bool, typer.Option("--dialysis", help="The patient is on dialysis.")] = False,
    previous_mbq: Annotated[
        float | None,
        typer.Option("--previous-mbq", metavar="MBQ", help="Activity of an earlier study.", show_default=False),
    ] = None,
    previous_at: Annotated[
        str | None, typer.Option("--previous-at", metavar="TIME", help="When it was injected.", show_default=False)
    ] = None,
    previous_tracer: Annotated[
        Literal[
            "MDP", "HDP", "DPD", "fluoride", "Tc-99m", "F-18", "I-123", "Tl-201", "In-111", "Ga-67", "Lu-177", "I-131"
        ],
        typer.Option("--previous-tracer", help="What it was: a bone tracer, or the nuclide of another."),
    ] = "Tc-99m",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="Folder for both sheets.", show_default=False)
    ] = None,
    language: Language = "en",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Plan a bone scan: activity, syringe, appointment, dose.

    Prints the department's sheet. No name goes in and none comes out: the
    sheets have a blank line for it.

    \b
    TIME is HH:MM, or "YYYY-MM-DD HH:MM". A clock time alone means the day on
    which it lies nearest to the injection, across midnight too.

    \b
    OUT will hold
      plan_department.pdf, .txt       one page for the department
      plan_patient.pdf, .html, .txt   the patient's leaflet, plain and in large type

    \b
    Examples:
      bonescan plan --weight-kg 70
      bonescan plan --weight-kg 20 --age 5 --inject-at 09:00 -o plan
      bonescan plan --weight-kg 70 --inject-at 09:00 -o plan --language de
      bonescan plan --weight-kg 70 --inject-at 09:00 --vial-mbq 6000 --vial-ml 5 --vial-at 06:30
      bonescan plan --weight-kg 64 --sex female --age 31 --breastfeeding -o plan
      bonescan plan --weight-kg 70 --previous-mbq 600 --previous-at "2026-03-03 09:00" --json
    """
    from bonescan import journeys
    from bonescan.report.sheets import department_content, plan_record, sheet_text
    from bonescan.tracer.appointment import PreviousStudy, Referral, clock_time

    progress = _progress(quiet)
    now = datetime.now()
    start = _next_quarter(now) if inject_at is None else clock_time(inject_at, now.replace(hour=12, minute=0))
    previous = None
    if previous_mbq is not None and previous_at is not None:
        previous = PreviousStudy(
            tracer=_TRACERS.get(previous_tracer, previous_tracer),
            activity_mbq=previous_mbq,
            injected_at=clock_time(previous_at, start - timedelta(hours=12)),
        )
    elif previous_mbq is not None or previous_at is not None:
        raise typer.BadParameter("an earlier study needs both --previous-mbq and --previous-at")
    planned = journeys.plan(
        Referral(
            mass_kg=weight_kg,
            age_years=age,
            height_cm=height_cm,
            sex=sex,
            pregnant=pregnant,
            breastfeeding=breastfeeding,
            dialysis=dialysis,
            previous=previous,
        ),
        inject_at=start,
        tracer=_TRACERS[tracer],
        guideline=guideline,
        activity_mbq=activity_mbq,
        image_at=None if image_at is None else clock_time(image_at, start + timedelta(hours=3)),
        vial_mbq=vial_mbq,
        vial_ml=vial_ml,
        vial_at=None if vial_at is None else clock_time(vial_at, start),
        residual_percent=residual_percent,
        out=out,
        language=language,
    )
    if as_json:
        _print(_json(plan_record(planned)))
    elif not quiet:
        _print(sheet_text(department_content(planned)).rstrip())
    if out is not None:
        progress(f"Sheets for the department and the patient are in {out}")


_TRACERS: Mapping[str, str] = {
    "MDP": "Tc-99m MDP",
    "HDP": "Tc-99m HDP",
    "DPD": "Tc-99m DPD",
    "fluoride": "F-18 fluoride",
}


def _next_quarter(now: datetime) -> datetime:
    minutes = -(-now.minute // 15) * 15
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=minutes)


@app.command()
def leaflet(
    reading: Annotated[
        Path, typer.Argument(metavar="READING", help="The folder that `bonescan read` has written.", show_default=False)
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the leaflet.", show_default=False)
    ],
    signed_by: Annotated[
        str, typer.Option("--signed-by", metavar="NAME", help="The physician who answers for it.", show_default=False)
    ],
    signed_on: Annotated[
        datetime,
        typer.Option("--signed-on", metavar="DATE", formats=["%Y-%m-%d"], help="When, YYYY-MM-DD.", show_default=False),
    ],
    conclusion: Annotated[
        list[str] | None,
        typer.Option(
            "--conclusion",
            metavar="KIND",
            help="What the physician concludes, as listed above; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    place: Annotated[
        list[str] | None,
        typer.Option(
            "--place",
            metavar="PLACE=KIND",
            help="What to show on the drawing: a finding's letter or a bone's id, and what it is. More than once.",
            show_default=False,
        ),
    ] = None,
    says: Annotated[
        str, typer.Option("--says", metavar="TEXT", help="The physician's own plain words instead of ours.")
    ] = "",
    next_steps: Annotated[
        str, typer.Option("--next", metavar="TEXT", help="The physician's own words on what comes next.")
    ] = "",
    language: Language = "en",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write for the patient what a physician has signed.

    The program's own findings are never told: only what is named here, in
    the name of a physician and with a date.

    \b
    KIND is one of
      nothing_unusual   nothing stands out; stands alone
      wear              wear of joints
      healing           bone that mends: a fracture, an operation
      inflammation      an inflamed bone or joint
      harmless          something different that is no cause for worry
      unclear           one more look is needed
      metastases        cancer in the bone: only then does the leaflet say the word

    \b
    OUT will hold
      leaflet.pdf, .html, .txt   in plain words and large type, with a drawing
      leaflet.json               who signed what, and of which reading

    \b
    Examples:
      bonescan leaflet reading -o leaflet --signed-by "Dr. A. Example" --signed-on 2026-03-05 --conclusion wear
      bonescan leaflet reading -o leaflet --signed-by "Dr. A. Example" --signed-on 2026-03-05 \\
        --conclusion healing --place A=healing --place rib_07_l=healing --language es
    """
    from bonescan import journeys
    from bonescan.report.leaflet_after import Conclusion, SignedResult

    if signed_on > datetime.now():
        raise typer.BadParameter("a result cannot be signed on a day to come", param_hint="--signed-on")

    def kind(text: str) -> Conclusion:
        if text not in list(Conclusion):
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(Conclusion)}")
        return Conclusion(text)

    named = dict(text.partition("=")[::2] for text in place or ())
    signed = SignedResult(
        physician=signed_by,
        signed_on=signed_on.date(),
        conclusions=tuple(map(kind, conclusion or ())),
        places={key: kind(text) for key, text in named.items()},
        says=says,
        next_steps=next_steps,
    )
    written = journeys.leaflet(reading, out, signed, language=language)
    if as_json:
        _print(_json({"outputs": {name: str(path) for name, path in written.items()}}))
    elif not quiet:
        _print(f"Leaflet          {out / 'leaflet.pdf'}\n{NOT_A_DEVICE}")


@app.command()
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
        _print(_json(told) if as_json else _listed(told))
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
    progress = _progress(quiet)
    with _compiled_code(progress):
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
        journeys.write_file(manifest, _json(journeys.simulation_manifest(study)).encode())
    if as_json:
        _print(_json(said))
    elif not quiet:
        _print(words)


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


@app.command()
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
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", metavar="FILE", help="Also record versions, settings and outputs.", show_default=False
        ),
    ] = None,
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
    progress = _progress(quiet)
    with _compiled_code(progress):
        from bonescan import journeys

        done = journeys.evaluate(
            folder, out, learned=not model_based, against=against, processes=processes, progress=progress
        )
    if manifest is not None:
        journeys.write_file(manifest, _json(journeys.evaluation_manifest(done)).encode())
    if as_json:
        _print(_json(done.record))
    elif not quiet:
        _print(_figures_in_words(done.record, out))


_MAIN_FIGURES = (
    "regions.all", "circles.all.found", "circles.all.extra", "lesions.visible.3.8", "lesions.distinct.3.8",
    "metastases.visible.3.8", "people.auc.all", "people.specificity.all.benign", "calibration.findings",
    "calibration.people", "bsi.r", "bsi.error.all", "cost.seconds",
)  # fmt: skip


def _figures_in_words(record: Mapping[str, Any], out: Path) -> str:
    rows: list[Mapping[str, object]] = [
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
    table = [_aligned(rows)] if rows else []
    return "\n".join([*table, read, f"All figures are in {out / 'evaluation.html'}", NOT_A_DEVICE])


@app.command()
def anatomy(
    table: Annotated[
        Literal["bones", "regions", "masses"], typer.Option("--table", help="Which table to print.")
    ] = "bones",
    as_json: AsJson = False,
) -> None:
    """Print what bonescan knows of the skeleton.

    \b
    bones    every bone: id, name, side, region, FMA and SNOMED codes
    regions  the planar regions and their numbers in regions_VIEW.png
    masses   each bone's share of skeletal mass, by published table

    \b
    Examples:
      bonescan anatomy
      bonescan anatomy --table regions
      bonescan anatomy --table masses --json
    """
    rows = _TABLES[table]()
    _print(_json(rows) if as_json else _aligned(rows))


Row = Mapping[str, object]


def _bones() -> list[Row]:
    from bonescan import anatomy as room

    columns = ("id", "name", "side", "region", "group", "fma", "snomed")
    return [{column: getattr(bone, column) for column in columns} for bone in room.BONES]


def _regions() -> list[Row]:
    from bonescan import anatomy as room

    return [{"region": number, "name": name} for number, name in sorted(room.REGION_NAMES.items())]


def _masses() -> list[Row]:
    from bonescan import anatomy as room

    tables = [room.mass_table(name) for name in room.MASS_TABLES]
    return [
        {"bone": bone.id, **{f"{table.name} {table.version}": table.share_percent.get(bone.id) for table in tables}}
        for bone in room.BONES
    ]


_TABLES: Mapping[str, Callable[[], list[Row]]] = {"bones": _bones, "regions": _regions, "masses": _masses}


def _aligned(rows: Sequence[Row]) -> str:
    lines = [list(rows[0])] + [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=str)


def _written(out: Path) -> dict[str, object]:
    from bonescan import journeys

    return {"out": str(out), "outputs": [name for name in journeys.OUTPUT_NAMES if (out / name).is_file()]}


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


def _print(results: str) -> None:
    try:
        typer.echo(results)
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever listened has had enough, as `head` has
            raise
        raise OutputFailed(
            f"Could not print the results: {error.strerror}; what was written into files is whole.", errno=error.errno
        ) from error


def _progress(quiet: bool) -> Callable[[str], None]:
    start = time.monotonic()

    def say(sentence: str) -> None:
        if not quiet:
            typer.echo(f"[{time.monotonic() - start:5.1f} s] {sentence}", err=True)

    return say


@contextmanager
def _compiled_code(progress: Callable[[str], None]) -> Iterator[None]:
    """Choose where compiled code is kept, and say so while none is there yet.

    A folder of one's own works beside a read-only installation. Where not even
    that can be written, a private temporary folder lasts for this run: compiled
    code is executed, so it is never taken from a folder others can write to.
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


def _cache_folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or os.path.expanduser("~")) / "bonescan"
    if sys.platform == "darwin":
        return Path(os.path.expanduser("~/Library/Caches/bonescan"))
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "bonescan"


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
        if _debugging():
            raise
        _fail(str(error))
    except Exception as error:  # the one place where nothing may pass: a traceback is no answer to a technologist
        if _debugging():
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


def _debugging() -> bool:
    return os.environ.get("BONESCAN_DEBUG", "") not in ("", "0")


def _where(error: BaseException) -> str:
    """Type and place of an error in this package, without its message, which may quote the patient."""
    package = Path(__file__).parent
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [(path, line) for path, line in frames if path.is_relative_to(package)]
    path, line = own[-1]  # never empty: `main` itself is a frame of this package
    return f"{type(error).__name__} at {path.relative_to(package).as_posix()}:{line}"


def _fail(sentence: str) -> NoReturn:
    typer.echo(f"bonescan: {sentence}", err=True)
    sys.exit(1)
