"""What any viewer shows: the captures, the document, the window and marks, the key objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.dicom.results.studies import PDF, apart_study, feet_first_study, study, whole_body_study

from bonescan.dicom import read_results, write_results
from bonescan.dicom.results.heading import DISCLAIMER
from bonescan.reading.model import Kind
from bonescan.scan import ViewName


@pytest.mark.parametrize(("view", "orientation"), [("anterior", ["L", "F"]), ("posterior", ["R", "F"])])
def test_the_overlay_keeps_its_colours_and_tells_its_side(view, orientation):
    dataset = whole_body_study().dataset(f"overlay_{view}.dcm")
    picture = dataset.pixel_array
    assert picture.shape == (31, 17, 3)
    assert (picture[:3, :5] == (255, 0, 0)).all()
    assert (picture[3:] == 200).all()
    assert dataset.PatientOrientation == orientation
    assert dataset.SourceImageSequence[0].ReferencedFrameNumber == (1 if view == "anterior" else 2)


def test_the_document_is_the_report_byte_by_byte():
    dataset = whole_body_study().dataset("report_pdf.dcm")
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == PDF
    assert dataset.BurnedInAnnotation == "YES"  # its pages name the person


def test_grey_is_inverse_and_each_view_has_its_window():
    one = whole_body_study()
    state = one.dataset("presentation.dcm")
    assert state.PresentationLUTShape == "INVERSE"
    for item, view in zip(state.SoftcopyVOILUTSequence, one.reading.scan.views, strict=True):
        lower, upper = (float(item.WindowCenter) + sign * float(item.WindowWidth) / 2 for sign in (-1, 1))
        assert lower == 0
        above = (view.counts > upper).sum() / (view.counts > 0).sum()
        assert 0 < above <= 0.006  # one in 200 pixels with counts, and what rounding of whole counts adds


@pytest.mark.parametrize("turned", [False, True])
def test_outlines_lie_where_the_findings_are_in_the_stored_frame(turned):
    one = feet_first_study() if turned else whole_body_study()
    state = one.dataset("presentation.dcm")
    for item, view in zip(state.GraphicAnnotationSequence, ViewName, strict=True):
        masks = one.dataset(f"seg_findings_{view}.dcm").pixel_array
        assert len(item.GraphicObjectSequence) == len(item.TextObjectSequence) == len(masks)
        for graphic, mask in zip(item.GraphicObjectSequence, masks, strict=True):
            points = np.array(graphic.GraphicData).reshape(-1, 2)
            rows, columns = np.nonzero(mask)
            # the doll's outlines surround their discs: their middle is the discs', counted from the pixels' corners
            middle = (points[:-1].max(axis=0) + points[:-1].min(axis=0)) / 2
            np.testing.assert_allclose(middle, (columns.mean() + 0.5, rows.mean() + 0.5), atol=0.75)


def test_key_objects_are_the_frames_with_bone_findings_and_what_explains_them():
    one = whole_body_study()
    note = one.dataset("key_objects.dcm")
    kinds = [item.ValueType for item in note.ContentSequence]
    assert kinds == ["TEXT", "IMAGE", "IMAGE", "IMAGE", "IMAGE", "COMPOSITE", "COMPOSITE"]
    bones = sum(finding.kind is Kind.BONE for finding in one.reading.findings)
    assert note.ContentSequence[0].TextValue.startswith(f"{bones} bone finding(s)")
    told = {str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for item in note.ContentSequence[1:]}
    own = {one.dataset(name).SOPInstanceUID for name in one.results if not name.startswith(("seg", "key", "pres"))}
    assert told == {str(one.frames[0].dataset.SOPInstanceUID), *own}


@pytest.mark.parametrize("made", [whole_body_study, apart_study])
def test_every_object_belongs_to_the_source_s_patient_and_study_and_to_a_series_of_its_own(made):
    one = made()
    source = one.frames[0].dataset
    series = {}
    for name in one.results:
        dataset = one.dataset(name)
        for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID"):
            assert dataset.get(keyword) == source.get(keyword), (name, keyword)
        assert dataset.SeriesInstanceUID != source.SeriesInstanceUID
        series.setdefault(dataset.SeriesInstanceUID, set()).add(dataset.Modality)
    assert sorted(kind for kinds in series.values() for kind in kinds) == ["DOC", "KO", "OT", "PR", "SEG", "SR"]
    assert len({one.dataset(name).SOPInstanceUID for name in one.results}) == len(one.results)


def test_every_object_says_that_it_is_research():
    one = whole_body_study()
    for name in one.results:
        dataset = one.dataset(name)
        assert "RESEARCH, not for diagnosis" in dataset.SeriesDescription
        assert dataset.SyntheticData == "YES"  # as its source does
    report = one.dataset("measurements_sr.dcm")
    assert DISCLAIMER in [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]


@pytest.mark.parametrize(
    ("characters", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 144", "Люкceмбypг"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_survive_in_any_character_set(characters, name):
    def in_characters(dataset):
        dataset.SpecificCharacterSet = characters
        dataset.PatientName = name

    one = study(change=in_characters, views=(ViewName.POSTERIOR,), findings=1)
    for result in one.results:
        dataset = one.dataset(result)
        assert dataset.SpecificCharacterSet == "ISO_IR 192"
        assert str(dataset.PatientName) == name


def test_words_of_other_scripts_come_back_in_the_report():
    one = whole_body_study()
    first = replace(one.reading.findings[0], place="右第七肋骨, Brustwirbelkörper", reason="β ≥ 2,\nдва ряда")
    files = write_results(replace(one.reading, findings=(first, *one.reading.findings[1:])), one.frames)
    back = read_results(files.values()).said.findings[0]
    assert (back.place, back.reason) == (first.place, first.reason)
