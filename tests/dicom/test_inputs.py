"""Folders, zips and DICOMDIRs, and the limits they are read within."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.fileset import FileSet
from tests.dicom.phantom import ANTERIOR, PATIENT_ID, PATIENT_NAME, POSTERIOR, body, both, nm, written
from tests.dicom.scans import tomographic

from bonescan.dicom import open_scan, write_tomographic
from bonescan.errors import NotABoneScan, SlicesAlone, UnreadableInput


def views(**options):
    yield "front", nm([body("anterior")], codes=[ANTERIOR], angles=None, **options)
    yield "back", nm([body("posterior")], codes=[POSTERIOR], angles=None, **options)


def zipped(**files: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target.getvalue()


def is_whole(scan) -> bool:
    return [view.total_counts for view in scan.views] == [body("anterior").sum(), body("posterior").sum()]


def test_a_folder_is_searched_and_other_things_are_passed_over(save, tmp_path):
    for name, ds in views():
        save(ds, f"study/{name}/1.dcm")
    save(b"read me", "study/readme.txt")
    save(both(Modality="CT"), "study/ct/1.dcm")
    assert is_whole(open_scan([tmp_path / "study"]))


def test_a_zip_is_read_with_nested_and_hostile_paths(save):
    files = {name: written(ds) for name, ds in views()}
    path = save(zipped(**{"../../etc/a": files["front"], "x\\y\\b.dcm": files["back"], ".hidden": b"?"}), "s.zip")
    scan = open_scan([path])
    assert is_whole(scan)
    assert {source.file_name for source in scan.sources} == {"a", "b.dcm"}


def test_a_zip_within_a_zip_is_read(save):
    assert is_whole(open_scan([save(zipped(inner=zipped(a=written(both()))), "s.zip")]))


def test_endless_nesting_is_refused(save):
    data = written(both())
    for _ in range(4):
        data = zipped(inner=data)
    with pytest.raises(UnreadableInput, match="nests"):
        open_scan([save(data, "s.zip")])


def test_a_bomb_is_refused(save, monkeypatch):
    monkeypatch.setattr("bonescan.dicom.inputs.MAX_FILE_BYTES", 1_000_000)
    with pytest.raises(UnreadableInput, match="unpacks"):
        open_scan([save(zipped(bomb=bytes(3_000_000)), "s.zip")])


def test_a_cut_zip_is_refused(save):
    with pytest.raises(UnreadableInput, match="damaged"):
        open_scan([save(zipped(a=written(both()))[:-3000], "s.zip")])


def test_an_encrypted_zip_is_refused(save):
    data = bytearray(zipped(a=b"secret"))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableInput, match="password"):
        open_scan([save(bytes(data), "s.zip")])


def test_a_dicomdir_leads_to_its_files(tmp_path):
    files = FileSet()
    for _, ds in views():
        ds.PatientName, ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "A", "20260102", "101500", "1", ""
        ds.SeriesNumber, ds.InstanceNumber = 1, 1
        files.add(ds)
    files.write(tmp_path / "medium")
    assert is_whole(open_scan([tmp_path / "medium" / "DICOMDIR"]))
    assert is_whole(open_scan([tmp_path / "medium"]))
    for image in (path for path in (tmp_path / "medium").rglob("*") if path.is_file() and path.name != "DICOMDIR"):
        image.unlink()
    with pytest.raises(UnreadableInput, match="not there"):
        open_scan([tmp_path / "medium" / "DICOMDIR"])


def test_two_studies_are_refused_naming_the_choice(opened):
    with pytest.raises(NotABoneScan, match=r"2 different studies.*file 1 of 2") as caught:
        opened(both(), nm([body("anterior", seed=4), body("posterior", seed=4)], study="1.2.3.5"))
    assert PATIENT_ID not in str(caught.value)


def test_two_patients_are_refused(opened):
    with pytest.raises(NotABoneScan, match=r"2 different patients"):
        opened(both(), nm([body("anterior", seed=4), body("posterior", seed=4)], PatientID="ANOTHER"))


@pytest.mark.parametrize("other", [{"PatientName": "ROE^RICK"}, {"PatientBirthDate": "19700101"}, {"PatientSex": "F"}])
def test_two_people_without_numbers_are_told_apart_by_what_else_is_said(other, opened):
    front, back = (
        nm([body(name)], codes=[code], angles=None, PatientID="", **more)
        for name, code, more in (("anterior", ANTERIOR, {}), ("posterior", POSTERIOR, other))
    )
    with pytest.raises(NotABoneScan, match="may show different patients") as caught:
        opened(front, back)
    assert "ROE" not in str(caught.value)


def test_one_person_without_a_number_may_be_written_in_two_ways(opened):
    front = nm([body("anterior")], codes=[ANTERIOR], angles=None, PatientID="", PatientName="DOE^JANE^^")
    back = nm([body("posterior")], codes=[POSTERIOR], angles=None, PatientID="", PatientName="Doe, Jane")
    assert is_whole(opened(front, back))


def test_what_is_to_be_left_out_is_passed_over_in_a_folder_only(save, tmp_path):
    for name, ds in views():
        save(ds, f"study/{name}")
    result = save(b"\x89PNG\r\n\x1a\n of an earlier reading", "study/overlay_anterior.png")
    scan = open_scan([tmp_path / "study"], leave_out=[result])
    assert is_whole(scan)
    assert "dicom.inputs.damaged" not in {remark.code for remark in scan.remarks}
    with pytest.raises(UnreadableInput, match="picture"):
        open_scan([result], leave_out=[result])


def test_a_copy_is_read_once(opened, codes):
    scan = opened(both(), both(SeriesNumber=9))
    assert is_whole(scan)
    assert "dicom.inputs.repeated" in codes(scan)


def test_spot_views_beside_a_whole_body_scan_are_left_out(opened, codes):
    spot = nm([body("posterior")[60:188]], kind="STATIC", ScanVelocity=None, ScanLength=None, codes=None, angles=[0])
    scan = opened(both(), spot)
    assert is_whole(scan)
    assert "dicom.inputs.spot_views" in codes(scan)


def test_two_scans_of_one_study_are_refused_by_series_number(opened):
    with pytest.raises(NotABoneScan, match=r"series 3 .*series 7"):
        opened(both(), nm([body("anterior", seed=4), body("posterior", seed=4)], SeriesNumber=7))


def test_the_original_is_preferred_to_a_processed_copy(opened, codes):
    processed = both(ImageType=["DERIVED", "PRIMARY", "WHOLE BODY", "EMISSION"])
    processed.PixelData = (np.frombuffer(processed.PixelData, np.uint16) // 2).tobytes()
    scan = opened(both(), processed)
    assert is_whole(scan)
    assert "dicom.inputs.derived" in codes(scan)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100, b"%PDF-1.7 not an image" * 10, bytes(5000)], ids=len)
def test_garbage_is_refused_in_one_sentence(content, opened):
    with pytest.raises(UnreadableInput) as caught:
        opened(content)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused():
    with pytest.raises(UnreadableInput, match="does not exist"):
        open_scan([Path("no_such_file.dcm")])


def test_a_damaged_file_the_user_named_is_never_passed_over(opened):
    front = nm([body("anterior")], codes=[ANTERIOR], angles=None)
    with pytest.raises(UnreadableInput):
        opened(front, written(both())[:3000])


def test_no_identifier_is_spoken(opened):
    scan = opened(both(angles=[0, 180], CountsAccumulated=5))
    words = " ".join(remark.text for remark in scan.remarks)
    assert not any(part in words for part in (*PATIENT_NAME.split("^"), PATIENT_ID))
    assert scan.patient.name == PATIENT_NAME


def simulated_study(save, folder: str) -> None:
    """Both views, as `bonescan simulate` lays them out, with a truth that would be a view if it were opened."""
    for name, ds in views():
        save(ds, f"{folder}/dicom/{name}.dcm")
    save(b"{}", f"{folder}/truth/truth.json")
    save(both(), f"{folder}/truth/regions_anterior.png")
    save(both(), f"{folder}/preview.png")


def test_of_a_simulated_study_only_what_a_camera_would_send_is_read(save, tmp_path, monkeypatch):
    simulated_study(save, "study")
    opened = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path.parent.name) or read_bytes(path))
    assert is_whole(open_scan([tmp_path / "study"]))
    assert set(opened) == {"dicom"}
    zipped_study = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in (tmp_path / "study").rglob("*.*")
    }
    scan = open_scan([save(zipped(**zipped_study), "s.zip")])
    assert {source.file_name for source in scan.sources} == {"front.dcm", "back.dcm"}


@pytest.mark.parametrize("named", ["study/truth", "study/truth/regions_anterior.png"])
def test_the_truth_of_a_simulated_study_is_refused(save, tmp_path, named):
    simulated_study(save, "study")
    with pytest.raises(UnreadableInput, match="never read"):
        open_scan([tmp_path / named])


@pytest.mark.parametrize(
    ("beside", "error", "said"),
    [
        ([], SlicesAlone, "SPECT projections"),
        (
            [written(nm([np.ones((64, 64), np.uint16)], kind="RECON TOMO", codes=None, angles=None))],
            SlicesAlone,
            "slices",
        ),
        ([written(both())[:60_000]], UnreadableInput, "cut short"),
        ([written(nm([np.zeros((256, 64), np.uint16)] * 2))], NotABoneScan, "every pixel is zero"),
    ],
    ids=["alone", "reconstructed", "damaged", "empty"],
)
def test_slices_alone_are_told_apart_from_what_went_wrong_beside_them(tmp_path: Path, beside, error, said):
    (projections,) = write_tomographic(tomographic()).values()
    for number, content in enumerate([projections, *beside] if said != "slices" else [*beside, projections]):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    with pytest.raises(error, match=said) as refused:
        open_scan([tmp_path])
    assert type(refused.value) is error
