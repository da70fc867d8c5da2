"""The tracking UID of a finding: one in every object and every version that has it, never one for two findings."""

from __future__ import annotations

import io
from dataclasses import replace

import pydicom
from tests.dicom.results.studies import little_study, whole_body_study

from bonescan.dicom import write_results
from bonescan.reading.model import Reading, Revision


def uids(files: dict[str, bytes]) -> dict[str, set[str]]:
    """By tracking identifier, of segments and measurement groups."""
    found: dict[str, set[str]] = {}
    for name, content in files.items():
        if name.startswith("seg_findings"):
            for one in pydicom.dcmread(io.BytesIO(content)).SegmentSequence:
                found.setdefault(one.TrackingID, set()).add(one.TrackingUID)
    report = pydicom.dcmread(io.BytesIO(files["measurements_sr.dcm"]))
    (measured,) = [one for one in report.ContentSequence if one.get("ContentTemplateSequence") is None
                   and one.ConceptNameCodeSequence[0].CodeValue == "126010"]  # fmt: skip
    for group in measured.ContentSequence:
        tracked = {item.ConceptNameCodeSequence[0].get("CodeValue"): item for item in group.ContentSequence}
        found.setdefault(str(tracked["112039"].TextValue), set()).add(str(tracked["112040"].UID))
    return {name: told for name, told in found.items() if name.startswith("finding-")}


def of(reading: Reading) -> dict[str, set[str]]:
    return uids(write_results(reading, little_study().frames))


def test_a_finding_has_one_uid_in_all_objects_and_findings_have_different_ones():
    told = uids(whole_body_study().results)
    assert all(len(one) == 1 for one in told.values())
    assert len(set.union(*told.values())) == len(told) == len(whole_body_study().reading.findings)


def test_another_finding_of_the_same_number_has_another_uid_and_a_later_version_the_same():
    read = little_study().reading
    number = read.findings[0].id
    first = Revision(of_version=1, edits=(), by="Dr. Ada", identities={number: "the edit of one draft"})
    drawn = of(replace(read, revision=first))
    later = of(replace(read, revision=replace(first, of_version=2, by="Dr. Bob")))
    other = of(replace(read, revision=replace(first, identities={number: "the edit of another"})))
    assert drawn == later
    assert len({next(iter(told[f"finding-{number}"])) for told in (of(read), drawn, other)}) == 3
