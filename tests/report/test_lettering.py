from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonescan.report.lettering import Target, place_letters, spread


def target(letter: str, x: float, y: float) -> Target:
    return Target(letter=letter, x=x, y=y, left_x=x - 5, right_x=x + 5)


def test_three_on_one_spot_move_apart_evenly() -> None:
    # Witness: minimise (y-1)^2 + y^2 + (y+1)^2 over the middle position: y = wanted.
    assert spread([50, 50, 50], 10, 0, 100) == pytest.approx([40, 50, 60])


def test_a_lone_position_outside_the_others_reach_stays() -> None:
    assert spread([50, 50, 90], 10, 0, 100) == pytest.approx([45, 55, 90])


def test_a_crowd_at_the_edge_is_pushed_inside() -> None:
    assert spread([0, 0, 0], 10, 0, 100) == pytest.approx([0, 10, 20])
    assert spread([100, 100], 10, 0, 100) == pytest.approx([90, 100])


@given(st.lists(st.floats(-50, 1050), min_size=1, max_size=29))
def test_spread_keeps_the_spacing_and_the_bounds(wanted: list[float]) -> None:
    heights = spread(sorted(wanted), 35, 0, 1000)
    assert min(np.diff(heights), default=35) >= 35 - 1e-6
    assert heights[0] >= -1e-6
    assert heights[-1] <= 1000 + 1e-6


def test_spread_is_the_least_squares_solution() -> None:
    # Witness: SciPy's general solver on the same constrained problem.
    from scipy.optimize import LinearConstraint, minimize

    wanted = np.sort(np.random.default_rng(3).uniform(0, 300, 9))
    step = np.diff(np.eye(9), axis=0)
    solved = minimize(
        lambda y: ((y - wanted) ** 2).sum(),
        np.linspace(20, 280, 9),
        method="SLSQP",
        bounds=[(0, 300)] * 9,
        constraints=[LinearConstraint(step, 30, np.inf)],
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert spread(wanted.tolist(), 30, 0, 300) == pytest.approx(solved.x, abs=1e-3)


def test_letters_stand_on_their_own_side_in_the_order_of_their_targets() -> None:
    placed, left_out = place_letters(
        [target("A", 20, 80), target("B", 180, 10), target("C", 30, 20)], middle_x=100, top=0, bottom=100, pitch=10
    )
    assert left_out == []
    assert [(p.target.letter, p.on_left) for p in placed] == [("C", True), ("A", True), ("B", False)]


def test_a_full_margin_sends_letters_to_the_other_and_then_leaves_out_the_last() -> None:
    targets = [target(letter, 20, 50) for letter in "ABCDE"]
    placed, left_out = place_letters(targets, middle_x=100, top=0, bottom=100, pitch=10, most=2)
    assert sorted(p.target.letter for p in placed if p.on_left) == ["A", "B"]
    assert sorted(p.target.letter for p in placed if not p.on_left) == ["C", "D"]
    assert [t.letter for t in left_out] == ["E"]
