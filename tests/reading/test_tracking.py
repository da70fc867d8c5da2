"""A number is given once in a chain of edits, and what made a finding tells it from every other one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.reading.revised import case

from bonescan.errors import InvalidValue
from bonescan.reading.edits import Delete, Draw, Made, Reshape, Split, edit_of, plain
from bonescan.reading.model import Revision
from bonescan.reading.revision import revise
from bonescan.reading.tracking import identities, identities_of, numbered
from bonescan.scan import ViewName

RING = ((10.0, 10.0), (10.0, 20.0), (20.0, 20.0))
DRAW = Draw(outlines={ViewName.ANTERIOR: RING})
SPLIT = Split(finding=2, view=ViewName.ANTERIOR, line=((0.0, 0.0), (9.0, 9.0)))
AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def test_what_tells_no_number_counts_on_past_all_that_ever_was():
    told = numbered([DRAW, replace(DRAW, number=9), Delete(finding=9), SPLIT, DRAW], {1, 2, 3})
    assert [one.number for one in told if isinstance(one, Draw | Split)] == [4, 9, 10, 11]
    assert numbered(told, {1, 2, 3}) == told


@pytest.mark.parametrize("number", [3, 4])
def test_a_number_is_not_given_twice(number):
    with pytest.raises(InvalidValue, match=f"number {number} already") as caught:
        numbered([DRAW, replace(SPLIT, number=number)], {1, 2, 3})
    assert caught.value.facts["edit"] == 1


def test_a_drawn_finding_has_the_number_it_is_told():
    one = case(with_network=False)
    last = max(finding.id for finding in one.reading.findings)
    outline = next(iter(one.reading.findings[0].views.values())).outline
    view = next(iter(one.reading.findings[0].views))
    drawn = revise(one, [Draw(outlines={view: outline}, number=last + 7)])
    assert {finding.id for finding in drawn.findings} - {finding.id for finding in one.reading.findings} == {last + 7}
    with pytest.raises(InvalidValue, match="already"):
        revise(one, [Draw(outlines={view: outline}, number=last)])


def test_two_drafts_that_draw_under_one_number_have_two_identities():
    """By other hands, at other moments, or other outlines; the same edit is the same finding."""
    made = replace(DRAW, number=5, made=Made(by="Dr. Ada", at=AT))
    others = [
        replace(made, made=Made(by="Dr. Bob", at=AT)),
        replace(made, made=Made(by="Dr. Ada", at=AT.replace(minute=31))),
        replace(made, outlines={ViewName.POSTERIOR: RING}),
        replace(made, number=6),
        replace(SPLIT, number=5),
    ]
    every = [identities((), [one]) for one in (made, *others)]
    assert len({next(iter(one.values())) for one in every}) == len(every)
    assert identities((), [edit_of(plain(made))]) == every[0]


def test_a_finding_keeps_its_identity_under_later_edits_and_another_reading_of_its_number_has_another():
    read = case(with_network=False).reading
    first, second = read.findings[:2]
    assert identities(read.findings)[first.id] != identities(read.findings)[second.id]
    reshaped = [Reshape(finding=first.id, view=ViewName.ANTERIOR, outline=RING)]
    assert identities(read.findings, reshaped) == identities(read.findings) == identities_of(read)
    anew = replace(second, id=first.id)  # another day's reading numbers them otherwise
    assert identities([anew])[first.id] != identities([first])[first.id]


def test_a_revised_reading_says_what_its_revision_kept():
    read = case(with_network=False).reading
    kept = {read.findings[0].id: "kept"}
    revised = replace(read, revision=Revision(of_version=1, edits=(), by="Dr. Ada", identities=kept))
    assert identities_of(revised) == identities_of(read) | kept


@pytest.mark.parametrize(
    "told", [{"by": "Dr. Ada"}, {"at": "2026-03-01"}, {"by": "", "at": "2026-03-01"}, {"by": "x", "at": "today"},
             {"number": 0}, {"number": "4"}]
)  # fmt: skip
def test_stamps_that_are_none_are_refused(told):
    with pytest.raises(InvalidValue):
        edit_of(plain(DRAW) | told)


def test_what_makes_no_finding_has_no_number():
    with pytest.raises(InvalidValue, match="has no 'number'"):
        edit_of({"do": "delete", "finding": 1, "number": 4})
