from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.lesions.disturbances import catheter_bag, extravasation, recent_other_tracer, urine_on_skin
from bonescan.patient.lesions.joints import degenerative_spine
from bonescan.patient.lesions.lesion import (
    Lesion,
    LesionKind,
    Nature,
    focus_in_bone,
    focus_over_bone,
    in_own_bone,
    late_gain,
)
from bonescan.patient.lesions.placement import contains, place_along, vertebral_body
from bonescan.patient.lesions.shadows import Skin, belt_buckle
from bonescan.patient.lesions.surgery import amputation, prosthesis
from bonescan.patient.scenario import BUILDERS

SKIN = Skin(sex="male", girth=1.0)


def made(kind: str, seed: int = 5, **told: object) -> tuple[Lesion, ...]:
    builder = BUILDERS[kind]
    given = {"skin": SKIN} if "skin" in inspect.signature(builder).parameters else {}
    return builder(np.random.default_rng(seed), **given, **told)


def test_every_kind_has_its_builder_and_its_nature():
    assert set(BUILDERS) == {kind.value for kind in LesionKind}
    assert {kind.nature for kind in LesionKind} == set(Nature)


@pytest.mark.parametrize("kind", sorted(BUILDERS))
@pytest.mark.parametrize("seed", range(6))
def test_what_a_builder_makes_is_of_its_kind_and_reaches_its_bones(kind, seed):
    for lesion in made(kind, seed):
        assert lesion.kind == kind
        assert lesion.is_metastasis == (lesion.kind.nature is Nature.METASTASIS)
        for focus in lesion.foci:
            if focus.realm == "bone" and focus.bones:
                assert reaches(focus), f"{lesion.label}: a focus beside {focus.bones}"
        if lesion.bone and lesion.focal:
            assert contains(lesion.bone, lesion.foci[0].centre_mm)[0]


def reaches(focus) -> bool:
    skeleton = default_skeleton()
    inverse = np.linalg.inv(focus.axes_mm)
    own = np.isin(skeleton.bone_index, [skeleton.bones.index(bone) for bone in focus.bones])
    ends = np.concatenate([skeleton.centres_mm[own], skeleton.centres_mm[own] + skeleton.axes_mm[own, :, 0] / 2])
    inside = contains(focus.bones[0], focus.centre_mm)[0]
    return inside or bool((np.linalg.norm((ends - focus.centre_mm) @ inverse.T, axis=1) <= 1).any())


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_the_same_generator_makes_the_same(kind):
    for one, other in zip(made(kind), made(kind), strict=True):
        assert one.label == other.label
        assert all(
            np.array_equal(a.centre_mm, b.centre_mm) and a.uptake_factor == b.uptake_factor
            for a, b in zip(one.foci, other.foci, strict=True)
        )


def test_a_lesion_outside_its_bone_is_refused():
    focus = focus_in_bone("femur_l", place_along("femur_l", 0.5)[0], 10.0)
    lesion = Lesion(id="a", kind=LesionKind.METASTASIS, bone="femur_l", foci=(focus,), label="x")
    for wrong in (
        {"foci": (focus_in_bone("femur_l", np.array([200.0, 0, 700]), 10.0),)},
        {"bone": "tibia_l"},
        {"bone": "vertebra_l06"},
        {"foci": ()},
        {"label": ""},
        {"age_days": -1.0},
        {"contrast": float("nan")},
    ):
        with pytest.raises(InvalidValue):
            replace(lesion, **wrong)


def test_the_third_half_axis_lies_along_the_bone():
    place, direction = place_along("rib_07_l", 0.5)
    focus = focus_in_bone("rib_07_l", place, (3.0, 4.0, 20.0), along=direction)
    assert np.allclose(focus.axes_mm[:, 2], 20 * direction)
    assert np.allclose(focus.axes_mm.T @ focus.axes_mm, np.diag([9.0, 16.0, 400.0]), atol=1e-9)


@pytest.mark.parametrize("bone", ["hip_bone_l", "vertebra_l03", "scapula_r", "rib_05_l", "mandible"])
def test_a_focus_over_a_bone_covers_it(bone):
    skeleton = default_skeleton()
    own = skeleton.bone_index == skeleton.bones.index(bone)
    focus = focus_over_bone(bone)
    ends = np.concatenate(
        [skeleton.centres_mm[own] + s * skeleton.axes_mm[own, :, k] for s in (-1, 1) for k in range(3)]
    )
    radius = np.linalg.norm((ends - focus.centre_mm) @ np.linalg.inv(focus.axes_mm).T, axis=1)
    assert (radius <= 1).all()


def test_late_gains_are_those_of_the_fourth_phase():
    # witness: 24 h / 4 h ratio of spine lesions 1.3 +/- 0.15 malignant, 1.0 +/- 0.12 benign; cut at two spreads
    rng = np.random.default_rng(1)
    for malignant, mean, spread in ((True, 1.3, 0.15), (False, 1.0, 0.12)):
        drawn = np.array([late_gain(rng, malignant=malignant) for _ in range(4000)])
        assert drawn.mean() == pytest.approx(mean, abs=0.01)
        assert drawn.std() == pytest.approx(spread, rel=0.1)


def test_what_adds_to_a_bone_is_measured_in_spines():
    # ribs are taken to have 1 / 2.5 of a vertebra, so that what makes 5 of a vertebra's 1 makes 11 of a rib's
    assert in_own_bone("rib_03_l", 5.0) == 11.0
    assert in_own_bone("vertebra_t08", 5.0) == 5.0


def test_worn_end_plates_lie_on_the_side_told_and_reach_beyond_the_spine():
    for side, sign in (("left", 1), ("right", -1)):
        (lesion,) = degenerative_spine(np.random.default_rng(0), levels=("vertebra_l03",), side=side)
        upper, lower, osteophyte = lesion.foci
        assert upper.bones == ("vertebra_l03",)
        assert lower.bones == ("vertebra_l04",)
        assert all(sign * focus.centre_mm[0] > 5 for focus in lesion.foci)
        _, half = vertebral_body("vertebra_l03")
        assert sign * osteophyte.centre_mm[0] + osteophyte.axes_mm[0, 0] > half[0]
        assert osteophyte.added_fraction < 1e-3


def test_prostheses_are_cold_metal_and_show_what_is_loose():
    rng = np.random.default_rng(0)
    (firm,) = prosthesis(rng, joint="hip", side="right")
    assert {focus.tissue for focus in firm.foci} == {"titanium", "polyethylene", "cobalt-chrome"}
    assert all(focus.uptake_factor == 0 and focus.centre_mm[0] < 0 for focus in firm.foci)
    (loose,) = prosthesis(rng, joint="hip", loosening="aseptic", contrast=4.0)
    hot = [focus for focus in loose.foci if focus.uptake_factor > 1]
    assert len(hot) == 3
    (infected,) = prosthesis(rng, joint="knee", loosening="infected")
    assert max(focus.blood_factor for focus in infected.foci) > 2


@pytest.mark.parametrize(
    ("level", "gone"), [("below_knee", ("tibia_r", "tarsal_talus_r")), ("below_elbow", ("ulna_r",))]
)
def test_an_amputation_covers_what_is_lost_and_nothing_of_the_other_side(level, gone):
    (lesion,) = amputation(np.random.default_rng(0), level=level, side="right")
    air = [focus for focus in lesion.foci if focus.tissue == "air"]
    skeleton = default_skeleton()

    def covered(points):
        held = np.zeros(len(points), dtype=bool)
        for focus in air:
            held |= np.linalg.norm((points - focus.centre_mm) @ np.linalg.inv(focus.axes_mm).T, axis=1) <= 1
        return held

    end = lesion.foci[0].centre_mm[2] - 10
    for bone in gone:
        points = skeleton.centres_mm[skeleton.bone_index == skeleton.bones.index(bone)]
        below = points[points[:, 2] < end - 25]
        assert len(below)
        assert covered(below).all()
        assert not covered(points * [-1, 1, 1]).any()


@pytest.mark.parametrize(
    ("builder", "told", "total"),
    [
        (extravasation, {"skin": SKIN, "fraction": 0.06, "node_fraction": 0.002}, 0.062),
        (catheter_bag, {"fraction": 0.1}, 0.1),
        (urine_on_skin, {"skin": SKIN, "fraction": 0.004}, 0.004),
        (recent_other_tracer, {"scale": 2.0}, 0.1),
    ],
)
def test_spilt_tracer_adds_up_to_what_is_told(builder, told, total):
    (lesion,) = builder(np.random.default_rng(2), **told)
    assert sum(focus.added_fraction for focus in lesion.foci) == pytest.approx(total, rel=1e-9)


def test_a_buckle_lies_in_front_of_thin_and_of_stout_people():
    for girth in (0.85, 1.0, 1.4):
        skin = Skin(sex="female", girth=girth)
        (lesion,) = belt_buckle(np.random.default_rng(0), skin=skin)
        centre = lesion.foci[0].centre_mm
        assert centre[1] < skin.on(centre[0], centre[2])[1]
        assert lesion.foci[0].realm == "outside"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("metastasis", {"diameter_mm": 1.0}),
        ("metastasis", {"count": 0}),
        ("metastasis", {"bone": "femur_l", "place_mm": (0.0, 0.0, 1000.0)}),
        ("lytic_metastasis", {"contrast": -1.0}),
        ("metastatic_superscan", {"patchiness": 2.0}),
        ("flare", {"weeks_on_treatment": -1.0}),
        ("fracture", {"age_days": -5.0}),
        ("fracture", {"fraction": 2.0}),
        ("stress_fracture", {"site": "skull"}),
        ("rib_fractures", {"first": 13}),
        ("vertebral_fracture", {"bones": ("femur_l",)}),
        ("sacral_insufficiency", {"pattern": "x"}),
        ("avascular_necrosis", {"stage": "warm"}),
        ("prosthesis", {"joint": "elbow"}),
        ("amputation", {"level": "head"}),
        ("osteomyelitis", {"diameter_mm": 1.0}),
        ("cellulitis", {"limb": "nose"}),
        ("arthritis", {"joints": ("jaw",)}),
        ("arthritis", {"side": "up"}),
        ("degenerative_spine", {"levels": ("sacrum",)}),
        ("paget", {"part": (0.6, 0.2)}),
        ("fibrous_dysplasia", {"contrast": 500.0}),
        ("regional_pain", {"stage": "never"}),
        ("hypertrophic_osteoarthropathy", {"bones": ("skull",)}),
        ("metabolic_superscan", {"contrast": 20.0}),
        ("injection_site", {"site": "foot"}),
        ("extravasation", {"fraction": 1.5}),
        ("arterial_injection", {"contrast": 100.0}),
        ("catheter_bag", {"hung_mm": 5000.0}),
        ("contrast", {"agent": "lead"}),
        ("dental_work", {"jaw": "middle"}),
        ("recent_other_tracer", {"agent": "iodine"}),
        ("urine_on_skin", {"fraction": -0.1}),
        ("pacemaker", {"side": "middle"}),
    ],
)
def test_what_cannot_be_is_refused_by_every_builder(kind, told):
    with pytest.raises(InvalidValue):
        made(kind, **told)
