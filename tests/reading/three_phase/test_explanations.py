"""Every row of the table of facts: sure calls of its pattern put it first, and what separates neighbours does."""

from __future__ import annotations

import pytest

from bonescan.reading.three_phase.explanations import Call, Calls, Judgement, explain, phase_table
from bonescan.scan import Phase

SURE = {
    "focal up": Judgement(focal=1.0, up_if_focal=1.0, down_if_focal=0.0, up_if_diffuse=1.0, down_if_diffuse=0.0),
    "diffuse up": Judgement(focal=0.0, up_if_focal=1.0, down_if_focal=0.0, up_if_diffuse=1.0, down_if_diffuse=0.0),
    "normal": Judgement(focal=0.0, up_if_focal=0.0, down_if_focal=0.0, up_if_diffuse=0.0, down_if_diffuse=0.0),
    "down": Judgement(focal=0.0, up_if_focal=0.0, down_if_focal=1.0, up_if_diffuse=0.0, down_if_diffuse=1.0),
}


def calls(flow: str, pool: str, delayed: str, bone_more: float | None = None) -> Calls:
    said = {Phase.FLOW: SURE[flow], Phase.POOL: SURE[pool], Phase.DELAYED: SURE[delayed]}
    return Calls(side="left", judgements=said, bone_more=bone_more)


# flow, pool, delayed, whether bone has more of the delayed excess, part -> rows that fit, in order
ROWS = [
    ("focal up", "focal up", "focal up", None, "LEG", ["osteomyelitis", "acute_fracture"]),
    ("diffuse up", "diffuse up", "normal", None, "LEG", ["cellulitis"]),
    ("diffuse up", "diffuse up", "diffuse up", 0.0, "HAND", ["cellulitis"]),
    ("normal", "normal", "focal up", None, "KNEE", ["remodelling"]),
    ("normal", "normal", "diffuse up", 1.0, "KNEE", ["remodelling"]),
    ("diffuse up", "diffuse up", "focal up", None, "ARM", ["acute_fracture"]),
    ("diffuse up", "diffuse up", "diffuse up", 1.0, "HAND", ["regional_pain_early"]),
    ("down", "down", "down", None, "FOOT", ["regional_pain_late"]),
    ("down", "down", "normal", None, "FOOT", ["regional_pain_late"]),
    ("down", "down", "diffuse up", None, "HAND", ["regional_pain_late"]),
    ("normal", "normal", "normal", None, "FOOT", ["no_asymmetry"]),
    ("focal up", "focal up", "normal", None, "LEG", []),
    ("down", "down", "normal", None, "THIGH", []),
]


@pytest.mark.parametrize(("flow", "pool", "delayed", "bone_more", "part", "fitting"), ROWS)
def test_a_row_of_the_table_fits_its_pattern_and_no_other(flow, pool, delayed, bone_more, part, fitting):
    found = explain([calls(flow, pool, delayed, bone_more)], part)
    assert [one.code for one in found if one.fits] == fitting
    assert [one.code for one in found][: len(fitting)] == fitting


def test_without_a_side_less_on_one_is_weighed_as_more_on_the_other():
    own = calls("diffuse up", "diffuse up", "normal")
    other = Calls(side="right", judgements={phase: one.turned for phase, one in own.judgements.items()})
    found = [(one.code, one.side) for one in explain([own, other], "FOOT") if one.fits]
    assert found == [("cellulitis", "left"), ("regional_pain_late", "right")]


def test_a_missing_phase_leaves_together_what_it_would_separate():
    whole = calls("diffuse up", "diffuse up", "normal")
    early = Calls(side="left", judgements={p: whole.judgements[p] for p in (Phase.FLOW, Phase.POOL)})
    fits = {one.code: one for one in explain([early], "HAND") if one.fits}
    assert {"cellulitis", "regional_pain_early"} <= set(fits)
    assert any("delayed" in text for text in fits["cellulitis"].evidence_against)


def test_probabilities_of_a_doubtful_phase_sum_to_one_and_turn_around():
    judged = Judgement(focal=0.3, up_if_focal=0.6, down_if_focal=0.1, up_if_diffuse=0.2, down_if_diffuse=0.3)
    assert sum(judged.probabilities.values()) == pytest.approx(1.0)
    assert judged.turned.probabilities[Call.DOWN] == pytest.approx(judged.probabilities[Call.DIFFUSE_UP])
    assert judged.turned.turned == judged


def test_every_row_has_its_source_and_what_it_cannot_tell():
    for row in phase_table():
        assert row.source
        assert row.cannot_tell
        assert set(row.calls) == set(Phase)
