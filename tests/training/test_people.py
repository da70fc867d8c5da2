"""One person of the training data: the parts are the whole, and the maps say what lies where."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.journeys.excess import seen_lesions
from bonescan.journeys.shadows import PlanarPlace, bone_maps, region_map

FOLDER = Path(__file__).parents[2] / "training"
SEED, NUMBER = 511, 3  # a man of 68 with degenerative levels, two metastases and an injection site

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="training/ is no part of what is packed")


@pytest.fixture(scope="module")
def people():
    sys.path.insert(0, str(FOLDER))  # scripts there import each other
    specification = importlib.util.spec_from_file_location("people", FOLDER / "people.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["people"] = module
    specification.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))
    del sys.modules["people"]


@pytest.fixture(scope="module")
def person(people):
    return people.imaged(SEED, NUMBER, people.CAMERAS)


@pytest.fixture(scope="module")
def shard(people):
    return people.make_person(SEED, NUMBER)


@pytest.fixture(scope="module")
def places(person):
    model = person.model
    return [PlanarPlace(name=view, lattice=model.lattice, axis_x_mm=model.axis_mm[0]) for view in model.views]


def test_components_add_up_to_the_expected_picture(person, shard):
    expected = person.model.expected()
    together = shard["components"].astype(float).sum(axis=0)
    # half precision has 11 bits: each part is off by less than 2^-11 of itself, and no part is far below 0 here
    assert np.abs(together - expected).max() < 1e-3 * expected.max()
    assert (np.abs(together - expected) <= 1e-3 * (expected + 1)).all()
    assert shard["components"].sum(axis=(1, 2, 3), dtype=float).min() > 0
    assert together.sum() / 2 == pytest.approx(1.5e6, rel=1e-3)  # what a study is made to hold


def test_pixels_are_two_by_two_of_the_cameras(people, person):
    fine = people.imaged(SEED, NUMBER, people.CAMERAS, shape=(1024, 256)).model
    binned = fine.expected().reshape(2, 512, 2, 128, 2).sum(axis=(2, 4))
    coarse = person.model.expected()
    # the head's unevenness and the table's edge are taken at pixels' centres, a pixel of 4.8 mm apart
    assert np.abs(binned - coarse).sum() < 2e-3 * coarse.sum()


def test_lesions_are_seen_as_the_truth_of_a_study_tells_them(person, shard, places):
    model = person.model
    true = seen_lesions(
        [person.sampled], person.drawn.time_h, places, model.expected(), lambda fields: model.primary(fields[0])
    )
    facts = json.loads(str(shard["facts"]))
    found = [*facts["lesions"], *facts["disturbances"]]
    assert [one["kind"] for one in facts["lesions"]] == [one.kind.value for one in person.drawn.patient.lesions]
    checked = 0
    for one, views in zip(found, true, strict=True):
        for name, own in zip(("anterior", "posterior"), views, strict=True):
            if own is not None and own.snr > 3:
                told = one["views"][name]
                # one blur for all depths of a lesion, and hyperaemia of neighbours multiplied there, added here
                assert told["snr"] == pytest.approx(own.snr, rel=0.08)
                assert told["excess_counts"] == pytest.approx(own.excess_counts, rel=0.08)
                assert np.hypot(told["row"] - own.row, told["column"] - own.column) <= 2
                checked += 1
    assert checked >= 8


def test_regions_of_the_posterior_view_are_its_own(person, shard, places):
    direct = region_map(person.sampled, places[1], bone_maps(person.sampled, places[1]))
    assert np.array_equal(shard["regions"][1], direct)


def test_mineral_and_its_metastatic_share_give_the_bone_scan_index(person, shard):
    area_cm2 = np.prod(person.model.lattice.spacing_mm) / 100
    mineral = shard["mineral"].astype(float)
    skeleton_g = person.sampled.mineral.sum() * person.sampled.grid.voxel_ml
    assert mineral.sum(axis=(1, 2)) * area_cm2 == pytest.approx(skeleton_g, rel=0.02)  # hands may leave the field
    index = 100 * (mineral * shard["metastatic"]).sum(axis=(1, 2)) / mineral.sum(axis=(1, 2))
    told = json.loads(str(shard["facts"]))["bone_scan_index_percent"]
    assert told > 0.2
    assert index == pytest.approx(told, rel=0.03)


def test_levels_are_where_the_vertebrae_and_ribs_are(person, shard, places):
    sampled, names = person.sampled, default_skeleton().bones
    for name, level in (("vertebra_c04", 4), ("vertebra_t06", 13), ("vertebra_l03", 22)):
        own = sampled.index[sampled.number == names.index(name)]
        x, _, z = sampled.grid.positions_mm(own).mean(axis=0)
        row, column = (np.rint(part).astype(int) for part in places[1].pixels(x, z))
        assert shard["vertebra"][1, row, column] == pytest.approx(level, abs=0.5)
    spine = np.isin(shard["regions"], (2, 3, 9, 10))
    assert not shard["vertebra"][~spine].any()
    assert shard["vertebra"][spine].min() >= 1
    assert shard["vertebra"].max() == 25
    ribs = shard["regions"] == 4
    assert not shard["rib"][~ribs].any()
    assert set(np.unique(shard["rib"][ribs])) <= set(range(1, 13))
    own = sampled.index[sampled.number == names.index("rib_08_l")]
    x, _, z = sampled.grid.positions_mm(own).T
    rows, columns = (np.rint(part).astype(int) for part in places[1].pixels(x, z))
    seen = shard["rib"][1][rows, columns]
    assert np.mean(seen[seen > 0] == 8) > 0.6  # from behind little lies before its dorsal part
