"""The pictures of a reading's report, drawn once and kept beside it: the report is made anew without the scan.

``report_pictures.json`` holds them as they enter the pages, with what a caption needs to know of them. They carry the
letters of a camera's display (Anterior, Posterior, R, L), which are the same in all languages.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bonescan.errors import GeometryMismatch, UnreadableInput
from bonescan.reading.model import Kind, LabelledView, Reading
from bonescan.report.brush import beside, embedded, png
from bonescan.report.content import Shown
from bonescan.report.finding_tables import CROPPED_FINDINGS
from bonescan.report.framing import parts_shown, scale_for
from bonescan.report.language import words
from bonescan.report.pictures import Panel, display_window, draw_crops, draw_panel, draw_regions
from bonescan.scan import View

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "PICTURES_NAME",
    "Illustrations",
    "illustrate",
    "kept_illustrations",
    "plain_illustrations",
]

PICTURES_NAME = "report_pictures.json"
"""The file in which `Illustrations` are kept."""

_REGION_PICTURE = {"height": 1100, "width": 420}
_WIDE = 0.85
_SCHEMA = "bonescan-report-pictures/1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Illustrations:
    """The pictures of a report.

    Parameters
    ----------
    shown : Shown
        What they show.
    plate : mapping
        The views side by side, as `bonescan.report.brush.embedded` returns it, and whether it is ``wide``.
    regions : mapping or None
        The views with their regions tinted.
    crops : sequence of mapping
        ``letter`` of a finding and its ``squares``, each with ``view`` and ``window``.
    """

    shown: Shown
    plate: Mapping[str, Any]
    regions: Mapping[str, Any] | None = None
    crops: Sequence[Mapping[str, Any]] = ()

    def kept(self) -> bytes:
        """The bytes of ``report_pictures.json``; `kept_illustrations` reads them."""
        held = {
            "schema": _SCHEMA,
            "shown": asdict(self.shown),
            "plate": self.plate,
            "regions": self.regions,
            "crops": self.crops,
        }
        return (json.dumps(held, ensure_ascii=False) + "\n").encode("utf-8")


def illustrate(reading: Reading) -> tuple[Illustrations, dict[str, bytes]]:
    """Draw every picture of a reading.

    Parameters
    ----------
    reading : Reading

    Returns
    -------
    illustrations : Illustrations
    overlays : dict of str to bytes
        ``overlay_<view>.png``: the views one by one.

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
    windows = {
        view.name: display_window(view, labelled, findings) for view, labelled in zip(views, labels, strict=True)
    }
    parts = parts_shown(views, labels, findings, {name: window.lower for name, window in windows.items()})
    scale, small = scale_for(views, parts), scale_for(views, parts, **_REGION_PICTURE)
    lettering = words()["picture"]

    def draw(view: View, labelled: LabelledView) -> tuple[Panel, Image, bytes]:
        window, part = windows[view.name], parts[view.name]
        panel = draw_panel(view, labelled, findings, window, lettering, part=part, pixels_per_mm=scale)
        regions = draw_regions(view, labelled, window, REGION_NAMES, lettering, part=part, pixels_per_mm=small)
        return panel, regions, png(panel.image)

    panels, tinted, without_letter, overlays = [], [], [], {}
    with ThreadPoolExecutor() as pool:  # encoding leaves the interpreter free: the views take turns on two cores
        for view, (panel, regions, overlay) in zip(views, pool.map(draw, views, labels), strict=True):
            panels.append(panel.image)
            tinted.append(regions)
            without_letter += [letter for letter in panel.without_letter if letter not in without_letter]
            overlays[f"overlay_{view.name.value}.png"] = overlay
        plate, region_plate = pool.map(_picture, (beside(panels), beside(tinted)))
    crops = [
        {
            "letter": finding.letter,
            "squares": [
                {"view": name.value, "window": [window.lower, window.upper], **_picture(image)}
                for name, (image, window) in draw_crops(finding, views, labels, windows).items()
            ],
        }
        for finding in [one for one in findings if one.kind is Kind.BONE and not one.likely_normal][:CROPPED_FINDINGS]
    ]
    shown = Shown(
        windows={name.value: (window.lower, window.upper) for name, window in windows.items()},
        without_letter=tuple(without_letter),
        cropped=any(parts[view.name].shape != view.counts.shape for view in views),
        regions=tuple(sorted({int(number) for labelled in labels for number in np.unique(labelled.regions)})),
    )
    return Illustrations(shown=shown, plate=plate, regions=region_plate, crops=crops), overlays


def kept_illustrations(content: bytes) -> Illustrations:
    """Read the bytes of a ``report_pictures.json``.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    Illustrations

    Raises
    ------
    UnreadableInput
        When it is no such file.
    """
    try:
        held = json.loads(content)
        if held["schema"] != _SCHEMA:
            raise ValueError(held["schema"])
        shown = held["shown"]
        pictures = [held["plate"], *([held["regions"]] if held["regions"] else [])]
        pictures += [square for crop in held["crops"] for square in crop["squares"]]
        if not all({"source", "width", "height"} <= picture.keys() for picture in pictures) or not all(
            isinstance(crop["letter"], str) and all(len(square["window"]) == 2 for square in crop["squares"])
            for crop in held["crops"]
        ):
            raise ValueError("a picture lacks its source, size or window")
        return Illustrations(
            shown=Shown(
                windows={view: (float(low), float(high)) for view, (low, high) in shown["windows"].items()},
                without_letter=tuple(shown["without_letter"]),
                cropped=bool(shown["cropped"]),
                regions=tuple(shown["regions"]),
            ),
            plate=held["plate"],
            regions=held["regions"],
            crops=held["crops"],
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableInput(
            f"The {PICTURES_NAME} is not as bonescan writes it; read the scan again, or take the file away: the report "
            "then has the views alone."
        ) from error


def plain_illustrations(overlays: Sequence[bytes]) -> Illustrations:
    """Take the views alone, where a reading's pictures were not kept.

    Parameters
    ----------
    overlays : sequence of bytes
        The ``overlay_<view>.png`` of a reading.

    Returns
    -------
    Illustrations

    Raises
    ------
    UnreadableInput
        When there is none, or it is no picture.
    """
    from PIL import Image

    try:
        images = [Image.open(io.BytesIO(content)).convert("RGB") for content in overlays]
    except OSError as error:
        raise UnreadableInput("An overlay of this reading is no picture; read the scan again.") from error
    if not images:
        raise UnreadableInput("This reading has no pictures of its views beside it; read the scan again.")
    return Illustrations(shown=Shown(), plate=_picture(beside(images)))


def _picture(image: Image) -> dict[str, Any]:
    """Encode a picture of a report, and say whether it is wide."""
    return {**embedded(image, quality=82), "wide": image.width > _WIDE * image.height}
