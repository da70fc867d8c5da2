"""A simulated patient under a camera: every object a protocol sends, what was expected of it, and how it looks.

A scenario's motions happen during a whole-body pass; other pictures show the first pose. Bones are looked at through a
protocol's own field, centred where `places_to_look` says: by default at the first lesion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bonescan import dicom
from bonescan.anatomy.bones import bone as bone_named
from bonescan.anatomy.skeleton import default_skeleton
from bonescan.camera.acquisition import Facts, draw_placement, whole_body_model
from bonescan.camera.cameras import Camera
from bonescan.camera.emitter import Emitter
from bonescan.camera.faults import Faults
from bonescan.camera.look import ScatterModel
from bonescan.camera.protocols import AcquisitionProtocol, Flow, Spot, ThreePhase, Tomography, WholeBody
from bonescan.camera.stills import film_model, spot_model
from bonescan.camera.tomography import tomographic_model
from bonescan.errors import InvalidValue
from bonescan.field import Field
from bonescan.journeys.shadows import PlanarPlace
from bonescan.journeys.truth import PlanarPicture
from bonescan.patient.sampling import SampledPatient
from bonescan.patient.volumes import Truth
from bonescan.report.preview import Tile
from bonescan.scan import DynamicScan, Injection, PatientFacts, Scan, TomographicScan, ViewName

__all__ = ["Session", "Taken", "places_to_look", "refuse_choices", "take"]

PARTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "head": (("skull", "mandible"), "SKULL"),
    "chest": (("sternum", "vertebra_t"), "CHEST"),
    "abdomen": (("vertebra_l",), "ABDOMEN"),
    "pelvis": (("sacrum", "hip_bone"), "PELVIS"),
    "knees": (("patella",), "KNEE"),
    "feet": (("tarsal", "metatarsal"), "FOOT"),
    "hands": (("carpal", "metacarpal"), "HAND"),
}
"""Parts of the body to look at: their bones, and what DICOM calls them (PS3.16 annex L)."""

# Photons to follow, over those of a whole-body pass: a field holds less of the body; one photon adds to every angle.
_STANDING_SHARE, _TURNING_SHARE = 0.4, 0.1

_BOTH_SIDES_MM = 190.0  # a limb no farther from the midline shares the early phases' field with the other side's

_FROM = {0: ", from behind", 90: ", from the left", 180: ", from in front", 270: ", from the right"}

# The patient's sides on the picture's left and right.
_SIDES = {ViewName.ANTERIOR: ("R", "L"), ViewName.POSTERIOR: ("L", "R")}

_BODY_PARTS = {
    1: "SKULL", 2: "CSPINE", 3: "TSPINE", 4: "CHEST", 5: "CHEST", 6: "CLAVICLE", 7: "SHOULDER", 8: "ARM", 9: "LSPINE",
    10: "PELVIS", 11: "PELVIS", 12: "THIGH", 13: "ARM", 14: "HAND", 15: "KNEE", 16: "LEG", 17: "FOOT",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Session:
    """One patient's appointment with a camera.

    Parameters
    ----------
    poses : tuple of SampledPatient
        The patient in the pose at the start, and after each motion.
    begins : tuple of float
        By pose: the fraction of a whole-body pass at which it is taken, ascending from 0.
    truth : Truth
        Where bones and lesions lie in the first pose.
    camera : Camera
    protocol : AcquisitionProtocol
    time_h : float
        From injection to the delayed picture.
    counts : float or None
        Mean of the two views' expected counts of a whole-body pass or a delayed view; ``None`` for the protocol's.
    over : tuple of str
        Parts of the body or bones to look at; empty for where the first lesion is.
    scatter : ScatterModel
    histories : int
        Of a whole-body pass's scatter.
    dialect : str
    patient : PatientFacts
    injected_at : datetime
    description, key : str
        Of the study for people, and what its UID is made from.
    seeds : numpy.random.SeedSequence
        Of placement, scatter, counts and the crystal's pattern.
    """

    poses: tuple[SampledPatient, ...]
    begins: tuple[float, ...]
    truth: Truth
    camera: Camera
    protocol: AcquisitionProtocol
    time_h: float
    counts: float | None
    over: tuple[str, ...]
    scatter: ScatterModel
    histories: int
    dialect: str
    patient: PatientFacts
    injected_at: datetime
    description: str
    key: str
    seeds: np.random.SeedSequence

    def stream(self, *key: int) -> np.random.Generator:
        """Random numbers of one purpose."""
        return np.random.default_rng(
            np.random.SeedSequence(self.seeds.entropy, spawn_key=(*self.seeds.spawn_key, *key))
        )

    @property
    def faults(self) -> Faults:
        """The camera's usual ones, each study's with a pattern of the crystal of its own: no reader may learn one."""
        return Faults.usual(self.camera, seed=_integer(self.stream(3)))

    def emitter(self, pose: int, time_h: float) -> Emitter:
        """What lies under the camera."""
        sampled = self.poses[pose]
        nuclide = sampled.patient.tracer.nuclide
        return Emitter(
            medium=sampled.medium(),
            activity=_activity(sampled, time_h),
            half_life_h=nuclide.half_life_h,
        )

    def facts(self, time_h: float) -> Facts:
        """What the header of an object says that begins at a time after injection."""
        patient = self.poses[0].patient
        return Facts(
            patient=self.patient,
            injection=Injection(
                radiopharmaceutical=patient.tracer.name,
                radionuclide=patient.tracer.nuclide.name,
                activity_mbq=round(patient.injected_mbq, 1),
                injected_at=self.injected_at,
            ),
            acquired_at=self.injected_at + timedelta(seconds=round(3600 * time_h)),
            study_description=self.description,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """One object of a study.

    Parameters
    ----------
    name : str
        E.g. ``"whole_body"``, ``"spot_pelvis"``.
    files : mapping of str to bytes
        As a camera would send them.
    picture : PlanarPicture or None
        Of planar views, for the truth.
    expected : ndarray or None
        Expected counts of all others.
    tiles : tuple of Tile
        For the quick look.
    """

    name: str
    files: Mapping[str, bytes]
    picture: PlanarPicture | None
    expected: NDArray[np.floating] | None
    tiles: tuple[Tile, ...]


def refuse_choices(
    protocol: AcquisitionProtocol, counts: float | None, over: tuple[str, ...], dialect: str, fast: bool
) -> None:
    """Refuse choices that do not go together, before any work.

    Parameters
    ----------
    protocol : AcquisitionProtocol
    counts, over, dialect
        As in `Session`.
    fast : bool
        Whether scatter comes from a kernel.

    Raises
    ------
    InvalidValue
        For counts of a protocol that has no such setting, a place that is neither part nor bone, or several where one
        is looked at, an unknown dialect, and a fast tomography.
    """
    if fast and isinstance(protocol, Tomography):
        raise InvalidValue("The fast mode knows the scatter of views from in front and behind alone, no tomography's.")
    if counts is not None and not isinstance(protocol, WholeBody | Spot | ThreePhase):
        raise InvalidValue("Counts can be asked of a whole-body pass, spot views and a three-phase study alone.")
    if over and isinstance(protocol, WholeBody):
        raise InvalidValue("A whole-body pass looks at everything: places go with the other protocols.", got=over)
    if len(over) > 1 and not isinstance(protocol, Spot):
        raise InvalidValue(f"This protocol looks at one place, got {', '.join(over)}.", got=over)
    for place in over:
        if place not in PARTS and place not in default_skeleton().bones:
            raise InvalidValue(
                f"There is no {place!r} to look at: name one of {', '.join(PARTS)}, or a bone's id.", got=place
            )
    dialects = [one.value for one in dicom.Dialect]
    if dialect not in dialects:
        raise InvalidValue(f"A dialect is one of {', '.join(dialects)}, got {dialect!r}.", got=dialect)


def take(session: Session, progress: Callable[[str], None]) -> tuple[Taken, ...]:
    """Acquire everything a protocol asks for.

    Parameters
    ----------
    session : Session
    progress : callable
        Called with a sentence as each object begins.

    Returns
    -------
    tuple of Taken
        In the order they are acquired.

    Raises
    ------
    InvalidValue
        For a place that the body does not show.
    """
    protocol = session.protocol
    if isinstance(protocol, WholeBody):
        progress("Whole-body pass")
        return (_whole_body(session, protocol),)
    places = places_to_look(session)
    if isinstance(protocol, Spot):
        taken = []
        for k, (name, (centre, part)) in enumerate(places.items()):
            progress(f"Spot views, {name}")
            own = replace(_counted(protocol, session.counts), centre_mm=centre)
            taken.append(_spot(session, own, f"spot_{name}", k + 1, part, session.time_h))
        return tuple(taken)
    (centre, part), *_ = places.values()
    if isinstance(protocol, Tomography):
        progress("Tomography")
        return (_tomography(session, replace(protocol, centre_mm=centre), part),)
    whole = protocol.over(centre)
    flow = _flow(session, whole.flow, part, progress)
    progress("Blood pool")
    pool = _spot(session, whole.pool.spot, "pool", 2, part, whole.pool.start_min / 60)
    progress("Delayed views")
    delayed = _spot(session, _counted(whole.delayed, session.counts), "delayed", 3, part, session.time_h)
    return flow, pool, delayed


def places_to_look(session: Session) -> dict[str, tuple[tuple[float, float], str]]:
    """Where the heads are centred.

    Parameters
    ----------
    session : Session

    Returns
    -------
    dict of str to ((x, z), str)
        By part or bone: the centre in the body's frame in mm, and the body part's name in DICOM.

    Raises
    ------
    InvalidValue
        For a place that this body does not show.
    """
    if session.over:
        return {place: _centre(session, place) for place in session.over}
    for lesion in session.truth.lesions:
        if lesion.volume_ml:
            x, _, z = lesion.centre_mm
            bone = lesion.bone or _nearest_bone(session, lesion.centre_mm)  # cellulitis lies in no bone
            if isinstance(session.protocol, ThreePhase) and abs(x) <= _BOTH_SIDES_MM:
                x = 0.0
            return {bone: ((x, z), _BODY_PARTS.get(bone_named(bone).region, "CHEST"))}
    return {"pelvis": _centre(session, "pelvis")}


def _centre(session: Session, place: str) -> tuple[tuple[float, float], str]:
    prefixes, part = PARTS.get(place, ((place,), ""))
    own = [bone for name, bone in session.truth.bones.items() if name.startswith(prefixes)]
    if not own:
        raise InvalidValue(f"This body shows no {place!r} to look at; choose another place.", got=place)
    weight = np.array([bone.volume_ml for bone in own])
    x, _, z = np.average([bone.centre_mm for bone in own], axis=0, weights=weight)
    return (float(x), float(z)), part or _BODY_PARTS.get(bone_named(place).region, "CHEST")


def _nearest_bone(session: Session, centre_mm: tuple[float, float, float]) -> str:
    bones = session.truth.bones
    return min(bones, key=lambda name: math.dist(bones[name].centre_mm, centre_mm))


def _counted(protocol: Spot, counts: float | None) -> Spot:
    return protocol if counts is None else replace(protocol, counts=counts, duration_s=None)


def _whole_body(session: Session, protocol: WholeBody) -> Taken:
    model = whole_body_model(
        [session.emitter(k, session.time_h) for k in range(len(session.poses))],
        session.camera,
        protocol,
        session.scatter,
        begins=session.begins,
        counts=session.counts,
        placement=draw_placement(session.stream(0)),
        histories=session.histories,
        faults=session.faults,
        seed=_integer(session.stream(1)),
    )
    scan = model.acquire(session.stream(2), session.facts(session.time_h))
    expected = model.expected()
    picture = PlanarPicture(
        file_name="whole_body.dcm",
        names=tuple(view.value for view in model.views),
        places=tuple(PlanarPlace(name=view, lattice=model.lattice, axis_x_mm=model.axis_mm[0]) for view in model.views),
        poses=session.poses,
        pose_of_row=model.seconds.mean(axis=1).argmax(axis=0),
        time_h=session.time_h,
        expected=expected,
        counts=np.stack([view.counts for view in scan.views]),
        primary=lambda fields: np.sum([model.primary(field, k) for k, field in enumerate(fields)], axis=0),
    )
    filing = _filing(session, 1, "Whole body", None, scan)
    files = dicom.write_scan(scan, filing=filing, dialect=session.dialect)
    return Taken(name="whole_body", files=files, picture=picture, expected=None, tiles=_planar_tiles(scan))


def _spot(session: Session, protocol: Spot, name: str, series: int, part: str, time_h: float) -> Taken:
    model = spot_model(
        session.emitter(0, time_h),
        session.camera,
        protocol,
        session.scatter,
        histories=round(_STANDING_SHARE * session.histories),
        faults=session.faults,
        seed=_integer(session.stream(1, series)),
    )
    scan = model.acquire(session.stream(2, series), session.facts(time_h))
    picture = PlanarPicture(
        file_name=f"{name}.dcm",
        names=tuple(f"{name}_{view.value}" for view in model.views),
        places=tuple(
            PlanarPlace(name=view, lattice=model.look.lattice, axis_x_mm=model.look.axis_mm[0]) for view in model.views
        ),
        poses=session.poses[:1],
        pose_of_row=np.zeros(model.look.lattice.shape[0], dtype=np.int64),
        time_h=time_h,
        expected=model.expected(),
        counts=np.stack([view.counts for view in scan.views]),
        primary=lambda fields: model.primary(fields[0]),
    )
    filing = _filing(session, series, name.replace("_", " ").capitalize(), part, scan)
    written = dicom.write_scan(scan, filing=filing, dialect=session.dialect)
    files = {name + own.removeprefix("static"): content for own, content in written.items()}
    return Taken(name=name, files=files, picture=picture, expected=None, tiles=_planar_tiles(scan, name))


def _flow(session: Session, protocol: Flow, part: str, progress: Callable[[str], None]) -> Taken:
    progress("Blood flow")
    sampled = session.poses[0]
    model = film_model(
        sampled.medium(),
        lambda time_h: _activity(sampled, time_h),
        session.camera,
        protocol,
        session.scatter,
        histories=round(_STANDING_SHARE * session.histories),
        faults=session.faults,
        seed=_integer(session.stream(1, 0)),
    )
    scan = model.acquire(session.stream(2, 0), session.facts(protocol.start_s / 3600))
    filing = _filing(session, 1, "Blood flow", part, scan)
    (content,) = dicom.write_dynamic(scan, filing=filing, dialect=session.dialect).values()
    chosen = np.linspace(0, len(scan.starts_s) - 1, 6).round().astype(int)
    tiles = tuple(
        Tile(
            label=f"flow, {scan.starts_s[k]:.0f} s",
            counts=scan.counts[0, k],
            row_spacing_mm=scan.row_spacing_mm,
            column_spacing_mm=scan.column_spacing_mm,
            sides=_SIDES[scan.view_names[0]],
        )
        for k in chosen
    )
    return Taken(name="flow", files={"flow.dcm": content}, picture=None, expected=model.expected(), tiles=tiles)


def _tomography(session: Session, protocol: Tomography, part: str) -> Taken:
    model = tomographic_model(
        session.emitter(0, session.time_h),
        session.camera,
        protocol,
        session.scatter,
        histories=round(_TURNING_SHARE * session.histories),
        faults=session.faults,
        seed=_integer(session.stream(1, 0)),
    )
    scan = model.acquire(session.stream(2, 0), session.facts(session.time_h))
    filing = _filing(session, 1, "Tomography", part, scan)
    (content,) = dicom.write_tomographic(
        scan, filing=filing, dialect=session.dialect, heads=2, continuous=protocol.continuous
    ).values()
    quarter = max(1, len(scan.angles_deg) // 4)
    tiles = tuple(
        Tile(
            label=f"{scan.angles_deg[k]:.0f} degrees{_FROM.get(round(scan.angles_deg[k]), '')}",
            counts=scan.counts[0, k],
            row_spacing_mm=scan.row_spacing_mm,
            column_spacing_mm=scan.column_spacing_mm,
        )
        for k in range(0, len(scan.angles_deg), quarter)
    )
    return Taken(name="tomo", files={"tomo.dcm": content}, picture=None, expected=model.expected(), tiles=tiles)


def _activity(sampled: SampledPatient, time_h: float) -> Field:
    return sampled.activity(time_h, sampled.shares(time_h), sampled.weights(time_h))


def _filing(
    session: Session, series: int, what: str, part: str | None, scan: Scan | DynamicScan | TomographicScan
) -> dicom.Filing:
    return dicom.Filing(
        series_number=series,
        series_description=f"{what}, simulated",
        study_began_at=session.injected_at,
        body_part=part,
        seed=session.key,
    )


def _planar_tiles(scan: Scan, name: str = "") -> tuple[Tile, ...]:
    return tuple(
        Tile(
            label=f"{name.replace('_', ' ')} {view.name}".strip() + f" · {view.total_counts:,.0f} counts",
            counts=view.counts,
            row_spacing_mm=view.row_spacing_mm,
            column_spacing_mm=view.column_spacing_mm,
            sides=_SIDES[view.name],
        )
        for view in scan.views
    )


def _integer(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
