"""Phases and comparisons as objects: sound to other programs, in the right study, and saying what was measured."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from tests.dicom.peers import DCMTK, DICOM3TOOLS, said
from tests.dicom.results.studies import PDF, png
from tests.dicom.results.test_codes import codes_in, known
from tests.dicom.results.test_peers import EXPECTED
from tests.dicom.scans import put
from tests.reading.limbs import INJECTED, patch, phase_pictures, study_of
from tests.report.pair import compared, study

from bonescan.dicom import (
    Filing,
    SourceObject,
    find_objects,
    open_scan,
    read_comparison_report,
    read_phase_report,
    write_comparison,
    write_dynamic,
    write_phases,
    write_scan,
)
from bonescan.dicom.phases import open_phases
from bonescan.dicom.results import COMPARISON_RESULT_NAMES, PHASE_RESULT_NAMES
from bonescan.dicom.results.comparison_report import comparison_report, reported_comparison
from bonescan.dicom.results.phase_report import phase_report, reported_phases
from bonescan.errors import GeometryMismatch, InvalidValue, UnreadableInput
from bonescan.followup.area import AreaCall
from bonescan.followup.model import LesionChange, Study
from bonescan.followup.progression import BoneState, ScanState
from bonescan.followup.series import Series, follow
from bonescan.measurement import Measurement
from bonescan.reading.three_phase.phases import PhaseReading, read_phases
from bonescan.scan import Phase, Remark, Source


@dataclass(frozen=True)
class Made:
    sources: dict[str, bytes]
    results: dict[str, bytes]

    def dataset(self, name: str) -> Dataset:
        return pydicom.dcmread(io.BytesIO(self.results[name]))


@cache
def phased() -> tuple[PhaseReading, Made]:
    """Two legs, the left one with a focus, written as a camera would and read."""
    drawn = study_of(phase_pictures(dict.fromkeys(Phase, 3.0), patch("left", (36, 44), 4)), np.random.default_rng(1))
    filing = [Filing(series_number=number, body_part="LEG", study_began_at=INJECTED) for number in (1, 2, 3)]
    sources = {
        f"{number}.dcm": content
        for number, written in enumerate(
            (
                write_dynamic(drawn.flow, filing=filing[0]),
                write_scan(drawn.pool, filing=filing[1]),
                write_scan(drawn.delayed, filing=filing[2]),
            )
        )
        for content in written.values()
    }
    with TemporaryDirectory() as folder:
        put(sources, Path(folder))
        reading = read_phases(open_phases([Path(folder)]))
        scans = [reading.study.of(phase) for phase in Phase]
        objects = find_objects([Path(folder)], [source for scan in scans for source in scan.sources])
    pictures = {"phases.png": png(), "phases_curves.png": png(), "phases_region.png": png()}
    return reading, Made(sources, write_phases(reading, objects, pictures=pictures, report_pdf=PDF))


def unmarked(lesion: LesionChange, number: int) -> LesionChange:
    return replace(lesion, id=number, prior=(), current=())


@cache
def followed() -> tuple[Series, Made]:
    """Two dolls ten weeks apart, each in a study of its own; the later one shows more, and a place nobody marks."""
    sources, studies = {}, []
    with TemporaryDirectory() as folder:
        for number, (findings, day) in enumerate(((6, date(2021, 1, 4)), (7, date(2021, 3, 15)))):
            drawn = study(findings, day)
            views = tuple(
                replace(view, counts=view.counts[::8, ::8], duration_s=900.0, scan_velocity_mm_per_s=2.0)
                for view in drawn.scan.views
            )
            scan = replace(drawn.scan, views=views, study_uid=f"1.2.3.{number}")
            ((_, content),) = write_scan(scan).items()
            sources[f"{number}.dcm"] = content
            (path,) = put({f"{number}.dcm": content}, Path(folder))
            opened = open_scan([path])
            own = replace(drawn.scan, sources=opened.sources, study_uid=opened.study_uid)
            studies.append(Study.of(replace(drawn.reading, scan=own)))

        def compare(prior: Study, current: Study):
            made = compared(prior, current)
            return replace(made, unmarked=(unmarked(made.lesions[0], len(made.lesions) + 1),))

        series = follow(studies, compare, treatment_start=date(2021, 1, 10))
        newest_first = [source for one in reversed(series.studies) for source in one.scan.sources]
        objects = find_objects([Path(folder)], newest_first)
    pictures = {name.replace(".dcm", ".png"): png() for name in COMPARISON_RESULT_NAMES}
    return series, Made(sources, write_comparison(series, objects, pictures=pictures, report_pdf=PDF))


MADE = {"phases": phased, "comparison": followed}


@pytest.mark.parametrize("kind", MADE)
def test_other_programs_find_no_error(kind, tmp_path):
    made = MADE[kind]()[1]
    paths = put(made.results, tmp_path)
    status, words = said(DICOM3TOOLS / "dcentvfy", *put(made.sources, tmp_path), *paths)
    assert status == 0, words
    for path in paths:
        status, words = said(DICOM3TOOLS / "dciodvfy", path)
        complaints = [line for line in words.splitlines() if ": " not in line and " - " in line]
        assert status == 0, (path.name, words)
        assert all(EXPECTED.search(line) for line in complaints), (path.name, complaints)


@DCMTK
@pytest.mark.parametrize("kind", MADE)
def test_dsrdump_reads_the_documents(kind, tmp_path):
    for name in ("sr", "key"):
        (path,) = put({"one.dcm": MADE[kind]()[1].results[f"{kind}_{name}.dcm"]}, tmp_path)
        status, words = said("dsrdump", "--print-long-values", path)
        assert status == 0, words
        assert not [line for line in words.splitlines() if line.startswith("E:")]


def test_every_object_has_a_name_from_the_lists():
    assert set(phased()[1].results) == set(PHASE_RESULT_NAMES)
    assert set(followed()[1].results) == set(COMPARISON_RESULT_NAMES)


@pytest.mark.parametrize("kind", MADE)
def test_codes_are_known_and_each_of_ours_means_one_thing(kind):
    made = MADE[kind]()[1]
    told = [code for name in made.results for code in codes_in(made.dataset(name))]
    for scheme in ("SCT", "DCM"):
        assert {str(one.CodeValue) for one in told if one.CodingSchemeDesignator == scheme} <= known(scheme)
    meanings: dict[str, set[str]] = {}
    for one in told:
        assert len(one.CodeValue) <= 16  # SH
        if one.CodingSchemeDesignator == "99BONESCAN":
            meanings.setdefault(str(one.CodeValue), set()).add(str(one.CodeMeaning))
    assert all(len(meaning) == 1 for meaning in meanings.values()), meanings


def numbers(dataset: Dataset, code: str) -> list[float]:
    """Every value of a concept, in order."""
    return [
        float(item.MeasuredValueSequence[0].FloatingPointValue)
        for item in content_of(dataset)
        if item.ValueType == "NUM" and item.ConceptNameCodeSequence[0].CodeValue == code
    ]


def content_of(dataset: Dataset):
    yield dataset
    for item in dataset.get("ContentSequence") or []:
        yield from content_of(item)


def test_the_phases_report_has_every_ratio_and_its_call():
    reading, made = phased()
    report = made.dataset("phases_sr.dcm")
    assert numbers(report, "side-ratio") == [finding.ratio.value for finding in reading.findings]
    calls = [item for item in content_of(report) if item.get("ConceptCodeSequence")]
    told = [str(item.ConceptCodeSequence[0].CodeMeaning).lower() for item in calls
            if item.ConceptNameCodeSequence[0].CodeValue == "call"]  # fmt: skip
    assert told == [finding.call.value for finding in reading.findings]
    held = report.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert len(held) == 3  # flow, pool, delayed


def test_the_comparison_belongs_to_the_current_study_and_says_what_nobody_marked():
    series, made = followed()
    report = made.dataset("comparison_sr.dcm")
    assert report.StudyInstanceUID == series.studies[-1].scan.study_uid
    (earlier,) = report.PertinentOtherEvidenceSequence
    assert earlier.StudyInstanceUID == series.studies[0].scan.study_uid
    named = [str(item.TextValue) for item in content_of(report) if item.ValueType == "TEXT"
             and item.ConceptNameCodeSequence[0].CodeValue == "112039"]  # fmt: skip
    latest = series.latest
    assert named == [
        *(f"lesion-{one.id}" for one in latest.lesions), *(f"place-{one.id}" for one in latest.unmarked), "skeleton"
    ]  # fmt: skip
    found = [str(item.ConceptCodeSequence[0].CodeValue) for item in content_of(report) if item.ValueType == "CODE"]
    assert found.count("to-look-at") == len(latest.unmarked) == 1
    significances = [one.significance for one in (*latest.lesions, *latest.unmarked)]
    assert numbers(report, "change-sd") == significances


def test_files_that_are_gone_and_pictures_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    gone = Source(file_name="a.dcm", sha256="0" * 64)
    with pytest.raises(GeometryMismatch, match="no longer there"):
        find_objects([tmp_path], [gone])
    path = tmp_path / "a.png"
    path.write_bytes(png())
    with pytest.raises(InvalidValue, match="opened from pictures"):
        find_objects([path], [Source(file_name="a.png", sha256=hashlib.sha256(png()).hexdigest())])


def test_the_phases_come_back_whole():
    reading, made = phased()
    back = read_phase_report(made.results.values())
    told = [one.name for one in fields(back) if one.name not in ("side", "rests_on", "explanations")]
    for name in told:
        assert getattr(back, name) == getattr(reading, name), name
    assert back.side == reading.region.side
    assert back.explanations == tuple(one for one in reading.explanations if one.fits)
    assert back.explanations
    assert {one.instance for one in back.rests_on} == uids(made)


def test_phases_that_were_not_judged_come_back_as_such():
    reading, _ = phased()
    absent = Measurement(value=None, unit="1", method="none", absent_reason="No flow was recorded.")
    first = replace(reading.findings[0], ratio=absent, judgement=None, call=None, text="Flow: not judged.")
    bare = replace(
        reading, findings=(first, *reading.findings[1:]), region=None, slope_ratio=absent, explanations=(), advice=(),
        checks=(), remarks=(Remark(code="x.y", text="Nothing."),), told_side="left",
    )  # fmt: skip
    back = reported_phases(phase_report(bare, sources_of(phased()[1])))
    assert (back.findings, back.slope_ratio, back.side, back.told_side) == (bare.findings, absent, "", "left")
    assert (back.explanations, back.advice, back.checks, back.remarks) == ((), (), (), bare.remarks)


def test_the_comparison_comes_back_whole():
    """Lesions with their numbers, places, changes, dates and letters, but not their pixels."""
    series, made = followed()
    back, latest = read_comparison_report(made.results.values()), series.latest
    for told, lesions in ((back.lesions, latest.lesions), (back.unmarked, latest.unmarked)):
        assert len(told) == len(lesions) > 0
        for one, lesion in zip(told, lesions, strict=True):
            for field in fields(lesion):
                if field.name != "masks":
                    assert getattr(one, field.name) == getattr(lesion, field.name), field.name
    assert back.letters == series.letters
    for name in ("bone_scan_index", "lesion_area", "comparability", "remarks", "method"):
        assert getattr(back, name) == getattr(latest, name), name
    assert (back.progression, back.area) == (series.progression, series.area)
    assert back.progression.treatment_start == date(2021, 1, 10)
    assert [one.on for one in back.progression.scans] == [date(2021, 1, 4), date(2021, 3, 15)]
    assert (back.aligned, back.alignment_remarks) == (latest.alignment.trusted, latest.alignment.remarks)
    assert {one.instance for one in back.rests_on} == uids(made)
    assert back.rests_on[0].study == series.studies[-1].scan.study_uid


@pytest.mark.parametrize("state", list(BoneState))
def test_every_state_and_date_of_progression_comes_back(state):
    series, made = followed()
    scan = ScanState(
        on=None, state=state, reference_on=date(2020, 2, 29), new=("A", "AB"), confirmable_from=date(2020, 4, 11),
        progressed_on=date(2020, 3, 1), text="", next_step="Scan again.",
    )  # fmt: skip
    rules = replace(
        series.progression,
        scans=(scan,),
        state=state,
        progressed_on=date(2020, 3, 1),
        text="",
        cautions=("One.", "Two."),
    )
    other = replace(series, progression=rules, area=replace(series.area, call=AreaCall.NOT_JUDGED))
    back = reported_comparison(comparison_report(other, sources_of(made)))
    assert (back.progression, back.area) == (rules, other.area)


@pytest.mark.parametrize("kind", MADE)
def test_one_kind_of_report_is_not_taken_for_another(kind):
    reading = {"phases": read_comparison_report, "comparison": read_phase_report}[kind]
    with pytest.raises(UnreadableInput, match="not one that bonescan wrote"):
        reading(MADE[kind]()[1].results.values())
    with pytest.raises(UnreadableInput, match="one structured report, these hold 0"):
        reading([])


def test_highdicom_reads_the_measurements_of_both():
    for kind, expected in (("phases", 4), ("comparison", len(followed()[0].latest.lesions) + 2)):
        report = highdicom.sr.srread(io.BytesIO(MADE[kind]()[1].results[f"{kind}_sr.dcm"])).content
        groups = report.get_image_measurement_groups()
        assert len(groups) == expected
        told = {item.name.value: item.value for group in groups for item in group.get_measurements()}
        assert "side-ratio" in told if kind == "phases" else "change-sd" in told


def uids(made: Made) -> set[str]:
    return {str(one.dataset.SOPInstanceUID) for one in sources_of(made)}


def sources_of(made: Made) -> list[SourceObject]:
    return [SourceObject(dataset=pydicom.dcmread(io.BytesIO(content))) for content in made.sources.values()]
