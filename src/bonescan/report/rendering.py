"""All files of a reading: what `bonescan read` writes, and the report made anew of what it has written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from typing import Any

from bonescan.reading.model import Reading
from bonescan.report.content import crops_content, report_content
from bonescan.report.illustrations import PICTURES_NAME, Illustrations, illustrate
from bonescan.report.language import Language, language
from bonescan.report.maps import bones_npz, finding_map, map_png
from bonescan.report.pages import packaged_fonts, page_template, picture_svg, set_page, set_pages
from bonescan.report.physician import PhysicianText
from bonescan.report.plain_text import plain_text
from bonescan.report.record import reading_record, record_bytes
from bonescan.report.with_prior import refuse_another

__all__ = ["REPORT_NAMES", "render", "report_files"]

REPORT_NAMES = ("report.html", "report.pdf", "report.txt", "key_images.pdf", "key_images.png")
"""What the report is made as."""


def render(
    reading: Reading,
    code: str = "en",
    text: PhysicianText | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Turn a reading into every file that ``bonescan read`` writes.

    Parameters
    ----------
    reading : Reading
    code : str
        Language of the report, one of `bonescan.report.language.report_languages`.
    text : PhysicianText, optional
        What a physician has written for this study.
    comparison : mapping, optional
        With the scan before, as ``comparison.json`` holds it.

    Returns
    -------
    dict of str to bytes
        File name to content: ``reading.json``, for each view
        ``regions_<view>.png``, ``bones_<view>.npz``, ``findings_<view>.png`` and
        ``overlay_<view>.png``, then ``report_pictures.json`` and `REPORT_NAMES`. The same
        reading gives the same bytes: no clock is read, the PDFs are dated with
        the examination.

    Raises
    ------
    GeometryMismatch
        When the labels' views are not the scan's views.
    InvalidValue
        When there is no such language, or the text is of another study.
    """
    tongue = language(code)
    illustrations, overlays = illustrate(reading)
    maps = {view.name: finding_map(view, reading.findings) for view in reading.scan.views}
    record = reading_record(reading, maps)
    files = {"reading.json": record_bytes(record), **overlays, PICTURES_NAME: illustrations.kept()}
    for labelled in reading.labels.views:
        name = labelled.name.value
        files[f"regions_{name}.png"] = map_png(labelled.regions)
        files[f"bones_{name}.npz"] = bones_npz(labelled.bones)
        files[f"findings_{name}.png"] = map_png(maps[labelled.name].ids)
    return files | report_files(record, illustrations, tongue, text, comparison)


def report_files(
    record: Mapping[str, Any],
    illustrations: Illustrations,
    tongue: Language,
    text: PhysicianText | None = None,
    comparison: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Make the report of a reading.

    Parameters
    ----------
    record : mapping
        The reading, as ``reading.json`` holds it.
    illustrations : Illustrations
    tongue : Language
    text : PhysicianText, optional
    comparison : mapping, optional
        With the scan before, as ``comparison.json`` holds it.

    Returns
    -------
    dict of str to bytes
        By name, as in `REPORT_NAMES`.

    Raises
    ------
    InvalidValue
        When the text or the comparison is of another study, or the text signed before the scan.
    """
    if text is not None:
        text.checked_for(record)
    if comparison is not None:
        refuse_another(comparison, record)
    content = report_content(record, illustrations.shown, tongue, text, comparison)
    crops = crops_content(record, illustrations.crops, tongue)
    acquired = record["scan"]["acquired_at"]
    dated = datetime.fromisoformat(acquired) if acquired else None
    # the packaged font is large: only pages that need its letters take it
    fonts = (packaged_fonts(),) if content["wide_letters"] else ()
    plate = illustrations.plate
    data = {
        "content": content,
        "wide": plate["wide"],
        "plate_width": plate["width"],
        "plate_height": plate["height"],
    }
    page = page_template("report.html.j2").render(
        c=content, plate=plate, regions=illustrations.regions, crops=crops, squares=_squares(crops)
    )
    key_files = {"main.typ": _packaged("key_images.typ"), "plate.svg": picture_svg(plate)}
    key_pdf, key_png = set_page(key_files, data, dated, fonts=fonts)
    files, set_crops = _crop_files(crops)
    files |= {"main.typ": _packaged("report.typ"), "plate.svg": picture_svg(plate)}
    if illustrations.regions is not None:
        files["regions.svg"] = picture_svg(illustrations.regions)
    more = {"crops": set_crops, "squares": _squares(crops), "has_regions": illustrations.regions is not None}
    return {
        "report.html": page.encode("utf-8"),
        "report.pdf": set_pages(files, data | more, dated, fonts=fonts),
        "report.txt": plain_text(content).encode("utf-8"),
        "key_images.pdf": key_pdf,
        "key_images.png": key_png,
    }


def _packaged(name: str) -> bytes:
    return resources.files("bonescan.report").joinpath(name).read_bytes()


def _squares(crops: Sequence[Mapping[str, Any]]) -> int:
    """Return how many views stand side by side where most do."""
    return max((len(crop["squares"]) for crop in crops), default=1)


def _crop_files(crops: Sequence[Mapping[str, Any]]) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """The zoomed pictures as files for typst, and what stands beside them."""
    files, told = {}, []
    for i, crop in enumerate(crops):
        squares = []
        for j, square in enumerate(crop["squares"]):
            name = f"crop_{i}_{j}.svg"
            files[name] = picture_svg(square)
            squares.append({"file": name, "alt": square["alt"], "caption": square["caption"]})
        told.append({**crop, "squares": squares})
    return files, told
