from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import SHAPE
from tests.evaluation.made import lesion, record, seen

from bonescan import cli, evaluation, journeys, reading
from bonescan.errors import LabellingFailed, OutputFailed, UnreadableInput
from bonescan.journeys import evaluating
from bonescan.journeys.evaluating import find_studies
from bonescan.journeys.workers import each
from bonescan.reading import network


def png(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(values).save(content, "png")
    return content.getvalue()


def write_study(folder: Path, images: bytes = b"images") -> Path:
    """A study of the small reading's one view, with a lesion where its bone finding is."""
    (folder / "dicom").mkdir(parents=True)
    (folder / "truth").mkdir()
    (folder / "dicom" / "whole_body.dcm").write_bytes(images)
    told = record([lesion(1, {"posterior": seen(21, 6)})])
    (folder / "truth" / "truth.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "truth" / "regions_posterior.png").write_bytes(png(np.full(SHAPE, 4, np.uint8)))
    (folder / "truth" / "lesions_posterior.png").write_bytes(png(np.zeros(SHAPE, np.uint16)))
    return folder


@pytest.fixture
def here(monkeypatch, rooms, small_reading):
    """Reading at once and in this process; says which reader was asked, and how often."""
    asked: list[bool] = []

    def read(scan, *, learned):
        asked.append(learned)
        return small_reading

    def one_by_one(work: Callable, items, processes):
        for item in items:
            yield item, lambda item=item: work(item)

    rooms.read = read
    few = partial(evaluation.evaluation_record, resamples=20)
    monkeypatch.setattr(evaluation, "evaluation_record", few)
    monkeypatch.setattr(network, "weights_digest", lambda: "weights")
    monkeypatch.setattr(evaluating, "each", one_by_one)
    return asked


def value_of(done, key: str) -> float:
    return next(one["value"] for one in done.record["figures"] if one["key"] == key)


def test_a_cohort_is_read_once_and_goes_on(here, tmp_path):
    for name in ("case_00000", "case_00001"):
        write_study(tmp_path / "cohort" / name, name.encode())
    done = journeys.evaluate(tmp_path / "cohort", tmp_path / "out")
    assert (done.read_now, here) == (2, [True, True])
    assert done.record["studies"] == ["case_00000", "case_00001"]
    assert value_of(done, "lesions.visible.1") == 1.0
    assert value_of(done, "regions.posterior") == 1.0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cases", *done.outputs}
    (tmp_path / "out" / "reliability.svg").write_text("of an earlier run")
    # a third study, and one whose comparison was lost
    write_study(tmp_path / "cohort" / "case_00002", b"third")
    (tmp_path / "out" / "cases" / "case_00001.json").unlink()
    kept = (tmp_path / "out" / "cases" / "case_00000.json").stat().st_mtime_ns
    again = journeys.evaluate(tmp_path / "cohort", tmp_path / "out")
    assert (again.read_now, len(here)) == (2, 4)
    assert (tmp_path / "out" / "cases" / "case_00000.json").stat().st_mtime_ns == kept
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cases", *again.outputs}
    assert again.record["studies"] == ["case_00000", "case_00001", "case_00002"]


def test_comparisons_of_another_reader_or_of_other_images_are_refused(here, tmp_path):
    study = write_study(tmp_path / "cohort" / "case_00000")
    journeys.evaluate(tmp_path / "cohort", tmp_path / "out", learned=False)
    assert here == [False]
    with pytest.raises(OutputFailed, match="by another reader"):
        journeys.evaluate(tmp_path / "cohort", tmp_path / "out")
    (study / "dicom" / "whole_body.dcm").write_bytes(b"another person")
    with pytest.raises(OutputFailed, match="with other images"):
        journeys.evaluate(tmp_path / "cohort", tmp_path / "out", learned=False)


def test_without_a_network_the_reader_is_the_model_based_one(here, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "weights_digest", lambda: None)
    write_study(tmp_path / "cohort" / "case_00000")
    done = journeys.evaluate(tmp_path / "cohort", tmp_path / "out")
    assert (done.record["reader"], here) == ("model-based", [False])


def test_a_study_that_cannot_be_read_is_a_result(here, tmp_path, monkeypatch):
    def fail(scan, *, learned):
        raise LabellingFailed("The skeleton could not be fitted.")

    monkeypatch.setattr(reading, "read", fail)
    write_study(tmp_path / "cohort" / "case_00000")
    done = journeys.evaluate(tmp_path / "cohort", tmp_path / "out")
    assert done.record["failed"] == [{"name": "case_00000", "why": "The skeleton could not be fitted."}]
    assert value_of(done, "lesions.visible.1") == 0.0
    assert value_of(done, "regions.posterior") == 0.0


def test_another_evaluation_stands_beside_it(here, tmp_path, capsys):
    write_study(tmp_path / "cohort" / "case_00000")
    folder = str(tmp_path / "cohort")
    for words in (
        ["evaluate", folder, "-o", str(tmp_path / "model"), "--model-based", "--quiet"],
        ["evaluate", folder, "-o", str(tmp_path / "out"), "--against", str(tmp_path / "model" / "evaluation.json"),
         "--json", "--quiet", "--manifest", str(tmp_path / "run.json")],
    ):  # fmt: skip
        with pytest.raises(SystemExit) as stopped:
            cli.main(words)
        assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out)["reader"] == "with the network"
    assert "| | with the network | model-based | over |" in (tmp_path / "out" / "evaluation.md").read_text(
        encoding="utf-8"
    )
    manifest = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["command"] == "evaluate"
    assert {one["name"] for one in manifest["outputs"]} >= {"evaluation.json", "evaluation.html"}


def test_what_to_compare_with_is_looked_at_before_anything_is_read(here, tmp_path):
    write_study(tmp_path / "cohort" / "case_00000")
    (tmp_path / "other.json").write_text('{"schema": "other"}', encoding="utf-8")
    with pytest.raises(UnreadableInput, match="bonescan-evaluation/1"):
        journeys.evaluate(tmp_path / "cohort", tmp_path / "out", against=tmp_path / "other.json")
    assert here == []


def test_studies_are_found_in_every_documented_form(tmp_path):
    write_study(tmp_path / "both" / "first" / "case_00000")
    write_study(tmp_path / "both" / "second" / "case_00000")
    assert [study.name for study in find_studies(tmp_path / "both")] == ["first/case_00000", "second/case_00000"]
    assert [study.name for study in find_studies(tmp_path / "both" / "first" / "case_00000")] == ["case_00000"]
    real = tmp_path / "real"
    real.mkdir()
    for name in ("7.dcm", "8.dcm", "9.dcm"):
        (real / name).write_bytes(b"scan")
    (real / "7_regions_posterior.png").write_bytes(png(np.zeros(SHAPE, np.uint8)))
    (real / "readings.json").write_text(json.dumps({"8": {"findings": []}, "about": "by one reader"}), encoding="utf-8")
    seven, eight = find_studies(real)
    assert (seven.name, seven.outlines, seven.circles) == ("7", (real / "7_regions_posterior.png",), None)
    assert (eight.name, eight.outlines, eight.circles) == ("8", (), {"findings": []})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableInput, match="no study with its truth"):
        find_studies(tmp_path / "empty")


def test_the_reader_is_given_the_images_alone(here, tmp_path, rooms):
    opened: list[Path] = []
    whole = rooms.open_scan

    def open_scan(inputs):
        opened.extend(inputs)
        return whole(inputs)

    rooms.open_scan = open_scan
    study = write_study(tmp_path / "cohort" / "case_00000")
    journeys.evaluate(tmp_path / "cohort", tmp_path / "out")
    assert opened == [study / "dicom"]
    shutil.rmtree(study / "truth")
    with pytest.raises(UnreadableInput):
        journeys.evaluate(tmp_path / "cohort", tmp_path / "out")


def double(number: int) -> int:
    if number < 0:
        raise ValueError(number)
    return 2 * number


def test_work_is_shared_out_and_what_stops_a_part_of_it_is_told():
    answers = {}
    for item, answer in each(double, [1, 2, -1], 2):
        try:
            answers[item] = answer()
        except ValueError as error:
            answers[item] = str(error)
    assert answers == {1: 2, 2: 4, -1: "-1"}
    assert list(each(double, [], None)) == []
