"""One call reads a scan: parts in order, nothing lost, nothing passed off as good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.reading.person import PIXEL_MM, person, random_pose

import bonescan
from bonescan.anatomy import DEFAULT_MASS_TABLE
from bonescan.reading import interpret, read
from bonescan.scan import Remark, Scan, Severity, View, ViewName


@pytest.fixture(scope="module")
def scan():
    remark = Remark(code="dicom.view.code", text="The file names the views.")
    return replace(person(random_pose(1)).scan, remarks=(remark,))


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def reading(scan, told):
    return read(scan, progress=told.append)


@pytest.mark.long
def test_a_person_without_lesions_is_read(scan, reading):
    assert reading.scan is scan
    assert reading.labels.trusted
    assert [view.name for view in reading.labels.views] == [view.name for view in scan.views]
    assert reading.quality.checks
    assert reading.burden.hot_spot_count == sum(finding.in_burden for finding in reading.findings)


def test_remarks_of_the_file_come_first(scan, reading):
    assert reading.remarks == scan.remarks + reading.labels.remarks


def test_method_and_versions_are_said(reading):
    told = {"labels", "normal", "spots", "natures", "burden", "impression", "network"}
    assert reading.method.keys() == told
    assert reading.versions["bonescan"] == bonescan.__version__
    assert reading.versions["mass_table"].startswith("icrp110-")  # by mineral, as the network's share is
    assert {"python", "numpy", "scipy", "numba", "network", "onnxruntime"} <= reading.versions.keys()


def test_without_the_network_the_model_based_reader_reads_alone(scan, monkeypatch):
    def look(scan):
        raise AssertionError("the network looked")

    monkeypatch.setattr(interpret.network, "look", look)
    reading = interpret.read(scan, learned=False)
    assert reading.familiarity is None
    assert "network" not in reading.method | reading.versions
    assert reading.versions["mass_table"].startswith(DEFAULT_MASS_TABLE)


def test_every_step_is_told_in_its_order(reading, told):
    steps = ["fitting the skeleton", "labelling", "looking for hot", "checking image quality", "summing up", "drawing"]
    first = [next(k for k, words in enumerate(told) if words.startswith(step)) for step in steps]
    assert first == sorted(first)


def test_the_same_scan_gives_the_same_reading(scan, reading):
    again = interpret.read(scan)
    for view, other in zip(reading.labels.views, again.labels.views, strict=True):
        np.testing.assert_array_equal(view.regions, other.regions)
        np.testing.assert_array_equal(view.x_mm, other.x_mm)
    assert [f.place for f in again.findings] == [f.place for f in reading.findings]
    assert again.burden.bone_scan_index_percent == reading.burden.bone_scan_index_percent


@pytest.mark.long
def test_a_picture_of_noise_gets_no_index():
    rng = np.random.default_rng(0)
    views = tuple(
        View(
            name=name,
            counts=rng.poisson(12.0, (480, 150)).astype(np.float32),
            row_spacing_mm=PIXEL_MM,
            column_spacing_mm=PIXEL_MM,
            identity_basis="drawn",
        )
        for name in ViewName
    )
    found = read(Scan(views=views))
    assert not found.labels.trusted
    assert any(remark.severity is Severity.WITHHELD for remark in found.remarks)
    assert found.burden.bone_scan_index_percent.value is None
    assert "skeleton" in found.burden.bone_scan_index_percent.absent_reason
