"""Facts as vendors write them: zero is unknown, old dates are dates."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from pydicom.dataset import Dataset
from tests.dicom.phantom import both

from bonescan.dicom.headers import parse_date, parse_datetime, parse_time


def tracer(**values) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("19930824", date(1993, 8, 24)),
        ("1993.08.24", date(1993, 8, 24)),
        ("1993.11.24", date(1993, 11, 24)),
        ("00000101", None),
        ("20261340", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(words, day):
    assert parse_date(words) == day


def test_times_with_and_without_colons():
    assert parse_time("17:46:27") == parse_time("174627.000000")
    assert parse_time("256060") is None
    assert parse_datetime("20260102093000.000000+0100") == datetime(2026, 1, 2, 9, 30)


def test_dose_zero_and_times_that_lack_are_unknown(opened, codes):
    scan = opened(both(RadiopharmaceuticalInformationSequence=[tracer(RadionuclideTotalDose=0)]))
    assert scan.injection.activity_mbq is None
    assert scan.injection.injected_at is None
    assert scan.delay_h is None
    assert "dicom.injection.missing" in codes(scan)


def test_the_delay_is_from_injection_to_acquisition(opened):
    assert opened(both()).delay_h == 3.25  # 07:00 to 10:15


def test_an_injection_before_midnight(opened):
    late = tracer(RadiopharmaceuticalStartTime="230000")
    assert opened(both(RadiopharmaceuticalInformationSequence=[late])).delay_h == 11.25


def test_becquerels_are_converted(opened, codes):
    scan = opened(both(RadiopharmaceuticalInformationSequence=[tracer(RadionuclideTotalDose=6.5e8)]))
    assert scan.injection.activity_mbq == 650
    assert "dicom.injection.unit" in codes(scan)


def test_impossible_patient_facts_are_unknown(opened):
    scan = opened(both(PatientAge="000Y", PatientBirthDate="00000101", PatientSize="0", PatientWeight="0"))
    assert scan.patient.age_years is scan.patient.birth_date is None
    assert scan.patient.stature_m is scan.patient.weight_kg is None


def test_stature_in_centimetres_and_age_from_birth(opened):
    patient = opened(both(PatientSize="172")).patient
    assert patient.stature_m == pytest.approx(1.72)
    assert patient.age_years == pytest.approx(75.76, abs=0.01)  # 1 April 1950 to 2 January 2026
