"""What scenarios do to a patient's voxels: the patient's own rules, seen from the findings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.patient.bodies import lying

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.patient import Patient, Volumes
from bonescan.patient.scenario import compose
from bonescan.patient.scenario_file import packaged_scenario

SEED, SPACING_MM = 3, 8.0


PERSON = lying(packaged_scenario("normal").patient(SEED).person)


def patient_with(*names: str) -> Patient:
    """The same person with other findings."""
    patient = compose(*map(packaged_scenario, names)).patient(SEED)
    assert np.array_equal(patient.person.pose, PERSON.pose)
    assert patient.person.mass_kg == PERSON.mass_kg
    return replace(patient, person=PERSON)


def volumes(*names: str) -> Volumes:
    return patient_with(*names).volumes(3.0, SPACING_MM)


@pytest.fixture(scope="module")
def normal():
    return volumes("normal")


@pytest.fixture(scope="module")
def several():
    """Findings far from each other, in one patient."""
    return volumes("single_metastasis", "extravasation", "belt_buckle")


def test_metastases_are_bone_of_the_bone_they_are_told_in():
    patient = patient_with("metastases")
    made = patient.volumes(3.0, SPACING_MM)
    names = default_skeleton().bones
    for k, (lesion, truth) in enumerate(zip(patient.lesions, made.truth.lesions, strict=True)):
        assert truth.volume_ml > 0
        assert set(truth.bones) == {lesion.bone}
        own = made.bones.values[made.lesions.values == k + 1]
        assert (own == names.index(lesion.bone) + 1).all()


def test_a_superscan_leaves_little_for_the_kidneys_and_the_bladder_is_still_there(normal):
    superscan = volumes("metastatic_superscan").truth.shares
    usual = normal.truth.shares
    assert superscan["bone"] > 1.25 * usual["bone"]
    assert superscan["kidneys"] < 0.75 * usual["kidneys"]
    assert superscan["soft_tissue"] < 0.75 * usual["soft_tissue"]
    assert superscan["bladder"] > 0


def test_an_amputated_leg_has_neither_foot_nor_tracer(normal):
    made = volumes("amputation")
    here, whole = made.truth.bones, normal.truth.bones
    assert "tarsal_talus_l" not in here
    assert "tarsal_talus_r" in here
    assert here["tibia_l"].volume_ml < 0.65 * whole["tibia_l"].volume_ml  # cut at 40 % of its length, the thicker end
    assert here["tibia_r"].volume_ml == pytest.approx(whole["tibia_r"].volume_ml, rel=0.02)
    assert made.activity.total == pytest.approx(normal.activity.total, rel=0.02)  # the same injection, spread over less


def test_metal_attenuates(normal, several):
    for made, least_per_cm in ((several, 1.0), (volumes("prosthesis"), 0.6)):  # a buckle of steel; titanium
        assert made.attenuation.values.max() > least_per_cm > normal.attenuation.values.max()


def test_a_metastasis_is_as_hot_as_told(several):
    (lesion,) = several.truth.lesions
    # the patient measures it over whole voxels of 8 mm, half of whose volume may be normal
    assert 3 < lesion.contrast < 7


def test_an_extravasation_stays_where_it_is_told(several):
    site, _ = several.truth.disturbances
    shares = several.truth.shares
    assert shares["foci"] == pytest.approx(0.052 * (1 - shares["decayed"]), rel=1e-6)
    held = shares["foci"] * 1000 * packaged_scenario("extravasation").patient(SEED).injected_mbq
    assert 0.6 * held < site.activity_kbq < 1.1 * held  # only voxels that it covers by half count as its own
    assert np.isfinite(several.activity.values).all()
