"""What other programs say of the objects: dciodvfy finds no fault, dcmtk and Orthanc open them.

dciodvfy and dcentvfy come with the package dicom3tools, a test extra; dcmtk and Orthanc are programs of the system, and
their tests are skipped where they are not installed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from tests.dicom.peers import DCMTK, DICOM3TOOLS, said
from tests.dicom.scans import (
    ACQUIRED_AT,
    INJECTION,
    PHOTOPEAK,
    dynamic,
    put,
    static,
    tomographic,
    view,
    whole_body,
)

from bonescan.dicom import Dialect, Filing, write_dynamic, write_scan, write_tomographic
from bonescan.scan import Device, Injection, PatientFacts, ViewName

one_study = {"study_began_at": ACQUIRED_AT}
little = {"patient": PatientFacts(patient_id="SIM-2"), "injection": Injection(), "device": Device(), "study_uid": None}
OBJECTS: dict[str, dict[str, bytes]] = {
    "whole body": write_scan(whole_body(), filing=Filing(series_number=3, **one_study)),
    "whole body apart": write_scan(whole_body(), apart=True),
    "whole body of unknown speed": write_scan(
        whole_body(views=(view(ViewName.ANTERIOR, np.ones((80, 40)), scan_velocity_mm_per_s=None),))
    ),
    "static": write_scan(static(), filing=Filing(series_number=2, **one_study)),
    "static of a part": write_scan(static(), filing=Filing(body_part="PELVIS")),
    "static of hands": write_scan(static(), filing=Filing(body_part="HAND")),
    "static of a real patient": write_scan(static(), filing=Filing(simulated=False)),
    "static of little known": write_scan(static(**little)),
    "static without energies": write_scan(
        static(views=(view(ViewName.POSTERIOR, np.ones((40, 40)), energy_window_kev=None),))
    ),
    "static apart": write_scan(static((41, 43)), apart=True),
    "dynamic": write_dynamic(dynamic(), filing=Filing(series_number=1, **one_study)),
    "dynamic of one view": write_dynamic(dynamic(view_names=(ViewName.POSTERIOR,), counts=dynamic().counts[:1])),
    "dynamic with the injection": write_dynamic(dynamic(injection=replace(INJECTION, injected_at=ACQUIRED_AT))),
    "tomographic": write_tomographic(tomographic(), filing=Filing(series_number=4, **one_study)),
    "tomographic of two heads": write_tomographic(tomographic(), heads=2, continuous=True),
    "tomographic of one window": write_tomographic(
        tomographic(counts=tomographic().counts[:1], energy_windows_kev=(PHOTOPEAK,), axis_column=22.0)
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_dciodvfy_finds_neither_error_nor_warning(name, tmp_path):
    for path in put(OBJECTS[name], tmp_path):
        status, words = said(DICOM3TOOLS / "dciodvfy", path)
        assert (status, words.strip()) == (0, "NMImage")


def test_dciodvfy_would_find_a_fault(tmp_path):
    # the test above would be worth nothing if the program were silent about what is wrong
    (path,) = put(write_scan(static(), dialect=Dialect.SIEMENS), tmp_path)
    assert "Error - Shall not be present" in said(DICOM3TOOLS / "dciodvfy", path)[1]


def test_dcentvfy_finds_one_study_in_its_objects(tmp_path):
    names = ("whole body", "static", "dynamic", "tomographic")
    paths = [path for name in names for path in put(OBJECTS[name], tmp_path)]
    assert len(paths) == 4
    assert said(DICOM3TOOLS / "dcentvfy", *paths) == (0, "")


@DCMTK
@pytest.mark.parametrize("name", OBJECTS)
def test_dcmtk_reads_the_header_without_a_complaint_and_every_frame(name, tmp_path):
    for path in put(OBJECTS[name], tmp_path):
        status, words = said("dcmdump", path)
        assert status == 0
        assert words.startswith("\n# Dicom-File-Format")  # complaints would come before
        assert not {"W:", "E:"} & {line[:2] for line in words.splitlines()}
        # the whole range of 16 bits, without a window, so that grey is in proportion to counts
        assert said("dcm2pnm", "--all-frames", "--set-window", "32768", "65536", "-O", path, tmp_path / "frame")[0] == 0


@DCMTK
def test_dcmtk_draws_the_counts_frame_by_frame(tmp_path):
    counts = np.zeros((2, 40, 48))
    counts[0, 3, 5], counts[0, 20, 40], counts[1, 39, 0] = 255, 128, 60
    scan = static(views=tuple(view(name, picture) for name, picture in zip(ViewName, counts, strict=True)))
    (path,) = put(write_scan(scan), tmp_path)
    status, words = said("dcm2pnm", "--all-frames", "--set-window", "127.5", "256", "+op", path, tmp_path / "frame")
    assert (status, words) == (0, "")
    drawn = [np.array(Image.open(frame)) for frame in sorted(tmp_path.glob("frame*.pgm"))]
    np.testing.assert_allclose(np.stack(drawn), counts, atol=1)  # windowing rounds


@pytest.mark.parametrize("dialect", list(Dialect)[1:])
@DCMTK
def test_dcmtk_opens_dialects_too(dialect, tmp_path):
    (path,) = put(write_scan(whole_body(), dialect=dialect), tmp_path)
    assert said("dcmdump", path)[0] == 0


# --- Orthanc -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("whole body", np.stack([v.counts for v in whole_body().views])),
        ("static", np.stack([v.counts for v in static().views])),
        ("dynamic", dynamic().counts.reshape(14, 48, 40)),
        ("tomographic", tomographic().counts.reshape(32, 40, 48)),
    ],
)
def test_orthanc_stores_the_object_and_gives_every_frame_back(name, counts, orthanc):
    (content,) = OBJECTS[name].values()
    stored = orthanc.told("/instances", content)
    assert stored["Status"] == "Success"
    where = f"/instances/{stored['ID']}"
    tags = orthanc.told(f"{where}/tags?simplify")
    assert (tags["Modality"], tags["PatientID"], tags["StudyInstanceUID"]) == ("NM", "SIM-1", "1.2.3.4")
    assert len(orthanc.told(f"{where}/frames")) == len(counts)
    for k in (0, len(counts) // 2, len(counts) - 1):
        raw = np.frombuffer(orthanc.ask(f"{where}/frames/{k}/raw"), "<u2")
        np.testing.assert_array_equal(raw.reshape(counts.shape[1:]), counts[k])
        assert orthanc.ask(f"{where}/frames/{k}/preview").startswith(b"\x89PNG")
    assert orthanc.ask(f"{where}/file") == content


def test_orthanc_files_the_series_of_one_study_together(orthanc):
    for name in ("whole body", "static", "dynamic", "tomographic"):
        (content,) = OBJECTS[name].values()
        orthanc.told("/instances", content)
    studies = [orthanc.told(f"/studies/{study}") for study in orthanc.told("/studies")]
    (study,) = [study for study in studies if study["MainDicomTags"]["StudyInstanceUID"] == "1.2.3.4"]
    assert len(study["Series"]) == 4
