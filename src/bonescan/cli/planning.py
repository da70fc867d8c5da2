"""``plan``: a referral in, the sheets of an appointment out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bonescan.cli.sending import address_of
from bonescan.cli.terminal import AsJson, Language, Quiet, in_json, print_results, progress_on_stderr
from bonescan.errors import UnreadableInput

if TYPE_CHECKING:
    from bonescan.dicom.node.worklist import Expected

__all__ = ["COMMANDS"]


def plan(
    weight_kg: Annotated[
        float | None,
        typer.Option("--weight-kg", metavar="KG", help="Body weight; needed without a worklist.", show_default=False),
    ] = None,
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
    worklist: Annotated[
        str | None,
        typer.Option(
            "--worklist",
            metavar="HOST:PORT",
            help="Worklist server that knows weight, height, age and sex.",
            show_default=False,
        ),
    ] = None,
    ae_title: Annotated[
        str | None, typer.Option("--ae-title", metavar="TITLE", help="Its title.", show_default=False)
    ] = None,
    own_title: Annotated[
        str, typer.Option("--as", metavar="TITLE", help="What bonescan calls itself there.")
    ] = "BONESCAN",
    accession: Annotated[
        str | None,
        typer.Option("--accession", metavar="NUMBER", help="Accession number of whom is meant.", show_default=False),
    ] = None,
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
    With --worklist, --ae-title and --accession, what is not given here is taken
    from the DICOM modality worklist; the times of the appointment stay yours.

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
      bonescan plan --worklist ris.example:104 --ae-title RIS --accession A123
      bonescan plan --weight-kg 70 --previous-mbq 600 --previous-at "2026-03-03 09:00" --json
    """
    if worklist is None and (accession is not None or ae_title is not None):
        raise typer.BadParameter("--accession and --ae-title belong to --worklist")
    if worklist is None and weight_kg is None:
        raise typer.BadParameter("give --weight-kg, or --worklist, --ae-title and --accession")
    from bonescan import journeys
    from bonescan.report.sheets import department_content, plan_record, sheet_text
    from bonescan.tracer.appointment import PreviousStudy, Referral, clock_time

    progress = progress_on_stderr(quiet)
    now = datetime.now()
    start = _next_quarter(now) if inject_at is None else clock_time(inject_at, now.replace(hour=12, minute=0))
    if worklist is not None:
        expected = _expected(worklist, ae_title, own_title, accession)
        weight_kg = expected.weight_kg if weight_kg is None else weight_kg
        height_cm = expected.height_cm if height_cm is None else height_cm
        age = expected.age_years(start.date()) if age is None else age
        sex = _SEXES.get(expected.sex) if sex is None else sex
    if weight_kg is None:
        raise UnreadableInput("The worklist does not say this patient's weight; weigh, and give --weight-kg.")
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
        print_results(in_json(plan_record(planned)))
    elif not quiet:
        print_results(sheet_text(department_content(planned)).rstrip())
    if out is not None:
        progress(f"Sheets for the department and the patient are in {out}")


def _expected(address: str, ae_title: str | None, own_title: str, accession: str | None) -> Expected:
    """The one patient of an accession number."""
    if not ae_title or not accession:
        raise typer.BadParameter("--worklist needs --ae-title and --accession too")
    host, port = address_of(address, "--worklist")
    try:
        from bonescan.dicom.node.settings import NodeSettings, Peer
        from bonescan.dicom.node.worklist import worklist
    except ModuleNotFoundError as error:
        raise UnreadableInput(
            'A worklist needs the parts of the server: run pip install "bonescan[server]", then try again.',
            missing=error.name,
        ) from error

    peer = Peer(ae_title=ae_title, host=host, port=port)
    found = worklist(peer, NodeSettings(ae_title=own_title), accession_number=accession)
    people = {(one.patient_id, one.born_on, one.sex, one.weight_kg, one.height_cm) for one in found}
    if len(people) != 1:  # several steps of one patient are one patient
        raise UnreadableInput(
            f"The worklist has {len(people) or 'nobody'} under this accession number; expected one patient.",
            found=len(people),
        )
    return found[0]


_SEXES: Mapping[str, Literal["female", "male"]] = {"F": "female", "M": "male"}

_TRACERS: Mapping[str, str] = {
    "MDP": "Tc-99m MDP",
    "HDP": "Tc-99m HDP",
    "DPD": "Tc-99m DPD",
    "fluoride": "F-18 fluoride",
}


def _next_quarter(now: datetime) -> datetime:
    minutes = -(-now.minute // 15) * 15
    return now.replace(minute=0, second=0, microsecond=0) + timedelta(minutes=minutes)


COMMANDS: Sequence[Callable[..., None]] = (plan,)
