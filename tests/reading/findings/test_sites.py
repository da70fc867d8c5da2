"""Bones and places named on the default skeleton, by points that the table of places does not hold."""

from functools import cache

import numpy as np
import pytest

from bonescan.anatomy.bones import bone
from bonescan.anatomy.pose import PARAMETERS, default_pose, move_points, pose_skeleton
from bonescan.anatomy.projection import project_bones
from bonescan.anatomy.regions import paint_limbs, paint_regions
from bonescan.anatomy.skeleton import SEGMENTS, default_skeleton
from bonescan.reading.findings.sites import USUAL, Atlas, Place, Seen, atlas_of, end_of, sites
from bonescan.reading.model import BoneMap, LabelledView, Labels
from bonescan.scan import ViewName

MM, TOP, HALF = 4.0, 1740.0, 300.0
SKELETON = default_skeleton()


def labelled(pose: np.ndarray, name: ViewName) -> LabelledView:
    rows, columns = round(TOP / MM), round(2 * HALF / MM)
    sign = 1.0 if name is ViewName.ANTERIOR else -1.0
    row, column = np.mgrid[:rows, :columns].astype(float)
    x, z = (sign * (column * MM - HALF)).astype(np.float32), (TOP - row * MM).astype(np.float32)
    shadows = project_bones(pose_skeleton(SKELETON, pose), *((x, z) if sign > 0 else (x[:, ::-1].copy(), z)))
    maps = []
    for s in shadows:
        length = s.length_mm if sign > 0 else s.length_mm[:, ::-1]
        left = s.column if sign > 0 else columns - s.column - length.shape[1]
        maps.append(BoneMap(bone=s.bone, row=s.row, column=left, thickness_mm=length, depth_mm=60.0))
    regions = paint_regions(pose, name, lambda a, b: ((TOP - b) / MM, (sign * a + HALF) / MM), (rows, columns))
    if sign > 0:
        paint_limbs(regions, shadows, np.ones(regions.shape, bool), (MM, MM))
    return LabelledView(
        name=name,
        regions=regions,
        bones=tuple(maps),
        body=np.ones(regions.shape, bool),
        x_mm=x,
        z_mm=z,
        correlation=1.0,
    )


def labels(pose: np.ndarray, *, fitted: bool = True) -> Labels:
    return Labels(
        views=tuple(labelled(pose, name) for name in ViewName),
        trusted=True,
        regions_in_view=frozenset(range(1, 18)),
        parameters={p.name: float(v) for p, v in zip(PARAMETERS, pose, strict=True)} if fitted else {},
    )


@cache
def default_atlas() -> Atlas:
    return atlas_of(labels(default_pose()))


def named(atlas: Atlas, x_mm: float, z_mm: float, *views: ViewName) -> Place:
    seen, regions = {}, []
    for view in atlas.labels.views:
        if view.name in views:
            mask = np.hypot(view.x_mm - x_mm, view.z_mm - z_mm) <= 8.0
            seen[view.name] = Seen(mask=mask, significance=8.0)
            regions += view.regions[mask].tolist()
    return atlas.place(seen, int(np.bincount(regions).argmax()), x_mm, z_mm)


def test_every_place_lies_at_its_bones() -> None:
    # witness: the skeleton's ellipsoids; 15 mm is the gap of a joint and of what a planar view cannot tell in depth
    for one in sites():
        own = np.isin(SKELETON.bone_index, [SKELETON.bones.index(name) for name in one.bones])
        inside = np.linalg.inv(SKELETON.axes_mm[own]) @ (np.array(one.point_mm) - SKELETON.centres_mm[own])[:, :, None]
        away = np.linalg.norm(SKELETON.axes_mm[own] @ inside, axis=1)[:, 0]
        reached = np.linalg.norm(inside, axis=1)[:, 0]
        assert (away * np.maximum(1 - 1 / np.maximum(reached, 1e-9), 0)).min() < 15.0, one.id
        assert one.usual in ("", *USUAL)
        assert one.end in ("", "proximal", "distal")


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        ("thigh_l", "left femoral head"),
        ("thigh_r", "right femoral head"),
        ("arm_r", "right humeral head"),
        ("clavicle_l", "left sternoclavicular joint"),
    ],
)
def test_joints_are_named_where_segments_turn(segment: str, words: str) -> None:
    # witness: the centres of the joints about which the skeleton's segments turn, measured apart from the places
    x, _, z = next(one.pivot_mm for one in SEGMENTS if one.name == segment)
    assert named(default_atlas(), x, z, ViewName.ANTERIOR).words == words


def test_places_of_the_pelvis_and_shoulder_are_told_apart() -> None:
    # witness: the hip bone ends at x 146, z 1029 (crest) and z 823 (ischium), the scapula at x 168, z 1420 and z 1255
    front, back = ViewName.ANTERIOR, ViewName.POSTERIOR
    said = {
        "left iliac crest": (110.0, 1022.0, back),
        "right ischium": (-64.0, 842.0, back),
        "left pubis near the symphysis": (15.0, 855.0, front),
        "right acromioclavicular joint": (-150.0, 1412.0, back),
        "left inferior angle of the scapula": (92.0, 1284.0, back),
        "left sacroiliac joint": (46.0, 966.0, back),
    }
    assert {named(default_atlas(), x, z, view).words: words for words, (x, z, view) in said.items()} == {
        words: words for words in said
    }


def test_a_place_at_the_front_is_not_named_from_behind() -> None:
    assert named(default_atlas(), 134.0, 986.0, ViewName.ANTERIOR).site == "anterior_superior_iliac_spine"
    assert named(default_atlas(), 134.0, 986.0, ViewName.POSTERIOR).site == "iliac_wing"


def test_places_move_with_the_fitted_body() -> None:
    pose = default_pose()
    shift = {"pelvis.height_log": 0.1, "pelvis.width_log": 0.1, "thigh_l.spread_rad": 0.15}
    for k, parameter in enumerate(PARAMETERS):
        pose[k] = shift.get(parameter.name, 0.0)
    atlas = atlas_of(labels(pose))
    segment = [one.name for one in SEGMENTS]
    shaft, crest = np.array([[104.0, -3.0, 690.0], [112.0, 15.0, 1022.0]])
    moved = move_points(np.array([shaft, crest]), np.array([segment.index("thigh_l"), segment.index("pelvis")]), pose)
    # witness: points of the femur's shaft and of the crest, moved with their segments; 20 mm from where they were
    assert np.linalg.norm(moved - [shaft, crest], axis=1).min() > 8.0
    assert named(atlas, moved[0, 0], moved[0, 2], ViewName.ANTERIOR).site == "femur_middle_shaft"
    assert named(atlas, moved[1, 0], moved[1, 2], ViewName.POSTERIOR).site == "iliac_crest"


def test_of_two_ribs_that_cross_each_view_names_the_nearer() -> None:
    # witness: the ellipsoids' own depths: one rib's front above another's back on one ray, 60 mm apart and more
    ribs = [k for k, b in enumerate(SKELETON.bone_index) if SKELETON.bones[b].startswith("rib_")]
    centres = SKELETON.centres_mm
    crossings = [
        (i, j)
        for i in ribs
        for j in ribs
        if centres[i, 1] < -30 and centres[j, 1] > 30 and np.hypot(*(centres[i] - centres[j])[[0, 2]]) < 8.0
    ]
    assert len(crossings) >= 4
    right = 0
    for i, j in crossings:
        x, z = (float(np.mean(centres[[i, j], k])) for k in (0, 2))
        front = named(default_atlas(), x, z, ViewName.ANTERIOR)
        back = named(default_atlas(), x, z, ViewName.POSTERIOR)
        right += front.bone == SKELETON.bones[SKELETON.bone_index[i]] and "anterior" in front.words
        right += back.bone == SKELETON.bones[SKELETON.bone_index[j]] and "posterior" in back.words
    assert right >= 1.3 * len(crossings)  # of 2; a third rib or the breastbone may lie on the ray, or it is lateral


def test_without_a_fitted_pose_bones_are_named_without_places() -> None:
    atlas = atlas_of(labels(default_pose(), fitted=False))
    place = named(atlas, 104.0, 690.0, ViewName.ANTERIOR)
    assert (place.bone, place.site, place.words) == ("femur_l", "", bone("femur_l").name)


def test_ends_of_limbs_are_known_by_their_places() -> None:
    assert [end_of(one) for one in ("femoral_neck", "femur_middle_shaft", "medial_femoral_condyle", "")] == [
        "proximal",
        "",
        "distal",
        "",
    ]
