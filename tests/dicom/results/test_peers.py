"""What other programs make of a reading's objects: dciodvfy, dcentvfy, dcmtk, highdicom, dcmqi and Orthanc.

highdicom, dcmqi and dicom3tools are packages of the test extra; dcmtk and Orthanc are programs of the system, and their
tests are skipped where they are not installed.
"""

from __future__ import annotations

import io
import json
import re

import highdicom
import numpy as np
import pydicom
import pytest
from tests.dicom.peers import DCMQI, DCMTK, DICOM3TOOLS, said
from tests.dicom.results.studies import apart_study, little_study, whole_body_study
from tests.dicom.scans import put

from bonescan.dicom import open_scan, without_identity, write_results
from bonescan.scan import ViewName

# what dciodvfy has to say of any private scheme, and of a source that does not name its part of the body
EXPECTED = re.compile(
    r"Unrecognized defined term <(99BONESCAN|2\.25\.\d+)>|is only permitted to be empty .*<Laterality>"
)
pytestmark = pytest.mark.long
MADE = {"two frames": whole_body_study, "two objects": apart_study}


@pytest.mark.parametrize("made", MADE)
def test_dciodvfy_finds_no_error(made, tmp_path):
    for path in put(MADE[made]().results, tmp_path):
        status, words = said(DICOM3TOOLS / "dciodvfy", path)
        complaints = [line for line in words.splitlines() if ": " not in line and " - " in line]
        assert status == 0, (path.name, words)
        assert all(EXPECTED.search(line) for line in complaints), (path.name, complaints)


def test_dciodvfy_would_find_a_fault(tmp_path):
    dataset = whole_body_study().dataset("seg_regions_anterior.dcm")
    del dataset.SegmentSequence[0].SegmentAlgorithmType
    dataset.save_as(tmp_path / "broken.dcm")
    assert "Error - Missing attribute" in said(DICOM3TOOLS / "dciodvfy", tmp_path / "broken.dcm")[1]


@pytest.mark.parametrize("made", MADE)
def test_dcentvfy_finds_one_patient_and_study_in_source_and_results(made, tmp_path):
    one = MADE[made]()
    status, words = said(DICOM3TOOLS / "dcentvfy", *put(one.sources | one.results, tmp_path))
    # it files the accession number of reports under their series
    assert status == 0
    assert all("<AccessionNumber> IE <Study> versus <Series>" in line for line in words.splitlines())


def test_de_identified_results_are_as_sound(tmp_path):
    one = whole_body_study()
    done = without_identity(one.reading.scan, one.frames, "key")
    results = write_results(one.reading, done.frames, report_pdf=b"%PDF-1.7")
    for path in put({**done.files, **results}, tmp_path):
        status, words = said(DICOM3TOOLS / "dciodvfy", path)
        assert status == 0, (path.name, words)
        assert "Error" not in words
        content = path.read_bytes()
        assert b"ller^J" not in content
        assert b"D-0017" not in content
        assert b"20210304" not in content
        assert str(one.frames[0].dataset.SOPInstanceUID).encode() not in content
    (source,) = put(done.files, tmp_path)
    assert open_scan([source]).sources[0].sop_instance_uid == str(done.frames[0].dataset.SOPInstanceUID)


@DCMTK
@pytest.mark.parametrize("name", ["measurements_sr.dcm", "key_objects.dcm"])
def test_dsrdump_reads_every_item_of_the_documents(name, tmp_path):
    (path,) = put({name: whole_body_study().results[name]}, tmp_path)
    status, words = said("dsrdump", "--print-long-values", "--print-all-codes", path)
    known = ("W: The VR checker does not support", "W: Check for template constraints not yet supported")
    complaints = [line for line in words.splitlines() if line[:2] in ("W:", "E:") and not line.startswith(known)]
    assert (status, complaints) == (0, [])
    shown = len(re.findall(r"^ *<(CONTAINER|contains|has |selected)", words, re.MULTILINE))
    assert shown == len(list(items(whole_body_study().dataset(name))))


def items(dataset):
    yield dataset
    for item in dataset.get("ContentSequence") or []:
        yield from items(item)


@DCMTK
def test_dcmtk_dumps_every_object_without_a_complaint(tmp_path):
    for path in put(whole_body_study().results, tmp_path):
        status, words = said("dcmdump", path)
        assert status == 0
        assert not {"W:", "E:"} & {line[:2] for line in words.splitlines()}


@pytest.mark.parametrize("made", MADE)
def test_highdicom_gives_every_mask_for_its_source_frame(made):
    one = MADE[made]()
    for frame, labelled in zip(one.frames, one.reading.labels.views, strict=True):
        found = highdicom.seg.segread(io.BytesIO(one.results[f"seg_regions_{frame.view}.dcm"]))
        source, how = frame.dataset.SOPInstanceUID, {"combine_segments": True, "relabel": False}
        if frame.frame_count > 1:
            drawn = found.get_pixels_by_source_frame(source, [frame.number], **how)[0]
        else:
            drawn = found.get_pixels_by_source_instance([source], **how)[0]
        numbers = {k: int(found.get_segment_description(k).tracking_id.split("-")[1]) for k in found.segment_numbers}
        painted = np.zeros_like(labelled.regions)
        for segment, region in numbers.items():
            painted[drawn == segment] = region
        np.testing.assert_array_equal(painted, labelled.regions)


def test_highdicom_reads_the_measurements():
    one = whole_body_study()
    report = highdicom.sr.srread(io.BytesIO(one.results["measurements_sr.dcm"])).content
    groups = report.get_planar_roi_measurement_groups()
    assert len(groups) == sum(len(finding.views) for finding in one.reading.findings)
    areas = sorted(
        measured.value for group in groups for measured in group.get_measurements() if measured.name.value == "42798000"
    )
    views = [seen for finding in one.reading.findings for seen in finding.views.values()]
    assert areas == sorted(seen.area_mm2 for seen in views)
    whole = [group for group in report.get_image_measurement_groups() if group.tracking_identifier == "skeleton"]
    (index,) = (one for one in whole[0].get_measurements() if one.name.value == "bsi")
    assert (index.value, index.unit.value) == (1.84, "%")


@pytest.mark.parametrize("view", list(ViewName))
def test_dcmqi_reads_every_finding_s_segment(view, tmp_path):
    one = whole_body_study()
    (path,) = put({"seg.dcm": one.results[f"seg_findings_{view}.dcm"]}, tmp_path)
    status, words = said(DCMQI / "segimage2itkimage", "--inputDICOM", path, "--outputDirectory", tmp_path, "-t", "nrrd")
    assert status == 0, words
    told = json.loads((tmp_path / "meta.json").read_text())
    labels = [segment[0]["SegmentLabel"] for segment in told["segmentAttributes"]]
    shown = [finding for finding in one.reading.findings if view in finding.views]
    assert sorted(labels) == sorted(f"{finding.letter}: {finding.place}" for finding in shown)
    assert len(list(tmp_path.glob("*.nrrd"))) == len(shown)


def test_dcmqi_reads_the_measurements(tmp_path):
    one = whole_body_study()
    (path,) = put({"sr.dcm": one.results["measurements_sr.dcm"]}, tmp_path)
    status, words = said(DCMQI / "tid1500reader", "--inputDICOM", path, "--outputMetadata", tmp_path / "sr.json")
    assert status == 0, words
    groups = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    assert {group["TrackingIdentifier"] for group in groups} >= {f"finding-{f.id}" for f in one.reading.findings}
    ratios = [
        float(item["value"])
        for group in groups
        for item in group.get("measurementItems", [])
        if item["quantity"]["CodeValue"] == "uptake-ratio"
    ]
    # as decimal strings have it: each finding's, and each of its views'
    expected = [
        ratio for f in one.reading.findings for ratio in (f.uptake_ratio, *(v.uptake_ratio for v in f.views.values()))
    ]
    np.testing.assert_allclose(sorted(ratios), sorted(expected), rtol=1e-12)


def test_orthanc_takes_every_object_into_the_source_s_study(orthanc):
    one = little_study()
    for name, content in (one.sources | one.results).items():
        stored = orthanc.told("/instances", content)
        assert stored["Status"] in ("Success", "AlreadyStored"), name
        assert orthanc.ask(f"/instances/{stored['ID']}/file") == content
    where = orthanc.told(f"/instances/{stored['ID']}/study")["ID"]
    kinds = [series["MainDicomTags"]["Modality"] for series in orthanc.told(f"/studies/{where}/series")]
    assert sorted(kinds) == ["DOC", "KO", "NM", "OT", "PR", "SEG", "SR"]


def test_pydicom_warns_of_nothing_in_them(recwarn):
    for content in whole_body_study().results.values():
        str(pydicom.dcmread(io.BytesIO(content)))
    assert not recwarn.list
