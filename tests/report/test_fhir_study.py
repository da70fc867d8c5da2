"""The series of a FHIR ImagingStudy: every object once, by its series, with modality, class and numbers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from pydicom.sr._concepts_dict import concepts
from tests.report.phantom import concluded

from bonescan.report import fhir_study
from bonescan.report.fhir import fhir_bytes
from bonescan.report.fhir_study import with_series
from bonescan.scan import StoredObject


def stored(study_uid: str) -> tuple[StoredObject, ...]:
    image = StoredObject(
        study_uid=study_uid, series_uid="1.2.1", sop_class_uid="1.2.840.10008.5.1.4.1.1.20", sop_instance_uid="1.2.1.1",
        modality="NM", series_number=1, series_description="WB", instance_number=1,
        series_started_at=datetime(2021, 3, 4, 10, 30, tzinfo=UTC),
    )  # fmt: skip
    masks = [
        StoredObject(
            study_uid=study_uid, series_uid="1.2.2", sop_class_uid="1.2.840.10008.5.1.4.1.1.66.4",
            sop_instance_uid=f"1.2.2.{number}", modality="SEG", instance_number=number,
            series_started_at=datetime(2021, 3, 4, 10, 30),
        )
        for number in (1, 2)
    ]  # fmt: skip
    other = StoredObject(
        study_uid="9.9", series_uid="9.9.1", sop_class_uid="1", sop_instance_uid="9.9.1.1", modality="CT"
    )
    return (image, *masks, other, image)


def study_of(content: bytes) -> dict:
    (study,) = [one["resource"] for one in json.loads(content)["entry"]
                if one["resource"]["resourceType"] == "ImagingStudy"]  # fmt: skip
    return study


def test_every_object_of_the_study_is_listed_once_in_its_series(reading):
    models = pytest.importorskip("fhir.resources.R4B.bundle")  # this resource is the same in R4 and R4B
    content = with_series(fhir_bytes(concluded(reading)), stored(reading.scan.study_uid))
    parsed = models.Bundle.model_validate_json(content)
    assert json.loads(parsed.model_dump_json()) == json.loads(content)
    study = study_of(content)
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 3)
    assert [one["code"] for one in study["modality"]] == ["NM", "SEG"]
    images, masks = study["series"]
    assert images == {
        "uid": "1.2.1",
        "number": 1,
        "modality": {"system": fhir_study.DCM, "code": "NM", "display": "Nuclear Medicine"},
        "description": "WB",
        "numberOfInstances": 1,
        "started": "2021-03-04T10:30:00Z",
        "instance": [
            {
                "uid": "1.2.1.1",
                "sopClass": {"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.20"},
                "number": 1,
            }
        ],
    }
    assert masks["started"] == "2021-03-04"  # whose zone nobody told
    assert [one["uid"] for one in masks["instance"]] == ["1.2.2.1", "1.2.2.2"]
    assert "number" not in masks


def test_without_objects_nothing_is_changed(reading):
    content = fhir_bytes(concluded(reading))
    assert with_series(content, ()) == content
    assert with_series(content, stored("of.another")[:3]) == content


def test_the_words_of_modalities_are_dicoms():
    known = {code: meaning for named in concepts["DCM"].values() for code, (meaning, _) in named.items()}
    for code, words in fhir_study._MODALITIES.items():
        assert code in known
        assert words == known[code] or code == "OT"  # a code of two meanings: other, and other modality
