from dataclasses import replace
from datetime import date, datetime

import pytest
from tests.followup.person import pose, read_person

from bonescan.followup.comparability import comparability
from bonescan.followup.model import Study
from bonescan.reading.model import QualityCheck, Verdict


@pytest.fixture(scope="module")
def study():
    reading = read_person(pose(), seed=1, level=9.0)
    injection = replace(reading.scan.injection, injected_at=datetime(2026, 1, 15, 9, 0))
    return Study.of(replace(reading, scan=replace(reading.scan, injection=injection)))


def with_scan(study, **changes):
    return replace(study, reading=replace(study.reading, scan=replace(study.reading.scan, **changes)))


def with_views(study, **changes):
    return with_scan(study, views=tuple(replace(view, **changes) for view in study.scan.views))


def verdict(prior, current, code):
    return next(one.verdict for one in comparability(prior, current).checks if one.code == f"comparability.{code}")


def test_two_scans_made_alike_may_be_compared(study):
    done = comparability(study, study)
    assert {check.verdict for check in done.checks} == {Verdict.PASS}
    assert not done.withholds_burden
    assert done.reasons == ()


@pytest.mark.parametrize(
    ("times", "expected"), [(1.2, Verdict.PASS), (1.5, Verdict.WARN), (2.0, Verdict.WITHHOLD), (0.5, Verdict.WITHHOLD)]
)
def test_speed(study, times, expected):
    other = with_views(study, scan_velocity_mm_per_s=2.0 * times)
    assert verdict(study, other, "speed.anterior") is expected


@pytest.mark.parametrize(("share", "expected"), [(0.8, Verdict.PASS), (0.6, Verdict.WARN), (0.3, Verdict.WARN)])
def test_counts(study, share, expected):
    views = tuple(replace(view, counts=share * view.counts) for view in study.scan.views)
    assert study.scan.views[0].total_counts > 1.2e6  # else the shares above mean something else
    assert verdict(study, with_scan(study, views=views), "counts.anterior") is expected
    exported = with_views(study, counts_are_raw=False)
    assert verdict(study, exported, "counts.anterior") is Verdict.UNKNOWN


def test_counts_withhold_where_the_reading_withholds_its_index(study):
    counts = QualityCheck(
        code="quality.counts.anterior", question="Enough?", verdict=Verdict.WITHHOLD, measured=None, text="Too few."
    )
    quality = replace(study.reading.quality, checks=(*study.reading.quality.checks, counts))
    other = replace(study, reading=replace(study.reading, quality=quality))
    assert verdict(study, other, "counts.anterior") is Verdict.WITHHOLD
    assert verdict(other, study, "counts.anterior") is Verdict.WITHHOLD
    assert verdict(study, other, "counts.posterior") is Verdict.PASS


@pytest.mark.parametrize(("hour", "expected"), [(12, Verdict.PASS), (13, Verdict.WARN), (15, Verdict.WARN)])
def test_time_after_injection(study, hour, expected):
    later = with_scan(study, acquired_at=datetime(2026, 1, 15, hour, 0))
    assert verdict(study, later, "delay") is expected
    assert verdict(study, with_scan(study, acquired_at=None), "delay") is Verdict.UNKNOWN


def test_camera_collimator_window_and_tracer(study):
    device = study.scan.device
    assert verdict(study, with_scan(study, device=replace(device, model="B")), "camera") is Verdict.WARN
    assert verdict(study, with_scan(study, device=replace(device, collimator="LEAP")), "collimator") is Verdict.WARN
    assert verdict(study, with_scan(study, device=replace(device, collimator=None)), "collimator") is Verdict.UNKNOWN
    assert verdict(study, with_views(study, energy_window_kev=(119.0, 161.0)), "window") is Verdict.WARN
    injection = study.scan.injection
    other = replace(injection, radiopharmaceutical="Tc-99m HDP")
    assert verdict(study, with_scan(study, injection=other), "tracer") is Verdict.WARN
    fluoride = replace(injection, radiopharmaceutical="F-18 fluoride", radionuclide="F-18")
    assert verdict(study, with_scan(study, injection=fluoride), "tracer") is Verdict.WITHHOLD


def test_person_order_field_and_reader(study):
    patient = study.scan.patient
    assert verdict(study, with_scan(study, patient=replace(patient, sex="F")), "person") is Verdict.WITHHOLD
    assert verdict(study, with_scan(study, patient=replace(patient, patient_id="X")), "person") is Verdict.WARN
    nobody = with_scan(study, patient=replace(patient, sex=None, patient_id=None))
    assert verdict(nobody, study, "person") is Verdict.UNKNOWN
    assert verdict(replace(study, on=date(2026, 3, 1)), study, "order") is Verdict.WARN
    assert verdict(replace(study, on=None), study, "order") is Verdict.UNKNOWN
    labels = replace(study.reading.labels, regions_in_view=frozenset(range(1, 12)))
    assert verdict(study, replace(study, reading=replace(study.reading, labels=labels)), "field") is Verdict.WARN
    reread = replace(study.reading, versions={"bonescan": "1"})
    assert verdict(study, replace(study, reading=reread), "reader") is Verdict.WARN
    assert verdict(study, with_scan(study, views=study.scan.views[:1]), "views") is Verdict.WARN


def test_spelling_tells_no_people_and_no_tracers_apart(study):
    patient, injection = study.scan.patient, study.scan.injection
    for changes in ({"sex": "male"}, {"patient_id": "drawn 1"}):
        assert verdict(study, with_scan(study, patient=replace(patient, **changes)), "person") is Verdict.PASS
    names = [with_scan(study, patient=replace(patient, name=name)) for name in ("DOE^JOHN", "Doe^John")]
    assert verdict(*names, "person") is Verdict.PASS
    for changes in ({"radionuclide": "99mTc"}, {"radiopharmaceutical": "Technetium Tc^99m^ medronate"}):
        other = with_scan(study, injection=replace(injection, **changes))
        assert verdict(study, other, "tracer") is Verdict.PASS
