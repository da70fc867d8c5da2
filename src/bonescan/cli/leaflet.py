"""``leaflet``: what a physician has signed in, the patient's leaflet out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from bonescan.cli.terminal import NOT_A_DEVICE, AsJson, Language, Quiet, in_json, print_results

__all__ = ["COMMANDS"]


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
    if len(named) < len(place or ()):
        raise typer.BadParameter("a place is named twice; say once what it is", param_hint="--place")
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
        print_results(in_json({"outputs": {name: str(path) for name, path in written.items()}}))
    elif not quiet:
        print_results(f"Leaflet          {out / 'leaflet.pdf'}\n{NOT_A_DEVICE}")


COMMANDS: Sequence[Callable[..., None]] = (leaflet,)
