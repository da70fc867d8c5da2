"""NM1, a real whole-body bone scan, from the camera's file to the report."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bonescan import journeys
from bonescan.reading.model import Reading
from bonescan.scan import ViewName

COUNTS = 3_596_452  # CountsAccumulated (0018,0070) of the file itself; the pixels sum to it
IDENTITY = ("CompressedSamples", "8NM1", "BERRA")  # PatientName, PatientID, and the private copy (0009,1040)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nm1") / "reading"


@pytest.fixture(scope="module")
def nm1(out: Path) -> Reading:
    return journeys.read([journeys.example_scan()], out)


def test_the_counts_are_the_cameras(nm1):
    (view,) = nm1.scan.views
    assert view.total_counts == COUNTS
    assert view.counts.shape == (1024, 256)
    assert view.row_spacing_mm == pytest.approx(2.26)  # PixelSpacing of the file


def test_the_view_is_anterior_and_the_report_says_why(nm1):
    # the file does not name it; the bladder and the sternum before the spine show it is seen from the front
    (view,) = nm1.scan.views
    assert view.name is ViewName.ANTERIOR
    assert view.identity_basis


@pytest.mark.parametrize(
    ("region", "number"),
    [("skull", 1), ("thoracic spine", 3), ("ribs", 4), ("lumbar spine", 9), ("pelvis", 11), ("femora", 12)],
)
def test_the_great_regions_are_labelled(nm1, region, number):
    (labels,) = nm1.labels.views
    assert number in nm1.labels.regions_in_view
    area_cm2 = np.count_nonzero(labels.regions == number) * 0.226**2
    least = 25 if region == "thoracic spine" else 50  # in front the sternum and manubrium hide most of it
    assert area_cm2 > least, f"{region}: {area_cm2:.0f} cm2"


def test_the_regions_lie_in_the_order_of_the_body(nm1):
    (labels,) = nm1.labels.views
    heights = [np.argwhere(labels.regions == number)[:, 0].mean() for number in (1, 2, 3, 9, 11, 12)]
    assert heights == sorted(heights)


def test_the_labels_lie_on_bone(nm1):
    # in a bone scan skeleton takes up more than what lies beside it
    (view,), (labels,) = nm1.scan.views, nm1.labels.views
    beside = labels.body & (labels.regions == 0)
    assert view.counts[labels.regions > 0].mean() > 2 * view.counts[beside].mean()


def test_every_output_is_there_and_can_be_opened(nm1, out):
    assert {path.name for path in out.iterdir()} == {
        "reading.json",
        "report.html",
        "report.pdf",
        "report.txt",
        "report_pictures.json",
        "report_text.toml",
        "key_images.pdf",
        "key_images.png",
        "overlay_anterior.png",
        "findings_anterior.png",
        "regions_anterior.png",
        "bones_anterior.npz",
    }
    (labels,) = nm1.labels.views
    regions = np.asarray(Image.open(out / "regions_anterior.png"))
    np.testing.assert_array_equal(regions, labels.regions)
    findings = np.asarray(Image.open(out / "findings_anterior.png"))
    assert findings.shape == (1024, 256)
    assert set(np.unique(findings)) - {0} <= {finding.id for finding in nm1.findings}
    with np.load(out / "bones_anterior.npz") as bones:
        assert bones.files
    assert (out / "report.pdf").read_bytes().startswith(b"%PDF-")
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "not a medical device" in report.lower()
    assert 'src="http' not in report


def test_reading_json_tells_the_same_as_the_reading(nm1, out):
    said = json.loads((out / "reading.json").read_text(encoding="utf-8"))
    assert [finding["id"] for finding in said["findings"]] == [finding.id for finding in nm1.findings]
    assert {"burden", "quality", "remarks", "method", "versions"} <= said.keys()


def test_summary_and_manifest_hold_no_identity(nm1, out):
    written = json.dumps([journeys.summary(nm1), journeys.manifest(nm1, out, {})])
    assert [word for word in IDENTITY if word in written] == []


def test_the_same_file_gives_the_same_reading(nm1, out, tmp_path):
    journeys.read([journeys.example_scan()], tmp_path)

    def digests(folder: Path) -> dict[str, str]:
        names = ("regions_anterior.png", "findings_anterior.png", "overlay_anterior.png")
        return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}

    assert digests(tmp_path) == digests(out)


def test_a_picture_of_the_counts_is_read_too(nm1, tmp_path):
    (view,) = nm1.scan.views
    png = io.BytesIO()
    Image.fromarray(view.counts.astype(np.uint16)).save(png, "png")
    (tmp_path / "view.png").write_bytes(png.getvalue())
    reading = journeys.read([tmp_path / "view.png"], tmp_path / "out", view=ViewName.ANTERIOR, pixel_mm=2.26)
    same = reading.labels.views[0].regions == nm1.labels.views[0].regions
    assert same.mean() > 0.98  # a picture's pixels need not be counts, so they may weigh a little differently
