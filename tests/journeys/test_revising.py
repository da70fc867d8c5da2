"""A reading under a physician's hand: kept, opened, edited, written and signed, without being read twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.dicom.results.studies import Study, little_study, png

from bonescan import dicom, journeys, reading, report
from bonescan.dicom.opening import open_scan
from bonescan.errors import InvalidValue, UnreadableInput
from bonescan.journeys import DICOM_FOLDER
from bonescan.journeys.clinic import EDITS_NAME, STATE_NAME
from bonescan.journeys.revising import amended, opened, record_of, stored_reading, write_revision
from bonescan.reading.case import Case
from bonescan.reading.model import Revision
from bonescan.reading.signing import Signature
from bonescan.report import reading_schema
from bonescan.report.physician import TEXT_NAME, PhysicianText, read_text
from bonescan.report.record import record_bytes

WORDS = {("interpretation", "text"): "No metastasis."}
AT = datetime(2026, 3, 5, 8, 30, tzinfo=UTC)
BENIGN = {"do": "change", "finding": 1, "nature": "degenerative"}
BY = "Dr. Ada Example"


@dataclass(frozen=True)
class Shelf:
    """A study and the reading that was kept of it."""

    study: Study
    inputs: list[Path]
    folder: Path

    def write(self, out: Path, edits: list[dict], of: Path | None = None, **told: object) -> Mapping[str, object]:
        settings = {"of_version": 1, "by": BY, "text": self.text, "signature": Signature(name=BY, signed_at=AT)}
        return write_revision(self.inputs, of or self.folder, out, edits=edits, **{**settings, **told})  # type: ignore[arg-type]

    @property
    def text(self) -> PhysicianText:
        return PhysicianText(study_uid=self.study.reading.scan.study_uid or "", entries=WORDS)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Read with a reader that answers at once, and reported without pictures."""
    place = tmp_path_factory.mktemp("shelf")
    one = little_study()
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch)
        ((name, content),) = one.sources.items()
        inputs = place / "inputs"
        inputs.mkdir()
        (inputs / name).write_bytes(content)
        journeys.read_study([inputs], place / "reading", dicom_results=True, keep_state=True)
    return Shelf(study=one, inputs=[inputs], folder=place / "reading")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)


def stand_in(patch: pytest.MonkeyPatch) -> None:
    def read_case(scan, **_):
        drawn = little_study().reading
        return Case(reading=replace(drawn, scan=scan, remarks=scan.remarks + drawn.labels.remarks), glance=None)

    def render(finished, code, text, comparison=None):
        return {
            "reading.json": record_bytes(record_of(finished)),
            "report.pdf": b"%PDF-1.7",
            "report.txt": f"{text.physician} {code}".encode() if text else b"",
            **{f"overlay_{view.name}.png": png() for view in finished.scan.views},
        }

    patch.setattr(reading, "read_case", read_case)
    patch.setattr(report, "render", render)


def stored(folder: Path) -> dict:
    return json.loads((folder / "reading.json").read_bytes())


def test_what_was_kept_is_the_reading_to_the_byte(shelf):
    again = stored_reading(shelf.inputs, shelf.folder)
    assert record_bytes(record_of(again)) == (shelf.folder / "reading.json").read_bytes()
    assert again.revision is None


def test_a_reading_that_need_not_be_edited_keeps_nothing(shelf, tmp_path):
    journeys.read_study(shelf.inputs, tmp_path / "out")
    assert not (tmp_path / "out" / STATE_NAME).exists()
    with pytest.raises(UnreadableInput, match="was not kept for editing"):
        opened(shelf.inputs, tmp_path / "out")


def test_edits_are_shown_before_anything_is_written(shelf):
    seen = opened(shelf.inputs, shelf.folder).revised([BENIGN])
    assert replace(seen.revision, identities={}) == Revision(of_version=0, edits=(BENIGN,), by="")
    assert seen.findings[0].likelihood.value == 0
    assert not (shelf.folder / EDITS_NAME).exists()


def test_the_record_of_a_revision_keeps_to_its_schema(shelf):
    jsonschema = pytest.importorskip("jsonschema")
    record = json.loads(json.dumps(record_of(opened(shelf.inputs, shelf.folder).revised([BENIGN]))))
    jsonschema.validate(record, reading_schema())
    assert record["revision"] == {"of_version": 0, "edits": [BENIGN], "by": "", "removed": []}
    record["revision"]["edits"][0]["do"] = "paint"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, reading_schema())


def test_an_edit_that_cannot_be_made_is_named_by_its_place(shelf):
    study = opened(shelf.inputs, shelf.folder)
    for edits in ([BENIGN, {"do": "delete", "finding": 9}], [BENIGN, {"do": "delete"}]):
        with pytest.raises(InvalidValue) as raised:
            study.revised(edits)
        assert raised.value.facts["edit"] == 1


def test_a_revision_is_written_whole_and_signed(shelf, tmp_path):
    out = tmp_path / "out"
    summary = shelf.write(out, [BENIGN])
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    before = {path.relative_to(shelf.folder).as_posix() for path in shelf.folder.rglob("*") if path.is_file()}
    assert names == before | {EDITS_NAME, "fhir.json", "run.json"}
    assert stored(out)["revision"] == {"of_version": 1, "edits": [BENIGN], "by": BY, "removed": []}
    assert json.loads((out / EDITS_NAME).read_bytes()) == {"of_version": 1, "edits": [BENIGN], "by": BY}
    assert (out / "report.txt").read_text() == f"{BY} en"
    told = read_text((out / TEXT_NAME).read_bytes())
    assert (told.entries, told.physician, told.signed_at) == (WORDS, BY, AT)
    assert '"status": "final"' in (out / "fhir.json").read_text()
    assert summary["hot_spot_count"] == stored(out)["burden"]["hot_spot_count"]
    listed = {entry["name"] for entry in json.loads((out / "run.json").read_bytes())["outputs"]}
    assert {"reading.json", STATE_NAME, EDITS_NAME, f"{DICOM_FOLDER}/measurements_sr.dcm"} <= listed
    back = dicom.read_results(path.read_bytes() for path in (out / DICOM_FOLDER).iterdir())
    assert back.said.findings[0].natures == opened(shelf.inputs, out).revised(()).findings[0].natures
    assert (out / STATE_NAME).read_bytes() == (shelf.folder / STATE_NAME).read_bytes()


def test_what_is_not_edited_can_be_signed_and_unsigned_is_a_draft(shelf, tmp_path):
    shelf.write(tmp_path / "signed", [])
    assert stored(tmp_path / "signed")["revision"] == {"of_version": 1, "edits": [], "by": BY, "removed": []}
    assert stored(tmp_path / "signed")["findings"] == stored(shelf.folder)["findings"]
    shelf.write(tmp_path / "draft", [BENIGN], signature=None, text=replace(shelf.text, entries={}))
    assert read_text((tmp_path / "draft" / TEXT_NAME).read_bytes()).is_empty
    assert '"status": "preliminary"' in (tmp_path / "draft" / "fhir.json").read_text()


def test_edits_of_a_revision_follow_its_own(shelf, tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    shelf.write(first, [BENIGN])
    study = opened(shelf.inputs, first)
    assert record_bytes(record_of(study.revised(()))) == (first / "reading.json").read_bytes()
    gone = {"do": "delete", "finding": 1}
    with pytest.raises(InvalidValue) as raised:
        study.revised([gone, gone])
    assert raised.value.facts["edit"] == 1
    shelf.write(second, [gone], of=first, of_version=2)
    told = stored(second)["revision"]
    assert told.pop("removed") == [finding["place"] for finding in stored(first)["findings"] if finding["id"] == 1]
    assert told == {"of_version": 2, "edits": [BENIGN, gone], "by": BY}
    assert not any(finding["id"] == 1 for finding in stored(second)["findings"])
    assert record_bytes(record_of(stored_reading(shelf.inputs, second))) == (second / "reading.json").read_bytes()


def test_an_amendment_names_the_signed_version_it_replaces(shelf, tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    shelf.write(first, [])
    amends = amended(first, version=2, reason="A haemangioma on magnetic resonance.")
    assert (amends.version, amends.signed_at, amends.study_uid) == (2, AT, shelf.study.reading.scan.study_uid)
    shelf.write(second, [BENIGN], signature=Signature(name=BY, signed_at=AT, amends=amends), language="de")
    assert '"status": "amended"' in (second / "fhir.json").read_text()
    content = (second / DICOM_FOLDER / "measurements_sr.dcm").read_bytes()
    assert amends.sop_instance_uid.encode() in content
    assert amended(second, version=3, reason="Again.").sop_instance_uid != amends.sop_instance_uid
    assert read_text((second / TEXT_NAME).read_bytes()).amends == replace(
        amends, study_uid="", series_uid="", sop_instance_uid=""
    )


def test_only_what_is_signed_is_amended(shelf):
    with pytest.raises(InvalidValue, match="not signed"):
        amended(shelf.folder, version=1, reason="A reason.")


def test_what_is_refused_leaves_nothing_half_written(shelf, tmp_path):
    out = tmp_path / "out"
    other = replace(shelf.text, study_uid="1.2.3")
    early = Signature(name=BY, signed_at=datetime(1999, 1, 1, tzinfo=UTC))
    for edits, told in (
        ([{"do": "delete", "finding": 9}], {}),
        ([], {"text": other}),
        ([], {"signature": early}),
        ([], {"text": replace(shelf.text, entries={})}),
        ([], {"language": "xx"}),
    ):
        with pytest.raises(InvalidValue):
            shelf.write(out, edits, **told)
        assert not out.exists()


def test_a_reading_of_other_files_is_not_opened(shelf, tmp_path):
    ((name, content),) = shelf.study.sources.items()
    (tmp_path / name).write_bytes(content + b"\0\0")
    assert open_scan([tmp_path])  # it is a scan all the same
    with pytest.raises(UnreadableInput, match="of other files"):
        opened([tmp_path], shelf.folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"edits": 3, "of_version": 1, "by": ""}', b"\xff"])
def test_edits_that_cannot_be_read_are_said_so(shelf, tmp_path, content):
    (tmp_path / STATE_NAME).write_bytes((shelf.folder / STATE_NAME).read_bytes())
    (tmp_path / EDITS_NAME).write_bytes(content)
    with pytest.raises(UnreadableInput, match=r"edits\.json of this reading cannot be read"):
        opened(shelf.inputs, tmp_path)


def test_pages_and_objects_of_early_phases_stay_with_the_study(shelf, tmp_path):
    before = tmp_path / "before"
    shutil.copytree(shelf.folder, before)
    (before / "phases.html").write_bytes(b"<p>phases</p>")
    (before / DICOM_FOLDER / "phases_sr.dcm").write_bytes(b"phases")
    shelf.write(tmp_path / "out", [BENIGN], of=before)
    assert (tmp_path / "out" / "phases.html").read_bytes() == b"<p>phases</p>"
    assert (tmp_path / "out" / DICOM_FOLDER / "phases_sr.dcm").read_bytes() == b"phases"
    report_before, report_after = (place / DICOM_FOLDER / "measurements_sr.dcm" for place in (before, tmp_path / "out"))
    assert report_before.read_bytes() != report_after.read_bytes()
