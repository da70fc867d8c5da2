"""One simulated study: a scenario becomes a patient, a camera's objects, a quick look, and the truth beside them.

::

    scenario ─► patient ─► voxels ─► camera ─► dicom/   ─► a reader
                                 └───────────► truth/   ─► whoever judges the reader

A folder gets a whole study or keeps the one it had.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonescan.errors import InvalidValue, OutputFailed, UnreadableInput
from bonescan.journeys.clinic import Progress, run_record, versions
from bonescan.journeys.files import staged, told_plainly

if TYPE_CHECKING:
    import numpy as np

    from bonescan.camera.look import ScatterModel
    from bonescan.camera.protocols import AcquisitionProtocol
    from bonescan.journeys.imaging import Session, Taken
    from bonescan.patient import Cohort, Motion, Patient, Person, Scenario
    from bonescan.patient.outside import OutsideBody
    from bonescan.patient.series import Course
    from bonescan.scan import PatientFacts

__all__ = [
    "COHORT",
    "Phantom",
    "Settings",
    "SimulatedStudy",
    "input_digests",
    "scenario_list",
    "simulate",
    "simulation_manifest",
    "simulation_summary",
]

COHORT = "cohort"
"""In place of a scenario: people as they come to a clinic, drawn from the seed; `bonescan.patient.COHORTS` has more."""

_INJECTED_AT = datetime(2026, 1, 15, 9, 0)  # of every simulated study: nothing depends on the day it was made
_BETWEEN_STUDIES = timedelta(weeks=12)
_GIVEN_NAMES = {
    "female": ["Anna", "Beatriz", "Clara", "Dana", "Elena", "Farah", "Greta", "Hana", "Ines", "Julia", "Karin", "Lina"],
    "male": ["Adam", "Bruno", "Carlos", "Daniel", "Emil", "Felix", "Georg", "Hugo", "Ivan", "Jonas", "Karim", "Luis"],
}
"""Of people who are called Simulated, and can be told apart by whoever looks at a list of them."""
_FOLDERS = ("dicom", "truth")
_NAMES = (*_FOLDERS, "preview.png")
_FULL_MM = 3.0
_FULL_HISTORIES = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a patient is imaged.

    Parameters
    ----------
    camera : str
        One of `bonescan.camera.cameras.CAMERAS`.
    protocol : str
        One of `bonescan.camera.protocols.PROTOCOLS`, with dashes or underscores; ``"spect"`` for tomography.
    counts : float, optional
        Mean of the two views' expected counts; the protocol's speed or duration by default.
    over : tuple of str
        Parts of the body, or bones, that protocols with a field of their own look at; the first lesion by default.
    dialect : str
        Whose habits the DICOM objects have, `bonescan.dicom.Dialect`.
    fast : bool
        The cohort mode: coarser voxels, scatter by a kernel fitted to the Monte Carlo.
    spacing_mm : float, optional
        Edge of a voxel, 2 to 12; 3, or 6 where fast.
    histories : int
        Photons followed for the scatter of a whole-body pass; fewer for objects that see less of the body or from
        more sides. Of no meaning where fast.
    volumes : bool, optional
        Whether the truth holds the volumes too; by default that of one study, not those of a cohort.
    repeat : int
        0, or another scan of the same patient under the same camera: laid down anew, with noise of its own.
    study : int
        0, or a later study of the same person, 12 weeks after the one before: `bonescan.patient.series` says what
        became of the lesions, and the truth which of them is which.
    day : int
        How many days later than 15 January 2026, when simulated studies are made, and than `study` says.

    Raises
    ------
    InvalidValue
        For a value outside its range.
    """

    camera: str = "symbia_lehr"
    protocol: str = "whole-body"
    counts: float | None = None
    over: tuple[str, ...] = ()
    dialect: str = "standard"
    fast: bool = False
    spacing_mm: float | None = None
    histories: int = _FULL_HISTORIES
    volumes: bool | None = None
    repeat: int = 0
    study: int = 0
    day: int = 0

    def __post_init__(self) -> None:
        if self.counts is not None and not 1e3 <= self.counts <= 1e8:
            raise InvalidValue(f"Counts lie between a thousand and a hundred million, got {self.counts:g}.")
        if self.spacing_mm is not None and not 2 <= self.spacing_mm <= 12:
            raise InvalidValue(f"Voxels measure 2 to 12 mm, got {self.spacing_mm:g} mm.", got=self.spacing_mm)
        if not 1000 <= self.histories <= 10**10:
            raise InvalidValue(f"Histories lie between a thousand and ten thousand million, got {self.histories}.")
        if self.repeat < 0:
            raise InvalidValue(f"A patient is scanned once, 0, or again, 1 and on; got {self.repeat}.", got=self.repeat)
        if not 0 <= self.study <= 50:
            raise InvalidValue(
                f"A series has the first study, 0, to the 50th after it; got {self.study}.", got=self.study
            )
        if not 0 <= self.day <= 3650:
            raise InvalidValue(f"A study is made 0 to 3650 days after the first one, got {self.day}.", got=self.day)

    @property
    def voxel_mm(self) -> float:
        """Edge of a voxel."""
        if self.spacing_mm is not None:
            return self.spacing_mm
        if not self.fast:
            return _FULL_MM
        from bonescan.camera.fast import FAST_SPACING_MM

        return FAST_SPACING_MM


@dataclass(frozen=True, slots=True, kw_only=True)
class Phantom:
    """A body from outside, as files.

    Parameters
    ----------
    labels : Path
        Labelled volume: NIfTI or NPZ.
    table : Path
        What the labels are, one a line.
    ct : Path, optional
        Hounsfield units on the same grid.
    sex : str, optional
        ``"female"`` or ``"male"``; needed unless the scenario tells it.
    age_years : float, optional
        What the scenario tells, else 50.
    """

    labels: Path
    table: Path
    ct: Path | None = None
    sex: str | None = None
    age_years: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedStudy:
    """What `simulate` leaves behind.

    Parameters
    ----------
    out : Path
    outputs : tuple of str
        Names of its files, ``"dicom/whole_body.dcm"`` among them.
    inputs : tuple of str
        SHA-256 of the files it was made from.
    settings : Settings
    truth : mapping
        The content of ``truth/truth.json``.
    """

    out: Path
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    settings: Settings
    truth: Mapping[str, Any]


def scenario_list() -> dict[str, dict[str, str]]:
    """Say which scenarios come with bonescan.

    Returns
    -------
    dict of str to dict
        By name: ``title`` and ``shows``, what a reader should see; the cohort among them.
    """
    from bonescan.patient import packaged_scenario, scenario_names

    told = {name: packaged_scenario(name) for name in scenario_names()}
    return {
        COHORT: {"title": "A person of a clinic", "shows": "Whoever comes: drawn from the seed, healthy or not."},
        f"{COHORT}:normal": {"title": "A person without lesions", "shows": "Nothing, but for what misleads."},
        f"{COHORT}:mimics": {"title": "A person with benign lesions", "shows": "What may be taken for metastases."},
        f"{COHORT}:metastatic": {"title": "A person with metastases", "shows": "Them, beside whatever comes with age."},
        **{name: {"title": scenario.title, "shows": scenario.shows} for name, scenario in told.items()},
    }


def simulate(
    scenario: str,
    out: Path,
    *,
    seed: int = 1,
    number: int = 0,
    settings: Settings | None = None,
    phantom: Phantom | None = None,
    progress: Progress = lambda _: None,
) -> SimulatedStudy:
    """Simulate one study and write it into a folder, with the truth beside it.

    Parameters
    ----------
    scenario : str
        Name of a packaged scenario, the path of a TOML file, or `COHORT`.
    out : Path
        Folder for the study; made when absent. An earlier study in it is replaced as a whole.
    seed : int
        At least 0; one seed gives one study, to the bit.
    number : int
        Of the person in a cohort. Of any other scenario it is added to the seed.
    settings : Settings, optional
    phantom : Phantom, optional
        A body from outside in place of a drawn one; the scenario's lesions are put into it.
    progress : callable
        Called with a sentence as each step begins.

    Returns
    -------
    SimulatedStudy

    Raises
    ------
    InvalidValue, GeometryMismatch
        For a scenario, camera, protocol or body that cannot be.
    UnreadableInput
        For a file that cannot be read.
    OutputFailed
        When `out` cannot be written or holds something else; an earlier study in it is then intact.
    """
    settings = Settings() if settings is None else settings
    _refuse_negative(seed, number)
    _refuse_strange_folders(out)
    progress("Drawing the patient")
    from bonescan.camera.cameras import camera
    from bonescan.journeys.imaging import Session, refuse_choices, take
    from bonescan.journeys.truth import truth_files
    from bonescan.patient.volumes import volumes_at

    chosen_camera, chosen_protocol = camera(settings.camera), _protocol(settings.protocol)
    refuse_choices(chosen_protocol, settings.counts, settings.over, settings.dialect, settings.fast)
    inputs = input_digests(scenario, phantom)
    told, patient, root = _patient(scenario, seed, number, phantom)
    if phantom is not None and told.imaging().motions:
        raise InvalidValue("A body from outside keeps its pose: choose a scenario without motions.")
    course: dict[str, Course] = {}
    for study in range(1, settings.study + 1):
        patient, course, root = _later(patient, root, study, told.imaging().time_h)
    if patient.tracer.nuclide.name != "Tc-99m":
        raise InvalidValue(
            f"These cameras count technetium, and {patient.tracer.name} is for positron tomography: choose another "
            "tracer.",
            got=patient.tracer.name,
        )
    with staged(out, _NAMES, _FOLDERS) as place:  # refused before the work, not after it
        size = f" of {settings.voxel_mm:g} mm" if phantom is None else ""
        progress(f"Laying the patient into voxels{size}")
        motions = told.imaging().motions
        poses = tuple(one.sampled(settings.voxel_mm) for one in _poses(patient, motions))
        time_h = told.imaging().time_h
        volumes = volumes_at(poses[0], time_h)
        session = Session(
            poses=poses,
            begins=(0.0, *(motion.at_fraction for motion in motions)),
            truth=volumes.truth,
            camera=chosen_camera,
            protocol=chosen_protocol,
            time_h=time_h,
            counts=settings.counts,
            over=settings.over,
            scatter=_scatter_model(settings.fast),
            histories=settings.histories,
            dialect=settings.dialect,
            patient=_patient_facts(patient, seed, number),
            injected_at=_INJECTED_AT + settings.study * _BETWEEN_STUDIES + timedelta(days=settings.day),
            description="Bone scan, simulated",
            key=json.dumps([Path(scenario).name, seed, number, _told(settings), *inputs]),
            seeds=_again(root, settings.repeat),
        )
        taken = take(session, progress)
        progress("Working out the truth")
        facts = {
            "scenario": {"name": Path(scenario).name, "title": told.title, "shows": told.shows},
            "seed": seed,
            "member": number if _is_cohort(scenario) else None,
            "camera": settings.camera,
            "protocol": settings.protocol,
            "fast": settings.fast,
            **({"series": {"study": settings.study, "course": course}} if settings.study else {}),
            "motions": [{"at_fraction": motion.at_fraction, "pose": dict(motion.pose)} for motion in motions],
            "versions": versions(),
        }
        truth = truth_files(
            facts,
            poses[0],
            volumes,
            [one.picture for one in taken if one.picture is not None],
            expected={one.name: one.expected for one in taken if one.expected is not None},
            with_volumes=settings.volumes is not False,
        )
        files = {f"dicom/{name}": content for one in taken for name, content in one.files.items()}
        files |= {f"truth/{name}": content for name, content in truth.items()}
        files["preview.png"] = _preview(told.title, session, seed, number, taken)
        progress("Writing the study")
        place(files)
    return SimulatedStudy(
        out=out,
        outputs=tuple(files),
        inputs=tuple(inputs),
        settings=settings,
        truth=json.loads(truth["truth.json"]),
    )


def simulation_summary(study: SimulatedStudy) -> dict[str, object]:
    """Say the main facts of a simulated study in plain values.

    Parameters
    ----------
    study : SimulatedStudy

    Returns
    -------
    dict
        Ready for JSON.
    """
    truth = study.truth
    kinds: dict[str, int] = {}
    for lesion in (*truth["lesions"], *truth["disturbances"]):
        kinds[lesion["kind"]] = kinds.get(lesion["kind"], 0) + 1
    return {
        "out": str(study.out),
        "outputs": list(study.outputs),
        "scenario": truth["scenario"]["name"],
        "title": truth["scenario"]["title"],
        "seed": truth["seed"],
        "member": truth["member"],
        "person": {name: truth["person"][name] for name in ("sex", "age_years", "stature_mm", "mass_kg")},
        "views": {picture["name"]: {"counts": picture["counts"]} for picture in truth["pictures"]},
        "findings": kinds,
        "bone_scan_index_percent": truth["burden"]["bone_scan_index_percent"],
    }


def simulation_manifest(study: SimulatedStudy) -> dict[str, object]:
    """Record how a simulated study came about.

    Parameters
    ----------
    study : SimulatedStudy

    Returns
    -------
    dict
        Ready for JSON: ``schema``, ``versions``, ``settings``, ``seed``, ``inputs`` (hashes) and ``outputs`` (name,
        bytes, SHA-256).
    """
    truth = study.truth
    settings = {
        "command": "simulate",
        "scenario": truth["scenario"]["name"],
        "member": truth["member"],
        **asdict(study.settings),
    }
    return run_record(study.out, study.outputs, settings=settings, digests=study.inputs, seed=truth["seed"])


def input_digests(scenario: str, phantom: Phantom | None) -> list[str]:
    """Digest the files a study is made from: a scenario's, a phantom's.

    Parameters
    ----------
    scenario : str
        As in `simulate`; a packaged one is no file.
    phantom : Phantom or None

    Returns
    -------
    list of str
        SHA-256.

    Raises
    ------
    UnreadableInput
        For a file that cannot be read.
    """
    files = [("scenario", Path(scenario))] if _is_file(scenario) else []
    if phantom is not None:
        named = (("labelled volume", phantom.labels), ("table of labels", phantom.table), ("CT", phantom.ct))
        files += [(what, path) for what, path in named if path is not None]
    return [hashlib.sha256(_content(what, path)).hexdigest() for what, path in files]


def _is_file(scenario: str) -> bool:
    return scenario.endswith(".toml")


def _content(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableInput(f"The {what} could not be read: {error.strerror or 'input/output error'}.") from error


def _text(what: str, path: Path) -> str:
    try:
        return _content(what, path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"The {what} is no text in UTF-8.") from error


def _refuse_negative(seed: int, number: int) -> None:
    if seed < 0 or number < 0:
        raise InvalidValue(f"Seeds and numbers are at least 0, got {seed} and {number}.", got=(seed, number))


def _refuse_strange_folders(out: Path) -> None:
    """An earlier study may go; a folder of the same name that is something else must not."""
    with told_plainly(out):  # a name may be too long even to be looked at
        earlier = (out / "truth" / "truth.json").is_file()
        there = [name for name in _FOLDERS if (out / name).exists()]
    for name in there:
        if not earlier:
            raise OutputFailed(
                f"There is a {name!r} in the folder for the study that no simulation has written; choose another "
                "folder.",
                path=str(out / name),
            )


def _protocol(name: str) -> AcquisitionProtocol:
    from bonescan.camera.protocols import PROTOCOLS, protocol

    known = {own.replace("_", "-").replace("tomography", "spect"): own for own in PROTOCOLS}
    wanted = name.replace("_", "-").replace("tomography", "spect")
    if wanted not in known:
        raise InvalidValue(f"There is no protocol {name!r}; there are {', '.join(known)}.", got=name)
    return protocol(known[wanted])


def _patient(
    scenario: str, seed: int, number: int, phantom: Phantom | None
) -> tuple[Scenario, Patient, np.random.SeedSequence]:
    """What is told, the patient, and the root of all other random numbers of the study."""
    import numpy as np

    from bonescan.patient import draw_scenario

    if _is_cohort(scenario):  # as `bonescan.patient.draw_patient` does
        told = draw_scenario(seed, number, _cohort(scenario))
        root = np.random.SeedSequence(seed, spawn_key=(number, 1))
        if phantom is not None:  # a body has one sex, and keeps its pose, whoever else is drawn
            person = {key: value for key, value in told.person.items() if key != "sex"}
            protocol = {key: value for key, value in told.protocol.items() if key != "motions"}
            told = replace(told, person=person, protocol=protocol)
    else:
        told = _read_scenario(Path(scenario)) if _is_file(scenario) else _packaged_scenario(scenario)
        root = np.random.SeedSequence(seed + number)
    patient = told.patient(root, body=None if phantom is None else _body(phantom, told))
    streams = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, 100))
    return told, patient, streams


def _is_cohort(scenario: str) -> bool:
    return scenario.partition(":")[0] == COHORT


def _cohort(name: str) -> Cohort:
    from bonescan.patient import COHORTS

    if name not in COHORTS:
        raise InvalidValue(f"There is no cohort {name!r}; there are {', '.join(COHORTS)}.", got=name)
    return COHORTS[name]


def _again(root: np.random.SeedSequence, repeat: int) -> np.random.SeedSequence:
    """Random numbers of another scan of the same patient; those of the first stay as they are."""
    import numpy as np

    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, repeat)) if repeat else root


def _later(
    patient: Patient, root: np.random.SeedSequence, study: int, time_h: float
) -> tuple[Patient, dict[str, Course], np.random.SeedSequence]:
    """The next study of the same person, what became of the lesions, and the root of its random numbers."""
    import numpy as np

    from bonescan.patient.series import later_study

    drawn, scanned = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, 200, study)).spawn(2)
    later = later_study(patient, drawn, time_h=time_h)
    return later.patient, later.course, scanned


def _told(settings: Settings) -> dict[str, object]:
    """What tells two studies of one patient apart; a first study is named as it was before there were later ones."""
    told = asdict(replace(settings, volumes=None))
    return {key: value for key, value in told.items() if value or key not in ("study", "day")}


def _read_scenario(path: Path) -> Scenario:
    from bonescan.patient import read_scenario

    return read_scenario(_text("scenario", path), name=path.name)


def _packaged_scenario(name: str) -> Scenario:
    from bonescan.patient import packaged_scenario, scenario_names

    if name not in scenario_names():
        near = difflib.get_close_matches(name, scenario_names(), n=3)
        meant = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise InvalidValue(
            f"There is no scenario {name!r}{meant}; bonescan simulate --list says which there are, and a file's name "
            "ends in .toml.",
            got=name,
        )
    return packaged_scenario(name)


def _body(phantom: Phantom, told: Scenario) -> OutsideBody:
    from bonescan.dicom.volumes import open_volume
    from bonescan.patient.outside import OutsideBody, read_label_table

    sex = phantom.sex or told.person.get("sex")
    if sex is None:
        raise InvalidValue("Whose body is it? Say --sex female or --sex male, or tell it in the scenario.")
    age = phantom.age_years if phantom.age_years is not None else told.person.get("age_years", 50.0)
    return OutsideBody(
        labels=open_volume(phantom.labels),
        table=read_label_table(_text("table of labels", phantom.table)),
        sex=sex,
        age_years=age,
        ct=None if phantom.ct is None else open_volume(phantom.ct, unit="[hnsf'U]"),
    )


def _poses(patient: Patient, motions: tuple[Motion, ...]) -> list[Patient]:
    """The patient at the start and after each motion."""
    out = [patient]
    for motion in motions:
        person: Person = out[-1].person  # type: ignore[assignment]
        out.append(replace(patient, person=motion.moved(person)))
    return out


def _scatter_model(fast: bool) -> ScatterModel:
    if fast:
        from bonescan.camera.fast import scatter_by_kernel

        return scatter_by_kernel
    from bonescan.camera.forced import scatter

    return scatter


def _patient_facts(patient: Patient, seed: int, number: int) -> PatientFacts:
    from bonescan.scan import PatientFacts

    person = patient.person
    stature = getattr(person, "stature_mm", None)
    return PatientFacts(
        name=_name(person.sex, seed + number),  # not the scenario: a reader must find that out
        patient_id=f"SIMULATED-{seed}-{number}",
        sex=person.sex[0].upper(),
        age_years=float(int(person.age_years)),
        stature_m=None if stature is None else round(stature / 1000, 2),
        weight_kg=round(person.mass_kg, 1),
    )


def _name(sex: str, which: int) -> str:
    """A name that is plainly no patient's; it comes again after 312 people, their numbers do not."""
    given = _GIVEN_NAMES[sex]
    return f"Simulated^{given[which % len(given)]}^{chr(ord('A') + which // len(given) % 26)}"


def _preview(title: str, session: Session, seed: int, number: int, taken: Sequence[Taken]) -> bytes:
    from bonescan.report.preview import draw_preview

    patient = session.poses[0].patient
    note = (
        f"seed {seed}{f', person {number}' if number else ''} · "
        f"{session.time_h:.1f} h after {patient.injected_mbq:.0f} MBq {patient.tracer.name} · "
        f"{session.camera.manufacturer} {session.camera.model}"
    )
    return draw_preview([one.tiles for one in taken], title, note, "SIMULATED")
