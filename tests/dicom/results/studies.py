"""A drawn reading of a study that was written to disk and opened again, for the tests of what a reading becomes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset
from tests.report.phantom import concluded, phantom_reading

from bonescan.dicom import SourceFrame, find_sources, open_scan, write_results, write_scan
from bonescan.reading.model import Reading
from bonescan.scan import PatientFacts, Scan, ViewName

SHAPE, PIXEL_MM = (256, 64), 6.8
PDF = b"%PDF-1.7 a report"
PERSON = PatientFacts(name="Müller^Jürgen", patient_id="D-0017", sex="M", age_years=71.0)


@dataclass(frozen=True)
class Study:
    reading: Reading
    frames: tuple[SourceFrame, ...]
    sources: dict[str, bytes]
    results: dict[str, bytes]

    def reading_of(self, scan: Scan) -> Reading:
        """The same reading of another scan, such as one without its person."""
        return replace(self.reading, scan=scan)

    def dataset(self, name: str) -> Dataset:
        return pydicom.dcmread(io.BytesIO(self.results[name]))


def png(size: tuple[int, int] = (31, 17)) -> bytes:
    """A picture with a red corner, so that rows, columns and colours can be told apart."""
    picture = np.full((*size, 3), 200, np.uint8)
    picture[:3, :5] = (255, 0, 0)
    into = io.BytesIO()
    Image.fromarray(picture).save(into, "png")
    return into.getvalue()


def study(
    *,
    apart: bool = False,
    change: Callable[[Dataset], None] = lambda _: None,
    views: tuple[ViewName, ...] = tuple(ViewName),
    findings: int = 8,
    person: PatientFacts = PERSON,
    every: int = 8,
) -> Study:
    """Write the doll's scan, change its objects, open them, and write its reading as results."""
    drawn = concluded(
        phantom_reading(
            findings=findings, views=views, shape=SHAPE, row_mm=PIXEL_MM, column_mm=PIXEL_MM, patient=person
        )
    )
    seen = tuple(replace(view, duration_s=1000.0, scan_velocity_mm_per_s=2.0) for view in drawn.scan.views)
    with TemporaryDirectory() as folder:
        sources = {}
        for name, content in write_scan(replace(drawn.scan, views=seen), apart=apart).items():
            dataset = pydicom.dcmread(io.BytesIO(content))
            change(dataset)
            into = io.BytesIO()
            pydicom.dcmwrite(into, dataset, enforce_file_format=True)
            sources[name] = into.getvalue()
            (Path(folder) / name).write_bytes(sources[name])
        scan = open_scan([Path(folder)])
        frames = find_sources([Path(folder)], scan)
    # a few bones of every view say as much as all of them, and are written ten times as fast
    labels = tuple(replace(one, bones=one.bones[::every]) for one in drawn.labels.views)
    reading = replace(drawn, scan=scan, labels=replace(drawn.labels, views=labels))
    overlays = {view.name: png() for view in scan.views}
    results = write_results(reading, frames, overlays=overlays, report_pdf=PDF)
    return Study(reading=reading, frames=frames, sources=sources, results=results)


@cache
def whole_body_study() -> Study:
    """Both views in one object."""
    return study()


@cache
def apart_study() -> Study:
    """Each view in an object of its own."""
    return study(apart=True)


@cache
def feet_first_study() -> Study:
    """Both views, stored feet first."""
    return study(change=feet_first)


@cache
def little_study() -> Study:
    """Both views with one finding and two bones, for what does not ask what the objects hold."""
    return study(findings=1, every=64)


def feet_first(dataset: Dataset) -> None:
    """Turn every frame by half a turn, as some cameras store a body that went in feet first."""
    counts = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    dataset.PixelData = np.ascontiguousarray(counts[:, ::-1, ::-1]).tobytes()
