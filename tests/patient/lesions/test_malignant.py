from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import InvalidValue
from bonescan.patient.lesions.malignant import (
    METASTASIS_SITES,
    flare,
    lytic_metastasis,
    metastasis,
    metastatic_superscan,
    random_site_bone,
    site_bones,
)
from bonescan.patient.lesions.placement import bone_box, contains


@pytest.fixture(scope="module")
def many():
    return metastasis(np.random.default_rng(7), count=200) + metastasis(np.random.default_rng(8), count=200)


def test_every_site_is_made_of_bones_and_no_bone_is_two_sites():
    bones = [bone for site in METASTASIS_SITES for bone in site_bones(site)]
    assert len(bones) == len(set(bones))
    assert set(bones) <= set(default_skeleton().bones)
    with pytest.raises(InvalidValue):
        site_bones("liver")


def test_sites_are_drawn_as_often_as_published():
    # witness: World J Radiol 2024;16(7):265 table 5, as shares of all sites named there (401). Binomial error of 8,000.
    rng = np.random.default_rng(2)
    site_of = {bone: site for site in METASTASIS_SITES for bone in site_bones(site)}
    counts = Counter(site_of[random_site_bone(rng)] for _ in range(8000))
    total = sum(METASTASIS_SITES.values())
    for site, published in METASTASIS_SITES.items():
        share = published / total
        assert counts[site] / 8000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 8000))


def test_metastases_lie_inside_their_bones(many):
    assert all(contains(lesion.bone, lesion.foci[0].centre_mm)[0] for lesion in many)


def test_nine_in_ten_lie_in_the_axial_skeleton_or_proximal_in_a_limb(many):
    # witness: > 90 % (emedicine, as in the project's facts)
    def near(lesion) -> bool:
        if not lesion.bone.startswith(("femur", "humerus", "tibia", "radius", "ulna")):
            return True
        low, high = bone_box(lesion.bone)
        return lesion.bone.startswith(("femur", "humerus")) and lesion.foci[0].centre_mm[2] > (low[2] + high[2]) / 2

    assert np.mean([near(lesion) for lesion in many]) > 0.9


def test_contrasts_in_the_spine_are_those_measured_by_tomography():
    # witness: SUVmax 40.90 +/- 33.46 over 7.85 (Kuji 2017): 5.2 on average, ratio of spread to mean 0.82; cut at 20
    drawn = np.array(
        [
            one.contrast
            for seed in range(5)
            for one in metastasis(np.random.default_rng(seed), bone="vertebra_t08", count=200)
        ]
    )
    assert drawn.mean() == pytest.approx(5.0, abs=0.5)
    assert drawn.std() / drawn.mean() == pytest.approx(0.75, abs=0.1)
    assert drawn.min() >= 1.3
    assert drawn.max() <= 20


def test_a_lytic_metastasis_has_a_cold_centre_in_a_hot_rim():
    (lesion,) = lytic_metastasis(np.random.default_rng(1), bone="hip_bone_l", contrast=3.0)
    (focus,) = lesion.foci
    assert focus.profile == "rim"
    assert focus.core_factor < 1 < focus.uptake_factor
    assert focus.mineral_factor < 1


def test_a_place_is_kept_and_one_outside_bone_is_refused():
    (lesion,) = metastasis(
        np.random.default_rng(1), bone="vertebra_l03", place_mm=(6.0, -5.0, 1060.0), diameter_mm=20.0
    )
    assert lesion.foci[0].centre_mm.tolist() == [6.0, -5.0, 1060.0]
    volume = abs(np.linalg.det(lesion.foci[0].axes_mm))
    assert volume == pytest.approx(10.0**3, rel=1e-9)  # uneven half-axes of a 20 mm ball's volume
    with pytest.raises(InvalidValue, match="outside vertebra_l03"):
        metastasis(np.random.default_rng(1), bone="vertebra_l03", place_mm=(60.0, -5.0, 1060.0))


@pytest.mark.parametrize("make", [metastasis, lytic_metastasis])
@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 201}, {"diameter_mm": 2.0}, {"contrast": -1.0}])
def test_metastases_that_cannot_be_are_refused(make, wrong):
    with pytest.raises(InvalidValue):
        make(np.random.default_rng(1), **wrong)


def test_a_superscan_is_patchy_axial_and_headless():
    lesions = metastatic_superscan(np.random.default_rng(4))
    bones = {lesion.bone for lesion in lesions}
    assert not any(bone.startswith(("skull", "mandible", "tibia", "radius", "carpal", "tarsal")) for bone in bones)
    assert {"sacrum", "sternum_body", "hip_bone_l", "femur_r", "vertebra_t06", "rib_07_l"} <= bones
    levels = np.log([focus.uptake_factor for lesion in lesions for focus in lesion.foci[:-1]])
    assert levels.std() > 0.4  # patchy
    even = metastatic_superscan(np.random.default_rng(4), patchiness=0.0)
    assert np.log([focus.uptake_factor for lesion in even for focus in lesion.foci[:-1]]).std() < 1e-9


def test_a_flare_brightens_old_places_and_shows_hidden_ones_then_fades():
    before, during, after = (flare(np.random.default_rng(9), weeks_on_treatment=w) for w in (0.0, 10.0, 60.0))
    for a, b, c in zip(before, during, after, strict=True):
        assert np.array_equal(a.foci[0].centre_mm, b.foci[0].centre_mm)
        assert a.contrast < b.contrast
        assert c.contrast < b.contrast
    grown = np.array([(b.contrast - 1) / (a.contrast - 1) for a, b in zip(before, during, strict=True)])
    assert grown[:6] == pytest.approx(1.8)  # the design's greatest gain, at ten weeks
    assert (grown[6:] > 5).all()
