"""Labels of a person whose pose is known, of that person in a mirror, and of pictures that show nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.reading.person import COLUMNS, PIXEL_MM, ROWS, mirrored, person, random_pose
from tests.reading.seen import glance
from tests.reading.seen import true_regions as seen_regions

from bonescan.anatomy.pose import PARAMETERS, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.regions import paint_regions
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.errors import LabellingFailed
from bonescan.reading.labels import fused_regions, label
from bonescan.scan import Scan, Severity, View, ViewName

REAL = os.environ.get("BONESCAN_REAL_SCANS", "")


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / max(1, np.count_nonzero(one) + np.count_nonzero(other))


def scan_of(pictures: dict[ViewName, np.ndarray]) -> Scan:
    return Scan(
        views=tuple(
            View(
                name=name,
                counts=picture,
                row_spacing_mm=PIXEL_MM,
                column_spacing_mm=PIXEL_MM,
                identity_basis="drawn",
            )
            for name, picture in pictures.items()
        )
    )


@pytest.fixture(scope="module")
def one():
    return person(random_pose(1), counts=1e6)


@pytest.fixture(scope="module")
def labels(one):
    return label(one.scan)


def true_regions(one, view):
    return paint_regions(one.pose, view.name, one.frames[view.name].pixels, view.regions.shape)


def test_regions_are_those_of_the_true_pose(one, labels):
    assert labels.trusted
    assert not labels.remarks
    for view in labels.views:
        true = true_regions(one, view)
        found = {r: dice(view.regions == r, true == r) for r in np.unique(true) if r and (true == r).sum() > 60}
        assert np.mean(list(found.values())) > 0.85
        assert min(found.values()) > 0.5


def test_bones_lie_where_their_shadows_are(one, labels):
    for view in labels.views:
        frame, shape = one.frames[view.name], view.regions.shape
        x, z = (part.astype(np.float32) for part in frame.body(*np.mgrid[: shape[0], : shape[1]].astype(float)))
        shadows = {s.bone: s for s in project_bones(pose_skeleton(default_skeleton(), one.pose), x, z)}
        found = {b.bone: b for b in view.bones}
        assert len(found.keys() ^ shadows.keys()) <= 6  # of 205: tips of fingers lie at the picture's edge
        for name in ("femur_l", "femur_r", "humerus_l", "hip_bone_r", "vertebra_l03", "sacrum", "scapula_l"):
            ours, theirs = np.zeros(shape, bool), np.zeros(shape, bool)
            ours[box(found[name], found[name].thickness_mm)] = found[name].thickness_mm > 0
            theirs[box(shadows[name], shadows[name].length_mm)] = shadows[name].length_mm > 0
            assert dice(ours, theirs) > 0.6, name


def box(crop, values):
    return slice(crop.row, crop.row + values.shape[0]), slice(crop.column, crop.column + values.shape[1])


def test_coordinates_are_one_frame_for_both_views(labels):
    front, back = labels.views
    for view in labels.views:
        rows, columns = np.nonzero(view.regions == 1)
        assert abs(view.x_mm[rows, columns].mean()) < 40  # the skull lies at the midline
        assert view.z_mm[rows, columns].mean() > 1500
    assert np.sign(front.x_mm[240, -1]) == 1  # the person's left is on the anterior picture's right
    assert np.sign(back.x_mm[240, -1]) == -1


def test_depth_is_from_the_skin_that_faces_the_camera(labels):
    front, back = ({b.bone: b.depth_mm for b in view.bones} for view in labels.views)
    assert front["sternum_body"] < back["sternum_body"]
    assert back["vertebra_l03"] < front["vertebra_l03"]
    assert all(2 < depth < 350 for depths in (front, back) for depth in depths.values())
    # the adult reference trunk is 200 to 260 mm deep at the third lumbar vertebra (ICRP 110), a heel far less
    assert 180 < front["vertebra_l03"] + back["vertebra_l03"] < 300
    assert back["tarsal_calcaneus_l"] < 70


def test_limbs_and_knees_are_named(labels):
    for view in labels.views:
        for region in (12, 13, 15, 16):
            assert (view.regions == region).sum() > 100, region
        middle = {r: np.nonzero(view.regions == r)[0].mean() for r in (12, 15, 16, 17) if (view.regions == r).any()}
        assert list(middle.values()) == sorted(middle.values())  # thigh, knee, leg, foot from above


def test_limb_regions_stay_on_the_body(labels):
    for view in labels.views:
        assert not ((view.regions >= 13) & ~view.body).any()


def test_everything_is_in_view_and_every_parameter_is_told(labels):
    assert labels.regions_in_view == frozenset(range(1, 18))
    assert list(labels.parameters) == [p.name for p in PARAMETERS]


def test_arrays_are_read_only(labels):
    for view in labels.views:
        for values in (view.regions, view.body, view.x_mm, view.z_mm, view.bones[0].thickness_mm):
            assert not values.flags.writeable


def test_the_person_in_the_mirror_has_mirrored_labels(one, labels):
    """The camera's picture turned left for right is a picture of the mirrored person."""
    turned = scan_of({view.name: view.counts[:, ::-1] for view in one.scan.views})
    again = label(turned)
    assert again.trusted
    for view, other in zip(labels.views, again.views, strict=True):
        back = other.regions[:, ::-1]
        assert np.mean([dice(view.regions == r, back == r) for r in range(1, 13) if (view.regions == r).any()]) > 0.9
        centres, others = ({b.bone: middle(b) for b in v.bones} for v in (view, other))
        swapped = {"_l": "_r", "_r": "_l"}
        errors = [
            np.hypot(row - others[twin][0], (COLUMNS - 1 - column) - others[twin][1]) * PIXEL_MM
            for name, (row, column) in centres.items()
            for twin in [name[:-2] + swapped.get(name[-2:], name[-2:])]
        ]
        assert np.median(errors) < 8


def middle(bone_map):
    r, c = np.indices(bone_map.thickness_mm.shape)
    weight = bone_map.thickness_mm / bone_map.thickness_mm.sum()
    return bone_map.row + (r * weight).sum(), bone_map.column + (c * weight).sum()


def test_a_mirrored_pose_mirrors_the_picture():
    """The test's own witness: `mirrored` is the mirror of the skeleton."""
    pose = random_pose(5)
    one, other = person(pose, counts=1e7), person(mirrored(pose), counts=1e7)
    for view, twin in zip(one.scan.views, other.scan.views, strict=True):
        shift = 2  # the middle lies one pixel beside the picture's, on the side the view says
        flipped = twin.counts[:, ::-1]
        flipped = np.roll(flipped, -shift if view.name is ViewName.ANTERIOR else shift, axis=1)
        assert np.corrcoef(view.counts.ravel(), flipped.ravel())[0, 1] > 0.98


def test_what_the_crop_leaves_out_is_not_in_view():
    cropped = person(random_pose(4), rows=slice(0, 335))
    found = label(cropped.scan)
    assert found.trusted
    assert {1, 3, 9, 11, 12} <= found.regions_in_view
    assert not {16, 17} & found.regions_in_view


# --- with a network ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "shown", "absent"),
    [(slice(85, 190), {3, 4, 5, 7}, {1, 11, 12, 15}), (slice(200, 275), {10, 11}, {1, 2, 4, 15})],
    ids=["chest", "pelvis"],
)
def test_part_of_a_body_is_labelled_where_a_network_leads(rows, shown, absent):
    """The model-based fit expects a whole body and loses both."""
    part = person(random_pose(2), rows=rows)
    found = label(part.scan, glance(part))
    assert found.trusted
    assert shown <= found.regions_in_view
    assert not absent & found.regions_in_view
    for view in found.views:
        true = seen_regions(part, view.name, view.regions.shape)
        overlaps = [dice(view.regions == r, true == r) for r in np.unique(true) if r and (true == r).sum() > 150]
        assert np.mean(overlaps) > 0.8
        assert np.mean(list(view.agreement.values())) > 0.6


def test_nothing_is_labelled_beside_the_field_of_a_still_picture():
    part = person(random_pose(2), rows=slice(200, 275))
    framed = scan_of({view.name: np.pad(view.counts, ((30, 20), (0, 0))) for view in part.scan.views})
    inner = glance(part)
    wide = tuple(
        replace(
            one,
            regions=np.pad(one.regions, ((0, 0), (30, 20), (0, 0)), mode="edge"),
            vertebra=np.pad(one.vertebra, ((30, 20), (0, 0)), mode="edge"),
            rib=np.pad(one.rib, ((30, 20), (0, 0)), mode="edge"),
            foci={name: np.pad(values, ((30, 20), (0, 0))) for name, values in one.foci.items()},
        )
        for one in inner.views
    )
    found = label(framed, replace(inner, views=wide))
    for view in found.views:
        assert not view.regions[:30].any()
        assert not view.regions[-20:].any()
        assert all(one.row >= 30 and one.box[0].stop <= view.regions.shape[0] - 20 for one in view.bones)


def test_outlines_and_network_outvote_each_other_by_their_certainty():
    """A sure network moves an edge within the outlines' usual error, and adds no region far from its outline."""
    outlined = np.zeros((60, 60), np.uint8)
    outlined[20:40, 20:40] = 4
    probability = np.full((18, 60, 60), 0.001, np.float32)
    probability[0] = 0.98
    probability[:, 22:42, 20:40] = 0.001
    probability[4, 22:42, 20:40] = 0.98  # two pixels lower
    probability[:, 5:10, 5:10] = 0.02
    probability[4, 5:10, 5:10] = 0.6  # an island, not sure
    fused = fused_regions(outlined, probability, (4.0, 4.0))
    rows = np.flatnonzero((fused == 4).any(axis=1))
    assert 20 <= rows[0] <= 22
    assert 39 <= rows[-1] <= 41
    assert not fused[5:10, 5:10].any()


# --- pictures without a body -------------------------------------------------------------------


def noise(rng, row, column):
    return np.full(row.shape, 8.0)


def disc(rng, row, column):
    return 20.0 * (np.hypot(row - ROWS / 2, column - COLUMNS / 2) < 60)


def square(rng, row, column):
    return 20.0 * ((abs(row - ROWS / 2) < 60) & (abs(column - COLUMNS / 2) < 60))


def blobs(rng, row, column):
    spots = rng.uniform((0, 0), (ROWS, COLUMNS), (25, 2))
    return sum(40 * np.exp(-0.5 * ((row - r) ** 2 + (column - c) ** 2) / 9**2) for r, c in spots)


def line(rng, row, column):
    return 20.0 * np.exp(-0.5 * ((column - COLUMNS / 2) / 3) ** 2)


@pytest.mark.parametrize("shape", [noise, disc, square, blobs, line])
def test_a_picture_without_a_body_is_not_trusted(shape):
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:ROWS, :COLUMNS].astype(float)
    expected = shape(rng, row, column)
    found = label(scan_of({name: rng.poisson(expected).astype(np.float32) for name in ViewName}))
    assert not found.trusted
    assert all(remark.severity is Severity.WITHHELD for remark in found.remarks)
    assert all(remark.code.startswith("labels.") for remark in found.remarks)


def test_a_view_of_nothing_is_refused():
    nothing = {name: np.zeros((ROWS, COLUMNS), np.float32) for name in ViewName}
    with pytest.raises(LabellingFailed, match="no counts"):
        label(scan_of(nothing))


@pytest.mark.long
def test_a_body_upside_down_is_not_trusted(one):
    turned = {view.name: view.counts[::-1] for view in one.scan.views}
    found = label(scan_of(turned))
    assert not found.trusted
    assert any("correlation" in remark.code for remark in found.remarks)


# --- laws --------------------------------------------------------------------------------------


def test_the_scale_of_counts_does_not_move_labels(one, labels):
    louder = label(scan_of({view.name: view.counts * 16 for view in one.scan.views}))
    for view, other in zip(labels.views, louder.views, strict=True):
        assert (view.regions == other.regions).mean() > 0.999


PROGRAM = """
import hashlib, sys
import numpy as np
from tests.reading.person import person, random_pose
from bonescan.errors import LabellingFailed
from bonescan.reading.labels import fused_regions, label
labels = label(person(random_pose(1), counts=3e5).scan)
digest = hashlib.sha256()
for view in labels.views:
    for values in (view.regions, view.x_mm, view.z_mm, *(b.thickness_mm for b in view.bones)):
        digest.update(np.ascontiguousarray(values).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.long
def test_labels_do_not_depend_on_the_number_of_threads():
    def digest(threads: str) -> str:
        names = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        root = Path(__file__).parents[2]
        path = os.pathsep.join([str(root), str(root / "src")])
        environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert digest("1") == digest("2")


# --- real scans --------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL, reason="BONESCAN_REAL_SCANS does not name a folder of real scans")
@pytest.mark.parametrize("number", ["107", "127", "144"])  # of the half whose masks were not in view
def test_regions_of_a_real_scan_agree_with_the_silver_standard(number):
    from PIL import Image

    from bonescan.dicom import open_scan

    found = label(open_scan([Path(REAL) / f"{number}.dcm"]))
    assert found.trusted
    for view in found.views:
        silver = np.asarray(Image.open(Path(REAL) / f"{number}_regions_{view.name}.png"))
        overlaps = [dice(view.regions == r, silver == r) for r in range(1, 13) if (silver == r).any()]
        assert np.mean(overlaps) >= 0.80
