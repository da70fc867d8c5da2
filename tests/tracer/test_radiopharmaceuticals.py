from __future__ import annotations

import pytest

from bonescan.anatomy.tables import rows
from bonescan.errors import InvalidValue
from bonescan.tracer.radiopharmaceuticals import (
    CERTAINTIES,
    RADIOPHARMACEUTICALS,
    Constant,
    Limit,
    radiopharmaceutical,
)


@pytest.mark.parametrize("name", RADIOPHARMACEUTICALS)
def test_every_number_says_where_it_is_from_and_how_sure_it_is(name):
    tracer = radiopharmaceutical(name)
    numbers = [*tracer.constants.values(), *(number for row in tracer.doses.values() for number in row.values())]
    assert len(numbers) > 50
    assert all(number.source and number.unit and number.certainty in CERTAINTIES for number in numbers)
    assert all(limit.source and limit.unit for limit in tracer.limits)
    assert "[" in tracer.nuclide.source


def test_decay_is_half_after_a_half_life():
    tc = radiopharmaceutical("Tc-99m MDP").nuclide
    assert tc.remaining(tc.half_life_h) == pytest.approx(0.5)
    assert tc.half_life_h == pytest.approx(6.02, abs=0.02)  # FDA label


def test_the_first_photon_is_the_one_that_is_imaged():
    assert radiopharmaceutical("Tc-99m HDP").nuclide.photons[0] == pytest.approx((140.5, 0.8907), rel=1e-3)  # FDA label
    assert radiopharmaceutical("F-18 fluoride").nuclide.photons[0] == pytest.approx((511, 1.94))


def test_the_shortest_shelf_life_holds_and_authorities_may_differ():
    mdp = radiopharmaceutical("Tc-99m MDP")
    assert mdp.kit_shelf_life_h == 6  # EANM 2016
    assert mdp.limit("kit_shelf_life", "label").high == 12  # FDA label MDP-25
    assert mdp.limit("adult_activity", "EANM").low == 300
    assert mdp.limit("adult_activity", "the moon") is None
    assert radiopharmaceutical("F-18 fluoride").kit_shelf_life_h is None


def test_what_was_not_found_is_absent_not_zero():
    fluoride = radiopharmaceutical("F-18 fluoride").doses
    assert "thyroid" not in fluoride
    assert set(fluoride["brain"]) == {20.0}


def test_blood_volumes_and_flows_are_shares_of_the_whole():
    table = tuple(rows("circulation", "tracer"))
    assert sum(float(row["blood"]) for row in table) == pytest.approx(1)
    assert sum(float(row["flow"]) for row in table[4:]) == pytest.approx(1)


def test_unknown_names_and_impossible_constants_are_refused():
    with pytest.raises(InvalidValue, match="Tc-99m MDP"):
        radiopharmaceutical("radium")
    with pytest.raises(InvalidValue):
        Constant(value=1.0, unit="h", source="x", certainty="sure")
    with pytest.raises(InvalidValue):
        Constant(value=float("nan"), unit="h", source="x", certainty="V")
    for low, high in ((None, None), (5.0, 2.0), (-1.0, None)):
        with pytest.raises(InvalidValue):
            Limit(quantity="q", authority="a", low=low, high=high, unit="h", source="x", certainty="V")
