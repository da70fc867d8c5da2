"""All files of a reading: `render`, and how pictures and content become one HTML file and one PDF."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.errors import GeometryMismatch, OutputFailed
from bonescan.reading.model import Kind, LabelledView, Reading
from bonescan.report.brush import beside, jpeg, png
from bonescan.report.content import CROPPED_FINDINGS, crop_alt, crop_caption, crop_evidence, report_content, words
from bonescan.report.framing import parts_shown, scale_for
from bonescan.report.maps import bones_npz, finding_map, map_png
from bonescan.report.pictures import Panel, display_window, draw_crops, draw_panel, draw_regions, style_of
from bonescan.report.record import reading_record, record_bytes
from bonescan.scan import View

if TYPE_CHECKING:
    from jinja2 import Template
    from PIL.Image import Image

__all__ = ["embedded", "page_template", "picture_svg", "render", "set_pages"]

_REGION_PICTURE = {"height": 1100, "width": 420}
_WIDE = 0.85
_PDF_STANDARDS = ["a-2b", "ua-1"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BEYOND_LATIN_GREEK_CYRILLIC = re.compile(
    "[^\u0020-\u024f\u0370-\u03ff\u0400-\u045f\u1e00-\u1eff\u2010-\u202f\u20ac\u2212]"
)
_BEYOND_LATIN_1 = re.compile("[^\u0020-\u00ff\u2013\u202f\u2212]")


def render(reading: Reading) -> dict[str, bytes]:
    """Turn a reading into every file that ``bonescan read`` writes.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    dict of str to bytes
        File name to content: ``reading.json``, for each view
        ``regions_<view>.png``, ``bones_<view>.npz``, ``findings_<view>.png`` and
        ``overlay_<view>.png``, then ``report.html`` and ``report.pdf``. The same
        reading gives the same bytes: no clock is read, the PDF is dated with
        the examination.

    Raises
    ------
    GeometryMismatch
        When the labels' views are not the scan's views.
    """
    from bonescan.anatomy import REGION_NAMES

    views, labels, findings = reading.scan.views, reading.labels.views, reading.findings
    if [(v.name, v.counts.shape) for v in views] != [(v.name, v.regions.shape) for v in labels]:
        raise GeometryMismatch(
            "The labels of a reading belong to other views than its scan; label this scan and read it again.",
            expected=[(v.name, v.counts.shape) for v in views],
            got=[(v.name, v.regions.shape) for v in labels],
        )
    pairs = list(zip(views, labels, strict=True))
    maps = {view.name: finding_map(view, findings) for view in views}
    windows = {view.name: display_window(view, labelled, findings) for view, labelled in pairs}
    files = {"reading.json": record_bytes(reading_record(reading, maps))}

    parts = parts_shown(views, labels, findings, {name: window.lower for name, window in windows.items()})
    scale, small = scale_for(views, parts), scale_for(views, parts, **_REGION_PICTURE)
    picture_words = words()["picture"]

    def draw(view: View, labelled: LabelledView) -> tuple[Panel, Image, dict[str, bytes]]:
        window, part = windows[view.name], parts[view.name]
        panel = draw_panel(view, labelled, findings, window, picture_words, part=part, pixels_per_mm=scale)
        regions = draw_regions(view, labelled, window, REGION_NAMES, picture_words, part=part, pixels_per_mm=small)
        own = {
            f"regions_{view.name.value}.png": map_png(labelled.regions),
            f"bones_{view.name.value}.npz": bones_npz(labelled.bones),
            f"findings_{view.name.value}.png": map_png(maps[view.name].ids),
            f"overlay_{view.name.value}.png": png(panel.image),
        }
        return panel, regions, own

    panels, tinted, without_letter = [], [], []
    with ThreadPoolExecutor() as pool:  # encoding leaves the interpreter free: the views take turns on two cores
        for panel, regions, own in pool.map(draw, views, labels):
            panels.append(panel.image)
            tinted.append(regions)
            without_letter += [letter for letter in panel.without_letter if letter not in without_letter]
            files |= own

    cropped = any(parts[view.name].shape != view.counts.shape for view in views)
    content = report_content(reading, windows, without_letter, cropped=cropped)
    with ThreadPoolExecutor() as pool:
        plate, region_plate = pool.map(_picture, (beside(panels), beside(tinted)))
    crops = []
    for finding in [one for one in findings if one.kind is Kind.BONE and not one.likely_normal][:CROPPED_FINDINGS]:
        squares = [
            {
                **_picture(image),
                "alt": crop_alt(name, finding),
                "caption": crop_caption(name, window, seen=name in finding.views),
            }
            for name, (image, window) in draw_crops(finding, views, labels, windows).items()
        ]
        row = next(row for row in content["bone"]["rows"] if row["cells"][0] == finding.letter)
        crops.append(
            {
                "letter": finding.letter,
                "style": style_of(finding),
                "place": row["cells"][1],
                "squares": squares,
                "evidence": crop_evidence(finding),
            }
        )
    files["report.html"] = _html(content, plate, region_plate, crops)
    files["report.pdf"] = _pdf(content, plate, region_plate, crops, reading.scan.acquired_at)
    return files


def _picture(image: Image) -> dict[str, Any]:
    """Encode a picture of a report, and say whether it is wide."""
    return {**embedded(image, quality=82), "wide": image.width > _WIDE * image.height}


def embedded(image: Image, quality: int = 88) -> dict[str, Any]:
    """Encode a picture as a page holds it.

    Parameters
    ----------
    image : PIL.Image.Image
    quality : int
        Of the JPEG.

    Returns
    -------
    dict
        ``source``, a data URL; ``width`` and ``height`` in pixels.
    """
    data = base64.b64encode(jpeg(image, quality)).decode("ascii")
    return {"source": f"data:image/jpeg;base64,{data}", "width": image.width, "height": image.height}


def _html(
    content: Mapping[str, Any], plate: Mapping[str, Any], regions: Mapping[str, Any], crops: Sequence[Mapping[str, Any]]
) -> bytes:
    page = page_template("report.html.j2").render(
        c=content, plate=plate, regions=regions, crops=crops, squares=_squares(crops)
    )
    return page.encode("utf-8")


def _squares(crops: Sequence[Mapping[str, Any]]) -> int:
    """Return how many views stand side by side where most do."""
    return max((len(crop["squares"]) for crop in crops), default=1)


@cache
def page_template(name: str) -> Template:
    """Return a packaged HTML template; every inserted text is escaped.

    Parameters
    ----------
    name : str
        Of the file.

    Returns
    -------
    jinja2.Template
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_packaged(name))


def _packaged(name: str) -> str:
    return resources.files("bonescan.report").joinpath(name).read_text(encoding="utf-8")


def _pdf(
    content: Mapping[str, Any],
    plate: Mapping[str, Any],
    regions: Mapping[str, Any],
    crops: Sequence[Mapping[str, Any]],
    dated: datetime | None,
) -> bytes:
    """Set the pages as PDF/A-2b and PDF/UA-1 with the fonts inside typst, none of this machine.

    PDF/A forbids text that its fonts cannot show. Where a name has such
    characters they are written as their Unicode numbers, so that no letter of a
    name is lost or replaced by an empty box.
    """
    files = {
        "main.typ": _packaged("report.typ").encode("utf-8"),
        "plate.svg": picture_svg(plate),
        "regions.svg": picture_svg(regions),
    }
    set_crops = []
    for i, crop in enumerate(crops):
        squares = []
        for j, square in enumerate(crop["squares"]):
            name = f"crop_{i}_{j}.svg"
            files[name] = picture_svg(square)
            squares.append({"file": name, "alt": square["alt"], "caption": square["caption"]})
        set_crops.append({**crop, "squares": squares})
    data = {
        "content": content,
        "crops": set_crops,
        "squares": _squares(crops),
        "wide": plate["wide"],
        "plate_width": plate["width"],
        "plate_height": plate["height"],
    }
    return set_pages(files, data, dated)


def set_pages(
    files: Mapping[str, bytes], data: Mapping[str, Any], dated: datetime | None, *, fonts: Sequence[Path] = ()
) -> bytes:
    """Set pages as PDF/A-2b and PDF/UA-1 with the fonts inside typst, none of this machine.

    Parameters
    ----------
    files : mapping of str to bytes
        ``main.typ`` and what it includes.
    data : mapping
        What ``main.typ`` finds as JSON in its input ``data``; ``font_note`` is added to it: whether letters had to
        be written as their Unicode numbers.
    dated : datetime or None
        Date of the document; no clock is asked.
    fonts : sequence of Path
        Folders of packaged fonts, beside those inside typst.

    Returns
    -------
    bytes

    Raises
    ------
    OutputFailed
        When the project's own wording holds characters that the fonts lack.
    """
    import typst

    if dated is not None and dated.tzinfo is None:
        dated = dated.replace(tzinfo=UTC)
    failure: Exception | None = None
    for beyond in (None, _BEYOND_LATIN_GREEK_CYRILLIC, _BEYOND_LATIN_1):
        noted = {**data, "font_note": beyond is not None}
        try:
            return bytes(
                typst.compile(
                    dict(files),  # type: ignore[call-overload]  # typst's stub lacks the mapping of names to bytes
                    format="pdf",
                    ignore_system_fonts=True,
                    font_paths=[str(folder) for folder in fonts],
                    sys_inputs={"data": json.dumps(noted if beyond is None else _numbered(noted, beyond))},
                    pdf_standards=_PDF_STANDARDS,
                    timestamp=dated or _EPOCH,
                )
            )
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
            failure = error
    raise OutputFailed(
        "The PDF could not be set: the report's own wording holds characters that its fonts lack; "
        "keep to Latin-1 in the wording file."
    ) from failure


def _numbered(value: Any, beyond: re.Pattern[str]) -> Any:
    """Write every character that matches `beyond` as its Unicode number, however deep."""
    if isinstance(value, str):
        return beyond.sub(lambda match: f"[U+{ord(match.group()):04X}]", value)
    if isinstance(value, Mapping):
        return {key: _numbered(item, beyond) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_numbered(item, beyond) for item in value]
    return value


def picture_svg(picture: Mapping[str, Any]) -> bytes:
    """Wrap a JPEG as SVG text, as typst takes pictures from memory; the JPEG enters the PDF as it is.

    Parameters
    ----------
    picture : mapping
        Of `embedded`.

    Returns
    -------
    bytes
    """
    width, height = picture["width"], picture["height"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="{picture["source"]}"/></svg>'
    ).encode("ascii")
