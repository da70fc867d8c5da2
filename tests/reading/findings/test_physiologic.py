import dataclasses
import math

import numpy as np
import pytest
from tests.reading import figure

from bonescan.reading.findings.detection import Spot
from bonescan.reading.findings.physiologic import Call, Sighting, as_bone, classify, find_bladder, find_twins, locate
from bonescan.reading.model import Kind, Polarity
from bonescan.scan import ViewName

LANDMARKS = locate(figure.LABELS)


def sighting(
    x_mm: float,
    z_mm: float,
    *,
    region: int = 0,
    off_bone: float = 1.0,
    ratio: float = 4.0,
    level: float = 1.0,
    mirror: float = math.nan,
    net: float = 1000.0,
    area_mm2: float = 300.0,
    length_mm: float = 20.0,
    width_mm: float = 18.0,
    saturated: bool = False,
    view: ViewName = ViewName.ANTERIOR,
) -> Sighting:
    spot = Spot(
        polarity=Polarity.HOT,
        mask=np.ones((4, 4), dtype=np.bool_),
        peak_row=1,
        peak_column=1,
        peak_counts=50.0,
        net_counts=net,
        net_variance=net,
        uptake_ratio=ratio,
        peak_ratio=ratio,
        level_ratio=level,
        significance=9.0,
        x_mm=x_mm,
        z_mm=z_mm,
        mirror_ratio=mirror,
        saturated=saturated,
    )
    return Sighting(
        spots={view: spot},
        region=region,
        off_bone=off_bone,
        x_mm=x_mm,
        z_mm=z_mm,
        area_mm2=area_mm2,
        length_mm=length_mm,
        width_mm=width_mm,
    )


def call(one: Sighting, *, side: str = "left", is_bladder: bool = False) -> Call:
    said = classify(one, LANDMARKS, side=side, is_bladder=is_bladder)
    assert said is not None
    return said


def test_landmarks_are_where_the_figure_has_them() -> None:
    # witness: the figure's own rulers
    assert LANDMARKS.pelvis_bottom == pytest.approx(-110, abs=10)
    assert LANDMARKS.pelvis_top == pytest.approx(90, abs=10)
    assert LANDMARKS.lumbar_bottom == pytest.approx(80, abs=6)
    assert LANDMARKS.trunk_half_width == pytest.approx(140, abs=12)


def test_landmarks_of_what_is_not_in_view_are_missing() -> None:
    # witness: the figure has no hands or feet, and region 16 (the legs) from -500 mm down
    cropped = tuple(
        dataclasses.replace(view, regions=np.where(view.regions == 16, 0, view.regions).astype(np.uint8))
        for view in figure.LABELS.views
    )
    assert math.isnan(locate(dataclasses.replace(figure.LABELS, views=cropped)).leg_top)
    assert LANDMARKS.leg_top == pytest.approx(-500, abs=10)


def test_only_one_focus_of_the_pelvis_is_the_bladder() -> None:
    hottest = sighting(5.0, -50.0, level=5.0)
    beside = sighting(45.0, -60.0, region=11, off_bone=0.0, level=6.0)
    chosen = find_bladder([beside, hottest], LANDMARKS)
    assert chosen == 1
    assert call(hottest, is_bladder=True).place == "urinary bladder"
    assert call(beside).kind is Kind.BONE
    assert call(beside).in_burden


def test_a_lateral_focus_is_never_the_bladder() -> None:
    assert find_bladder([sighting(80.0, -50.0, level=9.0)], LANDMARKS) is None


@pytest.mark.parametrize(
    ("view", "off_bone", "is_bladder"),
    [(ViewName.ANTERIOR, 0.4, True), (ViewName.POSTERIOR, 0.4, False), (ViewName.ANTERIOR, 0.1, False)],
)
def test_a_full_bladder_reaches_up_before_the_sacrum_and_shows_from_the_front(view, off_bone, is_bladder) -> None:
    focus = sighting(0.0, -40.0, region=10, off_bone=off_bone, level=3.0, view=view)
    assert (find_bladder([focus], LANDMARKS) == 0) is is_bladder


def test_a_saturated_focus_is_the_bladder_before_a_larger_one() -> None:
    assert (
        find_bladder([sighting(20.0, -50.0, level=2.0, saturated=True), sighting(0.0, -40.0, level=3.0)], LANDMARKS)
        == 0
    )


@pytest.mark.parametrize(
    ("one", "kind", "words"),
    [
        (sighting(60.0, 180.0), Kind.PHYSIOLOGIC, "left kidney"),
        (sighting(0.0, -160.0), Kind.PHYSIOLOGIC, "urethra or perineum"),
        (sighting(55.0, 30.0), Kind.PHYSIOLOGIC, "left ureter"),
        (sighting(230.0, 200.0, region=13, off_bone=0.2, mirror=0.0), Kind.ARTEFACT, "injection site"),
        (sighting(100.0, -200.0, length_mm=150.0, width_mm=12.0), Kind.ARTEFACT, "catheter or tube"),
        (sighting(90.0, -300.0), Kind.ARTEFACT, "skin or clothing"),
    ],
)
def test_organs_and_artefacts_are_named(one: Sighting, kind: Kind, words: str) -> None:
    said = call(one)
    assert said.kind is kind
    assert words in said.place
    assert not said.in_burden
    assert said.reason


def test_faint_soft_tissue_is_not_reported() -> None:
    assert classify(sighting(60.0, 180.0, level=0.1), LANDMARKS, side="left", is_bladder=False) is None


def test_a_symmetric_arm_is_no_injection() -> None:
    both = sighting(230.0, 200.0, region=13, off_bone=0.0, mirror=0.9)
    assert call(both).kind is Kind.BONE


@pytest.mark.parametrize(
    ("one", "counts"),
    [
        (sighting(180.0, 500.0, region=8, off_bone=0.0, ratio=1.8, mirror=0.8), False),  # both shoulders, mild
        (sighting(180.0, 500.0, region=8, off_bone=0.0, ratio=1.8, mirror=0.1), True),  # one shoulder
        (sighting(180.0, 500.0, region=8, off_bone=0.0, ratio=5.0, mirror=0.8), True),  # both, intense
        (sighting(90.0, -460.0, region=15, off_bone=0.0, ratio=2.0, mirror=0.1), False),  # one knee, mild
        (sighting(90.0, -460.0, region=15, off_bone=0.0, ratio=5.0, mirror=0.1), True),  # one knee, intense
        (sighting(90.0, -790.0, region=16, off_bone=0.0, ratio=5.0), False),  # ankle
        (sighting(20.0, 520.0, region=5, off_bone=0.0, ratio=1.6), False),  # sternoclavicular
        (sighting(0.0, 420.0, region=5, off_bone=0.0, ratio=1.6), True),  # body of the sternum
        (sighting(10.0, 680.0, region=1, off_bone=0.0, ratio=1.6), False),  # nose and teeth
        (sighting(40.0, 800.0, region=1, off_bone=0.0, ratio=1.6), True),  # skull vault
    ],
)
def test_what_counts_in_the_burden(one: Sighting, counts: bool) -> None:
    said = call(one)
    assert said.kind is Kind.BONE
    assert said.in_burden is counts
    assert said.reason


@pytest.mark.parametrize(
    ("other", "are_twins"),
    [
        (sighting(-160.0, 478.0, region=7, ratio=1.6), True),  # the other shoulder, 30 mm off, in the scapula
        (sighting(-160.0, 440.0, region=8, ratio=1.7), False),  # 63 mm off: another place of the arm
        (sighting(-180.0, 500.0, region=8, ratio=1.3), False),  # 0.3 above normal where the first has 0.7
        (sighting(170.0, 490.0, region=8, ratio=1.7), False),  # the same side
        (sighting(-180.0, 500.0, region=4, ratio=1.7), False),  # a rib
    ],
)
def test_twins_are_alike_and_in_the_same_joint_of_the_other_side(other: Sighting, are_twins: bool) -> None:
    one = sighting(180.0, 500.0, region=8, ratio=1.7)
    assert find_twins([sighting(0.0, 300.0, region=5), one, other]) == (frozenset({1, 2}) if are_twins else frozenset())


def test_ribs_are_no_twins() -> None:
    # witness: ribs lie about 25 mm apart, so among many foci one always lies opposite
    assert find_twins([sighting(x, 400.0, region=4, ratio=1.5) for x in (-100.0, 100.0)]) == frozenset()


@pytest.mark.parametrize(("ratio", "counts"), [(1.8, False), (5.0, True)])
def test_a_twin_counts_only_when_it_is_intense(ratio: float, counts: bool) -> None:
    one = sighting(180.0, 500.0, region=8, off_bone=0.0, ratio=ratio, mirror=0.1)
    said = classify(one, LANDMARKS, side="left", is_bladder=False, has_twin=True)
    assert said is not None
    assert said.in_burden is counts
    assert "both sides" in said.reason


def test_the_side_of_a_rib_is_no_kidney() -> None:
    # witness: kidneys of the default body end 91 to 104 mm from the midline
    assert call(sighting(70.0, 180.0, off_bone=0.8)).place == "left kidney"
    beside = classify(sighting(112.0, 180.0, off_bone=0.8, ratio=2.0), LANDMARKS, side="left", is_bladder=False)
    assert beside is None or "kidney" not in beside.place


def test_an_injection_is_one_sided_where_it_is_seen_best() -> None:
    front, back = (
        sighting(240.0, 150.0, region=13, off_bone=0.2, ratio=2.0, level=level, mirror=mirror, view=view)
        for level, mirror, view in ((2.4, 0.0, ViewName.ANTERIOR), (0.5, 0.6, ViewName.POSTERIOR))
    )
    both = dataclasses.replace(front, spots={**front.spots, **back.spots})
    assert "injection" in call(both).place
    # what a network sees as bone, and the joints of a hand, stay bone
    seen = classify(both, LANDMARKS, side="left", is_bladder=False, seen_in_bone=True)
    assert seen is not None
    assert seen.kind is Kind.BONE
    hand = call(dataclasses.replace(both, region=14))
    assert hand.kind is Kind.BONE


def test_what_takes_up_no_more_than_normal_bone_is_said_to_and_does_not_count() -> None:
    call = as_bone(sighting(0.0, 160.0, region=9, off_bone=0.0, ratio=0.8), LANDMARKS)
    assert call == Call(
        kind=Kind.BONE, place="", in_burden=False, reason="No more uptake than this person's normal bone."
    )
