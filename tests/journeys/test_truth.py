"""The truth beside a simulated study, held against a camera whose pictures anyone can work out: plain sums along y."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from PIL import Image

from bonescan.camera.projections import Lattice
from bonescan.field import Field
from bonescan.journeys.excess import lesion_map, seen_lesions
from bonescan.journeys.shadows import PlanarPlace, bone_maps, bones_in_pose_of_row
from bonescan.journeys.truth import PlanarPicture, truth_files, truth_schema
from bonescan.patient import Motion, read_scenario
from bonescan.patient.volumes import volumes_at
from bonescan.report import load_bones
from bonescan.scan import ViewName

SPACING_MM = 8.0
FACTS = {
    "scenario": {"name": "test", "title": "Test", "shows": "nothing"},
    "seed": 3,
    "member": None,
    "camera": "sums along y",
    "protocol": "test",
    "fast": False,
    "motions": [],
    "versions": {"bonescan": "0"},
}
TEXT = """
title = "Test"
[person]
sex = "male"
arms = "beside"
[[lesions]]
kind = "metastasis"
bone = "vertebra_l03"
diameter_mm = 30
contrast = 8
[[lesions]]
kind = "metastasis"
bone = "femur_l"
diameter_mm = 30
contrast = 8
[[lesions]]
kind = "avascular_necrosis"
side = "right"
[[disturbances]]
kind = "injection_site"
side = "right"
"""


@pytest.fixture(scope="module")
def sampled():
    return read_scenario(TEXT).patient(3).sampled(SPACING_MM)


@pytest.fixture(scope="module")
def volumes(sampled):
    return volumes_at(sampled, 3.0)


def places_of(sampled) -> tuple[PlanarPlace, ...]:
    """Views whose pixels are the columns of voxels."""
    grid = sampled.grid
    slices, _, columns = grid.shape
    top, left = grid.position_mm((slices - 1, 0, 0))[2], grid.origin_mm[0]
    right = grid.position_mm((0, 0, columns - 1))[0]
    lattice = Lattice(shape=(slices, columns), spacing_mm=(SPACING_MM, SPACING_MM), top_mm=top, left_mm=left)
    return (
        PlanarPlace(name=ViewName.ANTERIOR, lattice=lattice, axis_x_mm=0.0),
        PlanarPlace(name=ViewName.POSTERIOR, lattice=replace(lattice, left_mm=-right), axis_x_mm=0.0),
    )


def sums(fields) -> np.ndarray:
    """One count per kBq in a column of voxels, in front; a tenth of that behind."""
    front = sum(one.values.sum(axis=1, dtype=np.float64)[::-1] * one.grid.voxel_ml for one in fields)
    return np.stack([front, 0.1 * front[:, ::-1]])


@pytest.fixture(scope="module")
def picture(sampled, volumes) -> PlanarPicture:
    expected = sums([volumes.activity])
    return PlanarPicture(
        file_name="test.dcm",
        names=("anterior", "posterior"),
        places=places_of(sampled),
        poses=(sampled,),
        pose_of_row=np.zeros(sampled.grid.shape[0], dtype=np.int64),
        time_h=3.0,
        expected=expected,
        counts=np.rint(expected),
        primary=sums,
    )


@pytest.fixture(scope="module")
def files(sampled, volumes, picture) -> dict[str, bytes]:
    return truth_files(FACTS, sampled, volumes, [picture], with_volumes=True)


@pytest.fixture(scope="module")
def record(files):
    return json.loads(files["truth.json"])


def test_the_record_is_valid_against_the_published_schema(record):
    jsonschema.validate(record, truth_schema())


def test_a_lesions_excess_is_its_activity_and_lies_where_it_is(record, sampled, volumes):
    shares, weights = sampled.shares(3.0), sampled.weights(3.0)
    for k, one in enumerate(record["lesions"][:2]):
        _, kbq_per_ml = sampled.excess(k, 3.0, shares, weights)
        total = kbq_per_ml.sum() * sampled.grid.voxel_ml
        front, back = (one["views"][name] for name in ("anterior", "posterior"))
        assert front["excess_counts"] == pytest.approx(total, rel=1e-4)
        assert back["excess_counts"] == pytest.approx(0.1 * total, rel=1e-4)
        assert front["peak"]["column"] == sampled.grid.shape[2] - 1 - back["peak"]["column"]
        assert (front["polarity"], one["nature"], one["metastasis"]) == ("hot", "metastasis", True)
        x, _, z = volumes.truth.lesions[k].centre_mm
        row, column = places_of(sampled)[0].pixels(np.array(x), np.array(z))
        assert abs(front["peak"]["row"] - row) < 2
        assert abs(front["peak"]["column"] - column) < 2
        # ten times the counts see it by the square root of ten better
        assert front["snr"] == pytest.approx(math.sqrt(10) * back["snr"], rel=1e-4)


def test_contrast_is_the_picture_with_it_over_that_without_it(record, sampled, picture):
    plain = TEXT.replace("contrast = 8", "contrast = 1", 1)  # the first is as if it was not there
    without = read_scenario(plain).patient(3)
    other = without.sampled(SPACING_MM)
    shares, weights = other.shares(3.0), other.weights(3.0)
    expected = sums([other.activity(3.0, shares, weights)])[0]
    seen = record["lesions"][0]["views"]["anterior"]
    at = seen["peak"]["row"], seen["peak"]["column"]
    # without it the tracer it held lies all over the body, so the rest is a little brighter
    assert seen["contrast"] == pytest.approx(picture.expected[0][at] / expected[at], rel=0.02)
    assert seen["contrast"] > 1.5


def test_a_cold_lesion_is_cold(record):
    dead = record["lesions"][2]
    assert (dead["kind"], dead["metastasis"]) == ("avascular_necrosis", False)
    seen = dead["views"]["anterior"]
    assert seen["polarity"] == "cold"
    assert seen["excess_counts"] < 0
    assert seen["contrast"] < 1


def test_disturbances_are_told_apart_and_count_on(record, files):
    (site,) = record["disturbances"]
    assert (site["number"], site["nature"]) == (4, "artefact")
    assert site["views"]["anterior"]["contrast"] > 2
    assert set(np.unique(np.asarray(Image.open(io.BytesIO(files["lesions_anterior.png"]))))) == {0, 1, 2, 3}


def test_the_map_of_lesions_holds_each_where_its_excess_is_half_its_peak(record, files):
    for name in ("anterior", "posterior"):
        numbers = np.asarray(Image.open(io.BytesIO(files[f"lesions_{name}.png"])))
        assert numbers.dtype == np.uint16
        for one in record["lesions"]:
            seen = one["views"][name]
            own = numbers == one["number"]
            assert own.sum() * SPACING_MM**2 == pytest.approx(seen["area_mm2"])
            rows, columns = np.nonzero(own)
            box = seen["box"]
            assert (rows.min(), rows.max()) == (box["top"], box["bottom"])
            assert (columns.min(), columns.max()) == (box["left"], box["right"])
            assert numbers[seen["peak"]["row"], seen["peak"]["column"]] == one["number"]


def test_where_lesions_overlap_the_brighter_one_has_the_pixel(sampled, picture):
    both = seen_lesions((sampled,), 3.0, picture.places, tuple(picture.expected), sums)
    spine = both[0][0]
    faint = replace(spine, excess=spine.excess / 2)
    assert set(np.unique(lesion_map((500, 500), [faint, spine]))) == {0, 2}
    assert set(np.unique(lesion_map((500, 500), [spine, faint]))) == {0, 1}


def test_lesions_are_projected_together_without_reaching_into_each_other(sampled, picture):
    calls = []

    def counted(fields):
        calls.append(1)
        return sums(fields)

    together = seen_lesions((sampled,), 3.0, picture.places, tuple(picture.expected), counted)
    assert len(calls) < len(sampled.painted)
    shares, weights = sampled.shares(3.0), sampled.weights(3.0)
    for k, one in enumerate(together):
        index, kbq_per_ml = sampled.excess(k, 3.0, shares, weights)
        values = np.zeros(sampled.grid.shape, dtype=np.float32)
        values.reshape(-1)[index] = kbq_per_ml
        alone = sums([Field(values=values, grid=sampled.grid, unit="kBq/mL")])[0]
        assert one[0].excess_counts == pytest.approx(alone.sum(), rel=1e-4)


def test_the_bone_scan_index_is_a_share_of_mass(record, sampled, volumes):
    own = record["burden"]
    assert own["metastases"] == 2
    share = sum(one["mineral_share_percent"] for one in record["lesions"][:2])
    assert own["bone_scan_index_percent"] == pytest.approx(share, rel=1e-5)  # they do not overlap
    # the field of lesions says which voxels; a ball of 30 mm holds 14.1 ml, less what is not its bone
    voxels = np.isin(volumes.lesions.values, (1, 2)) & (volumes.bones.values > 0)
    volume = voxels.sum() * sampled.grid.voxel_ml
    assert 0.2 < volume / (2 * 14.1) < 1.1
    assert volume == pytest.approx(sum(one["volume_ml"] for one in record["lesions"][:2]))
    by_volume = 100 * volume / record["skeleton"]["volume_ml"]
    assert own["bone_scan_index_by_bone_mass_percent"] == pytest.approx(by_volume, rel=0.4)
    total = sum(bone["mineral_g"] for bone in record["bones"])
    assert record["skeleton"]["mineral_g"] == pytest.approx(total, rel=1e-5)


def test_bones_lie_where_their_voxels_are(sampled, files):
    bones = {one.bone: one for one in load_bones(files["bones_anterior.npz"])}
    names = sampled.patient.person.labelled(SPACING_MM, ()).voxels.bones
    for name in ("femur_l", "vertebra_l03", "skull_frontal"):
        own = sampled.bone == names.index(name) + 1
        length = own.sum(axis=1)[::-1] * SPACING_MM
        shown = np.zeros(length.shape)
        shown[bones[name].box] = bones[name].thickness_mm
        np.testing.assert_allclose(shown, length, atol=0.1)
        assert 0 < bones[name].depth_mm < 250
    front, back = (files[f"bones_{name}.npz"] for name in ("anterior", "posterior"))
    # a spinous process lies behind: nearer to the back than to the front
    depth = [next(one.depth_mm for one in load_bones(data) if one.bone == "sacrum") for data in (front, back)]
    assert depth[0] > depth[1]


def test_regions_hold_their_bones(files):
    for name in ("anterior", "posterior"):
        regions = np.asarray(Image.open(io.BytesIO(files[f"regions_{name}.png"])))
        bones = {one.bone: one for one in load_bones(files[f"bones_{name}.npz"])}
        for bone, region in (
            ("skull_frontal", 1),
            ("hip_bone_l", 11),
            ("femur_r", 12),
            ("tibia_l", 16),
            ("ulna_l", 13),
        ):
            inside = regions[bones[bone].box][bones[bone].thickness_mm > 0]
            allowed = (region, 15) if bone[:5] in ("femur", "tibia") else (region,)
            assert np.isin(inside, allowed).mean() > 0.7, (name, bone)


def test_volumes_are_those_the_camera_saw(files, volumes):
    with np.load(io.BytesIO(files["volumes.npz"])) as stored:
        np.testing.assert_array_equal(stored["activity_kbq_per_ml"], volumes.activity.values)
        np.testing.assert_array_equal(stored["lesions"], volumes.lesions.values)
        assert stored["bone_names"][stored["bones"].max()] in {one for one in stored["bone_names"] if one}
        assert tuple(stored["origin_mm"]) == volumes.activity.grid.origin_mm


def test_after_a_motion_rows_follow_the_pose_they_were_counted_in(sampled):
    patient = sampled.patient
    moved = Motion(at_fraction=0.3, pose={"arm_l.spread_rad": 0.3}).moved(patient.person)
    other = replace(patient, person=moved).sampled(SPACING_MM)
    place = places_of(sampled)[0]
    first, then = bone_maps(sampled, place), bone_maps(other, place)
    rows = place.lattice.shape[0]
    pose_of_row = (np.arange(rows) >= rows // 3).astype(np.int64)
    joined = {one.bone: one for one in bones_in_pose_of_row([first, then], pose_of_row)}
    humerus = joined["humerus_l"]
    whole = np.zeros((2, *place.lattice.shape))
    for k, own in enumerate((first, then)):
        one = next(bone for bone in own if bone.bone == "humerus_l")
        whole[k][one.box] = one.thickness_mm
    shown = np.zeros(place.lattice.shape)
    shown[humerus.box] = humerus.thickness_mm
    np.testing.assert_array_equal(shown, whole[pose_of_row, np.arange(rows)])
    assert (whole[0] != whole[1]).any()
