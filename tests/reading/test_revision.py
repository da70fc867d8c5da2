"""Laws of what a physician's edits do to a reading."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.reading import figure
from tests.reading.revised import FEMUR, HIP, case

from bonescan.errors import InvalidValue
from bonescan.reading.case import Case
from bonescan.reading.edits import JUDGED
from bonescan.reading.findings.natures import patient_likelihood
from bonescan.reading.findings.spots import letter_of
from bonescan.reading.model import Author, Finding, Kind, Nature, Polarity, Reading
from bonescan.reading.revision import edit_of, revise
from bonescan.scan import ViewName

RIB = (100.0, 330.0)
FRONT, BACK = "anterior", "posterior"


@pytest.fixture(scope="module")
def one() -> Case:
    return case(with_network=True)


@pytest.fixture(
    scope="module", params=[True, pytest.param(False, marks=pytest.mark.long)], ids=["with network", "without"]
)
def either(request: pytest.FixtureRequest) -> Case:
    return case(with_network=request.param)


def after(one: Case, *edits: dict) -> Reading:
    return revise(one, [edit_of(told) for told in edits])


def of(reading: Reading, number: int) -> Finding:
    (found,) = [finding for finding in reading.findings if finding.id == number]
    return found


def at(reading: Reading, place: tuple[float, float]) -> Finding:
    """The finding at a place of the body."""

    def away(finding: Finding) -> float:
        view, seen = next(iter(finding.views.items()))
        labelled = next(labelled for labelled in figure.LABELS.views if labelled.name is view)
        return math.dist((labelled.x_mm[seen.mask].mean(), labelled.z_mm[seen.mask].mean()), place)

    return min(reading.findings, key=away)


def ring(view: str, place: tuple[float, float], radius_mm: float = 15.0) -> list[list[float]]:
    """An outline around a place of the body."""
    labelled = next(one for one in figure.LABELS.views if one.name == view)
    row = (figure.TOP_MM - place[1]) / figure.PIXEL_MM
    column = float(
        np.interp(
            place[0], *(zip(*sorted(zip(labelled.x_mm[0], range(labelled.x_mm.shape[1]), strict=True)), strict=True))
        )
    )
    turns = np.linspace(0, 2 * math.pi, 24, endpoint=False)
    pixels = radius_mm / figure.PIXEL_MM
    return [[row + pixels * math.sin(turn), column + pixels * math.cos(turn)] for turn in turns]


def index(reading: Reading) -> float:
    value = reading.burden.bone_scan_index_percent.value
    assert value is not None
    return value


def same(a: Reading, b: Reading) -> bool:
    """Whether two readings say the same; findings of theirs that are equal are one object."""
    alike = len(a.findings) == len(b.findings)
    return (
        alike
        and all(x is y for x, y in zip(a.findings, b.findings, strict=True))
        and (a.burden == b.burden and a.impression == b.impression)
    )


def test_without_edits_the_reading_is_the_readers(one):
    assert revise(one, []) is one.reading


# --- outlines ---


def test_its_own_outline_changes_nothing(either):
    for finding in either.reading.findings[:2]:
        for view, seen in finding.views.items():
            outline = [list(point) for point in seen.outline]
            again = after(either, {"do": "reshape", "finding": finding.id, "view": str(view), "outline": outline})
            assert same(again, either.reading)


def test_a_larger_outline_is_measured_and_marked(one):
    hip = at(one.reading, HIP)
    wide = after(one, {"do": "reshape", "finding": hip.id, "view": FRONT, "outline": ring(FRONT, HIP, 30)})
    drawn = of(wide, hip.id)
    seen = drawn.views[ViewName.ANTERIOR]
    # witness: the circle's area, to half a pixel of its radius
    assert seen.area_mm2 == pytest.approx(math.pi * 30**2, rel=0.11)
    assert seen.uptake_ratio < hip.views[ViewName.ANTERIOR].uptake_ratio
    assert drawn.views[ViewName.POSTERIOR].uptake_ratio == hip.views[ViewName.POSTERIOR].uptake_ratio
    assert (drawn.letter, drawn.bone, drawn.drawn_by, drawn.judged_by) == (
        hip.letter, hip.bone, Author.PHYSICIAN, Author.READER,
    )  # fmt: skip
    assert drawn.reason.startswith("Outlined by a physician.")
    assert drawn.mass_share_percent > hip.mass_share_percent
    others = [finding for finding in one.reading.findings if finding.id != hip.id]
    assert all(of(wide, finding.id) is finding for finding in others)


def test_what_the_reader_finds_is_measured_alike_by_hand(either):
    hip = at(either.reading, HIP)
    outlines = {str(view): [list(point) for point in seen.outline] for view, seen in hip.views.items()}
    drawn = after(either, {"do": "delete", "finding": hip.id}, {"do": "draw", "outlines": outlines})
    again = of(drawn, 5)
    for name, seen in hip.views.items():
        for what in ("peak_row", "peak_column", "peak_counts", "area_mm2", "uptake_ratio", "outline"):
            assert getattr(again.views[name], what) == getattr(seen, what)
    assert (again.bone, again.place, again.side, again.region) == (hip.bone, hip.place, hip.side, hip.region)
    assert again.mass_share_percent == hip.mass_share_percent
    # the same foci in the same company: what the reader would make of it, it makes of it again
    assert again.natures == pytest.approx(hip.natures, abs=1e-6)
    assert index(drawn) == pytest.approx(index(either.reading))


def test_a_finding_taken_out_of_a_view_stays_in_the_other(one):
    less = after(one, {"do": "reshape", "finding": 3, "view": BACK, "outline": []})
    assert list(of(less, 3).views) == [ViewName.ANTERIOR]
    assert of(less, 3).depth_mm.value is None


def test_a_drawn_finding_lies_in_the_bone_under_it(one):
    drawn = of(after(one, {"do": "draw", "outlines": {BACK: ring(BACK, RIB), FRONT: ring(FRONT, RIB)}}), 5)
    # witness: the figure's left ribs
    assert (drawn.bone, drawn.side, drawn.region, drawn.kind) == ("rib_07_l", "left", 4, Kind.BONE)
    assert (drawn.letter, drawn.drawn_by, drawn.judged_by) == ("E", Author.PHYSICIAN, Author.READER)
    assert sum(drawn.natures.values()) == pytest.approx(1)
    assert drawn.likelihood.value == drawn.natures[Nature.METASTATIC]


def test_a_named_bone_wins_over_the_labels(one):
    drawn = of(after(one, {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}, "bone": "scapula_l"}), 5)
    assert (drawn.bone, drawn.side) == ("scapula_l", "left")
    assert "scapula" in drawn.place


def test_a_pale_place_is_cold(one):
    def pale(name: ViewName) -> np.ndarray:
        return figure.lesion(name, *FEMUR, 60.0, 0.05)

    scan = figure.scan(3, factor=pale)
    empty = Reading(**{**{f: getattr(one.reading, f) for f in Reading.__slots__}, "scan": scan, "findings": ()})
    drawn = after(Case(reading=empty, glance=one.glance), {"do": "draw", "outlines": {BACK: ring(BACK, FEMUR, 20)}})
    (cold,) = drawn.findings
    assert (cold.polarity, cold.in_burden, cold.likelihood.value) == (Polarity.COLD, False, None)
    assert cold.significance < 0
    lytic = after(
        Case(reading=empty, glance=one.glance),
        {"do": "draw", "outlines": {BACK: ring(BACK, FEMUR, 20)}, "nature": "metastatic"},
    )
    assert lytic.impression.metastatic.value == 1
    assert (index(lytic), lytic.findings[0].in_burden) == (0, False)


def test_off_the_body_nothing_breaks(one):
    corner = [[0, 0], [0, 4], [4, 4], [4, 0]]
    off = of(after(one, {"do": "draw", "outlines": {FRONT: corner}, "kind": "artefact"}), 5)
    assert (off.bone, off.region, off.in_burden, off.kind) == ("", 0, False, Kind.ARTEFACT)
    certain = after(one, {"do": "draw", "outlines": {FRONT: corner}, "nature": "metastatic"})
    assert of(certain, 5).in_burden is False
    assert "no bone is known to lie there" in of(certain, 5).reason
    assert index(certain) == pytest.approx(index(one.reading))
    single = after(one, {"do": "draw", "outlines": {FRONT: [[99.6, 80], [100.4, 80.4], [100.2, 79.5]]}})
    assert of(single, 5).views[ViewName.ANTERIOR].mask.sum() == 1


# --- splitting and joining ---


def across(finding: Finding, view: str) -> list[list[float]]:
    rows, columns = np.nonzero(finding.views[ViewName(view)].mask)
    middle = [float(rows.mean()) + 0.3, float(columns.mean())]
    return [middle, [middle[0], middle[1] + 5]]


@pytest.mark.parametrize("view", [FRONT, BACK])
def test_merging_a_split_gives_the_finding_back(either, view):
    line = across(of(either.reading, 2), view)
    split = {"do": "split", "finding": 2, "view": view, "line": line}
    again = after(either, split, {"do": "merge", "findings": [2, 5]})
    assert same(again, either.reading)


def test_the_larger_part_keeps_its_number_and_the_other_view_goes_with_the_nearer(one):
    femur = at(one.reading, FEMUR)
    back = femur.views[ViewName.POSTERIOR].mask
    line = across(femur, FRONT)
    cut = after(one, {"do": "split", "finding": femur.id, "view": FRONT, "line": line})
    parts = [of(cut, femur.id), of(cut, 5)]
    masks = [part.views[ViewName.ANTERIOR].mask for part in parts]
    np.testing.assert_array_equal(masks[0] | masks[1], femur.views[ViewName.ANTERIOR].mask)
    assert masks[0].sum() >= masks[1].sum()
    assert (parts[0].letter, parts[1].letter) == (femur.letter, letter_of(5))
    with_back = [part for part in parts if ViewName.POSTERIOR in part.views]
    assert len(with_back) == 1
    np.testing.assert_array_equal(with_back[0].views[ViewName.POSTERIOR].mask, back)
    front, behind = (one for one in figure.LABELS.views)
    height = float(behind.z_mm[back].mean())
    near = min(parts, key=lambda part: abs(float(front.z_mm[part.views[ViewName.ANTERIOR].mask].mean()) - height))
    assert near is with_back[0]


def test_parts_keep_a_physicians_word(one):
    cut = after(
        one,
        {"do": "change", "finding": 2, "nature": "traumatic"},
        {"do": "split", "finding": 2, "view": FRONT, "line": across(of(one.reading, 2), FRONT)},
    )
    assert [of(cut, number).natures[Nature.TRAUMATIC] for number in (2, 5)] == [1, 1]


def test_what_lies_far_apart_is_not_merged(one):
    with pytest.raises(InvalidValue, match="too far apart in the anterior view"):
        after(one, {"do": "merge", "findings": [1, 2]})


def test_sightings_of_two_views_become_one_finding(one):
    parts = after(
        one,
        {"do": "draw", "outlines": {FRONT: ring(FRONT, RIB)}},
        {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}},
        {"do": "merge", "findings": [6, 5]},
    )
    assert {finding.id for finding in parts.findings} == {1, 2, 3, 4, 6}
    assert set(of(parts, 6).views) == set(ViewName)


def test_a_number_is_never_given_twice(one):
    drawn = {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}}
    again = after(one, drawn, {"do": "delete", "finding": 5}, {"do": "delete", "finding": 4}, drawn)
    assert [finding.id for finding in again.findings if finding.id > 3] == [6]
    assert of(again, 6).letter == "F"


# --- kinds and natures ---


def test_without_any_counted_finding_the_index_is_0(either):
    none = after(either, *({"do": "delete", "finding": f.id} for f in either.reading.findings if f.in_burden))
    assert index(none) == 0
    assert none.burden.hot_spot_count == 0
    assert none.impression.sentences[0].startswith("No finding suspicious")


def test_judging_metastatic_raises_the_index_by_what_the_finding_is_alone(either):
    nothing = [{"do": "change", "finding": f.id, "nature": "degenerative"} for f in either.reading.findings]

    def told(*numbers: int) -> Reading:
        return after(either, *nothing, *({"do": "change", "finding": k, "nature": "metastatic"} for k in numbers))

    assert index(told()) == 0
    # the index of few foci is a sum over them; the outlines do not overlap
    assert index(told(2, 3)) == pytest.approx(index(told(2)) + index(told(3)))
    assert index(told(2, 3)) > index(told(2)) > 0
    if either.glance is None:
        assert index(told(2)) == pytest.approx(of(either.reading, 2).mass_share_percent)
    assert told(2, 3).burden.hot_spot_count == 2


@pytest.mark.parametrize("nature", JUDGED)
def test_a_physicians_nature_is_certain(one, nature):
    said = after(one, {"do": "change", "finding": 3, "nature": str(nature)})
    finding, metastatic = of(said, 3), nature is Nature.METASTATIC
    assert finding.natures == {other: float(other is nature) for other in Nature}
    assert finding.likelihood.value == float(metastatic)
    assert finding.likelihood.method == "a physician's judgement"
    assert (finding.in_burden, finding.judged_by, finding.drawn_by) == (metastatic, Author.PHYSICIAN, Author.READER)
    assert finding.evidence == ()
    assert finding.views is of(one.reading, 3).views
    assert any("a physician's judgement" in line and "left hip bone (C)" in line for line in said.impression.sentences)


def test_one_certain_metastasis_makes_the_scan_certain(one):
    said = after(one, {"do": "change", "finding": 3, "nature": "metastatic"})
    assert said.impression.metastatic.value == 1
    assert said.impression.metastatic.method == "a physician's judgement"
    assert not any("calibrated on simulated people" in line for line in said.impression.sentences)


def test_what_is_judged_benign_leaves_the_scan_to_the_rest(either):
    ids = [finding.id for finding in either.reading.findings]
    benign = [{"do": "change", "finding": number, "nature": "traumatic"} for number in ids]
    some, every = after(either, *benign[1:]), after(either, *benign)
    alone = patient_likelihood([of(either.reading, ids[0])], with_network=either.glance is not None)
    none = patient_likelihood([], with_network=either.glance is not None)
    assert some.impression.metastatic.value == alone.value
    assert every.impression.metastatic.value == none.value < alone.value


@pytest.mark.parametrize(("kind", "nature"), [("physiologic", Nature.PHYSIOLOGIC), ("artefact", Nature.ARTEFACT)])
def test_what_is_no_bone_neither_counts_nor_has_a_bone(one, kind, nature):
    said = of(after(one, {"do": "change", "finding": 1, "kind": kind}), 1)
    assert (said.kind, said.bone, said.in_burden, said.likelihood.value) == (Kind(kind), "", False, 0)
    assert said.natures[nature] == 1
    assert said.place == "L3 vertebra"
    assert said.mass_share_percent == 0


def test_back_to_the_reader_is_what_the_reader_said(one):
    changed = [
        {"do": "change", "finding": 1, "kind": "artefact"},
        {"do": "change", "finding": 1, "nature": "metastatic", "bone": "vertebra_l04"},
    ]
    assert of(after(one, *changed), 1).bone == "vertebra_l04"
    assert same(after(one, *changed, {"do": "change", "finding": 1, "nature": "", "bone": ""}), one.reading)


def test_a_disease_makes_a_finding_bone_again(one):
    said = after(
        one, {"do": "change", "finding": 1, "kind": "artefact"}, {"do": "change", "finding": 1, "nature": "traumatic"}
    )
    assert (of(said, 1).kind, of(said, 1).bone) == (Kind.BONE, "vertebra_l03")


def test_another_bone_is_measured_and_judged_as_such(one):
    said = of(after(one, {"do": "change", "finding": 3, "bone": "sacrum"}), 3)
    hip = of(one.reading, 3)
    assert (said.bone, said.side, said.drawn_by) == ("sacrum", "midline", Author.READER)
    assert said.views is hip.views
    assert said.reason.startswith("Bone named by a physician.")


# --- the whole ---


def test_undone_edits_leave_no_trace(one):
    edits = [
        {"do": "change", "finding": 1, "kind": "physiologic"},
        {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}, "nature": "metastatic"},
        {"do": "delete", "finding": 3},
    ]
    before = [after(one, *edits[:count]) for count in range(4)]
    for count in range(3, -1, -1):
        again = after(one, *edits[:count])
        assert [(f.id, f.natures, f.in_burden) for f in again.findings] == [
            (f.id, f.natures, f.in_burden) for f in before[count].findings
        ]
        assert (again.burden, again.impression) == (before[count].burden, before[count].impression)


def test_findings_stand_in_the_readers_order(one):
    said = after(
        one,
        {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}},
        {"do": "change", "finding": 1, "kind": "physiologic"},
    )
    order = [(finding.kind is not Kind.BONE, -abs(finding.significance)) for finding in said.findings]
    assert order == sorted(order)
    assert said.findings[-1].id == 1


CANNOT = [
    ({"do": "delete", "finding": 9}, "no finding I here"),
    ({"do": "change", "finding": -1, "nature": "metastatic"}, "no finding -1"),
    ({"do": "merge", "findings": [1, 9]}, "no finding I here"),
    ({"do": "reshape", "finding": 1, "view": "anterior", "outline": [[-9, -9], [-9, -5], [-5, -5]]}, "no pixel"),
    (
        {"do": "split", "finding": 1, "view": "anterior", "line": [[0, 0], [0, 9]]},
        "Finding A cannot be split there: the line",
    ),
]


@pytest.mark.parametrize(("told", "words"), CANNOT)
def test_what_cannot_be_done_says_which_edit_and_why(one, told, words):
    with pytest.raises(InvalidValue, match=words) as raised:
        after(one, {"do": "change", "finding": 2, "nature": "traumatic"}, told)
    assert raised.value.facts["edit"] == 1
    assert str(raised.value).endswith(".")


def test_the_last_view_is_not_taken_away(one):
    front = {"do": "reshape", "finding": 3, "view": FRONT, "outline": []}
    with pytest.raises(InvalidValue, match="delete it instead"):
        after(one, front, {**front, "view": BACK})
    with pytest.raises(InvalidValue, match="does not show in the anterior view"):
        after(one, front, front)


def test_where_the_fit_is_not_trusted_a_physicians_word_is_all_there_is(one):
    reading = replace(one.reading, labels=replace(one.reading.labels, trusted=False))
    untrusted = Case(reading=reading, glance=one.glance)
    drawn = after(untrusted, {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}})
    assert (of(drawn, 5).natures, of(drawn, 5).likelihood.value) == ({}, None)
    certain = after(untrusted, {"do": "draw", "outlines": {BACK: ring(BACK, RIB)}, "nature": "metastatic"})
    assert certain.impression.metastatic.value == 1
    assert certain.impression.sentences[0].startswith("Metastatic by a physician's judgement:")
    assert certain.impression.sentences[1].startswith("No impression: the skeleton could not be fitted")
    assert certain.burden.bone_scan_index_percent.value is None
