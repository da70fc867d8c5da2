from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.report.phantom import body_coordinates, phantom_reading, withheld

from bonescan.errors import GeometryMismatch
from bonescan.reading.model import LabelledView, Reading
from bonescan.report import render
from bonescan.report.rendering import REPORT_NAMES
from bonescan.scan import PatientFacts, View, ViewName


class Page(HTMLParser):
    """Collects the tags, attributes and visible text of a page."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(data.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def pdf_text(data: bytes) -> bytes:
    """Return the PDF's uncompressed XMP metadata."""
    found = re.search(rb"<x:xmpmeta.*?</x:xmpmeta>", data, re.DOTALL)
    assert found
    return found.group()


def test_all_files_of_the_published_layout_are_there(files: dict[str, bytes]) -> None:
    per_view = ("regions_{}.png", "bones_{}.npz", "findings_{}.png", "overlay_{}.png")
    names = {form.format(view) for form in per_view for view in ("anterior", "posterior")}
    assert set(files) == names | {"reading.json", "report_pictures.json", *REPORT_NAMES}


def test_the_same_reading_gives_the_same_bytes(reading: Reading, files: dict[str, bytes]) -> None:
    assert render(reading) == files


def test_the_html_is_self_contained_and_described(files: dict[str, bytes]) -> None:
    page = Page(files["report.html"])
    assert not {"script", "link", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    sources = [attributes.get("src") for _, attributes in page.tags if "src" in attributes]
    assert sources
    assert all(source and source.startswith("data:image/") for source in sources)
    assert not [a for _, a in page.tags if "href" in a or any(name.startswith("on") for name in a)]
    assert "url(" not in files["report.html"].decode()
    assert all(attributes.get("alt") for tag, attributes in page.tags if tag == "img")
    assert ("html", {"lang": "en"}) in page.tags
    for sentence in ("Not a medical device", "Never the only basis of a decision", "BodyParts3D", "CC BY-SA 4.0"):
        assert sentence in page.text


def test_colours_on_the_page_have_enough_contrast() -> None:
    # Witness: WCAG 2.2, 1.4.3: at least 4.5 to 1, with its formula of relative luminance.
    from bonescan.report.pictures import FINDING_COLOURS

    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return float(np.dot((0.2126, 0.7152, 0.0722), linear))

    for colour in FINDING_COLOURS.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_the_pdf_is_archival_accessible_and_dated_with_the_examination(files: dict[str, bytes]) -> None:
    xmp = pdf_text(files["report.pdf"])
    assert b"<pdfaid:part>2</pdfaid:part>" in xmp
    assert b"<pdfaid:conformance>B</pdfaid:conformance>" in xmp
    assert b"<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert b"2021-03-04T12:20:00" in xmp


def test_without_an_examination_date_the_clock_is_not_asked(reading: Reading) -> None:
    undated = replace(reading, scan=replace(reading.scan, acquired_at=None))
    assert b"1970-01-01T00:00:00" in pdf_text(render(undated)["report.pdf"])


NASTY = (
    "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>",
    '#read("/etc/passwd") #import "@preview/x:1.0.0": * ]] $x^2$ *bold* \\u{41} <label> @ref // /* `raw`',
    "{{ 7*7 }} {% raw %} {name} %s",
    "山田^太郎=やまだ^たろう عَرَبِيّ 🦴 \u202e\x00\x07\ufffe",
)


@pytest.mark.parametrize("name", NASTY)
def test_nasty_names_stay_text(name: str) -> None:
    reading = phantom_reading(findings=2, shape=(256, 256), row_mm=2.4, column_mm=2.4,
                              patient=PatientFacts(name=name, patient_id=name, sex=name))  # fmt: skip
    files = render(reading)
    page = Page(files["report.html"])
    assert not {"script", "onerror"} & {tag for tag, _ in page.tags}
    assert sum(tag == "img" for tag, _ in page.tags) == 4
    visible = "".join(c if c.isprintable() and c != "\u202e" else " " for c in name)
    assert visible.strip()[:20] in page.text.replace(", ", "^")
    assert files["report.pdf"].startswith(b"%PDF-1.7")
    assert b"pdfaid:part>2" in files["report.pdf"]


@pytest.mark.parametrize("view", list(ViewName))
def test_one_view_is_enough(view: ViewName) -> None:
    files = render(phantom_reading(findings=5, views=(view,)))
    assert f"overlay_{view.value}.png" in files
    assert len(files) == 4 + 2 + len(REPORT_NAMES)


def test_no_findings_nothing_known_and_everything_withheld() -> None:
    files = render(withheld(phantom_reading(findings=0, patient=PatientFacts())))
    text = Page(files["report.html"]).text
    for sentence in ("No bone finding.", "not stated", "Fewer than 0.5 million counts", "None found."):
        assert sentence in text


@pytest.mark.long
def test_two_hundred_findings_fit_in_three_megabytes() -> None:
    files = render(phantom_reading(findings=200))
    assert len(files["report.html"]) < 3_000_000
    assert len(files["report.pdf"]) < 3_000_000
    assert "The 24 most significant of" in Page(files["report.html"]).text


def test_views_of_different_shapes_are_drawn_together(reading: Reading) -> None:
    anterior = phantom_reading(findings=0, views=(ViewName.ANTERIOR,), shape=(512, 128), row_mm=3.4, column_mm=3.4)
    posterior = phantom_reading(findings=0, views=(ViewName.POSTERIOR,))
    both = replace(
        anterior,
        scan=replace(anterior.scan, views=(*anterior.scan.views, *posterior.scan.views)),
        labels=replace(anterior.labels, views=(*anterior.labels.views, *posterior.labels.views)),
    )
    assert render(both)["report.pdf"]


def test_labels_of_another_scan_are_refused(reading: Reading) -> None:
    swapped = replace(reading, labels=replace(reading.labels, views=reading.labels.views[::-1]))
    with pytest.raises(GeometryMismatch, match="other views"):
        render(swapped)


@pytest.mark.skipif("BONESCAN_REAL_SCANS" not in os.environ, reason="needs the real scans")
def test_real_counts_are_reported() -> None:
    import pydicom
    from PIL import Image

    folder = Path(os.environ["BONESCAN_REAL_SCANS"])
    frames = pydicom.dcmread(folder / "117.dcm").pixel_array
    views, labels = [], []
    for name, frame in zip(ViewName, frames, strict=True):
        x, z = body_coordinates(name, frame.shape, 1.8, 1.8)
        regions = np.asarray(Image.open(folder / f"117_regions_{name.value}.png"), np.uint8)
        views.append(View(name=name, counts=frame, row_spacing_mm=1.8, column_spacing_mm=1.8, identity_basis="order"))
        labels.append(
            LabelledView(name=name, regions=regions, bones=(), body=frame > 3, x_mm=x, z_mm=z, correlation=0.9)
        )
    drawn = phantom_reading(findings=0)
    files = render(
        replace(
            drawn,
            scan=replace(drawn.scan, views=tuple(views)),
            labels=replace(drawn.labels, views=tuple(labels)),
        )
    )
    assert len(files["report.html"]) < 3_000_000
