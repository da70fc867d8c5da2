from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.conftest import SHAPE as SMALL
from tests.evaluation.made import lesion, record, seen

from bonescan.errors import GeometryMismatch
from bonescan.evaluation import Circle, agreement_with_circles, circles_of, compare, truth_of, unread
from bonescan.measurement import Measurement
from bonescan.reading.model import Impression, Nature
from bonescan.scan import ViewName

POSTERIOR = ViewName.POSTERIOR


def true_of(lesions, disturbances=(), regions=None):
    """Truth of the small reading: a spot in rows 20 to 22, columns 5 to 7 of its posterior view, pixels of 30 mm."""
    told = record(lesions, list(disturbances))
    for picture in told["pictures"]:
        picture |= {"row_spacing_mm": 30.0, "column_spacing_mm": 30.0}
    return truth_of(told, {} if regions is None else {POSTERIOR: regions}, {})


def test_a_comparison_says_what_was_hit_missed_and_called_something_else(small_reading):
    lesions = [
        lesion(1, {"posterior": seen(21, 6)}),
        lesion(2, {"posterior": seen(50, 6)}, metastasis=False),
    ]
    told = compare(small_reading, true_of(lesions, regions=np.full(SMALL, 4, np.uint8)))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["group"] == "metastatic"
    assert told["regions"] == {"posterior": {"dice": {"4": 1.0}, "area_ratio": {"4": 1.0}}}
    bone, kidney = told["marks"]
    assert (bone["hits"], bone["metastasis"], bone["significance"]) == ([1], True, 7.0)
    assert bone["name"] == {"bone": True, "one_level": True, "side": True}
    assert kidney["kind"] == "physiologic"
    hit, missed = told["lesions"]
    assert (hit["found"], hit["significance"], hit["found_in"], hit["taken_for"]) == (True, 7.0, ["posterior"], None)
    assert (missed["found"], missed["significance"], missed["visible"]) == (False, None, True)
    assert told["burden"]["bone_scan_index_percent"] == 1.25
    assert told["burden"]["true_percent"] == 1.5
    assert told["impression"]["metastatic"] is None


def test_a_lesion_taken_for_a_kidney_is_missed(small_reading):
    only_kidney = replace(small_reading, findings=small_reading.findings[1:])
    (own,) = compare(only_kidney, true_of([lesion(1, {"posterior": seen(21, 6)})]))["lesions"]
    assert (own["found"], own["taken_for"]) == (False, "physiologic")


def test_a_mark_on_a_disturbance_says_so(small_reading):
    spilt = lesion(1, {"posterior": seen(21, 6)}, metastasis=False, kind="urine_on_skin")
    told = compare(small_reading, true_of([], [spilt]))
    assert told["marks"][0]["hits"] == []
    assert told["marks"][0]["disturbances"] == ["urine_on_skin"]
    assert told["group"] == "normal"


@pytest.mark.parametrize(
    ("bones", "expected"),
    [
        ({"rib_08_l": 1.0}, (False, True, True)),
        ({"rib_09_l": 1.0}, (False, False, True)),
        ({"rib_07_r": 1.0}, (False, False, False)),
        ({"vertebra_t07": 1.0}, (False, False, False)),
        ({"rib_09_l": 3.0, "rib_07_l": 1.0}, (True, True, True)),  # a quarter of it lies there
        ({"rib_09_l": 3.1, "rib_07_l": 1.0}, (False, False, True)),
    ],
)
def test_names_are_right_nearly_right_or_wrong(small_reading, bones, expected):
    own = lesion(1, {"posterior": seen(21, 6)}, bone=next(iter(bones)), bones=bones)
    name = compare(small_reading, true_of([own]))["marks"][0]["name"]  # the finding is in the left 7th rib
    assert (name["bone"], name["one_level"], name["side"]) == expected


def test_vertebrae_are_one_level_apart_across_the_parts_of_the_spine(small_reading):
    first = replace(small_reading.findings[0], bone="vertebra_t12")
    own = lesion(1, {"posterior": seen(21, 6)}, bone="vertebra_l01", bones={"vertebra_l01": 1.0})
    told = compare(replace(small_reading, findings=(first,)), true_of([own]))
    assert told["marks"][0]["name"] == {"bone": False, "one_level": True, "side": True}


def test_probabilities_and_impressions_are_kept(small_reading):
    first = replace(small_reading.findings[0], natures={Nature.METASTATIC: 0.7, Nature.TRAUMATIC: 0.3})
    likely = Measurement(value=0.8, unit="1", method="impression")
    told = compare(
        replace(small_reading, findings=(first,), impression=Impression(sentences=("So.",), metastatic=likely)),
        true_of([lesion(1, {"posterior": seen(21, 6)})]),
    )
    assert told["marks"][0]["metastatic"] == told["lesions"][0]["metastatic"] == 0.7
    assert told["impression"]["metastatic"] == 0.8


def test_a_failed_reading_has_missed_everything():
    told = unread(true_of([lesion(1, {"posterior": seen(21, 6)})], regions=np.full(SMALL, 4, np.uint8)))
    assert told["regions"]["posterior"]["dice"] == {"4": 0.0}
    assert [one["found"] for one in told["lesions"]] == [False]
    assert told["marks"] == []
    assert told["burden"]["bone_scan_index_percent"] is None


def test_a_truth_of_another_study_is_refused(small_reading):
    with pytest.raises(GeometryMismatch, match="not of one study"):
        compare(small_reading, true_of([], regions=np.zeros((3, 3), np.uint8)))
    front = truth_of(None, {ViewName.ANTERIOR: np.zeros(SMALL, np.uint8)}, {})
    with pytest.raises(GeometryMismatch, match="none of the views"):
        compare(small_reading, front)


def circle(row: float, confidence: int = 3) -> Circle:
    return Circle(view=POSTERIOR, row=row, column=6, radius=2, confidence=confidence, words=f"row {row}")


def test_circles_are_found_missed_or_only_near(small_reading):
    # the bone finding has rows 20 to 22; a circle of radius 2 with 2 pixels of slack reaches it from row 26
    told = agreement_with_circles(small_reading.findings, [circle(26), circle(27), circle(40, 2)])
    assert (told["all"]["sure"], told["all"]["found"], told["all"]["missed"]) == (2, 1, ["row 27"])
    assert told["all"]["extra"] == []
    far, mimic = ([circle(row, 1)] for row in (31, 30))  # 9 and 8 rows from row 22; radius 2 and 6 of slack reach 8
    assert len(agreement_with_circles(small_reading.findings, far)["all"]["extra"]) == 1
    assert agreement_with_circles(small_reading.findings, mimic)["all"]["extra"] == []
    other = replace(small_reading.findings[0], in_burden=False)
    told = agreement_with_circles([other], [circle(21)])
    assert (told["all"]["found"], told["in_burden"]["found"]) == (1, 0)


def test_circles_come_from_a_visual_reading():
    told = {"findings": [{"view": "post", "row": 1, "col": 2, "radius": 3, "confidence": 4, "bone": "rib"}]}
    (own,) = circles_of(told)
    assert (own.view, own.row, own.column, own.radius, own.confidence) == (POSTERIOR, 1, 2, 3, 4)
