from __future__ import annotations

from dataclasses import dataclass, replace

import nibabel
import numpy as np
import pytest
from tests.patient.bodies import Lying

from bonescan.anatomy.skeleton import default_skeleton
from bonescan.anatomy.tissues import tissue
from bonescan.dicom.volumes import open_volume
from bonescan.errors import GeometryMismatch, InvalidValue
from bonescan.field import Field
from bonescan.patient import Focus, Patient
from bonescan.patient.outside import Label, OutsideBody, read_label_table
from bonescan.tracer.biokinetics import Physiology
from bonescan.tracer.radiopharmaceuticals import radiopharmaceutical

BONES = default_skeleton().bones
PERSON = Lying(sex="female", stature_mm=1630, mass_kg=60, bladder_ml=200)


@dataclass(frozen=True)
class Finding:
    """The least that a lesion is."""

    id: str
    bone: str
    foci: tuple[Focus, ...]
    kind: str = "test"


LESIONS = tuple(
    Finding(
        id=bone,
        bone=bone,
        foci=(
            Focus(
                segment=segment, centre_mm=np.array(centre), axes_mm=20 * np.eye(3), bones=(bone,), uptake_factor=6.0
            ),
        ),
    )
    for bone, segment, centre in (
        ("vertebra_l03", "lumbar", (0.0, 0.0, 1060.0)),
        ("femur_l", "thigh_l", (122.0, 14.0, 800.0)),
        ("hip_bone_r", "pelvis", (-60.0, 45.0, 985.0)),
    )
)


@pytest.fixture(scope="module")
def own() -> tuple[Field, dict[int, Label]]:
    """Our own person as somebody else's labelled volume."""
    voxels = PERSON.labelled(5.0).voxels
    labels = np.where(
        voxels.bone > 0,
        voxels.bone,
        np.where(
            voxels.organ > 0,
            300 + voxels.organ.astype(int),
            np.where(voxels.tissue > 0, 500 + voxels.tissue.astype(int), 0),
        ),
    )
    table = {k + 1: Label(bones=(bone,)) for k, bone in enumerate(voxels.bones)}
    table |= {500 + k: Label(tissue=name) for k, name in enumerate(voxels.tissues) if k}
    for k, organ in enumerate(voxels.organs):
        here = voxels.tissue[(voxels.organ == k + 1) & (voxels.bone == 0)]
        if len(here):
            table[301 + k] = Label(organ=organ, tissue=voxels.tissues[here[0]])
    return Field(values=labels.astype(np.int16), grid=voxels.grid, unit="1"), table


def patient_of(body) -> Patient:
    return Patient(
        person=body,
        tracer=radiopharmaceutical("Tc-99m MDP"),
        physiology=Physiology(sex="female", mass_kg=60),
        injected_mbq=600,
        lesions=LESIONS,
    )


def test_our_own_body_comes_back_through_a_file_as_the_same_patient(own, tmp_path):
    labels, table = own
    grid = labels.grid
    step = np.asarray(grid.axes) * np.asarray(grid.spacing_mm)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = step, grid.origin_mm
    affine[:2] *= -1  # NIfTI points right and forwards
    nibabel.save(nibabel.Nifti1Image(labels.values, affine), tmp_path / "body.nii.gz")
    back = open_volume(tmp_path / "body.nii.gz")
    assert (back.values == labels.values).all()
    assert back.grid.origin_mm == pytest.approx(grid.origin_mm)

    body = OutsideBody(labels=back, table=table, sex="female", mass_kg=60)
    ours, theirs = patient_of(PERSON).volumes(3.0, 5.0), patient_of(body).volumes(3.0)
    held = 600e3 * (1 - theirs.truth.shares["decayed"] - theirs.truth.shares["voided"])
    assert theirs.activity.total == pytest.approx(held, rel=1e-9)
    assert theirs.truth.shares == pytest.approx(ours.truth.shares, rel=0.02)
    assert (theirs.bones.values == ours.bones.values).all()
    for one, other in zip(ours.truth.lesions, theirs.truth.lesions, strict=True):
        # places are told by each bone's moments, not by its ellipsoids: a few mm, so some of a ball's rim differs
        assert np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm)) < 6
        assert other.activity_kbq == pytest.approx(one.activity_kbq, rel=0.2)
        assert set(other.bones) == {one.bone}
    for name in ("vertebra_l01", "femur_l", "tibia_r", "hip_bone_l", "scapula_l", "skull_frontal"):
        assert theirs.truth.bones[name].suv_mean == pytest.approx(ours.truth.bones[name].suv_mean, rel=0.05)
        assert theirs.truth.bones[name].mineral_g == pytest.approx(ours.truth.bones[name].mineral_g, rel=1e-3)


def test_bones_labelled_as_one_are_parted(own):
    labels, table = own
    groups = {"vertebra_t": 900, "rib": 901, "femur": 902, "tarsal": 903}
    values, merged = labels.values.copy(), dict(table)
    for prefix, number in groups.items():
        ids = [k for k, label in table.items() if label.bones and label.bones[0].startswith(prefix)]
        values[np.isin(values, ids)] = number
        merged[number] = Label(bones=tuple(bone for bone in BONES if bone.startswith(prefix)))
    body = OutsideBody(labels=Field(values=values, grid=labels.grid, unit="1"), table=merged, sex="female", mass_kg=60)
    ours, theirs = PERSON.labelled(5.0).voxels.bone, body.labelled(5.0).voxels.bone
    for prefix, least in (("femur", 0.99), ("vertebra_t", 0.8), ("rib", 0.75), ("tarsal", 0.7)):
        own_bones = np.isin(ours, [k + 1 for k, bone in enumerate(BONES) if bone.startswith(prefix)])
        assert (ours == theirs)[own_bones].mean() > least


def test_a_ct_gives_density_and_the_tissue_of_what_has_no_label(own):
    labels, table = own
    bones = {k: label for k, label in table.items() if label.bones}
    values = np.where(labels.values < 300, labels.values, 0)
    voxels = PERSON.labelled(5.0).voxels
    hounsfield = np.full(values.shape, -1000.0, dtype=np.float32)
    for k, name in enumerate(voxels.tissues):
        if k:
            hounsfield[voxels.tissue == k] = {"adipose": -100.0, "lung": -700.0}.get(name, 40.0)
    hounsfield[values > 0] = 600.0
    hounsfield[values == BONES.index("femur_l") + 1] = 1200.0
    body = OutsideBody(
        labels=Field(values=values, grid=labels.grid, unit="1"),
        table=bones,
        sex="female",
        ct=Field(values=hounsfield, grid=labels.grid, unit="[hnsf'U]"),
    )
    seen = body.labelled(5.0).voxels
    inside = voxels.tissue > 0
    assert ((seen.tissue > 0) == (inside | (voxels.organ > 0))).mean() > 0.999
    fat = (voxels.tissue == voxels.tissues.index("adipose")) & (voxels.bone == 0)
    assert (seen.tissue[fat] == seen.tissues.index("adipose")).all()
    assert body.mass_kg == pytest.approx(voxels.mass_kg, rel=0.1)
    volumes = Patient(
        person=body,
        tracer=radiopharmaceutical("Tc-99m MDP"),
        physiology=Physiology(sex="female", mass_kg=body.mass_kg),
        injected_mbq=600,
    ).volumes(3.0)
    bone = volumes.truth.bones
    dense, light = (bone[name].mineral_g / bone[name].volume_ml for name in ("femur_l", "femur_r"))
    assert dense > 1.5 * light
    with pytest.raises(GeometryMismatch):
        OutsideBody(
            labels=labels, table=table, sex="female", ct=Field(values=hounsfield[:-1], unit="1", grid=cut(labels))
        )


def cut(labels: Field):
    grid = labels.grid
    return type(grid)(
        shape=(grid.shape[0] - 1, *grid.shape[1:]), spacing_mm=grid.spacing_mm, origin_mm=grid.origin_mm, axes=grid.axes
    )


def test_tables_of_others_are_understood():
    # words as the organ list of ICRP Publication 110 and common segmentations of a CT write them
    table = read_label_table(
        "Organ list\n\n"
        "1\tAdrenal words are not needed, liver\t33\t1.050\n"
        "13 Humeri, upper half, cortical   2  1.920\n"
        "27,Cranium; cortical\n"
        "46 Cervical spine, spongiosa 5 1.05\n"
        "89 Kidney, left, cortex\n"
        "138 Urinary bladder content 1.04\n"
        "200 vertebrae_L5\n201 rib_left_7\n202 hip_right\n203 femur_l\n204 muscle\n0 air\n"
    )
    assert table[1].organ == "liver"
    assert table[13].bones == ("humerus_l", "humerus_r")
    assert all(bone.startswith("skull") for bone in table[27].bones)
    assert len(table[46].bones) == 7
    assert (table[89].organ, table[138].organ, table[138].tissue) == ("kidney_l", "bladder", "urine")
    assert [table[k].bones for k in (200, 201, 202, 203)] == [
        ("vertebra_l05",),
        ("rib_07_l",),
        ("hip_bone_r",),
        ("femur_l",),
    ]
    assert (table[204].tissue, table[0].tissue) == ("muscle", "air")
    assert tissue(table[204].tissue).density_g_per_ml == 1.05
    with pytest.raises(InvalidValue, match="flux capacitor"):
        read_label_table("1 flux capacitor")
    with pytest.raises(InvalidValue, match="no label"):
        read_label_table("nothing here")


@pytest.mark.parametrize(
    "wrong", [{"sex": "other"}, {"age_years": 3}, {"handedness": "no"}, {"table": {}}, {"labels": "halves"}]
)
def test_a_body_that_cannot_be_is_refused(own, wrong):
    labels, table = own
    if "labels" in wrong:
        wrong = {"labels": Field(values=labels.values + 0.5, grid=labels.grid, unit="1")}
    with pytest.raises(InvalidValue):
        OutsideBody(**{"labels": labels, "table": table, "sex": "female", **wrong})


def test_a_bone_of_a_few_voxels_takes_no_tracer_from_the_others(own):
    # of three voxels a bone's axis cannot be told: its uptake once became no number, and all bone lost its tracer
    labels, table = own
    values = labels.values.copy()
    femur = np.flatnonzero(values == BONES.index("femur_l") + 1)
    values.reshape(-1)[femur[3:]] = 0
    body = OutsideBody(labels=Field(values=values, grid=labels.grid, unit="1"), table=table, sex="female", mass_kg=60)
    volumes = patient_of(body).volumes(3.0)
    held = 600e3 * (1 - volumes.truth.shares["decayed"] - volumes.truth.shares["voided"])
    assert volumes.activity.total == pytest.approx(held, rel=1e-9)
    assert volumes.truth.bones["femur_l"].activity_kbq > 0
    assert volumes.truth.bones["femur_r"].suv_mean > 1


@pytest.mark.parametrize("wrong", ["no bone", "label", "ct", "mass", "metres"])
def test_bodies_that_nothing_can_be_measured_in_are_refused(own, wrong):
    labels, table = own
    given = {"labels": labels, "table": table, "sex": "female"}
    grid, values = labels.grid, labels.values
    if wrong == "no bone":
        given["labels"] = Field(values=np.where(values < 300, 0, values), grid=grid, unit="1")
    elif wrong == "label":  # a table by label would take a terabyte
        given["labels"] = Field(values=np.where(values == values.max(), 2**40, values.astype(np.int64)), grid=grid,
                                unit="1")  # fmt: skip
        given["table"] = table | {2**40: Label(tissue="muscle")}
    elif wrong == "ct":
        given["ct"] = Field(values=np.full(values.shape, np.nan, np.float32), grid=grid, unit="[hnsf'U]")
    elif wrong == "mass":
        given["mass_kg"] = float("nan")
    else:
        wide = replace(grid, spacing_mm=tuple(1000 * length for length in grid.spacing_mm))
        given["labels"] = Field(values=values, grid=wide, unit="1")
    with pytest.raises(InvalidValue):
        OutsideBody(**given)


def test_a_rib_that_nobody_has_is_not_all_ribs():
    with pytest.raises(InvalidValue, match="rib_left_77"):
        read_label_table("1 rib_left_77")


@pytest.mark.parametrize(("axis", "said"), [(0, "head and feet"), (2, "left and right")])
def test_a_body_turned_against_its_grid_is_refused(own, axis, said):
    labels, table = own
    turned = Field(values=np.flip(labels.values, axis).copy(), grid=labels.grid, unit="1")
    with pytest.raises(InvalidValue, match=said):
        OutsideBody(labels=turned, table=table, sex="female")
