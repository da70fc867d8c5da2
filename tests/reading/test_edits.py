"""What is an edit and what is none; every one has a plain form that says all of it."""

from __future__ import annotations

import json
import math

import pytest

from bonescan.errors import InvalidValue
from bonescan.reading.edits import Change, Draw, edit_of, plain
from bonescan.reading.model import Kind, Nature

SQUARE = [[1, 2], [1, 9], [8.5, 9], [8.5, 2]]
EDITS = [
    {"do": "draw", "outlines": {"anterior": SQUARE}},
    {
        "do": "draw",
        "outlines": {"anterior": SQUARE, "posterior": SQUARE},
        "bone": "vertebra_l03",
        "nature": "traumatic",
    },
    {"do": "draw", "outlines": {"posterior": SQUARE}, "kind": "physiologic"},
    {"do": "reshape", "finding": 3, "view": "anterior", "outline": SQUARE},
    {"do": "reshape", "finding": 3, "view": "anterior", "outline": []},
    {"do": "split", "finding": 3, "view": "posterior", "line": [[1, 2], [3, 4]]},
    {"do": "merge", "findings": [3, 5]},
    {"do": "delete", "finding": 3},
    {"do": "change", "finding": 3, "kind": "artefact"},
    {"do": "change", "finding": 3, "bone": ""},
    {"do": "change", "finding": 3, "kind": "bone", "bone": "sacrum", "nature": "metastatic"},
    {"do": "change", "finding": 3, "nature": ""},
]


@pytest.mark.parametrize("told", EDITS, ids=lambda told: f"{told['do']}-{len(told)}")
def test_the_plain_form_says_all_of_an_edit(told):
    edit = edit_of(told)
    again = json.loads(json.dumps(plain(edit)))
    assert edit_of(again) == edit
    assert told.items() <= again.items()


def test_what_is_not_said_of_a_drawn_finding_is_left_to_the_reader():
    drawn = edit_of(EDITS[0])
    assert isinstance(drawn, Draw)
    assert (drawn.kind, drawn.bone, drawn.nature) == (Kind.BONE, "", None)


def test_a_change_keeps_what_it_does_not_name():
    changed = edit_of({"do": "change", "finding": 3, "nature": "other benign"})
    assert changed == Change(finding=3, nature=Nature.OTHER_BENIGN)


POINTS = "A point is a row and a column"
NONE = [
    ("draw", "is an object"),
    ({}, "does one of draw, reshape"),
    ({"do": "paint"}, "does one of"),
    ({"do": ["draw"]}, "does one of"),
    ({"do": "delete"}, "needs finding"),
    ({"do": "delete", "finding": 3, "view": "anterior"}, "has no 'view'"),
    ({"do": "delete", "finding": 3, "\ud800": 1}, r"has no '\\ud800'"),
    ({"do": "delete", "finding": 10**300}, "by its number"),
    ({"do": "delete", "finding": True}, "by its number"),
    ({"do": "delete", "finding": 3.0}, "by its number"),
    ({"do": "delete", "finding": None}, "by its number"),
    ({"do": "draw", "outlines": []}, "by its outlines"),
    ({"do": "draw", "outlines": {}}, "by its outlines"),
    ({"do": "draw", "outlines": {"anterior": []}}, "has no points"),
    ({"do": "draw", "outlines": {"lateral": SQUARE}}, "'anterior' or 'posterior'"),
    ({"do": "draw", "outlines": {"anterior": "round"}}, "list of points"),
    ({"do": "draw", "outlines": {"anterior": SQUARE[:2]}}, "three points"),
    ({"do": "draw", "outlines": {"anterior": [[0, 0]] * 2001}}, "more than 2000"),
    ({"do": "draw", "outlines": {"anterior": SQUARE}, "kind": "bony"}, "'bone', 'physiologic' or"),
    ({"do": "draw", "outlines": {"anterior": SQUARE}, "nature": "malignant"}, "metastatic, traumatic"),
    ({"do": "draw", "outlines": {"anterior": SQUARE}, "nature": "artefact"}, "metastatic, traumatic"),
    ({"do": "draw", "outlines": {"anterior": SQUARE}, "nature": None}, "metastatic, traumatic"),
    ({"do": "draw", "outlines": {"anterior": SQUARE}, "bone": "L3"}, "No bone has the id 'L3'"),
    ({"do": "draw", "outlines": {"anterior": SQUARE}, "kind": "artefact", "nature": "metastatic"}, "no nature"),
    ({"do": "reshape", "finding": 3, "view": "anterior", "outline": [[0, 0], [1, math.nan], [2, 2]]}, "far outside"),
    ({"do": "reshape", "finding": 3, "view": "anterior", "outline": [[0, 0], [1, math.inf], [2, 2]]}, "far outside"),
    ({"do": "reshape", "finding": 3, "view": "anterior", "outline": [[0, 0], [1, 10**400], [2, 2]]}, "far outside"),
    ({"do": "reshape", "finding": 3, "view": "anterior", "outline": [[0, 0], [1], [2, 2]]}, POINTS),
    ({"do": "reshape", "finding": 3, "view": "anterior", "outline": [[0, 0], [1, "2"], [2, 2]]}, POINTS),
    ({"do": "split", "finding": 3, "view": "anterior", "line": [[0, 0]]}, "two points"),
    ({"do": "split", "finding": 3, "view": "anterior", "line": [[1, 1], [1, 1]]}, "are one"),
    ({"do": "merge", "findings": [3]}, "Two findings"),
    ({"do": "merge", "findings": [3, 3]}, "with itself"),
    ({"do": "merge", "findings": "35"}, "Two findings"),
    ({"do": "change", "finding": 3}, "Nothing is changed"),
    ({"do": "change", "finding": 3, "kind": "physiologic", "nature": "metastatic"}, "no nature"),
]


@pytest.mark.parametrize(("told", "words"), NONE, ids=lambda one: str(one)[:40])
def test_what_is_no_edit_is_refused_in_a_sentence(told, words):
    with pytest.raises(InvalidValue, match=words) as raised:
        edit_of(told)
    said = str(raised.value)
    assert said.endswith(".")
    assert len(said) < 200
    assert said.encode()  # half of a sign could not be answered
