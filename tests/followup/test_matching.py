from dataclasses import replace

import pytest
from tests.followup.person import Spot, pose, read_person

from bonescan.followup import ChangeKind, Trend, compare
from bonescan.reading.model import Kind

AT = pose(arm_l__spread_rad=0.10, arm_r__spread_rad=0.10)
FEMUR = Spot(bone="femur_r", centre_mm=(-90, 10, 700), ratio=4)
RIB = Spot(bone="rib_07_l", centre_mm=(100, 30, 1250), ratio=4)
SPINE = Spot(bone="vertebra_l03", centre_mm=(0, 20, 1050), ratio=4)
WIDE = Spot(bone="femur_l", centre_mm=(90, 10, 700), ratio=4, radius_mm=30)
HALVES = tuple(Spot(bone="femur_l", centre_mm=(90, 10, 700 + dz), ratio=4, radius_mm=11) for dz in (-18, 18))


def compared(before, now):
    return compare(read_person(AT, before, seed=1), read_person(AT, now, seed=2, level=1.2))


def kinds(comparison):
    return {(lesion.bone, lesion.kind) for lesion in comparison.lesions}


def test_new_vanished_and_persisting_lesions_are_told_apart():
    done = compared([RIB, SPINE], [FEMUR, SPINE])
    assert kinds(done) == {
        ("femur_r", ChangeKind.NEW),
        ("rib_07_l", ChangeKind.VANISHED),
        ("vertebra_l03", ChangeKind.PERSISTING),
    }
    assert [lesion.id for lesion in done.lesions] == [1, 2, 3]
    new, persisting, vanished = done.lesions
    assert (new.prior, new.current) == ((), (1,))
    assert (vanished.prior, vanished.current) == ((1,), ())
    assert persisting.trend is Trend.UNCHANGED
    assert persisting.brightness.value == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("forgetful", ["prior", "current"])
def test_what_one_reading_only_missed_is_no_change(forgetful):
    # witness: the same lesion in both pictures, marked in one reading alone
    missed = replace(FEMUR, found=False)
    before, now = ([missed], [FEMUR]) if forgetful == "prior" else ([FEMUR], [missed])
    (lesion,) = compared(before, now).lesions
    assert lesion.kind is ChangeKind.PERSISTING
    assert lesion.trend is Trend.UNCHANGED
    assert "not a change" in lesion.reason


def test_brighter_and_fainter_are_told_in_numbers():
    done = compared([FEMUR, RIB], [replace(FEMUR, ratio=8), replace(RIB, ratio=2)])
    trends = {lesion.bone: lesion for lesion in done.lesions}
    assert trends["femur_r"].trend is Trend.ROSE
    assert trends["rib_07_l"].trend is Trend.FELL
    assert {lesion.kind for lesion in done.lesions} == {ChangeKind.PERSISTING}
    assert trends["femur_r"].uptake_ratio.ratio.value == pytest.approx(2.0)
    assert trends["rib_07_l"].brightness.value < 0.8


def test_parts_that_grew_together_are_merged_and_the_reverse_is_split():
    assert [one.kind for one in compared(HALVES, [WIDE]).lesions] == [ChangeKind.MERGED]
    (split,) = compared([WIDE], HALVES).lesions
    assert split.kind is ChangeKind.SPLIT
    assert len(split.current) == 2


def test_bright_uptake_in_a_place_of_faint_uptake_is_new():
    (lesion,) = compared([replace(FEMUR, ratio=1.3)], [replace(FEMUR, ratio=8)]).lesions
    assert lesion.kind is ChangeKind.NEW
    assert lesion.prior == (1,)


def test_what_the_other_scan_does_not_show_is_not_comparable():
    # witness: the prior camera stopped above the knees, its lower rows hold no count
    prior, current = read_person(AT, [SPINE], seed=1), read_person(AT, [SPINE, FEMUR], seed=2)
    views = []
    for view in prior.scan.views:
        counts = view.counts.copy()
        counts[200:] = 0
        views.append(replace(view, counts=counts))
    short = replace(prior, scan=replace(prior.scan, views=tuple(views)))
    assert ("femur_r", ChangeKind.NOT_COMPARABLE) in kinds(compare(short, current))


def test_urine_is_no_lesion_that_came_or_went():
    prior = read_person(AT, [SPINE], seed=1)
    current = read_person(AT, [SPINE, FEMUR], seed=2)
    urine = replace(current.findings[1], kind=Kind.PHYSIOLOGIC)
    done = compare(prior, replace(current, findings=(current.findings[0], urine)))
    assert kinds(done) == {("vertebra_l03", ChangeKind.PERSISTING)}


def test_what_shows_from_the_front_alone_is_no_vertebra_that_came():
    # witness: a focus named a lumbar vertebra, bright in front, nothing behind, as a wrist on the belly
    prior = read_person(AT, [FEMUR], seed=1)
    current = read_person(AT, [FEMUR, SPINE], seed=2)
    plain = read_person(AT, [FEMUR], seed=3)
    views = (current.scan.views[0], plain.scan.views[1])
    spine = current.findings[1]
    front = replace(spine, views={name: view for name, view in spine.views.items() if name == "anterior"})
    seen = replace(current, scan=replace(current.scan, views=views), findings=(current.findings[0], front))
    kind = {lesion.bone: lesion.kind for lesion in compare(prior, seen).lesions}
    assert kind == {"femur_r": ChangeKind.PERSISTING, "vertebra_l03": ChangeKind.NOT_COMPARABLE}
    assert ("vertebra_l03", ChangeKind.NEW) in kinds(compare(prior, current))
