"""Who it was is gone from an image and from all that is made of it; what a reading needs is still there."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from pydicom.dataset import Dataset
from tests.dicom.phantom import PATIENT_ID, PATIENT_NAME, both, code, secondary_capture

from bonescan.dicom import deidentified, find_sources, open_scan, without_identity
from bonescan.scan import PatientFacts

MARK = "QUAGGA"


def marked() -> Dataset:
    """An object that tells the person in every way we could think of."""
    dataset = both(
        PatientBirthName=MARK,
        OtherPatientIDs=MARK,
        PatientAddress=MARK,
        PatientComments=MARK,
        ReferringPhysicianName=MARK,
        OperatorsName=MARK,
        InstitutionName=MARK,
        StationName=MARK,
        DeviceSerialNumber=MARK,
        AccessionNumber=MARK,
        StudyDescription=MARK,
        SeriesDescription=f"WB ANT {MARK}",
        ProtocolName=MARK,
        ImageComments=MARK,
        StudyID=MARK,
        PatientAge="075Y",
        PatientWeight="81",
        PatientSize="1.75",
        AcquisitionDateTime="20260102101500",
        FrameOfReferenceUID="1.2.3.99",
        BurnedInAnnotation="NO",
    )
    dataset.private_block(0x0011, "GEMS_GENIE_1", create=True).add_new(0x12, "LO", [MARK, MARK])
    request = Dataset()
    request.RequestedProcedureDescription, request.ScheduledProcedureStepID = MARK, MARK
    request.add_new(0x00111099, "UN", MARK.encode())
    dataset.RequestAttributesSequence = [request]
    referred = Dataset()
    referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    referred.PurposeOfReferenceCodeSequence = [code("121322", "Source", "DCM")]
    dataset.SourceImageSequence = [referred]
    dataset.add_new(0x00180FFE, "UN", MARK.encode())  # of no dictionary
    dataset.add_new(0x60000010, "US", 16)
    dataset.add_new(0x60000022, "LO", MARK)
    dataset.add_new(0x50000005, "US", 1)
    dataset.file_meta.SourceApplicationEntityTitle = MARK
    return dataset


def encoded(dataset: Dataset) -> bytes:
    into = io.BytesIO()
    pydicom.dcmwrite(into, dataset, enforce_file_format=True)
    return into.getvalue()


def attributes(dataset: Dataset):
    for element in dataset:
        yield element
        if element.VR == "SQ":
            for item in element.value:
                yield from attributes(item)


def test_no_trace_of_the_person_is_left_in_the_file():
    source = marked()
    content = encoded(deidentified(source, "key"))
    for words in (MARK, *PATIENT_NAME.split("^"), PATIENT_ID, "20260102", "101500", "19500401", "GENIE", "075Y"):
        assert words.encode() in encoded(source), f"{words} was never there"
        assert words.encode() not in content, words
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert str(source[keyword].value).encode() + b"\0" not in content.replace(b" ", b"\0")


def test_nothing_that_the_table_removes_is_left():
    removed = {tag for tag in table.X_TAGS if len(tag) == 2}
    left = {(element.tag.group, element.tag.element) for element in attributes(deidentified(marked(), "key"))}
    assert not left & removed
    assert all(group % 2 == 0 and group not in (0x5000, 0x6000) for group, _ in left)


def test_what_the_table_empties_is_empty_or_a_dummy():
    emptied = {tag for tag in (*table.Z_TAGS, *table.X_Z_TAGS, *table.Z_D_TAGS) if len(tag) == 2}
    for element in attributes(deidentified(marked(), "key")):
        if (element.tag.group, element.tag.element) in emptied and element.value:
            assert "DEID-" in str(element.value), element.keyword


def test_it_says_that_it_is_de_identified_and_how():
    dataset = deidentified(marked(), "key")
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"  # CID 7050: Basic Profile, no option
    assert len(dataset.DeidentificationMethodCodeSequence) == 1
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED"


def test_references_hold_and_only_the_key_leads_to_them():
    source = marked()
    one, same, other = deidentified(source, "key"), deidentified(source, "key"), deidentified(source, "another")
    assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID == same.SOPInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.PatientID != other.PatientID
    assert one.SOPClassUID == source.SOPClassUID  # the standard's own UIDs stay


def test_the_source_stays_as_it_is():
    source = marked()
    before = encoded(source)
    deidentified(source, "key")
    assert encoded(source) == before


def test_other_scripts_are_not_garbled():
    source = marked()
    source.SpecificCharacterSet = "ISO_IR 100"
    source.Manufacturer = "Müller"
    content = pydicom.dcmread(io.BytesIO(encoded(source)))  # as read from a file: not converted yet
    again = pydicom.dcmread(io.BytesIO(encoded(deidentified(content, "key"))))
    assert again.Manufacturer == "Müller"


def test_a_damaged_attribute_goes_rather_than_stays(save):
    source = pydicom.dcmread(io.BytesIO(encoded(marked())))
    source.add(pydicom.DataElement(0x00080012, "DA", "20260102"))
    del source[0x00080012]
    source._dict[0x00080012] = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(0x00080012), "US", 3, b"abc", 0, False, True
    )
    assert 0x00080012 not in deidentified(source, "key")


def test_the_scan_is_the_same_without_its_person(save):
    path = save(marked())
    scan = open_scan([path])
    done = without_identity(scan, find_sources([path], scan), "key")
    for before, after in zip(scan.views, done.scan.views, strict=True):
        np.testing.assert_array_equal(before.counts, after.counts)
    assert done.scan.injection.activity_mbq == 650
    assert (done.scan.acquired_at, done.scan.injection.injected_at, done.scan.study_description) == (None, None, None)
    facts = done.scan.patient
    assert facts == PatientFacts(name=f"De-identified^{facts.patient_id}", patient_id=facts.patient_id)
    assert facts.patient_id.startswith("DEID-")
    assert [source.file_name for source in done.scan.sources] == ["source_1.dcm"]


def test_the_copies_read_as_the_scan_does(save):
    path = save(marked())
    scan = open_scan([path])
    done = without_identity(scan, find_sources([path], scan), "key")
    again = open_scan([save(done.files["source_1.dcm"], "copy.dcm")])
    assert again.patient == done.scan.patient
    assert again.study_uid == done.scan.study_uid
    assert again.sources[0].sha256 == done.scan.sources[0].sha256
    assert [(frame.view, frame.number) for frame in done.frames] == [("anterior", 1), ("posterior", 2)]


@pytest.mark.parametrize(
    ("changes", "capture", "expected"),
    [
        ({}, False, None),
        ({"BurnedInAnnotation": "YES"}, False, "do not pass the pictures on"),
        ({}, True, "look at them"),
    ],
)
def test_text_within_the_pixels_is_a_warning(save, changes, capture, expected):
    dataset = both(**changes)
    path = save(secondary_capture(dataset) if capture else dataset)
    scan = open_scan([path])
    remarks = without_identity(scan, find_sources([path], scan), "key").remarks
    warned = [remark.text for remark in remarks if remark.code == "dicom.deidentified.burned_in"]
    assert len(warned) == (expected is not None)
    assert all(expected in text for text in warned)


def test_pictures_lose_the_names_and_the_digests_of_their_files(tmp_path):
    from PIL import Image

    path = tmp_path / f"{PATIENT_NAME}_anterior.png"
    Image.fromarray(np.minimum(np.arange(512 * 128).reshape(512, 128) % 256, 255).astype(np.uint8)).save(path)
    scan = open_scan([path], pixel_mm=4.0)
    done = without_identity(scan, (), "key")
    assert scan.sources
    assert not done.scan.sources  # a digest leads back to the file that names the person
    assert not done.files
    assert "look at them" in done.remarks[1].text


def test_what_no_edition_of_the_standard_knows_goes():
    source = both()
    source.add_new(0x00109998, "LO", MARK)
    source.EnergyWindowInformationSequence[0].add_new(0x00549998, "UN", MARK.encode())
    assert encoded(source).count(MARK.encode()) == 2
    assert MARK.encode() not in encoded(deidentified(source, "key"))


@pytest.mark.parametrize(("implicit", "syntax"), [(True, "1.2.840.10008.1.2"), (False, "1.2.840.10008.1.2.1")])
def test_a_file_without_meta_information_gets_its_own_encoding(tmp_path, implicit, syntax):
    bare = Dataset()
    bare.update(both())
    path = tmp_path / "bare.dcm"
    pydicom.dcmwrite(path, bare, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
    scan = open_scan([path])
    done = without_identity(scan, find_sources([path], scan), "key")
    (content,) = done.files.values()
    copied = pydicom.dcmread(io.BytesIO(content))
    assert copied.file_meta.TransferSyntaxUID == syntax
    assert copied.PixelData == bare.PixelData
