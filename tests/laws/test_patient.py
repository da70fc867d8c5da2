"""What holds for any patient at any time: nothing is lost or negative, and the truth is what the fields say."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from bonescan.errors import InvalidValue
from bonescan.patient import Patient, Person, Scenario, compose, draw_patient, packaged_scenario, read_scenario
from bonescan.patient.volumes import Volumes, volumes_at
from bonescan.tracer.biokinetics import Physiology
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical


def both(*names: str) -> Scenario:
    return compose(*(packaged_scenario(name) for name in names))


def plain(tracer: str = "Tc-99m MDP", **told) -> Patient:
    person = Person()
    physiology = Physiology(sex=person.sex, mass_kg=person.mass_kg, **told)
    return Patient(person=person, tracer=radiopharmaceutical(tracer), physiology=physiology, injected_mbq=600)


def of(**told) -> Patient:
    person = Person(**told)
    physiology = Physiology(sex=person.sex, age_years=person.age_years, mass_kg=person.mass_kg)
    return Patient(person=person, tracer=radiopharmaceutical("Tc-99m MDP"), physiology=physiology, injected_mbq=600)


PATIENTS = {
    "a limb with metal and none": lambda: both("prosthesis", "amputation", "infected_prosthesis").patient(3),
    "everything on the skin": lambda: both("urine_on_skin", "urine_on_clothing", "catheter_bag", "extravasation",
                                           "pacemaker", "necklace", "recent_other_tracer").patient(5),
    "both superscans": lambda: both("metastatic_superscan", "metabolic_superscan", "kidney_failure").patient(7),
    "dead and lytic bone": lambda: both("avascular_necrosis", "lytic_metastasis", "regional_pain_late").patient(9),
    "fluoride": lambda: read_scenario("tracer = 'F-18 fluoride'\ninclude = ['metastases', 'cellulitis']").patient(2),
    "no filtration, no void": lambda: plain(gfr_ml_per_min=0, voids_h=()),
    "all beside the vein": lambda: plain(extravasated_fraction=1.0),
    "nothing bound": lambda: plain(free_pertechnetate_fraction=0.5, colloid_fraction=0.5),
    "all to bone": lambda: plain(tracer="Tc-99m DPD", bone_turnover=100),
    "a void every half hour": lambda: plain(voids_h=tuple(0.01 + 0.5 * k for k in range(30))),
    "a slim child": lambda: of(sex="female", age_years=10, stature_mm=1200, mass_kg=20, bladder_ml=0),
    "a tall old man": lambda: of(age_years=110, stature_mm=2200, mass_kg=150, bladder_ml=800),
}  # fmt: skip


@pytest.mark.parametrize("name", PATIENTS)
def test_nothing_is_lost_or_negative_and_truth_is_what_the_fields_say(name):
    patient = PATIENTS[name]()
    sampled = patient.sampled(12.0)
    for time_h, energy_kev in ((0.0, 20.0), (1 / 3600, 140.5), (3.0, 600.0), (48.0, 511.0)):
        volumes = volumes_at(sampled, time_h, energy_kev)
        truth, held = volumes.truth, volumes.activity.values.astype(float)
        in_body = 1000 * patient.injected_mbq * (1 - truth.shares["decayed"] - truth.shares["voided"])
        assert volumes.activity.total == pytest.approx(in_body, rel=1e-9)
        assert sum(truth.shares.values()) == pytest.approx(1, abs=1e-9)
        assert min(truth.shares.values()) >= 0
        for values in (volumes.activity.values, volumes.attenuation.values):
            assert np.isfinite(values).all()
            assert values.min() >= 0
        by_bone = np.bincount(volumes.bones.values.ravel(), held.ravel() * volumes.activity.grid.voxel_ml)
        told = sum(bone.activity_kbq for bone in truth.bones.values())
        assert told == pytest.approx(by_bone[1:].sum(), rel=1e-9)
        for lesion in (*truth.lesions, *truth.disturbances):
            numbers = (lesion.activity_kbq, lesion.suv_mean, lesion.suv_max, lesion.contrast, lesion.mineral_g)
            assert np.isfinite([*numbers, *lesion.centre_mm]).all()
            assert min(numbers) >= 0


def test_a_time_when_all_has_decayed_is_refused():
    sampled = plain().sampled(20.0)
    for time_h in (-1e-9, 400.0, float("nan"), float("inf")):
        with pytest.raises(InvalidValue, match="0 to 48 h"):
            volumes_at(sampled, time_h)


def digest(volumes: Volumes) -> str:
    fields = (volumes.activity, volumes.attenuation, volumes.bones, volumes.lesions)
    return hashlib.sha256(b"".join(np.ascontiguousarray(field.values).tobytes() for field in fields)).hexdigest()


def test_a_patient_is_the_same_bytes_with_one_thread_or_two_and_in_any_order():
    later = {number: digest(draw_patient(11, number).volumes(0.01, 12.0)) for number in (2, 0)}
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_patient import digest, draw_patient\n"
        "print(digest(draw_patient(11, 0).volumes(0.01, 12.0)), digest(draw_patient(11, 2).volumes(0.01, 12.0)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, os.path.dirname(__file__)],
        env=os.environ | {"NUMBA_NUM_THREADS": "1", "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [later[0], later[2]]
