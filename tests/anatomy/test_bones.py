from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from bonescan.anatomy import BONES, MASS_TABLES, REGION_NAMES, bone, mass_table
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue


def test_there_are_205_bones_each_id_and_name_once():
    # adult 206 - 6 ear ossicles - coccyx + 4 sesamoids + 2 (sternum in three)
    assert len(BONES) == 206 - 6 - 1 + 4 + 2
    assert len({one.id for one in BONES}) == len({one.name for one in BONES}) == len(BONES)


def test_every_bone_has_a_shape_and_every_shape_a_bone():
    assert {one.id for one in BONES} == set(default_skeleton().bones)


def test_paired_bones_are_alike_but_for_their_side():
    for one in BONES:
        if one.id.endswith("_l"):
            other = bone(one.id[:-2] + "_r")
            assert (one.side, other.side) == ("left", "right")
            assert one.name.replace("left", "right") == other.name
            assert (one.region, one.group, one.snomed, one.volume_cm3) == (
                other.region,
                other.group,
                other.snomed,
                other.volume_cm3,
            )
        elif not one.id.endswith("_r"):
            assert one.side == "midline"
            assert one.snomed_laterality == ""


def test_regions_are_those_of_the_design():
    counted = Counter(one.region for one in BONES)
    # skull 21 + mandible; 7, 12 and 5 vertebrae; 24 ribs; 27 bones a hand; patella alone in the knee;
    # 28 bones a foot with its two sesamoids: Gray's Anatomy
    assert counted == {
        0: 1, 1: 22, 2: 7, 3: 12, 4: 24, 5: 3, 6: 2, 7: 2, 8: 2, 9: 5, 10: 1, 11: 2, 12: 2, 13: 4, 14: 54, 15: 2,
        16: 4, 17: 56,
    }  # fmt: skip
    assert sorted(REGION_NAMES) == list(range(1, 18))
    assert (REGION_NAMES[1], REGION_NAMES[11], REGION_NAMES[17]) == ("skull", "pelvis", "foot")
    assert bone("hyoid").region == 0


# Meaning DICOM's dictionary must give to a code for it to be this bone's: words of the id, or what it calls them.
_MEANING = {
    "skull_zygomatic": "zygoma",
    "sternum_manubrium": "manubrium",
    "sternum_xiphoid": "xiphoid",
    "tarsal_navicular": "navicular",
    "carpal_scaphoid": "scaphoid",
    "tarsal_calcaneus": "calcaneus",
    "tarsal_talus": "talus",
}


def test_codes_are_dicoms_and_mean_the_bone():
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts["SCT"]
    meanings: dict[str, set[str]] = {}
    for coded in concepts.values():
        for code, (meaning, _) in coded.items():
            meanings.setdefault(code, set()).add(meaning.lower())
    for one in BONES:
        assert bool(one.snomed) != bool(one.snomed_broader), one.id
        assert (one.snomed or one.snomed_broader) in meanings, one.id
        assert not one.snomed_laterality or one.side in meanings[one.snomed_laterality]
        if one.snomed:
            stem = one.id.removesuffix("_l").removesuffix("_r")
            if stem.startswith("vertebra_"):
                word = f"{stem[9]}{int(stem[10:])} vertebra"
            else:
                word = _MEANING.get(stem, stem.removeprefix("skull_"))
            assert any(word in meaning for meaning in meanings[one.snomed]), (one.id, meanings[one.snomed])


def test_no_two_bones_of_one_side_share_a_code():
    coded = [(one.snomed, one.side) for one in BONES if one.snomed]
    assert len(set(coded)) == len(coded)


def test_fma_ids_are_shared_only_by_the_sesamoids():
    counted = Counter(one.fma for one in BONES)
    assert {one.id for one in BONES if counted[one.fma] > 1} == {one.id for one in BONES if "sesamoid" in one.id}


# Spiers 1968 as listed by medicalalgorithms.com, each side alone where there are two.
SPIERS = {
    "mandible": 1.8, "clavicle_l": 0.5, "scapula_r": 1.5, "humerus_l": 3.3, "ulna_r": 1.5, "radius_l": 1.2,
    "hip_bone_l": 3.75, "femur_r": 8.9, "tibia_l": 5.1, "fibula_r": 1.3,
}  # fmt: skip


@pytest.mark.parametrize(("bone_id", "percent"), SPIERS.items())
def test_spiers_gives_the_published_share(bone_id, percent):
    assert mass_table("spiers-1968").share_percent[bone_id] == pytest.approx(percent)


@pytest.mark.parametrize(
    ("group", "percent"),
    [("skull", 16.6), ("rib", 4.4), ("spine", 8.3), ("sternum", 0.3), ("foot", 11.6), ("hand", 3.0)],
)
def test_spiers_splits_a_group_without_loss(group, percent):
    share = mass_table("spiers-1968").share_percent
    assert sum(share[one.id] for one in BONES if one.group == group) == pytest.approx(percent)


def test_a_group_is_split_by_volume():
    share = mass_table("spiers-1968").share_percent
    ratio = bone("sacrum").volume_cm3 / bone("vertebra_l05").volume_cm3
    assert share["sacrum"] / share["vertebra_l05"] == pytest.approx(ratio)
    assert share["rib_07_l"] == share["rib_07_r"]


def test_sums_and_what_is_absent():
    # 100.1: the published list, which does not add up to 100; ICRP phantoms are percent of their own sum
    sums = {name: sum(mass_table(name).share_percent.values()) for name in MASS_TABLES}
    assert sums == pytest.approx({"spiers-1968": 100.1, "icrp110-male": 100.0, "icrp110-female": 100.0})
    without = {name: {one.id for one in BONES} - mass_table(name).share_percent.keys() for name in MASS_TABLES}
    assert without == {
        "spiers-1968": {"hyoid", "patella_l", "patella_r"},
        "icrp110-male": {"hyoid"},
        "icrp110-female": {"hyoid"},
    }


def test_icrp_femora_have_the_measured_share():
    # 927 g of 6654 g and 573 g of 4410 g mineral bone: voxel phantoms of ICRP 110
    assert mass_table("icrp110-male").share_percent["femur_l"] == pytest.approx(100 * 927 / 6654 / 2)
    assert mass_table("icrp110-female").share_percent["femur_l"] == pytest.approx(100 * 573 / 4410 / 2)


def test_unknown_names_are_refused_in_one_sentence():
    with pytest.raises(InvalidValue, match="No bone has the id 'rib_13_l'"):
        bone("rib_13_l")
    with pytest.raises(InvalidValue, match="icrp110-male"):
        mass_table("bsi")


def test_the_tables_need_only_the_standard_library():
    program = "import sys, bonescan.anatomy as room; room.mass_table(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
