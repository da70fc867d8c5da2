"""The way from a scenario to a reading of it: coarse voxels and few histories, but every step of it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from bonescan import cli, dicom, journeys
from bonescan.camera.projections import Lattice, Projections
from bonescan.errors import InvalidValue, OutputFailed, UnreadableInput
from bonescan.journeys import simulation
from bonescan.journeys.truth import truth_schema
from bonescan.patient import draw_patient, scenario_names
from bonescan.patient.person import Person
from bonescan.report import load_bones

QUICK = journeys.Settings(spacing_mm=8.0, histories=10_000)
TINY = journeys.Settings(spacing_mm=12.0, fast=True)
SCENARIO = """
title = "Three metastases"
shows = "Three hot spots."
[person]
sex = "male"
age_years = 55
bmi = 25
arms = "beside"
[protocol]
time_h = 3.5
[[lesions]]
kind = "metastasis"
bone = "vertebra_l03"
diameter_mm = 30
contrast = 12
[[lesions]]
kind = "metastasis"
bone = "hip_bone_r"
diameter_mm = 30
contrast = 12
[[lesions]]
kind = "metastasis"
bone = "femur_l"
diameter_mm = 30
contrast = 12
"""


@pytest.fixture(scope="module")
def scenario(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("scenario") / "three.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def study(scenario, tmp_path_factory) -> journeys.SimulatedStudy:
    settings = replace(QUICK, spacing_mm=5.0, histories=200_000, counts=1.5e6)
    return journeys.simulate(scenario, tmp_path_factory.mktemp("study") / "out", seed=4, settings=settings)


@pytest.fixture(scope="module")
def scan(study):
    return dicom.open_scan([study.out / "dicom"])


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def no_scatter(monkeypatch):
    """A camera that sees no scattered photons, for tests that are about something else: it is quick."""

    def none(activity, medium, camera, angles_deg, face_mm, axis_mm, windows_kev, histories, seed):
        lattice = Lattice(shape=(2, 2), spacing_mm=(500.0, 500.0), top_mm=1000.0, left_mm=-250.0)
        zeros = np.zeros((len(windows_kev), len(angles_deg), 2, 2), dtype=np.float32)
        return Projections(values=zeros, lattice=lattice, angles_deg=angles_deg)

    monkeypatch.setattr(simulation, "_scatter_model", lambda fast: none)


# --- one study -----------------------------------------------------------------------------------


def test_a_study_is_whole(study):
    views = ("anterior", "posterior")
    assert set(contents(study.out)) == {
        "dicom/whole_body.dcm",
        "preview.png",
        "truth/truth.json",
        "truth/volumes.npz",
        *(f"truth/{kind}_{view}.png" for kind in ("regions", "lesions") for view in views),
        *(f"truth/{kind}_{view}.npz" for kind in ("bones", "expected") for view in views),
    }
    assert set(study.outputs) == set(contents(study.out))
    jsonschema.validate(study.truth, truth_schema())


def test_the_counts_are_those_asked_for_and_those_expected(study, scan):
    front, back = (view.counts for view in scan.views)
    # the mean of both views; Poisson's spread of 3 million is below 0.1 %
    assert (front.sum() + back.sum()) / 2 == pytest.approx(1.5e6, rel=0.005)
    for view, counts in zip(("anterior", "posterior"), (front, back), strict=True):
        with np.load(study.out / f"truth/expected_{view}.npz") as stored:
            expected = stored["expected_counts"].astype(float)
        some = expected > 4
        chi = ((counts - expected)[some] ** 2 / expected[some]).mean()
        assert chi == pytest.approx(1, abs=0.05)  # Poisson: variance is the mean; some 20,000 pixels
        assert counts[expected == 0].sum() == 0


def test_the_header_says_who_when_and_that_it_is_simulated(study, scan):
    truth = study.truth
    assert scan.patient.name == "Simulated^Emil^A"  # and not what the scenario put in
    assert scan.patient.patient_id == "SIMULATED-4-0"
    assert (scan.patient.sex, scan.patient.age_years) == ("M", 55)
    assert scan.patient.weight_kg == pytest.approx(truth["person"]["mass_kg"], abs=0.1)
    assert scan.delay_h == pytest.approx(3.5)
    assert scan.injection.activity_mbq == pytest.approx(truth["injection"]["activity_mbq"], abs=0.1)
    assert (scan.device.manufacturer, scan.device.collimator) == ("SIEMENS", "LEHR")


@pytest.mark.long
def test_a_reading_finds_what_was_put_in(study, tmp_path):
    reading = journeys.read([study.out], tmp_path / "reading")
    assert {source.file_name for source in reading.scan.sources} == {"whole_body.dcm"}
    for lesion in study.truth["lesions"]:
        for name, seen in lesion["views"].items():
            if seen["snr"] < 15 or seen["contrast"] < 1.5:
                continue
            row, column = seen["peak"]["row"], seen["peak"]["column"]
            near = [
                finding
                for finding in reading.findings
                if name in finding.views and finding.views[name].mask[row - 2 : row + 3, column - 2 : column + 3].any()
            ]
            assert near, f"{lesion['label']} in the {name} view"
    shown = {name for lesion in study.truth["lesions"] for name, seen in lesion["views"].items() if seen["snr"] >= 15}
    assert shown == {"anterior", "posterior"}
    assert reading.burden.bone_scan_index_percent.value > 0.5 * study.truth["burden"]["bone_scan_index_percent"]


def test_the_truth_shows_each_lesion_where_the_picture_is_brighter(study, scan):
    for view in scan.views:
        numbers = np.asarray(Image.open(study.out / f"truth/lesions_{view.name}.png"))
        assert numbers.shape == view.counts.shape
        for lesion in study.truth["lesions"]:
            own = numbers == lesion["number"]
            if lesion["views"][view.name]["contrast"] > 2:
                rows, columns = np.nonzero(own)
                around = np.zeros(own.shape, dtype=bool)
                around[rows.min() - 15 : rows.max() + 16, columns.min() - 15 : columns.max() + 16] = True
                assert view.counts[own].mean() > 1.5 * view.counts[around & (numbers == 0)].mean()


def test_the_quick_look_is_a_picture_of_both_views(study):
    with Image.open(study.out / "preview.png") as picture:
        grey = np.asarray(picture.convert("L"))
    assert grey.shape[0] > 1000
    assert (grey[60:-40] < 60).mean() > 0.002  # some bone is black
    assert np.median(grey) > 250  # on a white ground


def test_one_seed_gives_one_study_to_the_bit(tmp_path):
    journeys.simulate("rib_fractures", tmp_path / "a", seed=3, settings=TINY)
    journeys.simulate("rib_fractures", tmp_path / "b", seed=3, settings=TINY)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    other = journeys.simulate("rib_fractures", tmp_path / "b", seed=4, settings=TINY)  # the earlier study goes
    assert contents(tmp_path / "a")["dicom/whole_body.dcm"] != contents(tmp_path / "b")["dicom/whole_body.dcm"]
    assert other.truth["seed"] == 4


def test_neither_the_scenarios_folder_nor_what_is_kept_changes_what_a_camera_sends(scenario, tmp_path, no_scatter):
    moved = tmp_path / "elsewhere" / Path(scenario).name
    moved.parent.mkdir()
    moved.write_text(SCENARIO, encoding="utf-8")
    journeys.simulate(scenario, tmp_path / "a", seed=3, settings=TINY)
    journeys.simulate(str(moved), tmp_path / "b", seed=3, settings=replace(TINY, volumes=False))
    assert contents(tmp_path / "a" / "dicom") == contents(tmp_path / "b" / "dicom")


def test_a_motion_blurs_what_moved_and_the_truth_follows(tmp_path, no_scatter):
    still = tmp_path / "still.toml"
    still.write_text('[person]\narms = "beside"\n', encoding="utf-8")
    moved = tmp_path / "moved.toml"
    moved.write_text(
        still.read_text(encoding="utf-8")
        + '[[protocol.motions]]\nat_fraction = 0.1\npose = { "head.turn_rad" = 0.6, "thigh_l.spread_rad" = 0.15 }\n',
        encoding="utf-8",
    )
    one, two = (journeys.simulate(str(path), tmp_path / path.stem, seed=2, settings=QUICK) for path in (still, moved))
    assert two.truth["motions"] == [{"at_fraction": 0.1, "pose": {"head.turn_rad": 0.6, "thigh_l.spread_rad": 0.15}}]
    first, then = (np.load(study.out / "truth/expected_anterior.npz")["expected_counts"] for study in (one, two))
    bones = {bone.bone: bone for bone in load_bones((two.out / "truth/bones_anterior.npz").read_bytes())}

    def gained(name: str) -> float:
        own = bones[name].thickness_mm > 0
        return float(then[bones[name].box][own].mean() / first[bones[name].box][own].mean())

    # where the truth says that the shank lay when it was counted there are more counts than where it lies without
    assert gained("tibia_l") > 1.3
    assert gained("tibia_r") == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    ("protocol", "objects"),
    [
        ("spot", {"dicom/spot_vertebra_l03.dcm"}),
        ("spect", {"dicom/tomo.dcm"}),
        ("three-phase", {"dicom/flow.dcm", "dicom/pool.dcm", "dicom/delayed.dcm"}),
    ],
)
def test_other_protocols_send_their_objects(scenario, tmp_path, no_scatter, protocol, objects):
    settings = replace(TINY, protocol=protocol, fast=False)
    study = journeys.simulate(scenario, tmp_path / "out", seed=1, settings=settings)
    assert {name for name in study.outputs if name.startswith("dicom/")} == objects
    jsonschema.validate(study.truth, truth_schema())
    if protocol == "spot":
        scan = dicom.open_scan([tmp_path / "out"])
        assert not scan.whole_body
        (lesion, *_) = study.truth["lesions"]
        seen = lesion["views"]["spot_vertebra_l03_posterior"]
        rows, columns = scan.views[1].counts.shape
        # the first lesion lies in the middle of the field
        assert abs(seen["peak"]["row"] - rows / 2) < 5
        assert abs(seen["peak"]["column"] - columns / 2) < 5
    elif protocol == "spect":
        tomography = dicom.open_tomographic([tmp_path / "out"])
        assert len(tomography.angles_deg) == 64
        # both windows, and the lesion in the middle of the field
        assert tomography.counts.shape[0] == 2
        front = ndimage.gaussian_filter(tomography.counts[0, 32], 2)
        peak = np.array(np.unravel_index(front.argmax(), front.shape))
        assert np.abs(peak - np.array(front.shape) / 2).max() < 6
    else:
        film = dicom.open_dynamic([tmp_path / "out" / "dicom" / "flow.dcm"])
        per_frame = film.counts.sum(axis=(0, 2, 3))
        assert per_frame.max() > 2 * per_frame[-1]  # the bolus passes, through the arm's vein first
        names = {picture["name"]: picture["time_h"] for picture in study.truth["pictures"]}
        assert names["pool_anterior"] == pytest.approx(5 / 60)
        assert names["delayed_anterior"] == 3.5


@pytest.mark.parametrize(("scenario", "side"), [("cellulitis", "left"), ("regional_pain", "right")])
def test_three_phases_look_at_the_ill_limb_and_the_other_one(tmp_path, no_scatter, scenario, side):
    study = journeys.simulate(scenario, tmp_path / "out", seed=1, settings=replace(TINY, protocol="three-phase"))
    pool = np.load(study.out / "truth/expected_pool_anterior.npz")["expected_counts"]
    (lesion,) = study.truth["lesions"]
    peak = lesion["views"]["pool_anterior"]["peak"]
    row, column = peak["row"], peak["column"]
    opposite = pool.shape[1] - 1 - column
    assert (column > opposite) == (side == "left")  # from in front
    ill, other = (pool[row - 8 : row + 9, at - 8 : at + 9].mean() for at in (column, opposite))
    assert other > 0.1 * pool.max() / 4
    assert ill > 1.2 * other


def test_an_unknown_protocol_is_answered_with_the_names_of_the_help(tmp_path):
    with pytest.raises(InvalidValue, match=r"whole-body, .*three-phase, spect, spect-continuous"):
        journeys.simulate("normal", tmp_path, settings=replace(TINY, protocol="wholebody"))


# --- a body from outside -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outside(tmp_path_factory) -> dict[str, Path]:
    """Our own reference man as somebody else's volume: bones, and all else as muscle."""
    folder = tmp_path_factory.mktemp("outside")
    voxels = Person().labelled(8.0).voxels
    labels = np.where(voxels.bone > 0, voxels.bone, np.where(voxels.tissue > 0, 300, 0)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = voxels.grid.step_mm, voxels.grid.origin_mm
    affine[:2] *= -1  # NIfTI points right and forwards
    nibabel.save(nibabel.Nifti1Image(labels, affine), folder / "labels.nii.gz")
    lines = [f"{k + 1} {bone}" for k, bone in enumerate(voxels.bones)] + ["300 muscle"]
    (folder / "table.txt").write_text("\n".join(lines), encoding="utf-8")
    return {"labels": folder / "labels.nii.gz", "table": folder / "table.txt"}


def test_a_body_from_outside_gets_the_scenarios_lesions(scenario, outside, tmp_path, no_scatter):
    phantom = journeys.Phantom(**outside, age_years=70)
    study = journeys.simulate(scenario, tmp_path / "out", settings=QUICK, phantom=phantom)
    assert study.truth["person"]["from_outside"]
    assert (study.truth["person"]["sex"], study.truth["person"]["age_years"]) == ("male", 70)
    jsonschema.validate(study.truth, truth_schema())
    assert len(study.inputs) == 3  # scenario, labels, table
    for lesion in study.truth["lesions"]:
        assert lesion["volume_ml"] > 0
        assert lesion["views"]["posterior"]["contrast"] > 1
    regions = np.asarray(Image.open(tmp_path / "out" / "truth" / "regions_anterior.png"))
    assert set(range(1, 18)) - set(np.unique(regions).tolist()) == set()


def test_what_cannot_be_of_a_body_from_outside_is_refused(outside, tmp_path):
    for scenario in ("normal", journeys.COHORT):
        with pytest.raises(InvalidValue, match="--sex"):
            journeys.simulate(scenario, tmp_path / "out", settings=QUICK, phantom=journeys.Phantom(**outside))
    phantom = journeys.Phantom(**outside, sex="male")
    with pytest.raises(InvalidValue, match="keeps its pose"):
        journeys.simulate("motion", tmp_path / "out", settings=QUICK, phantom=phantom)
    missing = replace(phantom, ct=tmp_path / "none.nii.gz")
    with pytest.raises(UnreadableInput, match="CT could not be read"):
        journeys.simulate("normal", tmp_path / "out", settings=QUICK, phantom=missing)
    assert not (tmp_path / "out").exists()


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("metastasis", {}, "did you mean metastases"),
        ("none.toml", {}, "could not be read"),
        ("normal", {"camera": "box"}, "no camera 'box'"),
        ("normal", {"protocol": "photo"}, "no protocol 'photo'"),
        ("normal", {"protocol": "spot", "over": ("tail",)}, "no 'tail' to look at"),
        ("normal", {"protocol": "spect", "over": ("head", "feet")}, "looks at one place"),
        ("normal", {"protocol": "spect", "counts": 1e6}, "Counts can be asked"),
        ("normal", {"over": ("head",)}, "looks at everything"),
        ("normal", {"protocol": "spect", "fast": True}, "no tomography"),
        ("normal", {"dialect": "klingon"}, "A dialect is one of"),
    ],
)
def test_what_cannot_be_simulated_is_one_sentence_and_leaves_nothing(tmp_path, name, settings, told):
    with pytest.raises((InvalidValue, UnreadableInput), match=told):
        journeys.simulate(name, tmp_path / "out", settings=replace(QUICK, **settings))
    assert not (tmp_path / "out").exists()


def test_fluoride_needs_another_camera(tmp_path):
    path = tmp_path / "pet.toml"
    path.write_text('tracer = "F-18 fluoride"\n', encoding="utf-8")
    with pytest.raises(InvalidValue, match="positron"):
        journeys.simulate(str(path), tmp_path / "out", settings=QUICK)


def test_a_folder_that_is_something_else_is_kept(tmp_path):
    (tmp_path / "out" / "dicom").mkdir(parents=True)
    (tmp_path / "out" / "dicom" / "mine.dcm").write_bytes(b"mine")
    with pytest.raises(OutputFailed, match="no simulation has written"):
        journeys.simulate("normal", tmp_path / "out", settings=QUICK)
    assert contents(tmp_path / "out") == {"dicom/mine.dcm": hashlib.sha256(b"mine").hexdigest()}


# --- cohorts -------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_cohort_is_the_same_from_any_number_of_processes_and_goes_on(tmp_path):
    first = journeys.simulate_cohort(journeys.COHORT, tmp_path / "one", count=2, seed=5, settings=TINY, processes=1)
    assert (first.made, first.cases) == (2, ("case_00000", "case_00001"))
    # two processes; the first study is there, the second was stopped half way
    whole = tmp_path / "two"
    whole.mkdir()
    (tmp_path / "one" / "case_00000").rename(whole / "case_00000")
    (whole / "cohort.json").write_bytes((tmp_path / "one" / "cohort.json").read_bytes())
    (whole / ".bonescan-unfinished-case_00001").mkdir()
    kept = (whole / "case_00000" / "preview.png").stat().st_mtime_ns
    again = journeys.simulate_cohort(journeys.COHORT, whole, count=3, seed=5, settings=TINY, processes=2)
    assert (again.made, len(again.cases)) == (2, 3)
    assert (whole / "case_00000" / "preview.png").stat().st_mtime_ns == kept
    assert contents(whole / "case_00001") == contents(tmp_path / "one" / "case_00001")
    assert sorted(path.name for path in whole.iterdir()) == ["case_00000", "case_00001", "case_00002", "cohort.json"]
    truth = json.loads((whole / "case_00002" / "truth" / "truth.json").read_text(encoding="utf-8"))
    person = draw_patient(5, 2).person
    assert truth["member"] == 2
    assert truth["person"]["stature_mm"] == pytest.approx(person.stature_mm, rel=1e-6)
    assert "volumes.npz" not in {path.name for path in whole.rglob("*")}
    fewer = journeys.simulate_cohort(journeys.COHORT, whole, count=1, seed=5, settings=TINY)
    assert (fewer.made, len(fewer.cases)) == (0, 1)
    assert json.loads((whole / "cohort.json").read_text(encoding="utf-8"))["count"] == 3  # the others stay

    for differing, settings, seed in (("seed", TINY, 6), ("spacing_mm", replace(TINY, spacing_mm=11.0), 5)):
        with pytest.raises(OutputFailed, match=f"another {differing}"):
            journeys.simulate_cohort(journeys.COHORT, whole, count=3, seed=seed, settings=settings)


def test_the_same_patient_can_be_scanned_again(tmp_path):
    for repeat in (0, 1):
        settings = replace(TINY, repeat=repeat)
        journeys.simulate("cohort:metastatic", tmp_path / str(repeat), seed=4, number=1, settings=settings)
    first, again = (json.loads((tmp_path / str(k) / "truth" / "truth.json").read_text("utf-8")) for k in (0, 1))
    for same in ("person", "injection", "burden", "skeleton", "member"):
        assert first[same] == again[same]
    assert [one["centre_mm"] for one in first["lesions"]] == [one["centre_mm"] for one in again["lesions"]]
    assert first["pictures"][0]["left_mm"] != again["pictures"][0]["left_mm"]  # laid down anew
    assert first["pictures"][0]["counts"] != again["pictures"][0]["counts"]
    with pytest.raises(InvalidValue, match="no cohort 'cohort:strange'"):
        journeys.simulate("cohort:strange", tmp_path / "none", settings=TINY)


def test_a_later_study_of_a_person_says_what_became_of_every_lesion(tmp_path):
    for study in (0, 1):
        settings = replace(TINY, study=study)
        journeys.simulate("cohort:metastatic", tmp_path / str(study), seed=4, number=1, settings=settings)
    first, later = (json.loads((tmp_path / str(k) / "truth" / "truth.json").read_text("utf-8")) for k in (0, 1))
    jsonschema.validate(later, truth_schema())
    assert "series" not in first
    assert later["series"]["study"] == 1
    course = later["series"]["course"]
    ids = [{lesion["id"] for lesion in record["lesions"]} for record in (first, later)]
    assert set(course) == ids[0] | ids[1]
    assert {name for name, what in course.items() if what == "gone"} == ids[0] - ids[1]
    scans = [dicom.open_scan([tmp_path / str(k) / "dicom"]) for k in (0, 1)]
    assert (scans[1].acquired_at.date() - scans[0].acquired_at.date()).days == 84
    assert scans[0].patient.patient_id == scans[1].patient.patient_id
    assert scans[0].study_uid != scans[1].study_uid
    with pytest.raises(InvalidValue, match="first study"):
        replace(TINY, study=-1)


def test_a_study_that_cannot_be_says_which(tmp_path):
    with pytest.raises(InvalidValue, match=r"Study 0: There is no camera 'box'"):
        journeys.simulate_cohort("normal", tmp_path, count=1, settings=replace(TINY, camera="box"))
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.json"]


@pytest.mark.parametrize("damaged", ["", "[1]", '{"settings": 5}', '{"versions": "1"}'])
def test_a_damaged_record_of_a_cohort_is_refused(tmp_path, damaged):
    (tmp_path / "cohort.json").write_text(damaged, encoding="utf-8")
    with pytest.raises(OutputFailed, match="cannot be read"):
        journeys.simulate_cohort("normal", tmp_path, count=1, settings=TINY)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are listed elsewhere there")
def test_no_process_of_a_cohort_outlives_a_killed_one(tmp_path):
    program = (
        "from bonescan import journeys\n"
        "from pathlib import Path\n"
        "settings = journeys.Settings(spacing_mm=12.0, histories=1000)\n"
        f"journeys.simulate_cohort('normal', Path({str(tmp_path)!r}), count=500, settings=settings, processes=2)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)  # a session of their own
    end = time.monotonic() + 120
    while not (tmp_path / "case_00000").exists() and running.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert len(_of_session(running.pid)) >= 3
    running.kill()
    running.wait(timeout=60)
    while _of_session(running.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert _of_session(running.pid) == []


def _of_session(session: int) -> list[str]:
    """Processes of a session that still run."""
    out = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, own = path.read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
        except OSError:  # it has just ended
            continue
        if int(own) == session and state != "Z":
            out.append(path.parent.name)
    return out


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_stopping_a_cohort_leaves_whole_studies_only(tmp_path):
    program = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored where a shell put the tests aside
        "from bonescan import journeys\n"
        "from pathlib import Path\n"
        "settings = journeys.Settings(spacing_mm=12.0, fast=True)\n"
        f"journeys.simulate_cohort('normal', Path({str(tmp_path)!r}), count=500, settings=settings, processes=2)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, start_new_session=True)
    end = time.monotonic() + 120
    while not (tmp_path / "case_00001").exists() and running.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C does: to all of them
    running.communicate(timeout=60)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"case_00001", "cohort.json"} <= names  # the other process may be slower
    assert all(name.startswith("case_") for name in names - {"cohort.json"})
    assert len(names) < 500
    for name in names - {"cohort.json"}:
        assert (tmp_path / name / "preview.png").is_file()
        json.loads((tmp_path / name / "truth" / "truth.json").read_text(encoding="utf-8"))


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.environ.get("NUMBA_CACHE_DIR", str(tmp_path / "compiled")))

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            cli.main(["simulate", *words])
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return run


def test_the_list_says_what_each_scenario_shows(run):
    status, out, _ = run("--list")
    assert status == 0
    assert "single_metastasis" in out
    assert "One hot spot in the body" in " ".join(out.split())
    told = json.loads(run("--list", "--json")[1])
    assert set(told) == {"cohort", "cohort:normal", "cohort:mimics", "cohort:metastatic", *scenario_names()}
    assert told["normal"]["title"] == "Normal"


def test_every_choice_reaches_the_journey(run, monkeypatch, study):
    asked = {}

    def simulate(scenario, out, **told):
        asked.update(scenario=scenario, out=out, **told)
        return study

    monkeypatch.setattr(journeys, "simulate", simulate)
    status, out, err = run(
        "paget", "-o", "p", "--seed", "9", "--counts", "2e6", "--camera", "infinia_lehr", "--protocol", "spot",
        "--over", "pelvis", "--over", "head", "--dialect", "ge", "--fast", "--no-volumes", "--phantom", "a.nii",
        "--labels", "t.txt", "--ct", "c.nii", "--sex", "male", "--age", "61",
    )  # fmt: skip
    assert status == 0, err
    assert (asked["scenario"], asked["out"], asked["seed"]) == ("paget", Path("p"), 9)
    assert asked["settings"] == journeys.Settings(
        counts=2e6, camera="infinia_lehr", protocol="spot", over=("pelvis", "head"), dialect="ge", fast=True,
        volumes=False,
    )  # fmt: skip
    assert asked["phantom"] == journeys.Phantom(
        labels=Path("a.nii"), table=Path("t.txt"), ct=Path("c.nii"), sex="male", age_years=61
    )
    assert "Put in           3 metastasis" in out
    assert "bonescan read p -o p-reading" in out


def test_json_and_manifest_say_how_the_study_came_about(run, monkeypatch, study):
    monkeypatch.setattr(journeys, "simulate", lambda *arguments, **told: study)
    status, out, err = run("x.toml", "-o", "p", "--json", "--quiet", "--manifest", "run.json")
    assert (status, err) == (0, "")
    assert json.loads(out)["findings"] == {"metastasis": 3}
    record = json.loads(Path("run.json").read_text(encoding="utf-8"))
    assert (record["seed"], record["settings"]["command"]) == (4, "simulate")
    assert record["inputs"] == [{"sha256": hashlib.sha256(SCENARIO.encode()).hexdigest()}]
    digests = {entry["name"]: entry["sha256"] for entry in record["outputs"]}
    assert digests == contents(study.out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--out"),
        (("-o", "p"), "name a scenario"),
        (("normal",), "--out"),
        (("normal", "-o", "p", "--phantom", "a.nii"), "--labels"),
        (("normal", "-o", "p", "--ct", "a.nii"), "--phantom"),
        (("normal", "-o", "p", "--processes", "2"), "--count"),
        (("normal", "-o", "p", "--count", "2", "--manifest", "m.json"), "cohort.json"),
        (("normal", "-o", "p", "--dialect", "klingon"), "klingon"),
        (("normal", "-o", "p", "--seed", "-1"), "--seed"),
    ],
)
def test_a_wrong_call_is_exit_2(run, words, told):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(
    "words",
    [
        ("normal", "--counts", "nan"),
        ("normal", "--counts", "-5"),
        ("nonsense",),
        ("",),
        ("normal", "--camera", "box"),
        ("normal", "--out", "p" * 300),
    ],
)
def test_nonsense_is_exit_1_with_one_sentence(run, words):
    status, out, err = run("-o", "p", *words, "--quiet")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "should have foreseen" not in err
    assert not Path("p").exists()


def test_help_names_every_camera_and_protocol(run):
    from bonescan.camera.cameras import CAMERAS
    from bonescan.camera.protocols import PROTOCOLS

    status, out, _ = run("--help")
    assert status == 0
    assert "Examples:\n    bonescan simulate" in out
    words = " ".join(out.split()).replace("- ", "-")
    for name in (*CAMERAS, *(one.replace("_", "-").replace("tomography", "spect") for one in PROTOCOLS)):
        assert name in words
