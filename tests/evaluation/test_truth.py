from __future__ import annotations

import copy

import pytest
from tests.evaluation.made import lesion, record, seen, truth

from bonescan.errors import UnreadableInput
from bonescan.evaluation import picture_names, truth_of
from bonescan.scan import ViewName


@pytest.mark.parametrize(
    ("appearance", "visible"),
    [
        (seen(1, 1, snr=5.0, contrast=1.3), True),
        (seen(1, 1, snr=4.9, contrast=9.0), False),
        (seen(1, 1, snr=99.0, contrast=1.29), False),
        (seen(1, 1, snr=5.0, contrast=None), True),  # nothing else would be there: infinite
        (seen(1, 1, snr=99.0, contrast=0.1, polarity="cold"), False),
    ],
)
def test_what_can_be_seen(appearance, visible):
    (own,) = truth([lesion(1, {"anterior": appearance})]).lesions
    assert own.visible is visible


def test_one_view_is_enough_to_be_seen_and_both_conditions_hold_in_one():
    faint, plain = seen(1, 1, snr=1.0), seen(1, 1)
    assert truth([lesion(1, {"anterior": faint, "posterior": plain})]).lesions[0].visible
    bright, noisy = seen(1, 1, snr=99.0, contrast=1.1), seen(1, 1, snr=2.0, contrast=9.0)
    assert not truth([lesion(1, {"anterior": bright, "posterior": noisy})]).lesions[0].visible
    assert not truth([lesion(1, {})]).lesions[0].visible


def test_people_are_grouped_by_what_they_have():
    benign = lesion(1, {}, metastasis=False)
    assert truth([]).group == "normal"
    assert truth([], disturbances=[lesion(1, {}, metastasis=False)]).group == "normal"
    assert truth([benign]).group == "benign"
    assert truth([benign, lesion(2, {})]).group == "metastatic"
    assert truth_of(None, {}, {}).group is None


def test_which_pictures_belong_to_the_views():
    names = [{"name": name, "view": view} for name, view in (
        ("flow_anterior", "anterior"), ("pool_anterior", "anterior"), ("delayed_anterior", "anterior"),
    )]  # fmt: skip
    assert picture_names({"pictures": names}) == {ViewName.ANTERIOR: "delayed_anterior"}
    assert picture_names(record([])) == {ViewName.ANTERIOR: "anterior", ViewName.POSTERIOR: "posterior"}
    two = [{"name": f"spot_{place}_anterior", "view": "anterior"} for place in ("head", "feet")]
    with pytest.raises(UnreadableInput, match="one place"):
        picture_names({"pictures": two})


def test_a_truth_of_another_version_or_without_its_parts_is_refused():
    with pytest.raises(UnreadableInput, match="another version"):
        truth_of(record([]) | {"schema_version": "2.0.0"}, {}, {})
    lacking = copy.deepcopy(record([lesion(1, {"anterior": seen(1, 1)})]))
    del lacking["lesions"][0]["views"]["anterior"]["snr"]
    with pytest.raises(UnreadableInput, match="snr"):
        truth_of(lacking, {}, {})
