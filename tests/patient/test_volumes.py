from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from tests.patient.bodies import Lying

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.tissues import attenuation_per_cm
from bonescan.errors import InvalidValue
from bonescan.patient import Focus, Patient, Person, Volumes, packaged_scenario
from bonescan.patient.volumes import volumes_at
from bonescan.tracer.biokinetics import Physiology, kinetics
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical

MDP = radiopharmaceutical("Tc-99m MDP")
SKELETON = default_skeleton()


@dataclass(frozen=True)
class Finding:
    """The least that a lesion is."""

    id: str
    foci: tuple[Focus, ...]
    bone: str = ""
    kind: str = "test"


def middle_of(bone: str) -> np.ndarray:
    """The centre of a bone's largest ellipsoid, which lies inside it."""
    own = np.flatnonzero(SKELETON.bone_index == SKELETON.bones.index(bone))
    return SKELETON.centres_mm[own[np.argmax(SKELETON.volumes_mm3()[own])]]


def spot(bone: str, segment: str, radius_mm: float = 15, **what) -> Finding:
    focus = Focus(
        segment=segment, centre_mm=middle_of(bone), axes_mm=radius_mm * np.eye(3), **{"bones": (bone,), **what}
    )
    return Finding(id=f"{bone}", foci=(focus,), bone=bone)


def everywhere(**what) -> Finding:
    focus = Focus(segment="lumbar", centre_mm=np.array([0.0, 0, 900]), axes_mm=np.diag([2000.0] * 3), **what)
    return Finding(id="all", foci=(focus,))


MAN = Lying()


@cache
def sampled(*lesions: Finding, spacing_mm: float = 8.0, **physiology):
    patient = Patient(
        person=MAN,
        tracer=MDP,
        physiology=Physiology(**physiology),
        injected_mbq=600,
        lesions=lesions,
    )
    return patient.sampled(spacing_mm)


def held(volumes: Volumes) -> float:
    shares = volumes.truth.shares
    return 600e3 * (1 - shares["decayed"] - shares["voided"])


URINE = Finding(
    id="urine",
    foci=(
        Focus(
            segment="thigh_l",
            centre_mm=np.array([80.0, -110, 700]),
            axes_mm=np.diag([30.0, 20, 40]),
            realm="outside",
            added_fraction=0.01,
        ),
    ),
)


HOT = spot("vertebra_l03", "lumbar", uptake_factor=5)


@pytest.mark.parametrize("time_h", [0.0, 5 / 3600, 20 / 3600, 0.1, 1.0, 3.0, 24.0, 48.0])
def test_activity_is_conserved_at_every_time(time_h):
    # the issue asks for 1e-9; the field is float32, and what rounding loses is put into one voxel
    volumes = volumes_at(sampled(HOT, URINE), time_h)
    assert volumes.activity.values.dtype == np.float32
    assert volumes.activity.total == pytest.approx(held(volumes), rel=1e-9)
    assert sum(volumes.truth.shares.values()) == pytest.approx(1, abs=1e-12)
    assert volumes.activity.values.min() >= 0


def test_without_foci_the_shares_are_the_kinetics():
    shares = volumes_at(sampled(), 3.0).truth.shares
    expected = kinetics(MDP, Physiology()).shares(3.0)
    assert {name: shares[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_bone_and_bladder_hold_what_the_kinetics_say():
    body = sampled()
    volumes = volumes_at(body, 3.0)
    shares, truth = volumes.truth.shares, volumes.truth
    in_bone = sum(bone.activity_kbq for bone in truth.bones.values())
    # besides the bone compartment, bone holds its blood and fluid: a few per cent of the body's
    assert (
        600e3 * shares["bone"] < in_bone < 600e3 * (shares["bone"] + 0.12 * (shares["blood"] + shares["soft_tissue"]))
    )
    urine = volumes.activity.values[body.organ == body.organs.index("bladder") + 1]
    assert urine.sum(dtype=float) * volumes.activity.grid.voxel_ml == pytest.approx(600e3 * shares["bladder"], rel=1e-5)


def test_normal_bone_has_published_suvs():
    # spongiosa of the lower lumbar spine 5.91 +/- 1.54 (Tc-99m DPD, 4 h, doi:10.1186/2191-219X-3-45); humerus 0.85 +/-
    # 0.26 in pictures (Tc-99m MDP, 3 h, Nautiyal 2021), where blur takes a fifth of a thin bone away (bench/suv.py);
    # vertebrae and pelvis 3.89 +/- 1.35 and knees 5.3 +/- 4.4 at most as the bench prints them
    bones = volumes_at(sampled(spacing_mm=4.0), 3.0).truth.bones
    assert bones["vertebra_l04"].suv_mean == pytest.approx(5.91, abs=1.54)
    assert bones["humerus_l"].suv_mean / 1.25 == pytest.approx(0.85, abs=0.26)
    assert bones["femur_l"].suv_max == pytest.approx(5.3, abs=4.4)
    assert bones["hip_bone_l"].suv_mean == pytest.approx(3.89, abs=1.35)


def test_a_metastasis_has_its_contrast_and_stays_in_its_bone():
    flat = spot("femur_l", "thigh_l", 30, uptake_factor=5)
    volumes = volumes_at(sampled(flat), 3.0)
    (told,) = volumes.truth.lesions
    assert set(told.bones) == {"femur_l"}
    where = volumes.lesions.values == 1
    assert where.any()
    assert set(volumes.bones.values[where]) == {SKELETON.bones.index("femur_l") + 1}
    assert told.volume_ml == pytest.approx(where.sum() * volumes.lesions.grid.voxel_ml)
    # four times the bone's mean is added to what the shaft has there: less than the mean in marrow, more in cortex
    assert 3 < told.contrast < 9
    assert told.suv_max == pytest.approx(
        volumes.activity.values[where].max() * 73 / 600 / (1 - volumes.truth.shares["decayed"])
    )


def test_a_lesions_activity_hardly_depends_on_the_grid():
    # a ball of 24 mm in a vertebra, 4 against 3 mm: bones' voxels differ by some per cent
    ball = spot("vertebra_l02", "lumbar", 12, uptake_factor=8)
    bodies = [sampled(ball, spacing_mm=mm) for mm in (4.0, 3.0)]
    coarse, fine = (volumes_at(body, 3.0).truth.lesions[0] for body in bodies)
    assert coarse.contrast == pytest.approx(fine.contrast, rel=0.05)
    added = [float((body.weights(3.0) - body.weight).sum()) * body.grid.voxel_ml for body in bodies]
    assert added[0] == pytest.approx(added[1], rel=0.05)


def test_a_cold_core_is_cold_and_its_rim_hot():
    lytic = spot("hip_bone_l", "pelvis", 22, profile="rim", uptake_factor=4, core_factor=0.1)
    body = sampled(lytic, spacing_mm=4.0)
    ratio = body.weights(3.0) / body.weight
    assert ratio.max() > 3
    assert ratio.min() == pytest.approx(0.1, abs=1e-6)


def test_late_gain_is_the_ratio_of_24_to_4_hours():
    # definition of Focus.late_gain; a flat focus over whole voxels, so that lesion and bone scale apart
    body = sampled(everywhere(bones=("tibia_l",), uptake_factor=5, late_gain=1.3))
    own = body.number == SKELETON.bones.index("tibia_l")
    total = {hour: body.weights(hour)[own].sum() for hour in (3.0, 4.0, 24.0)}
    normal = body.weight[own].sum()
    level = body.level[SKELETON.bones.index("tibia_l")] * own.sum()
    uptake = {hour: 1 + (total[hour] - normal) / level for hour in total}
    assert uptake[24.0] / uptake[4.0] == pytest.approx(1.3)
    assert uptake[3.0] == pytest.approx(5)


def test_a_superscan_fades_kidneys_and_soft_tissue_by_itself():
    body = sampled(everywhere(uptake_factor=6))
    normal, superscan = (volumes_at(one, 3.0).truth.shares for one in (sampled(), body))
    assert superscan["bone"] > 1.8 * normal["bone"]
    for name in ("kidneys", "soft_tissue", "blood"):
        assert superscan[name] < 0.6 * normal[name]
    # the clearance to bone rises as the weights do, joints apart: the same as asking the kinetics for that turnover
    turnover = body.weights(3.0).sum() / body.weight.sum()
    assert 5 < turnover < 6.01
    assert superscan["kidneys"] == pytest.approx(
        kinetics(MDP, Physiology(bone_turnover=turnover)).shares(3.0)["kidneys"]
    )


def test_hyperaemia_shows_in_the_pool_and_less_in_late_pictures():
    warm = Finding(
        id="warm",
        foci=(
            Focus(
                segment="shank_l", centre_mm=np.array([80.0, 10, 250]), axes_mm=np.diag([70.0, 70, 90]), realm="soft",
                blood_factor=3.0,
            ),
        ),
    )  # fmt: skip
    patients = sampled(warm), sampled()
    for time_h in (20 / 3600, 0.1, 3.0):
        hot, plain = (volumes_at(body, time_h) for body in patients)
        index = patients[0].painted[0][0].index[patients[0].painted[0][0].cover > 0.99]
        ratio = hot.activity.values.reshape(-1)[index].sum() / plain.activity.values.reshape(-1)[index].sum()
        assert ratio == pytest.approx(3, rel=0.05)  # what it draws from the rest of the body is little
        assert hot.activity.total == pytest.approx(held(hot), rel=1e-9)


def test_the_bolus_runs_through_heart_and_lungs_before_the_legs():
    body = sampled()
    lungs = np.isin(body.organ, [body.organs.index(f"lung_{side}") + 1 for side in "lr"])
    legs = np.isin(body.bone, [SKELETON.bones.index(f"tibia_{side}") + 1 for side in "lr"])
    seen = {s: volumes_at(body, s / 3600).activity.values for s in (6, 15, 25, 170)}
    assert seen[6][lungs].mean() > 5 * seen[170][lungs].mean()
    assert seen[6][legs].mean() < 0.01 * seen[25][legs].mean()
    assert seen[15][legs].mean() < seen[25][legs].mean()


def test_metal_takes_the_place_of_bone():
    stem = spot("femur_l", "thigh_l", 25, tissue="titanium", bones=(), realm="body")
    body = sampled(stem, spacing_mm=4.0)
    volumes = volumes_at(body, 3.0)
    metal = body.tissue == body.tissues.index("titanium")
    assert metal.any()
    assert not volumes.bones.values[metal].any()
    assert volumes.activity.values[metal].max() == 0
    assert volumes.attenuation.values[metal] == pytest.approx(attenuation_per_cm("titanium", 140.5))
    assert volumes.truth.bones["femur_l"].volume_ml < volumes.truth.bones["femur_r"].volume_ml


def test_attenuation_is_that_of_tissue_and_mineral():
    volumes = volumes_at(sampled(), 3.0)
    values, body = volumes.attenuation.values, sampled()
    assert values[0, 0, 0] == pytest.approx(attenuation_per_cm("air", 140.5))
    muscle = (body.tissue == body.tissues.index("muscle")) & (body.bone == 0)
    assert values[muscle] == pytest.approx(attenuation_per_cm("muscle", 140.5))
    femur = values[body.bone == SKELETON.bones.index("femur_l") + 1]
    # between marrow and mineral bone of 1.92 g/ml; a whole femur weighs about 1.3 g/ml: 0.15 x 1.3 = 0.2 /cm
    assert attenuation_per_cm("yellow marrow", 140.5) < femur.min()
    assert femur.max() <= attenuation_per_cm("mineral bone", 140.5) + 1e-6
    assert femur.mean() == pytest.approx(0.2, abs=0.03)
    assert volumes_at(sampled(), 3.0, 511.0).attenuation.values[muscle].max() < values[muscle].max()


def test_sclerosis_and_lysis_change_mineral_and_attenuation():
    plain, lytic = (sampled(spot("vertebra_l03", "lumbar", 40, mineral_factor=factor)) for factor in (1.0, 0.5))
    before, after = (volumes_at(body, 3.0) for body in (plain, lytic))
    ratio = after.truth.bones["vertebra_l03"].mineral_g / before.truth.bones["vertebra_l03"].mineral_g
    assert 0.45 < ratio < 0.75
    own = before.bones.values == SKELETON.bones.index("vertebra_l03") + 1
    assert after.attenuation.values[own].mean() < before.attenuation.values[own].mean()
    assert after.truth.bones["vertebra_l02"].mineral_g == before.truth.bones["vertebra_l02"].mineral_g
    assert 0 < after.truth.lesions[0].mineral_g < before.truth.lesions[0].mineral_g


def test_urine_on_the_skin_lies_on_the_skin_of_any_body():
    for mass_kg in (60, 115):
        patient = Patient(
            person=Person(mass_kg=mass_kg),
            tracer=MDP,
            physiology=Physiology(mass_kg=mass_kg),
            injected_mbq=600,
            disturbances=(URINE,),
        )
        body = patient.sampled(8.0)
        volumes = volumes_at(body, 3.0)
        (told,) = volumes.truth.disturbances
        shares = volumes.truth.shares
        assert shares["foci"] == pytest.approx(0.01 * (1 - shares["decayed"]))
        outside = volumes.activity.values[(body.tissue == 0) & (body.organ == 0)]
        assert outside.sum(dtype=float) * 0.512 == pytest.approx(600e3 * shares["foci"], rel=1e-5)
        assert told.bone == ""
        assert not volumes.lesions.values.any()


def test_tracer_that_has_no_place_is_refused():
    floating = spot("femur_l", "thigh_l", 5, realm="bone", bones=("femur_l",), added_fraction=0.1)
    nowhere = Finding(
        id="nowhere",
        foci=(
            Focus(
                segment="head",
                centre_mm=np.array([0.0, -400, 1600]),
                axes_mm=np.eye(3),
                realm="soft",
                added_fraction=0.1,
            ),
        ),
    )
    assert volumes_at(sampled(floating), 3.0).truth.shares["foci"] > 0
    with pytest.raises(InvalidValue, match="no voxel of its realm"):
        volumes_at(sampled(nowhere), 3.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"injected_mbq": 0},
        {"lesions": (URINE, URINE)},
        {"physiology": Physiology(sex="female")},
        {"physiology": Physiology(mass_kg=90)},
        {"lesions": (Finding(id="a", foci=(URINE.foci[0],) * 101),)},
    ],
)
def test_a_patient_that_cannot_be_is_refused(wrong):
    given = {"person": Person(), "tracer": MDP, "physiology": Physiology(), "injected_mbq": 600}
    with pytest.raises(InvalidValue):
        Patient(**{**given, **wrong})
    with pytest.raises(InvalidValue):
        volumes_at(sampled(), -1.0)


def test_the_medium_attenuates_as_the_patient_does():
    # bone comes in 64 steps of mineral: half a step of mineral bone instead of marrow is 0.0012 /cm at 140 keV
    sampled = packaged_scenario("normal").patient(1).sampled(8.0)
    for energy in (140.5, 110.0):
        given, exact = sampled.medium().attenuation(energy), sampled.attenuation(energy)
        assert given.grid == exact.grid
        assert np.abs(given.values - exact.values).max() < 2e-3
        assert given.total == pytest.approx(exact.total, rel=2e-4)


# --- what one lesion adds -----------------------------------------------------------------------------


def without(whole, k: int, time_h: float = 3.0) -> np.ndarray:
    """Activity less what lesion k adds."""
    shares, weights = whole.shares(time_h), whole.weights(time_h)
    out = whole.activity(time_h, shares, weights).values.astype(float)
    index, kbq_per_ml = whole.excess(k, time_h, shares, weights)
    out.reshape(-1)[index] -= kbq_per_ml
    return out


def test_activity_less_the_excess_of_a_lesion_is_that_of_a_patient_without_it():
    # the same shares by weight: of bone in proportion to what is left of the weights, the rest counted as voided
    hot, cold = spot("vertebra_l03", "lumbar", uptake_factor=5.0), spot("sacrum", "pelvis", uptake_factor=0.2)
    over = replace(spot("vertebra_l03", "lumbar", 9, uptake_factor=3.0), id="over")
    whole = sampled(hot, cold, over)
    shares, weights = whole.shares(3.0), whole.weights(3.0)
    for k, rest in enumerate(((cold, over), (hot, over), (hot, cold))):
        other = sampled(*rest)
        left = other.weights(3.0)
        gone = shares["bone"] * (1 - left.sum() / weights.sum())
        told = {**shares, "bone": shares["bone"] - gone, "voided": shares["voided"] + gone}
        expected = other.activity(3.0, told, left).values
        off = np.abs(without(whole, k) - expected) > 1e-5 * expected
        assert off.sum() <= 6  # the voxels into which either puts what rounding left
        np.testing.assert_allclose(without(whole, k), expected, rtol=0.01)


def test_without_its_hyperaemia_soft_tissue_is_even_again():
    red = Focus(segment="thigh_l", centre_mm=np.array([90.0, 0, 650]), axes_mm=40 * np.eye(3), realm="soft",
                blood_factor=3.0)  # fmt: skip
    again = Focus(segment="thigh_l", centre_mm=np.array([90.0, 0, 630]), axes_mm=40 * np.eye(3), realm="soft",
                  blood_factor=2.0)  # fmt: skip
    one = sampled(Finding(id="red", foci=(red,)))
    muscle = one.tissues.index("muscle")
    own = (one.tissue == muscle) & (one.organ == 0) & (one.bone == 0)
    own.reshape(-1)[one.site.index] = False
    rounding = 3  # voxels into which is put what rounding left
    values = np.sort(without(one, 0)[own])
    assert np.ptp(values[rounding:-rounding]) < 1e-5 * values.mean()
    # where two overlap their factors multiply, and each leaves the other's
    both = sampled(Finding(id="red", foci=(red,)), Finding(id="again", foci=(again,)))
    values = np.sort(without(both, 0)[own])
    assert values[-1 - rounding] / np.median(values) == pytest.approx(2.0, rel=1e-5)
    values = np.sort(without(both, 1)[own])
    assert values[-1 - rounding] / np.median(values) == pytest.approx(3.0, rel=1e-5)


def test_what_lies_there_besides_is_all_of_the_excess():
    whole = sampled(URINE)
    shares = whole.shares(3.0)
    index, kbq_per_ml = whole.excess(0, 3.0, shares, whole.weights(3.0))
    added = sum(focus.added_fraction for focus in URINE.foci)
    assert kbq_per_ml.sum() * whole.grid.voxel_ml == pytest.approx(600e3 * added * (1 - shares["decayed"]))
    assert len(np.unique(index)) == len(index)
