from __future__ import annotations

import json

import jsonschema
import pytest
from tests.evaluation.made import case, found, mark

from bonescan.errors import UnreadableInput
from bonescan.evaluation import evaluation_files, evaluation_record, evaluation_schema
from bonescan.evaluation.figures import Figure, People
from bonescan.evaluation.pages import figures


def figures_of(cases, resamples=50) -> dict[str, Figure]:
    told = figures(People(cases, resamples=resamples))
    assert len({one.key for one in told}) == len(told)
    return {one.key: one for one in told}


# Four people: two metastatic (of four metastases three are found, one of them below visibility), one with a worn joint
# that is found, one without anything but a false mark; and each has a Bone Scan Index.
def four(**more):
    def burden(got, true):
        return {"bone_scan_index_percent": got, "true_percent": true, "true_by_bone_mass_percent": true}

    worn, seen = found(1, 7, metastasis=False), [found(1, 6), found(2, 6, visible=False, contrast=1.1)]
    return [
        case("a", "metastatic", [mark(9, hits=(1,), metastasis=True), mark(3)], [found(1, 9), found(2, None)],
             burden=burden(2.5, 2.0), **more),
        case("b", "metastatic", [mark(6, hits=(1, 2), metastasis=True)], seen, burden=burden(0.5, 1.0), **more),
        case("c", "benign", [mark(7, hits=(1,)), mark(2)], [worn], burden=burden(0.5, 0.0), **more),
        case("d", "normal", [mark(5)], [], burden=burden(None, 0.0), **more),
    ]  # fmt: skip


def test_the_figures_of_four_people_by_hand():
    told = figures_of(four())
    # visible: 9, missed, 6, 7; false marks 5, 3, 2 in four scans
    assert told["lesions.visible.1"].value == 0.75
    assert told["lesions.visible.end"].n == 4
    assert told["lesions.visible.false"].value == 0.75
    assert told["lesions.all.1"].value == 0.8  # the one that cannot be seen was found too
    assert told["lesions.distinct.1"].value == 0.75  # nobody has a superscan
    # metastases: 9, missed, 6; a mark on the worn joint, 7, is false: four false marks in four scans
    assert told["metastases_by_significance.visible.1"].value == pytest.approx(2 / 3)
    assert told["metastases_by_significance.visible.false"].value == 1.0
    assert told["metastases.visible"].absent_reason == "findings have no probability"
    # scores 9, 6 against 7, 5: three of four pairs are in order; at the threshold of 6 one of two is below
    assert told["people.auc.all"].value == 0.75
    assert told["people.specificity.all.all"].value == 0.5
    assert told["people.specificity.all.benign"].value == 0.0
    assert told["people.specificity.all.normal"].value == 1.0
    assert told["bsi.withheld"].value == 0.25
    assert told["bsi.error.all"].value == pytest.approx(0.5)
    assert told["bsi.bias.all"].value == pytest.approx(0.5 / 3)
    assert told["bsi.error.true 1 to 5 %"].value == pytest.approx(0.5)
    assert told["bsi.error.true 0"].n == 1
    assert told["bsi.error.linear"].n == 2
    assert told["lesions.by.nature.joint disease"].value == 1.0
    assert told["lesions.by.contrast.1.1 to 1.3"].n == 1
    assert told["cost.seconds"].value == 2.0
    assert told["false.benign people"].value == 1.0


def test_the_bones_of_a_superscan_are_not_distinct():
    bones = [found(k, None, kind="metastatic_superscan") for k in range(2, 12)]
    told = figures_of([case("s", "metastatic", [mark(9, hits=(1,), metastasis=True)], [found(1, 9), *bones])])
    assert told["lesions.visible.1"].value == pytest.approx(1 / 11)
    assert told["lesions.distinct.1"].value == 1.0


def test_breakdowns_keep_the_threshold_of_all():
    cases = four() + [case(f"n{k}", "normal", [mark(8)] * 5, []) for k in range(16)]
    told = figures_of(cases)
    # 20 scans with 80 marks at 8 and more: 3.8 a scan are passed there, so that the threshold lies above, at 9
    assert told["lesions.visible.3.8"].value == 0.25
    assert told["lesions.by.sex.male"].value == 0.25


def test_probabilities_are_scores_where_they_are_given():
    cases = [
        case("a", "metastatic", [mark(9, hits=(1,), metastasis=True, metastatic=0.9)], [found(1, 9, metastatic=0.9)]),
        case("b", "benign", [mark(20, hits=(1,), metastatic=0.1)], [found(1, 20, metastasis=False, metastatic=0.1)]),
    ]
    told = figures_of(cases)
    assert told["metastases.visible.1"].value == 1.0
    assert told["people.auc.all"].value == 1.0  # by significance it would be 0
    assert told["calibration.findings"].value == pytest.approx(0.1)
    assert told["calibration.people"].value == pytest.approx(0.1)
    assert told["calibration.people.if_true"].value == pytest.approx(0.18, abs=0.03)  # each of two: 2 p (1 - p)
    cases[1]["impression"] = {"metastatic": 0.95, "familiar": True}
    told = figures_of(cases)
    assert told["people.auc.all"].value == 0.0  # the impression comes first
    assert told["people.abstained.with"].value == 1.0
    assert told["people.abstained.without"].value == 0.0


def test_a_failed_reading_counts_as_missed():
    failed = case("x", "metastatic", [], [found(1, None)], failed="no", labels=None)
    failed["regions"] = {"anterior": {"dice": {"4": 0.0}, "area_ratio": {"4": 0.0}}}
    read = case("y", "normal", [], [])
    read["regions"] = {"anterior": {"dice": {"4": 0.9}, "area_ratio": {"4": 1.0}}}
    told = figures_of([failed, read])
    assert told["studies.failed"].value == 1
    assert told["lesions.visible.1"].value == 0.0
    assert told["regions.all"].value == 0.45
    assert told["regions.worst_scan"].value == 0.0


def test_scans_with_outlines_and_circles_alone_have_their_figures():
    def real(name, dice, sure, hit, extra):
        own = {"sure": sure, "found": hit, "missed": ["x"] * (sure - hit), "extra": ["x"] * extra}
        regions = {"posterior": {"dice": {"1": dice, "9": 0.8}, "area_ratio": {"1": 1.0, "9": 1.0}}}
        return case(name, None, None, None, regions=regions, circles={"all": own, "in_burden": own})

    told = figures_of([real("1", 1.0, 4, 3, 2), real("2", 0.6, 0, 0, 1)])
    assert told["regions.posterior"].value == pytest.approx(0.8)
    assert told["regions.worst"].value == pytest.approx(0.8)
    assert (told["circles.all.found"].value, told["circles.all.found"].n) == (0.75, 4)
    assert told["circles.all.extra"].value == 1.5
    assert told["lesions.visible"].absent_reason == "no lesions are known"
    assert told["people.auc"].value is None


def test_a_record_is_valid_and_a_page_has_every_figure_of_both_evaluations():
    record = evaluation_record(four(), reader="learned", versions={"bonescan": "0"}, resamples=20)
    jsonschema.validate(record, evaluation_schema())
    other = evaluation_record(four()[:3], reader="model-based", versions={}, resamples=20)
    files = evaluation_files(record, other)
    assert json.loads(files["evaluation.json"]) == record
    assert {"free_response.svg", "roc.svg", "burden.svg"} <= files.keys()
    assert "regions.svg" not in files  # there are no regions
    page, text = files["evaluation.html"].decode(), files["evaluation.md"].decode()
    assert "not a clinical" not in page.lower() or "clinical performance" in page
    row = next(line for line in text.splitlines() if line.startswith("| visible, 1 false a scan"))
    assert row.count("0.750") == 2  # with and without the fourth person, each with its interval
    assert "<th>learned</th><th>model-based</th>" in page
    assert page.count("<svg") == sum(name.endswith(".svg") for name in files)
    with pytest.raises(UnreadableInput, match="bonescan-evaluation/1"):
        evaluation_files(record, {"schema": "other"})
    with pytest.raises(UnreadableInput, match="no comparison"):
        evaluation_record([], reader="x", versions={})


def test_what_one_evaluation_lacks_as_a_whole_stands_beside_the_parts_of_the_other():
    likely = [mark(9, hits=(1,), metastasis=True, metastatic=0.9)], [found(1, 9, metastatic=0.9)]
    learned = evaluation_record([case("a", "metastatic", *likely)], reader="learned", versions={}, resamples=5)
    plain = evaluation_record(four(), reader="model-based", versions={}, resamples=5)
    for one, other, cells in ((learned, plain, "1 (1 to 1) | findings have no probability"),
                              (plain, learned, "findings have no probability | 1 (1 to 1)")):  # fmt: skip
        text = evaluation_files(one, other)["evaluation.md"].decode()
        section = text.partition("## Metastases, by probability\n")[2].partition("##")[0]
        assert f"| visible, 3.8 false a scan | {cells} |" in section
        assert "| visible | " not in section
