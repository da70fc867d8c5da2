from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.made import case, found

from bonescan.errors import UnreadableInput
from bonescan.evaluation.agreement import agreement_figures_of_pairs, agreement_of_mirrored, mirrored


def person(name: str, index: float | None, lesions):
    burden = {"bone_scan_index_percent": index, "true_percent": 1.0, "true_by_bone_mass_percent": 1.0}
    return case(name, "metastatic", [], lesions, burden=burden)


def test_pairs_by_hand():
    first = [person("a", 1.0, [found(1, 5), found(2, 5)]), person("b", 2.0, [found(1, None)]), person("c", None, [])]
    second = [person("b", 1.6, [found(1, 5)]), person("a", 1.2, [found(1, 5), found(2, None)]), person("x", 9.0, [])]
    second.append(person("c", 1.0, []))
    told = {one.key: one for one in agreement_figures_of_pairs(first, second, "again")}
    assert told["pairs.again.sd"].n == 2  # the third was not given a first time
    assert told["pairs.again.sd"].value == pytest.approx(math.sqrt((0.2**2 + 0.4**2) / 4))
    assert told["pairs.again.sd.linear"].value == told["pairs.again.sd"].value  # 1 % is between 0.1 and 13
    assert told["pairs.again.bias"].value == pytest.approx(-0.1)
    assert told["pairs.again.error"].value == pytest.approx(0.3)
    # two found at first, two later, one of them both times: 2 x 1 over 4
    assert told["pairs.again.lesions"].value == pytest.approx(0.5)
    with pytest.raises(UnreadableInput, match="one name in both"):
        agreement_figures_of_pairs(first, second[2:3], "again")


def test_a_reading_agrees_with_its_mirror_image_and_not_with_itself(small_scan, small_reading):
    (view,) = mirrored(small_scan).views
    assert (view.counts == small_scan.views[0].counts[:, ::-1]).all()
    spot = small_reading.findings[0]
    flipped_spot = replace(
        spot, views={name: replace(shown, mask=shown.mask[:, ::-1]) for name, shown in spot.views.items()}
    )
    (labelled,) = small_reading.labels.views
    half = np.zeros_like(labelled.regions)
    half[:, :4] = 4
    own = replace(small_reading, labels=replace(small_reading.labels, views=(replace(labelled, regions=half),)))
    mirror = replace(
        own,
        labels=replace(own.labels, views=(replace(labelled, regions=half[:, ::-1]),)),
        findings=(flipped_spot,),
    )
    assert agreement_of_mirrored(own, mirror) == {
        "bone_scan_index_apart_percent": 0.0, "marks": 2, "alike": 2, "region_dice": 1.0,
    }  # fmt: skip
    told = agreement_of_mirrored(own, own)
    assert (told["marks"], told["alike"], told["region_dice"]) == (2, 0, 0.0)
