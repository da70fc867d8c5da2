from __future__ import annotations

from dataclasses import replace

import pytest
from tests.report.phantom import WINDOWS, phantom_reading, report_content, withheld

from bonescan.measurement import Measurement
from bonescan.reading.model import Kind, Nature, Quality, Reading, Verdict
from bonescan.report.figures import measured, tracer_name
from bonescan.report.plain_text import wrapped
from bonescan.scan import PatientFacts, ViewName


def card(content: dict, label: str) -> dict:
    return next(card for card in content["summary"]["cards"] if card["label"] == label)


@pytest.mark.parametrize(
    ("measurement", "text"),
    [
        (Measurement(value=1.836, unit="%", uncertainty=0.317, method="m"), "1.8 ± 0.3 %"),
        (Measurement(value=0.141, unit="%", uncertainty=0.024, method="m"), "0.14 ± 0.02 %"),
        (Measurement(value=3.988, unit="%", uncertainty=0.153, method="m"), "3.99 ± 0.15 %"),
        (Measurement(value=0.996, unit="%", uncertainty=0.0996, method="m"), "1.00 ± 0.10 %"),
        (Measurement(value=251.3, unit="mm", uncertainty=34.2, method="m"), "250 ± 30 mm"),
        (Measurement(value=3_596_452.0, unit="{counts}", uncertainty=1896.4, method="m"), "3\u202f596\u202f452 counts"),
        (
            Measurement(value=742_311.0, unit="{counts}", uncertainty=445_000.0, method="m"),
            "700\u202f000 ± 400\u202f000 counts",
        ),
        (Measurement(value=1_710_000.0, unit="{counts}", method="m"), "1\u202f710\u202f000 counts"),
        (Measurement(value=0.0, unit="mm", method="m"), "0 mm"),
        (Measurement(value=-3.5, unit="mm", method="m"), "\u22123.5 mm"),
        (Measurement(value=0.0000001, unit="1", method="m"), "1e\u221207"),
        (Measurement(value=None, unit="%", method="m", absent_reason="no counts"), "not given: no counts"),
    ],
)
def test_measurements_are_written_for_a_reader(measurement: Measurement, text: str) -> None:
    assert measured(measurement) == text


def test_absent_patient_facts_are_said_to_be_not_stated() -> None:
    rows = dict(report_content(phantom_reading(findings=0, patient=PatientFacts()), WINDOWS)["patient"]["rows"])
    assert {rows[key] for key in ("Name", "Patient ID", "Birth date", "Sex")} == {"not stated"}
    assert rows["Examined"] == "2021-03-04 12:20"


def test_present_patient_facts_are_shown(reading: Reading) -> None:
    rows = dict(report_content(reading, WINDOWS)["patient"]["rows"])
    assert (rows["Name"], rows["Patient ID"], rows["Birth date"], rows["Sex"]) == (
        "Doe, Jane", "D-0017", "1950-02-01", "female",
    )  # fmt: skip
    procedure = dict(report_content(reading, WINDOWS)["procedure"]["rows"])
    assert procedure["Injection to scan"] == ["3.2 h"]


def test_an_age_alone_is_not_called_a_birth_date() -> None:
    rows = dict(
        report_content(phantom_reading(findings=0, patient=PatientFacts(age_years=61.0)), WINDOWS)["patient"]["rows"]
    )
    assert rows["Age"] == "61 y"
    assert "Birth date" not in rows


def test_bone_findings_stand_apart_from_physiologic_and_artefact(reading: Reading) -> None:
    content = report_content(reading, WINDOWS)
    assert [row["cells"][0] for row in content["bone"]["rows"]] == ["A", "B", "C", "D"]
    assert {row["style"] for row in content["other"]["rows"]} == {"physiologic", "artefact"}
    assert len(content["bone"]["columns"]) == len(content["bone"]["rows"][0]["cells"])
    assert len(content["other"]["columns"]) == len(content["other"]["rows"][0]["cells"])


def test_what_is_not_given_is_explained_once_under_the_table(reading: Reading) -> None:
    notes = report_content(reading, WINDOWS)["bone"]["notes"]
    assert any("seen in one view only (B)" in note for note in notes)
    assert any("no calibrated model is available (all)" in note for note in notes)


def test_a_likelihood_that_is_given_is_shown(reading: Reading) -> None:
    likely = replace(reading.findings[0], likelihood=Measurement(value=0.7, unit="1", method="m"))
    row = report_content(replace(reading, findings=(likely,)), WINDOWS)["bone"]["rows"][0]
    assert "Likelihood of metastasis 0.7." in row["cells"][-1]


def test_different_references_are_named_in_their_rows(reading: Reading) -> None:
    first, second = reading.findings[0], replace(reading.findings[2], uptake_reference="the other side")
    rows = report_content(replace(reading, findings=(first, second)), WINDOWS)["bone"]["rows"]
    assert [row["cells"][2] for row in rows] == ["4.1 × normal bone of the same region", "3.4 × the other side"]


def test_a_withheld_index_says_why(reading: Reading) -> None:
    content = report_content(withheld(reading), WINDOWS)
    shown = card(content, "Bone Scan Index")
    assert (shown["value"], shown["tone"]) == ("not given", "bad")
    assert "fewer than 0.5 million" in shown["note"].lower()
    assert content["burden"]["rows"][0][1].startswith("not given: fewer than")
    assert content["quality"]["rows"][0]["cells"][0] == "WITHHELD"


def test_no_finding_is_not_called_health() -> None:
    content = report_content(phantom_reading(findings=0), WINDOWS)
    shown = card(content, "Bone findings")
    assert shown["value"] == "None"
    assert "does not exclude disease" in shown["note"]
    assert content["bone"]["rows"] == []


def test_untrusted_labels_are_shouted(reading: Reading) -> None:
    content = report_content(replace(reading, labels=replace(reading.labels, trusted=False)), WINDOWS)
    assert card(content, "Skeleton labels")["tone"] == "bad"


def test_the_worst_checks_come_first_and_the_rest_is_counted(reading: Reading) -> None:
    warn = reading.quality.checks[2]
    checks = (
        *[replace(warn, text=f"Warning {i}.") for i in range(5)],
        replace(warn, verdict=Verdict.WITHHOLD, text="Stop."),
    )
    note = card(report_content(replace(reading, quality=Quality(checks=checks)), WINDOWS), "Image quality")["note"]
    assert note == "Stop. Warning 0. 4 more below."


def test_the_windows_and_the_missing_view_are_stated(reading: Reading) -> None:
    caption = report_content(reading, WINDOWS)["plate"]["caption"]
    assert "Anterior 1 to 50 counts per pixel; Posterior 1.5 to 60 counts per pixel" in caption
    one = phantom_reading(findings=3, views=(ViewName.POSTERIOR,))
    only = report_content(one, {ViewName.POSTERIOR: WINDOWS[ViewName.POSTERIOR]})["plate"]["caption"]
    assert "Only the posterior view was given." in only


def test_an_assumed_pixel_size_is_stated(reading: Reading) -> None:
    views = tuple(replace(view, spacing_known=False) for view in reading.scan.views)
    caption = report_content(replace(reading, scan=replace(reading.scan, views=views)), WINDOWS)["plate"]["caption"]
    assert "states no pixel size" in caption


def test_control_and_direction_characters_are_taken_out_of_every_text(reading: Reading) -> None:
    spoof = PatientFacts(name="A\x00B\u202eC\nD\u2066E")
    rows = dict(report_content(replace(reading, scan=replace(reading.scan, patient=spoof)), WINDOWS)["patient"]["rows"])
    assert rows["Name"] == "A B C D E"


def test_braces_in_a_place_are_text(reading: Reading) -> None:
    odd = replace(reading.findings[0], place="{letter} {0} rib", reason="{x}")
    content = report_content(replace(reading, findings=(odd,)), WINDOWS)
    assert content["bone"]["rows"][0]["cells"][1] == "{letter} {0} rib"


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        # Witness: code meanings of DICOM PS3.16, CID 25 and its predecessors; then what cameras write.
        ("Technetium Tc^99m^ medronate", "Tc-99m medronate"),
        ("Fluorine F^18^ sodium fluoride", "F-18 sodium fluoride"),
        ("^99m^Technetium", "Technetium-99m"),
        ("Tc99m", "Tc-99m"),
        ("Tc-99m MDP", "Tc-99m MDP"),
        ("99mTc-HDP", "Tc-99m-HDP"),
        ("Technetium Tc 99m oxidronate", "Tc-99m oxidronate"),
        ("MDP", "MDP"),
    ],
)
def test_tracers_are_written_as_people_do(stated: str, shown: str) -> None:
    assert tracer_name(stated) == shown


def test_one_sentence_counts_what_was_found(reading: Reading) -> None:
    sentence = report_content(reading, WINDOWS)["summary"]["sentence"]
    cold = sum(f.kind == "bone" and f.polarity == "cold" for f in reading.findings)
    hot = sum(f.kind == "bone" and f.polarity == "hot" for f in reading.findings)
    assert (hot, cold) == (4, 0)
    assert sentence.startswith("Found: 4 hot bone findings and no cold one, in ")
    assert sentence.endswith("not a diagnosis.")
    assert report_content(phantom_reading(findings=0), WINDOWS)["summary"]["sentence"] == (
        "Found: no bone finding; listed apart, no physiologic uptake and no artefact. This does not exclude disease."
    )
    untrusted = replace(reading, labels=replace(reading.labels, trusted=False))
    assert "places are uncertain" in report_content(untrusted, WINDOWS)["summary"]["sentence"]


def test_the_index_is_said_to_be_an_upper_bound_wherever_it_stands(reading: Reading) -> None:
    content = report_content(reading, WINDOWS)
    for text in (card(content, "Bone Scan Index")["note"], content["burden"]["note"]):
        assert "upper bound" in text
        assert "No likelihood of metastasis is estimated yet" in text


@pytest.mark.parametrize("chance", [0.5, 0.49])
def test_the_index_is_no_upper_bound_where_only_what_is_likelier_metastatic_counts(
    reading: Reading, chance: float
) -> None:
    natures = {Nature.METASTATIC: chance, Nature.DEGENERATIVE: 1 - chance}
    findings = tuple(replace(one, natures=natures) if one.in_burden else one for one in reading.findings)
    others = {Nature.METASTATIC: 0.1, Nature.DEGENERATIVE: 0.9}
    findings = tuple(one if one.natures else replace(one, natures=others) for one in findings)
    content = report_content(replace(reading, findings=findings), WINDOWS)
    for text in (card(content, "Bone Scan Index")["note"], content["burden"]["note"]):
        assert ("upper bound" in text) == (chance < 0.5)
        assert ("likelier metastatic than not" in text) == (chance >= 0.5)


def test_a_depth_that_tells_nothing_is_withheld_with_its_reason(reading: Reading) -> None:
    vague = replace(reading.findings[0].depth_mm, value=0.0, uncertainty=386.0, absent_reason=None)
    findings = (replace(reading.findings[0], depth_mm=vague), *reading.findings[1:])
    bone = report_content(replace(reading, findings=findings), WINDOWS)["bone"]
    assert not any("386" in cell for row in bone["rows"] for cell in row["cells"])
    assert "Depth not given: uncertain by more than 50 mm (A)." in bone["notes"]


@pytest.mark.parametrize(("wide", "text"), [(False, "word " * 17 + "(12 %) end"), (True, "字" * 44 + "（12 %）字")])
def test_lines_break_neither_before_a_percent_sign_nor_behind_an_opening_bracket(wide: bool, text: str) -> None:
    lines = wrapped(text, wide=wide)
    assert len(lines) == 2
    assert sum("12 %" in line for line in lines) == 1
    assert not lines[0].endswith(("（", "("))


def test_many_absent_figures_are_counted_and_few_are_named() -> None:
    reading = phantom_reading(findings=30)
    absent = [f.letter for f in reading.findings if f.kind == "bone" and f.depth_mm.value is None]
    bone = sum(f.kind == "bone" for f in reading.findings)
    notes = report_content(reading, WINDOWS)["bone"]["notes"]
    assert f"Depth not given: seen in one view only ({len(absent)} of {bone})." in notes


def test_cropping_is_stated_only_where_it_was_done(reading: Reading) -> None:
    assert "cropped" not in report_content(reading, WINDOWS)["plate"]["caption"]
    assert "is cropped" in report_content(reading, WINDOWS, cropped=True)["plate"]["caption"]


def test_areas_by_a_doubtful_pixel_size_are_not_left_to_be_believed(reading: Reading) -> None:
    doubtful = replace(reading.quality.checks[0], code="quality.pixel_size", verdict=Verdict.WARN)
    notes = report_content(replace(reading, quality=Quality(checks=(doubtful,))), WINDOWS)["bone"]["notes"]
    assert any("do not rely on areas" in note for note in notes)
    assert not any("do not rely on areas" in note for note in report_content(reading, WINDOWS)["bone"]["notes"])


def test_places_are_counted_by_the_bone_they_are_named_after(reading: Reading) -> None:
    knee = replace(reading.findings[0], bone="femur_l", place="left femur, distal", region=15)
    sentence = report_content(replace(reading, findings=(knee,)), WINDOWS)["summary"]["sentence"]
    assert "1 hot bone finding and no cold one, in femur (1)" in sentence


def test_an_index_that_counts_nothing_says_so(reading: Reading) -> None:
    none = replace(reading, burden=replace(reading.burden, hot_spot_count=0))
    assert card(report_content(none, WINDOWS), "Bone Scan Index")["note"].startswith("No hot bone finding counts")


def test_what_is_likelier_normal_stands_in_a_list_of_its_own(reading: Reading) -> None:
    first = next(one for one in reading.findings if one.kind is Kind.BONE)
    likely = replace(first, natures={Nature.PHYSIOLOGIC: 0.8, Nature.METASTATIC: 0.2})
    content = report_content(
        replace(reading, findings=tuple(likely if one is first else one for one in reading.findings)), WINDOWS
    )
    assert [row["cells"][0] for row in content["normal"]["rows"]] == [first.letter]
    assert [row["style"] for row in content["normal"]["rows"]] == ["normal"]
    assert first.letter not in [row["cells"][0] for row in content["bone"]["rows"]]
    assert "1 place of bone that is likelier normal" in content["summary"]["sentence"]
