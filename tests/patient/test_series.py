from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from bonescan.anatomy.pose import FREEDOMS
from bonescan.errors import InvalidValue
from bonescan.patient import COHORTS, draw_patient, packaged_scenario
from bonescan.patient.series import Course, later_study


@pytest.fixture(scope="module")
def first():
    return draw_patient(4, 1, COHORTS["cohort:metastatic"])


def later(patient, seed):
    return later_study(patient, np.random.SeedSequence(seed), time_h=3.0)


def test_a_later_study_is_the_same_person_laid_anew(first):
    after = later(first, 1).patient
    for same in ("sex", "age_years", "stature_mm", "handedness"):
        assert getattr(after.person, same) == getattr(first.person, same)
    turned = np.flatnonzero(after.person.pose != first.person.pose)
    assert turned.size
    assert all(FREEDOMS[k].name.endswith("_rad") for k in turned)  # no bone grows longer
    assert np.array_equal(later(first, 1).patient.person.pose, after.person.pose)
    assert not np.array_equal(later(first, 2).patient.person.pose, after.person.pose)


def test_every_lesion_is_named_and_keeps_its_id(first):
    # witness: over many seeds every course comes, and each does to its lesion what it says
    seen = set()
    before = {lesion.id: lesion for lesion in first.lesions}
    for seed in range(12):
        done = later(first, seed)
        after = {lesion.id: lesion for lesion in done.patient.lesions}
        assert set(done.course) == set(before) | set(after)
        for name, course in done.course.items():
            seen.add(course)
            assert (name in before, name in after) == (course is not Course.NEW, course is not Course.GONE)
            if course is Course.UNCHANGED:
                assert after[name] is before[name]
            elif course in (Course.GROWN, Course.FADED):
                assert after[name].bone == before[name].bone
                rises = after[name].foci[0].uptake_factor > before[name].foci[0].uptake_factor
                assert rises is ((course is Course.GROWN) is (before[name].foci[0].uptake_factor > 1))
    assert seen == set(Course)


def test_a_body_from_outside_has_no_later_study(first):
    body = SimpleNamespace(sex=first.person.sex, mass_kg=first.person.mass_kg)
    with pytest.raises(InvalidValue, match="keeps its pose"):
        later(replace(first, person=body), 1)


@pytest.mark.parametrize(
    ("scenario", "course"), [("acute_fracture", Course.FADED), ("osteomyelitis", Course.UNCHANGED)]
)
def test_a_fracture_fades_and_an_infection_stays(scenario, course):
    before = packaged_scenario(scenario).patient(1)
    done = later(before, 1)
    assert set(done.course.values()) == {course}
    old, new = (one.lesions[0].foci[0].uptake_factor for one in (before, done.patient))
    assert (new < old) is (course is Course.FADED)
