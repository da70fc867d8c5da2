from __future__ import annotations

import dataclasses
import json
from importlib import resources

import numpy as np
import pytest

from bonescan.anatomy import MassTable, bone, mass_table
from bonescan.errors import GeometryMismatch
from bonescan.measurement import Measurement
from bonescan.reading.measures.burden import (
    expected_mass,
    filled_mass,
    index_of,
    involved_mass_percent,
    measure,
    outlined_mass,
)
from bonescan.reading.model import (
    BoneMap,
    Finding,
    FindingView,
    Kind,
    LabelledView,
    Labels,
    Polarity,
    Quality,
    QualityCheck,
    Verdict,
)
from bonescan.reading.network import FOCI, DenseView, Glance
from bonescan.scan import PatientFacts, Scan, View, ViewName

A, P = ViewName.ANTERIOR, ViewName.POSTERIOR
ROWS, COLUMNS, PIXEL_MM = 60, 40, 4.0
SPIERS = mass_table("spiers-1968")


def bone_map(bone_id, row, column, shape, *, length_mm=20.0, depth_mm=50.0):
    return BoneMap(
        bone=bone_id,
        row=row,
        column=column,
        thickness_mm=np.full(shape, length_mm, np.float32),
        depth_mm=depth_mm,
    )


def labelled(name, *maps):
    """A view whose frame lies so that column c of the front is column 39 - c of the back."""
    row, column = np.indices((ROWS, COLUMNS), np.float32)
    sign = 1 if name is A else -1
    regions = np.zeros((ROWS, COLUMNS), np.uint8)
    return LabelledView(
        name=name,
        regions=regions,
        bones=maps,
        body=np.ones(regions.shape, np.bool_),
        x_mm=(sign * (column - (COLUMNS - 1) / 2) * PIXEL_MM).astype(np.float32),
        z_mm=((ROWS - row) * PIXEL_MM).astype(np.float32),
        correlation=0.9,
    )


def labels(*views, trusted=True, regions=range(1, 18)):
    return Labels(views=views, trusted=trusted, regions_in_view=frozenset(regions))


def box(row, column, height, width):
    mask = np.zeros((ROWS, COLUMNS), np.bool_)
    mask[row : row + height, column : column + width] = True
    return mask


# The left femur alone, 20 x 8 pixels: columns 24-31 seen from the front are 8-15 from the back.
FRONT = labelled(A, bone_map("femur_l", 20, 24, (20, 8)))
BACK = labelled(P, bone_map("femur_l", 20, 8, (20, 8)))
FEMUR_PERCENT = 8.9  # Spiers 1968, each


def test_a_whole_bone_hot_is_its_share_of_the_skeleton():
    hot = involved_mass_percent({A: box(15, 20, 30, 16)}, labels(FRONT), SPIERS)
    assert hot == pytest.approx({"femur_l": FEMUR_PERCENT})


def test_half_a_bone_hot_is_half_its_share():
    hot = involved_mass_percent({A: box(15, 20, 15, 16)}, labels(FRONT), SPIERS)
    assert hot == pytest.approx({"femur_l": FEMUR_PERCENT / 2})


def test_thickness_weighs_and_not_area():
    thick = np.full((20, 8), 10.0, np.float32)
    thick[:5] = 30.0  # a quarter of the pixels holds 150 of 300 parts of the volume
    view = labelled(A, dataclasses.replace(FRONT.bones[0], thickness_mm=thick))
    hot = involved_mass_percent({A: box(20, 20, 5, 16)}, labels(view), SPIERS)
    assert hot == pytest.approx({"femur_l": FEMUR_PERCENT / 2})


def test_the_same_place_hot_in_both_views_counts_once():
    both = {A: box(20, 24, 10, 8), P: box(20, 8, 10, 8)}
    assert involved_mass_percent(both, labels(FRONT, BACK), SPIERS) == pytest.approx({"femur_l": FEMUR_PERCENT / 2})


def test_different_places_hot_in_the_two_views_add_up():
    both = {A: box(20, 24, 10, 8), P: box(30, 8, 5, 8)}
    hot = involved_mass_percent(both, labels(FRONT, BACK), SPIERS)
    assert hot == pytest.approx({"femur_l": FEMUR_PERCENT * 15 / 20})


def test_left_and_right_are_not_confused_between_the_views():
    # medial half from the front (columns 24-27), lateral half from the back (columns 8-11): together the whole bone
    both = {A: box(20, 24, 20, 4), P: box(20, 8, 20, 4)}
    hot = involved_mass_percent(both, labels(FRONT, BACK), SPIERS)
    assert hot == pytest.approx({"femur_l": FEMUR_PERCENT})


def test_one_hot_pixel_over_two_bones_stands_for_one_bones_length():
    # sternum 20 mm and vertebra 170 mm behind the front's skin, same length: they share as exp(-0.012 x) does
    near = bone_map("sternum_body", 20, 10, (10, 10), depth_mm=20.0)
    far = bone_map("vertebra_t08", 20, 10, (10, 10), depth_mm=170.0)
    hot = involved_mass_percent({A: box(20, 10, 10, 10)}, labels(labelled(A, near, far)), SPIERS)
    part = 1 / (1 + np.exp(-0.012 * 150))
    share = SPIERS.share_percent
    assert hot == pytest.approx(
        {"sternum_body": share["sternum_body"] * part, "vertebra_t08": share["vertebra_t08"] * (1 - part)}
    )


def test_a_bone_is_judged_by_the_view_that_shows_it_best():
    front = labelled(
        A,
        bone_map("sternum_body", 20, 10, (10, 10), depth_mm=20.0),
        bone_map("vertebra_t08", 20, 10, (10, 10), depth_mm=170.0),
    )
    back = labelled(
        P,
        bone_map("sternum_body", 20, 20, (10, 10), depth_mm=180.0),
        bone_map("vertebra_t08", 20, 20, (10, 10), depth_mm=30.0),
    )
    both = {A: box(20, 10, 10, 10), P: box(20, 20, 10, 10)}
    hot = involved_mass_percent(both, labels(front, back), SPIERS)
    part = 1 / (1 + np.exp(-0.012 * 150))
    assert hot["sternum_body"] == pytest.approx(SPIERS.share_percent["sternum_body"] * part)
    assert hot["vertebra_t08"] == pytest.approx(SPIERS.share_percent["vertebra_t08"] * part)


def test_the_hidden_part_of_a_cut_bone_is_not_involved():
    # an uncut femur shows the person's size; of the other the picture's edge leaves the upper half
    volume_cm3 = bone("femur_l").volume_cm3
    length_mm = volume_cm3 * 1000 / (20 * 8 * PIXEL_MM**2)
    whole = bone_map("femur_r", 5, 4, (20, 8), length_mm=length_mm)
    cut = bone_map("femur_l", ROWS - 10, 24, (10, 8), length_mm=length_mm)
    hot = involved_mass_percent({A: box(ROWS - 10, 24, 10, 8)}, labels(labelled(A, whole, cut)), SPIERS)
    assert hot == pytest.approx({"femur_l": FEMUR_PERCENT / 2})


def test_a_bone_without_a_share_is_absent():
    view = labelled(A, bone_map("patella_l", 20, 24, (4, 4)))
    assert involved_mass_percent({A: box(20, 24, 4, 4)}, labels(view), SPIERS) == {}


def test_a_mask_of_another_scan_is_refused():
    with pytest.raises(GeometryMismatch, match="labels of one scan"):
        involved_mass_percent({A: np.zeros((3, 3), np.bool_)}, labels(FRONT), SPIERS)
    with pytest.raises(GeometryMismatch, match="posterior"):
        involved_mass_percent({P: box(0, 0, 1, 1)}, labels(FRONT), SPIERS)


def test_labels_of_another_scan_are_refused():
    with pytest.raises(GeometryMismatch, match="posterior"):
        measure(scan(), labels(FRONT), [], quality())


# ---- the whole sum ------------------------------------------------------------------------------------------------


def absent(unit):
    return Measurement(value=None, unit=unit, method="none", absent_reason="not part of this test")


def finding(number, masks, *, bone_id="femur_l", significance=10.0, in_burden=True):
    return Finding(
        id=number,
        letter="A",
        kind=Kind.BONE,
        polarity=Polarity.HOT,
        bone=bone_id,
        side="left",
        place="left femur",
        region=12,
        views={
            name: FindingView(
                outline=((0, 0), (0, 1), (1, 1)),
                mask=mask,
                peak_row=0,
                peak_column=0,
                peak_counts=1.0,
                area_mm2=float(mask.sum()) * PIXEL_MM**2,
                uptake_ratio=3.0,
                significance=significance,
            )
            for name, mask in masks.items()
        },
        uptake_ratio=3.0,
        uptake_reference="normal bone",
        significance=significance,
        depth_mm=absent("mm"),
        mass_share_percent=0.0,
        in_burden=in_burden,
        likelihood=absent("1"),
        reason="made for a test",
    )


def scan(*, spacing_known=True):
    return Scan(
        views=tuple(
            View(
                name=name,
                counts=np.ones((ROWS, COLUMNS)),
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                spacing_known=spacing_known,
                identity_basis="test",
            )
            for name in (A, P)
        )
    )


def quality(verdict=Verdict.PASS, code="quality.counts.anterior"):
    value = Measurement(value=1.0, unit="1", method="test")
    return Quality(checks=(QualityCheck(code=code, question="?", verdict=verdict, measured=value, text="Too few."),))


BOTH = labels(FRONT, BACK, regions=range(1, 17))
UPPER = {A: box(20, 24, 10, 8), P: box(20, 8, 10, 8)}


def test_the_burden_sums_findings_and_names_its_table():
    burden = measure(scan(), BOTH, [finding(1, UPPER)], quality())
    assert burden.bone_scan_index_percent.value == pytest.approx(FEMUR_PERCENT / 2)
    assert burden.mass_table == "spiers-1968 version 1"
    assert burden.hot_spot_count == 1
    assert burden.positive_area_percent.value == pytest.approx(50.0)
    assert burden.lesion_area_mm2.value == pytest.approx(2 * 80 * 16)
    assert burden.by_region == {12: (pytest.approx(FEMUR_PERCENT / 2), 1)}
    assert burden.not_in_view == ("foot (11.6 % of skeletal mass)",)  # Spiers 1968, both feet


def test_overlapping_findings_are_not_added_twice():
    burden = measure(scan(), BOTH, [finding(1, UPPER), finding(2, {A: UPPER[A]})], quality())
    assert burden.bone_scan_index_percent.value == pytest.approx(FEMUR_PERCENT / 2)
    assert burden.hot_spot_count == 2


def test_excluded_findings_do_not_count_and_an_empty_burden_is_zero():
    burden = measure(scan(), BOTH, [finding(1, UPPER, in_burden=False)], quality())
    assert (burden.bone_scan_index_percent.value, burden.hot_spot_count, dict(burden.by_region)) == (0.0, 0, {})
    # what was missed is not in the uncertainty: zero plus or minus zero would claim to know
    assert burden.bone_scan_index_percent.uncertainty is None


@pytest.mark.parametrize(
    ("trusted", "verdict", "reason"),
    [(False, Verdict.PASS, "could not be fitted"), (True, Verdict.WITHHOLD, "Too few")],
)
def test_the_index_is_withheld_with_its_reason_never_zero(trusted, verdict, reason):
    burden = measure(scan(), dataclasses.replace(BOTH, trusted=trusted), [finding(1, UPPER)], quality(verdict))
    for figure in (burden.bone_scan_index_percent, burden.positive_area_percent):
        assert figure.value is None
        assert reason in figure.absent_reason
    assert burden.by_region == {}
    assert burden.hot_spot_count == 1
    assert burden.lesion_area_mm2.value == pytest.approx(2 * 80 * 16)


def test_square_millimetres_need_a_pixel_size_that_can_be_true():
    assert measure(scan(spacing_known=False), BOTH, [finding(1, UPPER)], quality()).lesion_area_mm2.value is None
    unnatural = quality(Verdict.WARN, "quality.pixel_size")
    burden = measure(scan(), BOTH, [finding(1, UPPER)], unnatural)
    assert burden.lesion_area_mm2.value is None
    assert burden.bone_scan_index_percent.value == pytest.approx(FEMUR_PERCENT / 2)


def test_uncertainty_of_the_outline_is_the_stated_one():
    # Across the whole femur, rows 22 to 31 of 20 to 39: one pixel out adds 2 of 20 rows, one in takes 2 away,
    # so ds/dr = 2/20 of the share; delta = hypot(1/4, 6 mm / 4 mm / 10) pixels.
    masks = {A: box(22, 20, 10, 16), P: box(22, 4, 10, 16)}
    burden = measure(scan(), BOTH, [finding(1, masks, significance=10.0)], quality())
    expected = FEMUR_PERCENT * 2 / 20 * np.hypot(0.25, 6 / 4 / 10)
    assert burden.bone_scan_index_percent.uncertainty == pytest.approx(expected)


def test_uncertainty_grows_where_the_views_disagree_and_where_spots_are_faint():
    def uncertainty(masks, significance=10.0):
        burden = measure(scan(), BOTH, [finding(1, masks, significance=significance)], quality())
        return burden.bone_scan_index_percent.uncertainty

    agreed = {A: box(22, 20, 10, 16), P: box(22, 4, 10, 16)}
    disagreed = {A: box(22, 20, 10, 16), P: box(22, 4, 6, 16)}
    # (s_A - s_P) / 2 = 4 of 20 rows / 2
    assert uncertainty(disagreed) ** 2 - uncertainty(agreed) ** 2 == pytest.approx((FEMUR_PERCENT * 0.1) ** 2, rel=1e-6)
    assert uncertainty(agreed, significance=4.0) > uncertainty(agreed, significance=10.0)


def test_the_index_is_linear_in_what_is_involved():
    """Lesions of 0.1 to 13 percent on a skeleton of strips are given back with r >= 0.995 (Anand 2016)."""
    rng = np.random.default_rng(20161)
    ids = [one for one in SPIERS.share_percent if bone(one).region in (9, 10, 11, 12, 16)]
    strips = [(one, 2 + 28 * (k % 2), 1 + 2 * (k // 2)) for k, one in enumerate(ids)]
    lengths = {one: rng.uniform(5, 30, (26, 2)).astype(np.float32) for one in ids}
    front = labelled(
        A, *[dataclasses.replace(bone_map(b, r, c, (26, 2)), thickness_mm=lengths[b]) for b, r, c in strips]
    )
    true, measured = [], []
    for target in rng.uniform(0.1, 13.0, 50):
        mask, sum_percent = np.zeros((ROWS, COLUMNS), np.bool_), 0.0
        for b, r, c in [strips[k] for k in rng.permutation(len(strips))]:
            rows = int(min(26, np.ceil(26 * (target - sum_percent) / SPIERS.share_percent[b])))
            if rows <= 0:
                break
            mask[r : r + rows, c : c + 2] = True
            sum_percent += SPIERS.share_percent[b] * rows / 26
        true.append(sum_percent)
        measured.append(sum(involved_mass_percent({A: mask}, labels(front), SPIERS).values()))
    assert np.corrcoef(true, measured)[0, 1] > 0.995
    assert np.polyfit(true, measured, 1)[0] == pytest.approx(1.0, abs=0.05)


def test_another_table_gives_another_index():
    even = MassTable(name="even", version="1", source="test", share_percent={"femur_l": 1.0})
    burden = measure(scan(), BOTH, [finding(1, UPPER)], quality(), even)
    assert burden.bone_scan_index_percent.value == pytest.approx(0.5)
    assert burden.mass_table == "even version 1"


# --- with a network's maps -----------------------------------------------------------------------------------


def glance(share_front, share_back):
    """A network's word: the metastatic share of mineral in each pixel, and bone wherever the figure has any."""
    views = []
    for name, share in ((A, share_front), (P, share_back)):
        foci = {one: np.zeros((ROWS, COLUMNS), np.float32) for one in FOCI} | {"metastatic": share.astype(np.float32)}
        nothing = np.zeros((ROWS, COLUMNS), np.float32)
        regions = np.zeros((18, ROWS, COLUMNS), np.float32)
        views.append(DenseView(name=name, regions=regions, foci=foci, vertebra=nothing, rib=nothing))
    return Glance(views=tuple(views), exchanged=0.0, embedding=np.zeros(1, np.float32))


def test_the_networks_share_of_mineral_is_summed_as_mass():
    table = mass_table("icrp110-male")
    mass = filled_mass(BOTH, glance(0.5 * UPPER[A], 0.5 * UPPER[P]), [finding(1, UPPER)], table)
    # half of the mineral of the femur's upper half, in either view, and all of it near the one finding
    expected = table.share_percent["femur_l"] / 4
    assert mass.bones == ("femur_l",)
    assert mass.percent[:, 0, :].tolist() == [[pytest.approx(0.0), pytest.approx(expected)]] * 2


CURVE = json.loads(resources.files("bonescan.reading").joinpath("data/natures.json").read_text())["burden"]


def mass_by_hand(outlined, filled):
    """Witness: the module's equation, with 0.01 % added before logarithms."""
    return np.exp(CURVE["intercept"]) * (outlined + 0.01) ** CURVE["outlined"] * (filled + 0.01) ** CURVE["filled"]


def test_the_outlined_mass_is_that_of_the_findings_own_bone():
    table = mass_table("icrp110-male")
    quarter = finding(1, {A: UPPER[A], P: box(0, 0, 5, 5)})  # half the bone in front, none of it at the back
    nowhere = finding(2, UPPER, bone_id="")
    told = outlined_mass(BOTH, [quarter, nowhere], table)
    assert told.tolist() == [pytest.approx(table.share_percent["femur_l"] / 4), 0.0]


def test_the_mass_of_a_finding_grows_with_what_is_outlined_and_filled_and_is_no_less_than_nothing():
    told = expected_mass(np.array([0.0, 0.2, 0.4, 0.4]), np.array([0.0, 0.1, 0.1, 0.2]), CURVE)
    assert told == pytest.approx(mass_by_hand(np.array([0.0, 0.2, 0.4, 0.4]), np.array([0.0, 0.1, 0.1, 0.2])))
    assert 0 < told[0] < told[1] < told[2] < told[3]


def test_few_lesions_are_summed_and_widespread_disease_is_filled():
    curve = {"factor": 1.5, "wide": 1.25}
    # witness: by hand; between 4 and 12 % filled one passes into the other
    assert index_of(2.0, 1.0, curve) == (3.0, 0.0)
    assert index_of(2.0, 8.0, curve) == (pytest.approx(0.5 * 3.0 + 0.5 * 10.0), 0.5)
    assert index_of(2.0, 40.0, curve) == (50.0, 1.0)
    assert index_of(2.0, 90.0, curve) == (100.0, 1.0)


def test_what_lies_at_a_finding_that_does_not_count_is_left_out():
    lower = {A: box(32, 24, 8, 8), P: box(32, 8, 8, 8)}
    share = glance(*(0.1 * UPPER[name] + 0.1 * lower[name] for name in (A, P)))
    both = [finding(1, UPPER), finding(2, lower)]
    one = [finding(1, UPPER), finding(2, lower, in_burden=False)]
    none = [finding(1, UPPER, in_burden=False), finding(2, lower, in_burden=False)]
    table = mass_table("icrp110-male")
    burdens = [measure(scan(), BOTH, found, quality(), table, share) for found in (both, one, none)]
    index = [burden.bone_scan_index_percent for burden in burdens]
    femur = table.share_percent["femur_l"]
    masses = mass_by_hand(femur * np.array([10, 8]) / 20, 0.1 * femur * np.array([10, 8]) / 20)
    assert index[0].value == pytest.approx(CURVE["factor"] * masses.sum())
    assert index[1].value == pytest.approx(CURVE["factor"] * masses[0])
    assert index[2].value == 0.0
    assert index[0].uncertainty > index[1].uncertainty > 0
    assert burdens[1].by_region == {12: (pytest.approx(index[1].value), 1)}


def test_with_a_network_mass_is_that_of_mineral_for_the_recorded_sex():
    share = glance(0.5 * UPPER[A], 0.5 * UPPER[P])
    woman = dataclasses.replace(scan(), patient=PatientFacts(sex="F"))
    tables = [measure(one, BOTH, [finding(1, UPPER)], quality(), glance=share).mass_table for one in (scan(), woman)]
    assert tables == ["icrp110-male version 1", "icrp110-female version 1"]
